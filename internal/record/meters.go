package record

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
)

// The outcomes of a fact, as the operator sees them.
const (
	wasRecorded  = iota // new in the books
	wasDuplicate        // known by its natural key
	wasReplayed         // answered from its Idempotency-Key
	wasGuest            // decided and not kept: there is no member
	wasRefused          // wrong, or not possible now
	wasFailed           // the database was away, or a fault of the program
)

var outcomes = [...]string{wasRecorded: "recorded", wasDuplicate: "duplicate", wasReplayed: "replayed", wasGuest: "guest", wasRefused: "refused", wasFailed: "failed"}

// meters count what is recorded. All that a fact may need is looked up when they are made.
type meters struct {
	facts map[engine.Kind]*[len(outcomes)]prometheus.Counter
	due   prometheus.Counter
	size  prometheus.Observer
	wait  prometheus.Observer
}

func newMeters(reg prometheus.Registerer, waiting func() int) *meters {
	auto := promauto.With(reg)
	facts := auto.NewCounterVec(prometheus.CounterOpts{
		Name: "lojal_facts_total",
		Help: "Facts by kind and what came of them: recorded, duplicate (known by its natural key), replayed (known by its Idempotency-Key), guest (not kept), refused, failed.",
	}, []string{"kind", "outcome"})
	m := &meters{
		facts: map[engine.Kind]*[len(outcomes)]prometheus.Counter{},
		size: auto.NewHistogram(prometheus.HistogramOpts{
			Name: "lojal_record_batch_size", Help: "Requests that were gathered into one transaction.", Buckets: []float64{1, 2, 4, 8, 16, 32, 64, 128, 256, 512},
		}),
		wait: auto.NewHistogram(prometheus.HistogramOpts{
			Name: "lojal_record_wait_seconds", Help: "Time that a request waited for the transaction that took it.", Buckets: []float64{.0001, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}),
	}
	auto.NewGaugeFunc(prometheus.GaugeOpts{Name: "lojal_record_queue_length", Help: "Requests that wait for a transaction."}, func() float64 { return float64(waiting()) })
	for _, kind := range engine.Kinds {
		row := &[len(outcomes)]prometheus.Counter{}
		for i, name := range outcomes {
			row[i] = facts.WithLabelValues(string(kind), name)
		}
		m.facts[kind] = row
	}
	m.due = m.facts[engine.Due][wasRecorded]
	return m
}

// note counts what came of the tasks.
func (m *meters) note(tasks []*task) {
	for _, t := range tasks {
		if again(t.err) {
			continue
		}
		if t.result != nil && len(t.result.Dues) > 0 && !t.result.Replayed {
			m.due.Add(float64(len(t.result.Dues)))
		}
		if row := m.facts[t.base.Kind]; row != nil {
			row[outcomeOf(t)].Inc()
		}
	}
}

func outcomeOf(t *task) int {
	switch {
	case t.err != nil:
		switch errs.CodeOf(t.err) {
		case errs.CodeUnavailable, errs.CodeInternal:
			return wasFailed
		}
		return wasRefused
	case t.result == nil:
		return wasFailed
	case t.result.Replayed:
		return wasReplayed
	case t.result.Duplicate:
		return wasDuplicate
	case t.result.Recorded:
		return wasRecorded
	}
	return wasGuest
}

// gathered counts the requests of one transaction and how long each waited.
func (m *meters) gathered(batch []*waiting) {
	m.size.Observe(float64(len(batch)))
	for _, q := range batch {
		m.wait.Observe(q.at.Sub(q.since).Seconds())
	}
}
