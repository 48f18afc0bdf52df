package program

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"lojal.dev/lojal/internal/money"
)

// Challenge is something to reach: a punch card, a target, a treasure hunt, a streak. What is counted is Count or Sum; Set counts
// different things, Streak periods running.
type Challenge struct {
	// ID names the challenge in explanations, counters and "challenge:ID" as a trigger of rules. Required. Never reuse one for another meaning.
	ID string `json:"id"`
	// Title and Description are shown to members.
	Title       Text `json:"title,omitempty"`
	Description Text `json:"description,omitempty"`
	// On is what counts: "purchase", "activity:KIND", or "recognition" (being thanked by another). Required.
	On string `json:"on"`
	// Lines narrows a purchase to some of its lines.
	Lines *Lines `json:"lines,omitempty"`
	// When is the condition that must hold for a purchase or activity to count.
	When *Condition `json:"when,omitempty"`
	// Count is "purchases", "items" (pieces), "lines" or, for an activity, "times". What cost nothing is not counted. One of Count, Sum
	// and Set, but for a streak, which counts purchases or times when nothing is said.
	Count string `json:"count,omitempty"`
	// Sum is "spend" (money), the id of a unit (what was earned of it), or for an activity the name of a property that is a number.
	Sum string `json:"sum,omitempty"`
	// Basis says which money counts for spend.
	Basis *Basis `json:"basis,omitempty"`
	// Set counts different things: "sku", "category", "brand", "store", "channel", or for an activity the name of a property.
	Set string `json:"set,omitempty"`
	// Of, with Set, lists the things that count. Without it any does.
	Of Words `json:"of,omitempty"`
	// Streak counts periods running: "day", "week", "month", "quarter" or "year".
	Streak string `json:"streak,omitempty"`
	// Least, with Streak, is how much must be counted in each period, one when left out.
	Least *money.Decimal `json:"least,omitempty"`
	// Goal is how much there is to reach: pieces, money, points, different things (all of Of when left out), or periods running.
	Goal *money.Decimal `json:"goal,omitempty"`
	// Per counts anew each "day", "week", "month", "quarter" or "year".
	Per string `json:"per,omitempty"`
	// Repeats begins anew after each prize: what is above the goal counts for the next. Without it there is one prize (with Per, one each).
	Repeats bool `json:"repeats,omitempty"`
	// Times is the most prizes in all (with Per, in each), for one that repeats.
	Times *int64 `json:"times,omitempty"`
	// AtOnce is the most prizes that a single purchase or activity can bring.
	AtOnce *int64 `json:"at_once,omitempty"`
	// Above, with AtOnce, is what becomes of that which a purchase counted above it: "carry" (the default: it counts for the next prizes) or
	// "burn" (it is part of what the prizes cost: nothing of it is kept but for a return, which takes from it first).
	Above string `json:"above,omitempty"`
	// Gives is the prize.
	Gives Prize `json:"gives,omitzero"`
	// Badge is the name of a badge that the member has from then on.
	Badge Text `json:"badge,omitempty"`
	// From and Until bound the business time of what counts, both inclusive: a date (the whole local day) or a time with offset.
	From  string `json:"from,omitempty"`
	Until string `json:"until,omitempty"`
	// AtEnd is what becomes of prizes that wait when Until has passed: "issue" (the default: they may be used at once) or "drop".
	AtEnd string `json:"at_end,omitempty"`
	// Join says that only members who joined take part, from the moment they do.
	Join bool `json:"join,omitempty"`
	// Leaderboard shows those members who asked to be shown, in order of all they counted.
	Leaderboard bool `json:"leaderboard,omitempty"`
	// Returns says what happens when goods come back.
	Returns ChallengeReturns `json:"returns,omitzero"`
}

// Prize is what reaching a challenge gives: a reward to be had, or points. The trigger "challenge:ID" lets rules give more.
type Prize struct {
	// Reward is the id of a reward, which the member may then have at no price.
	Reward string `json:"reward,omitempty"`
	// Uses is how often, once when left out.
	Uses int64 `json:"uses,omitempty"`
	// Unit and Amount are points.
	Unit   string         `json:"unit,omitempty"`
	Amount *money.Decimal `json:"amount,omitempty"`
	// Waits is the time before the prize may be used: so long a return can still break it. "14 days".
	Waits *Period `json:"waits,omitempty"`
	// Valid is how long the reward may be used from then on, to the end of its last day; for good when left out.
	Valid *Period `json:"valid,omitempty"`
	// Warn is how long before that end the member is told.
	Warn *Period `json:"warn,omitempty"`
	// HandOver redeems the reward by itself as soon as it may be used: a voucher's code is there without asking.
	HandOver bool `json:"hand_over,omitempty"`
}

// ChallengeReturns says what goods that come back take from a challenge. It is always in this order: what was burnt above the
// goal, what is counted towards the next prize, then prizes, the newest first, of which what is left over is counted again.
type ChallengeReturns struct {
	// Counted is "take back" (the default) or "keep".
	Counted string `json:"counted,omitempty"`
	// Prizes that may be broken: "unused" (the default: those that wait, then those that were not used), "waiting", or "none".
	Prizes string `json:"prizes,omitempty"`
	// IfUsed, when there is no prize to break: "debt" (the default: the next prize takes so much more), "clamp" (it is let go, and told) or
	// "refuse" (the return is refused).
	IfUsed string `json:"if_used,omitempty"`
}

// The shapes of challenges.
const (
	PlainShape  = "plain"
	SetShape    = "set"
	StreakShape = "streak"
)

// CompiledChallenge is a challenge with its numbers in minor units.
type CompiledChallenge struct {
	*Challenge
	Index       int
	From, Until *time.Time
	When        *CompiledCondition
	// Shape is "plain", "set" or "streak".
	Shape string
	// Metric is "items", "lines", "purchases", "times", "spend", "unit:ID" or "property:NAME"; "set:FIELD" for a set. Scale is its decimals.
	Metric string
	Scale  int
	// Goal is in minor units of the metric; different things, or periods running, for a set or a streak. Least is of the metric.
	Goal, Least int64
	// Most prizes in a window, -1 without end; AtOnce of one purchase, 0 without end.
	Most, AtOnce int64
	// Tally is the name under which it is counted. It changes when what is counted does.
	Tally string
	// Amount is Gives.Amount in minor units; PrizeRule says on which terms points are given.
	Amount    int64
	PrizeRule *CompiledRule
	// Values are the things of a set by their keys.
	Values map[string]string
}

// Trigger names a challenge as what rules listen to.
func (c *CompiledChallenge) Trigger() string { return "challenge:" + c.ID }

// WindowKey names the counters of the window that a moment falls in.
func (c *CompiledChallenge) WindowKey(at time.Time, zone *time.Location) string {
	return PeriodKey(c.Per, at, zone)
}

// ValueKey makes a counter's name of a thing of a set: any text, and short.
func ValueKey(value string) string {
	sum := sha256.Sum256([]byte(value))
	return hex.EncodeToString(sum[:10])
}

// Running says whether a moment lies in the challenge's window.
func (c *CompiledChallenge) Running(at time.Time) bool {
	return (c.From == nil || !at.Before(*c.From)) && (c.Until == nil || !at.After(*c.Until))
}

// challengeSets are what a set of a purchase can tell apart.
var challengeSets = []string{"sku", "category", "brand", "store", "channel"}

const maxChallenges = 200

// challenges checks them all, after rules and rewards have their ids.
func (c *checker) challenges() {
	for i := range c.d.Challenges {
		c.challenge(at("/challenges", i), &c.d.Challenges[i])
	}
}

func (c *checker) challenge(ptr string, h *Challenge) {
	c.optionalText(ptr+"/title", h.Title)
	c.optionalText(ptr+"/description", h.Description)
	c.optionalText(ptr+"/badge", h.Badge)
	kind, isActivity := strings.CutPrefix(h.On, "activity:")
	if !isActivity {
		kind = ""
	}
	switch {
	case h.On == "":
		c.missing(ptr+"/on", "what counts", "purchase, or activity:own_cup")
	case isActivity:
		c.knownActivity(ptr+"/on", kind)
	case h.On == RecognitionTrigger && c.d.Recognition == nil:
		c.say(ptr+"/on", "the program has no recognition", "declare recognition, or write purchase or activity:KIND")
	case h.On != "purchase" && h.On != RecognitionTrigger:
		c.say(ptr+"/on", fmt.Sprintf("%q cannot be counted", clip(h.On)), "write purchase, recognition, or activity:KIND")
	}
	onPurchase := h.On == "purchase"
	if h.Lines != nil {
		if !onPurchase && h.On != "" {
			c.say(ptr+"/lines", "only a purchase has lines", "remove lines, or write on: purchase")
		}
		c.lines(ptr+"/lines", h.Lines)
	}
	if h.Basis != nil {
		if h.Sum != "spend" {
			c.say(ptr+"/basis", "basis goes with sum: spend", "remove it")
		}
		c.basis(ptr+"/basis", h.Basis, h.Lines != nil)
	}
	if h.When != nil {
		c.condition(ptr+"/when", h.When, h.On)
	}
	c.counted(ptr, h, kind, isActivity || h.On == RecognitionTrigger)
	c.goal(ptr, h)
	c.window(ptr, h.From, h.Until)
	c.oneOf(ptr+"/per", h.Per, vocabulary["Challenge.per"]...)
	c.oneOf(ptr+"/above", h.Above, vocabulary["Challenge.above"]...)
	c.oneOf(ptr+"/at_end", h.AtEnd, vocabulary["Challenge.at_end"]...)
	c.oneOf(ptr+"/returns/counted", h.Returns.Counted, vocabulary["ChallengeReturns.counted"]...)
	c.oneOf(ptr+"/returns/prizes", h.Returns.Prizes, vocabulary["ChallengeReturns.prizes"]...)
	c.oneOf(ptr+"/returns/if_used", h.Returns.IfUsed, vocabulary["ChallengeReturns.if_used"]...)
	c.without(ptr+"/at_end", h.AtEnd != "" && h.Until == "", "at_end goes with until")
	c.without(ptr+"/above", h.Above != "" && h.AtOnce == nil, "above goes with at_once")
	c.without(ptr+"/times", h.Times != nil && !h.Repeats, "times goes with repeats: true")
	for _, n := range []struct {
		at string
		n  *int64
	}{{"/times", h.Times}, {"/at_once", h.AtOnce}} {
		if n.n != nil && (*n.n < 1 || *n.n > 1_000_000) {
			c.say(ptr+n.at, fmt.Sprintf("%d is no number of prizes", *n.n), "write 1 or more, or remove it")
		}
	}
	c.prize(ptr+"/gives", &h.Gives)
}

// counted checks what is counted. Being thanked is counted as activities are.
func (c *checker) counted(ptr string, h *Challenge, kind string, isActivity bool) {
	forms := 0
	for _, given := range []bool{h.Count != "", h.Sum != "", h.Set != ""} {
		if given {
			forms++
		}
	}
	switch {
	case forms == 0 && h.Streak == "":
		c.missing(ptr+"/count", "what is counted", "count: items, sum: spend, set: store or streak: week")
	case forms > 1:
		c.say(ptr, "there is more than one of count, sum and set", "keep one of them")
	case h.Set != "" && h.On == RecognitionTrigger:
		c.say(ptr+"/set", "there is nothing to tell apart in being thanked", "count: times, or sum a unit")
	case h.Set != "" && h.Streak != "":
		c.say(ptr+"/streak", "a set has no streak", "keep one of set and streak")
	}
	c.oneOf(ptr+"/streak", h.Streak, vocabulary["Challenge.streak"]...)
	if h.Count != "" && c.oneOf(ptr+"/count", h.Count, vocabulary["Challenge.count"]...) && h.On != "" && (h.Count == "times") != isActivity {
		c.say(ptr+"/count", fmt.Sprintf("%q is not counted on %s", h.Count, h.On), word(isActivity, "write times", "write purchases, items or lines"))
	}
	properties := c.d.Activities[kind].Properties
	if h.Sum != "" && h.Sum != "spend" {
		p := properties[h.Sum]
		_, isUnit := c.d.Units[h.Sum]
		switch {
		case isActivity && (p == "number" || p == "whole"):
		case isUnit:
		default:
			known := append([]string{"spend"}, c.units...)
			if isActivity {
				known = append(slices.Clone(c.units), sortedKeys(properties)...)
			}
			c.say(ptr+"/sum", fmt.Sprintf("%q is no sum", clip(h.Sum)), didYouMean(h.Sum, known, "sums"))
		}
	}
	if h.Sum == "spend" && isActivity {
		c.say(ptr+"/sum", "an activity spends nothing", "sum a property that is a number, or a unit")
	}
	switch _, isProperty := properties[h.Set]; {
	case h.Set == "":
		c.without(ptr+"/of", len(h.Of) > 0, "of goes with set")
	case isActivity && (isProperty || h.Set == "store" || h.Set == "channel"):
	case !isActivity && slices.Contains(challengeSets, h.Set):
	default:
		known := challengeSets
		if isActivity {
			known = append([]string{"store", "channel"}, sortedKeys(properties)...)
		}
		c.say(ptr+"/set", fmt.Sprintf("%q cannot be told apart", clip(h.Set)), didYouMean(h.Set, known, "things"))
	}
	c.words(ptr+"/of", h.Of)
	if h.Per != "" && h.Streak != "" {
		c.say(ptr+"/per", "a streak counts periods of its own", "remove per")
	}
	if h.Set != "" && h.Repeats {
		c.say(ptr+"/repeats", "a set is full once", "remove repeats, or count anew with per")
	}
	if h.Leaderboard && h.Streak != "" {
		c.say(ptr+"/leaderboard", "a streak has no leaderboard", "remove it, or count purchases")
	}
	if h.Least != nil && h.Streak == "" {
		c.say(ptr+"/least", "least goes with streak", "remove it")
	}
}

// challengeScale is the number of decimals of what is counted.
func (d *Document) challengeScale(h *Challenge) int {
	_, kind, _ := strings.Cut(h.On, ":")
	switch {
	case h.Sum == "spend":
		return money.Exponent(d.Currency)
	case h.Sum != "":
		if p, ok := d.Activities[kind].Properties[h.Sum]; ok {
			return map[string]int{"number": 3}[p]
		}
		return d.precision(h.Sum)
	case h.Count == "items":
		return 3
	}
	return 0
}

func (c *checker) goal(ptr string, h *Challenge) {
	scale := c.d.challengeScale(h)
	if h.Streak != "" || h.Set != "" {
		if h.Least != nil {
			c.decimal(ptr+"/least", *h.Least, scale, "least", moreThanZero)
		}
		scale = 0
	}
	switch {
	case h.Goal != nil:
		c.decimal(ptr+"/goal", *h.Goal, scale, "goal", moreThanZero)
	case len(h.Of) == 0:
		c.missing(ptr+"/goal", "the goal", "goal: 9")
	}
	if h.Goal != nil && len(h.Of) > 0 && h.Goal.Cmp(money.New(int64(len(h.Of)), 0)) > 0 {
		c.say(ptr+"/goal", fmt.Sprintf("only %d things count", len(h.Of)), "write a goal that can be reached")
	}
	if most := money.New(10_000, 0); (h.Set != "" || h.Streak != "") && h.Goal != nil && h.Goal.Cmp(most) > 0 {
		c.say(ptr+"/goal", "the goal is too far away", "write at most 10000")
	}
}

func (c *checker) prize(ptr string, p *Prize) {
	c.without(ptr+"/uses", p.Uses != 0 && p.Reward == "", "uses goes with reward")
	c.without(ptr+"/valid", p.Valid != nil && p.Reward == "", "valid goes with reward; points end as their unit says")
	c.without(ptr+"/warn", p.Warn != nil && p.Valid == nil, "warn goes with valid")
	c.without(ptr+"/hand_over", p.HandOver && p.Reward == "", "hand_over goes with reward")
	c.without(ptr+"/waits", p.Waits != nil && p.Reward == "" && p.Unit == "", "there is no prize that could wait")
	c.period(ptr+"/waits", p.Waits, 1)
	c.period(ptr+"/valid", p.Valid, 1)
	c.period(ptr+"/warn", p.Warn, 1)
	if p.Reward != "" && p.Unit != "" {
		c.say(ptr+"/unit", "there are both reward and unit", "keep one, and give the other by a rule on challenge:ID")
	}
	if p.Reward != "" {
		i := slices.IndexFunc(c.d.Rewards, func(r Reward) bool { return r.ID == p.Reward })
		switch {
		case i < 0:
			ids := make([]string, len(c.d.Rewards))
			for k := range c.d.Rewards {
				ids[k] = c.d.Rewards[k].ID
			}
			c.say(ptr+"/reward", fmt.Sprintf("there is no reward %q", clip(p.Reward)), didYouMean(p.Reward, ids, "rewards"))
		case c.d.Rewards[i].Pay != nil:
			c.say(ptr+"/reward", "this reward is money off for points", "give points, or a reward with a price or granted: true")
		case p.HandOver && p.Uses > 1 && c.d.Rewards[i].Gives.Voucher != nil:
			c.say(ptr+"/uses", "one voucher is handed over at a time", "remove uses")
		}
	}
	if p.Uses < 0 || p.Uses > 1000 {
		c.say(ptr+"/uses", fmt.Sprintf("%d is no number of uses", p.Uses), "write 1 to 1000")
	}
	switch {
	case p.Unit != "" && p.Amount == nil:
		c.missing(ptr+"/amount", "how many points", "amount: 100")
	case p.Unit == "" && p.Amount != nil:
		c.missing(ptr+"/unit", "the unit", strings.Join(append(c.units, "star")[:1], ""))
	case p.Unit != "" && c.knownUnit(ptr+"/unit", p.Unit):
		c.points(ptr+"/amount", *p.Amount, p.Unit, "amount", moreThanZero)
	}
}

// challenge compiles one.
func (k *compiler) challenge(i int, h *Challenge) {
	c := &CompiledChallenge{Challenge: h, Index: i, Shape: PlainShape, Most: 1, Scale: k.d.challengeScale(h), Least: 1}
	c.From, c.Until = k.window(h.From, h.Until)
	c.When = k.condition(h.On, h.When)
	_, kind, isActivity := strings.Cut(h.On, ":")
	_, isProperty := k.d.Activities[kind].Properties[h.Sum]
	switch {
	case h.Sum == "spend":
		c.Metric = "spend"
	case h.Sum != "" && isActivity && isProperty:
		c.Metric = "property:" + h.Sum
	case h.Sum != "":
		c.Metric = "unit:" + h.Sum
	case h.Count != "":
		c.Metric = h.Count
	case h.Set != "":
		c.Metric = "set:" + h.Set
	case isActivity || h.On == RecognitionTrigger:
		c.Metric = "times"
	default:
		c.Metric = "purchases"
	}
	goalScale := c.Scale
	switch {
	case h.Set != "":
		c.Shape, goalScale = SetShape, 0
		c.Values = map[string]string{}
		for _, v := range h.Of {
			c.Values[ValueKey(v)] = v
		}
		c.Goal = int64(len(c.Values))
	case h.Streak != "":
		c.Shape, goalScale = StreakShape, 0
		if h.Least != nil {
			c.Least = k.minor(*h.Least, c.Scale)
		}
	}
	if h.Goal != nil {
		c.Goal = k.minor(*h.Goal, goalScale)
	}
	if h.Repeats {
		c.Most = -1
	}
	if h.Times != nil {
		c.Most = *h.Times
	}
	if h.AtOnce != nil {
		c.AtOnce = *h.AtOnce
	}
	c.Tally = "challenge:" + h.ID + "/" + c.Metric
	if h.Streak != "" {
		c.Tally += "@" + h.Streak
	}
	if h.Gives.Amount != nil {
		c.Amount = k.minor(*h.Gives.Amount, k.d.precision(h.Gives.Unit))
	}
	c.PrizeRule = &CompiledRule{Rule: &Rule{ID: h.ID, Title: h.Title}, Index: -1, Num: 1, Den: 1}
	if h.Gives.Waits != nil {
		c.PrizeRule.Pending = &Pending{For: h.Gives.Waits}
	}
	if k.c.Challenges == nil {
		k.c.Challenges, k.c.ChallengesOn = map[string]*CompiledChallenge{}, map[string][]*CompiledChallenge{}
	}
	k.c.Challenges[h.ID] = c
	k.c.ChallengesOn[h.On] = append(k.c.ChallengesOn[h.On], c)
}

// knownChallenge says whether a trigger is a challenge of the program.
func (c *checker) knownChallenge(on string) bool {
	id, ok := strings.CutPrefix(on, "challenge:")
	return ok && slices.ContainsFunc(c.d.Challenges, func(h Challenge) bool { return h.ID == id })
}

// challengeEnds are the moments at which the challenges of a document change accounts by time alone.
func challengeEnds(d *Document) map[string]string {
	var out map[string]string
	for i := range d.Challenges {
		if h := &d.Challenges[i]; h.Until != "" {
			if out == nil {
				out = map[string]string{}
			}
			out[h.ID] = h.Until + " " + h.AtEnd
		}
	}
	return out
}

func (d *differ) challenges() {
	a, b := d.a.Challenges, d.b.Challenges
	byID(a, b, func(h *Challenge) string { return h.ID }, func(j int) {
		d.add(at("/challenges", j), d.say("challenge.new", b[j].ID))
	}, func(i int) {
		d.add(at("/challenges", i), d.say("challenge.removed", a[i].ID))
	}, func(i, j int) {
		d.fields(at("/challenges", j), d.say("challenge", b[j].ID), reflect.ValueOf(a[i]), reflect.ValueOf(b[j]), "id")
	})
}
