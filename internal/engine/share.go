package engine

import (
	"slices"
	"strings"
	"time"

	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/program"
)

// What a member passes on is told in the giver's books: that a code was made, and that it was claimed, so that it is claimed once whoever
// brings the code. The friend's grant, and the giver's thanks when the friend uses it, follow from the events (FollowUp), each in
// the books of its own member.

// What is done with something that is passed on.
const (
	ShareMake  = "make"
	ShareClaim = "claim" // Fact.Parent is what was made
	ShareVoid  = "void"
)

// ShareBody passes something on, or says what becomes of it.
type ShareBody struct {
	// Do is one of the words above.
	Do string `json:"do"`
	// Share is the id of what is passed on.
	Share string `json:"share,omitempty"`
	// To is the friend who claims it.
	To string `json:"to,omitempty"`
	// Refused is why the friend cannot have it, as the flow saw it; one of the Refused words.
	Refused string `json:"refused,omitempty"`
}

// RefusedTaken is why somebody who had the same from another friend does not get it again.
const RefusedTaken = "taken"

// PassedOn is something that a member passed on and nobody has claimed.
type PassedOn struct {
	// ID is the fact that made it.
	ID    string    `json:"id"`
	Share string    `json:"share"`
	At    time.Time `json:"at"`
	// Until is when it can be claimed no more.
	Until time.Time `json:"until"`
}

// ThanksClaimed is a step of thanks for something that was passed on, besides ThanksEarned and ThanksUndone.
const ThanksClaimed = "claimed" // the friend is given it

// what names what is passed on in a note.
func sharedThing(s *program.CompiledShared) Value {
	g := Grant{Reward: s.Reward, Benefit: s.Benefit}
	return g.what()
}

func (w *work) doShare() error {
	switch b := w.f.Share; b.Do {
	case ShareMake:
		return w.makeShare(b)
	case ShareClaim:
		return w.claimShare(b)
	case ShareVoid:
		if err := w.notClosed(); err != nil {
			return err
		}
		i := w.passedAt()
		if i < 0 {
			return w.shareGone()
		}
		w.dropShare(i, "void", NoteShareVoid)
		return nil
	}
	return errs.Invalid("invalid_share", "Sharing has no such step.", errs.Field{Pointer: "/do", Reason: "unknown_step", Message: "must be make, claim or void"})
}

func (w *work) passedAt() int {
	return slices.IndexFunc(w.st.Passed, func(p PassedOn) bool { return p.ID == w.f.Parent })
}

func (w *work) makeShare(b *ShareBody) error {
	if err := w.mayAct(); err != nil {
		return err
	}
	s := w.p.Shares[b.Share]
	if s == nil {
		return errs.NotFound("share_not_found", "The program has no such thing to share.").With("share", b.Share)
	}
	ok, why, err := w.scene().holds(s.When)
	if err != nil {
		return errs.Invalid("condition_failed", "The condition could not be worked out.").Because(err)
	}
	if !ok {
		codes := make([]string, 0, len(why))
		for _, n := range why {
			codes = append(codes, n.Code)
		}
		return errs.Forbidden("share_not_allowed", "This member may not pass this on now.").With("share", s.ID).With("why", codes)
	}
	asked := w.f.AskedAt()
	sc := newScene(w.p, w.st, asked)
	for _, l := range s.Limits {
		period, name := program.PeriodKey(l.Per, asked, sc.zone(l.Zone)), limitName(l)+"/times"
		if l.Times >= 0 && w.acc.Tallies[name][period]+1 > l.Times {
			return errs.Conflict("limit_reached", "This has been passed on as often as it may be for this "+l.Per+".").With("per", l.Per)
		}
		if l.Times >= 0 {
			w.tally(name, period, 1)
		}
	}
	p := PassedOn{ID: w.f.ID, Share: s.ID, At: w.at, Until: s.Claim.After(w.at, w.p.Zone)}
	w.st.Passed = append(w.st.Passed, p)
	w.note(NoteShareMade, Args{"reward": sharedThing(s), "time": Time(p.Until)})
	w.event(EvShareMade, map[string]string{"share": s.ID, "of": p.ID, "until": w.stamp(p.Until)})
	return nil
}

// shareGone says what became of something that nobody can claim.
func (w *work) shareGone() error {
	past := w.in.Past
	if past == nil || past.Fact.Share == nil || past.Fact.Share.Do != ShareMake {
		return errs.NotFound("share_not_found", "There is no such thing to claim.")
	}
	for _, c := range past.Children {
		if c.Fact.Share != nil && c.Fact.Share.Do == ShareClaim {
			return errs.Conflict("share_claimed", "This was claimed already.")
		}
	}
	return errs.Conflict("share_ended", "This can be claimed no more.")
}

func (w *work) claimShare(b *ShareBody) error {
	if err := w.mayAct(); err != nil {
		return err
	}
	i := w.passedAt()
	if i < 0 {
		return w.shareGone()
	}
	p := w.st.Passed[i]
	s := w.p.Shares[p.Share]
	if s == nil || !p.Until.After(w.at) {
		return errs.Conflict("share_ended", "This can be claimed no more.").With("until", w.stamp(p.Until))
	}
	refused := b.Refused
	if b.To == w.f.Member {
		refused = RefusedSelf
	}
	if why := refusedTo[refused]; why != "" {
		return errs.Forbidden("share_refused", "This member cannot have it: "+why+".").With("why", refused)
	}
	w.st.Passed = slices.Delete(w.st.Passed, i, i+1)
	w.note(NoteShareClaimed, Args{"reward": sharedThing(s)})
	w.event(EvShareClaimed, map[string]string{"share": s.ID, "of": p.ID, "to": b.To})
	return nil
}

// dropShare ends something that nobody claimed.
func (w *work) dropShare(i int, reason, note string) {
	p := w.st.Passed[i]
	w.st.Passed = slices.Delete(w.st.Passed, i, i+1)
	args := Args{"reward": text(p.Share)}
	if s := w.p.Shares[p.Share]; s != nil {
		args["reward"] = sharedThing(s)
	}
	w.note(note, args)
	w.event(EvShareEnded, map[string]string{"share": p.Share, "of": p.ID, "reason": reason})
}

// dueShares ends what nobody claimed in time.
func (w *work) dueShares() {
	for i := 0; i < len(w.st.Passed); {
		if w.st.Passed[i].Until.After(w.at) {
			i++
			continue
		}
		w.dropShare(i, "lapsed", NoteShareEnded)
	}
}

// endShares ends all that nobody has claimed of a member who leaves.
func (w *work) endShares() {
	for len(w.st.Passed) > 0 {
		w.dropShare(0, "closed", NoteShareEnded)
	}
}

// sharesDue is the next moment at which something passed on ends; nil for none.
func (s *State) sharesDue() (due *time.Time) {
	for i := range s.Passed {
		due = earliest(due, &s.Passed[i].Until)
	}
	return due
}

// inheritShares gives the survivor of a merge what the other one passed on and took. Who passed something on to themselves shows now: their
// friend's use of it brings them nothing.
func (w *work) inheritShares(c *Carried, other string) {
	w.st.Passed = append(w.st.Passed, c.Passed...)
	for _, id := range c.Taken {
		if !slices.Contains(w.st.Taken, id) {
			w.st.Taken = append(w.st.Taken, id)
		}
	}
	for i := range w.st.Grants {
		if g := &w.st.Grants[i]; g.By == other || g.By == w.f.Member {
			g.By = ""
			w.d.Grants = append(w.d.Grants, *g)
		}
	}
}

// shared is what follows for a member from something that was passed on: the friend gets it, the giver is thanked, or that is taken back.
func (w *work) shared(b *Thanks) error {
	id := strings.TrimPrefix(b.For, program.SharePrefix)
	s := w.p.Shares[id]
	args := Args{"reward": text(id)}
	if s != nil {
		args["reward"] = sharedThing(s)
	}
	switch b.Step {
	case ThanksClaimed:
		if s == nil || slices.Contains(w.st.Taken, id) || w.st.Status == Blocked {
			w.note(NoteShareNot, args)
			return nil
		}
		w.st.Taken = append(w.st.Taken, id)
		_, ends, warns := w.grantTerms(nil, s.Valid, s.Warn)
		w.note(NoteShareGot, args)
		w.grant(Grant{Reward: s.Reward, Benefit: s.Benefit, Source: b.For, By: b.From, Of: b.Of, Uses: max(s.Uses, 1), EndsAt: ends, WarnAt: warns})
		return nil
	case ThanksUndone:
		if w.in.Past == nil {
			return errs.NotFound("fact_not_found", "There is no such fact.")
		}
		if err := w.takeThanks(w.in.Past, b.For, w.thanksPolicy()); err != nil {
			return err
		}
		w.note(NoteShareUndone, args)
		return nil
	}
	w.note(NoteShareUsed, args)
	trigger := program.ThanksTrigger(b.For)
	if w.st.Status == Blocked {
		w.none(trigger, WhyBlocked)
		return nil
	}
	if len(w.p.Rules[trigger]) == 0 {
		return nil
	}
	done, err := w.earn(trigger, newScene(w.p, w.st, w.at), 0)
	if err == nil {
		w.earned(done)
	}
	return err
}

// tellShared tells, for who passed it on, that a grant was used for the first time, or that this use was undone. use names the redemption, or
// the fact that used a benefit.
func (w *work) tellShared(event string, g *Grant, use string) {
	if g.By == "" || g.Used > 0 { // the grant as it was before its use
		return
	}
	w.event(event, map[string]string{"share": strings.TrimPrefix(g.Source, program.SharePrefix), "by": g.By, "of": g.Of, "use": use})
}

// followShare is FollowUp of something that was passed on.
func followShare(e Event, step, member string, at time.Time) Fact {
	f := Fact{Kind: ThanksK, Member: e.Data["by"], Source: FollowUpSource, OccurredAt: at,
		Thanks: &Thanks{For: program.SharePrefix + e.Data["share"], Step: step, From: member, Of: e.Data["of"]}}
	key := "share/" + e.Data["of"]
	switch step {
	case ThanksClaimed:
		f.Member = e.Data["to"]
	case "used":
		f.Thanks.Step = ThanksEarned
		key += "/" + e.Data["use"]
	default:
		key += "/" + e.Data["use"]
		f.Parent = FollowUpSource + "/" + key + "/used"
	}
	f.ExternalID = key + "/" + step
	return f
}

// NotForThem says why a member may not have something that is passed on, as far as their own account tells; "" when they may.
func NotForThem(s *program.CompiledShared, st *State) string {
	switch {
	case slices.Contains(st.Taken, s.ID):
		return RefusedTaken
	case s.For != "everybody" && st.FirstPurchaseAt != nil:
		return RefusedKnown
	}
	return ""
}
