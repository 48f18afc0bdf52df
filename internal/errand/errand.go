// Package errand records what follows for one member from what another one did: the thanks for a referral, a moment after the friend's
// purchase.
//
// It owns the place in the feed up to which that is done (table errand_places) and the following of the feed. It does not own what
// follows from an event (engine.FollowUp) nor how a fact is recorded (record).
//
// What always holds: whatever follows from an event that is committed is recorded, and once, by its natural key; wherever the
// process stops, another node goes on from a place that is not behind anything that was left out. Each fact is recorded in its own
// member's transaction, so that nothing here spans two members.
package errand

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/job"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/version"
)

// Counts is what was done.
type Counts struct {
	// Events were read; Recorded facts followed from them; Refused were not taken, by members who are gone.
	Events, Recorded, Refused int
}

func (c *Counts) add(d Counts) {
	c.Events, c.Recorded, c.Refused = c.Events+d.Events, c.Recorded+d.Recorded, c.Refused+d.Refused
}

// pageSize is how many events are taken from the feed at once.
const pageSize = 500

// Follow records all that follows from the events of a program up to now. It may run twice at once: then one of them does what the other
// finds done.
func Follow(ctx context.Context, d *db.DB, r *record.Recorder, program string, now time.Time, log *slog.Logger) (Counts, error) {
	var out Counts
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	for {
		n, more, err := page(ctx, d, r, program, now, log)
		out.add(n)
		if err != nil || !more {
			return out, err
		}
	}
}

// CatchUp is Follow until all is followed that is committed when it is called. Follow leaves what stands in the feed only when older
// transactions have ended, and those of others may take a moment.
func CatchUp(ctx context.Context, d *db.DB, r *record.Recorder, program string, now time.Time) error {
	var last int64
	err := d.Read(ctx, func(tx *db.Tx) error {
		if tx.Distributed() { // there the feed is put in line by who reads it
			return nil
		}
		return tx.QueryRow(ctx, lastStamp, program).Scan(&last)
	})
	for err == nil {
		var at *books.Cursor
		if _, err = Follow(ctx, d, r, program, now, nil); err == nil {
			at, err = placeOf(ctx, d, r.Versions(), program)
		}
		if err != nil || at == nil || at.Stamp >= last {
			break
		}
		select {
		case <-ctx.Done():
			err = ctx.Err()
		case <-time.After(2 * time.Millisecond):
		}
	}
	return err
}

const lastStamp = `SELECT COALESCE(MAX(stamp), 0) FROM facts WHERE program_id = $1 AND events <> '[]'`

// page does one page of the feed.
func page(ctx context.Context, d *db.DB, r *record.Recorder, program string, now time.Time, log *slog.Logger) (Counts, bool, error) {
	if d.Distributed() {
		err := d.Write(ctx, func(tx *db.Tx) error {
			_, err := books.LineUp(ctx, tx, program)
			return err
		})
		if err != nil {
			return Counts{}, false, err
		}
	}
	at, err := placeOf(ctx, d, r.Versions(), program)
	if err != nil || at == nil {
		return Counts{}, false, err
	}
	var list []books.Event
	var reqs []record.Request
	err = d.Read(ctx, func(tx *db.Tx) error {
		reqs = nil
		if list, err = books.Events(ctx, tx, program, *at, pageSize); err != nil {
			return err
		}
		for i := range list {
			req, ok, err := follow(ctx, tx, program, &list[i], now)
			if err != nil {
				return err
			}
			if ok {
				reqs = append(reqs, req)
			}
		}
		return nil
	})
	if err != nil || len(list) == 0 {
		return Counts{}, false, err
	}
	out := Counts{Events: len(list)}
	for i, o := range r.Batch(ctx, reqs) {
		switch {
		case o.Err == nil && o.Result.Duplicate:
		case o.Err == nil:
			out.Recorded++
		case errs.Is(o.Err, errs.CodeConflict, "duplicate_external_id"): // it was recorded before what was seen of it changed
		case errs.CodeOf(o.Err) == errs.CodeUnavailable, errs.CodeOf(o.Err) == errs.CodeInternal:
			return out, false, fmt.Errorf("record %s: %w", reqs[i].Fact.ExternalID, o.Err)
		default:
			out.Refused++
			log.Info("what should follow from an event was not taken", "program", program, "fact", reqs[i].Fact.ExternalID, "reason", errs.As(o.Err).Reason)
		}
	}
	return out, len(list) == pageSize, advance(ctx, d, program, *at, list[len(list)-1].Cursor)
}

// follow makes the request for what follows from an event.
func follow(ctx context.Context, tx *db.Tx, program string, e *books.Event, now time.Time) (record.Request, bool, error) {
	f, ok := engine.FollowUp(engine.Event{Type: e.Type, Data: e.Data}, e.Member, e.Fact, e.OccurredAt)
	if !ok {
		return record.Request{}, false, nil
	}
	if f.Thanks.Step == engine.ThanksEarned {
		var err error
		if f.Thanks.Refused, err = record.Related(ctx, tx, program, f.Thanks.From, f.Member); err != nil {
			return record.Request{}, false, err
		}
	}
	return record.Request{Program: program, Member: f.Member, Fact: f, Now: now, Actor: record.System}, true, nil
}

const (
	getPlace = `SELECT stamp, n FROM errand_places WHERE bucket = $1 AND program_id = $2`

	addPlace = `INSERT INTO errand_places (bucket, program_id, stamp, n) VALUES ($1, $2, $3, $4) ON CONFLICT (bucket, program_id) DO NOTHING`

	movePlace = `UPDATE errand_places SET stamp = $1, n = $2 WHERE bucket = $3 AND program_id = $4 AND stamp = $5 AND n = $6`
)

// placeOf gives the place up to which all is done; nil where no version of the program has anything that follows. The first place is
// before all that the first such version can have decided.
func placeOf(ctx context.Context, d *db.DB, versions *version.Cache, program string) (*books.Cursor, error) {
	var at *books.Cursor
	var since *time.Time
	err := d.Read(ctx, func(tx *db.Tx) error {
		at, since = nil, nil
		var c books.Cursor
		err := tx.QueryRow(ctx, getPlace, ids.Bucket(program, ""), program).Scan(&c.Stamp, &c.N)
		if err == nil {
			at = &c
			return nil
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("read the place of errands in %s: %w", program, err)
		}
		since, err = begins(ctx, tx, versions, program)
		return err
	})
	if err != nil || at != nil || since == nil {
		return at, err
	}
	err = d.Write(ctx, func(tx *db.Tx) error {
		first, err := books.Before(ctx, tx, program, *since)
		if err != nil {
			return err
		}
		if _, err = tx.Exec(ctx, addPlace, ids.Bucket(program, ""), program, first.Stamp, first.N); err != nil {
			return fmt.Errorf("begin errands in %s: %w", program, err)
		}
		at = &first
		return nil
	})
	return at, err
}

// begins gives the time at which the first version was published that has anything that follows; nil for none.
func begins(ctx context.Context, tx *db.Tx, versions *version.Cache, program string) (*time.Time, error) {
	set, err := versions.Get(ctx, tx, program)
	if err != nil {
		return nil, err
	}
	var at *time.Time
	for _, v := range set.List() {
		if p := set.Version(v.Version); p != nil && p.FollowsUp() && (at == nil || v.PublishedAt.Before(*at)) {
			at = &v.PublishedAt
		}
	}
	return at, nil
}

// advance moves the place, unless another one has.
func advance(ctx context.Context, d *db.DB, program string, from, to books.Cursor) error {
	err := d.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, movePlace, to.Stamp, to.N, ids.Bucket(program, ""), program, from.Stamp, from.N)
		return err
	})
	if err != nil {
		return fmt.Errorf("move the place of errands in %s: %w", program, err)
	}
	return nil
}

// JobKind is the job that follows the feeds of all programs.
const JobKind = "errands"

const (
	// poll is how often feeds are looked at, holdFor how long a node does it before another may; every is how often the job comes where
	// nothing follows from anything.
	poll    = 500 * time.Millisecond
	holdFor = 10 * time.Minute
	every   = 15 * time.Second
)

// Handle has the runner's node follow the feeds of all programs.
func Handle(jobs *job.Runner, d *db.DB, r *record.Recorder, clock func() time.Time, log *slog.Logger) {
	jobs.Handle(JobKind, job.Worker{Every: every, Run: func(ctx context.Context, _ *job.Job) error {
		begun := time.Now()
		tick := time.NewTicker(poll)
		defer tick.Stop()
		for {
			some, err := FollowAll(ctx, d, r, clock(), log)
			if err != nil || !some || time.Since(begun) > holdFor {
				return err
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-tick.C:
			}
		}
	}})
}

// FollowAll is Follow for every program, and says whether there is one from whose events anything can follow.
func FollowAll(ctx context.Context, d *db.DB, r *record.Recorder, now time.Time, log *slog.Logger) (some bool, err error) {
	var programs []version.Program
	following := map[string]bool{}
	err = d.Read(ctx, func(tx *db.Tx) (err error) {
		clear(following)
		if programs, err = version.Programs(ctx, tx); err != nil {
			return err
		}
		for _, p := range programs {
			at, err := begins(ctx, tx, r.Versions(), p.ID)
			if errs.CodeOf(err) == errs.CodeNotFound {
				continue // it has no version yet
			}
			if err != nil {
				return err
			}
			following[p.ID] = at != nil
		}
		return nil
	})
	var failed []error
	for _, p := range programs {
		if err != nil || ctx.Err() != nil {
			break
		}
		if following[p.ID] {
			some = true
			_, e := Follow(ctx, d, r, p.ID, now, log)
			failed = append(failed, e)
		}
	}
	return some, errors.Join(append(failed, err)...)
}
