package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"lojal.dev/lojal/internal/api"
	"lojal.dev/lojal/internal/claim"
	"lojal.dev/lojal/internal/code"
	"lojal.dev/lojal/internal/console"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errand"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/health"
	"lojal.dev/lojal/internal/importer"
	"lojal.dev/lojal/internal/insight"
	"lojal.dev/lojal/internal/job"
	"lojal.dev/lojal/internal/logs"
	"lojal.dev/lojal/internal/message"
	"lojal.dev/lojal/internal/ops"
	"lojal.dev/lojal/internal/order"
	"lojal.dev/lojal/internal/portal"
	"lojal.dev/lojal/internal/raffle"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/relay"
	"lojal.dev/lojal/internal/seal"
	"lojal.dev/lojal/internal/signin"
	"lojal.dev/lojal/internal/staff"
	"lojal.dev/lojal/internal/sweep"
	"lojal.dev/lojal/internal/trace"
	"lojal.dev/lojal/internal/version"
	"lojal.dev/lojal/internal/web"
)

// grace is how long requests that are under way at a stop may take.
const grace = 15 * time.Second

// server is what a serving process consists of. What stands above the line is given, the rest is made by serve.
type server struct {
	c       *listening
	t       *tuning
	mailing mailing
	signing signingIn
	wallets wallets
	e       *env
	proxies *web.Proxies
	// demo says that the data are a sample.
	demo bool
	// open opens the database with what the server adds to its options.
	open func(db.Options) (*db.DB, error)

	db       *db.DB
	log      *slog.Logger
	registry *prometheus.Registry
	tracer   *trace.Tracer
	health   *health.State
	recorder *record.Recorder
	door     *api.Server
	console  *console.Console
	portal   *portal.Portal
	// sender is how messages to people go: it is for the doors.
	sender   message.Sender
	relay    *relay.Relay
	jobs     *job.Runner
	versions *version.Cache
	// provider is where the staff may sign in besides; nil where there is none.
	provider *staff.Provider
	// providers are those from whom gift cards are bought over HTTP, by name.
	providers map[string]order.Provider
	// stopping ends when nothing new is to be begun.
	stopping context.Context //nolint:containedctx // it is the life of the process, not of a call
	stop     context.CancelFunc
}

// collectAt is how much garbage may lie before it is collected, in percent of what lives, unless GOGC says otherwise. What
// lives is small (some ten megabytes), and at Go's own 100 a fifth of the processor went into looking through it again and
// again. GOMEMLIMIT still bounds the whole.
const collectAt = 400

// serve answers requests until the context ends, and then lets those that are under way come to their end.
func (s *server) serve(ready func(d *db.DB, url string)) (err error) {
	s.log, s.registry = s.c.logger(s.e.Err), ops.NewRegistry()
	if os.Getenv("GOGC") == "" {
		defer debug.SetGCPercent(debug.SetGCPercent(collectAt))
	}
	memory := limitMemory()
	files := openFiles()
	s.log.Info("starting", "version", s.e.build.Version, "commit", s.e.build.Commit, "settings", s.e.changed(), "memory_limit", memory, "files", files)
	if s.tracer, err = trace.New(s.e.ctx, os.Getenv, s.e.build.Version, s.log); err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), grace)
		defer cancel()
		err = errors.Join(err, s.tracer.Close(ctx))
	}()
	s.db, err = s.open(db.Options{Metrics: s.registry, Log: s.log, Slow: s.t.SlowAfter, Connections: databaseConnections(s.t.DBConnections, files)})
	if err != nil {
		return err
	}
	defer closing(s.db, &err)
	s.stopping, s.stop = context.WithCancel(context.Background())
	defer s.stop()

	targets, err := relay.ParseTargets(s.c.WebhookAllow)
	if err != nil {
		return err
	}
	if s.providers, err = s.c.remotes(os.Getenv); err != nil {
		return err
	}
	if s.provider, err = s.signing.provider(s.c.URL); err != nil {
		return err
	}
	if s.sender, err = s.mailing.sender(s.e, s.log, s.demo); err != nil {
		return err
	}
	phones, err := s.wallets.load()
	if err != nil {
		return err
	}
	if phones.Google != nil && !strings.HasPrefix(s.c.URL, "https://") {
		return errs.Malformed("google_wallet", "--google-wallet-issuer needs --url https://…: Google fetches the program's picture from there.")
	}
	s.versions = &version.Cache{}
	s.jobs = job.NewRunner(job.Options{DB: s.db, Clock: s.e.now, Logger: s.log, Lease: s.c.Lease, Metrics: s.registry, Tracer: s.tracer})
	s.health = health.New(s.db)
	s.recorder = record.NewWith(s.db, s.versions, record.Options{Metrics: s.registry, Remember: s.t.Remember << 20})
	defer s.recorder.Close()
	logEvery := s.t.LogRequests
	if logEvery == 0 {
		logEvery = -1
	}
	s.door = api.New(api.Config{
		DB: s.db, Recorder: s.recorder, Versions: s.versions, Clock: s.e.now, Logger: s.log, Build: api.BuildInfo(s.e.build),
		Health: s.health, Metrics: s.registry, Tracer: s.tracer, Proxies: s.proxies, LogEvery: logEvery, Slow: s.t.SlowAfter,
		Limits: api.Limits{Requests: s.t.MaxRequests, Bodies: bodyMemory(memory)}, Targets: targets, Wake: s.wake,
		URL: strings.TrimRight(s.c.URL, "/"), Wallets: phones,
	})
	s.relay = relay.New(relay.Options{
		DB: s.db, Clock: s.e.now, Logger: s.log, Render: s.door.RenderEvents, Targets: targets, Timeout: s.c.WebhookTimeout, Version: s.e.build.Version,
	})
	return s.run(files, func(url string) { ready(s.db, url) })
}

// wake has what the API asked for begun now.
func (s *server) wake() {
	s.jobs.Wake()
	s.relay.Wake()
}

// run listens until the context ends.
func (s *server) run(files int, ready func(url string)) error {
	listener, err := listen(s.e.ctx, s.c.Addr, "--addr")
	if err != nil {
		return err
	}
	if s.demo && s.door.URL == "" {
		s.door.URL = "http://" + listener.Addr().String() // nobody else can reach a demo anyway
	}
	failed := make(chan error, 2)
	public, err := s.public()
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	operators, err := s.operators(failed)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	// The watch and the operator's door live until the last request is answered.
	living, die := context.WithCancel(context.Background())
	var flows, life sync.WaitGroup
	life.Go(func() { s.db.Watch(living, s.log) })
	sweep.Handle(s.jobs, s.db, s.recorder, s.e.now, s.c.SweepEvery, s.log, sweep.NewMeters(s.registry))
	if !s.c.NoWebhooks {
		s.relay.Handle(s.jobs)
		s.registry.MustRegister(s.relay)
	}
	importer.Handle(s.jobs, s.db, s.recorder, s.versions, s.e.now, s.log)
	code.Handle(s.jobs, s.db, s.e.now)
	signin.Handle(s.jobs, s.db, s.e.now)
	claim.Handle(s.jobs, s.db, s.e.now)
	order.Handle(s.jobs, &order.Orders{DB: s.db, Recorder: s.recorder, Providers: s.providers, Log: s.log}, s.e.now)
	raffle.Handle(s.jobs, &raffle.Draws{DB: s.db, Recorder: s.recorder}, s.e.now)
	errand.Handle(s.jobs, s.db, s.recorder, s.e.now, s.log)
	insight.Handle(s.jobs, s.db, s.versions, s.e.now, s.log)
	seal.Handle(s.jobs, s.db, s.e.now, s.c.SealEvery, s.log)
	flows.Go(func() { s.jobs.Run(s.stopping) })
	scheme := "http://"
	limited := web.LimitConnections(listener, callerConnections(s.t.MaxConnections, files), s.registry)
	if public.TLSConfig != nil {
		scheme = "https://"
		go func() { failed <- public.ServeTLS(limited, "", "") }()
	} else {
		go func() { failed <- public.Serve(limited) }()
	}
	ready(scheme + listener.Addr().String())
	if operators != nil {
		s.e.printf("Metrics, health and profiles for operators: http://%s/metrics\n", operators.Addr)
	}
	tellSupervisor(s.log, "READY=1")
	s.log.Info("ready", "addr", listener.Addr().String(), "database", string(s.db.Dialect()))

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

// public is the server that callers reach.
func (s *server) public() (*http.Server, error) {
	p := &http.Server{
		Handler:           letGo(s.stopping, s.doors()),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      (api.MaxWait + 30) * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	if s.t.TLSCert == "" {
		return p, nil
	}
	certificate, err := web.LoadCertificate(s.t.TLSCert, s.t.TLSKey, s.log)
	if err != nil {
		return nil, err
	}
	p.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: certificate.Get}
	return p, nil
}

// shut stops in the order that loses nothing: say that no more is wanted, wait for the load balancer to hear it, take no more,
// and answer what was taken.
func (s *server) shut(public *http.Server) error {
	s.health.Stop()
	tellSupervisor(s.log, "STOPPING=1")
	s.log.Info("stopping", "version", s.e.build.Version, "drain", s.t.Drain)
	if s.t.Drain > 0 {
		<-time.After(s.t.Drain)
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
	return logs.New(w, logs.Options{JSON: c.LogFormat == "json", Level: level, About: web.About})
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
