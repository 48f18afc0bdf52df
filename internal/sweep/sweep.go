// Package sweep makes happen what time alone brings: it finds the accounts that are due and has them brought up to now.
//
// It owns the search and the pace. It does not own what is due when (engine) nor how it is written (record). A sweep may
// run late, twice, or on several nodes at once: the books come out the same, since each account is locked and looked at
// again, and since a fact that comes before the sweep brings the account up by itself.
package sweep

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/job"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/version"
)

// batch is how many accounts one transaction brings up: short enough that a till does not wait for it.
const batch = 200

// Counts is what a sweep did.
type Counts struct {
	// Accounts were due; Replanned were looked at because a version changed what is planned; Facts is how many due facts were written.
	Accounts, Replanned, Facts int
}

// Run brings every due account of the database up to now, and every other one that a new version plans otherwise for. An
// account that cannot be brought up does not stop the others; it is told in the error, with the counts of the rest.
func Run(ctx context.Context, d *db.DB, r *record.Recorder, now time.Time) (Counts, error) {
	var out Counts
	err := bringUp(ctx, d, r, "", now, &out)
	for more := true; more && ctx.Err() == nil && errs.CodeOf(err) != errs.CodeUnavailable; {
		var failed error
		more, failed = walk(ctx, d, r, now, &out)
		err = errors.Join(err, failed)
	}
	return out, err
}

// RunOf is Run for the accounts of one program.
func RunOf(ctx context.Context, d *db.DB, r *record.Recorder, program string, now time.Time) (Counts, error) {
	var out Counts
	err := bringUp(ctx, d, r, program, now, &out)
	for more := true; more && ctx.Err() == nil && errs.CodeOf(err) != errs.CodeUnavailable; {
		var failed error
		more, failed = walkProgram(ctx, d, r, program, now, &out)
		err = errors.Join(err, failed)
	}
	return out, err
}

// bringUp brings up what is due; with a program, what is due in it.
func bringUp(ctx context.Context, d *db.DB, r *record.Recorder, program string, now time.Time, out *Counts) error {
	var (
		after  books.Due
		failed []error
	)
	for {
		var due []books.Due
		err := d.Read(ctx, func(tx *db.Tx) (err error) {
			due, err = books.DueAfter(ctx, tx, now, after, batch)
			return err
		})
		if err != nil {
			return errors.Join(append(failed, err)...)
		}
		if len(due) == 0 {
			return errors.Join(failed...)
		}
		refs := make([]books.Ref, 0, len(due))
		for i := range due {
			if program == "" || due[i].Program == program {
				refs = append(refs, due[i].Ref)
			}
		}
		n, err := r.BringUp(ctx, refs, now)
		out.Accounts, out.Facts = out.Accounts+len(refs), out.Facts+n
		if err != nil {
			failed = append(failed, fmt.Errorf("sweep: %w", err))
		}
		if ctx.Err() != nil || errs.CodeOf(err) == errs.CodeUnavailable {
			return errors.Join(append(failed, ctx.Err())...)
		}
		after = due[len(due)-1]
	}
}

// Kept is how long the answers under Idempotency-Keys are kept: a till may be without network over a long weekend.
const Kept = 7 * 24 * time.Hour

// deleteAtOnce is how many old answers go in one transaction.
const deleteAtOnce = 500

// Forget deletes the answers that are older than Kept, and says how many.
func Forget(ctx context.Context, d *db.DB, now time.Time) (int64, error) {
	var all int64
	if d.Distributed() {
		return forgetByBucket(ctx, d, now.Add(-Kept))
	}
	for {
		var n int64
		err := d.Write(ctx, func(tx *db.Tx) (err error) {
			n, err = books.DeleteAnswers(ctx, tx, now.Add(-Kept), deleteAtOnce)
			return err
		})
		all += n
		if err != nil || n < deleteAtOnce {
			return all, err
		}
	}
}

func forgetByBucket(ctx context.Context, d *db.DB, before time.Time) (int64, error) {
	var all int64
	for {
		var buckets []int32
		err := d.Read(ctx, func(tx *db.Tx) (err error) {
			buckets, err = books.OldBuckets(ctx, tx, before, deleteAtOnce)
			return err
		})
		if err != nil || len(buckets) == 0 {
			return all, err
		}
		for _, b := range buckets {
			var n int64
			err := d.Write(ctx, func(tx *db.Tx) (err error) {
				n, err = books.EmptyBucket(ctx, tx, b, before)
				return err
			})
			if all += n; err != nil {
				return all, err
			}
		}
	}
}

// lineUp gives all events of a distributed database their places in the feed.
func lineUp(ctx context.Context, d *db.DB) error {
	var programs []version.Program
	err := d.Read(ctx, func(tx *db.Tx) (err error) {
		programs, err = version.Programs(ctx, tx)
		return err
	})
	for _, p := range programs {
		if err == nil {
			err = d.Write(ctx, func(tx *db.Tx) error {
				_, err := books.LineUp(ctx, tx, p.ID)
				return err
			})
		}
	}
	return err
}

// The kinds of the jobs.
const (
	// Kind is the job that sweeps.
	Kind = "sweep"
	// ForgetKind is the job that deletes old answers.
	ForgetKind = "answers.forget"
	// LineKind is the job that puts the events of a distributed database in line, also while nobody reads them.
	LineKind = "feed.line"
)

const (
	// forgetEvery is how often old answers are deleted.
	forgetEvery = time.Hour
	// lineEvery is how often events are put in line when nobody reads them.
	lineEvery = 10 * time.Second
)

// Handle has the runner sweep at the given pace, 0 for never, and delete old answers. On however many nodes it is called, one of
// them sweeps at a time, and another goes on where it died.
func Handle(jobs *job.Runner, d *db.DB, r *record.Recorder, clock func() time.Time, every time.Duration, log *slog.Logger, m *Meters) {
	jobs.Handle(ForgetKind, job.Worker{Every: forgetEvery, Run: func(ctx context.Context, _ *job.Job) error {
		_, err := Forget(ctx, d, clock())
		return err
	}})
	if d.Distributed() {
		jobs.Handle(LineKind, job.Worker{Every: lineEvery, Run: func(ctx context.Context, _ *job.Job) error { return lineUp(ctx, d) }})
	}
	if every <= 0 {
		return
	}
	// One account that cannot be brought up makes every round a failure, and must not make the rounds of all others rare.
	steady := func(int) time.Duration { return every }
	jobs.Handle(Kind, job.Worker{Every: every, Backoff: steady, Run: func(ctx context.Context, _ *job.Job) error {
		var counts Counts
		now, began := clock(), time.Now()
		err := bringUp(ctx, d, r, "", now, &counts)
		more, failed := walk(ctx, d, r, now, &counts)
		if counts.Facts+counts.Replanned > 0 {
			log.Info("swept", "accounts", counts.Accounts, "replanned", counts.Replanned, "facts", counts.Facts)
		}
		err = errors.Join(err, failed)
		m.note(counts, time.Since(began), now, err)
		if err == nil && more {
			return job.Again(clock())
		}
		return err
	}})
}
