package enginetest

import (
	"errors"
	"fmt"
	"slices"
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
		h.Card, h.Coupon = "gft_1", "cpn_1"
		take(t, d, h, h.Issue(t))
		take(t, d, h, h.IssueCode())
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
				off(t, d, f, take(t, d, h, f))
			}
			if rapid.IntRange(0, 5).Draw(t, "follow") == 0 {
				if err := d.Follow(); err != nil {
					t.Fatal(err)
				}
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
		if err := d.Follow(); err != nil {
			t.Fatal(err)
		}
		usesBack(t, d)
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
		if err := d.Replay(); err != nil {
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

// off sees that what was brought with a purchase took off just what the goods cost less for it.
func off(t *rapid.T, d *Desk, f engine.Fact, r *Taken) {
	if r == nil || !f.Brings() || len(f.Purchase.Spend) > 0 {
		return
	}
	plain := *f.Purchase
	plain.Codes, plain.Redemptions = nil, nil
	f.Purchase = &plain
	without, err := d.Simulate(f)
	if err != nil {
		t.Fatalf("without what was brought it is refused: %v", err)
	}
	var less, sum int64
	for i, l := range without.Decision.Lines {
		with := r.Decision.Lines[i]
		if less += l.Amount - with.Amount; with.Amount > l.Amount || with.Amount < min(l.Amount, 0) {
			t.Fatalf("line %+v costs %+v with what was brought", l, with)
		}
	}
	for _, u := range r.Fact.Purchase.Codes {
		n, err := u.Amount.Minor(r.Program.Exponent)
		if err != nil || n < 0 {
			t.Fatal(u, err)
		}
		sum += n
	}
	if sum != less {
		t.Fatalf("%d were taken off, the goods cost %d less", sum, less)
	}
}

// usesBack sees that of what was used with purchases that all came back no use is left, and none came back twice: by the facts, and by what is counted.
func usesBack(t *rapid.T, d *Desk) {
	type place struct{ member, name, period string }
	counted := map[place]int64{}
	uses := map[string]int{}
	for i := range d.log {
		p := &d.log[i]
		f := &p.Fact
		switch {
		case f.Kind == engine.PurchaseK:
			for k := range f.Purchase.Codes {
				uses[f.Purchase.Codes[k].Use]++
			}
			continue
		case f.Kind == engine.ReturnK:
			for _, c := range d.Find(f.Member, f.Parent).Fact.Purchase.Codes {
				if back(p, c) {
					uses[c.Use]--
				}
			}
		case f.Coupon != nil && f.Coupon.Purchase != "", f.Use != nil && f.Use.Purchase != "":
		case f.Source == engine.FollowUpSource && (f.Coupon != nil || f.Voucher != nil):
		default:
			continue
		}
		for _, c := range p.Decision.Counters {
			if name := strings.TrimPrefix(c.Name, engine.ProgramTally); strings.HasPrefix(name, "coupon:") || strings.HasPrefix(name, "benefit:") {
				at := place{f.Member, c.Name, c.Period}
				if name != c.Name {
					at.member = ""
				}
				counted[at] += c.Add
			}
		}
		if f.Source == engine.FollowUpSource && f.Coupon != nil {
			uses[f.Parent]--
		}
		if f.Source == engine.FollowUpSource && f.Voucher != nil {
			uses[f.Voucher.Use]--
		}
	}
	for use, n := range uses {
		if n != 0 {
			t.Fatalf("%s was used with a purchase and stands %d times", use, n)
		}
	}
	for at, n := range counted {
		if n != 0 {
			t.Fatalf("%d of %s are counted still in %s of %s", n, at.name, at.period, at.member)
		}
	}
	for _, m := range d.Members() {
		for _, r := range d.Redeemed(m) {
			if r.Voucher != nil && slices.ContainsFunc(r.Voucher.Used, func(u engine.VoucherUse) bool { return u.Purchase != "" }) {
				t.Fatalf("%s is used with a purchase still: %+v", r.ID, r.Voucher.Used)
			}
		}
		if wrong := engine.CheckCoupon(&d.Account(m).State, d.Facts(m)); wrong != "" {
			t.Fatal(wrong)
		}
	}
}

// back says whether a return gave back a use that stands in its own books.
func back(p *engine.Past, c engine.CodeUse) bool {
	if c.Holder != "" {
		return false
	}
	return slices.ContainsFunc(p.Decision.Events, func(e engine.Event) bool {
		return c.Coupon != "" && e.Type == engine.EvCouponUndone && e.Data["coupon"] == c.Coupon || c.Benefit != "" && e.Type == engine.EvBenefitUnused && e.Data["use"] == c.Use
	})
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
