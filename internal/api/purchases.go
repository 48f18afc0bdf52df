package api

import (
	"context"
	"strings"
	"time"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/code"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/version"
	"lojal.dev/lojal/internal/web"
)

type purchaseIn struct {
	Call
	Included
	Body Purchase
}

func (p Purchase) fact() engine.Fact {
	f := p.FactKey.fact(engine.PurchaseK)
	f.Purchase = &p.Purchase
	return f
}

func (s *Server) recordPurchase(ctx context.Context, in *purchaseIn) (*Answered[Recorded], error) {
	return s.recordBought(ctx, &in.Call, in.Include, in.Body)
}

// recordBought records a purchase with what is brought with it.
func (s *Server) recordBought(ctx context.Context, c *Call, include []string, p Purchase) (*Answered[Recorded], error) {
	f := p.fact()
	if f.Brings() {
		if out, err := s.first(ctx, c, include); out != nil || err != nil {
			return out, err
		}
		if err := s.bring(ctx, c, p.Member, &f); err != nil {
			return nil, c.nobody(err, f.Kind)
		}
	}
	return s.recordFact(ctx, c, include, p.Member, f)
}

// bring looks up what is brought with a purchase. The codes themselves go no further.
func (s *Server) bring(ctx context.Context, c *Call, ref string, f *engine.Fact) error {
	if !f.Brings() {
		return nil
	}
	p, member, err := s.payer(ctx, c, ref)
	if err != nil {
		return err
	}
	b := *f.Purchase
	b.Codes, err = record.Present(ctx, s.DB, c.program(), p, member, b.Codes, func(u engine.CodeUse) (code.Code, error) {
		return s.brought(ctx, c, PresentedCode{Code: u.Code, Address: u.Address}, code.Voucher, code.Coupon, code.GiftCard, code.Share)
	})
	f.Purchase = &b
	return err
}

// ReceiptPath is a purchase's natural key.
type ReceiptPath struct {
	// Source is the till or system it comes from.
	Source string `path:"source"`
	// ExternalID is its receipt number there.
	ExternalID string `path:"external_id"`
}

type putPurchaseIn struct {
	Call
	ReceiptPath
	Included
	Body KeyedPurchase
}

func (s *Server) putPurchase(ctx context.Context, in *putPurchaseIn) (*Answered[Recorded], error) {
	b := in.Body
	p := Purchase{Head{b.Member, FactKey{in.Source, in.ExternalID, b.OccurredAt}}, b.Purchase}
	return s.recordBought(ctx, &in.Call, in.Include, p)
}

// PurchasePath names a purchase.
type PurchasePath struct {
	// Purchase is its id, or SOURCE:EXTERNAL_ID.
	Purchase string `path:"purchase"`
}

// natural reads SOURCE:EXTERNAL_ID.
func natural(ref string) (source, externalID string, ok bool) {
	i := strings.IndexAny(ref, ":/")
	if i <= 0 || i == len(ref)-1 {
		return "", "", false
	}
	return ref[:i], ref[i+1:], true
}

// parent gives the name under which the flow finds a fact: its id, or SOURCE/EXTERNAL_ID.
func parent(ref string) (string, error) {
	if _, ok := ids.BucketOf(ref); ok {
		return ref, nil
	}
	source, external, ok := natural(ref)
	if !ok {
		return "", web.NotFound("purchase")
	}
	return source + "/" + external, nil
}

// find gives a fact by its id or natural key, with the facts about it. The noun is what was asked for.
func find(ctx context.Context, tx *db.Tx, program, ref, noun string) (books.Entry, []books.Entry, error) {
	entry, children, err := findAny(ctx, tx, program, ref)
	if errs.CodeOf(err) == errs.CodeNotFound {
		return books.Entry{}, nil, web.NotFound(noun)
	}
	return entry, children, err
}

func findAny(ctx context.Context, tx *db.Tx, program, ref string) (books.Entry, []books.Entry, error) {
	if _, ok := ids.BucketOf(ref); ok {
		return books.Find(ctx, tx, program, ref)
	}
	source, external, ok := natural(ref)
	if !ok {
		return books.Entry{}, nil, web.NotFound("fact")
	}
	return books.FindByKey(ctx, tx, books.NaturalKey{Program: program, Source: source, ExternalID: external})
}

type getPurchaseIn struct {
	Call
	PurchasePath
	// Include adds explanation.
	Include []string `query:"include"`
	Spoken
}

func (s *Server) getPurchase(ctx context.Context, in *getPurchaseIn) (*PurchaseView, error) {
	return s.purchaseView(ctx, &in.Call, in.Purchase, in.Include)
}

type getReceiptIn struct {
	Call
	ReceiptPath
	// Include adds explanation.
	Include []string `query:"include"`
	Spoken
}

func (s *Server) getReceipt(ctx context.Context, in *getReceiptIn) (*PurchaseView, error) {
	return s.purchaseView(ctx, &in.Call, in.Source+"/"+in.ExternalID, in.Include)
}

func (s *Server) purchaseView(ctx context.Context, c *Call, ref string, include []string) (*PurchaseView, error) {
	if err := checkIncludes(include, "explanation"); err != nil {
		return nil, err
	}
	var out *PurchaseView
	err := s.look(ctx, c, func(tx *db.Tx, v view, set *version.Set) error {
		entry, children, err := find(ctx, tx, c.program(), ref, "purchase")
		if err != nil {
			return err
		}
		if entry.Fact.Kind != engine.PurchaseK {
			return web.NotFound("purchase")
		}
		v = v.by(set, entry.Decision.Version)
		out = v.purchase(entry, children)
		if len(include) > 0 {
			out.Explanation = v.explanation(entry.Fact.Kind, entry.Decision)
		}
		return nil
	})
	return out, err
}

func (v view) purchase(entry books.Entry, children []books.Entry) *PurchaseView {
	out := &PurchaseView{Recorded: v.fact(entry.Fact, entry.Decision), Purchase: entry.Fact.Purchase, Lines: []LineView{}, Returns: []string{}}
	backQuantity, backAmount := map[string]int64{}, map[string]int64{}
	for _, c := range children {
		if c.Fact.Kind != engine.ReturnK {
			continue
		}
		out.Returns = append(out.Returns, c.Fact.ID)
		for _, l := range c.Decision.Lines {
			backQuantity[l.ID] += l.Quantity
			backAmount[l.ID] += l.Amount
		}
	}
	for _, l := range entry.Decision.Lines {
		out.Lines = append(out.Lines, LineView{
			ID: l.ID, Quantity: thousandths(l.Quantity), Amount: v.money(l.Amount),
			ReturnedQuantity: thousandths(backQuantity[l.ID]), ReturnedAmount: v.money(backAmount[l.ID]),
		})
	}
	return out
}

// thousandths writes a quantity without the zeros at its end.
func thousandths(n int64) Amount {
	text := strings.TrimRight(money.Format(n, 3), "0")
	return Amount(strings.TrimSuffix(text, "."))
}

type returnIn struct {
	Call
	PurchasePath
	Included
	Body *Return
}

func (r Return) fact(of string) engine.Fact {
	f := r.FactKey.fact(engine.ReturnK)
	f.Parent = of
	f.Return = &r.Return
	return f
}

func (s *Server) recordReturn(ctx context.Context, in *returnIn) (*Answered[Recorded], error) {
	of, err := parent(in.Purchase)
	if err != nil {
		return nil, err
	}
	if in.Body == nil {
		in.Body = &Return{}
	}
	return s.recordFact(ctx, &in.Call, in.Include, "", in.Body.fact(of))
}

type listReturnsIn struct {
	Call
	PurchasePath
	Spoken
}

func (s *Server) listReturns(ctx context.Context, in *listReturnsIn) (*Page[Fact], error) {
	out := &Page[Fact]{}
	return out, s.look(ctx, &in.Call, func(tx *db.Tx, v view, set *version.Set) error {
		entry, children, err := find(ctx, tx, in.program(), in.Purchase, "purchase")
		if err != nil {
			return err
		}
		if entry.Fact.Kind != engine.PurchaseK {
			return web.NotFound("purchase")
		}
		out.Items = []Fact{}
		for _, c := range children {
			if c.Fact.Kind == engine.ReturnK {
				out.Items = append(out.Items, v.by(set, c.Decision.Version).whole(c.Fact, c.Decision))
			}
		}
		return nil
	})
}

type activityIn struct {
	Call
	Included
	Body Activity
}

// Body is the activity as it is decided and kept.
func (a Activity) Body() *engine.Activity {
	out := &engine.Activity{Kind: a.Kind, Store: a.Store, Channel: a.Channel, Confirms: a.Confirms, By: a.By, Own: a.Own}
	for name, v := range a.Properties {
		if out.Properties == nil {
			out.Properties = make(map[string]string, len(a.Properties))
		}
		out.Properties[name] = string(v)
	}
	return out
}

func (a Activity) fact() engine.Fact {
	f := a.FactKey.fact(engine.ActivityK)
	f.Activity = a.Body()
	return f
}

func (s *Server) recordActivity(ctx context.Context, in *activityIn) (*Answered[Recorded], error) {
	if in.Body.Member == "" {
		return nil, required("/member", "Say which member did it.")
	}
	return s.recordFact(ctx, &in.Call, in.Include, in.Body.Member, in.Body.fact())
}

// timeOr gives the time, or now.
func timeOr(t *time.Time, now time.Time) time.Time {
	if t == nil {
		return now
	}
	return *t
}
