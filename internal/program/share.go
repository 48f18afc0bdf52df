package program

import (
	"fmt"
	"slices"
)

// Shared is something that a member may pass on to a friend: with a code, which the friend claims once.
type Shared struct {
	// ID names it in explanations, counters and the sources of grants. Required. Never reuse one for another meaning.
	ID string `json:"id"`
	// Title is shown to members.
	Title Text `json:"title,omitempty"`
	// Benefit or Reward is the id of what the friend may have: either of the two.
	Benefit string `json:"benefit,omitempty"`
	Reward  string `json:"reward,omitempty"`
	// Uses is how often the friend may use it, once when left out.
	Uses int64 `json:"uses,omitempty"`
	// When says who may pass it on: tier, plan, member_for, attribute, formula. Without it, all may.
	When *Condition `json:"when,omitempty"`
	// Claim is how long the code can be claimed. Required.
	Claim *Period `json:"claim,omitempty"`
	// Valid is how long the friend may use it from then on, to the end of the last day; for good when left out.
	Valid *Period `json:"valid,omitempty"`
	// Warn is how long before that end the friend is told.
	Warn *Period `json:"warn,omitempty"`
	// Limit caps how often it is passed on, by a member or by all together: per day, week, month, quarter, year or lifetime, with times.
	Limit Limits `json:"limit,omitempty"`
	// For is "newcomers" (the default: members who have bought nothing yet) or "everybody".
	For string `json:"for,omitempty"`
	// Thanks is what the one who passed it on gets when the friend uses it.
	Thanks *Thanks `json:"thanks,omitempty"`
}

// SharePrefix begins what shared things are called as rules, and as sources of grants: "share:ID".
const SharePrefix = "share:"

// CompiledShared is something shared with its condition compiled. What the giver gets is a rule called SharePrefix and its id.
type CompiledShared struct {
	*Shared
	When   *CompiledCondition
	Limits []CompiledLimit
}

// maxShares bounds how many things can be passed on.
const maxShares = 200

func (c *checker) shares() {
	if c.count("/shares", len(c.d.Shares), maxShares) {
		return
	}
	for i := range c.d.Shares {
		c.unique(at("/shares", i, "id"), c.d.Shares[i].ID, "thing to share")
		c.shared(at("/shares", i), &c.d.Shares[i])
	}
}

func (c *checker) shared(ptr string, s *Shared) {
	c.optionalText(ptr+"/title", s.Title)
	switch {
	case s.Benefit == "" && s.Reward == "":
		c.missing(ptr+"/benefit", "what the friend may have", "benefit: friends_discount or reward: coffee")
	case s.Benefit != "" && s.Reward != "":
		c.say(ptr+"/benefit", "there is a benefit and a reward", "keep one of them")
	case s.Benefit != "":
		if !slices.ContainsFunc(c.d.Benefits, func(b Benefit) bool { return b.ID == s.Benefit }) {
			c.say(ptr+"/benefit", fmt.Sprintf("there is no benefit %q", clip(s.Benefit)), "declare it under benefits")
		}
	default:
		i := slices.IndexFunc(c.d.Rewards, func(r Reward) bool { return r.ID == s.Reward })
		if i < 0 {
			c.say(ptr+"/reward", fmt.Sprintf("there is no reward %q", clip(s.Reward)), "declare it under rewards")
		} else if c.d.Rewards[i].Pay != nil {
			c.say(ptr+"/reward", "this reward is money off for points", "name a reward with a price or granted: true")
		}
	}
	if s.Uses < 0 || s.Uses > 1000 {
		c.say(ptr+"/uses", fmt.Sprintf("%d is no number of uses", s.Uses), "write 1 to 1000")
	}
	if s.When != nil {
		c.condition(ptr+"/when", s.When, "reward")
	}
	if s.Claim == nil {
		c.missing(ptr+"/claim", "how long the code can be claimed", "claim: 14 days")
	}
	c.period(ptr+"/claim", s.Claim, 1)
	c.period(ptr+"/valid", s.Valid, 1)
	c.period(ptr+"/warn", s.Warn, 1)
	c.without(ptr+"/warn", s.Warn != nil && s.Valid == nil, "warn goes with valid")
	c.limits(ptr+"/limit", s.Limit, rewardLimit, "")
	c.oneOf(ptr+"/for", s.For, vocabulary["Shared.for"]...)
	c.thanks(ptr+"/thanks", s.Thanks)
}

func (k *compiler) shares() {
	for i := range k.d.Shares {
		s := &k.d.Shares[i]
		rule := SharePrefix + s.ID
		c := &CompiledShared{Shared: s, When: k.condition("reward", s.When), Limits: k.limits(rule, s.Limit, 0)}
		k.thanks(rule, ThanksTrigger(rule), s.Title, s.Thanks)
		if k.c.Shares == nil {
			k.c.Shares = map[string]*CompiledShared{}
		}
		k.c.Shares[s.ID] = c
	}
}
