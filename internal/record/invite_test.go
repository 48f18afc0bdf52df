package record_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/record"
)

const friends = shop + `
referral: {qualifies: {when: {total: {from: 10.00}}}, friend: {unit: point, amount: 5}, late: 14 days}
`

func invited(who, by string) record.Request {
	return record.Request{Program: "shop", Now: noon, Member: who, Fact: engine.Fact{Kind: engine.InvitedK, Invited: &engine.Invitation{By: by}}}
}

// brought counts those of the members who get something for their first purchase as friends.
func (k *desk) brought(members []string) (n int) {
	k.t.Helper()
	for _, m := range members {
		r := k.must(purchase(m, "10", day(1)))
		if slices.ContainsFunc(r.Decision.Events, func(e engine.Event) bool { return e.Type == engine.EvReferralQualified }) {
			n++
		}
	}
	return n
}

// Two who name each other in one transaction did not see each other, and both kept the friend's part.
func TestTwoWhoNameEachOtherAtOnceAreNoFriends(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := openWith(t, d, record.Options{}, friends)
		a, b := k.enrol("a"), k.enrol("b")
		out := k.r.Batch(t.Context(), []record.Request{invited(a, b), invited(b, a)})
		if out[0].Err != nil || !errs.Is(out[1].Err, errs.CodeConflict, "referral_refused") {
			t.Errorf("they are told %v and %v", out[0].Err, out[1].Err)
		}
		if n := k.brought([]string{a, b}); n != 1 {
			t.Errorf("%d were brought by the other", n)
		}
		// One who is there already, and names somebody who enrols with them in the same transaction.
		c := k.enrol("c")
		enrol := enrolment("d", noon)
		enrol.Program, enrol.Now = "shop", noon
		enrol.Fact.Enrolment = &engine.EnrolmentBody{Invited: &engine.Invitation{By: c}}
		out = k.r.Batch(t.Context(), []record.Request{enrol, invited(c, "ext:d")})
		if out[0].Err != nil || !errs.Is(out[1].Err, errs.CodeConflict, "referral_refused") {
			t.Fatalf("they are told %v and %v", out[0].Err, out[1].Err)
		}
		if n := k.brought([]string{c, out[0].Result.Fact.Member}); n != 1 {
			t.Errorf("%d were brought by the other", n)
		}
	})
}

// Nor on two nodes, nor in a ring of any length.
func TestARingOfFriendsIsOpenSomewhere(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		k := openWith(t, d, record.Options{}, friends)
		nodes := []*record.Recorder{k.r, record.New(d, k.v)}
		t.Cleanup(nodes[1].Close)
		var rings [][]string
		for i := range 12 {
			var ring []string
			for n := range 2 + i%3 {
				ring = append(ring, k.enrol(fmt.Sprintf("r%d-%d", i, n)))
			}
			rings = append(rings, ring)
		}
		begin := make(chan struct{})
		var all sync.WaitGroup
		for _, ring := range rings {
			for n, who := range ring {
				all.Go(func() {
					<-begin
					_, err := nodes[n%2].Record(t.Context(), invited(who, ring[(n+1)%len(ring)]))
					if err != nil && !errs.Is(err, errs.CodeConflict, "referral_refused") {
						t.Error(err)
					}
				})
			}
		}
		close(begin)
		all.Wait()
		for _, ring := range rings {
			if n := k.brought(ring); n != len(ring)-1 {
				t.Errorf("in a ring of %d, %d were brought by another", len(ring), n)
			}
		}
	})
}
