package demo

import (
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

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
	// keen says that some live by the program; idle that nothing in it is about what is bought, and so nobody buys.
	keen, idle bool
	// occasions are the moments that rules are about. Attributes are the values that conditions ask for, by attribute.
	occasions  []occasion
	attributes map[string][]string
	// confirms are the activities that make pending points spendable, by kind: they follow a purchase.
	confirms map[string]habit
}

// occasion is a moment at which buying something counts for more: what it is about is in the fields that are set.
type occasion struct {
	days                  *[7]bool
	from, until           int // minutes of the day
	store, channel, means string
	lines                 *program.Lines
}

// at moves a visit into the occasion, within its week.
func (o *occasion) at(w *world, at time.Time) time.Time {
	y, m, d := at.In(w.zone).Date()
	if o.days != nil {
		monday := d - (int(at.In(w.zone).Weekday())+6)%7
		for range 20 {
			if d = monday + w.rnd.IntN(7); o.days[(d-monday+1)%7] {
				break
			}
		}
	}
	minute := at.In(w.zone).Hour()*60 + at.In(w.zone).Minute()
	if o.until > o.from {
		minute = o.from + w.rnd.IntN(o.until-o.from)
	}
	return time.Date(y, m, d, minute/60, minute%60, w.rnd.IntN(60), 0, w.zone)
}

// good picks something that the occasion is about.
func (o *occasion) good(w *world, otherwise int) int {
	if o.lines == nil {
		return otherwise
	}
	var fit []int
	for i := range w.menu {
		g := &w.menu[i]
		if len(o.lines.Category) > 0 && !slices.Contains(o.lines.Category, g.category) || len(o.lines.Brand) > 0 && !slices.Contains(o.lines.Brand, g.brand) ||
			len(o.lines.Tag) > 0 && !slices.ContainsFunc(g.tags, func(tag string) bool { return slices.Contains(o.lines.Tag, tag) }) {
			continue
		}
		fit = append(fit, i)
	}
	if len(fit) == 0 {
		return otherwise
	}
	return fit[w.rnd.IntN(len(fit))]
}

// habit is an activity that people do now and then.
type habit struct {
	kind string
	// often is how likely it is at a visit. Weekly, where it is no part of one, is how often it is done in a week.
	often, weekly float64
	// once says that it is done once for all.
	once       bool
	properties map[string]string // name to type
	// words are the values that a property takes, where the program names them.
	words map[string][]string
	// least are the numbers that conditions ask for, by property.
	least map[string]int
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
			if least := h.least[name]; least > 0 {
				out[name] = strconv.Itoa(least/2 + r.IntN(2*least+1))
				continue
			}
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
	t.fromActivities(p)
	t.keen, t.idle = true, !aboutPurchases(p.Doc)
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
		t.moment(r)
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

// moment takes up the occasion that a rule is about.
func (t *trade) moment(r *program.Rule) {
	if c := r.When; c != nil {
		for name, words := range c.Attribute {
			if t.attributes == nil {
				t.attributes = map[string][]string{}
			}
			t.attributes[name] = append(t.attributes[name], words...)
		}
	}
	if r.On != "purchase" || r.When == nil && r.Lines == nil {
		return
	}
	o := occasion{lines: r.Lines}
	if c := r.When; c != nil {
		if len(c.Weekdays) > 0 {
			o.days = &[7]bool{}
			for day := time.Sunday; day <= time.Saturday; day++ {
				o.days[day] = slices.Contains(c.Weekdays, strings.ToLower(day.String()))
			}
		}
		if len(c.Hours) > 0 {
			var h, m, h2, m2 int
			if n, err := fmt.Sscanf(c.Hours[0], "%d:%d-%d:%d", &h, &m, &h2, &m2); err == nil && n == 4 {
				o.from, o.until = h*60+m, h2*60+m2
			}
		}
		first := func(words program.Words) string {
			if len(words) == 0 {
				return ""
			}
			return words[0]
		}
		o.store, o.channel, o.means = first(c.Store), first(c.Channel), first(c.Payment)
	}
	if o != (occasion{}) && (r.Give == nil || r.Give.Amount == nil || !r.Give.Amount.IsZero()) {
		t.occasions = append(t.occasions, o)
	}
}

// asks finds what a formula asks of a property: property.minutes >= 20.
var asks = regexp.MustCompile(`property\.(\w+)\s*>=?\s*(\d+)`)

// fromActivities says how often activities are done, and with what: as often as their rules give something, with what these ask for.
func (t *trade) fromActivities(p *program.Compiled) {
	t.confirms = map[string]habit{}
	for i := range t.habits {
		h := &t.habits[i]
		h.weekly, h.least = 0.5, map[string]int{}
		for k := range p.Doc.Earn {
			r := &p.Doc.Earn[k]
			if r.Pending != nil && r.Pending.Until == "activity:"+h.kind {
				h.weekly = 0
				t.confirms[h.kind] = habit{}
			}
			if r.On != "activity:"+h.kind {
				continue
			}
			if _, confirms := t.confirms[h.kind]; !confirms {
				h.pace(r.Limit)
			}
			h.asked(r.When)
		}
	}
	t.habits = slices.DeleteFunc(t.habits, func(h habit) bool {
		if _, confirms := t.confirms[h.kind]; confirms {
			t.confirms[h.kind] = h
			return true
		}
		return false
	})
}

// pace is how often something is done that counts so often.
func (h *habit) pace(limits program.Limits) {
	for _, l := range limits {
		if l.Times == nil {
			continue
		}
		often := float64(*l.Times)
		switch l.Per {
		case "day":
			h.weekly = min(1+0.2*often, 3)
		case "week":
			h.weekly = min(0.5*often, 2)
		case "month":
			h.weekly = min(0.1*often, 1.5)
		case "quarter":
			h.weekly = 0.03 * often
		case "year":
			h.weekly = min(0.02*often, 0.2)
		case "lifetime":
			h.weekly, h.once = 0.1, often == 1
		}
	}
}

// asked takes up the values of properties that a condition asks for.
func (h *habit) asked(c *program.Condition) {
	if c == nil {
		return
	}
	for name, words := range c.Property {
		h.words[name] = append(h.words[name], words...)
		if h.properties[name] == "text" && len(h.words[name]) == 1 {
			h.words[name] = append(h.words[name], "standard")
		}
	}
	for _, m := range asks.FindAllStringSubmatch(c.Formula, -1) {
		if n, err := strconv.Atoi(m[2]); err == nil {
			h.least[m[1]] = n
		}
	}
}

// aboutPurchases says whether anything in a program is about what is bought.
func aboutPurchases(d *program.Document) bool {
	bought := func(on string) bool { return on == "purchase" }
	return slices.ContainsFunc(d.Earn, func(r program.Rule) bool { return bought(r.On) || r.Give != nil && r.Give.Of == "spend" }) ||
		slices.ContainsFunc(d.Challenges, func(c program.Challenge) bool { return bought(c.On) }) || d.Referral != nil || len(d.Coupons) > 0 ||
		slices.ContainsFunc(d.Rewards, func(r program.Reward) bool { return r.Pay != nil }) ||
		slices.ContainsFunc(slices.Collect(maps.Values(d.Tiers)), func(s program.TierSet) bool {
			return s.By.Sum == "spend" || s.By.Count == "purchases" || s.By.Count == "visits"
		})
}
