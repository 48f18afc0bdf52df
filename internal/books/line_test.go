package books

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
)

var noonOf2026 = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// told adds a fact that tells two events, as Write does. In a distributed database its bucket counts it.
func told(ctx context.Context, tx *db.Tx, bucket int32, id string, seq int64) error {
	row := []any{bucket, "shop", fmt.Sprint("mem_", bucket), seq, id, "purchase", "", "", "", instant(noonOf2026), instant(noonOf2026), 1, "", "{}", "{}", "",
		1, `[["one",{"id":"` + id + `"}],["two",{"id":"` + id + `"}]]`}
	if !tx.Distributed() {
		tx.InsertLater(insertFacts, row)
		return nil
	}
	stamps, err := stampsOf(ctx, tx, []*Folio{{Ref: Ref{Program: "shop"}, bucket: bucket, entries: make([]Entry, 1)}})
	if err != nil {
		return err
	}
	tx.InsertLater(insertFactsAt, append(row, stamps[shelf{bucket, "shop"}]))
	return nil
}

// feed reads the next page of the feed, after it was put in line.
func feed(t *testing.T, d *db.DB, after Cursor, limit int) (list []Event) {
	t.Helper()
	err := d.Write(t.Context(), func(tx *db.Tx) error {
		_, err := LineUp(t.Context(), tx, "shop")
		return err
	})
	if err == nil {
		err = d.Read(t.Context(), func(tx *db.Tx) (err error) {
			list, err = Events(t.Context(), tx, "shop", after, limit)
			return err
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func names(list []Event) (out []string) {
	for _, e := range list {
		out = append(out, e.Fact+" "+e.Type)
	}
	return out
}

func TestWhatCommitsLateStandsFurtherOn(t *testing.T) {
	t.Parallel()
	d := dbtest.Distributed(t)
	add := func(bucket int32, id string, seq int64) {
		t.Helper()
		if err := d.Write(t.Context(), func(tx *db.Tx) error { return told(t.Context(), tx, bucket, id, seq) }); err != nil {
			t.Fatal(err)
		}
	}
	add(1, "pur_a", 1)
	var before, late, after []Event
	err := d.Write(t.Context(), func(tx *db.Tx) error {
		if err := told(t.Context(), tx, 1, "pur_late", 2); err != nil {
			return err
		}
		if _, err := tx.Exec(t.Context(), `SELECT 1`); err != nil { // so that it is written, and not only put off
			return err
		}
		add(2, "pur_b", 1)
		before = feed(t, d, Cursor{}, 100)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	add(2, "pur_c", 2)
	last := before[len(before)-1].Cursor
	late = feed(t, d, last, 100)
	after = feed(t, d, Cursor{}, 100)
	if diff := cmp.Diff([]string{"pur_a one", "pur_a two", "pur_b one", "pur_b two"}, names(before)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"pur_late one", "pur_late two", "pur_c one", "pur_c two"}, names(late)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(append(before, late...), after); diff != "" {
		t.Errorf("the order changed: %s", diff)
	}
	for at := range after { // a reader may stop anywhere
		if diff := cmp.Diff(names(after[at+1:]), names(feed(t, d, after[at].Cursor, 100))); diff != "" {
			t.Errorf("after %d: %s", at, diff)
		}
	}
}

// A database that becomes a distributed one keeps its feed: cursors go on where they were.
func TestTheFeedGoesOnAsADatabaseIsDistributed(t *testing.T) {
	t.Parallel()
	d := dbtest.Mirror(t)
	for i := range 5 {
		if err := d.Write(t.Context(), func(tx *db.Tx) error { return told(t.Context(), tx, int32(i), fmt.Sprint("pur_", i), 1) }); err != nil {
			t.Fatal(err)
		}
	}
	dbtest.Settle(t, d)
	old := feed(t, d, Cursor{}, 100)
	if err := d.NoteDistributed(t.Context(), noonOf2026); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		if err := d.Write(t.Context(), func(tx *db.Tx) error { return told(t.Context(), tx, int32(i), fmt.Sprint("pur_", i, "b"), 2) }); err != nil {
			t.Fatal(err)
		}
	}
	whole := feed(t, d, Cursor{}, 100)
	if len(old) != 10 || len(whole) != 20 {
		t.Fatalf("%d events before and %d in all", len(old), len(whole))
	}
	if diff := cmp.Diff(old, whole[:10]); diff != "" {
		t.Error(diff)
	}
	var walked []Event
	for at := (Cursor{}); ; {
		page := feed(t, d, at, 3)
		if len(page) == 0 {
			break
		}
		walked, at = append(walked, page...), page[len(page)-1].Cursor
	}
	if diff := cmp.Diff(whole, walked); diff != "" {
		t.Error(diff)
	}
	var here Cursor
	err := d.Write(t.Context(), func(tx *db.Tx) (err error) {
		here, err = Here(t.Context(), tx, "shop")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if list := feed(t, d, here, 10); len(list) > 0 {
		t.Errorf("%q stand after the end", names(list))
	}
	if err := d.Write(t.Context(), func(tx *db.Tx) error { return told(t.Context(), tx, 3, "pur_new", 3) }); err != nil {
		t.Fatal(err)
	}
	waiting := func() (out Backlog) {
		err := d.Read(t.Context(), func(tx *db.Tx) (err error) {
			out, err = Waiting(t.Context(), tx, noonOf2026.Add(time.Hour))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if got := waiting(); got.Feed != time.Hour {
		t.Errorf("the oldest fact without a place is %s old", got.Feed)
	}
	if list := feed(t, d, here, 10); len(list) != 2 {
		t.Errorf("%q", names(list))
	}
	if got := waiting(); got.Feed != 0 {
		t.Errorf("the oldest fact without a place is %s old, and there is none", got.Feed)
	}
}

func TestAFollowerOfTheLineSeesEachEventOnceInOrder(t *testing.T) {
	t.Parallel()
	d := dbtest.Distributed(t)
	const writers, each, buckets = 6, 25, 4
	var (
		mu    sync.Mutex
		seqs  [buckets]int64
		wrote = map[string]bool{}
	)
	failed := errors.New("given up")
	done := make(chan error, writers)
	for w := range writers {
		go func() {
			rnd := rand.New(rand.NewPCG(uint64(w), 3))
			done <- func() error {
				for i := range each {
					ids := []string{}
					err := d.Write(context.Background(), func(tx *db.Tx) error {
						ids = ids[:0]
						first := rnd.IntN(buckets)
						for b := first; b < buckets && b <= first+rnd.IntN(2); b++ { // buckets in their order, as Write takes them
							id := fmt.Sprintf("pur_%d-%d-%d", w, i, b)
							mu.Lock()
							seqs[b]++
							seq := seqs[b]
							mu.Unlock()
							if err := told(context.Background(), tx, int32(b), id, seq); err != nil {
								return err
							}
							ids = append(ids, id)
						}
						if rnd.IntN(4) == 0 {
							return failed
						}
						return nil
					})
					if err != nil && !errors.Is(err, failed) {
						return err
					}
					if err == nil {
						mu.Lock()
						for _, id := range ids {
							wrote[id] = true
						}
						mu.Unlock()
					}
					if rnd.IntN(3) == 0 { // other nodes have readers too
						err := d.Write(context.Background(), func(tx *db.Tx) error {
							_, err := LineUp(context.Background(), tx, "shop")
							return err
						})
						if err != nil {
							return err
						}
					}
				}
				return nil
			}()
		}()
	}
	rnd := rand.New(rand.NewPCG(99, 3))
	seen := map[string]bool{}
	var at Cursor
	follow := func() bool {
		page := feed(t, d, at, 1+rnd.IntN(5))
		for _, e := range page {
			if seen[e.ID] || e.Stamp < at.Stamp || e.Stamp == at.Stamp && e.N <= at.N {
				t.Fatalf("%s at %v after %v", e.ID, e.Cursor, at)
			}
			seen[e.ID], at = true, e.Cursor
		}
		return len(page) > 0
	}
	for running := writers; running > 0; {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			running--
		default:
			follow()
		}
	}
	for more := true; more; {
		more = follow()
	}
	if len(seen) != 2*len(wrote) || len(wrote) == 0 {
		t.Errorf("%d events seen of %d facts", len(seen), len(wrote))
	}
}
