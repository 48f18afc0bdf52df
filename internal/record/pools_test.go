package record_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/reward"
	"lojal.dev/lojal/internal/version"
)

// films is the shop with a reward out of a pool.
var films = strings.Replace(shop, "rewards:\n", "rewards:\n  - {id: film, title: Film, price: {point: 100}, gives: {pool: cinema}}\n", 1)

// cinemaOf is the shop with a reward out of a pool of so many codes.
func cinemaOf(t *testing.T, d *db.DB, codes int) *desk {
	t.Helper()
	k := openWith(t, d, record.Options{}, films)
	list := make([]reward.NewCode, codes)
	for i := range list {
		list[i].Text = fmt.Sprintf("FILM-%04d", i)
	}
	err := d.Write(t.Context(), func(tx *db.Tx) error {
		_, err := reward.Load(t.Context(), tx, "shop", "cinema", "", list, noon)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// given is how many codes of the pool were given out, and how many are left.
func (k *desk) given() (given, left int64) {
	k.t.Helper()
	err := k.d.Read(k.t.Context(), func(tx *db.Tx) error {
		list, err := reward.Pools(k.t.Context(), tx, "shop", noon)
		for _, p := range list {
			given, left = p.Given, p.Left
		}
		return err
	})
	if err != nil {
		k.t.Fatal(err)
	}
	return given, left
}

// What is refused puts its code back, also where others of the same transaction get theirs; a simulation takes none.
func TestARefusedRequestPutsItsCodeBack(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := cinemaOf(t, d, 3)
		rich, poor := k.enrol("rich"), k.enrol("poor")
		k.must(purchase(rich, "500", day(1)))
		var reqs []record.Request
		for _, m := range []string{poor, rich, poor, rich} {
			req := redeem(m, "film", day(2))
			req.Program, req.Now = "shop", day(2)
			reqs = append(reqs, req)
		}
		for i, out := range simulate(t, k, reqs) {
			if refused := out.Err != nil && errs.As(out.Err).Reason == "balance_too_low"; refused != (i%2 == 0) || !refused && out.Err != nil {
				t.Errorf("simulated %d: %v", i, out.Err)
			}
		}
		if given, left := k.given(); given != 0 || left != 3 {
			t.Errorf("a simulation gave %d, %d are left", given, left)
		}
		for i, out := range k.r.Batch(t.Context(), []record.Request{reqs[0], reqs[1]}) {
			if want := []string{"balance_too_low", ""}[i]; out.Err == nil && want != "" || out.Err != nil && errs.As(out.Err).Reason != want {
				t.Errorf("%d: %v, want %q", i, out.Err, want)
			}
		}
		if given, left := k.given(); given != 1 || left != 2 {
			t.Errorf("%d were given, %d are left: one of two was refused", given, left)
		}
		if _, err := k.take(reqs[2]); errs.As(err).Reason != "balance_too_low" {
			t.Error(err)
		}
		if given, left := k.given(); given != 1 || left != 2 {
			t.Errorf("%d were given, %d are left after a refusal", given, left)
		}
		k.must(reqs[3])
		k.must(purchase(poor, "100", day(1)))
		k.must(reqs[0])
		if given, left := k.given(); given != 3 || left != 0 {
			t.Errorf("%d were given, %d are left", given, left)
		}
		_, err := k.take(reqs[1])
		refusedAs(t, err, "out_of_stock")
	})
}

func simulate(t *testing.T, k *desk, reqs []record.Request) []record.Outcome {
	t.Helper()
	out, err := k.r.Simulate(t.Context(), "shop", reqs, record.SimOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Twice as many want a code as there are, on two nodes: each code is given once, and each redemption has one of its own.
func TestAPoolIsGivenOutOnceOverNodes(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := cinemaOf(t, d, 6)
		second := record.NewWith(d, &version.Cache{}, record.Options{Writers: 3, Gather: 2})
		t.Cleanup(second.Close)
		var members []string
		for i := range 12 {
			m := k.enrol(fmt.Sprint("m", i))
			k.must(purchase(m, "100", day(1)))
			members = append(members, m)
		}
		got := make([]string, len(members))
		done, refused := k.race(len(members), func(i int) error {
			r := k.r
			if i%2 == 0 {
				r = second
			}
			req := redeem(members[i], "film", day(2))
			req.Program, req.Now = "shop", day(2)
			res, err := r.Record(context.Background(), req)
			if err == nil {
				got[i] = res.Decision.Redemptions[0].Pooled.Hash
			}
			return err
		}, "out_of_stock")
		seen := map[string]bool{}
		for _, hash := range got {
			if hash != "" && seen[hash] {
				t.Errorf("%s was given twice", hash)
			}
			seen[hash] = true
		}
		if given, left := k.given(); done != 6 || refused != 6 || given != 6 || left != 0 {
			t.Errorf("%d done, %d refused; %d given, %d left", done, refused, given, left)
		}
	})
}
