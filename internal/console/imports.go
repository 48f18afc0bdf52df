package console

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/importer"
	"lojal.dev/lojal/internal/page"
)

// uploading is the line whose form is a file, which goes on to the API as it comes: the route there says how large it may be.
const uploading = "POST /console/imports/new"

// imported is an import as the API tells of it.
type imported struct {
	ID        string            `json:"id"`
	Kind      string            `json:"kind"`
	File      string            `json:"file"`
	Status    string            `json:"status"`
	Startable bool              `json:"startable"`
	Error     string            `json:"error"`
	DryRun    bool              `json:"dry_run"`
	Done      int64             `json:"done"`
	Facts     int64             `json:"facts"`
	Rows      int64             `json:"rows"`
	Recorded  int64             `json:"recorded"`
	Known     int64             `json:"known"`
	Enrolled  int64             `json:"enrolled"`
	Refused   int64             `json:"refused"`
	Guests    int64             `json:"guests"`
	Members   int64             `json:"members"`
	From      *time.Time        `json:"from"`
	Until     *time.Time        `json:"until"`
	Earned    map[string]string `json:"earned"`
	Mapping   string            `json:"mapping"`
	Refusals  []struct {
		Row    int64  `json:"row"`
		Reason string `json:"reason"`
	} `json:"refusals"`
	Sample []struct {
		Member     string    `json:"member"`
		At         time.Time `json:"at"`
		ExternalID string    `json:"external_id"`
		Amount     string    `json:"amount"`
		Lines      int64     `json:"lines"`
		Store      string    `json:"store"`
		Kind       string    `json:"kind"`
	} `json:"sample"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// busy says that more is to come by itself.
func (i *imported) busy() bool { return i.Status == "waiting" || i.Status == "running" }

// tried says that the last dry run came to its end.
func (i *imported) tried() bool { return i.Status == "done" && i.DryRun }

// good are the rows that are taken, or would be.
func (i *imported) good() int64 { return max(i.Rows-i.Refused-i.Guests, 0) }

// stateOf is the word for how far it is, and how it is to be seen.
func (v *visit) stateOf(i imported) (word, look string) {
	switch {
	case i.tried():
		return v.T("import.state.tried"), "info"
	case i.Status == "running" && i.DryRun:
		return v.T("import.state.trying"), "info"
	case i.Status == "done" && i.Refused > 0:
		look = "warn"
	case i.Status == "done":
		look = "good"
	case i.Status == "failed":
		look = "bad"
	case i.busy():
		look = "info"
	}
	return v.T("import.state." + i.Status), look
}

// share is how much of a hundred is done.
func (i *imported) share() int64 {
	if i.Facts == 0 {
		return 0
	}
	return i.Done * 100 / i.Facts
}

func (c *Console) imports(v *visit) error {
	ask := url.Values{"limit": {"50"}}
	if cursor := v.r.URL.Query().Get("cursor"); cursor != "" {
		ask.Set("cursor", cursor)
	}
	var list struct {
		Items []imported
		Next  string `json:"next_cursor"`
	}
	if err := v.api.Get(v.r.Context(), page.Path("imports"), ask, &list); err != nil {
		return err
	}
	return v.show(importsPage(v, list.Items, list.Next))
}

func (c *Console) newImport(v *visit) error { return v.show(newImportPage(v, page.NewForm())) }

func (c *Console) upload(v *visit) error {
	var i imported
	if err := v.api.Upload(v.w, v.r, page.Path("imports"), url.Values{"draft": {"true"}}, &i); err != nil {
		f := page.NewForm()
		return v.again(f, err, func(status int) error { return v.showAs(status, newImportPage(v, f)) })
	}
	return v.to("/console/imports/" + url.PathEscape(i.ID) + "/mapping")
}

func (v *visit) oneImport() (i imported, err error) {
	err = v.api.Get(v.r.Context(), page.Path("imports", v.r.PathValue("import")), nil, &i)
	return i, err
}

func (c *Console) oneImport(v *visit) error {
	i, err := v.oneImport()
	if err != nil {
		return err
	}
	if i.Status == "draft" && v.may("imports:write") {
		return v.to("/console/imports/" + url.PathEscape(i.ID) + "/mapping")
	}
	if v.r.Header.Get("HX-Request") == "true" {
		return v.show(importState(v, i))
	}
	return v.show(importPage(v, i))
}

// sentFile is the beginning of the file of an import.
type sentFile struct {
	Columns []struct {
		Number  int      `json:"number"`
		Name    string   `json:"name"`
		Samples []string `json:"samples"`
	} `json:"columns"`
	Rows      [][]string `json:"rows"`
	Header    bool       `json:"header"`
	Charset   string     `json:"charset"`
	Delimiter string     `json:"delimiter"`
	Guess     string     `json:"guess"`
	Earlier   string     `json:"earlier"`
}

// target is a field of ours that a column of the file, or a fixed text, can stand for.
type target struct {
	path, label string
	// fixed says that one text for all rows makes sense, must that the import needs it.
	fixed, must bool
}

var (
	importKinds = []importer.Kind{importer.Members, importer.Purchases, importer.Activities}
	fixable     = []string{
		"member.language", "member.country", "member.zone", "enrolment.store", "enrolment.channel", "purchase.store", "purchase.channel", "purchase.currency", "purchase.payment",
		"activity.kind", "activity.store", "activity.channel",
	}
	musts = []string{"member", "purchase.at", "line.amount", "activity.kind", "activity.at"}
)

// targets are the fields of a kind of file, with the program's own units, identifiers and properties.
func (v *visit) targets(kind importer.Kind) []target {
	var out []target
	for _, p := range importer.Fields(kind) {
		out = append(out, target{path: p, label: v.T("map." + p), fixed: slices.Contains(fixable, p), must: slices.Contains(musts, p)})
	}
	if v.p == nil {
		return out
	}
	switch kind {
	case importer.Members:
		for _, k := range v.identifierKinds() {
			if k.Value != "card" && k.Value != "ext" {
				out = append(out, target{path: "member.identifiers." + k.Value, label: k.Label})
			}
		}
		for _, u := range v.p.UnitIDs {
			out = append(out, target{path: "balance." + u, label: v.T("map.balance", v.unit(u))})
		}
	case importer.Activities:
		seen := map[string]bool{}
		for _, a := range v.p.Doc.Activities {
			for name := range a.Properties {
				seen[name] = true
			}
		}
		for _, name := range keysOf(seen) {
			out = append(out, target{path: "activity.properties." + name, label: name})
		}
	}
	return out
}

// keysOf are the keys of a map in their order.
func keysOf[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }

// activityName is what to call what a member did.
func (v *visit) activityName(kind string) string {
	if v.p != nil {
		if n := v.p.Doc.Activities[kind].Name.In(v.lang); n != "" {
			return n
		}
	}
	return kind
}

// columns are the choices for a field.
func (v *visit) columns(file *sentFile) []page.Choice {
	out := []page.Choice{{Value: "", Label: v.T("map.none")}}
	for _, c := range file.Columns {
		label := cmp.Or(c.Name, v.T("map.column", strconv.Itoa(c.Number)))
		if len(c.Samples) > 0 {
			label += " – " + short(c.Samples[0])
		}
		out = append(out, page.Choice{Value: strconv.Itoa(c.Number), Label: label})
	}
	return out
}

// short cuts what would make a list too wide.
func short(s string) string {
	if r := []rune(s); len(r) > 24 {
		return string(r[:23]) + "…"
	}
	return s
}

// column finds the number of a mapping's column in the file, "" when it is not there.
func (f *sentFile) column(c importer.Column) string {
	for _, have := range f.Columns {
		if have.Number == c.Number || c.Name != "" && strings.EqualFold(have.Name, c.Name) {
			return strconv.Itoa(have.Number)
		}
	}
	return ""
}

// columnOf is how a mapping names a column: by its name, as long as that is the only one.
func (f *sentFile) columnOf(number string) (importer.Column, bool) {
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > len(f.Columns) {
		return importer.Column{}, false
	}
	name, same := f.Columns[n-1].Name, 0
	for _, c := range f.Columns {
		if strings.EqualFold(c.Name, name) {
			same++
		}
	}
	if name == "" || same > 1 {
		return importer.Column{Number: n}, true
	}
	return importer.Column{Name: name}, true
}

// fill writes a mapping into the fields of a form.
func (f *sentFile) fill(form *page.Form, m *importer.Mapping) {
	for _, p := range m.Given() {
		if p.Value.Always != "" {
			form.Set("always."+p.Path, p.Value.Always)
		} else if len(p.Value.Columns) == 1 {
			form.Set("col."+p.Path, f.column(p.Value.Columns[0]))
		}
	}
	form.Set("source", m.Source)
	form.Set("as", cmp.Or(m.Member.As, "card"))
	if m.Member.Enrol {
		form.Set("enrol", "yes")
	}
	form.Set("decimal", cmp.Or(m.Numbers.Decimal, "."))
	form.Set("thousands", m.Numbers.Thousands)
	form.Set("dates", m.Dates.Format)
	form.Set("zone", m.Dates.Zone)
	form.Set("time", m.Dates.Time)
}

// mapping makes the mapping of what was filled in.
func (v *visit) mapping(kind importer.Kind, file *sentFile, form *page.Form) *importer.Mapping {
	header := form.Get("header") != "no"
	m := &importer.Mapping{
		Import: kind, Source: strings.TrimSpace(form.Get("source")), File: importer.Layout{Delimiter: form.Get("delimiter"), Header: &header},
		Numbers: importer.Numbers{Thousands: form.Get("thousands")}, Dates: importer.Dates{Format: strings.TrimSpace(form.Get("dates")), Zone: strings.TrimSpace(form.Get("zone")), Time: form.Get("time")},
	}
	if d := form.Get("decimal"); d != "." {
		m.Numbers.Decimal = d
	}
	if kind != importer.Members {
		m.Member.As, m.Member.Enrol = form.Get("as"), form.Get("enrol") == "yes"
	}
	for _, t := range v.targets(kind) {
		if c, ok := file.columnOf(form.Get("col." + t.path)); ok {
			m.Put(t.path, importer.Value{With: "/", Columns: []importer.Column{c}})
		} else if text := strings.TrimSpace(form.Get("always." + t.path)); text != "" && t.fixed {
			m.Put(t.path, importer.Value{With: "/", Always: text})
		}
	}
	return m
}

// reading says to the route how the file is to be read.
func reading(q url.Values) url.Values {
	out := url.Values{}
	if k := importer.Kind(q.Get("kind")); slices.Contains(importKinds, k) {
		out.Set("kind", string(k))
	}
	switch q.Get("header") {
	case "yes":
		out.Set("header", "true")
	case "no":
		out.Set("header", "false")
	}
	if d := q.Get("delimiter"); d != "" {
		out.Set("delimiter", d)
	}
	return out
}

// mapped is the page on which the columns of a file are told.
type mapped struct {
	imported imported
	file     sentFile
	kind     importer.Kind
	// asText says that the mapping is written as text, because it was asked for, or because a form cannot say it.
	asText bool
	// like says where what is filled in comes from: guess, earlier or last.
	like string
	form *page.Form
}

// halves are the fields that are needed or filled in, and those that may be.
func (m *mapped) halves(all []target) (first, rest []target) {
	for _, t := range all {
		if t.must || m.form.Get("col."+t.path) != "" || m.form.Get("always."+t.path) != "" || m.form.Wrong[t.path] != "" {
			first = append(first, t)
		} else {
			rest = append(rest, t)
		}
	}
	return first, rest
}

func (v *visit) lookInto(i imported, q url.Values) (m mapped, err error) {
	m = mapped{imported: i, form: page.NewForm()}
	err = v.api.Get(v.r.Context(), page.Path("imports", i.ID, "file"), reading(q), &m.file)
	return m, err
}

func (c *Console) mappingPage(v *visit) error {
	i, err := v.oneImport()
	if err != nil {
		return err
	}
	if !i.Startable {
		return v.to("/console/imports/" + url.PathEscape(i.ID))
	}
	q := v.r.URL.Query()
	again := q.Get("kind") == "" && q.Get("like") != "guess" // nothing was chosen on the page
	if last := importer.Drafted(i.Mapping).File; again && last.Header != nil {
		q.Set("header", map[bool]string{true: "yes", false: "no"}[*last.Header])
		q.Set("delimiter", last.Delimiter)
	}
	m, err := v.lookInto(i, q)
	if err != nil {
		return err
	}
	text := m.file.Guess
	m.like = "guess"
	switch {
	case again && i.Mapping != "":
		text, m.like = i.Mapping, "last"
	case again && m.file.Earlier != "":
		text, m.like = m.file.Earlier, "earlier"
	}
	mapping := importer.Drafted(text)
	m.kind = cmp.Or(mapping.Import, importer.Purchases)
	m.file.fill(m.form, mapping)
	m.form.Set("text", text)
	m.form.Set("header", map[bool]string{true: "yes", false: "no"}[m.file.Header])
	m.form.Set("delimiter", q.Get("delimiter"))
	m.asText = q.Get("as") == "text" || !mapping.Simple()
	return v.show(mappingPage(v, m))
}

// tryMapping has what was filled in tried on the whole file.
func (c *Console) tryMapping(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	i, err := v.oneImport()
	if err != nil {
		return err
	}
	m, err := v.lookInto(i, form.Values) // the rows are shown as they were when it was filled in
	if err != nil {
		return err
	}
	m.form, m.kind, m.asText = form, importer.Kind(form.Get("kind")), form.Get("as_text") == "yes"
	if !slices.Contains(importKinds, m.kind) {
		m.kind = importer.Purchases
	}
	text := form.Get("text")
	if !m.asText {
		if text, err = v.mapping(m.kind, &m.file, form).YAML(); err != nil {
			return err
		}
		form.Set("text", text)
	}
	err = v.api.Post(v.r.Context(), page.Path("imports", i.ID, "start"), form.Get("key"), map[string]any{"mapping": text, "dry_run": true}, nil)
	if err != nil {
		return v.again(form, err, func(status int) error {
			v.beside(form, err)
			return v.showAs(status, mappingPage(v, m))
		})
	}
	return v.to("/console/imports/" + url.PathEscape(i.ID))
}

// beside puts the mistakes of a mapping at the fields of the form, by their place in the document.
func (v *visit) beside(form *page.Form, err error) {
	e := errs.As(err)
	if form.Get("as_text") != "yes" && e.Reason == "invalid_mapping" && len(e.Fields) > 0 {
		form.All = v.T("import.mapping.wrong")
	}
	for _, field := range e.Fields {
		path := strings.ReplaceAll(strings.TrimPrefix(field.Pointer, "/"), "/", ".")
		switch {
		case path == "line":
			path = "line.amount"
		case path == "member" && form.Get("kind") == string(importer.Members):
			path = "member.external_id"
		}
		text := field.Message
		if field.Reason == "required" {
			text = v.T("import.mapping.choose")
		}
		form.Wrong[path] = text
	}
}

// startImport has what was tried imported.
func (c *Console) startImport(v *visit) error {
	f, err := v.form()
	if err != nil {
		return err
	}
	id := v.r.PathValue("import")
	if err := v.api.Post(v.r.Context(), page.Path("imports", id, "start"), f.Get("key"), map[string]any{"dry_run": false}, nil); err != nil {
		return err
	}
	return v.to("/console/imports/" + url.PathEscape(id))
}

func (c *Console) cancelImport(v *visit) error {
	id := v.r.PathValue("import")
	if err := v.api.Post(v.r.Context(), page.Path("imports", id, "cancel"), "", nil, nil); err != nil {
		return err
	}
	return v.said("/console/imports", "import_cancelled")
}

// refusedRows hands the refused rows on as a file.
func (c *Console) refusedRows(v *visit) error {
	raw, err := v.api.Raw(v.r.Context(), http.MethodGet, page.Path("imports", v.r.PathValue("import"), "refused"), nil, "", nil)
	if err != nil {
		return err
	}
	h := v.w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="refused.csv"`)
	v.done = true
	_, _ = v.w.Write(raw) // who asked may be gone
	return nil
}
