package verify_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
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
	"lojal.dev/lojal/internal/seal"
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
		sealed(t, d)
		const copied = `bucket, program_id, member_id, 99, id || 'x', kind, source, external_id, parent, occurred_at, recorded_at, version, actor, body, decision, seen, stamp, n, events`
		// Each is done, looked for, and undone. What follows from nothing else is found by the seals alone.
		for _, c := range []struct{ name, do, check, row string }{
			{"a posting grows", `UPDATE postings SET amount = amount + 1 WHERE seq = 2 AND n = 1`, "postings", "seq 2 n 1"},
			{"a posting goes", `DELETE FROM postings WHERE seq = 2 AND n = 1`, "postings", "seq 2 n 1"},
			{"a posting comes", `INSERT INTO postings SELECT bucket, program_id, member_id, 1, 9, unit, lot, from_account, to_account, amount, rule, of_fact, occurred_at, recorded_at FROM postings WHERE seq = 2 AND n = 1`, "postings", "n 9"},
			{"a posting is dated back", `UPDATE postings SET occurred_at = occurred_at - 1 WHERE seq = 3`, "postings", "seq 3"},
			{"a posting has another rule", `UPDATE postings SET rule = 'gift' WHERE seq = 2 AND n = 1`, "postings", "seq 2 n 1"},
			{"two postings change places", `UPDATE postings SET unit = CASE unit WHEN 'point' THEN 'mile' ELSE 'point' END WHERE seq = 2`, "postings", "seq 2 n 1"},
			{"postings go to somebody else", `UPDATE postings SET member_id = 'mem_nobody' WHERE seq = 2`, "rows", "mem_nobody"},
			{"a lot grows", `UPDATE lots SET spendable = spendable + 5, remaining = remaining + 5 WHERE lot = 1`, "lots", "lot 1"},
			{"a lot grows, and what was put in", `UPDATE lots SET spendable = spendable + 5, amount = amount + 5, remaining = remaining + 5 WHERE lot = 2`, "lots", "lot 2"},
			{"a lot lives longer", `UPDATE lots SET expires_at = expires_at + 1000000 WHERE lot = 1`, "replay", "lot 1"},
			{"a lot goes", `DELETE FROM lots WHERE lot = 3`, "replay", "lots"},
			{"a lot comes", `INSERT INTO lots SELECT bucket, program_id, member_id, 99, unit, fact_id, earned_at, expires_at, release_at, confirm, warn_at, amount, spendable, pending, reserved, gone, remaining FROM lots WHERE lot = 1`, "lots", "lot 99"},
			{"two lots change places", `UPDATE lots SET lot = CASE lot WHEN 1 THEN 1002 ELSE 1001 END WHERE lot IN (1, 2)`, "lots", "lot 100"},
			{"a state is rich", `UPDATE accounts SET state = REPLACE(state, '"earned":', '"earned":1')`, "holdings", "unit"},
			{"a state has another tier", `UPDATE accounts SET state = REPLACE(state, '"tier":"gold"', '"tier":"basic"')`, "replay", "accounts"},
			{"an account is due later", `UPDATE accounts SET due_at = COALESCE(due_at, 0) + 1`, "facts", "accounts"},
			{"an account is due never", `UPDATE accounts SET due_at = NULL WHERE due_at IS NOT NULL`, "facts", "accounts"},
			{"an account is blocked", `UPDATE accounts SET status = 'blocked'`, "facts", "accounts"},
			{"an account goes", `DELETE FROM accounts WHERE status = 'merged'`, "account", "accounts"},
			{"an account comes", `INSERT INTO accounts (bucket, program_id, member_id, seq) VALUES (7, 'shop', 'mem_nobody', 0)`, "rows", "mem_nobody"},
			{"an account counts on", `UPDATE accounts SET seq = seq + 1 WHERE status = 'merged'`, "facts", "accounts"},
			{"an account cannot be read", `UPDATE accounts SET state = '{"seq":' WHERE status = 'merged'`, "rows", "accounts"},
			{"a profile goes", `DELETE FROM members WHERE member_id IN (SELECT MIN(member_id) FROM members)`, "account", "members"},
			{"a fact goes", `DELETE FROM facts WHERE seq = 3`, "facts", "seq 3"},
			{"the last fact goes", `DELETE FROM facts WHERE kind = 'tier'`, "facts", ""},
			{"a fact comes", `INSERT INTO facts SELECT ` + copied + ` FROM facts WHERE seq = 2 AND kind = 'purchase'`, "facts", "seq"},
			{"two facts change places", `UPDATE facts SET seq = CASE seq WHEN 2 THEN 1003 ELSE 1002 END WHERE seq IN (2, 3)`, "facts", "seq 2"},
			{"a fact cannot be read", `UPDATE facts SET body = '{' WHERE seq = 2`, "rows", "seq 2"},
			{"a decision cannot be read", `UPDATE facts SET decision = '[1' WHERE seq = 2`, "rows", "seq 2"},
			{"events cannot be read", `UPDATE facts SET events = '{}}' WHERE seq = 2`, "rows", "seq 2"},
			{"a fact says nothing", `UPDATE facts SET body = '{}' WHERE seq = 2`, "replay", "seq 2"},
			{"a fact is of another kind", `UPDATE facts SET kind = 'redeem' WHERE seq = 2`, "replay", "seq 2"},
			{"facts lie in another bucket", `UPDATE facts SET bucket = (bucket + 1) % 4096 WHERE seq = 2`, "rows", "facts"},
			{"facts lie in no bucket", `UPDATE facts SET bucket = bucket + 5000 WHERE seq = 2`, "rows", "facts shop"},
			{"facts are of another program", `UPDATE facts SET program_id = 'nowhere' WHERE seq = 2`, "rows", "facts nowhere"},
			{"a purchase grows", `UPDATE facts SET body = REPLACE(body, '"41.50"', '"941.50"') WHERE seq = 2`, "replay", "seq 2"},
			{"a decision is another", `UPDATE facts SET decision = REPLACE(decision, ',1,["earned"', ',0,["earned"') WHERE seq = 2`, "replay", "seq 2"},
			{"a version is another", `UPDATE facts SET version = 7 WHERE seq = 2`, "facts", "seq 2"},
			{"what was seen is another", `UPDATE facts SET seen = '{"program:limit:miles:0/amount":{"all":100000}}' WHERE kind = 'purchase' AND seq = 2`, "replay", "seq 2"},
			{"an event goes", `UPDATE facts SET events = '[]' WHERE seq = 2`, "replay", "seq 2"},
			{"an event is another", `UPDATE facts SET events = REPLACE(events, 'points.earned', 'points.lost') WHERE seq = 2`, "replay", "seq 2"},
			{"somebody else did it", `UPDATE facts SET actor = 'nobody' WHERE seq = 4`, "seals", "seq 4"},
			{"it was recorded later", `UPDATE facts SET recorded_at = recorded_at + 1 WHERE kind = 'enrolment'`, "seals", "seq 1"},
			{"a receipt goes", `DELETE FROM receipts WHERE external_id = '5'`, "receipts", "till/5"},
			{"a receipt comes", `INSERT INTO receipts SELECT bucket, program_id, 'else', external_id, member_id, fact_id, hash FROM receipts WHERE external_id = '5'`, "receipts", "else/5"},
			{"a receipt stands for another fact", `UPDATE receipts SET fact_id = (SELECT fact_id FROM receipts WHERE external_id = '6') WHERE external_id = '5'`, "receipts", "till/5"},
			{"a receipt is somebody else's", `UPDATE receipts SET member_id = 'mem_nobody' WHERE external_id = '5'`, "receipts", "till/5"},
			{"a receipt has another number", `UPDATE receipts SET external_id = '500' WHERE external_id = '5'`, "receipts", "till/5"},
			{"a tally grows", `UPDATE tallies SET value = value + 1 WHERE member_id <> '' AND period = '2024-03-02'`, "tallies", "2024-03-02"},
			{"a tally goes", `DELETE FROM tallies WHERE member_id <> '' AND period = '2024-03-02'`, "tallies", "2024-03-02"},
			{"a tally comes", `INSERT INTO tallies SELECT bucket, program_id, member_id, name, '2024-03-03', 5 FROM tallies WHERE member_id <> '' AND period = '2024-03-02'`, "tallies", "2024-03-03"},
			{"the stock grows", `UPDATE tallies SET value = value - 1 WHERE member_id = '' AND name = 'program:stock:cup'`, "counters", "program:stock:cup"},
			{"the stock lies elsewhere", `UPDATE tallies SET bucket = (bucket + 1) % 4096 WHERE member_id = '' AND name = 'program:stock:cup'`, "counters", "program:stock:cup"},
			{"a redemption is open again", `UPDATE redemptions SET status = 'reserved' WHERE status = 'lapsed'`, "redemptions", "red_"},
			{"a redemption costs nothing", `UPDATE redemptions SET state = REPLACE(state, '"price":{"point":20}', '"price":{"point":0}') WHERE reward = 'cup'`, "redemptions", "red_"},
			{"a redemption is of another reward", `UPDATE redemptions SET reward = 'car' WHERE reward = 'cup'`, "redemptions", "red_"},
			{"a redemption lasts longer", `UPDATE redemptions SET expires_at = at + 1 WHERE reward = 'cup'`, "redemptions", "red_"},
			{"a redemption cannot be read", `UPDATE redemptions SET state = 'x' WHERE reward = 'cup'`, "rows", "red_"},
			{"a redemption goes", `DELETE FROM redemptions WHERE reward = 'voucher'`, "redemptions", "red_"},
			{"a redemption comes", `INSERT INTO redemptions SELECT bucket, program_id, id || 'x', member_id, status, reward, at, expires_at, state FROM redemptions WHERE reward = 'cup'`, "redemptions", "red_"},
			{"a version allows more", `UPDATE versions SET document = REPLACE(document, '"stock":100', '"stock":900')`, "seals", "seals shop number 1"},
			{"a seal goes", `UPDATE seals SET number = 2`, "seals", "seals shop number 1"},
		} {
			found := false
			report := tampered(t, d, func() { exec(t, d, c.do) })
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

// Whoever changes a part of history and all that follows from it leaves books that prove themselves. Only the seals tell.
func TestHistoryThatIsChangedEverywhereAlikeIsFoundByTheSeals(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		v := history(t, d)
		r := record.New(d, v)
		t.Cleanup(r.Close)
		must := func(req record.Request) *record.Result {
			t.Helper()
			req.Program, req.Now = "shop", day(901)
			out, err := r.Record(t.Context(), req)
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		twelve := money.MustParse("12")
		lone := must(record.Request{Fact: engine.Fact{Kind: engine.Enrolment}, Enrol: &member.New{Profile: member.Profile{ExternalID: "lone"}}}).Fact.Member
		add := func() {
			must(record.Request{Member: lone, Fact: engine.Fact{Kind: engine.AdjustmentK, Adjustment: &engine.Adjustment{Unit: "point", Amount: &twelve, Reason: "sorry"}}})
		}
		add()
		keep(t, d, "before_")
		add()
		sealed(t, d)
		if report := run(t, d, v); !report.OK() {
			t.Fatal(report.Findings)
		}
		for _, c := range []struct {
			name, row string
			do        func()
		}{
			{"a member who never was", "", func() {
				for _, table := range append([]string{"members"}, tables...) {
					if table != "receipts" && table != "redemptions" && table != "seals" && table != "versions" {
						exec(t, d, "DELETE FROM "+table+" WHERE member_id = '"+lone+"'")
					}
				}
			}},
			{"a fact that never was", "the last of seal", func() {
				for _, table := range []string{"accounts", "facts", "postings", "lots", "tallies"} {
					exec(t, d, "DELETE FROM "+table+" WHERE member_id = '"+lone+"'", "INSERT INTO "+table+" SELECT * FROM before_"+table+" WHERE member_id = '"+lone+"'")
				}
			}},
		} {
			report := tampered(t, d, c.do)
			if len(report.Findings) != 1 || report.Findings[0].Check != "seals" || !strings.Contains(report.Findings[0].Row, c.row) {
				t.Errorf("%s: %v", c.name, report.Findings)
			}
		}
	})
}

func sealed(t *testing.T, d *db.DB) {
	t.Helper()
	dbtest.Settle(t, d)
	if _, err := seal.Program(t.Context(), d, "shop", day(900)); err != nil {
		t.Fatal(err)
	}
}

// tables are those that a tampering may touch; they are copied and put back.
var tables = []string{"members", "accounts", "facts", "postings", "lots", "receipts", "tallies", "redemptions", "seals", "versions"}

// exec runs statements that must touch something, but for those that only clean up.
func exec(t *testing.T, d *db.DB, sql ...string) {
	t.Helper()
	err := d.Write(context.Background(), func(tx *db.Tx) error {
		for _, q := range sql {
			res, err := tx.Exec(context.Background(), q)
			if err != nil {
				return fmt.Errorf("%s: %w", q, err)
			}
			n, err := res.RowsAffected()
			if touches := strings.HasPrefix(q, "UPDATE ") || strings.HasPrefix(q, "INSERT ") && len(sql) == 1; err != nil || touches && n == 0 {
				return fmt.Errorf("%s: touched nothing (%w)", q, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func keep(t *testing.T, d *db.DB, prefix string) {
	t.Helper()
	for _, table := range tables {
		exec(t, d, "CREATE TABLE "+prefix+table+" AS SELECT * FROM "+table)
	}
}

func tampered(t *testing.T, d *db.DB, do func()) *verify.Report {
	t.Helper()
	keep(t, d, "kept_")
	do()
	report := run(t, d, &version.Cache{})
	var back []string
	for _, table := range tables {
		back = append(back, "DELETE FROM "+table, "INSERT INTO "+table+" SELECT * FROM kept_"+table, "DROP TABLE kept_"+table)
	}
	exec(t, d, back...)
	return report
}

// Others go on recording while the books are proved part by part: transfers, which two members share, and stock, which all do.
func TestBooksAreProvedWhileTheyAreWritten(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		v := history(t, d)
		r := record.New(d, v)
		t.Cleanup(r.Close)
		var members []string
		for i := range 6 {
			out, err := r.Record(t.Context(), record.Request{Program: "shop", Now: day(901), Fact: engine.Fact{Kind: engine.Enrolment}, Enrol: &member.New{Profile: member.Profile{ExternalID: fmt.Sprint("w", i)}}})
			if err != nil {
				t.Fatal(err)
			}
			members = append(members, out.Fact.Member)
		}
		stop, writers := make(chan struct{}), sync.WaitGroup{}
		ten, one := money.MustParse("100"), money.MustParse("1")
		for w := range 3 {
			writers.Go(func() {
				for i := 0; ; i++ {
					select {
					case <-stop:
						return
					default:
					}
					from, to := members[(i+w)%6], members[(i+w+1)%6]
					for _, f := range []engine.Fact{
						{Kind: engine.PurchaseK, Purchase: &engine.Purchase{Amount: &ten}},
						{Kind: engine.TransferOut, Transfer: &engine.Transfer{Unit: "point", Amount: one, Other: to}},
						{Kind: engine.Redeem, Redemption: &engine.Redemption{Spend: engine.Spend{Reward: "cup"}}},
					} {
						if _, err := r.Record(context.Background(), record.Request{Program: "shop", Member: from, Now: day(902), Fact: f}); err != nil && errs.CodeOf(err) == errs.CodeInternal {
							t.Error(err)
						}
					}
				}
			})
		}
		for i := range 8 {
			report, err := verify.Run(t.Context(), d, v, "shop", verify.Options{AtOnce: 20, Workers: 1 + i%3})
			if err != nil {
				t.Error(err)
			} else if !report.OK() {
				t.Errorf("%v", report.Findings)
			}
		}
		close(stop)
		writers.Wait()
		if report := run(t, d, v); !report.OK() || len(report.Left) > 0 {
			t.Errorf("%+v", report)
		}
	})
}

func TestAPartCanBeProved(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		v := history(t, d)
		sealed(t, d)
		whole := run(t, d, v)
		prove := func(opts verify.Options) *verify.Report {
			t.Helper()
			report, err := verify.Run(t.Context(), d, v, "shop", opts)
			if err != nil {
				t.Fatal(err)
			}
			return report
		}
		if r := prove(verify.Options{OneMoment: true}); !r.OK() || r.Facts != whole.Facts || r.Seals != 1 || r.Part != "" {
			t.Errorf("one moment: %+v", r)
		}
		if r := prove(verify.Options{Sample: 1}); !r.OK() || r.Members > 1 || r.Seals != 0 || r.Part == "" {
			t.Errorf("a bucket by chance: %+v", r)
		}
		if r := prove(verify.Options{Sample: 100}); !r.OK() || r.Facts != whole.Facts {
			t.Errorf("a sample of all: %+v", r)
		}
		if r := prove(verify.Options{Since: day(1000)}); !r.OK() || r.Facts != 0 || r.Seals != 0 || r.Head == "" {
			t.Errorf("since the seal: %+v", r)
		}
		if r := prove(verify.Options{Since: day(800)}); !r.OK() || r.Facts != whole.Facts || r.Seals != 1 {
			t.Errorf("since before the seal: %+v", r)
		}
		var one string
		err := d.Read(t.Context(), func(tx *db.Tx) error {
			return tx.QueryRow(t.Context(), `SELECT member_id FROM facts WHERE kind = 'tier'`).Scan(&one)
		})
		if err != nil {
			t.Fatal(err)
		}
		if r := prove(verify.Options{Member: one}); !r.OK() || r.Members != 1 || r.Facts == 0 || r.Part != "member "+one {
			t.Errorf("a member: %+v", r)
		}
		exec(t, d, `UPDATE lots SET spendable = spendable + 5, remaining = remaining + 5 WHERE lot = 1 AND member_id = '`+one+`'`)
		if r := prove(verify.Options{Member: one}); r.OK() {
			t.Error("what is wrong with the member is not found")
		}
		r := record.New(d, v)
		t.Cleanup(r.Close)
		add := record.Request{Program: "shop", Member: one, Now: day(901), Fact: engine.Fact{Kind: engine.ActivityK, Activity: &engine.Activity{Kind: "nothing"}}}
		if _, err := r.Record(t.Context(), add); err == nil {
			t.Error("there is no such activity")
		}
		twelve := money.MustParse("12")
		add.Fact = engine.Fact{Kind: engine.AdjustmentK, Adjustment: &engine.Adjustment{Unit: "point", Amount: &twelve, Reason: "sorry"}}
		if _, err := r.Record(t.Context(), add); err != nil {
			t.Fatal(err)
		}
		if r := prove(verify.Options{Since: day(1000)}); r.OK() || r.Members != 1 {
			t.Errorf("who has done something since the seal is not proved: %+v", r)
		}
		if _, err := verify.Run(t.Context(), d, v, "shop", verify.Options{Member: "mem_nobody"}); !errs.Is(err, errs.CodeNotFound, "member_not_found") {
			t.Error(err)
		}
		head := seal.Head{Hash: strings.Repeat("0", 64), Number: 1}
		if r := prove(verify.Options{Sample: 1, Heads: []seal.Head{head}}); r.OK() || r.Findings[len(r.Findings)-1].Check != "seals" {
			t.Errorf("a head that does not hold: %+v", r)
		}
	})
}
