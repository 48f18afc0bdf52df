package record_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errand"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/member"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/verify"
	"lojal.dev/lojal/internal/version"
)

const family = shop + `
households: {most: 4, shares: [point]}
organizations: {most: 4}
`

// house makes a household or an organization of an owner and others.
func (k *desk) house(kind, owner, role string, others ...string) string {
	k.t.Helper()
	id := ids.New(record.HousePrefix(kind), day(1))
	k.must(record.Request{Holder: id, Fact: engine.Fact{Kind: engine.Enrolment, OccurredAt: day(1), Enrolment: &engine.EnrolmentBody{Kind: kind},
		House: &engine.HouseBody{Do: engine.HouseOpen, Member: owner}}})
	for _, m := range others {
		for _, do := range []string{engine.HouseInvite, engine.HouseJoin} {
			k.must(record.Request{Holder: id, Fact: engine.Fact{Kind: engine.HouseK, OccurredAt: day(1), House: &engine.HouseBody{Do: do, Member: m, Role: role, By: owner}}})
		}
	}
	return id
}

func together(m, reward string) record.Request {
	req := redeem(m, reward, day(2))
	req.Fact.Redemption.Household = true
	req.Program, req.Now = "shop", day(2)
	return req
}

// Four of a household spend at once, on two nodes: no point is spent twice and none is left lying.
func TestAHouseholdSpendsAtOnce(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := openWith(t, d, record.Options{}, family)
		second := record.NewWith(d, &version.Cache{}, record.Options{Writers: 3, Gather: 2})
		t.Cleanup(second.Close)
		var people []string
		for _, ext := range []string{"a", "b", "c", "d"} {
			people = append(people, k.enrol(ext))
		}
		k.house(engine.Household, people[0], "", people[1:]...)
		for i, n := range []string{"130", "270", "350", "250"} {
			k.must(purchase(people[i], n, day(1)))
		}
		done, refused := k.race(16, func(i int) error {
			r := k.r
			if i%2 == 0 {
				r = second
			}
			_, err := r.Record(context.Background(), together(people[i%4], "hundred"))
			return err
		}, "balance_too_low")
		left := int64(0)
		for _, m := range people {
			left += k.balance(m, day(2))
		}
		if done != 10 || refused != 6 || left != 0 {
			t.Errorf("%d done, %d refused, %d left", done, refused, left)
		}
	})
}

// Somebody joins and spends in one batch with others who spend: each goes after what it shares with those before.
func TestAHouseholdInOneBatch(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		k := openWith(t, d, record.Options{}, family)
		a, b, c := k.enrol("a"), k.enrol("b"), k.enrol("c")
		home := k.house(engine.Household, a, "", b)
		k.must(purchase(b, "150", day(1)))
		k.must(purchase(c, "100", day(1)))
		step := func(do string) record.Request {
			return record.Request{Program: "shop", Holder: home, Now: day(2), Fact: engine.Fact{Kind: engine.HouseK, House: &engine.HouseBody{Do: do, Member: c}}}
		}
		var got []string
		for _, o := range k.r.Batch(context.Background(), []record.Request{together(a, "hundred"), together(c, "hundred"), step(engine.HouseInvite), step(engine.HouseJoin),
			together(a, "hundred"), together(c, "hundred"), together(b, "voucher")}) {
			got = append(got, reason(o.Err))
		}
		if want := []string{"", "no_household", "", "", "", "balance_too_low", ""}; !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
		if k.balance(a, day(2))+k.balance(b, day(2))+k.balance(c, day(2)) != 0 {
			t.Errorf("%d, %d and %d are left", k.balance(a, day(2)), k.balance(b, day(2)), k.balance(c, day(2)))
		}
	})
}

func reason(err error) string {
	if err == nil {
		return ""
	}
	return errs.As(err).Reason
}

// What was given and is undone comes home once, wherever the errand stops; by a receipt that comes again nothing is given twice.
func TestWhatAHouseholdGaveComesHomeOnce(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := openWith(t, d, record.Options{}, family)
		a, b := k.enrol("a"), k.enrol("b")
		k.house(engine.Household, a, "", b)
		k.must(purchase(a, "40", day(1)))
		k.must(purchase(b, "200", day(1)))
		req := together(a, "hundred")
		req.Fact.Source, req.Fact.ExternalID = "till", "1"
		first := k.must(req)
		if again := k.must(req); !again.Duplicate || again.Fact.ID != first.Fact.ID {
			t.Errorf("it was taken again: %+v", again.Fact)
		}
		if k.balance(a, day(2)) != 0 || k.balance(b, day(2)) != 140 {
			t.Errorf("%d and %d", k.balance(a, day(2)), k.balance(b, day(2)))
		}
		k.must(record.Request{Fact: engine.Fact{Kind: engine.Refund, Parent: first.Fact.ID, OccurredAt: day(3)}})
		for range 2 {
			if err := errand.CatchUp(t.Context(), d, k.r, "shop", day(3)); err != nil {
				t.Fatal(err)
			}
			err := d.Write(t.Context(), func(tx *db.Tx) error {
				_, err := tx.Exec(t.Context(), "DELETE FROM errand_places")
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if k.balance(a, day(3)) != 40 || k.balance(b, day(3)) != 200 {
			t.Errorf("%d and %d", k.balance(a, day(3)), k.balance(b, day(3)))
		}
	})
}

// A purchase of somebody who acts for an organization is the organization's; a receipt from before that is known all the same.
func TestAPurchaseForAnOrganization(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := openWith(t, d, record.Options{}, family)
		a, b, c := k.enrol("a"), k.enrol("b"), k.enrol("c")
		own := purchase(b, "10", day(0))
		own.Fact.Source, own.Fact.ExternalID = "till", "1"
		k.must(own)
		firm := k.house(engine.Organization, a, "viewer", b)
		if r := k.must(purchase("ext:a", "100", day(2))); r.Fact.Member != firm || r.Fact.Purchase.By != a {
			t.Errorf("it is of %s, by %s", r.Fact.Member, r.Fact.Purchase.By)
		}
		if _, err := k.take(purchase(b, "5", day(2))); reason(err) != "role_may_not" {
			t.Error(err)
		}
		own.Now = day(2)
		if r := k.must(own); !r.Duplicate || r.Fact.Member != b {
			t.Errorf("it was taken again: %+v", r.Fact)
		}
		undated := purchase(c, "10", time.Time{})
		undated.Fact.Source, undated.Fact.ExternalID, undated.Now = "till", "2", day(0)
		k.must(undated)
		k.must(record.Request{Holder: firm, Fact: engine.Fact{Kind: engine.HouseK, OccurredAt: day(1), House: &engine.HouseBody{Do: engine.HouseInvite, Member: c, Role: "viewer"}}})
		k.must(record.Request{Holder: firm, Fact: engine.Fact{Kind: engine.HouseK, OccurredAt: day(1), House: &engine.HouseBody{Do: engine.HouseJoin, Member: c}}})
		undated.Now = day(2)
		if r := k.must(undated); !r.Duplicate || r.Fact.Member != c {
			t.Errorf("it was taken again: %+v", r.Fact)
		}
		n := money.MustParse("7")
		if r := k.must(record.Request{Member: firm, Fact: engine.Fact{Kind: engine.PurchaseK, OccurredAt: day(2), Purchase: &engine.Purchase{Amount: &n}}}); r.Fact.Member != firm {
			t.Errorf("it is of %s", r.Fact.Member)
		}
		if k.balance(firm, day(2)) != 107 || k.balance(b, day(2)) != 10 {
			t.Errorf("%d and %d", k.balance(firm, day(2)), k.balance(b, day(2)))
		}
	})
}

// What follows from a fact has natural keys that nobody else may take, by whatever fact: else what follows would be kept out.
func TestNobodyTakesTheKeysOfWhatFollows(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		k := openWith(t, d, record.Options{}, family)
		a, b := k.enrol("a"), k.enrol("b")
		home := k.house(engine.Household, a, "", b)
		n, cup := money.MustParse("1"), engine.Spend{Reward: "hundred"}
		facts := map[string]record.Request{
			"purchase":   purchase(a, "10", day(2)),
			"adjustment": {Member: a, Fact: engine.Fact{Kind: engine.AdjustmentK, Adjustment: &engine.Adjustment{Unit: "point", Amount: &n, Reason: "x"}}},
			"redemption": {Member: a, Fact: engine.Fact{Kind: engine.Redeem, Redemption: &engine.Redemption{Spend: cup}}},
			"transfer":   {Member: a, Fact: engine.Fact{Kind: engine.TransferOut, Transfer: &engine.Transfer{Unit: "point", Amount: n, Other: b}}},
			"house":      {Holder: ids.New(member.HouseholdPrefix, day(2)), Fact: engine.Fact{Kind: engine.Enrolment, Enrolment: &engine.EnrolmentBody{Kind: engine.Household}, House: &engine.HouseBody{Do: engine.HouseOpen, Member: a}}},
			"gone":       {Holder: home, Fact: engine.Fact{Kind: engine.HouseK, House: &engine.HouseBody{Do: engine.HouseGone, Member: b}}},
			"thanks":     {Member: a, Fact: engine.Fact{Kind: engine.ThanksK, Thanks: &engine.Thanks{From: b, Step: engine.ThanksEarned}}},
			"home":       {Member: a, Fact: engine.Fact{Kind: engine.TransferIn, Transfer: &engine.Transfer{Unit: "point", Amount: n, Other: b, Home: &engine.MovedLot{Unit: "point", Amount: 1}}}},
		}
		for _, do := range []string{engine.HouseInvite, engine.HouseJoin, engine.HouseNo, engine.HouseLeave, engine.HouseRemove, engine.HouseRole} {
			facts[do] = record.Request{Holder: home, Fact: engine.Fact{Kind: engine.HouseK, House: &engine.HouseBody{Do: do, Member: b, By: b}}}
		}
		for name, req := range facts {
			for _, source := range []string{"lojal", "lojal:raffle", "lojal:order", "lojal:reversal", "lojal:later"} {
				// Who asks says nothing: a purchase that waited is recorded by the program, with the natural key that it came with.
				req.Actor, req.Now = record.System, day(2)
				req.Fact.Source, req.Fact.ExternalID = source, "household/"+name
				if _, err := k.take(req); name == "gone" || name == "home" {
					if err == nil {
						t.Errorf("%s with source %s was taken", name, source)
					}
				} else if reason(err) != "reserved_source" {
					t.Errorf("%s with source %s: %v", name, source, err)
				}
			}
		}
		near := purchase(a, "10", day(2))
		near.Fact.Source, near.Fact.ExternalID = "lojalen", "1"
		k.must(near)
	})
}

// Who is blocked acts for nobody: what they do for an organization is refused, or earns nothing, as in their own books.
func TestABlockedMemberActsForNobody(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := openWith(t, d, record.Options{}, family)
		a, b := k.enrol("a"), k.enrol("b")
		firm := k.house(engine.Organization, a, "owner", b)
		k.must(purchase(a, "500", day(1)))
		receipt := purchase(b, "30", day(1))
		receipt.Fact.Source, receipt.Fact.ExternalID = "till", "1"
		if first := k.must(receipt); first.Fact.Member != firm {
			t.Fatalf("it is of %s", first.Fact.Member)
		}
		status := func(to string) record.Request {
			return record.Request{Program: "shop", Member: b, Now: day(3), Fact: engine.Fact{Kind: engine.Status, OccurredAt: day(3), Status: &engine.StatusBody{To: to}}}
		}
		spends := redeem(b, "hundred", day(3))
		spends.Program, spends.Now = "shop", day(3)
		named := spends
		body := *spends.Fact.Redemption
		body.By, named.Member, named.Fact.Redemption = b, firm, &body
		cup := purchase(firm, "10", day(3))
		buys := *cup.Fact.Purchase
		buys.By, cup.Fact.Purchase = "ext:b", &buys
		batch := k.r.Batch
		if d.Distributed() { // the facts of a batch that are about different accounts have no order there
			batch = func(_ context.Context, reqs []record.Request) (out []record.Outcome) {
				for _, req := range reqs {
					r, err := k.take(req)
					out = append(out, record.Outcome{Result: r, Err: err})
				}
				return out
			}
		}
		// They are blocked in the very batch in which they spend.
		var got []string
		for _, o := range batch(t.Context(), []record.Request{status(engine.Blocked), spends, named}) {
			got = append(got, reason(o.Err))
		}
		if want := []string{"", "member_blocked", "member_blocked"}; !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
		for name, req := range map[string]record.Request{"as themselves": spends, "for the organization": named, "and buys for it": cup} {
			if _, err := k.take(req); reason(err) != "member_blocked" {
				t.Errorf("%s: %v", name, err)
			}
		}
		if r := k.must(purchase(b, "50", day(3))); r.Fact.Member != b || k.balance(b, day(3)) != 0 {
			t.Errorf("it is of %s, who has %d", r.Fact.Member, k.balance(b, day(3)))
		}
		if k.balance(firm, day(3)) != 530 {
			t.Errorf("the organization has %d", k.balance(firm, day(3)))
		}
		receipt.Now = day(3)
		if r := k.must(receipt); !r.Duplicate || r.Fact.Member != firm {
			t.Errorf("it was taken again: %+v", r.Fact)
		}
		k.must(status(engine.Active))
		if r := k.must(spends); r.Fact.Member != firm || k.balance(firm, day(3)) != 430 {
			t.Errorf("it is of %s, which has %d", r.Fact.Member, k.balance(firm, day(3)))
		}
	})
}

// A batch finds all who act in three reads: the version, those who are named, their accounts. A program without organizations reads nothing.
func TestWhoActsIsFoundOnceForABatch(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		for text, want := range map[string]int{shop: 0, shop + "households: {most: 4, shares: [point]}\n": 0, family: 3} {
			d := dbtest.Open(t, d.Dialect())
			k := openWith(t, d, record.Options{}, text)
			var reqs []record.Request
			for i := range 50 {
				ext := fmt.Sprint("m", i)
				k.enrol(ext)
				req := purchase("ext:"+ext, "10", day(2))
				req.Program, req.Now = "shop", day(2)
				reqs = append(reqs, req)
			}
			if n, err := k.r.ReadsToAct(t.Context(), reqs); err != nil || n != want {
				t.Errorf("%d reads, want %d: %v", n, want, err)
			}
		}
	})
}

// A household or an organization that is closed lets go of its people, on both sides: each can be in another one then.
func TestAClosedHouseHoldsNobody(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := openWith(t, d, record.Options{}, family)
		for kind, role := range map[string]string{engine.Household: "", engine.Organization: "viewer"} {
			a, b, c := k.enrol(kind+"-a"), k.enrol(kind+"-b"), k.enrol(kind+"-c")
			home := k.house(kind, a, role, b)
			k.must(record.Request{Holder: home, Fact: engine.Fact{Kind: engine.HouseK, OccurredAt: day(1), House: &engine.HouseBody{Do: engine.HouseInvite, Member: c, Role: role}}})
			k.must(record.Request{Member: home, Fact: engine.Fact{Kind: engine.Status, OccurredAt: day(2), Status: &engine.StatusBody{To: engine.Closed}}})
			// One merged and one went before they heard of it.
			k.must(record.Request{Member: a, Fact: engine.Fact{Kind: engine.MergeOut, OccurredAt: day(2), Merge: &engine.Merge{Other: c}}})
			for range 2 {
				if err := errand.CatchUp(t.Context(), d, k.r, "shop", day(3)); err != nil {
					t.Fatal(err)
				}
			}
			for _, m := range []string{home, b, c} {
				acc, _, err := k.r.View(t.Context(), "shop", m, day(3))
				if err != nil {
					t.Fatal(err)
				}
				if in, people, h := acc.State.In(kind), acc.State.People(), acc.State.House; in != nil || len(people) > 0 || len(h.Invited) > 0 {
					t.Errorf("%s %s: it is in %v, with %v", kind, m, in, people)
				}
			}
			if kind == engine.Organization {
				if r := k.must(purchase(b, "10", day(3))); r.Fact.Member != b {
					t.Errorf("it is of %s", r.Fact.Member)
				}
			}
			k.house(kind, c, role, b)
		}
		rep, err := verify.Run(t.Context(), d, k.v, "shop", verify.Options{})
		if err != nil || len(rep.Findings) > 0 {
			t.Errorf("%v, %v", rep.Findings, err)
		}
	})
}

// That two are of one household is told in the same word wherever one may have nothing from the other.
func TestOneHouseholdHasOneWord(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		k := openWith(t, d, record.Options{}, thankful+`
referral: {qualifies: {when: {total: {from: 10.00}}}, friend: {unit: point, amount: 5}, late: 14 days}
households: {most: 4, shares: [point]}
`)
		a, b := k.enrol("a"), k.enrol("b")
		k.house(engine.Household, a, "", b)
		n := money.MustParse("5")
		thanks := record.Request{Member: a, Fact: engine.Fact{Kind: engine.RecognitionK, Recognition: &engine.RecognitionBody{Do: engine.RecognitionGive, To: b, Amount: &n, Value: "helped"}}}
		for what, req := range map[string]record.Request{"an invitation": invited(b, a), "thanks": thanks} {
			req.Now = day(1)
			if _, err := k.take(req); err == nil || errs.As(err).Meta["why"] != "household" {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
}

// A household is seen as it stands at one moment: points that go from one of it to another are never seen twice, nor with neither.
func TestAHouseholdIsSeenAtOneMoment(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		k := openWith(t, d, record.Options{}, family)
		a, b, c := k.enrol("a"), k.enrol("b"), k.enrol("c")
		home := k.house(engine.Household, a, "", b, c)
		k.must(purchase(a, "60", day(1)))
		var seen atomic.Int64
		moved := make(chan error, 1)
		go func() {
			for i := 0; seen.Load() < 30 && i < 10_000; i++ {
				line := []string{a, b, c, a}
				_, err := k.r.Record(context.Background(), record.Request{Program: "shop", Now: day(2), Member: line[i%3], Fact: engine.Fact{Kind: engine.TransferOut, OccurredAt: day(2),
					Transfer: &engine.Transfer{Unit: "point", Amount: money.MustParse("60"), Other: line[i%3+1]}}})
				if err != nil {
					moved <- err
					return
				}
			}
			moved <- nil
		}()
		for range 30 {
			st, people, _, err := k.r.ViewHouse(t.Context(), "shop", home, day(2))
			seen.Add(1)
			if err != nil || len(people) != 3 || len(st.State.People()) != 3 {
				t.Errorf("%d people: %v", len(people), err)
				continue
			}
			sum := int64(0)
			for i, acc := range people {
				if acc.Member != st.State.People()[i].Member {
					t.Errorf("%s in the place of %s", acc.Member, st.State.People()[i].Member)
				}
				if h := acc.State.Units["point"]; h != nil {
					sum += h.Spendable
				}
			}
			if sum != 60 {
				t.Errorf("they have %d together", sum)
			}
		}
		if err := <-moved; err != nil {
			t.Error(err)
		}
	})
}
