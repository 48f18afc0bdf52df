package staff

import (
	"context"
	"database/sql"
	"encoding/base32"
	"errors"
	"fmt"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
)

var b32 = base32.StdEncoding.WithPadding(base32.NoPadding)

// Kind says what a pass lets in to.
type Kind string

// The kinds of passes.
const (
	// SetUp opens the page that makes the first owner. It is nobody's yet.
	SetUp Kind = "setup"
	// Invitation lets somebody new choose how to sign in.
	Invitation Kind = "invitation"
	// Recovery stands for a code of the second step.
	Recovery Kind = "recovery"
	// Demo signs in to the sample data.
	Demo Kind = "demo"
)

// How long passes are good.
const (
	SetUpFor      = 24 * time.Hour
	InvitationFor = 7 * 24 * time.Hour
)

const keepOne = `INSERT INTO staff_passes (hash, kind, staff_id, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)`

func keepPass(ctx context.Context, tx *db.Tx, k Kind, staff, text string, now, until time.Time) error {
	if _, err := tx.Exec(ctx, keepOne, ids.HashSecret(string(k)+":"+text), string(k), staff, now.UnixMicro(), until.UnixMicro()); err != nil {
		return fmt.Errorf("keep a pass: %w", err)
	}
	return nil
}

// NewPass makes a pass and gives its text, which is never to be had again.
func NewPass(ctx context.Context, tx *db.Tx, k Kind, staff string, length time.Duration, now time.Time) (string, error) {
	text := ids.Code(26) // 130 bits
	return text, keepPass(ctx, tx, k, staff, text, now, now.Add(length))
}

const (
	lookOne = `SELECT staff_id FROM staff_passes WHERE hash = $1 AND kind = $2 AND used_at IS NULL AND expires_at > $3`
	takeOne = `UPDATE staff_passes SET used_at = $1 WHERE hash = $2 AND kind = $3 AND used_at IS NULL AND expires_at > $1`
	dropAll = `DELETE FROM staff_passes WHERE kind = $1 AND staff_id = $2`
)

func errPass() error {
	return errs.Unauthenticated("pass_ended", "This link or code was used, is too old or was never given out. Ask for a new one.")
}

// LookPass says whose a pass is, and leaves it as it is.
func LookPass(ctx context.Context, tx *db.Tx, k Kind, text string, now time.Time) (staff string, err error) {
	err = tx.QueryRow(ctx, lookOne, ids.HashSecret(string(k)+":"+text), string(k), now.UnixMicro()).Scan(&staff)
	if errors.Is(err, sql.ErrNoRows) {
		return "", errPass()
	}
	if err != nil {
		return "", fmt.Errorf("look at a pass: %w", err)
	}
	return staff, nil
}

// UsePass takes a pass, once.
func UsePass(ctx context.Context, tx *db.Tx, k Kind, text string, now time.Time) (staff string, err error) {
	if staff, err = LookPass(ctx, tx, k, text, now); err != nil {
		return "", err
	}
	res, err := tx.Exec(ctx, takeOne, now.UnixMicro(), ids.HashSecret(string(k)+":"+text), string(k))
	if err != nil {
		return "", fmt.Errorf("use a pass: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		return "", errors.Join(err, errPass())
	}
	return staff, nil
}

func dropPasses(ctx context.Context, tx *db.Tx, k Kind, staff string) error {
	if _, err := tx.Exec(ctx, dropAll, string(k), staff); err != nil {
		return fmt.Errorf("drop passes: %w", err)
	}
	return nil
}

// Invite gives the text of an invitation, in place of earlier ones.
func Invite(ctx context.Context, tx *db.Tx, staff string, now time.Time) (string, error) {
	if err := dropPasses(ctx, tx, Invitation, staff); err != nil {
		return "", err
	}
	return NewPass(ctx, tx, Invitation, staff, InvitationFor, now)
}
