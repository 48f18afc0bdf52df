package console

import (
	"net/http"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/page"
	"lojal.dev/lojal/internal/staff"
	"lojal.dev/lojal/internal/web"
)

// own is what a person sees of their own way in.
type own struct {
	person   staff.Person
	sessions []staff.Session
	passkeys []staff.Passkey
	profile  *page.Form
	password *page.Form
}

func (c *Console) mine(v *visit) (own, error) {
	ctx := v.r.Context()
	out := own{profile: page.NewForm("name", v.session.Name, "lang", v.session.Lang), password: page.NewForm()}
	err := c.DB.Read(ctx, func(tx *db.Tx) (err error) {
		if v.session.Program != "" {
			if out.person, err = staff.Get(ctx, tx, v.session.Program, v.session.Staff); err != nil {
				return err
			}
		}
		if out.passkeys, err = staff.Passkeys(ctx, tx, v.session.Staff); err != nil {
			return err
		}
		out.sessions, err = staff.Sessions(ctx, tx, v.session.Staff, v.now)
		return err
	})
	return out, err
}

func (c *Console) me(v *visit) error {
	o, err := c.mine(v)
	if err != nil {
		return err
	}
	return v.show(mePage(v, o))
}

func (c *Console) setProfile(v *visit) error {
	f, err := v.form()
	if err != nil {
		return err
	}
	err = c.DB.Write(v.r.Context(), func(tx *db.Tx) error {
		return staff.SetProfile(v.r.Context(), tx, v.session.Staff, f.Get("name"), lang.Known(f.Get("lang")))
	})
	if err != nil {
		return c.meRefused(v, err, func(o *own) *page.Form { o.profile = f; return f })
	}
	return v.said("/console/me", "kept")
}

func (c *Console) meRefused(v *visit, err error, put func(*own) *page.Form) error {
	o, failed := c.mine(v)
	if failed != nil {
		return failed
	}
	if err := v.refuse(put(&o), err); err != nil {
		return err
	}
	return v.showAs(web.StatusOf(errs.As(err)), mePage(v, o))
}

func (c *Console) setPassword(v *visit) error {
	ctx := v.r.Context()
	f, err := v.form()
	if err != nil {
		return err
	}
	put := func(o *own) *page.Form { o.password = f; return f }
	o, err := c.mine(v)
	if err != nil {
		return err
	}
	if o.person.Password {
		if err := staff.CheckPassword(ctx, c.DB, v.session.Staff, f.Get("current"), v.now); err != nil {
			return c.meRefused(v, err, put)
		}
	}
	phc, err := staff.HashPassword(ctx, f.Get("password"), v.session.Email, v.session.Name)
	if err != nil {
		return c.meRefused(v, err, put)
	}
	err = c.DB.Write(ctx, func(tx *db.Tx) error {
		if err := staff.SetPassword(ctx, tx, v.session.Staff, phc); err != nil {
			return err
		}
		if err := staff.Note(ctx, tx, v.session, "password.set", nil, v.now); err != nil {
			return err
		}
		return staff.EndOthers(ctx, tx, v.session.Staff, v.session.ID)
	})
	if err != nil {
		return err
	}
	return v.said("/console/me", "password")
}

// newSecondStep shows a secret for an app, which is kept once a code of it comes back.
func (c *Console) newSecondStep(v *visit) error {
	address, secret, err := staff.NewSecondStep(v.site(), v.session.Email)
	if err != nil {
		return err
	}
	return c.secondStepToKeep(v, http.StatusOK, page.NewForm("secret", secret), address)
}

func (c *Console) secondStepToKeep(v *visit, status int, f *page.Form, address string) error {
	picture, err := page.QR(address)
	if err != nil {
		return err
	}
	return v.showAs(status, newSecondStepPage(v, f, picture))
}

func (c *Console) keepSecondStep(v *visit) error {
	f, err := v.form()
	if err != nil {
		return err
	}
	var codes []string
	err = c.DB.Write(v.r.Context(), func(tx *db.Tx) (err error) {
		codes, err = staff.SetSecondStep(v.r.Context(), tx, v.session, f.Get("secret"), f.Get("code"), v.now)
		return err
	})
	if err != nil {
		address, failed := staff.AddressOf(v.site(), v.session.Email, f.Get("secret"))
		if failed != nil {
			return failed
		}
		f.Del("code")
		return v.again(f, err, func(status int) error { return c.secondStepToKeep(v, status, f, address) })
	}
	return v.show(recoveryPage(v, codes))
}

func (c *Console) dropSecondStep(v *visit) error {
	f, err := v.form()
	if err != nil {
		return err
	}
	if err := staff.CheckPassword(v.r.Context(), c.DB, v.session.Staff, f.Get("current"), v.now); err != nil {
		return c.meRefused(v, err, func(*own) *page.Form { return f })
	}
	if err := c.DB.Write(v.r.Context(), func(tx *db.Tx) error { return staff.DropSecondStep(v.r.Context(), tx, v.session, v.now) }); err != nil {
		return err
	}
	return v.said("/console/me", "second_step_off")
}

func (c *Console) endSessions(v *visit) error {
	f, err := v.form()
	if err != nil {
		return err
	}
	err = c.DB.Write(v.r.Context(), func(tx *db.Tx) error {
		if id := f.Get("session"); id != "" {
			return staff.EndOne(v.r.Context(), tx, v.session.Staff, id)
		}
		return staff.EndOthers(v.r.Context(), tx, v.session.Staff, v.session.ID)
	})
	if err != nil {
		return err
	}
	return v.said("/console/me", "sessions")
}

func (c *Console) move(v *visit) error {
	f, err := v.form()
	if err != nil {
		return err
	}
	if err := c.DB.Write(v.r.Context(), func(tx *db.Tx) error { return staff.Move(v.r.Context(), tx, v.session, f.Get("program")) }); err != nil {
		return err
	}
	return v.to("/console")
}
