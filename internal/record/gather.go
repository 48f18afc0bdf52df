package record

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/trace"
)

// writer gathers waiting requests: while one transaction runs, the next requests collect. Nobody waits when nothing runs.
type writer struct {
	r       *Recorder
	run     func(context.Context, []*task) // what is done with the requests that were gathered
	metered bool
	mu      sync.Mutex
	queue   []*waiting
	running bool
	closed  bool
	idle    chan struct{} // closed when the last transaction is over, once somebody wants to know
}

// waiting is a request in the queue.
type waiting struct {
	task  *task
	done  chan struct{}
	since time.Time // of the machine: a wait is no business time
	// at is when a transaction took it, with how many in all.
	at   time.Time
	with int
	// state goes from queued to taken or to left, once.
	state atomic.Int32
}

const (
	queued = iota
	taken
	left
)

var errClosed = errs.Unavailable("closing", "The program is about to stop: repeat the request with the same key.")

// errOverloaded is for who comes when the queue is longer than anybody waits: to take the request as well would make all wait for
// answers that nobody is there to hear.
var errOverloaded = errs.Unavailable("overloaded", "There is more to record than can be recorded at once; nothing of this request was done. Repeat it under the same key after the wait of Retry-After.").With("retry_after", 2)

func (w *writer) submit(ctx context.Context, t *task) (*Result, error) {
	q := &waiting{task: t, done: make(chan struct{}), since: time.Now()}
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return nil, errClosed
	}
	if n := len(w.queue); n >= w.r.opts.Queue || n > 0 && q.since.Sub(w.queue[0].since) > w.r.opts.Patience {
		w.mu.Unlock()
		return nil, errOverloaded
	}
	w.queue = append(w.queue, q)
	if !w.running {
		w.running = true
		go w.drain()
	}
	w.mu.Unlock()
	if err := q.wait(ctx); err != nil {
		return nil, err
	}
	return t.result, t.err
}

// wait waits until the request was written. An error says that nobody waits for that any more.
func (q *waiting) wait(ctx context.Context) error {
	select {
	case <-q.done:
		trace.Past(ctx, "wait for a transaction", q.since, q.at)
		trace.Past(ctx, "transaction", q.at, time.Now(), attribute.Int("lojal.batch_size", q.with))
		return nil
	case <-ctx.Done():
	}
	if q.state.CompareAndSwap(queued, left) {
		return ctx.Err()
	}
	// It is being written: whether it will be is not known to a caller who does not wait.
	select {
	case <-q.done:
		return nil
	default:
		return errs.Unavailable("gave_up_waiting", "The request may have been taken: repeat it with the same key.").Because(ctx.Err())
	}
}

// begin notes that a transaction begins with these requests.
func begin(batch []*waiting) {
	now := time.Now()
	for _, q := range batch {
		q.at, q.with = now, len(batch)
	}
}

// drain writes until nothing waits. Before it looks it lets all run who can: on a busy machine they bring requests that go along, and on an idle one
// nobody is there to wait for.
func (w *writer) drain() {
	for {
		runtime.Gosched()
		w.mu.Lock()
		n := min(len(w.queue), w.r.opts.Gather)
		if n == 0 {
			w.running = false
			if w.idle != nil {
				close(w.idle)
				w.idle = nil
			}
			w.mu.Unlock()
			return
		}
		batch := w.queue[:n:n]
		w.queue = w.queue[n:]
		if len(w.queue) == 0 {
			w.queue = nil
		}
		w.mu.Unlock()

		tasks := make([]*task, 0, n)
		mine := batch[:0]
		for _, q := range batch {
			if q.state.CompareAndSwap(queued, taken) {
				tasks = append(tasks, q.task)
				mine = append(mine, q)
			}
		}
		if len(tasks) > 0 {
			begin(mine)
			if w.metered {
				w.r.meters.gathered(mine)
			}
			w.run(w.r.ctx, tasks)
		}
		for _, q := range mine {
			close(q.done)
		}
	}
}

func (w *writer) close() {
	w.mu.Lock()
	w.closed = true
	var idle chan struct{}
	if w.running {
		if w.idle == nil {
			w.idle = make(chan struct{})
		}
		idle = w.idle
	}
	w.mu.Unlock()
	if idle != nil {
		<-idle
	}
}
