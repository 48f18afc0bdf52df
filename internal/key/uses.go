package key

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"lojal.dev/lojal/internal/db"
)

// usesEvery is how exact last_used_at is: one write a key and minute, however many requests come.
const usesEvery = time.Minute

// Uses remembers when keys were used, so that a request never waits for that to be written. The zero value is ready.
// It is safe for concurrent use.
type Uses struct {
	mu      sync.Mutex
	noted   map[string]time.Time // what was noted last, by key id
	waiting map[string]time.Time // what is not written yet
}

// Note remembers that the key was used, at most once a minute. It only takes a lock for a moment.
func (u *Uses) Note(k Key, now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	last, ok := u.noted[k.ID]
	if !ok && k.LastUsedAt != nil { // another process may have written it
		last, ok = *k.LastUsedAt, true
	}
	if ok && now.Sub(last) < usesEvery {
		return
	}
	if u.noted == nil {
		u.noted, u.waiting = map[string]time.Time{}, map[string]time.Time{}
	}
	u.noted[k.ID], u.waiting[k.ID] = now, now
}

const touchKey = `UPDATE keys SET last_used_at = $1 WHERE key_id = $2 AND (last_used_at IS NULL OR last_used_at < $1)`

// Flush writes what was noted, in order of id so that two processes cannot wait for each other. What could not be written
// is kept for the next time. A flow calls it now and then, and once before it ends.
func (u *Uses) Flush(ctx context.Context, tx *db.Tx) error {
	u.mu.Lock()
	waiting := u.waiting
	u.waiting = map[string]time.Time{}
	u.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(waiting)) {
		if _, err := tx.Exec(ctx, touchKey, waiting[id].UnixMicro(), id); err != nil {
			u.mu.Lock()
			for id, at := range waiting {
				if at.After(u.waiting[id]) {
					u.waiting[id] = at
				}
			}
			u.mu.Unlock()
			return fmt.Errorf("note the use of keys: %w", err)
		}
	}
	return nil
}

// Waiting says whether Flush has something to write, so that an idle server writes nothing.
func (u *Uses) Waiting() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.waiting) > 0
}
