package enginetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"lojal.dev/lojal/internal/engine"
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
		take := func(member string, f engine.Fact) *Taken {
			f.Member, f.RecordedAt = member, clock
			if f.OccurredAt.IsZero() {
				f.OccurredAt = clock
			}
			r, err := desk.Take(f)
			if err != nil {
				t.Fatalf("%s: %v", f.Kind, err)
			}
			return r
		}
		everyone := []string{"anne", "bo", "carl", "dina"}[:rapid.IntRange(1, 4).Draw(t, "members")]
		there := slices.Clone(everyone)
		for _, m := range everyone {
			take(m, engine.Fact{Kind: engine.Enrolment, Enrolment: &engine.EnrolmentBody{}})
		}
		type merge struct {
			into string
			at   time.Time
		}
		merged := map[string]merge{}
		// What is bought in a week is settled for whoever stands for the buyer as the week ends, and for whom it is recorded where it comes later.
		type share struct{ week, member string }
		type sale struct {
			id     string
			member string
			share  share
			left   int64
		}
		standsFor := func(member string, until time.Time) string {
			for m, gone := merged[member]; gone && m.at.Before(until); m, gone = merged[member] {
				member = m.into
			}
			return member
		}
		var sales []*sale
		bringBack := func(s *sale, back int64) {
			amount := money.New(back, 2)
			take(standsFor(s.member, clock.Add(1)), engine.Fact{Kind: engine.ReturnK, Parent: s.id, Return: &engine.Return{Amount: &amount}})
			s.left -= back
		}
		ends := map[string]time.Time{}
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			clock = clock.Add(time.Duration(rapid.IntRange(0, 100).Draw(t, "hours")) * time.Hour)
			switch rapid.IntRange(0, 5).Draw(t, "what") {
			case 0:
				if _, err := desk.Sweep(clock); err != nil {
					t.Fatal(err)
				}
			case 1:
				if len(sales) == 0 {
					continue
				}
				if s := rapid.SampledFrom(sales).Draw(t, "which"); s.left > 0 {
					bringBack(s, int64(rapid.IntRange(1, int(s.left)).Draw(t, "back")))
				}
			case 2:
				if len(there) == 1 {
					continue
				}
				i := rapid.IntRange(0, len(there)-1).Draw(t, "who goes")
				from := there[i]
				there = slices.Delete(there, i, i+1)
				into := rapid.SampledFrom(there).Draw(t, "into")
				take(from, engine.Fact{Kind: engine.MergeOut, Merge: &engine.Merge{Other: into}})
				merged[from] = merge{into, clock}
			default:
				at := clock.Add(-time.Duration(rapid.IntRange(0, 30).Draw(t, "days late")) * 24 * time.Hour)
				if at.Before(Start) {
					at = Start
				}
				cents := int64(rapid.IntRange(1, 7000).Draw(t, "cents"))
				amount := money.New(cents, 2)
				who := rapid.SampledFrom(there).Draw(t, "who")
				r := take(who, engine.Fact{Kind: engine.PurchaseK, OccurredAt: at, Purchase: &engine.Purchase{Amount: &amount}})
				week := program.PeriodKey("week", at, p.Zone)
				ends[week] = program.EndOf("week", at, p.Zone)
				sales = append(sales, &sale{r.Fact.ID, who, share{week, who}, cents})
			}
		}
		clock = clock.AddDate(0, 0, 8)
		if _, err := desk.Sweep(clock); err != nil {
			t.Fatal(err)
		}
		for _, s := range sales {
			s.share.member = standsFor(s.member, ends[s.share.week])
		}
		proved := func() {
			t.Helper()
			bought := map[share]int64{}
			for _, s := range sales {
				bought[s.share] += s.left
			}
			var all, there, earned int64
			for _, cents := range bought {
				all += rebateOf(cents, parts, round)
			}
			for _, m := range everyone {
				acc := desk.Account(m)
				if acc.State.Status == engine.Active {
					for _, s := range acc.State.Settled {
						of := share{s.Period, m}
						if s.Member != "" {
							of.member = s.Member
						}
						if cents := bought[of]; s.Bought != cents || s.Paid != rebateOf(cents, parts, round) {
							t.Fatalf("for %v %d is given on %d; %d was bought, for which it is %d", of, s.Paid, s.Bought, cents, rebateOf(cents, parts, round))
						}
					}
				}
				if h := acc.State.Units["krone"]; h != nil {
					there += h.Balance()
					earned += h.Earned - h.Reversed
				}
			}
			if there != all || earned != all {
				t.Fatalf("%d is there, and %d were earned; it should be %d", there, earned, all)
			}
		}
		proved()
		if rapid.Bool().Draw(t, "all back") {
			for _, s := range sales {
				if s.left > 0 {
					bringBack(s, s.left)
				}
			}
			proved()
		}
		if err := desk.Verify(); err != nil {
			t.Fatal(err)
		}
		if err := desk.Replay(); err != nil {
			t.Fatal(err)
		}
	})
}
