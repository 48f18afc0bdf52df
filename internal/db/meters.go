package db

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"lojal.dev/lojal/internal/trace"
)

// meters are what an operator sees of the database. Without a registry they count for nobody, so that no caller asks
// whether there is one.
type meters struct {
	reads, writes prometheus.Observer
	retries       prometheus.Counter
	unknown       prometheus.Counter
	unavailable   prometheus.Counter
}

// transactionBuckets reach from a read out of memory to a caller's patience, in seconds.
var transactionBuckets = []float64{.0002, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

func newMeters(reg prometheus.Registerer) meters {
	auto := promauto.With(reg)
	took := auto.NewHistogramVec(prometheus.HistogramOpts{
		Name: "lojal_db_transaction_seconds", Buckets: transactionBuckets,
		Help: "Time of a transaction as its caller feels it, with the wait for a connection and the times it was run again.",
	}, []string{"mode"})
	return meters{
		reads:       took.WithLabelValues("read"),
		writes:      took.WithLabelValues("write"),
		retries:     auto.NewCounter(prometheus.CounterOpts{Name: "lojal_db_retries_total", Help: "Transactions that were run again after a conflict or a lost connection."}),
		unknown:     auto.NewCounter(prometheus.CounterOpts{Name: "lojal_db_unknown_commits_total", Help: "Commits that the database did not confirm; the caller's repetition tells what became of them."}),
		unavailable: auto.NewCounter(prometheus.CounterOpts{Name: "lojal_db_unavailable_total", Help: "Transactions that failed because the database was away, full or out of connections."}),
	}
}

// register shows the connection pools.
func (d *DB) register(reg prometheus.Registerer) error {
	if reg == nil {
		return nil
	}
	if d.read == d.write {
		return reg.Register(collectors.NewDBStatsCollector(d.write, "postgres"))
	}
	return errors.Join(reg.Register(collectors.NewDBStatsCollector(d.write, "sqlite-writer")), reg.Register(collectors.NewDBStatsCollector(d.read, "sqlite-readers")))
}

// note counts a transaction that is over, and warns of one that took long.
func (d *DB) note(ctx context.Context, span trace.Span, readOnly bool, attempt int, began time.Time, err error) {
	took := time.Since(began)
	if readOnly {
		d.meters.reads.Observe(took.Seconds())
	} else {
		d.meters.writes.Observe(took.Seconds())
	}
	away := err != nil && IsUnavailable(err)
	if span.Kept() {
		span.String("db.system.name", string(d.dialect))
		span.Int("lojal.attempts", attempt)
		if away {
			span.Fail("unavailable")
		}
	}
	switch {
	case away && errors.Is(err, ErrUnknownCommit):
		d.meters.unknown.Inc()
	case away:
		d.meters.unavailable.Inc()
	}
	if !readOnly && (away || err == nil) && away != d.failing.Load() { // it is read far more often than it changes
		d.failing.Store(away)
	}
	if d.log != nil && d.slow > 0 && took >= d.slow {
		mode := "write"
		if readOnly {
			mode = "read"
		}
		d.log.WarnContext(ctx, "slow transaction", "mode", mode, "in", caller(), "took", took, "attempts", attempt, "failed", err != nil)
	}
}

// caller names the function that asked for the transaction: package and function, without the folders.
func caller() string {
	var pcs [16]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	for {
		f, more := frames.Next()
		name := f.Function[strings.LastIndexByte(f.Function, '/')+1:]
		if !strings.HasPrefix(name, "db.") {
			return name
		}
		if !more {
			return ""
		}
	}
}

const sizePostgres = `SELECT pg_database_size(current_database())`

// Size gives how many bytes the database takes on disk, on SQLite with its log.
func (d *DB) Size(ctx context.Context) (int64, error) {
	var size int64
	if d.dialect == Postgres {
		err := d.Read(ctx, func(tx *Tx) error { return tx.QueryRow(ctx, sizePostgres).Scan(&size) })
		if err != nil {
			return 0, fmt.Errorf("ask for the size of the database: %w", err)
		}
		return size, nil
	}
	for _, end := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(filepath.Clean(d.path + end))
		switch {
		case err == nil:
			size += info.Size()
		case !errors.Is(err, os.ErrNotExist) || end == "":
			return 0, fmt.Errorf("look at the database file: %w", err)
		}
	}
	return size, nil
}
