package api

import (
	"strings"
	"sync"
	"testing"

	"lojal.dev/lojal/internal/code"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/key"
)

// issue gives codes of a coupon with their ids.
func (h *house) issue(coupon, batch string, count string) (codes, ids []string) {
	h.t.Helper()
	a := h.do("POST", "/v1/coupons/batches", `{"batch": "`+batch+`", "coupon": "`+coupon+`", "count": `+count+`}`).want(201)
	for i := range a.get("codes").([]any) {
		codes, ids = append(codes, a.text("codes", i, "code")), append(ids, a.text("codes", i, "id"))
	}
	return codes, ids
}

func TestAWordIsUsedByMembers(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{})
		h.enrol("m")
		use := func(typed, rest string, head ...string) *answer {
			return h.do("POST", "/v1/coupons/use", `{"code": "`+typed+`", "total": "199.95"`+rest+`}`, head...)
		}
		use("summer-10", "").refused(422, "member_required", "/member")
		h.do("POST", "/v1/codes/check", `{"code": "SUMMER10", "total": "200.00"}`).want(200).is(false, "codes", 0, "usable").is("member_required", "codes", 0, "reason")
		h.do("POST", "/v1/codes/check", `{"code": "SUMMER10", "member": "ext:m", "total": "200.00"}`).want(200).is(true, "codes", 0, "usable").is("20.00", "codes", 0, "amount").is("180.00", "total").is("summer", "codes", 0, "coupon")
		first := use("summer 10", `, "member": "ext:m", "source": "till", "external_id": "1"`, "Idempotency-Key", "k").want(201).is("20.00", "coupon", "amount").text("id")
		use("summer 10", `, "member": "ext:m", "source": "till", "external_id": "1"`, "Idempotency-Key", "k").want(201).is(first, "id")
		use("summer 10", `, "member": "ext:m", "source": "till", "external_id": "1"`).want(200).is(true, "duplicate")
		use("Summer10", `, "member": "ext:m"`).want(201)
		use("Summer10", `, "member": "ext:m"`).refused(409, "limit_reached")
		h.do("POST", "/v1/codes/check", `{"code": "SUMMER10", "member": "ext:m"}`).want(200).is("limit_reached", "codes", 0, "reason")
		h.do("POST", "/v1/coupons/uses/"+first+"/undo", `{"reason": "The goods came back"}`).want(201).is(true, "coupon", "undone")
		h.do("POST", "/v1/coupons/uses/"+first+"/undo", `{}`).refused(409, "undone_already")
		use("Summer10", `, "member": "ext:m"`).want(201)
		use("WINTER10", `, "member": "ext:m"`).refused(404, "code_unknown")
		h.prove()
	})
}

func TestACodeOfACouponIsForWhoeverHasIt(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{})
		codes, ids := h.issue("sorry", "a", "3")
		again := h.do("POST", "/v1/coupons/batches", `{"batch": "a", "coupon": "sorry", "count": 3}`, "Idempotency-Key", "k").want(201)
		for range 2 {
			again.is(ids[0], "codes", 0, "id").is(nil, "codes", 0, "code")
			again = h.do("POST", "/v1/coupons/batches", `{"batch": "a", "coupon": "sorry", "count": 3}`, "Idempotency-Key", "k").want(201)
		}
		h.do("POST", "/v1/coupons/batches", `{"batch": "a", "coupon": "lone", "count": 3}`).refused(409, "batch_known")
		h.do("POST", "/v1/coupons/batches", `{"batch": "b", "coupon": "summer", "count": 0}`).refused(422, "invalid_batch", "/coupon", "/count")

		use := func(i int, rest string) *answer {
			return h.do("POST", "/v1/coupons/use", `{"code": "`+strings.ToLower(codes[i])+`", "total": "80.00"`+rest+`}`)
		}
		var mu sync.Mutex
		got := map[int]int{}
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				a := use(0, "")
				mu.Lock()
				got[a.code]++
				mu.Unlock()
			})
		}
		all.Wait()
		if got[201] != 2 || got[409] != 18 {
			t.Errorf("the answers are %v", got)
		}
		use(0, "").refused(409, "coupon_used")

		lone, _ := h.issue("lone", "b", "1")
		use(1, `, "with": [{"code": "`+lone[0]+`"}]`).refused(409, "voucher_alone")
		use(1, `, "with": [{"code": "`+codes[1]+`"}]`).refused(409, "voucher_twice")
		use(1, `, "with": [{"code": "SUMMER10"}, {"code": "`+codes[2]+`"}]`).want(201).is("50.00", "coupon", "amount").is("sorry", "coupon", "coupon")
		check := h.do("POST", "/v1/codes/check", `{"codes": [{"code": "`+codes[1]+`"}, {"code": "`+codes[1]+`"}, {"code": "`+lone[0]+`"}], "total": "80.00"}`).want(200)
		check.is("50.00", "codes", 0, "amount").is("voucher_twice", "codes", 1, "reason").is("voucher_alone", "codes", 2, "reason").is("30.00", "total")

		h.do("POST", "/v1/coupons/"+ids[1]+"/status", `{"to": "blocked"}`).want(201)
		use(1, "").refused(403, "coupon_blocked")
		h.do("POST", "/v1/coupons/"+ids[1]+"/status", `{"to": "active"}`).want(201)
		use(1, "").want(201)
		list := h.do("GET", "/v1/coupons?batch=a", "").want(200)
		if n := len(list.items()); n != 3 || list.get("items", 0, "code") != nil {
			t.Errorf("the batch is %s", list.raw)
		}
		for range 2 { // under its key it is told as it was
			h.do("POST", "/v1/coupons/batches/a/cancel", `{"reason": "test"}`, "Idempotency-Key", "off").want(200).is(3, "cancelled")
		}
		h.do("POST", "/v1/coupons/batches/a/cancel", `{"reason": "another"}`, "Idempotency-Key", "off").refused(422, "idempotency_key_reused")
		h.do("POST", "/v1/coupons/batches/a/cancel", "").want(200).is(0, "cancelled")
		use(2, "").refused(409, "coupon_void")

		members := h.key("kaffebaren", "members:read")
		if a := h.as(members, "GET", "/v1/members/"+ids[0], ""); a.code != 404 && a.code != 400 {
			t.Errorf("a code is a member: %s", a.raw)
		}
		for _, table := range []string{"facts", "postings", "accounts", "idempotency", "codes", "audit", "event_line"} {
			for _, c := range append(codes, lone...) {
				n, _ := code.Normal(c)
				if text := h.everything(table); strings.Contains(text, c) || strings.Contains(text, n) {
					t.Errorf("%s holds a code", table)
				}
			}
		}
		h.as(h.key("kaffebaren", key.Admin), "POST", "/v1/coupons/use", `{"code": "`+code.Draw()+`", "total": "80.00"}`).refused(404, "code_unknown")
		h.prove()
	})
}
