package webhook

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
)

// Place is how far an endpoint has come.
type Place struct {
	// At is the last event of the feed that was dealt with.
	At books.Cursor
	// Replay is a part of the feed that is sent again; nil when none is.
	Replay *Replay
	// FailingSince is since when nothing was taken; nil when the last delivery was.
	FailingSince  *time.Time
	LastSuccessAt *time.Time
}

// Replay is a part of the feed: what was recorded since, of what stands after At up to Until.
type Replay struct {
	At, Until books.Cursor
	Since     time.Time
}

const insertPlace = `INSERT INTO webhook_places (bucket, program_id, webhook_id, stamp, n) VALUES ($1, $2, $3, $4, $5)`

func addPlace(ctx context.Context, tx *db.Tx, ref Ref) error {
	here, err := books.Here(ctx, tx, ref.Program)
	if err == nil {
		_, err = tx.Exec(ctx, insertPlace, ref.bucket(), ref.Program, ref.ID, here.Stamp, here.N)
	}
	return err
}

const placeOf = `
SELECT stamp, n, replay_stamp, replay_n, replay_until_stamp, replay_until_n, replay_since, failing_since, last_success_at
FROM webhook_places WHERE bucket = $1 AND program_id = $2 AND webhook_id = $3`

// PlaceOf gives how far an endpoint has come. Not found when it was removed.
func PlaceOf(ctx context.Context, tx *db.Tx, ref Ref) (Place, error) {
	var (
		p                                             Place
		stamp, n, untilStamp, untilN, since, bad, got *int64
	)
	err := tx.QueryRow(ctx, placeOf, ref.bucket(), ref.Program, ref.ID).Scan(&p.At.Stamp, &p.At.N, &stamp, &n, &untilStamp, &untilN, &since, &bad, &got)
	if errors.Is(err, sql.ErrNoRows) {
		return Place{}, noWebhook()
	}
	if err != nil {
		return Place{}, fmt.Errorf("find the place of webhook %s: %w", ref.ID, err)
	}
	p.FailingSince, p.LastSuccessAt = moment(bad), moment(got)
	if stamp != nil {
		p.Replay = &Replay{At: books.Cursor{Stamp: *stamp, N: *n}, Until: books.Cursor{Stamp: *untilStamp, N: *untilN}, Since: toTime(*since)}
	}
	return p, nil
}

// errMoved says that somebody else moved the place first.
func errMoved() error {
	return errs.Conflict("place_moved", "Another node made these deliveries first.")
}

// IsMoved says whether err means that another moved the endpoint's place first: what was to be written was not.
func IsMoved(err error) bool { return errs.Is(err, errs.CodeConflict, "place_moved") }

const (
	movePlace = `
UPDATE webhook_places SET stamp = $1, n = $2 WHERE bucket = $3 AND program_id = $4 AND webhook_id = $5 AND stamp = $6 AND n = $7`
	moveReplay = `
UPDATE webhook_places SET replay_stamp = $1, replay_n = $2 WHERE bucket = $3 AND program_id = $4 AND webhook_id = $5 AND replay_stamp = $6 AND replay_n = $7`
	endReplay = `
UPDATE webhook_places SET replay_stamp = NULL, replay_n = NULL, replay_until_stamp = NULL, replay_until_n = NULL, replay_since = NULL
WHERE bucket = $1 AND program_id = $2 AND webhook_id = $3 AND replay_stamp = $4 AND replay_n = $5`
	beginReplay = `
UPDATE webhook_places SET replay_stamp = $1, replay_n = $2, replay_until_stamp = stamp, replay_until_n = n, replay_since = $3
WHERE bucket = $4 AND program_id = $5 AND webhook_id = $6`
)

// Advance moves the endpoint's place in the feed, and makes the deliveries of what was passed, in one. [IsMoved] tells when
// the place is no longer where it was read.
func Advance(ctx context.Context, tx *db.Tx, ref Ref, from, to books.Cursor, made []*Delivery, now time.Time) error {
	err := moved(tx.Exec(ctx, movePlace, to.Stamp, to.N, ref.bucket(), ref.Program, ref.ID, from.Stamp, from.N))
	if err == nil {
		err = add(ctx, tx, ref, made, now, false)
	}
	return advanced(ref, err)
}

// AdvanceReplay is Advance for the part of the feed that is sent again: what is delivered or dead becomes pending, and what is
// pending stays so. to is nil at its end.
func AdvanceReplay(ctx context.Context, tx *db.Tx, ref Ref, from books.Cursor, to *books.Cursor, made []*Delivery, now time.Time) error {
	var err error
	if to == nil {
		err = moved(tx.Exec(ctx, endReplay, ref.bucket(), ref.Program, ref.ID, from.Stamp, from.N))
	} else {
		err = moved(tx.Exec(ctx, moveReplay, to.Stamp, to.N, ref.bucket(), ref.Program, ref.ID, from.Stamp, from.N))
	}
	if err == nil {
		err = add(ctx, tx, ref, made, now, true)
	}
	return advanced(ref, err)
}

func moved(result sql.Result, err error) error {
	if err != nil {
		return err
	}
	n, err := result.RowsAffected()
	if err == nil && n == 0 {
		err = errMoved()
	}
	return err
}

func advanced(ref Ref, err error) error {
	if err == nil || IsMoved(err) {
		return err
	}
	return fmt.Errorf("make the deliveries of webhook %s: %w", ref.ID, err)
}

// ReplaySince has all events that were recorded since the time, and that the endpoint wants, sent again, those too that were there
// before it. What waits still is not sent twice. A replay that is under way is replaced.
func ReplaySince(ctx context.Context, tx *db.Tx, program, id string, since, now time.Time) (*Endpoint, error) {
	e, err := sendable(ctx, tx, program, id)
	if err != nil {
		return nil, err
	}
	if since.After(now) {
		return nil, errs.Invalid("invalid_since", "There is nothing to replay: the time is yet to come.",
			errs.Field{Pointer: "/since", Reason: "in_the_future", Message: "Write a time that has passed."})
	}
	at, err := books.Before(ctx, tx, program, since)
	if err != nil {
		return nil, err
	}
	ref := e.Ref()
	if _, err := tx.Exec(ctx, beginReplay, at.Stamp, at.N, since.UnixMicro(), ref.bucket(), program, id); err != nil {
		return nil, fmt.Errorf("replay webhook %s: %w", id, err)
	}
	return e, Attend(ctx, tx, ref, now)
}

// sendable gives an endpoint that is active, for what makes no sense with another.
func sendable(ctx context.Context, tx *db.Tx, program, id string) (*Endpoint, error) {
	e, err := Get(ctx, tx, program, id)
	if err != nil {
		return nil, err
	}
	if e.Status != Active {
		return nil, errs.Conflict("webhook_disabled", "The webhook is disabled: enable it first.")
	}
	return e, nil
}

const (
	ill  = `UPDATE webhook_places SET failing_since = $1 WHERE bucket = $2 AND program_id = $3 AND webhook_id = $4 AND failing_since IS NULL`
	well = `UPDATE webhook_places SET failing_since = NULL WHERE bucket = $1 AND program_id = $2 AND webhook_id = $3`
	took = `UPDATE webhook_places SET failing_since = NULL, last_success_at = $1 WHERE bucket = $2 AND program_id = $3 AND webhook_id = $4`
)

// Fails notes since when nothing is taken, unless that is known.
func Fails(ctx context.Context, tx *db.Tx, ref Ref, since time.Time) error {
	if _, err := tx.Exec(ctx, ill, since.UnixMicro(), ref.bucket(), ref.Program, ref.ID); err != nil {
		return fmt.Errorf("note that webhook %s fails: %w", ref.ID, err)
	}
	return nil
}

// Takes notes that a message was taken.
func Takes(ctx context.Context, tx *db.Tx, ref Ref, at time.Time) error {
	if _, err := tx.Exec(ctx, took, at.UnixMicro(), ref.bucket(), ref.Program, ref.ID); err != nil {
		return fmt.Errorf("note that webhook %s works: %w", ref.ID, err)
	}
	return nil
}

func wellAgain(ctx context.Context, tx *db.Tx, ref Ref) error {
	if _, err := tx.Exec(ctx, well, ref.bucket(), ref.Program, ref.ID); err != nil {
		return fmt.Errorf("enable webhook %s: %w", ref.ID, err)
	}
	return nil
}

const (
	skipTo  = `UPDATE webhook_places SET stamp = $1, n = $2 WHERE bucket = $3 AND program_id = $4 AND webhook_id = $5`
	giveAll = `
UPDATE deliveries SET status = 'dead', due_at = NULL, done_at = $1 WHERE bucket = $2 AND program_id = $3 AND webhook_id = $4 AND due_at IS NOT NULL`
)

// giveUp passes over what happened until now, and makes what waits dead.
func giveUp(ctx context.Context, tx *db.Tx, ref Ref, now time.Time) error {
	here, err := books.Here(ctx, tx, ref.Program)
	if err == nil {
		_, err = tx.Exec(ctx, skipTo, here.Stamp, here.N, ref.bucket(), ref.Program, ref.ID)
	}
	if err == nil {
		_, err = tx.Exec(ctx, giveAll, now.UnixMicro(), ref.bucket(), ref.Program, ref.ID)
	}
	if err != nil {
		return fmt.Errorf("pass over what webhook %s missed: %w", ref.ID, err)
	}
	return nil
}

// State is how an endpoint does.
type State struct {
	Place
	Backlog
	// Secrets is how many sign, and PreviousUntil until when the one before the newest does.
	Secrets       int
	PreviousUntil *time.Time
}

// StateOf gives how an endpoint does; counted says whether its deliveries are counted, which takes a while when there are many.
func StateOf(ctx context.Context, tx *db.Tx, ref Ref, counted bool, now time.Time) (State, error) {
	var s State
	var err error
	if s.Place, err = PlaceOf(ctx, tx, ref); err != nil {
		return s, err
	}
	list, until, err := secrets(ctx, tx, ref, now)
	if err != nil {
		return s, err
	}
	s.Secrets, s.PreviousUntil = len(list), until
	if counted {
		s.Backlog, err = BacklogOf(ctx, tx, ref)
	}
	return s, err
}
