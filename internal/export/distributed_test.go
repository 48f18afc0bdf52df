package export_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/export"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/seal"
	"lojal.dev/lojal/internal/verify"
	"lojal.dev/lojal/internal/version"
)

// told is the feed of the demo's program, in its order.
func told(t *testing.T, d *db.DB) (out []string) {
	t.Helper()
	var after books.Cursor
	for {
		var page []books.Event
		err := d.Write(context.Background(), func(tx *db.Tx) error {
			if _, err := books.LineUp(context.Background(), tx, "kaffebaren"); err != nil {
				return err
			}
			var err error
			page, err = books.Events(context.Background(), tx, "kaffebaren", after, 100)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			return out
		}
		for _, e := range page {
			out = append(out, e.ID)
			after = e.Cursor
		}
	}
}

// The stamps of a distributed database count by bucket. Elsewhere they order, so an export has the places in the line in their stead.
func TestADistributedDatabaseComesBackInItsOrder(t *testing.T) {
	t.Parallel()
	d := dbtest.Distributed(t)
	fill(t, d)
	r := record.New(d, &version.Cache{})
	t.Cleanup(r.Close)
	buy := func() {
		t.Helper()
		for i := range 10 {
			amount := money.MustParse(fmt.Sprint(50 + i))
			if _, err := r.Record(t.Context(), record.Request{Program: "kaffebaren", Now: now, Member: fmt.Sprint("ext:", 1001+i), Fact: engine.Fact{
				Kind: engine.PurchaseK, Purchase: &engine.Purchase{Amount: &amount}}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	feed := told(t, d)
	if _, err := seal.Program(t.Context(), d, "kaffebaren", now); err != nil {
		t.Fatal(err)
	}
	buy()
	if _, err := seal.Program(t.Context(), d, "kaffebaren", now); err != nil {
		t.Fatal(err)
	}
	buy() // not in line, nor sealed
	dir, m := write(t, d)
	_, head, err := seal.ParseHead(m.Heads["kaffebaren"])
	if err != nil {
		t.Fatal(err)
	}
	for _, to := range []db.Dialect{db.SQLite, db.Postgres} {
		t.Run("to "+string(to), func(t *testing.T) {
			t.Parallel()
			url := dbtest.EmptyURL(t, to)
			if _, err := export.Restore(t.Context(), url, dir, now); err != nil {
				t.Fatal(err)
			}
			there := open(t, url)
			dbtest.Settle(t, there)
			if again := told(t, there); len(again) <= len(feed) || !slices.Equal(again[:len(feed)], feed) {
				t.Errorf("the feed comes back in another order, or not whole: %d events, there were %d at least", len(again), len(feed))
			}
			report, err := verify.Run(t.Context(), there, &version.Cache{}, "kaffebaren", verify.Options{Heads: []seal.Head{head}})
			if err != nil || !report.OK() || report.Unsealed != 10 {
				t.Errorf("%v %+v", err, report)
			}
		})
	}
}
