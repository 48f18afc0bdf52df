package record_test

import (
	"testing"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/record"
)

func TestWhatAFastNodeGaveCanBeSpentOnASlowOne(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := open(t, d)
		m := k.enrol("a")
		give := money.FromMinor(250, 0)
		fast, slow := noon.Add(record.Ahead), noon.Add(-record.Ahead)
		k.must(record.Request{Member: m, Now: fast, Fact: engine.Fact{Kind: engine.AdjustmentK, Adjustment: &engine.Adjustment{Unit: "point", Amount: &give, Reason: "given"}}})
		spend := func(now, at time.Time) (*record.Result, error) {
			return k.take(record.Request{Member: m, Now: now, Fact: engine.Fact{Kind: engine.Redeem, OccurredAt: at, Redemption: &engine.Redemption{Spend: engine.Spend{Reward: "hundred"}}}})
		}
		if r, err := spend(slow, time.Time{}); err != nil || !r.Fact.OccurredAt.Equal(fast) || !r.Fact.RecordedAt.Equal(slow) {
			t.Errorf("%+v %v", r, err)
		}
		if _, err := spend(slow, slow); !errs.Is(err, errs.CodeInsufficient, "balance_too_low") {
			t.Errorf("what says itself that it happened before spends nothing that came after: %v", err)
		}
		if _, err := spend(slow.Add(-time.Minute-time.Microsecond), time.Time{}); !errs.Is(err, errs.CodeInsufficient, "balance_too_low") {
			t.Errorf("a clock that is off by more is not followed: %v", err)
		}
		if r, err := spend(fast.Add(time.Minute), time.Time{}); err != nil || !r.Fact.OccurredAt.Equal(fast.Add(time.Minute)) {
			t.Errorf("%+v %v", r, err)
		}
	})
}
