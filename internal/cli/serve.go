package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"lojal.dev/lojal/internal/api"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/job"
	"lojal.dev/lojal/internal/record"
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
	SweepEvery time.Duration `name:"sweep-every" default:"1m" placeholder:"DURATION" help:"How often what time brings is done, every ${default} when left out; 0s is never."`
	Lease      time.Duration `default:"15s" placeholder:"DURATION" help:"How long this server may stand still before others take over the work that it has begun, ${default} when left out."`
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

func (c *serveCmd) Run(e *env) (err error) {
	d, err := db.Open(e.ctx, c.DB, db.Options{Migrate: !c.NoMigrate})
	if err != nil {
		return hint(err)
	}
	defer closing(d, &err)
	return c.serve(e, d, func(url string) {
		e.printf("lojal serves %s (API: %s/docs)\n", url, url)
		e.printf("%s\n", c.next(e, d))
	})
}

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

// serve answers requests until the context ends, and then lets those that are under way come to their end.
func (c *listening) serve(e *env, d *db.DB, ready func(url string)) error {
	log := c.logger(e.Err)
	versions := &version.Cache{}
	recorder := record.New(d, versions)
	defer recorder.Close()
	door := api.New(api.Config{DB: d, Recorder: recorder, Versions: versions, Clock: e.now, Logger: log, Build: api.BuildInfo(e.build)})

	listener, err := new(net.ListenConfig).Listen(e.ctx, "tcp", c.Addr)
	if err != nil {
		return errs.Unavailable("address", fmt.Sprintf("%s cannot be listened on; another program may be there. --addr takes another one, with port 0 a free one.", c.Addr)).Because(err)
	}
	stopping, stop := context.WithCancel(context.Background())
	defer stop()
	server := &http.Server{
		Handler:           letGo(stopping, door),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      (api.MaxWait + 30) * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	var flows sync.WaitGroup
	jobs := job.NewRunner(job.Options{DB: d, Clock: e.now, Logger: log, Lease: c.Lease})
	sweep.Handle(jobs, d, recorder, e.now, c.SweepEvery, log)
	flows.Go(func() { jobs.Run(stopping) })
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	ready("http://" + listener.Addr().String())

	select {
	case err = <-failed: // it never ends by itself but with an error
	case <-e.ctx.Done():
		log.Info("stopping")
		ctx, cancel := context.WithTimeout(context.Background(), grace)
		defer cancel()
		stop()
		if err = server.Shutdown(ctx); err != nil {
			err = errors.Join(errs.Unavailable("stop", fmt.Sprintf("Some requests were still under way after %s and were cut off.", grace)), server.Close())
		}
	}
	stop()
	flows.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	return errors.Join(err, door.Close(ctx))
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
