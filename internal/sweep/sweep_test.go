package sweep_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/job"
	"lojal.dev/lojal/internal/member"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/sweep"
	"lojal.dev/lojal/internal/verify"
	"lojal.dev/lojal/internal/version"
)

const shop = `
program: shop
name: Shop
time_zone: Europe/Oslo
currency: NOK
units:
  point:
    name: {en: {one: point, other: points}}
    expires: {after: 30 days, warn: 7 days}
earn:
  - id: base
    on: purchase
    give: {unit: point, amount: 1, per: 1.00}
`

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func day(n int) time.Time { return noon.AddDate(0, 0, n) }

type desk struct {
	t testing.TB
	d *db.DB
	v *version.Cache
	r *record.Recorder
	n int
}

// open makes a program with n members who each bought for 100 on the first day.
func open(t testing.TB, d *db.DB, n int) *desk {
	t.Helper()
	return openWith(t, d, shop, n)
}

func newMember(ext string) *member.New { return &member.New{Profile: member.Profile{ExternalID: ext}} }

func openWith(t testing.TB, d *db.DB, text string, n int) *desk {
	t.Helper()
	doc, err := program.Parse([]byte(text), "shop.yaml")
	if err != nil {
		t.Fatal(err)
	}
	err = d.Write(t.Context(), func(tx *db.Tx) error {
		_, err := version.Publish(t.Context(), tx, version.PublishInput{Program: "shop", Document: doc, By: "test", Now: noon})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	v := &version.Cache{}
	k := &desk{t, d, v, record.New(d, v), n}
	t.Cleanup(k.r.Close)
	hundred := money.MustParse("100")
	var reqs []record.Request
	for i := range n {
		ext := fmt.Sprint("m", i)
		reqs = append(reqs,
			record.Request{Program: "shop", Now: noon, Fact: engine.Fact{Kind: engine.Enrolment}, Enrol: newMember(ext)},
			record.Request{Program: "shop", Now: noon, Member: "ext:" + ext, Fact: engine.Fact{Kind: engine.PurchaseK, Purchase: &engine.Purchase{Amount: &hundred}}})
	}
	for _, o := range k.r.Batch(t.Context(), reqs) {
		if o.Err != nil {
			t.Fatal(o.Err)
		}
	}
	return k
}

func (k *desk) facts() books.Totals {
	k.t.Helper()
	var out books.Totals
	err := k.d.Read(context.Background(), func(tx *db.Tx) (err error) {
		out, err = books.Count(context.Background(), tx, "shop")
		return err
	})
	if err != nil {
		k.t.Fatal(err)
	}
	return out
}

// ended sees that every lot ended once, with one warning and one end for each member.
func (k *desk) ended(before books.Totals) {
	k.t.Helper()
	after := k.facts()
	if after.Facts != before.Facts+2*int64(k.n) || after.Postings != before.Postings+int64(k.n) {
		k.t.Errorf("from %+v to %+v", before, after)
	}
	report, err := verify.Run(context.Background(), k.d, k.v, "shop", verify.Options{})
	if err != nil || !report.OK() {
		k.t.Errorf("%v %v", err, report)
	}
}

func TestASweepDoesWhatIsDueAndNoMore(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := open(t, d, 5)
		for _, c := range []struct{ day, accounts, facts int }{{10, 0, 0}, {24, 5, 5}, {24, 0, 0}, {40, 5, 5}, {4000, 0, 0}} {
			got, err := sweep.Run(t.Context(), d, k.r, day(c.day))
			if err != nil || got.Accounts != c.accounts || got.Facts != c.facts {
				t.Errorf("day %d: %+v %v", c.day, got, err)
			}
		}
		acc, _, err := k.r.View(t.Context(), "shop", "ext:m3", day(40))
		if err != nil || acc.State.Units["point"].Spendable != 0 || acc.State.Units["point"].Expired != 100 {
			t.Errorf("%v %+v", err, acc)
		}
	})
}

func TestALateSweepLeadsToTheSameBooks(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := open(t, d, 3)
		before := k.facts()
		got, err := sweep.Run(t.Context(), d, k.r, day(1000))
		if err != nil || got.Accounts != 3 || got.Facts != 6 {
			t.Errorf("%+v %v", got, err)
		}
		k.ended(before)
	})
}

func TestTwoNodesSweepAtOnce(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := open(t, d, 450)
		second := record.New(d, &version.Cache{})
		t.Cleanup(second.Close)
		before := k.facts()
		var facts atomic.Int64
		var wg sync.WaitGroup
		for _, r := range []*record.Recorder{k.r, second} {
			wg.Go(func() {
				got, err := sweep.Run(context.Background(), d, r, day(60))
				if err != nil {
					t.Error(err)
				}
				facts.Add(int64(got.Facts))
			})
		}
		wg.Wait()
		if facts.Load() != 900 {
			t.Errorf("%d due facts", facts.Load())
		}
		k.ended(before)
	})
}

func TestTheJobsSweepAndForget(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := open(t, d, 2)
		before := k.facts()
		err := d.Write(t.Context(), func(tx *db.Tx) error {
			s := books.NewSheet()
			for i := range 3 {
				s.AddAnswer(books.Answer{AnswerKey: books.AnswerKey{Program: "shop", Client: "c", Key: fmt.Sprint(i)}, Status: 201, Body: "{}", At: day(i)})
			}
			return s.Write(t.Context(), tx)
		})
		if err != nil {
			t.Fatal(err)
		}
		clock := func() time.Time { return day(40) }
		jobs := job.NewRunner(job.Options{DB: d, Clock: clock, Poll: time.Millisecond})
		sweep.Handle(jobs, d, k.r, clock, time.Minute, slog.New(slog.DiscardHandler), sweep.NewMeters(nil))
		ctx, cancel := context.WithCancel(context.Background())
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			jobs.Run(ctx)
		}()
		kinds := 2
		if d.Distributed() { // which has its feed put in line besides
			kinds = 3
		}
		for waiting := true; waiting; { // until all wait for their next time
			var counts []job.Count
			err := d.Read(t.Context(), func(tx *db.Tx) (err error) {
				counts, err = job.Counts(t.Context(), tx)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			waiting = len(counts) != kinds || slices.ContainsFunc(counts, func(c job.Count) bool { return c.State != job.Scheduled })
		}
		cancel()
		<-stopped
		k.ended(before)
		n, err := sweep.Forget(context.Background(), d, day(40))
		if n != 0 || err != nil {
			t.Errorf("%d answers were left (%v)", n, err)
		}
	})
}

func TestAnswersAreKeptForAWeek(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		open(t, d, 0)
		err := d.Write(t.Context(), func(tx *db.Tx) error {
			s := books.NewSheet()
			for i := range 1200 {
				s.AddAnswer(books.Answer{AnswerKey: books.AnswerKey{Program: "shop", Client: "c", Key: fmt.Sprint(i)}, Status: 201, Body: "{}", At: day(i % 2 * 7)})
			}
			return s.Write(t.Context(), tx)
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			day  int
			want int64
		}{{7, 0}, {8, 600}, {8, 0}, {30, 600}} {
			if n, err := sweep.Forget(t.Context(), d, day(c.day)); n != c.want || err != nil {
				t.Errorf("day %d: %d, %v", c.day, n, err)
			}
		}
	})
}
