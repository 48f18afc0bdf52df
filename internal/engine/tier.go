package engine

import (
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
)

// The metrics of tiers are counted in tallies: one counter for each day (rolling and anniversary windows), each calendar
// period, or one for all time. They are kept at the business day of the purchase itself, returns too, so that a window
// always holds what was bought in it and stayed bought.

// visitDays counts the facts of each day, so that a day is one visit however often the member came.
const visitDays = "days:visit"

// historyKept is how far back a tier's history is kept for purchases that arrive late.
var historyKept = program.Period{N: 36, Unit: "month"}

// tallyName names the counters of a tier set's metric.
func tallyName(t *program.CompiledTierSet) string { return t.Tally + "@" + t.Grain() }

// TallyNames lists the counters that a program's tiers are counted by, sorted.
func TallyNames(p *program.Compiled) []string {
	var out []string
	add := func(name string) {
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	for _, t := range p.Metrics {
		if t.Metric == "tenure" {
			continue
		}
		add(tallyName(t))
		if t.Metric == "visits" {
			add(visitDays)
		}
	}
	slices.Sort(out)
	return out
}

// periodOf names the counter that a moment falls in.
func periodOf(t *program.CompiledTierSet, at time.Time, zone *time.Location) string {
	return program.PeriodKey(t.Grain(), at, zone)
}

// tallyRanges are the counters that deciding at any moment from a to b needs.
func tallyRanges(p *program.Compiled, a, b time.Time) []TallyRange {
	var out []TallyRange
	visits := false
	for _, t := range p.Metrics {
		if t.Metric == "tenure" {
			continue
		}
		from, to := a, b
		switch t.Window {
		case "rolling":
			from = t.Length.Before(a, p.Zone)
		case "calendar":
			from = program.StartOf(t.Calendar, program.StartOf(t.Calendar, a, p.Zone).Add(-1), p.Zone)
		case "anniversary":
			from = program.Period{N: 2, Unit: "year"}.Before(a, p.Zone)
		}
		r := TallyRange{tallyName(t), periodOf(t, from, p.Zone), periodOf(t, to, p.Zone)}
		if i := slices.IndexFunc(out, func(o TallyRange) bool { return o.Name == r.Name }); i >= 0 {
			out[i].From = min(out[i].From, r.From) // two that share a counter: what the longer window needs
		} else {
			out = append(out, r)
		}
		visits = visits || t.Metric == "visits"
	}
	if visits {
		out = append(out, TallyRange{visitDays, program.PeriodKey("day", a, p.Zone), program.PeriodKey("day", b, p.Zone)})
	}
	return out
}

// countMetrics adds a purchase, return or activity to the metrics: sign 1 adds, -1 takes away. The unit metrics are
// counted where units are earned (countUnit).
func (w *work) countMetrics(at time.Time, sign int64, spend func(*program.CompiledTierSet) (int64, error), purchase, visit bool, activity string) error {
	if visit && w.wantsVisits() {
		day := program.PeriodKey("day", at, w.p.Zone)
		before := w.acc.Tallies[visitDays][day]
		w.tally(visitDays, day, sign)
		visit = (before == 0) != (before+sign == 0)
	}
	for _, t := range w.p.Counted {
		var n int64
		switch {
		case t.Metric == "spend" && spend != nil:
			v, err := spend(t)
			if err != nil {
				return err
			}
			n = v
		case t.Metric == "purchases" && purchase, t.Metric == "visits" && visit,
			activity != "" && t.Metric == "activity:"+activity:
			n = sign
		}
		w.tally(tallyName(t), periodOf(t, at, w.p.Zone), n)
	}
	return nil
}

func (w *work) wantsVisits() bool {
	for _, t := range w.p.Metrics {
		if t.Metric == "visits" {
			return true
		}
	}
	return false
}

// countUnit adds what was earned of a unit (or, negative, taken back) to the metrics that count it.
func (w *work) countUnit(unit string, n int64, at time.Time) {
	for _, t := range w.p.Counted {
		if t.Metric == "unit:"+unit {
			w.tally(tallyName(t), periodOf(t, at, w.p.Zone), n)
		}
	}
}

// spendOf is what a basket counts for a tier set's spend.
func spendOf(t *program.CompiledTierSet, b *basket, store, channel string, paidPoints int64) ([]int64, int64, error) {
	in := make([]bool, b.places())
	for i := range b.lines {
		l := &b.lines[i]
		in[i] = t.By.Lines == nil || t.By.Lines.Match(l.sku, l.category, l.brand, l.tags, store, channel)
	}
	if len(in) > len(b.lines) {
		in[len(in)-1] = t.By.Lines == nil
	}
	values, sum, err := b.basisOf(in, t.By.Lines != nil, t.By.Basis, paidPoints, func(Note) {})
	if err == nil {
		values, sum, err = capped(values, sum, t.By.Basis, b.exponent)
	}
	return values, max(sum, 0), err
}

// metric is value for who does not ask when it can fall.
func (w *work) metric(t *program.CompiledTierSet, at time.Time) int64 {
	if t.Window == "rolling" {
		sum, _, _ := window(t, w.acc.Tallies[tallyName(t)], at, w.p.Zone)
		return sum
	}
	v, _ := w.value(t, at, 0)
	return v
}

// value is a tier set's metric at a moment. For windows that begin anew, it is the better of this period and, where tiers
// are kept, the last. ends is when the value can next fall because time passes; nil when it cannot.
func (w *work) value(t *program.CompiledTierSet, at time.Time, need int64) (value int64, ends *time.Time) {
	days := w.acc.Tallies[tallyName(t)]
	zone := w.p.Zone
	switch t.Window {
	case "rolling":
		return rolling(t, days, at, need, zone)
	case "calendar":
		start := program.StartOf(t.Calendar, at, zone)
		end := program.EndOf(t.Calendar, at, zone)
		cur := days[program.PeriodKey(t.Calendar, at, zone)]
		prev := days[program.PeriodKey(t.Calendar, start.Add(-1), zone)]
		return w.periods(t, cur, prev, end, program.EndOf(t.Calendar, end, zone), need)
	case "anniversary":
		last, start, end, next := anniversary(w.st.JoinedAt, at, zone)
		cur := sumDays(days, start, program.EndOf("day", at, zone), zone)
		prev := sumDays(days, last, start, zone)
		return w.periods(t, cur, prev, end, next, need)
	}
	return days["all"], nil
}

func (w *work) periods(t *program.CompiledTierSet, cur, prev int64, end, next time.Time, need int64) (int64, *time.Time) {
	if t.Keep == "this period" {
		return cur, &end
	}
	if cur >= need {
		return max(cur, prev), &next
	}
	return max(cur, prev), &end
}

// rolling sums the days of a window that ends with the day of at, and finds the midnight at which it drops below need.
func rolling(t *program.CompiledTierSet, days map[string]int64, at time.Time, need int64, zone *time.Location) (int64, *time.Time) {
	sum, from, to := window(t, days, at, zone)
	if sum < need {
		return sum, nil
	}
	in := make([]string, 0, len(days))
	for d, n := range days {
		if d > from && d <= to && n != 0 {
			in = append(in, d)
		}
	}
	sort.Strings(in)
	left := sum
	for _, d := range in {
		left -= days[d]
		if left < need {
			day, err := time.ParseInLocation(time.DateOnly, d, zone)
			if err != nil {
				continue // no key of ours
			}
			out := t.Length.After(day, zone)
			for program.PeriodKey("day", t.Length.Before(out, zone), zone) < d { // 31 January + 1 month is February
				out = program.EndOf("day", out, zone)
			}
			return sum, &out
		}
	}
	return sum, nil
}

// window sums the days after from up to to, which are those of a window that ends with the day of at.
func window(t *program.CompiledTierSet, days map[string]int64, at time.Time, zone *time.Location) (sum int64, from, to string) {
	from = program.PeriodKey("day", t.Length.Before(at, zone), zone)
	to = program.PeriodKey("day", at, zone)
	for d, n := range days {
		if d > from && d <= to {
			sum += n
		}
	}
	return sum, from, to
}

func sumDays(days map[string]int64, from, to time.Time, zone *time.Location) int64 {
	a, b := program.PeriodKey("day", from, zone), program.PeriodKey("day", to.Add(-1), zone)
	var n int64
	for d, v := range days {
		if d >= a && d <= b {
			n += v
		}
	}
	return n
}

// anniversary gives the membership year that holds at, the start of the one before and the end of the one after. Years begin at
// midnight of the day of joining.
func anniversary(joined, at time.Time, zone *time.Location) (last, start, end, next time.Time) {
	day := program.StartOf("day", joined, zone)
	n := max(at.In(zone).Year()-day.In(zone).Year()-1, 0)
	year := func(k int) time.Time { return program.Period{N: k, Unit: "year"}.After(day, zone) }
	for !year(n + 1).After(at) {
		n++
	}
	return year(n - 1), year(n), year(n + 1), year(n + 2)
}

// place is the highest step that a value (or, for tenure, the time since joining) reaches; -1 is below the first.
func (w *work) place(t *program.CompiledTierSet, value int64, at time.Time) int {
	best := -1
	for i := range t.Steps {
		if t.Metric == "tenure" {
			if a := t.Steps[i].After; a == nil || !at.Before(a.After(w.st.JoinedAt, w.p.Zone)) {
				best = i
			}
		} else if value >= t.From[i] {
			best = i
		}
	}
	return best
}

// floor is the step set by hand that still holds at a moment; -1 for none.
func floor(t *program.CompiledTierSet, ts *TierState, at time.Time) int {
	if ts.Floor == "" || (ts.FloorUntil != nil && !ts.FloorUntil.After(at)) {
		return -1
	}
	return t.Place(ts.Floor)
}

func stepID(t *program.CompiledTierSet, i int) string {
	if i < 0 {
		return ""
	}
	return t.Steps[i].ID
}

func (w *work) tierState(id string) *TierState {
	ts := w.st.Tiers[id]
	if ts == nil {
		ts = &TierState{}
		w.st.Tiers[id] = ts
	}
	return ts
}

// tiersAt gives the member's tiers as a rule should see them at a moment: those of the history, lifted by what the metric
// reaches now where the current purchase counts.
func (w *work) tiersAt(at time.Time, counted bool) map[string]string {
	out := make(map[string]string, len(w.p.TierIDs))
	for _, id := range w.p.TierIDs {
		t := w.p.Tiers[id]
		ts := w.tierState(id)
		place := t.Place(ts.Tier)
		if late := at.Before(w.st.At) && len(ts.History) > 0; late {
			place = -1
			for _, c := range ts.History {
				if !c.At.After(at) {
					place = t.Place(c.Tier)
				}
			}
		} else {
			place = max(place, floor(t, ts, at))
		}
		if counted && t.CurrentPurchase != "next" && w.knownAt(t, at) {
			v := w.metric(t, at)
			place = max(place, w.place(t, v, at))
		}
		out[id] = stepID(t, place)
	}
	return out
}

// knownAt says whether the metric is known as it was at a moment: counters of a day always tell it, those of longer
// periods only while nothing later is in them.
func (w *work) knownAt(t *program.CompiledTierSet, at time.Time) bool {
	switch {
	case t.Grain() == "day" || t.Metric == "tenure":
		return true
	case t.Metric == "spend" || t.Metric == "purchases":
		return w.st.LastPurchaseAt == nil || !at.Before(*w.st.LastPurchaseAt)
	}
	return !at.Before(w.st.At)
}

// settleTiers looks at every tier set at w.now: up at once, down only when time (a due fact) has come, and plans the next look.
func (w *work) settleTiers(mayFall bool) {
	if w.at.Before(w.st.At) && w.f.Kind != Due {
		// It came late, and was decided by the version of its own day. Where the member stands today is for the version of
		// today: a due fact at the account's own moment follows at once.
		for _, id := range w.p.TierIDs {
			at := w.st.At
			w.tierState(id).NextAt = &at
		}
		return
	}
	for _, id := range w.p.TierIDs {
		t := w.p.Tiers[id]
		ts := w.tierState(id)
		at := w.now
		cur := t.Place(ts.Tier)
		value := w.metric(t, at)
		earned := w.place(t, value, at)
		fl := floor(t, ts, at)
		if ts.Floor != "" && fl < 0 {
			ts.Floor, ts.FloorUntil = "", nil
		}
		reach := max(earned, fl)
		ts.Value = value
		if reach > cur {
			w.noteReached(id, t, cur, reach)
			w.climb(id, t, ts, cur, reach, value, fl > earned)
			cur = reach
		}
		w.planFall(id, t, ts, cur, reach, fl, at, mayFall)
	}
	if err := w.tierRules(); err != nil && w.err == nil {
		w.err = refusal(err)
	}
}

func (w *work) climb(id string, t *program.CompiledTierSet, ts *TierState, cur, to int, value int64, byHand bool) {
	now := stepID(t, to)
	if cur >= 0 || to > 0 || len(ts.History) > 0 {
		w.note(NoteTierUp, Args{"tier": tierValue(id, now), "was": tierValue(id, stepID(t, cur)), "seen": w.metricValue(t, value), "from": w.threshold(t, to)})
	}
	w.event(EvTierUp, map[string]string{"set": id, "tier": now, "was": stepID(t, cur), "by_hand": strconv.FormatBool(byHand)})
	w.setTier(ts, now)
}

func (w *work) setTier(ts *TierState, tier string) {
	ts.Tier, ts.Since = tier, w.now
	ts.FallsAt, ts.Warned, ts.HoldUntil = nil, false, nil
	ts.History = append(ts.History, TierChange{w.now, tier})
	cut := historyKept.Before(w.now, w.p.Zone)
	for len(ts.History) > 1 && ts.History[1].At.Before(cut) {
		ts.History = ts.History[1:]
	}
}

// planFall moves the clock of a fall: starts it, stops it, warns, or lets the member fall when mayFall.
func (w *work) planFall(id string, t *program.CompiledTierSet, ts *TierState, cur, reach, fl int, at time.Time, mayFall bool) {
	ts.NextAt = nil
	defer func() {
		if ts.Floor != "" {
			ts.NextAt = earliest(ts.NextAt, ts.FloorUntil)
		}
		if t.Metric == "tenure" {
			for i := cur + 1; i < len(t.Steps); i++ {
				if a := t.Steps[i].After; a != nil {
					up := a.After(w.st.JoinedAt, w.p.Zone)
					if up.After(at) {
						ts.NextAt = earliest(ts.NextAt, &up)
					}
				}
			}
		}
	}()
	if cur < 0 || t.Down.To == "never" {
		ts.FallsAt = nil
		return
	}
	if reach >= cur {
		if ts.FallsAt != nil {
			w.note(NoteTierSafe, Args{"tier": tierValue(id, ts.Tier)})
			ts.Warned = false
		}
		ts.FallsAt = nil
		if ts.HoldUntil != nil && !ts.HoldUntil.After(at) {
			ts.HoldUntil = nil
		}
		if fl >= cur && (ts.FloorUntil == nil || t.Metric == "tenure") {
			return // held by hand
		}
		w.safe(id, t, ts, cur, at)
		return
	}
	// The metric no longer carries the tier.
	if ts.HoldUntil != nil && ts.HoldUntil.After(at) {
		ts.NextAt = ts.HoldUntil
		return
	}
	if ts.FallsAt == nil {
		falls := at
		if t.Down.Grace != nil && ts.HoldUntil == nil { // after a step down the hold was the grace
			falls = t.Down.Grace.After(at, w.p.Zone)
		}
		ts.FallsAt = &falls
		if falls.After(at) {
			w.warn(id, t, ts, w.target(t, cur, reach), falls)
			if t.Down.Warn != nil && t.Down.Warn.Before(falls, w.p.Zone).After(at) {
				ts.Warned = false // and again, nearer to the end of the grace
			}
		}
	}
	if ts.FallsAt.After(at) || !mayFall {
		ts.NextAt = ts.FallsAt
		w.remind(id, t, ts, w.target(t, cur, reach), at)
		return
	}
	to := w.target(t, cur, reach)
	was := ts.Tier
	w.note(NoteTierDown, Args{"tier": tierValue(id, stepID(t, to)), "was": tierValue(id, was), "seen": w.metricValue(t, ts.Value), "from": w.threshold(t, cur)})
	w.event(EvTierDown, map[string]string{"set": id, "tier": stepID(t, to), "was": was})
	w.setTier(ts, stepID(t, to))
	if to > reach { // one step at a time: the next one not before a whole window, or the grace
		hold := t.Length
		if t.Window != "rolling" {
			hold = program.Period{N: 1, Unit: "year"}
		}
		if t.Down.Grace != nil {
			hold = *t.Down.Grace
		}
		until := hold.After(at, w.p.Zone)
		ts.HoldUntil, ts.NextAt = &until, &until
		w.note(NoteTierKept, Args{"tier": tierValue(id, ts.Tier), "time": Time(until)})
		return
	}
	if to >= 0 {
		w.safe(id, t, ts, to, at)
	}
}

// remind plans, in a grace, when a member is told again of the fall at its end, or tells it. A grace that began while there was no such
// reminder has Warned set, and has none.
func (w *work) remind(id string, t *program.CompiledTierSet, ts *TierState, to int, at time.Time) {
	if t.Down.Grace == nil || t.Down.Warn == nil || ts.Warned || !ts.FallsAt.After(at) {
		return
	}
	if again := t.Down.Warn.Before(*ts.FallsAt, w.p.Zone); again.After(at) {
		ts.NextAt = &again
	} else {
		w.warn(id, t, ts, to, *ts.FallsAt)
	}
}

func (w *work) target(t *program.CompiledTierSet, cur, reach int) int {
	if t.Down.To == "one step" {
		return max(cur-1, reach)
	}
	return reach
}

// safe plans the next look at a tier that the metric carries now: when it will cease to, or the warning before.
func (w *work) safe(id string, t *program.CompiledTierSet, ts *TierState, cur int, at time.Time) {
	if t.Metric == "tenure" || (t.From[cur] <= 0 && cur == 0) {
		return
	}
	_, ends := w.value(t, at, t.From[cur])
	if ends == nil {
		return
	}
	ts.NextAt = ends
	if t.Down.Warn == nil || t.Down.Grace != nil {
		return
	}
	warn := t.Down.Warn.Before(*ends, w.p.Zone)
	// A calendar end is only a fall when this period, so far, does not carry the tier on.
	if v, later := w.value(t, at, t.From[cur]); later != nil && v < t.From[cur] {
		return
	}
	if warn.After(at) {
		ts.NextAt, ts.Warned = &warn, false
	} else if !ts.Warned {
		w.warn(id, t, ts, -2, *ends)
	}
}

// warn tells a member of a coming fall; to is the place fallen to, -2 when it is not known yet.
func (w *work) warn(id string, t *program.CompiledTierSet, ts *TierState, to int, falls time.Time) {
	if ts.Warned {
		return
	}
	ts.Warned = true
	cur := t.Place(ts.Tier)
	missing := max(t.From[cur]-ts.Value, 0)
	if to == -2 {
		missing = 0
	}
	args := Args{"tier": tierValue(id, ts.Tier), "time": Time(falls), "missing": w.metricValue(t, missing)}
	data := map[string]string{"set": id, "tier": ts.Tier, "falls_at": falls.In(w.p.Zone).Format(time.RFC3339)}
	if to > -2 {
		args["to"] = tierValue(id, stepID(t, to))
		data["to"] = stepID(t, to)
	}
	w.note(NoteTierWarning, args)
	w.event(EvTierWarning, data)
}

// metricValue is a value of the metric for people: money, units or a number.
func (w *work) metricValue(t *program.CompiledTierSet, n int64) Value {
	unit, isUnit := strings.CutPrefix(t.Metric, "unit:")
	switch {
	case t.Metric == "spend":
		return Money(n)
	case isUnit:
		return Units(unit, n)
	}
	return Number(strconv.FormatInt(n, 10))
}

func (w *work) threshold(t *program.CompiledTierSet, place int) Value {
	if t.Metric == "tenure" {
		if a := t.Steps[place].After; a != nil {
			return text(a.String())
		}
		return Number("0")
	}
	return w.metricValue(t, t.From[place])
}

// Progress is where a member stands in a tier set, for people.
type Progress struct {
	Set, Tier, Next string
	Since           time.Time
	// Value and Missing are of the metric: minor units of money or of Unit, or a whole number. Metric says which.
	Metric         string
	Value, Missing int64
	// NextAfter is the moment a tenure step is reached.
	NextAt *time.Time
	// Until is the end of the window that counts now, nil for lifetime and rolling windows.
	Until *time.Time
	// FallsAt is when the tier is lost unless Keep more is reached; Holds is when it could first be questioned.
	FallsAt *time.Time
	Keep    int64
	HeldTo  *time.Time
	// Floor is a tier set by hand.
	Floor      string
	FloorUntil *time.Time
	Benefits   []string
}

// ProgressOf tells what is missing to the next tier and until when, and what keeps the present one. The account must have
// its tallies loaded as for a Due fact at the moment.
func ProgressOf(p *program.Compiled, acc *Account, at time.Time) []Progress {
	w := newWork(p, Input{Account: acc, Fact: Fact{OccurredAt: at}})
	var out []Progress
	for _, id := range p.TierIDs {
		t, ts := p.Tiers[id], w.tierState(id)
		cur := t.Place(ts.Tier)
		g := Progress{Set: id, Tier: ts.Tier, Since: ts.Since, Metric: t.Metric, Floor: ts.Floor, FloorUntil: ts.FloorUntil, FallsAt: ts.FallsAt}
		value, until := w.climbed(t, at)
		g.Value, g.Until = value, until
		if cur >= 0 {
			g.Benefits = t.Steps[cur].Benefits
			if t.Metric != "tenure" && t.Down.To != "never" {
				if ts.FallsAt != nil {
					g.Keep = max(t.From[cur]-value, 0)
				} else if t.From[cur] > 0 {
					_, g.HeldTo = w.value(t, at, t.From[cur])
					g.Keep = max(t.From[cur]-value, 0)
				}
			}
		}
		if cur+1 < len(t.Steps) {
			g.Next = t.Steps[cur+1].ID
			if t.Metric == "tenure" {
				if a := t.Steps[cur+1].After; a != nil {
					up := a.After(w.st.JoinedAt, p.Zone)
					g.NextAt = &up
				}
			} else {
				g.Missing = max(t.From[cur+1]-value, 0)
			}
		}
		out = append(out, g)
	}
	return out
}

// climbed is what counts towards the next tier, and the end of the window that counts now. Of windows that begin anew it is
// this one alone: the last one carries the tier, not the climb.
func (w *work) climbed(t *program.CompiledTierSet, at time.Time) (value int64, until *time.Time) {
	switch t.Window {
	case "calendar":
		end := program.EndOf(t.Calendar, at, w.p.Zone)
		return w.acc.Tallies[tallyName(t)][program.PeriodKey(t.Calendar, at, w.p.Zone)], &end
	case "anniversary":
		_, start, end, _ := anniversary(w.st.JoinedAt, at, w.p.Zone)
		return sumDays(w.acc.Tallies[tallyName(t)], start, end, w.p.Zone), &end
	}
	return w.metric(t, at), nil
}

// Rebuild counts a metric anew from all of a member's facts, oldest first, as they were decided.
func Rebuild(p *program.Compiled, tally string, past []Past) map[string]int64 {
	out := map[string]int64{}
	var set *program.CompiledTierSet
	for _, t := range p.Counted {
		if tallyName(t) == tally {
			set = t
		}
	}
	days := map[string]int64{}
	byID := make(map[string]*Past, len(past))
	add := func(at time.Time, n int64) {
		if set != nil && n != 0 {
			out[periodOf(set, at, p.Zone)] += n
		}
	}
	visit := func(at time.Time, n int64) {
		day := program.PeriodKey("day", at, p.Zone)
		before := days[day]
		days[day] += n
		if set != nil && set.Metric == "visits" && (before == 0) != (before+n == 0) {
			add(at, n)
		}
	}
	returned := map[string]int64{}
	blocked := false
	for i := range past {
		f, d := &past[i].Fact, &past[i].Decision
		byID[f.ID] = &past[i]
		// A merge may take back what one of the two had for the other: that stands in no award.
		asCounted := f.Kind == MergeIn && slices.ContainsFunc(d.Counters, func(c Counter) bool { return c.Name == tally })
		for _, b := range d.Broken {
			if set != nil && set.Metric == "unit:"+b.Unit && !asCounted {
				add(b.At, -b.Amount)
			}
		}
		for _, a := range d.Awards {
			if set != nil && set.Metric == "unit:"+a.Unit && !asCounted {
				add(f.OccurredAt, a.Amount)
			}
		}
		switch f.Kind {
		case PurchaseK:
			visit(f.OccurredAt, 1)
			if set == nil {
				continue
			}
			switch set.Metric {
			case "purchases":
				add(f.OccurredAt, 1)
			case "spend":
				if n, err := spendOfFact(p, set, past[i]); err == nil {
					add(f.OccurredAt, n)
				}
			}
		case ReturnK:
			if byID[f.Parent] == nil { // of a purchase in the books of a member who was merged into this one: as it was counted
				for _, c := range d.Counters {
					switch c.Name {
					case visitDays:
						days[c.Period] += c.Add
					case tally:
						out[c.Period] += c.Add
					}
				}
				continue
			}
			rebuildReturn(p, set, &past[i], byID[f.Parent], returned, add, visit)
		case Status:
			blocked = f.Status.To == Blocked
		case ActivityK, Enrolment, PlanK:
			if blocked { // what a blocked member does is kept and counts nothing
				continue
			}
			if f.Activity != nil && isVisit(f.Activity.Kind) {
				visit(f.OccurredAt, 1)
			}
			if set == nil {
				continue
			}
			if f.Activity != nil && set.Metric == "activity:"+f.Activity.Kind {
				add(f.OccurredAt, 1)
			}
		case ThanksK, PartnerK:
			if f.Parent != "" && byID[f.Parent] == nil { // of what stands in the books of a member who was merged into this one: as it was counted
				for _, c := range d.Counters {
					if c.Name == tally {
						out[c.Period] += c.Add
					}
				}
			}
			for _, r := range d.Reversals {
				if parent := byID[f.Parent]; parent != nil && set != nil && set.Metric == "unit:"+r.Unit {
					add(parent.Fact.OccurredAt, -r.Amount)
				}
			}
		case Release:
			if parent := byID[f.Parent]; set != nil && f.Release.Cancel && parent != nil {
				for _, r := range d.Reversals {
					if set.Metric == "unit:"+r.Unit {
						add(parent.Fact.OccurredAt, -r.Amount)
					}
				}
			}
		case MergeIn:
			if c := f.Merge.Carried; c != nil {
				for period, n := range c.Tallies[visitDays] {
					days[period] += n
				}
				for period, n := range c.Tallies[tally] {
					if !asCounted {
						out[period] += n
					}
				}
			}
			for _, c := range d.Counters {
				if asCounted && c.Name == tally {
					out[c.Period] += c.Add
				}
			}
		}
	}
	if tally == visitDays {
		return days
	}
	return out
}

func isVisit(kind string) bool { return kind == "visit" || kind == "check_in" }

func spendOfFact(p *program.Compiled, t *program.CompiledTierSet, past Past) (int64, error) {
	b, fields := rereadPurchase(p, past.Fact.Purchase)
	if len(fields) > 0 {
		return 0, money.ErrSyntax
	}
	b.paidBefore(past.Decision)
	_, n, err := spendOf(t, b, past.Fact.Purchase.Store, past.Fact.Purchase.Channel, spentWorth(past.Decision))
	return n, err
}

func spentWorth(d Decision) int64 {
	var n int64
	for _, r := range d.Redemptions {
		n += r.Worth
	}
	return n
}
