// Package waiting keeps purchases that no member has yet: of a receipt with a code, or of a card token that nobody has linked.
//
// It owns the table waiting_purchases. It does not own the code (code) nor what a claimed purchase leads to (books). What always holds: a
// receipt waits once in a program; what was claimed, called off or ended stays so. That a receipt counts for one member only is held by its
// natural key in the books, whatever stands here.
package waiting

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/member"
)

// IDPrefix is the type prefix of what waits.
const IDPrefix = "wtg"

// What became of a purchase that waited.
const (
	Open      = "open"
	Claimed   = "claimed"
	Cancelled = "cancelled"
	Ended     = "ended" // nobody claimed it in time
)

// Purchase is a purchase that waits.
type Purchase struct {
	ID                 string
	Source, ExternalID string
	// Kind and Value are the identifier that it came with; empty for one with a code.
	Kind, Value string
	Body        engine.Purchase
	// Returns are the goods of it that came back while it waited, in the order in which that was told.
	Returns []Return
	Status  string
	// Member and Fact are who claimed it, and as what it was recorded.
	Member, Fact string
	OccurredAt   time.Time
	CreatedAt    time.Time
	EndsAt       *time.Time

	kept string // Body and Returns as they are written
}

// Return is goods of a purchase that came back before anybody had it.
type Return struct {
	Source     string `json:"source"`
	ExternalID string `json:"external_id"`
	// OccurredAt is what was told, zero where nothing was: then it is TakenAt, at which it was told.
	OccurredAt time.Time     `json:"occurred_at,omitzero"`
	TakenAt    time.Time     `json:"taken_at"`
	Return     engine.Return `json:"return"`
}

// At is when the goods came back.
func (r *Return) At() time.Time {
	if r.OccurredAt.IsZero() || r.OccurredAt.After(r.TakenAt) { // the till's clock is a little fast
		return r.TakenAt
	}
	return r.OccurredAt
}

// written is the column body: a purchase, and what came back of it.
type written struct {
	engine.Purchase
	Returns []Return `json:"returns,omitempty"`
}

// Bucket is that of a receipt.
func Bucket(program, source, external string) int32 { return ids.Bucket(program, source+"\n"+external) }

const insertPurchase = `
INSERT INTO waiting_purchases (bucket, program_id, source, external_id, id, kind, value, body, hash, status, occurred_at, created_at, ends_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'open', $10, $11, $12) ON CONFLICT (bucket, program_id, source, external_id) DO NOTHING`

// Keep has a purchase wait, and says whether it is new: the same receipt with the same content is there already, with other content it is
// conflict "duplicate_external_id".
func Keep(ctx context.Context, tx *db.Tx, program string, p Purchase) (Purchase, bool, error) {
	body, err := json.Marshal(written{Purchase: p.Body})
	if err != nil {
		return p, false, fmt.Errorf("write down a purchase: %w", err)
	}
	bucket := Bucket(program, p.Source, p.ExternalID)
	p.ID, p.kept = ids.NewIn(IDPrefix, p.CreatedAt, bucket), string(body)
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%d\n%s", p.Kind, p.Value, p.OccurredAt.UnixMicro(), body))
	hash := base64.RawURLEncoding.EncodeToString(sum[:])
	var ends any
	if p.EndsAt != nil {
		ends = p.EndsAt.UnixMicro()
	}
	result, err := tx.Exec(ctx, insertPurchase, bucket, program, p.Source, p.ExternalID, p.ID, p.Kind, p.Value, string(body), hash,
		p.OccurredAt.UnixMicro(), p.CreatedAt.UnixMicro(), ends)
	if err != nil {
		return p, false, fmt.Errorf("keep a purchase: %w", err)
	}
	if n, err := result.RowsAffected(); err != nil || n > 0 {
		return p, true, err
	}
	var known string
	if err := tx.QueryRow(ctx, `SELECT hash FROM waiting_purchases WHERE bucket = $1 AND program_id = $2 AND source = $3 AND external_id = $4`,
		bucket, program, p.Source, p.ExternalID).Scan(&known); err != nil {
		return p, false, fmt.Errorf("look at the purchase that waits: %w", err)
	}
	if known != hash {
		return p, false, errs.Conflict("duplicate_external_id", "Another purchase waits under this source and external id.")
	}
	there, err := Find(ctx, tx, program, p.Source, p.ExternalID)
	return there, false, err
}

const columns = `id, source, external_id, kind, value, body, status, member_id, fact_id, occurred_at, created_at, ends_at`

func one(row db.Scanner) (Purchase, error) {
	var (
		p             Purchase
		body          string
		occurred, was int64
		ends          sql.NullInt64
	)
	err := row.Scan(&p.ID, &p.Source, &p.ExternalID, &p.Kind, &p.Value, &body, &p.Status, &p.Member, &p.Fact, &occurred, &was, &ends)
	if errors.Is(err, sql.ErrNoRows) {
		return p, errs.NotFound("purchase_not_found", "No such purchase waits.")
	}
	if err != nil {
		return p, fmt.Errorf("read a purchase that waits: %w", err)
	}
	p.OccurredAt, p.CreatedAt = time.UnixMicro(occurred).UTC(), time.UnixMicro(was).UTC()
	if ends.Valid {
		t := time.UnixMicro(ends.Int64).UTC()
		p.EndsAt = &t
	}
	var w written
	if err := json.Unmarshal([]byte(body), &w); err != nil {
		return p, fmt.Errorf("read a purchase that waits: %w", err)
	}
	p.Body, p.Returns, p.kept = w.Purchase, w.Returns, body
	return p, nil
}

const getPurchase = `SELECT ` + columns + ` FROM waiting_purchases WHERE bucket = $1 AND program_id = $2 AND id = $3`

// Get gives a purchase that waits, or waited.
func Get(ctx context.Context, tx *db.Tx, program, id string) (Purchase, error) {
	bucket, ok := ids.BucketOf(id)
	if !ok {
		return Purchase{}, errs.NotFound("purchase_not_found", "No such purchase waits.")
	}
	return one(tx.QueryRow(ctx, getPurchase, bucket, program, id))
}

// Find is Get by the natural key.
func Find(ctx context.Context, tx *db.Tx, program, source, external string) (Purchase, error) {
	return one(tx.QueryRow(ctx, getByKey, Bucket(program, source, external), program, source, external))
}

const getByKey = `SELECT ` + columns + ` FROM waiting_purchases WHERE bucket = $1 AND program_id = $2 AND source = $3 AND external_id = $4`

const openOf = `SELECT ` + columns + ` FROM waiting_purchases
WHERE program_id = $1 AND kind = $2 AND value = $3 AND status = 'open' AND (ends_at IS NULL OR ends_at > $4) AND (occurred_at, id) > ($5, $6)
ORDER BY occurred_at, id LIMIT $7`

// Of gives what waits for an identifier and can still be claimed, the oldest first, after another such purchase or, after the zero one,
// from the first.
func Of(ctx context.Context, tx *db.Tx, program string, i member.Identifier, now time.Time, after Purchase, limit int) ([]Purchase, error) {
	out := []Purchase{}
	from := int64(math.MinInt64)
	if after.ID != "" {
		from = after.OccurredAt.UnixMicro()
	}
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		p, err := one(row)
		out = append(out, p)
		return err
	}, openOf, program, i.Kind, i.Value, now.UnixMicro(), from, after.ID, limit)
	return out, err
}

var openFor = db.NewLookup([]string{"program_id text", "kind text", "value text"}, `
SELECT DISTINCT w.kind, w.value
FROM want CROSS JOIN waiting_purchases w
WHERE w.program_id = want.program_id AND w.kind = want.kind AND w.value = want.value AND w.status = 'open'`)

// For gives those of the identifiers for which something waits.
func For(ctx context.Context, tx *db.Tx, program string, list []member.Identifier) (map[member.Identifier]bool, error) {
	out := map[member.Identifier]bool{}
	args := make([]any, 0, 3*len(list))
	for _, i := range list {
		args = append(args, program, i.Kind, i.Value)
	}
	err := tx.Find(ctx, db.Ask{Lookup: openFor, Args: args, Scan: func(row db.Scanner) error {
		var i member.Identifier
		err := row.Scan(&i.Kind, &i.Value)
		out[i] = true
		return err
	}})
	if err != nil {
		return nil, fmt.Errorf("look for purchases that wait: %w", err)
	}
	return out, nil
}

const firstLinked = `SELECT MIN(created_at) FROM waiting_purchases WHERE program_id = $1 AND kind > '' AND status = 'open'`

// Since gives when the first purchase of those came that wait for an identifier; nil where none does.
func Since(ctx context.Context, tx *db.Tx, program string) (*time.Time, error) {
	var at sql.NullInt64
	if err := tx.QueryRow(ctx, firstLinked, program).Scan(&at); err != nil {
		return nil, fmt.Errorf("look for purchases that wait: %w", err)
	}
	if !at.Valid {
		return nil, nil //nolint:nilnil // none is no error
	}
	t := time.UnixMicro(at.Int64).UTC()
	return &t, nil
}

const (
	pastEnd = `SELECT bucket, program_id, id FROM waiting_purchases WHERE status = 'open' AND ends_at <= $1 ORDER BY ends_at LIMIT $2`

	endOne = `UPDATE waiting_purchases SET status = 'ended' WHERE bucket = $1 AND program_id = $2 AND id = $3 AND status = 'open' AND ends_at <= $4`
)

// End settles what nobody claimed in time, at most limit, and says how many there were: one more call finds the next.
func End(ctx context.Context, tx *db.Tx, now time.Time, limit int) (n int, err error) {
	type row struct {
		bucket      int32
		program, id string
	}
	var list []row
	err = db.Collect(ctx, tx, func(s db.Scanner) error {
		var r row
		err := s.Scan(&r.bucket, &r.program, &r.id)
		list = append(list, r)
		return err
	}, pastEnd, now.UnixMicro(), limit)
	for _, r := range list {
		if err == nil {
			_, err = tx.Exec(ctx, endOne, r.bucket, r.program, r.id, now.UnixMicro())
		}
	}
	if err != nil {
		return 0, fmt.Errorf("end what was not claimed: %w", err)
	}
	return len(list), nil
}

const (
	settle = `UPDATE waiting_purchases SET status = $1, member_id = $2, fact_id = $3 WHERE bucket = $4 AND program_id = $5 AND id = $6 AND status = 'open' AND body = $7`

	rewrite = `UPDATE waiting_purchases SET body = $1 WHERE bucket = $2 AND program_id = $3 AND id = $4 AND status = 'open' AND body = $5`
)

// Settle says what became of a purchase that waits, as it was read; conflict "receipt_claimed" when that is decided already, "receipt_changed" where
// goods of it came back since: read it again.
func Settle(ctx context.Context, tx *db.Tx, program string, p Purchase, status, member, fact string) error {
	bucket, _ := ids.BucketOf(p.ID)
	result, err := tx.Exec(ctx, settle, status, member, fact, bucket, program, p.ID, p.kept)
	return asRead(ctx, tx, program, p, result, err)
}

// TakeBack keeps with a purchase that waits, as it was read, what came back of it, and gives it as it stands then. Errors are those of Settle.
func TakeBack(ctx context.Context, tx *db.Tx, program string, p Purchase, r Return) (Purchase, error) {
	next := p
	next.Returns = append(slices.Clone(p.Returns), r)
	body, err := json.Marshal(written{next.Body, next.Returns})
	if err != nil {
		return p, fmt.Errorf("write down a return: %w", err)
	}
	next.kept = string(body)
	bucket, _ := ids.BucketOf(p.ID)
	result, err := tx.Exec(ctx, rewrite, next.kept, bucket, program, p.ID, p.kept)
	return next, asRead(ctx, tx, program, p, result, err)
}

// asRead says why a purchase was not written that is not as it was read.
func asRead(ctx context.Context, tx *db.Tx, program string, p Purchase, result sql.Result, err error) error {
	if err != nil {
		return fmt.Errorf("write a purchase that waits: %w", err)
	}
	if n, err := result.RowsAffected(); err != nil || n > 0 {
		return err
	}
	now, err := Get(ctx, tx, program, p.ID)
	switch {
	case err != nil:
		return err
	case now.Status == Open:
		return errs.Conflict("receipt_changed", "Goods of this receipt came back just now: try again.")
	}
	return errs.Conflict("receipt_claimed", "This receipt was claimed or called off already.")
}

// Usable is nil while a purchase can be claimed.
func (p *Purchase) Usable(now time.Time) error {
	switch {
	case p.Status == Cancelled:
		return errs.Conflict("receipt_cancelled", "This receipt was called off.")
	case p.Status == Ended, p.Status == Open && p.Over(now):
		return errs.Conflict("claim_ended", "The time to claim this receipt is over.").With("ended_at", p.EndsAt.Format(time.RFC3339))
	case p.Status != Open:
		return errs.Conflict("receipt_claimed", "This receipt was claimed already.")
	}
	return nil
}

// Over says that the time to claim it is.
func (p *Purchase) Over(now time.Time) bool { return p.EndsAt != nil && !now.Before(*p.EndsAt) }
