package record_test

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/member"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/verify"
	"lojal.dev/lojal/internal/version"
)

const shop = `
program: shop
name: Shop
time_zone: Europe/Oslo
currency: NOK
country: "NO"
units:
  point:
    name: {en: {one: point, other: points}}
    expires: {after: 12 months, at: end of month, warn: 30 days}
activities:
  visit: {}
earn:
  - id: base
    on: purchase
    give: {unit: point, amount: 1, per: 1.00}
  - id: budget
    on: activity:visit
    give: {unit: point, amount: 10}
    limit: {each: program, per: lifetime, amount: 55}
tiers:
  club:
    by: {sum: spend, window: rolling 12 months}
    steps: [{id: basic, from: 0}, {id: gold, from: 1000.00}]
    down: {to: earned, grace: 30 days}
rewards:
  - id: hundred
    price: {point: 100}
    gives: {product: cup}
  - id: rare
    price: {point: 10}
    gives: {product: mug}
    stock: 3
  - id: voucher
    price: {point: 50}
    gives: {voucher: {money: 25.00, valid: 3 months}}
transfers: {units: point}
returns: {if_spent: refuse}
`

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// desk is a recorder with the shop's program.
type desk struct {
	t *testing.T
	d *db.DB
	r *record.Recorder
	v *version.Cache
}

func open(t *testing.T, d *db.DB) *desk {
	t.Helper()
	return openWith(t, d, record.Options{}, shop)
}

func openWith(t *testing.T, d *db.DB, opts record.Options, text string) *desk {
	t.Helper()
	doc, err := program.Parse([]byte(text), "shop.yaml")
	if err != nil {
		t.Fatal(err)
	}
	err = d.Write(t.Context(), func(tx *db.Tx) error {
		_, err := version.Publish(t.Context(), tx, version.PublishInput{Program: "shop", Document: doc, By: "test", Now: noon.AddDate(-10, 0, 0)})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	v := &version.Cache{}
	k := &desk{t, d, record.NewWith(d, v, opts), v}
	t.Cleanup(func() {
		k.r.Close()
		report, err := verify.Run(context.Background(), d, v, "shop", verify.Options{})
		if err != nil {
			t.Error(err)
			return
		}
		for _, f := range report.Findings {
			t.Error(f)
		}
	})
	return k
}

func (k *desk) take(req record.Request) (*record.Result, error) {
	if req.Program == "" {
		req.Program = "shop"
	}
	if req.Now.IsZero() {
		req.Now = noon
		if !req.Fact.OccurredAt.IsZero() {
			req.Now = req.Fact.OccurredAt
		}
	}
	return k.r.Record(context.Background(), req)
}

func (k *desk) must(req record.Request) *record.Result {
	k.t.Helper()
	r, err := k.take(req)
	if err != nil {
		k.t.Fatalf("%s: %v", req.Fact.Kind, err)
	}
	return r
}

func enrolment(ext string, at time.Time) record.Request {
	return record.Request{Fact: engine.Fact{Kind: engine.Enrolment, OccurredAt: at}, Enrol: &member.New{Profile: member.Profile{ExternalID: ext}}}
}

func (k *desk) enrol(ext string) string {
	k.t.Helper()
	return k.must(enrolment(ext, noon)).Fact.Member
}

func purchase(m, amount string, at time.Time) record.Request {
	n := money.MustParse(amount)
	return record.Request{Member: m, Fact: engine.Fact{Kind: engine.PurchaseK, OccurredAt: at, Purchase: &engine.Purchase{Amount: &n}}}
}

func redeem(m, reward string, at time.Time) record.Request {
	return record.Request{Member: m, Fact: engine.Fact{Kind: engine.Redeem, OccurredAt: at, Redemption: &engine.Redemption{Spend: engine.Spend{Reward: reward}}}}
}

func (k *desk) balance(m string, now time.Time) int64 {
	k.t.Helper()
	acc, _, err := k.r.View(k.t.Context(), "shop", m, now)
	if err != nil {
		k.t.Fatal(err)
	}
	h := acc.State.Units["point"]
	if h == nil {
		return 0
	}
	return h.Balance()
}

func (k *desk) totals() books.Totals {
	k.t.Helper()
	var out books.Totals
	err := k.d.Read(k.t.Context(), func(tx *db.Tx) (err error) {
		out, err = books.Count(k.t.Context(), tx, "shop")
		return err
	})
	if err != nil {
		k.t.Fatal(err)
	}
	return out
}

func day(n int) time.Time { return noon.AddDate(0, 0, n) }

func TestAPurchaseEarns(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := open(t, d)
		m := k.enrol("a")
		r := k.must(purchase("ext:a", "125.50", day(1)))
		if r.Fact.Member != m || r.Seq != 2 || !r.Recorded || r.Account.State.Units["point"].Spendable != 125 {
			t.Errorf("got %+v with %+v", r, r.Account.State.Units["point"])
		}
		if got := k.balance(m, day(1)); got != 125 {
			t.Errorf("balance %d", got)
		}
		r = k.must(purchase(m, "900", day(2)))
		if got := r.Account.State.Tiers["club"].Tier; got != "gold" {
			t.Errorf("tier %q", got)
		}
	})
}

func TestAGuestsPurchaseIsToldAndNotKept(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := open(t, d)
		r := k.must(purchase("", "100", noon))
		if r.Recorded || len(r.Decision.Postings) != 0 || k.totals() != (books.Totals{}) {
			t.Errorf("got %+v, %+v", r, k.totals())
		}
	})
}

func TestAnUnknownMemberLeavesNothing(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := open(t, d)
		for _, ref := range []string{"mem_01m81j18kvex7r636m654g500h", "ext:nobody"} {
			_, err := k.take(purchase(ref, "100", noon))
			if !errs.Is(err, errs.CodeNotFound, "member_not_found") {
				t.Errorf("%s: %v", ref, err)
			}
		}
		if _, err := k.take(purchase("nonsense", "100", noon)); !errs.Is(err, errs.CodeMalformed, "") {
			t.Errorf("nonsense: %v", err)
		}
		if got := k.totals(); got != (books.Totals{}) {
			t.Errorf("left %+v", got)
		}
	})
}

func TestSixtyFourRedemptionsOfAHundredFromAThousand(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := open(t, d)
		m := k.enrol("a")
		k.must(purchase(m, "1000", day(1)))
		done, refused := k.race(64, func(int) error {
			_, err := k.take(redeem(m, "hundred", day(2)))
			return err
		}, "balance_too_low")
		if done != 10 || refused != 54 || k.balance(m, day(2)) != 0 {
			t.Errorf("%d done, %d refused, %d left", done, refused, k.balance(m, day(2)))
		}
	})
}

// race runs f n times at once and counts those that went well and those refused for the reason.
func (k *desk) race(n int, f func(i int) error, reason string) (done, refused int) {
	k.t.Helper()
	var wg sync.WaitGroup
	var mu sync.Mutex
	for i := range n {
		wg.Go(func() {
			err := f(i)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				done++
			case reason != "" && errs.As(err).Reason == reason:
				refused++
			default:
				k.t.Error(err)
			}
		})
	}
	wg.Wait()
	return done, refused
}

func TestTwoNodesSpendOneBalance(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := open(t, d)
		second := record.NewWith(d, &version.Cache{}, record.Options{Writers: 3, Gather: 2})
		t.Cleanup(second.Close)
		m := k.enrol("a")
		k.must(purchase(m, "1000", day(1)))
		done, refused := k.race(40, func(i int) error {
			req := redeem(m, "hundred", day(2))
			req.Program, req.Now = "shop", day(2)
			var err error
			if i%2 == 0 {
				_, err = k.r.Record(context.Background(), req)
			} else {
				_, err = second.Record(context.Background(), req)
			}
			return err
		}, "balance_too_low")
		if done != 10 || refused != 30 || k.balance(m, day(2)) != 0 {
			t.Errorf("%d done, %d refused, %d left", done, refused, k.balance(m, day(2)))
		}
	})
}

func TestStockIsExactOverMembers(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := openWith(t, d, record.Options{Writers: 3, Gather: 2}, shop)
		var members []string
		for i := range 12 {
			m := k.enrol(fmt.Sprint("m", i))
			k.must(purchase(m, "100", day(1)))
			members = append(members, m)
		}
		done, refused := k.race(12, func(i int) error {
			_, err := k.take(redeem(members[i], "rare", day(2)))
			return err
		}, "out_of_stock")
		if done != 3 || refused != 9 {
			t.Errorf("%d done, %d refused", done, refused)
		}
	})
}

func TestABudgetIsClippedInOneBatch(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := open(t, d)
		var reqs []record.Request
		for i := range 8 {
			m := k.enrol(fmt.Sprint("m", i))
			reqs = append(reqs, record.Request{Program: "shop", Member: m, Now: day(1), Fact: engine.Fact{Kind: engine.ActivityK, Activity: &engine.Activity{Kind: "visit"}}})
		}
		var sum int64
		for _, o := range k.r.Batch(t.Context(), reqs) {
			if o.Err != nil {
				t.Fatal(o.Err)
			}
			sum += o.Result.Decision.Sums()["point"]
		}
		if sum != 55 {
			t.Errorf("gave %d", sum)
		}
	})
}

func TestFiftyTimesOneReceipt(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := openWith(t, d, record.Options{Writers: 4, Gather: 3}, shop)
		m := k.enrol("a")
		var mu sync.Mutex
		var recorded, duplicates int
		facts := map[string]bool{}
		k.race(50, func(i int) error {
			ref := m
			if i%2 == 0 {
				ref = "ext:a" // may go through another writer
			}
			req := purchase(ref, "100", day(1))
			req.Fact.Source, req.Fact.ExternalID = "till-1", "4711"
			r, err := k.take(req)
			if err == nil {
				mu.Lock()
				defer mu.Unlock()
				facts[r.Fact.ID] = true
				if r.Duplicate {
					duplicates++
				} else if r.Recorded {
					recorded++
				}
			}
			return err
		}, "")
		if recorded != 1 || duplicates != 49 || len(facts) != 1 || k.balance(m, day(1)) != 100 {
			t.Errorf("%d recorded, %d duplicates, %d facts, balance %d", recorded, duplicates, len(facts), k.balance(m, day(1)))
		}
	})
}

func TestAReceiptNumberWithOtherContent(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := open(t, d)
		a, b := k.enrol("a"), k.enrol("b")
		with := func(m, amount string) record.Request {
			req := purchase(m, amount, day(1))
			req.Fact.Source, req.Fact.ExternalID = "till-1", "4711"
			return req
		}
		first := k.must(with(a, "100"))
		for _, req := range []record.Request{with(a, "101"), with(b, "100"), with("", "100")} {
			_, err := k.take(req)
			if !errs.Is(err, errs.CodeConflict, "duplicate_external_id") || errs.As(err).Meta["fact"] != first.Fact.ID {
				t.Errorf("%v", err)
			}
		}
		// In one batch too.
		out := k.r.Batch(t.Context(), []record.Request{
			{Program: "shop", Member: a, Now: day(2), Fact: engine.Fact{Kind: engine.PurchaseK, Source: "s", ExternalID: "1", Purchase: with(a, "5").Fact.Purchase}},
			{Program: "shop", Member: a, Now: day(2), Fact: engine.Fact{Kind: engine.PurchaseK, Source: "s", ExternalID: "1", Purchase: with(a, "5").Fact.Purchase}},
			{Program: "shop", Member: a, Now: day(2), Fact: engine.Fact{Kind: engine.PurchaseK, Source: "s", ExternalID: "1", Purchase: with(a, "6").Fact.Purchase}},
		})
		if out[0].Err != nil || out[0].Result.Duplicate || out[1].Err != nil || !out[1].Result.Duplicate || out[1].Result.Fact.ID != out[0].Result.Fact.ID ||
			!errs.Is(out[2].Err, errs.CodeConflict, "duplicate_external_id") {
			t.Errorf("got %+v", out)
		}
		if got := k.balance(a, day(2)); got != 105 {
			t.Errorf("balance %d", got)
		}
	})
}

func keyed(req record.Request, key string, hash byte) record.Request {
	req.Key = &record.Key{Client: "key_1", Key: key, Hash: [32]byte{hash}}
	req.Render = func(r *record.Result) (int, []byte) { return 201, []byte(`{"fact":"` + r.Fact.ID + `"}`) }
	return req
}

func TestAnIdempotencyKeyReplaysTheFirstAnswer(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := openWith(t, d, record.Options{Writers: 4, Gather: 5}, shop)
		m := k.enrol("a")
		var mu sync.Mutex
		answers := map[string]int{}
		replayed := 0
		k.race(50, func(i int) error {
			ref := m
			if i%2 == 0 {
				ref = "ext:a"
			}
			r, err := k.take(keyed(purchase(ref, "100", day(1)), "k1", 1))
			if err == nil {
				mu.Lock()
				defer mu.Unlock()
				answers[fmt.Sprint(r.Status, string(r.Answer))]++
				if r.Replayed {
					replayed++
				}
			}
			return err
		}, "")
		if len(answers) != 1 || replayed != 49 || k.balance(m, day(1)) != 100 {
			t.Errorf("%v, %d replayed, balance %d", answers, replayed, k.balance(m, day(1)))
		}
		if _, err := k.take(keyed(purchase(m, "200", day(1)), "k1", 2)); !errs.Is(err, errs.CodeInvalid, "idempotency_key_reused") {
			t.Errorf("another request under the key: %v", err)
		}
		// A refusal is not kept under its key.
		if _, err := k.take(keyed(redeem(m, "hundred", day(1).Add(-time.Hour)), "k2", 1)); err == nil {
			t.Log("redeemed late")
		}
	})
}

func TestARefusalTouchesNobodyElse(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := open(t, d)
		a, b := k.enrol("a"), k.enrol("b")
		reqs := []record.Request{
			purchase(a, "100", day(1)), redeem(b, "hundred", day(1)), redeem(a, "hundred", day(1)), redeem(a, "hundred", day(1)),
			purchase("mem_01m81j18kvex7r636m654g500h", "5", day(1)), purchase(b, "7", day(1)), purchase(a, "7", day(3)),
			{Member: a, Fact: engine.Fact{Kind: engine.Due}},
		}
		want := []string{"", "balance_too_low", "", "balance_too_low", "member_not_found", "", "in_the_future", "unknown_kind"}
		for i := range reqs {
			reqs[i].Program, reqs[i].Now = "shop", day(1)
		}
		before := k.totals()
		for i, o := range k.r.Batch(t.Context(), reqs) {
			reason := ""
			if o.Err != nil {
				reason = errs.As(o.Err).Reason
			}
			if reason != want[i] {
				t.Errorf("%d: %q, want %q: %v", i, reason, want[i], o.Err)
			}
		}
		if got := k.totals(); got.Facts != before.Facts+3 || got.Accounts != 2 {
			t.Errorf("from %+v to %+v", before, got)
		}
		if k.balance(a, day(1)) != 0 || k.balance(b, day(1)) != 7 {
			t.Errorf("balances %d and %d", k.balance(a, day(1)), k.balance(b, day(1)))
		}
	})
}

func TestABatchIsTakenInItsOrder(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := openWith(t, d, record.Options{Chunk: 7}, shop)
		reqs := []record.Request{enrolment("a", noon), purchase("ext:a", "100", day(1)), redeem("ext:a", "hundred", day(2))}
		for i := range 20 {
			req := purchase("ext:a", "10", day(3+i))
			req.Fact.Source, req.Fact.ExternalID = "till", fmt.Sprint(i)
			reqs = append(reqs, req, record.Request{Fact: engine.Fact{Kind: engine.ReturnK, Parent: fmt.Sprint("till/", i), OccurredAt: day(3 + i)}})
		}
		for i := range reqs {
			reqs[i].Program, reqs[i].Now = "shop", day(100)
		}
		for i, o := range k.r.Batch(t.Context(), reqs) {
			if o.Err != nil {
				t.Fatalf("%d: %v", i, o.Err)
			}
		}
		if got := k.balance("ext:a", day(100)); got != 0 {
			t.Errorf("balance %d", got)
		}
	})
}

func TestAnIdentifierThatIsTaken(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := openWith(t, d, record.Options{Writers: 3, Gather: 4}, shop)
		done, refused := k.race(20, func(int) error {
			_, err := k.take(enrolment("same", noon))
			return err
		}, "identifier_taken")
		if done != 1 || refused != 19 {
			t.Errorf("%d done, %d refused", done, refused)
		}
		if got := k.totals(); got.Accounts != 1 || got.Facts != 1 {
			t.Errorf("left %+v", got)
		}
	})
}

func TestWhatTimeBringsComesBeforeTheFact(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := open(t, d)
		m := k.enrol("a")
		k.must(purchase(m, "100", day(1)))
		if got := k.balance(m, day(500)); got != 0 {
			t.Errorf("seen after the end: %d", got)
		}
		if _, err := k.take(redeem(m, "hundred", day(500))); !errs.Is(err, errs.CodeInsufficient, "balance_too_low") {
			t.Errorf("spent after the end: %v", err)
		}
		before := k.totals()
		r := k.must(purchase(m, "30", day(501)))
		if len(r.Dues) != 0 {
			t.Errorf("what the refused fact brought up was not kept: %d dues", len(r.Dues))
		}
		// A late purchase: its lot has ended since.
		r = k.must(record.Request{Member: m, Now: day(501), Fact: purchase(m, "50", day(2)).Fact})
		if len(r.Dues) == 0 || r.Account.State.Units["point"].Spendable != 30 || k.balance(m, day(501)) != 30 {
			t.Errorf("%d dues, %d spendable", len(r.Dues), r.Account.State.Units["point"].Spendable)
		}
		if before.Facts < 4 {
			t.Errorf("%+v", before)
		}
	})
}

func TestALateFactsAnswerStandsNow(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := open(t, d)
		m := k.enrol("a")
		facts := k.totals().Facts
		req := keyed(purchase(m, "50", day(2)), "k", 1)
		req.Now = day(600)
		r := k.must(req)
		if got := r.Account.State.Units["point"].Spendable; got != 0 {
			t.Errorf("spendable %d", got)
		}
		if got := k.totals().Facts; got != facts+1 {
			t.Errorf("%d facts, want %d: nothing but the purchase is written", got, facts+1)
		}
		if got := k.must(record.Request{Member: m, Now: day(600), Fact: purchase(m, "50", day(3)).Fact}); got.Seq != 3 {
			t.Errorf("number %d", got.Seq)
		}
	})
}

func transfer(from, to, amount string, at time.Time) record.Request {
	return record.Request{Member: from, Fact: engine.Fact{Kind: engine.TransferOut, OccurredAt: at,
		Transfer: &engine.Transfer{Unit: "point", Amount: money.MustParse(amount), Other: to}}}
}

func TestATransferHasTwoSidesOrNone(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := open(t, d)
		a, b := k.enrol("a"), k.enrol("b")
		k.must(purchase(a, "100", day(1)))
		r := k.must(transfer(a, "ext:b", "40", day(2)))
		if r.Other == nil || r.Other.Fact.Parent != r.Fact.ID || k.balance(a, day(2)) != 60 || k.balance(b, day(2)) != 40 {
			t.Errorf("%+v; %d and %d", r.Other, k.balance(a, day(2)), k.balance(b, day(2)))
		}
		back := record.Request{Fact: engine.Fact{Kind: engine.TransferOut, OccurredAt: day(3), Transfer: &engine.Transfer{Reverses: r.Fact.ID}}}
		k.must(back)
		if k.balance(a, day(3)) != 100 || k.balance(b, day(3)) != 0 {
			t.Errorf("%d and %d", k.balance(a, day(3)), k.balance(b, day(3)))
		}
		if _, err := k.take(back); !errs.Is(err, errs.CodeConflict, "transfer_reversed") {
			t.Errorf("reversed twice: %v", err)
		}
		// The other side is refused: nothing of this side stays.
		k.must(record.Request{Member: b, Fact: engine.Fact{Kind: engine.Status, OccurredAt: day(4), Status: &engine.StatusBody{To: engine.Blocked}}})
		facts := k.totals().Facts
		if _, err := k.take(transfer(a, b, "40", day(5))); !errs.Is(err, errs.CodeForbidden, "member_blocked") {
			t.Errorf("to a blocked member: %v", err)
		}
		if k.balance(a, day(5)) != 100 || k.totals().Facts != facts {
			t.Errorf("something stayed: balance %d", k.balance(a, day(5)))
		}
		if _, err := k.take(transfer(a, a, "40", day(5))); !errs.Is(err, errs.CodeInvalid, "invalid_transfer") {
			t.Errorf("to oneself: %v", err)
		}
	})
}

func TestTwentyGiftsOfAllThereIs(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := openWith(t, d, record.Options{Writers: 3, Gather: 3}, shop)
		a := k.enrol("a")
		k.must(purchase(a, "100", day(1)))
		var others []string
		for i := range 5 {
			others = append(others, k.enrol(fmt.Sprint("o", i)))
		}
		done, refused := k.race(20, func(i int) error {
			_, err := k.take(transfer(a, others[i%5], "100", day(2)))
			return err
		}, "balance_too_low")
		if done != 1 || refused != 19 {
			t.Errorf("%d done, %d refused", done, refused)
		}
	})
}

func TestAMergedMemberLivesOnInTheOther(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := open(t, d)
		a, b := k.enrol("a"), k.enrol("b")
		req := purchase(a, "100", day(1))
		req.Fact.Source, req.Fact.ExternalID = "till", "1"
		bought := k.must(req)
		k.must(purchase(b, "50", day(1)))
		spent := k.must(redeem(b, "rare", day(1)))
		k.must(record.Request{Member: a, Fact: engine.Fact{Kind: engine.MergeOut, OccurredAt: day(2), Merge: &engine.Merge{Other: b}}})
		for _, ref := range []string{a, b, "ext:a", "ext:b"} {
			acc, _, err := k.r.View(t.Context(), "shop", ref, day(2))
			if err != nil || acc.Member != b || acc.State.Units["point"].Balance() != 140 {
				t.Errorf("%s: %v %+v", ref, err, acc)
			}
		}
		if again := k.must(req); !again.Duplicate || again.Fact.ID != bought.Fact.ID {
			t.Errorf("the receipt again: %+v", again)
		}
		if r := k.must(purchase(a, "10", day(3))); r.Fact.Member != b {
			t.Errorf("went to %s", r.Fact.Member)
		}
		k.must(record.Request{Fact: engine.Fact{Kind: engine.ReturnK, Parent: "till/1", OccurredAt: day(4)}})
		k.must(record.Request{Fact: engine.Fact{Kind: engine.Refund, Parent: spent.Fact.ID, OccurredAt: day(4)}})
		if got := k.balance(b, day(4)); got != 60 {
			t.Errorf("balance %d", got)
		}
		if _, err := k.take(record.Request{Fact: engine.Fact{Kind: engine.ReturnK, Parent: bought.Fact.ID, OccurredAt: day(5)}}); !errs.Is(err, errs.CodeConflict, "nothing_left") {
			t.Errorf("returned twice: %v", err)
		}
		if _, err := k.take(record.Request{Member: a, Fact: engine.Fact{Kind: engine.MergeOut, OccurredAt: day(6), Merge: &engine.Merge{Other: b}}}); err == nil {
			t.Error("merged twice")
		}
	})
}

func TestARefundAfterAMergeIsKnownToItsRedemption(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := open(t, d)
		a, b := k.enrol("a"), k.enrol("b")
		k.must(purchase(a, "100", day(1)))
		spent := k.must(redeem(a, "hundred", day(1)))
		k.must(record.Request{Member: a, Fact: engine.Fact{Kind: engine.MergeOut, OccurredAt: day(2), Merge: &engine.Merge{Other: b}}})
		refund := record.Request{Fact: engine.Fact{Kind: engine.Refund, Parent: spent.Fact.ID, OccurredAt: day(4)}}
		if r := k.must(refund); r.Fact.Member != b || k.balance(b, day(4)) != 100 {
			t.Errorf("%+v, balance %d", r.Fact, k.balance(b, day(4)))
		}
		if _, err := k.take(refund); !errs.Is(err, errs.CodeConflict, "redemption_refunded") {
			t.Errorf("refunded twice: %v", err)
		}
	})
}

func TestASimulationAnswersAlikeAndLeavesNothing(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := open(t, d)
		m := k.enrol("a")
		k.must(purchase(m, "100", day(1)))
		before := k.totals()
		reqs := []record.Request{purchase(m, "50", day(2)), redeem(m, "voucher", day(2)), redeem(m, "hundred", day(2)), redeem(m, "rare", day(2)), purchase(m, "7", day(900)), enrolment("a", day(3)), enrolment("new", day(3)), purchase("ext:new", "9", day(4))}
		for i := range reqs {
			reqs[i].Now = day(2)
		}
		out, err := k.r.Simulate(t.Context(), "shop", reqs, record.SimOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []string{"", "", "", "balance_too_low", "", "identifier_taken", "", ""} {
			got := ""
			if out[i].Err != nil {
				got = errs.As(out[i].Err).Reason
			}
			if got != want {
				t.Errorf("%d: %q, want %q: %v", i, got, want, out[i].Err)
			}
		}
		if got := out[4].Result.Account.State.Units["point"].Spendable; got != 7 {
			t.Errorf("in the far future: %d", got)
		}
		if got := k.totals(); got != before {
			t.Errorf("from %+v to %+v", before, got)
		}
		taken := k.must(reqs[0])
		if diff := cmp.Diff(out[0].Result.Decision.Explanation, taken.Decision.Explanation); diff != "" {
			t.Error("the real answer is another:\n" + diff)
		}
		doc, err := program.Parse([]byte(shop), "")
		if err != nil {
			t.Fatal(err)
		}
		three := money.MustParse("3")
		doc.Earn[0].Give.Amount = &three
		draft, err := program.Compile(doc, 0)
		if err != nil {
			t.Fatal(err)
		}
		out, err = k.r.Simulate(t.Context(), "shop", reqs[:1], record.SimOptions{Draft: draft})
		if err != nil || out[0].Err != nil || out[0].Result.Decision.Sums()["point"] != 150 {
			t.Errorf("by a draft: %v, %+v", err, out)
		}
	})
}

func TestAVoucherHasACode(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := open(t, d)
		m := k.enrol("a")
		req := purchase(m, "200", day(1))
		req.Fact.Purchase.Spend = []engine.Spend{{Reward: "voucher"}, {Reward: "rare"}}
		r := k.must(req)
		if len(r.Decision.Redemptions) != 2 || len(r.Codes[r.Decision.Redemptions[0].Voucher.Hash]) != 17 {
			t.Fatalf("%+v", r.Decision.Redemptions)
		}
		// A redemption that a purchase made is found by its id alone.
		k.must(record.Request{Fact: engine.Fact{Kind: engine.Refund, Parent: r.Decision.Redemptions[0].ID, OccurredAt: day(2)}})
		if got := k.balance(m, day(2)); got != 190 {
			t.Errorf("balance %d", got)
		}
		s := k.must(record.Request{Member: m, Fact: engine.Fact{Kind: engine.Reserve, OccurredAt: day(3), Redemption: &engine.Redemption{Spend: engine.Spend{Reward: "voucher"}}}})
		c := k.must(record.Request{Fact: engine.Fact{Kind: engine.Commit, Parent: s.Fact.ID, OccurredAt: day(3).Add(time.Minute)}})
		if got := c.Decision.Redemptions[0]; got.Status != engine.StatusCommitted || len(c.Codes[got.Voucher.Hash]) != 17 {
			t.Errorf("%+v", got)
		}
	})
}

func TestAWaitingRequestCanBeGivenUp(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, db.SQLite)
	k := open(t, d)
	m := k.enrol("a")
	entered, leave := make(chan struct{}), make(chan struct{})
	first := keyed(purchase(m, "1", noon), "k", 1)
	render := first.Render
	var once sync.Once
	first.Render = func(r *record.Result) (int, []byte) {
		once.Do(func() { close(entered); <-leave })
		return render(r)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := k.take(first); err != nil {
			t.Error(err)
		}
	})
	<-entered
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	req := purchase(m, "1000", noon)
	req.Program, req.Now = "shop", noon
	if _, err := k.r.Record(ctx, req); err == nil {
		t.Error("it did not give up")
	}
	close(leave)
	wg.Wait()
	k.r.Close()
	if got := k.balance(m, noon); got != 1 {
		t.Errorf("balance %d", got)
	}
	if _, err := k.take(purchase(m, "1", noon)); !errs.Is(err, errs.CodeUnavailable, "closing") {
		t.Errorf("after Close: %v", err)
	}
}

func TestARetryAfterALostCommit(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := open(t, d)
		m := k.enrol("a")
		req := keyed(purchase(m, "100", day(1)), "k", 1)
		first := k.must(req)
		// As a caller sees it who never got the first answer, under a new key.
		second := k.must(req)
		if !second.Replayed || !bytes.Equal(second.Answer, first.Answer) || second.Status != first.Status {
			t.Errorf("%+v", second)
		}
	})
}

func TestAnAnswerThatCannotBeMadeTakesItsFactAlong(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := open(t, d)
		a, b := k.enrol("a"), k.enrol("b")
		bad := purchase(a, "100", day(1))
		bad.Fact.Source, bad.Fact.ExternalID = "till", "1"
		bad.Render = func(*record.Result) (int, []byte) { panic("no answer") }
		reqs := []record.Request{bad, purchase(b, "100", day(1))}
		for i := range reqs {
			reqs[i].Program, reqs[i].Now = "shop", day(1)
		}
		out := k.r.Batch(t.Context(), reqs)
		if !errs.Is(out[0].Err, errs.CodeInternal, "panic") || out[1].Err != nil {
			t.Errorf("%v, %v", out[0].Err, out[1].Err)
		}
		if k.balance(a, day(1)) != 0 || k.balance(b, day(1)) != 100 {
			t.Errorf("%d and %d", k.balance(a, day(1)), k.balance(b, day(1)))
		}
		bad.Render = nil
		if r := k.must(bad); r.Duplicate {
			t.Error("the natural key was kept")
		}
	})
}

func TestKeysThatCannotBeStored(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := open(t, d)
		m := k.enrol("a")
		for _, text := range []string{"a\x00b", "\xff"} {
			req := purchase(m, "1", noon)
			req.Fact.Source, req.Fact.ExternalID = "till", text
			if _, err := k.take(req); !errs.Is(err, errs.CodeInvalid, "invalid_natural_key") {
				t.Errorf("%q: %v", text, err)
			}
			if _, err := k.take(keyed(purchase(m, "1", noon), text, 1)); !errs.Is(err, errs.CodeInvalid, "invalid_idempotency_key") {
				t.Errorf("%q: %v", text, err)
			}
		}
	})
}

// Simulations and looks that come at once share what they read, and nothing else: each sees the books and its own facts.
func TestTrialsSideBySide(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := open(t, d)
		members := make([]string, 5)
		for i := range members {
			members[i] = k.enrol(fmt.Sprint(i))
			k.must(purchase(members[i], fmt.Sprint(100*(i+1)), day(1)))
		}
		var wg sync.WaitGroup
		for n := range 200 {
			i := n % len(members)
			have := int64(100 * (i + 1))
			wg.Go(func() {
				if n%3 == 0 {
					acc, _, err := k.r.ViewLots(t.Context(), "shop", members[i], day(3))
					if err != nil || acc.State.Units["point"].Spendable != have || len(acc.Lots) != 1 {
						t.Errorf("member %d has %+v: %v", i, acc, err)
					}
					return
				}
				reqs := []record.Request{purchase(members[i], "7", day(2)), purchase(members[i], "9", day(2)), purchase("mem_nobody", "1", day(2))}
				for r := range reqs {
					reqs[r].Now = day(3)
				}
				out, err := k.r.Simulate(t.Context(), "shop", reqs, record.SimOptions{})
				if err != nil {
					t.Error(err)
					return
				}
				if out[0].Err != nil || out[1].Err != nil || out[2].Err == nil {
					t.Errorf("%v, %v, %v", out[0].Err, out[1].Err, out[2].Err)
					return
				}
				if got := out[1].Result.Account.State.Units["point"].Spendable; got != have+16 {
					t.Errorf("member %d would have %d, want %d", i, got, have+16)
				}
			})
		}
		wg.Wait()
	})
}
