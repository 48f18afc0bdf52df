package enginetest

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ledger"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
)

const paidWith = `
program: drawn
name: Drawn
time_zone: Europe/Oslo
currency: EUR
units: {point: {name: point, precision: %d}}
earn:
  - {id: base, on: purchase, give: {unit: point, amount: 1, per: %s}, basis: {paid_with_points: %s}, round: {to: %s}}
  - {id: item, on: purchase, give: {unit: point, amount: 3, each: item}, lines: {category: food}}
  - {id: wait, on: purchase, give: {unit: point, amount: 2}, pending: {for: 5 days}, when: {total: {from: 10.00}}}
rewards:
  - {id: "off", title: Money off, pay: {unit: point, points: 1, worth: 0.10}}
  - {id: mug, price: {point: 6}, gives: {product: mug}}
spending: {order: %s}
returns: {if_spent: %s, round: %s}
`

// paid is one member who pays with points.
type paid struct {
	t     *rapid.T
	desk  *Desk
	clock time.Time
}

func (p *paid) take(f engine.Fact) (*Taken, error) {
	f.Member, f.RecordedAt, f.OccurredAt = "kari", p.clock, p.clock
	return p.desk.Take(f)
}

func (p *paid) must(f engine.Fact) *Taken {
	r, err := p.take(f)
	if err != nil {
		p.t.Fatalf("%s: %v", f.Kind, err)
	}
	return r
}

// lots gives what there is in each lot, and what is owed as lot 0.
func (p *paid) lots() map[int64]int64 {
	acc := p.desk.Account("kari")
	out := map[int64]int64{}
	for _, l := range acc.Lots {
		if n := l.Spendable + l.Pending + l.Reserved; n != 0 {
			out[l.ID] = n
		}
	}
	if h := acc.State.Units["point"]; h != nil && h.Debt != 0 {
		out[0] = -h.Debt
	}
	return out
}

func sum(lots map[int64]int64) (n int64) {
	for _, k := range lots {
		n += k
	}
	return n
}

// sale draws a purchase that is paid with points in part; nil where there are too few.
func (p *paid) sale() *Taken {
	t := p.t
	b := &engine.Purchase{}
	for i := range rapid.IntRange(1, 4).Draw(t, "lines") {
		q := rapid.SampledFrom([]money.Decimal{money.New(1, 0), money.New(3, 0), money.New(1250, 3)}).Draw(t, "quantity")
		b.Lines = append(b.Lines, engine.Line{ID: fmt.Sprint(i), Category: rapid.SampledFrom([]string{"food", "shoes"}).Draw(t, "category"), Quantity: &q, Amount: cents(t, "amount", 0, 4000)})
	}
	if rapid.IntRange(0, 4).Draw(t, "deposit") == 0 { // bottles that are handed in
		less := money.New(-100, 2)
		b.Lines = append(b.Lines, engine.Line{ID: "deposit", Amount: &less})
	}
	b.Spend = append(b.Spend, rapid.SampledFrom([][]engine.Spend{
		{{Reward: "off", Points: points(t, 1, 60)}}, {{Reward: "off", Max: true}}, {{Reward: "mug", Quantity: int64(rapid.IntRange(1, 4).Draw(t, "mugs"))}},
		{{Reward: "off", Points: points(t, 1, 30)}, {Reward: "mug"}},
	}).Draw(t, "spend")...)
	r, err := p.take(engine.Fact{Kind: engine.PurchaseK, Purchase: b})
	if err != nil {
		return nil
	}
	return r
}

// someBack brings a drawn part of a purchase back, or all that is left; done says that nothing is.
func (p *paid) someBack(sale *Taken, rest bool) (done bool) {
	t := p.t
	ret := &engine.Return{}
	if !rest {
		switch rapid.IntRange(0, 2).Draw(t, "how") {
		case 0:
			ret.Amount = cents(t, "money back", 1, 2500)
		default:
			for _, l := range sale.Fact.Purchase.Lines {
				part := engine.ReturnLine{Line: l.ID}
				switch rapid.IntRange(0, 3).Draw(t, "part") {
				case 0:
					continue
				case 1:
					q := rapid.SampledFrom([]money.Decimal{money.New(1, 0), money.New(1, 1)}).Draw(t, "pieces")
					part.Quantity = &q
				case 2:
					part.Amount = cents(t, "money of the line", 1, 900)
				}
				ret.Lines = append(ret.Lines, part)
			}
			if len(ret.Lines) == 0 {
				return false
			}
		}
	}
	_, err := p.take(engine.Fact{Kind: engine.ReturnK, Parent: sale.Fact.ID, Return: ret})
	if err == nil {
		p.fair(sale)
		return rest
	}
	switch reason := errs.As(err).Reason; {
	case reason == "nothing_left":
	case reason == "points_spent" && rest:
		t.Fatalf("a return is refused though what paid comes back by it: %v", err)
	case rest:
		t.Fatalf("what is left cannot come back: %v", err)
	}
	return rest
}

// fair holds what came back so far to what was paid and earned: the share of the money that came back, rounded once.
func (p *paid) fair(sale *Taken) {
	past := p.desk.Find("kari", sale.Fact.ID)
	var total, back, pieces, backPieces int64
	whole := true
	for _, l := range past.Decision.Lines {
		total += l.Amount
		pieces += l.Quantity
		left := l.Quantity
		for _, c := range past.Children {
			for _, r := range c.Decision.Lines {
				if r.ID == l.ID && c.Fact.Kind == engine.ReturnK {
					back += r.Amount
					left -= r.Quantity
					backPieces += r.Quantity
				}
			}
		}
		whole = whole && left <= 0
	}
	if total <= 0 {
		total, back = pieces, backPieces
	}
	for _, r := range past.Decision.Redemptions {
		now := p.desk.Redemption("kari", r.ID)
		price, got := now.Price["point"], now.Refunded["point"]
		most := price
		if !whole {
			n, err := money.MulDiv(price, max(min(back, total), 0), total, money.HalfUp)
			if err != nil {
				p.t.Fatal(err)
			}
			most = n
		}
		if got > price || whole && got != price || got < most {
			p.t.Fatalf("of %d that %s paid %d came back, when %d of %d of the goods had", price, r.Reward, got, back, total)
		}
	}
	taken := map[int]int64{}
	for _, c := range past.Children {
		for _, r := range c.Decision.Reversals {
			taken[r.Award] += r.Amount
		}
	}
	for i, a := range past.Decision.Awards {
		if taken[i] > a.Amount || whole && taken[i] != a.Amount {
			p.t.Fatalf("of %d that %s gave %d were taken", a.Amount, a.Rule, taken[i])
		}
	}
}

func drawPaid(t *rapid.T, ifSpent []string) *paid {
	pick := func(label string, from ...string) string { return rapid.SampledFrom(from).Draw(t, label) }
	precision := rapid.IntRange(0, 2).Draw(t, "precision")
	doc, err := program.Parse(fmt.Appendf(nil, paidWith, precision, pick("per", "1.00", "0.70", "10.00"), pick("basis", "included", "excluded"), pick("round", "down", "nearest", "up"),
		pick("order", "earliest expiry", "earliest earned"), pick("if spent", ifSpent...), pick("round back", "nearest", "down", "up")), "")
	if err != nil {
		t.Fatal(err)
	}
	c, err := program.Compile(doc, 1)
	if err != nil {
		t.Fatal(err)
	}
	p := &paid{t, New(c), Start}
	p.desk.Strict = true
	p.must(engine.Fact{Kind: engine.Enrolment, Enrolment: &engine.EnrolmentBody{}})
	for range rapid.IntRange(0, 4).Draw(t, "lots") {
		ends := p.clock.AddDate(0, 0, rapid.IntRange(2, 60).Draw(t, "ends"))
		p.must(engine.Fact{Kind: engine.AdjustmentK, Adjustment: &engine.Adjustment{Unit: "point", Amount: points(t, 1, 40), Reason: "drawn", ExpiresAt: &ends}})
	}
	return p
}

// What was paid with points comes back to the lots it left, and what was earned is taken: after the last return, in whatever split and
// order, there is what there was before, and in every lot where nothing was missing in between; also where the purchase was paid with what it earned itself, and whatever the policy says of
// points that are spent.
func TestAReturnOfWhatPointsPaidLeavesEachLotAsItWas(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := drawPaid(t, []string{"debt", "clamp", "refuse"})
		before := p.lots()
		sale := p.sale()
		if sale == nil {
			return
		}
		for range rapid.IntRange(0, 6).Draw(t, "parts") {
			p.clock = p.clock.Add(time.Minute)
			p.someBack(sale, false)
		}
		p.someBack(sale, true)
		after := p.lots()
		if sum(after) != sum(before) {
			t.Fatalf("before there was %v, after it %v", before, after)
		}
		missing := false // a part was to be taken that had paid for another part: it was owed, let go or taken from elsewhere, until that one came back
		for _, c := range p.desk.Find("kari", sale.Fact.ID).Children {
			for _, r := range c.Decision.Reversals {
				missing = missing || r.Owed != 0 || r.Spent != 0
			}
			for _, k := range c.Decision.Postings {
				missing = missing || k.To == ledger.Reversed && before[k.Lot] != 0
			}
		}
		if !missing && !maps.Equal(before, after) {
			t.Fatalf("before there was %v, after it %v", before, after)
		}
		if err := p.desk.Verify(); err != nil {
			t.Fatal(err)
		}
	})
}

// Several purchases and redemptions, each paid with what others earned, and all of them back in turns: nothing is won and nothing lost.
func TestReturnsOfManyThatPaidForEachOtherComeToNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := drawPaid(t, []string{"debt", "clamp"})
		before := sum(p.lots())
		var sales, bought []*Taken
		for range rapid.IntRange(1, 5).Draw(t, "sales") {
			if s := p.sale(); s != nil {
				sales = append(sales, s)
			}
			r, err := p.take(engine.Fact{Kind: engine.Redeem, Redemption: &engine.Redemption{Spend: engine.Spend{Reward: "mug", Quantity: int64(rapid.IntRange(1, 3).Draw(t, "mugs alone"))}}})
			if err == nil {
				bought = append(bought, r)
			}
		}
		p.clock = p.clock.Add(time.Minute)
		for range rapid.IntRange(0, 8).Draw(t, "parts") {
			if len(sales) > 0 {
				p.someBack(rapid.SampledFrom(sales).Draw(t, "which"), false)
			}
		}
		for len(sales)+len(bought) > 0 {
			if len(sales) == 0 || len(bought) > 0 && rapid.Bool().Draw(t, "a redemption") {
				i := rapid.IntRange(0, len(bought)-1).Draw(t, "refunded")
				p.must(engine.Fact{Kind: engine.Refund, Parent: bought[i].Fact.ID})
				bought = slices.Delete(bought, i, i+1)
				continue
			}
			i := rapid.IntRange(0, len(sales)-1).Draw(t, "last")
			p.someBack(sales[i], true)
			sales = slices.Delete(sales, i, i+1)
		}
		if after := sum(p.lots()); after != before {
			t.Fatalf("before there was %d, after it %d", before, after)
		}
		if err := p.desk.Verify(); err != nil {
			t.Fatal(err)
		}
	})
}
