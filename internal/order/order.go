// Package order brings gift cards that members redeemed: it has the program's own issued and buys others from a provider.
//
// It owns the job that works orders off, and what a provider is. It does not own the orders' rows (reward) nor what a redemption stands at
// (engine). What always holds: an order is asked for under one key, that of its redemption, and one that may have been asked for is asked about
// before it is asked for again; what came of it is kept in the transaction of the fact that says so; a failed one gives the points back by that fact.
package order

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/job"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/reward"
)

// What a provider says of an order.
const (
	Delivered = "delivered"
	// Waiting has been taken and is not done yet.
	Waiting = "waiting"
	// Failed will not come; so has one that was cancelled.
	Failed = "failed"
	// Unknown is one that the provider never heard of.
	Unknown = "unknown"
)

// Outcome is what a provider says of an order.
type Outcome struct {
	Status string
	reward.Secret
	// Reference is the provider's own number, Reason why it failed.
	Reference, Reason string
	// Wait is how long the provider wants to be left alone, where it says.
	Wait time.Duration
	// card is the account of a gift card of the program's own: its code is drawn as it is delivered.
	card string
}

// Provider sells gift cards. Every call may be made again, with the same key: it is one order. An error says that it is not known what came of
// the call; a provider never says so of what it has decided.
type Provider interface {
	Order(ctx context.Context, o *reward.Order, now time.Time) (Outcome, error)
	Ask(ctx context.Context, o *reward.Order, now time.Time) (Outcome, error)
	// Cancel lets an order go, or says what became of it where it is too late.
	Cancel(ctx context.Context, o *reward.Order, now time.Time) (Outcome, error)
}

// Orders works orders off.
type Orders struct {
	DB       *db.DB
	Recorder *record.Recorder
	// Providers are those that are reached over HTTP, by name; every other is a pool of that name.
	Providers map[string]Provider
	Log       *slog.Logger

	// silent are providers that did not answer in time, until when they are left alone: they must not hold up the others.
	mu     sync.Mutex
	silent map[string]time.Time
}

const (
	// atOnce is how many orders are looked at in one round, hold how long one is worked on before another node may.
	atOnce = 50
	hold   = 2 * time.Minute
	// rest is how long a provider that did not answer in time is left alone by this node.
	rest = time.Minute
	// longest is the most between two looks.
	longest = time.Hour
	// Source is the natural key of the facts that say what came of orders; the external id is the redemption.
	Source = engine.OrderSource
)

func (o *Orders) provider(name string) Provider {
	if name == "" {
		return own{o.Recorder}
	}
	if p := o.Providers[name]; p != nil {
		return p
	}
	return pool{o.DB}
}

// left gives the providers that are left alone now.
func (o *Orders) left(now time.Time) (names []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for name, until := range o.silent {
		if until.After(now) {
			names = append(names, name)
		}
	}
	return names
}

// leave has a provider left alone for a while.
func (o *Orders) leave(name string, now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.silent == nil {
		o.silent = map[string]time.Time{}
	}
	o.silent[name] = now.Add(rest)
}

// timedOut says whether an error is that no answer came in time.
func timedOut(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return errors.Is(err, context.DeadlineExceeded) || ok && timeout.Timeout()
}

// Work does what is due, and says how many orders it looked at. Those of a provider that does not answer in time wait for a later round.
func (o *Orders) Work(ctx context.Context, now time.Time) (int, error) {
	var list []reward.Order
	err := o.DB.Read(ctx, func(tx *db.Tx) (err error) {
		list, err = reward.DueOrders(ctx, tx, now, atOnce, o.left(now)...)
		return err
	})
	var failed []error
	for i := range list {
		if err != nil || ctx.Err() != nil {
			break
		}
		if !slices.Contains(o.left(now), list[i].Provider) {
			failed = append(failed, o.one(ctx, &list[i], now))
		}
	}
	return len(list), errors.Join(append(failed, err)...)
}

func (o *Orders) one(ctx context.Context, r *reward.Order, now time.Time) error {
	var mine bool
	err := o.DB.Write(ctx, func(tx *db.Tx) (err error) {
		mine, err = r.Hold(ctx, tx, now.Add(hold), now)
		return err
	})
	if err != nil || !mine {
		return err
	}
	out, err := o.ask(ctx, r, now)
	if err == nil && (out.Status == Delivered || out.Status == Failed) {
		return o.end(ctx, r, out, now)
	}
	why := ""
	if err != nil {
		why = err.Error()
		if ctx.Err() == nil && timedOut(err) {
			o.leave(r.Provider, now)
		}
	}
	wait := max(pause(r.Tries), out.Wait)
	return o.DB.Write(ctx, func(tx *db.Tx) error { return r.Later(ctx, tx, now.Add(wait), out.Reference, why, now) })
}

// pause is how long to wait after so many tries.
func pause(tries int) time.Duration {
	if tries > 10 {
		return longest
	}
	return min(5*time.Second<<tries, longest)
}

// ask has the provider say what is with an order: it is sent where it never was, and asked about first where it may have been.
func (o *Orders) ask(ctx context.Context, r *reward.Order, now time.Time) (Outcome, error) {
	p := o.provider(r.Provider)
	switch r.Status {
	case reward.OrderWaiting:
		return p.Order(ctx, r, now)
	case reward.OrderCancelling:
		return p.Cancel(ctx, r, now)
	}
	out, err := p.Ask(ctx, r, now)
	if err != nil || out.Status != Unknown {
		return out, err
	}
	return p.Order(ctx, r, now)
}

// end records what came of an order, with the order's row in the same transaction.
func (o *Orders) end(ctx context.Context, r *reward.Order, out Outcome, now time.Time) error {
	body := engine.FulfilBody{To: engine.Delivered, Reference: reward.Clip(out.Reference)}
	beside := func(ctx context.Context, tx *db.Tx, _ *record.Result) error {
		return r.Deliver(ctx, tx, out.Secret, out.Reference, now)
	}
	switch {
	case out.Status == Failed:
		body = engine.FulfilBody{To: engine.Failed, Reference: body.Reference, Reason: reward.Clip(out.Reason)}
		beside = func(ctx context.Context, tx *db.Tx, _ *record.Result) error { return r.Fail(ctx, tx, out.Reason, now) }
	case out.card != "":
		body.Reference = out.card
		beside = func(ctx context.Context, tx *db.Tx, res *record.Result) error {
			s, err := drawCode(ctx, tx, res.Program, r.Program, out.card, now)
			if err != nil {
				return err
			}
			return r.Deliver(ctx, tx, s, out.card, now)
		}
	default:
		body.Tail = tailOf(out.Code)
	}
	_, err := o.Recorder.Record(ctx, record.Request{Program: r.Program, Now: now, Actor: record.System, Own: true, Beside: beside,
		Fact: engine.Fact{Kind: engine.FulfilK, Parent: r.Redemption, Source: Source, ExternalID: r.Redemption, Fulfil: &body}})
	switch {
	case err == nil:
		return nil
	case errs.CodeOf(err) == errs.CodeConflict, errs.CodeOf(err) == errs.CodeNotFound, errs.CodeOf(err) == errs.CodeInvalid:
		// The redemption does not wait for it any more. What came is kept and told: somebody has paid for it.
		if o.Log != nil {
			o.Log.Warn("an order came to its end and its redemption does not wait for it", "program", r.Program, "redemption", r.Redemption, "outcome", out.Status, "reason", errs.As(err).Reason)
		}
		return o.DB.Write(ctx, func(tx *db.Tx) error {
			if out.Status == Delivered && out.card == "" {
				return r.Deliver(ctx, tx, out.Secret, out.Reference, now)
			}
			return r.Fail(ctx, tx, errs.As(err).Message, now)
		})
	}
	return fmt.Errorf("record the order of %s: %w", r.Redemption, err)
}

// JobKind is the job that works orders off.
const JobKind = "orders"

const (
	poll    = time.Second
	holdFor = 10 * time.Minute
	every   = 15 * time.Second
)

// Handle has the runner's node work orders off.
func Handle(jobs *job.Runner, o *Orders, clock func() time.Time) {
	jobs.Handle(JobKind, job.Worker{Every: every, Run: func(ctx context.Context, _ *job.Job) error {
		begun := time.Now()
		tick := time.NewTicker(poll)
		defer tick.Stop()
		for {
			n, err := o.Work(ctx, clock())
			if err != nil || n == 0 || time.Since(begun) > holdFor {
				return err
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-tick.C:
			}
		}
	}})
}
