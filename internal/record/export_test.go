package record

import "context"

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
