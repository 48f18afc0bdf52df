package api

import (
	"bytes"
	"testing"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/errand"
)

func TestAFriendClaimsOnceWhatWasPassedOn(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{})
		kari, ola := h.enrol("kari"), h.enrol("ola")
		h.enrol("liv")
		made := h.do("POST", "/v1/members/ext:kari/shares", `{"share": "friend20"}`).want(201)
		text := made.text("code")
		claim := func(who string) *answer {
			return h.do("POST", "/v1/shares/claim", `{"code": "`+text+`", "member": "ext:`+who+`", "source": "app", "external_id": "`+who+text[:4]+`"}`, "Idempotency-Key", who+text)
		}
		if n := len(h.do("GET", "/v1/members/ext:kari/shares", "").want(200).items()); n != 1 {
			t.Errorf("%d are open", n)
		}
		claim("kari").refused(403, "share_refused")
		got := claim("ola").want(201)
		for field, want := range map[string]string{"from": kari, "to": ola, "share": "friend20", "title": "10 % for a friend"} {
			if have := got.text(field); have != want {
				t.Errorf("%s is %q, want %q", field, have, want)
			}
		}
		if again := claim("ola"); !bytes.Equal(again.raw, got.raw) {
			t.Errorf("the same again is answered %s, at first %s", again.raw, got.raw)
		}
		claim("liv").refused(409, "share_claimed")
		h.do("POST", "/v1/shares/claim", `{"code": "7KXQ-2M9D-4VWT-R80HE", "member": "ext:ola"}`).refused(404, "code_unknown")
		follow := func() {
			t.Helper()
			if err := errand.CatchUp(t.Context(), d, h.rec, "kaffebaren", h.now); err != nil {
				t.Fatal(err)
			}
		}
		follow()
		grant := h.do("GET", "/v1/members/ext:ola/grants", "").want(200)
		if by, source := grant.text("items", 0, "by"), grant.text("items", 0, "source"); by != kari || source != "share:friend20" {
			t.Errorf("it is from %s, %s", by, source)
		}
		h.do("POST", "/v1/members/ext:ola/benefits/plus_discount/uses", "").want(201)
		follow()
		if have := h.do("GET", "/v1/members/ext:kari/balances", "").want(200).text("balances", "star", "spendable"); have != "10" {
			t.Errorf("who passed it on has %s, want 10 with the 5 of the welcome", have)
		}
		other := h.do("POST", "/v1/members/ext:kari/shares", `{"share": "friend20"}`).want(201)
		text = other.text("code")
		h.do("POST", "/v1/shares/"+other.text("id")+"/void", "").want(201)
		claim("liv").refused(409, "share_ended")
		text = made.text("code")
		h.pass(400 * 24 * time.Hour) // neither the code nor the first answer is kept so long, and the claim is told again by its number
		claim("ola").is(ola, "to")
		h.prove()
	})
}
