package books

import (
	"maps"
	"slices"
	"strings"
	"time"

	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ledger"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
)

// Folio is one account in a Sheet: what was read of it, and what was decided since.
type Folio struct {
	Ref
	// State is the account's state after the last fact.
	State engine.State

	sheet  *Sheet
	bucket int32
	// look is a moment at which the account is to be looked at though its state plans nothing then; nil for none.
	look *time.Time
	// stored is the sequence number up to which facts are in the database.
	stored int64
	// lots holds what is known of them, open lists the numbers of those with something left, rising. allOpen says that no
	// open lot is missing.
	lots    map[int64]*ledger.Lot
	open    []int64
	allOpen bool
	allLots bool // none at all is missing
	dirty   map[int64]bool
	// whole says that everything of the account is here, so that nothing needs to be read.
	whole       bool
	tallies     map[string]*tally
	allTallies  bool
	redemptions map[string]*engine.RedemptionState
	changed     map[string]bool // redemptions to write
	// past holds facts that were read, with their children that were read; nil for those that are not there.
	past map[string]*engine.Past
	// history holds all facts that were read for rebuilding a metric, nil when none were.
	history []engine.Past
	// known is what is remembered of the account as it was read, and read what was read besides; nil where nothing is remembered.
	known *remembered
	read  *reading
	// entries are the facts decided in this sheet, byID and children their places.
	entries  []Entry
	byID     map[string]int
	children map[string][]int
}

// tally is a counter: what was read of it and what was added since, by period.
type tally struct {
	ranges []engine.TallyRange
	all    bool
	base   map[string]int64
	added  map[string]int64
}

func newTally() *tally { return &tally{base: map[string]int64{}, added: map[string]int64{}} }

func (t *tally) covers(r engine.TallyRange) bool {
	if t == nil {
		return false
	}
	return t.all || slices.ContainsFunc(t.ranges, func(have engine.TallyRange) bool { return have.From <= r.From && r.To <= have.To })
}

func (t *tally) clone() *tally {
	return &tally{slices.Clone(t.ranges), t.all, maps.Clone(t.base), maps.Clone(t.added)}
}

// add gives false on overflow.
func (t *tally) add(period string, n int64) error {
	sum, err := money.Add(t.added[period], n)
	if err != nil {
		return errs.Invalid("too_large", "A counter would become larger than can be kept.")
	}
	t.added[period] = sum
	return nil
}

// set makes the counters what they are counted to be.
func (t *tally) set(to map[string]int64) error {
	now := map[string]int64{}
	t.values(everyPeriod(""), now)
	for period, n := range now {
		if err := t.add(period, to[period]-n); err != nil {
			return err
		}
	}
	for period, n := range to {
		if _, had := now[period]; had {
			continue
		}
		if err := t.add(period, n); err != nil {
			return err
		}
	}
	return nil
}

// values gives the counters with from <= period <= to. Several needs may ask for the same one.
func (t *tally) values(r engine.TallyRange, into map[string]int64) {
	if t == nil {
		return
	}
	for period, n := range t.base {
		if r.From <= period && period <= r.To {
			into[period] = n
		}
	}
	for period, n := range t.added {
		if r.From <= period && period <= r.To {
			into[period] = t.base[period] + n
		}
	}
}

func (f *Folio) tally(name string) *tally {
	t := f.tallies[name]
	if t == nil {
		t = newTally()
		f.tallies[name] = t
	}
	return t
}

// Entries gives the facts decided in this sheet, in order.
func (f *Folio) Entries() []Entry { return f.entries }

// LookAt has the sweep look at the account at a moment, though its state plans nothing then; nil calls it off.
func (f *Folio) LookAt(at *time.Time) { f.look = at }

// dueAt is the next moment at which the sweep looks at the account.
func (f *Folio) dueAt() *time.Time {
	if due := f.State.DueAt; due != nil && (f.look == nil || due.Before(*f.look)) {
		return due
	}
	return f.look
}

// Mark gives a function that takes the folio back to where it is now, and what its facts did to the counters of the whole
// program with it.
func (f *Folio) Mark() func() {
	was := *f
	was.lots, was.open, was.dirty = maps.Clone(f.lots), slices.Clone(f.open), maps.Clone(f.dirty)
	was.tallies = make(map[string]*tally, len(f.tallies))
	for name, t := range f.tallies {
		was.tallies[name] = t.clone()
	}
	was.redemptions, was.changed = maps.Clone(f.redemptions), maps.Clone(f.changed)
	was.past, was.byID = maps.Clone(f.past), maps.Clone(f.byID)
	was.entries = slices.Clone(f.entries)
	was.children = make(map[string][]int, len(f.children))
	for id, list := range f.children {
		was.children[id] = slices.Clone(list)
	}
	return func() {
		// Others may have counted on since: take back what is ours, and only that.
		for _, e := range f.entries[len(was.entries):] {
			for _, c := range e.Decision.Counters {
				if strings.HasPrefix(c.Name, engine.ProgramTally) {
					f.sheet.counters[counterKey{f.Program, c.Name}].added[c.Period] -= c.Add
				}
			}
		}
		*f = was
	}
}

// About lists the facts of this sheet whose parent is the given fact.
func (f *Folio) About(id string) []Entry {
	var out []Entry
	for _, i := range f.children[id] {
		out = append(out, f.entries[i])
	}
	return out
}

// Input makes what a fact is decided from. It must have been fetched before.
func (f *Folio) Input(p Deciding) engine.Input {
	n := p.Needs
	acc := &engine.Account{Program: f.Program, Member: f.Member, State: f.State, Tallies: map[string]map[string]int64{}}
	in := engine.Input{Account: acc, Fact: p.Fact, Past: f.pastOf(n)}

	wanted := map[int64]bool{}
	f.namedLots(in.Past, wanted)
	for _, id := range n.LotIDs {
		wanted[id] = true
	}
	for _, id := range f.redemptionsWanted(n, in.Past) {
		if r := f.redemptions[id]; r != nil {
			if in.Redemptions == nil {
				in.Redemptions = map[string]*engine.RedemptionState{}
			}
			c := *r
			in.Redemptions[id] = &c
			f.lotsIn(r, wanted)
		}
	}
	if n.Lots {
		for _, id := range f.open {
			wanted[id] = true
		}
	}
	for _, id := range slices.Sorted(maps.Keys(wanted)) {
		if l := f.lots[id]; l != nil {
			acc.Lots = append(acc.Lots, l)
		}
	}
	for _, r := range n.Tallies {
		m := acc.Tallies[r.Name]
		if m == nil {
			m = map[string]int64{}
			acc.Tallies[r.Name] = m
		}
		f.tallyOf(r.Name).values(r, m)
		noZeros(m)
	}
	if len(n.Rebuild) > 0 {
		past := slices.Clone(f.history)
		for _, e := range f.entries {
			past = append(past, engine.Past{Fact: e.Fact, Decision: e.Decision})
		}
		in.Rebuilt = make(map[string]map[string]int64, len(n.Rebuild))
		for _, name := range n.Rebuild {
			in.Rebuilt[name] = engine.Rebuild(p.Program, name, past)
		}
	}
	if n.AllTallies {
		for name, t := range f.tallies {
			m := map[string]int64{}
			t.values(everyPeriod(name), m)
			noZeros(m)
			acc.Tallies[name] = m
		}
	}
	return in
}

// noZeros makes a counter that came back to zero look like one that was never touched: whether there is a row of it
// depends on what shared a transaction.
func noZeros(m map[string]int64) {
	maps.DeleteFunc(m, func(_ string, n int64) bool { return n == 0 })
}

// everyPeriod is a range that holds all periods of a name: they begin with a digit or are "all".
func everyPeriod(name string) engine.TallyRange {
	return engine.TallyRange{Name: name, From: "", To: "~"}
}

func (f *Folio) tallyOf(name string) *tally {
	if strings.HasPrefix(name, engine.ProgramTally) {
		return f.sheet.counters[counterKey{f.Program, name}]
	}
	return f.tallies[name]
}

// seen gives the counters of the whole program that the needs name, without zeros; nil when there are none.
func (f *Folio) seen(n engine.Needs) map[string]map[string]int64 {
	var out map[string]map[string]int64
	for _, r := range n.Tallies {
		if !strings.HasPrefix(r.Name, engine.ProgramTally) {
			continue
		}
		m := map[string]int64{}
		f.tallyOf(r.Name).values(r, m)
		noZeros(m)
		if len(m) == 0 {
			continue
		}
		if out == nil {
			out = map[string]map[string]int64{}
		}
		if out[r.Name] == nil {
			out[r.Name] = m
		} else {
			maps.Copy(out[r.Name], m)
		}
	}
	return out
}

// pastOf gives the first past fact that the needs name, with its children of this sheet; nil when it is not there.
func (f *Folio) pastOf(n engine.Needs) *engine.Past {
	if len(n.Past) == 0 {
		return nil
	}
	return f.Past(n.Past[0])
}

// Past gives an earlier fact that is in the folio, by its id or as SOURCE/EXTERNAL_ID, with all the facts about it; nil
// when it is not there.
func (f *Folio) Past(ref string) *engine.Past {
	var out engine.Past
	if read := f.past[ref]; read != nil {
		out = *read
		out.Children = slices.Clone(read.Children)
	} else {
		place, ok := f.byID[ref]
		if !ok {
			return nil
		}
		out = engine.Past{Fact: f.entries[place].Fact, Decision: f.entries[place].Decision}
	}
	for _, i := range f.children[out.Fact.ID] {
		out.Children = append(out.Children, engine.Past{Fact: f.entries[i].Fact, Decision: f.entries[i].Decision})
	}
	return &out
}

// namedLots notes the numbers of the folio's own lots in the postings of a past fact and its children.
func (f *Folio) namedLots(p *engine.Past, into map[int64]bool) {
	if p == nil {
		return
	}
	if p.Fact.Member == f.Member {
		for _, post := range p.Decision.Postings {
			if post.Lot != 0 {
				into[post.Lot] = true
			}
		}
	}
	if f.foreign(p) {
		for id, l := range f.lots {
			if l.Fact == p.Fact.ID {
				into[id] = true
			}
		}
	}
	for i := range p.Children {
		f.namedLots(&p.Children[i], into)
	}
}

// foreign says whether a past fact stands in the books of a member who was merged into the folio's.
func (f *Folio) foreign(p *engine.Past) bool { return p != nil && p.Fact.Member != f.Member }

// lotsIn notes the numbers of the folio's own lots in a redemption.
func (f *Folio) lotsIn(r *engine.RedemptionState, into map[int64]bool) {
	if r.Member != f.Member {
		return
	}
	for _, l := range r.Lots {
		into[l.Lot] = true
	}
}

// redemptionsWanted lists the redemptions that the needs or the past fact's decisions name.
func (f *Folio) redemptionsWanted(n engine.Needs, p *engine.Past) []string {
	out := slices.Clone(n.Redemptions)
	if p != nil {
		out = append(out, redemptionsNamed(p, nil)...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func redemptionsNamed(p *engine.Past, out []string) []string {
	for _, r := range p.Decision.Redemptions {
		out = append(out, r.ID)
	}
	if p.Fact.Purchase != nil {
		out = append(out, p.Fact.Purchase.Redemptions...)
	}
	for i := range p.Children {
		out = redemptionsNamed(&p.Children[i], out)
	}
	return out
}

// Deciding is a fact about to be decided, with what that needs.
type Deciding struct {
	Folio   *Folio
	Program *program.Compiled
	Fact    engine.Fact
	Needs   engine.Needs
}

// Post takes a decision into the folio: the account after it, and the fact as an entry to be written. in is what it was
// decided from.
func (f *Folio) Post(p Deciding, in engine.Input, d engine.Decision, after *engine.Account) error {
	e := Entry{Seq: after.State.Seq, Fact: p.Fact, Decision: d, Seen: f.seen(p.Needs)}
	if err := f.settle(in, d, after); err != nil {
		return err
	}
	f.add(e)
	return nil
}

func (f *Folio) add(e Entry) {
	f.entries = append(f.entries, e)
	f.byID[e.Fact.ID] = len(f.entries) - 1
	if e.Fact.Source != "" && e.Fact.ExternalID != "" {
		f.byID[e.Fact.Source+"/"+e.Fact.ExternalID] = len(f.entries) - 1
	}
	if e.Fact.Parent != "" {
		f.children[e.Fact.Parent] = append(f.children[e.Fact.Parent], len(f.entries)-1)
	}
}

func (f *Folio) settle(in engine.Input, d engine.Decision, after *engine.Account) error {
	f.State = after.State
	for _, l := range after.Lots {
		if !l.Dirty && !l.New {
			continue
		}
		asStored(l)
		f.lots[l.ID], f.dirty[l.ID] = l, true
		at, found := slices.BinarySearch(f.open, l.ID)
		switch {
		case l.Open() && !found:
			f.open = slices.Insert(f.open, at, l.ID)
		case !l.Open() && found:
			f.open = slices.Delete(f.open, at, at+1)
		}
	}
	for name, periods := range in.Rebuilt {
		if err := f.tally(name).set(periods); err != nil {
			return err
		}
	}
	for _, c := range d.Counters {
		t := f.tallyOf(c.Name)
		if t == nil {
			if strings.HasPrefix(c.Name, engine.ProgramTally) {
				t = newTally()
				f.sheet.counters[counterKey{f.Program, c.Name}] = t
			} else {
				t = f.tally(c.Name)
			}
		}
		if err := t.add(c.Period, c.Add); err != nil {
			return err
		}
	}
	for i := range d.Redemptions {
		r := d.Redemptions[i]
		f.redemptions[r.ID], f.changed[r.ID] = &r, true
	}
	return nil
}

// asStored gives a lot's times the form in which they come back from the database, so that a decision does not depend on
// whether a lot was made in the same transaction.
func asStored(l *ledger.Lot) {
	l.EarnedAt = toTime(instant(l.EarnedAt))
	for _, t := range []**time.Time{&l.ExpiresAt, &l.ReleaseAt, &l.WarnAt} {
		if *t != nil {
			c := toTime(instant(**t))
			*t = &c
		}
	}
}

// Lots gives every lot that the folio holds, by number.
func (f *Folio) Lots() []*ledger.Lot {
	out := make([]*ledger.Lot, 0, len(f.lots))
	for _, id := range slices.Sorted(maps.Keys(f.lots)) {
		out = append(out, f.lots[id])
	}
	return out
}

// Tallies gives every counter of the member that the folio holds and that is not zero: name, then period.
func (f *Folio) Tallies() map[string]map[string]int64 {
	out := map[string]map[string]int64{}
	for name, t := range f.tallies {
		m := map[string]int64{}
		t.values(everyPeriod(name), m)
		noZeros(m)
		if len(m) > 0 {
			out[name] = m
		}
	}
	return out
}

// Account gives the account as it stands now, with the open lots that are known. Nothing in it may be changed.
func (f *Folio) Account() *engine.Account {
	acc := &engine.Account{Program: f.Program, Member: f.Member, State: f.State, Lots: make([]*ledger.Lot, 0, len(f.open))}
	for _, id := range f.open {
		acc.Lots = append(acc.Lots, f.lots[id])
	}
	return acc
}
