package api

import (
	"errors"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/web"
)

// Amount is an exact decimal as text, such as "12" or "-12.50"; never a float.
type Amount string

// Page is a part of a list.
type Page[T any] struct {
	Items []T `json:"items"`
	// NextCursor asks for the next page as ?cursor=…; it is not there on the last one.
	Next string `json:"next_cursor,omitempty"`
}

// NextCursor makes the Link header.
func (p *Page[T]) NextCursor() string { return p.Next }

// Paging is what every list takes.
type Paging struct {
	// Limit is how many items a page has: 1 to 500, 50 when left out.
	Limit *int `query:"limit"`
	// Cursor is next_cursor of the page before. It is opaque.
	Cursor string `query:"cursor"`
}

// Included says what a recording answer holds besides the least.
type Included struct {
	// Include adds to the answer, separated by commas: explanation, tiers (as they stand now), balances (always there).
	Include []string `query:"include"`
	// Lang is the language of sentences: nb, sv, da or en. Without it, Accept-Language counts.
	Lang string `query:"lang"`
	// Audience is staff (when left out) or member: who reads the sentences.
	Audience string `query:"audience"`
}

// Spoken is what an answer with sentences takes.
type Spoken struct {
	// Lang is the language of sentences: nb, sv, da or en. Without it, Accept-Language counts.
	Lang string `query:"lang"`
	// Audience is staff (when left out) or member: who reads the sentences.
	Audience string `query:"audience"`
}

// Shown is what an answer takes that is made to be shown to the member it is about.
type Shown struct {
	// Lang is the language of sentences: nb, sv, da or en. Without it, Accept-Language counts.
	Lang string `query:"lang"`
	// Audience is member (when left out) or staff: who reads the sentences.
	Audience string `query:"audience"`
}

func (Shown) shown() {}

// MemberPath names a member.
type MemberPath struct {
	// Member is the member's id, or KIND:VALUE of one of its identifiers: ext:4711, phone:+4790000000, card:12345678, email:kari@example.org.
	Member string `path:"member"`
}

// Identifier is a name under which a member is found.
type Identifier struct {
	// Kind is card, phone, email, ext, or one that the program declares.
	Kind string `json:"kind"`
	// Value in any usual form; it is kept in its normal form (phone numbers as E.164).
	Value string `json:"value"`
}

// Profile is what is known of a member. Every field may be left out.
type Profile struct {
	// Name is the whole name; or GivenName and FamilyName.
	Name       string `json:"name,omitempty"`
	GivenName  string `json:"given_name,omitempty"`
	FamilyName string `json:"family_name,omitempty"`
	// Email and Phone are identifiers too: unique within the program.
	Email string `json:"email,omitempty"`
	Phone string `json:"phone,omitempty"`
	// Language is a BCP 47 tag, for example nb.
	Language string `json:"language,omitempty"`
	// Zone is the member's IANA time zone, where it is not the program's.
	Zone string `json:"zone,omitempty"`
	// Birth is YYYY-MM-DD, or MM-DD without the year.
	Birth string `json:"birth,omitempty"`
	// Country is an ISO 3166-1 code of two letters.
	Country  string `json:"country,omitempty"`
	Postcode string `json:"postcode,omitempty"`
	// ExternalID is your own id: the identifier of kind ext.
	ExternalID string `json:"external_id,omitempty"`
	// Attributes are values of your own; rules may ask for them.
	Attributes map[string]string `json:"attributes,omitempty"`
}

// Enrolment makes a member.
type Enrolment struct {
	Profile
	// Identifiers come besides email, phone and external_id, for example the card.
	Identifiers []Identifier `json:"identifiers,omitempty"`
	// Channel and Store say where it happened.
	Channel string `json:"channel,omitempty"`
	Store   string `json:"store,omitempty"`
	// JoinedAt is the business time; now when left out.
	JoinedAt *time.Time `json:"joined_at,omitempty"`
	// InvitedBy is who brought the member: the code of an invitation, or a member, by id or KIND:VALUE of an identifier.
	InvitedBy string `json:"invited_by,omitempty"`
}

// Member is a member of the program.
type Member struct {
	ID string `json:"id"`
	// Kind is household or organization for those; a person has none. Theirs is an account without a profile and identifiers.
	Kind string `json:"kind,omitempty"`
	// Status is active, blocked, closed or merged.
	Status string `json:"status"`
	Profile
	// Identifiers holds all of them, also email, phone and external_id.
	Identifiers []Identifier `json:"identifiers"`
	JoinedAt    time.Time    `json:"joined_at,omitzero"`
	// MergedInto is the member that took everything over.
	MergedInto string    `json:"merged_into,omitempty"`
	CreatedAt  time.Time `json:"created_at"`
	UpdatedAt  time.Time `json:"updated_at"`
	// Revision rises with each change of the profile or the identifiers.
	Revision int64 `json:"revision"`
	// Balances and Tiers are there on ?include=balances,tiers.
	Balances map[string]Balance `json:"balances,omitempty"`
	Tiers    map[string]Tier    `json:"tiers,omitempty"`
}

// Enrolled is a new member with what the enrolment brought.
type Enrolled struct {
	Member
	Enrolment Recorded `json:"enrolment"`
}

// Patch changes a profile (RFC 7396): what is left out stays, null takes away. Attributes are changed one by one.
type Patch struct {
	Name       Change            `json:"name,omitzero"`
	GivenName  Change            `json:"given_name,omitzero"`
	FamilyName Change            `json:"family_name,omitzero"`
	Email      Change            `json:"email,omitzero"`
	Phone      Change            `json:"phone,omitzero"`
	Language   Change            `json:"language,omitzero"`
	Zone       Change            `json:"zone,omitzero"`
	Birth      Change            `json:"birth,omitzero"`
	Country    Change            `json:"country,omitzero"`
	Postcode   Change            `json:"postcode,omitzero"`
	ExternalID Change            `json:"external_id,omitzero"`
	Attributes map[string]Change `json:"attributes,omitempty"`
}

// Change is a text, or null to take it away.
type Change struct {
	Set   bool
	Value string
}

// UnmarshalJSONFrom reads a text or null.
func (c *Change) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	tok, err := dec.ReadToken()
	if err != nil {
		return err
	}
	switch tok.Kind() {
	case 'n':
		*c = Change{Set: true}
	case '"':
		*c = Change{Set: true, Value: tok.String()}
	default:
		return errNotText
	}
	return nil
}

// Head is what every fact has.
type Head struct {
	// Member is the id, or KIND:VALUE of an identifier.
	Member string `json:"member,omitempty"`
	FactKey
}

// FactKey is when something happened, and the name under which the caller knows it.
type FactKey struct {
	// Source and ExternalID are the natural key, unique within the program: the till and its receipt number. The same again with the
	// same content gives the first decision, with other content a conflict.
	Source     string `json:"source,omitempty"`
	ExternalID string `json:"external_id,omitempty"`
	// OccurredAt is the business time, with offset; now when left out. It may lie in the past, not in the future.
	OccurredAt *time.Time `json:"occurred_at,omitempty"`
}

// Purchase is a sale. Without a member it is a guest's: it is kept and earns nothing.
type Purchase struct {
	Head
	engine.Purchase
}

// KeyedPurchase is a sale whose source and external id stand in the address.
type KeyedPurchase struct {
	// Member is the id, or KIND:VALUE of an identifier.
	Member string `json:"member,omitempty"`
	// OccurredAt is the business time, with offset; now when left out.
	OccurredAt *time.Time `json:"occurred_at,omitempty"`
	engine.Purchase
}

// Return brings goods back: some lines, some money, or with neither all that is left.
type Return struct {
	FactKey
	engine.Return
}

// BatchReturn is a return that says which purchase it is of.
type BatchReturn struct {
	// Purchase is its id, or SOURCE:EXTERNAL_ID.
	Purchase string `json:"purchase"`
	Return
}

// Activity is something a member did, of a kind that the program declares.
type Activity struct {
	Head
	// Kind is one of the program's activities.
	Kind string `json:"kind"`
	// Properties are the declared values. Answers hold them as text.
	Properties map[string]Property `json:"properties,omitempty"`
	Store      string              `json:"store,omitempty"`
	Channel    string              `json:"channel,omitempty"`
	// Confirms is the id, or SOURCE/EXTERNAL_ID, of the fact whose pending points this activity confirms.
	Confirms string `json:"confirms,omitempty"`
	// By is who did it for an organization.
	By string `json:"by,omitempty"`
	// Own keeps it in the member's own books, though the member acts for an organization.
	Own bool `json:"own,omitempty"`
}

// Property is a value of an activity: a text, the digits of a number, or true or false, which are yes and no. It is kept as
// text, so that a number stays as exact as it was written.
type Property string

// UnmarshalJSON reads any of the three. A number with an exponent is refused, as everywhere.
func (p *Property) UnmarshalJSON(b []byte) error {
	switch v := jsontext.Value(b); v.Kind() {
	case '"':
		var s string
		err := json.Unmarshal(b, &s)
		*p = Property(s)
		return err
	case 't':
		*p = "yes"
	case 'f':
		*p = "no"
	case '0':
		d, err := money.Parse(string(b))
		if err != nil {
			return err
		}
		*p = Property(d.String())
	default:
		return errors.New("a property is a text, a number, or true or false")
	}
	return nil
}

// Redemption spends points on a reward: held until it is committed, or in one step.
type Redemption struct {
	Head
	engine.Redemption
	// Commit spends in one step, without a reservation.
	Commit bool `json:"commit,omitempty"`
}

// RedemptionRefund gives back all that is left of a redemption, or a part of it.
type RedemptionRefund struct {
	FactKey
	// Points is how many of the points are given back, of a price in one unit; all that is left when left out.
	Points *money.Decimal `json:"points,omitempty"`
	// Amount is the same of a payment with a gift card, in the program's currency.
	Amount *money.Decimal `json:"amount,omitempty"`
	Reason string         `json:"reason,omitempty"`
}

// RedemptionStep commits or cancels.
type RedemptionStep struct {
	FactKey
	Reason string `json:"reason,omitempty"`
	// Money, with commit, is what was paid besides the points, for a reward that costs that too.
	Money *money.Decimal `json:"money,omitempty"`
}

// Adjustment changes a balance by hand.
type Adjustment struct {
	Head
	engine.Adjustment
}

// Reversal undoes an adjustment or a transfer.
type Reversal struct {
	Reason string `json:"reason,omitempty"`
	// Force undoes it even where the points are spent: what is missing becomes debt.
	Force bool `json:"force,omitempty"`
}

// Transfer moves points from one member to another.
type Transfer struct {
	// From and To are members: id, or KIND:VALUE of an identifier.
	From    string        `json:"from"`
	To      string        `json:"to"`
	Unit    string        `json:"unit"`
	Amount  money.Decimal `json:"amount"`
	Message string        `json:"message,omitempty"`
	FactKey
}

// Release lets pending points go, or cancels them.
type Release struct {
	// Unit keeps it to one unit.
	Unit   string `json:"unit,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// TierGrant sets a tier by hand as a floor.
type TierGrant struct {
	// Set is the tier set, Tier the least tier the member has until Until, or for good. An empty tier lifts the floor.
	Set    string     `json:"set"`
	Tier   string     `json:"tier,omitempty"`
	Until  *time.Time `json:"until,omitempty"`
	Reason string     `json:"reason"`
}

// Because is a reason for what is done to a member.
type Because struct {
	Reason string `json:"reason,omitempty"`
}

// MergeInto names the member that takes everything over.
type MergeInto struct {
	// Into is the survivor: id, or KIND:VALUE of an identifier.
	Into   string `json:"into"`
	Reason string `json:"reason,omitempty"`
}

// AnyFact is one fact of a batch or simulation: exactly one of its keys.
type AnyFact struct {
	Enrolment  *Enrolment   `json:"enrolment,omitempty"`
	Purchase   *Purchase    `json:"purchase,omitempty"`
	Return     *BatchReturn `json:"return,omitempty"`
	Activity   *Activity    `json:"activity,omitempty"`
	Redemption *Redemption  `json:"redemption,omitempty"`
	Adjustment *Adjustment  `json:"adjustment,omitempty"`
	Transfer   *Transfer    `json:"transfer,omitempty"`
	Plan       *PlanEvent   `json:"plan,omitempty"`
	Use        *BatchUse    `json:"use,omitempty"`
}

// Raw keeps a part of a body as it came, to be read on its own: a mistake in it is not one of the whole. T is its schema.
type Raw[T any] struct{ JSON jsontext.Value }

// UnmarshalJSON keeps the bytes.
func (r *Raw[T]) UnmarshalJSON(b []byte) error {
	r.JSON = append(jsontext.Value(nil), b...)
	return nil
}

// MarshalJSON writes them back.
func (r Raw[T]) MarshalJSON() ([]byte, error) { return r.JSON, nil }

// Batch is a list of facts, recorded in order.
type Batch struct {
	// Facts are 1 to 1,000. Each is recorded or refused on its own.
	Facts []Raw[AnyFact] `json:"facts"`
}

// BatchResult says what came of each fact.
type BatchResult struct {
	// Recorded, Duplicates and Failed count the facts; they add up to all of them.
	Recorded   int `json:"recorded"`
	Duplicates int `json:"duplicates"`
	Failed     int `json:"failed"`
	// Results are in the order of the facts.
	Results []Outcome `json:"results"`
}

// Outcome is what came of one fact: a result or a problem.
type Outcome struct {
	// Status is what the fact alone would have been answered: 201, 200 for a duplicate, else that of the problem.
	Status int       `json:"status"`
	Result *Recorded `json:"result,omitempty"`
	// Problem has pointers that begin at this fact.
	Problem *web.Problem `json:"problem,omitempty"`
}

// Simulation asks what would come of facts, in order, without trace.
type Simulation struct {
	// Facts are 1 to 1,000, of any business time, past or future.
	Facts []Raw[AnyFact] `json:"facts"`
	// Draft is a program document to decide by, instead of the published versions.
	Draft Raw[ProgramDocument] `json:"draft,omitzero"`
	// Source is such a document as YAML text, in place of draft.
	Source string `json:"source,omitempty"`
}

// SimulationResult says what would come of each fact.
type SimulationResult struct {
	// Draft says that it was decided by the document sent along.
	Draft   bool      `json:"draft,omitzero"`
	Results []Outcome `json:"results"`
}

// ProgramDocument is a program document; see the program reference.
type ProgramDocument struct{}

// Balance is what a member has of a unit.
type Balance struct {
	// Balance is what can be spent less what is owed.
	Balance Amount `json:"balance"`
	// Spendable can be spent now, Pending is earned and not yet to be spent, Reserved is held for redemptions, Debt is owed.
	Spendable Amount `json:"spendable"`
	Pending   Amount `json:"pending"`
	Reserved  Amount `json:"reserved"`
	Debt      Amount `json:"debt"`
	// Worth is the balance in the program's currency, where the unit has a value.
	Worth Amount `json:"worth,omitempty"`
	// Totals are sums over all time.
	Totals *Totals `json:"totals,omitempty"`
	// Lots are the open lots, in the order in which they are spent.
	Lots []Lot `json:"lots,omitempty"`
	// NextExpiry is what is lost next, if nothing is spent before.
	NextExpiry *Expiry `json:"next_expiry,omitempty"`
}

// Totals are sums over all time. Earned less taken back, spent, expired and closed, with adjusted, transferred and partners, is the
// balance with what is pending and reserved.
type Totals struct {
	// Earned is what rules gave, before what was taken back of it.
	Earned Amount `json:"earned"`
	// TakenBack is what returns and cancellations took back.
	TakenBack   Amount `json:"taken_back"`
	Spent       Amount `json:"spent"`
	Expired     Amount `json:"expired"`
	Adjusted    Amount `json:"adjusted"`
	Transferred Amount `json:"transferred"`
	// Partners is what came from partners less what was paid with at them.
	Partners Amount `json:"partners"`
	Closed   Amount `json:"closed"`
}

// Expiry is a loss to come.
type Expiry struct {
	At     time.Time `json:"at"`
	Amount Amount    `json:"amount"`
}

// Lot is an amount that was earned together and ends together.
type Lot struct {
	Lot int64 `json:"lot"`
	// Fact is the id of the fact it came of.
	Fact     string    `json:"fact"`
	EarnedAt time.Time `json:"earned_at"`
	// ExpiresAt is when it can no longer be spent; not there when never.
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	// ReleaseAt is when what is pending becomes spendable, Confirm the activity it waits for.
	ReleaseAt *time.Time `json:"release_at,omitempty"`
	Confirm   string     `json:"confirm,omitempty"`
	// Amount is what was put in; the rest is what is left in each place.
	Amount    Amount `json:"amount"`
	Spendable Amount `json:"spendable"`
	Pending   Amount `json:"pending"`
	Reserved  Amount `json:"reserved"`
}

// Balances is what a member has.
type Balances struct {
	Member string `json:"member"`
	// At is the moment it is told for.
	At       time.Time          `json:"at"`
	Currency string             `json:"currency"`
	Balances map[string]Balance `json:"balances"`

	// Written by hand, see AppendJSON: the account, with lots or without, in this view, in place of Balances.
	acc      *engine.Account
	of       view
	withLots bool
}

// Tier is where a member stands in a tier set.
type Tier struct {
	// Tier is the step's id; empty below the first.
	Tier string `json:"tier"`
	Name string `json:"name,omitempty"`
	// Since is when the member came to it.
	Since time.Time `json:"since,omitzero"`
	// Metric is what is counted (spend, unit:ID, purchases, visits, activity:KIND, tenure), Value how far the member is.
	Metric string `json:"metric"`
	Value  Amount `json:"value"`
	// WindowEnds is when the count begins anew, for calendar and anniversary windows.
	WindowEnds *time.Time `json:"window_ends,omitempty"`
	// Next is the next tier up.
	Next *NextTier `json:"next,omitempty"`
	// Keep is what is still missing to keep the tier. FallsAt is when it is lost unless that is reached, HeldUntil until when it is
	// safe in any case.
	Keep      Amount     `json:"keep,omitempty"`
	FallsAt   *time.Time `json:"falls_at,omitempty"`
	HeldUntil *time.Time `json:"held_until,omitempty"`
	// Floor is a tier set by hand, FloorUntil its end.
	Floor      string     `json:"floor,omitempty"`
	FloorUntil *time.Time `json:"floor_until,omitempty"`
	Benefits   []string   `json:"benefits,omitempty"`
}

// NextTier is what is missing to the next tier.
type NextTier struct {
	Tier string `json:"tier"`
	Name string `json:"name,omitempty"`
	// From is the least of the metric, Missing what is still to come; not there for tenure.
	From    Amount `json:"from,omitempty"`
	Missing Amount `json:"missing,omitempty"`
	// At is when tenure reaches it.
	At *time.Time `json:"at,omitempty"`
}

// Tiers is a member's standing in each tier set.
type Tiers struct {
	Member string          `json:"member"`
	Tiers  map[string]Tier `json:"tiers"`
}

// Recorded is what came of a fact.
type Recorded struct {
	// ID is not there for a guest's purchase, nor in a simulation.
	ID     string `json:"id,omitempty"`
	Kind   string `json:"kind"`
	Member string `json:"member,omitempty"`
	FactNames
	// Version is the program version it was decided by, 0 for a draft.
	Version int64 `json:"version"`
	// Duplicate says that the same was recorded before: this is what was decided then.
	Duplicate bool `json:"duplicate,omitzero"`
	// Guest says that it was nobody's purchase: it was decided and not kept.
	Guest bool `json:"guest,omitzero"`
	// Summary says in a sentence what came of it.
	Summary string `json:"summary"`
	// Why says of a purchase or activity that earned nothing what each rule had against it.
	Why []string `json:"why,omitempty"`
	// Earned is what the rules gave, by unit; Pending the part of it that cannot be spent yet. With a partner's key, which is told no more
	// than which fact it is and what the partner itself gave or took by it, it is the partner's award.
	Earned  map[string]Amount `json:"earned"`
	Pending map[string]Amount `json:"pending,omitempty"`
	// Spent went into redemptions, GivenBack came back from them.
	Spent     map[string]Amount `json:"spent,omitempty"`
	GivenBack map[string]Amount `json:"given_back,omitempty"`
	// TakenBack is what a return took of what was earned; Owed the part of it that was spent already and became debt, Forgiven what was
	// let go.
	TakenBack map[string]Amount `json:"taken_back,omitempty"`
	Owed      map[string]Amount `json:"owed,omitempty"`
	Forgiven  map[string]Amount `json:"forgiven,omitempty"`
	// Adjusted and Transferred are changes by hand and between members, with their sign.
	Adjusted    map[string]Amount `json:"adjusted,omitempty"`
	Transferred map[string]Amount `json:"transferred,omitempty"`
	// Partners came from partners or went to them, with its sign for the member.
	Partners map[string]Amount `json:"partners,omitempty"`
	// Released became spendable, Expired was lost.
	Released map[string]Amount `json:"released,omitempty"`
	Expired  map[string]Amount `json:"expired,omitempty"`
	// Redemptions are those it made or changed.
	Redemptions []RedemptionView `json:"redemptions,omitempty"`
	TierChanges []TierChange     `json:"tier_changes,omitempty"`
	// Coupon is what a coupon took off.
	Coupon *CouponUse `json:"coupon,omitempty"`
	// Codes are what was used with a purchase, with what each took off; Off is that together, in the program's currency.
	Codes []BroughtCode `json:"codes,omitempty"`
	Off   Amount        `json:"off,omitempty"`
	// Balances are those after it, brought up to now.
	Balances map[string]Balance `json:"balances,omitempty"`
	// Facts are all that were recorded on the way: what time had brought due comes first.
	Facts []FactRef `json:"facts,omitempty"`
	// Tiers and Explanation are there on ?include=tiers,explanation.
	Tiers       map[string]Tier `json:"tiers,omitempty"`
	Explanation *Explanation    `json:"explanation,omitempty"`
}

// BroughtCode is what was used with a purchase: a coupon, a voucher or a benefit.
type BroughtCode struct {
	Coupon     string `json:"coupon,omitempty"`
	Redemption string `json:"redemption,omitempty"`
	Reward     string `json:"reward,omitempty"`
	Benefit    string `json:"benefit,omitempty"`
	Title      string `json:"title,omitempty"`
	// Amount is what it took off, in the program's currency; Lines are those it was for, all goods when left out.
	Amount Amount   `json:"amount"`
	Lines  []string `json:"lines,omitempty"`
	// Use is the fact by which it was used.
	Use string `json:"use,omitempty"`
}

// FactNames is when a fact happened and how it is known.
type FactNames struct {
	Source     string `json:"source,omitempty"`
	ExternalID string `json:"external_id,omitempty"`
	// OccurredAt is the business time, RecordedAt when it was written down; both with the program's offset.
	OccurredAt time.Time `json:"occurred_at"`
	RecordedAt time.Time `json:"recorded_at"`
	// Parent is the id of the fact that this one is about.
	Parent string `json:"parent,omitempty"`
	// Actor is who did it: an API key's name, cli, system.
	Actor string `json:"actor,omitempty"`
}

// FactRef names a fact.
type FactRef struct {
	ID         string    `json:"id"`
	Kind       string    `json:"kind"`
	OccurredAt time.Time `json:"occurred_at"`
	// Summary says in a sentence what came of it.
	Summary string `json:"summary"`
}

// TierChange is a step up or down.
type TierChange struct {
	Set string `json:"set"`
	// From and To are steps; empty is below the first.
	From string `json:"from"`
	To   string `json:"to"`
	// Direction is up or down.
	Direction string `json:"direction"`
}

// Fact is something that happened to a member, with what was decided.
type Fact struct {
	Recorded
	// Body is what was sent.
	Body map[string]any `json:"body"`
	// Postings are there on ?include=postings: what it moved in the books.
	Postings []Posting `json:"postings,omitempty"`
}

// PurchaseView is a purchase with what was decided and what came back.
type PurchaseView struct {
	Recorded
	// Purchase is what was sent.
	Purchase *engine.Purchase `json:"purchase"`
	// Lines are what is left of each line after returns.
	Lines []LineView `json:"lines"`
	// Returns are the ids of its returns.
	Returns []string `json:"returns"`
}

// LineView is a line in the program's currency, and what is left of it.
type LineView struct {
	ID       string `json:"id"`
	Quantity Amount `json:"quantity"`
	Amount   Amount `json:"amount"`
	// ReturnedQuantity and ReturnedAmount came back.
	ReturnedQuantity Amount `json:"returned_quantity"`
	ReturnedAmount   Amount `json:"returned_amount"`
}

// RedemptionView is a redemption as it stands.
type RedemptionView struct {
	ID     string `json:"id"`
	Member string `json:"member,omitempty"`
	// Status is reserved, committed, cancelled, lapsed or refunded.
	Status   string `json:"status"`
	Reward   string `json:"reward"`
	Title    string `json:"title,omitempty"`
	Quantity int64  `json:"quantity"`
	// Price is what it took, by unit; Refunded what was given back so far.
	Price    map[string]Amount `json:"price"`
	Refunded map[string]Amount `json:"refunded,omitempty"`
	// Grants are the numbers of the grants that paid for it, in whole or in part: what the member had won or been given.
	Grants []int64 `json:"grants,omitempty"`
	// Option is the number of the price that it took, Money what is paid besides the points, MoneyBack what was given back of it.
	Option    int64  `json:"option,omitzero"`
	Money     Amount `json:"money,omitempty"`
	MoneyBack Amount `json:"money_back,omitempty"`
	// Chosen is the reward that was picked, where one may choose.
	Chosen string `json:"chosen,omitempty"`
	// Code is a code of somebody else that was handed out, Fulfilment how far what was ordered is.
	Code       *HandedCode `json:"code,omitempty"`
	Fulfilment *Fulfilment `json:"fulfilment,omitempty"`
	// Link is the address of content.
	Link string `json:"link,omitempty"`
	// Place and StartsAt are those of a seat.
	Place    string     `json:"place,omitempty"`
	StartsAt *time.Time `json:"starts_at,omitempty"`
	// Worth is the money off, Product what is handed over, Voucher the code that was issued.
	Worth   Amount   `json:"worth,omitempty"`
	Product string   `json:"product,omitempty"`
	Voucher *Voucher `json:"voucher,omitempty"`
	// Purchase is the purchase it belongs to.
	Purchase string    `json:"purchase,omitempty"`
	At       time.Time `json:"at"`
	// ExpiresAt is the end of a reservation.
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
}

// Voucher is a code worth something.
type Voucher struct {
	// Code is in the answer that issued it and nowhere else, not even in a repetition of it; POST …/voucher/code gives it another.
	Code string `json:"code,omitempty"`
	// Tail is its end, by which a person knows it.
	Tail string `json:"tail,omitempty"`
	// Status is usable, used, ended, void, or waiting: handed over by time, and POST …/voucher/code draws its code.
	Status string `json:"status,omitempty"`
	// Uses is how often it can be used, Used how often it was, Bound that only its member may use it.
	Uses  int64 `json:"uses,omitempty"`
	Used  int64 `json:"used,omitempty"`
	Bound bool  `json:"bound,omitempty"`
	// Amount is what this use took off.
	Amount Amount `json:"amount,omitempty"`
	// Money is the value off, or Percent.
	Money      Amount     `json:"money,omitempty"`
	Percent    Amount     `json:"percent,omitempty"`
	ValidUntil *time.Time `json:"valid_until,omitempty"`
}

// Posting moved an amount from one account to another.
type Posting struct {
	// Fact is the fact it belongs to, with the place N in it, from 1.
	Fact string `json:"fact"`
	Seq  int64  `json:"seq"`
	N    int    `json:"n"`
	Unit string `json:"unit"`
	// Lot is the number of the member's lot; 0 for debt.
	Lot int64 `json:"lot"`
	// From and To are member (spendable), pending, reserved, debt, or an account of the program such as program:issued.
	From   string `json:"from"`
	To     string `json:"to"`
	Amount Amount `json:"amount"`
	// Rule is the earning rule or reward it comes of, Of the fact it takes back.
	Rule       string    `json:"rule,omitempty"`
	Of         string    `json:"of,omitempty"`
	OccurredAt time.Time `json:"occurred_at"`
	RecordedAt time.Time `json:"recorded_at"`
}

// Explanation says why a fact was decided as it was: in sentences, and as data.
type Explanation struct {
	// Sentences tell all of it: first the rules in the order considered, then what else happened.
	Sentences []Sentence `json:"sentences"`
	// Rules has one entry for each rule that was considered.
	Rules []RuleTrace `json:"rules"`
	// Notes say what else happened.
	Notes []Note `json:"notes"`
}

// Sentence is one statement, in the language asked for.
type Sentence struct {
	// Rule is the rule it is about, if it is about one.
	Rule string `json:"rule,omitempty"`
	// Code is stable, for icons and for counting.
	Code string `json:"code"`
	Text string `json:"text"`
	// Detail is the arithmetic behind it, in whole sentences.
	Detail []string `json:"detail,omitempty"`
}

// RuleTrace is what came of one rule.
type RuleTrace struct {
	Rule  string `json:"rule"`
	Title string `json:"title,omitempty"`
	// Fired says that the rule gave something, or would have in a dry run.
	Fired  bool `json:"fired"`
	DryRun bool `json:"dry_run,omitzero"`
	// Why is the outcome, Steps the arithmetic and the conditions looked at.
	Why   Note   `json:"why"`
	Steps []Note `json:"steps,omitempty"`
	// Unit and Amount are what it gave.
	Unit   string `json:"unit,omitempty"`
	Amount Amount `json:"amount,omitempty"`
}

// Note is one statement as data: a stable code with its values.
type Note struct {
	Code string           `json:"code"`
	Args map[string]Value `json:"args,omitempty"`
}

// Value is one value of a statement; one of its keys says what it is.
type Value struct {
	// Money is in the program's currency; Unit with Amount is points.
	Money  Amount `json:"money,omitempty"`
	Unit   string `json:"unit,omitempty"`
	Amount Amount `json:"amount,omitempty"`
	Number string `json:"number,omitempty"`
	// Time is an instant, Day a local date.
	Time   *time.Time `json:"time,omitempty"`
	Day    string     `json:"day,omitempty"`
	Rule   string     `json:"rule,omitempty"`
	Reward string     `json:"reward,omitempty"`
	Tier   string     `json:"tier,omitempty"`
	Set    string     `json:"set,omitempty"`
	// Word and Words are of a fixed list, Text and List stand for themselves, Tiers are SET/TIER.
	Word  string   `json:"word,omitempty"`
	Words []string `json:"words,omitempty"`
	Text  string   `json:"text,omitempty"`
	List  []string `json:"list,omitempty"`
	Tiers []string `json:"tiers,omitempty"`
	// Benefit and Plans are ids; Percent is a decimal, 10 for ten percent.
	Benefit string   `json:"benefit,omitempty"`
	Plans   []string `json:"plans,omitempty"`
	Percent string   `json:"percent,omitempty"`
}

// Explained is the explanation of one fact.
type Explained struct {
	FactRef
	Version     int64       `json:"version"`
	Explanation Explanation `json:"explanation"`
}

// Reward is something to spend points on.
type Reward struct {
	ID          string `json:"id"`
	Title       string `json:"title"`
	Description string `json:"description,omitempty"`
	Picture     string `json:"picture,omitempty"`
	// Price is what one costs, by unit, for Quantity pieces.
	Price    map[string]Amount `json:"price,omitempty"`
	Quantity int64             `json:"quantity,omitzero"`
	// Money is what is paid besides Price. Prices are all there are, where there are several: one of them is named by its option.
	Money  Amount        `json:"money,omitempty"`
	Prices []RewardPrice `json:"prices,omitempty"`
	// Pay turns points into money off.
	Pay *PayRate `json:"pay,omitempty"`
	// Gives is product, voucher, code, gift_card, seat, content, donation, raffle, service, goods, choice or money.
	Gives string `json:"gives"`
	// Card is what is on a gift card, or what is given on; StartsAt when an event begins, Place where it is; DrawsAt when a raffle's tickets end;
	// Choice the rewards of which one is picked.
	Card     Amount       `json:"card,omitempty"`
	StartsAt *time.Time   `json:"starts_at,omitempty"`
	Place    string       `json:"place,omitempty"`
	DrawsAt  *time.Time   `json:"draws_at,omitempty"`
	Choice   []string     `json:"choice,omitempty"`
	Product  string       `json:"product,omitempty"`
	Voucher  *VoucherKind `json:"voucher,omitempty"`
	// To is who gets a donation.
	To string `json:"to,omitempty"`
	// Raffle is what can be won with a ticket.
	Raffle *RaffleKind `json:"raffle,omitempty"`
	// Terms is all that the program says of it, in sentences: what it costs and gives, whom it is for, when and how often.
	Terms string `json:"terms,omitempty"`
	// StockLeft is how many there are; not there when unlimited.
	StockLeft *int64     `json:"stock_left,omitempty"`
	From      *time.Time `json:"from,omitempty"`
	Until     *time.Time `json:"until,omitempty"`
	// Limits are how often it can be had.
	Limits []RewardLimit `json:"limits,omitempty"`
	// For is there on ?member=: whether that member may have one now.
	For *RewardFor `json:"for_member,omitempty"`
}

// VoucherKind is the voucher that a reward gives.
type VoucherKind struct {
	// Money is the value off, or Percent; Valid how long the code can be used.
	Money   Amount `json:"money,omitempty"`
	Percent Amount `json:"percent,omitempty"`
	Valid   string `json:"valid,omitempty"`
	// Uses is how often the code can be used. Bound says that only the member who redeemed it may use it; else whoever has the code.
	Uses  int64 `json:"uses"`
	Bound bool  `json:"bound"`
	// Least is the least that must be bought for.
	Least Amount `json:"least,omitempty"`
	// Stacks is "with others", or "alone": no other voucher or coupon in the same purchase. Of those of one Group a purchase takes one.
	Stacks string `json:"stacks"`
	Group  string `json:"group,omitempty"`
}

// RaffleKind is what can be won with a ticket.
type RaffleKind struct {
	// Prize is the id of the reward that each winner is given, Title its title; Winners how many there are.
	Prize   string `json:"prize"`
	Title   string `json:"title,omitempty"`
	Winners int64  `json:"winners"`
}

// RewardLimit is how often a reward can be had.
type RewardLimit struct {
	// Each is whose redemptions count: member, or program for those of all members together. Per is purchase, day, week, month, quarter, year or lifetime.
	Each  string `json:"each"`
	Per   string `json:"per"`
	Times int64  `json:"times"`
	// Left is what is left of it now, for the member who was asked for or for all; RenewsAt is when it can be had more often again.
	Left     *int64     `json:"left,omitempty"`
	RenewsAt *time.Time `json:"renews_at,omitempty"`
}

// PayRate is a rate from points to money.
type PayRate struct {
	Unit string `json:"unit"`
	// Points are worth Worth; they are taken in whole multiples.
	Points Amount `json:"points"`
	Worth  Amount `json:"worth"`
	// Min and Max bound the points of one payment, Max and Share (a part of the purchase in percent) all payments with the reward in one purchase.
	Min   Amount `json:"min,omitempty"`
	Max   Amount `json:"max,omitempty"`
	Share Amount `json:"share,omitempty"`
}

// RewardFor says whether a member may have a reward now.
type RewardFor struct {
	// Member is whose books pay: the member's, or those of the organization for which the member acts.
	Member    string `json:"member"`
	Available bool   `json:"available"`
	// Reason is that of the refusal: out_of_stock, reward_not_available (out of its time), raffle_drawn, reward_not_granted (it cannot be bought),
	// reward_not_allowed (a condition), limit_reached, balance_too_low, below_minimum, role_may_not, member_blocked. Why says in sentences what
	// stands in the way.
	Reason string   `json:"reason,omitempty"`
	Why    []string `json:"why,omitempty"`
	// Missing is what is missing, by unit.
	Missing map[string]Amount `json:"missing,omitempty"`
	// Price is what it would take now and Worth the money off, for a reward paid by a rate: the most that can be paid.
	Price map[string]Amount `json:"price,omitempty"`
	Worth Amount            `json:"worth,omitempty"`
	// Option is the number of that price, Money what is paid besides.
	Option int64  `json:"option,omitzero"`
	Money  Amount `json:"money,omitempty"`
}

// RewardPrice is one of several prices.
type RewardPrice struct {
	// Option is its number.
	Option int64             `json:"option"`
	Price  map[string]Amount `json:"price"`
	// Money is what is paid besides.
	Money Amount `json:"money,omitempty"`
}

// HandedCode is a code of somebody else.
type HandedCode struct {
	// Pool is the one it came from.
	Pool string `json:"pool,omitempty"`
	// Code is in the answer that handed it out, and in that of POST …/code, as often as that is asked for; it is in no list.
	Code string `json:"code,omitempty"`
	// Tail is its end, by which a person knows it.
	Tail string `json:"tail,omitempty"`
}

// Fulfilment is how far something is that somebody has to see to.
type Fulfilment struct {
	// Kind is gift_card, seat, donation, service or goods.
	Kind string `json:"kind"`
	// Status is ordered, packed, sent, delivered, returned or failed, since At.
	Status string    `json:"status"`
	At     time.Time `json:"at"`
	// Reference is the number it has with whoever does it: of the parcel, the order, the gift card.
	Reference string `json:"reference,omitempty"`
	// Tail is the end of a code that was sent.
	Tail   string `json:"tail,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Money is what is on a gift card, or what is given on. Provider is whom a gift card is bought from.
	Money    Amount `json:"money,omitempty"`
	Provider string `json:"provider,omitempty"`
}

// Event is something others may want to know.
type Event struct {
	ID string `json:"id"`
	// Type is NOUN.VERB, for example points.earned.
	Type       string    `json:"type"`
	Member     string    `json:"member"`
	Fact       string    `json:"fact"`
	OccurredAt time.Time `json:"occurred_at"`
	RecordedAt time.Time `json:"recorded_at"`
	// Sequence sorts as text in the order of the feed.
	Sequence string `json:"sequence"`
	// Data is what the event is about; docs/events.md says what it holds for each type.
	Data map[string]string `json:"data"`
}

// FullEvent is an event with the fact that led to it.
type FullEvent struct {
	Event
	// Resource is the fact, as GET /v1/facts/{fact} shows it, for webhooks that ask for it.
	Resource *Fact `json:"resource,omitempty"`
	// ResourceOmitted says that the fact is too large for a message: get it by its id.
	ResourceOmitted bool `json:"resource_omitted,omitempty,omitzero"`
}

// Import is a file that is taken in.
type Import struct {
	ID string `json:"id"`
	// Kind is members, purchases or activities.
	Kind string `json:"kind"`
	// File is the name of the file.
	File string `json:"file"`
	// Status is draft, waiting, running, done, failed or cancelled.
	Status string `json:"status"`
	// Startable says that it can be started: it is a draft, or was only tried and its files are kept for a day.
	Startable bool `json:"startable"`
	// Error says why it failed.
	Error  string `json:"error,omitempty"`
	DryRun bool   `json:"dry_run,omitempty,omitzero"`
	// Done is how many of the facts are done.
	Done int `json:"done"`
	// Facts are the members, purchases or activities that the file makes, Rows its rows; 0 until it was read.
	Facts int `json:"facts"`
	Rows  int `json:"rows"`
	// Recorded facts are new, Known ones were there before; Differing ones were too, with other content.
	Recorded  int `json:"recorded"`
	Known     int `json:"known"`
	Differing int `json:"differing"`
	// Enrolled are members who were made along with their first purchase or activity.
	Enrolled int `json:"enrolled"`
	// Refused counts rows, Guests those of purchases that name no member and are left out.
	Refused int `json:"refused"`
	Guests  int `json:"guests"`
	// Earned is what the new facts earned, by unit.
	Earned map[string]string `json:"earned,omitempty"`
	// Refusals are the first of the refused rows, where one import is asked for; GET /v1/imports/{import}/refused gives all.
	Refusals []RefusedRow `json:"refusals,omitempty"`
	// Members counts those that the file speaks of, From and Until bound its business times, Sample are the first facts of a dry run and Mapping is the text
	// it goes by, where one import is asked for.
	Members   int            `json:"members,omitempty,omitzero"`
	From      *time.Time     `json:"from,omitempty"`
	Until     *time.Time     `json:"until,omitempty"`
	Sample    []ImportSample `json:"sample,omitempty"`
	Mapping   string         `json:"mapping,omitempty"`
	CreatedAt time.Time      `json:"created_at"`
	UpdatedAt time.Time      `json:"updated_at"`
}

// ImportSample is a fact of a file, as it was understood.
type ImportSample struct {
	// Member is who it is about, by the identifier that the file has.
	Member     string    `json:"member"`
	At         time.Time `json:"at"`
	ExternalID string    `json:"external_id,omitempty"`
	// Amount is what a purchase came to, of so many lines; Kind is that of an activity.
	Amount string `json:"amount,omitempty"`
	Lines  int    `json:"lines,omitempty,omitzero"`
	Store  string `json:"store,omitempty"`
	Kind   string `json:"kind,omitempty"`
}

// ImportFile is the beginning of a file that was uploaded, with a mapping that may fit.
type ImportFile struct {
	Columns []ImportColumn `json:"columns"`
	// Rows are the first ones, as they stand in the file.
	Rows [][]string `json:"rows"`
	// Header says that the first line names the columns; Charset and Delimiter are how the file was read.
	Header    bool   `json:"header"`
	Charset   string `json:"charset"`
	Delimiter string `json:"delimiter,omitempty"`
	// Further are the names of further files that came with it.
	Further []string `json:"further,omitempty"`
	// Guess is a mapping made of the names of the columns and of what stands in them, as YAML: look at it before it is used.
	Guess string `json:"guess"`
	// Earlier is the mapping of the last import whose columns this file has too.
	Earlier string `json:"earlier,omitempty"`
}

// ImportColumn is a column of a file.
type ImportColumn struct {
	// Number counts from 1.
	Number int    `json:"number"`
	Name   string `json:"name,omitempty"`
	// Samples are some of its values.
	Samples []string `json:"samples"`
}

// StartImport begins an import that was uploaded as a draft, or tried.
type StartImport struct {
	// Mapping says which column is what, as YAML; that of the last try when left out.
	Mapping string `json:"mapping,omitempty"`
	// DryRun reads, checks and counts, and records nothing; the files are then kept for a day.
	DryRun bool `json:"dry_run,omitempty,omitzero"`
}

// RefusedRow is a row that was not taken.
type RefusedRow struct {
	// Row is the number that a spreadsheet shows beside it.
	Row    int    `json:"row"`
	Reason string `json:"reason"`
}

// NewWebhook is an endpoint to be told of events.
type NewWebhook struct {
	// URL is where to send to: https, unless the operator allows the host.
	URL string `json:"url"`
	// Description is for people.
	Description *string `json:"description,omitempty"`
	// Types are the types of events that are wanted, points.* for all that begin so; without any, every event.
	Types *[]string `json:"types,omitempty"`
	// Payload is thin (the default) for the event alone, or full for the fact that led to it besides.
	Payload *string `json:"payload,omitempty"`
	// Format is standard (the default) for the body of Standard Webhooks, or cloudevents.
	Format *string `json:"format,omitempty"`
	// Concurrency is how many messages are sent at once, 1 to 64; 8 when left out.
	Concurrency *int `json:"concurrency,omitempty"`
	// PerSecond is how many messages may be begun in a second; 0, the default, is no bound.
	PerSecond *int `json:"per_second,omitempty"`
	// Secret is one that the receiver knows already, whsec_ and 24 to 64 bytes in base 64; without it one is made.
	Secret string `json:"secret,omitempty"`
}

// WebhookPatch changes an endpoint: what is left out stays.
type WebhookPatch struct {
	// URL is where to send to: https, unless the operator allows the host.
	URL *string `json:"url,omitempty"`
	// Description is for people.
	Description *string `json:"description,omitempty"`
	// Types are the types of events that are wanted, points.* for all that begin so; an empty list is every event.
	Types *[]string `json:"types,omitempty"`
	// Payload is thin for the event alone, or full for the fact that led to it besides.
	Payload *string `json:"payload,omitempty"`
	// Format is standard for the body of Standard Webhooks, or cloudevents.
	Format *string `json:"format,omitempty"`
	// Concurrency is how many messages are sent at once, 1 to 64.
	Concurrency *int `json:"concurrency,omitempty"`
	// PerSecond is how many messages may be begun in a second; 0 is no bound.
	PerSecond *int `json:"per_second,omitempty"`
}

// Webhook is an endpoint that is told of events.
type Webhook struct {
	ID          string `json:"id"`
	URL         string `json:"url"`
	Description string `json:"description,omitempty"`
	// Types are the types of events that are wanted; without any, every event.
	Types []string `json:"types"`
	// Payload is thin or full.
	Payload string `json:"payload"`
	// Format is standard or cloudevents.
	Format      string `json:"format"`
	Concurrency int    `json:"concurrency"`
	PerSecond   int    `json:"per_second"`
	// Status is active, or disabled: then nothing is sent, and nothing gets lost.
	Status string `json:"status"`
	// DisabledReason is by_hand, gone (it answered 410) or failing (nothing was taken for five days).
	DisabledReason string     `json:"disabled_reason,omitempty"`
	DisabledAt     *time.Time `json:"disabled_at,omitempty"`
	// FailingSince is since when nothing was taken, while nothing is.
	FailingSince  *time.Time `json:"failing_since,omitempty"`
	LastSuccessAt *time.Time `json:"last_success_at,omitempty"`
	// Replaying says that a part of the feed is being sent again.
	Replaying bool `json:"replaying,omitempty,omitzero"`
	// PreviousSecretUntil is how long messages are signed with the secret before the newest too.
	PreviousSecretUntil *time.Time `json:"previous_secret_until,omitempty"`
	// SecretMissing says that there is no secret to sign with, as after a restore from an export, and so nothing is sent: rotate it.
	SecretMissing bool `json:"secret_missing,omitempty,omitzero"`
	// Deliveries counts what waits and what is dead, where one webhook is asked for.
	Deliveries *DeliveryCounts `json:"deliveries,omitempty"`
	CreatedAt  time.Time       `json:"created_at"`
	UpdatedAt  time.Time       `json:"updated_at"`
	// Secret is shown once, when the webhook is made and when its secret is rotated.
	Secret string `json:"secret,omitempty"`

	tag string
}

// ETag changes with what may be chosen of the webhook and with its status.
func (w *Webhook) ETag() string { return w.tag }

// DeliveryCounts counts the deliveries of a webhook.
type DeliveryCounts struct {
	Pending int64 `json:"pending"`
	Dead    int64 `json:"dead"`
	// OldestPendingAt is when the oldest of those that wait was made.
	OldestPendingAt *time.Time `json:"oldest_pending_at,omitempty"`
}

// WebhookRotation makes a new secret.
type WebhookRotation struct {
	// OverlapSeconds is how long messages are signed with the old secret too, a day when left out.
	OverlapSeconds *int64 `json:"overlap_seconds,omitempty"`
	// Secret is one that the receiver knows already; without it one is made.
	Secret string `json:"secret,omitempty"`
}

// Enabling goes on with a webhook.
type Enabling struct {
	// SkipMissed goes on from now: what happened meanwhile is not sent, and what waited is dead.
	SkipMissed bool `json:"skip_missed,omitempty"`
}

// Replay sends events again, with the ids that they had.
type Replay struct {
	// Since has all events sent again that were recorded since the time, also those from before the webhook was there.
	Since *time.Time `json:"since,omitempty"`
	// Dead has all dead deliveries sent again.
	Dead bool `json:"dead,omitempty"`
}

// Replayed says what is sent again.
type Replayed struct {
	Webhook string `json:"webhook"`
	// Since is the time since which all is sent again.
	Since *time.Time `json:"since,omitempty"`
	// Dead is how many dead deliveries are sent again.
	Dead *int64 `json:"dead,omitempty"`
}

// Delivery is one event for one webhook.
type Delivery struct {
	// Event is the id of the event, and of the delivery: what the header webhook-id says.
	Event string `json:"event"`
	Type  string `json:"type"`
	// Status is pending, delivered, or dead when all attempts failed.
	Status        string     `json:"status"`
	NextAttemptAt *time.Time `json:"next_attempt_at,omitempty"`
	// Attempts are the last ones, the newest last.
	Attempts []DeliveryAttempt `json:"attempts"`
	MadeAt   time.Time         `json:"made_at"`
	// DoneAt is when it was delivered or given up.
	DoneAt *time.Time `json:"done_at,omitempty"`
	// Message is what is sent, where one delivery is asked for.
	Message map[string]any `json:"message,omitempty"`
}

// DeliveryAttempt is one time that a message was sent.
type DeliveryAttempt struct {
	At time.Time `json:"at"`
	// Status is the HTTP status of the answer, when there was one.
	Status int `json:"status,omitempty,omitzero"`
	// Milliseconds is how long it took.
	Milliseconds int64 `json:"milliseconds"`
	// Error says what went wrong, when it did.
	Error string `json:"error,omitempty"`
	// Answer is the beginning of the answer's body.
	Answer string `json:"answer,omitempty"`
}

// Feed is a part of the event feed.
type Feed struct {
	Items []Event `json:"items"`
	// Cursor is where to go on, also when nothing came: the feed has no end. Keep it with what you made of the events.
	Cursor string `json:"next_cursor"`
	// More says that there is more to be had at once.
	More bool `json:"more"`
}

// NextCursor makes the Link header.
func (f *Feed) NextCursor() string { return f.Cursor }

// ProgramVersion is a published version.
type ProgramVersion struct {
	Version int64 `json:"version"`
	// EffectiveFrom is the business time from which it decides; not there for the first, which holds from the beginning.
	EffectiveFrom *time.Time `json:"effective_from,omitempty"`
	PublishedAt   time.Time  `json:"published_at"`
	PublishedBy   string     `json:"published_by"`
	// Hash is the SHA-256 of the document's canonical form.
	Hash string `json:"hash"`
	// RollbackOf is the version whose document was brought back.
	RollbackOf int64 `json:"rollback_of,omitzero"`
	// InForce says that it decides what happens now.
	InForce bool `json:"in_force"`
	// Unchanged says that nothing was published, since the version in force holds the same document.
	Unchanged bool `json:"unchanged,omitzero"`
	// ReplacedBy is the version that takes its place, by what is published so far, and ReplacedAt the business time from which. A
	// version that was planned before a rollback still comes into force: publish another one from then on to prevent it.
	ReplacedBy int64      `json:"replaced_by,omitzero"`
	ReplacedAt *time.Time `json:"replaced_at,omitempty"`
	// Document is there when one version is asked for.
	Document Raw[ProgramDocument] `json:"document,omitzero"`
}

// Publication is a document to publish.
type Publication struct {
	// Document is the program, as JSON; or Source, as YAML or JSON text. One of the two.
	Document Raw[ProgramDocument] `json:"document,omitzero"`
	Source   string               `json:"source,omitempty"`
	// From is the business time from which it decides; now when left out.
	From *time.Time `json:"from,omitempty"`
}

// Draft is a document to look at.
type Draft struct {
	// Document is the program, as JSON; or Source, as YAML or JSON text. One of the two.
	Document Raw[ProgramDocument] `json:"document,omitzero"`
	Source   string               `json:"source,omitempty"`
}

// SettingChange names values of a program document's text that are to be others.
type SettingChange struct {
	// Source is the text, as YAML. It may have mistakes of meaning.
	Source string `json:"source"`
	// Set gives new values by the pointer of each, such as "/units/star/worth": "0.75". With none, the values that are there are listed.
	Set map[string]string `json:"set,omitempty"`
}

// DocumentSettings are the single values of a program document.
type DocumentSettings struct {
	// Source is the text with the new values; comments, order and spaces are as they were.
	Source   string            `json:"source"`
	Settings []DocumentSetting `json:"settings"`
}

// DocumentSetting is one value of a program document.
type DocumentSetting struct {
	// Pointer is where it stands (RFC 6901).
	Pointer string `json:"pointer"`
	// Value is the text, the digits of a number as they were written, or true or false.
	Value string `json:"value"`
	// Kind is text, number or truth.
	Kind string `json:"kind"`
}

// Terms is a program in plain words.
type Terms struct {
	// Title is the program's name.
	Title    string `json:"title"`
	Language string `json:"language"`
	// Version is the number of the version that is told.
	Version  int64          `json:"version"`
	Sections []TermsSection `json:"sections"`
}

// TermsSection is a part of the terms: a heading and its paragraphs.
type TermsSection struct {
	// ID is the same in every language: earning, extra, use, expiry, tiers, returns, transfers and so on.
	ID    string      `json:"id"`
	Title string      `json:"title"`
	Items []TermsItem `json:"items"`
}

// TermsItem is a paragraph.
type TermsItem struct {
	// Of is the id of the rule, unit, tier set or reward that it tells, if it tells one.
	Of    string `json:"of,omitempty"`
	Title string `json:"title,omitempty"`
	Text  string `json:"text"`
}

// Lint asks to look a program over: a document, or, without one, the version in force.
type Lint struct {
	// Document is the program, as JSON; or Source, as YAML or JSON text. At most one of the two.
	Document Raw[ProgramDocument] `json:"document,omitzero"`
	Source   string               `json:"source,omitempty"`
	// Usual is what a usual member buys; what the document says of it, when left out.
	Usual *LintUsual `json:"usual,omitempty"`
}

// LintUsual is what a usual member buys.
type LintUsual struct {
	// Purchase is the money of one purchase, in the program's currency.
	Purchase money.Decimal `json:"purchase"`
	// PerMonth is how many purchases there are in a month, 1 to 1000.
	PerMonth int64 `json:"per_month"`
}

// Linted is what there is to mend.
type Linted struct {
	// OK says that nothing was found.
	OK       bool      `json:"ok"`
	Findings []Finding `json:"findings"`
}

// Finding is one thing to look at before a program is published.
type Finding struct {
	// Kind is unclear, unfair, diluted or leaky.
	Kind string `json:"kind"`
	// Code is stable.
	Code string `json:"code"`
	// Pointer is the place in the document.
	Pointer string `json:"pointer"`
	// Why says what is the matter, Mend what to do about it.
	Why  string `json:"why"`
	Mend string `json:"mend"`
}

// Rollback brings the document of an earlier version back, as a new version.
type Rollback struct {
	Version int64 `json:"version"`
	// From is the business time from which it decides; now when left out.
	From *time.Time `json:"from,omitempty"`
}

// Checked is what is wrong with a document.
type Checked struct {
	OK bool `json:"ok"`
	// Problems are all mistakes, with pointers into the document.
	Problems []DocumentProblem `json:"problems"`
	// Hash is that of the canonical form of a document without problems.
	Hash string `json:"hash,omitempty"`
}

// DocumentProblem is one mistake in a document.
type DocumentProblem struct {
	// Pointer is the RFC 6901 pointer into the document.
	Pointer string `json:"pointer"`
	// Line and Column count from 1, for a document sent as text.
	Line    int    `json:"line,omitzero"`
	Column  int    `json:"column,omitzero"`
	Message string `json:"message"`
	// Hint says what to do.
	Hint string `json:"hint,omitempty"`
}

// Comparison asks what changes between two documents. What is left out is the version in force.
type Comparison struct {
	// FromVersion or From is the older, ToVersion or To the newer.
	FromVersion int64                `json:"from_version,omitempty"`
	From        Raw[ProgramDocument] `json:"from,omitzero"`
	ToVersion   int64                `json:"to_version,omitempty"`
	To          Raw[ProgramDocument] `json:"to,omitzero"`
	// ToSource is To as YAML or JSON text.
	ToSource string `json:"to_source,omitempty"`
}

// Difference is what changes, in words.
type Difference struct {
	Same    bool         `json:"same"`
	Changes []DiffChange `json:"changes"`
}

// DiffChange is one change.
type DiffChange struct {
	Pointer  string `json:"pointer"`
	Sentence string `json:"sentence"`
}

// NewKey is an API key to make.
type NewKey struct {
	// Name says what the key is for; it is the actor of what the key does.
	Name string `json:"name"`
	// Scopes are what it may do.
	Scopes    []string   `json:"scopes"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	// Partner makes it a partner's key: with it, only partners:read and awards:write can be given, and they open what is this partner's.
	Partner string `json:"partner,omitempty"`
	// Test makes a secret that begins with lj_test_.
	Test bool `json:"test,omitempty"`
}

// Rotation makes a successor.
type Rotation struct {
	// OverlapSeconds is how long the old key goes on working; 0 ends it at once.
	OverlapSeconds int64 `json:"overlap_seconds,omitempty"`
}

// Key is an API key.
type Key struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// Prefix is the beginning of the secret, by which people tell keys apart.
	Prefix     string     `json:"prefix"`
	Scopes     []string   `json:"scopes"`
	CreatedAt  time.Time  `json:"created_at"`
	ExpiresAt  *time.Time `json:"expires_at,omitempty"`
	RevokedAt  *time.Time `json:"revoked_at,omitempty"`
	LastUsedAt *time.Time `json:"last_used_at,omitempty"`
	// Partner is whose key it is; the program's own when left out.
	Partner string `json:"partner,omitempty"`
	// Secret is shown once, when the key is made.
	Secret string `json:"secret,omitempty"`
}

// Me is what a key may do.
type Me struct {
	Program string `json:"program"`
	Key     Key    `json:"key"`
}

// AuditEntry is one change by a person or a key that is not a fact of a member.
type AuditEntry struct {
	ID     string         `json:"id"`
	At     time.Time      `json:"at"`
	Actor  string         `json:"actor"`
	Action string         `json:"action"`
	Target string         `json:"target,omitempty"`
	Detail map[string]any `json:"detail,omitempty"`
}

// Health says that the program answers.
type Health struct {
	// Status is ok.
	Status   string `json:"status"`
	Database string `json:"database"`
	Version  string `json:"version,omitempty"`
}

// Readiness says that requests are served.
type Readiness struct {
	// Status is ready.
	Status string `json:"status"`
	// Writing is ok; failing when the last write failed for want of a database or of disk space; read_only when the database takes no writes.
	Writing string `json:"writing"`
	// Schema is current, or newer when a newer program has migrated the database.
	Schema   string `json:"schema"`
	Database string `json:"database"`
	Version  string `json:"version,omitempty"`
}
