package scenario

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/raffle"
	"lojal.dev/lojal/internal/reward"
)

// following says how far what a redemption gave is; of is the name of the redemption.
type following struct {
	Of string `json:"of"`
	// Order says that it is told by the order of a gift card.
	Order bool `json:"order,omitzero"`
	engine.FulfilBody
}

// paying is a step about a redemption with the money that goes with the points.
type paying struct {
	Of    string         `json:"of,omitzero"`
	Money *money.Decimal `json:"money,omitzero"`
}

func (a *paying) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	type plain paying
	return orText(dec, &a.Of, (*plain)(a))
}

// handed is what a redemption gave besides a voucher.
type handed struct {
	Chosen    string         `json:"chosen,omitzero"`
	Money     *money.Decimal `json:"money,omitzero"`
	MoneyBack *money.Decimal `json:"money_back,omitzero"`
	// Stage is how far it is, Card what is on a gift card or given on.
	Stage string         `json:"stage,omitzero"`
	Card  *money.Decimal `json:"card,omitzero"`
	// Pool is the one that its code came from.
	Pool string `json:"pool,omitzero"`
}

func (pl *player) handed(want *handed, r *engine.RedemptionState) {
	word := func(what, want, got string) {
		if want != "" && want != got {
			pl.differ("redemption, "+what, want, got)
		}
	}
	word("chosen", want.Chosen, r.Chosen)
	pl.cash("redemption, money", want.Money, r.Money)
	pl.cash("redemption, money back", want.MoneyBack, r.MoneyBack)
	f := r.Fulfilment
	if f == nil {
		f = &engine.Fulfilment{}
	}
	word("stage", want.Stage, f.Status)
	pl.cash("redemption, card", want.Card, f.Money)
	p := r.Pooled
	if p == nil {
		p = &engine.Pooled{}
	}
	word("pool", want.Pool, p.Pool)
}

// load puts so many made-up codes into each pool.
func (pl *player) load(ctx context.Context, s *step) error {
	if _, err := pl.move(s); err != nil {
		return err
	}
	for _, pool := range sortedFields(s.Pools) {
		if err := pl.desk.pool(ctx, pool, s.Pools[pool], pl.now); err != nil {
			return err
		}
	}
	return nil
}

// left compares how many codes there are still.
func (pl *player) left(ctx context.Context, want map[string]int) error {
	for _, pool := range sortedFields(want) {
		n, err := pl.desk.left(ctx, pool, pl.now)
		if err != nil {
			return err
		}
		if n != want[pool] {
			pl.differ("the pool "+pool, strconv.Itoa(want[pool]), strconv.Itoa(n))
		}
	}
	return nil
}

func (c *counter) pool(ctx context.Context, pool string, n int, now time.Time) error {
	list := make([]reward.NewCode, n)
	return c.db.Write(ctx, func(tx *db.Tx) error {
		for i := range list {
			list[i].Text = fmt.Sprintf("%s-%d-%d", pool, now.UnixMicro(), i)
		}
		_, err := reward.Load(ctx, tx, c.id, pool, "", list, now)
		return err
	})
}

func (c *counter) draw(ctx context.Context, id string, now time.Time) error {
	_, err := (&raffle.Draws{DB: c.db, Recorder: c.recorder}).Draw(ctx, c.id, id, now)
	return err
}

func (c *counter) left(ctx context.Context, pool string, now time.Time) (n int, err error) {
	err = c.db.Read(ctx, func(tx *db.Tx) error {
		list, err := reward.Pools(ctx, tx, c.id, now)
		n = 0
		for _, p := range list {
			if p.Pool == pool {
				n = int(p.Left)
			}
		}
		return err
	})
	return n, err
}
