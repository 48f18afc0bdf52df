package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/oauth2-proxy/mockoidc"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/staff"
)

func TestSigningInAtTheOrganization(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		m, err := mockoidc.Run()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = m.Shutdown() })
		m.CodeChallengeMethodsSupported = []string{"S256"}
		p, err := staff.NewProvider(strings.Replace(m.Issuer(), "://", "://"+m.ClientID+":"+m.ClientSecret+"@", 1), "Entra", "https://lojal.example.no/console/oidc/back")
		if err != nil {
			t.Fatal(err)
		}
		h := newHouse(t, d, func(c *Config) { c.Provider = p })
		h.now = m.Now()
		program := h.program()
		_, _ = h.person(program, staff.Owner)
		h.get("/console/sign-in?next=/console/me").says(t, 200, "/console/oidc?next=%2Fconsole%2Fme")

		goes := func(email, next string) answer {
			m.QueueUser(&mockoidc.MockUser{Subject: email, Email: email, EmailVerified: true})
			away := h.get("/console/oidc?next=" + url.QueryEscape(next))
			to := away.Header.Get("Location")
			if away.StatusCode != http.StatusSeeOther || !strings.HasPrefix(to, m.AuthorizationEndpoint()+"?") {
				t.Fatalf("%d to %s", away.StatusCode, to)
			}
			res, err := h.c.Get(to)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			back, err := url.Parse(res.Header.Get("Location"))
			if err != nil || back.Path != "/console/oidc/back" {
				t.Fatal(back, err)
			}
			return h.get(back.RequestURI())
		}
		goes("nobody@example.no", "").says(t, http.StatusUnauthorized, "Nobody on the staff")
		goes("owner@example.no", "/console/me").leads(t, "/console/me")
		h.get("/console/me").says(t, 200, "owner@example.no")
		h.c = h.browser()
		goes("owner@example.no", "https://elsewhere.example").leads(t, "/console")
		h.c = h.browser()
		h.get("/console/oidc/back?code=x&state=").says(t, http.StatusUnauthorized, "did not come through")
	})
}
