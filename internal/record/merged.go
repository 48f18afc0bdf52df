package record

import (
	"sync"

	"lojal.dev/lojal/internal/books"
)

// keptMerges is how many merges are remembered at least.
const keptMerges = 4096

// merges remembers who was merged into whom: the last keptMerges that were asked to be remembered, and up to as many before them. It saves
// a second round of locks, so nothing is lost with what it forgets.
type merges struct {
	mu         sync.RWMutex
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
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.young[ref] == into {
		return
	}
	if m.young == nil || len(m.young) >= keptMerges {
		m.old, m.young = m.young, map[books.Ref]books.Ref{}
	}
	m.young[ref] = into
}
