package console

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"lojal.dev/lojal/internal/page"
)

// things are those of a kind that have a page of their own: redemptions, gift cards, partners.
type things[T any] struct {
	// word is that of their words: deed.WORD.DEED, said.WORD_DEED. in is the part of the address that names one.
	word, in string
	get      func(v *visit, id string) (T, error)
	name     func(v *visit, t *T) string
	// back is the address of the thing's page.
	back func(t *T) string
}

// deed is something that staff do to a thing by a form of its own, on a page below that of the thing. What it may do, the route says that it asks.
type deed[T any] struct {
	on *things[T]
	// name is the end of its address.
	name, icon, needs string
	// grave says that it cannot be undone, or that it hurts.
	grave bool
	// offered says whether it makes sense for the thing now; always, where it is nil.
	offered func(v *visit, t *T) bool
	// ask gives the fields; those of amounts are read as people type numbers.
	ask     func(v *visit, t *T, f *page.Form) []question
	amounts []string
	// send gives the route with what is sent to it; an empty method sends nothing, and shows what was put into the form.
	send func(v *visit, t *T, f *page.Form) (method, path string, body any)
	// secrets, where it is there, are what is in the answer and nowhere else: they are shown instead of the thing's page. onlySecrets says that the answer
	// is asked for them alone, so that nothing was changed.
	secrets func(v *visit, answer []byte) []secret
	// after, where it is there, is the page that follows in place of the thing's.
	after func(t *T, answer []byte) string
}

// secret is something that is shown once.
type secret struct{ Label, Value string }

func (d *deed[T]) show(_ *Console, v *visit) error {
	t, err := d.on.get(v, v.r.PathValue(d.on.in))
	if err != nil {
		return err
	}
	f := page.NewForm()
	f.Values = v.r.URL.Query()
	return v.show(deedPage(v, d.look(v, &t, f)))
}

func (d *deed[T]) do(_ *Console, v *visit) error {
	f, err := v.form()
	if err != nil {
		return err
	}
	t, err := d.on.get(v, v.r.PathValue(d.on.in))
	if err != nil {
		return err
	}
	for _, name := range d.amounts {
		if f.Has(name) {
			v.typed(f, name)
		}
	}
	show := func(status int) error { return v.showAs(status, deedPage(v, d.look(v, &t, f))) }
	if len(f.Wrong) > 0 {
		return show(http.StatusUnprocessableEntity)
	}
	method, path, body := d.send(v, &t, f)
	if method == "" {
		return show(http.StatusUnprocessableEntity)
	}
	raw, err := v.api.Raw(v.r.Context(), method, path, nil, f.Get("key"), body)
	if err != nil {
		return v.again(f, err, show)
	}
	if d.secrets != nil {
		if list := d.secrets(v, raw); len(list) > 0 {
			return v.show(secretPage(v, d.look(v, &t, f), list))
		}
	}
	to := d.on.back(&t)
	if d.after != nil {
		to = d.after(&t, raw)
	}
	return v.said(to, d.on.word+"_"+d.name)
}

// deedLook is what the page of a deed shows.
type deedLook struct {
	key, back, name string
	grave           bool
	form            *page.Form
	list            []question
}

func (d *deed[T]) look(v *visit, t *T, f *page.Form) deedLook {
	out := deedLook{key: d.on.word + "." + d.name, back: d.on.back(t), name: d.on.name(v, t), grave: d.grave, form: f}
	if d.ask != nil {
		out.list = d.ask(v, t, f)
		filled(out.list, f)
	}
	return out
}

// deedLink leads from a thing's page to a deed.
type deedLink struct {
	key, name, icon, to string
	grave               bool
}

func (d *deed[T]) link(v *visit, t *T) (deedLink, bool) {
	if !v.may(d.needs) || d.offered != nil && !d.offered(v, t) {
		return deedLink{}, false
	}
	return deedLink{d.on.word + "." + d.name, d.name, d.icon, d.on.back(t) + "/" + d.name, d.grave}, true
}

// deedLinks are those of the deeds that the person may do to the thing now.
func deedLinks[T any](v *visit, t *T, list []*deed[T]) (out []deedLink) {
	for _, d := range list {
		if l, ok := d.link(v, t); ok {
			out = append(out, l)
		}
	}
	return out
}

// below is the address of a page of the console.
func below(parts ...string) string {
	var b strings.Builder
	b.WriteString("/console")
	for _, p := range parts {
		b.WriteString("/" + url.PathEscape(p))
	}
	return b.String()
}

// sendTo sends a body to a route below a thing.
func sendTo(body any, parts ...string) (method, path string, sent any) {
	return http.MethodPost, page.Path(parts...), body
}

// whyMaybe is a field for a reason that may be left out.
func whyMaybe(v *visit) question {
	return question{Field: page.Field{Name: "reason", Label: v.T("reason"), Hint: v.T("optional")}}
}

// readAnswer reads an answer whose form is known.
func readAnswer(raw []byte, out any) bool { return json.Unmarshal(raw, out) == nil }
