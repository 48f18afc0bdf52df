package portal

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
	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/member"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/page"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/signin"
	"lojal.dev/lojal/internal/version"
	"lojal.dev/lojal/internal/web"
)

// visit is a request for a page: whose, when, and in which language.
type visit struct {
	c           *Portal
	w           http.ResponseWriter
	r           *http.Request
	now         time.Time
	lang, theme string
	// p is the program of the address; nil where there is none.
	p       *program.Compiled
	session signin.Session
	token   string
	// m is who is signed in; its ID is empty before.
	m    member.Member
	api  page.API
	done bool
}

// open finds the program of the address.
func (v *visit) open() error {
	id := v.r.PathValue("program")
	if id == "" {
		id, _, _ = strings.Cut(strings.TrimPrefix(v.r.URL.Path, "/portal/"), "/")
	}
	if id == "" || v.r.URL.Path == "/portal" {
		return nil
	}
	ctx := v.r.Context()
	var set *version.Set
	err := v.c.DB.Read(ctx, func(tx *db.Tx) (err error) {
		set, err = v.c.Versions.Get(ctx, tx, id)
		return err
	})
	if errs.CodeOf(err) == errs.CodeNotFound {
		return errs.NotFound("no_page", v.T("no_page"))
	}
	if err != nil {
		return err
	}
	if v.p = set.At(v.now); v.p == nil { // its first version is still to come
		return errs.NotFound("no_page", v.T("no_page"))
	}
	v.ask(Newcomer)
	return nil
}

// ask has the API asked in the right of a member.
func (v *visit) ask(memberID string) {
	v.r = v.r.WithContext(v.c.As(v.r.Context(), v.program(), memberID))
	v.api = page.API{Handler: v.c.API, Lang: v.lang} // a member is told things as a member without asking
}

func (v *visit) program() string { return v.p.Doc.Program }

// base is the address that the pages of the program are below.
func (v *visit) base() string { return "/portal/" + v.program() }

// cookie is the name of one of the program's cookies.
func (v *visit) cookie(what string) string {
	name := "lojal_" + what + "_" + v.program()
	if v.c.secure {
		return "__Host-" + name
	}
	return name
}

// keep has the browser keep something for so long; a length below zero drops it.
func (v *visit) keep(what, value string, length time.Duration) {
	place := v.base() + "/"
	if v.c.secure {
		place = "/" // as the prefix __Host- asks for
	}
	//nolint:gosec // Secure wherever people come by https
	http.SetCookie(v.w, &http.Cookie{Name: v.cookie(what), Value: value, Path: place, HttpOnly: true, Secure: v.c.secure, SameSite: http.SameSiteLaxMode, MaxAge: int(length / time.Second)})
}

func (v *visit) drop(what string) { v.keep(what, "", -time.Second) }

// find looks who is signed in.
func (v *visit) find() error {
	signedOut := errs.Unauthenticated("signed_out", "Sign in first.")
	if v.p == nil {
		return signedOut
	}
	c, err := v.r.Cookie(v.cookie("member"))
	if err != nil {
		return signedOut
	}
	ctx := v.r.Context()
	err = v.c.DB.Read(ctx, func(tx *db.Tx) (err error) {
		v.session, v.m, err = signin.Find(ctx, tx, v.program(), c.Value, v.now)
		return err
	})
	if err != nil {
		return err
	}
	v.token = c.Value
	if v.session.Stale(v.m.ID, v.now) {
		if err := v.c.DB.Write(ctx, func(tx *db.Tx) error { return signin.See(ctx, tx, v.session, v.m.ID, v.now) }); err != nil {
			return err
		}
	}
	v.lang = page.LangOf(v.r, v.m.Language)
	web.SetActor(ctx, v.m.ID)
	v.ask(v.m.ID)
	return nil
}

// mine is an address of the API below the member.
func (v *visit) mine(parts ...string) string {
	return page.Path(append([]string{"members", v.m.ID}, parts...)...)
}

// T gives a text in the language of the page.
func (v *visit) T(key string, args ...any) string { return words.Say(v.lang, key, args...) }

// show answers with a page.
func (v *visit) show(c templ.Component) error { return v.showAs(http.StatusOK, c) }

func (v *visit) showAs(status int, c templ.Component) error {
	v.done = true
	return page.Write(v.r.Context(), v.w, v.r, status, c)
}

// to leads to another page.
func (v *visit) to(place string) error {
	v.done = true
	http.Redirect(v.w, v.r, place, http.StatusSeeOther)
	return nil
}

// said leads to a page that says what was done: a key of the words that begins with "said.".
func (v *visit) said(place, key string) error { return v.to(place + "?said=" + url.QueryEscape(key)) }

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

// again shows a form once more, with what was typed and what a verb or a route refused beside each field. What is no refusal is given back.
func (v *visit) again(f *page.Form, err error, show func(status int) error) error {
	status := web.StatusOf(errs.As(err))
	if err := f.Refused(err, words, v.lang); err != nil {
		return err
	}
	return show(status)
}

func escape(s string) string { return url.QueryEscape(s) }

// next is where to go after signing in: a page of this program, and never elsewhere.
func (v *visit) next(to string) string {
	u, err := url.Parse(to)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || !strings.HasPrefix(u.Path, v.base()+"/") || path.Clean(u.Path) != u.Path ||
		strings.Contains(to, `\`) || strings.HasPrefix(u.Path, v.base()+"/sign-") {
		return v.base() + "/home"
	}
	return u.RequestURI()
}

// here says whether an address is that of this page or of one below it.
func (v *visit) here(place string) bool {
	at, want := v.r.URL.Path, v.base()+place
	return at == want || strings.HasPrefix(at, want+"/")
}

// current marks the place in the menu of the page that is shown; nothing stands there elsewhere.
func (v *visit) current(path string) any {
	nearer := slices.ContainsFunc(menu, func(p place) bool { return len(p.path) > len(path) && v.here(p.path) })
	if v.here(path) && !nearer {
		return "page"
	}
	return false
}

// at is the address of a page of the program.
func (v *visit) at(parts ...string) templ.SafeURL {
	var out strings.Builder
	out.WriteString(v.base())
	for _, p := range parts {
		out.WriteString("/" + url.PathEscape(p))
	}
	return templ.SafeURL(out.String())
}

// site is the name of the program.
func (v *visit) site() string {
	if v.p == nil {
		return "lojal"
	}
	if n := v.p.Doc.Name.In(v.lang); n != "" {
		return n
	}
	return v.program()
}

// Times and amounts as people read them, in the zone of the program.

func (v *visit) when(t time.Time) string { return lang.DateTime(v.lang, t, v.p.Zone) }

func (v *visit) day(t time.Time) string { return lang.Date(v.lang, t, v.p.Zone) }

// amount writes an amount of a unit: «1 204 stjerner».
func (v *visit) amount(unit, text string) string {
	return v.number(text) + " " + v.unit(unit, v.one(text))
}

// unit is the name of a unit, for one or for many of it.
func (v *visit) unit(unit string, one bool) string {
	if v.p.Units[unit] == nil {
		return unit
	}
	return v.p.Units[unit].Name.In(v.lang, one)
}

func (v *visit) number(text string) string { return lang.Number(v.lang, decimal(text)) }

// money writes an amount of the program's currency.
func (v *visit) money(text string) string {
	minor, err := decimal(text).Minor(v.p.Exponent)
	if err != nil {
		return text
	}
	return lang.ExactPrice(v.lang, v.p.Doc.Currency, minor)
}

// decimal reads a number of an answer; those are always numbers.
func decimal(text string) money.Decimal {
	d, err := money.Parse(text)
	if err != nil {
		return money.Decimal{}
	}
	return d
}

// zero says whether an amount is nothing.
func zero(text string) bool { return strings.Trim(text, "-0.") == "" }
