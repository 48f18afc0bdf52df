package api

import (
	"bytes"
	"encoding/csv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3filter"

	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/verify"
)

// The statement as PDF is not looked into by the document's schema.
var _ = func() bool {
	openapi3filter.RegisterBodyDecoder("application/pdf", openapi3filter.FileBodyDecoder)
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
		// A till cannot take the partner's numbers.
		h.do("POST", "/v1/purchases", `{"member": "ext:4711", "source": "partner:hotel", "external_id": "stay-2", "amount": "5.00"}`).refused(422, "reserved_source")
	})
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
