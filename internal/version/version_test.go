package version

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/program"
)

var (
	ctx  = context.Background()
	noon = time.Date(2026, 3, 14, 11, 0, 0, 0, time.UTC)
)

const kaffe = `
program: kaffe
name: Kaffe
time_zone: Europe/Oslo
currency: NOK
units:
  star: {name: star}
  mile: {name: mile, precision: 2}
earn:
  - {id: base, on: purchase, give: {unit: star, amount: 1, per: 10.00}}
`

// doc gives the program with changes: old, new, old, new…
func doc(t *testing.T, changes ...string) *program.Document {
	t.Helper()
	d, err := program.Parse([]byte(strings.NewReplacer(changes...).Replace(kaffe)), "kaffe.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func publish(t *testing.T, d *db.DB, doc *program.Document, from *time.Time, now time.Time) (p Published, err error) {
	t.Helper()
	err = d.Write(ctx, func(tx *db.Tx) error {
		p, err = Publish(ctx, tx, PublishInput{Program: "kaffe", Document: doc, From: from, By: "cli", Now: now})
		return err
	})
	return p, err
}

func mustPublish(t *testing.T, d *db.DB, doc *program.Document, from *time.Time, now time.Time) Published {
	t.Helper()
	p, err := publish(t, d, doc, from, now)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func fetch(t *testing.T, d *db.DB, c *Cache) *Set {
	t.Helper()
	var s *Set
	if err := d.Read(ctx, func(tx *db.Tx) (err error) { s, err = c.Get(ctx, tx, "kaffe"); return err }); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestVersionsComeIntoForce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		hour := func(n int) time.Time { return noon.Add(time.Duration(n) * time.Hour) }
		at10 := hour(10)
		var cache Cache
		one := mustPublish(t, d, doc(t), nil, noon)
		if one.Version != 1 || !one.EffectiveFrom.IsZero() || one.Unchanged {
			t.Errorf("%+v", one)
		}
		if s := fetch(t, d, &cache); s.At(time.Time{}).Version != 1 || s.At(noon).Version != 1 {
			t.Error("the first version is not in force from the beginning of time")
		}
		two := mustPublish(t, d, doc(t, "amount: 1", "amount: 2"), &at10, hour(1))
		three := mustPublish(t, d, doc(t, "amount: 1", "amount: 3"), nil, hour(2))
		four := mustPublish(t, d, doc(t, "amount: 1", "amount: 4"), &at10, hour(3))
		if two.Version != 2 || three.Version != 3 || !three.EffectiveFrom.Equal(hour(2)) || four.Version != 4 {
			t.Errorf("%+v %+v %+v", two, three, four)
		}
		if three.ReplacedBy != 2 || !three.ReplacedAt.Equal(at10) {
			t.Errorf("version 2 is planned to take the place of 3: %+v", three)
		}
		three.ReplacedBy, three.ReplacedAt = 0, time.Time{} // told when it is published, not kept
		s := fetch(t, d, &cache)
		for after, want := range map[time.Duration]int64{
			-1000 * time.Hour: 1, 0: 1, 2*time.Hour - 1: 1, 2 * time.Hour: 3, 10*time.Hour - 1: 3, 10 * time.Hour: 4, 99 * time.Hour: 4,
		} {
			if got := s.At(noon.Add(after)).Version; got != want {
				t.Errorf("after %s version %d is in force, not %d", after, got, want)
			}
		}
		if s.Latest().Version != 4 || s.Version(2).Version != 2 || s.Version(0) != nil || s.Version(5) != nil {
			t.Error("versions by number are mixed up")
		}
		var list []Published
		if err := d.Read(ctx, func(tx *db.Tx) (err error) { list, err = List(ctx, tx, "kaffe"); return err }); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff([]Published{four, three, two, one}, list); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff([]Published{one, two, three, four}, s.List()); d != "" {
			t.Error(d)
		}
	})
}

func TestBeforeAFirstVersionWithAStartNothingIsInForce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		mustPublish(t, d, doc(t), &noon, noon)
		var cache Cache
		s := fetch(t, d, &cache)
		if s.At(noon.Add(-1)) != nil || s.At(noon) == nil {
			t.Error("the start is not kept")
		}
	})
}

func TestTheSameAgainPublishesNothing(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		one := mustPublish(t, d, doc(t), nil, noon)
		again := mustPublish(t, d, doc(t), nil, noon.Add(time.Hour))
		one.Unchanged = true
		if d := cmp.Diff(one, again); d != "" {
			t.Error(d)
		}
		mustPublish(t, d, doc(t, "amount: 1", "amount: 2"), nil, noon.Add(2*time.Hour))
		// The old document is not in force any more: it is a new version.
		if back := mustPublish(t, d, doc(t), nil, noon.Add(3*time.Hour)); back.Version != 3 || back.Unchanged {
			t.Errorf("%+v", back)
		}
	})
}

func TestRollbackIsANewVersion(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		mustPublish(t, d, doc(t), nil, noon)
		mustPublish(t, d, doc(t, "amount: 1", "amount: 2"), nil, noon.Add(time.Hour))
		var back Published
		rollback := func(n int64) error {
			return d.Write(ctx, func(tx *db.Tx) (err error) {
				back, err = Rollback(ctx, tx, "kaffe", n, noon.Add(2*time.Hour), "cli", noon.Add(2*time.Hour))
				return err
			})
		}
		if err := rollback(1); err != nil || back.Version != 3 || back.RollbackOf != 1 || !back.EffectiveFrom.Equal(noon.Add(2*time.Hour)) {
			t.Fatalf("%+v, %v", back, err)
		}
		var cache Cache
		s := fetch(t, d, &cache)
		if got, _ := s.At(noon.Add(2 * time.Hour)).Doc.Earn[0].Give.Amount.Minor(0); got != 1 {
			t.Errorf("the rule gives %d", got)
		}
		if err := rollback(9); !errs.Is(err, errs.CodeNotFound, "version_not_found") {
			t.Error(err)
		}
	})
}

func TestARollbackTellsOfThePlannedVersionThatStillComes(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		next := noon.Add(48 * time.Hour)
		mustPublish(t, d, doc(t), nil, noon)
		mustPublish(t, d, doc(t, "amount: 1", "amount: 2"), nil, noon.Add(time.Hour))
		if p := mustPublish(t, d, doc(t, "amount: 1", "amount: 3"), &next, noon.Add(time.Hour)); p.ReplacedBy != 0 {
			t.Errorf("the last one is replaced: %+v", p)
		}
		rollback := func(from time.Time) (p Published) {
			t.Helper()
			err := d.Write(ctx, func(tx *db.Tx) (err error) {
				p, err = Rollback(ctx, tx, "kaffe", 1, from, "cli", noon.Add(2*time.Hour))
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		if p := rollback(noon.Add(2 * time.Hour)); p.Version != 4 || p.ReplacedBy != 3 || !p.ReplacedAt.Equal(next) {
			t.Errorf("%+v", p)
		}
		if p := rollback(noon.Add(3 * time.Hour)); !p.Unchanged || p.Version != 4 || p.ReplacedBy != 3 {
			t.Errorf("%+v", p)
		}
		if p := rollback(next); p.Version != 5 || p.ReplacedBy != 0 {
			t.Errorf("%+v", p)
		}
		var cache Cache
		set := fetch(t, d, &cache)
		if p := set.Planned(set.List()[3]); p.ReplacedBy != 5 || set.At(next).Version != 5 {
			t.Errorf("version 3 begins at the same moment as 5 and does not count: %+v, %d", p, set.At(next).Version)
		}
	})
}

func member(t *testing.T, d *db.DB) {
	t.Helper()
	err := d.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO members (bucket, program_id, member_id, created_at, updated_at) VALUES (1, 'kaffe', 'mem_1', 0, 0)`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestWhatMembersHoldKeepsItsMeaning(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		mustPublish(t, d, doc(t), nil, noon)
		changed := doc(t, "star: {name: star}", "star: {name: star, precision: 2}", "  mile: {name: mile, precision: 2}\n", "", "NOK", "SEK")
		// Without members the owner may still try things out.
		if got := mustPublish(t, d, changed, nil, noon.Add(time.Minute)); !got.EffectiveFrom.IsZero() {
			t.Errorf("the old meaning is in force until %s", got.EffectiveFrom)
		}
		if _, err := publish(t, d, doc(t), &noon, noon); !errs.Is(err, errs.CodeConflict, "units_in_use") {
			t.Errorf("two meanings, one after the other: %v", err)
		}
		mustPublish(t, d, doc(t, "amount: 1", "amount: 5"), nil, noon.Add(2*time.Minute))
		member(t, d)
		mustPublish(t, d, doc(t), nil, noon.Add(3*time.Minute))
		_, err := publish(t, d, changed, nil, noon.Add(time.Hour))
		if !errs.Is(err, errs.CodeConflict, "units_in_use") {
			t.Fatal(err)
		}
		want := []errs.Field{
			{Pointer: "/currency", Reason: "currency_changed", Message: "currency cannot change from NOK to SEK, make a new program"},
			{Pointer: "/units/mile", Reason: "unit_removed", Message: "unit mile cannot be left out, members may hold it; keep it, without rules that give it"},
			{Pointer: "/units/star/precision", Reason: "precision_changed", Message: "precision of unit star cannot change from 0 to 2, make a new unit"},
		}
		if d := cmp.Diff(want, errs.As(err).Fields); d != "" {
			t.Error(d)
		}
		var cache Cache
		if got := fetch(t, d, &cache).Latest().Version; got != 4 {
			t.Errorf("what was refused left version %d", got)
		}
		// What one version added and an earlier one did not have may not go either; new units may come.
		added := doc(t, "units:", "units:\n  leaf: {name: leaf}")
		mustPublish(t, d, added, nil, noon.Add(time.Hour))
		if _, err := publish(t, d, doc(t), nil, noon.Add(2*time.Hour)); !errs.Is(err, errs.CodeConflict, "units_in_use") {
			t.Error(err)
		}
	})
}

func TestMistakesAreToldAllAtOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		bad := doc(t)
		bad.Currency, bad.TimeZone = "kr", "Mars/North"
		_, err := publish(t, d, bad, nil, noon)
		if !errs.Is(err, errs.CodeInvalid, "invalid_program") || len(errs.As(err).Fields) < 2 {
			t.Error(err)
		}
		other := doc(t, "program: kaffe", "program: te")
		if _, err := publish(t, d, other, nil, noon); !errs.Is(err, errs.CodeInvalid, "wrong_program") {
			t.Error(err)
		}
		var cache Cache
		err = d.Read(ctx, func(tx *db.Tx) error { _, err := cache.Get(ctx, tx, "kaffe"); return err })
		if !errs.Is(err, errs.CodeNotFound, "program_not_found") {
			t.Error(err)
		}
		err = d.Read(ctx, func(tx *db.Tx) error { _, err := Load(ctx, tx, "kaffe"); return err })
		if !errs.Is(err, errs.CodeNotFound, "program_not_found") {
			t.Error(err)
		}
	})
}

func TestTheCacheCompilesOnceAndSeesOthersPublish(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		mustPublish(t, d, doc(t), nil, noon)
		var cache Cache
		a, b := fetch(t, d, &cache), fetch(t, d, &cache)
		if a != b {
			t.Error("nothing was published, and the set is another")
		}
		mustPublish(t, d, doc(t, "amount: 1", "amount: 2"), nil, noon.Add(time.Hour))
		c := fetch(t, d, &cache)
		if c.Latest().Version != 2 || c.Version(1) != a.Version(1) {
			t.Error("the new version is not seen, or the old one was compiled again")
		}
	})
}

func TestAPublicationRolledBackIsForgottenByTheCache(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		mustPublish(t, d, doc(t), nil, noon)
		var cache Cache
		undone := errors.New("undone")
		err := d.Write(ctx, func(tx *db.Tx) error {
			if _, err := Publish(ctx, tx, PublishInput{Program: "kaffe", Document: doc(t, "amount: 1", "amount: 7"), Now: noon.Add(time.Hour)}); err != nil {
				return err
			}
			if s, err := cache.Get(ctx, tx, "kaffe"); err != nil || s.Latest().Version != 2 {
				t.Errorf("a transaction does not see what it published: %v", err)
			}
			return undone
		})
		if !errors.Is(err, undone) {
			t.Fatal(err)
		}
		mustPublish(t, d, doc(t, "amount: 1", "amount: 8"), nil, noon.Add(time.Hour))
		if got, _ := fetch(t, d, &cache).Latest().Doc.Earn[0].Give.Amount.Minor(0); got != 8 {
			t.Errorf("version 2 gives %d", got)
		}
	})
}

func TestPublicationsAtOnceAreNumberedOneByOne(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var wg sync.WaitGroup
		var cache Cache
		for k := range 8 {
			wg.Go(func() {
				err := d.Write(ctx, func(tx *db.Tx) error {
					_, err := Publish(ctx, tx, PublishInput{Program: "kaffe", Document: doc(t, "amount: 1", "amount: "+string(rune('1'+k))), Now: noon})
					if err == nil {
						_, err = cache.Get(ctx, tx, "kaffe")
					}
					return err
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if s := fetch(t, d, &cache); s.Latest().Version != 8 || len(s.List()) != 8 {
			t.Errorf("%d versions", len(s.List()))
		}
	})
}
