package record_test

import (
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/record"
)

// value is that of a gauge, or the count of a histogram.
func value(t *testing.T, reg *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			m := f.GetMetric()[0]
			return m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return 0
}

// A queue that only grows makes everybody wait for an answer that nobody is there to hear any more. Who comes too late is told
// so at once, and those who wait are served.
func TestWhoComesWhenTooManyWaitIsToldSo(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string]record.Options{
		"too many": {Queue: 2}, "too long": {Patience: time.Nanosecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := dbtest.Open(t, db.SQLite)
			reg := prometheus.NewRegistry()
			opts.Metrics = reg
			k := openWith(t, d, opts, shop)
			m := k.enrol("1")
			before := value(t, reg, "lojal_record_batch_size")

			inside, gate := make(chan struct{}), make(chan struct{})
			var others sync.WaitGroup
			others.Go(func() { // somebody else has the one writer
				err := d.Write(t.Context(), func(*db.Tx) error {
					close(inside)
					<-gate
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
			<-inside
			request := func() {
				others.Go(func() {
					if _, err := k.take(purchase(m, "5.00", noon)); err != nil {
						t.Error(err)
					}
				})
			}
			request()
			for value(t, reg, "lojal_record_batch_size") == before { // until a transaction has taken it
				runtime.Gosched()
			}
			waiting := 2
			if opts.Queue == 0 {
				waiting = 1
			}
			for n := range waiting {
				request()
				for value(t, reg, "lojal_record_queue_length") <= float64(n) {
					runtime.Gosched()
				}
			}
			_, err := k.take(purchase(m, "7.00", noon))
			if !errs.Is(err, errs.CodeUnavailable, "overloaded") {
				t.Errorf("%v", err)
			}
			close(gate)
			others.Wait()
			if _, err := k.take(purchase(m, "7.00", noon)); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}
