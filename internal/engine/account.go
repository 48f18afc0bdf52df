package engine

import (
	"strings"
	"time"

	"lojal.dev/lojal/internal/ledger"
)

// Member statuses.
const (
	Active  = "active"
	Blocked = "blocked"
	Closed  = "closed"
	Merged  = "merged"
)

// Account is what a member has, as the engine sees it. State is stored as one value; Lots and Tallies are rows of
// their own, of which only those that Needs asked for are loaded.
type Account struct {
	Program string
	Member  string
	State   State
	// Lots holds the loaded lots by number, in order of number.
	Lots []*ledger.Lot
	// Tallies holds the loaded counters: name, then period. Names that begin with "program:" are the whole program's.
	Tallies map[string]map[string]int64
}

// State is the part of an account that every fact needs.
type State struct {
	// Seq is the number of the last fact, 0 before the enrolment.
	Seq int64 `json:"seq"`
	// At is the business time up to which time-driven changes have been made.
	At     time.Time `json:"at,omitzero"`
	Status string    `json:"status,omitempty"`
	// Kind is the kind of holder: a person when empty.
	Kind string `json:"kind,omitempty"`
	// Card is what a gift card is besides.
	Card       *CardState        `json:"card,omitempty"`
	MergedInto string            `json:"merged_into,omitempty"`
	JoinedAt   time.Time         `json:"joined_at,omitzero"`
	Zone       string            `json:"zone,omitempty"`
	Language   string            `json:"language,omitempty"`
	Attributes map[string]string `json:"attributes,omitempty"`
	// Units by id.
	Units map[string]*ledger.Holding `json:"units,omitempty"`
	// Tiers by tier set.
	Tiers map[string]*TierState `json:"tiers,omitempty"`
	// Plans by id, those that ended too.
	Plans map[string]*PlanState `json:"plans,omitempty"`
	// Fades says how far fading benefits have fallen, by benefit.
	Fades map[string]*FadeState `json:"fades,omitempty"`
	// Purchases counts purchases that are not wholly returned.
	Purchases       int64      `json:"purchases,omitempty"`
	FirstPurchaseAt *time.Time `json:"first_purchase_at,omitempty"`
	LastPurchaseAt  *time.Time `json:"last_purchase_at,omitempty"`
	// House is who belongs together; nil where nobody does.
	House *HouseState `json:"house,omitempty"`
	// Lots is the number of the last lot.
	Lots int64 `json:"lots,omitempty"`
	// Holds are the open reservations, oldest first.
	Holds []RedemptionState `json:"holds,omitempty"`
	// Grants are what the member may have and has not used up; Granted is the number of the last one ever given.
	Grants  []Grant `json:"grants,omitempty"`
	Granted int64   `json:"granted,omitempty"`
	// Referral is who brought the member, and what came of it; nil when nobody did.
	Referral *ReferralState `json:"referral,omitempty"`
	// Thanks are those of this member that wait for approval, oldest first.
	Thanks []WaitingThanks `json:"waiting_thanks,omitempty"`
	// Passed is what this member passed on and nobody has claimed; Taken are the ids of what friends passed on to this member.
	Passed []PassedOn `json:"passed,omitempty"`
	Taken  []string   `json:"taken,omitempty"`
	// Was are the ids of the members that were merged into this one, where the program has recognition.
	Was []string `json:"was,omitempty"`
	// Challenges by id: who joined, what was won.
	Challenges map[string]*ChallengeState `json:"challenges,omitempty"`
	// Tallied names the metrics whose days are complete from the member's first fact on.
	Tallied []string `json:"tallied,omitempty"`
	// Birthday is the day of the member's birth date, MM-DD.
	Birthday string `json:"birthday,omitempty"`
	// Moments holds when a moment of the member's own (birthday, anniversary, a tier) last gave something, by trigger.
	Moments map[string]time.Time `json:"moments,omitempty"`
	// Settled is what was given for what was bought in periods that are over, and for tiers.
	Settled []Settlement `json:"settled,omitempty"`
	// LetGo is what was to be taken back, had been spent and was let go, oldest first: it is paid from what comes back of what was spent before.
	LetGo []LetGo `json:"let_go,omitempty"`
	// Joined is who was merged into this member, in order.
	Joined []JoinedMember `json:"joined,omitempty"`
	// LotDue is the earliest moment at which a lot changes (release, warning, expiry), as far as is known: never too late.
	LotDue *time.Time `json:"lot_due,omitempty"`
	// DueAt is the next moment at which anything changes by time alone; nil when nothing will.
	DueAt *time.Time `json:"due_at,omitempty"`
}

// LetGo is what could not be taken back since it had been spent, and is not owed.
type LetGo struct {
	Unit   string    `json:"unit"`
	Amount int64     `json:"amount"`
	At     time.Time `json:"at"`
	// Rule gave it for Fact, Award is the place among the fact's awards; NoAward where it is none of them.
	Rule  string `json:"rule,omitempty"`
	Fact  string `json:"fact,omitempty"`
	Award int    `json:"award"`
}

// JoinedMember is somebody who was merged into a member.
type JoinedMember struct {
	Member string `json:"member"`
	// Into is who it was merged into, where that member was merged into this one later; empty for this one.
	Into string `json:"into,omitempty"`
}

// TierState is where a member stands in a tier set.
type TierState struct {
	// Tier is the step's id; empty below the first step.
	Tier  string    `json:"tier,omitempty"`
	Since time.Time `json:"since,omitzero"`
	// FallsAt is when the member falls unless the metric is met again; nil when safe.
	FallsAt *time.Time `json:"falls_at,omitempty"`
	// HoldUntil keeps the tier at least until then (after a fall of one step).
	HoldUntil *time.Time `json:"hold_until,omitempty"`
	// Warned says that the fall at FallsAt was announced.
	Warned bool `json:"warned,omitempty"`
	// Floor is a tier set by hand, FloorUntil its end (nil for good).
	Floor      string     `json:"floor,omitempty"`
	FloorUntil *time.Time `json:"floor_until,omitempty"`
	// NextAt is the next moment at which the metric may fall or a floor ends.
	NextAt *time.Time `json:"next_at,omitempty"`
	// Value is the metric at its last count.
	Value int64 `json:"value,omitempty"`
	// History holds the changes of the last years in business time, oldest first, for purchases that arrive late.
	History []TierChange `json:"history,omitempty"`
}

// TierChange is a step in the history of a tier set.
type TierChange struct {
	At   time.Time `json:"at"`
	Tier string    `json:"tier,omitempty"`
}

// HeldLot is a part of a lot.
type HeldLot struct {
	Lot    int64  `json:"lot"`
	Unit   string `json:"unit"`
	Amount int64  `json:"amount"`
	// ExpiresAt is the lot's end, for a refund after the lot went to another member's books.
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	// Owner is who of the household gave it; the member when empty.
	Owner string `json:"owner,omitempty"`
}

// Counter is a change of a tally.
type Counter struct {
	Name   string `json:"name"`
	Period string `json:"period"`
	Add    int64  `json:"add"`
}

// Needs says what an account must have loaded before a fact can be decided.
type Needs struct {
	// Lots asks for all open lots.
	Lots bool
	// LotIDs asks for lots by number, open or not.
	LotIDs []int64
	// Past asks for the fact with this id (Fact.Parent) with its decision, and for all facts whose parent it is.
	// The lots named in their postings are needed too, open or not.
	Past []string
	// Tallies asks for ranges of counters.
	Tallies []TallyRange
	// AllTallies asks for every counter of the member (never the program's).
	AllTallies bool
	// Redemptions asks for redemptions by id. Those named in the decision of a loaded Past are needed too.
	Redemptions []string
	// Rebuild names metrics that must be counted anew, by Rebuild over all the member's facts, into Input.Rebuilt.
	Rebuild []string
}

// TallyRange asks for the counters of a name with From <= period <= To.
type TallyRange struct{ Name, From, To string }

// ProgramTally is the prefix of the names of counters that belong to the whole program.
const ProgramTally = "program:"

// IsProgramTally says whether a counter belongs to the whole program.
func IsProgramTally(name string) bool { return strings.HasPrefix(name, ProgramTally) }

// Past is an earlier fact with what was decided.
type Past struct {
	Fact     Fact
	Decision Decision
	// Children are the later facts about it, in order.
	Children []Past
}

// Decision is what follows from a fact.
type Decision struct {
	// Version is the program version it was decided by, 0 for a draft.
	Version  int64            `json:"version"`
	Postings []ledger.Posting `json:"postings,omitempty"`
	// Awards is what each rule gave, with the lines it came of.
	Awards []Award `json:"awards,omitempty"`
	// Lines are a purchase's lines in minor units of the program's currency, as decided; for returns what came back.
	Lines []LineSum `json:"lines,omitempty"`
	// Reversals is what a return took back of each award.
	Reversals []Reversal `json:"reversals,omitempty"`
	// Redemptions are the redemptions that were made or changed.
	Redemptions []RedemptionState `json:"redemptions,omitempty"`
	// Grants are those that were given or changed, as they stand after it.
	Grants []Grant `json:"grants,omitempty"`
	// Counts is what was counted for challenges, Broken the points of prizes that were broken.
	Counts []Count  `json:"counts,omitempty"`
	Broken []Broken `json:"broken,omitempty"`
	// Counters are the changes of tallies.
	Counters []Counter `json:"counters,omitempty"`
	// Moved is what left the member, for the fact on the other side.
	Moved       []MovedLot  `json:"moved,omitempty"`
	Carried     *Carried    `json:"carried,omitempty"`
	Explanation Explanation `json:"explanation"`
	Events      []Event     `json:"events,omitempty"`
}

// Award is what one rule gave of one unit.
type Award struct {
	Rule   string `json:"rule"`
	Unit   string `json:"unit"`
	Lot    int64  `json:"lot"`
	Amount int64  `json:"amount"`
	// Lines shares Amount over the purchase's lines, in their order, adding up to Amount. Empty for activities.
	Lines []int64 `json:"lines,omitempty"`
	// Counters are the limits it used, to be given back as it is reversed.
	Counters []Counter `json:"counters,omitempty"`
}

// LineSum is a line in minor units of the program's currency; Quantity in thousandths.
type LineSum struct {
	ID       string `json:"id"`
	Quantity int64  `json:"quantity"`
	Amount   int64  `json:"amount"`
}

// Reversal is what a return took of the award with this place in the purchase's Awards.
type Reversal struct {
	Award  int    `json:"award"`
	Rule   string `json:"rule"`
	Unit   string `json:"unit"`
	Amount int64  `json:"amount"`
	// Owed is the part that was spent already and became debt, Forgiven the part that was let go.
	Owed     int64 `json:"owed,omitempty"`
	Forgiven int64 `json:"forgiven,omitempty"`
	// Spent is the part of Forgiven that was spent, and not ended. Both are below zero, with an Amount of 0, where it is taken after all: from
	// what had paid for the very purchase and comes back.
	Spent int64 `json:"spent,omitempty"`
	// At is when what a tier gave counted as earned: not with the purchase that comes back.
	At time.Time `json:"at,omitzero"`
}

// Redemption statuses.
const (
	StatusReserved  = "reserved"
	StatusCommitted = "committed"
	StatusCancelled = "cancelled"
	StatusLapsed    = "lapsed" // the reservation's time ran out
	StatusRefunded  = "refunded"
)

// RedemptionState is a redemption as it stands after a fact.
type RedemptionState struct {
	ID string `json:"id"`
	// Member is whose lots it took; after a merge that is not who owns the redemption now.
	Member   string           `json:"member,omitempty"`
	Reward   string           `json:"reward"`
	Quantity int64            `json:"quantity,omitempty"`
	Status   string           `json:"status"`
	Price    map[string]int64 `json:"price,omitempty"`
	// Refunded is what was given back so far, by unit.
	Refunded map[string]int64 `json:"refunded,omitempty"`
	// Worth is money off in minor units; Product and Voucher what is handed over.
	Worth    int64         `json:"worth,omitempty"`
	Product  string        `json:"product,omitempty"`
	Voucher  *VoucherState `json:"voucher,omitempty"`
	Purchase string        `json:"purchase,omitempty"`
	// Chosen is the reward that was picked, Option the number of the price where it is not the first.
	Chosen string `json:"chosen,omitempty"`
	Option int64  `json:"option,omitempty"`
	// On is how much of each line of the purchase it paid, as Decision.Lines, where the reward may pay only some lines; then it goes back with those.
	On []int64 `json:"on,omitempty"`
	// Money is what was paid besides the points, MoneyBack what was given back of it, in minor units.
	Money     int64 `json:"money,omitempty"`
	MoneyBack int64 `json:"money_back,omitempty"`
	// Pooled is the code that was handed out, Fulfilment how far what was ordered is, Draws when a ticket's time ends.
	Pooled     *Pooled     `json:"pooled,omitempty"`
	Fulfilment *Fulfilment `json:"fulfilment,omitempty"`
	Draws      *time.Time  `json:"draws,omitempty"`
	At         time.Time   `json:"at"`
	// ExpiresAt is the end of a reservation.
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	// Lots is what it took, lot by lot; a refund gives back to them, the last taken first.
	Lots []HeldLot `json:"lots,omitempty"`
	// Grants are those that paid for it, in whole or in part; they are given back when it is undone.
	Grants []GrantUse `json:"grants,omitempty"`
	// Counters are the stock and limits it used, given back when it is undone.
	Counters []Counter `json:"counters,omitempty"`
}

// VoucherState is a code that was issued.
type VoucherState struct {
	// Code is there in vouchers of before there was a hash, Hash with Tail in all others.
	Code string `json:"code,omitempty"`
	Hash string `json:"hash,omitempty"`
	Tail string `json:"tail,omitempty"`
	// Was is the hash of the code before this one.
	Was string `json:"was,omitempty"`
	// Waits says that no code was drawn yet: it was handed over by time, and nobody asked.
	Waits bool `json:"waits,omitempty"`
	// Bound says that only its owner may use it, Uses how often it can be used when that is more than once.
	Bound bool  `json:"bound,omitempty"`
	Uses  int64 `json:"uses,omitempty"`
	// Used are its uses that were not taken back, the oldest first. Void says that it was called off.
	Used       []VoucherUse `json:"used,omitempty"`
	Void       bool         `json:"void,omitempty"`
	Money      int64        `json:"money,omitempty"`   // minor units
	Percent    string       `json:"percent,omitempty"` // decimal
	ValidUntil *time.Time   `json:"valid_until,omitempty"`
}

// Event is something others may want to know. Its type is one of the names below.
type Event struct {
	Type string `json:"type"`
	// Data is thin: ids, unit and amounts as decimal text.
	Data map[string]string `json:"data,omitempty"`
}

// The event types.
const (
	EvEnrolled        = "member.enrolled"
	EvProfile         = "member.updated"
	EvStatus          = "member.status_changed"
	EvMerged          = "member.merged"
	EvPurchase        = "purchase.recorded"
	EvReturn          = "purchase.returned"
	EvActivity        = "activity.recorded"
	EvEarned          = "points.earned"
	EvReversed        = "points.reversed"
	EvReleased        = "points.released"
	EvCancelled       = "points.cancelled"
	EvExpired         = "points.expired"
	EvExpiring        = "points.expiring"
	EvAdjusted        = "points.adjusted"
	EvTransferred     = "points.transferred"
	EvTierFloor       = "tier.floor"
	EvTierUp          = "tier.up"
	EvTierDown        = "tier.down"
	EvTierWarning     = "tier.warning"
	EvReserved        = "redemption.reserved"
	EvCommitted       = "redemption.committed"
	EvCancelledRedeem = "redemption.cancelled"
	EvLapsed          = "redemption.lapsed"
	EvRefunded        = "redemption.refunded"
	EvVoucher         = "voucher.issued"
	EvGranted         = "grant.given"
	EvGrantOpen       = "grant.opened" // its waiting is over
	EvGrantEnding     = "grant.ending"
	EvGrantEnded      = "grant.ended"
	EvGrantBack       = "grant.taken_back"
	EvChallengeDone   = "challenge.completed"
	EvChallengeBack   = "challenge.taken_back"
	EvChallengeIn     = "challenge.joined"
	EvChallengeOut    = "challenge.left"
	EvLimit           = "rule.limit_reached"

	EvReferralJoined    = "referral.joined"
	EvReferralQualified = "referral.qualified"
	EvReferralUndone    = "referral.undone"
	EvReferralMissed    = "referral.missed"
	EvReferralRefused   = "referral.refused"
	EvThanks            = "thanks.recorded"
	EvVoucherUsed       = "voucher.used"
	EvVoucherUndone     = "voucher.undone"
	EvVoucherVoid       = "voucher.void"
	EvCouponIssued      = "coupon.issued"
	EvCouponUsed        = "coupon.used"
	EvCouponUndone      = "coupon.undone"
	EvCodeBack          = "purchase.code_back"
	EvCardIssued        = "gift_card.issued"
	EvCardLoaded        = "gift_card.loaded"

	EvPlanStarted     = "plan.started"
	EvPlanRenewed     = "plan.renewed"
	EvPlanFailed      = "plan.failed"
	EvPlanCancelled   = "plan.cancelled"
	EvPlanResumed     = "plan.resumed"
	EvPlanChanged     = "plan.changed"
	EvPlanEnded       = "plan.ended"
	EvBenefitFading   = "benefit.fading"
	EvBenefitFaded    = "benefit.faded"
	EvBenefitRestored = "benefit.restored"
	EvBenefitUsed     = "benefit.used"
	EvBenefitUnused   = "benefit.use_undone"

	EvRecognized          = "recognition.given"
	EvShareMade           = "share.made"
	EvShareClaimed        = "share.claimed"
	EvShareUsed           = "share.used"
	EvShareUndone         = "share.undone"
	EvShareEnded          = "share.ended"
	EvRecognitionWaits    = "recognition.waiting"
	EvRecognitionDeclined = "recognition.declined"
	EvRecognitionUndone   = "recognition.undone"
	EvHouseOpened         = "house.opened"
	EvHouseInvited        = "house.invited"
	EvHouseUninvited      = "house.uninvited"
	EvHouseJoined         = "house.joined"
	EvHouseLeft           = "house.left"
	EvHouseRole           = "house.role"
	EvHouseMerged         = "house.merged"
	EvHouseKeeps          = "house.keeps_out"
	EvHouseShares         = "house.shares"
	EvBelongs             = "house.membership"
	EvChippedIn           = "household.gave"
	EvSentHome            = "household.sent_home"
	EvCameHome            = "household.came_home"

	EvPartnerAward  = "partner.awarded"
	EvPartnerAccept = "partner.accepted"
	EvPartnerUndo   = "partner.undone"

	EvCodeGiven = "code.given" // from a pool
	EvPoolLow   = "pool.low"

	EvRaffleDrawn = "raffle.drawn"

	EvOrdered   = "fulfilment.ordered"
	EvPacked    = "fulfilment.packed"
	EvSent      = "fulfilment.sent"
	EvDelivered = "fulfilment.delivered"
	EvCameBack  = "fulfilment.returned"
	EvFailed    = "fulfilment.failed"
)
