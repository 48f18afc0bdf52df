// Package code keeps secrets that stand for something: vouchers, gift cards, coupons, receipts to be claimed.
//
// It owns the tables codes, code_keys and code_guesses: which code stands for what in whose books, and who guesses at codes. It
// does not own what a code is worth: that is in the books of its holder; nor codes of somebody else, in pools and on order (reward).
// What always holds: a code that was given out is kept as a keyed hash only; a code is one in its program, whatever it stands for; who
// named too many that are none is told to wait, on every node; a PIN is tried at most [MaxTries] times in [LockFor],
// however many come at once.
package code

import (
	"context"
	"crypto/hmac"
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

// IDPrefix is the type prefix of the ids of codes.
const IDPrefix = "cod"

// Kind says what a code stands for.
type Kind string

// The kinds.
const (
	Voucher  Kind = "voucher"
	GiftCard Kind = "gift_card"
	Claim    Kind = "claim"
	Share    Kind = "share"
	// Coupon is for whoever has it; what is public is no code.
	Coupon Kind = "coupon"
)

// Kinds are all of them.
var Kinds = []Kind{Voucher, GiftCard, Claim, Share, Coupon}

// What became of a code.
const (
	Open = "open"
	// Replaced says that another stands for the same now.
	Replaced = "replaced"
)

// Code is a code without its secret.
type Code struct {
	ID   string
	Kind Kind
	Hash string
	// Holder is the account in whose books it is told what the code is worth, Subject what it stands for there.
	Holder, Subject string
	// Tail is its last characters.
	Tail string
	// HasPIN says that a PIN must come with it.
	HasPIN bool
	Status string
	// Batch is the one it was made in.
	Batch     string
	CreatedAt time.Time
	EndsAt    *time.Time

	pin    string
	locked *time.Time
}

// CouponPrefix is the type prefix of the accounts in whose books the uses of a coupon's code are.
const CouponPrefix = "cpn"

// Symbols is how many random symbols a code has that alone opens something of value: 80 bits.
const Symbols = 16

// Draw makes a code: random, with a check symbol, without separators. Show prints it for people.
func Draw() string { return ids.Code(Symbols) }

// Show writes a code in groups of four, if it is one that Draw made; any other as it is.
func Show(text string) string {
	n, ok := ids.NormalizeCode(text)
	if !ok || len(n) != Symbols+1 {
		return text
	}
	return n[:4] + "-" + n[4:8] + "-" + n[8:12] + "-" + n[12:]
}

// Normal gives a code as it is hashed: what people type in different ways comes to the same. It gives false for what cannot be a code.
func Normal(text string) (string, bool) {
	word, ok := ids.Word(text)
	if n, drawn := ids.NormalizeCode(text); ok && drawn && len(n) == Symbols+1 {
		return n, true
	}
	return word, ok
}

// Key is what the codes of a program are hashed with.
type Key struct {
	program string
	key     []byte
}

const (
	readKey   = `SELECT key FROM code_keys WHERE program_id = $1`
	insertKey = `INSERT INTO code_keys (program_id, key, created_at) VALUES ($1, $2, $3) ON CONFLICT (program_id) DO NOTHING`
)

// KeyOf gives the key of a program; not_found "no_codes" when it has none yet, and so no code either.
func KeyOf(ctx context.Context, tx *db.Tx, program string) (*Key, error) {
	var text string
	err := tx.QueryRow(ctx, readKey, program).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, errs.NotFound("no_codes", "This program has given out no codes.")
	}
	if err != nil {
		return nil, fmt.Errorf("read the key of codes: %w", err)
	}
	k, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil || len(k) != sha256.Size {
		return nil, fmt.Errorf("the key of the codes of %s is damaged", program)
	}
	return &Key{program, k}, nil
}

// MakeKey is KeyOf that makes the key if there is none.
func MakeKey(ctx context.Context, tx *db.Tx, program string, now time.Time) (*Key, error) {
	k, err := KeyOf(ctx, tx, program)
	if !errs.Is(err, errs.CodeNotFound, "no_codes") {
		return k, err
	}
	fresh := make([]byte, sha256.Size)
	rand.Read(fresh)
	if _, err := tx.Exec(ctx, insertKey, program, base64.RawStdEncoding.EncodeToString(fresh), now.UnixMicro()); err != nil {
		return nil, fmt.Errorf("make the key of codes: %w", err)
	}
	return KeyOf(ctx, tx, program) // another may have been first
}

func (k *Key) sum(what, text string) string {
	h := hmac.New(sha256.New, k.key)
	_, _ = fmt.Fprintf(h, "%s\n%s\n%s", what, k.program, text) // a hash never fails
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// Sum is the keyed hash of a text that is not to be kept in clear, apart from those of other things by what.
func (k *Key) Sum(what, text string) string { return k.sum(what, text) }

// Hash gives the keyed hash by which a code is kept and looked up; false for what cannot be a code.
func (k *Key) Hash(text string) (string, bool) {
	n, ok := Normal(text)
	if !ok {
		return "", false
	}
	return k.sum("code", n), true
}

// pinHash is that of a PIN, which goes with one code.
func (k *Key) pinHash(hash, pin string) string { return k.sum("pin", hash+"\n"+pin) }

// New is a code to keep.
type New struct {
	Kind Kind
	// Text is the code itself. It must be one of Draw, or checked by the caller.
	Text string
	// Holder and Subject say what it stands for.
	Holder, Subject string
	// PIN must come with it, if it is not empty.
	PIN    string
	Batch  string
	EndsAt *time.Time
}

// Of gives what is to be written of a new code.
func (k *Key) Of(in New, now time.Time) (Code, error) {
	hash, ok := k.Hash(in.Text)
	if !ok {
		return Code{}, errs.Invalid("not_a_code", "This cannot be a code: write 1 to 100 characters.", errs.Field{Pointer: "/code", Reason: "not_a_code", Message: "must be 1 to 100 characters"})
	}
	c := Code{ID: ids.NewIn(IDPrefix, now, ids.Bucket(k.program, hash)), Kind: in.Kind, Hash: hash, Holder: in.Holder, Subject: in.Subject, Tail: tail(in.Text),
		HasPIN: in.PIN != "", Status: Open, Batch: in.Batch, CreatedAt: now.UTC().Truncate(time.Microsecond), EndsAt: in.EndsAt}
	if in.PIN != "" {
		c.pin = k.pinHash(hash, in.PIN)
	}
	return c, nil
}

// tail is what may be shown of a code: too little to guess the rest, none of a short one.
func tail(text string) string {
	n, _ := Normal(text)
	r := []rune(n)
	if len(r) < 12 {
		return ""
	}
	return string(r[len(r)-4:])
}

var insertCodes = db.NewInsert("codes", []string{"bucket integer", "program_id text", "hash text", "id text", "kind text", "holder text", "subject text", "tail text",
	"pin text", "status text", "batch text", "created_at bigint", "ends_at bigint null"}, "")

func rowOf(program string, list []Code) []any {
	args := make([]any, 0, insertCodes.Columns()*len(list))
	for _, c := range list {
		args = append(args, ids.Bucket(program, c.Hash), program, c.Hash, c.ID, string(c.Kind), c.Holder, c.Subject, c.Tail, c.pin, c.Status, c.Batch,
			c.CreatedAt.UnixMicro(), db.Micros(c.EndsAt))
	}
	return args
}

// Keep writes new codes now. An error of the class db.IsUnique says that the program has one of them already.
func Keep(ctx context.Context, tx *db.Tx, program string, list []Code) error {
	if err := tx.Insert(ctx, insertCodes, rowOf(program, list), nil); err != nil {
		return fmt.Errorf("keep codes: %w", err)
	}
	return nil
}

// KeepLater is Keep with what else the transaction writes at its end.
func KeepLater(tx *db.Tx, program string, list []Code) {
	tx.InsertLater(insertCodes, rowOf(program, list))
}

const codeColumns = `id, kind, hash, holder, subject, tail, pin, locked_until, status, batch, created_at, ends_at`

func scanCode(row db.Scanner) (Code, error) {
	var c Code
	var kind string
	var created int64
	var locked, ends sql.NullInt64
	err := row.Scan(&c.ID, &kind, &c.Hash, &c.Holder, &c.Subject, &c.Tail, &c.pin, &locked, &c.Status, &c.Batch, &created, &ends)
	c.Kind, c.HasPIN, c.CreatedAt, c.EndsAt, c.locked = Kind(kind), c.pin != "", time.UnixMicro(created).UTC(), db.Moment(ends), db.Moment(locked)
	return c, err
}

const findCode = `SELECT ` + codeColumns + ` FROM codes WHERE bucket = $1 AND program_id = $2 AND hash = $3`

// errUnknown is the same whatever was wrong, so that nothing is learnt from it.
func errUnknown() error { return errs.NotFound("code_unknown", "There is no such code.") }

// ByHash gives a code by its hash. It is for those who hold the hash; what people type goes through [Guard.Look].
func ByHash(ctx context.Context, tx *db.Tx, program, hash string) (Code, error) {
	c, err := scanCode(tx.QueryRow(ctx, findCode, ids.Bucket(program, hash), program, hash))
	if errors.Is(err, sql.ErrNoRows) {
		return Code{}, errUnknown()
	}
	if err != nil {
		return Code{}, fmt.Errorf("find a code: %w", err)
	}
	return c, nil
}

var openCodes = db.NewLookup([]string{"program_id text", "holder text"}, `
SELECT c.id, c.kind, c.hash, c.holder, c.subject, c.tail, c.pin
FROM want CROSS JOIN codes c
WHERE c.program_id = want.program_id AND c.holder = want.holder AND c.holder <> '' AND c.status = 'open'`)

// Of gives the open code of each holder that has one, by holder, without its times.
func Of(ctx context.Context, tx *db.Tx, program string, holders []string) (map[string]Code, error) {
	out := map[string]Code{}
	args := make([]any, 0, 2*len(holders))
	for _, h := range holders {
		args = append(args, program, h)
	}
	err := tx.Find(ctx, db.Ask{Lookup: openCodes, Args: args, Scan: func(row db.Scanner) error {
		c := Code{Status: Open}
		var kind string
		err := row.Scan(&c.ID, &kind, &c.Hash, &c.Holder, &c.Subject, &c.Tail, &c.pin)
		c.Kind, c.HasPIN = Kind(kind), c.pin != ""
		if before, some := out[c.Holder]; !some || c.ID > before.ID {
			out[c.Holder] = c
		}
		return err
	}})
	if err != nil {
		return nil, fmt.Errorf("look for codes: %w", err)
	}
	return out, nil
}

const byTail = `SELECT holder FROM codes WHERE program_id = $1 AND kind = $2 AND id > '' AND tail = $3 AND status = 'open' AND holder <> '' ORDER BY id DESC LIMIT $4`

// WithTail gives the holders of open codes of a kind that end so, the newest first. It looks through all codes of the kind: it is for people who ask.
func WithTail(ctx context.Context, tx *db.Tx, program string, kind Kind, tail string, limit int) ([]string, error) {
	var out []string
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		var holder string
		err := row.Scan(&holder)
		out = append(out, holder)
		return err
	}, byTail, program, string(kind), tail, limit)
	if err != nil {
		return nil, fmt.Errorf("look for codes by their ends: %w", err)
	}
	return out, nil
}

const everyCode = `SELECT ` + codeColumns + ` FROM codes WHERE program_id = $1 AND kind = $2 AND id > $3 ORDER BY id LIMIT $4`

// Each gives all codes of a program, some at a time.
func Each(ctx context.Context, tx *db.Tx, program string, some func([]Code) error) error {
	const page = 500
	for _, kind := range Kinds {
		for after := ""; ; {
			list := make([]Code, 0, page)
			err := db.Collect(ctx, tx, func(row db.Scanner) error {
				c, err := scanCode(row)
				list = append(list, c)
				return err
			}, everyCode, program, string(kind), after, page)
			if err != nil {
				return fmt.Errorf("read the codes of %s: %w", program, err)
			}
			if len(list) > 0 {
				after = list[len(list)-1].ID
				if err := some(list); err != nil {
					return err
				}
			}
			if len(list) < page {
				break
			}
		}
	}
	return nil
}

const replaceCodes = `UPDATE codes SET status = 'replaced' WHERE program_id = $1 AND holder = $2 AND subject = $3 AND status = 'open'`

// Replace says that another code will stand for what the open codes of a holder's subject stood for.
func Replace(ctx context.Context, tx *db.Tx, program, holder, subject string) error {
	if _, err := tx.Exec(ctx, replaceCodes, program, holder, subject); err != nil {
		return fmt.Errorf("replace a code of %s: %w", holder, err)
	}
	return nil
}

const replaceCode = `UPDATE codes SET status = 'replaced' WHERE bucket = $1 AND program_id = $2 AND hash = $3 AND status = 'open'`

// ReplaceOne is Replace of one code, by its hash.
func ReplaceOne(ctx context.Context, tx *db.Tx, program, hash string) error {
	if _, err := tx.Exec(ctx, replaceCode, ids.Bucket(program, hash), program, hash); err != nil {
		return fmt.Errorf("replace a code: %w", err)
	}
	return nil
}

const batchCodes = `SELECT ` + codeColumns + ` FROM codes WHERE program_id = $1 AND kind = $2 AND id > $3 AND ($4 = '' OR batch = $4) ORDER BY id LIMIT $5`

// List gives codes of a kind in the order of their ids, after one; batch keeps to one batch.
func List(ctx context.Context, tx *db.Tx, program string, kind Kind, batch, after string, limit int) ([]Code, error) {
	out := []Code{}
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		c, err := scanCode(row)
		out = append(out, c)
		return err
	}, batchCodes, program, string(kind), after, batch, limit)
	if err != nil {
		return nil, fmt.Errorf("list codes: %w", err)
	}
	return out, nil
}

const moveCodes = `UPDATE codes SET holder = $1 WHERE program_id = $2 AND holder = $3`

// Move gives the codes of one holder to another, as members are merged.
func Move(ctx context.Context, tx *db.Tx, program, from, to string) error {
	if _, err := tx.Exec(ctx, moveCodes, to, program, from); err != nil {
		return fmt.Errorf("move the codes of %s: %w", from, err)
	}
	return nil
}
