package api

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"lojal.dev/lojal/internal/code"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/verify"
)

// everything reads all of a table as text.
func (h *house) everything(table string) string {
	h.t.Helper()
	var out strings.Builder
	err := h.d.Read(h.t.Context(), func(tx *db.Tx) error {
		rows, err := tx.Query(h.t.Context(), "SELECT * FROM "+table)
		if err != nil {
			return err
		}
		defer rows.Close()
		names, err := rows.Columns()
		if err != nil {
			return err
		}
		for rows.Next() {
			into := make([]any, len(names))
			for i := range into {
				into[i] = new(any)
			}
			if err := rows.Scan(into...); err != nil {
				return err
			}
			for i := range into {
				fmt.Fprintln(&out, *into[i].(*any))
			}
		}
		return rows.Err()
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return out.String()
}

// prove proves the books of the house.
func (h *house) prove() {
	h.t.Helper()
	r, err := verify.Run(h.t.Context(), h.d, h.vs, "kaffebaren", verify.Options{})
	if err != nil {
		h.t.Fatal(err)
	}
	if err := r.Err(); err != nil {
		h.t.Error(err)
	}
}

func TestAGiftCardIsPaidWithByItsCode(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{})
		made := h.do("POST", "/v1/gift-cards", `{"amount": "500.00", "to": "Ola", "greeting": "Til deg"}`, "Idempotency-Key", "g1").want(201)
		secret := made.text("code")
		id := made.text("id")
		again := h.do("POST", "/v1/gift-cards", `{"amount": "500.00", "to": "Ola", "greeting": "Til deg"}`, "Idempotency-Key", "g1").want(201)
		if again.text("id") != id || again.get("code") != nil {
			t.Errorf("a repetition answers %s", again.raw)
		}
		paid := h.do("POST", "/v1/gift-cards/pay", `{"code": "`+strings.ToLower(secret)+`", "amount": "120.50"}`).want(201)
		if got := paid.text("redemptions", 0, "worth"); got != "120.50" {
			t.Errorf("it paid %s", got)
		}
		h.do("POST", "/v1/redemptions/"+paid.text("id")+"/refund", `{}`).want(201)
		h.do("POST", "/v1/gift-cards/pay", `{"code": "`+secret+`", "max": true, "total": "450.00"}`).want(201)
		card := h.do("GET", "/v1/gift-cards/"+id, "").want(200)
		if card.text("balance") != "50.00" || card.text("to") != "Ola" || card.get("code") != nil {
			t.Errorf("the card is %s", card.raw)
		}
		fresh := h.do("POST", "/v1/gift-cards/"+id+"/code", "").want(201).text("code")
		h.do("POST", "/v1/gift-cards/pay", `{"code": "`+secret+`", "amount": "1.00"}`).refused(409, "code_replaced")
		h.do("POST", "/v1/gift-cards/pay", `{"code": "`+fresh+`", "amount": "50.00"}`).want(201)
		for _, table := range []string{"facts", "postings", "accounts", "redemptions", "idempotency", "codes", "gift_cards", "audit"} {
			all := h.everything(table)
			for _, s := range []string{secret, fresh} {
				n, _ := code.Normal(s)
				if strings.Contains(all, s) || strings.Contains(all, n) {
					t.Errorf("%s holds the code", table)
				}
			}
		}
		if strings.Contains(h.log.String(), secret) {
			t.Error("the log holds the code")
		}
		h.prove()
	})
}

// D24: a gift card of 100 and a code of 10 %, in either order: nothing is left to pay, and the card pays 90.
// Who may read members does not read cards: their accounts are no members.
func TestAGiftCardIsNoMember(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{})
		id := h.do("POST", "/v1/gift-cards", `{"amount": "500.00"}`).want(201).text("id")
		members := h.key("kaffebaren", "members:read", "redemptions:read", "benefits:read", "plans:read")
		for _, path := range []string{"", "/balances", "/forecast", "/targets", "/postings", "/facts", "/explanations", "/tiers", "/redemptions", "/benefits", "/plans", "/challenges", "/grants", "/referral"} {
			if a := h.as(members, "GET", "/v1/members/"+id+path, ""); a.code != 404 && a.code != 400 {
				t.Errorf("%s answers %d: %s", a.what, a.code, a.raw)
			}
		}
		if got := h.do("GET", "/v1/gift-cards/"+id, "").want(200).text("balance"); got != "500.00" {
			t.Errorf("the card has %s", got)
		}
	})
}

func TestACodeLowersThePriceBeforeAGiftCardPays(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{})
		h.do("POST", "/v1/members", `{"external_id": "4711"}`).want(201)
		card := h.do("POST", "/v1/gift-cards", `{"amount": "100.00"}`).want(201).text("code")
		h.do("POST", "/v1/adjustments", `{"member": "ext:4711", "unit": "star", "amount": "100", "reason": "test"}`).want(201)
		voucher := h.do("POST", "/v1/redemptions", `{"member": "ext:4711", "reward": "tenth", "commit": true}`).want(201).text("redemptions", 0, "voucher", "code")
		for _, codes := range [][]string{{card, voucher}, {voucher, card}} {
			a := h.do("POST", "/v1/codes/check", fmt.Sprintf(`{"codes": [{"code": %q}, {"code": %q}], "member": "ext:4711", "total": "100.00"}`, codes[0], codes[1])).want(200)
			for i, c := range codes {
				want := "10.00"
				if c == card {
					want = "90.00"
				}
				if got := a.text("codes", i, "amount"); got != want {
					t.Errorf("code %d takes %s, not %s", i, got, want)
				}
			}
			if got := a.text("total"); got != "0.00" {
				t.Errorf("%s is left to pay", got)
			}
		}
		// Bound to its member, and used twice at most.
		use := func(member string) *answer {
			return h.do("POST", "/v1/vouchers/use", `{"code": "`+voucher+`", "member": "`+member+`", "total": "100.00"}`)
		}
		h.do("POST", "/v1/members", `{"external_id": "4712"}`).want(201)
		use("ext:4712").refused(403, "voucher_bound")
		red := use("ext:4711").want(201).text("redemptions", 0, "id")
		use("ext:4711").want(201)
		use("ext:4711").refused(409, "voucher_used")
		h.do("POST", "/v1/redemptions/"+red+"/voucher/undo", `{}`).want(201)
		use("ext:4711").want(201)
		h.do("POST", "/v1/redemptions/"+red+"/voucher/undo", `{}`).want(201)
		next := h.do("POST", "/v1/redemptions/"+red+"/voucher/code", `{}`).want(201).text("redemptions", 0, "voucher", "code")
		use("ext:4711").refused(409, "code_replaced")
		voucher = next
		h.do("POST", "/v1/redemptions/"+red+"/voucher/void", `{}`).want(201)
		use("ext:4711").refused(409, "voucher_void")
		h.prove()
	})
}

func TestWhoGuessesAtCodesIsToldToWait(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{})
		card := h.do("POST", "/v1/gift-cards", `{"amount": "100.00"}`).want(201).text("code")
		for range code.DefaultPerAddress {
			h.do("POST", "/v1/gift-cards/pay", `{"code": "`+code.Draw()+`", "amount": "1.00", "address": "198.51.100.7"}`).want(404)
		}
		h.do("POST", "/v1/gift-cards/pay", `{"code": "`+card+`", "amount": "1.00", "address": "198.51.100.7"}`).refused(429, "too_many_codes")
		h.do("POST", "/v1/gift-cards/pay", `{"code": "`+card+`", "amount": "1.00", "address": "198.51.100.8"}`).want(201)
	})
}

// The whole balance, from fifty sides at once.
func TestAGiftCardIsSpentOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{})
		card := h.do("POST", "/v1/gift-cards", `{"amount": "100.00"}`).want(201).text("code")
		var mu sync.Mutex
		got := map[int]int{}
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				a := h.do("POST", "/v1/gift-cards/pay", `{"code": "`+card+`", "amount": "100.00"}`)
				mu.Lock()
				got[a.code]++
				mu.Unlock()
			})
		}
		all.Wait()
		if got[201] != 1 || got[409] != 49 {
			t.Errorf("the answers are %v", got)
		}
		h.prove()
	})
}

func TestABatchOfGiftCardsIsMadeOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{})
		body := `{"batch": "jul", "amount": "100.00", "greeting": "God jul", "cards": [{"to": "A", "reference": "1"}, {"to": "B", "amount": "1.00"}, {"to": "C", "greeting": "Hei C"}]}`
		a := h.do("POST", "/v1/gift-cards/batches", body).want(201)
		if a.get("issued") != 2.0 || a.get("failed") != 1.0 || a.text("cards", 0, "card", "greeting") != "God jul" || a.text("cards", 2, "card", "greeting") != "Hei C" {
			t.Errorf("%s", a.raw)
		}
		b := h.do("POST", "/v1/gift-cards/batches", body).want(201)
		if b.text("cards", 0, "card", "id") != a.text("cards", 0, "card", "id") || b.get("cards", 0, "card", "code") != nil {
			t.Errorf("again it is %s", b.raw)
		}
		if n := len(h.do("GET", "/v1/gift-cards?batch=jul", "").want(200).get("items").([]any)); n != 2 {
			t.Errorf("%d cards are listed", n)
		}
	})
}

// A code that stands for something else than the books say is found.
func TestACodeThatStandsForAnotherThingIsFound(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{})
		h.do("POST", "/v1/members", `{"external_id": "m"}`).want(201)
		h.do("POST", "/v1/gift-cards", `{"amount": "100.00"}`).want(201)
		h.do("POST", "/v1/claims", `{"source": "till", "external_id": "R1", "amount": "180.00"}`).want(201)
		h.do("POST", "/v1/adjustments", `{"member": "ext:m", "unit": "star", "amount": "100", "reason": "test"}`).want(201)
		h.do("POST", "/v1/redemptions", `{"member": "ext:m", "reward": "tenth", "commit": true}`).want(201)
		h.prove()
		for _, c := range []struct{ do, undo string }{
			{`UPDATE codes SET holder = 'gft_nobody' WHERE kind = 'gift_card'`, `UPDATE codes SET holder = subject WHERE kind = 'gift_card'`},
			{`UPDATE codes SET status = 'void' WHERE kind = 'voucher'`, `UPDATE codes SET status = 'open' WHERE kind = 'voucher'`},
			{`UPDATE waiting_purchases SET id = id || 'x'`, `SELECT 1`},
		} {
			exec := func(query string) {
				if err := d.Write(t.Context(), func(tx *db.Tx) error { _, err := tx.Exec(t.Context(), query); return err }); err != nil {
					t.Fatal(err)
				}
			}
			exec(c.do)
			r, err := verify.Run(t.Context(), d, h.vs, "kaffebaren", verify.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Findings) != 1 || r.Findings[0].Check != "codes" {
				t.Errorf("%s: %v", c.do, r.Findings)
			}
			exec(c.undo)
		}
	})
}
