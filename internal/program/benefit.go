package program

import "lojal.dev/lojal/internal/money"

// Benefit is something a member may have that costs no points and is not handed over once: free delivery, early access, a
// discount, a lounge. Whether a member has it now is worked out whenever somebody asks.
//
// Whom is it for? A tier that names it among its benefits brings it, and so does a plan; one that no tier and no plan names
// is everybody's. Its condition must hold besides.
type Benefit struct {
	// ID names the benefit. Required. Never reuse one for another meaning.
	ID string `json:"id"`
	// Title and Description are shown to members.
	Title       Text `json:"title,omitempty"`
	Description Text `json:"description,omitempty"`
	// Picture is the address of a picture.
	Picture string `json:"picture,omitempty"`
	// When must hold: tier, only_tier, plan, member_for, attribute, weekdays, hours, dates, formula.
	When *Condition `json:"when,omitempty"`
	// From and Until bound it in time, as for rules.
	From  string `json:"from,omitempty"`
	Until string `json:"until,omitempty"`
	// Value is what it is worth, where it is worth something. Without it, a member has it or has it not.
	Value *Value `json:"value,omitempty"`
	// Grows lets the value rise with time, with what was bought, or with the tier.
	Grows *Growth `json:"grows,omitempty"`
	// Fades lets the value fall while nothing is bought, never without a warning first.
	Fades *Fading `json:"fades,omitempty"`
	// Limit caps how often a member may use it: per day, week, month, quarter, year or lifetime, with times.
	Limit Limits `json:"limit,omitempty"`
}

// Value is what a benefit is worth. One of the three.
type Value struct {
	// Percent is the part off, 0 to 100.
	Percent *money.Decimal `json:"percent,omitempty"`
	// Money is the money off, in the program's currency.
	Money *money.Decimal `json:"money,omitempty"`
	// Ahead is how long before others: a sale that opens at ten opens at ten the day before, with "1 day".
	Ahead *Period `json:"ahead,omitempty"`
}

// Growth lets a benefit's value rise in steps. One of By and Tier.
type Growth struct {
	// By is what is counted, as for tiers: {tenure: true}, or {sum: spend, window: rolling 12 months}.
	By *Metric `json:"by,omitempty"`
	// Tier is a tier set: the value then goes by the tier.
	Tier string `json:"tier,omitempty"`
	// Steps are what it rises to, from the lowest to the highest. Required.
	Steps []GrowthStep `json:"steps"`
}

// GrowthStep is what a benefit is worth from a point on. It has a value of the same sort as the benefit's own.
type GrowthStep struct {
	// From is the least of the metric, as for a tier.
	From *money.Decimal `json:"from,omitempty"`
	// After, with tenure, is the time since joining.
	After *Period `json:"after,omitempty"`
	// Tier, with a tier set, is the tier from which it holds.
	Tier string `json:"tier,omitempty"`
	// Percent, Money or Ahead is the value.
	Percent *money.Decimal `json:"percent,omitempty"`
	Money   *money.Decimal `json:"money,omitempty"`
	Ahead   *Period        `json:"ahead,omitempty"`
}

// Fading lets a benefit's value fall in steps, counted from the last purchase (or, before the first one, from joining). Buying
// brings it back at once; what cost nothing is not buying, and a purchase of which nothing that cost anything is left was none. A step waits until the member has been warned for as long as Warn says.
type Fading struct {
	// Since is "purchase", which it is when left out.
	Since string `json:"since,omitempty"`
	// Steps are what it falls to, the soonest first. Required.
	Steps []FadeStep `json:"steps"`
	// Warn is how long before each step the member is warned. Required.
	Warn Period `json:"warn"`
}

// FadeStep is what is left of a benefit when nothing was bought for a while. Without a value, the benefit ends there.
type FadeStep struct {
	// After is the time since the last purchase. Required.
	After Period `json:"after"`
	// Percent, Money or Ahead is the most it is worth from then on. 0 ends it.
	Percent *money.Decimal `json:"percent,omitempty"`
	Money   *money.Decimal `json:"money,omitempty"`
	Ahead   *Period        `json:"ahead,omitempty"`
}

// Plan is a paid membership. Billing is done elsewhere: that it began, was paid, failed or was cancelled comes from there.
type Plan struct {
	// ID names the plan. Required. Never reuse one for another meaning.
	ID string `json:"id"`
	// Title and Description are shown to members.
	Title       Text `json:"title,omitempty"`
	Description Text `json:"description,omitempty"`
	// Price is what a period costs, for showing: who bills decides.
	Price *money.Decimal `json:"price,omitempty"`
	// Every is how long a payment lasts: "1 month" or "1 year". Required.
	Every Period `json:"every"`
	// Trial is how long a member may have it before the first payment, once in a lifetime.
	Trial *Period `json:"trial,omitempty"`
	// Grace is how long it goes on when a period has ended and nothing was paid. When left out it is 1 day, since it takes a
	// while until a payment is told of; "0 days" is none.
	Grace *Period `json:"grace,omitempty"`
	// Benefits are the ids of what it brings.
	Benefits Words `json:"benefits,omitempty"`
}
