package staff

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
)

// A passkey is taken with the lock of the device: it is both steps in one, and needs no code after it.

// Keys takes passkeys at one address of the server, as browsers bind them to it.
type Keys struct{ at *webauthn.WebAuthn }

// NewKeys makes it of the address by which people reach the server, with the name that their device shows. Browsers know passkeys of names by https and of
// localhost only: for any other address there are none, and nil is given.
func NewKeys(address, name string) *Keys {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Hostname() != "localhost" {
		return nil
	}
	origin := url.URL{Scheme: u.Scheme, Host: u.Host}
	at, err := webauthn.New(&webauthn.Config{
		RPID: u.Hostname(), RPDisplayName: name, RPOrigins: []string{origin.String()},
		AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementRequired, RequireResidentKey: protocol.ResidentKeyRequired(), UserVerification: protocol.VerificationRequired,
		},
	})
	if err != nil {
		return nil // https by a number, such as https://192.0.2.7
	}
	return &Keys{at: at}
}

// challenge is the kind of pass that a device signs.
const challenge Kind = "challenge"

// challengeFor is how long people may take with their device.
const challengeFor = 5 * time.Minute

// mostPasskeys bounds how many one person may have.
const mostPasskeys = 20

// holder is somebody with their passkeys, as the library asks for them.
type holder struct {
	staff, email, name string
	keys               []webauthn.Credential
}

func (h holder) WebAuthnID() []byte                         { return []byte(h.staff) }
func (h holder) WebAuthnName() string                       { return h.email }
func (h holder) WebAuthnDisplayName() string                { return h.name }
func (h holder) WebAuthnCredentials() []webauthn.Credential { return h.keys }

const (
	getHolder = `SELECT staff_id, email, name FROM staff WHERE staff_id = $1 AND ended_at IS NULL`
	keysOf    = `SELECT credential FROM staff_passkeys WHERE staff_id = $1`
	dropOld   = `DELETE FROM staff_passes WHERE kind = $1 AND expires_at <= $2`
)

func held(ctx context.Context, tx *db.Tx, staff string) (holder, error) {
	var h holder
	if err := tx.QueryRow(ctx, getHolder, staff).Scan(&h.staff, &h.email, &h.name); err != nil {
		return holder{}, fmt.Errorf("look up who has a passkey: %w", err)
	}
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		var text string
		if err := row.Scan(&text); err != nil {
			return err //nolint:wrapcheck // said below
		}
		var c webauthn.Credential
		if err := json.Unmarshal([]byte(text), &c); err != nil {
			return fmt.Errorf("read a passkey: %w", err)
		}
		h.keys = append(h.keys, c)
		return nil
	}, keysOf, staff)
	if err != nil {
		return holder{}, fmt.Errorf("list passkeys: %w", err)
	}
	return h, nil
}

// keepChallenge keeps what a device is to sign, once: for somebody who is signed in, or for nobody yet.
func keepChallenge(ctx context.Context, tx *db.Tx, staff, text string, now time.Time) error {
	if _, err := tx.Exec(ctx, dropOld, string(challenge), now.UnixMicro()); err != nil {
		return fmt.Errorf("drop old challenges: %w", err)
	}
	return keepPass(ctx, tx, challenge, staff, text, now, now.Add(challengeFor))
}

func errPasskey() error {
	return errs.Unauthenticated("wrong_passkey", "This passkey was not taken: it is not known here, or it took too long. Try again, or sign in with the password.")
}

// Ask gives what a browser asks a device for to sign somebody in.
func (k *Keys) Ask(ctx context.Context, tx *db.Tx, now time.Time) (*protocol.CredentialAssertion, error) {
	ask, data, err := k.at.BeginDiscoverableLogin()
	if err != nil {
		return nil, fmt.Errorf("ask for a passkey: %w", err)
	}
	return ask, keepChallenge(ctx, tx, "", data.Challenge, now)
}

const usedKey = `UPDATE staff_passkeys SET credential = $1, used_at = $2 WHERE credential_id = $3`

// SignIn takes what a device signed, and begins a session.
func (k *Keys) SignIn(ctx context.Context, d *db.DB, answer []byte, instead string, c Client, now time.Time) (token string, err error) {
	parsed, err := protocol.ParseCredentialRequestResponseBytes(answer)
	if err != nil {
		return "", errs.As(errPasskey()).Because(err)
	}
	text := parsed.Response.CollectedClientData.Challenge
	err = d.Write(ctx, func(tx *db.Tx) error {
		whose, err := UsePass(ctx, tx, challenge, text, now)
		if errs.CodeOf(err) == errs.CodeUnauthenticated || err == nil && whose != "" {
			return errPasskey()
		}
		if err != nil {
			return err
		}
		var h holder
		var failed error
		find := func(_, handle []byte) (webauthn.User, error) {
			h, failed = held(ctx, tx, string(handle))
			if errors.Is(failed, sql.ErrNoRows) {
				failed = nil
				return nil, errPasskey()
			}
			return h, failed
		}
		_, key, err := k.at.ValidatePasskeyLogin(find, webauthn.SessionData{Challenge: text, RelyingPartyID: k.at.Config.RPID, UserVerification: protocol.VerificationRequired}, parsed)
		if failed != nil {
			return failed
		}
		if err != nil {
			return errs.As(errPasskey()).Because(err)
		}
		if key.Authenticator.CloneWarning {
			return errs.Unauthenticated("copied_passkey", "This passkey was copied: it has been used elsewhere since. Sign in another way and remove it.")
		}
		raw, err := json.Marshal(key)
		if err != nil {
			return fmt.Errorf("write a passkey: %w", err)
		}
		if _, err := tx.Exec(ctx, usedKey, string(raw), now.UnixMicro(), credentialID(key.ID)); err != nil {
			return fmt.Errorf("use a passkey: %w", err)
		}
		if _, err := tx.Exec(ctx, uncount, h.staff); err != nil {
			return fmt.Errorf("sign in: %w", err)
		}
		token, err = Begin(ctx, tx, h.staff, ByPasskey, instead, c, now)
		return err
	})
	return token, err
}

func credentialID(id []byte) string { return base64.RawURLEncoding.EncodeToString(id) }

// Offer gives what a browser asks a device for to make a new passkey of somebody who is signed in.
func (k *Keys) Offer(ctx context.Context, tx *db.Tx, s Session, now time.Time) (*protocol.CredentialCreation, error) {
	h, err := held(ctx, tx, s.Staff)
	if err != nil {
		return nil, err
	}
	if len(h.keys) >= mostPasskeys {
		return nil, errs.Conflict("too_many_passkeys", "There are 20 passkeys already. Remove one that is not used first.")
	}
	var have []protocol.CredentialDescriptor
	for _, c := range h.keys {
		have = append(have, c.Descriptor())
	}
	offer, data, err := k.at.BeginRegistration(h, webauthn.WithExclusions(have))
	if err != nil {
		return nil, fmt.Errorf("offer a passkey: %w", err)
	}
	return offer, keepChallenge(ctx, tx, s.Staff, data.Challenge, now)
}

const insertKey = `INSERT INTO staff_passkeys (credential_id, staff_id, name, credential, created_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`

// Keep keeps the passkey that a device made. Name tells it from others; the list shows it.
func (k *Keys) Keep(ctx context.Context, tx *db.Tx, s Session, name string, answer []byte, now time.Time) error {
	refused := func(err error) error {
		return errs.Invalid("passkey_refused", "The device did not make a passkey that can be taken. Try again.").Because(err)
	}
	name = strings.TrimSpace(name)
	if name == "" || utf8.RuneCountInString(name) > 60 {
		return errs.Invalid("invalid_passkey", "Give it a name.", errs.Field{Pointer: "/name", Reason: "invalid_passkey_name", Message: "Say in 1 to 60 letters where the passkey is, such as “Phone”."})
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(answer)
	if err != nil {
		return refused(err)
	}
	text := parsed.Response.CollectedClientData.Challenge
	whose, err := UsePass(ctx, tx, challenge, text, now)
	if errs.CodeOf(err) == errs.CodeUnauthenticated || err == nil && whose != s.Staff {
		return refused(err)
	}
	if err != nil {
		return err
	}
	h, err := held(ctx, tx, s.Staff)
	if err != nil {
		return err
	}
	key, err := k.at.CreateCredential(h, webauthn.SessionData{
		Challenge: text, RelyingPartyID: k.at.Config.RPID, UserID: h.WebAuthnID(), UserVerification: protocol.VerificationRequired, CredParams: webauthn.CredentialParametersDefault(),
	}, parsed)
	if err != nil {
		return refused(err)
	}
	raw, err := json.Marshal(key)
	if err != nil {
		return fmt.Errorf("write a passkey: %w", err)
	}
	res, err := tx.Exec(ctx, insertKey, credentialID(key.ID), s.Staff, name, string(raw), now.UnixMicro())
	if err != nil {
		return fmt.Errorf("keep a passkey: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		return errors.Join(err, refused(nil))
	}
	return Note(ctx, tx, s, "passkey.added", map[string]any{"name": name}, now)
}

// Passkey is one of somebody's.
type Passkey struct {
	ID, Name  string
	CreatedAt time.Time
	// UsedAt is nil before it was used.
	UsedAt *time.Time
}

const listKeys = `SELECT credential_id, name, created_at, used_at FROM staff_passkeys WHERE staff_id = $1 ORDER BY created_at, credential_id`

// Passkeys gives those of somebody, the oldest first.
func Passkeys(ctx context.Context, tx *db.Tx, staff string) ([]Passkey, error) {
	out := []Passkey{}
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		var p Passkey
		var created int64
		var used *int64
		if err := row.Scan(&p.ID, &p.Name, &created, &used); err != nil {
			return err //nolint:wrapcheck // said below
		}
		p.CreatedAt = time.UnixMicro(created).UTC()
		if used != nil {
			at := time.UnixMicro(*used).UTC()
			p.UsedAt = &at
		}
		out = append(out, p)
		return nil
	}, listKeys, staff)
	if err != nil {
		return nil, fmt.Errorf("list passkeys: %w", err)
	}
	return out, nil
}

const dropKey = `DELETE FROM staff_passkeys WHERE staff_id = $1 AND credential_id = $2`

// DropPasskey takes one away; one that is not there is no failure.
func DropPasskey(ctx context.Context, tx *db.Tx, s Session, id string, now time.Time) error {
	res, err := tx.Exec(ctx, dropKey, s.Staff, id)
	if err != nil {
		return fmt.Errorf("remove a passkey: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return err //nolint:wrapcheck // of the driver, and there is none
	}
	return Note(ctx, tx, s, "passkey.removed", nil, now)
}
