package seal

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
)

// What a hash is made of is frozen: it is recomputed years later. Texts go in with their length before them and numbers as eight
// bytes, so that no two rows give the same bytes. Decision 0009 says what goes in, and what does not.

// bytesOf gathers fields.
type bytesOf struct{ b []byte }

func (h *bytesOf) text(list ...string) {
	for _, s := range list {
		h.b = binary.AppendUvarint(h.b, uint64(len(s)))
		h.b = append(h.b, s...)
	}
}

func (h *bytesOf) number(list ...int64) {
	for _, n := range list {
		h.b = binary.BigEndian.AppendUint64(h.b, uint64(n))
	}
}

func (h *bytesOf) sum() [sha256.Size]byte { return sha256.Sum256(h.b) }

// leaf is a fact with what its own hash is made of.
type leaf struct {
	member string
	seq    int64
	id     string
	at     time.Time // recorded
	fields bytesOf
	hash   [sha256.Size]byte
}

// covered is what a seal covers.
type covered struct {
	leaves   []leaf
	postings int64
	until    books.Cursor
	versions bytesOf
}

// fact begins a leaf. What may say something about a person beyond ids and amounts goes in as one hash of its own: when it is
// erased one day, that hash can be kept in its place.
func (c *covered) fact(f *books.StoredFact) error {
	var personal bytesOf
	personal.text("lojal personal 1", f.Actor, f.Body, f.Decision, f.Seen, f.EventsText)
	said := personal.sum()
	l := leaf{member: f.Member, seq: f.Seq, id: f.ID, at: time.UnixMicro(f.RecordedAt).UTC()}
	l.fields.text("lojal fact 1", f.Member, f.ID, f.Kind, f.Source, f.ExternalID, f.Parent)
	l.fields.number(f.Seq, f.OccurredAt, f.RecordedAt, f.Version)
	l.fields.b = append(l.fields.b, said[:]...)
	c.leaves = append(c.leaves, l)
	c.until = f.Cursor
	return nil
}

// posting adds a posting to its fact, which is at or after the given place; it gives the fact's place.
func (c *covered) posting(p *books.StoredPosting, at int) int {
	for at < len(c.leaves) && (c.leaves[at].member != p.Member || c.leaves[at].seq != p.Seq) {
		at++
	}
	if at == len(c.leaves) {
		return at // facts and postings are read in the same order in one snapshot, so this cannot be
	}
	l := &c.leaves[at]
	l.fields.text(p.Unit, p.From, p.To, p.Rule, p.Of)
	l.fields.number(p.N, p.Lot, p.Amount, p.OccurredAt, p.RecordedAt)
	c.postings++
	return at
}

// cover reads what comes after a seal and before a place, at most limit facts, and the versions after the seal's up to one.
func cover(ctx context.Context, tx *db.Tx, last *Seal, until books.Cursor, limit int, newest int64) (*covered, error) {
	c := &covered{until: last.until}
	if last.until.Stamp == 0 {
		if err := c.unplaced(ctx, tx, last, limit); err != nil {
			return nil, err
		}
	}
	if len(c.leaves) == 0 {
		if err := books.StoredFacts(ctx, tx, last.Program, last.until, until, limit, c.fact); err != nil {
			return nil, err
		}
		if len(c.leaves) > 0 {
			at := 0
			err := books.StoredPostings(ctx, tx, last.Program, last.until, c.until, func(p *books.StoredPosting) error {
				at = c.posting(p, at)
				return nil
			})
			if err != nil {
				return nil, err
			}
		}
	}
	for i := range c.leaves {
		l := &c.leaves[i]
		l.hash = l.fields.sum()
		l.fields.b = nil
	}
	err := c.readVersions(ctx, tx, last, newest)
	return c, err
}

// unplaced reads facts that have no place in the order of commits.
func (c *covered) unplaced(ctx context.Context, tx *db.Tx, last *Seal, limit int) error {
	if err := books.UnplacedFacts(ctx, tx, last.Program, last.until.N, limit, c.fact); err != nil {
		return err
	}
	if len(c.leaves) == 0 {
		return nil
	}
	c.until = books.Cursor{N: last.until.N + int64(len(c.leaves))}
	at := 0
	return books.UnplacedPostings(ctx, tx, last.Program, last.until.N, limit, func(p *books.StoredPosting) error {
		at = c.posting(p, at)
		return nil
	})
}

const versionsBetween = `
SELECT version, effective_from, published_at, published_by, document, hash, rollback_of
FROM versions WHERE program_id = $1 AND version > $2 AND version <= $3 ORDER BY version`

func (c *covered) readVersions(ctx context.Context, tx *db.Tx, last *Seal, newest int64) error {
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		var n, from, at, rollback int64
		var by, document, hash string
		if err := row.Scan(&n, &from, &at, &by, &document, &hash, &rollback); err != nil {
			return err
		}
		c.versions.text("lojal version 1", by, document, hash)
		c.versions.number(n, from, at, rollback)
		return nil
	}, versionsBetween, last.Program, last.Version, newest)
	if err != nil {
		return fmt.Errorf("read versions to seal: %w", err)
	}
	return nil
}

// hash is that of a seal which covers this.
func (c *covered) hash(s *Seal) string {
	var h bytesOf
	h.text("lojal seal 1", s.Program, s.Previous)
	h.number(s.Number, s.Version, int64(len(c.leaves)), c.postings, s.SealedAt.UnixMicro())
	h.text(string(c.versions.b))
	for i := range c.leaves {
		h.b = append(h.b, c.leaves[i].hash[:]...)
	}
	sum := h.sum()
	return hex.EncodeToString(sum[:])
}

// printed is how many bytes of each fact's own hash a seal keeps.
const printed = 4

func (c *covered) prints() string {
	b := make([]byte, 0, printed*len(c.leaves))
	for i := range c.leaves {
		b = append(b, c.leaves[i].hash[:printed]...)
	}
	return base64.RawStdEncoding.EncodeToString(b)
}
