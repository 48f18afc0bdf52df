package api

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"lojal.dev/lojal/internal/claim"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errand"
	"lojal.dev/lojal/internal/member"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/waiting"
)

func TestAReceiptIsClaimedByOneMember(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{})
		const racers = 12
		for i := range racers {
			h.do("POST", "/v1/members", fmt.Sprintf(`{"external_id": "m%d"}`, i)).want(201)
		}
		kept := h.do("POST", "/v1/claims", `{"source": "till", "external_id": "R1", "amount": "180.00", "occurred_at": "2026-11-20T12:00:00Z"}`).want(201)
		secret := kept.text("code")
		if again := h.do("POST", "/v1/claims", `{"source": "till", "external_id": "R1", "amount": "180.00", "occurred_at": "2026-11-20T12:00:00Z"}`).want(201); again.text("id") != kept.text("id") || again.get("code") != nil {
			t.Errorf("the same receipt again is %s", again.raw)
		}
		h.do("POST", "/v1/claims", `{"source": "till", "external_id": "R1", "amount": "181.00"}`).refused(409, "duplicate_external_id")
		var mu sync.Mutex
		got := map[int]int{}
		winner := ""
		var all sync.WaitGroup
		for i := range racers {
			all.Go(func() {
				a := h.do("POST", "/v1/claims/claim", fmt.Sprintf(`{"code": %q, "member": "ext:m%d"}`, secret, i))
				mu.Lock()
				defer mu.Unlock()
				got[a.code]++
				if a.code == 201 {
					winner = fmt.Sprintf("ext:m%d", i)
				}
			})
		}
		all.Wait()
		if got[201] != 1 || got[409] != racers-1 {
			t.Fatalf("the answers are %v", got)
		}
		first := h.do("POST", "/v1/claims/claim", `{"code": "`+secret+`", "member": "`+winner+`"}`).want(200)
		if first.get("duplicate") != true {
			t.Errorf("the winner asks again and gets %s", first.raw)
		}
		other := "ext:m0"
		if winner == other {
			other = "ext:m1"
		}
		h.do("POST", "/v1/claims/claim", `{"code": "`+secret+`", "member": "`+other+`"}`).refused(409, "receipt_claimed")
		w := h.do("GET", "/v1/claims/"+kept.text("id"), "").want(200)
		if w.text("status") != "claimed" || w.text("purchase") != first.text("id") {
			t.Errorf("it stands as %s", w.raw)
		}
		h.do("POST", "/v1/claims", `{"source": "till", "external_id": "R1", "amount": "180.00", "occurred_at": "2026-11-20T12:00:01Z"}`).refused(409, "duplicate_external_id")
		h.prove()
	})
}

func TestAReceiptIsClaimedInTime(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{})
		h.do("POST", "/v1/members", `{"external_id": "m"}`).want(201)
		late := h.do("POST", "/v1/claims", `{"source": "till", "external_id": "R1", "amount": "180.00"}`).want(201)
		back := h.do("POST", "/v1/claims", `{"source": "till", "external_id": "R2", "amount": "180.00"}`).want(201)
		h.do("POST", "/v1/claims/"+back.text("id")+"/cancel", `{}`).want(200)
		h.do("POST", "/v1/claims/claim", `{"code": "`+back.text("code")+`", "member": "ext:m"}`).refused(409, "receipt_cancelled")
		h.pass(30*24*time.Hour + time.Second)
		h.do("POST", "/v1/claims/claim", `{"code": "`+late.text("code")+`", "member": "ext:m"}`).refused(409, "code_ended")
		if n := h.rowsIn("waiting_purchases"); n != 2 {
			t.Errorf("%d wait", n)
		}
	})
}

func TestWhatWaitsForACardIsRecordedOnceItIsLinked(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{})
		h.do("POST", "/v1/members", `{"external_id": "m"}`).want(201)
		h.do("POST", "/v1/members", `{"external_id": "n"}`).want(201)
		for i := range 3 {
			a := h.do("POST", "/v1/claims", fmt.Sprintf(`{"source": "bank", "external_id": "T%d", "amount": "50.00", "identifier": "wallet:tok_1", "occurred_at": "2026-11-2%dT10:00:00Z"}`, i, i)).want(201)
			if a.text("status") != "open" || a.get("code") != nil {
				t.Errorf("%s", a.raw)
			}
		}
		h.do("POST", "/v1/claims", `{"source": "bank", "external_id": "X", "amount": "50.00", "identifier": "wallet:tok_2"}`).want(201)
		h.do("POST", "/v1/members/ext:m/identifiers", `{"kind": "wallet", "value": "tok_1"}`).want(201)
		// 5 for joining, and one for every 10 kr.
		if got := h.do("GET", "/v1/members/ext:m?include=balances", "").want(200).get("balances", "star", "spendable"); got != "20" {
			t.Errorf("the member has %v", got)
		}
		a := h.do("POST", "/v1/claims", `{"source": "bank", "external_id": "T9", "amount": "50.00", "identifier": "wallet:tok_1"}`).want(201)
		if a.text("status") != "claimed" || a.text("purchase") == "" {
			t.Errorf("a linked card's purchase is %s", a.raw)
		}
		b := h.do("POST", "/v1/members/ext:m/claims", `{}`).want(200)
		if n := len(b.get("facts").([]any)); n != 0 {
			t.Errorf("%d were recorded again", n)
		}
		h.do("POST", "/v1/members/ext:n/identifiers", `{"kind": "wallet", "value": "tok_1"}`).refused(409, "identifier_taken")
		h.prove()
	})
}

// follow has done what follows from what happened so far, as a node does a moment later.
func (h *house) follow() {
	h.t.Helper()
	if err := errand.CatchUp(h.t.Context(), h.d, h.rec, "kaffebaren", h.clock()); err != nil {
		h.t.Fatal(err)
	}
}

// A card need not be linked by the route for it: it may come with the enrolment, with a changed profile, an import or a merge.
func TestWhatWaitsIsRecordedHoweverItIsLinked(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{})
		keep := func(n int, identifier string) {
			h.do("POST", "/v1/claims", fmt.Sprintf(`{"source": "bank", "external_id": "T%d", "amount": "50.00", "identifier": %q}`, n, identifier)).want(201).is("open", "status")
			h.pass(time.Second)
		}
		has := func(who, want string) {
			t.Helper()
			if got := h.do("GET", "/v1/members/"+who+"?include=balances", "").want(200).get("balances", "star", "spendable"); got != want {
				t.Errorf("%s has %v, want %s", who, got, want)
			}
		}
		keep(1, "wallet:tok_1")
		keep(2, "wallet:tok_1")
		keep(3, "email:kari@example.org")
		keep(4, "wallet:tok_2")
		keep(5, "wallet:tok_5")
		h.do("POST", "/v1/members", `{"external_id": "m", "identifiers": [{"kind": "wallet", "value": "tok_1"}]}`).want(201)
		h.do("POST", "/v1/members", `{"external_id": "n"}`).want(201)
		has("ext:m", "5") // for joining; the rest comes a moment later
		h.follow()
		has("ext:m", "15")
		h.pass(time.Second)
		h.do("PATCH", "/v1/members/ext:m", `{"email": "kari@example.org"}`).want(200)
		h.follow()
		has("ext:m", "20")
		h.upload("", "import: members\nsource: crm\nmember: {external_id: id, identifiers: {wallet: token}}\n", "id,token\ni,tok_2\n").want(201)
		h.imports()
		h.follow()
		has("ext:i", "10")
		h.pass(time.Second)
		// One that was linked, and of which nobody noticed: as where the process stopped before it was looked at.
		err := h.d.Write(t.Context(), func(tx *db.Tx) error {
			set, err := h.vs.Get(t.Context(), tx, "kaffebaren")
			if err != nil {
				return err
			}
			p := set.Latest()
			m, err := member.Find(t.Context(), tx, p, "ext", "n")
			if err == nil {
				_, err = member.AddIdentifier(t.Context(), tx, p, m.ID, member.Identifier{Kind: "wallet", Value: "tok_5"}, h.clock())
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		h.follow()
		has("ext:n", "5")
		h.do("POST", "/v1/members/ext:n/merge", `{"into": "ext:m"}`).want(201)
		h.follow()
		has("ext:m", "30")
		h.prove()
	})
}

// What ended, or is refused however often it is tried, stood in front of the others: with two hundred of it nothing was recorded any more.
func TestWhatEndedKeepsNothingElseWaiting(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{})
		h.publish(coffee + "claims: {linked: 10 days}\n")
		h.do("POST", "/v1/members", `{"external_id": "m"}`).want(201)
		keep := func(n int, at string) *answer {
			return h.do("POST", "/v1/claims", fmt.Sprintf(`{"source": "bank", "external_id": "T%d", "amount": "50.00", "identifier": "wallet:tok_1", "occurred_at": %q}`, n, at)).want(201)
		}
		var ended string
		for n := range 201 {
			ended = keep(n, "2026-11-01T10:00:00Z").is("ended", "status").text("id")
		}
		keep(300, "2026-11-20T10:00:00Z")
		keep(301, "2026-11-21T10:00:00Z")
		// One of them counts for somebody else, by another road.
		h.do("POST", "/v1/members", `{"external_id": "n"}`).want(201)
		h.do("POST", "/v1/purchases", `{"member": "ext:n", "source": "bank", "external_id": "T300", "amount": "50.00"}`).want(201)
		h.do("POST", "/v1/members/ext:m/identifiers", `{"kind": "wallet", "value": "tok_1"}`).want(201)
		if got := h.do("GET", "/v1/members/ext:m?include=balances", "").want(200).get("balances", "star", "spendable"); got != "10" {
			t.Errorf("the member has %v", got)
		}
		if err := claim.End(t.Context(), d, h.clock()); err != nil {
			t.Fatal(err)
		}
		open := 0
		err := d.Read(t.Context(), func(tx *db.Tx) error {
			return tx.QueryRow(t.Context(), `SELECT COUNT(*) FROM waiting_purchases WHERE status = 'open'`).Scan(&open)
		})
		if err != nil || open != 0 {
			t.Errorf("%d are open, %v", open, err)
		}
		h.do("GET", "/v1/claims/"+ended, "").want(200).is("ended", "status")
		h.prove()
	})
}

// What could not be recorded is told, with which purchase it is.
func TestWhatIsRefusedIsTold(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{})
		member := h.do("POST", "/v1/members", `{"external_id": "m", "identifiers": [{"kind": "wallet", "value": "tok_1"}]}`).want(201).text("id")
		h.do("POST", "/v1/members", `{"external_id": "n"}`).want(201)
		amount := money.New(50, 0)
		err := d.Write(t.Context(), func(tx *db.Tx) error { // as told between the look for the card's holder and its being kept
			_, _, err := waiting.Keep(t.Context(), tx, "kaffebaren", waiting.Purchase{Source: "bank", ExternalID: "T1", Kind: "wallet", Value: "tok_1",
				Body: engine.Purchase{Amount: &amount}, OccurredAt: h.clock(), CreatedAt: h.clock()})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		h.do("POST", "/v1/purchases", `{"member": "ext:n", "source": "bank", "external_id": "T1", "amount": "50.00"}`).want(201)
		linking := h.key("kaffebaren", "purchases:write")
		h.as(linking, "POST", "/v1/members/"+member+"/claims", `{}`).want(200).is("receipt_claimed", "refused", 0, "reason").is("T1", "refused", 0, "claim", "external_id")
		if again := h.do("POST", "/v1/members/"+member+"/claims", `{}`).want(200); again.get("refused") != nil {
			t.Errorf("it still waits: %s", again.raw)
		}
		h.prove()
	})
}

// Who may change members does not record purchases with it: what was told by who may is recorded in nobody's name.
func TestWhatIsLinkedIsRecordedInNobodysName(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{})
		h.do("POST", "/v1/members", `{"external_id": "m"}`).want(201)
		h.do("POST", "/v1/claims", `{"source": "bank", "external_id": "T1", "amount": "50.00", "identifier": "wallet:tok_1"}`).want(201)
		h.as(h.key("kaffebaren", "members:write"), "POST", "/v1/members/ext:m/identifiers", `{"kind": "wallet", "value": "tok_1"}`).want(201)
		facts := h.do("GET", "/v1/members/ext:m/facts?kind=purchase", "").want(200)
		facts.is(record.System, "items", 0, "actor").is("T1", "items", 0, "external_id")
	})
}

// Goods come back before anybody has the receipt: who claims it has what is left, once, whoever comes first.
func TestGoodsOfAWaitingReceiptComeBack(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{})
		h.do("POST", "/v1/members", `{"external_id": "m"}`).want(201)
		h.do("POST", "/v1/members", `{"external_id": "n"}`).want(201)
		keep := func(id string) *answer {
			return h.do("POST", "/v1/claims", `{"source": "till", "external_id": "`+id+`", "occurred_at": "2026-11-20T12:00:00Z",
				"lines": [{"id": "a", "amount": "100.00", "quantity": "2"}, {"id": "b", "amount": "50.00"}]}`).want(201)
		}
		has := func(who, want string) {
			t.Helper()
			if got := h.do("GET", "/v1/members/"+who+"?include=balances", "").want(200).get("balances", "star", "spendable"); got != want {
				t.Errorf("%s has %v, want %s", who, got, want)
			}
		}
		one := keep("R1")
		at := "/v1/claims/" + one.text("id") + "/returns"
		h.do("POST", at, `{"lines": [{"line": "b"}]}`).refused(422, "invalid_body")
		h.do("POST", at, `{"source": "till", "external_id": "B0", "lines": [{"line": "c"}]}`).refused(422, "invalid_return")
		h.do("POST", at, `{"source": "till", "external_id": "B0", "lines": [{"line": "a", "quantity": "3"}]}`).refused(422, "invalid_return")
		h.do("POST", at, `{"source": "till", "external_id": "R1"}`).refused(409, "duplicate_external_id")
		part := `{"source": "till", "external_id": "B1", "lines": [{"line": "a", "quantity": "1"}]}`
		kept := h.do("POST", "/v1/claims/till:R1/returns", part).want(201)
		if kept.get("nothing_left") != nil {
			t.Errorf("something is left: %s", kept.raw)
		}
		kept.is("B1", "returns", 0, "external_id")
		if again := h.do("POST", at, part).want(201); len(again.get("returns").([]any)) != 1 {
			t.Errorf("the same return again is %s", again.raw)
		}
		h.do("POST", at, `{"source": "till", "external_id": "B1"}`).refused(409, "duplicate_external_id")
		h.do("POST", "/v1/claims", `{"source": "till", "external_id": "R1", "occurred_at": "2026-11-20T12:00:00Z",
				"lines": [{"id": "a", "amount": "100.00", "quantity": "2"}, {"id": "b", "amount": "50.00"}]}`).want(201).is("B1", "returns", 0, "external_id")
		h.pass(time.Hour)
		// 5 for joining; 15 for what was bought, less 5 for what came back.
		got := h.do("POST", "/v1/claims/claim", `{"code": "`+one.text("code")+`", "member": "ext:m"}`).want(201)
		got.is("15", "earned", "star").is("15", "balances", "star", "spendable").is("return", "facts", 2, "kind")
		has("ext:m", "15")
		// The same return told again, and another one, are those of a purchase.
		again := h.do("POST", at, part).want(200)
		if again.text("return") == "" || again.text("return") != got.text("facts", 2, "id") {
			t.Errorf("the return told again is %s", again.raw)
		}
		h.do("POST", "/v1/purchases/till:R1/returns", part).want(200)
		h.do("POST", at, `{"source": "till", "external_id": "B2"}`).want(201).is("claimed", "status")
		has("ext:m", "5")
		h.do("POST", at, `{"source": "till", "external_id": "B3"}`).refused(409, "nothing_left")

		// All of it comes back: it can be claimed, and gives nothing.
		all := keep("R2")
		at = "/v1/claims/" + all.text("id") + "/returns"
		h.do("POST", at, `{"source": "till", "external_id": "C1", "amount": "40.00"}`).want(201)
		h.do("POST", at, `{"source": "till", "external_id": "C2"}`).want(201).is(true, "nothing_left")
		h.do("POST", at, `{"source": "till", "external_id": "C3"}`).refused(409, "nothing_left")
		h.do("GET", "/v1/claims/"+all.text("id"), "").want(200).is(true, "nothing_left").is("open", "status")
		h.do("POST", "/v1/claims/claim", `{"code": "`+all.text("code")+`", "member": "ext:n"}`).want(201).is("5", "balances", "star", "spendable")
		has("ext:n", "5")

		// What is kept with one cannot be the return of another: nothing of it is recorded then.
		odd := keep("R3")
		h.do("POST", "/v1/claims/"+odd.text("id")+"/returns", `{"source": "till", "external_id": "D1"}`).want(201)
		h.do("POST", "/v1/purchases", `{"member": "ext:n", "source": "till", "external_id": "D1", "amount": "10.00"}`).want(201)
		h.do("POST", "/v1/claims/claim", `{"code": "`+odd.text("code")+`", "member": "ext:m"}`).refused(409, "return_known")
		h.do("GET", "/v1/purchases/till:R3", "").want(404)
		has("ext:m", "5")
		h.do("POST", "/v1/claims/"+odd.text("id")+"/cancel", `{}`).want(200)
		h.do("POST", "/v1/claims/"+odd.text("id")+"/returns", `{"source": "till", "external_id": "D2"}`).refused(409, "receipt_cancelled")
		h.prove()
	})
}

// A card's purchase waits with what came back of it; it may also come to count by another road.
func TestWhatCameBackGoesWithALinkedCard(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{})
		h.do("POST", "/v1/members", `{"external_id": "m"}`).want(201)
		h.do("POST", "/v1/members", `{"external_id": "n"}`).want(201)
		for _, id := range []string{"T1", "T2"} {
			h.do("POST", "/v1/claims", `{"source": "bank", "external_id": "`+id+`", "amount": "50.00", "identifier": "wallet:tok_1"}`).want(201)
			h.do("POST", "/v1/claims/bank:"+id+"/returns", `{"source": "bank", "external_id": "`+id+`/back", "amount": "20.00"}`).want(201)
		}
		h.do("POST", "/v1/purchases", `{"member": "ext:n", "source": "bank", "external_id": "T2", "amount": "50.00"}`).want(201)
		h.do("POST", "/v1/members/ext:m/identifiers", `{"kind": "wallet", "value": "tok_1"}`).want(201)
		for who, want := range map[string]string{"ext:m": "8", "ext:n": "8"} {
			if got := h.do("GET", "/v1/members/"+who+"?include=balances", "").want(200).get("balances", "star", "spendable"); got != want {
				t.Errorf("%s has %v, want %s", who, got, want)
			}
		}
		h.prove()
	})
}

// Returns and claims at once: each return counts once, whether it was kept or recorded.
func TestGoodsComeBackWhileTheReceiptIsClaimed(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{})
		h.do("POST", "/v1/members", `{"external_id": "m"}`).want(201)
		one := h.do("POST", "/v1/claims", `{"source": "till", "external_id": "R1", "amount": "100.00"}`).want(201)
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				h.do("POST", "/v1/claims/"+one.text("id")+"/returns", fmt.Sprintf(`{"source": "till", "external_id": "B%d", "amount": "10.00"}`, i)).want(201)
			})
		}
		all.Go(func() {
			h.do("POST", "/v1/claims/claim", `{"code": "`+one.text("code")+`", "member": "ext:m"}`).want(201)
		})
		all.Wait()
		if got := h.do("GET", "/v1/members/ext:m?include=balances", "").want(200).get("balances", "star", "spendable"); got != "7" { // 5 for joining
			t.Errorf("the member has %v", got)
		}
		if n := len(h.do("GET", "/v1/purchases/till:R1/returns", "").want(200).get("items").([]any)); n != 8 {
			t.Errorf("%d came back", n)
		}
		h.prove()
	})
}

// TestWhatEndsBeforeKeptReturnsAreRecordedBeginsAgain has a receipt counted by another road, and whoever settles it end before the returns that were kept for
// it are recorded: it waits still, and the next one brings them to the member.
func TestWhatEndsBeforeKeptReturnsAreRecordedBeginsAgain(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{})
		h.do("POST", "/v1/members", `{"external_id": "m"}`).want(201)
		const receipt = `"source": "till", "external_id": "R1", "occurred_at": "2026-11-20T12:00:00Z", "lines": [{"id": "a", "amount": "100.00"}]`
		kept := h.do("POST", "/v1/claims", "{"+receipt+"}").want(201)
		h.do("POST", "/v1/claims/till:R1/returns", `{"source": "till", "external_id": "B1"}`).want(201)
		h.do("POST", "/v1/purchases", `{"member": "ext:m", `+receipt+"}").want(201).is("10", "earned", "star")
		settle := func(r *record.Recorder) error {
			var p waiting.Purchase
			err := d.Read(t.Context(), func(tx *db.Tx) (err error) {
				p, err = waiting.Get(t.Context(), tx, "kaffebaren", kept.text("id"))
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return claim.Counted(t.Context(), d, r, "kaffebaren", p, h.now)
		}
		state := func() any { return h.do("GET", "/v1/claims/"+kept.text("id"), "").want(200).get("status") }
		before := state()
		dead := record.New(d, h.vs)
		dead.Close()
		if err := settle(dead); err == nil {
			t.Fatal("a recorder that has ended records")
		}
		if got := state(); got != before {
			t.Fatalf("it is %v, and what came back is lost", got)
		}
		for range 2 {
			if err := settle(h.rec); err != nil {
				t.Fatal(err)
			}
		}
		if got := state(); got == before {
			t.Errorf("it is still %v", got)
		}
		// 5 for joining; 10 for what was bought, less 10 for what came back.
		h.do("GET", "/v1/members/ext:m?include=balances", "").want(200).is("5", "balances", "star", "spendable")
		h.prove()
	})
}
