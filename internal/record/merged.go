package record

import (
	"sync"

	"lojal.dev/lojal/internal/books"
)

// keptMerges is how many merges are remembered at least.
const keptMerges = 4096

// keptNames is the same of what references named.
const keptNames = 32768

// merges remembers who was merged into whom, or whom a reference named: the last keptMerges, or most, that were asked to be remembered, and up to as
// many before them. It saves a second round of locks or reads, so nothing is lost with what it forgets.
type merges struct {
	mu         sync.RWMutex
	most       int
	young, old map[books.Ref]books.Ref
}

func (m *merges) find(ref books.Ref) (into books.Ref, ok bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if into, ok = m.young[ref]; !ok {
		into, ok = m.old[ref]
	}
	return into, ok
}

func (m *merges) remember(ref, into books.Ref) {
	m.mu.RLock()
	known := m.young[ref] == into
	m.mu.RUnlock()
	if known {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.young == nil || len(m.young) >= max(m.most, keptMerges) {
		m.old, m.young = m.young, map[books.Ref]books.Ref{}
	}
	m.young[ref] = into
}
