package sweep_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/job"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/sweep"
	"lojal.dev/lojal/internal/verify"
	"lojal.dev/lojal/internal/version"
)

// quiet is the program without anything that time brings, so that its members are never due.
var quiet = strings.Replace(shop, "    expires: {after: 30 days, warn: 7 days}\n", "", 1)

const club = "tiers: {club: {by: {sum: spend}, steps: [{id: basic, from: 0}, {id: gold, from: 100.00}]}}\n"

func (k *desk) publish(text string, from, now time.Time) {
	k.t.Helper()
	doc, err := program.Parse([]byte(text), "shop.yaml")
	if err != nil {
		k.t.Fatal(err)
	}
	err = k.d.Write(k.t.Context(), func(tx *db.Tx) error {
		_, err := version.Publish(k.t.Context(), tx, version.PublishInput{Program: "shop", Document: doc, From: &from, By: "test", Now: now})
		return err
	})
	if err != nil {
		k.t.Fatal(err)
	}
}

func (k *desk) sweep(now time.Time, replanned, facts int) {
	k.t.Helper()
	got, err := sweep.Run(k.t.Context(), k.d, k.r, now)
	if err != nil || got.Replanned != replanned || got.Facts != facts {
		k.t.Errorf("%s: %+v (%v), want %d looked at and %d facts", now.Format(time.DateOnly), got, err, replanned, facts)
	}
}

func (k *desk) tier(member, want string, now time.Time) {
	k.t.Helper()
	acc, _, err := k.r.View(k.t.Context(), "shop", member, now)
	if err != nil {
		k.t.Fatal(err)
	}
	got := ""
	if ts := acc.State.Tiers["club"]; ts != nil {
		got = ts.Tier
	}
	if got != want {
		k.t.Errorf("%s is %q, want %q", member, got, want)
	}
}

func (k *desk) proved() {
	k.t.Helper()
	report, err := verify.Run(context.Background(), k.d, k.v, "shop", verify.Options{})
	if err != nil || !report.OK() {
		k.t.Errorf("%v %+v", err, report)
	}
}

func TestANewVersionReachesWhoIsDormant(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := openWith(t, d, quiet, 5)
		k.sweep(day(5), 0, 0)
		k.publish(quiet+club, day(10), day(7))
		k.sweep(day(9), 0, 0)
		k.tier("ext:m1", "", day(9))
		k.tier("ext:m1", "gold", day(10)) // a look brings up in memory
		k.sweep(day(10), 5, 5)
		k.sweep(day(11), 0, 0)
		// Only what is earned changes: nobody is looked at.
		k.publish(strings.Replace(quiet+club, "amount: 1", "amount: 2", 1), day(20), day(20))
		k.sweep(day(21), 0, 0)
		// A step that nobody reaches: all are looked at, and nothing is written.
		k.publish(strings.Replace(quiet+club, "100.00}]", "100.00}, {id: platinum, from: 5000.00}]", 1), day(30), day(30))
		k.sweep(day(31), 5, 0)
		// Dated back before what the members did last: they are planned for as they stand.
		k.publish(strings.Replace(quiet+club, "100.00", "1000.00", 1), day(9), day(40))
		k.publish(strings.Replace(quiet+club, "100.00", "1000.00", 1), day(41), day(41))
		k.sweep(day(42), 5, 5)
		k.tier("ext:m1", "basic", day(42))
		k.sweep(day(43), 0, 0)
		k.proved()
	})
}

func TestTheFirstSweepOfAnOlderDatabaseLooksAtAll(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := openWith(t, d, quiet, 3)
		k.publish(quiet+club, day(10), day(10))
		k.sweep(day(11), 3, 3)
		k.sweep(day(11), 0, 0)
	})
}

func TestAWalkThatWasStoppedGoesOn(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := openWith(t, d, quiet, 450)
		k.sweep(day(1), 0, 0)
		k.publish(quiet+club, day(10), day(10))
		// The place after the first batch, as a node that was stopped leaves it.
		err := d.Write(t.Context(), func(tx *db.Tx) error {
			refs, err := books.AccountsAfter(t.Context(), tx, "shop", 0, "", 200)
			if err != nil {
				return err
			}
			_, err = tx.Exec(t.Context(), `UPDATE replans SET target = 2, bucket = $1, member_id = $2`, refs[199].Bucket(), refs[199].Member)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		k.sweep(day(10), 250, 250)
		k.sweep(day(10), 0, 0)
	})
}

func TestTwoNodesPlanAnewAtOnce(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := openWith(t, d, quiet, 450)
		second := record.New(d, &version.Cache{})
		t.Cleanup(second.Close)
		k.publish(quiet+club, day(10), day(10))
		before := k.facts()
		var wg sync.WaitGroup
		for _, r := range []*record.Recorder{k.r, second} {
			wg.Go(func() {
				if _, err := sweep.Run(context.Background(), d, r, day(10)); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		k.sweep(day(10), 0, 0)
		if after := k.facts(); after.Facts != before.Facts+450 {
			t.Errorf("%d facts, want %d", after.Facts, before.Facts+450)
		}
		k.proved()
	})
}

func TestTheJobWalksWithoutWaitingForTheNextRound(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := openWith(t, d, quiet, 2200)
		k.publish(quiet+club, day(10), day(10))
		jobs := job.NewRunner(job.Options{DB: d, Clock: func() time.Time { return day(10) }, Poll: time.Millisecond, Logger: slog.New(slog.DiscardHandler)})
		sweep.Handle(jobs, d, k.r, func() time.Time { return day(10) }, time.Hour, slog.New(slog.DiscardHandler), sweep.NewMeters(nil))
		ctx, cancel := context.WithCancel(context.Background())
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			jobs.Run(ctx)
		}()
		for walking := true; walking; { // the job comes again at once, although its pace is an hour
			err := d.Read(t.Context(), func(tx *db.Tx) error {
				return tx.QueryRow(t.Context(), `SELECT COUNT(*) = 0 FROM replans WHERE target = 0`).Scan(&walking)
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		cancel()
		<-stopped
		k.sweep(day(10), 0, 0)
		k.tier("ext:m2199", "gold", day(10))
	})
}

// What comes late from before a version that plans otherwise is planned by the version of its own day: the sweep must come back for it.
func TestWhatComesLateFromBeforeAVersionIsFound(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := openWith(t, d, quiet, 0)
		k.publish(strings.Replace(shop, "after: 30 days", "inactive: 30 days", 1), day(10), day(10))
		k.sweep(day(11), 0, 0)
		hundred := money.MustParse("100")
		for i, f := range []engine.Fact{
			{Kind: engine.Enrolment, OccurredAt: day(1)},
			{Kind: engine.PurchaseK, OccurredAt: day(2), Purchase: &engine.Purchase{Amount: &hundred}},
		} {
			req := record.Request{Program: "shop", Now: day(12), Fact: f, Member: "ext:late"}
			if i == 0 {
				req.Member, req.Enrol = "", newMember("late")
			}
			if _, err := k.r.Record(t.Context(), req); err != nil {
				t.Fatal(err)
			}
		}
		k.proved()
		got, err := sweep.Run(t.Context(), d, k.r, day(12))
		if err != nil || got != (sweep.Counts{Accounts: 1, Facts: 1}) {
			t.Errorf("%+v %v", got, err)
		}
		k.sweep(day(13), 0, 0)
		k.sweep(day(40), 0, 2) // a warning and the end
		k.proved()
	})
}

func BenchmarkSweepWithNothingToDo(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			d := dbtest.Open(b, db.SQLite)
			k := openWith(b, d, quiet, n)
			for b.Loop() {
				if _, err := sweep.Run(b.Context(), d, k.r, day(1)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// Accounts of before there were rules on birthdays do not know them: the version that brings such a rule has them told.
func TestBirthdaysOfBeforeAreToldToTheBooks(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := openWith(t, d, quiet, 4)
		err := d.Write(t.Context(), func(tx *db.Tx) error {
			_, err := tx.Exec(t.Context(), `UPDATE members SET profile = $1 WHERE program_id = $2 AND profile LIKE $3`, `{"external_id": "m1", "birth": "1990-03-25"}`, "shop", `%"m1"%`)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		rule := "  - {id: birthday, on: birthday, give: {unit: point, amount: 7}}\n"
		k.publish(quiet+rule, day(10), day(9))
		k.sweep(day(11), 4, 1)
		k.sweep(day(12), 0, 0)
		k.sweep(day(24), 0, 1)
		acc, _, err := k.r.View(t.Context(), "shop", "ext:m1", day(24))
		if err != nil || acc.State.Birthday != "03-25" || acc.State.Units["point"].Balance() != 107 {
			t.Errorf("%+v %v", acc, err)
		}
		k.proved()
	})
}
