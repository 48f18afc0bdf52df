package demo

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/member"
	"lojal.dev/lojal/internal/money"
)

// product is something the coffee bar sells. The price is in øre, tax in percent.
type product struct {
	sku, name, category, brand string
	tags                       []string
	price                      int64
	tax                        int64
	// weight is how often it is bought; summer and winter multiply it from June to August and from November to February.
	weight, summer, winter float64
}

var menu = []product{
	{"coffee-regular", "Filterkaffe", "coffee/filter", "", nil, 3900, 15, 20, 0.8, 1.1},
	{"espresso", "Espresso", "coffee/espresso", "", nil, 3600, 15, 8, 1, 1},
	{"americano", "Americano", "coffee/espresso", "", nil, 4300, 15, 10, 1, 1},
	{"cappuccino", "Cappuccino", "coffee/espresso", "", nil, 5400, 15, 16, 0.9, 1.1},
	{"latte", "Kaffe latte", "coffee/espresso", "", nil, 5600, 15, 18, 0.9, 1.1},
	{"flat-white", "Flat white", "coffee/espresso", "", nil, 5500, 15, 10, 0.9, 1},
	{"iced-latte", "Islatte", "coffee/iced", "", nil, 6200, 15, 3, 4, 0.1},
	{"tea", "Te", "tea", "", nil, 4200, 15, 7, 0.6, 1.4},
	{"hot-chocolate", "Varm sjokolade", "chocolate", "", nil, 5900, 15, 4, 0.3, 2},
}

var sides = []product{
	{"cinnamon-bun", "Kanelbolle", "bakery/bun", "", nil, 4500, 15, 18, 1, 1},
	{"croissant", "Croissant", "bakery/pastry", "", nil, 4200, 15, 10, 1, 1},
	{"sandwich", "Påsmurt rundstykke", "food/sandwich", "", nil, 7900, 15, 9, 1, 1},
	{"cake", "Gulrotkake", "bakery/cake", "", nil, 6900, 15, 6, 1, 1},
	{"lemonade", "Lemonade", "cold-drink", "Røros", nil, 4900, 15, 3, 3, 0.3},
}

var extras = []product{
	{"beans-250", "Kaffebønner 250 g", "beans", "Langkjøp", nil, 14900, 15, 6, 1, 1.3},
	{"beans-1000", "Kaffebønner 1 kg", "beans", "Langkjøp", nil, 44900, 15, 2, 1, 1.2},
	{"cup", "Termokopp", "merchandise", "", nil, 24900, 25, 1, 1, 1.5},
	{"gift-card-300", "Gavekort 300 kr", "gift-card", "", nil, 30000, 0, 2, 0.5, 3},
}

var stores = []string{"torggata", "majorstuen", "bryggen"}

var givenNames = []string{"Kari", "Ola", "Ingrid", "Lars", "Anne", "Nils", "Sofie", "Jonas", "Emma", "Magnus", "Nora", "Henrik", "Maja", "Sander", "Thea", "Erik", "Astrid",
	"Aksel", "Frida", "Oskar", "Elsa", "Axel", "Alva", "Hugo", "Wilma", "Nils", "Freja", "Anton", "Ida", "Malthe", "Clara", "Emil", "Karla", "Oliver", "Amina", "Yusuf", "Leila",
	"Mateusz", "Zofia", "James", "Mary", "Olena", "Andrii", "Linh", "Minh", "Priya", "Arjun", "Liv", "Tor", "Solveig"}

var familyNames = []string{"Hansen", "Johansen", "Olsen", "Larsen", "Andersen", "Pedersen", "Nilsen", "Kristiansen", "Jensen", "Karlsen", "Berg", "Haugen", "Hagen", "Bakken",
	"Lund", "Solberg", "Svensson", "Johansson", "Lindberg", "Nyström", "Åkesson", "Nielsen", "Sørensen", "Rasmussen", "Møller", "Ødegård", "Aas", "Ali", "Ahmed", "Nowak", "Kowalska",
	"Smith", "Kovalenko", "Nguyen", "Sharma", "Strand", "Vik", "Moen", "Dahl", "Eide"}

// person is a member as the demo imagines one.
type person struct {
	number int
	new    member.New
	joins  time.Time
	leaves time.Time // when they stop coming
	// perWeek is how often they come, early the share of visits before work, weekend how much they like weekends.
	perWeek, early, weekend float64
	favourite, store        int
	// loyal is how often they take the favourite, hungry how often something with it.
	loyal, hungry, ownCup, spends float64

	// ref is under which facts name them, id who they are in the books.
	ref, id string
	// begun says that their first week was lived. Plan is the paid membership that they have, until when the last answer said; planned that
	// they were asked to take one.
	begun   bool
	plan    string
	until   time.Time
	planned bool
	// had counts the rewards they took.
	had map[string]int
	// own is what they have themselves. Firm is the firm that they act for and role what they are in it, home the household that they
	// belong to; asked that they were asked to be in one.
	own        *purse
	firm, home *house
	role       string
	asked      bool
	// keen ones live by the program and want all that it has: eager is how much more they do than others, much how much more they buy at once.
	keen  bool
	eager float64
	much  int64
	// least is what they come for first, where a friend told them what it takes.
	least int64
	// did says which activities they did that are done once; later are those to come.
	did   map[string]bool
	later []engine.Fact
}

// receipt is a purchase that may come back.
type receipt struct {
	person *person
	key    string
	at     time.Time
	lines  int
}

// world makes up people and what they do, the same from the same seed.
type world struct {
	trade
	rnd     *rand.Rand
	zone    *time.Location
	from    time.Time
	until   time.Time
	people  []*person
	receipt int
	recent  []receipt
}

func newWorld(seed uint64, t trade, zone *time.Location, from, until time.Time, members int) *world {
	w := &world{trade: t, rnd: rand.New(rand.NewPCG(seed, 1)), zone: zone, from: from, until: until}
	for i := range members {
		w.people = append(w.people, w.person(i))
	}
	return w
}

func (w *world) person(i int) *person {
	r := w.rnd
	p := &person{number: i, favourite: w.choose(w.menu, w.from), store: r.IntN(len(w.stores)), own: newPurse(), eager: 1, much: 1, had: map[string]int{}, loyal: 0.5 + 0.4*r.Float64(), hungry: 0.2 + 0.4*r.Float64(),
		weekend: 0.3 + 1.2*r.Float64(), spends: 0.1 + 0.4*r.Float64()}
	switch kind := r.Float64(); {
	case kind < 0.07:
		p.perWeek, p.early = 3+2*r.Float64(), 0.7
	case kind < 0.32:
		p.perWeek, p.early = 0.6+0.6*r.Float64(), 0.4
	case kind < 0.70:
		p.perWeek, p.early = 0.15+0.2*r.Float64(), 0.2
	default:
		p.perWeek, p.early = 0.02+0.06*r.Float64(), 0.1
	}
	if r.Float64() < 0.12 {
		p.ownCup = 0.7
	}
	span := w.until.Sub(w.from)
	if i%5 < 2 { // many join in the first weeks, when the program is new
		p.joins = w.from.Add(time.Duration(r.Float64() * float64(6*7*24*time.Hour)))
	} else {
		p.joins = w.from.Add(time.Duration(r.Float64() * float64(span)))
	}
	p.leaves = w.until
	if r.Float64() < 0.35 {
		p.leaves = p.joins.Add(time.Duration(r.ExpFloat64() * float64(26*7*24*time.Hour)))
	}
	given, family := givenNames[r.IntN(len(givenNames))], familyNames[r.IntN(len(familyNames))]
	if i == 0 { // whom the examples speak of: somebody who comes often and has something to spend
		p.joins, p.leaves, p.perWeek, p.early, p.ownCup, p.spends = w.from.Add(9*time.Hour), w.until, 3.5, 0.7, 0.7, 0.15
		given, family = "Kari", "Nordmann"
	}
	if p.joins = w.open(p.joins); p.joins.After(w.until) { // it would be later today
		p.joins = w.until
	}
	if w.keen && i%10 == 1 { // one who lives by it
		p.keen, p.eager, p.spends, p.perWeek = true, 3, 0.6, 4
		p.joins, p.leaves = w.from.Add(time.Duration(9+i%24)*time.Hour), w.until
	} else if w.keen {
		p.eager = min(1, 0.2+p.perWeek)
	}
	languages := []string{"nb", "nb", "nb", "sv", "da", "en"}
	p.new = member.New{Profile: member.Profile{GivenName: given, FamilyName: family, ExternalID: strconv.Itoa(1001 + i), Language: languages[r.IntN(len(languages))]},
		Identifiers: []member.Identifier{{Kind: member.Card, Value: strconv.Itoa(70010000 + i)}}}
	if r.Float64() < 0.6 {
		p.new.Email = fmt.Sprintf("member%d@example.org", 1001+i)
	}
	if r.Float64() < 0.4 {
		p.new.Birth = fmt.Sprintf("%d-%02d-%02d", 1950+r.IntN(55), 1+r.IntN(12), 1+r.IntN(28))
	}
	if len(w.attributes) > 0 {
		p.new.Attributes = map[string]string{}
		for _, name := range slices.Sorted(maps.Keys(w.attributes)) {
			p.new.Attributes[name] = w.attributes[name][r.IntN(len(w.attributes[name]))]
		}
	}
	p.ref = "ext:" + p.new.ExternalID
	return p
}

// open moves a moment into the opening hours of its day.
func (w *world) open(t time.Time) time.Time {
	y, m, d := t.In(w.zone).Date()
	return time.Date(y, m, d, 7+w.rnd.IntN(11), w.rnd.IntN(60), w.rnd.IntN(60), 0, w.zone)
}

// choose picks a product by weight and season.
func (w *world) choose(list []product, at time.Time) int {
	weight := func(p *product) float64 {
		switch m := at.In(w.zone).Month(); {
		case m >= time.June && m <= time.August:
			return p.weight * p.summer
		case m >= time.November || m <= time.February:
			return p.weight * p.winter
		}
		return p.weight
	}
	var sum float64
	for i := range list {
		sum += weight(&list[i])
	}
	pick := w.rnd.Float64() * sum
	for i := range list {
		if pick -= weight(&list[i]); pick < 0 {
			return i
		}
	}
	return len(list) - 1
}

// season is how busy a week is: quiet in July, when Norway is on holiday, and busy before Christmas.
func season(at time.Time) float64 {
	switch at.Month() {
	case time.July:
		return 0.6
	case time.December:
		return 1.25
	case time.January:
		return 0.9
	}
	return 1
}

// drawn draws how often somebody comes in a week (Knuth's method for small means).
func (w *world) drawn(mean float64) int {
	limit, n := math.Exp(-mean), 0
	for p := w.rnd.Float64(); p > limit; p *= w.rnd.Float64() {
		n++
	}
	return n
}

// visit draws a moment within the week that begins at monday.
func (w *world) visit(p *person, monday time.Time) time.Time {
	day := w.rnd.IntN(5)
	if w.rnd.Float64() < p.weekend*2/7 {
		day = 5 + w.rnd.IntN(2)
	}
	var minute int
	switch {
	case day < 5 && w.rnd.Float64() < p.early:
		minute = 6*60 + 40 + w.rnd.IntN(150)
	case w.rnd.Float64() < 0.4:
		minute = 11*60 + w.rnd.IntN(150)
	default:
		minute = 9*60 + w.rnd.IntN(9*60)
	}
	y, m, d := monday.In(w.zone).AddDate(0, 0, day).Date()
	return time.Date(y, m, d, minute/60, minute%60, w.rnd.IntN(60), 0, w.zone)
}

func (w *world) money(minor int64) *money.Decimal {
	d := money.FromMinor(minor, w.scale)
	return &d
}

func (w *world) lineOf(p *product, n, discount int64) engine.Line {
	amount := p.price*n - discount
	l := engine.Line{SKU: p.sku, Name: p.name, Category: p.category, Brand: p.brand, Tags: p.tags, UnitPrice: w.money(p.price), Amount: w.money(amount)}
	if n != 1 {
		q := money.New(n, 0)
		l.Quantity = &q
	}
	if discount > 0 {
		l.Discount = w.money(discount)
	}
	if p.tax > 0 {
		l.Tax = w.money((amount*p.tax + (100+p.tax)/2) / (100 + p.tax))
	}
	return l
}

// purchase makes up what somebody buys.
func (w *world) purchase(p *person, at time.Time) engine.Fact {
	r := w.rnd
	b := &engine.Purchase{Store: w.stores[p.store], Channel: w.channels[0]}
	if r.Float64() < 0.1 {
		b.Store = w.stores[r.IntN(len(w.stores))]
	}
	if r.Float64() < 0.08 {
		b.Channel = w.channels[1+r.IntN(len(w.channels)-1)]
	}
	var moment *occasion
	if len(w.occasions) > 0 && r.Float64() < 0.2 {
		moment = &w.occasions[r.IntN(len(w.occasions))]
		at = moment.at(w, at)
		b.Store, b.Channel = cmp.Or(moment.store, b.Store), cmp.Or(moment.channel, b.Channel)
	}
	drink := p.favourite
	if r.Float64() > p.loyal {
		drink = w.choose(w.menu, at)
	}
	if moment != nil {
		drink = moment.good(w, drink)
	}
	n := p.much
	if r.Float64() < 0.12 {
		n++
	}
	if price := w.menu[drink].price; p.least > 0 && price > 0 {
		n, p.least = max(n, (p.least+price-1)/price), 0
	}
	b.Lines = append(b.Lines, w.lineOf(&w.menu[drink], n, 0))
	if r.Float64() < p.hungry {
		discount := int64(0)
		if at.Hour() >= 16 && r.Float64() < 0.5 && w.daily != "" { // baked in the morning
			discount = 10 * money.Pow10(w.scale)
		}
		b.Lines = append(b.Lines, w.lineOf(&w.sides[w.choose(w.sides, at)], 1, discount))
	}
	if r.Float64() < 0.03 && len(w.extras) > 0 {
		b.Lines = append(b.Lines, w.lineOf(&w.extras[w.choose(w.extras, at)], 1, 0))
	}
	total := int64(0)
	for i := range b.Lines {
		minor, _ := b.Lines[i].Amount.Minor(w.scale) // made of minor units above
		total += minor
	}
	means := w.means[0]
	if pay := r.Float64(); pay < 0.12 {
		means = w.means[1+int(pay/0.12*float64(len(w.means)-1))]
	}
	if moment != nil && moment.means != "" {
		means = moment.means
	}
	b.Payments = []engine.Payment{{Means: means, Amount: *w.money(total)}}
	w.receipt++
	key := fmt.Sprintf("%s-%06d", b.Store, w.receipt)
	w.recent = append(w.recent, receipt{p, key, at, len(b.Lines)})
	return engine.Fact{Kind: engine.PurchaseK, Purchase: b, Source: "till", ExternalID: key, OccurredAt: at}
}
