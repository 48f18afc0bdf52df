package doctor

import (
	"context"
	"fmt"
	"slices"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/reward"
	"lojal.dev/lojal/internal/version"
)

// pools looks whether rewards that hand out codes of others have some left.
func (e *exam) pools(ctx context.Context) error {
	return e.each(ctx, func(tx *db.Tx, id string) error {
		set, err := version.Load(ctx, tx, id)
		if err != nil || set.At(e.now) == nil {
			return nil //nolint:nilerr // versions tells of it
		}
		list, err := reward.Pools(ctx, tx, id, e.now)
		if err != nil {
			return err
		}
		left := map[string]int64{}
		for _, p := range list {
			left[p.Pool] = p.Left
		}
		if err := e.orders(ctx, tx, id); err != nil {
			return err
		}
		for i := range set.At(e.now).Doc.Rewards {
			r := &set.At(e.now).Doc.Rewards[i]
			pool, so := r.Gives.Pool, "is out of stock"
			if c := r.Gives.GiftCard; c != nil && c.Provider != "" {
				// One that never had a code may be a provider over HTTP, which only the server knows.
				if pool, so = reward.PoolOf(c.Provider, c.Product), "is ordered, and waits"; !loaded(list, pool) {
					continue
				}
			}
			if pool == "" {
				continue
			}
			switch n := left[pool]; {
			case n == 0:
				e.say("pools", Error, fmt.Sprintf("The pool %s of %s is empty: the reward %s %s.", pool, id, r.ID, so), "Load codes: lojal pool load "+pool+" FILE.csv")
			case n < reward.Low:
				e.say("pools", Warning, fmt.Sprintf("The pool %s of %s runs low: %s left.", pool, id, lang.Things(int(n), "code")), "Load more: lojal pool load "+pool+" FILE.csv")
			default:
				e.okf("pools", "The pool %s of %s has %s.", pool, id, lang.Things(int(n), "code"))
			}
		}
		return nil
	})
}

func loaded(list []reward.Pool, pool string) bool {
	return slices.ContainsFunc(list, func(p reward.Pool) bool { return p.Pool == pool })
}

// patience is how long an order may be under way before somebody should look.
const patience = time.Hour

func (e *exam) orders(ctx context.Context, tx *db.Tx, id string) error {
	list, err := reward.Orders(ctx, tx, id, reward.OrderQuery{Status: reward.OpenOrder, Limit: 1000})
	if err != nil {
		return err
	}
	late, last := 0, ""
	for i := range list {
		if e.now.Sub(list[i].CreatedAt) > patience {
			late++
			if last == "" {
				last = list[i].Error
			}
		}
	}
	if late > 0 {
		e.say("pools", Warning, fmt.Sprintf("Gift cards of %s have been on order for more than an hour: %d. What was said of the oldest: %q.", id, late, last),
			"See that its provider is named with --provider and answers, or that its pool has codes. See them: lojal order list. To call one off: lojal order cancel REDEMPTION.")
	}
	return nil
}
