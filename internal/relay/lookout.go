package relay

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/webhook"
)

// listen has the channel nudged when the endpoint is changed, or something is asked of it, on whichever node, until the function that it
// gives is called. One lookout looks for all endpoints of this node, so one that has nothing to do costs nothing.
func (r *Relay) listen(kick chan struct{}, id string) (done func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kicks[kick] = id
	if r.close == nil {
		ctx, cancel := context.WithCancel(context.Background())
		r.close = cancel
		go r.lookOut(ctx)
	}
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.kicks, kick)
		if len(r.kicks) == 0 {
			r.close()
			r.close = nil
		}
	}
}

// lookOut compares what is asked of the endpoints with what was when it looked before. A pump is listed before it reads its endpoint, so
// what happened before is known to it, and what happens after is seen here.
func (r *Relay) lookOut(ctx context.Context) {
	tick := time.NewTicker(r.o.poll)
	defer tick.Stop()
	seen := map[string]webhook.Mark{}
	for {
		var marks map[string]webhook.Mark
		err := contain(func() error {
			return r.o.DB.Read(ctx, func(tx *db.Tx) (err error) {
				marks, err = webhook.Marks(ctx, tx)
				return err
			})
		})
		switch {
		case err == nil:
			r.tell(seen, marks)
			seen = marks
			r.o.looked()
		case ctx.Err() == nil:
			r.o.Logger.Warn("look at the webhooks", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// tell nudges those whose endpoints are not as they were.
func (r *Relay) tell(was, is map[string]webhook.Mark) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for kick, id := range r.kicks {
		before, known := was[id]
		if after, there := is[id]; !known || !there || after != before {
			nudge(kick)
		}
	}
}

// contain makes an error of a panic.
func contain(do func() error) (err error) {
	defer func() {
		if bad := recover(); bad != nil {
			err = fmt.Errorf("panic: %v\n%s", bad, debug.Stack())
		}
	}()
	return do()
}
