package sweep

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/version"
)

// A walk goes over all accounts of a program once after a version has come into force that changes tiers or expiry by
// inactivity, so that it reaches members about whom nothing else is recorded. How far it came is kept: a walk that was
// stopped goes on, and two that go at once do some accounts twice, for which the second finds nothing to do. While no such version
// comes, a sweep costs one small read a program.

// walkAtOnce is how many batches of a walk go between two looks at what is due: a long walk must not keep what is due waiting.
const walkAtOnce = 10

// walked is a row of replans.
type walked struct {
	version, target int64
	bucket          int32
	member          string
}

// walk goes on with the walks of all programs for some batches, and says whether there is more to do.
func walk(ctx context.Context, d *db.DB, r *record.Recorder, now time.Time, out *Counts) (more bool, err error) {
	var programs []version.Program
	err = d.Read(ctx, func(tx *db.Tx) (err error) {
		programs, err = version.Programs(ctx, tx)
		return err
	})
	if err != nil {
		return false, err
	}
	var failed []error
	for _, p := range programs {
		unfinished, err := walkProgram(ctx, d, r, p.ID, now, out)
		more = more || unfinished
		if err != nil {
			failed = append(failed, fmt.Errorf("plan anew in %s: %w", p.ID, err))
		}
		if ctx.Err() != nil || errs.CodeOf(err) == errs.CodeUnavailable {
			return false, errors.Join(failed...)
		}
	}
	return more, errors.Join(failed...)
}

func walkProgram(ctx context.Context, d *db.DB, r *record.Recorder, program string, now time.Time, out *Counts) (more bool, err error) {
	at, wanted, err := begin(ctx, d, r, program, now)
	if err != nil || !wanted {
		return false, err
	}
	var failed []error
	for range walkAtOnce {
		var refs []books.Ref
		err := d.Read(ctx, func(tx *db.Tx) (err error) {
			refs, err = books.AccountsAfter(ctx, tx, program, at.bucket, at.member, batch)
			return err
		})
		if err != nil {
			return false, errors.Join(append(failed, err)...)
		}
		if len(refs) > 0 {
			// An account that cannot be brought up is told, and does not stop the walk, which would never end.
			n, err := r.Replan(ctx, refs, now)
			out.Replanned, out.Facts = out.Replanned+len(refs), out.Facts+n
			if err != nil {
				failed = append(failed, err)
			}
			if ctx.Err() != nil || errs.CodeOf(err) == errs.CodeUnavailable {
				return false, errors.Join(failed...)
			}
		}
		next, ours := at, false
		err = d.Write(ctx, func(tx *db.Tx) error {
			var err error
			if len(refs) == batch {
				last := refs[len(refs)-1]
				next.bucket, next.member = last.Bucket(), last.Member
			} else {
				next = walked{version: at.target}
			}
			ours, err = advance(ctx, tx, program, at, next)
			return err
		})
		if err != nil || next.target == 0 || !ours {
			return false, errors.Join(append(failed, err)...) // where it is not ours, another node goes on with it
		}
		at = next
	}
	return true, errors.Join(failed...)
}

const (
	readReplans = `SELECT version, target, bucket, member_id FROM replans WHERE program_id = $1`

	beginReplans = `
INSERT INTO replans (program_id, version, target, bucket, member_id) VALUES ($1, $2, $3, 0, '')
ON CONFLICT (program_id) DO UPDATE SET target = excluded.target, bucket = 0, member_id = ''
WHERE replans.version = $2 AND replans.target = $4`

	advanceReplans = `
UPDATE replans SET version = $2, target = $3, bucket = $4, member_id = $5
WHERE program_id = $1 AND version = $6 AND target = $7 AND bucket = $8 AND member_id = $9`
)

// begin says how far the program's walk is, and whether there is one to go: it begins one when a version has come into force that
// asks for it.
func begin(ctx context.Context, d *db.DB, r *record.Recorder, program string, now time.Time) (at walked, wanted bool, err error) {
	known, current := true, int64(0)
	err = d.Read(ctx, func(tx *db.Tx) error {
		at, known, current, wanted = walked{}, true, 0, false // it may be run again
		set, err := r.Versions().Get(ctx, tx, program)
		if errs.CodeOf(err) == errs.CodeNotFound {
			return nil
		}
		if err != nil {
			return err
		}
		if p := set.At(now); p != nil {
			current = p.Version
		}
		err = tx.QueryRow(ctx, readReplans, program).Scan(&at.version, &at.target, &at.bucket, &at.member)
		if errors.Is(err, sql.ErrNoRows) {
			known, err = false, nil
		}
		wanted = set.ReplannedSince(at.version, now)
		return err
	})
	switch {
	case err != nil || current == 0:
		return at, false, err
	case at.target != 0 && at.target == current:
		return at, true, nil
	case known && at.target == 0 && at.version == current:
		return at, false, nil
	}
	// A walk that was under way for an older version is wanted still, and begins anew.
	wanted = wanted || at.target != 0
	next := walked{version: at.version, target: current}
	if !wanted {
		next = walked{version: current}
	}
	ours := false
	err = d.Write(ctx, func(tx *db.Tx) error {
		var err error
		if !known || wanted {
			ours, err = changed(tx.Exec(ctx, beginReplans, program, next.version, next.target, at.target))
			return err
		}
		ours, err = advance(ctx, tx, program, at, next)
		return err
	})
	return next, wanted && ours, err
}

func advance(ctx context.Context, tx *db.Tx, program string, from, to walked) (bool, error) {
	return changed(tx.Exec(ctx, advanceReplans, program, to.version, to.target, to.bucket, to.member, from.version, from.target, from.bucket, from.member))
}

func changed(res sql.Result, err error) (bool, error) {
	if err != nil {
		return false, fmt.Errorf("note how far a walk is: %w", err)
	}
	n, err := res.RowsAffected()
	return n > 0, err
}
