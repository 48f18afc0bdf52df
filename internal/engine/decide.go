package engine

import (
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

// NeedsOf says what must be loaded before a fact can be decided.
func NeedsOf(p *program.Compiled, st *State, f Fact) Needs {
	n := Needs{}
	late := st.At
	if f.OccurredAt.After(late) {
		late = f.OccurredAt
	}
	tiers := func(from time.Time) {
		if !st.earns() {
			return
		}
		n.Tallies = append(n.Tallies, tallyRanges(p, from, late)...)
		n.Tallies = append(n.Tallies, momentTallies(p, st, &f)...)
		if st.Seq == 0 {
			return
		}
		for _, t := range p.Counted {
			if name := tallyName(t); t.Metric != "tenure" && !slices.Contains(st.Tallied, name) {
				n.Rebuild = append(n.Rebuild, name)
				if t.Metric == "visits" && !slices.Contains(st.Tallied, visitDays) && !slices.Contains(n.Rebuild, visitDays) {
					n.Rebuild = append(n.Rebuild, visitDays)
				}
			}
		}
	}
	rules := func(trigger string) {
		at := *st
		if f.Kind == Enrolment && f.Enrolment != nil {
			at.Zone = f.Enrolment.Zone
		}
		for _, r := range p.Rules[trigger] {
			n.Tallies = append(n.Tallies, limitTallies(p, &at, r.Limits, f.OccurredAt)...)
		}
		for _, r := range p.Multipliers[trigger] {
			n.Tallies = append(n.Tallies, limitTallies(p, &at, r.Limits, f.OccurredAt)...)
		}
	}
	from := f.OccurredAt
	if st.At.Before(from) {
		from = st.At
	}
	if f.Kind == Enrolment && f.Enrolment != nil && f.Enrolment.Kind != Person {
		return n
	}
	tiers(from) // every fact looks at the tiers when it is done
	switch f.Kind {
	case Enrolment:
		rules("enrolment")
	case PurchaseK:
		rules("purchase")
		if st.Referral != nil && st.Referral.Status == ReferralOpen {
			rules(program.ReferralTrigger)
		}
		n.Tallies = append(n.Tallies, challengeTallies(p, st, "purchase", f.OccurredAt)...)
		if f.Purchase != nil {
			n.Redemptions = f.Purchase.Redemptions
			for _, s := range f.Purchase.Spend {
				n.Lots = true
				n.Tallies = append(n.Tallies, rewardTallies(p, st, p.Rewards[s.Reward], f.AskedAt())...)
			}
		}
	case ReturnK:
		n.Past, n.Lots = []string{f.Parent}, true
		for i := range st.Settled {
			n.LotIDs = append(n.LotIDs, st.Settled[i].Lots...)
		}
		for _, h := range p.ChallengesOn["purchase"] { // the window of the purchase is known only when it is loaded
			n.Tallies = append(n.Tallies, challengeRanges(st, h, "")...)
		}
		// The day of the purchase is known only when it is loaded: ask for all visit days, where they count.
		for i := range n.Tallies {
			if n.Tallies[i].Name == visitDays || len(p.TierRules) > 0 && !strings.Contains(n.Tallies[i].Name, "limit:") {
				n.Tallies[i].From, n.Tallies[i].To = "", "~"
			}
		}
	case ActivityK:
		if f.Activity != nil {
			rules("activity:" + f.Activity.Kind)
			n.Tallies = append(n.Tallies, challengeTallies(p, st, "activity:"+f.Activity.Kind, f.OccurredAt)...)
			n.Lots = p.Confirms["activity:"+f.Activity.Kind]
		}
	case Redeem, Reserve:
		n.Lots = true
		if f.Redemption != nil {
			n.Tallies = append(n.Tallies, rewardTallies(p, st, p.Rewards[f.Redemption.Reward], f.AskedAt())...)
		}
	case VoucherK:
		n.Redemptions = []string{f.Parent}
	case FulfilK:
		n.Lots, n.Redemptions = true, []string{f.Parent}
	case Commit, Cancel, Refund:
		n.Lots, n.Redemptions = true, []string{f.Parent}
	case TransferOut:
		n.Lots = true
		n.Tallies = append(n.Tallies, limitTallies(p, st, p.TransferLimits, f.AskedAt())...)
	case MergeOut:
		n.Lots, n.AllTallies = true, true
	case Release:
		n.Lots, n.Past = true, []string{f.Parent}
		if f.Parent == "" {
			n.Past = nil
		}
	case PartnerK:
		n.Lots, n.Tallies = true, append(n.Tallies, partnerTallies(p, st, f)...)
		if f.Parent != "" {
			n.Past = []string{f.Parent}
		}
	case ShareK:
		if b := f.Share; b != nil && b.Do == ShareMake && p.Shares[b.Share] != nil {
			n.Tallies = append(n.Tallies, limitTallies(p, st, p.Shares[b.Share].Limits, f.AskedAt())...)
		}
		if f.Parent != "" {
			n.Past = []string{f.Parent}
		}
	case CouponK:
		c := couponNeeds(p, st, f)
		n.Past, n.Tallies = c.Past, append(n.Tallies, c.Tallies...)
	case RecognitionK:
		n.Lots, n.Tallies = true, append(n.Tallies, recognitionTallies(p, st, f)...)
		if f.Parent != "" {
			n.Past = []string{f.Parent}
		}
	case ThanksK:
		if f.Thanks != nil && f.Thanks.Step == ThanksEarned {
			rules(program.ThanksTrigger(f.Thanks.For))
		}
		if f.Thanks != nil && f.Thanks.For == program.RecognitionRule {
			n.Tallies = append(n.Tallies, thankedTallies(p, st, f)...)
		}
		if f.Parent != "" {
			n.Past, n.Lots = []string{f.Parent}, true
		}
	case ProfileK, TierGrant, GrantK, InvitedK, HouseK: // no more than the tiers
	case PlanK:
		if f.Plan != nil {
			rules("plan:" + f.Plan.Plan)
			rules("plan:" + f.Plan.To)
		}
	case UseK:
		if f.Parent != "" && f.Use != nil && f.Use.Undo {
			n.Past = []string{f.Parent}
		}
		if f.Use != nil {
			if b := p.Benefit(f.Use.Benefit); b != nil {
				n.Tallies = append(n.Tallies, limitTallies(p, st, b.Limits, f.AskedAt())...)
			}
		}
	default: // enough for anything that may touch lots and tiers
		n.Lots = true
		if f.Kind == MergeIn && st.Referral != nil { // it may turn out to have brought nobody new
			n.LotIDs = st.Referral.Lots
		}
		n.Tallies = append(n.Tallies, HandOverTallies(p, st, f.OccurredAt)...)
		n.Tallies = append(n.Tallies, moreChallengeTallies(p, st, f)...)
		n.Tallies = append(n.Tallies, mergedThanks(p, st, &f)...)
		for _, id := range nextPlans(p, st, f.OccurredAt) {
			rules("plan:" + id)
		}
	}
	return n
}

// Decide decides a fact. The account given is not changed; the one returned is what the member has after it. An error is
// an *errs.Error and means that the fact is refused as a whole and nothing follows from it.
func Decide(p *program.Compiled, in Input) (Decision, *Account, error) {
	w := newWork(p, in)
	if in.Fact.Member == "" {
		return w.guest()
	}
	w.allLots = NeedsOf(p, &in.Account.State, in.Fact).Lots
	if w.st.Seq == 0 && in.Fact.Kind != Enrolment {
		return Decision{}, nil, errs.NotFound("member_not_found", "There is no such member.")
	}
	if err := w.fits(); err != nil {
		return Decision{}, nil, err
	}
	if w.st.Status == Merged {
		return Decision{}, nil, errs.Conflict("member_merged", "This member was merged into another.").With("member", w.st.MergedInto)
	}
	w.recount(in.Rebuilt)
	if err := w.decide(); err != nil {
		return Decision{}, nil, refusal(err)
	}
	return w.seal()
}

// recount takes over the metrics that were counted anew. They are no change that the fact makes: the flow sets them.
// A metric that this version does not count is complete no longer, so that a later version counts it anew.
func (w *work) recount(rebuilt map[string]map[string]int64) {
	known := TallyNames(w.p)
	w.st.Tallied = slices.DeleteFunc(w.st.Tallied, func(name string) bool { return !slices.Contains(known, name) })
	for _, name := range slices.Sorted(maps.Keys(rebuilt)) {
		w.acc.Tallies[name] = maps.Clone(rebuilt[name])
		if w.acc.Tallies[name] == nil {
			w.acc.Tallies[name] = map[string]int64{}
		}
		w.st.Tallied = append(w.st.Tallied, name)
	}
}

// refusal makes an *errs.Error of what went wrong: arithmetic that does not fit is the fact's fault.
func refusal(err error) error {
	if errs.CodeOf(err) == errs.CodeInternal {
		return errs.Invalid("too_large", "The amounts are too large to be computed exactly.").Because(err)
	}
	return err
}

func (w *work) decide() error {
	if err := w.mayFor(); err != nil {
		return err
	}
	if w.at.Before(w.st.At) && w.f.Kind != Due && w.f.Kind != Enrolment {
		w.note(NoteLate, Args{"time": Time(w.at)})
	}
	switch w.f.Kind {
	case Enrolment:
		return w.doEnrol()
	case PurchaseK:
		return w.doPurchase()
	case ReturnK:
		return w.then(w.doReturn())
	case ActivityK:
		return w.doActivity()
	case Reserve:
		return w.then(w.doRedeem(true))
	case Redeem:
		return w.then(w.doRedeem(false))
	case Commit:
		return w.then(w.doCommit())
	case Cancel:
		return w.then(w.doCancel())
	case Refund:
		return w.then(w.doRefund())
	case AdjustmentK:
		return w.then(w.doAdjust())
	case TransferOut:
		return w.then(w.doGive())
	case TransferIn:
		return w.then(w.doReceive())
	case Release:
		return w.then(w.doRelease())
	case TierGrant:
		return w.doTier()
	case GrantK:
		return w.then(w.doGrant())
	case ChallengeK:
		return w.then(w.doChallenge())
	case ProfileK:
		w.doProfile()
		return w.then(nil)
	case PlanK:
		return w.doPlan()
	case UseK:
		return w.then(w.doUse())
	case Status:
		return w.then(w.doStatus())
	case MergeOut:
		return w.doMergeOut()
	case MergeIn:
		return w.then(w.doMergeIn())
	case InvitedK:
		return w.then(w.doInvited())
	case ThanksK:
		return w.then(w.doThanks())
	case Load:
		return w.doLoad()
	case VoucherK:
		return w.then(w.doVoucher())
	case PartnerK:
		return w.then(w.doPartner())
	case ShareK:
		return w.then(w.doShare())
	case CouponK:
		return w.then(w.doCoupon())
	case RecognitionK:
		return w.then(w.doRecognition())
	case HouseK:
		return w.then(w.doHouse())
	case FulfilK:
		return w.then(w.doFulfil())
	case Due:
		return w.doDue()
	}
	return errs.Invalid("unknown_kind", "There is no fact of kind "+strconv.Quote(string(w.f.Kind))+".")
}

// then looks at the tiers after a step that may have moved what they count.
func (w *work) then(err error) error {
	if err == nil && w.st.earns() {
		w.settleTiers(false)
	}
	return err
}

// mayAct says whether the member may spend.
func (w *work) mayAct() error {
	switch w.st.Status {
	case Blocked:
		if w.st.Kind == GiftCard {
			return w.st.CardUsable(w.p)
		}
		return errs.Forbidden("member_blocked", "This member is blocked and cannot spend.")
	case Closed:
		return w.notClosed()
	}
	return nil
}

func (w *work) notClosed() error {
	if w.st.Status == Closed {
		if w.st.Kind == GiftCard {
			return w.st.CardUsable(w.p)
		}
		if IsHouse(w.st.Kind) {
			return errs.Conflict("member_closed", "This "+w.st.Kind+" is closed.")
		}
		return errs.Conflict("member_closed", "This member has left the program.")
	}
	return nil
}

// guest decides a purchase of nobody: nothing is earned, and every rule says why.
func (w *work) guest() (Decision, *Account, error) {
	if w.f.Kind != PurchaseK {
		return Decision{}, nil, errs.Invalid("member_required", "Say which member this is about.", errs.Field{Pointer: "/member", Reason: "required", Message: "is missing"})
	}
	if w.f.Brings() {
		return Decision{}, nil, errs.Invalid("member_required", "What is used with a purchase is kept with it, and a purchase of nobody is not kept: say who buys, or use the code by itself.",
			errs.Field{Pointer: "/member", Reason: "required", Message: "is missing"})
	}
	b, err := w.basket()
	if err != nil {
		return Decision{}, nil, err
	}
	if w.d.Lines, err = b.sums(); err != nil {
		return Decision{}, nil, refusal(err)
	}
	w.none("purchase", WhyNoMember)
	w.note(NoteNothing, nil)
	return *w.d, w.acc, nil
}

func (w *work) none(trigger, why string) {
	for _, list := range [][]*program.CompiledRule{w.p.Rules[trigger], w.p.Multipliers[trigger]} {
		for _, r := range list {
			w.d.Explanation.Rules = append(w.d.Explanation.Rules, RuleTrace{Rule: r.ID, DryRun: r.DryRun, Why: Note{Code: why}})
		}
	}
}

func (w *work) basket() (*basket, error) {
	b, fields := readPurchase(w.p, w.f.Purchase)
	if len(fields) > 0 {
		return nil, errs.Invalid("invalid_purchase", "The purchase has mistakes.", fields...)
	}
	return b, nil
}

func (w *work) doEnrol() error {
	if w.st.Seq > 0 {
		return errs.Conflict("already_member", "This member is enrolled already.")
	}
	if b := w.f.Enrolment; b != nil && b.Kind == GiftCard {
		return w.issueCard()
	} else if b != nil && IsHouse(b.Kind) {
		return w.openHouse(b.Kind)
	}
	if b := w.f.Enrolment; b != nil && b.Kind == CouponCode {
		return w.issueCoupon()
	}
	w.st.Status, w.st.JoinedAt, w.st.At = Active, w.at, w.at
	if b := w.f.Enrolment; b != nil {
		w.st.Zone, w.st.Language, w.st.Attributes, w.st.Birthday = b.Zone, b.Language, b.Attributes, b.Birthday
	}
	w.st.Tallied = TallyNames(w.p)
	w.event(EvEnrolled, map[string]string{})
	if b := w.f.Enrolment; b != nil && b.Invited != nil {
		w.accept(b.Invited)
	}
	w.settleTiers(false)
	s := w.scene()
	if w.f.Enrolment != nil {
		s.store, s.channel = w.f.Enrolment.Store, w.f.Enrolment.Channel
	}
	done, err := w.earn("enrolment", s, 0)
	if err != nil {
		return err
	}
	w.earned(done)
	return nil
}

// doProfile takes over what rules may ask about the member. It refuses nothing: the profile itself is changed already.
func (w *work) doProfile() {
	if b := w.f.Enrolment; b != nil {
		w.st.Zone, w.st.Language, w.st.Attributes, w.st.Birthday = b.Zone, b.Language, b.Attributes, b.Birthday
	}
	w.event(EvProfile, map[string]string{})
}

// earned issues what the rules gave, counts it and looks at the tiers.
func (w *work) earned(done []*candidate) {
	w.award(done)
	if len(w.d.Awards) == 0 && w.f.Kind != Due && !w.counting() {
		w.note(NoteNothing, nil)
	}
	w.settleTiers(false)
}

// award issues what the rules gave and counts it.
func (w *work) award(done []*candidate) {
	before := len(w.d.Awards)
	w.issue(done, w.f.ID)
	for _, a := range w.d.Awards[before:] {
		w.countUnit(a.Unit, a.Amount, w.f.OccurredAt)
	}
}

// counting says whether challenges have a say in whether a fact brought anything.
func (w *work) counting() bool {
	return len(w.p.ChallengesOn) > 0 && (w.f.Kind == PurchaseK || w.f.Kind == ActivityK)
}

// counts lets a fact count for challenges after a fact has earned, and looks at the tiers where that gave more.
func (w *work) counts(trigger string, s *scene, done []*candidate, paidPoints int64) error {
	if len(w.p.ChallengesOn) == 0 {
		return nil
	}
	before := len(w.d.Awards)
	if err := w.count(trigger, s, done, paidPoints); err != nil {
		return err
	}
	if len(w.d.Awards)+len(w.d.Counts) == 0 {
		w.note(NoteNothing, nil)
	}
	if len(w.d.Awards) > before {
		w.settleTiers(false)
	}
	return nil
}

func (w *work) doPurchase() error {
	if err := w.notClosed(); err != nil {
		return err
	}
	b, err := w.basket()
	if err != nil {
		return err
	}
	if w.d.Lines, err = b.sums(); err != nil {
		return err
	}
	b.net = w.d.Lines
	body := w.f.Purchase
	if b.from != "" {
		w.note(StepRate, Args{"from": text(b.from), "rate": Number(b.rate), "to": Money(b.total)})
	}
	w.event(EvPurchase, map[string]string{"total": money.Format(b.total, w.p.Exponent), "currency": w.p.Doc.Currency})
	if len(body.Codes) > 0 {
		if err := w.broughtCodes(body); err != nil {
			return err
		}
	}
	paid, err := w.link(b, body.Redemptions)
	if err != nil {
		return err
	}
	if w.st.Status == Blocked {
		w.none("purchase", WhyBlocked)
		w.note(NoteNothing, nil)
		if len(body.Spend) > 0 || len(body.Codes) > 0 {
			return w.mayAct()
		}
		if err := w.countPurchase(b, paid); err != nil {
			return err
		}
		return w.boughtLate(b, paid)
	}
	first := w.spendsFirst()
	if first {
		n, err := w.spend(b, paid, w.scene())
		if err != nil {
			return err
		}
		paid += n
	}
	s := newScene(w.p, w.st, w.at)
	s.basket, s.purchase, s.store, s.channel = b, body, body.Store, body.Channel
	before := w.tiersAt(w.at, false)
	if err := w.countPurchase(b, paid); err != nil {
		return err
	}
	w.st.Purchases-- // the rules still see the number before this one
	s.tier = w.tiersAt(w.at, true)
	for _, id := range w.p.TierIDs {
		if w.p.Tiers[id].CurrentPurchase == "next" {
			s.tier[id] = before[id]
		}
	}
	if len(body.Codes) > 0 {
		if err := w.mayBring(s); err != nil {
			return err
		}
	}
	done, err := w.earn("purchase", s, paid)
	if err != nil {
		return err
	}
	more, err := w.refer(s)
	if err != nil {
		return err
	}
	w.st.Purchases++
	w.earned(append(done, more...))
	w.welcomed()
	if err := w.counts("purchase", s, done, paid); err != nil {
		return err
	}
	if err := w.boughtLate(b, paid); err != nil {
		return err
	}
	if !first {
		if _, err := w.spend(b, paid, w.scene()); err != nil {
			return err
		}
	}
	return nil
}

// boughtLate corrects what was given for a period that was over when the purchase came.
func (w *work) boughtLate(b *basket, paid int64) error {
	before := len(w.d.Awards)
	err := w.resettle(w.at, w.f.Member, func(t *program.CompiledTierSet) (int64, error) {
		_, n, err := spendOf(t, b, w.f.Purchase.Store, w.f.Purchase.Channel, paid)
		return n, err
	})
	if len(w.d.Awards) > before {
		w.settleTiers(false)
	}
	return err
}

// countPurchase counts a purchase for tiers and for the member.
func (w *work) countPurchase(b *basket, paid int64) error {
	w.pinFades()
	w.st.Purchases++
	at := w.at
	if w.st.FirstPurchaseAt == nil || at.Before(*w.st.FirstPurchaseAt) {
		w.st.FirstPurchaseAt = &at
	}
	if w.st.LastPurchaseAt == nil || at.After(*w.st.LastPurchaseAt) {
		w.st.LastPurchaseAt = &at
	}
	return w.countMetrics(at, 1, func(t *program.CompiledTierSet) (int64, error) {
		_, n, err := spendOf(t, b, w.f.Purchase.Store, w.f.Purchase.Channel, paid)
		return n, err
	}, true, true, "")
}

// spendsFirst says whether a purchase is paid before it earns: because what it earns may not pay it, or because what is paid
// with points earns nothing and must be known by then.
func (w *work) spendsFirst() bool {
	if len(w.f.Purchase.Spend) == 0 {
		return false
	}
	if w.p.Doc.Spending.Own == "later" {
		return true
	}
	lower := func(b *program.Basis) bool { return b != nil && b.PaidWithPoints == "excluded" }
	for _, r := range w.p.Rules["purchase"] {
		if lower(r.Rule.Basis) {
			return true
		}
	}
	for _, t := range w.p.Counted {
		if lower(t.By.Basis) {
			return true
		}
	}
	return false
}

func (w *work) doActivity() error {
	if err := w.notClosed(); err != nil {
		return err
	}
	if err := checkActivity(w.p, w.f.Activity); err != nil {
		return err
	}
	b := w.f.Activity
	trigger := "activity:" + b.Kind
	w.event(EvActivity, map[string]string{"kind": b.Kind})
	if w.p.Confirms[trigger] {
		for _, l := range w.acc.Lots {
			if l.Confirm == trigger && l.Pending > 0 && (b.Confirms == "" || l.Fact == w.f.Parent) {
				w.release(l, l.Fact)
			}
		}
	}
	if w.st.Status == Blocked {
		w.none(trigger, WhyBlocked)
		w.note(NoteNothing, nil)
		return nil
	}
	if err := w.countMetrics(w.at, 1, nil, false, isVisit(b.Kind), b.Kind); err != nil {
		return err
	}
	s := newScene(w.p, w.st, w.at)
	s.activity, s.store, s.channel = b, b.Store, b.Channel
	s.tier = w.tiersAt(w.at, true)
	done, err := w.earn(trigger, s, 0)
	if err != nil {
		return err
	}
	w.earned(done)
	return w.counts(trigger, s, done, 0)
}

func checkActivity(p *program.Compiled, a *Activity) error {
	def, ok := p.Doc.Activities[a.Kind]
	if !ok {
		known := slices.Sorted(maps.Keys(p.Doc.Activities))
		return errs.Invalid("unknown_activity", "The program has no such activity.", errs.Field{Pointer: "/kind", Reason: "unknown_activity",
			Message: strconv.Quote(a.Kind) + " is not one of the program's activities: " + strings.Join(known, ", ")})
	}
	var fields []errs.Field
	for _, name := range slices.Sorted(maps.Keys(a.Properties)) {
		at := "/properties/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
		v := a.Properties[name]
		kind, known := def.Properties[name]
		bad := ""
		switch {
		case !known:
			bad = "is not a property of " + a.Kind
		case kind == "whole":
			if _, err := strconv.ParseInt(v, 10, 64); err != nil {
				bad = "must be a whole number"
			}
		case kind == "number":
			d, err := money.Parse(v)
			if err == nil {
				_, err = d.Minor(quantityScale)
			}
			if err != nil {
				bad = "must be a number with at most three decimals, such as 12.5"
			}
		case kind == "yes/no":
			if v != "yes" && v != "no" && v != "true" && v != "false" {
				bad = "must be yes or no"
			}
		case len(v) > 1000:
			bad = "is longer than 1,000 characters"
		}
		if bad != "" {
			fields = append(fields, errs.Field{Pointer: at, Reason: "invalid_property", Message: bad})
		}
	}
	if len(fields) > 0 {
		return errs.Invalid("invalid_activity", "The activity has mistakes.", fields...)
	}
	return nil
}

// Check looks at the form of a fact without deciding it: all mistakes at once, with pointers below the body.
func Check(p *program.Compiled, f Fact) error {
	switch {
	case f.Kind == PurchaseK && f.Purchase != nil:
		if _, fields := readPurchase(p, f.Purchase); len(fields) > 0 {
			return errs.Invalid("invalid_purchase", "The purchase has mistakes.", fields...)
		}
	case f.Kind == ActivityK && f.Activity != nil:
		return checkActivity(p, f.Activity)
	case f.Kind == AdjustmentK && f.Adjustment != nil:
		_, err := checkAdjustment(p, f.Adjustment)
		return err
	}
	return nil
}

// units reads a positive amount of a unit.
func (w *work) units(unit string, d money.Decimal, pointer string) (int64, error) {
	u := w.p.Units[unit]
	n, err := d.Minor(u.Precision)
	if err != nil || n <= 0 || n > maxHolding {
		return 0, errs.Invalid("not_an_amount", "The amount cannot be used.", errs.Field{Pointer: pointer, Reason: "not_an_amount",
			Message: "must be more than 0 and have at most " + strconv.Itoa(u.Precision) + " decimals"})
	}
	return n, nil
}

// Sums gives what a decision earned of each unit, in minor units.
func (d *Decision) Sums() map[string]int64 {
	out := map[string]int64{}
	for _, p := range d.Postings {
		if p.From == ledger.Issued {
			out[p.Unit] += p.Amount
		}
	}
	return out
}
