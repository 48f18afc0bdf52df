package engine

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ledger"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
)

// The stages of a referral, as the friend's account keeps it.
const (
	ReferralOpen      = "open"      // invited, and has not bought what counts
	ReferralQualified = "qualified" // the purchase that counts is there
	ReferralMissed    = "missed"    // the time went by
	ReferralUndone    = "undone"    // what counted came back, too late for another purchase
	ReferralRefused   = "refused"   // it turned out to be one and the same person
)

// Why an invitation is refused.
const (
	RefusedOff       = "off"         // the program has no referral
	RefusedSelf      = "self"        // one and the same membership
	RefusedPerson    = "same_person" // another membership that looks like the same person
	RefusedKnown     = "known"       // the friend looks like somebody who is a member already
	RefusedCircular  = "circular"    // the one who invites was brought by the friend
	RefusedGone      = "gone"        // the one who invited has left
	RefusedHousehold = "household"   // both are of one household
)

// ReferralState is who brought a member, and what came of it.
type ReferralState struct {
	// By is who invited: the id at that time, which may have been merged since.
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	Status string    `json:"status"`
	// Until is the end of the time to qualify.
	Until *time.Time `json:"until,omitempty"`
	// Purchase is the fact that qualified.
	Purchase string `json:"purchase,omitempty"`
	// Gave is what the friend got for that purchase, by unit, and GaveAt its business time: it goes back when the two turn out to be one person.
	Gave   map[string]int64 `json:"gave,omitempty"`
	GaveAt time.Time        `json:"gave_at,omitzero"`
	// Lots are where it was put: what has ended of it is not taken from others.
	Lots []int64 `json:"lots,omitempty"`
}

func (r *ReferralState) clone() *ReferralState {
	if r == nil {
		return nil
	}
	c := *r
	c.Gave = maps.Clone(r.Gave)
	return &c
}

// Invitation says who invited a member.
type Invitation struct {
	// By is the id of who invited.
	By string `json:"by"`
	// Refused is why it does not count, as the flow saw it; one of the Refused words.
	Refused string `json:"refused,omitempty"`
}

// Thanks is what follows for a member from what another one did. Nobody asks for it: it follows an event, see FollowUp.
type Thanks struct {
	// For is what it is for: "referral", "recognition", "share:ID".
	For string `json:"for"`
	// Step is how far it is; one of the Step words below.
	Step string `json:"step"`
	// From is the other member, Of the fact it follows.
	From string `json:"from"`
	Of   string `json:"of"`
	// Refused is why nothing is given, as the flow saw it; one of the Refused words.
	Refused string `json:"refused,omitempty"`
	// Unit and Amount are what is given, where that is not a rule's to say; Value is what for.
	Unit   string         `json:"unit,omitempty"`
	Amount *money.Decimal `json:"amount,omitempty"`
	Value  string         `json:"value,omitempty"`
}

// The steps of thanks.
const (
	ThanksJoined = "joined"    // a friend accepted the invitation
	ThanksEarned = "qualified" // something is given
	ThanksGiven  = "given"     // somebody thanked the member
	ThanksUndone = "undone"    // it is taken back
)

// accept notes who invited the member.
func (w *work) accept(i *Invitation) {
	if w.p.Referral == nil && i.Refused == "" {
		i = &Invitation{By: i.By, Refused: RefusedOff}
	}
	if i.Refused != "" {
		w.note(NoteReferralRefused, Args{"word": word(i.Refused)})
		w.event(EvReferralRefused, map[string]string{"by": i.By, "reason": i.Refused})
		return
	}
	r := &ReferralState{By: i.By, At: w.at, Status: ReferralOpen}
	if in := w.p.Referral.Qualifies.Within; in != nil {
		until := in.After(w.at, w.p.Zone)
		r.Until = &until
	}
	w.st.Referral = r
	w.note(NoteReferralOpen, nil)
	w.event(EvReferralJoined, map[string]string{"by": i.By})
}

// doInvited takes it from a member who says only after enrolling who invited them.
func (w *work) doInvited() error {
	if err := w.notClosed(); err != nil {
		return err
	}
	pol, i := w.p.Referral, w.f.Invited
	switch {
	case pol == nil || pol.Late == nil:
		return errs.Conflict("referral_off", "The program takes invitations with the enrolment only.")
	case w.st.Referral != nil:
		return errs.Conflict("already_invited", "It is said already who invited this member.")
	case w.st.FirstPurchaseAt != nil:
		return errs.Conflict("invitation_too_late", "The member has bought something already: an invitation is for somebody new.")
	case w.at.After(pol.Late.After(w.st.JoinedAt, w.p.Zone)):
		return errs.Conflict("invitation_too_late", "The member enrolled longer ago than the program takes invitations for ("+pol.Late.String()+").")
	case i.Refused != "":
		return errs.Conflict("referral_refused", "This invitation does not count: "+refusals[i.Refused]+".").With("why", i.Refused)
	}
	w.accept(i)
	return nil
}

var refusals = map[string]string{
	RefusedSelf: "nobody invites themselves", RefusedPerson: "the two memberships look like the same person's",
	RefusedKnown: "the member looks like somebody who is a member already", RefusedCircular: "the one who invites was brought by the member",
	RefusedGone: "the one who invited has left", RefusedHousehold: "the two are in one household", RefusedOff: "the program has no referral",
}

// refer looks whether a purchase is the one that an invitation waits for, and gives what the friend gets for it.
func (w *work) refer(s *scene) ([]*candidate, error) {
	r, pol := w.st.Referral, w.p.Referral
	if r == nil || r.Status != ReferralOpen || pol == nil || w.at.Before(r.At) || r.Until != nil && !w.at.Before(*r.Until) {
		return nil, nil
	}
	look := *s
	look.in, look.basis, look.items = nil, s.basket.total, 0
	for i := range s.basket.lines {
		look.items += s.basket.lines[i].quantity
	}
	ok, why, err := look.holds(pol.When)
	switch {
	case err != nil:
		why = []Note{{Code: CondFormula, Args: Args{"text": text(err.Error())}}}
		ok = false
	case ok && pol.First && w.st.Purchases > 0:
		why = []Note{{Code: CondFirst, Args: Args{"seen": Number(strconv.FormatInt(w.st.Purchases, 10))}}}
		ok = false
	}
	if !ok {
		w.d.Explanation.Rules = append(w.d.Explanation.Rules, RuleTrace{Rule: program.ReferralRule, Why: Note{WhyCondition, nil}, Steps: why})
		return nil, nil
	}
	r.Status, r.Purchase = ReferralQualified, w.f.ID
	w.note(NoteReferralQualified, nil)
	w.event(EvReferralQualified, map[string]string{"by": r.By, "purchase": w.f.ID})
	return w.earn(program.ReferralTrigger, newScene(w.p, w.st, w.at), 0)
}

// welcomed notes what the friend got for the purchase that qualified.
func (w *work) welcomed() {
	r := w.st.Referral
	if r == nil || r.Status != ReferralQualified || r.Purchase != w.f.ID {
		return
	}
	r.Gave, r.GaveAt, r.Lots = map[string]int64{}, w.f.OccurredAt, nil
	for _, a := range w.d.Awards {
		if a.Rule == program.ReferralRule {
			r.Gave[a.Unit] += a.Amount
			r.Lots = append(r.Lots, a.Lot)
		}
	}
}

// unrefer takes the friend's thanks back where too little of the purchase that counted is left.
func (w *work) unrefer(past *Past, bought, after []LineSum, pol program.Returns) error {
	r := w.st.Referral
	if r == nil || r.Status != ReferralQualified || r.Purchase != past.Fact.ID || pol.Earned == "keep" {
		return nil
	}
	var left int64
	whole := true
	for i := range bought {
		left += bought[i].Amount - after[i].Amount
		whole = whole && gone(bought[i], after[i])
	}
	then := w.version(past.Decision.Version).Referral // by which it counted, whatever was agreed on since
	if !whole && (then == nil || stillEnough(then.When, left)) {
		return nil
	}
	if err := w.takeThanks(past, program.ReferralRule, pol.IfSpent); err != nil {
		return err
	}
	w.undoReferral()
	return nil
}

// stillEnough says whether the money that is left meets the lower bounds of a condition.
func stillEnough(c *program.CompiledCondition, left int64) bool {
	if c == nil {
		return true
	}
	for _, b := range []*program.Bounds{c.Total, c.Amount} {
		if b != nil && left < b.From {
			return false
		}
	}
	return !slices.ContainsFunc(c.All, func(part *program.CompiledCondition) bool { return !stillEnough(part, left) })
}

// takeThanks takes back all that is left of what a rule gave by a past fact.
func (w *work) takeThanks(past *Past, rule, ifSpent string) error {
	if w.st.Status == Closed { // who has left owes nothing
		ifSpent = "clamp"
	}
	for i, a := range past.Decision.Awards {
		if a.Rule != rule {
			continue
		}
		var already int64
		for _, c := range past.Children {
			for _, rev := range c.Decision.Reversals {
				if rev.Award == i {
					already += rev.Amount
				}
			}
		}
		n := a.Amount - already
		if n <= 0 {
			continue
		}
		rev, err := w.reverse(w.lotsOf(a.Lot, a.Unit, past.Fact.ID), a.Unit, a.Rule, n, past.Fact.ID, ifSpent)
		if err != nil {
			return err
		}
		rev.Award = i
		w.d.Reversals = append(w.d.Reversals, rev)
		w.countUnit(a.Unit, -n, past.Fact.OccurredAt)
		w.unlimit(a, already, n)
	}
	return nil
}

// undoReferral tells that the purchase that counted does so no longer, and waits for another one where there is time.
func (w *work) undoReferral() {
	r := w.st.Referral
	w.event(EvReferralUndone, map[string]string{"by": r.By, "purchase": r.Purchase})
	w.note(NoteReferralUndone, nil)
	r.Status, r.Purchase, r.Gave, r.GaveAt, r.Lots = ReferralUndone, "", nil, time.Time{}, nil
	if pol := w.p.Referral; pol != nil && !pol.First && (r.Until == nil || w.now.Before(*r.Until)) {
		r.Status = ReferralOpen
	}
}

// missReferral ends the time to qualify.
func (w *work) missReferral() {
	r := w.st.Referral
	if r == nil || r.Status != ReferralOpen || r.Until == nil || r.Until.After(w.at) {
		return
	}
	r.Status = ReferralMissed
	w.note(NoteReferralMissed, nil)
	w.event(EvReferralMissed, map[string]string{"by": r.By})
}

// referralDue is when the time to qualify ends; nil for never.
func (s *State) referralDue() *time.Time {
	if r := s.Referral; r != nil && r.Status == ReferralOpen {
		return r.Until
	}
	return nil
}

// inheritReferral gives the survivor of a merge what the other one was invited by. Where it shows now that nobody new was brought, what was
// given for it is called off, on both sides: one of the two had invited the other, or the one who invited was brought by the survivor, or one of the
// two had bought before the other one was invited.
func (w *work) inheritReferral(c *Carried, other string) {
	disproved := func(r *ReferralState, by string, bought *time.Time) string {
		switch {
		case r.By == by:
			return RefusedSelf
		case slices.Contains(w.f.Merge.Circular, r.By):
			return RefusedCircular
		case bought != nil && bought.Before(r.At):
			return RefusedKnown
		}
		return ""
	}
	mine, theirs := w.st.Referral, c.Referral.clone()
	if mine != nil {
		if why := disproved(mine, other, c.First); why != "" {
			w.refuseReferral(mine, why)
		}
	}
	if theirs == nil {
		return
	}
	theirs.Lots = nil // they have other numbers here, and what had ended has not come along
	for _, l := range w.acc.Lots {
		if l.Fact == theirs.Purchase && l.Open() {
			theirs.Lots = append(theirs.Lots, l.ID)
		}
	}
	if why := disproved(theirs, w.f.Member, w.st.FirstPurchaseAt); why != "" {
		w.refuseReferral(theirs, why)
		if w.st.Referral == nil {
			w.st.Referral = theirs
		}
		return
	}
	if mine == nil && (theirs.Status != ReferralOpen || w.st.Purchases == 0) {
		w.st.Referral = theirs
	}
}

// refuseReferral calls an invitation off that did not bring anybody new.
func (w *work) refuseReferral(r *ReferralState, why string) {
	if r.Status == ReferralQualified {
		w.event(EvReferralUndone, map[string]string{"by": r.By, "purchase": r.Purchase})
		for _, unit := range sortedUnits(r.Gave) {
			w.takeWelcome(unit, r)
		}
	}
	w.note(NoteReferralRefused, Args{"word": word(why)})
	r.Status, r.Purchase, r.Gave, r.GaveAt, r.Lots = ReferralRefused, "", nil, time.Time{}, nil
}

// takeWelcome takes back what the friend got of a unit.
func (w *work) takeWelcome(unit string, r *ReferralState) {
	if w.p.Units[unit] == nil || r.Gave[unit] <= 0 {
		return
	}
	var lots []*ledger.Lot
	for _, l := range w.acc.Lots {
		if l.Unit == unit && (slices.Contains(r.Lots, l.ID) || l.Open() && l.Fact == r.Purchase) {
			lots = append(lots, l)
		}
	}
	if _, err := w.reverse(lots, unit, program.ReferralRule, r.Gave[unit], r.Purchase, w.thanksPolicy()); err != nil {
		w.err = cmp.Or(w.err, err)
	}
	w.countUnit(unit, -r.Gave[unit], r.GaveAt)
}

// thanksRule is the rule whose awards thanks take back, by what they are for.
func thanksRule(what string) string {
	if what == "referral" {
		return program.ReferralThanksRule
	}
	return what
}

// doThanks gives a member what another one's doing brings, or takes it back.
func (w *work) doThanks() error {
	if err := w.notClosed(); err != nil {
		return err
	}
	b := w.f.Thanks
	if b.For == program.RecognitionRule {
		if err := w.thanked(b); err != nil {
			return err
		}
		w.event(EvThanks, map[string]string{"for": b.For, "step": b.Step, "friend": b.From})
		return nil
	}
	if strings.HasPrefix(b.For, program.SharePrefix) {
		if err := w.shared(b); err != nil {
			return err
		}
		w.event(EvThanks, map[string]string{"for": b.For, "step": b.Step, "friend": b.From})
		return nil
	}
	switch b.Step {
	case ThanksJoined:
		w.note(NoteFriendJoined, nil)
	case ThanksUndone:
		if w.in.Past == nil {
			return errs.NotFound("fact_not_found", "There is no such fact.")
		}
		if err := w.takeThanks(w.in.Past, thanksRule(b.For), w.thanksPolicy()); err != nil {
			return err
		}
		w.note(NoteFriendUndone, nil)
	default:
		if b.Refused != "" {
			w.note(NoteReferralRefused, Args{"word": word(b.Refused)})
			break
		}
		trigger := program.ThanksTrigger(b.For)
		w.note(NoteFriendQualified, nil)
		if w.st.Status == Blocked {
			w.none(trigger, WhyBlocked)
			w.note(NoteNothing, nil)
			break
		}
		done, err := w.earn(trigger, newScene(w.p, w.st, w.at), 0)
		if err != nil {
			return err
		}
		w.earned(done)
	}
	w.event(EvThanks, map[string]string{"for": b.For, "step": b.Step, "friend": b.From})
	return nil
}

// FollowUpSource is the source of facts that follow others: nobody else may use it, so that none of them is kept out.
const FollowUpSource = "lojal"

// OwnSource says whether a source is kept for what the program itself records: FollowUpSource, and whatever begins with it and a colon.
func OwnSource(source string) bool {
	return source == FollowUpSource || strings.HasPrefix(source, FollowUpSource+":")
}

// FollowUps are the types of events that something follows from, for somebody else.
var FollowUps = map[string]bool{EvReferralJoined: true, EvReferralQualified: true, EvReferralUndone: true, EvRecognized: true, EvRecognitionUndone: true,
	EvShareClaimed: true, EvShareUsed: true, EvShareUndone: true,
	EvSentHome: true, EvBelongs: true, EvCodeBack: true}

// FollowUp gives the fact that an event of a member brings about for another one, and false when none does. It is always the same
// for an event: its natural key says which, so that it counts once. at is when the event was.
func FollowUp(e Event, member, fact string, at time.Time) (Fact, bool) {
	if !FollowUps[e.Type] {
		return Fact{}, false
	}
	if e.Type == EvCodeBack {
		return codeFollowUp(e, member, Fact{OccurredAt: at})
	}
	if e.Type == EvSentHome || e.Type == EvBelongs {
		return houseFollowUp(e, member, fact, at)
	}
	what, step, _ := strings.Cut(e.Type, ".")
	if what == "share" {
		return followShare(e, step, member, at), true
	}
	of, to, given := cmp.Or(e.Data["purchase"], e.Data["recognition"], fact), e.Data["by"], ThanksEarned
	if what == program.RecognitionRule {
		to, given = e.Data["to"], ThanksGiven
	}
	f := Fact{Kind: ThanksK, Member: to, Source: FollowUpSource, ExternalID: what + "/" + of + "/" + step, OccurredAt: at,
		Thanks: &Thanks{For: what, Step: step, From: member, Of: of}}
	if step == ThanksUndone {
		f.Parent = FollowUpSource + "/" + what + "/" + of + "/" + given
	}
	if step == ThanksGiven {
		n, err := money.Parse(e.Data["amount"])
		if err != nil {
			return Fact{}, false
		}
		f.Thanks.Unit, f.Thanks.Amount, f.Thanks.Value = e.Data["becomes"], &n, e.Data["value"]
	}
	return f, true
}
