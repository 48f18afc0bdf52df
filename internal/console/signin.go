package console

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/page"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/staff"
	"lojal.dev/lojal/internal/version"
	"lojal.dev/lojal/internal/web"
)

func (v *visit) client() staff.Client {
	return staff.Client{Agent: web.Agent(v.r), Address: web.ClientIP(v.r.Context())}
}

// enterAs has the browser keep the token of a session.
func (v *visit) enterAs(token string) {
	//nolint:gosec // Secure wherever people come by https
	http.SetCookie(v.w, &http.Cookie{Name: v.cookie(), Value: token, Path: "/", HttpOnly: true, Secure: v.c.secure, SameSite: http.SameSiteLaxMode, MaxAge: int(staff.Whole / time.Second)})
}

func (v *visit) forget() {
	//nolint:gosec // Secure wherever people come by https
	http.SetCookie(v.w, &http.Cookie{Name: v.cookie(), Path: "/", HttpOnly: true, Secure: v.c.secure, SameSite: http.SameSiteLaxMode, MaxAge: -1})
}

// may try says whether this address has not tried too often.
func (c *Console) mayTry(v *visit) error {
	if q := c.tries.Take(web.Household(web.ClientIP(v.r.Context())), 1, v.now); !q.OK {
		return web.TooMany(q)
	}
	return nil
}

// first leads to where somebody begins: the page that their role is for.
func (c *Console) signInPage(v *visit) error {
	if v.session.Staff != "" && !v.session.Half {
		return v.to(next(v.r.URL.Query().Get("next")))
	}
	var somebody bool
	err := c.DB.Read(v.r.Context(), func(tx *db.Tx) (err error) {
		somebody, err = staff.Any(v.r.Context(), tx)
		return err
	})
	if err != nil {
		return err
	}
	if !somebody {
		return v.to("/console/set-up")
	}
	return v.show(signInPage(v, page.NewForm("next", v.r.URL.Query().Get("next"))))
}

func (c *Console) signIn(v *visit) error {
	f, err := v.form()
	if err != nil {
		return err
	}
	if err := c.mayTry(v); err != nil {
		return err
	}
	token, half, err := staff.SignIn(v.r.Context(), c.DB, f.Get("email"), f.Get("password"), v.token, v.client(), v.now)
	if err != nil {
		return v.again(f, err, func(status int) error { return v.showAs(status, signInPage(v, f)) })
	}
	v.enterAs(token)
	if half {
		return v.to("/console/second-step?next=" + escape(next(f.Get("next"))))
	}
	return v.to(next(f.Get("next")))
}

func (c *Console) secondStepPage(v *visit) error {
	return v.show(secondStepPage(v, page.NewForm("next", v.r.URL.Query().Get("next"))))
}

func (c *Console) secondStep(v *visit) error {
	f, err := v.form()
	if err != nil {
		return err
	}
	if err := c.mayTry(v); err != nil {
		return err
	}
	token, err := staff.SecondStep(v.r.Context(), c.DB, v.session, v.token, f.Get("code"), v.client(), v.now)
	if err != nil {
		f.Del("code")
		return v.again(f, err, func(status int) error { return v.showAs(status, secondStepPage(v, f)) })
	}
	v.enterAs(token)
	return v.to(next(f.Get("next")))
}

func (c *Console) signOut(v *visit) error {
	if v.token != "" {
		if err := c.DB.Write(v.r.Context(), func(tx *db.Tx) error { return staff.End(v.r.Context(), tx, v.token) }); err != nil {
			return err
		}
	}
	v.forget()
	return v.to("/console/sign-in")
}

// setUpPage is for the first owner, while there is nobody on the staff.
func (c *Console) setUpPage(v *visit) error {
	f := page.NewForm("code", v.r.URL.Query().Get("code"), "blueprint", v.r.URL.Query().Get("blueprint"))
	if f.Get("blueprint") == "" {
		f.Set("blueprint", "coffee-stars")
	}
	return c.settingUp(v, http.StatusOK, f)
}

// kindOfProgram is a blueprint to choose.
type kindOfProgram struct{ id, name, story string }

func kindsOfProgram(lang string) []kindOfProgram {
	var out []kindOfProgram
	for _, id := range program.Blueprints() {
		name, story, _ := strings.Cut(words.Say(lang, "blueprint."+id), ": ")
		first, size := utf8.DecodeRuneInString(story)
		out = append(out, kindOfProgram{id, name, string(unicode.ToUpper(first)) + story[size:] + "."})
	}
	slices.SortFunc(out, func(a, b kindOfProgram) int { return cmp.Compare(a.name, b.name) })
	return out
}

func (c *Console) settingUp(v *visit, status int, f *page.Form) error {
	var somebody, has bool
	err := c.DB.Read(v.r.Context(), func(tx *db.Tx) (err error) {
		if somebody, err = staff.Any(v.r.Context(), tx); err != nil {
			return err
		}
		list, err := version.Programs(v.r.Context(), tx)
		has = len(list) > 0
		return err
	})
	if err != nil {
		return err
	}
	if somebody {
		return v.to("/console/sign-in")
	}
	return v.showAs(status, setUpPage(v, f, kindsOfProgram(v.lang), has))
}

func (c *Console) setUp(v *visit) error {
	ctx := v.r.Context()
	f, err := v.form()
	if err != nil {
		return err
	}
	if err := c.mayTry(v); err != nil {
		return err
	}
	refused := func(err error) error {
		return v.again(f, err, func(status int) error { return c.settingUp(v, status, f) })
	}
	phc, err := staff.HashPassword(ctx, f.Get("password"), f.Get("email"), f.Get("name"))
	if err != nil {
		return refused(err)
	}
	var token string
	err = c.DB.Write(ctx, func(tx *db.Tx) error {
		if somebody, err := staff.Any(ctx, tx); err != nil || somebody {
			if somebody {
				return errs.Conflict("set_up", "This installation is set up already: sign in.")
			}
			return err
		}
		if _, err := staff.UsePass(ctx, tx, staff.SetUp, strings.TrimSpace(f.Get("code")), v.now); err != nil {
			return err
		}
		list, err := version.Programs(ctx, tx)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			id, err := c.publish(v, tx, f.Get("blueprint"), f.Get("email"))
			if err != nil {
				return err
			}
			list = []version.Program{{ID: id}}
		}
		for _, p := range list {
			who, err := staff.Add(ctx, tx, staff.Input{Program: p.ID, Email: f.Get("email"), Name: f.Get("name"), Role: staff.Owner, Actor: f.Get("email"), Now: v.now})
			if err != nil {
				return err
			}
			if err := staff.SetPassword(ctx, tx, who.ID, phc); err != nil {
				return err
			}
			if token == "" {
				if token, err = staff.Begin(ctx, tx, who.ID, staff.ByPassword, "", v.client(), v.now); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return refused(err)
	}
	v.enterAs(token)
	return v.said("/console/members", "set_up")
}

// publish makes the first program out of a blueprint.
func (c *Console) publish(v *visit, tx *db.Tx, blueprint, by string) (string, error) {
	text, err := program.Blueprint(blueprint)
	if err != nil {
		return "", errs.Invalid("no_blueprint", "There is no such blueprint.", errs.Field{Pointer: "/blueprint", Reason: "unknown", Message: "Choose one of those that are there."})
	}
	doc, err := program.Parse(text, blueprint)
	if err != nil {
		return "", err
	}
	_, err = version.Publish(v.r.Context(), tx, version.PublishInput{Program: doc.Program, Document: doc, By: by, Now: v.now})
	return doc.Program, err
}

func (c *Console) invitationPage(v *visit) error {
	ctx, code := v.r.Context(), v.r.URL.Query().Get("code")
	err := c.DB.Read(ctx, func(tx *db.Tx) error {
		_, err := staff.LookPass(ctx, tx, staff.Invitation, code, v.now)
		return err
	})
	if err != nil {
		return err
	}
	return v.show(invitationPage(v, page.NewForm("code", code)))
}

func (c *Console) accept(v *visit) error {
	ctx := v.r.Context()
	f, err := v.form()
	if err != nil {
		return err
	}
	if err := c.mayTry(v); err != nil {
		return err
	}
	refused := func(err error) error {
		return v.again(f, err, func(status int) error { return v.showAs(status, invitationPage(v, f)) })
	}
	phc, err := staff.HashPassword(ctx, f.Get("password"))
	if err != nil {
		return refused(err)
	}
	var token string
	err = c.DB.Write(ctx, func(tx *db.Tx) error {
		who, err := staff.UsePass(ctx, tx, staff.Invitation, f.Get("code"), v.now)
		if err != nil {
			return err
		}
		if err := staff.SetPassword(ctx, tx, who, phc); err != nil {
			return err
		}
		if err := staff.EndOthers(ctx, tx, who, ""); err != nil { // whoever had the password before is out
			return err
		}
		token, err = staff.Begin(ctx, tx, who, staff.ByLink, v.token, v.client(), v.now)
		return err
	})
	if err != nil {
		return refused(err)
	}
	v.enterAs(token)
	return v.to("/console")
}

// enterPage is where the address leads that the demo prints. A visit alone, such as that of a program that looks at links, signs nobody in.
func (c *Console) enterPage(v *visit) error {
	if v.session.Staff != "" && !v.session.Half {
		return v.to("/console")
	}
	return v.show(enterPage(v, v.r.URL.Query().Get("code")))
}

func (c *Console) enter(v *visit) error {
	ctx := v.r.Context()
	f, err := v.form()
	if err != nil {
		return err
	}
	if err := c.mayTry(v); err != nil {
		return err
	}
	var token string
	err = c.DB.Write(ctx, func(tx *db.Tx) error {
		who, err := staff.LookPass(ctx, tx, staff.Demo, f.Get("code"), v.now) // good as long as the demo runs: people come back to it
		if err != nil {
			return err
		}
		token, err = staff.Begin(ctx, tx, who, staff.ByLink, v.token, v.client(), v.now)
		return err
	})
	if err != nil {
		return err
	}
	v.enterAs(token)
	return v.to("/console")
}

// look keeps how the browser wants the pages: language and light.
func (c *Console) look(v *visit) error {
	f, err := v.form()
	if err != nil {
		return err
	}
	for _, l := range page.Languages {
		if f.Get("lang") == l.Tag {
			page.Keep(v.w, "lang", l.Tag, c.secure)
			if v.session.Staff != "" {
				if err := c.DB.Write(v.r.Context(), func(tx *db.Tx) error {
					return staff.SetProfile(v.r.Context(), tx, v.session.Staff, v.session.Name, l.Tag)
				}); err != nil {
					return err
				}
			}
		}
	}
	if t := f.Get("theme"); t == "light" || t == "dark" || t == "auto" {
		page.Keep(v.w, "theme", t, c.secure)
	}
	return v.to(next(f.Get("back")))
}
