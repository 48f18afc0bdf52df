package job

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
)

// HoldOptions are the choices of [Take]. DB and Clock are required; the others are as in [Options].
type HoldOptions struct {
	DB      *db.DB
	Clock   func() time.Time
	Elapsed func() time.Duration
	Node    string
	Lease   time.Duration
	// Waiting, when set, is told once which node has the job, before it is seen whether that node still lives.
	Waiting func(node string)
}

// Hold is a job that a command does by itself, without a runner.
type Hold struct {
	o    HoldOptions
	job  *Job
	ctx  context.Context //nolint:containedctx // it is what the holder works under
	end  context.CancelCauseFunc
	done sync.WaitGroup
}

// Take has this process do the one job of a kind with a unique key. When another process has it, Take waits for that one's
// lease; it is a conflict "held" when that one lives. A kind that is taken so has no worker in a runner.
//
// Unlike a runner, a hold goes on while the database cannot be asked, and ends only when another has taken the job: what is
// held so bears two for a moment, and has nobody who would take it up again by itself.
func Take(ctx context.Context, in New, o HoldOptions) (*Hold, error) {
	if o.Elapsed == nil {
		start := time.Now()
		o.Elapsed = func() time.Duration { return time.Since(start) }
	}
	if o.Node == "" {
		o.Node = ThisNode()
	}
	if o.Lease <= 0 {
		o.Lease = DefaultLease
	}
	h := &Hold{o: o}
	var seen *sight
	for {
		var other *Job
		err := o.DB.Write(ctx, func(tx *db.Tx) (err error) {
			h.job, other, err = h.try(ctx, tx, in, seen)
			return err
		})
		if err != nil {
			return nil, err
		}
		if h.job != nil {
			return h.begin(ctx), nil
		}
		switch {
		case other.State != Running:
			continue // it ended just now
		case seen == nil:
			seen = &sight{other.Holder, other.beat, o.Elapsed()}
			if o.Waiting != nil {
				o.Waiting(nodeOf(other.Holder))
			}
		case seen.differs(other.Holder, other.beat):
			return nil, errs.Conflict("held", fmt.Sprintf("%s does this already, since %s.", nodeOf(other.Holder), other.TakenAt.Format(time.RFC3339)))
		}
		select {
		case <-ctx.Done():
			return nil, errs.Unavailable("stopped", "Stopped while waiting for another process.").Because(ctx.Err())
		case <-time.After(other.Lease / 8):
		}
	}
}

func (h *Hold) begin(ctx context.Context) *Hold {
	h.ctx, h.end = context.WithCancelCause(ctx)
	h.done.Go(func() { h.beats() })
	return h
}

const takeOne = `
UPDATE jobs SET state = 'running', due_at = NULL, attempt = attempt + 1, holder = $1, beat = beat + 1, lease = $2, taken_at = $3, beat_at = $3
WHERE bucket = $4 AND job_id = $5 AND state <> 'running' AND finished_at IS NULL
RETURNING ` + jobColumns

// try takes the job, or gives the one that another has. seen is the beat at which that one was seen before.
func (h *Hold) try(ctx context.Context, tx *db.Tx, in New, seen *sight) (mine, other *Job, err error) {
	now := h.o.Clock()
	j, err := Find(ctx, tx, in.Kind, in.Unique)
	if errs.Is(err, errs.CodeNotFound, "job_not_found") {
		j, err = Insert(ctx, tx, in, now)
	}
	if err != nil {
		return nil, nil, err
	}
	if j.State == Running {
		if seen == nil || seen.differs(j.Holder, j.beat) || h.o.Elapsed()-seen.since < j.Lease {
			return nil, j, nil
		}
		dead := running{place{j.bucket, j.ID}, j.Holder, j.beat, j.Lease}
		if _, saved, err := rescue(ctx, tx, dead, now); err != nil || !saved {
			return nil, j, err
		}
	}
	holder := h.o.Node + "#" + strconv.FormatUint(rand.Uint64(), 36)
	mine, err = one(tx.QueryRow(ctx, takeOne, holder, h.o.Lease.Microseconds(), now.UnixMicro(), j.bucket, j.ID))
	if errs.Is(err, errs.CodeNotFound, "job_not_found") { // another was quicker by a moment
		other, err = Get(ctx, tx, j.ID)
		return nil, other, err
	}
	return mine, nil, err
}

// Context ends when the job is lost or called off; context.Cause says which.
func (h *Hold) Context() context.Context { return h.ctx }

func (h *Hold) beats() {
	tick := time.NewTicker(h.o.Lease / 4)
	defer tick.Stop()
	for {
		select {
		case <-h.ctx.Done():
			return
		case <-tick.C:
		}
		ctx, cancel := context.WithTimeout(h.ctx, h.o.Lease)
		var mine map[string]bool
		err := h.o.DB.Write(ctx, func(tx *db.Tx) (err error) {
			mine, err = beat(ctx, tx, []*Job{h.job}, h.o.Clock())
			return err
		})
		cancel()
		calledOff, ours := mine[h.job.ID]
		switch {
		case err == nil && !ours:
			h.end(ErrLost)
		case calledOff:
			h.end(ErrCancelled)
		}
	}
}

// End gives the job back: completed when err is nil, else cancelled with the error, so that the next who comes may take it at once.
func (h *Hold) End(err error) error {
	lost := errors.Is(context.Cause(h.ctx), ErrLost)
	h.end(nil)
	h.done.Wait()
	if lost {
		return nil
	}
	now := h.o.Clock()
	out := outcome{Completed, nil, h.job.Attempt, false}
	if err != nil {
		h.job.failed(now, err.Error())
		out.state = Cancelled
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(h.ctx), h.o.Lease)
	defer cancel()
	return h.o.DB.Write(ctx, func(tx *db.Tx) error {
		_, err := settle(ctx, tx, h.job, out, now) // if another has it now, it is that one's to say
		return err
	})
}
