package bench

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver that the product uses

	"lojal.dev/lojal/internal/ids"
)

// still never ends: a context that can costs a goroutine a statement.
var still = context.Background()

type rawSQLite struct {
	pool *sql.DB
	conn *sql.Conn
	make *rowMaker
	next func() row

	purchase, ledger, account, outbox *sql.Stmt
	purchases, ledgers, outboxes      *sql.Stmt
}

const (
	rawPurchase = `INSERT INTO purchases (bucket, program_id, member_id, seq, id, source, external_id, occurred_at, recorded_at, body) VALUES `
	rawLedger   = `INSERT INTO ledger (bucket, program_id, member_id, seq, n, unit, from_account, to_account, amount, rule, occurred_at) VALUES `
	rawOutbox   = `INSERT INTO outbox (bucket, program_id, id, type, member_id, fact_id, occurred_at, data) VALUES `
	rawAccount  = `UPDATE accounts SET balance = balance + ?1, seq = seq + ?2 WHERE bucket = ?3 AND program_id = ?4 AND member_id = ?5 AND balance + ?1 >= 0 RETURNING seq`
)

func marks(rows, cols int) string {
	one := "(" + strings.TrimSuffix(strings.Repeat("?,", cols), ",") + ")"
	return strings.TrimSuffix(strings.Repeat(one+",", rows), ",")
}

func newRawSQLite(ctx context.Context, path string, m *rowMaker) (_ *rawSQLite, err error) {
	dsn := (&url.URL{Scheme: "file", Path: path}).String() +
		"?_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=cache_size(-16000)&_pragma=temp_store(MEMORY)&_pragma=busy_timeout(3000)"
	pool, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("open the raw database: %w", err)
	}
	r := &rawSQLite{pool: pool, make: m, next: m.source(1<<32, 1, 0)}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	if r.conn, err = pool.Conn(ctx); err != nil {
		return nil, err
	}
	for _, table := range rawTables {
		if _, err = r.conn.ExecContext(ctx, table); err != nil {
			return nil, err
		}
	}
	err = r.enrol(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range []struct {
		to   **sql.Stmt
		text string
	}{
		{&r.purchase, rawPurchase + marks(1, 10)},
		{&r.ledger, rawLedger + marks(1, 11)},
		{&r.outbox, rawOutbox + marks(1, 8)},
		{&r.account, rawAccount},
		{&r.purchases, rawPurchase + marks(batchSize, 10)},
		{&r.ledgers, rawLedger + marks(batchSize, 11)},
		{&r.outboxes, rawOutbox + marks(batchSize, 8)},
	} {
		if *s.to, err = r.conn.PrepareContext(ctx, s.text); err != nil { //nolint:sqlclosecheck // they live as long as their connection
			return nil, err
		}
	}
	return r, nil
}

func (r *rawSQLite) close() error {
	if r.conn != nil {
		return errors.Join(r.conn.Close(), r.pool.Close())
	}
	return r.pool.Close()
}

func (r *rawSQLite) batchers() int { return 1 }

// single has one writer, whatever n is: more would only wait for each other.
func (r *rawSQLite) single(ctx context.Context, _ int, during time.Duration) (outcome, error) {
	return alone(ctx, during, 1, func() error {
		p := r.next()
		tx, err := r.conn.BeginTx(still, nil)
		if err != nil {
			return err
		}
		if err := r.write(&p); err != nil {
			return errors.Join(err, tx.Rollback())
		}
		return tx.Commit()
	})
}

// The statements are prepared on the connection that the transaction is on, and so are used as they are.
func (r *rawSQLite) write(p *row) error {
	var seq int64
	if err := r.account.QueryRowContext(still, p.amount, 1, p.bucket, programID, p.member).Scan(&seq); err != nil {
		return err
	}
	if _, err := r.purchase.ExecContext(still, purchaseRow(nil, p, seq)...); err != nil {
		return err
	}
	if _, err := r.ledger.ExecContext(still, ledgerRow(nil, p, seq)...); err != nil {
		return err
	}
	_, err := r.outbox.ExecContext(still, outboxRow(nil, p)...)
	return err
}

func purchaseRow(to []any, p *row, seq int64) []any {
	return append(to, p.bucket, programID, p.member, seq, p.id, p.source, p.externalID, p.at, p.at, p.body)
}

func ledgerRow(to []any, p *row, seq int64) []any {
	return append(to, p.bucket, programID, p.member, seq, 1, "star", "program:issued", "member", p.amount, "base", p.at)
}

func outboxRow(to []any, p *row) []any {
	return append(to, p.bucket, programID, p.event, "points.earned", p.member, p.id, p.at, p.data)
}

func (r *rawSQLite) batched(ctx context.Context, during time.Duration) (outcome, error) {
	var purchases, ledger, outbox []any
	rows := make([]row, batchSize)
	return alone(ctx, during, batchSize, func() error {
		type sum struct {
			bucket    int32
			amount, n int64
		}
		sums := map[string]*sum{}
		for i := range rows {
			rows[i] = r.next()
			s := sums[rows[i].member]
			if s == nil {
				s = &sum{bucket: rows[i].bucket}
				sums[rows[i].member] = s
			}
			s.amount, s.n = s.amount+rows[i].amount, s.n+1
		}
		tx, err := r.conn.BeginTx(still, nil)
		if err != nil {
			return err
		}
		err = func() error {
			last := map[string]int64{}
			for member, s := range sums {
				var seq int64
				if err := r.account.QueryRowContext(still, s.amount, s.n, s.bucket, programID, member).Scan(&seq); err != nil {
					return err
				}
				last[member] = seq - s.n
			}
			purchases, ledger, outbox = purchases[:0], ledger[:0], outbox[:0]
			for i := range rows {
				last[rows[i].member]++
				seq := last[rows[i].member]
				purchases = purchaseRow(purchases, &rows[i], seq)
				ledger = ledgerRow(ledger, &rows[i], seq)
				outbox = outboxRow(outbox, &rows[i])
			}
			for _, s := range []struct {
				stmt *sql.Stmt
				args []any
			}{{r.purchases, purchases}, {r.ledgers, ledger}, {r.outboxes, outbox}} {
				if _, err := s.stmt.ExecContext(still, s.args...); err != nil {
					return err
				}
			}
			return nil
		}()
		if err != nil {
			return errors.Join(err, tx.Rollback())
		}
		return tx.Commit()
	})
}

// enrol makes the accounts.
func (r *rawSQLite) enrol(ctx context.Context) error {
	tx, err := r.conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	for _, member := range r.make.members {
		if _, err := tx.ExecContext(ctx, `INSERT INTO accounts (bucket, program_id, member_id, seq, balance) VALUES (?, ?, ?, 0, ?)`, ids.Bucket(programID, member), programID, member, rawBalance); err != nil {
			return errors.Join(err, tx.Rollback())
		}
	}
	return tx.Commit()
}

// alone does one commit after another for a time; each is worth so many rows.
func alone(ctx context.Context, during time.Duration, worth int, commit func() error) (outcome, error) {
	var o outcome
	start := time.Now()
	for before := start; before.Sub(start) < during && ctx.Err() == nil; {
		if err := commit(); err != nil {
			return o, fmt.Errorf("the raw limit: %w", err)
		}
		after := time.Now()
		o.took = append(o.took, after.Sub(before))
		o.done += worth
		before = after
	}
	o.wall = time.Since(start)
	slices.Sort(o.took)
	return o, ctx.Err()
}
