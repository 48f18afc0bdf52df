package api

import (
	"context"
	"slices"
	"strings"
	"time"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/version"
	"lojal.dev/lojal/internal/web"
)

type redeemIn struct {
	Call
	Included
	Body Redemption
}

func (r Redemption) fact() engine.Fact {
	kind := engine.Reserve
	if r.Commit {
		kind = engine.Redeem
	}
	f := r.FactKey.fact(kind)
	f.Redemption = &r.Redemption
	return f
}

func (s *Server) redeem(ctx context.Context, in *redeemIn) (*Answered[Recorded], error) {
	if in.Body.Member == "" {
		return nil, required("/member", "Say whose points are spent.")
	}
	return s.recordFact(ctx, &in.Call, in.Include, in.Body.Member, in.Body.fact())
}

// RedemptionPath names a redemption.
type RedemptionPath struct {
	// Redemption is its id.
	Redemption string `path:"redemption"`
}

type getRedemptionIn struct {
	Call
	RedemptionPath
	Spoken
}

func (s *Server) getRedemption(ctx context.Context, in *getRedemptionIn) (*RedemptionView, error) {
	var out *RedemptionView
	err := s.look(ctx, &in.Call, func(tx *db.Tx, v view, _ *version.Set) error {
		r, err := books.FindRedemption(ctx, tx, in.program(), in.Redemption)
		if errs.CodeOf(err) == errs.CodeNotFound {
			return web.NotFound("redemption")
		}
		if err != nil {
			return err
		}
		one := v.standing(&r, in.now)
		out = &one
		return nil
	})
	return out, err
}

type redemptionStepIn struct {
	Call
	RedemptionPath
	Included
	Body *RedemptionStep
}

func (s *Server) commitRedemption(ctx context.Context, in *redemptionStepIn) (*Answered[Recorded], error) {
	return s.redemptionStep(ctx, in, engine.Commit)
}

func (s *Server) cancelRedemption(ctx context.Context, in *redemptionStepIn) (*Answered[Recorded], error) {
	return s.redemptionStep(ctx, in, engine.Cancel)
}

type refundIn struct {
	Call
	RedemptionPath
	Included
	Body *RedemptionRefund
}

func (s *Server) refundRedemption(ctx context.Context, in *refundIn) (*Answered[Recorded], error) {
	if _, ok := ids.BucketOf(in.Redemption); !ok {
		return nil, web.NotFound("redemption")
	}
	if in.Body == nil {
		in.Body = &RedemptionRefund{}
	}
	f := in.Body.FactKey.fact(engine.Refund)
	f.Parent = in.Redemption
	f.Redemption = &engine.Redemption{Reason: in.Body.Reason, Spend: engine.Spend{Points: in.Body.Points, Money: in.Body.Amount}}
	return s.recordFact(ctx, &in.Call, in.Include, "", f)
}

func (s *Server) redemptionStep(ctx context.Context, in *redemptionStepIn, kind engine.Kind) (*Answered[Recorded], error) {
	if _, ok := ids.BucketOf(in.Redemption); !ok {
		return nil, web.NotFound("redemption")
	}
	if in.Body == nil {
		in.Body = &RedemptionStep{}
	}
	f := in.Body.FactKey.fact(kind)
	f.Parent = in.Redemption
	f.Redemption = &engine.Redemption{Reason: in.Body.Reason}
	if kind == engine.Commit {
		f.Redemption.Money = in.Body.Money
	}
	return s.recordFact(ctx, &in.Call, in.Include, "", f)
}

type memberRedemptionsIn struct {
	Call
	MemberPath
	Paging
	// Status keeps to reserved, committed, cancelled, lapsed or refunded.
	Status string `query:"status"`
	Spoken
}

func (s *Server) listRedemptions(ctx context.Context, in *memberRedemptionsIn) (*Page[RedemptionView], error) {
	limit, err := web.PageLimit(in.Limit, web.DefaultLimit, web.MaxLimit)
	if err != nil {
		return nil, err
	}
	var at struct {
		ID string `json:"id"`
	}
	if err := web.ReadCursor("redemptions", in.Cursor, &at); err != nil {
		return nil, err
	}
	out := &Page[RedemptionView]{}
	return out, s.look(ctx, &in.Call, func(tx *db.Tx, v view, _ *version.Set) error {
		id, err := existing(ctx, tx, v, in.Member)
		if err != nil {
			return err
		}
		list, err := books.Redemptions(ctx, tx, books.Ref{Program: in.program(), Member: id}, in.Status, at.ID, limit+1)
		if err != nil {
			return err
		}
		out.Items, out.Next = []RedemptionView{}, ""
		if len(list) > limit {
			list = list[:limit]
			next := at
			next.ID = list[limit-1].ID
			out.Next = web.Cursor("redemptions", next)
		}
		for _, r := range list {
			out.Items = append(out.Items, v.redemption(r.RedemptionState, r.Member, in.now))
		}
		return nil
	})
}

type allRedemptionsIn struct {
	Call
	Paging
	// Status keeps to reserved, committed, cancelled, lapsed or refunded; to_hand to what was ordered and is not delivered yet.
	Status string `query:"status"`
	// Reward keeps to one, by its id in the program document.
	Reward string `query:"reward"`
	Spoken
}

// toHand is what stands in place of a status for what somebody has to see to.
const toHand = "to_hand"

var redemptionStatuses = []string{engine.StatusReserved, engine.StatusCommitted, engine.StatusCancelled, engine.StatusLapsed, engine.StatusRefunded, toHand}

func (s *Server) allRedemptions(ctx context.Context, in *allRedemptionsIn) (*Page[RedemptionView], error) {
	limit, err := web.PageLimit(in.Limit, web.DefaultLimit, web.MaxLimit)
	if err != nil {
		return nil, err
	}
	if in.Status != "" && !slices.Contains(redemptionStatuses, in.Status) {
		text := "Write one of: " + strings.Join(redemptionStatuses, ", ") + "."
		return nil, errs.Malformed("invalid_parameter", "There is no such status. "+text, errs.Field{Pointer: "status", Reason: "wrong_value", Message: text})
	}
	var at books.RedemptionPlace
	if err := web.ReadCursor("all-redemptions", in.Cursor, &at); err != nil {
		return nil, err
	}
	q := books.RedemptionQuery{Status: in.Status, Reward: in.Reward, Before: at, Limit: limit}
	if q.ToHand = in.Status == toHand; q.ToHand {
		q.Status = ""
	}
	out := &Page[RedemptionView]{}
	return out, s.look(ctx, &in.Call, func(tx *db.Tx, v view, _ *version.Set) error {
		list, next, err := books.AllRedemptions(ctx, tx, in.program(), q)
		out.Items, out.Next = []RedemptionView{}, ""
		for i := range list {
			out.Items = append(out.Items, v.standing(&list[i], in.now))
		}
		if next != nil {
			out.Next = web.Cursor("all-redemptions", *next)
		}
		return err
	})
}

// standing is a redemption as it stands now: a reservation whose time ran out is over, also before the next fact or the sweep writes it down.
func (v view) standing(r *books.Redemption, now time.Time) RedemptionView {
	one := v.redemption(r.RedemptionState, r.Member, now)
	if one.Status == engine.StatusReserved && one.ExpiresAt != nil && !one.ExpiresAt.After(now) {
		one.Status = engine.StatusLapsed
	}
	return one
}
