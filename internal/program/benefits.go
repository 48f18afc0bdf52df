package program

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"lojal.dev/lojal/internal/money"
)

// Worth is a value in minor units. The zero Worth is that of a benefit without a value.
type Worth struct {
	// Kind is "percent", "money", "ahead", or empty.
	Kind string
	// Amount is hundredths of a percent, or minor units of the program's currency.
	Amount int64
	Ahead  Period
}

// The kinds of a Worth.
const (
	WorthPercent = "percent"
	WorthMoney   = "money"
	WorthAhead   = "ahead"
)

// Percent is the amount as a decimal, without the zeros that say nothing.
func (v Worth) Percent() string {
	s := strings.TrimRight(money.Format(v.Amount, 2), "0")
	return strings.TrimSuffix(s, ".")
}

// Less compares two of the same kind.
func (v Worth) Less(o Worth) bool {
	if v.Kind == WorthAhead {
		return v.Ahead.days() < o.Ahead.days()
	}
	return v.Amount < o.Amount
}

// Nothing says that a value is there and comes to nothing.
func (v Worth) Nothing() bool {
	return v.Kind != "" && v.Amount == 0 && v.Ahead.IsZero()
}

// CompiledBenefit is a benefit with its numbers in minor units.
type CompiledBenefit struct {
	*Benefit
	From, Until *time.Time
	When        *CompiledCondition
	Worth       Worth
	// Tiers are the places of the steps that name it, by tier set; Sets are these sets, sorted. Plans are the plans that name it.
	Tiers map[string]map[int]bool
	Sets  []string
	Plans []string
	// Grows is nil where it does not, and so is Fades.
	Grows *CompiledGrowth
	Fades *CompiledFading
	// Limits cap how often.
	Limits []CompiledLimit
	// Tenures are the times of membership that its condition asks for anywhere.
	Tenures []Period
}

// CompiledGrowth is a growth with its thresholds.
type CompiledGrowth struct {
	// Metric counts as a tier set does; nil where Tier is given.
	Metric *CompiledTierSet
	Tier   string
	Steps  []CompiledGrowthStep
}

// CompiledGrowthStep is a step of a growth: From in units of the metric, After with tenure, Place in the tier set.
type CompiledGrowthStep struct {
	From  int64
	After *Period
	Place int
	Worth Worth
}

// CompiledFading is a fading with its values.
type CompiledFading struct {
	Steps []CompiledFadeStep
	Warn  Period
}

// CompiledFadeStep is a step of a fading. Ends says that nothing is left.
type CompiledFadeStep struct {
	After Period
	Worth Worth
	Ends  bool
}

// Behind is how many steps are over for somebody who was told of all up to after, written as a period; 0 for "".
func (f *CompiledFading) Behind(after string) int {
	p, err := ParsePeriod(after)
	if err != nil {
		return 0
	}
	n := 0
	for n < len(f.Steps) && f.Steps[n].After.days() <= p.days() {
		n++
	}
	return n
}

// CompiledPlan is a plan with its price in minor units, -1 where it has none, and its grace.
type CompiledPlan struct {
	*Plan
	Price int64
	Grace Period
}

const (
	maxBenefits = 1000
	maxPlans    = 100
)

// benefits checks the benefits and plans.
func (c *checker) benefits() {
	d := c.d
	if c.count("/benefits", len(d.Benefits), maxBenefits) || c.count("/plans", len(d.Plans), maxPlans) {
		return
	}
	known, plans := map[string]bool{}, map[string]bool{}
	for i := range d.Benefits {
		b, ptr := &d.Benefits[i], at("/benefits", i)
		if c.id(ptr+"/id", b.ID, "benefit") && known[b.ID] {
			c.say(ptr+"/id", fmt.Sprintf("the benefit %q is there already", b.ID), "give one of them another id")
		}
		known[b.ID] = true
		c.benefit(ptr, b)
	}
	for _, set := range sortedKeys(d.Tiers) {
		for i, s := range d.Tiers[set].Steps {
			if len(d.Benefits) > 0 { // else they are mere names, as they were before benefits could be declared
				c.declared(at("/tiers", set, "steps", i, "benefits"), s.Benefits)
			}
		}
	}
	for i := range d.Plans {
		p, ptr := &d.Plans[i], at("/plans", i)
		if c.id(ptr+"/id", p.ID, "plan") && plans[p.ID] {
			c.say(ptr+"/id", fmt.Sprintf("the plan %q is there already", p.ID), "give one of them another id")
		}
		plans[p.ID] = true
		c.plan(ptr, p)
	}
}

// declared wants each word to be the id of a benefit.
func (c *checker) declared(ptr string, ids Words) {
	var known []string
	for i := range c.d.Benefits {
		known = append(known, c.d.Benefits[i].ID)
	}
	for i, id := range ids {
		if id != "" && !slices.Contains(known, id) {
			c.say(one(ptr, i, len(ids)), fmt.Sprintf("there is no benefit %q", clip(id)), didYouMean(id, known, "benefits"))
		}
	}
}

func (c *checker) benefit(ptr string, b *Benefit) {
	c.optionalText(ptr+"/title", b.Title)
	c.optionalText(ptr+"/description", b.Description)
	if len(b.Picture) > 2000 {
		c.say(ptr+"/picture", "the address of the picture is too long", "write at most 2000 characters")
	}
	if b.When != nil {
		c.condition(ptr+"/when", b.When, "benefit")
	}
	c.window(ptr, b.From, b.Until)
	c.limits(ptr+"/limit", b.Limit, rewardLimit, "")
	for i := range b.Limit {
		c.without(one(ptr+"/limit", i, len(b.Limit))+"/each", b.Limit[i].Each == "program", "a benefit is limited for each member")
	}
	var kind string
	if b.Value != nil {
		kind = c.value(ptr+"/value", b.Value.Percent, b.Value.Money, b.Value.Ahead, "")
		if kind == "" {
			c.missing(ptr+"/value", "what it is worth", "value: {percent: 10}")
		}
	}
	if g := b.Grows; g != nil {
		if b.Value == nil {
			c.missing(ptr+"/value", "what it is worth before it has grown", "value: {percent: 5}")
		}
		c.growth(ptr+"/grows", g, kind)
	}
	if f := b.Fades; f != nil {
		c.fading(ptr+"/fades", f, kind)
	}
}

// value checks one of the three forms, and that it is of the kind that is wanted; it gives the kind that is there.
func (c *checker) value(ptr string, percent, cash *money.Decimal, ahead *Period, want string) string {
	kind, n := "", 0
	if percent != nil {
		kind, n = WorthPercent, n+1
		c.percent(ptr+"/percent", *percent)
	}
	if cash != nil {
		kind, n = WorthMoney, n+1
		c.money(ptr+"/money", *cash, "money", zeroOrMore)
	}
	if ahead != nil {
		kind, n = WorthAhead, n+1
		c.period(ptr+"/ahead", ahead, 0)
	}
	if n > 1 {
		c.say(ptr, "there is more than one of percent, money and ahead", "keep one of them")
	} else if n == 1 && want != "" && kind != want {
		c.say(ptr+"/"+kind, "the benefit's own value is said in "+want, "write "+want+" here too")
	}
	return kind
}

func (c *checker) growth(ptr string, g *Growth, kind string) {
	if (g.By == nil) == (g.Tier == "") {
		c.say(ptr, word(g.By == nil, "it is not said by what it grows", "there are both by and tier"), "write one of by: {tenure: true} and tier: club")
		return
	}
	if len(g.Steps) == 0 {
		c.missing(ptr+"/steps", "the steps", "steps: [{after: 1 year, percent: 7}]")
	}
	c.count(ptr+"/steps", len(g.Steps), maxSteps)
	set, some := c.d.Tiers[g.Tier]
	if g.By != nil {
		c.metric(ptr+"/by", g.By)
	} else if !some {
		c.say(ptr+"/tier", fmt.Sprintf("there is no tier set %q", clip(g.Tier)), didYouMean(g.Tier, sortedKeys(c.d.Tiers), "tier sets"))
	}
	place := func(tier string) int {
		return slices.IndexFunc(set.Steps, func(s Step) bool { return s.ID == tier })
	}
	var last *GrowthStep
	for i := range g.Steps {
		s, p := &g.Steps[i], at(ptr, "steps", i)
		if c.value(p, s.Percent, s.Money, s.Ahead, kind) == "" {
			c.missing(p, "what it is worth from here on", or(kind, "percent")+": 7")
		}
		tenure := g.By != nil && g.By.Tenure
		c.without(p+"/tier", s.Tier != "" && g.Tier == "", "tier goes with a growth by tier")
		c.without(p+"/after", s.After != nil && !tenure, "after goes with tenure")
		c.without(p+"/from", s.From != nil && (tenure || g.Tier != ""), "from goes with what is counted")
		switch {
		case g.Tier != "":
			if some && place(s.Tier) < 0 {
				c.say(p+"/tier", fmt.Sprintf("there is no tier %q in %s", clip(s.Tier), g.Tier), didYouMean(s.Tier, stepIDs(set.Steps), "tiers"))
			} else if last != nil && place(s.Tier) <= place(last.Tier) {
				c.say(p+"/tier", fmt.Sprintf("%s is not above the tier of the step before", s.Tier), "order the steps from the lowest to the highest")
			}
		case tenure:
			if s.After == nil {
				c.missing(p+"/after", "the time since joining", "after: 1 year")
			} else if c.period(p+"/after", s.After, 1); last != nil && last.After != nil && s.After.days() <= last.After.days() {
				c.say(p+"/after", fmt.Sprintf("%s is not more than %s of the step before", s.After, last.After), "order the steps from the lowest to the highest")
			}
		case s.From == nil:
			c.missing(p+"/from", "from where it holds", "from: 5000.00")
		default:
			switch {
			case g.By.Sum == "spend":
				c.money(p+"/from", *s.From, "from", zeroOrMore)
			case g.By.Sum != "":
				c.points(p+"/from", *s.From, g.By.Sum, "from", zeroOrMore)
			default:
				c.decimal(p+"/from", *s.From, 0, "from", zeroOrMore)
			}
			if last != nil && last.From != nil && s.From.Cmp(*last.From) <= 0 {
				c.say(p+"/from", fmt.Sprintf("%s is not more than %s of the step before", s.From, last.From), "order the steps from the lowest to the highest")
			}
		}
		last = s
	}
}

func stepIDs(steps []Step) []string {
	var out []string
	for i := range steps {
		out = append(out, steps[i].ID)
	}
	return out
}

func (c *checker) fading(ptr string, f *Fading, kind string) {
	c.oneOf(ptr+"/since", f.Since, vocabulary["Fading.since"]...)
	if len(f.Steps) == 0 {
		c.missing(ptr+"/steps", "the steps", "steps: [{after: 60 days, percent: 10}, {after: 120 days, percent: 0}]")
	}
	c.count(ptr+"/steps", len(f.Steps), maxSteps)
	if f.Warn.IsZero() {
		c.missing(ptr+"/warn", "how long before each step the member is warned", "warn: 7 days")
	}
	c.period(ptr+"/warn", &f.Warn, 0)
	for i := range f.Steps {
		s, p := &f.Steps[i], at(ptr, "steps", i)
		if kind == "" {
			c.without(p, s.Percent != nil || s.Money != nil || s.Ahead != nil, "the benefit has no value, so that a step can only end it: write just after")
		} else if c.value(p, s.Percent, s.Money, s.Ahead, kind) == "" && i+1 < len(f.Steps) {
			c.say(p, "the benefit ends here, and there are steps after it", "say what it falls to, or leave the later steps out")
		}
		if s.After.IsZero() {
			c.missing(p+"/after", "the time since the last purchase", "after: 60 days")
		}
		c.period(p+"/after", &s.After, 0)
		if !s.After.IsZero() && s.After.days() < f.Warn.days() {
			c.say(p+"/after", fmt.Sprintf("%s is less than the %s of the warning", s.After, f.Warn), "let the step come later, or warn later")
		}
		if i > 0 && s.After.days() <= f.Steps[i-1].After.days() {
			c.say(p+"/after", fmt.Sprintf("%s is not more than %s of the step before", s.After, f.Steps[i-1].After), "order the steps from the soonest to the last")
		}
	}
}

func (c *checker) plan(ptr string, p *Plan) {
	c.optionalText(ptr+"/title", p.Title)
	c.optionalText(ptr+"/description", p.Description)
	if p.Price != nil {
		c.money(ptr+"/price", *p.Price, "the price", zeroOrMore)
	}
	if p.Every.IsZero() {
		c.missing(ptr+"/every", "how long a payment lasts", "every: 1 month")
	}
	c.period(ptr+"/every", &p.Every, 0)
	c.period(ptr+"/trial", p.Trial, 1)
	c.period(ptr+"/grace", p.Grace, 0)
	c.words(ptr+"/benefits", p.Benefits)
	c.declared(ptr+"/benefits", p.Benefits)
}

// benefits compiles the benefits and plans. Names that tiers of a document without benefits use are benefits without a value.
func (k *compiler) benefits() {
	declared := k.d.Benefits
	if len(declared) == 0 {
		var names []string
		for _, set := range k.c.TierIDs {
			for i := range k.d.Tiers[set].Steps {
				names = append(names, k.d.Tiers[set].Steps[i].Benefits...)
			}
		}
		slices.Sort(names)
		for _, id := range slices.Compact(names) {
			declared = append(declared, Benefit{ID: id})
		}
	}
	for i := range declared {
		b := k.benefit(&declared[i])
		k.c.Benefits = append(k.c.Benefits, b)
		if b.Fades != nil {
			k.c.Fading = append(k.c.Fading, b)
		}
		if b.Grows != nil && b.Grows.Metric != nil {
			k.count(b.Grows.Metric)
		}
	}
	for i := range k.d.Plans {
		p := &CompiledPlan{Plan: &k.d.Plans[i], Price: -1}
		p.Price = k.optional(p.Plan.Price, k.c.Exponent)
		p.Grace = Period{N: 1, Unit: "day"}
		if g := p.Plan.Grace; g != nil {
			p.Grace = *g
		}
		if k.c.Plans == nil {
			k.c.Plans = map[string]*CompiledPlan{}
		}
		k.c.Plans[p.ID] = p
	}
	k.c.PlanIDs = sortedKeys(k.c.Plans)
}

func (k *compiler) benefit(b *Benefit) *CompiledBenefit {
	c := &CompiledBenefit{Benefit: b, When: k.condition("benefit", b.When), Limits: k.limits("benefit:"+b.ID, b.Limit, 0)}
	c.From, c.Until = k.window(b.From, b.Until)
	if b.Value != nil {
		c.Worth = k.worth(b.Value.Percent, b.Value.Money, b.Value.Ahead)
	}
	for _, set := range k.c.TierIDs {
		for i, s := range k.d.Tiers[set].Steps {
			if !slices.Contains(s.Benefits, b.ID) {
				continue
			}
			if c.Tiers == nil {
				c.Tiers = map[string]map[int]bool{}
			}
			if c.Tiers[set] == nil {
				c.Tiers[set], c.Sets = map[int]bool{}, append(c.Sets, set)
			}
			c.Tiers[set][i] = true
		}
	}
	for i := range k.d.Plans {
		if slices.Contains(k.d.Plans[i].Benefits, b.ID) {
			c.Plans = append(c.Plans, k.d.Plans[i].ID)
		}
	}
	if g := b.Grows; g != nil {
		c.Grows = &CompiledGrowth{Tier: g.Tier}
		scale := 0
		if g.By != nil {
			c.Grows.Metric = k.tierSet("benefit:"+b.ID, &TierSet{By: *g.By})
			switch {
			case g.By.Sum == "spend":
				scale = k.c.Exponent
			case g.By.Sum != "":
				scale = k.d.precision(g.By.Sum)
			}
		}
		for _, s := range g.Steps {
			step := CompiledGrowthStep{After: s.After, Worth: k.worth(s.Percent, s.Money, s.Ahead)}
			if s.From != nil {
				step.From = k.minor(*s.From, scale)
			}
			if g.Tier != "" {
				step.Place, _ = k.place(g.Tier, s.Tier)
			}
			c.Grows.Steps = append(c.Grows.Steps, step)
		}
	}
	if f := b.Fades; f != nil {
		c.Fades = &CompiledFading{Warn: f.Warn}
		for _, s := range f.Steps {
			w := k.worth(s.Percent, s.Money, s.Ahead)
			c.Fades.Steps = append(c.Fades.Steps, CompiledFadeStep{After: s.After, Worth: w, Ends: w.Kind == "" || w.Nothing()})
		}
	}
	c.Tenures = b.When.tenures(nil)
	return c
}

// tenures collects the times of membership that a condition asks for.
func (w *Condition) tenures(out []Period) []Period {
	if w == nil {
		return out
	}
	if w.MemberFor != nil {
		out = append(out, *w.MemberFor)
	}
	for i := range w.All {
		out = w.All[i].tenures(out)
	}
	for i := range w.Any {
		out = w.Any[i].tenures(out)
	}
	return w.Not.tenures(out)
}

func (k *compiler) worth(percent, cash *money.Decimal, ahead *Period) Worth {
	switch {
	case percent != nil:
		return Worth{Kind: WorthPercent, Amount: k.minor(*percent, 2)}
	case cash != nil:
		return Worth{Kind: WorthMoney, Amount: k.minor(*cash, k.c.Exponent)}
	case ahead != nil:
		return Worth{Kind: WorthAhead, Ahead: *ahead}
	}
	return Worth{}
}

// Benefit gives a benefit by its id, nil where there is none.
func (c *Compiled) Benefit(id string) *CompiledBenefit {
	for _, b := range c.Benefits {
		if b.ID == id {
			return b
		}
	}
	return nil
}
