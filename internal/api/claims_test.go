package api

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
)

func TestAReceiptIsClaimedByOneMember(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{})
		const racers = 12
		for i := range racers {
			h.do("POST", "/v1/members", fmt.Sprintf(`{"external_id": "m%d"}`, i)).want(201)
		}
		kept := h.do("POST", "/v1/claims", `{"source": "till", "external_id": "R1", "amount": "180.00", "occurred_at": "2026-11-20T12:00:00Z"}`).want(201)
		secret := kept.text("code")
		if again := h.do("POST", "/v1/claims", `{"source": "till", "external_id": "R1", "amount": "180.00", "occurred_at": "2026-11-20T12:00:00Z"}`).want(201); again.text("id") != kept.text("id") || again.get("code") != nil {
			t.Errorf("the same receipt again is %s", again.raw)
		}
		h.do("POST", "/v1/claims", `{"source": "till", "external_id": "R1", "amount": "181.00"}`).refused(409, "duplicate_external_id")
		var mu sync.Mutex
		got := map[int]int{}
		winner := ""
		var all sync.WaitGroup
		for i := range racers {
			all.Go(func() {
				a := h.do("POST", "/v1/claims/claim", fmt.Sprintf(`{"code": %q, "member": "ext:m%d"}`, secret, i))
				mu.Lock()
				defer mu.Unlock()
				got[a.code]++
				if a.code == 201 {
					winner = fmt.Sprintf("ext:m%d", i)
				}
			})
		}
		all.Wait()
		if got[201] != 1 || got[409] != racers-1 {
			t.Fatalf("the answers are %v", got)
		}
		first := h.do("POST", "/v1/claims/claim", `{"code": "`+secret+`", "member": "`+winner+`"}`).want(200)
		if first.get("duplicate") != true {
			t.Errorf("the winner asks again and gets %s", first.raw)
		}
		other := "ext:m0"
		if winner == other {
			other = "ext:m1"
		}
		h.do("POST", "/v1/claims/claim", `{"code": "`+secret+`", "member": "`+other+`"}`).refused(409, "receipt_claimed")
		w := h.do("GET", "/v1/claims/"+kept.text("id"), "").want(200)
		if w.text("status") != "claimed" || w.text("purchase") != first.text("id") {
			t.Errorf("it stands as %s", w.raw)
		}
		h.do("POST", "/v1/claims", `{"source": "till", "external_id": "R1", "amount": "180.00", "occurred_at": "2026-11-20T12:00:01Z"}`).refused(409, "duplicate_external_id")
		h.prove()
	})
}

func TestAReceiptIsClaimedInTime(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{})
		h.do("POST", "/v1/members", `{"external_id": "m"}`).want(201)
		late := h.do("POST", "/v1/claims", `{"source": "till", "external_id": "R1", "amount": "180.00"}`).want(201)
		back := h.do("POST", "/v1/claims", `{"source": "till", "external_id": "R2", "amount": "180.00"}`).want(201)
		h.do("POST", "/v1/claims/"+back.text("id")+"/cancel", `{}`).want(200)
		h.do("POST", "/v1/claims/claim", `{"code": "`+back.text("code")+`", "member": "ext:m"}`).refused(409, "receipt_cancelled")
		h.pass(30*24*time.Hour + time.Second)
		h.do("POST", "/v1/claims/claim", `{"code": "`+late.text("code")+`", "member": "ext:m"}`).refused(409, "code_ended")
		if n := h.rowsIn("waiting_purchases"); n != 2 {
			t.Errorf("%d wait", n)
		}
	})
}

func TestWhatWaitsForACardIsRecordedOnceItIsLinked(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{})
		h.do("POST", "/v1/members", `{"external_id": "m"}`).want(201)
		h.do("POST", "/v1/members", `{"external_id": "n"}`).want(201)
		for i := range 3 {
			a := h.do("POST", "/v1/claims", fmt.Sprintf(`{"source": "bank", "external_id": "T%d", "amount": "50.00", "identifier": "wallet:tok_1", "occurred_at": "2026-11-2%dT10:00:00Z"}`, i, i)).want(201)
			if a.text("status") != "open" || a.get("code") != nil {
				t.Errorf("%s", a.raw)
			}
		}
		h.do("POST", "/v1/claims", `{"source": "bank", "external_id": "X", "amount": "50.00", "identifier": "wallet:tok_2"}`).want(201)
		h.do("POST", "/v1/members/ext:m/identifiers", `{"kind": "wallet", "value": "tok_1"}`).want(201)
		// 5 for joining, and one for every 10 kr.
		if got := h.do("GET", "/v1/members/ext:m?include=balances", "").want(200).get("balances", "star", "spendable"); got != "20" {
			t.Errorf("the member has %v", got)
		}
		a := h.do("POST", "/v1/claims", `{"source": "bank", "external_id": "T9", "amount": "50.00", "identifier": "wallet:tok_1"}`).want(201)
		if a.text("status") != "claimed" || a.text("purchase") == "" {
			t.Errorf("a linked card's purchase is %s", a.raw)
		}
		b := h.do("POST", "/v1/members/ext:m/claims", `{}`).want(200)
		if n := len(b.get("facts").([]any)); n != 0 {
			t.Errorf("%d were recorded again", n)
		}
		h.do("POST", "/v1/members/ext:n/identifiers", `{"kind": "wallet", "value": "tok_1"}`).refused(409, "identifier_taken")
		h.prove()
	})
}
