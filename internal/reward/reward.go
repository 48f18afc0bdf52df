// Package reward keeps what rewards hand over that is not in the books: codes of others in pools, what is ordered from providers, and draws.
//
// It owns the tables code_pools, code_orders and raffles. It does not own what a redemption costs and how far it is: that is in
// the books of who redeemed. What always holds: a code of a pool is given out once, to the fact that the row names; what was given out and what
// is left add up to what was loaded; a code stands nowhere in clear but in the answers that show it, for which it
// stays sealed also once it was handed out.
package reward

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"lojal.dev/lojal/internal/code"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
)

// Low is how many codes are left as a pool is told to run low.
const Low = 20

// MaxLoad is how many codes are loaded at once.
const MaxLoad = 100_000

// NewCode is a code to load into a pool.
type NewCode struct {
	Text string
	// EndsAt is from when on it may not be given out any more; nil for never.
	EndsAt *time.Time
}

// Loaded is what came of loading codes: Known ones were in the pool already.
type Loaded struct{ Added, Known int }

var insertPool = db.NewInsert("code_pools", []string{"bucket integer", "program_id text", "pool text", "hash text", "sealed text", "tail text", "batch text",
	"created_at bigint", "ends_at bigint null"}, "ON CONFLICT DO NOTHING RETURNING 1")

// poolBucket is that of all rows of a pool.
func poolBucket(program, pool string) int32 { return ids.Bucket(program, "pool:"+pool) }

// Load puts codes into a pool, and has the orders that wait for them looked at now. Loading the same again adds nothing.
func Load(ctx context.Context, tx *db.Tx, program, pool, batch string, list []NewCode, now time.Time) (Loaded, error) {
	if len(list) > MaxLoad {
		return Loaded{}, errs.Invalid("too_many_codes", fmt.Sprintf("At most %d codes are loaded at once: split the file.", MaxLoad))
	}
	k, err := code.MakeKey(ctx, tx, program, now)
	if err != nil {
		return Loaded{}, err
	}
	bucket := poolBucket(program, pool)
	seen := map[string]bool{}
	rows := make([]any, 0, insertPool.Columns()*len(list))
	for i, c := range list {
		hash, ok := k.Hash(c.Text)
		if !ok {
			return Loaded{}, errs.Invalid("not_a_code", fmt.Sprintf("Code number %d cannot be a code: write 1 to 100 characters.", i+1), errs.Field{Pointer: fmt.Sprintf("/codes/%d/code", i), Reason: "not_a_code", Message: "must be 1 to 100 characters"})
		}
		if seen[hash] {
			continue
		}
		seen[hash] = true
		sealed, err := k.Seal(poolSeal(pool, hash), c.Text)
		if err != nil {
			return Loaded{}, err
		}
		rows = append(rows, bucket, program, pool, hash, sealed, code.Tail(c.Text), batch, now.UnixMicro(), db.Micros(c.EndsAt))
	}
	added := 0
	if err := tx.Insert(ctx, insertPool, rows, func(row db.Scanner) error {
		var one int
		added++
		return row.Scan(&one)
	}); err != nil {
		return Loaded{}, fmt.Errorf("load the pool %s: %w", pool, err)
	}
	if added > 0 {
		if err := wake(ctx, tx, program, pool, added, now); err != nil {
			return Loaded{}, err
		}
	}
	return Loaded{Added: added, Known: len(list) - added}, nil
}

func poolSeal(pool, hash string) string { return "pool\n" + pool + "\n" + hash }

// Taken is a code that was taken from a pool.
type Taken struct {
	Pool, Hash, Tail string
	// Code is it in clear: for the answer that shows it, and nothing else.
	Code string
	// Left is how many there are still, [Low] where there are that many or more.
	Left   int64
	EndsAt *time.Time
}

const (
	freeCode = `
SELECT hash FROM code_pools
WHERE bucket = $1 AND program_id = $2 AND pool = $3 AND hash >= $4 AND taken_at IS NULL AND (ends_at IS NULL OR ends_at > $5)
ORDER BY hash LIMIT 1`

	takeCode = `
UPDATE code_pools SET taken_by = $1, taken_at = $2
WHERE bucket = $3 AND program_id = $4 AND pool = $5 AND hash = $6 AND taken_at IS NULL
RETURNING sealed, tail, ends_at`

	freeCodes = `
SELECT COUNT(*) FROM (
	SELECT 1 FROM code_pools
	WHERE bucket = $1 AND program_id = $2 AND pool = $3 AND taken_at IS NULL AND (ends_at IS NULL OR ends_at > $4) LIMIT $5
) AS free`
)

// mostTries is how often others may take the same code first; each of them got one.
const mostTries = 50

// Take takes a code out of a pool for a fact, nil where there is none left. It begins at a random place, so that those who take at once seldom
// meet at one row; where they do, the second waits for the first and then takes another.
func Take(ctx context.Context, tx *db.Tx, k *code.Key, program, pool, by string, now time.Time) (*Taken, error) {
	bucket := poolBucket(program, pool)
	from := start()
	for range mostTries {
		var hash string
		err := tx.QueryRow(ctx, freeCode, bucket, program, pool, from, now.UnixMicro()).Scan(&hash)
		if errors.Is(err, sql.ErrNoRows) {
			if from == "" {
				return nil, nil //nolint:nilnil // an empty pool is no error: the reward is out of stock
			}
			from = ""
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("look into the pool %s: %w", pool, err)
		}
		t := Taken{Pool: pool, Hash: hash}
		var sealed string
		var ends sql.NullInt64
		err = tx.QueryRow(ctx, takeCode, by, now.UnixMicro(), bucket, program, pool, hash).Scan(&sealed, &t.Tail, &ends)
		if errors.Is(err, sql.ErrNoRows) { // another was first
			from = start()
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("take a code from the pool %s: %w", pool, err)
		}
		if t.EndsAt = db.Moment(ends); t.EndsAt != nil && !t.EndsAt.After(now) {
			return nil, errs.Internal("code_ended", "A code ended as it was taken.")
		}
		if t.Code, err = k.Open(poolSeal(pool, hash), sealed); err != nil {
			return nil, fmt.Errorf("open a code of the pool %s: %w", pool, err)
		}
		t.Left, err = Left(ctx, tx, program, pool, now)
		return &t, err
	}
	return nil, errs.Unavailable("contended", "Many take from this pool at once: repeat the request.")
}

func start() string {
	b := make([]byte, 6)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

// Left is how many codes of a pool can be given out, [Low] where there are that many or more.
func Left(ctx context.Context, tx *db.Tx, program, pool string, now time.Time) (n int64, err error) {
	if err := tx.QueryRow(ctx, freeCodes, poolBucket(program, pool), program, pool, now.UnixMicro(), Low).Scan(&n); err != nil {
		return 0, fmt.Errorf("count what is left in the pool %s: %w", pool, err)
	}
	return n, nil
}

// hasCode is a row with the pool where it has a code to be given out.
const hasCode = `SELECT pool FROM (SELECT pool FROM code_pools
WHERE bucket = $%d AND program_id = $1 AND pool = $%d AND taken_at IS NULL AND (ends_at IS NULL OR ends_at > $2) LIMIT 1) AS p%d`

// Stocked gives those of the pools that have a code to be given out, in one query.
func Stocked(ctx context.Context, tx *db.Tx, program string, pools []string, now time.Time) (map[string]bool, error) {
	out := map[string]bool{}
	for some := range slices.Chunk(pools, 100) {
		args := []any{program, now.UnixMicro()}
		parts := make([]string, len(some))
		for i, pool := range some {
			parts[i] = fmt.Sprintf(hasCode, len(args)+1, len(args)+2, i)
			args = append(args, poolBucket(program, pool), pool)
		}
		err := db.Collect(ctx, tx, func(row db.Scanner) error {
			var pool string
			err := row.Scan(&pool)
			out[pool] = true
			return err
		}, strings.Join(parts, " UNION ALL "), args...)
		if err != nil {
			return nil, fmt.Errorf("look into the pools of %s: %w", program, err)
		}
	}
	return out, nil
}

const releaseCode = `UPDATE code_pools SET taken_by = '', taken_at = NULL WHERE bucket = $1 AND program_id = $2 AND pool = $3 AND hash = $4 AND taken_by = $5`

// Release puts a code back that was taken in this very transaction and not given out.
func Release(ctx context.Context, tx *db.Tx, program, pool, hash, by string) error {
	if _, err := tx.Exec(ctx, releaseCode, poolBucket(program, pool), program, pool, hash, by); err != nil {
		return fmt.Errorf("put a code back into the pool %s: %w", pool, err)
	}
	return nil
}

const (
	codeOf  = `SELECT sealed, tail, ends_at, taken_by FROM code_pools WHERE bucket = $1 AND program_id = $2 AND pool = $3 AND hash = $4`
	takenBy = `SELECT hash FROM code_pools WHERE bucket = $1 AND program_id = $2 AND pool = $3 AND taken_by = $4 AND taken_by <> ''`
)

// Find gives a code that was given out, in clear: for an answer that shows it to who has it. not_found "code_unknown".
func Find(ctx context.Context, tx *db.Tx, program, pool, hash string) (*Taken, error) {
	t := Taken{Pool: pool, Hash: hash}
	var sealed, by string
	var ends sql.NullInt64
	err := tx.QueryRow(ctx, codeOf, poolBucket(program, pool), program, pool, hash).Scan(&sealed, &t.Tail, &ends, &by)
	if errors.Is(err, sql.ErrNoRows) || err == nil && by == "" {
		return nil, errs.NotFound("code_unknown", "There is no such code.")
	}
	if err != nil {
		return nil, fmt.Errorf("find a code of the pool %s: %w", pool, err)
	}
	k, err := code.KeyOf(ctx, tx, program)
	if err != nil {
		return nil, err
	}
	t.EndsAt = db.Moment(ends)
	if t.Code, err = k.Open(poolSeal(pool, hash), sealed); err != nil {
		return nil, fmt.Errorf("open a code of the pool %s: %w", pool, err)
	}
	return &t, nil
}

// TakeOnce is Take that gives the same code to the same taker each time.
func TakeOnce(ctx context.Context, tx *db.Tx, k *code.Key, program, pool, by string, now time.Time) (*Taken, error) {
	t, err := TakenBy(ctx, tx, program, pool, by)
	if errs.CodeOf(err) == errs.CodeNotFound {
		return Take(ctx, tx, k, program, pool, by, now)
	}
	return t, err
}

// TakenBy gives the code that a taker took; not_found "code_unknown" for none.
func TakenBy(ctx context.Context, tx *db.Tx, program, pool, by string) (*Taken, error) {
	var hash string
	err := tx.QueryRow(ctx, takenBy, poolBucket(program, pool), program, pool, by).Scan(&hash)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, errs.NotFound("code_unknown", "There is no such code.")
	}
	if err != nil {
		return nil, fmt.Errorf("look into the pool %s: %w", pool, err)
	}
	return Find(ctx, tx, program, pool, hash)
}

// Pool is how a pool stands.
type Pool struct {
	Pool string
	// Loaded is all there ever were; Given was handed out, Ended was not in time, Left is the rest.
	Loaded, Given, Ended, Left int64
	// LastAt is when a code was last given out.
	LastAt *time.Time
}

const listPools = `
SELECT pool, COUNT(*), COUNT(taken_at), COUNT(*) FILTER (WHERE taken_at IS NULL AND ends_at <= $2), MAX(taken_at)
FROM code_pools WHERE program_id = $1 GROUP BY pool ORDER BY pool`

// Pools gives all pools of a program.
func Pools(ctx context.Context, tx *db.Tx, program string, now time.Time) ([]Pool, error) {
	out := []Pool{}
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		var p Pool
		var last sql.NullInt64
		err := row.Scan(&p.Pool, &p.Loaded, &p.Given, &p.Ended, &last)
		p.Left, p.LastAt = p.Loaded-p.Given-p.Ended, db.Moment(last)
		out = append(out, p)
		return err
	}, listPools, program, now.UnixMicro())
	if err != nil {
		return nil, fmt.Errorf("list pools: %w", err)
	}
	return out, nil
}

// Given is a row of a pool that was given out, without its code.
type Given struct{ Pool, Hash, By, Tail string }

const givenCodes = `
SELECT pool, hash, taken_by, tail FROM code_pools
WHERE program_id = $1 AND taken_at IS NOT NULL AND (pool, hash) > ($2, $3) ORDER BY pool, hash LIMIT $4`

// EachGiven gives all codes of a program that were given out, some at a time.
func EachGiven(ctx context.Context, tx *db.Tx, program string, some func([]Given) error) error {
	const page = 500
	var pool, hash string
	for {
		list := make([]Given, 0, page)
		err := db.Collect(ctx, tx, func(row db.Scanner) error {
			var g Given
			err := row.Scan(&g.Pool, &g.Hash, &g.By, &g.Tail)
			list = append(list, g)
			return err
		}, givenCodes, program, pool, hash, page)
		if err != nil {
			return fmt.Errorf("read the pools of %s: %w", program, err)
		}
		if len(list) > 0 {
			pool, hash = list[len(list)-1].Pool, list[len(list)-1].Hash
			if err := some(list); err != nil {
				return err
			}
		}
		if len(list) < page {
			return nil
		}
	}
}

// ForOrder begins what stands in a pool for a code that was taken for an order of a redemption, in place of a fact.
const ForOrder = "order:"
