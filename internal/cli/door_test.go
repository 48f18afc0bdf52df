package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const whole = `{program: shop, name: {en: Shop, nb: Butikk}, time_zone: Europe/Oslo, currency: NOK,
units: {point: {name: {en: {one: point, other: points}, nb: {one: poeng, other: poeng}}}, gift: {precision: 2, worth: "1.00", name: {en: {one: gift krone, other: gift kroner}, nb: {one: gavekrone, other: gavekroner}}}},
earn: [{id: base, on: purchase, give: {unit: point, amount: 1, per: 10.00}}],
rewards: [{id: coffee, title: {en: A coffee, nb: En kaffe}, price: {point: 50}}],
plans: [{id: plus, title: {en: Plus, nb: Pluss}, price: 99.00, every: 1 month, trial: 14 days, grace: 7 days}],
challenges: [{id: hunt, title: {en: The hunt, nb: Jakten}, on: purchase, count: purchases, goal: 3, join: true, leaderboard: true, gives: {reward: coffee}}],
referral: {friend: {unit: point, amount: 10}, referrer: {unit: point, amount: 10}, late: 14 days},
partners: [{id: hotel, name: {en: The hotel}, awards: {point: 0.10}}],
gift_cards: {unit: gift, min: 100.00, max: 5000.00, valid: 3 years}}`

// What the command line does to cards, claims, plans and the rest is what the API does, with its reasons.
func TestTheRoutesOfTheAPIFromTheCommandLine(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *shell) {
		s.ok(args("migrate"))
		s.ok(args("program publish", s.write("shop.yaml", whole)))
		s.ok(args("import members", s.write("members.csv", "number,name\n1,Kari\n2,Ola\n"), "--map", s.write("members.yaml", "import: members\nsource: old\nmember: {external_id: number, given_name: name}\n")), "2 members recorded")

		// gift cards
		issued := decode[map[string]any](s, "gift-card", "issue", "250.00", "--source", "shop", "--external-id", "1")
		card, code := issued["id"].(string), issued["code"].(string)
		if again := decode[map[string]any](s, "gift-card", "issue", "250.00", "--source", "shop", "--external-id", "1"); again["id"] != card || again["code"] != nil || again["duplicate"] != true {
			t.Errorf("issued again: %v", again)
		}
		s.fails(5, args("gift-card issue 300 --source shop --external-id 1"), "with other content")
		s.fails(3, args("gift-card issue 50"), "/amount", "at least 100.00")
		s.fails(2, args("gift-card issue much"), "250.00")
		s.ok(args("gift-card load "+card+" 100 --lang nb"), "Satt inn på kortet: 100")
		s.ok(args("gift-card block "+card+" --reason Lost"), "The gift card is now blocked.")
		s.fails(5, args("gift-card block "+card), "The gift card is blocked already.")
		s.ok(args("gift-card unblock " + card))
		s.ok(args("gift-card show "+card), "active, 350.00 NOK", code[len(code)-4:])
		if r := s.feed(code+"\n", "code", "check", "-", "--total", "400.00"); r.status != 0 || !strings.Contains(r.out, "takes 350.00") || !strings.Contains(r.out, "Left to pay: 50.00") {
			t.Errorf("%+v", r)
		}
		fresh := decode[map[string]string](s, "gift-card", "renew", card)["code"]
		s.ok(args("code check "+code), "unknown: cannot be used: Another code stands in the place of this one.")
		s.ok(args("code check "+fresh), card, "can be used")
		asleep := decode[map[string]any](s, "gift-card", "issue", "100", "--inactive")["id"].(string)
		s.ok(args("gift-card show "+asleep), "inactive")
		s.ok(args("gift-card activate " + asleep))
		s.ok(args("gift-card list"), card, asleep)
		if all := decode[[]map[string]any](s, "gift-card", "list", "--limit", "1"); len(all) != 1 {
			t.Errorf("a list of one: %v", all)
		}
		s.ok(args("gift-card close "+card), "closed")
		s.fails(4, args("gift-card show gft_01k9zjq3hfe1f8m6v7j0q3x5c4"), "There is no such gift card")

		// claims
		kept := s.feed(`{"source": "till", "external_id": "R-1", "amount": "180.00"}`, "claim", "keep", "-", "--json")
		if kept.status != 0 {
			t.Fatalf("%+v", kept)
		}
		receipt := between(kept.out, `"code": "`, `"`)
		waiting := between(kept.out, `"id": "`, `"`)
		s.ok(args("claim show "+waiting), "till:R-1", "open until")
		s.ok(args("claim receipt "+receipt+" ext:1"), "18 points")
		s.fails(5, args("claim receipt "+receipt+" ext:2"), "claim")
		s.ok(args("claim show "+waiting), "claimed by mem_")
		s.ok(args("claim linked ext:1"), "Nothing waits")
		other := s.feed(`{"source": "till", "external_id": "R-2", "amount": "10.00"}`, "claim", "keep", "-", "--json")
		s.ok(args("claim cancel", between(other.out, `"id": "`, `"`)), "cancelled")
		if r := s.feed(`{"source": `, "claim", "keep", "-"); r.status != 2 {
			t.Errorf("half a purchase: %+v", r)
		}

		// grants, challenges, plans, invitations
		s.ok(args("grant give ext:1 coffee --uses 2 --reason Sorry"), "A coffee")
		s.ok(args("grant list ext:1"), "1  A coffee, open, by hand, 2 × left")
		s.fails(3, args("grant give ext:1 yacht --reason x"), "/reward")
		s.ok(args("grant take-back ext:1 1 --reason Mistake"), "A coffee")
		s.ok(args("grant list ext:1"), "There is none")
		s.ok(args("challenge join ext:1 hunt --show Kari"))
		s.ok(args("challenge list ext:1 --lang nb"), "hunt", "Jakten")
		s.ok(args("challenge leaderboard hunt"))
		s.ok(args("challenge leave ext:1 hunt"))
		s.ok(args("plan event ext:1 plus started --source billing --external-id 1 --lang nb"), "Pluss begynte med en gratis prøvetid")
		s.ok(args("plan event ext:1 plus paid --source billing --external-id 2"), "Plus")
		s.ok(args("plan list ext:1"), "plus  Plus, active until")
		s.ok(args("plan event ext:1 plus cancelled"), "cancelled")
		s.fails(3, args("plan event ext:1 gold started"), "/plan")
		invitation := decode[map[string]any](s, "invitation", "code", "ext:1")["code"].(string)
		s.ok(args("invitation name ext:2 "+invitation), "Invited")
		s.ok(args("invitation show ext:2"), "Invited by mem_", ": open")

		// partners
		s.ok(args("partner list"), "hotel  The hotel", "awards point at 0.10 NOK")
		s.ok(args("partner pay hotel 500.00 --reference bank-1"), "Noted: bank-1, 500")
		s.ok(args("partner pay hotel 500.00 --reference bank-1"))
		month := time.Now().UTC().Format("2006-01")
		if now := time.Now(); now.Day() == 1 || now.Add(24*time.Hour).Day() == 1 {
			t.Skip("the month in Oslo may be another one")
		}
		s.ok(args("partner statement hotel "+month), "The hotel (hotel)", "paid 500", "due -500")
		s.ok(args("partner statement hotel "+month+" --csv"), ",")
		s.ok(args("partner statement hotel "+month+" --pdf --output s.pdf --lang nb"), "Wrote s.pdf")
		if text, err := os.ReadFile(filepath.Join(s.dir, "s.pdf")); err != nil || !strings.HasPrefix(string(text), "%PDF-") {
			t.Errorf("no PDF: %v", err)
		}
		s.fails(5, args("partner statement hotel "+month+" --pdf --output s.pdf"), "there already")
		s.fails(2, args("partner statement hotel "+month+" --output s.pdf"), "--csv or --pdf")
		s.fails(4, args("partner show motel"), "no such partner")

		// and the books hold, with cards told as cards
		s.ok(args("member show ext:1"), "Plus: paid until", "18 points", "earned 18")
		s.ok(args("member show ext:2 --lang nb"), "Invitert av mem_")
		s.ok(args("verify"), "2 members, 2 gift cards", "The books hold")
	})
}

// between is the text between two others, the first time that they come.
func between(s, before, after string) string {
	_, rest, _ := strings.Cut(s, before)
	out, _, _ := strings.Cut(rest, after)
	return out
}
