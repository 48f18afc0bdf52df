package verify

import (
	"context"
	"fmt"
	"strings"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
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
			if red, ordered := strings.CutPrefix(g.By, reward.ForOrder); ordered {
				if err := r.ordered(ctx, tx, red, g, fault); err != nil {
					return err
				}
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

// ordered proves that a code which an order took is the one that it brought, or that the order is still under way.
func (r *run) ordered(ctx context.Context, tx *db.Tx, red string, g reward.Given, fault func(g reward.Given, member, format string, args ...any)) error {
	o, err := reward.GetOrder(ctx, tx, r.program, red)
	if errs.CodeOf(err) == errs.CodeNotFound {
		fault(g, "", "was handed out for an order of the redemption %s, which is not there", red)
		return nil
	}
	if err != nil {
		return err
	}
	switch {
	case o.Status == reward.OrderFailed:
		fault(g, "", "was handed out for the order of the redemption %s, which came to nothing", red)
		return nil
	case o.Status != reward.OrderDelivered:
		return nil // it was taken, and the next look tells of it
	case o.Tail != g.Tail:
		fault(g, "", "was handed out for the order of the redemption %s, which brought another code", red)
		return nil
	}
	have, err := books.FindRedemption(ctx, tx, r.program, red)
	if errs.CodeOf(err) == errs.CodeNotFound {
		fault(g, "", "was brought for the redemption %s, which is not there", red)
		return nil
	}
	if err != nil {
		return err
	}
	if f := have.Fulfilment; f == nil || f.Status == engine.Ordered || f.Status == engine.Delivered && f.Tail != g.Tail {
		fault(g, have.Member, "was brought for the redemption %s, which does not say so", red)
	}
	return nil
}

func gave(d *engine.Decision, g reward.Given) bool {
	for i := range d.Redemptions {
		if p := d.Redemptions[i].Pooled; p != nil && p.Pool == g.Pool && p.Hash == g.Hash {
			return true
		}
	}
	return false
}
