package engine

import (
	"strconv"
	"time"

	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ledger"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
)

// A gift card is a holder: an account of kind gift_card with a money unit in the same books. Issuing it is its enrolment with a first load, paying is a
// redemption of no reward, activating a release of what is pending, blocking and calling off are its status, and what is on it ends as
// lots do. So it has no arithmetic of its own.

// The kinds of holders. A person has none.
const (
	Person   = ""
	GiftCard = "gift_card"
)

// CardPaid stands in redemptions and events where members have a reward: the money went to a purchase.
const CardPaid = "gift_card"

// Card is what a gift card is issued with, or loaded with later.
type Card struct {
	Amount *money.Decimal `json:"amount,omitempty"`
	// Inactive keeps what is on it from being spent until it is activated.
	Inactive bool `json:"inactive,omitempty"`
	// Sample makes a card to look at: nothing can be paid with it.
	Sample bool `json:"sample,omitempty"`
	// ExpiresAt overrides the program's time.
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	Reason    string     `json:"reason,omitempty"`
	// Redemption is that of the reward which gave the card, Owner who had it.
	Redemption string `json:"redemption,omitempty"`
	Owner      string `json:"owner,omitempty"`
	// Coupon, in the enrolment of a coupon's code, is the coupon.
	Coupon string `json:"coupon,omitempty"`
}

// CardState is what a gift card is besides its balance.
type CardState struct {
	Sample bool `json:"sample,omitempty"`
	// Issued is the fact that made it, whose load an activation releases.
	Issued string `json:"issued,omitempty"`
	// Coupon, of a coupon's code, is the coupon, and Used how often the code was used.
	Coupon string `json:"coupon,omitempty"`
	Used   int64  `json:"used,omitempty"`
}

// takes says which facts happen to a holder.
func takes(kind string, f Kind) bool {
	switch kind {
	case CouponCode:
		return f == Enrolment || f == CouponK || f == Status || f == Due
	case Person:
		return f != Load
	case Household:
		return f == Enrolment || f == HouseK || f == ProfileK || f == Status || f == Due
	case Organization:
		switch f {
		case Load, MergeOut, MergeIn, InvitedK, ThanksK, RecognitionK:
			return false
		}
		return true
	}
	switch f {
	case Enrolment, Load, Reserve, Commit, Cancel, Redeem, Refund, AdjustmentK, Release, Status, Due:
		return true
	}
	return false
}

// fits refuses a fact that does not happen to this kind of holder.
func (w *work) fits() error {
	if takes(w.st.Kind, w.f.Kind) {
		return nil
	}
	if IsHouse(w.st.Kind) {
		return errs.Invalid("not_for_houses", "This does not happen to "+map[string]string{Household: "a household: its points are in the books of those who belong to it.", Organization: "an organization."}[w.st.Kind]).With("kind", string(w.f.Kind))
	}
	if w.st.Kind == CouponCode {
		return errs.Invalid("not_for_coupons", "This does not happen to the code of a coupon: it is used, blocked and called off.").With("kind", string(w.f.Kind))
	}
	if w.st.Kind == GiftCard {
		return errs.Invalid("not_for_gift_cards", "This does not happen to a gift card: it is loaded, paid with, refunded, blocked and closed.").With("kind", string(w.f.Kind))
	}
	return errs.Invalid("not_a_gift_card", "Only a gift card is loaded; a member's balance is adjusted.")
}

// issueCard is the enrolment of a gift card.
func (w *work) issueCard() error {
	c := w.f.Card
	if c == nil {
		return errs.Invalid("invalid_gift_card", "Say what is on the card.", errs.Field{Pointer: "/amount", Reason: "required", Message: "is missing"})
	}
	w.st.Kind, w.st.Status, w.st.JoinedAt, w.st.At = GiftCard, Active, w.at, w.at
	w.st.Card = &CardState{Sample: c.Sample, Issued: w.f.ID}
	data := map[string]string{}
	if c.Sample {
		data["sample"] = "true"
	}
	if c.Redemption != "" {
		data["redemption"] = c.Redemption
	}
	w.event(EvCardIssued, data)
	return w.loadCard(c, c.Inactive)
}

// doLoad tops a gift card up.
func (w *work) doLoad() error {
	if err := w.mayAct(); err != nil {
		return err
	}
	if w.f.Card == nil {
		return errs.Invalid("invalid_gift_card", "Say how much is loaded.", errs.Field{Pointer: "/amount", Reason: "required", Message: "is missing"})
	}
	if w.st.Card != nil && w.st.Card.Sample {
		return errs.Forbidden("sample_card", "This card is a sample: nothing can be paid with it, so no money is put on it. Issue a gift card and load that.")
	}
	if g := w.p.Doc.GiftCards; g != nil && g.TopUp != nil && !*g.TopUp {
		return errs.Forbidden("top_up_off", "The program's gift cards are not loaded again.")
	}
	return w.loadCard(w.f.Card, false)
}

func (w *work) loadCard(c *Card, inactive bool) error {
	g := w.p.GiftCards
	if g == nil {
		return errs.Conflict("no_gift_cards", "The program has no gift cards of its own: gift_cards is not in its document.")
	}
	bad := func(reason, message string) error {
		return errs.Invalid("invalid_gift_card", "The gift card cannot be made or loaded so.", errs.Field{Pointer: "/amount", Reason: reason, Message: message})
	}
	if c.Amount == nil {
		return bad("required", "is missing")
	}
	n, err := c.Amount.Minor(w.p.Exponent)
	switch {
	case err != nil || n <= 0 || n > maxHolding:
		return bad("not_an_amount", "must be more than 0 and have at most "+strconv.Itoa(w.p.Exponent)+" decimals")
	case g.Min >= 0 && n < g.Min:
		return bad("out_of_range", "must be at least "+money.Format(g.Min, w.p.Exponent))
	case g.Max >= 0 && n > g.Max:
		return bad("out_of_range", "must be at most "+money.Format(g.Max, w.p.Exponent))
	}
	h := w.holding(g.Unit)
	if has := h.Spendable + h.Pending + h.Reserved; g.Most >= 0 && has+n > g.Most {
		return bad("card_full", "a card holds at most "+money.Format(g.Most, w.p.Exponent)+"; this one has "+money.Format(has, w.p.Exponent))
	}
	t := terms{unit: g.Unit, earnedAt: w.at, fact: w.f.ID}
	switch {
	case c.ExpiresAt != nil:
		if !c.ExpiresAt.After(w.at) {
			return errs.Invalid("invalid_gift_card", "The gift card cannot be made or loaded so.", errs.Field{Pointer: "/expires_at", Reason: "in_the_past", Message: "must be later than now"})
		}
		t.expires = c.ExpiresAt
	case !inactive:
		t.expires, t.warn = w.ends(g.Unit)
	}
	if inactive {
		t.confirm = activation
	}
	w.put(t, n, ledger.Issued, "")
	w.note(NoteCardLoaded, Args{"amount": Units(g.Unit, n)})
	data := map[string]string{"unit": g.Unit, "amount": w.amount(g.Unit, n)}
	if t.expires != nil {
		data["expires_at"] = t.expires.In(w.p.Zone).Format(time.RFC3339)
	}
	w.event(EvCardLoaded, data)
	return nil
}

// activation is what the load of an inactive card waits for.
const activation = "activation"

// ends gives the end of a lot that becomes spendable now, by the policy for this kind of holder.
func (w *work) ends(unit string) (end, warn *time.Time) {
	if w.st.Kind == GiftCard {
		if g := w.p.GiftCards; g != nil {
			return expiry(g.Expires, w.at, w.p.Zone)
		}
		return nil, nil
	}
	return expiry(w.p.Units[unit].Expires, w.at, w.p.Zone)
}

// CardBalance is what can be paid with a gift card now, in minor units.
func (s *State) CardBalance(p *program.Compiled) int64 {
	if p.GiftCards == nil || s.Units[p.GiftCards.Unit] == nil {
		return 0
	}
	return s.Units[p.GiftCards.Unit].Spendable
}

// CardInactive says that what is on a gift card waits for its activation.
func (s *State) CardInactive(p *program.Compiled) bool {
	return s.Status == Active && p.GiftCards != nil && s.CardBalance(p) == 0 && s.Units[p.GiftCards.Unit] != nil && s.Units[p.GiftCards.Unit].Pending > 0
}

// CardUsable is nil where a gift card can be paid with, if there is anything on it; else why not.
func (s *State) CardUsable(p *program.Compiled) error {
	switch {
	case s.Status == Blocked:
		return errs.Forbidden("card_blocked", "This gift card is blocked.")
	case s.Status == Closed:
		return errs.Conflict("card_closed", "This gift card was called off.")
	case s.Card != nil && s.Card.Sample:
		return errs.Forbidden("sample_card", "This card is a sample: nothing can be paid with it.")
	case s.CardInactive(p):
		return errs.Conflict("card_inactive", "This gift card was not activated yet.")
	}
	return nil
}

// CardExpired says that nothing is left on a gift card, and that time took some of it.
func (s *State) CardExpired(p *program.Compiled) bool {
	if p.GiftCards == nil {
		return false
	}
	h := s.Units[p.GiftCards.Unit]
	return h != nil && h.Expired > 0 && h.Spendable+h.Pending+h.Reserved == 0
}

// CardSpent is nil where there is something on a gift card to pay with; else why there is not. ended is when time took the last of it, where that is known.
func (s *State) CardSpent(p *program.Compiled, ended *time.Time) error {
	switch {
	case s.CardBalance(p) > 0:
		return nil
	case s.CardExpired(p):
		err := errs.Conflict("card_expired", "The time of what was left on this gift card is over.")
		if ended != nil {
			err = errs.Conflict("card_expired", "What was left on this gift card ended on "+ended.In(p.Zone).Format(time.DateOnly)+".").With("expired_at", ended.In(p.Zone).Format(time.RFC3339))
		}
		return err
	case p.GiftCards != nil && s.Units[p.GiftCards.Unit] != nil && s.Units[p.GiftCards.Unit].Reserved > 0:
		return errs.Conflict("card_reserved", "All that is left on this gift card is held for a payment that is not done yet.")
	}
	return errs.Conflict("card_empty", "There is nothing left on this gift card.")
}

// quoteCard works out a payment with a gift card: what is asked for, or as much of the total as there is.
func (w *work) quoteCard(s Spend, total int64) (*quote, error) {
	g := w.p.GiftCards
	if g == nil {
		return nil, errs.Conflict("no_gift_cards", "The program has no gift cards of its own: gift_cards is not in its document.")
	}
	if err := w.st.CardUsable(w.p); err != nil {
		return nil, err
	}
	have := w.spendable(g.Unit)
	want := have
	bad := func(pointer, reason, message string) error {
		return errs.Invalid("invalid_payment", "The payment has mistakes.", errs.Field{Pointer: pointer, Reason: reason, Message: message})
	}
	switch {
	case s.Reward != "" || s.Quantity != 0:
		return nil, bad("/reward", "not_for_gift_cards", "a gift card pays money; leave it out")
	case (s.Points == nil) == !s.Max:
		return nil, bad("/amount", "required", "say how much, or max: true for as much as there is")
	case s.Max && total < 0:
		return nil, bad("/total", "required", "say what there is to pay")
	}
	if s.Points != nil {
		n, err := s.Points.Minor(w.p.Exponent)
		if err != nil || n <= 0 || n > maxHolding {
			return nil, bad("/amount", "not_an_amount", "must be more than 0 and have at most "+strconv.Itoa(w.p.Exponent)+" decimals")
		}
		want = n
	}
	if total >= 0 {
		want = min(want, total)
	}
	if want <= 0 {
		if have > 0 {
			return nil, errs.Conflict("nothing_to_pay", "There is nothing to pay.")
		}
		return nil, errs.Insufficient("balance_too_low", "There is nothing on the card that can be used now.").With("balance", w.amount(g.Unit, 0))
	}
	return &quote{r: &program.CompiledReward{Reward: &program.Reward{ID: ""}, Stock: -1}, quantity: 1, price: map[string]int64{g.Unit: want}, worth: want}, nil
}

// called is what events say in place of a reward.
func called(s *RedemptionState) string {
	if s.Reward == "" {
		return CardPaid
	}
	return s.Reward
}

// noteOf gives the note for a redemption: a gift card's does not name a reward.
func noteOf(note string, s *RedemptionState) string {
	if s.Reward != "" {
		return note
	}
	switch note {
	case NoteSpent:
		return NoteCardPaid
	case NoteReserved:
		return NoteCardHeld
	case NoteLetGo, NoteLapsed:
		return NoteCardLetGo
	}
	return note
}

// named puts the reward into a note's values, where there is one.
func named(a Args, s *RedemptionState) Args {
	if s.Reward != "" {
		a["reward"] = Value{Reward: s.Reward}
	}
	return a
}
