package version

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/program"
)

// Set holds all the published versions of a program, compiled. It never changes and is safe for concurrent use.
type Set struct {
	versions []*one // by number, from 1
	order    []*one // those that are ever in force, as they come into it
	// replans are the moments at which a version begins that plans otherwise than the one before it (program.Compiled.Plan).
	replans []time.Time
}

type one struct {
	Published
	compiled *program.Compiled
}

// At gives the version in force at t; nil before the first one begins, which happens only where that was published with a
// time from which it counts.
func (s *Set) At(t time.Time) *program.Compiled {
	if v := s.at(t); v != nil {
		return v.compiled
	}
	return nil
}

func (s *Set) at(t time.Time) *one {
	n, _ := slices.BinarySearchFunc(s.order, t, func(v *one, t time.Time) int {
		if v.EffectiveFrom.After(t) {
			return 1
		}
		return -1
	})
	if n == 0 {
		return nil
	}
	return s.order[n-1]
}

// Version gives the version with the number, nil when there is none.
func (s *Set) Version(n int64) *program.Compiled {
	if n < 1 || n > int64(len(s.versions)) {
		return nil
	}
	return s.versions[n-1].compiled
}

// Planned gives the version with the one that takes its place, as far as is known now.
func (s *Set) Planned(p Published) Published {
	p.ReplacedBy, p.ReplacedAt = 0, time.Time{}
	at := slices.IndexFunc(s.order, func(v *one) bool { return v.Version == p.Version })
	if at >= 0 && at+1 < len(s.order) {
		next := s.at(s.order[at+1].EffectiveFrom) // of several that begin then, the one that counts
		p.ReplacedBy, p.ReplacedAt = next.Version, next.EffectiveFrom
	}
	return p
}

// Latest gives the version with the highest number, in force or not yet.
func (s *Set) Latest() *program.Compiled { return s.versions[len(s.versions)-1].compiled }

// List gives what is known of the versions, by number.
func (s *Set) List() []Published {
	out := make([]Published, len(s.versions))
	for i, v := range s.versions {
		out[i] = v.Published
	}
	return out
}

// newSet orders the versions as they come into force; at one moment the higher number is later, hence wins. A version from
// the beginning of time leaves nothing to those before it.
func newSet(versions []*one) *Set {
	s := &Set{versions: versions}
	for _, v := range versions {
		if v.EffectiveFrom.IsZero() {
			s.order = nil
		}
		s.order = append(s.order, v)
	}
	slices.SortStableFunc(s.order, func(a, b *one) int { return a.EffectiveFrom.Compare(b.EffectiveFrom) })
	var was *one
	for i, v := range s.order {
		if i+1 < len(s.order) && s.order[i+1].EffectiveFrom.Equal(v.EffectiveFrom) {
			continue
		}
		if was != nil && was.compiled.Plan != v.compiled.Plan {
			s.replans = append(s.replans, v.EffectiveFrom)
		}
		was = v
	}
	return s
}

// Replan gives the first moment after one and not after another at which a version begins that plans otherwise than the one
// before it.
func (s *Set) Replan(after, until time.Time) (time.Time, bool) {
	n, _ := slices.BinarySearchFunc(s.replans, after, func(at, after time.Time) int {
		if at.After(after) {
			return 1
		}
		return -1
	})
	if n == len(s.replans) || s.replans[n].After(until) {
		return time.Time{}, false
	}
	return s.replans[n], true
}

// ReplannedSince says whether a version that has come into force since another did plans otherwise than the one before it, or
// may have: when the other one is not known or was never in force.
func (s *Set) ReplannedSince(version int64, now time.Time) bool {
	from := slices.IndexFunc(s.order, func(v *one) bool { return v.Version == version })
	was := ""
	for i, v := range s.order {
		if v.EffectiveFrom.After(now) {
			break
		}
		if i > max(from, 0) && v.compiled.Plan != was {
			return true
		}
		was = v.compiled.Plan
	}
	return false
}

// Load reads and compiles all the versions of a program. The error is not_found "program_not_found" when it has none.
func Load(ctx context.Context, tx *db.Tx, id string) (*Set, error) {
	s, err := load(ctx, tx, id, nil)
	if err == nil && len(s.versions) == 0 {
		return nil, NoProgram(id)
	}
	return s, err
}

const loadVersions = `
SELECT version, effective_from, published_at, published_by, hash, rollback_of, document
FROM versions WHERE program_id = $1 ORDER BY version`

// load compiles only what known does not hold already.
func load(ctx context.Context, tx *db.Tx, id string, known *Set) (*Set, error) {
	var versions []*one
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		var text string
		p, err := scan(row, id, &text)
		if err != nil {
			return err
		}
		if p.Version != int64(len(versions))+1 {
			return fmt.Errorf("version %d is missing", len(versions)+1)
		}
		v := &one{Published: p}
		if known != nil && len(known.versions) >= int(p.Version) && known.versions[p.Version-1].Hash == p.Hash {
			v.compiled = known.versions[p.Version-1].compiled
		} else if v.compiled, err = compile(text, p.Version); err != nil {
			return fmt.Errorf("version %d: %w", p.Version, err)
		}
		versions = append(versions, v)
		return nil
	}, loadVersions, id)
	if err != nil {
		return nil, fmt.Errorf("load the versions of %s: %w", id, err)
	}
	return newSet(versions), nil
}

func compile(text string, n int64) (*program.Compiled, error) {
	doc, err := program.Parse([]byte(text), "")
	if err != nil {
		return nil, err
	}
	return program.Compile(doc, n)
}

// Cache gives the versions of programs without reading and compiling them each time. The zero value is ready. It is safe for
// concurrent use.
type Cache struct {
	mu   sync.Mutex
	sets map[string]*Set
}

// The newest version's row says whether the cached set is stale. Its number alone would not do: a set that was read in a
// transaction which is rolled back would pass for one that another publication makes under the same number.
var newestVersions = db.NewLookup([]string{"program_id text"}, `
SELECT v.program_id, v.version, v.effective_from, v.published_at, v.published_by, v.hash, v.rollback_of
FROM want CROSS JOIN versions v
WHERE v.program_id = want.program_id AND v.version = (SELECT MAX(m.version) FROM versions m WHERE m.program_id = want.program_id)`)

// Get gives the versions of a program as tx sees them: a version that another process published is seen by the next
// transaction. It costs one small read when nothing is new. The error is not_found "program_not_found" when there are none.
func (c *Cache) Get(ctx context.Context, tx *db.Tx, id string) (*Set, error) {
	found, err := c.Find(ctx, tx, []string{id})
	if err != nil {
		return nil, err
	}
	if found[id] == nil {
		return nil, NoProgram(id)
	}
	return found[id], nil
}

// Find is Get for several programs, with other look-ups in the same round trip. A program that is not there is left out.
func (c *Cache) Find(ctx context.Context, tx *db.Tx, list []string, more ...db.Ask) (map[string]*Set, error) {
	args := make([]any, len(list))
	for i, id := range list {
		args[i] = id
	}
	newest := make(map[string]Published, len(list))
	ask := db.Ask{Lookup: newestVersions, Args: args, Scan: func(row db.Scanner) error {
		var id string
		p, err := scan(first{row, &id}, "")
		p.Program = id
		newest[id] = p
		return err
	}}
	if err := tx.Find(ctx, append([]db.Ask{ask}, more...)...); err != nil {
		return nil, fmt.Errorf("look for versions: %w", err)
	}
	out := make(map[string]*Set, len(newest))
	for id, p := range newest {
		known := c.Known(id)
		if known == nil || known.versions[len(known.versions)-1].Published != p {
			var err error
			if known, err = c.load(ctx, tx, id, known); err != nil {
				return nil, err
			}
		}
		out[id] = known
	}
	return out, nil
}

// first is a row that is read with a column more in front.
type first struct {
	row  db.Scanner
	dest any
}

func (f first) Scan(dest ...any) error { return f.row.Scan(append([]any{f.dest}, dest...)...) }

// Known gives the versions as they were last read, nil when they were not yet: to be asked anew before they are relied on.
func (c *Cache) Known(id string) *Set {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sets[id]
}

func (c *Cache) load(ctx context.Context, tx *db.Tx, id string, known *Set) (*Set, error) {
	set, err := load(ctx, tx, id, known)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sets == nil {
		c.sets = map[string]*Set{}
	}
	c.sets[id] = set
	return set, nil
}
