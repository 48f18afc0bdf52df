package api

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"lojal.dev/lojal/internal/code"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/record"
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

// Goods that were paid with a gift card come back one by one.
func TestAPartOfAPaymentIsGivenBack(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{})
		made := h.do("POST", "/v1/gift-cards", `{"amount": "500.00"}`).want(201)
		red := h.do("POST", "/v1/gift-cards/pay", `{"code": "`+made.text("code")+`", "amount": "120.50"}`).want(201).text("id")
		back := func(body string) *answer { return h.do("POST", "/v1/redemptions/"+red+"/refund", body) }
		for i, want := range []string{"399.50", "419.50"} {
			for range 2 { // told twice, it counts once
				back(fmt.Sprintf(`{"amount": "20.00", "source": "till", "external_id": "back-%d"}`, i))
			}
			if got := h.do("GET", "/v1/gift-cards/"+made.text("id"), "").want(200).text("balance"); got != want {
				t.Errorf("the card has %s, not %s", got, want)
			}
		}
		back(`{"amount": "80.51"}`).refused(422, "more_than_spent")
		back(`{"amount": "1.00", "points": "1.00"}`).refused(422, "not_money")
		back(`{}`).want(201)
		back(`{"amount": "1.00"}`).refused(409, "redemption_refunded")
		if got := h.do("GET", "/v1/gift-cards/"+made.text("id"), "").want(200).text("balance"); got != "500.00" {
			t.Errorf("the card has %s", got)
		}
		red = h.voucher("mug", "4711").text("id")
		back(`{"amount": "4.00"}`).refused(422, "not_money")
		back(`{"points": "4"}`).want(201).is("4", "given_back", "star")
		back(`{}`).want(201).is("6", "given_back", "star")
		h.prove()
	})
}

// What is said of a card as it is made is what is said of it afterwards.
func TestACardIsTheSameInTheAnswerThatMakesItAndAfterwards(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{})
		h.publish(strings.Replace(coffee, "valid: 3 years}", "valid: 3 years, pin: true}", 1))
		h.pass(time.Minute)
		for i, body := range []string{`{"amount": "500.00"}`, `{"amount": "500.00", "inactive": true}`, `{"amount": "500.00", "sample": true}`} {
			key := fmt.Sprint("k", i)
			made := h.do("POST", "/v1/gift-cards", body, "Idempotency-Key", key).want(201)
			again := h.do("POST", "/v1/gift-cards", body, "Idempotency-Key", key).want(201)
			card := h.do("GET", "/v1/gift-cards/"+made.text("id"), "").want(200)
			for _, a := range []*answer{made, again, card} {
				if a.get("has_pin") != true || a.text("tail") != card.text("tail") {
					t.Errorf("%s answers %s", body, a.raw)
				}
			}
			if len(made.text("pin")) != 4 {
				t.Errorf("the PIN is missing in %s", made.raw)
			}
		}
		body := `{"batch": "jul", "amount": "100.00", "cards": [{"to": "A"}]}`
		for range 2 {
			a := h.do("POST", "/v1/gift-cards/batches", body, "Idempotency-Key", "b").want(201)
			card := h.do("GET", "/v1/gift-cards/"+a.text("cards", 0, "card", "id"), "").want(200)
			if a.get("cards", 0, "card", "has_pin") != true || a.text("cards", 0, "card", "tail") != card.text("tail") {
				t.Errorf("the batch answers %s", a.raw)
			}
		}
	})
}

// A card with nothing on it is not as good as one with money: it says why nothing can be paid with it, and since when.
func TestACardWithNothingOnItSaysWhy(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{})
		issue := func() (id, secret string) {
			a := h.do("POST", "/v1/gift-cards", `{"amount": "100.00", "expires_at": "2026-12-01T00:00:00Z"}`).want(201)
			return a.text("id"), a.text("code")
		}
		check := func(secret, reason string) *answer {
			t.Helper()
			a := h.do("POST", "/v1/codes/check", fmt.Sprintf(`{"code": %q, "total": "80.00"}`, secret)).want(200)
			if a.get("codes", 0, "usable") != (reason == "") || reason != "" && (a.text("codes", 0, "reason") != reason || a.text("codes", 0, "message") == "") || reason != "" && a.text("total") != "80.00" {
				t.Errorf("not %q: %s", reason, a.raw)
			}
			return a
		}
		_, spent := issue()
		_, held := issue()
		id, kept := issue()
		h.do("POST", "/v1/gift-cards/pay", `{"code": "`+spent+`", "amount": "100.00"}`).want(201)
		h.do("POST", "/v1/gift-cards/pay", `{"code": "`+held+`", "amount": "100.00", "reserve": true}`).want(201)
		check(spent, "card_empty")
		check(held, "card_reserved")
		check(kept, "")
		h.pass(30 * 24 * time.Hour)
		over := func() {
			t.Helper()
			a := check(kept, "card_expired")
			if a.text("codes", 0, "gift_card", "expired_at") != "2026-12-01T01:00:00+01:00" || !strings.Contains(a.text("codes", 0, "message"), "2026-12-01") {
				t.Errorf("it ended as %s", a.raw)
			}
		}
		over()
		h.do("POST", "/v1/gift-cards/"+id+"/status", `{"to": "blocked"}`).want(201) // writes down what time did
		h.do("POST", "/v1/gift-cards/"+id+"/status", `{"to": "active"}`).want(201)
		over()
		h.prove()
	})
}

// Real money put on a sample could be paid with by nobody.
func TestASampleTakesNoMoney(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{})
		id := h.do("POST", "/v1/gift-cards", `{"amount": "100.00", "sample": true}`).want(201).text("id")
		h.do("POST", "/v1/gift-cards/"+id+"/loads", `{"amount": "100.00"}`).refused(403, "sample_card")
	})
}

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

// D24: a gift card of 100 and a code of 10 %, in either order: nothing is left to pay, and the card pays 90.
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

// The guard looks a code up before the fact is decided. A code that is replaced in between opens nothing.
func TestACodeThatWasReplacedMeanwhileOpensNothing(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{})
		made := h.do("POST", "/v1/gift-cards", `{"amount": "100.00"}`).want(201)
		id := made.text("id")
		hash := h.hash(made.text("code"))
		h.do("POST", "/v1/gift-cards/"+id+"/code", "").want(201)
		amount := money.MustParse("1.00")
		_, err := h.rec.Record(t.Context(), record.Request{Program: "kaffebaren", Holder: id, Code: hash, Now: h.clock(), Actor: "test",
			Fact: engine.Fact{Kind: engine.Redeem, Redemption: &engine.Redemption{Spend: engine.Spend{Points: &amount}}}})
		if errs.As(err).Reason != "code_replaced" {
			t.Errorf("the card is paid with by its old code: %v", err)
		}
		v := h.voucher("voucher", "4711")
		hash = h.hash(v.text("redemptions", 0, "voucher", "code"))
		h.do("POST", "/v1/redemptions/"+v.text("id")+"/voucher/code", `{}`).want(201)
		_, err = h.rec.Record(t.Context(), record.Request{Program: "kaffebaren", Now: h.clock(), Actor: "test",
			Fact: engine.Fact{Kind: engine.VoucherK, Parent: v.text("id"), Voucher: &engine.VoucherStep{Do: engine.VoucherUsed, Hash: hash, Total: &amount}}})
		if errs.As(err).Reason != "code_replaced" {
			t.Errorf("the voucher is used by its old code: %v", err)
		}
	})
}

// hash is that by which a code is kept.
func (h *house) hash(text string) (hash string) {
	h.t.Helper()
	err := h.d.Write(h.t.Context(), func(tx *db.Tx) error {
		k, err := code.KeyOf(h.t.Context(), tx, "kaffebaren")
		if err != nil {
			return err
		}
		hash, _ = k.Hash(text)
		return nil
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return hash
}

// voucher redeems a reward for a new member.
func (h *house) voucher(reward, member string) *answer {
	h.t.Helper()
	h.enrol(member)
	h.do("POST", "/v1/adjustments", `{"member": "ext:`+member+`", "unit": "star", "amount": "200", "reason": "test"}`).want(201)
	return h.do("POST", "/v1/redemptions", `{"member": "ext:`+member+`", "reward": "`+reward+`", "commit": true}`).want(201)
}

// open counts the codes that open something, by what they stand for.
func (h *house) open() map[string]int {
	h.t.Helper()
	out := map[string]int{}
	err := h.d.Write(h.t.Context(), func(tx *db.Tx) error {
		return code.Each(h.t.Context(), tx, "kaffebaren", func(list []code.Code) error {
			for _, c := range list {
				if c.Status == code.Open {
					out[c.Subject]++
				}
			}
			return nil
		})
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return out
}

// Twelve at once, in one transaction and in several: one code is open after that.
func TestACodeIsReplacedByOne(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{})
		card := h.do("POST", "/v1/gift-cards", `{"amount": "100.00"}`).want(201).text("id")
		v := h.voucher("voucher", "4711").text("id")
		var all sync.WaitGroup
		for range 6 {
			all.Go(func() { h.do("POST", "/v1/gift-cards/"+card+"/code", "").want(201) })
			all.Go(func() { h.do("POST", "/v1/redemptions/"+v+"/voucher/code", `{}`).want(201) })
		}
		all.Wait()
		reqs := make([]record.Request, 3)
		for i := range reqs {
			reqs[i] = record.Request{Program: "kaffebaren", Now: h.clock(), Actor: "test", Fact: engine.Fact{Kind: engine.VoucherK, Parent: v, Voucher: &engine.VoucherStep{Do: engine.VoucherCode}}}
		}
		for _, o := range h.rec.Batch(t.Context(), reqs) {
			if o.Err != nil {
				t.Error(o.Err)
			}
		}
		if n := h.open(); n[card] != 1 || n[v] != 1 {
			t.Errorf("%d codes open the card, %d the voucher", n[card], n[v])
		}
		h.prove()
	})
}

func TestACardNamedTwicePaysOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{})
		card := h.do("POST", "/v1/gift-cards", `{"amount": "100.00"}`).want(201).text("code")
		body := `{"codes": [{"code": "` + card + `"}, {"code": "` + card + `"}]`
		a := h.do("POST", "/v1/codes/check", body+`, "total": "500.00"}`).want(200).is("400.00", "total").is(true, "codes", 0, "usable").is("100.00", "codes", 0, "amount")
		a.is(false, "codes", 1, "usable").is("card_twice", "codes", 1, "reason").is("0.00", "codes", 1, "amount")
		h.do("POST", "/v1/codes/check", body+`}`).want(200).is("card_twice", "codes", 1, "reason")
	})
}

func TestABatchNamesEachCardOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{})
		for _, refs := range []string{`{"reference": "a"}, {"reference": "a"}`, `{}, {"reference": "1"}`, `{"reference": "2"}, {}`} {
			h.do("POST", "/v1/gift-cards/batches", `{"batch": "jul", "amount": "100.00", "cards": [`+refs+`]}`).refused(422, "invalid_batch", "/cards/1/reference")
		}
		if n := h.count().Facts; n != 0 {
			t.Errorf("%d facts were recorded", n)
		}
	})
}

// A repetition says what is kept of the card, whatever it was sent with.
func TestARepeatedCardTellsWhatIsKept(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{})
		issue := func(to string, head ...string) *answer {
			return h.do("POST", "/v1/gift-cards", `{"amount": "100.00", "to": "`+to+`", "source": "shop", "external_id": "1"}`, head...)
		}
		id := issue("Ola", "Idempotency-Key", "k").want(201).is("Ola", "to").text("id")
		issue("Kari").want(200).is("Ola", "to").is(true, "duplicate")
		issue("Ola", "Idempotency-Key", "k").want(201).is("Ola", "to").is(nil, "code")
		h.do("POST", "/v1/gift-cards/batches", `{"batch": "jul", "amount": "100.00", "cards": [{"to": "A", "reference": "r"}]}`).want(201).is("A", "cards", 0, "card", "to")
		h.do("POST", "/v1/gift-cards/batches", `{"batch": "jul", "amount": "100.00", "cards": [{"to": "B", "reference": "r"}]}`).want(201).is("A", "cards", 0, "card", "to")

		h.do("POST", "/v1/gift-cards/"+id+"/erase", "").want(200).is(nil, "to").is("100.00", "balance")
		h.do("GET", "/v1/gift-cards/"+id, "").want(200).is(nil, "to")
		issue("Ola", "Idempotency-Key", "k").want(201).is(nil, "to")
		for _, table := range []string{"facts", "idempotency", "gift_cards", "audit", "event_line"} {
			if strings.Contains(h.everything(table), "Ola") {
				t.Errorf("%s still knows for whom it was", table)
			}
		}
		h.do("POST", "/v1/gift-cards/gft_01k9zjq3hfe1f8m6v7j0q3x5c4/erase", "").want(404)
		h.prove()
	})
}

// What was answered is answered again, though the code is another by now.
func TestARepetitionAfterARenewalIsAnswered(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{})
		made := h.do("POST", "/v1/gift-cards", `{"amount": "100.00"}`).want(201)
		pay := func(head ...string) *answer {
			return h.do("POST", "/v1/gift-cards/pay", `{"code": "`+made.text("code")+`", "amount": "10.00", "source": "till", "external_id": "1"}`, head...)
		}
		first := pay("Idempotency-Key", "p").want(201).text("id")
		h.do("POST", "/v1/gift-cards/"+made.text("id")+"/code", "").want(201)
		pay("Idempotency-Key", "p").want(201).is(first, "id")
		pay("Idempotency-Key", "other").want(200).is(first, "id").is(true, "duplicate")
		h.do("POST", "/v1/gift-cards/pay", `{"code": "`+made.text("code")+`", "amount": "10.00", "source": "till", "external_id": "2"}`).refused(409, "code_replaced")

		v := h.voucher("tenth", "4711")
		use := func(n string, head ...string) *answer {
			return h.do("POST", "/v1/vouchers/use?include=tiers", `{"code": "`+v.text("redemptions", 0, "voucher", "code")+`", "member": "ext:4711", "total": "100.00", "source": "till", "external_id": "v`+n+`"}`, head...)
		}
		first = use("1", "Idempotency-Key", "u").want(201).text("id")
		h.do("POST", "/v1/redemptions/"+v.text("id")+"/voucher/code", `{}`).want(201)
		if again := use("1", "Idempotency-Key", "u").want(201).is(first, "id"); again.get("tiers") == nil {
			t.Errorf("a repetition leaves out what is asked for: %s", again.raw)
		}
		use("1").want(200).is(first, "id")
		use("2").refused(409, "code_replaced")

		receipt := h.do("POST", "/v1/claims", `{"source": "till", "external_id": "R1", "amount": "180.00"}`).want(201).text("code")
		claim := func() *answer {
			return h.do("POST", "/v1/claims/claim", `{"code": "`+receipt+`", "member": "ext:4711"}`, "Idempotency-Key", "c")
		}
		first = claim().want(201).text("id")
		h.pass(31 * 24 * time.Hour)
		claim().want(201).is(first, "id")
		h.prove()
	})
}

func TestABatchOfGiftCardsHeedsItsIdempotencyKey(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{})
		batch := func(to string) *answer {
			return h.do("POST", "/v1/gift-cards/batches", `{"batch": "jul", "amount": "100.00", "cards": [{"to": "`+to+`"}, {"amount": "1.00"}]}`, "Idempotency-Key", "b")
		}
		id := batch("Ola").want(201).is(1, "issued").is(1, "failed").text("cards", 0, "card", "id")
		again := batch("Ola").want(201).is(id, "cards", 0, "card", "id").is("Ola", "cards", 0, "card", "to").is(nil, "cards", 0, "card", "code")
		if again.head.Get("Idempotent-Replayed") != "true" || again.get("cards", 0, "card", "duplicate") == true {
			t.Errorf("the repetition is %v %s", again.head, again.raw)
		}
		batch("Kari").refused(422, "idempotency_key_reused")
		for _, secret := range []string{"Ola", again.text("batch") + "-x"} {
			if strings.Contains(h.everything("idempotency"), secret) {
				t.Errorf("the stored answer holds %s", secret)
			}
		}
	})
}

func TestVouchersThatDoNotStackAreRefused(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{})
		h.pass(time.Hour)
		h.publish(strings.Replace(coffee, "  - id: tenth\n", "  - {id: alone, price: {star: 1}, gives: {voucher: {money: 5.00, stacks: alone}}}\n"+
			"  - {id: spring, price: {star: 1}, gives: {voucher: {money: 5.00, group: season}}}\n  - {id: summer, price: {star: 1}, gives: {voucher: {money: 5.00, group: season, least: 50.00}}}\n  - id: tenth\n", 1))
		h.pass(time.Hour)
		h.enrol("m")
		h.do("POST", "/v1/adjustments", `{"member": "ext:m", "unit": "star", "amount": "200", "reason": "test"}`).want(201)
		codes := map[string]string{}
		for _, reward := range []string{"alone", "spring", "summer", "voucher"} {
			codes[reward] = h.do("POST", "/v1/redemptions", `{"member": "ext:m", "reward": "`+reward+`", "commit": true}`).want(201).text("redemptions", 0, "voucher", "code")
		}
		codes["card"] = h.do("POST", "/v1/gift-cards", `{"amount": "100.00"}`).want(201).text("code")
		use := func(what, total string, with ...string) *answer {
			list := []string{}
			for _, w := range with {
				list = append(list, `{"code": "`+codes[w]+`"}`)
			}
			return h.do("POST", "/v1/vouchers/use", `{"code": "`+codes[what]+`", "total": "`+total+`", "with": [`+strings.Join(list, ",")+`]}`)
		}
		use("alone", "100.00", "voucher").refused(409, "voucher_alone")
		use("voucher", "100.00", "alone").refused(409, "voucher_alone")
		use("summer", "100.00", "spring").refused(409, "voucher_group")
		use("summer", "100.00", "summer").refused(409, "voucher_twice")
		use("summer", "49.99").refused(409, "below_least")
		use("summer", "100.00", "voucher", "card").want(201)
		use("voucher", "95.00", "summer", "card").want(201)
		used := use("alone", "100.00", "card").want(201).text("id")
		if raw := string(h.do("GET", "/v1/facts/"+used, "").want(200).raw); strings.Contains(raw, "hash") {
			t.Errorf("a fact shows what is kept of a code: %s", raw)
		}
		h.prove()
	})
}

// What was given back cannot be called off as well, and the books stay as they replay.
func TestAVoucherIsNotCalledOffAfterItsRefund(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{})
		v := h.voucher("voucher", "4711").text("id")
		h.do("POST", "/v1/redemptions/"+v+"/refund", `{}`).want(201)
		h.do("POST", "/v1/redemptions/"+v+"/voucher/void", `{}`).refused(409, "voucher_void")
		h.do("GET", "/v1/redemptions/"+v, "").want(200).is("void", "voucher", "status")
		h.prove()
	})
}

// A reward that time hands over has a code when somebody asks for it.
func TestTheCodeOfAVoucherHandedOverWaits(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{})
		h.pass(time.Hour)
		h.publish(strings.Replace(coffee, "gives: {reward: coffee, valid: 3 months}", "gives: {reward: voucher, waits: 1 day, hand_over: true}", 1))
		h.pass(time.Hour)
		h.enrol("m")
		h.do("POST", "/v1/purchases", `{"member": "ext:m", "source": "till", "external_id": "1", "lines": [{"category": "coffee", "quantity": 9, "amount": "180.00"}]}`).want(201)
		h.pass(25 * time.Hour)
		got := h.do("POST", "/v1/activities", `{"member": "ext:m", "kind": "own_cup"}`).want(201)
		if strings.Contains(string(got.raw), `"code"`) {
			t.Errorf("a till got the code: %s", got.raw)
		}
		list := h.do("GET", "/v1/members/ext:m/redemptions", "").want(200)
		red := list.text("items", 0, "id")
		list.is("waiting", "items", 0, "voucher", "status").is(nil, "items", 0, "voucher", "tail")
		said := h.do("GET", "/v1/members/ext:m/explanations?lang=nb&audience=member", "").want(200)
		if !strings.Contains(string(said.raw), "venter på deg") {
			t.Errorf("the member is not told: %s", said.raw)
		}
		secret := h.do("POST", "/v1/redemptions/"+red+"/voucher/code", `{}`).want(201).is("usable", "redemptions", 0, "voucher", "status").text("redemptions", 0, "voucher", "code")
		h.do("POST", "/v1/vouchers/use", `{"code": "`+secret+`", "total": "100.00"}`).want(201).is("used", "redemptions", 0, "voucher", "status")
		if n := h.open()[red]; n != 1 {
			t.Errorf("%d codes are open", n)
		}
		h.prove()
	})
}

func TestWhatACardIsIsSaidInOnePlace(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{})
		for _, c := range []struct{ body, to, reason string }{
			{`{"amount": "100.00", "inactive": true}`, "", "card_inactive"}, {`{"amount": "100.00", "sample": true}`, "", "sample_card"},
			{`{"amount": "100.00"}`, "blocked", "card_blocked"}, {`{"amount": "100.00"}`, "closed", "card_closed"},
		} {
			made := h.do("POST", "/v1/gift-cards", c.body).want(201)
			if c.to != "" {
				h.do("POST", "/v1/gift-cards/"+made.text("id")+"/status", `{"to": "`+c.to+`"}`).want(201)
			}
			h.do("POST", "/v1/codes/check", `{"code": "`+made.text("code")+`", "total": "10.00"}`).want(200).is(c.reason, "codes", 0, "reason").is("10.00", "total")
			paid := h.do("POST", "/v1/gift-cards/pay", `{"code": "`+made.text("code")+`", "amount": "1.00"}`)
			if got := paid.text("reason"); got != c.reason {
				t.Errorf("paying with it is %s, checking it %s", got, c.reason)
			}
		}
		if n := len(h.do("GET", "/v1/gift-cards?limit=3", "").want(200).items()); n != 3 {
			t.Errorf("a page has %d cards", n)
		}
	})
}
