package engine

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"time"

	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ledger"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
)

// defaultHold is how long a reservation lasts where neither the reward nor the request says.
var defaultHold = program.Period{N: 15, Unit: "minute"}

// maxHold bounds a reservation asked for by the till.
const maxHold = 90 * 24 * time.Hour

func sortedUnits(m map[string]int64) []string { return slices.Sorted(maps.Keys(m)) }

func copyAmounts(m map[string]int64) map[string]int64 {
	out := make(map[string]int64, len(m))
	maps.Copy(out, m)
	return out
}

// Draw is what the flow must draw for a fact: so many voucher codes and redemption ids, and a code from each of the pools.
type Draw struct {
	Codes, Redemptions int
	Pools              []string
}

// Nothing says that nothing is to be drawn.
func (d *Draw) Nothing() bool { return d.Codes+d.Redemptions+len(d.Pools) == 0 }

func (d *Draw) count(r *program.CompiledReward) {
	switch {
	case r == nil:
	case r.Gives.Voucher != nil:
		d.Codes++
	case r.Kind == program.KindCode:
		d.Pools = append(d.Pools, r.Gives.Pool)
	}
}

// Draws says what the flow must draw for a fact.
func Draws(p *program.Compiled, st *State, f *Fact) Draw {
	var d Draw
	switch f.Kind {
	case PurchaseK:
		for _, s := range f.Purchase.Spend {
			d.count(p.Handed(s.Reward, s.Choose))
			d.Redemptions++
		}
	case Due:
		grantDraws(p, st, f.OccurredAt, &d)
	case VoucherK:
		if f.Voucher != nil && f.Voucher.Do == VoucherCode {
			d.Codes++
		}
	case Redeem:
		d.count(p.Handed(f.Redemption.Reward, f.Redemption.Choose))
	case Commit:
		for i := range st.Holds {
			if st.Holds[i].ID == f.Parent {
				d.count(p.Handed(st.Holds[i].Reward, st.Holds[i].Chosen))
			}
		}
	}
	return d
}

// maxVouchers is how many vouchers one redemption may issue.
const maxVouchers = 1

// maxTickets is how many tickets of a raffle one redemption may hold: each is worked out and told on its own as they are drawn.
const maxTickets = 1000

// quote is what a redemption comes to.
type quote struct {
	r *program.CompiledReward
	// gives is what is handed over: r itself, or what was chosen.
	gives    *program.CompiledReward
	option   int64
	money    int64 // paid besides the points
	quantity int64
	price    map[string]int64
	worth    int64
	counters []Counter
	// grants pay for a part of the quantity, or all of it.
	grants []grantUses
	// on is the money that each line is paid with, where only some lines may be.
	on []int64
}

// bill is what a payment with points may go to.
type bill struct {
	// whole is what there was to pay, left what is left of it, in minor units; both -1 where it is not known.
	whole, left int64
	// basket is that of a purchase; nil where the till said no more than a total.
	basket *basket
}

// quoteSpend works out price and worth, and checks everything but the balance.
func (w *work) quoteSpend(s Spend, toPay bill, sc *scene) (*quote, error) {
	r := w.p.Rewards[s.Reward]
	q := &quote{r: r, quantity: max(s.Quantity, 1), price: map[string]int64{}}
	var free int64
	var err error
	if q.gives, err = w.pick(s, r); err != nil {
		return nil, err
	}
	if q.gives != r { // also of a choice that was given: what can be picked, can be had now
		if err := w.inTime(q.gives); err != nil {
			return nil, err
		}
	}
	if s.Option > 1 {
		q.option = s.Option
	}
	if q.grants, free, err = w.cover(s, r); err != nil {
		return nil, err
	}
	if free == q.quantity {
		return q, w.takeStock(q)
	}
	if !sc.finds(r) {
		return nil, errs.NotFound("reward_not_found", "There is no such reward for this member.").With("reward", r.ID)
	}
	if r.Granted {
		return nil, errs.Forbidden("reward_not_granted", "This reward cannot be bought: a member has it only when it was won or given.").With("reward", r.ID).With("granted", free)
	}
	if err := w.inTime(r); err != nil {
		return nil, err
	}
	ok, why, err := sc.holds(r.When)
	if err != nil {
		return nil, errs.Invalid("condition_failed", "The reward's condition could not be worked out.").Because(err)
	}
	if !ok {
		codes := make([]string, 0, len(why))
		for _, n := range why {
			codes = append(codes, n.Code)
		}
		return nil, errs.Forbidden("reward_not_allowed", "This member may not have this reward now.").With("reward", r.ID).With("why", codes)
	}
	if r.Pay != nil {
		if err := w.quotePay(q, s, toPay); err != nil {
			return nil, err
		}
	} else {
		each := max(r.Quantity, 1)
		packs := (q.quantity - free + each - 1) / each
		if err := w.quotePrice(q, s, packs); err != nil {
			return nil, err
		}
	}
	if err := w.takeStock(q); err != nil {
		return nil, err
	}
	paid := q.quantity - free
	for _, l := range r.Limits {
		if l.Times < 0 {
			continue
		}
		period := program.PeriodKey(l.Per, w.f.AskedAt(), sc.zone(l.Zone))
		name := limitName(l) + "/times"
		used := w.acc.Tallies[name][period]
		if l.Per == "purchase" {
			used = 0
		}
		if used+paid > l.Times {
			return nil, errs.Conflict("limit_reached", "The limit of this reward is reached: "+strconv.FormatInt(l.Times, 10)+" per "+l.Per+".").
				With("reward", r.ID).With("left", max(l.Times-used, 0))
		}
		if l.Per != "purchase" {
			q.counters = append(q.counters, Counter{name, period, paid})
		}
	}
	return q, nil
}

// inTime sees that a reward can be had at the time of the fact.
func (w *work) inTime(r *program.CompiledReward) error {
	if r.From != nil && w.at.Before(*r.From) || r.Until != nil && w.at.After(*r.Until) {
		return errs.Conflict("reward_not_available", "This reward cannot be had at this time.").With("reward", r.ID)
	}
	return nil
}

// takeStock sees that there are as many left as are asked for.
func (w *work) takeStock(q *quote) error {
	if single(q.gives) && q.quantity > maxVouchers {
		return errs.Invalid("one_voucher", "A voucher is redeemed one at a time.", errs.Field{Pointer: "/quantity", Reason: "out_of_range", Message: "must be 1 for a voucher, a code or a gift card"})
	}
	if q.gives.Kind == program.KindRaffle && q.quantity > maxTickets {
		return errs.Invalid("too_many_tickets", "That are too many tickets at once.", errs.Field{Pointer: "/quantity", Reason: "out_of_range", Message: "must be at most " + strconv.Itoa(maxTickets) + " tickets of a raffle in one redemption"})
	}
	if err := w.stockOf(q, q.r); err != nil || q.gives == q.r {
		return cmp.Or(err, w.stocked(q.gives))
	}
	return cmp.Or(w.stockOf(q, q.gives), w.stocked(q.gives))
}

func (w *work) stockOf(q *quote, r *program.CompiledReward) error {
	if r.Stock < 0 {
		return nil
	}
	name := stockName(r.ID)
	used := w.acc.Tallies[name]["all"]
	if used+q.quantity > r.Stock {
		return errs.Insufficient("out_of_stock", "There are not that many left.").With("reward", r.ID).With("left", max(r.Stock-used, 0))
	}
	q.counters = append(q.counters, Counter{name, "all", q.quantity})
	return nil
}

// finds says whether a member sees a reward at all. What cannot be worked out is not shown.
func (s *scene) finds(r *program.CompiledReward) bool {
	if r.Shown == nil {
		return true
	}
	ok, _, err := s.holds(r.Shown)
	return ok && err == nil
}

func stockName(reward string) string { return ProgramTally + "stock:" + reward }

// soFar is what was paid of a unit with a reward in the purchase that is decided.
func (w *work) soFar(reward, unit string) (points int64) {
	for i := range w.d.Redemptions {
		if s := &w.d.Redemptions[i]; s.Purchase == w.f.ID && s.Reward == reward {
			points += s.Price[unit]
		}
	}
	return points
}

// payable is what of a bill a reward may pay, and what of that is left; room is what is left of each line, where the reward names lines.
func (w *work) payable(r *program.CompiledReward, of bill) (whole, left int64, room []int64) {
	if r.Pay.Lines == nil || of.basket == nil {
		return of.whole, of.left, nil
	}
	room = make([]int64, of.basket.places())
	for i := range of.basket.lines {
		l := &of.basket.lines[i]
		if !r.Pay.Lines.Match(l.sku, l.category, l.brand, l.tags, w.f.Purchase.Store, w.f.Purchase.Channel) {
			continue
		}
		whole += of.basket.net[i].Amount
		room[i] = of.basket.net[i].Amount
		if of.basket.on != nil {
			room[i] -= of.basket.on[i]
		}
		room[i] = max(room[i], 0)
	}
	return max(whole, 0), max(min(of.left, total(room), whole), 0), room
}

// quotePay works out a payment with points: what is asked for, within what the purchase allows to all payments with the reward together, in
// whole multiples of the rate; then the least is checked.
func (w *work) quotePay(q *quote, s Spend, toPay bill) error {
	r := q.r
	unit := r.Pay.Unit
	have := w.spendable(unit)
	want := have
	if s.Points != nil {
		n, err := s.Points.Minor(w.p.Units[unit].Precision)
		if err != nil {
			return errs.Invalid("not_an_amount", "The points have too many decimals.", errs.Field{Pointer: "/points", Reason: "too_many_decimals", Message: "has more decimals than the unit"})
		}
		want = n
		if want > have && w.p.Doc.Spending.Short == "use what there is" {
			want = have
		}
	}
	already := w.soFar(r.ID, unit)
	if r.PayMax >= 0 {
		want = min(want, r.PayMax-already)
	}
	whole, left, room := w.payable(r, toPay)
	if room != nil && whole == 0 {
		return errs.Conflict("nothing_payable", "No line of this purchase may be paid with this reward.").With("reward", r.ID)
	}
	if whole >= 0 && r.PayWorth > 0 {
		most, err := money.MulDiv(whole, r.Share, 10000, money.Down)
		if err != nil {
			return err
		}
		if most, err = money.MulDiv(most, r.PayPoints, r.PayWorth, money.Down); err != nil {
			return err
		}
		rest, err := money.MulDiv(max(left, 0), r.PayPoints, r.PayWorth, money.Down)
		if err != nil {
			return err
		}
		want = min(want, most-already, rest)
	}
	want -= want % r.PayPoints
	if want <= 0 || (r.PayMin >= 0 && want < r.PayMin) {
		return errs.Insufficient("below_minimum", "This comes to fewer points than can be paid with.").With("reward", r.ID).
			With("unit", unit).With("points", w.amount(unit, max(want, 0))).With("minimum", w.amount(unit, max(r.PayMin, r.PayPoints)))
	}
	worth, err := money.MulDiv(want/r.PayPoints, r.PayWorth, 1, money.Down)
	if err != nil {
		return err
	}
	q.price[unit], q.worth = want, worth
	if room != nil {
		q.on, err = spread(worth, room)
	}
	return err
}

// afford checks that every unit of the price is there.
func (w *work) afford(q *quote) error {
	for _, unit := range sortedUnits(q.price) {
		if have := w.spendable(unit); have < q.price[unit] {
			return errs.Insufficient("balance_too_low", "The balance is too low for this.").With("unit", unit).
				With("balance", w.amount(unit, have)).With("price", w.amount(unit, q.price[unit])).With("missing", w.amount(unit, q.price[unit]-have))
		}
	}
	return nil
}

// redeem takes the price to an account and makes the redemption.
func (w *work) redeem(q *quote, id, to string) RedemptionState {
	s := RedemptionState{ID: id, Member: w.f.Member, Reward: q.r.ID, Quantity: q.quantity, Price: q.price, Worth: q.worth, At: w.at, Counters: q.counters,
		Money: q.money, Option: q.option, On: q.on}
	if q.gives != nil && q.gives != q.r {
		s.Chosen = q.gives.ID
	}
	for _, unit := range sortedUnits(q.price) {
		held, _ := w.take(unit, q.price[unit], to, q.r.ID)
		s.Lots = append(s.Lots, held...)
		w.touch(unit)
	}
	for _, u := range q.grants {
		s.Grants = append(s.Grants, w.useGrant(w.grantAt(u.n), u.uses))
	}
	for _, c := range q.counters {
		w.tally(c.Name, c.Period, c.Add)
	}
	return s
}

func (w *work) scene() *scene {
	s := newScene(w.p, w.st, w.at)
	s.tier = w.tiersAt(w.at, false)
	return s
}

// doRedeem makes a redemption, in one step or as a reservation.
func (w *work) doRedeem(reserve bool) error {
	if err := w.mayAct(); err != nil {
		return err
	}
	b := w.f.Redemption
	card := w.st.Kind == GiftCard
	r := &reader{exponent: w.p.Exponent, target: w.p.Exponent, num: 1, den: 1}
	if !card {
		checkSpend(w.p, b.Spend, "", r)
	}
	total := int64(-1)
	if b.Total != nil {
		total = r.money(b.Total, "/total", false)
	} else if rw := w.p.Rewards[b.Spend.Reward]; !card && rw != nil && rw.Pay != nil && (rw.Share < 10000 || rw.Pay.Lines != nil) {
		r.fail("/total", "required", "say what the purchase comes to: this reward pays a part of it only")
	}
	if b.Hold < 0 || time.Duration(b.Hold) > maxHold/time.Second {
		r.fail("/hold_seconds", "out_of_range", "must be 0 (the reward's own) to 7,776,000 seconds, which is 90 days")
	}
	if len(r.fields) > 0 {
		return errs.Invalid("invalid_redemption", "The redemption has mistakes.", r.fields...)
	}
	var (
		q   *quote
		err error
	)
	if card {
		q, err = w.quoteCard(b.Spend, total)
	} else {
		sc := w.scene()
		sc.store, sc.channel = b.Store, b.Channel
		q, err = w.quoteSpend(b.Spend, bill{whole: total, left: total}, sc)
	}
	if err != nil {
		return err
	}
	if err := w.afford(q); err != nil {
		return err
	}
	if !reserve {
		if err := w.paidBesides(q.money, b.Money); err != nil {
			return err
		}
		s := w.redeem(q, w.f.ID, ledger.Redeemed)
		return w.hand(&s)
	}
	s := w.redeem(q, w.f.ID, ledger.Reserved)
	if s.Money > 0 {
		w.note(NoteMoneyDue, Args{"money": Money(s.Money), "reward": {Reward: s.Reward}})
	}
	hold := defaultHold
	if q.r.Hold != nil {
		hold = *q.r.Hold
	}
	ends := hold.After(w.at, w.p.Zone)
	if b.Hold > 0 {
		ends = w.at.Add(time.Duration(b.Hold) * time.Second)
	}
	s.ExpiresAt, s.Status = &ends, StatusReserved
	w.st.Holds = append(w.st.Holds, s)
	w.d.Redemptions = append(w.d.Redemptions, s)
	for _, unit := range sortedUnits(s.Price) {
		w.note(noteOf(NoteReserved, &s), named(Args{"amount": Units(unit, s.Price[unit]), "time": Time(ends)}, &s))
	}
	w.tellTogether(&s)
	if len(s.Grants) > 0 {
		w.note(NoteGrantHeld, Args{"reward": {Reward: s.Reward}, "time": Time(ends)})
	}
	w.event(EvReserved, map[string]string{"redemption": s.ID, "reward": called(&s)})
	return nil
}

// hand makes a redemption final: what the reward gives is handed over.
func (w *work) hand(s *RedemptionState) error {
	s.Status, s.ExpiresAt = StatusCommitted, nil
	if r := w.p.Handed(s.Reward, s.Chosen); r != nil {
		if err := w.handOver(s, r); err != nil {
			return err
		}
	}
	w.d.Redemptions = append(w.d.Redemptions, *s)
	if s.Money > 0 {
		w.note(NoteMoneyPaid, Args{"money": Money(s.Money), "reward": {Reward: s.Reward}})
	}
	if s.Chosen != "" {
		w.note(NoteChosen, Args{"reward": {Reward: s.Chosen}})
	}
	for _, unit := range sortedUnits(s.Price) {
		w.note(noteOf(NoteSpent, s), named(Args{"amount": Units(unit, s.Price[unit])}, s))
	}
	w.tellTogether(s)
	for i := range s.Grants {
		w.tellShared(EvShareUsed, &s.Grants[i].Grant, s.ID)
	}
	if len(s.Grants) > 0 {
		w.note(NoteGrantUsed, Args{"reward": {Reward: s.Reward}})
	}
	w.event(EvCommitted, map[string]string{"redemption": s.ID, "reward": called(s)})
	return nil
}

func (w *work) voucher(s *RedemptionState, v *program.Voucher) {
	c := VoucherState{Bound: v.Bound}
	if v.Uses > 1 {
		c.Uses = v.Uses
	}
	if d := w.f.Drawn; d != nil && w.codes < len(d.Secrets) {
		c.Hash, c.Tail = d.Secrets[w.codes].Hash, d.Secrets[w.codes].Tail
		w.codes++
	} else if d != nil && w.codes < len(d.Codes) {
		c.Code = d.Codes[w.codes]
		w.codes++
	} else {
		c.Waits = w.f.Kind == Due
	}
	if v.Money != nil {
		c.Money, _ = v.Money.Minor(w.p.Exponent) // checked when the program was
	}
	if v.Percent != nil {
		c.Percent = v.Percent.String()
	}
	if v.Valid != nil {
		until := roundEnd(&program.Expiry{After: v.Valid}, v.Valid.After(w.at, w.p.Zone), w.p.Zone)
		c.ValidUntil = &until
	}
	s.Voucher = &c
	data := map[string]string{"redemption": s.ID, "reward": s.Reward}
	if c.Waits {
		data["waits"] = "true"
		w.note(NoteVoucherWaits, Args{"reward": {Reward: s.Reward}})
	}
	w.event(EvVoucher, data)
}

// doCommit makes a reservation final.
func (w *work) doCommit() error {
	s, i, err := w.hold()
	if err != nil {
		return err
	}
	var paid *money.Decimal
	if w.f.Redemption != nil {
		paid = w.f.Redemption.Money
	}
	if err := w.paidBesides(s.Money, paid); err != nil {
		return err
	}
	for _, l := range s.Lots {
		w.post(ledger.Posting{Unit: l.Unit, Lot: l.Lot, From: ledger.Reserved, To: ledger.Redeemed, Amount: l.Amount, Rule: s.Reward})
	}
	w.st.Holds = slices.Delete(w.st.Holds, i, i+1)
	return w.hand(&s)
}

// doCancel lets a reservation go.
func (w *work) doCancel() error {
	s, i, err := w.hold()
	if err != nil {
		return err
	}
	w.letGo(s, i, StatusCancelled, NoteLetGo, EvCancelledRedeem)
	return nil
}

// hold finds the open reservation a step is about, or says why there is none.
func (w *work) hold() (RedemptionState, int, error) {
	for i, s := range w.st.Holds {
		if s.ID == w.f.Parent {
			return s, i, nil
		}
	}
	s := w.in.Redemptions[w.f.Parent]
	if s == nil {
		return RedemptionState{}, 0, errs.NotFound("redemption_not_found", "There is no such redemption.")
	}
	return *s, 0, errs.Conflict("redemption_"+s.Status, "This redemption is not open any more: it is "+s.Status+".").With("status", s.Status)
}

// letGo ends a reservation: the points go back to the lots they came from, with their old ends.
func (w *work) letGo(s RedemptionState, i int, status, note, event string) {
	w.st.Holds = slices.Delete(w.st.Holds, i, i+1)
	for _, l := range s.Lots {
		if l.Owner != "" && l.Owner != w.f.Member {
			w.sendHome(l.Owner, l.Unit, l.Lot, l.Amount, ledger.Reserved, s.At, l.ExpiresAt, "")
			continue
		}
		w.post(ledger.Posting{Unit: l.Unit, Lot: l.Lot, From: ledger.Reserved, To: ledger.Spendable, Amount: l.Amount, Rule: s.Reward})
	}
	for _, c := range s.Counters {
		w.tally(c.Name, c.Period, -c.Add)
	}
	w.returnGrants(&s)
	s.Status, s.ExpiresAt, s.Counters = status, nil, nil
	w.d.Redemptions = append(w.d.Redemptions, s)
	for _, unit := range sortedUnits(s.Price) {
		w.note(noteOf(note, &s), named(Args{"amount": Units(unit, s.Price[unit])}, &s))
	}
	w.event(event, map[string]string{"redemption": s.ID, "reward": called(&s)})
	for _, l := range s.Lots {
		w.payDebt(w.lots[l.Lot])
	}
}

// doRefund undoes a committed redemption: all that is left of it, or the points asked for.
func (w *work) doRefund() error {
	r := w.in.Redemptions[w.f.Parent]
	if err := w.notClosed(); err != nil && (r == nil || !r.othersGave()) {
		return err
	}
	switch {
	case r == nil:
		return errs.NotFound("redemption_not_found", "There is no such redemption.")
	case r.Status == StatusRefunded:
		return errs.Conflict("redemption_refunded", "This redemption has been refunded already.").With("status", r.Status)
	case r.Status != StatusCommitted:
		return errs.Conflict("redemption_"+r.Status, "Only a committed redemption can be refunded; this one is "+r.Status+".").With("status", r.Status)
	}
	if v := r.Voucher; v != nil && len(v.Used) > 0 {
		return errs.Conflict("voucher_used", "The voucher of this redemption was used: take its use back first.").With("redemption", r.ID)
	}
	if err := r.final(w.at); err != nil {
		return err
	}
	s := *r
	s.Refunded = copyAmounts(r.Refunded)
	var part *money.Decimal
	pointer := "/points"
	if b := w.f.Redemption; b != nil {
		part = b.Points
		if b.Money != nil {
			part, pointer = b.Money, "/amount"
			if w.st.Kind != GiftCard || b.Points != nil {
				return errs.Invalid("not_money", "An amount of money is given back of a payment with a gift card.",
					errs.Field{Pointer: pointer, Reason: "not_money", Message: "leave it out; a part of what was paid in points is said as points"})
			}
		}
	}
	if part != nil && len(s.Price) != 1 {
		return errs.Invalid("several_units", "A price in several units is refunded whole.", errs.Field{Pointer: "/points", Reason: "several_units", Message: "leave it out"})
	}
	for _, unit := range sortedUnits(s.Price) {
		left := s.Price[unit] - s.Refunded[unit]
		n := left
		if part != nil {
			var err error
			if n, err = part.Minor(w.p.Units[unit].Precision); err != nil || n <= 0 || n > left {
				return errs.Invalid("more_than_spent", "That is not a part of what is left to refund.",
					errs.Field{Pointer: pointer, Reason: "out_of_range", Message: "must be more than 0 and at most " + w.amount(unit, left)})
			}
		}
		w.giveBack(&s, unit, n)
	}
	w.closeRefund(&s)
	w.takeLetGo(s.At, "")
	w.endAgain()
	return nil
}

// othersGave says whether others of the household gave some of what was spent.
func (r *RedemptionState) othersGave() bool {
	return slices.ContainsFunc(r.Lots, func(l HeldLot) bool { return l.Owner != "" })
}

// endAgain ends what came back to who has left the program, as their membership ended all they had.
func (w *work) endAgain() {
	if w.st.Status == Closed {
		w.endGrants()
		w.empty(ledger.Closed, nil)
	}
}

// giveBack puts n of a redemption's price back into the lots it left, the last taken first: those end last.
func (w *work) giveBack(s *RedemptionState, unit string, n int64) {
	if n == 0 {
		return
	}
	if s.Refunded == nil {
		s.Refunded = map[string]int64{}
	}
	skip := s.Refunded[unit]
	s.Refunded[unit] += n
	w.note(NoteGivenBack, Args{"amount": Units(unit, n)})
	if s.Member != w.f.Member { // the lots stayed in the books of the member that was merged into this one
		w.giveBackMoved(s, unit, skip, n)
		return
	}
	for i := len(s.Lots) - 1; i >= 0 && n > 0; i-- {
		h := s.Lots[i]
		if h.Unit != unit {
			continue
		}
		had := min(skip, h.Amount)
		skip -= had
		k := min(h.Amount-had, n)
		l := w.lots[h.Lot]
		if k == 0 || l == nil {
			continue
		}
		n -= k
		if h.Owner != "" {
			w.sendHome(h.Owner, unit, h.Lot, k, ledger.Redeemed, s.At, h.ExpiresAt, "")
			continue
		}
		w.post(ledger.Posting{Unit: unit, Lot: h.Lot, From: ledger.Redeemed, To: ledger.Spendable, Amount: k, Rule: s.Reward, Of: s.ID})
		if l.ExpiresAt != nil && !l.ExpiresAt.After(w.now) {
			w.note(NoteGoneLot, Args{"amount": Units(unit, k), "time": Time(*l.ExpiresAt)})
		}
		w.payDebt(l)
	}
	w.touch(unit)
}

// giveBackMoved gives back to lots of the survivor's own, with the old ends.
func (w *work) giveBackMoved(s *RedemptionState, unit string, skip, n int64) {
	for i := len(s.Lots) - 1; i >= 0 && n > 0; i-- {
		h := s.Lots[i]
		if h.Unit != unit {
			continue
		}
		had := min(skip, h.Amount)
		skip -= had
		k := min(h.Amount-had, n)
		n -= k
		if k > 0 && h.Owner != "" && h.Owner != w.f.Member {
			w.sendHome(h.Owner, unit, 0, k, ledger.Redeemed, s.At, h.ExpiresAt, w.f.ID)
			continue
		}
		w.payDebt(w.put(terms{unit: unit, earnedAt: s.At, fact: w.f.ID, expires: h.ExpiresAt}, k, ledger.Redeemed, s.Reward))
	}
	w.touch(unit)
}

// closeRefund writes the redemption as it stands after something was given back.
func (w *work) closeRefund(s *RedemptionState) {
	whole := true
	for unit, n := range s.Price {
		whole = whole && s.Refunded[unit] == n
	}
	w.moneyBack(s)
	if whole {
		s.Status = StatusRefunded
		w.callOff(s)
		for _, c := range s.Counters {
			w.tally(c.Name, c.Period, -c.Add)
		}
		s.Counters = nil
		for i := range s.Grants {
			w.tellShared(EvShareUndone, &s.Grants[i].Grant, s.ID)
		}
		w.returnGrants(s)
	}
	w.d.Redemptions = append(w.d.Redemptions, *s)
	w.event(EvRefunded, map[string]string{"redemption": s.ID, "reward": called(s)})
}

// drawnID is the id of the next redemption that a fact makes; i tells them apart where none was drawn.
func (w *work) drawnID(i int) string {
	if w.f.Drawn != nil && w.redeems < len(w.f.Drawn.Redemptions) {
		w.redeems++
		return w.f.Drawn.Redemptions[w.redeems-1]
	}
	return w.f.ID + ":" + strconv.Itoa(i) // a simulation draws no ids
}

// spend redeems the rewards of a purchase, one after another; each lowers what is left to pay. paid is what was paid with others before.
func (w *work) spend(b *basket, paid int64, sc *scene) (int64, error) {
	var worth int64
	for i, s := range w.f.Purchase.Spend {
		q, err := w.quoteSpend(s, bill{whole: max(b.total, 0), left: b.total - paid - worth, basket: b}, sc)
		if err == nil {
			err = w.afford(q)
		}
		if err == nil {
			err = w.paidBesides(q.money, s.Money)
		}
		if err == nil {
			st := w.redeem(q, w.drawnID(i), ledger.Redeemed)
			st.Purchase = w.f.ID
			err = w.hand(&st)
		}
		if err != nil {
			e := errs.As(err)
			return 0, e.With("pointer", "/spend/"+strconv.Itoa(i))
		}
		worth += q.worth
		b.payOn(q.on)
	}
	return worth, nil
}

// link ties committed redemptions to the purchase, so that a return gives their points back too.
func (w *work) link(b *basket, ids []string) (int64, error) {
	var worth int64
	for i, id := range ids {
		r := w.in.Redemptions[id]
		if r == nil {
			for j := range w.st.Holds {
				if w.st.Holds[j].ID == id {
					return 0, errs.Conflict("redemption_reserved", "A reservation must be committed before a purchase can name it.").With("pointer", "/redemptions/"+strconv.Itoa(i))
				}
			}
			return 0, errs.Invalid("redemption_not_found", "The member has no such redemption.",
				errs.Field{Pointer: "/redemptions/" + strconv.Itoa(i), Reason: "unknown_redemption", Message: "the member has no redemption " + strconv.Quote(id)})
		}
		if r.Status != StatusCommitted || r.Purchase != "" {
			return 0, errs.Conflict("redemption_not_free", "This redemption is "+r.Status+" or belongs to another purchase.").With("pointer", "/redemptions/"+strconv.Itoa(i))
		}
		s := *r
		s.Purchase = w.f.ID
		if rw := w.p.Rewards[s.Reward]; rw != nil && rw.Pay != nil && rw.Pay.Lines != nil {
			_, left, room := w.payable(rw, bill{whole: b.total, left: max(b.total, 0), basket: b})
			var err error
			if s.On, err = spread(min(s.Worth, left), room); err != nil {
				return 0, err
			}
			b.payOn(s.On)
		}
		w.d.Redemptions = append(w.d.Redemptions, s)
		worth += s.Worth
	}
	return worth, nil
}

// Offer is a reward as it stands for a member at a moment.
type Offer struct {
	Reward string
	// Price by unit; for a reward paid by a rate, the most that can be paid now.
	Price map[string]int64
	Worth int64
	// Money is what is paid besides, Option the number of the price: the first that the member can pay, or else the first.
	Money  int64
	Option int64
	// Left is the stock, -1 where unlimited.
	Left int64
	// Granted is how many the member may have at no price, 0 where there is none.
	Granted int64
	// Hidden says that the member does not find it: it is not for them.
	Hidden bool
	// Can says that the member can have it now; Reason is the refusal's reason and Missing what is missing of each unit.
	Can    bool
	Reason string
	// Why says the reason for people: notes of offers, and of what failed of a condition.
	Why     []Note
	Missing map[string]int64
	// Limits are how often it can be had, with what is left.
	Limits []OfferLimit
}

// Offers says of every reward whether a member can have it now, and if not why. The account must be loaded as for a
// Redeem fact of each reward (OfferNeeds). stocked says of each pool (PoolsOf) whether it has a code; nil where nobody looked.
func Offers(p *program.Compiled, acc *Account, stocked map[string]bool, at time.Time) []Offer {
	out := make([]Offer, 0, len(p.Doc.Rewards))
	var drawn *Drawn
	if stocked != nil {
		drawn = &Drawn{}
		for _, pool := range PoolsOf(p) {
			if stocked[pool] {
				drawn.Pooled = append(drawn.Pooled, Trial(pool))
			}
		}
	}
	for i := range p.Doc.Rewards {
		r := p.Rewards[p.Doc.Rewards[i].ID]
		w := newWork(p, Input{Account: acc, Fact: Fact{OccurredAt: at, Kind: Redeem, Drawn: drawn}})
		o := Offer{Reward: r.ID, Price: r.Price, Left: -1}
		for _, k := range w.inOrderOfEnd(r.ID, "") {
			o.Granted += min(w.st.Grants[k].left(), maxHolding-o.Granted)
		}
		if r.Stock >= 0 {
			o.Left = max(r.Stock-acc.Tallies[stockName(r.ID)]["all"], 0)
		}
		if r.Kind == program.KindCode && stocked != nil && !stocked[r.Gives.Pool] {
			o.Left = 0
		}
		sc := w.scene()
		o.Hidden = o.Granted == 0 && !sc.finds(r)
		o.Limits = w.limits(r, sc)
		err := w.mayAct()
		var q *quote
		if err == nil {
			q, err = w.quoteAny(r, sc)
		}
		if err == nil {
			o.Price, o.Worth, o.Money, o.Option = q.price, q.worth, q.money, max(q.option, 1)
			err = w.afford(q)
		}
		o.Can = err == nil
		for unit, n := range o.Price {
			if have := w.spendable(unit); have < n {
				if o.Missing == nil {
					o.Missing = map[string]int64{}
				}
				o.Missing[unit] = n - have
			}
		}
		if err != nil {
			o.Reason = errs.As(err).Reason
			o.Why = w.whyNot(&o, r, sc, err)
		}
		out = append(out, o)
	}
	return out
}

// PoolsOf gives the pools that a program's rewards take codes from, each once.
func PoolsOf(p *program.Compiled) (pools []string) {
	for i := range p.Doc.Rewards {
		if r := p.Rewards[p.Doc.Rewards[i].ID]; r.Kind == program.KindCode && !slices.Contains(pools, r.Gives.Pool) {
			pools = append(pools, r.Gives.Pool)
		}
	}
	return pools
}

// OffersFor is Offers to somebody who acts for an organization, whose account it is: what they may not spend for it they cannot have.
func OffersFor(p *program.Compiled, acc *Account, by string, stocked map[string]bool, at time.Time) []Offer {
	out := Offers(p, acc, stocked, at)
	w := newWork(p, Input{Account: acc, Fact: Fact{OccurredAt: at, Kind: Redeem, Redemption: &Redemption{By: by}}})
	if err := w.mayFor(); err != nil {
		for i := range out {
			out[i].Can, out[i].Reason, out[i].Why = false, errs.As(err).Reason, []Note{{Code: NoteOfferRole}}
		}
	}
	return out
}

// quoteAny quotes a reward as it can best be had: of a choice any that is there, of several prices the first that can be paid.
func (w *work) quoteAny(r *program.CompiledReward, sc *scene) (first *quote, why error) {
	choices := []string(r.Gives.Choice)
	if len(choices) == 0 {
		choices = []string{""}
	}
	for _, id := range choices {
		for option := range r.Prices {
			q, err := w.quoteSpend(Spend{Reward: r.ID, Max: r.Pay != nil, Choose: id, Option: int64(option) + 1}, bill{whole: -1, left: -1}, sc)
			switch {
			case err != nil:
				why = cmp.Or(why, err)
			case w.afford(q) == nil:
				return q, nil
			case first == nil:
				first = q
			}
		}
	}
	if first != nil {
		why = nil
	}
	return first, why
}

// OfferNeeds says what an account must have loaded for Offers.
func OfferNeeds(p *program.Compiled, st *State, at time.Time) Needs {
	n := Needs{Lots: true, Tallies: append(tallyRanges(p, at, at), ChallengeNeeds(p, st, at)...)}
	for i := range p.Doc.Rewards {
		n.Tallies = append(n.Tallies, rewardTallies(p, st, p.Rewards[p.Doc.Rewards[i].ID], at)...)
	}
	return n
}

func rewardTallies(p *program.Compiled, st *State, r *program.CompiledReward, at time.Time) []TallyRange {
	if r == nil {
		return nil
	}
	var out []TallyRange
	if r.Stock >= 0 {
		out = append(out, TallyRange{stockName(r.ID), "all", "all"})
	}
	for _, id := range r.Gives.Choice {
		if p.Rewards[id].Stock >= 0 {
			out = append(out, TallyRange{stockName(id), "all", "all"})
		}
	}
	return append(out, limitTallies(p, st, r.Limits, at)...)
}

func limitTallies(p *program.Compiled, st *State, limits []program.CompiledLimit, at time.Time) []TallyRange {
	var out []TallyRange
	sc := newScene(p, st, at)
	for _, l := range limits {
		if l.Per == "purchase" {
			continue
		}
		period := program.PeriodKey(l.Per, at, sc.zone(l.Zone))
		if l.Times >= 0 {
			out = append(out, TallyRange{limitName(l) + "/times", period, period})
		}
		if l.Amount >= 0 {
			out = append(out, TallyRange{limitName(l) + "/amount", period, period})
		}
	}
	return out
}
