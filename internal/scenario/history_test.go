package scenario

import (
	"encoding/json"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"lojal.dev/lojal/internal/code"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/engine/enginetest"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/member"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/partner"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/verify"
	"lojal.dev/lojal/internal/version"
)

// histories is how many are recorded in each database: the engine's own tests, which need none, try many more.
const histories = 20

// What the flow records in a database is, fact by fact, what the same road decides in memory, and the books are proved.
func TestRecordedHistoriesAgree(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		versions := new(version.Cache)
		recorder := record.New(d, versions)
		t.Cleanup(recorder.Close)
		var played atomic.Int32
		var failed atomic.Bool
		rapid.Check(t, func(t *rapid.T) {
			if played.Add(1) > histories && !failed.Load() {
				return
			}
			failed.Store(true) // until it has passed
			twice{d: d, versions: versions, recorder: recorder}.play(t)
			failed.Store(false)
		})
	})
}

// twice plays a history in a database and in memory.
type twice struct {
	d        *db.DB
	versions *version.Cache
	recorder *record.Recorder
	program  string
	desk     *enginetest.Desk
	h        *enginetest.History
}

func (w twice) play(t *rapid.T) {
	p := enginetest.Program(t, enginetest.Options{})
	doc := *p.Doc
	doc.Program = "h-" + ids.New("x", time.Now())[2:]
	w.program = doc.Program
	ctx := t.Context()
	err := w.d.Write(ctx, func(tx *db.Tx) error {
		_, err := version.Publish(ctx, tx, version.PublishInput{Program: doc.Program, Document: &doc, By: "test", Now: enginetest.Start})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	w.desk, w.h = enginetest.New(p), enginetest.NewHistory(p, enginetest.Options{})
	for range 3 {
		f := w.h.Enrol(t, "")
		r, err := w.recorder.Record(ctx, record.Request{Program: w.program, Fact: f, Enrol: &member.New{Profile: member.Profile{Zone: f.Enrolment.Zone, Birth: f.Enrolment.Birthday}}, Now: w.h.Clock})
		if err != nil {
			t.Fatal(err)
		}
		w.h.Members = append(w.h.Members, r.Fact.Member)
		w.compare(t, r)
	}
	w.elsewhere(t)
	for range rapid.IntRange(1, 25).Draw(t, "facts") {
		f, ok := w.h.Next(t)
		if !ok {
			continue
		}
		req := record.Request{Program: w.program, Member: f.Member, Fact: f, Now: w.h.Clock, Own: f.Source == engine.OrderSource}
		if f.Member == w.h.Card || f.Member == w.h.Coupon {
			req.Member, req.Holder = "", f.Member
		}
		if f.Kind == engine.ProfileK {
			req.Patch = &member.Patch{Birth: &f.Enrolment.Birthday}
		}
		r, err := w.recorder.Record(ctx, req)
		if err == nil && !r.Recorded {
			continue // nothing changed
		}
		if err == nil {
			w.compare(t, r)
			w.usesBack(t, r)
			continue
		}
		if errs.CodeOf(err) == errs.CodeInternal {
			t.Fatalf("%s: %v", f.Kind, err)
		}
		if _, other := w.desk.Take(f); errs.As(other) == nil || errs.As(other).Reason != errs.As(err).Reason {
			t.Fatalf("%s is refused with %v when recorded, with %v in memory", f.Kind, err, other)
		}
	}
	w.stand(t)
	report, err := verify.Run(ctx, w.d, w.versions, w.program, verify.Options{})
	if err == nil {
		err = report.Err()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// usesBack records that what was used with a purchase comes back to the books of others, as it follows from a return.
func (w twice) usesBack(t *rapid.T, of *record.Result) {
	for _, e := range of.Decision.Events {
		if e.Type != engine.EvCodeBack {
			continue
		}
		f, ok := engine.FollowUp(e, of.Fact.Member, of.Fact.ID, of.Fact.OccurredAt)
		if !ok {
			t.Fatalf("nothing follows from %v", e)
		}
		req := record.Request{Program: w.program, Fact: f, Now: w.h.Clock, Own: true}
		req.Name(f.Member)
		if r, err := w.recorder.Record(t.Context(), req); err == nil {
			w.compare(t, r)
		} else if errs.CodeOf(err) == errs.CodeInternal {
			t.Fatal(err)
		}
	}
}

// elsewhere issues a gift card and the code of a coupon, and has a partner pay ahead.
func (w twice) elsewhere(t *rapid.T) {
	ctx := t.Context()
	w.h.Card = ids.New("gft", time.Now())
	r, err := w.recorder.Record(ctx, record.Request{Program: w.program, Holder: w.h.Card, Fact: w.h.Issue(t), Now: w.h.Clock})
	if err != nil {
		t.Fatal(err)
	}
	w.compare(t, r)
	w.h.Coupon = ids.New(code.CouponPrefix, time.Now())
	if r, err = w.recorder.Record(ctx, record.Request{Program: w.program, Holder: w.h.Coupon, Fact: w.h.IssueCode(), Now: w.h.Clock}); err != nil {
		t.Fatal(err)
	}
	w.compare(t, r)
	credit := int64(rapid.IntRange(1, 8).Draw(t, "paid ahead"))
	w.desk.Count(engine.PartnerPaid("airport"), engine.PartnerPeriod, credit*1_000_000)
	err = w.d.Write(ctx, func(tx *db.Tx) error {
		set, err := version.Load(ctx, tx, w.program)
		if err == nil {
			_, _, err = partner.Pay(ctx, tx, partner.New{Program: set.Latest(), Partner: "airport", Reference: "drawn", Amount: money.New(credit, 0), Actor: "test", Now: w.h.Clock})
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// compare decides in memory what was recorded, under the same ids.
func (w twice) compare(t *rapid.T, r *record.Result) {
	w.h.Took(r.Fact)
	mine, err := w.desk.Take(r.Fact)
	if err != nil {
		t.Fatalf("%s was recorded, and is refused in memory: %v", r.Fact.Kind, err)
	}
	if diff := cmp.Diff(plain(t, mine.Decision), plain(t, r.Decision)); diff != "" {
		t.Fatalf("%s is decided otherwise (- in memory, + recorded)\n%s", r.Fact.Kind, diff)
	}
}

// stand compares what the members have now and in three months.
func (w twice) stand(t *rapid.T) {
	for _, m := range append(slices.Clone(w.h.Members), w.h.Card, w.h.Coupon) {
		for _, days := range []int{0, 90} {
			at := w.h.Clock.AddDate(0, 0, days)
			look := w.recorder.ViewLots
			if m == w.h.Card || m == w.h.Coupon {
				look = w.recorder.ViewCard
			}
			acc, _, err := look(t.Context(), w.program, m, at)
			if err != nil {
				t.Fatal(err)
			}
			mine, _, err := w.desk.View(m, at)
			if err != nil {
				t.Fatal(err)
			}
			var open []any
			for _, l := range mine.Lots {
				if l.Open() {
					open = append(open, *l)
				}
			}
			var have []any
			for _, l := range acc.Lots {
				c := *l
				c.Dirty, c.New = false, false // marks for the writer
				have = append(have, c)
			}
			if diff := cmp.Diff(plain(t, []any{mine.State, open}), plain(t, []any{acc.State, have})); diff != "" {
				t.Fatalf("%s has something else in %d days (- in memory, + recorded)\n%s", m, days, diff)
			}
		}
	}
}

// plain is a value as JSON tells it: times without their zone, nothing where it is empty.
func plain(t *rapid.T, v any) any {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return utc(out)
}

func utc(v any) any {
	switch x := v.(type) {
	case map[string]any:
		for k, e := range x {
			x[k] = utc(e)
		}
	case []any:
		for i, e := range x {
			x[i] = utc(e)
		}
	case string:
		if strings.HasPrefix(x, "fct_") { // what time brings is recorded under other ids
			return "fct_"
		}
		if at, err := time.Parse(time.RFC3339Nano, x); err == nil {
			return at.UTC()
		}
	}
	return v
}
