package terms_test

import (
	"strings"
	"testing"

	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/terms"
)

const growing = `
program: growing
name: Growing
time_zone: Europe/Oslo
currency: NOK
units:
  krone: {name: {nb: {one: krone, other: kroner}, sv: {one: krona, other: kronor}, da: {one: krone, other: kroner}, en: {one: krone, other: kroner}}, precision: 2, worth: 1.00}
  star: {name: {nb: {one: stjerne, other: stjerner}, sv: {one: stjärna, other: stjärnor}, da: {one: stjerne, other: stjerner}, en: {one: star, other: stars}}, worth: 0.50}
tiers: {club: {by: {sum: spend}, steps: [{id: base}, {id: gold, name: {nb: Gull, sv: Guld, da: Guld, en: Gold}, from: 1000.00}]}}
earn:
  - {id: a, on: birthday, give: {unit: star, amount: 100}}
  - {id: b, on: anniversary, give: {unit: star, formula: member.days}}
  - {id: c, on: "date:12-24", give: {unit: star, amount: 24}}
  - {id: d, on: "tier:club/gold", give: {unit: star, amount: 500}}
  - {id: e, on: purchase, give: {unit: krone, percent: 2, steps: [{after: 1 year, percent: 2.5}]}}
  - {id: f, on: "every:quarter", give: {unit: krone, percent: 1, of: balance, kept: 3 months}}
  - {id: g, on: "every:month", give: {unit: star, percent: 1, of: balance of krone}}
  - {id: h, on: "every:quarter", give: {unit: krone, of: spend, steps: [{from: 1000.00, percent: 3}, {from: 2500.00, percent: 5}], stepped: each part}}
`

// What time brings, and what is a part of something, is told with when and of what.
func TestMomentsAndPercentsAreTold(t *testing.T) {
	t.Parallel()
	d, err := program.Parse([]byte(growing), "")
	if err != nil {
		t.Fatal(err)
	}
	p, err := program.Compile(d, 0)
	if err != nil {
		t.Fatal(err)
	}
	for l, want := range map[string][]string{
		"en": {
			"100 stars on your birthday.", "Gives stars each year on the day you became a member; how many is worked out from your membership.", "24 stars each year on 24 December.",
			"500 stars when you become Gold.", "2% of what you spend, in kroner. It grows with how long you have been a member: 2.5% after 1 year.",
			"1% of your balance in kroner, on the first day of each quarter. What counts is what you have had for at least 3 months.",
			"1% of your balance in kroner, given in stars, on the first of each month.",
			"of what you bought in the quarter before, in kroner, on the first day of each quarter. Each step counts for its part.",
		},
		"nb": {"100 stjerner på bursdagen din.", "24 stjerner hvert år 24. desember.", "500 stjerner når du blir Gull.", "av saldoen din i kroner, den første dagen i hvert kvartal."},
		"sv": {"100 stjärnor på din födelsedag.", "500 stjärnor när du blir Guld."},
		"da": {"100 stjerner på din fødselsdag.", "500 stjerner, når du bliver Guld."},
	} {
		got := strings.ReplaceAll(terms.Markdown(p, l), "\u00a0", " ")
		for _, s := range want {
			if !strings.Contains(got, s) {
				t.Errorf("%s: %q is not in\n%s", l, s, got)
			}
		}
	}
	for _, l := range lang.All {
		if strings.ContainsAny(terms.Markdown(p, l), "{}") {
			t.Errorf("%s: a place is not filled", l)
		}
	}
}
