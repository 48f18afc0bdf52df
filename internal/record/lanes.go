package record

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"lojal.dev/lojal/internal/ids"
)

// lanes gathers waiting requests of a distributed database by bucket: while a bucket's transaction runs, its next requests
// collect, and the buckets take turns. Nobody waits when nothing runs. The wide road has lanes of its own.
type lanes struct {
	r    *Recorder
	mu   sync.Mutex
	wait map[int32][]*waiting
	// turn are the lanes in which somebody waits and nothing runs, the longest waiting first.
	turn []int32
	runs map[int32]bool
	// writers is how many transactions run; inside is how many requests are under way in all.
	writers, inside int
	closed          bool
	idle            chan struct{} // closed when the last request is over, once somebody wants to know
}

// wideLanes is how many transactions of the wide road run side by side.
const wideLanes = 4

// bucket is the lane in which the task waits: its bucket, or one of the wide road's lanes, which are below 0.
func (t *task) bucket() int32 {
	if t.hold != nil {
		return t.hold.home.Bucket()
	}
	return -1 - ids.Bucket(t.req.Program, t.lane())%wideLanes
}

// enter says that a request is under way, unless the recorder is closed.
func (l *lanes) enter() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.inside++
	return true
}

func (l *lanes) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.inside--; l.inside == 0 && l.idle != nil {
		close(l.idle)
		l.idle = nil
	}
}

// close waits until nothing is under way, and lets nothing more in.
func (l *lanes) close() {
	l.mu.Lock()
	l.closed = true
	var idle chan struct{}
	if l.inside > 0 {
		if l.idle == nil {
			l.idle = make(chan struct{})
		}
		idle = l.idle
	}
	l.mu.Unlock()
	if idle != nil {
		<-idle
	}
}

// do has the task written. An error says that nobody knows whether it was, or that it was not taken.
func (l *lanes) do(ctx context.Context, t *task) error {
	q := &waiting{task: t, done: make(chan struct{}), since: time.Now()}
	lane := t.bucket()
	l.mu.Lock()
	if first := l.wait[lane]; l.inside > l.r.opts.Queue || len(first) > 0 && q.since.Sub(first[0].since) > l.r.opts.Patience {
		l.mu.Unlock()
		return errOverloaded
	}
	if l.wait[lane] == nil && !l.runs[lane] {
		l.turn = append(l.turn, lane)
	}
	l.wait[lane] = append(l.wait[lane], q)
	if l.writers < l.r.opts.Writers && len(l.turn) > 0 {
		l.writers++
		l.inside++ // the writer may outlive those who do not wait for it
		go l.drain()
	}
	l.mu.Unlock()
	return q.wait(ctx)
}

// drain writes lane by lane until nobody waits.
func (l *lanes) drain() {
	defer l.leave()
	for {
		lane, batch := l.next()
		if batch == nil {
			return
		}
		tasks := make([]*task, 0, len(batch))
		mine := batch[:0]
		for _, q := range batch {
			if q.state.CompareAndSwap(queued, taken) {
				tasks = append(tasks, q.task)
				mine = append(mine, q)
			}
		}
		if len(tasks) > 0 {
			begin(mine)
			l.r.meters.gathered(mine)
			l.r.commit(l.r.ctx, tasks)
		}
		for _, q := range mine {
			close(q.done)
		}
		l.over(lane)
	}
}

// next takes the lane whose turn it is. A batch of nil says that the writer is not needed any more.
func (l *lanes) next() (int32, []*waiting) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.turn) == 0 {
		l.writers--
		return 0, nil
	}
	lane := l.turn[0]
	l.turn = l.turn[1:]
	all := l.wait[lane]
	n := min(len(all), l.r.opts.Gather)
	if n == len(all) {
		delete(l.wait, lane)
	} else {
		l.wait[lane] = all[n:]
	}
	l.runs[lane] = true
	return lane, all[:n:n]
}

// over says that the lane's transaction has ended: who waits in it gets a turn behind the others.
func (l *lanes) over(lane int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.runs, lane)
	if l.wait[lane] != nil {
		l.turn = append(l.turn, lane)
	}
}

// length counts the requests that no transaction has taken yet.
func (l *lanes) length() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, list := range l.wait {
		n += len(list)
	}
	return n
}

// recordSpread is Record for a distributed database.
func (r *Recorder) recordSpread(ctx context.Context, t *task) (*Result, error) {
	if !r.lanes.enter() {
		return nil, errClosed
	}
	defer r.lanes.leave()
	for range conflicts {
		if err := r.place(ctx, []*task{t}); err != nil {
			return nil, err
		}
		if t.hold != nil && t.state != done {
			if err := r.claim(ctx, t); err != nil {
				return nil, err
			}
		}
		if again(t.err) {
			continue
		}
		if t.state == done {
			r.meters.note([]*task{t})
			return t.result, t.err
		}
		if err := r.lanes.do(ctx, t); err != nil {
			return nil, err
		}
		if !r.settle(ctx, t) {
			return t.result, t.err
		}
	}
	return nil, errContended
}

// commitAll writes tasks without keys, in one transaction or in one for each bucket.
func (r *Recorder) commitAll(ctx context.Context, tasks []*task) {
	if r.db.Distributed() {
		r.batchSpread(ctx, tasks)
		return
	}
	r.commit(ctx, tasks)
}

// batchSpread writes many tasks in their order, and gives each its outcome. Where one is lost, so are those after it.
func (r *Recorder) batchSpread(ctx context.Context, tasks []*task) {
	open := make([]*task, 0, len(tasks))
	for _, t := range tasks {
		if t.err == nil {
			open = append(open, t)
		}
	}
	for stuck := 0; len(open) > 0; {
		err := ctx.Err()
		if stuck == conflicts {
			err = errContended
		}
		var again []*task
		n := 0
		if err == nil {
			n = apart(open)
			n, again, err = r.stretch(ctx, open[:n])
		}
		if err != nil {
			for _, t := range open {
				if t.lost == nil && !t.told {
					t.lose(err)
				}
			}
			return
		}
		if stuck++; len(again) < n {
			stuck = 0
		}
		open = append(again, open[n:]...)
	}
}

// apart says how many of the tasks, from the first on, share no key: the outcome of one depends on that of an earlier one with
// the same key.
func apart(tasks []*task) int {
	keys := map[any]bool{}
	for n, t := range tasks {
		mine := t.keys()
		for _, k := range mine {
			if keys[k] {
				return n
			}
		}
		for _, k := range mine {
			keys[k] = true
		}
	}
	return len(tasks)
}

// stretch writes the first n of the tasks, and gives those of them that must find another place. Those whose outcome is known are
// told.
func (r *Recorder) stretch(ctx context.Context, tasks []*task) (n int, again []*task, err error) {
	if err := r.place(ctx, tasks); err != nil {
		return 0, nil, err
	}
	// The wide road and the others take turns, since the one may bring what the other names.
	wide := tasks[0].hold == nil
	for n = 1; n < len(tasks) && (tasks[n].hold == nil) == wide; {
		n++
	}
	tasks = tasks[:n]
	if wide {
		r.commit(ctx, tasks)
	} else if err := r.side(ctx, tasks); err != nil {
		return 0, nil, err
	}
	for _, t := range tasks {
		switch {
		case t.lost != nil:
			err = t.lost
		case r.settle(ctx, t):
			again = append(again, t)
		default:
			t.told = true
		}
	}
	return n, again, err
}

// side claims the keys of tasks and writes them, bucket by bucket, as many at once as there are writers.
func (r *Recorder) side(ctx context.Context, tasks []*task) error {
	failed := make([]error, len(tasks))
	r.parallel(len(tasks), func(i int) { failed[i] = r.claim(ctx, tasks[i]) })
	for _, err := range failed {
		if err != nil {
			return err
		}
	}
	var order []int32
	byBucket := map[int32][]*task{}
	for _, t := range tasks {
		if t.state == done {
			if !again(t.err) {
				r.meters.note([]*task{t})
			}
			continue
		}
		b := t.bucket()
		if byBucket[b] == nil {
			order = append(order, b)
		}
		byBucket[b] = append(byBucket[b], t)
	}
	r.parallel(len(order), func(i int) { r.commit(ctx, byBucket[order[i]]) })
	return nil
}

// parallel runs do for 0 … n-1, as many at once as there are writers.
func (r *Recorder) parallel(n int, do func(int)) {
	var next atomic.Int64
	var all sync.WaitGroup
	for range min(n, r.opts.Writers) {
		all.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				do(int(i))
			}
		})
	}
	all.Wait()
}

// keys lists the keys under which the task counts once.
func (t *task) keys() []any {
	var out []any
	if t.req.Key != nil {
		out = append(out, t.answerKey())
	}
	if t.natural {
		out = append(out, t.naturalKey())
	}
	return out
}
