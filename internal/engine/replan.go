package engine

import (
	"bytes"
	"encoding/json"
	"time"
)

// A version that changes tiers or expiry by inactivity plans another next moment for an account than the one before it did.
// So its beginning is a moment of every account, too: a due fact then makes the new version plan. Where nothing follows from
// it, no fact is kept.

// Replans says whether the beginning of a version is a moment of this account.
func Replans(st *State) bool {
	return st.Seq > 0 && st.earns() && st.Status != Closed && st.Status != Merged
}

// Idle says whether a due fact at the beginning of a version changed nothing that matters, so that it need not be kept: it did
// nothing, and the account, left as it was, is looked at again no later than it would be.
func Idle(before *State, d *Decision, after *State) bool {
	if len(d.Postings)+len(d.Awards)+len(d.Reversals)+len(d.Redemptions)+len(d.Counters)+len(d.Moved)+len(d.Events) > 0 ||
		len(d.Explanation.Notes)+len(d.Explanation.Rules) > 0 || d.Carried != nil {
		return false
	}
	if after.DueAt != nil && (before.DueAt == nil || after.DueAt.Before(*before.DueAt)) {
		return false
	}
	a, errA := json.Marshal(lasting(before))
	b, errB := json.Marshal(lasting(after))
	return errA == nil && errB == nil && bytes.Equal(a, b)
}

// lasting is a state without what every look at it counts anew.
func lasting(st *State) *State {
	c := st.clone()
	c.Seq, c.At, c.LotDue, c.DueAt, c.Tallied = 0, time.Time{}, nil, nil, nil
	for id, t := range c.Tiers {
		t.NextAt, t.Value = nil, 0
		if t.Tier == "" && t.Floor == "" && len(t.History) == 0 && t.FallsAt == nil && t.HoldUntil == nil {
			delete(c.Tiers, id) // a set that the member is not in yet
		}
	}
	return &c
}
