// Package program holds the program document: the one typed value that says all that an owner decides, read from YAML
// or JSON, checked, compared and compiled.
//
// It owns the grammar, its checks and its words. It does not own deciding (engine) nor storing (version).
// What always holds: a Compiled program came from a Document without a single problem, and never changes.
package program

import "lojal.dev/lojal/internal/money"

// Document is a whole program as its owner writes it. Every field is optional unless its comment says required.
type Document struct {
	// Program is the id of the program: 2 to 40 of a-z, 0-9 and "-". Required.
	Program string `json:"program"`
	// Name is shown to members. Required.
	Name Text `json:"name"`
	// TimeZone is the IANA zone in which days, months and expiry are computed, for example Europe/Oslo. Required.
	TimeZone string `json:"time_zone"`
	// Currency is the ISO 4217 code of every amount of money in the program. Required.
	Currency string `json:"currency"`
	// Country is the ISO 3166 country in which phone numbers without a country code are read, for example NO.
	Country string `json:"country,omitempty"`
	// Languages lists the languages that every text must have: nb, sv, da, en. Without it nothing is demanded, and a text that is
	// missing in a language is shown in another.
	Languages []string `json:"languages,omitempty"`
	// Names are what members call the words that purchases and activities come with: categories, brands, tags, stores and channels, and the
	// properties of activities with what they hold, by the word: {food/greens: {nb: frukt og grønt, en: fruit and vegetables}}.
	Names map[string]Text `json:"names,omitempty"`
	// Look is how it looks to members: its colour and picture.
	Look *Appearance `json:"look,omitempty"`
	// Usual is what a usual member buys. No purchase is decided by it: the health check weighs rewards and tiers against it.
	Usual *Usual `json:"usual,omitempty"`
	// Units are the kinds of points, by id, at least one. Required.
	Units map[string]Unit `json:"units"`
	// Activities are the things besides purchases that a member can do, by kind, with their properties.
	Activities map[string]Activity `json:"activities,omitempty"`
	// Identifiers are further kinds of identifier besides card, phone, email and ext, by kind.
	Identifiers map[string]Identifier `json:"identifiers,omitempty"`
	// Earn lists the earning rules and the multipliers.
	Earn []Rule `json:"earn,omitempty"`
	// Tiers are the tier sets, by id.
	Tiers map[string]TierSet `json:"tiers,omitempty"`
	// Rewards is what points can be spent on.
	Rewards []Reward `json:"rewards,omitempty"`
	// Challenges are what there is to reach: punch cards, targets, treasure hunts, streaks.
	Challenges []Challenge `json:"challenges,omitempty"`
	// Spending says in which order and how far points are spent.
	Spending Spending `json:"spending,omitzero"`
	// Returns says what happens to points when goods come back.
	Returns Returns `json:"returns,omitzero"`
	// Transfers says whether members may give points to each other. Off without it.
	Transfers *Transfers `json:"transfers,omitempty"`
	// Referral says what members get for bringing others. Off without it.
	Referral *Referral `json:"referral,omitempty"`
	// Claims says how long purchases wait that no member has yet.
	Claims *Claims `json:"claims,omitempty"`
	// GiftCards are the program's own gift cards. None without it.
	GiftCards *GiftCards `json:"gift_cards,omitempty"`
	// Coupons take something off a purchase for whoever has the word or the code.
	Coupons []Coupon `json:"coupons,omitempty"`
	// Benefits are what members may have that costs no points: free delivery, early access, a discount.
	Benefits []Benefit `json:"benefits,omitempty"`
	// Plans are the paid memberships.
	Plans []Plan `json:"plans,omitempty"`
	// Recognition lets people thank each other out of an allowance that they cannot keep. Off without it.
	Recognition *Recognition `json:"recognition,omitempty"`
	// Households lets people who belong together use each other's points. Off without it.
	Households *Households `json:"households,omitempty"`
	// Organizations lets companies be members, with people who act for them. Off without it.
	Organizations *Organizations `json:"organizations,omitempty"`
	// Shares are what members may pass on to friends.
	Shares []Shared `json:"shares,omitempty"`
	// Partners are other companies that award the program's units, take them as payment, or give members their benefits.
	Partners []Partner `json:"partners,omitempty"`
}

// Usual is what a usual member buys.
type Usual struct {
	// Purchase is the money of one purchase. Required.
	Purchase money.Decimal `json:"purchase"`
	// PerMonth is how many purchases there are in a month. Required.
	PerMonth int `json:"per_month"`
}

// Text is a text in several languages, by language code. A plain string counts for every language (key "").
type Text map[string]string

// Noun is the name of a unit: singular and plural in each language. Plain strings are read as both forms.
type Noun map[string]Forms

// Forms is a noun in one language.
type Forms struct {
	// One is the singular. Required.
	One string `json:"one"`
	// Other is the plural. Required.
	Other string `json:"other"`
}

// Unit is a kind of points.
type Unit struct {
	// Name is the singular and plural in each language. Required.
	Name Noun `json:"name"`
	// Precision is the number of decimals, 0 to 6; 0 when left out.
	Precision int `json:"precision,omitempty"`
	// Worth is the money value of one, in the program's currency: what it costs the program.
	Worth *money.Decimal `json:"worth,omitempty"`
	// StatusOnly says that the unit counts towards tiers and cannot be spent.
	StatusOnly bool `json:"status_only,omitempty"`
	// Expires says when what was earned is lost: "never" (the default) or a policy.
	Expires *Expiry `json:"expires,omitempty"`
}

// Expiry is when points are lost. Exactly one of After, On, EndOf and Inactive starts it, but Inactive may go with the others.
type Expiry struct {
	// Never is the word "never" in place of a policy: nothing is lost. On a rule it overrides the unit's policy.
	Never bool `json:"-"`
	// After is how long a lot lives from the moment it was earned (or became spendable, where it was pending).
	After *Period `json:"after,omitempty"`
	// On lists fixed dates in the year, as MM-DD: a lot ends on the first of them after it was earned.
	On []string `json:"on,omitempty"`
	// AtLeast, with On or EndOf: a date nearer than this is passed over for the next one.
	AtLeast *Period `json:"at_least,omitempty"`
	// EndOf ends a lot at the end of the period in which it was earned: day, week, month, quarter or year.
	EndOf string `json:"end_of,omitempty"`
	// Later, with EndOf, is how many periods later: 1 with end_of year is the end of next year.
	Later int `json:"later,omitempty"`
	// Inactive ends everything the member has when nothing was earned or spent in the unit for this long.
	Inactive *Period `json:"inactive,omitempty"`
	// At rounds the end: "exact", "end of day" (the default), "end of month", "end of quarter", "end of year".
	At string `json:"at,omitempty"`
	// Warn is how long before the end the member is warned.
	Warn *Period `json:"warn,omitempty"`
}

// Activity is a declared kind of activity.
type Activity struct {
	// Name is shown to members.
	Name Text `json:"name,omitempty"`
	// Properties are the typed values that come with it: "text", "number" (a decimal), "whole" or "yes/no".
	Properties map[string]string `json:"properties,omitempty"`
}

// Identifier is a further kind of identifier.
type Identifier struct {
	// Name is shown to members.
	Name Text `json:"name,omitempty"`
}

// Rule is an earning rule (with Give) or a multiplier (with Multiply). The document's order breaks ties of priority.
type Rule struct {
	// ID names the rule in explanations and limits. Required. Never reuse one for another meaning.
	ID string `json:"id"`
	// Title is shown to members.
	Title Text `json:"title,omitempty"`
	// Text says in words what a formula decides: how much is given, or when the rule holds. The program's terms say it in the place of the
	// formula, which nobody can read aloud.
	Text Text `json:"text,omitempty"`
	// On is the trigger. What a member does: "purchase", "activity:KIND", "enrolment". A moment that time brings, at the beginning of
	// its day in the program's zone: "birthday" (the member's birth date), "anniversary" (of joining), "date:MM-DD", "every:day" (week,
	// month, quarter, year). A tier that is reached: "tier:SET/STEP". A plan that begins: "plan:ID". A
	// challenge that is reached: "challenge:ID". Required.
	On string `json:"on"`
	// Lines narrows a purchase rule, or one that gives a percent of spend, to some of the lines. Without it, the whole purchase counts,
	// shipping too where the basis says so.
	Lines *Lines `json:"lines,omitempty"`
	// When is the condition that must hold for the rule to fire.
	When *Condition `json:"when,omitempty"`
	// Give is what the rule earns.
	Give *Give `json:"give,omitempty"`
	// Multiply makes what other rules earned on the matching lines this many times as much: 2 is double, 1.5 half as much again.
	Multiply *money.Decimal `json:"multiply,omitempty"`
	// Of, with Multiply, names the rules it multiplies. Without it: all that earn per money or per item, not fixed amounts.
	// The word "all" means fixed amounts too.
	Of Words `json:"of,omitempty"`
	// Unit, with Multiply, keeps it to one unit.
	Unit string `json:"unit,omitempty"`
	// Basis says what money counts.
	Basis *Basis `json:"basis,omitempty"`
	// Round says how and when fractions are rounded: down, once a purchase, when left out.
	Round *Rounding `json:"round,omitempty"`
	// Priority decides between exclusive rules, best-of ties and claims: higher first. 0 when left out.
	Priority int `json:"priority,omitempty"`
	// Stack says how the rule goes with others of its sort (earning rules among themselves, multipliers among themselves):
	// "add" (the default; multipliers multiply each other), "exclusive" (the exclusive rule of highest priority is alone),
	// "best" (only the best result of its Group).
	Stack string `json:"stack,omitempty"`
	// Group names the group for "best".
	Group string `json:"group,omitempty"`
	// ClaimsLines takes the matching lines away from every less specific rule of the same unit: a line counts once.
	ClaimsLines bool `json:"claims_lines,omitempty"`
	// From and Until bound the business time, both inclusive: a date (the whole local day) or a time with offset.
	From  string `json:"from,omitempty"`
	Until string `json:"until,omitempty"`
	// Limit caps the rule: one limit or a list.
	Limit Limits `json:"limit,omitempty"`
	// Pending keeps what is earned from being spent for a while.
	Pending *Pending `json:"pending,omitempty"`
	// Expires overrides the unit's expiry.
	Expires *Expiry `json:"expires,omitempty"`
	// DryRun decides and explains, and gives nothing.
	DryRun bool `json:"dry_run,omitempty"`
}

// Lines says which lines of a purchase count. Within a field any value may match; all the fields given must match.
type Lines struct {
	// SKU is the article number.
	SKU Words `json:"sku,omitempty"`
	// Category matches itself and what lies below it: "food" matches "food/bread".
	Category Words `json:"category,omitempty"`
	// Brand is compared exactly.
	Brand Words `json:"brand,omitempty"`
	// Tag matches any of the line's tags, for example "organic" or "color=red".
	Tag Words `json:"tag,omitempty"`
	// Store and Channel are those of the purchase.
	Store   Words `json:"store,omitempty"`
	Channel Words `json:"channel,omitempty"`
	// Not takes lines out again.
	Not *Lines `json:"not,omitempty"`
}

// Condition must hold as a whole: every field that is given.
type Condition struct {
	// All is a list of conditions, every one of which must hold.
	All []Condition `json:"all,omitempty"`
	// Any is a list of conditions, at least one of which must hold.
	Any []Condition `json:"any,omitempty"`
	// Not is a condition that must not hold.
	Not *Condition `json:"not,omitempty"`
	// Weekdays are monday to sunday, in the zone.
	Weekdays Words `json:"weekdays,omitempty"`
	// Hours is "07:00-10:00" or a list: from inclusive, to exclusive; "22:00-02:00" goes over midnight.
	Hours Words `json:"hours,omitempty"`
	// Dates are days as YYYY-MM-DD or MM-DD, or spans "MM-DD..MM-DD" with both ends inside.
	Dates Words `json:"dates,omitempty"`
	// Zone is "program" (the default) or "member": where weekdays, hours and dates are looked at.
	Zone string `json:"zone,omitempty"`
	// Tier asks for a tier or a higher one, by tier set: {club: gold}.
	Tier map[string]string `json:"tier,omitempty"`
	// OnlyTier asks for just these tiers, by tier set: {club: [silver, gold]}.
	OnlyTier map[string]Words `json:"only_tier,omitempty"`
	// Store and Channel are those of the purchase or activity: any of the words.
	Store   Words `json:"store,omitempty"`
	Channel Words `json:"channel,omitempty"`
	// Payment holds when any part was paid by one of these means.
	Payment Words `json:"payment,omitempty"`
	// Amount bounds the rule's basis in money: {from: 500.00} is 500.00 or more.
	Amount *Range `json:"amount,omitempty"`
	// Total bounds the whole purchase, after discounts, tax included, whatever the rule's lines and basis.
	Total *Range `json:"total,omitempty"`
	// Items bounds the quantity on the rule's lines.
	Items *Range `json:"items,omitempty"`
	// FirstPurchase holds for the member's first purchase only (or, false, for all others).
	FirstPurchase *bool `json:"first_purchase,omitempty"`
	// Plan asks for a plan that is in force: any of the words.
	Plan Words `json:"plan,omitempty"`
	// MemberFor is how long the member must have been one.
	MemberFor *Period `json:"member_for,omitempty"`
	// Attribute compares attributes of the member: any of the words.
	Attribute map[string]Words `json:"attribute,omitempty"`
	// Property compares properties of the activity: any of the words.
	Property map[string]Words `json:"property,omitempty"`
	// Formula is a yes-or-no expression (CEL), for what the fields cannot say.
	Formula string `json:"formula,omitempty"`
}

// Range bounds a number, both ends inside. At least one end.
type Range struct {
	// From and To are the ends.
	From *money.Decimal `json:"from,omitempty"`
	To   *money.Decimal `json:"to,omitempty"`
}

// Give is what a rule earns.
type Give struct {
	// Unit is the unit's id. Required.
	Unit string `json:"unit"`
	// Amount is how much: for each Per, for each item, or for the whole purchase or activity. Zero is allowed: it earns nothing, and says so.
	Amount *money.Decimal `json:"amount,omitempty"`
	// Per is the money that earns Amount once: 10.00 is "for every 10 kr".
	Per *money.Decimal `json:"per,omitempty"`
	// Whole, with Per, counts whole steps only: 3 for every 10.00 gives 3 for 19.99, not 5.
	Whole bool `json:"whole,omitempty"`
	// Each is "item" (Amount for each item bought) or "line" (Amount for each line of the receipt).
	Each string `json:"each,omitempty"`
	// Formula computes the amount (an expression in CEL, whole minor units of the unit), instead of Amount.
	Formula string `json:"formula,omitempty"`
	// Percent gives a part of something, 0 to 100, instead of Amount: on a purchase of its money, on a moment of what Of says. Money becomes
	// units by the unit's worth.
	Percent *money.Decimal `json:"percent,omitempty"`
	// Of, on a moment, is what Percent is a part of: "balance" (what can be spent then of the unit that is given), "balance of UNIT", or
	// "spend" (what was bought in the period that ended, with every:week, month, quarter or year).
	Of string `json:"of,omitempty"`
	// Steps change the percent: from an amount of what it is a part of, or after a time since joining. Percents rise.
	Steps []Share `json:"steps,omitempty"`
	// Stepped, with steps by amount, is "whole" (the default: the step that is reached counts for all of it) or "each part" (each step
	// counts for the part that lies in it).
	Stepped string `json:"stepped,omitempty"`
	// Kept, with of: balance, counts only what was earned at least this long before.
	Kept *Period `json:"kept,omitempty"`
}

// Basis says which money counts for a rule.
type Basis struct {
	// Discounts: "net" (the default: what was paid) or "gross" (before discounts).
	Discounts string `json:"discounts,omitempty"`
	// PurchaseDiscounts, for discounts on the whole purchase: "basket" (the default: lower rules without lines only),
	// "spread" (over all the lines) or "ignored".
	PurchaseDiscounts string `json:"purchase_discounts,omitempty"`
	// Tax: "included" (the default) or "excluded".
	Tax string `json:"tax,omitempty"`
	// Shipping: "excluded" (the default) or "included"; only for rules without lines.
	Shipping string `json:"shipping,omitempty"`
	// PaidWithPoints: "included" (the default) or "excluded": what was paid with points earns nothing.
	PaidWithPoints string `json:"paid_with_points,omitempty"`
	// Max is the most money of one purchase that counts.
	Max *money.Decimal `json:"max,omitempty"`
	// WithoutPayments takes out what was paid by these means, for example gift_card.
	WithoutPayments Words `json:"without_payments,omitempty"`
}

// Rounding says how fractions become whole units.
type Rounding struct {
	// To is "down" (the default), "up", "nearest" (half away from zero) or "half-even".
	To string `json:"to,omitempty"`
	// Once is "line", "purchase" (the default) or "end": after the multipliers.
	Once string `json:"once,omitempty"`
}

// Limit caps a rule, or something that members ask for. What a rule gives counts in the day, month or year in which it happened, also when it
// is told late. What members ask for (thanks, transfers, rewards, things to share, uses of benefits) counts in the one in which it was
// recorded, whatever time it is told to have happened at: else each month of the past would be another limit.
type Limit struct {
	// Each is "member" (the default) or "program": one budget for all members together.
	Each string `json:"each,omitempty"`
	// Per is "purchase" (or the single activity), "day", "week", "month", "quarter", "year" or "lifetime". Required.
	Per string `json:"per"`
	// Times is how often the rule may fire.
	Times *int64 `json:"times,omitempty"`
	// Amount is how much of its unit the rule may give.
	Amount *money.Decimal `json:"amount,omitempty"`
	// Over is "clip" (the default: what is left is given) or "refuse": nothing when all does not fit.
	Over string `json:"over,omitempty"`
	// Zone is "program" (the default) or "member": whose days and months.
	Zone string `json:"zone,omitempty"`
}

// Pending keeps earned points from being spent. One of the two.
type Pending struct {
	// For is the time to wait.
	For *Period `json:"for,omitempty"`
	// Until is the activity that confirms: "activity:flown". It must name the purchase or activity it confirms.
	Until string `json:"until,omitempty"`
}

// TierSet is a ladder of tiers.
type TierSet struct {
	// Name is shown to members.
	Name Text `json:"name,omitempty"`
	// By is what is counted. Required.
	By Metric `json:"by"`
	// Steps go from the lowest to the highest. Required.
	Steps []Step `json:"steps"`
	// Down says how a member falls.
	Down Down `json:"down,omitzero"`
	// Keep, with calendar and anniversary windows: "next period" (the default: a tier earned in one period holds to the end
	// of the next) or "this period".
	Keep string `json:"keep,omitempty"`
	// CurrentPurchase is "counts" (the default: the purchase that lifts a member is decided in the new tier) or "next".
	CurrentPurchase string `json:"current_purchase,omitempty"`
}

// Metric is what a tier counts: exactly one of Sum, Count and Tenure.
type Metric struct {
	// Sum is "spend" or the id of a unit (what was earned of it).
	Sum string `json:"sum,omitempty"`
	// Count is "purchases", "visits" (days with a purchase or a visit) or "activity:KIND".
	Count string `json:"count,omitempty"`
	// Tenure counts the time since joining; steps then say After.
	Tenure bool `json:"tenure,omitempty"`
	// Window is "lifetime" (the default), "rolling 12 months", "calendar year" (month, quarter) or "anniversary year".
	Window string `json:"window,omitempty"`
	// Lines narrows spend to some lines.
	Lines *Lines `json:"lines,omitempty"`
	// Basis says which money counts for spend.
	Basis *Basis `json:"basis,omitempty"`
}

// Step is one tier.
type Step struct {
	// ID names the tier in conditions. Required.
	ID string `json:"id"`
	// Name is shown to members.
	Name Text `json:"name,omitempty"`
	// From is the least of the metric: money for spend, units for a unit, else a whole number.
	From money.Decimal `json:"from,omitzero"`
	// After, with tenure, is the time since joining.
	After *Period `json:"after,omitempty"`
	// Benefits are ids of what the tier brings. A document that declares benefits declares these too.
	Benefits Words `json:"benefits,omitempty"`
}

// Down says how a member falls.
type Down struct {
	// To is "earned" (the default: straight to what the metric earns), "one step" or "never".
	To string `json:"to,omitempty"`
	// Grace is the time between missing the metric and falling; buying enough in it cancels the fall.
	Grace *Period `json:"grace,omitempty"`
	// Warn is how long before a fall the member is warned. With Grace the member is told when it begins, and again this long before its end.
	Warn *Period `json:"warn,omitempty"`
}

// Reward is something to spend points on.
type Reward struct {
	// ID names the reward. Required. Never reuse one for another meaning.
	ID string `json:"id"`
	// Title and Description are shown to members.
	Title       Text `json:"title,omitempty"`
	Description Text `json:"description,omitempty"`
	// Picture is the address of a picture.
	Picture string `json:"picture,omitempty"`
	// Price is what one costs, by unit. Either Price or Pay.
	Price map[string]money.Decimal `json:"price,omitempty"`
	// Money is what is paid besides Price, in the program's currency: the till is told, and says that it took it.
	Money *money.Decimal `json:"money,omitempty"`
	// Or are further prices; whoever redeems picks one by its number: Price is number 1, these are 2 and on.
	Or []Price `json:"or,omitempty"`
	// Granted says that it cannot be bought: a member has it only when it was won or given. Instead of Price and Pay.
	Granted bool `json:"granted,omitempty"`
	// Quantity is how many pieces one price buys: 2 free for 3 stars, so five cost three times the price.
	Quantity int64 `json:"quantity,omitempty"`
	// Pay turns points into money off, by a rate.
	Pay *Pay `json:"pay,omitempty"`
	// Gives is what the member gets. A reward with Pay gives money off by itself.
	Gives Gives `json:"gives,omitzero"`
	// Stock is how many there are in all.
	Stock *int64 `json:"stock,omitempty"`
	// Limit caps how often: per day, week, month, quarter, year or lifetime, with times.
	Limit Limits `json:"limit,omitempty"`
	// From and Until bound the time of redemption, as for rules.
	From  string `json:"from,omitempty"`
	Until string `json:"until,omitempty"`
	// Shown says who finds it in the catalogue: the same as When. For whom it does not hold there is no such reward, unless it was given to them;
	// When lets members see it and says what is missing.
	Shown *Condition `json:"shown,omitempty"`
	// When says who may have it: tier, member_for, attribute, weekdays, hours, dates, formula.
	When *Condition `json:"when,omitempty"`
	// Hold is how long a reservation lasts; 15 minutes when left out.
	Hold *Period `json:"hold,omitempty"`
}

// Voucher is a code that is issued when the redemption is committed.
type Voucher struct {
	// Money is the value off, in the program's currency. Either Money or Percent.
	Money *money.Decimal `json:"money,omitempty"`
	// Percent is the part off, 0 to 100.
	Percent *money.Decimal `json:"percent,omitempty"`
	// Valid is how long the code can be used.
	Valid *Period `json:"valid,omitempty"`
	// Uses is how often the code can be used; once when left out.
	Uses int64 `json:"uses,omitempty"`
	// Bound true keeps the code to the member who redeemed it; else whoever has it may use it.
	Bound bool `json:"bound,omitempty"`
	// Stacks says with what other vouchers it goes in one purchase: "with others" (the default) or "alone".
	Stacks string `json:"stacks,omitempty"`
	// Group names vouchers of which one purchase takes one.
	Group string `json:"group,omitempty"`
	// Least is the least that must be bought for.
	Least *money.Decimal `json:"least,omitempty"`
}

// Pay is a rate from points to money.
type Pay struct {
	// Unit is the id of the unit. Required.
	Unit string `json:"unit"`
	// Points and Worth: this many points are worth this much money; points are taken in whole multiples. Required.
	Points money.Decimal `json:"points"`
	Worth  money.Decimal `json:"worth"`
	// Min is the least points of one payment.
	Min *money.Decimal `json:"min,omitempty"`
	// Max is the most points of one payment, and of all payments with the reward in one purchase together.
	Max *money.Decimal `json:"max,omitempty"`
	// Share is the largest part of the purchase that may be paid so, in percent, whatever number of payments it is split into; 100 when left
	// out. With it, a payment outside of a purchase must say what the purchase comes to (its total).
	Share *money.Decimal `json:"share,omitempty"`
	// Lines says which lines of a purchase may be paid so: all but delivery, unless it narrows them; Share is then the part of these
	// lines. When goods come back, the points come back with the lines they paid. Without it, the whole purchase may be paid. A
	// payment outside of a purchase must say what these lines come to, as its total.
	Lines *Lines `json:"lines,omitempty"`
}

// Spending says how points are taken.
type Spending struct {
	// Order is "earliest expiry" (the default; then the earliest earned) or "earliest earned".
	Order string `json:"order,omitempty"`
	// Short is "refuse" (the default) or "use what there is", for points asked for beyond the balance.
	Short string `json:"short,omitempty"`
	// Own is "at once" (the default: a purchase can be paid with what it earns itself) or "later".
	Own string `json:"own,omitempty"`
}

// Returns says what happens to points when goods come back.
type Returns struct {
	// Accept false refuses returns: what was earned stays and the till is told.
	Accept *bool `json:"accept,omitempty"`
	// Within is the latest time after the purchase.
	Within *Period `json:"within,omitempty"`
	// Earned is "take back" (the default) or "keep".
	Earned string `json:"earned,omitempty"`
	// Spent is "give back" (the default: to the lots they left, with their old expiry) or "keep".
	Spent string `json:"spent,omitempty"`
	// IfSpent, when what should be taken back is spent already: "debt" (the default: the next earning pays it), "clamp" (take what
	// is there and let the rest go; it is paid first from what comes back of what had been spent before) or "refuse".
	IfSpent string `json:"if_spent,omitempty"`
	// Round is how a part of what was earned is rounded: "nearest" (the default), "down" or "up". The last return takes the rest.
	Round string `json:"round,omitempty"`
}

// Transfers says how members give points to each other.
type Transfers struct {
	// Units that may be given. Required.
	Units Words `json:"units"`
	// Min and Max bound one transfer.
	Min *money.Decimal `json:"min,omitempty"`
	Max *money.Decimal `json:"max,omitempty"`
	// Limit caps what a member may give: per day, week, month, year or lifetime.
	Limit Limits `json:"limit,omitempty"`
}
