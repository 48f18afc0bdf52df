package books

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/ledger"
)

// Memory remembers accounts as they were read, with their open lots and what was asked of their counters, so that who looks at an account again
// need not read and decode them anew. What it remembers holds for one row of the account alone: the number of its last fact and its state, letter by letter. A sheet
// reads that row in its own transaction before it asks, so that it does not matter who wrote in between, in this process or another. All that is
// remembered changes only with a fact of the account, and every fact changes that row.
//
// It keeps about as many bytes as it was made for. It is safe for concurrent use; nothing in what it gives may be changed.
type Memory struct {
	mu         sync.Mutex
	young, old map[Ref]*remembered
	size, most int // of young, estimated
}

// NewMemory makes a memory of about so many bytes; nil, which remembers nothing, for none.
func NewMemory(bytes int) *Memory {
	if bytes <= 0 {
		return nil
	}
	return &Memory{young: map[Ref]*remembered{}, most: bytes / 2}
}

// remembered is what is known of an account as one row of it stands. It never changes: who knows more puts another in its place.
type remembered struct {
	seq   int64
	text  string
	state engine.State
	// lots are all the open ones, by number, if known says so.
	lots    []*ledger.Lot
	known   bool
	tallies map[string]*counted
}

// counted is a counter of the member in the ranges that were asked for, the last ones first.
type counted struct {
	ranges []engine.TallyRange
	values map[string]int64
}

// keptRanges is how many ranges of one counter are remembered: a window that moves with the days asks for another one each day.
const keptRanges = 4

// bytes is about what it takes in memory.
func (r *remembered) bytes() int {
	n := 600 + 7*len(r.text) + 400*len(r.lots)
	for _, c := range r.tallies {
		n += 300 + 90*len(c.values)
	}
	return n
}

// find gives what is known of an account whose row reads like this, nil for nothing.
func (m *Memory) find(ref Ref, seq int64, text string) *remembered {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.young[ref]
	if !ok {
		if r, ok = m.old[ref]; !ok {
			return nil
		}
		delete(m.old, ref)
		m.put(ref, r)
	}
	if r.seq != seq || r.text != text {
		return nil
	}
	return r
}

// keep remembers an account in place of what was known of it.
func (m *Memory) keep(ref Ref, r *remembered) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.put(ref, r)
}

func (m *Memory) put(ref Ref, r *remembered) {
	if was := m.young[ref]; was != nil {
		m.size -= was.bytes()
	}
	if m.size += r.bytes(); m.size > m.most {
		m.old, m.young, m.size = m.young, map[Ref]*remembered{}, r.bytes()
	}
	m.young[ref] = r
}

// Remember has the sheet ask a memory, and tell it what it reads. It is for a sheet that reads only.
func (s *Sheet) Remember(m *Memory) { s.memory = m }

// Above has the sheet take accounts from another one of the same transaction, in which nothing was decided, where they are open there.
func (s *Sheet) Above(base *Sheet) { s.base = base }

// Recall puts into the folio what is remembered of what a fact needs, and says whether that is all of it.
func (f *Folio) Recall(n engine.Needs) bool {
	whole := len(n.Past)+len(n.LotIDs)+len(n.Redemptions)+len(n.Rebuild) == 0 && !n.AllTallies
	if f.known == nil {
		return whole && !n.Lots && len(n.Tallies) == 0
	}
	if n.Lots && !f.allOpen {
		if f.known.known {
			f.takeLots(f.known.lots)
		} else {
			whole = false
		}
	}
	if f.allTallies {
		return whole
	}
	for _, r := range n.Tallies {
		if strings.HasPrefix(r.Name, engine.ProgramTally) {
			whole = whole && f.sheet.counters[counterKey{f.Program, r.Name}].covers(r)
			continue
		}
		if f.tallies[r.Name].covers(r) {
			continue
		}
		c := f.known.tallies[r.Name]
		if !c.covers(r) {
			whole = false
			continue
		}
		t := f.tally(r.Name)
		t.ranges = append(t.ranges, r)
		for period, n := range c.values {
			if r.From <= period && period <= r.To {
				t.base[period] = n
			}
		}
	}
	return whole
}

// takeLots takes all open lots as they are stored; those that were changed in the sheet stay as they are.
func (f *Folio) takeLots(lots []*ledger.Lot) {
	f.allOpen = true
	if len(f.lots) == 0 {
		f.open = make([]int64, 0, len(lots)+1)
	}
	for _, l := range lots {
		if f.lots[l.ID] != nil {
			continue
		}
		f.lots[l.ID] = l
		if n := len(f.open); n == 0 || f.open[n-1] < l.ID {
			f.open = append(f.open, l.ID)
		} else if at, found := slices.BinarySearch(f.open, l.ID); !found {
			f.open = slices.Insert(f.open, at, l.ID)
		}
	}
}

func (c *counted) covers(r engine.TallyRange) bool {
	return c != nil && slices.ContainsFunc(c.ranges, func(have engine.TallyRange) bool { return have.From <= r.From && r.To <= have.To })
}

// reading is what a sheet has read of an account beyond its row.
type reading struct {
	lots    []*ledger.Lot
	known   bool
	tallies map[string]*counted
}

// reads gives the place for what is read of an account, nil where it is not remembered.
func (f *Folio) reads() *reading {
	if f.known == nil {
		return nil
	}
	if f.read == nil {
		f.read = &reading{}
	}
	return f.read
}

// counts notes that a range of a counter is being read.
func (r *reading) counts(tr engine.TallyRange) {
	if r == nil {
		return
	}
	if r.tallies == nil {
		r.tallies = map[string]*counted{}
	}
	c := r.tallies[tr.Name]
	if c == nil {
		c = &counted{values: map[string]int64{}}
		r.tallies[tr.Name] = c
	}
	c.ranges = append(c.ranges, tr)
}

// learn tells the memory what was read of the folios.
func (s *Sheet) learn(all []Deciding) {
	if s.memory == nil {
		return
	}
	for _, p := range all {
		f := p.Folio
		if f.read == nil {
			continue
		}
		r := *f.known
		if f.read.known {
			slices.SortFunc(f.read.lots, func(a, b *ledger.Lot) int { return int(a.ID - b.ID) })
			r.lots, r.known = f.read.lots, true
		}
		if len(f.read.tallies) > 0 {
			r.tallies = maps.Clone(r.tallies)
			if r.tallies == nil {
				r.tallies = map[string]*counted{}
			}
			for name, c := range f.read.tallies {
				r.tallies[name] = c.and(r.tallies[name])
			}
		}
		f.known, f.read = &r, nil
		s.memory.keep(f.Ref, &r)
	}
}

// and adds what was known before, as long as it is little.
func (c *counted) and(was *counted) *counted {
	if was == nil || len(was.ranges)+len(c.ranges) > keptRanges {
		return c
	}
	c.ranges = append(c.ranges, was.ranges...)
	maps.Copy(c.values, was.values) // of the same row, hence the same where both have it
	return c
}
