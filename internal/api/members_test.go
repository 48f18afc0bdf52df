package api

import (
	"strings"
	"testing"
)

func TestMembers(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		a := h.do("POST", "/v1/members?include=explanation,tiers", `{"given_name": "Kari", "family_name": "Nordmann", "phone": "900 00 001", "email": "Kari@Example.org",
			"external_id": "4711", "language": "nb", "identifiers": [{"kind": "card", "value": "10010001"}, {"kind": "wallet", "value": "w-1"}], "attributes": {"shirt": "M"}}`).want(201)
		id := a.text("id")
		a.is("active", "status").is("+4790000001", "phone").is("kari@example.org", "email").is("5", "enrolment", "earned", "star").is("member", "tiers", "club", "tier")
		a.is("5", "enrolment", "balances", "star", "balance").is("2.50", "enrolment", "balances", "star", "worth")

		for _, ref := range []string{id, "ext:4711", "phone:+4790000001", "phone:90000001", "card:10010001", "email:KARI@example.org", "wallet:w-1"} {
			h.do("GET", "/v1/members/"+ref, "").want(200).is(id, "id")
		}
		for _, q := range []string{"ext=4711", "phone=%2B4790000001", "phone=+4790000001", "phone=90000001", "card=10010001", "email=kari@example.org", "wallet=w-1"} {
			a := h.do("GET", "/v1/members?"+q, "").want(200)
			if a.is(id, "items", 0, "id"); len(a.items()) != 1 {
				t.Errorf("%s: %s", q, a.raw)
			}
		}
		if a := h.do("GET", "/v1/members?ext=nobody", "").want(200); len(a.items()) != 0 {
			t.Errorf("nobody: %s", a.raw)
		}
		h.do("GET", "/v1/members?q=nord+kar", "").want(200).is(id, "items", 0, "id")
		h.do("GET", "/v1/members?shoe=42", "").refused(400, "invalid_parameter", "shoe")
		h.do("GET", "/v1/members?phone=x", "").refused(422, "invalid_phone", "phone")
		h.do("GET", "/v1/members?phone=90000001&card=1", "").want(400)

		h.do("POST", "/v1/members", `{"external_id": "4711"}`).refused(409, "identifier_taken")
		h.do("POST", "/v1/members", `{"phone": "12", "birth": "1899-01-01", "country": "Norge", "identifiers": [{"kind": "shoe", "value": "42"}]}`).
			refused(422, "invalid_member", "/phone", "/birth", "/country", "/identifiers/0/kind")

		got := h.do("GET", "/v1/members/ext:4711", "").want(200)
		tag := got.head.Get("ETag")
		h.do("GET", "/v1/members/ext:4711", "", "If-None-Match", tag).want(304)
		changed := h.do("PATCH", "/v1/members/ext:4711", `{"email": null, "given_name": "Kåre", "attributes": {"shirt": null, "shoe": "42"}}`, "If-Match", tag, "Content-Type", "application/merge-patch+json").want(200)
		changed.is("Kåre", "given_name").is(nil, "email").is("42", "attributes", "shoe").is(nil, "attributes", "shirt")
		if changed.head.Get("ETag") == tag {
			t.Error("the entity tag did not change")
		}
		h.do("PATCH", "/v1/members/ext:4711", `{"given_name": "Kari"}`, "If-Match", tag).refused(412, "stale_revision")
		h.do("PATCH", "/v1/members/ext:4711", `{"given_name": 7}`).refused(422, "invalid_body", "/given_name")
		h.do("PATCH", "/v1/members/ext:4711", `{"id": "mem_1"}`).refused(400, "unknown_key", "/id")
		h.do("PATCH", "/v1/members/ext:4711", `{"zone": "Mars/Base"}`).refused(422, "invalid_member", "/zone")
		h.do("GET", "/v1/members?email=kari@example.org", "").want(200).is(nil, "items", 0)

		h.do("POST", "/v1/members/ext:4711/identifiers", `{"kind": "card", "value": "10010002"}`).want(201)
		h.do("GET", "/v1/members/card:10010002", "").want(200).is(id, "id")
		h.do("POST", "/v1/members/ext:4711/identifiers", `{"kind": "phone", "value": "1"}`).refused(422, "invalid_member", "/value")
		h.do("DELETE", "/v1/members/ext:4711/identifiers/card/10010002", "").want(200)
		h.do("GET", "/v1/members/card:10010002", "").refused(404, "member_not_found")
		h.do("DELETE", "/v1/members/ext:4711/identifiers/card/10010002", "").want(404)
	})
}

func TestNobodyIsNotFound(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for _, ref := range []string{"mem_01k9zjq3hfe1f8m6v7j0q3x5c4", "ext:nobody", "nonsense", "..", "%00", "shoe:42", "phone:x"} {
			a := h.do("GET", "/v1/members/"+ref, "")
			if a.code != 404 && a.code != 400 {
				t.Errorf("%s: %d %s", ref, a.code, a.raw)
			}
		}
		for _, sub := range []string{"", "/balances", "/postings", "/facts", "/tiers", "/explanations", "/redemptions"} {
			h.do("GET", "/v1/members/mem_01k9zjq3hfe1f8m6v7j0q3x5c4"+sub, "").want(404)
			h.do("GET", "/v1/members/ext:nobody"+sub, "").want(404)
		}
	})
}

func TestStanding(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id := h.do("POST", "/v1/members", `{"external_id": "1", "joined_at": "2026-10-20T10:00:00+02:00"}`).want(201).text("id")
		h.do("POST", "/v1/purchases", `{"member": "ext:1", "source": "till", "external_id": "1", "amount": "1234.00", "occurred_at": "2026-11-01T10:00:00+01:00"}`).want(201).is("123", "earned", "star")
		b := h.do("GET", "/v1/members/ext:1/balances", "").want(200).is("128", "balances", "star", "balance").is("64.00", "balances", "star", "worth").is("NOK", "currency")
		if b.is("128", "balances", "star", "totals", "earned"); len(b.get("balances", "star", "lots").([]any)) != 2 {
			t.Errorf("lots: %s", b.raw)
		}
		b.is("2027-11-01T00:00:00+01:00", "balances", "star", "next_expiry", "at").is("5", "balances", "star", "next_expiry", "amount")
		h.do("GET", "/v1/members/ext:1/balances?at=2026-11-10T00:00:00Z", "").want(200).is("128", "balances", "star", "balance")
		h.do("GET", "/v1/members/ext:1/balances?at=2026-10-10T00:00:00Z", "").want(200).is("0", "balances", "star", "balance")
		h.do("GET", "/v1/members/ext:1/balances?at=2028-01-01T00:00:00Z", "").want(200).is("0", "balances", "star", "balance")
		h.do("GET", "/v1/members/ext:1/balances?at=9999-01-01T00:00:00Z", "").refused(400, "invalid_parameter", "at")
		h.do("GET", "/v1/members/ext:1/balances?at=2026-11-10T00:00:00+01:00", "").refused(400, "invalid_parameter", "at")
		h.do("GET", "/v1/members/ext:1?include=balances,tiers", "").want(200).is("128", "balances", "star", "balance").is("1234.00", "tiers", "club", "value")
		if tag, ok := h.do("GET", "/v1/members/ext:1?include=tiers", "").head["Etag"]; ok {
			t.Errorf("what changes with every purchase has the entity tag %q", tag)
		}
		tiers := h.do("GET", "/v1/members/ext:1/tiers?lang=nb", "").want(200)
		tiers.is("member", "tiers", "club", "tier").is("gold", "tiers", "club", "next", "tier").is("1766.00", "tiers", "club", "next", "missing").is("Gull", "tiers", "club", "next", "name")

		facts := h.do("GET", "/v1/members/"+id+"/facts?kind=enrolment,purchase", "").want(200)
		if n := len(facts.items()); n != 2 {
			t.Fatalf("%d facts: %s", n, facts.raw)
		}
		h.do("GET", "/v1/members/"+id+"/facts?kind=enrolment", "").want(200).is("enrolment", "items", 0, "kind").is(nil, "items", 1)
		postings := h.do("GET", "/v1/members/"+id+"/postings?unit=star", "").want(200)
		if n := len(postings.items()); n != 2 {
			t.Fatalf("%d postings: %s", n, postings.raw)
		}
		ex := h.do("GET", "/v1/members/"+id+"/explanations?lang=nb", "").want(200)
		if text := ex.text("items", 0, "explanation", "sentences", 0, "text"); !strings.Contains(text, "stjerne") {
			t.Errorf("nb: %s", text)
		}
		if text := h.do("GET", "/v1/members/"+id+"/explanations", "", "Accept-Language", "fr, da;q=0.8, en;q=0.5").want(200).text("items", 0, "summary"); text == "" {
			t.Error("no summary")
		}
		h.do("GET", "/v1/members/"+id+"/explanations?lang=fr", "").refused(400, "invalid_parameter", "lang")
		h.do("GET", "/v1/members/"+id+"/explanations?audience=cat", "").refused(400, "invalid_parameter", "audience")
		h.do("GET", "/v1/members/"+id+"?include=shoes", "").refused(400, "invalid_parameter", "include")
	})
}

func TestBlockCloseMerge(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		a, b := h.enrol("a"), h.enrol("b")
		h.do("POST", "/v1/members/ext:a/block", `{"reason": "stolen"}`).want(201)
		h.do("GET", "/v1/members/ext:a", "").want(200).is("blocked", "status")
		blocked := h.do("POST", "/v1/purchases", `{"member": "ext:a", "amount": "100"}`).want(201)
		if blocked.get("earned", "star") != nil {
			t.Errorf("a blocked member earned: %s", blocked.raw)
		}
		h.do("POST", "/v1/redemptions", `{"member": "ext:a", "reward": "mug", "commit": true}`).want(403)
		h.do("POST", "/v1/members/ext:a/unblock", "").want(201)
		h.do("POST", "/v1/members/ext:a/merge", `{"into": "ext:b", "reason": "same person"}`).want(201)
		h.do("GET", "/v1/members/ext:b/balances", "").want(200).is("10", "balances", "star", "balance")
		h.do("GET", "/v1/members/ext:a", "").want(200).is(b, "id")
		h.do("GET", "/v1/members/"+a, "").want(200).is("merged", "status").is(b, "merged_into")
		h.do("POST", "/v1/members/ext:b/merge", `{"into": "ext:b"}`).want(422)
		h.do("POST", "/v1/members/ext:b/merge", `{}`).refused(422, "invalid_body", "/into")
		h.do("POST", "/v1/members/ext:b/merge", `{"into": "ext:nobody"}`).want(404)
		h.do("POST", "/v1/members/ext:b/close", `{"reason": "leaves"}`).want(201)
		h.do("GET", "/v1/members/ext:b", "").want(200).is("closed", "status")
		h.do("GET", "/v1/members/ext:b/balances", "").want(200).is("0", "balances", "star", "balance")
	})
}

func TestTierByHand(t *testing.T) {
	each(t, func(_ *testing.T, h *house) {
		h.enrol("1")
		up := h.do("POST", "/v1/members/ext:1/tiers?include=tiers", `{"set": "club", "tier": "gold", "until": "2027-12-31T23:59:59+01:00", "reason": "partner"}`).want(201)
		up.is("gold", "tier_changes", 0, "to").is("up", "tier_changes", 0, "direction").is("gold", "tiers", "club", "tier").is("gold", "tiers", "club", "floor")
		h.do("POST", "/v1/members/ext:1/tiers", `{"set": "club", "tier": "platinum", "reason": "x"}`).refused(422, "invalid_tier", "/tier")
		h.do("POST", "/v1/members/ext:1/tiers", `{"set": "club"}`).refused(422, "invalid_body", "/reason")
		h.do("POST", "/v1/members/ext:1/tiers", `{"set": "club", "reason": "ended"}`).want(201)
		h.do("GET", "/v1/members/ext:1/tiers", "").want(200).is("member", "tiers", "club", "tier")
	})
}

// Who is refused reads why in their own language; the reason and the figures are the same.
func TestRefusalsAreToldInTheLanguageAskedFor(t *testing.T) {
	each(t, func(_ *testing.T, h *house) {
		h.do("POST", "/v1/members", `{"external_id": "kari"}`).want(201)
		const body = `{"member": "ext:kari", "reward": "mug", "commit": true}`
		english := h.do("POST", "/v1/redemptions", body).refused(409, "balance_too_low").text("detail")
		for lang, want := range map[string]string{"nb": "Saldoen er for lav til dette.", "sv": "Saldot räcker inte till det här.", "da": "Saldoen er for lav til dette.", "en": english, "fr": english} {
			h.do("POST", "/v1/redemptions", body, "Accept-Language", lang).refused(409, "balance_too_low").is(want, "detail")
		}
		h.do("POST", "/v1/batches", `{"facts": [{"redemption": `+body+`}]}`, "Accept-Language", "sv").want(200).
			is("balance_too_low", "results", 0, "problem", "reason").is("Saldot räcker inte till det här.", "results", 0, "problem", "detail")
	})
}
