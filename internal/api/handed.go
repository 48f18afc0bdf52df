package api

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"lojal.dev/lojal/internal/audit"
	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/code"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/explain"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/reward"
	"lojal.dev/lojal/internal/version"
	"lojal.dev/lojal/internal/web"
)

// handed puts what a redemption gave, and cost besides points, into its view.
func (v view) handed(out *RedemptionView, r *engine.RedemptionState) {
	out.Chosen = r.Chosen
	out.Option = r.Option
	if r.Money != 0 {
		out.Money = v.money(r.Money)
	}
	if r.MoneyBack != 0 {
		out.MoneyBack = v.money(r.MoneyBack)
	}
	if p := r.Pooled; p != nil {
		out.Code = &HandedCode{Pool: p.Pool, Tail: p.Tail}
	}
	if f := r.Fulfilment; f != nil {
		out.Fulfilment = &Fulfilment{Kind: f.Kind, Status: f.Status, At: v.time(f.At), Reference: f.Reference, Tail: f.Tail, Reason: f.Reason, Provider: f.Provider}
		if f.Money != 0 {
			out.Fulfilment.Money = v.money(f.Money)
		}
	}
	if w := v.p.Handed(r.Reward, r.Chosen); w != nil && r.Status == engine.StatusCommitted {
		out.Link = w.Gives.Link
		if s := w.Gives.Seat; s != nil {
			out.Place, out.StartsAt = s.Place.In(v.lang), v.moment(w.Starts)
		}
	}
}

// kind puts what a reward gives into its view.
func (v view) kind(out *Reward, r *program.CompiledReward) {
	out.Gives, out.Product, out.Choice = r.Kind, r.Gives.Product, r.Gives.Choice
	out.StartsAt, out.DrawsAt = v.moment(r.Starts), v.moment(r.Draws)
	if n := r.Card + r.Donated; n > 0 {
		out.Card = v.money(n)
	}
	if s := r.Gives.Seat; s != nil {
		out.Place = s.Place.In(v.lang)
	}
	if d := r.Gives.Donation; d != nil {
		out.To = d.To.In(v.lang)
	}
	if f := r.Gives.Raffle; f != nil {
		out.Raffle = &RaffleKind{Prize: f.Prize, Title: explain.Reward(v.p, f.Prize, v.lang), Winners: max(f.Winners, 1)}
	}
}

// prices puts all prices of a reward into its view.
func (v view) prices(out *Reward, r *program.CompiledReward) {
	if m := r.Prices[0].Money; m > 0 {
		out.Money = v.money(m)
	}
	if len(r.Prices) == 1 {
		return
	}
	for i, p := range r.Prices {
		one := RewardPrice{Option: int64(i) + 1, Price: v.units(p.Units)}
		if p.Money > 0 {
			one.Money = v.money(p.Money)
		}
		out.Prices = append(out.Prices, one)
	}
}

type fulfilIn struct {
	Call
	RedemptionPath
	Included
	Body FulfilmentStep
}

// FulfilmentStep says how far what a redemption gave is.
type FulfilmentStep struct {
	FactKey
	engine.FulfilBody
}

func (s *Server) fulfil(ctx context.Context, in *fulfilIn) (*Answered[Recorded], error) {
	if _, ok := ids.BucketOf(in.Redemption); !ok {
		return nil, web.NotFound("redemption")
	}
	f := in.Body.FactKey.fact(engine.FulfilK)
	b := in.Body.FulfilBody
	b.Tail = "" // only who has the code knows it
	f.Parent, f.Fulfil = in.Redemption, &b
	return s.recordFact(ctx, &in.Call, in.Include, "", f)
}

type cancelOrderIn struct {
	Call
	RedemptionPath
}

// OrderView is a gift card on its way.
type OrderView struct {
	Redemption string `json:"redemption"`
	Provider   string `json:"provider,omitempty"`
	// Status is waiting, sent, cancelling, delivered or failed.
	Status string `json:"status"`
	// Reference is the provider's number; Error what was said last.
	Reference string `json:"reference,omitempty"`
	Error     string `json:"error,omitempty"`
	// Tries is how often the provider was asked, NextAt when it will be again.
	Tries     int        `json:"tries"`
	NextAt    *time.Time `json:"next_at,omitempty"`
	CreatedAt time.Time  `json:"created_at"`
}

func (v view) order(o *reward.Order) OrderView {
	return OrderView{Redemption: o.Redemption, Provider: o.Provider, Status: o.Status, Reference: o.Reference, Error: o.Error, Tries: o.Tries, NextAt: v.moment(o.NextAt), CreatedAt: v.time(o.CreatedAt)}
}

// getOrder gives the order of a redemption.
func (s *Server) getOrder(ctx context.Context, in *cancelOrderIn) (*OrderView, error) {
	var out OrderView
	return &out, s.look(ctx, &in.Call, func(tx *db.Tx, v view, _ *version.Set) error {
		o, err := reward.GetOrder(ctx, tx, in.program(), in.Redemption)
		out = v.order(&o)
		return err
	})
}

type ordersIn struct {
	Call
	Paging
	// Status keeps to waiting, sent, cancelling, delivered or failed, or to open ones, which are not over.
	Status string `query:"status"`
	// Provider keeps to those that are bought from one.
	Provider string `query:"provider"`
}

// listOrders gives the orders of gift cards, the oldest first.
func (s *Server) listOrders(ctx context.Context, in *ordersIn) (*Page[OrderView], error) {
	limit, err := web.PageLimit(in.Limit, web.DefaultLimit, web.MaxLimit)
	if err != nil {
		return nil, err
	}
	known := []string{reward.OpenOrder, reward.OrderWaiting, reward.OrderSent, reward.OrderCancelling, reward.OrderDelivered, reward.OrderFailed}
	if in.Status != "" && !slices.Contains(known, in.Status) {
		text := "Write one of: " + strings.Join(known, ", ") + "."
		return nil, errs.Malformed("invalid_parameter", "There is no such status. "+text, errs.Field{Pointer: "status", Reason: "wrong_value", Message: text})
	}
	var at struct {
		Redemption string `json:"r"`
	}
	if err := web.ReadCursor("orders", in.Cursor, &at); err != nil {
		return nil, err
	}
	out := &Page[OrderView]{}
	return out, s.look(ctx, &in.Call, func(tx *db.Tx, v view, _ *version.Set) error {
		list, err := reward.Orders(ctx, tx, in.program(), reward.OrderQuery{Status: in.Status, Provider: in.Provider, After: at.Redemption, Limit: limit + 1})
		out.Items, out.Next = []OrderView{}, ""
		if len(list) > limit {
			list = list[:limit]
			next := at
			next.Redemption = list[limit-1].Redemption
			out.Next = web.Cursor("orders", next)
		}
		for i := range list {
			out.Items = append(out.Items, v.order(&list[i]))
		}
		return err
	})
}

// cancelOrder asks for an order to be let go.
func (s *Server) cancelOrder(ctx context.Context, in *cancelOrderIn) (*Answered[OrderView], error) {
	p, err := s.current(ctx, &in.Call)
	if err != nil {
		return nil, err
	}
	reply, err := s.once(ctx, &in.Call, http.StatusAccepted, func(tx *db.Tx) (any, error) {
		o, err := reward.GetOrder(ctx, tx, in.program(), in.Redemption)
		if err != nil {
			return nil, err
		}
		if err := o.Cancel(ctx, tx, in.now); err != nil {
			return nil, err
		}
		if o, err = reward.GetOrder(ctx, tx, in.program(), in.Redemption); err != nil {
			return nil, err
		}
		return in.view(p).order(&o), nil
	}, nil)
	return &Answered[OrderView]{reply}, err
}

type showCodeIn struct {
	Call
	RedemptionPath
}

// ShownCode is what a redemption handed out, in clear.
type ShownCode struct {
	Redemption string `json:"redemption"`
	// Code and PIN are what the member needs.
	Code string `json:"code"`
	PIN  string `json:"pin,omitempty"`
	// EndsAt is until when it can be used, where that is known.
	EndsAt *time.Time `json:"ends_at,omitempty"`
}

// showCode shows a code of somebody else that a redemption handed out.
func (s *Server) showCode(ctx context.Context, in *showCodeIn) (*ShownCode, error) {
	if _, ok := ids.BucketOf(in.Redemption); !ok {
		return nil, web.NotFound("redemption")
	}
	var out *ShownCode
	err := s.look(ctx, &in.Call, func(tx *db.Tx, v view, _ *version.Set) error {
		r, err := books.FindRedemption(ctx, tx, in.program(), in.Redemption)
		if errs.CodeOf(err) == errs.CodeNotFound {
			return web.NotFound("redemption")
		}
		if err != nil {
			return err
		}
		out, err = s.codeOf(ctx, tx, in.program(), &r, v)
		return err
	})
	return out, err
}

// stillOpens sees that the code of a card of the program's own was not replaced by another since.
func stillOpens(ctx context.Context, tx *db.Tx, id, text string) error {
	k, err := code.KeyOf(ctx, tx, id)
	if err != nil {
		return err
	}
	hash, _ := k.Hash(text)
	c, err := code.ByHash(ctx, tx, id, hash)
	if err == nil && c.Status != code.Open {
		err = errs.Conflict("code_replaced", "The gift card was given another code since, which was shown then and is kept nowhere.").With("card", c.Holder)
	}
	return err
}

func (s *Server) codeOf(ctx context.Context, tx *db.Tx, id string, r *books.Redemption, v view) (*ShownCode, error) {
	out := &ShownCode{Redemption: r.ID}
	if p := r.Pooled; p != nil {
		c, err := reward.Find(ctx, tx, id, p.Pool, p.Hash)
		if err != nil {
			return nil, err
		}
		out.Code, out.EndsAt = c.Code, v.moment(c.EndsAt)
		return out, nil
	}
	if f := r.Fulfilment; f != nil && f.Kind == program.KindGiftCard && f.Status == engine.Delivered {
		o, err := reward.GetOrder(ctx, tx, id, r.ID)
		if err != nil {
			return nil, err
		}
		c, err := o.Open(ctx, tx)
		if err == nil && f.Provider == "" {
			err = stillOpens(ctx, tx, id, c.Code)
		}
		if err != nil {
			return nil, err
		}
		out.Code, out.PIN, out.EndsAt = c.Code, c.PIN, v.moment(c.EndsAt)
		return out, nil
	}
	return nil, errs.Conflict("no_code", "This redemption handed out no code that can be shown. A voucher, and a card of the program's own, get another code where one is lost.").With("redemption", r.ID)
}

type poolsIn struct{ Call }

// PoolView is how a pool of codes stands. Its codes are in no answer.
type PoolView struct {
	Pool string `json:"pool"`
	// Loaded is all there ever were; Given was handed out, Ended was not in time, Left is the rest.
	Loaded int64 `json:"loaded"`
	Given  int64 `json:"given"`
	Ended  int64 `json:"ended"`
	Left   int64 `json:"left"`
	// Low says that it runs out: fewer than 20 are left.
	Low bool `json:"low,omitempty"`
	// LastAt is when a code was last handed out.
	LastAt *time.Time `json:"last_at,omitempty"`
	// Rewards are those that take from it.
	Rewards []string `json:"rewards,omitempty"`
}

func (s *Server) listPools(ctx context.Context, in *poolsIn) (*Page[PoolView], error) {
	out := &Page[PoolView]{Items: []PoolView{}}
	return out, s.look(ctx, &in.Call, func(tx *db.Tx, v view, _ *version.Set) error {
		list, err := reward.Pools(ctx, tx, in.program(), in.now)
		out.Items = []PoolView{}
		for _, p := range list {
			one := PoolView{Pool: p.Pool, Loaded: p.Loaded, Given: p.Given, Ended: p.Ended, Left: p.Left, Low: p.Left < reward.Low, LastAt: v.moment(p.LastAt)}
			for i := range v.p.Doc.Rewards {
				r := &v.p.Doc.Rewards[i]
				card := r.Gives.GiftCard
				if r.Gives.Pool == p.Pool || card != nil && card.Provider != "" && reward.PoolOf(card.Provider, card.Product) == p.Pool {
					one.Rewards = append(one.Rewards, r.ID)
				}
			}
			out.Items = append(out.Items, one)
		}
		return err
	})
}

type loadPoolIn struct {
	Call
	// Pool is its name: what a reward calls it, or the product of a gift card that is bought, or its provider where there is no product.
	Pool string `path:"pool"`
	Body PoolLoad
}

// PoolLoad puts codes of somebody else into a pool.
type PoolLoad struct {
	// Batch is what they are called together, for the one who loads them.
	Batch string     `json:"batch,omitempty"`
	Codes []PoolCode `json:"codes"`
}

// PoolCode is one of them.
type PoolCode struct {
	// Code is it, 1 to 100 characters. It is kept sealed.
	Code string `json:"code"`
	// EndsAt is from when on it may not be handed out any more.
	EndsAt *time.Time `json:"ends_at,omitempty"`
}

// PoolLoaded is what came of it.
type PoolLoaded struct {
	Pool string `json:"pool"`
	// Added were new; Known ones were in the pool already.
	Added int `json:"added"`
	Known int `json:"known"`
	// Unnamed says that no reward of the program names the pool: nothing hands its codes out, until one does.
	Unnamed bool `json:"unnamed,omitempty"`
}

func (s *Server) loadPool(ctx context.Context, in *loadPoolIn) (*Answered[PoolLoaded], error) {
	if !program.IsPool(in.Pool) {
		return nil, errs.Invalid("invalid_pool", "A pool is named by 1 to 40 of a-z, A-Z, 0-9, - and _.", errs.Field{Pointer: "/pool", Reason: "invalid_id", Message: "must be 1 to 40 of a-z, A-Z, 0-9, - and _"})
	}
	if len(in.Body.Codes) == 0 || len(in.Body.Batch) > 100 {
		return nil, errs.Invalid("invalid_pool", "Send the codes to load.", errs.Field{Pointer: "/codes", Reason: "required", Message: "must be 1 to " + strconv.Itoa(reward.MaxLoad) + " codes, and the batch at most 100 characters"})
	}
	list := make([]reward.NewCode, len(in.Body.Codes))
	for i, c := range in.Body.Codes {
		list[i] = reward.NewCode{Text: c.Code, EndsAt: c.EndsAt}
	}
	unnamed := false
	err := s.look(ctx, &in.Call, func(_ *db.Tx, v view, set *version.Set) error {
		unnamed = !v.p.NamesPool(in.Pool) && !set.Latest().NamesPool(in.Pool)
		return nil
	})
	if err != nil {
		return nil, err
	}
	reply, err := s.once(ctx, &in.Call, http.StatusCreated, func(tx *db.Tx) (any, error) {
		n, err := reward.Load(ctx, tx, in.program(), in.Pool, in.Body.Batch, list, in.now)
		if err == nil {
			_, err = audit.Append(ctx, tx, audit.Entry{Program: in.program(), At: in.now, Actor: in.actor(), Action: "pool.loaded", Target: in.Pool})
		}
		return PoolLoaded{in.Pool, n.Added, n.Known, unnamed}, err
	}, nil)
	return &Answered[PoolLoaded]{reply}, err
}
