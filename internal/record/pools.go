package record

import (
	"context"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/reward"
)

// Codes of others are taken from their pool before the fact is decided, in its transaction, and those that no decision handed out are put back at
// its end. So a code goes with its redemption or stays, wherever the process stops.

// drawnCode is a code that was taken for a fact.
type drawnCode struct{ program, fact, pool, hash string }

// fromPool takes a code for a fact of the task. A simulation only looks whether there is one.
func (u *unit) fromPool(ctx context.Context, t *task, fact, pool string) (engine.Pooled, error) {
	if u.simulated {
		n, err := reward.Left(ctx, u.tx, t.req.Program, pool, t.req.Now)
		if err != nil || n == 0 {
			return engine.Pooled{Pool: pool}, err
		}
		return engine.Trial(pool), nil
	}
	k, err := u.key(ctx, t)
	if err != nil {
		return engine.Pooled{}, err
	}
	c, err := reward.Take(ctx, u.tx, k, t.req.Program, pool, fact, t.req.Now)
	if err != nil || c == nil {
		return engine.Pooled{Pool: pool}, err
	}
	u.pooled = append(u.pooled, drawnCode{t.req.Program, fact, pool, c.Hash})
	if t.codes == nil {
		t.codes = map[string]string{}
	}
	t.codes[c.Hash] = c.Code
	p := engine.Pooled{Pool: pool, Hash: c.Hash, Tail: c.Tail}
	if c.Left < reward.Low {
		p.Low = c.Left + 1
	}
	return p, nil
}

// putBack returns to the pools what no decision that stays has handed out.
func (u *unit) putBack(ctx context.Context) error {
	if len(u.pooled) == 0 {
		return nil
	}
	given := map[string]bool{}
	for _, e := range u.sheet.Decided() {
		for i := range e.Decision.Redemptions {
			if p := e.Decision.Redemptions[i].Pooled; p != nil {
				given[p.Pool+"\n"+p.Hash] = true
			}
		}
	}
	for _, c := range u.pooled {
		if given[c.pool+"\n"+c.hash] {
			continue
		}
		if err := reward.Release(ctx, u.tx, c.program, c.pool, c.hash, c.fact); err != nil {
			return err
		}
	}
	return nil
}

// order writes an order for each gift card that a decision put on order, in the same transaction: who works orders off finds it there.
func (u *unit) order() error {
	for f, e := range u.sheet.Decided() {
		for i := range e.Decision.Redemptions {
			r := &e.Decision.Redemptions[i]
			if g := r.Fulfilment; g == nil || g.Kind != program.KindGiftCard || g.Status != engine.Ordered {
				continue
			}
			p := u.programs[f.Program].At(e.Fact.OccurredAt)
			if p == nil {
				continue
			}
			w := p.Handed(r.Reward, r.Chosen)
			if w == nil || w.Gives.GiftCard == nil {
				continue
			}
			c := w.Gives.GiftCard
			greeting := c.Greeting
			if len(greeting) == 0 && p.Doc.GiftCards != nil {
				greeting = p.Doc.GiftCards.Greeting
			}
			err := reward.Place(u.tx, reward.Order{Program: f.Program, Redemption: r.ID, Provider: r.Fulfilment.Provider, CreatedAt: e.Fact.RecordedAt, Data: reward.OrderData{
				Money: money.Format(r.Fulfilment.Money, p.Exponent), Currency: p.Doc.Currency, Product: c.Product, Greeting: greeting.In(f.State.Language),
				Look: c.Look, Language: f.State.Language, Reward: r.Reward}})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// unusedCard sees, before a gift card of the program's own counts as returned, that it was called off and nothing was paid with it. That is in the
// books of the card, which the engine does not look at for a member's fact. They need not be held: a closed card stays closed, and is not paid with.
func (w *walk) unusedCard(f *books.Folio, p *program.Compiled, fact engine.Fact) error {
	asked := books.Deciding{Folio: f, Program: p, Fact: fact, Needs: engine.Needs{Redemptions: []string{fact.Parent}}}
	if !w.yield(asked) {
		return errStopped
	}
	r := f.Input(asked).Redemptions[fact.Parent]
	if r == nil || r.Fulfilment == nil || r.Fulfilment.Kind != program.KindGiftCard || r.Fulfilment.Status != engine.Delivered || r.Fulfilment.Provider != "" {
		return nil // the engine says what there is to say
	}
	card := books.Ref{Program: f.Program, Member: r.Fulfilment.Reference}
	st, err := w.u.stateAt(w.ctx, card)
	if err != nil {
		return err
	}
	used, err := w.u.paidWith(w.ctx, card)
	switch {
	case err != nil:
		return err
	case used:
		return cardUsed(card.Member, st, p)
	case st.Status != engine.Closed:
		return errs.Conflict("card_open", "Nothing was paid with the gift card, but it still holds its money: close it first, with POST /v1/gift-cards/{card}/status.").With("card", card.Member)
	}
	return nil
}

// cardUsed says that something was paid with a gift card, and what to do so that nobody loses what was not.
func cardUsed(card string, st *engine.State, p *program.Compiled) error {
	var left int64
	for unit, h := range st.Units {
		if p.GiftCards == nil || unit == p.GiftCards.Unit {
			left += h.Balance() + h.Closed // what it holds, or held when it was closed
		}
	}
	amount := money.Format(left, p.Exponent)
	todo := amount + " is left on it and can be paid with: leave it open. Or give the member what that is worth, with POST /v1/adjustments, and close it then."
	switch {
	case left == 0:
		todo = "Nothing is left on it."
	case st.Status == engine.Closed:
		todo = amount + " was left on it when it was closed: give the member what that is worth, with POST /v1/adjustments."
	}
	return errs.Conflict("card_used", "Something was paid with the gift card, so its points do not come back. "+todo).With("card", card).With("left", amount)
}

// paidWith says whether something was paid with a gift card, also in this very unit.
func (u *unit) paidWith(ctx context.Context, card books.Ref) (bool, error) {
	for f, e := range u.sheet.Decided() {
		for i := range e.Decision.Redemptions {
			if f.Ref == card && e.Decision.Redemptions[i].Status == engine.StatusCommitted {
				return true, nil
			}
		}
	}
	used, err := books.Redemptions(ctx, u.tx, card, engine.StatusCommitted, "", 1)
	return len(used) > 0, err
}
