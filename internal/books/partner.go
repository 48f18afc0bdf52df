package books

import (
	"context"
	"fmt"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/ledger"
)

// PartnerPosting is a posting with a partner's account.
type PartnerPosting struct {
	Member, Fact string
	Seq          int64
	Unit, Rule   string
	Amount       int64
	// Given says that the posting came from the partner's account; Undoes that it takes an earlier one back.
	Given, Undoes          bool
	OccurredAt, RecordedAt time.Time
}

// A condition of the partial index stands beside each account, so that both engines take it.
const partnerPostings = `
SELECT p.member_id, p.seq, p.n, f.id, p.unit, p.rule, p.amount, 1, CASE WHEN p.of_fact <> '' THEN 1 ELSE 0 END, p.occurred_at, p.recorded_at
FROM postings p JOIN facts f ON f.bucket = p.bucket AND f.program_id = p.program_id AND f.member_id = p.member_id AND f.seq = p.seq
WHERE p.program_id = $1 AND p.from_account = $2 AND p.from_account >= 'partner:' AND p.from_account < 'partner;' AND p.recorded_at >= $3 AND p.recorded_at < $4
UNION ALL
SELECT p.member_id, p.seq, p.n, f.id, p.unit, p.rule, p.amount, 0, CASE WHEN p.of_fact <> '' THEN 1 ELSE 0 END, p.occurred_at, p.recorded_at
FROM postings p JOIN facts f ON f.bucket = p.bucket AND f.program_id = p.program_id AND f.member_id = p.member_id AND f.seq = p.seq
WHERE p.program_id = $1 AND p.to_account = $2 AND p.to_account >= 'partner:' AND p.to_account < 'partner;' AND p.recorded_at >= $3 AND p.recorded_at < $4
ORDER BY 11, 1, 2, 3`

// PartnerPostings calls visit for the postings with a partner's account that were recorded from one time to before another, in the
// order in which they were recorded.
func PartnerPostings(ctx context.Context, tx *db.Tx, program, partner string, from, until time.Time, visit func(*PartnerPosting) error) error {
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		var p PartnerPosting
		var n, given, undoes, occurred, recorded int64
		if err := row.Scan(&p.Member, &p.Seq, &n, &p.Fact, &p.Unit, &p.Rule, &p.Amount, &given, &undoes, &occurred, &recorded); err != nil {
			return err
		}
		p.Given, p.Undoes, p.OccurredAt, p.RecordedAt = given == 1, undoes == 1, toTime(occurred), toTime(recorded)
		return visit(&p)
	}, partnerPostings, program, ledger.Partner(partner), from.UnixMicro(), until.UnixMicro())
	if err != nil {
		return fmt.Errorf("read the postings of partner %s: %w", partner, err)
	}
	return nil
}

// PartnerSum is what postings of one sort come to.
type PartnerSum struct {
	Unit, Rule    string
	Given, Undoes bool
	Amount        int64
}

const partnerSums = `
SELECT p.unit, p.rule, 1, CASE WHEN p.of_fact <> '' THEN 1 ELSE 0 END, CAST(SUM(p.amount) AS bigint)
FROM postings p
WHERE p.program_id = $1 AND p.from_account = $2 AND p.from_account >= 'partner:' AND p.from_account < 'partner;' AND p.recorded_at < $3
GROUP BY p.unit, p.rule, CASE WHEN p.of_fact <> '' THEN 1 ELSE 0 END
UNION ALL
SELECT p.unit, p.rule, 0, CASE WHEN p.of_fact <> '' THEN 1 ELSE 0 END, CAST(SUM(p.amount) AS bigint)
FROM postings p
WHERE p.program_id = $1 AND p.to_account = $2 AND p.to_account >= 'partner:' AND p.to_account < 'partner;' AND p.recorded_at < $3
GROUP BY p.unit, p.rule, CASE WHEN p.of_fact <> '' THEN 1 ELSE 0 END`

// PartnerSums gives what all postings with a partner's account come to that were recorded before a time.
func PartnerSums(ctx context.Context, tx *db.Tx, program, partner string, before time.Time) ([]PartnerSum, error) {
	var out []PartnerSum
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		var s PartnerSum
		var given, undoes int64
		err := row.Scan(&s.Unit, &s.Rule, &given, &undoes, &s.Amount)
		s.Given, s.Undoes = given == 1, undoes == 1
		out = append(out, s)
		return err
	}, partnerSums, program, ledger.Partner(partner), before.UnixMicro())
	if err != nil {
		return nil, fmt.Errorf("add up the postings of partner %s: %w", partner, err)
	}
	return out, nil
}

const addCounter = `
INSERT INTO tallies (bucket, program_id, member_id, name, period, value) VALUES ($1, $2, '', $3, $4, $5)
ON CONFLICT (bucket, program_id, member_id, name, period) DO UPDATE SET value = tallies.value + excluded.value`

// AddCounter adds to a counter of the whole program that no fact changes.
func AddCounter(ctx context.Context, tx *db.Tx, program, name, period string, n int64) error {
	if _, err := tx.Exec(ctx, addCounter, ids.Bucket(program, name), program, name, period, n); err != nil {
		return fmt.Errorf("add to the counter %s: %w", name, err)
	}
	return nil
}

const getCounter = `SELECT value FROM tallies WHERE bucket = $1 AND program_id = $2 AND member_id = '' AND name = $3 AND period = $4`

// Counter gives a counter of the whole program; 0 when there is none.
func Counter(ctx context.Context, tx *db.Tx, program, name, period string) (n int64, err error) {
	err = db.Collect(ctx, tx, func(row db.Scanner) error { return row.Scan(&n) }, getCounter, ids.Bucket(program, name), program, name, period)
	if err != nil {
		return 0, fmt.Errorf("read the counter %s: %w", name, err)
	}
	return n, nil
}
