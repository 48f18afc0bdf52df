package api

import (
	"cmp"
	"context"
	"time"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/explain"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/terms"
	"lojal.dev/lojal/internal/version"
	"lojal.dev/lojal/internal/web"
)

type rewardsIn struct {
	Call
	// Member says for whom: each reward then tells whether that member may have one now, and why not.
	Member string `query:"member"`
	// Own looks at what the member has of their own, though the member acts for an organization.
	Own bool `query:"own"`
	Shown
}

func (s *Server) listRewards(ctx context.Context, in *rewardsIn) (*Page[Reward], error) {
	list, err := s.rewards(ctx, &in.Call, in.Member, in.Own)
	return &Page[Reward]{Items: list}, err
}

type rewardIn struct {
	Call
	// Reward is its id in the program document.
	Reward string `path:"reward"`
	// Member says for whom: the reward then tells whether that member may have one now, and why not.
	Member string `query:"member"`
	// Own looks at what the member has of their own, though the member acts for an organization.
	Own bool `query:"own"`
	Shown
}

func (s *Server) getReward(ctx context.Context, in *rewardIn) (*Reward, error) {
	list, err := s.rewards(ctx, &in.Call, in.Member, in.Own)
	if err != nil {
		return nil, err
	}
	for i := range list {
		if list[i].ID == in.Reward {
			return &list[i], nil
		}
	}
	return nil, web.NotFound("reward")
}

func (s *Server) rewards(ctx context.Context, c *Call, ref string, own bool) ([]Reward, error) {
	var v view
	var member string
	err := s.look(ctx, c, func(tx *db.Tx, now view, _ *version.Set) error {
		v = now
		if ref == "" {
			return nil
		}
		var err error
		member, err = existing(ctx, tx, now, ref)
		return err
	})
	if err != nil {
		return nil, err
	}
	var offers []engine.Offer
	if member != "" {
		var acc *engine.Account
		if offers, acc, v.p, err = s.Recorder.Catalogue(ctx, c.program(), member, own, c.now); err != nil {
			return nil, err
		}
		member = acc.Member
	} else if offers, err = s.offersToNobody(ctx, v.p, c.now); err != nil {
		return nil, err
	}
	out := []Reward{}
	told := terms.Rewards(v.p, v.lang)
	for i := range v.p.Doc.Rewards {
		r := v.p.Rewards[v.p.Doc.Rewards[i].ID]
		one := v.reward(r)
		o := offers[i]
		one.Terms = told[r.ID]
		for _, l := range o.Limits {
			limit := RewardLimit{Each: l.Each, Per: l.Per, Times: l.Times, RenewsAt: v.moment(l.Renews)}
			if member != "" || l.Each == "program" {
				limit.Left = &l.Left
			}
			one.Limits = append(one.Limits, limit)
		}
		if o.Left >= 0 && r.Stock >= 0 {
			one.StockLeft = &o.Left
		}
		if member != "" {
			if o.Hidden {
				continue
			}
			one.For = v.offer(o)
			one.For.Member = member
		}
		out = append(out, one)
	}
	return out, nil
}

// offersToNobody are the rewards without a member: what they cost and how many are left.
func (s *Server) offersToNobody(ctx context.Context, p *program.Compiled, now time.Time) ([]engine.Offer, error) {
	ref := books.Ref{Program: p.Doc.Program}
	var offers []engine.Offer
	err := s.DB.Read(ctx, func(tx *db.Tx) error {
		sheet := books.ReadSheet()
		if err := sheet.Open(ctx, tx, []books.Ref{ref}); err != nil {
			return err
		}
		f := sheet.Folio(ref)
		deciding := books.Deciding{Folio: f, Program: p, Needs: engine.OfferNeeds(p, &f.State, now)}
		if err := sheet.Fetch(ctx, tx, []books.Deciding{deciding}); err != nil {
			return err
		}
		offers = engine.Offers(p, f.Input(deciding).Account, nil, now)
		return nil
	})
	return offers, err
}

func (v view) reward(r *program.CompiledReward) Reward {
	out := Reward{
		ID: r.ID, Title: r.Title.In(v.lang), Description: r.Description.In(v.lang), Picture: r.Picture, Price: v.units(r.Price), Quantity: r.Quantity,
		From: v.moment(r.From), Until: v.moment(r.Until),
	}
	v.prices(&out, r)
	switch {
	case r.Pay != nil:
		out.Gives = "money"
		out.Pay = &PayRate{Unit: r.Pay.Unit, Points: v.unit(r.Pay.Unit, r.PayPoints), Worth: v.money(r.PayWorth)}
		if r.PayMin >= 0 {
			out.Pay.Min = v.unit(r.Pay.Unit, r.PayMin)
		}
		if r.PayMax >= 0 {
			out.Pay.Max = v.unit(r.Pay.Unit, r.PayMax)
		}
		if r.Pay.Share != nil {
			out.Pay.Share = Amount(r.Pay.Share.String())
		}
	case r.Gives.Voucher != nil:
		out.Gives = "voucher"
		out.Voucher = &VoucherKind{Uses: max(r.Gives.Voucher.Uses, 1), Bound: r.Gives.Voucher.Bound, Stacks: cmp.Or(r.Gives.Voucher.Stacks, "with others"), Group: r.Gives.Voucher.Group}
		if l := r.Gives.Voucher.Least; l != nil {
			out.Voucher.Least = decimal(*l)
		}
		if m := r.Gives.Voucher.Money; m != nil {
			out.Voucher.Money = decimal(*m)
		}
		if p := r.Gives.Voucher.Percent; p != nil {
			out.Voucher.Percent = decimal(*p)
		}
		if d := r.Gives.Voucher.Valid; d != nil {
			out.Voucher.Valid = d.String()
		}
	default:
		v.kind(&out, r)
	}
	return out
}

func decimal(d money.Decimal) Amount { return Amount(d.String()) }

func (v view) offer(o engine.Offer) *RewardFor {
	out := &RewardFor{Available: o.Can, Reason: o.Reason, Missing: v.units(o.Missing), Price: v.units(o.Price)}
	if o.Worth != 0 {
		out.Worth = v.money(o.Worth)
	}
	if o.Money != 0 {
		out.Money = v.money(o.Money)
	}
	if o.Option > 1 {
		out.Option = o.Option
	}
	if !o.Can {
		out.Why = explain.Standing(o.Why, v.p, v.lang, v.forMember)
	}
	return out
}
