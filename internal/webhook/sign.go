package webhook

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
)

// The headers of Standard Webhooks.
const (
	HeaderID        = "webhook-id"
	HeaderTimestamp = "webhook-timestamp"
	HeaderSignature = "webhook-signature"
)

func newSecret() string {
	var key [32]byte
	rand.Read(key[:])
	return secretPrefix + base64.StdEncoding.EncodeToString(key[:])
}

// Sign gives the value of webhook-signature for a message sent at the time: a signature by each secret, separated by spaces
// (Standard Webhooks 1.0, "Signature scheme": v1, and HMAC-SHA256 of ID.TIMESTAMP.BODY in base 64).
func Sign(secrets []string, id string, at time.Time, body string) (string, error) {
	signed := id + "." + strconv.FormatInt(at.Unix(), 10) + "." + body
	out := make([]string, len(secrets))
	for i, s := range secrets {
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(s, secretPrefix))
		if err != nil {
			return "", fmt.Errorf("read a secret: %w", err) // the error names a place in it, and nothing of it
		}
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(signed)) // a hash takes everything
		out[i] = "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	return strings.Join(out, " "), nil
}

const (
	insertSigner   = `INSERT INTO webhook_secrets (program_id, webhook_id, secret_id, secret, created_at) VALUES ($1, $2, $3, $4, $5)`
	endSigners     = `UPDATE webhook_secrets SET until = $1 WHERE program_id = $2 AND webhook_id = $3 AND until IS NULL`
	oldSigners     = `DELETE FROM webhook_secrets WHERE program_id = $1 AND webhook_id = $2 AND until IS NOT NULL`
	deleteSigners  = `DELETE FROM webhook_secrets WHERE program_id = $1 AND webhook_id = $2`
	signersOf      = `SELECT secret, until FROM webhook_secrets WHERE program_id = $1 AND webhook_id = $2 AND (until IS NULL OR until > $3) ORDER BY secret_id DESC`
	longestOverlap = 90 * 24 * time.Hour
)

func addSecret(ctx context.Context, tx *db.Tx, ref Ref, secret string, now time.Time) error {
	_, err := tx.Exec(ctx, insertSigner, ref.Program, ref.ID, ids.New("whs", now), secret, now.UnixMicro())
	return err
}

// Secrets gives what messages are signed with now, the newest first: two during the overlap after a rotation, none after a
// restore from an export.
func Secrets(ctx context.Context, tx *db.Tx, ref Ref, now time.Time) ([]string, error) {
	out, _, err := secrets(ctx, tx, ref, now)
	return out, err
}

func secrets(ctx context.Context, tx *db.Tx, ref Ref, now time.Time) (out []string, until *time.Time, err error) {
	err = db.Collect(ctx, tx, func(row db.Scanner) error {
		var (
			text string
			end  *int64
		)
		err := row.Scan(&text, &end)
		if end != nil {
			until = moment(end)
		}
		out = append(out, text)
		return err
	}, signersOf, ref.Program, ref.ID, now.UnixMicro())
	if err != nil {
		return nil, nil, fmt.Errorf("read the secrets of webhook %s: %w", ref.ID, err)
	}
	return out, until, nil
}

// Rotate gives the endpoint a new secret, or the one given, and shows it once. The one in force until now signs too for the overlap, 0
// to 90 days, so that the receiver can be changed over without losing a message; one that was rotated out before signs no more.
func Rotate(ctx context.Context, tx *db.Tx, program, id, secret string, overlap time.Duration, now time.Time) (*Endpoint, string, error) {
	e, err := Get(ctx, tx, program, id)
	if err != nil {
		return nil, "", err
	}
	if secret == "" {
		secret = newSecret()
	}
	if message := checkSecret(secret); message != "" {
		return nil, "", errs.Invalid("invalid_secret", "This cannot be a secret.", errs.Field{Pointer: "/secret", Reason: "invalid_secret", Message: message})
	}
	if overlap < 0 || overlap > longestOverlap {
		return nil, "", errs.Invalid("invalid_overlap", "The overlap goes from 0 seconds to 90 days.",
			errs.Field{Pointer: "/overlap_seconds", Reason: "out_of_range", Message: "Write 0 to 7776000 seconds."})
	}
	_, err = tx.Exec(ctx, oldSigners, program, id)
	if err == nil {
		_, err = tx.Exec(ctx, endSigners, now.Add(overlap).UnixMicro(), program, id)
	}
	if err == nil {
		err = addSecret(ctx, tx, e.Ref(), secret, now)
	}
	if err == nil {
		err = Attend(ctx, tx, e.Ref(), now)
	}
	if err != nil {
		return nil, "", fmt.Errorf("rotate the secret of webhook %s: %w", id, err)
	}
	return e, secret, nil
}
