package api

import (
	"testing"
	"time"
)

func TestBenefits(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.enrol("1")
		h.do("POST", "/v1/purchases", `{"member": "ext:1", "amount": "2770.00"}`).want(201)
		one := "/v1/members/ext:1/benefits/free_refill"
		h.do("GET", one+"?lang=nb&audience=staff", "").want(200).is("Det mangler 230,00\u00a0kr til Gull.", "why", 0)
		h.do("GET", one+"?lang=nb", "").want(200).is(false, "available").is("not_granted", "reason").
			is("club/gold", "missing", 0, "tier").is("Gull", "missing", 0, "tier_name").is("230.00", "missing", 0, "amount").is("230,00\u00a0kr til Gull.", "why", 0)
		h.do("POST", one+"/uses", `{}`).refused(409, "benefit_not_available")
		h.do("POST", "/v1/purchases", `{"member": "ext:1", "amount": "230.00"}`).want(201)
		h.do("GET", one, "").want(200).is(true, "available").is("1 day", "value", "ahead").is(4, "left").is("club/gold", "tiers", 0).is(nil, "reason")
		h.do("GET", one+"?opens=2026-11-23T11:59:00Z", "").want(200).is(true, "available").is("2026-11-22T12:59:00+01:00", "opens_at")
		h.do("GET", one+"?opens=2026-11-23T12:01:00Z", "").want(200).is(false, "available").is("not_open", "reason").is("2026-11-22T13:01:00+01:00", "opens_at")
		h.do("GET", one+"?opens=soon", "").refused(400, "invalid_parameter", "opens")
		h.do("GET", "/v1/members/ext:1/benefits/sauna", "").refused(404, "benefit_not_found")
		h.do("GET", "/v1/members/ext:9/benefits", "").refused(404, "member_not_found")

		used := h.do("POST", one+"/uses", `{"source": "till", "external_id": "7"}`).want(201).is("use", "kind")
		h.do("POST", one+"/uses", `{"source": "till", "external_id": "7"}`).want(200).is(true, "duplicate").is(used.text("id"), "id")
		h.do("GET", one, "").want(200).is(3, "left")
		again := h.do("POST", one+"/uses", `{}`, "Idempotency-Key", "door-1").want(201)
		if h.do("POST", one+"/uses", `{}`, "Idempotency-Key", "door-1").want(201).text("id") != again.text("id") {
			t.Error("a repetition under the same key counted again")
		}
		h.do("GET", one, "").want(200).is(2, "left")
		h.do("POST", "/v1/batches", `{"facts": [{"use": {"member": "ext:1", "benefit": "free_refill"}}, {"use": {"member": "ext:1", "benefit": "free_refill"}}, {"use": {"member": "ext:1", "benefit": "free_refill"}}, {"use": {"member": "ext:1", "benefit": "sauna"}}]}`).
			want(200).is(2, "recorded").is(2, "failed").is("benefit_not_available", "results", 2, "problem", "reason").is("/use/benefit", "results", 3, "problem", "errors", 0, "pointer")
		h.do("GET", one, "").want(200).is("limit_reached", "reason").is("2026-12-01T00:00:00+01:00", "from").is(0, "left")

		undo := "/v1/benefits/uses/" + used.text("id") + "/undo"
		h.do("POST", undo+"?lang=nb&include=explanation", `{"reason": "Called off"}`).want(201).is("use", "kind")
		h.do("POST", undo, "").refused(409, "undone_already")
		h.do("GET", one, "").want(200).is(true, "available").is(1, "left")
		h.do("POST", "/v1/benefits/uses/nothing/undo", "").want(404)

		reader := h.key("kaffebaren", "benefits:read")
		h.as(reader, "POST", undo, "").refused(403, "scope_missing")
		h.as(reader, "GET", one, "").want(200)
		h.as(reader, "POST", one+"/uses", `{}`).refused(403, "scope_missing")
		h.as(h.key("kaffebaren", "members:read"), "GET", one, "").refused(403, "scope_missing")
	})
}

func TestPlans(t *testing.T) {
	each(t, func(_ *testing.T, h *house) {
		h.enrol("1")
		discount := "/v1/members/ext:1/benefits/plus_discount"
		h.do("GET", discount, "").want(200).is(false, "available").is("plus", "missing", 0, "plan")
		h.do("GET", "/v1/members/ext:1/plans", "").want(200).is("none", "items", 0, "status").is(true, "items", 0, "trial").is("99.00", "items", 0, "price")
		h.do("POST", "/v1/plan-events", `{"plan": "plus", "what": "started"}`).refused(422, "invalid_body", "/member")
		h.do("POST", "/v1/plan-events", `{"member": "ext:1", "plan": "minus", "what": "begun"}`).refused(422, "invalid_plan", "/plan", "/what")
		h.do("POST", "/v1/plan-events", `{"member": "ext:1", "plan": "plus", "what": "paid"}`).refused(409, "plan_not_running")
		h.do("POST", "/v1/plan-events", `{"member": "ext:1", "plan": "plus", "what": "started", "source": "billing", "external_id": "s1"}`).want(201)
		h.do("GET", "/v1/members/ext:1/plans", "").want(200).is("trial", "items", 0, "status").is("2026-12-06T13:00:00+01:00", "items", 0, "until")
		h.do("GET", discount, "").want(200).is(true, "available").is("10", "value", "percent").is("plus", "plans", 0)
		const paid = `{"member": "ext:1", "plan": "plus", "what": "paid", "source": "billing", "external_id": "inv-1", "until": "2027-01-06T12:00:00Z"}`
		first := h.do("POST", "/v1/plan-events", paid).want(201)
		h.do("POST", "/v1/plan-events", paid).want(200).is(true, "duplicate").is(first.text("id"), "id")
		h.do("GET", "/v1/members/ext:1/plans", "").want(200).is("active", "items", 0, "status").is("2027-01-06T13:00:00+01:00", "items", 0, "until").is(false, "items", 0, "trial")
		h.do("POST", "/v1/simulations", `{"facts": [{"plan": {"member": "ext:1", "plan": "plus", "what": "cancelled"}}]}`).want(200).is("plan", "results", 0, "result", "kind")
		h.do("GET", "/v1/members/ext:1/plans", "").want(200).is(nil, "items", 0, "cancelled")
		h.pass(46 * 24 * time.Hour) // 7 January: into the grace
		h.do("GET", "/v1/members/ext:1/plans", "").want(200).is("grace", "items", 0, "status").is("2027-01-13T13:00:00+01:00", "items", 0, "until")
		h.do("GET", discount, "").want(200).is(true, "available").is("2027-01-13T13:00:00+01:00", "until")
		h.pass(7 * 24 * time.Hour)
		h.do("GET", "/v1/members/ext:1/plans", "").want(200).is("ended", "items", 0, "status").is("unpaid", "items", 0, "ended_by")
		h.do("GET", discount, "").want(200).is("not_granted", "reason")
		h.as(h.key("kaffebaren", "plans:read"), "POST", "/v1/plan-events", paid).refused(403, "scope_missing")
	})
}
