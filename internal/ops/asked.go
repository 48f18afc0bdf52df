package ops

import (
	"context"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errand"
	"lojal.dev/lojal/internal/job"
	"lojal.dev/lojal/internal/relay"
	"lojal.dev/lojal/internal/seal"
	"lojal.dev/lojal/internal/webhook"
)

// Asking is kept off the database: however often and from however many sides the metrics are read, it is asked once in
// askEvery, and the size, which costs more, once in sizeEvery.
const (
	askEvery  = 10 * time.Second
	sizeEvery = time.Minute
	// askPatience bounds the questions, so that a slow database does not hold up the metrics that tell of it.
	askPatience = 3 * time.Second
)

var (
	upDesc     = prometheus.NewDesc("lojal_db_up", "1 when the database answered the last question, 0 when not.", nil, nil)
	dueDesc    = prometheus.NewDesc("lojal_due_accounts", "Accounts that time has something for and no sweep has brought up yet; counted to 10000.", nil, nil)
	ageDesc    = prometheus.NewDesc("lojal_due_oldest_seconds", "How long the first of the due accounts has waited.", nil, nil)
	feedDesc   = prometheus.NewDesc("lojal_feed_lag_seconds", "How long the oldest fact has been written that the feed cannot show yet, since an older transaction is open.", nil, nil)
	jobsDesc   = prometheus.NewDesc("lojal_jobs", "Jobs by kind and state. Those that are available and wait, and those that are discarded, want a look.", []string{"kind", "state"}, nil)
	hookDesc   = prometheus.NewDesc("lojal_webhook_deliveries", "Deliveries to webhooks that wait (pending) or were given up (dead).", []string{"status"}, nil)
	lateDesc   = prometheus.NewDesc("lojal_webhook_oldest_seconds", "How long the oldest delivery has waited that is neither taken nor dead.", nil, nil)
	makeDesc   = prometheus.NewDesc("lojal_webhook_feed_lag_seconds", "How old the oldest event is that an active webhook has not got from the feed yet.", nil, nil)
	sealDesc   = prometheus.NewDesc("lojal_seal_lag_seconds", "How long the oldest fact has stood in the books without a seal.", nil, nil)
	errandDesc = prometheus.NewDesc("lojal_errand_lag_seconds", "How old the oldest event is from which it is still to be seen what follows for other members.", nil, nil)
	followDesc = prometheus.NewDesc("lojal_follow_ups", "What should follow from events and was not recorded: it failed and is tried again (waits), or was refused in the last thirty days (refused).", []string{"status"}, nil)
	sizeDesc   = prometheus.NewDesc("lojal_db_size_bytes", "Size of the database on disk, on SQLite with its log.", nil, nil)
)

// asked are the meters that are measured by asking the database.
type asked struct {
	db    *db.DB
	clock func() time.Time
	log   *slog.Logger

	mu      sync.Mutex
	at      time.Time // of the machine, as is the next
	sizedAt time.Time
	backlog books.Backlog
	jobs    []job.Count
	hooks   webhook.Backlog
	late    time.Duration
	unseal  time.Duration
	unmade  time.Duration
	errands errand.Standing
	size    int64
	here    bool
	err     error
	sizeErr error
}

func newAsked(c Config) *asked { return &asked{db: c.DB, clock: c.Clock, log: c.Logger} }

// Describe is part of prometheus.Collector.
func (a *asked) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{upDesc, dueDesc, ageDesc, feedDesc, jobsDesc, hookDesc, lateDesc, makeDesc, errandDesc, followDesc, sealDesc, sizeDesc} {
		ch <- d
	}
}

// Collect is part of prometheus.Collector. What could not be asked is left out, and lojal_db_up says so.
func (a *asked) Collect(ch chan<- prometheus.Metric) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ask()
	gauge := func(d *prometheus.Desc, v float64) { ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v) }
	if a.here {
		gauge(upDesc, 1)
	} else {
		gauge(upDesc, 0)
	}
	if a.err == nil {
		gauge(dueDesc, float64(a.backlog.Due))
		gauge(ageDesc, a.backlog.Oldest.Seconds())
		gauge(feedDesc, a.backlog.Feed.Seconds())
		for _, j := range a.jobs {
			ch <- prometheus.MustNewConstMetric(jobsDesc, prometheus.GaugeValue, float64(j.Jobs), j.Kind, string(j.State))
		}
		ch <- prometheus.MustNewConstMetric(hookDesc, prometheus.GaugeValue, float64(a.hooks.Pending), "pending")
		ch <- prometheus.MustNewConstMetric(hookDesc, prometheus.GaugeValue, float64(a.hooks.Dead), "dead")
		gauge(lateDesc, a.late.Seconds())
		gauge(makeDesc, a.unmade.Seconds())
		gauge(errandDesc, a.errands.Behind.Seconds())
		ch <- prometheus.MustNewConstMetric(followDesc, prometheus.GaugeValue, float64(a.errands.Waits), errand.Waits)
		ch <- prometheus.MustNewConstMetric(followDesc, prometheus.GaugeValue, float64(a.errands.Refused), errand.Refused)
		gauge(sealDesc, a.unseal.Seconds())
	}
	if a.sizeErr == nil && !a.sizedAt.IsZero() {
		gauge(sizeDesc, float64(a.size))
	}
}

func (a *asked) ask() {
	now := time.Now()
	if now.Sub(a.at) < askEvery {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), askPatience)
	defer cancel()
	a.at = now
	if a.err = a.db.Ping(ctx); a.err != nil {
		a.here = false
		return
	}
	a.here = true
	a.err = a.db.Read(ctx, func(tx *db.Tx) (err error) {
		if a.backlog, err = books.Waiting(ctx, tx, a.clock()); err == nil {
			a.jobs, err = job.Counts(ctx, tx)
		}
		if err == nil {
			a.hooks, err = webhook.WholeBacklog(ctx, tx)
		}
		if err == nil {
			a.unmade, err = relay.Unmade(ctx, tx, a.clock())
		}
		if err == nil {
			a.errands, err = errand.Standings(ctx, tx, a.clock())
		}
		if err == nil {
			a.unseal, err = seal.Lag(ctx, tx, a.clock())
		}
		a.late = 0
		if a.hooks.Oldest != nil {
			a.late = max(a.clock().Sub(*a.hooks.Oldest), 0)
		}
		return err
	})
	if a.err != nil {
		a.log.Warn("ask the database for its metrics", "error", a.err)
	}
	if a.err == nil && now.Sub(a.sizedAt) >= sizeEvery {
		a.sizedAt = now
		a.size, a.sizeErr = a.db.Size(ctx)
	}
}

// buildInfo is one gauge whose labels say which program this is.
func buildInfo(b Build) prometheus.Collector {
	g := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "lojal_build_info", Help: "1; the labels say which program this is.",
		ConstLabels: prometheus.Labels{"version": b.Version, "commit": b.Commit, "go": runtime.Version()},
	})
	g.Set(1)
	return g
}
