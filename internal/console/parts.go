package console

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/page"
)

// A document as forms: the values that people change most, each where it stands in the text. All else is changed in the text, which stays as it is
// written. Which values there are, the API says; which of them have words, partWords.

// setting is a value of the draft.
type setting struct {
	Pointer string `json:"pointer"`
	Value   string `json:"value"`
	Kind    string `json:"kind"`
}

// partItem is something of a part, such as one reward, with its values.
type partItem struct {
	title string
	// texts are what it is called in each language.
	texts, values []question
}

// wrongIn says whether something of a list is.
func wrongIn(list []question) bool {
	return slices.ContainsFunc(list, func(q question) bool { return q.Wrong != "" })
}

type part struct {
	id      string
	entries []partItem
}

// parts are those of the document that have forms, in this order.
var documentParts = []string{"name", "units", "earn", "tiers", "rewards", "benefits", "returns", "transfers"}

// listed are the parts that hold several things, each with values of its own.
var listed = map[string]bool{"units": true, "earn": true, "tiers": true, "rewards": true, "benefits": true}

// tongue is the place of a text's language among those of the pages; names come before what explains them.
func tongue(pointer string) int {
	for i, l := range page.Languages {
		if strings.HasSuffix(pointer, "/"+l.Tag) {
			if strings.Contains(pointer, "/text/") || strings.Contains(pointer, "/description/") {
				i += len(page.Languages)
			}
			return i
		}
	}
	return -1
}

// labelOf gives the words of a value by where it stands, and whether it is a text in some language; ok is false for what has no form.
func (v *visit) labelOf(at []string) (label string, named, ok bool) {
	last := at[len(at)-1]
	before := ""
	if len(at) > 1 {
		before = at[len(at)-2]
	}
	for _, l := range page.Languages {
		if l.Tag == last && slices.Contains([]string{"name", "title", "text", "description"}, before) {
			return v.T("part."+before) + " (" + l.Name + ")", true, true
		}
	}
	switch {
	case before == "price" && at[0] == "rewards":
		return v.T("part.price", v.unit(last)), false, true
	case before == "steps" || before == "name":
		return "", false, false
	}
	key := "part." + last
	switch before {
	case "limit", "expires", "down", "voucher", "give", "total":
		key = "part." + before + "." + last
	}
	if _, known := words[key]; !known {
		return "", false, false
	}
	return v.T(key), false, true
}

// partsOf makes forms of the values.
func (v *visit) partsOf(list []setting, f *page.Form) []part {
	said := map[string]string{}
	for _, s := range list {
		said[s.Pointer] = s.Value
	}
	title := func(base, otherwise string) string {
		for _, end := range []string{"/title/" + v.lang, "/name/" + v.lang, "/name/" + v.lang + "/other", "/title", "/name", "/id"} {
			if t := said[base+end]; t != "" {
				return t
			}
		}
		return otherwise
	}
	var out []part
	for _, id := range documentParts {
		p := part{id: id}
		places := map[string]int{}
		for _, s := range list {
			at := strings.Split(strings.TrimPrefix(s.Pointer, "/"), "/")
			if at[0] != id {
				continue
			}
			if id == "name" && len(at) == 1 { // one name for all languages
				at = []string{"name", v.lang}
			}
			label, named, ok := v.labelOf(at)
			if !ok {
				continue
			}
			base, head := "/"+id, ""
			if listed[id] && len(at) > 2 {
				base += "/" + at[1]
				head = title(base, at[1])
				if i := slices.Index(at, "steps"); i > 0 && i+1 < len(at)-1 {
					base += "/steps/" + at[i+1]
					head += " · " + title(base, at[i+1])
				}
			}
			place, there := places[base]
			if !there {
				place, places[base] = len(p.entries), len(p.entries)
				p.entries = append(p.entries, partItem{title: head})
			}
			e := &p.entries[place]
			if per := said[s.Pointer[:strings.LastIndexByte(s.Pointer, '/')]+"/per"]; per != "" && strings.Contains(s.Pointer, "/limit/") {
				if _, known := words["part.each."+per]; known {
					label += " " + v.T("part.each."+per)
				}
			}
			q := question{Field: page.Field{Name: s.Pointer, ID: "s" + strings.NewReplacer("/", "-", "~", "_").Replace(s.Pointer), Label: label, Value: s.Value, Wrong: f.Wrong[s.Pointer], Auto: "off"}}
			if f.Has(s.Pointer) {
				q.Value = f.Get(s.Pointer)
			}
			if s.Kind == "number" {
				q.Mode = "decimal"
			}
			if named {
				e.texts = append(e.texts, q)
			} else {
				e.values = append(e.values, q)
			}
		}
		for _, e := range p.entries {
			slices.SortStableFunc(e.texts, func(a, b question) int { return tongue(a.Name) - tongue(b.Name) })
		}
		if len(p.entries) > 0 {
			out = append(out, p)
		}
	}
	return out
}

// set asks for the values of a text, with some of them changed.
func (v *visit) set(source string, changes map[string]string) (text string, list []setting, err error) {
	var out struct {
		Source   string
		Settings []setting
	}
	err = v.api.Post(v.r.Context(), page.Path("program", "settings"), "", map[string]any{"source": source, "set": changes}, &out)
	return out.Source, out.Settings, err
}

func (c *Console) partsPage(v *visit) error {
	var d draft
	if err := v.api.Get(v.r.Context(), page.Path("program", "draft"), nil, &d); err != nil {
		return err
	}
	return c.partsWith(v, http.StatusOK, d, page.NewForm())
}

func (c *Console) partsWith(v *visit, status int, d draft, f *page.Form) error {
	_, list, err := v.set(d.Source, nil)
	if errs.CodeOf(err) == errs.CodeInvalid { // a text that cannot be read is mended as a text
		return v.to("/console/program/draft")
	}
	if err != nil {
		return err
	}
	return v.showAs(status, partsPage(v, d, v.partsOf(list, f), f))
}

// keepParts keeps the draft with the values that were changed, once they make sense.
func (c *Console) keepParts(v *visit) error {
	f, err := v.form()
	if err != nil {
		return err
	}
	ctx := v.r.Context()
	var d draft
	if err := v.api.Get(ctx, page.Path("program", "draft"), nil, &d); err != nil {
		return err
	}
	again := func(err error) error {
		return v.again(f, err, func(status int) error { return c.partsWith(v, status, d, f) })
	}
	if strconv.FormatInt(d.Revision, 10) != f.Get("revision") {
		return again(errs.Conflict("stale_revision", v.T("refused.stale_revision")))
	}
	_, list, err := v.set(d.Source, nil)
	if err != nil {
		return err
	}
	changes := map[string]string{}
	for _, s := range list {
		if !f.Has(s.Pointer) {
			continue
		}
		if s.Kind == "number" && f.Get(s.Pointer) != s.Value {
			v.typed(f, s.Pointer)
		}
		if now := strings.TrimSpace(f.Get(s.Pointer)); now != s.Value {
			changes[s.Pointer] = now
		}
	}
	if len(f.Wrong) > 0 {
		return c.partsWith(v, http.StatusUnprocessableEntity, d, f)
	}
	text, _, err := v.set(d.Source, changes)
	if err != nil {
		for _, field := range errs.As(err).Fields {
			f.Wrong[strings.NewReplacer("~1", "/", "~0", "~").Replace(strings.TrimPrefix(field.Pointer, "/set/"))] = field.Message
		}
		return again(err)
	}
	s, err := c.see(v, text)
	if err != nil {
		return err
	}
	for _, p := range s.Problems {
		if _, mine := changes[p.Pointer]; mine { // other mistakes were there before, and are told on the page of the text
			f.Wrong[p.Pointer] = p.Message
		}
	}
	if len(f.Wrong) > 0 {
		f.All = v.T("parts.wrong")
		return c.partsWith(v, http.StatusUnprocessableEntity, d, f)
	}
	err = v.api.Do(ctx, http.MethodPut, page.Path("program", "draft"), nil, "", map[string]any{"source": text, "revision": d.Revision}, nil)
	if err != nil {
		return again(err)
	}
	if f.Get("then") == "try" {
		return v.to("/console/program/try")
	}
	return v.said("/console/program/draft", "draft_kept")
}
