package api

import (
	"context"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ledger"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/version"

	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/web"
)

type adjustIn struct {
	Call
	Included
	Body Adjustment
}

func (a Adjustment) fact() engine.Fact {
	f := a.FactKey.fact(engine.AdjustmentK)
	f.Adjustment = &a.Adjustment
	return f
}

func (s *Server) adjust(ctx context.Context, in *adjustIn) (*Answered[Recorded], error) {
	if in.Body.Member == "" {
		return nil, required("/member", "Say whose balance is changed.")
	}
	return s.recordFact(ctx, &in.Call, in.Include, in.Body.Member, in.Body.fact())
}

type transferIn struct {
	Call
	Included
	Body Transfer
}

func (t Transfer) fact() engine.Fact {
	f := t.FactKey.fact(engine.TransferOut)
	f.Transfer = &engine.Transfer{Unit: t.Unit, Amount: t.Amount, Other: t.To, Message: t.Message}
	return f
}

func (s *Server) transfer(ctx context.Context, in *transferIn) (*Answered[Recorded], error) {
	if in.Body.From == "" {
		return nil, required("/from", "Say who gives.")
	}
	if in.Body.To == "" {
		return nil, required("/to", "Say who receives.")
	}
	return s.recordFact(ctx, &in.Call, in.Include, in.Body.From, in.Body.fact())
}

// FactPath names a fact.
type FactPath struct {
	// Fact is its id, or SOURCE:EXTERNAL_ID.
	Fact string `path:"fact"`
}

type releaseIn struct {
	Call
	FactPath
	Included
	Body *Release
}

func (s *Server) release(ctx context.Context, in *releaseIn) (*Answered[Recorded], error) {
	return s.settlePending(ctx, in, false)
}

func (s *Server) cancelPending(ctx context.Context, in *releaseIn) (*Answered[Recorded], error) {
	return s.settlePending(ctx, in, true)
}

func (s *Server) settlePending(ctx context.Context, in *releaseIn, cancel bool) (*Answered[Recorded], error) {
	of, err := parent(in.Fact)
	if err != nil {
		return nil, err
	}
	f := engine.Fact{Kind: engine.Release, Parent: of, Release: &engine.ReleaseBody{Cancel: cancel}}
	if in.Body != nil {
		f.Release.Unit, f.Release.Reason = in.Body.Unit, in.Body.Reason
	}
	return s.recordFact(ctx, &in.Call, in.Include, "", f)
}

type reverseIn struct {
	Call
	// ID is that of the adjustment or transfer.
	ID string `path:"id"`
	Included
	Body *Reversal
}

func (s *Server) reverseTransfer(ctx context.Context, in *reverseIn) (*Answered[Recorded], error) {
	if ids.Check("trf", in.ID) != nil {
		return nil, web.NotFound("transfer")
	}
	f := engine.Fact{Kind: engine.TransferOut, Parent: in.ID, Transfer: &engine.Transfer{Reverses: in.ID}}
	if in.Body != nil {
		f.Transfer.Message, f.Transfer.Force = in.Body.Reason, in.Body.Force
	}
	return s.recordFact(ctx, &in.Call, in.Include, "", f)
}

// reversalSource is the natural key under which adjustments are reversed, so that each is reversed once.
const reversalSource = "lojal:reversal"

func (s *Server) reverseAdjustment(ctx context.Context, in *reverseIn) (*Answered[Recorded], error) {
	if ids.Check("adj", in.ID) != nil {
		return nil, web.NotFound("adjustment")
	}
	var f engine.Fact
	err := s.look(ctx, &in.Call, func(tx *db.Tx, v view, _ *version.Set) error {
		e, _, err := find(ctx, tx, in.program(), in.ID, "adjustment")
		if err != nil {
			return err
		}
		if e.Fact.Source == reversalSource {
			return errs.Conflict("is_a_reversal", "This adjustment is itself a reversal. Make a new adjustment.")
		}
		if e.Fact.Adjustment != nil && e.Fact.Adjustment.Challenge != "" {
			return errs.Conflict("counted_by_hand", "This was counted for a challenge by hand. Count it back with an adjustment of its own.")
		}
		var net int64
		for _, p := range e.Decision.Postings {
			switch ledger.Adjusted {
			case p.From:
				net += p.Amount
			case p.To:
				net -= p.Amount
			}
		}
		if net == 0 {
			return errs.Conflict("nothing_to_reverse", "This adjustment changed nothing.")
		}
		unit := e.Fact.Adjustment.Unit
		back := money.FromMinor(-net, v.p.Units[unit].Precision)
		reason := "Reversal: " + e.Fact.Adjustment.Reason
		f = engine.Fact{Kind: engine.AdjustmentK, Parent: in.ID, Source: reversalSource, ExternalID: in.ID}
		if in.Body != nil && in.Body.Reason != "" {
			reason = in.Body.Reason
		}
		f.Adjustment = &engine.Adjustment{Unit: unit, Amount: &back, Reason: reason, AllowDebt: in.Body != nil && in.Body.Force}
		return nil
	})
	if err != nil {
		return nil, err
	}
	in.ours = true // the natural key is not the caller's
	return s.recordFact(ctx, &in.Call, in.Include, "", f)
}
