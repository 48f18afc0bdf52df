package record_test

import (
	"testing"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/member"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/record"
)

func ask(kind engine.Kind, who string, enrol *member.New) record.Request {
	return record.Request{Member: who, Fact: engine.Fact{Kind: kind}, Enrol: enrol}
}

func amount(s string) *money.Decimal { d := money.MustParse(s); return &d }

func TestChangedProfileReachesTheRules(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := open(t, d)
		m := k.must(ask(engine.Enrolment, "", &member.New{Profile: member.Profile{Name: "Kari"}})).Fact.Member
		zone, red := "America/New_York", "red"
		req := ask(engine.ProfileK, m, nil)
		req.Patch = &member.Patch{Zone: &zone, Attributes: map[string]*string{"team": &red}}
		r := k.must(req)
		if st := r.Account.State; st.Zone != zone || st.Attributes["team"] != red || !r.Recorded {
			t.Errorf("the account says %q %v", st.Zone, st.Attributes)
		}
		if r := k.must(req); r.Recorded {
			t.Error("a change that changes nothing was recorded")
		}
	})
}

func TestReturnOfAPurchaseOfAMergedMember(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := open(t, d)
		old := k.must(ask(engine.Enrolment, "", &member.New{Profile: member.Profile{Name: "Kari"}})).Fact.Member
		one := k.must(ask(engine.Enrolment, "", &member.New{Profile: member.Profile{Name: "Kari N"}})).Fact.Member
		buy := ask(engine.PurchaseK, one, nil)
		buy.Fact.Purchase = &engine.Purchase{Amount: amount("40")}
		k.must(buy) // so that the survivor has a lot 1 of its own
		buy.Member = old
		buy.Fact.Purchase = &engine.Purchase{Amount: amount("100")}
		bought := k.must(buy)
		merge := ask(engine.MergeOut, old, nil)
		merge.Fact.Merge = &engine.Merge{Other: one}
		k.must(merge)
		back := ask(engine.ReturnK, "", nil)
		back.Fact.Parent = bought.Fact.ID
		back.Fact.Return = &engine.Return{Amount: amount("30")}
		r := k.must(back)
		if h := r.Account.State.Units["point"]; r.Fact.Member != one || h.Spendable != 110 {
			t.Errorf("%s has %d, want the survivor %s with 110", r.Fact.Member, h.Spendable, one)
		}
		back.Fact.Return = &engine.Return{}
		if h := k.must(back).Account.State.Units["point"]; h.Spendable != 40 {
			t.Errorf("after the rest came back there are %d, want 40", h.Spendable)
		}
	})
}

func TestReceiptRepeatedInTheBatchThatEnrolsItsMember(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := open(t, d)
		enrol := ask(engine.Enrolment, "", &member.New{Profile: member.Profile{ExternalID: "7"}})
		buy := ask(engine.PurchaseK, "ext:7", nil)
		buy.Fact.Source, buy.Fact.ExternalID = "till", "1"
		buy.Fact.Purchase = &engine.Purchase{Amount: amount("10")}
		reqs := []record.Request{enrol, buy, buy}
		for i := range reqs {
			reqs[i].Program, reqs[i].Now = "shop", noon
		}
		out := k.r.Batch(t.Context(), reqs)
		for i, o := range out {
			if o.Err != nil {
				t.Fatalf("request %d: %v", i, o.Err)
			}
		}
		if !out[2].Result.Duplicate || out[2].Result.Fact.ID != out[1].Result.Fact.ID {
			t.Errorf("the second post of the receipt gave %+v", out[2].Result.Fact)
		}
	})
}
