package console

import (
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/a-h/templ"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/page"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/staff"
	"lojal.dev/lojal/internal/version"
	"lojal.dev/lojal/internal/web"
)

// visit is a request for a page: who asks, when, and in which language.
type visit struct {
	c           *Console
	w           http.ResponseWriter
	r           *http.Request
	now         time.Time
	lang, theme string
	session     staff.Session
	token       string
	// programs are those that the person has a role in, with their names, and p is the one whose pages these are; nil before signing in.
	programs []version.Program
	p        *program.Compiled
	api      page.API
	// scripts are assets that the page has besides those of all pages, manifest is that of the app that it can be put on a home screen as.
	scripts  []string
	manifest string
	done     bool
}

func (v *visit) cookie() string { return v.hosted("lojal_staff") }

// hosted is the name of a cookie that no other host may set, wherever browsers keep to that.
func (v *visit) hosted(name string) string {
	if v.c.secure {
		return "__Host-" + name
	}
	return name
}

// find looks who is signed in, with what they may do and the program of the pages.
func (v *visit) find() error {
	c, err := v.r.Cookie(v.cookie())
	if err != nil {
		return errs.Unauthenticated("signed_out", "Sign in first.")
	}
	ctx := v.r.Context()
	err = v.c.DB.Read(ctx, func(tx *db.Tx) error {
		s, err := staff.Find(ctx, tx, c.Value, v.now)
		if err != nil {
			return err
		}
		v.session, v.token = s, c.Value
		if s.Half {
			return nil
		}
		places, err := staff.Places(ctx, tx, s.Staff)
		if err != nil {
			return err
		}
		all, err := version.Programs(ctx, tx)
		if err != nil {
			return err
		}
		for _, p := range all {
			if slices.ContainsFunc(places, func(q staff.Place) bool { return q.Program == p.ID }) {
				v.programs = append(v.programs, p)
			}
		}
		if s.Program == "" {
			return nil
		}
		set, err := v.c.Versions.Get(ctx, tx, s.Program)
		if err == nil {
			v.p = set.At(v.now)
		}
		if errs.CodeOf(err) == errs.CodeNotFound { // a program whose first version is still to come
			return nil
		}
		return err
	})
	if err != nil {
		return err
	}
	v.lang = page.LangOf(v.r, v.session.Lang)
	web.SetActor(ctx, v.session.Staff)
	if v.session.Stale(v.now) {
		if err := v.c.DB.Write(ctx, func(tx *db.Tx) error { return staff.See(ctx, tx, v.session, v.now) }); err != nil {
			return err
		}
	}
	if !v.session.Half && v.session.Program != "" {
		v.r = v.r.WithContext(v.c.As(ctx, v.session.Staff, v.session.Program, v.session.Name, v.session.Role.Scopes()))
	}
	v.api = page.API{Handler: v.c.API, Lang: v.lang}
	return nil
}

// may says whether the person's role has a scope.
func (v *visit) may(scope string) bool {
	have := v.session.Role.Scopes()
	return slices.Contains(have, scope) || slices.Contains(have, "admin")
}

// T gives a text in the language of the page.
func (v *visit) T(key string, args ...any) string { return words.Say(v.lang, key, args...) }

// show answers with a page.
func (v *visit) show(c templ.Component) error { return v.showAs(http.StatusOK, c) }

func (v *visit) showAs(status int, c templ.Component) error {
	v.done = true
	return page.Write(v.r.Context(), v.w, v.r, status, c)
}

// to leads to another page of the console.
func (v *visit) to(place string) error {
	v.done = true
	http.Redirect(v.w, v.r, place, http.StatusSeeOther)
	return nil
}

// said leads to a page that says what was done: a key of the words that begins with "said.".
func (v *visit) said(place, key string) error {
	sign := "?"
	if strings.Contains(place, "?") {
		sign = "&"
	}
	return v.to(place + sign + "said=" + url.QueryEscape(key))
}

// saying is what the page before did, empty when it did nothing.
func (v *visit) saying() string {
	key := "said." + v.r.URL.Query().Get("said")
	if _, ok := words[key]; ok {
		return v.T(key)
	}
	return ""
}

// form reads what was sent.
func (v *visit) form() (*page.Form, error) { return page.SentForm(v.r, v.T("form_unreadable")) }

// refuse puts what was refused beside the fields of a form.
func (v *visit) refuse(f *page.Form, err error) error { return f.Refused(err, words, v.lang) }

// again shows a form once more, with what was typed and what a verb or a route refused beside each field. What is no refusal is given back: a page of
// its own shows that.
func (v *visit) again(f *page.Form, err error, show func(status int) error) error {
	status := web.StatusOf(errs.As(err))
	if err := v.refuse(f, err); err != nil {
		return err
	}
	return show(status)
}

// key is a new one under which a form counts once, however often it is sent.
func (v *visit) key() string { return ids.Code(20) }

func escape(s string) string { return url.QueryEscape(s) }

// next is where to go after signing in: a page of the console, and never elsewhere.
func next(to string) string {
	u, err := url.Parse(to)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || !strings.HasPrefix(u.Path, "/console/") || path.Clean(u.Path) != u.Path || strings.Contains(to, `\`) || strings.HasPrefix(u.Path, "/console/sign-") {
		return "/console"
	}
	return u.RequestURI()
}

// when writes a time as people read it, in the zone that it is said in.
func (v *visit) when(t time.Time) string { return lang.DateTime(v.lang, t, v.zone(t)) }

// day writes a day.
func (v *visit) day(t time.Time) string { return lang.Date(v.lang, t, v.zone(t)) }

func (v *visit) zone(t time.Time) *time.Location {
	if v.p != nil {
		return v.p.Zone
	}
	return t.Location()
}

// here says whether an address is that of this page or of one below it.
func (v *visit) here(place string) bool {
	at := v.r.URL.Path
	return at == place || place != "/console" && strings.HasPrefix(at, place+"/")
}

// site is the name of the program, or of the product before one is known.
func (v *visit) site() string {
	if v.p != nil {
		if n := v.p.Doc.Name.In(v.lang); n != "" {
			return n
		}
	}
	return "lojal"
}
