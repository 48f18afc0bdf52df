package version

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
)

// Draft is the text of a program that is being worked on, with whatever mistakes it has now.
type Draft struct {
	Source string
	// Revision goes up with each change; 0 is none.
	Revision  int64
	UpdatedAt time.Time
	UpdatedBy string
}

// MaxDraft is the length of a draft's text at most, in bytes.
const MaxDraft = 512 << 10

const getDraft = `SELECT source, revision, updated_at, updated_by FROM drafts WHERE program_id = $1`

// GetDraft gives the draft of a program; one of revision 0 where there is none.
func GetDraft(ctx context.Context, tx *db.Tx, program string) (Draft, error) {
	var d Draft
	var at int64
	err := tx.QueryRow(ctx, getDraft, program).Scan(&d.Source, &d.Revision, &at, &d.UpdatedBy)
	if errors.Is(err, sql.ErrNoRows) {
		return Draft{}, nil
	}
	if err != nil {
		return Draft{}, fmt.Errorf("get draft of %s: %w", program, err)
	}
	d.UpdatedAt = time.UnixMicro(at).UTC()
	return d, nil
}

const (
	insertDraft = `INSERT INTO drafts (program_id, source, revision, updated_at, updated_by) VALUES ($1, $2, 1, $3, $4) ON CONFLICT (program_id) DO NOTHING`
	updateDraft = `UPDATE drafts SET source = $1, revision = revision + 1, updated_at = $2, updated_by = $3 WHERE program_id = $4 AND revision = $5`
	dropDraft   = `DELETE FROM drafts WHERE program_id = $1`
)

// PutDraft keeps a text as the program's draft. Revision is the one that it is based on, 0 for none; when somebody else has changed it since, nothing
// is kept.
func PutDraft(ctx context.Context, tx *db.Tx, program, source string, revision int64, by string, now time.Time) (Draft, error) {
	if len(source) > MaxDraft {
		return Draft{}, errs.Invalid("draft_too_long", "The text is too long to be a program.", errs.Field{Pointer: "/source", Reason: "too_long", Message: fmt.Sprintf("At most %d kB.", MaxDraft>>10)})
	}
	var res sql.Result
	var err error
	if revision == 0 {
		res, err = tx.Exec(ctx, insertDraft, program, source, now.UnixMicro(), by)
	} else {
		res, err = tx.Exec(ctx, updateDraft, source, now.UnixMicro(), by, program, revision)
	}
	if err != nil {
		return Draft{}, fmt.Errorf("keep draft of %s: %w", program, err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return Draft{}, fmt.Errorf("keep draft of %s: %w", program, err)
	}
	if n == 0 {
		d, err := GetDraft(ctx, tx, program)
		if err != nil {
			return Draft{}, err
		}
		return Draft{}, errs.Conflict("stale_revision", "Somebody else has changed the draft in between: read it again, and bring your change into it.").
			With("revision", d.Revision).With("updated_by", d.UpdatedBy)
	}
	return GetDraft(ctx, tx, program)
}

// DropDraft throws the draft away, as when it was published.
func DropDraft(ctx context.Context, tx *db.Tx, program string) error {
	if _, err := tx.Exec(ctx, dropDraft, program); err != nil {
		return fmt.Errorf("drop draft of %s: %w", program, err)
	}
	return nil
}
