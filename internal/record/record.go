// Package record takes facts into the books: it finds the member, decides the fact, and writes what follows, once.
//
// It owns the road of a fact and the gathering of waiting facts into one transaction. It does not own what a fact leads to
// (engine) nor how it is kept (books).
//
// What always holds: a fact, what was decided on it, its natural key and the answer to its Idempotency-Key are written in
// one transaction or not at all; the facts of one member are decided one after another, in the order of their numbers; a
// refused fact leaves nothing behind and does not touch its neighbours; a natural key counts once in a program and an
// Idempotency-Key once for a client. An error with code unavailable may mean that it was written: the same request
// again tells.
package record

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/member"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/version"
)

// Ahead is how far a fact's business time may lie ahead of the real one; what lies ahead less counts as now. The clocks of nodes may be
// off by as much.
const Ahead = 5 * time.Minute

// Request is one fact to take.
type Request struct {
	Program string
	// Member is an id ("mem_…") or an identifier ("card:1001"). Empty for an enrolment and for a guest's purchase, and where
	// Fact.Parent names the fact or redemption that it is about.
	Member string
	// Holder is the id of an account that is no member, such as a gift card, in place of Member. With the enrolment of one it is the new id.
	Holder string
	// Code is the hash of the code that opened the Holder. It is looked at again once the account is held, since another may have taken its place
	// meanwhile; what is repeated is answered before that.
	Code string
	// Beside writes, in the same transaction, what belongs to the fact and is not in the books. It is called once the fact is decided, and not for a
	// duplicate, a simulation or a fact that came to nothing. A refusal of it is that of the request.
	Beside func(ctx context.Context, tx *db.Tx, r *Result) error
	// Then are returns of the purchase that Fact is, recorded with it and after it: all or nothing. A duplicate brings none.
	Then []Later
	// Fact has Kind, the body of the kind, and Source and ExternalID if it has a natural key. OccurredAt is Now when zero.
	// Parent may be an id, or SOURCE/EXTERNAL_ID. ID, Member, RecordedAt, Actor and Drawn are set here.
	Fact engine.Fact
	// Enrol is who is enrolled by a fact of kind Enrolment.
	Enrol *member.New
	// Patch, with a fact of kind ProfileK, is what changes in the member's profile; Revision is the one it is based on, 0 for
	// whatever it is.
	Patch    *member.Patch
	Revision int64
	// Key is the Idempotency-Key, if one was sent.
	Key *Key
	// Now is the real time.
	Now time.Time
	// Actor is who asks.
	Actor string
	// Own says that this follows from what is recorded already, or from what was asked for without naming the fact: it alone may use the natural keys
	// that are kept for that (see engine.OwnSource). Never set it for a natural key that came from outside.
	Own bool
	// Reveal makes the answer that this request alone gets where it differs from the one that is kept: with the codes that were drawn, which are
	// stored nowhere. Nil from it, or without it, is the answer of Render.
	Reveal func(*Result) []byte
	// Render makes the answer that is stored under Key, in the transaction. Without it nothing is stored.
	Render func(*Result) (status int, body []byte)
}

// Name says whose account the request is about by the account's id, whatever kind of holder it is.
func (r *Request) Name(account string) {
	if isHolder(account) {
		r.Holder = account
		return
	}
	r.Member = account
}

// Key is an Idempotency-Key with the hash of the request it came with.
type Key struct {
	Client, Key string
	Hash        [32]byte
}

// Result is what came of a request that was not refused.
type Result struct {
	Fact engine.Fact
	// Seq is the fact's number among the member's; 0 when it was not recorded.
	Seq      int64
	Decision engine.Decision
	// Account is the account after the fact, brought up to Now.
	Account *engine.Account
	// Program is the version that decided.
	Program *program.Compiled
	// Member is who was enrolled, or whose profile changed.
	Member member.Member
	// Dues are the due facts that were decided along with it, in order.
	Dues []engine.Past
	// Other is the fact on the other side of a transfer or merge.
	Other *engine.Past
	// Then is what was recorded of Request.Then, in order.
	Then []engine.Past
	// Codes are the codes that were drawn for the fact, by hash.
	Codes map[string]string
	// Duplicate says that the natural key was known: this is the first decision.
	Duplicate bool
	// Recorded says that something was written for this request: false for a guest, a duplicate and a simulation.
	Recorded bool
	// Status and Answer are what Render gave, or what is stored under the key; Replayed says that it is the latter, and
	// then the rest of Result is empty.
	Status   int
	Answer   []byte
	Replayed bool
}

// Outcome is a result or why there is none.
type Outcome struct {
	Result *Result
	Err    error
}

// Options are choices of New; zero values are right.
type Options struct {
	// Gather is the most requests in one transaction of Record, 256 when 0.
	Gather int
	// Chunk is the most requests in one transaction of Batch, 500 when 0.
	Chunk int
	// Writers is how many transactions Record runs at once: when 0, one on SQLite, two on PostgreSQL, and 16 where the database is
	// distributed, since there each holds one bucket.
	Writers int
	// Queue is the most requests that wait for a transaction, 4096 when 0, and Patience how long the first of them may have waited, five
	// seconds when 0. Who comes then is refused at once, with code unavailable and reason overloaded.
	Queue    int
	Patience time.Duration
	// Remember is about how many bytes of accounts are remembered for looks and simulations: 16 MB when 0, none when negative.
	Remember int
	// Metrics is where the recorder's meters are shown; nil shows them to nobody.
	Metrics prometheus.Registerer
}

// Recorder takes facts into one database. It is safe for concurrent use.
type Recorder struct {
	db       *db.DB
	versions *version.Cache
	opts     Options
	writers  []*writer
	readers  []*writer // of looks, which are gathered in the same way
	turn     atomic.Uint32
	lanes    lanes
	merged   merges // see unit
	names    merges // see unit
	memory   *books.Memory
	meters   *meters
	ctx      context.Context //nolint:containedctx // the transactions belong to the recorder, not to one of the callers they serve
	cancel   context.CancelFunc
}

// New makes a recorder with the default options.
func New(d *db.DB, versions *version.Cache) *Recorder { return NewWith(d, versions, Options{}) }

// NewWith makes a recorder.
func NewWith(d *db.DB, versions *version.Cache, opts Options) *Recorder {
	if opts.Gather <= 0 {
		opts.Gather = 256
	}
	if opts.Chunk <= 0 {
		opts.Chunk = 500
	}
	if opts.Queue <= 0 {
		opts.Queue = 4096
	}
	if opts.Patience <= 0 {
		opts.Patience = 5 * time.Second
	}
	if opts.Writers <= 0 {
		opts.Writers = 1
		if d.Dialect() == db.Postgres {
			opts.Writers = 2
		}
		if d.Distributed() {
			opts.Writers = 16
		}
	}
	if opts.Remember == 0 {
		opts.Remember = 16 << 20
	}
	r := &Recorder{db: d, versions: versions, opts: opts, names: merges{most: keptNames}, memory: books.NewMemory(opts.Remember)}
	r.lanes = lanes{r: r, wait: map[int32][]*waiting{}, runs: map[int32]bool{}}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	for range opts.Writers {
		r.writers = append(r.writers, &writer{r: r, run: r.commit, metered: true})
	}
	readers := 3 // enough to keep PostgreSQL busy while the answers of others are taken
	if d.Dialect() == db.SQLite {
		readers = runtime.GOMAXPROCS(0)
	}
	for range readers {
		r.readers = append(r.readers, &writer{r: r, run: r.lookAll})
	}
	r.meters = newMeters(opts.Metrics, r.waiting)
	return r
}

// Versions gives the versions of programs by which the recorder decides.
func (r *Recorder) Versions() *version.Cache { return r.versions }

// Close waits until all that was taken is written, and refuses what comes later. It can still be read.
func (r *Recorder) Close() {
	for _, w := range r.writers {
		w.close()
	}
	r.lanes.close()
	r.cancel()
}

// Record takes one fact. Requests that wait while a transaction runs are written together by the next one; a single
// request is written at once.
//
// Errors: whatever the engine refuses with; invalid "in_the_future"; not_found "member_not_found"; conflict
// "duplicate_external_id" (Meta fact), "identifier_taken"; invalid "idempotency_key_reused"; unavailable when the database is
// away or the outcome is unknown.
func (r *Recorder) Record(ctx context.Context, req Request) (*Result, error) {
	t := newTask(req, false)
	if t.err == nil {
		if err := r.acting(ctx, []*task{t}); err != nil {
			return nil, err
		}
	}
	if t.err != nil {
		return nil, t.err
	}
	if r.db.Distributed() {
		return r.recordSpread(ctx, t)
	}
	w := r.writers[0]
	if len(r.writers) > 1 {
		w = r.writers[int(ids.Bucket(req.Program, t.lane()))%len(r.writers)]
	}
	return w.submit(ctx, t)
}

// Batch takes many facts in their order, each with its own outcome, in as few transactions as Options.Chunk allows. When a
// transaction fails, so do all requests of it and after it.
func (r *Recorder) Batch(ctx context.Context, reqs []Request) []Outcome {
	out := make([]Outcome, 0, len(reqs))
	for chunk := range slices.Chunk(reqs, r.opts.Chunk) {
		tasks := make([]*task, len(chunk))
		for i := range chunk {
			tasks[i] = newTask(chunk[i], false)
		}
		err := ctx.Err()
		if err == nil {
			err = r.acting(ctx, tasks)
		}
		if err == nil {
			r.commitAll(ctx, tasks)
		}
		for _, t := range tasks {
			if err != nil {
				t.fail(err)
			}
			out = append(out, Outcome{t.result, t.err})
		}
		if lost := tasks[len(tasks)-1].lost; lost != nil && len(out) < len(reqs) {
			for range len(reqs) - len(out) {
				out = append(out, Outcome{nil, lost})
			}
			break
		}
	}
	return out
}

// waiting counts the requests that no transaction has taken yet.
func (r *Recorder) waiting() (n int) {
	for _, w := range r.writers {
		w.mu.Lock()
		n += len(w.queue)
		w.mu.Unlock()
	}
	return n + r.lanes.length()
}

// commit runs the tasks in one transaction and gives each its outcome.
func (r *Recorder) commit(ctx context.Context, tasks []*task) {
	defer r.meters.note(tasks)
	open := make([]*task, 0, len(tasks))
	for _, t := range tasks {
		if t.err == nil {
			open = append(open, t)
		}
	}
	if len(open) == 0 {
		return
	}
	err := r.write(ctx, open)
	if err == nil {
		return
	}
	if len(open) > 1 && errs.CodeOf(err) == errs.CodeInternal && ctx.Err() == nil {
		// What one request brought should not fail its neighbours.
		for _, t := range open {
			if err := r.write(ctx, []*task{t}); err != nil {
				t.lose(err)
			}
		}
		return
	}
	for _, t := range open {
		t.lose(err)
	}
}

// conflicts bounds how often a batch is run again because somebody else was first with one of its keys, or because one
// of it turned out to be refused late.
const conflicts = 20

func (r *Recorder) write(ctx context.Context, tasks []*task) error {
	refused := map[*task]error{}
	for n := 0; ; n++ {
		err := r.db.Write(ctx, func(tx *db.Tx) (err error) {
			defer caught(&err)
			u := r.newUnit(tx, tasks)
			for t, why := range refused {
				t.fail(why)
			}
			return u.run(ctx)
		})
		var late *lateRefusal
		var open *openClaims
		switch {
		case err == nil:
			return nil
		case errors.As(err, &open) && n < conflicts:
			if err := r.clear(ctx, open); err != nil {
				return err
			}
		case errors.As(err, &late):
			refused[late.task] = late.err
		case db.IsUnique(err) && n < conflicts:
		default:
			return err
		}
	}
}

// caught makes a panic inside a transaction an error of it: it is undone, and whoever brought it about fails alone.
func caught(err *error) {
	if p := recover(); p != nil {
		*err = errs.Internal("panic", "The request could not be worked on.").Because(fmt.Errorf("%v\n%s", p, debug.Stack()))
	}
}

// lateRefusal says that a request was refused after something of it was written: the batch is run again without it.
type lateRefusal struct {
	task *task
	err  error
}

func (l *lateRefusal) Error() string { return fmt.Sprintf("refused late: %v", l.err) }
