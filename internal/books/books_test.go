package books_test

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/ledger"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func day(n int) time.Time { return noon.AddDate(0, 0, n) }

// desk writes decisions that are made by hand, since what they lead to is not what is tested here.
type desk struct {
	t   *testing.T
	d   *db.DB
	ref books.Ref
	// facts are the ids of the facts written, by number from 1.
	facts []string
}

func open(t *testing.T, d *db.DB) *desk {
	t.Helper()
	k := &desk{t: t, d: d, ref: books.Ref{Program: "shop", Member: ids.New("mem", noon)}, facts: []string{""}}
	k.write(func(tx *db.Tx) error {
		_, err := tx.Exec(t.Context(), `INSERT INTO programs (program_id, created_at) VALUES ('shop', 0)`)
		return err
	})
	return k
}

func (k *desk) write(f func(tx *db.Tx) error) {
	k.t.Helper()
	if err := k.d.Write(k.t.Context(), f); err != nil {
		k.t.Fatal(err)
	}
}

func (k *desk) read(f func(tx *db.Tx) error) {
	k.t.Helper()
	if err := k.d.Read(k.t.Context(), f); err != nil {
		k.t.Fatal(err)
	}
}

// post writes one fact with a decision, on lots that it changes as given.
func (k *desk) post(f engine.Fact, d engine.Decision, change func(acc *engine.Account)) string {
	k.t.Helper()
	f.ID, f.Member, f.RecordedAt = ids.NewIn("fct", noon, k.ref.Bucket()), k.ref.Member, noon
	k.write(func(tx *db.Tx) error {
		s := books.NewSheet()
		if err := s.Open(k.t.Context(), tx, []books.Ref{k.ref}); err != nil {
			return err
		}
		folio := s.Folio(k.ref)
		p := books.Deciding{Folio: folio, Fact: f, Needs: engine.Needs{Lots: true, Past: []string{f.Parent}}}
		if err := s.Fetch(k.t.Context(), tx, []books.Deciding{p}); err != nil {
			return err
		}
		in := folio.Input(p)
		after := *in.Account
		after.State.Seq++
		if change != nil {
			change(&after)
		}
		if err := folio.Post(p, in, d, &after); err != nil {
			return err
		}
		return s.Write(k.t.Context(), tx)
	})
	k.facts = append(k.facts, f.ID)
	return f.ID
}

func lot(id, spendable int64, expires *time.Time) *ledger.Lot {
	return &ledger.Lot{ID: id, Unit: "point", Fact: "f", EarnedAt: noon, ExpiresAt: expires, Amount: 100, Spendable: spendable, Dirty: true}
}

func earns(n int64, l int64) engine.Decision {
	return engine.Decision{Version: 1, Postings: []ledger.Posting{{Unit: "point", Lot: l, From: ledger.Issued, To: ledger.Spendable, Amount: n, Rule: "base"}},
		Events: []engine.Event{{Type: engine.EvEarned, Data: map[string]string{"unit": "point"}}}}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := open(t, d)
		ends := day(30)
		for i := range 5 {
			kind := engine.PurchaseK
			if i%2 == 1 {
				kind = engine.ActivityK
			}
			k.post(engine.Fact{Kind: kind, OccurredAt: day(i), Actor: "till"}, earns(int64(10+i), int64(i+1)), func(acc *engine.Account) {
				acc.State.Lots++
				acc.State.DueAt = &ends
				acc.Lots = append(slices.Clone(acc.Lots), lot(acc.State.Lots, int64(10+i), &ends))
			})
		}
		child := k.post(engine.Fact{Kind: engine.ReturnK, OccurredAt: day(9), Parent: k.facts[1]}, engine.Decision{Version: 1, Postings: []ledger.Posting{
			{Unit: "point", Lot: 1, From: ledger.Spendable, To: ledger.Reversed, Amount: 10, Of: k.facts[1]},
			{Unit: "point", From: ledger.Debt, To: ledger.Reversed, Amount: 3, Of: k.facts[1]},
		}}, func(acc *engine.Account) { acc.Lots = []*ledger.Lot{lot(1, 0, &ends)} })

		ctx := t.Context()
		k.read(func(tx *db.Tx) error {
			e, about, err := books.Find(ctx, tx, "shop", k.facts[1])
			if err != nil || e.Seq != 1 || e.Fact.Kind != engine.PurchaseK || e.Fact.Actor != "till" || !e.Fact.OccurredAt.Equal(day(0)) ||
				len(e.Decision.Postings) != 1 || len(about) != 1 || about[0].Fact.ID != child {
				t.Errorf("Find: %+v %+v %v", e, about, err)
			}
			for _, id := range []string{"nonsense", ids.NewIn("fct", noon, 5), ""} {
				if _, _, err := books.Find(ctx, tx, "shop", id); !errs.Is(err, errs.CodeNotFound, "fact_not_found") {
					t.Errorf("Find %q: %v", id, err)
				}
			}
			if _, _, err := books.Find(ctx, tx, "other", k.facts[1]); !errs.Is(err, errs.CodeNotFound, "") {
				t.Errorf("Find in another program: %v", err)
			}

			var seqs []int64
			for page := (books.Page{Limit: 2}); ; {
				list, err := books.Facts(ctx, tx, k.ref, page)
				if err != nil {
					return err
				}
				for _, e := range list {
					seqs = append(seqs, e.Seq)
				}
				if len(list) < page.Limit {
					break
				}
				page.Before = list[len(list)-1].Seq
			}
			if !slices.Equal(seqs, []int64{6, 5, 4, 3, 2, 1}) {
				t.Errorf("Facts: %v", seqs)
			}
			list, err := books.Facts(ctx, tx, k.ref, books.Page{Kinds: []engine.Kind{engine.ActivityK, engine.ReturnK}, Limit: 9})
			if err != nil || len(list) != 3 {
				t.Errorf("Facts of kinds: %d %v", len(list), err)
			}

			var rows []string
			for page := (books.PostingPage{Limit: 3}); ; {
				list, err := books.Postings(ctx, tx, k.ref, page)
				if err != nil {
					return err
				}
				for _, p := range list {
					rows = append(rows, fmt.Sprint(p.Seq, ".", p.N, "=", p.Amount))
				}
				if len(list) < page.Limit {
					break
				}
				page.BeforeSeq, page.BeforeN = list[len(list)-1].Seq, list[len(list)-1].N
			}
			if want := []string{"6.2=3", "6.1=10", "5.1=14", "4.1=13", "3.1=12", "2.1=11", "1.1=10"}; !slices.Equal(rows, want) {
				t.Errorf("Postings: %v", rows)
			}
			none, err := books.Postings(ctx, tx, k.ref, books.PostingPage{Unit: "mile", Limit: 3})
			if err != nil || len(none) != 0 {
				t.Errorf("Postings of another unit: %v %v", none, err)
			}

			lots, err := books.Lots(ctx, tx, k.ref, false, 0, 10)
			if err != nil || len(lots) != 4 || lots[0].ID != 2 || !lots[0].ExpiresAt.Equal(ends) {
				t.Errorf("open lots: %+v %v", lots, err)
			}
			lots, err = books.Lots(ctx, tx, k.ref, true, 0, 10)
			if err != nil || len(lots) != 5 || lots[0].Spendable != 0 {
				t.Errorf("all lots: %+v %v", lots, err)
			}

			for _, c := range []struct {
				at              time.Time
				spendable, debt int64
			}{{day(0).Add(-1), 0, 0}, {day(0), 10, 0}, {day(2), 33, 0}, {day(8), 60, 0}, {day(9), 50, 3}} {
				held, err := books.BalancesAt(ctx, tx, k.ref, c.at)
				if err != nil || held["point"].Spendable != c.spendable || held["point"].Debt != c.debt {
					t.Errorf("at %s: %+v %v", c.at, held, err)
				}
			}
			sums, err := books.Earned(ctx, tx, k.ref, []time.Time{day(0), day(2), day(4), day(5)})
			if err != nil || len(sums) != 3 || sums[0]["point"] != 21 || sums[1]["point"] != 25 || sums[2]["point"] != 14 {
				t.Errorf("Earned: %v %v", sums, err)
			}
			due, err := books.DueAfter(ctx, tx, ends, books.Due{}, 10)
			if err != nil || len(due) != 1 || due[0].Ref != k.ref || !due[0].At.Equal(ends) {
				t.Errorf("DueAfter: %v %v", due, err)
			}
			if due, err = books.DueAfter(ctx, tx, ends, due[0], 10); err != nil || len(due) != 0 {
				t.Errorf("DueAfter the last: %v %v", due, err)
			}
			if due, err = books.DueAfter(ctx, tx, ends.Add(-1000), books.Due{}, 10); err != nil || len(due) != 0 {
				t.Errorf("DueAfter before its time: %v %v", due, err)
			}
			total, err := books.Count(ctx, tx, "shop")
			if err != nil || total != (books.Totals{Accounts: 1, Facts: 6, Postings: 7, Lots: 5}) {
				t.Errorf("Count: %+v %v", total, err)
			}
			return nil
		})
	})
}

func TestAFolioBringsWhatIsAskedFor(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := open(t, d)
		hold := ids.NewIn("red", noon, k.ref.Bucket())
		first := k.post(engine.Fact{Kind: engine.PurchaseK, OccurredAt: noon, Source: "till", ExternalID: "1"}, engine.Decision{
			Postings:    earns(10, 1).Postings,
			Redemptions: []engine.RedemptionState{{ID: hold, Member: k.ref.Member, Status: engine.StatusReserved, At: noon, Lots: []engine.HeldLot{{Lot: 2, Unit: "point", Amount: 1}}}},
			Counters:    []engine.Counter{{Name: "spend", Period: "2026-03-02", Add: 5}, {Name: "spend", Period: "2026-03-04", Add: 7}, {Name: "program:stock:cup", Period: "all", Add: 2}},
		}, func(acc *engine.Account) {
			acc.State.Lots = 3
			acc.Lots = []*ledger.Lot{lot(1, 0, nil), lot(2, 0, nil), lot(3, 9, nil)}
		})
		k.write(func(tx *db.Tx) error {
			s := books.NewSheet()
			s.AddReceipt(books.Receipt{NaturalKey: books.NaturalKey{Program: "shop", Source: "till", ExternalID: "1"}, Member: k.ref.Member, Fact: first, Hash: "h"})
			return s.Write(t.Context(), tx)
		})
		k.post(engine.Fact{Kind: engine.ReturnK, OccurredAt: noon, Parent: first}, engine.Decision{}, nil)

		ask := func(tx *db.Tx, s *books.Sheet, n engine.Needs) engine.Input {
			t.Helper()
			if err := s.Open(t.Context(), tx, []books.Ref{k.ref}); err != nil {
				t.Fatal(err)
			}
			p := books.Deciding{Folio: s.Folio(k.ref), Needs: n}
			if err := s.Fetch(t.Context(), tx, []books.Deciding{p}); err != nil {
				t.Fatal(err)
			}
			return s.Folio(k.ref).Input(p)
		}
		for name, sheet := range map[string]func() *books.Sheet{"locking": books.NewSheet, "reading": books.ReadSheet} {
			k.write(func(tx *db.Tx) error {
				s := sheet()
				in := ask(tx, s, engine.Needs{})
				if len(in.Account.Lots) != 0 || len(in.Account.Tallies) != 0 || in.Account.State.Seq != 2 {
					t.Errorf("%s: nothing was asked for: %+v", name, in.Account)
				}
				in = ask(tx, s, engine.Needs{Past: []string{"till/1"}})
				if in.Past == nil || in.Past.Fact.ID != first || len(in.Past.Children) != 1 || in.Redemptions[hold] == nil {
					t.Fatalf("%s: the past: %+v", name, in)
				}
				if numbers := lotNumbers(in); !slices.Equal(numbers, []int64{1, 2}) {
					t.Errorf("%s: lots named in the past: %v", name, numbers)
				}
				in = ask(tx, s, engine.Needs{Lots: true, Past: []string{first}, Tallies: []engine.TallyRange{
					{Name: "spend", From: "2026-03-02", To: "2026-03-03"}, {Name: "program:stock:cup", From: "all", To: "all"}}})
				if numbers := lotNumbers(in); !slices.Equal(numbers, []int64{1, 2, 3}) {
					t.Errorf("%s: all lots: %v", name, numbers)
				}
				if got := fmt.Sprint(in.Account.Tallies); got != "map[program:stock:cup:map[all:2] spend:map[2026-03-02:5]]" {
					t.Errorf("%s: counters: %s", name, got)
				}
				in = ask(tx, s, engine.Needs{Tallies: []engine.TallyRange{{Name: "spend", From: "", To: "~"}}})
				if got := fmt.Sprint(in.Account.Tallies); got != "map[spend:map[2026-03-02:5 2026-03-04:7]]" {
					t.Errorf("%s: all periods: %s", name, got)
				}
				if in = ask(tx, s, engine.Needs{AllTallies: true}); len(in.Account.Tallies) != 1 {
					t.Errorf("%s: all counters of the member: %v", name, in.Account.Tallies)
				}
				return nil
			})
		}
	})
}

func lotNumbers(in engine.Input) []int64 {
	var out []int64
	for _, l := range in.Account.Lots {
		out = append(out, l.ID)
	}
	return out
}

func TestAFactOfSomebodyElseIsNoPast(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := open(t, d)
		theirs := k.post(engine.Fact{Kind: engine.PurchaseK, OccurredAt: noon}, earns(10, 1), nil)
		k.ref.Member = ids.New("mem", noon)
		k.post(engine.Fact{Kind: engine.PurchaseK, OccurredAt: noon}, earns(10, 1), nil)
		k.read(func(tx *db.Tx) error {
			s := books.ReadSheet()
			if err := s.Open(t.Context(), tx, []books.Ref{k.ref}); err != nil {
				return err
			}
			p := books.Deciding{Folio: s.Folio(k.ref), Needs: engine.Needs{Past: []string{theirs}}}
			if err := s.Fetch(t.Context(), tx, []books.Deciding{p}); err != nil {
				return err
			}
			if in := s.Folio(k.ref).Input(p); in.Past != nil {
				t.Errorf("got %+v", in.Past)
			}
			return nil
		})
	})
}

func TestWhatIsTakenBackLeavesNothing(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := open(t, d)
		k.post(engine.Fact{Kind: engine.Enrolment, OccurredAt: noon}, engine.Decision{}, nil)
		ctx := t.Context()
		k.write(func(tx *db.Tx) error {
			s := books.NewSheet()
			if err := s.Open(ctx, tx, []books.Ref{k.ref, {Program: "shop", Member: "mem_unknown"}}); err != nil {
				return err
			}
			f := s.Folio(k.ref)
			undo := f.Mark()
			p := books.Deciding{Folio: f, Fact: engine.Fact{ID: ids.NewIn("fct", noon, k.ref.Bucket()), Kind: engine.PurchaseK, Member: k.ref.Member, OccurredAt: noon}}
			d := earns(5, 1)
			d.Counters = []engine.Counter{{Name: "program:stock:cup", Period: "all", Add: 2}, {Name: "spend", Period: "all", Add: 2}}
			in := f.Input(p)
			after := *in.Account
			after.State.Seq, after.State.Lots = 2, 1
			after.Lots = []*ledger.Lot{lot(1, 5, nil)}
			if err := f.Post(p, in, d, &after); err != nil {
				return err
			}
			undo()
			return s.Write(ctx, tx)
		})
		k.read(func(tx *db.Tx) error {
			total, err := books.Count(ctx, tx, "shop")
			if err != nil || total != (books.Totals{Accounts: 1, Facts: 1}) {
				t.Errorf("%+v %v", total, err)
			}
			counters, _, err := books.Counters(ctx, tx, "shop")
			if err != nil || len(counters) != 0 {
				t.Errorf("%v %v", counters, err)
			}
			return nil
		})
	})
}

func TestACounterThatWouldOverflowIsRefused(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := open(t, d)
		k.read(func(*db.Tx) error {
			f := books.ReadSheet().Whole(k.ref)
			p := books.Deciding{Folio: f}
			in := f.Input(p)
			huge := engine.Decision{Counters: []engine.Counter{{Name: "spend", Period: "all", Add: math.MaxInt64}, {Name: "spend", Period: "all", Add: 1}}}
			if err := f.Post(p, in, huge, in.Account); !errs.Is(err, errs.CodeInvalid, "too_large") {
				t.Errorf("got %v", err)
			}
			return nil
		})
	})
}

// Transactions commit in another order than they began, and a reader with a cursor still sees every event once.
func TestTheFeedSkipsNothing(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := open(t, d)
		const writers, each = 6, 15
		refs := make([]books.Ref, writers)
		for i := range refs {
			refs[i] = books.Ref{Program: "shop", Member: ids.New("mem", noon)}
		}
		var wg sync.WaitGroup
		for _, ref := range refs {
			wg.Go(func() {
				own := &desk{t: t, d: d, ref: ref}
				for range each {
					own.post(engine.Fact{Kind: engine.PurchaseK, OccurredAt: noon}, earns(1, 1), nil)
				}
			})
		}
		done := make(chan struct{})
		go func() { wg.Wait(); close(done) }()
		seen := map[string]bool{}
		var at books.Cursor
		follow := func() {
			err := d.Write(t.Context(), func(tx *db.Tx) error {
				_, err := books.LineUp(t.Context(), tx, "shop")
				return err
			})
			if err != nil {
				t.Error(err)
			}
			k.read(func(tx *db.Tx) error {
				list, err := books.Events(t.Context(), tx, "shop", at, 7)
				for _, e := range list {
					if seen[e.ID] {
						t.Errorf("event %s came twice", e.ID)
					}
					if e.Stamp < at.Stamp || e.Stamp == at.Stamp && e.N <= at.N {
						t.Errorf("event %v after %v", e.Cursor, at)
					}
					seen[e.ID], at = true, e.Cursor
				}
				return err
			})
		}
		for running := true; running; {
			select {
			case <-done:
				running = false
			default:
			}
			follow()
		}
		dbtest.Settle(t, d)
		for n := -1; n != len(seen); {
			n = len(seen)
			follow()
		}
		if len(seen) != writers*each {
			t.Errorf("saw %d of %d events", len(seen), writers*each)
		}
	})
}
