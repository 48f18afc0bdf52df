package webhook

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/job"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// post is a database with a program that has one endpoint.
type post struct {
	t   *testing.T
	d   *db.DB
	e   *Endpoint
	sec string
}

func each(t *testing.T, body func(t *testing.T, p *post)) {
	t.Helper()
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		p := &post{t: t, d: d}
		p.write(func(tx *db.Tx) error {
			_, err := tx.Exec(t.Context(), `INSERT INTO programs (program_id, created_at) VALUES ('shop', 0)`)
			return err
		})
		p.e, p.sec = p.create(Settings{})
		body(t, p)
	})
}

func (p *post) write(fn func(*db.Tx) error) {
	p.t.Helper()
	if err := p.d.Write(context.WithoutCancel(p.t.Context()), fn); err != nil {
		p.t.Fatal(err)
	}
}

func (p *post) create(s Settings) (e *Endpoint, secret string) {
	p.t.Helper()
	if s.URL == nil {
		s.URL = new("https://example.com/hook")
	}
	p.write(func(tx *db.Tx) (err error) {
		e, secret, err = Create(p.t.Context(), tx, New{Program: "shop", Settings: s, Now: noon})
		return err
	})
	return e, secret
}

// deliver makes deliveries of events a, b, c … by moving the place to the given stamp.
func (p *post) deliver(stamp int64, events ...string) {
	p.t.Helper()
	from := p.place().At
	p.write(func(tx *db.Tx) error {
		return Advance(p.t.Context(), tx, p.e.Ref(), from, books.Cursor{Stamp: from.Stamp + stamp, N: 1}, letters(events...), noon)
	})
}

func letters(events ...string) (out []*Delivery) {
	for _, id := range events {
		out = append(out, &Delivery{Event: id, Type: "points.earned", Body: `{"id":"` + id + `"}`})
	}
	return out
}

func (p *post) place() (at Place) {
	p.t.Helper()
	p.write(func(tx *db.Tx) (err error) {
		at, err = PlaceOf(p.t.Context(), tx, p.e.Ref())
		return err
	})
	return at
}

func (p *post) due(now time.Time) (list []*Delivery, next *time.Time) {
	p.t.Helper()
	p.write(func(tx *db.Tx) (err error) {
		list, next, err = Due(p.t.Context(), tx, p.e.Ref(), now, 100)
		return err
	})
	return list, next
}

func (p *post) list(status DeliveryStatus, before string, limit int) (out []string) {
	p.t.Helper()
	p.write(func(tx *db.Tx) error {
		list, err := Deliveries(p.t.Context(), tx, p.e.Ref(), status, before, limit)
		out = []string{}
		for _, d := range list {
			out = append(out, d.Event)
		}
		return err
	})
	return out
}

func (p *post) get(event string) (d *Delivery) {
	p.t.Helper()
	p.write(func(tx *db.Tx) (err error) {
		d, err = GetDelivery(p.t.Context(), tx, p.e.Ref(), event)
		return err
	})
	return d
}

// settle writes down that all that is due came to the same end.
func (p *post) settle(now time.Time, status DeliveryStatus, a Attempt) {
	p.t.Helper()
	list, _ := p.due(now)
	p.write(func(tx *db.Tx) error {
		var out []Outcome
		for _, d := range list {
			out = append(out, Outcome{Delivery: d, Attempt: a, Status: status, Again: now.Add(time.Hour)})
		}
		return Settle(p.t.Context(), tx, p.e.Ref(), out, now)
	})
}

func TestASettingThatCannotBeSaysWhy(t *testing.T) {
	each(t, func(t *testing.T, p *post) {
		for name, c := range map[string]struct {
			s       Settings
			pointer string
		}{
			"no address":               {Settings{URL: new(" ")}, "/url"},
			"no host":                  {Settings{URL: new("https:///x")}, "/url"},
			"another scheme":           {Settings{URL: new("ftp://example.com")}, "/url"},
			"not an address":           {Settings{URL: new("https://exa mple")}, "/url"},
			"a password":               {Settings{URL: new("https://me:secret@example.com/")}, "/url"},
			"a fragment":               {Settings{URL: new("https://example.com/#x")}, "/url"},
			"a long address":           {Settings{URL: new("https://example.com/" + strings.Repeat("x", 2000))}, "/url"},
			"an unknown type":          {Settings{Types: &[]string{"points.earned", "points.lost"}}, "/types/1"},
			"a star in the middle":     {Settings{Types: &[]string{"po*"}}, "/types/0"},
			"a beginning of nothing":   {Settings{Types: &[]string{"pints.*"}}, "/types/0"},
			"an unknown payload":       {Settings{Payload: new(Payload("fat"))}, "/payload"},
			"an unknown format":        {Settings{Format: new(Format("xml"))}, "/format"},
			"nothing at once":          {Settings{Concurrency: new(0)}, "/concurrency"},
			"too much at once":         {Settings{Concurrency: new(65)}, "/concurrency"},
			"less than none a second":  {Settings{PerSecond: new(-1)}, "/per_second"},
			"a novel as a description": {Settings{Description: new(strings.Repeat("ø", 501))}, "/description"},
		} {
			if c.s.URL == nil {
				c.s.URL = new("https://example.com/hook")
			}
			err := p.d.Write(t.Context(), func(tx *db.Tx) error {
				_, _, err := Create(t.Context(), tx, New{Program: "shop", Settings: c.s, Now: noon})
				return err
			})
			if !errs.Is(err, errs.CodeInvalid, "invalid_webhook") || len(errs.As(err).Fields) != 1 || errs.As(err).Fields[0].Pointer != c.pointer {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, secret := range []string{"whsec_", "whsec_c2hvcnQ=", "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0", "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 65)), "whsec_?"} {
			err := p.d.Write(t.Context(), func(tx *db.Tx) error {
				_, _, err := Create(t.Context(), tx, New{Program: "shop", Settings: Settings{URL: new("x")}, Secret: secret, Now: noon})
				return err
			})
			if !errs.Is(err, errs.CodeInvalid, "invalid_webhook") || len(errs.As(err).Fields) != 2 || errs.As(err).Fields[1].Pointer != "/secret" {
				t.Errorf("%q: %v", secret, err)
			}
		}
	})
}

func TestAnEndpointIsKeptAsItWasMadeAndChanged(t *testing.T) {
	each(t, func(t *testing.T, p *post) {
		made, _ := p.create(Settings{
			URL: new("https://example.com/other"), Description: new("  The shop "), Types: &[]string{"tier.up", "points.*", "tier.up"},
			Payload: new(Full), Format: new(CloudEvents), Concurrency: new(3), PerSecond: new(50),
		})
		var read, changed *Endpoint
		var all []*Endpoint
		p.write(func(tx *db.Tx) (err error) {
			if read, err = Get(t.Context(), tx, "shop", made.ID); err != nil {
				return err
			}
			if changed, err = Change(t.Context(), tx, "shop", made.ID, Settings{Description: new("Ours")}, 0, noon.Add(time.Hour)); err != nil {
				return err
			}
			all, err = List(t.Context(), tx, "shop")
			return err
		})
		if d := cmp.Diff(made, read); d != "" {
			t.Error(d)
		}
		if made.Description != "The shop" || !slices.Equal(made.Types, []string{"points.*", "tier.up"}) || made.Host() != "example.com" {
			t.Errorf("%+v", made)
		}
		if changed.Description != "Ours" || changed.URL != made.URL || changed.Revision != 2 || !changed.UpdatedAt.Equal(noon.Add(time.Hour)) {
			t.Errorf("%+v", changed)
		}
		if d := cmp.Diff([]*Endpoint{p.e, changed}, all); d != "" {
			t.Error(d)
		}
		for typ, want := range map[string]bool{"points.earned": true, "tier.up": true, "tier.down": false, EvTest: false} {
			if changed.Wants(typ) != want || !p.e.Wants(typ) {
				t.Errorf("%s: %v", typ, !want)
			}
		}
		err := p.d.Write(t.Context(), func(tx *db.Tx) error {
			_, err := Change(t.Context(), tx, "shop", made.ID, Settings{}, 1, noon)
			return err
		})
		if !errs.Is(err, errs.CodeConflict, "changed_meanwhile") {
			t.Error(err)
		}
		for _, other := range []string{"whk_unknown", p.e.ID + "x"} {
			err := p.d.Read(t.Context(), func(tx *db.Tx) error {
				_, err := Get(t.Context(), tx, "shop", other)
				return err
			})
			if !errs.Is(err, errs.CodeNotFound, "webhook_not_found") {
				t.Error(err)
			}
		}
		err = p.d.Read(t.Context(), func(tx *db.Tx) error {
			_, err := Get(t.Context(), tx, "other", p.e.ID)
			return err
		})
		if !errs.Is(err, errs.CodeNotFound, "webhook_not_found") {
			t.Errorf("another program's: %v", err)
		}
	})
}

// verified says whether the reference library of Standard Webhooks takes a message that we signed.
func verified(t *testing.T, secret, signature, body string) bool {
	t.Helper()
	wh, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	h.Set(HeaderID, "evt_1")
	h.Set(HeaderTimestamp, fmt.Sprint(noon.Unix()))
	h.Set(HeaderSignature, signature)
	return wh.VerifyIgnoringTimestamp([]byte(body), h) == nil
}

func TestTheReferenceLibraryVerifiesOurSignature(t *testing.T) {
	t.Parallel()
	old, secret := newSecret(), newSecret()
	body := `{"type":"points.earned","timestamp":"2026-11-22T12:00:00Z","data":{"name":"Åse <kaffe>"}}`
	signature, err := Sign([]string{secret, old}, "evt_1", noon, body)
	if err != nil {
		t.Fatal(err)
	}
	if !verified(t, secret, signature, body) || !verified(t, old, signature, body) {
		t.Errorf("%s is not taken", signature)
	}
	if verified(t, newSecret(), signature, body) || verified(t, secret, signature, body+" ") {
		t.Error("a wrong one is taken")
	}
	// The example of the specification's own test vectors, by the reference library's key.
	const key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	wh, err := standardwebhooks.NewWebhook(key)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := wh.Sign("msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	ours, err2 := Sign([]string{key}, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), `{"test": 2432232314}`)
	if err != nil || err2 != nil || ours != theirs || ours != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" {
		t.Errorf("%s, %s: %v %v", ours, theirs, err, err2)
	}
}

func TestASecretIsRotatedWithAnOverlap(t *testing.T) {
	each(t, func(t *testing.T, p *post) {
		signing := func(now time.Time) (out []string) {
			p.write(func(tx *db.Tx) (err error) {
				out, err = Secrets(t.Context(), tx, p.e.Ref(), now)
				return err
			})
			return out
		}
		rotate := func(given string, overlap time.Duration, now time.Time) (secret string) {
			p.write(func(tx *db.Tx) (err error) {
				_, secret, err = Rotate(t.Context(), tx, "shop", p.e.ID, given, overlap, now)
				return err
			})
			return secret
		}
		if got := signing(noon); !slices.Equal(got, []string{p.sec}) || checkSecret(p.sec) != "" {
			t.Errorf("%v, shown %s", got, p.sec)
		}
		second := rotate("", time.Hour, noon.Add(time.Minute))
		if got := signing(noon.Add(2 * time.Minute)); !slices.Equal(got, []string{second, p.sec}) {
			t.Errorf("%v", got)
		}
		if got := signing(noon.Add(2 * time.Hour)); !slices.Equal(got, []string{second}) {
			t.Errorf("after the overlap: %v", got)
		}
		mine := secretPrefix + base64.StdEncoding.EncodeToString([]byte("a secret that both know already"))
		if third := rotate(mine, time.Hour, noon.Add(3*time.Minute)); third != mine {
			t.Error(third)
		}
		if got := signing(noon.Add(4 * time.Minute)); !slices.Equal(got, []string{mine, second}) {
			t.Errorf("at most two sign: %v", got)
		}
		last := rotate("", 0, noon.Add(5*time.Minute))
		if got := signing(noon.Add(5 * time.Minute)); !slices.Equal(got, []string{last}) {
			t.Errorf("without an overlap: %v", got)
		}
		for _, overlap := range []time.Duration{-1, 91 * 24 * time.Hour} {
			err := p.d.Write(t.Context(), func(tx *db.Tx) error {
				_, _, err := Rotate(t.Context(), tx, "shop", p.e.ID, "", overlap, noon)
				return err
			})
			if !errs.Is(err, errs.CodeInvalid, "invalid_overlap") {
				t.Error(err)
			}
		}
	})
}

func TestDeliveriesAreMadeOnceHoweverManyNodesMakeThem(t *testing.T) {
	each(t, func(t *testing.T, p *post) {
		from := p.place().At
		to := books.Cursor{Stamp: from.Stamp + 5, N: 3}
		const nodes = 6
		var wg sync.WaitGroup
		results := make([]error, nodes)
		for i := range nodes {
			wg.Go(func() {
				results[i] = p.d.Write(context.Background(), func(tx *db.Tx) error {
					return Advance(context.Background(), tx, p.e.Ref(), from, to, letters(fmt.Sprint("by", i), "evt_b"), noon)
				})
			})
		}
		wg.Wait()
		won := 0
		for _, err := range results {
			switch {
			case err == nil:
				won++
			case !IsMoved(err):
				t.Error(err)
			}
		}
		if list := p.list("", "", 100); won != 1 || len(list) != 2 {
			t.Errorf("%d nodes made %v", won, list)
		}
		if at := p.place().At; at != to {
			t.Errorf("%+v", at)
		}
	})
}

func TestADeliveryGoesFromPendingToItsEnd(t *testing.T) {
	each(t, func(t *testing.T, p *post) {
		p.deliver(1, "evt_a", "evt_b")
		if list, next := p.due(noon.Add(-time.Second)); len(list) != 0 || next == nil || !next.Equal(noon) {
			t.Errorf("%v %v", list, next)
		}
		failed := Attempt{At: noon, Status: 500, Milliseconds: 12, Error: "answered 500", Answer: "oops"}
		p.settle(noon, Pending, failed)
		if list, next := p.due(noon); len(list) != 0 || next == nil || !next.Equal(noon.Add(time.Hour)) {
			t.Errorf("%v %v", list, next)
		}
		later := noon.Add(time.Hour)
		slow, _ := p.due(later) // as a node reads them that will be slow
		taken := Attempt{At: later, Status: 204, Milliseconds: 3}
		p.settle(later, Delivered, taken)
		d := p.get("evt_a")
		if d.Status != Delivered || d.Attempts != 2 || d.DueAt != nil || !d.DoneAt.Equal(later) || d.Body != `{"id":"evt_a"}` {
			t.Errorf("%+v", d)
		}
		if diff := cmp.Diff([]Attempt{failed, taken}, d.Log); diff != "" {
			t.Error(diff)
		}
		p.write(func(tx *db.Tx) error {
			return Settle(t.Context(), tx, p.e.Ref(), []Outcome{{Delivery: slow[0], Attempt: failed, Status: Dead}}, later)
		})
		if again := p.get("evt_a"); again.Status != Delivered || again.Attempts != 2 {
			t.Errorf("a node that came too late undid it: %+v", again)
		}
		if b, c := p.list(Delivered, "", 10), p.list(Pending, "", 10); len(b) != 2 || len(c) != 0 {
			t.Errorf("%v %v", b, c)
		}
	})
}

func TestDeadLettersAreListedAndReplayed(t *testing.T) {
	each(t, func(t *testing.T, p *post) {
		p.deliver(1, "evt_a", "evt_b", "evt_c")
		p.settle(noon, Dead, Attempt{At: noon, Error: "answered 500"})
		p.deliver(2, "evt_d")
		if got := p.list(Dead, "", 2); !slices.Equal(got, []string{"evt_c", "evt_b"}) {
			t.Errorf("%v", got)
		}
		if got := p.list(Dead, "evt_b", 2); !slices.Equal(got, []string{"evt_a"}) {
			t.Errorf("%v", got)
		}
		if got := p.list("", "evt_c", 1); !slices.Equal(got, []string{"evt_b"}) {
			t.Errorf("%v", got)
		}
		var backlog Backlog
		p.write(func(tx *db.Tx) (err error) {
			backlog, err = BacklogOf(t.Context(), tx, p.e.Ref())
			if err != nil {
				return err
			}
			whole, err := WholeBacklog(t.Context(), tx)
			if diff := cmp.Diff(backlog, whole); diff != "" {
				t.Error(diff)
			}
			return err
		})
		if backlog.Pending != 1 || backlog.Dead != 3 || !backlog.Oldest.Equal(noon) {
			t.Errorf("%+v", backlog)
		}
		later := noon.Add(time.Hour)
		p.write(func(tx *db.Tx) error {
			d, err := ReplayOne(t.Context(), tx, "shop", p.e.ID, "evt_b", later)
			if err == nil && (d.Status != Pending || !d.DueAt.Equal(later) || d.Attempts != 0 || len(d.Log) != 1) {
				t.Errorf("%+v", d)
			}
			return err
		})
		p.write(func(tx *db.Tx) error {
			n, err := ReplayDead(t.Context(), tx, "shop", p.e.ID, later)
			if n != 2 {
				t.Errorf("%d were replayed", n)
			}
			return err
		})
		if list, _ := p.due(later); len(list) != 4 {
			t.Errorf("%d are due", len(list))
		}
		for _, replay := range []func(*db.Tx) error{
			func(tx *db.Tx) error {
				_, err := ReplayOne(t.Context(), tx, "shop", p.e.ID, "evt_x", later)
				return err
			},
			func(tx *db.Tx) error { _, err := GetDelivery(t.Context(), tx, p.e.Ref(), "evt_x"); return err },
		} {
			if err := p.d.Write(t.Context(), replay); !errs.Is(err, errs.CodeNotFound, "delivery_not_found") {
				t.Error(err)
			}
		}
		err := p.d.Read(t.Context(), func(tx *db.Tx) error {
			_, err := Deliveries(t.Context(), tx, p.e.Ref(), "lost", "", 1)
			return err
		})
		if !errs.Is(err, errs.CodeMalformed, "invalid_parameter") {
			t.Error(err)
		}
	})
}

func TestADisabledEndpointWaitsAndGoesOnOrPassesOver(t *testing.T) {
	each(t, func(t *testing.T, p *post) {
		p.deliver(1, "evt_a")
		disable := func() (changed bool) {
			p.write(func(tx *db.Tx) (err error) {
				p.e, changed, err = Disable(t.Context(), tx, "shop", p.e.ID, Gone, noon)
				return err
			})
			return changed
		}
		enable := func(skip bool) {
			p.write(func(tx *db.Tx) (err error) {
				p.e, err = Enable(t.Context(), tx, "shop", p.e.ID, skip, noon)
				return err
			})
		}
		p.write(func(tx *db.Tx) error { return Fails(t.Context(), tx, p.e.Ref(), noon) })
		if !disable() || disable() {
			t.Error("an endpoint is disabled once")
		}
		if p.e.Status != Disabled || p.e.Reason != Gone || !p.e.DisabledAt.Equal(noon) {
			t.Errorf("%+v", p.e)
		}
		for what, verb := range map[string]func(*db.Tx) error{
			"test":   func(tx *db.Tx) error { _, err := Test(t.Context(), tx, "shop", p.e.ID, noon); return err },
			"dead":   func(tx *db.Tx) error { _, err := ReplayDead(t.Context(), tx, "shop", p.e.ID, noon); return err },
			"since":  func(tx *db.Tx) error { _, err := ReplaySince(t.Context(), tx, "shop", p.e.ID, noon, noon); return err },
			"replay": func(tx *db.Tx) error { _, err := ReplayOne(t.Context(), tx, "shop", p.e.ID, "evt_a", noon); return err },
		} {
			if err := p.d.Write(t.Context(), verb); !errs.Is(err, errs.CodeConflict, "webhook_disabled") {
				t.Errorf("%s: %v", what, err)
			}
		}
		before := p.place().At
		enable(false)
		if at := p.place(); p.e.Status != Active || p.e.Reason != "" || p.e.DisabledAt != nil || at.At != before || at.FailingSince != nil {
			t.Errorf("%+v, %+v", p.e, at)
		}
		if got := p.list(Pending, "", 9); len(got) != 1 {
			t.Errorf("%v", got)
		}
		disable()
		enable(true)
		if at := p.place().At; at == before {
			t.Error("it did not pass over what it missed")
		}
		if got := p.list(Dead, "", 9); len(got) != 1 {
			t.Errorf("%v", got)
		}
	})
}

func TestARemovedEndpointIsClearedWithAllThatItHad(t *testing.T) {
	each(t, func(t *testing.T, p *post) {
		other, _ := p.create(Settings{})
		p.deliver(1, "evt_a", "evt_b", "evt_c")
		p.write(func(tx *db.Tx) error {
			_, err := Remove(t.Context(), tx, "shop", p.e.ID, noon)
			return err
		})
		err := p.d.Read(t.Context(), func(tx *db.Tx) error {
			_, err := Get(t.Context(), tx, "shop", p.e.ID)
			return err
		})
		if !errs.Is(err, errs.CodeNotFound, "webhook_not_found") {
			t.Error(err)
		}
		var removed *Endpoint
		p.write(func(tx *db.Tx) (err error) {
			removed, err = Load(t.Context(), tx, p.e.Ref())
			return err
		})
		if !removed.Removed() {
			t.Errorf("%+v", removed)
		}
		for _, want := range []bool{false, true} {
			p.write(func(tx *db.Tx) error {
				done, err := Clear(t.Context(), tx, p.e.Ref(), 2)
				if done != want {
					t.Errorf("done: %v", done)
				}
				return err
			})
		}
		for _, table := range []string{"webhooks", "webhook_places", "webhook_secrets", "deliveries"} {
			want := 1 // that of the other
			if table == "deliveries" {
				want = 0
			}
			var n int
			p.write(func(tx *db.Tx) error { return tx.QueryRow(t.Context(), `SELECT COUNT(*) FROM `+table).Scan(&n) })
			if n != want {
				t.Errorf("%d rows are left in %s", n, table)
			}
		}
		p.write(func(tx *db.Tx) error {
			_, err := Get(t.Context(), tx, "shop", other.ID)
			return err
		})
	})
}

func TestOldDeliveriesAreForgottenAndWhatWaitsIsNot(t *testing.T) {
	each(t, func(t *testing.T, p *post) {
		p.deliver(1, "evt_a")
		p.settle(noon, Delivered, Attempt{At: noon, Status: 200})
		p.deliver(1, "evt_b")
		p.settle(noon, Dead, Attempt{At: noon, Error: "answered 500"})
		p.deliver(1, "evt_c")
		for _, c := range []struct {
			after time.Duration
			want  []string
		}{{KeepDelivered, []string{"evt_c", "evt_b", "evt_a"}}, {KeepDelivered + time.Second, []string{"evt_c", "evt_b"}}, {KeepDead + time.Second, []string{"evt_c"}}, {10 * KeepDead, []string{"evt_c"}}} {
			p.write(func(tx *db.Tx) error {
				_, err := Forget(t.Context(), tx, noon.Add(c.after), 10)
				return err
			})
			if got := p.list("", "", 9); !slices.Equal(got, c.want) {
				t.Errorf("after %s: %v", c.after, got)
			}
		}
	})
}

func TestWhatAWrongClockPutOffIsBroughtNearer(t *testing.T) {
	each(t, func(t *testing.T, p *post) {
		p.deliver(1, "evt_a")
		p.settle(noon, Pending, Attempt{At: noon, Error: "answered 500"}) // an hour away
		for _, c := range []struct {
			furthest time.Duration
			want     time.Time
		}{{2 * time.Hour, noon.Add(time.Hour)}, {time.Minute, noon}} {
			p.write(func(tx *db.Tx) error { return Nearer(t.Context(), tx, p.e.Ref(), noon, c.furthest) })
			if got := p.get("evt_a"); !got.DueAt.Equal(c.want) {
				t.Errorf("%s: %s", c.furthest, got.DueAt)
			}
		}
	})
}

func TestOwnEventsAreSentAndLookLikeThoseOfTheFeed(t *testing.T) {
	each(t, func(t *testing.T, p *post) {
		deaf, _ := p.create(Settings{Types: &[]string{"points.*"}})
		cloud, _ := p.create(Settings{Types: &[]string{EvDisabled}, Format: new(CloudEvents)})
		var test *Delivery
		p.write(func(tx *db.Tx) (err error) {
			test, err = Test(t.Context(), tx, "shop", deaf.ID, noon) // it wants no such events, and gets the test
			return err
		})
		var body struct {
			Type      string    `json:"type"`
			Timestamp time.Time `json:"timestamp"`
			Data      OwnEvent  `json:"data"`
		}
		if err := json.Unmarshal([]byte(test.Body), &body); err != nil {
			t.Fatal(err)
		}
		want := OwnEvent{ID: test.Event, Type: EvTest, OccurredAt: noon, RecordedAt: noon, Data: map[string]string{"webhook": deaf.ID}}
		if diff := cmp.Diff(want, body.Data); diff != "" || body.Type != EvTest || !body.Timestamp.Equal(noon) || test.Status != Pending {
			t.Errorf("%s\n%s", test.Body, diff)
		}
		p.write(func(tx *db.Tx) error {
			gone, _, err := Disable(t.Context(), tx, "shop", p.e.ID, Failing, noon)
			if err != nil {
				return err
			}
			return TellDisabled(t.Context(), tx, gone, noon)
		})
		p.e = cloud
		told := p.list(Pending, "", 9)
		if len(told) != 1 {
			t.Fatalf("%v", told)
		}
		var event map[string]any
		if err := json.Unmarshal([]byte(p.get(told[0]).Body), &event); err != nil {
			t.Fatal(err)
		}
		if event["specversion"] != "1.0" || event["id"] != told[0] || event["source"] != "/programs/shop" || event["type"] != "dev.lojal.webhook.disabled" || event["time"] != "2026-11-22T12:00:00Z" {
			t.Errorf("%v", event)
		}
		p.e = deaf
		if got := p.list(Pending, "", 9); len(got) != 1 {
			t.Errorf("%v", got)
		}
	})
}

func TestEveryEndpointHasAJobThatIsAskedFor(t *testing.T) {
	each(t, func(t *testing.T, p *post) {
		p.write(func(tx *db.Tx) error {
			j, err := job.Find(t.Context(), tx, JobKind, p.e.ID)
			if err == nil && (j.State != job.Available || j.Args != `{"program":"shop","id":"`+p.e.ID+`"}`) {
				t.Errorf("%+v", j)
			}
			return err
		})
		var all []*Endpoint
		p.write(func(tx *db.Tx) (err error) {
			if _, _, err = Disable(t.Context(), tx, "shop", p.e.ID, ByHand, noon); err == nil {
				all, err = Attended(t.Context(), tx)
			}
			return err
		})
		if len(all) != 0 {
			t.Errorf("%+v", all)
		}
	})
}

func TestARepeatedReplayTakesWhatIsDoneAndLeavesWhatWaits(t *testing.T) {
	each(t, func(t *testing.T, p *post) {
		p.deliver(1, "evt_a")
		p.settle(noon, Delivered, Attempt{At: noon, Status: 200})
		p.deliver(1, "evt_b")
		p.settle(noon, Pending, Attempt{At: noon, Error: "answered 500"})
		later := noon.Add(time.Minute)
		p.write(func(tx *db.Tx) error {
			_, err := ReplaySince(t.Context(), tx, "shop", p.e.ID, noon, later)
			return err
		})
		at := p.place()
		if at.Replay == nil || at.Replay.Until != at.At || !at.Replay.Since.Equal(noon) {
			t.Fatalf("%+v", at.Replay)
		}
		middle := books.Cursor{Stamp: at.Replay.At.Stamp + 1, N: 1}
		p.write(func(tx *db.Tx) error {
			return AdvanceReplay(t.Context(), tx, p.e.Ref(), at.Replay.At, &middle, letters("evt_a", "evt_b", "evt_c"), later)
		})
		for event, due := range map[string]time.Time{"evt_a": later, "evt_b": noon.Add(time.Hour), "evt_c": later} {
			if d := p.get(event); d.Status != Pending || !d.DueAt.Equal(due) {
				t.Errorf("%+v", d)
			}
		}
		err := p.d.Write(t.Context(), func(tx *db.Tx) error { return AdvanceReplay(t.Context(), tx, p.e.Ref(), at.Replay.At, nil, nil, later) })
		if !IsMoved(err) {
			t.Error(err)
		}
		p.write(func(tx *db.Tx) error { return AdvanceReplay(t.Context(), tx, p.e.Ref(), middle, nil, nil, later) })
		if now := p.place(); now.Replay != nil || now.At != at.At {
			t.Errorf("%+v", now)
		}
		err = p.d.Write(t.Context(), func(tx *db.Tx) error {
			_, err := ReplaySince(t.Context(), tx, "shop", p.e.ID, later.Add(time.Second), later)
			return err
		})
		if !errs.Is(err, errs.CodeInvalid, "invalid_since") {
			t.Error(err)
		}
	})
}
