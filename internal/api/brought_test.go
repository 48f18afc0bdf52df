package api

import (
	"strings"
	"testing"

	"lojal.dev/lojal/internal/code"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
)

func TestCodesAreUsedWithAPurchase(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{})
		h.enrol("m")
		codes, _ := h.issue("sorry", "a", "1")
		h.do("POST", "/v1/coupons/use", `{"code": "`+codes[0]+`", "total": "80.00"}`).want(201) // it can be used twice
		body := func(receipt, list string) string {
			return `{"member": "ext:m", "source": "till", "external_id": "` + receipt + `", "lines": [{"id": "a", "amount": "150.00"}, {"id": "b", "amount": "50.00"}], "codes": [` + list + `]}`
		}
		both := `{"code": "summer 10"}, {"code": "` + strings.ToLower(codes[0]) + `"}`

		try := h.do("POST", "/v1/simulations", `{"facts": [{"purchase": `+body("1", both)+`}]}`).want(200)
		try.is("70.00", "results", 0, "result", "off").is("20.00", "results", 0, "result", "codes", 0, "amount").is("sorry", "results", 0, "result", "codes", 1, "coupon")

		h.do("POST", "/v1/purchases", body("1", both+`, {"code": "`+code.Draw()+`"}, {"code": "`+codes[0]+`", "benefit": "x"}`)).refused(404, "code_unknown", "/codes/2", "/codes/3")
		h.do("POST", "/v1/purchases", body("1", both+`, {"code": "`+codes[0]+`"}`)).refused(409, "coupon_used", "/codes/2")
		h.do("POST", "/v1/batches", `{"facts": [{"purchase": `+body("1", `{"code": "`+codes[0]+`", "use": "fct_x"}`)+`}]}`).want(200).is("invalid_code", "results", 0, "problem", "reason")
		h.do("POST", "/v1/purchases", `{"amount": "200.00", "codes": [`+both+`]}`).refused(422, "member_required")

		a := h.do("POST", "/v1/purchases", body("1", both), "Idempotency-Key", "k").want(201).is("70.00", "off").is("50.00", "codes", 1, "amount")
		id := a.text("id")
		h.do("POST", "/v1/purchases", body("1", both), "Idempotency-Key", "k").want(201).is(id, "id")
		h.do("POST", "/v1/purchases", body("1", both)).want(200).is(id, "id").is(true, "duplicate")
		h.do("POST", "/v1/purchases", body("2", both)).refused(409, "coupon_used", "/codes/1")
		h.do("GET", "/v1/purchases/"+id, "").want(200).is("50.00", "purchase", "codes", 1, "amount").is(nil, "purchase", "codes", 1, "code")

		use := a.text("codes", 0, "use")
		h.do("POST", "/v1/coupons/uses/"+use+"/undo", `{}`).refused(409, "used_with_purchase")
		h.do("POST", "/v1/purchases/"+id+"/returns", `{"lines": [{"line": "a"}]}`).want(201)
		h.do("POST", "/v1/purchases", body("2", `{"code": "`+codes[0]+`"}`)).refused(409, "coupon_used")
		h.do("POST", "/v1/purchases/"+id+"/returns", `{}`).want(201)
		h.follow()
		h.do("POST", "/v1/purchases", body("2", both)).want(201).is("70.00", "off")
		for _, table := range []string{"facts", "idempotency", "audit"} {
			n, _ := code.Normal(codes[0])
			if text := h.everything(table); strings.Contains(strings.ToUpper(text), n) || strings.Contains(text, "summer 10") {
				t.Errorf("%s holds a code", table)
			}
		}
		h.prove()
	})
}
