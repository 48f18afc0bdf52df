package program

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lojal.dev/lojal/internal/money"
)

const full = body + `earn:
  - {id: base, on: purchase, give: {unit: cash, amount: 0.05, per: 10.00}, from: 2027-03-28, until: 2027-10-31, round: {to: nearest, once: end}}
  - {id: cup, on: activity:own_cup, give: {unit: star, amount: 2}, limit: [{per: day, times: 1}, {each: program, per: month, amount: 500, over: refuse}], pending: {until: activity:review}}
  - {id: double, on: purchase, multiply: 1.50, of: [base], lines: {category: [food/bread, food]}, unit: cash, limit: {per: day, amount: 1.25}}
  - {id: all-fixed, on: activity:own_cup, multiply: 2, of: all, from: "2027-01-01T12:00:00+05:30"}
  - id: when
    on: purchase
    when:
      weekdays: [sunday, monday]
      hours: [07:00-10:00, 22:00-02:00, 20:00-24:00]
      dates: [12-24..01-06, 2027-05-17, 02-29]
      tier: {club: silver}
      only_tier: {club: [gold]}
      amount: {from: 500}
      total: {to: 99.90}
      items: {from: 1.5, to: 2}
      formula: basis > 1
      not: {any: [{channel: web}]}
    give: {unit: star, formula: basis / 100}
rewards:
  - {id: mug, price: {star: 5, cash: 1.50}, stock: 3, limit: {per: lifetime, times: 1}}
  - {id: pay, pay: {unit: cash, points: 1.00, worth: 0.50, min: 10, share: 12.5}}
transfers: {units: star, limit: {per: day, amount: 7}}
`

func compiled(t testing.TB, doc string) *Compiled {
	t.Helper()
	d, err := Parse([]byte(doc), "test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c, err := Compile(d, 7)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCompileFillsEverything(t *testing.T) {
	t.Parallel()
	c := compiled(t, full)
	if c.Version != 7 || c.Zone.String() != "Europe/Oslo" || c.Exponent != 2 || !slices.Equal(c.UnitIDs, []string{"cash", "star", "status"}) ||
		!slices.Equal(c.TierIDs, []string{"club"}) || c.Units["cash"].Precision != 2 || c.Units["cash"].ID != "cash" {
		t.Errorf("%+v", c)
	}
	base := c.ByID["base"]
	if base != c.Rules["purchase"][0] || base.Amount != 5 || base.Per != 1000 || base.Mode != money.HalfUp || base.Once != "end" || base.Num != 1 || base.Den != 1 {
		t.Errorf("base: %+v", base)
	}
	if got := base.From.UTC().Format(time.RFC3339); got != "2027-03-27T23:00:00Z" {
		t.Error("from", got)
	}
	if got := base.Until.UTC().Format(time.RFC3339Nano); got != "2027-10-31T22:59:59.999999999Z" {
		t.Error("until", got)
	}
	cup := c.ByID["cup"]
	want := []CompiledLimit{
		{Each: "member", Per: "day", Over: "clip", Zone: "program", Times: 1, Amount: -1, Key: "limit:cup:0"},
		{Each: "program", Per: "month", Over: "refuse", Zone: "program", Times: -1, Amount: 500, Key: "limit:cup:1"},
	}
	if d := cmp.Diff(want, cup.Limits); d != "" || cup.Amount != 2 || cup.Mode != money.Down || cup.Once != "purchase" || cup.Index != 1 {
		t.Errorf("cup: %+v\n%s", cup, d)
	}
	if !c.Confirms["activity:review"] || len(c.Confirms) != 1 {
		t.Error(c.Confirms)
	}
	double := c.Multipliers["purchase"][0]
	if double.Num != 15 || double.Den != 10 || !double.Of["base"] || double.OfAll || double.Specific != 1 || double.Limits[0].Amount != 125 {
		t.Errorf("double: %+v", double)
	}
	if m := c.Multipliers["activity:own_cup"][0]; !m.OfAll || m.Of != nil || m.From.UTC().Format(time.RFC3339) != "2027-01-01T06:30:00Z" {
		t.Errorf("all-fixed: %+v", m)
	}
	w := c.ByID["when"].When
	if *w.Weekdays != [7]bool{true, true} || !reflect.DeepEqual(w.Hours, [][2]int{{420, 600}, {1320, 120}, {1200, 1440}}) {
		t.Errorf("when: %+v", w)
	}
	dates := []DateSpan{{0, 12, 24, 0, 1, 6}, {2027, 5, 17, 2027, 5, 17}, {0, 2, 29, 0, 2, 29}}
	if d := cmp.Diff(dates, w.Dates); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[string]map[int]bool{"club": {1: true, 2: true}}, w.Tier); d != "" {
		t.Error(d)
	}
	if *w.Amount != (Bounds{50000, math.MaxInt64}) || *w.Total != (Bounds{math.MinInt64, 9990}) || *w.Items != (Bounds{1500, 2000}) {
		t.Error(w.Amount, w.Total, w.Items)
	}
	if w.Formula.Text() != "basis > 1" || w.Not.Any[0].Channel[0] != "web" || c.ByID["when"].Formula == nil {
		t.Error("formulas and parts")
	}
	club := c.Tiers["club"]
	if club.Metric != "spend" || club.Tally != "spend" || club.Window != "lifetime" || !slices.Equal(club.From, []int64{0, 100000, 300000}) || club.Place("gold") != 2 || club.Place("x") != -1 {
		t.Errorf("club: %+v", club)
	}
	mug, pay := c.Rewards["mug"], c.Rewards["pay"]
	if mug.Price["star"] != 5 || mug.Price["cash"] != 150 || mug.Stock != 3 || mug.Limits[0].Key != "reward:mug:0" || mug.Limits[0].Times != 1 || mug.PayMin != -1 {
		t.Errorf("mug: %+v", mug)
	}
	if pay.PayPoints != 100 || pay.PayWorth != 50 || pay.PayMin != 1000 || pay.PayMax != -1 || pay.Share != 1250 || pay.Stock != -1 || pay.Index != 1 {
		t.Errorf("pay: %+v", pay)
	}
	if c.TransferLimits[0].Amount != 7 || c.TransferLimits[0].Key != "transfer:0" {
		t.Error(c.TransferLimits)
	}
}

func TestCompileRefusesAProblem(t *testing.T) {
	t.Parallel()
	var p *Problems
	if _, err := Compile(&Document{}, 0); !errors.As(err, &p) || len(p.List) < 5 {
		t.Error(err)
	}
}

func TestWindows(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]CompiledTierSet{
		"":                  {Window: "lifetime"},
		"lifetime":          {Window: "lifetime"},
		"rolling 12 months": {Window: "rolling", Length: Period{12, "month"}},
		"rolling 90 days":   {Window: "rolling", Length: Period{90, "day"}},
		"calendar quarter":  {Window: "calendar", Calendar: "quarter"},
		"anniversary year":  {Window: "anniversary", Calendar: "year"},
		"calendar year":     {Window: "calendar", Calendar: "year"},
	} {
		c := compiled(t, strings.Replace(body, "{sum: spend}", "{count: visits, window: "+or(text, "lifetime")+"}", 1)).Tiers["club"]
		if c.Window != want.Window || c.Length != want.Length || c.Calendar != want.Calendar || c.Metric != "visits" || c.From[2] != 3000 {
			t.Errorf("%q: %+v", text, c)
		}
	}
}

// The tally is the name of counters in the books: it changes if and only if what is counted does.
func TestTallyFollowsTheDefinition(t *testing.T) {
	t.Parallel()
	tally := func(by string) string {
		return compiled(t, strings.Replace(body, "{sum: spend}", by, 1)).Tiers["club"].Tally
	}
	a := tally("{sum: spend, lines: {category: [food, drink]}}")
	if b := tally("{sum: spend, window: calendar year, lines: {category: [drink, food]}}"); a != b || a == "spend" || !strings.HasPrefix(a, "spend#") {
		t.Errorf("%s and %s", a, b)
	}
	for _, by := range []string{"{sum: spend}", "{sum: spend, lines: {category: food}}", "{sum: spend, basis: {tax: excluded}}", "{sum: spend, lines: {not: {category: [food, drink]}}}", "{sum: star}"} {
		if tally(by) == a {
			t.Errorf("%s has the tally of another definition", by)
		}
	}
	if a != "spend#42434ba95575" {
		t.Errorf("the tally changed to %s: counters in the books would be lost", a)
	}
}

func TestSpecific(t *testing.T) {
	t.Parallel()
	order := []*Lines{
		nil, {Store: Words{"a"}}, {Category: Words{"a/b"}, Store: Words{"a"}}, {Category: Words{"a/b/c/d"}}, {Brand: Words{"a"}},
		{Brand: Words{"a"}, Category: Words{"a"}}, {Brand: Words{"a"}, Tag: Words{"a"}}, {SKU: Words{"a"}}, {SKU: Words{"a"}, Brand: Words{"b"}},
	}
	for i := range order[1:] {
		if order[i].specific() >= order[i+1].specific() {
			t.Errorf("%+v is not less specific than %+v", order[i], order[i+1])
		}
	}
}

func TestLinesMatch(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		lines *Lines
		want  bool
	}{
		{nil, true},
		{&Lines{}, true},
		{&Lines{Category: Words{"food"}}, true},
		{&Lines{Category: Words{"food/bread"}}, true},
		{&Lines{Category: Words{"food/bread/rye"}}, false},
		{&Lines{Category: Words{"foo"}}, false},
		{&Lines{Category: Words{"food/b"}}, false},
		{&Lines{Category: Words{"Food"}}, false},
		{&Lines{Category: Words{"drink", "food"}}, true},
		{&Lines{SKU: Words{"42"}, Brand: Words{"Mølla"}}, true},
		{&Lines{SKU: Words{"42"}, Brand: Words{"Other"}}, false},
		{&Lines{SKU: Words{"4"}}, false},
		{&Lines{Tag: Words{"organic"}}, true},
		{&Lines{Tag: Words{"color=red"}}, false},
		{&Lines{Store: Words{"oslo"}, Channel: Words{"web", "till"}}, true},
		{&Lines{Store: Words{"bergen"}}, false},
		{&Lines{Category: Words{"food"}, Not: &Lines{SKU: Words{"42"}}}, false},
		{&Lines{Not: &Lines{SKU: Words{"43"}}}, true},
		{&Lines{Not: &Lines{Category: Words{"food"}, Not: &Lines{Brand: Words{"Mølla"}}}}, true},
	} {
		if got := c.lines.Match("42", "food/bread", "Mølla", []string{"fresh", "organic"}, "oslo", "till"); got != c.want {
			t.Errorf("%+v: %v", c.lines, got)
		}
	}
	if (&Lines{Category: Words{"food"}}).Match("", "foodie", "", nil, "", "") {
		t.Error("food matches foodie")
	}
}

// The standard library's JSON reads and writes a document too, with the same strictness.
func TestStandardJSON(t *testing.T) {
	t.Parallel()
	d := compiled(t, full).Doc
	j, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	var e Document
	if err := json.Unmarshal(j, &e); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(d, &e, cmp.Comparer(func(a, b money.Decimal) bool { return a.Cmp(b) == 0 })); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []string{`{"Program":"a"}`, `{"program":"a","program":"b"}`, `{"x":1}`, `{"earn":[{"limit":{"perr":"day"}}]}`, `{"units":{"a":{"name":{"nb":{"on":"x"}}}}}`} {
		if json.Unmarshal([]byte(bad), new(Document)) == nil {
			t.Errorf("%s was read", bad)
		}
	}
}

func TestHashIsStable(t *testing.T) {
	t.Parallel()
	a, err := Parse([]byte(full), "")
	if err != nil {
		t.Fatal(err)
	}
	y, err := YAML(a)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Parse(y, "")
	if err != nil {
		t.Fatal(err)
	}
	h, err := Hash(a)
	if err != nil {
		t.Fatal(err)
	}
	if k, err := Hash(b); err != nil || h != k || len(h) != 64 {
		t.Error(h, k, err)
	}
}

// Both forms of a value are read, and the shorter one is written.
func TestForms(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`{expires: never}`:                `"expires":"never"`,
		`{expires: {after: 1 year}}`:      `"expires":{"after":"1 year"}`,
		`{of: a}`:                         `"of":"a"`,
		`{of: [a]}`:                       `"of":"a"`,
		`{of: [a, b]}`:                    `"of":["a","b"]`,
		`{limit: [{per: day, times: 0}]}`: `"limit":{"per":"day","times":0}`,
		`{title: Hei}`:                    `"title":"Hei"`,
		`{title: {nb: Hei}}`:              `"title":{"nb":"Hei"}`,
		`{lines: {sku: [0042, 7038010000123, "x"]}}`:      `"lines":{"sku":["0042","7038010000123","x"]}`,
		`{give: {unit: a, amount: "1.50"}}`:               `"give":{"unit":"a","amount":"1.50"}`,
		`{when: {first_purchase: false}}`:                 `"when":{"first_purchase":false}`,
		`{when: {attribute: {vip: true, level: [1, 2]}}}`: `"when":{"attribute":{"level":["1","2"],"vip":"true"}}`,
	} {
		n, problems := read([]byte(in), "")
		if problems != nil {
			t.Fatal(problems)
		}
		s := &shaper{bad: map[string]bool{}, around: map[string]bool{}}
		s.value("", n, reflect.TypeFor[Rule]())
		if s.problems != nil {
			t.Errorf("%s: %v", in, s.problems)
			continue
		}
		var r Rule
		if err := json.Unmarshal(n.json(nil), &r); err != nil {
			t.Fatal(err)
		}
		got, err := canonicalJSON(r)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(got), want) {
			t.Errorf("%s is written %s, want %s", in, got, want)
		}
	}
}
