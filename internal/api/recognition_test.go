package api

import (
	"testing"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/errand"
)

func TestThanksWaitAndArrive(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{})
		kari := h.do("POST", "/v1/members", `{"external_id": "kari", "name": "Kari Nordmann", "birth": "1990-05-17"}`).want(201).text("id")
		ola := h.do("POST", "/v1/members", `{"external_id": "ola"}`).want(201).text("id")
		h.do("POST", "/v1/members", `{"external_id": "twin", "name": "Kari Nordmann", "birth": "1990-05-17"}`).want(201)
		h.do("POST", "/v1/adjustments", `{"member": "ext:kari", "unit": "kudo", "amount": "50", "reason": "An allowance"}`).want(201)
		arrive := func() {
			t.Helper()
			if err := errand.CatchUp(t.Context(), d, h.rec, "kaffebaren", h.now); err != nil {
				t.Fatal(err)
			}
		}
		has := func(who, unit, want string) {
			t.Helper()
			if have := h.do("GET", "/v1/members/"+who+"/balances", "").want(200).text("balances", unit, "spendable"); have != want {
				t.Errorf("%s has %s %s, want %s", who, have, unit, want)
			}
		}
		h.do("POST", "/v1/recognitions", `{"from": "ext:kari", "to": "ext:kari", "amount": "3", "value": "helped"}`).refused(422, "invalid_recognition")
		h.do("POST", "/v1/recognitions", `{"from": "ext:kari", "to": "ext:nobody", "amount": "3", "value": "helped"}`).refused(404, "member_not_found", "/to")
		h.do("POST", "/v1/recognitions", `{"from": "ext:nobody", "to": "ext:kari", "amount": "3", "value": "helped"}`).refused(404, "member_not_found", "/from")
		twin := h.do("POST", "/v1/recognitions", `{"from": "ext:kari", "to": "ext:twin", "amount": "3", "value": "helped"}`).refused(403, "recognition_refused")
		if why := twin.text("meta", "why"); why != "same_person" {
			t.Errorf("refused because of %q", why)
		}
		small := h.do("POST", "/v1/recognitions", `{"from": "ext:kari", "to": "ext:ola", "amount": "3", "value": "helped", "source": "chat", "external_id": "1"}`).want(201).text("id")
		h.do("POST", "/v1/recognitions", `{"from": "ext:kari", "to": "ext:ola", "amount": "3", "value": "helped", "source": "chat", "external_id": "1"}`).want(200)
		arrive()
		has("ext:ola", "star", "8") // with the 5 of the welcome
		has("ext:kari", "kudo", "47")
		big := h.do("POST", "/v1/recognitions", `{"from": "ext:kari", "to": "ext:ola", "amount": "20", "value": "helped", "message": "You stayed"}`).want(201).text("id")
		arrive()
		has("ext:ola", "star", "8")
		one := h.do("GET", "/v1/recognitions/"+big, "", "Accept-Language", "nb").want(200)
		for field, want := range map[string]string{"from": kari, "to": ola, "amount": "20", "unit": "kudo", "becomes": "star", "status": "waiting", "for": "Hjalp en kunde", "message": "You stayed"} {
			if have := one.text(field); have != want {
				t.Errorf("%s is %q, want %q", field, have, want)
			}
		}
		if id := h.do("GET", "/v1/recognitions?status=waiting", "").want(200).text("items", 0, "id"); id != big {
			t.Errorf("%s waits, want %s", id, big)
		}
		h.do("POST", "/v1/recognitions/"+big+"/approve", "").want(201)
		h.do("POST", "/v1/recognitions/"+big+"/approve", "").refused(409, "recognition_settled")
		arrive()
		has("ext:ola", "star", "28")
		h.do("POST", "/v1/recognitions/"+big+"/undo", "").want(201)
		arrive()
		has("ext:ola", "star", "8")
		has("ext:kari", "kudo", "47")
		// Who was thanked sees it, who was not does not.
		list := h.do("GET", "/v1/members/ext:ola/recognitions", "").want(200)
		for i, want := range []string{big, small} {
			if have := list.text("items", i, "id"); have != want {
				t.Errorf("at %d %s is listed, want %s", i, have, want)
			}
		}
		if status := list.text("items", 0, "status"); status != "undone" {
			t.Errorf("it is %s", status)
		}
		if n := len(h.do("GET", "/v1/members/ext:twin/recognitions", "").want(200).get("items").([]any)); n != 0 {
			t.Errorf("%d are shown to somebody else", n)
		}
		first := h.do("GET", "/v1/recognitions?limit=1", "").want(200)
		if id := first.text("items", 0, "id"); id != big {
			t.Errorf("%s is the newest, want %s", id, big)
		}
		if id := h.do("GET", "/v1/recognitions?limit=1&cursor="+first.text("next_cursor"), "").want(200).text("items", 0, "id"); id != small {
			t.Errorf("%s comes next, want %s", id, small)
		}
		h.do("GET", "/v1/recognitions?status=lost", "").refused(422, "invalid_query")
		h.do("GET", "/v1/recognitions/"+kari, "").want(404)
	})
}
