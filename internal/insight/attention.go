package insight

import (
	"context"
	"slices"
	"time"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errand"
	"lojal.dev/lojal/internal/importer"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/reward"
	"lojal.dev/lojal/internal/webhook"
)

// Kinds of what needs attention.
const (
	PoolEmpty     = "pool_empty"     // Name is the pool
	StockOut      = "stock_out"      // Name is the reward
	StockLow      = "stock_low"      // Name is the reward, Count what is left
	PoolLow       = "pool_low"       // Name is the pool, Count what is left
	OrdersWait    = "orders_wait"    // Count gift cards have been on order for more than an hour
	ThanksWait    = "thanks_wait"    // Count wait for approval
	WebhookOff    = "webhook_off"    // Name is the endpoint
	ImportRefused = "import_refused" // Name is the import, Count its refused rows
	ImportFailed  = "import_failed"  // Name is the import
	FollowsFailed = "follows_failed" // Count facts that should have followed failed, and are tried again
)

// Kinds are all of them.
var Kinds = []string{StockOut, StockLow, PoolEmpty, PoolLow, OrdersWait, ThanksWait, WebhookOff, ImportRefused, ImportFailed, FollowsFailed}

// Note is something that needs attention.
type Note struct {
	Kind, Name string
	Count      int64
}

const (
	// patience is how long an order may be under way, memory how long an import is told of.
	patience = time.Hour
	memory   = 7 * 24 * time.Hour
	// enough bounds what is looked through.
	enough = 200
)

// Attention gives what needs it, the most pressing first.
func Attention(ctx context.Context, tx *db.Tx, p *program.Compiled, now time.Time) ([]Note, error) {
	var out []Note
	for _, look := range []func(context.Context, *db.Tx, *program.Compiled, time.Time) ([]Note, error){stocks, pools, orders, thanks, webhooks, imports, follows} {
		some, err := look(ctx, tx, p, now)
		if err != nil {
			return nil, err
		}
		out = append(out, some...)
	}
	return out, nil
}

// fewOf is the part of a stock from which on few are left: one in ten.
const fewOf = 10

func stocks(ctx context.Context, tx *db.Tx, p *program.Compiled, now time.Time) (out []Note, err error) {
	if !slices.ContainsFunc(p.Doc.Rewards, func(r program.Reward) bool { return p.Rewards[r.ID].Stock >= 0 }) {
		return nil, nil
	}
	ref := books.Ref{Program: p.Doc.Program}
	sheet := books.ReadSheet()
	if err := sheet.Open(ctx, tx, []books.Ref{ref}); err != nil {
		return nil, err
	}
	f := sheet.Folio(ref)
	deciding := books.Deciding{Folio: f, Program: p, Needs: engine.OfferNeeds(p, &f.State, now)}
	if err := sheet.Fetch(ctx, tx, []books.Deciding{deciding}); err != nil {
		return nil, err
	}
	for i, o := range engine.Offers(p, f.Input(deciding).Account, nil, now) {
		r := p.Rewards[p.Doc.Rewards[i].ID]
		switch over := r.Until != nil && !r.Until.After(now); {
		case r.Stock < 0 || over || o.Left < 0 || o.Left*fewOf > r.Stock:
		case o.Left == 0:
			out = append(out, Note{Kind: StockOut, Name: r.ID})
		default:
			out = append(out, Note{Kind: StockLow, Name: r.ID, Count: o.Left})
		}
	}
	return out, nil
}

func pools(ctx context.Context, tx *db.Tx, p *program.Compiled, now time.Time) (out []Note, err error) {
	list, err := reward.Pools(ctx, tx, p.Doc.Program, now)
	if err != nil {
		return nil, err
	}
	left, known := map[string]int64{}, map[string]bool{}
	for _, l := range list {
		left[l.Pool], known[l.Pool] = l.Left, true
	}
	for i := range p.Doc.Rewards {
		gives := p.Doc.Rewards[i].Gives
		pool := gives.Pool
		if c := gives.GiftCard; c != nil && c.Provider != "" {
			if pool = reward.PoolOf(c.Provider, c.Product); !known[pool] { // a provider over HTTP has none
				continue
			}
		}
		switch n := left[pool]; {
		case pool == "" || n >= reward.Low:
		case n == 0:
			out = append(out, Note{Kind: PoolEmpty, Name: pool})
		default:
			out = append(out, Note{Kind: PoolLow, Name: pool, Count: n})
		}
	}
	return out, nil
}

// many is a note of so many of a kind, and none of none.
func many(kind string, n int64) []Note {
	if n == 0 {
		return nil
	}
	return []Note{{Kind: kind, Count: n}}
}

func orders(ctx context.Context, tx *db.Tx, p *program.Compiled, now time.Time) ([]Note, error) {
	list, err := reward.Orders(ctx, tx, p.Doc.Program, reward.OrderQuery{Status: reward.OpenOrder, Limit: 1000})
	var late int64
	for i := range list {
		if now.Sub(list[i].CreatedAt) > patience {
			late++
		}
	}
	return many(OrdersWait, late), err
}

func thanks(ctx context.Context, tx *db.Tx, p *program.Compiled, _ time.Time) ([]Note, error) {
	if p.Recognition == nil {
		return nil, nil
	}
	list, err := books.Recognitions(ctx, tx, p.Doc.Program, time.Time{}, "", enough)
	if err != nil {
		return nil, err
	}
	all, err := record.RecognitionsOf(ctx, tx, p.Doc.Program, list)
	var n int64
	for i := range all {
		if all[i].Status == engine.ThanksStandWaiting {
			n++
		}
	}
	return many(ThanksWait, n), err
}

func webhooks(ctx context.Context, tx *db.Tx, p *program.Compiled, _ time.Time) (out []Note, err error) {
	list, err := webhook.List(ctx, tx, p.Doc.Program)
	for i := range list {
		if list[i].Status == webhook.Disabled {
			out = append(out, Note{Kind: WebhookOff, Name: list[i].ID})
		}
	}
	return out, err
}

func imports(ctx context.Context, tx *db.Tx, p *program.Compiled, now time.Time) (out []Note, err error) {
	list, err := importer.List(ctx, tx, p.Doc.Program, "", enough)
	for i := range list {
		switch {
		case now.Sub(list[i].UpdatedAt) > memory:
		case list[i].Status == "failed":
			out = append(out, Note{Kind: ImportFailed, Name: list[i].ID})
		case list[i].Report.Refused > 0:
			out = append(out, Note{Kind: ImportRefused, Name: list[i].ID, Count: int64(list[i].Report.Refused)})
		}
	}
	return out, err
}

func follows(ctx context.Context, tx *db.Tx, p *program.Compiled, now time.Time) ([]Note, error) {
	s, err := errand.StandingOf(ctx, tx, p.Doc.Program, now)
	return many(FollowsFailed, int64(s.Waits)), err
}
