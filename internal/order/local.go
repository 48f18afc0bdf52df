package order

import (
	"context"
	"time"

	"lojal.dev/lojal/internal/code"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/giftcard"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/reward"
)

// pool is the provider whose cards were bought beforehand and loaded as CSV: one pool for each product, or one for all.
type pool struct{ db *db.DB }

func poolOf(o *reward.Order) string { return reward.PoolOf(o.Provider, o.Data.Product) }

func (p pool) Order(ctx context.Context, o *reward.Order, now time.Time) (out Outcome, err error) {
	err = p.db.Write(ctx, func(tx *db.Tx) error {
		if err := o.Lock(ctx, tx); err != nil { // a pool that is loaded meanwhile has another node look at the order too: one of them takes
			return err
		}
		k, err := code.MakeKey(ctx, tx, o.Program, now)
		if err != nil {
			return err
		}
		t, err := reward.TakeOnce(ctx, tx, k, o.Program, poolOf(o), reward.ForOrder+o.Redemption, now)
		switch {
		case err != nil:
			return err
		case t == nil:
			return errs.Unavailable("pool_empty", "The pool "+poolOf(o)+" is empty: load more with lojal pool load.")
		}
		out = Outcome{Status: Delivered, Secret: reward.Secret{Code: t.Code, EndsAt: t.EndsAt}}
		return nil
	})
	return out, err
}

// Ask gives what was taken already; an order that took nothing is not known here.
func (p pool) Ask(ctx context.Context, o *reward.Order, now time.Time) (Outcome, error) {
	return p.Order(ctx, o, now)
}

func (p pool) Cancel(ctx context.Context, o *reward.Order, _ time.Time) (out Outcome, err error) {
	err = p.db.Read(ctx, func(tx *db.Tx) error {
		t, err := reward.TakenBy(ctx, tx, o.Program, poolOf(o), reward.ForOrder+o.Redemption)
		if errs.CodeOf(err) == errs.CodeNotFound {
			out = Outcome{Status: Failed, Reason: "called off"}
			return nil
		}
		if err == nil {
			out = Outcome{Status: Delivered, Secret: reward.Secret{Code: t.Code, EndsAt: t.EndsAt}}
		}
		return err
	})
	return out, err
}

// own issues cards of the program itself.
type own struct{ recorder *record.Recorder }

func (p own) Order(ctx context.Context, o *reward.Order, now time.Time) (Outcome, error) {
	amount, err := money.Parse(o.Data.Money)
	if err != nil {
		return Outcome{}, err
	}
	id := ids.New(giftcard.IDPrefix, now)
	r, err := p.recorder.Record(ctx, record.Request{Program: o.Program, Holder: id, Now: now, Actor: record.System, Own: true,
		Fact: engine.Fact{Kind: engine.Enrolment, Source: Source, ExternalID: o.Redemption + "/card",
			Enrolment: &engine.EnrolmentBody{Kind: engine.GiftCard}, Card: &engine.Card{Amount: &amount}},
		Beside: func(_ context.Context, tx *db.Tx, r *record.Result) error {
			return giftcard.Keep(tx, o.Program, giftcard.Card{ID: id, CreatedAt: r.Fact.RecordedAt,
				Data: giftcard.Data{Greeting: o.Data.Greeting, Look: o.Data.Look, Language: o.Data.Language, Reference: o.Redemption}})
		}})
	switch {
	case err == nil:
		return Outcome{Status: Delivered, card: r.Fact.Member}, nil
	case errs.CodeOf(err) == errs.CodeInvalid, errs.CodeOf(err) == errs.CodeConflict:
		return Outcome{Status: Failed, Reason: errs.As(err).Message}, nil
	}
	return Outcome{}, err
}

func (p own) Ask(ctx context.Context, o *reward.Order, now time.Time) (Outcome, error) {
	return p.Order(ctx, o, now)
}

func (p own) Cancel(ctx context.Context, o *reward.Order, now time.Time) (Outcome, error) {
	return p.Order(ctx, o, now) // it is a moment's work: what was called off has come, and the card can be
}

// drawCode gives a card of the program's own its code, in place of any before it.
func drawCode(ctx context.Context, tx *db.Tx, p *program.Compiled, id, card string, now time.Time) (reward.Secret, error) {
	k, err := code.MakeKey(ctx, tx, id, now)
	if err != nil {
		return reward.Secret{}, err
	}
	if err := code.Replace(ctx, tx, id, card, card); err != nil {
		return reward.Secret{}, err
	}
	n := code.New{Kind: code.GiftCard, Text: code.Draw(), Holder: card, Subject: card}
	if p.GiftCards != nil && p.GiftCards.PIN {
		n.PIN = ids.Digits(4)
	}
	c, err := k.Of(n, now)
	if err != nil {
		return reward.Secret{}, err
	}
	return reward.Secret{Code: code.Show(n.Text), PIN: n.PIN}, code.Keep(ctx, tx, id, []code.Code{c})
}

func tailOf(text string) string { return code.Tail(text) }
