package engine

import (
	"cmp"
	"math/big"
	"slices"
	"time"

	"lojal.dev/lojal/internal/ledger"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
)

// Settlement is what a rule gave for what was bought in a period, when it was over, or for a tier that was reached. Goods that come back
// and purchases that come late change what was bought; what should have been given is worked out again by the version that settled it.
type Settlement struct {
	Rule string `json:"rule"`
	// Unit is the unit of Paid.
	Unit string `json:"unit"`
	// Period is the period's name, At the moment after its end. A tier has no period: At is when it was reached.
	Period string    `json:"period,omitempty"`
	At     time.Time `json:"at"`
	// Day is when what a tier gave counts as earned, where that is not At: of a purchase that came late.
	Day time.Time `json:"day,omitzero"`
	// Member is whose purchases it was for, where that member was merged into this one.
	Member string `json:"member,omitempty"`
	// Version is the version of the program that settled it.
	Version int64 `json:"version,omitempty"`
	// Bought is the money that counts, Paid what was given for it, both in minor units.
	Bought int64 `json:"bought,omitempty"`
	Paid   int64 `json:"paid,omitempty"`
	// Lots are where it was put, Fact is the fact that settled it.
	Lots []int64 `json:"lots,omitempty"`
	Fact string  `json:"fact,omitempty"`
	// Out says that the rule's condition did not hold, or that the member was blocked: then nothing is given for it later either.
	Out bool `json:"out,omitempty"`
}

// settledKept is how long settlements can still be corrected.
var settledKept = program.Period{N: 36, Unit: "month"}

// shares picks the steps of a percent that count for a base at a moment, with the part of the base that each counts for.
func (w *work) shares(r *program.CompiledRule, base int64, at time.Time) (steps []program.CompiledShare, parts []int64) {
	for i, s := range r.Shares {
		switch {
		case s.After != nil && at.Before(s.After.After(w.st.JoinedAt, w.p.Zone)), base < s.From:
			return steps, parts
		case !r.EachPart:
			steps, parts = []program.CompiledShare{s}, []int64{base}
		default:
			part := base - s.From
			if i+1 < len(r.Shares) {
				part = min(base, r.Shares[i+1].From) - s.From
			}
			if part > 0 {
				steps, parts = append(steps, s), append(parts, part)
			}
		}
	}
	return steps, parts
}

// partOf is what a rule gives of a base, rounded once.
func (w *work) partOf(r *program.CompiledRule, base int64, at time.Time, tell func(Note)) (int64, error) {
	worth := func(n int64) Value {
		if r.Base == "balance" {
			return Units(r.BaseUnit, n)
		}
		return Money(n)
	}
	steps, parts := w.shares(r, base, at)
	sum := new(big.Rat)
	for i, s := range steps {
		sum.Add(sum, new(big.Rat).Mul(big.NewRat(parts[i], 1), big.NewRat(s.Num, s.Den)))
	}
	n, err := rounded(sum, r.Mode)
	if err != nil {
		return 0, err
	}
	gave := Args{"basis": worth(base), "gave": Units(r.Give.Unit, n)}
	if !sum.IsInt() {
		gave["rounding"] = word(string(r.Mode))
	}
	if len(steps) > 1 {
		for i, s := range steps {
			tell(Note{StepPart, Args{"basis": worth(parts[i]), "percent": Number(s.Percent.String())}})
		}
	} else if len(steps) == 1 {
		gave["percent"] = Number(steps[0].Percent.String())
	}
	tell(Note{StepPercent, gave})
	return n, nil
}

// rounded makes a whole number of a fraction that is not negative.
func rounded(v *big.Rat, mode money.Mode) (int64, error) {
	q, rem := new(big.Int).QuoRem(v.Num(), v.Denom(), new(big.Int))
	half := new(big.Int).Lsh(rem, 1).Cmp(v.Denom())
	if rem.Sign() > 0 && (mode == money.Up || mode == money.HalfUp && half >= 0 || mode == money.HalfEven && (half > 0 || half == 0 && q.Bit(0) == 1)) {
		q.Add(q, big.NewInt(1))
	}
	if !q.IsInt64() {
		return 0, money.ErrOverflow
	}
	return q.Int64(), nil
}

// percentOf computes what a rule on a moment gives of a balance, or of what was bought in the period that ended.
func (w *work) percentOf(c *candidate, s *scene) (err error) {
	r := c.r
	var base int64
	if r.Bought != nil {
		period := program.PeriodKey(r.Bought.Calendar, s.at.Add(-1), w.p.Zone)
		base = max(w.acc.Tallies[tallyName(r.Bought)][period], 0)
		c.step(Note{StepBought, Args{"money": Money(base), "from": Time(program.StartOf(r.Bought.Calendar, s.at.Add(-1), w.p.Zone)), "until": Time(s.at)}})
	} else {
		base = w.spendableFor(r)
	}
	c.total, err = w.partOf(r, base, s.at, c.step)
	return err
}

// perShare finds the percent of a purchase's money as a fraction; ok is false where no step is reached yet.
func (w *work) perShare(c *candidate, s *scene) (ok bool) {
	steps, _ := w.shares(c.r, 0, s.at)
	if len(steps) == 0 {
		return false
	}
	c.num, c.den, c.percent = steps[0].Num, steps[0].Den, steps[0].Percent.String()
	return true
}

// percentArgs tells what a percent of a purchase came to; that something was rounded only where it was.
func (c *candidate) percentArgs(sum int64) Args {
	args := Args{"basis": Money(sum), "percent": Number(c.percent), "gave": Units(c.unit, c.total)}
	if !new(big.Rat).Mul(big.NewRat(sum, 1), big.NewRat(c.num, c.den)).IsInt() {
		args["rounding"] = word(string(c.r.Mode))
	}
	return args
}

// settlePeriods notes what the rules of a moment gave for the period that ended, for what comes back or late.
func (w *work) settlePeriods(m *program.CompiledMoment, done []*candidate, traces []RuleTrace) {
	if !m.Spends {
		return
	}
	w.forget()
	for _, r := range w.p.Rebates {
		if r.On != m.On {
			continue
		}
		period := program.PeriodKey(r.Bought.Calendar, w.at.Add(-1), w.p.Zone)
		s := Settlement{Rule: r.ID, Unit: r.Give.Unit, Period: period, At: w.at, Version: w.p.Version, Fact: w.f.ID, Bought: w.acc.Tallies[tallyName(r.Bought)][period]}
		if s.Bought == 0 {
			continue // a purchase that comes late settles it
		}
		for _, t := range traces {
			if t.Rule == r.ID {
				s.Out = r.DryRun || !t.Fired && t.Why.Code != WhyZero && t.Why.Code != WhyLimit
			}
		}
		for _, c := range done {
			if c.r == r {
				s.Paid = c.total
			}
		}
		w.st.Settled = append(w.st.Settled, s)
	}
}

// paidInto notes into which lot what was settled just now went.
func (w *work) paidInto(rule string, lot int64) {
	for i := range w.st.Settled {
		if s := &w.st.Settled[i]; s.Rule == rule && s.At.Equal(w.at) && s.Member == "" {
			s.Lots = append(s.Lots, lot)
		}
	}
}

// forget drops what was settled too long ago to be corrected.
func (w *work) forget() {
	cut := settledKept.Before(w.now, w.p.Zone)
	w.st.Settled = slices.DeleteFunc(w.st.Settled, func(s Settlement) bool { return s.At.Before(cut) })
}

// version is the version of the program with a number: this one, where it is not known.
func (w *work) version(n int64) *program.Compiled {
	if n != w.p.Version && w.in.Versions != nil {
		if p := w.in.Versions.Version(n); p != nil {
			return p
		}
	}
	return w.p
}

// resettle corrects what was given for periods that are over, after something was bought in one of them or came back: at is the business time
// of the purchase, member whose it was, change what it counts for a metric.
func (w *work) resettle(at time.Time, member string, change func(*program.CompiledTierSet) (int64, error)) error {
	if len(w.st.Settled) == 0 && len(w.p.Rebates) == 0 {
		return nil
	}
	if member == w.f.Member {
		member = ""
	}
	w.forget()
	for i := range w.st.Settled {
		s := &w.st.Settled[i]
		p := w.version(s.Version)
		r := p.ByID[s.Rule]
		if s.Period == "" || !w.settles(s, member) || r == nil || r.Bought == nil || program.PeriodKey(r.Bought.Calendar, at, p.Zone) != s.Period {
			continue
		}
		n, err := change(r.Bought)
		if err != nil {
			return err
		}
		if n == 0 {
			continue
		}
		was := s.Bought
		s.Bought += n
		if !s.Out {
			if err := w.correct(s, r, was, at); err != nil {
				return err
			}
		}
	}
	if w.f.Kind != PurchaseK || w.st.Status != Active {
		return nil
	}
	return w.settleLate(at, change)
}

// settles says whether a settlement is the one for what a member bought in its period: that member's own or, where the period ended after
// the member was merged into another, that of the one it was merged into, and so on down to this one's.
func (w *work) settles(s *Settlement, member string) bool {
	for member != "" && !slices.ContainsFunc(w.st.Settled, func(o Settlement) bool { return o.Member == member && o.Rule == s.Rule && o.Period == s.Period }) {
		i := slices.IndexFunc(w.st.Joined, func(j JoinedMember) bool { return j.Member == member })
		if i < 0 {
			member = ""
			break
		}
		member = w.st.Joined[i].Into
	}
	return s.Member == member
}

// correct gives or takes back the difference that a change of what was bought makes.
func (w *work) correct(s *Settlement, r *program.CompiledRule, was int64, at time.Time) error {
	quiet := func(Note) {}
	before, err := w.partOf(r, max(was, 0), s.At, quiet)
	if err != nil {
		return err
	}
	after, err := w.partOf(r, max(s.Bought, 0), s.At, quiet)
	if err != nil {
		return err
	}
	args := Args{"rule": {Rule: r.ID}, "from": Time(program.StartOf(r.Bought.Calendar, s.At.Add(-1), w.p.Zone)), "until": Time(s.At), "money": Money(s.Bought)}
	if after > before {
		if w.st.Status != Active {
			return nil
		}
		given, lot, err := w.giveLate(s.At, r, after-before, s.Paid == 0, args)
		if s.Paid += given; lot != 0 && !slices.Contains(s.Lots, lot) {
			s.Lots = append(slices.Clone(s.Lots), lot)
		}
		return err
	}
	n := s.Paid - after
	if n <= 0 || after == before || w.p.Doc.Returns.Earned == "keep" {
		return nil
	}
	w.note(NoteCorrected, args)
	if err := w.undo(s, r, n, at); err != nil {
		return err
	}
	s.Paid = after
	return nil
}

// undo takes back a part of what a settlement gave, as goods come back that it was given for; at is the business time of their purchase.
func (w *work) undo(s *Settlement, r *program.CompiledRule, n int64, at time.Time) error {
	policy := w.p.Doc.Returns.IfSpent
	if w.st.Status == Closed { // who has left owes nothing
		policy = "clamp"
	}
	var lots []*ledger.Lot
	for _, id := range s.Lots {
		if l := w.lots[id]; l != nil {
			lots = append(lots, l)
		}
	}
	rev, err := w.reverse(lots, s.Unit, r.ID, n, s.Fact, policy)
	if err != nil {
		return err
	}
	rev.Award = NoAward
	if s.Period == "" { // it was earned with other goods, perhaps
		at = cmp.Or(s.Day, s.At).UTC()
		rev.At = at
	}
	w.d.Reversals = append(w.d.Reversals, rev)
	w.countUnit(rev.Unit, -n, at)
	for _, l := range r.Limits {
		if l.Per == "purchase" {
			continue
		}
		period := program.PeriodKey(l.Per, s.At, newScene(w.p, w.st, s.At).zone(l.Zone))
		if l.Amount >= 0 {
			w.tally(limitName(l)+"/amount", period, -n)
		}
		if l.Times >= 0 && s.Period == "" && r.Give != nil {
			w.tally(limitName(l)+"/times", period, -1)
		}
	}
	return nil
}

// NoAward is the place of a reversal that takes back what was settled, and not an award of the purchase.
const NoAward = -1

// settleLate settles periods that were over when nothing had been bought in them yet, by the version of the purchase.
func (w *work) settleLate(at time.Time, change func(*program.CompiledTierSet) (int64, error)) error {
	for _, r := range w.p.Rebates {
		end := program.EndOf(r.Bought.Calendar, at, w.p.Zone)
		period := program.PeriodKey(r.Bought.Calendar, at, w.p.Zone)
		known := slices.ContainsFunc(w.st.Settled, func(s Settlement) bool { return s.Rule == r.ID && s.Period == period && s.Member == "" })
		if end.After(w.in.Account.State.At) || known {
			continue
		}
		n, err := change(r.Bought)
		if err != nil {
			return err
		}
		bought := w.acc.Tallies[tallyName(r.Bought)][period]
		for _, o := range w.st.Settled { // what merged members bought was counted here as they came, and is settled for them
			if o.Rule == r.ID && o.Period == period {
				bought -= o.Bought
			}
		}
		if n == 0 || bought != n {
			continue // nothing counts, or the rule was not there when the period ended
		}
		s := Settlement{Rule: r.ID, Unit: r.Give.Unit, Period: period, At: end, Version: w.p.Version, Fact: w.f.ID, Bought: n}
		var t RuleTrace
		c := w.candidate(r, &t)
		sc := newScene(w.p, w.st, end)
		sc.tier = w.tiersAt(end, false)
		if err := w.admit(c, sc, 0); err != nil {
			return err
		}
		s.Out = c.out || r.DryRun
		if !s.Out {
			total, err := w.partOf(r, n, end, func(Note) {})
			if err != nil {
				return err
			}
			args := Args{"rule": {Rule: r.ID}, "from": Time(program.StartOf(r.Bought.Calendar, at, w.p.Zone)), "until": Time(end), "money": Money(n)}
			var lot int64
			if s.Paid, lot, err = w.giveLate(end, r, total, true, args); err != nil {
				return err
			}
			if lot != 0 {
				s.Lots = []int64{lot}
			}
		}
		w.st.Settled = append(w.st.Settled, s)
	}
	return nil
}

// giveLate gives what a rule should have given at a moment that is over, within its limits of then; first says that it gives something
// for the first time then.
func (w *work) giveLate(at time.Time, r *program.CompiledRule, n int64, first bool, args Args) (given, lot int64, err error) {
	if n <= 0 {
		return 0, 0, nil
	}
	late := *r
	late.Limits = nil
	if now := w.p.ByID[r.ID]; now != nil && now.Bought != nil && now.Bought.Calendar == r.Bought.Calendar {
		late.Limits = slices.Clone(now.Limits) // the counters that were asked for are those of this version
	}
	for i := range late.Limits {
		if !first {
			late.Limits[i].Times = -1
		}
	}
	r = &late
	var t RuleTrace
	c := w.candidate(r, &t)
	c.total, c.parts = n, []int64{n}
	if err := w.limit(c, c.unit, newScene(w.p, w.st, at)); err != nil || c.out {
		return 0, 0, err
	}
	w.note(NoteCorrected, args)
	business := w.at
	w.at = at
	awards := len(w.d.Awards)
	w.award([]*candidate{c})
	w.at = business
	if len(w.d.Awards) > awards {
		lot = w.d.Awards[awards].Lot
	}
	return c.total, lot, nil
}
