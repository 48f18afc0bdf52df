package api

import (
	"fmt"
	"slices"
	"testing"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
)

// A leaderboard shows who asked for it, in order, page by page, and nobody who left.
func TestLeaderboard(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{})
		coffees := map[string]int{"a": 3, "b": 12, "c": 3, "d": 7, "e": 20, "f": 1}
		for _, m := range []string{"a", "b", "c", "d", "e", "f"} {
			h.do("POST", "/v1/members", fmt.Sprintf(`{"external_id": %q}`, m)).want(201)
			if m != "e" { // e buys most, and wants nobody to know
				h.do("POST", "/v1/members/ext:"+m+"/challenges/coffee-card", fmt.Sprintf(`{"show": " %s. "}`, m)).want(201)
			}
			h.do("POST", "/v1/purchases", fmt.Sprintf(`{"member": "ext:%s", "source": "till", "external_id": %q, "lines": [{"id": "1", "category": "coffee", "quantity": %d, "amount": "400.00"}]}`, m, m, coffees[m])).want(201)
		}
		read := func(limit int) (out []string) {
			cursor := ""
			for {
				a := h.do("GET", fmt.Sprintf("/v1/challenges/coffee-card/leaderboard?limit=%d&cursor=%s", limit, cursor), "").want(200)
				items, _ := a.get("items").([]any)
				for i := range items {
					out = append(out, fmt.Sprintf("%v %v %v", a.get("items", i, "rank"), a.get("items", i, "name"), a.get("items", i, "value")))
				}
				if cursor, _ = a.get("next_cursor").(string); cursor == "" {
					if !slices.IsSortedFunc(out, func(a, b string) int { return int(a[0]) - int(b[0]) }) {
						t.Errorf("not in order: %s", out)
					}
					slices.Sort(out) // who have the same stand in no order of theirs
					return out
				}
			}
		}
		want := "[1 b. 12 2 d. 7 3 a. 3 3 c. 3 5 f. 1]"
		for _, limit := range []int{1, 2, 3, 50} {
			if got := fmt.Sprint(read(limit)); got != want {
				t.Errorf("by %d: %s, not %s", limit, got, want)
			}
		}
		place := func(member string) string {
			a := h.do("GET", "/v1/members/ext:"+member+"/challenges/coffee-card/place", "").want(200)
			return fmt.Sprint(a.get("rank"), " of ", a.get("of"), ": ", a.get("name"), " ", a.get("value"), " ", a.get("missing"))
		}
		for member, want := range map[string]string{"b": "1 of 5: b. 12 <nil>", "d": "2 of 5: d. 7 5", "a": "3 of 5: a. 3 4", "c": "3 of 5: c. 3 4", "f": "5 of 5: f. 1 2"} {
			if got := place(member); got != want {
				t.Errorf("%s is %s, not %s", member, got, want)
			}
		}
		h.do("GET", "/v1/members/ext:e/challenges/coffee-card/place", "").refused(404, "not_in_leaderboard")
		h.do("GET", "/v1/members/ext:b/challenges/coffee-card/place?at=2020-01-01T00:00:00Z", "").want(200) // it is counted in one window
		h.do("GET", "/v1/members/ext:b/challenges/nothing/place", "").want(404)
		// Goods come back, one leaves, one is merged into another, one comes late to it.
		h.do("POST", "/v1/purchases/till:b/returns", `{"lines": [{"line": "1", "quantity": 10}]}`).want(201)
		h.do("POST", "/v1/members/ext:d/challenges/coffee-card", `{"show": ""}`).want(201)
		h.do("POST", "/v1/members/ext:a/merge", `{"into": "ext:f"}`).want(201)
		h.do("POST", "/v1/members/ext:e/challenges/coffee-card", `{"show": "e."}`).want(201)
		if got, want := fmt.Sprint(read(2)), "[1 e. 20 2 f. 4 3 c. 3 4 b. 2]"; got != want {
			t.Errorf("%s, not %s", got, want)
		}
		h.do("POST", "/v1/members/ext:e/close", `{"reason": "left"}`).want(201)
		if got, want := fmt.Sprint(read(50)), "[1 f. 4 2 c. 3 3 b. 2]"; got != want {
			t.Errorf("%s, not %s", got, want)
		}
		h.do("GET", "/v1/challenges/nothing/leaderboard", "").want(404)
		h.do("POST", "/v1/members/ext:c/challenges/coffee-card", `{"join": true}`).want(422)
	})
}

// What was won is listed with its end, and a redemption takes it.
func TestGrants(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{})
		h.do("POST", "/v1/members", `{"external_id": "4711"}`).want(201)
		h.do("POST", "/v1/purchases", `{"member": "ext:4711", "lines": [{"category": "coffee", "quantity": 10, "amount": "400.00"}]}`).want(201)
		a := h.do("GET", "/v1/members/ext:4711/challenges?lang=nb", "").want(200)
		if got := fmt.Sprint(a.get("items", 0, "value"), " ", a.get("items", 0, "missing"), " ", a.get("items", 0, "won"), " ", a.get("items", 0, "text")); got != "1 8 1 «Tiende kaffe gratis»: nå har du 1 av 9, og det mangler 8." {
			t.Error(got)
		}
		a = h.do("GET", "/v1/members/ext:4711/grants", "").want(200)
		if got := fmt.Sprint(a.get("items", 0, "grant"), a.get("items", 0, "reward"), a.get("items", 0, "source"), a.get("items", 0, "left"), a.get("items", 0, "status")); got != "1coffeechallenge:coffee-card1open" {
			t.Error(got)
		}
		r := h.do("POST", "/v1/redemptions", `{"member": "ext:4711", "reward": "coffee", "grant": 1, "commit": true}`).want(201)
		if got := fmt.Sprint(r.get("redemptions", 0, "price"), r.get("redemptions", 0, "grants", 0)); got != "map[] 1" {
			t.Error(got)
		}
		if items, _ := h.do("GET", "/v1/members/ext:4711/grants", "").want(200).get("items").([]any); len(items) != 0 {
			t.Errorf("%d grants are left", len(items))
		}
		h.do("POST", "/v1/members/ext:4711/grants", `{"reward": "coffee", "reason": "Waited"}`).want(201)
		h.do("POST", "/v1/members/ext:4711/grants/2/take-back", `{"reason": "Mistake"}`).want(201)
		h.do("POST", "/v1/members/ext:4711/grants/2/take-back", `{"reason": "Mistake"}`).want(404)
		h.do("POST", "/v1/members/ext:4711/grants", `{"reward": "coffee"}`).want(422)
		adj := h.do("POST", "/v1/adjustments", `{"member": "ext:4711", "challenge": "coffee-card", "amount": "3", "reason": "Paper card"}`).want(201)
		h.do("POST", "/v1/adjustments/"+adj.text("id")+"/reverse", `{}`).want(409)
	})
}

// A benefit is given by hand like a reward, as the program's own grants are.
func TestABenefitIsGivenByHand(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{})
		h.do("POST", "/v1/members", `{"external_id": "4711"}`).want(201)
		has := func() any {
			return h.do("GET", "/v1/members/ext:4711/benefits/plus_discount", "").want(200).get("available")
		}
		if has() != false {
			t.Error("it may be had without a plan")
		}
		h.do("POST", "/v1/members/ext:4711/grants", `{"benefit": "plus_discount", "uses": 1, "reason": "The machine was broken"}`).want(201)
		h.do("GET", "/v1/members/ext:4711/grants", "").want(200).is("plus_discount", "items", 0, "benefit")
		if has() != true {
			t.Error("what was given may not be had")
		}
		h.do("POST", "/v1/members/ext:4711/grants", `{"benefit": "plus_discount", "reward": "coffee", "reason": "both"}`).refused(422, "invalid_grant", "/benefit")
		h.do("POST", "/v1/members/ext:4711/grants", `{"benefit": "nothing", "reason": "none"}`).refused(422, "invalid_grant", "/benefit")
		h.prove()
	})
}
