package advice

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"lojal.dev/lojal/internal/explain"
	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
)

func pointer(parts ...any) string {
	var b strings.Builder
	for _, p := range parts {
		s := fmt.Sprint(p)
		b.WriteString("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(s))
	}
	return b.String()
}

const (
	manyRules = 25
	// generous and mean are shares of what is spent that come back.
	generous, mean = 0.25, 0.003
	// long is how many months the first reward may take.
	long = 12
	// alike is how near prices lie that offer no choice.
	alike = 1.25
)

func (l *look) unclear() {
	if n := len(l.all()); n > manyRules {
		l.find(Unclear, "many_rules", "/earn", "n", strconv.Itoa(n))
	}
	for _, r := range l.all() {
		if len(r.Title) == 0 {
			l.find(Unclear, "no_title", atRule(r)+"/title", "rule", r.ID)
		}
		if len(r.Rule.Text) == 0 && (r.Give != nil && r.Give.Formula != "" || hasFormula(r.When)) {
			l.find(Unclear, "no_text", atRule(r), "rule", l.rule(r))
		}
		if why := l.unreachable(r); why != "" {
			l.find(Unclear, why, atRule(r), "rule", l.rule(r))
		}
		l.unnamed(atRule(r), l.rule(r), r.Lines, r.When, nil)
	}
	l.unnamedElsewhere()
	l.times()
	l.fades()
	for i := range l.p.Doc.Rewards {
		if len(l.p.Doc.Rewards[i].Title) == 0 {
			l.find(Unclear, "no_title", pointer("rewards", i, "title"), "rule", l.p.Doc.Rewards[i].ID)
		}
	}
	for _, id := range l.p.TierIDs {
		t := l.p.Tiers[id]
		for i := range t.Steps {
			if len(t.Steps[i].Name) == 0 {
				l.find(Unclear, "no_title", pointer("tiers", id, "steps", i, "name"), "rule", t.Steps[i].ID)
			}
		}
	}
	l.benefitsClear()
	for _, id := range l.p.UnitIDs {
		u := l.p.Units[id]
		name := explain.Unit(l.p, id, l.lang, false)
		if !l.earned(id) {
			l.find(Unclear, "never_earned", pointer("units", id), "unit", name)
		}
		if !u.StatusOnly && !l.spent(id) {
			l.find(Unclear, "never_spent", pointer("units", id), "unit", name)
		}
		if e := u.Expires; e != nil && !e.Never && e.Warn == nil && !u.StatusOnly {
			l.find(Unclear, "no_warning", pointer("units", id, "expires"), "unit", name)
		}
	}
	for _, kind := range sorted(l.p.Doc.Activities) {
		if !l.activityUsed(kind) {
			l.find(Unclear, "activity_unused", pointer("activities", kind), "activity", explain.Activity(l.p, kind, l.lang))
		}
	}
}

// benefitsClear wants benefits and plans to have titles, and a tier to bring what members can read.
func (l *look) benefitsClear() {
	for i := range l.p.Doc.Benefits {
		if len(l.p.Doc.Benefits[i].Title) == 0 {
			l.find(Unclear, "no_title", pointer("benefits", i, "title"), "rule", l.p.Doc.Benefits[i].ID)
		}
	}
	for i := range l.p.Doc.Challenges {
		if len(l.p.Doc.Challenges[i].Title) == 0 {
			l.find(Unclear, "no_title", pointer("challenges", i, "title"), "rule", l.p.Doc.Challenges[i].ID)
		}
	}
	for i := range l.p.Doc.Plans {
		p := &l.p.Doc.Plans[i]
		if len(p.Title) == 0 {
			l.find(Unclear, "no_title", pointer("plans", i, "title"), "rule", p.ID)
		}
		if len(p.Benefits) == 0 && len(l.p.Rules["plan:"+p.ID]) == 0 && !l.asked(p.ID) {
			l.find(Diluted, "plan_empty", pointer("plans", i, "benefits"), "plan", explain.Plan(l.p, p.ID, l.lang))
		}
	}
	for _, id := range l.p.TierIDs {
		for i, s := range l.p.Tiers[id].Steps {
			for _, b := range s.Benefits {
				if len(l.p.Doc.Benefits) == 0 && len(l.p.Doc.Names[b]) == 0 {
					l.find(Unclear, "benefit_unnamed", pointer("tiers", id, "steps", i, "benefits"), "benefit", b)
				}
			}
		}
	}
}

// asked says that some condition asks for a plan.
func (l *look) asked(plan string) bool {
	var in func(c *program.CompiledCondition) bool
	in = func(c *program.CompiledCondition) bool {
		return c != nil && (slices.Contains(c.Condition.Plan, plan) || slices.ContainsFunc(c.All, in) || slices.ContainsFunc(c.Any, in) || in(c.Not))
	}
	return slices.ContainsFunc(l.all(), func(r *program.CompiledRule) bool { return in(r.When) }) ||
		slices.ContainsFunc(l.p.Benefits, func(b *program.CompiledBenefit) bool { return in(b.When) }) ||
		slices.ContainsFunc(sorted(l.p.Rewards), func(id string) bool { return in(l.p.Rewards[id].When) || in(l.p.Rewards[id].Shown) }) ||
		slices.ContainsFunc(sorted(l.p.Challenges), func(id string) bool { return in(l.p.Challenges[id].When) }) ||
		l.p.Referral != nil && in(l.p.Referral.When)
}

func sorted[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// unreachable says why a rule can never give anything.
func (l *look) unreachable(r *program.CompiledRule) string {
	for _, m := range r.Limits {
		if m.Times == 0 || m.Amount == 0 {
			return "limit_zero"
		}
	}
	if r.Multiply != nil && !slices.ContainsFunc(l.p.Rules[r.On], func(o *program.CompiledRule) bool { return !o.DryRun && multiplies(r, o) }) {
		return "multiplies_nothing"
	}
	if r.Stack == "exclusive" {
		return ""
	}
	for _, o := range l.rules(r.On) {
		same := (o.Multiply != nil) == (r.Multiply != nil)
		if o != r && same && o.Stack == "exclusive" && o.Lines == nil && o.When == nil && o.From == nil && o.Until == nil && len(o.Limits) == 0 {
			return "shadowed"
		}
	}
	return ""
}

// multiplies is what the engine does, seen from the document.
func multiplies(m, r *program.CompiledRule) bool {
	switch {
	case m.Unit != "" && m.Unit != r.Give.Unit:
		return false
	case m.OfAll:
		return true
	case m.Of != nil:
		return m.Of[r.ID]
	}
	return r.Give.Per != nil || len(r.Shares) > 0 || r.Give.Each == "item" || r.Give.Formula != ""
}

// hasFormula says whether a condition asks what only a formula says.
func hasFormula(c *program.CompiledCondition) bool {
	return c != nil && (c.Condition.Formula != "" || slices.ContainsFunc(c.All, hasFormula) || slices.ContainsFunc(c.Any, hasFormula) || hasFormula(c.Not))
}

// unnamed finds categories, properties and the like that members would read as codes.
func (l *look) unnamed(ptr, title string, lines *program.Lines, when *program.CompiledCondition, more program.Words) {
	var words []string
	add := func(list program.Words) {
		for _, w := range list {
			if len(l.p.Doc.Names[w]) == 0 && !slices.Contains(words, w) && strings.ToLower(w) == w && strings.ContainsFunc(w, unicode.IsLetter) {
				words = append(words, w)
			}
		}
	}
	for n := lines; n != nil; n = n.Not {
		add(n.Category)
		add(n.Tag)
		add(n.Store)
		add(n.Channel)
	}
	var in func(c *program.CompiledCondition)
	in = func(c *program.CompiledCondition) {
		if c == nil {
			return
		}
		add(c.Condition.Store)
		add(c.Condition.Channel)
		for _, name := range sorted(c.Property) {
			add(program.Words{name})
			add(slices.DeleteFunc(slices.Clone(c.Property[name]), func(w string) bool { return w == "true" || w == "false" }))
		}
		for _, part := range slices.Concat(c.All, c.Any, []*program.CompiledCondition{c.Not}) {
			in(part)
		}
	}
	in(when)
	add(more)
	if len(words) > 0 {
		l.find(Unclear, "no_name", ptr, "rule", title, "words", strings.Join(words, ", "))
	}
}

// unnamedElsewhere looks for such words where something is had, not earned by a rule.
func (l *look) unnamedElsewhere() {
	for i := range l.p.Doc.Rewards {
		r := l.p.Rewards[l.p.Doc.Rewards[i].ID]
		l.unnamed(pointer("rewards", i), explain.Reward(l.p, r.ID, l.lang), nil, r.When, nil)
	}
	for i := range l.p.Doc.Challenges {
		c := l.p.Challenges[l.p.Doc.Challenges[i].ID]
		more := slices.Clone(c.Challenge.Of)
		if c.On != "purchase" && c.Shape == program.SetShape {
			more = append(more, c.Set)
		}
		if property, ok := strings.CutPrefix(c.Metric, "property:"); ok {
			more = append(more, property)
		}
		l.unnamed(pointer("challenges", i), explain.Rule(l.p, c.ID, l.lang), c.Lines, c.When, more)
	}
	if r := l.p.Referral; r != nil {
		l.unnamed("/referral/qualifies", r.Title.In(l.lang), nil, r.When, nil)
	}
}

func (l *look) earned(unit string) bool {
	for _, r := range l.all() {
		if r.Give != nil && r.Give.Unit == unit && (r.Amount > 0 || r.Give.Amount == nil) {
			return true
		}
	}
	for i := range l.p.Doc.Challenges {
		if l.p.Doc.Challenges[i].Gives.Unit == unit {
			return true
		}
	}
	if r := l.p.Doc.Referral; r != nil && (r.Friend != nil && r.Friend.Unit == unit || r.Referrer != nil && r.Referrer.Unit == unit) {
		return true
	}
	if r := l.p.Doc.Recognition; r != nil && r.Becomes == unit {
		return true
	}
	return l.onCards(unit) || slices.ContainsFunc(l.p.Doc.Partners, func(p program.Partner) bool { return has(p.Awards, unit) })
}

func has[V any](m map[string]V, key string) bool {
	_, ok := m[key]
	return ok
}

// onCards says that a unit counts what is on gift cards: it is bought, and paid with.
func (l *look) onCards(unit string) bool {
	return l.p.Doc.GiftCards != nil && l.p.Doc.GiftCards.Unit == unit
}

func (l *look) spent(unit string) bool {
	for _, r := range l.p.Rewards {
		if slices.ContainsFunc(r.Prices, func(p program.CompiledPrice) bool { return has(p.Units, unit) }) || r.Pay != nil && r.Pay.Unit == unit {
			return true
		}
	}
	return l.onCards(unit) || l.p.Doc.Recognition != nil && l.p.Doc.Recognition.Gives == unit || l.p.Doc.Transfers != nil && slices.Contains(l.p.Doc.Transfers.Units, unit) ||
		slices.ContainsFunc(l.p.Doc.Partners, func(p program.Partner) bool { return has(p.Accepts, unit) })
}

func (l *look) activityUsed(kind string) bool {
	on := "activity:" + kind
	if len(l.p.Rules[on])+len(l.p.Multipliers[on]) > 0 || l.p.Confirms[on] {
		return true
	}
	for _, t := range l.p.Tiers {
		if t.Metric == on || t.Metric == "visits" {
			return true
		}
	}
	return slices.ContainsFunc(l.p.Doc.Challenges, func(c program.Challenge) bool { return c.On == on })
}

func (l *look) unfair() {
	var newcomer, loyal float64
	var first *program.CompiledRule
	for _, r := range l.all() {
		gift := l.gift(r)
		switch {
		case r.On == "enrolment", r.When != nil && r.When.FirstPurchase != nil && *r.When.FirstPurchase:
			newcomer += gift
			if first == nil && gift > 0 {
				first = r
			}
		case l.forLoyal(r):
			loyal += gift
		}
	}
	if first != nil && newcomer > loyal && !l.loyalHaveMore() {
		l.find(Unfair, "newcomers", atRule(first), "rule", l.rule(first))
	}
	for _, id := range l.p.TierIDs {
		l.ladder(id, l.p.Tiers[id])
	}
}

// gift is what a rule gives at once, in money.
func (l *look) gift(r *program.CompiledRule) float64 {
	switch {
	case r.Give == nil && r.Multiply != nil:
		num, den := r.Multiply.Ratio()
		var sum float64
		for unit, rate := range l.base {
			sum += l.worth(unit, rate*float64(l.usual.Purchase))
		}
		return sum * max(float64(num)/float64(den)-1, 0)
	case r.Give == nil:
		return 0
	case r.Give.Per != nil:
		return l.worth(r.Give.Unit, float64(r.Amount)/float64(r.Per)*float64(l.usual.Purchase))
	}
	return l.worth(r.Give.Unit, float64(r.Amount))
}

// forLoyal says that a rule is for those who have been there for a while.
func (l *look) forLoyal(r *program.CompiledRule) bool {
	if on, _, _ := strings.Cut(r.On, ":"); on == "anniversary" || on == "birthday" || on == "tier" {
		return true
	}
	c := r.When
	return c != nil && (c.MemberFor != nil || l.above(c))
}

// above says that a condition asks for more than the lowest tier.
func (l *look) above(c *program.CompiledCondition) bool {
	for set, step := range c.Condition.Tier {
		if t := l.p.Tiers[set]; t != nil && t.Place(step) > 0 {
			return true
		}
	}
	for set, steps := range c.Condition.OnlyTier {
		if t := l.p.Tiers[set]; t != nil && slices.ContainsFunc(steps, func(s string) bool { return t.Place(s) > 0 }) {
			return true
		}
	}
	return slices.ContainsFunc(c.All, l.above)
}

// loyalHaveMore says that staying brings something that is not counted in points.
func (l *look) loyalHaveMore() bool {
	for _, t := range l.p.Tiers {
		for i := 1; i < len(t.Steps); i++ {
			if len(t.Steps[i].Benefits) > 0 {
				return true
			}
		}
	}
	for _, r := range l.p.Rewards {
		if r.When != nil && (r.When.MemberFor != nil || l.above(r.When)) {
			return true
		}
	}
	for _, b := range l.p.Benefits {
		if b.Grows != nil || b.When != nil && (b.When.MemberFor != nil || l.above(b.When)) {
			return true
		}
	}
	return slices.ContainsFunc(l.all(), l.forLoyal)
}

// ladder looks at one tier set: each step is worth at least as much as the one below.
func (l *look) ladder(id string, t *program.CompiledTierSet) {
	name := func(i int) string { return explain.Tier(l.p, id+"/"+t.Steps[i].ID, l.lang) }
	for i := 1; i < len(t.Steps); i++ {
		for _, b := range t.Steps[i-1].Benefits {
			if !slices.Contains(t.Steps[i].Benefits, b) {
				l.find(Unfair, "benefit_lost", pointer("tiers", id, "steps", i, "benefits"), "tier", name(i), "below", name(i-1), "benefit", b)
			}
		}
		if low, high := l.factor(id, t, i-1), l.factor(id, t, i); high < low {
			l.find(Unfair, "tier_earns_less", pointer("tiers", id, "steps", i), "tier", name(i), "below", name(i-1))
		}
	}
	falls := t.Metric != "tenure" && t.Down.To != "never" && t.Window != "lifetime"
	if falls && len(t.Steps) > 1 && t.Down.Warn == nil {
		l.find(Unfair, "fall_unwarned", pointer("tiers", id, "down"), "set", explain.TierSet(l.p, id, l.lang))
	}
}

// factor is how many times as much a tier earns, by the multipliers that ask for nothing but the tier.
func (l *look) factor(id string, t *program.CompiledTierSet, step int) float64 {
	f := 1.0
	for _, r := range l.p.Multipliers["purchase"] {
		c := r.When
		if r.DryRun || c == nil || r.Lines != nil || len(c.Condition.Tier)+len(c.Condition.OnlyTier) != 1 || c.Weekdays != nil || c.Hours != nil || c.Dates != nil || len(c.Store)+len(c.Channel)+len(c.Payment) > 0 {
			continue
		}
		in := slices.Contains(c.Condition.OnlyTier[id], t.Steps[step].ID)
		if from, ok := c.Condition.Tier[id]; ok {
			in = step >= t.Place(from)
		}
		if in {
			num, den := r.Multiply.Ratio()
			f *= float64(num) / float64(den)
		}
	}
	return f
}

func (l *look) diluted() {
	for _, unit := range sorted(l.base) {
		rate := l.base[unit]
		if u := l.p.Units[unit]; u == nil || u.StatusOnly || rate <= 0 {
			continue
		}
		var prices []float64
		for _, r := range l.p.Rewards {
			if price, ok := r.Price[unit]; ok && len(r.Price) == 1 {
				prices = append(prices, float64(price))
			}
		}
		name := explain.Unit(l.p, unit, l.lang, false)
		if back := l.worth(unit, rate); back > 0 && back < mean {
			l.find(Diluted, "too_little", "/earn", "unit", name, "share", l.percent(back))
		}
		if len(prices) == 0 {
			continue
		}
		slices.Sort(prices)
		purchases := prices[0] / (rate * float64(l.usual.Purchase))
		months := purchases / float64(max(l.usual.PerMonth, 1))
		switch {
		case months > long:
			l.find(Diluted, "out_of_reach", "/rewards", "months", strconv.Itoa(int(math.Ceil(months))), "unit", name, "purchase", l.money(l.usual.Purchase), "times", strconv.FormatInt(l.usual.PerMonth, 10))
		case purchases <= 1 && len(prices) > 0 && prices[len(prices)-1]/(rate*float64(l.usual.Purchase)) <= 1:
			l.find(Diluted, "too_cheap", "/rewards", "unit", name, "purchase", l.money(l.usual.Purchase))
		}
		if len(prices) > 2 && prices[len(prices)-1] <= prices[0]*alike {
			l.find(Diluted, "all_alike", "/rewards", "unit", name)
		}
	}
	for _, id := range l.p.TierIDs {
		t := l.p.Tiers[id]
		if year, ok := l.usualYear(t); ok && len(t.Steps) > 1 && float64(t.From[len(t.Steps)-1]) <= year {
			l.find(Diluted, "top_for_all", pointer("tiers", id, "steps", len(t.Steps)-1), "tier", explain.Tier(l.p, id+"/"+t.Steps[len(t.Steps)-1].ID, l.lang),
				"purchase", l.money(l.usual.Purchase), "times", strconv.FormatInt(l.usual.PerMonth, 10))
		}
	}
}

// usualYear is what a usual member comes to in a year of a tier set's metric.
func (l *look) usualYear(t *program.CompiledTierSet) (float64, bool) {
	spend := float64(l.usual.Purchase * l.usual.PerMonth * 12)
	switch kind, arg, _ := strings.Cut(t.Metric, ":"); kind {
	case "spend":
		return spend, true
	case "purchases", "visits":
		return float64(l.usual.PerMonth * 12), true
	case "unit":
		return spend * l.base[arg], l.base[arg] > 0
	}
	return 0, false
}

func (l *look) leaky() {
	pays := false
	for _, r := range l.p.Rewards {
		pays = pays || r.Pay != nil
	}
	for _, r := range l.all() {
		fixed := r.Give != nil && r.Give.Per == nil && r.Give.Each == "" && r.Give.Formula == "" && r.Amount > 0
		kind, _, _ := strings.Cut(r.On, ":")
		switch {
		case kind == "activity" && r.Give != nil && len(r.Limits) == 0:
			l.find(Leaky, "activity_unlimited", atRule(r)+"/limit", "rule", l.rule(r))
		case fixed && r.On == "purchase" && len(r.Limits) == 0 && !l.bounded(r.When):
			l.find(Leaky, "split_purchases", atRule(r), "rule", l.rule(r))
		}
		if u := l.p.Units; pays && r.On == "purchase" && r.Give != nil && perMoney(r) > 0 && !u[r.Give.Unit].StatusOnly &&
			(r.Rule.Basis == nil || r.Rule.Basis.PaidWithPoints != "excluded") {
			l.find(Leaky, "points_earn_points", atRule(r)+"/basis", "rule", l.rule(r))
		}
	}
	l.cardsTwice()
	l.moments()
	l.challenges()
	l.referral()
	if r := l.p.Recognition; r != nil && r.Between == nil {
		l.find(Leaky, "recognition_circular", "/recognition/between")
	}
	for i := range l.p.Doc.Partners {
		l.partner(i, &l.p.Doc.Partners[i])
	}
	l.handedOn()
	l.stacked()
	for i := range l.p.Doc.Rewards {
		l.arbitrage(i, l.p.Rewards[l.p.Doc.Rewards[i].ID])
	}
	ret := l.p.Doc.Returns
	switch {
	case ret.Accept != nil && !*ret.Accept:
	case ret.Earned == "keep":
		l.find(Leaky, "returns_keep", "/returns/earned")
	case ret.IfSpent == "clamp" && !l.waits():
		l.find(Leaky, "returns_clamp", "/returns/if_spent")
	}
	if t := l.p.Doc.Transfers; t != nil && len(t.Limit) == 0 {
		for _, r := range l.rules("enrolment") {
			if r.Give != nil && r.Amount > 0 && slices.Contains(t.Units, r.Give.Unit) {
				l.find(Leaky, "welcome_transferred", "/transfers/limit", "rule", l.rule(r))
				break
			}
		}
	}
}

// challenges finds prizes that are had as often as anyone likes: by one purchase that is split, or by saying a thing again.
func (l *look) challenges() {
	for i := range l.p.Doc.Challenges {
		c := l.p.Challenges[l.p.Doc.Challenges[i].ID]
		if !c.Repeats || c.Times != nil || c.Shape != program.PlainShape {
			continue
		}
		switch {
		case c.Metric == "purchases" && c.Lines == nil && !l.bounded(c.When):
			l.find(Leaky, "split_purchases", pointer("challenges", i), "rule", explain.Rule(l.p, c.ID, l.lang))
		case c.On != "purchase" && c.Per == "":
			l.find(Leaky, "activity_unlimited", pointer("challenges", i, "times"), "rule", explain.Rule(l.p, c.ID, l.lang))
		}
	}
}

// moments finds gifts of time that are had for an account made the day before, and balances that grow faster than money does.
func (l *look) moments() {
	times := map[string]float64{"day": 365, "week": 52, "month": 12, "quarter": 4, "year": 1}
	for _, r := range l.all() {
		m, ok := program.ParseMoment(r.On)
		switch {
		case !ok || r.Give == nil:
		case m.Kind == program.Birthday && r.Amount > 0 && (r.When == nil || r.When.MemberFor == nil && !l.above(r.When)):
			l.find(Leaky, "birthday_at_once", atRule(r)+"/when", "rule", l.rule(r))
		case r.Base == "balance" && m.Kind == program.Every && r.BaseUnit == r.Give.Unit:
			var most float64
			for _, s := range r.Shares {
				most = max(most, float64(s.Num)/float64(s.Den))
			}
			if year := math.Pow(1+most, times[m.Every]) - 1; year > generous {
				l.find(Leaky, "grows_too_fast", atRule(r)+"/give", "rule", l.rule(r), "share", l.percent(year))
			}
		}
		if ok && r.Give != nil && r.Base == "balance" && l.comesBack(r) {
			l.find(Leaky, "grows_on_returns", atRule(r)+"/give/kept", "rule", l.rule(r))
		}
	}
}

// comesBack says whether a rule gives a part of what was earned by goods that may still come back: what was given for it stays then.
func (l *look) comesBack(r *program.CompiledRule) bool {
	pol := l.p.Doc.Returns
	if pol.Accept != nil && !*pol.Accept || pol.Earned == "keep" {
		return false
	}
	bought := func(o *program.CompiledRule) bool {
		return o.On == "purchase" && o.Give != nil && o.Give.Unit == r.BaseUnit
	}
	if !slices.ContainsFunc(l.all(), bought) {
		return false
	}
	if kept := r.Give.Kept; kept != nil {
		return pol.Within != nil && kept.After(l.at, l.p.Zone).Before(pol.Within.After(l.at, l.p.Zone))
	}
	return true
}

// referral finds thanks that made-up friends would earn: without end, or for less than they are worth.
func (l *look) referral() {
	r := l.p.Referral
	if r == nil {
		return
	}
	var thanks float64
	for _, id := range []string{program.ReferralRule, program.ReferralThanksRule} {
		if rule := l.p.ByID[id]; rule != nil {
			thanks += l.worth(rule.Give.Unit, float64(rule.Amount))
		}
	}
	least := l.least(r.When)
	if thanks > 0 && thanks > least/2 {
		l.find(Leaky, "referral_cheap", "/referral/qualifies", "thanks", l.money(int64(math.Round(thanks))), "least", l.money(int64(least)))
	}
	if rule := l.p.ByID[program.ReferralThanksRule]; rule != nil && len(rule.Limits) == 0 {
		l.find(Leaky, "referral_unlimited", "/referral/referrer/limit")
	}
}

// least is the least money that a condition asks for.
func (l *look) least(c *program.CompiledCondition) float64 {
	if c == nil {
		return 0
	}
	var most float64
	for _, r := range []*program.Range{c.Condition.Total, c.Condition.Amount} {
		if r != nil && r.From != nil {
			if n, err := r.From.Minor(l.p.Exponent); err == nil {
				most = max(most, float64(n))
			}
		}
	}
	for _, part := range c.All {
		most = max(most, l.least(part))
	}
	return most
}

// cardsTwice finds money that counts when a gift card is bought and again when it pays.
func (l *look) cardsTwice() {
	if l.p.Doc.GiftCards == nil {
		return
	}
	once := func(lines *program.Lines, basis *program.Basis) bool {
		return lines != nil || basis != nil && slices.Contains(basis.WithoutPayments, "gift_card")
	}
	none := map[string]bool{} // units of which some lines, as those of gift cards, earn nothing
	for _, r := range l.rules("purchase") {
		if r.Give != nil && r.Give.Amount != nil && r.Give.Amount.IsZero() && r.ClaimsLines && r.Lines != nil {
			none[r.Give.Unit] = true
		}
	}
	for _, r := range l.rules("purchase") {
		if r.Give != nil && perMoney(r) > 0 && !none[r.Give.Unit] && !once(r.Lines, r.Rule.Basis) {
			l.find(Leaky, "gift_cards_twice", atRule(r), "what", l.rule(r))
		}
	}
	for _, id := range l.p.TierIDs {
		if t := l.p.Tiers[id]; t.Metric == "spend" && !once(t.By.Lines, t.By.Basis) {
			l.find(Leaky, "gift_cards_twice", pointer("tiers", id, "by"), "what", explain.TierSet(l.p, id, l.lang))
		}
	}
}

// partner finds points that a partner pays less for than they cost, or is paid more for than they are worth.
func (l *look) partner(i int, p *program.Partner) {
	name := p.Name.In(l.lang)
	if name == "" {
		name = p.ID
	}
	each := func(field string, prices map[string]money.Decimal, bad func(price, worth float64) bool, code string) {
		for _, unit := range sorted(prices) {
			u := l.p.Units[unit]
			if u == nil || u.Worth == nil {
				continue
			}
			num, den := prices[unit].Ratio()
			worthNum, worthDen := u.Worth.Ratio()
			if bad(float64(num)/float64(den), float64(worthNum)/float64(worthDen)) {
				l.find(Leaky, code, pointer("partners", i, field, unit), "partner", name, "unit", explain.Unit(l.p, unit, l.lang, false),
					"price", lang.Number(l.lang, prices[unit]), "worth", lang.Number(l.lang, *u.Worth))
			}
		}
	}
	each("awards", p.Awards, func(price, worth float64) bool { return price < worth }, "partner_pays_little")
	each("accepts", p.Accepts, func(price, worth float64) bool { return price > worth }, "partner_gets_much")
}

// bounded says that a condition asks for some money, or is met seldom.
func (l *look) bounded(c *program.CompiledCondition) bool {
	return c != nil && (c.Total != nil || c.Amount != nil || c.FirstPurchase != nil && *c.FirstPurchase || slices.ContainsFunc(c.All, l.bounded))
}

// waits says that what is earned by money waits before it can be spent.
func (l *look) waits() bool {
	for _, r := range l.all() {
		if r.Give != nil && r.Give.Per != nil && r.Amount > 0 && r.Pending == nil {
			return false
		}
	}
	return true
}

// stacked finds what the multipliers can come to together.
func (l *look) stacked() {
	factor := 1.0
	best := map[string]float64{}
	var last *program.CompiledRule
	for _, r := range l.rules("purchase") {
		if r.Multiply == nil || len(r.Limits) > 0 {
			continue
		}
		num, den := r.Multiply.Ratio()
		f := float64(num) / float64(den)
		switch {
		case f <= 1:
			continue
		case r.Stack == "best":
			best[r.Group] = max(best[r.Group], f)
		case r.Stack == "exclusive":
			best["exclusive"] = max(best["exclusive"], f)
		default:
			factor *= f
		}
		last = r
	}
	for _, f := range best {
		factor *= f
	}
	var back float64
	for unit, rate := range l.base {
		if !l.p.Units[unit].StatusOnly {
			back += l.worth(unit, rate)
		}
	}
	if back *= factor; last != nil && back > generous {
		l.find(Leaky, "multipliers_stack", atRule(last), "share", l.percent(back))
	}
}

// cost is what the points and the money of a reward's first price are worth, 0 for one that is not bought.
func (l *look) cost(r *program.CompiledReward) float64 {
	var cost float64
	for unit, n := range r.Price {
		cost += l.worth(unit, float64(n))
	}
	if cost > 0 {
		cost += float64(r.Prices[0].Money)
	}
	return cost
}

// arbitrage finds a reward that gives more money than its points cost.
func (l *look) arbitrage(i int, r *program.CompiledReward) {
	var cost, gets float64
	switch v := r.Gives.Voucher; {
	case r.Pay != nil:
		cost, gets = l.worth(r.Pay.Unit, float64(r.PayPoints)), float64(r.PayWorth)
	case v != nil && v.Money != nil:
		cost = l.cost(r)
		n, err := v.Money.Minor(l.p.Exponent)
		if err != nil {
			return
		}
		gets = float64(n)
	case r.Card > 0:
		cost, gets = l.cost(r), float64(r.Card)
	}
	if cost > 0 && gets > 1.05*cost {
		l.find(Leaky, "worth_more", pointer("rewards", i), "reward", explain.Reward(l.p, r.ID, l.lang), "gets", l.money(int64(gets)), "cost", l.money(int64(math.Round(cost))))
	}
}
