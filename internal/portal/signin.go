package portal

import (
	"cmp"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/member"
	"lojal.dev/lojal/internal/message"
	"lojal.dev/lojal/internal/page"
	"lojal.dev/lojal/internal/signin"
	"lojal.dev/lojal/internal/web"
)

// Joining and signing in are one way: an address, the code that is sent there, and, for who is no member yet, a name. What is on its way from one page to
// the next is in a cookie, so that neither the address nor a pass stands in the address of a page.

// underway is who is on the way in.
type underway struct {
	to signin.Target
	// pass is there once the code was right, of who is no member yet.
	pass string
	next string
}

const underwayCookie = "joining"

func (v *visit) keepUnderway(u underway) {
	text := strings.Join([]string{u.to.Kind, u.to.Value, u.pass, u.next}, "\n")
	v.keep(underwayCookie, base64.RawURLEncoding.EncodeToString([]byte(text)), signin.JoinFor)
}

// underway reads it back: what a browser sends is only what it says, and is looked at as it is typed anew.
func (v *visit) underway() (u underway, ok bool) {
	c, err := v.r.Cookie(v.cookie(underwayCookie))
	if err != nil {
		return u, false
	}
	raw, err := base64.RawURLEncoding.DecodeString(c.Value)
	parts := strings.Split(string(raw), "\n")
	if err != nil || len(parts) != 4 {
		return u, false
	}
	value, err := member.Normalize(v.p, parts[0], parts[1])
	if err != nil || value != parts[1] || parts[0] != member.Email && parts[0] != member.Phone {
		return u, false
	}
	return underway{signin.Target{Kind: parts[0], Value: value}, parts[2], v.next(parts[3])}, true
}

// ways are the kinds of addresses that a code can be sent to.
func (c *Portal) ways() (email, sms bool) {
	return c.Sender.Reaches(message.Email), c.Sender.Reaches(message.SMS)
}

// mayTry says whether this address has not tried too often.
func (v *visit) within(b *web.Buckets) error {
	if q := b.Take(web.Household(web.ClientIP(v.r.Context())), 1, v.now); !q.OK {
		return web.TooMany(q)
	}
	return nil
}

func (c *Portal) addressPage(v *visit) error {
	if v.p == nil {
		return c.nothing(v)
	}
	if v.m.ID != "" {
		return v.to(v.next(v.r.URL.Query().Get("next")))
	}
	return v.show(addressPage(v, page.NewForm("next", v.r.URL.Query().Get("next"))))
}

// target reads an address as somebody typed it.
func (v *visit) target(typed string) (signin.Target, error) {
	email, sms := v.c.ways()
	wrong := func(reason string) error {
		text := v.T("refused." + reason)
		return errs.Invalid("invalid_address", text, errs.Field{Pointer: "/address", Reason: reason, Message: text})
	}
	kind, can := member.Phone, sms
	if strings.Contains(typed, "@") || !sms {
		kind, can = member.Email, email
	}
	value, err := member.Normalize(v.p, kind, typed)
	switch {
	case !can && email:
		return signin.Target{}, wrong("invalid_email")
	case !can:
		return signin.Target{}, wrong("invalid_phone")
	case err != nil:
		return signin.Target{}, wrong("invalid_" + kind)
	}
	return signin.Target{Kind: kind, Value: value}, nil
}

func (c *Portal) sendCode(v *visit) error {
	f, err := v.form()
	if err != nil {
		return err
	}
	to, err := v.target(f.Get("address"))
	if err == nil {
		err = c.send(v, to)
	}
	if err != nil {
		return v.again(f, err, func(status int) error { return v.showAs(status, addressPage(v, f)) })
	}
	v.keepUnderway(underway{to: to, next: v.next(f.Get("next"))})
	return v.to(v.base() + "/code")
}

// send draws a code and sends it. Whether somebody is a member is not asked.
func (c *Portal) send(v *visit, to signin.Target) error {
	return c.sendOf(v, to, func(code string) message.Message {
		return message.Message{Subject: v.T("mail.subject", code, v.site()), Text: v.T("mail.text", v.site(), code)}
	})
}

// sendOf draws a code and sends it with an e-mail, or with the same few words to a phone.
func (c *Portal) sendOf(v *visit, to signin.Target, write func(code string) message.Message) error {
	if err := v.within(c.sends); err != nil {
		return err
	}
	code, err := signin.NewCode(v.r.Context(), c.DB, v.program(), to, v.now)
	if err != nil {
		return err
	}
	m := write(code)
	m.Kind, m.To, m.Lang = message.Email, to.Value, v.lang
	if to.Kind == member.Phone {
		m.Kind, m.Subject, m.Text = message.SMS, "", v.T("sms.text", code, v.site())
	}
	err = c.Sender.Send(v.r.Context(), m)
	if e := errs.As(err); err != nil && (e.Code == errs.CodeUnavailable || e.Code == errs.CodeInvalid) {
		c.Logger.WarnContext(v.r.Context(), "send a code", "error", err)
		return errs.Conflict("not_sent", v.T("refused.not_sent")).Because(err)
	}
	return err
}

func (c *Portal) codePage(v *visit) error {
	u, ok := v.underway()
	if !ok {
		return v.to(v.base() + "/sign-in")
	}
	return v.show(codePage(v, u, page.NewForm()))
}

func (c *Portal) tryCode(v *visit) error {
	ctx := v.r.Context()
	f, err := v.form()
	if err != nil {
		return err
	}
	u, ok := v.underway()
	if !ok {
		return v.to(v.base() + "/sign-in")
	}
	if f.Get("again") != "" {
		if err := c.send(v, u.to); err != nil {
			return v.again(f, err, func(status int) error { return v.showAs(status, codePage(v, u, f)) })
		}
		return v.said(v.base()+"/code", "sent")
	}
	if err = v.within(c.tries); err == nil {
		err = signin.Try(ctx, c.DB, v.program(), u.to, f.Get("code"), v.now)
	}
	if err != nil {
		f.Del("code")
		return v.again(f, err, func(status int) error { return v.showAs(status, codePage(v, u, f)) })
	}
	var m member.Member
	err = c.DB.Write(ctx, func(tx *db.Tx) (err error) {
		m, err = member.Find(ctx, tx, v.p, u.to.Kind, u.to.Value)
		if errs.CodeOf(err) == errs.CodeNotFound {
			m = member.Member{}
			u.pass, err = signin.Shown(ctx, tx, v.program(), u.to, v.now)
		}
		return err
	})
	if err != nil {
		return err
	}
	if m.ID == "" {
		v.keepUnderway(u)
		return v.to(v.base() + "/join")
	}
	return c.in(v, m.ID, signin.ByCode, u.next)
}

// in signs a member in here, and sees that there is a card to show.
func (c *Portal) in(v *visit, memberID, means, next string) error {
	ctx := v.r.Context()
	var token string
	err := c.DB.Write(ctx, func(tx *db.Tx) (err error) {
		token, err = signin.Begin(ctx, tx, v.program(), memberID, means, v.token, web.Agent(v.r), v.now)
		return err
	})
	if err != nil {
		return err
	}
	v.keep("member", token, signin.Whole)
	v.drop(underwayCookie)
	v.drop(invitedCookie)
	v.ask(memberID)
	if err := v.api.Post(v.r.Context(), page.Path("members", memberID, "card"), "", nil, nil); err != nil && web.StatusOf(errs.As(err)) >= http.StatusInternalServerError {
		return err
	}
	return v.to(next)
}

func (c *Portal) joinPage(v *visit) error {
	u, ok := v.underway()
	if !ok || u.pass == "" {
		return v.to(v.base() + "/sign-in")
	}
	return c.joining(v, http.StatusOK, page.NewForm())
}

func (c *Portal) joining(v *visit, status int, f *page.Form) error {
	t, err := v.terms()
	if err != nil {
		return err
	}
	return v.showAs(status, joinPage(v, f, t))
}

func (c *Portal) join(v *visit) error {
	ctx := v.r.Context()
	f, err := v.form()
	if err != nil {
		return err
	}
	if v.m.ID != "" { // the form was sent twice
		return v.to(v.base() + "/card")
	}
	u, ok := v.underway()
	if !ok || u.pass == "" {
		return v.to(v.base() + "/sign-in")
	}
	refused := func(err error) error {
		return v.again(f, err, func(status int) error { return c.joining(v, status, f) })
	}
	var missing []errs.Field
	if strings.TrimSpace(f.Get("name")) == "" {
		missing = append(missing, errs.Field{Pointer: "/name", Reason: "name_missing", Message: v.T("refused.name_missing")})
	}
	if f.Get("agree") == "" {
		missing = append(missing, errs.Field{Pointer: "/agree", Reason: "agree_missing", Message: v.T("refused.agree_missing")})
	}
	if len(missing) > 0 {
		return refused(errs.Invalid("join_missing", v.T("refused.join_missing"), missing...))
	}
	err = c.DB.Write(ctx, func(tx *db.Tx) error { return signin.MayJoin(ctx, tx, v.program(), u.to, u.pass, v.now) })
	if err != nil {
		v.drop(underwayCookie)
		return err
	}
	body := map[string]any{"name": strings.TrimSpace(f.Get("name")), u.to.Kind: u.to.Value, "language": v.lang, "channel": "portal"}
	var made struct{ ID string }
	// The pass makes the key, so that a form that is sent twice makes one member.
	key := "join-" + ids.HashSecret(u.pass)
	if by := v.invited(); by != "" {
		body["invited_by"] = by
		err = v.api.Post(ctx, page.Path("members"), key, body, &made)
		if err != nil && web.StatusOf(errs.As(err)) < http.StatusInternalServerError { // a link that is none keeps nobody out
			delete(body, "invited_by")
			key += "-alone"
		}
	}
	if made.ID == "" {
		err = v.api.Post(ctx, page.Path("members"), key, body, &made)
	}
	if err != nil {
		return refused(err)
	}
	if err := c.DB.Write(ctx, func(tx *db.Tx) error { return signin.Joined(ctx, tx, v.program(), u.pass, v.now) }); err != nil {
		v.drop(underwayCookie)
		return err
	}
	next := v.base() + "/card?said=joined"
	if u.next != v.base()+"/home" {
		next = u.next
	}
	return c.in(v, made.ID, signin.ByCode, next)
}

// enterPage is where the address leads that the demo prints. A visit alone, such as that of a program that looks at links, signs nobody in.
func (c *Portal) enterPage(v *visit) error {
	ctx, pass := v.r.Context(), v.r.URL.Query().Get("code")
	var m member.Member
	err := c.DB.Read(ctx, func(tx *db.Tx) error {
		id, err := signin.LookDemo(ctx, tx, v.program(), pass, v.now)
		if err == nil {
			m, err = member.Get(ctx, tx, v.program(), id)
		}
		return err
	})
	if err != nil {
		return err
	}
	return v.show(enterPage(v, m.DisplayName(), pass))
}

func (c *Portal) enter(v *visit) error {
	ctx := v.r.Context()
	f, err := v.form()
	if err != nil {
		return err
	}
	if err := v.within(c.tries); err != nil {
		return err
	}
	var id string
	err = c.DB.Read(ctx, func(tx *db.Tx) (err error) { // good as long as the demo runs: people come back to it
		id, err = signin.LookDemo(ctx, tx, v.program(), f.Get("code"), v.now)
		return err
	})
	if err != nil {
		return err
	}
	return c.in(v, id, signin.ByPass, v.base()+"/home")
}

// signOut ends the session. The worker in the browser sees it, and forgets the card.
func (c *Portal) signOut(v *visit) error {
	ctx := v.r.Context()
	if v.token != "" {
		if err := c.DB.Write(ctx, func(tx *db.Tx) error { return signin.End(ctx, tx, v.program(), v.token) }); err != nil {
			return err
		}
	}
	v.drop("member")
	v.drop(underwayCookie)
	return v.to(v.base() + "/sign-in?out=1")
}

// look keeps how the browser wants the pages, and, of who is signed in, the language in the profile: messages are in it too.
func (c *Portal) look(v *visit) error {
	f, err := v.form()
	if err != nil {
		return err
	}
	if l := lang.Known(f.Get("lang")); l != "" && slices.ContainsFunc(page.Languages, func(k struct{ Tag, Name string }) bool { return k.Tag == f.Get("lang") }) {
		page.Keep(v.w, "lang", l, c.secure)
		if v.m.ID != "" && v.m.Language != l {
			if err := v.api.Do(v.r.Context(), http.MethodPatch, v.mine(), nil, "", map[string]string{"language": l}, nil); err != nil {
				return err
			}
		}
	}
	if t := f.Get("theme"); t == "light" || t == "dark" || t == "auto" {
		page.Keep(v.w, "theme", t, c.secure)
	}
	back := cmp.Or(f.Get("back"), v.base()+"/home")
	if v.m.ID == "" && strings.HasPrefix(back, v.base()+"/sign-in") {
		return v.to(v.base() + "/sign-in")
	}
	return v.to(v.next(back))
}
