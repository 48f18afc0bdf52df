package errand

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/version"
)

// What became of a follow-up that was not recorded.
const (
	Waits   = "waits"   // it failed, and is tried again
	Refused = "refused" // it is not to be had: the member is gone, or the receipt counts for another
)

// FollowUp is something that should follow from an event and was not recorded.
type FollowUp struct {
	// Key says what: the number of the fact, the purchase that waits, or the event of one whose identifiers are to be looked at.
	Key string `json:"key"`
	// Event it follows, and the member it is for.
	Event  string `json:"event"`
	Member string `json:"member"`
	// Status is waits or refused, Reason and Message why.
	Status  string `json:"status"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
	// Tries is how often it was tried, At when first, Next when it is again.
	Tries int       `json:"tries"`
	At    time.Time `json:"at"`
	Next  time.Time `json:"next,omitzero"`

	place books.Cursor
}

func (f *follower) late(e *books.Event, key, member string, why error) FollowUp {
	f.log.Warn("what follows from an event failed", "program", f.program, "key", key, "error", why)
	return FollowUp{Key: key, Event: e.ID, Member: member, Status: Waits, Reason: errs.As(why).Reason, Message: why.Error(), Tries: 1, At: f.now, Next: f.now.Add(wait(1)), place: e.Cursor}
}

func (f *follower) refused(e *books.Event, key, member string, why error) FollowUp {
	f.log.Info("what should follow from an event was not taken", "program", f.program, "key", key, "reason", errs.As(why).Reason)
	return FollowUp{Key: key, Event: e.ID, Member: member, Status: Refused, Reason: errs.As(why).Reason, Message: errs.As(why).Message, Tries: 1, At: f.now, place: e.Cursor}
}

// wait is how long after a try the next one comes: from ten seconds, doubled each time, to an hour.
func wait(tries int) time.Duration {
	return min(10*time.Second<<min(tries-1, 20), time.Hour)
}

const (
	putFollowUp = `
INSERT INTO follow_ups (bucket, program_id, key, event, stamp, n, member_id, status, reason, message, tries, next_at, at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
ON CONFLICT (bucket, program_id, key) DO UPDATE SET status = excluded.status, reason = excluded.reason, message = excluded.message,
	tries = excluded.tries, next_at = excluded.next_at`

	followUpColumns = `key, event, stamp, n, member_id, status, reason, message, tries, next_at, at`

	dueFollowUps = `SELECT ` + followUpColumns + ` FROM follow_ups
WHERE bucket = $1 AND program_id = $2 AND status = 'waits' AND next_at <= $3 ORDER BY stamp, n, key LIMIT $4`

	lateFollowUp = `SELECT 1 FROM follow_ups WHERE bucket = $1 AND program_id = $2 AND key = $3 AND status = 'waits'`

	dropFollowUp = `DELETE FROM follow_ups WHERE bucket = $1 AND program_id = $2 AND key = $3`

	allFollowUps = `SELECT ` + followUpColumns + ` FROM follow_ups WHERE bucket = $1 AND program_id = $2 ORDER BY at DESC, key LIMIT $3`

	oldFollowUps = `DELETE FROM follow_ups WHERE status = 'refused' AND at < $1`

	countFollowUps = `SELECT COALESCE(SUM(CASE WHEN status = 'waits' THEN 1 ELSE 0 END), 0), COALESCE(SUM(CASE WHEN status = 'refused' THEN 1 ELSE 0 END), 0)
FROM follow_ups WHERE bucket = $1 AND program_id = $2`
)

// shownFor is how long one that was refused is listed.
const shownFor = 30 * 24 * time.Hour

func put(ctx context.Context, tx *db.Tx, program string, u *FollowUp) error {
	next := int64(0)
	if u.Status == Waits {
		next = u.Next.UnixMicro()
	}
	_, err := tx.Exec(ctx, putFollowUp, ids.Bucket(program, ""), program, u.Key, u.Event, u.place.Stamp, u.place.N, u.Member, u.Status, u.Reason, u.Message, u.Tries, next, u.At.UnixMicro())
	if err != nil {
		return fmt.Errorf("note what follows from %s: %w", u.Event, err)
	}
	return nil
}

func isLate(ctx context.Context, tx *db.Tx, program, key string) (bool, error) {
	var one int
	err := tx.QueryRow(ctx, lateFollowUp, ids.Bucket(program, ""), program, key).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

func list(ctx context.Context, tx *db.Tx, query string, args ...any) ([]FollowUp, error) {
	out := []FollowUp{}
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		var u FollowUp
		var next, at int64
		err := row.Scan(&u.Key, &u.Event, &u.place.Stamp, &u.place.N, &u.Member, &u.Status, &u.Reason, &u.Message, &u.Tries, &next, &at)
		if u.At = time.UnixMicro(at).UTC(); next != 0 {
			u.Next = time.UnixMicro(next).UTC()
		}
		out = append(out, u)
		return err
	}, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read what follows and was not recorded: %w", err)
	}
	return out, nil
}

// List gives what was not recorded, the last first: what waits, and what was refused in the last thirty days.
func List(ctx context.Context, tx *db.Tx, program string, limit int) ([]FollowUp, error) {
	return list(ctx, tx, allFollowUps, ids.Bucket(program, ""), program, limit)
}

// again tries what is late and due, in the order of the feed.
func (f *follower) again(ctx context.Context) (Counts, error) {
	var out Counts
	var due []FollowUp
	events := map[string]books.Event{}
	err := f.d.Read(ctx, func(tx *db.Tx) (err error) {
		if due, err = list(ctx, tx, dueFollowUps, ids.Bucket(f.program, ""), f.program, f.now.UnixMicro(), pageSize); err != nil {
			return err
		}
		clear(events)
		for i := range due {
			u := &due[i]
			found, err := books.Events(ctx, tx, f.program, books.Cursor{Stamp: u.place.Stamp, N: u.place.N - 1}, 1)
			if err != nil {
				return err
			}
			if len(found) == 1 && found[0].ID == u.Event {
				events[u.Event] = found[0]
			}
		}
		return nil
	})
	if err != nil {
		return out, err
	}
	for i := range due {
		u := &due[i]
		e, there := events[u.Event]
		if !there { // the feed does not show it now: an older transaction is open
			continue
		}
		n, left, err := f.do(ctx, []books.Event{e})
		if err != nil {
			return out, err
		}
		n.Events = 0
		out.add(n)
		err = f.d.Write(ctx, func(tx *db.Tx) error {
			if _, err := tx.Exec(ctx, dropFollowUp, ids.Bucket(f.program, ""), f.program, u.Key); err != nil {
				return fmt.Errorf("note what follows from %s: %w", u.Event, err)
			}
			for k := range left {
				if left[k].Key == u.Key {
					left[k].At, left[k].Tries = u.At, u.Tries+1
					left[k].Next = f.now.Add(wait(u.Tries + 1))
				}
				if err := put(ctx, tx, f.program, &left[k]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return out, err
		}
	}
	return out, nil
}

// Standing is how far the errands of a program are.
type Standing struct {
	// Follows says that anything has followed yet.
	Follows bool
	// Behind is how long ago the first event was recorded from which what follows is still to be done.
	Behind time.Duration
	// Waits failed and are tried again; Refused were refused in the last thirty days. Last is the one of them that came last.
	Waits, Refused int
	Last           *FollowUp
}

// StandingOf says how far the errands of a program are, without changing anything.
func StandingOf(ctx context.Context, tx *db.Tx, program string, now time.Time) (Standing, error) {
	var s Standing
	var at books.Cursor
	switch err := tx.QueryRow(ctx, getPlace, ids.Bucket(program, ""), program).Scan(&at.Stamp, &at.N); {
	case errors.Is(err, sql.ErrNoRows): // nothing has followed yet
		return s, nil
	case err != nil:
		return s, fmt.Errorf("read the place of errands in %s: %w", program, err)
	}
	s.Follows = true
	next, err := books.Events(ctx, tx, program, at, 1)
	if err != nil {
		return s, err
	}
	if len(next) > 0 {
		s.Behind = max(now.Sub(next[0].RecordedAt), 0)
	}
	if err := tx.QueryRow(ctx, countFollowUps, ids.Bucket(program, ""), program).Scan(&s.Waits, &s.Refused); err != nil {
		return s, fmt.Errorf("count what follows and was not recorded: %w", err)
	}
	if s.Waits+s.Refused > 0 {
		some, err := List(ctx, tx, program, 1)
		if err != nil {
			return s, err
		}
		s.Last = &some[0]
	}
	return s, nil
}

// Standings is StandingOf for all programs together: the one that is farthest behind, and the sums.
func Standings(ctx context.Context, tx *db.Tx, now time.Time) (Standing, error) {
	var all Standing
	programs, err := version.Programs(ctx, tx)
	for _, p := range programs {
		if err != nil {
			break
		}
		var s Standing
		if s, err = StandingOf(ctx, tx, p.ID, now); err == nil {
			all.Behind, all.Waits, all.Refused = max(all.Behind, s.Behind), all.Waits+s.Waits, all.Refused+s.Refused
		}
	}
	return all, err
}

// Tend forgets what was refused long ago.
func Tend(ctx context.Context, d *db.DB, now time.Time) error {
	return d.Write(ctx, func(tx *db.Tx) error {
		if _, err := tx.Exec(ctx, oldFollowUps, now.Add(-shownFor).UnixMicro()); err != nil {
			return fmt.Errorf("forget what was refused: %w", err)
		}
		return nil
	})
}
