package verify_test

import (
	"strings"
	"testing"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errand"
	"lojal.dev/lojal/internal/giftcard"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/member"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/partner"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/verify"
	"lojal.dev/lojal/internal/version"
)

// kinds are mechanics that have books of their own.
const kinds = `
program: shop
name: Shop
time_zone: Europe/Oslo
currency: NOK
units:
  point: {name: {en: {one: point, other: points}}}
  krone: {name: {en: {one: krone, other: kroner}}, precision: 2, worth: 1.00}
  kudo: {name: {en: {one: kudo, other: kudos}}, expires: {end_of: month}}
  thank: {name: {en: {one: thank-you, other: thanks}}}
earn:
  - {id: allowance, on: enrolment, give: {unit: kudo, amount: 100}}
rewards:
  - {id: coffee, granted: true, gives: {product: coffee}}
challenges:
  - {id: card, on: purchase, sum: spend, goal: 100.00, repeats: true, gives: {reward: coffee}}
gift_cards: {unit: krone, min: 100.00, max: 5000.00, valid: 3 years}
recognition:
  gives: kudo
  becomes: thank
  values: [{id: helped, name: {en: Helped a customer}}]
  approval: {from: 40, within: 7 days}
partners:
  - {id: airport, name: {en: The airport}, awards: {point: 0.125}, pays: ahead}
`

// What stands on gift cards, what partners paid and used, what of an allowance waits, what was won and how far a challenge is: all of it is proved.
func TestTamperingWithBooksOfTheirOwnIsFound(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		doc, err := program.Parse([]byte(kinds), "shop.yaml")
		if err != nil {
			t.Fatal(err)
		}
		now := day(1)
		err = d.Write(t.Context(), func(tx *db.Tx) error {
			_, err := version.Publish(t.Context(), tx, version.PublishInput{Program: "shop", Document: doc, By: "test", Now: noon})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		p, err := program.Compile(doc, 1)
		if err != nil {
			t.Fatal(err)
		}
		v := &version.Cache{}
		r := record.New(d, v)
		t.Cleanup(r.Close)
		must := func(req record.Request) *record.Result {
			t.Helper()
			req.Program, req.Now = "shop", now
			out, err := r.Record(t.Context(), req)
			if err != nil {
				t.Fatalf("%s: %v", req.Fact.Kind, err)
			}
			return out
		}
		amount := func(s string) *money.Decimal { n := money.MustParse(s); return &n }
		enrol := func(ext string) string {
			return must(record.Request{Fact: engine.Fact{Kind: engine.Enrolment}, Enrol: &member.New{Profile: member.Profile{ExternalID: ext}}}).Fact.Member
		}
		kari, ola := enrol("kari"), enrol("ola")
		card := ids.New(giftcard.IDPrefix, now)
		must(record.Request{Holder: card, Fact: engine.Fact{Kind: engine.Enrolment, Enrolment: &engine.EnrolmentBody{Kind: engine.GiftCard}, Card: &engine.Card{Amount: amount("500.00")}}})
		must(record.Request{Holder: card, Fact: engine.Fact{Kind: engine.Redeem, Redemption: &engine.Redemption{Spend: engine.Spend{Points: amount("120.50")}}}})
		err = d.Write(t.Context(), func(tx *db.Tx) error {
			_, _, err := partner.Pay(t.Context(), tx, partner.New{Program: p, Partner: "airport", Reference: "march", Amount: money.MustParse("10.00"), Actor: "test", Now: now})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		must(record.Request{Member: kari, Fact: engine.Fact{Kind: engine.PartnerK, Partner: &engine.PartnerBody{Partner: "airport", Do: engine.PartnerAward, Unit: "point", Amount: amount("40")}}})
		for _, n := range []string{"20", "50"} { // the second waits for approval
			must(record.Request{Member: kari, Fact: engine.Fact{Kind: engine.RecognitionK, Recognition: &engine.RecognitionBody{Do: engine.RecognitionGive, To: ola, Amount: amount(n), Value: "helped"}}})
		}
		must(record.Request{Member: ola, Fact: engine.Fact{Kind: engine.PurchaseK, Source: "till", ExternalID: "1", Purchase: &engine.Purchase{Lines: []engine.Line{{ID: "a", SKU: "x", Amount: amount("130")}}}}})
		if err := errand.CatchUp(t.Context(), d, r, "shop", now); err != nil {
			t.Fatal(err)
		}
		if report := run(t, d, v); !report.OK() || report.GiftCards != 1 {
			t.Fatalf("%+v", report)
		}
		for _, c := range []struct{ name, do, check, row string }{
			{"a gift card is worth more", `UPDATE lots SET spendable = spendable + 10000, amount = amount + 10000, remaining = remaining + 10000 WHERE unit = 'krone'`, "lots", card},
			{"what was paid with a gift card was less", `UPDATE postings SET amount = amount - 100 WHERE unit = 'krone' AND to_account = 'program:redeemed'`, "postings", card},
			{"a gift card is a person", `UPDATE accounts SET state = REPLACE(state, '"gift_card"', '"person"') WHERE member_id = '` + card + `'`, "replay", card},
			{"a partner paid more", `UPDATE tallies SET value = value + 1000000 WHERE name = '` + engine.PartnerPaid("airport") + `'`, "counters", "airport/paid"},
			{"a partner used less", `UPDATE tallies SET value = value - 1000000 WHERE name = '` + engine.PartnerUsed("airport") + `'`, "counters", "airport/used"},
			{"a partner is billed less", `UPDATE postings SET rule = 'price:0.01' WHERE from_account = 'partner:airport'`, "postings", kari},
			{"the shop gave what a partner gave", `UPDATE postings SET from_account = 'program:issued' WHERE from_account = 'partner:airport'`, "postings", kari},
			{"an allowance that waits is free", `UPDATE lots SET spendable = spendable + reserved, reserved = 0 WHERE unit = 'kudo' AND reserved > 0`, "lots", kari},
			{"an allowance is kept", `UPDATE lots SET expires_at = NULL WHERE unit = 'kudo'`, "replay", ""},
			{"thanks were more", `UPDATE lots SET spendable = spendable + 5, amount = amount + 5, remaining = remaining + 5 WHERE unit = 'thank'`, "lots", ola},
			{"what was won is won again", `UPDATE accounts SET state = REPLACE(state, '"won":1', '"won":0') WHERE member_id = '` + ola + `'`, "replay", ola},
			{"a challenge is further on", `UPDATE tallies SET value = value + 1000 WHERE name LIKE 'challenge:card%'`, "tallies", ola},
		} {
			found := false
			report := tampered(t, d, func() { exec(t, d, c.do) })
			for _, f := range report.Findings {
				found = found || f.Check == c.check && strings.Contains(f.Row, c.row)
			}
			if !found {
				t.Errorf("%s: want a finding of %s in %q, have %v", c.name, c.check, c.row, report.Findings)
			}
		}
		if report, err := verify.Run(t.Context(), d, v, "shop", verify.Options{}); err != nil || !report.OK() {
			t.Errorf("after all was undone: %v %v", report, err)
		}
	})
}
