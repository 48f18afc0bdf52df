package engine

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"lojal.dev/lojal/internal/ledger"
	"lojal.dev/lojal/internal/program"
)

// Moments are what rules may run on besides what a member does: a birthday, the anniversary of joining, a day of the year, the beginning
// of a period; and the reaching of a tier. The account's own clock says which moments are behind it, so that each is decided once,
// however late the sweep is and whatever came late. What a member could move a moment for, the birth date and the day of joining,
// gives something once a year at most.

// momentAfter gives the first moment of a trigger after a time that may give this member something; nil when there is none.
func momentAfter(p *program.Compiled, m *program.CompiledMoment, st *State, after time.Time) *time.Time {
	if m.From != nil && after.Before(*m.From) {
		after = m.From.Add(-1)
	}
	var at time.Time
	switch m.Kind {
	case program.Birthday:
		month, day, ok := monthAndDay(st.Birthday)
		if !ok {
			return nil
		}
		at = program.Yearly(month, day, notBefore(after, st.Moments[m.Kind], p.Zone), p.Zone)
	case program.Anniversary:
		joined := st.JoinedAt.In(p.Zone)
		if end := program.EndOf("day", joined, p.Zone); after.Before(end) {
			after = end.Add(-1)
		}
		at = program.Yearly(int(joined.Month()), joined.Day(), notBefore(after, st.Moments[m.Kind], p.Zone), p.Zone)
	default:
		at = m.After(after, p.Zone)
	}
	if m.Until != nil && at.After(*m.Until) {
		return nil
	}
	return &at
}

// notBefore moves a time on to a year after the last moment that gave something, where that is later.
func notBefore(after, last time.Time, zone *time.Location) time.Time {
	if last.IsZero() {
		return after
	}
	if year := (program.Period{N: 1, Unit: "year"}).After(last, zone).Add(-1); year.After(after) {
		return year
	}
	return after
}

// monthAndDay reads MM-DD.
func monthAndDay(s string) (month, day int, ok bool) {
	if len(s) != 5 || s[2] != '-' {
		return 0, 0, false
	}
	month, errM := strconv.Atoi(s[:2])
	day, errD := strconv.Atoi(s[3:])
	return month, day, errM == nil && errD == nil && month >= 1 && month <= 12 && day >= 1 && day <= 31
}

// Birthday is the day of the year of a birth date: MM-DD of YYYY-MM-DD or MM-DD. Rules know no more of it.
func Birthday(birth string) string { return birth[max(len(birth)-5, 0):] }

// nextMoment is the next moment of a trigger that needs planning: where the member has nothing of which a part would be given, only what is
// recorded before can change that, and plans anew.
func (w *work) nextMoment(m *program.CompiledMoment) *time.Time {
	at := momentAfter(w.p, m, w.st, w.st.At)
	if at == nil || m.Always {
		return at
	}
	for _, unit := range m.Balances {
		if something(w.st.Units[unit]) {
			return at
		}
	}
	if m.Spends && w.st.LastPurchaseAt != nil && !w.st.LastPurchaseAt.Before(program.StartOf(m.Every, at.Add(-1), w.p.Zone)) {
		return at
	}
	return nil
}

// missed begins the key under which State.Moments says until when the moments of a unit's balance are over.
const missed = "balance:"

// missMoments notes that moments went by while the member had nothing of which they would give a part: what is told late to have been there
// gets nothing of them, as it gets nothing where they found something else, since the account's own clock is behind those.
func (w *work) missMoments() {
	if w.f.Kind == Due || !w.f.RecordedAt.After(w.at) {
		return
	}
	for _, m := range w.p.Moments {
		for _, unit := range m.Balances {
			if was, is := w.in.Account.State.Units[unit], w.st.Units[unit]; something(was) || !something(is) {
				continue
			}
			if at := momentAfter(w.p, m, w.st, w.at); at != nil && !at.After(w.f.RecordedAt) {
				w.came(missed+unit, w.f.RecordedAt)
			}
		}
	}
}

// something says whether there is anything of a unit, whatever may be done with it.
func something(h *ledger.Holding) bool { return h != nil && h.Spendable+h.Pending+h.Reserved > 0 }

// comes lists the triggers whose moment is at.
func comes(p *program.Compiled, st *State, at time.Time) []*program.CompiledMoment {
	if len(p.Moments) == 0 || !at.After(st.At) || st.Status == Closed || !st.earns() {
		return nil // it is behind the account
	}
	var out []*program.CompiledMoment
	for _, m := range p.Moments {
		if next := momentAfter(p, m, st, at.Add(-1)); next != nil && next.Equal(at) {
			out = append(out, m)
		}
	}
	return out
}

// moments runs the rules of the moments that have come, after all else that time brings then.
func (w *work) moments() error {
	came := comes(w.p, &w.in.Account.State, w.at)
	if len(came) == 0 {
		return nil
	}
	s := w.scene()
	s.tier = w.tiersAt(w.at, true)
	var all []*candidate
	for _, m := range came {
		var done []*candidate
		before := len(w.d.Explanation.Rules)
		if w.st.Status == Blocked {
			w.none(m.On, WhyBlocked)
		} else {
			var err error
			if done, err = w.earn(m.On, s, 0); err != nil {
				return err
			}
		}
		if len(done) > 0 && (m.Kind == program.Birthday || m.Kind == program.Anniversary) {
			w.came(m.Kind, w.at)
		}
		w.settlePeriods(m, done, w.d.Explanation.Rules[before:])
		all = append(all, done...)
	}
	w.earned(all)
	for _, a := range w.d.Awards {
		w.paidInto(a.Rule, a.Lot)
	}
	return nil
}

// came notes the last time that a moment of the member's own gave something.
func (w *work) came(kind string, at time.Time) {
	if w.st.Moments == nil {
		w.st.Moments = map[string]time.Time{}
	}
	if at.After(w.st.Moments[kind]) {
		w.st.Moments[kind] = at
	}
}

// noteReached notes the steps that a member comes to or past, for the rules on them. What a step gave within a year it does not give
// again: else a fall by goods that came back and a rise by buying them again would pay each time.
func (w *work) noteReached(id string, t *program.CompiledTierSet, cur, to int) {
	if len(w.p.TierRules) == 0 {
		return
	}
	for place := cur + 1; place <= to; place++ {
		on := program.TierReached + ":" + id + "/" + t.Steps[place].ID
		if len(w.p.Rules[on])+len(w.p.Multipliers[on]) > 0 && notBefore(w.now, w.st.Moments[on], w.p.Zone).Equal(w.now) {
			w.reached = append(w.reached, on)
		}
	}
}

// tierRules runs the rules on the tiers that were reached, and looks at the tiers again: what they give may lift further.
func (w *work) tierRules() error {
	if len(w.reached) == 0 {
		return nil
	}
	var done []*candidate
	s := w.scene()
	s.at = w.now
	for _, on := range w.reached {
		if w.st.Status != Active {
			w.none(on, WhyBlocked)
			continue
		}
		gave, err := w.earn(on, s, 0)
		if err != nil {
			return err
		}
		if len(gave) > 0 {
			w.came(on, w.now)
			done = append(done, gave...)
		}
	}
	w.reached = nil
	if len(done) == 0 {
		return nil
	}
	w.forget()
	before := len(w.d.Awards)
	w.award(done)
	for _, a := range w.d.Awards[before:] {
		s := Settlement{Rule: a.Rule, Unit: a.Unit, At: w.now, Version: w.p.Version, Paid: a.Amount, Lots: []int64{a.Lot}, Fact: w.f.ID}
		if !w.f.OccurredAt.Equal(w.now) {
			s.Day = w.f.OccurredAt
		}
		w.st.Settled = append(w.st.Settled, s)
	}
	w.settleTiers(false)
	return nil
}

// takeGifts takes back what tiers gave that would not have been reached without the goods that came back, and are not held now. The
// step then gives again when it is reached again.
func (w *work) takeGifts(at time.Time) error {
	if w.p.Doc.Returns.Earned == "keep" {
		return nil
	}
	for i := 0; i < len(w.st.Settled); i++ {
		s := w.st.Settled[i]
		r := w.version(s.Version).ByID[s.Rule]
		if s.Period != "" || r == nil {
			continue
		}
		m, _ := program.ParseMoment(r.On)
		t := w.p.Tiers[m.Set]
		if t == nil || t.Metric == "tenure" || t.Place(m.Step) < 0 {
			continue
		}
		then, _ := w.value(t, s.At, 0)
		now, _ := w.value(t, w.now, 0)
		if max(w.place(t, then, s.At), w.place(t, now, w.now), floor(t, w.tierState(m.Set), w.now)) >= t.Place(m.Step) {
			continue
		}
		if err := w.undo(&s, r, s.Paid, at); err != nil {
			return err
		}
		delete(w.st.Moments, r.On)
		w.st.Settled = slices.Delete(w.st.Settled, i, i+1)
		i--
	}
	return nil
}

// momentTallies are the counters that the rules of moments at a time, and those on tiers that may be reached then, ask for.
func momentTallies(p *program.Compiled, st *State, f *Fact) []TallyRange {
	var out []TallyRange
	if len(p.TierRules) > 0 && f.Enrolment != nil { // the limits go by the zone that the fact brings
		at := *st
		at.Zone = f.Enrolment.Zone
		st = &at
	}
	for _, r := range p.TierRules {
		out = append(out, limitTallies(p, st, r.Limits, f.OccurredAt)...)
	}
	switch f.Kind {
	case Due:
		for _, m := range comes(p, st, f.OccurredAt) {
			for _, list := range [][]*program.CompiledRule{p.Rules[m.On], p.Multipliers[m.On]} {
				for _, r := range list {
					out = append(out, limitTallies(p, st, r.Limits, f.OccurredAt)...)
				}
			}
		}
	case PurchaseK:
		for _, r := range p.Rebates {
			if end := program.EndOf(r.Bought.Calendar, f.OccurredAt, p.Zone); !end.After(st.At) {
				out = append(out, limitTallies(p, st, r.Limits, end)...)
			}
		}
	case ReturnK: // what costs less than nothing may come back, a deposit say: then more was bought than was settled
		out = append(out, settledTallies(p, st)...)
	}
	return out
}

// settledTallies are the counters that limit what periods that are over may still give.
func settledTallies(p *program.Compiled, st *State) []TallyRange {
	var out []TallyRange
	for i := range st.Settled {
		s := &st.Settled[i]
		r := p.ByID[s.Rule]
		if s.Period == "" || r == nil || r.Bought == nil {
			continue
		}
		for _, t := range limitTallies(p, st, r.Limits, s.At) {
			k := slices.IndexFunc(out, func(o TallyRange) bool { return o.Name == t.Name })
			if k < 0 {
				out = append(out, t)
				continue
			}
			out[k].From, out[k].To = min(out[k].From, t.From), max(out[k].To, t.To)
		}
	}
	return out
}

// BudgetsUntil are the counters of the whole program that what time brings to an account until a moment may ask for, so that they can be
// taken before anything is decided.
func BudgetsUntil(programs Programs, st *State, until time.Time) []TallyRange {
	var out []TallyRange
	add := func(p *program.Compiled, limits []program.CompiledLimit, at time.Time) {
		for _, r := range limitTallies(p, st, limits, at) {
			if IsProgramTally(r.Name) && !slices.Contains(out, r) {
				out = append(out, r)
			}
		}
	}
	at, ok := Moment(st, until)
	for n := 0; ok && st.earns() && n < mostBudgets; n++ {
		p := programs.At(at)
		if p == nil || len(p.Moments)+len(p.TierRules) == 0 {
			return out
		}
		for _, r := range p.TierRules {
			add(p, r.Limits, at)
		}
		var next *time.Time
		for _, m := range p.Moments {
			if t := momentAfter(p, m, st, at.Add(-1)); t != nil && t.Equal(at) {
				for _, r := range slices.Concat(p.Rules[m.On], p.Multipliers[m.On]) {
					add(p, r.Limits, at)
				}
			}
			next = earliest(next, momentAfter(p, m, st, at))
		}
		if ok = next != nil && !next.After(until); ok {
			at = *next
		}
	}
	return out
}

// mostBudgets bounds the moments that BudgetsUntil looks at: an account that stood still for longer waits for its counters one by one.
const mostBudgets = 400

// inherit takes over what a merged member had of moments: whose birthday it is, when it last gave something, what was
// settled, and who was merged into it.
func (w *work) inherit(c *Carried) {
	if w.st.Birthday == "" {
		w.st.Birthday = c.Birthday
	}
	for _, kind := range slices.Sorted(maps.Keys(c.Moments)) {
		w.came(kind, c.Moments[kind])
	}
	for _, s := range c.Settled {
		if s.Member == "" {
			s.Member = w.f.Merge.Other
		}
		s.Lots = w.lotsHere(s, c.Lots)
		w.st.Settled = append(w.st.Settled, s)
	}
	w.st.LetGo = append(w.st.LetGo, c.LetGo...)
	slices.SortStableFunc(w.st.LetGo, func(a, b LetGo) int { return a.At.Compare(b.At) })
	for _, j := range c.Joined {
		if j.Into == "" {
			j.Into = w.f.Merge.Other
		}
		w.st.Joined = append(w.st.Joined, j)
	}
	w.st.Joined = append(w.st.Joined, JoinedMember{Member: w.f.Merge.Other})
}

// lotsHere are the lots of this member that what was settled for a merged one came over in.
func (w *work) lotsHere(s Settlement, moved []MovedLot) []int64 {
	var out []int64
	for _, l := range w.fresh {
		came := func(m MovedLot) bool { return m.Fact == l.Fact && m.Unit == l.Unit && m.EarnedAt.Equal(s.At) }
		if l.Unit == s.Unit && l.EarnedAt.Equal(s.At) && slices.ContainsFunc(moved, came) {
			out = append(out, l.ID)
		}
	}
	return out
}

// spendableFor is what a percent of a balance counts at a moment: what could be spent then, but nothing that ends that day, that came
// at the same moment, that was not kept long enough, or that was told when the moment was over.
func (w *work) spendableFor(r *program.CompiledRule) int64 {
	if !w.at.After(w.st.Moments[missed+r.BaseUnit]) {
		return 0
	}
	day := program.EndOf("day", w.at, w.p.Zone)
	before := w.at
	if r.Give.Kept != nil {
		before = r.Give.Kept.Before(w.at, w.p.Zone).Add(1)
	}
	var n int64
	for _, l := range w.acc.Lots {
		if l.Unit == r.BaseUnit && l.Spendable > 0 && l.EarnedAt.Before(before) && (l.ExpiresAt == nil || l.ExpiresAt.After(day)) {
			n += l.Spendable
		}
	}
	if h := w.st.Units[r.BaseUnit]; h != nil {
		n -= h.Debt
	}
	return max(n, 0)
}

// begins marks a unit as used by what time brings only where there was nothing of it: else growth would keep a balance alive that the
// program ends by inactivity, and a gift would end with the spell before it.
func (w *work) begins(unit string, given int64) {
	h := w.holding(unit)
	if h.ActiveAt == nil || h.Spendable+h.Pending <= given {
		w.touch(unit)
	}
}
