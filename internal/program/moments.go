package program

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"lojal.dev/lojal/internal/money"
)

// Moments are triggers that time brings, and the reaching of a tier; percents are amounts that are a part of something. Both are
// fields of a rule.

// Share is one step of a percent: which percent counts from where on.
type Share struct {
	// From is the least of the base for which the step counts: money for spend, units for a balance.
	From *money.Decimal `json:"from,omitempty"`
	// After is the time since joining from which the step counts. Either From or After.
	After *Period `json:"after,omitempty"`
	// Percent is what counts then, 0 to 100. Required.
	Percent *money.Decimal `json:"percent"`
}

// The kinds of moments.
const (
	Birthday    = "birthday"
	Anniversary = "anniversary"
	OnDate      = "date"
	Every       = "every"
	TierReached = "tier"
)

var everyWords = []string{"day", "week", "month", "quarter", "year"}

// Moment is a trigger that time brings (or, for TierReached, a change), read.
type Moment struct {
	// On is the trigger as it is written.
	On   string
	Kind string
	// Month and Day are those of a date.
	Month, Day int
	// Every is the period whose first moment it is.
	Every string
	// Set and Step are the tier that is reached.
	Set, Step string
}

// ParseMoment reads "birthday", "anniversary", "date:12-24", "every:month" and "tier:club/gold"; ok is false for another trigger.
func ParseMoment(on string) (m Moment, ok bool) {
	m.On = on
	kind, rest, more := strings.Cut(on, ":")
	switch m.Kind = kind; {
	case (kind == Birthday || kind == Anniversary) && !more:
		return m, true
	case kind == OnDate && more:
		y, month, day, valid := parseDay(rest)
		m.Month, m.Day = month, day
		return m, valid && y == 0
	case kind == Every && more:
		m.Every = rest
		return m, slices.Contains(everyWords, rest)
	case kind == TierReached && more:
		var cut bool
		m.Set, m.Step, cut = strings.Cut(rest, "/")
		return m, cut && m.Set != "" && m.Step != ""
	}
	return m, false
}

// Timed says whether time brings it: a tier is reached by what the member does.
func (m Moment) Timed() bool { return m.Kind != TierReached }

// isMoment says whether a trigger looks like one, well written or not.
func isMoment(on string) bool {
	kind, _, _ := strings.Cut(on, ":")
	return slices.Contains([]string{Birthday, Anniversary, OnDate, Every, TierReached}, kind)
}

// Yearly is the first moment of a day of the year, after a time. 29 February is the 28th in other years.
func Yearly(month, day int, after time.Time, zone *time.Location) time.Time {
	for y := after.In(zone).Year(); ; y++ {
		last := daysIn(time.Date(y, time.Month(month), 1, 0, 0, 0, 0, time.UTC))
		if t := midnight(y, time.Month(month), min(day, last), zone); t.After(after) {
			return t
		}
	}
}

// CompiledMoment is a trigger that time brings, with what all its rules have in common.
type CompiledMoment struct {
	Moment

	// From and Until bound the moments that may give something; nil is open. Both are inside.
	From, Until *time.Time
	// Balances are the units whose balances the rules give a part of, Spends that some give a part of what was bought. Always says
	// that some give whatever the member has.
	Balances []string
	Spends   bool
	Always   bool
}

// After is the first such moment after a time, for those that depend on nothing but the calendar.
func (m *CompiledMoment) After(t time.Time, zone *time.Location) time.Time {
	if m.Kind == Every {
		return EndOf(m.Every, t, zone)
	}
	return Yearly(m.Month, m.Day, t, zone)
}

// CompiledShare is a step of a percent: what is given is the base times Num/Den, both in minor units.
type CompiledShare struct {
	From     int64
	After    *Period
	Num, Den int64
	// Percent is as it was written.
	Percent money.Decimal
}

// percentBase reads Give.Of: "spend", "balance" or "balance of UNIT"; the unit given, where none is named.
func percentBase(g *Give) (base, unit string, ok bool) {
	switch g.Of {
	case "spend":
		return "spend", "", true
	case "balance":
		return "balance", g.Unit, true
	}
	if unit, ok = strings.CutPrefix(g.Of, "balance of "); ok {
		return "balance", unit, true
	}
	return "", "", g.Of == ""
}

// isPercent says whether something gives a part of something.
func (g *Give) isPercent() bool { return g.Percent != nil || len(g.Steps) > 0 }

// onSpend says whether a rule gives a part of what was bought in a period.
func (r *Rule) onSpend() bool { return r.Give != nil && r.Give.Of == "spend" && r.On != "purchase" }

// momentTrigger checks a trigger that looks like a moment.
func (c *checker) momentTrigger(ptr, on string) {
	m, ok := ParseMoment(on)
	kind, rest, _ := strings.Cut(on, ":")
	switch {
	case kind == TierReached:
		t, known := c.d.Tiers[m.Set]
		switch {
		case !ok:
			c.say(ptr, fmt.Sprintf("%q names no tier", clip(on)), "write tier:SET/STEP, for example tier:club/gold")
		case !known:
			c.say(ptr, fmt.Sprintf("there is no tier set %q", clip(m.Set)), didYouMean(m.Set, sortedKeys(c.d.Tiers), "tier sets"))
		case !slices.ContainsFunc(t.Steps, func(s Step) bool { return s.ID == m.Step }):
			var steps []string
			for _, s := range t.Steps {
				steps = append(steps, s.ID)
			}
			c.say(ptr, fmt.Sprintf("there is no tier %q in %s", clip(m.Step), m.Set), didYouMean(m.Step, steps, "tiers"))
		}
	case ok:
	case kind == OnDate:
		c.say(ptr, fmt.Sprintf("%q is not a day of the year", clip(rest)), "write date:MM-DD, for example date:12-24")
	case kind == Every:
		c.say(ptr, fmt.Sprintf("%q is no period", clip(rest)), "write every:day, every:week, every:month, every:quarter or every:year")
	default:
		c.say(ptr, fmt.Sprintf("%q is not known as a trigger", clip(on)), "write "+kind)
	}
}

// momentRule checks what a rule on a moment, or with a percent, may say besides.
func (c *checker) momentRule(ptr string, r *Rule) {
	if r.Give == nil || !r.Give.isPercent() {
		return
	}
	c.percents(ptr+"/give", r)
	if !r.onSpend() {
		return
	}
	const why = "what was bought in a period is given back once, when it is over; it is worked out again when goods come back"
	c.without(ptr+"/stack", r.Stack != "" && r.Stack != "add", why)
	c.without(ptr+"/claims_lines", r.ClaimsLines, why)
	for i, l := range r.Limit {
		c.without(one(ptr+"/limit", i, len(r.Limit))+"/over", l.Over == "refuse", why)
		c.without(one(ptr+"/limit", i, len(r.Limit))+"/zone", l.Zone == "member", why)
	}
}

func (c *checker) percents(ptr string, r *Rule) {
	g := r.Give
	base, unit, ok := percentBase(g)
	m, moment := ParseMoment(r.On)
	timed := moment && m.Timed()
	switch {
	case !ok:
		c.say(ptr+"/of", fmt.Sprintf("%q cannot be counted", clip(g.Of)), "write balance, balance of UNIT, or spend")
	case r.On == "purchase":
		c.without(ptr+"/of", base == "balance", "a purchase gives a percent of its own money")
	case !timed && r.On != "":
		c.say(ptr+"/percent", "there is nothing that this could be a percent of", "write amount, or a trigger such as purchase, every:quarter or anniversary")
	case base == "":
		c.missing(ptr+"/of", "what it is a percent of", "of: balance")
	case base == "spend" && m.Kind != Every || base == "spend" && m.Every == "day":
		c.say(ptr+"/of", "this trigger ends no period in which something was bought", "write on: every:week, every:month, every:quarter or every:year")
	}
	if base == "balance" {
		c.knownUnit(ptr+"/of", unit)
	}
	if base == "" && ok && r.On == "purchase" {
		base = "spend"
	}
	c.worthOf(ptr, g, base, unit)
	c.without(ptr+"/per", g.Per != nil, "per goes with amount")
	c.without(ptr+"/each", g.Each != "", "each goes with amount")
	c.period(ptr+"/kept", g.Kept, 1)
	c.without(ptr+"/kept", g.Kept != nil && base != "balance", "kept goes with of: balance")
	if g.Percent != nil {
		c.share(ptr+"/percent", *g.Percent)
	}
	c.steps(ptr, r, base, unit)
}

// worthOf wants the money value of units where money becomes units, or units of one kind become those of another.
func (c *checker) worthOf(ptr string, g *Give, base, unit string) {
	_, known := c.d.Units[unit]
	if base == "" || base == "balance" && (unit == g.Unit || !known) {
		return
	}
	for _, id := range []string{g.Unit, unit} {
		if u, ok := c.d.Units[id]; ok && (u.Worth == nil || u.Worth.Sign() <= 0) {
			c.say(ptr+"/unit", fmt.Sprintf("the unit %q has no worth, so it is not known how much a percent is", id), fmt.Sprintf("write worth: 1.00 in the unit %q, or what one is worth", id))
		}
	}
}

func (c *checker) share(ptr string, d money.Decimal) {
	if d.Sign() < 0 || d.Cmp(money.New(100, 0)) > 0 {
		c.say(ptr, fmt.Sprintf("%s percent is not between 0 and 100", d), "write 0 to 100")
		return
	}
	c.decimal(ptr, d, 4, "percent", zeroOrMore)
}

func (c *checker) steps(ptr string, r *Rule, base, unit string) {
	g := r.Give
	c.count(ptr+"/steps", len(g.Steps), maxSteps)
	c.oneOf(ptr+"/stepped", g.Stepped, vocabulary["Give.stepped"]...)
	from, after := 0, 0
	for i := range g.Steps {
		s, p := &g.Steps[i], at(ptr, "steps", i)
		switch {
		case s.From != nil && s.After != nil:
			c.say(p+"/after", "there are both from and after", "keep one of them")
		case s.From != nil:
			from++
			if base == "spend" {
				c.money(p+"/from", *s.From, "from", zeroOrMore)
			} else {
				c.points(p+"/from", *s.From, unit, "from", zeroOrMore)
			}
		case s.After != nil:
			after++
			c.period(p+"/after", s.After, 0)
		default:
			c.missing(p, "from where the step counts", "from: 1000.00, or after: 1 year")
		}
		if s.Percent == nil {
			c.missing(p+"/percent", "the percent of the step", "percent: 3")
		} else {
			c.share(p+"/percent", *s.Percent)
		}
		if i > 0 {
			c.rising(p, &g.Steps[i-1], s, g.Stepped != "each part")
		}
	}
	switch {
	case from > 0 && after > 0:
		c.say(ptr+"/steps", "some steps count from an amount and others after a time", "keep one kind, or make two rules of it")
	case from > 0 && r.On == "purchase":
		c.say(ptr+"/steps", "a purchase has no steps by amount", "write after, or rules with when: {amount: {from: 1000.00}}")
	}
	c.without(ptr+"/stepped", g.Stepped != "" && from == 0, "stepped goes with steps by from")
	if g.Percent != nil && len(g.Steps) > 0 && g.Steps[0].Percent != nil && g.Stepped != "each part" && g.Steps[0].Percent.Cmp(*g.Percent) < 0 {
		c.say(at(ptr, "steps", 0, "percent"), "the first step gives less than there is without it", "let percents rise")
	}
}

// rising wants steps in their order; where a step counts for all of the base, its percent must not be less than that of the one before:
// else more would give less.
func (c *checker) rising(ptr string, a, b *Share, whole bool) {
	switch {
	case a.From != nil && b.From != nil && b.From.Cmp(*a.From) <= 0:
		c.say(ptr+"/from", fmt.Sprintf("%s is not more than %s", b.From, a.From), "write the steps from the lowest to the highest")
	case a.After != nil && b.After != nil && b.After.days() <= a.After.days():
		c.say(ptr+"/after", fmt.Sprintf("%s is not longer than %s", b.After, a.After), "write the steps from the shortest to the longest time")
	case whole && a.Percent != nil && b.Percent != nil && b.Percent.Cmp(*a.Percent) < 0:
		c.say(ptr+"/percent", fmt.Sprintf("%s percent is less than the step before gives", b.Percent), "let percents rise")
	}
}

// percent compiles what a rule gives a part of.
func (k *compiler) percent(cr *CompiledRule) {
	r, g := cr.Rule, cr.Give
	base, unit, _ := percentBase(g)
	cr.Base, cr.BaseUnit, cr.EachPart = base, unit, g.Stepped == "each part"
	scale := k.c.Exponent
	if base == "balance" {
		scale = k.d.precision(unit)
	} else {
		cr.Base = "spend"
	}
	factor := k.factor(g.Unit, unit)
	share := func(d money.Decimal, from int64, after *Period) {
		num, den := d.Ratio()
		f := new(big.Rat).Mul(big.NewRat(num, 100*den), factor)
		if (!f.Num().IsInt64() || !f.Denom().IsInt64()) && k.err == nil {
			k.err = fmt.Errorf("%s percent of %s: %w", d, g.Unit, money.ErrOverflow)
			return
		}
		cr.Shares = append(cr.Shares, CompiledShare{From: from, After: after, Num: f.Num().Int64(), Den: f.Denom().Int64(), Percent: d})
	}
	if g.Percent != nil {
		share(*g.Percent, 0, nil)
	}
	for _, s := range g.Steps {
		var from int64
		if s.From != nil {
			from = k.minor(*s.From, scale)
		}
		share(*s.Percent, from, s.After)
	}
	if r.onSpend() {
		m, _ := ParseMoment(r.On)
		by := Metric{Sum: "spend", Window: "calendar " + m.Every, Lines: r.Lines, Basis: r.Basis}
		cr.Bought = &CompiledTierSet{TierSet: &TierSet{By: by, Keep: "this period"}, Metric: "spend", Tally: "spend" + definition(by), Window: "calendar", Calendar: m.Every}
	}
}

// factor is how much in minor units of one unit is worth one minor unit of another, or of money where no other is named.
func (k *compiler) factor(given, base string) *big.Rat {
	if given == base {
		return big.NewRat(1, 1)
	}
	value := func(unit string) *big.Rat { // of a minor unit, in minor units of money
		if unit == "" {
			return big.NewRat(1, 1)
		}
		num, den := k.d.Units[unit].Worth.Ratio()
		v := big.NewRat(num, den)
		return v.Mul(v, new(big.Rat).SetFrac(pow10(k.c.Exponent), pow10(k.d.Units[unit].Precision)))
	}
	return new(big.Rat).Quo(value(base), value(given))
}

func pow10(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

// moments gathers the triggers that time brings, in the document's order, and the metrics that purchases count.
func (k *compiler) moments() {
	for i := range k.d.Earn {
		r := &k.d.Earn[i]
		m, ok := ParseMoment(r.On)
		switch {
		case !ok:
		case !m.Timed():
			k.c.TierRules = append(k.c.TierRules, k.c.ByID[r.ID])
		case r.Give != nil:
			k.moment(m, k.c.ByID[r.ID])
		}
		if cr := k.c.ByID[r.ID]; cr != nil && cr.Bought != nil {
			k.c.Rebates = append(k.c.Rebates, cr)
		}
	}
	for _, r := range k.c.Rebates {
		k.count(r.Bought)
	}
}

func (k *compiler) moment(m Moment, r *CompiledRule) {
	i := slices.IndexFunc(k.c.Moments, func(o *CompiledMoment) bool { return o.On == m.On })
	if i < 0 {
		i = len(k.c.Moments)
		k.c.Moments = append(k.c.Moments, &CompiledMoment{Moment: m, From: r.From, Until: r.Until})
	}
	cm := k.c.Moments[i]
	if cm.From != nil && (r.From == nil || r.From.Before(*cm.From)) {
		cm.From = r.From
	}
	if cm.Until != nil && (r.Until == nil || r.Until.After(*cm.Until)) {
		cm.Until = r.Until
	}
	switch {
	case r.Bought != nil:
		cm.Spends = true
	case r.Base != "":
		cm.Balances = append(cm.Balances, r.BaseUnit)
	default:
		cm.Always = true
	}
}

// planned are the parts of the rules on which the planning of moments depends.
func (k *compiler) planned() []any {
	var out []any
	for _, m := range k.c.Moments {
		out = append(out, m)
	}
	return out
}
