package demo_test

import (
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lojal.dev/lojal/internal/audit"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/demo"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/verify"
	"lojal.dev/lojal/internal/version"
)

// Thirty weeks before it are a spring and a summer, which some blueprints are about.
var now = time.Date(2026, 10, 7, 15, 0, 0, 0, time.UTC)

func fill(t *testing.T, d *db.DB, seed uint64) demo.Summary {
	t.Helper()
	r := record.New(d, &version.Cache{})
	defer r.Close()
	weeks := 0
	s, err := demo.Fill(t.Context(), demo.Input{DB: d, Recorder: r, Now: now, Seed: seed, Members: 60, Weeks: 30, Progress: func(done, _ int) { weeks = done }})
	if err != nil {
		t.Fatal(err)
	}
	if weeks != 30 {
		t.Errorf("told of %d weeks", weeks)
	}
	return s
}

func TestTheDemoIsPlausibleAndProved(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := fill(t, d, 1)
		if s.Members != 60 || s.Purchases < 300 || s.Redemptions == 0 || s.Activities == 0 || s.Example != "ext:1001" || s.Receipt == "" {
			t.Errorf("%+v", s)
		}
		r, err := verify.Run(t.Context(), d, &version.Cache{}, s.Program, verify.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range r.Findings {
			t.Error(f)
		}
		err = d.Read(t.Context(), func(tx *db.Tx) error {
			entries, _, err := audit.List(t.Context(), tx, s.Program, audit.Query{Action: demo.Filled})
			if len(entries) != 1 {
				t.Errorf("nothing says that it was filled to the end: %v", entries)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
		rec := record.New(d, &version.Cache{})
		defer rec.Close()
		if _, err := demo.Fill(t.Context(), demo.Input{DB: d, Recorder: rec, Now: now}); !errs.Is(err, errs.CodeConflict, "not_empty") {
			t.Errorf("filled twice: %v", err)
		}
	})
}

// Everybody who is told of has joined, also where the last of them join today and the day has just begun.
func TestAllMembersOfTheDemoHaveJoined(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		rec := record.New(d, &version.Cache{})
		defer rec.Close()
		s, err := demo.Fill(t.Context(), demo.Input{DB: d, Recorder: rec, Now: time.Date(2026, 10, 7, 4, 30, 0, 0, time.UTC), Members: 100, Weeks: 1})
		if err != nil {
			t.Fatal(err)
		}
		r, err := verify.Run(t.Context(), d, &version.Cache{}, s.Program, verify.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if r.Members != int64(s.Members) || r.Err() != nil {
			t.Errorf("%d members of %d: %v", r.Members, s.Members, r.Err())
		}
	})
}

func document(t *testing.T, blueprint string) *program.Document {
	t.Helper()
	text, err := program.Blueprint(blueprint)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := program.Parse(text, blueprint)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// drawn are the ids that are drawn anew each time.
var drawn = regexp.MustCompile(`([a-z]+_)[0-9a-z]{26}`)

// receipts are all purchases: whose, when and for how much.
func receipts(t *testing.T, d *db.DB) (out []string) {
	t.Helper()
	err := d.Read(t.Context(), func(tx *db.Tx) error {
		out = nil
		return db.Collect(t.Context(), tx, func(row db.Scanner) error {
			var who, key, body string
			var at int64
			err := row.Scan(&who, &key, &at, &body)
			out = append(out, fmt.Sprintf("%s %s %d %s", who, key, at, drawn.ReplaceAllString(body, "$1")))
			return err
		}, `SELECT i.value, f.external_id, f.occurred_at, f.body FROM facts f JOIN identifiers i ON i.program_id = f.program_id AND i.member_id = f.member_id
			WHERE i.kind = 'ext' AND f.kind = 'purchase' ORDER BY f.external_id`)
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestTheSameSeedMakesTheSameDemo(t *testing.T) {
	t.Parallel()
	one, two, three := dbtest.Open(t, db.SQLite), dbtest.Open(t, db.SQLite), dbtest.Open(t, db.SQLite)
	a, b := fill(t, one, 7), fill(t, two, 7)
	if d := cmp.Diff(a, b); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(receipts(t, one), receipts(t, two)); d != "" {
		t.Error(d)
	}
	if c := fill(t, three, 8); cmp.Equal(a, c) {
		t.Error("another seed made the same people")
	}
}
