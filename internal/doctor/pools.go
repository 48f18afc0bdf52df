package doctor

import (
	"context"
	"fmt"

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
		for i := range set.At(e.now).Doc.Rewards {
			r := &set.At(e.now).Doc.Rewards[i]
			if r.Gives.Pool == "" {
				continue
			}
			switch n := left[r.Gives.Pool]; {
			case n == 0:
				e.say("pools", Error, fmt.Sprintf("The pool %s of %s is empty: the reward %s is out of stock.", r.Gives.Pool, id, r.ID), "Load codes: lojal pool load "+r.Gives.Pool+" FILE.csv")
			case n < reward.Low:
				e.say("pools", Warning, fmt.Sprintf("The pool %s of %s runs low: %s left.", r.Gives.Pool, id, lang.Things(int(n), "code")), "Load more: lojal pool load "+r.Gives.Pool+" FILE.csv")
			default:
				e.okf("pools", "The pool %s of %s has %s.", r.Gives.Pool, id, lang.Things(int(n), "code"))
			}
		}
		return nil
	})
}
