package seal_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"lojal.dev/lojal/internal/audit"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/export"
	"lojal.dev/lojal/internal/job"
	"lojal.dev/lojal/internal/member"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/seal"
	"lojal.dev/lojal/internal/version"
)

const shop = `
program: shop
name: Shop
time_zone: Europe/Oslo
currency: NOK
units:
  point: {name: {en: {one: point, other: points}}}
earn:
  - {id: base, on: purchase, give: {unit: point, amount: 1, per: 1.00}}
tiers:
  club: {by: {sum: spend}, steps: [{id: basic, from: 0}, {id: gold, from: 300.00}]}
`

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// desk is a program whose members buy.
type desk struct {
	t *testing.T
	d *db.DB
	r *record.Recorder
	n int
}

func open(t *testing.T, d *db.DB) *desk {
	t.Helper()
	k := &desk{t: t, d: d, r: record.New(d, &version.Cache{})}
	t.Cleanup(k.r.Close)
	k.publish(shop, noon)
	return k
}

func (k *desk) publish(text string, now time.Time) {
	k.t.Helper()
	doc, err := program.Parse([]byte(text), "shop.yaml")
	if err != nil {
		k.t.Fatal(err)
	}
	k.write(func(tx *db.Tx) error {
		_, err := version.Publish(k.t.Context(), tx, version.PublishInput{Program: "shop", Document: doc, By: "test", Now: now})
		return err
	})
}

func (k *desk) write(f func(tx *db.Tx) error) {
	k.t.Helper()
	if err := k.d.Write(context.Background(), f); err != nil {
		k.t.Fatal(err)
	}
}

func (k *desk) exec(query string, args ...any) {
	k.t.Helper()
	k.write(func(tx *db.Tx) error {
		res, err := tx.Exec(context.Background(), query, args...)
		if err != nil {
			return fmt.Errorf("%s: %w", query, err)
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return fmt.Errorf("%s: touched nothing (%w)", query, err)
		}
		return nil
	})
}

// buy enrols a member who buys some times, one transaction each.
func (k *desk) buy(times int) {
	k.t.Helper()
	k.n++
	ext := fmt.Sprint("m", k.n)
	reqs := []record.Request{{Fact: engine.Fact{Kind: engine.Enrolment}, Enrol: &member.New{Profile: member.Profile{ExternalID: ext}}}}
	for i := range times {
		amount := money.MustParse(fmt.Sprint(100 + i))
		reqs = append(reqs, record.Request{Member: "ext:" + ext, Fact: engine.Fact{Kind: engine.PurchaseK, Purchase: &engine.Purchase{Amount: &amount}}})
	}
	for i, req := range reqs {
		req.Program, req.Now = "shop", noon.Add(time.Duration(i)*time.Minute)
		if _, err := k.r.Record(k.t.Context(), req); err != nil {
			k.t.Fatal(err)
		}
	}
}

// seal seals once all that is committed has come to rest.
func (k *desk) seal(now time.Time) seal.Sealed {
	k.t.Helper()
	if !k.d.Distributed() {
		dbtest.Settle(k.t, k.d)
	}
	out, err := seal.Program(k.t.Context(), k.d, "shop", now)
	if err != nil {
		k.t.Fatal(err)
	}
	return out
}

func check(t *testing.T, d *db.DB, heads ...seal.Head) *seal.Checked {
	t.Helper()
	out, err := seal.Check(context.Background(), d, "shop", seal.CheckOptions{Heads: heads})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestTheChainGrowsAndHolds(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := open(t, d)
		if c := check(t, d); c.Head != nil || len(c.Findings) > 0 {
			t.Errorf("nothing is sealed: %+v", c)
		}
		first := k.seal(noon) // the version alone
		k.buy(3)
		if c := check(t, d); c.Unsealed != 4 {
			t.Errorf("%+v", c)
		}
		second := k.seal(noon.Add(time.Hour))
		again := k.seal(noon.Add(2 * time.Hour))
		if first.Seals != 1 || first.Facts != 0 || second.Seals != 1 || second.Facts != 4 || second.Postings != 3 || again.Seals != 0 ||
			again.Head.Number != 2 || second.Head != nil && second.Head.Number != 2 {
			t.Errorf("%+v\n%+v\n%+v", first, second, again)
		}
		k.publish(strings.Replace(shop, "amount: 1", "amount: 2", 1), noon.Add(3*time.Hour))
		k.buy(1)
		third := k.seal(noon.Add(4 * time.Hour))
		c := check(t, d, first.Head.Head(), again.Head.Head(), third.Head.Head())
		if len(c.Findings) > 0 || c.Seals != 3 || c.Facts != 6 || c.Unsealed != 0 || c.Head.Head() != third.Head.Head() || third.Head.Version != 2 {
			t.Errorf("%+v %+v", c, third)
		}
		part, err := seal.Check(t.Context(), d, "shop", seal.CheckOptions{After: 2, Heads: []seal.Head{first.Head.Head()}})
		if err != nil || len(part.Findings) > 0 || part.Seals != 1 || part.Facts != 2 {
			t.Errorf("%+v %v", part, err)
		}
	})
}

func TestWhatIsOpenIsNotSealed(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, db.Postgres)
	k := open(t, d)
	k.buy(1)
	k.seal(noon)
	// A transaction that took its number before the purchases below and commits after them.
	open, release, gone := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		gone <- d.Write(context.Background(), func(tx *db.Tx) error {
			if _, err := tx.Stamp(context.Background()); err != nil {
				return err
			}
			close(open)
			<-release
			return nil
		})
	}()
	<-open
	k.buy(2)
	held, err := seal.Program(t.Context(), d, "shop", noon)
	if err != nil || held.Facts != 0 {
		t.Errorf("sealed beyond an open transaction: %+v %v", held, err)
	}
	close(release)
	if err := <-gone; err != nil {
		t.Fatal(err)
	}
	if s := k.seal(noon); s.Facts != 3 {
		t.Errorf("%+v", s)
	}
}

func TestTwoNodesMakeOneChain(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := open(t, d)
		k.buy(5)
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				for j := range 5 {
					if _, err := seal.Program(context.Background(), d, "shop", noon.Add(time.Duration(i*10+j)*time.Second)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		for range 10 {
			k.buy(2)
		}
		wg.Wait()
		k.seal(noon)
		if c := check(t, d); len(c.Findings) > 0 || c.Facts != 36 || c.Unsealed != 0 {
			t.Errorf("%+v", c)
		}
	})
}

func TestALongHistoryTakesSeveralSeals(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		k := open(t, d)
		k.buy(1)
		// Copies of one purchase are history enough: nothing here follows from them.
		k.exec(`INSERT INTO facts (bucket, program_id, member_id, seq, id, kind, occurred_at, recorded_at, version, body, decision, stamp, n)
WITH RECURSIVE more (i) AS (SELECT 3 UNION ALL SELECT i + 1 FROM more WHERE i < 9000)
SELECT bucket, program_id, member_id, more.i, id || '_' || more.i, kind, occurred_at, recorded_at, version, body, decision, stamp, n + more.i
FROM facts CROSS JOIN more WHERE seq = 2`)
		if s := k.seal(noon); s.Seals != 3 || s.Facts != 9000 {
			t.Errorf("%+v", s)
		}
		if c := check(t, d); len(c.Findings) > 0 || c.Facts != 9000 || c.Seals != 3 {
			t.Errorf("%+v", c)
		}
	})
}

// Facts of before the order of commits was kept have no place in it.
func TestFactsWithoutAPlaceAreSealedFirst(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		k := open(t, d)
		k.buy(3)
		k.exec(`UPDATE facts SET stamp = 0, n = 0`)
		k.buy(2)
		first := k.seal(noon)
		k.buy(1)
		k.seal(noon)
		c := check(t, d)
		if first.Seals != 2 || first.Facts != 7 || len(c.Findings) > 0 || c.Facts != 9 {
			t.Errorf("%+v %+v", first, c)
		}
		k.exec(`UPDATE facts SET stamp = 0, n = 0 WHERE seq = 3 AND stamp > 0`)
		if c := check(t, d); len(c.Findings) == 0 {
			t.Error("a fact was moved before all others and not found")
		}
	})
}

func TestTamperingBreaksTheChain(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		k := open(t, d)
		k.buy(4)
		k.seal(noon)
		k.buy(4)
		k.publish(strings.Replace(shop, "amount: 1", "amount: 2", 1), noon.Add(time.Hour))
		k.seal(noon.Add(time.Hour))
		k.buy(2)
		head := k.seal(noon.Add(2 * time.Hour)).Head
		if head == nil {
			head = check(t, d).Head
		}
		insert := `INSERT INTO facts SELECT bucket, program_id, member_id, 9, id || 'x', kind, source, external_id, parent, occurred_at, recorded_at, version, actor, body, decision, seen, stamp, n + 1, events FROM facts WHERE `
		for _, c := range []struct{ name, do, row, says string }{
			{"a fact's body", `UPDATE facts SET body = REPLACE(body, '"102"', '"992"') WHERE seq = 4`, "seq 4", "not as it was sealed"},
			{"a fact's decision", `UPDATE facts SET decision = decision || ' ' WHERE seq = 4`, "seq 4", "not as it was sealed"},
			{"what a fact told", `UPDATE facts SET events = REPLACE(events, 'earned', 'gained') WHERE seq = 4`, "seq 4", "not as it was sealed"},
			{"what a fact saw", `UPDATE facts SET seen = '{}' WHERE seq = 4`, "seq 4", "not as it was sealed"},
			{"a fact's actor", `UPDATE facts SET actor = 'somebody' WHERE seq = 4`, "seq 4", "not as it was sealed"},
			{"a fact's time", `UPDATE facts SET occurred_at = occurred_at - 1 WHERE seq = 4`, "seq 4", "not as it was sealed"},
			{"when a fact was recorded", `UPDATE facts SET recorded_at = recorded_at + 1 WHERE seq = 5`, "seq 5", "not as it was sealed"},
			{"a fact's version", `UPDATE facts SET version = 2 WHERE seq = 4`, "seq 4", "not as it was sealed"},
			{"a fact's natural key", `UPDATE facts SET source = 'till', external_id = '1' WHERE seq = 4`, "seq 4", "not as it was sealed"},
			{"a fact's parent", `UPDATE facts SET parent = 'x' WHERE seq = 4`, "seq 4", "not as it was sealed"},
			{"a fact's kind", `UPDATE facts SET kind = 'return' WHERE seq = 4`, "seq 4", "not as it was sealed"},
			{"a fact's member", `UPDATE facts SET member_id = member_id || 'x' WHERE seq = 4`, "seq 4", "not as it was sealed"},
			{"a posting's amount", `UPDATE postings SET amount = amount + 1 WHERE seq = 4`, "seq 4", "postings"},
			{"a posting's lot", `UPDATE postings SET lot = 9 WHERE seq = 4`, "seq 4", "postings"},
			{"a posting's side", `UPDATE postings SET from_account = 'program:adjusted' WHERE seq = 4`, "seq 4", "postings"},
			{"a posting that goes", `DELETE FROM postings WHERE seq = 4`, "seq 4", "postings"},
			{"a fact that goes", `DELETE FROM facts WHERE seq = 3 AND member_id IN (SELECT MIN(member_id) FROM facts)`, "seq 4", "1 are missing"},
			{"two facts that go", `DELETE FROM facts WHERE seq IN (2, 3) AND member_id IN (SELECT MIN(member_id) FROM facts)`, "seq 4", "2 are missing"},
			{"the last facts that go", `DELETE FROM facts WHERE stamp = (SELECT MAX(stamp) FROM facts)`, "the last of seal", "are gone"},
			{"a fact that comes", insert + `seq = 3`, "seq 9", "was put in"},
			{"a fact that comes last", insert + `stamp = (SELECT MAX(stamp) FROM facts WHERE stamp < (SELECT MAX(stamp) FROM facts))`, "seq 9", "was put in"},
			{"facts that change places", `UPDATE facts SET stamp = CASE stamp WHEN (SELECT MAX(stamp) FROM facts) THEN (SELECT MAX(stamp) FROM facts WHERE stamp < (SELECT MAX(stamp) FROM facts)) ELSE (SELECT MAX(stamp) FROM facts) END WHERE stamp >= (SELECT MAX(stamp) FROM facts WHERE stamp < (SELECT MAX(stamp) FROM facts))`, "seq 3", "another place"},
			{"a version's document", `UPDATE versions SET document = document || ' ' WHERE version = 1`, "seals shop number 1", "a published version"},
			{"a version's beginning", `UPDATE versions SET effective_from = effective_from - 1 WHERE version = 2`, "seals shop number 2", "a published version"},
			{"a seal's hash", `UPDATE seals SET hash = previous WHERE number = 2`, "seals shop number 2", "was changed itself"},
			{"a seal's time", `UPDATE seals SET sealed_at = sealed_at - 1 WHERE number = 2`, "seals shop number 2", "was changed itself"},
			{"a seal's count", `UPDATE seals SET facts = facts + 1 WHERE number = 2`, "seals shop number 2", "says that it covers"},
			{"a seal's prints", `UPDATE seals SET prints = 'AAAA' || SUBSTR(prints, 5) WHERE number = 2`, "seals shop number 2", "other prints"},
			{"a seal's end", `UPDATE seals SET n = n + 1 WHERE number = 1`, "seals shop number 1", "no fact is"},
			{"how far a seal goes", `UPDATE seals SET stamp = (SELECT MAX(stamp) FROM facts) WHERE number = 1`, "seq", "put in"},
			{"a seal's form", `UPDATE seals SET form = 9 WHERE number = 2`, "seals shop number 2", "form 9"},
			{"a seal's link", `UPDATE seals SET previous = hash WHERE number = 2`, "seals shop number 2", "follows"},
			{"a seal that goes", `DELETE FROM seals WHERE number = 2`, "seals shop number 2", "is missing"},
			{"the last seal that goes", `DELETE FROM seals WHERE number = 3`, "seals shop", "older state"},
			{"all seals that go", `DELETE FROM seals`, "seals shop", "older state"},
		} {
			t.Run(c.name, func(t *testing.T) {
				var out *seal.Checked
				k.tampered(c.do, func() { out = check(t, d, head.Head()) })
				if !slices.ContainsFunc(out.Findings, func(f seal.Finding) bool {
					return strings.Contains(f.Row, c.row) && strings.Contains(f.Message, c.says)
				}) {
					t.Errorf("want %q that %q, have %+v", c.row, c.says, out.Findings)
				}
			})
		}
		if c := check(t, d, head.Head()); len(c.Findings) > 0 {
			t.Errorf("after all was undone: %+v", c.Findings)
		}
	})
}

// tampered does something to the tables, looks, and puts them back.
func (k *desk) tampered(do string, look func()) {
	k.t.Helper()
	tables := []string{"facts", "postings", "seals", "versions"}
	for _, table := range tables {
		k.write(func(tx *db.Tx) error {
			_, err := tx.Exec(context.Background(), "CREATE TABLE kept_"+table+" AS SELECT * FROM "+table)
			return err
		})
	}
	k.exec(do)
	look()
	for _, table := range tables {
		k.write(func(tx *db.Tx) error {
			for _, q := range []string{"DELETE FROM " + table, "INSERT INTO " + table + " SELECT * FROM kept_" + table, "DROP TABLE kept_" + table} {
				if _, err := tx.Exec(context.Background(), q); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

// Whoever changes a fact and makes all seals anew leaves a chain that holds in itself: a head that was kept finds it.
func TestAKeptHeadFindsAChainThatWasMadeAnew(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := open(t, d)
		k.buy(2)
		k.seal(noon)
		kept := check(t, d).Head.Head()
		k.exec(`UPDATE facts SET body = REPLACE(body, '"100"', '"900"') WHERE seq = 2`)
		k.exec(`DELETE FROM seals`)
		k.seal(noon)
		if c := check(t, d); len(c.Findings) > 0 {
			t.Errorf("%+v", c.Findings)
		}
		c := check(t, d, kept)
		if len(c.Findings) != 1 || !strings.Contains(c.Findings[0].Message, "history was changed") || !strings.Contains(c.Findings[0].Message, kept.String()) {
			t.Errorf("%+v", c.Findings)
		}
	})
}

// The row of a kept head may be deleted, and the chain looked at from behind it, or not at all.
func TestAKeptHeadWithoutItsSealIsToldOf(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := open(t, d)
		var kept []seal.Head
		for range 4 {
			k.buy(1)
			k.seal(noon)
			kept = append(kept, check(t, d).Head.Head())
		}
		k.exec(`DELETE FROM seals WHERE number = 2`)
		for name, opts := range map[string]seal.CheckOptions{"whole": {}, "a part": {After: 3}, "heads alone": {HeadsOnly: true}} {
			opts.Heads = kept
			c, err := seal.Check(context.Background(), d, "shop", opts)
			if err != nil {
				t.Fatal(err)
			}
			told := 0
			for _, f := range c.Findings {
				if f.Row == "seals shop number 2" && strings.Contains(f.Message, kept[1].String()) {
					told++
				}
			}
			if told != 1 || name != "whole" && len(c.Findings) != 1 {
				t.Errorf("%s: %+v", name, c.Findings)
			}
		}
	})
}

func TestTheChainGoesThroughAnExportToEitherEngine(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		k := open(t, d)
		k.buy(3)
		k.seal(noon)
		older := filepath.Join(t.TempDir(), "older")
		m, err := export.Write(t.Context(), d, older, "test", noon)
		if err != nil {
			t.Fatal(err)
		}
		_, kept, err := seal.ParseHead(m.Heads["shop"])
		if err != nil {
			t.Fatal(err)
		}
		k.buy(3)
		k.seal(noon)
		newer := check(t, d).Head.Head()
		for _, engine := range []db.Dialect{db.SQLite, db.Postgres} {
			t.Run("to "+string(engine), func(t *testing.T) {
				url := dbtest.EmptyURL(t, engine)
				if _, err := export.Restore(t.Context(), url, older, noon); err != nil {
					t.Fatal(err)
				}
				there, err := db.Open(t.Context(), url, db.Options{})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { there.Close() })
				if c := check(t, there, kept); len(c.Findings) > 0 || c.Facts != 4 {
					t.Errorf("%+v", c)
				}
				c := check(t, there, newer)
				if len(c.Findings) != 1 || !strings.Contains(c.Findings[0].Message, "older state") {
					t.Errorf("the head of the newer state: %+v", c.Findings)
				}
				// It goes on growing there, also after the place where the older one ended.
				k2 := &desk{t: t, d: there, r: record.New(there, &version.Cache{}), n: 100}
				t.Cleanup(k2.r.Close)
				k2.buy(2)
				k2.seal(noon)
				if c := check(t, there, kept); len(c.Findings) > 0 || c.Facts != 7 || c.Unsealed != 0 {
					t.Errorf("%+v", c)
				}
			})
		}
	})
}

func TestTheHeadIsNotedOnceADay(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := open(t, d)
		for hour := range 4 {
			k.buy(1)
			k.seal(noon.Add(time.Duration(hour) * 10 * time.Hour)) // 12:00, 22:00, 08:00 and 18:00 the next day
		}
		var noted []audit.Entry
		err := d.Read(t.Context(), func(tx *db.Tx) (err error) {
			noted, _, err = audit.List(t.Context(), tx, "shop", audit.Query{Action: seal.Action})
			return err
		})
		if err != nil || len(noted) != 2 {
			t.Fatalf("%+v %v", noted, err)
		}
		var heads []seal.Head
		for _, e := range noted {
			_, h, err := seal.ParseHead(e.Target)
			if err != nil {
				t.Error(err)
			}
			heads = append(heads, h)
		}
		if c := check(t, d, heads...); len(c.Findings) > 0 {
			t.Errorf("%+v", c.Findings)
		}
	})
}

func TestTheJobSeals(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		k := open(t, d)
		k.buy(2)
		dbtest.Settle(t, d)
		clock := func() time.Time { return noon }
		jobs := job.NewRunner(job.Options{DB: d, Clock: clock, Poll: time.Millisecond, Logger: slog.New(slog.DiscardHandler)})
		seal.Handle(jobs, d, clock, time.Hour, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(context.Background())
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			jobs.Run(ctx)
		}()
		for sealed := false; !sealed; {
			sealed = check(t, d).Head != nil
		}
		cancel()
		<-stopped
		if c := check(t, d); c.Facts != 3 || len(c.Findings) > 0 {
			t.Errorf("%+v", c)
		}
	})
}

func TestHeadsAreWrittenAsTheyAreRead(t *testing.T) {
	t.Parallel()
	hash := strings.Repeat("0f", 32)
	for text, want := range map[string]seal.Head{
		hash + "@12":                          {Hash: hash, Number: 12},
		" " + strings.ToUpper(hash) + "@12\n": {Hash: hash, Number: 12},
		"shop:" + hash + "@12":                {Hash: hash, Number: 12}, "shop " + hash + "@12": {Hash: hash, Number: 12},
		"shop:": {}, "shop:" + hash: {}, ":" + hash + "@12": {}, "shop:other:" + hash + "@12": {}, "shop other " + hash + "@12": {},
		hash: {}, hash + "@0": {}, hash + "@x": {}, hash[1:] + "@12": {}, "@12": {}, "": {}, hash + "@1@2": {},
	} {
		program, got, err := seal.ParseHead(text)
		if got != want || (program == "shop") != (want != seal.Head{} && strings.HasPrefix(text, "shop")) || (want == seal.Head{}) != errs.Is(err, errs.CodeMalformed, "not_a_head") {
			t.Errorf("%q: %+v %v", text, got, err)
		}
	}
	if h := (seal.Head{Hash: hash, Number: 12}); h.String() != hash+"@12" {
		t.Error(h)
	}
	if h := (seal.Head{Hash: hash, Number: 12}).Of("shop"); h != "shop:"+hash+"@12" {
		t.Error(h)
	}
}
