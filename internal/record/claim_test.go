package record_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/record"
)

// spread opens the shop on a distributed database, with two members.
func spread(t *testing.T) (k *desk, a, b string) {
	t.Helper()
	k = open(t, dbtest.Distributed(t))
	a, b = k.enrol("a"), k.enrol("b")
	return k, a, b
}

// halfway claims the keys of a request, and stops.
func (k *desk) halfway(req record.Request) *record.Halfway {
	k.t.Helper()
	req.Program, req.Now = "shop", noon
	h, over, err := k.r.Claim(k.t.Context(), req)
	if err != nil || over {
		k.t.Fatalf("over %v: %v", over, err)
	}
	return h
}

// rows counts the rows of a table.
func (k *desk) rows(table string) (n int64) {
	k.t.Helper()
	err := k.d.Read(k.t.Context(), func(tx *db.Tx) error {
		return tx.QueryRow(k.t.Context(), `SELECT COUNT(*) FROM `+table).Scan(&n)
	})
	if err != nil {
		k.t.Fatal(err)
	}
	return n
}

func receipt(req record.Request, number string) record.Request {
	req.Fact.Source, req.Fact.ExternalID = "till", number
	return req
}

func mergeOf(from, into string) record.Request {
	return record.Request{Member: from, Fact: engine.Fact{Kind: engine.MergeOut, Merge: &engine.Merge{Other: into}}}
}

// refusedAs fails the test unless err has the reason.
func refusedAs(t *testing.T, err error, reason string) {
	t.Helper()
	if err == nil || errs.As(err).Reason != reason {
		t.Errorf("got %v, want %s", err, reason)
	}
}

func TestAClaimWithoutAFactIsTakenUpByTheRetry(t *testing.T) {
	t.Parallel()
	k, a, _ := spread(t)
	req := keyed(receipt(purchase(a, "100", noon), "1"), "k", 1)
	claimed := k.halfway(req).FactID()
	r := k.must(req)
	if r.Fact.ID != claimed || !r.Recorded {
		t.Errorf("recorded %v as %s, and %s was claimed", r.Recorded, r.Fact.ID, claimed)
	}
	if again := k.must(req); !again.Replayed || !bytes.Equal(again.Answer, r.Answer) {
		t.Errorf("got %+v", again)
	}
	if again := k.must(receipt(purchase(a, "100", noon), "1")); !again.Duplicate || again.Fact.ID != claimed {
		t.Errorf("got %+v", again)
	}
	if got := k.balance(a, noon); got != 100 {
		t.Errorf("balance %d", got)
	}
}

// A node claimed and is slow, or stopped; meanwhile another request comes under one of its keys.
func TestAClaimGivesWayToAnotherRequestUnderItsKeys(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, refused string
		next          func(a, b string) record.Request
	}{
		{"other content", "duplicate_external_id", func(a, _ string) record.Request { return keyed(receipt(purchase(a, "200", noon), "1"), "k2", 2) }},
		{"another member", "duplicate_external_id", func(_, b string) record.Request { return keyed(receipt(purchase(b, "100", noon), "1"), "k2", 2) }},
		{"another receipt under the key", "idempotency_key_reused", func(_, b string) record.Request { return keyed(receipt(purchase(b, "100", noon), "2"), "k", 2) }},
		{"another request under the key", "idempotency_key_reused", func(a, _ string) record.Request { return keyed(purchase(a, "200", noon), "k", 2) }},
		{"a gift under the number", "duplicate_external_id", func(a, b string) record.Request { return receipt(transfer(a, b, "5", noon), "1") }},
		{"a gift under the key", "idempotency_key_reused", func(a, b string) record.Request { return keyed(transfer(a, b, "5", noon), "k", 2) }},
		{"an enrolment under both", "idempotency_key_reused", func(string, string) record.Request { return keyed(receipt(enrolment("c", noon), "1"), "k", 2) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			k, a, b := spread(t)
			k.must(purchase(a, "10", noon))
			slow := k.halfway(keyed(receipt(purchase(a, "100", noon), "1"), "k", 1))
			if r := k.must(c.next(a, b)); !r.Recorded {
				t.Errorf("got %+v", r)
			}
			before := k.totals()
			_, err := slow.Go(t.Context())
			refusedAs(t, err, c.refused)
			if after := k.totals(); after != before {
				t.Errorf("the slow one left %+v after %+v", after, before)
			}
			if _, err := k.take(keyed(receipt(purchase(a, "100", noon), "1"), "k3", 3)); (err == nil) != (c.name == "another request under the key" || c.name == "a gift under the key" || c.name == "another receipt under the key") {
				t.Errorf("then: %v", err)
			}
		})
	}
}

// What is there is not taken over, whoever asks.
func TestAFulfilledClaimStays(t *testing.T) {
	t.Parallel()
	k, a, b := spread(t)
	req := keyed(receipt(purchase(a, "100", noon), "1"), "k", 1)
	slow := k.halfway(req)
	first := k.must(req)
	for reason, next := range map[string]record.Request{
		"duplicate_external_id":  keyed(receipt(purchase(b, "100", noon), "1"), "k2", 2),
		"idempotency_key_reused": keyed(purchase(a, "200", noon), "k", 2),
	} {
		_, err := k.take(next)
		refusedAs(t, err, reason)
	}
	for _, next := range []record.Request{receipt(transfer(a, b, "5", noon), "1"), keyed(transfer(a, b, "5", noon), "k", 2)} {
		if _, err := k.take(next); err == nil {
			t.Errorf("%+v was taken", next)
		}
	}
	r, err := slow.Go(t.Context())
	if err != nil || !r.Replayed || !bytes.Equal(r.Answer, first.Answer) {
		t.Errorf("%+v, %v", r, err)
	}
	if n := k.rows("idempotency"); n != 2 { // the claim, and the answer beside the fact
		t.Errorf("%d rows of answers", n)
	}
}

func TestAClaimFollowsAMerge(t *testing.T) {
	t.Parallel()
	k, a, b := spread(t)
	slow := k.halfway(keyed(receipt(purchase(a, "100", noon), "1"), "k", 1))
	done := keyed(receipt(purchase(a, "10", noon), "2"), "k2", 2)
	first := k.must(done)
	k.must(mergeOf(a, b))
	r, err := slow.Go(t.Context())
	if err != nil || !r.Recorded || r.Fact.Member != b {
		t.Errorf("%+v, %v", r, err)
	}
	for _, key := range []string{"k", "k3"} {
		again := k.must(keyed(receipt(purchase(a, "100", noon), "1"), key, 1))
		if key == "k" != again.Replayed || key == "k3" != again.Duplicate {
			t.Errorf("%s: %+v", key, again)
		}
	}
	if again := k.must(done); !again.Replayed || !bytes.Equal(again.Answer, first.Answer) {
		t.Errorf("%+v", again)
	}
	if again := k.must(keyed(receipt(purchase(b, "10", noon), "2"), "k4", 4)); !again.Duplicate || again.Fact.ID != first.Fact.ID {
		t.Errorf("%+v", again)
	}
	if got := k.balance(b, noon); got != 110 {
		t.Errorf("balance %d", got)
	}
}

func TestARefusedRequestLeavesNoClaim(t *testing.T) {
	t.Parallel()
	k, a, _ := spread(t)
	poor := keyed(receipt(redeem(a, "hundred", noon), "1"), "k", 1)
	_, err := k.take(poor)
	refusedAs(t, err, "balance_too_low")
	if n, m := k.rows("receipts"), k.rows("idempotency"); n+m != 0 {
		t.Errorf("%d receipts and %d answers", n, m)
	}
	// A node that stops before it takes its claims away leaves void ones.
	_, _, err = k.halfway(poor).Write(t.Context())
	refusedAs(t, err, "balance_too_low")
	if n, m := k.rows("receipts"), k.rows("idempotency"); n != 1 || m != 1 {
		t.Errorf("%d receipts and %d answers", n, m)
	}
	// A known receipt under a new key is refused before its transaction.
	k.must(receipt(purchase(a, "500", noon), "2"))
	_, err = k.take(keyed(receipt(purchase(a, "501", noon), "2"), "k2", 1))
	refusedAs(t, err, "duplicate_external_id")
	if r := k.must(keyed(poor, "k", 1)); !r.Recorded {
		t.Errorf("%+v", r)
	}
	if r := k.must(keyed(purchase(a, "1", noon), "k2", 2)); !r.Recorded {
		t.Errorf("%+v", r)
	}
	if n := k.rows("idempotency"); n != 4 {
		t.Errorf("%d rows of answers", n)
	}
}

// Two in one transaction rely on the same claim: the first is refused, the second is not, since something came between.
func TestATwinInTheSameTransactionKeepsTheClaim(t *testing.T) {
	t.Parallel()
	k, a, _ := spread(t)
	req := keyed(receipt(redeem(a, "hundred", noon), "1"), "k", 1)
	one, between, two := k.halfway(req), k.halfway(purchase(a, "100", noon)), k.halfway(req)
	record.Together(t.Context(), one, between, two)
	_, err := one.Outcome(t.Context())
	refusedAs(t, err, "balance_too_low")
	r, err := two.Outcome(t.Context())
	if err != nil || !r.Recorded {
		t.Fatalf("%+v, %v", r, err)
	}
	if again := k.must(req); !again.Replayed {
		t.Errorf("%+v", again)
	}
	if again := k.must(receipt(redeem(a, "hundred", noon), "1")); !again.Duplicate || again.Fact.ID != r.Fact.ID {
		t.Errorf("%+v", again)
	}
}

// Nodes that stop anywhere, retries, corrections and a merge, all at once: each receipt counts once, and who was told that it counted
// was told the truth.
func TestAStormOfClaims(t *testing.T) {
	t.Parallel()
	const workers, each, numbers = 6, 60, 5
	k, a, b := spread(t)
	c := k.enrol("c")
	var (
		mu   sync.Mutex
		held []*record.Halfway
		fact = map[string]string{} // by receipt number, as the callers were told
	)
	told := func(number string, r *record.Result, err error) {
		if err != nil {
			switch errs.As(err).Reason {
			case "duplicate_external_id", "idempotency_key_reused", "contended":
			default:
				t.Errorf("%s: %v", number, err)
			}
			return
		}
		id := r.Fact.ID
		if r.Replayed {
			id = string(r.Answer)
		}
		mu.Lock()
		defer mu.Unlock()
		if known, ok := fact[number]; ok && known != id {
			t.Errorf("receipt %s stands for %s and for %s", number, known, id)
		}
		fact[number] = id
	}
	request := func(rnd *rand.Rand) record.Request {
		n := rnd.IntN(numbers)
		req := receipt(purchase([]string{a, b, c}[rnd.IntN(3)], []string{"10", "20"}[rnd.IntN(2)], noon), fmt.Sprint(n))
		if rnd.IntN(4) > 0 {
			variant := rnd.IntN(3)
			req = keyed(req, fmt.Sprintf("%d-%d", n, variant), byte(variant))
			req.Key.Hash[1] = req.Member[len(req.Member)-1]
			req.Key.Hash[2] = req.Fact.Purchase.Amount.String()[0]
			req.Render = func(r *record.Result) (int, []byte) { return 201, []byte(r.Fact.ID) }
		}
		req.Program, req.Now = "shop", noon
		return req
	}
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(w), 7))
			for i := range each {
				req := request(rnd)
				number := req.Fact.ExternalID
				switch rnd.IntN(5) {
				case 0, 1: // a node that works
					r, err := k.r.Record(context.Background(), req)
					told(number, r, err)
				case 2: // one that claims and stops, or goes on much later
					h, over, err := k.r.Claim(context.Background(), req)
					if err != nil || over {
						break
					}
					mu.Lock()
					held = append(held, h)
					mu.Unlock()
				case 3: // one that writes and stops
					h, over, err := k.r.Claim(context.Background(), req)
					if err != nil || over {
						break
					}
					if r, lost, err := h.Write(context.Background()); !lost {
						told(number, r, err)
					}
				case 4: // one that comes back
					mu.Lock()
					var h *record.Halfway
					if len(held) > 0 {
						at := rnd.IntN(len(held))
						h = held[at]
						held = append(held[:at], held[at+1:]...)
					}
					mu.Unlock()
					if h != nil {
						r, err := h.Go(context.Background())
						told(h.Number(), r, err)
					}
				}
				if w == 0 && i == each/2 {
					if _, err := k.take(mergeOf(c, b)); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	all.Wait()
	for _, h := range held {
		r, err := h.Go(t.Context())
		told(h.Number(), r, err)
	}
	var sum int64
	for n := range numbers {
		var stands []string
		for _, m := range []string{a, b} {
			for amount, points := range map[string]int64{"10": 10, "20": 20} {
				r, err := k.take(receipt(purchase(m, amount, noon), fmt.Sprint(n)))
				told(fmt.Sprint(n), r, err)
				if err == nil {
					stands = append(stands, r.Fact.ID)
					sum += points
				}
			}
		}
		if len(stands) != 1 {
			t.Errorf("receipt %d stands for %q", n, stands)
		}
	}
	if got := k.balance(a, noon) + k.balance(b, noon); got != sum {
		t.Errorf("%d points for receipts of %d", got, sum)
	}
	if got := k.totals().Facts; got != 3+2+numbers {
		t.Errorf("%d facts", got)
	}
}
