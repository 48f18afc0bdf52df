package console

import (
	"net/http"

	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/page"
	"lojal.dev/lojal/internal/staff"
)

// away is the cookie in which a browser keeps what it needs to come back from a provider, and how many seconds it does.
const (
	away    = "lojal_away"
	awayFor = 600
)

func (v *visit) setAway(text string, seconds int) {
	//nolint:gosec // Secure wherever people come by https; Lax, as people come back from another site
	http.SetCookie(v.w, &http.Cookie{Name: v.hosted(away), Value: text, Path: "/", HttpOnly: true, Secure: v.c.secure, SameSite: http.SameSiteLaxMode, MaxAge: seconds})
}

func (c *Console) provider(v *visit) (*staff.Provider, error) {
	if c.Provider == nil {
		return nil, errs.NotFound("no_page", v.T("no_page"))
	}
	return c.Provider, nil
}

// leave sends somebody to the provider: from a link, as browsers let no form of these pages end elsewhere.
func (c *Console) leave(v *visit) error {
	if err := c.mayTry(v); err != nil {
		return err
	}
	p, err := c.provider(v)
	if err != nil {
		return err
	}
	address, e, err := p.Begin(v.r.Context(), next(v.r.URL.Query().Get("next")))
	if err != nil {
		return err
	}
	text, err := e.Text()
	if err != nil {
		return err
	}
	v.setAway(text, awayFor)
	return v.to(address)
}

// comeBack takes somebody who comes from the provider.
func (c *Console) comeBack(v *visit) error {
	if err := c.mayTry(v); err != nil {
		return err
	}
	p, err := c.provider(v)
	if err != nil {
		return err
	}
	var e staff.Errand
	if kept, err := v.r.Cookie(v.hosted(away)); err == nil {
		e = staff.ReadErrand(kept.Value)
	}
	v.setAway("", -1)
	token, err := p.End(v.r.Context(), c.DB, e, v.r.URL.Query(), v.token, v.client(), v.now)
	if err != nil {
		f := page.NewForm("next", e.Next)
		return v.again(f, err, func(status int) error { return v.showAs(status, signInPage(v, f)) })
	}
	v.enterAs(token)
	return v.to(next(e.Next))
}
