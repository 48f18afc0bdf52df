package job

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/errs"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// bench is a database with a clock and a watch that go only when they are told.
type bench struct {
	t       *testing.T
	d       *db.DB
	clock   atomic.Int64 // µs after noon
	elapsed atomic.Int64 // ns
}

func newBench(t *testing.T, d *db.DB) *bench { return &bench{t: t, d: d} }

func (b *bench) now() time.Time         { return noon.Add(time.Duration(b.clock.Load()) * time.Microsecond) }
func (b *bench) pass(d time.Duration)   { b.clock.Add(d.Microseconds()) }
func (b *bench) watch() time.Duration   { return time.Duration(b.elapsed.Load()) }
func (b *bench) elapse(d time.Duration) { b.elapsed.Add(int64(d)) }
func (b *bench) ctx() context.Context   { return b.t.Context() }
func (b *bench) insert(in New) (out *Job) {
	return b.write(func(tx *db.Tx) (*Job, error) { return Insert(b.ctx(), tx, in, b.now()) })
}
func (b *bench) get(id string) (out *Job) {
	return b.write(func(tx *db.Tx) (*Job, error) { return Get(b.ctx(), tx, id) })
}
func (b *bench) cancel(id string) (out *Job) {
	return b.write(func(tx *db.Tx) (*Job, error) { return Cancel(b.ctx(), tx, id, b.now()) })
}
func (b *bench) retried(id string) (out *Job) {
	return b.write(func(tx *db.Tx) (*Job, error) { return Retry(b.ctx(), tx, id, b.now()) })
}

func (b *bench) write(fn func(*db.Tx) (*Job, error)) (out *Job) {
	b.t.Helper()
	err := b.d.Write(context.WithoutCancel(b.ctx()), func(tx *db.Tx) (err error) {
		out, err = fn(tx)
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return out
}

// take takes due jobs in the name of a holder that never beats.
func (b *bench) take(kind string, limit int, holder string) (out []*Job) {
	b.t.Helper()
	err := b.d.Write(b.ctx(), func(tx *db.Tx) (err error) {
		out, err = take(b.ctx(), tx, kind, limit, holder, time.Second, b.now())
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return out
}

// runner makes a runner that looks often. Its lease is long enough for a busy machine, and goes by the bench's watch.
func (b *bench) runner(workers map[string]Worker) *Runner {
	r := NewRunner(Options{DB: b.d, Clock: b.now, Elapsed: b.watch, Lease: time.Second, Poll: 2 * time.Millisecond, Node: "here"})
	for kind, w := range workers {
		r.Handle(kind, w)
	}
	return r
}

// start runs a runner until stop is called, or the test ends.
func (b *bench) start(workers map[string]Worker) (r *Runner, stop func()) {
	b.t.Helper()
	r = b.runner(workers)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.Run(ctx)
	}()
	stop = func() {
		cancel()
		<-done
	}
	b.t.Cleanup(stop)
	return r, stop
}

// until waits until the job is as wanted; the test's own time bounds it.
func (b *bench) until(id string, want func(*Job) bool) *Job {
	b.t.Helper()
	for {
		j := b.get(id)
		if want(j) {
			return j
		}
		if b.ctx().Err() != nil {
			b.t.Fatalf("it stays %+v", j)
		}
	}
}

func (b *bench) untilState(id string, s State) *Job {
	b.t.Helper()
	return b.until(id, func(j *Job) bool { return j.State == s })
}

// untilSettled waits until no node has the job.
func (b *bench) untilSettled(id string) {
	b.t.Helper()
	b.until(id, func(j *Job) bool { return j.State != Running })
}

func each(t *testing.T, body func(t *testing.T, b *bench)) {
	t.Helper()
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) { body(t, newBench(t, d)) })
}

func TestAJobIsThereIfAndOnlyIfItsTransactionIs(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		undone := errors.New("undone")
		var id string
		err := b.d.Write(t.Context(), func(tx *db.Tx) error {
			j, err := Insert(t.Context(), tx, New{Kind: "mail", Args: map[string]string{"to": "kari"}}, noon)
			if err != nil {
				return err
			}
			id = j.ID
			return undone
		})
		if !errors.Is(err, undone) {
			t.Fatal(err)
		}
		err = b.d.Read(t.Context(), func(tx *db.Tx) error {
			_, err := Get(t.Context(), tx, id)
			return err
		})
		if !errs.Is(err, errs.CodeNotFound, "job_not_found") {
			t.Error(err)
		}
		j := b.insert(New{Kind: "mail", Args: map[string]string{"to": "kari"}})
		if j.State != Available || j.Args != `{"to":"kari"}` || j.Priority != 2 || !j.DueAt.Equal(noon) {
			t.Errorf("%+v", j)
		}
	})
}

func TestAUniqueJobIsThereOnce(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		late := b.insert(New{Kind: "sum", Unique: "a", RunAt: noon.Add(time.Hour)})
		if late.State != Scheduled {
			t.Errorf("%+v", late)
		}
		soon := b.insert(New{Kind: "sum", Unique: "a"})
		if soon.ID != late.ID || soon.State != Available || !soon.DueAt.Equal(noon) {
			t.Errorf("%+v", soon)
		}
		again := b.insert(New{Kind: "sum", Unique: "a", RunAt: noon.Add(time.Minute)})
		if again.ID != late.ID || again.State != Available || !again.DueAt.Equal(noon) {
			t.Errorf("a later wish put it off: %+v", again)
		}
		other := b.insert(New{Kind: "sum", Unique: "b"})
		more := b.insert(New{Kind: "sum"})
		last := b.insert(New{Kind: "sum"})
		if other.ID == late.ID || more.ID == last.ID {
			t.Error("different jobs are taken for one")
		}
		b.cancel(late.ID)
		if next := b.insert(New{Kind: "sum", Unique: "a"}); next.ID == late.ID {
			t.Error("a job that is over stands in the way of a new one")
		}
	})
}

func TestManyTakersTakeEachJobOnce(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		const jobs, takers = 200, 8
		err := b.d.Write(t.Context(), func(tx *db.Tx) error {
			for range jobs {
				if _, err := Insert(t.Context(), tx, New{Kind: "mail"}, noon); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		var (
			mu    sync.Mutex
			taken = map[string]int{}
			wg    sync.WaitGroup
		)
		for n := range takers {
			wg.Go(func() {
				for empty := 0; empty < 3; { // the rows that another has just taken make a taker come back with fewer
					var got []*Job
					err := b.d.Write(t.Context(), func(tx *db.Tx) (err error) {
						got, err = take(t.Context(), tx, "mail", 7, fmt.Sprint("node#", n), time.Second, noon)
						return err
					})
					if err != nil {
						t.Error(err)
						return
					}
					if len(got) == 0 {
						empty++
					}
					mu.Lock()
					for _, j := range got {
						taken[j.ID]++
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		for _, j := range b.take("mail", jobs, "last#") {
			taken[j.ID]++
		}
		if len(taken) != jobs {
			t.Errorf("%d of %d were taken", len(taken), jobs)
		}
		for id, n := range taken {
			if n != 1 {
				t.Errorf("%s was taken %d times", id, n)
			}
		}
	})
}

func TestTheUrgentAndTheOldAreTakenFirst(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		third := b.insert(New{Kind: "mail", Priority: 3})
		second := b.insert(New{Kind: "mail"})
		b.pass(time.Second)
		fourth := b.insert(New{Kind: "mail", Priority: 3})
		first := b.insert(New{Kind: "mail", Priority: 1})
		b.insert(New{Kind: "mail", Priority: 1, RunAt: b.now().Add(time.Hour)})
		b.insert(New{Kind: "other", Priority: 1})
		for _, want := range []*Job{first, second, third, fourth} {
			if got := b.take("mail", 1, "node#1"); len(got) != 1 || got[0].ID != want.ID {
				t.Fatalf("%+v, want %s", got, want.ID)
			}
		}
		if got := b.take("mail", 1, "node#1"); len(got) != 0 {
			t.Errorf("not due: %+v", got[0])
		}
	})
}

func TestAFailedJobComesAgainUntilItIsDiscarded(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		j := b.insert(New{Kind: "mail", MaxAttempts: 3})
		backoff := func(n int) time.Duration { return time.Duration(n) * time.Hour }
		r, _ := b.start(map[string]Worker{"mail": {Backoff: backoff, Run: func(_ context.Context, j *Job) error {
			if j.Attempt == 2 {
				panic("a mistake")
			}
			return fmt.Errorf("the server said no, %d", j.Attempt)
		}}})
		got := b.until(j.ID, func(j *Job) bool { return j.State == Retryable && j.Attempt == 1 })
		if !got.DueAt.Equal(noon.Add(time.Hour)) || len(got.Errors) != 1 || got.Errors[0].Error != "the server said no, 1" {
			t.Errorf("%+v", got)
		}
		b.pass(time.Hour)
		r.Wake()
		got = b.until(j.ID, func(j *Job) bool { return j.State == Retryable && j.Attempt == 2 })
		if !got.DueAt.Equal(noon.Add(3*time.Hour)) || !strings.HasPrefix(got.Errors[1].Error, "panic: a mistake") {
			t.Errorf("%+v", got)
		}
		b.pass(2 * time.Hour)
		r.Wake()
		got = b.untilState(j.ID, Discarded)
		if got.DueAt != nil || got.FinishedAt == nil || len(got.Errors) != 3 {
			t.Errorf("%+v", got)
		}
		got = b.retried(j.ID)
		if got.State != Available || got.Attempt != 0 || got.FinishedAt != nil {
			t.Errorf("%+v", got)
		}
	})
}

func TestOnlyTheLastFailuresAreRemembered(t *testing.T) {
	t.Parallel()
	j := &Job{}
	for n := range 14 {
		j.Attempt = n
		j.failed(noon, strings.Repeat("é", 400))
	}
	if len(j.Errors) != keptFailures || j.Errors[9].Attempt != 13 || len(j.Errors[0].Error) > keptText+8 {
		t.Errorf("%d, %d bytes", len(j.Errors), len(j.Errors[0].Error))
	}
}

func TestAJobSaysItselfWhatBecomesOfIt(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		stop := errors.New("not at all")
		gave := map[string]error{"done": nil, "again": Again(noon.Add(time.Hour)), "discard": Discard(stop), "off": CallOff(stop)}
		want := map[string]State{"done": Completed, "again": Scheduled, "discard": Discarded, "off": Cancelled}
		workers := map[string]Worker{}
		ids := map[string]string{}
		for kind, err := range gave {
			workers[kind] = Worker{Run: func(context.Context, *Job) error { return err }}
			ids[kind] = b.insert(New{Kind: kind, MaxAttempts: 5}).ID
		}
		b.start(workers)
		for kind, id := range ids {
			j := b.untilState(id, want[kind])
			if kind == "again" && (j.Attempt != 0 || !j.DueAt.Equal(noon.Add(time.Hour)) || j.FinishedAt != nil) {
				t.Errorf("%+v", j)
			}
			if kind != "again" && (j.FinishedAt == nil || j.DueAt != nil) {
				t.Errorf("%+v", j)
			}
		}
		var counts []Count
		err := b.d.Read(t.Context(), func(tx *db.Tx) (err error) {
			counts, err = Counts(t.Context(), tx)
			return err
		})
		if err != nil || len(counts) != 4 || counts[0] != (Count{"again", Scheduled, 1}) {
			t.Errorf("%v %v", counts, err)
		}
	})
}

func TestWhatIsAskedForWhileItRunsRunsOnceMore(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		j := b.insert(New{Kind: "sum", Unique: "a"})
		entered, leave := make(chan int), make(chan struct{})
		b.start(map[string]Worker{"sum": {Run: func(_ context.Context, j *Job) error {
			entered <- j.Attempt
			<-leave
			return nil
		}}})
		<-entered
		for range 3 {
			if got := b.insert(New{Kind: "sum", Unique: "a"}); got.ID != j.ID || got.State != Running {
				t.Errorf("%+v", got)
			}
		}
		leave <- struct{}{}
		<-entered
		leave <- struct{}{}
		if got := b.untilState(j.ID, Completed); got.FinishedAt == nil {
			t.Errorf("%+v", got)
		}
	})
}

func TestAWaitingJobIsCancelledAtOnceAndARunningOneIsTold(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		later := b.insert(New{Kind: "mail", RunAt: noon.Add(time.Hour)})
		if got := b.cancel(later.ID); got.State != Cancelled || got.FinishedAt == nil || got.DueAt != nil {
			t.Errorf("%+v", got)
		}
		now := b.insert(New{Kind: "mail"})
		cause := make(chan error, 1)
		b.start(map[string]Worker{"mail": {Run: func(ctx context.Context, _ *Job) error {
			<-ctx.Done()
			cause <- context.Cause(ctx)
			return ctx.Err()
		}}})
		b.untilState(now.ID, Running)
		if got := b.cancel(now.ID); got.State != Running {
			t.Errorf("%+v", got)
		}
		if err := <-cause; !errors.Is(err, ErrCancelled) {
			t.Error(err)
		}
		b.untilState(now.ID, Cancelled)
	})
}

func TestAStopFinishesOrHandsBack(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		short, long := b.insert(New{Kind: "short", MaxAttempts: 1}), b.insert(New{Kind: "long", MaxAttempts: 1})
		entered := make(chan struct{}, 2)
		_, stop := b.start(map[string]Worker{
			"short": {Run: func(ctx context.Context, _ *Job) error {
				entered <- struct{}{}
				<-ctx.Done()
				return nil // it was all but done
			}},
			"long": {Run: func(ctx context.Context, _ *Job) error {
				entered <- struct{}{}
				<-ctx.Done()
				if !errors.Is(context.Cause(ctx), ErrStopping) {
					t.Error(context.Cause(ctx))
				}
				return ctx.Err()
			}},
		})
		<-entered
		<-entered
		stop()
		if got := b.get(short.ID); got.State != Completed {
			t.Errorf("%+v", got)
		}
		got := b.get(long.ID)
		if got.State != Available || got.Attempt != 0 || got.DueAt == nil || got.Holder != "" {
			t.Errorf("%+v", got)
		}
		b.start(map[string]Worker{"long": {Run: func(context.Context, *Job) error { return nil }}})
		b.untilState(long.ID, Completed)
	})
}

func TestAJobOfADeadNodeIsTakenOver(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		j := b.insert(New{Kind: "mail", MaxAttempts: 5})
		last := b.insert(New{Kind: "fatal", MaxAttempts: 1})
		b.take("mail", 1, "dead:1#x")
		b.take("fatal", 1, "dead:1#x")
		b.pass(-time.Hour) // the dead node's clock was ahead; that changes nothing
		done := make(chan *Job, 1)
		r, _ := b.start(map[string]Worker{
			"mail":  {Run: func(_ context.Context, j *Job) error { done <- j; return nil }},
			"fatal": {Run: func(context.Context, *Job) error { t.Error("its attempts were used up"); return nil }},
		})
		// The runner must have seen the beat stand for a second, in looks that are not far apart.
		for taken := false; !taken; {
			b.elapse(200 * time.Millisecond)
			r.Wake()
			select {
			case got := <-done:
				if got.ID != j.ID || got.Attempt != 2 || b.watch() < time.Second {
					t.Errorf("%+v after %s", got, b.watch())
				}
				taken = true
			case <-time.After(5 * time.Millisecond):
			}
		}
		if got := b.untilState(j.ID, Completed); len(got.Errors) != 1 || !strings.Contains(got.Errors[0].Error, "dead:1") {
			t.Errorf("%+v", got)
		}
		b.untilState(last.ID, Discarded)
	})
}

func TestALivingNodeKeepsItsJobs(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		j := b.insert(New{Kind: "mail"})
		entered, leave := make(chan struct{}), make(chan struct{})
		b.start(map[string]Worker{"mail": {Run: func(ctx context.Context, _ *Job) error {
			close(entered)
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-leave:
				return nil
			}
		}}})
		<-entered
		other := newBench(t, b.d) // with a watch of its own
		r, _ := other.start(map[string]Worker{"mail": {Run: func(context.Context, *Job) error { t.Error("it was taken from a living node"); return nil }}})
		for range 3 {
			before := b.get(j.ID).beat
			for range 4 {
				other.elapse(200 * time.Millisecond)
				r.Wake()
			}
			b.until(j.ID, func(j *Job) bool { return j.beat > before })
		}
		close(leave)
		if got := b.untilState(j.ID, Completed); got.Attempt != 1 {
			t.Errorf("%+v", got)
		}
	})
}

func TestANodeThatLostItsJobStopsAndChangesItNoMore(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		j := b.insert(New{Kind: "mail"})
		cause := make(chan error, 1)
		r := b.runner(map[string]Worker{"mail": {Run: func(ctx context.Context, _ *Job) error {
			<-ctx.Done()
			cause <- context.Cause(ctx)
			return nil // too late
		}}})
		r.look(t.Context(), t.Context())
		// Another node takes over, as if this one had stood still.
		b.write(func(tx *db.Tx) (*Job, error) {
			now, err := Get(t.Context(), tx, j.ID)
			if err != nil {
				return nil, err
			}
			_, saved, err := rescue(t.Context(), tx, running{place{now.bucket, now.ID}, now.Holder, now.beat, now.Lease}, noon)
			if !saved {
				t.Error("not rescued")
			}
			return now, err
		})
		if got := b.take("mail", 1, "other:1#y"); len(got) != 1 {
			t.Fatal("not to be taken")
		}
		r.beat(t.Context())
		if err := <-cause; !errors.Is(err, ErrLost) {
			t.Error(err)
		}
		r.runs.Wait()
		if got := b.get(j.ID); got.State != Running || got.Holder != "other:1#y" {
			t.Errorf("%+v", got)
		}
	})
}

func TestANodeCutOffFromTheDatabaseGivesUpBeforeOthersTakeOver(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.insert(New{Kind: "mail"})
		cause := make(chan error, 1)
		r := b.runner(map[string]Worker{"mail": {Run: func(ctx context.Context, _ *Job) error {
			<-ctx.Done()
			cause <- context.Cause(ctx)
			return nil
		}}})
		r.look(t.Context(), t.Context())
		cut, cancel := context.WithCancel(t.Context())
		cancel()
		r.beat(cut)
		select {
		case err := <-cause:
			t.Fatalf("one beat that fails is no loss: %v", err)
		default:
		}
		b.elapse(700 * time.Millisecond)
		r.beat(cut)
		if err := <-cause; !errors.Is(err, ErrLost) {
			t.Error(err)
		}
		r.runs.Wait()
	})
}

func TestAPeriodicJobIsThereOnceAndComesAgain(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		ran := make(chan time.Time, 10)
		workers := map[string]Worker{"sweep": {Every: time.Minute, Run: func(_ context.Context, j *Job) error {
			ran <- *j.TakenAt
			if j.TakenAt.Equal(noon.Add(time.Minute)) {
				return errors.New("the database was away")
			}
			return nil
		}}}
		one, stop := b.start(workers)
		two, _ := b.start(workers)
		find := func() *Job {
			return b.write(func(tx *db.Tx) (*Job, error) { return Find(t.Context(), tx, "sweep", periodic) })
		}
		pass := func(d time.Duration) {
			b.untilSettled(find().ID)
			b.pass(d)
			one.Wake()
			two.Wake()
		}
		if at := <-ran; !at.Equal(noon) {
			t.Error(at)
		}
		pass(time.Minute)
		if at := <-ran; !at.Equal(noon.Add(time.Minute)) {
			t.Error(at)
		}
		pass(time.Minute) // a failed run comes again no later than the next
		if at := <-ran; !at.Equal(noon.Add(2 * time.Minute)) {
			t.Error(at)
		}
		stop()
		pass(time.Hour)
		if at := <-ran; !at.Equal(noon.Add(62 * time.Minute)) {
			t.Error(at)
		}
		var counts []Count
		err := b.d.Read(t.Context(), func(tx *db.Tx) (err error) {
			counts, err = Counts(t.Context(), tx)
			return err
		})
		if err != nil || len(counts) != 1 || counts[0].Jobs != 1 {
			t.Errorf("%v %v", counts, err)
		}
		if len(ran) > 0 {
			t.Error("it ran more often")
		}
	})
}

func TestAPeriodicJobIsBroughtNearerWhenAClockWasWrong(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.pass(400 * 24 * time.Hour)
		far := b.insert(New{Kind: "sweep", Unique: periodic, RunAt: b.now().Add(time.Minute)})
		b.pass(-400 * 24 * time.Hour)
		b.start(map[string]Worker{"sweep": {Every: time.Minute, Run: func(context.Context, *Job) error { return nil }}})
		got := b.until(far.ID, func(j *Job) bool { return !j.DueAt.Equal(*far.DueAt) })
		if !got.DueAt.Equal(noon.Add(time.Minute)) {
			t.Errorf("%+v", got)
		}
		err := b.d.Write(t.Context(), func(tx *db.Tx) error { return Ask(t.Context(), tx, "sweep", b.now()) })
		if err != nil {
			t.Fatal(err)
		}
		b.until(far.ID, func(j *Job) bool { return j.TakenAt != nil })
	})
}

func TestAPausedKindIsNotTaken(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		err := b.d.Write(t.Context(), func(tx *db.Tx) error {
			return errors.Join(Pause(t.Context(), tx, "mail", "kari", noon), Pause(t.Context(), tx, "mail", "ola", noon))
		})
		if err != nil {
			t.Fatal(err)
		}
		mail, other := b.insert(New{Kind: "mail"}), b.insert(New{Kind: "other"})
		done := Worker{Run: func(context.Context, *Job) error { return nil }}
		b.start(map[string]Worker{"mail": done, "other": done})
		b.untilState(other.ID, Completed)
		if got := b.get(mail.ID); got.State != Available {
			t.Errorf("%+v", got)
		}
		if err := b.d.Write(t.Context(), func(tx *db.Tx) error { return Resume(t.Context(), tx, "mail") }); err != nil {
			t.Fatal(err)
		}
		b.untilState(mail.ID, Completed)
	})
}

func TestANodeRunsNoMoreThanItMay(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		var at, most atomic.Int64
		both := make(chan struct{})
		var once sync.Once
		b.start(map[string]Worker{"mail": {Concurrency: 2, Run: func(context.Context, *Job) error {
			n := at.Add(1)
			defer at.Add(-1)
			if n > most.Load() {
				most.Store(n)
			}
			if n == 2 {
				once.Do(func() { close(both) })
			}
			<-both
			return nil
		}}})
		var ids []string
		for range 9 {
			ids = append(ids, b.insert(New{Kind: "mail"}).ID)
		}
		for _, id := range ids {
			b.untilState(id, Completed)
		}
		if most.Load() != 2 {
			t.Errorf("%d at once", most.Load())
		}
	})
}

func TestARunThatTakesTooLongFails(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		j := b.insert(New{Kind: "mail", MaxAttempts: 1})
		b.start(map[string]Worker{"mail": {Timeout: time.Millisecond, Run: func(ctx context.Context, _ *Job) error {
			<-ctx.Done()
			return ctx.Err()
		}}})
		if got := b.untilState(j.ID, Discarded); !strings.Contains(got.Errors[0].Error, "deadline") {
			t.Errorf("%+v", got)
		}
	})
}

func TestWhatIsOverIsForgotten(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		old, fresh := b.insert(New{Kind: "mail"}), b.insert(New{Kind: "mail"})
		b.cancel(old.ID)
		b.pass(kept + time.Minute)
		b.cancel(fresh.ID)
		waiting := b.insert(New{Kind: "mail", RunAt: b.now().Add(time.Hour)})
		b.runner(nil).look(t.Context(), t.Context())
		var left []*Job
		err := b.d.Read(t.Context(), func(tx *db.Tx) (err error) {
			left, err = List(t.Context(), tx, Query{Kind: "mail"})
			return err
		})
		if err != nil || len(left) != 2 || left[0].ID != waiting.ID || left[1].ID != fresh.ID {
			t.Errorf("%+v %v", left, err)
		}
	})
}

func (b *bench) hold(waiting func(string)) (*Hold, error) {
	return Take(b.ctx(), New{Kind: "import", Unique: "file"}, HoldOptions{DB: b.d, Clock: b.now, Elapsed: b.watch, Lease: time.Second, Node: "here", Waiting: waiting})
}

func TestOneProcessHolds(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		first, err := b.hold(nil)
		if err != nil {
			t.Fatal(err)
		}
		told := ""
		if _, err := b.hold(func(node string) { told = node }); !errs.Is(err, errs.CodeConflict, "held") || told != "here" {
			t.Errorf("%v, told %q", err, told)
		}
		if err := first.End(nil); err != nil {
			t.Fatal(err)
		}
		second, err := b.hold(nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := second.End(errors.New("the disk is full")); err != nil {
			t.Fatal(err)
		}
		if got := b.get(second.job.ID); got.State != Cancelled || len(got.Errors) != 1 {
			t.Errorf("%+v", got)
		}
		third, err := b.hold(nil)
		if err != nil || third.job.ID == second.job.ID {
			t.Fatal(err)
		}
		if got := b.cancel(third.job.ID); got.State != Running {
			t.Errorf("%+v", got)
		}
		<-third.Context().Done()
		if !errors.Is(context.Cause(third.Context()), ErrCancelled) {
			t.Error(context.Cause(third.Context()))
		}
	})
}

func TestTheHoldOfADeadProcessEnds(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.insert(New{Kind: "import", Unique: "file"})
		dead := b.take("import", 1, "dead:1#x")[0]
		next, err := b.hold(func(string) {
			go func() {
				for range 6 {
					b.elapse(200 * time.Millisecond)
				}
			}()
		})
		if err != nil {
			t.Fatal(err)
		}
		if next.job.ID != dead.ID || next.job.Attempt != 2 || next.Context().Err() != nil {
			t.Errorf("%+v", next.job)
		}
		if err := next.End(nil); err != nil {
			t.Fatal(err)
		}
		b.untilState(dead.ID, Completed)
	})
}

func TestTheWaitGrowsWithTheAttempts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		attempt int
		want    time.Duration
	}{{0, time.Second}, {1, time.Second}, {3, 81 * time.Second}, {10, 10_000 * time.Second}, {1000, 24 * time.Hour}} {
		for range 50 {
			if got := Backoff(c.attempt); got < c.want*9/10 || got > c.want*11/10 {
				t.Errorf("after %d: %s", c.attempt, got)
			}
		}
	}
}
