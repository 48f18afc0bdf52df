package web

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Meters count the requests of a door by the pattern of their route, never by their path: paths hold the names of
// members, and there is no end of them.
type Meters struct {
	routes   map[string]*routeMeters
	other    *routeMeters
	inFlight prometheus.Gauge
	away     prometheus.Counter
}

// routeMeters are all that one route may need, found by the status's first digit.
type routeMeters struct {
	status [6]func() prometheus.Counter
	took   func() prometheus.Observer
}

// requestBuckets reach from an answer out of memory to the longest wait, in seconds.
var requestBuckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}

// NewMeters makes meters, together with those of other doors in the same registry, for the patterns of a mux, "METHOD /path", and for what matches none. With a nil registry they are
// counted for nobody.
func NewMeters(reg prometheus.Registerer, patterns []string) *Meters {
	requests := shared(reg, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "lojal_http_requests_total", Help: "Requests answered, by route, method and class of status. What matches no route is other.",
	}, []string{"route", "method", "status"}))
	took := shared(reg, prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "lojal_http_request_seconds", Help: "Time from the request's head to the end of the answer, by route and method.", Buckets: requestBuckets,
	}, []string{"route", "method"}))
	m := &Meters{
		routes:   make(map[string]*routeMeters, len(patterns)),
		away:     shared(reg, prometheus.NewCounter(prometheus.CounterOpts{Name: "lojal_http_turned_away_total", Help: "Requests that were answered 503 overloaded before anything was done."})),
		inFlight: shared(reg, prometheus.NewGauge(prometheus.GaugeOpts{Name: "lojal_http_requests_in_flight", Help: "Requests that are being answered."})),
	}
	for _, p := range patterns {
		method, path, _ := strings.Cut(p, " ")
		m.routes[p] = newRouteMeters(requests, took, path, method)
	}
	m.other = newRouteMeters(requests, took, "other", "any")
	return m
}

// shared registers a collector, or gives the one that another door of the process has registered.
func shared[C prometheus.Collector](reg prometheus.Registerer, c C) C {
	if reg == nil {
		return c
	}
	err := reg.Register(c)
	if there, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		if same, ok := there.ExistingCollector.(C); ok {
			return same
		}
	}
	if err != nil {
		panic("web: " + err.Error()) // two meters by one name: a mistake in the program
	}
	return c
}

func newRouteMeters(requests *prometheus.CounterVec, took *prometheus.HistogramVec, route, method string) *routeMeters {
	// A histogram is twenty lines to read: a route has one from its first request on. A counter of failures must be there before, or
	// the first failure is not seen to rise; those of the others come with the first of them.
	m := &routeMeters{took: sync.OnceValue(func() prometheus.Observer { return took.WithLabelValues(route, method) })}
	for class := 2; class <= 5; class++ {
		m.status[class] = sync.OnceValue(func() prometheus.Counter {
			return requests.WithLabelValues(route, method, string(rune('0'+class))+"xx")
		})
		if class >= 4 {
			m.status[class]()
		}
	}
	return m
}

func (m *Meters) begin() {
	if m != nil {
		m.inFlight.Inc()
	}
}

func (m *Meters) turnAway() {
	if m != nil {
		m.away.Inc()
	}
}

func (m *Meters) end(pattern string, status int, took time.Duration) {
	if m == nil {
		return
	}
	m.inFlight.Dec()
	r := m.routes[pattern]
	if r == nil {
		r = m.other
	}
	if status == 0 { // nothing was written: net/http says 200
		status = http.StatusOK
	}
	if c := status / 100; c >= 2 && c <= 5 {
		r.status[c]().Inc()
	}
	r.took().Observe(took.Seconds())
}
