package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// load sends requests to one server. Its connections are kept from round to round.
type load struct {
	base    *url.URL
	members int
	first   int
	seed    uint64
	// receipts counts all requests over all loads of a run, so that no number comes twice.
	receipts *atomic.Uint64
	conns    []*client
}

// client is one caller: a connection, its own chance, and what it saw.
type client struct {
	conn
	rnd     *rand.Rand
	values  values
	request []byte
	scratch []byte
	took    []time.Duration
	done    int
	late    []time.Duration
}

func newLoad(rawURL string, members, first int, seed uint64, receipts *atomic.Uint64) (*load, error) {
	base, err := url.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("read the address: %w", err)
	}
	// What was sent before decides too: no two loads of a run send the same keys.
	return &load{base: base, members: members, first: first, seed: seed ^ receipts.Add(1)<<20, receipts: receipts}, nil
}

func (l *load) end() {
	for _, c := range l.conns {
		c.end()
	}
	l.conns = nil
}

// clients gives n clients that remember nothing of earlier rounds but their connection.
func (l *load) clients(n int) []*client {
	for len(l.conns) < n {
		l.conns = append(l.conns, &client{conn: conn{base: l.base}, rnd: rand.New(rand.NewPCG(l.seed, uint64(len(l.conns))))})
	}
	for _, c := range l.conns[:n] {
		c.took, c.late, c.done = c.took[:0], c.late[:0], 0
	}
	return l.conns[:n]
}

// once sends one request and says whether the answer was one of those expected.
func (c *client) once(ctx context.Context, l *load, r *request) error {
	return c.send(ctx, l, r, -1)
}

// send is once for a given member, whoever comes for -1.
func (c *client) send(ctx context.Context, l *load, r *request, member int) error {
	c.values.draw(c.rnd, l.members, l.first, l.receipts.Add(1))
	if member >= 0 {
		c.values.member = member
	}
	c.request, c.scratch = r.append(c.request[:0], c.scratch, &c.values)
	status, body, err := c.do(ctx, c.request)
	if err != nil {
		return fmt.Errorf("%s: %w", r.name, err)
	}
	if !slices.Contains(r.ok, status) {
		return fmt.Errorf("%s was answered with status %d: %s", r.name, status, short(body))
	}
	return nil
}

func short(b []byte) string {
	s := strings.TrimSpace(string(b))
	if len(s) > 300 {
		s = s[:300] + "…"
	}
	return s
}

// outcome is what a stretch of load came to.
type outcome struct {
	// done is how many requests were answered as expected, in the time wall.
	done int
	wall time.Duration
	// took are their times, sorted.
	took []time.Duration
	// late, in an open loop, is how much later than planned requests were sent.
	late []time.Duration
	// cpu and peak are the processor time and the most memory, in bytes, of a command that ended.
	cpu  time.Duration
	peak int64
}

func (o outcome) perSecond() float64 {
	if o.wall <= 0 {
		return 0
	}
	return float64(o.done) / o.wall.Seconds()
}

func percentile(sorted []time.Duration, p float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	i := int(p*float64(len(sorted)-1) + 0.5)
	return sorted[i]
}

// closed has n clients send one request after another for a time: a new one as soon as the last was answered.
func (l *load) closed(ctx context.Context, r *request, n int, during time.Duration) (outcome, error) {
	clients := l.clients(n)
	// All are connected before the time begins.
	if err := each(clients, func(c *client) error { return c.ready(ctx) }); err != nil {
		return outcome{}, err
	}
	start := time.Now()
	end := start.Add(during)
	var failed atomic.Bool
	err := each(clients, func(c *client) error {
		for before := time.Now(); before.Before(end) && !failed.Load() && ctx.Err() == nil; {
			if err := c.once(ctx, l, r); err != nil {
				failed.Store(true)
				return err
			}
			after := time.Now()
			c.took = append(c.took, after.Sub(before))
			c.done++
			before = after
		}
		return ctx.Err()
	})
	return gather(clients, time.Since(start)), err
}

func (c *client) ready(ctx context.Context) error {
	if c.net != nil {
		return nil
	}
	return c.dial(ctx)
}

// open sends requests by a fixed plan, one each 1/rate seconds, however long the answers take; the time of a request counts
// from the moment when it should have been sent. n is the most that may be under way.
func (l *load) open(ctx context.Context, r *request, n int, rate float64, during time.Duration) (outcome, error) {
	clients := l.clients(n)
	if err := each(clients, func(c *client) error { return c.ready(ctx) }); err != nil {
		return outcome{}, err
	}
	planned := int(rate * during.Seconds())
	plan := make(chan time.Time, planned) // nobody waits to be handed a request: those that are late are late
	start := time.Now().Add(2 * time.Millisecond)
	go func() {
		defer close(plan)
		pace(planned, func(i int) time.Time { return start.Add(time.Duration(float64(i) / rate * float64(time.Second))) }, plan)
	}()
	var failed atomic.Bool
	err := each(clients, func(c *client) error {
		for due := range plan {
			if failed.Load() || ctx.Err() != nil {
				continue // the plan is emptied
			}
			c.late = append(c.late, time.Since(due))
			if err := c.once(ctx, l, r); err != nil {
				failed.Store(true)
				return err
			}
			c.took = append(c.took, time.Since(due))
			c.done++
		}
		return ctx.Err()
	})
	return gather(clients, time.Since(start)), err
}

// pace puts each moment into the plan when it has come.
func pace(n int, at func(int) time.Time, plan chan<- time.Time) {
	nap, rest := napper()
	defer rest()
	for i := range n {
		due := at(i)
		if wait := time.Until(due); wait > 0 {
			nap(wait)
		}
		plan <- due
	}
}

func each(clients []*client, do func(*client) error) error {
	var (
		wg   sync.WaitGroup
		errc = make([]error, len(clients))
	)
	for i, c := range clients {
		wg.Go(func() { errc[i] = do(c) })
	}
	wg.Wait()
	for _, err := range errc {
		if err != nil && !errors.Is(err, context.Canceled) {
			return err
		}
	}
	return errors.Join(errc...)
}

func gather(clients []*client, wall time.Duration) outcome {
	o := outcome{wall: wall}
	for _, c := range clients {
		o.done += c.done
		o.took = append(o.took, c.took...)
		o.late = append(o.late, c.late...)
	}
	slices.Sort(o.took)
	slices.Sort(o.late)
	return o
}
