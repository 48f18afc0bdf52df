package db_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/errs"
)

// told hands over the message of each line that is logged.
type told struct{ lines chan string }

func (h told) Enabled(context.Context, slog.Level) bool { return true }
func (h told) Handle(_ context.Context, r slog.Record) error {
	h.lines <- r.Message
	return nil
}
func (h told) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h told) WithGroup(string) slog.Handler      { return h }

// A server that hangs without closing a connection must not hang the tills: what is under way is given up, what comes fails
// at once, and all is well as soon as the server answers again.
func TestWhileTheDatabaseHangsEveryTransactionFailsAtOnce(t *testing.T) {
	t.Parallel()
	proxy := newMute(t, dbtest.URL(t, db.Postgres))
	reg := prometheus.NewRegistry()
	d, err := db.Open(t.Context(), proxy.url, db.Options{Metrics: reg})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.Close(); err != nil { // of connections that the watch has closed
			t.Error(err)
		}
	}()
	d.Hurry(10*time.Millisecond, time.Second)
	must(t, d, `CREATE TABLE thing (id bigint PRIMARY KEY)`)
	var idle func(left int) func(*db.Tx) error
	idle = func(left int) func(*db.Tx) error {
		return func(tx *db.Tx) error {
			if _, err := tx.Exec(t.Context(), `SELECT 1`); err != nil || left == 0 {
				return err
			}
			return d.Read(t.Context(), idle(left-1))
		}
	}
	if err := d.Read(t.Context(), idle(3)); err != nil { // four connections stay open
		t.Fatal(err)
	}
	lines := make(chan string, 1)
	ctx, stop := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	watching.Go(func() { d.Watch(ctx, slog.New(told{lines})) })
	defer watching.Wait()
	defer stop()

	err = d.Write(t.Context(), func(tx *db.Tx) error {
		proxy.hold()
		_, err := tx.Exec(t.Context(), `INSERT INTO thing (id) VALUES (1)`)
		return err
	})
	if !errs.Is(err, errs.CodeUnavailable, db.ReasonUnavailable) || db.IsRetryable(err) {
		t.Errorf("under way: %v", err)
	}
	if line := <-lines; line != "the database is away" {
		t.Errorf("logged %q", line)
	}
	for _, run := range []func(context.Context, func(*db.Tx) error) error{d.Read, d.Write} {
		err := run(t.Context(), func(*db.Tx) error { return errors.New("it began") })
		if !errs.Is(err, errs.CodeUnavailable, db.ReasonUnavailable) || strings.Contains(err.Error(), "it began") {
			t.Errorf("while it is away: %v", err)
		}
	}
	proxy.pass()
	if line := <-lines; line != "the database is back" {
		t.Errorf("logged %q", line)
	}
	must(t, d, `INSERT INTO thing (id) VALUES (1)`) // the first one was not written
	if n := metric(t, reg, "lojal_db_unavailable_total"); n != 3 {
		t.Errorf("%v transactions are counted as failed, want 3", n)
	}
}

// mute passes connections on to the server, and holds back what either side says while it is told to.
type mute struct {
	url  string
	gate sync.RWMutex
}

func (m *mute) hold() { m.gate.Lock() }
func (m *mute) pass() { m.gate.Unlock() }

func newMute(t *testing.T, straight string) *mute {
	t.Helper()
	u, err := url.Parse(straight)
	if err != nil {
		t.Fatal(err)
	}
	server := u.Host
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &mute{}
	u.Host = listener.Addr().String()
	m.url = u.String()
	t.Cleanup(func() { listener.Close() })
	copying := func(to, from net.Conn) {
		defer to.Close()
		buf := make([]byte, 64<<10)
		for {
			n, err := from.Read(buf)
			m.gate.RLock()
			if n > 0 {
				if _, werr := to.Write(buf[:n]); werr != nil {
					err = werr
				}
			}
			m.gate.RUnlock()
			if err != nil {
				return
			}
		}
	}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", server)
			if err != nil {
				client.Close()
				continue
			}
			go copying(conn, client)
			go copying(client, conn)
		}
	}()
	return m
}

// metric gives the value of a counter or gauge without labels.
func metric(t *testing.T, reg *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			m := f.GetMetric()[0]
			return m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	t.Fatalf("there is no %s", name)
	return 0
}

func TestTransactionsAreCountedAndSlowOnesTold(t *testing.T) {
	t.Parallel()
	dbtest.EachURL(t, func(t *testing.T, url string) {
		reg := prometheus.NewRegistry()
		var log strings.Builder
		d, err := db.Open(t.Context(), url, db.Options{Metrics: reg, Log: slog.New(slog.NewTextHandler(&log, nil)), Slow: time.Nanosecond})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		log.Reset() // opening reads the version
		must(t, d, `CREATE TABLE thing (id bigint PRIMARY KEY)`)
		if line := log.String(); !strings.Contains(line, "slow transaction") || !strings.Contains(line, "mode=write") || !strings.Contains(line, "in=db_test.must") {
			t.Errorf("logged %q", line)
		}
		if n := testutil.CollectAndCount(reg, "lojal_db_transaction_seconds"); n != 2 {
			t.Errorf("%d histograms", n)
		}
		size, err := d.Size(t.Context())
		if err != nil || size < 100_000 || size > 100_000_000 {
			t.Errorf("%d bytes, %v", size, err)
		}
		if _, err := testutil.GatherAndCount(reg, "go_sql_max_open_connections"); err != nil {
			t.Error(err)
		}
		problems, err := testutil.GatherAndLint(reg)
		for _, p := range problems {
			if strings.HasPrefix(p.Metric, "lojal_") {
				t.Errorf("%s: %s", p.Metric, p.Text)
			}
		}
		if err != nil {
			t.Error(err)
		}
	})
}
