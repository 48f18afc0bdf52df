package staff

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/oauth2-proxy/mockoidc"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
)

const back = "https://lojal.example.no/console/oidc/back"

// organization is a provider that lets everybody in whom the test names.
type organization struct {
	*mockoidc.MockOIDC
	p *Provider
}

func newOrganization(t *testing.T) organization {
	t.Helper()
	m, err := mockoidc.Run()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Shutdown() })
	m.CodeChallengeMethodsSupported = []string{"S256"}
	p, err := NewProvider(strings.Replace(m.Issuer(), "://", "://"+m.ClientID+":"+m.ClientSecret+"@", 1), "", back)
	if err != nil {
		t.Fatal(err)
	}
	return organization{m, p}
}

// goes has somebody sign in there, and gives what their browser keeps and what they come back with.
func (o organization) goes(t *testing.T, subject, email string, verified bool) (Errand, url.Values) {
	t.Helper()
	o.QueueUser(&mockoidc.MockUser{Subject: subject, Email: email, EmailVerified: verified})
	address, e, err := o.p.Begin(context.Background(), "/console/members")
	if err != nil {
		t.Fatal(err)
	}
	c := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := c.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	to, err := url.Parse(res.Header.Get("Location"))
	if err != nil || !strings.HasPrefix(to.String(), back) {
		t.Fatalf("%s %v", to, err)
	}
	return e, to.Query()
}

func TestAnOrganizationSaysWhoSomebodyIs(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		house(t, d)
		p := add(t, d, "kaffe", "kari@example.no", Owner)
		add(t, d, "kaffe", "ola@example.no", Owner)
		o := newOrganization(t)
		now := o.Now()
		end := func(e Errand, q url.Values) (string, error) { return o.p.End(ctx, d, e, q, "", here, now) }

		e, q := o.goes(t, "17", "Kari@Example.no", true)
		kept, err := e.Text()
		if err != nil {
			t.Fatal(err)
		}
		token, err := end(ReadErrand(kept), q)
		if err != nil {
			t.Fatal(err)
		}
		s, err := find(t, d, token, now)
		if err != nil || s.Staff != p.ID || s.Means != ByOIDC || s.Half {
			t.Fatalf("%+v %v", s, err)
		}
		_, err = end(e, q) // a code is good once
		reason(t, err, "provider_failed")

		e, q = o.goes(t, "17", "kari.hansen@example.no", false) // a new name there changes nothing here
		if token, err = end(e, q); err != nil {
			t.Fatal(err)
		}
		if s, err = find(t, d, token, now); err != nil || s.Staff != p.ID {
			t.Fatalf("%+v %v", s, err)
		}

		for _, c := range []struct {
			subject, email string
			verified       bool
			want           string
		}{
			{"18", "kari@example.no", true, "other_identity"}, // the address is another's now
			{"19", "ola@example.no", false, "address_unverified"},
			{"20", "nobody@example.no", true, "not_on_staff"},
			{"21", "", true, "address_unverified"},
		} {
			e, q := o.goes(t, c.subject, c.email, c.verified)
			_, err := end(e, q)
			reason(t, err, c.want)
		}

		e, q = o.goes(t, "17", "kari@example.no", true)
		other, _ := o.goes(t, "17", "kari@example.no", true)
		_, err = end(other, q) // somebody is sent the way back of another
		reason(t, err, "provider_failed")
		_, err = end(ReadErrand("x"), url.Values{"code": q["code"]})
		reason(t, err, "provider_failed")
		swapped := e
		swapped.Nonce = other.Nonce
		_, err = end(swapped, q)
		reason(t, err, "provider_failed")
		e, q = o.goes(t, "17", "kari@example.no", true)
		e.Verifier = other.Verifier
		_, err = end(e, q)
		reason(t, err, "provider_failed")
		_, err = end(e, url.Values{"state": {e.State}, "error": {"access_denied"}})
		reason(t, err, "provider_failed")

		write(t, d, func(tx *db.Tx) error { return Remove(ctx, tx, "kaffe", p.ID, "cli", now) })
		e, q = o.goes(t, "17", "kari@example.no", true)
		_, err = end(e, q)
		reason(t, err, "not_on_staff")
		again := add(t, d, "kaffe", "kari@example.no", Store)
		e, q = o.goes(t, "18", "kari@example.no", true)
		if token, err = end(e, q); err != nil {
			t.Fatal(err)
		}
		if s, err = find(t, d, token, now); err != nil || s.Staff != again.ID || s.Role != Store {
			t.Fatalf("%+v %v", s, err)
		}
	})
}

func TestAProviderIsAskedSafely(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "login.example.no", "https://login.example.no", "http://a:b@login.example.no", "https://a:b@", "https://a:b@x.example/?q=1", "ftp://a:b@x.example"} {
		_, err := NewProvider(bad, "", back)
		reason(t, err, "invalid_provider")
	}
	p, err := NewProvider("https://lojal:hemmelig@login.example.no/realms/kaffe", "", back)
	if err != nil || p.Name != "login.example.no" || p.issuer != "https://login.example.no/realms/kaffe" {
		t.Fatalf("%+v %v", p, err)
	}
	o := newOrganization(t)
	if err := o.Shutdown(); err != nil {
		t.Fatal(err)
	}
	_, _, err = o.p.Begin(ctx, "")
	reason(t, err, "provider_silent")
}
