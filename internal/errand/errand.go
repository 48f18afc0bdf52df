// Package errand records what follows a moment after an event: for one member from what another one did, as the thanks for a referral after
// the friend's purchase; and for one who is enrolled, changed or merged, what waited for the identifiers that the member has now.
//
// It owns the place in the feed up to which that is done (table errand_places), what is late or was refused (follow_ups) and the following of
// the feed. It does not own what follows from an event (engine.FollowUp, claim.Linked) nor how a fact is recorded (record).
//
// What always holds: whatever follows from an event that is committed is recorded, and once, by its natural key; wherever the
// process stops, another node goes on from a place that is not behind anything that was left out and is not written down as late. What fails is set
// aside, keeps nothing else from being done, and is tried again until it is recorded or refused. Each fact is recorded in its own
// member's transaction, so that nothing here spans two members.
package errand

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/claim"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/job"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/version"
	"lojal.dev/lojal/internal/waiting"
)

// Counts is what was done.
type Counts struct {
	// Events were read; Recorded facts followed from them; Refused were not taken, by members who are gone; Late failed and are tried again.
	Events, Recorded, Refused, Late int
}

func (c *Counts) add(d Counts) {
	c.Events, c.Recorded, c.Refused, c.Late = c.Events+d.Events, c.Recorded+d.Recorded, c.Refused+d.Refused, c.Late+d.Late
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
	f := follower{d: d, r: r, program: program, now: now, log: log}
	n, err := f.again(ctx)
	out.add(n)
	for more := true; err == nil && more; {
		n, more, err = f.page(ctx)
		out.add(n)
	}
	return out, err
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

// follower follows the feed of one program.
type follower struct {
	d       *db.DB
	r       *record.Recorder
	program string
	now     time.Time
	log     *slog.Logger
}

// page does one page of the feed.
func (f *follower) page(ctx context.Context) (Counts, bool, error) {
	if f.d.Distributed() {
		err := f.d.Write(ctx, func(tx *db.Tx) error {
			_, err := books.LineUp(ctx, tx, f.program)
			return err
		})
		if err != nil {
			return Counts{}, false, err
		}
	}
	at, err := placeOf(ctx, f.d, f.r.Versions(), f.program)
	if err != nil || at == nil {
		return Counts{}, false, err
	}
	var list []books.Event
	err = f.d.Read(ctx, func(tx *db.Tx) error {
		list, err = books.Events(ctx, tx, f.program, *at, pageSize)
		return err
	})
	if err != nil || len(list) == 0 {
		return Counts{}, false, err
	}
	out, left, err := f.do(ctx, list)
	if err != nil {
		return out, false, err
	}
	err = f.d.Write(ctx, func(tx *db.Tx) error {
		for i := range left {
			if err := put(ctx, tx, f.program, &left[i]); err != nil {
				return err
			}
		}
		return advance(ctx, tx, f.program, *at, list[len(list)-1].Cursor)
	})
	return out, len(list) == pageSize, err
}

// follow is what follows from an event: a fact for somebody else, or what waits for the member's identifiers.
type follow struct {
	*books.Event
	// key names it among what is late: what was set aside is found again by it.
	key string
	req record.Request
}

// links are the types of events after which a member may have an identifier for which something waits. One that is given by itself is looked
// at by whoever gives it.
var links = map[string]bool{engine.EvEnrolled: true, engine.EvProfile: true, engine.EvMerged: true}

// do does what follows from the events, and gives what is to be written down of it: what failed, and what was refused. The error is one after
// which nothing of it counts as done: the same events come again.
func (f *follower) do(ctx context.Context, list []books.Event) (Counts, []FollowUp, error) {
	out := Counts{Events: len(list)}
	var left []FollowUp
	var todo []follow
	var waits []string
	var linked map[string]*books.Event
	err := f.d.Read(ctx, func(tx *db.Tx) error {
		todo, left, linked = nil, nil, map[string]*books.Event{}
		var ask []string
		for i := range list {
			e := &list[i]
			if links[e.Type] && linked[e.Member] == nil {
				ask = append(ask, e.Member)
				linked[e.Member] = e
			}
			req, ok, err := request(ctx, tx, f.program, e, f.now)
			switch {
			case err != nil && !lasting(err):
				return err
			case err != nil:
				left = append(left, f.late(e, req.Fact.ExternalID, cmp.Or(req.Member, req.Holder), err))
			case ok:
				todo = append(todo, follow{e, req.Fact.ExternalID, req})
			}
		}
		var err error
		waits, err = claim.Waits(ctx, tx, f.program, ask)
		return err
	})
	if err != nil {
		return Counts{}, nil, err
	}
	reqs := make([]record.Request, len(todo))
	for i := range todo {
		reqs[i] = todo[i].req
	}
	for i, o := range f.r.Batch(ctx, reqs) {
		t := &todo[i]
		switch {
		case o.Err == nil && o.Result.Duplicate:
		case o.Err == nil:
			out.Recorded++
		case errs.Is(o.Err, errs.CodeConflict, "duplicate_external_id"): // it was recorded before what was seen of it changed
		case !refused(o.Err) && !lasting(o.Err):
			return out, nil, fmt.Errorf("record %s: %w", t.key, o.Err)
		case lasting(o.Err):
			left = append(left, f.late(t.Event, t.key, cmp.Or(t.req.Member, t.req.Holder), o.Err))
		default:
			waits, err := f.waitsFor(ctx, t, left, o.Err)
			if err != nil {
				return out, nil, err
			}
			if waits {
				left = append(left, f.late(t.Event, t.key, cmp.Or(t.req.Member, t.req.Holder), o.Err))
				break
			}
			left = append(left, f.refused(t.Event, t.key, cmp.Or(t.req.Member, t.req.Holder), o.Err))
		}
	}
	for _, id := range waits {
		e := linked[id]
		got, err := f.link(ctx, id)
		out.Recorded += len(got.Recorded)
		for _, no := range got.Refused {
			left = append(left, f.refused(e, no.Purchase.ID, id, no.Err))
		}
		switch {
		case err == nil:
		case lasting(err):
			left = append(left, f.late(e, e.ID, id, err))
		default:
			return out, nil, err
		}
	}
	for i := range left {
		if left[i].Status == Waits {
			out.Late++
		} else {
			out.Refused++
		}
	}
	return out, left, nil
}

// link records all that waits for a member's identifiers.
func (f *follower) link(ctx context.Context, id string) (all claim.Outcome, err error) {
	for all.More = true; all.More; {
		some, err := claim.Linked(ctx, f.d, f.r, f.program, id, f.now)
		all.Recorded, all.Refused, all.More = append(all.Recorded, some.Recorded...), some.Refused, some.More
		if errs.CodeOf(err) == errs.CodeNotFound { // the member is gone
			return all, nil
		}
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

// waitsFor says whether a refusal is one of the order only: what is to be taken back is itself still to be recorded.
func (f *follower) waitsFor(ctx context.Context, t *follow, left []FollowUp, why error) (bool, error) {
	if !errs.Is(why, errs.CodeNotFound, "fact_not_found") {
		return false, nil
	}
	_, first, _ := strings.Cut(t.req.Fact.Parent, "/")
	for i := range left {
		if left[i].Key == first && left[i].Status == Waits {
			return true, nil
		}
	}
	var waits bool
	err := f.d.Read(ctx, func(tx *db.Tx) (err error) {
		waits, err = isLate(ctx, tx, f.program, first)
		return err
	})
	return waits, err
}

// lasting says of an error that it is not one of the database as a whole: that one can fail while others are done.
func lasting(err error) bool { return errs.CodeOf(err) == errs.CodeInternal }

func refused(err error) bool {
	return errs.CodeOf(err) != errs.CodeUnavailable && errs.CodeOf(err) != errs.CodeInternal
}

// request makes the request for what follows from an event for another member.
func request(ctx context.Context, tx *db.Tx, program string, e *books.Event, now time.Time) (record.Request, bool, error) {
	f, ok := engine.FollowUp(engine.Event{Type: e.Type, Data: e.Data}, e.Member, e.Fact, e.OccurredAt)
	if !ok {
		return record.Request{}, false, nil
	}
	req := record.Request{Program: program, Now: now, Actor: record.System, Own: true}
	req.Name(f.Member)
	var err error
	if f.Thanks != nil && f.Thanks.Step == engine.ThanksEarned {
		f.Thanks.Refused, err = record.Related(ctx, tx, program, f.Thanks.From, f.Member)
	}
	req.Fact = f
	return req, true, err
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

// begins gives the time from which on something can follow: at which the first version was published that has anything that does, or the first
// purchase came that waits for an identifier; nil for neither.
func begins(ctx context.Context, tx *db.Tx, versions *version.Cache, program string) (*time.Time, error) {
	set, err := versions.Get(ctx, tx, program)
	if errs.CodeOf(err) == errs.CodeNotFound { // it has no version yet
		return nil, nil //nolint:nilnil // nothing follows
	}
	if err != nil {
		return nil, err
	}
	at, err := waiting.Since(ctx, tx, program)
	if err != nil {
		return nil, err
	}
	for _, v := range set.List() {
		if p := set.Version(v.Version); p != nil && p.FollowsUp() && (at == nil || v.PublishedAt.Before(*at)) {
			at = &v.PublishedAt
		}
	}
	return at, nil
}

// advance moves the place, unless another one has.
func advance(ctx context.Context, tx *db.Tx, program string, from, to books.Cursor) error {
	if _, err := tx.Exec(ctx, movePlace, to.Stamp, to.N, ids.Bucket(program, ""), program, from.Stamp, from.N); err != nil {
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

// TendKind is the job that forgets what was refused long ago.
const TendKind = "errands.tend"

// Handle has the runner's node follow the feeds of all programs.
func Handle(jobs *job.Runner, d *db.DB, r *record.Recorder, clock func() time.Time, log *slog.Logger) {
	jobs.Handle(TendKind, job.Worker{Every: time.Hour, Run: func(ctx context.Context, _ *job.Job) error { return Tend(ctx, d, clock()) }})
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

// FollowAll is Follow for every program, and says whether there is one from whose events anything can follow. One that fails keeps none of the
// others.
func FollowAll(ctx context.Context, d *db.DB, r *record.Recorder, now time.Time, log *slog.Logger) (some bool, err error) {
	var programs []version.Program
	err = d.Read(ctx, func(tx *db.Tx) (err error) {
		programs, err = version.Programs(ctx, tx)
		return err
	})
	if err != nil {
		return false, err
	}
	var failed []error
	for _, p := range programs {
		if ctx.Err() != nil {
			break
		}
		at, err := placeOf(ctx, d, r.Versions(), p.ID)
		if err == nil && at != nil {
			some = true
			_, err = Follow(ctx, d, r, p.ID, now, log)
		}
		failed = append(failed, err)
	}
	return some, errors.Join(failed...)
}
