package books

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"lojal.dev/lojal/internal/db"
)

// Backlog is what waits for somebody to do it. It looks over all programs: it is for the operator, not for a request.
type Backlog struct {
	// Due counts the accounts that time has something for, at most MostDue.
	Due int64
	// Oldest is how long the first of them has waited, 0 when there is none.
	Oldest time.Duration
	// Feed is how long the oldest fact has been written without being readable: an older transaction is still open, or, where the
	// database is distributed, it has no place in the line yet.
	Feed time.Duration
}

// MostDue is where counting due accounts ends, so that it stays cheap after a long stop.
const MostDue = 10_000

const (
	dueBacklog = `
SELECT COUNT(*), MIN(due_at) FROM (
	SELECT due_at FROM accounts WHERE due_at IS NOT NULL AND due_at <= $1 ORDER BY due_at LIMIT $2
) due`

	feedBacklog = `
SELECT MIN(f.recorded_at) FROM programs p CROSS JOIN facts f
WHERE f.program_id = p.program_id AND f.stamp >= $1`
)

const recordedAfter = `
SELECT recorded_at FROM facts WHERE program_id = $1 AND (stamp, n) > ($2, $3) AND stamp > 0 ORDER BY stamp, n LIMIT 1`

// RecordedAfter gives when the program's first fact after a place in the feed was recorded, and false when there is none.
func RecordedAfter(ctx context.Context, tx *db.Tx, program string, after Cursor) (time.Time, bool, error) {
	var at int64
	err := tx.QueryRow(ctx, recordedAfter, program, after.Stamp, after.N).Scan(&at)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, false, nil
	}
	if err != nil {
		return time.Time{}, false, fmt.Errorf("look for a fact after a place: %w", err)
	}
	return toTime(at), true, nil
}

// Waiting gives the backlog at a time.
func Waiting(ctx context.Context, tx *db.Tx, now time.Time) (Backlog, error) {
	var out Backlog
	var oldest, unread *int64
	if err := tx.QueryRow(ctx, dueBacklog, instant(now), MostDue).Scan(&out.Due, &oldest); err != nil {
		return out, fmt.Errorf("count the due accounts: %w", err)
	}
	var err error
	if tx.Distributed() {
		unread, err = firstUnlined(ctx, tx)
	} else {
		unread, err = firstUnread(ctx, tx)
	}
	if err != nil {
		return out, err
	}
	for _, x := range []struct {
		at   *int64
		into *time.Duration
	}{{oldest, &out.Oldest}, {unread, &out.Feed}} {
		if x.at != nil {
			*x.into = max(now.Sub(toTime(*x.at)), 0)
		}
	}
	return out, nil
}

func firstUnread(ctx context.Context, tx *db.Tx) (*int64, error) {
	horizon, err := db.Horizon(ctx, tx)
	if err != nil {
		return nil, err
	}
	var at *int64
	if err := tx.QueryRow(ctx, feedBacklog, horizon).Scan(&at); err != nil {
		return nil, fmt.Errorf("look for facts that cannot be read yet: %w", err)
	}
	return at, nil
}
