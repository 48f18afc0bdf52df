package insight_test

import (
	"context"
	"log/slog"
	"reflect"
	"slices"
	"testing"
	"time"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/demo"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/insight"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/version"
)

var now = time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC)

// shop is a program with a history.
type shop struct {
	t  testing.TB
	d  *db.DB
	r  *record.Recorder
	v  *version.Cache
	p  *program.Compiled
	ex string
}

func open(t testing.TB, d *db.DB, members, weeks int) *shop {
	t.Helper()
	v := &version.Cache{}
	r := record.New(d, v)
	t.Cleanup(func() { r.Close() })
	s, err := demo.Fill(t.Context(), demo.Input{DB: d, Recorder: r, Now: now, Members: members, Weeks: weeks})
	if err != nil {
		t.Fatal(err)
	}
	h := &shop{t: t, d: d, r: r, v: v, ex: s.Example}
	h.read(func(ctx context.Context, tx *db.Tx) error {
		set, err := v.Get(ctx, tx, s.Program)
		if err == nil {
			h.p = set.At(now)
		}
		return err
	})
	return h
}

func (h *shop) read(look func(ctx context.Context, tx *db.Tx) error) {
	h.t.Helper()
	if err := h.d.Read(h.t.Context(), func(tx *db.Tx) error { return look(h.t.Context(), tx) }); err != nil {
		h.t.Fatal(err)
	}
}

func (h *shop) report(word string) *insight.Report {
	h.t.Helper()
	period, earlier, step, err := insight.Between(word, now, h.p.Zone)
	if err != nil {
		h.t.Fatal(err)
	}
	var out *insight.Report
	h.read(func(ctx context.Context, tx *db.Tx) (err error) {
		out, err = insight.Read(ctx, tx, h.p, period, earlier, step)
		return err
	})
	return out
}

func (h *shop) fold() {
	h.t.Helper()
	if err := insight.FoldAll(h.t.Context(), h.d, h.v, now, slog.New(slog.DiscardHandler)); err != nil {
		h.t.Fatal(err)
	}
}

// sum asks the books.
func (h *shop) sum(query string, args ...any) (n int64) {
	h.t.Helper()
	h.read(func(ctx context.Context, tx *db.Tx) error {
		return tx.QueryRow(ctx, query, append([]any{h.p.Doc.Program}, args...)...).Scan(&n)
	})
	return n
}

// compare holds the figures of a period against sums over the books.
func (h *shop) compare(d insight.Days, f *insight.Figures) {
	h.t.Helper()
	from, until := d.From.UnixMicro(), d.Until.UnixMicro()
	for what, x := range map[string]struct {
		have  int64
		query string
	}{
		"new":       {f.New, `SELECT COUNT(*) FROM facts WHERE program_id = $1 AND kind = 'enrolment' AND member_id LIKE 'mem%' AND occurred_at >= $2 AND occurred_at < $3`},
		"members":   {f.Members, `SELECT COUNT(*) FROM facts WHERE program_id = $1 AND kind = 'enrolment' AND member_id LIKE 'mem%' AND occurred_at < $3 AND $2 > CAST(0 AS bigint)`},
		"active":    {f.Active, `SELECT COUNT(DISTINCT member_id) FROM facts WHERE program_id = $1 AND kind = 'purchase' AND occurred_at >= $2 AND occurred_at < $3`},
		"purchases": {f.Purchases, `SELECT COUNT(*) FROM facts WHERE program_id = $1 AND kind = 'purchase' AND occurred_at >= $2 AND occurred_at < $3`},
		"issued": {f.Units["star"].Issued, `SELECT CAST(COALESCE(SUM(CASE WHEN from_account = 'program:issued' THEN amount WHEN to_account = 'program:issued' THEN -amount ELSE 0 END), 0) AS bigint)
			FROM postings WHERE program_id = $1 AND unit = 'star' AND occurred_at >= $2 AND occurred_at < $3`},
		"spent": {f.Units["star"].Spent, `SELECT CAST(COALESCE(SUM(CASE WHEN to_account = 'program:redeemed' THEN amount WHEN from_account = 'program:redeemed' THEN -amount ELSE 0 END), 0) AS bigint)
			FROM postings WHERE program_id = $1 AND unit = 'star' AND occurred_at >= $2 AND occurred_at < $3`},
		"expired": {f.Units["star"].Expired, `SELECT CAST(COALESCE(SUM(CASE WHEN to_account = 'program:expired' THEN amount WHEN from_account = 'program:expired' THEN -amount ELSE 0 END), 0) AS bigint)
			FROM postings WHERE program_id = $1 AND unit = 'star' AND occurred_at >= $2 AND occurred_at < $3`},
		"taken back": {f.Units["star"].Reversed, `SELECT CAST(COALESCE(SUM(CASE WHEN to_account = 'program:reversed' THEN amount WHEN from_account = 'program:reversed' THEN -amount ELSE 0 END), 0) AS bigint)
			FROM postings WHERE program_id = $1 AND unit = 'star' AND occurred_at >= $2 AND occurred_at < $3`},
		"outstanding": {f.Units["star"].Outstanding, `SELECT CAST(COALESCE(SUM(CASE WHEN to_account IN ('member', 'pending', 'reserved', 'debt') THEN amount ELSE 0 END
			- CASE WHEN from_account IN ('member', 'pending', 'reserved', 'debt') THEN amount ELSE 0 END), 0) AS bigint)
			FROM postings WHERE program_id = $1 AND unit = 'star' AND occurred_at < $3 AND $2 > CAST(0 AS bigint)`},
	} {
		if want := h.sum(x.query, from, until); x.have != want {
			h.t.Errorf("%s from %s until %s: %d, the books say %d", what, d.From, d.Until, x.have, want)
		}
	}
	var spend, returned, redeemed int64
	h.facts(func(f *engine.Fact, dec *engine.Decision) {
		if f.OccurredAt.Before(d.From) || !f.OccurredAt.Before(d.Until) {
			return
		}
		for _, l := range dec.Lines {
			switch f.Kind { //nolint:exhaustive // only these two are money
			case engine.ReturnK:
				returned += l.Amount
			case engine.PurchaseK:
				spend += l.Amount
			}
		}
		for _, r := range dec.Redemptions {
			if r.Status == engine.StatusCommitted && f.Kind != engine.Refund && f.Kind != engine.ReturnK && len(r.Refunded) == 0 {
				redeemed++
			}
		}
	})
	var have int64
	for _, n := range f.Redemptions {
		have += n
	}
	if f.Spend != spend || f.Returned != returned || have != redeemed {
		h.t.Errorf("from %s: spend %d, returned %d, redeemed %d; the books say %d, %d, %d", d.From, f.Spend, f.Returned, have, spend, returned, redeemed)
	}
}

func TestFiguresAreThoseOfTheBooks(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, 40, 20)
		unfolded := map[string]*insight.Report{}
		for _, word := range insight.Periods {
			unfolded[word] = h.report(word)
			h.compare(unfolded[word].Period, &unfolded[word].Now)
			h.compare(unfolded[word].Earlier, &unfolded[word].Before)
		}
		if f := unfolded["28d"].Now; f.Purchases == 0 || f.Spend == 0 || f.Active == 0 || f.Units["star"].Spent == 0 || len(f.Redemptions) == 0 {
			t.Errorf("the demo has too little in it: %+v", f)
		}
		dbtest.Settle(t, d)
		h.fold()
		h.fold() // once more changes nothing
		for _, word := range insight.Periods {
			if have := h.report(word); !reflect.DeepEqual(have, unfolded[word]) {
				t.Errorf("%s folded is %+v, from the facts %+v", word, have, unfolded[word])
			}
		}
		// What comes late, of any day, counts before it is folded and after.
		late := engine.Fact{Kind: engine.PurchaseK, OccurredAt: now.AddDate(0, 0, -10), Purchase: &engine.Purchase{Lines: []engine.Line{{SKU: "C-01", Category: "coffee", Amount: amount(t, "77.50")}}}}
		req := record.Request{Program: h.p.Doc.Program, Now: now, Actor: "test", Fact: late}
		req.Name(h.ex)
		if _, err := h.r.Record(t.Context(), req); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			have := h.report("28d")
			h.compare(have.Period, &have.Now)
			if have.Now.Spend != unfolded["28d"].Now.Spend+7750 {
				t.Errorf("spend %d after a purchase of 77.50, %d before", have.Now.Spend, unfolded["28d"].Now.Spend)
			}
			dbtest.Settle(t, d)
			h.fold()
		}
		var sum insight.Figures
		r := h.report("90d")
		for _, s := range r.Steps {
			sum.Purchases, sum.Spend, sum.New = sum.Purchases+s.Purchases, sum.Spend+s.Spend, sum.New+s.New
		}
		if sum.Purchases != r.Now.Purchases || sum.Spend != r.Now.Spend || sum.New != r.Now.New {
			t.Errorf("the weeks come to %+v, the period to %+v", sum, r.Now)
		}
	})
}

func amount(t *testing.T, s string) *money.Decimal {
	t.Helper()
	d, err := money.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return &d
}

func (h *shop) facts(visit func(*engine.Fact, *engine.Decision)) {
	h.t.Helper()
	h.read(func(ctx context.Context, tx *db.Tx) error {
		return books.FactsFrom(ctx, tx, h.p.Doc.Program, 0, 1<<62, func(v *books.VolumeEntry) error {
			visit(&v.Fact, &v.Decision)
			return nil
		})
	})
}

func TestPeriodsEndWithToday(t *testing.T) {
	t.Parallel()
	oslo, err := time.LoadLocation("Europe/Oslo")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ word, now, period, earlier string }{
		{"7d", "2026-11-22T23:30:00Z", "2026-11-17 2026-11-24", "2026-11-10 2026-11-17"}, // it is the 23rd in Oslo
		{"28d", "2026-11-22T12:00:00Z", "2026-10-26 2026-11-23", "2026-09-28 2026-10-26"},
		{"month", "2026-11-22T12:00:00Z", "2026-11-01 2026-11-23", "2026-10-01 2026-10-23"},
		{"month", "2027-03-31T12:00:00Z", "2027-03-01 2027-04-01", "2027-02-01 2027-03-01"},
		{"year", "2026-03-01T12:00:00Z", "2026-01-01 2026-03-02", "2025-01-01 2025-03-02"},
	} {
		at, err := time.Parse(time.RFC3339, c.now)
		if err != nil {
			t.Fatal(err)
		}
		p, e, _, err := insight.Between(c.word, at, oslo)
		have := func(d insight.Days) string { return d.From.Format(time.DateOnly) + " " + d.Until.Format(time.DateOnly) }
		if err != nil || have(p) != c.period || have(e) != c.earlier {
			t.Errorf("%s at %s is %s after %s (%v), want %s after %s", c.word, c.now, have(p), have(e), err, c.period, c.earlier)
		}
	}
	if _, _, _, err := insight.Between("decade", now, oslo); err == nil {
		t.Error("there is no such period")
	}
}

// TestAStockThatRunsOutIsTold limits the coffees to ten, and has them taken.
func TestAStockThatRunsOutIsTold(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, 10, 4)
		doc := *h.p.Doc
		doc.Rewards = slices.Clone(doc.Rewards)
		ten := int64(10)
		doc.Rewards[slices.IndexFunc(doc.Rewards, func(r program.Reward) bool { return r.ID == "coffee" })].Stock = &ten
		err := d.Write(t.Context(), func(tx *db.Tx) error {
			_, err := version.Publish(t.Context(), tx, version.PublishInput{Program: doc.Program, Document: &doc, By: "test", Now: now})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		p, err := program.Compile(&doc, 0)
		if err != nil {
			t.Fatal(err)
		}
		do := func(f engine.Fact) {
			t.Helper()
			f.OccurredAt = now
			req := record.Request{Program: doc.Program, Now: now, Actor: "test", Fact: f}
			req.Name(h.ex)
			if _, err := h.r.Record(t.Context(), req); err != nil {
				t.Fatal(err)
			}
		}
		take := func(n int64) {
			t.Helper()
			do(engine.Fact{Kind: engine.Redeem, Redemption: &engine.Redemption{Spend: engine.Spend{Reward: "coffee", Quantity: n}}})
		}
		told := func(want ...insight.Note) {
			t.Helper()
			h.read(func(ctx context.Context, tx *db.Tx) error {
				all, err := insight.Attention(ctx, tx, p, now)
				all = slices.DeleteFunc(all, func(n insight.Note) bool { return n.Name != "coffee" })
				if !slices.Equal(all, want) {
					t.Errorf("it says %v, want %v", all, want)
				}
				return err
			})
		}
		do(engine.Fact{Kind: engine.AdjustmentK, Adjustment: &engine.Adjustment{Unit: "star", Amount: amount(t, "1000"), Reason: "test"}})
		take(8)
		told()
		take(1)
		told(insight.Note{Kind: insight.StockLow, Name: "coffee", Count: 1})
		take(1)
		told(insight.Note{Kind: insight.StockOut, Name: "coffee"})
	})
}
