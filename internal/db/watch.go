package db

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// A PostgreSQL that is away answers in many ways: it refuses at once, it lets connect and says nothing, or a connection hangs
// until its peer is given up, which takes minutes. A till cannot wait for that. So a server watches the database by
// a connection of its own, and while nothing answers there, every transaction fails at once, those under way too.
const (
	watchEvery    = time.Second
	watchPatience = 2 * time.Second
)

// errAway says that the watch found the database away; nothing was written.
var errAway = errors.New("the database does not answer")

// watch is what the watch found, and the connections that end with it. The zero value watches nothing.
type watch struct {
	away atomic.Bool
	// every is the pace of asking, patience the time for an answer. Two questions in a row must fail.
	every, patience time.Duration

	mu   sync.Mutex
	open map[*watchedConn]struct{}
}

type watchedConn struct {
	net.Conn
	w *watch
}

// Close is called by the driver, and by the watch; what one has closed is no failure to the other.
func (c *watchedConn) Close() error {
	c.w.mu.Lock()
	_, open := c.w.open[c]
	delete(c.w.open, c)
	c.w.mu.Unlock()
	if !open {
		return nil
	}
	return c.Conn.Close()
}

// dial makes connections that the watch can end.
func (w *watch) dial(next pgconn.DialFunc) pgconn.DialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		if w.away.Load() {
			return nil, errAway
		}
		conn, err := next(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		c := &watchedConn{conn, w}
		w.mu.Lock()
		if w.open == nil {
			w.open = map[*watchedConn]struct{}{}
		}
		w.open[c] = struct{}{}
		w.mu.Unlock()
		if w.away.Load() { // it went while we dialled, and may not have seen this one
			return nil, errors.Join(errAway, c.Close())
		}
		return c, nil
	}
}

// leave ends all connections: whoever waits for an answer has one.
func (w *watch) leave() {
	w.away.Store(true)
	w.mu.Lock()
	open := slices.Collect(maps.Keys(w.open))
	w.mu.Unlock()
	for _, c := range open {
		_ = c.Close() // it is given up; the driver closes it again
	}
}

// Watch asks the database every second whether it is there, until ctx ends. While it is not, transactions fail at once with
// code unavailable, and those under way are given up. It is for a server on PostgreSQL; a SQLite file is
// always there.
func (d *DB) Watch(ctx context.Context, log *slog.Logger) {
	if d.probe == nil {
		return
	}
	defer d.watch.away.Store(false)
	tick := time.NewTicker(d.watch.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := d.ask(ctx)
		if err != nil && ctx.Err() == nil {
			err = d.ask(ctx) // the connection alone may have been lost
		}
		switch away := d.watch.away.Load(); {
		case ctx.Err() != nil:
			return
		case err != nil && !away:
			log.ErrorContext(ctx, "the database is away", "error", err)
			d.watch.leave()
		case err == nil && away:
			log.InfoContext(ctx, "the database is back")
			d.watch.away.Store(false)
		}
	}
}

func (d *DB) ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, d.watch.patience)
	defer cancel()
	var one int
	err := d.probe.QueryRowContext(ctx, `SELECT 1`).Scan(&one)
	if pgCode(err) == "53300" { // too many connections: it is there, and the pool may have what it needs
		return nil
	}
	return err
}
