package engine

import (
	"slices"
	"strconv"
	"strings"

	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
	"time"
)

// What a reward hands over is told by its kind. Some of it is had at once; the rest is followed: it is ordered as the redemption is
// committed, and facts about that redemption say how far it is. There is one machine for all of it, whoever does the work: a shop that packs, a
// hall that lets in, a provider who sends a code.

// The stages of what is followed.
const (
	Ordered   = "ordered"
	Packed    = "packed"
	Sent      = "sent"
	Delivered = "delivered"
	Returned  = "returned" // it came back, and the points with it
	Failed    = "failed"   // it will not come, and the points are given back
)

// Stages are all of them, in their order.
var Stages = []string{Ordered, Packed, Sent, Delivered, Returned, Failed}

// onward says where a stage may lead.
var onward = map[string][]string{
	Ordered: {Packed, Sent, Delivered, Failed}, Packed: {Sent, Delivered, Failed}, Sent: {Delivered, Returned, Failed}, Delivered: {Returned},
}

// Fulfilment is how far what a redemption gave is.
type Fulfilment struct {
	// Kind is what it is: gift_card, seat, donation, service or goods.
	Kind   string    `json:"kind"`
	Status string    `json:"status"`
	At     time.Time `json:"at"`
	// Reference is the number it has with whoever does it: of the parcel, the order, the gift card.
	Reference string `json:"reference,omitempty"`
	// Tail is the end of a code that was sent.
	Tail   string `json:"tail,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Money is what is on a gift card, or what is given on, in minor units of the currency. Provider is whom a gift card is bought from.
	Money    int64  `json:"money,omitempty"`
	Provider string `json:"provider,omitempty"`
}

// OrderSource is the source of the facts that say what came of orders: nobody else says that of a gift card on order.
const OrderSource = "lojal:order"

// FulfilBody says how far it is; Fact.Parent is the redemption.
type FulfilBody struct {
	// To is packed, sent, delivered, returned or failed.
	To        string `json:"to"`
	Reference string `json:"reference,omitempty"`
	Tail      string `json:"tail,omitempty"`
	// Reason is why it failed or came back.
	Reason string `json:"reason,omitempty"`
	// Keep leaves the points spent though it came back or failed.
	Keep bool `json:"keep,omitempty"`
}

// Pooled is a code of somebody else that was taken from a pool.
type Pooled struct {
	Pool string `json:"pool"`
	// Hash is by which it is found; empty where the pool had none.
	Hash string `json:"hash,omitempty"`
	Tail string `json:"tail,omitempty"`
	// Low is one more than how many were left, where the pool runs low; 0 where it does not.
	Low int64 `json:"low,omitempty"`
}

// trial stands for the hash of a code that a simulation would have taken.
const trial = "simulated"

// Trial is what a simulation draws from a pool that is not empty.
func Trial(pool string) Pooled { return Pooled{Pool: pool, Hash: trial} }

// pooled takes the next code that was drawn from a pool, nil for none.
func (w *work) pooled(pool string) *Pooled {
	if w.f.Drawn == nil {
		return nil
	}
	n := w.pools[pool]
	for _, p := range w.f.Drawn.Pooled {
		if p.Pool != pool || p.Hash == "" {
			continue
		}
		if n--; n < 0 {
			if w.pools == nil {
				w.pools = map[string]int{}
			}
			w.pools[pool]++
			return &p
		}
	}
	return nil
}

// stocked says whether a pool has a code for a fact that hands one over. A fact that has drawn nothing only asks.
func (w *work) stocked(r *program.CompiledReward) error {
	if r.Kind == program.KindRaffle {
		return w.drawn(r)
	}
	if r.Kind != program.KindCode || w.f.Kind == Reserve || w.f.Drawn == nil {
		return nil
	}
	n := w.pools[r.Gives.Pool]
	for _, p := range w.f.Drawn.Pooled {
		if p.Pool == r.Gives.Pool && p.Hash != "" {
			n--
		}
	}
	if n >= 0 {
		return errs.Insufficient("out_of_stock", "There are not that many left.").With("reward", r.ID).With("left", 0)
	}
	return nil
}

// drawn refuses a ticket that would come too late for the draw: of a reservation, out of a grant, or told late.
func (w *work) drawn(r *program.CompiledReward) error {
	if r.Draws != nil && (w.now.After(*r.Draws) || w.f.RecordedAt.After(*r.Draws)) {
		return errs.Conflict("raffle_drawn", "The time of the draw is over: there are no tickets any more.").With("reward", r.ID)
	}
	return nil
}

// Tickets is how many tickets of a raffle a redemption has now; Raffle which raffle's, "" for none.
func (r *RedemptionState) Tickets() (raffle string, n int64) {
	if r.Draws == nil || r.Status != StatusCommitted {
		return "", 0
	}
	n = r.Quantity
	for _, unit := range sortedUnits(r.Price) {
		if price := r.Price[unit]; price > 0 { // a part that was given back takes its tickets with it
			back, err := money.MulDiv(r.Quantity, r.Refunded[unit], price, money.Up)
			if err != nil {
				return "", 0
			}
			n = min(n, r.Quantity-back)
		}
	}
	return given(r), n
}

// pick finds what is handed over: the reward itself, or the one that was chosen.
func (w *work) pick(s Spend, r *program.CompiledReward) (*program.CompiledReward, error) {
	bad := func(reason, message string) error {
		return errs.Invalid("invalid_choice", "Say which of the rewards the member picks.", errs.Field{Pointer: "/choose", Reason: reason, Message: message}).With("choice", []string(r.Gives.Choice))
	}
	switch {
	case r.Kind != program.KindChoice:
		if s.Choose != "" {
			return nil, bad("no_choice", "this reward is no choice; leave it out")
		}
		return r, nil
	case s.Choose == "":
		return nil, bad("required", "must be one of "+strings.Join(r.Gives.Choice, ", "))
	case !slices.Contains(r.Gives.Choice, s.Choose):
		return nil, bad("not_offered", "must be one of "+strings.Join(r.Gives.Choice, ", "))
	}
	return w.p.Rewards[s.Choose], nil
}

// single says whether a reward is redeemed one at a time: each piece would be a code of its own.
func single(r *program.CompiledReward) bool {
	return r.Gives.Voucher != nil || r.Kind == program.KindCode || r.Kind == program.KindGiftCard
}

// quotePrice works out one of a reward's prices for so many packs, and the money besides.
func (w *work) quotePrice(q *quote, s Spend, packs int64) error {
	option := max(s.Option, 1)
	if option > int64(len(q.r.Prices)) {
		return errs.Invalid("unknown_price", "The reward has no such price.", errs.Field{Pointer: "/option", Reason: "out_of_range", Message: "must be 1 to " + money.Format(int64(len(q.r.Prices)), 0)})
	}
	p := q.r.Prices[option-1]
	var err error
	for unit, price := range p.Units {
		if q.price[unit], err = money.MulDiv(price, packs, 1, money.Down); err != nil {
			return errs.Invalid("too_large", "That many cannot be had at once.")
		}
	}
	if q.money, err = money.MulDiv(p.Money, packs, 1, money.Down); err != nil {
		return errs.Invalid("too_large", "That many cannot be had at once.")
	}
	return nil
}

// paidBesides sees that the money that goes with the points was taken: as much as was asked for, and no more.
func (w *work) paidBesides(due int64, paid *money.Decimal) error {
	var n int64
	if paid != nil {
		var err error
		if n, err = paid.Minor(w.p.Exponent); err != nil || n < 0 {
			return errs.Invalid("not_an_amount", "The money cannot be read.", errs.Field{Pointer: "/money", Reason: "not_an_amount", Message: "must be 0 or more with at most " + strconv.Itoa(w.p.Exponent) + " decimals"})
		}
	}
	if n == due {
		return nil
	}
	return errs.Invalid("money_differs", "The reward costs "+money.Format(due, w.p.Exponent)+" in money besides the points: take it, and say so.",
		errs.Field{Pointer: "/money", Reason: "money_differs", Message: "must be " + money.Format(due, w.p.Exponent)}).With("money", money.Format(due, w.p.Exponent))
}

// moneyBack works out the money that goes back with the points that were given back, so that all parts together come to the whole.
func (w *work) moneyBack(s *RedemptionState) {
	if s.Money == 0 {
		return
	}
	target := s.Money
	for _, unit := range sortedUnits(s.Price) { // parts are of one unit, or the same of each
		if s.Refunded[unit] < s.Price[unit] {
			n, err := money.MulDiv(s.Money, s.Refunded[unit], s.Price[unit], money.Down)
			if err != nil {
				w.err = err
				return
			}
			target = min(target, n)
		}
	}
	if n := target - s.MoneyBack; n > 0 {
		s.MoneyBack = target
		w.note(NoteMoneyBack, Args{"money": Money(n), "reward": {Reward: s.Reward}})
	}
}

// handOver gives what the kind of the reward is.
func (w *work) handOver(s *RedemptionState, r *program.CompiledReward) error {
	s.Product = r.Gives.Product
	if v := r.Gives.Voucher; v != nil {
		w.voucher(s, v)
	}
	switch r.Kind {
	case program.KindCode:
		if s.Pooled = w.pooled(r.Gives.Pool); s.Pooled == nil {
			return errs.Insufficient("out_of_stock", "There are not that many left.").With("reward", r.ID).With("left", 0)
		}
		w.event(EvCodeGiven, map[string]string{"redemption": s.ID, "reward": s.Reward, "pool": s.Pooled.Pool})
		if low := s.Pooled.Low; low > 0 {
			s.Pooled.Low = 0
			w.event(EvPoolLow, map[string]string{"pool": s.Pooled.Pool, "left": strconv.FormatInt(low-1, 10)})
		}
	case program.KindRaffle:
		if err := w.drawn(r); err != nil {
			return err
		}
		s.Draws = r.Draws
	}
	if !r.Followed {
		return nil
	}
	s.Fulfilment = &Fulfilment{Kind: r.Kind, Status: Ordered, At: w.at}
	switch r.Kind {
	case program.KindGiftCard:
		s.Fulfilment.Money, s.Fulfilment.Provider = r.Card, r.Gives.GiftCard.Provider
	case program.KindDonation:
		n, err := money.MulDiv(r.Donated, s.Quantity, 1, money.Down)
		if err != nil {
			return err
		}
		s.Fulfilment.Money = n
	}
	w.stage(s)
	return nil
}

// stage tells how far something is.
func (w *work) stage(s *RedemptionState) {
	f := s.Fulfilment
	data := map[string]string{"redemption": s.ID, "reward": s.Reward, "kind": f.Kind}
	say := func(name, text string) {
		if text != "" {
			data[name] = text
		}
	}
	switch f.Status {
	case Ordered:
		say("chosen", s.Chosen)
		say("provider", f.Provider)
		if f.Money > 0 {
			data["money"] = money.Format(f.Money, w.p.Exponent)
		}
	case Sent, Delivered:
		say("reference", f.Reference)
	case Returned, Failed:
		say("reason", f.Reason)
	}
	w.note(stageNotes[f.Status], Args{"reward": {Reward: given(s)}})
	w.event("fulfilment."+f.Status, data)
}

var stageNotes = map[string]string{Ordered: NoteOrdered, Packed: NotePacked, Sent: NoteSent, Delivered: NoteDelivered, Returned: NoteCameBack, Failed: NoteFailed}

// given names the reward that was handed over.
func given(s *RedemptionState) string {
	if s.Chosen != "" {
		return s.Chosen
	}
	return s.Reward
}

// doFulfil moves a redemption on to another stage. What came back or failed gives the points and the money back.
func (w *work) doFulfil() error {
	b, r := w.f.Fulfil, w.in.Redemptions[w.f.Parent]
	switch {
	case r == nil:
		return errs.NotFound("redemption_not_found", "There is no such redemption.")
	case r.Fulfilment == nil:
		return errs.Conflict("not_followed", "What this redemption gave was had at once: there is nothing to follow.").With("redemption", r.ID)
	case len(b.Reference) > 200 || len(b.Reason) > 1000:
		return errs.Invalid("invalid_fulfilment", "The step has mistakes.", errs.Field{Pointer: "/reference", Reason: "too_long", Message: "must be at most 200 characters, and the reason at most 1,000"})
	case !slices.Contains(Stages, b.To):
		return errs.Invalid("invalid_fulfilment", "The step has mistakes.", errs.Field{Pointer: "/to", Reason: "unknown_stage", Message: "must be " + strings.Join(Stages[1:], ", ")})
	case r.Fulfilment.Kind == program.KindGiftCard && r.Fulfilment.Status == Ordered && w.f.Source != OrderSource:
		return errs.Conflict("order_open", "The gift card is on order, and the order says what becomes of it. To call it off: POST …/order/cancel.").With("redemption", r.ID)
	case !slices.Contains(onward[r.Fulfilment.Status], b.To):
		return errs.Conflict("wrong_stage", "It is "+r.Fulfilment.Status+", and cannot become "+b.To+".").With("status", r.Fulfilment.Status).With("may_become", onward[r.Fulfilment.Status])
	}
	s := *r
	f := *r.Fulfilment
	f.Status, f.At, f.Reason = b.To, w.at, b.Reason
	if b.Reference != "" {
		f.Reference = b.Reference
	}
	if b.Tail != "" {
		f.Tail = b.Tail
	}
	s.Fulfilment = &f
	w.stage(&s)
	if back := b.To == Returned || b.To == Failed; !back || b.Keep || r.Status != StatusCommitted || w.st.Status == Closed {
		w.d.Redemptions = append(w.d.Redemptions, s)
		return nil
	}
	s.Refunded = copyAmounts(r.Refunded)
	for _, unit := range sortedUnits(s.Price) {
		w.giveBack(&s, unit, s.Price[unit]-s.Refunded[unit])
	}
	w.closeRefund(&s)
	return nil
}

// final says why what a redemption gave cannot be taken back by giving the points back; nil where it can.
func (r *RedemptionState) final(at time.Time) error {
	switch f := r.Fulfilment; {
	case r.Pooled != nil:
		return errs.Conflict("code_given_out", "The code was handed out, and it is not the program's to call off. Where its issuer did, adjust the balance.").With("redemption", r.ID)
	case r.Draws != nil && at.After(*r.Draws):
		return errs.Conflict("raffle_drawn", "The time of the draw is over: a ticket that took part is not given back.").With("redemption", r.ID)
	case f != nil && f.Kind == program.KindGiftCard && f.Status == Ordered:
		return errs.Conflict("order_open", "The gift card is on its way. Call the order off first; the points come back by themselves then.").With("redemption", r.ID)
	case f != nil && f.Kind == program.KindGiftCard && f.Status == Delivered:
		return errs.Conflict("card_given", "The gift card was handed out. Call the card off, and then say that it was returned.").With("redemption", r.ID)
	}
	return nil
}

// callOff lets go what was ordered and has not left, as the points are given back.
func (w *work) callOff(s *RedemptionState) {
	if f := s.Fulfilment; f != nil && (f.Status == Ordered || f.Status == Packed) {
		c := *f
		c.Status, c.At, c.Reason = Failed, w.at, "refunded"
		s.Fulfilment = &c
		w.stage(s)
	}
}
