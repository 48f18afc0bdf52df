package books

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/ledger"
)

// Sheet is what one transaction knows of the books and what it will write: the folios of the accounts it touches, the
// counters of whole programs, receipts and answers. It is for one goroutine and one transaction.
type Sheet struct {
	// lock says that rows are locked as they are read: for a sheet that will be written.
	lock     bool
	folios   map[Ref]*Folio
	counters map[counterKey]*tally
	receipts []Receipt
	answers  []Answer
	memory   *Memory // nil for none
	base     *Sheet  // of the same transaction, with accounts as they were read; nil for none
}

type counterKey struct{ program, name string }

// NewSheet makes a sheet for reading and writing: what it opens is locked until the transaction ends.
func NewSheet() *Sheet {
	s := ReadSheet()
	s.lock = true
	return s
}

// ReadSheet makes a sheet for looking and trying: it locks nothing and cannot be written.
func ReadSheet() *Sheet {
	return &Sheet{folios: map[Ref]*Folio{}, counters: map[counterKey]*tally{}}
}

func (s *Sheet) folio(ref Ref) *Folio {
	f := s.folios[ref]
	if f == nil {
		f = &Folio{Ref: ref, sheet: s, bucket: ref.Bucket(), lots: map[int64]*ledger.Lot{}, dirty: map[int64]bool{}, tallies: map[string]*tally{},
			redemptions: map[string]*engine.RedemptionState{}, changed: map[string]bool{}, past: map[string]*engine.Past{},
			byID: map[string]int{}, children: map[string][]int{}}
		s.folios[ref] = f
	}
	return f
}

// Folio gives an account that was opened; nil when it was not.
func (s *Sheet) Folio(ref Ref) *Folio { return s.folios[ref] }

// Whole makes a folio that begins empty and has everything in it: for replaying an account from its first fact.
func (s *Sheet) Whole(ref Ref) *Folio {
	f := s.folio(ref)
	f.whole, f.allOpen, f.allTallies = true, true, true
	return f
}

// Decided gives all facts that were decided in the sheet, each with its account.
func (s *Sheet) Decided() iter.Seq2[*Folio, *Entry] {
	return func(yield func(*Folio, *Entry) bool) {
		for _, f := range s.folios {
			for i := range f.entries {
				if !yield(f, &f.entries[i]) {
					return
				}
			}
		}
	}
}

// Forget takes a folio out of the sheet, so that it does not grow over a long replay.
func (s *Sheet) Forget(ref Ref) { delete(s.folios, ref) }

// See sets what the next decision sees of the counters of the whole program, for a replay.
func (s *Sheet) See(program string, seen map[string]map[string]int64) {
	clear(s.counters)
	for name, periods := range seen {
		t := newTally()
		t.all = true
		maps.Copy(t.base, periods)
		s.counters[counterKey{program, name}] = t
	}
}

// The upsert takes the locks in the order of the rows and gives what it locked. An account that is not there yet is made,
// so that two enrolments of one id meet here; Write takes it away again when nothing came of it.
var lockAccounts = db.NewInsert("accounts", wantMember, `
ON CONFLICT (bucket, program_id, member_id) DO UPDATE SET revision = accounts.revision + 1
RETURNING program_id, member_id, seq, state`)

var readAccounts = db.NewLookup(wantMember, `
SELECT a.program_id, a.member_id, a.seq, a.state
FROM want CROSS JOIN accounts a
WHERE a.bucket = want.bucket AND a.program_id = want.program_id AND a.member_id = want.member_id`)

// Open reads the accounts that the sheet does not hold yet, and locks them in the order of their keys. An account that is
// not there is one with Seq 0.
func (s *Sheet) Open(ctx context.Context, tx *db.Tx, refs []Ref) error {
	ask := s.AskOpen(refs)
	var err error
	if s.lock && tx.Dialect() != db.SQLite { // SQLite's one writer needs no lock on what it reads
		err = tx.Insert(ctx, lockAccounts, ask.Args, ask.Scan)
	} else {
		err = tx.Find(ctx, ask)
	}
	if err != nil {
		return fmt.Errorf("open accounts: %w", err)
	}
	return nil
}

// AskOpen is Open, of a sheet that reads only, as a look-up among others.
func (s *Sheet) AskOpen(refs []Ref) db.Ask {
	var open []*Folio
	for _, ref := range refs {
		if s.folios[ref] != nil {
			continue
		}
		f := s.folio(ref)
		if s.base != nil && s.base.folios[ref] != nil {
			b := s.base.folios[ref]
			f.stored, f.State, f.known = b.stored, b.State, b.known
			continue
		}
		open = append(open, f)
	}
	slices.SortFunc(open, func(a, b *Folio) int {
		return cmp.Or(cmp.Compare(a.bucket, b.bucket), strings.Compare(a.Program, b.Program), strings.Compare(a.Member, b.Member))
	})
	args := make([]any, 0, 3*len(open))
	for _, f := range open {
		args = append(args, f.bucket, f.Program, f.Member)
	}
	return db.Ask{Lookup: readAccounts, Args: args, Scan: s.openRow}
}

// openRow takes an account as it is read.
func (s *Sheet) openRow(row db.Scanner) error {
	var (
		ref   Ref
		seq   int64
		state string
	)
	if err := row.Scan(&ref.Program, &ref.Member, &seq, &state); err != nil {
		return err
	}
	f := s.folios[ref]
	f.stored = seq
	if f.known = s.memory.find(ref, seq, state); f.known != nil {
		f.State = f.known.state
		return nil
	}
	if err := readState(&f.State, state); err != nil {
		return &Unreadable{ref, "accounts " + ref.String(), "", err}
	}
	if s.memory != nil {
		f.known = &remembered{seq: seq, text: state, state: f.State}
		s.memory.keep(ref, f.known)
	}
	return nil
}

// Fetch reads what the facts about to be decided need and the sheet does not hold: one statement for each kind of row,
// whatever the number of facts.
func (s *Sheet) Fetch(ctx context.Context, tx *db.Tx, all []Deciding) error {
	if err := s.fetchPast(ctx, tx, all); err != nil {
		return fmt.Errorf("read past facts: %w", err)
	}
	if err := s.fetchRedemptions(ctx, tx, all); err != nil {
		return fmt.Errorf("read redemptions: %w", err)
	}
	if err := tx.Find(ctx, append(s.askLots(all), s.askTallies(all)...)...); err != nil {
		return fmt.Errorf("read lots and counters: %w", err)
	}
	s.learn(all)
	if err := s.LockCounters(ctx, tx, all); err != nil {
		return err
	}
	if err := s.fetchHistory(ctx, tx, all); err != nil {
		return fmt.Errorf("read whole histories: %w", err)
	}
	return nil
}

const lotColumns = `l.lot, l.unit, l.fact_id, l.earned_at, l.expires_at, l.release_at, l.confirm, l.warn_at, l.amount, l.spendable, l.pending, l.reserved, l.gone`

var openLots = db.NewLookup(wantMember, `
SELECT l.program_id, l.member_id, `+lotColumns+`
FROM want CROSS JOIN lots l
WHERE l.bucket = want.bucket AND l.program_id = want.program_id AND l.member_id = want.member_id AND l.remaining > 0`)

var everyLot = db.NewLookup(wantMember, `
SELECT l.program_id, l.member_id, `+lotColumns+`
FROM want CROSS JOIN lots l
WHERE l.bucket = want.bucket AND l.program_id = want.program_id AND l.member_id = want.member_id`)

var someLots = db.NewLookup(wantLot, `
SELECT l.program_id, l.member_id, `+lotColumns+`
FROM want CROSS JOIN lots l
WHERE l.bucket = want.bucket AND l.program_id = want.program_id AND l.member_id = want.member_id AND l.lot = want.lot`)

var wantLot = append(slices.Clone(wantMember), "lot bigint")

func (s *Sheet) askLots(all []Deciding) []db.Ask {
	var open, some, every []any
	asked := map[*Folio]map[int64]bool{}
	for _, p := range all {
		f := p.Folio
		if f.known != nil {
			f.Recall(p.Needs)
		}
		if p.Needs.Lots && !f.allOpen {
			f.allOpen = true
			if f.stored > 0 {
				open = append(open, f.bucket, f.Program, f.Member)
				if r := f.reads(); r != nil {
					r.known = true
				}
			}
		}
		if f.whole {
			continue
		}
		named := map[int64]bool{}
		past := f.pastOf(p.Needs)
		if f.foreign(past) && !f.allLots && f.stored > 0 { // what went over in the merge has numbers that the fact does not name
			f.allLots = true
			every = append(every, f.bucket, f.Program, f.Member)
		}
		f.namedLots(past, named)
		for _, id := range p.Needs.LotIDs {
			named[id] = true
		}
		for _, id := range f.redemptionsWanted(p.Needs, past) {
			if r := f.redemptions[id]; r != nil {
				f.lotsIn(r, named)
			}
		}
		for id := range named {
			if asked[f] == nil {
				asked[f] = map[int64]bool{}
			}
			if f.lots[id] == nil && !asked[f][id] {
				asked[f][id] = true
				some = append(some, f.bucket, f.Program, f.Member, id)
			}
		}
	}
	if len(open)+len(some)+len(every) == 0 {
		return nil
	}
	var ref Ref
	reader := newLotReader(&ref.Program, &ref.Member)
	take := func(row db.Scanner, ofAll bool) error {
		read, err := reader.read(row)
		if err != nil {
			return err
		}
		f := s.folios[ref]
		if ofAll && f.read != nil {
			stored := read
			f.read.lots = append(f.read.lots, &stored)
		}
		if f.lots[read.ID] != nil {
			return nil // changed in this sheet since, or read twice
		}
		l := &read
		f.lots[l.ID] = l
		if at, found := slices.BinarySearch(f.open, l.ID); l.Open() && !found {
			f.open = slices.Insert(f.open, at, l.ID)
		}
		return nil
	}
	scan := func(row db.Scanner) error { return take(row, false) }
	scanOpen := func(row db.Scanner) error { return take(row, true) }
	return []db.Ask{{Lookup: openLots, Args: open, Scan: scanOpen}, {Lookup: everyLot, Args: every, Scan: scan}, {Lookup: someLots, Args: some, Scan: scan}}
}

// A tier's window may be hundreds of days: to hand each over as a row would cost more than all else that a purchase reads. So
// the database makes one text of them, PERIOD=VALUE with commas between.
var someTallies = db.NewLookup(wantTally, `
SELECT want.program_id, want.member_id, want.name, COALESCE((
	SELECT string_agg(t.period || '=' || CAST(t.value AS TEXT), ',') FROM tallies t
	WHERE t.bucket = want.bucket AND t.program_id = want.program_id AND t.member_id = want.member_id AND t.name = want.name
		AND t.period >= want.first AND t.period <= want.last), '')
FROM want`)

var allTallies = db.NewLookup(wantMember, `
SELECT t.program_id, t.member_id, t.name, t.period, t.value
FROM want CROSS JOIN tallies t
WHERE t.bucket = want.bucket AND t.program_id = want.program_id AND t.member_id = want.member_id`)

// lastPeriod gives the end of a range of periods as the database compares texts: an end beyond all periods is said with
// letters, since only they come after digits in every collation.
func lastPeriod(to string) string {
	if to >= "z" {
		return "zzzz"
	}
	return to
}

var wantTally = append(slices.Clone(wantMember), "name text", "first text", "last text")

func (s *Sheet) askTallies(all []Deciding) []db.Ask {
	var some, every []any
	for _, p := range all {
		f := p.Folio
		if f.allTallies {
			continue
		}
		if p.Needs.AllTallies {
			f.allTallies = true
			if f.stored > 0 {
				every = append(every, f.bucket, f.Program, f.Member)
			}
			continue
		}
		ranges := p.Needs.Tallies
		for _, name := range p.Needs.Rebuild {
			ranges = append(slices.Clone(ranges), everyPeriod(name))
		}
		for _, r := range ranges {
			if strings.HasPrefix(r.Name, engine.ProgramTally) || f.tallies[r.Name].covers(r) {
				continue
			}
			t := f.tally(r.Name)
			t.ranges = append(t.ranges, r)
			if f.stored > 0 {
				some = append(some, f.bucket, f.Program, f.Member, r.Name, r.From, lastPeriod(r.To))
				f.reads().counts(r)
			}
		}
	}
	scan := func(row db.Scanner) error {
		var (
			ref          Ref
			name, period string
			value        int64
		)
		if err := row.Scan(&ref.Program, &ref.Member, &name, &period, &value); err != nil {
			return err
		}
		s.folios[ref].tally(name).base[period] = value
		return nil
	}
	scanSome := func(row db.Scanner) error {
		var ref Ref
		var name, text string
		if err := row.Scan(&ref.Program, &ref.Member, &name, &text); err != nil || text == "" {
			return err
		}
		f := s.folios[ref]
		base := f.tally(name).base
		for one := range strings.SplitSeq(text, ",") {
			period, value, _ := strings.Cut(one, "=")
			n, err := strconv.ParseInt(value, 10, 64)
			if err != nil {
				return fmt.Errorf("read the counter %s: %w", name, err)
			}
			base[period] = n
			if f.read != nil {
				f.read.tallies[name].values[period] = n
			}
		}
		return nil
	}
	return []db.Ask{{Lookup: someTallies, Args: some, Scan: scanSome}, {Lookup: allTallies, Args: every, Scan: scan}}
}

// A counter of the whole program is taken once a batch, after the accounts and in the order of its key, so that
// transactions that want the same ones wait and never lock each other out.
var lockCounters = db.NewInsert("tallies", tallyColumns, `
ON CONFLICT (bucket, program_id, member_id, name, period) DO UPDATE SET value = tallies.value
RETURNING program_id, name, period, value`)

// LockCounters is the part of Fetch that waits for others. Asked for first, for everything that is known to be wanted, it keeps
// two transactions from taking the same counters in two orders.
func (s *Sheet) LockCounters(ctx context.Context, tx *db.Tx, all []Deciding) error {
	if err := s.lockCounters(ctx, tx, all); err != nil {
		return fmt.Errorf("read the program's counters: %w", err)
	}
	return nil
}

func (s *Sheet) lockCounters(ctx context.Context, tx *db.Tx, all []Deciding) error {
	var rows []counterRow
	for _, p := range all {
		if p.Folio.whole {
			continue // what a replayed decision saw is told by See
		}
		for _, r := range p.Needs.Tallies {
			key := counterKey{p.Folio.Program, r.Name}
			if !strings.HasPrefix(r.Name, engine.ProgramTally) || s.counters[key].covers(r) {
				continue
			}
			t := s.counters[key]
			if t == nil {
				t = newTally()
				s.counters[key] = t
			}
			t.ranges = append(t.ranges, r)
			rows = append(rows, counterRow{ids.Bucket(key.program, key.name), key, r})
		}
	}
	if len(rows) == 0 {
		return nil
	}
	slices.SortFunc(rows, func(a, b counterRow) int {
		return cmp.Or(cmp.Compare(a.bucket, b.bucket), strings.Compare(a.program, b.program), strings.Compare(a.name, b.name), strings.Compare(a.From, b.From))
	})
	scan := func(row db.Scanner) error {
		var (
			key    counterKey
			period string
			value  int64
		)
		if err := row.Scan(&key.program, &key.name, &period, &value); err != nil {
			return err
		}
		s.counters[key].base[period] = value
		return nil
	}
	var locked, read []any
	for _, r := range rows {
		if s.lock && r.From == r.To && tx.Dialect() != db.SQLite {
			locked = append(locked, r.bucket, r.program, "", r.name, r.From, 0)
		} else {
			read = append(read, r.bucket, r.program, "", r.name, r.From, lastPeriod(r.To))
		}
	}
	if err := tx.Insert(ctx, lockCounters, locked, scan); err != nil {
		return err
	}
	return among(ctx, tx, readCounters, read, scan)
}

var readCounters = db.NewLookup(wantTally, `
SELECT t.program_id, t.name, t.period, t.value
FROM want CROSS JOIN tallies t
WHERE t.bucket = want.bucket AND t.program_id = want.program_id AND t.member_id = want.member_id AND t.name = want.name
	AND t.period >= want.first AND t.period <= want.last`)

type counterRow struct {
	bucket int32
	counterKey
	engine.TallyRange
}

var someRedemptions = db.NewLookup(wantID, `
SELECT r.program_id, r.member_id, r.id, r.state
FROM want CROSS JOIN redemptions r
WHERE r.bucket = want.bucket AND r.program_id = want.program_id AND r.id = want.id`)

func (s *Sheet) fetchRedemptions(ctx context.Context, tx *db.Tx, all []Deciding) error {
	var args []any
	askers := map[string][]*Folio{} // program, a zero byte, id
	for _, p := range all {
		f := p.Folio
		for _, id := range f.redemptionsWanted(p.Needs, f.pastOf(p.Needs)) {
			bucket, ok := ids.BucketOf(id)
			if _, have := f.redemptions[id]; have || !ok {
				continue
			}
			if f.whole && bucket == f.bucket {
				continue
			}
			key := f.Program + "\x00" + id
			if len(askers[key]) == 0 {
				args = append(args, bucket, f.Program, id)
			}
			askers[key] = append(askers[key], f)
		}
	}
	type read struct {
		owner Ref
		state engine.RedemptionState
	}
	var found []read
	err := among(ctx, tx, someRedemptions, args, func(row db.Scanner) error {
		var r read
		var id, text string
		if err := row.Scan(&r.owner.Program, &r.owner.Member, &id, &text); err != nil {
			return err
		}
		if err := readJSON(text, &r.state); err != nil {
			return &Unreadable{r.owner, fmt.Sprintf("redemptions %s %s", r.owner, id), "", err}
		}
		found = append(found, r)
		return nil
	})
	if err != nil {
		return err
	}
	for _, r := range found {
		for _, f := range askers[r.owner.Program+"\x00"+r.state.ID] {
			line, err := s.lineage(ctx, tx, r.owner, f.Ref)
			if err != nil {
				return err
			}
			if line == nil {
				continue // somebody else's
			}
			state := r.state
			if f.whole {
				if state, err = redemptionThen(ctx, tx, line[:len(line)-1], r.state.ID); err != nil {
					return err
				}
			}
			f.redemptions[state.ID] = &state
		}
	}
	return nil
}

// redemptionThen gives a redemption as the members who were merged on left it.
func redemptionThen(ctx context.Context, tx *db.Tx, line []Ref, id string) (engine.RedemptionState, error) {
	var out engine.RedemptionState
	for _, m := range line {
		err := among(ctx, tx, wholeHistory, []any{m.Bucket(), m.Program, m.Member}, func(row db.Scanner) error {
			e, _, err := scanFact(row)
			for _, r := range e.Decision.Redemptions {
				if r.ID == id {
					out = r
				}
			}
			return err
		})
		if err != nil {
			return out, err
		}
	}
	return out, nil
}
