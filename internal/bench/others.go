package bench

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"
)

// other is a server that is not ours: what it uses is not known.
type other struct {
	target *Target
	load   *load
}

// visit makes a load for another server, and sends what it wants to have before.
func (o *Options) visit(ctx context.Context, t *Target, receipts *atomic.Uint64) (*other, error) {
	l, err := newLoad(t.URL, t.Members, t.FirstMember, o.Seed, receipts)
	if err != nil {
		return nil, err
	}
	for i, op := range t.Setup {
		r, err := t.ready(fmt.Sprintf("setup %d of %s", i+1, t.Name), op, nil)
		if err != nil {
			return nil, err
		}
		o.Tell(fmt.Sprintf("%s, for %d members", r.name, t.Members))
		if err := l.everybody(ctx, r); err != nil {
			l.end()
			return nil, err
		}
	}
	return &other{t, l}, nil
}

// everybody sends a request once for each member.
func (l *load) everybody(ctx context.Context, r *request) error {
	var next atomic.Int64
	return each(l.clients(8), func(c *client) error {
		for {
			n := int(next.Add(1)) - 1
			if n >= l.members || ctx.Err() != nil {
				return ctx.Err()
			}
			if err := c.send(ctx, l, r, l.first+n); err != nil {
				return err
			}
		}
	})
}

// others are the steps for what other servers describe under a part's name; end lets them go.
func (b *run) others(ctx context.Context, part string) (steps []step, end func(), err error) {
	var visited []*other
	end = func() {
		for _, v := range visited {
			v.load.end()
		}
	}
	for _, t := range b.opts.Targets {
		if _, ok := t.Operations[part]; !ok {
			continue
		}
		v, err := b.opts.visit(ctx, t, &b.receipts)
		if err != nil {
			end()
			return nil, nil, err
		}
		visited = append(visited, v)
		more, err := v.steps(b.out, b.opts, part)
		if err != nil {
			end()
			return nil, nil, err
		}
		steps = append(steps, more...)
	}
	return steps, end, nil
}

func (v *other) steps(out *Database, o *Options, name string) ([]step, error) {
	r, err := v.target.compile(name, nil)
	if err != nil {
		return nil, err
	}
	clients := v.target.Operations[name].Clients
	if len(clients) == 0 {
		clients = o.clients(connections)
	}
	var steps []step
	for _, n := range clients {
		steps = append(steps, step{row: out.add(name, v.target.Name, n), do: func(ctx context.Context, d time.Duration) (outcome, error) {
			return v.load.closed(ctx, r, n, d)
		}})
	}
	return steps, nil
}

// targets measures other servers alone.
func (o *Options) targets(ctx context.Context) (map[string]*Database, error) {
	out := map[string]*Database{}
	for _, t := range o.Targets {
		b := &run{opts: o, pace: 1, ground: &ground{dialect: "target"}, out: &Database{Ratios: map[string]float64{}}}
		if err := b.visited(ctx, t); err != nil {
			return nil, fmt.Errorf("measure %s: %w", t.Name, err)
		}
		b.out.compare()
		out[t.Name] = b.out
	}
	return out, nil
}

func (b *run) visited(ctx context.Context, t *Target) error {
	v, err := b.opts.visit(ctx, t, &b.receipts)
	if err != nil {
		return err
	}
	defer v.load.end()
	var steps []step
	for _, name := range slices.Sorted(maps.Keys(t.Operations)) {
		more, err := v.steps(b.out, b.opts, name)
		if err != nil {
			return err
		}
		steps = append(steps, more...)
	}
	return b.rounds(ctx, t.Name, steps)
}
