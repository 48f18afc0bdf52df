package engine

import (
	"slices"
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
	// Use is the use that is taken back, by the id of its fact; the last one when left out.
	Use     string `json:"use,omitempty"`
	Store   string `json:"store,omitempty"`
	Channel string `json:"channel,omitempty"`
	Reason  string `json:"reason,omitempty"`
}

// VoucherUse is a use of a voucher that was not taken back.
type VoucherUse struct {
	Fact   string    `json:"fact"`
	At     time.Time `json:"at"`
	Amount int64     `json:"amount"` // what it took off, in minor units
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
		return errs.Conflict("voucher_void", "What this voucher was redeemed for was given back.")
	case v.ValidUntil != nil && !at.Before(*v.ValidUntil):
		return errs.Conflict("voucher_ended", "The time of this voucher is over.").With("valid_until", v.ValidUntil.Format(time.RFC3339))
	case v.Left() == 0:
		return errs.Conflict("voucher_used", "This voucher was used.").With("uses", v.most())
	case v.Bound && by != owner:
		return errs.Forbidden("voucher_bound", "Only the member who redeemed this voucher may use it: say who pays.")
	}
	return nil
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
		if err := s.Usable(w.f.Member, b.By, w.at); err != nil {
			return err
		}
		if b.Total == nil {
			return errs.Invalid("invalid_voucher", "Say what there is to pay.", errs.Field{Pointer: "/total", Reason: "required", Message: "is missing"})
		}
		total, err := b.Total.Minor(w.p.Exponent)
		if err != nil || total < 0 || total > maxMoney {
			return errs.Invalid("invalid_voucher", "The total cannot be used.", errs.Field{Pointer: "/total", Reason: "not_an_amount", Message: "must be 0 or more with at most " + digits(w.p.Exponent) + " decimals"})
		}
		off, err := v.Off(total)
		if err != nil {
			return err
		}
		v.Used = append(v.Used, VoucherUse{Fact: w.f.ID, At: w.at, Amount: off})
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
		v.Used = slices.Delete(v.Used, at, at+1)
		w.note(NoteVoucherUnused, Args{"reward": {Reward: s.Reward}})
		w.event(EvVoucherUndone, data)
	case VoucherVoid:
		if v.Void {
			return errs.Conflict("voucher_void", "This voucher was called off.")
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
		v.Code, v.Hash, v.Tail = "", d.Secrets[0].Hash, d.Secrets[0].Tail
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

// Presented is a code that somebody brings to pay with, as it stands in its holder's books.
type Presented struct {
	// Redemption is that of a voucher, with its owner.
	Redemption *RedemptionState
	Owner      string
	// Balance is what a gift card has; Card says that it is one.
	Card    bool
	Balance int64
}

// Checkout is what presented codes come to together.
type Checkout struct {
	// Amounts are what each takes off or pays, in the order of the codes; Why is the error of one that cannot be used with the others.
	Amounts []int64
	Why     []error
	// Total is what there is left to pay.
	Total int64
}

// PresentAll works out what vouchers and gift cards come to in one purchase. Vouchers come first, in the order given, each on what is left, and
// gift cards pay what is left then, whatever the order: they are money, and what lowers the price goes before money. A voucher that stands alone
// goes with no other, and of a group goes one.
func PresentAll(p *program.Compiled, list []Presented, total int64, by string, at time.Time) (Checkout, error) {
	out := Checkout{Amounts: make([]int64, len(list)), Why: make([]error, len(list)), Total: total}
	groups, used, alone := map[string]bool{}, 0, false
	for i, c := range list {
		if c.Card {
			continue
		}
		if err := c.Redemption.Usable(c.Owner, by, at); err != nil {
			out.Why[i] = err
			continue
		}
		var rules program.Voucher
		if r := p.Rewards[c.Redemption.Reward]; r != nil && r.Gives.Voucher != nil {
			rules = *r.Gives.Voucher
		}
		switch {
		case alone || rules.Stacks == "alone" && used > 0:
			out.Why[i] = errs.Conflict("voucher_alone", "A voucher here goes with no other.")
		case rules.Group != "" && groups[rules.Group]:
			out.Why[i] = errs.Conflict("voucher_group", "One purchase takes one voucher of this group.").With("group", rules.Group)
		case slices.ContainsFunc(list[:i], func(o Presented) bool { return !o.Card && o.Redemption.ID == c.Redemption.ID }):
			out.Why[i] = errs.Conflict("voucher_twice", "The same voucher was named twice.")
		}
		if rules.Least != nil && out.Why[i] == nil {
			if least, err := rules.Least.Minor(p.Exponent); err == nil && total < least {
				out.Why[i] = errs.Conflict("below_least", "This voucher asks for a purchase of at least "+money.Format(least, p.Exponent)+".").With("least", money.Format(least, p.Exponent))
			}
		}
		if out.Why[i] != nil {
			continue
		}
		off, err := c.Redemption.Voucher.Off(out.Total)
		if err != nil {
			return out, err
		}
		used, alone = used+1, rules.Stacks == "alone"
		groups[rules.Group] = true
		out.Amounts[i] = off
		out.Total -= off
	}
	for i, c := range list {
		if c.Card {
			out.Amounts[i] = min(c.Balance, out.Total)
			out.Total -= out.Amounts[i]
		}
	}
	return out, nil
}
