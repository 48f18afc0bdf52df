package program

import (
	"time"

	"lojal.dev/lojal/internal/condition"
	"lojal.dev/lojal/internal/money"
)

// Compiled is a checked program made ready for deciding. It never changes after Compile and is safe for concurrent use.
type Compiled struct {
	Doc *Document
	// Version is the number of the published version, 0 for a draft.
	Version int64
	Zone    *time.Location
	// Plan tells two versions apart for the passing of time: with the same one, what they plan for an account (a tier that falls,
	// points that end by inactivity) is the same. Lots are not part of it: they keep the end they were given.
	Plan string
	// Exponent is the number of decimals of the program's currency.
	Exponent int
	// UnitIDs and TierIDs are sorted.
	UnitIDs []string
	TierIDs []string
	Units   map[string]*CompiledUnit
	// Rules and Multipliers are keyed by trigger (Rule.On), in the document's order.
	Rules       map[string][]*CompiledRule
	Multipliers map[string][]*CompiledRule
	ByID        map[string]*CompiledRule
	Tiers       map[string]*CompiledTierSet
	Rewards     map[string]*CompiledReward
	// Moments are the triggers that time brings, TierRules the rules on a tier that is reached, both in the document's order.
	Moments   []*CompiledMoment
	TierRules []*CompiledRule
	// Rebates are the rules that give a part of what was bought in a period.
	Rebates []*CompiledRule
	// Challenges by id, and by what counts for them, in the document's order; nil where there are none.
	Challenges   map[string]*CompiledChallenge
	ChallengesOn map[string][]*CompiledChallenge
	// TransferLimits are those of Doc.Transfers.
	TransferLimits []CompiledLimit
	// Referral is nil where members get nothing for bringing others.
	Referral *CompiledReferral
	// Recognition is nil where people cannot thank each other.
	Recognition *CompiledRecognition
	// Shares by id; nil where nothing can be passed on.
	Shares map[string]*CompiledShared
	// Coupons by id; Words gives the coupon of a public word, as [ids.Word] writes it.
	Coupons map[string]*CompiledCoupon
	Words   map[string]string
	// GiftCards are Doc.GiftCards in minor units; nil without.
	GiftCards *CompiledGiftCards
	// Metrics are what is counted in days and periods: the tier sets in the order of TierIDs, what benefits grow by, and what rebates are of.
	// Counted is the same with each counter once: two that count the same in the same periods share it.
	Metrics, Counted []*CompiledTierSet
	// Benefits are in the document's order, Fading are those of them that fade.
	Benefits []*CompiledBenefit
	Fading   []*CompiledBenefit
	// Plans by id; PlanIDs are sorted.
	Plans   map[string]*CompiledPlan
	PlanIDs []string
	// Partners by id.
	Partners map[string]*CompiledPartner
	// Confirms maps an activity trigger ("activity:flown") to true where some rule's Pending.Until waits for it.
	Confirms map[string]bool
}

// CompiledUnit is a unit with its precision and money value.
type CompiledUnit struct {
	*Unit
	ID string
}

// CompiledRule is a rule with its numbers in minor units.
type CompiledRule struct {
	*Rule
	// Index is the rule's place in the document, from 0.
	Index int
	// Window holds From and Until as instants; nil is open. Both are inside.
	From, Until *time.Time
	// Amount is Give.Amount in minor units of the unit, Per is Give.Per in minor units of the currency.
	Amount, Per int64
	// Num and Den are Multiply as a fraction.
	Num, Den int64
	// Mode is Round.To.
	Mode money.Mode
	// Once is Round.Once: "line", "purchase" or "end".
	Once string
	When *CompiledCondition
	// Formula is Give.Formula, a whole number.
	Formula *condition.Formula
	Limits  []CompiledLimit
	// Specific counts the fields of Lines that are given: sku 100, brand or tag 10, category 1 and a little for its depth,
	// store or channel 1; 0 is the whole purchase. A higher number claims lines first.
	Specific int
	// Of holds the ids a multiplier multiplies; nil for the default.
	Of map[string]bool
	// OfAll is Of: all.
	OfAll bool
	// Base is what the rule gives a percent of: "balance" (of BaseUnit) or "spend"; empty where it gives no percent. Shares are its steps,
	// the lowest first; EachPart says that each counts for its part.
	Base, BaseUnit string
	Shares         []CompiledShare
	EachPart       bool
	// Bought is the metric of a rule that gives a part of what was bought in a period; nil for others.
	Bought *CompiledTierSet
}

// CompiledLimit is a limit with its amount in minor units of the rule's unit (money never).
type CompiledLimit struct {
	Each, Per, Over, Zone string
	// Times and Amount are -1 where there is none.
	Times, Amount int64
	// Key names the counter: "limit:RULE:0". Frozen by rule id and place in the list.
	Key string
}

// CompiledCondition is a condition with its words looked up.
type CompiledCondition struct {
	*Condition
	All, Any []*CompiledCondition
	Not      *CompiledCondition
	// Weekdays is indexed by time.Weekday; nil is any day.
	Weekdays *[7]bool
	// Hours are minutes of the local day, from inclusive, to exclusive; a span over midnight has from > to.
	Hours [][2]int
	// Dates are spans; a year of 0 is any year.
	Dates []DateSpan
	// Tier holds, by tier set, the places of the steps that will do (0 is the lowest). OnlyTier stays as it is written.
	Tier map[string]map[int]bool
	// Amount, Total are in minor units; Items in thousandths. math.MinInt64 and MaxInt64 where open.
	Amount, Total, Items *Bounds
	Formula              *condition.Formula
}

// Bounds is a closed interval.
type Bounds struct{ From, To int64 }

// Has says whether n lies inside.
func (b *Bounds) Has(n int64) bool { return b == nil || (n >= b.From && n <= b.To) }

// DateSpan is a span of days, both inside. With Year 0 the span returns every year and may go over New Year.
type DateSpan struct {
	FromYear, FromMonth, FromDay int
	ToYear, ToMonth, ToDay       int
}

// CompiledTierSet is a tier set with its thresholds.
type CompiledTierSet struct {
	*TierSet
	ID string
	// Metric is "spend", "unit:ID", "purchases", "visits", "activity:KIND" or "tenure".
	Metric string
	// Tally is the name under which the metric's days are counted; it changes when the definition does.
	Tally string
	// Window is "lifetime", "rolling", "calendar" or "anniversary".
	Window string
	// Length is the window's length for rolling; Calendar is "month", "quarter" or "year" for the others.
	Length   Period
	Calendar string
	// From are the thresholds in minor units (money, unit) or whole numbers, by step; the first step's is its From too.
	From []int64
}

// Grain is the length of the periods in which the metric is counted: "day", a calendar period, or "all".
func (t *CompiledTierSet) Grain() string {
	switch t.Window {
	case "rolling", "anniversary":
		return "day"
	case "calendar":
		return t.Calendar
	}
	return "all"
}

// Place gives the step's place in the set, -1 for none.
func (t *CompiledTierSet) Place(step string) int {
	for i := range t.Steps {
		if t.Steps[i].ID == step {
			return i
		}
	}
	return -1
}

// CompiledReward is a reward with its numbers in minor units.
type CompiledReward struct {
	*Reward
	Index       int
	From, Until *time.Time
	// Price by unit in minor units; it is the first of Prices.
	Price  map[string]int64
	Prices []CompiledPrice
	// Kind is what it hands over; Followed says that it is followed until it is delivered.
	Kind     string
	Followed bool
	// Draws is when a raffle's tickets end, Starts when a seat's event begins.
	Draws, Starts *time.Time
	// Card is what is on a gift card, Donated what is given on, in minor units of the currency.
	Card, Donated int64
	// PayPoints, PayMin, PayMax in minor units of Pay.Unit, PayWorth in minor units of the currency; PayMin and PayMax -1 where none.
	PayPoints, PayWorth, PayMin, PayMax int64
	// Share is Pay.Share in hundredths of a percent, 10000 is all.
	Share int64
	Stock int64 // -1 where unlimited
	// Shown is Reward.Shown.
	Shown *CompiledCondition
	// Limits cap how often.
	Limits []CompiledLimit
	When   *CompiledCondition
}

// CompiledReferral is a referral with its condition compiled. What it gives are rules on ReferralTrigger and on ThanksTrigger.
type CompiledReferral struct {
	*Referral
	When *CompiledCondition
	// First says that the friend's first purchase decides.
	First bool
}

// FollowsUp says whether something can follow for one member from what another one does.
func (c *Compiled) FollowsUp() bool {
	return c.Referral != nil || c.Recognition != nil || len(c.Shares) > 0 || c.HasHouses() || c.givesCodes()
}

// givesCodes says whether there are codes that whoever has them may use: a use of them stands in the books of another one than the buyer.
func (c *Compiled) givesCodes() bool {
	for _, d := range c.Coupons {
		if d.Word == "" {
			return true
		}
	}
	for _, r := range c.Rewards {
		if r.Gives.Voucher != nil {
			return true
		}
	}
	return false
}

// CompiledPartner is a partner with its prices in millionths of the currency for the smallest part of a unit.
type CompiledPartner struct {
	*Partner
	Awards, Accepts map[string]int64
	// Most is -1 where there is none.
	Most   int64
	Limits []CompiledLimit
}
