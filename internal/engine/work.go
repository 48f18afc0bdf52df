package engine

import (
	"maps"
	"slices"
	"sort"
	"time"

	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ledger"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
)

// work is one decision in the making: a copy of the account that is changed, and what is decided so far.
type work struct {
	p    *program.Compiled
	f    *Fact
	in   Input
	acc  *Account
	st   *State
	d    *Decision
	lots map[int64]*ledger.Lot
	// fresh are the lots of this fact, so that rules with the same terms share one.
	fresh []*ledger.Lot
	// allLots says that every open lot is loaded, so that the next due moment can be told exactly.
	allLots bool
	// at is the fact's business time; now is the later of that and the account's own clock: where the member stands today.
	at, now time.Time
	redeems int            // how many of Drawn.Redemptions are used
	codes   int            // how many of Drawn.Codes are used
	pools   map[string]int // how many of each pool's codes in Drawn.Pooled are used
	// fired holds the limits that count how often, of the rules that fired.
	fired map[string]bool
	// allBack says that a return left nothing of its purchase, or nothing that cost anything.
	allBack bool
	// reached are the triggers of tiers that were come to and whose rules have not run yet.
	reached []string
	homes   int // how many parts were sent home
	err     error
}

func newWork(p *program.Compiled, in Input) *work {
	acc := in.Account.clone()
	w := &work{p: p, f: &in.Fact, in: in, acc: acc, st: &acc.State, d: &Decision{Version: p.Version}, at: in.Fact.OccurredAt,
		lots: make(map[int64]*ledger.Lot, len(acc.Lots))}
	w.now = w.at
	if w.st.At.After(w.now) {
		w.now = w.st.At
	}
	for _, l := range acc.Lots {
		w.lots[l.ID] = l
	}
	return w
}

func (a *Account) clone() *Account {
	c := &Account{Program: a.Program, Member: a.Member, State: a.State.clone()}
	c.Lots = make([]*ledger.Lot, len(a.Lots))
	for i, l := range a.Lots {
		n := *l
		n.Dirty, n.New = false, false
		c.Lots[i] = &n
	}
	c.Tallies = make(map[string]map[string]int64, len(a.Tallies))
	for name, periods := range a.Tallies {
		c.Tallies[name] = maps.Clone(periods)
	}
	return c
}

func (s *State) clone() State {
	c := *s
	c.Units = make(map[string]*ledger.Holding, len(s.Units))
	for u, h := range s.Units {
		n := *h
		c.Units[u] = &n
	}
	c.Tiers = make(map[string]*TierState, len(s.Tiers))
	for id, t := range s.Tiers {
		n := *t
		n.History = slices.Clone(t.History)
		c.Tiers[id] = &n
	}
	c.Plans, c.Fades = nil, nil
	if len(s.Plans) > 0 {
		c.Plans = make(map[string]*PlanState, len(s.Plans))
		for id, p := range s.Plans {
			c.Plans[id] = p.clone()
		}
	}
	if len(s.Fades) > 0 {
		c.Fades = make(map[string]*FadeState, len(s.Fades))
		for id, f := range s.Fades {
			c.Fades[id] = f.clone()
		}
	}
	c.Holds = slices.Clone(s.Holds)
	c.Grants = slices.Clone(s.Grants)
	c.Challenges = cloneChallenges(s.Challenges)
	c.Tallied = slices.Clone(s.Tallied)
	c.Referral = s.Referral.clone()
	c.Card = copied(s.Card)
	c.Thanks = slices.Clone(s.Thanks)
	c.Passed, c.Taken = slices.Clone(s.Passed), slices.Clone(s.Taken)
	c.Was = slices.Clone(s.Was)
	if s.Card != nil {
		card := *s.Card
		c.Card = &card
	}
	c.House = s.House.clone()
	c.Moments, c.Settled, c.Joined = maps.Clone(s.Moments), slices.Clone(s.Settled), slices.Clone(s.Joined)
	c.LetGo = slices.Clone(s.LetGo)
	return c
}

func copied[T any](p *T) *T {
	if p == nil {
		return nil
	}
	c := *p
	return &c
}

// holding gives the member's holding of a unit, made if need be.
func (w *work) holding(unit string) *ledger.Holding {
	h := w.st.Units[unit]
	if h == nil {
		h = &ledger.Holding{}
		w.st.Units[unit] = h
	}
	return h
}

func (w *work) note(code string, args Args) {
	w.d.Explanation.Notes = append(w.d.Explanation.Notes, Note{code, args})
}

func (w *work) event(typ string, data map[string]string) {
	w.d.Events = append(w.d.Events, Event{typ, data})
}

// amount writes minor units of a unit as decimal text.
func (w *work) amount(unit string, n int64) string {
	if u := w.p.Units[unit]; u != nil {
		return money.Format(n, u.Precision)
	}
	return money.Format(n, 0)
}

// unitEvent tells of an amount of a unit.
func (w *work) unitEvent(typ, unit string, n int64, more ...string) {
	data := map[string]string{"unit": unit, "amount": w.amount(unit, n)}
	for i := 0; i+1 < len(more); i += 2 {
		data[more[i]] = more[i+1]
	}
	w.event(typ, data)
}

// maxHolding bounds what one member may have of a unit, so that sums over a program stay within 64 bits.
const maxHolding = int64(1e15)

// post writes a posting and moves it through the lot and the holding. It is the only place where balances change.
func (w *work) post(p ledger.Posting) {
	if p.Amount == 0 || w.err != nil {
		return
	}
	h := w.holding(p.Unit)
	l := w.lots[p.Lot]
	move := func(account string, n int64) {
		switch account {
		case ledger.Spendable:
			h.Spendable += n
			l.Spendable += n
		case ledger.Pending:
			h.Pending += n
			l.Pending += n
		case ledger.Reserved:
			h.Reserved += n
			l.Reserved += n
		case ledger.Debt:
			h.Debt -= n
		case ledger.Issued:
			h.Earned -= n
		case ledger.Reversed:
			h.Reversed += n
		case ledger.Redeemed:
			h.Spent += n
		case ledger.Expired:
			h.Expired += n
		case ledger.Adjusted:
			h.Adjusted -= n
		case ledger.Transferred:
			h.Transferred -= n
		case ledger.Closed:
			h.Closed += n
		default:
			h.Partners -= n
		}
	}
	move(p.From, -p.Amount)
	move(p.To, p.Amount)
	if l != nil {
		l.Dirty = true
	}
	if h.Spendable+h.Pending+h.Reserved > maxHolding || h.Debt > maxHolding {
		w.err = errs.Invalid("too_large", "This would give the member more of a unit than can be kept: at most 1,000,000,000,000,000 of its smallest parts.")
	}
	w.d.Postings = append(w.d.Postings, p)
}

// terms are what lots of one fact must have in common to be one lot.
type terms struct {
	unit     string
	expires  *time.Time
	warn     *time.Time
	release  *time.Time
	confirm  string
	earnedAt time.Time
	fact     string
}

func same(a, b *time.Time) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Equal(*b)
}

// put adds an amount to a lot with these terms, from an account of the program.
func (w *work) put(t terms, amount int64, from, rule string) *ledger.Lot {
	if amount <= 0 {
		return nil
	}
	var lot *ledger.Lot
	for _, l := range w.fresh {
		if l.Unit == t.unit && same(l.ExpiresAt, t.expires) && same(l.ReleaseAt, t.release) && l.Confirm == t.confirm && l.Fact == t.fact && l.EarnedAt.Equal(t.earnedAt) {
			lot = l
		}
	}
	if lot == nil {
		w.st.Lots++
		lot = &ledger.Lot{ID: w.st.Lots, Unit: t.unit, Fact: t.fact, EarnedAt: t.earnedAt, ExpiresAt: t.expires, WarnAt: t.warn,
			ReleaseAt: t.release, Confirm: t.confirm, New: true, Dirty: true}
		w.fresh = append(w.fresh, lot)
		w.acc.Lots = append(w.acc.Lots, lot)
		w.lots[lot.ID] = lot
	}
	lot.Amount += amount
	to := ledger.Spendable
	if t.release != nil || t.confirm != "" {
		to = ledger.Pending
	}
	w.post(ledger.Posting{Unit: t.unit, Lot: lot.ID, From: from, To: to, Amount: amount, Rule: rule})
	return lot
}

// payDebt uses what is newly spendable in a lot to pay what is owed in its unit.
func (w *work) payDebt(l *ledger.Lot) {
	if l == nil {
		return
	}
	h := w.holding(l.Unit)
	n := min(h.Debt, l.Spendable)
	if n <= 0 || (l.ExpiresAt != nil && !l.ExpiresAt.After(w.at)) {
		return
	}
	w.post(ledger.Posting{Unit: l.Unit, Lot: l.ID, From: ledger.Spendable, To: ledger.Debt, Amount: n})
	w.note(NoteDebtPaid, Args{"amount": Units(l.Unit, n)})
}

// open lists the lots that can be spent at w.at, in the order of spending: none that has ended, and none that was earned
// later, for a spending that comes late.
func (w *work) open(unit string) []*ledger.Lot {
	return slices.DeleteFunc(w.openEver(unit), func(l *ledger.Lot) bool { return l.EarnedAt.After(w.at) })
}

// openEver is open with the lots that were earned after w.at too.
func (w *work) openEver(unit string) []*ledger.Lot {
	var out []*ledger.Lot
	for _, l := range w.acc.Lots {
		if l.Unit == unit && l.Spendable > 0 && (l.ExpiresAt == nil || l.ExpiresAt.After(w.at)) {
			out = append(out, l)
		}
	}
	byEarned := w.p.Doc.Spending.Order == "earliest earned"
	sort.SliceStable(out, func(i, j int) bool {
		a, b := out[i], out[j]
		if !byEarned && !same(a.ExpiresAt, b.ExpiresAt) {
			if a.ExpiresAt == nil || b.ExpiresAt == nil {
				return a.ExpiresAt != nil
			}
			return a.ExpiresAt.Before(*b.ExpiresAt)
		}
		if !a.EarnedAt.Equal(b.EarnedAt) {
			return a.EarnedAt.Before(b.EarnedAt)
		}
		return a.ID < b.ID
	})
	return out
}

// spendable is what can be taken of a unit at w.at: never what lies in a lot past its end, however late the sweep is,
// and never while something is owed.
func (w *work) spendable(unit string) int64 {
	var n int64
	for _, l := range w.open(unit) {
		n += l.Spendable
	}
	return max(n-w.holding(unit).Debt, 0)
}

// take moves up to amount out of the spendable lots and says from which; the rest is returned as missing.
func (w *work) take(unit string, amount int64, to, rule string) (held []HeldLot, missing int64) {
	for _, l := range w.open(unit) {
		if amount == 0 {
			break
		}
		n := min(amount, l.Spendable)
		w.post(ledger.Posting{Unit: unit, Lot: l.ID, From: ledger.Spendable, To: to, Amount: n, Rule: rule})
		held = append(held, HeldLot{l.ID, unit, n, l.ExpiresAt, w.owner(l.ID)})
		amount -= n
	}
	return held, amount
}

// owe makes a debt of what could not be taken.
func (w *work) owe(unit string, amount int64, to, rule string) {
	if amount <= 0 {
		return
	}
	w.post(ledger.Posting{Unit: unit, From: ledger.Debt, To: to, Amount: amount, Rule: rule})
	w.note(NoteDebtMade, Args{"amount": Units(unit, amount)})
}

// touch marks a unit as used, for expiry by inactivity.
func (w *work) touch(unit string) {
	h := w.holding(unit)
	if h.ActiveAt == nil || h.ActiveAt.Before(w.at) {
		at := w.at
		h.ActiveAt, h.InactiveWarned, h.InactiveEnds = &at, false, nil
	}
}

// tally changes a counter.
func (w *work) tally(name, period string, add int64) {
	if add == 0 {
		return
	}
	for i := range w.d.Counters {
		if c := &w.d.Counters[i]; c.Name == name && c.Period == period {
			c.Add += add
			w.bump(name, period, add)
			return
		}
	}
	w.d.Counters = append(w.d.Counters, Counter{name, period, add})
	w.bump(name, period, add)
}

func (w *work) bump(name, period string, add int64) {
	m := w.acc.Tallies[name]
	if m == nil {
		m = map[string]int64{}
		w.acc.Tallies[name] = m
	}
	m[period] += add
}

// expiry gives the end of a lot that is earned (or released) at t, and the moment of its warning; nil is never.
func expiry(e *program.Expiry, t time.Time, zone *time.Location) (end, warn *time.Time) {
	if e == nil {
		return nil, nil
	}
	var out time.Time
	switch {
	case e.After != nil:
		out = roundEnd(e, e.After.After(t, zone), zone)
	case len(e.On) > 0:
		out = nextDate(e, t, zone)
	case e.EndOf != "":
		least := t
		if e.AtLeast != nil {
			least = e.AtLeast.After(t, zone)
		}
		out = program.EndOf(e.EndOf, t, zone)
		for range e.Later {
			out = program.EndOf(e.EndOf, out, zone)
		}
		for out.Before(least) {
			out = program.EndOf(e.EndOf, out, zone)
		}
	default:
		return nil, nil
	}
	if e.Warn != nil {
		w := e.Warn.Before(out, zone)
		if w.Before(t) {
			w = t
		}
		warn = &w
	}
	return &out, warn
}

// roundEnd moves an end to the end of its local day, month, quarter or year: the whole last day still counts.
func roundEnd(e *program.Expiry, t time.Time, zone *time.Location) time.Time {
	at := e.At
	if at == "" {
		at = "end of day"
		if e.After != nil && (e.After.Unit == "minute" || e.After.Unit == "hour") {
			at = "exact"
		}
	}
	unit, ok := map[string]string{"end of day": "day", "end of month": "month", "end of quarter": "quarter", "end of year": "year"}[at]
	if !ok {
		return t
	}
	return program.EndOf(unit, t, zone)
}

// nextDate is the end of the first of the policy's fixed days that is not over at t (and not nearer than AtLeast).
func nextDate(e *program.Expiry, t time.Time, zone *time.Location) time.Time {
	least := t
	if e.AtLeast != nil {
		least = e.AtLeast.After(t, zone)
	}
	year := t.In(zone).Year()
	var best time.Time
	for y := year; y <= year+200; y++ {
		for _, d := range e.On {
			m, day := int(d[0]-'0')*10+int(d[1]-'0'), int(d[3]-'0')*10+int(d[4]-'0')
			last := time.Date(y, time.Month(m)+1, 0, 0, 0, 0, 0, zone).Day() // 29 February ends on the 28th in other years
			end := time.Date(y, time.Month(m), min(day, last)+1, 0, 0, 0, 0, zone)
			if end.After(t) && !end.Before(least) && (best.IsZero() || end.Before(best)) {
				best = end
			}
		}
		if !best.IsZero() {
			break
		}
	}
	return best
}

// seal checks what was decided, sets the clock and the next due moment, and hands the decision over.
func (w *work) seal() (Decision, *Account, error) {
	if w.err != nil {
		return Decision{}, nil, w.err
	}
	if w.f.OccurredAt.After(w.st.At) {
		w.st.At = w.f.OccurredAt
	}
	w.st.Seq++
	w.endLent()
	if w.st.earns() {
		w.settleFades()
		w.missMoments()
	}
	w.schedule()
	return *w.d, w.acc, nil
}

// schedule finds the next moment at which anything would change by time alone.
func (w *work) schedule() {
	if w.allLots {
		w.st.LotDue = nil
	}
	for _, l := range w.acc.Lots {
		if !w.allLots && !l.New {
			continue
		}
		w.st.LotDue = earliest(w.st.LotDue, lotDue(l))
	}
	due := w.st.LotDue
	for i := range w.st.Holds {
		due = earliest(due, w.st.Holds[i].ExpiresAt)
	}
	for i := range w.st.Grants {
		due = earliest(earliest(due, w.st.Grants[i].due()), w.challengeDue(&w.st.Grants[i]))
	}
	if w.st.earns() {
		due = w.personal(due)
	}
	if w.st.Status == Closed || w.st.Status == Merged {
		due = nil
	}
	w.st.DueAt = due
}

// personal is the earlier of due and the next moment of what only people have: tiers, and an end by inactivity.
func (w *work) personal(due *time.Time) *time.Time {
	for _, id := range w.p.TierIDs { // a set that a version left out stands still
		if t := w.st.Tiers[id]; t != nil {
			due = earliest(due, t.NextAt)
		}
	}
	for _, u := range w.p.UnitIDs {
		if end, warn := w.inactive(u); end != nil {
			due = earliest(due, end)
			if !w.st.Units[u].InactiveWarned {
				due = earliest(due, warn)
			}
		}
	}
	due = earliest(due, w.st.referralDue())
	due = earliest(due, w.st.thanksDue())
	due = earliest(due, w.st.sharesDue())
	for _, id := range w.p.PlanIDs {
		due = earliest(due, w.planDue(id))
	}
	for _, b := range w.p.Fading {
		due = earliest(due, w.fadeDue(b))
	}
	for _, m := range w.p.Moments {
		due = earliest(due, w.nextMoment(m))
	}
	return due
}

// lotDue is the next moment at which a lot changes; nil for never. What is reserved does not end before it is let go.
func lotDue(l *ledger.Lot) *time.Time {
	var due *time.Time
	if l.Pending > 0 {
		due = earliest(due, l.ReleaseAt)
	}
	if l.Pending+l.Spendable > 0 {
		due = earliest(due, l.ExpiresAt)
		due = earliest(due, l.WarnAt)
	}
	return due
}

// inactive gives the moment at which all of a unit is lost by inactivity, and that of its warning.
func (w *work) inactive(unit string) (end, warn *time.Time) {
	e := w.p.Units[unit].Expires
	h := w.st.Units[unit]
	if e == nil || e.Inactive == nil || h == nil || h.ActiveAt == nil || h.Spendable+h.Pending == 0 {
		return nil, nil
	}
	t := roundEnd(e, e.Inactive.After(*h.ActiveAt, w.p.Zone), w.p.Zone)
	if t.Before(w.st.At) { // the policy is younger than the spell
		t = w.st.At
	}
	if h.InactiveEnds != nil && t.Before(*h.InactiveEnds) {
		t = *h.InactiveEnds
	}
	if e.Warn != nil {
		wt := e.Warn.Before(t, w.p.Zone)
		if wt.Before(*h.ActiveAt) {
			wt = *h.ActiveAt
		}
		warn = &wt
	}
	return &t, warn
}

func earliest(a, b *time.Time) *time.Time {
	if b == nil || (a != nil && !b.Before(*a)) {
		return a
	}
	return b
}
