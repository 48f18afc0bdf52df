package engine

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/program"
)

// Paid memberships. Billing is done elsewhere and tells what came of it; here it is kept who has which plan until when. Nothing
// is renewed by time alone: a period that ends unpaid goes over into the grace, and the grace into the end.

// What may be told of a plan.
const (
	PlanStarted   = "started"
	PlanPaid      = "paid"
	PlanFailed    = "failed"
	PlanCancelled = "cancelled"
	PlanResumed   = "resumed"
	PlanChanged   = "changed"
)

// PlanWords are all of them.
var PlanWords = []string{PlanStarted, PlanPaid, PlanFailed, PlanCancelled, PlanResumed, PlanChanged}

// When a cancellation or a change takes effect.
const (
	AtOnce      = "now"
	AtPeriodEnd = "period end"
)

// PlanBody is something that happened to a paid membership.
type PlanBody struct {
	Plan string `json:"plan"`
	// What is one of PlanWords.
	What string `json:"what"`
	// Until is the end of the trial or period, where billing says it; else it is counted by the program.
	Until *time.Time `json:"until,omitempty"`
	// Trial false begins without the trial.
	Trial *bool `json:"trial,omitempty"`
	// To is the plan that it is changed to.
	To string `json:"to,omitempty"`
	// At is "now" or "period end": when a cancellation (period end, when left out) or a change (now) takes effect.
	At     string `json:"at,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// The states of a plan.
const (
	PlanTrial  = "trial"
	PlanActive = "active"
	PlanGrace  = "grace" // the period has ended, and the payment is waited for
	PlanEnded  = "ended"
)

// Why a plan ended.
const (
	endCancelled = "cancelled"
	endUnpaid    = "unpaid"
	endChanged   = "changed"
	endClosed    = "closed"
)

// PlanState is where a member stands in a plan.
type PlanState struct {
	Status string    `json:"status,omitempty"`
	Since  time.Time `json:"since,omitzero"`
	// Until is the end of the trial or of what is paid for.
	Until time.Time `json:"until,omitzero"`
	// Anchor is where paid periods are counted from, and Periods how many there are: so the 31st comes back after a February.
	Anchor  time.Time `json:"anchor,omitzero"`
	Periods int64     `json:"periods,omitempty"`
	// Cancelled says that it ends at Until, Next that it becomes another plan there.
	Cancelled bool   `json:"cancelled,omitempty"`
	Next      string `json:"next,omitempty"`
	// Told says that a missing payment was told of.
	Told bool `json:"told,omitempty"`
	// Tried says that there was a trial: there is but one.
	Tried   bool       `json:"tried,omitempty"`
	EndedAt *time.Time `json:"ended_at,omitempty"`
	// Ended is why: cancelled, unpaid, changed, closed.
	Ended string `json:"ended,omitempty"`
	// Past are the earlier times in which it was in force, oldest first, for purchases that arrive late.
	Past []PlanSpan `json:"past,omitempty"`
}

// PlanSpan is a time in which a plan was in force; To is not in it.
type PlanSpan struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// Live says whether the plan is in force: in its trial, paid, or in its grace.
func (s *PlanState) Live() bool { return s != nil && s.Status != "" && s.Status != PlanEnded }

// InForce says whether it was at a moment that is not later than the account's own clock.
func (s *PlanState) InForce(at time.Time) bool {
	if s == nil {
		return false
	}
	if !at.Before(s.Since) && (s.Live() || s.EndedAt != nil && at.Before(*s.EndedAt)) {
		return true
	}
	return slices.ContainsFunc(s.Past, func(p PlanSpan) bool { return !at.Before(p.From) && at.Before(p.To) })
}

func (s *PlanState) clone() *PlanState {
	c := *s
	c.Past = slices.Clone(s.Past)
	return &c
}

// GraceUntil is when the plan ends if nothing is paid.
func (s *PlanState) GraceUntil(p *program.CompiledPlan, zone *time.Location) time.Time {
	if p == nil {
		return s.Until
	}
	return p.Grace.After(s.Until, zone)
}

func (w *work) planState(id string) *PlanState {
	s := w.st.Plans[id]
	if s == nil {
		if w.st.Plans == nil {
			w.st.Plans = map[string]*PlanState{}
		}
		s = &PlanState{}
		w.st.Plans[id] = s
	}
	return s
}

func (w *work) doPlan() error {
	b := w.f.Plan
	if err := w.checkPlan(b); err != nil {
		return err
	}
	if err := w.notClosed(); err != nil {
		return err
	}
	s := w.planState(b.Plan)
	if b.What == PlanStarted {
		return w.startPlan(b, s)
	}
	if late := b.What == PlanPaid && s.Ended == endUnpaid && s.EndedAt != nil && !w.at.After(*s.EndedAt); !s.Live() && !late {
		return errs.Conflict("plan_not_running", "The member does not have this plan. Send started first.").With("plan", b.Plan)
	}
	switch b.What {
	case PlanPaid:
		w.payPlan(b, s)
	case PlanFailed:
		s.Told = true
		w.tellUnpaid(b.Plan, s, "failed")
	case PlanCancelled:
		return w.then(w.cancelPlan(b, s))
	case PlanResumed:
		if !s.Cancelled {
			return errs.Conflict("plan_not_cancelled", "This plan was not cancelled: there is nothing to take back.").With("plan", b.Plan)
		}
		s.Cancelled = false
		w.note(NotePlanResumed, Args{"plan": plans(b.Plan)})
		w.event(EvPlanResumed, map[string]string{"plan": b.Plan})
	case PlanChanged:
		return w.changePlan(b, s)
	}
	return w.then(nil)
}

func plans(ids ...string) Value { return Value{Plans: ids} }

func (w *work) checkPlan(b *PlanBody) error {
	var fields []errs.Field
	fail := func(pointer, reason, message string) {
		fields = append(fields, errs.Field{Pointer: pointer, Reason: reason, Message: message})
	}
	if w.p.Plans[b.Plan] == nil {
		fail("/plan", "unknown_plan", "the program's plans are "+strings.Join(w.p.PlanIDs, ", "))
	}
	if !slices.Contains(PlanWords, b.What) {
		fail("/what", "unknown_word", "must be one of "+strings.Join(PlanWords, ", "))
	}
	switch {
	case b.What == PlanChanged && w.p.Plans[b.To] == nil:
		fail("/to", "unknown_plan", "the program's plans are "+strings.Join(w.p.PlanIDs, ", "))
	case b.What == PlanChanged && b.To == b.Plan:
		fail("/to", "same_plan", "must be another plan")
	case b.What != PlanChanged && b.To != "":
		fail("/to", "not_here", "goes with changed")
	}
	if b.At != "" && b.At != AtOnce && b.At != AtPeriodEnd {
		fail("/at", "unknown_word", "must be now or period end")
	}
	if b.Until != nil && (b.What == PlanStarted || b.What == PlanPaid) && !b.Until.After(w.at) {
		fail("/until", "in_the_past", "must be later than "+w.at.In(w.p.Zone).Format(time.RFC3339)+", when this happened")
	}
	if len(fields) > 0 {
		return errs.Invalid("invalid_plan", "What is told of the plan cannot be used.", fields...)
	}
	return nil
}

func (w *work) startPlan(b *PlanBody, s *PlanState) error {
	if s.Live() {
		return errs.Conflict("plan_running", "The member has this plan already.").With("plan", b.Plan)
	}
	if err := w.mayAct(); err != nil {
		return err
	}
	p := w.p.Plans[b.Plan]
	fresh := PlanState{Status: PlanActive, Since: w.at, Anchor: w.at, Tried: s.Tried, Past: s.spans(w.at, w.p.Zone)}
	if p.Trial != nil && !s.Tried && (b.Trial == nil || *b.Trial) {
		fresh.Status, fresh.Tried, fresh.Until = PlanTrial, true, p.Trial.After(w.at, w.p.Zone)
		fresh.Anchor = fresh.Until
	} else {
		fresh.extend(p, nil, w.p.Zone)
	}
	if b.Until != nil {
		fresh.Until, fresh.Anchor, fresh.Periods = *b.Until, *b.Until, 0
	}
	*s = fresh
	note := NotePlanStarted
	if s.Status == PlanTrial {
		note = NotePlanTrial
	}
	w.note(note, Args{"plan": plans(b.Plan), "time": Time(s.Until)})
	w.event(EvPlanStarted, map[string]string{"plan": b.Plan, "trial": strconv.FormatBool(s.Status == PlanTrial), "until": w.stamp(s.Until)})
	return w.welcome(b.Plan)
}

// welcome runs the rules that listen to the beginning of a plan.
func (w *work) welcome(plan string) error {
	trigger := "plan:" + plan
	if len(w.p.Rules[trigger]) == 0 {
		w.settleTiers(false)
		return nil
	}
	done, err := w.earn(trigger, w.scene(), 0)
	if err == nil {
		w.earned(done)
	}
	return err
}

func (w *work) stamp(t time.Time) string { return t.In(w.p.Zone).Format(time.RFC3339) }

// extend takes the end one period on, or to where billing says; never back.
func (s *PlanState) extend(p *program.CompiledPlan, until *time.Time, zone *time.Location) {
	switch {
	case until == nil:
		s.Periods++
		s.Until = program.Period{N: p.Every.N * int(s.Periods), Unit: p.Every.Unit}.After(s.Anchor, zone)
	case until.After(s.Until):
		s.Until, s.Anchor, s.Periods = *until, *until, 0
	}
}

// spans gives the past of a plan that begins anew.
func (s *PlanState) spans(at time.Time, zone *time.Location) []PlanSpan {
	out := slices.Clone(s.Past)
	if s.EndedAt != nil && s.EndedAt.After(s.Since) {
		out = append(out, PlanSpan{s.Since, *s.EndedAt})
	}
	cut := historyKept.Before(at, zone)
	return slices.DeleteFunc(out, func(p PlanSpan) bool { return p.To.Before(cut) })
}

func (w *work) payPlan(b *PlanBody, s *PlanState) {
	s.extend(w.p.Plans[b.Plan], b.Until, w.p.Zone)
	s.Status, s.Told, s.EndedAt, s.Ended = PlanActive, false, nil, ""
	w.note(NotePlanRenewed, Args{"plan": plans(b.Plan), "time": Time(s.Until)})
	w.event(EvPlanRenewed, map[string]string{"plan": b.Plan, "until": w.stamp(s.Until)})
}

// tellUnpaid tells once that a payment is missing: when billing says so, or when the period ends without one.
func (w *work) tellUnpaid(plan string, s *PlanState, reason string) {
	ends := s.GraceUntil(w.p.Plans[plan], w.p.Zone)
	w.note(NotePlanFailed, Args{"plan": plans(plan), "time": Time(ends)})
	w.event(EvPlanFailed, map[string]string{"plan": plan, "reason": reason, "ends_at": w.stamp(ends)})
}

func (w *work) cancelPlan(b *PlanBody, s *PlanState) error {
	if b.At == AtOnce || s.Status == PlanGrace {
		w.note(NotePlanCancelled, Args{"plan": plans(b.Plan), "time": Time(w.now)})
		w.event(EvPlanCancelled, map[string]string{"plan": b.Plan, "ends_at": w.stamp(w.now)})
		w.endPlan(b.Plan, s, w.now, endCancelled)
		return nil
	}
	if s.Cancelled {
		return errs.Conflict("plan_cancelled", "This plan was cancelled already.").With("plan", b.Plan).With("ends_at", w.stamp(s.Until))
	}
	s.Cancelled, s.Next = true, ""
	w.note(NotePlanCancelled, Args{"plan": plans(b.Plan), "time": Time(s.Until)})
	w.event(EvPlanCancelled, map[string]string{"plan": b.Plan, "ends_at": w.stamp(s.Until)})
	return nil
}

func (w *work) endPlan(plan string, s *PlanState, at time.Time, why string) {
	s.Status, s.EndedAt, s.Ended = PlanEnded, &at, why
	s.Cancelled, s.Next, s.Told = false, "", false
	if why != endChanged {
		w.note(NotePlanEnded, Args{"plan": plans(plan), "time": Time(at)})
		w.event(EvPlanEnded, map[string]string{"plan": plan, "reason": why})
	}
}

func (w *work) changePlan(b *PlanBody, s *PlanState) error {
	if w.st.Plans[b.To].Live() {
		return errs.Conflict("plan_running", "The member has the other plan already.").With("plan", b.To)
	}
	if b.At == AtPeriodEnd && s.Status != PlanGrace {
		s.Next, s.Cancelled = b.To, false
		w.note(NotePlanChanges, Args{"plan": plans(b.To), "was": plans(b.Plan), "time": Time(s.Until)})
		w.event(EvPlanChanged, map[string]string{"plan": b.To, "was": b.Plan, "at": w.stamp(s.Until)})
		return w.then(nil)
	}
	w.note(NotePlanChanged, Args{"plan": plans(b.To), "was": plans(b.Plan)})
	w.event(EvPlanChanged, map[string]string{"plan": b.To, "was": b.Plan, "at": w.stamp(w.now)})
	return w.become(b.Plan, s, b.To, w.now, b.Until)
}

// become puts one plan in the place of another: what is paid for stays as long as it was, unless billing says otherwise.
func (w *work) become(was string, s *PlanState, to string, at time.Time, until *time.Time) error {
	t := w.planState(to)
	fresh := PlanState{Status: s.Status, Since: at, Until: s.Until, Anchor: s.Until, Told: s.Told, Tried: t.Tried || s.Tried, Past: t.spans(at, w.p.Zone)}
	if until != nil {
		fresh.Until, fresh.Anchor = *until, *until
	}
	w.endPlan(was, s, at, endChanged)
	*t = fresh
	return w.welcome(to)
}

// settlePlans does what a moment brings: the end of a trial, of a period, of a grace.
func (w *work) settlePlans() error {
	for _, id := range w.p.PlanIDs {
		s := w.st.Plans[id]
		if !s.Live() || s.Until.After(w.at) {
			continue
		}
		if s.Cancelled {
			w.endPlan(id, s, s.Until, endCancelled)
			continue
		}
		if next := s.Next; next != "" && w.p.Plans[next] != nil && !w.st.Plans[next].Live() {
			w.note(NotePlanChanged, Args{"plan": plans(next), "was": plans(id)})
			if err := w.become(id, s, next, s.Until, nil); err != nil {
				return err
			}
			id, s = next, w.st.Plans[next]
		}
		if ends := s.GraceUntil(w.p.Plans[id], w.p.Zone); !ends.After(w.at) {
			w.endPlan(id, s, ends, endUnpaid)
			continue
		}
		s.Status, s.Next = PlanGrace, ""
		if !s.Told {
			s.Told = true
			w.tellUnpaid(id, s, "not_paid")
		}
	}
	return nil
}

// planDue is the next moment of a plan; nil for none. A moment that was missed comes at once.
func (w *work) planDue(id string) *time.Time {
	s := w.st.Plans[id]
	if !s.Live() {
		return nil
	}
	t := s.Until
	if s.Status == PlanGrace {
		t = s.GraceUntil(w.p.Plans[id], w.p.Zone)
	}
	if t.Before(w.st.At) {
		t = w.st.At
	}
	return &t
}

// nextPlans are the plans that others become at a moment.
func nextPlans(p *program.Compiled, st *State, at time.Time) []string {
	var out []string
	for _, id := range p.PlanIDs {
		if s := st.Plans[id]; s.Live() && s.Next != "" && !s.Until.After(at) {
			out = append(out, s.Next)
		}
	}
	return out
}

// closePlans ends all plans of a member who leaves.
func (w *work) closePlans() {
	for _, id := range w.p.PlanIDs {
		if s := w.st.Plans[id]; s.Live() {
			w.endPlan(id, s, w.now, endClosed)
		}
	}
}

// inheritPlans gives the survivor of a merge the plans of the other: of two that run, the one that runs longer.
func (w *work) inheritPlans(theirs map[string]*PlanState) {
	for _, id := range sortedKeys(theirs) {
		t, s := theirs[id], w.planState(id)
		tried := s.Tried || t.Tried
		past := slices.Concat(s.Past, t.Past)
		for _, over := range []*PlanState{s, t} {
			if over.EndedAt != nil && over.EndedAt.After(over.Since) {
				past = append(past, PlanSpan{over.Since, *over.EndedAt})
			}
		}
		switch {
		case t.Live() && (!s.Live() || t.Until.After(s.Until)):
			since := t.Since
			if s.Live() && s.Since.Before(since) {
				since = s.Since
			}
			*s = *t.clone()
			s.Since = since
		case s.Live() && t.Live() && t.Since.Before(s.Since):
			s.Since = t.Since
		}
		slices.SortFunc(past, func(a, b PlanSpan) int { return a.From.Compare(b.From) })
		s.Tried, s.Past = tried, past
		if !s.Live() {
			s.EndedAt, s.Ended = nil, ""
			if len(past) > 0 {
				s.Status = PlanEnded
			}
		}
	}
}
