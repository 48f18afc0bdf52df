package program

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

const head = `program: bar
name: {nb: Baren, en: The Bar}
time_zone: Europe/Oslo
currency: NOK
`

const body = head + `units:
  star: {name: star}
  cash: {name: cash, precision: 2}
  status: {name: status, status_only: true}
activities:
  own_cup: {}
  review: {properties: {rating: whole, text: text}}
tiers:
  club: {by: {sum: spend}, steps: [{id: member}, {id: silver, from: 1000}, {id: gold, from: 3000}]}
`

func pointers(t *testing.T, doc string) ([]string, *Problems) {
	t.Helper()
	_, err := Parse([]byte(doc), "test.yaml")
	if err == nil {
		return nil, nil
	}
	var p *Problems
	if !errors.As(err, &p) {
		t.Fatalf("the error is %T", err)
	}
	var out []string
	for _, x := range p.List {
		if x.Line < 1 || x.Column < 1 || x.Message == "" {
			t.Errorf("a problem without place or message: %+v", x)
		}
		out = append(out, x.Pointer)
	}
	slices.Sort(out)
	return out, p
}

// Each case adds a part to a good document; want are the pointers of all the problems, and a word of the message or hint.
func TestCheckFindsEveryMistake(t *testing.T) {
	t.Parallel()
	earn := func(rules ...string) string { return body + "earn:\n  - " + strings.Join(rules, "\n  - ") + "\n" }
	when := func(c string) string {
		return earn(`{id: a, on: purchase, when: ` + c + `, give: {unit: star, amount: 1}}`)
	}
	reward := func(r string) string { return body + "rewards:\n  - " + r + "\n" }
	unit := func(u string) string { return head + "units: {star: " + u + "}\n" }
	tiers := func(ts string) string {
		return strings.Split(body, "tiers:")[0] + "tiers: {club: " + ts + "}\n"
	}
	cases := []struct {
		name, doc string
		want      []string
		says      string
	}{
		{"nothing wrong", body, nil, ""},
		{"moments that are right", earn(`{id: a, on: birthday, when: {member_for: 30 days}, give: {unit: star, amount: 1}}`, `{id: b, on: anniversary, give: {unit: star, formula: member.days}}`,
			`{id: c, on: "date:02-29", give: {unit: star, amount: 1}}`, `{id: d, on: "every:week", give: {unit: star, amount: 1}}`, `{id: e, on: "tier:club/gold", give: {unit: star, amount: 1}}`,
			`{id: f, on: "every:quarter", give: {unit: star, percent: 0.25, of: balance, kept: 3 months, steps: [{after: 1 year, percent: 1}]}}`), nil, ""},
		{"no day", earn(`{id: a, on: "date:24-12", give: {unit: star, amount: 1}}`), []string{"/earn/0/on"}, "date:12-24"},
		{"a day with its year", earn(`{id: a, on: "date:2027-12-24", give: {unit: star, amount: 1}}`), []string{"/earn/0/on"}, "date:MM-DD"},
		{"no period", earn(`{id: a, on: "every:fortnight", give: {unit: star, amount: 1}}`), []string{"/earn/0/on"}, "every:week"},
		{"a birthday with more", earn(`{id: a, on: "birthday:eve", give: {unit: star, amount: 1}}`), []string{"/earn/0/on"}, "write birthday"},
		{"no such tier set", earn(`{id: a, on: "tier:clubb/gold", give: {unit: star, amount: 1}}`), []string{"/earn/0/on"}, "club"},
		{"no such tier to reach", earn(`{id: a, on: "tier:club/gould", give: {unit: star, amount: 1}}`), []string{"/earn/0/on"}, "gold"},
		{"a tier without its set", earn(`{id: a, on: "tier:gold", give: {unit: star, amount: 1}}`), []string{"/earn/0/on"}, "tier:SET/STEP"},
		{"a moment is in no store", earn(`{id: a, on: birthday, when: {store: Oslo, total: {from: 1}}, give: {unit: star, amount: 1}}`), []string{"/earn/0/when/store", "/earn/0/when/total"}, "not known at a moment"},
		{"a moment has no lines", earn(`{id: a, on: birthday, lines: {sku: a}, give: {unit: star, amount: 1}}`), []string{"/earn/0/lines"}, "only a purchase"},
		{"a percent of nothing", earn(`{id: a, on: birthday, give: {unit: star, percent: 1}}`), []string{"/earn/0/give/of"}, "of: balance"},
		{"a percent on an enrolment", earn(`{id: a, on: enrolment, give: {unit: star, percent: 1, of: balance}}`), []string{"/earn/0/give/percent"}, "write amount"},
		{"a percent on a tier", earn(`{id: a, on: "tier:club/gold", give: {unit: star, percent: 1, of: balance}}`), []string{"/earn/0/give/percent"}, "write amount"},
		{"a percent of money in a unit without worth", earn(`{id: a, on: purchase, give: {unit: star, percent: 1}}`), []string{"/earn/0/give/unit"}, "worth: 1.00"},
		{"a percent and an amount", earn(`{id: a, on: "every:month", give: {unit: star, percent: 1, amount: 1, per: 1.00, of: balance}}`), []string{"/earn/0/give/amount", "/earn/0/give/per", "/earn/0/give/per"}, "a percent"},
		{"more than all", earn(`{id: a, on: "every:month", give: {unit: star, percent: 101, of: balance}}`), []string{"/earn/0/give/percent"}, "between 0 and 100"},
		{"of something unknown", earn(`{id: a, on: "every:month", give: {unit: star, percent: 1, of: everything}}`), []string{"/earn/0/give/of"}, "balance of UNIT"},
		{"of a unit that is not there", earn(`{id: a, on: "every:month", give: {unit: star, percent: 1, of: balance of stars}}`), []string{"/earn/0/give/of"}, "star"},
		{"of spend on a day", earn(`{id: a, on: birthday, give: {unit: star, percent: 1, of: spend}}`), []string{"/earn/0/give/of", "/earn/0/give/unit"}, "every:quarter"},
		{"of without a percent", earn(`{id: a, on: "every:month", give: {unit: star, amount: 1, of: balance, stepped: whole, kept: 1 day}}`), []string{"/earn/0/give/kept", "/earn/0/give/of", "/earn/0/give/stepped"}, "of goes with percent"},
		{"steps that fall", earn(`{id: a, on: "every:month", give: {unit: star, of: balance, percent: 4, steps: [{from: 10, percent: 3}, {from: 5, percent: 2}]}}`), []string{"/earn/0/give/steps/0/percent", "/earn/0/give/steps/1/from"}, "percents rise"},
		{"steps of two kinds", earn(`{id: a, on: "every:month", give: {unit: star, of: balance, steps: [{from: 10, percent: 3}, {after: 1 year, percent: 4}, {percent: 5}, {from: 3, after: 1 day}]}}`),
			[]string{"/earn/0/give/steps", "/earn/0/give/steps/2", "/earn/0/give/steps/3/after", "/earn/0/give/steps/3/percent"}, "one kind"},
		{"steps by amount on a purchase", strings.Replace(earn(`{id: a, on: purchase, give: {unit: cash, steps: [{from: 10, percent: 3}]}}`), "precision: 2", "precision: 2, worth: 1", 1), []string{"/earn/0/give/steps"}, "by amount"},
		{"a rebate is not multiplied", strings.Replace(earn(`{id: a, on: "every:month", give: {unit: cash, of: spend, percent: 3}, stack: exclusive}`, `{id: b, on: "every:month", multiply: 2, of: a}`), "precision: 2", "precision: 2, worth: 1", 1), []string{"/earn/0/stack", "/earn/1/of"}, "cannot be multiplied"},

		{"empty", " \n", []string{""}, "empty"},
		{"only a comment", "# later\n", []string{""}, "empty"},
		{"a list", "- a\n", []string{""}, "group of fields"},
		{"a text", "hello\n", []string{""}, "group of fields"},
		{"not UTF-8", "program: \xff\n", []string{""}, "UTF-8"},
		{"control character", "program: a\x00b\n", []string{""}, "control"},
		{"bad YAML", "program: [a\n", []string{""}, "YAML"},
		{"bad indent", "program: a\n  name: b\n", []string{""}, "YAML"},
		{"anchor", "program: &a bar\nname: *a\n", []string{"", ""}, "anchors"},
		{"tag", "program: !!str bar\n", []string{""}, "tags"},
		{"merge", "a: &x {b: 1}\nc: {<<: *x}\n", []string{"", "", ""}, "merge"},
		{"two documents", "program: a\n---\nprogram: b\n", []string{""}, "several documents"},
		{"key that is a number", body + "1: x\n", []string{""}, "quotes"},
		{"key written twice", body + "currency: NOK\n", []string{"/currency"}, "twice"},
		{"JSON key written twice", `{"program":"bar","program":"baz","name":"x","time_zone":"UTC","currency":"NOK","units":{"a":{"name":"a"}}}`, []string{"/program"}, "twice"},
		{"case-shifted", body + "Earn: []\n", []string{"/Earn"}, `did you mean "earn"`},
		{"unknown fields in several places", body + "ern: []\nreturns: {erned: keep}\n", []string{"/ern", "/returns/erned"}, ""},
		{"wrong kinds in several places", body + "earn: {}\nrewards: 3\nlanguages: nb\n", []string{"/earn", "/languages", "/rewards"}, "list"},
		{"nothing written", body + "returns:\n", []string{"/returns"}, "nothing is written"},

		{"all that is required", "{}", []string{"/currency", "/name", "/program", "/time_zone", "/units"}, "missing"},
		{"program id", strings.Replace(body, "program: bar", "program: My Bar", 1), []string{"/program"}, "a-z"},
		{"time zone", strings.Replace(body, "Europe/Oslo", "Oslo", 1), []string{"/time_zone"}, "IANA"},
		{"local time zone", strings.Replace(body, "Europe/Oslo", "Local", 1), []string{"/time_zone"}, ""},
		{"currency", strings.Replace(body, "NOK", "nok", 1), []string{"/currency"}, "NOK"},
		{"currency that is none", strings.Replace(body, "NOK", "KRO", 1), []string{"/currency"}, "4217"},
		{"country", body + "country: Norway\n", []string{"/country"}, "3166"},
		{"languages", body + "languages: [nb, english, nb, no]\n", []string{"/languages/1", "/languages/2", "/languages/3", "/name/english", "/name/no"}, ""},
		{"text in a declared language", body + "languages: [nb, en, sv]\n", []string{"/name/sv"}, "missing"},
		{"empty text", strings.Replace(body, "Baren", `" "`, 1), []string{"/name/nb"}, "empty"},
		{"identifier", body + "identifiers: {card: {}, Plate: {}}\n", []string{"/identifiers/Plate", "/identifiers/card"}, ""},

		{"unit without a name", unit("{}"), []string{"/units/star/name"}, ""},
		{"unit name in a language that every text must have", unit("{name: {nb: stjerne}}") + "languages: [nb, en]\n", []string{"/units/star/name/en"}, ""},
		{"unit name in one language is enough when none is demanded", unit("{name: {nb: stjerne}}"), nil, ""},
		{"unit name with one form", unit("{name: {nb: stjerne, en: {one: star}}}"), []string{"/units/star/name/en/other"}, ""},
		{"unit precision", unit("{name: star, precision: 7}"), []string{"/units/star/precision"}, ""},
		{"unit worth", unit("{name: star, worth: -1}"), []string{"/units/star/worth"}, "less than 0"},
		{"worth with a comma", unit(`{name: star, worth: "0,50"}`), []string{"/units/star/worth"}, "comma"},
		{"worth with an exponent", unit("{name: star, worth: 1e3}"), []string{"/units/star/worth"}, "plain digits"},
		{"unit called spend", head + "units: {spend: {name: x}}\n", []string{"/units/spend"}, ""},
		{"expiry of another word", unit("{name: star, expires: sometimes}"), []string{"/units/star/expires"}, "never"},
		{"expiry that says nothing", unit("{name: star, expires: {warn: 30 days}}"), []string{"/units/star/expires"}, "when points expire"},
		{"expiry two ways", unit("{name: star, expires: {after: 1 year, end_of: year}}"), []string{"/units/star/expires"}, "more than one"},
		{"expiry with inactivity", unit("{name: star, expires: {after: 1 year, inactive: 6 months}}"), nil, ""},
		{"expiry fields", unit("{name: star, expires: {after: 1 yr, at_least: 1 month, later: 2, at: noon}}"),
			[]string{"/units/star/expires/after", "/units/star/expires/at", "/units/star/expires/at_least", "/units/star/expires/later"}, ""},
		{"expiry on a bad day", unit("{name: star, expires: {on: [12-31, 02-30, 2027-01-01]}}"), []string{"/units/star/expires/on/1", "/units/star/expires/on/2"}, "MM-DD"},
		{"expiry after no time", unit("{name: star, expires: {after: 0 days}}"), []string{"/units/star/expires/after"}, ""},
		{"expiry too far", unit("{name: star, expires: {after: 3000 years}}"), []string{"/units/star/expires/after"}, ""},

		{"property of an unknown kind", body + "", nil, ""},
		{"property", head + "units: {a: {name: a}}\nactivities: {x: {properties: {a: float, in: text, B: text}}}\n",
			[]string{"/activities/x/properties/B", "/activities/x/properties/a", "/activities/x/properties/in"}, ""},

		{"rule without anything", earn("{}"), []string{"/earn/0/give", "/earn/0/id", "/earn/0/on"}, ""},
		{"rule ids", earn("{id: a, on: purchase, multiply: 2}", "{id: a, on: purchase, multiply: 2}", "{id: Base, on: purchase, multiply: 2}", "{id: all, on: purchase, multiply: 2}"),
			[]string{"/earn/1/id", "/earn/2/id", "/earn/3/id"}, "already"},
		{"rule and reward of one id", earn("{id: a, on: purchase, multiply: 2}") + "rewards: [{id: a, price: {star: 1}}]\n", []string{"/rewards/0/id"}, ""},
		{"trigger", earn("{id: a, on: purchas, multiply: 2, of: all}"), []string{"/earn/0/on"}, `did you mean "purchase"`},
		{"trigger without the word activity", earn("{id: a, on: own_cup, give: {unit: star, amount: 1}}"), []string{"/earn/0/on"}, "activity:own_cup"},
		{"activity that is not there", earn("{id: a, on: activity:ownn_cup, give: {unit: star, amount: 1}}"), []string{"/earn/0/on"}, `"own_cup"`},
		{"give and multiply", earn("{id: a, on: purchase, give: {unit: star, amount: 1}, multiply: 2}"), []string{"/earn/0/multiply"}, "two rules"},
		{"per 0", earn("{id: a, on: purchase, give: {unit: star, amount: 1, per: 0}}"), []string{"/earn/0/give/per"}, "per must be more than 0"},
		{"per with three decimals", earn("{id: a, on: purchase, give: {unit: star, amount: 1, per: 10.005}}"), []string{"/earn/0/give/per"}, "NOK"},
		{"amount of parts", earn("{id: a, on: purchase, give: {unit: star, amount: 0.5, per: 10}}"), []string{"/earn/0/give/amount"}, "precision"},
		{"amount of parts where allowed", earn("{id: a, on: purchase, give: {unit: cash, amount: 0.50, per: 10}}"), nil, ""},
		{"amount below 0", earn("{id: a, on: purchase, give: {unit: star, amount: -1}}"), []string{"/earn/0/give/amount"}, ""},
		{"amount 0", earn("{id: a, on: purchase, give: {unit: star, amount: 0, per: 1.00}}"), nil, ""},
		{"unit that is not there", earn("{id: a, on: purchase, give: {unit: sta, amount: 1}}"), []string{"/earn/0/give/unit"}, `did you mean "star"`},
		{"unit left out", earn("{id: a, on: purchase, give: {amount: 1}}"), []string{"/earn/0/give/unit"}, ""},
		{"amount and formula", earn("{id: a, on: purchase, give: {unit: star, amount: 1, formula: basis}}"), []string{"/earn/0/give/formula"}, ""},
		{"neither amount nor formula", earn("{id: a, on: purchase, give: {unit: star}}"), []string{"/earn/0/give/amount"}, ""},
		{"per and each", earn("{id: a, on: purchase, give: {unit: star, amount: 1, per: 1, each: item}}"), []string{"/earn/0/give/each"}, ""},
		{"each of what", earn("{id: a, on: purchase, give: {unit: star, amount: 1, each: ittem}}"), []string{"/earn/0/give/each"}, ""},
		{"whole without per", earn("{id: a, on: purchase, give: {unit: star, amount: 1, whole: true}}"), []string{"/earn/0/give/whole"}, ""},
		{"a purchase's fields on an activity", earn("{id: a, on: activity:own_cup, lines: {sku: a}, basis: {tax: excluded}, give: {unit: star, amount: 1, per: 10}}"),
			[]string{"/earn/0/basis", "/earn/0/give/per", "/earn/0/lines"}, ""},
		{"formula of another type", earn("{id: a, on: purchase, give: {unit: star, formula: basis > 1}}"), []string{"/earn/0/give/formula"}, "whole number"},
		{"formula with an unknown name", earn("{id: a, on: enrolment, give: {unit: star, formula: basis}}"), []string{"/earn/0/give/formula"}, "not known"},
		{"formula with an unknown unit", earn("{id: a, on: enrolment, give: {unit: star, formula: balance.stra}}"), []string{"/earn/0/give/formula"}, `did you mean "star"`},
		{"multiply below 0", earn("{id: a, on: purchase, multiply: -2}"), []string{"/earn/0/multiply"}, ""},
		{"multiply too much", earn("{id: a, on: purchase, multiply: 100000}"), []string{"/earn/0/multiply"}, ""},
		{"multiply on an activity", earn("{id: a, on: activity:own_cup, multiply: 2}"), []string{"/earn/0/of"}, "named"},
		{"of", earn("{id: base, on: purchase, give: {unit: star, amount: 1}}", "{id: m, on: purchase, multiply: 2, of: [base, bse, m, all]}"),
			[]string{"/earn/1/of/1", "/earn/1/of/2", "/earn/1/of/3"}, `did you mean "base"`},
		{"fields of a multiplier", earn("{id: a, on: purchase, give: {unit: star, amount: 1}, of: all, unit: star}"), []string{"/earn/0/of", "/earn/0/unit"}, ""},
		{"fields of a rule that gives", earn("{id: a, on: purchase, multiply: 2, claims_lines: true, pending: {for: 1 day}, expires: never}"),
			[]string{"/earn/0/claims_lines", "/earn/0/expires", "/earn/0/pending"}, ""},
		{"claims without lines", earn("{id: a, on: purchase, give: {unit: star, amount: 1}, claims_lines: true}"), []string{"/earn/0/claims_lines"}, ""},
		{"group without best", earn("{id: a, on: purchase, multiply: 2, group: g}", "{id: b, on: purchase, multiply: 2, stack: best}", "{id: c, on: purchase, multiply: 2, stack: bst}"),
			[]string{"/earn/0/group", "/earn/1/group", "/earn/2/stack"}, ""},
		{"lines", earn("{id: a, on: purchase, lines: {}, multiply: 2}", "{id: b, on: purchase, lines: {category: food/, sku: [a, a], not: {brand: []}}, multiply: 2}"),
			[]string{"/earn/0/lines", "/earn/1/lines/category", "/earn/1/lines/not", "/earn/1/lines/not/brand", "/earn/1/lines/sku/1"}, ""},
		{"basis", earn("{id: a, on: purchase, lines: {sku: a}, basis: {discounts: nett, shipping: included, max: 1.001}, give: {unit: star, amount: 1, per: 1}}"),
			[]string{"/earn/0/basis/discounts", "/earn/0/basis/max", "/earn/0/basis/shipping"}, `did you mean "net"`},
		{"rounding", earn("{id: a, on: purchase, round: {to: floor, once: purchse}, give: {unit: star, amount: 1, per: 1}}"), []string{"/earn/0/round/once", "/earn/0/round/to"}, ""},
		{"window", earn("{id: a, on: purchase, from: 2027-02-30, until: tomorrow, multiply: 2}", "{id: b, on: purchase, from: 2027-03-02, until: 2027-03-01, multiply: 2}", "{id: c, on: purchase, from: 2027-03-02, until: 2027-03-02, multiply: 2}"),
			[]string{"/earn/0/from", "/earn/0/until", "/earn/1/until"}, ""},
		{"limit", earn("{id: a, on: purchase, limit: {times: 1}, give: {unit: star, amount: 1}}"), []string{"/earn/0/limit/per"}, ""},
		{"limit in a list of one", earn("{id: a, on: purchase, limit: [{times: 1}], give: {unit: star, amount: 1}}"), []string{"/earn/0/limit/0/per"}, ""},
		{"limits", earn("{id: a, on: purchase, limit: [{per: day}, {per: dya, times: -1}, {per: day, amount: 0.5}, {each: program, per: day, times: 1, zone: member}], give: {unit: star, amount: 1}}"),
			[]string{"/earn/0/limit/0", "/earn/0/limit/1/per", "/earn/0/limit/1/times", "/earn/0/limit/2/amount", "/earn/0/limit/3/zone"}, ""},
		{"limit of a multiplier without a unit", earn("{id: a, on: purchase, limit: {per: day, amount: 5}, multiply: 2}"), []string{"/earn/0/limit/amount"}, "unit"},
		{"limit of half a time", earn("{id: a, on: purchase, limit: {per: day, times: 1.5}, multiply: 2}"), []string{"/earn/0/limit/times"}, "whole number"},
		{"pending", earn("{id: a, on: purchase, pending: {}, give: {unit: star, amount: 1}}", "{id: b, on: purchase, pending: {for: 1 day, until: own_cup}, give: {unit: star, amount: 1}}"),
			[]string{"/earn/0/pending", "/earn/1/pending", "/earn/1/pending/until"}, ""},

		{"empty condition", when("{}"), []string{"/earn/0/when"}, ""},
		{"any of nothing", when("{any: []}"), []string{"/earn/0/when/any"}, ""},
		{"moments", when("{weekdays: [monday, tusday], hours: 7-10, dates: [12-24..01-06, 02-30, 2027-01-02..2027-01-01]}"),
			[]string{"/earn/0/when/dates/1", "/earn/0/when/dates/2", "/earn/0/when/hours", "/earn/0/when/weekdays/1"}, `"tuesday"`},
		{"hours of no length", when("{hours: 10:00-10:00}"), []string{"/earn/0/when/hours"}, ""},
		{"hours to midnight and over it", when("{hours: [20:00-24:00, 22:00-02:00]}"), nil, ""},
		{"zone alone", when("{zone: member}"), []string{"/earn/0/when/zone"}, ""},
		{"tier", when("{tier: {clb: gold}, only_tier: {club: [silver, platinum]}}"), []string{"/earn/0/when/only_tier/club/1", "/earn/0/when/tier/clb"}, `did you mean "club"`},
		{"ranges", when("{amount: {}, total: {from: 10, to: 5}, items: {from: 0.0001}}"), []string{"/earn/0/when/amount", "/earn/0/when/items/from", "/earn/0/when/total/to"}, ""},
		{"formula deep inside", when("{all: [{not: {formula: basis > 12.5}}]}"), []string{"/earn/0/when/all/0/not/formula"}, `money("12.50")`},
		{"conditions on the wrong trigger", earn("{id: a, on: enrolment, when: {payment: cash, property: {a: b}}, give: {unit: star, amount: 1}}"),
			[]string{"/earn/0/when/payment", "/earn/0/when/property"}, ""},
		{"property that is not there", earn(`{id: a, on: activity:review, when: {property: {ratng: "5"}}, give: {unit: star, amount: 1}}`), []string{"/earn/0/when/property/ratng"}, `did you mean "rating"`},

		{"tiers that count nothing", tiers("{by: {}, steps: []}"), []string{"/tiers/club/by", "/tiers/club/steps"}, ""},
		{"tiers that count twice", tiers("{by: {sum: spend, count: visits}, steps: [{id: a}]}"), []string{"/tiers/club/by"}, ""},
		{"tiers of an unknown unit", tiers("{by: {sum: sta}, steps: [{id: a}]}"), []string{"/tiers/club/by/sum"}, `did you mean "star"`},
		{"tiers of an unknown count", tiers("{by: {count: visit}, steps: [{id: a}]}"), []string{"/tiers/club/by/count"}, `did you mean "visits"`},
		{"window text", tiers("{by: {sum: spend, window: calendar week}, steps: [{id: a}]}"), []string{"/tiers/club/by/window"}, ""},
		{"rolling nothing", tiers("{by: {sum: spend, window: rolling 0 days}, steps: [{id: a}]}"), []string{"/tiers/club/by/window"}, ""},
		{"steps", tiers("{by: {sum: spend}, steps: [{id: a, from: 10}, {id: a, from: 10.00}, {id: c, from: 10.001}, {id: d, after: 1 day, from: 20}]}"),
			[]string{"/tiers/club/steps/1/from", "/tiers/club/steps/1/id", "/tiers/club/steps/2/from", "/tiers/club/steps/3/after"}, ""},
		{"tenure", tiers("{by: {tenure: true, window: calendar year}, steps: [{id: a}, {id: b}, {id: c, after: 1 year}, {id: d, after: 12 months}, {id: e, from: 5, after: 3 years}]}"),
			[]string{"/tiers/club/by/window", "/tiers/club/steps/1/after", "/tiers/club/steps/3/after", "/tiers/club/steps/4/from"}, ""},
		{"lines and basis of a count", tiers("{by: {count: purchases, lines: {sku: a}, basis: {tax: excluded}}, steps: [{id: a}]}"), []string{"/tiers/club/by/basis", "/tiers/club/by/lines"}, ""},
		{"fall", tiers("{by: {sum: spend}, steps: [{id: a}], down: {to: never, grace: 1 day}, keep: next period, current_purchase: nxt}"),
			[]string{"/tiers/club/current_purchase", "/tiers/club/down/grace", "/tiers/club/keep"}, ""},

		{"reward without a price", reward("{id: a}"), []string{"/rewards/0/price"}, ""},
		{"price and pay", reward("{id: a, price: {star: 1}, pay: {unit: star, points: 1, worth: 1}}"), []string{"/rewards/0/pay"}, ""},
		{"prices", reward("{id: a, price: {star: 0, status: 1, cash: 0.001, gold: 1}}"),
			[]string{"/rewards/0/price/cash", "/rewards/0/price/gold", "/rewards/0/price/star", "/rewards/0/price/status"}, "more than 0"},
		{"pay without numbers", reward("{id: a, pay: {unit: star}}"), []string{"/rewards/0/pay/points", "/rewards/0/pay/worth"}, ""},
		{"pay", reward("{id: a, pay: {unit: star, points: 10, worth: 1, min: 20, max: 10, share: 101}, gives: {product: x}, quantity: 2}"),
			[]string{"/rewards/0/gives", "/rewards/0/pay/max", "/rewards/0/pay/share", "/rewards/0/quantity"}, ""},
		{"voucher", reward("{id: a, price: {star: 1}, gives: {product: x, voucher: {}}}"), []string{"/rewards/0/gives/product", "/rewards/0/gives/voucher"}, ""},
		{"voucher both ways", reward("{id: a, price: {star: 1}, gives: {voucher: {money: 1, percent: 120}}}"), []string{"/rewards/0/gives/voucher", "/rewards/0/gives/voucher/percent"}, ""},
		{"stock, limit and hold", reward("{id: a, price: {star: 1}, stock: -1, limit: {per: purchase, amount: 2}, hold: 0 days}"),
			[]string{"/rewards/0/hold", "/rewards/0/limit/amount", "/rewards/0/limit/per", "/rewards/0/stock"}, ""},
		{"condition of a reward", reward("{id: a, price: {star: 1}, when: {store: x, first_purchase: true, formula: basis > 1}}"),
			[]string{"/rewards/0/when/first_purchase", "/rewards/0/when/formula", "/rewards/0/when/store"}, ""},

		{"policies", body + "spending: {order: newest, short: no}\nreturns: {earned: take, if_spent: allow debt, within: soon}\n",
			[]string{"/returns/earned", "/returns/if_spent", "/returns/within", "/spending/order", "/spending/short"}, ""},
		{"households and organizations", body + "households: {most: 1, shares: [status, star, star], wait: 0 days}\norganizations: {most: 501, roles: {buyer: [buy, fly]}}\n", []string{"/households/most", "/households/shares/0", "/households/shares/2", "/households/wait", "/organizations/most", "/organizations/roles", "/organizations/roles/buyer/1"}, ""},
		{"transfers", body + "transfers: {units: [star, status, gold], min: 5, max: 1}\n", []string{"/transfers/max", "/transfers/units/1", "/transfers/units/2"}, ""},
		{"an allowance is given away only", head + "units: {thank: {name: thank, expires: {end_of: month}}, star: {name: star}}\nrecognition: {gives: thank, becomes: star}\n" +
			"rewards:\n  - {id: mug, title: Mug, price: {star: 5, thank: 1}, or: [{price: {star: 4}}, {price: {thank: 5}}], gives: {product: MUG}}\n" +
			"  - {id: off, title: Off, pay: {unit: thank, points: 1, worth: 1}}\n" +
			"transfers: {units: [thank]}\n", []string{"/rewards/0/or/1/price", "/rewards/0/price", "/rewards/1/pay/unit", "/transfers/units"}, "given away"},
		{"transfers of nothing", body + "transfers: {units: []}\n", []string{"/transfers/units", "/transfers/units"}, ""},
		{"transfers of unlike units", body + "transfers: {units: [star, cash], max: 5}\n", []string{"/transfers/units"}, "decimals"},

		{"form and meaning together", body + "ern: []\nearn:\n  - {id: a, on: purchase, give: {unit: star, amount: x}}\n  - 3\n  - {id: b, on: purchase, give: {unit: sta, amount: 1}}\n",
			[]string{"/earn/0/give/amount", "/earn/1", "/earn/2/give/unit", "/ern"}, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, p := pointers(t, c.doc)
			if !slices.Equal(got, c.want) {
				t.Errorf("problems at %v, want %v\n%v", got, c.want, p)
			}
			if p != nil && !strings.Contains(strings.ToLower(p.Error()), strings.ToLower(c.says)) {
				t.Errorf("the text does not say %q:\n%v", c.says, p)
			}
		})
	}
}

func TestProblemsAreSortedByPlace(t *testing.T) {
	t.Parallel()
	_, err := Parse([]byte("units:\n  star: {nme: star}\nprogram: A\nnam: x\n"), "p.yaml")
	want := `p.yaml:1:1: /name: the name that members see is missing. Write for example {nb: Kaffestjerner, en: Coffee Stars}
p.yaml:1:1: /time_zone: the time zone is missing. Write for example Europe/Oslo
p.yaml:1:1: /currency: the currency is missing. Write for example NOK
p.yaml:2:3: /units/star/name: the name of the unit is missing. Write for example {nb: {one: stjerne, other: stjerner}}
p.yaml:2:10: /units/star/nme: there is no field "nme" here. Did you mean "name"?
p.yaml:3:1: /program: "A" cannot be an id. Use 2 to 40 of a-z, 0-9 and -
p.yaml:4:1: /nam: there is no field "nam" here. Did you mean "name"?`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func TestBadJSON(t *testing.T) {
	t.Parallel()
	for _, doc := range []string{`{"program": "bar",}`, `{`, `{"a": 01}`, `{} {}`, `{"a": "\ud800"}`, strings.Repeat(`{"a":`, 60) + "1" + strings.Repeat("}", 60)} {
		_, err := Parse([]byte(doc), "p.json")
		var p *Problems
		if !errors.As(err, &p) || len(p.List) != 1 || !strings.Contains(p.List[0].Message, "JSON") {
			t.Errorf("%.40s: %v", doc, err)
		}
	}
}

func TestPlacesInJSON(t *testing.T) {
	t.Parallel()
	_, err := Parse([]byte("{\n  \"program\": \"bar\",\n  \"æøå\": 1, \"nam\": 2\n}"), "p.json")
	var p *Problems
	if !errors.As(err, &p) {
		t.Fatal(err)
	}
	for _, x := range p.List {
		if x.Pointer == "/nam" && (x.Line != 3 || x.Column != 13) {
			t.Errorf("/nam is at %d:%d", x.Line, x.Column)
		}
	}
}

func TestTooManyProblemsAreCounted(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString(body + "earn:\n")
	for range MaxProblems {
		b.WriteString("  - {}\n")
	}
	_, p := pointers(t, b.String())
	if len(p.List) != MaxProblems || p.More != 2*MaxProblems {
		t.Errorf("%d problems and %d more", len(p.List), p.More)
	}
}
