package code

import (
	"context"
	"crypto/hmac"
	"errors"
	"fmt"
	"slices"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
)

// Guard has codes looked up, and those wait who guess at them. Its zero value has the limits of [Limits].
type Guard struct{ Limits Limits }

// Limits bound how many codes that are none may be named in [Window]. Zero is the default, negative is no limit.
type Limits struct {
	// PerKey is for one API key: a till with many customers, all of whom mistype now and then.
	PerKey int
	// PerAddress is for one address or person.
	PerAddress int
}

// The defaults of Limits, and the window they count in.
const (
	DefaultPerKey     = 300
	DefaultPerAddress = 20
	Window            = 10 * time.Minute
)

// MaxTries is how many wrong PINs lock a code for LockFor.
const (
	MaxTries = 5
	LockFor  = time.Hour
)

// Asker is who names a code.
type Asker struct {
	// Key is the id of the API key, Address that of the person behind it: an address, a session, a card; either may be empty.
	Key, Address string
}

// Asked is a code as somebody typed it.
type Asked struct {
	Program, Text, PIN string
	// Kinds keeps to some kinds; a code of another kind is unknown then. Empty is all.
	Kinds []Kind
	By    Asker
}

type name struct {
	who  string
	most int
}

func (g Guard) names(a Asker, k *Key) []name {
	var out []name
	add := func(who string, most, normal int) {
		if most == 0 {
			most = normal
		}
		if most > 0 {
			out = append(out, name{who, most})
		}
	}
	if a.Key != "" {
		add("key:"+a.Key, g.Limits.PerKey, DefaultPerKey)
	}
	if a.Address != "" && k != nil { // an address is nobody's business: its keyed hash counts as well
		add("from:"+k.sum("who", a.Address), g.Limits.PerAddress, DefaultPerAddress)
	}
	return out
}

const (
	countGuesses = `SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT), COALESCE(MIN(minute), 0) FROM code_guesses WHERE bucket = $1 AND program_id = $2 AND who = $3 AND minute > $4`
	dropGuesses  = `DELETE FROM code_guesses WHERE bucket = $1 AND program_id = $2 AND who = $3 AND minute <= $4`
)

var addGuess = db.NewInsert("code_guesses", []string{"bucket integer", "program_id text", "who text", "minute bigint", "n bigint"}, `
ON CONFLICT (bucket, program_id, who, minute) DO UPDATE SET n = code_guesses.n + excluded.n`)

func minuteOf(t time.Time) int64 { return t.Unix() / 60 }

// Find gives the open code that somebody typed. It may read only: a missed one is to be written down with [Guard.Missed], in a transaction of its
// own, since the failed request undoes its own.
//
// Errors: rate_limited "too_many_codes" (with retry_after) before anything is looked up; not_found "code_unknown", the same for one that is
// none and one of another kind; conflict "code_spent", "code_void", "code_replaced", "code_ended"; forbidden "pin_required", "pin_wrong",
// rate_limited "pin_locked".
func (g Guard) Find(ctx context.Context, tx *db.Tx, in Asked, now time.Time) (Code, error) {
	k, err := KeyOf(ctx, tx, in.Program)
	if err != nil && !errs.Is(err, errs.CodeNotFound, "no_codes") {
		return Code{}, err
	}
	if err := g.wait(ctx, tx, in, k, now); err != nil {
		return Code{}, err
	}
	if k == nil {
		return Code{}, errUnknown()
	}
	hash, ok := k.Hash(in.Text)
	if !ok {
		return Code{}, errUnknown()
	}
	c, err := ByHash(ctx, tx, in.Program, hash)
	if err != nil {
		return Code{}, err
	}
	if len(in.Kinds) > 0 && !slices.Contains(in.Kinds, c.Kind) {
		return Code{}, errUnknown()
	}
	if err := c.pinned(k, in.PIN, now); err != nil {
		return c, err
	}
	err = c.Usable(now)
	return c, err
}

// wait refuses who named too many codes that are none.
func (g Guard) wait(ctx context.Context, tx *db.Tx, in Asked, k *Key, now time.Time) error {
	since := minuteOf(now.Add(-Window))
	for _, n := range g.names(in.By, k) {
		var count, first int64
		if err := tx.QueryRow(ctx, countGuesses, ids.Bucket(in.Program, n.who), in.Program, n.who, since).Scan(&count, &first); err != nil {
			return fmt.Errorf("count guesses: %w", err)
		}
		if count >= int64(n.most) {
			free := time.Unix((first+1)*60, 0).Add(Window)
			return errs.RateLimited("too_many_codes", "Too many codes were named here that are none. Wait as long as retry_after says.").
				With("retry_after", max(int64(free.Sub(now)/time.Second), 1))
		}
	}
	return nil
}

// pinned sees that the right PIN came.
func (c *Code) pinned(k *Key, pin string, now time.Time) error {
	if c.pin == "" {
		return nil
	}
	if c.locked != nil && c.locked.After(now) {
		return errs.RateLimited("pin_locked", "The PIN was wrong too often. Wait as long as retry_after says.").With("retry_after", max(int64(c.locked.Sub(now)/time.Second), 1))
	}
	if pin == "" {
		return errs.Forbidden("pin_required", "This code goes with a PIN: send it as pin.")
	}
	if !hmac.Equal([]byte(c.pin), []byte(k.pinHash(c.Hash, pin))) {
		return errs.Forbidden("pin_wrong", "The PIN is wrong.")
	}
	return nil
}

// Usable is nil for a code that is open at a time.
func (c *Code) Usable(now time.Time) error {
	switch {
	case c.Status != Open:
		return errs.Conflict("code_"+c.Status, map[string]string{
			Spent: "This code was used.", Void: "This code was called off.", Replaced: "Another code stands in the place of this one."}[c.Status])
	case c.EndsAt != nil && !c.EndsAt.After(now):
		return errs.Conflict("code_ended", "The time of this code is over.").With("ended_at", c.EndsAt.Format(time.RFC3339))
	}
	return nil
}

// IsMiss says that a look-up failed in a way that is counted: see [Guard.Missed].
func IsMiss(err error) bool {
	return errs.Is(err, errs.CodeNotFound, "code_unknown") || errs.Is(err, errs.CodeForbidden, "pin_wrong")
}

const wrongPIN = `
UPDATE codes SET tries = CASE WHEN tries + 1 >= $1 THEN 0 ELSE tries + 1 END, locked_until = CASE WHEN tries + 1 >= $1 THEN $2 ELSE locked_until END
WHERE bucket = $3 AND program_id = $4 AND hash = $5 AND (locked_until IS NULL OR locked_until <= $6)`

const rightPIN = `UPDATE codes SET tries = 0 WHERE bucket = $1 AND program_id = $2 AND hash = $3 AND tries > 0`

// Missed writes a failed look-up down: whoever it was has one guess less, and a code whose PIN was wrong one try less.
func (g Guard) Missed(ctx context.Context, tx *db.Tx, in Asked, c Code, why error, now time.Time) error {
	k, err := MakeKey(ctx, tx, in.Program, now)
	if err != nil {
		return err
	}
	if c.Hash != "" && errs.Is(why, errs.CodeForbidden, "pin_wrong") {
		if _, err := tx.Exec(ctx, wrongPIN, MaxTries, now.Add(LockFor).UnixMicro(), ids.Bucket(in.Program, c.Hash), in.Program, c.Hash, now.UnixMicro()); err != nil {
			return fmt.Errorf("count a wrong PIN: %w", err)
		}
	}
	for _, n := range g.names(in.By, k) {
		bucket := ids.Bucket(in.Program, n.who)
		if err := tx.Insert(ctx, addGuess, []any{bucket, in.Program, n.who, minuteOf(now), int64(1)}, nil); err != nil {
			return fmt.Errorf("count a guess: %w", err)
		}
		if _, err := tx.Exec(ctx, dropGuesses, bucket, in.Program, n.who, minuteOf(now.Add(-2*Window))); err != nil {
			return fmt.Errorf("forget old guesses: %w", err)
		}
	}
	return nil
}

// Cleared forgets the wrong PINs of a code, once the right one came.
func Cleared(ctx context.Context, tx *db.Tx, program string, c Code) error {
	if c.tries == 0 {
		return nil
	}
	if _, err := tx.Exec(ctx, rightPIN, ids.Bucket(program, c.Hash), program, c.Hash); err != nil {
		return fmt.Errorf("forget wrong PINs: %w", err)
	}
	return nil
}

// Look is Find in a transaction of its own that writes down what failed: for a door, which has none.
func (g Guard) Look(ctx context.Context, d *db.DB, in Asked, now time.Time) (Code, error) {
	var c Code
	var why error
	err := d.Read(ctx, func(tx *db.Tx) error {
		c, why = g.Find(ctx, tx, in, now)
		var known *errs.Error
		if why != nil && !errors.As(why, &known) {
			return why
		}
		return nil
	})
	if err != nil {
		return Code{}, err
	}
	switch {
	case IsMiss(why):
		if err := d.Write(ctx, func(tx *db.Tx) error { return g.Missed(ctx, tx, in, c, why, now) }); err != nil {
			return Code{}, err
		}
	case why == nil && c.tries > 0:
		if err := d.Write(ctx, func(tx *db.Tx) error { return Cleared(ctx, tx, in.Program, c) }); err != nil {
			return Code{}, err
		}
	}
	return c, why
}
