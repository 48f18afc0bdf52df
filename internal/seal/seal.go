// Package seal keeps a chain of hashes over the books, so that whoever changes history in the database, and changes it everywhere
// alike, is found by anybody who kept a hash.
//
// It owns the table seals, what a hash is made of, and the comparing. It does not own the facts (books), nor whether they follow
// from each other (verify).
//
// A seal covers the facts of a program, with their postings, that were committed after those of the seal before it, and the
// versions published since. It is made beside the write path: a job reads what has come to rest, in the order of commits, and adds
// a row. What always holds: the seals of a program are numbered 1, 2, 3… and each names the hash of the one before; two nodes
// that seal at once make one chain; a seal is never changed.
//
// The head of a chain, HASH@NUMBER, stands for everything up to it. Kept elsewhere, it finds a changed or cut chain, and a
// database that was set back to an older state.
package seal

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"time"

	"lojal.dev/lojal/internal/audit"
	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/job"
	"lojal.dev/lojal/internal/version"
)

// form is the number of the way in which hashes are made.
const form = 1

// most is how many facts one seal covers at most: they are read in one transaction.
const most = 4096

// Seal is one link of the chain.
type Seal struct {
	Program string `json:"program"`
	Number  int64  `json:"number"`
	Hash    string `json:"hash"`
	// Previous is the hash of the seal before it; zeros for the first.
	Previous string `json:"previous"`
	// Facts and Postings are how many it covers, Version the last published version up to it.
	Facts    int64     `json:"facts"`
	Postings int64     `json:"postings"`
	Version  int64     `json:"version"`
	SealedAt time.Time `json:"sealed_at"`

	form   int64
	until  books.Cursor
	prints string
}

// Head names a seal: HASH@NUMBER.
type Head struct {
	Hash   string
	Number int64
}

func (h Head) String() string { return h.Hash + "@" + strconv.FormatInt(h.Number, 10) }

// Of writes the head with its program, in one word: PROGRAM:HASH@NUMBER.
func (h Head) Of(program string) string { return program + ":" + h.String() }

// Head names the seal.
func (s *Seal) Head() Head { return Head{s.Hash, s.Number} }

// ParseHead reads PROGRAM:HASH@NUMBER; also HASH@NUMBER, whose program is "", and a space for the colon, as heads were printed at first.
func ParseHead(text string) (program string, h Head, err error) {
	rest := strings.TrimSpace(text)
	if at := strings.IndexAny(rest, ": \t"); at > 0 {
		program, rest = rest[:at], strings.TrimSpace(rest[at+1:])
	}
	hash, number, ok := strings.Cut(rest, "@")
	n, bad := strconv.ParseInt(number, 10, 64)
	if raw, err := hex.DecodeString(hash); !ok || bad != nil || n < 1 || err != nil || len(raw) != sha256.Size {
		return "", Head{}, errs.Malformed("not_a_head", fmt.Sprintf("%q is not the head of a chain: write it as `lojal seal --head` prints it, PROGRAM:HASH@NUMBER.", text))
	}
	return program, Head{strings.ToLower(hash), n}, nil
}

// before the first seal there is nothing.
var zeros = hex.EncodeToString(make([]byte, sha256.Size))

func bucketOf(program string) int32 { return ids.Bucket(program, "seals") }

const sealColumns = `number, form, hash, previous, stamp, n, version, facts, postings, sealed_at, prints`

const (
	lastSeal = `
SELECT ` + sealColumns + ` FROM seals WHERE bucket = $1 AND program_id = $2 ORDER BY number DESC LIMIT 1`

	sealsAfter = `
SELECT ` + sealColumns + ` FROM seals WHERE bucket = $1 AND program_id = $2 AND number > $3 ORDER BY number LIMIT $4`

	insertSeal = `
INSERT INTO seals (bucket, program_id, ` + sealColumns + `)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`
)

func scan(row db.Scanner, program string) (*Seal, error) {
	s := &Seal{Program: program}
	var at int64
	if err := row.Scan(&s.Number, &s.form, &s.Hash, &s.Previous, &s.until.Stamp, &s.until.N, &s.Version, &s.Facts, &s.Postings, &at, &s.prints); err != nil {
		return nil, err
	}
	s.SealedAt = time.UnixMicro(at).UTC()
	return s, nil
}

// Last gives the program's last seal. Not found when nothing is sealed.
func Last(ctx context.Context, tx *db.Tx, program string) (*Seal, error) {
	s, err := scan(tx.QueryRow(ctx, lastSeal, bucketOf(program), program), program)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, errs.NotFound("not_sealed", fmt.Sprintf("Nothing of %s is sealed yet.", program))
	}
	if err != nil {
		return nil, fmt.Errorf("read the last seal of %s: %w", program, err)
	}
	return s, nil
}

const sealBefore = `
SELECT ` + sealColumns + ` FROM seals WHERE bucket = $1 AND program_id = $2 AND sealed_at < $3 ORDER BY number DESC LIMIT 1`

// Before gives the place where the last seal before a time ends, and its number; zero when there is none.
func Before(ctx context.Context, tx *db.Tx, program string, at time.Time) (books.Cursor, int64, error) {
	s, err := scan(tx.QueryRow(ctx, sealBefore, bucketOf(program), program, at.UnixMicro()), program)
	if errors.Is(err, sql.ErrNoRows) {
		return books.Cursor{}, 0, nil
	}
	if err != nil {
		return books.Cursor{}, 0, fmt.Errorf("look for the last seal of %s before a time: %w", program, err)
	}
	return s.until, s.Number, nil
}

// Behind gives the last seal, nil when there is none, and when the oldest fact that is not sealed yet was recorded, nil when all are.
func Behind(ctx context.Context, tx *db.Tx, program string) (head *Seal, oldest *time.Time, err error) {
	last, err := lastOr(ctx, tx, program)
	if err != nil {
		return nil, nil, err
	}
	if last.Number > 0 {
		head = last
	}
	c, err := cover(ctx, tx, last, books.Cursor{Stamp: math.MaxInt64}, 1, last.Version)
	if err == nil && len(c.leaves) > 0 {
		oldest = &c.leaves[0].at
	}
	return head, oldest, err
}

// lastOr is Last, with a seal that covers nothing where there is none.
func lastOr(ctx context.Context, tx *db.Tx, program string) (*Seal, error) {
	s, err := Last(ctx, tx, program)
	if errs.Is(err, errs.CodeNotFound, "not_sealed") {
		return &Seal{Program: program, Hash: zeros}, nil
	}
	return s, err
}

// Heads gives the heads of all programs that have one, as HASH@NUMBER.
func Heads(ctx context.Context, tx *db.Tx) (map[string]string, error) {
	programs, err := version.Programs(ctx, tx)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, p := range programs {
		switch s, err := Last(ctx, tx, p.ID); {
		case err == nil:
			out[p.ID] = s.Head().String()
		case !errs.Is(err, errs.CodeNotFound, "not_sealed"):
			return nil, err
		}
	}
	return out, nil
}

// Sealed is what sealing a program came to.
type Sealed struct {
	Program string `json:"program"`
	// Seals, Facts and Postings are what was added.
	Seals    int64 `json:"seals"`
	Facts    int64 `json:"facts"`
	Postings int64 `json:"postings"`
	// Head is the last seal, added now or before; nil when there is nothing to seal.
	Head *Seal `json:"head,omitempty"`
}

// Program seals all that has come to rest in the program's books. Another that does so at the same time does no harm: what one of
// them seals, the other goes on after.
func Program(ctx context.Context, d *db.DB, program string, now time.Time) (Sealed, error) {
	out := Sealed{Program: program}
	err := d.Write(ctx, func(tx *db.Tx) error {
		_, err := books.LineUp(ctx, tx, program)
		return err
	})
	if err != nil {
		return out, fmt.Errorf("seal %s: %w", program, err)
	}
	for {
		var last, next *Seal
		some := false
		err := d.Read(ctx, func(tx *db.Tx) (err error) {
			if last, err = lastOr(ctx, tx, program); err != nil {
				return err
			}
			next, some, err = after(ctx, tx, last, now)
			return err
		})
		if err != nil {
			return out, fmt.Errorf("seal %s: %w", program, err)
		}
		if !some {
			if last.Number > 0 {
				out.Head = last
			}
			return out, nil
		}
		err = d.Write(ctx, func(tx *db.Tx) error { return next.write(ctx, tx) })
		switch {
		case db.IsUnique(err): // another was first: go on after it
		case err != nil:
			return out, fmt.Errorf("seal %s: %w", program, err)
		default:
			out.Seals, out.Facts, out.Postings = out.Seals+1, out.Facts+next.Facts, out.Postings+next.Postings
		}
	}
}

// after makes the seal after the last one, and says whether anything has come since.
func after(ctx context.Context, tx *db.Tx, last *Seal, now time.Time) (next *Seal, some bool, err error) {
	horizon := int64(math.MaxInt64)
	if !tx.Distributed() { // there, what stands in the line is committed
		if horizon, err = db.Horizon(ctx, tx); err != nil {
			return nil, false, err
		}
	}
	next = &Seal{Program: last.Program, Number: last.Number + 1, Previous: last.Hash, Version: last.Version, SealedAt: now.UTC().Truncate(time.Microsecond), form: form}
	versions, err := version.List(ctx, tx, last.Program)
	if err != nil && !errs.Is(err, errs.CodeNotFound, "") {
		return nil, false, err
	}
	if len(versions) > 0 {
		next.Version = versions[0].Version
	}
	c, err := cover(ctx, tx, last, books.Cursor{Stamp: horizon, N: 0}, most, next.Version)
	if err != nil {
		return nil, false, err
	}
	if len(c.leaves) == 0 && next.Version == last.Version {
		return nil, false, nil
	}
	next.until, next.Facts, next.Postings, next.prints = c.until, int64(len(c.leaves)), c.postings, c.prints()
	next.Hash = c.hash(next)
	return next, true, nil
}

// Action is that of the entry which the audit log gets once a day.
const Action = "books.sealed"

// write adds the seal. The first of a day is noted in the audit log.
func (s *Seal) write(ctx context.Context, tx *db.Tx) error {
	if _, err := tx.Exec(ctx, insertSeal, bucketOf(s.Program), s.Program, s.Number, s.form, s.Hash, s.Previous, s.until.Stamp, s.until.N, s.Version,
		s.Facts, s.Postings, s.SealedAt.UnixMicro(), s.prints); err != nil {
		return err
	}
	noted, _, err := audit.List(ctx, tx, s.Program, audit.Query{Action: Action, Limit: 1})
	if err != nil || len(noted) > 0 && sameDay(noted[0].At, s.SealedAt) {
		return err
	}
	_, err = audit.Append(ctx, tx, audit.Entry{Program: s.Program, At: s.SealedAt, Actor: "system", Action: Action, Target: s.Head().String()})
	return err
}

func sameDay(a, b time.Time) bool {
	return a.UTC().Format(time.DateOnly) == b.UTC().Format(time.DateOnly)
}

// All seals the books of every program.
func All(ctx context.Context, d *db.DB, now time.Time) ([]Sealed, error) {
	var programs []version.Program
	err := d.Read(ctx, func(tx *db.Tx) (err error) {
		programs, err = version.Programs(ctx, tx)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := []Sealed{}
	var failed []error
	for _, p := range programs {
		s, err := Program(ctx, d, p.ID, now)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		out = append(out, s)
	}
	return out, errors.Join(failed...)
}

// Kind is the job that seals.
const Kind = "seal"

// Handle has the runner seal at the given pace, 0 for never. On however many nodes it is called, one of them does it at a time.
func Handle(jobs *job.Runner, d *db.DB, clock func() time.Time, every time.Duration, log *slog.Logger) {
	if every <= 0 {
		return
	}
	steady := func(int) time.Duration { return every }
	jobs.Handle(Kind, job.Worker{Every: every, Backoff: steady, Run: func(ctx context.Context, _ *job.Job) error {
		done, err := All(ctx, d, clock())
		for _, s := range done {
			if s.Seals > 0 {
				log.Info("sealed", "program", s.Program, "facts", s.Facts, "head", s.Head.Head())
			}
		}
		return err
	}})
}
