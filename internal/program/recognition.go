package program

import (
	"fmt"
	"slices"

	"lojal.dev/lojal/internal/money"
)

// Recognition is thanks between people: what one may give away, and cannot keep, becomes something else that the other one can.
type Recognition struct {
	// Title is shown to members.
	Title Text `json:"title,omitempty"`
	// Gives is the unit of the allowance. It must come to its end by itself, and buys nothing. Required. What gives it, a rule or staff, sets no later end.
	Gives string `json:"gives"`
	// Becomes is the unit in which it arrives, one for one. Required.
	Becomes string `json:"becomes"`
	// Values are what a thank-you may be for. With them, each names one.
	Values []Praise `json:"values,omitempty"`
	// Message is "optional" (the default) or "required".
	Message string `json:"message,omitempty"`
	// Min and Max bound one thank-you.
	Min *money.Decimal `json:"min,omitempty"`
	Max *money.Decimal `json:"max,omitempty"`
	// Limit caps what somebody may give: per day, week, month, quarter, year or lifetime.
	Limit Limits `json:"limit,omitempty"`
	// Between caps how often the same two may thank each other, whoever of them it is that thanks: so nothing is passed back and forth.
	Between *Between `json:"between,omitempty"`
	// Approval lets thanks wait until staff approves them. Without it, all arrive at once.
	Approval *Approval `json:"approval,omitempty"`
	// Undo is how long who gave may take it back; not at all without it.
	Undo *Period `json:"undo,omitempty"`
	// Feed is "own" (the default: members see what they gave and were given) or "all" (they see everybody's).
	Feed string `json:"feed,omitempty"`
}

// Praise is something that people thank each other for.
type Praise struct {
	// ID names it. Required.
	ID string `json:"id"`
	// Name is shown to members.
	Name Text `json:"name,omitempty"`
}

// Between caps something between two people.
type Between struct {
	// Per is "day", "week", "month", "quarter", "year" or "lifetime". Required.
	Per string `json:"per"`
	// Times is how often. Required.
	Times int64 `json:"times"`
}

// Approval says what waits for staff.
type Approval struct {
	// From is the least that waits; without it, all does.
	From *money.Decimal `json:"from,omitempty"`
	// Within is how long it waits before it is let go. Required.
	Within Period `json:"within"`
}

// RecognitionRule names what recognition gives in explanations, and RecognitionTrigger is that somebody was thanked.
const (
	RecognitionRule    = "recognition"
	RecognitionTrigger = "recognition"
)

// CompiledRecognition is a recognition with its numbers in minor units of the allowance.
type CompiledRecognition struct {
	*Recognition
	// Min, Max and From (of the approval) are -1 where there is none.
	Min, Max, From int64
	Limits         []CompiledLimit
	// Rule says on which terms it arrives.
	Rule *CompiledRule
}

// Value gives one of the things that people thank each other for.
func (r *Recognition) Value(id string) (Praise, bool) {
	i := slices.IndexFunc(r.Values, func(v Praise) bool { return v.ID == id })
	if i < 0 {
		return Praise{}, false
	}
	return r.Values[i], true
}

func (c *checker) recognition(ptr string, r *Recognition) {
	c.optionalText(ptr+"/title", r.Title)
	if first, ok := c.ids[RecognitionRule]; ok {
		c.say(first, fmt.Sprintf("the id %q is that of recognition itself", RecognitionRule), "give it another id")
	}
	gives, becomes := c.knownUnit(ptr+"/gives", r.Gives), c.knownUnit(ptr+"/becomes", r.Becomes)
	if gives && becomes {
		switch {
		case r.Gives == r.Becomes:
			c.say(ptr+"/becomes", "what arrives must be another unit than the allowance, or the allowance could be kept", "name another unit")
		case c.d.Units[r.Gives].Precision != c.d.Units[r.Becomes].Precision:
			c.say(ptr+"/becomes", "the two units have different numbers of decimals", "give both the same precision")
		}
	}
	if gives {
		if e := c.d.Units[r.Gives].Expires; e == nil || e.Never || e.After == nil && e.EndOf == "" && len(e.On) == 0 {
			c.say(at("/units", r.Gives, "expires"), "the allowance of recognition never ends by itself, so it could be kept", "write for example expires: {end_of: month}")
		}
		c.keepsOut(r.Gives)
		c.endsByItself(r.Gives)
	}
	seen := map[string]bool{}
	for i := range r.Values {
		p := at(ptr, "values", i, "id")
		if c.id(p, r.Values[i].ID, "value") && seen[r.Values[i].ID] {
			c.say(p, fmt.Sprintf("the id %q is used already", r.Values[i].ID), "keep one of them")
		}
		seen[r.Values[i].ID] = true
		c.optionalText(at(ptr, "values", i, "name"), r.Values[i].Name)
	}
	c.count(ptr+"/values", len(r.Values), maxMapItems)
	c.oneOf(ptr+"/message", r.Message, vocabulary["Recognition.message"]...)
	c.oneOf(ptr+"/feed", r.Feed, vocabulary["Recognition.feed"]...)
	if r.Min != nil {
		c.points(ptr+"/min", *r.Min, r.Gives, "min", zeroOrMore)
	}
	if r.Max != nil {
		c.points(ptr+"/max", *r.Max, r.Gives, "max", moreThanZero)
	}
	c.ordered(ptr, r.Min, r.Max)
	c.limits(ptr+"/limit", r.Limit, transferLimit, r.Gives)
	if b := r.Between; b != nil {
		if b.Per == "" {
			c.missing(ptr+"/between/per", "the time it counts in", "per: month")
		}
		c.oneOf(ptr+"/between/per", b.Per, vocabulary["Between.per"]...)
		if b.Times < 1 || b.Times > maxMinor {
			c.say(ptr+"/between/times", fmt.Sprintf("%d is no number of times", b.Times), "write 1 or more")
		}
	}
	if a := r.Approval; a != nil {
		if a.From != nil {
			c.points(ptr+"/approval/from", *a.From, r.Gives, "from", zeroOrMore)
		}
		c.period(ptr+"/approval/within", &a.Within, 1)
	}
	c.period(ptr+"/undo", r.Undo, 1)
}

// keepsOut sees that the allowance can be spent on nothing.
func (c *checker) keepsOut(unit string) {
	say := func(ptr string) {
		c.say(ptr, fmt.Sprintf("%q is the allowance of recognition and can only be given away", unit), "use another unit")
	}
	for i := range c.d.Rewards {
		r := &c.d.Rewards[i]
		if _, ok := r.Price[unit]; ok {
			say(at("/rewards", i, "price"))
		}
		for j := range r.Or {
			if _, ok := r.Or[j].Price[unit]; ok {
				say(at("/rewards", i, "or", j, "price"))
			}
		}
		if r.Pay != nil && r.Pay.Unit == unit {
			say(at("/rewards", i, "pay", "unit"))
		}
	}
	if t := c.d.Transfers; t != nil && slices.Contains(t.Units, unit) {
		say("/transfers/units")
	}
	for i := range c.d.Partners {
		if _, ok := c.d.Partners[i].Accepts[unit]; ok {
			say(at("/partners", i, "accepts"))
		}
	}
}

// endsByItself sees that the allowance ends as its unit says, whatever it came of.
func (c *checker) endsByItself(unit string) {
	say := func(ptr string, given string, e *Expiry) {
		if given == unit && e != nil {
			c.say(ptr, fmt.Sprintf("%q is the allowance of recognition and ends as its unit says, or it could be kept", unit), "remove expires, and write the end at the unit")
		}
	}
	for i := range c.d.Earn {
		if g := c.d.Earn[i].Give; g != nil {
			say(at("/earn", i, "expires"), g.Unit, c.d.Earn[i].Expires)
		}
	}
	if r := c.d.Referral; r != nil {
		if r.Friend != nil {
			say("/referral/friend/expires", r.Friend.Unit, r.Friend.Expires)
		}
		if r.Referrer != nil {
			say("/referral/referrer/expires", r.Referrer.Unit, r.Referrer.Expires)
		}
	}
	for i := range c.d.Shares {
		if t := c.d.Shares[i].Thanks; t != nil {
			say(at("/shares", i, "thanks", "expires"), t.Unit, t.Expires)
		}
	}
}

func (k *compiler) recognition(r *Recognition) {
	if r == nil {
		return
	}
	scale := k.d.precision(r.Gives)
	c := &CompiledRecognition{Recognition: r, Min: k.optional(r.Min, scale), Max: k.optional(r.Max, scale), From: -1, Limits: k.limits(RecognitionRule, r.Limit, scale),
		Rule: &CompiledRule{Rule: &Rule{ID: RecognitionRule, Title: r.Title, On: RecognitionTrigger}, Index: -1, Num: 1, Den: 1}}
	if r.Approval != nil {
		c.From = max(k.optional(r.Approval.From, scale), 0)
	}
	k.c.Recognition = c
}
