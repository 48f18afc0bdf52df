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

// What people do by hand: adjust, give, release, set tiers, block, close, merge.

// checkAdjustment reads an adjustment's amount in minor units (of To, where that is given).
func checkAdjustment(p *program.Compiled, a *Adjustment) (int64, error) {
	var fields []errs.Field
	fail := func(pointer, reason, message string) {
		fields = append(fields, errs.Field{Pointer: pointer, Reason: reason, Message: message})
	}
	if strings.TrimSpace(a.Reason) == "" {
		fail("/reason", "required", "say why; the member can read it")
	} else if len(a.Reason) > 1000 {
		fail("/reason", "too_long", "is longer than 1,000 characters")
	}
	u := p.Units[a.Unit]
	var n int64
	switch {
	case a.Challenge != "":
		n, fields = checkCountByHand(p, a, fields)
	case u == nil:
		fail("/unit", "unknown_unit", "the program's units are "+strings.Join(p.UnitIDs, ", "))
	case (a.Amount == nil) == (a.To == nil):
		fail("/amount", "required", "say either amount (more or less) or to (the balance it should be)")
	default:
		d, at := a.Amount, "/amount"
		if d == nil {
			d, at = a.To, "/to"
		}
		var err error
		if n, err = d.Minor(u.Precision); err != nil || n > maxHolding || n < -maxHolding {
			fail(at, "not_an_amount", "has more than "+strconv.Itoa(u.Precision)+" decimals or is too large")
		} else if a.Amount != nil && n == 0 || a.To != nil && n < 0 {
			fail(at, "not_an_amount", "must not be zero (amount) or below zero (to)")
		}
	}
	if a.ExpiresAt != nil && a.NeverExpires {
		fail("/never_expires", "contradiction", "goes without expires_at")
	}
	if len(fields) > 0 {
		return 0, errs.Invalid("invalid_adjustment", "The adjustment has mistakes.", fields...)
	}
	return n, nil
}

func (w *work) doAdjust() error {
	a := w.f.Adjustment
	if a.Challenge != "" {
		return w.adjustChallenge()
	}
	n, err := checkAdjustment(w.p, a)
	if err != nil {
		return err
	}
	if err := w.notClosed(); err != nil {
		return err
	}
	if a.To != nil {
		n -= w.holding(a.Unit).Balance()
	}
	w.note(NoteAdjusted, Args{"amount": Units(a.Unit, n), "text": text(a.Reason)})
	w.unitEvent(EvAdjusted, a.Unit, n)
	w.touch(a.Unit)
	if n > 0 {
		t := w.termsOf(nil, a.Unit, w.f.ID)
		switch {
		case a.NeverExpires:
			t.expires, t.warn = nil, nil
		case a.ExpiresAt != nil:
			t.expires, t.warn = a.ExpiresAt, nil
		}
		if err := w.keepsAllowance(a, t.expires); err != nil {
			return err
		}
		t.release = a.ReleaseAt
		lot := w.put(t, n, ledger.Adjusted, "")
		w.payDebt(lot)
		return nil
	}
	_, missing := w.take(a.Unit, -n, ledger.Adjusted, "")
	if missing > 0 && !a.AllowDebt {
		have := -n - missing
		return errs.Insufficient("balance_too_low", "The balance is too low to take that away.").With("unit", a.Unit).
			With("balance", w.amount(a.Unit, have)).With("missing", w.amount(a.Unit, missing))
	}
	w.owe(a.Unit, missing, ledger.Adjusted, "")
	return nil
}

// keepsAllowance sees that what is given by hand of the allowance of recognition ends no later than it would by itself.
func (w *work) keepsAllowance(a *Adjustment, ends *time.Time) error {
	if w.p.Recognition == nil || w.p.Recognition.Gives != a.Unit {
		return nil
	}
	own := w.termsOf(nil, a.Unit, w.f.ID).expires
	if own == nil || ends != nil && !ends.After(*own) {
		return nil
	}
	at := "/expires_at"
	if a.NeverExpires {
		at = "/never_expires"
	}
	return errs.Invalid("invalid_adjustment", "The adjustment has mistakes.",
		errs.Field{Pointer: at, Reason: "outlives_allowance", Message: "the allowance of recognition cannot be kept: leave it out, or say a time until " + w.stamp(*own)})
}

func (w *work) doGive() error {
	if err := w.mayAct(); err != nil {
		return err
	}
	b, pol := w.f.Transfer, w.p.Doc.Transfers
	if b.Household != "" {
		return w.chipIn()
	}
	reversal := b.Reverses != ""
	if !reversal && (pol == nil || !slices.Contains(pol.Units, b.Unit)) {
		return errs.Forbidden("transfers_off", "The program does not let members give this unit to each other.").With("unit", b.Unit)
	}
	if w.p.Units[b.Unit] == nil {
		return errs.Invalid("invalid_transfer", "The transfer has mistakes.", errs.Field{Pointer: "/unit", Reason: "unknown_unit", Message: "the program's units are " + strings.Join(w.p.UnitIDs, ", ")})
	}
	if b.Other == w.f.Member {
		return errs.Invalid("invalid_transfer", "The transfer has mistakes.", errs.Field{Pointer: "/to", Reason: "same_member", Message: "a member cannot give to themselves"})
	}
	n, err := w.units(b.Unit, b.Amount, "/amount")
	if err != nil {
		return err
	}
	if !reversal {
		if err := w.transferLimits(b, pol, n); err != nil {
			return err
		}
	}
	have := w.spendable(b.Unit)
	if have < n && !b.Force {
		return errs.Insufficient("balance_too_low", "The balance is too low for this.").With("unit", b.Unit).
			With("balance", w.amount(b.Unit, have)).With("missing", w.amount(b.Unit, n-have))
	}
	held, missing := w.take(b.Unit, n, ledger.Transferred, "")
	for _, h := range held {
		w.d.Moved = append(w.d.Moved, moved(w.lots[h.Lot], h.Amount, ledger.Spendable))
	}
	if missing > 0 {
		w.owe(b.Unit, missing, ledger.Transferred, "")
		t := w.termsOf(nil, b.Unit, w.f.ID)
		w.d.Moved = append(w.d.Moved, MovedLot{Unit: b.Unit, Amount: missing, Where: ledger.Spendable, EarnedAt: w.at, ExpiresAt: t.expires, Fact: w.f.ID})
	}
	w.touch(b.Unit)
	w.note(NoteGave, Args{"amount": Units(b.Unit, n)})
	w.unitEvent(EvTransferred, b.Unit, n, "to", b.Other, "transfer", w.f.ID)
	return nil
}

func (w *work) transferLimits(b *Transfer, pol *program.Transfers, n int64) error {
	precision := w.p.Units[b.Unit].Precision
	bound := func(d *money.Decimal, below bool) error {
		if d == nil {
			return nil
		}
		m, err := d.Minor(precision)
		if err != nil || (below && n >= m) || (!below && n <= m) {
			return nil //nolint:nilerr // a bound with more decimals than this unit has was written for another unit
		}
		what := "at most "
		if below {
			what = "at least "
		}
		return errs.Invalid("out_of_range", "The amount is outside what the program allows.", errs.Field{Pointer: "/amount", Reason: "out_of_range", Message: "must be " + what + d.String()})
	}
	if err := bound(pol.Min, true); err != nil {
		return err
	}
	if err := bound(pol.Max, false); err != nil {
		return err
	}
	asked := w.f.AskedAt()
	sc := newScene(w.p, w.st, asked)
	for _, l := range w.p.TransferLimits {
		if l.Per == "purchase" {
			continue
		}
		period := program.PeriodKey(l.Per, asked, sc.zone(l.Zone))
		times, amount := w.acc.Tallies[limitName(l)+"/times"][period], w.acc.Tallies[limitName(l)+"/amount"][period]
		if (l.Times >= 0 && times+1 > l.Times) || (l.Amount >= 0 && amount+n > l.Amount) {
			return errs.Conflict("limit_reached", "The limit for giving to others is reached for this "+l.Per+".")
		}
		if l.Times >= 0 {
			w.tally(limitName(l)+"/times", period, 1)
		}
		if l.Amount >= 0 {
			w.tally(limitName(l)+"/amount", period, n)
		}
	}
	return nil
}

func moved(l *ledger.Lot, n int64, where string) MovedLot {
	m := MovedLot{Unit: l.Unit, Amount: n, Where: where, EarnedAt: l.EarnedAt, ExpiresAt: l.ExpiresAt, Fact: l.Fact}
	if where == ledger.Pending {
		m.ReleaseAt, m.Confirm = l.ReleaseAt, l.Confirm
	}
	return m
}

func (w *work) doReceive() error {
	if w.f.Transfer.Home != nil {
		return w.comeHome()
	}
	if err := w.notClosed(); err != nil {
		return err
	}
	if w.st.Status == Blocked && w.f.Transfer.Reverses == "" {
		return errs.Forbidden("member_blocked", "The member who should get this is blocked.")
	}
	b := w.f.Transfer
	if b.Household != "" {
		return w.borrow()
	}
	w.receive(b.Lots, ledger.Transferred)
	var n int64
	for _, l := range b.Lots {
		n += l.Amount
	}
	w.touch(b.Unit)
	w.note(NoteReceived, Args{"amount": Units(b.Unit, n)})
	w.unitEvent(EvTransferred, b.Unit, n, "from", b.Other, "transfer", w.f.Parent)
	return nil
}

// receive puts lots that left another member into this one's books, with their old ends.
func (w *work) receive(lots []MovedLot, from string) {
	for _, m := range lots {
		t := terms{unit: m.Unit, earnedAt: m.EarnedAt, expires: m.ExpiresAt, release: m.ReleaseAt, confirm: m.Confirm, fact: m.Fact}
		if u := w.p.Units[m.Unit]; u != nil && u.Expires != nil && u.Expires.Warn != nil && m.ExpiresAt != nil {
			at := u.Expires.Warn.Before(*m.ExpiresAt, w.p.Zone)
			if at.After(w.at) {
				t.warn = &at
			}
		}
		w.put(t, m.Amount, from, "")
	}
	for _, l := range w.fresh {
		w.payDebt(l)
	}
}

func (w *work) doRelease() error {
	b := w.f.Release
	var n int64
	for _, l := range w.acc.Lots {
		if l.Pending == 0 || (w.f.Parent != "" && l.Fact != w.f.Parent) || (b.Unit != "" && l.Unit != b.Unit) {
			continue
		}
		if w.f.Parent == "" && b.Unit == "" {
			break
		}
		n += l.Pending
		if !b.Cancel {
			w.release(l, w.f.Parent)
			continue
		}
		w.cancelPending(l)
	}
	if n == 0 {
		return errs.Conflict("nothing_pending", "Nothing is pending there: it was released, cancelled or taken back already.")
	}
	return nil
}

// cancelPending takes away what is pending in a lot. The awards it came of are told as reversed, so that a later return
// does not take them again.
func (w *work) cancelPending(l *ledger.Lot) {
	n := l.Pending
	w.post(ledger.Posting{Unit: l.Unit, Lot: l.ID, From: ledger.Pending, To: ledger.Reversed, Amount: n, Of: l.Fact})
	w.note(NoteCancelled, Args{"amount": Units(l.Unit, n)})
	w.unitEvent(EvCancelled, l.Unit, n, "fact", l.Fact)
	past := w.in.Past
	if past == nil || past.Fact.ID != l.Fact {
		return
	}
	moved := past.Fact.Member != w.f.Member // by a merge: then the lot has another number here
	for i, a := range past.Decision.Awards {
		if a.Unit != l.Unit || (a.Lot != l.ID && !moved) {
			continue
		}
		k := a.Amount
		for _, c := range past.Children {
			for _, r := range c.Decision.Reversals {
				if r.Award == i {
					k -= r.Amount
				}
			}
		}
		left := k
		k = min(k, n)
		n -= k
		if k > 0 {
			w.d.Reversals = append(w.d.Reversals, Reversal{Award: i, Rule: a.Rule, Unit: a.Unit, Amount: k})
			w.countUnit(a.Unit, -k, past.Fact.OccurredAt)
			w.unlimit(a, a.Amount-left, k)
		}
	}
}

func (w *work) doTier() error {
	if err := w.notClosed(); err != nil {
		return err
	}
	b := w.f.Tier
	t := w.p.Tiers[b.Set]
	if t == nil {
		return errs.Invalid("invalid_tier", "The tier cannot be set.", errs.Field{Pointer: "/set", Reason: "unknown_tier_set", Message: "the program's tier sets are " + strings.Join(w.p.TierIDs, ", ")})
	}
	if b.Tier != "" && t.Place(b.Tier) < 0 {
		return errs.Invalid("invalid_tier", "The tier cannot be set.", errs.Field{Pointer: "/tier", Reason: "unknown_tier", Message: "there is no tier " + strconv.Quote(b.Tier) + " in " + b.Set})
	}
	if b.Until != nil && !b.Until.After(w.at) {
		return errs.Invalid("invalid_tier", "The tier cannot be set.", errs.Field{Pointer: "/until", Reason: "in_the_past", Message: "must be later than now"})
	}
	ts := w.tierState(b.Set)
	ts.Floor, ts.FloorUntil = b.Tier, b.Until
	told := map[string]string{"set": b.Set, "tier": b.Tier}
	if b.Until != nil {
		told["until"] = b.Until.In(w.p.Zone).Format(time.RFC3339)
	}
	w.event(EvTierFloor, told)
	if b.Tier != "" {
		args := Args{"tier": tierValue(b.Set, b.Tier)}
		if b.Until != nil {
			args["time"] = Time(*b.Until)
		}
		w.note(NoteTierFloor, args)
	}
	w.settleTiers(false)
	return nil
}

func (w *work) doStatus() error {
	b := w.f.Status
	switch {
	case w.st.Status == Closed:
		return w.notClosed()
	case b.To != Active && b.To != Blocked && b.To != Closed:
		return errs.Invalid("invalid_status", "The status cannot be set.", errs.Field{Pointer: "/to", Reason: "unknown_status", Message: "must be active, blocked or closed"})
	case b.To == w.st.Status:
		who := "The member"
		switch {
		case w.st.Kind == GiftCard:
			who = "The gift card"
		case IsHouse(w.st.Kind):
			who = "The " + w.st.Kind
		}
		return errs.Conflict("same_status", who+" is "+b.To+" already.")
	}
	w.event(EvStatus, map[string]string{"to": b.To, "was": w.st.Status})
	note := NoteStatus
	if w.st.Kind == GiftCard {
		note = NoteCardStatus
	}
	w.note(note, Args{"word": word(b.To)})
	w.st.Status = b.To
	if b.To == Closed {
		w.leaveHouses()
		w.dissolve()
		w.letAllGo()
		w.dropAllThanks("closed")
		w.endShares()
		w.endGrants()
		w.closePlans()
		w.leaveBoards()
		w.empty(ledger.Closed, nil)
	}
	return nil
}

// letAllGo ends every open reservation.
func (w *work) letAllGo() {
	for len(w.st.Holds) > 0 {
		w.letGo(w.st.Holds[0], 0, StatusCancelled, NoteLetGo, EvCancelledRedeem)
	}
}

// empty moves all that a member has to an account of the program, and debt away from it; each lot is told to move.
func (w *work) empty(to string, move func(l *ledger.Lot, n int64, where string)) {
	sums := map[string]int64{}
	for _, l := range w.acc.Lots {
		for _, part := range []struct {
			where string
			n     int64
		}{{ledger.Pending, l.Pending}, {ledger.Spendable, l.Spendable}} {
			if part.n == 0 {
				continue
			}
			if move != nil {
				move(l, part.n, part.where)
			}
			w.post(ledger.Posting{Unit: l.Unit, Lot: l.ID, From: part.where, To: to, Amount: part.n})
			sums[l.Unit] += part.n
		}
		l.WarnAt = nil
	}
	for _, unit := range slices.Sorted(maps.Keys(w.st.Units)) {
		if d := w.st.Units[unit].Debt; d > 0 {
			w.post(ledger.Posting{Unit: unit, From: to, To: ledger.Debt, Amount: d})
			sums[unit] -= d
		}
		if n := sums[unit]; n != 0 && to == ledger.Closed {
			note := NoteClosedOut
			if w.st.Kind == GiftCard {
				note = NoteCardClosed
			}
			w.note(note, Args{"amount": Units(unit, n)})
		}
	}
}

func (w *work) doMergeOut() error {
	b := w.f.Merge
	if b.Other == w.f.Member {
		return errs.Invalid("invalid_merge", "A member cannot be merged with itself.", errs.Field{Pointer: "/from", Reason: "same_member", Message: "must be another member"})
	}
	if err := w.notClosed(); err != nil {
		return err
	}
	w.letAllGo()
	w.dropAllThanks("merged")
	c := &Carried{Purchases: w.st.Purchases, First: w.st.FirstPurchaseAt, Last: w.st.LastPurchaseAt, JoinedAt: w.st.JoinedAt, Tiers: w.st.Tiers, Plans: w.st.Plans, Fades: w.st.Fades, Referral: w.st.Referral,
		Active: map[string]time.Time{}, Debt: map[string]int64{}, Tallies: map[string]map[string]int64{}, Birthday: w.st.Birthday,
		Moments: w.st.Moments, Settled: slices.Clone(w.st.Settled), Joined: slices.Clone(w.st.Joined), LetGo: slices.Clone(w.st.LetGo), House: w.st.House.clone()}
	w.st.House = nil
	for unit, h := range w.st.Units {
		if h.Debt > 0 {
			c.Debt[unit] = h.Debt
		}
		if h.ActiveAt != nil {
			c.Active[unit] = *h.ActiveAt
		}
	}
	for name, periods := range w.acc.Tallies {
		if strings.HasPrefix(name, ProgramTally) || strings.HasPrefix(name, boardTally) {
			continue
		}
		counted := maps.Clone(periods)
		maps.DeleteFunc(counted, func(_ string, n int64) bool { return n == 0 })
		if len(counted) > 0 {
			c.Tallies[name] = counted
		}
	}
	w.empty(ledger.Transferred, func(l *ledger.Lot, n int64, where string) { c.Lots = append(c.Lots, moved(l, n, where)) })
	c.Grants, w.st.Grants = w.st.Grants, nil
	c.Passed, c.Taken, w.st.Passed = w.st.Passed, slices.Clone(w.st.Taken), nil
	c.Was = slices.Clone(w.st.Was)
	c.Challenges = cloneChallenges(w.st.Challenges)
	w.leaveBoards()
	w.d.Carried = c
	w.st.Status, w.st.MergedInto = Merged, b.Other
	w.note(NoteMerged, Args{"text": text(b.Other)})
	w.event(EvMerged, map[string]string{"into": b.Other})
	return nil
}

func (w *work) doMergeIn() error {
	if err := w.notClosed(); err != nil {
		return err
	}
	c := w.f.Merge.Carried
	if c == nil {
		return errs.Invalid("invalid_merge", "There is nothing to merge.")
	}
	w.receive(c.Lots, ledger.Transferred)
	numbers := w.carryGrants(c.Grants)
	for _, unit := range slices.Sorted(maps.Keys(c.Debt)) {
		_, missing := w.take(unit, c.Debt[unit], ledger.Transferred, "")
		w.owe(unit, missing, ledger.Transferred, "")
	}
	for _, name := range slices.Sorted(maps.Keys(c.Tallies)) {
		for _, period := range slices.Sorted(maps.Keys(c.Tallies[name])) {
			w.tally(name, period, c.Tallies[name][period])
		}
	}
	for _, unit := range slices.Sorted(maps.Keys(c.Active)) {
		if h, at := w.holding(unit), c.Active[unit]; h.ActiveAt == nil || h.ActiveAt.Before(at) {
			h.ActiveAt, h.InactiveWarned, h.InactiveEnds = &at, false, nil
		}
	}
	w.inheritReferral(c, w.f.Merge.Other)
	w.inheritShares(c, w.f.Merge.Other)
	w.inheritThanks(c, w.f.Merge.Other)
	w.inheritHouses(c.House, w.f.Merge.Other)
	w.inheritPlans(c.Plans)
	w.inheritFades(c.Fades, c.Last)
	w.st.Purchases += c.Purchases
	w.st.FirstPurchaseAt = earliest(w.st.FirstPurchaseAt, c.First)
	if c.Last != nil && (w.st.LastPurchaseAt == nil || c.Last.After(*w.st.LastPurchaseAt)) {
		w.st.LastPurchaseAt = c.Last
	}
	if c.JoinedAt.Before(w.st.JoinedAt) {
		w.st.JoinedAt = c.JoinedAt
	}
	if err := w.carryChallenges(c, numbers); err != nil {
		return err
	}
	w.inherit(c)
	for _, id := range w.p.TierIDs {
		w.inheritTier(w.p.Tiers[id], w.tierState(id), c.Tiers[id])
	}
	w.note(NoteMerged, Args{"text": text(w.f.Merge.Other)})
	w.event(EvMerged, map[string]string{"from": w.f.Merge.Other})
	return nil
}

// inheritTier gives the survivor the better tier of the two, so that nobody falls by a merge.
func (w *work) inheritTier(t *program.CompiledTierSet, mine, theirs *TierState) {
	if theirs == nil {
		return
	}
	if t.Place(theirs.Floor) > t.Place(mine.Floor) {
		mine.Floor, mine.FloorUntil = theirs.Floor, theirs.FloorUntil
	}
	if t.Place(theirs.Tier) > t.Place(mine.Tier) {
		w.climb(t.ID, t, mine, t.Place(mine.Tier), t.Place(theirs.Tier), mine.Value, false)
		mine.FallsAt, mine.HoldUntil = theirs.FallsAt, theirs.HoldUntil
	}
}

// Moment is the next business time at which a due fact must be decided, at or before until; ok says whether there is one.
func Moment(st *State, until time.Time) (at time.Time, ok bool) {
	if st.DueAt == nil || st.DueAt.After(until) {
		return time.Time{}, false
	}
	return *st.DueAt, true
}
