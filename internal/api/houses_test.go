package api

import (
	"fmt"
	"testing"
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
		red := h.do("POST", "/v1/redemptions", `{"member": "ext:kari", "reward": "coffee", "commit": true, "household": true}`).want(201)
		h.do("GET", "/v1/members/ext:ola/houses", "").want(200)
		step("leave", "ola", "").want(201)
		if got := h.do("GET", "/v1/members/ext:ola/houses", "").want(200).get("items"); fmt.Sprint(got) != "[]" {
			t.Error(got)
		}
		h.do("POST", "/v1/redemptions/"+red.text("redemptions", 0, "id")+"/refund", "").want(201)
		h.do("GET", "/v1/households/hou_01k9zjq3hfe1f8m6v7j0q3x5c4", "").want(404)
		h.do("GET", "/v1/households/mem_01k9zjq3hfe1f8m6v7j0q3x5c4", "").want(404)
		h.do("POST", "/v1/adjustments", `{"member": "`+home+`", "unit": "star", "amount": "5", "reason": "No"}`).want(422)
		h.do("POST", "/v1/transfers", `{"from": "ext:kari", "to": "ext:liv", "unit": "star", "amount": "1", "household": "`+home+`"}`).want(400)
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
		}
		a := h.do("POST", "/v1/adjustments", `{"member": "ext:kari", "unit": "star", "amount": "5", "reason": "x"}`).want(201)
		h.do("POST", "/v1/adjustments/"+a.text("id")+"/reverse", `{}`).want(201).is("-5", "adjusted", "star")
	})
}
