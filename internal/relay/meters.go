package relay

import "github.com/prometheus/client_golang/prometheus"

var (
	sentDesc      = prometheus.NewDesc("lojal_webhook_messages_total", "Messages that this process sent, by what came of them: taken or failed.", []string{"result"}, nil)
	deadDesc      = prometheus.NewDesc("lojal_webhook_dead_total", "Deliveries that this process gave up after their last attempt.", nil, nil)
	endpointsDesc = prometheus.NewDesc("lojal_webhook_endpoints", "Endpoints that this process looks after.", nil, nil)
)

// Describe is part of prometheus.Collector.
func (r *Relay) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{sentDesc, deadDesc, endpointsDesc} {
		ch <- d
	}
}

// Collect is part of prometheus.Collector: what this process did. What waits in the database is asked for elsewhere.
func (r *Relay) Collect(ch chan<- prometheus.Metric) {
	s := r.Counts()
	count := func(d *prometheus.Desc, n int64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	count(sentDesc, s.Delivered, "taken")
	count(sentDesc, s.Failed, "failed")
	count(deadDesc, s.Dead)
	ch <- prometheus.MustNewConstMetric(endpointsDesc, prometheus.GaugeValue, float64(s.Endpoints))
}
