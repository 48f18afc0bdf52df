package program

import "lojal.dev/lojal/internal/money"

// Referral says what members get for bringing others. Both sides may be given something, or one. Where a merge of two members shows that
// nobody new was brought (the two are one person, had bought before, or brought the one who invited), what both sides got goes back.
type Referral struct {
	// Title is shown to members.
	Title Text `json:"title,omitempty"`
	// Qualifies says which purchase of the friend counts. Without it, the first one does, whatever it is.
	Qualifies Qualifies `json:"qualifies,omitzero"`
	// Friend is what the one who was invited gets, with the purchase that qualifies.
	Friend *Thanks `json:"friend,omitempty"`
	// Referrer is what the one who invited gets for it.
	Referrer *Thanks `json:"referrer,omitempty"`
	// Late is how long after enrolling a member who has bought nothing yet may still say who invited them. Without it, only an enrolment says so.
	Late *Period `json:"late,omitempty"`
}

// Qualifies says which purchase of a friend counts.
type Qualifies struct {
	// When is the condition that the purchase must meet. Goods that come back so that it does not meet it any more take the thanks back.
	When *Condition `json:"when,omitempty"`
	// Within is the latest time after the invitation was accepted.
	Within *Period `json:"within,omitempty"`
	// Purchase is "any" (the default: the first that meets the condition) or "first": the friend's first purchase decides, and no later one.
	Purchase string `json:"purchase,omitempty"`
}

// Thanks is what somebody gets for what they, or another for their sake, did.
type Thanks struct {
	// Unit and Amount are what is given. Required.
	Unit   string        `json:"unit"`
	Amount money.Decimal `json:"amount"`
	// Limit caps it: one limit or a list.
	Limit Limits `json:"limit,omitempty"`
	// Pending keeps what is given from being spent for a while.
	Pending *Pending `json:"pending,omitempty"`
	// Expires overrides the unit's expiry.
	Expires *Expiry `json:"expires,omitempty"`
}

// The rules that a referral is made of, as explanations name them, and their triggers.
const (
	ReferralRule       = "referral"
	ReferralThanksRule = "referral-thanks"

	ReferralTrigger = "referral"
)

// ThanksTrigger is the trigger of what is given for something that another did: "thanks:referral".
func ThanksTrigger(what string) string { return "thanks:" + what }

func (c *checker) referral(ptr string, r *Referral) {
	c.optionalText(ptr+"/title", r.Title)
	if r.Friend == nil && r.Referrer == nil {
		c.missing(ptr+"/referrer", "what is given", "referrer: {unit: star, amount: 50}")
	}
	for _, id := range []string{ReferralRule, ReferralThanksRule} {
		if first, ok := c.ids[id]; ok {
			c.say(first, "the id "+`"`+id+`"`+" is that of the referral itself", "give the rule another id")
		}
	}
	if q := &r.Qualifies; q.When != nil {
		c.condition(ptr+"/qualifies/when", q.When, "purchase")
	}
	c.oneOf(ptr+"/qualifies/purchase", r.Qualifies.Purchase, vocabulary["Qualifies.purchase"]...)
	c.period(ptr+"/qualifies/within", r.Qualifies.Within, 1)
	c.period(ptr+"/late", r.Late, 1)
	c.thanks(ptr+"/friend", r.Friend)
	c.thanks(ptr+"/referrer", r.Referrer)
}

func (c *checker) thanks(ptr string, t *Thanks) {
	if t == nil {
		return
	}
	c.knownUnit(ptr+"/unit", t.Unit)
	c.points(ptr+"/amount", t.Amount, t.Unit, "amount", moreThanZero)
	c.limits(ptr+"/limit", t.Limit, ruleLimit, t.Unit)
	if t.Pending != nil {
		c.pending(ptr+"/pending", t.Pending)
	}
	if t.Expires != nil {
		c.expiry(ptr+"/expires", t.Expires)
	}
}

func (k *compiler) referral(r *Referral) {
	if r == nil {
		return
	}
	k.c.Referral = &CompiledReferral{Referral: r, When: k.condition("purchase", r.Qualifies.When), First: r.Qualifies.Purchase == "first"}
	k.thanks(ReferralRule, ReferralTrigger, r.Title, r.Friend)
	k.thanks(ReferralThanksRule, ThanksTrigger("referral"), r.Title, r.Referrer)
}

// thanks makes a rule of what is given, so that limits, ends and explanations are those of any rule.
func (k *compiler) thanks(id, trigger string, title Text, t *Thanks) {
	if t != nil {
		k.rule(len(k.d.Earn), &Rule{ID: id, Title: title, On: trigger, Give: &Give{Unit: t.Unit, Amount: &t.Amount}, Limit: t.Limit, Pending: t.Pending, Expires: t.Expires})
	}
}

func (d *differ) referral() {
	a, b := d.a.Referral, d.b.Referral
	whole(d, "referral", "/referral", a, b)
}
