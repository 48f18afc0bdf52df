package db_test

import (
	"context"
	"errors"
	"net"
	"net/url"
	"sync/atomic"
	"testing"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/errs"
)

// A commit whose answer is lost must be told as unknown, whether it happened or not, and never be run again here: only
// the idempotency key can tell. A server that is stopped during COMMIT gives such an error for what it has stored.
func TestACommitWithoutAnAnswerIsUnknown(t *testing.T) {
	t.Parallel()
	for name, arrives := range map[string]bool{"it happened": true, "it did not": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			straight := dbtest.URL(t, db.Postgres)
			proxy := newCutter(t, straight, arrives)
			d, err := db.Open(t.Context(), proxy.url, db.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			must(t, d, `CREATE TABLE thing (id bigint PRIMARY KEY)`)
			runs := 0
			err = d.Write(t.Context(), func(tx *db.Tx) error {
				runs++
				_, err := tx.Exec(t.Context(), `INSERT INTO thing (id) VALUES (1)`)
				proxy.armed.Store(true) // what this connection says next is COMMIT
				return err
			})
			if !errors.Is(err, db.ErrUnknownCommit) || !errs.Is(err, errs.CodeUnavailable, db.ReasonUnknownCommit) {
				t.Errorf("%v", err)
			}
			if db.IsRetryable(err) || !db.IsUnavailable(err) || runs != 1 {
				t.Errorf("retryable %v, unavailable %v, %d runs", db.IsRetryable(err), db.IsUnavailable(err), runs)
			}
			want := int64(0)
			if arrives {
				want = 1
			}
			if n := number(t, d, `SELECT COUNT(*) FROM thing`); n != want {
				t.Errorf("%d rows, want %d", n, want)
			}
		})
	}
}

// cutter passes connections on to the server, and cuts the one that speaks first after it was armed.
type cutter struct {
	url     string
	server  string
	arrives bool // the server gets the COMMIT and only its answer is lost
	armed   atomic.Bool
}

func newCutter(t *testing.T, straight string, arrives bool) *cutter {
	t.Helper()
	u, err := url.Parse(straight)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{server: u.Host, arrives: arrives}
	u.Host = listener.Addr().String()
	c.url = u.String()
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go c.pass(t.Context(), client)
		}
	}()
	return c
}

func (c *cutter) pass(ctx context.Context, client net.Conn) {
	defer client.Close()
	server, err := new(net.Dialer).DialContext(ctx, "tcp", c.server)
	if err != nil {
		return
	}
	defer server.Close()
	var lost atomic.Bool // what the server answers from now on is lost
	go func() {
		defer client.Close()
		buf := make([]byte, 64<<10)
		for {
			n, err := server.Read(buf)
			if err != nil || lost.Load() {
				return
			}
			if _, err := client.Write(buf[:n]); err != nil {
				return
			}
		}
	}()
	buf := make([]byte, 64<<10)
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		if c.armed.CompareAndSwap(true, false) {
			lost.Store(true)
			if !c.arrives {
				return
			}
		}
		if _, err := server.Write(buf[:n]); err != nil {
			return
		}
	}
}
