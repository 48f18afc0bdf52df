package books

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"lojal.dev/lojal/internal/db"
)

// StoredFact is a fact as it stands in its row, unread: for sealing and for proving that nothing of it was changed.
type StoredFact struct {
	Cursor
	Member                                  string
	Seq                                     int64
	ID, Kind, Source, ExternalID, Parent    string
	OccurredAt, RecordedAt                  int64
	Version                                 int64
	Actor, Body, Decision, Seen, EventsText string
}

// StoredPosting is a posting as it stands in its row, with the fact it belongs to.
type StoredPosting struct {
	Member                 string
	Seq, N                 int64
	Unit                   string
	Lot                    int64
	From, To               string
	Amount                 int64
	Rule, Of               string
	OccurredAt, RecordedAt int64
}

const (
	storedFactColumns = `f.stamp, f.n, f.member_id, f.seq, f.id, f.kind, f.source, f.external_id, f.parent, f.occurred_at, f.recorded_at, f.version, f.actor,
	f.body, f.decision, f.seen, f.events`

	storedPostingColumns = `p.member_id, p.seq, p.n, p.unit, p.lot, p.from_account, p.to_account, p.amount, p.rule, p.of_fact, p.occurred_at, p.recorded_at`

	storedFacts = `
SELECT ` + storedFactColumns + `
FROM facts f
WHERE f.program_id = $1 AND (f.stamp, f.n) > ($2, $3) AND (f.stamp, f.n) <= ($4, $5)
ORDER BY f.stamp, f.n LIMIT $6`

	storedPostings = `
SELECT ` + storedPostingColumns + `
FROM facts f CROSS JOIN postings p
WHERE p.bucket = f.bucket AND p.program_id = f.program_id AND p.member_id = f.member_id AND p.seq = f.seq
	AND f.program_id = $1 AND (f.stamp, f.n) > ($2, $3) AND (f.stamp, f.n) <= ($4, $5)
ORDER BY f.stamp, f.n, p.n`
)

// StoredFacts calls visit for the program's facts after one place in the order of commits and up to another, that one inside, in
// that order, at most limit of them. In a distributed database a place is one in the line (see LineUp).
func StoredFacts(ctx context.Context, tx *db.Tx, program string, after, until Cursor, limit int, visit func(*StoredFact) error) error {
	visited := 0
	counted := func(f *StoredFact) error {
		visited++
		return visit(f)
	}
	err := db.Collect(ctx, tx, scanStoredFact(counted), storedFacts, program, after.Stamp, after.N, oldest(tx, until).Stamp, oldest(tx, until).N, limit)
	if err == nil && tx.Distributed() {
		err = inLine(ctx, tx, program, after, until, lineStoredFacts, storedFactInLine, func(f *StoredFact) (bool, error) {
			if visited == limit {
				return false, nil
			}
			return true, counted(f)
		})
	}
	if err != nil {
		return fmt.Errorf("read facts as they are stored: %w", err)
	}
	return nil
}

// StoredPostings calls visit for the postings of the same facts, in the order of their facts and numbers.
func StoredPostings(ctx context.Context, tx *db.Tx, program string, after, until Cursor, visit func(*StoredPosting) error) error {
	err := db.Collect(ctx, tx, scanStoredPosting(visit), storedPostings, program, after.Stamp, after.N, oldest(tx, until).Stamp, oldest(tx, until).N)
	if err == nil && tx.Distributed() {
		err = inLine(ctx, tx, program, after, until, lineStoredPostings, storedPostingInLine, func(p *postingInLine) (bool, error) {
			return true, visit(&p.StoredPosting)
		})
	}
	if err != nil {
		return fmt.Errorf("read postings as they are stored: %w", err)
	}
	return nil
}

// oldest is how far the stamps of rows are places: everywhere, but in a distributed database only of the time before.
func oldest(tx *db.Tx, until Cursor) Cursor {
	if last := (Cursor{tx.Before(), math.MaxInt64}); tx.Distributed() && until.Stamp > last.Stamp {
		return last
	}
	return until
}

var (
	lineStoredFacts = db.NewLookup([]string{"bucket integer", "program_id text", "first bigint", "last bigint"}, `
SELECT f.bucket, `+storedFactColumns+`
FROM want CROSS JOIN facts f
WHERE f.bucket = want.bucket AND f.program_id = want.program_id AND f.stamp >= want.first AND f.stamp <= want.last`)

	lineStoredPostings = db.NewLookup([]string{"bucket integer", "program_id text", "first bigint", "last bigint"}, `
SELECT f.bucket, f.stamp, f.n, `+storedPostingColumns+`
FROM want CROSS JOIN facts f CROSS JOIN postings p
WHERE f.bucket = want.bucket AND f.program_id = want.program_id AND f.stamp >= want.first AND f.stamp <= want.last
	AND p.bucket = want.bucket AND p.program_id = f.program_id AND p.member_id = f.member_id AND p.seq = f.seq
ORDER BY f.stamp, f.n, p.n`)
)

// postingInLine is a posting with the place of its fact.
type postingInLine struct {
	Cursor
	StoredPosting
}

func storedFactInLine(row db.Scanner) (of int32, at func(*StoredFact) *Cursor, out *StoredFact, err error) {
	out = &StoredFact{}
	err = scanStoredFact(func(f *StoredFact) error {
		*out = *f
		return nil
	})(behind{row, &of})
	return of, func(f *StoredFact) *Cursor { return &f.Cursor }, out, err
}

func storedPostingInLine(row db.Scanner) (of int32, at func(*postingInLine) *Cursor, out *postingInLine, err error) {
	out = &postingInLine{}
	err = scanStoredPosting(func(p *StoredPosting) error {
		out.StoredPosting = *p
		return nil
	})(front{row, []any{&of, &out.Stamp, &out.Cursor.N}})
	return of, func(p *postingInLine) *Cursor { return &p.Cursor }, out, err
}

// front reads rows whose first columns are told apart.
type front struct {
	db.Scanner
	first []any
}

// Scan reads the first columns and then those asked for.
func (f front) Scan(dest ...any) error {
	return f.Scanner.Scan(append(slices.Clone(f.first), dest...)...)
}

// inLine goes along the line of a distributed database and calls visit for what belongs to the facts behind one place and up to
// another, until it says that it is enough.
func inLine[T any](ctx context.Context, tx *db.Tx, program string, after, until Cursor, look *db.Lookup,
	scan func(db.Scanner) (int32, func(*T) *Cursor, *T, error), visit func(*T) (bool, error)) error {
	for from := max(after.Stamp, tx.Before()+1); from <= until.Stamp; {
		rows, err := line(ctx, tx, program, from)
		if err != nil {
			return err
		}
		part := cut(rows, from, lineLimit)
		if len(part) == 0 {
			return nil
		}
		args := make([]any, 0, 4*len(part))
		for _, s := range part {
			args = append(args, s.of, program, s.first, s.last)
		}
		type placed struct {
			at  Cursor
			row *T
		}
		var found []placed
		err = among(ctx, tx, look, args, func(row db.Scanner) error {
			of, where, one, err := scan(row)
			if err != nil {
				return err
			}
			at := where(one)
			i := slices.IndexFunc(part, func(s stretch) bool { return s.of == of && s.first <= at.Stamp && at.Stamp <= s.last })
			at.Stamp += part[i].stamp - part[i].first
			found = append(found, placed{*at, one})
			return nil
		})
		if err != nil {
			return err
		}
		slices.SortStableFunc(found, func(a, b placed) int { return cmp.Or(cmp.Compare(a.at.Stamp, b.at.Stamp), cmp.Compare(a.at.N, b.at.N)) })
		for _, p := range found {
			if !behindOf(p.at, after) || behindOf(p.at, until) {
				continue
			}
			if more, err := visit(p.row); err != nil || !more {
				return err
			}
		}
		end := part[len(part)-1]
		from = end.stamp + end.last - end.first + 1
	}
	return nil
}

// behindOf says whether a place lies after another.
func behindOf(a, b Cursor) bool { return a.Stamp > b.Stamp || a.Stamp == b.Stamp && a.N > b.N }

// Facts of before the order of commits was kept have no place in it, where they told nothing: stamp 0. They come before all
// others, in the order of their keys.
const (
	unplacedFacts = `
SELECT ` + storedFactColumns + `
FROM facts f
WHERE f.program_id = $1 AND f.stamp = 0
ORDER BY f.bucket, f.program_id, f.member_id, f.seq LIMIT $2 OFFSET $3`

	unplacedPostings = `
SELECT ` + storedPostingColumns + `
FROM (SELECT bucket, program_id, member_id, seq FROM facts WHERE program_id = $1 AND stamp = 0 ORDER BY bucket, program_id, member_id, seq LIMIT $2 OFFSET $3) f
CROSS JOIN postings p
WHERE p.bucket = f.bucket AND p.program_id = f.program_id AND p.member_id = f.member_id AND p.seq = f.seq
ORDER BY p.bucket, p.program_id, p.member_id, p.seq, p.n`
)

// UnplacedFacts calls visit for the program's facts that have no place in the order of commits, without the first ones.
func UnplacedFacts(ctx context.Context, tx *db.Tx, program string, without int64, limit int, visit func(*StoredFact) error) error {
	if err := db.Collect(ctx, tx, scanStoredFact(visit), unplacedFacts, program, limit, without); err != nil {
		return fmt.Errorf("read facts as they are stored: %w", err)
	}
	return nil
}

// UnplacedPostings calls visit for the postings of the same facts, in the order of their keys.
func UnplacedPostings(ctx context.Context, tx *db.Tx, program string, without int64, limit int, visit func(*StoredPosting) error) error {
	if err := db.Collect(ctx, tx, scanStoredPosting(visit), unplacedPostings, program, limit, without); err != nil {
		return fmt.Errorf("read postings as they are stored: %w", err)
	}
	return nil
}

func scanStoredFact(visit func(*StoredFact) error) func(db.Scanner) error {
	var f StoredFact
	return func(row db.Scanner) error {
		err := row.Scan(&f.Stamp, &f.N, &f.Member, &f.Seq, &f.ID, &f.Kind, &f.Source, &f.ExternalID, &f.Parent, &f.OccurredAt, &f.RecordedAt, &f.Version,
			&f.Actor, &f.Body, &f.Decision, &f.Seen, &f.EventsText)
		if err != nil {
			return err
		}
		return visit(&f)
	}
}

func scanStoredPosting(visit func(*StoredPosting) error) func(db.Scanner) error {
	var p StoredPosting
	return func(row db.Scanner) error {
		err := row.Scan(&p.Member, &p.Seq, &p.N, &p.Unit, &p.Lot, &p.From, &p.To, &p.Amount, &p.Rule, &p.Of, &p.OccurredAt, &p.RecordedAt)
		if err != nil {
			return err
		}
		return visit(&p)
	}
}
