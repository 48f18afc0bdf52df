package sweep

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Meters are what an operator sees of the sweeps.
type Meters struct {
	last, took      prometheus.Gauge
	accounts, facts prometheus.Counter
	failed          prometheus.Counter
}

// NewMeters makes them. With a nil registry they are shown to nobody.
func NewMeters(reg prometheus.Registerer) *Meters {
	auto := promauto.With(reg)
	return &Meters{
		last:     auto.NewGauge(prometheus.GaugeOpts{Name: "lojal_sweep_last_success_timestamp_seconds", Help: "When this process last swept to the end, in seconds since 1970; 0 before the first time."}),
		took:     auto.NewGauge(prometheus.GaugeOpts{Name: "lojal_sweep_last_seconds", Help: "Time that the last sweep took."}),
		accounts: auto.NewCounter(prometheus.CounterOpts{Name: "lojal_sweep_accounts_total", Help: "Accounts that sweeps brought up."}),
		facts:    auto.NewCounter(prometheus.CounterOpts{Name: "lojal_sweep_facts_total", Help: "Due facts that sweeps wrote."}),
		failed:   auto.NewCounter(prometheus.CounterOpts{Name: "lojal_sweep_failures_total", Help: "Sweeps that ended with an error."}),
	}
}

// note counts a sweep that ran at a time.
func (m *Meters) note(c Counts, took time.Duration, at time.Time, err error) {
	m.took.Set(took.Seconds())
	m.accounts.Add(float64(c.Accounts))
	m.facts.Add(float64(c.Facts))
	if err != nil {
		m.failed.Inc()
		return
	}
	m.last.Set(float64(at.UnixMilli()) / 1000)
}
