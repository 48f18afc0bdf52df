package api

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
)

// The redemptions of all members are listed from the newest back, each once, wherever it was made, by what it stands at, and page by page.
func TestRedemptionsOfAllMembers(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{})
		for _, ref := range []string{"4711", "4712"} {
			h.enrol(ref)
			h.do("POST", "/v1/adjustments", `{"member": "ext:`+ref+`", "unit": "star", "amount": "400", "reason": "test"}`).want(201)
		}
		buy := func(ref, rest string) string {
			t.Helper()
			return h.do("POST", "/v1/redemptions", `{"member": "ext:`+ref+`", `+rest+`}`).want(201).text("redemptions", 0, "id")
		}
		coffee := buy("4711", `"reward": "coffee", "commit": true`)
		held := buy("4712", `"reward": "parcel", "option": 2`)
		h.do("POST", "/v1/redemptions/"+held+"/commit", `{"money": "49.00"}`).want(201)
		waits := buy("4711", `"reward": "coffee"`)
		gone := buy("4711", `"reward": "coffee"`)
		h.do("POST", "/v1/redemptions/"+gone+"/cancel", `{}`).want(201)
		at := h.do("POST", "/v1/purchases", `{"member": "ext:4712", "source": "till", "external_id": "R-1", "lines": [{"amount": "100.00"}], "spend": [{"reward": "coffee"}]}`)
		bought := at.want(201).text("redemptions", 0, "id")
		card := h.do("POST", "/v1/gift-cards", `{"amount": "100.00"}`).want(201).text("code")
		h.do("POST", "/v1/gift-cards/pay", `{"code": "`+card+`", "amount": "10.00"}`).want(201) // no reward, so none of these

		ids := func(query string) (out []string) {
			t.Helper()
			for cursor := ""; ; {
				page := h.do("GET", "/v1/redemptions?"+query+"&cursor="+url.QueryEscape(cursor), "").want(200)
				for _, one := range page.get("items").([]any) {
					out = append(out, one.(map[string]any)["id"].(string))
				}
				next, more := page.get("next_cursor").(string)
				if !more || next == "" {
					return out
				}
				cursor = next
			}
		}
		for _, c := range []struct {
			query string
			want  []string
		}{
			{"", []string{bought, gone, waits, held, coffee}}, {"limit=1", []string{bought, gone, waits, held, coffee}}, {"limit=2", []string{bought, gone, waits, held, coffee}},
			{"status=reserved", []string{waits}}, {"status=cancelled", []string{gone}}, {"status=to_hand", []string{held}}, {"reward=parcel", []string{held}},
			{"status=committed&reward=coffee", []string{bought, coffee}}, {"reward=film", nil},
		} {
			if got := ids(c.query); !slices.Equal(got, c.want) {
				t.Errorf("%s: %v, want %v", c.query, got, c.want)
			}
		}
		h.do("GET", "/v1/redemptions?status=to_hand", "").want(200).is("ordered", "items", 0, "fulfilment", "status")
		h.do("POST", "/v1/redemptions/"+held+"/fulfilment", `{"to": "delivered"}`).want(201)
		if got := ids("status=to_hand"); len(got) != 0 {
			t.Errorf("what is delivered waits to be handed over: %v", got)
		}
		h.do("GET", "/v1/redemptions?status=lost", "").refused(400, "invalid_parameter", "status")
	})
}

// A gift card is found by the end of its code, cards are listed from both ends, and a card tells its history.
func TestGiftCardsAreFoundAndTellTheirHistory(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{})
		first := h.do("POST", "/v1/gift-cards", `{"amount": "100.00"}`).want(201)
		second := h.do("POST", "/v1/gift-cards", `{"amount": "200.00"}`).want(201)
		one, two := first.text("id"), second.text("id")
		h.do("GET", "/v1/gift-cards?limit=1", "").want(200).is(one, "items", 0, "id")
		newest := h.do("GET", "/v1/gift-cards?limit=1&order=newest", "").want(200).is(two, "items", 0, "id")
		h.do("GET", "/v1/gift-cards?limit=1&order=newest&cursor="+url.QueryEscape(newest.text("next_cursor")), "").want(200).is(one, "items", 0, "id")
		h.do("GET", "/v1/gift-cards?order=size", "").refused(400, "invalid_parameter", "order")
		h.do("GET", "/v1/gift-cards?tail="+strings.ToLower(first.text("tail")), "").want(200).is(one, "items", 0, "id")
		h.do("POST", "/v1/gift-cards/"+one+"/code", "").want(201)
		if again := h.do("GET", "/v1/gift-cards?tail="+first.text("tail"), "").want(200); len(again.get("items").([]any)) != 0 {
			t.Errorf("a code that opens nothing any more finds its card: %s", again.raw)
		}
		h.do("POST", "/v1/gift-cards/pay", `{"code": "`+second.text("code")+`", "amount": "30.00"}`).want(201)
		h.do("GET", "/v1/gift-cards/"+two+"/facts?include=explanation", "").want(200).is("redeem", "items", 0, "kind").is("enrolment", "items", 1, "kind")
		h.do("GET", "/v1/gift-cards/"+strings.Replace(two, "gft_", "gft_0", 1)[:30]+"/facts", "").want(404)
		h.do("GET", "/v1/gift-cards/"+two+"/facts?include=all", "").refused(400, "invalid_parameter", "include")
	})
}

// Members are listed from both ends, each once.
func TestMembersAreListedNewestFirst(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{})
		for _, ref := range []string{"1", "2", "3"} {
			h.enrol(ref)
		}
		seen := map[string]int{}
		first := h.do("GET", "/v1/members?order=newest&limit=2", "").want(200).is("3", "items", 0, "external_id").is("2", "items", 1, "external_id")
		last := h.do("GET", "/v1/members?order=newest&limit=2&cursor="+url.QueryEscape(first.text("next_cursor")), "").want(200).is("1", "items", 0, "external_id")
		for _, page := range []*answer{first, last} {
			for _, one := range page.get("items").([]any) {
				seen[one.(map[string]any)["id"].(string)]++
			}
		}
		if len(seen) != 3 {
			t.Errorf("seen are %v", seen)
		}
		h.do("GET", "/v1/members?order=name", "").refused(400, "invalid_parameter", "order")
	})
}
