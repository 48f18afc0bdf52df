// Package ledger holds the arithmetic of the books: lots, postings and what a member holds.
//
// It owns what may be moved from where to where. It knows no rule, no clock and no storage.
// What always holds: a posting moves a positive amount; a lot's parts never go below zero and never add up to more than
// was put in; a holding is the sum of its lots less its debt.
package ledger

import (
	"strings"
	"time"
)

// Accounts between which postings move. Those of the member come first; every other one belongs to the program.
const (
	Spendable = "member"   // what the member can spend now
	Pending   = "pending"  // earned, not yet spendable
	Reserved  = "reserved" // held for a redemption
	Debt      = "debt"     // owed after a return of spent points: goes below zero

	Issued      = "program:issued"      // earned by rules
	Reversed    = "program:reversed"    // taken back by returns
	Redeemed    = "program:redeemed"    // spent on rewards
	Expired     = "program:expired"     // lost by time
	Adjusted    = "program:adjusted"    // by hand
	Transferred = "program:transferred" // on the way between members; sums to zero over all
	Closed      = "program:closed"      // held when the member left
)

// partnerPrefix begins the accounts of partners.
const partnerPrefix = "partner:"

// Partner is the account of a partner: what it gives comes from there, and what members pay with at it goes there.
func Partner(id string) string { return partnerPrefix + id }

// PartnerOf gives the partner of an account, and false for one that is no partner's.
func PartnerOf(account string) (id string, ok bool) { return strings.CutPrefix(account, partnerPrefix) }

// MemberAccount says whether the account is one of the member's own.
func MemberAccount(a string) bool {
	return a == Spendable || a == Pending || a == Reserved || a == Debt
}

// Posting moves Amount (> 0, minor units) of Unit in Lot from one account to another.
// Lot 0 is no lot: only debt has none.
type Posting struct {
	Unit   string `json:"unit"`
	Lot    int64  `json:"lot"`
	From   string `json:"from"`
	To     string `json:"to"`
	Amount int64  `json:"amount"`
	// Rule is the earning rule or reward it comes of, if any.
	Rule string `json:"rule,omitempty"`
	// Of is the fact whose posting this one reverses, if any.
	Of string `json:"of,omitempty"`
}

// Lot is an amount that was put in together and ends together. Lots are numbered 1, 2, 3… within a member.
type Lot struct {
	ID   int64
	Unit string
	// Fact is the id of the fact it came of, Source the purchase or activity it can be traced to (for confirming).
	Fact string
	// EarnedAt is business time. ExpiresAt nil is never; at ExpiresAt itself it can no longer be spent.
	EarnedAt  time.Time
	ExpiresAt *time.Time
	// Pending lots become spendable at ReleaseAt, or when the activity Confirm comes.
	ReleaseAt *time.Time
	Confirm   string
	// WarnAt is when the member is warned; nil when there is nothing to warn of or it is done.
	WarnAt *time.Time
	// Amount is what was put in; the rest is what is left in each place.
	Amount    int64
	Spendable int64
	Pending   int64
	Reserved  int64
	// Gone is what expired and no return has yet asked for: what nobody spent is not owed.
	Gone int64
	// Dirty marks a lot that must be written; New one that was not there before.
	Dirty, New bool
}

// Left is what is left of the lot in all places.
func (l *Lot) Left() int64 { return l.Spendable + l.Pending + l.Reserved }

// Open says whether anything is left.
func (l *Lot) Open() bool { return l.Left() > 0 }

// Holding is what a member has of a unit, in minor units, with the sums over all time.
type Holding struct {
	Spendable int64 `json:"spendable,omitempty"`
	Pending   int64 `json:"pending,omitempty"`
	Reserved  int64 `json:"reserved,omitempty"`
	// Debt is what is owed, as a positive number. The balance is Spendable - Debt.
	Debt int64 `json:"debt,omitempty"`
	// Sums over all time: earned by rules, taken back, spent (less what was given back), expired, adjusted in less out,
	// received less given away.
	Earned      int64 `json:"earned,omitempty"`
	Reversed    int64 `json:"reversed,omitempty"`
	Spent       int64 `json:"spent,omitempty"`
	Expired     int64 `json:"expired,omitempty"`
	Adjusted    int64 `json:"adjusted,omitempty"`
	Transferred int64 `json:"transferred,omitempty"`
	Closed      int64 `json:"closed,omitempty"`
	// Partners is what came from partners less what went to them.
	Partners int64 `json:"partners,omitempty"`
	// ActiveAt is the last earning or spending, for expiry by inactivity.
	ActiveAt *time.Time `json:"active_at,omitempty"`
	// InactiveWarned says that the warning for this spell was given.
	InactiveWarned bool `json:"inactive_warned,omitempty"`
	// InactiveEnds is the end that a late warning named: the policy came into force when the spell was over already.
	InactiveEnds *time.Time `json:"inactive_ends,omitempty"`
}

// Balance is what the member can spend, less what is owed. Negative only by debt.
func (h Holding) Balance() int64 { return h.Spendable - h.Debt }
