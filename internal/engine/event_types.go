package engine

// EventType describes a type of event for those who read the feed or receive webhooks.
//
// Within a version, a field may be added to Data and a text may change; a field that is taken away or means something else
// raises the version, and is told of as the API's other changes are.
type EventType struct {
	Type string
	// Version is that of Data.
	Version int
	// Text says when there is one.
	Text string
	// Fields are those of Data.
	Fields []EventField
}

// EventField is a field of an event's data. All values are text.
type EventField struct {
	Name, Text, Example string
	// Optional fields are not in every event of the type.
	Optional bool
	// Time says that it is a moment as RFC 3339 writes it.
	Time bool
}

var (
	unitField       = EventField{Name: "unit", Text: "The unit.", Example: "star"}
	amountField     = EventField{Name: "amount", Text: "How many, as a decimal number; below zero where points were taken.", Example: "12"}
	redemptionField = EventField{Name: "redemption", Text: "The id of the redemption.", Example: "red_01k9zjq3hfe1f8m6v7j0q3x5c4"}
	rewardField     = EventField{Name: "reward", Text: "The reward.", Example: "coffee"}
	planField       = EventField{Name: "plan", Text: "The plan.", Example: "plus"}
	benefitField    = EventField{Name: "benefit", Text: "The benefit.", Example: "member_discount"}
	kindField       = EventField{Name: "kind", Text: "What its value is: percent, money or ahead; not there where it has none.", Example: "percent", Optional: true}
	valueField      = EventField{Name: "value", Text: "What it is worth now; not there where it has no value, or ended.", Example: "15", Optional: true}
	challengeField  = EventField{Name: "challenge", Text: "The challenge.", Example: "coffee-card"}
	setField        = EventField{Name: "set", Text: "The tier set.", Example: "club"}
)

// grantFields are the fields of an event about a grant, and more.
func grantFields(more ...EventField) []EventField {
	return append([]EventField{
		{Name: "grant", Text: "The number of the grant among the member's.", Example: "3"},
		{Name: "source", Text: "Whom it came from: challenge:ID, share:ID, hand.", Example: "challenge:coffee-card"},
		{Name: "reward", Text: "The reward, where it is one.", Example: "coffee", Optional: true},
		{Name: "benefit", Text: "The benefit, where it is one.", Example: "lounge", Optional: true},
	}, more...)
}

// EventTypes are all types of events that facts lead to, in the order in which they are documented. A test compares them with what
// is decided.
var EventTypes = []EventType{
	{EvEnrolled, 1, "A member was enrolled.", nil},
	{EvProfile, 1, "What rules may ask about a member changed: time zone, language or attributes.", nil},
	{EvStatus, 1, "A member was blocked, unblocked or closed.", []EventField{
		{Name: "to", Text: "What the member is now: active, blocked or closed.", Example: "blocked"},
		{Name: "was", Text: "What the member was before.", Example: "active"},
	}},
	{EvMerged, 1, "Two members became one. There is one event for each of the two.", []EventField{
		{Name: "into", Text: "The member who stays, in the event of the one who goes.", Example: "mem_01k9zjq3hfe1f8m6v7j0q3x5c4", Optional: true},
		{Name: "from", Text: "The member who goes, in the event of the one who stays.", Example: "mem_01k9zjq3hfe1f8m6v7j0q3x5c4", Optional: true},
	}},
	{EvPurchase, 1, "A purchase was recorded.", []EventField{
		{Name: "total", Text: "What it came to, in the program's currency.", Example: "129.00"},
		{Name: "currency", Text: "The program's currency.", Example: "NOK"},
	}},
	{EvReturn, 1, "Goods of a purchase came back.", []EventField{
		{Name: "purchase", Text: "The id of the purchase.", Example: "pur_01k9zjq3hfe1f8m6v7j0q3x5c4"},
	}},
	{EvActivity, 1, "An activity was recorded.", []EventField{
		{Name: "kind", Text: "The activity, as the program names it.", Example: "own_cup"},
	}},
	{EvEarned, 1, "A member earned points; they may still be pending.", []EventField{
		unitField, amountField, {Name: "fact", Text: "The fact that earned them.", Example: "pur_01k9zjq3hfe1f8m6v7j0q3x5c4"},
	}},
	{EvReversed, 1, "Points were taken back, as goods came back.", []EventField{
		unitField, amountField,
		{Name: "fact", Text: "The fact that had earned them.", Example: "pur_01k9zjq3hfe1f8m6v7j0q3x5c4"},
		{Name: "rule", Text: "The rule that had given them.", Example: "base"},
	}},
	{EvReleased, 1, "Pending points became spendable.", []EventField{unitField, amountField}},
	{EvCancelled, 1, "Pending points were called off.", []EventField{
		unitField, amountField, {Name: "fact", Text: "The fact that had earned them.", Example: "pur_01k9zjq3hfe1f8m6v7j0q3x5c4"},
	}},
	{EvExpired, 1, "Points came to their end.", []EventField{
		unitField, amountField, {Name: "reason", Text: "inactive, when they ended because nothing had happened for long.", Example: "inactive", Optional: true},
	}},
	{EvExpiring, 1, "Points will come to their end soon.", []EventField{
		unitField, amountField,
		{Name: "expires_at", Text: "When.", Example: "2027-01-31T00:00:00+01:00", Time: true},
		{Name: "reason", Text: "inactive, when they will end because nothing happens.", Example: "inactive", Optional: true},
	}},
	{EvAdjusted, 1, "Staff gave or took points by hand.", []EventField{unitField, amountField}},
	{EvTransferred, 1, "Points went from one member to another. There is one event for each of the two.", []EventField{
		unitField, amountField,
		{Name: "to", Text: "Who got them, in the event of the giver.", Example: "mem_01k9zjq3hfe1f8m6v7j0q3x5c4", Optional: true},
		{Name: "from", Text: "Who gave them, in the event of the receiver.", Example: "mem_01k9zjq3hfe1f8m6v7j0q3x5c4", Optional: true},
		{Name: "transfer", Text: "The id of the transfer.", Example: "trf_01k9zjq3hfe1f8m6v7j0q3x5c4"},
	}},
	{EvTierFloor, 1, "Staff set a tier by hand, or took it away again.", []EventField{
		setField,
		{Name: "tier", Text: "The tier; empty when it was taken away.", Example: "gold"},
		{Name: "until", Text: "Until when it holds; for good without it.", Example: "2027-12-31T23:59:59+01:00", Optional: true, Time: true},
	}},
	{EvTierUp, 1, "A member reached a higher tier.", []EventField{
		setField,
		{Name: "tier", Text: "The tier now.", Example: "gold"},
		{Name: "was", Text: "The tier before.", Example: "member"},
		{Name: "by_hand", Text: "true, when staff set it.", Example: "false"},
	}},
	{EvTierDown, 1, "A member fell to a lower tier.", []EventField{
		setField,
		{Name: "tier", Text: "The tier now; empty when there is none.", Example: "member"},
		{Name: "was", Text: "The tier before.", Example: "gold"},
	}},
	{EvTierWarning, 1, "A member will fall to a lower tier soon.", []EventField{
		setField,
		{Name: "tier", Text: "The tier now.", Example: "gold"},
		{Name: "falls_at", Text: "When.", Example: "2027-01-31T00:00:00+01:00", Time: true},
		{Name: "to", Text: "The tier then, where it is known.", Example: "member", Optional: true},
	}},
	{EvReserved, 1, "Points were reserved for a reward.", []EventField{redemptionField, rewardField}},
	{EvCommitted, 1, "A reward was redeemed.", []EventField{redemptionField, rewardField}},
	{EvCancelledRedeem, 1, "A reservation was cancelled.", []EventField{redemptionField, rewardField}},
	{EvLapsed, 1, "A reservation came to the end of its time.", []EventField{redemptionField, rewardField}},
	{EvRefunded, 1, "A redemption was given back, in whole or in part.", []EventField{redemptionField, rewardField}},
	{EvChallengeDone, 1, "A member reached a challenge.", []EventField{
		challengeField, {Name: "times", Text: "How often it was reached by then.", Example: "2"},
	}},
	{EvChallengeBack, 1, "Goods came back, and with them prizes of a challenge, or more than could be taken back.", []EventField{
		challengeField, {Name: "prizes", Text: "How many prizes were taken back.", Example: "1"},
		{Name: "short", Text: "What could not be taken back, since the prize was used.", Example: "1", Optional: true},
	}},
	{EvChallengeIn, 1, "A member joined a challenge.", []EventField{challengeField}},
	{EvChallengeOut, 1, "A member left a challenge.", []EventField{challengeField}},
	{EvGranted, 1, "A member was given something to be had: a reward that was won, or that staff gave.", grantFields(
		EventField{Name: "uses", Text: "How often it may be used; 0 for as often as one likes.", Example: "1"},
		EventField{Name: "waits_until", Text: "From when it may be used, where it waits.", Example: "2027-01-31T00:00:00+01:00", Optional: true, Time: true},
		EventField{Name: "ends_at", Text: "Its end, where it has one.", Example: "2027-04-30T00:00:00+02:00", Optional: true, Time: true},
	)},
	{EvGrantOpen, 1, "A grant that waited may be used from now on.", grantFields()},
	{EvGrantEnding, 1, "A grant that was not used will end soon.", grantFields(
		EventField{Name: "ends_at", Text: "When.", Example: "2027-04-30T00:00:00+02:00", Time: true},
	)},
	{EvGrantEnded, 1, "A grant came to its end without being used up.", grantFields(
		EventField{Name: "reason", Text: "closed, when the membership ended.", Example: "closed", Optional: true},
	)},
	{EvGrantBack, 1, "A grant was taken back: goods came back, or staff did it.", grantFields()},
	{EvVoucher, 1, "A voucher was issued, or got another code. The code is not in the event: it is in the answer that made it, and nowhere else.", []EventField{
		redemptionField, rewardField,
		{Name: "waits", Text: "true for one that was handed over by time: its code is drawn when somebody asks for it.", Example: "true", Optional: true},
	}},
	{EvLimit, 1, "A rule gave less than it would have, or nothing, since a limit that all members share was reached: its budget is spent.", []EventField{
		{Name: "rule", Text: "The rule.", Example: "own-cup"},
	}},
	{EvReferralJoined, 1, "A member accepted another one's invitation.", []EventField{byField}},
	{EvReferralQualified, 1, "An invited member bought what counts. What the one who invited gets follows in a moment.", []EventField{
		byField, {Name: "purchase", Text: "The id of the purchase.", Example: "pur_01k9zjq3hfe1f8m6v7j0q3x5c4"},
	}},
	{EvReferralUndone, 1, "What an invited member had bought does not count any more, or the two turned out to be one person. What was given for it is taken back.", []EventField{
		byField, {Name: "purchase", Text: "The id of the purchase.", Example: "pur_01k9zjq3hfe1f8m6v7j0q3x5c4"},
	}},
	{EvReferralMissed, 1, "An invited member did not buy what counts in time.", []EventField{byField}},
	{EvReferralRefused, 1, "An invitation does not count.", []EventField{
		byField, {Name: "reason", Text: "Why: off, self, same_person, known, circular or gone.", Example: "same_person"},
	}},
	{EvThanks, 1, "What another member did had a consequence for this one.", []EventField{
		{Name: "for", Text: "What it is for: referral, recognition or share:ID.", Example: "referral"},
		{Name: "step", Text: "joined, claimed, qualified or given (something may be given: see points.earned) or undone (it is taken back).", Example: "qualified"},
		{Name: "friend", Text: "The other member.", Example: "mem_01k9zjq3hfe1f8m6v7j0q3x5c4"},
	}},
	{EvVoucherUsed, 1, "A voucher was used.", []EventField{
		redemptionField, rewardField, {Name: "amount", Text: "What it took off, in the program's currency.", Example: "50.00"}, withPurchase,
	}},
	{EvVoucherUndone, 1, "A use of a voucher was taken back: it can be used again.", []EventField{redemptionField, rewardField}},
	{EvVoucherVoid, 1, "A voucher was called off.", []EventField{redemptionField, rewardField}},
	{EvShareMade, 1, "A member made a code to pass something on. The code is not in the event.", append(shareFields(), EventField{
		Name: "until", Text: "Until when it can be claimed.", Example: "2027-01-31T10:00:00+01:00", Time: true})},
	{EvShareClaimed, 1, "A friend claimed what a member passed on. The event is of who passed it on.", append(shareFields(), EventField{
		Name: "to", Text: "The friend.", Example: "mem_01k9zjq3hfe1f8m6v7j0q3x5c4"})},
	{EvShareUsed, 1, "A friend used for the first time what was passed on. The event is of the friend.", append(shareFields(), byGiver, useOf)},
	{EvShareUndone, 1, "A friend's first use of what was passed on was undone. The event is of the friend.", append(shareFields(), byGiver, useOf)},
	{EvShareEnded, 1, "What a member passed on can be claimed no more.", append(shareFields(), EventField{
		Name: "reason", Text: "lapsed, void (called off) or closed (its giver left).", Example: "lapsed"})},
	{EvRecognized, 1, "A member thanked another, or thanks that waited were approved. The event is of who gave.", append(recognitionFields(), EventField{
		Name: "becomes", Text: "The unit in which it arrives.", Example: "thanks"})},
	{EvRecognitionWaits, 1, "A member thanked another, and staff is asked to approve it.", append(recognitionFields(), EventField{
		Name: "until", Text: "When it is let go.", Example: "2027-01-31T10:00:00+01:00", Time: true})},
	{EvRecognitionDeclined, 1, "Thanks that waited do so no longer.", append(recognitionFields(), EventField{
		Name: "reason", Text: "declined, lapsed, undone by who gave, closed or merged.", Example: "declined"})},
	{EvRecognitionUndone, 1, "Who thanked took it back in time.", recognitionFields()},
	{EvCodeGiven, 1, "A member got a code of somebody else out of a pool. The code is not in the event.", []EventField{redemptionField, rewardField, poolField}},
	{EvPoolLow, 1, "A pool of codes runs low: load more. The member of the event is who got the last one.", []EventField{
		poolField, {Name: "left", Text: "How many there are still.", Example: "19"},
	}},
	{EvRaffleDrawn, 1, "A raffle was drawn, and this member won: each winner has an event, and a grant of the prize.", []EventField{
		{Name: "raffle", Text: "The reward whose tickets took part.", Example: "ticket"},
		{Name: "ticket", Text: "The ticket that won: its redemption and its number there.", Example: "red_01k9zjq3hfe1f8m6v7j0q3x5c4/1"},
		{Name: "reward", Text: "The prize.", Example: "weekend"},
	}},
	{EvOrdered, 1, "A member redeemed a reward that somebody has to see to: goods are to be sent, a service done, a seat kept, money given on, a gift card issued or bought.", followed(
		EventField{Name: "chosen", Text: "The reward that was picked, where one may choose.", Example: "mug", Optional: true},
		EventField{Name: "money", Text: "What is on the gift card, or what is given on, in the program's currency.", Example: "200.00", Optional: true},
		EventField{Name: "provider", Text: "Whom a gift card is bought from; not there for one of the program's own.", Example: "cards", Optional: true},
	)},
	{EvPacked, 1, "What a member redeemed was packed.", followed()},
	{EvSent, 1, "What a member redeemed was sent.", followed(referenceField)},
	{EvDelivered, 1, "What a member redeemed was delivered, done or handed over.", followed(referenceField)},
	{EvCameBack, 1, "What a member redeemed came back; the points with it, unless a redemption.refunded is missing.", followed(reasonField)},
	{EvFailed, 1, "What a member redeemed will not come; the points were given back, unless a redemption.refunded is missing.", followed(reasonField)},
	{EvCouponIssued, 1, "A code of a coupon was issued. The member of the event is the code's account. The code is not in the event.", []EventField{couponField}},
	{EvCouponUsed, 1, "A coupon was used. The member of the event is who used a word, or the account of a code.", []EventField{
		couponField, {Name: "amount", Text: "What it took off, in the program's currency.", Example: "50.00"},
		{Name: "by", Text: "The member who used a code, where that was told.", Example: "mem_01k9zjq3hfe1f8m6v7j0q3x5c4", Optional: true}, withPurchase,
	}},
	{EvCouponUndone, 1, "A use of a coupon was taken back: it can be used again.", []EventField{couponField}},
	{EvCodeBack, 1, "All of a purchase came back, and with it the use of a code that stands in the books of another.", []EventField{
		{Name: "purchase", Text: "The id of the purchase.", Example: "pur_01k9zjq3hfe1f8m6v7j0q3x5c4"},
		{Name: "use", Text: "The id of the fact by which it was used.", Example: "fct_01k9zjq3hfe1f8m6v7j0q3x5c4"},
		{Name: "holder", Text: "In whose books that is.", Example: "cpn_01k9zjq3hfe1f8m6v7j0q3x5c4"},
		{Name: "coupon", Text: "The coupon, where it is one.", Example: "sorry", Optional: true},
		{Name: "redemption", Text: "The redemption of the voucher, where it is one.", Example: "red_01k9zjq3hfe1f8m6v7j0q3x5c4", Optional: true},
		{Name: "reward", Text: "What the voucher was redeemed for.", Example: "ten-off", Optional: true},
	}},
	{EvPartnerAward, 1, "A partner gave a member points.", []EventField{unitField, amountField, partnerField}},
	{EvPartnerAccept, 1, "A member paid with points at a partner.", []EventField{unitField, amountField, partnerField}},
	{EvPartnerUndo, 1, "What was done at a partner was taken back.", []EventField{
		unitField, amountField, partnerField,
		{Name: "fact", Text: "The fact that was taken back.", Example: "fct_01k9zjq3hfe1f8m6v7j0q3x5c4"},
		{Name: "was", Text: "award or accept.", Example: "award"},
	}},
	{EvCardIssued, 1, "A gift card was issued. The member of the event is the card. The code is not in the event.", []EventField{
		{Name: "sample", Text: "true for a card that nothing can be paid with.", Example: "true", Optional: true},
	}},
	{EvCardLoaded, 1, "Money was put on a gift card, as it was issued or later. The member of the event is the card.", []EventField{
		unitField, amountField,
		{Name: "expires_at", Text: "When it ends; not there while the card is inactive or where it never ends.", Example: "2029-11-30T00:00:00+01:00", Optional: true, Time: true},
	}},
	{EvPlanStarted, 1, "A member joined a paid plan.", []EventField{
		planField,
		{Name: "trial", Text: "true, when it begins with the trial.", Example: "true"},
		{Name: "until", Text: "The end of the trial, or of what is paid for.", Example: "2027-01-31T12:00:00+01:00", Time: true},
	}},
	{EvPlanRenewed, 1, "A period of a plan was paid.", []EventField{
		planField, {Name: "until", Text: "The end of what is paid for.", Example: "2027-01-31T12:00:00+01:00", Time: true},
	}},
	{EvPlanFailed, 1, "A payment for a plan failed, or a period ended without one.", []EventField{
		planField,
		{Name: "reason", Text: "failed, when billing said so; not_paid, when the period ended and nothing had come.", Example: "failed"},
		{Name: "ends_at", Text: "When the plan ends, unless it is paid.", Example: "2027-02-07T12:00:00+01:00", Time: true},
	}},
	{EvHouseOpened, 1, "A household or an organization was made. The member of the event is the household or organization itself, as in all events of houses.",
		houseFields(houseRoleField)},
	{EvHouseInvited, 1, "Somebody was invited to a household or an organization.", houseFields(houseRoleField,
		EventField{Name: "until", Text: "How long the invitation stands.", Example: "2027-01-31T12:00:00+01:00", Time: true})},
	{EvHouseUninvited, 1, "An invitation was declined or taken back.", houseFields()},
	{EvHouseJoined, 1, "Somebody who was invited came.", houseFields(houseRoleField)},
	{EvHouseLeft, 1, "Somebody does not belong to it any more.", houseFields(houseRoleField,
		EventField{Name: "reason", Text: "leave, remove, gone (with the membership), merged, or closed (with the household or organization).", Example: "leave"})},
	{EvHouseRole, 1, "Somebody has another role.", houseFields(houseRoleField)},
	{EvHouseMerged, 1, "Somebody who belongs to it was merged into another member, who stands in their place.", houseFields(houseRoleField,
		EventField{Name: "was", Text: "Who was merged.", Example: "mem_01k9zjq3hfe1f8m6v7j0q3x5c4"})},
	{EvHouseKeeps, 1, "Somebody of a household keeps out of what it spends together.", houseFields()},
	{EvHouseShares, 1, "Somebody of a household is in what it spends together again.", houseFields()},
	{EvBelongs, 1, "The membership of somebody who belonged to a household or an organization ended, or was merged into this one: the house hears of it. Or the house was closed: each who belonged to it hears of it.", []EventField{
		{Name: "kind", Text: "household or organization.", Example: "household"},
		{Name: "house", Text: "Which.", Example: "hou_01k9zjq3hfe1f8m6v7j0q3x5c4"},
		{Name: "do", Text: "merged, where this member stands in the place of the other, or gone.", Example: "merged"},
		{Name: "was", Text: "Who belonged to it.", Example: "mem_01k9zjq3hfe1f8m6v7j0q3x5c4"},
		{Name: "to", Text: "Who hears of it, where it is not the house.", Example: "mem_01k9zjq3hfe1f8m6v7j0q3x5c4", Optional: true},
	}},
	{EvChippedIn, 1, "A member gave points to what another one of the household spends.", []EventField{
		unitField, amountField,
		{Name: "to", Text: "Who spends.", Example: "mem_01k9zjq3hfe1f8m6v7j0q3x5c4"},
		{Name: "household", Text: "The household.", Example: "hou_01k9zjq3hfe1f8m6v7j0q3x5c4"},
		{Name: "transfer", Text: "The id of the transfer.", Example: "trf_01k9zjq3hfe1f8m6v7j0q3x5c4"},
	}},
	{EvSentHome, 1, "Something that others of the household had given to was undone: their part is on its way to them.", []EventField{
		unitField, amountField,
		{Name: "to", Text: "Who gave it.", Example: "mem_01k9zjq3hfe1f8m6v7j0q3x5c4"},
		{Name: "minor", Text: "The amount in the smallest parts of the unit.", Example: "12"},
		{Name: "n", Text: "Which of several of one fact.", Example: "1"},
		{Name: "earned_at", Text: "When it was earned.", Example: "2026-03-01T11:00:00Z", Time: true},
		{Name: "of", Text: "The fact it was earned by.", Example: "pur_01k9zjq3hfe1f8m6v7j0q3x5c4"},
		{Name: "expires_at", Text: "When it ends.", Example: "2027-01-31T23:00:00Z", Optional: true, Time: true},
	}},
	{EvCameHome, 1, "Points that were given to what another one of the household spent are back, since that was undone.", []EventField{
		unitField, amountField, {Name: "from", Text: "Who had spent.", Example: "mem_01k9zjq3hfe1f8m6v7j0q3x5c4"},
	}},
	{EvPlanCancelled, 1, "A plan was cancelled. It goes on until its end.", []EventField{
		planField, {Name: "ends_at", Text: "When it ends.", Example: "2027-01-31T12:00:00+01:00", Time: true},
	}},
	{EvPlanResumed, 1, "The cancellation of a plan was taken back.", []EventField{planField}},
	{EvPlanChanged, 1, "A member changes from one plan to another.", []EventField{
		{Name: "plan", Text: "The plan it becomes.", Example: "pro"},
		{Name: "was", Text: "The plan it was.", Example: "plus"},
		{Name: "at", Text: "When: now, or at the end of the period.", Example: "2027-01-31T12:00:00+01:00", Time: true},
	}},
	{EvPlanEnded, 1, "A plan ended.", []EventField{
		planField, {Name: "reason", Text: "cancelled, unpaid, or closed (with the membership).", Example: "unpaid"},
	}},
	{EvBenefitFading, 1, "A member is warned: a benefit will be worth less, or end, unless something is bought.", []EventField{
		benefitField, kindField, valueField,
		{Name: "to", Text: "What it will be worth; without it, it ends.", Example: "10", Optional: true},
		{Name: "falls_at", Text: "When.", Example: "2027-02-01T00:00:00+01:00", Time: true},
	}},
	{EvBenefitFaded, 1, "A benefit is worth less, or ended, since nothing was bought for a while.", []EventField{benefitField, kindField, valueField}},
	{EvBenefitRestored, 1, "A benefit that had faded is back, since something was bought.", []EventField{benefitField, kindField, valueField}},
	{EvBenefitUnused, 1, "A use of a benefit was taken back: it does not count any more.", []EventField{
		benefitField, {Name: "use", Text: "The fact that used it.", Example: "fct_01k9zjq3hfe1f8m6v7j0q3x5c4"},
	}},
	{EvBenefitUsed, 1, "A member used a benefit.", []EventField{
		benefitField, {Name: "left", Text: "How often it can still be used, where that is limited.", Example: "1", Optional: true},
		{Name: "amount", Text: "What it took off the purchase it was used with, in the program's currency.", Example: "50.00", Optional: true}, withPurchase,
	}},
}

var withPurchase = EventField{Name: "purchase", Text: "The id of the purchase it was used with, where that was said in one.", Example: "pur_01k9zjq3hfe1f8m6v7j0q3x5c4", Optional: true}

var couponField = EventField{Name: "coupon", Text: "The coupon.", Example: "summer"}

// houseFields are those of an event of a household or an organization.
func houseFields(more ...EventField) []EventField {
	return append([]EventField{
		{Name: "kind", Text: "household or organization.", Example: "household"},
		{Name: "member", Text: "Whom it is about.", Example: "mem_01k9zjq3hfe1f8m6v7j0q3x5c4"},
	}, more...)
}

var houseRoleField = EventField{Name: "role", Text: "The role.", Example: "owner"}

// byField names who invited.
var byField = EventField{Name: "by", Text: "The member who invited.", Example: "mem_01k9zjq3hfe1f8m6v7j0q3x5c4"}

func shareFields() []EventField {
	return []EventField{
		{Name: "share", Text: "What is passed on, by its id in the program.", Example: "friend20"},
		{Name: "of", Text: "The id of the fact that made the code.", Example: "shr_01k9zjq3hfe1f8m6v7j0q3x5c4"},
	}
}

var (
	byGiver = EventField{Name: "by", Text: "The member who passed it on.", Example: "mem_01k9zjq3hfe1f8m6v7j0q3x5c4"}
	useOf   = EventField{Name: "use", Text: "The redemption, or the fact that used a benefit.", Example: "red_01k9zjq3hfe1f8m6v7j0q3x5c4"}
)

func recognitionFields() []EventField {
	return []EventField{
		unitField, amountField,
		{Name: "recognition", Text: "The id of what was given.", Example: "rec_01k9zjq3hfe1f8m6v7j0q3x5c4"},
		{Name: "to", Text: "The member who is thanked.", Example: "mem_01k9zjq3hfe1f8m6v7j0q3x5c4"},
		{Name: "value", Text: "What for.", Example: "helped", Optional: true},
	}
}

var (
	poolField      = EventField{Name: "pool", Text: "The pool.", Example: "cinema"}
	referenceField = EventField{Name: "reference", Text: "The number it has with whoever does it: of the parcel, the order, the gift card.", Example: "370722150012345678", Optional: true}
	reasonField    = EventField{Name: "reason", Text: "Why.", Example: "address unknown", Optional: true}
)

// followed are the fields of an event about what is followed until it is delivered, and more.
func followed(more ...EventField) []EventField {
	return append([]EventField{redemptionField, rewardField, {Name: "kind", Text: "What it is: gift_card, seat, donation, service or goods.", Example: "goods"}}, more...)
}

var partnerField = EventField{Name: "partner", Text: "The partner.", Example: "hotel"}

// EventTypeOf gives the description of a type; false for one that facts do not lead to.
func EventTypeOf(name string) (EventType, bool) {
	for _, t := range EventTypes {
		if t.Type == name {
			return t, true
		}
	}
	return EventType{}, false
}
