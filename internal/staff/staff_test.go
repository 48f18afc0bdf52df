package staff

import (
	"context"
	"encoding/base32"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/errs"
)

var (
	ctx  = context.Background()
	noon = time.Date(2026, 3, 14, 11, 0, 0, 0, time.UTC)
	here = Client{Agent: "Firefox", Address: "192.0.2.7"}
)

const words = "kaffe uten melk takk"

func write(t *testing.T, d *db.DB, fn func(tx *db.Tx) error) {
	t.Helper()
	if err := d.Write(ctx, fn); err != nil {
		t.Fatal(err)
	}
}

func house(t *testing.T, d *db.DB) {
	t.Helper()
	write(t, d, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO programs (program_id, name, created_at) VALUES ('kaffe', '', 0), ('te', '', 0)`)
		return err
	})
}

func add(t *testing.T, d *db.DB, program, email string, role Role) (p Person) {
	t.Helper()
	write(t, d, func(tx *db.Tx) (err error) {
		p, err = Add(ctx, tx, Input{Program: program, Email: email, Name: "Kari Nordmann", Role: role, Actor: "cli", Now: noon})
		return err
	})
	return p
}

func withPassword(t *testing.T, d *db.DB, staff string) {
	t.Helper()
	phc, err := HashPassword(ctx, words)
	if err != nil {
		t.Fatal(err)
	}
	write(t, d, func(tx *db.Tx) error { return SetPassword(ctx, tx, staff, phc) })
}

func find(t *testing.T, d *db.DB, token string, now time.Time) (s Session, err error) {
	t.Helper()
	err = d.Read(ctx, func(tx *db.Tx) error {
		s, err = Find(ctx, tx, token, now)
		return err
	})
	return s, err
}

func reason(t *testing.T, err error, want string) {
	t.Helper()
	if e := errs.As(err); err == nil || e.Reason != want {
		t.Fatalf("%v, want %s", err, want)
	}
}

func TestARoleIsOfOneProgram(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		house(t, d)
		p := add(t, d, "kaffe", " Kari@Example.NO ", Store)
		if p.Email != "kari@example.no" || p.Role != Store || p.Password {
			t.Fatalf("%+v", p)
		}
		if again := add(t, d, "te", "kari@example.no", Owner); again.ID != p.ID {
			t.Fatalf("two people by one address: %s and %s", p.ID, again.ID)
		}
		reason(t, d.Write(ctx, func(tx *db.Tx) error {
			_, err := Add(ctx, tx, Input{Program: "te", Email: "kari@example.no", Name: "K", Role: Auditor, Now: noon})
			return err
		}), "staff_there")
		withPassword(t, d, p.ID)
		token, half, err := SignIn(ctx, d, "KARI@example.no", words, "", here, noon)
		if err != nil || half {
			t.Fatal(half, err)
		}
		s, err := find(t, d, token, noon)
		if err != nil || s.Program != "kaffe" || s.Role != Store {
			t.Fatalf("%+v %v", s, err)
		}
		write(t, d, func(tx *db.Tx) error { return Move(ctx, tx, s, "te") })
		if s, err = find(t, d, token, noon); err != nil || s.Role != Owner {
			t.Fatalf("%+v %v", s, err)
		}
		reason(t, d.Write(ctx, func(tx *db.Tx) error { return Move(ctx, tx, s, "mjød") }), "program_not_found")
	})
}

func TestAProgramWithStaffHasAnOwner(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		house(t, d)
		p := add(t, d, "kaffe", "kari@example.no", Owner)
		reason(t, d.Write(ctx, func(tx *db.Tx) error {
			_, err := SetRole(ctx, tx, "kaffe", p.ID, Analyst, "cli", noon)
			return err
		}), "last_owner")
		reason(t, d.Write(ctx, func(tx *db.Tx) error { return Remove(ctx, tx, "kaffe", p.ID, "cli", noon) }), "last_owner")
		other := add(t, d, "kaffe", "ola@example.no", Owner)
		withPassword(t, d, p.ID)
		token, _, err := SignIn(ctx, d, p.Email, words, "", here, noon)
		if err != nil {
			t.Fatal(err)
		}
		write(t, d, func(tx *db.Tx) error { return Remove(ctx, tx, "kaffe", p.ID, "cli", noon) })
		_, err = find(t, d, token, noon)
		reason(t, err, "signed_out")
		_, _, err = SignIn(ctx, d, p.Email, words, "", here, noon)
		reason(t, err, "wrong_sign_in")
		var left []Person
		write(t, d, func(tx *db.Tx) (err error) {
			left, err = List(ctx, tx, "kaffe")
			return err
		})
		if len(left) != 1 || left[0].ID != other.ID {
			t.Fatalf("%+v", left)
		}
	})
}

func TestWhoGuessesWaits(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		house(t, d)
		p := add(t, d, "kaffe", "kari@example.no", Owner)
		withPassword(t, d, p.ID)
		for range Free {
			_, _, err := SignIn(ctx, d, p.Email, "something else entirely", "", here, noon)
			reason(t, err, "wrong_sign_in")
		}
		_, _, err := SignIn(ctx, d, p.Email, words, "", here, noon.Add(wait-time.Second))
		reason(t, err, "too_many_tries")
		if errs.As(err).Meta["retry_after"] != 2 {
			t.Error(errs.As(err).Meta)
		}
		if _, _, err := SignIn(ctx, d, p.Email, words, "", here, noon.Add(wait+time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := SignIn(ctx, d, p.Email, words, "", here, noon.Add(wait+time.Second)); err != nil {
			t.Fatal("a right one did not begin anew:", err)
		}
		_, _, err = SignIn(ctx, d, "nobody@example.no", words, "", here, noon)
		reason(t, err, "wrong_sign_in")
	})
}

func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		house(t, d)
		p := add(t, d, "kaffe", "kari@example.no", Owner)
		begin := func(now time.Time, instead string) (token string) {
			write(t, d, func(tx *db.Tx) (err error) {
				token, err = Begin(ctx, tx, p.ID, ByPasskey, instead, here, now)
				return err
			})
			return token
		}
		token := begin(noon, "")
		if _, err := find(t, d, token, noon.Add(Idle-time.Second)); err != nil {
			t.Fatal(err)
		}
		_, err := find(t, d, token, noon.Add(Idle))
		reason(t, err, "signed_out")
		for at := noon; at.Before(noon.Add(Whole - Idle)); at = at.Add(Idle / 2) {
			write(t, d, func(tx *db.Tx) error {
				s, err := Find(ctx, tx, token, at)
				if err != nil {
					return err
				}
				return See(ctx, tx, s, at)
			})
		}
		_, err = find(t, d, token, noon.Add(Whole))
		reason(t, err, "signed_out")

		first, second := begin(noon, ""), begin(noon, "")
		third := begin(noon, second) // the same browser signs in again
		_, err = find(t, d, second, noon)
		reason(t, err, "signed_out")
		s, err := find(t, d, third, noon)
		if err != nil {
			t.Fatal(err)
		}
		write(t, d, func(tx *db.Tx) error { return EndOthers(ctx, tx, p.ID, s.ID) })
		_, err = find(t, d, first, noon)
		reason(t, err, "signed_out")
		var list []Session
		write(t, d, func(tx *db.Tx) (err error) {
			list, err = Sessions(ctx, tx, p.ID, noon)
			return err
		})
		if len(list) != 1 || list[0].Agent != "Firefox" || list[0].Means != ByPasskey {
			t.Fatalf("%+v", list)
		}
		_, err = find(t, d, third+"x", noon)
		reason(t, err, "signed_out")
	})
}

func TestASecondStepIsTakenOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		house(t, d)
		p := add(t, d, "kaffe", "kari@example.no", Owner)
		withPassword(t, d, p.ID)
		token, _, err := SignIn(ctx, d, p.Email, words, "", here, noon)
		if err != nil {
			t.Fatal(err)
		}
		s, err := find(t, d, token, noon)
		if err != nil {
			t.Fatal(err)
		}
		secret := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString([]byte("twenty bytes of key!"))
		at := func(now time.Time) string {
			code, err := totp.GenerateCode(secret, now)
			if err != nil {
				t.Fatal(err)
			}
			return code
		}
		reason(t, d.Write(ctx, func(tx *db.Tx) error {
			_, err := SetSecondStep(ctx, tx, s, secret, "000000", noon)
			return err
		}), "wrong_code")
		var recovery []string
		write(t, d, func(tx *db.Tx) (err error) {
			recovery, err = SetSecondStep(ctx, tx, s, secret, at(noon), noon)
			return err
		})
		half := func(now time.Time) (string, Session) {
			token, waits, err := SignIn(ctx, d, p.Email, words, "", here, now)
			if err != nil || !waits {
				t.Fatal(waits, err)
			}
			s, err := find(t, d, token, now)
			if err != nil || !s.Half {
				t.Fatalf("%+v %v", s, err)
			}
			return token, s
		}
		later := noon.Add(time.Minute)
		token, waiting := half(later)
		_, err = SecondStep(ctx, d, waiting, token, at(noon), here, later) // two steps ago, and it was shown before
		reason(t, err, "wrong_code")
		whole, err := SecondStep(ctx, d, waiting, token, at(later), here, later)
		if err != nil {
			t.Fatal(err)
		}
		if s, err := find(t, d, whole, later); err != nil || s.Half || s.Means != ByTOTP {
			t.Fatalf("%+v %v", s, err)
		}
		_, err = find(t, d, token, later)
		reason(t, err, "signed_out")
		token, waiting = half(later)
		_, err = SecondStep(ctx, d, waiting, token, at(later), here, later)
		reason(t, err, "wrong_code")
		if _, err = SecondStep(ctx, d, waiting, token, strings.ToLower(recovery[3]), here, later); err != nil {
			t.Fatal(err)
		}
		token, waiting = half(later)
		_, err = SecondStep(ctx, d, waiting, token, recovery[3], here, later)
		reason(t, err, "wrong_code")
	})
}

func TestAPassLetsInOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		house(t, d)
		p := add(t, d, "kaffe", "kari@example.no", Owner)
		var first, text string
		write(t, d, func(tx *db.Tx) (err error) {
			if first, err = Invite(ctx, tx, p.ID, noon); err != nil {
				return err
			}
			text, err = Invite(ctx, tx, p.ID, noon)
			return err
		})
		use := func(k Kind, text string, now time.Time) error {
			return d.Write(ctx, func(tx *db.Tx) error {
				staff, err := UsePass(ctx, tx, k, text, now)
				if err == nil && staff != p.ID {
					t.Error("somebody else's:", staff)
				}
				return err
			})
		}
		reason(t, use(Invitation, first, noon), "pass_ended")
		reason(t, use(SetUp, text, noon), "pass_ended")
		reason(t, use(Invitation, text, noon.Add(InvitationFor)), "pass_ended")
		if err := use(Invitation, text, noon.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		reason(t, use(Invitation, text, noon.Add(time.Hour)), "pass_ended")
	})
}

func TestPasswordsThatAreGuessed(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"short", "passord12345", "aaaaaaaaaaaaaa", "qwertyuiopåas", "0123456789012", "abcabcabcabcabc", "kari.nordmann!", "Velkommen2026!", strings.Repeat("lang ", 50), "\xff\xfe123456789012"} {
		if _, err := HashPassword(ctx, text, "kari", "Nordmann"); errs.CodeOf(err) != errs.CodeInvalid {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, text := range []string{words, "blåbærsyltetøy på lefse", "Tr0ub4dor&3-extra"} {
		phc, err := HashPassword(ctx, text, "kari")
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if ok, err := matches(ctx, phc, text); !ok || err != nil {
			t.Error(text, ok, err)
		}
		if ok, _ := matches(ctx, phc, text+" "); ok {
			t.Error("another password matches")
		}
	}
	if ok, err := matches(ctx, "", ""); ok || err != nil {
		t.Error("nobody has a password:", ok, err)
	}
}
