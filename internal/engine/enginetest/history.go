package enginetest

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"pgregory.net/rapid"

	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
)

// Start is where drawn histories begin.
var Start = time.Date(2026, 1, 1, 9, 0, 0, 0, time.UTC)

// Options narrow what is drawn.
type Options struct {
	// Plain keeps to whole points, to ends that the reference model knows (no end, days, the end of a month), and to what members do themselves.
	Plain bool
	// Orderly draws no late facts.
	Orderly bool
}

// Choices of a drawn program: one of each list.
var (
	ends = []string{"", ", expires: {after: 30 days}", ", expires: {after: 20 days, warn: 5 days}", ", expires: {end_of: month, later: 1}"}
	more = []string{", expires: {inactive: 25 days, warn: 3 days}", ", expires: {after: 40 days, at: end of month, inactive: 30 days}",
		`, expires: {on: ["03-31", "06-30"], at_least: 10 days, warn: 1 week}`, ", expires: {after: 36 hours}"}
	rounds = []string{"", ", round: {to: nearest}", ", round: {to: up, once: line}", ", round: {to: half-even, once: end}", ", round: {once: line}"}
	basis  = []string{"", ", basis: {tax: excluded}", ", basis: {shipping: included, discounts: gross}", ", basis: {paid_with_points: excluded}",
		", basis: {max: 60.00}", ", basis: {without_payments: gift_card}", ", basis: {purchase_discounts: ignored}"}
	optional = []string{
		"{id: food, on: purchase, lines: {category: food}, give: {unit: point, amount: 2, per: 5.00}, claims_lines: true}",
		"{id: shoe, on: purchase, lines: {sku: S1}, give: {unit: point, amount: 1, per: 2.00}, claims_lines: true}",
		"{id: item, on: purchase, give: {unit: point, amount: 3, each: item}}",
		"{id: line, on: purchase, lines: {category: food}, give: {unit: point, amount: 2, each: line}}",
		"{id: visit, on: purchase, give: {unit: point, amount: 7}, limit: {per: day, times: 2}}",
		"{id: wait, on: purchase, give: {unit: point, amount: 1, per: 4.00}, pending: {for: 5 days}}",
		`{id: fly, on: purchase, lines: {category: travel}, give: {unit: point, amount: 1, per: 3.00}, pending: {until: "activity:flown"}}`,
		"{id: flash, on: purchase, give: {unit: point, amount: 9}, expires: {after: 7 days}, when: {total: {from: 20.00}}}",
		"{id: capped, on: purchase, give: {unit: point, amount: 1, per: 1.00}, limit: [{per: week, amount: 50}, {per: purchase, amount: 30}]}",
		"{id: budget, on: purchase, give: {unit: point, amount: 1, per: 2.00}, limit: {each: program, per: month, amount: 90, over: refuse}}",
		"{id: alone, on: purchase, lines: {category: shoes}, give: {unit: point, amount: 1, per: 6.00}, stack: exclusive, priority: 3}",
		"{id: best-a, on: purchase, give: {unit: point, amount: 12}, stack: best, group: g}, {id: best-b, on: purchase, give: {unit: point, amount: 1, per: 3.00}, stack: best, group: g}",
		"{id: formula, on: purchase, give: {unit: point, formula: \"basis > 3000 ? floor(basis / 700) : 1\"}}",
		"{id: gold, on: purchase, when: {tier: {club: gold}}, multiply: 2}",
		"{id: half, on: purchase, lines: {category: shoes}, multiply: 0.5}",
		"{id: more, on: purchase, multiply: 1.5, of: all, limit: {per: day, times: 1}}",
		"{id: status, on: purchase, give: {unit: mark, amount: 1, per: 10.00}}",
		"{id: trial, on: purchase, give: {unit: point, amount: 50}, dry_run: true}",
		`{id: review, on: "activity:review", give: {unit: point, formula: property.stars * 2}, limit: {per: day, amount: 12}}`,
		`{id: plus, on: "plan:plus", give: {unit: point, amount: 8}, limit: {per: month, times: 1}}`,
		"{id: planned, on: purchase, when: {plan: [plus, pro]}, multiply: 2}",
		"{id: welcome, on: enrolment, give: {unit: point, amount: 15}, pending: {for: 1 day}}",
		"{id: percent, on: purchase, give: {unit: point, percent: 3, steps: [{after: 10 days, percent: 5}]}}",
	}
	// timed are rules that time runs, and those on tiers.
	timed = []string{
		"{id: birthday, on: birthday, give: {unit: point, amount: 11}}",
		"{id: years, on: anniversary, give: {unit: point, amount: 12}, pending: {for: 3 days}}",
		`{id: spring, on: "date:02-14", when: {tier: {club: silver}}, give: {unit: point, amount: 6}, limit: {each: program, per: year, amount: 8}}`,
		`{id: weekly, on: "every:week", give: {unit: point, amount: 2}, expires: {end_of: week}}`,
		`{id: growth, on: "every:week", give: {unit: point, percent: 10, of: balance}, round: {to: nearest}}`,
		`{id: kept, on: "every:month", give: {unit: point, percent: 5, of: balance of point, kept: 10 days}}`,
		`{id: rebate, on: "every:week", give: {unit: point, of: spend, steps: [{from: 20.00, percent: 5}, {from: 60.00, percent: 9}]}}`,
		`{id: parts, on: "every:month", lines: {category: food}, basis: {tax: excluded}, give: {unit: point, of: spend, percent: 2, steps: [{from: 10.00, percent: 8}], stepped: each part}, round: {to: nearest}, limit: {per: month, amount: 9}}`,
		`{id: to-silver, on: "tier:club/silver", give: {unit: point, amount: 9}, limit: {each: program, per: year, times: 3}}`,
		`{id: to-gold, on: "tier:club/gold", give: {unit: mark, amount: 5}, limit: {per: day, times: 1, zone: member}}`,
	}
	challenges = []string{
		"{id: target, on: purchase, sum: spend, goal: 50.00, repeats: true, leaderboard: true, returns: {if_used: debt}}",
		"{id: card, on: purchase, lines: {not: {category: travel}}, count: items, goal: 4, repeats: true, at_once: 2, above: burn, leaderboard: true, gives: {reward: buns, waits: 2 days, valid: 9 days, warn: 2 days}}",
		"{id: month, on: purchase, sum: point, goal: 30, repeats: true, per: month, gives: {reward: mug}, returns: {if_used: clamp}}",
		"{id: kinds, on: purchase, set: category, goal: 3, gives: {reward: mug, waits: 1 day, hand_over: true}, leaderboard: true}",
		"{id: codes, on: purchase, set: sku, goal: 2, gives: {reward: slip, waits: 1 day, hand_over: true}}",
		"{id: days, on: purchase, streak: day, goal: 2, repeats: true, gives: {reward: buns, uses: 2}, returns: {if_used: clamp}}",
		`{id: reviews, on: "activity:review", sum: stars, goal: 7, repeats: true, join: true, badge: Critic, returns: {prizes: waiting}}`,
		"{id: brief, on: purchase, count: purchases, goal: 2, repeats: true, until: \"2026-02-01\", at_end: drop, gives: {reward: buns, waits: 20 days}}",
	}
	prizes = []string{
		"{id: points, on: purchase, sum: spend, goal: 40.00, repeats: true, gives: {unit: point, amount: 7, waits: 3 days}, returns: {if_used: refuse}}",
		"{id: marks, on: purchase, count: lines, goal: 3, repeats: true, gives: {unit: mark, amount: 2}}",
	}
	tiers = []string{
		"by: {sum: spend}", "by: {sum: spend, window: rolling 20 days}, down: {grace: 6 days}", "by: {sum: spend, window: calendar month}",
		"by: {sum: spend, window: calendar month}, keep: this period, down: {warn: 3 days}", "by: {sum: spend, window: anniversary year}",
		"by: {sum: mark, window: rolling 30 days}, down: {to: one step}", "by: {count: purchases, window: rolling 1 month}",
		"by: {count: visits, window: rolling 15 days}", `by: {count: "activity:review", window: calendar quarter}, down: {to: never}`,
		"by: {sum: point}, current_purchase: next", "by: {sum: spend, lines: {category: food}, basis: {tax: excluded}}",
	}
)

// benefits and plans of drawn programs; fading is one more benefit, which is warned of FadeWarning before each step.
const benefits = `plans:
  - {id: plus, every: 10 days, trial: 4 days, grace: 3 days, benefits: content}
  - {id: pro, every: 1 month, benefits: [content, lounge]}
benefits:
  - {id: content, value: {percent: 5}, grows: {by: {sum: spend, window: rolling 20 days}, steps: [{from: 50.00, percent: 7}]}}
  - {id: rate, value: {percent: 6}, limit: [{per: week, times: 2}, {per: day, times: 1}]}
  - {id: lounge, when: {any: [{tier: {club: silver}}, {plan: pro}]}, limit: {per: week, times: 2}}
`

var fading = []string{
	"{id: fading, value: {percent: 15}, fades: {steps: [{after: 9 days, percent: 10}, {after: 30 days, percent: 0}], warn: 3 days}}",
	"{id: fading, when: {tier: {club: silver}}, fades: {steps: [{after: 3 days}], warn: 3 days}}",
	"{id: fading, when: {member_for: 12 days}, value: {money: 5.00}, fades: {steps: [{after: 5 days, money: 1.00}, {after: 6 days, money: 0}], warn: 3 days}}",
}

// elsewhere is what else a drawn program has: coupons, gift cards, and partners who award and take its points.
const elsewhere = `coupons:
  - {id: summer, word: SUMMER, percent: 10, least: 2.00, limit: [{per: week, times: 2}, {each: program, per: month, times: 5}]}
  - {id: meal, word: MEAL, percent: 30, lines: {category: food}, limit: {per: month, times: 4}}
  - {id: sorry, money: 4.00, uses: 3, group: g}
gift_cards: {unit: gift, min: 1.00, most: 90.00, valid: 40 days, warn: 5 days}
partners:
  - {id: hotel, awards: {point: 0.10}, most: 50, accepts: {point: 0.08}, limit: {per: week, times: 3}}
  - {id: airport, awards: {point: 0.125}, pays: ahead, accepts: {point: 0.11}}
`

// FadeWarning is how long before each step of a fading benefit a member of a drawn program is warned.
const FadeWarning = 3 * 24 * time.Hour

// Program draws a program.
func Program(t *rapid.T, o Options) *program.Compiled {
	pick := func(label string, from []string) string { return rapid.SampledFrom(from).Draw(t, label) }
	expires, precision := ends, ""
	if !o.Plain {
		expires = append(append([]string{}, ends...), more...)
		precision = pick("precision", []string{"", ", precision: 2"})
	}
	var earn []string
	from := optional
	if !o.Plain {
		from = append(append([]string{}, optional...), timed...)
	}
	for i, r := range from {
		// Who comes first for a budget that time gives out depends on who is swept first.
		if o.Orderly && i >= len(optional) && strings.Contains(r, "each: program") {
			continue
		}
		if rapid.IntRange(0, 3).Draw(t, "rule") == 0 && !(o.Plain && strings.Contains(r, "plan")) {
			earn = append(earn, "  - "+strings.ReplaceAll(r, "}, {id", "}\n  - {id"))
		}
	}
	var reach []string
	list := challenges
	if !o.Plain {
		list = append(append([]string{}, challenges...), prizes...)
	}
	for _, c := range list {
		if rapid.IntRange(0, 2).Draw(t, "challenge") == 0 {
			reach = append(reach, "  - "+c)
		}
	}
	if len(reach) > 0 {
		reach = append([]string{"challenges:"}, reach...)
	}
	if !o.Plain && strings.Contains(strings.Join(reach, ""), "id: points") && rapid.Bool().Draw(t, "bonus") {
		earn = append(earn, `  - {id: bonus, on: "challenge:points", give: {unit: point, amount: 3}, limit: {per: day, times: 1}}`)
	}
	steps := "[{id: base, from: 0}, {id: silver, from: 4}, {id: gold, from: 9}]"
	by := pick("tier", tiers)
	if strings.Contains(by, "spend") || strings.Contains(by, "point") {
		steps = "[{id: base, from: 0}, {id: silver, from: 60}, {id: gold, from: 150}]"
	}
	allowance := ""
	if !o.Plain {
		allowance = "  kudo: {name: kudo" + precision + ", expires: {after: 12 days}}\n"
		earn = append(earn, "  - {id: allowance, on: enrolment, give: {unit: kudo, amount: 60}}", `  - {id: renewed, on: "every:week", give: {unit: kudo, amount: 30}}`)
		if len(reach) > 0 {
			reach = append(reach, "  - "+pick("thanked", []string{"{id: thanked, on: recognition, sum: point, goal: 20, repeats: true, leaderboard: true, gives: {reward: mug}}",
				"{id: thanked, on: recognition, streak: week, goal: 2, repeats: true, gives: {reward: buns}}"}))
		}
	}
	text := "program: drawn\nname: Drawn\ntime_zone: Europe/Oslo\ncurrency: EUR\n" +
		"units:\n  point: {name: point, worth: 0.20" + precision + pick("expires", expires) + "}\n  mark: {name: mark, status_only: true}\n  gift: {name: gift, precision: 2, worth: 1.00}\n" + allowance +
		"activities: {review: {properties: {stars: whole}}, flown: {}}\n" +
		"earn:\n  - {id: base, on: purchase, give: {unit: point, amount: 1, per: " + pick("per", []string{"1.00", "3.00", "7.00"}) + "}" +
		pick("round", rounds) + pick("basis", basis) + "}\n" + strings.Join(earn, "\n") + "\n" +
		"tiers: {club: {" + by + ", steps: " + steps + "}}\n" +
		"rewards:\n  - {id: mug, title: Mug, price: {point: 20}, gives: {product: MUG}, stock: 12, limit: {per: week, times: 3}, hold: 3 days}\n" +
		"  - {id: buns, title: Buns, price: {point: 3}, quantity: 2, gives: {product: BUN}, hold: 2 hours}\n" +
		"  - {id: off, title: Off, pay: {unit: point, points: 2, worth: 0.10, share: 50" + pick("pay lines", []string{"", ", lines: {category: food}", ", lines: {not: {category: shoes}}, max: 60"}) + "}}\n" +
		kindsOf(o) +
		"  - {id: slip, title: Slip, price: {point: 2}, gives: {voucher: {money: 2.00, uses: 2, least: 3.00, valid: 20 days}}}\n" +
		"spending: {order: " + pick("order", []string{"earliest expiry", "earliest earned"}) + ", short: " + pick("short", []string{"refuse", "use what there is"}) +
		", own: " + pick("own", []string{"at once", "later"}) + "}\n" +
		"returns: {spent: " + pick("spent", []string{"give back", "keep"}) + ", if_spent: " + pick("if spent", []string{"debt", "clamp", "refuse"}) +
		", round: " + pick("return round", []string{"nearest", "down", "up"}) + "}\n" +
		"transfers: {units: point, limit: {per: day, amount: 200}}\n" +
		"referral: {qualifies: {when: {total: {from: 30.00}}, within: 40 days" + pick("referral", []string{"", ", purchase: first"}) + "}, friend: {unit: point, amount: 11}, " +
		"referrer: {unit: point, amount: 17, limit: {per: month, times: 2}, pending: {for: 4 days}}}\n" +
		strings.Join(reach, "\n") + "\n"
	if !o.Plain {
		text += "shares: [{id: treat, reward: buns, claim: 5 days, valid: 9 days, warn: 2 days, limit: {per: week, times: 3}, for: everybody, thanks: {unit: point, amount: 6}}]\n"
		text += "recognition: {gives: kudo, becomes: point, limit: [{per: day, times: 6}, {each: program, per: month, amount: 300}], between: {per: month, times: 4}, " +
			"approval: {from: 5, within: 4 days}, undo: 2 days}\n"
		text += elsewhere + benefits
		if !o.Orderly { // when a warning is given depends on when the sweep runs
			text += "  - " + pick("fading", fading) + "\n"
		}
	}
	d, err := program.Parse([]byte(text), "")
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	p, err := program.Compile(d, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(text)
	return p
}

// History draws facts that may follow each other. Most of them are right; some ask for more than there is.
type History struct {
	Options

	P       *program.Compiled
	Members []string
	// Coupon is a code of a coupon, which purchases bring; "" for none.
	Coupon string
	// Card is a gift card that things happen to besides; "" for none.
	Card    string
	Clock   time.Time
	bought  []engine.Fact
	held    []engine.Fact // reservations and redemptions
	waiting []engine.Fact // facts that may have something pending
	joined  []string
	given   []engine.Fact // thanks
	passed  []engine.Fact // what was passed on
	thanked []engine.Fact
	abroad  []engine.Fact // what partners did
	lowered []engine.Fact // by coupons
	used    []engine.Fact // of benefits
	facts   int
}

// NewHistory makes a history of members who have not joined yet.
func NewHistory(p *program.Compiled, o Options, members ...string) *History {
	return &History{Options: o, P: p, Members: members, Clock: Start}
}

// Enrol gives the fact that a member joins, at the start.
func (h *History) Enrol(t *rapid.T, member string) engine.Fact {
	b := &engine.EnrolmentBody{Zone: rapid.SampledFrom([]string{"", "America/New_York", "Asia/Tokyo"}).Draw(t, "zone"), Birthday: birthday(t)}
	if !h.Plain && len(h.joined) > 0 && rapid.Bool().Draw(t, "invited") {
		b.Invited = &engine.Invitation{By: rapid.SampledFrom(h.joined).Draw(t, "by")}
	}
	return engine.Fact{Kind: engine.Enrolment, Member: member, OccurredAt: h.Clock, RecordedAt: h.Clock, Enrolment: b}
}

// Issue gives the fact that the gift card is made.
func (h *History) Issue(t *rapid.T) engine.Fact {
	return engine.Fact{Kind: engine.Enrolment, Member: h.Card, OccurredAt: h.Clock, RecordedAt: h.Clock, Enrolment: &engine.EnrolmentBody{Kind: engine.GiftCard},
		Card: &engine.Card{Amount: cents(t, "on the card", 100, 9000), Inactive: rapid.IntRange(0, 3).Draw(t, "inactive") == 0}}
}

// IssueCode gives the fact that the code of a coupon is made.
func (h *History) IssueCode() engine.Fact {
	return engine.Fact{Kind: engine.Enrolment, Member: h.Coupon, OccurredAt: h.Clock, RecordedAt: h.Clock, Enrolment: &engine.EnrolmentBody{Kind: engine.CouponCode},
		Card: &engine.Card{Coupon: "sorry"}}
}

// Took notes a fact that was taken, so that later ones can be about it.
func (h *History) Took(f engine.Fact) {
	switch f.Kind {
	case engine.PurchaseK:
		for i := range f.Purchase.Codes { // somebody may try to take such a use back by hand
			u := &f.Purchase.Codes[i]
			use := engine.Fact{ID: u.Use, Member: cmp.Or(u.Holder, f.Member)}
			switch {
			case u.Coupon != "":
				h.lowered = append(h.lowered, use)
			case u.Benefit != "":
				h.used = append(h.used, use)
			}
		}
		h.bought = append(h.bought, f)
		h.waiting = append(h.waiting, f)
	case engine.Reserve, engine.Redeem:
		h.held = append(h.held, f)
	case engine.ActivityK, engine.AdjustmentK, engine.Enrolment:
		h.waiting = append(h.waiting, f)
	case engine.ShareK:
		if f.Share.Do == engine.ShareMake {
			h.passed = append(h.passed, f)
		}
	case engine.RecognitionK:
		if f.Recognition.Do == engine.RecognitionGive {
			h.given = append(h.given, f)
		}
	case engine.ThanksK:
		h.thanked = append(h.thanked, f)
	case engine.PartnerK:
		h.abroad = append(h.abroad, f)
	case engine.CouponK:
		h.lowered = append(h.lowered, f)
	case engine.UseK:
		h.used = append(h.used, f)
	}
	if f.Kind == engine.Enrolment && f.Card == nil {
		h.joined = append(h.joined, f.Member)
	}
}

// Bought are the purchases that were taken.
func (h *History) Bought() []engine.Fact { return h.bought }

var kinds = []engine.Kind{
	engine.PurchaseK, engine.PurchaseK, engine.PurchaseK, engine.PurchaseK, engine.ReturnK, engine.ReturnK, engine.ReturnK, engine.ActivityK,
	engine.Reserve, engine.Redeem, engine.Redeem, engine.Commit, engine.Cancel, engine.Refund, engine.Refund, engine.AdjustmentK, engine.TransferOut,
	engine.Release, engine.TierGrant, engine.GrantK, engine.GrantK, engine.Status, engine.MergeOut,
	engine.ShareK, engine.RecognitionK, engine.RecognitionK, engine.ThanksK, engine.ProfileK, engine.ChallengeK, engine.PlanK, engine.PlanK, engine.UseK,
	engine.PartnerK, engine.PartnerK, engine.Load, engine.VoucherK, engine.VoucherK, engine.FulfilK, engine.FulfilK, engine.CouponK, engine.CouponK,
}

// ofCards are what happens to gift cards, and now and then what does not.
var ofCards = []engine.Kind{engine.Load, engine.Load, engine.Redeem, engine.Redeem, engine.Reserve, engine.Commit, engine.Cancel, engine.Refund, engine.Refund,
	engine.AdjustmentK, engine.Release, engine.Status, engine.TransferOut, engine.PurchaseK}

var waits = []time.Duration{0, 0, time.Second, time.Minute, time.Hour, 7 * time.Hour, 24 * time.Hour, 3 * 24 * time.Hour, 9 * 24 * time.Hour, 33 * 24 * time.Hour}

// Next draws the next fact and moves the clock to it. Ok is false when there is nothing that a fact of the drawn kind could be
// about.
func (h *History) Next(t *rapid.T) (f engine.Fact, ok bool) {
	h.Clock = h.Clock.Add(rapid.SampledFrom(waits).Draw(t, "wait"))
	f = engine.Fact{Kind: rapid.SampledFrom(kinds).Draw(t, "kind"), OccurredAt: h.Clock, RecordedAt: h.Clock}
	h.facts++
	f.Member = rapid.SampledFrom(h.Members).Draw(t, "member")
	if h.Card != "" && rapid.IntRange(0, 5).Draw(t, "card") == 0 {
		f.Member, f.Kind = h.Card, rapid.SampledFrom(ofCards).Draw(t, "of cards")
	}
	if h.Coupon != "" && rapid.IntRange(0, 15).Draw(t, "code") == 0 {
		f.Member, f.Kind = h.Coupon, rapid.SampledFrom([]engine.Kind{engine.CouponK, engine.CouponK, engine.Status}).Draw(t, "of codes")
	}
	if !h.Orderly && rapid.IntRange(0, 5).Draw(t, "late") == 0 {
		f.OccurredAt = h.Clock.Add(-rapid.SampledFrom(waits).Draw(t, "by"))
		if f.OccurredAt.Before(Start) {
			f.OccurredAt = Start
		}
	}
	ok = h.body(t, &f)
	return f, ok
}

func (h *History) body(t *rapid.T, f *engine.Fact) bool {
	about := func(list []engine.Fact) bool {
		if len(list) == 0 {
			return false
		}
		past := rapid.SampledFrom(list).Draw(t, "about")
		f.Parent, f.Member = past.ID, past.Member
		return true
	}
	unit := "point"
	switch f.Kind {
	case engine.PurchaseK:
		f.Purchase = h.purchase(t, f.Member)
	case engine.ReturnK:
		return h.giveBack(t, f)
	case engine.ActivityK:
		f.Activity = &engine.Activity{Kind: "review", Properties: map[string]string{"stars": rapid.SampledFrom([]string{"1", "3", "5"}).Draw(t, "stars")}}
		if rapid.Bool().Draw(t, "flown") && len(h.bought) > 0 {
			f.Activity = &engine.Activity{Kind: "flown"}
			about(h.bought)
			f.Activity.Confirms = f.Parent
		}
	case engine.Reserve, engine.Redeem:
		f.Redemption = &engine.Redemption{Spend: h.spend(t)}
		if f.Redemption.Spend.Reward == "off" && rapid.IntRange(0, 9).Draw(t, "says the total") > 0 {
			f.Redemption.Total = cents(t, "to pay", 0, 9000)
		}
		if f.Member == h.Card {
			f.Redemption = &engine.Redemption{Spend: engine.Spend{Points: cents(t, "paid", 1, 4000)}}
			if rapid.Bool().Draw(t, "all of it") {
				f.Redemption = &engine.Redemption{Spend: engine.Spend{Max: true}, Total: cents(t, "total", 0, 9000)}
			}
		}
	case engine.Load:
		f.Card = &engine.Card{Amount: cents(t, "loaded", 50, 5000)}
		if ends := f.OccurredAt.Add(9 * 24 * time.Hour); rapid.IntRange(0, 3).Draw(t, "ends") == 0 {
			f.Card.ExpiresAt = &ends
		}
	case engine.PartnerK:
		if h.Plain {
			return false
		}
		f.Partner = &engine.PartnerBody{Partner: rapid.SampledFrom([]string{"hotel", "airport"}).Draw(t, "partner"), Unit: "point", Amount: points(t, 1, 55),
			Do: rapid.SampledFrom([]string{engine.PartnerAward, engine.PartnerAward, engine.PartnerAccept, engine.PartnerUndo}).Draw(t, "does")}
		if f.Partner.Do == engine.PartnerUndo {
			f.Partner.Unit, f.Partner.Amount = "", nil
			if about(h.abroad) && rapid.IntRange(0, 5).Draw(t, "its own") > 0 {
				for i := range h.abroad {
					if h.abroad[i].ID == f.Parent {
						f.Partner.Partner = h.abroad[i].Partner.Partner
					}
				}
			}
			return f.Parent != ""
		}
	case engine.Commit, engine.Cancel:
		if rapid.Bool().Draw(t, "with money") {
			f.Redemption = &engine.Redemption{Spend: engine.Spend{Money: rapid.SampledFrom([]*money.Decimal{cents(t, "money", 250, 250), cents(t, "money", 700, 700)}).Draw(t, "paid")}}
		}
		return about(h.held)
	case engine.FulfilK:
		f.Fulfil = &engine.FulfilBody{To: rapid.SampledFrom(engine.Stages).Draw(t, "stage"), Keep: rapid.IntRange(0, 5).Draw(t, "keep") == 0}
		byOrder := rapid.Bool().Draw(t, "the order says so")
		if h.Plain || !about(h.held) {
			return false
		}
		if byOrder {
			f.Source, f.ExternalID = engine.OrderSource, f.Parent+"/"+f.Fulfil.To
		}
	case engine.Refund:
		if rapid.IntRange(0, 2).Draw(t, "part") == 0 {
			f.Redemption = &engine.Redemption{Spend: engine.Spend{Points: points(t, 1, 15)}}
		}
		return about(h.held)
	case engine.AdjustmentK:
		if h.P.Challenges["card"] != nil && rapid.IntRange(0, 2).Draw(t, "counts") == 0 {
			n := points(t, -5, 9)
			if n.IsZero() {
				return false
			}
			f.Adjustment = &engine.Adjustment{Challenge: "card", Amount: n, Reason: "drawn"}
			return true
		}
		if f.Member == h.Card {
			unit = "gift"
		}
		f.Adjustment = &engine.Adjustment{Unit: unit, Amount: points(t, -40, 60), Reason: "drawn", AllowDebt: rapid.Bool().Draw(t, "debt")}
		if f.Adjustment.Amount.IsZero() {
			f.Adjustment.Amount, f.Adjustment.To = nil, points(t, 0, 50)
		}
		switch rapid.IntRange(0, 3).Draw(t, "terms") {
		case 0:
			f.Adjustment.NeverExpires = true
		case 1:
			at := f.OccurredAt.Add(time.Duration(rapid.IntRange(1, 50).Draw(t, "days")) * 24 * time.Hour)
			f.Adjustment.ExpiresAt = &at
		case 2:
			at := f.OccurredAt.Add(time.Duration(rapid.IntRange(1, 9).Draw(t, "days")) * 24 * time.Hour)
			f.Adjustment.ReleaseAt = &at
		}
	case engine.TransferOut:
		f.Transfer = &engine.Transfer{Unit: unit, Amount: *points(t, 1, 60), Other: rapid.SampledFrom(h.Members).Draw(t, "other")}
	case engine.Release:
		f.Release = &engine.ReleaseBody{Cancel: rapid.Bool().Draw(t, "cancel")}
		if f.Member == h.Card { // an activation
			f.Release.Unit, f.Release.Cancel = "gift", false
			return true
		}
		if rapid.IntRange(0, 3).Draw(t, "by unit") == 0 {
			f.Release.Unit = unit
			return true
		}
		return about(h.waiting)
	case engine.TierGrant:
		f.Tier = &engine.TierBody{Set: "club", Tier: rapid.SampledFrom([]string{"", "base", "silver", "gold"}).Draw(t, "tier"), Reason: "drawn"}
		if until := f.OccurredAt.Add(12 * 24 * time.Hour); f.Tier.Tier != "" && rapid.Bool().Draw(t, "until") {
			f.Tier.Until = &until
		}
	case engine.ChallengeK:
		ids := make([]string, 0, len(h.P.Doc.Challenges))
		for i := range h.P.Doc.Challenges {
			ids = append(ids, h.P.Doc.Challenges[i].ID)
		}
		if len(ids) == 0 {
			return false
		}
		f.Challenge = &engine.ChallengeBody{Challenge: rapid.SampledFrom(ids).Draw(t, "joins"), Join: rapid.Bool().Draw(t, "join")}
		if h.P.Challenges[f.Challenge.Challenge].Leaderboard {
			name := rapid.SampledFrom([]string{"", "Kari"}).Draw(t, "shown")
			f.Challenge.Show, f.Challenge.Join = &name, false
		}
	case engine.GrantK:
		f.Grant = &engine.GrantBody{Reward: rapid.SampledFrom([]string{"mug", "buns", "buns"}).Draw(t, "granted"), Uses: int64(rapid.IntRange(0, 4).Draw(t, "uses")), Reason: "drawn"}
		if !h.Plain && rapid.IntRange(0, 3).Draw(t, "a benefit") == 0 {
			f.Grant.Reward, f.Grant.Benefit = "", "lounge"
		}
		if ends := f.OccurredAt.Add(9 * 24 * time.Hour); rapid.Bool().Draw(t, "ends") {
			f.Grant.EndsAt = &ends
		}
		if rapid.IntRange(0, 4).Draw(t, "take back") == 0 {
			f.Grant = &engine.GrantBody{TakeBack: int64(rapid.IntRange(1, 4).Draw(t, "grant")), Reason: "drawn"}
		}
	case engine.Status:
		to := []string{engine.Active, engine.Active, engine.Blocked}
		if rapid.IntRange(0, 4).Draw(t, "leaves") == 0 {
			to = []string{engine.Closed}
		}
		f.Status = &engine.StatusBody{To: rapid.SampledFrom(to).Draw(t, "status")}
	case engine.ThanksK: // what a purchase of another's leads to, drawn by itself
		if h.Plain {
			return false
		}
		f.Thanks = &engine.Thanks{For: "referral", Step: rapid.SampledFrom([]string{engine.ThanksEarned, engine.ThanksUndone, engine.ThanksJoined}).Draw(t, "step"),
			From: rapid.SampledFrom(h.Members).Draw(t, "friend"), Of: "drawn"}
		if rapid.Bool().Draw(t, "recognized") {
			f.Thanks.For = program.RecognitionRule
			if f.Thanks.Step != engine.ThanksUndone {
				f.Thanks.Step, f.Thanks.Unit, f.Thanks.Amount = engine.ThanksGiven, unit, points(t, 1, 20)
			}
		}
		if f.Thanks.For == "referral" && rapid.IntRange(0, 2).Draw(t, "of a share") == 0 {
			f.Thanks.For = program.SharePrefix + "treat"
			if f.Thanks.Step == engine.ThanksJoined {
				f.Thanks.Step = engine.ThanksClaimed
			}
		}
		if f.Thanks.Step == engine.ThanksUndone {
			if !about(h.thanked) {
				return false
			}
			f.Thanks.For = h.forOf(f.Parent)
		}
	case engine.ShareK:
		if h.Plain {
			return false
		}
		f.Share = &engine.ShareBody{Do: rapid.SampledFrom([]string{engine.ShareMake, engine.ShareClaim, engine.ShareVoid}).Draw(t, "shares"), Share: "treat"}
		if f.Share.Do == engine.ShareMake {
			return true
		}
		if f.Share.Do == engine.ShareClaim {
			f.Share.To = rapid.SampledFrom(h.Members).Draw(t, "claims")
		}
		return about(h.passed)
	case engine.RecognitionK:
		if h.Plain {
			return false
		}
		do := rapid.SampledFrom([]string{engine.RecognitionGive, engine.RecognitionGive, engine.RecognitionApprove, engine.RecognitionDecline, engine.RecognitionUndo}).Draw(t, "thanks")
		f.Recognition = &engine.RecognitionBody{Do: do}
		if do != engine.RecognitionGive {
			return about(h.given)
		}
		f.Recognition.To, f.Recognition.Amount = rapid.SampledFrom(h.Members).Draw(t, "to"), points(t, 1, 20)
	case engine.ProfileK:
		f.Enrolment = &engine.EnrolmentBody{Birthday: birthday(t)}
	case engine.PlanK:
		if h.Plain {
			return false
		}
		plans := []string{"plus", "pro"}
		f.Plan = &engine.PlanBody{Plan: rapid.SampledFrom(plans).Draw(t, "plan"), What: rapid.SampledFrom(engine.PlanWords).Draw(t, "what"),
			At: rapid.SampledFrom([]string{"", engine.AtOnce, engine.AtPeriodEnd}).Draw(t, "takes effect")}
		if f.Plan.What == engine.PlanChanged {
			f.Plan.To = rapid.SampledFrom(plans).Draw(t, "to")
		}
		if rapid.IntRange(0, 3).Draw(t, "says until") == 0 {
			until := f.OccurredAt.Add(time.Duration(rapid.IntRange(1, 40).Draw(t, "days")) * 24 * time.Hour)
			f.Plan.Until = &until
		}
	case engine.UseK:
		if h.Plain {
			return false
		}
		if rapid.IntRange(0, 3).Draw(t, "taken back") == 0 {
			f.Use = &engine.UseBody{Undo: true}
			return about(h.used)
		}
		f.Use = &engine.UseBody{Benefit: rapid.SampledFrom([]string{"content", "rate", "lounge", "lounge"}).Draw(t, "benefit")}
	case engine.CouponK:
		if h.Plain {
			return false
		}
		f.Coupon = &engine.CouponStep{Do: engine.CouponUsed, Coupon: "summer", Total: cents(t, "total", 0, 3000)}
		if f.Member == h.Coupon {
			f.Coupon.Coupon = ""
		}
		if rapid.IntRange(0, 3).Draw(t, "undone") == 0 {
			f.Coupon = &engine.CouponStep{Do: engine.CouponUnused}
			return about(h.lowered)
		}
	case engine.VoucherK:
		if h.Plain || !about(h.held) {
			return false
		}
		f.Voucher = &engine.VoucherStep{Do: rapid.SampledFrom([]string{engine.VoucherUsed, engine.VoucherUsed, engine.VoucherUsed, engine.VoucherUnused, engine.VoucherVoid, engine.VoucherCode}).Draw(t, "voucher"),
			Total: cents(t, "total", 0, 3000)}
		if rapid.IntRange(0, 4).Draw(t, "beside") == 0 {
			f.Voucher.With = []engine.Beside{{Redemption: rapid.SampledFrom(h.held).Draw(t, "with").ID, Reward: "slip"}}
		}
	case engine.MergeOut:
		if rapid.IntRange(0, 2).Draw(t, "merge") > 0 {
			return false
		}
		f.Merge = &engine.Merge{Other: rapid.SampledFrom(h.Members).Draw(t, "survivor")}
	}
	return true
}

// forOf is what thanks that were taken are for.
func (h *History) forOf(id string) string {
	for _, f := range h.thanked {
		if f.ID == id {
			return f.Thanks.For
		}
	}
	return ""
}

func birthday(t *rapid.T) string {
	return rapid.SampledFrom([]string{"", "01-05", "01-20", "02-29", "03-15"}).Draw(t, "birthday")
}

func points(t *rapid.T, from, to int) *money.Decimal {
	d := money.New(int64(rapid.IntRange(from, to).Draw(t, "points")), 0)
	return &d
}

func cents(t *rapid.T, label string, from, to int) *money.Decimal {
	d := money.New(int64(rapid.IntRange(from, to).Draw(t, label)), 2)
	return &d
}

func (h *History) spend(t *rapid.T) engine.Spend {
	s := h.spendOf(t)
	switch rapid.IntRange(0, 6).Draw(t, "by grant") {
	case 0:
		s.Paid = true
	case 1:
		if s.Reward != "off" {
			s.Grant = int64(rapid.IntRange(1, 3).Draw(t, "grant"))
		}
	}
	return s
}

// kindsOf are rewards that are followed, taken out of a pool, or picked.
func kindsOf(o Options) string {
	if o.Plain {
		return ""
	}
	return "  - {id: parcel, title: Parcel, price: {point: 9}, money: 2.50, or: [{price: {point: 4}, money: 7.00}], gives: {kind: goods, product: PARCEL}, stock: 9}\n" +
		"  - {id: film, title: Film, price: {point: 5}, gives: {pool: cinema}, hold: 3 days}\n" +
		"  - {id: pick, title: Pick, price: {point: 6}, gives: {choice: [mug, parcel, film]}}\n"
}

func (h *History) spendOf(t *rapid.T) engine.Spend {
	kinds := 7
	if h.Plain {
		kinds = 3
	}
	switch rapid.IntRange(0, kinds).Draw(t, "reward") {
	case 4:
		return engine.Spend{Reward: "slip"}
	case 5:
		s := engine.Spend{Reward: "parcel", Quantity: int64(rapid.IntRange(1, 3).Draw(t, "parcels")), Option: int64(rapid.IntRange(0, 2).Draw(t, "option"))}
		each := int64(250)
		if s.Option == 2 {
			each = 700
		}
		if rapid.IntRange(0, 9).Draw(t, "paid besides") > 0 {
			n := money.New(each*s.Quantity, 2)
			s.Money = &n
		}
		return s
	case 6:
		return engine.Spend{Reward: "film"}
	case 7:
		return engine.Spend{Reward: "pick", Choose: rapid.SampledFrom([]string{"mug", "parcel", "film", "buns", ""}).Draw(t, "choose")}
	case 0:
		return engine.Spend{Reward: "mug"}
	case 1:
		return engine.Spend{Reward: "buns", Quantity: int64(rapid.IntRange(1, 7).Draw(t, "buns"))}
	case 2:
		return engine.Spend{Reward: "off", Max: true}
	}
	return engine.Spend{Reward: "off", Points: points(t, 1, 80)}
}

func (h *History) purchase(t *rapid.T, member string) *engine.Purchase {
	b := &engine.Purchase{}
	for i := range rapid.IntRange(1, 3).Draw(t, "lines") {
		l := engine.Line{ID: fmt.Sprint("l", i), SKU: rapid.SampledFrom([]string{"S1", "S2"}).Draw(t, "sku"),
			Category: rapid.SampledFrom([]string{"food", "shoes", "travel", "food/bread", ""}).Draw(t, "category")}
		q := rapid.SampledFrom([]money.Decimal{money.New(1, 0), money.New(2, 0), money.New(3, 0), money.New(35, 2), money.New(1250, 3)}).Draw(t, "quantity")
		l.Quantity, l.UnitPrice = &q, cents(t, "price", 0, 4000)
		if rapid.IntRange(0, 3).Draw(t, "discounted") == 0 {
			l.Discount = cents(t, "discount", 0, 300)
		}
		if rapid.Bool().Draw(t, "taxed") {
			l.Tax = cents(t, "tax", 0, 300)
		}
		b.Lines = append(b.Lines, l)
	}
	switch rapid.IntRange(0, 7).Draw(t, "extra") {
	case 0:
		b.Shipping = &engine.Shipping{Amount: *cents(t, "shipping", 0, 900)}
	case 1:
		b.Discounts = []engine.Discount{{Amount: *cents(t, "off", 0, 900)}}
	case 2:
		b.Discounts = []engine.Discount{{Amount: *cents(t, "off", 0, 300), Lines: []string{"l0"}}}
	case 3:
		b.Payments = []engine.Payment{{Means: "gift_card", Amount: *cents(t, "gift card", 0, 900)}}
	case 4:
		b.Lines = append(b.Lines, engine.Line{ID: "deposit", Amount: cents(t, "deposit", -200, 0)})
	case 5:
		rate := money.New(int64(rapid.IntRange(1, 2000).Draw(t, "rate")), 4)
		b.Currency, b.Rate = "NOK", &rate
	}
	if rapid.IntRange(0, 3).Draw(t, "spends") == 0 {
		b.Spend = []engine.Spend{h.spend(t)}
	}
	if rapid.IntRange(0, 4).Draw(t, "linked") == 0 {
		for _, r := range h.held {
			if r.Kind == engine.Redeem && r.Member == member {
				b.Redemptions = []string{r.ID}
			}
		}
	}
	if !h.Plain && rapid.IntRange(0, 2).Draw(t, "brings") == 0 {
		for range rapid.IntRange(1, 3).Draw(t, "how much") {
			b.Codes = append(b.Codes, h.brought(t))
		}
	}
	return b
}

// brought is something that lowers the price of a purchase.
func (h *History) brought(t *rapid.T) engine.CodeUse {
	switch rapid.IntRange(0, 5).Draw(t, "brought") {
	case 0:
		return engine.CodeUse{Coupon: "meal"}
	case 1:
		if h.Coupon != "" {
			return engine.CodeUse{Coupon: "sorry", Holder: h.Coupon}
		}
	case 2:
		return engine.CodeUse{Benefit: rapid.SampledFrom([]string{"content", "rate", "rate", "rate", "lounge", "fading"}).Draw(t, "benefit")}
	case 3, 4:
		var slips []engine.Fact
		for _, r := range h.held {
			if r.Redemption.Reward == "slip" {
				slips = append(slips, r)
			}
		}
		if len(slips) > 0 {
			r := rapid.SampledFrom(slips).Draw(t, "slip")
			return engine.CodeUse{Redemption: r.ID, Reward: "slip", Holder: r.Member}
		}
	}
	return engine.CodeUse{Coupon: "summer"}
}

func (h *History) giveBack(t *rapid.T, f *engine.Fact) bool {
	if len(h.bought) == 0 {
		return false
	}
	past := rapid.SampledFrom(h.bought).Draw(t, "purchase")
	f.Parent, f.Member, f.Return = past.ID, past.Member, &engine.Return{}
	switch rapid.IntRange(0, 3).Draw(t, "how") {
	case 0:
	case 1:
		f.Return.Amount = cents(t, "money back", 1, 3000)
	default:
		for _, l := range past.Purchase.Lines {
			r := engine.ReturnLine{Line: l.ID}
			switch rapid.IntRange(0, 3).Draw(t, "line") {
			case 0:
				continue
			case 1:
				q := rapid.SampledFrom([]money.Decimal{money.New(1, 0), money.New(1, 1), money.New(250, 3)}).Draw(t, "pieces")
				r.Quantity = &q
			case 2:
				r.Amount = cents(t, "money back", 1, 900)
			}
			f.Return.Lines = append(f.Return.Lines, r)
		}
	}
	return true
}
