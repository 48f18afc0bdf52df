package api

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"lojal.dev/lojal/internal/errand"
)

func TestAHouseholdOverHTTP(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for _, m := range []string{"kari", "ola", "liv"} {
			h.do("POST", "/v1/members", fmt.Sprintf(`{"external_id": %q}`, m)).want(201)
			h.do("POST", "/v1/adjustments", fmt.Sprintf(`{"member": "ext:%s", "unit": "star", "to": "%d", "reason": "Opening"}`, m, map[string]int{"kari": 10, "ola": 60, "liv": 30}[m])).want(201)
		}
		home := h.do("POST", "/v1/households", `{"owner": "ext:kari", "source": "app", "external_id": "h1"}`).want(201).text("id")
		if again := h.do("POST", "/v1/households", `{"owner": "ext:kari", "source": "app", "external_id": "h1"}`).want(200).text("id"); again != home {
			t.Errorf("it was made twice: %s and %s", home, again)
		}
		step := func(do, member, by string) *answer {
			return h.do("POST", "/v1/households/"+home+"/steps", fmt.Sprintf(`{"do": %q, "member": "ext:%s", "by": %q}`, do, member, by))
		}
		h.do("POST", "/v1/households/"+home+"/steps?lang=nb&include=explanation", `{"do": "invite", "member": "ext:liv"}`).want(201).is(h.do("GET", "/v1/members/ext:liv", "").text("id")+" er invitert, til 6. desember 2026 kl. 13:00.", "summary")
		h.do("POST", "/v1/households?lang=sv", `{"owner": "ext:kari"}`).refused(409, "in_another")
		h.do("POST", "/v1/households/"+home+"/steps", `{"do": "no", "member": "ext:liv"}`).want(201)
		step("join", "ola", "").refused(409, "not_invited")
		step("invite", "ola", "ext:nobody").refused(422, "unknown_member")
		step("invite", "ola", "ext:liv").refused(403, "not_owner")
		step("fly", "ola", "").want(422)
		for _, m := range []string{"ola", "liv"} {
			step("invite", m, "ext:kari").want(201)
			step("join", m, "").want(201)
		}
		a := h.do("GET", "/v1/households/"+home, "").want(200)
		if got := fmt.Sprint(a.get("shared", "star"), a.get("people", 1, "takes", "star"), a.get("people", 0, "role")); got != "100 60 owner" && got != "10060owner" {
			t.Errorf("%s: %s", got, a.body)
		}
		step("keep", "ola", "ext:kari").refused(403, "not_yours")
		step("keep", "ola", "ext:ola").want(201)
		h.do("GET", "/v1/households/"+home, "").want(200).is(true, "people", 1, "keeps_out").is("40", "shared", "star").is("60", "people", 1, "takes", "star")
		h.do("POST", "/v1/redemptions?lang=nb", `{"member": "ext:ola", "reward": "coffee", "commit": true, "household": true}`).refused(403, "keeps_out")
		step("share", "ola", "").want(201)
		red := h.do("POST", "/v1/redemptions", `{"member": "ext:kari", "reward": "coffee", "commit": true, "household": true}`).want(201)
		h.do("GET", "/v1/members/ext:ola/houses", "").want(200)
		step("leave", "ola", "").want(201)
		if got := h.do("GET", "/v1/members/ext:ola/houses", "").want(200).get("items"); fmt.Sprint(got) != "[]" {
			t.Error(got)
		}
		h.do("POST", "/v1/redemptions/"+red.text("redemptions", 0, "id")+"/refund", "").want(201)
		for _, of := range []string{home, "ext:kari", "ext:ola"} { // each step is told, and of whom
			told := h.do("GET", "/v1/members/"+of+"/explanations?lang=nb", "").want(200)
			for _, item := range told.items() {
				one, _ := item.(map[string]any)
				if s, _ := one["summary"].(string); s == "" && one["kind"] != "enrolment" || of == home && !strings.Contains(s, "mem_") {
					t.Errorf("%s of %s is told as %q", one["kind"], of, s)
				}
			}
		}
		h.do("GET", "/v1/households/hou_01k9zjq3hfe1f8m6v7j0q3x5c4", "").want(404)
		h.do("GET", "/v1/households/mem_01k9zjq3hfe1f8m6v7j0q3x5c4", "").want(404)
		h.do("POST", "/v1/adjustments", `{"member": "`+home+`", "unit": "star", "amount": "5", "reason": "No"}`).want(422)
		h.do("POST", "/v1/transfers", `{"from": "ext:kari", "to": "ext:liv", "unit": "star", "amount": "1", "household": "`+home+`"}`).want(400)
	})
}

// A firm's books are read as a member's are, and its tiers with what was counted for them.
func TestTheBooksOfAnOrganizationAreRead(t *testing.T) {
	each(t, func(_ *testing.T, h *house) {
		h.do("POST", "/v1/members", `{"external_id": "kari"}`).want(201)
		firm := h.do("POST", "/v1/organizations", `{"owner": "ext:kari"}`).want(201).text("id")
		h.do("POST", "/v1/purchases", `{"member": "ext:kari", "amount": "3500.00"}`).want(201)
		at := "/v1/members/" + firm
		h.do("GET", "/v1/organizations/"+firm, "").want(200).is("3500.00", "tiers", "club", "value").is("gold", "tiers", "club", "tier").is("350", "balances", "star", "balance")
		h.do("GET", at, "").want(200).is("organization", "kind").is("active", "status")
		h.do("GET", at+"?include=balances,tiers", "").want(200).is("350", "balances", "star", "spendable").is("3500.00", "tiers", "club", "value")
		h.do("GET", at+"/facts", "").want(200).is("purchase", "items", 0, "kind")
		h.do("GET", at+"/explanations?lang=nb", "").want(200).is("purchase", "items", 0, "kind")
		h.do("GET", at+"/postings", "").want(200).is("350", "items", 0, "amount")
		h.do("GET", at+"/tiers", "").want(200).is("3500.00", "tiers", "club", "value")
		for _, list := range []string{"balances", "redemptions", "challenges", "grants", "benefits", "plans", "forecast?until=2026-12-01T00:00:00Z", "targets"} {
			h.do("GET", at+"/"+list, "").want(200)
		}
		h.do("PATCH", at, `{"name": "Bygg"}`).want(200).is("Bygg", "name")
		for _, nobody := range []string{"org_01k9zjq3hfe1f8m6v7j0q3x5c4", "org_x"} {
			for _, list := range []string{"", "/facts", "/postings", "/tiers", "/balances"} {
				h.do("GET", "/v1/members/"+nobody+list, "").want(404)
			}
		}
	})
}

// Who acts for an organization sees in the catalogue what a redemption would take, and reaches what is their own.
func TestWhoActsForAnOrganizationReachesTheirOwn(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for _, m := range []string{"kari", "ola", "liv"} {
			h.do("POST", "/v1/members", fmt.Sprintf(`{"external_id": %q}`, m)).want(201)
		}
		h.do("POST", "/v1/members/ext:ola/grants", `{"reward": "coffee", "reason": "Won"}`).want(201)
		firm := h.do("POST", "/v1/organizations", `{"owner": "ext:kari"}`).want(201).text("id")
		for who, role := range map[string]string{"ola": "buyer", "liv": "viewer"} {
			h.do("POST", "/v1/organizations/"+firm+"/steps", fmt.Sprintf(`{"do": "invite", "member": "ext:%s", "role": %q, "by": "ext:kari"}`, who, role)).want(201)
			h.do("POST", "/v1/organizations/"+firm+"/steps", fmt.Sprintf(`{"do": "join", "member": "ext:%s"}`, who)).want(201)
		}
		ola := h.do("GET", "/v1/members/ext:ola", "").want(200).text("id")
		h.do("POST", "/v1/adjustments", `{"member": "`+firm+`", "unit": "star", "amount": "40", "reason": "Opening"}`).want(201)
		h.do("GET", "/v1/rewards/mug?member=ext:ola", "").want(200).is(firm, "for_member", "member").is(true, "for_member", "available")
		h.do("GET", "/v1/rewards/coffee?member=ext:ola", "").want(200).is(false, "for_member", "available")
		h.do("GET", "/v1/rewards/mug?member=ext:ola&own=true", "").want(200).is(ola, "for_member", "member").is(false, "for_member", "available")
		h.do("GET", "/v1/rewards/coffee?member=ext:ola&own=true", "").want(200).is(true, "for_member", "available")
		h.do("GET", "/v1/rewards/mug?member=ext:liv", "").want(200).is(firm, "for_member", "member").is(false, "for_member", "available").is("role_may_not", "for_member", "reason")
		h.do("GET", "/v1/rewards/mug?member="+firm, "").want(200).is(true, "for_member", "available")
		h.do("POST", "/v1/redemptions", `{"member": "ext:ola", "reward": "mug", "commit": true}`).want(201).is(firm, "member")
		red := h.do("POST", "/v1/redemptions", `{"member": "ext:ola", "reward": "coffee", "commit": true, "own": true}`).want(201).is(ola, "member")
		h.do("POST", "/v1/redemptions/"+red.text("redemptions", 0, "id")+"/refund", "").want(201).is(ola, "member")
		bought := h.do("POST", "/v1/purchases", `{"member": "ext:liv", "amount": "100.00", "own": true, "source": "till", "external_id": "9"}`).want(201)
		if bought.text("member") == firm || bought.get("earned", "star") != "10" {
			t.Error(bought.raw)
		}
		h.do("POST", "/v1/purchases", `{"member": "ext:liv", "amount": "100.00", "own": true, "source": "till", "external_id": "9"}`).want(200)
		h.do("POST", "/v1/purchases/till:9/returns", "").want(201).is(bought.text("member"), "member")
		h.do("POST", "/v1/activities", `{"member": "ext:ola", "kind": "own_cup", "own": true}`).want(201).is(ola, "member")
		h.do("POST", "/v1/activities", `{"member": "`+firm+`", "kind": "own_cup", "by": "ext:ola"}`).want(201).is(firm, "member")
		h.do("POST", "/v1/purchases", `{"member": "`+firm+`", "amount": "100.00", "own": true}`).refused(422, "invalid_house", "/own")
	})
}

func TestAHouseIsClosed(t *testing.T) {
	each(t, func(_ *testing.T, h *house) {
		h.do("POST", "/v1/members", `{"external_id": "kari"}`).want(201)
		firm := h.do("POST", "/v1/organizations", `{"owner": "ext:kari"}`).want(201).text("id")
		home := h.do("POST", "/v1/households", `{"owner": "ext:kari"}`).want(201).text("id")
		h.do("POST", "/v1/purchases", `{"member": "ext:kari", "amount": "100.00"}`).want(201)
		h.do("POST", "/v1/organizations/"+firm+"/close", `{"reason": "The agreement ended"}`).want(201).is(firm, "member")
		h.do("GET", "/v1/organizations/"+firm, "").want(200).is("closed", "status").is("0", "balances", "star", "balance")
		h.do("POST", "/v1/organizations/"+firm+"/close", "").want(409)
		h.do("POST", "/v1/households/"+home+"/close", "").want(201)
		h.do("GET", "/v1/households/"+home, "").want(200).is("closed", "status")
		h.do("POST", "/v1/households/"+firm+"/close", "").want(404)
		h.do("POST", "/v1/organizations/org_01k9zjq3hfe1f8m6v7j0q3x5c4/close", "").want(404)
	})
}

func TestAnOrganizationOverHTTP(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for _, m := range []string{"kari", "ola"} {
			h.do("POST", "/v1/members", fmt.Sprintf(`{"external_id": %q}`, m)).want(201)
		}
		firm := h.do("POST", "/v1/organizations", `{"owner": "ext:kari"}`).want(201).text("id")
		for _, body := range []string{`{"do": "invite", "member": "ext:ola", "role": "buyer", "by": "ext:kari"}`, `{"do": "join", "member": "ext:ola"}`} {
			h.do("POST", "/v1/organizations/"+firm+"/steps", body).want(201)
		}
		bought := h.do("POST", "/v1/purchases", `{"member": "ext:ola", "source": "till", "external_id": "1", "amount": "500.00"}`).want(201)
		if bought.text("member") != firm {
			t.Errorf("it is of %s", bought.text("member"))
		}
		h.do("POST", "/v1/purchases", `{"member": "`+firm+`", "by": "ext:ola", "amount": "100.00"}`).want(201)
		h.do("POST", "/v1/purchases", `{"member": "`+firm+`", "by": "ext:nobody", "amount": "100.00"}`).refused(422, "unknown_member")
		h.do("POST", "/v1/purchases", `{"member": "ext:nobody", "amount": "100.00"}`).want(404)
		h.do("POST", "/v1/purchases/till:1/returns", `{"amount": "100.00"}`).want(201)
		a := h.do("GET", "/v1/organizations/"+firm, "").want(200)
		if got := fmt.Sprint(a.get("balances", "star", "spendable"), " ", a.get("people", 1, "role")); got != "50 buyer" {
			t.Errorf("%s: %s", got, a.body)
		}
		h.do("POST", "/v1/organizations/"+firm+"/steps", `{"do": "leave", "member": "ext:kari"}`).refused(409, "last_owner")
		h.do("POST", "/v1/organizations/"+firm+"/steps", `{"do": "join", "member": "ext:ola"}`).refused(409, "already_joined")
	})
}

// The natural keys of what the program itself records are refused at every door.
func TestKeysOfTheProgramItself(t *testing.T) {
	each(t, func(_ *testing.T, h *house) {
		for _, m := range []string{"kari", "ola"} {
			h.do("POST", "/v1/members", fmt.Sprintf(`{"external_id": %q}`, m)).want(201)
		}
		home := h.do("POST", "/v1/households", `{"owner": "ext:kari"}`).want(201).text("id")
		for _, source := range []string{"lojal", "lojal:raffle", "lojal:order", "lojal:reversal"} {
			key := fmt.Sprintf(`"source": %q, "external_id": "x"`, source)
			h.do("POST", "/v1/households/"+home+"/steps", `{"do": "invite", "member": "ext:ola", `+key+`}`).refused(422, "reserved_source", "/source")
			h.do("POST", "/v1/adjustments", `{"member": "ext:kari", "unit": "star", "amount": "1", "reason": "x", `+key+`}`).refused(422, "reserved_source", "/source")
			h.do("POST", "/v1/purchases", `{"member": "ext:kari", "amount": "1.00", `+key+`}`).refused(422, "reserved_source", "/source")
			h.do("POST", "/v1/claims", `{"amount": "1.00", `+key+`}`).refused(422, "reserved_source", "/source")
		}
		a := h.do("POST", "/v1/adjustments", `{"member": "ext:kari", "unit": "star", "amount": "5", "reason": "x"}`).want(201)
		h.do("POST", "/v1/adjustments/"+a.text("id")+"/reverse", `{}`).want(201).is("-5", "adjusted", "star")
	})
}

// A household that staff closes holds nobody: its people can be in another one.
func TestAClosedHouseholdOverHTTP(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for _, m := range []string{"kari", "ola"} {
			h.do("POST", "/v1/members", fmt.Sprintf(`{"external_id": %q}`, m)).want(201)
		}
		home := h.do("POST", "/v1/households", `{"owner": "ext:kari"}`).want(201).text("id")
		h.do("POST", "/v1/households/"+home+"/steps", `{"do": "invite", "member": "ext:ola"}`).want(201)
		h.do("POST", "/v1/households/"+home+"/steps", `{"do": "join", "member": "ext:ola"}`).want(201)
		h.do("POST", "/v1/members/"+home+"/close", `{}`).want(201)
		if err := errand.CatchUp(t.Context(), h.d, h.rec, "kaffebaren", h.clock()); err != nil {
			t.Fatal(err)
		}
		if a := h.do("GET", "/v1/households/"+home, "").want(200).is("closed", "status"); fmt.Sprint(a.get("people")) != "[]" {
			t.Error(a.get("people"))
		}
		for _, m := range []string{"kari", "ola"} {
			if a := h.do("GET", "/v1/members/ext:"+m+"/houses", "").want(200); fmt.Sprint(a.get("items")) != "[]" {
				t.Error(a.get("items"))
			}
			h.do("POST", "/v1/households", `{"owner": "ext:`+m+`"}`).want(201)
		}
		h.do("POST", "/v1/households/"+home+"/steps", `{"do": "invite", "member": "ext:ola"}`).refused(409, "member_closed")
	})
}

// A household or an organization is called something and found by it; what was refused has left no name behind.
func TestAnOrganizationHasANameAndANumber(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for _, m := range []string{"kari", "ola", "liv"} {
			h.do("POST", "/v1/members", fmt.Sprintf(`{"external_id": %q, "name": "%s Berg", "postcode": "0150"}`, m, m)).want(201)
		}
		const firm = `{"owner": "ext:kari", "name": "Fjord Sport AS", "postcode": "0150", "identifiers": [{"kind": "ext", "value": "k-881"}], "source": "erp", "external_id": "1"}`
		h.do("POST", "/v1/organizations", `{"owner": "ext:kari", "name": "Fjord", "identifiers": [{"kind": "ext", "value": "ola"}]}`).refused(409, "identifier_taken")
		h.do("POST", "/v1/organizations", `{"owner": "ext:kari", "name": "Fjord", "identifiers": [{"kind": "fax", "value": "1"}]}`).refused(422, "invalid_member")
		h.do("POST", "/v1/organizations", `{"owner": "ext:nobody", "name": "Fjord", "identifiers": [{"kind": "ext", "value": "k-881"}]}`).refused(422, "unknown_member")
		if got := h.do("GET", "/v1/organizations", "").want(200).get("items"); fmt.Sprint(got) != "[]" {
			t.Errorf("there are %v", got)
		}
		id := h.do("POST", "/v1/organizations", firm).want(201).text("id")
		h.do("POST", "/v1/organizations", firm).want(200).is(id, "id")
		h.do("POST", "/v1/organizations", `{"owner": "ext:kari", "name": "Second", "identifiers": [{"kind": "ext", "value": "k-882"}]}`).refused(409, "in_another")
		h.now = h.now.Add(time.Second) // or which of the two has the lower id is left to chance
		second := h.do("POST", "/v1/organizations", `{"owner": "ext:ola", "name": "Vestland Ski", "identifiers": [{"kind": "ext", "value": "k-882"}]}`).want(201).text("id")
		home := h.do("POST", "/v1/households", `{"owner": "ext:liv", "name": "The Bergs"}`).want(201).text("id")

		h.do("GET", "/v1/organizations", "").want(200).is(id, "items", 0, "id").is("Fjord Sport AS", "items", 0, "name").is("k-881", "items", 0, "external_id").is(second, "items", 1, "id")
		one := h.do("GET", "/v1/organizations?limit=1", "").want(200).is(id, "items", 0, "id")
		h.do("GET", "/v1/organizations?limit=1&cursor="+one.text("next_cursor"), "").want(200).is(second, "items", 0, "id")
		h.do("GET", "/v1/organizations?q=ski", "").want(200).is(second, "items", 0, "id")
		h.do("GET", "/v1/households", "").want(200).is(home, "items", 0, "id").is("The Bergs", "items", 0, "name")
		if got := len(h.do("GET", "/v1/members", "").want(200).get("items").([]any)); got != 3 {
			t.Errorf("%d members are listed, of 3", got)
		}
		if got := h.do("GET", "/v1/members/duplicates", "").want(200).get("items"); fmt.Sprint(got) != "[]" {
			t.Errorf("alike are %v", got)
		}

		h.do("POST", "/v1/purchases", `{"member": "ext:k-881", "amount": "100.00"}`).want(201).is(id, "member")
		h.do("POST", "/v1/purchases", `{"member": "ext:k-881", "amount": "50.00", "by": "ext:kari"}`).want(201).is(id, "member")
		h.do("POST", "/v1/simulations", `{"facts": [{"purchase": {"member": "ext:k-881", "amount": "100.00"}}]}`).want(200)
		h.do("GET", "/v1/members/ext:k-881/balances", "").want(200).is("15", "balances", "star", "balance")
		h.do("GET", "/v1/organizations/"+id, "").want(200).is("Fjord Sport AS", "name").is("kari Berg", "people", 0, "name")
		h.do("PATCH", "/v1/members/"+id, `{"name": "Fjord AS", "external_id": "k-900"}`).want(200)
		h.do("GET", "/v1/organizations/"+id, "").want(200).is("Fjord AS", "name").is("k-900", "external_id")
		h.do("GET", "/v1/members/ext:k-881", "").want(404)

		for _, other := range []string{"ext:k-900", id} { // what happens between people
			h.do("POST", "/v1/households/"+home+"/steps", `{"do": "invite", "member": "`+other+`"}`).refused(422, "unknown_member")
			h.do("POST", "/v1/households", `{"owner": "`+other+`"}`).refused(422, "unknown_member")
			h.do("POST", "/v1/transfers", `{"from": "ext:kari", "to": "`+other+`", "unit": "star", "amount": "1"}`).refused(404, "member_not_found")
			h.do("POST", "/v1/members/ext:liv/merge", `{"into": "`+other+`"}`).refused(404, "member_not_found")
		}
		h.prove()
	})
}
