package engine

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
)

// A coupon takes something off a purchase and nobody redeemed anything for it. A public word is used by a member, in the member's books, where
// its limits are counted. A code of a batch is a holder of its own, since whoever has it may be nobody: what is used of it is in its books, so
// that nothing is hot and it counts once whoever brings it.

// CouponCode is the kind of holder that a coupon's code is.
const CouponCode = "coupon"

// What is done with a coupon.
const (
	CouponUsed   = "use"
	CouponUnused = "undo" // Fact.Parent is the use
)

// CouponStep is what a fact does with a coupon.
type CouponStep struct {
	Do string `json:"do"`
	// Coupon is its id in the program; that of a code is known by the code.
	Coupon string `json:"coupon,omitempty"`
	// Total is what there was to pay before it.
	Total *money.Decimal `json:"total,omitempty"`
	// By is the member who used a code, where that is known.
	By string `json:"by,omitempty"`
	// With are the other vouchers and coupons of the same purchase.
	With    []Beside `json:"with,omitempty"`
	Store   string   `json:"store,omitempty"`
	Channel string   `json:"channel,omitempty"`
	Reason  string   `json:"reason,omitempty"`
	PartOfPurchase
}

// couponTally begins the names of the counters of coupons.
const couponTally = "coupon:"

// CouponNeeds says what must be loaded to see whether a coupon can be used.
func CouponNeeds(p *program.Compiled, st *State, coupon string, at time.Time) Needs {
	if st.Kind == CouponCode && st.Card != nil {
		coupon = st.Card.Coupon
	}
	c := p.Coupons[coupon]
	if c == nil {
		return Needs{}
	}
	return Needs{Tallies: limitTallies(p, st, c.Limits, at)}
}

// couponNeeds are those of a fact; of an undo all counters of coupons are asked for by their names when the use is known, so none is read.
func couponNeeds(p *program.Compiled, st *State, f Fact) Needs {
	if f.Coupon == nil {
		return Needs{}
	}
	n := CouponNeeds(p, st, f.Coupon.Coupon, f.AskedAt())
	if f.Parent != "" && f.Coupon.Do != CouponUsed {
		n.Past = []string{f.Parent}
	}
	return n
}

// couponOf gives the coupon that an account stands for, or that a member names by its word.
func couponOf(p *program.Compiled, st *State, named string) (*program.CompiledCoupon, error) {
	if st.Kind == CouponCode {
		named = st.Card.Coupon
	}
	c := p.Coupons[named]
	if c == nil || (st.Kind == CouponCode) == (c.Word != "") {
		return nil, errs.NotFound("coupon_not_found", "There is no such coupon.")
	}
	return c, nil
}

// CouponUsable gives the coupon that can be used at a time by an account, which must be loaded as CouponNeeds says for the time asked by whose
// periods its limits count; else why not.
func CouponUsable(p *program.Compiled, acc *Account, coupon string, at, asked time.Time) (*program.CompiledCoupon, error) {
	st := &acc.State
	c, err := couponOf(p, st, coupon)
	switch {
	case err != nil:
		return nil, err
	case st.Status == Closed && st.Kind == CouponCode:
		return nil, errs.Conflict("coupon_void", "This code was called off.")
	case st.Status == Closed:
		return nil, errs.Conflict("member_closed", "This member has left the program.")
	case st.Status == Blocked && st.Kind == CouponCode:
		return nil, errs.Forbidden("coupon_blocked", "This code is blocked.")
	case st.Status == Blocked:
		return nil, errs.Forbidden("member_blocked", "This member is blocked and cannot spend.")
	case c.From != nil && at.Before(*c.From):
		return nil, errs.Conflict("coupon_early", "The time of this coupon has not come yet.").With("from", c.From.In(p.Zone).Format(time.RFC3339))
	case c.Until != nil && at.After(*c.Until):
		return nil, errs.Conflict("coupon_ended", "The time of this coupon is over.").With("until", c.Until.In(p.Zone).Format(time.RFC3339))
	case st.Kind == CouponCode && st.Card.Used >= max(c.Uses, 1):
		return nil, errs.Conflict("coupon_used", "This code was used.").With("uses", max(c.Uses, 1))
	}
	sc := newScene(p, st, asked)
	for _, l := range c.Limits {
		if l.Times >= 0 && acc.Tallies[limitName(l)+"/times"][program.PeriodKey(l.Per, asked, sc.zone(l.Zone))] >= l.Times {
			return nil, errs.Conflict("limit_reached", "The limit of this coupon is reached.").With("each", l.Each).With("per", l.Per).With("times", l.Times)
		}
	}
	return c, nil
}

// CouponStands says what the code of a coupon is at a moment, but for the limits of its coupon.
func CouponStands(p *program.Compiled, st *State, at time.Time) string {
	c := p.Coupons[st.Card.Coupon]
	switch {
	case st.Status == Closed:
		return VoucherOff
	case st.Status == Blocked:
		return Blocked
	case c == nil || c.Until != nil && at.After(*c.Until):
		return VoucherEnded
	case st.Card.Used >= max(c.Uses, 1):
		return VoucherDone
	}
	return VoucherOpen
}

// CouponOff is what a coupon takes off a total, never more than the total; percent is rounded half up.
func CouponOff(c *program.CompiledCoupon, total int64) (int64, error) {
	v := VoucherState{Money: c.Money}
	if c.Percent != nil {
		v.Percent = c.Percent.String()
	}
	return v.Off(total)
}

// issueCoupon is the enrolment of a coupon's code.
func (w *work) issueCoupon() error {
	c := w.f.Card
	if c == nil || w.p.Coupons[c.Coupon] == nil || w.p.Coupons[c.Coupon].Word != "" {
		return errs.NotFound("coupon_not_found", "There is no such coupon to issue codes of: one without a word.")
	}
	w.st.Kind, w.st.Status, w.st.JoinedAt, w.st.At = CouponCode, Active, w.at, w.at
	w.st.Card = &CardState{Issued: w.f.ID, Coupon: c.Coupon}
	w.event(EvCouponIssued, map[string]string{"coupon": c.Coupon})
	return nil
}

func (w *work) doCoupon() error {
	b := w.f.Coupon
	if b == nil {
		return errs.Invalid("invalid_coupon", "Say what is done with the coupon.", errs.Field{Pointer: "/do", Reason: "required", Message: "is missing"})
	}
	switch b.Do {
	case CouponUsed:
		return w.useCoupon(b)
	case CouponUnused:
		return w.undoCoupon()
	}
	return errs.Invalid("invalid_coupon", "The coupon has no such step.", errs.Field{Pointer: "/do", Reason: "unknown_step", Message: "must be use or undo"})
}

func (w *work) useCoupon(b *CouponStep) error {
	c, err := CouponUsable(w.p, w.acc, b.Coupon, w.at, w.f.AskedAt())
	if err != nil {
		return err
	}
	if c.LooksAtPurchase() && b.Purchase == "" {
		return errPurchaseFirst()
	}
	if b.Total == nil {
		return errs.Invalid("invalid_coupon", "Say what there is to pay.", errs.Field{Pointer: "/total", Reason: "required", Message: "is missing"})
	}
	total, err := b.Total.Minor(w.p.Exponent)
	if err != nil || total < 0 || total > maxMoney {
		return errs.Invalid("invalid_coupon", "The total cannot be used.", errs.Field{Pointer: "/total", Reason: "not_an_amount", Message: "must be 0 or more with at most " + strconv.Itoa(w.p.Exponent) + " decimals"})
	}
	var others stack
	for _, o := range b.With {
		others.beside(w.p, o)
	}
	if err := others.refuses(couponID(w.st, w.f.Member, c), c.Stacking(), total, w.p.Exponent); err != nil {
		return err
	}
	left, err := b.left(total, w.p.Exponent)
	if err != nil {
		return err
	}
	off, err := CouponOff(c, left)
	if err != nil {
		return err
	}
	if w.st.Kind == CouponCode {
		w.st.Card.Used++
	}
	asked := w.f.AskedAt()
	sc := newScene(w.p, w.st, asked)
	for _, l := range c.Limits {
		if l.Times >= 0 {
			w.tally(limitName(l)+"/times", program.PeriodKey(l.Per, asked, sc.zone(l.Zone)), 1)
		}
	}
	w.note(NoteCouponUsed, Args{"money": Money(off), "text": text(c.ID)})
	data := map[string]string{"coupon": c.ID, "amount": money.Format(off, w.p.Exponent)}
	if b.By != "" {
		data["by"] = b.By
	}
	if b.Purchase != "" {
		data["purchase"] = b.Purchase
	}
	w.event(EvCouponUsed, data)
	return nil
}

func errPurchaseFirst() error {
	return errs.Conflict("coupon_with_purchase", "This coupon looks at what is bought: send its code with the purchase, under codes. A simulation of the purchase says what it takes off.")
}

// undoCoupon takes a use back, whole and once: what it counted is counted no more.
func (w *work) undoCoupon() error {
	if w.st.Kind != CouponCode {
		if err := w.notClosed(); err != nil {
			return err
		}
	}
	past := w.in.Past
	if past == nil || past.Fact.Coupon == nil || past.Fact.Coupon.Do != CouponUsed {
		return errs.NotFound("fact_not_found", "There is no such use of a coupon.")
	}
	for _, child := range past.Children {
		if child.Fact.Coupon != nil {
			return errs.Conflict("undone_already", "This use was taken back already.").With("fact", child.Fact.ID)
		}
	}
	if err := w.usedWith(past.Fact.Coupon.Purchase); err != nil {
		return err
	}
	w.uncoupon(&past.Decision)
	id := past.Fact.Coupon.Coupon
	if w.st.Kind == CouponCode {
		w.st.Card.Used--
		id = w.st.Card.Coupon
	}
	w.note(NoteCouponUnused, Args{"text": text(id)})
	w.event(EvCouponUndone, map[string]string{"coupon": id})
	return nil
}

// uncoupon counts the use of a coupon no more.
func (w *work) uncoupon(used *Decision) {
	for _, c := range used.Counters {
		if strings.HasPrefix(strings.TrimPrefix(c.Name, ProgramTally), couponTally) {
			w.tally(c.Name, c.Period, -c.Add)
		}
	}
}

// couponID tells one coupon from another in a purchase: a code is itself, a word is its coupon.
func couponID(st *State, account string, c *program.CompiledCoupon) string {
	if st.Kind == CouponCode {
		return account
	}
	return couponTally + c.ID
}

// BesideOf is a coupon as it stands beside others in a purchase.
func BesideOf(p *program.Compiled, acc *Account, coupon string) (Beside, error) {
	c, err := couponOf(p, &acc.State, coupon)
	if err != nil {
		return Beside{}, err
	}
	b := Beside{Coupon: c.ID}
	if acc.State.Kind == CouponCode {
		b.Code = acc.Member
	}
	return b, nil
}

// beside takes another of the same purchase.
func (s *stack) beside(p *program.Compiled, o Beside) {
	switch c := p.Coupons[o.Coupon]; {
	case o.Coupon == "":
		s.take(o.Redemption, rulesOf(p, o.Reward))
	case o.Code != "":
		s.take(o.Code, stacking(c))
	default:
		s.take(couponTally+o.Coupon, stacking(c))
	}
}

func stacking(c *program.CompiledCoupon) program.Voucher {
	if c == nil {
		return program.Voucher{}
	}
	return c.Stacking()
}

// CheckCoupon says what is wrong with the uses of a coupon's code, by its facts; "" for nothing.
func CheckCoupon(st *State, past []Past) string {
	if st.Kind != CouponCode {
		return ""
	}
	used := int64(0)
	for i := range past {
		if b := past[i].Fact.Coupon; b != nil {
			used++
			if b.Do == CouponUnused {
				used -= 2
			}
		}
	}
	if st.Card == nil || st.Card.Used != used || used < 0 || slices.ContainsFunc(past, func(p Past) bool { return len(p.Decision.Postings) > 0 }) {
		return "a coupon's code holds nothing, and counts its uses less those that were taken back"
	}
	return ""
}
