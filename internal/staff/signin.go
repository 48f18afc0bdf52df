package staff

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
)

// Wrong passwords and codes are counted before they are looked at. After Free of them in a row each further try waits, twice as long as the
// one before, up to MostWait; a right one begins anew.
const (
	Free     = 5
	wait     = 15 * time.Second
	MostWait = 15 * time.Minute
)

// waitAfter is how long after the last of so many failures the next try may come.
func waitAfter(failed int) time.Duration {
	if failed < Free {
		return 0
	}
	d := wait
	for range min(failed-Free, 10) {
		d *= 2
	}
	return min(d, MostWait)
}

const (
	byEmail = `SELECT staff_id, password, totp, totp_step, failed, failed_at FROM staff WHERE email = $1 AND ended_at IS NULL`
	byStaff = `SELECT staff_id, password, totp, totp_step, failed, failed_at FROM staff WHERE staff_id = $1 AND ended_at IS NULL`
	count   = `UPDATE staff SET failed = failed + 1, failed_at = $1 WHERE staff_id = $2`
	uncount = `UPDATE staff SET failed = 0 WHERE staff_id = $1`
)

type secrets struct {
	staff, password, totp string
	step                  int64
}

// try counts a try before it is looked at. An address that nobody has gives empty secrets.
func try(ctx context.Context, d *db.DB, query, by string, now time.Time) (secrets, error) {
	var s secrets
	err := d.Write(ctx, func(tx *db.Tx) error {
		var failed int
		var at int64
		err := tx.QueryRow(ctx, query, by).Scan(&s.staff, &s.password, &s.totp, &s.step, &failed, &at)
		if errors.Is(err, sql.ErrNoRows) {
			s = secrets{}
			return nil
		}
		if err != nil {
			return fmt.Errorf("look up staff: %w", err)
		}
		if left := time.UnixMicro(at).Add(waitAfter(failed)).Sub(now); left > 0 {
			seconds := int(left/time.Second) + 1
			return errs.RateLimited("too_many_tries", "There were too many wrong tries. Wait, and try again.").With("retry_after", seconds)
		}
		if _, err := tx.Exec(ctx, count, now.UnixMicro(), s.staff); err != nil {
			return fmt.Errorf("count a try: %w", err)
		}
		return nil
	})
	return s, err
}

func errWrong() error {
	return errs.Unauthenticated("wrong_sign_in", "The address and the password do not go together. Try again.")
}

// SignIn takes an address and a password, and begins a session: a whole one, or where there is a second step one that waits for it. It takes as
// long for an address that nobody has.
func SignIn(ctx context.Context, d *db.DB, email, password, instead string, c Client, now time.Time) (token string, half bool, err error) {
	s, err := try(ctx, d, byEmail, strings.ToLower(strings.TrimSpace(email)), now)
	if err != nil {
		return "", false, err
	}
	ok, err := matches(ctx, s.password, password) // a tenth of a second: in no transaction
	if err != nil {
		return "", false, err
	}
	if !ok {
		return "", false, errWrong()
	}
	err = d.Write(ctx, func(tx *db.Tx) (err error) {
		means := ByPassword
		if s.totp != "" {
			means = halfway // the second step is counted with the first: nothing begins anew yet
		} else if _, err := tx.Exec(ctx, uncount, s.staff); err != nil {
			return fmt.Errorf("sign in: %w", err)
		}
		token, err = Begin(ctx, tx, s.staff, means, instead, c, now)
		return err
	})
	return token, s.totp != "", err
}

func errWrongCode() error {
	return errs.Unauthenticated("wrong_code", "This code is not right, or was used before. Wait for the next one and try again.")
}

// step gives the step of time whose code this is, so that none is taken twice.
func step(secret, code string, now time.Time) (int64, bool) {
	code = strings.ReplaceAll(code, " ", "")
	for _, skew := range []int64{0, -1, 1} {
		at := now.Unix()/30 + skew
		ok, err := totp.ValidateCustom(code, secret, time.Unix(at*30, 0), totp.ValidateOpts{Period: 30, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
		if err == nil && ok {
			return at, true
		}
	}
	return 0, false
}

const takeStep = `UPDATE staff SET totp_step = $1, failed = 0 WHERE staff_id = $2 AND totp_step < $1`

// SecondStep ends a sign-in that waits for its code: of the app, or one of the recovery codes, each of which is good once.
func SecondStep(ctx context.Context, d *db.DB, waiting Session, token, code string, c Client, now time.Time) (string, error) {
	if !waiting.Half {
		return "", errSignedOut()
	}
	s, err := try(ctx, d, byStaff, waiting.Staff, now)
	if err != nil {
		return "", err
	}
	var whole string
	err = d.Write(ctx, func(tx *db.Tx) error {
		at, ok := step(s.totp, code, now)
		if ok {
			res, err := tx.Exec(ctx, takeStep, at, s.staff)
			if err != nil {
				return fmt.Errorf("take a code: %w", err)
			}
			n, err := res.RowsAffected()
			if err != nil {
				return fmt.Errorf("take a code: %w", err)
			}
			ok = n == 1
		}
		if !ok {
			staff, err := UsePass(ctx, tx, Recovery, normal(code), now)
			if errs.CodeOf(err) == errs.CodeUnauthenticated || err == nil && staff != s.staff {
				return errWrongCode()
			}
			if err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, uncount, s.staff); err != nil {
				return fmt.Errorf("take a code: %w", err)
			}
		}
		whole, err = Begin(ctx, tx, s.staff, ByTOTP, token, c, now)
		return err
	})
	return whole, err
}

// normal writes a recovery code as it is kept; what is none stays what it is, and is none.
func normal(code string) string {
	if c, ok := ids.NormalizeCode(code); ok {
		return c
	}
	return code
}

// NewSecondStep makes a secret for an app: its address for a QR code, and the secret for typing. Nothing is kept until a code of it is shown.
func NewSecondStep(issuer, email string) (address, secret string, err error) {
	k, err := totp.Generate(totp.GenerateOpts{Issuer: issuer, AccountName: email})
	if err != nil {
		return "", "", fmt.Errorf("make a second step: %w", err)
	}
	return k.URL(), k.Secret(), nil
}

// AddressOf is the address of a secret that was made before.
func AddressOf(issuer, email, secret string) (string, error) {
	raw, err := b32.DecodeString(secret)
	if err != nil {
		return "", errs.Invalid("invalid_secret", "Begin again.")
	}
	k, err := totp.Generate(totp.GenerateOpts{Issuer: issuer, AccountName: email, Secret: raw})
	if err != nil {
		return "", fmt.Errorf("read a second step: %w", err)
	}
	return k.URL(), nil
}

const setTOTP = `UPDATE staff SET totp = $1, totp_step = $2 WHERE staff_id = $3`

// recoveryCodes is how many codes there are for the day when the phone is gone.
const recoveryCodes = 10

// SetSecondStep keeps the secret once the person shows a code of it, ends the other sessions, and gives the recovery codes, which are shown once.
func SetSecondStep(ctx context.Context, tx *db.Tx, s Session, secret, code string, now time.Time) ([]string, error) {
	at, ok := step(secret, code, now)
	if !ok {
		return nil, errs.Invalid("wrong_code", "This code is not right: look whether the clock of the phone is.", errs.Field{Pointer: "/code", Reason: "wrong_code", Message: "This code is not right."})
	}
	if _, err := tx.Exec(ctx, setTOTP, secret, at, s.Staff); err != nil {
		return nil, fmt.Errorf("set second step: %w", err)
	}
	if err := dropPasses(ctx, tx, Recovery, s.Staff); err != nil {
		return nil, err
	}
	var codes []string
	for range recoveryCodes {
		c := ids.Code(10)
		if err := keepPass(ctx, tx, Recovery, s.Staff, c, now, now.AddDate(20, 0, 0)); err != nil {
			return nil, err
		}
		codes = append(codes, c[:5]+"-"+c[5:])
	}
	if err := Note(ctx, tx, s, "second_step.set", nil, now); err != nil {
		return nil, err
	}
	return codes, EndOthers(ctx, tx, s.Staff, s.ID)
}

// DropSecondStep takes it away again.
func DropSecondStep(ctx context.Context, tx *db.Tx, s Session, now time.Time) error {
	if _, err := tx.Exec(ctx, setTOTP, "", 0, s.Staff); err != nil {
		return fmt.Errorf("drop second step: %w", err)
	}
	if err := Note(ctx, tx, s, "second_step.dropped", nil, now); err != nil {
		return err
	}
	return dropPasses(ctx, tx, Recovery, s.Staff)
}

const setPassword = `UPDATE staff SET password = $1, failed = 0 WHERE staff_id = $2`

// SetPassword keeps what HashPassword made.
func SetPassword(ctx context.Context, tx *db.Tx, staff, phc string) error {
	if _, err := tx.Exec(ctx, setPassword, phc, staff); err != nil {
		return fmt.Errorf("set password: %w", err)
	}
	return nil
}

// CheckPassword says whether it is the password of somebody who is signed in; wrong ones are counted as at the door.
func CheckPassword(ctx context.Context, d *db.DB, staff, password string, now time.Time) error {
	s, err := try(ctx, d, byStaff, staff, now)
	if err != nil {
		return err
	}
	ok, err := matches(ctx, s.password, password)
	if err != nil {
		return err
	}
	if !ok {
		return errs.Invalid("wrong_password", "This is not your password.", errs.Field{Pointer: "/current", Reason: "wrong_password", Message: "This is not your password."})
	}
	return d.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, uncount, staff)
		return err //nolint:wrapcheck // d.Write says what it was
	})
}
