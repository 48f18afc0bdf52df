package api

import (
	"context"
	"net/http"
	"time"

	"lojal.dev/lojal/internal/claim"
	"lojal.dev/lojal/internal/code"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/version"
	"lojal.dev/lojal/internal/waiting"
	"lojal.dev/lojal/internal/web"
)

type keepIn struct {
	Call
	Body NewClaim
}

// keepPurchase has a purchase wait for its member: under a code, or under a card token that nobody has linked yet.
func (s *Server) keepPurchase(ctx context.Context, in *keepIn) (*Answered[Waiting], error) {
	b := in.Body
	n := claim.New{Source: b.Source, ExternalID: b.ExternalID, Purchase: b.Purchase, Identifier: b.Identifier, Now: in.now}
	if b.OccurredAt != nil {
		n.OccurredAt = *b.OccurredAt
	}
	id, err := s.holderOf(ctx, &in.Call, n)
	if err != nil {
		return nil, err
	}
	if id != "" {
		return s.recordLinked(ctx, in, id)
	}
	reply, err := s.once(ctx, &in.Call, http.StatusCreated, func(tx *db.Tx) (any, error) {
		v, set, err := s.view(ctx, tx, &in.Call)
		if err != nil {
			return nil, err
		}
		p, secret, err := claim.Keep(ctx, tx, v.p, set, n)
		out := v.waiting(p, in.now)
		out.Code = secret
		return out, err
	}, func(answer any) any {
		a := answer.(Waiting)
		a.Code = ""
		return a
	})
	if err != nil {
		return nil, err
	}
	if id, err = s.holderOf(ctx, &in.Call, n); id != "" { // linked meanwhile; where this fails, the request again goes on with it
		_, err = claim.Linked(ctx, s.DB, s.Recorder, in.program(), id, in.now)
	}
	return &Answered[Waiting]{reply}, err
}

func (s *Server) holderOf(ctx context.Context, c *Call, n claim.New) (id string, err error) {
	err = s.look(ctx, c, func(tx *db.Tx, v view, set *version.Set) (err error) {
		id, err = claim.Holder(ctx, tx, v.p, set, n)
		return err
	})
	return id, err
}

// recordLinked records a purchase whose card somebody has linked already.
func (s *Server) recordLinked(ctx context.Context, in *keepIn, id string) (*Answered[Waiting], error) {
	f := in.Body.FactKey.fact(engine.PurchaseK)
	f.Purchase = &in.Body.Purchase
	req := s.request(&in.Call, id, f)
	req.Render = func(r *record.Result) (int, []byte) {
		return renderResult(r, func() any {
			v := in.view(r.Program)
			return Waiting{ID: r.Fact.ID, Status: waiting.Claimed, Source: r.Fact.Source, ExternalID: r.Fact.ExternalID, Identifier: in.Body.Identifier, Member: r.Fact.Member,
				Purchase: r.Fact.ID, OccurredAt: v.time(r.Fact.OccurredAt)}
		})
	}
	out := &Answered[Waiting]{}
	return out, s.submit(ctx, req, &out.Reply)
}

func (v view) waiting(p waiting.Purchase, now time.Time) Waiting {
	out := Waiting{ID: p.ID, Status: p.Status, Source: p.Source, ExternalID: p.ExternalID, Member: p.Member, Purchase: p.Fact, OccurredAt: v.time(p.OccurredAt), EndsAt: v.moment(p.EndsAt)}
	if out.Status == "" {
		out.Status = waiting.Open
	}
	if out.Status == waiting.Open && p.Over(now) { // and is not settled yet
		out.Status = waiting.Ended
	}
	for i := range p.Returns {
		r := &p.Returns[i]
		out.Returns = append(out.Returns, WaitingReturn{Source: r.Source, ExternalID: r.ExternalID, OccurredAt: v.time(r.At()), Return: r.Return})
	}
	if p.Kind != "" {
		out.Identifier = p.Kind + ":" + p.Value
	}
	return out
}

type claimIn struct {
	Call
	Included
	Body ClaimReceipt
}

// claimReceipt records the purchase of a receipt's code for a member.
func (s *Server) claimReceipt(ctx context.Context, in *claimIn) (*Answered[Recorded], error) {
	if in.Body.Member == "" {
		return nil, required("/member", "Say who claims it.")
	}
	if out, err := s.first(ctx, &in.Call, in.Include); out != nil || err != nil {
		return out, err
	}
	c, err := s.brought(ctx, &in.Call, in.Body.PresentedCode, code.Claim)
	if err != nil {
		return nil, err
	}
	out := &Answered[Recorded]{}
	return out, claim.ByCode(ctx, s.DB, s.Recorder, in.program(), c, in.Body.Member, in.actor(), in.now, func(req record.Request) error {
		req.Key = in.idem
		req.Render = func(r *record.Result) (int, []byte) {
			return renderResult(r, func() any { return in.claimed(r, in.Include) })
		}
		return s.submit(ctx, req, &out.Reply)
	})
}

// claimed is the answer to who claims a receipt: with what had come back of it.
func (c *Call) claimed(r *record.Result, include []string) Recorded {
	out := c.recorded(r, include)
	v := c.view(r.Program)
	for _, l := range r.Then {
		ref := v.ref(l.Fact, l.Decision)
		out.Facts = append(out.Facts, ref)
		out.Summary += " " + ref.Summary
	}
	return out
}

type takeBackIn struct {
	Call
	// Claim is the id of the purchase that waits, or its SOURCE:EXTERNAL_ID.
	Claim string `path:"claim"`
	Body  *Return
}

// takeBack takes goods back of a purchase that waits, or of what it was recorded as.
func (s *Server) takeBack(ctx context.Context, in *takeBackIn) (*Answered[Waiting], error) {
	if in.Body == nil {
		in.Body = &Return{}
	}
	r := waiting.Return{Source: in.Body.Source, ExternalID: in.Body.ExternalID, TakenAt: in.now, Return: in.Body.Return}
	if in.Body.OccurredAt != nil {
		r.OccurredAt = in.Body.OccurredAt.UTC()
	}
	var reply web.Reply
	for {
		p, err := s.waits(ctx, in)
		if err != nil {
			return nil, err
		}
		if p.Status == waiting.Claimed {
			return s.returnClaimed(ctx, in, p)
		}
		reply, err = s.once(ctx, &in.Call, http.StatusCreated, func(tx *db.Tx) (any, error) {
			v, set, err := s.view(ctx, tx, &in.Call)
			if err != nil {
				return nil, err
			}
			if p, err = claim.TakeBack(ctx, tx, in.program(), set, p, r); err != nil {
				return nil, err
			}
			return v.waitingLeft(set, p, in.now)
		}, nil)
		again := errs.Is(err, errs.CodeConflict, "receipt_changed") || errs.Is(err, errs.CodeConflict, "receipt_claimed")
		if !again || ctx.Err() != nil {
			return &Answered[Waiting]{reply}, err
		}
	}
}

func (s *Server) waits(ctx context.Context, in *takeBackIn) (p waiting.Purchase, err error) {
	err = s.DB.Read(ctx, func(tx *db.Tx) error {
		if source, external, ok := natural(in.Claim); ok {
			p, err = waiting.Find(ctx, tx, in.program(), source, external)
		} else {
			p, err = waiting.Get(ctx, tx, in.program(), in.Claim)
		}
		return err
	})
	if errs.CodeOf(err) == errs.CodeNotFound {
		err = web.NotFound("claim")
	}
	return p, err
}

// returnClaimed is the return of a receipt that somebody has claimed: one of a purchase as any other.
func (s *Server) returnClaimed(ctx context.Context, in *takeBackIn, p waiting.Purchase) (*Answered[Waiting], error) {
	f := in.Body.fact(p.Source + "/" + p.ExternalID)
	req := s.request(&in.Call, "", f)
	req.Render = func(r *record.Result) (int, []byte) {
		return renderResult(r, func() any {
			w := in.view(r.Program).waiting(p, in.now)
			w.Return = r.Fact.ID
			return w
		})
	}
	out := &Answered[Waiting]{}
	return out, s.submit(ctx, req, &out.Reply)
}

// waitingLeft is a purchase that waits, with whether anything is left of it.
func (v view) waitingLeft(set *version.Set, p waiting.Purchase, now time.Time) (Waiting, error) {
	out := v.waiting(p, now)
	left, err := claim.Left(set, p)
	out.NothingLeft = !left
	return out, err
}

type waitingIn struct {
	Call
	// Claim is the id of the purchase that waits.
	Claim string `path:"claim"`
	Spoken
}

func (s *Server) getWaiting(ctx context.Context, in *waitingIn) (*Waiting, error) {
	var out Waiting
	err := s.look(ctx, &in.Call, func(tx *db.Tx, v view, set *version.Set) error {
		p, err := waiting.Get(ctx, tx, in.program(), in.Claim)
		if errs.CodeOf(err) == errs.CodeNotFound {
			return web.NotFound("claim")
		}
		if err == nil {
			out, err = v.waitingLeft(set, p, in.now)
		}
		return err
	})
	return &out, err
}

type cancelWaitingIn struct {
	Call
	// Claim is the id of the purchase that waits.
	Claim string `path:"claim"`
}

func (s *Server) cancelWaiting(ctx context.Context, in *cancelWaitingIn) (*Answered[Waiting], error) {
	reply, err := s.once(ctx, &in.Call, http.StatusOK, func(tx *db.Tx) (any, error) {
		v, _, err := s.view(ctx, tx, &in.Call)
		if err != nil {
			return nil, err
		}
		p, err := waiting.Get(ctx, tx, in.program(), in.Claim)
		if err != nil {
			return nil, err
		}
		if err := waiting.Settle(ctx, tx, in.program(), p, waiting.Cancelled, "", ""); err != nil {
			return nil, err
		}
		p.Status = waiting.Cancelled
		return v.waiting(p, in.now), nil
	}, nil)
	return &Answered[Waiting]{reply}, err
}

type linkIn struct {
	Call
	MemberPath
	Spoken
}

// claimLinked records for a member what waits for the identifiers that the member has.
func (s *Server) claimLinked(ctx context.Context, in *linkIn) (*LinkedClaims, error) {
	id, v, err := s.named(ctx, &in.Call, in.Member)
	if err != nil {
		return nil, err
	}
	done, err := claim.Linked(ctx, s.DB, s.Recorder, in.program(), id, in.now)
	if err != nil {
		return nil, err
	}
	out := &LinkedClaims{Member: id, Facts: []FactRef{}, More: done.More}
	for _, r := range done.Recorded {
		out.Facts = append(out.Facts, in.view(r.Program).ref(r.Fact, r.Decision))
	}
	for _, no := range done.Refused {
		e := errs.As(no.Err)
		out.Refused = append(out.Refused, RefusedClaim{v.waiting(no.Purchase, in.now), e.Reason, e.Message})
	}
	return out, nil
}

// NewClaim is a purchase that waits for its member.
type NewClaim struct {
	FactKey
	engine.Purchase
	// Identifier is what it came with, as KIND:VALUE: a card token that nobody has linked. Without it the answer has a code for the receipt.
	Identifier string `json:"identifier,omitempty"`
}

// Waiting is a purchase that waits, or waited.
type Waiting struct {
	ID string `json:"id"`
	// Status is open, claimed, cancelled, or ended where nobody claimed it in time.
	Status     string `json:"status"`
	Source     string `json:"source"`
	ExternalID string `json:"external_id"`
	Identifier string `json:"identifier,omitempty"`
	// Code claims it. It is in this answer and nowhere else.
	Code string `json:"code,omitempty"`
	// Member and Purchase are who claimed it, and what it was recorded as.
	Member     string    `json:"member,omitempty"`
	Purchase   string    `json:"purchase,omitempty"`
	OccurredAt time.Time `json:"occurred_at"`
	// EndsAt is until when it can be claimed.
	EndsAt *time.Time `json:"ends_at,omitempty"`
	// Returns are the goods of it that came back while it waited: whoever claims it gets what is left. NothingLeft says that all has: it can be
	// claimed, and gives nothing.
	Returns     []WaitingReturn `json:"returns,omitempty"`
	NothingLeft bool            `json:"nothing_left,omitzero"`
	// Return is what a return was recorded as, where somebody had claimed the receipt.
	Return string `json:"return,omitempty"`
}

// WaitingReturn is goods that came back before anybody claimed the receipt.
type WaitingReturn struct {
	Source     string    `json:"source"`
	ExternalID string    `json:"external_id"`
	OccurredAt time.Time `json:"occurred_at"`
	engine.Return
}

// ClaimReceipt claims the purchase of a receipt.
type ClaimReceipt struct {
	PresentedCode
	// Member is who claims it.
	Member string `json:"member"`
}

// RefusedClaim is a purchase that waits and could not be recorded.
type RefusedClaim struct {
	// Claim is the purchase that waits.
	Claim Waiting `json:"claim"`
	// Reason is stable, Message a sentence.
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

// LinkedClaims is what waited for a member's identifiers and was recorded.
type LinkedClaims struct {
	Member string    `json:"member"`
	Facts  []FactRef `json:"facts"`
	// Refused are those that could not be recorded, and why. They wait on, and keep the others from nothing.
	Refused []RefusedClaim `json:"refused,omitempty"`
	// More says that there is more: ask again.
	More bool `json:"more,omitempty"`
}
