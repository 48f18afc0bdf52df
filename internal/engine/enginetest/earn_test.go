package enginetest

import (
	"fmt"
	"math/big"
	"testing"
	"time"

	"pgregory.net/rapid"

	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
)

// rounded divides in big numbers, by the words of the document.
func rounded(n, d int64, how string) int64 {
	q, r := new(big.Int).QuoRem(big.NewInt(n), big.NewInt(d), new(big.Int))
	twice := new(big.Int).Lsh(r, 1).Cmp(big.NewInt(d))
	up := map[string]bool{"down": false, "up": r.Sign() > 0, "nearest": twice >= 0, "half-even": twice > 0 || twice == 0 && q.Bit(0) == 1}[how]
	if up {
		q.Add(q, big.NewInt(1))
	}
	return q.Int64()
}

// What purchases earn is what a few lines of arithmetic come to: two rates of which one claims its lines, a bonus, a cap of
// the day and a multiplier.
func TestEarningIsPlainArithmetic(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		whole := func(label string, from, to int64) int64 { return rapid.Int64Range(from, to).Draw(t, label) }
		amount, per, foodAmount, foodPer := whole("amount", 1, 9), whole("per", 1, 2000), whole("food", 0, 9), whole("food per", 1, 2000)
		bonus, limit, times := whole("bonus", 1, 50), whole("cap", 1, 3000), whole("times", 100, 350)
		how := rapid.SampledFrom([]string{"down", "up", "nearest", "half-even"}).Draw(t, "round")
		d, err := program.Parse(fmt.Appendf(nil, `program: plain
name: Plain
time_zone: Europe/Oslo
currency: EUR
units: {point: {name: point}}
earn:
  - {id: base, on: purchase, give: {unit: point, amount: %d, per: %s}, round: {to: %s}, limit: {per: day, amount: %d}}
  - {id: food, on: purchase, lines: {category: food}, give: {unit: point, amount: %d, per: %s}, round: {to: %s}, claims_lines: true}
  - {id: bonus, on: purchase, when: {total: {from: 30.00}}, give: {unit: point, amount: %d}}
  - {id: times, on: purchase, multiply: %s}
`, amount, money.Format(per, 2), how, limit, foodAmount, money.Format(foodPer, 2), how, bonus, money.Format(times, 2)), "")
		if err != nil {
			t.Fatal(err)
		}
		p, err := program.Compile(d, 1)
		if err != nil {
			t.Fatal(err)
		}
		desk, at, given := New(p), Start, map[string]int64{}
		if _, err := desk.Take(engine.Fact{Kind: engine.Enrolment, Member: "kari", OccurredAt: at}); err != nil {
			t.Fatal(err)
		}
		for range whole("purchases", 1, 8) {
			at = at.Add(time.Duration(whole("hours", 0, 20)) * time.Hour)
			b := &engine.Purchase{}
			var sums [2]int64 // what is not food, and food
			other := false
			for range whole("lines", 1, 4) {
				food, cents := whole("is food", 0, 1), whole("cents", 0, 9000)
				sums[food] += cents
				other = other || food == 0
				price := money.New(cents, 2)
				b.Lines = append(b.Lines, engine.Line{Category: []string{"", "food"}[food], Amount: &price})
			}
			day := at.In(oslo).Format(time.DateOnly)
			base := min(rounded(sums[0]*amount, per, how), limit-given[day])
			given[day] += base
			food := rounded(sums[1]*foodAmount, foodPer, how)
			want := rounded(base*times, 100, "down") + rounded(food*times, 100, "down")
			if sums[0]+sums[1] >= 3000 && other { // a purchase whose lines are all claimed has nothing left for a bonus
				want += bonus
			}
			r, err := desk.Take(engine.Fact{Kind: engine.PurchaseK, Member: "kari", OccurredAt: at, Purchase: b})
			if err != nil {
				t.Fatal(err)
			}
			if got := r.Decision.Sums()["point"]; got != want {
				t.Fatalf("%v and %v of food earned %d, not %d: %+v", sums[0], sums[1], got, want, r.Decision.Explanation.Rules)
			}
		}
	})
}
