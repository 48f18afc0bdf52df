package engine

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"lojal.dev/lojal/internal/condition"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
)

// scene is what a condition may look at.
type scene struct {
	p        *program.Compiled
	st       *State
	at       time.Time
	member   *time.Location
	basket   *basket
	purchase *Purchase
	activity *Activity
	// tier gives the member's step in a tier set at this moment, empty for none.
	tier map[string]string
	// basis and items are those of the rule that is looked at; basis in minor units, items in thousandths.
	basis, items int64
	in           []bool
	store        string
	channel      string
	// anytime lets weekdays, hours and dates hold.
	anytime bool
}

func newScene(p *program.Compiled, st *State, at time.Time) *scene {
	s := &scene{p: p, st: st, at: at, member: p.Zone, tier: map[string]string{}}
	if st.Zone != "" {
		if z, err := time.LoadLocation(st.Zone); err == nil {
			s.member = z
		}
	}
	return s
}

func (s *scene) zone(which string) *time.Location {
	if which == "member" {
		return s.member
	}
	return s.p.Zone
}

// holds evaluates a condition. When it does not hold, the notes say what failed, with the values seen.
func (s *scene) holds(c *program.CompiledCondition) (bool, []Note, error) {
	if c == nil {
		return true, nil, nil
	}
	if n, ok := s.clock(c); !ok {
		return false, []Note{n}, nil
	}
	if n, ok := s.place(c); !ok {
		return false, []Note{n}, nil
	}
	if n, ok := s.sums(c); !ok {
		return false, []Note{n}, nil
	}
	if n, ok := s.person(c); !ok {
		return false, []Note{n}, nil
	}
	if c.Formula != nil {
		ok, err := c.Formula.Bool(s.vars())
		if err != nil {
			return false, nil, err
		}
		if !ok {
			return false, []Note{{Code: CondFormula, Args: s.seen(c.Formula)}}, nil
		}
	}
	return s.parts(c)
}

func (s *scene) parts(c *program.CompiledCondition) (bool, []Note, error) {
	for _, part := range c.All {
		if ok, notes, err := s.holds(part); err != nil || !ok {
			return false, notes, err
		}
	}
	if len(c.Any) > 0 {
		var why []Note
		found := false
		for _, part := range c.Any {
			ok, notes, err := s.holds(part)
			if err != nil {
				return false, nil, err
			}
			if ok {
				found = true
				break
			}
			why = append(why, notes...)
		}
		if !found {
			return false, append([]Note{{Code: CondAny}}, why...), nil
		}
	}
	if c.Not != nil {
		ok, _, err := s.holds(c.Not)
		if err != nil {
			return false, nil, err
		}
		if ok {
			return false, []Note{{Code: CondNot}}, nil
		}
	}
	return true, nil, nil
}

func (s *scene) clock(c *program.CompiledCondition) (Note, bool) {
	if s.anytime || c.Weekdays == nil && c.Hours == nil && c.Dates == nil {
		return Note{}, true
	}
	l := s.at.In(s.zone(c.Zone))
	if c.Weekdays != nil && !c.Weekdays[l.Weekday()] {
		return Note{Code: CondWeekday, Args: Args{"seen": word(strings.ToLower(l.Weekday().String())), "want": words(c.Condition.Weekdays)}}, false
	}
	if c.Hours != nil {
		m, in := l.Hour()*60+l.Minute(), false
		for _, h := range c.Hours {
			if h[0] <= h[1] {
				in = in || (m >= h[0] && m < h[1])
			} else {
				in = in || m >= h[0] || m < h[1]
			}
		}
		if !in {
			return Note{Code: CondHours, Args: Args{"seen": text(l.Format("15:04")), "want": list(c.Condition.Hours)}}, false
		}
	}
	if c.Dates != nil && !inDates(c.Dates, l) {
		return Note{Code: CondDates, Args: Args{"seen": {Day: l.Format(time.DateOnly)}, "want": list(c.Condition.Dates)}}, false
	}
	return Note{}, true
}

func inDates(spans []program.DateSpan, l time.Time) bool {
	y, mo, d := l.Date()
	m := int(mo)
	for _, s := range spans {
		if s.FromYear > 0 {
			day := y*10000 + m*100 + d
			if day >= s.FromYear*10000+s.FromMonth*100+s.FromDay && day <= s.ToYear*10000+s.ToMonth*100+s.ToDay {
				return true
			}
			continue
		}
		day, from, to := m*100+d, s.FromMonth*100+s.FromDay, s.ToMonth*100+s.ToDay
		if from <= to && day >= from && day <= to || from > to && (day >= from || day <= to) {
			return true
		}
	}
	return false
}

func (s *scene) place(c *program.CompiledCondition) (Note, bool) {
	if len(c.Store) > 0 && !slices.Contains(c.Store, s.store) {
		return Note{Code: CondStore, Args: Args{"seen": text(s.store), "want": list(c.Store)}}, false
	}
	if len(c.Channel) > 0 && !slices.Contains(c.Channel, s.channel) {
		return Note{Code: CondChannel, Args: Args{"seen": text(s.channel), "want": list(c.Channel)}}, false
	}
	if len(c.Payment) > 0 {
		var means []string
		in := false
		if s.basket != nil {
			for _, p := range s.basket.payments {
				means = append(means, p.means)
				in = in || slices.Contains(c.Payment, p.means)
			}
		}
		if !in {
			return Note{Code: CondPayment, Args: Args{"seen": list(means), "want": list(c.Payment)}}, false
		}
	}
	return Note{}, true
}

func (s *scene) sums(c *program.CompiledCondition) (Note, bool) {
	if !c.Amount.Has(s.basis) {
		return Note{Code: CondAmount, Args: bounds(c.Condition.Amount, Money(s.basis), c.Amount, Money)}, false
	}
	if c.Total != nil {
		var t int64
		if s.basket != nil {
			t = s.basket.total
		}
		if !c.Total.Has(t) {
			return Note{Code: CondTotal, Args: bounds(c.Condition.Total, Money(t), c.Total, Money)}, false
		}
	}
	if !c.Items.Has(s.items) {
		return Note{Code: CondItems, Args: bounds(c.Condition.Items, thousandths(s.items), c.Items, thousandths)}, false
	}
	if c.FirstPurchase != nil {
		first := s.st.Purchases == 0
		if first != *c.FirstPurchase {
			if first {
				return Note{Code: CondNotFirst}, false
			}
			return Note{Code: CondFirst, Args: Args{"seen": Number(strconv.FormatInt(s.st.Purchases, 10))}}, false
		}
	}
	return Note{}, true
}

func bounds(r *program.Range, seen Value, b *program.Bounds, of func(int64) Value) Args {
	a := Args{"seen": seen}
	if r != nil && r.From != nil {
		a["from"] = of(b.From)
	}
	if r != nil && r.To != nil {
		a["to"] = of(b.To)
	}
	return a
}

func thousandths(n int64) Value {
	d, den := money.New(n, 3).Ratio()
	scale := 0
	for den > 1 {
		den, scale = den/10, scale+1
	}
	return Number(money.Format(d, scale))
}

func (s *scene) person(c *program.CompiledCondition) (Note, bool) {
	for _, set := range slices.Sorted(maps.Keys(c.Tier)) {
		if !c.Tier[set][s.p.Tiers[set].Place(s.tier[set])] {
			return Note{Code: CondTier, Args: Args{"set": {Set: set}, "seen": tierValue(set, s.tier[set]), "want": tierValue(set, c.Condition.Tier[set])}}, false
		}
	}
	for _, set := range slices.Sorted(maps.Keys(c.OnlyTier)) {
		if !slices.Contains(c.OnlyTier[set], s.tier[set]) {
			return Note{Code: CondOnlyTier, Args: Args{"set": {Set: set}, "seen": tierValue(set, s.tier[set]), "want": tierValues(set, c.OnlyTier[set])}}, false
		}
	}
	if len(c.Plan) > 0 && !s.hasPlan(c.Plan) {
		return Note{Code: CondPlan, Args: Args{"want": {Plans: slices.Clone(c.Plan)}}}, false
	}
	if c.MemberFor != nil && s.at.Before(c.MemberFor.After(s.st.JoinedAt, s.p.Zone)) {
		return Note{Code: CondMemberFor, Args: Args{"want": text(c.MemberFor.String()), "seen": Time(s.st.JoinedAt)}}, false
	}
	for _, name := range slices.Sorted(maps.Keys(c.Attribute)) {
		if !slices.Contains(c.Attribute[name], s.st.Attributes[name]) {
			return Note{Code: CondAttribute, Args: Args{"name": text(name), "seen": text(s.st.Attributes[name]), "want": list(c.Attribute[name])}}, false
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Property)) {
		seen := ""
		if s.activity != nil {
			seen = s.activity.Properties[name]
		}
		if !slices.Contains(c.Property[name], seen) {
			return Note{Code: CondProperty, Args: Args{"name": text(name), "seen": text(seen), "want": list(c.Property[name])}}, false
		}
	}
	return Note{}, true
}

// hasPlan says whether one of the plans is in force.
func (s *scene) hasPlan(ids []string) bool {
	return slices.ContainsFunc(ids, func(id string) bool { return s.st.Plans[id].InForce(s.at) })
}

// vars are the names a formula may use.
func (s *scene) vars() map[string]any {
	l := s.at.In(s.p.Zone)
	balance := make(map[string]int64, len(s.p.UnitIDs))
	for _, u := range s.p.UnitIDs {
		if h := s.st.Units[u]; h != nil {
			balance[u] = h.Balance()
		} else {
			balance[u] = 0
		}
	}
	tier := make(map[string]string, len(s.p.TierIDs))
	for _, t := range s.p.TierIDs {
		tier[t] = s.tier[t]
	}
	v := map[string]any{
		"member":  condition.Member{Days: max(int64(s.at.Sub(s.st.JoinedAt)/(24*time.Hour)), 0), Language: s.st.Language, Attributes: s.st.Attributes},
		"tier":    tier,
		"weekday": strings.ToLower(l.Weekday().String()),
		"hour":    int64(l.Hour()),
		"balance": balance,
		"store":   s.store,
		"channel": s.channel,
	}
	if s.basket != nil {
		lines := make([]condition.Line, 0, len(s.basket.lines))
		for i := range s.basket.lines {
			if len(s.in) > 0 && !s.in[i] {
				continue
			}
			b := &s.basket.lines[i]
			lines = append(lines, condition.Line{SKU: b.sku, Category: b.category, Brand: b.brand, Tags: b.tags,
				Quantity: b.quantity / 1000, Amount: b.amount})
		}
		payments := make([]string, 0, len(s.basket.payments))
		for _, p := range s.basket.payments {
			payments = append(payments, p.means)
		}
		v["basis"], v["total"], v["items"], v["lines"], v["payments"] = s.basis, s.basket.total, s.items/1000, lines, payments
		v["purchases"], v["first_purchase"] = s.st.Purchases, s.st.Purchases == 0
	}
	if s.activity != nil {
		v["property"] = properties(s.p, s.activity)
	}
	return v
}

// properties gives the declared properties their types; what is left out is empty, zero or no.
func properties(p *program.Compiled, a *Activity) map[string]any {
	out := map[string]any{}
	for name, kind := range p.Doc.Activities[a.Kind].Properties {
		raw := a.Properties[name]
		switch kind {
		case "number":
			out[name] = int64(0)
			if d, err := money.Parse(raw); err == nil {
				if n, err := d.Minor(quantityScale); err == nil {
					out[name] = n
				}
			}
		case "whole":
			n, _ := strconv.ParseInt(raw, 10, 64) // Check refused what is no number; left out is 0
			out[name] = n
		case "yes/no":
			out[name] = raw == "yes" || raw == "true"
		default:
			out[name] = raw
		}
	}
	return out
}

func (s *scene) seen(f *condition.Formula) Args {
	a := Args{"text": text(f.Text())}
	seen := f.Seen(s.vars())
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(seen)) {
		parts = append(parts, fmt.Sprintf("%s = %v", k, seen[k]))
	}
	a["seen"] = list(parts)
	return a
}

func text(s string) Value    { return Value{Text: s} }
func word(s string) Value    { return Value{Word: s} }
func list(l []string) Value  { return Value{List: slices.Clone(l)} }
func words(l []string) Value { return Value{Words: slices.Clone(l)} }

func tierValue(set, step string) Value { return Value{Tier: set + "/" + step} }

func tierValues(set string, steps []string) Value {
	v := Value{}
	for _, s := range steps {
		v.Tiers = append(v.Tiers, set+"/"+s)
	}
	return v
}
