package engine

import (
	"cmp"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ledger"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
)

// doReturn takes back of every rule's result the share of the lines that come back, and gives back the same share of the
// points that were spent on the purchase. Shares are computed on all that has come back so far, so that any split of a
// return adds up to the whole: the last one takes the remainder.
func (w *work) doReturn() error {
	past, pol := w.in.Past, w.p.Doc.Returns
	before, after, whole, err := w.comesBack()
	if err != nil {
		return err
	}
	bought := past.Decision.Lines
	// First what paid, which may be what the purchase itself earned: else it would be looked for elsewhere, or be let go, or the return be refused.
	if err := w.giveBackSpent(past, bought, after, pol); err != nil {
		return err
	}
	if err := w.takeBack(past, bought, after, pol); err != nil {
		return err
	}
	w.takeLetGo(past.Fact.OccurredAt, past.Fact.ID)
	if err := w.unrefer(past, bought, after, pol); err != nil {
		return err
	}
	if err := w.uncount(past, bought, before, after, whole); err != nil {
		return err
	}
	if whole && len(past.Fact.Purchase.Codes) > 0 {
		w.codesBack(past)
	}
	w.allBack = whole || costs(bought) && !costs(unreturned(bought, after))
	w.event(EvReturn, map[string]string{"purchase": past.Fact.ID})
	if len(past.Decision.Counts) > 0 {
		return w.uncountChallenges(past, bought, before, after)
	}
	return nil
}

// comesBack puts into the decision what comes back of each line, and gives what had come back before and has then; whole says that it is all.
func (w *work) comesBack() (before, after []LineSum, whole bool, err error) {
	past := w.in.Past
	if past == nil || past.Fact.Purchase == nil {
		return nil, nil, false, errs.NotFound("purchase_not_found", "There is no such purchase.")
	}
	pol := w.p.Doc.Returns
	if pol.Accept != nil && !*pol.Accept {
		return nil, nil, false, errs.Conflict("refund_not_accepted", "This program does not take points back: its returns are switched off. The balance stays as it is.")
	}
	if pol.Within != nil && w.at.After(pol.Within.After(past.Fact.OccurredAt, w.p.Zone)) {
		return nil, nil, false, errs.Conflict("return_too_late", "The purchase is older than the program accepts returns for ("+pol.Within.String()+").")
	}
	bought := past.Decision.Lines
	before = make([]LineSum, len(bought))
	for i, l := range bought {
		before[i].ID = l.ID
	}
	for _, c := range past.Children {
		for _, l := range c.Decision.Lines {
			if i := slices.IndexFunc(bought, func(b LineSum) bool { return b.ID == l.ID }); i >= 0 && c.Fact.Kind == ReturnK {
				before[i].Quantity += l.Quantity
				before[i].Amount += l.Amount
			}
		}
	}
	left := false
	for i, l := range bought {
		left = left || !gone(l, before[i])
	}
	if !left {
		return nil, nil, false, errs.Conflict("nothing_left", "All of this purchase has come back already.")
	}
	back, err := w.returned(bought, before)
	if err != nil {
		return nil, nil, false, err
	}
	after, whole = make([]LineSum, len(bought)), true
	for i, l := range bought {
		after[i] = LineSum{l.ID, before[i].Quantity + back[i].Quantity, before[i].Amount + back[i].Amount}
		whole = whole && gone(l, after[i])
		if back[i].Quantity != 0 || back[i].Amount != 0 {
			w.d.Lines = append(w.d.Lines, back[i])
		}
	}
	if len(w.d.Lines) == 0 {
		return nil, nil, false, errs.Conflict("nothing_left", "All of this purchase has come back already.")
	}
	return before, after, whole, nil
}

// Back says of returns of a purchase that nobody has yet whether, one after the other, they can be parts of it, and whether nothing is left of it then.
// The versions are those by which it is decided; the returns have their times.
func Back(versions interface {
	At(time.Time) *program.Compiled
}, bought Fact, returns []Fact) (whole bool, err error) {
	p := versions.At(bought.OccurredAt)
	if p == nil {
		return false, errNoVersion()
	}
	acc := &Account{}
	d, _, err := Decide(p, Input{Account: acc, Fact: bought})
	if err != nil {
		return false, err
	}
	past := &Past{Fact: bought, Decision: d}
	for _, f := range returns {
		if p = versions.At(f.OccurredAt); p == nil {
			return false, errNoVersion()
		}
		w := newWork(p, Input{Account: acc, Fact: f, Past: past})
		if _, _, whole, err = w.comesBack(); err != nil {
			return false, refusal(err)
		}
		past.Children = append(past.Children, Past{Fact: f, Decision: *w.d})
	}
	return whole, nil
}

func errNoVersion() error {
	return errs.Conflict("no_version", "No version of the program was in force at that time.")
}

// unreturned is what is left of the lines.
func unreturned(bought, after []LineSum) []LineSum {
	out := make([]LineSum, len(bought))
	for i, l := range bought {
		out[i] = LineSum{l.ID, l.Quantity - after[i].Quantity, l.Amount - after[i].Amount}
	}
	return out
}

// gone says that all of a line has come back: its last piece, or, by money, its last part.
func gone(l, back LineSum) bool { return back.Quantity >= l.Quantity }

// returned says what comes back of each line, in minor units and thousandths.
func (w *work) returned(bought, before []LineSum) ([]LineSum, error) {
	back := make([]LineSum, len(bought))
	for i, l := range bought {
		back[i].ID = l.ID
	}
	b := w.f.Return
	r := &reader{exponent: w.p.Exponent, target: w.p.Exponent, num: 1, den: 1}
	if cur := w.in.Past.Fact.Purchase.Currency; cur != "" && cur != w.p.Doc.Currency {
		r.exponent, r.convert = money.Exponent(cur), true
		r.num, r.den = w.in.Past.Fact.Purchase.Rate.Ratio()
	}
	left := func(i int) LineSum {
		return LineSum{bought[i].ID, bought[i].Quantity - before[i].Quantity - back[i].Quantity, bought[i].Amount - before[i].Amount - back[i].Amount}
	}
	switch {
	case len(b.Lines) > 0 && b.Amount != nil:
		r.fail("/amount", "not_with_lines", "say what comes back either by lines or by an amount")
	case len(b.Lines) == 0 && b.Amount == nil:
		for i := range bought {
			back[i] = left(i)
		}
	case b.Amount != nil:
		if err := w.spreadReturn(r, b.Amount, back, left); err != nil {
			return nil, err
		}
	}
	for j, l := range b.Lines {
		at := "/lines/" + strconv.Itoa(j)
		i := slices.IndexFunc(bought, func(x LineSum) bool { return x.ID == l.Line })
		if i < 0 {
			r.fail(at+"/line", "unknown_line", "the purchase has no line "+strconv.Quote(l.Line))
			continue
		}
		rest := left(i)
		part, ok := w.part(r, at, l, bought[i], rest)
		if ok {
			back[i].Quantity += part.Quantity
			back[i].Amount += part.Amount
		}
	}
	if len(r.fields) > 0 {
		return nil, errs.Invalid("invalid_return", "The return cannot be read as a part of this purchase.", r.fields...)
	}
	return back, nil
}

func (w *work) part(r *reader, at string, l ReturnLine, line, rest LineSum) (LineSum, bool) {
	if rest.Quantity <= 0 {
		r.fail(at, "nothing_left", "all of this line has come back already")
		return LineSum{}, false
	}
	switch {
	case l.Quantity != nil && l.Amount != nil:
		r.fail(at, "quantity_or_amount", "say what comes back by quantity or by amount, not both")
	case l.Quantity != nil:
		q := r.quantity(l.Quantity, at+"/quantity")
		if q > rest.Quantity {
			r.fail(at+"/quantity", "more_than_bought", "only "+strings.TrimSuffix(strings.TrimRight(money.Format(rest.Quantity, 3), "0"), ".")+" of this line is left to return")
			return LineSum{}, false
		}
		if q == rest.Quantity {
			return rest, true
		}
		// Rounded on all pieces that have come back so far, so that small prices add up.
		n, err := money.MulDiv(line.Amount, line.Quantity-rest.Quantity+q, line.Quantity, money.HalfUp)
		n -= line.Amount - rest.Amount
		if err != nil {
			r.fail(at+"/quantity", "too_large", "is too large a quantity")
			return LineSum{}, false
		}
		if rest.Amount >= 0 {
			n = min(max(n, 0), rest.Amount)
		} else {
			n = max(min(n, 0), rest.Amount)
		}
		return LineSum{Quantity: q, Amount: n}, true
	case l.Amount != nil:
		n := r.money(l.Amount, at+"/amount", false)
		if n <= 0 || n > rest.Amount {
			r.fail(at+"/amount", "more_than_paid", "must be more than 0 and at most "+money.Format(max(rest.Amount, 0), w.p.Exponent)+", which is what is left of this line")
			return LineSum{}, false
		}
		if n == rest.Amount {
			return rest, true
		}
		return LineSum{Amount: n}, true
	default:
		return rest, true
	}
	return LineSum{}, false
}

// spreadReturn shares money over what is left of the lines.
func (w *work) spreadReturn(r *reader, d *money.Decimal, back []LineSum, left func(int) LineSum) error {
	n := r.money(d, "/amount", false)
	weights := make([]int64, len(back))
	var sum int64 // what is left of what was paid: deposits given back lower it
	for i := range back {
		weights[i] = max(left(i).Amount, 0)
		sum += left(i).Amount
	}
	if slack := int64(len(back)); r.convert && n > sum-slack && n <= sum+slack {
		n = sum // converted line by line, the sum may differ by a part of each line
	}
	if len(r.fields) > 0 {
		return nil
	}
	if n <= 0 || n > sum {
		r.fail("/amount", "more_than_paid", "must be more than 0 and at most "+money.Format(sum, w.p.Exponent)+", which is what is left of the purchase")
		return nil
	}
	if n == sum {
		for i := range back {
			back[i] = left(i)
		}
		return nil
	}
	parts, err := money.Split(n, weights)
	if err != nil {
		return err
	}
	for i := range back {
		back[i].Amount = parts[i]
	}
	return nil
}

// share is the part of a line that has come back, 0 to 1.
func share(l, back LineSum) *big.Rat {
	if gone(l, back) {
		return big.NewRat(1, 1)
	}
	if l.Amount != 0 {
		return big.NewRat(back.Amount, l.Amount)
	}
	return big.NewRat(back.Quantity, l.Quantity)
}

// roundRat is rounded for a share, which is no more than the whole and so fits.
func roundRat(v *big.Rat, mode money.Mode) int64 {
	n, err := rounded(v, mode)
	if err != nil {
		panic(err)
	}
	return n
}

func (w *work) takeBack(past *Past, bought, after []LineSum, pol program.Returns) error {
	if pol.Earned == "keep" {
		if len(past.Decision.Awards) > 0 {
			w.note(NoteKept, nil)
		}
		return nil
	}
	if w.st.Status == Closed { // who has left owes nothing
		pol.IfSpent = "clamp"
	}
	mode := money.HalfUp
	if pol.Round != "" {
		mode = money.Mode(pol.Round)
	}
	for i, a := range past.Decision.Awards {
		var already int64
		for _, c := range past.Children {
			for _, r := range c.Decision.Reversals {
				if r.Award == i {
					already += r.Amount
				}
			}
		}
		due := new(big.Rat)
		for k, part := range a.Lines {
			due.Add(due, new(big.Rat).Mul(big.NewRat(part, 1), share(bought[k], after[k])))
		}
		n := min(roundRat(due, mode), a.Amount) - already
		if n <= 0 {
			continue
		}
		rev, err := w.reverse(w.lotsOf(a.Lot, a.Unit, past.Fact.ID), a.Unit, a.Rule, n, past.Fact.ID, pol.IfSpent)
		if err != nil {
			return err
		}
		rev.Award = i
		if rev.Spent > 0 && w.st.Status != Closed {
			w.st.LetGo[len(w.st.LetGo)-1].Award = i
		}
		w.d.Reversals = append(w.d.Reversals, rev)
		w.countUnit(a.Unit, -n, past.Fact.OccurredAt)
		w.unlimit(a, already, n)
	}
	return nil
}

// unlimit gives back to a rule's limits what was taken of its award: amounts as they come, the time when all is gone.
func (w *work) unlimit(a Award, already, n int64) {
	for _, c := range a.Counters {
		switch {
		case strings.HasSuffix(c.Name, "/amount"):
			w.tally(c.Name, c.Period, -n)
		case already+n == a.Amount:
			w.tally(c.Name, c.Period, -c.Add)
		}
	}
}

// reverse takes n units that came into lots out again: from those, pending first; what expired there is gone and not
// asked for; then from the member's other lots; the rest was spent, and the policy decides.
func (w *work) reverse(lots []*ledger.Lot, unit, rule string, n int64, of, ifSpent string) (Reversal, error) {
	return w.reverseTo(ledger.Reversed, lots, unit, rule, n, of, ifSpent)
}

// reverseTo is reverse to another account than that of what was taken back.
func (w *work) reverseTo(to string, lots []*ledger.Lot, unit, rule string, n int64, of, ifSpent string) (Reversal, error) {
	rev := Reversal{Rule: rule, Unit: unit, Amount: n}
	post := func(l *ledger.Lot, from string, k int64) {
		w.post(ledger.Posting{Unit: unit, Lot: l.ID, From: from, To: to, Amount: k, Rule: rule, Of: of})
		n -= k
	}
	for _, l := range lots {
		post(l, ledger.Pending, min(n, l.Pending))
		post(l, ledger.Spendable, min(n, l.Spendable))
		if k := min(n, l.Gone); k > 0 {
			l.Gone -= k
			l.Dirty = true
			n -= k
			rev.Forgiven += k
			w.note(NoteForgiven, Args{"amount": Units(unit, k)})
		}
	}
	for _, l := range w.openEver(unit) {
		post(l, ledger.Spendable, min(n, l.Spendable))
	}
	if n > 0 && ifSpent == "clamp" { // what is held is not spent: letting it go would bring it back
		if k := min(n, w.holding(unit).Reserved); k > 0 {
			rev.Owed = k
			n -= k
			w.post(ledger.Posting{Unit: unit, From: ledger.Debt, To: to, Amount: k, Rule: rule, Of: of})
			w.note(NoteDebtMade, Args{"amount": Units(unit, k)})
		}
	}
	if n > 0 {
		switch ifSpent {
		case "refuse":
			return rev, errs.Conflict("points_spent", "The points this purchase earned are spent already, and the program does not take returns that would leave the balance below zero.").
				With("unit", unit).With("missing", w.amount(unit, n))
		case "clamp":
			rev.Forgiven += n
			rev.Spent = n
			w.letGoOf(unit, rule, of, n)
			w.note(NoteForgiven, Args{"amount": Units(unit, n)})
		default:
			rev.Owed += n
			w.post(ledger.Posting{Unit: unit, From: ledger.Debt, To: to, Amount: n, Rule: rule, Of: of})
			w.note(NoteDebtMade, Args{"amount": Units(unit, n)})
		}
	}
	w.note(NoteReversed, Args{"amount": Units(unit, rev.Amount), "rule": {Rule: rule}})
	w.unitEvent(EvReversed, unit, rev.Amount, "fact", of, "rule", rule)
	return rev, nil
}

// lotsOf finds what is left of the lot that a fact's award went to. After a merge the survivor has it under other numbers.
func (w *work) lotsOf(lot int64, unit, fact string) []*ledger.Lot {
	if w.in.Past == nil || w.in.Past.Fact.Member == w.f.Member {
		if l := w.lots[lot]; l != nil {
			return []*ledger.Lot{l}
		}
		return nil
	}
	var out []*ledger.Lot
	for _, l := range w.acc.Lots {
		if l.Fact == fact && l.Unit == unit {
			out = append(out, l)
		}
	}
	return out
}

// letGoOf notes what was let go as spent, and forgets what was long ago.
func (w *work) letGoOf(unit, rule, of string, n int64) {
	if w.st.Status == Closed { // nothing comes back to who has left
		return
	}
	cut := settledKept.Before(w.now, w.p.Zone)
	w.st.LetGo = slices.DeleteFunc(w.st.LetGo, func(l LetGo) bool { return l.At.Before(cut) })
	w.st.LetGo = append(w.st.LetGo, LetGo{Unit: unit, Amount: n, At: w.at, Rule: rule, Fact: of, Award: NoAward})
}

// takeLetGo takes what was let go as spent from what comes back just now of what was spent at a time: had it come back first, it would
// have been there to be taken. about is the purchase whose return this is, if it is one: its own comes first.
func (w *work) takeLetGo(spent time.Time, about string) {
	if len(w.st.LetGo) == 0 {
		return
	}
	back, lots := map[string]int64{}, []*ledger.Lot{}
	for _, p := range w.d.Postings {
		switch {
		case p.From == ledger.Redeemed && p.To == ledger.Spendable:
			back[p.Unit] += p.Amount
			lots = append(lots, w.lots[p.Lot])
		case p.From == ledger.Spendable:
			back[p.Unit] -= p.Amount
		}
	}
	for _, own := range []bool{true, false} {
		for i := range w.st.LetGo {
			if l := &w.st.LetGo[i]; (l.Fact == about) == own && !l.At.Before(spent) && back[l.Unit] > 0 {
				n := w.takeFrom(append(slices.Clone(lots), w.openEver(l.Unit)...), l, back[l.Unit])
				back[l.Unit] -= n
				if !own && n > 0 {
					w.d.Reversals[len(w.d.Reversals)-1].Award = NoAward
				}
			}
		}
	}
	w.st.LetGo = slices.DeleteFunc(w.st.LetGo, func(l LetGo) bool { return l.Amount == 0 })
}

// takeFrom takes what was let go from lots, at most so much of it.
func (w *work) takeFrom(lots []*ledger.Lot, l *LetGo, most int64) (taken int64) {
	n := min(l.Amount, most)
	for _, lot := range lots {
		if lot == nil || lot.Unit != l.Unit {
			continue
		}
		if k := min(n-taken, lot.Spendable); k > 0 {
			w.post(ledger.Posting{Unit: l.Unit, Lot: lot.ID, From: ledger.Spendable, To: ledger.Reversed, Amount: k, Rule: l.Rule, Of: l.Fact})
			taken += k
		}
	}
	if taken > 0 {
		l.Amount -= taken
		w.d.Reversals = append(w.d.Reversals, Reversal{Award: l.Award, Rule: l.Rule, Unit: l.Unit, Forgiven: -taken, Spent: -taken})
		w.note(NoteReversed, Args{"amount": Units(l.Unit, taken), "rule": {Rule: l.Rule}})
		w.unitEvent(EvReversed, l.Unit, taken, "fact", l.Fact, "rule", l.Rule)
	}
	return taken
}

// giveBackSpent returns the share of the points that paid for the purchase: by money, or by pieces where the goods came to none.
func (w *work) giveBackSpent(past *Past, bought, after []LineSum, pol program.Returns) error {
	if pol.Spent == "keep" {
		return nil
	}
	var paid, back, pieces, backPieces int64
	whole := true
	for i := range bought {
		paid += bought[i].Amount
		back += after[i].Amount
		pieces += bought[i].Quantity
		backPieces += after[i].Quantity
		whole = whole && gone(bought[i], after[i])
	}
	if paid <= 0 {
		paid, back = pieces, backPieces
	}
	for _, old := range past.Decision.Redemptions {
		r := w.in.Redemptions[old.ID]
		if r == nil || r.Status != StatusCommitted || w.st.Status == Closed && !r.othersGave() { // nothing comes back to who has left
			continue
		}
		if r.final(w.at) != nil { // what was handed out is not the program's to take back, so its price is not given back either
			w.note(NoteNotBack, Args{"reward": {Reward: given(r)}})
			continue
		}
		s := *r
		s.Refunded = copyAmounts(r.Refunded)
		changed := false
		for _, unit := range sortedUnits(s.Price) {
			target := s.Price[unit]
			if !whole {
				var err error
				if target, err = money.MulDiv(s.Price[unit], max(min(back, paid), 0), paid, money.HalfUp); err != nil {
					return err
				}
				if on := total(old.On); on > 0 {
					target = backOn(s.Price[unit], old.On, on, bought, after)
				}
			}
			n := target - s.Refunded[unit]
			if n <= 0 {
				continue
			}
			w.giveBack(&s, unit, n)
			changed = true
		}
		if changed || whole {
			w.closeRefund(&s)
			w.endAgain()
		}
	}
	return nil
}

// backOn is the share of a price that goes back with the lines it paid.
func backOn(price int64, on []int64, sum int64, bought, after []LineSum) int64 {
	part := new(big.Rat)
	for k := range min(len(on), len(bought)) {
		if on[k] > 0 {
			part.Add(part, new(big.Rat).Mul(big.NewRat(on[k], sum), share(bought[k], after[k])))
		}
	}
	return roundRat(part.Mul(part, big.NewRat(price, 1)), money.HalfUp)
}

// uncount takes what came back out of the tier metrics, at the day of the purchase.
func (w *work) uncount(past *Past, bought, before, after []LineSum, whole bool) error {
	b, fields := rereadPurchase(w.p, past.Fact.Purchase)
	if len(fields) > 0 { // a later version may count in another currency; then the metric is left as it was
		return nil
	}
	b.paidBefore(past.Decision)
	at := past.Fact.OccurredAt
	spend := func(t *program.CompiledTierSet) (int64, error) {
		return spendBack(t, b, past, bought, before, after)
	}
	wasWhole := true
	for i := range bought {
		wasWhole = wasWhole && gone(bought[i], before[i])
	}
	ends := whole && !wasWhole
	if ends {
		w.st.Purchases--
	}
	if err := w.countMetrics(at, -1, spend, ends, ends, ""); err != nil {
		return err
	}
	if err := w.resettle(at, past.Fact.Member, spend); err != nil {
		return err
	}
	return w.takeGifts(at)
}

// spendBack is what the lines that now came back take from a tier set's spend: cumulated before and after, so that all
// returns together take exactly what the purchase added. It is negative.
func spendBack(t *program.CompiledTierSet, b *basket, past *Past, bought, before, after []LineSum) (int64, error) {
	values, sum, err := spendOf(t, b, past.Fact.Purchase.Store, past.Fact.Purchase.Channel, spentWorth(past.Decision))
	if err != nil || sum == 0 {
		return 0, err
	}
	upTo := func(back []LineSum) int64 {
		v := new(big.Rat)
		for i := range values {
			v.Add(v, new(big.Rat).Mul(big.NewRat(values[i], 1), share(bought[i], back[i])))
		}
		if v.Sign() < 0 {
			return 0
		}
		return roundRat(v, money.HalfUp)
	}
	return upTo(before) - upTo(after), nil
}

// rebuildReturn takes a recorded return out of a metric that is counted anew.
func rebuildReturn(p *program.Compiled, set *program.CompiledTierSet, ret, bought *Past, returned map[string]int64, add, visit func(time.Time, int64)) {
	if bought == nil {
		return
	}
	lines := bought.Decision.Lines
	sums := func() []LineSum {
		out := make([]LineSum, len(lines))
		for i, l := range lines {
			out[i] = LineSum{l.ID, returned[bought.Fact.ID+"/q/"+l.ID], returned[bought.Fact.ID+"/a/"+l.ID]}
		}
		return out
	}
	whole := func(back []LineSum) bool {
		for i := range lines {
			if !gone(lines[i], back[i]) {
				return false
			}
		}
		return true
	}
	before := sums()
	for _, l := range ret.Decision.Lines {
		returned[bought.Fact.ID+"/q/"+l.ID] += l.Quantity
		returned[bought.Fact.ID+"/a/"+l.ID] += l.Amount
	}
	after := sums()
	at := bought.Fact.OccurredAt
	if whole(after) && !whole(before) {
		visit(at, -1)
		if set != nil && set.Metric == "purchases" {
			add(at, -1)
		}
	}
	if set == nil {
		return
	}
	for _, r := range ret.Decision.Reversals {
		if set.Metric == "unit:"+r.Unit {
			add(cmp.Or(r.At, at), -r.Amount)
		}
	}
	if set.Metric == "spend" {
		if b, fields := rereadPurchase(p, bought.Fact.Purchase); len(fields) == 0 {
			b.paidBefore(bought.Decision)
			if n, err := spendBack(set, b, bought, lines, before, after); err == nil {
				add(at, n)
			}
		}
	}
}
