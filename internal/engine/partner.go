package engine

import (
	"maps"
	"slices"
	"strings"

	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ledger"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
)

// What is done at a partner.
const (
	PartnerAward  = "award"  // the partner gives points, and is billed for them
	PartnerAccept = "accept" // the member pays with points there, and the partner is owed for them
	PartnerUndo   = "undo"   // one of these is taken back whole; Fact.Parent says which
)

// PartnerBody is what a partner tells of a member.
type PartnerBody struct {
	// Partner is its id in the program.
	Partner string `json:"partner"`
	// Do is one of the words above.
	Do string `json:"do"`
	// Unit and Amount, but for what is undone.
	Unit   string         `json:"unit,omitempty"`
	Amount *money.Decimal `json:"amount,omitempty"`
	Reason string         `json:"reason,omitempty"`
}

// partnerTally names the counters of a partner that pays ahead, in millionths of the currency: what it has paid, and what it has used.
func partnerTally(id, what string) string { return ProgramTally + "partner:" + id + "/" + what }

// PartnerPaid is the counter of what a partner has paid ahead; payments add to it, and no fact does.
func PartnerPaid(id string) string { return partnerTally(id, "paid") }

// PartnerUsed is the counter of what a partner that pays ahead has used of it.
func PartnerUsed(id string) string { return partnerTally(id, "used") }

// PartnerPeriod is the one period of these counters.
const PartnerPeriod = "all"

// partnerTallies are what must be known before a partner gives something.
func partnerTallies(p *program.Compiled, st *State, f Fact) []TallyRange {
	b := f.Partner
	if b == nil || p.Partners[b.Partner] == nil {
		return nil
	}
	c := p.Partners[b.Partner]
	var out []TallyRange
	if c.Pays == "ahead" && b.Do != PartnerAccept {
		for _, name := range []string{PartnerPaid(b.Partner), PartnerUsed(b.Partner)} {
			out = append(out, TallyRange{name, PartnerPeriod, PartnerPeriod})
		}
	}
	if b.Do == PartnerAward {
		out = append(out, limitTallies(p, st, c.Limits, f.RecordedAt)...)
	}
	return out
}

// NoPartner says that the program has no such partner, or not for who asks.
func NoPartner() error {
	return errs.NotFound("partner_not_found", "The program has no such partner.")
}

func (w *work) doPartner() error {
	b := w.f.Partner
	c := w.p.Partners[b.Partner]
	if c == nil {
		return NoPartner()
	}
	if err := w.notClosed(); err != nil {
		return err
	}
	switch b.Do {
	case PartnerAward:
		return w.awardAt(c, b)
	case PartnerAccept:
		return w.acceptAt(c, b)
	case PartnerUndo:
		return w.undoAt(c)
	}
	return errs.Invalid("unknown_kind", "A partner awards, accepts or undoes.")
}

// priced reads the amount of a partner's unit and what it comes to in millionths of the currency.
func (w *work) priced(b *PartnerBody, prices map[string]int64, may string) (n, cost int64, err error) {
	price, ok := prices[b.Unit]
	switch {
	case !ok:
		return 0, 0, errs.Forbidden("unit_not_agreed", "This partner may not "+may+" this unit: it may "+may+" "+strings.Join(slices.Sorted(maps.Keys(prices)), ", ")+".").With("unit", b.Unit)
	case b.Amount == nil:
		return 0, 0, errs.Invalid("not_an_amount", "Say how many.", errs.Field{Pointer: "/amount", Reason: "required", Message: "is missing"})
	}
	if n, err = w.units(b.Unit, *b.Amount, "/amount"); err != nil {
		return 0, 0, err
	}
	cost, err = money.MulDiv(n, price, 1, money.Down)
	return n, cost, err
}

func (w *work) awardAt(c *program.CompiledPartner, b *PartnerBody) error {
	if w.st.Status == Blocked {
		return errs.Forbidden("member_blocked", "This member is blocked and earns nothing.")
	}
	n, cost, err := w.priced(b, c.Awards, "award")
	if err != nil {
		return err
	}
	if c.Most >= 0 && n > c.Most {
		return errs.Invalid("out_of_range", "The amount is outside what is agreed.", errs.Field{Pointer: "/amount", Reason: "out_of_range", Message: "must be at most " + w.amount(b.Unit, c.Most)})
	}
	a := Award{Rule: ledger.Partner(b.Partner), Unit: b.Unit, Amount: n}
	told := w.f.RecordedAt // not the business time: that is the partner's to say, and each month of the past would be another limit
	sc := newScene(w.p, w.st, told)
	for _, l := range c.Limits {
		period := program.PeriodKey(l.Per, told, sc.zone(l.Zone))
		if l.Times >= 0 && w.acc.Tallies[limitName(l)+"/times"][period]+1 > l.Times || l.Amount >= 0 && w.acc.Tallies[limitName(l)+"/amount"][period]+n > l.Amount {
			return errs.Conflict("limit_reached", "What is agreed with the partner for this "+l.Per+" is given already.")
		}
		if l.Times >= 0 {
			w.use(&a, limitName(l)+"/times", period, 1)
		}
		if l.Amount >= 0 {
			w.use(&a, limitName(l)+"/amount", period, n)
		}
	}
	if c.Pays == "ahead" {
		left := w.acc.Tallies[PartnerPaid(b.Partner)][PartnerPeriod] - w.acc.Tallies[PartnerUsed(b.Partner)][PartnerPeriod]
		if cost > left {
			return errs.Insufficient("credit_too_low", "The partner has not paid for this much: it pays ahead.").With("credit", short(left, w.p.Exponent)).With("cost", short(cost, w.p.Exponent))
		}
		w.use(&a, PartnerUsed(b.Partner), PartnerPeriod, cost)
	}
	lot := w.put(w.termsOf(nil, b.Unit, w.f.ID), n, a.Rule, priceRule(c.Partner.Awards[b.Unit]))
	a.Lot = lot.ID
	w.d.Awards = append(w.d.Awards, a)
	w.countUnit(b.Unit, n, w.at)
	w.touch(b.Unit)
	w.note(NotePartnerAward, Args{"amount": Units(b.Unit, n), "text": text(b.Partner)})
	w.unitEvent(EvPartnerAward, b.Unit, n, "partner", b.Partner)
	w.tellLots([]givenLot{{lot, n}})
	return nil
}

// use counts something and notes it with the award, to be given back with it.
func (w *work) use(a *Award, name, period string, n int64) {
	w.tally(name, period, n)
	a.Counters = append(a.Counters, Counter{name, period, n})
}

// pricePrefix begins what a posting with a partner says in place of a rule: the price of one, so that a statement is a fold of postings.
const pricePrefix = "price:"

func priceRule(d money.Decimal) string { return pricePrefix + d.String() }

// PriceOf gives the price that a posting with a partner was made at.
func PriceOf(rule string) (money.Decimal, error) {
	return money.Parse(strings.TrimPrefix(rule, pricePrefix))
}

func (w *work) acceptAt(c *program.CompiledPartner, b *PartnerBody) error {
	if err := w.mayAct(); err != nil {
		return err
	}
	n, _, err := w.priced(b, c.Accepts, "accept")
	if err != nil {
		return err
	}
	if have := w.spendable(b.Unit); have < n {
		return errs.Insufficient("balance_too_low", "The balance is too low for this.").With("unit", b.Unit).
			With("balance", w.amount(b.Unit, have)).With("missing", w.amount(b.Unit, n-have))
	}
	w.take(b.Unit, n, ledger.Partner(b.Partner), priceRule(c.Partner.Accepts[b.Unit]))
	w.touch(b.Unit)
	w.note(NotePartnerAccept, Args{"amount": Units(b.Unit, n), "text": text(b.Partner)})
	w.unitEvent(EvPartnerAccept, b.Unit, n, "partner", b.Partner)
	return nil
}

// undoAt takes back what was done at a partner, whole and once. What was awarded and is spent becomes a debt; what was paid goes back to
// the lots it left, with their old ends.
func (w *work) undoAt(c *program.CompiledPartner) error {
	past := w.in.Past
	if past == nil || past.Fact.Partner == nil || past.Fact.Partner.Partner != c.ID || past.Fact.Partner.Do == PartnerUndo {
		return errs.NotFound("fact_not_found", "This partner did no such thing.")
	}
	for _, child := range past.Children {
		if child.Fact.Partner != nil {
			return errs.Conflict("undone_already", "This was undone already.").With("fact", child.Fact.ID)
		}
	}
	account := ledger.Partner(c.ID)
	done := past.Fact.Partner
	var n int64
	if done.Do == PartnerAward {
		for i, a := range past.Decision.Awards {
			if a.Rule != account { // what the tier brought that it lifted to: that is the program's gift, and no business of the partner's bill
				continue
			}
			n += a.Amount
			first := len(w.d.Postings)
			rev, err := w.reverseTo(account, w.lotsOf(a.Lot, a.Unit, past.Fact.ID), a.Unit, a.Rule, a.Amount, past.Fact.ID, "debt")
			if err != nil {
				return err
			}
			for k := range w.d.Postings[first:] {
				w.d.Postings[first+k].Rule = past.Decision.Postings[0].Rule
			}
			rev.Award = i
			w.d.Reversals = append(w.d.Reversals, rev)
			w.countUnit(a.Unit, -a.Amount, past.Fact.OccurredAt)
			for _, k := range a.Counters {
				back := k.Add
				if k.Name == PartnerUsed(c.ID) { // what ended with the member is paid for
					if back, err = money.MulDiv(k.Add, a.Amount-rev.Forgiven, a.Amount, money.Down); err != nil {
						return err
					}
				}
				w.tally(k.Name, k.Period, -back)
			}
		}
	} else {
		for _, p := range past.Decision.Postings {
			if p.To == account {
				n += p.Amount
				w.putBack(p, account, past)
			}
		}
		for _, l := range w.fresh {
			w.payDebt(l)
		}
	}
	w.touch(done.Unit)
	w.note(NotePartnerUndo, Args{"amount": Units(done.Unit, n), "text": text(c.ID)})
	w.unitEvent(EvPartnerUndo, done.Unit, n, "partner", c.ID, "fact", past.Fact.ID, "was", done.Do)
	return nil
}

// putBack gives what a posting took back to its lot. One that ended meanwhile, or stands in the books of who was merged, comes back as a
// new lot with the old end.
func (w *work) putBack(p ledger.Posting, from string, past *Past) {
	l := w.lots[p.Lot]
	if l == nil || past.Fact.Member != w.f.Member {
		w.put(w.termsOf(nil, p.Unit, past.Fact.ID), p.Amount, from, p.Rule)
		w.d.Postings[len(w.d.Postings)-1].Of = past.Fact.ID
		return
	}
	w.post(ledger.Posting{Unit: p.Unit, Lot: l.ID, From: from, To: ledger.Spendable, Amount: p.Amount, Rule: p.Rule, Of: past.Fact.ID})
	w.note(NoteGivenBack, Args{"amount": Units(p.Unit, p.Amount)})
	if l.ExpiresAt != nil && !l.ExpiresAt.After(w.now) {
		w.note(NoteGoneLot, Args{"amount": Units(p.Unit, w.end(l))})
		return
	}
	w.payDebt(l)
}

// short writes money that is counted in parts of the price's scale with no more decimals than it needs, and at least those of the currency.
func short(n int64, exponent int) string {
	scale := program.PriceScale
	for scale > exponent && n%10 == 0 {
		n, scale = n/10, scale-1
	}
	return money.Format(n, scale)
}
