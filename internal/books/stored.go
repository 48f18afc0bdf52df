package books

import (
	"context"
	"fmt"

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
// that order, at most limit of them.
func StoredFacts(ctx context.Context, tx *db.Tx, program string, after, until Cursor, limit int, visit func(*StoredFact) error) error {
	err := db.Collect(ctx, tx, scanStoredFact(visit), storedFacts, program, after.Stamp, after.N, until.Stamp, until.N, limit)
	if err != nil {
		return fmt.Errorf("read facts as they are stored: %w", err)
	}
	return nil
}

// StoredPostings calls visit for the postings of the same facts, in the order of their facts and numbers.
func StoredPostings(ctx context.Context, tx *db.Tx, program string, after, until Cursor, visit func(*StoredPosting) error) error {
	err := db.Collect(ctx, tx, scanStoredPosting(visit), storedPostings, program, after.Stamp, after.N, until.Stamp, until.N)
	if err != nil {
		return fmt.Errorf("read postings as they are stored: %w", err)
	}
	return nil
}

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
