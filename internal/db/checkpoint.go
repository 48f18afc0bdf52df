package db

import (
	"context"
	"database/sql"
	"sync"
	"sync/atomic"
	"time"

	sqlite3 "modernc.org/sqlite/lib"
)

// What was committed to SQLite stands in its log and must be copied into the file now and then. SQLite would do it
// inside a commit, every thousand pages: every third batch of a busy server would wait for it. Here it is done beside the
// commits, on a connection of its own, which neither waits for anybody nor is waited for. The log can begin anew only when all
// of it is copied and nobody writes, so when it has grown long, the little that is left is copied between two
// transactions.
type checkpoints struct {
	side  *sql.DB
	dirty chan struct{}
	full  atomic.Bool // the disk was full
	stop  chan struct{}
	once  sync.Once // a database may be closed twice
	done  sync.WaitGroup
}

const (
	// checkpointPause is how long commits gather before they are copied: what is written again meanwhile is copied once.
	checkpointPause = 300 * time.Millisecond
	// longLog is when the writer is asked to let the log begin anew, in pages of 4 kB: 16 MB.
	longLog = 4 << 10
)

// startCheckpoints begins copying, for a database whose own checkpoints are off.
func (d *DB) startCheckpoints(side *sql.DB) {
	side.SetMaxOpenConns(1)
	c := &checkpoints{side: side, dirty: make(chan struct{}, 1), stop: make(chan struct{})}
	d.checkpoints = c
	c.done.Go(func() {
		for {
			select {
			case <-c.stop:
				return
			case <-c.dirty:
			}
			pause := time.NewTimer(checkpointPause)
			select {
			case <-c.stop:
				pause.Stop()
				return
			case <-pause.C:
			}
			// What fails (a full disk, a database that another process holds) is tried again after the next commit; until then
			// all is in the log.
			log, err := checkpoint(c.side, "PASSIVE")
			switch {
			case c.full.Load():
				// The log gives its place back, for which it waits until nobody reads from it.
				if _, err := checkpoint(d.write, "TRUNCATE"); err == nil {
					c.full.Store(false)
				}
			case err == nil && log > longLog:
				_, _ = checkpoint(d.write, "PASSIVE")
			}
		}
	})
}

// checkpoint copies what it can, and gives the length of the log in pages. It is PASSIVE, which waits for nobody, or TRUNCATE.
func checkpoint(pool *sql.DB, how string) (log int64, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var busy, copied int64
	err = pool.QueryRowContext(ctx, "PRAGMA wal_checkpoint("+how+")").Scan(&busy, &log, &copied)
	return log, err
}

// committed says that there is something to copy.
func (c *checkpoints) committed() {
	if c == nil {
		return
	}
	select {
	case c.dirty <- struct{}{}:
	default:
	}
}

// failed says that a write failed: where the disk was full, the log is made short as soon as that goes.
func (c *checkpoints) failed(err error) {
	if code, ok := sqliteCode(err); c != nil && ok && code&0xFF == sqlite3.SQLITE_FULL {
		c.full.Store(true)
		c.committed()
	}
}

func (c *checkpoints) close() error {
	if c == nil {
		return nil
	}
	c.once.Do(func() { close(c.stop) })
	c.done.Wait()
	return c.side.Close()
}
