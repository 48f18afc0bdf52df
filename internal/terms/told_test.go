package terms_test

import (
	"strings"
	"testing"

	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/terms"
)

const told = `
program: told
name: Told
time_zone: Europe/Oslo
currency: NOK
units:
  star: {name: {nb: {one: stjerne, other: stjerner}, sv: {one: stjärna, other: stjärnor}, da: {one: stjerne, other: stjerner}, en: {one: star, other: stars}}, worth: 0.50}
  gem: {name: {nb: {one: perle, other: perler}, sv: {one: pärla, other: pärlor}, da: {one: perle, other: perler}, en: {one: gem, other: gems}}}
activities: {sold: {name: Sold}}
earn:
  - {id: advent, on: "activity:sold", when: {dates: "2026-12-01..2026-12-24"}, from: "2026-12-01", until: "2026-12-24", give: {unit: star, amount: 1}, limit: {per: lifetime, times: 5000, each: program}}
`

const toldRewards = `rewards:
  - {id: mug, title: Mug, price: {star: 300}, or: [{price: {star: 500}, money: 20.00}, {price: {star: 20, gem: 5}}], stock: 20000, gives: {product: mug}}
  - {id: tea, title: Tea, price: {star: 300}, or: [{price: {gem: 5}}], gives: {product: tea}}
  - {id: off, title: Off, price: {star: 1}, gives: {voucher: {percent: 10, uses: 3, least: 200.00, group: season, bound: true}}}
  - {id: gift, title: Gift, price: {star: 1}, gives: {voucher: {money: 50.00, stacks: alone}}}
coupons:
  - {id: summer, title: Summer, word: SUMMER10, percent: 10, group: season, limit: {each: program, per: lifetime, times: 5000}}
  - {id: sorry, title: Sorry, money: 50.00, group: other, uses: 2000}
`

func page(t *testing.T, text, language string) string {
	t.Helper()
	d, err := program.Parse([]byte(text), "")
	if err != nil {
		t.Fatal(err)
	}
	p, err := program.Compile(d, 0)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(terms.Markdown(p, language), "\u00a0", " ")
}

// Prices of which one is paid do not read as a sum, numbers have their thousands apart, and of a code it is told how often, by whom and with what it goes.
func TestPricesNumbersAndCodesAreTold(t *testing.T) {
	t.Parallel()
	for l, want := range map[string][]string{
		"nb": {
			"Koster 300 stjerner, eller 500 stjerner og 20 kr, eller 5 perler og 20 stjerner.", "Koster 300 stjerner eller 5 perler.", "Det finnes 20 000 i alt.",
			"Høyst 5 000 ganger i alt for alle medlemmer til sammen.", "Hver kode kan brukes 2 000 ganger.",
			"Den kan brukes 3 ganger, og bare av deg. Du må handle for minst 200 kr. Av denne og «Summer» kan du bare bruke én per kjøp.",
			"Den kan brukes én gang, av den som har koden. Den kan ikke brukes sammen med andre koder.",
			"Av denne og «Off» kan du bare bruke én per kjøp.", "Du kan bare bruke én slik kode per kjøp.",
		},
		"sv": {
			"Kostar 300 stjärnor, eller 500 stjärnor och 20 kr, eller 5 pärlor och 20 stjärnor.", "Kostar 300 stjärnor eller 5 pärlor.", "Det finns 20 000 totalt.",
			"Högst 5 000 gånger totalt för alla medlemmar tillsammans.", "Varje kod kan användas 2 000 gånger.",
			"Den kan användas 3 gånger, och bara av dig. Du måste handla för minst 200 kr. Av denna och ”Summer” kan du bara använda en per köp.",
			"Den kan användas en gång, av den som har koden. Den kan inte användas tillsammans med andra koder.",
		},
		"da": {
			"Koster 300 stjerner, eller 500 stjerner og 20 kr., eller 5 perler og 20 stjerner.", "Koster 300 stjerner eller 5 perler.", "Der er 20.000 i alt.",
			"Højst 5.000 gange i alt for alle medlemmer tilsammen.", "Hver kode kan bruges 2.000 gange.",
			"Den kan bruges 3 gange, og kun af dig. Du skal handle for mindst 200 kr. Af denne og ”Summer” kan du kun bruge én pr. køb.",
			"Den kan bruges én gang, af den, der har koden. Den kan ikke bruges sammen med andre koder.",
		},
		"en": {
			"Costs 300 stars, or 500 stars and NOK 20, or 5 gems and 20 stars.", "Costs 300 stars or 5 gems.", "There are 20,000 in all.",
			"At most 5,000 times in all for all members together.", "Each code can be used 2,000 times.",
			"It can be used 3 times, and only by you. You must buy for at least NOK 200. Of this and “Summer”, you can use only one a purchase.",
			"It can be used once, by whoever has it. It cannot be used together with other codes.",
		},
	} {
		got := page(t, told+toldRewards, l)
		for _, s := range want {
			if !strings.Contains(got, s) {
				t.Errorf("%s does not say %q:\n%s", l, s, got)
			}
		}
	}
}

func TestAnEndIsToldOnce(t *testing.T) {
	t.Parallel()
	const draw = "rewards: [{id: tickets, title: Tickets, price: {star: 1}, gives: {raffle: {draw: \"2026-12-20\", prize: weekend}}}, {id: weekend, title: Weekend, granted: true, gives: {product: weekend}}]\n"
	for _, l := range lang.All {
		got := page(t, told+draw, l)
		for _, year := range []string{"24. desember 2026", "20. desember 2026"} {
			if l == "nb" && strings.Count(got, year) != 1 {
				t.Errorf("%s is not told once:\n%s", year, got)
			}
		}
		if n := strings.Count(got, "2026"); n != 3 {
			t.Errorf("%s: three days are told %d times:\n%s", l, n, got)
		}
	}
}

func TestWhereNobodyBuysThereAreNoReturns(t *testing.T) {
	t.Parallel()
	const buying = "  - {id: base, on: purchase, give: {unit: star, amount: 1, per: 10.00}}\n"
	for _, l := range lang.All {
		d, err := program.Parse([]byte(told), "")
		if err != nil {
			t.Fatal(err)
		}
		p, err := program.Compile(d, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range terms.Of(p, l) {
			if s.ID == "returns" {
				t.Errorf("%s tells of returns: %v", l, s.Items)
			}
		}
		title := map[string]string{"nb": "## Når du leverer noe tilbake", "sv": "## När du lämnar tillbaka något", "da": "## Når du leverer noget tilbage", "en": "## When you return something"}[l]
		if got := page(t, told+buying, l); !strings.Contains(got, title) {
			t.Errorf("%s does not tell of returns:\n%s", l, got)
		}
	}
}

// What nobody has but by a gift is not told as something on terms of its own.
func TestABenefitThatIsOnlyGivenIsToldSo(t *testing.T) {
	t.Parallel()
	const text = "benefits: [{id: friends, title: Friends, value: {percent: 20}, when: {formula: \"false\"}}]\n"
	for l, want := range map[string]string{"nb": "Bare for den som har fått det", "sv": "Bara för den som har fått det", "da": "Kun for den, der har fået det", "en": "Only for those who were given it"} {
		got := page(t, told+text, l)
		if _, own, _ := strings.Cut(got, "**Friends.**"); !strings.Contains(own, want) || strings.Contains(own, map[string]string{"nb": "vilkår", "sv": "villkor", "da": "vilkår", "en": "terms"}[l]) {
			t.Errorf("%s: %s", l, got)
		}
	}
}
