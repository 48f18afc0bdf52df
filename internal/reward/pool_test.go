package reward_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lojal.dev/lojal/internal/code"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/reward"
)

var noon = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

const cafe = "cafe"

func write(t *testing.T, d *db.DB, do func(tx *db.Tx) error) {
	t.Helper()
	if err := d.Write(t.Context(), do); err != nil {
		t.Fatal(err)
	}
}

func load(t *testing.T, d *db.DB, list []reward.NewCode) (out reward.Loaded) {
	t.Helper()
	write(t, d, func(tx *db.Tx) (err error) {
		out, err = reward.Load(t.Context(), tx, cafe, "books", "b1", list, noon)
		return err
	})
	return out
}

// take takes a code for a taker, nil where there is none.
func take(ctx context.Context, tx *db.Tx, by string) (*reward.Taken, error) {
	k, err := code.MakeKey(ctx, tx, cafe, noon)
	if err != nil {
		return nil, err
	}
	return reward.Take(ctx, tx, k, cafe, "books", by, noon)
}

func pools(t *testing.T, d *db.DB) (out []reward.Pool) {
	t.Helper()
	err := d.Read(t.Context(), func(tx *db.Tx) (err error) {
		out, err = reward.Pools(t.Context(), tx, cafe, noon)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAPoolGivesEachCodeOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		const codes, takers = 30, 40
		var list []reward.NewCode
		for i := range codes {
			list = append(list, reward.NewCode{Text: fmt.Sprintf("VENDOR-%04d", i)})
		}
		past := noon.Add(-time.Hour)
		list = append(list, reward.NewCode{Text: "TOO-OLD-0001", EndsAt: &past})
		for again := range 2 {
			want := []reward.Loaded{{Added: codes + 1}, {Known: codes + 1}}[again]
			if got := load(t, d, list); got != want {
				t.Errorf("loading came to %+v, not %+v", got, want)
			}
		}
		var (
			mu   sync.Mutex
			seen = map[string]int{}
			whos = map[string]string{}
			none int
			wg   sync.WaitGroup
		)
		for i := range takers {
			wg.Go(func() {
				var got *reward.Taken
				by := fmt.Sprintf("red_%d", i)
				err := d.Write(context.WithoutCancel(t.Context()), func(tx *db.Tx) (err error) {
					got, err = take(context.WithoutCancel(t.Context()), tx, by)
					return err
				})
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err != nil:
					t.Error(err)
				case got == nil:
					none++
				default:
					seen[got.Code]++
					whos[got.Hash] = by
				}
			})
		}
		wg.Wait()
		for text, n := range seen {
			if n != 1 {
				t.Errorf("%s was given %d times", text, n)
			}
			if !strings.HasPrefix(text, "VENDOR-") {
				t.Errorf("%q was given, which nobody loaded", text)
			}
		}
		if len(seen) != codes || none != takers-codes || seen["TOO-OLD-0001"] > 0 {
			t.Errorf("%d were given and %d got none", len(seen), none)
		}
		if diff := cmp.Diff([]reward.Pool{{Pool: "books", Loaded: codes + 1, Given: codes, Ended: 1, LastAt: &noon}}, pools(t, d)); diff != "" {
			t.Error(diff)
		}
		rows := map[string]string{}
		err := d.Read(t.Context(), func(tx *db.Tx) error {
			return reward.EachGiven(t.Context(), tx, cafe, func(some []reward.Given) error {
				for _, g := range some {
					rows[g.Hash] = g.By
				}
				return nil
			})
		})
		if diff := cmp.Diff(whos, rows); err != nil || diff != "" {
			t.Errorf("the rows name other takers: %v %s", err, diff)
		}
	})
}

func TestWhatIsUndoneGivesItsCodeBack(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		load(t, d, []reward.NewCode{{Text: "VENDOR-1"}})
		undone := errors.New("undone")
		err := d.Write(t.Context(), func(tx *db.Tx) error {
			if got, err := take(t.Context(), tx, "red_1"); err != nil || got == nil {
				return fmt.Errorf("%v, %w", got, err)
			}
			return undone
		})
		if !errors.Is(err, undone) {
			t.Fatal(err)
		}
		write(t, d, func(tx *db.Tx) error {
			got, err := take(t.Context(), tx, "red_2")
			if err != nil || got == nil {
				return fmt.Errorf("%v, %w", got, err)
			}
			if none, err := take(t.Context(), tx, "red_3"); err != nil || none != nil {
				t.Errorf("it was given twice: %v, %v", none, err)
			}
			// Who did not take it cannot put it back.
			if err := reward.Release(t.Context(), tx, cafe, "books", got.Hash, "red_3"); err != nil {
				return err
			}
			if none, err := take(t.Context(), tx, "red_3"); err != nil || none != nil {
				t.Errorf("another put it back: %v, %v", none, err)
			}
			if err := reward.Release(t.Context(), tx, cafe, "books", got.Hash, "red_2"); err != nil {
				return err
			}
			got, err = take(t.Context(), tx, "red_3")
			if err == nil && (got == nil || got.Code != "VENDOR-1") {
				t.Errorf("it is %v", got)
			}
			return err
		})
	})
}

func TestATakerGetsTheSameCodeAgain(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		load(t, d, []reward.NewCode{{Text: "VENDOR-1"}, {Text: "VENDOR-2"}})
		got := map[string]int{}
		for range 3 {
			write(t, d, func(tx *db.Tx) error {
				k, err := code.MakeKey(t.Context(), tx, cafe, noon)
				if err != nil {
					return err
				}
				c, err := reward.TakeOnce(t.Context(), tx, k, cafe, "books", "order:red_1", noon)
				if err == nil {
					got[c.Code]++
				}
				return err
			})
		}
		if len(got) != 1 {
			t.Errorf("one taker got %v", got)
		}
		err := d.Read(t.Context(), func(tx *db.Tx) error {
			_, err := reward.TakenBy(t.Context(), tx, cafe, "books", "order:red_2")
			return err
		})
		if errs.As(err).Reason != "code_unknown" {
			t.Errorf("who took none has %v", err)
		}
	})
}

// Those who load the same codes at once are each told what they added themselves: together as many as there are.
func TestTwoLoadsAtOnceCountTheirOwn(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		const loads, codes = 6, 40
		var (
			mu  sync.Mutex
			sum reward.Loaded
			wg  sync.WaitGroup
		)
		write(t, d, func(tx *db.Tx) error { // else all wait for the one who makes the key
			_, err := code.MakeKey(t.Context(), tx, cafe, noon)
			return err
		})
		for i := range loads {
			wg.Go(func() {
				list := []reward.NewCode{{Text: "ONE-FOR-ALL"}, {Text: "one for all"}}
				for j := range codes {
					list = append(list, reward.NewCode{Text: fmt.Sprintf("OWN-%d-%d", i, j)})
				}
				err := d.Write(context.WithoutCancel(t.Context()), func(tx *db.Tx) error {
					n, err := reward.Load(context.WithoutCancel(t.Context()), tx, cafe, "books", "b1", list, noon)
					if err != nil {
						return err
					}
					if n.Added < codes || n.Added > codes+1 || n.Added+n.Known != codes+2 {
						t.Errorf("%+v of %d codes", n, codes+2)
					}
					mu.Lock()
					defer mu.Unlock()
					sum.Added += n.Added
					sum.Known += n.Known
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if want := (reward.Loaded{Added: loads*codes + 1, Known: 2*loads - 1}); sum != want {
			t.Errorf("together %+v, not %+v", sum, want)
		}
		if got := pools(t, d); len(got) != 1 || got[0].Left != loads*codes+1 {
			t.Errorf("there are %+v", got)
		}
	})
}

func TestPoolsThatHaveACodeAreFoundTogether(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		past := noon.Add(-time.Hour)
		pools := []string{"empty"}
		want := map[string]bool{}
		write(t, d, func(tx *db.Tx) error {
			for i := range 120 { // more than go into one query
				pool := fmt.Sprintf("pool-%d", i)
				c := reward.NewCode{Text: "VENDOR-1"}
				if i%2 == 1 {
					c.EndsAt = &past
				} else {
					want[pool] = true
				}
				pools = append(pools, pool)
				if _, err := reward.Load(t.Context(), tx, cafe, pool, "", []reward.NewCode{c}, noon); err != nil {
					return err
				}
			}
			return nil
		})
		err := d.Read(t.Context(), func(tx *db.Tx) error {
			got, err := reward.Stocked(t.Context(), tx, cafe, pools, noon)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
