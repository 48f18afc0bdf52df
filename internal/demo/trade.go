package demo

import (
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
)

// trade is what a shop sells and what people do there besides.
type trade struct {
	// menu is what they come for, sides what goes with it, extras what is bought now and then; menu is never empty.
	menu, sides, extras []product
	stores, channels    []string
	means               []string // ways to pay, the first the usual one
	// visits is how many times as often people come as to a coffee bar.
	visits float64
	// scale is the number of decimals of the currency.
	scale  int
	habits []habit
	// daily makes somebody who has the habit of something each time they come: a cup of their own.
	daily string
	// plans are the paid memberships that some take; referral says that members bring friends.
	plans    []program.Plan
	referral bool
}

// habit is an activity that people do now and then.
type habit struct {
	kind string
	// often is how likely it is at a visit.
	often      float64
	properties map[string]string // name to type
	// words are the values that a property takes, where the program names them.
	words map[string][]string
}

// of gives the properties of one time.
func (h habit) of(r *rand.Rand) map[string]string {
	out := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(h.properties)) {
		if words := h.words[name]; len(words) > 0 {
			out[name] = words[r.IntN(len(words))]
			continue
		}
		switch h.properties[name] {
		case "whole":
			out[name] = strconv.Itoa(1 + r.IntN(5))
		case "number":
			out[name] = strconv.Itoa(1+r.IntN(20)) + ".5"
		case "yes/no":
			out[name] = "no"
			if r.Float64() < 0.4 {
				out[name] = "yes"
			}
		default:
			out[name] = name + "-" + strconv.Itoa(1+r.IntN(6))
		}
	}
	return out
}

// coffeeBar is the trade of the first blueprint.
func coffeeBar(doc *program.Document) trade {
	t := trade{menu: menu, sides: sides, extras: extras, stores: stores, channels: []string{"till", "app"}, means: []string{"card", "mobile", "cash", "gift_card"}, visits: 1, scale: 2, daily: "own_cup"}
	t.habits = habitsOf(doc, t.daily)
	return t
}

func habitsOf(doc *program.Document, but string) []habit {
	var out []habit
	for _, kind := range slices.Sorted(maps.Keys(doc.Activities)) {
		if kind != but {
			out = append(out, habit{kind: kind, often: 0.01, properties: doc.Activities[kind].Properties, words: map[string][]string{}})
		}
	}
	return out
}

// tradeOf imagines a shop for a program: it sells what the program's rules speak of, for what a usual member pays.
func tradeOf(p *program.Compiled) trade {
	if p.Doc.Program == coffee {
		return coffeeBar(p.Doc)
	}
	usual := 250 * money.Pow10(p.Exponent)
	t := trade{visits: 2 / perMonth, scale: p.Exponent, channels: []string{"till", "web"}, means: []string{"card", "mobile", "cash"}}
	if u := p.Doc.Usual; u != nil {
		if n, err := u.Purchase.Minor(p.Exponent); err == nil {
			usual = n
		}
		t.visits = min(float64(u.PerMonth)/perMonth, 1.2) // beyond that the first start takes too long
	}
	t.habits = habitsOf(p.Doc, "")
	for i := range t.habits {
		t.habits[i].often = 0.06
	}
	t.plans = p.Doc.Plans
	t.referral = p.Doc.Referral != nil
	t.fromRules(p, usual)
	t.menu = append(t.menu, goods(p, "goods", "", "", usual))
	t.sides = append(t.sides, goods(p, "goods/small", "", "", usual/4))
	if len(t.stores) == 0 {
		t.stores = []string{"main"}
	}
	return t
}

// perMonth is how often the coffee bar's people come in a month, on average.
const perMonth = 2.7

// fromRules takes up the categories, brands, tags, stores and channels that rules, challenges, tiers and conditions speak of.
func (t *trade) fromRules(p *program.Compiled, usual int64) {
	add := func(list *[]string, words program.Words) {
		for _, w := range words {
			if !slices.Contains(*list, w) {
				*list = append(*list, w)
			}
		}
	}
	seen := map[string]bool{}
	sell := func(category, brand, tag string, weight float64) {
		if key := category + "|" + brand + "|" + tag; !seen[key] {
			seen[key] = true
			g := goods(p, category, brand, tag, usual)
			g.weight = weight
			t.menu = append(t.menu, g)
			if g.price /= 3; g.price > 0 {
				g.sku += "-s"
				t.sides = append(t.sides, g)
			}
		}
	}
	lines := func(l *program.Lines, weight float64) {
		for ; l != nil; l, weight = l.Not, 1 { // what does not count is bought seldom
			for _, c := range l.Category {
				sell(c, "", "", weight)
			}
			for _, b := range l.Brand {
				sell("goods", b, "", weight)
			}
			for _, tag := range l.Tag {
				sell("goods", "", tag, weight)
			}
			add(&t.stores, l.Store)
			add(&t.channels, l.Channel)
		}
	}
	for i := range p.Doc.Earn {
		r := &p.Doc.Earn[i]
		weight := 10.0
		if r.Give != nil && r.Give.Amount != nil && r.Give.Amount.IsZero() {
			weight = 1
		}
		lines(r.Lines, weight)
		if r.When != nil {
			add(&t.stores, r.When.Store)
			add(&t.channels, r.When.Channel)
			add(&t.means, r.When.Payment)
		}
	}
	for i := range p.Doc.Challenges {
		c := &p.Doc.Challenges[i]
		lines(c.Lines, 10)
		if c.When != nil {
			add(&t.stores, c.When.Store)
			add(&t.channels, c.When.Channel)
		}
		t.toFind(c, sell, add)
	}
	for _, id := range p.TierIDs {
		lines(p.Tiers[id].By.Lines, 10)
	}
}

// toFind takes up the different things that a challenge asks for.
func (t *trade) toFind(c *program.Challenge, sell func(category, brand, tag string, weight float64), add func(*[]string, program.Words)) {
	switch c.Set {
	case "":
	case "store":
		add(&t.stores, c.Of)
	case "channel":
		add(&t.channels, c.Of)
	case "category":
		for _, of := range c.Of {
			sell(of, "", "", 10)
		}
	case "brand":
		for _, of := range c.Of {
			sell("goods", of, "", 10)
		}
	default:
		for i := range t.habits {
			if h := &t.habits[i]; c.On == "activity:"+h.kind && len(c.Of) > 0 {
				h.words[c.Set], h.often = c.Of, 0.3
			}
		}
	}
}

// goods makes a product of a category, brand or tag. Its price is about that of a usual purchase, and always the same.
func goods(p *program.Compiled, category, brand, tag string, usual int64) product {
	h := fnv.New32a()
	_, _ = h.Write([]byte(category + "|" + brand + "|" + tag)) // it never fails
	step := max(money.Pow10(p.Exponent), 1)
	price := usual * int64(40+h.Sum32()%90) / 100
	price = max(price/step*step, step)
	word := strings.TrimSuffix(category, "/small")
	for _, w := range []string{brand, tag} {
		if w != "" {
			word = w
		}
	}
	name := p.Doc.Names[word].In(lang.Norwegian)
	if name == "" {
		name = word
	}
	out := product{sku: strings.NewReplacer("/", "-", "=", "-", " ", "-").Replace(strings.Trim(category+"-"+brand+tag, "-")), name: name, category: category, brand: brand,
		price: price, tax: 25, weight: 10, summer: 1, winter: 1}
	if tag != "" {
		out.tags = []string{tag}
	}
	return out
}
