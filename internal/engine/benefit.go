package engine

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
)

// Benefits are worked out from the program and the account whenever somebody asks. Just one thing of them is kept: which
// warning of a fading one was given when, since no step may come before it.

// UseBody says that a member used a benefit, or that a use of it (Fact.Parent) is taken back.
type UseBody struct {
	Benefit string `json:"benefit,omitempty"`
	// Undo takes the use back; Reason is why.
	Undo    bool   `json:"undo,omitempty"`
	Reason  string `json:"reason,omitempty"`
	Store   string `json:"store,omitempty"`
	Channel string `json:"channel,omitempty"`
	PartOfPurchase
}

// FadeState is how far a fading benefit has fallen for a member. There is none before the first purchase or warning.
type FadeState struct {
	// Since is the purchase (or the joining) from which is counted.
	Since time.Time `json:"since,omitzero"`
	// Step is the time, as a period, of the step that is over; empty while none is.
	Step string `json:"step,omitempty"`
	// ToldOf is the time of the step that the member was warned of, and ToldAt when: not when the warning was due, but when
	// it was given.
	ToldOf string     `json:"told_of,omitempty"`
	ToldAt *time.Time `json:"told_at,omitempty"`
	// By is the purchase from which is counted, and Before what was so until then: it is so again when all of that purchase comes
	// back. That purchases are remembered up to maxFades deep keeps somebody from buying and returning by turns.
	By     string     `json:"by,omitempty"`
	Before *FadeState `json:"before,omitempty"`
}

func (s *FadeState) clone() *FadeState {
	if s == nil {
		return nil
	}
	c := *s
	c.Before = s.Before.clone()
	return &c
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// The reasons why a member may not have a benefit.
const (
	NotActive    = "not_active"    // the membership is blocked or closed
	NotBegun     = "not_begun"     // see From
	Over         = "ended"         // see Until
	NotGranted   = "not_granted"   // no tier or plan of the member brings it: see Missing
	NotMet       = "condition"     // see Missing and Why
	LimitReached = "limit_reached" // see From
	FadedAway    = "faded"         // nothing was bought for too long
	NothingYet   = "nothing_yet"   // it is worth nothing so far: see Grows
	NotOpen      = "not_open"      // what was asked for opens at Opens
)

// Lack is something that a member lacks for a benefit. One of Tier, Plan and At is set.
type Lack struct {
	// Tier, as SET/TIER, takes Amount more of Metric, before Until where the window ends.
	Tier   string
	Metric string
	Amount int64
	Until  *time.Time
	// Plan is one that would bring it.
	Plan string
	// At is the moment from which the membership is old enough.
	At *time.Time
}

// Standing is a benefit as it stands for a member at a moment.
type Standing struct {
	Benefit *program.CompiledBenefit
	// Can says that the member may have it now; else Reason says why not, Why tells it, and Missing says what is missing.
	Can     bool
	Reason  string
	Why     []Note
	Missing []Lack
	// Worth is what it is worth now, Full what it would be had it not faded.
	Worth, Full program.Worth
	// From is since when, or, where only time is missing, from when; Until is when it will end, as far as is known.
	From, Until *time.Time
	// Tiers (as SET/TIER), Plans and Grants (by number) are those of the member that bring it.
	Tiers, Plans []string
	Grants       []int64
	// Left is how often it may still be used, nil where it is not limited; Renews is when it may be used more often.
	Left   *int64
	Renews *time.Time
	// Fades is the next step down: when it comes unless something is bought, to what, and whether the member was told.
	Fades *NextFade
	// Grows is the next step up.
	Grows *NextGrowth
	// Opens is when what was asked for opens for this member.
	Opens *time.Time
}

// NextFade is the next step of a fading benefit.
type NextFade struct {
	At   time.Time
	To   program.Worth
	Ends bool
	Told bool
}

// NextGrowth is the next step of a growing benefit: at a time, or when Missing more of the metric is reached, or with a tier.
type NextGrowth struct {
	To      program.Worth
	At      *time.Time
	Metric  string
	Missing int64
	Tier    string
}

// BenefitNeeds says what an account must have loaded for Benefits: of one, or, where it is empty, of all.
func BenefitNeeds(p *program.Compiled, st *State, id string, at time.Time) Needs {
	n := Needs{}
	counted := id == ""
	for _, b := range p.Benefits {
		if id != "" && b.ID != id {
			continue
		}
		n.Tallies = append(n.Tallies, limitTallies(p, st, b.Limits, at)...)
		counted = counted || len(b.Sets) > 0 || b.When != nil || b.Grows != nil && (b.Grows.Metric != nil || b.Grows.Tier != "")
	}
	if counted {
		n.Tallies = append(n.Tallies, tallyRanges(p, at, at)...)
	}
	return n
}

// Benefits says of every benefit, or of one, whether the member may have it at a moment, at what value, until when, and why not.
// The account must be brought up to the moment and loaded as BenefitNeeds says. opens, for one that comes ahead of others, is
// when what is asked for opens for everybody.
func Benefits(p *program.Compiled, acc *Account, id string, at time.Time, opens *time.Time) []Standing {
	out := make([]Standing, 0, len(p.Benefits))
	w := newWork(p, Input{Account: acc, Fact: Fact{OccurredAt: at}})
	for _, b := range p.Benefits {
		if id == "" || b.ID == id {
			out = append(out, w.benefit(b, opens))
		}
	}
	return out
}

// benefit says how one stands at w.at.
func (w *work) benefit(b *program.CompiledBenefit, opens *time.Time) Standing {
	s := Standing{Benefit: b}
	w.ownBenefit(&s)
	w.given(&s)
	w.openFor(&s, opens)
	s.Can = s.Reason == ""
	return s
}

// ownBenefit says how one stands without what was given.
func (w *work) ownBenefit(s *Standing) {
	sc := w.benefitScene()
	w.bearers(s, sc)
	s.Full = w.grown(s.Benefit, sc, s)
	s.Worth = s.Full
	gone := w.faded(s.Benefit, s)
	w.refuse(s, sc, gone)
}

func (w *work) benefitScene() *scene {
	sc := newScene(w.p, w.st, w.at)
	sc.tier = w.tiersAt(w.at, false)
	return sc
}

// bearers fills in which tiers and plans of the member bring the benefit, since when and until when.
func (w *work) bearers(s *Standing, sc *scene) {
	b := s.Benefit
	since, open := []time.Time(nil), false
	var ends *time.Time
	bear := func(from time.Time, until *time.Time) {
		since = append(since, from)
		if until == nil {
			open = true
		} else if ends == nil || until.After(*ends) {
			ends = until
		}
	}
	for _, set := range b.Sets {
		t := w.p.Tiers[set]
		place := t.Place(sc.tier[set])
		if place < 0 || !b.Tiers[set][place] {
			continue
		}
		s.Tiers = append(s.Tiers, set+"/"+sc.tier[set])
		ts := w.tierState(set)
		var until *time.Time
		switch {
		case t.Place(ts.Tier) < place: // by hand alone
			until = ts.FloorUntil
		case ts.FallsAt != nil:
			until = ts.FallsAt
		}
		bear(ts.Since, until)
	}
	for _, id := range b.Plans {
		if ps := w.st.Plans[id]; ps.InForce(w.at) {
			s.Plans = append(s.Plans, id)
			var until *time.Time
			if ps.Cancelled || ps.Status == PlanGrace || !ps.Live() {
				end := ps.Until
				switch {
				case !ps.Live():
					end = *ps.EndedAt
				case ps.Status == PlanGrace:
					end = ps.GraceUntil(w.p.Plans[id], w.p.Zone)
				}
				until = &end
			}
			bear(ps.Since, until)
		}
	}
	if len(b.Sets)+len(b.Plans) == 0 {
		bear(w.st.JoinedAt, nil)
	}
	if len(since) > 0 {
		from := slices.MinFunc(since, time.Time.Compare)
		s.From = &from
	}
	if !open {
		s.Until = ends
	}
	if b.Until != nil {
		over := b.Until.Add(time.Nanosecond)
		s.Until = earliest(s.Until, &over)
	}
	if b.From != nil && (s.From == nil || s.From.Before(*b.From)) {
		s.From = b.From
	}
}

// given lets a member have what was given or passed on to them: it is owed, whatever the benefit asks of others. It comes after
// what they may have anyway, so that it is not used up for nothing.
func (w *work) given(s *Standing) {
	for _, i := range w.inOrderOfEnd("", s.Benefit.ID) {
		g := w.st.Grants[i]
		s.Grants = append(s.Grants, g.N)
		if s.Reason == "" || s.Reason == NotActive {
			continue
		}
		s.Reason, s.Why, s.Missing, s.Worth, s.Fades, s.Renews = "", nil, nil, s.Full, nil, nil
		s.From, s.Until, s.Left = &g.At, g.EndsAt, nil
		if g.Uses > 0 {
			left := g.left()
			s.Left = &left
		}
	}
}

// grown is what a benefit is worth for a member who never ceased to buy, with its next step up.
func (w *work) grown(b *program.CompiledBenefit, sc *scene, s *Standing) program.Worth {
	v, g := b.Worth, b.Grows
	if g == nil {
		return v
	}
	var value int64
	if g.Metric != nil && g.Metric.Metric != "tenure" {
		value = w.metric(g.Metric, w.at)
	}
	for _, step := range g.Steps {
		next := &NextGrowth{To: step.Worth}
		switch {
		case g.Tier != "":
			if w.p.Tiers[g.Tier].Place(sc.tier[g.Tier]) >= step.Place {
				next = nil
				break
			}
			next.Tier = g.Tier + "/" + stepID(w.p.Tiers[g.Tier], step.Place)
			l := w.lackOf(g.Tier, step.Place)
			next.Metric, next.Missing, next.At = l.Metric, l.Amount, l.At
		case step.After != nil:
			at := step.After.After(w.st.JoinedAt, w.p.Zone)
			if !w.at.Before(at) {
				next = nil
				break
			}
			next.At = &at
		default:
			if value >= step.From {
				next = nil
				break
			}
			next.Metric, next.Missing = g.Metric.Metric, step.From-value
		}
		if next != nil {
			s.Grows = next
			return v
		}
		v = step.Worth
	}
	return v
}

// faded lowers the worth to what is left of it, fills in the next step down, and says whether nothing is left.
func (w *work) faded(b *program.CompiledBenefit, s *Standing) (gone bool) {
	f := b.Fades
	if f == nil {
		return false
	}
	n := f.Behind(w.fadeState(b.ID).Step)
	if n > 0 {
		step := f.Steps[n-1]
		gone = step.Ends
		if step.Worth.Kind != "" && step.Worth.Less(s.Full) {
			s.Worth = step.Worth
		}
	}
	if n < len(f.Steps) && w.bears(b) { // who does not have it loses nothing, and is warned when they do
		falls, told := w.falls(b, n)
		s.Fades = &NextFade{At: falls, To: f.Steps[n].Worth, Ends: f.Steps[n].Ends, Told: told}
	}
	return gone
}

// refuse finds out why the member may not have it.
func (w *work) refuse(s *Standing, sc *scene, gone bool) {
	b := s.Benefit
	no := func(reason string, why ...Note) {
		if s.Reason == "" {
			s.Reason = reason
		}
		s.Why = append(s.Why, why...)
	}
	if w.st.Status != Active {
		no(NotActive, Note{Code: NoteBenefitInactive})
		s.From, s.Until = nil, nil // since when it was had is no time from which it will be
		return
	}
	if b.Until != nil && w.at.After(*b.Until) {
		no(Over, Note{NoteBenefitOver, Args{"time": Time(*s.Until)}})
		s.From = nil
		return
	}
	if b.From != nil && w.at.Before(*b.From) {
		no(NotBegun, Note{NoteBenefitFrom, Args{"time": Time(*b.From)}})
	}
	if len(b.Sets)+len(b.Plans) > 0 && len(s.Tiers)+len(s.Plans) == 0 {
		no(NotGranted)
		for _, set := range b.Sets {
			if l, ok := w.nearest(set, b.Tiers[set], sc); ok {
				s.Missing = append(s.Missing, l)
			}
		}
		for _, id := range b.Plans {
			s.Missing = append(s.Missing, Lack{Plan: id})
		}
	}
	ok, why, err := sc.holds(b.When)
	if err != nil {
		ok, why = false, []Note{{Code: CondFormula, Args: Args{"text": text(b.When.Formula.Text())}}}
	}
	if !ok {
		no(NotMet)
		lacks := w.lacks(b.When, sc)
		s.Missing = append(s.Missing, lacks...)
		if len(lacks) == 0 {
			s.Why = append(s.Why, why...)
		}
	}
	for i := range s.Missing {
		s.Why = append(s.Why, w.lackNote(&s.Missing[i]))
	}
	switch {
	case s.Reason == NotMet && len(s.Missing) > 0 && !slices.ContainsFunc(s.Missing, func(l Lack) bool { return l.At == nil }):
		s.From = slices.MaxFunc(s.Missing, func(a, b Lack) int { return a.At.Compare(*b.At) }).At
	case s.Reason == NotMet || s.Reason == NotGranted:
		s.From = nil
	}
	if s.Reason != "" && s.Reason != NotBegun {
		s.Until = nil
	}
	if gone || s.Reason == NotBegun && len(s.Missing) > 0 {
		s.From = nil
	}
	if gone {
		no(FadedAway, Note{NoteBenefitGone, Args{"time": Time(w.fadeState(b.ID).Since)}})
	} else if s.Reason == "" && s.Worth.Nothing() {
		s.From = nil
		no(NothingYet, Note{Code: NoteBenefitNothing})
	}
	w.used(s, no)
}

// used counts the uses that are left.
func (w *work) used(s *Standing, no func(string, ...Note)) {
	asked := w.f.AskedAt()
	sc := newScene(w.p, w.st, asked)
	for _, l := range s.Benefit.Limits {
		if l.Times < 0 {
			continue
		}
		zone := sc.zone(l.Zone)
		left := max(l.Times-w.acc.Tallies[limitName(l)+"/times"][program.PeriodKey(l.Per, asked, zone)], 0)
		if s.Left == nil || left < *s.Left {
			s.Left, s.Renews = &left, nil
			if l.Per != "lifetime" {
				end := program.EndOf(l.Per, asked, zone)
				s.Renews = &end
			}
		}
		if left == 0 {
			args := Args{"times": Number(strconv.FormatInt(l.Times, 10)), "per": word(l.Per)}
			if s.Renews != nil {
				args["time"] = Time(*s.Renews)
			}
			if s.Reason == "" {
				s.From = s.Renews
			}
			no(LimitReached, Note{NoteBenefitLimit, args})
			return
		}
	}
}

// openFor says when something that opens for everybody at a time opens for this member.
func (w *work) openFor(s *Standing, opens *time.Time) {
	if opens == nil {
		return
	}
	at := *opens
	if s.Reason == "" && s.Worth.Kind == program.WorthAhead {
		at = s.Worth.Ahead.Before(at, w.p.Zone)
	}
	s.Opens = &at
	if s.Reason == "" && w.at.Before(at) {
		s.Reason, s.From = NotOpen, &at
		s.Why = append(s.Why, Note{NoteBenefitOpens, Args{"time": Time(at)}})
	}
}

// nearest is what is missing to the lowest of the places that is above the member's.
func (w *work) nearest(set string, places map[int]bool, sc *scene) (Lack, bool) {
	t := w.p.Tiers[set]
	for place := t.Place(sc.tier[set]) + 1; place < len(t.Steps); place++ {
		if places[place] {
			return w.lackOf(set, place), true
		}
	}
	return Lack{}, false
}

// lackOf is what is missing to a place in a tier set.
func (w *work) lackOf(set string, place int) Lack {
	t := w.p.Tiers[set]
	l := Lack{Tier: set + "/" + t.Steps[place].ID, Metric: t.Metric}
	if t.Metric == "tenure" {
		if a := t.Steps[place].After; a != nil {
			at := a.After(w.st.JoinedAt, w.p.Zone)
			l.At = &at
		}
		return l
	}
	value, until := w.climbed(t, w.at)
	l.Amount, l.Until = max(t.From[place]-value, 0), until
	return l
}

// lacks collects what a condition misses that a member can mend, or time will: tiers, plans, the length of membership.
func (w *work) lacks(c *program.CompiledCondition, sc *scene) []Lack {
	if c == nil {
		return nil
	}
	var out []Lack
	for _, set := range sortedKeys(c.Tier) {
		if !c.Tier[set][w.p.Tiers[set].Place(sc.tier[set])] {
			if l, ok := w.nearest(set, c.Tier[set], sc); ok {
				out = append(out, l)
			}
		}
	}
	if len(c.Plan) > 0 && !sc.hasPlan(c.Plan) {
		for _, id := range c.Plan {
			out = append(out, Lack{Plan: id})
		}
	}
	if c.MemberFor != nil {
		if at := c.MemberFor.After(w.st.JoinedAt, w.p.Zone); w.at.Before(at) {
			out = append(out, Lack{At: &at})
		}
	}
	for _, part := range c.All {
		out = append(out, w.lacks(part, sc)...)
	}
	if len(c.Any) > 0 && !slices.ContainsFunc(c.Any, func(part *program.CompiledCondition) bool { ok, _, err := sc.holds(part); return ok && err == nil }) {
		for _, part := range c.Any {
			out = append(out, w.lacks(part, sc)...)
		}
	}
	return out
}

func (w *work) lackNote(l *Lack) Note {
	switch {
	case l.Plan != "":
		return Note{NoteBenefitPlan, Args{"plan": plans(l.Plan)}}
	case l.At != nil:
		return Note{NoteBenefitFrom, Args{"time": Time(*l.At)}}
	}
	set, tier, _ := strings.Cut(l.Tier, "/")
	args := Args{"tier": tierValue(set, tier), "missing": w.metricValue(w.p.Tiers[set], l.Amount)}
	if l.Until != nil {
		args["time"] = Time(*l.Until)
	}
	return Note{NoteBenefitTier, args}
}

// doUse counts that a benefit was used.
func (w *work) doUse() error {
	if w.f.Use.Undo {
		return w.undoUse()
	}
	b := w.p.Benefit(w.f.Use.Benefit)
	if b == nil {
		return errs.Invalid("invalid_use", "The benefit cannot be used.", errs.Field{Pointer: "/benefit", Reason: "unknown_benefit", Message: "the program has no benefit " + strconv.Quote(w.f.Use.Benefit)})
	}
	if err := w.mayAct(); err != nil {
		return err
	}
	s := w.benefit(b, nil)
	if !s.Can {
		return errs.Conflict("benefit_not_available", "The member may not have this benefit now.").With("benefit", b.ID).With("why", s.Reason)
	}
	own := Standing{Benefit: b}
	if w.ownBenefit(&own); own.Reason != "" { // it is there by what was given
		u := w.useGrant(w.inOrderOfEnd("", b.ID)[0], 1)
		w.tellShared(EvShareUsed, &u.Grant, w.f.ID)
	}
	sc := newScene(w.p, w.st, w.at)
	for _, l := range b.Limits {
		if l.Times >= 0 && own.Reason == "" {
			w.tally(limitName(l)+"/times", program.PeriodKey(l.Per, w.f.AskedAt(), sc.zone(l.Zone)), 1)
		}
	}
	data := map[string]string{"benefit": b.ID}
	if s.Left != nil {
		data["left"] = strconv.FormatInt(*s.Left-1, 10)
	}
	if part := w.f.Use.PartOfPurchase; part.Purchase != "" {
		left, err := part.left(maxMoney, w.p.Exponent)
		if err != nil {
			return err
		}
		off, err := worthOff(s.Worth, left)
		if err != nil {
			return err
		}
		data["purchase"] = part.Purchase
		if s.Worth.Kind == program.WorthPercent || s.Worth.Kind == program.WorthMoney {
			data["amount"] = money.Format(off, w.p.Exponent)
		}
	}
	w.event(EvBenefitUsed, data)
	w.note(NoteBenefitTaken, Args{"benefit": {Benefit: b.ID}})
	return nil
}

// undoUse takes a use back, whole and once: what it counted is counted no more, what was used up of a grant is there again unless it has ended, and whoever
// passed it on hears of it.
func (w *work) undoUse() error {
	if err := w.notClosed(); err != nil {
		return err
	}
	past := w.in.Past
	if past == nil || past.Fact.Use == nil || past.Fact.Use.Undo {
		return errs.NotFound("fact_not_found", "There is no such use of a benefit.")
	}
	for _, child := range past.Children {
		if child.Fact.Kind == UseK {
			return errs.Conflict("undone_already", "This use was taken back already.").With("fact", child.Fact.ID)
		}
	}
	if err := w.usedWith(past.Fact.Use.Purchase); err != nil {
		return err
	}
	w.giveUseBack(past)
	return nil
}

// worthOff is what a benefit takes off what is left to pay: a part of it, rounded half up, or money, never more than it; what is no discount takes nothing.
func worthOff(worth program.Worth, left int64) (int64, error) {
	switch worth.Kind {
	case program.WorthPercent:
		return money.MulDiv(left, worth.Amount, 10000, money.HalfUp)
	case program.WorthMoney:
		return min(worth.Amount, left), nil
	}
	return 0, nil
}

// giveUseBack takes the use of a benefit back: its limits, and what it used of something that was given or passed on.
func (w *work) giveUseBack(used *Past) {
	id := used.Fact.Use.Benefit
	w.note(NoteBenefitUnused, Args{"benefit": {Benefit: id}})
	for _, c := range used.Decision.Counters {
		w.tally(c.Name, c.Period, -c.Add)
	}
	for _, g := range used.Decision.Grants {
		if g.Benefit != id {
			continue
		}
		g.Used--
		w.tellShared(EvShareUndone, &g, used.Fact.ID)
		w.returnGrants(&RedemptionState{Member: used.Fact.Member, Grants: []GrantUse{{g, 1}}})
	}
	w.event(EvBenefitUnused, map[string]string{"benefit": id, "use": used.Fact.ID})
}

// Fading.

// fadeState gives a copy of how far a benefit has fallen, with where it is counted from.
func (w *work) fadeState(id string) FadeState {
	if s := w.st.Fades[id]; s != nil {
		return *s
	}
	since := w.st.JoinedAt
	if w.st.LastPurchaseAt != nil {
		since = *w.st.LastPurchaseAt
	}
	return FadeState{Since: since}
}

func (w *work) setFade(id string, s *FadeState) {
	if w.st.Fades == nil {
		w.st.Fades = map[string]*FadeState{}
	}
	w.st.Fades[id] = s
}

// day rounds a step to the end of its local day: the whole last day still counts.
func (w *work) dayOf(p program.Period, t time.Time) time.Time {
	if p.Unit == "minute" || p.Unit == "hour" {
		return t
	}
	return program.EndOf("day", t, w.p.Zone)
}

// falls is when step n of a fading benefit comes, and whether the member was told of it: no sooner than the warning's time after it
// was given, or, while it was not, after now.
func (w *work) falls(b *program.CompiledBenefit, n int) (at time.Time, told bool) {
	f, s := b.Fades, w.fadeState(b.ID)
	step := f.Steps[n]
	at = w.dayOf(step.After, step.After.After(s.Since, w.p.Zone))
	warned := w.now
	if told = s.ToldAt != nil && s.ToldOf == step.After.String(); told {
		warned = *s.ToldAt
	}
	if least := f.Warn.After(warned, w.p.Zone); least.After(at) {
		at = w.dayOf(f.Warn, least)
	}
	return at, told
}

// warns is when the warning of step n is due.
func (w *work) warns(b *program.CompiledBenefit, n int) time.Time {
	step := b.Fades.Steps[n]
	at := w.dayOf(step.After, step.After.After(w.fadeState(b.ID).Since, w.p.Zone))
	return b.Fades.Warn.Before(at, w.p.Zone)
}

// bears says whether the member has a benefit at the account's own clock, whatever the hour and the day of the week: only
// then there is something to lose.
func (w *work) bears(b *program.CompiledBenefit) bool {
	at := w.now
	if w.st.Status != Active || b.From != nil && at.Before(*b.From) || b.Until != nil && at.After(*b.Until) {
		return false
	}
	sc := newScene(w.p, w.st, at)
	sc.tier, sc.anytime = w.tiersAt(at, false), true
	ok := len(b.Sets)+len(b.Plans) == 0 || sc.hasPlan(b.Plans) ||
		slices.ContainsFunc(b.Sets, func(set string) bool { return b.Tiers[set][w.p.Tiers[set].Place(sc.tier[set])] })
	if !ok {
		return false
	}
	ok, _, err := sc.holds(b.When)
	return ok && err == nil
}

// maxFades is how many purchases in a row a fading benefit remembers, for what is so when they come back.
const maxFades = 12

// pinFades keeps from when fading benefits are counted before a purchase becomes the last one: it may have cost nothing, or come back.
func (w *work) pinFades() {
	for _, b := range w.p.Fading {
		if w.st.Fades[b.ID] == nil {
			s := w.fadeState(b.ID)
			w.setFade(b.ID, &s)
		}
	}
}

// costs says that a purchase came to more than nothing: what was free is not bought.
func costs(lines []LineSum) bool {
	var sum int64
	for i := range lines {
		sum += lines[i].Amount
	}
	return sum > 0
}

// settleFades brings fading benefits back when something was bought, and, when time has come, warns or takes a step.
func (w *work) settleFades() {
	for _, b := range w.p.Fading {
		s := w.st.Fades[b.ID]
		switch {
		case w.f.Kind == PurchaseK && s != nil && w.at.After(s.Since) && costs(w.d.Lines):
			w.restore(b, s)
		case w.f.Kind == ReturnK && w.allBack && s != nil:
			w.unrestore(b, s)
		case w.f.Kind == Due && w.st.Status == Active:
			w.fade(b)
		}
	}
}

func (w *work) restore(b *program.CompiledBenefit, s *FadeState) {
	now := &FadeState{Since: w.at, By: w.f.ID, Before: s.clone()}
	last := now
	for range maxFades {
		if last.Before == nil {
			break
		}
		last = last.Before
	}
	last.By, last.Before = "", nil
	w.setFade(b.ID, now)
	if s.Step == "" {
		if s.ToldAt != nil && w.bears(b) {
			w.note(NoteFadeStopped, Args{"benefit": {Benefit: b.ID}})
		}
		return
	}
	if w.bears(b) {
		w.tellFade(EvBenefitRestored, NoteRestored, b, nil)
	}
}

// unrestore takes a purchase that came back out of those from which a fading benefit is counted. What has fallen since stays so.
func (w *work) unrestore(b *program.CompiledBenefit, s *FadeState) {
	now := s.clone()
	for at := &now; *at != nil; at = &(*at).Before {
		if (*at).By != w.in.Past.Fact.ID || (*at).Before == nil {
			continue
		}
		back := (*at).Before
		if b.Fades.Behind((*at).Step) > b.Fades.Behind(back.Step) {
			back.Step, back.ToldOf, back.ToldAt = (*at).Step, (*at).ToldOf, (*at).ToldAt
		}
		*at = back
		w.setFade(b.ID, now)
		if now.Step != s.Step {
			w.tellFade(EvBenefitFaded, NoteFadedAgain, b, nil)
		}
		return
	}
}

// fade warns of the next step, or takes it.
func (w *work) fade(b *program.CompiledBenefit) {
	s := w.fadeState(b.ID)
	n := b.Fades.Behind(s.Step)
	if n == len(b.Fades.Steps) {
		return
	}
	of := b.Fades.Steps[n].After.String()
	if s.ToldAt == nil || s.ToldOf != of {
		if w.warns(b, n).After(w.at) || !w.bears(b) {
			return
		}
		// A sweep that comes late gives the warning late, and the step then waits.
		told := w.at
		if w.f.RecordedAt.After(told) {
			told = w.f.RecordedAt
		}
		s.ToldOf, s.ToldAt = of, &told
		w.setFade(b.ID, &s)
		at, _ := w.falls(b, n)
		w.tellFade(EvBenefitFading, NoteFading, b, &at)
		return
	}
	if at, _ := w.falls(b, n); at.After(w.at) {
		return
	}
	s.Step, s.ToldOf, s.ToldAt = of, "", nil
	w.setFade(b.ID, &s)
	if w.bears(b) {
		w.tellFade(EvBenefitFaded, NoteFaded, b, nil)
	}
}

// tellFade tells of a benefit that fades: what it is worth, and, in a warning, what it will be.
func (w *work) tellFade(event, note string, b *program.CompiledBenefit, falls *time.Time) {
	st := Standing{Benefit: b}
	st.Full = w.grown(b, w.benefitScene(), &st)
	st.Worth = st.Full
	gone := w.faded(b, &st)
	args, data := Args{"benefit": {Benefit: b.ID}}, map[string]string{"benefit": b.ID}
	if b.Worth.Kind != "" {
		data["kind"] = b.Worth.Kind
	}
	if !gone && st.Worth.Kind != "" {
		args["value"], data["value"] = worthValue(st.Worth), w.worthText(st.Worth)
	}
	if falls != nil {
		args["time"], data["falls_at"] = Time(*falls), w.stamp(*falls)
		if st.Fades != nil && !st.Fades.Ends && st.Fades.To.Kind != "" {
			args["to"], data["to"] = worthValue(st.Fades.To), w.worthText(st.Fades.To)
		}
	}
	w.note(note, args)
	w.event(event, data)
}

// fadeDue is the next moment of a fading benefit; nil for none.
func (w *work) fadeDue(b *program.CompiledBenefit) *time.Time {
	s := w.fadeState(b.ID)
	n := b.Fades.Behind(s.Step)
	if w.st.Status != Active || n == len(b.Fades.Steps) {
		return nil
	}
	late := func(t time.Time) *time.Time {
		if t.Before(w.st.At) {
			t = w.st.At
		}
		return &t
	}
	if s.ToldAt != nil && s.ToldOf == b.Fades.Steps[n].After.String() {
		at, _ := w.falls(b, n)
		return late(at)
	}
	if w.bears(b) {
		return late(w.warns(b, n))
	}
	// The membership may be too young, or the benefit not have begun: then there is a warning to give once it is time.
	var due *time.Time
	for _, p := range b.Tenures {
		if at := p.After(w.st.JoinedAt, w.p.Zone); at.After(w.st.At) {
			due = earliest(due, &at)
		}
	}
	if b.From != nil && b.From.After(w.st.At) {
		due = earliest(due, b.From)
	}
	return due
}

// inheritFades gives the survivor of a merge the better of two: nobody loses by it.
func (w *work) inheritFades(theirs map[string]*FadeState, last *time.Time) {
	for _, b := range w.p.Fading {
		t, mine := theirs[b.ID], w.fadeState(b.ID)
		if t == nil {
			t = &FadeState{}
			if last != nil {
				t.Since = *last
			}
		}
		if t.Since.After(mine.Since) {
			w.setFade(b.ID, t.clone())
		} else if last != nil {
			w.setFade(b.ID, &mine)
		}
	}
}

// worthValue is a worth for people.
func worthValue(v program.Worth) Value {
	switch v.Kind {
	case program.WorthPercent:
		return Value{Percent: v.Percent()}
	case program.WorthMoney:
		return Money(v.Amount)
	case program.WorthAhead:
		return text(v.Ahead.String())
	}
	return Value{}
}

// worthText is a worth as events write it.
func (w *work) worthText(v program.Worth) string {
	switch v.Kind {
	case program.WorthPercent:
		return v.Percent()
	case program.WorthMoney:
		return money.Format(v.Amount, w.p.Exponent)
	case program.WorthAhead:
		return v.Ahead.String()
	}
	return ""
}
