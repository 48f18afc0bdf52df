package enginetest

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/ledger"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
)

const rebates = `
program: drawn
name: Drawn
time_zone: Europe/Oslo
currency: EUR
units: {krone: {name: krone, precision: 2, worth: 0.80}}
earn: [{id: rebate, on: "every:week", give: {unit: krone, of: spend, percent: 1, steps: [{from: 20.00, percent: 5}, {from: 60.00, percent: 9}], stepped: %s}, round: {to: %s}}]
`

// rebateOf works out by hand what a week should give, in whole parts of 1/8000 before rounding: a cent is worth 1/0.80 of a unit's.
func rebateOf(cents int64, parts bool, round string) int64 {
	var n int64
	for _, s := range []struct{ from, to, percent int64 }{{0, 2000, 1}, {2000, 6000, 5}, {6000, 1 << 40, 9}} {
		switch {
		case cents < s.from:
		case parts:
			n += (min(cents, s.to) - s.from) * s.percent
		default:
			n = cents * s.percent
		}
	}
	n *= 100 // n/8000 units' parts
	q, r := n/8000, n%8000
	if round == "up" && r > 0 || round == "nearest" && 2*r >= 8000 {
		q++
	}
	return q
}

// Whatever comes late or comes back, in whatever order: for each week that is over is given what was bought in it and stayed bought.
func TestARebateIsWhatStayedBought(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		parts, round := rapid.Bool().Draw(t, "parts"), rapid.SampledFrom([]string{"down", "up", "nearest"}).Draw(t, "round")
		d, err := program.Parse(fmt.Appendf(nil, rebates, map[bool]string{false: "whole", true: "each part"}[parts], round), "")
		if err != nil {
			t.Fatal(err)
		}
		p, err := program.Compile(d, 1)
		if err != nil {
			t.Fatal(err)
		}
		desk := New(p)
		desk.Strict = true
		clock := Start
		take := func(f engine.Fact) *Taken {
			f.Member, f.RecordedAt = "kari", clock
			if f.OccurredAt.IsZero() {
				f.OccurredAt = clock
			}
			r, err := desk.Take(f)
			if err != nil {
				t.Fatalf("%s: %v", f.Kind, err)
			}
			return r
		}
		take(engine.Fact{Kind: engine.Enrolment, Enrolment: &engine.EnrolmentBody{}})
		type sale struct {
			id   string
			week string
			left int64
		}
		var sales []sale
		bought := map[string]int64{}
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			clock = clock.Add(time.Duration(rapid.IntRange(0, 100).Draw(t, "hours")) * time.Hour)
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0:
				if _, err := desk.Sweep(clock); err != nil {
					t.Fatal(err)
				}
			case 1:
				if len(sales) == 0 {
					continue
				}
				i := rapid.IntRange(0, len(sales)-1).Draw(t, "which")
				if sales[i].left == 0 {
					continue
				}
				back := int64(rapid.IntRange(1, int(sales[i].left)).Draw(t, "back"))
				amount := money.New(back, 2)
				take(engine.Fact{Kind: engine.ReturnK, Parent: sales[i].id, Return: &engine.Return{Amount: &amount}})
				sales[i].left -= back
				bought[sales[i].week] -= back
			default:
				at := clock.Add(-time.Duration(rapid.IntRange(0, 30).Draw(t, "days late")) * 24 * time.Hour)
				if at.Before(Start) {
					at = Start
				}
				cents := int64(rapid.IntRange(1, 7000).Draw(t, "cents"))
				amount := money.New(cents, 2)
				r := take(engine.Fact{Kind: engine.PurchaseK, OccurredAt: at, Purchase: &engine.Purchase{Amount: &amount}})
				week := program.PeriodKey("week", at, p.Zone)
				sales = append(sales, sale{r.Fact.ID, week, cents})
				bought[week] += cents
			}
		}
		clock = clock.AddDate(0, 0, 8)
		if _, err := desk.Sweep(clock); err != nil {
			t.Fatal(err)
		}
		var all int64
		for week, cents := range bought {
			all += rebateOf(cents, parts, round)
			for _, s := range desk.Account("kari").State.Settled {
				if s.Period == week && (s.Bought != cents || s.Paid != rebateOf(cents, parts, round)) {
					t.Fatalf("for %s %d is given on %d; %d was bought, for which it is %d", week, s.Paid, s.Bought, cents, rebateOf(cents, parts, round))
				}
			}
		}
		h := desk.Account("kari").State.Units["krone"]
		if h == nil {
			h = &ledger.Holding{}
		}
		if h.Balance() != all || h.Earned-h.Reversed != all {
			t.Fatalf("%d is there, and %d were earned; it should be %d", h.Balance(), h.Earned-h.Reversed, all)
		}
		if err := desk.Verify(); err != nil {
			t.Fatal(err)
		}
		if err := desk.Replay(); err != nil {
			t.Fatal(err)
		}
	})
}
