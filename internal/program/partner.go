package program

import (
	"fmt"
	"reflect"
	"slices"

	"lojal.dev/lojal/internal/money"
)

// Partner is another company that awards the program's units, takes them as payment, or gives members their benefits.
type Partner struct {
	// ID names the partner in keys, statements and the books. Required. Never reuse one for another company.
	ID string `json:"id"`
	// Name is shown to members.
	Name Text `json:"name,omitempty"`
	// Awards are the units that the partner may give, with what it is billed for one, in the program's currency.
	Awards map[string]money.Decimal `json:"awards,omitempty"`
	// Pays is "afterwards" (the default: by the monthly statement) or "ahead": it can give no more than it has paid for.
	Pays string `json:"pays,omitempty"`
	// Limit caps what it may give: per day, week, month, quarter, year or lifetime, for a member or for all together.
	Limit Limits `json:"limit,omitempty"`
	// Most is the most that one award may be.
	Most *money.Decimal `json:"most,omitempty"`
	// Accepts are the units with which members may pay at the partner, with what the program owes it for one, in the program's currency.
	Accepts map[string]money.Decimal `json:"accepts,omitempty"`
	// Benefits are the ids of what tiers bring that the partner gives to members, and may ask for.
	Benefits Words `json:"benefits,omitempty"`
}

// PriceScale is the number of decimals in which what partners owe and are owed is counted: millionths, so that nothing is rounded before
// the end of a statement.
const PriceScale = 6

func (c *checker) partner(ptr string, p *Partner) {
	c.optionalText(ptr+"/name", p.Name)
	if len(p.Awards)+len(p.Accepts)+len(p.Benefits) == 0 {
		c.missing(ptr+"/awards", "what the partner does", "awards: {star: 0.10}, accepts: {star: 0.08} or benefits: lounge")
	}
	c.prices(ptr+"/awards", p.Awards)
	c.prices(ptr+"/accepts", p.Accepts)
	for _, unit := range sortedKeys(p.Accepts) {
		c.spendable(at(ptr, "accepts", unit), unit)
	}
	c.oneOf(ptr+"/pays", p.Pays, vocabulary["Partner.pays"]...)
	unit := ""
	if units := sortedKeys(p.Awards); len(units) > 0 {
		unit = units[0]
	}
	amounts := p.Most != nil || slices.ContainsFunc(p.Limit, func(l Limit) bool { return l.Amount != nil })
	c.limits(ptr+"/limit", p.Limit, transferLimit, unit)
	if p.Most != nil {
		c.points(ptr+"/most", *p.Most, unit, "most", moreThanZero)
	}
	if amounts && len(p.Awards) > 1 {
		c.say(ptr+"/limit", "the partner gives more than one unit, so an amount means nothing for all of them", "limit how often, or make a partner of each unit")
	}
	c.words(ptr+"/benefits", p.Benefits)
}

func (c *checker) prices(ptr string, prices map[string]money.Decimal) {
	for _, unit := range sortedKeys(prices) {
		where := at(ptr, unit)
		if !c.knownUnit(where, unit) {
			continue
		}
		scale := PriceScale - c.d.Units[unit].Precision
		price := prices[unit]
		if _, err := price.Minor(max(scale, 0)); err != nil {
			c.say(where, fmt.Sprintf("%s has too many decimals", price), fmt.Sprintf("write at most %d", max(scale, 0)))
			continue
		}
		c.decimal(where, price, max(scale, 0), "the price", zeroOrMore)
	}
}

func (k *compiler) partner(p *Partner) {
	c := &CompiledPartner{Partner: p, Awards: map[string]int64{}, Accepts: map[string]int64{}, Most: -1}
	price := func(unit string, d money.Decimal) int64 { return k.minor(d, PriceScale-k.d.Units[unit].Precision) }
	unit := ""
	for _, id := range sortedKeys(p.Awards) {
		c.Awards[id] = price(id, p.Awards[id])
		if unit == "" {
			unit = id
		}
	}
	for id, d := range p.Accepts {
		c.Accepts[id] = price(id, d)
	}
	scale := k.d.precision(unit)
	c.Most = k.optional(p.Most, scale)
	c.Limits = k.limits("partner:"+p.ID, p.Limit, scale)
	if k.c.Partners == nil {
		k.c.Partners = map[string]*CompiledPartner{}
	}
	k.c.Partners[p.ID] = c
}

func (d *differ) partners() {
	a, b := d.a.Partners, d.b.Partners
	byID(a, b, func(p *Partner) string { return p.ID },
		func(j int) { d.add(at("/partners", j), d.say("partner.new", b[j].ID)) },
		func(i int) { d.add(at("/partners", i), d.say("partner.removed", a[i].ID)) },
		func(i, j int) {
			d.fields(at("/partners", j), d.say("partner", b[j].ID), reflect.ValueOf(a[i]), reflect.ValueOf(b[j]))
		})
}
