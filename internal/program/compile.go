package program

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // zones are part of the program's meaning: they come with the binary

	jsonv2 "github.com/go-json-experiment/json"

	"lojal.dev/lojal/internal/condition"
	"lojal.dev/lojal/internal/money"
)

// Compile checks a document and makes it ready for deciding. Version is the number of the published version, 0 for a
// draft. The error is *Problems. The document must not change afterwards.
func Compile(d *Document, version int64) (*Compiled, error) {
	if err := sorted("", d.Check()); err != nil {
		return nil, err
	}
	zone, err := time.LoadLocation(d.TimeZone)
	if err != nil {
		return nil, fmt.Errorf("time zone: %w", err)
	}
	k := &compiler{d: d, c: &Compiled{
		Doc: d, Version: version, Zone: zone, Exponent: money.Exponent(d.Currency),
		UnitIDs: sortedKeys(d.Units), TierIDs: sortedKeys(d.Tiers), Units: map[string]*CompiledUnit{},
		Rules: map[string][]*CompiledRule{}, Multipliers: map[string][]*CompiledRule{}, ByID: map[string]*CompiledRule{},
		Tiers: map[string]*CompiledTierSet{}, Rewards: map[string]*CompiledReward{}, Confirms: map[string]bool{},
	}}
	for id, u := range d.Units {
		k.c.Units[id] = &CompiledUnit{Unit: &u, ID: id}
	}
	for id, t := range d.Tiers {
		k.c.Tiers[id] = k.tierSet(id, &t)
	}
	for _, id := range k.c.TierIDs {
		k.count(k.c.Tiers[id])
	}
	for i := range d.Earn {
		k.rule(i, &d.Earn[i])
	}
	for i := range d.Rewards {
		k.reward(i, &d.Rewards[i])
	}
	k.moments()
	for i := range d.Challenges {
		k.challenge(i, &d.Challenges[i])
	}
	if t := d.Transfers; t != nil {
		k.c.TransferLimits = k.limits("transfer", t.Limit, d.precision(t.Units...))
	}
	k.referral(d.Referral)
	k.recognition(d.Recognition)
	k.giftCards()
	k.coupons()
	k.benefits()
	for i := range d.Partners {
		k.partner(&d.Partners[i])
	}
	k.shares()
	k.c.Plan = k.plan()
	if k.err != nil {
		return nil, fmt.Errorf("compile program %s: %w", d.Program, k.err)
	}
	return k.c, nil
}

// plan is a hash of what the passing of time depends on. It is compared and never stored.
func (k *compiler) plan() string {
	type spell struct{ Inactive, Warn, At string }
	type fades struct {
		ID          string
		When        *Condition
		From, Until string
		Fades       *Fading
		Tiers       map[string]map[int]bool
		Plans       []string
	}
	what := struct {
		Zone    string
		Tiers   map[string]TierSet
		Units   map[string]spell
		Fades   []fades           `json:",omitempty"`
		Plans   []Plan            `json:",omitempty"`
		Moments []any             `json:",omitempty"`
		Ends    map[string]string `json:",omitempty"`
	}{Zone: k.d.TimeZone, Tiers: map[string]TierSet{}, Units: map[string]spell{}, Moments: k.planned(), Ends: challengeEnds(k.d)}
	for _, b := range k.c.Fading {
		what.Fades = append(what.Fades, fades{b.ID, b.Benefit.When, b.Benefit.From, b.Benefit.Until, b.Benefit.Fades, b.Tiers, b.Plans})
	}
	for i := range k.d.Plans {
		p := k.d.Plans[i]
		p.Title, p.Description, p.Price, p.Benefits = nil, nil, nil, nil
		what.Plans = append(what.Plans, p)
	}
	for id, t := range k.d.Tiers {
		t.Name, t.Steps = nil, slices.Clone(t.Steps)
		for i := range t.Steps {
			t.Steps[i].Name, t.Steps[i].Benefits = nil, nil
		}
		what.Tiers[id] = t
	}
	for id, u := range k.d.Units {
		if e := u.Expires; e != nil && e.Inactive != nil {
			s := spell{Inactive: e.Inactive.String(), At: e.At}
			if e.Warn != nil {
				s.Warn = e.Warn.String()
			}
			what.Units[id] = s
		}
	}
	b, err := jsonv2.Marshal(what, canonical)
	if err != nil && k.err == nil {
		k.err = fmt.Errorf("plan: %w", err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// compiler fills a Compiled. Its err is for what Check should have caught: it keeps a forgotten check from becoming a
// wrong number.
type compiler struct {
	d   *Document
	c   *Compiled
	err error
}

func (k *compiler) minor(d money.Decimal, scale int) int64 {
	n, err := d.Minor(scale)
	if err != nil && k.err == nil {
		k.err = fmt.Errorf("%s with %d decimals: %w", d, scale, err)
	}
	return n
}

func (k *compiler) optional(d *money.Decimal, scale int) int64 {
	if d == nil {
		return -1
	}
	return k.minor(*d, scale)
}

// precision is the number of decimals of the first unit that exists, or of the only unit there is.
func (d *Document) precision(ids ...string) int {
	for _, id := range ids {
		if u, ok := d.Units[id]; ok {
			return u.Precision
		}
	}
	if len(d.Units) == 1 {
		for _, u := range d.Units {
			return u.Precision
		}
	}
	return 0
}

// scope tells what a formula on this trigger may use.
func (d *Document) scope(trigger string) condition.Context {
	kind, _ := strings.CutPrefix(trigger, "activity:")
	if isMoment(trigger) {
		trigger, kind = "moment", ""
	}
	if trigger == RecognitionTrigger { // what is known is what is known of a member
		trigger, kind = "enrolment", ""
	}
	return condition.Context{
		Trigger: trigger, Properties: d.Activities[kind].Properties, Exponent: money.Exponent(d.Currency),
		Units: slices.Concat(nonNil, sortedKeys(d.Units)), TierSets: slices.Concat(nonNil, sortedKeys(d.Tiers)),
	}
}

// nonNil keeps an empty list of ids from meaning "any".
var nonNil = []string{}

func (k *compiler) formula(trigger string, want condition.Result, text string) *condition.Formula {
	if text == "" {
		return nil
	}
	f, err := condition.Compile(k.d.scope(trigger), want, text)
	if err != nil && k.err == nil {
		k.err = err
	}
	return f
}

func (k *compiler) window(from, until string) (a, b *time.Time) {
	if from != "" {
		t, err := parseInstant(from, k.c.Zone, false)
		if err != nil && k.err == nil {
			k.err = err
		}
		a = &t
	}
	if until != "" {
		t, err := parseInstant(until, k.c.Zone, true)
		if err != nil && k.err == nil {
			k.err = err
		}
		b = &t
	}
	return a, b
}

// parseInstant reads a date (its first or, for an end, its last moment in the zone) or a time with offset.
func parseInstant(s string, zone *time.Location, end bool) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return t, fmt.Errorf("%q is neither a date such as 2027-03-28 nor a time with offset such as 2027-03-28T12:00:00+02:00", s)
	}
	if end {
		return midnight(t.Year(), t.Month(), t.Day()+1, zone).Add(-time.Nanosecond), nil
	}
	return midnight(t.Year(), t.Month(), t.Day(), zone), nil
}

func (k *compiler) rule(i int, r *Rule) {
	cr := &CompiledRule{Rule: r, Index: i, Num: 1, Den: 1, Mode: money.Down, Once: "purchase", Specific: r.Lines.specific()}
	cr.From, cr.Until = k.window(r.From, r.Until)
	precision := k.d.precision(r.Unit)
	if g := r.Give; g != nil {
		precision = k.d.precision(g.Unit)
		if g.Amount != nil {
			cr.Amount = k.minor(*g.Amount, precision)
		}
		if g.Per != nil {
			cr.Per = k.minor(*g.Per, k.c.Exponent)
		}
		cr.Formula = k.formula(r.On, condition.Int, g.Formula)
		if g.isPercent() {
			k.percent(cr)
		}
	}
	if r.Multiply != nil {
		cr.Num, cr.Den = r.Multiply.Ratio()
	}
	if r.Round != nil {
		if r.Round.To != "" {
			cr.Mode = money.Mode(r.Round.To)
		}
		if r.Round.Once != "" {
			cr.Once = r.Round.Once
		}
	}
	cr.When = k.condition(r.On, r.When)
	cr.Limits = k.limits("limit:"+r.ID, r.Limit, precision)
	for _, id := range r.Of {
		if id == "all" {
			cr.OfAll = true
			continue
		}
		if cr.Of == nil {
			cr.Of = map[string]bool{}
		}
		cr.Of[id] = true
	}
	if r.Pending != nil && r.Pending.Until != "" {
		k.c.Confirms[r.Pending.Until] = true
	}
	k.c.ByID[r.ID] = cr
	if r.Multiply != nil {
		k.c.Multipliers[r.On] = append(k.c.Multipliers[r.On], cr)
	} else {
		k.c.Rules[r.On] = append(k.c.Rules[r.On], cr)
	}
}

// limits numbers the limits under a prefix. The numbers and prefixes are names of counters in the books: frozen.
func (k *compiler) limits(prefix string, ls Limits, precision int) []CompiledLimit {
	var out []CompiledLimit
	for i, l := range ls {
		c := CompiledLimit{Each: l.Each, Per: l.Per, Over: l.Over, Zone: l.Zone, Times: -1, Key: fmt.Sprintf("%s:%d", prefix, i)}
		c.Each, c.Over, c.Zone = or(c.Each, "member"), or(c.Over, "clip"), or(c.Zone, "program")
		if l.Times != nil {
			c.Times = *l.Times
		}
		c.Amount = k.optional(l.Amount, precision)
		out = append(out, c)
	}
	return out
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func (k *compiler) condition(trigger string, c *Condition) *CompiledCondition {
	if c == nil {
		return nil
	}
	out := &CompiledCondition{Condition: c, Not: k.condition(trigger, c.Not), Formula: k.formula(trigger, condition.Bool, c.Formula)}
	for i := range c.All {
		out.All = append(out.All, k.condition(trigger, &c.All[i]))
	}
	for i := range c.Any {
		out.Any = append(out.Any, k.condition(trigger, &c.Any[i]))
	}
	if len(c.Weekdays) > 0 {
		out.Weekdays = new([7]bool)
		for _, w := range c.Weekdays {
			out.Weekdays[weekdays[w]] = true
		}
	}
	for _, h := range c.Hours {
		span, err := parseHours(h)
		if err != nil && k.err == nil {
			k.err = err
		}
		out.Hours = append(out.Hours, span)
	}
	for _, s := range c.Dates {
		span, err := parseDates(s)
		if err != nil && k.err == nil {
			k.err = err
		}
		out.Dates = append(out.Dates, span)
	}
	for set, step := range c.Tier {
		from, steps := k.place(set, step)
		places := map[int]bool{}
		for i := from; i < steps; i++ {
			places[i] = true
		}
		put(&out.Tier, set, places)
	}
	out.Amount = k.bounds(c.Amount, k.c.Exponent)
	out.Total = k.bounds(c.Total, k.c.Exponent)
	out.Items = k.bounds(c.Items, 3)
	return out
}

func put(m *map[string]map[int]bool, set string, places map[int]bool) {
	if *m == nil {
		*m = map[string]map[int]bool{}
	}
	(*m)[set] = places
}

func (k *compiler) place(set, step string) (place, steps int) {
	t := k.d.Tiers[set]
	p := slices.IndexFunc(t.Steps, func(s Step) bool { return s.ID == step })
	if p < 0 && k.err == nil {
		k.err = fmt.Errorf("no step %q in tier set %q", step, set)
	}
	return p, len(t.Steps)
}

func (k *compiler) bounds(r *Range, scale int) *Bounds {
	if r == nil {
		return nil
	}
	b := &Bounds{math.MinInt64, math.MaxInt64}
	if r.From != nil {
		b.From = k.minor(*r.From, scale)
	}
	if r.To != nil {
		b.To = k.minor(*r.To, scale)
	}
	return b
}

func (k *compiler) tierSet(id string, t *TierSet) *CompiledTierSet {
	w, err := parseWindow(t.By.Window)
	if err != nil && k.err == nil {
		k.err = err
	}
	c := &CompiledTierSet{TierSet: t, ID: id, Window: w.kind, Length: w.length, Calendar: w.calendar}
	scale := 0
	switch {
	case t.By.Tenure:
		c.Metric = "tenure"
	case t.By.Sum == "spend":
		c.Metric, scale = "spend", k.c.Exponent
	case t.By.Sum != "":
		c.Metric, scale = "unit:"+t.By.Sum, k.d.precision(t.By.Sum)
	default:
		c.Metric = t.By.Count
	}
	c.Tally = c.Metric + definition(t.By)
	for _, s := range t.Steps {
		c.From = append(c.From, k.minor(s.From, scale))
	}
	return c
}

// count has a metric counted.
func (k *compiler) count(t *CompiledTierSet) {
	k.c.Metrics = append(k.c.Metrics, t)
	if !slices.ContainsFunc(k.c.Counted, func(c *CompiledTierSet) bool { return c.Tally == t.Tally && c.Grain() == t.Grain() }) {
		k.c.Counted = append(k.c.Counted, t)
	}
}

// definition is "" for the plain metric, else "#" and a short hash of what narrows it. Frozen: it is part of the name
// under which days are counted in the books.
func definition(m Metric) string {
	if m.Lines == nil && m.Basis == nil {
		return ""
	}
	b, err := jsonv2.Marshal(struct {
		Lines *Lines `json:"lines,omitzero"`
		Basis *Basis `json:"basis,omitzero"`
	}{m.Lines.tidy(), m.Basis}, canonical)
	if err != nil {
		return "#?"
	}
	sum := sha256.Sum256(b)
	return "#" + hex.EncodeToString(sum[:6])
}

// tidy sorts the words, so that their order does not count.
func (l *Lines) tidy() *Lines {
	if l == nil {
		return nil
	}
	c := *l
	for _, w := range []*Words{&c.SKU, &c.Category, &c.Brand, &c.Tag, &c.Store, &c.Channel} {
		*w = slices.Clone(*w)
		slices.Sort(*w)
		*w = slices.Compact(*w)
	}
	c.Not = l.Not.tidy()
	return &c
}

func (k *compiler) reward(i int, r *Reward) {
	c := &CompiledReward{Reward: r, Index: i, Price: map[string]int64{}, PayMin: -1, PayMax: -1, Share: 10000, Stock: -1}
	c.From, c.Until = k.window(r.From, r.Until)
	for unit, p := range r.Price {
		c.Price[unit] = k.minor(p, k.d.precision(unit))
	}
	if p := r.Pay; p != nil {
		scale := k.d.precision(p.Unit)
		c.PayPoints, c.PayWorth = k.minor(p.Points, scale), k.minor(p.Worth, k.c.Exponent)
		c.PayMin, c.PayMax = k.optional(p.Min, scale), k.optional(p.Max, scale)
		if p.Share != nil {
			c.Share = k.minor(*p.Share, 2)
		}
	}
	if r.Stock != nil {
		c.Stock = *r.Stock
	}
	c.Limits = k.limits("reward:"+r.ID, r.Limit, 0)
	c.When, c.Shown = k.condition("reward", r.When), k.condition("reward", r.Shown)
	k.kinds(c)
	k.c.Rewards[r.ID] = c
}
