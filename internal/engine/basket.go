package engine

import (
	"errors"
	"slices"
	"strconv"

	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
)

// ShippingLine is the line id under which delivery can be returned.
const ShippingLine = "shipping"

// quantityScale is the number of decimals a quantity may have: kilos and metres to the thousandth.
const quantityScale = 3

// maxMoney and maxQuantity bound what one purchase may hold, so that no product of two of them leaves 128 bits and no
// sum of many purchases leaves 64.
const (
	maxMoney    = int64(1e14)
	maxQuantity = int64(1e12)
	maxLines    = 5000
)

// basket is a purchase in minor units of the program's currency.
type basket struct {
	exponent  int // of the program's currency
	lines     []bline
	shipping  bline
	discounts []bdiscount
	payments  []bpayment
	// total is what was to be paid: lines and shipping less discounts.
	total int64
	// on is what was paid of each line (shipping last) with points that only some lines take, nil where nothing was; net what each cost.
	on  []int64
	net []LineSum
	// converted says that the amounts came in another currency.
	from string
	rate string
}

type bline struct {
	id, sku, category, brand string
	tags                     []string
	quantity                 int64 // thousandths
	amount, discount, tax    int64
}

type bdiscount struct {
	amount int64
	lines  []int   // empty: the whole purchase
	parts  []int64 // of each line, where that is known; else it is shared by what the lines cost
}

type bpayment struct {
	means  string
	amount int64
}

// reader turns decimals into minor units and keeps every mistake with its pointer.
type reader struct {
	exponent int // of the currency the amounts are in
	num, den int64
	target   int // exponent of the program's currency
	convert  bool
	fields   []errs.Field
}

func (r *reader) fail(pointer, reason, message string) {
	r.fields = append(r.fields, errs.Field{Pointer: pointer, Reason: reason, Message: message})
}

func (r *reader) money(d *money.Decimal, pointer string, negative bool) int64 {
	if d == nil {
		return 0
	}
	n, err := d.Minor(r.exponent)
	switch {
	case errors.Is(err, money.ErrScale):
		r.fail(pointer, "too_many_decimals", "has more decimals than the currency's "+strconv.Itoa(r.exponent)+"; round it first")
		return 0
	case err != nil || n > maxMoney || n < -maxMoney:
		r.fail(pointer, "too_large", "is too large an amount")
		return 0
	case n < 0 && !negative:
		r.fail(pointer, "negative", "must not be negative")
		return 0
	}
	if !r.convert {
		return n
	}
	out, err := convertMoney(n, r.exponent, r.num, r.den, r.target)
	if err != nil || out > maxMoney || out < -maxMoney {
		r.fail(pointer, "too_large", "is too large an amount in the program's currency")
		return 0
	}
	return out
}

// convertMoney turns minor units of one currency into another's, rounded to the nearest.
func convertMoney(n int64, exponent int, num, den int64, target int) (int64, error) {
	for ; exponent < target; exponent++ {
		if den%10 == 0 {
			den /= 10
			continue
		}
		num *= 10
	}
	for ; exponent > target; exponent-- {
		den *= 10
	}
	return money.MulDiv(n, num, den, money.HalfUp)
}

// readPurchase makes the basket of a purchase, or says all that is wrong with it; pointers are below the purchase.
func readPurchase(p *program.Compiled, b *Purchase) (*basket, []errs.Field) {
	out, r := readGoods(p, b)
	for i, s := range b.Spend {
		checkSpend(p, s, "/spend/"+strconv.Itoa(i), r)
	}
	return out, r.fields
}

// rereadPurchase is readPurchase for one that was recorded: its rewards may have left the program since.
func rereadPurchase(p *program.Compiled, b *Purchase) (*basket, []errs.Field) {
	out, r := readGoods(p, b)
	return out, r.fields
}

func readGoods(p *program.Compiled, b *Purchase) (*basket, *reader) {
	r := &reader{exponent: p.Exponent, target: p.Exponent, num: 1, den: 1}
	out := &basket{exponent: p.Exponent}
	if b.Currency != "" && b.Currency != p.Doc.Currency {
		switch {
		case !money.IsCurrency(b.Currency):
			r.fail("/currency", "not_a_currency", "is not an ISO 4217 code such as NOK")
		case b.Rate == nil:
			r.fail("/currency", "other_currency", "the program counts in "+p.Doc.Currency+"; send the rate with it: how much "+
				p.Doc.Currency+" one "+b.Currency+" is")
		case b.Rate.Sign() <= 0:
			r.fail("/rate", "not_positive", "must be more than 0")
		default:
			r.exponent = money.Exponent(b.Currency)
			r.num, r.den = b.Rate.Ratio()
			if r.num > 1e12 || r.den > 1e10 {
				r.fail("/rate", "too_long", "has too many digits; ten decimals are enough")
				r.num, r.den = 1, 1
			}
			r.convert = true
			out.from, out.rate = b.Currency, b.Rate.String()
		}
	} else if b.Rate != nil {
		r.fail("/rate", "not_needed", "goes only with a currency other than the program's "+p.Doc.Currency)
	}
	r.lines(b, out)
	if b.Shipping != nil {
		out.shipping = bline{id: ShippingLine, quantity: 1000, amount: r.money(&b.Shipping.Amount, "/shipping/amount", false),
			tax: r.money(b.Shipping.Tax, "/shipping/tax", false)}
	}
	r.discounts(b, out)
	r.codes(b, out)
	for i, pay := range b.Payments {
		at := "/payments/" + strconv.Itoa(i)
		if pay.Means == "" {
			r.fail(at+"/means", "required", "say how it was paid: card, cash, gift_card, …")
		}
		out.payments = append(out.payments, bpayment{pay.Means, r.money(&pay.Amount, at+"/amount", false)})
	}
	if len(b.Spend) > 100 || len(b.Payments) > 1000 || len(b.Discounts) > 1000 || len(b.Redemptions) > 100 {
		r.fail("", "too_many", "has too many parts: at most 100 rewards, 1,000 payments and 1,000 discounts")
	}
	for i := range out.lines {
		out.total += out.lines[i].amount
	}
	out.total += out.shipping.amount
	for _, d := range out.discounts {
		out.total -= d.amount
	}
	if len(r.fields) == 0 && out.total < -maxMoney {
		r.fail("", "too_large", "comes to too large an amount")
	}
	return out, r
}

func (r *reader) lines(b *Purchase, out *basket) {
	if len(b.Lines) > maxLines {
		r.fail("/lines", "too_many", "has more than 5,000 lines; send them as several purchases")
		return
	}
	if len(b.Lines) == 0 {
		if b.Amount == nil {
			r.fail("/lines", "required", "a purchase needs lines, or an amount")
			return
		}
		out.lines = []bline{{id: "1", quantity: 1000, amount: r.money(b.Amount, "/amount", false), tax: r.money(b.Tax, "/tax", false)}}
		return
	}
	if b.Amount != nil || b.Tax != nil {
		r.fail("/amount", "not_with_lines", "goes only with a purchase without lines; the lines carry their own amounts and tax")
	}
	seen := make(map[string]bool, len(b.Lines))
	out.lines = make([]bline, 0, len(b.Lines))
	for i := range b.Lines {
		l := &b.Lines[i]
		at := "/lines/" + strconv.Itoa(i)
		id := l.ID
		if id == "" {
			id = strconv.Itoa(i + 1)
		}
		if seen[id] || id == ShippingLine {
			r.fail(at+"/id", "not_unique", "is used twice (or is \"shipping\"); each line needs an id of its own")
		}
		seen[id] = true
		out.lines = append(out.lines, bline{id: id, sku: l.SKU, category: l.Category, brand: l.Brand, tags: l.Tags,
			quantity: r.quantity(l.Quantity, at+"/quantity"), discount: r.money(l.Discount, at+"/discount", false),
			tax: r.money(l.Tax, at+"/tax", true), amount: r.lineAmount(l, at)})
	}
}

func (r *reader) quantity(d *money.Decimal, pointer string) int64 {
	if d == nil {
		return 1000
	}
	n, err := d.Minor(quantityScale)
	switch {
	case errors.Is(err, money.ErrScale):
		r.fail(pointer, "too_many_decimals", "has more than three decimals")
	case err != nil || n > maxQuantity:
		r.fail(pointer, "too_large", "is too large a quantity")
	case n <= 0:
		r.fail(pointer, "not_positive", "must be more than 0; goods that come back are a return")
	default:
		return n
	}
	return 1000
}

func (r *reader) lineAmount(l *Line, at string) int64 {
	if l.Amount != nil {
		if l.UnitPrice != nil {
			r.money(l.UnitPrice, at+"/unit_price", true)
		}
		return r.money(l.Amount, at+"/amount", true)
	}
	if l.UnitPrice == nil {
		r.fail(at+"/amount", "required", "a line needs an amount, or a unit price")
		return 0
	}
	q := int64(1000)
	if l.Quantity != nil {
		if n, err := l.Quantity.Minor(quantityScale); err == nil {
			q = n
		}
	}
	price := r.money(l.UnitPrice, at+"/unit_price", true)
	n, err := money.MulDiv(price, q, 1000, money.HalfUp)
	if err != nil || n > maxMoney || n < -maxMoney {
		r.fail(at+"/unit_price", "too_large", "comes to too large an amount")
		return 0
	}
	n -= r.money(l.Discount, at+"/discount", false)
	return n
}

func (r *reader) discounts(b *Purchase, out *basket) {
	for i, d := range b.Discounts {
		at := "/discounts/" + strconv.Itoa(i)
		bd := bdiscount{amount: r.money(&d.Amount, at+"/amount", false)}
		for j, id := range d.Lines {
			place := -1
			for k := range out.lines {
				if out.lines[k].id == id {
					place = k
				}
			}
			if place < 0 {
				r.fail(at+"/lines/"+strconv.Itoa(j), "unknown_line", "there is no line "+strconv.Quote(id)+" in this purchase")
				continue
			}
			bd.lines = append(bd.lines, place)
		}
		out.discounts = append(out.discounts, bd)
	}
}

// sums gives the lines as they are kept with the decision, shipping last where there is any. Discounts on the whole
// purchase are shared over the lines, so that the sums add up to what was paid.
func (b *basket) sums() ([]LineSum, error) {
	values := make([]int64, b.places())
	in := make([]bool, b.places())
	for i := range b.lines {
		values[i], in[i] = b.lines[i].amount, true
	}
	if b.shipping.id != "" {
		values[len(b.lines)], in[len(b.lines)] = b.shipping.amount, true
	}
	if _, err := b.takeDiscounts(values, in, false, "spread"); err != nil {
		return nil, err
	}
	out := make([]LineSum, 0, len(values))
	for i := range b.lines {
		out = append(out, LineSum{ID: b.lines[i].id, Quantity: b.lines[i].quantity, Amount: values[i]})
	}
	if b.shipping.id != "" {
		out = append(out, LineSum{ID: ShippingLine, Quantity: 1000, Amount: values[len(b.lines)]})
	}
	return out, nil
}

// places is the number of lines in sums.
func (b *basket) places() int {
	if b.shipping.id != "" {
		return len(b.lines) + 1
	}
	return len(b.lines)
}

// basisOf gives the money that counts on each line (shipping last) for lines in scope, by a basis, with the steps in words.
// scoped says that the rule names lines, so that shipping and discounts on the whole purchase are none of its business.
func (b *basket) basisOf(in []bool, scoped bool, basis *program.Basis, paidPoints int64, trace func(Note)) ([]int64, int64, error) {
	var d program.Basis
	if basis != nil {
		d = *basis
	}
	values := make([]int64, b.places())
	gross := d.Discounts == "gross"
	var added int64
	for i := range b.lines {
		if !in[i] {
			continue
		}
		values[i] = b.lines[i].amount
		if gross {
			values[i] += b.lines[i].discount
			added += b.lines[i].discount
		}
	}
	if added != 0 {
		trace(Note{Code: StepGross, Args: Args{"discount": Money(added)}})
	}
	if b.shipping.id != "" && !scoped && d.Shipping == "included" && in[len(in)-1] {
		values[len(values)-1] = b.shipping.amount
		trace(Note{Code: StepShipping, Args: Args{"shipping": Money(b.shipping.amount)}})
	}
	if !gross {
		off, err := b.takeDiscounts(values, in, scoped, d.PurchaseDiscounts)
		if err != nil {
			return nil, 0, err
		}
		if off != 0 {
			trace(Note{Code: StepDiscounts, Args: Args{"discount": Money(off)}})
		}
	}
	if d.Tax == "excluded" {
		var tax int64
		for i := range values {
			l := &b.shipping
			if i < len(b.lines) {
				l = &b.lines[i]
			}
			t := l.tax
			if values[i] == 0 || l.amount == 0 {
				t = 0
			} else if values[i] != l.amount {
				var err error
				if t, err = money.MulDiv(l.tax, values[i], l.amount, money.HalfUp); err != nil {
					return nil, 0, err
				}
			}
			values[i] -= t
			tax += t
		}
		if tax != 0 {
			trace(Note{Code: StepTax, Args: Args{"tax": Money(tax)}})
		}
	}
	sum, rest := total(values), b.total
	if d.PaidWithPoints == "excluded" && b.on != nil {
		if err := b.takePaid(values); err != nil {
			return nil, 0, err
		}
		left := total(values)
		if left != sum {
			trace(Note{Code: StepPayments, Args: Args{"money": Money(sum - left)}})
		}
		sum, rest = left, rest-total(b.on)
	}
	if off := b.paid(d, paidPoints); off > 0 && rest > 0 && sum > 0 {
		left, err := money.MulDiv(sum, max(rest-off, 0), rest, money.HalfUp)
		if err != nil {
			return nil, 0, err
		}
		trace(Note{Code: StepPayments, Args: Args{"money": Money(sum - left)}})
		if values, err = spread(left, values); err != nil {
			return nil, 0, err
		}
		sum = left
	}
	return values, sum, nil
}

// capped lowers a basis to its most.
func capped(values []int64, sum int64, basis *program.Basis, exponent int) ([]int64, int64, error) {
	if basis == nil || basis.Max == nil {
		return values, sum, nil
	}
	most, err := basis.Max.Minor(exponent)
	if err != nil || sum <= most {
		return values, sum, err
	}
	values, err = spread(most, values)
	return values, most, err
}

func (b *basket) takeDiscounts(values []int64, in []bool, scoped bool, whole string) (int64, error) {
	var off int64
	for _, dis := range b.discounts {
		weights := make([]int64, len(values))
		if len(dis.lines) > 0 {
			for _, i := range dis.lines {
				weights[i] = max(b.lines[i].amount, 0)
			}
		} else {
			if whole == "ignored" || (scoped && whole != "spread") {
				continue
			}
			for i := range b.lines {
				weights[i] = max(b.lines[i].amount, 0)
			}
		}
		if total(weights) == 0 { // all of it free: the lines named, else what is delivered, bear it
			for _, i := range dis.lines {
				weights[i] = 1
			}
			if len(dis.lines) == 0 && b.shipping.id != "" {
				weights[len(weights)-1] = 1
			}
		}
		parts := dis.parts
		if parts == nil {
			var err error
			if parts, err = money.Split(dis.amount, weights); err != nil {
				return 0, err
			}
		}
		for i := range values {
			if in[i] {
				values[i] -= parts[i]
				off += parts[i]
			}
		}
	}
	return off, nil
}

// paid is the money that does not count because of how it was paid.
func (b *basket) paid(d program.Basis, points int64) int64 {
	var off int64
	if d.PaidWithPoints == "excluded" {
		off = points - total(b.on)
	}
	for _, p := range b.payments {
		if (d.PaidWithPoints == "excluded" && p.means == "points" && points == 0) || slices.Contains(d.WithoutPayments, p.means) {
			off += p.amount
		}
	}
	return off
}

// payOn notes what was paid of each line with points that only some lines take.
func (b *basket) payOn(on []int64) {
	if on == nil {
		return
	}
	if b.on == nil {
		b.on = make([]int64, b.places())
	}
	for i := range min(len(on), len(b.on)) {
		b.on[i] += on[i]
	}
}

// paidBefore notes what the redemptions of a recorded purchase paid of its lines.
func (b *basket) paidBefore(d Decision) {
	for i := range d.Redemptions {
		b.payOn(d.Redemptions[i].On)
	}
	b.net = d.Lines
}

// takePaid takes what was paid of each line with points out of what counts of it.
func (b *basket) takePaid(values []int64) error {
	for i, on := range b.on {
		if on <= 0 || values[i] <= 0 || b.net[i].Amount <= 0 {
			continue
		}
		off, err := money.MulDiv(values[i], min(on, b.net[i].Amount), b.net[i].Amount, money.HalfUp)
		if err != nil {
			return err
		}
		values[i] -= off
	}
	return nil
}

func total(values []int64) int64 {
	var t int64
	for _, v := range values {
		t += v
	}
	return t
}

// spread shares n over lines by their positive values.
func spread(n int64, values []int64) ([]int64, error) {
	w := make([]int64, len(values))
	for i, v := range values {
		w[i] = max(v, 0)
	}
	return money.Split(n, w)
}

func checkSpend(p *program.Compiled, s Spend, at string, r *reader) {
	rw := p.Rewards[s.Reward]
	if rw == nil {
		r.fail(at+"/reward", "unknown_reward", "there is no reward "+strconv.Quote(s.Reward)+" in this program")
		return
	}
	if s.Quantity < 0 || s.Quantity > 1_000_000 {
		r.fail(at+"/quantity", "out_of_range", "must be 1 to 1,000,000")
	}
	if rw.Pay == nil {
		if s.Points != nil || s.Max {
			r.fail(at+"/points", "fixed_price", "this reward has a fixed price; say how many with quantity")
		}
		return
	}
	if s.Quantity > 1 {
		r.fail(at+"/quantity", "by_points", "this reward is paid by points; say how many points, or max")
	}
	if (s.Points == nil) == !s.Max {
		r.fail(at+"/points", "required", "say how many points, or max: true for as many as go")
	}
	if s.Points != nil {
		n, err := s.Points.Minor(p.Units[rw.Pay.Unit].Precision)
		if err != nil || n <= 0 || n > maxMoney {
			r.fail(at+"/points", "not_an_amount", "must be a positive amount of the unit")
		}
	}
}
