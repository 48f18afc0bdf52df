// Package bench measures this program against the limits of the machine it is on, in one run.
//
// It owns the load, the raw limits beside it, and the report. It starts the program as a process of its own, so that what
// is measured is what people run, and what the server uses is told apart from what the load uses. It does not own what is
// measured, and changes nothing in a database that was there before.
//
// What always holds: a thing and its limit are measured by turns, round by round, on the same kind of database with the
// same promise of durability; a request that was not answered as it should be ends the run; what the load counted as taken
// is in the books.
package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
)

// Options are the choices of [Run].
type Options struct {
	// Binary is the program to measure, this very one when empty.
	Binary string
	// Postgres is the URL of a server on which databases may be made and dropped; without one only SQLite is measured.
	Postgres string
	// On names the databases to measure: sqlite, postgres; all that there are when empty.
	On []string
	// What names what to measure, all of [Parts] when empty.
	What []string
	// Quick makes everything small enough for SQLite in 45 seconds.
	Quick bool
	// Rounds is how often each thing is measured, at least 5 unless it is a test; Round how long one takes.
	Rounds int
	Round  time.Duration
	// Members is how many members the load is spread over.
	Members int
	// Seed makes the requests.
	Seed uint64
	// Dir is where databases are made, the system's temporary folder when empty.
	Dir string
	// Verify proves the books afterwards.
	Verify bool
	// Tell, when set, is told what is being done.
	Tell func(string)
}

// Parts are what can be measured.
var Parts = []string{"purchase"}

func (o *Options) complete() error {
	if o.Binary == "" {
		self, err := os.Executable()
		if err != nil {
			return fmt.Errorf("find this program: %w", err)
		}
		o.Binary = self
	}
	if o.Rounds == 0 {
		o.Rounds = 5
	}
	if o.Round == 0 {
		o.Round = 2 * time.Second
		if o.Quick {
			o.Round = 400 * time.Millisecond
		}
	}
	if o.Members == 0 {
		o.Members = 10_000
		if o.Quick {
			o.Members = 2_000
		}
	}
	if o.Seed == 0 {
		o.Seed = 1
	}
	for _, w := range o.What {
		if !slices.Contains(Parts, w) {
			return errs.Invalid("unknown_part", fmt.Sprintf("There is nothing called %q to measure: there are %s.", w, strings.Join(Parts, ", ")))
		}
	}
	if o.Tell == nil {
		o.Tell = func(string) {}
	}
	return nil
}

func (o *Options) wants(part string) bool { return len(o.What) == 0 || slices.Contains(o.What, part) }

func (o *Options) on(name string) bool { return len(o.On) == 0 || slices.Contains(o.On, name) }

// Run measures and reports.
func Run(ctx context.Context, o Options) (_ *Report, err error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(o.Dir, "lojal-bench")
	if err != nil {
		return nil, errs.Unavailable("folder", "There is no folder to make databases in; --dir names one.").Because(err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	out := &Report{At: time.Now().UTC().Truncate(time.Second), Machine: machine(), Seed: o.Seed, Quick: o.Quick, Rounds: o.Rounds, RoundSeconds: o.Round.Seconds(),
		Members: o.Members, Databases: map[string]*Database{}}
	var grounds []*ground
	if o.on("sqlite") {
		grounds = append(grounds, sqliteGround(dir))
	}
	if o.Postgres != "" && o.on("postgres") {
		g, err := postgresGround(ctx, o.Postgres)
		if err != nil {
			return nil, err
		}
		grounds = append(grounds, g)
	}
	if len(grounds) == 0 {
		return nil, errs.Invalid("no_database", "There is no database to measure on: name a PostgreSQL server with --db postgres://…, or measure on sqlite.")
	}
	for _, g := range grounds {
		name := string(g.dialect)
		b := &run{opts: &o, ground: g, out: newDatabase(g)}
		err := b.all(ctx)
		if err := errors.Join(err, g.close()); err != nil {
			return nil, fmt.Errorf("measure on %s: %w", name, err)
		}
		out.Databases[name] = b.out
		out.Order = append(out.Order, name)
	}
	out.Ratios = out.Databases[out.Order[0]].Ratios
	out.Seconds = time.Since(out.At).Seconds()
	return out, nil
}

// run is the measuring on one database.
type run struct {
	opts     *Options
	ground   *ground
	out      *Database
	receipts atomic.Uint64
	target   *Target
	// acknowledged counts the purchases that were answered as recorded.
	acknowledged int
}

func (b *run) tellf(format string, args ...any) {
	b.opts.Tell(string(b.ground.dialect) + ": " + fmt.Sprintf(format, args...))
}

// house is a database with the server on it and the load that speaks to it.
type house struct {
	url    string
	server *server
	load   *load
	ops    map[string]*request
}

func (b *run) serve(ctx context.Context, url, secret string) (*house, error) {
	s, err := startServer(ctx, b.opts.Binary, "serve", "--addr", "127.0.0.1:0", "--db", url, "--log-level", "warn", "--sweep-every", "0s")
	if err != nil {
		return nil, err
	}
	h := &house{url: url, server: s, ops: map[string]*request{}}
	t := *b.target
	t.URL = s.url
	for name := range t.Operations {
		if h.ops[name], err = t.compile(name, map[string]string{"secret": secret}); err != nil {
			return nil, errors.Join(err, s.stop())
		}
	}
	h.load, err = newLoad(s.url, b.opts.Members, firstCard, b.opts.Seed, &b.receipts)
	if err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return h, nil
}

func (h *house) close() error {
	h.load.end()
	return h.server.stop()
}

func (b *run) all(ctx context.Context) (err error) {
	if b.target, err = parseTarget(lojalTarget, "lojal.yaml"); err != nil {
		return err
	}
	if b.opts.wants("purchase") {
		if err := b.purchases(ctx); err != nil {
			return err
		}
	}
	b.out.compare()
	return nil
}

// purchases measures recording over HTTP, and the raw limit of writing the same rows.
func (b *run) purchases(ctx context.Context) (err error) {
	o := b.opts
	b.tellf("making a program with %d members", o.Members)
	url, err := b.ground.fresh(ctx, "purchases")
	if err != nil {
		return err
	}
	secret, err := build(ctx, url, o.Members, 0)
	if err != nil {
		return err
	}
	if err := b.ground.settle(ctx, url); err != nil {
		return err
	}
	h, err := b.serve(ctx, url, secret)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	limit, err := b.raw(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, limit.close()) }()

	purchase := h.ops["purchase"]
	var steps []step
	for _, n := range []int{1, 8, 64, 256} {
		steps = append(steps, b.over(h, purchase, n))
	}
	steps = append(steps,
		b.limit("one purchase a commit, 1 connection", 1, func(ctx context.Context, d time.Duration) (outcome, error) { return limit.single(ctx, 1, d) }),
		b.limit("one purchase a commit", 64, func(ctx context.Context, d time.Duration) (outcome, error) { return limit.single(ctx, 64, d) }),
		b.limit("100 purchases a commit", limit.batchers(), limit.batched),
	)
	if err := b.rounds(ctx, steps); err != nil {
		return err
	}
	steps = append(steps, b.halfLoad(h, purchase))
	if err := b.rounds(ctx, steps[len(steps)-1:]); err != nil {
		return err
	}
	for _, s := range steps {
		if s.op == "purchase" {
			b.acknowledged += s.row.Done
		}
	}
	return nil
}

// halfLoad sends purchases by plan, at half the rate of the best that was measured.
func (b *run) halfLoad(h *house, r *request) step {
	var peak float64
	for _, row := range b.out.Measured {
		if row.Name == r.name && row.Kind == "http" {
			row.sum()
			peak = max(peak, row.Median.PerSecond)
		}
	}
	row := b.out.add(r.name, "http at half load", 256)
	row.Planned = peak / 2
	return step{op: r.name, row: row, server: h.server, do: func(ctx context.Context, d time.Duration) (outcome, error) {
		return h.load.open(ctx, r, 256, row.Planned, d)
	}}
}

func (b *run) raw(ctx context.Context) (raw, error) {
	body, err := template(b.target.Operations["purchase"].Body, nil)
	if err != nil {
		return nil, err
	}
	m := newRowMaker(b.opts.Members, body, &b.receipts, b.opts.Seed)
	url, err := b.ground.fresh(ctx, "raw")
	if err != nil {
		return nil, err
	}
	if b.ground.dialect == db.Postgres {
		return newRawPostgres(ctx, url, m)
	}
	return newRawSQLite(ctx, strings.TrimPrefix(url, "sqlite:"), m)
}

// step is one thing to measure in each round.
type step struct {
	op  string
	row *Row
	// do measures it for a time.
	do func(ctx context.Context, during time.Duration) (outcome, error)
	// server is the process whose use is told, nil when it is the load itself.
	server *server
}

// over is a step that sends requests.
func (b *run) over(h *house, r *request, n int) step {
	row := b.out.add(r.name, "http", n)
	return step{op: r.name, row: row, server: h.server, do: func(ctx context.Context, d time.Duration) (outcome, error) {
		return h.load.closed(ctx, r, n, d)
	}}
}

// limit is a step that measures a raw limit.
func (b *run) limit(name string, n int, do func(ctx context.Context, during time.Duration) (outcome, error)) step {
	return step{op: "limit", row: b.out.add(name, "raw", n), do: do}
}

// rounds measures the steps by turns. Every other round goes backwards, so that a machine that slows down does so for all.
func (b *run) rounds(ctx context.Context, steps []step) error {
	for _, s := range steps { // warm up: connections, statements, caches
		if err := b.once(ctx, s, b.opts.Round/4, true); err != nil {
			return err
		}
	}
	for n := range b.opts.Rounds {
		b.tellf("round %d of %d", n+1, b.opts.Rounds)
		order := slices.Clone(steps)
		if n%2 == 1 {
			slices.Reverse(order)
		}
		for _, s := range order {
			if err := b.once(ctx, s, b.opts.Round, false); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *run) once(ctx context.Context, s step, during time.Duration, warming bool) error {
	own := meterOf(os.Getpid())
	var server meter
	if s.server != nil {
		server = s.server.cpu
	}
	before := [3]time.Duration{own.read(), server.read(), b.ground.cpu.read()}
	o, err := s.do(ctx, during)
	if err != nil {
		return err
	}
	after := [3]time.Duration{own.read(), server.read(), b.ground.cpu.read()}
	s.row.Done += o.done
	if warming {
		return nil
	}
	r := Round{PerSecond: o.perSecond(), P50: ms(percentile(o.took, 0.5)), P99: ms(percentile(o.took, 0.99))}
	if len(o.late) > 0 {
		r.Late = ms(percentile(o.late, 0.99))
	}
	if o.done > 0 {
		use := func(i int) float64 { return float64((after[i] - before[i]).Microseconds()) / float64(o.done) }
		r.LoadCPU, r.ServerCPU, r.DatabaseCPU = use(0), use(1), use(2)
	}
	s.row.Rounds = append(s.row.Rounds, r)
	if s.server != nil {
		s.row.Memory, s.row.PeakMemory = s.server.memory()
	}
	return nil
}

func (m meter) read() time.Duration {
	if m == nil {
		return 0
	}
	return m()
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
