package api

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/code"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/member"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/version"
	"lojal.dev/lojal/internal/waiting"
	"lojal.dev/lojal/internal/web"
)

// claimWithin is how long a receipt can be claimed where the program does not say.
const claimWithin = 30 * 24 * time.Hour

type keepIn struct {
	Call
	Body NewClaim
}

// keepPurchase has a purchase wait for its member: under a code, or under a card token that nobody has linked yet.
func (s *Server) keepPurchase(ctx context.Context, in *keepIn) (*Answered[Waiting], error) {
	b := in.Body
	if b.Source == "" || b.ExternalID == "" {
		return nil, required("/external_id", "Give source and external_id: by them the receipt counts once.")
	}
	if len(b.Spend) > 0 || len(b.Redemptions) > 0 {
		return nil, errs.Invalid("invalid_purchase", "The purchase has mistakes.", errs.Field{Pointer: "/spend", Reason: "no_member", Message: "goes only with a member"})
	}
	if b.Identifier != "" {
		id, err := s.holderOf(ctx, &in.Call, b.Identifier)
		if err != nil {
			return nil, err
		}
		if id != "" {
			return s.recordLinked(ctx, in, id)
		}
	}
	reply, err := s.once(ctx, &in.Call, http.StatusCreated, func(tx *db.Tx) (any, error) {
		v, set, err := s.view(ctx, tx, &in.Call)
		if err != nil {
			return nil, err
		}
		p := waiting.Purchase{Source: b.Source, ExternalID: b.ExternalID, Body: b.Purchase, OccurredAt: in.now, CreatedAt: in.now}
		if b.OccurredAt != nil {
			p.OccurredAt = b.OccurredAt.UTC().Truncate(time.Microsecond)
		}
		if p.OccurredAt.After(in.now.Add(record.Ahead)) {
			return nil, errs.Invalid("in_the_future", "The time lies in the future.", errs.Field{Pointer: "/occurred_at", Reason: "in_the_future", Message: "must not lie more than 5 minutes ahead"})
		}
		then := set.At(p.OccurredAt)
		if then == nil {
			then = v.p
		}
		if err := engine.Check(then, engine.Fact{Kind: engine.PurchaseK, Purchase: &p.Body}); err != nil {
			return nil, err
		}
		ends := p.OccurredAt.Add(claimWithin)
		if c := v.p.Doc.Claims; c != nil && c.Within != nil {
			ends = c.Within.After(p.OccurredAt, v.p.Zone)
		}
		p.EndsAt = &ends
		if b.Identifier != "" {
			kind, value, ok := strings.Cut(b.Identifier, ":")
			if !ok {
				return nil, required("/identifier", "Write it as KIND:VALUE, for example payment_card:tok_77.")
			}
			if value, err = member.Normalize(v.p, kind, value); err != nil {
				return nil, errs.Invalid("invalid_identifier", err.Error(), errs.Field{Pointer: "/identifier", Reason: "invalid_identifier", Message: err.Error()})
			}
			p.Kind, p.Value, p.EndsAt = kind, value, nil
			if c := v.p.Doc.Claims; c != nil && c.Linked != nil {
				ends = c.Linked.After(p.OccurredAt, v.p.Zone)
				p.EndsAt = &ends
			}
		}
		known := map[books.NaturalKey]books.Receipt{}
		if err := tx.Find(ctx, books.AskReceipts([]books.NaturalKey{{Program: in.program(), Source: p.Source, ExternalID: p.ExternalID}}, known)); err != nil {
			return nil, err
		}
		if len(known) > 0 {
			return nil, errs.Conflict("duplicate_external_id", "This receipt counts for a member already.")
		}
		p, fresh, err := waiting.Keep(ctx, tx, in.program(), p)
		if err != nil {
			return nil, err
		}
		out := v.waiting(p)
		if !fresh || p.Kind != "" {
			return out, nil
		}
		k, err := code.MakeKey(ctx, tx, in.program(), in.now)
		if err != nil {
			return nil, err
		}
		n := code.New{Kind: code.Claim, Text: code.Draw(), Subject: p.ID, EndsAt: p.EndsAt}
		c, err := k.Of(n, in.now)
		if err != nil {
			return nil, err
		}
		out.Code = code.Show(n.Text)
		return out, code.Keep(ctx, tx, in.program(), []code.Code{c})
	}, func(answer any) any {
		a := answer.(Waiting)
		a.Code = ""
		return a
	})
	if err == nil && b.Identifier != "" { // somebody may have linked it meanwhile
		if id, err := s.holderOf(ctx, &in.Call, b.Identifier); err == nil && id != "" {
			if _, err := s.linked(ctx, &in.Call, id); err != nil {
				return nil, err
			}
		}
	}
	return &Answered[Waiting]{reply}, err
}

// holderOf gives the id of the member who has an identifier, "" for nobody.
func (s *Server) holderOf(ctx context.Context, c *Call, identifier string) (id string, err error) {
	err = s.look(ctx, c, func(tx *db.Tx, v view, _ *version.Set) error {
		var err error
		id, err = existing(ctx, tx, v, identifier)
		if errs.CodeOf(err) == errs.CodeNotFound {
			id, err = "", nil
		}
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

func (v view) waiting(p waiting.Purchase) Waiting {
	out := Waiting{ID: p.ID, Status: p.Status, Source: p.Source, ExternalID: p.ExternalID, Member: p.Member, Purchase: p.Fact, OccurredAt: v.time(p.OccurredAt), EndsAt: v.moment(p.EndsAt)}
	if out.Status == "" {
		out.Status = waiting.Open
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
	c, err := s.Codes.Look(ctx, s.DB, in.asked(ctx, in.Body.PresentedCode, code.Claim), in.now)
	if err != nil {
		return nil, err
	}
	var p waiting.Purchase
	err = s.DB.Read(ctx, func(tx *db.Tx) error {
		p, err = waiting.Get(ctx, tx, in.program(), c.Subject)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &Answered[Recorded]{}
	req := s.claimOf(&in.Call, p, in.Body.Member, in.Include)
	if p.Status != waiting.Claimed { // the same member may ask again, and gets what was decided
		if err := p.Usable(in.now); err != nil {
			return nil, err
		}
	}
	return out, claimed(s.submit(ctx, req, &out.Reply))
}

// claimOf is the request that records a purchase that waits. That it counts once is held by its natural key.
func (s *Server) claimOf(c *Call, p waiting.Purchase, ref string, include []string) record.Request {
	req := s.request(c, ref, engine.Fact{Kind: engine.PurchaseK, Source: p.Source, ExternalID: p.ExternalID, OccurredAt: p.OccurredAt, Purchase: &p.Body})
	req.Render = func(r *record.Result) (int, []byte) {
		return renderResult(r, func() any { return c.recorded(r, include) })
	}
	req.Beside = func(ctx context.Context, tx *db.Tx, r *record.Result) error {
		return waiting.Settle(ctx, tx, c.program(), p.ID, waiting.Claimed, r.Fact.Member, r.Fact.ID)
	}
	return req
}

// claimed says of a receipt that another member has it what that means here.
func claimed(err error) error {
	if errs.Is(err, errs.CodeConflict, "duplicate_external_id") {
		return errs.Conflict("receipt_claimed", "This receipt was claimed already.")
	}
	return err
}

type waitingIn struct {
	Call
	// Claim is the id of the purchase that waits.
	Claim string `path:"claim"`
	Spoken
}

func (s *Server) getWaiting(ctx context.Context, in *waitingIn) (*Waiting, error) {
	var out Waiting
	err := s.look(ctx, &in.Call, func(tx *db.Tx, v view, _ *version.Set) error {
		p, err := waiting.Get(ctx, tx, in.program(), in.Claim)
		if errs.CodeOf(err) == errs.CodeNotFound {
			return web.NotFound()
		}
		out = v.waiting(p)
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
		if err := waiting.Settle(ctx, tx, in.program(), p.ID, waiting.Cancelled, "", ""); err != nil {
			return nil, err
		}
		p.Status = waiting.Cancelled
		return v.waiting(p), nil
	}, nil)
	return &Answered[Waiting]{reply}, err
}

type linkIn struct {
	Call
	MemberPath
	Spoken
}

// mostClaims bounds what one request claims; the rest is claimed by the next.
const mostClaims = 200

// claimLinked records for a member what waits for the identifiers that the member has.
func (s *Server) claimLinked(ctx context.Context, in *linkIn) (*LinkedClaims, error) {
	return s.linked(ctx, &in.Call, in.Member)
}

func (s *Server) linked(ctx context.Context, c *Call, ref string) (*LinkedClaims, error) {
	var list []waiting.Purchase
	var id string
	err := s.look(ctx, c, func(tx *db.Tx, v view, _ *version.Set) error {
		list = nil
		var err error
		if id, err = existing(ctx, tx, v, ref); err != nil {
			return err
		}
		m, err := member.Get(ctx, tx, c.program(), id)
		if err != nil {
			return err
		}
		for _, i := range m.Identifiers {
			more, err := waiting.Of(ctx, tx, c.program(), i.Kind, i.Value, mostClaims-len(list))
			if err != nil {
				return err
			}
			list = append(list, more...)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := &LinkedClaims{Member: id, Facts: []FactRef{}, More: len(list) == mostClaims}
	reqs := make([]record.Request, 0, len(list))
	for _, p := range list {
		if p.EndsAt == nil || c.now.Before(*p.EndsAt) {
			r := s.claimOf(c, p, id, nil)
			r.Key = nil
			reqs = append(reqs, r)
		}
	}
	for i, o := range s.Recorder.Batch(ctx, reqs) {
		switch {
		case o.Err == nil:
			v := c.view(o.Result.Program)
			out.Facts = append(out.Facts, v.ref(o.Result.Fact, o.Result.Decision))
		case errs.CodeOf(o.Err) == errs.CodeUnavailable || errs.CodeOf(o.Err) == errs.CodeInternal:
			return nil, o.Err
		default:
			e := errs.As(claimed(o.Err))
			out.Refused = append(out.Refused, GiftCardProblem{Reason: e.Reason, Message: "Number " + strconv.Itoa(i+1) + ": " + e.Message})
		}
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
	// Status is open, claimed or cancelled.
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
}

// ClaimReceipt claims the purchase of a receipt.
type ClaimReceipt struct {
	PresentedCode
	// Member is who claims it.
	Member string `json:"member"`
}

// LinkedClaims is what waited for a member's identifiers and was recorded.
type LinkedClaims struct {
	Member string    `json:"member"`
	Facts  []FactRef `json:"facts"`
	// Refused are those that could not be recorded, and why.
	Refused []GiftCardProblem `json:"refused,omitempty"`
	// More says that there is more: ask again.
	More bool `json:"more,omitempty"`
}
