package errand

import (
	"log/slog"
	"testing"
	"time"

	"lojal.dev/lojal/internal/claim"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/member"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/record"
)

func (s *shop) write(query string, args ...any) {
	s.t.Helper()
	err := s.d.Write(s.t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(s.t.Context(), query, args...)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *shop) stands() (at Standing) {
	s.t.Helper()
	err := s.d.Read(s.t.Context(), func(tx *db.Tx) (err error) {
		at, err = StandingOf(s.t.Context(), tx, "friends", s.now)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return at
}

// tried is how often the one was tried that was tried most.
func (s *shop) tried() (n int) {
	s.t.Helper()
	err := s.d.Read(s.t.Context(), func(tx *db.Tx) error {
		list, err := List(s.t.Context(), tx, "friends", 100)
		for i := range list {
			n = max(n, list[i].Tries)
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

// An account that cannot be read held up all errands of all programs for good. What is for it waits, and so does what takes that back.
func TestWhatFailsKeepsNothingElseFromBeingDone(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		kari, siri := s.enrol("kari@example.org", "").Fact.Member, s.enrol("siri@example.org", "").Fact.Member
		ola, per, liv := s.enrol("ola@example.org", kari).Fact.Member, s.enrol("per@example.org", siri).Fact.Member, s.enrol("liv@example.org", kari).Fact.Member
		s.follow()
		order := s.buy(ola, 260)
		s.buy(liv, 300)
		s.buy(per, 260)
		s.write("UPDATE accounts SET state = 'x' || state WHERE member_id = $1", kari)
		if err := CatchUp(t.Context(), d, s.r, "friends", s.now); err != nil {
			t.Fatal(err)
		}
		s.has(siri, 50)
		if at := s.stands(); at.Waits != 2 || at.Behind != 0 || at.Last == nil || at.Last.Message == "" {
			t.Errorf("it stands at %+v", at)
		}
		s.must(record.Request{Member: ola, Fact: engine.Fact{Kind: engine.ReturnK, Parent: order.Fact.ID}}) // to be taken back, before it was given
		s.follow()
		for _, want := range []int{2, 3} { // again and again, and no oftener than it is due
			for range 3 {
				s.follow()
			}
			if at := s.stands(); at.Waits != 3 || s.tried() != want {
				t.Errorf("it stands at %+v after %d tries, want %d", at, s.tried(), want)
			}
			s.now = s.now.Add(time.Minute)
		}
		s.write("UPDATE accounts SET state = substr(state, 2) WHERE member_id = $1", kari)
		s.now = s.now.Add(time.Hour)
		s.follow()
		s.has(kari, 50) // for Liv, and not for Ola
		if at := s.stands(); at.Waits != 0 || at.Refused != 0 {
			t.Errorf("it stands at %+v", at)
		}
		s.proved()
	})
}

func TestWhatWasRefusedIsListedForAWhile(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		kari := s.enrol("kari@example.org", "").Fact.Member
		ola := s.enrol("ola@example.org", kari).Fact.Member
		s.follow()
		s.must(record.Request{Member: kari, Fact: engine.Fact{Kind: engine.Status, Status: &engine.StatusBody{To: engine.Closed}}})
		order := s.buy(ola, 260)
		s.follow()
		at := s.stands()
		if at.Refused != 1 || at.Waits != 0 || at.Last.Member != kari || at.Last.Reason == "" || at.Last.Key != "referral/"+order.Fact.ID+"/qualified" {
			t.Fatalf("it stands at %+v, %+v", at, at.Last)
		}
		if err := Tend(t.Context(), d, s.now.AddDate(0, 0, 29)); err != nil || s.stands().Refused != 1 {
			t.Errorf("after 29 days there are %d, %v", s.stands().Refused, err)
		}
		if err := Tend(t.Context(), d, s.now.AddDate(0, 0, 31)); err != nil || s.stands().Refused != 0 {
			t.Errorf("after 31 days there are %d, %v", s.stands().Refused, err)
		}
		s.proved()
	})
}

// A program whose versions cannot be read keeps no other one waiting.
func TestOneProgramKeepsNoOtherWaiting(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		kari := s.enrol("kari@example.org", "").Fact.Member
		s.buy(s.enrol("ola@example.org", kari).Fact.Member, 260)
		s.write("INSERT INTO programs (program_id, created_at) VALUES ('aaa', 0)")
		s.write(`INSERT INTO errand_places (bucket, program_id, stamp, n) SELECT bucket + 1, 'aaa', stamp, n FROM errand_places`)
		if _, err := FollowAll(t.Context(), d, s.r, s.now, slog.New(slog.DiscardHandler)); err != nil {
			t.Errorf("a program without a version: %v", err)
		}
		s.write(`INSERT INTO versions (program_id, version, effective_from, published_at, document, hash) VALUES ('aaa', 1, 0, 0, 'x', '')`)
		if _, err := FollowAll(t.Context(), d, s.r, s.now, slog.New(slog.DiscardHandler)); err == nil {
			t.Error("nobody is told of a program that cannot be read")
		}
		s.follow()
		s.has(kari, 50)
	})
}

// A program without a referral has nothing to follow, until the first purchase waits for an identifier.
func TestWhatWaitsForACardIsFollowedOnceThereIsAny(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := openWith(t, d, `
program: friends
name: Friends
time_zone: Europe/Oslo
currency: NOK
units: {star: {name: star}}
identifiers: {wallet: {name: Wallet}}
earn: [{id: base, on: purchase, give: {unit: star, amount: 1, per: 10.00}}]
`)
		s.enrol("kari@example.org", "")
		log := slog.New(slog.DiscardHandler)
		if some, err := FollowAll(t.Context(), d, s.r, s.now, log); some || err != nil {
			t.Errorf("something is followed: %t, %v", some, err)
		}
		amount := money.New(250, 0)
		err := d.Write(t.Context(), func(tx *db.Tx) error {
			set, err := s.r.Versions().Get(t.Context(), tx, "friends")
			if err == nil {
				_, _, err = claim.Keep(t.Context(), tx, set.Latest(), set, claim.New{Source: "bank", ExternalID: "T1", Purchase: engine.Purchase{Amount: &amount}, Identifier: "wallet:tok_1", Now: s.now})
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		ola := s.must(record.Request{Fact: engine.Fact{Kind: engine.Enrolment}, Enrol: &member.New{Identifiers: []member.Identifier{{Kind: "wallet", Value: "tok_1"}}}}).Fact.Member
		s.has(ola, 0)
		for range 2 {
			if err := CatchUp(t.Context(), d, s.r, "friends", s.now); err != nil {
				t.Fatal(err)
			}
			s.has(ola, 25)
		}
		if some, err := FollowAll(t.Context(), d, s.r, s.now, log); !some || err != nil {
			t.Errorf("nothing is followed: %t, %v", some, err)
		}
		s.proved()
	})
}
