package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"slices"
	"time"

	"lojal.dev/lojal/internal/audit"
	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/job"
	"lojal.dev/lojal/internal/webhook"
)

// actor is who disables endpoints that fail.
const actor = "system"

// pump looks after one endpoint: one goroutine that reads and writes, and senders that do nothing but wait for answers. What
// the senders bring while it writes is written together the next time.
type pump struct {
	r    *Relay
	ref  webhook.Ref
	log  *slog.Logger
	kick chan struct{}

	endpoint *webhook.Endpoint
	secrets  []string
	place    webhook.Place
	noted    *time.Time // when a success was written down last
	read     time.Time  // of the machine: when the endpoint was read; zero when it must be read anew

	// room is how many deliveries may still be made before those that wait are counted again. It only falls, and what waits is
	// in the database alone: replays, tests and other nodes change that without asking.
	room    int64
	counted time.Time // of the machine

	// wantFeed and wantDue say that the feed, or the deliveries, may have something that was not seen.
	wantFeed, wantDue bool
	nextDue           *time.Time
	queue             []*webhook.Delivery
	sending           map[string]bool
	results           chan result
	gone              chan struct{} // closed when nobody takes results any more
	unwritten         []webhook.Outcome

	// of the machine, as all waits that are no business time
	begun     time.Time
	notBefore time.Time // nothing is sent before
	failures  int       // in a row
}

// result is what a sender brings.
type result struct {
	webhook.Outcome
	// wait is what the receiver asked for.
	wait time.Duration
	// cut says that we ended it ourselves: that says nothing of the receiver.
	cut bool
}

// run works until the endpoint is none that is sent to, or the context ends.
func (p *pump) run(ctx context.Context) error {
	p.sending = map[string]bool{}
	defer close(p.gone) // also when something panics: what the senders have then is sent again
	if err := p.load(ctx); err != nil {
		return p.ended(err)
	}
	if p.endpoint.Removed() {
		return p.clear(ctx)
	}
	if p.endpoint.Status != webhook.Active {
		return nil // whoever enables it asks for this job again
	}
	if err := p.prepare(ctx); err != nil {
		return err
	}
	news := make(chan struct{}, 1)
	defer p.r.taps.watch(p.ref.Program, p.place.At, news)()
	letters, abort := context.WithCancel(context.WithoutCancel(ctx))
	defer abort()
	hold := holdFor + rand.N(holdFor/5)
	for {
		if err := p.turn(ctx, letters); err != nil && ctx.Err() == nil {
			abort()
			p.drain()
			return p.ended(err)
		}
		if ctx.Err() == nil && p.endpoint.Status != webhook.Active || p.idle() && time.Since(p.begun) > hold {
			err := p.finish(ctx, abort)
			if err == nil && p.endpoint.Status == webhook.Active {
				err = job.Again(p.r.o.Clock().Add(rand.N(time.Second)))
			}
			return err
		}
		timer := time.NewTimer(p.wait())
		select {
		case <-ctx.Done():
			timer.Stop()
			if err := p.finish(ctx, abort); err != nil {
				return err
			}
			return ctx.Err()
		case one := <-p.results:
			p.take(one)
		case <-news:
			p.wantFeed = true
		case <-p.kick:
			p.read, p.wantFeed, p.wantDue = time.Time{}, true, true
		case <-timer.C:
		}
		timer.Stop()
	}
}

// ended makes nothing of an endpoint that is not there any more.
func (p *pump) ended(err error) error {
	if !errs.Is(err, errs.CodeNotFound, "webhook_not_found") {
		return err
	}
	return nil
}

// load reads the endpoint anew.
func (p *pump) load(ctx context.Context) error {
	now := p.r.o.Clock()
	err := p.r.o.DB.Read(ctx, func(tx *db.Tx) error {
		var err error
		if p.endpoint, err = webhook.Load(ctx, tx, p.ref); err != nil || p.endpoint.Removed() {
			return err
		}
		if p.secrets, err = webhook.Secrets(ctx, tx, p.ref, now); err != nil {
			return err
		}
		p.place, err = webhook.PlaceOf(ctx, tx, p.ref)
		return err
	})
	p.read, p.wantFeed, p.wantDue = time.Now(), true, true
	p.r.loads.Add(1)
	return err
}

// prepare sees to what may have been left by another node.
func (p *pump) prepare(ctx context.Context) error {
	now := p.r.o.Clock()
	err := p.r.o.DB.Write(ctx, func(tx *db.Tx) error { return webhook.Nearer(ctx, tx, p.ref, now, furthest) })
	if err != nil {
		return err
	}
	return p.count(ctx)
}

// count looks how many more deliveries may be made.
func (p *pump) count(ctx context.Context) error {
	p.counted = time.Now()
	return p.r.o.DB.Read(ctx, func(tx *db.Tx) error {
		n, err := webhook.Waiting(ctx, tx, p.ref, p.r.o.mostPending)
		p.room = p.r.o.mostPending - n
		return err
	})
}

// turn does all that can be done without waiting.
func (p *pump) turn(ctx, letters context.Context) error {
	p.gather()
	if err := p.settle(ctx); err != nil {
		return err
	}
	if p.read.IsZero() {
		if err := p.load(ctx); err != nil {
			return err
		}
	}
	if p.endpoint.Status != webhook.Active || ctx.Err() != nil {
		return ctx.Err()
	}
	if err := p.feed(ctx); err != nil {
		return err
	}
	if err := p.fill(ctx); err != nil {
		return err
	}
	if len(p.queue) > 0 && time.Since(p.read) >= p.r.o.poll { // a secret's time may be over
		if err := p.load(ctx); err != nil || p.endpoint.Status != webhook.Active {
			return err
		}
	}
	p.post(letters)
	return nil
}

// feed makes deliveries of what is new in the feed, or to be sent again.
func (p *pump) feed(ctx context.Context) error {
	if !p.wantFeed {
		return nil
	}
	if p.room <= 0 && time.Since(p.counted) >= p.r.o.poll {
		if err := p.count(ctx); err != nil {
			return err
		}
	}
	if p.room <= 0 {
		return nil
	}
	if p.place.Replay != nil {
		return p.moved(p.again(ctx))
	}
	list, made, err := p.pageAfter(ctx, p.place.At, func(books.Event) bool { return true })
	if err != nil {
		return err
	}
	p.wantFeed = len(list) == pageSize
	if len(list) == 0 {
		return nil
	}
	to, now := list[len(list)-1].Cursor, p.r.o.Clock()
	err = p.r.o.DB.Write(ctx, func(tx *db.Tx) error { return webhook.Advance(ctx, tx, p.ref, p.place.At, to, made, now) })
	if err == nil {
		p.place.At = to
		p.made(len(made))
	}
	return p.moved(err)
}

// again makes deliveries of a part of the feed that is to be sent again.
func (p *pump) again(ctx context.Context) error {
	replay := p.place.Replay
	inside := func(e books.Event) bool { return !after(e.Cursor, replay.Until) && !e.RecordedAt.Before(replay.Since) }
	list, made, err := p.pageAfter(ctx, replay.At, inside)
	if err != nil {
		return err
	}
	var to *books.Cursor
	if len(list) == pageSize && !after(list[len(list)-1].Cursor, replay.Until) {
		to = &list[len(list)-1].Cursor
	}
	now := p.r.o.Clock()
	err = p.r.o.DB.Write(ctx, func(tx *db.Tx) error { return webhook.AdvanceReplay(ctx, tx, p.ref, replay.At, to, made, now) })
	if err != nil {
		return err
	}
	if p.made(len(made)); to == nil {
		p.place.Replay = nil
	} else {
		p.place.Replay = &webhook.Replay{At: *to, Until: replay.Until, Since: replay.Since}
	}
	return nil
}

func after(a, b books.Cursor) bool { return a.Stamp > b.Stamp || a.Stamp == b.Stamp && a.N > b.N }

func (p *pump) made(n int) {
	if n > 0 {
		p.room -= int64(n)
		p.wantDue = true
	}
}

// moved looks again when another node, or a replay that somebody asked for, moved the endpoint's place.
func (p *pump) moved(err error) error {
	if webhook.IsMoved(err) {
		p.read = time.Time{}
		return nil
	}
	return err
}

// pageAfter reads a page of the feed, and makes deliveries of what the endpoint wants of it.
func (p *pump) pageAfter(ctx context.Context, at books.Cursor, inside func(books.Event) bool) (list []books.Event, made []*webhook.Delivery, err error) {
	err = p.r.o.DB.Read(ctx, func(tx *db.Tx) error {
		made = nil
		if list, err = books.Events(ctx, tx, p.ref.Program, at, pageSize); err != nil {
			return err
		}
		wanted := make([]books.Event, 0, len(list))
		for _, e := range list {
			if p.endpoint.Wants(e.Type) && inside(e) {
				wanted = append(wanted, e)
			}
		}
		if len(wanted) == 0 {
			return nil
		}
		data, err := p.r.o.Render(ctx, tx, p.ref.Program, wanted, p.endpoint.Payload == webhook.Full)
		if err != nil {
			return fmt.Errorf("render events: %w", err)
		}
		for i, e := range wanted {
			body, err := webhook.Body(p.endpoint, webhook.Message{ID: e.ID, Type: e.Type, Time: e.OccurredAt, Subject: e.Member, Sequence: e.Sequence(), Data: data[i]})
			if err != nil {
				return err
			}
			made = append(made, &webhook.Delivery{Event: e.ID, Type: e.Type, Body: body})
		}
		return nil
	})
	return list, made, err
}

// fill reads deliveries whose time has come.
func (p *pump) fill(ctx context.Context) error {
	now := p.r.o.Clock()
	if p.nextDue != nil && !p.nextDue.After(now) {
		p.wantDue = true
	}
	if !p.wantDue || len(p.queue) >= p.endpoint.Concurrency {
		return nil
	}
	limit := 4*p.endpoint.Concurrency + len(p.sending) + len(p.queue)
	var list []*webhook.Delivery
	err := p.r.o.DB.Read(ctx, func(tx *db.Tx) (err error) {
		list, p.nextDue, err = webhook.Due(ctx, tx, p.ref, now, limit)
		return err
	})
	if err != nil {
		return err
	}
	p.wantDue = len(list) == limit
	queued := map[string]bool{}
	for _, d := range p.queue {
		queued[d.Event] = true
	}
	for _, d := range list {
		if !p.sending[d.Event] && !queued[d.Event] {
			p.queue = append(p.queue, d)
		}
	}
	return nil
}

// most is how many are sent at once: one that fails gets one at a time.
func (p *pump) most() int {
	if p.failures >= patience {
		return 1
	}
	return p.endpoint.Concurrency
}

// post sends what is queued, as far as it may.
func (p *pump) post(letters context.Context) {
	if len(p.secrets) == 0 {
		return // after a restore from an export; the API says so
	}
	for len(p.queue) > 0 && len(p.sending) < p.most() {
		now := time.Now()
		if now.Before(p.notBefore) {
			return
		}
		if n := p.endpoint.PerSecond; n > 0 {
			p.notBefore = now.Add(time.Second / time.Duration(n))
		}
		d := p.queue[0]
		p.queue = p.queue[1:]
		p.sending[d.Event] = true
		e, secrets := p.endpoint, p.secrets // as they are now: the pump may read them anew before the sender begins
		p.r.senders.Go(func() { p.deliver(letters, e, secrets, d) })
	}
}

// deliver sends one message and brings what came of it.
func (p *pump) deliver(letters context.Context, e *webhook.Endpoint, secrets []string, d *webhook.Delivery) {
	got := p.attempt(letters, letter{url: e.URL, contentType: e.ContentType(), id: d.Event, body: d.Body, secrets: secrets, at: p.r.o.Clock()})
	out := webhook.Outcome{Delivery: d, Attempt: got.Attempt, Status: webhook.Delivered}
	if got.Error != "" {
		out.Status, out.Again = webhook.Pending, p.r.o.Clock().Add(p.r.waitAfter(d.Attempts, got))
		if d.Attempts >= len(p.r.o.Schedule) && got.Status != http.StatusGone {
			out.Status = webhook.Dead
		}
	}
	select {
	case p.results <- result{out, got.wait, got.Error != "" && letters.Err() != nil}:
	case <-p.gone:
	}
}

// attempt sends, and makes a failure of a panic: one message that cannot be sent does not end the process.
func (p *pump) attempt(ctx context.Context, l letter) (out reply) {
	defer func() {
		if bad := recover(); bad != nil {
			p.log.Error("sending a message panicked", "event", l.id, "panic", bad, "stack", string(debug.Stack()))
			out = reply{Attempt: webhook.Attempt{At: l.at.UTC().Truncate(time.Microsecond), Error: "sending it failed inside lojal; its log says where"}}
		}
	}()
	return p.r.send.send(ctx, l)
}

// waitAfter is how long is waited after an attempt that failed, the first being 0.
func (r *Relay) waitAfter(attempt int, got reply) time.Duration {
	if len(r.o.Schedule) == 0 {
		return 0
	}
	return max(jitter(r.o.Schedule[min(attempt, len(r.o.Schedule)-1)]), got.wait)
}

// gather takes what the senders have brought meanwhile.
func (p *pump) gather() {
	for {
		select {
		case one := <-p.results:
			p.take(one)
		default:
			return
		}
	}
}

// take notes what came of one message.
func (p *pump) take(one result) {
	if one.cut {
		return
	}
	p.unwritten = append(p.unwritten, one.Outcome)
	p.r.attempted.Add(1)
	if one.Attempt.Error == "" {
		p.r.delivered.Add(1)
		p.failures = 0
		return
	}
	p.r.failed.Add(1)
	if one.Status == webhook.Dead {
		p.r.dead.Add(1)
	}
	p.failures++
	rest := time.Duration(0)
	if p.failures >= patience {
		rest = p.r.o.pause * time.Duration(min(1<<min(p.failures-patience, 10), longestPauses))
	}
	rest = max(rest, min(one.wait, longestRest)) // it asked to be left alone, and not for this message only
	if until := time.Now().Add(rest); until.After(p.notBefore) {
		p.notBefore = until
	}
}

// successEvery is how often the time of the last success is written down while all goes well.
const successEvery = time.Minute

// settle writes down what came of messages, and disables an endpoint that is gone or has failed for too long.
func (p *pump) settle(ctx context.Context) error {
	if len(p.unwritten) == 0 {
		return nil
	}
	now := p.r.o.Clock()
	reason, took := p.verdict(now), slices.ContainsFunc(p.unwritten, func(o webhook.Outcome) bool { return o.Attempt.Error == "" })
	well := took && (p.place.FailingSince != nil || p.noted == nil || now.Sub(*p.noted) >= successEvery || p.noted.After(now))
	ill := !took && p.place.FailingSince == nil
	var disabled *webhook.Endpoint
	err := p.r.o.DB.Write(ctx, func(tx *db.Tx) error {
		disabled = nil
		if err := webhook.Settle(ctx, tx, p.ref, p.unwritten, now); err != nil {
			return err
		}
		var err error
		if well {
			err = webhook.Takes(ctx, tx, p.ref, now)
		} else if ill {
			err = webhook.Fails(ctx, tx, p.ref, now)
		}
		if err != nil || reason == "" {
			return err
		}
		e, changed, err := webhook.Disable(ctx, tx, p.ref.Program, p.ref.ID, reason, now)
		if err != nil || !changed {
			return err
		}
		disabled = e
		if _, err := audit.Append(ctx, tx, audit.Entry{Program: e.Program, At: now, Actor: actor, Action: "webhook.disabled", Target: e.ID, Detail: map[string]any{"reason": reason, "host": e.Host()}}); err != nil {
			return err
		}
		return webhook.TellDisabled(ctx, tx, e, now)
	})
	if err != nil {
		return err
	}
	for i := range p.unwritten {
		delete(p.sending, p.unwritten[i].Event)
		if at := p.unwritten[i].Again; p.unwritten[i].Status == webhook.Pending && (p.nextDue == nil || at.Before(*p.nextDue)) {
			p.nextDue = &at
		}
	}
	switch {
	case well && p.place.FailingSince != nil:
		p.log.Info("a webhook takes messages again", "host", p.endpoint.Host(), "failed_for", now.Sub(*p.place.FailingSince).Round(time.Second))
		p.place.FailingSince, p.noted = nil, &now
	case well:
		p.noted = &now
	case ill:
		p.log.Warn("a webhook fails", "host", p.endpoint.Host(), "error", p.unwritten[0].Attempt.Error)
		p.place.FailingSince = &now
	}
	p.unwritten = nil
	if disabled != nil {
		p.endpoint = disabled
		p.log.Warn("disabled a webhook", "reason", reason, "host", disabled.Host())
		p.r.Wake() // others may have been told
	}
	return nil
}

// verdict is the reason to disable the endpoint after what came last, "" for none.
func (p *pump) verdict(now time.Time) string {
	took := false
	for i := range p.unwritten {
		a := p.unwritten[i].Attempt
		if a.Status == http.StatusGone {
			return webhook.Gone
		}
		took = took || a.Error == ""
	}
	if !took && p.place.FailingSince != nil && now.Sub(*p.place.FailingSince) >= webhook.FailingFor {
		return webhook.Failing
	}
	return ""
}

// wait is how long nothing is to be done unless something comes.
func (p *pump) wait() time.Duration {
	if p.endpoint.Status != webhook.Active {
		return 0
	}
	d := p.r.o.poll // looks at nothing but this memory, unless there is something to do
	if p.nextDue != nil && len(p.queue) < p.endpoint.Concurrency {
		d = min(d, p.nextDue.Sub(p.r.o.Clock()))
	}
	if len(p.queue) > 0 && len(p.sending) < p.most() && len(p.secrets) > 0 {
		d = min(d, time.Until(p.notBefore))
	}
	if p.read.IsZero() || p.wantFeed && p.room > 0 {
		d = 0
	}
	return max(d, 0)
}

func (p *pump) idle() bool { return len(p.sending) == 0 && len(p.queue) == 0 && !p.wantFeed }

// finish waits for what is under way, for a while, and writes down what came of it. What is cut off is sent again by whoever
// looks after the endpoint next.
func (p *pump) finish(ctx context.Context, abort context.CancelFunc) error {
	if errors.Is(context.Cause(ctx), job.ErrLost) {
		abort()
		p.drain()
		return ctx.Err()
	}
	timer := time.AfterFunc(stopGrace, abort)
	defer timer.Stop()
	p.drain()
	write, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
	defer cancel()
	return p.settle(write)
}

// drain waits for all senders to come back.
func (p *pump) drain() {
	for left := len(p.sending) - len(p.unwritten); left > 0; left-- {
		p.take(<-p.results)
	}
}

// clear deletes what an endpoint that was removed has left.
func (p *pump) clear(ctx context.Context) error {
	for {
		var done bool
		err := p.r.o.DB.Write(ctx, func(tx *db.Tx) (err error) {
			done, err = webhook.Clear(ctx, tx, p.ref, 500)
			return err
		})
		if err != nil || done {
			return err
		}
	}
}
