package code

import (
	"context"
	"crypto/hmac"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/job"
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
	if a.Address != "" { // an address is nobody's business: its keyed hash counts as well
		add("from:"+k.sum("who", a.Address), g.Limits.PerAddress, DefaultPerAddress)
	}
	return out
}

const (
	countGuesses = `SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT), CAST(COALESCE(MIN(CASE WHEN n > 0 THEN minute END), 0) AS BIGINT) FROM code_guesses
WHERE bucket = $1 AND program_id = $2 AND who = $3 AND minute > $4`
	tidyGuesses = `DELETE FROM code_guesses WHERE minute <= $1`
)

var addGuess = db.NewInsert("code_guesses", []string{"bucket integer", "program_id text", "who text", "minute bigint", "n bigint"}, `
ON CONFLICT (bucket, program_id, who, minute) DO UPDATE SET n = code_guesses.n + excluded.n`)

func minuteOf(t time.Time) int64 { return t.Unix() / 60 }

// Look gives the open code that somebody typed, in a transaction of its own. What one asker names is looked up one after the other: each
// look-up holds the asker's count before it looks, so that no burst is let through on a count of before it; and a try at a PIN is
// taken before the PIN is compared.
//
// Errors: rate_limited "too_many_codes" (with retry_after) before anything is looked up; not_found "code_unknown", the same for one that is
// none and one of another kind; conflict "code_replaced", "code_ended"; forbidden "pin_required", "pin_wrong", rate_limited "pin_locked".
func (g Guard) Look(ctx context.Context, d *db.DB, in Asked, now time.Time) (Code, error) {
	var c Code
	var why error
	err := d.Write(ctx, func(tx *db.Tx) error {
		k, err := MakeKey(ctx, tx, in.Program, now)
		if err != nil {
			return err
		}
		names := g.names(in.By, k)
		// Nothing is added yet: what is written is held until the end.
		if err := guess(ctx, tx, in.Program, names, 0, now); err != nil {
			return err
		}
		if why, err = wait(ctx, tx, in.Program, names, now); why != nil || err != nil {
			return err
		}
		if c, why, err = find(ctx, tx, k, in, now); err != nil || !isMiss(why) {
			return err
		}
		return guess(ctx, tx, in.Program, names, 1, now)
	})
	if err != nil {
		return Code{}, err
	}
	return c, why
}

// guess counts for those who asked.
func guess(ctx context.Context, tx *db.Tx, program string, names []name, n int64, now time.Time) error {
	for _, one := range names {
		if err := tx.Insert(ctx, addGuess, []any{ids.Bucket(program, one.who), program, one.who, minuteOf(now), n}, nil); err != nil {
			return fmt.Errorf("count a guess: %w", err)
		}
	}
	return nil
}

// find looks a code up. why says that it cannot be used; err, that nothing is known.
func find(ctx context.Context, tx *db.Tx, k *Key, in Asked, now time.Time) (c Code, why, err error) {
	hash, ok := k.Hash(in.Text)
	if !ok {
		return Code{}, errUnknown(), nil
	}
	c, err = ByHash(ctx, tx, in.Program, hash)
	switch {
	case errs.Is(err, errs.CodeNotFound, "code_unknown"):
		return Code{}, err, nil
	case err != nil:
		return Code{}, nil, err
	case len(in.Kinds) > 0 && !slices.Contains(in.Kinds, c.Kind):
		return Code{}, errUnknown(), nil
	}
	if why, err = c.pinned(ctx, tx, k, in.PIN, now); why != nil || err != nil {
		return c, why, err
	}
	why = c.Usable(now)
	return c, why, nil
}

// wait refuses who named too many codes that are none.
func wait(ctx context.Context, tx *db.Tx, program string, names []name, now time.Time) (why, err error) {
	since := minuteOf(now.Add(-Window))
	for _, n := range names {
		var count, first int64
		if err := tx.QueryRow(ctx, countGuesses, ids.Bucket(program, n.who), program, n.who, since).Scan(&count, &first); err != nil {
			return nil, fmt.Errorf("count guesses: %w", err)
		}
		if count >= int64(n.most) {
			free := time.Unix((first+1)*60, 0).Add(Window)
			return errs.RateLimited("too_many_codes", "Too many codes were named here that are none. Wait as long as retry_after says.").
				With("retry_after", max(int64(free.Sub(now)/time.Second), 1)), nil
		}
	}
	return nil, nil
}

const (
	takeTry = `
UPDATE codes SET tries = tries + 1 WHERE bucket = $1 AND program_id = $2 AND hash = $3 AND tries < $4 AND (locked_until IS NULL OR locked_until <= $5) RETURNING tries`
	rightPIN = `UPDATE codes SET tries = 0 WHERE bucket = $1 AND program_id = $2 AND hash = $3`
	lockPIN  = `UPDATE codes SET tries = 0, locked_until = $4 WHERE bucket = $1 AND program_id = $2 AND hash = $3`
	lockedAt = `SELECT locked_until FROM codes WHERE bucket = $1 AND program_id = $2 AND hash = $3`
)

// pinned sees that the right PIN came. A try is taken before the PIN is looked at, so that of many at once only [MaxTries] are.
func (c *Code) pinned(ctx context.Context, tx *db.Tx, k *Key, pin string, now time.Time) (why, err error) {
	if c.pin == "" {
		return nil, nil
	}
	at := []any{ids.Bucket(k.program, c.Hash), k.program, c.Hash}
	if pin == "" {
		if c.locked != nil && c.locked.After(now) {
			return pinLocked(*c.locked, now), nil
		}
		return errs.Forbidden("pin_required", "This code goes with a PIN: send it as pin."), nil
	}
	var tries int
	err = tx.QueryRow(ctx, takeTry, append(slices.Clone(at), MaxTries, now.UnixMicro())...).Scan(&tries)
	if errors.Is(err, sql.ErrNoRows) {
		var until sql.NullInt64
		if err := tx.QueryRow(ctx, lockedAt, at...).Scan(&until); err != nil {
			return nil, fmt.Errorf("read the lock of a PIN: %w", err)
		}
		return pinLocked(time.UnixMicro(until.Int64), now), nil
	}
	if err != nil {
		return nil, fmt.Errorf("take a try at a PIN: %w", err)
	}
	end := rightPIN
	if !hmac.Equal([]byte(c.pin), []byte(k.pinHash(c.Hash, pin))) {
		why = errs.Forbidden("pin_wrong", "The PIN is wrong.")
		if tries < MaxTries {
			return why, nil
		}
		end, at = lockPIN, append(at, now.Add(LockFor).UnixMicro())
	}
	if _, err := tx.Exec(ctx, end, at...); err != nil {
		return nil, fmt.Errorf("write down a try at a PIN: %w", err)
	}
	return why, nil
}

func pinLocked(until, now time.Time) error {
	return errs.RateLimited("pin_locked", "The PIN was wrong too often. Wait as long as retry_after says.").With("retry_after", max(int64(until.Sub(now)/time.Second), 1))
}

// Usable is nil for a code that is open at a time.
func (c *Code) Usable(now time.Time) error {
	switch {
	case c.Status != Open:
		return errs.Conflict("code_replaced", "Another code stands in the place of this one.")
	case c.EndsAt != nil && !c.EndsAt.After(now):
		return errs.Conflict("code_ended", "The time of this code is over.").With("ended_at", c.EndsAt.Format(time.RFC3339))
	}
	return nil
}

// isMiss says that a look-up failed in a way that is counted.
func isMiss(why error) bool {
	return errs.Is(why, errs.CodeNotFound, "code_unknown") || errs.Is(why, errs.CodeForbidden, "pin_wrong")
}

// TendKind is the job that forgets guesses which count no more.
const TendKind = "codes.tend"

// Handle has the runner's node forget old guesses.
func Handle(r *job.Runner, d *db.DB, clock func() time.Time) {
	r.Handle(TendKind, job.Worker{Every: time.Hour, Run: func(ctx context.Context, _ *job.Job) error { return Tend(ctx, d, clock()) }})
}

// Tend forgets the guesses of before the window, for all programs.
func Tend(ctx context.Context, d *db.DB, now time.Time) error {
	return d.Write(ctx, func(tx *db.Tx) error {
		if _, err := tx.Exec(ctx, tidyGuesses, minuteOf(now.Add(-2*Window))); err != nil {
			return fmt.Errorf("forget old guesses: %w", err)
		}
		return nil
	})
}
