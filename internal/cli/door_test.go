package cli_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"lojal.dev/lojal/internal/cli"
)

const whole = `{program: shop, name: {en: Shop, nb: Butikk}, time_zone: Europe/Oslo, currency: NOK,
units: {point: {name: {en: {one: point, other: points}, nb: {one: poeng, other: poeng}}}, gift: {precision: 2, worth: "1.00", name: {en: {one: gift krone, other: gift kroner}, nb: {one: gavekrone, other: gavekroner}}}, kudo: {name: {en: {one: kudo, other: kudos}}, expires: {end_of: year}}},
earn: [{id: base, on: purchase, give: {unit: point, amount: 1, per: 10.00}}, {id: allowance, on: enrolment, give: {unit: kudo, amount: 20}}],
recognition: {gives: kudo, becomes: point, values: [{id: helped, name: {en: Helped a customer}}], approval: {from: 10, within: 7 days}, undo: 1 hour},
rewards: [{id: coffee, title: {en: A coffee, nb: En kaffe}, price: {point: 50}},
  {id: off, title: {en: Money off}, price: {point: 2}, gives: {voucher: {money: 25.00, valid: 3 months}}},
  {id: parcel, title: {en: A parcel}, price: {point: 2}, gives: {kind: goods, product: parcel}},
  {id: film, title: {en: A film}, price: {point: 1}, gives: {pool: cinema}},
  {id: bought, title: {en: A gift card}, price: {point: 2}, gives: {gift_card: {money: 100.00, provider: cards}}}],
households: {most: 4, shares: [point]},
organizations: {most: 4, roles: {owner: [manage, buy, spend], buyer: [buy]}},
shares: [{id: friend, title: {en: A coffee for a friend}, reward: coffee, claim: 14 days, for: everybody}],
coupons: [{id: summer, title: {en: Summer}, word: SUMMER10, percent: 10}, {id: sorry, title: {en: Sorry}, money: 50.00}],
plans: [{id: plus, title: {en: Plus, nb: Pluss}, price: 99.00, every: 1 month, trial: 14 days, grace: 7 days}],
challenges: [{id: hunt, title: {en: The hunt, nb: Jakten}, on: purchase, count: purchases, goal: 3, join: true, leaderboard: true, gives: {reward: coffee}}],
referral: {friend: {unit: point, amount: 10}, referrer: {unit: point, amount: 10}, late: 14 days},
transfers: {units: point},
benefits: [{id: lounge, title: {en: The lounge}, limit: {per: month, times: 1}}],
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
		s.ok(args("code check "+code), "Another code stands in the place of this one.")
		s.ok(args("code check "+fresh), card, "can be used")
		asleep := decode[map[string]any](s, "gift-card", "issue", "100", "--inactive")["id"].(string)
		s.ok(args("gift-card show "+asleep), "inactive")
		s.ok(args("gift-card activate " + asleep))
		s.ok(args("gift-card list"), card, asleep)
		if all := decode[[]map[string]any](s, "gift-card", "list", "--limit", "1"); len(all) != 1 {
			t.Errorf("a list of one: %v", all)
		}
		s.ok(args("gift-card pay "+fresh+" 120.00 --source till --external-id R-1/card"), "120")
		s.fails(6, args("gift-card pay "+fresh+" 999.00"), "too low")
		s.fails(2, args("gift-card pay "+fresh), "--total")
		if r := s.feed(fresh+"\n", "gift-card", "pay", "-", "--total", "30.00", "--reserve"); r.status != 0 || !strings.Contains(r.out, "reserved") {
			t.Errorf("%+v", r)
		}
		s.write("cards.csv", "amount,to,reference\n150.00,Ola,e-1\n,Kari,e-2\n10.00,Liv,e-3\n")
		made := s.run(args("gift-card batch xmas cards.csv --amount 300")...)
		if n := strings.Count(made.out, "shown only now"); n != 2 || made.status != 3 || !strings.Contains(made.out, "card 3: ") || !strings.Contains(made.err, "1 card could not be made") {
			t.Errorf("a batch with one card that is none: %+v", made)
		}
		s.write("odd.csv", "amount,colour\n150.00,red\n")
		s.fails(3, args("gift-card batch odd odd.csv"), "Line 2", "colour")
		named := strings.Fields(s.ok(args("gift-card list --batch xmas"), "reference e-1", "reference e-2"))[0]
		if was := decode[map[string]any](s, "gift-card", "show", named)["to"]; was == nil {
			t.Error("a card of the batch is for nobody")
		}
		s.ok(args("gift-card erase "+named), named)
		if is := decode[map[string]any](s, "gift-card", "show", named)["to"]; is != nil {
			t.Errorf("an erased card is for %v", is)
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

		// redemptions, vouchers and orders
		parcel := s.redeem("parcel")
		s.ok(args("redemption fulfil "+parcel+" sent --reference 3707"), "sent since", "reference 3707")
		s.fails(3, args("redemption fulfil "+parcel+" lost"), "/to")
		s.ok(args("redemption show "+parcel), "1 × A parcel, committed, for 2 point", "sent since")
		s.ok(args("redemption fulfil "+parcel+" returned --reason Refused"), "refunded", "returned since", ": Refused")
		s.ok(args("redemption list ext:1 --status refunded"), parcel)
		held := between(s.ok(args("redemption make ext:1 parcel --reserve --json")), `"redemptions": [`, "reward")
		held = between(held, `"id": "`, `"`)
		s.ok(args("redemption cancel "+held), "cancelled")
		s.fails(5, args("redemption commit "+held), "cancelled")
		s.write("film.txt", "FILM-1\n")
		s.ok(args("pool load cinema film.txt"))
		s.ok(args("pool load DAY film.txt"), "1 code added to the pool DAY.", "No reward of the program names the pool DAY")
		if said := s.ok(args("pool load cinema film.txt")); strings.Contains(said, "No reward") {
			t.Error(said)
		}
		s.fails(3, args("pool load a.day film.txt"), "cannot be a pool")
		if pools := decode[[]map[string]any](s, "pool", "list"); len(pools) != 2 || pools[0]["pool"] != "DAY" || pools[1]["pool"] != "cinema" || pools[1]["loaded"] != 1.0 || pools[1]["left"] != 1.0 {
			s.t.Errorf("the pools are %v", pools)
		}
		s.ok(args("pool list"), "1 left")
		handed := s.ok(args("redemption make ext:1 film"), "Code FILM-1")
		if strings.Contains(handed, "shown only now") {
			t.Errorf("a code that can be shown again is told as one that cannot: %s", handed)
		}
		film := "red_" + between(handed, "\nred_", " ")
		s.ok(args("redemption code "+film), "Code FILM-1")
		s.fails(5, args("redemption refund "+film), "handed out")

		text := s.ok(args("redemption make ext:1 off"), "shown only now")
		voucher, paper := "red_"+between(text, "\nred_", " "), between(text, "Code ", ",")
		s.ok(args("voucher use "+paper+" --total 100.00"), "Used: the voucher", "25.00 off")
		s.fails(5, args("voucher use "+paper+" --total 100.00"), "used")
		s.ok(args("voucher undo "+voucher+" --reason Returned"), "usable")
		another := between(s.ok(args("voucher renew "+voucher), "shown only now"), "Code ", ",")
		s.fails(5, args("voucher use "+paper+" --total 100.00"), "Another code")
		if r := s.feed(another+"\n", "voucher", "use", "-", "--total", "100.00"); r.status != 0 {
			t.Errorf("the code that was renewed: %+v", r)
		}
		s.ok(args("voucher undo " + voucher))
		s.ok(args("voucher void "+voucher), "void")
		s.fails(2, args("voucher use --total 100.00"), "--redemption")

		order := s.redeem("bought")
		s.ok(args("order list"), order+"  waiting, from cards")
		s.ok(args("order cancel "+order), "cancelling")
		if all := decode[[]map[string]any](s, "order", "list"); len(all) != 1 || all[0]["redemption"] != order || all[0]["status"] != "cancelling" {
			t.Errorf("orders: %v", all)
		}
		s.ok(args("order show "+order), "cancelling")
		s.fails(4, args("order show "+voucher), "no order")

		// coupons
		batch := strings.Fields(s.ok(args("coupon issue sorry one --count 2")))
		if len(batch) != 4 {
			t.Fatalf("a batch of two: %v", batch)
		}
		s.ok(args("coupon issue sorry one --count 2"), batch[0]+"  was issued before")
		s.fails(3, args("coupon issue summer one"), "/coupon")
		s.ok(args("coupon check "+batch[1]+" --total 80.00"), "Sorry (coupon sorry): can be used, takes 50.00")
		use := between(" "+s.ok(args("coupon use "+batch[1]+" --total 80.00"), "50.00 off"), " ", " ")
		s.fails(5, args("coupon use "+batch[1]+" --total 80.00"))
		s.ok(args("coupon undo " + use))
		s.fails(3, args("coupon use SUMMER10 --total 80.00"), "/member")
		s.ok(args("coupon use SUMMER10 --total 80.00 --member ext:1 --with "+batch[3]), "8.00 off")
		s.ok(args("coupon block " + batch[0]))
		s.fails(7, args("coupon use "+batch[1]+" --total 80.00"), "blocked")
		s.ok(args("coupon unblock " + batch[0]))
		s.ok(args("coupon cancel " + batch[0] + " --reason Forum"))
		s.ok(args("coupon list --batch one"), batch[0]+"  sorry, void", batch[2]+"  sorry, usable, used 0 of 1 time,")
		if n := decode[map[string]any](s, "coupon", "cancel-batch", "one")["cancelled"]; n != 1.0 {
			t.Errorf("%v codes called off, want 1", n)
		}
		s.ok(args("coupon cancel-batch one"), "0 codes of the batch one called off.")

		// by hand
		given := strings.Fields(s.ok(args("adjustment make ext:1 point 25 --reason Waited"), "25 points"))[0]
		s.ok(args("adjustment reverse "+given+" --reason Mistake"), "25 points")
		s.ok(args("adjustment make ext:2 point --to 100 --reason Opening"), "points")
		s.fails(2, args("adjustment make ext:2 point --reason Opening"), "--to")
		s.ok(args("adjustment make --reason Mistake ext:2 point -- -10"), "10 points")
		moved := strings.Fields(s.ok(args("transfer make ext:2 ext:1 point 40 --message Coffee"), "40 points"))[0]
		s.fails(6, args("transfer make ext:2 ext:1 point 400"), "too low")
		s.ok(args("transfer reverse "+moved), "40 points")
		s.fails(4, args("transfer make ext:2 ext:nobody point 4"), "/to")
		s.ok(args("benefit use ext:1 lounge --store oslo --source till --external-id U-1"), "The lounge")
		s.ok(args("benefit use ext:1 lounge --store oslo --source till --external-id U-1"), "recorded before")
		s.fails(5, args("benefit use ext:1 lounge"))

		// shares
		shared := decode[map[string]any](s, "share", "make", "ext:1", "friend")
		s.ok(args("share list ext:1"), shared["id"].(string)+"  A coffee for a friend (friend)", "to be claimed until")
		s.fails(7, args("share claim "+shared["code"].(string)+" ext:1"))
		s.ok(args("share claim "+shared["code"].(string)+" ext:2"), "claimed by mem_")
		s.ok(args("grant list ext:2"), "A coffee, open, by share:friend")
		s.fails(5, args("share claim "+shared["code"].(string)+" ext:2"))
		second := decode[map[string]any](s, "share", "make", "ext:1", "friend")["id"].(string)
		s.ok(args("share cancel " + second))
		s.ok(args("share list ext:1"), "There is none")

		// recognition
		s.fails(4, args("recognition give ext:nobody ext:2 5"), "/from")
		given = strings.Fields(s.ok(args("recognition give ext:1 ext:2 5 --value helped --message Thanks"), "5 kudos"))[0]
		s.ok(args("recognition undo "+given), "kudos")
		waits := strings.Fields(s.ok(args("recognition give ext:1 ext:2 10 --value helped"), "kudos"))[0]
		s.ok(args("recognition list --status waiting"), waits, "10 kudo", "Helped a customer", "waiting")
		s.ok(args("recognition approve "+waits), "kudos")
		s.ok(args("recognition list --status waiting"), "There is none")
		declined := strings.Fields(s.ok(args("recognition give ext:2 ext:1 10 --value helped"), "kudos"))[0]
		s.ok(args("recognition decline "+declined+" --reason No"), "kudos")
		s.ok(args("recognition list"), "undone", "given", "declined")

		// households and organizations
		home := decode[map[string]any](s, "household", "make", "ext:1")["id"].(string)
		s.ok(args("household invite " + home + " ext:2 --by ext:1"))
		s.ok(args("household show "+home), "household, active, can spend together", "invited as member until")
		s.ok(args("household decline " + home + " ext:2 --by ext:2"))
		s.fails(5, args("household accept "+home+" ext:2"))
		s.ok(args("household invite " + home + " ext:2"))
		s.ok(args("household accept " + home + " ext:2"))
		s.ok(args("household role " + home + " ext:2 owner --by ext:1"))
		s.ok(args("household show "+home), "owner since", "takes along")
		s.ok(args("member houses ext:2"), home)
		s.ok(args("household remove " + home + " ext:2 --by ext:1"))
		s.ok(args("household leave " + home + " ext:1"))
		s.ok(args("member houses ext:1"), "There is none")
		s.fails(4, args("household show org_01k9zjq3hfe1f8m6v7j0q3x5c4"))
		firm := strings.Fields(s.ok(args("organization make ext:2 --name Fjord --identifier ext:k-881 --source crm --external-id 7"), "  organization of ext:2"))[0]
		s.ok(args("organization make ext:2 --name Fjord --identifier ext:k-881 --source crm --external-id 7"), firm, "made before")
		s.ok(args("organization list --search fjord"), firm, "Fjord", "k-881")
		s.ok(args("member show ext:k-881"), "Fjord  "+firm, "ext:k-881")
		s.ok(args("organization invite " + firm + " ext:1 --role buyer --by ext:2"))
		s.ok(args("organization accept " + firm + " ext:1"))
		s.ok(args("organization show "+firm), "organization, active", "buyer since", "has 0 point")
		s.fails(7, args("organization remove "+firm+" ext:2 --by ext:1"))
		s.ok(args("organization leave " + firm + " ext:1"))

		// partners
		s.ok(args("partner list"), "hotel  The hotel", "awards point at 0.10 NOK")
		s.ok(args("partner pay hotel 500.00 --reference bank-1"), "Noted: bank-1, 500")
		paid := s.ok(args("partner pay hotel 500.00 --reference bank-1 --json"))
		month := regexp.MustCompile(`"recorded_at": "(\d{4}-\d\d)`).FindStringSubmatch(paid)[1] // that of the program's zone
		s.ok(args("partner statement hotel "+month), "The hotel", "Statement", "500.00", "To be paid to the partner")
		s.ok(args("partner statement hotel "+month+" --lang nb"), "Oppgjør", "Partneren skal ha")
		s.ok(args("partner statement hotel "+month+" --csv"), ",")
		s.ok(args("partner statement hotel "+month+" --pdf --output s.pdf --lang nb"), "Wrote s.pdf")
		if text, err := os.ReadFile(filepath.Join(s.dir, "s.pdf")); err != nil || !strings.HasPrefix(string(text), "%PDF-") {
			t.Errorf("no PDF: %v", err)
		}
		s.fails(5, args("partner statement hotel "+month+" --pdf --output s.pdf"), "there already")
		s.fails(2, args("partner statement hotel "+month+" --output s.pdf"), "--csv or --pdf")
		s.fails(4, args("partner show motel"), "no such partner")

		// and the books hold, with cards told as cards
		s.ok(args("member show ext:1"), "Plus: paid until", "13 points", "earned 18")
		s.ok(args("member show ext:2 --lang nb"), "Invitert av mem_")
		s.ok(args("verify"), "4 gift cards", "The books hold")
	})
}

// redeem redeems a reward for member 1 and gives the redemption's id.
func (s *shell) redeem(reward string) string {
	s.t.Helper()
	return "red_" + between(s.ok(args("redemption make ext:1 "+reward)), "\nred_", " ")
}

// between is the text between two others, the first time that they come.
func between(s, before, after string) string {
	_, rest, _ := strings.Cut(s, before)
	out, _, _ := strings.Cut(rest, after)
	return out
}

// A raffle is drawn and proven by whoever has its seed and its tickets.
func TestARaffleIsProvenFromTheCommandLine(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *shell) {
		s.ok(args("migrate"))
		raffle := strings.Replace(whole, `rewards: [`, `rewards: [{id: ticket, title: {en: A ticket}, price: {point: 5}, gives: {raffle: {draw: "DRAW", prize: coffee}}}, `, 1)
		at := time.Now().Add(24 * time.Hour)
		s.ok(args("program publish", s.write("shop.yaml", strings.Replace(raffle, "DRAW", at.Format(time.RFC3339), 1))))
		s.ok(args("import members", s.write("members.csv", "number\n1\n2\n"), "--map", s.write("members.yaml", "import: members\nsource: old\nmember: {external_id: number}\n")))
		for _, m := range []string{"ext:1", "ext:2"} {
			s.ok(args("adjustment make " + m + " point 50 --reason Opening"))
			s.ok(args("redemption make " + m + " ticket --quantity 3"))
		}
		s.ok(args("raffle list"), "ticket  ")
		s.fails(5, args("raffle draw ticket"), "not drawn yet")
		s.fails(5, args("raffle verify ticket"), "not drawn yet")
		s.fails(4, args("raffle show coffee"), "raffle")
		var out, wrong bytes.Buffer // a day later
		next := func() time.Time { return at.Add(time.Hour) }
		if status := cli.Run(t.Context(), args("raffle draw ticket", "--db", s.url), cli.Streams{In: strings.NewReader(""), Out: &out, Err: &wrong}, cli.Build{}, next); status != 0 {
			t.Fatalf("%d: %s%s", status, out.String(), wrong.String())
		}
		ran{out: out.String()}.says(t, "ticket  drawn", "seed ", "6 tickets", "1. red_")
		s.ok(args("raffle show ticket"), "1. red_", "mem_")
		s.ok(args("raffle verify ticket"), "ticket: the seed has the hash that was told", "6 tickets", "1 ticket")
		s.ok(args("verify"))
	})
}
