package key

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/errs"
)

var (
	ctx  = context.Background()
	noon = time.Date(2026, 3, 14, 11, 0, 0, 0, time.UTC)
)

func write(t *testing.T, d *db.DB, fn func(tx *db.Tx) error) {
	t.Helper()
	if err := d.Write(ctx, fn); err != nil {
		t.Fatal(err)
	}
}

// programs makes the programs that keys are bound to.
func programs(t *testing.T, d *db.DB) {
	t.Helper()
	write(t, d, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO programs (program_id, name, created_at) VALUES ('kaffe', '', 0), ('te', '', 0)`)
		return err
	})
}

func create(t *testing.T, d *db.DB, in New) (k Key, secret string) {
	t.Helper()
	write(t, d, func(tx *db.Tx) (err error) {
		k, secret, err = Create(ctx, tx, in)
		return err
	})
	return k, secret
}

func authenticate(t *testing.T, d *db.DB, secret string, now time.Time) (k Key, err error) {
	t.Helper()
	err = d.Read(ctx, func(tx *db.Tx) error {
		k, err = Authenticate(ctx, tx, secret, now)
		return err
	})
	return k, err
}

func TestKeyOpensUntilItEnds(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		programs(t, d)
		end := noon.Add(time.Hour)
		k, secret := create(t, d, New{Program: "kaffe", Name: " till 1 ", Scopes: []string{"purchases:write", "members:read", "members:read"}, ExpiresAt: &end, Now: noon})
		if !strings.HasPrefix(secret, "lj_live_") || !strings.HasPrefix(secret, k.Prefix) || len(k.Prefix) != len("lj_live_")+4 {
			t.Fatalf("%s %s", secret, k.Prefix)
		}
		got, err := authenticate(t, d, secret, noon)
		if d := cmp.Diff(k, got); d != "" || err != nil {
			t.Fatal(d, err)
		}
		if k.Name != "till 1" || !cmp.Equal(k.Scopes, []string{"members:read", "purchases:write"}) || !got.Allows("members:read") || got.Allows("members:write") {
			t.Errorf("%+v", k)
		}
		if err := got.Require("admin"); !errs.Is(err, errs.CodeForbidden, "scope_missing") {
			t.Error(err)
		}
		other := secret[:len(secret)-1] + "!"
		for secret, reason := range map[string]string{"": "key_missing", "x": "key_malformed", other: "key_malformed", secret: "key_expired"} {
			if _, err := authenticate(t, d, secret, end); !errs.Is(err, errs.CodeUnauthenticated, reason) {
				t.Errorf("%s: %v", reason, err)
			}
		}
		write(t, d, func(tx *db.Tx) error {
			_, err := Revoke(ctx, tx, "te", k.ID, noon)
			if !errs.Is(err, errs.CodeNotFound, "key_not_found") {
				t.Errorf("revoked from another program: %v", err)
			}
			_, err = Revoke(ctx, tx, "kaffe", k.ID, noon)
			return err
		})
		if _, err := authenticate(t, d, secret, noon); !errs.Is(err, errs.CodeUnauthenticated, "key_revoked") {
			t.Error(err)
		}
		var stored string
		write(t, d, func(tx *db.Tx) error {
			return tx.QueryRow(ctx, `SELECT hash FROM keys WHERE key_id = $1`, k.ID).Scan(&stored)
		})
		if len(stored) != 64 || strings.Contains(secret, stored) {
			t.Errorf("stored %q", stored)
		}
		write(t, d, func(tx *db.Tx) error { _, err := tx.Exec(ctx, `DELETE FROM keys`); return err })
		if _, err := authenticate(t, d, secret, noon); !errs.Is(err, errs.CodeUnauthenticated, "key_unknown") {
			t.Error(err)
		}
	})
}

func TestEveryMistakeInANewKeyIsTold(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in   New
		want []string
	}{
		"empty":   {New{Now: noon}, []string{"/name", "/scopes"}},
		"unknown": {New{Name: "x", Scopes: []string{"admin", "points:mint"}, ExpiresAt: &noon, Now: noon}, []string{"/scopes/1", "/expires_at"}},
	} {
		var got []string
		for _, f := range errs.As(c.in.validate()).Fields {
			got = append(got, f.Pointer)
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestRotationOverlaps(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		programs(t, d)
		end := noon.Add(90 * 24 * time.Hour)
		old, oldSecret := create(t, d, New{Program: "kaffe", Name: "shop", Scopes: []string{Admin}, Test: true, ExpiresAt: &end, Now: noon})
		later := noon.Add(24 * time.Hour)
		var fresh Key
		var secret string
		write(t, d, func(tx *db.Tx) (err error) {
			fresh, secret, err = Rotate(ctx, tx, "kaffe", old.ID, time.Hour, later)
			return err
		})
		if fresh.Name != "shop" || !fresh.Allows("events:read") || !strings.HasPrefix(secret, "lj_test_") || !fresh.ExpiresAt.Equal(later.Add(90*24*time.Hour)) {
			t.Errorf("%+v", fresh)
		}
		for _, c := range []struct {
			secret string
			at     time.Time
			ok     bool
		}{{oldSecret, later, true}, {secret, later, true}, {oldSecret, later.Add(time.Hour), false}, {secret, later.Add(time.Hour), true}} {
			if _, err := authenticate(t, d, c.secret, c.at); (err == nil) != c.ok {
				t.Errorf("%s at %s: %v", c.secret[:12], c.at, err)
			}
		}
		err := d.Write(ctx, func(tx *db.Tx) error {
			_, _, err := Rotate(ctx, tx, "kaffe", old.ID, 0, later.Add(time.Hour))
			return err
		})
		if !errs.Is(err, errs.CodeConflict, "key_ended") {
			t.Error(err)
		}
		write(t, d, func(tx *db.Tx) error {
			list, err := List(ctx, tx, "kaffe")
			if len(list) != 2 || list[0].ID != old.ID {
				t.Errorf("%+v", list)
			}
			return err
		})
	})
}

func TestUseIsNotedOnceAMinute(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		programs(t, d)
		_, secret := create(t, d, New{Program: "kaffe", Name: "till", Scopes: []string{Admin}, Now: noon})
		var uses Uses
		use := func(at time.Time) bool {
			k, err := authenticate(t, d, secret, at)
			if err != nil {
				t.Fatal(err)
			}
			uses.Note(k, at)
			wrote := uses.Waiting()
			write(t, d, func(tx *db.Tx) error { return uses.Flush(ctx, tx) })
			return wrote
		}
		for _, c := range []struct {
			after time.Duration
			wrote bool
		}{{0, true}, {59 * time.Second, false}, {60 * time.Second, true}, {61 * time.Second, false}, {2 * time.Minute, true}} {
			if got := use(noon.Add(c.after)); got != c.wrote {
				t.Errorf("after %s: wrote is %t", c.after, got)
			}
		}
		k, _ := authenticate(t, d, secret, noon)
		if !k.LastUsedAt.Equal(noon.Add(2 * time.Minute)) {
			t.Errorf("last used at %s", k.LastUsedAt)
		}
		// Another process knows from the key itself.
		var fresh Uses
		if fresh.Note(k, noon.Add(2*time.Minute+30*time.Second)); fresh.Waiting() {
			t.Error("noted within the minute")
		}
	})
}
