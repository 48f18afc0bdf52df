package enginetest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
)

// take takes a fact; whether it is refused is no matter, but what is not a refusal is a fault.
func take(t *rapid.T, d *Desk, h *History, f engine.Fact) *Taken {
	r, err := d.Take(f)
	if errors.Is(err, ErrBroken) || err != nil && errs.CodeOf(err) == errs.CodeInternal {
		t.Fatalf("%s of %s at %s: %v", f.Kind, f.Member, f.OccurredAt, err)
	}
	if err != nil {
		return nil
	}
	h.Took(r.Fact)
	return r
}

func begin(t *rapid.T, o Options) (*Desk, *History) {
	p := Program(t, o)
	d, h := New(p), NewHistory(p, o, "kari", "ola", "per")
	d.Load("cinema", 4)
	d.Strict = true
	for _, m := range h.Members {
		take(t, d, h, h.Enrol(t, m))
	}
	if !o.Plain {
		d.Count(engine.PartnerPaid("airport"), engine.PartnerPeriod, int64(rapid.IntRange(1, 8).Draw(t, "paid ahead"))*1_000_000)
		h.Card = "gft_1"
		take(t, d, h, h.Issue(t))
	}
	return d, h
}

// Whatever happens, the books prove themselves after every fact, and a replay gives the same ones.
func TestAnyHistoryKeepsTheBooks(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d, h := begin(t, Options{})
		for range rapid.IntRange(1, 40).Draw(t, "facts") {
			if f, ok := h.Next(t); ok {
				take(t, d, h, f)
			}
			if err := d.Verify(); err != nil {
				t.Fatal(err)
			}
		}
		if err := d.Replay(); err != nil {
			t.Fatal(err)
		}
	})
}

// A sale less all its returns, in whatever split and whatever came between, is nothing: award by award, line by line, and for
// the tiers.
func TestSaleLessItsReturnsIsNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d, h := begin(t, Options{Orderly: true})
		for range rapid.IntRange(1, 15).Draw(t, "facts") {
			f, ok := h.Next(t)
			if ok && f.Kind != engine.MergeOut && f.Kind != engine.Status {
				take(t, d, h, f)
			}
		}
		for _, m := range h.Members { // so that a return is never refused for want of points
			take(t, d, h, engine.Fact{Kind: engine.AdjustmentK, Member: m, OccurredAt: h.Clock, RecordedAt: h.Clock,
				Adjustment: &engine.Adjustment{Unit: "point", Amount: points(t, 5000, 5000), Reason: "drawn", NeverExpires: true}})
		}
		for _, bought := range h.Bought() {
			for n := 0; ; n++ {
				f := engine.Fact{Kind: engine.ReturnK, Member: bought.Member, Parent: bought.ID, OccurredAt: h.Clock, RecordedAt: h.Clock, Return: &engine.Return{}}
				if n < 6 && rapid.Bool().Draw(t, "in parts") {
					h.giveBack(t, &f)
					if f.Parent != bought.ID {
						f.Parent, f.Member, f.Return = bought.ID, bought.Member, &engine.Return{Amount: cents(t, "money back", 1, 500)}
					}
					take(t, d, h, f)
					continue
				}
				if _, err := d.Simulate(f); errs.Is(err, errs.CodeConflict, "prize_used") {
					return // by a challenge's own policy: a prize in points paid what was owed, so that it is used
				}
				take(t, d, h, f)
				break
			}
			nothingLeft(t, d, bought)
		}
		for _, m := range h.Members {
			for _, s := range d.Account(m).State.Settled {
				if s.Period != "" && (s.Bought != 0 || s.Paid != 0) {
					t.Fatalf("for %s %d is given still, of %d bought", s.Period, s.Paid, s.Bought)
				}
			}
			for name, periods := range d.Account(m).Tallies {
				for period, n := range periods {
					if strings.HasPrefix(name, "challenge:card") || strings.HasPrefix(name, "board:card") {
						continue // it is counted by hand, too
					}
					if n < 0 && !strings.HasPrefix(name, "challenge:") || n > 0 && ofPurchases(name) {
						t.Fatalf("%s still counts %d in %s of %s", m, n, name, period)
					}
				}
			}
		}
		if err := d.Verify(); err != nil {
			t.Fatal(err)
		}
	})
}

// ofPurchases says whether purchases alone make a counter more than nothing.
func ofPurchases(name string) bool {
	for _, p := range []string{"spend", "purchases", "limit:visit", "limit:capped", "limit:more", "limit:parts", "challenge:target/spend/total", "program:limit:budget"} {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

func nothingLeft(t *rapid.T, d *Desk, bought engine.Fact) {
	past := d.Find(bought.Member, bought.ID)
	back := map[int]int64{}
	lines := map[string]engine.LineSum{}
	for _, c := range past.Children {
		for _, r := range c.Decision.Reversals {
			back[r.Award] += r.Amount
		}
		if c.Fact.Kind == engine.ReturnK {
			for _, l := range c.Decision.Lines {
				lines[l.ID] = engine.LineSum{ID: l.ID, Quantity: lines[l.ID].Quantity + l.Quantity, Amount: lines[l.ID].Amount + l.Amount}
			}
		}
	}
	for i, a := range past.Decision.Awards {
		if len(a.Lines) == 0 {
			continue // for a tier: others may carry it
		}
		if back[i] != a.Amount {
			t.Fatalf("of %d that %s gave on %s, %d were taken back", a.Amount, a.Rule, bought.ID, back[i])
		}
	}
	for _, l := range past.Decision.Lines {
		if lines[l.ID] != l {
			t.Fatalf("of line %+v of %s, %+v came back", l, bought.ID, lines[l.ID])
		}
	}
}

// Time that passes in one go is the same as time that passes moment by moment: when the sweep runs does not matter.
func TestLateSweepIsTheSame(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		swept, h := begin(t, Options{Orderly: true})
		other := New(h.P)
		other.Load("cinema", 4)
		other.log = nil
		for name := range swept.counted {
			other.Count(name, engine.PartnerPeriod, swept.counters[name][engine.PartnerPeriod])
		}
		for _, p := range swept.log {
			f := p.Fact
			if _, err := other.Take(f); err != nil {
				t.Fatal(err)
			}
		}
		for range rapid.IntRange(1, 25).Draw(t, "facts") {
			f, ok := h.Next(t)
			if !ok {
				continue
			}
			if rapid.Bool().Draw(t, "sweep") {
				if _, err := swept.Sweep(f.OccurredAt.Add(-time.Duration(rapid.IntRange(0, 50).Draw(t, "ago")) * time.Hour)); err != nil {
					t.Fatal(err)
				}
			}
			f.ID = fmt.Sprintf("%s_x%05d", string(f.Kind[:3]), h.facts)
			a, errA := swept.Take(f)
			b, errB := other.Take(f)
			if (errA == nil) != (errB == nil) {
				t.Fatalf("%s: %v when swept, %v when not", f.Kind, errA, errB)
			}
			if errA == nil {
				h.Took(a.Fact)
				_ = b
			}
		}
		end := h.Clock.Add(90 * 24 * time.Hour)
		for _, d := range []*Desk{swept, other} {
			if _, err := d.Sweep(end); err != nil {
				t.Fatal(err)
			}
			if err := d.Verify(); err != nil {
				t.Fatal(err)
			}
		}
		for _, m := range h.Members {
			if a, b := swept.Account(m), other.Account(m); !cmp.Equal(a, b, sameFacts) {
				t.Fatalf("%s ends otherwise\n%s", m, cmp.Diff(a, b, sameFacts))
			}
		}
	})
}

// sameFacts does not tell facts apart whose ids the desk makes: they depend on when they were decided.
var sameFacts = cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Fact" }, cmp.Comparer(func(a, b string) bool {
	return a == b || strings.HasPrefix(a, "fct_") && strings.HasPrefix(b, "fct_")
}))
