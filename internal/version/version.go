// Package version keeps the published versions of programs.
//
// It owns the tables programs and versions, and which version is in force when. It does not own what a document means
// (program) nor who may publish (the doors).
// What always holds: versions are numbered 1, 2, 3… within a program; a published version never changes and never goes
// away; of two versions that begin at the same moment the later one wins, and one that begins at the beginning of time
// replaces all before it; a unit that members may hold keeps its precision in every later version.
package version

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/program"
)

// Published is a published version without its document.
type Published struct {
	Program string `json:"program"`
	Version int64  `json:"version"`
	// EffectiveFrom is when it comes into force; the zero time is the beginning of time.
	EffectiveFrom time.Time `json:"effective_from,omitzero"`
	PublishedAt   time.Time `json:"published_at"`
	PublishedBy   string    `json:"published_by,omitempty"`
	// Hash is that of the document (program.Hash).
	Hash string `json:"hash"`
	// RollbackOf is the version whose document was brought back, 0 for none.
	RollbackOf int64 `json:"rollback_of,omitempty"`
	// Unchanged says that nothing was published, since this version, in force already, holds the same document.
	Unchanged bool `json:"unchanged,omitempty"`
	// ReplacedBy is the version that takes its place, by what is published so far, and ReplacedAt when: what Publish and
	// Rollback give says so, since a version planned earlier comes into force all the same. 0 for none.
	ReplacedBy int64     `json:"replaced_by,omitempty"`
	ReplacedAt time.Time `json:"replaced_at,omitzero"`
}

// PublishInput is what to publish.
type PublishInput struct {
	// Program is the program's id, which the document must name too.
	Program  string
	Document *program.Document
	// From is when the version comes into force. Without it: the beginning of time for a program's first version, else Now.
	From *time.Time
	// By is who publishes.
	By  string
	Now time.Time
	// RollbackOf is the version whose document it is, for Rollback.
	RollbackOf int64
}

// The upsert takes the program's row first, so that publications of one program go one after the other.
const lockProgram = `
INSERT INTO programs (program_id, name, created_at, revision)
VALUES ($1, $2, $3, 1)
ON CONFLICT (program_id) DO UPDATE SET name = excluded.name, revision = programs.revision + 1`

const insertVersion = `
INSERT INTO versions (program_id, version, effective_from, published_at, published_by, document, hash, rollback_of)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`

// Publish makes the document the program's next version. It makes the program when there is none yet.
//
// When the version in force at that moment holds the same document, that version is given back, Unchanged. Errors:
// invalid "invalid_program" with every mistake; conflict "units_in_use" for a change that would give what members hold
// another meaning (a unit's precision, a unit left out, the currency). As long as the program has no member its owner may
// still try such things out: then, published without From, the version replaces all that were before, from the beginning of
// time, so that no purchase of the past is decided in units of the old meaning.
func Publish(ctx context.Context, tx *db.Tx, in PublishInput) (Published, error) {
	if in.Document.Program != in.Program {
		return Published{}, errs.Invalid("wrong_program", fmt.Sprintf("The document is of the program %q, not of %q.", in.Document.Program, in.Program),
			errs.Field{Pointer: "/program", Reason: "wrong_program", Message: "Write the id of the program that you publish."})
	}
	compiled, err := program.Compile(in.Document, 0)
	if err != nil {
		return Published{}, Problem(err)
	}
	doc, err := program.Canonical(in.Document)
	if err != nil {
		return Published{}, fmt.Errorf("publish %s: %w", in.Program, err)
	}
	hash, err := program.Hash(in.Document)
	if err != nil {
		return Published{}, fmt.Errorf("publish %s: %w", in.Program, err)
	}
	if _, err := tx.Exec(ctx, lockProgram, in.Program, in.Document.Name.In("en"), in.Now.UnixMicro()); err != nil {
		return Published{}, fmt.Errorf("publish %s: %w", in.Program, err)
	}
	past, err := load(ctx, tx, in.Program, nil)
	if err != nil {
		return Published{}, err
	}
	out := Published{
		Program: in.Program, Version: int64(len(past.versions)) + 1,
		PublishedAt: in.Now.UTC().Truncate(time.Microsecond), PublishedBy: in.By, Hash: hash, RollbackOf: in.RollbackOf,
	}
	switch {
	case in.From != nil:
		out.EffectiveFrom = in.From.UTC().Truncate(time.Microsecond)
	case len(past.versions) > 0:
		out.EffectiveFrom = out.PublishedAt
	}
	if now := past.at(out.EffectiveFrom); now != nil && now.Hash == hash {
		same := now.Published
		same.Unchanged = true
		return past.Planned(same), nil
	}
	if changed := newMeaning(past, in.Document); len(changed) > 0 {
		held, err := hasMembers(ctx, tx, in.Program)
		if err != nil {
			return Published{}, err
		}
		if held || in.From != nil {
			return Published{}, &errs.Error{Code: errs.CodeConflict, Reason: "units_in_use", Message: "The document would change the meaning of what members hold.", Fields: changed}
		}
		out.EffectiveFrom = time.Time{}
	}
	_, err = tx.Exec(ctx, insertVersion, out.Program, out.Version, out.EffectiveFrom.UnixMicro(), out.PublishedAt.UnixMicro(),
		out.PublishedBy, string(doc), out.Hash, out.RollbackOf)
	if err != nil {
		return Published{}, fmt.Errorf("publish %s: %w", in.Program, err)
	}
	return newSet(append(past.versions, &one{out, compiled})).Planned(out), nil
}

// Problem makes an invalid error of what program.Parse or Compile found, with a field for each mistake.
func Problem(err error) error {
	var list *program.Problems
	if !errors.As(err, &list) {
		return err
	}
	fields := make([]errs.Field, len(list.List))
	for i, p := range list.List {
		fields[i] = errs.Field{Pointer: p.Pointer, Reason: "invalid", Message: p.Message}
		if p.Hint != "" {
			fields[i].Message += "; " + p.Hint
		}
	}
	return errs.Invalid("invalid_program", fmt.Sprintf("The program document has %s.", lang.Things(len(list.List)+list.More, "mistake")), fields...)
}

const anyMember = `SELECT 1 FROM members WHERE program_id = $1 LIMIT 1`

func hasMembers(ctx context.Context, tx *db.Tx, id string) (bool, error) {
	var one int
	err := tx.QueryRow(ctx, anyMember, id).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for members of %s: %w", id, err)
	}
	return true, nil
}

// newMeaning finds what would give amounts that are stored, or that an older version still decides, another meaning.
func newMeaning(past *Set, d *program.Document) []errs.Field {
	var fields []errs.Field
	refuse := func(pointer, reason, format string, args ...any) {
		fields = append(fields, errs.Field{Pointer: pointer, Reason: reason, Message: fmt.Sprintf(format, args...)})
	}
	units := map[string]program.Unit{}
	for _, v := range past.order {
		maps.Copy(units, v.compiled.Doc.Units)
	}
	if len(past.order) > 0 {
		if was := past.order[0].compiled.Doc.Currency; was != d.Currency {
			refuse("/currency", "currency_changed", "currency cannot change from %s to %s, make a new program", was, d.Currency)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(units)) {
		unit, kept := d.Units[id]
		switch was := units[id].Precision; {
		case !kept:
			refuse("/units/"+id, "unit_removed", "unit %s cannot be left out, members may hold it; keep it, without rules that give it", id)
		case unit.Precision != was:
			refuse("/units/"+id+"/precision", "precision_changed", "precision of unit %s cannot change from %d to %d, make a new unit", id, was, unit.Precision)
		}
	}
	return fields
}

// Rollback publishes the document of version n again, as a new version from a moment on. A version that is planned for later is
// not called off by it: see Published.ReplacedBy.
func Rollback(ctx context.Context, tx *db.Tx, id string, n int64, from time.Time, by string, now time.Time) (Published, error) {
	_, doc, err := Get(ctx, tx, id, n)
	if err != nil {
		return Published{}, err
	}
	return Publish(ctx, tx, PublishInput{Program: id, Document: doc, From: &from, By: by, Now: now, RollbackOf: n})
}

// List gives the versions of the program, the newest first.
func List(ctx context.Context, tx *db.Tx, id string) ([]Published, error) {
	out, err := list(ctx, tx, id)
	if err == nil && len(out) == 0 {
		err = NoProgram(id)
	}
	return out, err
}

const listVersions = `
SELECT version, effective_from, published_at, published_by, hash, rollback_of
FROM versions WHERE program_id = $1 ORDER BY version DESC`

func list(ctx context.Context, tx *db.Tx, id string) ([]Published, error) {
	out := []Published{}
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		p, err := scan(row, id)
		out = append(out, p)
		return err
	}, listVersions, id)
	if err != nil {
		return nil, fmt.Errorf("list the versions of %s: %w", id, err)
	}
	return out, nil
}

const getVersion = `
SELECT version, effective_from, published_at, published_by, hash, rollback_of, document
FROM versions WHERE program_id = $1 AND version = $2`

// Get gives one version with its document.
func Get(ctx context.Context, tx *db.Tx, id string, n int64) (Published, *program.Document, error) {
	var text string
	p, err := scan(tx.QueryRow(ctx, getVersion, id, n), id, &text)
	if errors.Is(err, sql.ErrNoRows) {
		return Published{}, nil, errs.NotFound("version_not_found", fmt.Sprintf("The program %s has no version %d.", id, n))
	}
	if err != nil {
		return Published{}, nil, fmt.Errorf("get version %d of %s: %w", n, id, err)
	}
	doc, err := program.Parse([]byte(text), "")
	if err != nil {
		return Published{}, nil, fmt.Errorf("read version %d of %s: %w", n, id, err)
	}
	return p, doc, nil
}

func scan(row db.Scanner, id string, more ...any) (Published, error) {
	p := Published{Program: id}
	var from, at int64
	if err := row.Scan(append([]any{&p.Version, &from, &at, &p.PublishedBy, &p.Hash, &p.RollbackOf}, more...)...); err != nil {
		return Published{}, err
	}
	p.EffectiveFrom, p.PublishedAt = time.UnixMicro(from).UTC(), time.UnixMicro(at).UTC()
	return p, nil
}

// NoProgram is the error of a program that is not there.
func NoProgram(id string) error {
	return errs.NotFound("program_not_found", fmt.Sprintf("There is no program %q with a published version.", id))
}

// Program is a program of this installation.
type Program struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"created_at"`
}

const listPrograms = `SELECT program_id, name, created_at FROM programs ORDER BY program_id`

// Programs gives the programs of this installation by id.
func Programs(ctx context.Context, tx *db.Tx) ([]Program, error) {
	out := []Program{}
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		var p Program
		var at int64
		err := row.Scan(&p.ID, &p.Name, &at)
		p.CreatedAt = time.UnixMicro(at).UTC()
		out = append(out, p)
		return err
	}, listPrograms)
	if err != nil {
		return nil, fmt.Errorf("list programs: %w", err)
	}
	return out, nil
}
