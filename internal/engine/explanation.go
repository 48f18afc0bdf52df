package engine

import "time"

// Explanation says why a decision is what it is. It is kept as data; package explain makes sentences of it.
type Explanation struct {
	// Rules has one entry for each rule and multiplier of the trigger, in the order considered.
	Rules []RuleTrace `json:"rules,omitempty"`
	// Notes say what else happened: tiers, debt, expiry, what could not be taken back.
	Notes []Note `json:"notes,omitempty"`
}

// RuleTrace is what came of one rule.
type RuleTrace struct {
	Rule string `json:"rule"`
	// Fired says that the rule gave something (or would have, in a dry run).
	Fired  bool `json:"fired"`
	DryRun bool `json:"dry_run,omitempty"`
	// Why is the outcome: one of the Why codes, with the values seen.
	Why Note `json:"why"`
	// Steps is the arithmetic, in order.
	Steps []Note `json:"steps,omitempty"`
	// Unit and Amount (minor units) are what it gave.
	Unit   string `json:"unit,omitempty"`
	Amount int64  `json:"amount,omitempty"`
}

// Note is one statement: a code with its values. Each code has a sentence in every language (package explain).
type Note struct {
	Code string           `json:"code"`
	Args map[string]Value `json:"args,omitempty"`
}

// Value is one typed value. Just one form is set.
type Value struct {
	// Money is in minor units of the program's currency.
	Money *int64 `json:"money,omitempty"`
	// Unit with Amount is in minor units of that unit.
	Unit   string `json:"unit,omitempty"`
	Amount int64  `json:"amount,omitempty"`
	// Number is a decimal as text, or a whole number.
	Number string `json:"number,omitempty"`
	// Time is an instant, Day the local date YYYY-MM-DD.
	Time *time.Time `json:"time,omitempty"`
	Day  string     `json:"day,omitempty"`
	// Rule, Reward, Tier (as SET/TIER) and Set are ids; they are shown by title.
	Rule   string `json:"rule,omitempty"`
	Reward string `json:"reward,omitempty"`
	Tier   string `json:"tier,omitempty"`
	Set    string `json:"set,omitempty"`
	// Benefit is an id, shown by title; Plans are ids of plans.
	Benefit string   `json:"benefit,omitempty"`
	Plans   []string `json:"plans,omitempty"`
	// Percent is a decimal: 10 is ten percent.
	Percent string `json:"percent,omitempty"`
	// Word is one of a fixed list (a period, a rounding, a weekday) and is translated; Text is shown as it is.
	Word string `json:"word,omitempty"`
	Text string `json:"text,omitempty"`
	// List holds several texts, shown as they are; Words several words of a fixed list; Tiers several tiers.
	List  []string `json:"list,omitempty"`
	Words []string `json:"words,omitempty"`
	Tiers []string `json:"tiers,omitempty"`
}

// Why codes: the outcome of a rule. Comments name the args.
const (
	WhyEarned       = "earned"         // gave
	WhyMultiplied   = "multiplied"     // factor, gave
	WhyScope        = "no_line"        // no line is in the rule's scope
	WhyWindowBefore = "not_begun"      // from
	WhyWindowAfter  = "ended"          // until
	WhyCondition    = "condition"      // see the steps: the Cond note that failed
	WhyLimit        = "limit_reached"  // per, times or amount
	WhyLimitRefuse  = "limit_refused"  // per, left, wanted
	WhyClaimed      = "lines_claimed"  // rule
	WhyExclusive    = "lost_exclusive" // rule
	WhyBest         = "lost_best"      // rule, group
	WhyZero         = "zero"           // it came to nothing
	WhyNothing      = "nothing_to_multiply"
	WhyNoMember     = "no_member"
	WhyBlocked      = "blocked" // the member is blocked or closed
)

// Cond codes: one part of a condition that failed (or, inside any and not, was looked at). Args: want and seen, unless said.
const (
	CondWeekday   = "cond_weekday"
	CondHours     = "cond_hours"
	CondDates     = "cond_dates"
	CondTier      = "cond_tier"
	CondOnlyTier  = "cond_only_tier"
	CondStore     = "cond_store"
	CondChannel   = "cond_channel"
	CondPayment   = "cond_payment"
	CondAmount    = "cond_amount" // seen, from, to (money)
	CondTotal     = "cond_total"  // seen, from, to (money)
	CondItems     = "cond_items"  // seen, from, to (number)
	CondFirst     = "cond_first_purchase"
	CondNotFirst  = "cond_not_first_purchase"
	CondPlan      = "cond_plan" // want
	CondMemberFor = "cond_member_for"
	CondAttribute = "cond_attribute" // name, want, seen
	CondProperty  = "cond_property"  // name, want, seen
	CondFormula   = "cond_formula"   // text
	CondAny       = "cond_any"       // none of the parts held; the parts follow
	CondNot       = "cond_not"       // what must not hold did
)

// Step codes: the arithmetic.
const (
	StepBasis     = "basis"         // money: what counts
	StepGross     = "gross"         // discount: added back
	StepDiscounts = "discounts"     // discount: taken off
	StepTax       = "tax"           // tax: taken off
	StepShipping  = "shipping"      // shipping: added
	StepPayments  = "payments"      // money: taken off for how it was paid, means
	StepRate      = "rate"          // from (text with currency), rate, to
	StepPer       = "per"           // basis, per, amount → gave, rounding
	StepItems     = "items"         // items, amount → gave
	StepFixed     = "fixed"         // gave
	StepFormula   = "formula"       // text → gave
	StepFactor    = "factor"        // rule, factor, from → gave (what it adds)
	StepClaimed   = "claimed_lines" // lines, rule: lines left out because another rule claimed them
	StepClip      = "clipped"       // per, left → gave
	StepRounded   = "rounded"       // rounding → gave
	StepPercent   = "percent"       // percent, basis (money or units) → gave, rounding
	StepPart      = "percent_part"  // percent, basis: the part of it that a step counts for
	StepBought    = "bought"        // money, from, until: what was bought in the period
)

// Notes of a decision.
const (
	NoteVersion       = "decided_by"         // version, time
	NoteLate          = "late"               // time: decided as of then
	NoteNothing       = "nothing_earned"     // no rule gave anything
	NoteNothingBack   = "nothing_taken_back" // goods came back for which nothing was earned; said where it is told, not decided
	NoteLot           = "lot"                // gave, time (expiry)
	NoteLotForever    = "lot_forever"        // gave
	NotePending       = "pending_until"      // gave, time
	NoteConfirm       = "pending_confirm"    // gave, text (activity)
	NoteDebtPaid      = "debt_paid"          // amount
	NoteDebtMade      = "debt_made"          // amount
	NoteForgiven      = "forgiven"           // amount
	NoteReversed      = "taken_back"         // amount, rule
	NoteKept          = "kept"               // returns keep what was earned
	NoteGivenBack     = "given_back"         // amount
	NoteGoneLot       = "given_back_expired" // amount: the lot had ended meanwhile
	NoteSpent         = "spent"              // amount, reward
	NoteGranted       = "granted"            // reward (what), time (its end, optional)
	NoteRaffleWon     = "raffle_won"         // reward (the ticket)
	NoteGrantWaits    = "grant_waits"        // reward, time
	NoteGrantOpen     = "grant_open"         // reward: its waiting is over
	NoteGrantUsed     = "grant_used"         // reward
	NoteGrantHeld     = "grant_held"         // reward, time
	NoteGrantAgain    = "grant_given_back"   // reward: may be used again
	NoteGrantEnding   = "grant_ending"       // reward, time
	NoteGrantEnded    = "grant_ended"        // reward
	NoteGrantClosed   = "grant_closed"       // reward: ended with the membership
	NoteGrantBack     = "grant_taken_back"   // reward
	NoteReserved      = "reserved"           // amount, reward, time
	NoteVoucherUsed   = "voucher_used"       // money, reward
	NoteVoucherUnused = "voucher_unused"     // reward
	NoteVoucherVoid   = "voucher_void"       // reward
	NoteVoucherWaits  = "voucher_waits"      // reward: its code is drawn when somebody asks for it
	NoteMoneyDue      = "money_due"          // money, reward
	NoteMoneyPaid     = "money_paid"         // money, reward
	NoteMoneyBack     = "money_back"         // money, reward
	NoteChosen        = "chosen"             // reward
	NoteNotBack       = "not_given_back"     // reward: handed out for good
	NoteOrdered       = "ordered"            // reward
	NotePacked        = "packed"             // reward
	NoteSent          = "sent"               // reward
	NoteDelivered     = "delivered"          // reward
	NoteCameBack      = "came_back"          // reward
	NoteFailed        = "fulfilment_failed"  // reward
	NoteCouponUsed    = "coupon_used"        // money, text (coupon)
	NoteCouponUnused  = "coupon_unused"      // text (coupon)
	NoteCardLoaded    = "card_loaded"        // amount
	NoteCardPaid      = "card_paid"          // amount
	NoteCardHeld      = "card_held"          // amount, time
	NoteCardLetGo     = "card_let_go"        // amount
	NoteLetGo         = "let_go"             // amount, reward
	NoteLapsed        = "lapsed"             // amount, reward
	NoteReleased      = "released"           // amount
	NoteCancelled     = "pending_cancelled"  // amount
	NoteExpired       = "expired"            // amount, time
	NoteInactive      = "expired_inactive"   // amount, time (last activity)
	NoteExpiring      = "expiring"           // amount, time
	NoteAdjusted      = "adjusted"           // amount, text
	NoteGave          = "gave_away"          // amount
	NoteReceived      = "received"           // amount
	NoteTierUp        = "tier_up"            // tier, seen, from
	NoteTierDown      = "tier_down"          // tier, was, seen
	NoteTierWarning   = "tier_warning"       // tier (now), to, time, missing
	NoteTierSafe      = "tier_safe"          // tier: the clock was stopped
	NoteTierFloor     = "tier_floor"         // tier, time (optional)
	NoteTierKept      = "tier_kept"          // tier, time: holds until
	NoteStatus        = "status"             // word
	NoteCardStatus    = "card_status"        // word
	NoteMerged        = "merged"             // text (other)
	NoteClosedOut     = "closed_out"         // amount
	NoteCardClosed    = "card_closed"        // amount

	NoteChallenge      = "challenge"         // rule, amount (optional), seen, want, missing: what counts towards the next prize
	NoteChallengeDone  = "challenge_done"    // rule
	NoteChallengeBack  = "challenge_back"    // rule, amount, seen, missing
	NoteChallengeDebt  = "challenge_debt"    // rule, amount: of a prize that was used
	NoteChallengeShort = "challenge_short"   // rule, amount: let go
	NoteChallengeHand  = "challenge_by_hand" // rule, amount, text
	NoteChallengeIn    = "challenge_joined"  // rule
	NoteChallengeOut   = "challenge_left"    // rule

	NoteReferralOpen      = "referral_open"
	NoteReferralRefused   = "referral_refused" // word: one of the Refused words
	NoteReferralQualified = "referral_qualified"
	NoteReferralUndone    = "referral_undone"
	NoteReferralMissed    = "referral_missed"
	NoteFriendJoined      = "friend_joined"
	NoteFriendQualified   = "friend_qualified"
	NoteFriendUndone      = "friend_undone"

	NoteShareMade    = "share_made"    // reward (or benefit), time (to be claimed until)
	NoteShareClaimed = "share_claimed" // reward (or benefit)
	NoteShareEnded   = "share_ended"   // reward (or benefit)
	NoteShareVoid    = "share_void"    // reward (or benefit)
	NoteShareGot     = "share_got"     // reward (or benefit), of the friend
	NoteShareNot     = "share_not"     // reward (or benefit), of a friend who had it before
	NoteShareUsed    = "share_used"    // reward (or benefit), of the giver
	NoteShareUndone  = "share_undone"  // reward (or benefit), of the giver

	NoteThanksGiven    = "thanks_given"    // amount, text (value, optional)
	NoteThanksWait     = "thanks_wait"     // amount, text (optional), time (let go then)
	NoteThanksApproved = "thanks_approved" // amount, text (optional)
	NoteThanksDeclined = "thanks_declined" // amount, text (optional)
	NoteThanksLapsed   = "thanks_lapsed"   // amount, text (optional)
	NoteThanksUndone   = "thanks_undone"   // amount, text (optional)
	NoteThanked        = "thanked"         // amount, text (value, optional)
	NoteThanksTaken    = "thanks_taken"    // what somebody was thanked with is taken back
	NoteHouseOpened    = "house_opened"    // word, member
	NoteHouseJoined    = "house_joined"    // member, role
	NoteHouseInvited   = "house_invited"   // member, role, time
	NoteHouseUninvited = "house_uninvited" // member
	NoteHouseLeft      = "house_left"      // member
	NoteHouseRole      = "house_role"      // member, role
	NoteHouseMerged    = "house_merged"    // member, was
	NoteHouseKeeps     = "house_keeps"     // member
	NoteHouseShares    = "house_shares"    // member
	NoteKeepsOut       = "keeps_out"       // house
	NoteSharesAgain    = "shares_again"    // house
	NoteJoinedHouse    = "joined_house"    // word, house
	NoteLeftHouse      = "left_house"      // word, house
	NoteTogether       = "spent_together"  // amount (one's own), others
	NoteChippedIn      = "chipped_in"      // amount, member
	NoteBorrowed       = "borrowed"        // amount, member
	NoteSentHome       = "sent_home"       // amount, member
	NoteCameHome       = "came_home"       // amount, member

	NotePartnerAward  = "partner_awarded"  // amount, text (partner)
	NotePartnerAccept = "partner_accepted" // amount, text (partner)
	NotePartnerUndo   = "partner_undone"   // amount, text (partner)
	NotePlanStarted   = "plan_started"     // plan, time (until)
	NotePlanTrial     = "plan_trial"       // plan, time (until): it began, and is free so long
	NotePlanRenewed   = "plan_renewed"     // plan, time (until)
	NotePlanFailed    = "plan_failed"      // plan, time (ends then unless paid)
	NotePlanCancelled = "plan_cancelled"   // plan, time (ends then)
	NotePlanResumed   = "plan_resumed"     // plan
	NotePlanChanged   = "plan_changed"     // plan, was
	NotePlanChanges   = "plan_changes"     // plan, was, time
	NotePlanEnded     = "plan_ended"       // plan, time

	NoteFading        = "benefit_fading"   // benefit, time, value (now, optional), to (optional: without it, it ends)
	NoteFaded         = "benefit_faded"    // benefit, value (optional)
	NoteFadedAgain    = "benefit_faded_on" // benefit, value (optional): the purchase that had brought it back came back
	NoteFadeStopped   = "benefit_kept"     // benefit: what was warned of will not come
	NoteRestored      = "benefit_restored" // benefit, value (optional)
	NoteBenefitTaken  = "benefit_used"     // benefit
	NoteBenefitOff    = "benefit_off"      // benefit, money: what it took off the purchase it was used with
	NoteBenefitUnused = "benefit_unused"   // benefit
)

// Notes of why a member may not have a benefit.
const (
	NoteBenefitInactive = "benefit_inactive"
	NoteBenefitFrom     = "benefit_from"  // time
	NoteBenefitOver     = "benefit_over"  // time
	NoteBenefitTier     = "benefit_tier"  // tier, missing, time (optional)
	NoteBenefitPlan     = "benefit_plan"  // plan
	NoteBenefitGone     = "benefit_gone"  // time: the last purchase
	NoteBenefitLimit    = "benefit_limit" // times, per, time (optional)
	NoteBenefitOpens    = "benefit_opens" // time
	NoteBenefitNothing  = "benefit_nothing"
	NoteBenefitWhy      = "benefit_why"      // because: what of the condition failed; made by explain
	NoteCorrected       = "period_corrected" // rule, from, until, money: what was bought in the period now
	NoteWillGrow        = "will_grow"        // amount (now), gave (then), until
	NoteWillShrink      = "will_shrink"      // amount (now), gave (then), until
	NoteWillStay        = "will_stay"        // gave (then), until
	NoteTarget          = "target"           // rule, money, gave, until; missing, percent of the next step
)

// Notes of why a member cannot have a reward now.
const (
	NoteOfferNone     = "offer_none"      // there are none left
	NoteOfferTime     = "offer_time"      // from, or until (both optional)
	NoteOfferDrawn    = "offer_drawn"     // the draw is over
	NoteOfferGranted  = "offer_granted"   // it cannot be bought
	NoteOfferLimit    = "offer_limit"     // times, per, time (optional)
	NoteOfferLimitAll = "offer_limit_all" // the same, of all members together
	NoteOfferShort    = "offer_short"     // missing
	NoteOfferLeast    = "offer_least"     // amount
	NoteOfferRole     = "offer_role"      // the role may not spend for the organization
)

// Args are the values of a note.
type Args = map[string]Value

// Money makes a value of minor units of the program's currency.
func Money(minor int64) Value { return Value{Money: &minor} }

// Units makes a value of minor units of a unit.
func Units(unit string, minor int64) Value { return Value{Unit: unit, Amount: minor} }

// Number makes a value of a decimal written as text.
func Number(text string) Value { return Value{Number: text} }

// Time makes a value of an instant.
func Time(t time.Time) Value { return Value{Time: &t} }
