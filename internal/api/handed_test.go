package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"lojal.dev/lojal/internal/code"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/order"
)

// A code out of a pool is shown in the answer that hands it out and when it is asked for; it is in no list, event, kept answer, table or log.
func TestACodeOfAPoolIsShownToItsMemberAlone(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{})
		h.enrol("4711")
		h.do("POST", "/v1/adjustments", `{"member": "ext:4711", "unit": "star", "amount": "100", "reason": "test"}`).want(201)
		const secret = "FILM-SECRET-0001"
		buy := `{"member": "ext:4711", "reward": "film", "commit": true}`
		h.do("GET", "/v1/rewards/film?member=ext:4711", "").want(200).is("out_of_stock", "for_member", "reason")
		h.do("POST", "/v1/redemptions", buy).refused(409, "out_of_stock")
		h.do("POST", "/v1/pools/cinema/codes", `{"codes": [{"code": "`+secret+`"}, {"code": "film secret 0001"}]}`).want(201).is(1, "added").is(1, "known")
		h.do("POST", "/v1/pools/cinema/codes", `{"codes": [{"code": "`+secret+`"}]}`, "Idempotency-Key", "load").want(201).is(0, "added")
		h.do("POST", "/v1/pools/cinema/codes", `{"codes": []}`).refused(422, "invalid_pool", "/codes")
		h.do("GET", "/v1/rewards/film?member=ext:4711", "").want(200).is(true, "for_member", "available")
		got := h.do("POST", "/v1/redemptions", buy, "Idempotency-Key", "k1").want(201).is(secret, "redemptions", 0, "code", "code")
		red := got.text("redemptions", 0, "id")
		again := h.do("POST", "/v1/redemptions", buy, "Idempotency-Key", "k1").want(201).is(red, "redemptions", 0, "id")
		for _, a := range []*answer{
			again, h.do("GET", "/v1/redemptions/"+red, ""), h.do("GET", "/v1/members/ext:4711/redemptions", ""), h.do("GET", "/v1/events", ""),
			h.do("GET", "/v1/pools", ""), h.do("GET", "/v1/members/ext:4711/facts", ""),
		} {
			if strings.Contains(string(a.raw), secret) {
				t.Errorf("%s shows the code: %s", a.what, a.raw)
			}
		}
		for _, table := range []string{"facts", "redemptions", "idempotency", "code_pools", "audit"} {
			if strings.Contains(h.everything(table), secret) {
				t.Errorf("%s holds the code", table)
			}
		}
		if strings.Contains(h.log.String(), secret) {
			t.Error("the log holds the code")
		}
		h.do("POST", "/v1/redemptions/"+red+"/code", "").want(200).is(secret, "code")
		h.do("POST", "/v1/redemptions", buy).refused(409, "out_of_stock")
		h.do("GET", "/v1/pools", "").want(200).is(1, "items", 0, "loaded").is(1, "items", 0, "given").is(0, "items", 0, "left").is("film", "items", 0, "rewards", 0)
		h.do("POST", "/v1/pools/DAY/codes", `{"codes": [{"code": "DAY-0001"}]}`).want(201).is(1, "added") // a provider's product
		h.do("POST", "/v1/pools/a%20day/codes", `{"codes": [{"code": "DAY-0001"}]}`).refused(422, "invalid_pool", "/pool")
		h.prove()
	})
}

// A pool is loaded with far more than one request usually holds, and it is written down who did.
func TestALargePoolIsLoadedAndNoted(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{})
		var b strings.Builder
		const codes = 15_000
		for i := range codes {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `{"code": "FILM-%075d"}`, i)
		}
		h.do("POST", "/v1/pools/cinema/codes", `{"codes": [`+b.String()+`]}`).want(201).is(codes, "added")
		h.do("GET", "/v1/audit?action=pool.loaded", "").want(200).is("cinema", "items", 0, "target")
		if n := strings.Count(h.everything("audit"), "pool.loaded"); n != 1 {
			t.Errorf("it is noted %d times", n)
		}
	})
}

// Points and money buy a parcel; it is followed until it comes back, and both come back with it.
func TestAParcelIsFollowed(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{})
		h.enrol("4711")
		h.do("POST", "/v1/adjustments", `{"member": "ext:4711", "unit": "star", "amount": "15", "reason": "test"}`).want(201)
		h.do("GET", "/v1/rewards/parcel?member=ext:4711", "").want(200).is("goods", "gives").is("49.00", "prices", 1, "money").
			is(true, "for_member", "available").is(2, "for_member", "option").is("49.00", "for_member", "money")
		held := h.do("POST", "/v1/redemptions", `{"member": "ext:4711", "reward": "parcel", "option": 2}`).want(201).is("49.00", "redemptions", 0, "money").text("redemptions", 0, "id")
		h.do("POST", "/v1/redemptions/"+held+"/commit", `{}`).refused(422, "money_differs", "/money")
		h.do("POST", "/v1/redemptions/"+held+"/commit", `{"money": "49.00"}`).want(201).is("ordered", "redemptions", 0, "fulfilment", "status")
		step := "/v1/redemptions/" + held + "/fulfilment"
		h.do("POST", step, `{"to": "lost"}`).refused(422, "invalid_fulfilment", "/to")
		h.do("POST", step, `{"to": "sent", "reference": "3707"}`).want(201).is("sent", "redemptions", 0, "fulfilment", "status")
		h.do("POST", step, `{"to": "packed"}`).refused(409, "wrong_stage")
		h.do("POST", "/v1/redemptions/"+held+"/code", "").refused(409, "no_code")
		h.do("POST", step, `{"to": "returned", "reason": "Broken"}`, "Idempotency-Key", "back").want(201).is("49.00", "redemptions", 0, "money_back").is("refunded", "redemptions", 0, "status")
		h.do("POST", step, `{"to": "returned", "reason": "Broken"}`, "Idempotency-Key", "back").want(201)
		h.do("GET", "/v1/redemptions/"+held, "").want(200).is("returned", "fulfilment", "status").is("3707", "fulfilment", "reference")
		h.prove()
	})
}

// What comes of an order, the order says; a card of the program's own is called off, unused, before its points come back.
func TestAGiftCardThatWasRedeemed(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{})
		h.enrol("4711")
		h.do("POST", "/v1/adjustments", `{"member": "ext:4711", "unit": "star", "amount": "100", "reason": "test"}`).want(201)
		work := func() {
			o := order.Orders{DB: d, Recorder: h.srv.Recorder}
			if _, err := o.Work(t.Context(), h.clock()); err != nil {
				t.Fatal(err)
			}
		}
		redeem := func(reward string) string {
			return h.do("POST", "/v1/redemptions", `{"member": "ext:4711", "reward": "`+reward+`", "commit": true}`).want(201).is("ordered", "redemptions", 0, "fulfilment", "status").text("redemptions", 0, "id")
		}
		red := redeem("own-card")
		h.do("POST", "/v1/redemptions/"+red+"/fulfilment", `{"to": "delivered"}`).refused(409, "order_open")
		h.do("POST", "/v1/redemptions/"+red+"/code", "").refused(409, "no_code")
		work()
		card := h.do("GET", "/v1/redemptions/"+red, "").want(200).is("delivered", "fulfilment", "status").text("fulfilment", "reference")
		secret := h.do("POST", "/v1/redemptions/"+red+"/code", "").want(200).text("code")
		h.do("POST", "/v1/codes/check", `{"code": "`+secret+`"}`).want(200).is("50.00", "codes", 0, "gift_card", "balance")
		for _, table := range []string{"facts", "redemptions", "code_orders", "codes", "gift_cards"} {
			if n, _ := code.Normal(secret); strings.Contains(h.everything(table), secret) || strings.Contains(h.everything(table), n) {
				t.Errorf("%s holds the code", table)
			}
		}
		back := func() *answer {
			return h.do("POST", "/v1/redemptions/"+red+"/fulfilment", `{"to": "returned"}`)
		}
		back().refused(409, "card_open")
		h.do("POST", "/v1/gift-cards/"+card+"/status", `{"to": "closed"}`).want(201)
		back().want(201).is("refunded", "redemptions", 0, "status")
		second := redeem("own-card")
		work()
		red = second
		secret = h.do("POST", "/v1/redemptions/"+red+"/code", "").want(200).text("code")
		h.do("POST", "/v1/gift-cards/pay", `{"code": "`+secret+`", "amount": "10.00"}`).want(201)
		card = h.do("GET", "/v1/redemptions/"+red, "").text("fulfilment", "reference")
		h.do("POST", "/v1/gift-cards/"+card+"/code", "").want(201)
		h.do("POST", "/v1/redemptions/"+red+"/code", "").refused(409, "code_replaced")
		back().refused(409, "card_used").is("40.00", "meta", "left")
		h.do("POST", "/v1/gift-cards/"+card+"/status", `{"to": "closed"}`).want(201)
		back().refused(409, "card_used").is("40.00", "meta", "left")

		ordered := h.do("GET", "/v1/orders?limit=1", "").want(200).is(nil, "items", 1)
		h.do("GET", "/v1/orders?limit=1&cursor="+ordered.text("next_cursor"), "").want(200).is(second, "items", 0, "redemption").is("delivered", "items", 0, "status").is(nil, "next_cursor")
		h.do("GET", "/v1/orders?status=open", "").want(200).is(nil, "items", 0)
		h.do("GET", "/v1/orders?status=lost", "").refused(400, "invalid_parameter", "status")
		red = redeem("card")
		h.do("GET", "/v1/orders?status=open&provider=shop", "").want(200).is(red, "items", 0, "redemption").is(nil, "items", 1)
		h.do("GET", "/v1/orders?provider=other", "").want(200).is(nil, "items", 0)
		h.do("GET", "/v1/redemptions/"+red+"/order", "").want(200).is("waiting", "status").is("shop", "provider")
		h.do("POST", "/v1/redemptions/"+red+"/order/cancel", "", "Idempotency-Key", "c").want(202).is("cancelling", "status")
		work()
		h.do("GET", "/v1/redemptions/"+red, "").want(200).is("failed", "fulfilment", "status").is("refunded", "status")
		h.do("POST", "/v1/redemptions/"+red+"/order/cancel", "").refused(409, "order_over")
		h.do("GET", "/v1/redemptions/"+second+"x/order", "").refused(404, "order_not_found")
		h.prove()
	})
}

// A version commits to its raffles as it is published, before anything else is asked or any server ran, also one that comes into force later; until then the
// one on sale is told.
func TestARaffleIsCommittedToAsItIsPublished(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{})
		publish := func(draw, from string) {
			t.Helper()
			body, err := json.Marshal(map[string]any{"source": strings.Replace(coffee, "2026-11-30", draw, 1)})
			if err != nil {
				t.Fatal(err)
			}
			if from != "" {
				body = append(bytes.TrimSuffix(body, []byte("}")), `, "from": "`+from+`"}`...)
			}
			h.do("POST", "/v1/program/versions", string(body)).want(201)
		}
		publish("2026-12-15", "")
		told := h.do("GET", "/v1/raffles/ticket", "").want(200).is("open", "status").is("2026-11-22T13:00:00+01:00", "committed_at").text("commitment")
		publish("2026-12-31", "2026-12-20T00:00:00+01:00")
		h.do("GET", "/v1/raffles/ticket", "").want(200).is(told, "commitment").is("2026-12-15T23:59:59.999999+01:00", "draws_at")
		list := h.do("GET", "/v1/raffles", "").want(200).is("open", "items", 0, "status").is(told, "items", 1, "commitment").is(nil, "items", 2)
		h.now = h.now.AddDate(0, 0, 29)
		h.do("GET", "/v1/raffles/ticket", "").want(200).is("open", "status").is(list.text("items", 0, "commitment"), "commitment").is("2026-11-22T13:00:00+01:00", "committed_at")
		h.do("POST", "/v1/program/rollback", `{"version": 1}`).want(201)
		h.prove()
	})
}

// A raffle's seed is committed to while tickets are sold, and told with the winners once it was drawn; asked again the answer is the same.
func TestARaffleIsDrawn(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{})
		h.enrol("4711")
		h.do("POST", "/v1/adjustments", `{"member": "ext:4711", "unit": "star", "amount": "100", "reason": "test"}`).want(201)
		h.do("GET", "/v1/raffles/ticket", "").want(200).is("planned", "status").is(nil, "commitment").is("2026-11-30T23:59:59.999999+01:00", "draws_at")
		h.do("GET", "/v1/raffles", "").want(200).is("planned", "items", 0, "status").is(nil, "items", 1)
		h.do("GET", "/v1/raffles/parcel", "").want(404)
		h.do("POST", "/v1/raffles/parcel/draw", "").want(404)
		h.do("POST", "/v1/raffles/ticket/draw", "").refused(409, "raffle_open")
		told := h.do("GET", "/v1/raffles/ticket", "").want(200).is("open", "status").text("commitment")
		if raw := string(h.do("GET", "/v1/raffles", "").want(200).is(told, "items", 0, "commitment").raw); strings.Contains(raw, "seed") {
			t.Errorf("an open raffle tells its seed: %s", raw)
		}
		red := h.do("POST", "/v1/redemptions", `{"member": "ext:4711", "reward": "ticket", "quantity": 2, "commit": true}`).want(201).text("redemptions", 0, "id")
		h.do("GET", "/v1/raffles/ticket", "").want(200).is("open", "status").is(2, "tickets")
		h.do("GET", "/v1/raffles", "").want(200).is(nil, "items", 1)
		h.now = h.now.AddDate(0, 0, 9)
		h.do("POST", "/v1/redemptions/"+red+"/refund", "{}").refused(409, "raffle_drawn")
		got := h.do("POST", "/v1/raffles/ticket/draw", "").want(200).is("drawn", "status").is(told, "commitment").is(2, "tickets").is(red+"/1", "ticket_list", 0)
		won := got.text("outcome", 0, "fact")
		again := h.do("POST", "/v1/raffles/ticket/draw", "").want(200).is(won, "outcome", 0, "fact")
		if !bytes.Equal(again.raw, got.raw) {
			t.Errorf("asked again: %s, before: %s", again.raw, got.raw)
		}
		kept := h.do("POST", "/v1/raffles/ticket/draw", "", "Idempotency-Key", "draw").want(200)
		if again := h.do("POST", "/v1/raffles/ticket/draw", "", "Idempotency-Key", "draw").want(200); !bytes.Equal(again.raw, kept.raw) || again.head.Get("Idempotent-Replayed") != "true" {
			t.Errorf("under the same key: %s", again.raw)
		}
		h.do("POST", "/v1/raffles/parcel/draw", "", "Idempotency-Key", "draw").refused(422, "idempotency_key_reused")
		h.do("GET", "/v1/raffles?limit=1", "").want(200).is(2, "items", 0, "tickets").is(got.text("tickets_hash"), "items", 0, "tickets_hash")
		h.do("GET", "/v1/raffles?limit=0", "").want(422)
		h.do("GET", "/v1/members/ext:4711/grants", "").want(200).is("parcel", "items", 0, "reward").is("raffle:ticket", "items", 0, "source")
		dbtest.Settle(t, d)
		if n := strings.Count(string(h.do("GET", "/v1/events", "").want(200).raw), `"raffle.drawn"`); n != 1 {
			t.Errorf("%d events tell of one winner", n)
		}
		h.prove()
	})
}
