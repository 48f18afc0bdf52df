// Package ops is the operator's door: metrics for Prometheus, health, and Go's profiles, on a listener of its own.
//
// It owns what is measured by asking (the backlog, the size of the database, the build) and how all meters are served. It does
// not own what is counted on the way: each room counts its own and shows it in the registry. The door has no key: it
// belongs on the loopback or a network that only operators reach, and holds no personal data in any case.
package ops

import (
	"log/slog"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/health"
	"lojal.dev/lojal/internal/web"
)

// Config is what the door stands on.
type Config struct {
	DB       *db.DB
	Registry *prometheus.Registry
	Health   *health.State
	Clock    func() time.Time
	Logger   *slog.Logger
	Build    Build
}

// Build says which program this is.
type Build struct{ Version, Commit string }

// NewRegistry makes a registry that holds the meters of the process and of Go's runtime.
func NewRegistry() *prometheus.Registry {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return reg
}

// New makes the door. It registers what is measured by asking.
func New(c Config) http.Handler {
	c.Registry.MustRegister(newAsked(c), buildInfo(c.Build))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(c.Registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(c.Logger.Handler(), slog.LevelWarn), ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 4, Timeout: 10 * time.Second,
	}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		report, err := c.Health.Ready(r.Context())
		if err != nil {
			web.Fail(w, r, err)
			return
		}
		answer(w, "ready, writing "+string(report.Writing))
	})
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}

func answer(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte(text + "\n")) // who asked may be gone
}
