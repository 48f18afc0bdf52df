package api

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3filter"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/verify"
	"lojal.dev/lojal/internal/web"
)

// The statement as PDF is not looked into by the document's schema.
var _ = func() bool {
	openapi3filter.RegisterBodyDecoder("application/pdf", openapi3filter.FileBodyDecoder)
	openapi3filter.RegisterBodyDecoder("application/vnd.apple.pkpass", openapi3filter.FileBodyDecoder)
	return true
}()

// A partner's key does what the partner may, sees what is its own, and nothing else.
func TestAPartnersKeyIsForThePartner(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.do("POST", "/v1/members", `{"external_id": "4711", "given_name": "Kari", "email": "kari@example.org"}`).want(201)
		h.do("POST", "/v1/adjustments", `{"member": "ext:4711", "unit": "star", "amount": "100", "reason": "Opening"}`).want(201)
		h.do("POST", "/v1/keys", `{"name": "Hotel", "partner": "hotel", "scopes": ["awards:write", "members:read"]}`).refused(422, "invalid_key")
		h.do("POST", "/v1/keys", `{"name": "Hotel", "partner": "station", "scopes": ["awards:write"]}`).refused(422, "invalid_key")
		hotel := h.do("POST", "/v1/keys", `{"name": "Hotel", "partner": "hotel", "scopes": ["awards:write", "partners:read"]}`).want(201).text("secret")
		a := h.as(hotel, "POST", "/v1/partners/hotel/awards", `{"member": "ext:4711", "unit": "star", "amount": "40", "external_id": "stay-1"}`).want(201)
		for _, hidden := range []string{"balances", "tier_changes", "facts"} {
			if a.get(hidden) != nil {
				t.Errorf("a partner is told %s: %s", hidden, a.raw)
			}
		}
		h.as(hotel, "POST", "/v1/partners/hotel/awards", `{"member": "ext:4711", "unit": "star", "amount": "40", "external_id": "stay-1"}`).want(200)
		h.as(hotel, "POST", "/v1/partners/airport/awards", `{"member": "ext:4711", "unit": "star", "amount": "1", "external_id": "x"}`).refused(404, "partner_not_found")
		h.as(hotel, "GET", "/v1/partners/airport/statements/2026-11", "").refused(404, "partner_not_found")
		h.as(hotel, "GET", "/v1/partners/airport/statements/2026-11/csv", "").want(404)
		h.as(hotel, "GET", "/v1/partners/airport/statements/2026-11/pdf", "").want(404)
		if n := len(h.as(hotel, "GET", "/v1/partners", "").want(200).get("items").([]any)); n != 1 {
			t.Errorf("a partner sees %d partners", n)
		}
		for _, path := range []string{"/v1/members/ext:4711", "/v1/events", "/v1/keys", "/v1/members/ext:4711/balances", "/v1/program"} {
			h.as(hotel, "GET", path, "").refused(403, "scope_missing")
		}
		h.as(hotel, "POST", "/v1/partners/hotel/settlements", `{"reference": "self-service", "amount": "1000000.00"}`).want(403)
		who := h.as(hotel, "GET", "/v1/partners/hotel/members/ext:4711", "").want(200)
		if who.text("spendable", "star") != "145" || who.get("email") != nil || who.get("given_name") != nil {
			t.Errorf("a partner is told of a member: %s", who.raw)
		}
		// What a tier brings has its own condition beside it, and a use that is used up is no benefit now.
		if n := len(who.get("benefits").([]any)); n != 0 {
			t.Errorf("a partner is told of benefits that the member does not have: %s", who.raw)
		}
		h.do("POST", "/v1/purchases", `{"member": "ext:4711", "amount": "3000.00"}`).want(201)
		h.as(hotel, "GET", "/v1/partners/hotel/members/ext:4711", "").want(200).is("free_refill", "benefits", 0)
		for range 4 {
			h.do("POST", "/v1/members/ext:4711/benefits/free_refill/uses", `{}`).want(201)
		}
		h.as(hotel, "GET", "/v1/partners/hotel/members/ext:4711", "").want(200).is(nil, "benefits", 0)
		// A till cannot take the partner's numbers.
		h.do("POST", "/v1/purchases", `{"member": "ext:4711", "source": "partner:hotel", "external_id": "stay-2", "amount": "5.00"}`).refused(422, "reserved_source")
	})
}

// That a partner's award lifted a member to a tier, which gave something more, is nothing to the partner: not in the answer, nor in that to
// the same again, under an Idempotency-Key or not, nor when it is taken back.
func TestAPartnerIsToldOfItsOwnAwardAlone(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.pass(time.Second)
		h.publish(strings.NewReplacer("by: {sum: spend, window: rolling 12 months}", "by: {sum: star, window: rolling 12 months}", "from: 3000.00", "from: 40",
			"earn:\n", "earn:\n  - {id: up, on: \"tier:club/gold\", give: {unit: mile, amount: 7}}\n").Replace(coffee))
		h.do("POST", "/v1/members", `{"external_id": "4711"}`).want(201)
		hotel := h.do("POST", "/v1/keys", `{"name": "Hotel", "partner": "hotel", "scopes": ["awards:write", "partners:read"]}`).want(201).text("secret")
		only := func(a *answer, amounts ...string) {
			t.Helper()
			told := []string{"id", "kind", "member", "source", "external_id", "occurred_at", "recorded_at", "parent", "version", "duplicate", "summary", "earned"}
			for field := range a.body.(map[string]any) {
				if !slices.Contains(told, field) && field != amounts[0] {
					t.Errorf("a partner is told %s: %s", field, a.raw)
				}
			}
			if !strings.Contains(a.text("summary"), "Harbour Hotel") || strings.Contains(a.text("summary"), "mile") || amounts[0] != "earned" && len(a.get("earned").(map[string]any)) != 0 {
				t.Errorf("a partner is told %s", a.raw)
			}
			if own := a.get(amounts[0]).(map[string]any); len(own) != 1 || own["star"] != amounts[1] {
				t.Errorf("of its own a partner is told %v", own)
			}
		}
		stay := `{"member": "ext:4711", "unit": "star", "amount": "40", "external_id": "stay-1"}`
		first := h.as(hotel, "POST", "/v1/partners/hotel/awards", stay, "Idempotency-Key", "k1").want(201)
		only(first, "earned", "40")
		if staff := h.do("GET", "/v1/facts/"+first.text("id"), "").want(200); !strings.Contains(string(staff.raw), "mile") {
			t.Fatalf("it lifted the member to nothing: %s", staff.raw)
		}
		only(h.as(hotel, "POST", "/v1/partners/hotel/awards", stay, "Idempotency-Key", "k1").want(201), "earned", "40")
		only(h.as(hotel, "POST", "/v1/partners/hotel/awards", stay).want(200), "earned", "40")
		only(h.as(hotel, "POST", "/v1/partners/hotel/payments", `{"member": "ext:4711", "unit": "star", "amount": "10", "external_id": "bar"}`).want(201), "spent", "10")
		only(h.as(hotel, "POST", "/v1/partners/hotel/undo", `{"fact": "bar"}`).want(201), "given_back", "10")
		only(h.as(hotel, "POST", "/v1/partners/hotel/undo", `{"fact": "stay-1"}`).want(201), "taken_back", "40")
	})
}

// A statement that cannot be read to its end is no bill: nothing of it is sent. What was sent while it was read stood in it twice where
// the database had it read again.
func TestAStatementIsSentWholeOrNotAtAll(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.do("POST", "/v1/members", `{"external_id": "4711"}`).want(201)
		csv := "/v1/partners/hotel/statements/" + h.clock().Format("2006-01") + "/csv"
		for _, n := range []string{"a", "b"} {
			h.do("POST", "/v1/partners/hotel/awards", `{"member": "ext:4711", "unit": "star", "amount": "5", "external_id": "`+n+`"}`).want(201)
			h.pass(time.Second)
		}
		if rows := strings.Count(string(h.do("GET", csv, "").want(200).raw), "\n"); rows != 3 {
			t.Errorf("%d lines", rows)
		}
		err := h.d.Write(t.Context(), func(tx *db.Tx) error {
			_, err := tx.Exec(t.Context(), `UPDATE postings SET rule = 'price:broken' WHERE unit = 'star' AND from_account = 'partner:hotel' AND seq = (SELECT MAX(seq) FROM postings WHERE from_account = 'partner:hotel')`)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		req := httptest.NewRequest(http.MethodGet, csv, http.NoBody).WithContext(t.Context()) // by hand: a 500 fails the test elsewhere
		req.Header.Set("Authorization", "Bearer "+h.secret)
		w := httptest.NewRecorder()
		if h.srv.ServeHTTP(w, req); w.Code != 500 || strings.Contains(w.Body.String(), "recorded_at") {
			t.Errorf("it is sent in part: %d %s", w.Code, w.Body)
		}
	})
}

// A fact that was begun before midnight may be there a moment after it: until then the month is not said to be over.
func TestAMonthIsOverAMomentAfterItsEnd(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		end := time.Date(2026, 12, 1, 0, 0, 0, 0, mustZone(t, "Europe/Oslo"))
		h.pass(end.Sub(h.clock()))
		over := func() any { return h.do("GET", "/v1/partners/hotel/statements/2026-11", "").want(200).get("over") }
		if over() != false {
			t.Error("the month is over at midnight")
		}
		if h.pass(61 * time.Second); over() != true {
			t.Error("the month is not over")
		}
	})
}

func mustZone(t *testing.T, name string) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// The statement, its CSV and the postings say the same.
func TestAStatementAddsUpToThePostings(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.do("POST", "/v1/members", `{"external_id": "4711"}`).want(201)
		at := func(what, body string) *answer { return h.do("POST", "/v1/partners/hotel/"+what, body).want(201) }
		at("awards", `{"member": "ext:4711", "unit": "star", "amount": "500", "external_id": "a"}`)
		at("awards", `{"member": "ext:4711", "unit": "star", "amount": "77", "external_id": "b"}`)
		at("payments", `{"member": "ext:4711", "unit": "star", "amount": "33", "external_id": "c"}`)
		at("undo", `{"fact": "b"}`)
		at("payments", `{"member": "ext:4711", "unit": "star", "amount": "10", "external_id": "d"}`)
		at("undo", `{"fact": "d"}`)
		h.do("POST", "/v1/partners/hotel/undo", `{"fact": "d"}`).refused(409, "undone_already")
		at("settlements", `{"reference": "bank-1", "amount": "100.00"}`)
		h.do("POST", "/v1/partners/hotel/settlements", `{"reference": "bank-1", "amount": "100.00"}`).want(201)
		h.do("POST", "/v1/partners/hotel/settlements", `{"reference": "bank-1", "amount": "99.00"}`).refused(409, "duplicate_reference")
		month := h.clock().Format("2006-01")
		s := h.do("GET", "/v1/partners/hotel/statements/"+month, "").want(200)
		// 500 × 0.60 − 33 × 0.40 = 286.80, of which 100 is paid.
		for field, want := range map[string]string{"opening": "0.00", "billed": "286.80", "paid": "100.00", "closing": "186.80", "due": "186.80"} {
			if got := s.text(field); got != want {
				t.Errorf("%s is %s, want %s", field, got, want)
			}
		}
		if s.get("over") != false || len(s.get("sums").([]any)) != 4 {
			t.Errorf("the statement is %s", s.raw)
		}
		rows, err := csv.NewReader(bytes.NewReader(h.do("GET", "/v1/partners/hotel/statements/"+month+"/csv", "").want(200).raw)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		var sum int64
		for _, row := range rows[1:] {
			m, err := money.Parse(row[8])
			if err != nil {
				t.Fatal(err)
			}
			n, err := m.Minor(6)
			if err != nil {
				t.Fatal(err)
			}
			sum += n
		}
		if len(rows) < 7 || sum != 286_800_000 {
			t.Errorf("the rows come to %d in %d rows: %v", sum, len(rows), rows)
		}
		pdf := h.do("GET", "/v1/partners/hotel/statements/"+month+"/pdf?lang=nb", "").want(200).raw
		again := h.do("GET", "/v1/partners/hotel/statements/"+month+"/pdf?lang=nb", "").want(200).raw
		if !strings.HasPrefix(string(pdf), "%PDF-1.") || !bytes.Equal(pdf, again) {
			t.Errorf("the PDF begins with %q", pdf[:min(20, len(pdf))])
		}
		h.do("GET", "/v1/partners/hotel/statements/2026-13", "").refused(404, "month_not_found")
		next := h.clock().AddDate(0, 1, 0).Format("2006-01")
		if got := h.do("GET", "/v1/partners/hotel/statements/"+next, "").want(200).text("opening"); got != "186.80" {
			t.Errorf("%s is carried over", got)
		}
		report, err := verify.Run(t.Context(), h.d, h.vs, "kaffebaren", verify.Options{})
		if err == nil {
			err = report.Err()
		}
		if err != nil {
			t.Error(err)
		}
	})
}

// Who may name members one after the other learns which phone numbers are members'.
func TestAPartnerWhoGuessesAtMembersIsToldToWait(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{PartnerMisses: web.Rate{Burst: 6, Window: 10 * time.Minute}})
		h.enrol("4711")
		hotel := h.do("POST", "/v1/keys", `{"name": "Hotel", "partner": "hotel", "scopes": ["awards:write", "partners:read"]}`).want(201).text("secret")
		award := func(ref string, n int) *answer {
			return h.as(hotel, "POST", "/v1/partners/hotel/awards", fmt.Sprintf(`{"member": "ext:%s", "unit": "star", "amount": "1", "external_id": "stay-%d"}`, ref, n))
		}
		for i := range 3 {
			award("4711", 100+i).want(201) // who is a member does not count
			h.as(hotel, "GET", fmt.Sprintf("/v1/partners/hotel/members/ext:%d", i), "").refused(404, "member_not_found")
			award(fmt.Sprint(i), i).refused(404, "member_not_found")
		}
		h.as(hotel, "GET", "/v1/partners/hotel/members/ext:4711", "").refused(429, "too_many_members")
		award("4711", 1000).refused(429, "too_many_members")
		h.do("GET", "/v1/partners/hotel/members/ext:4711", "").want(200) // staff are not held up by the partner
		h.pass(11 * time.Minute)
		h.as(hotel, "GET", "/v1/partners/hotel/members/ext:4711", "").want(200)
		award("4711", 1000).want(201)
	})
}
