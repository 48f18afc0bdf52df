package books

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/ids"
)

// What only proving asks of the books, besides Volumes.

const programTallies = `SELECT bucket, name, period, value FROM tallies WHERE program_id = $1 AND member_id = ''`

// Counters gives the counters of the whole program: name, then period; and the names of those that lie in a wrong bucket. It looks
// through all counters: it is for proving.
func Counters(ctx context.Context, tx *db.Tx, program string) (out map[string]map[string]int64, misplaced []string, err error) {
	out = map[string]map[string]int64{}
	err = db.Collect(ctx, tx, func(row db.Scanner) error {
		var bucket int32
		var name, period string
		var n int64
		err := row.Scan(&bucket, &name, &period, &n)
		if out[name] == nil {
			out[name] = map[string]int64{}
		}
		out[name][period] += n
		if bucket != ids.Bucket(program, name) {
			misplaced = append(misplaced, name)
		}
		return err
	}, programTallies, program)
	if err != nil {
		return nil, nil, fmt.Errorf("read the program's counters: %w", err)
	}
	return out, misplaced, nil
}

const factsFrom = `
SELECT ` + factColumns + `, f.version, f.stamp FROM facts f
WHERE f.program_id = $1 AND f.stamp >= $2 AND f.stamp < $3`

// FactsFrom calls visit for the program's facts with a stamp from one on and below another.
func FactsFrom(ctx context.Context, tx *db.Tx, program string, from, below int64, visit func(*VolumeEntry) error) error {
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		var v VolumeEntry
		e, _, err := scanFact(also{row, []any{&v.Version, &v.Stamp}})
		v.Entry = e
		if err != nil {
			return err
		}
		return visit(&v)
	}, factsFrom, program, from, below)
	if err != nil {
		return fmt.Errorf("read facts: %w", err)
	}
	return nil
}

const lastStamp = `SELECT COALESCE(MAX(stamp), 0) FROM facts WHERE program_id = $1`

// Rest gives a stamp below which all of the program's facts are there to see, and none will come. A distributed database has none.
func Rest(ctx context.Context, tx *db.Tx, program string) (int64, error) {
	horizon, err := db.Horizon(ctx, tx)
	if err != nil {
		return 0, err
	}
	var last int64
	if err := tx.QueryRow(ctx, lastStamp, program).Scan(&last); err != nil {
		return 0, fmt.Errorf("find the last fact: %w", err)
	}
	return min(horizon, last+1), nil
}

const (
	countRecorded = `SELECT CAST(COALESCE(SUM(stamp), 0) AS bigint) FROM event_counts WHERE program_id = $1`

	// One after the other goes by the index; DISTINCT would read every fact, and a distributed engine knows no recursion.
	nextProgram  = `SELECT COALESCE(MIN(program_id), '') FROM facts WHERE program_id > $1`
	knownProgram = `SELECT COUNT(*) FROM programs WHERE program_id = $1`
)

// Recorded gives a number that grows with every fact of a distributed database.
func Recorded(ctx context.Context, tx *db.Tx, program string) (n int64, err error) {
	if err := tx.QueryRow(ctx, countRecorded, program).Scan(&n); err != nil {
		return 0, fmt.Errorf("count what is recorded: %w", err)
	}
	return n, nil
}

// UnknownPrograms lists programs that have facts and are not there.
func UnknownPrograms(ctx context.Context, tx *db.Tx) ([]string, error) {
	var out []string
	for at := ""; ; {
		var known int
		err := tx.QueryRow(ctx, nextProgram, at).Scan(&at)
		if err == nil && at == "" {
			return out, nil
		}
		if err == nil {
			err = tx.QueryRow(ctx, knownProgram, at).Scan(&known)
		}
		if err != nil {
			return nil, fmt.Errorf("look for programs that are not there: %w", err)
		}
		if known == 0 {
			out = append(out, at)
		}
	}
}

// strayTables are those whose rows lie in buckets.
var strayTables = []string{"accounts", "facts", "postings", "lots", "tallies", "redemptions", "receipts"}

// Stray counts the program's rows in buckets that there are not, by table; tables without any are not in it.
func Stray(ctx context.Context, tx *db.Tx, program string) (map[string]int64, error) {
	out := map[string]int64{}
	for _, table := range strayTables {
		var n int64
		query := fmt.Sprintf(`SELECT (SELECT COUNT(*) FROM %s WHERE program_id = $1 AND bucket < 0) + (SELECT COUNT(*) FROM %s WHERE program_id = $1 AND bucket > %d)`,
			table, table, ids.Buckets-1)
		if err := tx.QueryRow(ctx, query, program).Scan(&n); err != nil {
			return nil, fmt.Errorf("look for stray rows: %w", err)
		}
		if n > 0 {
			out[table] = n
		}
	}
	return out, nil
}

var receiptsIn = db.NewLookup(wantBucket, `
SELECT t.bucket, t.source, t.external_id, t.member_id, t.fact_id
FROM want CROSS JOIN receipts t WHERE t.bucket = want.bucket AND t.program_id = want.program_id
ORDER BY t.bucket, t.source, t.external_id`)

var receiptFacts = db.NewLookup(wantID, `
SELECT f.id, f.member_id, f.source, f.external_id
FROM want CROSS JOIN facts f WHERE f.bucket = want.bucket AND f.program_id = want.program_id AND f.id = want.id`)

// ReceiptRow is a receipt with what it stands for.
type ReceiptRow struct {
	Receipt
	// Misplaced says that it lies in a wrong bucket; There that the fact is there, with the natural key and member that it has.
	Misplaced, There bool
	Key              NaturalKey
	Of               string
}

// ReceiptsIn gives the receipts in the buckets, each with its fact.
func ReceiptsIn(ctx context.Context, tx *db.Tx, program string, buckets []int32) ([]*ReceiptRow, error) {
	args := make([]any, 0, 2*len(buckets))
	for _, b := range buckets {
		args = append(args, b, program)
	}
	var out []*ReceiptRow
	byFact := map[string][]*ReceiptRow{}
	err := among(ctx, tx, receiptsIn, args, func(row db.Scanner) error {
		r := &ReceiptRow{Receipt: Receipt{NaturalKey: NaturalKey{Program: program}}}
		var bucket int32
		err := row.Scan(&bucket, &r.Source, &r.ExternalID, &r.Member, &r.Fact)
		r.Misplaced = bucket != r.bucket()
		out = append(out, r)
		byFact[r.Fact] = append(byFact[r.Fact], r)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read receipts: %w", err)
	}
	args = args[:0]
	for id := range byFact {
		if bucket, ok := ids.BucketOf(id); ok {
			args = append(args, bucket, program, id)
		}
	}
	err = among(ctx, tx, receiptFacts, args, func(row db.Scanner) error {
		key := NaturalKey{Program: program}
		var id, member string
		err := row.Scan(&id, &member, &key.Source, &key.ExternalID)
		for _, r := range byFact[id] {
			r.There, r.Key, r.Of = true, key, member
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the facts of receipts: %w", err)
	}
	return out, nil
}

const membersBehind = `SELECT DISTINCT member_id FROM facts WHERE program_id = $1 AND (stamp, n) > ($2, $3) ORDER BY member_id`

// MembersBehind lists the members who have facts after a place in the order of commits.
func MembersBehind(ctx context.Context, tx *db.Tx, program string, place Cursor) ([]string, error) {
	var out []string
	if tx.Distributed() { // what is not in line yet is left to the next time
		seen := map[string]bool{}
		err := StoredFacts(ctx, tx, program, place, Cursor{math.MaxInt64, 0}, math.MaxInt, func(f *StoredFact) error {
			seen[f.Member] = true
			return nil
		})
		return slices.Sorted(maps.Keys(seen)), err
	}
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		var member string
		err := row.Scan(&member)
		out = append(out, member)
		return err
	}, membersBehind, program, place.Stamp, place.N)
	if err != nil {
		return nil, fmt.Errorf("list the members with new facts: %w", err)
	}
	return out, nil
}

const lastRecorded = `SELECT recorded_at FROM facts WHERE program_id = $1 ORDER BY stamp DESC, n DESC LIMIT 1`

// LastRecorded gives when the program's last fact was recorded, in the order of commits; nil when there is none.
func LastRecorded(ctx context.Context, tx *db.Tx, program string) (*time.Time, error) {
	var at int64
	err := tx.QueryRow(ctx, lastRecorded, program).Scan(&at)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil //nolint:nilnil // none is no error
	}
	if err != nil {
		return nil, fmt.Errorf("look for the last fact: %w", err)
	}
	return toMoment(&at), nil
}

const countFacts = `SELECT CAST(COALESCE(SUM(seq), 0) AS bigint) FROM accounts WHERE program_id = $1`

// CountFacts gives the number of the program's facts, as the accounts count them.
func CountFacts(ctx context.Context, tx *db.Tx, program string) (n int64, err error) {
	if err := tx.QueryRow(ctx, countFacts, program).Scan(&n); err != nil {
		return 0, fmt.Errorf("count facts: %w", err)
	}
	return n, nil
}
