package db

import (
	"context"
	"errors"
	"fmt"
	"math"
)

// A reader of a log that remembers how far it came must never find later a row that sorts before that point. Ids
// and sequence numbers do not promise it: they are handed out before commit, and transactions commit in
// another order. So a row of the log carries the stamp of its transaction, and a reader takes only rows
// with a stamp below the horizon, sorted by stamp first.
//
// On SQLite the stamp is a counter, and the single writer makes its order that of commits. On PostgreSQL it is the
// transaction's own number, and the horizon the oldest number still running: nothing below it can appear any
// more. Nothing is locked, and no row is hot. The price: a reader sees no further than the oldest transaction
// that is still open in the whole cluster.
//
// Where a database is distributed each server has numbers of its own, and neither is to be had: see books.LineUp.
//
// PostgreSQL counts anew in a new cluster, so after the content of a database was brought from another,
// [RaiseStamp] must put the stamps to come above those that are there: stamp.n is added to the number.

const (
	stampSQLite      = `UPDATE stamp SET n = n + 1 RETURNING n`
	raiseStampSQLite = `UPDATE stamp SET n = n + 1`

	stampPostgres = `SELECT pg_current_xact_id()::text::bigint + n FROM stamp`

	horizonPostgres = `SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint + n FROM stamp`

	raiseSQLite   = `UPDATE stamp SET n = CASE WHEN n < $1 THEN CAST($1 AS bigint) ELSE n END`
	raisePostgres = `UPDATE stamp SET n = GREATEST(n, CAST($1 AS bigint) - pg_current_xact_id()::text::bigint)`
)

// Stamp gives the stamp of this transaction for the rows that it adds to a log, greater than 0. It must be a
// transaction of [DB.Write]. On PostgreSQL it is the same however often it is asked; on SQLite ask once
// and use it for all rows.
func (t *Tx) Stamp(ctx context.Context) (int64, error) {
	if t.distributed != nil {
		return 0, errManyServers
	}
	query := stampSQLite
	if t.dialect == Postgres {
		query = stampPostgres
	}
	var n int64
	if err := t.QueryRow(ctx, query).Scan(&n); err != nil {
		return 0, fmt.Errorf("stamp the transaction: %w", err)
	}
	return n, nil
}

// Horizon gives the stamp below which all rows are there to see and none will come. Ask before reading the
// rows, in the same transaction; any kind will do.
func Horizon(ctx context.Context, tx *Tx) (int64, error) {
	if tx.distributed != nil {
		return 0, errManyServers
	}
	if tx.dialect == SQLite {
		return math.MaxInt64, nil
	}
	var n int64
	if err := tx.QueryRow(ctx, horizonPostgres).Scan(&n); err != nil {
		return 0, fmt.Errorf("find the horizon: %w", err)
	}
	return n, nil
}

// RaiseStamp makes every stamp of later transactions greater than last. It is for a restore, when nobody
// else uses the database.
func RaiseStamp(ctx context.Context, tx *Tx, last int64) error {
	query := raiseSQLite
	if tx.dialect == Postgres {
		query = raisePostgres
	}
	if _, err := tx.Exec(ctx, query, last); err != nil {
		return fmt.Errorf("raise the stamp: %w", err)
	}
	return nil
}

var errManyServers = errors.New("a distributed database has no number for a transaction: its events are numbered by bucket")
