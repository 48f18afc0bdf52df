package engine

import (
	"fmt"
	"maps"
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

// A challenge is counted in tallies at the business time of what counts, one counter for each window: so a late fact and a return
// change the window they belong to, and what is shown is what is counted. A prize costs its goal: the counter goes down by it, and the
// prize is written down with what it cost, so that a return can break it and put what is over back.
//
// A set and a streak are not spent by a prize: how many prizes are due follows from the counters, and the difference to those that
// were given is given or broken.

// ChallengeState is where a member stands in a challenge, besides its counters.
type ChallengeState struct {
	// JoinedAt is since when the member takes part, where that must be asked for.
	JoinedAt *time.Time `json:"joined_at,omitempty"`
	// Shown is the name under which the member is in the leaderboard; empty for not at all.
	Shown string `json:"shown,omitempty"`
	// Won is how often it was reached, WonAt the last time.
	Won   int64      `json:"won,omitempty"`
	WonAt *time.Time `json:"won_at,omitempty"`
	// Prizes are the last ones, the newest at the end: those that a return may still break.
	Prizes []PrizeState `json:"prizes,omitempty"`
}

// PrizeState is a prize with what it cost.
type PrizeState struct {
	At     time.Time `json:"at"`
	Fact   string    `json:"fact,omitempty"`
	Period string    `json:"period"`
	// Cost is what reaching it took from the counter; Burnt what was lost with it, above what a purchase could bring.
	Cost  int64 `json:"cost,omitempty"`
	Burnt int64 `json:"burnt,omitempty"`
	// Grant is the number of the grant, Awards the points.
	Grant  int64   `json:"grant,omitempty"`
	Awards []Award `json:"awards,omitempty"`
	// EndsAt is the end of the points, the earliest where there are several.
	EndsAt *time.Time `json:"ends_at,omitempty"`
	// Over says that the grant ended or was taken back by hand: nothing is asked for it any more.
	Over bool `json:"over,omitempty"`
}

// Count is what a fact counted for a challenge, so that a return takes the same back whatever the program says by then.
type Count struct {
	Challenge string `json:"challenge"`
	Tally     string `json:"tally"`
	Period    string `json:"period"`
	// By is "share" (Lines are amounts, and a part of a line takes its part), "line" (Lines marks those that count, each until it is
	// wholly gone) or "whole" (one, until all the lines marked are gone).
	By     string  `json:"by"`
	Amount int64   `json:"amount,omitempty"`
	Lines  []int64 `json:"lines,omitempty"`
	// Keys are those of a set: by line, or one.
	Keys []string `json:"keys,omitempty"`
}

// Broken is points that were taken back as a prize was broken.
type Broken struct {
	Challenge string `json:"challenge"`
	// At is when they had been won.
	At     time.Time `json:"at"`
	Unit   string    `json:"unit"`
	Amount int64     `json:"amount"`
}

// ChallengeBody is what a member asks of a challenge.
type ChallengeBody struct {
	Challenge string `json:"challenge"`
	// Join takes part from now on; Leave no longer does.
	Join  bool `json:"join,omitempty"`
	Leave bool `json:"leave,omitempty"`
	// Show is the name under which to be in the leaderboard; empty takes the member out of it.
	Show *string `json:"show,omitempty"`
}

const (
	byShare = "share"
	byLine  = "line"
	byWhole = "whole"

	// keptPrizes is how many prizes of a challenge a return may still break.
	keptPrizes = 24
	// mostAtOnce bounds the prizes of one fact, whatever the program says: what is above counts with the next.
	mostAtOnce = 100
	// boardTally begins the names of counters that leaderboards are sorted by.
	boardTally = "board:"
	// allTallies is beyond every period's name, however texts are sorted.
	allTallies = "zzzz"
)

// WonTally and BoardTally name the counters of prizes in a window and of a leaderboard; TotalTally that of all that was counted.
func WonTally(h *program.CompiledChallenge) string { return h.Tally + "/won" }

// TotalTally names the counter of all that was counted in a window, prizes or not.
func TotalTally(h *program.CompiledChallenge) string { return h.Tally + "/total" }

// BoardTally names the counter that a leaderboard is sorted by. Only members who are shown have it.
func BoardTally(h *program.CompiledChallenge) string { return boardTally + h.ID }

// challenge gives the member's state in a challenge, made if need be.
func (w *work) challenge(id string) *ChallengeState {
	if w.st.Challenges == nil {
		w.st.Challenges = map[string]*ChallengeState{}
	}
	cs := w.st.Challenges[id]
	if cs == nil {
		cs = &ChallengeState{}
		w.st.Challenges[id] = cs
	}
	return cs
}

func cloneChallenges(in map[string]*ChallengeState) map[string]*ChallengeState {
	if in == nil {
		return nil
	}
	out := make(map[string]*ChallengeState, len(in))
	for id, c := range in {
		n := *c
		n.Prizes = slices.Clone(c.Prizes)
		out[id] = &n
	}
	return out
}

// challengeTallies are the counters that counting at a moment needs.
func challengeTallies(p *program.Compiled, st *State, trigger string, at time.Time) []TallyRange {
	var out []TallyRange
	for _, h := range p.ChallengesOn[trigger] {
		out = append(out, challengeRanges(st, h, h.WindowKey(at, p.Zone))...)
		out = append(out, triggerTallies(p, st, h, at)...)
	}
	return out
}

// triggerTallies are those of the limits of rules that reaching a challenge starts.
func triggerTallies(p *program.Compiled, st *State, h *program.CompiledChallenge, at time.Time) []TallyRange {
	var out []TallyRange
	for _, list := range [][]*program.CompiledRule{p.Rules[h.Trigger()], p.Multipliers[h.Trigger()]} {
		for _, r := range list {
			out = append(out, limitTallies(p, st, r.Limits, at)...)
		}
	}
	return out
}

// challengeRanges are the counters of a challenge in one window; all of them for period "".
func challengeRanges(st *State, h *program.CompiledChallenge, period string) []TallyRange {
	from, to := period, period
	if period == "" {
		to = allTallies
	}
	out := []TallyRange{{WonTally(h), from, to}}
	switch h.Shape {
	case program.SetShape:
		out = append(out, TallyRange{h.Tally, from, period + allTallies})
	case program.StreakShape:
		out = append(out, TallyRange{h.Tally, "", allTallies})
	default:
		out = append(out, TallyRange{h.Tally, from, to})
	}
	if h.Leaderboard {
		out = append(out, TallyRange{TotalTally(h), from, to})
		if cs := st.Challenges[h.ID]; cs != nil && cs.Shown != "" || period == "" {
			out = append(out, TallyRange{BoardTally(h), from, to})
		}
	}
	return out
}

// allChallengeTallies are all counters of all challenges.
func allChallengeTallies(p *program.Compiled, st *State, at time.Time) []TallyRange {
	var out []TallyRange
	for i := range p.Doc.Challenges {
		h := p.Challenges[p.Doc.Challenges[i].ID]
		out = append(out, challengeRanges(st, h, "")...)
		out = append(out, triggerTallies(p, st, h, at)...)
	}
	return out
}

// count counts a purchase or activity for every challenge that listens to it, and gives the prizes that are reached.
func (w *work) count(trigger string, s *scene, done []*candidate, paidPoints int64) error {
	for _, h := range w.p.ChallengesOn[trigger] {
		c, err := w.countOf(h, s, done, paidPoints)
		if err != nil {
			return err
		}
		if c.Amount <= 0 {
			continue
		}
		w.d.Counts = append(w.d.Counts, c)
		w.addCount(h, &c, 1)
		period := w.windowOf(h, &c)
		if err := w.reach(h, period, c.Amount); err != nil {
			return err
		}
		w.tellProgress(h, period, c.Amount)
	}
	return nil
}

// windowOf is the window whose prizes a count is for.
func (w *work) windowOf(h *program.CompiledChallenge, c *Count) string {
	if h.Shape == program.StreakShape {
		return "all"
	}
	return c.Period
}

// takesPart says whether what a member does at a moment counts.
func (w *work) takesPart(h *program.CompiledChallenge, at time.Time) bool {
	if !h.Running(at) {
		return false
	}
	cs := w.st.Challenges[h.ID]
	return !h.Join || cs != nil && cs.JoinedAt != nil && !at.Before(*cs.JoinedAt)
}

// countOf works out what a fact counts for a challenge; an amount of 0 is nothing.
func (w *work) countOf(h *program.CompiledChallenge, s *scene, done []*candidate, paidPoints int64) (Count, error) {
	if !w.takesPart(h, s.at) {
		return Count{}, nil
	}
	s.in, s.basis, s.items = nil, 0, 0
	var in []bool
	var values []int64
	if s.basket != nil {
		in = make([]bool, s.basket.places())
		hit := false
		for i := range s.basket.lines {
			l := &s.basket.lines[i]
			in[i] = h.Lines == nil || h.Lines.Match(l.sku, l.category, l.brand, l.tags, s.store, s.channel)
			if in[i] {
				hit = true
				s.items += l.quantity
			}
		}
		if i := len(s.basket.lines); i < len(in) {
			in[i] = h.Lines == nil && h.Basis != nil && h.Basis.Shipping == "included"
		}
		if !hit {
			return Count{}, nil
		}
		if h.When != nil || h.Metric == "spend" {
			var sum int64
			var err error
			if values, sum, err = s.basket.basisOf(in, h.Lines != nil, h.Basis, paidPoints, func(Note) {}); err != nil {
				return Count{}, err
			}
			if values, sum, err = capped(values, sum, h.Basis, w.p.Exponent); err != nil {
				return Count{}, err
			}
			s.basis = sum
		}
		s.in = in
	}
	if ok, _, err := s.holds(h.When); err != nil || !ok {
		return Count{}, nil //nolint:nilerr // a condition that cannot be worked out does not hold, as with rules
	}
	c := Count{Challenge: h.ID, Tally: h.Tally, Period: h.WindowKey(s.at, w.p.Zone), By: byShare}
	if h.Shape == program.StreakShape {
		c.Period = program.PeriodKey(h.Streak, s.at, w.p.Zone)
	}
	w.measure(h, s, &c, in, values, done)
	return c, nil
}

// measure fills in how much is counted, and of which lines.
func (w *work) measure(h *program.CompiledChallenge, s *scene, c *Count, in []bool, values []int64, done []*candidate) {
	paid := func(i int) bool { return i < len(s.basket.lines) && in[i] && w.d.Lines[i].Amount > 0 }
	mark := func(of func(i int) int64) {
		c.Lines = make([]int64, len(in))
		for i := range in {
			if paid(i) {
				c.Lines[i] = of(i)
				c.Amount += c.Lines[i]
			}
		}
	}
	one := func(int) int64 { return 1 }
	switch {
	case h.Shape == program.SetShape:
		w.things(h, s, c, mark, one)
	case h.Metric == "items":
		mark(func(i int) int64 { return s.basket.lines[i].quantity })
	case h.Metric == "lines":
		c.By = byLine
		mark(one)
	case h.Metric == "purchases":
		c.By = byWhole
		mark(one)
		c.Amount = min(c.Amount, 1)
	case h.Metric == "times":
		c.Amount = 1
	case h.Metric == "spend":
		c.Lines, c.Amount = values, max(total(values), 0)
	case strings.HasPrefix(h.Metric, "unit:"):
		w.unitsEarned(strings.TrimPrefix(h.Metric, "unit:"), h.Lines != nil, c, in, done)
	case strings.HasPrefix(h.Metric, "property:"):
		if d, err := money.Parse(s.activity.Properties[h.Sum]); err == nil {
			if n, err := d.Minor(h.Scale); err == nil && n < maxMoney {
				c.Amount = n
			}
		}
	}
}

// unitsEarned counts what the rules gave of a unit.
func (w *work) unitsEarned(unit string, scoped bool, c *Count, in []bool, done []*candidate) {
	if in != nil {
		c.Lines = make([]int64, len(in))
	}
	for _, d := range done {
		if d.unit != unit {
			continue
		}
		if in == nil {
			c.Amount += d.total
			continue
		}
		for i, n := range d.parts {
			if i < len(in) && (in[i] || !scoped) {
				c.Lines[i] += n
				c.Amount += n
			}
		}
	}
}

// things counts the different things of a set.
func (w *work) things(h *program.CompiledChallenge, s *scene, c *Count, mark func(func(int) int64), one func(int) int64) {
	known := func(v string) string {
		if v == "" {
			return ""
		}
		if len(h.Of) == 0 {
			return program.ValueKey(v)
		}
		for _, o := range h.Of {
			if v == o || h.Set == "category" && strings.HasPrefix(v, o+"/") {
				return program.ValueKey(o)
			}
		}
		return ""
	}
	whole := func(v string) {
		c.By = byWhole
		if s.basket != nil {
			mark(one)
			c.Amount = min(c.Amount, 1)
		} else {
			c.Amount = 1
		}
		if key := known(v); key == "" {
			c.Amount = 0
		} else {
			c.Keys = []string{key}
		}
	}
	switch h.Set {
	case "store":
		whole(s.store)
	case "channel":
		whole(s.channel)
	case "sku", "category", "brand":
		c.By = byLine
		c.Keys = make([]string, s.basket.places())
		mark(func(i int) int64 {
			l := &s.basket.lines[i]
			c.Keys[i] = known(map[string]string{"sku": l.sku, "category": l.category, "brand": l.brand}[h.Set])
			if c.Keys[i] == "" {
				return 0
			}
			return 1
		})
	default:
		whole(s.activity.Properties[h.Set])
	}
}

// addCount puts a count into its counters, or with sign -1 takes it out.
func (w *work) addCount(h *program.CompiledChallenge, c *Count, sign int64) {
	if h.Shape == program.SetShape {
		for _, key := range c.Keys {
			if key != "" {
				w.addThing(h, c.Period, key, sign)
			}
		}
		return
	}
	w.tally(h.Tally, c.Period, sign*c.Amount)
	w.board(h, c.Period, sign*c.Amount)
}

// addThing counts one of the things of a set.
func (w *work) addThing(h *program.CompiledChallenge, period, key string, n int64) {
	at := period + ":" + key
	before := w.acc.Tallies[h.Tally][at]
	w.tally(h.Tally, at, n)
	if after := before + n; (before > 0) != (after > 0) {
		w.board(h, period, n)
	}
}

// board adds to what a leaderboard is sorted by.
func (w *work) board(h *program.CompiledChallenge, period string, n int64) {
	if !h.Leaderboard || n == 0 {
		return
	}
	w.tally(TotalTally(h), period, n)
	if cs := w.st.Challenges[h.ID]; cs != nil && cs.Shown != "" {
		w.tally(BoardTally(h), period, n)
	}
}

// reach gives the prizes of a window that are due; counted is what the present fact added to it.
func (w *work) reach(h *program.CompiledChallenge, period string, counted int64) error {
	won := w.acc.Tallies[WonTally(h)][period]
	var n, burnt int64
	if h.Shape == program.PlainShape {
		if most := h.AtOnce * h.Goal; h.AtOnce > 0 && h.Above == "burn" && counted > most {
			burnt = counted - most
		}
		n = (w.acc.Tallies[h.Tally][period] - burnt) / h.Goal
	} else {
		n = w.prizesDue(h, period) - won
	}
	if h.AtOnce > 0 {
		n = min(n, h.AtOnce)
	}
	if h.Most >= 0 {
		n = min(n, h.Most-won)
	}
	n = min(n, mostAtOnce)
	if h.Gives.Reward != "" {
		n = min(n, int64(maxGrants-len(w.st.Grants)))
	}
	if n <= 0 {
		return nil
	}
	if burnt > 0 {
		w.tally(h.Tally, period, -burnt)
	}
	for i := range n {
		p := PrizeState{At: w.at, Fact: w.f.ID, Period: period}
		if h.Shape == program.PlainShape {
			p.Cost = h.Goal
			w.tally(h.Tally, period, -p.Cost)
		}
		if i == n-1 {
			p.Burnt = burnt
		}
		if err := w.win(h, p); err != nil {
			return err
		}
	}
	return nil
}

// prizesDue is how many prizes the counters of a set or a streak come to.
func (w *work) prizesDue(h *program.CompiledChallenge, period string) int64 {
	if h.Shape == program.SetShape {
		if w.found(h, period) >= h.Goal {
			return 1
		}
		return 0
	}
	var n int64
	for _, run := range w.runs(h) {
		if h.Repeats {
			n += run.length / h.Goal
		} else if run.length >= h.Goal {
			n = 1
		}
	}
	return n
}

// found is how many different things of a set were found in a window.
func (w *work) found(h *program.CompiledChallenge, period string) int64 {
	var n int64
	for at, k := range w.acc.Tallies[h.Tally] {
		if k > 0 && strings.HasPrefix(at, period+":") {
			n++
		}
	}
	return n
}

// run is periods running in which enough was counted; last is the number of the last one.
type run struct{ last, length int64 }

// runs finds them, the earliest first.
func (w *work) runs(h *program.CompiledChallenge) []run {
	var at []int64
	for key, n := range w.acc.Tallies[h.Tally] {
		if n >= h.Least {
			at = append(at, periodNumber(h.Streak, key))
		}
	}
	slices.Sort(at)
	var out []run
	for _, k := range at {
		if len(out) > 0 && out[len(out)-1].last+1 == k {
			out[len(out)-1].last, out[len(out)-1].length = k, out[len(out)-1].length+1
			continue
		}
		out = append(out, run{k, 1})
	}
	return out
}

// periodNumber numbers the days, weeks, months, quarters and years, so that those that follow each other differ by one.
func periodNumber(unit, key string) int64 {
	part := func(from, to int) int64 {
		if to > len(key) {
			return 0
		}
		n, _ := strconv.ParseInt(key[from:to], 10, 64) // the keys are ours
		return n
	}
	switch unit {
	case "day":
		t, _ := time.Parse(time.DateOnly, key)
		return t.Unix() / 86400
	case "week":
		// The Thursday of a week lies in the week's own year; 4 January is always in the first.
		first := time.Date(int(part(0, 4)), 1, 4, 0, 0, 0, 0, time.UTC)
		monday := first.AddDate(0, 0, -(int(first.Weekday())+6)%7+7*(int(part(6, 8))-1))
		return (monday.Unix()/86400 + 3) / 7
	case "month":
		return part(0, 4)*12 + part(5, 7)
	case "quarter":
		return part(0, 4)*4 + part(6, 7)
	}
	return part(0, 4)
}

// win gives one prize.
func (w *work) win(h *program.CompiledChallenge, p PrizeState) error {
	cs := w.challenge(h.ID)
	w.tally(WonTally(h), p.Period, 1)
	cs.Won++
	if at := w.at; cs.WonAt == nil || cs.WonAt.Before(at) {
		cs.WonAt = &at
	}
	w.note(NoteChallengeDone, Args{"rule": {Rule: h.ID}})
	w.event(EvChallengeDone, map[string]string{"challenge": h.ID, "times": strconv.FormatInt(cs.Won, 10)})
	if h.Gives.Reward != "" {
		p.Grant = w.grantPrize(h)
	}
	before := len(w.d.Awards)
	if h.Gives.Unit != "" {
		w.award([]*candidate{{r: h.PrizeRule, unit: h.Gives.Unit, total: h.Amount}})
	}
	if t := h.Trigger(); len(w.p.Rules[t])+len(w.p.Multipliers[t]) > 0 {
		done, err := w.earn(t, w.scene(), 0)
		if err != nil {
			return err
		}
		for _, c := range done {
			c.parts = nil // it came of the prize, and goes with it: of no line
		}
		w.award(done)
	}
	for _, a := range w.d.Awards[before:] {
		p.Awards = append(p.Awards, a)
		p.EndsAt = earliest(p.EndsAt, w.lots[a.Lot].ExpiresAt)
	}
	cs.Prizes = append(cs.Prizes, p)
	if n := len(cs.Prizes); n > keptPrizes {
		cs.Prizes = slices.Clone(cs.Prizes[n-keptPrizes:])
	}
	return nil
}

// grantPrize gives the reward of a challenge, and says under which number; 0 where it would wait in one that has ended and drops those.
func (w *work) grantPrize(h *program.CompiledChallenge) int64 {
	wait := h.Gives.Waits
	if h.Until != nil && w.now.After(*h.Until) && wait != nil {
		if h.AtEnd == "drop" {
			return 0
		}
		wait = nil
	}
	waits, ends, warns := w.grantTerms(wait, h.Gives.Valid, h.Gives.Warn)
	return w.grant(Grant{Reward: h.Gives.Reward, Source: h.Trigger(), Uses: max(h.Gives.Uses, 1), WaitsUntil: waits, EndsAt: ends, WarnAt: warns,
		HandsOver: h.Gives.HandOver}).N
}

// counted is what is counted for a challenge, for people.
func (w *work) counted(h *program.CompiledChallenge, n int64) Value {
	unit, isUnit := strings.CutPrefix(h.Metric, "unit:")
	switch {
	case h.Shape != program.PlainShape:
		return Number(strconv.FormatInt(n, 10))
	case h.Metric == "spend":
		return Money(n)
	case isUnit:
		return Units(unit, n)
	case h.Scale == 3:
		return thousandths(n)
	}
	return Number(strconv.FormatInt(n, 10))
}

// tellProgress says how far it is to the next prize.
func (w *work) tellProgress(h *program.CompiledChallenge, period string, added int64) {
	value, missing, done := w.standing(h, period, w.at)
	args := Args{"rule": {Rule: h.ID}, "seen": w.counted(h, value), "want": w.counted(h, h.Goal), "missing": w.counted(h, missing)}
	if h.Shape == program.PlainShape {
		args["amount"] = w.counted(h, added)
	}
	if !done {
		w.note(NoteChallenge, args)
	}
}

// standing is where a member stands in a window: what counts towards the next prize, what is missing, and whether there is none to come.
func (w *work) standing(h *program.CompiledChallenge, period string, at time.Time) (value, missing int64, done bool) {
	won := w.acc.Tallies[WonTally(h)][period]
	done = h.Most >= 0 && won >= h.Most
	switch h.Shape {
	case program.SetShape:
		value = w.found(h, period)
	case program.StreakShape:
		now := periodNumber(h.Streak, program.PeriodKey(h.Streak, at, w.p.Zone))
		for _, r := range w.runs(h) {
			if r.last == now || r.last == now-1 { // this period may still be filled
				value = r.length
			}
		}
		if h.Repeats && value > 0 {
			if value%h.Goal == 0 {
				return value, 0, done
			}
			return value, h.Goal - value%h.Goal, done
		}
	default:
		value = w.acc.Tallies[h.Tally][period]
	}
	return value, max(h.Goal-value, 0), done
}

// uncountChallenges takes back what goods that came back had counted.
func (w *work) uncountChallenges(past *Past, bought, before, after []LineSum) error {
	if w.st.Status == Closed {
		return nil
	}
	for i := range past.Decision.Counts {
		c := &past.Decision.Counts[i]
		h := w.p.Challenges[c.Challenge]
		if h == nil || h.Tally != c.Tally || h.Returns.Counted == "keep" { // what is counted otherwise now has counters of its own
			continue
		}
		if err := w.uncountOne(h, c, bought, before, after); err != nil {
			return err
		}
	}
	return nil
}

func (w *work) uncountOne(h *program.CompiledChallenge, c *Count, bought, before, after []LineSum) error {
	back := Count{Period: c.Period}
	went := func(k int) bool { return gone(bought[k], after[k]) && !gone(bought[k], before[k]) }
	switch c.By {
	case byShare:
		back.Amount = shareOf(c, bought, after) - shareOf(c, bought, before)
	case byLine:
		for k := range c.Lines {
			if k < len(bought) && c.Lines[k] > 0 && went(k) {
				back.Amount++
				if k < len(c.Keys) {
					back.Keys = append(back.Keys, c.Keys[k])
				}
			}
		}
	default:
		all, some := true, false
		for k := range c.Lines {
			if k < len(bought) && c.Lines[k] > 0 {
				all = all && gone(bought[k], after[k])
				some = some || went(k)
			}
		}
		if all && some {
			back.Amount, back.Keys = c.Amount, c.Keys
		}
	}
	if back.Amount <= 0 {
		return nil
	}
	if h.Shape == program.PlainShape {
		w.board(h, c.Period, -back.Amount)
		return w.takeCount(h, c.Period, back.Amount)
	}
	w.addCount(h, &back, -1)
	return w.breakDue(h, w.windowOf(h, c))
}

// shareOf is what the lines that came back take of a count, in all.
func shareOf(c *Count, bought, back []LineSum) int64 {
	if len(c.Lines) == 0 {
		return 0
	}
	sum := new(big.Rat)
	for k := range c.Lines {
		if k < len(bought) {
			sum.Add(sum, new(big.Rat).Mul(big.NewRat(c.Lines[k], 1), share(bought[k], back[k])))
		}
	}
	if sum.Sign() <= 0 {
		return 0
	}
	return min(roundRat(sum, money.HalfUp), c.Amount)
}

// takeCount takes n from a window: first what was burnt above the goal, then what is counted towards the next prize, then prizes, of
// which what is over is counted again; what is left is what was used already, and the policy decides.
func (w *work) takeCount(h *program.CompiledChallenge, period string, n int64) error {
	cs := w.challenge(h.ID)
	left := n
	for i := len(cs.Prizes) - 1; i >= 0; i-- {
		if p := &cs.Prizes[i]; p.Period == period {
			k := min(left, p.Burnt)
			p.Burnt -= k
			left -= k
		}
	}
	k := min(left, max(w.acc.Tallies[h.Tally][period], 0))
	w.tally(h.Tally, period, -k)
	left -= k
	broken := 0
	for left > 0 {
		i := w.breakable(h, cs, period)
		if i < 0 {
			break
		}
		cost := cs.Prizes[i].Cost
		if err := w.breakPrize(h, cs, i); err != nil {
			return err
		}
		broken++
		k := min(left, cost)
		w.tally(h.Tally, period, cost-k)
		left -= k
	}
	for i := len(cs.Prizes) - 1; i >= 0 && left > 0; i-- { // what ended unused is not asked for
		if p := &cs.Prizes[i]; p.Period == period && p.Over {
			k := min(left, p.Cost)
			p.Cost -= k
			left -= k
		}
	}
	return w.tellTaken(h, period, n, broken, left)
}

// tellTaken says what was taken from a challenge, and does with what could not be what the policy says.
func (w *work) tellTaken(h *program.CompiledChallenge, period string, n int64, broken int, short int64) error {
	debt := short > 0 && h.Returns.IfUsed != "refuse" && h.Returns.IfUsed != "clamp"
	if debt {
		w.tally(h.Tally, period, -short)
	}
	value, missing, _ := w.standing(h, period, w.at)
	w.note(NoteChallengeBack, Args{"rule": {Rule: h.ID}, "amount": w.counted(h, n), "seen": w.counted(h, value), "missing": w.counted(h, missing)})
	data := map[string]string{"challenge": h.ID, "prizes": strconv.Itoa(broken)}
	if short > 0 {
		switch h.Returns.IfUsed {
		case "refuse":
			return errs.Conflict("prize_used", "What this purchase won is used already, and the program does not take returns that would leave that unpaid.").
				With("challenge", h.ID).With("missing", money.Format(short, h.Scale))
		case "clamp":
			w.note(NoteChallengeShort, Args{"rule": {Rule: h.ID}, "amount": w.counted(h, short)})
		default:
			w.note(NoteChallengeDebt, Args{"rule": {Rule: h.ID}, "amount": w.counted(h, short)})
		}
		data["short"] = money.Format(short, h.Scale)
	}
	if broken > 0 || short > 0 {
		w.event(EvChallengeBack, data)
	}
	return nil
}

// breakDue breaks prizes of a set or a streak that its counters do not come to any more.
func (w *work) breakDue(h *program.CompiledChallenge, period string) error {
	cs := w.challenge(h.ID)
	broken := 0
	short := w.acc.Tallies[WonTally(h)][period] - w.prizesDue(h, period)
	for short > 0 {
		i := w.breakable(h, cs, period)
		if i < 0 {
			break
		}
		if err := w.breakPrize(h, cs, i); err != nil {
			return err
		}
		broken++
		short--
	}
	if short <= 0 {
		if broken > 0 {
			w.event(EvChallengeBack, map[string]string{"challenge": h.ID, "prizes": strconv.Itoa(broken)})
		}
		return nil
	}
	switch h.Returns.IfUsed {
	case "refuse":
		return errs.Conflict("prize_used", "What this purchase won is used already, and the program does not take returns that would leave that unpaid.").With("challenge", h.ID)
	case "clamp": // it is let go: the next time it is reached there is a prize again
		w.tally(WonTally(h), period, -short)
	}
	w.event(EvChallengeBack, map[string]string{"challenge": h.ID, "prizes": strconv.Itoa(broken), "short": strconv.FormatInt(short, 10)})
	return nil
}

// breakable finds the prize of a window that is broken next: the newest that waits, then the newest that was not used; -1 for none.
func (w *work) breakable(h *program.CompiledChallenge, cs *ChallengeState, period string) int {
	if h.Returns.Prizes == "none" {
		return -1
	}
	unused := -1
	for i := len(cs.Prizes) - 1; i >= 0; i-- {
		p := &cs.Prizes[i]
		if p.Period != period || p.Over {
			continue
		}
		waits, open := w.prizeStands(h, p)
		if waits {
			return i
		}
		if open && unused < 0 {
			unused = i
		}
	}
	if h.Returns.Prizes == "waiting" {
		return -1
	}
	return unused
}

// prizeStands says whether a prize waits, or is there and unused. Points can always be taken back.
func (w *work) prizeStands(h *program.CompiledChallenge, p *PrizeState) (waits, open bool) {
	if p.Grant > 0 {
		i := w.grantAt(p.Grant)
		if i < 0 || w.st.Grants[i].Used > 0 {
			return false, false
		}
		return w.st.Grants[i].WaitsUntil != nil, true
	}
	if h.Gives.Reward != "" {
		return false, false
	}
	for _, a := range p.Awards {
		if l := w.lots[a.Lot]; l != nil && l.Pending > 0 {
			waits = true
		}
	}
	return waits, true
}

// breakPrize takes a prize back with all that came of it.
func (w *work) breakPrize(h *program.CompiledChallenge, cs *ChallengeState, i int) error {
	p := cs.Prizes[i]
	cs.Prizes = slices.Delete(cs.Prizes, i, i+1)
	cs.Won = max(cs.Won-1, 0)
	w.tally(WonTally(h), p.Period, -1)
	if p.Grant > 0 {
		w.ungrant(w.grantAt(p.Grant))
	}
	for _, a := range p.Awards {
		var lots []*ledger.Lot
		if l := w.lots[a.Lot]; l != nil && l.Open() { // only open lots are sure to be loaded
			lots = []*ledger.Lot{l}
		}
		if lots == nil && p.EndsAt != nil && !p.EndsAt.After(w.now) { // what has expired is gone and not asked for
			w.note(NoteForgiven, Args{"amount": Units(a.Unit, a.Amount)})
		} else if _, err := w.reverse(lots, a.Unit, a.Rule, a.Amount, p.Fact, w.p.Doc.Returns.IfSpent); err != nil {
			return err
		}
		w.d.Broken = append(w.d.Broken, Broken{h.ID, p.At, a.Unit, a.Amount})
		w.countUnit(a.Unit, -a.Amount, p.At)
		w.unlimit(a, 0, a.Amount)
	}
	return nil
}

// prizeOver marks the prize whose grant ended without a return.
func (w *work) prizeOver(g *Grant) {
	id, ok := strings.CutPrefix(g.Source, "challenge:")
	if cs := w.st.Challenges[id]; ok && cs != nil {
		for i := range cs.Prizes {
			if cs.Prizes[i].Grant == g.N {
				cs.Prizes[i].Over = true
			}
		}
	}
}

// challengeDue is the moment at which the end of its challenge changes a grant that waits; nil for never.
func (w *work) challengeDue(g *Grant) *time.Time { return challengeEnd(w.p, g) }

func challengeEnd(p *program.Compiled, g *Grant) *time.Time {
	if g.WaitsUntil == nil || len(p.Challenges) == 0 {
		return nil
	}
	id, _ := strings.CutPrefix(g.Source, "challenge:")
	h := p.Challenges[id]
	if h == nil || h.Until == nil {
		return nil
	}
	at := h.Until.Add(time.Microsecond).Truncate(time.Microsecond)
	return &at
}

// endChallenges lets prizes be used at once, or drops them, that wait in a challenge that has ended.
func (w *work) endChallenges() {
	for i := 0; i < len(w.st.Grants); {
		g := &w.st.Grants[i]
		at := w.challengeDue(g)
		if at == nil || at.After(w.at) {
			i++
			continue
		}
		id, _ := strings.CutPrefix(g.Source, "challenge:")
		if w.p.Challenges[id].AtEnd == "drop" {
			w.prizeOver(g)
			w.ungrant(i)
			continue
		}
		if !w.openGrant(i) {
			i++
		}
	}
}

// adjustChallenge counts by hand, or takes back what was counted.
func (w *work) adjustChallenge() error {
	a := w.f.Adjustment
	n, err := checkAdjustment(w.p, a)
	if err != nil {
		return err
	}
	h := w.p.Challenges[a.Challenge]
	if err := w.notClosed(); err != nil {
		return err
	}
	period := h.WindowKey(w.at, w.p.Zone)
	w.note(NoteChallengeHand, Args{"rule": {Rule: h.ID}, "amount": w.counted(h, n), "text": text(a.Reason)})
	w.board(h, period, n)
	if n < 0 {
		return w.takeCount(h, period, -n)
	}
	w.tally(h.Tally, period, n)
	if err := w.reach(h, period, n); err != nil {
		return err
	}
	w.tellProgress(h, period, n)
	return nil
}

// doChallenge lets a member join or leave, or be shown in the leaderboard or not.
func (w *work) doChallenge() error {
	if err := w.mayAct(); err != nil {
		return err
	}
	b := w.f.Challenge
	h := w.p.Challenges[b.Challenge]
	bad := func(pointer, reason, message string) error {
		return errs.Invalid("invalid_challenge", "This cannot be asked of the challenge.", errs.Field{Pointer: pointer, Reason: reason, Message: message})
	}
	switch {
	case h == nil:
		return errs.NotFound("challenge_not_found", "There is no challenge "+strconv.Quote(b.Challenge)+" in this program.")
	case b.Join && b.Leave:
		return bad("/leave", "contradiction", "goes without join")
	case (b.Join || b.Leave) && !h.Join:
		return bad("/join", "not_to_join", "everybody takes part in this challenge")
	case b.Show != nil && !h.Leaderboard:
		return bad("/show", "no_leaderboard", "this challenge has no leaderboard")
	case b.Show != nil && !goodName(*b.Show):
		return bad("/show", "not_a_name", "must have at most 40 characters, none of them a control character")
	case !b.Join && !b.Leave && b.Show == nil:
		return bad("", "required", "say join, leave or show")
	case h.Until != nil && w.at.After(*h.Until) && !b.Leave:
		return errs.Conflict("challenge_ended", "This challenge has ended.").With("challenge", h.ID)
	}
	cs := w.challenge(h.ID)
	if at := w.at; b.Join && cs.JoinedAt == nil {
		cs.JoinedAt = &at
		w.note(NoteChallengeIn, Args{"rule": {Rule: h.ID}})
		w.event(EvChallengeIn, map[string]string{"challenge": h.ID})
	}
	if b.Leave && cs.JoinedAt != nil {
		cs.JoinedAt = nil
		w.note(NoteChallengeOut, Args{"rule": {Rule: h.ID}})
		w.event(EvChallengeOut, map[string]string{"challenge": h.ID})
	}
	if b.Leave && h.Leaderboard {
		b = &ChallengeBody{Show: new(string)}
	}
	if b.Show == nil {
		return nil
	}
	cs.Shown = strings.TrimSpace(*b.Show)
	name := BoardTally(h)
	for _, period := range slices.Sorted(maps.Keys(w.acc.Tallies[TotalTally(h)])) {
		want := w.acc.Tallies[TotalTally(h)][period]
		if cs.Shown == "" {
			want = 0
		}
		w.tally(name, period, want-w.acc.Tallies[name][period])
	}
	return nil
}

func goodName(s string) bool {
	n := 0
	for _, r := range s {
		if n++; r < ' ' || r == 0x7f || n > 40 {
			return false
		}
	}
	return true
}

// carryChallenges joins the challenges of a member that was merged into this one: counters are summed already, and what they come to
// together is given. numbers are the new numbers of the grants.
func (w *work) carryChallenges(c *Carried, numbers map[int64]int64) error {
	for _, id := range slices.Sorted(maps.Keys(c.Challenges)) {
		theirs, mine := c.Challenges[id], w.challenge(id)
		mine.JoinedAt = earliest(mine.JoinedAt, theirs.JoinedAt)
		if mine.Shown == "" {
			mine.Shown = theirs.Shown
		}
		mine.Won += theirs.Won
		if theirs.WonAt != nil && (mine.WonAt == nil || mine.WonAt.Before(*theirs.WonAt)) {
			mine.WonAt = theirs.WonAt
		}
		for _, p := range theirs.Prizes {
			p.Grant = numbers[p.Grant]
			p.Awards = slices.Clone(p.Awards)
			for i := range p.Awards {
				p.Awards[i].Lot = 0 // the lots have other numbers here
			}
			mine.Prizes = append(mine.Prizes, p)
		}
		slices.SortStableFunc(mine.Prizes, func(a, b PrizeState) int { return a.At.Compare(b.At) })
		if n := len(mine.Prizes); n > keptPrizes {
			mine.Prizes = slices.Clone(mine.Prizes[n-keptPrizes:])
		}
	}
	for i := range w.p.Doc.Challenges {
		h := w.p.Challenges[w.p.Doc.Challenges[i].ID]
		w.mergeBoard(h)
		windows := map[string]bool{}
		for at := range c.Tallies[h.Tally] {
			window, _, _ := strings.Cut(at, ":")
			if h.Shape == program.StreakShape {
				window = "all"
			}
			windows[window] = true
		}
		for _, period := range slices.Sorted(maps.Keys(windows)) {
			if err := w.reach(h, period, 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// mergeBoard makes what the leaderboard shows that of both, or nothing where neither is shown. A set of both counts what both found once.
func (w *work) mergeBoard(h *program.CompiledChallenge) {
	if !h.Leaderboard {
		return
	}
	total, board := TotalTally(h), BoardTally(h)
	cs := w.st.Challenges[h.ID]
	for _, period := range slices.Sorted(maps.Keys(w.acc.Tallies[total])) {
		if h.Shape == program.SetShape {
			w.tally(total, period, w.found(h, period)-w.acc.Tallies[total][period])
		}
		want := w.acc.Tallies[total][period]
		if cs == nil || cs.Shown == "" {
			want = 0
		}
		w.tally(board, period, want-w.acc.Tallies[board][period])
	}
}

// leaveBoards takes a member who goes out of all leaderboards.
func (w *work) leaveBoards() {
	for _, name := range slices.Sorted(maps.Keys(w.acc.Tallies)) {
		if !strings.HasPrefix(name, boardTally) {
			continue
		}
		for _, period := range slices.Sorted(maps.Keys(w.acc.Tallies[name])) {
			w.tally(name, period, -w.acc.Tallies[name][period])
		}
	}
	for _, cs := range w.st.Challenges {
		cs.Shown = ""
	}
}

// moreChallengeTallies are the counters of challenges that facts about other things than what counts need.
func moreChallengeTallies(p *program.Compiled, st *State, f Fact) []TallyRange {
	var out []TallyRange
	switch f.Kind {
	case MergeIn:
		out = allChallengeTallies(p, st, f.OccurredAt)
	case Status:
		for i := range p.Doc.Challenges {
			if cs := st.Challenges[p.Doc.Challenges[i].ID]; cs != nil && cs.Shown != "" {
				out = append(out, TallyRange{BoardTally(p.Challenges[p.Doc.Challenges[i].ID]), "", allTallies})
			}
		}
	case AdjustmentK:
		if h := p.Challenges[f.Adjustment.Challenge]; h != nil {
			out = append(challengeRanges(st, h, h.WindowKey(f.OccurredAt, p.Zone)), triggerTallies(p, st, h, f.OccurredAt)...)
		}
	case ChallengeK:
		if h := p.Challenges[f.Challenge.Challenge]; h != nil {
			out = challengeRanges(st, h, "")
		}
	}
	return out
}

// checkCountByHand reads what is counted by hand.
func checkCountByHand(p *program.Compiled, a *Adjustment, fields []errs.Field) (int64, []errs.Field) {
	fail := func(pointer, reason, message string) (int64, []errs.Field) {
		return 0, append(fields, errs.Field{Pointer: pointer, Reason: reason, Message: message})
	}
	h := p.Challenges[a.Challenge]
	switch {
	case h == nil:
		return fail("/challenge", "unknown_challenge", "there is no challenge "+strconv.Quote(a.Challenge)+" in this program")
	case h.Shape != program.PlainShape:
		return fail("/challenge", "not_by_hand", "different things and streaks are not counted by hand")
	case a.Unit != "":
		return fail("/unit", "contradiction", "goes without challenge")
	case a.Amount == nil || a.To != nil:
		return fail("/amount", "required", "say how much more or less is counted")
	}
	n, err := a.Amount.Minor(h.Scale)
	if err != nil || n == 0 || n > maxMoney || n < -maxMoney {
		return fail("/amount", "not_an_amount", "must not be zero, and have at most "+strconv.Itoa(h.Scale)+" decimals")
	}
	return n, fields
}

// ChallengeProgress is where a member stands in a challenge, for people.
type ChallengeProgress struct {
	Challenge string
	// Running says that it counts now, Over that it did; Taking that the member takes part.
	Running, Over, Taking bool
	JoinedAt              *time.Time
	// Value is what counts towards the next prize, Missing what is missing of Goal; in minor units of the metric, or different things, or
	// periods running. Done says that there is no further prize in this window.
	Value, Goal, Missing int64
	Done                 bool
	// Won is how often it was reached in this window, Times in all, WonAt when last.
	Won, Times int64
	WonAt      *time.Time
	// Until is when the window or the challenge ends, or by when a streak must be kept up.
	Until *time.Time
	// Found and Left are the things of a set, where the program lists them.
	Found, Left []string
	// Waiting prizes are not yet to be used; Cost is what they took, with what was burnt.
	Waiting, Cost int64
	// Shown is the name in the leaderboard.
	Shown string
}

// ChallengesOf tells where a member stands in every challenge of the program. The account must be loaded as ChallengeNeeds says.
func ChallengesOf(p *program.Compiled, acc *Account, at time.Time) []ChallengeProgress {
	if len(p.Doc.Challenges) == 0 {
		return nil
	}
	w := newWork(p, Input{Account: acc, Fact: Fact{OccurredAt: at}})
	out := make([]ChallengeProgress, 0, len(p.Doc.Challenges))
	for i := range p.Doc.Challenges {
		out = append(out, w.progressIn(p.Challenges[p.Doc.Challenges[i].ID], at))
	}
	return out
}

func (w *work) progressIn(h *program.CompiledChallenge, at time.Time) ChallengeProgress {
	g := ChallengeProgress{Challenge: h.ID, Goal: h.Goal, Running: h.Running(at), Taking: w.takesPart(h, at)}
	if h.Until != nil {
		end := h.Until.Add(time.Nanosecond).Truncate(time.Microsecond)
		g.Until = &end
	}
	period := h.WindowKey(at, w.p.Zone)
	if h.Per != "" {
		end := program.EndOf(h.Per, at, w.p.Zone)
		g.Until = earliest(g.Until, &end)
	}
	if h.Shape == program.StreakShape {
		period = "all"
	}
	cs := w.st.Challenges[h.ID]
	if cs != nil {
		g.JoinedAt, g.Times, g.WonAt, g.Shown = cs.JoinedAt, cs.Won, cs.WonAt, cs.Shown
		for i := range cs.Prizes {
			if waits, _ := w.prizeStands(h, &cs.Prizes[i]); waits {
				g.Waiting++
				g.Cost += cs.Prizes[i].Cost + cs.Prizes[i].Burnt
			}
		}
	}
	g.Won = w.acc.Tallies[WonTally(h)][period]
	if !g.Running && h.Until != nil && at.After(*h.Until) { // what was counted is over with it
		g.Done, g.Over = g.Won > 0, true
		return g
	}
	g.Value, g.Missing, g.Done = w.standing(h, period, at)
	if h.Shape == program.StreakShape && g.Value > 0 {
		key := program.PeriodKey(h.Streak, at, w.p.Zone)
		end := program.EndOf(h.Streak, at, w.p.Zone)
		if w.acc.Tallies[h.Tally][key] >= h.Least { // this one is filled: it goes on with the next
			end = program.EndOf(h.Streak, end, w.p.Zone)
		}
		g.Until = earliest(g.Until, &end)
	}
	for _, v := range h.Of {
		if w.acc.Tallies[h.Tally][period+":"+program.ValueKey(v)] > 0 {
			g.Found = append(g.Found, v)
		} else {
			g.Left = append(g.Left, v)
		}
	}
	return g
}

// ChallengeNeeds says what an account must have loaded for ChallengesOf.
func ChallengeNeeds(p *program.Compiled, st *State, at time.Time) []TallyRange {
	var out []TallyRange
	for i := range p.Doc.Challenges {
		h := p.Challenges[p.Doc.Challenges[i].ID]
		out = append(out, challengeRanges(st, h, h.WindowKey(at, p.Zone))...)
	}
	return out
}

// CheckChallenges says what is wrong with the counters of a member's challenges, by the facts that made them: they are the fold of
// what was decided, no window has fewer prizes won than can still be broken, and nobody is in a leaderboard who is not shown.
func CheckChallenges(st *State, past []Past, tallies map[string]map[string]int64) string {
	ours := func(name string) bool {
		return strings.HasPrefix(name, "challenge:") || strings.HasPrefix(name, boardTally)
	}
	fold := map[string]map[string]int64{}
	for i := range past {
		for _, c := range past[i].Decision.Counters {
			if ours(c.Name) {
				if fold[c.Name] == nil {
					fold[c.Name] = map[string]int64{}
				}
				fold[c.Name][c.Period] += c.Add
			}
		}
	}
	names := map[string]bool{}
	for name := range tallies {
		names[name] = ours(name)
	}
	for name := range fold {
		names[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !names[name] {
			continue
		}
		for _, m := range []map[string]int64{tallies[name], fold[name]} {
			for _, period := range slices.Sorted(maps.Keys(m)) {
				have, want := tallies[name][period], fold[name][period]
				shown := st.Challenges[strings.TrimPrefix(name, boardTally)]
				switch {
				case have != want:
					return fmt.Sprintf("%s counts %d in %s, its facts come to %d", name, have, period, want)
				case strings.HasSuffix(name, "/won") && have < 0:
					return fmt.Sprintf("%s counts %d in %s", name, have, period)
				case strings.HasPrefix(name, boardTally) && have != 0 && (shown == nil || shown.Shown == ""):
					return fmt.Sprintf("%s shows %d in %s of a member who is not shown", name, have, period)
				}
			}
		}
	}
	return ""
}
