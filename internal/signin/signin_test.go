package signin

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/member"
	"lojal.dev/lojal/internal/program"
)

var (
	ctx  = context.Background()
	noon = time.Date(2026, 3, 14, 11, 0, 0, 0, time.UTC)
	kari = Target{"email", "kari@example.no"}
)

func write(t *testing.T, d *db.DB, fn func(tx *db.Tx) error) {
	t.Helper()
	if err := d.Write(ctx, fn); err != nil {
		t.Fatal(err)
	}
}

func each(t *testing.T, body func(t *testing.T, d *db.DB)) {
	t.Helper()
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		write(t, d, func(tx *db.Tx) error {
			_, err := tx.Exec(ctx, `INSERT INTO programs (program_id, name, created_at) VALUES ('kaffe', '', 0), ('te', '', 0)`)
			return err
		})
		body(t, d)
	})
}

func reason(t *testing.T, err error, want string) {
	t.Helper()
	if want == "" && err == nil {
		return
	}
	if err == nil || errs.As(err).Reason != want {
		t.Fatalf("%v, want %q", err, want)
	}
}

func draw(t *testing.T, d *db.DB, to Target, now time.Time) string {
	t.Helper()
	text, err := NewCode(ctx, d, "kaffe", to, now)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// wrong is a code that this one is not.
func wrong(text string) string {
	return strings.Map(func(r rune) rune { return '0' + (r-'0'+1)%10 }, text)
}

func TestACodeIsGoodOnceForItsAddress(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		text := draw(t, d, kari, noon)
		if len(text) != 6 {
			t.Fatalf("%q", text)
		}
		reason(t, Try(ctx, d, "kaffe", Target{"email", "ola@example.no"}, text, noon), "wrong_code")
		reason(t, Try(ctx, d, "kaffe", Target{"phone", "kari@example.no"}, text, noon), "wrong_code")
		reason(t, Try(ctx, d, "te", kari, text, noon), "wrong_code")
		reason(t, Try(ctx, d, "kaffe", kari, wrong(text), noon), "wrong_code")
		reason(t, Try(ctx, d, "kaffe", kari, " "+text[:3]+" "+text[3:]+" ", noon.Add(CodeFor-time.Second)), "")
		reason(t, Try(ctx, d, "kaffe", kari, text, noon), "wrong_code")
		old := draw(t, d, kari, noon)
		reason(t, Try(ctx, d, "kaffe", kari, old, noon.Add(CodeFor)), "wrong_code")
		first := draw(t, d, kari, noon)
		second := draw(t, d, kari, noon)
		if first != second {
			reason(t, Try(ctx, d, "kaffe", kari, first, noon), "wrong_code")
		}
		reason(t, Try(ctx, d, "kaffe", kari, second, noon), "")
	})
}

func TestWrongTriesEndACode(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		text := draw(t, d, kari, noon)
		for range MaxTries {
			reason(t, Try(ctx, d, "kaffe", kari, wrong(text), noon), "wrong_code")
		}
		reason(t, Try(ctx, d, "kaffe", kari, text, noon), "wrong_code")
	})
}

// atOnce runs something many times at once and says how often it went well.
func atOnce(times int, do func(i int) error) int {
	var well atomic.Int64
	var group sync.WaitGroup
	for i := range times {
		group.Go(func() {
			if do(i) == nil {
				well.Add(1)
			}
		})
	}
	group.Wait()
	return int(well.Load())
}

func TestTriesAtOnceAreCounted(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		text := draw(t, d, kari, noon)
		if n := atOnce(12, func(int) error { return Try(ctx, d, "kaffe", kari, text, noon) }); n != 1 {
			t.Errorf("it was good %d times", n)
		}
		text = draw(t, d, kari, noon)
		atOnce(12, func(int) error { return Try(ctx, d, "kaffe", kari, wrong(text), noon) })
		reason(t, Try(ctx, d, "kaffe", kari, text, noon), "wrong_code")
	})
}

func TestAnAddressGetsSoManyCodes(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		if n := atOnce(PerHour+7, func(int) error { _, err := NewCode(ctx, d, "kaffe", kari, noon); return err }); n != PerHour {
			t.Errorf("%d at once", n)
		}
		_, err := NewCode(ctx, d, "kaffe", kari, noon.Add(59*time.Minute))
		reason(t, err, "too_many_sent")
		if wait := errs.As(err).Meta["retry_after"]; wait != 61 {
			t.Errorf("wait %v", wait)
		}
		draw(t, d, Target{"email", "ola@example.no"}, noon)
		at := noon
		for sent := PerHour; sent < PerDay; {
			at = at.Add(time.Hour)
			for range PerHour {
				draw(t, d, kari, at)
				sent++
			}
		}
		_, err = NewCode(ctx, d, "kaffe", kari, at.Add(2*time.Hour))
		reason(t, err, "too_many_sent")
		draw(t, d, kari, noon.Add(24*time.Hour))
	})
}

func TestThrottlingLeavesTheCodeThatWasSent(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		var last string
		for range PerHour {
			last = draw(t, d, kari, noon)
		}
		_, err := NewCode(ctx, d, "kaffe", kari, noon)
		reason(t, err, "too_many_sent")
		reason(t, Try(ctx, d, "kaffe", kari, last, noon), "")
	})
}

func TestNothingIsKeptInClear(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		text := draw(t, d, kari, noon)
		var pass, token string
		write(t, d, func(tx *db.Tx) (err error) {
			if pass, err = Shown(ctx, tx, "kaffe", kari, noon); err != nil {
				return err
			}
			token, err = Begin(ctx, tx, "kaffe", "mem_x", ByCode, "", "Firefox", noon)
			return err
		})
		for _, table := range []string{"member_codes", "member_passes", "member_sessions"} {
			for _, column := range map[string][]string{
				"member_codes": {"target", "code_id", "hash"}, "member_passes": {"hash", "about"}, "member_sessions": {"hash", "session_id"},
			}[table] {
				err := d.Read(ctx, func(tx *db.Tx) error {
					return db.Collect(ctx, tx, func(row db.Scanner) error {
						var s string
						err := row.Scan(&s)
						for _, secret := range []string{text, pass, token, "kari@"} {
							if s == secret || strings.Contains(s, secret) && secret != text {
								t.Errorf("%s.%s holds %s", table, column, s)
							}
						}
						return err
					}, fmt.Sprintf("SELECT %s FROM %s", column, table))
				})
				if err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

func TestAPassIsGoodOnceForItsAddress(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		var pass string
		write(t, d, func(tx *db.Tx) (err error) {
			pass, err = Shown(ctx, tx, "kaffe", kari, noon)
			return err
		})
		may := func(program string, to Target, now time.Time) error {
			return d.Write(ctx, func(tx *db.Tx) error { return MayJoin(ctx, tx, program, to, pass, now) })
		}
		reason(t, may("kaffe", kari, noon), "")
		reason(t, may("kaffe", kari, noon.Add(JoinFor-time.Second)), "")
		reason(t, may("kaffe", kari, noon.Add(JoinFor)), "pass_ended")
		reason(t, may("kaffe", Target{"email", "ola@example.no"}, noon), "pass_ended")
		reason(t, may("te", kari, noon), "pass_ended")
		if n := atOnce(5, func(int) error {
			return d.Write(ctx, func(tx *db.Tx) error { return Joined(ctx, tx, "kaffe", pass, noon) })
		}); n != 1 {
			t.Errorf("it was used %d times", n)
		}
		reason(t, may("kaffe", kari, noon), "pass_ended")
		reason(t, d.Write(ctx, func(tx *db.Tx) error { _, err := UseDemo(ctx, tx, "kaffe", pass, noon); return err }), "pass_ended")
	})
}

var kaffe = &program.Compiled{Zone: time.UTC, Doc: &program.Document{Program: "kaffe", Country: "NO"}}

func enrol(t *testing.T, d *db.DB, email string) (id string) {
	t.Helper()
	write(t, d, func(tx *db.Tx) error {
		m, err := member.Enrol(ctx, tx, kaffe, member.New{Profile: member.Profile{Email: email}}, noon)
		id = m.ID
		return err
	})
	return id
}

func begin(t *testing.T, d *db.DB, id string, now time.Time) (token string) {
	t.Helper()
	write(t, d, func(tx *db.Tx) (err error) {
		token, err = Begin(ctx, tx, "kaffe", id, ByCode, "", "Firefox", now)
		return err
	})
	return token
}

func find(t *testing.T, d *db.DB, program, token string, now time.Time) (s Session, who string, err error) {
	t.Helper()
	err = d.Read(ctx, func(tx *db.Tx) error {
		var m member.Member
		s, m, err = Find(ctx, tx, program, token, now)
		who = m.ID
		return err
	})
	return s, who, err
}

func TestASessionEnds(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		id := enrol(t, d, "kari@example.no")
		token := begin(t, d, id, noon)
		_, who, err := find(t, d, "kaffe", token, noon)
		reason(t, err, "")
		if who != id {
			t.Errorf("%s", who)
		}
		for name, ask := range map[string]func() error{
			"of another program": func() error { _, _, err := find(t, d, "te", token, noon); return err },
			"none":               func() error { _, _, err := find(t, d, "kaffe", "", noon); return err },
			"another":            func() error { _, _, err := find(t, d, "kaffe", token[:len(token)-1]+"x", noon); return err },
			"idle":               func() error { _, _, err := find(t, d, "kaffe", token, noon.Add(Idle)); return err },
		} {
			if errs.As(ask()).Reason != "signed_out" {
				t.Error(name)
			}
		}
		for at := noon; at.Before(noon.Add(Whole)); at = at.Add(Idle - time.Hour) {
			s, _, err := find(t, d, "kaffe", token, at)
			reason(t, err, "")
			write(t, d, func(tx *db.Tx) error { return See(ctx, tx, s, id, at) })
		}
		_, _, err = find(t, d, "kaffe", token, noon.Add(Whole))
		reason(t, err, "signed_out")
		token = begin(t, d, id, noon)
		write(t, d, func(tx *db.Tx) error { return End(ctx, tx, "kaffe", token) })
		_, _, err = find(t, d, "kaffe", token, noon)
		reason(t, err, "signed_out")
	})
}

func TestASessionFollowsAMergedMember(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		old, kept := enrol(t, d, "old@example.no"), enrol(t, d, "kept@example.no")
		phone, tablet := begin(t, d, old, noon), begin(t, d, old, noon)
		mine := begin(t, d, kept, noon.Add(time.Minute))
		write(t, d, func(tx *db.Tx) error { _, err := member.Repoint(ctx, tx, "kaffe", old, kept, noon); return err })
		s, who, err := find(t, d, "kaffe", phone, noon.Add(2*time.Minute))
		reason(t, err, "")
		if who != kept || !s.Stale(who, noon.Add(2*time.Minute)) {
			t.Fatalf("%s is not %s", who, kept)
		}
		list := func() (out []Session) {
			err := d.Read(ctx, func(tx *db.Tx) (err error) {
				out, err = Sessions(ctx, tx, "kaffe", kept, noon.Add(3*time.Minute))
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		if n := len(list()); n != 3 {
			t.Errorf("%d sessions", n)
		}
		write(t, d, func(tx *db.Tx) error { return See(ctx, tx, s, who, noon.Add(2*time.Minute)) })
		own, _, _ := find(t, d, "kaffe", mine, noon.Add(3*time.Minute))
		write(t, d, func(tx *db.Tx) error { return EndOthers(ctx, tx, "kaffe", kept, own.ID, noon.Add(3*time.Minute)) })
		for _, token := range []string{phone, tablet} {
			_, _, err = find(t, d, "kaffe", token, noon.Add(3*time.Minute))
			reason(t, err, "signed_out")
		}
		if got := list(); len(got) != 1 || got[0].ID != own.ID {
			t.Errorf("%+v", got)
		}
		write(t, d, func(tx *db.Tx) error {
			return EndOne(ctx, tx, "kaffe", enrolled(t, tx), own.ID, noon.Add(3*time.Minute))
		})
		if len(list()) != 1 {
			t.Error("somebody else ended a session")
		}
	})
}

func enrolled(t *testing.T, tx *db.Tx) string {
	t.Helper()
	m, err := member.Enrol(ctx, tx, kaffe, member.New{Profile: member.Profile{Email: "else@example.no"}}, noon)
	if err != nil {
		t.Fatal(err)
	}
	return m.ID
}

func TestWhatIsOverIsForgotten(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		draw(t, d, kari, noon)
		begin(t, d, "mem_x", noon)
		write(t, d, func(tx *db.Tx) error { _, err := Shown(ctx, tx, "kaffe", kari, noon); return err })
		rows := func() (n int) {
			err := d.Read(ctx, func(tx *db.Tx) error {
				return tx.QueryRow(ctx, `SELECT (SELECT count(*) FROM member_codes) + (SELECT count(*) FROM member_passes) + (SELECT count(*) FROM member_sessions)`).Scan(&n)
			})
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		if err := Tend(ctx, d, noon.Add(time.Minute)); err != nil || rows() != 4 {
			t.Errorf("%v, %d rows", err, rows())
		}
		if err := Tend(ctx, d, noon.Add(Whole+time.Hour)); err != nil || rows() != 0 {
			t.Errorf("%v, %d rows", err, rows())
		}
	})
}
