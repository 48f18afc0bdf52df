package bench

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver that the product uses

	"lojal.dev/lojal/internal/ids"
)

// still never ends: a context that can costs a goroutine a statement.
var still = context.Background()

type rawSQLite struct {
	path string
	pool *sql.DB
	conn *sql.Conn
	make *rowMaker
	next func() row
	due  dueLots
	lots int64

	account, purchase, redemption, ledger, outbox, lot *sql.Stmt
	purchases, ledgers, outboxes, ended                *sql.Stmt
}

const (
	rawPurchase = `INSERT INTO purchases (bucket, program_id, member_id, seq, id, source, external_id, occurred_at, recorded_at, body) VALUES `
	rawLedger   = `INSERT INTO ledger (bucket, program_id, member_id, seq, n, unit, from_account, to_account, amount, rule, occurred_at) VALUES `
	rawOutbox   = `INSERT INTO outbox (bucket, program_id, id, type, member_id, fact_id, occurred_at, data) VALUES `
	rawAccount  = `UPDATE accounts SET balance = balance + ?1, seq = seq + ?2 WHERE bucket = ?3 AND program_id = ?4 AND member_id = ?5 AND balance + ?1 >= 0 RETURNING seq`

	rawRedemption = `INSERT INTO redemptions (bucket, program_id, id, member_id, source, external_id, status, reward, occurred_at, recorded_at) VALUES `
	rawLots       = `INSERT INTO lots (bucket, program_id, member_id, lot, unit, expires_at, remaining) VALUES `
	rawEnd        = `UPDATE lots SET remaining = 0 WHERE bucket = ? AND program_id = ? AND member_id = ? AND lot = ? AND remaining = ?`
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
	r := &rawSQLite{path: path, pool: pool, make: m, next: m.source(1<<32, 1, 0)}
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
		{&r.redemption, rawRedemption + marks(1, 10)},
		{&r.lot, rawEnd},
		{&r.ledger, rawLedger + marks(1, 11)},
		{&r.outbox, rawOutbox + marks(1, 8)},
		{&r.account, rawAccount},
		{&r.purchases, rawPurchase + marks(batchSize, 10)},
		{&r.ledgers, rawLedger + marks(batchSize, 11)},
		{&r.ended, rawLedger + marks(lotsEach*endsAtOnce, 11)},
		{&r.outboxes, rawOutbox + marks(batchSize, 8)},
	} {
		if *s.to, err = r.conn.PrepareContext(ctx, s.text); err != nil { //nolint:sqlclosecheck // they live as long as their connection
			return nil, err
		}
	}
	return r, nil
}

func (r *rawSQLite) close() error {
	var err error
	for _, stmt := range []*sql.Stmt{r.account, r.purchase, r.redemption, r.ledger, r.outbox, r.lot, r.purchases, r.ledgers, r.outboxes, r.ended} {
		if stmt != nil {
			err = errors.Join(err, stmt.Close())
		}
	}
	if r.conn != nil {
		err = errors.Join(err, r.conn.Close())
	}
	return errors.Join(err, r.pool.Close())
}

func (r *rawSQLite) batchers() int { return 1 }

// single has one writer, whatever n is: more would only wait for each other.
func (r *rawSQLite) single(ctx context.Context, what rawKind, _ int, during time.Duration) (outcome, error) {
	return alone(ctx, during, 1, func() error {
		p := r.next()
		return r.commit(func() error {
			if what == redemptions {
				return r.redeem(&p)
			}
			return r.buy(&p)
		})
	})
}

// commit does something in a transaction. The statements are prepared on the connection that it is on, and so are used as
// they are.
func (r *rawSQLite) commit(do func() error) error {
	tx, err := r.conn.BeginTx(still, nil)
	if err != nil {
		return err
	}
	if err := do(); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

func (r *rawSQLite) change(bucket int32, member string, amount, facts int64) (seq int64, err error) {
	err = r.account.QueryRowContext(still, amount, facts, bucket, programID, member).Scan(&seq)
	return seq, err
}

func (r *rawSQLite) buy(p *row) error {
	seq, err := r.change(p.bucket, p.member, p.amount, 1)
	if err != nil {
		return err
	}
	if _, err := r.purchase.ExecContext(still, purchaseRow(nil, p, seq)...); err != nil {
		return err
	}
	if _, err := r.ledger.ExecContext(still, ledgerRow(nil, p, seq)...); err != nil {
		return err
	}
	_, err = r.outbox.ExecContext(still, outboxRow(nil, p)...)
	return err
}

func (r *rawSQLite) redeem(p *row) error {
	seq, err := r.change(p.bucket, p.member, -rawPrice, 1)
	if err != nil {
		return err
	}
	_, err = r.redemption.ExecContext(still, p.bucket, programID, p.id, p.member, p.source, p.externalID, "committed", "coffee", p.at, p.at)
	if err != nil {
		return err
	}
	_, err = r.ledger.ExecContext(still, p.bucket, programID, p.member, seq, 1, "star", "member", "program:redeemed", rawPrice, "coffee", p.at)
	if err != nil {
		return err
	}
	_, err = r.outbox.ExecContext(still, p.bucket, programID, p.event, "redemption.committed", p.member, p.id, p.at, `{"reward":"coffee"}`)
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
		return r.commit(func() error {
			last := map[string]int64{}
			for member, s := range sums {
				seq, err := r.change(s.bucket, member, s.amount, s.n)
				if err != nil {
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
		})
	})
}

func (r *rawSQLite) fill(ctx context.Context, lots int) error {
	r.due = dueLots{first: r.lots + 1, members: r.make.members[:min(lots/lotsEach, len(r.make.members))]}
	r.lots += lotsEach
	tx, err := r.conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	for _, member := range r.due.members {
		for k := range int64(lotsEach) {
			_, err := tx.ExecContext(ctx, rawLots+marks(1, 7), ids.Bucket(programID, member), programID, member, r.due.first+k, "star", time.Now().UnixMicro(), rawLot)
			if err != nil {
				return errors.Join(err, tx.Rollback())
			}
		}
	}
	return tx.Commit()
}

func (r *rawSQLite) expire(ctx context.Context) (outcome, error) {
	start := time.Now()
	o := outcome{}
	for members := range slices.Chunk(r.due.members, endsAtOnce) {
		before := time.Now()
		if err := r.commit(func() error { return r.end(members) }); err != nil {
			return o, fmt.Errorf("the raw limit: %w", err)
		}
		o.took = append(o.took, time.Since(before))
		o.done += len(members) * lotsEach
	}
	o.wall = time.Since(start)
	slices.Sort(o.took)
	return o, ctx.Err()
}

// end ends the due lots of some members.
func (r *rawSQLite) end(members []string) error {
	var ledger []any
	for _, member := range members {
		bucket, now := ids.Bucket(programID, member), time.Now()
		seq, err := r.change(bucket, member, -lotsEach*rawLot, 1)
		if err != nil {
			return err
		}
		for k := range int64(lotsEach) {
			res, err := r.lot.ExecContext(still, bucket, programID, member, r.due.first+k, rawLot)
			if err != nil {
				return err
			}
			if n, err := res.RowsAffected(); err != nil || n != 1 {
				return errors.Join(errors.New("a lot was gone"), err)
			}
			ledger = append(ledger, bucket, programID, member, seq, k+1, "star", "member", "program:expired", rawLot, "", now.UnixMicro())
		}
		_, err = r.outbox.ExecContext(still, bucket, programID, ids.NewIn("evt", now, bucket), "points.expired", member, ids.NewIn("fct", now, bucket), now.UnixMicro(), `{"stars":"75"}`)
		if err != nil {
			return err
		}
	}
	stmt, rows := r.ledger, 1
	if len(members) == endsAtOnce {
		stmt, rows = r.ended, lotsEach*endsAtOnce
	}
	for args := range slices.Chunk(ledger, 11*rows) {
		if _, err := stmt.ExecContext(still, args...); err != nil {
			return err
		}
	}
	return nil
}

func (r *rawSQLite) size(ctx context.Context) (int64, error) {
	var busy, log, done int64
	if err := r.conn.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &log, &done); err != nil {
		return 0, err
	}
	info, err := os.Stat(r.path)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
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
