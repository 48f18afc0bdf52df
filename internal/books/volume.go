package books

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/ledger"
)

// Volume is everything that stands in the books of one member, row by row, for proving and copying them.
type Volume struct {
	Ref
	// Account is nil where there are rows without an account. Profiled says that there is a row of the member's profile.
	Account  *AccountRow
	Profiled bool
	Entries  []VolumeEntry
	Postings []PostingRow
	Lots     []LotRow
	// Tallies by name, then period.
	Tallies     map[string]map[string]int64
	Redemptions []RedemptionRow
	// Unreadable are rows that cannot be read and are left away above; Misplaced names tables with rows in another bucket than the
	// member's.
	Unreadable []*Unreadable
	Misplaced  []string

	bucket int32
}

// VolumeEntry is a fact with the version in its column and the stamp of its transaction.
type VolumeEntry struct {
	Entry
	Version, Stamp int64
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
	ID, Status, Reward string
	At                 time.Time
	ExpiresAt          *time.Time
	State              engine.RedemptionState
}

// Shelf is a bucket of a program with the number of facts in it.
type Shelf struct {
	Bucket int32
	Facts  int64
}

const (
	countShelves = `SELECT bucket, COUNT(*), CAST(SUM(seq) AS bigint) FROM accounts WHERE program_id = $1 GROUP BY bucket ORDER BY bucket`

	usedShelves = `
SELECT bucket FROM accounts WHERE program_id = $1
UNION SELECT bucket FROM members WHERE program_id = $1
UNION SELECT bucket FROM facts WHERE program_id = $1
UNION SELECT bucket FROM postings WHERE program_id = $1
UNION SELECT bucket FROM lots WHERE program_id = $1
UNION SELECT bucket FROM tallies WHERE program_id = $1 AND member_id <> ''
UNION SELECT bucket FROM redemptions WHERE program_id = $1
UNION SELECT bucket FROM receipts WHERE program_id = $1
ORDER BY bucket`
)

// fewAccounts and fewFacts are how much a program may have for its tables to be looked through for the buckets it uses.
const fewAccounts, fewFacts = 5000, 200_000

// Shelves lists the buckets in which the program may have rows, of members or of natural keys, in their order.
func Shelves(ctx context.Context, tx *db.Tx, program string) ([]Shelf, error) {
	facts := map[int32]int64{}
	var accounts, all int64
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		var bucket int32
		var members, n int64
		err := row.Scan(&bucket, &members, &n)
		facts[bucket] = n
		accounts, all = accounts+members, all+n
		return err
	}, countShelves, program)
	var out []Shelf
	switch {
	case err != nil:
	case accounts > fewAccounts || all > fewFacts:
		for b := range int32(ids.Buckets) {
			out = append(out, Shelf{b, facts[b]})
		}
	default:
		err = db.Collect(ctx, tx, func(row db.Scanner) error {
			var s Shelf
			err := row.Scan(&s.Bucket)
			s.Facts = facts[s.Bucket]
			out = append(out, s)
			return err
		}, usedShelves, program)
	}
	if err != nil {
		return nil, fmt.Errorf("list the buckets of %s: %w", program, err)
	}
	return out, nil
}

var wantBucket = []string{"bucket integer", "program_id text"}

// shelfQuery finds the rows of a table by bucket, or by member.
type shelfQuery struct{ byBucket, byMember *db.Lookup }

func newShelfQuery(columns, table, also, order string) shelfQuery {
	query := "SELECT t.bucket, " + columns + " FROM want CROSS JOIN " + table + " t WHERE t.bucket = want.bucket AND t.program_id = want.program_id"
	return shelfQuery{
		db.NewLookup(wantBucket, query+also+" ORDER BY t.bucket, "+order),
		db.NewLookup(wantMember, query+" AND t.member_id = want.member_id"+also+" ORDER BY t.bucket, "+order),
	}
}

func onT(columns, alias string) string { return strings.ReplaceAll(columns, alias+".", "t.") }

var (
	shelfAccounts = newShelfQuery("t.member_id, t.seq, t.due_at, t.status, t.state", "accounts", "", "t.member_id")
	shelfMembers  = newShelfQuery("t.member_id", "members", "", "t.member_id")
	shelfFacts    = newShelfQuery("t.version, t.stamp, "+onT(factColumns, "f"), "facts", "", "t.member_id, t.seq")
	shelfPostings = newShelfQuery(`t.member_id, t.seq, t.n, t.unit, t.lot, t.from_account, t.to_account, t.amount, t.rule, t.of_fact, t.occurred_at,
	t.recorded_at`, "postings", "", "t.member_id, t.seq, t.n")
	shelfLots        = newShelfQuery("t.member_id, t.remaining, "+onT(lotColumns, "l"), "lots", "", "t.member_id, t.lot")
	shelfTallies     = newShelfQuery("t.member_id, t.name, t.period, t.value", "tallies", " AND t.member_id <> ''", "t.member_id, t.name, t.period")
	shelfRedemptions = newShelfQuery("t.member_id, t.id, t.status, t.reward, t.at, t.expires_at, t.state", "redemptions", "", "t.id")
)

// Volumes reads everything in the buckets, member by member in the order of their keys.
func Volumes(ctx context.Context, tx *db.Tx, program string, buckets []int32) ([]*Volume, error) {
	args := make([]any, 0, 2*len(buckets))
	for _, b := range buckets {
		args = append(args, b, program)
	}
	return volumes(ctx, tx, program, args, func(q shelfQuery) *db.Lookup { return q.byBucket })
}

// VolumesOf is Volumes for members.
func VolumesOf(ctx context.Context, tx *db.Tx, program string, members []string) ([]*Volume, error) {
	args := make([]any, 0, 3*len(members))
	for _, m := range members {
		args = append(args, Ref{program, m}.Bucket(), program, m)
	}
	return volumes(ctx, tx, program, args, func(q shelfQuery) *db.Lookup { return q.byMember })
}

func volumes(ctx context.Context, tx *db.Tx, program string, args []any, pick func(shelfQuery) *db.Lookup) ([]*Volume, error) {
	r := &shelfReader{program: program, byMember: map[string]*Volume{}}
	for _, step := range []struct {
		what  string
		query shelfQuery
		scan  func(db.Scanner) error
	}{
		{"accounts", shelfAccounts, r.account},
		{"members", shelfMembers, r.profile},
		{"facts", shelfFacts, r.fact},
		{"postings", shelfPostings, r.posting},
		{"lots", shelfLots, r.lot},
		{"tallies", shelfTallies, r.tally},
		{"redemptions", shelfRedemptions, r.redemption},
	} {
		r.table = step.what
		if err := among(ctx, tx, pick(step.query), args, step.scan); err != nil {
			return nil, fmt.Errorf("read %s: %w", step.what, err)
		}
	}
	return r.all, nil
}

type shelfReader struct {
	program, table string
	byMember       map[string]*Volume
	all            []*Volume
	last           *Volume // rows of a member come together
}

func (r *shelfReader) of(bucket int32, member string) *Volume {
	v := r.last
	if v == nil || v.Member != member {
		if v = r.byMember[member]; v == nil {
			v = &Volume{Ref: Ref{r.program, member}, Tallies: map[string]map[string]int64{}}
			v.bucket = v.Bucket()
			r.byMember[member] = v
			r.all = append(r.all, v)
		}
		r.last = v
	}
	if bucket != v.bucket && !slices.Contains(v.Misplaced, r.table) {
		v.Misplaced = append(v.Misplaced, r.table)
	}
	return v
}

// unreadable notes a row that cannot be read; any other error comes back.
func (r *shelfReader) unreadable(bucket int32, err error) error {
	if u, ok := errors.AsType[*Unreadable](err); ok {
		v := r.of(bucket, u.Member)
		v.Unreadable = append(v.Unreadable, u)
		return nil
	}
	return err
}

func (r *shelfReader) account(row db.Scanner) error {
	var (
		bucket int32
		member string
		a      AccountRow
		due    *int64
	)
	if err := row.Scan(&bucket, &member, &a.Seq, &due, &a.Status, &a.Text); err != nil {
		return err
	}
	a.DueAt = toMoment(due)
	v := r.of(bucket, member)
	v.Account = &a
	if err := readState(&a.State, a.Text); err != nil {
		v.Unreadable = append(v.Unreadable, &Unreadable{v.Ref, "accounts " + v.Ref.String(), "", err})
	}
	return nil
}

func (r *shelfReader) profile(row db.Scanner) error {
	var bucket int32
	var member string
	if err := row.Scan(&bucket, &member); err != nil {
		return err
	}
	r.of(bucket, member).Profiled = true
	return nil
}

func (r *shelfReader) fact(row db.Scanner) error {
	var bucket int32
	var v VolumeEntry
	e, _, err := scanFact(front{row, []any{&bucket, &v.Version, &v.Stamp}})
	if err != nil {
		return r.unreadable(bucket, err)
	}
	v.Entry = e
	f := r.of(bucket, e.Fact.Member)
	f.Entries = append(f.Entries, v)
	return nil
}

func (r *shelfReader) posting(row db.Scanner) error {
	var (
		bucket             int32
		member             string
		p                  PostingRow
		occurred, recorded int64
	)
	if err := row.Scan(&bucket, &member, &p.Seq, &p.N, &p.Unit, &p.Lot, &p.From, &p.To, &p.Amount, &p.Rule, &p.Of, &occurred, &recorded); err != nil {
		return err
	}
	p.OccurredAt, p.RecordedAt = toTime(occurred), toTime(recorded)
	v := r.of(bucket, member)
	v.Postings = append(v.Postings, p)
	return nil
}

func (r *shelfReader) lot(row db.Scanner) error {
	var (
		bucket int32
		member string
		l      LotRow
	)
	var err error
	if l.Lot, err = newLotReader(&bucket, &member, &l.Remaining).read(row); err != nil {
		return err
	}
	v := r.of(bucket, member)
	v.Lots = append(v.Lots, l)
	return nil
}

func (r *shelfReader) tally(row db.Scanner) error {
	var (
		bucket               int32
		member, name, period string
		value                int64
	)
	if err := row.Scan(&bucket, &member, &name, &period, &value); err != nil {
		return err
	}
	v := r.of(bucket, member)
	if v.Tallies[name] == nil {
		v.Tallies[name] = map[string]int64{}
	}
	v.Tallies[name][period] = value
	return nil
}

func (r *shelfReader) redemption(row db.Scanner) error {
	var (
		bucket       int32
		member, text string
		x            RedemptionRow
		at           int64
		expires      *int64
	)
	if err := row.Scan(&bucket, &member, &x.ID, &x.Status, &x.Reward, &at, &expires, &text); err != nil {
		return err
	}
	x.At, x.ExpiresAt = toTime(at), toMoment(expires)
	v := r.of(bucket, member)
	if err := readJSON(text, &x.State); err != nil {
		v.Unreadable = append(v.Unreadable, &Unreadable{v.Ref, fmt.Sprintf("redemptions %s %s", v.Ref, x.ID), "", err})
	} else {
		v.Redemptions = append(v.Redemptions, x)
	}
	return nil
}

// String names the account for a report.
func (r Ref) String() string {
	return r.Program + "/" + r.Member + " (bucket " + strconv.Itoa(int(r.Bucket())) + ")"
}

// also is a row that is read with more columns behind.
type also struct {
	row  db.Scanner
	dest []any
}

func (a also) Scan(dest ...any) error { return a.row.Scan(append(dest, a.dest...)...) }
