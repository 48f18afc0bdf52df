// Package relay tells the world of what was recorded: it makes deliveries of the events in the feed, and sends them to the
// endpoints that want them.
//
// It owns the sending: to where, when again, how many at once, when to give up. It does not own the endpoints and
// deliveries (webhook) nor the feed (books).
//
// What always holds: a message is sent only of what is committed, and of each event that an endpoint wants at least once, or it
// stands among the dead; it has the same id and the same body each time. One node at a time looks after an endpoint,
// by the lease of the endpoint's job; when that node dies, another goes on. Each endpoint has senders of its own, so one that is
// slow or away keeps no other waiting. No message goes to an address that is not public, unless the operator allowed it.
package relay

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/job"
	"lojal.dev/lojal/internal/webhook"
)

// DefaultTimeout is how long a receiver may take for a whole answer.
const DefaultTimeout = 15 * time.Second

// DefaultSchedule is how long is waited after each attempt that failed, the schedule that Standard Webhooks recommends: ten
// attempts in 75 hours and a half.
var DefaultSchedule = []time.Duration{
	5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
}

// Options are what a relay stands on. DB, Clock and Render are required.
type Options struct {
	DB *db.DB
	// Clock gives the real time.
	Clock  func() time.Time
	Logger *slog.Logger
	// Render gives the data of messages, one for each event: thin, or with the fact that led to it. It is asked in a transaction that
	// reads, and a value is no longer than webhook.MaxData.
	Render func(ctx context.Context, tx *db.Tx, program string, events []books.Event, full bool) ([]json.RawMessage, error)
	// Targets are what may be sent to besides public addresses.
	Targets Targets
	// Timeout bounds one attempt; DefaultTimeout when 0.
	Timeout time.Duration
	// Schedule are the waits after failed attempts; DefaultSchedule when nil.
	Schedule []time.Duration
	// Version is that of this program, for the header User-Agent.
	Version string

	// In tests: how often is looked without being told, how long an endpoint that fails is left alone, and how many deliveries wait.
	poll, feedPoll, pause time.Duration
	mostPending           int64
	looked                func()
}

const (
	// poll is how often is looked which of all endpoints were changed or have something to do, feedPoll how often each program's feed.
	poll     = 2 * time.Second
	feedPoll = 250 * time.Millisecond
	// firstPause is how long an endpoint is left alone after it failed patience times in a row; it doubles up to longestPauses of them.
	firstPause    = time.Second
	longestPauses = 60
	patience      = 5
	// longestRest is how long an endpoint that asks for it by Retry-After gets no other message either.
	longestRest = time.Minute
	// pageSize is how many events are taken from the feed at once.
	pageSize = 200
	// mostPending is how many deliveries of one endpoint wait in the database; more stay in the feed, which is as safe.
	mostPending = 100_000
	// holdFor is about how long a node looks after an endpoint before it lets others have it, so that work spreads over new nodes.
	holdFor = 10 * time.Minute
	// stopGrace is how long messages under way may take when the node stops.
	stopGrace = 5 * time.Second
	// furthest is longer than any wait of a schedule: what is due later was written by a wrong clock.
	furthest = 48 * time.Hour
)

// Relay sends. Any number of them, on any number of nodes, share one database.
type Relay struct {
	o    Options
	send *sender
	taps taps

	mu    sync.Mutex
	kicks map[chan struct{}]string // whom to tell of what happened to an endpoint, by its id
	close context.CancelFunc       // ends the lookout, nil when there is none

	senders sync.WaitGroup

	attempted, failed, delivered, dead atomic.Int64
	loads                              atomic.Int64 // how often a single endpoint was read
}

// New makes a relay. Handle has it work.
func New(o Options) *Relay {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Schedule == nil {
		o.Schedule = DefaultSchedule
	}
	if o.poll == 0 {
		o.poll, o.feedPoll, o.pause = poll, feedPoll, firstPause
	}
	if o.looked == nil {
		o.looked = func() {}
	}
	if o.mostPending == 0 {
		o.mostPending = mostPending
	}
	r := &Relay{o: o, send: newSender(o.Targets, o.Timeout, "lojal/"+o.Version), kicks: map[chan struct{}]string{}}
	r.taps = taps{db: o.DB, every: o.feedPoll, log: o.Logger, open: map[string]*tap{}}
	return r
}

// ForgetKind is the job that deletes old deliveries, and sees that every endpoint has its job.
const ForgetKind = "webhooks.tend"

// mostEndpoints bounds the endpoints that one node looks after.
const mostEndpoints = 2000

// Handle has the runner's node look after endpoints.
func (r *Relay) Handle(jobs *job.Runner) {
	jobs.Handle(webhook.JobKind, job.Worker{Concurrency: mostEndpoints, Backoff: soon, Run: r.attend})
	jobs.Handle(ForgetKind, job.Worker{Every: time.Hour, Run: r.tend})
}

// soon is the wait after an endpoint's job failed: it is the database that was away, and not the endpoint.
func soon(attempt int) time.Duration { return jitter(time.Duration(min(attempt, 10)) * time.Second) }

// Wake has the relay look at the feed and at its endpoints now.
func (r *Relay) Wake() {
	r.taps.wake()
	r.mu.Lock()
	defer r.mu.Unlock()
	for kick := range r.kicks {
		nudge(kick)
	}
}

func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// attend looks after one endpoint until it is disabled or removed, the node stops, or others should have it.
func (r *Relay) attend(ctx context.Context, j *job.Job) error {
	var ref webhook.Ref
	if err := json.Unmarshal([]byte(j.Args), &ref); err != nil {
		return job.Discard(fmt.Errorf("read the arguments: %w", err))
	}
	kick := make(chan struct{}, 1)
	defer r.listen(kick, ref.ID)()
	return r.newPump(ref, kick).run(ctx)
}

func (r *Relay) newPump(ref webhook.Ref, kick chan struct{}) *pump {
	return &pump{r: r, ref: ref, kick: kick, log: r.o.Logger.With("webhook", ref.ID), results: make(chan result), gone: make(chan struct{}), begun: time.Now()}
}

// tend deletes old deliveries, and gives every endpoint a job that has none: after a restore, or when somebody cancelled it.
func (r *Relay) tend(ctx context.Context, _ *job.Job) error {
	now := r.o.Clock()
	for n := 500; n == 500; {
		err := r.o.DB.Write(ctx, func(tx *db.Tx) (err error) {
			n, err = webhook.Forget(ctx, tx, now, 500)
			return err
		})
		if err != nil {
			return err
		}
	}
	var all []*webhook.Endpoint
	err := r.o.DB.Read(ctx, func(tx *db.Tx) (err error) {
		all, err = webhook.Attended(ctx, tx)
		return err
	})
	for _, e := range all {
		if err != nil {
			return err
		}
		err = r.o.DB.Write(ctx, func(tx *db.Tx) error {
			_, err := job.Find(ctx, tx, webhook.JobKind, e.ID)
			if !errs.Is(err, errs.CodeNotFound, "job_not_found") {
				return err
			}
			return webhook.Attend(ctx, tx, e.Ref(), now)
		})
	}
	return err
}

// Stats is what the relay has done since it was made on this node, and what waits in the database.
type Stats struct {
	// Attempted counts messages that were sent, Failed those that were not taken, Delivered those that were; Dead counts
	// deliveries that were given up.
	Attempted, Failed, Delivered, Dead int64
	// Endpoints is how many this node looks after.
	Endpoints int
	// Backlog is that of all endpoints of all programs.
	Backlog webhook.Backlog
	// Unmade is the age of the oldest event of which an active endpoint's delivery is not made yet; 0 when all are.
	Unmade time.Duration
}

// Counts gives the part of Stats that needs no database.
func (r *Relay) Counts() Stats {
	s := Stats{Attempted: r.attempted.Load(), Failed: r.failed.Load(), Delivered: r.delivered.Load(), Dead: r.dead.Load()}
	r.mu.Lock()
	defer r.mu.Unlock()
	s.Endpoints = len(r.kicks)
	return s
}

// Stats gives what was done and what waits. It reads a few rows for each endpoint.
func (r *Relay) Stats(ctx context.Context) (Stats, error) {
	s := r.Counts()
	err := r.o.DB.Read(ctx, func(tx *db.Tx) (err error) {
		if s.Backlog, err = webhook.WholeBacklog(ctx, tx); err == nil {
			s.Unmade, err = Unmade(ctx, tx, r.o.Clock())
		}
		return err
	})
	return s, err
}

// Unmade gives the age of the oldest event of which an active endpoint's delivery is not made yet; 0 when all are.
func Unmade(ctx context.Context, tx *db.Tx, now time.Time) (time.Duration, error) {
	all, err := webhook.Attended(ctx, tx)
	if err != nil {
		return 0, err
	}
	oldest := time.Duration(0)
	for _, e := range all {
		if e.Removed() {
			continue
		}
		place, err := webhook.PlaceOf(ctx, tx, e.Ref())
		if err != nil {
			return 0, err
		}
		next, err := books.Events(ctx, tx, e.Program, place.At, 1)
		if err != nil {
			return 0, err
		}
		if len(next) > 0 {
			oldest = max(oldest, now.Sub(next[0].RecordedAt))
		}
	}
	return oldest, nil
}

// jitter is a wait ten per cent more or less by chance, so that what failed together does not come back together.
func jitter(d time.Duration) time.Duration { return d - d/10 + rand.N(d/5+1) }
