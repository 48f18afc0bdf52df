package verify

import (
	"context"
	"fmt"
	"strings"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/reward"
)

// rewards proves that each code that left a pool went to a redemption, or an order, that has it: what was handed out and what is left add up to
// what was loaded.
func (r *run) rewards(ctx context.Context, tx *db.Tx) error {
	fault := func(g reward.Given, member, format string, args ...any) {
		r.out.add(Finding{Check: "pools", Row: "code_pools " + r.program + " " + g.Pool + " " + g.Hash, Member: member, Message: fmt.Sprintf(format, args...)})
	}
	return reward.EachGiven(ctx, tx, r.program, func(list []reward.Given) error {
		want := make([]books.FactOf, 0, len(list))
		for _, g := range list {
			if !strings.HasPrefix(g.By, reward.ForOrder) {
				want = append(want, books.FactOf{Program: r.program, ID: g.By})
			}
		}
		found, err := books.Entries(ctx, tx, want)
		if err != nil {
			return err
		}
		for _, g := range list {
			if strings.HasPrefix(g.By, reward.ForOrder) {
				continue
			}
			e, ok := found[books.FactOf{Program: r.program, ID: g.By}]
			switch {
			case !ok:
				fault(g, "", "was handed out by the fact %s, which is not there", g.By)
			case !gave(&e.Decision, g):
				fault(g, e.Fact.Member, "was handed out by the fact %s, which gave another code or none", g.By)
			}
		}
		return nil
	})
}

func gave(d *engine.Decision, g reward.Given) bool {
	for i := range d.Redemptions {
		if p := d.Redemptions[i].Pooled; p != nil && p.Pool == g.Pool && p.Hash == g.Hash {
			return true
		}
	}
	return false
}
