package api

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/ledger"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/web"
)

const twoUnits = `
program: pp
name: P
time_zone: Europe/Oslo
currency: NOK
country: "NO"
units:
  star: {name: star, worth: 0.50, expires: {after: 12 months}}
  kudo: {name: kudo, precision: 2}
earn:
  - {id: base, on: purchase, give: {unit: star, amount: 1, per: 10.00}}
`

// Balances that are written by hand read as those that are filled in and marshalled.
func TestBalancesByHandReadAlike(t *testing.T) {
	t.Parallel()
	doc, err := program.Parse([]byte(twoUnits), "p.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p, err := program.Compile(doc, 1)
	if err != nil {
		t.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(3, 5))
	amount := func() int64 { return []int64{0, 1, 9, 10, 99, 100, 12345, -1, -250, 1 << 40}[rnd.IntN(10)] }
	when := func() *time.Time {
		if rnd.IntN(3) == 0 {
			return nil
		}
		at := time.UnixMicro(1_700_000_000_000_000 + rnd.Int64N(4)*2_629_746_000_000 + rnd.Int64N(2)*rnd.Int64N(1_000_000)).UTC()
		return &at
	}
	type plain Balances
	for range 2000 {
		acc := &engine.Account{Member: []string{"mem_1", "org \"Ødegård\" \t\x7f"}[rnd.IntN(2)], State: engine.State{Units: map[string]*ledger.Holding{}}}
		for _, unit := range []string{"star", "kudo", "øre", "a\"b"} {
			if rnd.IntN(2) == 0 {
				acc.State.Units[unit] = &ledger.Holding{Spendable: amount(), Pending: amount(), Reserved: amount(), Debt: amount(), Earned: amount(), Reversed: amount(),
					Spent: amount(), Expired: amount(), Adjusted: amount(), Transferred: amount(), Closed: amount(), Partners: amount()}
			}
			for range rnd.IntN(4) {
				acc.Lots = append(acc.Lots, &ledger.Lot{ID: int64(len(acc.Lots) + 1), Unit: unit, Fact: "pur_1", EarnedAt: *orNow(when()), ExpiresAt: when(), ReleaseAt: when(),
					Confirm: []string{"", "arrived", "år"}[rnd.IntN(3)], Amount: amount(), Spendable: amount(), Pending: amount(), Reserved: amount()})
			}
		}
		v := view{p: p, lang: "nb"}
		lots := rnd.IntN(4) > 0
		b := &Balances{Member: acc.Member, At: v.time(*orNow(when())), Currency: p.Doc.Currency, acc: acc, of: v, withLots: lots}
		got, err := web.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		filled := plain(*b)
		filled.Balances = v.balances(acc, lots)
		want, err := web.Marshal(&filled)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("by hand\n%s\nmarshalled\n%s", got, want)
		}
	}
}

func orNow(at *time.Time) *time.Time {
	if at == nil {
		at = new(time.Time)
		*at = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	}
	return at
}
