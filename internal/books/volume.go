package books

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/ledger"
)

// Volume is everything that stands in the books of one member, row by row, for proving and copying them.
type Volume struct {
	Ref
	// Account is nil where there are rows without an account.
	Account  *AccountRow
	Entries  []VolumeEntry
	Postings []PostingRow
	Lots     []LotRow
	// Tallies by name, then period.
	Tallies     map[string]map[string]int64
	Redemptions []RedemptionRow
}

// VolumeEntry is a fact with the version in its column.
type VolumeEntry struct {
	Entry
	Version int64
}

// AccountRow is a row of accounts.
type AccountRow struct {
	Seq    int64
	DueAt  *time.Time
	Status string
	State  engine.State
	// Text is the state as it is stored.
	Text string
}

// PostingRow is a row of postings, without its fact.
type PostingRow struct {
	ledger.Posting
	Seq, N                 int64
	OccurredAt, RecordedAt time.Time
}

// LotRow is a row of lots.
type LotRow struct {
	ledger.Lot
	Remaining int64
}

// RedemptionRow is a row of redemptions.
type RedemptionRow struct {
	ID, Status string
	State      engine.RedemptionState
}

// Shelf is a bucket of a program with the number of facts in it.
type Shelf struct {
	Bucket int32
	Facts  int64
}

const shelves = `
SELECT bucket, CAST(SUM(facts) AS bigint) FROM (
	SELECT bucket, seq AS facts FROM accounts WHERE program_id = $1
	UNION ALL
	SELECT DISTINCT bucket, 0 AS facts FROM facts WHERE program_id = $1
) rows
GROUP BY bucket ORDER BY bucket`

// Shelves lists the buckets in which the program has accounts or facts.
func Shelves(ctx context.Context, tx *db.Tx, program string) ([]Shelf, error) {
	var out []Shelf
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		var s Shelf
		err := row.Scan(&s.Bucket, &s.Facts)
		out = append(out, s)
		return err
	}, shelves, program)
	if err != nil {
		return nil, fmt.Errorf("list the buckets of %s: %w", program, err)
	}
	return out, nil
}

var wantBucket = []string{"bucket integer", "program_id text"}

var (
	shelfAccounts = db.NewLookup(wantBucket, `
SELECT a.member_id, a.seq, a.due_at, a.status, a.state
FROM want CROSS JOIN accounts a WHERE a.bucket = want.bucket AND a.program_id = want.program_id
ORDER BY a.bucket, a.member_id`)

	shelfFacts = db.NewLookup(wantBucket, `
SELECT `+factColumns+`, f.version
FROM want CROSS JOIN facts f WHERE f.bucket = want.bucket AND f.program_id = want.program_id
ORDER BY f.bucket, f.member_id, f.seq`)

	shelfPostings = db.NewLookup(wantBucket, `
SELECT p.member_id, p.seq, p.n, p.unit, p.lot, p.from_account, p.to_account, p.amount, p.rule, p.of_fact, p.occurred_at, p.recorded_at
FROM want CROSS JOIN postings p WHERE p.bucket = want.bucket AND p.program_id = want.program_id
ORDER BY p.bucket, p.member_id, p.seq, p.n`)

	shelfLots = db.NewLookup(wantBucket, `
SELECT l.member_id, l.remaining, `+lotColumns+`
FROM want CROSS JOIN lots l WHERE l.bucket = want.bucket AND l.program_id = want.program_id
ORDER BY l.bucket, l.member_id, l.lot`)

	shelfTallies = db.NewLookup(wantBucket, `
SELECT t.member_id, t.name, t.period, t.value
FROM want CROSS JOIN tallies t WHERE t.bucket = want.bucket AND t.program_id = want.program_id AND t.member_id <> ''`)

	shelfRedemptions = db.NewLookup(wantBucket, `
SELECT r.member_id, r.id, r.status, r.state
FROM want CROSS JOIN redemptions r WHERE r.bucket = want.bucket AND r.program_id = want.program_id
ORDER BY r.bucket, r.id`)
)

// Volumes reads everything in the buckets, member by member in the order of their keys. Rows that cannot be read are told
// as an error that names them.
func Volumes(ctx context.Context, tx *db.Tx, program string, buckets []int32) ([]*Volume, error) {
	args := make([]any, 0, 2*len(buckets))
	for _, b := range buckets {
		args = append(args, b, program)
	}
	r := &shelfReader{program: program, byMember: map[string]*Volume{}}
	for _, step := range []struct {
		what  string
		query *db.Lookup
		scan  func(db.Scanner) error
	}{
		{"accounts", shelfAccounts, r.account},
		{"facts", shelfFacts, r.fact},
		{"postings", shelfPostings, r.posting},
		{"lots", shelfLots, r.lot},
		{"tallies", shelfTallies, r.tally},
		{"redemptions", shelfRedemptions, r.redemption},
	} {
		if err := among(ctx, tx, step.query, args, step.scan); err != nil {
			return nil, fmt.Errorf("read %s: %w", step.what, err)
		}
	}
	return r.all, nil
}

type shelfReader struct {
	program  string
	byMember map[string]*Volume
	all      []*Volume
}

func (r *shelfReader) of(member string) *Volume {
	v := r.byMember[member]
	if v == nil {
		v = &Volume{Ref: Ref{r.program, member}, Tallies: map[string]map[string]int64{}}
		r.byMember[member] = v
		r.all = append(r.all, v)
	}
	return v
}

func (r *shelfReader) account(row db.Scanner) error {
	var (
		member string
		a      AccountRow
		due    *int64
	)
	if err := row.Scan(&member, &a.Seq, &due, &a.Status, &a.Text); err != nil {
		return err
	}
	a.DueAt = toMoment(due)
	if err := readState(&a.State, a.Text); err != nil {
		return fmt.Errorf("%s: %w", member, err)
	}
	r.of(member).Account = &a
	return nil
}

// also is a row that is read with more columns behind.
type also struct {
	row  db.Scanner
	dest []any
}

func (a also) Scan(dest ...any) error { return a.row.Scan(append(dest, a.dest...)...) }

func (r *shelfReader) fact(row db.Scanner) error {
	var v VolumeEntry
	e, _, err := scanFact(also{row, []any{&v.Version}})
	if err != nil {
		return err
	}
	v.Entry = e
	f := r.of(e.Fact.Member)
	f.Entries = append(f.Entries, v)
	return nil
}

func (r *shelfReader) posting(row db.Scanner) error {
	var (
		member             string
		p                  PostingRow
		occurred, recorded int64
	)
	if err := row.Scan(&member, &p.Seq, &p.N, &p.Unit, &p.Lot, &p.From, &p.To, &p.Amount, &p.Rule, &p.Of, &occurred, &recorded); err != nil {
		return err
	}
	p.OccurredAt, p.RecordedAt = toTime(occurred), toTime(recorded)
	v := r.of(member)
	v.Postings = append(v.Postings, p)
	return nil
}

func (r *shelfReader) lot(row db.Scanner) error {
	var (
		member string
		l      LotRow
	)
	dest, finish := scanLot(&l.Lot)
	if err := row.Scan(append([]any{&member, &l.Remaining}, dest...)...); err != nil {
		return err
	}
	finish()
	v := r.of(member)
	v.Lots = append(v.Lots, l)
	return nil
}

func (r *shelfReader) tally(row db.Scanner) error {
	var (
		member, name, period string
		value                int64
	)
	if err := row.Scan(&member, &name, &period, &value); err != nil {
		return err
	}
	v := r.of(member)
	if v.Tallies[name] == nil {
		v.Tallies[name] = map[string]int64{}
	}
	v.Tallies[name][period] = value
	return nil
}

func (r *shelfReader) redemption(row db.Scanner) error {
	var (
		member, text string
		x            RedemptionRow
	)
	if err := row.Scan(&member, &x.ID, &x.Status, &text); err != nil {
		return err
	}
	if err := readJSON(text, &x.State); err != nil {
		return fmt.Errorf("redemption %s: %w", x.ID, err)
	}
	v := r.of(member)
	v.Redemptions = append(v.Redemptions, x)
	return nil
}

// String names the account for a report.
func (r Ref) String() string {
	return r.Program + "/" + r.Member + " (bucket " + strconv.Itoa(int(r.Bucket())) + ")"
}

const programTallies = `SELECT name, period, value FROM tallies WHERE program_id = $1 AND member_id = ''`

// Counters gives the counters of the whole program: name, then period. It looks through all counters: it is for proving.
func Counters(ctx context.Context, tx *db.Tx, program string) (map[string]map[string]int64, error) {
	out := map[string]map[string]int64{}
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		var name, period string
		var n int64
		err := row.Scan(&name, &period, &n)
		if out[name] == nil {
			out[name] = map[string]int64{}
		}
		out[name][period] = n
		return err
	}, programTallies, program)
	if err != nil {
		return nil, fmt.Errorf("read the program's counters: %w", err)
	}
	return out, nil
}
