package record_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errand"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/version"
)

var thankful = strings.NewReplacer("units:\n", `units:
  kudo: {name: kudo, expires: {end_of: month}}
  thank: {name: thank}
`, "earn:\n", `earn:
  - {id: welcome, on: enrolment, give: {unit: kudo, amount: 100}}
`).Replace(shop) + `
recognition:
  gives: kudo
  becomes: thank
  values: [{id: helped, name: {en: Helped}}]
  max: 50
  undo: 20 days
  approval: {from: 30, within: 20 days}
`

// merge merges members, each into the next.
func (k *desk) merge(at time.Time, line ...string) {
	k.t.Helper()
	for i := range len(line) - 1 {
		k.must(record.Request{Member: line[i], Fact: engine.Fact{Kind: engine.MergeOut, OccurredAt: at, Merge: &engine.Merge{Other: line[i+1]}}})
	}
}

// What was done about thanks stands where their giver's books are by then, however often they were merged; and a page of them costs as many reads as one.
func TestThanksAreFollowedThroughEveryMerge(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		k := openWith(t, d, record.Options{}, thankful)
		a, b, c, to := k.enrol("a"), k.enrol("b"), k.enrol("c"), k.enrol("to")
		thank := func(amount int64) string {
			n := money.New(amount, 0)
			return k.must(record.Request{Member: a, Fact: engine.Fact{Kind: engine.RecognitionK, OccurredAt: day(1),
				Recognition: &engine.RecognitionBody{Do: engine.RecognitionGive, To: to, Amount: &n, Value: "helped"}}}).Fact.ID
		}
		does := func(do, id string, at time.Time) {
			k.must(record.Request{Fact: engine.Fact{Kind: engine.RecognitionK, Parent: id, OccurredAt: at, Recognition: &engine.RecognitionBody{Do: do}}})
		}
		want := map[string]string{thank(5): engine.ThanksStandGiven}
		first, second, third := thank(6), thank(7), thank(31)
		want[first], want[second], want[third] = engine.ThanksStandUndone, engine.ThanksStandUndone, engine.ThanksStandUndone
		does(engine.RecognitionApprove, third, day(2))
		k.merge(day(3), a, b)
		does(engine.RecognitionUndo, first, day(4))
		k.merge(day(5), b, c)
		does(engine.RecognitionUndo, second, day(6))
		does(engine.RecognitionUndo, third, day(6))
		var wanted []books.FactOf
		for id := range want {
			wanted = append(wanted, books.FactOf{Program: "shop", ID: id})
		}
		reads := 0
		var got []record.Recognized
		err := d.Read(t.Context(), func(tx *db.Tx) error {
			found, err := books.Entries(t.Context(), tx, wanted)
			if err != nil {
				return err
			}
			counts := tx.Aside(func(ctx context.Context, asks []db.Ask) error {
				reads++
				return tx.Find(ctx, asks...)
			})
			got, err = record.RecognitionsOf(t.Context(), counts, "shop", slices.Collect(maps.Values(found)))
			return err
		})
		if err != nil || len(got) != len(want) {
			t.Fatal(got, err)
		}
		for _, r := range got {
			if r.Status != want[r.Fact.ID] {
				t.Errorf("%s stand as %s, want %s", r.Fact.ID, r.Status, want[r.Fact.ID])
			}
		}
		if reads != 4 { // the accounts, those they were merged into, twice, and what was done
			t.Errorf("%d reads", reads)
		}
	})
}

// A transfer is given back once, however often who gives back was merged since.
func TestATransferIsReversedOnceThroughEveryMerge(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := open(t, d)
		giver, a, b, c := k.enrol("giver"), k.enrol("a"), k.enrol("b"), k.enrol("c")
		k.must(purchase(giver, "100", day(1)))
		k.must(purchase(c, "100", day(1)))
		sent := k.must(record.Request{Member: giver, Fact: engine.Fact{Kind: engine.TransferOut, OccurredAt: day(2), Transfer: &engine.Transfer{Unit: "point", Amount: money.MustParse("10"), Other: a}}})
		back := record.Request{Fact: engine.Fact{Kind: engine.TransferOut, OccurredAt: day(3), Transfer: &engine.Transfer{Reverses: sent.Fact.ID}}}
		k.merge(day(2), a, b)
		k.must(back)
		k.merge(day(3), b, c)
		if _, err := k.take(back); reason(err) != "transfer_reversed" {
			t.Errorf("it was given back again: %v", err)
		}
		if k.balance(giver, day(4)) != 100 || k.balance(c, day(4)) != 100 {
			t.Errorf("%d and %d", k.balance(giver, day(4)), k.balance(c, day(4)))
		}
	})
}

// Thanks are taken back once, also by one who was merged into somebody who is older.
func TestThanksAreUndoneOnceAfterAMerge(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := openWith(t, d, record.Options{}, thankful)
		older, a, to := k.must(enrolment("older", day(-9))).Fact.Member, k.enrol("a"), k.enrol("to")
		n := money.MustParse("40")
		id := k.must(record.Request{Member: a, Fact: engine.Fact{Kind: engine.RecognitionK, OccurredAt: day(1),
			Recognition: &engine.RecognitionBody{Do: engine.RecognitionGive, To: to, Amount: &n, Value: "helped"}}}).Fact.ID
		step := func(do string) record.Request {
			return record.Request{Fact: engine.Fact{Kind: engine.RecognitionK, Parent: id, OccurredAt: day(2), Recognition: &engine.RecognitionBody{Do: do}}}
		}
		k.must(step(engine.RecognitionApprove))
		k.merge(day(2), a, older)
		k.must(step(engine.RecognitionUndo))
		if _, err := k.take(step(engine.RecognitionUndo)); reason(err) != "recognition_settled" {
			t.Errorf("they were taken back again: %v", err)
		}
	})
}

// Two who thank each other in the same moment, on two nodes, keep to the limit between the two: whoever comes second waits for the first, and is told.
func TestTwoWhoThankEachOtherAtOnceKeepToTheirLimit(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := openWith(t, d, record.Options{}, strings.Replace(thankful, "  max: 50\n", "  max: 50\n  between: {per: month, times: 3}\n", 1))
		other := record.NewWith(d, &version.Cache{}, record.Options{})
		t.Cleanup(other.Close)
		for round := range 4 {
			a, b := k.enrol(fmt.Sprint("a", round)), k.enrol(fmt.Sprint("b", round))
			amounts := []int64{5, 31} // those of 31 wait for approval, and count as well
			got := make(chan error, 8)
			begin := make(chan struct{})
			for i := range cap(got) {
				n := money.New(amounts[i/2%2], 0)
				from, to, node := a, b, k.r
				if i%2 == 1 {
					from, to, node = b, "ext:a"+fmt.Sprint(round), other
				}
				go func() {
					<-begin
					_, err := node.Record(context.Background(), record.Request{Program: "shop", Member: from, Now: day(2), Fact: engine.Fact{Kind: engine.RecognitionK, OccurredAt: day(2),
						Recognition: &engine.RecognitionBody{Do: engine.RecognitionGive, To: to, Amount: &n, Value: "helped"}}})
					got <- err
				}()
			}
			close(begin)
			given := 0
			for range cap(got) {
				switch err := <-got; {
				case err == nil:
					given++
				case reason(err) != "between_limit_reached":
					t.Error(err)
				}
			}
			if given != 3 {
				t.Errorf("they thanked each other %d times", given)
			}
			if err := errand.CatchUp(t.Context(), d, k.r, "shop", day(3)); err != nil {
				t.Fatal(err)
			}
			n := money.New(1, 0)
			last := record.Request{Program: "shop", Member: b, Now: day(3), Fact: engine.Fact{Kind: engine.RecognitionK, OccurredAt: day(3),
				Recognition: &engine.RecognitionBody{Do: engine.RecognitionGive, To: a, Amount: &n, Value: "helped"}}}
			if _, err := k.take(last); reason(err) != "between_limit_reached" {
				t.Error(err)
			}
		}
	})
}
