package code_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"lojal.dev/lojal/internal/code"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/errs"
)

var noon = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

const cafe = "cafe"

func write(t *testing.T, d *db.DB, do func(tx *db.Tx) error) {
	t.Helper()
	if err := d.Write(t.Context(), do); err != nil {
		t.Fatal(err)
	}
}

// keep stores a code and gives it as it is kept.
func keep(t *testing.T, d *db.DB, in code.New) code.Code {
	t.Helper()
	var c code.Code
	write(t, d, func(tx *db.Tx) error {
		k, err := code.MakeKey(t.Context(), tx, cafe, noon)
		if err != nil {
			return err
		}
		if c, err = k.Of(in, noon); err != nil {
			return err
		}
		return code.Keep(t.Context(), tx, cafe, []code.Code{c})
	})
	return c
}

func reason(err error) string {
	if err == nil {
		return ""
	}
	return errs.As(err).Reason
}

func TestACodeIsFoundHoweverItIsTyped(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		text := code.Draw()
		c := keep(t, d, code.New{Kind: code.GiftCard, Text: text, Holder: "gft_1"})
		word := keep(t, d, code.New{Kind: code.Voucher, Text: "Sommer-10", Holder: "x", Subject: "summer"})
		for typed, want := range map[string]string{
			text: c.ID, code.Show(text): c.ID, strings.ToLower(text): c.ID, " " + strings.ToLower(code.Show(text)) + " ": c.ID,
			strings.ReplaceAll(text, "0", "o"): c.ID, strings.ReplaceAll(text, "1", "l"): c.ID,
			"sommer10": word.ID, "SOMMER 10": word.ID, "Sommer-10": word.ID,
		} {
			got, err := code.Guard{}.Look(t.Context(), d, code.Asked{Program: cafe, Text: typed}, noon)
			if err != nil || got.ID != want {
				t.Errorf("%q is %q (%v), not %q", typed, got.ID, err, want)
			}
		}
		if _, err := (code.Guard{}).Look(t.Context(), d, code.Asked{Program: "other", Text: text}, noon); reason(err) != "code_unknown" {
			t.Errorf("in another program it is %v", err)
		}
		if _, err := (code.Guard{}).Look(t.Context(), d, code.Asked{Program: cafe, Text: text, Kinds: []code.Kind{code.Voucher}}, noon); reason(err) != "code_unknown" {
			t.Errorf("as a voucher it is %v", err)
		}
	})
}

func TestNoCodeIsKeptInClear(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		text := code.Draw()
		keep(t, d, code.New{Kind: code.GiftCard, Text: text, Holder: "gft_1", PIN: "4711"})
		if _, err := (code.Guard{}).Look(t.Context(), d, code.Asked{Program: cafe, Text: text, PIN: "0815", By: code.Asker{Address: "198.51.100.7"}}, noon); reason(err) != "pin_wrong" {
			t.Fatal(err)
		}
		for _, table := range []string{"codes", "code_keys", "code_guesses"} {
			var all strings.Builder
			err := d.Read(t.Context(), func(tx *db.Tx) error {
				rows, err := tx.Query(t.Context(), "SELECT * FROM "+table)
				if err != nil {
					return err
				}
				defer rows.Close()
				names, _ := rows.Columns()
				for rows.Next() {
					into := make([]any, len(names))
					for i := range into {
						into[i] = new(any)
					}
					if err := rows.Scan(into...); err != nil {
						return err
					}
					for i := range into {
						fmt.Fprintln(&all, *into[i].(*any))
					}
				}
				return rows.Err()
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, secret := range []string{text, code.Show(text), "4711", "0815", "198.51.100.7"} {
				if strings.Contains(all.String(), secret) {
					t.Errorf("%s holds %s", table, secret)
				}
			}
			if all.Len() == 0 {
				t.Errorf("%s is empty", table)
			}
		}
	})
}

// Guesses count over nodes: each look-up here goes through another Guard, as if on another machine.
func TestWhoGuessesIsToldToWait(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		text := code.Draw()
		keep(t, d, code.New{Kind: code.Voucher, Text: text, Holder: "mem_1"})
		limits := code.Limits{PerKey: 8, PerAddress: 3}
		ask := func(text, key, address string, now time.Time) string {
			_, err := code.Guard{Limits: limits}.Look(t.Context(), d, code.Asked{Program: cafe, Text: text, By: code.Asker{Key: key, Address: address}}, now)
			return reason(err)
		}
		for range 3 {
			if got := ask(code.Draw(), "key_shop", "10.0.0.1", noon); got != "code_unknown" {
				t.Fatal(got)
			}
		}
		// The right code does not help: else a guesser would be told just when he hits.
		if got := ask(text, "key_shop", "10.0.0.1", noon); got != "too_many_codes" {
			t.Errorf("the address may go on: %q", got)
		}
		if got := ask(text, "key_shop", "10.0.0.2", noon); got != "" {
			t.Errorf("another person is refused: %q", got)
		}
		for i := range 5 {
			if got := ask(code.Draw(), "key_shop", fmt.Sprintf("10.0.1.%d", i), noon); got != "code_unknown" {
				t.Fatal(got)
			}
		}
		if got := ask(text, "key_shop", "10.0.0.9", noon); got != "too_many_codes" {
			t.Errorf("the key may go on: %q", got)
		}
		if got := ask(text, "key_till", "", noon); got != "" {
			t.Errorf("another key is refused: %q", got)
		}
		if got := ask(text, "key_shop", "10.0.0.1", noon.Add(code.Window+time.Minute)); got != "" {
			t.Errorf("it is refused for ever: %q", got)
		}
	})
}

func TestAPINIsTriedAFewTimes(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		text := code.Draw()
		keep(t, d, code.New{Kind: code.GiftCard, Text: text, Holder: "gft_1", PIN: "4711"})
		ask := func(pin string, now time.Time) string {
			_, err := code.Guard{}.Look(t.Context(), d, code.Asked{Program: cafe, Text: text, PIN: pin}, now)
			return reason(err)
		}
		if got := ask("", noon); got != "pin_required" {
			t.Error(got)
		}
		for range code.MaxTries - 1 {
			if got := ask("0000", noon); got != "pin_wrong" {
				t.Error(got)
			}
		}
		if got := ask("4711", noon); got != "" {
			t.Errorf("the right PIN in time is %q", got)
		}
		for range code.MaxTries {
			if got := ask("0000", noon); got != "pin_wrong" {
				t.Error(got)
			}
		}
		if got := ask("4711", noon); got != "pin_locked" {
			t.Errorf("after %d wrong PINs the right one is %q", code.MaxTries, got)
		}
		if got := ask("4711", noon.Add(code.LockFor)); got != "" {
			t.Errorf("an hour later it is %q", got)
		}
	})
}

// Sixty at once have no more tries than one after the other.
func TestWrongPINsAtOnceAreCounted(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		text := code.Draw()
		keep(t, d, code.New{Kind: code.GiftCard, Text: text, Holder: "gft_1", PIN: "4711"})
		got := atOnce(t, 60, func(int) error {
			_, err := code.Guard{}.Look(context.WithoutCancel(t.Context()), d, code.Asked{Program: cafe, Text: text, PIN: "0000"}, noon)
			return err
		})
		if got["pin_wrong"] != code.MaxTries || got["pin_locked"] != 60-code.MaxTries {
			t.Errorf("the answers are %v", got)
		}
		if _, err := (code.Guard{}).Look(t.Context(), d, code.Asked{Program: cafe, Text: text, PIN: "4711"}, noon.Add(code.LockFor)); err != nil {
			t.Errorf("an hour later the right one is %v", err)
		}
	})
}

// A burst of guesses is looked up no more often than the limit, and who knows the code is not counted however many come at once.
func TestGuessesAtOnceAreCounted(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		text := code.Draw()
		keep(t, d, code.New{Kind: code.Voucher, Text: text, Holder: "mem_1"})
		g := code.Guard{Limits: code.Limits{PerKey: 20, PerAddress: 6}}
		ask := func(text, address string) error {
			_, err := g.Look(context.WithoutCancel(t.Context()), d, code.Asked{Program: cafe, Text: text, By: code.Asker{Key: "key_shop", Address: address}}, noon)
			return err
		}
		if got := atOnce(t, 40, func(int) error { return ask(text, "10.0.0.9") }); got[""] != 40 {
			t.Errorf("the right code is %v", got)
		}
		if got := atOnce(t, 40, func(int) error { return ask(code.Draw(), "10.0.0.1") }); got["code_unknown"] != 6 || got["too_many_codes"] != 34 {
			t.Errorf("from one address the answers are %v", got)
		}
		got := atOnce(t, 40, func(i int) error { return ask(code.Draw(), fmt.Sprintf("10.0.1.%d", i)) })
		if got["code_unknown"] != 14 || got["too_many_codes"] != 26 {
			t.Errorf("with one key the answers are %v", got)
		}
	})
}

// atOnce does something many times at once and counts the reasons.
func atOnce(t *testing.T, times int, do func(i int) error) map[string]int {
	t.Helper()
	var mu sync.Mutex
	got := map[string]int{}
	var all sync.WaitGroup
	for i := range times {
		all.Go(func() {
			err := do(i)
			mu.Lock()
			defer mu.Unlock()
			got[reason(err)]++
		})
	}
	all.Wait()
	return got
}

func TestOldGuessesAreForgotten(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ask := func(now time.Time) {
			_, err := code.Guard{}.Look(t.Context(), d, code.Asked{Program: cafe, Text: code.Draw(), By: code.Asker{Key: "key_shop", Address: "10.0.0.1"}}, now)
			if reason(err) != "code_unknown" {
				t.Fatal(err)
			}
		}
		rows := func() (n int) {
			write(t, d, func(tx *db.Tx) error {
				return tx.QueryRow(t.Context(), `SELECT COUNT(*) FROM code_guesses`).Scan(&n)
			})
			return n
		}
		ask(noon)
		ask(noon.Add(time.Hour))
		if err := code.Tend(t.Context(), d, noon.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if n := rows(); n != 2 {
			t.Errorf("%d rows are left", n)
		}
		var plan strings.Builder
		write(t, d, func(tx *db.Tx) error {
			query := `EXPLAIN QUERY PLAN DELETE FROM code_guesses WHERE minute <= $1`
			if d.Dialect() == db.Postgres {
				if _, err := tx.Exec(t.Context(), `SET LOCAL enable_seqscan = off`); err != nil {
					return err
				}
				query = `EXPLAIN DELETE FROM code_guesses WHERE minute <= 1`
				return db.Collect(t.Context(), tx, func(row db.Scanner) error {
					var line string
					defer func() { plan.WriteString(line) }()
					return row.Scan(&line)
				}, query)
			}
			return db.Collect(t.Context(), tx, func(row db.Scanner) error {
				var line string
				var skip any
				defer func() { plan.WriteString(line) }()
				return row.Scan(&skip, &skip, &skip, &line)
			}, query, 1)
		})
		if !strings.Contains(plan.String(), "code_guesses_old") {
			t.Errorf("the plan is %s", plan.String())
		}
	})
}

func TestACodeEnds(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		text, end := code.Draw(), noon.Add(time.Hour)
		c := keep(t, d, code.New{Kind: code.Claim, Text: text, EndsAt: &end})
		look := func(now time.Time) string {
			_, err := code.Guard{}.Look(t.Context(), d, code.Asked{Program: cafe, Text: text}, now)
			return reason(err)
		}
		if got := look(end.Add(-1)); got != "" {
			t.Error(got)
		}
		if got := look(end); got != "code_ended" {
			t.Error(got)
		}
		write(t, d, func(tx *db.Tx) error { return code.Replace(t.Context(), tx, cafe, c.Holder, c.Subject) })
		if got := look(noon); got != "code_replaced" {
			t.Error(got)
		}
	})
}

func FuzzNormal(f *testing.F) {
	for _, s := range []string{"", "SUMMER10", "summer-10", "\x00", "0123-4567-89ab-cdef-g", "ſſ", "ÆØÅ æøå", strings.Repeat("x", 101)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, ok := code.Normal(s)
		if !ok {
			return
		}
		if again, ok := code.Normal(n); !ok && len(n) <= 100 || ok && again != n {
			t.Errorf("%q becomes %q, and that %q", s, n, again)
		}
		if n != strings.TrimSpace(n) {
			t.Errorf("%q has spaces", n)
		}
	})
}
