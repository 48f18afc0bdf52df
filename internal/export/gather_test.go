package export_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/export"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/seal"
	"lojal.dev/lojal/internal/verify"
	"lojal.dev/lojal/internal/version"
)

// events reads the whole feed of the demo.
func events(t *testing.T, d *db.DB) (out []books.Event) {
	t.Helper()
	dbtest.Settle(t, d)
	for at := (books.Cursor{}); ; at = out[len(out)-1].Cursor {
		var page []books.Event
		err := d.Read(t.Context(), func(tx *db.Tx) (err error) {
			page, err = books.Events(t.Context(), tx, "kaffebaren", at, 500)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if out = append(out, page...); len(page) < 500 {
			return out
		}
	}
}

// What was spread over machines goes to one machine: the same books, the same feed with the same cursors, the same answers.
func TestAnExportOfADistributedDatabaseIsOneOfOneMachine(t *testing.T) { //nolint:tparallel // the subtests use the first database, and end before it
	t.Parallel()
	d := dbtest.Distributed(t)
	fill(t, d)
	r := record.New(d, &version.Cache{})
	defer r.Close()
	amount := money.MustParse("100")
	bought := func(r *record.Recorder, hash byte) (*record.Result, error) {
		var some []books.Event
		for _, e := range events(t, d) {
			if e.Type == engine.EvEnrolled {
				some = append(some, e)
			}
		}
		return r.Record(t.Context(), record.Request{Program: "kaffebaren", Member: some[0].Member, Now: now.Add(time.Hour), Key: &record.Key{Client: "till", Key: "k", Hash: [32]byte{hash}},
			Fact:   engine.Fact{Kind: engine.PurchaseK, Source: "till", ExternalID: "last", Purchase: &engine.Purchase{Amount: &amount}},
			Render: func(r *record.Result) (int, []byte) { return 201, []byte(r.Fact.ID) }})
	}
	line := func() {
		t.Helper()
		err := d.Write(t.Context(), func(tx *db.Tx) error {
			_, err := books.LineUp(t.Context(), tx, "kaffebaren")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	line()
	first, err := bought(r, 1)
	if err != nil {
		t.Fatal(err)
	}
	// A claim whose fact never came, and a key whose fact did not.
	err = d.Write(t.Context(), func(tx *db.Tx) error {
		_, err := books.ClaimReceipt(t.Context(), tx, books.Receipt{NaturalKey: books.NaturalKey{Program: "kaffebaren", Source: "till", ExternalID: "never"},
			Member: first.Fact.Member, Fact: strings.Replace(first.Fact.ID, "pur_01", "pur_00", 1), Hash: "h"})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	line()
	want := events(t, d)
	dir, m := write(t, d)
	if m.Stamp != want[len(want)-1].Stamp {
		t.Errorf("the stamp is %d, and the line ends at %d", m.Stamp, want[len(want)-1].Stamp)
	}
	for _, e := range []db.Dialect{db.SQLite, db.Postgres} {
		t.Run(string(e), func(t *testing.T) {
			url := dbtest.EmptyURL(t, e)
			if _, err := export.Restore(t.Context(), url, dir, now); err != nil {
				t.Fatal(err)
			}
			one := open(t, url)
			if diff := cmp.Diff(want, events(t, one)); diff != "" {
				t.Errorf("the feed is another: %s", diff)
			}
			versions := &version.Cache{}
			report, err := verify.Run(t.Context(), one, versions, "kaffebaren", verify.Options{})
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range report.Findings {
				t.Error(f)
			}
			own := record.New(one, versions)
			defer own.Close()
			if again, err := bought(own, 1); err != nil || !again.Replayed || string(again.Answer) != first.Fact.ID {
				t.Errorf("%+v, %v", again, err)
			}
			if _, err := bought(own, 2); !errs.Is(err, errs.CodeInvalid, "idempotency_key_reused") {
				t.Error(err)
			}
			if _, err := seal.All(t.Context(), one, now); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAnExportIsNotRestoredIntoADistributedDatabase(t *testing.T) {
	t.Parallel()
	from := dbtest.Open(t, db.SQLite)
	fill(t, from)
	dir, _ := write(t, from)
	url := dbtest.MirrorURL(t)
	d := open(t, url)
	if err := d.NoteDistributed(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	if _, err := export.Restore(t.Context(), url, filepath.Clean(dir), now); !errs.Is(err, errs.CodeConflict, "distributed") {
		t.Error(err)
	}
}
