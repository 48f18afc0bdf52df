package console

import (
	"net"
	"net/http"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/page"
	"lojal.dev/lojal/internal/staff"
	"lojal.dev/lojal/internal/web"
)

// keys takes passkeys at the address by which people came, nil where browsers know none: they want https, or a server on the same machine.
func (v *visit) keys() *staff.Keys {
	address := v.c.URL
	if address == "" {
		host := v.r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		if host != "localhost" {
			return nil
		}
		address = "http://" + v.r.Host
	}
	return staff.NewKeys(address, v.site())
}

func errNoPasskeys(v *visit) error { return errs.NotFound("no_passkeys", v.T("passkeys.none_here")) }

// answer writes what a script asked for.
func (v *visit) answer(out any) error {
	text, err := web.Marshal(out)
	if err != nil {
		return err //nolint:wrapcheck // says what it was
	}
	v.done = true
	v.w.Header().Set("Content-Type", "application/json")
	_, _ = v.w.Write(text)
	return nil
}

// askPasskey gives the page what to ask the device for.
func (c *Console) askPasskey(v *visit) error {
	if err := c.mayTry(v); err != nil {
		return err
	}
	k := v.keys()
	if k == nil {
		return errNoPasskeys(v)
	}
	var ask any
	err := c.DB.Write(v.r.Context(), func(tx *db.Tx) (err error) {
		ask, err = k.Ask(v.r.Context(), tx, v.now)
		return err
	})
	if err != nil {
		return err
	}
	return v.answer(ask)
}

// passkey signs in with what the device said.
func (c *Console) passkey(v *visit) error {
	f, err := v.form()
	if err != nil {
		return err
	}
	if err := c.mayTry(v); err != nil {
		return err
	}
	k := v.keys()
	if k == nil {
		return errNoPasskeys(v)
	}
	token, err := k.SignIn(v.r.Context(), c.DB, []byte(f.Get("answer")), v.token, v.client(), v.now)
	if err != nil {
		return v.again(f, err, func(status int) error { return v.showAs(status, signInPage(v, f)) })
	}
	v.enterAs(token)
	return v.to(next(f.Get("next")))
}

func (c *Console) newPasskeyPage(v *visit) error {
	if v.keys() == nil {
		return errNoPasskeys(v)
	}
	return c.newPasskeyWith(v, http.StatusOK, page.NewForm())
}

func (c *Console) newPasskeyWith(v *visit, status int, f *page.Form) error {
	o, err := c.mine(v)
	if err != nil {
		return err
	}
	return v.showAs(status, newPasskeyPage(v, f, o.person.Password))
}

// offerPasskey gives the page what the device is to make.
func (c *Console) offerPasskey(v *visit) error {
	k := v.keys()
	if k == nil {
		return errNoPasskeys(v)
	}
	var offer any
	err := c.DB.Write(v.r.Context(), func(tx *db.Tx) (err error) {
		offer, err = k.Offer(v.r.Context(), tx, v.session, v.now)
		return err
	})
	if err != nil {
		return err
	}
	return v.answer(offer)
}

// keepPasskey keeps what the device made. Who has a password says it again: a page left open is not enough to get in for good.
func (c *Console) keepPasskey(v *visit) error {
	f, err := v.form()
	if err != nil {
		return err
	}
	k := v.keys()
	if k == nil {
		return errNoPasskeys(v)
	}
	o, err := c.mine(v)
	if err != nil {
		return err
	}
	if o.person.Password {
		err = staff.CheckPassword(v.r.Context(), c.DB, v.session.Staff, f.Get("current"), v.now)
	}
	if err == nil {
		err = c.DB.Write(v.r.Context(), func(tx *db.Tx) error {
			return k.Keep(v.r.Context(), tx, v.session, f.Get("name"), []byte(f.Get("answer")), v.now)
		})
	}
	if err != nil {
		return v.again(f, err, func(status int) error { return c.newPasskeyWith(v, status, f) })
	}
	return v.said("/console/me", "passkey_added")
}

func (c *Console) dropPasskey(v *visit) error {
	f, err := v.form()
	if err != nil {
		return err
	}
	err = c.DB.Write(v.r.Context(), func(tx *db.Tx) error { return staff.DropPasskey(v.r.Context(), tx, v.session, f.Get("passkey"), v.now) })
	if err != nil {
		return err
	}
	return v.said("/console/me", "passkey_removed")
}
