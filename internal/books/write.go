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

const (
	insertFacts = `
INSERT INTO facts (bucket, program_id, member_id, seq, id, kind, source, external_id, parent, occurred_at, recorded_at, version, actor,
	body, decision, seen)`

	insertPostings = `
INSERT INTO postings (bucket, program_id, member_id, seq, n, unit, lot, from_account, to_account, amount, rule, of_fact, occurred_at, recorded_at)`

	writeAccounts   = `INSERT INTO accounts (bucket, program_id, member_id, seq, due_at, status, state)`
	writeAccountsDo = `
ON CONFLICT (bucket, program_id, member_id) DO UPDATE
SET seq = excluded.seq, due_at = excluded.due_at, status = excluded.status, state = excluded.state`

	writeLots = `
INSERT INTO lots (bucket, program_id, member_id, lot, unit, fact_id, earned_at, expires_at, release_at, confirm, warn_at, amount,
	spendable, pending, reserved, gone, remaining)`
	writeLotsDo = `
ON CONFLICT (bucket, program_id, member_id, lot) DO UPDATE
SET expires_at = excluded.expires_at, release_at = excluded.release_at, confirm = excluded.confirm, warn_at = excluded.warn_at,
	amount = excluded.amount, spendable = excluded.spendable, pending = excluded.pending, reserved = excluded.reserved,
	gone = excluded.gone, remaining = excluded.remaining`

	addTallies   = `INSERT INTO tallies (bucket, program_id, member_id, name, period, value)`
	addTalliesDo = `
ON CONFLICT (bucket, program_id, member_id, name, period) DO UPDATE SET value = tallies.value + excluded.value`

	writeRedemptions   = `INSERT INTO redemptions (bucket, program_id, id, member_id, status, reward, at, expires_at, state)`
	writeRedemptionsDo = `
ON CONFLICT (bucket, program_id, id) DO UPDATE SET status = excluded.status, expires_at = excluded.expires_at, state = excluded.state`

	insertEvents = `INSERT INTO events (bucket, program_id, stamp, n, id, type, member_id, fact_id, occurred_at, recorded_at, data)`

	insertReceipts = `INSERT INTO receipts (bucket, program_id, source, external_id, member_id, fact_id, hash)`

	insertAnswers = `INSERT INTO idempotency (bucket, program_id, client, key, hash, status, answer, created_at)`
)

// rows gathers the rows of one table.
type rows struct {
	prefix, suffix string
	cols           int
	args           []any
}

func (r *rows) add(values ...any) { r.args = append(r.args, values...) }

// Write writes all that was decided in the sheet: one statement a table. Two of one natural key or of one Idempotency-Key
// fail with an error of the class db.IsUnique: somebody else was first, and the transaction must be run again.
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
		facts       = rows{insertFacts, "", 16, nil}
		postings    = rows{insertPostings, "", 14, nil}
		accounts    = rows{writeAccounts, writeAccountsDo, 7, nil}
		lots        = rows{writeLots, writeLotsDo, 17, nil}
		tallies     = rows{addTallies, addTalliesDo, 6, nil}
		redemptions = rows{writeRedemptions, writeRedemptionsDo, 9, nil}
		events      = rows{insertEvents, "", 11, nil}
		receipts    = rows{insertReceipts, "", 7, nil}
		answers     = rows{insertAnswers, "", 8, nil}
		unused      []any
	)
	for _, f := range folios {
		if f.stored == 0 && len(f.entries) == 0 {
			unused = append(unused, f.bucket, f.Program, f.Member)
			continue
		}
		if len(f.entries) == 0 {
			continue
		}
		state, err := json.Marshal(f.State)
		if err != nil {
			return fmt.Errorf("write the state of %s: %w", f.Member, err)
		}
		accounts.add(f.bucket, f.Program, f.Member, f.State.Seq, moment(f.State.DueAt), f.State.Status, string(state))
		for i := range f.entries {
			if f.entries[i].Seq != f.stored+int64(i)+1 {
				return fmt.Errorf("fact %s of %s has number %d and not %d", f.entries[i].Fact.ID, f.Member, f.entries[i].Seq, f.stored+int64(i)+1)
			}
			if err := f.factRows(&f.entries[i], &facts, &postings); err != nil {
				return err
			}
		}
		f.lotRows(&lots)
		f.tallyRows(&tallies)
		if err := f.redemptionRows(&redemptions); err != nil {
			return err
		}
	}
	s.counterRows(&tallies)
	if err := s.eventRows(ctx, tx, folios, &events); err != nil {
		return err
	}
	s.keyRows(&receipts, &answers)

	for _, r := range []*rows{&receipts, &answers, &facts, &postings, &accounts, &lots, &tallies, &redemptions, &events} {
		if _, err := db.InsertRows(ctx, tx, r.prefix, r.suffix, r.cols, r.args); err != nil {
			return fmt.Errorf("write the books: %w", err)
		}
	}
	return discard(ctx, tx, unused)
}

// An account that Open made and nothing came of goes away again.
const discardAccounts = `
DELETE FROM accounts WHERE seq = 0 AND (bucket, program_id, member_id) IN (SELECT bucket, program_id, member_id FROM want)`

func discard(ctx context.Context, tx *db.Tx, args []any) error {
	for len(args) > 0 {
		n := min(len(args), mostWanted*3)
		if _, err := tx.Exec(ctx, want(wantMember, n/3)+discardAccounts, args[:n]...); err != nil {
			return fmt.Errorf("discard unused accounts: %w", err)
		}
		args = args[n:]
	}
	return nil
}

func (f *Folio) factRows(e *Entry, facts, postings *rows) error {
	text, err := Body(e.Fact)
	if err != nil {
		return err
	}
	decision, err := json.Marshal(&e.Decision)
	if err != nil {
		return fmt.Errorf("write the decision on fact %s: %w", e.Fact.ID, err)
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
		occurred, recorded, e.Decision.Version, e.Fact.Actor, string(text), string(decision), seen)
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

func (s *Sheet) eventRows(ctx context.Context, tx *db.Tx, folios []*Folio, out *rows) error {
	var stamp int64
	n := 0
	for _, f := range folios {
		for i := range f.entries {
			e := &f.entries[i]
			for _, ev := range e.Decision.Events {
				if stamp == 0 {
					var err error
					if stamp, err = tx.Stamp(ctx); err != nil {
						return err
					}
				}
				data := "{}"
				if len(ev.Data) > 0 {
					b, err := json.Marshal(ev.Data)
					if err != nil {
						return fmt.Errorf("write an event of fact %s: %w", e.Fact.ID, err)
					}
					data = string(b)
				}
				n++
				out.add(f.bucket, f.Program, stamp, n, ids.NewIn(EventPrefix, e.Fact.RecordedAt, f.bucket), ev.Type, f.Member, e.Fact.ID,
					instant(e.Fact.OccurredAt), instant(e.Fact.RecordedAt), data)
			}
		}
	}
	return nil
}

// EventPrefix is the type prefix of events' ids.
const EventPrefix = "evt"

// keyRows go in the order of their keys, so that two transactions with the same ones wait and never lock each other out.
func (s *Sheet) keyRows(receipts, answers *rows) {
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
		answers.add(a.bucket(), a.Program, a.Client, a.Key, a.Hash, a.Status, a.Body, instant(a.At))
	}
}
