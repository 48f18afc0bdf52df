package staff

import (
	"encoding/json"
	"testing"
	"time"

	virtual "github.com/descope/virtualwebauthn"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/errs"
)

var place = virtual.RelyingParty{ID: "lojal.example.no", Name: "lojal", Origin: "https://lojal.example.no"}

// device is a phone that holds a passkey.
type device struct {
	virtual.Authenticator
	key virtual.Credential
}

func newDevice() *device {
	return &device{Authenticator: virtual.NewAuthenticator(), key: virtual.NewCredential(virtual.KeyTypeEC2)}
}

func text(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// makes answers an offer.
func (d *device) makes(t *testing.T, data *db.DB, k *Keys, s Session, now time.Time) string {
	t.Helper()
	var offer string
	write(t, data, func(tx *db.Tx) error {
		o, err := k.Offer(ctx, tx, s, now)
		offer = text(t, o)
		return err
	})
	options, err := virtual.ParseAttestationOptions(offer)
	if err != nil {
		t.Fatal(err)
	}
	d.Options.UserHandle = []byte(options.UserID)
	return virtual.CreateAttestationResponse(place, d.Authenticator, d.key, *options)
}

// signs answers a question at some place.
func (d *device) signs(t *testing.T, data *db.DB, k *Keys, at virtual.RelyingParty, now time.Time) string {
	t.Helper()
	var ask string
	write(t, data, func(tx *db.Tx) error {
		a, err := k.Ask(ctx, tx, now)
		ask = text(t, a)
		return err
	})
	options, err := virtual.ParseAssertionOptions(ask)
	if err != nil {
		t.Fatal(err)
	}
	d.key.Counter++
	return virtual.CreateAssertionResponse(at, d.Authenticator, d.key, *options)
}

func TestAPasskeyLetsItsOwnerInOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		house(t, d)
		p := add(t, d, "kaffe", "kari@example.no", Owner)
		other := add(t, d, "kaffe", "ola@example.no", Owner)
		begin := func(who string) (s Session) {
			var token string
			write(t, d, func(tx *db.Tx) (err error) {
				token, err = Begin(ctx, tx, who, ByLink, "", here, noon)
				return err
			})
			s, err := find(t, d, token, noon)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		s := begin(p.ID)
		k := NewKeys(place.Origin, place.Name)
		phone := newDevice()
		keep := func(s Session, name, answer string, now time.Time) error {
			return d.Write(ctx, func(tx *db.Tx) error { return k.Keep(ctx, tx, s, name, []byte(answer), now) })
		}
		reason(t, keep(s, " ", phone.makes(t, d, k, s, noon), noon), "invalid_passkey")
		reason(t, keep(s, "Phone", "{}", noon), "passkey_refused")
		reason(t, keep(s, "Phone", phone.makes(t, d, k, s, noon), noon.Add(6*time.Minute)), "passkey_refused")
		reason(t, keep(begin(other.ID), "Phone", phone.makes(t, d, k, s, noon), noon), "passkey_refused")
		made := phone.makes(t, d, k, s, noon)
		if err := keep(s, "Phone", made, noon); err != nil {
			t.Fatal(err)
		}
		reason(t, keep(s, "Phone", made, noon), "passkey_refused")

		enter := func(answer string, now time.Time) (string, error) {
			return k.SignIn(ctx, d, []byte(answer), "", here, now)
		}
		answer := phone.signs(t, d, k, place, noon)
		token, err := enter(answer, noon)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := find(t, d, token, noon); err != nil || got.Staff != p.ID || got.Means != ByPasskey || got.Half {
			t.Fatalf("%+v %v", got, err)
		}
		_, err = enter(answer, noon) // a challenge is signed once
		reason(t, err, "wrong_passkey")
		_, err = enter(phone.signs(t, d, k, place, noon), noon.Add(6*time.Minute))
		reason(t, err, "wrong_passkey")
		_, err = enter(phone.signs(t, d, k, virtual.RelyingParty{ID: place.ID, Origin: "https://lojal.example.com"}, noon), noon)
		reason(t, err, "wrong_passkey")
		_, err = enter(`{"id": "x"}`, noon)
		reason(t, err, "wrong_passkey")
		unlocked := *phone
		unlocked.Options.UserNotVerified = true
		_, err = enter(unlocked.signs(t, d, k, place, noon), noon)
		reason(t, err, "wrong_passkey")
		asOther := *phone
		asOther.Options.UserHandle = []byte(other.ID)
		_, err = enter(asOther.signs(t, d, k, place, noon), noon)
		reason(t, err, "wrong_passkey")
		stranger := newDevice()
		stranger.Options.UserHandle = []byte("stf_nobody")
		_, err = enter(stranger.signs(t, d, k, place, noon), noon)
		reason(t, err, "wrong_passkey")

		phone.key.Counter = 20
		if _, err = enter(phone.signs(t, d, k, place, noon), noon); err != nil {
			t.Fatal(err)
		}
		phone.key.Counter = 3 // a copy that does not know how often the first was used
		_, err = enter(phone.signs(t, d, k, place, noon), noon)
		reason(t, err, "copied_passkey")

		var list []Passkey
		write(t, d, func(tx *db.Tx) (err error) {
			list, err = Passkeys(ctx, tx, p.ID)
			return err
		})
		if len(list) != 1 || list[0].Name != "Phone" || list[0].UsedAt == nil || !list[0].UsedAt.Equal(noon) {
			t.Fatalf("%+v", list)
		}
		ola := begin(other.ID)
		write(t, d, func(tx *db.Tx) error { return DropPasskey(ctx, tx, ola, list[0].ID, noon) })
		phone.key.Counter = 30
		if _, err = enter(phone.signs(t, d, k, place, noon), noon); err != nil {
			t.Fatalf("somebody else took it away: %v", err)
		}
		write(t, d, func(tx *db.Tx) error { return DropPasskey(ctx, tx, s, list[0].ID, noon) })
		_, err = enter(phone.signs(t, d, k, place, noon), noon)
		reason(t, err, "wrong_passkey")
	})
}

func TestPasskeysAreOfNamesByHTTPS(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"https://lojal.example.no": true, "https://lojal.example.no:8443/": true, "http://localhost:8321": true,
		"http://lojal.example.no": false, "http://127.0.0.1:8321": false, "https://192.0.2.7": false, "": false, "https://": false,
	} {
		if got := NewKeys(address, "lojal") != nil; got != want {
			t.Errorf("%q: %v", address, got)
		}
	}
	if e := errs.As(errPasskey()); e.Code != errs.CodeUnauthenticated {
		t.Fatal(e)
	}
}
