// Package books keeps what happened to members and what they have.
//
// It owns the tables accounts, facts, postings, lots, tallies, redemptions, receipts and idempotency, and the Sheet: all
// that one transaction knows of them. It does not own what a fact leads to (engine), in which order facts are taken and
// who may bring them (record), nor the members' profiles (member).
//
// What always holds: facts and postings are only ever added; the sequence of a member's facts has no gap; an
// account's state is that after its last fact; whoever writes for a member holds the lock on the member's account row.
package books

import (
	"encoding/json"
	"fmt"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/ledger"
)

// Ref names an account: a member of a program.
type Ref struct{ Program, Member string }

// Bucket is the bucket of everything the member has.
func (r Ref) Bucket() int32 { return ids.Bucket(r.Program, r.Member) }

// Entry is a fact with what was decided, as it stands in the books.
type Entry struct {
	// Seq counts the member's facts from 1.
	Seq      int64
	Fact     engine.Fact
	Decision engine.Decision
	// Seen is what the decision saw of counters of the whole program: name, then period. Zeros are left out.
	Seen map[string]map[string]int64
}

// body is the part of a fact that has no column.
type body struct {
	Enrolment   *engine.EnrolmentBody   `json:"enrolment,omitempty"`
	Purchase    *engine.Purchase        `json:"purchase,omitempty"`
	Return      *engine.Return          `json:"return,omitempty"`
	Activity    *engine.Activity        `json:"activity,omitempty"`
	Redemption  *engine.Redemption      `json:"redemption,omitempty"`
	Adjustment  *engine.Adjustment      `json:"adjustment,omitempty"`
	Transfer    *engine.Transfer        `json:"transfer,omitempty"`
	Release     *engine.ReleaseBody     `json:"release,omitempty"`
	Tier        *engine.TierBody        `json:"tier,omitempty"`
	Grant       *engine.GrantBody       `json:"grant,omitempty"`
	Plan        *engine.PlanBody        `json:"plan,omitempty"`
	Use         *engine.UseBody         `json:"use,omitempty"`
	Challenge   *engine.ChallengeBody   `json:"challenge,omitempty"`
	Status      *engine.StatusBody      `json:"status,omitempty"`
	Merge       *engine.Merge           `json:"merge,omitempty"`
	Card        *engine.Card            `json:"card,omitempty"`
	Voucher     *engine.VoucherStep     `json:"voucher,omitempty"`
	Drawn       *engine.Drawn           `json:"drawn,omitempty"`
	Invited     *engine.Invitation      `json:"invited,omitempty"`
	Thanks      *engine.Thanks          `json:"thanks,omitempty"`
	Partner     *engine.PartnerBody     `json:"partner,omitempty"`
	Recognition *engine.RecognitionBody `json:"recognition,omitempty"`
	Share       *engine.ShareBody       `json:"share,omitempty"`
	House       *engine.HouseBody       `json:"house,omitempty"`
	Fulfil      *engine.FulfilBody      `json:"fulfil,omitempty"`
	Coupon      *engine.CouponStep      `json:"coupon,omitempty"`
}

// Body gives the part of a fact that belongs to its kind, as compact JSON: what is stored, and what tells two facts
// under one natural key apart.
func Body(f engine.Fact) ([]byte, error) {
	if f.Kind == engine.PurchaseK && f.Purchase != nil && f.Drawn == nil {
		return encodePurchase(f.Purchase)
	}
	b, err := json.Marshal(body{f.Enrolment, f.Purchase, f.Return, f.Activity, f.Redemption, f.Adjustment, f.Transfer, f.Release,
		f.Tier, f.Grant, f.Plan, f.Use, f.Challenge, f.Status, f.Merge, f.Card, f.Voucher, f.Drawn, f.Invited, f.Thanks,
		f.Partner, f.Recognition, f.Share, f.House, f.Fulfil, f.Coupon})
	if err != nil {
		return nil, fmt.Errorf("write the body of fact %s: %w", f.ID, err)
	}
	return b, nil
}

func setBody(f *engine.Fact, text string) error {
	var b body
	if err := json.Unmarshal([]byte(text), &b); err != nil {
		return fmt.Errorf("read the body of fact %s: %w", f.ID, err)
	}
	f.Enrolment, f.Purchase, f.Return, f.Activity, f.Redemption = b.Enrolment, b.Purchase, b.Return, b.Activity, b.Redemption
	f.Adjustment, f.Transfer, f.Release, f.Tier, f.Status, f.Merge = b.Adjustment, b.Transfer, b.Release, b.Tier, b.Status, b.Merge
	f.Invited, f.Thanks, f.Partner, f.Recognition, f.Share, f.Fulfil = b.Invited, b.Thanks, b.Partner, b.Recognition, b.Share, b.Fulfil
	f.Grant, f.Challenge, f.Card, f.Drawn, f.Plan, f.Use = b.Grant, b.Challenge, b.Card, b.Drawn, b.Plan, b.Use
	f.Voucher, f.House, f.Coupon = b.Voucher, b.House, b.Coupon
	return nil
}

// instant and moment are how times are stored: microseconds since 1970 UTC, nil for none.
func instant(t time.Time) int64 { return t.UnixMicro() }

func moment(t *time.Time) any {
	if t == nil {
		return nil
	}
	return t.UnixMicro()
}

func toTime(micro int64) time.Time { return time.UnixMicro(micro).UTC() }

func toMoment(micro *int64) *time.Time {
	if micro == nil {
		return nil
	}
	t := toTime(*micro)
	return &t
}

// lotReader reads rows of lotColumns one after another. An account may have dozens of lots, so where the columns go is made once.
type lotReader struct {
	lot                    ledger.Lot
	earned                 int64
	expires, release, warn *int64
	dest                   []any
}

// newLotReader makes a reader of rows with these places for columns that stand before those of the lot.
func newLotReader(before ...any) *lotReader {
	r := &lotReader{}
	l := &r.lot
	before = append(before, &l.ID, &l.Unit, &l.Fact, &r.earned, &r.expires, &r.release, &l.Confirm, &r.warn, &l.Amount, &l.Spendable, &l.Pending,
		&l.Reserved, &l.Gone)
	r.dest = before
	return r
}

func (r *lotReader) read(row db.Scanner) (ledger.Lot, error) {
	if err := row.Scan(r.dest...); err != nil {
		return ledger.Lot{}, err
	}
	l := r.lot
	l.EarnedAt = toTime(r.earned)
	l.ExpiresAt, l.ReleaseAt, l.WarnAt = toMoment(r.expires), toMoment(r.release), toMoment(r.warn)
	return l, nil
}
