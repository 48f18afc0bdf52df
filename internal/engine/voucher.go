package engine

import (
	"slices"
	"strconv"
	"time"

	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
)

// A voucher is part of the redemption that issued it, in the books of whoever redeemed. Using it, taking a use back and calling it off are
// facts about that redemption, so that whoever brings the code, it counts once.

// What is done with a voucher.
const (
	VoucherUsed   = "use"
	VoucherUnused = "undo"
	VoucherVoid   = "void"
	VoucherCode   = "code" // another code stands for it
)

// VoucherStep is what a fact does with a voucher; Fact.Parent is the redemption.
type VoucherStep struct {
	Do string `json:"do"`
	// Total is what there was to pay before the voucher.
	Total *money.Decimal `json:"total,omitempty"`
	// By is who used it, where that is known: a bound voucher asks for its owner.
	By string `json:"by,omitempty"`
	// Hash is the keyed hash of the code by which it came; "" where it was named by its redemption. Another code may have taken its place meanwhile.
	Hash string `json:"hash,omitempty"`
	// With are the other vouchers of the same purchase.
	With []Beside `json:"with,omitempty"`
	// Use is the use that is taken back, by the id of its fact; the last one when left out.
	Use     string `json:"use,omitempty"`
	Store   string `json:"store,omitempty"`
	Channel string `json:"channel,omitempty"`
	Reason  string `json:"reason,omitempty"`
	PartOfPurchase
}

// Beside is another voucher or coupon of the same purchase: what it stacks with is what its reward or coupon says.
type Beside struct {
	Redemption string `json:"redemption,omitempty"`
	Reward     string `json:"reward,omitempty"`
	Coupon     string `json:"coupon,omitempty"`
	// Code is the account of a coupon's code.
	Code string `json:"code,omitempty"`
}

// VoucherUse is a use of a voucher that was not taken back.
type VoucherUse struct {
	Fact   string    `json:"fact"`
	At     time.Time `json:"at"`
	Amount int64     `json:"amount"` // what it took off, in minor units
	// Purchase is what it was used with, where that was said in one.
	Purchase string `json:"purchase,omitempty"`
}

// most is how often a voucher can be used.
func (v *VoucherState) most() int64 { return max(v.Uses, 1) }

// Left is how often it can still be used.
func (v *VoucherState) Left() int64 { return max(v.most()-int64(len(v.Used)), 0) }

// Usable is nil where a voucher can be used at a time by somebody ("" is whoever has the code), else why not.
func (r *RedemptionState) Usable(owner, by string, at time.Time) error {
	v := r.Voucher
	switch {
	case v == nil:
		return errs.Conflict("not_a_voucher", "This redemption gave no voucher.")
	case v.Void:
		return errs.Conflict("voucher_void", "This voucher was called off.")
	case r.Status == StatusRefunded:
		return errVoidByRefund()
	case v.ValidUntil != nil && !at.Before(*v.ValidUntil):
		return errs.Conflict("voucher_ended", "The time of this voucher is over.").With("valid_until", v.ValidUntil.Format(time.RFC3339))
	case v.Left() == 0:
		return errs.Conflict("voucher_used", "This voucher was used.").With("uses", v.most())
	case v.Bound && by != owner:
		return errs.Forbidden("voucher_bound", "Only the member who redeemed this voucher may use it: say who pays.")
	}
	return nil
}

func errVoidByRefund() error {
	return errs.Conflict("voucher_void", "What this voucher was redeemed for was given back.")
}

// What a voucher is at a moment.
const (
	VoucherWaits = "waiting" // it was handed over by time, and nobody has asked for its code yet
	VoucherOpen  = "usable"
	VoucherDone  = "used"
	VoucherEnded = "ended"
	VoucherOff   = "void"
)

// Stands says what the voucher of a redemption is at a moment; "" where there is none.
func (r *RedemptionState) Stands(at time.Time) string {
	v := r.Voucher
	switch {
	case v == nil:
		return ""
	case v.Void || r.Status == StatusRefunded:
		return VoucherOff
	case v.Left() == 0:
		return VoucherDone
	case v.ValidUntil != nil && !at.Before(*v.ValidUntil):
		return VoucherEnded
	case v.Waits:
		return VoucherWaits
	}
	return VoucherOpen
}

// doVoucher uses a voucher, takes a use back, calls it off, or has another code stand for it.
func (w *work) doVoucher() error {
	b := w.f.Voucher
	r := w.in.Redemptions[w.f.Parent]
	if b == nil || r == nil {
		return errs.NotFound("voucher_not_found", "There is no such voucher.")
	}
	s := *r
	if r.Voucher == nil {
		return s.Usable(w.f.Member, b.By, w.at)
	}
	v := *r.Voucher
	v.Used = slices.Clone(r.Voucher.Used)
	s.Voucher = &v
	data := map[string]string{"redemption": s.ID, "reward": s.Reward}
	switch b.Do {
	case VoucherUsed:
		if w.st.Status == Blocked {
			return w.mayAct()
		}
		if b.Hash != "" && b.Hash != v.Hash {
			return errs.Conflict("code_replaced", "Another code stands in the place of this one.")
		}
		if err := s.Usable(w.f.Member, b.By, w.at); err != nil {
			return err
		}
		if b.Total == nil {
			return errs.Invalid("invalid_voucher", "Say what there is to pay.", errs.Field{Pointer: "/total", Reason: "required", Message: "is missing"})
		}
		total, err := b.Total.Minor(w.p.Exponent)
		if err != nil || total < 0 || total > maxMoney {
			return errs.Invalid("invalid_voucher", "The total cannot be used.", errs.Field{Pointer: "/total", Reason: "not_an_amount", Message: "must be 0 or more with at most " + strconv.Itoa(w.p.Exponent) + " decimals"})
		}
		var others stack
		for _, o := range b.With {
			others.beside(w.p, o)
		}
		if err := others.refuses(s.ID, rulesOf(w.p, s.Reward), total, w.p.Exponent); err != nil {
			return err
		}
		left, err := b.left(total, w.p.Exponent)
		if err != nil {
			return err
		}
		off, err := v.Off(left)
		if err != nil {
			return err
		}
		v.Used = append(v.Used, VoucherUse{Fact: w.f.ID, At: w.at, Amount: off, Purchase: b.Purchase})
		if b.Purchase != "" {
			data["purchase"] = b.Purchase
		}
		data["amount"] = money.Format(off, w.p.Exponent)
		w.note(NoteVoucherUsed, Args{"money": Money(off), "reward": {Reward: s.Reward}})
		w.event(EvVoucherUsed, data)
	case VoucherUnused:
		at := len(v.Used) - 1
		if b.Use != "" {
			at = slices.IndexFunc(v.Used, func(u VoucherUse) bool { return u.Fact == b.Use })
		}
		if at < 0 {
			return errs.Conflict("voucher_not_used", "There is no such use of this voucher to take back.")
		}
		if err := w.usedWith(v.Used[at].Purchase); err != nil {
			return err
		}
		v.Used = slices.Delete(v.Used, at, at+1)
		w.note(NoteVoucherUnused, Args{"reward": {Reward: s.Reward}})
		w.event(EvVoucherUndone, data)
	case VoucherVoid:
		if v.Void {
			return errs.Conflict("voucher_void", "This voucher was called off.")
		}
		if s.Status == StatusRefunded {
			return errVoidByRefund()
		}
		v.Void = true
		w.note(NoteVoucherVoid, Args{"reward": {Reward: s.Reward}})
		w.event(EvVoucherVoid, data)
	case VoucherCode:
		if err := s.Usable(w.f.Member, w.f.Member, w.at); err != nil {
			return err
		}
		d := w.f.Drawn
		if d == nil || len(d.Secrets) != 1 {
			return errs.Internal("no_code", "No code was drawn for the voucher.")
		}
		v.Was, v.Waits, v.Code, v.Hash, v.Tail = v.Hash, false, "", d.Secrets[0].Hash, d.Secrets[0].Tail
		w.event(EvVoucher, data)
	default:
		return errs.Invalid("invalid_voucher", "The voucher has no such step.", errs.Field{Pointer: "/do", Reason: "unknown_step", Message: "must be use, undo, void or code"})
	}
	w.d.Redemptions = append(w.d.Redemptions, s)
	return nil
}

// Off is what a voucher takes off a total, never more than the total; percent is rounded half up.
func (v *VoucherState) Off(total int64) (int64, error) {
	if v.Percent == "" {
		return min(v.Money, total), nil
	}
	d, err := money.Parse(v.Percent)
	if err != nil {
		return 0, err
	}
	num, den := d.Ratio()
	return money.MulDiv(total, num, den*100, money.HalfUp)
}

// rulesOf are the rules by which the voucher of a reward goes with others; none where the program does not have it any more.
func rulesOf(p *program.Compiled, reward string) program.Voucher {
	if r := p.Rewards[reward]; r != nil && r.Gives.Voucher != nil {
		return *r.Gives.Voucher
	}
	return program.Voucher{}
}

// stack is what has lowered the price of one purchase so far.
type stack struct {
	ids    []string
	groups []string
	alone  bool
}

func (s *stack) take(id string, r program.Voucher) {
	s.ids = append(s.ids, id)
	s.alone = s.alone || r.Stacks == "alone"
	if r.Group != "" {
		s.groups = append(s.groups, r.Group)
	}
}

// refuses says why one more does not go with what there is, or not with a purchase of this size, -1 where that is not known; nil where it goes.
func (s *stack) refuses(id string, r program.Voucher, total int64, exponent int) error {
	switch {
	case slices.Contains(s.ids, id):
		return errs.Conflict("voucher_twice", "The same voucher or coupon was named twice.")
	case s.alone || r.Stacks == "alone" && len(s.ids) > 0:
		return errs.Conflict("voucher_alone", "A voucher or coupon here goes with no other.")
	case r.Group != "" && slices.Contains(s.groups, r.Group):
		return errs.Conflict("voucher_group", "One purchase takes one voucher or coupon of this group.").With("group", r.Group)
	}
	if r.Least == nil || total < 0 {
		return nil
	}
	if least, err := r.Least.Minor(exponent); err == nil && total < least {
		return errs.Conflict("below_least", "This asks for a purchase of at least "+money.Format(least, exponent)+".").With("least", money.Format(least, exponent))
	}
	return nil
}

// Presented is a code that somebody brings to pay with, as it stands in its holder's books.
type Presented struct {
	// Redemption is that of a voucher, with its owner.
	Redemption *RedemptionState
	Owner      string
	// Card is the id of a gift card, State its account, Ended when the last of what was on it ended, where time took it.
	Card  string
	State *State
	Ended *time.Time
	// Coupon is the id of a coupon, Account whose books it would be used in, loaded as CouponNeeds says; nil where nobody says who pays.
	Coupon  string
	Account *Account
}

// Checkout is what presented codes come to together.
type Checkout struct {
	// Amounts are what each takes off or pays, in the order of the codes; Why is the error of one that cannot be used, or not with the others.
	Amounts []int64
	Why     []error
	// Total is what there is left to pay.
	Total int64
}

// lowering says how a voucher or a coupon lowers a price, and what it is and goes with; else why it does not.
func (c *Presented) lowering(p *program.Compiled, by string, at time.Time) (id string, rules program.Voucher, off func(int64) (int64, error), err error) {
	if c.Redemption != nil {
		if err := c.Redemption.Usable(c.Owner, by, at); err != nil {
			return "", rules, nil, err
		}
		return c.Redemption.ID, rulesOf(p, c.Redemption.Reward), c.Redemption.Voucher.Off, nil
	}
	if c.Account == nil {
		return "", rules, nil, errs.Forbidden("member_required", "Members alone may use this word: say who pays.")
	}
	coupon, err := CouponUsable(p, c.Account, c.Coupon, at, at)
	if err == nil && coupon.LooksAtPurchase() {
		err = errPurchaseFirst()
	}
	if err != nil {
		return "", rules, nil, err
	}
	return couponID(&c.Account.State, c.Account.Member, coupon), coupon.Stacking(), func(total int64) (int64, error) { return CouponOff(coupon, total) }, nil
}

// PresentAll works out what vouchers, coupons and gift cards come to in one purchase. Vouchers and coupons come first, in the order given, each on what is left, and
// gift cards pay what is left then, whatever the order: they are money, and what lowers the price goes before money. What stands alone
// goes with no other, and of a group goes one. A total of -1 is not known: then nothing is said of amounts.
func PresentAll(p *program.Compiled, list []Presented, total int64, by string, at time.Time) (Checkout, error) {
	out := Checkout{Amounts: make([]int64, len(list)), Why: make([]error, len(list)), Total: total}
	var taken stack
	for i, c := range list {
		if c.Card != "" {
			continue
		}
		id, r, lowers, err := c.lowering(p, by, at)
		if err == nil {
			err = taken.refuses(id, r, total, p.Exponent)
		}
		if out.Why[i] = err; err != nil {
			continue
		}
		taken.take(id, r)
		if total < 0 {
			continue
		}
		off, err := lowers(out.Total)
		if err != nil {
			return out, err
		}
		out.Amounts[i] = off
		out.Total -= off
	}
	cards := map[string]bool{}
	for i, c := range list {
		if c.Card == "" {
			continue
		}
		if out.Why[i] = c.State.CardUsable(p); out.Why[i] == nil && cards[c.Card] {
			out.Why[i] = errs.Conflict("card_twice", "The same gift card was named twice.")
		}
		if out.Why[i] == nil {
			out.Why[i] = c.State.CardSpent(p, c.Ended)
		}
		if out.Why[i] != nil {
			continue
		}
		cards[c.Card] = true
		if total >= 0 {
			out.Amounts[i] = min(c.State.CardBalance(p), out.Total)
			out.Total -= out.Amounts[i]
		}
	}
	return out, nil
}
