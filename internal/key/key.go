// Package key keeps the API keys of programs.
//
// It owns the table keys, the scopes and their words. It does not own people who log in, nor what a scope opens (api).
// What always holds: a secret is shown once and stored only as its SHA-256; a key is bound to one program; a revoked or
// expired key opens nothing.
package key

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
)

// IDPrefix is the type prefix of key ids.
const IDPrefix = "key"

// Admin is the scope that holds all others.
const Admin = "admin"

// Scopes lists every scope, in the order in which they are shown.
var Scopes = []string{
	"members:read", "members:write",
	"purchases:read", "purchases:write",
	"activities:write",
	"redemptions:read", "redemptions:write",
	"giftcards:read", "giftcards:write",
	"rewards:read",
	"benefits:read", "benefits:write",
	"plans:read", "plans:write",
	"adjustments:write",
	"transfers:write",
	"partners:read", "awards:write", "partners:write",
	"programs:read", "programs:write",
	"events:read",
	"webhooks:read", "webhooks:write",
	"imports:read", "imports:write",
	"simulations:write",
	"audit:read",
	Admin,
}

// Key is an API key without its secret.
type Key struct {
	ID      string `json:"id"`
	Program string `json:"program"`
	// Name is shown as the actor of what the key does.
	Name string `json:"name"`
	// Prefix is the beginning of the secret, by which a person tells keys apart.
	Prefix     string     `json:"prefix"`
	Scopes     []string   `json:"scopes"`
	CreatedAt  time.Time  `json:"created_at"`
	ExpiresAt  *time.Time `json:"expires_at,omitempty"`
	RevokedAt  *time.Time `json:"revoked_at,omitempty"`
	LastUsedAt *time.Time `json:"last_used_at,omitempty"`
	// Partner is whose key it is: it opens nothing but what that partner may do and see. Empty for the program's own keys.
	Partner string `json:"partner,omitempty"`
	// Member is whose right it is: it opens nothing but what is that member's own. No key that is kept has one: members ask through pages of theirs.
	Member string `json:"-"`
	// Shown is an address, KIND:VALUE, that this member has shown to be theirs just now.
	Shown string `json:"-"`
}

// Newcomer in place of a member is who is about to become one.
const Newcomer = "newcomer"

// PartnerScopes are those that a partner's key may have.
var PartnerScopes = []string{"partners:read", "awards:write"}

// Allows says whether the key has the scope.
func (k Key) Allows(scope string) bool {
	return slices.Contains(k.Scopes, scope) || slices.Contains(k.Scopes, Admin)
}

// Require is nil when the key has the scope, else a forbidden error that names it.
func (k Key) Require(scope string) error {
	if k.Allows(scope) {
		return nil
	}
	return errs.Forbidden("scope_missing", fmt.Sprintf("This key does not have the scope %s.", scope)).With("scope", scope)
}

// New is a key to make.
type New struct {
	Program   string
	Name      string
	Scopes    []string
	ExpiresAt *time.Time
	// Partner makes it the key of a partner; the caller sees that there is one.
	Partner string
	// Test makes a secret that begins with lj_test_ instead of lj_live_.
	Test bool
	Now  time.Time
}

func (in New) validate() error {
	var fields []errs.Field
	if n := utf8.RuneCountInString(strings.TrimSpace(in.Name)); n < 1 || n > 100 {
		fields = append(fields, errs.Field{Pointer: "/name", Reason: "invalid_name", Message: "A key needs a name of 1 to 100 characters, for example the till it is for."})
	}
	if len(in.Scopes) == 0 {
		fields = append(fields, errs.Field{Pointer: "/scopes", Reason: "missing", Message: "A key needs at least one scope: " + strings.Join(Scopes, ", ") + "."})
	}
	for i, s := range in.Scopes {
		if !slices.Contains(Scopes, s) {
			fields = append(fields, errs.Field{
				Pointer: fmt.Sprintf("/scopes/%d", i), Reason: "unknown_scope",
				Message: fmt.Sprintf("There is no scope %q; there are %s.", s, strings.Join(Scopes, ", ")),
			})
		}
	}
	for i, s := range in.Scopes {
		if in.Partner != "" && slices.Contains(Scopes, s) && !slices.Contains(PartnerScopes, s) {
			fields = append(fields, errs.Field{Pointer: fmt.Sprintf("/scopes/%d", i), Reason: "not_for_partners",
				Message: "A partner's key may have " + strings.Join(PartnerScopes, " and ") + " only."})
		}
	}
	if in.ExpiresAt != nil && !in.ExpiresAt.After(in.Now) {
		fields = append(fields, errs.Field{Pointer: "/expires_at", Reason: "in_the_past", Message: "The key would be expired from the start; choose a later time."})
	}
	if len(fields) > 0 {
		return errs.Invalid("invalid_key", "The key cannot be made like this.", fields...)
	}
	return nil
}

const insertKey = `
INSERT INTO keys (key_id, program_id, name, hash, prefix, scopes, created_at, expires_at, partner)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`

// Create makes a key and gives it with its secret, which is never to be had again.
func Create(ctx context.Context, tx *db.Tx, in New) (Key, string, error) {
	if err := in.validate(); err != nil {
		return Key{}, "", err
	}
	prefix := ids.LiveKey
	if in.Test {
		prefix = ids.TestKey
	}
	secret := ids.Secret(prefix)
	k := Key{
		ID: ids.New(IDPrefix, in.Now), Program: in.Program, Name: strings.TrimSpace(in.Name), Prefix: secret[:len(prefix)+4],
		Scopes: sortScopes(in.Scopes), CreatedAt: in.Now.UTC().Truncate(time.Microsecond), ExpiresAt: in.ExpiresAt,
		Partner: in.Partner,
	}
	_, err := tx.Exec(ctx, insertKey, k.ID, k.Program, k.Name, ids.HashSecret(secret), k.Prefix, strings.Join(k.Scopes, " "), in.Now.UnixMicro(), db.Micros(in.ExpiresAt), k.Partner)
	if err != nil {
		return Key{}, "", fmt.Errorf("create key: %w", err)
	}
	return k, secret, nil
}

// sortScopes gives each scope once, in the order of Scopes.
func sortScopes(in []string) []string {
	out := []string{}
	for _, s := range Scopes {
		if slices.Contains(in, s) {
			out = append(out, s)
		}
	}
	return out
}

const keyColumns = `key_id, program_id, name, prefix, scopes, created_at, expires_at, revoked_at, last_used_at, partner`

const listKeys = `SELECT ` + keyColumns + ` FROM keys WHERE program_id = $1 ORDER BY key_id`

// List gives the keys of the program in the order they were made, the revoked and expired ones too.
func List(ctx context.Context, tx *db.Tx, program string) ([]Key, error) {
	out := []Key{}
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		k, err := scan(row)
		out = append(out, k)
		return err
	}, listKeys, program)
	if err != nil {
		return nil, fmt.Errorf("list keys of %s: %w", program, err)
	}
	return out, nil
}

const getKey = `SELECT ` + keyColumns + ` FROM keys WHERE program_id = $1 AND key_id = $2`

// Get gives one key of the program.
func Get(ctx context.Context, tx *db.Tx, program, id string) (Key, error) {
	k, err := scan(tx.QueryRow(ctx, getKey, program, id))
	if errors.Is(err, sql.ErrNoRows) {
		return Key{}, errs.NotFound("key_not_found", "There is no such key in this program.")
	}
	if err != nil {
		return Key{}, fmt.Errorf("get key %s: %w", id, err)
	}
	return k, nil
}

const revokeKey = `UPDATE keys SET revoked_at = $1 WHERE program_id = $2 AND key_id = $3 AND revoked_at IS NULL`

// Revoke ends the key now. Revoking it again changes nothing.
func Revoke(ctx context.Context, tx *db.Tx, program, id string, now time.Time) (Key, error) {
	if _, err := tx.Exec(ctx, revokeKey, now.UnixMicro(), program, id); err != nil {
		return Key{}, fmt.Errorf("revoke key %s: %w", id, err)
	}
	return Get(ctx, tx, program, id)
}

const expireKey = `
UPDATE keys SET expires_at = $1
WHERE program_id = $2 AND key_id = $3 AND (expires_at IS NULL OR expires_at > $1)`

// Rotate makes a successor with the same name, scopes and length of life, and lets the old key go on working for the
// overlap (0 ends it at once), so that tills are changed over one by one. It gives the successor and its secret.
func Rotate(ctx context.Context, tx *db.Tx, program, id string, overlap time.Duration, now time.Time) (Key, string, error) {
	old, err := Get(ctx, tx, program, id)
	if err != nil {
		return Key{}, "", err
	}
	if err := old.dead(now); err != nil {
		return Key{}, "", errs.Conflict("key_ended", "The key has ended and cannot be rotated; make a new one.")
	}
	if overlap < 0 {
		return Key{}, "", errs.Invalid("invalid_overlap", "The overlap cannot be negative.", errs.Field{Pointer: "/overlap_seconds", Reason: "negative", Message: "Write 0 or more seconds."})
	}
	in := New{Program: program, Name: old.Name, Scopes: old.Scopes, Partner: old.Partner, Test: strings.HasPrefix(old.Prefix, ids.TestKey), Now: now}
	if old.ExpiresAt != nil {
		end := now.Add(old.ExpiresAt.Sub(old.CreatedAt))
		in.ExpiresAt = &end
	}
	if _, err := tx.Exec(ctx, expireKey, now.Add(overlap).UnixMicro(), program, id); err != nil {
		return Key{}, "", fmt.Errorf("rotate key %s: %w", id, err)
	}
	return Create(ctx, tx, in)
}

const findKey = `SELECT ` + keyColumns + ` FROM keys WHERE hash = $1`

// Authenticate gives the key whose secret it is. The error is unauthenticated, with the reason: key_missing, key_malformed
// (no look-up was made), key_unknown, key_revoked or key_expired.
//
// The look-up by hash leaks nothing by its timing that would help to guess 256 random bits.
func Authenticate(ctx context.Context, tx *db.Tx, secret string, now time.Time) (Key, error) {
	if secret == "" {
		return Key{}, errs.Unauthenticated("key_missing", "Send an API key: Authorization: Bearer lj_live_….")
	}
	prefix := ids.LiveKey
	if strings.HasPrefix(secret, ids.TestKey) {
		prefix = ids.TestKey
	}
	if err := ids.CheckSecret(prefix, secret); err != nil {
		return Key{}, errs.Unauthenticated("key_malformed", "This is not an API key. It "+err.Error()+".")
	}
	k, err := scan(tx.QueryRow(ctx, findKey, ids.HashSecret(secret)))
	if errors.Is(err, sql.ErrNoRows) {
		return Key{}, errs.Unauthenticated("key_unknown", "This API key is not known here.")
	}
	if err != nil {
		return Key{}, fmt.Errorf("look up an API key: %w", err)
	}
	if err := k.dead(now); err != nil {
		return Key{}, err
	}
	return k, nil
}

func (k Key) dead(now time.Time) error {
	switch {
	case k.RevokedAt != nil && !k.RevokedAt.After(now):
		return errs.Unauthenticated("key_revoked", "This API key was revoked.")
	case k.ExpiresAt != nil && !k.ExpiresAt.After(now):
		return errs.Unauthenticated("key_expired", "This API key has expired.")
	}
	return nil
}

func scan(row db.Scanner) (Key, error) {
	var k Key
	var scopes string
	var created int64
	var expires, revoked, used sql.NullInt64
	if err := row.Scan(&k.ID, &k.Program, &k.Name, &k.Prefix, &scopes, &created, &expires, &revoked, &used, &k.Partner); err != nil {
		return Key{}, err
	}
	k.Scopes = strings.Fields(scopes)
	k.CreatedAt = time.UnixMicro(created).UTC()
	k.ExpiresAt, k.RevokedAt, k.LastUsedAt = db.Moment(expires), db.Moment(revoked), db.Moment(used)
	return k, nil
}
