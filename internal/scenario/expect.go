package scenario

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/explain"
	"lojal.dev/lojal/internal/ledger"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
)

// expect compares what came of a step, and what the members have, with what was expected.
func (pl *player) expect(ctx context.Context, s *step, out *outcome, refused *errs.Error, want *expectation) error {
	if s.Check != nil {
		return pl.check(s.Check, want)
	}
	pl.refusal(refused, want)
	if pl.desk == nil {
		return nil
	}
	who := pl.who(s)
	if s.Enrol != nil {
		who = s.Member
	}
	nobodys := s.Guest || pl.whose != nil && *pl.whose == ""
	if who == "" {
		who = pl.only
	}
	if refused == nil && want.Outcomes == nil {
		var past []engine.Past
		if who != "" && !nobodys && s.Simulate == nil {
			var err error
			if past, err = pl.desk.facts(ctx, pl.members[who], pl.seen[who]); err != nil {
				return err
			}
		}
		if err := pl.fact(out, past, want); err != nil {
			return err
		}
	} else if err := pl.unchanged(ctx, who, refused, want); err != nil {
		return err
	}
	if who != "" && !nobodys {
		if err := pl.standing(ctx, "", who, &want.standing); err != nil {
			return err
		}
	}
	if err := pl.left(ctx, want.Pools); err != nil {
		return err
	}
	if err := pl.receipts(ctx, want.Receipts); err != nil {
		return err
	}
	for _, name := range sortedFields(want.Of) {
		if _, known := pl.members[name]; !known {
			return fmt.Errorf("there is no member %q in this scenario", name)
		}
		if err := pl.standing(ctx, name+": ", name, want.Of[name]); err != nil {
			return err
		}
	}
	return nil
}

// unchanged sees that a refused step left nothing behind.
func (pl *player) unchanged(ctx context.Context, who string, refused *errs.Error, want *expectation) error {
	if refused == nil {
		return nil
	}
	past, err := pl.desk.facts(ctx, pl.members[who], pl.seen[who])
	if err != nil {
		return err
	}
	past = slices.DeleteFunc(past, func(p engine.Past) bool { return p.Fact.Kind == engine.Due }) // what time brings is no part of the step
	if len(past) > 0 {
		pl.differ("what the refused step left behind", "nothing", strconv.Itoa(len(past))+" facts")
	}
	for name, given := range map[string]bool{"earned": want.Earned != nil, "postings": want.Postings != nil, "events": want.Events != nil,
		"rules": want.Rules != nil, "redemption": want.Redemption != nil} {
		if given {
			pl.differ(name, "something", "nothing, for the step was refused")
		}
	}
	return nil
}

func (pl *player) refusal(got *errs.Error, want *expectation) {
	switch {
	case got == nil && want.Refused != nil:
		pl.differ("the step", "to be refused with "+want.Refused.Reason, "it was taken")
	case got != nil && want.Refused == nil:
		pl.differ("the step", "to be taken", "refused with "+got.Reason+": "+got.Error())
	case got != nil:
		if got.Reason != want.Refused.Reason {
			pl.differ("refused", want.Refused.Reason, got.Reason+": "+got.Error())
		}
		if want.Refused.At != nil {
			at := make(words, 0, len(got.Fields))
			for _, f := range got.Fields {
				at = append(at, f.Pointer)
			}
			if !slices.Equal(at, want.Refused.At) {
				pl.differ("the mistakes", strings.Join(want.Refused.At, ", "), strings.Join(at, ", "))
			}
		}
	}
}

// check compares the mistakes of a document that must be refused.
func (pl *player) check(src *source, want *expectation) error {
	n, err := pl.sheet.document(*src, pl.doc)
	if err != nil {
		return err
	}
	_, err = program.Parse(n.yaml(), "")
	var wrong *program.Problems
	if err != nil && !errors.As(err, &wrong) {
		return err
	}
	got := words{}
	var said []string
	if wrong != nil {
		for _, p := range wrong.List {
			got = append(got, p.Pointer)
			said = append(said, p.String())
		}
	}
	expected := words{}
	if want.Problems != nil {
		expected = *want.Problems
	}
	slices.Sort(got)
	slices.Sort(expected)
	if !slices.Equal(got, expected) {
		pl.differ("the mistakes of the document", list(expected), list(said))
	}
	return nil
}

func list(s []string) string {
	if len(s) == 0 {
		return "none"
	}
	return strings.Join(s, "; ")
}

// fact compares what a step led to. past is everything that was written for its member: with what time brought.
func (pl *player) fact(out *outcome, past []engine.Past, want *expectation) error {
	var d engine.Decision
	if out != nil {
		d = out.decision
	} else { // what time brought
		for _, p := range past {
			d.Postings = append(d.Postings, p.Decision.Postings...)
			d.Explanation.Rules = append(d.Explanation.Rules, p.Decision.Explanation.Rules...)
		}
	}
	if want.Earned != nil {
		pl.amounts("earned", want.Earned, d.Sums(), true)
	}
	if out != nil {
		pl.flag("duplicate", want.Duplicate, out.duplicate)
		pl.flag("replayed", want.Replayed, out.replayed)
		if want.Version != nil && *want.Version != out.version {
			pl.differ("version", strconv.FormatInt(*want.Version, 10), strconv.FormatInt(out.version, 10))
		}
	}
	var rows []ledger.Posting
	var events []string
	if len(past) == 0 && out != nil && !out.duplicate && !out.replayed { // a guest's purchase or a simulation
		past = []engine.Past{{Decision: d}}
	}
	for _, p := range past {
		rows = append(rows, p.Decision.Postings...)
		for _, e := range p.Decision.Events {
			events = append(events, e.Type)
		}
	}
	if want.Rows != nil && *want.Rows != len(rows) {
		pl.differ("rows", strconv.Itoa(*want.Rows), fmt.Sprintf("%d: %s", len(rows), pl.rows(rows)))
	}
	if want.Postings != nil {
		pl.postings(*want.Postings, rows)
	}
	if want.Events != nil {
		expected := slices.Clone(*want.Events)
		slices.Sort(expected)
		slices.Sort(events)
		if !slices.Equal(expected, events) {
			pl.differ("events", list(expected), list(events))
		}
	}
	for _, id := range sortedFields(want.Rules) {
		pl.rule(id, want.Rules[id], d.Explanation.Rules)
	}
	var notes []string
	for _, p := range past {
		for _, n := range p.Decision.Explanation.Notes {
			notes = append(notes, n.Code)
		}
	}
	for _, code := range want.Notes {
		if !slices.Contains(notes, code) {
			pl.differ("notes", code, list(notes))
		}
	}
	pl.says(want.Says, past)
	if want.Off != nil {
		off := ""
		for _, e := range d.Events {
			if e.Type == engine.EvCouponUsed {
				off = e.Data["amount"]
			}
		}
		if out != nil && out.fact.Purchase != nil {
			off = offOf(out.fact.Purchase)
		}
		if got, err := money.Parse(off); err != nil || got.Cmp(*want.Off) != 0 {
			pl.differ("off", want.Off.String(), off)
		}
	}
	if want.Redemption != nil {
		pl.redemption(want.Redemption, d.Redemptions)
	}
	return nil
}

// offOf is what was taken off a purchase by what was brought with it.
func offOf(b *engine.Purchase) string {
	sum, decimals := int64(0), 2
	for i := range b.Codes {
		if a := b.Codes[i].Amount; a != nil {
			if n, err := a.Minor(decimals); err == nil {
				sum += n
			}
		}
	}
	return money.Format(sum, decimals)
}

func (pl *player) flag(what string, want *bool, got bool) {
	if want != nil && *want != got {
		pl.differ(what, strconv.FormatBool(*want), strconv.FormatBool(got))
	}
}

// amounts compares amounts of units. whole says that units which are not named must be zero.
func (pl *player) amounts(what string, want amounts, got map[string]int64, whole bool) {
	named := map[string]bool{}
	for _, unit := range sortedFields(want) {
		d, id := want[unit], pl.unit(unit)
		named[id] = true
		n, ok := pl.minor(id, d)
		if !ok {
			pl.differ(what, d.String()+" of "+strconv.Quote(id), "no such unit, or fewer decimals")
		} else if n != got[id] {
			pl.differ(what, pl.of(id, n), pl.of(id, got[id]))
		}
	}
	if !whole {
		return
	}
	for _, id := range sortedFields(got) {
		if got[id] != 0 && !named[id] {
			pl.differ(what, "none of "+id, pl.of(id, got[id]))
		}
	}
}

func (pl *player) minor(unit string, d money.Decimal) (int64, bool) {
	u := pl.p.Units[unit]
	if u == nil {
		return 0, false
	}
	n, err := d.Minor(u.Precision)
	return n, err == nil
}

func (pl *player) of(unit string, n int64) string {
	precision := 0
	if u := pl.p.Units[unit]; u != nil {
		precision = u.Precision
	}
	if len(pl.p.UnitIDs) == 1 {
		return money.Format(n, precision)
	}
	return money.Format(n, precision) + " " + unit
}

func (pl *player) money(n int64) string { return money.Format(n, pl.p.Exponent) }

func (pl *player) rows(rows []ledger.Posting) string {
	parts := make([]string, len(rows))
	for i, r := range rows {
		parts[i] = fmt.Sprintf("%s %s → %s (lot %d)", pl.of(r.Unit, r.Amount), r.From, r.To, r.Lot)
	}
	return list(parts)
}

func (pl *player) postings(want []row, got []ledger.Posting) {
	same := len(want) == len(got)
	for i := 0; same && i < len(want); i++ {
		w, g := want[i], got[i]
		unit := w.Unit
		if unit == "" {
			unit = g.Unit
		}
		n, ok := pl.minor(unit, w.Amount)
		same = ok && unit == g.Unit && n == g.Amount && (w.From == "" || w.From == g.From) && (w.To == "" || w.To == g.To) &&
			(w.Lot == nil || *w.Lot == g.Lot) && (w.Rule == "" || w.Rule == g.Rule) && (w.Of == "" || pl.names[w.Of].ID == g.Of)
	}
	if same {
		return
	}
	parts := make([]string, len(want))
	for i, w := range want {
		parts[i] = w.Amount.String() + " " + or(w.From, "?") + " → " + or(w.To, "?")
	}
	pl.differ("postings", list(parts), pl.rows(got))
}

func (pl *player) rule(id string, want ruling, traces []engine.RuleTrace) {
	i := slices.IndexFunc(traces, func(t engine.RuleTrace) bool { return t.Rule == id })
	if i < 0 {
		names := make([]string, len(traces))
		for k, t := range traces {
			names[k] = t.Rule
		}
		pl.differ("rule "+id, "to be considered", "rules considered: "+list(names))
		return
	}
	t := traces[i]
	got := t.Why.Code
	if t.Fired {
		got = "it gave " + pl.of(t.Unit, t.Amount)
	}
	for _, n := range t.Steps {
		got += ", " + n.Code
	}
	if want.Gave != nil {
		n, ok := pl.minor(t.Unit, *want.Gave)
		if !t.Fired || !ok || n != t.Amount {
			pl.differ("rule "+id, "to give "+want.Gave.String(), got)
		}
	}
	if want.Why != "" && want.Why != t.Why.Code {
		pl.differ("rule "+id, want.Why, got)
	}
	pl.flag("rule "+id+" is a dry run", want.DryRun, t.DryRun)
	pl.flag("rule "+id+" fired", want.Fired, t.Fired)
	if f := want.Factor; f != nil {
		d, err := money.Parse(t.Why.Args["factor"].Number)
		if err != nil || d.Cmp(*f) != 0 {
			pl.differ("rule "+id+", factor", f.String(), t.Why.Args["factor"].Number)
		}
	}
	for _, code := range want.Because {
		if !slices.ContainsFunc(t.Steps, func(n engine.Note) bool { return n.Code == code }) {
			pl.differ("rule "+id, "the step "+code, got)
		}
	}
	if want.Basis != nil {
		seen := "none"
		for _, n := range t.Steps {
			if m := n.Args["money"].Money; n.Code == engine.StepBasis && m != nil {
				seen = pl.money(*m)
			}
		}
		if d, err := money.Parse(seen); err != nil || d.Cmp(*want.Basis) != 0 {
			pl.differ("rule "+id+", basis", want.Basis.String(), seen)
		}
	}
}

// says looks for words in the sentences of an explanation, in any case of letters.
func (pl *player) says(want map[string]words, past []engine.Past) {
	for _, lang := range sortedFields(want) {
		var said []string
		for _, p := range past {
			for _, s := range explain.Sentences(&p.Decision.Explanation, pl.p, lang, false) {
				said = append(append(said, s.Text), s.Detail...)
			}
		}
		// Numbers hold narrow and fixed spaces that nobody types.
		all := strings.NewReplacer("\u00a0", " ", "\u202f", " ").Replace(strings.Join(said, " "))
		for _, w := range want[lang] {
			if !strings.Contains(strings.ToLower(all), strings.ToLower(w)) {
				pl.differ("the explanation in "+lang, strconv.Quote(w), all)
			}
		}
	}
}

func (pl *player) redemption(want *redemption, got []engine.RedemptionState) {
	if want.Count != nil && *want.Count != len(got) {
		pl.differ("redemptions", strconv.Itoa(*want.Count), strconv.Itoa(len(got)))
	}
	if len(got) == 0 {
		if want.Count == nil {
			pl.differ("redemption", "one", "none")
		}
		return
	}
	r := got[len(got)-1]
	if want.Status != "" && want.Status != r.Status {
		pl.differ("redemption, status", want.Status, r.Status)
	}
	if want.Price != nil {
		pl.amounts("redemption, price", want.Price, r.Price, true)
	}
	pl.cash("redemption, worth", want.Worth, r.Worth)
	if want.Product != "" && want.Product != r.Product {
		pl.differ("redemption, product", want.Product, r.Product)
	}
	pl.handed(&want.handed, &r)
	v := want.Voucher
	if v == nil {
		return
	}
	if r.Voucher == nil || r.Voucher.Code+r.Voucher.Hash == "" && v.Status != engine.VoucherWaits {
		pl.differ("redemption", "a voucher with a code", "none")
		return
	}
	if v.Status != "" && v.Status != r.Stands(pl.now) {
		pl.differ("voucher, status", v.Status, r.Stands(pl.now))
	}
	pl.cash("voucher, money", v.Money, r.Voucher.Money)
	if v.Percent != nil && v.Percent.String() != r.Voucher.Percent {
		pl.differ("voucher, percent", v.Percent.String(), r.Voucher.Percent)
	}
	if v.Off != nil {
		var off int64
		if n := len(r.Voucher.Used); n > 0 {
			off = r.Voucher.Used[n-1].Amount
		}
		pl.cash("voucher, off", v.Off, off)
	}
	if v.Left != nil && *v.Left != r.Voucher.Left() {
		pl.differ("voucher, left", strconv.FormatInt(*v.Left, 10), strconv.FormatInt(r.Voucher.Left(), 10))
	}
	pl.moment("voucher, until", v.Until, r.Voucher.ValidUntil, true)
}

// cash compares money.
func (pl *player) cash(what string, want *money.Decimal, got int64) {
	if want == nil {
		return
	}
	if n, err := want.Minor(pl.p.Exponent); err != nil || n != got {
		pl.differ(what, want.String(), pl.money(got))
	}
}

// moment compares a time; end says that a date is the end of that day.
func (pl *player) moment(what string, want moment, got *time.Time, end bool) {
	if want == "" {
		return
	}
	seen := "none"
	if got != nil {
		seen = got.In(pl.p.Zone).Format("2006-01-02 15:04:05")
	}
	if want.none() {
		if got != nil {
			pl.differ(what, string(want), seen)
		}
		return
	}
	read := want.in
	if end {
		read = want.end
	}
	t, err := read(pl.p.Zone)
	if err != nil {
		pl.differ(what, err.Error(), seen)
		return
	}
	if got == nil || !got.Equal(t) {
		pl.differ(what, t.In(pl.p.Zone).Format("2006-01-02 15:04:05"), seen)
	}
}

// standing compares what a member has at the clock's time.
func (pl *player) standing(ctx context.Context, prefix, who string, want *standing) error {
	if want.empty() {
		return nil
	}
	acc, p, offers, err := pl.desk.view(ctx, pl.members[who], pl.now)
	if err != nil {
		return err
	}
	of := func(get func(ledger.Holding) int64) map[string]int64 {
		out := map[string]int64{}
		for u, h := range acc.State.Units {
			out[u] = get(*h)
		}
		return out
	}
	pl.amounts(prefix+"balance", want.Balance, of(ledger.Holding.Balance), false)
	pl.amounts(prefix+"pending", want.Pending, of(func(h ledger.Holding) int64 { return h.Pending }), false)
	pl.amounts(prefix+"reserved", want.Reserved, of(func(h ledger.Holding) int64 { return h.Reserved }), false)
	pl.amounts(prefix+"debt", want.Debt, of(func(h ledger.Holding) int64 { return h.Debt }), false)
	for _, name := range sortedFields(want.Totals) {
		get := totals[name]
		if get == nil {
			pl.differ(prefix+"totals", "one of "+list(sortedFields(totals)), name)
			continue
		}
		pl.amounts(prefix+name+" over all time", want.Totals[name], of(get), false)
	}
	if want.Lots != nil {
		pl.lots(prefix, *want.Lots, acc)
	}
	for _, set := range sortedFields(want.Tier) {
		got := ""
		if t := acc.State.Tiers[set]; t != nil {
			got = t.Tier
		}
		if w := want.Tier[set]; w != got && (w != "none" || got != "") {
			pl.differ(prefix+"tier in "+set, w, or(got, "none"))
		}
	}
	pl.belongs(prefix, &acc.State, want)
	if want.Status != "" && want.Status != acc.State.Status {
		pl.differ(prefix+"status", want.Status, acc.State.Status)
	}
	if want.Progress != nil {
		pl.progress(prefix, want.Progress, engine.ProgressOf(p, acc, pl.now))
	}
	if want.Challenges != nil {
		pl.challenges(prefix, want.Challenges, p, engine.ChallengesOf(p, acc, pl.now))
	}
	if want.Grants != nil {
		pl.grants(prefix, *want.Grants, acc.State.Grants)
	}
	for _, id := range sortedFields(want.Offers) {
		pl.offer(prefix, id, want.Offers[id], offers)
	}
	if err := pl.benefits(ctx, prefix, who, want.Benefits); err != nil {
		return err
	}
	for _, id := range sortedFields(want.Plans) {
		pl.planned(prefix+"plan "+id, want.Plans[id], acc.State.Plans[id])
	}
	return pl.history(ctx, prefix, who, want)
}

func (pl *player) benefits(ctx context.Context, prefix, who string, want map[string]standsFor) error {
	if want == nil {
		return nil
	}
	got, err := pl.desk.benefits(ctx, pl.members[who], pl.now)
	if err != nil {
		return err
	}
	for _, id := range sortedFields(want) {
		what := prefix + "benefit " + id
		i := slices.IndexFunc(got, func(s engine.Standing) bool { return s.Benefit.ID == id })
		if i < 0 {
			pl.differ(what, "to be there", "no such benefit")
			continue
		}
		pl.benefit(what, want[id], &got[i])
	}
	return nil
}

func (pl *player) benefit(what string, w standsFor, g *engine.Standing) {
	reason := or(g.Reason, "yes")
	if w.Can != nil && *w.Can != g.Can {
		pl.differ(what+", can be had", strconv.FormatBool(*w.Can), reason)
	}
	if w.Reason != "" && w.Reason != reason {
		pl.differ(what, w.Reason, reason)
	}
	for _, v := range []struct {
		kind  string
		want  *money.Decimal
		scale int
	}{{program.WorthPercent, w.Percent, 2}, {program.WorthMoney, w.Money, pl.p.Exponent}} {
		if v.want == nil {
			continue
		}
		if n, err := v.want.Minor(v.scale); err != nil || g.Worth.Kind != v.kind || n != g.Worth.Amount {
			pl.differ(what+", "+v.kind, v.want.String(), money.Format(g.Worth.Amount, v.scale))
		}
	}
	if w.Ahead != "" && (g.Worth.Kind != program.WorthAhead || g.Worth.Ahead.String() != w.Ahead) {
		pl.differ(what+", ahead", w.Ahead, g.Worth.Ahead.String())
	}
	pl.moment(what+", from", w.From, g.From, false)
	pl.moment(what+", until", w.Until, g.Until, true)
	if w.Missing != nil {
		if got := pl.lacks(g.Missing); !slices.Equal(got, *w.Missing) {
			pl.differ(what+", missing", list(*w.Missing), list(got))
		}
	}
	var falls *time.Time
	told := false
	if g.Fades != nil {
		falls, told = &g.Fades.At, g.Fades.Told
	}
	pl.moment(what+", falls_at", w.FallsAt, falls, true)
	if w.Told != nil && *w.Told != told {
		pl.differ(what+", told", strconv.FormatBool(*w.Told), strconv.FormatBool(told))
	}
	if w.Left != nil && (g.Left == nil || *w.Left != *g.Left) {
		got := "no limit"
		if g.Left != nil {
			got = strconv.FormatInt(*g.Left, 10)
		}
		pl.differ(what+", left", strconv.FormatInt(*w.Left, 10), got)
	}
	if w.Says != nil {
		if got := explain.Standing(g.Why, pl.p, "en", true); !slices.Equal(got, w.Says) {
			pl.differ(what+", says", list(w.Says), list(got))
		}
	}
}

// lacks writes what is missing for a benefit as a scenario does.
func (pl *player) lacks(missing []engine.Lack) []string {
	out := []string{}
	for _, l := range missing {
		switch {
		case l.Plan != "":
			out = append(out, "plan "+l.Plan)
		case l.At != nil:
			out = append(out, "from "+l.At.In(pl.p.Zone).Format(time.DateOnly))
		default:
			scale := 0
			unit, isUnit := strings.CutPrefix(l.Metric, "unit:")
			switch {
			case l.Metric == "spend":
				scale = pl.p.Exponent
			case isUnit:
				scale = pl.p.Units[unit].Precision
			}
			out = append(out, l.Tier+" "+money.Format(l.Amount, scale))
		}
	}
	return out
}

func (pl *player) planned(what string, w planned, g *engine.PlanState) {
	if g == nil {
		g = &engine.PlanState{}
	}
	if got := or(g.Status, "none"); w.Status != "" && w.Status != got {
		pl.differ(what, w.Status, got)
	}
	if w.Cancelled != nil && *w.Cancelled != g.Cancelled {
		pl.differ(what+", cancelled", strconv.FormatBool(*w.Cancelled), strconv.FormatBool(g.Cancelled))
	}
	pl.moment(what+", until", w.Until, &g.Until, false)
	pl.moment(what+", ended_at", w.EndedAt, g.EndedAt, false)
}

func (w *standing) empty() bool {
	return w.Balance == nil && w.Pending == nil && w.Reserved == nil && w.Debt == nil && w.Lots == nil && w.Tier == nil && w.Progress == nil &&
		w.Totals == nil && w.Between == nil && w.Offers == nil && w.Grants == nil && w.Challenges == nil && w.Benefits == nil && w.Plans == nil && w.People == nil && w.Belongs == nil && w.Status == "" && w.AllRows == nil
}

var totals = map[string]func(ledger.Holding) int64{
	"earned":      func(h ledger.Holding) int64 { return h.Earned },
	"reversed":    func(h ledger.Holding) int64 { return h.Reversed },
	"spent":       func(h ledger.Holding) int64 { return h.Spent },
	"expired":     func(h ledger.Holding) int64 { return h.Expired },
	"adjusted":    func(h ledger.Holding) int64 { return h.Adjusted },
	"transferred": func(h ledger.Holding) int64 { return h.Transferred },
	"closed":      func(h ledger.Holding) int64 { return h.Closed },
}

// history compares what was written over all time.
func (pl *player) history(ctx context.Context, prefix, who string, want *standing) error {
	if want.AllRows == nil && want.Between == nil {
		return nil
	}
	past, err := pl.desk.facts(ctx, pl.members[who], 0)
	if err != nil {
		return err
	}
	rows := 0
	for _, p := range past {
		rows += len(p.Decision.Postings)
	}
	if want.AllRows != nil && *want.AllRows != rows {
		pl.differ(prefix+"all rows", strconv.Itoa(*want.AllRows), strconv.Itoa(rows))
	}
	for _, b := range want.Between {
		from, err := b.From.in(pl.p.Zone)
		if err != nil {
			return err
		}
		to, err := b.To.in(pl.p.Zone)
		if err != nil {
			return err
		}
		got := map[string]int64{}
		for _, p := range past {
			if at := p.Fact.OccurredAt; !at.Before(from) && at.Before(to) {
				for unit, n := range p.Decision.Sums() {
					got[unit] += n
				}
			}
		}
		pl.amounts(fmt.Sprintf("%searned from %s to %s", prefix, b.From, b.To), b.Earned, got, true)
	}
	return nil
}

// lots compares the open lots, in the order in which they would be spent.
func (pl *player) lots(prefix string, want []lot, acc *engine.Account) {
	var open []*ledger.Lot
	for _, l := range acc.Lots {
		if l.Open() {
			open = append(open, l)
		}
	}
	end := func(l *ledger.Lot) int64 {
		if l.ExpiresAt == nil {
			return math.MaxInt64
		}
		return l.ExpiresAt.UnixMicro()
	}
	slices.SortStableFunc(open, func(a, b *ledger.Lot) int {
		return cmp.Or(cmp.Compare(end(a), end(b)), a.EarnedAt.Compare(b.EarnedAt), cmp.Compare(a.ID, b.ID))
	})
	if len(want) != len(open) {
		parts := make([]string, len(open))
		for i, l := range open {
			parts[i] = pl.of(l.Unit, l.Left())
		}
		pl.differ(prefix+"open lots", strconv.Itoa(len(want)), fmt.Sprintf("%d: %s", len(open), list(parts)))
		return
	}
	for i, w := range want {
		l := open[i]
		what := fmt.Sprintf("%slot %d", prefix, i+1)
		if w.Unit != "" && w.Unit != l.Unit {
			pl.differ(what+", unit", w.Unit, l.Unit)
			continue
		}
		pl.part(what+", left", l.Unit, &w.Left, l.Left())
		pl.part(what+", pending", l.Unit, w.Pending, l.Pending)
		pl.part(what+", reserved", l.Unit, w.Reserved, l.Reserved)
		pl.moment(what+", earned", w.Earned, &l.EarnedAt, false)
		pl.moment(what+", expires", w.Expires, l.ExpiresAt, true)
		pl.moment(what+", release", w.Release, l.ReleaseAt, false)
	}
}

// challenges compares where the member stands in them.
func (pl *player) challenges(prefix string, want map[string]reaching, p *program.Compiled, got []engine.ChallengeProgress) {
	for _, id := range sortedFields(want) {
		i := slices.IndexFunc(got, func(g engine.ChallengeProgress) bool { return g.Challenge == id })
		what := prefix + "challenge " + id
		if i < 0 {
			pl.differ(what, "to be there", "no such challenge")
			continue
		}
		w, g, scale := want[id], got[i], p.Challenges[id].Scale
		if p.Challenges[id].Shape != program.PlainShape {
			scale = 0
		}
		for _, t := range []struct {
			name string
			want *money.Decimal
			got  int64
		}{{"value", w.Value, g.Value}, {"missing", w.Missing, g.Missing}, {"cost", w.Cost, g.Cost}} {
			if t.want == nil {
				continue
			}
			if n, err := t.want.Minor(scale); err != nil || n != t.got {
				pl.differ(what+", "+t.name, t.want.String(), money.Format(t.got, scale))
			}
		}
		for _, t := range []struct {
			name string
			want *int64
			got  int64
		}{{"won", w.Won, g.Won}, {"times", w.Times, g.Times}, {"waiting", w.Waiting, g.Waiting}} {
			if t.want != nil && *t.want != t.got {
				pl.differ(what+", "+t.name, strconv.FormatInt(*t.want, 10), strconv.FormatInt(t.got, 10))
			}
		}
		pl.flag(what+", done", w.Done, g.Done)
		pl.flag(what+", taking", w.Taking, g.Taking)
		pl.flag(what+", running", w.Running, g.Running)
		pl.moment(what+", until", w.Until, g.Until, true)
		for _, t := range []struct {
			name string
			want *words
			got  []string
		}{{"found", w.Found, g.Found}, {"left", w.Left, g.Left}} {
			if t.want != nil && !slices.Equal(*t.want, words(t.got)) {
				pl.differ(what+", "+t.name, list(*t.want), list(t.got))
			}
		}
		if w.Shown != nil && *w.Shown != g.Shown {
			pl.differ(what+", shown", *w.Shown, or(g.Shown, "none"))
		}
	}
}

// grants compares what the member may have.
func (pl *player) grants(prefix string, want []grant, got []engine.Grant) {
	if len(want) != len(got) {
		parts := make([]string, len(got))
		for i, g := range got {
			parts[i] = g.Reward + g.Benefit + " " + g.Status
		}
		pl.differ(prefix+"grants", strconv.Itoa(len(want)), fmt.Sprintf("%d: %s", len(got), list(parts)))
		return
	}
	for i, w := range want {
		g, what := got[i], fmt.Sprintf("%sgrant %d", prefix, i+1)
		for _, t := range []struct{ name, want, got string }{
			{"reward", w.Reward, g.Reward}, {"benefit", w.Benefit, g.Benefit}, {"source", w.Source, g.Source}, {"status", w.Status, g.Status},
		} {
			if t.want != "" && t.want != t.got {
				pl.differ(what+", "+t.name, t.want, or(t.got, "none"))
			}
		}
		for _, t := range []struct {
			name string
			want *int64
			got  int64
		}{{"n", w.N, g.N}, {"left", w.Left, g.Uses - g.Used}} {
			if t.want != nil && *t.want != t.got {
				pl.differ(what+", "+t.name, strconv.FormatInt(*t.want, 10), strconv.FormatInt(t.got, 10))
			}
		}
		pl.moment(what+", waits", w.Waits, g.WaitsUntil, false)
		pl.moment(what+", ends", w.Ends, g.EndsAt, true)
	}
}

func (pl *player) part(what, unit string, want *money.Decimal, got int64) {
	if want == nil {
		return
	}
	if n, ok := pl.minor(unit, *want); !ok || n != got {
		pl.differ(what, want.String(), pl.of(unit, got))
	}
}

func (pl *player) progress(prefix string, want map[string]progress, got []engine.Progress) {
	for _, set := range sortedFields(want) {
		i := slices.IndexFunc(got, func(g engine.Progress) bool { return g.Set == set })
		what := prefix + "progress in " + set
		if i < 0 {
			pl.differ(what, "some", "no such tier set")
			continue
		}
		w, g := want[set], got[i]
		for _, t := range []struct {
			name string
			want *string
			got  string
		}{{"tier", w.Tier, g.Tier}, {"next", w.Next, g.Next}, {"floor", w.Floor, g.Floor}} {
			if t.want != nil && *t.want != or(t.got, "none") && *t.want != t.got {
				pl.differ(what+", "+t.name, *t.want, or(t.got, "none"))
			}
		}
		scale := 0
		unit, isUnit := strings.CutPrefix(g.Metric, "unit:")
		switch {
		case g.Metric == "spend":
			scale = pl.p.Exponent
		case isUnit:
			scale = pl.p.Units[unit].Precision
		}
		for _, t := range []struct {
			name string
			want *money.Decimal
			got  int64
		}{{"value", w.Value, g.Value}, {"missing", w.Missing, g.Missing}, {"keep", w.Keep, g.Keep}} {
			if t.want == nil {
				continue
			}
			if n, err := t.want.Minor(scale); err != nil || n != t.got {
				pl.differ(what+", "+t.name, t.want.String(), money.Format(t.got, scale))
			}
		}
		pl.moment(what+", until", w.Until, g.Until, true)
		pl.moment(what+", falls_at", w.FallsAt, g.FallsAt, false)
		pl.moment(what+", held_to", w.HeldTo, g.HeldTo, true)
		pl.moment(what+", next_at", w.NextAt, g.NextAt, false)
	}
}

func (pl *player) offer(prefix, id string, want offer, got []engine.Offer) {
	what := prefix + "offer " + id
	i := slices.IndexFunc(got, func(o engine.Offer) bool { return o.Reward == id })
	if i < 0 {
		pl.differ(what, "to be there", "no such reward")
		return
	}
	o := got[i]
	if want.Can != nil && *want.Can != o.Can {
		pl.differ(what+", can be had", strconv.FormatBool(*want.Can), fmt.Sprintf("%t %s", o.Can, o.Reason))
	}
	if want.Reason != "" && want.Reason != o.Reason {
		pl.differ(what+", reason", want.Reason, or(o.Reason, "none"))
	}
	if want.Price != nil {
		pl.amounts(what+", price", want.Price, o.Price, true)
	}
	if want.Missing != nil {
		pl.amounts(what+", missing", want.Missing, o.Missing, true)
	}
	pl.cash(what+", worth", want.Worth, o.Worth)
	if want.Granted != nil && *want.Granted != o.Granted {
		pl.differ(what+", granted", strconv.FormatInt(*want.Granted, 10), strconv.FormatInt(o.Granted, 10))
	}
	if want.Left != nil && *want.Left != o.Left {
		pl.differ(what+", left", strconv.FormatInt(*want.Left, 10), strconv.FormatInt(o.Left, 10))
	}
	if want.Says != nil {
		if got := explain.Standing(o.Why, pl.p, "en", true); !slices.Equal(got, want.Says) {
			pl.differ(what+", says", list(want.Says), list(got))
		}
	}
}
