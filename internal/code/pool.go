package code

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
)

// Seal encrypts a text that must be had again, such as a code that waits in a pool. about is what it belongs to: opened for anything else
// it is damaged.
func (k *Key) Seal(text, about string) (string, error) {
	aead, err := k.aead()
	if err != nil {
		return "", err
	}
	nonce := make([]byte, aead.NonceSize())
	rand.Read(nonce)
	return base64.RawStdEncoding.EncodeToString(aead.Seal(nonce, nonce, []byte(text), []byte(k.program+"\n"+about))), nil
}

// Open gives back what Seal encrypted.
func (k *Key) Open(sealed, about string) (string, error) {
	aead, err := k.aead()
	if err != nil {
		return "", err
	}
	b, err := base64.RawStdEncoding.DecodeString(sealed)
	if err != nil || len(b) < aead.NonceSize() {
		return "", errors.New("what was sealed is damaged")
	}
	text, err := aead.Open(nil, b[:aead.NonceSize()], b[aead.NonceSize():], []byte(k.program+"\n"+about))
	if err != nil {
		return "", fmt.Errorf("what was sealed is damaged: %w", err)
	}
	return string(text), nil
}

func (k *Key) aead() (cipher.AEAD, error) {
	sum := sha256.Sum256(append([]byte("seal\n"), k.key...))
	block, err := aes.NewCipher(sum[:])
	if err != nil {
		return nil, fmt.Errorf("make a cipher: %w", err)
	}
	return cipher.NewGCM(block)
}

var insertPooled = db.NewInsert("code_pools", []string{"bucket integer", "program_id text", "pool text", "hash text", "sealed text", "tail text", "batch text",
	"created_at bigint", "ends_at bigint null"}, `ON CONFLICT (bucket, program_id, pool, hash) DO NOTHING RETURNING hash`)

// Pooled is a code to load into a pool.
type Pooled struct {
	Text   string
	EndsAt *time.Time
}

// Load puts codes into a pool and says how many were new: one that the pool has or had is left alone, so that a file may be
// loaded twice.
func Load(ctx context.Context, tx *db.Tx, program, pool, batch string, list []Pooled, now time.Time) (int, error) {
	k, err := MakeKey(ctx, tx, program, now)
	if err != nil {
		return 0, err
	}
	args := make([]any, 0, insertPooled.Columns()*len(list))
	for i, p := range list {
		hash, ok := k.Hash(p.Text)
		if !ok {
			return 0, errs.Invalid("not_a_code", fmt.Sprintf("Number %d is not a code: write 1 to 100 characters.", i+1))
		}
		sealed, err := k.Seal(p.Text, hash)
		if err != nil {
			return 0, err
		}
		args = append(args, ids.Bucket(program, pool), program, pool, hash, sealed, tail(p.Text), batch, now.UnixMicro(), micros(p.EndsAt))
	}
	fresh := 0
	err = tx.Insert(ctx, insertPooled, args, func(row db.Scanner) error {
		var hash string
		fresh++
		return row.Scan(&hash)
	})
	if err != nil {
		return 0, fmt.Errorf("load codes into %s: %w", pool, err)
	}
	return fresh, nil
}

// The inner SELECT may give two transactions the same row; the one that waited finds it taken and tries again.
const takePooled = `
UPDATE code_pools SET taken_by = $1, taken_at = $2
WHERE bucket = $3 AND program_id = $4 AND pool = $5 AND taken_at IS NULL AND hash = (
	SELECT hash FROM code_pools WHERE bucket = $3 AND program_id = $4 AND pool = $5 AND taken_at IS NULL AND (ends_at IS NULL OR ends_at > $2) AND hash >= $6
	ORDER BY hash LIMIT 1)
RETURNING hash, sealed`

// countFree counts what a pool can still give.
const countFree = `
SELECT COUNT(*), COUNT(CASE WHEN taken_at IS NULL AND (ends_at IS NULL OR ends_at > $4) THEN 1 END) FROM code_pools WHERE bucket = $1 AND program_id = $2 AND pool = $3`

// Left says how many codes a pool has had and how many it can still give.
func Left(ctx context.Context, tx *db.Tx, program, pool string, now time.Time) (all, free int64, err error) {
	if err := tx.QueryRow(ctx, countFree, ids.Bucket(program, pool), program, pool, now.UnixMicro()).Scan(&all, &free); err != nil {
		return 0, 0, fmt.Errorf("count the codes of %s: %w", pool, err)
	}
	return all, free, nil
}

// Taken is a code that a pool gave.
type Taken struct{ Text, Hash string }

// Take takes a code out of a pool for a fact, for good when the transaction commits; insufficient "pool_empty" when there is none. Takers
// begin at different places, so that they seldom meet.
func Take(ctx context.Context, tx *db.Tx, program, pool, fact string, now time.Time) (Taken, error) {
	k, err := KeyOf(ctx, tx, program)
	if err != nil && !errs.Is(err, errs.CodeNotFound, "no_codes") {
		return Taken{}, err
	}
	empty := errs.Insufficient("pool_empty", "There are no codes left.").With("pool", pool)
	if k == nil {
		return Taken{}, empty
	}
	bucket := ids.Bucket(program, pool)
	var begin [8]byte
	rand.Read(begin[:])
	from := base64.RawURLEncoding.EncodeToString(begin[:])
	for range 100 {
		var hash, sealed string
		err := tx.QueryRow(ctx, takePooled, fact, now.UnixMicro(), bucket, program, pool, from).Scan(&hash, &sealed)
		if err == nil {
			text, err := k.Open(sealed, hash)
			return Taken{text, hash}, err
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return Taken{}, fmt.Errorf("take a code of %s: %w", pool, err)
		}
		if from != "" {
			from = ""
			continue
		}
		_, free, err := Left(ctx, tx, program, pool, now)
		if err != nil {
			return Taken{}, err
		}
		if free == 0 {
			return Taken{}, empty
		}
	}
	return Taken{}, errs.Unavailable("pool_busy", "Many take codes out of this pool at once. Try again.")
}

const (
	giveBackPooled = `UPDATE code_pools SET taken_by = '', taken_at = NULL WHERE bucket = $1 AND program_id = $2 AND pool = $3 AND hash = $4 AND sealed <> ''`
	emptyPooled    = `UPDATE code_pools SET sealed = '' WHERE bucket = $1 AND program_id = $2 AND pool = $3 AND hash = $4`
)

// GiveBack puts a code back that Take took in this transaction and nobody saw.
func GiveBack(ctx context.Context, tx *db.Tx, program, pool string, t Taken) error {
	if _, err := tx.Exec(ctx, giveBackPooled, ids.Bucket(program, pool), program, pool, t.Hash); err != nil {
		return fmt.Errorf("give a code back to %s: %w", pool, err)
	}
	return nil
}

// Given forgets the text of a code that is given out with this transaction.
func Given(ctx context.Context, tx *db.Tx, program, pool string, t Taken) error {
	if _, err := tx.Exec(ctx, emptyPooled, ids.Bucket(program, pool), program, pool, t.Hash); err != nil {
		return fmt.Errorf("forget a code of %s: %w", pool, err)
	}
	return nil
}
