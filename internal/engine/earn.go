package engine

import (
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"lojal.dev/lojal/internal/ledger"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
)

// candidate is one rule on its way through the stages: does it hold, which lines does it keep, what does it come to.
type candidate struct {
	r     *program.CompiledRule
	trace *RuleTrace
	// in marks the lines it works on; whole is true for a rule without lines.
	in    []bool
	whole bool
	out   bool // lost or failed
	total int64
	parts []int64 // total shared over the lines, shipping last
	// exact, for rounding at the end, is what each line comes to; multipliers work on it.
	exact []*big.Rat
	used  []Counter
	// unit is what it gives; an addition of a multiplier has that of root, the rule that it came of and whose terms (end,
	// waiting time) it follows.
	unit string
	root *candidate
	// num and den are what one minor unit of money earns, for what is earned per money; percent is how that is written, where it is a percent.
	num, den int64
	percent  string
}

func (c *candidate) fail(code string, args Args, steps ...Note) {
	c.out = true
	c.trace.Why = Note{code, args}
	c.trace.Steps = append(c.trace.Steps, steps...)
}

func (c *candidate) step(n Note) { c.trace.Steps = append(c.trace.Steps, n) }

// earn runs the rules and multipliers of a trigger, in the stages: condition, lines, amount, best, limit, multipliers,
// rounding at the end, limits of multipliers. It gives the candidates that gave something, in the document's order.
func (w *work) earn(trigger string, s *scene, paidPoints int64) ([]*candidate, error) {
	traces := make([]RuleTrace, len(w.p.Rules[trigger])+len(w.p.Multipliers[trigger]))
	var cands, mults []*candidate
	for i, r := range w.p.Rules[trigger] {
		cands = append(cands, w.candidate(r, &traces[i]))
	}
	for i, r := range w.p.Multipliers[trigger] {
		mults = append(mults, w.candidate(r, &traces[len(cands)+i]))
	}
	places := 1
	if s.basket != nil {
		places = s.basket.places()
	}
	for _, c := range append(slices.Clone(cands), mults...) {
		if err := w.admit(c, s, paidPoints); err != nil {
			return nil, err
		}
	}
	own(cands, places, true)
	own(mults, places, false)
	for _, c := range cands {
		if c.out {
			continue
		}
		if err := w.amountOf(c, s, paidPoints); err != nil {
			return nil, err
		}
	}
	best(cands)
	for _, c := range cands {
		if !c.out && c.exact == nil {
			if err := w.limit(c, c.r.Give.Unit, s); err != nil {
				return nil, err
			}
		}
	}
	done, err := w.multiply(cands, mults, s)
	if err != nil {
		return nil, err
	}
	w.d.Explanation.Rules = append(w.d.Explanation.Rules, traces...)
	return done, nil
}

func (w *work) candidate(r *program.CompiledRule, t *RuleTrace) *candidate {
	t.Rule, t.DryRun = r.ID, r.DryRun
	c := &candidate{r: r, trace: t, whole: r.Lines == nil}
	if r.Give != nil {
		c.unit = r.Give.Unit
	}
	return c
}

// admit looks at the window, the lines and the condition.
func (w *work) admit(c *candidate, s *scene, paidPoints int64) error {
	if c.r.From != nil && s.at.Before(*c.r.From) {
		c.fail(WhyWindowBefore, Args{"from": Time(*c.r.From)})
		return nil
	}
	if c.r.Until != nil && s.at.After(*c.r.Until) {
		c.fail(WhyWindowAfter, Args{"until": Time(*c.r.Until)})
		return nil
	}
	s.in, s.basis, s.items = nil, 0, 0
	c.in = []bool{true}
	if s.basket != nil {
		c.in = make([]bool, s.basket.places())
		hit := false
		for i := range s.basket.lines {
			l := &s.basket.lines[i]
			c.in[i] = c.whole || c.r.Lines.Match(l.sku, l.category, l.brand, l.tags, s.store, s.channel)
			if c.in[i] {
				hit = true
				s.items += l.quantity
			}
		}
		if c.whole {
			hit = true
			if i := len(s.basket.lines); i < len(c.in) {
				c.in[i] = c.r.Rule.Basis != nil && c.r.Rule.Basis.Shipping == "included"
			}
		}
		if !hit {
			c.fail(WhyScope, nil)
			return nil
		}
		if c.r.When != nil {
			var err error
			if _, s.basis, err = s.basket.basisOf(c.in, !c.whole, c.r.Rule.Basis, paidPoints, func(Note) {}); err != nil {
				return err
			}
		}
		s.in = c.in
	}
	ok, why, err := s.holds(c.r.When)
	if err != nil {
		c.fail(WhyCondition, nil, Note{Code: CondFormula, Args: Args{"text": text(err.Error())}})
		return nil
	}
	if !ok {
		c.fail(WhyCondition, nil, why...)
		return nil
	}
	// A rule that has no more to give must not stand in the way of those that have.
	for _, l := range c.r.Limits {
		if l.Per == "purchase" {
			continue
		}
		period, name := program.PeriodKey(l.Per, s.at, s.zone(l.Zone)), limitName(l)
		if (l.Times >= 0 && w.acc.Tallies[name+"/times"][period] >= l.Times) || (l.Amount >= 0 && w.acc.Tallies[name+"/amount"][period] >= l.Amount) {
			w.limited(c, l, l.Times >= 0 && w.acc.Tallies[name+"/times"][period] >= l.Times)
			return nil
		}
	}
	return nil
}

// own settles, line by line, who works on it: an exclusive rule of the highest priority is alone on its lines, and a rule
// that claims lines takes them from the less specific ones of its unit. A rule that keeps no line has lost.
func own(cands []*candidate, places int, claims bool) {
	lost := make([]map[string]int, len(cands)) // which rule took how many lines
	for i := range cands {
		lost[i] = map[string]int{}
	}
	for line := range places {
		var alone *candidate
		for _, c := range cands {
			if !c.out && !c.r.DryRun && c.in[line] && c.r.Stack == "exclusive" && (alone == nil || c.r.Priority > alone.r.Priority) {
				alone = c
			}
		}
		if alone == nil {
			continue
		}
		for i, c := range cands {
			if !c.out && c != alone && c.in[line] {
				c.in[line] = false
				lost[i][alone.r.ID]++
			}
		}
	}
	for i, c := range cands {
		by := slices.Sorted(maps.Keys(lost[i]))
		switch {
		case c.out || len(by) == 0:
		case !slices.Contains(c.in, true):
			c.fail(WhyExclusive, Args{"rule": {Rule: by[0]}})
		default:
			for _, id := range by {
				c.step(Note{StepClaimed, Args{"lines": Number(strconv.Itoa(lost[i][id])), "rule": {Rule: id}}})
			}
		}
	}
	if !claims {
		return
	}
	for line := range places {
		top := map[string]*candidate{}
		for _, c := range cands {
			if c.out || c.r.DryRun || !c.in[line] || !c.r.ClaimsLines {
				continue
			}
			u := c.r.Give.Unit
			if t := top[u]; t == nil || c.r.Specific > t.r.Specific || (c.r.Specific == t.r.Specific && c.r.Priority > t.r.Priority) {
				top[u] = c
			}
		}
		for _, c := range cands {
			if c.out || !c.in[line] {
				continue
			}
			t := top[c.r.Give.Unit]
			if t == nil || t == c || c.r.Specific > t.r.Specific || (c.r.Specific == t.r.Specific && !c.r.ClaimsLines) {
				continue
			}
			c.in[line] = false
			if !slices.Contains(c.in, true) {
				c.fail(WhyClaimed, Args{"rule": {Rule: t.r.ID}})
			} else {
				c.claimedBy(t.r.ID)
			}
		}
	}
}

// claimedBy notes that a rule lost one of its lines to another.
func (c *candidate) claimedBy(rule string) {
	for _, n := range c.trace.Steps {
		if n.Code == StepClaimed && n.Args["rule"].Rule == rule {
			k, _ := strconv.Atoi(n.Args["lines"].Number) // written just below
			n.Args["lines"] = Number(strconv.Itoa(k + 1))
			return
		}
	}
	c.step(Note{StepClaimed, Args{"lines": Number("1"), "rule": {Rule: rule}}})
}

// amountOf computes what a rule comes to on the lines it kept.
func (w *work) amountOf(c *candidate, s *scene, paidPoints int64) error {
	g := c.r.Give
	values, sum := []int64{0}, int64(0)
	var quantity, count int64
	if s.basket != nil {
		var err error
		tell := c.step
		if g.Per == nil && g.Formula == "" && c.r.Base == "" {
			tell = func(Note) {} // the money does not matter to what it gives
		}
		if values, sum, err = s.basket.basisOf(c.in, !c.whole, c.r.Rule.Basis, paidPoints, tell); err != nil {
			return err
		}
		if values, sum, err = capped(values, sum, c.r.Rule.Basis, w.p.Exponent); err != nil {
			return err
		}
		for i := range s.basket.lines {
			if c.in[i] {
				quantity += s.basket.lines[i].quantity
				count++
			}
		}
	}
	weights := values
	var err error
	switch {
	case g.Formula != "":
		s.in, s.basis, s.items = c.in, sum, quantity
		c.total, err = c.r.Formula.Int(s.vars())
		if err != nil {
			c.fail(WhyCondition, nil, Note{Code: CondFormula, Args: Args{"text": text(err.Error())}})
			return nil
		}
		args := s.seen(c.r.Formula)
		c.total = max(c.total, 0)
		args["gave"] = Units(g.Unit, c.total)
		c.step(Note{StepFormula, args})
	case c.r.Base != "" && s.basket == nil:
		if err := w.percentOf(c, s); err != nil {
			return err
		}
	case c.r.Base != "":
		sum = max(sum, 0)
		c.step(Note{StepBasis, Args{"money": Money(sum)}})
		if w.perShare(c, s) {
			if err := w.perMoney(c, values, sum); err != nil {
				return err
			}
			c.step(Note{StepPercent, c.percentArgs(sum)})
		}
	case g.Per != nil:
		sum = max(sum, 0)
		c.num, c.den = c.r.Amount, c.r.Per
		c.step(Note{StepBasis, Args{"money": Money(sum)}})
		if err := w.perMoney(c, values, sum); err != nil {
			return err
		}
		c.step(Note{StepPer, Args{"basis": Money(sum), "per": Money(c.r.Per), "amount": Units(g.Unit, c.r.Amount),
			"gave": Units(g.Unit, c.total), "rounding": word(string(c.r.Mode))}})
	case g.Each == "item":
		if err := w.perItem(c, s, quantity); err != nil {
			return err
		}
		weights = make([]int64, len(values))
		for i := range s.basket.lines {
			if c.in[i] {
				weights[i] = s.basket.lines[i].quantity
			}
		}
		c.step(Note{StepItems, Args{"items": thousandths(quantity), "amount": Units(g.Unit, c.r.Amount), "gave": Units(g.Unit, c.total)}})
	case g.Each == "line":
		if c.total, err = money.MulDiv(c.r.Amount, count, 1, money.Down); err != nil {
			return err
		}
		weights = make([]int64, len(values))
		for i := range s.basket.lines {
			if c.in[i] {
				weights[i] = 1
			}
		}
		c.step(Note{StepItems, Args{"items": Number(strconv.FormatInt(count, 10)), "amount": Units(g.Unit, c.r.Amount), "gave": Units(g.Unit, c.total)}})
	default:
		c.total = c.r.Amount
		c.step(Note{StepFixed, Args{"gave": Units(g.Unit, c.total)}})
	}
	if c.parts == nil {
		w8 := positive(weights, c.in)
		if c.parts, err = money.Split(c.total, w8); err != nil {
			return err
		}
	}
	if c.total <= 0 && c.exact == nil {
		c.fail(WhyZero, nil)
	}
	return nil
}

// positive makes weights of the lines a rule works on; where none has a value, they share alike.
func positive(values []int64, in []bool) []int64 {
	out := make([]int64, len(values))
	var sum int64
	for i, v := range values {
		if in[i] {
			out[i] = max(v, 0)
			sum += out[i]
		}
	}
	if sum == 0 {
		for i := range out {
			if in[i] {
				out[i] = 1
			}
		}
	}
	return out
}

// perMoney is Amount for each Per of the basis, rounded once a line, once a purchase, or left exact for the end.
func (w *work) perMoney(c *candidate, values []int64, sum int64) error {
	var err error
	if c.r.Give.Whole {
		steps := sum / c.r.Per
		c.total, err = money.MulDiv(steps, c.r.Amount, 1, money.Down)
		return err
	}
	switch c.r.Once {
	case "line":
		c.parts = make([]int64, len(values))
		for i, v := range values {
			if c.parts[i], err = money.MulDiv(max(v, 0), c.num, c.den, c.r.Mode); err != nil {
				return err
			}
			c.total += c.parts[i]
		}
	case "end":
		c.exact = make([]*big.Rat, len(values))
		shares, err := spread(sum, values)
		if err != nil {
			return err
		}
		for i, v := range shares {
			c.exact[i] = new(big.Rat).Mul(big.NewRat(v, c.den), big.NewRat(c.num, 1))
		}
		return w.settle(c)
	default:
		c.total, err = money.MulDiv(sum, c.num, c.den, c.r.Mode)
	}
	return err
}

// settle rounds what is exact into total and parts.
func (w *work) settle(c *candidate) error {
	sum := new(big.Rat)
	scale := big.NewRat(1, 1)
	for _, e := range c.exact {
		sum.Add(sum, e)
	}
	if big.NewRat(1e12, 1).Cmp(sum) > 0 {
		scale = big.NewRat(1e6, 1) // so that parts of a point weigh too
	}
	n := new(big.Int)
	q, r := n.QuoRem(sum.Num(), sum.Denom(), new(big.Int))
	twice := new(big.Int).Lsh(r, 1)
	half := twice.Cmp(sum.Denom())
	up := r.Sign() != 0 && (c.r.Mode == money.Up || (c.r.Mode == money.HalfUp && half >= 0) ||
		(c.r.Mode == money.HalfEven && (half > 0 || half == 0 && q.Bit(0) == 1)))
	if up {
		q.Add(q, big.NewInt(1))
	}
	if !q.IsInt64() {
		return money.ErrOverflow
	}
	c.total = q.Int64()
	weights := make([]int64, len(c.exact))
	for i, e := range c.exact {
		v := new(big.Rat).Mul(e, scale)
		k := new(big.Int).Quo(v.Num(), v.Denom())
		if !k.IsInt64() {
			return money.ErrOverflow
		}
		weights[i] = k.Int64()
	}
	var err error
	c.parts, err = money.Split(c.total, weights)
	return err
}

func (w *work) perItem(c *candidate, s *scene, quantity int64) error {
	var err error
	if c.r.Once == "end" {
		c.exact = make([]*big.Rat, s.basket.places())
		for i := range c.exact {
			c.exact[i] = new(big.Rat)
			if i < len(s.basket.lines) && c.in[i] {
				c.exact[i].Mul(big.NewRat(s.basket.lines[i].quantity, 1000), big.NewRat(c.r.Amount, 1))
			}
		}
		return w.settle(c)
	}
	if c.r.Once != "line" {
		c.total, err = money.MulDiv(quantity, c.r.Amount, 1000, c.r.Mode)
		return err
	}
	c.parts = make([]int64, s.basket.places())
	for i := range s.basket.lines {
		if !c.in[i] {
			continue
		}
		if c.parts[i], err = money.MulDiv(s.basket.lines[i].quantity, c.r.Amount, 1000, c.r.Mode); err != nil {
			return err
		}
		c.total += c.parts[i]
	}
	return nil
}

// best keeps, of each group, the rule that came to most; ties go to priority, then to the document's order.
func best(cands []*candidate) {
	top := map[string]*candidate{}
	for _, c := range cands {
		if c.out || c.r.DryRun || c.r.Stack != "best" {
			continue
		}
		key := c.r.Group
		t := top[key]
		if t == nil || c.total > t.total || (c.total == t.total && c.r.Priority > t.r.Priority) {
			top[key] = c
		}
	}
	for _, c := range cands {
		if t := top[c.r.Group]; !c.out && t != nil && t != c && c.r.Stack == "best" {
			c.fail(WhyBest, Args{"rule": {Rule: top[c.r.Group].r.ID}, "group": text(c.r.Group)})
		}
	}
}

// multiply applies the multipliers in the document's order and gives all that gave something.
func (w *work) multiply(cands, mults []*candidate, s *scene) ([]*candidate, error) {
	var alive []*candidate
	for _, c := range cands {
		if !c.out {
			alive = append(alive, c)
		}
	}
	if err := w.bestMultiplier(alive, mults); err != nil {
		return nil, err
	}
	var extras []*candidate
	for _, m := range mults {
		if m.out {
			continue
		}
		more, err := w.apply(m, alive, extras, s)
		if err != nil {
			return nil, err
		}
		extras = append(extras, more...)
	}
	for _, c := range alive {
		if c.exact == nil {
			continue
		}
		before := c.total
		if err := w.settle(c); err != nil {
			return nil, err
		}
		c.step(Note{StepRounded, Args{"rounding": word(string(c.r.Mode)), "gave": Units(c.r.Give.Unit, c.total), "before": Units(c.r.Give.Unit, before)}})
		if c.total <= 0 {
			c.fail(WhyZero, nil)
			continue
		}
		if err := w.limit(c, c.r.Give.Unit, s); err != nil {
			return nil, err
		}
	}
	var done []*candidate
	for _, c := range alive {
		if c.out || c.total <= 0 {
			if !c.out {
				w.drop(c, alive)
				c.fail(WhyZero, nil)
			}
			continue
		}
		c.trace.Fired, c.trace.Unit, c.trace.Amount = true, c.r.Give.Unit, c.total
		c.trace.Why = Note{WhyEarned, Args{"gave": Units(c.r.Give.Unit, c.total)}}
		if !c.r.DryRun {
			done = append(done, c)
		}
	}
	for _, e := range extras {
		if e.total > 0 {
			done = append(done, e)
		} else {
			w.drop(e, extras)
		}
	}
	return done, nil
}

// unuse gives back to a rule's limits what a multiplier takes away of it.
func (w *work) unuse(c *candidate, n int64) {
	for i := range c.used {
		if u := &c.used[i]; strings.HasSuffix(u.Name, "/amount") {
			u.Add -= n
			w.tally(u.Name, u.Period, -n)
		}
	}
}

// drop gives back all that a rule used of its limits, for it gives nothing after all; if what its rule gives elsewhere stays,
// it has fired there.
func (w *work) drop(c *candidate, all []*candidate) {
	at := slices.IndexFunc(all, func(o *candidate) bool { return o != c && o.r == c.r && !o.out && o.total > 0 })
	for _, u := range c.used {
		if at >= 0 && u.Add != 0 {
			all[at].used = append(all[at].used, u)
		} else {
			w.tally(u.Name, u.Period, -u.Add)
		}
	}
	c.used = nil
}

// multiplies says whether a multiplier works on what a rule gave.
func multiplies(m, c *candidate) bool {
	if c.out || c.r.DryRun != m.r.DryRun && c.r.DryRun {
		return false
	}
	if m.r.Rule.Unit != "" && m.r.Rule.Unit != c.r.Give.Unit {
		return false
	}
	if m.r.OfAll {
		return true
	}
	if m.r.Of != nil {
		return m.r.Of[c.r.ID]
	}
	// Fixed amounts are bonuses: they stay as they are unless a multiplier names them.
	return c.r.Give.Per != nil || c.r.Give.Each == "item" || c.r.Give.Formula != "" || c.r.Base != ""
}

// bestMultiplier keeps, of each group of multipliers, the one that adds most to what is earned now.
func (w *work) bestMultiplier(alive, mults []*candidate) error {
	for _, m := range mults {
		if m.out || m.r.Stack != "best" {
			continue
		}
		var from int64
		for _, c := range alive {
			if multiplies(m, c) {
				for i, v := range c.parts {
					if m.in[i] {
						from += v
					}
				}
			}
		}
		var err error
		if m.total, err = money.MulDiv(from, m.r.Num, m.r.Den, money.Down); err != nil {
			return err
		}
		m.total -= from
	}
	best(mults)
	for _, m := range mults {
		m.total = 0
	}
	return nil
}

// apply makes one multiplier work on what the rules (and the multipliers before it) gave on its lines. What it adds is its
// own, on the terms of the rules it came of; what a multiplier below one takes away is taken from the rules themselves.
// Where a rule is rounded at the end, the multiplier works on the exact amount, unless a limit may clip what it adds.
func (w *work) apply(m *candidate, alive, extras []*candidate, s *scene) ([]*candidate, error) {
	var adds []*candidate
	gave := map[string]int64{}
	touched := false
	for _, c := range append(slices.Clone(alive), extras...) {
		if !w.reaches(m, c) {
			continue
		}
		from := make([]int64, len(c.parts))
		var sum int64
		hit := false
		for i, v := range c.parts {
			if m.in[i] {
				from[i] = v
				sum += v
				hit = hit || len(c.exact) > i && c.exact[i].Sign() > 0
			}
		}
		if sum == 0 && !hit {
			continue
		}
		touched = true
		gave[c.unit] += 0
		to, err := money.MulDiv(sum, m.r.Num, m.r.Den, m.r.Mode)
		if err != nil {
			return nil, err
		}
		if c.exact != nil {
			was, parts, exact := c.total, c.parts, slices.Clone(c.exact)
			for i := range c.exact {
				if m.in[i] {
					c.exact[i] = new(big.Rat).Mul(c.exact[i], big.NewRat(m.r.Num, m.r.Den))
				}
			}
			if err := w.settle(c); err != nil {
				return nil, err
			}
			to = sum + c.total - was
			if m.r.DryRun || len(m.r.Limits) > 0 && to > sum {
				c.total, c.parts, c.exact = was, parts, exact
			} else {
				m.factor(c, sum, to)
				gave[c.unit] += to - sum
				continue
			}
		}
		m.factor(c, sum, to)
		if to < sum {
			gave[c.unit] += to - sum
			if m.r.DryRun {
				continue
			}
			parts, err := money.Split(sum-to, from)
			if err != nil {
				return nil, err
			}
			for i := range c.parts {
				c.parts[i] -= parts[i]
			}
			c.total -= sum - to
			w.unuse(c, sum-to)
			continue
		}
		if adds, err = w.addition(adds, m, c, to-sum, from); err != nil {
			return nil, err
		}
	}
	if !touched {
		m.fail(WhyNothing, nil)
		return nil, nil
	}
	return w.added(m, adds, gave, s)
}

// reaches says whether a multiplier works on a rule, or on what an earlier multiplier made of one.
func (w *work) reaches(m, c *candidate) bool {
	if c.root == nil {
		return multiplies(m, c)
	}
	return !c.r.DryRun && multiplies(m, c.root)
}

// factor notes what a multiplier makes of a candidate.
func (c *candidate) factor(of *candidate, from, to int64) {
	c.step(Note{StepFactor, Args{"rule": {Rule: of.r.ID}, "factor": Number(c.r.Multiply.String()), "from": Units(of.unit, from), "gave": Units(of.unit, to-from)}})
}

// addition adds what a multiplier makes more of a candidate to that of the same rule.
func (w *work) addition(adds []*candidate, m, c *candidate, n int64, from []int64) ([]*candidate, error) {
	root := c
	if c.root != nil {
		root = c.root
	}
	at := slices.IndexFunc(adds, func(a *candidate) bool { return a.root == root })
	if at < 0 {
		at = len(adds)
		adds = append(adds, &candidate{r: m.r, root: root, unit: c.unit, in: m.in, whole: m.whole, parts: make([]int64, len(c.parts))})
	}
	parts, err := money.Split(n, positive(from, m.in))
	if err != nil {
		return nil, err
	}
	e := adds[at]
	for i := range parts {
		e.parts[i] += parts[i]
	}
	e.total += n
	return adds, nil
}

// added limits what a multiplier adds and tells what came of it.
func (w *work) added(m *candidate, adds []*candidate, gave map[string]int64, s *scene) ([]*candidate, error) {
	m.trace.Fired = true
	steps := len(m.trace.Steps)
	var out []*candidate
	var limited *RuleTrace
	for _, e := range adds {
		if e.total == 0 {
			continue
		}
		t := *m.trace
		t.Steps = slices.Clone(t.Steps)
		e.trace = &t
		if err := w.limit(e, e.unit, s); err != nil {
			return nil, err
		}
		if e.out {
			limited = e.trace
			continue
		}
		m.trace.Steps = append(m.trace.Steps, e.trace.Steps[steps:]...)
		steps = len(m.trace.Steps)
		gave[e.unit] += e.total
		if !m.r.DryRun {
			out = append(out, e)
		}
	}
	for _, u := range slices.Sorted(maps.Keys(gave)) {
		if m.trace.Unit == "" || m.trace.Amount == 0 {
			m.trace.Unit, m.trace.Amount = u, gave[u]
		}
	}
	if limited != nil && m.trace.Amount == 0 {
		m.out, m.trace.Fired, m.trace.Why = true, false, limited.Why
		return nil, nil
	}
	m.trace.Why = Note{WhyMultiplied, Args{"factor": Number(m.r.Multiply.String()), "gave": Units(m.trace.Unit, m.trace.Amount)}}
	return out, nil
}

// limit clips a rule's amount to what its limits leave, or drops it.
func (w *work) limit(c *candidate, unit string, s *scene) error {
	for _, l := range c.r.Limits {
		var period, name string
		var times, amount int64
		if l.Per != "purchase" {
			period = program.PeriodKey(l.Per, s.at, s.zone(l.Zone))
			name = limitName(l)
			times, amount = w.acc.Tallies[name+"/times"][period], w.acc.Tallies[name+"/amount"][period]
		}
		if l.Times >= 0 && times >= l.Times && !w.fired[name+period] {
			w.limited(c, l, true)
			return nil
		}
		if l.Amount >= 0 && amount+c.total > l.Amount {
			left := max(l.Amount-amount, 0)
			if left == 0 {
				w.limited(c, l, false)
				return nil
			}
			if l.Over == "refuse" {
				c.fail(WhyLimitRefuse, Args{"per": word(l.Per), "left": Units(unit, left), "wanted": Units(unit, c.total)})
				return nil
			}
			parts, err := money.Split(left, positive(c.parts, all(c.parts)))
			if err != nil {
				return err
			}
			c.parts, c.total = parts, left
			c.step(Note{StepClip, Args{"per": word(l.Per), "left": Units(unit, left), "gave": Units(unit, left)}})
		}
	}
	for _, l := range c.r.Limits {
		if l.Per == "purchase" || c.r.DryRun {
			continue
		}
		period := program.PeriodKey(l.Per, s.at, s.zone(l.Zone))
		if key := limitName(l) + period; l.Times >= 0 && !w.fired[key] { // a multiplier adds to several rules and fires once
			c.used = append(c.used, Counter{limitName(l) + "/times", period, 1})
			if w.fired == nil {
				w.fired = map[string]bool{}
			}
			w.fired[key] = true
		}
		if l.Amount >= 0 {
			c.used = append(c.used, Counter{limitName(l) + "/amount", period, c.total})
		}
	}
	for _, u := range c.used {
		w.tally(u.Name, u.Period, u.Add)
	}
	return nil
}

func (w *work) limited(c *candidate, l program.CompiledLimit, times bool) {
	args := Args{"per": word(l.Per)}
	if times {
		args["times"] = Number(strconv.FormatInt(l.Times, 10))
	} else {
		args["amount"] = Units(c.unit, l.Amount)
	}
	c.fail(WhyLimit, args)
	c.trace.Fired = false
	if l.Each == "program" {
		w.event(EvLimit, map[string]string{"rule": c.r.ID})
	}
}

func all(parts []int64) []bool {
	in := make([]bool, len(parts))
	for i := range in {
		in[i] = true
	}
	return in
}

// limitName names the counters of a limit.
func limitName(l program.CompiledLimit) string {
	if l.Each == "program" {
		return ProgramTally + l.Key
	}
	return l.Key
}

// issue puts what the rules gave into lots and writes the awards.
func (w *work) issue(done []*candidate, sourceFact string) {
	var given []givenLot
	for _, c := range done {
		terms := c.r.Rule
		if c.root != nil {
			terms = c.root.r.Rule
		}
		t := w.termsOf(terms, c.unit, sourceFact)
		lot := w.put(t, c.total, ledger.Issued, c.r.ID)
		if lot == nil {
			continue
		}
		for i := range c.used { // a multiplier below one may have lowered what the limit counted
			if u := &c.used[i]; strings.HasSuffix(u.Name, "/amount") && u.Add != c.total {
				w.tally(u.Name, u.Period, c.total-u.Add)
				u.Add = c.total
			}
		}
		a := Award{Rule: c.r.ID, Unit: c.unit, Lot: lot.ID, Amount: c.total, Counters: c.used}
		if w.f.Kind == PurchaseK && c.r.On == "purchase" { // what comes of the purchase as a whole has no part in its lines
			a.Lines = c.parts
		}
		w.d.Awards = append(w.d.Awards, a)
		if w.f.Kind == Due {
			w.begins(c.unit, c.total)
		} else {
			w.touch(c.unit)
		}
		i := slices.IndexFunc(given, func(g givenLot) bool { return g.Lot == lot })
		if i < 0 {
			i = len(given)
			given = append(given, givenLot{Lot: lot})
		}
		given[i].n += c.total
	}
	w.tellLots(given)
}

// givenLot is a lot with what rules put into it.
type givenLot struct {
	*ledger.Lot

	n int64
}

// termsOf says when what a rule gives ends and from when it can be spent.
func (w *work) termsOf(r *program.Rule, unit, fact string) terms {
	t := terms{unit: unit, earnedAt: w.at, fact: fact}
	e := w.p.Units[unit].Expires
	if r != nil && r.Expires != nil {
		e = r.Expires
	}
	from := w.at
	if r != nil && r.Pending != nil {
		if r.Pending.For != nil {
			at := r.Pending.For.After(w.at, w.p.Zone)
			t.release, from = &at, at
		} else {
			t.confirm = r.Pending.Until
		}
	}
	if t.confirm != "" && (r == nil || r.Expires == nil) {
		return t // it lives from when it is confirmed: see release
	}
	t.expires, t.warn = expiry(e, from, w.p.Zone)
	return t
}

// tellLots notes what was earned, unit by unit and end by end, and pays debts with it.
func (w *work) tellLots(given []givenLot) {
	sums := map[string]int64{}
	for _, l := range given {
		sums[l.Unit] += l.n
		switch {
		case l.Confirm != "":
			w.note(NoteConfirm, Args{"gave": Units(l.Unit, l.n), "text": text(l.Confirm)})
		case l.ReleaseAt != nil:
			w.note(NotePending, Args{"gave": Units(l.Unit, l.n), "time": Time(*l.ReleaseAt)})
		}
		if l.ExpiresAt != nil {
			w.note(NoteLot, Args{"gave": Units(l.Unit, l.n), "time": Time(*l.ExpiresAt)})
		} else {
			w.note(NoteLotForever, Args{"gave": Units(l.Unit, l.n)})
		}
	}
	for _, u := range slices.Sorted(maps.Keys(sums)) {
		w.unitEvent(EvEarned, u, sums[u], "fact", w.f.ID)
	}
	for _, l := range given {
		w.payDebt(l.Lot)
	}
}
