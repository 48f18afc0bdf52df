package errand

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/member"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/verify"
	"lojal.dev/lojal/internal/version"
)

const document = `
program: friends
name: Friends
time_zone: Europe/Oslo
currency: NOK
country: "NO"
units: {star: {name: star}}
referral:
  qualifies: {when: {total: {from: 200.00}}, within: 60 days}
  friend: {unit: star, amount: 50}
  referrer: {unit: star, amount: 50}
  late: 14 days
`

var start = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)

// shop is a program with its recorder, and a clock that is set.
type shop struct {
	t   *testing.T
	d   *db.DB
	r   *record.Recorder
	now time.Time
}

func open(t *testing.T, d *db.DB) *shop { return openWith(t, d, document) }

func openWith(t *testing.T, d *db.DB, document string) *shop {
	t.Helper()
	doc, err := program.Parse([]byte(document), "")
	if err != nil {
		t.Fatal(err)
	}
	s := &shop{t, d, record.New(d, new(version.Cache)), start}
	t.Cleanup(s.r.Close)
	err = d.Write(t.Context(), func(tx *db.Tx) error {
		_, err := version.Publish(t.Context(), tx, version.PublishInput{Program: "friends", Document: doc, By: "test", Now: s.now})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *shop) record(req record.Request) (*record.Result, error) {
	s.now = s.now.Add(time.Minute)
	req.Program, req.Now = "friends", s.now
	return s.r.Record(s.t.Context(), req)
}

func (s *shop) must(req record.Request) *record.Result {
	s.t.Helper()
	r, err := s.record(req)
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

func (s *shop) enrol(email, by string) *record.Result {
	s.t.Helper()
	f := engine.Fact{Kind: engine.Enrolment}
	if by != "" {
		f.Enrolment = &engine.EnrolmentBody{Invited: &engine.Invitation{By: by}}
	}
	return s.must(record.Request{Fact: f, Enrol: &member.New{Profile: member.Profile{Email: email}}})
}

func (s *shop) buy(who string, kroner int64) *record.Result {
	s.t.Helper()
	amount := money.New(kroner, 0)
	return s.must(record.Request{Member: who, Fact: engine.Fact{Kind: engine.PurchaseK, Purchase: &engine.Purchase{Amount: &amount}}})
}

// follow does all there is to do and gives how many facts that made.
func (s *shop) follow() int64 {
	s.t.Helper()
	before := s.thanks()
	if err := CatchUp(s.t.Context(), s.d, s.r, "friends", s.now); err != nil {
		s.t.Fatal(err)
	}
	return s.thanks() - before
}

func (s *shop) thanks() (n int64) {
	s.t.Helper()
	err := s.d.Read(s.t.Context(), func(tx *db.Tx) error {
		return tx.QueryRow(s.t.Context(), "SELECT COUNT(*) FROM facts WHERE kind = 'thanks'").Scan(&n)
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

func (s *shop) has(who string, want int64) {
	s.t.Helper()
	acc, _, err := s.r.ViewLots(s.t.Context(), "friends", who, s.now)
	if err != nil {
		s.t.Fatal(err)
	}
	have := int64(0)
	if h := acc.State.Units["star"]; h != nil {
		have = h.Balance()
	}
	if have != want {
		s.t.Errorf("%s has %d, want %d", who, have, want)
	}
}

func (s *shop) proved() {
	s.t.Helper()
	report, err := verify.Run(s.t.Context(), s.d, s.r.Versions(), "friends", verify.Options{})
	if err == nil {
		err = report.Err()
	}
	if err != nil {
		s.t.Error(err)
	}
}

// Killed after what follows was recorded and before its place was moved, it comes again and finds its own facts.
func TestWhatFollowsIsRecordedOnceWhereverItStops(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		kari := s.enrol("kari@example.org", "").Fact.Member
		ola := s.enrol("ola@example.org", kari).Fact.Member
		s.buy(ola, 120)
		if n := s.follow(); n != 1 { // that he joined
			t.Errorf("%d facts followed", n)
		}
		s.has(ola, 0)
		order := s.buy(ola, 260)
		s.has(ola, 50)
		s.has(kari, 0)
		if n := s.follow(); n != 1 {
			t.Errorf("%d facts followed", n)
		}
		s.has(kari, 50)
		s.lose()
		if n := s.follow(); n != 0 {
			t.Errorf("%d facts followed again", n)
		}
		s.has(kari, 50)
		s.must(record.Request{Member: ola, Fact: engine.Fact{Kind: engine.ReturnK, Parent: order.Fact.ID}})
		s.lose() // all of it in one page: what is taken back with what was given before
		s.follow()
		s.has(kari, 0)
		s.has(ola, 0)
		s.proved()
	})
}

// lose sets the place back to the beginning.
func (s *shop) lose() {
	s.t.Helper()
	err := s.d.Write(s.t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(s.t.Context(), "DELETE FROM errand_places")
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

func TestManyMayFollowAtOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		kari := s.enrol("kari@example.org", "").Fact.Member
		for _, name := range []string{"a", "b", "c", "d", "e"} {
			s.buy(s.enrol(name+"@example.org", kari).Fact.Member, 300)
		}
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				if err := CatchUp(context.WithoutCancel(t.Context()), d, s.r, "friends", s.now); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		s.has(kari, 250)
		s.proved()
	})
}

// Nobody is thanked for bringing themselves, or somebody who is there already.
func TestTheSamePersonIsNoFriend(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		kari := s.enrol("kari.nordmann@gmail.com", "").Fact.Member
		s.enrol("ola@example.org", "")
		for email, why := range map[string]string{"karinordmann+2@gmail.com": engine.RefusedPerson, "ola+x@example.org": engine.RefusedKnown} {
			r := s.enrol(email, kari)
			if got := r.Fact.Enrolment.Invited.Refused; got != why {
				t.Errorf("%s was refused as %q, want %q", email, got, why)
			}
			s.buy(r.Fact.Member, 500)
			s.has(r.Fact.Member, 0)
		}
		// Looks like the one who invited only since the profile was changed: the friend keeps what was given, and nothing follows.
		friend := s.enrol("siri@example.org", kari).Fact.Member
		alias := "k.ari.nordmann@googlemail.com"
		s.must(record.Request{Member: friend, Fact: engine.Fact{Kind: engine.ProfileK}, Patch: &member.Patch{Email: &alias}})
		s.buy(friend, 500)
		s.follow()
		s.has(friend, 50)
		s.has(kari, 0)
		s.proved()
	})
}

func TestInvitationsThatCannotBe(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		kari := s.enrol("kari@example.org", "").Fact.Member
		unknown := record.Request{Fact: engine.Fact{Kind: engine.Enrolment, Enrolment: &engine.EnrolmentBody{Invited: &engine.Invitation{By: "card:9999"}}},
			Enrol: &member.New{Profile: member.Profile{Email: "x@example.org"}}}
		if _, err := s.record(unknown); !errs.Is(err, errs.CodeInvalid, "unknown_invitation") {
			t.Errorf("somebody unknown invited: %v", err)
		}
		s.enrol("x@example.org", kari) // the refused one left nothing
		amount := money.New(5, 0)
		reserved := engine.Fact{Kind: engine.PurchaseK, Source: engine.FollowUpSource, ExternalID: "referral/x", Purchase: &engine.Purchase{Amount: &amount}}
		if _, err := s.record(record.Request{Member: kari, Fact: reserved}); err == nil || !strings.Contains(err.Error(), "natural key") {
			t.Errorf("somebody else took a natural key of what follows: %v", err)
		}
		s.proved()
	})
}
