package enginetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
)

const families = `
program: drawn
name: Drawn
time_zone: Europe/Oslo
currency: EUR
units: {star: {name: star, expires: {after: 40 days}}}
earn: [{id: base, on: purchase, give: {unit: star, amount: 1, per: 1.00}}]
rewards:
  - {id: cup, price: {star: 30}, gives: {product: cup}, hold: 3 days}
  - {id: off, pay: {unit: star, points: 1, worth: 1.00}}
households: {most: 3, shares: [star], wait: 2 days}
transfers: {units: [star]}
`

// family is a drawn history of people in households.
type family struct {
	t   *rapid.T
	d   *Desk
	h   *History
	now time.Time
	people, houses,
	spent, bought []string
}

func (f *family) do(fact engine.Fact) *Taken {
	fact.OccurredAt = f.now
	return take(f.t, f.d, f.h, fact)
}

func (f *family) one(list []string, what string) string {
	if len(list) == 0 {
		return "nobody"
	}
	return rapid.SampledFrom(list).Draw(f.t, what)
}

// balances are those of all, with what is reserved, as they are kept.
func (f *family) balances() map[string]string {
	out := map[string]string{}
	for _, m := range f.people {
		if h := f.d.Account(m).State.Units["star"]; h != nil {
			out[m] = fmt.Sprint(h.Spendable, h.Reserved, h.Debt)
		}
	}
	return out
}

// house draws something that happens to who belongs together. Nobody has more or less by it.
func (f *family) house() {
	m := f.one(f.people, "member")
	house := f.one(f.houses, "house")
	do := rapid.SampledFrom([]string{engine.HouseOpen, engine.HouseInvite, engine.HouseInvite, engine.HouseJoin, engine.HouseJoin, engine.HouseJoin, engine.HouseNo, engine.HouseLeave,
		engine.HouseRemove, engine.HouseRole, engine.HouseKeep, engine.HouseShare}).Draw(f.t, "do")
	if _, err := f.d.Sweep(f.now); err != nil {
		f.t.Fatal(err)
	}
	before := f.balances()
	if do == engine.HouseOpen {
		id := f.d.ID("hou")
		if r := f.do(engine.Fact{Kind: engine.Enrolment, Member: id, Enrolment: &engine.EnrolmentBody{Kind: engine.Household}, House: &engine.HouseBody{Do: do, Member: m}}); r != nil {
			f.houses = append(f.houses, id)
		}
	} else {
		f.do(engine.Fact{Kind: engine.HouseK, Member: house, House: &engine.HouseBody{Do: do, Member: m, Role: rapid.SampledFrom([]string{"", "owner", "member"}).Draw(f.t, "role")}})
	}
	for who, have := range f.balances() {
		if have != before[who] {
			f.t.Fatalf("by %s of %s, %s had %s and has %s", do, m, who, before[who], have)
		}
	}
}

func (f *family) buy() {
	n := money.New(int64(rapid.IntRange(1, 60).Draw(f.t, "euros")), 0)
	b := engine.Purchase{Amount: &n}
	if rapid.Bool().Draw(f.t, "pays") {
		b.Spend = []engine.Spend{{Reward: "off", Max: true, Household: true}}
	}
	if r := f.do(engine.Fact{Kind: engine.PurchaseK, Member: f.one(f.people, "member"), Purchase: &b}); r != nil {
		f.bought = append(f.bought, r.Fact.ID)
	}
}

func (f *family) spend() {
	kind := rapid.SampledFrom([]engine.Kind{engine.Redeem, engine.Reserve}).Draw(f.t, "kind")
	if _, err := f.d.Sweep(f.now); err != nil {
		f.t.Fatal(err)
	}
	before, who := f.balances(), f.one(f.people, "member")
	if r := f.do(engine.Fact{Kind: kind, Member: who, Redemption: &engine.Redemption{Spend: engine.Spend{Reward: "cup", Household: true}}}); r != nil {
		f.spent = append(f.spent, r.Fact.ID)
	}
	for m, have := range f.balances() {
		if in := f.d.Account(m).State.In(engine.Household); in != nil && in.Keeps && have != before[m] {
			f.t.Fatalf("%s keeps out, had %s and has %s as %s spends", m, before[m], have, who)
		}
	}
}

// undo takes back a spending, in part or whole, or brings goods back.
func (f *family) undo() {
	switch rapid.IntRange(0, 2).Draw(f.t, "undo") {
	case 0:
		if id := f.one(f.bought, "purchase"); id != "nobody" {
			n := money.New(int64(rapid.IntRange(1, 30).Draw(f.t, "back")), 0)
			f.do(engine.Fact{Kind: engine.ReturnK, Member: f.d.ownerOf(id), Parent: id, Return: &engine.Return{Amount: &n}})
		}
	case 1:
		if id := f.one(f.spent, "redemption"); id != "nobody" {
			n := money.New(int64(rapid.IntRange(1, 15).Draw(f.t, "points")), 0)
			f.do(engine.Fact{Kind: engine.Refund, Member: f.d.ownerOf(id), Parent: id, Redemption: &engine.Redemption{Spend: engine.Spend{Points: &n}}})
		}
	default:
		if id := f.one(f.spent, "redemption"); id != "nobody" {
			f.do(engine.Fact{Kind: rapid.SampledFrom([]engine.Kind{engine.Cancel, engine.Commit}).Draw(f.t, "step"), Member: f.d.ownerOf(id), Parent: id})
		}
	}
}

// end ends or merges a membership.
func (f *family) end(merges bool) {
	if len(f.houses) > 0 && rapid.IntRange(0, 3).Draw(f.t, "house ends") == 0 {
		f.do(engine.Fact{Kind: engine.Status, Member: f.one(f.houses, "house"), Status: &engine.StatusBody{To: engine.Closed}})
		return
	}
	m, to := f.one(f.people, "member"), f.one(f.people, "to")
	if merges {
		if f.do(engine.Fact{Kind: engine.MergeOut, Member: m, Merge: &engine.Merge{Other: to}}) != nil {
			f.people = slices.DeleteFunc(f.people, func(p string) bool { return p == m })
		}
		return
	}
	f.do(engine.Fact{Kind: engine.Status, Member: m, Status: &engine.StatusBody{To: rapid.SampledFrom([]string{engine.Blocked, engine.Active, engine.Closed}).Draw(f.t, "status")}})
}

func (f *family) follow() {
	if err := f.d.Follow(); err != nil {
		f.t.Fatal(err)
	}
}

// agree proves that houses and people say the same of who belongs to what, once houses have heard of all.
func (f *family) agree() {
	for _, house := range f.houses {
		for _, p := range f.d.Account(house).State.People() {
			if in := f.d.Account(p.Member).State.In(engine.Household); in == nil || in.House != house {
				f.t.Fatalf("%s says that %s belongs to it, who says %v", house, p.Member, in)
			}
		}
	}
	for _, m := range f.people {
		if in := f.d.Account(m).State.In(engine.Household); in != nil && f.d.Account(in.House).State.RoleOf(m) == "" {
			f.t.Fatalf("%s says to belong to %s, which does not say so", m, in.House)
		}
	}
}

// atHome proves that all that was given for something is with its owner again, but for what those who have left the program gave.
func (f *family) atHome() {
	given := map[[2]string]int64{} // who gave, who took
	for _, m := range f.people {
		for _, p := range f.d.Facts(m) {
			switch b := p.Fact.Transfer; {
			case b == nil:
			case p.Fact.Kind == engine.TransferOut && b.Household != "":
				given[[2]string{m, b.Other}] += minor(f.t, b.Amount)
			case p.Fact.Kind == engine.TransferIn && b.Home != nil:
				given[[2]string{m, b.Other}] -= b.Home.Amount
			}
		}
	}
	closed := func(m string) bool { return f.d.Account(m).State.Status == engine.Closed }
	for _, m := range f.people {
		if closed(m) {
			continue
		}
		away := int64(0)
		for _, other := range f.people {
			out, in := given[[2]string{m, other}], given[[2]string{other, m}]
			if away += out - in; out != 0 {
				f.t.Fatalf("all is undone, and %s still has %d of %s", other, out, m)
			}
		}
		if h := f.d.Account(m).State.Units["star"]; h != nil && -h.Transferred != away {
			f.t.Fatalf("%d of %s are with others, by the facts %d", -h.Transferred, m, away)
		}
	}
}

func minor(t *rapid.T, d money.Decimal) int64 {
	n, err := d.Minor(0)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func families4(t *rapid.T, merges bool) *family {
	doc, err := program.Parse([]byte(families), "")
	if err != nil {
		t.Fatal(err)
	}
	p, err := program.Compile(doc, 1)
	if err != nil {
		t.Fatal(err)
	}
	f := &family{t: t, d: New(p), now: time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC), people: []string{"a", "b", "c", "d"}}
	f.d.Strict = true
	f.h = NewHistory(p, Options{}, f.people...)
	for _, m := range f.people {
		f.do(engine.Fact{Kind: engine.Enrolment, Member: m, Enrolment: &engine.EnrolmentBody{}})
	}
	for range rapid.IntRange(5, 60).Draw(t, "facts") {
		f.now = f.now.Add(time.Duration(rapid.IntRange(1, 60).Draw(t, "hours")) * time.Hour)
		switch n := rapid.IntRange(0, 19).Draw(t, "what"); {
		case n < 8:
			f.house()
		case n < 11:
			f.buy()
		case n < 14:
			f.spend()
		case n < 17:
			f.undo()
		case n < 18:
			f.end(merges)
		default:
			f.follow()
		}
		if err := f.d.Verify(); err != nil {
			t.Fatal(err)
		}
	}
	f.follow()
	return f
}

// In any order of joining, leaving, earning, spending, undoing and ending: nobody has more or less by who belongs together, what is undone is again with who
// gave it, and the household and its people say the same.
func TestAHouseholdLosesNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := families4(t, false)
		f.agree()
		for _, id := range f.spent {
			f.do(engine.Fact{Kind: engine.Cancel, Member: f.d.ownerOf(id), Parent: id})
			f.do(engine.Fact{Kind: engine.Refund, Member: f.d.ownerOf(id), Parent: id})
		}
		for _, id := range f.bought {
			f.do(engine.Fact{Kind: engine.ReturnK, Member: f.d.ownerOf(id), Parent: id, Return: &engine.Return{}})
		}
		f.follow()
		f.atHome()
		if err := f.d.Verify(); err != nil {
			t.Fatal(err)
		}
		if err := f.d.Replay(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestAHouseholdBearsMerges(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := families4(t, true)
		f.agree()
		if err := f.d.Replay(); err != nil {
			t.Fatal(err)
		}
	})
}

// One takes over another of the household and leaves before the household has heard of it: both are out of it.
func TestAMergeHeardOfAfterLeaving(t *testing.T) {
	t.Parallel()
	doc, err := program.Parse([]byte(families), "")
	if err != nil {
		t.Fatal(err)
	}
	p, err := program.Compile(doc, 1)
	if err != nil {
		t.Fatal(err)
	}
	d := New(p)
	d.Strict = true
	at := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	do := func(f engine.Fact) {
		t.Helper()
		at = at.Add(time.Hour)
		f.OccurredAt = at
		if _, err := d.Take(f); err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range []string{"a", "b"} {
		do(engine.Fact{Kind: engine.Enrolment, Member: m, Enrolment: &engine.EnrolmentBody{}})
	}
	at = at.Add(90 * 24 * time.Hour)
	do(engine.Fact{Kind: engine.Enrolment, Member: "hou", Enrolment: &engine.EnrolmentBody{Kind: engine.Household}, House: &engine.HouseBody{Do: engine.HouseOpen, Member: "a"}})
	for _, step := range []string{engine.HouseInvite, engine.HouseJoin} {
		do(engine.Fact{Kind: engine.HouseK, Member: "hou", House: &engine.HouseBody{Do: step, Member: "b"}})
	}
	do(engine.Fact{Kind: engine.MergeOut, Member: "b", Merge: &engine.Merge{Other: "a"}})
	do(engine.Fact{Kind: engine.HouseK, Member: "hou", House: &engine.HouseBody{Do: engine.HouseLeave, Member: "a"}})
	if err := d.Follow(); err != nil {
		t.Fatal(err)
	}
	if in := d.Account("a").State.In(engine.Household); in != nil {
		t.Errorf("a has left, and says to belong to %s", in.House)
	}
	if s := d.Account("hou").State; len(s.People()) != 0 || s.Status != engine.Closed {
		t.Errorf("all have left, and there are %v in a household that is %s", s.People(), s.Status)
	}
	if err := d.Verify(); err != nil {
		t.Error(err)
	}
}

// One that was closed with people in it, before closing let go of them, lets each of them out, its last owner too.
func TestAClosedHouseLetsItsPeopleOut(t *testing.T) {
	t.Parallel()
	doc, err := program.Parse([]byte(families+"organizations: {most: 4}\n"), "")
	if err != nil {
		t.Fatal(err)
	}
	p, err := program.Compile(doc, 1)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	for _, kind := range []string{engine.Household, engine.Organization} {
		for _, do := range []string{engine.HouseLeave, engine.HouseRemove} {
			in := engine.Input{Account: &engine.Account{Program: "drawn", Member: "home", State: engine.State{Seq: 1, Kind: kind, Status: engine.Closed, At: at,
				House: &engine.HouseState{People: []engine.HousePerson{{Member: "a", Role: "owner", Since: at}}}}},
				Fact: engine.Fact{ID: "fct_1", Kind: engine.HouseK, Member: "home", OccurredAt: at.Add(time.Hour), House: &engine.HouseBody{Do: do, Member: "a"}}}
			_, after, err := engine.Decide(p, in)
			if err != nil {
				t.Errorf("%s %s: %v", kind, do, err)
			} else if st := after.State; len(st.People()) > 0 || st.Status != engine.Closed {
				t.Errorf("%s %s: %v are in it, %s", kind, do, st.People(), st.Status)
			}
		}
	}
}
