package portal

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/member"
	"lojal.dev/lojal/internal/message"
	"lojal.dev/lojal/internal/page"
	"lojal.dev/lojal/internal/signin"
)

// data is what is known of who is signed in, with what can be done about it.
func (c *Portal) data(v *visit) error {
	return v.show(dataPage(v, page.NewForm("birth", v.m.Birth, "postcode", v.m.Postcode)))
}

// setData changes what needs no proof. A day of birth is said once: who erred asks the staff.
func (c *Portal) setData(v *visit) error {
	f, err := v.form()
	if err != nil {
		return err
	}
	body := map[string]any{"postcode": orNothing(f.Get("postcode"))}
	if v.m.Birth == "" && strings.TrimSpace(f.Get("birth")) != "" {
		body["birth"] = strings.TrimSpace(f.Get("birth"))
	}
	if err := v.api.Do(v.r.Context(), http.MethodPatch, v.mine(), nil, "", body, nil); err != nil {
		return v.again(f, err, func(status int) error { return v.showAs(status, dataPage(v, f)) })
	}
	return v.said(string(v.at("me", "data")), "kept")
}

// orNothing takes away what was emptied.
func orNothing(s string) any {
	if s = strings.TrimSpace(s); s == "" {
		return nil
	}
	return s
}

// birthday writes a day of birth, which may lack its year.
func (v *visit) birthday() string { return lang.Day(v.lang, v.m.Birth) }

// reaches says whether a code can be sent to an address of a kind.
func (c *Portal) reaches(kind string) bool {
	email, sms := c.ways()
	return kind == member.Email && email || kind == member.Phone && sms
}

// kind is the kind of address that a page is about.
func (v *visit) kind() (string, error) {
	k := v.r.PathValue("kind")
	if !v.c.reaches(k) {
		return "", errs.NotFound("no_page", v.T("no_page"))
	}
	return k, nil
}

// A new address is kept in a cookie until its code is typed, as when somebody joins.
const changingCookie = "changing"

func (v *visit) changing(kind string) (to signin.Target, ok bool) {
	c, err := v.r.Cookie(v.cookie(changingCookie))
	if err != nil {
		return to, false
	}
	raw, err := base64.RawURLEncoding.DecodeString(c.Value)
	value, err2 := member.Normalize(v.p, kind, string(raw))
	if err != nil || err2 != nil || value != string(raw) {
		return to, false
	}
	return signin.Target{Kind: kind, Value: value}, true
}

func (c *Portal) newAddressPage(v *visit) error {
	kind, err := v.kind()
	if err != nil {
		return err
	}
	return v.show(newAddressPage(v, kind, page.NewForm()))
}

// newAddress sends a code to an address that somebody wants in their profile.
func (c *Portal) newAddress(v *visit) error {
	kind, err := v.kind()
	if err != nil {
		return err
	}
	f, err := v.form()
	if err != nil {
		return err
	}
	value, err := member.Normalize(v.p, kind, f.Get("address"))
	if err != nil {
		text := v.T("refused.invalid_" + kind)
		err = errs.Invalid("invalid_address", v.T("refused.invalid_address"), errs.Field{Pointer: "/address", Reason: "invalid_" + kind, Message: text})
	} else {
		err = c.sendChange(v, signin.Target{Kind: kind, Value: value})
	}
	if err != nil {
		return v.again(f, err, func(status int) error { return v.showAs(status, newAddressPage(v, kind, f)) })
	}
	v.keep(changingCookie, base64.RawURLEncoding.EncodeToString([]byte(value)), signin.JoinFor)
	return v.to(string(v.at("me", "address", kind, "code")))
}

func (c *Portal) sendChange(v *visit, to signin.Target) error {
	return c.sendOf(v, to, func(code string) message.Message {
		return message.Message{Subject: v.T("mail.subject", code, v.site()), Text: v.T("change.mail", v.site(), code)}
	})
}

func (c *Portal) newAddressCodePage(v *visit) error {
	kind, err := v.kind()
	if err != nil {
		return err
	}
	to, ok := v.changing(kind)
	if !ok {
		return v.to(string(v.at("me", "address", kind)))
	}
	return v.show(newAddressCodePage(v, to, page.NewForm()))
}

// tryNewAddress takes an address into the profile once its code is right, and tells the one before.
func (c *Portal) tryNewAddress(v *visit) error {
	ctx := v.r.Context()
	kind, err := v.kind()
	if err != nil {
		return err
	}
	f, err := v.form()
	if err != nil {
		return err
	}
	to, ok := v.changing(kind)
	if !ok {
		return v.to(string(v.at("me", "address", kind)))
	}
	refused := func(err error) error {
		return v.again(f, err, func(status int) error { return v.showAs(status, newAddressCodePage(v, to, f)) })
	}
	if f.Get("again") != "" {
		if err := c.sendChange(v, to); err != nil {
			return refused(err)
		}
		return v.said(string(v.at("me", "address", kind, "code")), "sent")
	}
	if err = v.within(c.tries); err == nil {
		err = signin.Try(ctx, c.DB, v.program(), to, f.Get("code"), v.now)
	}
	if err == nil {
		err = v.api.Do(c.Proven(ctx, kind, to.Value), http.MethodPatch, v.mine(), nil, "", map[string]string{kind: to.Value}, nil)
	}
	if err != nil {
		f.Del("code")
		return refused(err)
	}
	v.drop(changingCookie)
	c.tellBefore(v, kind, to.Value)
	return v.said(string(v.at("me", "data")), "kept")
}

// tellBefore tells the address before that it is no longer one: whoever lends out a phone shall hear of it. What cannot be sent changes nothing.
func (c *Portal) tellBefore(v *visit, kind, after string) {
	before := map[string]string{member.Email: v.m.Email, member.Phone: v.m.Phone}[kind]
	if before == "" || before == after {
		return
	}
	m := message.Message{Kind: message.Email, To: before, Lang: v.lang, Subject: v.T("changed.subject", v.site()), Text: v.T("changed.mail", v.site())}
	if kind == member.Phone {
		m.Kind, m.Subject = message.SMS, ""
	}
	if err := c.Sender.Send(v.r.Context(), m); err != nil {
		c.Logger.WarnContext(v.r.Context(), "tell of a changed address", "error", err)
	}
}

// copies are the routes that tell what is known of a member, by the names under which a copy has it. Those that come in pages are read to the end.
var copies = map[string]struct {
	path  []string
	query url.Values
}{
	"member":      {},
	"balances":    {path: []string{"balances"}},
	"tiers":       {path: []string{"tiers"}},
	"benefits":    {path: []string{"benefits"}},
	"challenges":  {path: []string{"challenges"}},
	"grants":      {path: []string{"grants"}},
	"plans":       {path: []string{"plans"}},
	"targets":     {path: []string{"targets"}},
	"redemptions": {path: []string{"redemptions"}},
	"facts":       {path: []string{"facts"}, query: url.Values{"include": {"explanation"}, "limit": {"100"}}},
}

// copyOfAll gives a file with all that is known of who is signed in.
func (c *Portal) copyOfAll(v *visit) error {
	ctx := v.r.Context()
	all := map[string]any{"program": v.program(), "at": v.now.UTC()}
	for _, name := range slices.Sorted(maps.Keys(copies)) {
		one := copies[name]
		query := url.Values{}
		maps.Copy(query, one.query)
		var items []json.RawMessage
		for {
			raw, err := v.api.Raw(ctx, http.MethodGet, v.mine(one.path...), query, "", nil)
			if err != nil {
				return err
			}
			var list struct {
				Items []json.RawMessage `json:"items"`
				Next  string            `json:"next_cursor"`
			}
			if err := json.Unmarshal(raw, &list); err != nil {
				return errs.Internal("copy", "an answer cannot be read").Because(err)
			}
			if list.Items == nil {
				all[name] = json.RawMessage(raw)
				break
			}
			items = append(items, list.Items...)
			all[name] = items
			if list.Next == "" {
				break
			}
			query.Set("cursor", list.Next)
		}
	}
	var sessions []signin.Session
	err := c.DB.Read(ctx, func(tx *db.Tx) (err error) {
		sessions, err = signin.Sessions(ctx, tx, v.program(), v.m.ID, v.now)
		return err
	})
	if err != nil {
		return err
	}
	in := make([]map[string]any, len(sessions))
	for i, s := range sessions {
		in[i] = map[string]any{"browser": s.Agent, "signed_in_at": s.CreatedAt, "seen_at": s.SeenAt}
	}
	all["sessions"] = in
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return errs.Internal("copy", "a copy cannot be written").Because(err)
	}
	v.done = true
	h := v.w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Disposition", `attachment; filename="`+v.program()+"-"+v.now.In(v.p.Zone).Format("2006-01-02")+`.json"`)
	_, _ = v.w.Write(append(text, '\n')) // the browser may be gone
	return nil
}

func (c *Portal) leavePage(v *visit) error {
	return c.leaving(v, http.StatusOK, page.NewForm())
}

func (c *Portal) leaving(v *visit, status int, f *page.Form) error {
	a, err := v.about()
	if err != nil {
		return err
	}
	if a.Status == "closed" {
		return v.to(v.base() + "/home")
	}
	balances, err := v.balances()
	if err != nil {
		return err
	}
	tiers, err := v.tiers()
	if err != nil {
		return err
	}
	return v.showAs(status, leavePage(v, balances, tiers, f))
}

// leave ends the membership of who has said that they know what is lost.
func (c *Portal) leave(v *visit) error {
	f, err := v.form()
	if err != nil {
		return err
	}
	if f.Get("sure") == "" {
		err = errs.Invalid("leave_unsure", v.T("refused.leave_unsure"), errs.Field{Pointer: "/sure", Reason: "leave_unsure", Message: v.T("refused.leave_unsure")})
	} else {
		err = v.api.Post(v.r.Context(), v.mine("close"), "leave-"+f.Get("key"), nil, nil)
	}
	if err != nil {
		return v.again(f, err, func(status int) error { return c.leaving(v, status, f) })
	}
	return v.to(v.base() + "/home")
}
