package api

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/invopop/jsonschema"

	"lojal.dev/lojal/internal/web"
)

// The pages show the OpenAPI document to people. Each is made when it is first asked for, once, so that a process that nobody asks
// starts without them. They hold no data of any program, and need nothing from elsewhere: no script is needed to read them, the one
// there is copies an example.

//go:embed page
var pageFiles embed.FS

// still is something that does not change while the program runs.
type still struct {
	kind, tag string
	body      []byte
	// zipped is the body compressed, nil where that is not worth it.
	zipped []byte
}

func newStill(kind string, body []byte) still {
	sum := sha256.Sum256(body)
	s := still{kind: kind, tag: `"` + hex.EncodeToString(sum[:8]) + `"`, body: body}
	if len(body) >= 1024 {
		s.zipped = web.Zip(body)
	}
	return s
}

// once is a still that is made when it is first asked for.
func once(kind string, body func() []byte) http.HandlerFunc {
	made := sync.OnceValue(func() still { return newStill(kind, body()) })
	return func(w http.ResponseWriter, r *http.Request) { made().ServeHTTP(w, r) }
}

// constant are the pages that are the same in every server of a process; the others tell its build.
var constant = []struct {
	pattern string
	http.Handler
}{
	{"GET /openapi.json", once("application/json", func() []byte { return newDocument().json })},
	{"GET /openapi.yaml", once("application/yaml", func() []byte { return newDocument().yaml() })},
	{"GET /docs/style.css", once("text/css; charset=utf-8", func() []byte { return pageFile("style.css") })},
	{"GET /docs/script.js", once("text/javascript; charset=utf-8", func() []byte { return pageFile("script.js") })},
	{"GET /{$}", http.RedirectHandler("/docs", http.StatusFound)},
}

func pageFile(name string) []byte {
	b, err := pageFiles.ReadFile("page/" + name)
	if err != nil {
		panic("api: " + err.Error())
	}
	return b
}

func (p still) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "public, max-age=300")
	h.Set("ETag", p.tag)
	body := p.body
	if p.zipped != nil {
		h.Set("Vary", "Accept-Encoding")
		if web.TakesGzip(r) {
			body = p.zipped
			h.Set("ETag", web.Zipped(p.tag))
		}
	}
	if web.Matches(r.Header.Get("If-None-Match"), p.tag, true) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", p.kind)
	if len(body) != len(p.body) {
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // the client may be gone
}

// pages puts them up, and gives their patterns.
func (s *Server) pages(mux *http.ServeMux) (patterns []string) {
	put := func(pattern string, h http.Handler) {
		mux.Handle(pattern, h)
		patterns = append(patterns, pattern)
	}
	for _, p := range constant {
		put(p.pattern, p)
	}
	const html = "text/html; charset=utf-8"
	put("GET /marks/{program}", http.HandlerFunc(s.marks))
	put("GET /docs", once(html, func() []byte { return newDocument().page("reference.html", s.Build) }))
	put("GET /docs/errors", once(html, func() []byte { return newDocument().page("errors.html", s.Build) }))
	return patterns
}

// page renders one of the templates.
func (d *document) page(name string, build BuildInfo) []byte {
	t := template.Must(template.New(name).Funcs(template.FuncMap{
		"anchor": anchor,
		"prose":  prose,
		"inline": inline,
	}).ParseFS(pageFiles, "page/layout.html", "page/"+name))
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "layout", d.pageData(build)); err != nil {
		panic("api: " + err.Error())
	}
	return b.Bytes()
}

type pageData struct {
	Build   BuildInfo
	Intro   string
	Groups  []pageGroup
	Schemas []pageSchema
	Codes   any
}

type pageGroup struct {
	Name, Text string
	Operations []pageOperation
}

type pageOperation struct {
	ID, Method, Path, Summary, Text, Scope string
	Params                                 []pageParam
	Curl                                   string
	BodyType                               template.HTML
	Status                                 int
	AnswerType                             template.HTML
	Answer                                 string
	Failures                               []pageFailure
}

type pageFailure struct {
	Status int
	Text   string
}

type pageParam struct {
	Name, In, Text string
	Type           template.HTML
	Required       bool
}

type pageSchema struct {
	Name, Text string
	Type       template.HTML
	Fields     []pageParam
}

func (d *document) pageData(build BuildInfo) pageData {
	p := pageData{Build: build, Intro: introduction, Codes: web.Codes}
	for _, tag := range tagTexts {
		g := pageGroup{Name: tag[0], Text: tag[1]}
		for _, r := range d.routes {
			if r.Tag == tag[0] {
				g.Operations = append(g.Operations, d.pageOperation(r))
			}
		}
		p.Groups = append(p.Groups, g)
	}
	for _, name := range slices.Sorted(mapKeys(d.schemas)) {
		s := d.schemas[name]
		one := pageSchema{Name: name, Text: s.Description}
		if s.Properties == nil {
			one.Type = typeOf(s)
		} else {
			for f := s.Properties.Oldest(); f != nil; f = f.Next() {
				one.Fields = append(one.Fields, pageParam{
					Name: f.Key, Text: unnamed(f.Key, f.Value.Description), Type: typeOf(f.Value), Required: slices.Contains(s.Required, f.Key),
				})
			}
		}
		p.Schemas = append(p.Schemas, one)
	}
	return p
}

func (d *document) pageOperation(r *Route) pageOperation {
	op := pageOperation{
		ID: r.operationID(), Method: r.Method, Path: r.Path, Summary: r.Summary, Text: r.Text, Scope: r.Scope, Status: r.Status,
		Curl: r.curl(), Answer: indented(string(r.answer())),
	}
	for _, p := range d.params[r] {
		op.Params = append(op.Params, pageParam{Name: p.name, In: p.in, Text: unnamed(p.name, p.text), Type: typeOf(p.schema), Required: p.required})
	}
	if s := d.bodies[r]; s != nil {
		op.BodyType = typeOf(s)
	}
	if s := d.answers[r]; s != nil {
		op.AnswerType = typeOf(s)
	}
	for _, status := range r.failures() {
		op.Failures = append(op.Failures, pageFailure{status, problemTexts[status]})
	}
	return op
}

// unnamed is the text of a field without its name, which stands beside it: "`lang` is the language" is "The language".
func unnamed(name, text string) string {
	rest, ok := strings.CutPrefix(text, "`"+name+"` ")
	if !ok {
		return text
	}
	for _, verb := range []string{"is ", "are "} {
		if after, ok := strings.CutPrefix(rest, verb); ok {
			rest = after
			break
		}
	}
	first, size := utf8.DecodeRuneInString(rest)
	if !unicode.IsLower(first) {
		return rest
	}
	return string(unicode.ToUpper(first)) + rest[size:]
}

// curl is the example as a command.
func (r *Route) curl() string {
	path, i := "", 0
	for part := range strings.SplitSeq(strings.TrimPrefix(r.Path, "/"), "/") {
		if strings.HasPrefix(part, "{") {
			if i < len(r.Example) {
				part = r.Example[i]
			}
			i++
		}
		path += "/" + part
	}
	if r.Query != "" {
		path += "?" + r.Query
	}
	var b strings.Builder
	b.WriteString("curl")
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		b.WriteString(" -X " + r.Method)
	}
	if r.Method == http.MethodPost && r.Body == "" {
		b.WriteString(" -X POST")
	}
	b.WriteString(` "$LOJAL` + path + `"`)
	if r.Scope != Open {
		b.WriteString(" \\\n  -H \"Authorization: Bearer $LOJAL_KEY\"")
	}
	if r.Body != "" {
		b.WriteString(" \\\n  -H 'Content-Type: application/json' \\\n  -d '" + indented(r.Body) + "'")
	}
	return b.String()
}

func indented(text string) string {
	v := jsontext.Value(text)
	if text == "" || v.Indent(jsontext.WithIndent("  ")) != nil {
		return text
	}
	return string(v)
}

func anchor(s string) string {
	return strings.ToLower(strings.ReplaceAll(s, " ", "-"))
}

// prose makes paragraphs of text, with `code` between backticks.
func prose(text string) template.HTML {
	var b strings.Builder
	for par := range strings.SplitSeq(text, "\n\n") {
		if par = strings.TrimSpace(par); par == "" {
			continue
		}
		b.WriteString("<p>" + string(inline(par)) + "</p>")
	}
	return template.HTML(b.String()) //nolint:gosec // made of escaped parts
}

func inline(text string) template.HTML {
	var b strings.Builder
	for i, part := range strings.Split(text, "`") {
		part = template.HTMLEscapeString(part)
		if i%2 == 1 {
			part = "<code>" + part + "</code>"
		}
		b.WriteString(part)
	}
	return template.HTML(b.String()) //nolint:gosec // made of escaped parts
}

// typeOf names a schema in a few words, with a link to its section.
func typeOf(s *jsonschema.Schema) template.HTML {
	if s == nil {
		return ""
	}
	var text string
	switch {
	case s.Ref != "":
		name := s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]
		text = `<a href="#schema-` + template.HTMLEscapeString(name) + `">` + template.HTMLEscapeString(name) + `</a>`
	case len(s.AnyOf) > 0:
		var parts []string
		for _, sub := range s.AnyOf {
			parts = append(parts, string(typeOf(sub)))
		}
		text = strings.Join(parts, " or ")
	case s.Type == "array":
		text = "list of " + string(typeOf(s.Items))
	case s.Type == "object" && s.AdditionalProperties != nil && s.AdditionalProperties != jsonschema.FalseSchema && s.AdditionalProperties != jsonschema.TrueSchema:
		text = "object: name to " + string(typeOf(s.AdditionalProperties))
	case s.Format == "date-time":
		text = "time"
	case s.Type == "string":
		text = "text"
	case s.Type == "integer":
		text = "whole number"
	case s.Type == "boolean":
		text = "true or false"
	case s.Type == "":
		text = "anything"
	default:
		text = template.HTMLEscapeString(s.Type)
	}
	return template.HTML(text) //nolint:gosec // made of escaped parts
}
