package job

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// meters are what an operator sees of the jobs that this node does. Kinds are words of the program, so there are few.
type meters struct {
	runs *prometheus.CounterVec
	took *prometheus.HistogramVec
}

func newMeters(reg prometheus.Registerer) meters {
	auto := promauto.With(reg)
	return meters{
		runs: auto.NewCounterVec(prometheus.CounterOpts{
			Name: "lojal_job_runs_total", Help: "Runs of jobs on this node, by kind and the state that the job was in afterwards; lost when another node had taken it over.",
		}, []string{"kind", "state"}),
		took: auto.NewHistogramVec(prometheus.HistogramOpts{
			Name: "lojal_job_seconds", Help: "Time of a run of a job, by kind.", Buckets: []float64{.01, .05, .1, .5, 1, 5, 10, 30, 60, 300, 1800},
		}, []string{"kind"}),
	}
}

func (m *meters) note(kind string, state State, took time.Duration) {
	m.runs.WithLabelValues(kind, string(state)).Inc()
	m.took.WithLabelValues(kind).Observe(took.Seconds())
}
