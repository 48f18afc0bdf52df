package verify_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/member"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/sweep"
	"lojal.dev/lojal/internal/verify"
	"lojal.dev/lojal/internal/version"
)

const shop = `
program: shop
name: Shop
time_zone: Europe/Oslo
currency: NOK
units:
  point:
    name: {en: {one: point, other: points}}
    expires: {after: 12 months, at: end of month, warn: 30 days}
  mile:
    name: {en: {one: mile, other: miles}}
    precision: 2
earn:
  - id: base
    on: purchase
    give: {unit: point, amount: 1, per: 1.00}
  - id: miles
    on: purchase
    give: {unit: mile, amount: 0.25, per: 1.00}
    pending: {for: 14 days}
    limit: {each: program, per: lifetime, amount: 1000}
tiers:
  club:
    by: {sum: spend, window: rolling 12 months}
    steps: [{id: basic, from: 0}, {id: gold, from: 300.00}]
    down: {to: earned, grace: 30 days}
rewards:
  - id: cup
    price: {point: 20}
    gives: {product: cup}
    stock: 100
  - id: voucher
    price: {point: 50}
    gives: {voucher: {money: 25.00, valid: 3 months}}
transfers: {units: point}
`

var noon = time.Date(2024, 3, 2, 12, 0, 0, 0, time.UTC)

func day(n int) time.Time { return noon.AddDate(0, 0, n) }

// history records two years of a few members: every kind of fact.
func history(t *testing.T, d *db.DB) *version.Cache {
	t.Helper()
	ctx := t.Context()
	doc, err := program.Parse([]byte(shop), "shop.yaml")
	if err != nil {
		t.Fatal(err)
	}
	err = d.Write(ctx, func(tx *db.Tx) error {
		_, err := version.Publish(ctx, tx, version.PublishInput{Program: "shop", Document: doc, By: "test", Now: noon})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	v := &version.Cache{}
	r := record.New(d, v)
	t.Cleanup(r.Close)
	now := noon
	must := func(req record.Request) *record.Result {
		t.Helper()
		req.Program, req.Now = "shop", now
		out, err := r.Record(ctx, req)
		if err != nil {
			t.Fatalf("%s: %v", req.Fact.Kind, err)
		}
		return out
	}
	amount := func(s string) *money.Decimal { n := money.MustParse(s); return &n }
	var members []string
	for i := range 4 {
		members = append(members, must(record.Request{Fact: engine.Fact{Kind: engine.Enrolment}, Enrol: &member.New{Profile: member.Profile{ExternalID: fmt.Sprint("m", i)}}}).Fact.Member)
	}
	for i := range 24 {
		now = day(30 * i)
		m := members[i%3]
		bought := must(record.Request{Member: m, Fact: engine.Fact{Kind: engine.PurchaseK, Source: "till", ExternalID: fmt.Sprint(i), Purchase: &engine.Purchase{
			Lines: []engine.Line{{ID: "a", SKU: "x", Quantity: amount("3"), Amount: amount("60")}, {ID: "b", SKU: "y", Amount: amount("41.50")}},
			Spend: map[bool][]engine.Spend{true: {{Reward: "cup"}}}[i%4 == 3],
		}}})
		if i%3 == 1 {
			must(record.Request{Fact: engine.Fact{Kind: engine.ReturnK, Parent: bought.Fact.ID, Return: &engine.Return{Lines: []engine.ReturnLine{{Line: "a", Quantity: amount("1")}}}}})
			must(record.Request{Fact: engine.Fact{Kind: engine.ReturnK, Parent: bought.Fact.ID}})
		}
		if i%6 == 2 || i%6 == 3 {
			hold := must(record.Request{Member: m, Fact: engine.Fact{Kind: engine.Reserve, Redemption: &engine.Redemption{Spend: engine.Spend{Reward: "voucher"}}}})
			if i%2 == 0 {
				done := must(record.Request{Fact: engine.Fact{Kind: engine.Commit, Parent: hold.Fact.ID}})
				must(record.Request{Fact: engine.Fact{Kind: engine.Refund, Parent: done.Fact.Parent}})
			}
		}
	}
	must(record.Request{Member: members[0], Fact: engine.Fact{Kind: engine.AdjustmentK, Adjustment: &engine.Adjustment{Unit: "point", Amount: amount("75"), Reason: "sorry"}}})
	must(record.Request{Member: members[0], Fact: engine.Fact{Kind: engine.TransferOut, Transfer: &engine.Transfer{Unit: "point", Amount: money.MustParse("30"), Other: members[3]}}})
	must(record.Request{Member: members[1], Fact: engine.Fact{Kind: engine.TierGrant, Tier: &engine.TierBody{Set: "club", Tier: "gold", Reason: "friend"}}})
	must(record.Request{Member: members[2], Fact: engine.Fact{Kind: engine.MergeOut, Merge: &engine.Merge{Other: members[3]}}})
	must(record.Request{Fact: engine.Fact{Kind: engine.ReturnK, Parent: "till/23"}})
	now = day(900)
	if _, err := sweep.Run(ctx, d, r, now); err != nil {
		t.Fatal(err)
	}
	return v
}

func run(t *testing.T, d *db.DB, v *version.Cache) *verify.Report {
	t.Helper()
	report, err := verify.Run(t.Context(), d, v, "shop", verify.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestTheBooksOfAHistoryAreWhole(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		report := run(t, d, history(t, d))
		for _, f := range report.Findings {
			t.Error(f)
		}
		if report.Members != 4 || report.Facts < 80 || report.Replayed != report.Facts || report.Err() != nil {
			t.Errorf("%+v", report)
		}
	})
}

func TestTamperingIsFound(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		v := history(t, d)
		// Each is done, looked for, and undone.
		for _, c := range []struct{ name, do, check, row string }{
			{"a posting grows", `UPDATE postings SET amount = amount + 1 WHERE seq = 2 AND n = 1`, "postings", "seq 2 n 1"},
			{"a posting goes", `DELETE FROM postings WHERE seq = 2 AND n = 1`, "postings", "seq 2 n 1"},
			{"a posting comes", `INSERT INTO postings SELECT bucket, program_id, member_id, 1, 9, unit, lot, from_account, to_account, amount, rule, of_fact, occurred_at, recorded_at FROM postings WHERE seq = 2 AND n = 1`, "postings", "n 9"},
			{"a posting is dated back", `UPDATE postings SET occurred_at = occurred_at - 1 WHERE seq = 3`, "postings", "seq 3"},
			{"a lot grows", `UPDATE lots SET spendable = spendable + 5, remaining = remaining + 5 WHERE lot = 1`, "lots", "lot 1"},
			{"a lot lives longer", `UPDATE lots SET expires_at = expires_at + 1000000 WHERE lot = 1`, "replay", "lot 1"},
			{"a lot goes", `DELETE FROM lots WHERE lot = 3`, "replay", "lots"},
			{"a state is rich", `UPDATE accounts SET state = REPLACE(state, '"earned":', '"earned":1')`, "holdings", "unit"},
			{"a state has another tier", `UPDATE accounts SET state = REPLACE(state, '"tier":"gold"', '"tier":"basic"')`, "replay", "accounts"},
			{"an account is due later", `UPDATE accounts SET due_at = COALESCE(due_at, 0) + 1`, "facts", "accounts"},
			{"an account is blocked", `UPDATE accounts SET status = 'blocked'`, "facts", "accounts"},
			{"an account goes", `DELETE FROM accounts WHERE status = 'merged'`, "account", "accounts"},
			{"a fact goes", `DELETE FROM facts WHERE seq = 3`, "facts", "seq 3"},
			{"the last fact goes", `DELETE FROM facts WHERE kind = 'tier'`, "facts", ""},
			{"a purchase grows", `UPDATE facts SET body = REPLACE(body, '"41.50"', '"941.50"') WHERE seq = 2`, "replay", "seq 2"},
			{"a decision is another", `UPDATE facts SET decision = REPLACE(decision, ',1,["earned"', ',0,["earned"') WHERE seq = 2`, "replay", "seq 2"},
			{"a version is another", `UPDATE facts SET version = 7 WHERE seq = 2`, "facts", "seq 2"},
			{"what was seen is another", `UPDATE facts SET seen = '{"program:limit:miles:0/amount":{"all":100000}}' WHERE kind = 'purchase' AND seq = 2`, "replay", "seq 2"},
			{"an event goes", `UPDATE facts SET events = '[]' WHERE seq = 2`, "replay", "seq 2"},
			{"an event is another", `UPDATE facts SET events = REPLACE(events, 'points.earned', 'points.lost') WHERE seq = 2`, "replay", "seq 2"},
			{"a receipt goes", `DELETE FROM receipts WHERE external_id = '5'`, "receipts", "till/5"},
			{"a receipt comes", `INSERT INTO receipts SELECT bucket, program_id, 'else', external_id, member_id, fact_id, hash FROM receipts WHERE external_id = '5'`, "rows", "receipts"},
			{"a tally grows", `UPDATE tallies SET value = value + 1 WHERE member_id <> '' AND period = '2024-03-02'`, "tallies", "2024-03-02"},
			{"the stock grows", `UPDATE tallies SET value = value - 1 WHERE member_id = '' AND name = 'program:stock:cup'`, "counters", "program:stock:cup"},
			{"a redemption is open again", `UPDATE redemptions SET status = 'reserved' WHERE status = 'lapsed'`, "redemptions", "red_"},
			{"a redemption costs nothing", `UPDATE redemptions SET state = REPLACE(state, '"price":{"point":20}', '"price":{"point":0}') WHERE reward = 'cup'`, "redemptions", "red_"},
			{"a redemption goes", `DELETE FROM redemptions WHERE reward = 'voucher'`, "redemptions", "red_"},
		} {
			report := tampered(t, d, v, c.do)
			found := false
			for _, f := range report.Findings {
				found = found || f.Check == c.check && strings.Contains(f.Row, c.row)
			}
			if !found || !errs.Is(report.Err(), errs.CodeConflict, "books_broken") {
				t.Errorf("%s: want a finding of %s in %q, have %v", c.name, c.check, c.row, report.Findings)
			}
		}
		if report := run(t, d, v); !report.OK() {
			t.Errorf("after all was undone: %v", report.Findings)
		}
	})
}

// tables are those that a tampering may touch; they are copied and put back.
var tables = []string{"accounts", "facts", "postings", "lots", "receipts", "tallies", "redemptions"}

func tampered(t *testing.T, d *db.DB, v *version.Cache, do string) *verify.Report {
	t.Helper()
	ctx := context.Background()
	each := func(sql ...string) {
		t.Helper()
		err := d.Write(ctx, func(tx *db.Tx) error {
			for _, q := range sql {
				res, err := tx.Exec(ctx, q)
				if err != nil {
					return fmt.Errorf("%s: %w", q, err)
				}
				if n, err := res.RowsAffected(); err != nil || n == 0 && q == do {
					return fmt.Errorf("%s: touched nothing (%w)", q, err)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	var keep, back []string
	for _, table := range tables {
		keep = append(keep, "CREATE TABLE kept_"+table+" AS SELECT * FROM "+table)
		back = append(back, "DELETE FROM "+table, "INSERT INTO "+table+" SELECT * FROM kept_"+table, "DROP TABLE kept_"+table)
	}
	each(keep...)
	each(do)
	report := run(t, d, v)
	each(back...)
	return report
}
