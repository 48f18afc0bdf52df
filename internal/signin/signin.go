// Package signin keeps how members get into their pages: the codes that show an address to be somebody's, passes that are good once, and sessions.
//
// It owns the tables member_codes, member_passes and member_sessions. It sends nothing and knows no page: the portal does that. What always
// holds: codes, passes and tokens are kept as hashes alone, and addresses as keyed hashes; a code is six digits, good for ten minutes, once,
// and for five tries, each of which is counted before the code is looked at; nothing that is said or done before a code is right depends on whether
// somebody is a member.
package signin

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"lojal.dev/lojal/internal/code"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/job"
)

// Bounds of codes: how long one is good, how often it may be tried, and how many an address gets.
const (
	CodeFor  = 10 * time.Minute
	MaxTries = 5
	PerHour  = 5
	PerDay   = 15
	digits   = 6
)

// Target is an address that a code is sent to: a kind of identifier, and the address as it is kept.
type Target struct{ Kind, Value string }

func (t Target) hash(k *code.Key) string { return k.Sum("signin", t.Kind+"\n"+t.Value) }

const (
	// holdTarget is written by every one who asks for a code of a target, who so waits for the one before.
	holdTarget = `INSERT INTO member_codes (bucket, program_id, target, code_id, hash, created_at, expires_at, ended_at) VALUES ($1, $2, $3, '', '', $4, $4, $4)
ON CONFLICT (bucket, program_id, target, code_id) DO UPDATE SET created_at = excluded.created_at`
	sentSince = `SELECT created_at FROM member_codes WHERE bucket = $1 AND program_id = $2 AND target = $3 AND code_id <> '' AND created_at > $4 ORDER BY created_at`
	endCodes  = `UPDATE member_codes SET ended_at = $1 WHERE bucket = $2 AND program_id = $3 AND target = $4 AND ended_at IS NULL`
	keepCode  = `INSERT INTO member_codes (bucket, program_id, target, code_id, hash, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`
)

// NewCode draws a code for an address, in place of an earlier one. The error is rate_limited "too_many_sent" (with retry_after) for an address that
// had its share, whoever's it is.
func NewCode(ctx context.Context, d *db.DB, program string, to Target, now time.Time) (string, error) {
	text := ids.Digits(digits)
	err := d.Write(ctx, func(tx *db.Tx) error {
		k, err := code.MakeKey(ctx, tx, program, now)
		if err != nil {
			return err
		}
		target := to.hash(k)
		bucket := ids.Bucket(program, target)
		// The target is held before it is counted, so that no burst is let through on a count of before it.
		if _, err := tx.Exec(ctx, holdTarget, bucket, program, target, now.UnixMicro()); err != nil {
			return fmt.Errorf("hold a target: %w", err)
		}
		if _, err := tx.Exec(ctx, endCodes, now.UnixMicro(), bucket, program, target); err != nil {
			return fmt.Errorf("end codes: %w", err)
		}
		var sent []time.Time
		err = db.Collect(ctx, tx, func(row db.Scanner) error {
			var at int64
			err := row.Scan(&at)
			sent = append(sent, time.UnixMicro(at))
			return err
		}, sentSince, bucket, program, target, now.Add(-24*time.Hour).UnixMicro())
		if err != nil {
			return fmt.Errorf("count codes: %w", err)
		}
		if free := freeAt(sent, now); free.After(now) {
			return errs.RateLimited("too_many_sent", "Many codes were sent to this address. Wait, and ask again.").With("retry_after", int(free.Sub(now)/time.Second)+1)
		}
		_, err = tx.Exec(ctx, keepCode, bucket, program, target, ids.New("otc", now), k.Sum("signin code", target+"\n"+text), now.UnixMicro(), now.Add(CodeFor).UnixMicro())
		if err != nil {
			return fmt.Errorf("keep a code: %w", err)
		}
		return nil
	})
	return text, err
}

// freeAt is when the next code may be sent after these.
func freeAt(sent []time.Time, now time.Time) time.Time {
	free := now
	if n := len(sent); n >= PerDay {
		free = sent[n-PerDay].Add(24 * time.Hour)
	}
	if n := len(sent); n >= PerHour {
		if at := sent[n-PerHour].Add(time.Hour); at.After(free) {
			free = at
		}
	}
	return free
}

const (
	countTry = `UPDATE member_codes SET tries = tries + 1 WHERE bucket = $1 AND program_id = $2 AND target = $3 AND ended_at IS NULL RETURNING code_id, hash, tries, expires_at`
	takeCode = `UPDATE member_codes SET ended_at = $1 WHERE bucket = $2 AND program_id = $3 AND target = $4 AND code_id = $5 AND ended_at IS NULL`
)

func errCode() error {
	return errs.Unauthenticated("wrong_code", "This code is not right, was used, or is too old. Look again, or ask for a new one.")
}

// Try takes a code for an address, once. A try is counted, and the count kept, before the code is looked at: tries at once are all counted. The error is
// unauthenticated "wrong_code" whatever is wrong with it.
func Try(ctx context.Context, d *db.DB, program string, to Target, text string, now time.Time) error {
	text = strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' || r == '\u00a0' {
			return -1
		}
		return r
	}, text)
	var target, id, want, got string
	var tries int
	var expires int64
	var bucket int32
	err := d.Write(ctx, func(tx *db.Tx) error {
		id = ""
		k, err := code.MakeKey(ctx, tx, program, now)
		if err != nil {
			return err
		}
		target = to.hash(k)
		bucket, got = ids.Bucket(program, target), k.Sum("signin code", target+"\n"+text)
		err = tx.QueryRow(ctx, countTry, bucket, program, target).Scan(&id, &want, &tries, &expires)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("count a try: %w", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if id == "" || tries > MaxTries || expires <= now.UnixMicro() || subtle.ConstantTimeCompare([]byte(got), []byte(want)) != 1 {
		return errCode()
	}
	return d.Write(ctx, func(tx *db.Tx) error {
		res, err := tx.Exec(ctx, takeCode, now.UnixMicro(), bucket, program, target, id)
		if err != nil {
			return fmt.Errorf("take a code: %w", err)
		}
		if n, err := res.RowsAffected(); err != nil || n != 1 {
			return errors.Join(err, errCode())
		}
		return nil
	})
}

// Kind says what a pass lets in to.
type Kind string

// The kinds of passes.
const (
	// Joining is of who has shown an address and is about to become a member.
	Joining Kind = "join"
	// Demo signs in to the sample data.
	Demo Kind = "demo"
)

const (
	keepOne = `INSERT INTO member_passes (bucket, program_id, hash, kind, about, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`
	lookOne = `SELECT about FROM member_passes WHERE bucket = $1 AND program_id = $2 AND hash = $3 AND kind = $4 AND used_at IS NULL AND expires_at > $5`
	takeOne = `UPDATE member_passes SET used_at = $1 WHERE bucket = $2 AND program_id = $3 AND hash = $4 AND used_at IS NULL`
)

func newPass(ctx context.Context, tx *db.Tx, program string, k Kind, about string, length time.Duration, now time.Time) (string, error) {
	text := ids.Code(26) // 130 bits
	hash := ids.HashSecret(string(k) + ":" + text)
	if _, err := tx.Exec(ctx, keepOne, ids.Bucket(program, hash), program, hash, string(k), about, now.UnixMicro(), now.Add(length).UnixMicro()); err != nil {
		return "", fmt.Errorf("keep a pass: %w", err)
	}
	return text, nil
}

func errPass() error {
	return errs.Unauthenticated("pass_ended", "This was used, is too old or was never given out. Begin again.")
}

func look(ctx context.Context, tx *db.Tx, program string, k Kind, text string, now time.Time) (about string, err error) {
	hash := ids.HashSecret(string(k) + ":" + text)
	err = tx.QueryRow(ctx, lookOne, ids.Bucket(program, hash), program, hash, string(k), now.UnixMicro()).Scan(&about)
	if errors.Is(err, sql.ErrNoRows) {
		return "", errPass()
	}
	if err != nil {
		return "", fmt.Errorf("look at a pass: %w", err)
	}
	return about, nil
}

func take(ctx context.Context, tx *db.Tx, program string, k Kind, text string, now time.Time) error {
	hash := ids.HashSecret(string(k) + ":" + text)
	res, err := tx.Exec(ctx, takeOne, now.UnixMicro(), ids.Bucket(program, hash), program, hash)
	if err != nil {
		return fmt.Errorf("use a pass: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		return errors.Join(err, errPass())
	}
	return nil
}

// JoinFor is how long somebody who has shown an address may take to join.
const JoinFor = 30 * time.Minute

// Shown gives who has shown an address a pass to join with it.
func Shown(ctx context.Context, tx *db.Tx, program string, to Target, now time.Time) (string, error) {
	k, err := code.MakeKey(ctx, tx, program, now)
	if err != nil {
		return "", err
	}
	return newPass(ctx, tx, program, Joining, to.hash(k), JoinFor, now)
}

// MayJoin is nil where the pass is for this address, and leaves it as it is: what is filled in after it may be refused. Joined uses it up.
func MayJoin(ctx context.Context, tx *db.Tx, program string, to Target, pass string, now time.Time) error {
	k, err := code.MakeKey(ctx, tx, program, now)
	if err != nil {
		return err
	}
	about, err := look(ctx, tx, program, Joining, pass, now)
	if err == nil && about != to.hash(k) {
		err = errPass()
	}
	return err
}

// Joined uses up the pass of who has joined.
func Joined(ctx context.Context, tx *db.Tx, program, pass string, now time.Time) error {
	return take(ctx, tx, program, Joining, pass, now)
}

// DemoFor is how long the pass of a demo is good.
const DemoFor = 24 * time.Hour

// NewDemo makes a pass that signs in as a member, once.
func NewDemo(ctx context.Context, tx *db.Tx, program, member string, now time.Time) (string, error) {
	return newPass(ctx, tx, program, Demo, member, DemoFor, now)
}

// LookDemo says whom a pass signs in as, and leaves it as it is; UseDemo takes it.
func LookDemo(ctx context.Context, tx *db.Tx, program, pass string, now time.Time) (member string, err error) {
	return look(ctx, tx, program, Demo, pass, now)
}

// UseDemo takes a pass and says whom it signs in as.
func UseDemo(ctx context.Context, tx *db.Tx, program, pass string, now time.Time) (member string, err error) {
	if member, err = LookDemo(ctx, tx, program, pass, now); err != nil {
		return "", err
	}
	return member, take(ctx, tx, program, Demo, pass, now)
}

// TendKind is the job that forgets what is over.
const TendKind = "signin.tend"

// Handle has a runner forget what is over.
func Handle(r *job.Runner, d *db.DB, clock func() time.Time) {
	r.Handle(TendKind, job.Worker{Every: time.Hour, Run: func(ctx context.Context, _ *job.Job) error { return Tend(ctx, d, clock()) }})
}

const (
	tidyCodes    = `DELETE FROM member_codes WHERE created_at < $1`
	tidyOnes     = `DELETE FROM member_passes WHERE expires_at < $1`
	tidySessions = `DELETE FROM member_sessions WHERE expires_at < $1`
)

// Tend forgets codes that no count needs any more, and passes and sessions that ended.
func Tend(ctx context.Context, d *db.DB, now time.Time) error {
	return d.Write(ctx, func(tx *db.Tx) error {
		for _, one := range []struct {
			text   string
			before time.Time
		}{{tidyCodes, now.Add(-25 * time.Hour)}, {tidyOnes, now}, {tidySessions, now}} {
			if _, err := tx.Exec(ctx, one.text, one.before.UnixMicro()); err != nil {
				return fmt.Errorf("forget what is over: %w", err)
			}
		}
		return nil
	})
}
