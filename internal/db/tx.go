package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// Tx is a transaction. It is for one goroutine, and ends with the function it was given to.
//
// It begins with its first statement, so that on PostgreSQL BEGIN travels with what follows, and what was put off with
// [Tx.InsertLater] travels with COMMIT: a round trip costs more than most statements.
type Tx struct {
	conn    *sql.Conn
	dialect Dialect
	// distributed is nil on one machine
	distributed *distribution
	readOnly    bool
	tried       bool // BEGIN was sent: whether it was done is not known when its error is that the caller gave up
	begun       bool
	ended       bool
	later       []statement
	find        func(ctx context.Context, asks []Ask) error // see Aside
}

// statement is one statement of a pipeline; scan, when set, gets its rows.
type statement struct {
	query string
	args  []any
	scan  func(Scanner) error
	// each, on SQLite, is how many values one run of the statement takes.
	each int
}

// Dialect tells the engine.
func (t *Tx) Dialect() Dialect { return t.dialect }

// Exec runs a statement that gives no rows.
func (t *Tx) Exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if err := t.begin(ctx); err != nil {
		return nil, err
	}
	return t.conn.ExecContext(ctx, query, args...)
}

// Query runs a statement that gives rows. Close them before the next statement.
func (t *Tx) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := t.begin(ctx); err != nil {
		return nil, err
	}
	return t.conn.QueryContext(ctx, query, args...)
}

// QueryRow runs a statement that gives at most one row; Scan gives sql.ErrNoRows when there is none.
func (t *Tx) QueryRow(ctx context.Context, query string, args ...any) Row {
	if err := t.begin(ctx); err != nil {
		return Row{err: err}
	}
	return Row{row: t.conn.QueryRowContext(ctx, query, args...)}
}

// Row is what [Tx.QueryRow] gives.
type Row struct {
	row *sql.Row
	err error
}

// Scan reads the row, or tells why there is none.
func (r Row) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	return r.row.Scan(dest...)
}

// Begin begins the transaction now, and not with its first statement.
func (t *Tx) Begin(ctx context.Context) error { return t.begin(ctx) }

// begin begins the transaction if it has not begun, and sends what was put off, so that statements keep their order.
func (t *Tx) begin(ctx context.Context) error {
	if len(t.later) > 0 {
		list := t.later
		t.later = nil
		return t.send(ctx, list)
	}
	return t.beginAlone(ctx)
}

// beginAlone sends BEGIN and nothing with it, if it was not sent.
func (t *Tx) beginAlone(ctx context.Context) error {
	if t.begun {
		return nil
	}
	t.tried = true
	if _, err := t.conn.ExecContext(ctx, t.beginText()); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	t.begun = true
	return nil
}

func (t *Tx) beginText() string {
	switch {
	case t.dialect == SQLite && t.readOnly:
		return "BEGIN"
	case t.dialect == SQLite:
		return "BEGIN IMMEDIATE"
	case t.readOnly:
		return "BEGIN READ ONLY, ISOLATION LEVEL REPEATABLE READ"
	default:
		return "BEGIN ISOLATION LEVEL READ COMMITTED"
	}
}

func (t *Tx) commit(ctx context.Context) error {
	if t.readOnly || !t.begun && len(t.later) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	if t.dialect == Postgres {
		return t.commitPostgres(ctx)
	}
	if len(t.later) > 0 {
		if err := t.begin(ctx); err != nil {
			return err
		}
	}
	if _, err := t.conn.ExecContext(ctx, "COMMIT"); err != nil {
		return commitError(err)
	}
	t.ended = true
	return nil
}

// commitPostgres sends what was put off together with COMMIT. An error of one of those statements is sure: the server
// skips what follows it, and COMMIT with it.
func (t *Tx) commitPostgres(ctx context.Context) error {
	list := t.later
	t.later = nil
	return t.conn.Raw(func(dc any) error {
		b := &pgx.Batch{}
		t.queue(b, list)
		b.Queue("COMMIT")
		r := dc.(*stdlib.Conn).Conn().SendBatch(ctx, b)
		err := t.results(r, list)
		if err == nil {
			tag, e := r.Exec()
			switch {
			case e != nil:
				err = commitError(e)
			case tag.String() == "ROLLBACK":
				err = commitError(pgx.ErrTxCommitRollback)
			}
		} else if pgCode(err) == "" {
			err = commitError(err) // the connection broke, and COMMIT was on its way
		}
		if e := r.Close(); err == nil && e != nil {
			err = commitError(e)
		}
		t.ended = err == nil
		return err
	})
}

// queue puts the statements into the batch, with BEGIN before the first one of the transaction.
func (t *Tx) queue(b *pgx.Batch, list []statement) {
	if !t.begun {
		t.tried = true
		b.Queue(t.beginText())
	}
	for _, s := range list {
		b.Queue(s.query, s.args...)
	}
}

// results reads what the statements of a batch gave, in their order.
func (t *Tx) results(r pgx.BatchResults, list []statement) error {
	if !t.begun {
		if _, err := r.Exec(); err != nil {
			return fmt.Errorf("begin: %w", err)
		}
		t.begun = true
	}
	for _, s := range list {
		if s.scan == nil {
			if _, err := r.Exec(); err != nil {
				return err
			}
			continue
		}
		rows, err := r.Query()
		if err != nil {
			return err
		}
		for rows.Next() {
			if err := s.scan(rows); err != nil {
				rows.Close()
				return err
			}
		}
		rows.Close()
		if err := rows.Err(); err != nil {
			return err
		}
	}
	return nil
}

// send runs the statements, on PostgreSQL in one round trip.
func (t *Tx) send(ctx context.Context, list []statement) error {
	if len(list) == 0 {
		return nil
	}
	if len(t.later) > 0 {
		list, t.later = append(t.later, list...), nil
	}
	if t.dialect == SQLite {
		return t.sendSQLite(ctx, list)
	}
	return t.conn.Raw(func(dc any) error {
		b := &pgx.Batch{}
		t.queue(b, list)
		r := dc.(*stdlib.Conn).Conn().SendBatch(ctx, b)
		err := t.results(r, list)
		if e := r.Close(); err == nil {
			err = e
		}
		return err
	})
}

// rollbackTimeout is how long the end of a transaction that failed may take before its connection is given up.
const rollbackTimeout = 5 * time.Second

// rollback undoes what was done, if the transaction has not ended. A connection that cannot do it is not used again.
func (t *Tx) rollback(ctx context.Context) {
	if !t.tried || t.ended {
		return
	}
	t.ended = true
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	_, err := t.conn.ExecContext(ctx, "ROLLBACK")
	if code, ok := sqliteCode(err); err == nil || ok && code == 1 { // 1: SQLite undid it by itself
		return
	}
	if !errors.Is(err, driver.ErrBadConn) && !errors.Is(err, sql.ErrConnDone) {
		_ = t.conn.Raw(func(any) error { return driver.ErrBadConn })
	}
}
