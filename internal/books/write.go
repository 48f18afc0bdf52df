package books

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/ids"
)

var (
	wantFact = []string{"bucket integer", "program_id text", "member_id text", "seq bigint", "id text", "kind text", "source text",
		"external_id text", "parent text", "occurred_at bigint", "recorded_at bigint", "version bigint", "actor text", "body text", "decision text", "seen text", "n bigint",
		"events text"}

	insertFacts = db.NewStamped("facts", wantFact, "")

	// Where the database is distributed, stamps are those of the buckets: see line.go.
	insertFactsAt = db.NewInsert("facts", append(slices.Clone(wantFact), "stamp bigint"), "")

	insertPostings = db.NewInsert("postings", []string{"bucket integer", "program_id text", "member_id text", "seq bigint", "n integer", "unit text", "lot bigint",
		"from_account text", "to_account text", "amount bigint", "rule text", "of_fact text", "occurred_at bigint", "recorded_at bigint"}, "")

	writeAccounts = db.NewInsert("accounts", []string{"bucket integer", "program_id text", "member_id text", "seq bigint", "due_at bigint null", "status text",
		"state text"}, `
ON CONFLICT (bucket, program_id, member_id) DO UPDATE
SET seq = excluded.seq, due_at = excluded.due_at, status = excluded.status, state = excluded.state`)

	writeLots = db.NewInsert("lots", []string{"bucket integer", "program_id text", "member_id text", "lot bigint", "unit text", "fact_id text", "earned_at bigint",
		"expires_at bigint null", "release_at bigint null", "confirm text", "warn_at bigint null", "amount bigint", "spendable bigint", "pending bigint",
		"reserved bigint", "gone bigint", "remaining bigint"}, `
ON CONFLICT (bucket, program_id, member_id, lot) DO UPDATE
SET expires_at = excluded.expires_at, release_at = excluded.release_at, confirm = excluded.confirm, warn_at = excluded.warn_at,
	amount = excluded.amount, spendable = excluded.spendable, pending = excluded.pending, reserved = excluded.reserved,
	gone = excluded.gone, remaining = excluded.remaining`)

	tallyColumns = []string{"bucket integer", "program_id text", "member_id text", "name text", "period text", "value bigint"}

	addTallies = db.NewInsert("tallies", tallyColumns, `
ON CONFLICT (bucket, program_id, member_id, name, period) DO UPDATE SET value = tallies.value + excluded.value`)

	writeRedemptions = db.NewInsert("redemptions", []string{"bucket integer", "program_id text", "id text", "member_id text", "status text", "reward text",
		"at bigint", "expires_at bigint null", "state text"}, `
ON CONFLICT (bucket, program_id, id) DO UPDATE SET status = excluded.status, expires_at = excluded.expires_at, state = excluded.state`)

	insertReceipts = db.NewInsert("receipts", []string{"bucket integer", "program_id text", "source text", "external_id text", "member_id text", "fact_id text",
		"hash text"}, "")

	insertAnswers = db.NewInsert("idempotency", []string{"bucket integer", "program_id text", "client text", "key text", "hash text", "status integer",
		"answer text", "created_at bigint"}, "")

	// A home answer may stand where the claim of its key stood, when both have one bucket, or where one stands that is to be forgotten.
	insertHomeAnswers = db.NewInsert("idempotency", []string{"bucket integer", "program_id text", "client text", "key text", "hash text", "status integer",
		"answer text", "created_at bigint"}, `
ON CONFLICT (bucket, program_id, client, key) DO UPDATE
SET hash = excluded.hash, status = excluded.status, answer = excluded.answer, created_at = excluded.created_at`)
)

// rows gathers the rows of one table.
type rows struct {
	into *db.Insert
	args []any
}

func (r *rows) add(values ...any) { r.args = append(r.args, values...) }

// expect makes room for n rows more: a batch of thousands would be copied a dozen times as it grows.
func (r *rows) expect(n int) { r.args = slices.Grow(r.args, n*r.into.Columns()) }

// Write writes all that was decided in the sheet: one statement a table. Two of one natural key or of one Idempotency-Key
// fail with an error of the class db.IsUnique, here or with the commit: somebody else was first, and the transaction must be run
// again.
func (s *Sheet) Write(ctx context.Context, tx *db.Tx) error {
	if !s.lock {
		return fmt.Errorf("a sheet for reading cannot be written")
	}
	folios := make([]*Folio, 0, len(s.folios))
	for _, f := range s.folios {
		folios = append(folios, f)
	}
	slices.SortFunc(folios, func(a, b *Folio) int {
		return cmp.Or(cmp.Compare(a.bucket, b.bucket), strings.Compare(a.Program, b.Program), strings.Compare(a.Member, b.Member))
	})

	var (
		facts       = rows{insertFacts, nil}
		postings    = rows{insertPostings, nil}
		accounts    = rows{writeAccounts, nil}
		lots        = rows{writeLots, nil}
		tallies     = rows{addTallies, nil}
		redemptions = rows{writeRedemptions, nil}
		receipts    = rows{insertReceipts, nil}
		answers     = rows{insertAnswers, nil}
		atHome      = rows{insertHomeAnswers, nil}
		unused      []any
		place       int64 // in the feed of this transaction
	)
	stamps, err := stampsOf(ctx, tx, folios)
	if err != nil {
		return err
	}
	if tx.Distributed() {
		facts.into = insertFactsAt
	}
	var some struct{ facts, postings, accounts, lots int }
	for _, f := range folios {
		for i := range f.entries {
			some.postings += len(f.entries[i].Decision.Postings)
		}
		if len(f.entries) > 0 {
			some.facts, some.accounts, some.lots = some.facts+len(f.entries), some.accounts+1, some.lots+len(f.dirty)
		}
	}
	facts.expect(some.facts)
	postings.expect(some.postings)
	accounts.expect(some.accounts)
	lots.expect(some.lots)
	receipts.expect(len(s.receipts))
	for _, f := range folios {
		if f.stored == 0 && len(f.entries) == 0 {
			unused = append(unused, f.bucket, f.Program, f.Member)
			continue
		}
		if len(f.entries) == 0 {
			continue
		}
		state, err := encodeState(&f.State)
		if err != nil {
			return fmt.Errorf("write the state of %s: %w", f.Member, err)
		}
		accounts.add(f.bucket, f.Program, f.Member, f.State.Seq, moment(f.dueAt()), f.State.Status, state)
		for i := range f.entries {
			if f.entries[i].Seq != f.stored+int64(i)+1 {
				return fmt.Errorf("fact %s of %s has number %d and not %d", f.entries[i].Fact.ID, f.Member, f.entries[i].Seq, f.stored+int64(i)+1)
			}
			if err := f.factRows(&f.entries[i], &place, &facts, &postings); err != nil {
				return err
			}
			if tx.Distributed() {
				facts.add(stamps[shelf{f.bucket, f.Program}])
			}
		}
		f.lotRows(&lots)
		f.tallyRows(&tallies)
		if err := f.redemptionRows(&redemptions); err != nil {
			return err
		}
	}
	s.counterRows(&tallies)
	s.keyRows(&receipts, &answers, &atHome)

	// First, since any statement sends what was put off, which is to go with COMMIT.
	if err := among(ctx, tx, discardAccounts, unused, nil); err != nil {
		return fmt.Errorf("discard unused accounts: %w", err)
	}
	for _, r := range []*rows{&receipts, &answers, &atHome, &facts, &postings, &accounts, &lots, &tallies, &redemptions} {
		tx.InsertLater(r.into, r.args)
	}
	return nil
}

// An account that Open made and nothing came of goes away again.
var discardAccounts = db.NewLookup(wantMember, `
DELETE FROM accounts WHERE seq = 0 AND (bucket, program_id, member_id) IN (SELECT bucket, program_id, member_id FROM want)`)

func (f *Folio) factRows(e *Entry, place *int64, facts, postings *rows) error {
	text, err := Body(e.Fact)
	if err != nil {
		return err
	}
	decision, err := encodeDecision(&e.Decision)
	if err != nil {
		return fmt.Errorf("write the decision on fact %s: %w", e.Fact.ID, err)
	}
	events, err := encodeEvents(e.Decision.Events)
	if err != nil {
		return fmt.Errorf("write the events of fact %s: %w", e.Fact.ID, err)
	}
	seen := ""
	if len(e.Seen) > 0 {
		b, err := json.Marshal(e.Seen)
		if err != nil {
			return fmt.Errorf("write what the decision on fact %s saw: %w", e.Fact.ID, err)
		}
		seen = string(b)
	}
	occurred, recorded := instant(e.Fact.OccurredAt), instant(e.Fact.RecordedAt)
	facts.add(f.bucket, f.Program, f.Member, e.Seq, e.Fact.ID, string(e.Fact.Kind), e.Fact.Source, e.Fact.ExternalID, e.Fact.Parent,
		occurred, recorded, e.Decision.Version, e.Fact.Actor, string(text), decision, seen, *place+1, events)
	*place += max(1, int64(len(e.Decision.Events)))
	for n, p := range e.Decision.Postings {
		postings.add(f.bucket, f.Program, f.Member, e.Seq, n+1, p.Unit, p.Lot, p.From, p.To, p.Amount, p.Rule, p.Of, occurred, recorded)
	}
	return nil
}

func (f *Folio) lotRows(out *rows) {
	numbers := make([]int64, 0, len(f.dirty))
	for id := range f.dirty {
		if id <= f.State.Lots {
			numbers = append(numbers, id)
		}
	}
	slices.Sort(numbers)
	for _, id := range numbers {
		l := f.lots[id]
		if l == nil {
			continue // of a fact that was taken back
		}
		out.add(f.bucket, f.Program, f.Member, l.ID, l.Unit, l.Fact, instant(l.EarnedAt), moment(l.ExpiresAt), moment(l.ReleaseAt), l.Confirm,
			moment(l.WarnAt), l.Amount, l.Spendable, l.Pending, l.Reserved, l.Gone, l.Left())
	}
}

func (f *Folio) tallyRows(out *rows) {
	for name, t := range f.tallies {
		for period, n := range t.added {
			if n != 0 {
				out.add(f.bucket, f.Program, f.Member, name, period, n)
			}
		}
	}
}

// counterRows writes the program's counters last and in the order of their keys, as they are locked.
func (s *Sheet) counterRows(out *rows) {
	var list []counterRow
	for key, t := range s.counters {
		for period, n := range t.added {
			if n != 0 {
				list = append(list, counterRow{ids.Bucket(key.program, key.name), key, engine.TallyRange{From: period}})
			}
		}
	}
	slices.SortFunc(list, func(a, b counterRow) int {
		return cmp.Or(cmp.Compare(a.bucket, b.bucket), strings.Compare(a.program, b.program), strings.Compare(a.name, b.name), strings.Compare(a.From, b.From))
	})
	for _, c := range list {
		out.add(c.bucket, c.program, "", c.name, c.From, s.counters[c.counterKey].added[c.From])
	}
}

func (f *Folio) redemptionRows(out *rows) error {
	list := make([]string, 0, len(f.changed))
	for id := range f.changed {
		list = append(list, id)
	}
	slices.Sort(list)
	for _, id := range list {
		r := f.redemptions[id]
		text, err := json.Marshal(r)
		if err != nil {
			return fmt.Errorf("write redemption %s: %w", id, err)
		}
		bucket, ok := ids.BucketOf(id) // after a merge not that of the member
		if !ok {
			return fmt.Errorf("%q is no id of a redemption", id)
		}
		out.add(bucket, f.Program, id, f.Member, r.Status, r.Reward, instant(r.At), moment(r.ExpiresAt), string(text))
	}
	return nil
}

// keyRows go in the order of their keys, so that two transactions with the same ones wait and never lock each other out.
func (s *Sheet) keyRows(receipts, answers, atHome *rows) {
	slices.SortFunc(s.receipts, func(a, b Receipt) int {
		return cmp.Or(strings.Compare(a.Program, b.Program), strings.Compare(a.Source, b.Source), strings.Compare(a.ExternalID, b.ExternalID))
	})
	slices.SortFunc(s.answers, func(a, b Answer) int {
		return cmp.Or(strings.Compare(a.Program, b.Program), strings.Compare(a.Client, b.Client), strings.Compare(a.Key, b.Key))
	})
	for _, r := range s.receipts {
		receipts.add(r.bucket(), r.Program, r.Source, r.ExternalID, r.Member, r.Fact, r.Hash)
	}
	for _, a := range s.answers {
		if a.Home != (Ref{}) {
			atHome.add(a.Home.Bucket(), a.Program, a.Client, a.Key, a.Hash, a.Status, a.Body, instant(a.At))
			continue
		}
		answers.add(a.bucket(), a.Program, a.Client, a.Key, a.Hash, a.Status, a.Body, instant(a.At))
	}
}
