// Package engine decides: a program, what a member has, and a fact give a decision.
//
// It owns every rule of earning, spending, expiry, tiers and returns. It is pure: no clock, no I/O, no goroutine; the
// same input gives the same decision, which is what recording, simulation, replay and tests rely on.
// What always holds: the postings of a decision lead exactly from the account before to the account after; a refused
// fact changes nothing.
package engine

import (
	"time"

	"lojal.dev/lojal/internal/money"
)

// Kind says what happened.
type Kind string

// The kinds of facts.
const (
	Enrolment    Kind = "enrolment"
	PurchaseK    Kind = "purchase"
	ReturnK      Kind = "return"
	ActivityK    Kind = "activity"
	Reserve      Kind = "reserve" // redemption, first step
	Commit       Kind = "commit"  // redemption, second step
	Cancel       Kind = "cancel"  // redemption, let go
	Redeem       Kind = "redeem"  // redemption in one step
	Refund       Kind = "refund"  // a committed redemption is undone
	AdjustmentK  Kind = "adjustment"
	TransferOut  Kind = "transfer_out"
	TransferIn   Kind = "transfer_in"
	Release      Kind = "release"   // pending points of a fact become spendable, or are cancelled
	TierGrant    Kind = "tier"      // a tier set by hand
	GrantK       Kind = "grant"     // something given by hand to be had, or taken back
	ProfileK     Kind = "profile"   // what rules may ask about the member changed
	PlanK        Kind = "plan"      // something happened to a paid membership
	UseK         Kind = "use"       // a benefit was used
	Status       Kind = "status"    // block, unblock, close
	ChallengeK   Kind = "challenge" // a member joins or leaves a challenge, or its leaderboard
	MergeOut     Kind = "merge_out"
	MergeIn      Kind = "merge_in"
	InvitedK     Kind = "invited"     // a member says after enrolling who invited them
	HouseK       Kind = "house"       // something happened to who belongs together
	PartnerK     Kind = "partner"     // something was done at a partner
	ThanksK      Kind = "thanks"      // what follows from what another member did
	RecognitionK Kind = "recognition" // a member thanks another, or what becomes of it
	ShareK       Kind = "share"       // something is passed on to a friend, or what becomes of it
	VoucherK     Kind = "voucher"     // a voucher is used, a use taken back, or it is called off
	CouponK      Kind = "coupon"      // a coupon is used, or a use taken back
	Load         Kind = "load"        // a gift card is topped up
	FulfilK      Kind = "fulfil"      // what a redemption gave is packed, sent, delivered, came back or failed
	Due          Kind = "due"         // time passed: release, expiry, warnings, tiers, forgotten reservations
)

// Kinds are all of them.
var Kinds = []Kind{
	Enrolment, PurchaseK, ReturnK, ActivityK, Reserve, Commit, Cancel, Redeem, Refund, AdjustmentK, TransferOut, TransferIn,
	Release, TierGrant, GrantK, ChallengeK, ProfileK, PlanK, UseK, Status, MergeOut, MergeIn, Load, VoucherK, Due,
	InvitedK, ThanksK, PartnerK, RecognitionK, HouseK, FulfilK, CouponK,
}

// Fact is something that happened to one member. Just the body of its kind is set.
type Fact struct {
	// ID has the type prefix of its resource: pur_, ret_, act_, red_, adj_, trf_, fct_…
	ID   string `json:"id"`
	Kind Kind   `json:"kind"`
	// Member is the member's id.
	Member string `json:"member"`
	// Source and ExternalID are the natural key, unique within the program: the till and its receipt number.
	Source     string `json:"source,omitempty"`
	ExternalID string `json:"external_id,omitempty"`
	// OccurredAt is business time, RecordedAt is when lojal wrote it down.
	OccurredAt time.Time `json:"occurred_at"`
	RecordedAt time.Time `json:"recorded_at"`
	// Parent is the id of the fact this one is about: the purchase of a return, the reservation of a commit.
	Parent string `json:"parent,omitempty"`
	// Actor is who did it: an API key's name, "cli", "system".
	Actor string `json:"actor,omitempty"`

	// Enrolment is the body of a profile fact too.
	Enrolment  *EnrolmentBody `json:"enrolment,omitempty"`
	Purchase   *Purchase      `json:"purchase,omitempty"`
	Return     *Return        `json:"return,omitempty"`
	Activity   *Activity      `json:"activity,omitempty"`
	Redemption *Redemption    `json:"redemption,omitempty"`
	Adjustment *Adjustment    `json:"adjustment,omitempty"`
	Transfer   *Transfer      `json:"transfer,omitempty"`
	Release    *ReleaseBody   `json:"release,omitempty"`
	Tier       *TierBody      `json:"tier,omitempty"`
	Grant      *GrantBody     `json:"grant,omitempty"`
	Plan       *PlanBody      `json:"plan,omitempty"`
	Use        *UseBody       `json:"use,omitempty"`
	Challenge  *ChallengeBody `json:"challenge,omitempty"`
	Status     *StatusBody    `json:"status,omitempty"`
	Merge      *Merge         `json:"merge,omitempty"`
	Invited    *Invitation    `json:"invited,omitempty"`
	Thanks     *Thanks        `json:"thanks,omitempty"`
	// Voucher is what is done with a voucher.
	Voucher *VoucherStep `json:"voucher,omitempty"`
	// Card is the body of a load, and of the enrolment of a gift card.
	Card        *Card            `json:"card,omitempty"`
	Partner     *PartnerBody     `json:"partner,omitempty"`
	Recognition *RecognitionBody `json:"recognition,omitempty"`
	Share       *ShareBody       `json:"share,omitempty"`
	// House is the body of a house fact, and of the enrolment of a household or an organization.
	House *HouseBody `json:"house,omitempty"`
	// Fulfil is how far what a redemption gave is.
	Fulfil *FulfilBody `json:"fulfil,omitempty"`
	Coupon *CouponStep `json:"coupon,omitempty"`

	// Drawn is what chance decided before the engine did, so that a decision stays pure: see Draws.
	Drawn *Drawn `json:"drawn,omitempty"`
}

// AskedAt is the time by whose period the limits on what people ask for count (thanks, transfers, redemptions, shares, uses): when it was
// recorded, or its business time where that lies ahead. The business time alone is the asker's to say, and each month of the past would be
// another limit.
func (f *Fact) AskedAt() time.Time {
	if f.RecordedAt.After(f.OccurredAt) {
		return f.RecordedAt
	}
	return f.OccurredAt
}

// Drawn holds random things drawn by the flow.
type Drawn struct {
	// Secrets are what is kept of voucher codes, in order of use. Codes are the codes themselves, in facts of before there was a hash.
	Secrets []Secret `json:"secrets,omitempty"`
	// Codes are voucher codes, Redemptions ids (red_…) for what a purchase spends, both in order of use.
	Codes       []string `json:"codes,omitempty"`
	Redemptions []string `json:"redemptions,omitempty"`
	// Pooled are codes that were taken from pools, in order of use for each pool.
	Pooled []Pooled `json:"pooled,omitempty"`
}

// Secret is what is kept of a code: its keyed hash and its last characters. The code itself is in one answer, and nowhere else.
type Secret struct {
	Hash string `json:"hash"`
	Tail string `json:"tail,omitempty"`
}

// EnrolmentBody makes a member; the profile itself lives with the member.
type EnrolmentBody struct {
	// Kind is what is enrolled: a person when empty, else a kind of holder.
	Kind       string            `json:"kind,omitempty"`
	Channel    string            `json:"channel,omitempty"`
	Store      string            `json:"store,omitempty"`
	Zone       string            `json:"zone,omitempty"`
	Language   string            `json:"language,omitempty"`
	Attributes map[string]string `json:"attributes,omitempty"`
	// Invited says who invited the member.
	Invited *Invitation `json:"invited,omitempty"`
	// Birthday is the day of the member's birth date, MM-DD: see Birthday.
	Birthday string `json:"birthday,omitempty"`
}

// Purchase is a sale. All money is in Currency; amounts include tax.
type Purchase struct {
	// Currency is the program's when left out. Another one needs Rate.
	Currency string `json:"currency,omitempty"`
	// Rate is how much of the program's currency one of Currency is.
	Rate    *money.Decimal `json:"rate,omitempty"`
	Store   string         `json:"store,omitempty"`
	Channel string         `json:"channel,omitempty"`
	// Lines are what was bought. Without them, Amount is the purchase as one line.
	Lines  []Line         `json:"lines,omitempty"`
	Amount *money.Decimal `json:"amount,omitempty"`
	// Tax is the tax inside Amount, for a purchase without lines.
	Tax *money.Decimal `json:"tax,omitempty"`
	// Shipping is on top of the lines.
	Shipping *Shipping `json:"shipping,omitempty"`
	// Discounts are those on the whole purchase, not yet inside the lines' amounts.
	Discounts []Discount `json:"discounts,omitempty"`
	// Payments say how it was paid. The means "points" is what Spend paid.
	Payments []Payment `json:"payments,omitempty"`
	// Spend redeems rewards in the same stroke, after the purchase has earned.
	Spend []Spend `json:"spend,omitempty"`
	// Redemptions are the ids of committed redemptions that belong to this purchase: a return gives their points back too.
	Redemptions []string `json:"redemptions,omitempty"`
	// Codes are what is used with it to lower its price: codes of coupons and vouchers, and benefits of the member's own. All of them are used with the
	// purchase, or the purchase is refused. What each takes off is said in the answer; it is not yet inside the lines' amounts.
	Codes []CodeUse `json:"codes,omitempty"`
	// By is who bought it for an organization.
	By string `json:"by,omitempty"`
	// Own keeps it in the member's own books, though the member acts for an organization.
	Own bool `json:"own,omitempty"`
}

// Line is one line of a receipt.
type Line struct {
	// ID names the line in returns; its number from 1 when left out.
	ID       string   `json:"id,omitempty"`
	SKU      string   `json:"sku,omitempty"`
	Name     string   `json:"name,omitempty"`
	Category string   `json:"category,omitempty"`
	Brand    string   `json:"brand,omitempty"`
	Tags     []string `json:"tags,omitempty"`
	// Quantity is 1 when left out; up to three decimals (kilos, metres).
	Quantity *money.Decimal `json:"quantity,omitempty"`
	// UnitPrice is before Discount. Amount is quantity × unit price − discount when left out.
	UnitPrice *money.Decimal `json:"unit_price,omitempty"`
	Discount  *money.Decimal `json:"discount,omitempty"`
	// Tax is the tax inside Amount.
	Tax *money.Decimal `json:"tax,omitempty"`
	// Amount is what the line costs after its discount, tax included. Negative for a deposit given back.
	Amount *money.Decimal `json:"amount,omitempty"`
}

// Shipping is the delivery fee.
type Shipping struct {
	Amount money.Decimal  `json:"amount"`
	Tax    *money.Decimal `json:"tax,omitempty"`
}

// Discount is a discount on the whole purchase, or on the lines it names.
type Discount struct {
	Code   string        `json:"code,omitempty"`
	Amount money.Decimal `json:"amount"`
	Lines  []string      `json:"lines,omitempty"`
}

// Payment is a part of what was paid.
type Payment struct {
	// Means is a word such as card, cash, gift_card, invoice, points.
	Means  string        `json:"means"`
	Amount money.Decimal `json:"amount"`
}

// Spend asks for a reward: Quantity pieces of it, or for a reward with a rate Points (or, with Max, as many as go).
type Spend struct {
	Reward   string         `json:"reward"`
	Quantity int64          `json:"quantity,omitempty"`
	Points   *money.Decimal `json:"points,omitempty"`
	Max      bool           `json:"max,omitempty"`
	// Grant is the number of the grant that pays for it. Without it, the grants that end first do; Paid pays with points
	// although there are grants.
	Grant int64 `json:"grant,omitempty"`
	Paid  bool  `json:"paid,omitempty"`
	// Household lets what others of the household have pay what the member lacks, each giving the same part of theirs.
	Household bool `json:"household,omitempty"`
	// Option is the number of the price, from 1, of a reward with several; the first when left out.
	Option int64 `json:"option,omitempty"`
	// Choose is the reward that is picked, where one may choose.
	Choose string `json:"choose,omitempty"`
	// Money is what was paid besides the points, for a reward that costs that too. A reservation asks for it as it is committed. In a refund it is the
	// part of a payment with a gift card that is given back.
	Money *money.Decimal `json:"money,omitempty"`
}

// Return brings goods back. Without Lines and Amount, all that is left of the purchase.
type Return struct {
	Lines []ReturnLine `json:"lines,omitempty"`
	// Amount is money given back without naming lines: it is spread over what is left of them.
	Amount *money.Decimal `json:"amount,omitempty"`
	Reason string         `json:"reason,omitempty"`
}

// ReturnLine is a part of a line: by quantity, or by money, or, with neither, all that is left of it.
type ReturnLine struct {
	Line     string         `json:"line"`
	Quantity *money.Decimal `json:"quantity,omitempty"`
	Amount   *money.Decimal `json:"amount,omitempty"`
}

// Activity is something a member did.
type Activity struct {
	// Kind is one of the program's activities.
	Kind string `json:"kind"`
	// Properties are the declared values, as text.
	Properties map[string]string `json:"properties,omitempty"`
	Store      string            `json:"store,omitempty"`
	Channel    string            `json:"channel,omitempty"`
	// Confirms is the id, or SOURCE/EXTERNAL_ID, of the fact whose pending points this activity confirms.
	Confirms string `json:"confirms,omitempty"`
	// By is who did it for an organization.
	By string `json:"by,omitempty"`
	// Own keeps it in the member's own books, though the member acts for an organization.
	Own bool `json:"own,omitempty"`
}

// Redemption is what a redemption step asks for.
type Redemption struct {
	Spend
	// Total is the money to pay before points: for a reward with a rate, and required where that has a share or lines; then what these lines come to.
	Total *money.Decimal `json:"total,omitempty"`
	// Hold overrides how long a reservation lasts, in seconds.
	Hold    int64  `json:"hold_seconds,omitempty"`
	Reason  string `json:"reason,omitempty"`
	Store   string `json:"store,omitempty"`
	Channel string `json:"channel,omitempty"`
	// By is who asks for it for an organization.
	By string `json:"by,omitempty"`
	// Own takes it of what the member has of their own, though the member acts for an organization.
	Own bool `json:"own,omitempty"`
}

// Adjustment changes a balance by hand.
type Adjustment struct {
	Unit string `json:"unit,omitempty"`
	// Challenge, instead of Unit, counts Amount by hand, or takes it back.
	Challenge string `json:"challenge,omitempty"`
	// Amount is more (positive) or less (negative). Or To sets the balance.
	Amount *money.Decimal `json:"amount,omitempty"`
	To     *money.Decimal `json:"to,omitempty"`
	// Reason is required.
	Reason string `json:"reason"`
	// ExpiresAt overrides the unit's expiry; "never" is NeverExpires.
	ExpiresAt    *time.Time `json:"expires_at,omitempty"`
	NeverExpires bool       `json:"never_expires,omitempty"`
	// AllowDebt lets a negative adjustment go below zero.
	AllowDebt bool `json:"allow_debt,omitempty"`
	// ReleaseAt keeps what is added pending until then.
	ReleaseAt *time.Time `json:"release_at,omitempty"`
}

// Transfer moves units between two members. The giver's fact is decided first; the receiver's carries the same lots.
type Transfer struct {
	Unit   string        `json:"unit"`
	Amount money.Decimal `json:"amount"`
	// Other is the other member's id.
	Other   string `json:"other"`
	Message string `json:"message,omitempty"`
	// Lots, on the receiver's side, are what left the giver.
	Lots []MovedLot `json:"lots,omitempty"`
	// Reverses is the id of the transfer that this one undoes; Force lets it make a debt.
	Reverses string `json:"reverses,omitempty"`
	Force    bool   `json:"force,omitempty"`
	// Household says that it is for what the other one of this household spends now; Home is what comes back of such a gift.
	Household string    `json:"household,omitempty"`
	Home      *MovedLot `json:"home,omitempty"`
}

// MovedLot is a part of a lot on its way to another member, in minor units.
type MovedLot struct {
	Unit      string     `json:"unit"`
	Amount    int64      `json:"amount"`
	Where     string     `json:"where,omitempty"` // ledger account: member or pending
	EarnedAt  time.Time  `json:"earned_at"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	ReleaseAt *time.Time `json:"release_at,omitempty"`
	Confirm   string     `json:"confirm,omitempty"`
	Fact      string     `json:"fact,omitempty"`
}

// ReleaseBody releases or cancels what is pending of one fact (Fact.Parent), or with Unit all that is pending in it.
type ReleaseBody struct {
	Cancel bool   `json:"cancel,omitempty"`
	Unit   string `json:"unit,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// TierBody sets a tier by hand as a floor, until a time or for good; an empty Tier lifts the floor.
type TierBody struct {
	Set    string     `json:"set"`
	Tier   string     `json:"tier,omitempty"`
	Until  *time.Time `json:"until,omitempty"`
	Reason string     `json:"reason"`
}

// StatusBody changes what a member may do.
type StatusBody struct {
	// To is "active", "blocked" or "closed".
	To     string `json:"to"`
	Reason string `json:"reason,omitempty"`
}

// Merge moves everything of one member to another.
type Merge struct {
	// Other is the survivor on merge_out, the merged one on merge_in.
	Other string `json:"other"`
	// Carried, on merge_in, is what left the merged member.
	Carried *Carried `json:"carried,omitempty"`
	// Circular, on merge_in, are those who invited one of the two and were themselves brought by one of them, as the flow saw it.
	Circular []string `json:"circular,omitempty"`
	Reason   string   `json:"reason,omitempty"`
}

// Carried is all that a merged member had: lots, grants, challenges, debt, tallies, tiers.
type Carried struct {
	Challenges map[string]*ChallengeState  `json:"challenges,omitempty"`
	Grants     []Grant                     `json:"grants,omitempty"`
	Lots       []MovedLot                  `json:"lots,omitempty"`
	Debt       map[string]int64            `json:"debt,omitempty"`
	Tallies    map[string]map[string]int64 `json:"tallies,omitempty"`
	Tiers      map[string]*TierState       `json:"tiers,omitempty"`
	Plans      map[string]*PlanState       `json:"plans,omitempty"`
	Fades      map[string]*FadeState       `json:"fades,omitempty"`
	// Active is the last use of each unit, for expiry by inactivity.
	Active    map[string]time.Time `json:"active,omitempty"`
	Purchases int64                `json:"purchases,omitempty"`
	First     *time.Time           `json:"first_purchase_at,omitempty"`
	Last      *time.Time           `json:"last_purchase_at,omitempty"`
	JoinedAt  time.Time            `json:"joined_at"`
	Referral  *ReferralState       `json:"referral,omitempty"`
	// Passed and Taken are as in the state.
	Passed []PassedOn `json:"passed,omitempty"`
	Taken  []string   `json:"taken,omitempty"`
	// Was is as in the state.
	Was []string `json:"was,omitempty"`
	// Birthday, Moments, Settled, Joined and LetGo are as in the state.
	Birthday string               `json:"birthday,omitempty"`
	Moments  map[string]time.Time `json:"moments,omitempty"`
	Settled  []Settlement         `json:"settled,omitempty"`
	Joined   []JoinedMember       `json:"joined,omitempty"`
	LetGo    []LetGo              `json:"let_go,omitempty"`
	// House is what the member belonged to.
	House *HouseState `json:"house,omitempty"`
}
