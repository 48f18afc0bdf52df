package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"lojal.dev/lojal/internal/ids"
)

const (
	// One statement writes all four rows, guarded by the balance: the fastest of one transaction of four statements, one
	// function and one statement.
	pgSingle = `
WITH a AS (UPDATE accounts SET balance = balance + $7, seq = seq + 1 WHERE bucket = $1 AND program_id = $2 AND member_id = $3 AND balance + $7 >= 0 RETURNING seq, balance),
p AS (INSERT INTO purchases (bucket, program_id, member_id, seq, id, source, external_id, occurred_at, recorded_at, body) SELECT $1, $2, $3, seq, $4, $5, $6, $8, $8, $9 FROM a),
l AS (INSERT INTO ledger (bucket, program_id, member_id, seq, n, unit, from_account, to_account, amount, rule, occurred_at)
	SELECT $1, $2, $3, seq, 1, 'star', 'program:issued', 'member', $7, 'base', $8 FROM a),
o AS (INSERT INTO outbox (bucket, program_id, id, type, member_id, fact_id, occurred_at, data) SELECT $1, $2, $10, 'points.earned', $3, $4, $8, $11 FROM a)
SELECT balance FROM a`

	// The same for a batch, in one statement too. k counts the purchases of one member in the batch, from 1.
	pgBatched = `
WITH d AS (SELECT * FROM unnest($2::int[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::bigint[], $9::text[], $10::text[], $11::text[], $12::int[])
	AS d (bucket, member_id, id, source, external_id, amount, at, body, event, data, k)),
a AS (UPDATE accounts a SET balance = a.balance + s.amount, seq = a.seq + s.n
	FROM (SELECT bucket, member_id, SUM(amount)::bigint AS amount, COUNT(*) AS n FROM d GROUP BY bucket, member_id) s
	WHERE a.bucket = s.bucket AND a.program_id = $1 AND a.member_id = s.member_id AND a.balance + s.amount >= 0
	RETURNING a.member_id, a.seq - s.n AS seq),
p AS (INSERT INTO purchases (bucket, program_id, member_id, seq, id, source, external_id, occurred_at, recorded_at, body)
	SELECT d.bucket, $1, d.member_id, a.seq + d.k, d.id, d.source, d.external_id, d.at AS occurred, d.at, d.body FROM d JOIN a USING (member_id)),
l AS (INSERT INTO ledger (bucket, program_id, member_id, seq, n, unit, from_account, to_account, amount, rule, occurred_at)
	SELECT d.bucket, $1, d.member_id, a.seq + d.k, 1, 'star', 'program:issued', 'member', d.amount, 'base', d.at FROM d JOIN a USING (member_id))
INSERT INTO outbox (bucket, program_id, id, type, member_id, fact_id, occurred_at, data)
SELECT d.bucket, $1, d.event, 'points.earned', d.member_id, d.id, d.at, d.data FROM d JOIN a USING (member_id)`

	pgRedeem = `
WITH a AS (UPDATE accounts SET balance = balance - $7, seq = seq + 1 WHERE bucket = $1 AND program_id = $2 AND member_id = $3 AND balance >= $7 RETURNING seq, balance),
r AS (INSERT INTO redemptions (bucket, program_id, id, member_id, source, external_id, status, reward, occurred_at, recorded_at)
	SELECT $1, $2, $4, $3, $5, $6, 'committed', 'coffee', $8::bigint AS occurred, $8 FROM a),
l AS (INSERT INTO ledger (bucket, program_id, member_id, seq, n, unit, from_account, to_account, amount, rule, occurred_at)
	SELECT $1, $2, $3, seq, 1, 'star', 'member', 'program:redeemed', $7, 'coffee', $8 FROM a),
o AS (INSERT INTO outbox (bucket, program_id, id, type, member_id, fact_id, occurred_at, data)
	SELECT $1, $2, $9, 'redemption.committed', $3, $4, $8, '{"reward":"coffee"}' FROM a)
SELECT balance FROM a`

	// Each member of a batch has lots $6 to $6 + $7 - 1, of $8 each.
	pgExpire = `
WITH d AS (SELECT * FROM unnest($2::int[], $3::text[], $4::text[], $5::text[]) AS d (bucket, member_id, id, event)),
e AS (UPDATE lots l SET remaining = 0 FROM d
	WHERE l.bucket = d.bucket AND l.program_id = $1 AND l.member_id = d.member_id AND l.lot >= $6 AND l.lot < $6 + $7 AND l.remaining = $8 RETURNING l.bucket, l.member_id, l.lot),
a AS (UPDATE accounts a SET balance = a.balance - s.n * $8, seq = a.seq + 1 FROM (SELECT bucket, member_id, COUNT(*) AS n FROM e GROUP BY bucket, member_id) s
	WHERE a.bucket = s.bucket AND a.program_id = $1 AND a.member_id = s.member_id AND a.balance >= s.n * $8 RETURNING a.bucket, a.member_id, a.seq),
o AS (INSERT INTO outbox (bucket, program_id, id, type, member_id, fact_id, occurred_at, data)
	SELECT d.bucket, $1, d.event, 'points.expired', d.member_id, d.id, $9, '{"stars":"75"}' FROM d JOIN a USING (member_id))
INSERT INTO ledger (bucket, program_id, member_id, seq, n, unit, from_account, to_account, amount, rule, occurred_at)
SELECT e.bucket, $1, e.member_id, a.seq, e.lot - $6 + 1, 'star', 'member', 'program:expired', $8, '', $9 FROM e JOIN a USING (member_id)`
)

type rawPostgres struct {
	url   string
	make  *rowMaker
	conns []*pgx.Conn
	next  []func() row
	// batch makes rows for each of the connections that write batches.
	batch []func() row
	due   dueLots
	lots  int64
}

// rawBatchers is how many connections wrote batches fastest.
const rawBatchers = 4

func newRawPostgres(ctx context.Context, url string, m *rowMaker) (_ *rawPostgres, err error) {
	r := &rawPostgres{url: url, make: m}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	if err := r.connect(ctx, 1); err != nil {
		return nil, err
	}
	for _, table := range rawTables {
		if _, err := r.conns[0].Exec(ctx, table); err != nil {
			return nil, err
		}
	}
	_, err = r.conns[0].CopyFrom(ctx, pgx.Identifier{"accounts"}, []string{"bucket", "program_id", "member_id", "seq", "balance"},
		pgx.CopyFromSlice(len(m.members), func(i int) ([]any, error) {
			return []any{ids.Bucket(programID, m.members[i]), programID, m.members[i], int64(0), int64(rawBalance)}, nil
		}))
	if err != nil {
		return nil, err
	}
	if _, err := r.conns[0].Exec(ctx, `VACUUM (ANALYZE)`); err != nil {
		return nil, err
	}
	for k := range rawBatchers {
		r.batch = append(r.batch, m.source(2<<32+uint64(k), rawBatchers, k))
	}
	return r, nil
}

// connect makes sure of n connections.
func (r *rawPostgres) connect(ctx context.Context, n int) error {
	for len(r.conns) < n {
		conn, err := pgx.Connect(ctx, r.url)
		if err != nil {
			return err
		}
		r.next = append(r.next, r.make.source(1<<32+uint64(len(r.conns)), 1, 0))
		r.conns = append(r.conns, conn)
		if _, err := conn.Exec(ctx, `SET synchronous_commit = on`); err != nil {
			return err
		}
	}
	return nil
}

func (r *rawPostgres) close() error {
	var err error
	for _, c := range r.conns {
		err = errors.Join(err, c.Close(context.Background()))
	}
	return err
}

func (r *rawPostgres) batchers() int { return rawBatchers }

func (r *rawPostgres) single(ctx context.Context, what rawKind, n int, during time.Duration) (outcome, error) {
	if err := r.connect(ctx, n); err != nil {
		return outcome{}, err
	}
	return together(n, func(k int) (outcome, error) {
		return alone(ctx, during, 1, func() error {
			p := r.next[k]()
			var balance int64
			if what == redemptions {
				return r.conns[k].QueryRow(ctx, pgRedeem, p.bucket, programID, p.member, p.id, p.source, p.externalID, int64(rawPrice), p.at, p.event).Scan(&balance)
			}
			return r.conns[k].QueryRow(ctx, pgSingle, p.bucket, programID, p.member, p.id, p.source, p.externalID, p.amount, p.at, p.body, p.event, p.data).Scan(&balance)
		})
	})
}

func (r *rawPostgres) fill(ctx context.Context, lots int) error {
	r.due = dueLots{first: r.lots + 1, members: r.make.members[:min(lots/lotsEach, len(r.make.members))]}
	r.lots += lotsEach
	now := time.Now().UnixMicro()
	_, err := r.conns[0].CopyFrom(ctx, pgx.Identifier{"lots"}, []string{"bucket", "program_id", "member_id", "lot", "unit", "expires_at", "remaining"},
		pgx.CopyFromSlice(len(r.due.members)*lotsEach, func(i int) ([]any, error) {
			member := r.due.members[i/lotsEach]
			return []any{ids.Bucket(programID, member), programID, member, r.due.first + int64(i%lotsEach), "star", now, int64(rawLot)}, nil
		}))
	if err != nil {
		return err
	}
	_, err = r.conns[0].Exec(ctx, `VACUUM (ANALYZE) lots`)
	return err
}

// expire has each of the connections end the lots of its share of the members.
func (r *rawPostgres) expire(ctx context.Context) (outcome, error) {
	if err := r.connect(ctx, rawBatchers); err != nil {
		return outcome{}, err
	}
	return together(rawBatchers, func(k int) (o outcome, err error) {
		n := len(r.due.members)
		for members := range slices.Chunk(r.due.members[n*k/rawBatchers:n*(k+1)/rawBatchers], endsAtOnce) {
			before := time.Now()
			buckets, facts, events := make([]int32, len(members)), make([]string, len(members)), make([]string, len(members))
			for i, member := range members {
				buckets[i] = ids.Bucket(programID, member)
				facts[i], events[i] = ids.NewIn("fct", before, buckets[i]), ids.NewIn("evt", before, buckets[i])
			}
			tag, err := r.conns[k].Exec(ctx, pgExpire, programID, buckets, members, facts, events, r.due.first, int64(lotsEach), int64(rawLot), before.UnixMicro())
			if err != nil {
				return o, fmt.Errorf("the raw limit: %w", err)
			}
			if tag.RowsAffected() != int64(len(members)*lotsEach) {
				return o, fmt.Errorf("the raw limit ended %d lots of %d", tag.RowsAffected(), len(members)*lotsEach)
			}
			o.took = append(o.took, time.Since(before))
			o.done += len(members) * lotsEach
		}
		return o, ctx.Err()
	})
}

func (r *rawPostgres) size(ctx context.Context) (n int64, err error) {
	if _, err := r.conns[0].Exec(ctx, `CHECKPOINT`); err != nil {
		return 0, err
	}
	err = r.conns[0].QueryRow(ctx, `SELECT pg_database_size(current_database())`).Scan(&n)
	return n, err
}

func (r *rawPostgres) batched(ctx context.Context, during time.Duration) (outcome, error) {
	if err := r.connect(ctx, rawBatchers); err != nil {
		return outcome{}, err
	}
	return together(rawBatchers, func(k int) (outcome, error) {
		var b columns
		return alone(ctx, during, batchSize, func() error {
			b.reset()
			for range batchSize {
				b.add(r.batch[k]())
			}
			tag, err := r.conns[k].Exec(ctx, pgBatched, programID, b.bucket, b.member, b.id, b.source, b.externalID, b.amount, b.at, b.body, b.event, b.data, b.k)
			if err == nil && tag.RowsAffected() != batchSize {
				err = fmt.Errorf("%d rows were written of %d", tag.RowsAffected(), batchSize)
			}
			return err
		})
	})
}

// columns holds the rows of a batch as PostgreSQL takes them fastest.
type columns struct {
	bucket, k                                         []int32
	amount, at                                        []int64
	member, id, source, externalID, body, event, data []string
	seen                                              map[string]int32
}

func (b *columns) reset() {
	*b = columns{b.bucket[:0], b.k[:0], b.amount[:0], b.at[:0], b.member[:0], b.id[:0], b.source[:0], b.externalID[:0], b.body[:0], b.event[:0], b.data[:0], map[string]int32{}}
}

func (b *columns) add(p row) {
	b.seen[p.member]++
	b.bucket, b.k, b.amount, b.at = append(b.bucket, p.bucket), append(b.k, b.seen[p.member]), append(b.amount, p.amount), append(b.at, p.at)
	b.member, b.id, b.source, b.externalID = append(b.member, p.member), append(b.id, p.id), append(b.source, p.source), append(b.externalID, p.externalID)
	b.body, b.event, b.data = append(b.body, p.body), append(b.event, p.event), append(b.data, p.data)
}

// together runs n at once and adds up what they did.
func together(n int, do func(k int) (outcome, error)) (outcome, error) {
	var (
		wg   sync.WaitGroup
		outs = make([]outcome, n)
		errc = make([]error, n)
	)
	start := time.Now()
	for k := range n {
		wg.Go(func() { outs[k], errc[k] = do(k) })
	}
	wg.Wait()
	sum := outcome{wall: time.Since(start)}
	for _, o := range outs {
		sum.done += o.done
		sum.took = append(sum.took, o.took...)
	}
	slices.Sort(sum.took)
	return sum, errors.Join(errc...)
}
