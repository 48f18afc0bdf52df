package faults

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"
)

// desk is a program with nodes to ask, without a log.
type desk struct {
	*run
	secret string
	caller *caller
}

// openDesk starts as many nodes as there can be on the database, up to n.
func openDesk(r *run, n int, args ...string) *desk {
	r.Helper()
	d := &desk{run: r, secret: r.publish()}
	d.caller = newCaller(d.secret)
	if r.sqlite() {
		n = 1
	}
	for range n {
		one := r.node(args...)
		one.start()
	}
	return d
}

// base gives one of the nodes, in turn.
func (d *desk) base(i int) string { return d.nodes[i%len(d.nodes)].address() }

// storm sends n requests at the same moment, made for each and spread over the nodes.
func (d *desk) storm(n int, of func(i int) request) []reply {
	replies := make([]reply, n)
	var ready, all sync.WaitGroup
	ready.Add(n)
	for i := range n {
		all.Go(func() {
			q := of(i)
			ready.Done()
			ready.Wait()
			replies[i] = d.caller.send(context.WithoutCancel(d.Context()), d.base(i), q)
		})
	}
	all.Wait()
	return replies
}

// TestR03RetryStorm sends the same request fifty times at once, again after a kill, and again: one effect, one answer.
func TestR03RetryStorm(t *testing.T) {
	t.Parallel()
	each(t, func(r *run) {
		d := openDesk(r, 2)
		member := d.caller.enrol(r, d.base(0), "person", 1)[0]
		d.caller.must(r, d.base(0), give(member, 1_000_000, "float"), nil)
		want := int64(1_000_000)
		for round := range times(3, 60) {
			id := "s" + strconv.Itoa(round)
			n := 1 + r.rnd.Int64N(100)
			key := map[string]any{"source": bankIs, "external_id": id}
			var q request
			switch round % 3 {
			case 0:
				q, want = purchase(member, n, bankIs, id), want+n
			case 1:
				key["member"], key["reward"], key["quantity"], key["commit"] = member, "token", n, true
				q, want = post("/v1/redemptions", id, key), want-n
			case 2: // under the key alone, without a receipt number
				q, want = post("/v1/adjustments", id, map[string]any{"member": member, "unit": "point", "amount": -n, "reason": "storm"}), want-n
			}
			if round%2 == 1 { // the node is killed in the middle of it
				victim := d.nodes[r.rnd.IntN(len(d.nodes))]
				timer := time.AfterFunc(between(r.rnd, 0, 15*time.Millisecond), victim.kill)
				for _, p := range d.storm(50, func(int) request { return q }) {
					if o := p.outcome(); o == broken || o == refused && !p.unsent {
						r.Errorf("in a storm with a kill: %s", p)
					}
					r.count("answers "+string(p.outcome()), 1)
				}
				timer.Stop()
				victim.kill()
				victim.start()
			}
			first := d.caller.must(r, d.base(round), q, nil)
			if first.status != http.StatusCreated {
				r.Errorf("the answer under the key is %d, not the original 201: %s", first.status, first)
			}
			d.sameAnswers(50, q, first)
			d.nodes[0].kill()
			d.nodes[0].start()
			d.sameAnswers(10, q, first)
			if have := d.caller.balances(r, d.base(0), member)["point"].Balance; have != want {
				r.Fatalf("round %d: the member has %d points and should have %d", round, have, want)
			}
		}
		for _, n := range d.nodes {
			n.stop()
		}
		r.prove()
	})
}

// TestR03FirstStorm is a storm that nothing came before: fifty at once, one of which is first.
func TestR03FirstStorm(t *testing.T) {
	t.Parallel()
	each(t, func(r *run) {
		d := openDesk(r, 2)
		member := d.caller.enrol(r, d.base(0), "person", 1)[0]
		want := int64(0)
		for round := range times(10, 200) {
			id := "f" + strconv.Itoa(round)
			n := 1 + r.rnd.Int64N(100)
			want += n
			q := purchase(member, n, bankIs, id)
			if round%2 == 1 { // known by the receipt alone: the first is new, the others are told what was decided
				q.key = ""
			}
			var first *reply
			created := 0
			for _, p := range d.storm(50, func(int) request { return q }) {
				switch {
				case p.status == http.StatusConflict && q.key != "":
					r.count("answered 409 while in flight", 1)
					continue
				case p.outcome() != acked:
					r.Errorf("in a storm: %s", p)
					continue
				}
				var a answer
				if err := p.into(&a); err != nil {
					r.Error(err)
				}
				if q.key == "" {
					if p.status == http.StatusCreated && !a.Duplicate {
						created++
					} else if p.status != http.StatusOK || !a.Duplicate {
						r.Errorf("a receipt that is known: %s", p)
					}
					continue
				}
				if !p.replayed {
					created++
				}
				if first == nil {
					first = &p
				} else if p.status != first.status || !bytes.Equal(p.body, first.body) {
					r.Errorf("two answers under one key:\n%s\n%s", first, p)
				}
			}
			if created != 1 {
				r.Errorf("%d of fifty say that they are the first", created)
			}
			r.count("storms", 1)
		}
		if have := d.caller.balances(r, d.base(0), member)["point"].Balance; have != want {
			r.Errorf("the member has %d points and should have %d", have, want)
		}
		for _, n := range d.nodes {
			n.stop()
		}
		r.prove()
	})
}

// sameAnswers sends the request n times at once: each answer is the first one, or 409 while it is in flight.
func (d *desk) sameAnswers(n int, q request, first reply) {
	d.Helper()
	for _, p := range d.storm(n, func(int) request { return q }) {
		switch {
		case p.status == http.StatusConflict:
			d.count("answered 409 while in flight", 1)
		case p.status != first.status || !p.replayed || !bytes.Equal(p.body, first.body):
			d.Errorf("first %s, then (replayed %v) %s", first, p.replayed, p)
		default:
			d.count("same answers", 1)
		}
	}
}

// TestR05RaceForTheWholeBalance lets two to fifty clients redeem all that a member has, at the same moment.
func TestR05RaceForTheWholeBalance(t *testing.T) {
	t.Parallel()
	each(t, func(r *run) {
		d := openDesk(r, 2)
		for round := range times(15, 300) {
			member := d.caller.enrol(r, d.base(round), "racer"+strconv.Itoa(round), 1)[0]
			n := 1 + r.rnd.Int64N(1000)
			d.caller.must(r, d.base(round), give(member, n, "give"+strconv.Itoa(round)), nil)
			racers := 2 + r.rnd.IntN(49)
			spend := func(i int) request {
				return post("/v1/redemptions", fmt.Sprintf("race%d-%d", round, i),
					map[string]any{"member": member, "reward": "token", "quantity": n, "commit": round%3 != 0})
			}
			if round%5 == 4 { // by giving it away
				other := d.caller.enrol(r, d.base(round), "friend"+strconv.Itoa(round), 1)[0]
				spend = func(i int) request {
					return post("/v1/transfers", fmt.Sprintf("race%d-%d", round, i), map[string]any{"from": member, "to": other, "unit": "point", "amount": n})
				}
			}
			won := 0
			for _, p := range d.storm(racers, spend) {
				switch {
				case p.status == http.StatusCreated:
					won++
				case p.outcome() != refused || p.problem.Reason != "balance_too_low":
					r.Errorf("in a race: %s", p)
				}
			}
			if h := d.caller.balances(r, d.base(round), member)["point"]; won != 1 || h.Spendable != 0 || h.Debt != 0 {
				r.Errorf("%d of %d won the race for %d points, and there is left %+v", won, racers, n, h)
			}
			r.count("races", 1)
			r.count("racers", racers)
		}
		for _, n := range d.nodes {
			n.stop()
		}
		r.prove()
	})
}
