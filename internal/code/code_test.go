package code_test

import (
	"context"
	"errors"
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
		write(t, d, func(tx *db.Tx) error {
			_, err := code.Load(t.Context(), tx, cafe, "books", "b1", []code.Pooled{{Text: "BOOKSHOP-AAAA-1111"}}, noon)
			return err
		})
		for _, table := range []string{"codes", "code_pools"} {
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
			n, _ := code.Normal("BOOKSHOP-AAAA-1111")
			for _, secret := range []string{text, code.Show(text), "4711", "BOOKSHOP-AAAA-1111", n} {
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
		for _, status := range []string{code.Spent, code.Void, code.Replaced} {
			write(t, d, func(tx *db.Tx) error { return code.SetStatus(t.Context(), tx, cafe, c.Hash, status, nil) })
			if got := look(noon); got != "code_"+status {
				t.Error(got)
			}
		}
	})
}

func TestAPoolGivesEachCodeOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		const codes, takers = 30, 40
		var list []code.Pooled
		for i := range codes {
			list = append(list, code.Pooled{Text: fmt.Sprintf("VENDOR-%04d", i)})
		}
		past := noon.Add(-time.Hour)
		list = append(list, code.Pooled{Text: "TOO-OLD-0001", EndsAt: &past})
		for again := range 2 {
			write(t, d, func(tx *db.Tx) error {
				n, err := code.Load(t.Context(), tx, cafe, "books", "b1", list, noon)
				if want := []int{codes + 1, 0}[again]; n != want {
					t.Errorf("loading gave %d new codes, not %d", n, want)
				}
				return err
			})
		}
		var (
			mu   sync.Mutex
			seen = map[string]int{}
			none int
			wg   sync.WaitGroup
		)
		for i := range takers {
			wg.Go(func() {
				var got code.Taken
				err := d.Write(context.WithoutCancel(t.Context()), func(tx *db.Tx) (err error) {
					if got, err = code.Take(t.Context(), tx, cafe, "books", fmt.Sprintf("red_%d", i), noon); err != nil {
						return err
					}
					return code.Given(t.Context(), tx, cafe, "books", got)
				})
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					seen[got.Text]++
				case reason(err) == "pool_empty":
					none++
				default:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for text, n := range seen {
			if n != 1 {
				t.Errorf("%s was given %d times", text, n)
			}
		}
		if len(seen) != codes || none != takers-codes || seen["TOO-OLD-0001"] > 0 {
			t.Errorf("%d were given and %d got none", len(seen), none)
		}
	})
}

func TestWhatIsUndoneGivesItsCodeBack(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		write(t, d, func(tx *db.Tx) error {
			_, err := code.Load(t.Context(), tx, cafe, "books", "b1", []code.Pooled{{Text: "VENDOR-1"}}, noon)
			return err
		})
		undone := errors.New("undone")
		err := d.Write(t.Context(), func(tx *db.Tx) error {
			if _, err := code.Take(t.Context(), tx, cafe, "books", "red_1", noon); err != nil {
				return err
			}
			return undone
		})
		if !errors.Is(err, undone) {
			t.Fatal(err)
		}
		write(t, d, func(tx *db.Tx) error {
			got, err := code.Take(t.Context(), tx, cafe, "books", "red_2", noon)
			if err != nil {
				return err
			}
			if err := code.GiveBack(t.Context(), tx, cafe, "books", got); err != nil {
				return err
			}
			got, err = code.Take(t.Context(), tx, cafe, "books", "red_3", noon)
			if err == nil && got.Text != "VENDOR-1" {
				t.Errorf("it is %q", got.Text)
			}
			return err
		})
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
