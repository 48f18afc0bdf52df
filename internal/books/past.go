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

const factColumns = `f.program_id, f.member_id, f.seq, f.id, f.kind, f.source, f.external_id, f.parent, f.occurred_at, f.recorded_at, f.actor, f.body, f.decision, f.seen, f.events`

// scanFact gives an entry and its program.
func scanFact(row db.Scanner) (Entry, string, error) {
	var program, decision string
	e, err := scanEntry(row, &program, &decision)
	return e, program, err
}

func scanEntry(row db.Scanner, program, decision *string) (Entry, error) {
	var (
		e                        Entry
		kind, text, seenBy, told string
		occurred, recorded       int64
	)
	f := &e.Fact
	if err := row.Scan(program, &f.Member, &e.Seq, &f.ID, &kind, &f.Source, &f.ExternalID, &f.Parent, &occurred, &recorded, &f.Actor,
		&text, decision, &seenBy, &told); err != nil {
		return Entry{}, err
	}
	f.Kind, f.OccurredAt, f.RecordedAt = engine.Kind(kind), toTime(occurred), toTime(recorded)
	unreadable := func(what string, err error) (Entry, error) {
		return e, &Unreadable{Ref{*program, f.Member}, fmt.Sprintf("facts %s seq %d", Ref{*program, f.Member}, e.Seq), f.ID, fmt.Errorf("%s: %w", what, err)}
	}
	if err := setBody(f, text); err != nil {
		return unreadable("its body", err)
	}
	if err := decodeDecision(*decision, &e.Decision); err != nil {
		return unreadable("its decision", err)
	}
	if told != "" {
		var err error
		if e.Decision.Events, err = decodeEvents(told); err != nil {
			return unreadable("its events", err)
		}
	}
	if seenBy != "" {
		if err := readJSON(seenBy, &e.Seen); err != nil {
			return unreadable("what its decision saw", err)
		}
	}
	return e, nil
}

// Unreadable is a row with a text that is not what was written.
type Unreadable struct {
	Ref
	// Row names it: table and key. Fact is the fact's id, where it is one.
	Row, Fact string
	Cause     error
}

func (u *Unreadable) Error() string { return fmt.Sprintf("%s cannot be read: %v", u.Row, u.Cause) }
func (u *Unreadable) Unwrap() error { return u.Cause }

func readJSON(text string, into any) error {
	if err := json.Unmarshal([]byte(text), into); err != nil {
		return fmt.Errorf("read JSON: %w", err)
	}
	return nil
}

func readState(st *engine.State, text string) error {
	*st = engine.State{}
	if text == "{}" {
		return nil
	}
	if err := decodeState(text, st); err != nil {
		return fmt.Errorf("read the state of an account: %w", err)
	}
	return nil
}

var factsByID = db.NewLookup(wantID, `
SELECT `+factColumns+`
FROM want CROSS JOIN facts f
WHERE f.bucket = want.bucket AND f.program_id = want.program_id AND f.id = want.id`)

var factsByParent = db.NewLookup(wantChild, `
SELECT `+factColumns+`
FROM want CROSS JOIN facts f
WHERE f.bucket = want.bucket AND f.program_id = want.program_id AND f.member_id = want.member_id AND f.parent = want.id AND f.parent <> ''
ORDER BY f.program_id, f.member_id, f.seq`)

var wantChild = append(slices.Clone(wantMember), "id text")

// fetchPast reads the past facts that are needed, each with all the facts about it.
//
// A fact belongs to the folio when its member is the folio's, or was merged into it: what is said about such a fact may
// stand in the books of both.
func (s *Sheet) fetchPast(ctx context.Context, tx *db.Tx, all []Deciding) error {
	type asked struct {
		f   *Folio
		ref string // as the needs say it
	}
	var (
		asks    []asked
		natural []asked
		byID    = map[string][]asked{} // program, a zero byte, id
	)
	for _, p := range all {
		for _, ref := range p.Needs.Past {
			f := p.Folio
			if _, have := f.past[ref]; have {
				continue
			}
			if _, have := f.byID[ref]; have {
				continue
			}
			f.past[ref] = nil
			a := asked{f, ref}
			asks = append(asks, a)
			if _, ok := ids.BucketOf(ref); ok {
				byID[f.Program+"\x00"+ref] = append(byID[f.Program+"\x00"+ref], a)
			} else if strings.Contains(ref, "/") {
				natural = append(natural, a)
			}
		}
	}
	if len(asks) == 0 {
		return nil
	}
	keys := make([]NaturalKey, len(natural))
	for i, a := range natural {
		keys[i] = keyOf(a.f.Program, a.ref)
	}
	receipts, err := Receipts(ctx, tx, keys)
	if err != nil {
		return err
	}
	for _, a := range natural {
		if r, ok := receipts[keyOf(a.f.Program, a.ref)]; ok {
			key := a.f.Program + "\x00" + r.Fact
			byID[key] = append(byID[key], a)
		}
	}

	var args []any
	for key := range byID {
		program, id, _ := strings.Cut(key, "\x00")
		bucket, _ := ids.BucketOf(id)
		args = append(args, bucket, program, id)
	}
	found := map[string]Entry{}
	err = among(ctx, tx, factsByID, args, func(row db.Scanner) error {
		e, program, err := scanFact(row)
		found[program+"\x00"+e.Fact.ID] = e
		return err
	})
	if err != nil {
		return err
	}

	var children []any
	type home struct {
		member Ref
		fact   string
	}
	owners := map[home][]*engine.Past{}
	merged := map[*engine.Past][]Ref{}
	for key, asks := range byID {
		e, ok := found[key]
		if !ok {
			continue
		}
		for _, a := range asks {
			line, err := s.lineage(ctx, tx, Ref{a.f.Program, e.Fact.Member}, a.f.Ref)
			if err != nil {
				return err
			}
			if line == nil {
				continue // somebody else's
			}
			p := &engine.Past{Fact: e.Fact, Decision: e.Decision}
			a.f.past[a.ref] = p
			if len(line) > 1 {
				merged[p] = line
			}
			for _, m := range line {
				if a.f.whole && m == a.f.Ref {
					continue // those of the folio itself are in it
				}
				h := home{m, e.Fact.ID}
				if len(owners[h]) == 0 {
					children = append(children, m.Bucket(), m.Program, m.Member, e.Fact.ID)
				}
				owners[h] = append(owners[h], p)
			}
		}
	}
	err = among(ctx, tx, factsByParent, children, func(row db.Scanner) error {
		e, program, err := scanFact(row)
		if err != nil {
			return err
		}
		for _, p := range owners[home{Ref{program, e.Fact.Member}, e.Fact.Parent}] {
			p.Children = append(p.Children, engine.Past{Fact: e.Fact, Decision: e.Decision})
		}
		return nil
	})
	if err != nil {
		return err
	}
	for p, line := range merged { // what was said before a merge comes before what was said after it, whoever is called what
		place := func(c *engine.Past) int {
			return slices.IndexFunc(line, func(m Ref) bool { return m.Member == c.Fact.Member })
		}
		slices.SortStableFunc(p.Children, func(a, b engine.Past) int { return cmp.Compare(place(&a), place(&b)) })
	}
	return nil
}

// maxMerges bounds how often a member was merged on.
const maxMerges = 100

// lineage lists the accounts from the one to the other over the merges between; nil when the first was not merged into
// the second.
func (s *Sheet) lineage(ctx context.Context, tx *db.Tx, from, to Ref) ([]Ref, error) {
	line := []Ref{from}
	for at := from; at != to; {
		var next string
		if f := s.folios[at]; f != nil {
			next = f.State.MergedInto
		} else {
			looked := ReadSheet()
			if err := looked.Open(ctx, tx, []Ref{at}); err != nil {
				return nil, err
			}
			next = looked.folios[at].State.MergedInto
		}
		if next == "" || len(line) > maxMerges {
			return nil, nil
		}
		at = Ref{at.Program, next}
		line = append(line, at)
	}
	return line, nil
}

func keyOf(program, ref string) NaturalKey {
	source, external, _ := strings.Cut(ref, "/")
	return NaturalKey{program, source, external}
}

var wholeHistory = db.NewLookup(wantMember, `
SELECT `+factColumns+`
FROM want CROSS JOIN facts f
WHERE f.bucket = want.bucket AND f.program_id = want.program_id AND f.member_id = want.member_id
ORDER BY f.program_id, f.member_id, f.seq`)

func (s *Sheet) fetchHistory(ctx context.Context, tx *db.Tx, all []Deciding) error {
	var args []any
	for _, p := range all {
		f := p.Folio
		if len(p.Needs.Rebuild) == 0 || f.whole || f.history != nil {
			continue
		}
		f.history = []engine.Past{}
		if f.stored > 0 {
			args = append(args, f.bucket, f.Program, f.Member)
		}
	}
	return among(ctx, tx, wholeHistory, args, func(row db.Scanner) error {
		e, program, err := scanFact(row)
		if err != nil {
			return err
		}
		f := s.folios[Ref{program, e.Fact.Member}]
		f.history = append(f.history, engine.Past{Fact: e.Fact, Decision: e.Decision})
		return nil
	})
}
