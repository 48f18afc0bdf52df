package job

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/trace"
)

// The defaults of Options.
const (
	DefaultLease = 15 * time.Second
	DefaultPoll  = time.Second
	DefaultGrace = 10 * time.Second
)

// kept is how long jobs that are over are kept, to be looked at.
const kept = 7 * 24 * time.Hour

// Options are what a runner stands on. DB and Clock are required.
type Options struct {
	DB *db.DB
	// Clock gives the real time, for what is written down and for what is due.
	Clock func() time.Time
	// Elapsed gives a time that only goes forward, for leases; that of the machine when nil.
	Elapsed func() time.Duration
	Logger  *slog.Logger
	// Node names this process to people; host and process number when empty.
	Node string
	// Lease is how long this node may stand still before others take over what it has; Poll how often it looks for work; Grace
	// how long jobs may take to end when the node stops.
	Lease, Poll, Grace time.Duration
	// Metrics is where the runner's meters are shown; nil shows them to nobody.
	Metrics prometheus.Registerer
	// Tracer makes a trace of each run; nil makes none.
	Tracer *trace.Tracer
}

// Worker is what is done for the jobs of a kind.
type Worker struct {
	// Run does the job. Its context ends when the node stops, when the job is called off, or when it is lost; then Run comes back
	// soon, with an error if it is not done. nil is done; [Again], [Discard] and [CallOff] say something else; any other error is
	// a failure, after which the job comes again.
	Run func(ctx context.Context, j *Job) error
	// Concurrency is how many run on this node at once; 1 when 0.
	Concurrency int
	// Timeout ends the context of one run; none when 0.
	Timeout time.Duration
	// Backoff is the wait after the given number of failed attempts; [Backoff] when nil.
	Backoff func(attempt int) time.Duration
	// Every, when set, makes this a job that is always there, once in the database, and comes again so long after it was done.
	Every time.Duration
}

// Backoff is the wait after a number of failed attempts, as River has it: attempt⁴ seconds (1 s, 16 s, 81 s, …) up to a day, ten per
// cent more or less by chance, so that what failed together does not come back together.
func Backoff(attempt int) time.Duration {
	n := min(max(attempt, 1), 100) // beyond that it is a day, and the product would not fit
	wait := min(time.Duration(n*n*n*n)*time.Second, 24*time.Hour)
	return wait - wait/10 + rand.N(wait/5+1)
}

// Runner works off the jobs of the kinds it was given. Any number of them, on any number of nodes, share one database.
type Runner struct {
	o       Options
	workers map[string]Worker
	wake    chan struct{}
	meters  meters

	mu   sync.Mutex
	held map[string]*held
	runs sync.WaitGroup

	// of the loop alone
	seen   map[string]sight
	looked time.Duration
	tended time.Duration
}

// held is a job that this runner has.
type held struct {
	job *Job
	end context.CancelCauseFunc
	// proven is when the database last said that the job is ours.
	proven time.Duration
}

// sight is a beat and since when it stood.
type sight struct {
	holder string
	beat   int64
	since  time.Duration
}

func (s sight) differs(holder string, beat int64) bool { return s.holder != holder || s.beat != beat }

// NewRunner makes a runner without any kind.
func NewRunner(o Options) *Runner {
	if o.Elapsed == nil {
		start := time.Now()
		o.Elapsed = func() time.Duration { return time.Since(start) }
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Node == "" {
		o.Node = ThisNode()
	}
	if o.Lease <= 0 {
		o.Lease = DefaultLease
	}
	o.Lease = max(o.Lease, 20*time.Millisecond) // a shorter one would be spent on keeping it
	if o.Poll <= 0 {
		o.Poll = DefaultPoll
	}
	o.Poll = min(o.Poll, o.Lease/4) // who looks seldom cannot tell one that stands still from one that it did not look at
	if o.Grace <= 0 {
		o.Grace = DefaultGrace
	}
	return &Runner{o: o, meters: newMeters(o.Metrics), workers: map[string]Worker{}, wake: make(chan struct{}, 1), held: map[string]*held{}, seen: map[string]sight{}}
}

// ThisNode names the process: host and process number.
func ThisNode() string {
	host, err := os.Hostname()
	if err != nil {
		host = "node"
	}
	return host + ":" + strconv.Itoa(os.Getpid())
}

// Handle has the runner do the jobs of a kind. Call it before Run.
func (r *Runner) Handle(kind string, w Worker) {
	if w.Concurrency <= 0 {
		w.Concurrency = 1
	}
	if w.Backoff == nil {
		w.Backoff = Backoff
	}
	r.workers[kind] = w
}

// Wake has the runner look for work now.
func (r *Runner) Wake() {
	select {
	case r.wake <- struct{}{}:
	default: // it will look anyhow
	}
}

// Run works until the context ends. Then it takes nothing more, tells the running jobs, and comes back when they have ended, or
// after the grace: what did not end by then is left to its lease.
func (r *Runner) Run(ctx context.Context) {
	base, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(ErrStopping)
	beating, still := context.WithCancel(context.WithoutCancel(ctx))
	defer still()
	r.runs.Go(func() { r.beats(beating) })
	for {
		wait := r.look(ctx, base)
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			stop(ErrStopping)
			r.drain(still)
			return
		case <-r.wake:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// drain waits for the jobs to end; the heartbeat goes on until then.
func (r *Runner) drain(still func()) {
	done := make(chan struct{})
	go func() {
		for r.busy() {
			<-r.wake
		}
		still()
		r.runs.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(r.o.Grace):
		still()
		r.o.Logger.Warn("some jobs did not end in time and are left to their leases", "jobs", r.names())
	}
}

func (r *Runner) busy() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.held) > 0
}

func (r *Runner) names() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	for _, h := range r.held {
		out = append(out, h.job.Kind+" "+h.job.ID)
	}
	slices.Sort(out)
	return out
}

// free is how many more jobs of each kind this node may take; kinds that are full are not in it.
func (r *Runner) free() map[string]int {
	out := map[string]int{}
	for kind, w := range r.workers {
		out[kind] = w.Concurrency
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, h := range r.held {
		out[h.job.Kind]--
	}
	maps.DeleteFunc(out, func(_ string, n int) bool { return n <= 0 })
	return out
}

// view is what one look at the database shows.
type view struct {
	due     []string
	next    *time.Time
	running []running
}

// look takes what is due, rescues what stands still, and says how long to wait before the next look.
func (r *Runner) look(ctx, base context.Context) time.Duration {
	now := r.o.Clock()
	if err := r.tend(ctx, now); err != nil {
		return r.trouble(ctx, err)
	}
	free := r.free()
	v, err := r.read(ctx, free, now)
	if err != nil {
		return r.trouble(ctx, err)
	}
	if err := r.rescueAll(ctx, v.running, now); err != nil {
		return r.trouble(ctx, err)
	}
	for _, kind := range v.due {
		if err := r.takeAll(ctx, base, kind, free[kind], now); err != nil {
			return r.trouble(ctx, err)
		}
	}
	wait := r.o.Poll
	if v.next != nil {
		wait = min(wait, max(v.next.Sub(now), time.Millisecond))
	}
	return wait
}

// trouble tells of a failed look. What was seen of other nodes before counts no more: they may have been unable to beat as we
// were to look.
func (r *Runner) trouble(ctx context.Context, err error) time.Duration {
	clear(r.seen)
	if ctx.Err() == nil {
		r.o.Logger.Warn("look for jobs", "error", err)
	}
	return r.o.Poll
}

func (r *Runner) read(ctx context.Context, free map[string]int, now time.Time) (view, error) {
	var v view
	err := r.o.DB.Read(ctx, func(tx *db.Tx) error {
		v = view{}
		paused, err := Paused(ctx, tx)
		if err != nil {
			return err
		}
		for _, kind := range slices.Sorted(maps.Keys(r.workers)) {
			list, err := allRunning(ctx, tx, kind)
			if err != nil {
				return err
			}
			v.running = append(v.running, list...)
			if free[kind] == 0 || slices.Contains(paused, kind) {
				continue
			}
			due, next, err := isDue(ctx, tx, kind, now)
			switch {
			case err != nil:
				return err
			case due:
				v.due = append(v.due, kind)
			case next != nil && (v.next == nil || next.Before(*v.next)):
				v.next = next
			}
		}
		return nil
	})
	return v, err
}

// takeAll takes jobs of one kind and has them done.
func (r *Runner) takeAll(ctx, base context.Context, kind string, limit int, now time.Time) error {
	holder := r.o.Node + "#" + strconv.FormatUint(rand.Uint64(), 36)
	var jobs []*Job
	proven := r.o.Elapsed() // before the row is written, so that our lease is over before others see that it is
	err := r.o.DB.Write(ctx, func(tx *db.Tx) (err error) {
		jobs, err = take(ctx, tx, kind, limit, holder, r.o.Lease, now)
		return err
	})
	if err != nil {
		return err
	}
	w := r.workers[kind]
	for _, j := range jobs {
		jobCtx, end := context.WithCancelCause(base)
		r.mu.Lock()
		r.held[j.ID] = &held{j, end, proven}
		r.mu.Unlock()
		r.runs.Go(func() { r.work(jobCtx, end, j, w) })
	}
	if len(jobs) == limit {
		r.Wake() // there may be more by the time one of these ends
	}
	return nil
}

// work does one job and writes down what became of it.
func (r *Runner) work(ctx context.Context, end context.CancelCauseFunc, j *Job, w Worker) {
	run := ctx
	if w.Timeout > 0 {
		var cancel context.CancelFunc
		run, cancel = context.WithTimeout(ctx, w.Timeout)
		defer cancel()
	}
	began := time.Now()
	run, span := r.o.Tracer.Start(run, "job "+j.Kind)
	err := call(run, w, j)
	cause := context.Cause(ctx)
	now := r.o.Clock()
	out, ok := judge(j, w, err, cause, now)
	state := out.state
	if !ok {
		state = "lost"
	}
	r.meters.note(j.Kind, state, time.Since(began))
	span.String("lojal.job_state", string(state))
	if state == Retryable || state == Discarded {
		span.Fail(string(state))
	}
	span.End()
	if ok {
		r.settle(j, out, err)
	}
	end(nil)
	r.mu.Lock()
	delete(r.held, j.ID)
	r.mu.Unlock()
	r.Wake() // a place is free
}

// call runs the job's function and makes a failure of a panic.
func call(ctx context.Context, w Worker, j *Job) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return w.Run(ctx, j)
}

// judge says what becomes of a job that came back with err; false when it is no longer ours to say.
func judge(j *Job, w Worker, err, cause error, now time.Time) (outcome, bool) {
	at := func(t time.Time) *time.Time { return &t }
	repeat, wantsMore := errors.AsType[again](err)
	end, isFinal := errors.AsType[final](err)
	switch {
	case errors.Is(cause, ErrLost):
		return outcome{}, false
	case err == nil && w.Every > 0:
		return outcome{Scheduled, at(now.Add(w.Every)), 0, true}, true
	case err == nil:
		return outcome{Completed, nil, j.Attempt, true}, true
	case wantsMore:
		return outcome{Scheduled, at(repeat.at), 0, true}, true
	case errors.Is(cause, ErrCancelled):
		return outcome{Cancelled, nil, j.Attempt, false}, true
	case isFinal:
		j.failed(now, err.Error())
		return outcome{end.state, nil, j.Attempt, false}, true
	case errors.Is(cause, ErrStopping):
		return outcome{Available, at(now), j.Attempt - 1, true}, true
	}
	j.failed(now, err.Error())
	if j.MaxAttempts > 0 && j.Attempt >= j.MaxAttempts {
		return outcome{Discarded, nil, j.Attempt, false}, true
	}
	wait := w.Backoff(j.Attempt)
	if w.Every > 0 {
		wait = min(wait, w.Every)
	}
	return outcome{Retryable, at(now.Add(wait)), j.Attempt, true}, true
}

// settle writes down what became of a job, as long as it takes within the lease: after that it is another node's to say.
func (r *Runner) settle(j *Job, out outcome, failure error) {
	log := r.o.Logger.With("job", j.ID, "kind", j.Kind, "attempt", j.Attempt)
	switch out.state {
	case Retryable:
		log.Warn("job failed", "error", failure, "again_at", out.due.UTC())
	case Discarded:
		log.Error("job discarded", "error", failure)
	case Cancelled:
		log.Warn("job cancelled")
	default:
	}
	ctx, cancel := context.WithTimeout(context.Background(), r.o.Lease)
	defer cancel()
	for wait := 50 * time.Millisecond; ; wait *= 2 {
		var ours bool
		err := r.o.DB.Write(ctx, func(tx *db.Tx) (err error) {
			ours, err = settle(ctx, tx, j, out, r.o.Clock())
			return err
		})
		if err == nil {
			if !ours {
				log.Debug("another node has the job now, or it was written down before the database answered")
			}
			return
		}
		select {
		case <-ctx.Done():
			log.Error("what became of a job cannot be written down; it will be done again", "error", err)
			return
		case <-time.After(wait):
		}
	}
}

// beats keeps the leases of all held jobs, and ends the context of those that are lost or called off.
func (r *Runner) beats(ctx context.Context) {
	tick := time.NewTicker(r.o.Lease / 4)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		r.beat(ctx)
	}
}

func (r *Runner) beat(ctx context.Context) {
	byBucket := map[int32][]*Job{}
	r.mu.Lock()
	for _, h := range r.held {
		byBucket[h.job.bucket] = append(byBucket[h.job.bucket], h.job)
	}
	r.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, r.o.Lease*3/8) // the writer may be busy, and this is as long as may be waited
	defer cancel()
	for _, jobs := range byBucket {
		slices.SortFunc(jobs, func(a, b *Job) int { return compare(a.ID, b.ID) })
		asked := r.o.Elapsed()
		var mine map[string]bool
		err := r.o.DB.Write(ctx, func(tx *db.Tx) (err error) {
			mine, err = beat(ctx, tx, jobs, r.o.Clock())
			return err
		})
		if err != nil {
			r.o.Logger.Warn("hold on to jobs", "error", err)
		}
		r.told(jobs, mine, err == nil, asked)
	}
}

// told takes in what a heartbeat said.
func (r *Runner) told(jobs []*Job, mine map[string]bool, answered bool, asked time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, j := range jobs {
		h, still := r.held[j.ID]
		if !still || h.job != j {
			continue
		}
		cancel, ours := mine[j.ID]
		switch {
		case ours:
			h.proven = asked
			if cancel {
				h.end(ErrCancelled)
			}
		case answered || r.o.Elapsed()-h.proven >= r.o.Lease*5/8: // the next beat might come too late
			h.end(ErrLost)
		}
	}
}

func compare(a, b string) int {
	if a < b {
		return -1
	}
	return 1
}

// rescueAll frees the jobs whose holders have stood still for their lease.
func (r *Runner) rescueAll(ctx context.Context, list []running, now time.Time) error {
	at := r.o.Elapsed()
	if at-r.looked > r.o.Lease/2 {
		clear(r.seen) // we did not look for a while, and may have been cut off as well as they
	}
	r.looked = at
	seen := make(map[string]sight, len(list))
	for _, one := range list {
		s, ok := r.seen[one.id]
		if !ok || s.differs(one.holder, one.beat) {
			s = sight{one.holder, one.beat, at}
		}
		seen[one.id] = s
		if at-s.since < one.lease || r.has(one) {
			continue
		}
		var (
			j     *Job
			saved bool
		)
		err := r.o.DB.Write(ctx, func(tx *db.Tx) (err error) {
			j, saved, err = rescue(ctx, tx, one, now)
			return err
		})
		if errs.Is(err, errs.CodeNotFound, "job_not_found") {
			continue
		}
		if err != nil {
			return err
		}
		if saved {
			r.o.Logger.Warn("took over a job whose node stood still", "job", j.ID, "kind", j.Kind, "node", nodeOf(one.holder), "attempt", j.Attempt)
			r.Wake()
		}
	}
	r.seen = seen
	return nil
}

func (r *Runner) has(one running) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	h, ok := r.held[one.id]
	return ok && h.job.Holder == one.holder
}

// periodic is the unique key of a job that is always there.
const periodic = "periodic"

const (
	// tendEvery is how often a runner sees that its periodic jobs are there.
	tendEvery = time.Minute
	// leap is how far in the future a periodic job may lie beyond its period before some node's clock is to blame.
	leap = 10 * time.Minute

	soonerJob = `
UPDATE jobs SET due_at = $1 WHERE bucket = $2 AND kind = $3 AND unique_key = 'periodic' AND due_at > $4 AND finished_at IS NULL`
)

// tend sees that the periodic jobs are there and not too far away, and forgets old jobs.
func (r *Runner) tend(ctx context.Context, now time.Time) error {
	at, first := r.o.Elapsed(), r.tended == 0
	if !first && at-r.tended < tendEvery {
		return nil
	}
	slack := leap
	if first {
		slack = 0 // its period may have been changed
	}
	for _, kind := range slices.Sorted(maps.Keys(r.workers)) {
		every := r.workers[kind].Every
		if every <= 0 {
			continue
		}
		if err := r.o.DB.Write(ctx, func(tx *db.Tx) error { return tendOne(ctx, tx, kind, every, slack, now) }); err != nil {
			return err
		}
	}
	err := r.o.DB.Write(ctx, func(tx *db.Tx) error {
		_, err := Forget(ctx, tx, now.Add(-kept), 500)
		return err
	})
	if err == nil {
		r.tended = max(at, 1)
	}
	return err
}

func tendOne(ctx context.Context, tx *db.Tx, kind string, every, slack time.Duration, now time.Time) error {
	_, err := Find(ctx, tx, kind, periodic)
	if errs.Is(err, errs.CodeNotFound, "job_not_found") {
		_, err = Insert(ctx, tx, New{Kind: kind, Unique: periodic}, now)
		return err
	}
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, soonerJob, now.Add(every).UnixMicro(), bucketOf(kind), kind, now.Add(every+slack).UnixMicro())
	return err
}

// Ask has a periodic job of the kind run as soon as a node can, whether it is due or not.
func Ask(ctx context.Context, tx *db.Tx, kind string, now time.Time) error {
	_, err := Insert(ctx, tx, New{Kind: kind, Unique: periodic}, now)
	return err
}
