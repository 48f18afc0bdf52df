package advice

import (
	"slices"
	"strings"
	"testing"
	"time"

	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/program"
)

var today = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

const head = `program: shop
name: Shop
time_zone: Europe/Oslo
currency: NOK
usual: {purchase: 200.00, per_month: 2}
names: {tea: tea}
`

const units = `units: {star: {name: {en: {one: star, other: stars}}, worth: 0.50}}
`

const base = `earn:
  - {id: base, title: Base, on: purchase, give: {unit: star, amount: 1, per: 10.00}, basis: {paid_with_points: excluded}}
`

const rewards = `rewards:
  - {id: coffee, title: Coffee, price: {star: 50}, gives: {product: coffee}}
  - {id: mug, title: Mug, price: {star: 300}, gives: {product: mug}}
`

func compiled(t *testing.T, text string) *program.Compiled {
	t.Helper()
	d, err := program.Parse([]byte(text), "test")
	if err != nil {
		t.Fatal(err)
	}
	p, err := program.Compile(d, 0)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func codes(found []Finding) []string {
	out := []string{}
	for _, f := range found {
		out = append(out, f.Code)
	}
	return out
}

// Each finding is made by the program that has its fault and by no other line of it.
func TestEachFaultIsFoundAlone(t *testing.T) {
	t.Parallel()
	many := strings.Builder{}
	for i := range 26 {
		many.WriteString("  - {id: r" + string(rune('a'+i)) + ", title: R, on: purchase, lines: {category: tea}, give: {unit: star, amount: 1, per: 10.00}, basis: {paid_with_points: excluded}}\n")
	}
	tiers := func(gold string) string {
		return "tiers:\n  club:\n    by: {sum: spend, window: rolling 12 months}\n    steps: [{id: silver, name: Silver, from: 0}, " + gold + "]\n    down: {warn: 14 days}\n"
	}
	const gold = "{id: gold, name: Gold, from: 9000.00}"
	for code, text := range map[string]string{
		"many_rules":           units + base + many.String() + rewards,
		"no_title":             units + base + "  - {id: bare, on: purchase, lines: {category: tea}, give: {unit: star, amount: 1, per: 10.00}, basis: {paid_with_points: excluded}}\n" + rewards,
		"no_text":              units + base + "  - {id: often, title: Often, on: purchase, when: {formula: \"items > 3\"}, give: {unit: star, amount: 1}, limit: {per: day, times: 1}}\n" + rewards,
		"no_name":              units + base + "  - {id: bun, title: Buns, on: purchase, lines: {category: bun}, give: {unit: star, amount: 1, per: 10.00}, basis: {paid_with_points: excluded}}\n" + rewards,
		"over":                 units + base + "  - {id: old, title: Old, on: purchase, lines: {category: tea}, until: 2025-12-31, give: {unit: star, amount: 1, per: 10.00}, basis: {paid_with_points: excluded}}\n" + rewards,
		"never":                units + base + "  - {id: may, title: May, on: purchase, lines: {category: tea}, when: {dates: '2027-05-01..2027-05-31'}, until: 2027-04-30, give: {unit: star, amount: 1, per: 10.00}, basis: {paid_with_points: excluded}}\n" + rewards,
		"fades_never":          units + base + rewards + "benefits:\n  - {id: off, title: Off, value: {percent: 5}, fades: {steps: [{after: 60 days, percent: 5}, {after: 120 days, percent: 0}], warn: 7 days}}\n",
		"coupon_unlimited":     units + base + rewards + "coupons: [{id: summer, title: Summer, word: SUMMER10, percent: 10, until: 2027-08-31}]\n",
		"coupon_endless":       units + base + rewards + "coupons: [{id: summer, title: Summer, word: SUMMER10, percent: 10, limit: {per: lifetime, times: 1}}]\n",
		"coupon_pays_all":      units + base + rewards + "coupons: [{id: sorry, title: Sorry, word: SORRY50, money: 50.00, until: 2027-08-31, limit: {per: lifetime, times: 1}}]\n",
		"share_unlimited":      units + base + rewards + "shares: [{id: pass-on, title: Mug, reward: mug, claim: 14 days}]\n",
		"household_hopping":    units + base + rewards + "households: {most: 4, shares: [star], member_for: 30 days}\n",
		"household_gifts":      units + base + "  - {id: hello, title: Hello, on: enrolment, give: {unit: star, amount: 5}}\n  - {id: year, title: Year, on: purchase, when: {member_for: 1 year}, lines: {category: tea}, give: {unit: star, amount: 1, per: 10.00}, basis: {paid_with_points: excluded}}\n" + rewards + "households: {most: 4, shares: [star], wait: 90 days}\n",
		"multiplies_nothing":   units + "earn:\n  - {id: gift, title: Gift, on: purchase, when: {total: {from: 100.00}}, give: {unit: star, amount: 1}}\n  - {id: twice, title: Twice, on: purchase, multiply: 2}\n" + rewards,
		"shadowed":             units + base + "  - {id: alone, title: Alone, on: purchase, stack: exclusive, give: {unit: star, amount: 1, per: 10.00}, basis: {paid_with_points: excluded}}\n" + rewards,
		"never_earned":         strings.Replace(units, "units: {", "units: {mile: {name: {en: {one: mile, other: miles}}, status_only: true}, ", 1) + base + rewards,
		"never_spent":          units + base,
		"no_warning":           strings.Replace(units, "worth: 0.50", "worth: 0.50, expires: {after: 12 months}", 1) + base + rewards,
		"activity_unused":      units + "activities: {visit_shop: {name: Visit}}\n" + base + rewards,
		"newcomers":            units + base + "  - {id: hello, title: Hello, on: enrolment, give: {unit: star, amount: 50}}\n" + rewards,
		"benefit_lost":         units + base + rewards + "tiers:\n  club:\n    by: {sum: spend, window: rolling 12 months}\n    steps: [{id: silver, name: Silver, from: 0, benefits: parking}, " + gold + "]\n    down: {warn: 14 days}\nbenefits: [{id: parking, title: Parking}]\n",
		"benefit_unnamed":      units + base + rewards + tiers("{id: gold, name: Gold, from: 9000.00, benefits: parking}"),
		"birthday_at_once":     units + base + "  - {id: cake, title: Cake, on: birthday, give: {unit: star, amount: 5}}\n" + rewards,
		"grows_too_fast":       units + base + "  - {id: grow, title: Growth, on: 'every:month', give: {unit: star, percent: 3, of: balance, kept: 1 month}}\n" + rewards,
		"grows_on_returns":     units + base + "  - {id: grow, title: Growth, on: 'every:month', give: {unit: star, percent: 1, of: balance, kept: 1 month}}\n" + rewards + "returns: {within: 60 days}\n",
		"plan_empty":           units + base + rewards + "plans: [{id: plus, title: Plus, price: 99.00, every: 1 month}]\n",
		"referral_cheap":       units + base + rewards + "referral:\n  qualifies: {when: {total: {from: 50.00}}}\n  referrer: {unit: star, amount: 100, limit: {per: year, times: 5}}\n",
		"referral_unlimited":   units + base + rewards + "referral:\n  qualifies: {when: {total: {from: 200.00}}}\n  referrer: {unit: star, amount: 100}\n",
		"recognition_circular": strings.Replace(units, "units: {", "units: {kudo: {name: {en: {one: kudo, other: kudos}}, expires: {end_of: month, warn: 5 days}}, ", 1) + base + "  - {id: allowance, title: Allowance, on: 'every:month', give: {unit: kudo, amount: 100}}\n" + rewards + "recognition: {gives: kudo, becomes: star}\n",
		"tier_earns_less":      units + base + "  - {id: low, title: Low, on: purchase, multiply: 2, when: {only_tier: {club: silver}}, limit: {per: day, times: 9}}\n" + rewards + tiers(gold),
		"fall_unwarned":        units + base + rewards + strings.Replace(tiers(gold), "    down: {warn: 14 days}\n", "", 1),
		"too_little":           strings.Replace(units, "0.50", "0.01", 1) + base + rewards,
		"out_of_reach":         units + base + strings.NewReplacer("50}", "900}", "300}", "2000}").Replace(rewards),
		"too_cheap":            units + base + strings.NewReplacer("50}", "5}", "300}", "20}").Replace(rewards),
		"all_alike":            units + base + strings.NewReplacer("300}", "55}").Replace(rewards) + "  - {id: tea, title: Tea, price: {star: 52}, gives: {product: tea}}\n",
		"top_for_all":          units + base + rewards + tiers("{id: gold, name: Gold, from: 4000.00}"),
		"activity_unlimited":   units + "activities: {review: {name: Review}}\n" + base + "  - {id: said, title: Said, on: 'activity:review', give: {unit: star, amount: 1}}\n" + rewards,
		"split_purchases":      units + base + "  - {id: each, title: Each, on: purchase, give: {unit: star, amount: 1}}\n" + rewards,
		"points_earn_points":   units + strings.Replace(base, ", basis: {paid_with_points: excluded}", "", 1) + rewards + "  - {id: pay, title: Pay, pay: {unit: star, points: 2, worth: 1.00}}\n",
		"multipliers_stack":    units + base + "  - {id: much, title: Much, on: purchase, multiply: 6}\n" + rewards,
		"partner_pays_little":  units + base + rewards + "partners:\n  - {id: hotel, name: Hotel, awards: {star: 0.10}}\n",
		"partner_gets_much":    units + base + rewards + "partners:\n  - {id: hotel, name: Hotel, accepts: {star: 0.80}}\n",
		"gift_cards_twice": strings.Replace(units, "units: {", "units: {gift: {name: {en: {one: krone, other: kroner}}, precision: 2, worth: 1.00}, ", 1) +
			strings.Replace(base, "{paid_with_points: excluded}", "{paid_with_points: excluded, without_payments: gift_card}", 1) + rewards +
			"tiers:\n  club:\n    by: {sum: spend, window: rolling 12 months}\n    steps: [{id: silver, name: Silver, from: 0}, {id: gold, name: Gold, from: 9000.00}]\n    down: {warn: 14 days}\ngift_cards: {unit: gift}\n",
		"worth_more":          units + base + rewards + "  - {id: off, title: Off, price: {star: 100}, gives: {voucher: {money: 75.00}}}\n",
		"returns_keep":        units + base + rewards + "returns: {earned: keep}\n",
		"returns_clamp":       units + base + rewards + "returns: {if_spent: clamp}\n",
		"welcome_transferred": units + base + "  - {id: hello, title: Hello, on: enrolment, give: {unit: star, amount: 5}}\n  - {id: year, title: Year, on: purchase, when: {member_for: 1 year}, lines: {category: tea}, give: {unit: star, amount: 1, per: 10.00}, basis: {paid_with_points: excluded}}\n" + rewards + "transfers: {units: star}\n",
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			p := compiled(t, head+text)
			for _, l := range lang.All {
				found := Of(p, today, UsualOf(p), l)
				if got := codes(found); !slices.Equal(got, []string{code}) {
					t.Fatalf("%s: %v", l, got)
				}
				f := found[0]
				if f.Why == "" || f.Mend == "" || strings.ContainsAny(f.Why, "{}") || !slices.Contains(kinds, f.Kind) || !strings.HasPrefix(f.Pointer, "/") {
					t.Errorf("%s: %+v", l, f)
				}
			}
		})
	}
}

// Words of activities are read by members as well, wherever they stand.
func TestWordsOfActivitiesWantNames(t *testing.T) {
	t.Parallel()
	const named = "names: {tea: tea, product: the product, flagship: the flagship}\n"
	rule := "  - {id: sold, title: Sold, on: 'activity:sold', when: {any: [{property: {product: flagship, pieces: 2}}]}, give: {unit: star, amount: 1}, limit: {per: day, times: 9}}\n"
	rest := units + "activities: {sold: {name: Sold, properties: {product: text, pieces: whole}}}\n" + base + rule + rewards
	found := Of(compiled(t, head+rest), today, Usual{20000, 2}, "en")
	if len(found) != 1 || found[0].Code != "no_name" || found[0].Pointer != "/earn/1" || !strings.Contains(found[0].Why, "pieces, product, flagship.") {
		t.Errorf("%+v", found)
	}
	p := compiled(t, strings.Replace(head, "names: {tea: tea}\n", strings.Replace(named, "}", ", pieces: the number}", 1), 1)+rest)
	if found := codes(Of(p, today, UsualOf(p), "en")); len(found) > 0 {
		t.Errorf("%v", found)
	}
}

// Whatever has a time can be over: rewards, challenges, coupons, benefits, and rules whose days are all behind.
func TestWhatIsOverIsFoundWhereverItStands(t *testing.T) {
	t.Parallel()
	for ptr, text := range map[string]string{
		"/rewards/2/until":    rewards + "  - {id: tea, title: Tea, price: {star: 90}, gives: {product: tea}, until: 2026-01-31}\n",
		"/challenges/0/until": rewards + "challenges: [{id: hunt, title: Hunt, on: purchase, lines: {category: tea}, count: items, goal: 9, until: 2026-08-31, gives: {reward: coffee}}]\n",
		"/coupons/0/until":    rewards + "coupons: [{id: summer, title: Summer, word: SUMMER10, percent: 10, until: 2026-08-31, limit: {per: lifetime, times: 1}}]\n",
		"/benefits/0/until":   rewards + "benefits: [{id: off, title: Off, until: 2026-08-31}]\n",
		"/earn/1/when/dates":  "  - {id: may, title: May, on: purchase, lines: {category: tea}, when: {dates: '2026-05-01..2026-05-31'}, give: {unit: star, amount: 1, per: 10.00}, basis: {paid_with_points: excluded}}\n" + rewards,
	} {
		p := compiled(t, head+units+base+text)
		found := Of(p, today, UsualOf(p), "en")
		if len(found) != 1 || found[0].Code != "over" || found[0].Pointer != ptr {
			t.Errorf("%s: %+v", ptr, found)
		}
		early := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		if found := Of(p, early, UsualOf(p), "en"); len(found) > 0 {
			t.Errorf("%s: %+v before", ptr, found)
		}
	}
}

func TestAGoodProgramHasNoFindings(t *testing.T) {
	t.Parallel()
	p := compiled(t, head+units+base+rewards)
	if found := Of(p, today, UsualOf(p), "en"); len(found) > 0 {
		t.Errorf("%+v", found)
	}
}

// What partners award is earned, and what they accept is spent; a plan that only the catalogue or a challenge asks for brings something.
func TestPartnersAndPlansAreSeenWhereverTheyStand(t *testing.T) {
	t.Parallel()
	const plan = "plans:\n  - {id: plus, title: Plus, price: 99.00, every: 1 month}\n"
	for name, text := range map[string]string{
		"awarded":           strings.Replace(units, "units: {", "units: {mile: {name: {en: {one: mile, other: miles}}, worth: 0.50}, ", 1) + base + rewards + "partners:\n  - {id: hotel, name: Hotel, awards: {mile: 0.60}, accepts: {mile: 0.40}}\n",
		"shown":             units + base + rewards + "  - {id: tea, title: Tea, price: {star: 90}, gives: {product: tea}, shown: {plan: plus}}\n" + plan,
		"of a challenge":    units + base + rewards + "challenges:\n  - {id: card, title: Card, on: purchase, count: items, lines: {category: tea}, goal: 9, when: {plan: plus}, gives: {reward: coffee}}\n" + plan,
		"of the invitation": units + base + rewards + "referral: {qualifies: {when: {plan: plus, total: {from: 300.00}}}, referrer: {unit: star, amount: 5, limit: {per: year, times: 5}}}\n" + plan,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := compiled(t, head+text)
			if found := codes(Of(p, today, UsualOf(p), "en")); len(found) > 0 {
				t.Errorf("%v", found)
			}
		})
	}
}

func TestEveryBlueprintIsSound(t *testing.T) {
	t.Parallel()
	for _, name := range program.Blueprints() {
		text, err := program.Blueprint(name)
		if err != nil {
			t.Fatal(err)
		}
		p := compiled(t, string(text))
		if p.Doc.Usual == nil && len(p.Rules["purchase"]) > 0 { // at some nobody buys anything
			t.Errorf("%s does not say what a usual member buys", name)
		}
		for _, f := range Of(p, today, UsualOf(p), "en") {
			t.Errorf("%s%s: %s: %s", name, f.Pointer, f.Code, f.Why)
		}
	}
}

func TestEveryTextIsThere(t *testing.T) {
	t.Parallel()
	for code, x := range texts {
		for i, l := range lang.All {
			if x.why[i] == "" || x.mend[i] == "" {
				t.Errorf("%s has no text in %s", code, l)
			}
		}
	}
}
