package api

import (
	"errors"
	"slices"
	"strings"
	"time"

	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/explain"
	"lojal.dev/lojal/internal/ledger"
	"lojal.dev/lojal/internal/member"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
)

var errNotText = errors.New("not a text")

// view renders what the engine says, for one program and language: minor units become decimals, instants get the
// program's offset.
type view struct {
	p    *program.Compiled
	lang string
	// forMember says that a member reads the sentences, and not staff.
	forMember bool
	// own says that a member asks in their own right.
	own bool
}

func (v view) unit(unit string, minor int64) Amount {
	scale := 0
	if u := v.p.Units[unit]; u != nil {
		scale = u.Precision
	}
	return Amount(money.Format(minor, scale))
}

func (v view) money(minor int64) Amount { return Amount(money.Format(minor, v.p.Exponent)) }

func (v view) time(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.In(v.p.Zone)
}

func (v view) moment(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	local := v.time(*t)
	return &local
}

// units renders sums by unit, nil when there is none.
func (v view) units(sums map[string]int64) map[string]Amount {
	var out map[string]Amount
	for unit, n := range sums {
		if n == 0 {
			continue
		}
		if out == nil {
			out = map[string]Amount{}
		}
		out[unit] = v.unit(unit, n)
	}
	return out
}

func (v view) member(m member.Member, acc *engine.Account) Member {
	out := Member{
		ID: m.ID, Status: engine.Active, Profile: Profile(m.Profile), Identifiers: []Identifier{}, MergedInto: m.MergedInto,
		CreatedAt: v.time(m.CreatedAt), UpdatedAt: v.time(m.UpdatedAt), Revision: m.Revision,
	}
	for _, i := range m.Identifiers {
		out.Identifiers = append(out.Identifiers, Identifier(i))
	}
	if acc != nil {
		out.JoinedAt = v.time(acc.State.JoinedAt)
		out.Kind = acc.State.Kind
		if acc.State.Status != "" {
			out.Status = acc.State.Status
		}
	}
	if m.MergedInto != "" {
		out.Status = engine.Merged
	}
	return out
}

// balances renders what an account has of every unit of the program, with lots where they are asked for.
func (v view) balances(acc *engine.Account, withLots bool) map[string]Balance {
	out := map[string]Balance{}
	for _, id := range v.p.UnitIDs {
		h := acc.State.Units[id]
		if h == nil {
			h = &ledger.Holding{}
		}
		out[id] = v.balance(id, *h)
	}
	for id, h := range acc.State.Units { // units that a later version left out
		if _, have := out[id]; !have && h != nil {
			out[id] = v.balance(id, *h)
		}
	}
	if !withLots {
		return out
	}
	for id, b := range out {
		lots := v.spendingOrder(acc.Lots, id)
		b.Lots = make([]Lot, 0, len(lots))
		for _, l := range lots {
			b.Lots = append(b.Lots, v.lot(l))
			if l.ExpiresAt == nil || l.Spendable+l.Pending == 0 {
				continue
			}
			if next := b.NextExpiry; next == nil || l.ExpiresAt.Before(next.At) {
				b.NextExpiry = &Expiry{At: v.time(*l.ExpiresAt), Amount: v.unit(id, sumAt(acc.Lots, id, *l.ExpiresAt))}
			}
		}
		h := acc.State.Units[id]
		if h == nil {
			h = &ledger.Holding{}
		}
		b.Totals = &Totals{
			Earned: v.unit(id, h.Earned), TakenBack: v.unit(id, h.Reversed), Spent: v.unit(id, h.Spent), Expired: v.unit(id, h.Expired),
			Adjusted: v.unit(id, h.Adjusted), Transferred: v.unit(id, h.Transferred), Closed: v.unit(id, h.Closed), Partners: v.unit(id, h.Partners),
		}
		out[id] = b
	}
	return out
}

func sumAt(lots []*ledger.Lot, unit string, at time.Time) int64 {
	var n int64
	for _, l := range lots {
		if l.Unit == unit && l.ExpiresAt != nil && l.ExpiresAt.Equal(at) {
			n += l.Spendable + l.Pending
		}
	}
	return n
}

// spendingOrder gives the open lots of a unit in the order in which they would be spent.
func (v view) spendingOrder(lots []*ledger.Lot, unit string) []*ledger.Lot {
	var out []*ledger.Lot
	for _, l := range lots {
		if l.Unit == unit && l.Open() {
			out = append(out, l)
		}
	}
	byEarning := v.p.Doc.Spending.Order == "earliest earned"
	slices.SortStableFunc(out, func(a, b *ledger.Lot) int {
		if !byEarning {
			switch {
			case a.ExpiresAt == nil && b.ExpiresAt != nil:
				return 1
			case a.ExpiresAt != nil && b.ExpiresAt == nil:
				return -1
			case a.ExpiresAt != nil && b.ExpiresAt != nil && !a.ExpiresAt.Equal(*b.ExpiresAt):
				return a.ExpiresAt.Compare(*b.ExpiresAt)
			}
		}
		if c := a.EarnedAt.Compare(b.EarnedAt); c != 0 {
			return c
		}
		return int(a.ID - b.ID)
	})
	return out
}

func (v view) balance(unit string, h ledger.Holding) Balance {
	b := Balance{
		Balance: v.unit(unit, h.Balance()), Spendable: v.unit(unit, h.Spendable), Pending: v.unit(unit, h.Pending),
		Reserved: v.unit(unit, h.Reserved), Debt: v.unit(unit, h.Debt),
	}
	b.Worth = v.worthIn(unit, h)
	return b
}

// worthIn is what a balance is worth in money; empty where that is not told.
func (v view) worthIn(unit string, h ledger.Holding) Amount {
	if u := v.p.Units[unit]; u != nil && u.Worth != nil && !u.StatusOnly {
		num, den := u.Worth.Ratio()
		if worth, ok := worthOf(h.Balance(), num, den, u.Precision, v.p.Exponent); ok {
			return v.money(worth)
		}
	}
	return ""
}

// worthOf is the money value of an amount in minor units: amount × num/den × 10^(exponent−precision), rounded down. False
// where it is too large to tell.
func worthOf(amount, num, den int64, precision, exponent int) (int64, bool) {
	for ; exponent > precision; precision++ {
		if num > (1<<62)/10 {
			return 0, false
		}
		num *= 10
	}
	for ; precision > exponent; exponent++ {
		if den > (1<<62)/10 {
			return 0, false
		}
		den *= 10
	}
	n, err := money.MulDiv(amount, num, den, money.Down)
	return n, err == nil
}

func (v view) lot(l *ledger.Lot) Lot {
	return Lot{
		Lot: l.ID, Fact: l.Fact, EarnedAt: v.time(l.EarnedAt), ExpiresAt: v.moment(l.ExpiresAt), ReleaseAt: v.moment(l.ReleaseAt), Confirm: l.Confirm,
		Amount: v.unit(l.Unit, l.Amount), Spendable: v.unit(l.Unit, l.Spendable), Pending: v.unit(l.Unit, l.Pending), Reserved: v.unit(l.Unit, l.Reserved),
	}
}

// metric renders a tier metric: money, points or a whole number.
func (v view) metric(metric string, n int64) Amount {
	if metric == "spend" {
		return v.money(n)
	}
	if unit, ok := strings.CutPrefix(metric, "unit:"); ok {
		return v.unit(unit, n)
	}
	return Amount(money.Format(n, 0))
}

func (v view) tiers(acc *engine.Account, at time.Time) map[string]Tier {
	out := map[string]Tier{}
	for _, g := range engine.ProgressOf(v.p, acc, at) {
		set := v.p.Tiers[g.Set]
		t := Tier{
			Tier: g.Tier, Name: v.step(set, g.Tier), Since: v.time(g.Since), Metric: g.Metric, Value: v.metric(g.Metric, g.Value),
			WindowEnds: v.moment(g.Until), FallsAt: v.moment(g.FallsAt), HeldUntil: v.moment(g.HeldTo),
			Floor: g.Floor, FloorUntil: v.moment(g.FloorUntil), Benefits: slices.Clone(g.Benefits),
		}
		if g.Tier == "" {
			t.Since = time.Time{}
		}
		if g.Keep > 0 {
			t.Keep = v.metric(g.Metric, g.Keep)
		}
		if g.Next != "" {
			t.Next = &NextTier{Tier: g.Next, Name: v.step(set, g.Next), At: v.moment(g.NextAt)}
			if g.Metric != "tenure" {
				t.Next.From, t.Next.Missing = v.metric(g.Metric, set.From[set.Place(g.Next)]), v.metric(g.Metric, g.Missing)
			}
		}
		out[g.Set] = t
	}
	return out
}

func (v view) step(set *program.CompiledTierSet, id string) string {
	if set == nil {
		return ""
	}
	if i := set.Place(id); i >= 0 {
		return set.Steps[i].Name.In(v.lang)
	}
	return ""
}

func (v view) names(f engine.Fact) FactNames {
	return FactNames{
		Source: f.Source, ExternalID: f.ExternalID, OccurredAt: v.time(f.OccurredAt), RecordedAt: v.time(f.RecordedAt), Parent: f.Parent, Actor: f.Actor,
	}
}

// fact renders a decided fact, without what comes after it.
func (v view) fact(f engine.Fact, d engine.Decision) Recorded {
	r := Recorded{ID: f.ID, Kind: string(f.Kind), Member: f.Member, FactNames: v.names(f), Version: d.Version, Summary: v.summary(f.Kind, d), Why: v.why(f, d)}
	sums := map[string]map[string]int64{}
	add := func(what, unit string, n int64) {
		if sums[what] == nil {
			sums[what] = map[string]int64{}
		}
		sums[what][unit] += n
	}
	for _, p := range d.Postings {
		if _, ok := ledger.PartnerOf(p.From); ok {
			add("partners", p.Unit, p.Amount)
		}
		if _, ok := ledger.PartnerOf(p.To); ok {
			add("partners", p.Unit, -p.Amount)
		}
		switch p.From {
		case ledger.Issued:
			add("earned", p.Unit, p.Amount)
			if p.To == ledger.Pending {
				add("pending", p.Unit, p.Amount)
			}
		case ledger.Redeemed:
			add("given_back", p.Unit, p.Amount)
		case ledger.Adjusted:
			add("adjusted", p.Unit, p.Amount)
		case ledger.Transferred:
			add("transferred", p.Unit, p.Amount)
		case ledger.Pending:
			if p.To == ledger.Spendable {
				add("released", p.Unit, p.Amount)
			}
		}
		switch p.To {
		case ledger.Reversed:
			add("taken_back", p.Unit, p.Amount)
		case ledger.Redeemed:
			add("spent", p.Unit, p.Amount)
		case ledger.Expired:
			add("expired", p.Unit, p.Amount)
		case ledger.Adjusted:
			add("adjusted", p.Unit, -p.Amount)
		case ledger.Transferred:
			add("transferred", p.Unit, -p.Amount)
		}
	}
	for _, rev := range d.Reversals {
		add("owed", rev.Unit, rev.Owed)
		add("forgiven", rev.Unit, max(rev.Forgiven, 0))
	}
	if r.Earned = v.units(sums["earned"]); r.Earned == nil {
		r.Earned = map[string]Amount{}
	}
	r.Pending, r.Spent, r.GivenBack, r.TakenBack = v.units(sums["pending"]), v.units(sums["spent"]), v.units(sums["given_back"]), v.units(sums["taken_back"])
	r.Owed, r.Forgiven, r.Adjusted, r.Transferred = v.units(sums["owed"]), v.units(sums["forgiven"]), v.units(sums["adjusted"]), v.units(sums["transferred"])
	r.Partners = v.units(sums["partners"])
	r.Released, r.Expired = v.units(sums["released"]), v.units(sums["expired"])
	for i := range d.Redemptions {
		r.Redemptions = append(r.Redemptions, v.redemption(d.Redemptions[i], f.Member, f.RecordedAt))
		if b := f.Voucher; b != nil && b.Do == engine.VoucherUsed {
			used := d.Redemptions[i].Voucher.Used
			r.Redemptions[i].Voucher.Amount = v.money(used[len(used)-1].Amount)
		}
	}
	if f.Kind == engine.CouponK {
		r.Coupon = v.couponUse(d)
	}
	if f.Brings() {
		r.Codes, r.Off = v.broughtWith(f.Purchase)
	}
	for _, e := range d.Events {
		switch e.Type {
		case engine.EvTierUp:
			r.TierChanges = append(r.TierChanges, TierChange{Set: e.Data["set"], From: e.Data["was"], To: e.Data["tier"], Direction: "up"})
		case engine.EvTierDown:
			r.TierChanges = append(r.TierChanges, TierChange{Set: e.Data["set"], From: e.Data["was"], To: e.Data["tier"], Direction: "down"})
		}
	}
	if v.own {
		return v.forOwn(&r)
	}
	return r
}

func (v view) ref(f engine.Fact, d engine.Decision) FactRef {
	return FactRef{ID: f.ID, Kind: string(f.Kind), OccurredAt: v.time(f.OccurredAt), Summary: v.summary(f.Kind, d)}
}

// redemption renders a redemption as it stands at a time.
func (v view) redemption(r engine.RedemptionState, owner string, at time.Time) RedemptionView {
	out := RedemptionView{
		ID: r.ID, Member: owner, Status: r.Status, Reward: r.Reward, Quantity: max(r.Quantity, 1), Price: v.units(r.Price), Refunded: v.units(r.Refunded),
		Product: r.Product, Purchase: r.Purchase, At: v.time(r.At), ExpiresAt: v.moment(r.ExpiresAt),
	}
	if out.Price == nil {
		out.Price = map[string]Amount{}
	}
	if w := v.p.Rewards[r.Reward]; w != nil {
		out.Title = w.Title.In(v.lang)
	}
	for _, u := range r.Grants {
		out.Grants = append(out.Grants, u.Grant.N)
	}
	if r.Worth != 0 {
		out.Worth = v.money(r.Worth)
	}
	v.handed(&out, &r)
	if r.Voucher != nil {
		out.Voucher = &Voucher{Code: r.Voucher.Code, Tail: r.Voucher.Tail, Status: r.Stands(at), Uses: max(r.Voucher.Uses, 1), Used: int64(len(r.Voucher.Used)), Bound: r.Voucher.Bound,
			Percent: Amount(r.Voucher.Percent), ValidUntil: v.moment(r.Voucher.ValidUntil)}
		if r.Voucher.Money != 0 {
			out.Voucher.Money = v.money(r.Voucher.Money)
		}
	}
	return out
}

// explanation renders all of it: sentences and data.
func (v view) explanation(kind engine.Kind, d engine.Decision) *Explanation {
	out := &Explanation{Sentences: []Sentence{}, Rules: []RuleTrace{}, Notes: v.notes(d.Explanation.Notes)}
	for _, s := range explain.Sentences(explain.Whole(kind, d.Explanation), v.p, v.lang, v.forMember) {
		out.Sentences = append(out.Sentences, Sentence(s))
	}
	if v.own {
		out.Notes = []Note{}
		return out
	}
	for _, t := range d.Explanation.Rules {
		r := RuleTrace{Rule: t.Rule, Fired: t.Fired, DryRun: t.DryRun, Why: v.note(t.Why), Steps: v.notes(t.Steps), Unit: t.Unit}
		if rule := v.p.ByID[t.Rule]; rule != nil {
			r.Title = rule.Title.In(v.lang)
		}
		if t.Unit != "" {
			r.Amount = v.unit(t.Unit, t.Amount)
		}
		out.Rules = append(out.Rules, r)
	}
	return out
}

// summary says in a sentence what came of a fact.
func (v view) summary(kind engine.Kind, d engine.Decision) string {
	return explain.Summary(explain.Whole(kind, d.Explanation), v.p, v.lang, v.forMember)
}

// why tells what each rule had against a fact that earned nothing.
func (v view) why(f engine.Fact, d engine.Decision) []string {
	if f.Kind != engine.PurchaseK && f.Kind != engine.ActivityK {
		return nil
	}
	if len(d.Awards) > 0 {
		return nil
	}
	out := []string{}
	for _, s := range explain.Sentences(&engine.Explanation{Rules: d.Explanation.Rules}, v.p, v.lang, v.forMember) {
		out = append(out, s.Text)
	}
	return out
}

func (v view) notes(list []engine.Note) []Note {
	out := make([]Note, 0, len(list))
	for _, n := range list {
		out = append(out, v.note(n))
	}
	return out
}

func (v view) note(n engine.Note) Note { return Note{Code: n.Code, Args: v.args(n.Args)} }

func (v view) args(args engine.Args) map[string]Value {
	if len(args) == 0 {
		return nil
	}
	out := make(map[string]Value, len(args))
	for name, a := range args {
		w := Value{
			Unit: a.Unit, Number: a.Number, Time: v.moment(a.Time), Day: a.Day, Rule: a.Rule, Reward: a.Reward, Tier: a.Tier, Set: a.Set,
			Word: a.Word, Text: a.Text, List: a.List, Words: a.Words, Tiers: a.Tiers,
			Benefit: a.Benefit, Plans: a.Plans, Percent: a.Percent,
		}
		if a.Money != nil {
			w.Money = v.money(*a.Money)
		}
		if a.Unit != "" {
			w.Amount = v.unit(a.Unit, a.Amount)
		}
		out[name] = w
	}
	return out
}
