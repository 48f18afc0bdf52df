package engine

import (
	"cmp"
	"slices"
	"strconv"

	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
)

// What is brought with a purchase to lower its price is used by facts of their own, in the books where its uses are counted, in the transaction
// of the purchase and before it: all of it or none. The purchase says of each what it took off, and of which lines; that is a discount like any other, so that what
// earns, counts and comes back is what was paid. When all of the goods have come back the uses have too: those in the member's own books with the
// return itself, those in the books of others a moment later, as it follows from the event (FollowUp).

// CodeUse is something that lowers the price of a purchase: a code, a voucher named by its redemption, or a benefit of the member's own. Just one
// of Code, Redemption and Benefit is sent; what else there is, answers say.
type CodeUse struct {
	// Code is a word or code of a coupon, or the code of a voucher, as it was typed or scanned. It is in the request alone.
	Code string `json:"code,omitempty"`
	// Address is that of the person behind a shop that asks for many, as in a check of codes. It is in the request alone.
	Address string `json:"address,omitempty"`
	// Redemption is that of a voucher: sent, it names one of the member's own without its code.
	Redemption string `json:"redemption,omitempty"`
	// Benefit is the benefit that is used.
	Benefit string `json:"benefit,omitempty"`
	// Coupon is the coupon of the word or code, Reward what the voucher was redeemed for.
	Coupon string `json:"coupon,omitempty"`
	Reward string `json:"reward,omitempty"`
	// Holder is the account in whose books it is used; the buyer's own when left out.
	Holder string `json:"holder,omitempty"`
	// Amount is what it took off, in the program's currency; Lines are those that it was for, all goods when left out.
	Amount *money.Decimal `json:"amount,omitempty"`
	Lines  []string       `json:"lines,omitempty"`
	// Use is the id of the fact by which it was used.
	Use string `json:"use,omitempty"`

	// Hash is the keyed hash of the code of a voucher, whose place another may take.
	Hash string `json:"-"`
}

// MostCodes bounds what is brought with one purchase.
const MostCodes = 50

// Brings says whether something is brought with a purchase.
func (f *Fact) Brings() bool {
	return f.Kind == PurchaseK && f.Purchase != nil && len(f.Purchase.Codes) > 0
}

// CodeHolders lists the accounts, besides the buyer's, in whose books something is used with a purchase.
func (f *Fact) CodeHolders() (out []string) {
	if !f.Brings() {
		return nil
	}
	for i := range f.Purchase.Codes {
		if h := f.Purchase.Codes[i].Holder; h != "" && h != f.Member && !slices.Contains(out, h) {
			out = append(out, h)
		}
	}
	return out
}

// CodeRefusals are what is wrong with what is brought with a purchase, told of all of it at once. The first says what kind of error it is.
type CodeRefusals struct {
	first  *errs.Error
	fields []errs.Field
}

// Add takes what is wrong with the n-th.
func (c *CodeRefusals) Add(n int, why error) {
	e := errs.As(why)
	if c.first == nil {
		c.first = e
	}
	c.fields = append(c.fields, errs.Field{Pointer: "/codes/" + strconv.Itoa(n), Reason: e.Reason, Message: e.Message})
}

// Err is the error of all of them, nil where there is none.
func (c *CodeRefusals) Err() error {
	if c.first == nil {
		return nil
	}
	e := *c.first
	e.Fields = c.fields
	return &e
}

// PartOfPurchase is what a fact that uses something says of the purchase it is used with.
type PartOfPurchase struct {
	// Purchase is the id of the purchase.
	Purchase string `json:"purchase,omitempty"`
	// Left is what is left to pay after what was used before it; the total when left out.
	Left *money.Decimal `json:"left,omitempty"`
}

// left reads it; total where it does not say.
func (b *PartOfPurchase) left(total int64, exponent int) (int64, error) {
	if b.Left == nil {
		return total, nil
	}
	n, err := b.Left.Minor(exponent)
	if err != nil || n < 0 || n > total {
		return 0, errs.Invalid("invalid_use", "What is left to pay cannot be used.", errs.Field{Pointer: "/left", Reason: "not_an_amount", Message: "must be 0 or more, and no more than the total"})
	}
	return n, nil
}

// UseOf makes the fact by which the n-th of what is brought with a purchase is used, in the books of Fact.Member. Those before it must have been
// used (Took).
func UseOf(p *program.Compiled, f *Fact, n int) (Fact, error) {
	b := f.Purchase
	u := &b.Codes[n]
	if err := checkCodes(b.Codes); err != nil {
		return Fact{}, err
	}
	total, left, lines, err := payableOf(p, b, n)
	if err != nil {
		return Fact{}, err
	}
	if lines != nil && len(lines) == 0 {
		return Fact{}, errs.Conflict("coupon_no_lines", "Nothing in this purchase is what the coupon is for.")
	}
	part := PartOfPurchase{Purchase: f.ID, Left: decimal(left, p.Exponent)}
	use := Fact{Member: cmp.Or(u.Holder, f.Member), OccurredAt: f.OccurredAt, RecordedAt: f.RecordedAt, Actor: f.Actor}
	by, with := cmp.Or(b.By, f.Member), []Beside(nil)
	for i := range b.Codes[:n] {
		switch o := &b.Codes[i]; {
		case o.Coupon != "":
			with = append(with, Beside{Coupon: o.Coupon, Code: o.Holder})
		case o.Redemption != "":
			with = append(with, Beside{Redemption: o.Redemption, Reward: o.Reward})
		}
	}
	switch {
	case u.Coupon != "":
		use.Kind = CouponK
		use.Coupon = &CouponStep{Do: CouponUsed, Total: decimal(total, p.Exponent), With: with, Store: b.Store, Channel: b.Channel, PartOfPurchase: part}
		if u.Holder == "" {
			use.Coupon.Coupon, use.Parent = u.Coupon, f.ID
		} else {
			use.Coupon.By = by
		}
	case u.Redemption != "":
		use.Kind, use.Parent = VoucherK, u.Redemption
		use.Voucher = &VoucherStep{Do: VoucherUsed, Total: decimal(total, p.Exponent), By: by, Hash: u.Hash, With: with, Store: b.Store, Channel: b.Channel, PartOfPurchase: part}
	case u.Benefit != "":
		use.Kind, use.Parent = UseK, f.ID
		use.Use = &UseBody{Benefit: u.Benefit, Store: b.Store, Channel: b.Channel, PartOfPurchase: part}
	default:
		return Fact{}, errs.NotFound("code_unknown", "There is no such code.")
	}
	return use, nil
}

func decimal(n int64, exponent int) *money.Decimal {
	d := money.FromMinor(n, exponent)
	return &d
}

// checkCodes sees that what is brought is not too much, and nothing twice that does not say so itself.
func checkCodes(codes []CodeUse) error {
	if len(codes) > MostCodes {
		return errs.Invalid("invalid_purchase", "The purchase has mistakes.", errs.Field{Pointer: "/codes", Reason: "too_many", Message: "has more than " + strconv.Itoa(MostCodes) + " codes"})
	}
	for i := range codes {
		for k := range codes[:i] {
			if codes[i].Benefit != "" && codes[i].Benefit == codes[k].Benefit {
				return errs.Invalid("benefit_twice", "The same benefit was named twice.", errs.Field{Pointer: "/codes/" + strconv.Itoa(i), Reason: "benefit_twice", Message: "was named before"})
			}
		}
	}
	return nil
}

// Took gives the purchase with what came of the n-th of what is brought with it. The fact is not changed, nor is its body.
func (f *Fact) Took(p *program.Compiled, n int, use string, d Decision) (*Purchase, error) {
	b := *f.Purchase
	b.Codes = slices.Clone(b.Codes)
	u := &b.Codes[n]
	_, _, lines, err := payableOf(p, f.Purchase, n)
	if err != nil {
		return nil, err
	}
	u.Code, u.Address, u.Hash, u.Use, u.Lines = "", "", "", use, lines
	off := money.FromMinor(0, p.Exponent)
	for _, e := range d.Events {
		if (e.Type == EvCouponUsed || e.Type == EvVoucherUsed || e.Type == EvBenefitUsed) && e.Data["amount"] != "" {
			if off, err = money.Parse(e.Data["amount"]); err != nil {
				return nil, err
			}
		}
	}
	u.Amount = &off
	return &b, nil
}

// payableOf is what the n-th of what is brought can lower: what its lines cost after all other discounts, and what is left of that after those before it.
// lines are those that a coupon is for, nil for all goods. Delivery is none of them.
func payableOf(p *program.Compiled, b *Purchase, n int) (all, left int64, lines []string, err error) {
	body := *b
	body.Codes, body.Spend = nil, nil
	first, err := netOf(p, &body)
	if err != nil {
		return 0, 0, nil, err
	}
	body.Codes = b.Codes[:n]
	now, err := netOf(p, &body)
	if err != nil {
		return 0, 0, nil, err
	}
	c := p.Coupons[b.Codes[n].Coupon]
	narrows := c != nil && c.Coupon.Lines != nil
	if narrows {
		lines = []string{}
	}
	for i := range now {
		switch {
		case now[i].ID == ShippingLine, narrows && !isFor(c, b, i):
			continue
		case narrows:
			lines = append(lines, now[i].ID)
		}
		all += max(first[i].Amount, 0)
		left += max(now[i].Amount, 0)
	}
	return all, left, lines, nil
}

// isFor says whether a coupon is for the i-th line of a purchase.
func isFor(c *program.CompiledCoupon, b *Purchase, i int) bool {
	if i >= len(b.Lines) { // it came as one amount
		return false
	}
	l := &b.Lines[i]
	return c.Coupon.Lines.Match(l.SKU, l.Category, l.Brand, l.Tags, b.Store, b.Channel)
}

// mayBring sees that the conditions of the coupons that were brought hold, of the purchase as it was before them.
func (w *work) mayBring(with *scene) error {
	var no CodeRefusals
	plain := *w.f.Purchase
	plain.Codes, plain.Spend = nil, nil
	b, fields := readPurchase(w.p, &plain)
	if len(fields) > 0 {
		return errs.Invalid("invalid_purchase", "The purchase has mistakes.", fields...)
	}
	var err error
	if b.net, err = b.sums(); err != nil {
		return err
	}
	before := *with
	s := &before
	s.basket = b
	for i := range w.f.Purchase.Codes {
		c := w.p.Coupons[w.f.Purchase.Codes[i].Coupon]
		if c == nil || c.When == nil {
			continue
		}
		ok, why, err := s.holds(c.When)
		switch {
		case err != nil:
			return errs.Invalid("condition_failed", "The coupon's condition could not be worked out.").Because(err)
		case !ok:
			codes := make([]string, 0, len(why))
			for _, n := range why {
				codes = append(codes, n.Code)
			}
			no.Add(i, errs.Forbidden("coupon_not_allowed", "This coupon is not for this purchase, or not for who buys.").With("coupon", c.ID).With("why", codes))
		}
	}
	return no.Err()
}

func netOf(p *program.Compiled, b *Purchase) ([]LineSum, error) {
	basket, fields := readPurchase(p, b)
	if len(fields) > 0 {
		return nil, errs.Invalid("invalid_purchase", "The purchase has mistakes.", fields...)
	}
	return basket.sums()
}

// codes takes what was used with the purchase off its lines, each off what those before it have left.
func (r *reader) codes(b *Purchase, out *basket) {
	for i := range b.Codes {
		u := &b.Codes[i]
		if u.Amount == nil || u.Amount.Sign() == 0 || len(r.fields) > 0 {
			continue
		}
		n, err := u.Amount.Minor(out.exponent)
		net, failed := out.sums()
		if err != nil || failed != nil {
			r.fail("/codes/"+strconv.Itoa(i)+"/amount", "not_an_amount", "is no amount of the program's currency")
			continue
		}
		weights := make([]int64, len(net))
		d := bdiscount{amount: n}
		for k := range out.lines {
			named := slices.Contains(u.Lines, out.lines[k].id)
			if named {
				d.lines = append(d.lines, k)
			}
			if named || len(u.Lines) == 0 {
				weights[k] = max(net[k].Amount, 0)
			}
		}
		if d.parts, err = money.Split(n, weights); err != nil {
			r.fail("/codes/"+strconv.Itoa(i)+"/amount", "not_an_amount", "cannot be shared over the lines")
			continue
		}
		out.discounts = append(out.discounts, d)
	}
}

// broughtCodes sees that all that was brought was used, and tells of it.
func (w *work) broughtCodes(b *Purchase) error {
	for i := range b.Codes {
		u := &b.Codes[i]
		if u.Use == "" || u.Amount == nil {
			return errs.Invalid("code_not_used", "This cannot be used with a purchase here.", errs.Field{Pointer: "/codes/" + strconv.Itoa(i), Reason: "code_not_used", Message: "was not looked up"})
		}
		n, err := u.Amount.Minor(w.p.Exponent)
		if err != nil {
			return err
		}
		switch {
		case u.Coupon != "":
			w.note(NoteCouponUsed, Args{"money": Money(n), "text": text(u.Coupon)})
		case u.Redemption != "":
			w.note(NoteVoucherUsed, Args{"money": Money(n), "reward": {Reward: u.Reward}})
		case n > 0:
			w.note(NoteBenefitOff, Args{"money": Money(n), "benefit": {Benefit: u.Benefit}})
		default:
			w.note(NoteBenefitTaken, Args{"benefit": {Benefit: u.Benefit}})
		}
	}
	return nil
}

// codesBack gives back what was used with a purchase of which all has come back now. What comes back in parts keeps it used: what it took off a line
// goes with that line.
func (w *work) codesBack(past *Past) {
	for i := range past.Fact.Purchase.Codes {
		u := &past.Fact.Purchase.Codes[i]
		if u.Redemption == "" && u.Holder == "" {
			w.ownBack(past, u)
			continue
		}
		data := map[string]string{"purchase": past.Fact.ID, "use": u.Use, "holder": cmp.Or(u.Holder, past.Fact.Member)}
		if u.Redemption != "" {
			data["redemption"], data["reward"] = u.Redemption, u.Reward
		} else {
			data["coupon"] = u.Coupon
		}
		w.event(EvCodeBack, data)
	}
}

// ownBack takes back a use that stands in the books of the purchase.
func (w *work) ownBack(past *Past, u *CodeUse) {
	i := slices.IndexFunc(past.Children, func(c Past) bool { return c.Fact.ID == u.Use })
	if i < 0 {
		return
	}
	if u.Coupon != "" {
		w.uncoupon(&past.Children[i].Decision)
		w.note(NoteCouponUnused, Args{"text": text(u.Coupon)})
		w.event(EvCouponUndone, map[string]string{"coupon": u.Coupon})
		return
	}
	w.giveUseBack(&past.Children[i])
}

// usedWith refuses to take back by hand what was used with a purchase: the discount would stay.
func (w *work) usedWith(purchase string) error {
	if purchase == "" || w.f.Source == FollowUpSource {
		return nil
	}
	return errs.Conflict("used_with_purchase", "This was used with a purchase and comes back with it: record the return of all of the purchase.").With("purchase", purchase)
}

// codeFollowUp is FollowUp of what comes back with a purchase and stands in the books of another.
func codeFollowUp(e Event, member string, f Fact) (Fact, bool) {
	holder := e.Data["holder"]
	if holder == "" {
		return Fact{}, false
	}
	f.Member, f.Source, f.ExternalID = holder, FollowUpSource, "code/"+e.Data["use"]+"/undone"
	if e.Data["redemption"] != "" {
		f.Kind, f.Parent = VoucherK, e.Data["redemption"]
		f.Voucher = &VoucherStep{Do: VoucherUnused, Use: e.Data["use"], PartOfPurchase: PartOfPurchase{Purchase: e.Data["purchase"]}}
		return f, true
	}
	f.Kind, f.Parent = CouponK, e.Data["use"]
	f.Coupon = &CouponStep{Do: CouponUnused, By: member, PartOfPurchase: PartOfPurchase{Purchase: e.Data["purchase"]}}
	return f, true
}
