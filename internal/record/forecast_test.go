package record_test

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/explain"
	"lojal.dev/lojal/internal/member"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/record"
)

const growing = `
program: shop
name: Shop
time_zone: Europe/Oslo
currency: NOK
units:
  krone: {name: {en: {one: krone, other: kroner}}, precision: 2, worth: 1.00}
  star: {name: {en: {one: star, other: stars}}, expires: {end_of: month}}
earn:
  - {id: growth, title: Growth, on: "every:month", give: {unit: krone, percent: 1, of: balance}, from: 2026-05-01}
  - {id: allowance, on: "every:month", give: {unit: star, amount: 5}}
  - {id: birthday, on: birthday, give: {unit: krone, amount: 10.00}, pending: {for: 10 days}}
  - {id: gift, on: "date:06-01", give: {unit: krone, amount: 1.00}, limit: {each: program, per: year, amount: 7.00}}
  - {id: rebate, on: "every:quarter", give: {unit: krone, of: spend, steps: [{from: 1000.00, percent: 2}, {from: 5000.00, percent: 4}]}}
`

func adjust(m, unit, amount string, at time.Time) record.Request {
	d := money.MustParse(amount)
	return record.Request{Member: m, Fact: engine.Fact{Kind: engine.AdjustmentK, OccurredAt: at, Adjustment: &engine.Adjustment{Unit: unit, Amount: &d, Reason: "test", NeverExpires: true}}}
}

// A forecast keeps nothing, and what it says is what comes.
func TestAForecastComesTrue(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		k := openWith(t, d, record.Options{}, growing)
		m := k.must(record.Request{Fact: engine.Fact{Kind: engine.Enrolment, OccurredAt: noon}, Enrol: &member.New{Profile: member.Profile{ExternalID: "a", Birth: "1990-05-25"}}}).Fact.Member
		k.must(adjust(m, "krone", "500.00", noon))
		k.must(purchase(m, "1500.00", noon.Add(time.Hour)))
		now, until := noon.Add(2*time.Hour), time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
		o, acc, p, err := k.r.Forecast(t.Context(), "shop", m, now, until)
		if err != nil {
			t.Fatal(err)
		}
		if acc.Member != m || o.Now["krone"] != 50000 || o.Now["star"] != 0 {
			t.Errorf("now it is %v", o.Now)
		}
		says := explain.Statement(o.Says("krone", until), p, "en", true)
		if says != "If you keep 500 kroner until 1 July 2026 at 14:00, you will have 557.16 kroner." {
			t.Error(says)
		}
		day := func(m time.Month, d int) string {
			return time.Date(2026, m, d, 0, 0, 0, 0, p.Zone).Format(time.DateOnly)
		}
		var got [][]string
		for _, c := range o.Changes {
			got = append(got, []string{c.At.In(p.Zone).Format(time.DateOnly), c.Kind, c.Unit, c.Rule, strconv.FormatInt(c.Amount, 10), strconv.FormatInt(c.Balance, 10)})
		}
		want := [][]string{
			{day(4, 1), "earned", "star", "allowance", "5", "5"},
			{day(4, 1), "earned", "krone", "rebate", "3000", "53000"},
			{day(5, 1), "expired", "star", "", "5", "0"},
			{day(5, 1), "earned", "krone", "growth", "530", "53530"},
			{day(5, 1), "earned", "star", "allowance", "5", "5"},
			{day(5, 25), "pending", "krone", "birthday", "1000", "53530"},
			{day(6, 1), "expired", "star", "", "5", "0"},
			{day(6, 1), "earned", "krone", "growth", "535", "54065"},
			{day(6, 1), "earned", "star", "allowance", "5", "5"},
			{day(6, 1), "earned", "krone", "gift", "100", "54165"},
			{day(6, 4), "released", "krone", "", "1000", "55165"},
			{day(7, 1), "expired", "star", "", "5", "0"},
			{day(7, 1), "earned", "krone", "growth", "551", "55716"},
			{day(7, 1), "earned", "star", "allowance", "5", "5"},
		}
		// The moments of a day are decided in the document's order, and the first day of a quarter is one of a month too.
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if _, _, _, err := k.r.Forecast(t.Context(), "shop", m, now, now.AddDate(6, 0, 0)); !errs.Is(err, errs.CodeInvalid, "out_of_range") {
			t.Errorf("six years ahead: %v", err)
		}
		acc, _, err = k.r.View(t.Context(), "shop", m, now)
		if err != nil || acc.State.Units["krone"].Spendable != 50000 || acc.State.Seq != 3 {
			t.Errorf("the forecast was kept: %+v %v", acc, err)
		}
		targets, _, p, err := k.r.Targets(t.Context(), "shop", m, now)
		if err != nil || len(targets) != 1 {
			t.Fatal(targets, err)
		}
		if s := explain.Statement(targets[0].Says(), p, "en", true); s != "You have bought for NOK\u00a01,500.00, which gives 30 kroner for “rebate”. Buy for NOK\u00a03,500.00 more by 31 March 2026, and it is 4%." {
			t.Error(s)
		}
		if _, err := k.r.BringUp(t.Context(), []books.Ref{{Program: "shop", Member: m}}, until); err != nil {
			t.Fatal(err)
		}
		acc, _, err = k.r.View(t.Context(), "shop", m, until)
		if err != nil || acc.State.Units["krone"].Balance() != o.Then["krone"] || acc.State.Units["star"].Balance() != o.Then["star"] {
			t.Errorf("it came otherwise: %+v, and it was to be %v", acc.State.Units, o.Then)
		}
		targets, _, _, err = k.r.Targets(t.Context(), "shop", m, until)
		if err != nil || len(targets[0].Settled) != 1 || targets[0].Settled[0].Paid != 3000 || targets[0].Settled[0].Period != "2026-Q1" || targets[0].Period != "2026-Q3" {
			t.Errorf("%+v %v", targets, err)
		}
	})
}

// Sweeps that run at once, and tills that come first, give out no more of a budget than there is, and each moment once.
func TestABudgetOfAMomentIsExact(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		k := openWith(t, d, record.Options{}, growing)
		refs := make([]books.Ref, 24)
		for i := range refs {
			refs[i] = books.Ref{Program: "shop", Member: k.enrol(strconv.Itoa(i))}
		}
		june := time.Date(2026, 6, 2, 0, 0, 0, 0, time.UTC)
		var all sync.WaitGroup
		for n := range 4 {
			all.Go(func() {
				for i := range refs {
					ref := refs[(i*7+n*5)%len(refs)]
					if n == 0 {
						if _, err := k.take(purchase(ref.Member, "10.00", june)); err != nil {
							t.Error(err)
						}
						continue
					}
					if _, err := k.r.BringUp(context.Background(), []books.Ref{ref}, june); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		var given int64
		for _, ref := range refs {
			acc, _, err := k.r.View(t.Context(), "shop", ref.Member, june)
			if err != nil {
				t.Fatal(err)
			}
			if h := acc.State.Units["krone"]; h != nil {
				given += h.Earned
			}
			if s := acc.State.Units["star"]; s.Earned != 15 || s.Spendable != 5 {
				t.Errorf("the allowance of three months came to %+v", s)
			}
		}
		if given != 700 {
			t.Errorf("%d were given of a budget of 700", given)
		}
	})
}
