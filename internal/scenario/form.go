package scenario

import (
	"fmt"
	"strings"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
)

// The form of a scenario file. docs/scenarios.md tells it to people.

// folio is a file with several scenarios, and what they share.
type folio struct {
	source
	// Programs are documents that scenarios name with use.
	Programs  map[string]document `json:"programs,omitzero"`
	Scenarios []story             `json:"scenarios"`
}

// document is the place of a program document (or a merge patch of one) in the file.
type document string

// source says which program a scenario plays.
type source struct {
	Program     document `json:"program,omitzero"`
	ProgramFile string   `json:"program_file,omitzero"`
	Blueprint   string   `json:"blueprint,omitzero"`
	Use         string   `json:"use,omitzero"`
	With        document `json:"with,omitzero"`
}

func (s source) given() bool {
	return s.Program != "" || s.ProgramFile != "" || s.Blueprint != "" || s.Use != ""
}

// story is one scenario.
type story struct {
	Scenario string `json:"scenario"`
	Title    string `json:"title,omitzero"`
	// Source names where the numbers come from, Note is for readers.
	Source string `json:"source,omitzero"`
	Note   string `json:"note,omitzero"`
	source
	// Clock is where business time begins.
	Clock moment `json:"clock,omitzero"`
	// Given are the members and what they have at the start; Before are facts that must succeed.
	Given  map[string]person `json:"given,omitzero"`
	Before []step            `json:"before,omitzero"`
	When   []step            `json:"when,omitzero"`
	Then   *expectation      `json:"then,omitzero"`
}

// person is a member at the start of a scenario.
type person struct {
	Joined     moment            `json:"joined,omitzero"`
	Zone       string            `json:"zone,omitzero"`
	Language   string            `json:"language,omitzero"`
	Store      string            `json:"store,omitzero"`
	Channel    string            `json:"channel,omitzero"`
	Attributes map[string]string `json:"attributes,omitzero"`
	// Invited is the nickname of who invited the member.
	Invited string `json:"invited,omitzero"`
	// Birth is the birth date: YYYY-MM-DD or MM-DD.
	Birth string `json:"birth,omitzero"`
	Card  string `json:"card,omitzero"`
	Phone string `json:"phone,omitzero"`
	Email string `json:"email,omitzero"`
	// Identifiers are further ones, each as KIND:VALUE.
	Identifiers []string `json:"identifiers,omitzero"`
	// Has is an opening balance, without end; Lots are opening lots.
	Has  amounts           `json:"has,omitzero"`
	Lots []opening         `json:"lots,omitzero"`
	Tier map[string]string `json:"tier,omitzero"`
}

// opening is a lot that a member has at the start.
type opening struct {
	Unit    string        `json:"unit,omitzero"`
	Amount  money.Decimal `json:"amount"`
	Earned  moment        `json:"earned,omitzero"`
	Expires moment        `json:"expires,omitzero"`
	Release moment        `json:"release,omitzero"`
}

// vouching does something with the voucher of a redemption.
type vouching struct {
	Of    string         `json:"of"`
	Do    string         `json:"do,omitzero"` // use when left out
	Total *money.Decimal `json:"total,omitzero"`
	By    string         `json:"by,omitzero"`
	// Beside are the other vouchers of the same purchase, by the names of their redemptions.
	Beside []string `json:"beside,omitzero"`
}

// couponing uses a coupon by its word, or by a code where the step's member is one; or takes the use of an earlier step back.
type couponing struct {
	Coupon string         `json:"coupon,omitzero"`
	Undo   string         `json:"undo,omitzero"`
	Total  *money.Decimal `json:"total,omitzero"`
	By     string         `json:"by,omitzero"`
	// Beside are the other vouchers of the same purchase, by the names of their redemptions; Coupons the other coupons, by their ids or by the names of their codes.
	Beside  []string `json:"beside,omitzero"`
	Coupons []string `json:"coupons,omitzero"`
}

// issuing makes a gift card; the step's member is what it is called.
type issuing struct {
	Amount   money.Decimal `json:"amount"`
	Inactive bool          `json:"inactive,omitzero"`
	Sample   bool          `json:"sample,omitzero"`
	Expires  moment        `json:"expires,omitzero"`
}

// step is one thing that happens, and what is expected of it.
type step struct {
	At     moment          `json:"at,omitzero"`
	After  *program.Period `json:"after,omitzero"`
	Member string          `json:"member,omitzero"`
	// Guest makes it a purchase of nobody.
	Guest bool `json:"guest,omitzero"`
	// As names the fact for later steps.
	As string `json:"as,omitzero"`
	// Receipt is the natural key, as SOURCE/NUMBER; Key an Idempotency-Key.
	Receipt string `json:"receipt,omitzero"`
	Key     string `json:"key,omitzero"`
	// Parallel does the step so many times at once, Times one after another.
	Parallel int `json:"parallel,omitzero"`
	Times    int `json:"times,omitzero"`

	Enrol    *person  `json:"enrol,omitzero"`
	GiftCard *issuing `json:"gift_card,omitzero"`
	// CouponCode makes a code of a coupon; the step's member is what it is called.
	CouponCode string                `json:"coupon_code,omitzero"`
	Coupon     *couponing            `json:"coupon,omitzero"`
	Load       *engine.Card          `json:"load,omitzero"`
	Voucher    *vouching             `json:"voucher,omitzero"`
	Purchase   *buying               `json:"purchase,omitzero"`
	Keep       *keeping              `json:"keep,omitzero"`   // a purchase that waits for its member
	Link       string                `json:"link,omitzero"`   // an identifier that the member has now, as KIND:VALUE
	Unlink     string                `json:"unlink,omitzero"` // and one no more
	Return     *returning            `json:"return,omitzero"`
	Activity   *doing                `json:"activity,omitzero"`
	Redeem     *redeeming            `json:"redeem,omitzero"`
	Reserve    *redeeming            `json:"reserve,omitzero"`
	Commit     *paying               `json:"commit,omitzero"`
	Cancel     *about                `json:"cancel,omitzero"`
	Refund     *about                `json:"refund,omitzero"`
	Adjust     *adjusting            `json:"adjust,omitzero"`
	Transfer   *giving               `json:"transfer,omitzero"`
	Reverse    *about                `json:"reverse,omitzero"`
	Release    *about                `json:"release,omitzero"`
	Tier       *setting              `json:"tier,omitzero"`
	Grant      *granting             `json:"grant,omitzero"`
	Challenge  *engine.ChallengeBody `json:"challenge,omitzero"`
	Plan       *billing              `json:"plan,omitzero"`
	Use        string                `json:"use,omitzero"`
	Unuse      string                `json:"unuse,omitzero"`
	Profile    *changing             `json:"profile,omitzero"`
	Status     string                `json:"status,omitzero"`
	Merge      string                `json:"merge,omitzero"`
	Partner    *atPartner            `json:"partner,omitzero"`
	Share      string                `json:"share,omitzero"`
	Claim      *settling             `json:"claim,omitzero"`
	Void       *settling             `json:"void,omitzero"`
	Thank      *thanking             `json:"thank,omitzero"`
	Approve    *settling             `json:"approve,omitzero"`
	Decline    *settling             `json:"decline,omitzero"`
	Unthank    *settling             `json:"unthank,omitzero"`
	House      *housing              `json:"house,omitzero"`
	Invited    string                `json:"invited,omitzero"` // the nickname of who invited the member, said after enrolling
	Fulfil     *following            `json:"fulfil,omitzero"`
	Pools      map[string]int        `json:"pool,omitzero"` // so many codes are loaded
	Draw       string                `json:"draw,omitzero"` // the raffle that is drawn
	Sweep      bool                  `json:"sweep,omitzero"`
	Publish    *publishing           `json:"publish,omitzero"`
	Check      *source               `json:"check,omitzero"`
	Simulate   *step                 `json:"simulate,omitzero"`
	Then       *expectation          `json:"then,omitzero"`

	line int
}

// buying is a purchase; a number alone is its amount. Redemptions are names of steps.
type buying struct{ engine.Purchase }

func (b *buying) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() == '"' {
		b.Amount = new(money.Decimal)
		return jsonv2.UnmarshalDecode(dec, b.Amount)
	}
	return jsonv2.UnmarshalDecode(dec, &b.Purchase)
}

// returning is a return of a purchase; a name alone is all of it.
type returning struct {
	Of string `json:"of"`
	engine.Return
}

func (r *returning) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	type plain returning
	return orText(dec, &r.Of, (*plain)(r))
}

// doing is an activity; a word alone is its kind. Confirms is the name of a step.
type doing struct{ engine.Activity }

func (d *doing) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return orText(dec, &d.Kind, &d.Activity)
}

// redeeming asks for a reward; a word alone is the reward.
type redeeming struct{ engine.Redemption }

func (r *redeeming) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return orText(dec, &r.Reward, &r.Redemption)
}

// about is a step about an earlier one, by its name.
type about struct {
	Of string `json:"of,omitzero"`
	// Points is a part, for a refund.
	Points *money.Decimal `json:"points,omitzero"`
	// Cancel takes pending points away, Unit releases or cancels all that is pending in it.
	Cancel bool   `json:"cancel,omitzero"`
	Unit   string `json:"unit,omitzero"`
	// Force lets a reversal of a transfer make a debt.
	Force bool `json:"force,omitzero"`
}

func (a *about) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	type plain about
	return orText(dec, &a.Of, (*plain)(a))
}

// adjusting changes a balance by hand; a number alone is the amount of the only unit.
type adjusting struct {
	Unit      string         `json:"unit,omitzero"`
	Challenge string         `json:"challenge,omitzero"`
	Amount    *money.Decimal `json:"amount,omitzero"`
	To        *money.Decimal `json:"to,omitzero"`
	Reason    string         `json:"reason,omitzero"`
	Expires   moment         `json:"expires,omitzero"`
	Release   moment         `json:"release,omitzero"`
	AllowDebt bool           `json:"allow_debt,omitzero"`
}

func (a *adjusting) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() == '"' {
		a.Amount = new(money.Decimal)
		return jsonv2.UnmarshalDecode(dec, a.Amount)
	}
	type plain adjusting
	return jsonv2.UnmarshalDecode(dec, (*plain)(a))
}

// thanking thanks another member: To is a nickname.
type thanking struct {
	To      string        `json:"to"`
	Amount  money.Decimal `json:"amount"`
	Value   string        `json:"for,omitzero"`
	Message string        `json:"message,omitzero"`
}

// settling is about an earlier step that thanked, by its name.
type settling struct {
	Of string `json:"of"`
}

func (s *settling) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	type plain settling
	return orText(dec, &s.Of, (*plain)(s))
}

// giving is a transfer to another member.
type giving struct {
	To      string        `json:"to"`
	Unit    string        `json:"unit,omitzero"`
	Amount  money.Decimal `json:"amount"`
	Message string        `json:"message,omitzero"`
}

// changing is what changes in a member's profile.
type changing struct {
	Birth      *string           `json:"birth,omitzero"`
	Zone       *string           `json:"zone,omitzero"`
	Language   *string           `json:"language,omitzero"`
	Attributes map[string]string `json:"attributes,omitzero"`
}

// setting is a tier set by hand.
type setting struct {
	Set    string `json:"set,omitzero"`
	To     string `json:"to,omitzero"`
	Until  moment `json:"until,omitzero"`
	Reason string `json:"reason,omitzero"`
}

// granting gives a reward by hand, or takes back the grant with a number; a word alone is the reward.
type granting struct {
	// Benefit is given in place of a reward.
	Benefit  string `json:"benefit,omitzero"`
	Reward   string `json:"reward,omitzero"`
	Uses     int64  `json:"uses,omitzero"`
	Waits    moment `json:"waits,omitzero"`
	Ends     moment `json:"ends,omitzero"`
	TakeBack int64  `json:"take_back,omitzero"`
	Reason   string `json:"reason,omitzero"`
}

func (g *granting) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	type plain granting
	return orText(dec, &g.Reward, (*plain)(g))
}

// billing is something that happened to a paid membership; a word alone is what happened to the only plan.
type billing struct {
	Plan  string `json:"plan,omitzero"`
	What  string `json:"what,omitzero"`
	Until moment `json:"until,omitzero"`
	Trial *bool  `json:"trial,omitzero"`
	To    string `json:"to,omitzero"`
	// Takes is now or period end.
	Takes string `json:"takes_effect,omitzero"`
}

func (b *billing) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	type plain billing
	return orText(dec, &b.What, (*plain)(b))
}

// publishing is a new version of the program: what it says is laid over the version before.
type publishing struct {
	source
	From moment `json:"from,omitzero"`
}

// orText reads a text into one place, anything else into the other.
func orText(dec *jsontext.Decoder, text *string, otherwise any) error {
	if dec.PeekKind() == '"' {
		return jsonv2.UnmarshalDecode(dec, text)
	}
	return jsonv2.UnmarshalDecode(dec, otherwise)
}

// expectation is what should be so after a step, or at the end.
type expectation struct {
	// Of the step itself.
	Earned     amounts           `json:"earned,omitzero"`
	Refused    *refusal          `json:"refused,omitzero"`
	Outcomes   map[string]int    `json:"outcomes,omitzero"`
	Postings   *[]row            `json:"postings,omitzero"`
	Rows       *int              `json:"rows,omitzero"`
	Events     *[]string         `json:"events,omitzero"`
	Rules      map[string]ruling `json:"rules,omitzero"`
	Notes      []string          `json:"notes,omitzero"`
	Says       map[string]words  `json:"says,omitzero"`
	Redemption *redemption       `json:"redemption,omitzero"`
	// Off is what a coupon took off, or all that was brought with a purchase.
	Off       *money.Decimal `json:"off,omitzero"`
	Duplicate *bool          `json:"duplicate,omitzero"`
	Replayed  *bool          `json:"replayed,omitzero"`
	Version   *int64         `json:"version,omitzero"`
	Problems  *words         `json:"problems,omitzero"`
	Pools     map[string]int `json:"pool,omitzero"` // how many codes are left
	// Receipts are purchases that were kept, by their names.
	Receipts map[string]receiptStands `json:"receipts,omitzero"`
	Of       map[string]*standing     `json:"of,omitzero"`

	// Of the member afterwards.
	standing
}

// standing is what a member should have.
type standing struct {
	Balance  amounts             `json:"balance,omitzero"`
	Pending  amounts             `json:"pending,omitzero"`
	Reserved amounts             `json:"reserved,omitzero"`
	Debt     amounts             `json:"debt,omitzero"`
	Lots     *[]lot              `json:"lots,omitzero"`
	Tier     map[string]string   `json:"tier,omitzero"`
	Progress map[string]progress `json:"progress,omitzero"`
	Totals   map[string]amounts  `json:"totals,omitzero"`
	Between  []between           `json:"between,omitzero"`
	Offers   map[string]offer    `json:"offers,omitzero"`
	// Challenges by id: where the member stands.
	Challenges map[string]reaching `json:"challenges,omitzero"`
	// Grants are what the member may have, in the order in which it was given.
	Grants   *[]grant             `json:"grants,omitzero"`
	Status   string               `json:"status,omitzero"`
	Benefits map[string]standsFor `json:"benefits,omitzero"`
	Plans    map[string]planned   `json:"plans,omitzero"`
	// People are those of a household or organization, with their roles; Belongs is what a member belongs to.
	People  *map[string]string `json:"people,omitzero"`
	Belongs *[]string          `json:"belongs,omitzero"`
	// AllRows is the number of postings that the member has in all.
	AllRows *int `json:"all_rows,omitzero"`
}

type refusal struct {
	Reason string `json:"reason"`
	// At are the pointers of the mistakes.
	At words `json:"at,omitzero"`
}

func (r *refusal) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	type plain refusal
	return orText(dec, &r.Reason, (*plain)(r))
}

// row is a posting; what is left out is not compared.
type row struct {
	From   string        `json:"from,omitzero"`
	To     string        `json:"to,omitzero"`
	Amount money.Decimal `json:"amount"`
	Unit   string        `json:"unit,omitzero"`
	Lot    *int64        `json:"lot,omitzero"`
	Rule   string        `json:"rule,omitzero"`
	Of     string        `json:"of,omitzero"`
}

// ruling is what came of a rule: a number is what it gave, a word why it did not.
type ruling struct {
	Gave   *money.Decimal `json:"gave,omitzero"`
	Why    string         `json:"why,omitzero"`
	DryRun *bool          `json:"dry_run,omitzero"`
	Fired  *bool          `json:"fired,omitzero"`
	Factor *money.Decimal `json:"factor,omitzero"`
	// Because are codes of steps that must be there; Basis is the money that counted.
	Because words          `json:"because,omitzero"`
	Basis   *money.Decimal `json:"basis,omitzero"`
}

func (r *ruling) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() != '"' {
		type plain ruling
		return jsonv2.UnmarshalDecode(dec, (*plain)(r))
	}
	var s string
	if err := jsonv2.UnmarshalDecode(dec, &s); err != nil {
		return err
	}
	if d, err := money.Parse(s); err == nil {
		r.Gave = &d
		return nil
	}
	r.Why = s
	return nil
}

type redemption struct {
	Status  string         `json:"status,omitzero"`
	Price   amounts        `json:"price,omitzero"`
	Worth   *money.Decimal `json:"worth,omitzero"`
	Product string         `json:"product,omitzero"`
	Voucher *voucher       `json:"voucher,omitzero"`
	handed
	// Count is how many redemptions the step made or changed; the other fields are of the last.
	Count *int `json:"count,omitzero"`
}

type voucher struct {
	Money   *money.Decimal `json:"money,omitzero"`
	Percent *money.Decimal `json:"percent,omitzero"`
	Until   moment         `json:"until,omitzero"`
	// Off is what the last use took off, Left how often it can still be used.
	Off  *money.Decimal `json:"off,omitzero"`
	Left *int64         `json:"left,omitzero"`
	// Status is what it is now.
	Status string `json:"status,omitzero"`
}

// lot is an open lot; what is left out is not compared.
type lot struct {
	Unit     string         `json:"unit,omitzero"`
	Left     money.Decimal  `json:"left"`
	Pending  *money.Decimal `json:"pending,omitzero"`
	Reserved *money.Decimal `json:"reserved,omitzero"`
	Earned   moment         `json:"earned,omitzero"`
	Expires  moment         `json:"expires,omitzero"`
	Release  moment         `json:"release,omitzero"`
}

// reaching is where a member stands in a challenge; a number alone is what counts towards the next prize.
type reaching struct {
	Value   *money.Decimal `json:"value,omitzero"`
	Missing *money.Decimal `json:"missing,omitzero"`
	// Won is how often it was reached in this window, Times in all.
	Won   *int64 `json:"won,omitzero"`
	Times *int64 `json:"times,omitzero"`
	Done  *bool  `json:"done,omitzero"`
	// Taking says that the member takes part, Running that it counts now.
	Taking  *bool `json:"taking,omitzero"`
	Running *bool `json:"running,omitzero"`
	// Waiting is how many prizes wait, Cost what they took in all, with what was burnt.
	Waiting *int64         `json:"waiting,omitzero"`
	Cost    *money.Decimal `json:"cost,omitzero"`
	Until   moment         `json:"until,omitzero"`
	Found   *words         `json:"found,omitzero"`
	Left    *words         `json:"left,omitzero"`
	Shown   *string        `json:"shown,omitzero"`
}

func (r *reaching) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() == '"' {
		r.Value = new(money.Decimal)
		return jsonv2.UnmarshalDecode(dec, r.Value)
	}
	type plain reaching
	return jsonv2.UnmarshalDecode(dec, (*plain)(r))
}

// grant is something the member may have; what is left out is not compared.
type grant struct {
	N       *int64 `json:"n,omitzero"`
	Reward  string `json:"reward,omitzero"`
	Benefit string `json:"benefit,omitzero"`
	Source  string `json:"source,omitzero"`
	Status  string `json:"status,omitzero"`
	// Left is how often it can still be used.
	Left  *int64 `json:"left,omitzero"`
	Waits moment `json:"waits,omitzero"`
	Ends  moment `json:"ends,omitzero"`
}

func (g *grant) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	type plain grant
	return orText(dec, &g.Reward, (*plain)(g))
}

type progress struct {
	Tier    *string        `json:"tier,omitzero"`
	Next    *string        `json:"next,omitzero"`
	Value   *money.Decimal `json:"value,omitzero"`
	Missing *money.Decimal `json:"missing,omitzero"`
	Keep    *money.Decimal `json:"keep,omitzero"`
	Until   moment         `json:"until,omitzero"`
	FallsAt moment         `json:"falls_at,omitzero"`
	HeldTo  moment         `json:"held_to,omitzero"`
	NextAt  moment         `json:"next_at,omitzero"`
	Floor   *string        `json:"floor,omitzero"`
}

// between is what was earned in a span of business time: From inclusive, To exclusive.
type between struct {
	From   moment  `json:"from"`
	To     moment  `json:"to"`
	Earned amounts `json:"earned"`
}

type offer struct {
	Can     *bool          `json:"can,omitzero"`
	Reason  string         `json:"reason,omitzero"`
	Price   amounts        `json:"price,omitzero"`
	Worth   *money.Decimal `json:"worth,omitzero"`
	Missing amounts        `json:"missing,omitzero"`
	Left    *int64         `json:"left,omitzero"`
	// Granted is how many of it the member may have for nothing.
	Granted *int64 `json:"granted,omitzero"`
	// Says are sentences for the member, in English.
	Says words `json:"says,omitzero"`
}

// standsFor is how a benefit stands; a word alone is the reason why it cannot be had, or yes.
type standsFor struct {
	Can     *bool          `json:"can,omitzero"`
	Reason  string         `json:"reason,omitzero"`
	Percent *money.Decimal `json:"percent,omitzero"`
	Money   *money.Decimal `json:"money,omitzero"`
	Ahead   string         `json:"ahead,omitzero"`
	From    moment         `json:"from,omitzero"`
	Until   moment         `json:"until,omitzero"`
	// Missing is what is missing: "SET/TIER AMOUNT", "plan ID" or "from YYYY-MM-DD".
	Missing *words `json:"missing,omitzero"`
	// FallsAt is when the next step down comes, Told whether the member was warned of it.
	FallsAt moment `json:"falls_at,omitzero"`
	Told    *bool  `json:"told,omitzero"`
	Left    *int64 `json:"left,omitzero"`
	// Says are sentences for the member, in English.
	Says words `json:"says,omitzero"`
}

func (s *standsFor) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	type plain standsFor
	return orText(dec, &s.Reason, (*plain)(s))
}

// planned is where a member stands in a plan; a word alone is the status.
type planned struct {
	Status    string `json:"status,omitzero"`
	Until     moment `json:"until,omitzero"`
	Cancelled *bool  `json:"cancelled,omitzero"`
	EndedAt   moment `json:"ended_at,omitzero"`
}

func (p *planned) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	type plain planned
	return orText(dec, &p.Status, (*plain)(p))
}

// words is a word or a list of words.
type words []string

func (w *words) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() == '"' {
		*w = words{""}
		return jsonv2.UnmarshalDecode(dec, &(*w)[0])
	}
	return jsonv2.UnmarshalDecode(dec, (*[]string)(w))
}

// amounts are amounts by unit; a number alone is of the program's only unit, under the key "".
type amounts map[string]money.Decimal

func (a *amounts) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() == '"' {
		var d money.Decimal
		if err := jsonv2.UnmarshalDecode(dec, &d); err != nil {
			return err
		}
		*a = amounts{"": d}
		return nil
	}
	return jsonv2.UnmarshalDecode(dec, (*map[string]money.Decimal)(a))
}

// moment is a time as it is written: a date, a local time in the program's zone, or a time with offset; "never" and "none"
// say that there is none.
type moment string

var momentForms = []string{"2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02T15:04:05", "2006-01-02T15:04"}

// none says that there should be no time.
func (m moment) none() bool { return m == "never" || m == "none" }

func (m moment) in(zone *time.Location) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, string(m)); err == nil {
		return t, nil
	}
	if t, err := time.ParseInLocation(time.DateOnly, string(m), zone); err == nil {
		return t, nil
	}
	for _, f := range momentForms {
		if t, err := time.ParseInLocation(f, string(m), zone); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time: write 2027-03-28, \"2027-03-28 14:30\" or 2027-03-28T14:30:00Z", m)
}

// end reads a moment at which something ends: a date is the end of that day.
func (m moment) end(zone *time.Location) (time.Time, error) {
	t, err := m.in(zone)
	if err == nil && len(m) == len(time.DateOnly) {
		t = program.EndOf("day", t, zone)
	}
	return t, err
}

// fold makes a name of a program's id.
func fold(s string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return '-'
	}, s), "-")
}

// housing is something that happens to who belongs together; the step's member is whom it is about. House is what the household or organization is
// called.
type housing struct {
	House string `json:"house"`
	Do    string `json:"do"`
	Kind  string `json:"kind,omitzero"` // household when left out
	Role  string `json:"role,omitzero"`
	// By is who does it; staff when left out.
	By string `json:"by,omitzero"`
}

// atPartner is something that is done at a partner; Undo names the step that is taken back.
type atPartner struct {
	At     string         `json:"at"`
	Award  *money.Decimal `json:"award,omitzero"`
	Accept *money.Decimal `json:"accept,omitzero"`
	Unit   string         `json:"unit,omitzero"`
	Undo   string         `json:"undo,omitzero"`
	// Pays is what the partner pays ahead.
	Pays *money.Decimal `json:"pays,omitzero"`
}
