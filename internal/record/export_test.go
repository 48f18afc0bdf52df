package record

import (
	"context"
	"errors"
	"time"

	"lojal.dev/lojal/internal/db"
)

// Halfway is a request of which the keys are claimed and nothing else is done: as a node leaves it that stops there.
type Halfway struct {
	r *Recorder
	t *task
}

// Claim goes halfway. The request may have been refused or answered there.
func (r *Recorder) Claim(ctx context.Context, req Request) (h *Halfway, over bool, err error) {
	t := newTask(req, false)
	if t.err != nil {
		return nil, true, t.err
	}
	if err := r.place(ctx, []*task{t}); err != nil {
		return nil, true, err
	}
	if t.hold == nil {
		return nil, true, nil
	}
	err = r.claim(ctx, t)
	if err == nil {
		err = t.err
	}
	return &Halfway{r, t}, t.state == done, err
}

// Write goes the other half, and says whether its claims were lost to another request meanwhile. What was refused keeps its claims, as
// where a node stops before it drops them.
func (h *Halfway) Write(ctx context.Context) (result *Result, lost bool, err error) {
	h.r.commit(ctx, []*task{h.t})
	return h.t.result, again(h.t.err), h.t.err
}

// Go goes on as Record would.
func (h *Halfway) Go(ctx context.Context) (*Result, error) {
	h.r.commit(ctx, []*task{h.t})
	if !h.r.settle(ctx, h.t) {
		return h.t.result, h.t.err
	}
	return h.r.recordSpread(ctx, h.t)
}

// Together has requests of one bucket written in one transaction.
func Together(ctx context.Context, list ...*Halfway) {
	tasks := make([]*task, len(list))
	for i, h := range list {
		tasks[i] = h.t
	}
	list[0].r.commit(ctx, tasks)
}

// Outcome ends what was written together.
func (h *Halfway) Outcome(ctx context.Context) (*Result, error) {
	h.r.settle(ctx, h.t)
	return h.t.result, h.t.err
}

// Number is the external id.
func (h *Halfway) Number() string { return h.t.req.Fact.ExternalID }

// FactID is the id that was claimed.
func (h *Halfway) FactID() string { return h.t.hold.id }

// ReadsToAct counts the reads by which is found for whom the members of requests act.
func (r *Recorder) ReadsToAct(ctx context.Context, reqs []Request) (reads int, err error) {
	tasks := make([]*task, len(reqs))
	for i := range reqs {
		tasks[i] = newTask(reqs[i], false)
	}
	asking := r.asking(ctx, tasks)
	if len(asking) == 0 {
		return 0, nil
	}
	err = r.db.Read(ctx, func(tx *db.Tx) error {
		_, err := r.peopleOf(ctx, tx.Aside(func(ctx context.Context, asks []db.Ask) error {
			reads++
			return tx.Find(ctx, asks...)
		}), asking)
		return err
	})
	return reads, err
}

// ReadsToLook counts the reads by which a member's account is looked at with its lots.
func (r *Recorder) ReadsToLook(ctx context.Context, id, member string, now time.Time) (reads int, err error) {
	t := lookAtMember(id, member, now)
	t.needs = withLots
	err = r.db.Read(ctx, func(tx *db.Tx) error {
		if err := tx.Begin(ctx); err != nil {
			return err
		}
		return r.together(ctx, tx.Aside(func(ctx context.Context, asks []db.Ask) error {
			reads++
			return tx.Find(ctx, asks...)
		}), []*task{t})
	})
	return reads, errors.Join(err, t.err)
}
