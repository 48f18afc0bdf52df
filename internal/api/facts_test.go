package api

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

const receipt = `{"member": "ext:1", "source": "till-1", "external_id": "R-1", "occurred_at": "2026-11-20T14:03:00+01:00", "store": "oslo",
	"lines": [{"id": "a", "category": "coffee", "quantity": 3, "unit_price": "50.00"}, {"id": "b", "sku": "T", "category": "tea", "amount": 42.50}]}`

func TestPurchases(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.enrol("1")
		a := h.do("POST", "/v1/purchases?include=explanation,balances,tiers", receipt).want(201)
		id := a.text("id")
		if !strings.HasPrefix(id, "pur_") || !strings.Contains(a.text("summary"), "19") {
			t.Errorf("%s", a.raw)
		}
		a.is("purchase", "kind").is("19", "earned", "star").is("24", "balances", "star", "balance").is("192.50", "tiers", "club", "value")
		a.is("2026-11-20T14:03:00+01:00", "occurred_at").is("2026-11-22T13:00:00+01:00", "recorded_at").is(true, "explanation", "rules", 0, "fired").is(1, "version")

		// The same receipt again, with another key or none: the first decision. With other content: a conflict.
		h.do("POST", "/v1/purchases", receipt, "Idempotency-Key", "another").want(200).is(true, "duplicate").is(id, "id").is("19", "earned", "star")
		h.do("POST", "/v1/purchases", strings.Replace(receipt, "42.50", "43", 1)).refused(409, "duplicate_external_id").is(id, "meta", "fact")
		h.do("PUT", "/v1/purchases/till-1/R%2F2", `{"member": "ext:1", "amount": "100"}`).want(201)
		h.do("PUT", "/v1/purchases/till-1/R%2F2", `{"member": "ext:1", "amount": "100"}`).want(200).is(true, "duplicate")

		for _, ref := range []string{id, "till-1:R-1", "till-1%2FR-1", "till-1/R-1"} {
			h.do("GET", "/v1/purchases/"+ref+"?include=explanation", "").want(200).is(id, "id").is("150.00", "lines", 0, "amount").is("3", "lines", 0, "quantity").is("42.50", "purchase", "lines", 1, "amount")
		}
		h.do("GET", "/v1/purchases/till-1:R%2F2", "").want(200).is("R/2", "external_id")
		for _, ref := range []string{"pur_01k9zjq3hfe1f8m6v7j0q3x5c4", "till-9:1", "till-1/none", "nonsense"} {
			h.do("GET", "/v1/purchases/"+ref, "").refused(404, "purchase_not_found")
		}

		nothing := h.do("POST", "/v1/purchases", `{"member": "ext:1", "amount": "9.99"}`).want(201)
		if nothing.get("earned", "star") != nil || nothing.get("why", 0) == nil {
			t.Errorf("nothing earned, and no word why: %s", nothing.raw)
		}
		guest := h.do("POST", "/v1/purchases", `{"amount": "100"}`).want(200).is(true, "guest").is(nil, "id")
		if guest.get("why", 0) == nil {
			t.Errorf("guest: %s", guest.raw)
		}
		before := h.count()
		h.do("POST", "/v1/purchases", `{"member": "ext:1", "currency": "EUR", "lines": [{"quantity": "0.0001", "amount": "1"}, {"amount": "1.005"}, {}], "discounts": [{"amount": "-1"}], "spend": [{"reward": "yacht"}]}`).
			refused(422, "invalid_purchase", "/currency", "/lines/0/quantity", "/spend/0/reward")
		h.do("POST", "/v1/purchases", `{"member": "ext:1", "amount": "100", "occurred_at": "2026-11-22T12:06:00Z"}`).refused(422, "in_the_future", "/occurred_at")
		h.do("POST", "/v1/purchases", `{"member": "ext:1", "amount": "100", "occurred_at": "1969-12-31T23:59:59Z"}`).refused(422, "too_long_ago", "/occurred_at")
		h.do("POST", "/v1/purchases", `{"member": "ext:nobody", "amount": "100"}`).want(404)
		if after := h.count(); after != before {
			t.Errorf("refused purchases left something: %+v, before %+v", after, before)
		}
	})
}

func TestReturns(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.enrol("1")
		h.do("POST", "/v1/purchases", receipt).want(201).is("19", "earned", "star")
		h.do("POST", "/v1/purchases/till-1:R-1/returns", `{"lines": [{"line": "a", "quantity": 1}], "source": "till-1", "external_id": "X-1"}`).want(201).is("5", "taken_back", "star")
		h.do("POST", "/v1/purchases/till-1:R-1/returns", `{"lines": [{"line": "a", "quantity": 1}], "source": "till-1", "external_id": "X-1"}`).want(200).is(true, "duplicate")
		got := h.do("GET", "/v1/purchases/till-1:R-1", "").want(200).is("1", "lines", 0, "returned_quantity").is("50.00", "lines", 0, "returned_amount")
		if n := len(got.get("returns").([]any)); n != 1 {
			t.Errorf("%d returns: %s", n, got.raw)
		}
		h.do("POST", "/v1/purchases/till-1:R-1/returns", `{"lines": [{"line": "a", "quantity": 9}, {"line": "z"}]}`).want(422)
		h.do("POST", "/v1/purchases/till-1:R-1/returns", "").want(201).is("14", "taken_back", "star")
		h.do("GET", "/v1/members/ext:1/balances", "").want(200).is("5", "balances", "star", "balance")
		h.do("GET", "/v1/purchases/till-1:R-1/returns", "").want(200).is("return", "items", 1, "kind")
		for _, ref := range []string{"till-1:R-9", "pur_01k9zjq3hfe1f8m6v7j0q3x5c4", "nonsense"} {
			h.do("POST", "/v1/purchases/"+ref+"/returns", "").want(404)
			h.do("GET", "/v1/purchases/"+ref+"/returns", "").want(404)
		}
	})
}

func TestActivities(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.enrol("1")
		h.do("POST", "/v1/activities", `{"member": "ext:1", "kind": "own_cup"}`).want(201).is("2", "earned", "star")
		again := h.do("POST", "/v1/activities?include=explanation&lang=nb", `{"member": "ext:1", "kind": "own_cup"}`).want(201)
		if again.get("earned", "star") != nil || again.text("explanation", "rules", 0, "why", "code") != "limit_reached" || again.get("why", 0) == nil {
			t.Errorf("the limit: %s", again.raw)
		}
		h.do("POST", "/v1/activities", `{"member": "ext:1", "kind": "survey", "properties": {"score": "7"}}`).want(201)
		h.do("POST", "/v1/activities", `{"member": "ext:1", "kind": "survey", "properties": {"score": "x"}}`).want(422)
		for _, properties := range []string{
			`{"score": 7, "weight": 4.50, "again": true, "remark": "fine"}`, `{"score": "7", "weight": "4.50", "again": "yes", "remark": "fine"}`,
		} { // the same content, so the second is the first again
			h.do("POST", "/v1/activities", `{"member": "ext:1", "source": "web", "external_id": "s1", "kind": "survey", "properties": `+properties+`}`)
		}
		kept := h.do("GET", "/v1/facts/web:s1", "").want(200)
		for name, want := range map[string]string{"score": "7", "weight": "4.50", "again": "yes", "remark": "fine"} {
			kept.is(want, "body", "activity", "properties", name)
		}
		if n := h.count().Facts; n != 5 { // an enrolment, two cups, two surveys
			t.Errorf("%d facts", n)
		}
		for _, bad := range []string{`1e3`, `1234567890123456789`, `null`, `{}`, `[1]`} {
			h.do("POST", "/v1/activities", `{"member": "ext:1", "kind": "survey", "properties": {"score": `+bad+`}}`).refused(422, "invalid_body", "/properties/score")
		}
		h.do("POST", "/v1/activities", `{"member": "ext:1", "kind": "survey", "properties": {"score": 7.5}}`).want(422)
		h.do("POST", "/v1/activities", `{"member": "ext:1", "kind": "dance"}`).want(422)
		h.do("POST", "/v1/activities", `{"kind": "own_cup"}`).refused(422, "invalid_body", "/member")
		h.do("POST", "/v1/activities", `{"member": "shoe:1", "kind": "own_cup"}`).want(400)
	})
}

func TestRedemptions(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.enrol("1")
		h.do("POST", "/v1/adjustments", `{"member": "ext:1", "unit": "star", "amount": 100, "reason": "start"}`).want(201).is("100", "adjusted", "star")
		held := h.do("POST", "/v1/redemptions", `{"member": "ext:1", "reward": "coffee", "hold_seconds": 300}`).want(201)
		id := held.text("id")
		held.is("reserved", "redemptions", 0, "status").is("55", "balances", "star", "spendable").is("50", "balances", "star", "reserved").is("2026-11-22T13:05:00+01:00", "redemptions", 0, "expires_at")
		h.do("GET", "/v1/redemptions/"+id+"?lang=nb", "").want(200).is("reserved", "status").is("En kaffe", "title").is("50", "price", "star")
		h.do("POST", "/v1/redemptions", `{"member": "ext:1", "reward": "coffee", "quantity": 2}`).refused(409, "balance_too_low")
		h.do("POST", "/v1/redemptions/"+id+"/commit", "").want(201).is("committed", "redemptions", 0, "status").is("coffee-regular", "redemptions", 0, "product")
		h.do("POST", "/v1/redemptions/"+id+"/commit", "").want(409)
		h.do("POST", "/v1/redemptions/"+id+"/cancel", "").want(409)
		h.do("POST", "/v1/redemptions/"+id+"/refund", `{"reason": "cold"}`).want(201).is("50", "given_back", "star")
		h.do("POST", "/v1/redemptions/"+id+"/refund", "").want(409)
		h.do("GET", "/v1/redemptions/"+id, "").want(200).is("refunded", "status")

		cancelled := h.do("POST", "/v1/redemptions", `{"member": "ext:1", "reward": "coffee"}`).want(201).text("id")
		h.do("POST", "/v1/redemptions/"+cancelled+"/cancel", `{}`).want(201).is("105", "balances", "star", "spendable")
		lapsed := h.do("POST", "/v1/redemptions", `{"member": "ext:1", "reward": "coffee"}`).want(201).text("id")
		h.pass(time.Hour)
		h.do("GET", "/v1/redemptions/"+lapsed, "").want(200).is("lapsed", "status")
		h.do("POST", "/v1/redemptions/"+lapsed+"/commit", "").want(409)
		h.do("GET", "/v1/members/ext:1/balances", "").want(200).is("105", "balances", "star", "spendable")

		v := h.do("POST", "/v1/redemptions", `{"member": "ext:1", "reward": "voucher", "commit": true}`).want(201).is("25.00", "redemptions", 0, "voucher", "money")
		if len(v.text("redemptions", 0, "voucher", "code")) < 10 {
			t.Errorf("voucher: %s", v.raw)
		}
		h.do("POST", "/v1/redemptions", `{"member": "ext:1", "reward": "mug", "quantity": 2, "commit": true}`).want(201)
		h.do("POST", "/v1/redemptions", `{"member": "ext:1", "reward": "mug", "commit": true}`).refused(409, "out_of_stock")
		h.do("POST", "/v1/redemptions", `{"member": "ext:1", "reward": "pay", "points": "10", "total": "100.00", "commit": true}`).want(201).is("5.00", "redemptions", 0, "worth")
		h.do("POST", "/v1/redemptions", `{"member": "ext:1", "reward": "yacht"}`).want(422)
		h.do("POST", "/v1/redemptions", `{"reward": "mug"}`).refused(422, "invalid_body", "/member")

		list := h.do("GET", "/v1/members/ext:1/redemptions?status=committed", "").want(200)
		if n := len(list.items()); n != 3 {
			t.Errorf("%d are committed: %s", n, list.raw)
		}
		rewards := h.do("GET", "/v1/rewards?member=ext:1&lang=nb", "").want(200)
		rewards.is("En kaffe", "items", 0, "title").is(false, "items", 1, "for_member", "available").is("out_of_stock", "items", 1, "for_member", "reason").is(0, "items", 1, "stock_left")
		h.do("GET", "/v1/rewards/mug", "").want(200).is(0, "stock_left").is("10", "price", "star")
		rewards.is("Det er ingen igjen.", "items", 1, "for_member", "why", 0)
		h.do("GET", "/v1/rewards/ticket?lang=nb", "").want(200).is("parcel", "raffle", "prize").is("En pakke", "raffle", "title").is(1, "raffle", "winners")
		h.do("GET", "/v1/rewards/tenth", "").want(200).is(2, "voucher", "uses").is(true, "voucher", "bound").is("with others", "voucher", "stacks")
		trees := h.do("GET", "/v1/rewards/trees?lang=nb", "").want(200).is("Skogen", "to").is("member", "limits", 0, "each").is(1, "limits", 0, "times").is(nil, "limits", 0, "left")
		if !strings.Contains(trees.text("terms"), "Skogen") {
			t.Errorf("%s", trees.raw)
		}
		h.do("GET", "/v1/rewards/trees?member=ext:1", "").want(200).is(1, "limits", 0, "left")
		h.do("POST", "/v1/redemptions", `{"member": "ext:1", "reward": "trees", "commit": true}`).want(201)
		h.do("GET", "/v1/rewards/trees?member=ext:1", "").want(200).is(0, "limits", 0, "left").is("2026-12-01T00:00:00+01:00", "limits", 0, "renews_at").
			is("limit_reached", "for_member", "reason").is("You can have it once per month, and that is used up; again from 1 December 2026.", "for_member", "why", 0)
		h.enrol("poor")
		h.do("GET", "/v1/rewards/mug?member=ext:poor", "").want(200).is("out_of_stock", "for_member", "reason")
		h.do("GET", "/v1/rewards/coffee?member=ext:poor", "").want(200).is("45 stars to go.", "for_member", "why", 0).is("45", "for_member", "missing", "star")
		h.do("GET", "/v1/rewards/coffee?member=ext:poor&audience=staff", "").want(200).is("The member lacks 45 stars.", "for_member", "why", 0)
		h.do("GET", "/v1/rewards/yacht", "").refused(404, "reward_not_found")
		h.do("GET", "/v1/rewards?member=ext:none", "").want(404)
		for _, step := range []string{"commit", "cancel", "refund"} {
			h.do("POST", "/v1/redemptions/red_01k9zjq3hfe1f8m6v7j0q3x5c4/"+step, "").want(404)
			h.do("POST", "/v1/redemptions/nonsense/"+step, "").want(404)
		}
		h.do("GET", "/v1/redemptions/nonsense", "").refused(404, "redemption_not_found")
	})
}

func TestByHand(t *testing.T) {
	each(t, func(_ *testing.T, h *house) {
		h.enrol("1")
		h.enrol("2")
		a := h.do("POST", "/v1/adjustments", `{"member": "ext:1", "unit": "star", "amount": "45", "reason": "sorry", "never_expires": true}`).want(201)
		h.do("POST", "/v1/adjustments", `{"member": "ext:1", "unit": "star", "amount": "-500", "reason": "x"}`).refused(409, "balance_too_low")
		h.do("POST", "/v1/adjustments", `{"member": "ext:1", "unit": "moon", "reason": " "}`).refused(422, "invalid_adjustment", "/unit", "/reason")
		h.do("POST", "/v1/adjustments/"+a.text("id")+"/reverse", `{"reason": "wrong member"}`).want(201).is("-45", "adjusted", "star").is("5", "balances", "star", "balance")
		h.do("POST", "/v1/adjustments/"+a.text("id")+"/reverse", `{"reason": "wrong member"}`).want(200).is(true, "duplicate")
		h.do("POST", "/v1/adjustments/adj_01k9zjq3hfe1f8m6v7j0q3x5c4/reverse", "").refused(404, "adjustment_not_found")
		h.do("POST", "/v1/adjustments/nonsense/reverse", "").refused(404, "adjustment_not_found")

		moved := h.do("POST", "/v1/transfers", `{"from": "ext:1", "to": "ext:2", "unit": "star", "amount": "3"}`).want(201).is("-3", "transferred", "star")
		h.do("GET", "/v1/members/ext:2/balances", "").want(200).is("8", "balances", "star", "balance")
		h.do("POST", "/v1/transfers", `{"from": "ext:1", "to": "ext:2", "unit": "star", "amount": "3000"}`).refused(409, "balance_too_low")
		h.do("POST", "/v1/transfers", `{"from": "ext:1", "to": "ext:1", "unit": "star", "amount": "1"}`).want(422)
		h.do("POST", "/v1/transfers", `{"from": "ext:1", "to": "ext:2", "unit": "mile", "amount": "1"}`).refused(403, "transfers_off")
		h.do("POST", "/v1/transfers", `{"from": "ext:1", "to": "ext:nobody", "unit": "star", "amount": "1"}`).want(404)
		h.do("POST", "/v1/transfers", `{"from": "ext:1", "unit": "star", "amount": "1"}`).refused(422, "invalid_body", "/to")
		h.do("POST", "/v1/transfers/"+moved.text("id")+"/reverse", "").want(201)
		h.do("GET", "/v1/members/ext:2/balances", "").want(200).is("5", "balances", "star", "balance")
		h.do("POST", "/v1/transfers/"+moved.text("id")+"/reverse", "").refused(409, "transfer_reversed")
		h.do("POST", "/v1/transfers/trf_01k9zjq3hfe1f8m6v7j0q3x5c4/reverse", "").want(404)

		flight := h.do("POST", "/v1/purchases", `{"member": "ext:1", "source": "air", "external_id": "F1", "lines": [{"category": "flight", "amount": "1000.00"}]}`).want(201)
		flight.is("250.00", "earned", "mile").is("250.00", "pending", "mile").is("250.00", "balances", "mile", "pending")
		h.do("POST", "/v1/facts/air:F1/release", "").want(201).is("250.00", "released", "mile").is("250.00", "balances", "mile", "spendable")
		second := h.do("POST", "/v1/purchases", `{"member": "ext:1", "lines": [{"category": "flight", "amount": "100.00"}]}`).want(201)
		h.do("POST", "/v1/facts/"+second.text("id")+"/cancel-pending", `{"reason": "not flown"}`).want(201).is("0.00", "balances", "mile", "pending")
		h.do("POST", "/v1/facts/nonsense/release", "").want(404)

		fact := h.do("GET", "/v1/facts/"+second.text("id")+"?include=explanation", "").want(200)
		fact.is("100.00", "body", "purchase", "lines", 0, "amount").is("purchase", "kind")
		h.do("GET", "/v1/facts/air:F1/explanation?lang=sv&audience=member", "").want(200).is("purchase", "kind")
		h.do("GET", "/v1/facts/fct_01k9zjq3hfe1f8m6v7j0q3x5c4", "").refused(404, "fact_not_found")
		h.do("GET", "/v1/facts/nonsense/explanation", "").refused(404, "fact_not_found")
	})
}

func TestSimulate(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.enrol("1")
		before := h.count()
		a := h.do("POST", "/v1/simulations", `{"facts": [
			{"purchase": {"member": "ext:1", "amount": "3000", "occurred_at": "2026-12-24T10:00:00+01:00"}},
			{"purchase": {"member": "ext:1", "lines": [{"category": "tea", "amount": "100"}], "occurred_at": "2026-12-25T10:00:00+01:00"}},
			{"redemption": {"member": "ext:1", "reward": "coffee", "commit": true, "occurred_at": "2026-12-26T10:00:00+01:00"}},
			{"purchase": {"member": "ext:1", "amount": "x"}},
			{"purchase": {"member": "ext:1", "amount": "1.005"}},
			{"dance": {}},
			{}
		]}`).want(200)
		a.is(200, "results", 0, "status").is("300", "results", 0, "result", "earned", "star").is("gold", "results", 0, "result", "tier_changes", 0, "to")
		a.is("20", "results", 1, "result", "earned", "star").is("275", "results", 2, "result", "balances", "star", "balance")
		a.is("/purchase/amount", "results", 3, "problem", "errors", 0, "pointer").is(422, "results", 4, "status").is("/purchase/amount", "results", 4, "problem", "errors", 0, "pointer")
		a.is(400, "results", 5, "status").is(422, "results", 6, "status")
		if a.get("results", 0, "result", "explanation", "sentences", 0) == nil {
			t.Errorf("no explanation: %s", a.raw)
		}
		draft := strings.Replace(exampleDocument, `"per": "10.00"`, `"per": "1.00"`, 1)
		d := h.do("POST", "/v1/simulations", `{"facts": [{"purchase": {"member": "ext:1", "amount": "100", "occurred_at": "2020-01-01T00:00:00Z"}}], "draft": `+
			strings.TrimSuffix(strings.TrimPrefix(draft, `{"document": `), "}")+`}`).want(200)
		d.is(true, "draft").is("100", "results", 0, "result", "earned", "star").is(0, "results", 0, "result", "version")
		h.do("POST", "/v1/simulations", `{"facts": [{"purchase": {"amount": "1"}}], "draft": {"program": "x"}}`).refused(422, "invalid_program", "/draft/name")
		h.do("POST", "/v1/simulations", `{"facts": [{"purchase": {"amount": "1"}}], "source": "program: x\n"}`).refused(422, "invalid_program", "/source/name")
		h.do("POST", "/v1/simulations", `{"facts": [{"purchase": {"amount": "1"}}], "source": "program: x\n", "draft": {"program": "x"}}`).refused(422, "invalid_body", "/draft")
		h.do("POST", "/v1/simulations", `{"facts": [{"purchase": {"member": "ext:1", "amount": "1", "occurred_at": "9999-01-01T00:00:00Z"}}]}`).want(200).
			is("/purchase/occurred_at", "results", 0, "problem", "errors", 0, "pointer")
		h.do("POST", "/v1/simulations", `{"facts": []}`).refused(422, "invalid_body", "/facts")
		if after := h.count(); after != before {
			t.Errorf("a simulation left something: %+v, before %+v", after, before)
		}
	})
}

func TestBatch(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.enrol("1")
		body := `{"facts": [
			{"enrolment": {"external_id": "2"}},
			{"purchase": {"member": "ext:1", "source": "t", "external_id": "1", "amount": "100"}},
			{"purchase": {"member": "ext:1", "source": "t", "external_id": "1", "amount": "100"}},
			{"purchase": {"member": "ext:nobody", "amount": "100"}},
			{"purchase": {"member": "ext:1", "lines": [{"amount": "1"}, {"amount": "1.001"}]}},
			{"activity": {"member": "ext:2", "kind": "own_cup"}},
			{"return": {"purchase": "t:1"}},
			{"adjustment": {"member": "ext:1", "unit": "star", "amount": 50, "reason": "x"}},
			{"redemption": {"member": "ext:1", "reward": "mug", "commit": true}}
		]}`
		a := h.do("POST", "/v1/batches", body, "Idempotency-Key", "day-1").want(200)
		a.is(6, "recorded").is(1, "duplicates").is(2, "failed")
		for i, want := range []int{201, 201, 200, 404, 422, 201, 201, 201, 201} {
			a.is(want, "results", i, "status")
		}
		a.is("/purchase/lines/1/amount", "results", 4, "problem", "errors", 0, "pointer")
		again := h.do("POST", "/v1/batches", body, "Idempotency-Key", "day-1").want(200)
		if again.head.Get("Idempotent-Replayed") != "true" || !bytes.Equal(again.raw, a.raw) {
			t.Errorf("again: %v %s", again.head, again.raw)
		}
		h.do("POST", "/v1/batches", strings.Replace(body, `"amount": 50`, `"amount": 51`, 1), "Idempotency-Key", "day-1").refused(422, "idempotency_key_reused")
		h.do("GET", "/v1/members/ext:1/balances", "").want(200).is("45", "balances", "star", "balance")

		// A key may do in a batch what it may do alone.
		till := h.key("kaffebaren", "purchases:write")
		h.as(till, "POST", "/v1/batches", `{"facts": [{"purchase": {"member": "ext:1", "amount": "10"}}, {"adjustment": {"member": "ext:1", "unit": "star", "amount": 50, "reason": "x"}}]}`).
			want(200).is(1, "recorded").is(403, "results", 1, "status")
		h.do("POST", "/v1/batches", `{"facts": [`+strings.Repeat(`{},`, 1000)+`{}]}`).refused(422, "invalid_body", "/facts")
		h.do("POST", "/v1/batches", `{"facts": {}}`).refused(422, "invalid_body", "/facts")
	})
}
