package console

import (
	"cmp"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/page"
)

// act is something that staff do to a member by a form of its own. What it may do, the route says that it asks.
type act struct {
	// name is the end of its address and the key of its words: act.NAME, act.NAME.text, said.NAME.
	name, icon, needs string
	// grave says that it cannot be undone, or that it hurts.
	grave bool
	// offered says whether it makes sense for the member now.
	offered func(v *visit, m member) bool
	ask     func(v *visit, m member, f *page.Form) []question
	// send gives the route with what is sent to it.
	send func(v *visit, m member, f *page.Form) (method, path string, body any)
}

// question is a field of a form.
type question struct {
	page.Field
	choices []page.Choice
}

func active(_ *visit, m member) bool  { return m.Status == "active" }
func blocked(_ *visit, m member) bool { return m.Status == "blocked" }
func present(_ *visit, m member) bool { return m.Status == "active" || m.Status == "blocked" }

func reason(v *visit) question {
	return question{Field: page.Field{Name: "reason", Label: v.T("reason"), Hint: v.T("reason.hint"), Required: true}}
}

func because(verb string) func(*visit, member, *page.Form) (string, string, any) {
	return func(_ *visit, m member, f *page.Form) (string, string, any) {
		return http.MethodPost, page.Path("members", m.ID, verb), f.Body("reason")
	}
}

func whyAlone(v *visit, _ member, _ *page.Form) []question { return []question{reason(v)} }

// acts are all of them, in the order in which a member's page offers them.
var acts = []*act{adjustAct, grantAct, tierAct, profileAct, identifierAct, blockAct, unblockAct, mergeAct, closeAct}

var adjustAct = &act{
	name: "adjust", icon: "plus", needs: "adjustments:write", offered: present,
	ask: func(v *visit, _ member, _ *page.Form) []question {
		var units []page.Choice
		if v.p != nil {
			for _, u := range v.p.UnitIDs {
				units = append(units, page.Choice{Value: u, Label: v.unit(u)})
			}
		}
		return []question{
			{Field: page.Field{Name: "unit", Label: v.T("unit")}, choices: units},
			{Field: page.Field{Name: "amount", Label: v.T("amount"), Hint: v.T("adjust.amount.hint"), Required: true, Auto: "off"}},
			reason(v),
		}
	},
	send: func(_ *visit, m member, f *page.Form) (string, string, any) {
		body := f.Body("unit", "amount", "reason")
		body["member"] = m.ID
		return http.MethodPost, page.Path("adjustments"), body
	},
}

var grantAct = &act{
	name: "grant", icon: "gift", needs: "adjustments:write",
	offered: func(v *visit, m member) bool { return active(v, m) && len(v.givable()) > 0 },
	ask: func(v *visit, _ member, _ *page.Form) []question {
		return []question{
			{Field: page.Field{Name: "what", Label: v.T("grant.what")}, choices: v.givable()},
			{Field: page.Field{Name: "uses", Label: v.T("grant.uses"), Type: "number", Min: "1", Max: "1000", Value: "1", Required: true}},
			{Field: page.Field{Name: "ends_at", Label: v.T("grant.until"), Hint: v.T("optional"), Type: "date"}},
			reason(v),
		}
	},
	send: func(v *visit, m member, f *page.Form) (string, string, any) {
		body := f.Body("reason")
		kind, id, _ := strings.Cut(f.Get("what"), ":")
		body[kind] = id
		body["uses"] = whole64(f.Get("uses"))
		v.endOf(body, "ends_at", f.Get("ends_at"))
		return http.MethodPost, page.Path("members", m.ID, "grants"), body
	},
}

// takeAct is not offered by itself: each grant leads to it.
var takeAct = &act{
	name: "take-back", icon: "undo-2", needs: "adjustments:write", offered: present,
	ask: func(v *visit, _ member, f *page.Form) []question {
		return []question{{Field: page.Field{Name: "grant", Type: "hidden", Value: f.Get("grant")}}, reason(v)}
	},
	send: func(_ *visit, m member, f *page.Form) (string, string, any) {
		return http.MethodPost, page.Path("members", m.ID, "grants", cmp.Or(f.Get("grant"), "0"), "take-back"), f.Body("reason")
	},
}

var tierAct = &act{
	name: "tier", icon: "crown", needs: "adjustments:write",
	offered: func(v *visit, m member) bool { return active(v, m) && len(v.steps()) > 0 },
	ask: func(v *visit, _ member, _ *page.Form) []question {
		return []question{
			{Field: page.Field{Name: "step", Label: v.T("tier.least"), Hint: v.T("tier.least.hint")}, choices: v.steps()},
			{Field: page.Field{Name: "until", Label: v.T("grant.until"), Hint: v.T("optional"), Type: "date"}},
			reason(v),
		}
	},
	send: func(v *visit, m member, f *page.Form) (string, string, any) {
		body := f.Body("reason")
		body["set"], body["tier"], _ = strings.Cut(f.Get("step"), "/")
		v.endOf(body, "until", f.Get("until"))
		return http.MethodPost, page.Path("members", m.ID, "tiers"), body
	},
}

var profileFields = []string{"given_name", "family_name", "email", "phone", "birth", "postcode", "country", "language"}

var profileAct = &act{
	name: "profile", icon: "pencil", needs: "members:write", offered: present,
	ask: func(v *visit, m member, f *page.Form) []question {
		out := v.aboutMember()
		for i, q := range out {
			was := m.known()[q.Name]
			out[i].Value = was
			if f.Has("was_" + q.Name) {
				was = f.Get("was_" + q.Name)
			}
			out = append(out, question{Field: page.Field{Name: "was_" + q.Name, Type: "hidden", Value: was}})
		}
		return out
	},
	// What was not changed in the form is not sent, so that nobody's change is undone who was quicker.
	send: func(_ *visit, m member, f *page.Form) (string, string, any) {
		body := map[string]any{}
		for _, name := range profileFields {
			switch now := strings.TrimSpace(f.Get(name)); {
			case !f.Has(name) || now == f.Get("was_"+name):
			case now == "":
				body[name] = nil
			default:
				body[name] = now
			}
		}
		return http.MethodPatch, page.Path("members", m.ID), body
	},
}

var identifierAct = &act{
	name: "identifier", icon: "credit-card", needs: "members:write", offered: present,
	ask: func(v *visit, _ member, _ *page.Form) []question {
		return []question{
			{Field: page.Field{Name: "kind", Label: v.T("identifier.kind")}, choices: v.identifierKinds()},
			{Field: page.Field{Name: "value", Label: v.T("identifier.value"), Required: true, Auto: "off", Mono: true}},
		}
	},
	send: func(_ *visit, m member, f *page.Form) (string, string, any) {
		return http.MethodPost, page.Path("members", m.ID, "identifiers"), f.Body("kind", "value")
	},
}

// forgetAct is not offered by itself: each identifier leads to it.
var forgetAct = &act{
	name: "forget", icon: "trash-2", needs: "members:write", grave: true, offered: present,
	ask: func(_ *visit, _ member, f *page.Form) []question {
		return []question{
			{Field: page.Field{Name: "kind", Type: "hidden", Value: f.Get("kind")}},
			{Field: page.Field{Name: "value", Type: "hidden", Value: f.Get("value")}},
		}
	},
	send: func(_ *visit, m member, f *page.Form) (string, string, any) {
		return http.MethodDelete, page.Path("members", m.ID, "identifiers", cmp.Or(f.Get("kind"), "card"), cmp.Or(f.Get("value"), "-")), nil
	},
}

var blockAct = &act{name: "block", icon: "ban", needs: "members:write", grave: true, offered: active, ask: whyAlone, send: because("block")}

var unblockAct = &act{name: "unblock", icon: "circle-check", needs: "members:write", offered: blocked, ask: whyAlone, send: because("unblock")}

var closeAct = &act{name: "close", icon: "lock", needs: "members:write", grave: true, offered: present, ask: whyAlone, send: because("close")}

var mergeAct = &act{
	name: "merge", icon: "users", needs: "members:write", grave: true, offered: present,
	ask: func(v *visit, _ member, f *page.Form) []question {
		out := []question{
			{Field: page.Field{Name: "into", Label: v.T("merge.into"), Hint: v.T("merge.into.hint"), Required: true, Auto: "off", Value: f.Get("into")}},
			reason(v),
		}
		if other, err := v.named(f.Get("into")); err == nil && other.ID != "" {
			f.Set("into", other.ID)
			out[0].Value, out[0].Hint = other.ID, v.T("merge.survivor", other.Name(), other.Reached())
			out = append(out, question{Field: page.Field{Name: "sure", Type: "hidden", Value: other.ID}})
		}
		return out
	},
	send: func(v *visit, m member, f *page.Form) (string, string, any) {
		if f.Get("sure") != f.Get("into") || f.Get("into") == "" { // who takes everything over is shown before it is done
			other, err := v.named(f.Get("into"))
			if err != nil {
				f.Wrong["into"] = v.T("merge.nobody")
			} else {
				f.All = v.T("merge.sure", m.Name(), other.Name())
			}
			f.Del("sure")
			return "", "", nil
		}
		return http.MethodPost, page.Path("members", m.ID, "merge"), f.Body("into", "reason")
	},
}

// named finds a member by what people type: an id, a phone number, a card.
func (v *visit) named(q string) (m member, err error) {
	q = strings.TrimSpace(q)
	if q == "" {
		return m, errs.NotFound("member", "Nobody is named.")
	}
	for _, as := range []string{q, "card:" + q, "ext:" + q, "phone:" + q, "email:" + q} {
		if err = v.api.Get(v.r.Context(), page.Path("members", as), nil, &m); err == nil {
			return m, nil
		}
		if code := errs.CodeOf(err); code != errs.CodeNotFound && code != errs.CodeMalformed && code != errs.CodeInvalid {
			return m, err
		}
	}
	return m, err
}

// givable are the rewards and benefits that can be given by hand.
func (v *visit) givable() []page.Choice {
	var out []page.Choice
	if v.p == nil {
		return nil
	}
	for _, r := range v.p.Doc.Rewards {
		if r.Pay == nil {
			out = append(out, page.Choice{Value: "reward:" + r.ID, Label: cmp.Or(r.Title.In(v.lang), r.ID)})
		}
	}
	for _, b := range v.p.Doc.Benefits {
		out = append(out, page.Choice{Value: "benefit:" + b.ID, Label: cmp.Or(b.Title.In(v.lang), b.ID)})
	}
	return out
}

// steps are the tiers that can be set by hand, with none to lift what was set.
func (v *visit) steps() []page.Choice {
	var out []page.Choice
	if v.p == nil {
		return nil
	}
	var sets []string
	for id := range v.p.Tiers {
		sets = append(sets, id)
	}
	slices.Sort(sets)
	for _, id := range sets {
		for _, s := range v.p.Tiers[id].Steps {
			out = append(out, page.Choice{Value: id + "/" + s.ID, Label: cmp.Or(s.Name.In(v.lang), s.ID)})
		}
		out = append(out, page.Choice{Value: id + "/", Label: v.T("tier.lift", v.tierSet(id))})
	}
	return out
}

func (v *visit) identifierKinds() []page.Choice {
	out := []page.Choice{{Value: "card", Label: v.identifier("card")}, {Value: "ext", Label: v.identifier("ext")}}
	if v.p == nil {
		return out
	}
	var own []string
	for k := range v.p.Doc.Identifiers {
		if k != "card" && k != "ext" {
			own = append(own, k)
		}
	}
	slices.Sort(own)
	for _, k := range own {
		out = append(out, page.Choice{Value: k, Label: v.identifier(k)})
	}
	return out
}

// aboutMember are the fields of a profile.
func (v *visit) aboutMember() []question {
	languages := []page.Choice{{Value: "", Label: v.T("not_said")}}
	for _, l := range page.Languages {
		languages = append(languages, page.Choice{Value: l.Tag, Label: l.Name})
	}
	return []question{
		{Field: page.Field{Name: "given_name", Label: v.T("given_name"), Auto: "off"}},
		{Field: page.Field{Name: "family_name", Label: v.T("family_name"), Auto: "off"}},
		{Field: page.Field{Name: "phone", Label: v.T("phone"), Type: "tel", Auto: "off"}},
		{Field: page.Field{Name: "email", Label: v.T("email"), Type: "email", Auto: "off"}},
		{Field: page.Field{Name: "birth", Label: v.T("birth"), Hint: v.T("birth.hint"), Auto: "off"}},
		{Field: page.Field{Name: "postcode", Label: v.T("postcode"), Auto: "off"}},
		{Field: page.Field{Name: "country", Label: v.T("country"), Hint: v.T("country.hint"), Auto: "off"}},
		{Field: page.Field{Name: "language", Label: v.T("language")}, choices: languages},
	}
}

// known is the profile by the names of its fields.
func (m member) known() map[string]string {
	return map[string]string{
		"given_name": m.Given, "family_name": m.Family, "email": m.Email, "phone": m.Phone, "birth": m.Birth, "postcode": m.Postcode, "country": m.Country, "language": m.Language,
	}
}

// thousands is a number whose last mark may be one of thousands or of decimals: nobody knows.
var thousands = regexp.MustCompile(`[.,]\d{3}$`)

// typed makes a number of what people type: 12,50 and −5 too.
func (v *visit) typed(f *page.Form, name string) {
	s := strings.NewReplacer(" ", "", "\u00a0", "", "\u202f", "", "−", "-").Replace(strings.TrimSpace(f.Get(name)))
	if thousands.MatchString(s) {
		f.Wrong[name] = v.T("amount.unclear")
		return
	}
	if strings.Count(s, ",") == 1 && !strings.Contains(s, ".") {
		s = strings.Replace(s, ",", ".", 1)
	}
	f.Set(name, strings.TrimPrefix(s, "+"))
}

func whole64(s string) int64 {
	n, err := decimal(strings.TrimSpace(s)).Minor(0)
	if err != nil {
		return 0
	}
	return n
}

// endOf puts the end of a day into a body, in the program's zone.
func (v *visit) endOf(body map[string]any, name, day string) {
	if day == "" {
		return
	}
	t, err := time.ParseInLocation(time.DateOnly, day, v.zone(v.now))
	if err != nil {
		body[name] = day // the route says what is wrong with it
		return
	}
	body[name] = t.AddDate(0, 0, 1).Format(time.RFC3339)
}

// offers are the acts that the person may do to the member now.
func (v *visit) offers(m member) []*act {
	var out []*act
	for _, a := range acts {
		if v.may(a.needs) && a.offered(v, m) {
			out = append(out, a)
		}
	}
	return out
}

func (v *visit) oneMember() (m member, err error) {
	err = v.api.Get(v.r.Context(), page.Path("members", v.r.PathValue("member")), nil, &m)
	return m, err
}

// asking gives the fields with what was typed and what is wrong with it.
func (a *act) asking(v *visit, m member, f *page.Form) []question {
	out := a.ask(v, m, f)
	filled(out, f)
	return out
}

func filled(list []question, f *page.Form) {
	for i, q := range list {
		if f.Has(q.Name) && q.Type != "hidden" {
			list[i].Value = f.Get(q.Name)
		}
		list[i].Wrong = f.Wrong[q.Name]
	}
}

// show is the form.
func (a *act) show(_ *Console, v *visit) error {
	m, err := v.oneMember()
	if err != nil {
		return err
	}
	f := page.NewForm()
	f.Values = v.r.URL.Query()
	return v.show(actPage(v, m, a, f, a.asking(v, m, f)))
}

// do sends it on, and shows it again when it is refused.
func (a *act) do(_ *Console, v *visit) error {
	f, err := v.form()
	if err != nil {
		return err
	}
	m, err := v.oneMember()
	if err != nil {
		return err
	}
	if f.Has("amount") {
		v.typed(f, "amount")
	}
	show := func(status int) error { return v.showAs(status, actPage(v, m, a, f, a.asking(v, m, f))) }
	if len(f.Wrong) > 0 {
		return show(http.StatusUnprocessableEntity)
	}
	method, path, body := a.send(v, m, f)
	if method == "" {
		return show(http.StatusUnprocessableEntity)
	}
	if err := v.api.Do(v.r.Context(), method, path, nil, f.Get("key"), body, nil); err != nil {
		return v.again(f, err, show)
	}
	return v.said("/console/members/"+url.PathEscape(m.ID), a.name)
}

// once is a key for a form, so that it counts once however often it is sent.
func once() string { return ids.Code(26) }
