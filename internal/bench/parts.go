package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
)

// The names under which limits stand in the report.
const (
	rawCommit     = "purchase, 1 connection"
	rawSingle     = "purchase, one a commit"
	rawBatched    = "purchase, 100 a commit"
	rawRedeem     = "redeem, one a commit"
	rawExpire     = "sweep, 100 a commit"
	connections   = 64
	mostClients   = 256
	kindHTTP      = "http"
	kindRaw       = "raw"
	kindEcho      = "echo"
	kindCommand   = "command"
	kindHalfLoad  = "http, half load"
	importMapping = `import: purchases
source: file
dates: {format: iso, zone: Europe/Oslo}
member: {column: card, as: card}
purchase: {receipt: receipt, at: at, store: store, payment: paid}
line: {sku: sku, name: name, category: category, quantity: quantity, amount: amount}
`
)

// purchases measures recording over HTTP, and the raw limit of writing the same rows.
func (b *run) purchases(ctx context.Context) (err error) {
	w, err := b.open(ctx)
	if err != nil {
		return err
	}
	limit, err := b.raw(ctx)
	if err != nil {
		return err
	}
	rawBefore, err := limit.size(ctx)
	if err != nil {
		return err
	}
	var done, rawDone int
	err = b.with(ctx, w, func(h *house) error {
		purchase := h.ops["purchase"]
		var steps []step
		for _, n := range b.opts.clients(1, connections, mostClients) {
			steps = append(steps, b.over(h, purchase, n))
		}
		others, end, err := b.others(ctx, "purchase")
		if err != nil {
			return err
		}
		defer end()
		limits := []step{
			b.beside(rawCommit, 1, func(ctx context.Context, d time.Duration) (outcome, error) { return limit.single(ctx, purchases, 1, d) }),
			b.beside(rawSingle, connections, func(ctx context.Context, d time.Duration) (outcome, error) {
				return limit.single(ctx, purchases, connections, d)
			}),
			b.beside(rawBatched, limit.batchers(), limit.batched),
		}
		if err := b.rounds(ctx, "purchases", append(append(steps, limits...), others...)); err != nil {
			return err
		}
		half := b.halfLoad(h, purchase)
		if err := b.rounds(ctx, "purchases at half load", []step{half}); err != nil {
			return err
		}
		for _, s := range append(steps, half) {
			done += s.row.Done
		}
		for _, s := range limits {
			rawDone += s.row.Done
		}
		return nil
	})
	if err != nil {
		return err
	}
	b.acknowledged += done
	if err := b.ground.settle(ctx, w.url); err != nil {
		return err
	}
	after, err := b.ground.size(ctx, w.url)
	if err != nil {
		return err
	}
	rawAfter, err := limit.size(ctx)
	if err != nil {
		return err
	}
	if err := b.sealing(ctx, w); err != nil {
		return err
	}
	b.out.Disk = &Disk{BytesPerPurchase: float64(after-w.Bytes) / float64(max(done, 1)), RawBytesPerPurchase: float64(rawAfter-rawBefore) / float64(max(rawDone, 1))}
	w.Bytes = after
	return nil
}

// sealing measures once how fast the books are sealed, which a server does every few minutes.
func (b *run) sealing(ctx context.Context, w *world) error {
	return b.once(ctx, step{row: b.out.add("seal facts", kindCommand, 1), do: func(ctx context.Context, _ time.Duration) (outcome, error) {
		out, text, err := runCommand(ctx, b.opts.Binary, "seal", "--db", w.url, "--json")
		if err != nil {
			return out, err
		}
		var told []struct {
			Facts int `json:"facts"`
		}
		if err := json.Unmarshal(text, &told); err != nil {
			return out, fmt.Errorf("read what was sealed: %w", err)
		}
		for _, one := range told {
			out.done += one.Facts
		}
		return out, nil
	}}, 0, false)
}

// with has a server on the world while do runs.
func (b *run) with(ctx context.Context, w *world, do func(h *house) error) error {
	h, err := b.serve(ctx, w, firstCard, w.Members)
	if err != nil {
		return err
	}
	return errors.Join(do(h), h.close())
}

// halfLoad sends purchases by plan, at half the rate of the best that was measured.
func (b *run) halfLoad(h *house, r *request) step {
	var peak float64
	for _, row := range b.out.Measured {
		if row.Name == r.name && row.Kind == kindHTTP {
			row.sum()
			peak = max(peak, row.Median.PerSecond)
		}
	}
	row := b.out.add(r.name, kindHalfLoad, mostClients)
	row.Planned = peak / 2
	return step{row: row, server: h.server, do: func(ctx context.Context, d time.Duration) (outcome, error) {
		return h.load.open(ctx, r, mostClients, row.Planned, d)
	}}
}

func (b *run) simulations(ctx context.Context) error { return b.reads(ctx, "simulate") }

func (b *run) balances(ctx context.Context) error { return b.reads(ctx, "balance") }

// reads measures an operation that writes nothing, and an echo of the same bodies.
func (b *run) reads(ctx context.Context, name string) error {
	w, err := b.open(ctx)
	if err != nil {
		return err
	}
	return b.with(ctx, w, func(h *house) (err error) {
		r := h.ops[name]
		answer, err := h.load.answer(ctx, r)
		if err != nil {
			return err
		}
		echo, load, request, err := b.echo(ctx, name, answer)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, echo.stop()) }()
		defer load.end()
		others, end, err := b.others(ctx, name)
		if err != nil {
			return err
		}
		defer end()
		var steps []step
		for _, n := range b.opts.clients(connections) {
			row := b.out.add(name, kindEcho, n)
			steps = append(steps, b.over(h, r, n), step{row: row, server: echo, do: func(ctx context.Context, d time.Duration) (outcome, error) {
				return load.closed(ctx, request, n, d)
			}})
		}
		return b.rounds(ctx, name, append(steps, others...))
	})
}

// answer gives the answer to one request, as an example.
func (l *load) answer(ctx context.Context, r *request) ([]byte, error) {
	c := l.clients(1)[0]
	if err := c.once(ctx, l, r); err != nil {
		return nil, err
	}
	return append([]byte(nil), c.body...), nil
}

// echo starts a server that gives the answer to every request.
func (b *run) echo(ctx context.Context, name string, answer []byte) (*server, *load, *request, error) {
	data, err := json.Marshal(map[string]json.RawMessage{name: answer})
	if err != nil {
		return nil, nil, nil, fmt.Errorf("the answer to %s is no JSON: %w", name, err)
	}
	file := filepath.Join(b.dir, "answers-"+name+".json")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		return nil, nil, nil, err
	}
	s, err := startServer(ctx, b.opts.Binary, "bench-echo", file)
	if err != nil {
		return nil, nil, nil, err
	}
	t := *b.target
	t.URL = s.url + "/" + name
	t.Operations = map[string]Operation{name: b.target.Operations[name]}
	op := t.Operations[name]
	op.Expect = []int{200}
	t.Operations[name] = op
	r, err := t.compile(name, map[string]string{"secret": b.main.secret})
	if err == nil {
		var l *load
		if l, err = newLoad(s.url, b.opts.Members, firstCard, b.opts.Seed, &b.receipts); err == nil {
			return s, l, r, nil
		}
	}
	return nil, nil, nil, errors.Join(err, s.stop())
}

// redemptions measures redeeming, and the raw limit of a guarded debit.
func (b *run) redemptions(ctx context.Context) error {
	w, err := b.open(ctx)
	if err != nil {
		return err
	}
	limit, err := b.raw(ctx)
	if err != nil {
		return err
	}
	return b.with(ctx, w, func(h *house) error {
		others, end, err := b.others(ctx, "redeem")
		if err != nil {
			return err
		}
		defer end()
		var steps []step
		for _, n := range b.opts.clients(connections) {
			steps = append(steps, b.over(h, h.ops["redeem"], n))
		}
		steps = append(steps, b.beside(rawRedeem, connections, func(ctx context.Context, d time.Duration) (outcome, error) {
			return limit.single(ctx, redemptions, connections, d)
		}))
		return b.rounds(ctx, "redemptions", append(steps, others...))
	})
}

// imports measures `lojal import purchases` of a file made on the spot, and the raw limit of batches.
func (b *run) imports(ctx context.Context) error {
	w, err := b.open(ctx)
	if err != nil {
		return err
	}
	limit, err := b.raw(ctx)
	if err != nil {
		return err
	}
	mapping := filepath.Join(b.dir, "receipts.yaml")
	if err := os.WriteFile(mapping, []byte(importMapping), 0o600); err != nil {
		return err
	}
	file := filepath.Join(b.dir, "receipts.csv")
	row := b.out.add("import", kindCommand, 1)
	command := step{row: row, cold: true,
		before: func(context.Context) error { return b.receiptsFile(file, w.Members) },
		do: func(ctx context.Context, _ time.Duration) (outcome, error) {
			out, text, err := runCommand(ctx, b.opts.Binary, "import", "purchases", file, "--map", mapping, "--db", w.url, "--progress", "none", "--refused", file+".refused", "--json")
			if err != nil {
				return out, err
			}
			var told struct {
				Recorded int `json:"recorded"`
				Refused  int `json:"refused"`
			}
			if err := json.Unmarshal(text, &told); err != nil {
				return out, fmt.Errorf("read the report of the import: %w", err)
			}
			if told.Recorded != b.opts.Import || told.Refused != 0 {
				return out, errs.Internal("import", fmt.Sprintf("%d of %d purchases were imported, and %d rows refused", told.Recorded, b.opts.Import, told.Refused))
			}
			b.acknowledged += told.Recorded
			out.done = told.Recorded
			return out, nil
		}}
	return b.rounds(ctx, "import", []step{command, b.beside(rawBatched+" (import)", limit.batchers(), limit.batched)})
}

// prove counts the purchases in the books, and has the program prove them if that is wanted.
func (b *run) prove(ctx context.Context) error {
	if b.main == nil {
		return nil
	}
	n, err := b.main.inBooks(ctx)
	if err != nil {
		return err
	}
	b.out.Proof = &Proof{Acknowledged: b.acknowledged, InBooks: n - b.main.Purchases}
	if b.out.Proof.InBooks != b.acknowledged {
		return errs.Internal("lost", fmt.Sprintf("%d purchases were acknowledged and %d are in the books", b.acknowledged, b.out.Proof.InBooks))
	}
	if b.opts.Verify {
		b.tellf("proving the books")
		return b.verify(ctx, b.main)
	}
	return nil
}

func (b *run) verify(ctx context.Context, w *world) error {
	_, text, err := runCommand(ctx, b.opts.Binary, "verify", "--db", w.url, "--json")
	if err != nil {
		return fmt.Errorf("the books do not hold: %w: %s", err, short(text))
	}
	if b.out.Proof == nil {
		b.out.Proof = &Proof{}
	}
	b.out.Proof.Verified++
	return nil
}

// sweeps measures `lojal sweep` where many lots have just ended, and the raw limit of ending as many.
func (b *run) sweeps(ctx context.Context) error {
	limit, err := b.raw(ctx)
	if err != nil {
		return err
	}
	b.tellf("%d lots that are due", b.opts.Sweep)
	moulds, err := b.lapsing().make(ctx, b.dir)
	if err != nil {
		return err
	}
	due, err := b.found(ctx, "due")
	if err != nil {
		return err
	}
	if err := b.settle(ctx, due, moulds, b.opts.Sweep/lotsEach, bound{}); err != nil {
		return err
	}
	var now *world
	command := step{row: b.out.add("sweep", kindCommand, 1), cold: true,
		before: func(ctx context.Context) error {
			if now != nil {
				if err := b.ground.drop(ctx, now.url); err != nil {
					return err
				}
			}
			url, err := b.ground.copy(ctx, due.url, "sweep")
			now = &world{url: url, secret: due.secret, grown: due.grown}
			return err
		},
		do: func(ctx context.Context, _ time.Duration) (outcome, error) {
			out, _, err := runCommand(ctx, b.opts.Binary, "sweep", "--db", now.url, "--json")
			out.done = due.lots
			return out, err
		}}
	ended := step{row: b.out.add(rawExpire, kindRaw, limit.batchers()), cold: true,
		before: func(ctx context.Context) error { return limit.fill(ctx, b.opts.Sweep) },
		do:     func(ctx context.Context, _ time.Duration) (outcome, error) { return limit.expire(ctx) }}
	if err := b.rounds(ctx, "sweep", []step{command, ended}); err != nil {
		return err
	}
	left, err := now.dueLots(ctx)
	if err != nil {
		return err
	}
	if left > 0 {
		return errs.Internal("sweep", fmt.Sprintf("%d of %d lots that were due are still open", left, due.lots))
	}
	if b.opts.Verify {
		return b.verify(ctx, now)
	}
	return nil
}

// lapsing are members whose stars of one month have just ended, and nothing else: what was to be warned of was warned of.
func (b *run) lapsing() history {
	zone, err := time.LoadLocation("Europe/Oslo")
	if err != nil {
		zone = time.UTC
	}
	y, m, _ := time.Now().In(zone).Date()
	// Stars of a month end with the same month of the next year: with the last one that is over.
	bought := time.Date(y-1, m-1, 1, 0, 0, 0, 0, zone)
	return history{
		name: "lapsing", moulds: max(1, min(b.opts.Moulds, b.opts.Sweep/lotsEach)), purchases: func(int) int { return lotsEach }, seed: b.opts.Seed,
		from: bought.AddDate(0, 0, 3), until: bought.AddDate(0, 0, 25), upTo: bought.AddDate(1, 1, 0).Add(-time.Hour),
	}
}

// dueLots counts the open lots that should have ended.
func (w *world) dueLots(ctx context.Context) (n int, err error) {
	d, err := db.Open(ctx, w.url, db.Options{})
	if err != nil {
		return 0, err
	}
	err = d.Read(ctx, func(tx *db.Tx) error {
		return tx.QueryRow(ctx, `SELECT COUNT(*) FROM lots WHERE program_id = $1 AND remaining > 0 AND expires_at <= $2`, programID, time.Now().UnixMicro()).Scan(&n)
	})
	return n, errors.Join(err, d.Close())
}

// growth measures what a purchase costs in a large database, beside a small one.
func (b *run) growth(ctx context.Context) error {
	g := b.opts.Grow
	now := time.Now()
	seldom, err := history{name: "seldom", moulds: b.opts.Moulds, purchases: func(int) int { return 1 }, from: now.AddDate(0, -6, 0), until: now.Add(-time.Hour), seed: b.opts.Seed}.make(ctx, b.dir)
	if err != nil {
		return err
	}
	often, err := history{name: "often", moulds: max(1, b.opts.Moulds/10), purchases: func(int) int { return g.Often }, from: now.AddDate(0, -11, 0), until: now.Add(-time.Hour), seed: b.opts.Seed}.make(ctx, b.dir)
	if err != nil {
		return err
	}
	small, err := b.found(ctx, "small")
	if err != nil {
		return err
	}
	if err := b.settle(ctx, small, seldom, g.Small, bound{}); err != nil {
		return err
	}
	large, err := b.found(ctx, "large")
	if err != nil {
		return err
	}
	g.Time = time.Duration(float64(g.Time) * b.pace)
	b.tellf("growing to %d members", g.Members)
	if err := b.settle(ctx, large, seldom, g.Members, bound{until: time.Now().Add(g.Time / 3), bytes: g.Bytes / 3}); err != nil {
		return err
	}
	first := large.Members
	if !b.opts.Quick {
		if err := b.compareSizes(ctx, small, large, firstCard, first); err != nil {
			return err
		}
	}
	more := max(0, g.Purchases-large.Purchases) / g.Often
	b.tellf("growing to %d purchases", g.Purchases)
	if err := b.settle(ctx, large, often, more, bound{until: time.Now().Add(g.Time * 2 / 3), bytes: g.Bytes}); err != nil {
		return err
	}
	// Those who come often have a history; purchases are spread over them and as many of the others.
	long := large.Members - first
	if long > 0 || b.opts.Quick {
		if err := b.compareSizes(ctx, small, large, firstCard+max(0, first-long), min(max(long, 1), first)+long); err != nil {
			return err
		}
	}
	if !b.opts.Verify {
		return nil
	}
	for _, w := range []*world{small, large} {
		if err := b.verify(ctx, w); err != nil {
			return err
		}
	}
	return nil
}

// compareSizes measures purchases in both databases by turns.
func (b *run) compareSizes(ctx context.Context, small, large *world, firstOfLarge, members int) error {
	return b.with(ctx, small, func(s *house) (err error) {
		l, err := b.serve(ctx, large, firstOfLarge, members)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, l.close()) }()
		steps := []step{b.over(s, s.ops["purchase"], connections), b.over(l, l.ops["purchase"], connections)}
		for i, w := range []*world{small, large} {
			steps[i].row.Name = fmt.Sprintf("purchase, %d members and %d purchases there", w.Members, w.Purchases)
		}
		b.out.Sizes = append(b.out.Sizes, &Size{Small: small.grown, Large: large.grown, small: steps[0].row, large: steps[1].row})
		return b.rounds(ctx, "purchases among many", steps)
	})
}
