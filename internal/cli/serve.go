package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"lojal.dev/lojal/internal/api"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/health"
	"lojal.dev/lojal/internal/job"
	"lojal.dev/lojal/internal/ops"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/relay"
	"lojal.dev/lojal/internal/seal"
	"lojal.dev/lojal/internal/sweep"
	"lojal.dev/lojal/internal/version"
)

// grace is how long requests that are under way at a stop may take.
const grace = 15 * time.Second

// listening is what serve and demo have in common.
type listening struct {
	Addr       string        `default:"127.0.0.1:8321" placeholder:"HOST:PORT" help:"Address to listen on, ${default} when left out; port 0 takes a free one."`
	LogFormat  string        `name:"log-format" default:"text" enum:"text,json" placeholder:"FORM" help:"Form of the log on the error output: text (the default) or json."`
	LogLevel   string        `name:"log-level" default:"${level}" enum:"debug,info,warn,error" placeholder:"LEVEL" help:"Least level that is logged: debug, info, warn or error; ${default} when left out."`
	OpsAddr    string        `name:"ops-addr" placeholder:"HOST:PORT" help:"Address for metrics, health and profiles, such as 127.0.0.1:9321. It has no key: keep it from the public. There is none when left out."`
	SlowAfter  time.Duration `name:"slow-after" default:"1s" placeholder:"DURATION" help:"A transaction that takes longer is warned of in the log, ${default} when left out; 0s is never."`
	Drain      time.Duration `name:"drain" default:"0s" placeholder:"DURATION" help:"How long to go on serving at a stop while /readyz says 503, so that a load balancer stops sending; ${default} when left out."`
	SweepEvery time.Duration `name:"sweep-every" default:"1m" placeholder:"DURATION" help:"How often what time brings is done, every ${default} when left out; 0s is never."`
	SealEvery  time.Duration `name:"seal-every" default:"5m" placeholder:"DURATION" help:"How often the books are sealed, every ${default} when left out; 0s is never."`
	Lease      time.Duration `default:"15s" placeholder:"DURATION" help:"How long this server may stand still before others take over the work that it has begun, ${default} when left out."`

	WebhookAllow   []string      `name:"webhook-allow" placeholder:"CIDR|HOST" help:"Network, address or host that webhooks may be sent to though it is not public, also without https; may be given several times."`
	WebhookTimeout time.Duration `name:"webhook-timeout" default:"15s" placeholder:"DURATION" help:"How long the receiver of a webhook may take for its answer, ${default} when left out."`
	NoWebhooks     bool          `name:"no-webhooks" help:"Send no webhooks from here, as on a copy of the database that others must not hear of."`
}

type serveCmd struct {
	listening `set:"level=info"`
	NoMigrate bool `name:"no-migrate" help:"Leave the database as it is: stop when it is of an older version."`
	database
}

func (serveCmd) Help() string {
	return `A database that is empty or of an older version is migrated first. The API is described at /docs, for people, and at
/openapi.json. The server stops when it gets SIGTERM or SIGINT, after the requests that are under way.

Examples:

    lojal serve
    lojal serve --addr 0.0.0.0:8080 --db postgres://lojal@db/lojal --log-format json`
}

func (c *serveCmd) Run(e *env) error {
	open := func(opts db.Options) (*db.DB, error) {
		opts.Migrate = !c.NoMigrate
		d, err := db.Open(e.ctx, c.DB, opts)
		return d, hint(err)
	}
	return c.serve(e, open, func(d *db.DB, url string) {
		e.printf("lojal serves %s (API: %s/docs)\n", url, url)
		e.printf("%s\n", c.next(e, d))
	})
}

// opening opens the database with what the server adds to its options.
type opening func(db.Options) (*db.DB, error)

// next says what is still to be done before a till can use the server.
func (c *serveCmd) next(e *env, d *db.DB) string {
	var programs []version.Program
	err := d.Read(e.ctx, func(tx *db.Tx) (err error) {
		programs, err = version.Programs(e.ctx, tx)
		return err
	})
	flag := ""
	if c.DB != "sqlite:lojal.db" {
		flag = " --db …"
	}
	if err == nil && len(programs) == 0 {
		return "There is no program yet: `lojal init`, then `lojal program publish program.yaml" + flag + "`."
	}
	return "An API key: `lojal key create NAME" + flag + "`. Stop with Ctrl-C."
}

// server is what a serving process consists of.
type server struct {
	c        *listening
	e        *env
	db       *db.DB
	log      *slog.Logger
	registry *prometheus.Registry
	health   *health.State
	recorder *record.Recorder
	door     *api.Server
	relay    *relay.Relay
	// stopping ends when nothing new is to be begun.
	stopping context.Context //nolint:containedctx // it is the life of the process, not of a call
	stop     context.CancelFunc
}

// collectAt is how much garbage may lie before it is collected, in percent of what lives, unless GOGC says otherwise. What
// lives is small (some ten megabytes), and at Go's own 100 a fifth of the processor went into looking through it again and
// again. GOMEMLIMIT still bounds the whole.
const collectAt = 400

// serve answers requests until the context ends, and then lets those that are under way come to their end.
func (c *listening) serve(e *env, open opening, ready func(d *db.DB, url string)) (err error) {
	if os.Getenv("GOGC") == "" {
		defer debug.SetGCPercent(debug.SetGCPercent(collectAt))
	}
	s := &server{c: c, e: e, log: c.logger(e.Err), registry: ops.NewRegistry()}
	s.db, err = open(db.Options{Metrics: s.registry, Log: s.log, Slow: c.SlowAfter})
	if err != nil {
		return err
	}
	defer closing(s.db, &err)
	s.stopping, s.stop = context.WithCancel(context.Background())
	defer s.stop()

	targets, err := relay.ParseTargets(c.WebhookAllow)
	if err != nil {
		return err
	}
	versions := &version.Cache{}
	s.health = health.New(s.db)
	s.recorder = record.NewWith(s.db, versions, record.Options{Metrics: s.registry})
	defer s.recorder.Close()
	s.door = api.New(api.Config{
		DB: s.db, Recorder: s.recorder, Versions: versions, Clock: e.now, Logger: s.log, Build: api.BuildInfo(e.build),
		Health: s.health, Metrics: s.registry, Targets: targets, Wake: func() { s.relay.Wake() },
	})
	s.relay = relay.New(relay.Options{
		DB: s.db, Clock: e.now, Logger: s.log, Render: s.door.RenderEvents, Targets: targets, Timeout: c.WebhookTimeout, Version: e.build.Version,
	})
	return s.run(func(url string) { ready(s.db, url) })
}

// run listens until the context ends.
func (s *server) run(ready func(url string)) error {
	listener, err := listen(s.e.ctx, s.c.Addr, "--addr")
	if err != nil {
		return err
	}
	failed := make(chan error, 2)
	public := &http.Server{
		Handler:           letGo(s.stopping, s.door),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      (api.MaxWait + 30) * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	operators, err := s.operators(failed)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	// The watch and the operator's door live until the last request is answered.
	living, die := context.WithCancel(context.Background())
	var flows, life sync.WaitGroup
	life.Go(func() { s.db.Watch(living, s.log) })
	jobs := job.NewRunner(job.Options{DB: s.db, Clock: s.e.now, Logger: s.log, Lease: s.c.Lease})
	sweep.Handle(jobs, s.db, s.recorder, s.e.now, s.c.SweepEvery, s.log, sweep.NewMeters(s.registry))
	if !s.c.NoWebhooks {
		s.relay.Handle(jobs)
		s.registry.MustRegister(s.relay)
	}
	seal.Handle(jobs, s.db, s.e.now, s.c.SealEvery, s.log)
	flows.Go(func() { jobs.Run(s.stopping) })
	go func() { failed <- public.Serve(listener) }()
	ready("http://" + listener.Addr().String())
	if operators != nil {
		s.e.printf("Metrics, health and profiles for operators: http://%s/metrics\n", operators.Addr)
	}

	select {
	case err = <-failed: // it never ends by itself but with an error
	case <-s.e.ctx.Done():
		err = s.shut(public)
	}
	s.stop()
	flows.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	err = errors.Join(err, s.door.Close(ctx))
	die()
	life.Wait()
	if operators != nil {
		err = errors.Join(err, operators.Close())
	}
	s.log.Info("stopped", "version", s.e.build.Version)
	return err
}

// shut stops in the order that loses nothing: say that no more is wanted, wait for the load balancer to hear it, take no more,
// and answer what was taken.
func (s *server) shut(public *http.Server) error {
	s.health.Stop()
	s.log.Info("stopping", "version", s.e.build.Version, "drain", s.c.Drain)
	if s.c.Drain > 0 {
		<-time.After(s.c.Drain)
	}
	s.stop()
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if err := public.Shutdown(ctx); err != nil {
		return errors.Join(errs.Unavailable("stop", fmt.Sprintf("Some requests were still under way after %s and were cut off.", grace)), public.Close())
	}
	return nil
}

// operators opens the operator's door, where one is wanted.
func (s *server) operators(failed chan<- error) (*http.Server, error) {
	if s.c.OpsAddr == "" {
		return nil, nil //nolint:nilnil // no door is what was asked for
	}
	listener, err := listen(s.e.ctx, s.c.OpsAddr, "--ops-addr")
	if err != nil {
		return nil, err
	}
	door := &http.Server{
		Addr:              listener.Addr().String(),
		Handler:           ops.New(ops.Config{DB: s.db, Registry: s.registry, Health: s.health, Clock: s.e.now, Logger: s.log, Build: ops.Build(s.e.build)}),
		ReadHeaderTimeout: 5 * time.Second,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	go func() {
		if err := door.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			failed <- err
		}
	}()
	return door, nil
}

func listen(ctx context.Context, addr, flag string) (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, errs.Unavailable("address", fmt.Sprintf("%s cannot be listened on; another program may be there. %s takes another one, with port 0 a free one.", addr, flag)).Because(err)
	}
	return listener, nil
}

func (c *listening) logger(w io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		level = slog.LevelInfo
	}
	opts := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

// letGo ends requests that only wait for something to happen when the server stops: they change nothing, and the caller
// asks again.
func letGo(stopping context.Context, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && r.URL.Query().Has("wait") {
			ctx, cancel := context.WithCancel(r.Context())
			defer cancel()
			defer context.AfterFunc(stopping, cancel)()
			r = r.WithContext(ctx)
		}
		next.ServeHTTP(w, r)
	})
}
