package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// A database that is distributed says so itself, so that no node can forget it: in the table distribution, which is read as
// the database is opened. From then on a transaction should touch one bucket, and what numbers transactions of the whole
// server ([Tx.Stamp]) is of no use, since there are several servers.

const readDistribution = `SELECT stamp FROM distribution`

// Distributed says whether the database is spread over machines by bucket.
func (d *DB) Distributed() bool { return d.distributed.Load() != nil }

// Distributed says whether the database is spread over machines by bucket.
func (t *Tx) Distributed() bool { return t.distributed != nil }

// Before gives, of a distributed database, what is above every stamp of the time before it was one.
func (t *Tx) Before() int64 {
	if t.distributed == nil {
		return 0
	}
	return t.distributed.stamp
}

// distribution is the row of the table.
type distribution struct{ stamp int64 }

// findDistribution looks whether the database is distributed.
func (d *DB) findDistribution(ctx context.Context) error {
	if d.dialect == SQLite {
		return nil
	}
	return d.Read(ctx, func(tx *Tx) error {
		var found distribution
		err := tx.QueryRow(ctx, readDistribution).Scan(&found.stamp)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			d.distributed.Store(nil)
			return nil
		case err != nil:
			return fmt.Errorf("look whether the database is distributed: %w", err)
		}
		d.distributed.Store(&found)
		return nil
	})
}

const (
	// A node that does not know of it yet finds no stamp any more and cannot write events under old numbers.
	noteDistribution = `
INSERT INTO distribution (id, distributed_at, stamp) SELECT 1, CAST($1 AS bigint), pg_current_xact_id()::text::bigint + n FROM stamp
ON CONFLICT DO NOTHING`
	endStamps = `DELETE FROM stamp`
	// The feed is read bucket by bucket; on one machine nobody does, and the index would only cost.
	feedIndex = `CREATE INDEX IF NOT EXISTS facts_bucket_feed ON facts (bucket, program_id, stamp, n)`
)

// NoteDistributed makes the database one whose transactions keep to one bucket. [DB.Distribute] does it after it has spread
// the tables; by itself it is for trying on one machine what is meant for many. There is no way back but a restore. Nobody
// else may use the database meanwhile.
func (d *DB) NoteDistributed(ctx context.Context, now time.Time) error {
	if d.dialect == SQLite {
		return errNotDistributable("A SQLite file is for one machine.")
	}
	err := d.Write(ctx, func(tx *Tx) error {
		if _, err := tx.Exec(ctx, noteDistribution, now.UnixMicro()); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, endStamps)
		return err
	})
	if err == nil { // outside of the transaction, since a distributed engine wants its commands alone
		_, err = d.write.ExecContext(ctx, feedIndex)
	}
	if err != nil {
		return fmt.Errorf("note that the database is distributed: %w", err)
	}
	return d.findDistribution(ctx)
}

// splits says whether the set goes to the engine bucket by bucket.
func (t *Tx) splits(s *set) bool { return t.distributed != nil && s.cols[0].name == "bucket" }

// byBucket appends a statement for each bucket of the set. Its planner finds the machine of a statement by bucket = $1, or by the
// rows of VALUES; where bucket is a column of a list, or rows come from a SELECT, it would ask all machines.
func (s *set) byBucket(list []statement, args []any, scan func(Scanner) error) []statement {
	cols := len(s.cols)
	if s.bucketText == "" {
		if s.into == "" {
			panic("db: rows of a log are given their stamps where the database is distributed: " + s.sqliteText)
		}
		runs(args, cols, func(run []any) {
			for most := maxParameters[Postgres] / cols * cols; len(run) > 0; run = run[min(len(run), most):] {
				part := run[:min(len(run), most)]
				list = append(list, statement{query: s.into + "VALUES " + Rows(len(part)/cols, cols, 1) + s.suffix, args: part, scan: scan})
			}
		})
		return list
	}
	var order []any
	byBucket := map[any][]any{}
	for at := 0; at < len(args); at += cols {
		b := args[at]
		if byBucket[b] == nil {
			order = append(order, b)
		}
		byBucket[b] = append(byBucket[b], args[at+1:at+cols]...)
	}
	for _, b := range order {
		list = append(list, statement{query: s.bucketText, args: append([]any{b}, transpose(s.cols[1:], byBucket[b])...), scan: scan})
	}
	return list
}

// runs calls do for each run of rows with the same first value, so that rows keep their order.
func runs(args []any, cols int, do func(run []any)) {
	for from := 0; from < len(args); {
		to := from + cols
		for to < len(args) && args[to] == args[from] {
			to += cols
		}
		do(args[from:to:to])
		from = to
	}
}

// lostBehind says that the machine that we speak to lost one of the others before COMMIT: nothing was written.
type lostBehind struct{ cause error }

// Error is part of error.
func (e *lostBehind) Error() string {
	return "a machine behind the database was lost: " + e.cause.Error()
}

// Unwrap gives what the database said.
func (e *lostBehind) Unwrap() error { return e.cause }

// behind tells an error that a distributed engine has when a machine is lost in the middle of a transaction. Its code is that of a
// fault of the server itself, which on one machine would not go away by trying again. The same at COMMIT leaves it open what happened.
func (d *DB) behind(err error) error {
	if pgCode(err) == "XX000" && d.Distributed() && !errors.Is(err, ErrUnknownCommit) {
		return &lostBehind{err}
	}
	return err
}
