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
	// On names the databases to measure: sqlite, postgres. All that there are when empty, and none when there are targets.
	On []string
	// Targets are other servers. What they describe under the name of a part is measured by turns with that part.
	Targets []*Target
	// What names what to measure, all of [Parts] when empty.
	What []string
	// Quick makes everything small enough for SQLite in 45 seconds.
	Quick bool
	// Rounds is how often each thing is measured; Round how long one takes.
	Rounds int
	Round  time.Duration
	// Clients are the numbers of clients; those that ratios need come besides.
	Clients []int
	// Members is how many members the load is spread over, Moulds how many histories there are among them.
	Members int
	Moulds  int
	// Import is how many purchases a file has, Sweep how many lots are due at once.
	Import int
	Sweep  int
	// Grow bounds how far the database for the last part grows.
	Grow Growth
	// Seed makes the requests.
	Seed uint64
	// Dir is where databases are made, the system's temporary folder when empty.
	Dir string
	// Verify proves the books afterwards.
	Verify bool
	// Tell, when set, is told what is being done.
	Tell func(string)
}

// Growth says how large the database of the last part should become, and what ends it before.
type Growth struct {
	// Small is the number of members and purchases that the others are compared with; Members the next stop, with one
	// purchase each; Purchases the last, with Often each.
	Small     int
	Members   int
	Purchases int
	Often     int
	// Time bounds the filling, Bytes the disk that is used.
	Time  time.Duration
	Bytes int64
}

// Parts are what can be measured.
var Parts = []string{"purchase", "simulate", "balance", "redeem", "import", "sweep", "growth"}

func or[T comparable](value *T, normal T) {
	var zero T
	if *value == zero {
		*value = normal
	}
}

func (o *Options) complete() error {
	if o.Binary == "" {
		self, err := os.Executable()
		if err != nil {
			return fmt.Errorf("find this program: %w", err)
		}
		o.Binary = self
	}
	or(&o.Rounds, 5)
	or(&o.Seed, 1)
	if o.Quick {
		or(&o.Round, 300*time.Millisecond)
		or(&o.Members, 1000)
		or(&o.Moulds, 100)
		or(&o.Import, 1000)
		or(&o.Sweep, 1500)
		or(&o.Grow.Small, 500)
		or(&o.Grow.Members, 5_000)
		or(&o.Grow.Purchases, 50_000)
		or(&o.Grow.Time, 4*time.Second)
		if o.Clients == nil {
			o.Clients = []int{64}
		}
	}
	or(&o.Round, 2*time.Second)
	or(&o.Members, 10_000)
	or(&o.Moulds, 300)
	or(&o.Import, 20_000)
	or(&o.Sweep, 30_000)
	or(&o.Grow.Small, 10_000)
	or(&o.Grow.Members, 1_000_000)
	or(&o.Grow.Purchases, 10_000_000)
	or(&o.Grow.Often, 50)
	or(&o.Grow.Time, 5*time.Minute)
	or(&o.Grow.Bytes, 10<<30)
	if o.Clients == nil {
		o.Clients = []int{1, 8, 64}
	}
	for _, w := range o.What {
		if !slices.Contains(Parts, w) {
			return errs.Invalid("unknown_part", fmt.Sprintf("There is nothing called %q to measure: there are %s.", w, strings.Join(Parts, ", ")))
		}
	}
	for _, name := range o.On {
		if name != string(db.SQLite) && name != string(db.Postgres) {
			return errs.Invalid("unknown_database", fmt.Sprintf("%q is no database known here: there are sqlite and postgres.", name))
		}
	}
	if o.Tell == nil {
		o.Tell = func(string) {}
	}
	return nil
}

func (o *Options) wants(part string) bool { return len(o.What) == 0 || slices.Contains(o.What, part) }

func (o *Options) on(name db.Dialect) bool {
	if len(o.On) == 0 {
		return len(o.Targets) == 0
	}
	return slices.Contains(o.On, string(name))
}

// clients gives the numbers of clients with those that are needed besides.
func (o *Options) clients(needed ...int) []int {
	all := append(slices.Clone(o.Clients), needed...)
	slices.Sort(all)
	return slices.Compact(all)
}

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
	out := &Report{
		At: time.Now().UTC().Truncate(time.Second), Machine: machine(), Seed: o.Seed, Quick: o.Quick, Rounds: o.Rounds, RoundSeconds: o.Round.Seconds(),
		Members: o.Members, Ratios: map[string]float64{}, Databases: map[string]*Database{},
	}
	began := time.Now()
	grounds, err := o.grounds(ctx, dir)
	if err != nil {
		return nil, err
	}
	var meters []meter
	for _, g := range grounds {
		meters = append(meters, g.cpu)
	}
	others := watch(meters)
	for _, g := range grounds {
		b := &run{opts: &o, ground: g, dir: dir, pace: 1, out: newDatabase(g)}
		err := b.all(ctx)
		if err := errors.Join(err, b.close(), g.close()); err != nil {
			return nil, fmt.Errorf("measure on %s: %w", g.dialect, err)
		}
		out.Databases[string(g.dialect)] = b.out
		out.Order = append(out.Order, string(g.dialect))
	}
	if len(grounds) > 0 {
		out.Ratios = out.Databases[out.Order[0]].Ratios
	} else if out.Targets, err = o.targets(ctx); err != nil {
		return nil, err
	}
	out.Seconds = time.Since(began).Seconds()
	out.Others = others.share()
	return out, nil
}

// grounds are the databases to measure on.
func (o *Options) grounds(ctx context.Context, dir string) (out []*ground, err error) {
	if o.on(db.SQLite) {
		out = append(out, sqliteGround(dir))
	}
	if o.Postgres != "" && o.on(db.Postgres) {
		g, err := postgresGround(ctx, o.Postgres)
		if err != nil {
			return nil, err
		}
		out = append(out, g)
	}
	if len(out) == 0 && len(o.Targets) == 0 {
		return nil, errs.Invalid("no_database", "There is no database to measure on: name a PostgreSQL server with --db postgres://…, or measure on sqlite.")
	}
	return out, nil
}

// quickly is how long a quick run may take.
const quickly = 42 * time.Second

// run is the measuring on one database.
type run struct {
	opts     *Options
	ground   *ground
	dir      string
	out      *Database
	receipts atomic.Uint64
	target   *Target
	// main is the database of most parts, limit the raw one beside it.
	main  *world
	limit raw
	// pace makes rounds shorter, down from 1, when a quick run is late because the machine has other things to do.
	pace float64
	// acknowledged counts the purchases that were answered as recorded, or imported.
	acknowledged int
}

func (b *run) tellf(format string, args ...any) {
	b.opts.Tell(string(b.ground.dialect) + ": " + fmt.Sprintf(format, args...))
}

func (b *run) all(ctx context.Context) (err error) {
	if b.target, err = parseTarget(lojalTarget, "lojal.yaml"); err != nil {
		return err
	}
	parts := []struct {
		name string
		do   func(context.Context) error
		// share is how many seconds it takes of a quick run on two quiet cores.
		share int
	}{
		{"purchase", b.purchases, 14}, {"simulate", b.simulations, 4}, {"balance", b.balances, 4}, {"redeem", b.redemptions, 4}, {"import", b.imports, 5},
		{"", b.prove, 0}, {"sweep", b.sweeps, 2}, {"growth", b.growth, 9},
	}
	began := time.Now()
	for i, p := range parts {
		if p.name != "" && !b.opts.wants(p.name) {
			continue
		}
		if b.opts.Quick {
			var left int
			for _, q := range parts[i:] {
				left += q.share
			}
			b.pace = min(1, max(0.3, (quickly-time.Since(began)).Seconds()/float64(left)))
		}
		if err := p.do(ctx); err != nil {
			return err
		}
	}
	b.out.compare()
	return nil
}

func (b *run) close() error {
	if b.limit != nil {
		return b.limit.close()
	}
	return nil
}

// open gives the database of most parts, made when it is first asked for.
func (b *run) open(ctx context.Context) (*world, error) {
	if b.main != nil {
		return b.main, nil
	}
	b.tellf("a program with %d members", b.opts.Members)
	moulds, err := b.regulars().make(ctx, b.dir)
	if err != nil {
		return nil, err
	}
	w, err := b.found(ctx, "main")
	if err != nil {
		return nil, err
	}
	if err := b.settle(ctx, w, moulds, b.opts.Members, bound{}); err != nil {
		return nil, err
	}
	b.main = w
	return w, nil
}

// raw gives the raw limit, made when it is first asked for.
func (b *run) raw(ctx context.Context) (raw, error) {
	if b.limit != nil {
		return b.limit, nil
	}
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
		b.limit, err = newRawPostgres(ctx, url, m)
	} else {
		b.limit, err = newRawSQLite(ctx, strings.TrimPrefix(url, "sqlite:"), m)
	}
	if err != nil {
		b.limit = nil
	}
	return b.limit, err
}

// house is a database with the server on it and the load that speaks to it.
type house struct {
	server *server
	load   *load
	ops    map[string]*request
}

// serve starts the server on a world. Members first to last of it are spoken of.
func (b *run) serve(ctx context.Context, w *world, first, members int) (*house, error) {
	// What a server does at its own pace beside requests would fall on some rounds and not on others, and a database that was
	// grown in minutes has years to be sealed: sealing and sweeping are measured by themselves.
	s, err := startServer(ctx, b.opts.Binary, "serve", "--addr", "127.0.0.1:0", "--db", w.url, "--log-level", "warn", "--sweep-every", "0s", "--seal-every", "0s")
	if err != nil {
		return nil, err
	}
	h := &house{server: s, ops: map[string]*request{}}
	t := *b.target
	t.URL = s.url
	for name := range t.Operations {
		if h.ops[name], err = t.compile(name, map[string]string{"secret": w.secret}); err != nil {
			return nil, errors.Join(err, s.stop())
		}
	}
	h.load, err = newLoad(s.url, members, first, b.opts.Seed, &b.receipts)
	if err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return h, nil
}

func (h *house) close() error {
	h.load.end()
	return h.server.stop()
}

// step is one thing to measure in each round.
type step struct {
	row *Row
	// do measures it for a time.
	do func(ctx context.Context, during time.Duration) (outcome, error)
	// server is the process whose use is told, nil when it is the load itself.
	server *server
	// cold says that there is nothing to warm up: each time is the first.
	cold bool
	// before makes ready for one time, unmeasured.
	before func(ctx context.Context) error
}

// over is a step that sends requests.
func (b *run) over(h *house, r *request, n int) step {
	row := b.out.add(r.name, "http", n)
	return step{row: row, server: h.server, do: func(ctx context.Context, d time.Duration) (outcome, error) {
		return h.load.closed(ctx, r, n, d)
	}}
}

// beside is a step that measures a limit.
func (b *run) beside(name string, n int, do func(ctx context.Context, during time.Duration) (outcome, error)) step {
	return step{row: b.out.add(name, "raw", n), do: do}
}

// rounds measures the steps by turns. Every other round goes backwards, so that a machine that slows down does so for all.
func (b *run) rounds(ctx context.Context, what string, steps []step) error {
	for _, s := range steps { // warm up: connections, statements, caches
		if s.cold {
			continue
		}
		if err := b.once(ctx, s, b.round()/4, true); err != nil {
			return err
		}
	}
	for n := range b.opts.Rounds {
		b.tellf("%s, round %d of %d", what, n+1, b.opts.Rounds)
		order := slices.Clone(steps)
		if n%2 == 1 {
			slices.Reverse(order)
		}
		for _, s := range order {
			if err := b.once(ctx, s, b.round(), false); err != nil {
				return err
			}
		}
	}
	return nil
}

// round is how long a round of one thing takes.
func (b *run) round() time.Duration { return time.Duration(float64(b.opts.Round) * b.pace) }

func (b *run) once(ctx context.Context, s step, during time.Duration, warming bool) error {
	if s.before != nil {
		if err := s.before(ctx); err != nil {
			return err
		}
	}
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
		if o.cpu > 0 {
			r.ServerCPU = float64(o.cpu.Microseconds()) / float64(o.done)
		}
	}
	s.row.PeakMemory = max(s.row.PeakMemory, o.peak)
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
