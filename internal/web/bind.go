package web

import (
	"context"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"lojal.dev/lojal/internal/errs"
)

// DefaultMaxBody bounds a request's body where its route says nothing else.
const DefaultMaxBody = 1 << 20

// Func is a handler: all it gets is in In, all it says is in Out or the error.
//
// In is a struct. Its fields say by tag where they come from: `path:"name"`, `query:"name"`, `header:"Name"`; the field Body
// is the JSON body (a pointer where it may be left out). A field of type Rest with `query:"*"` takes the query parameters that no other field names.
type Func[In, Out any] func(ctx context.Context, in *In) (*Out, error)

// Rest is the query parameters that no field names, each given once.
type Rest map[string]string

// Reply is an answer that was made elsewhere, such as a stored one. An Out that embeds it is written as it stands.
type Reply struct {
	Status int
	Header http.Header
	JSON   []byte
}

func (r *Reply) reply() *Reply { return r }

type replier interface{ reply() *Reply }

// Tagged is an Out with an entity tag, "" for none. A GET with a matching If-None-Match is answered 304.
type Tagged interface{ ETag() string }

// Paged is an Out that has a next page when the cursor is not "".
type Paged interface{ NextCursor() string }

// Options of one route.
type Options struct {
	// Status of a success; 200 when 0. With 204 nothing is written.
	Status int
	// MaxBody bounds the body in bytes; DefaultMaxBody when 0.
	MaxBody int64
	// Types are accepted media types besides application/json.
	Types []string
	// Prepare is called after binding and before the handler, with the body as it came.
	Prepare func(r *http.Request, body []byte, in any) error
	// Bodies bounds the bytes of bodies that are held at once; nil does not.
	Bodies *Budget
}

// Handle makes an http.Handler of a handler. It panics when In has a field it cannot bind, which is a fault of the program.
func Handle[In, Out any](fn Func[In, Out], opt Options) http.Handler {
	plan := planOf(reflect.TypeFor[In]())
	if opt.MaxBody == 0 {
		opt.MaxBody = DefaultMaxBody
	}
	if opt.Status == 0 {
		opt.Status = http.StatusOK
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fail := func(err error) { Fail(w, r, err) }
		in := new(In)
		if plan.body != nil {
			n := r.ContentLength
			if n < 0 || n > opt.MaxBody {
				n = opt.MaxBody
			}
			if !opt.Bodies.take(n) {
				fail(Overloaded())
				return
			}
			defer opt.Bodies.give(n)
		}
		body, err := plan.bind(w, r, reflect.ValueOf(in).Elem(), opt)
		if err == nil && opt.Prepare != nil {
			err = opt.Prepare(r, body, in)
		}
		if err != nil {
			fail(err)
			return
		}
		out, err := fn(r.Context(), in)
		if err != nil {
			fail(err)
			return
		}
		if err := write(w, r, out, opt.Status); err != nil {
			fail(err)
		}
	})
}

func write(w http.ResponseWriter, r *http.Request, out any, status int) error {
	h := w.Header()
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store")
	}
	if t, ok := out.(Tagged); ok && t.ETag() != "" {
		tag := t.ETag()
		h.Set("ETag", tag)
		h.Set("Cache-Control", "private, no-cache")
		if r.Method == http.MethodGet && Matches(r.Header.Get("If-None-Match"), tag, true) {
			w.WriteHeader(http.StatusNotModified)
			return nil
		}
	}
	if p, ok := out.(Paged); ok && p.NextCursor() != "" {
		h.Set("Link", NextLink(r, p.NextCursor()))
	}
	if rp, ok := out.(replier); ok {
		reply := rp.reply()
		maps.Copy(h, reply.Header)
		if reply.Status != 0 {
			status = reply.Status
		}
		return send(w, r, status, reply.JSON)
	}
	if status == http.StatusNoContent {
		w.WriteHeader(status)
		return nil
	}
	body, err := Marshal(out)
	if err != nil {
		return err
	}
	return send(w, r, status, body)
}

func send(w http.ResponseWriter, r *http.Request, status int, body []byte) error {
	w.Header().Set("Content-Type", "application/json")
	body = Pack(w.Header(), r, body)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may be gone; there is no one left to tell
	return nil
}

// Matches says whether an If-Match or If-None-Match header names the tag. Weak comparison ignores W/.
func Matches(header, tag string, weak bool) bool {
	for part := range strings.SplitSeq(header, ",") {
		part = unzipped(strings.TrimSpace(part))
		if part == "*" {
			return true
		}
		if weak {
			part, tag = strings.TrimPrefix(part, "W/"), strings.TrimPrefix(tag, "W/")
		}
		if part != "" && part == tag {
			return true
		}
	}
	return false
}

// Param is one parameter of a request, as the documentation shows it.
type Param struct {
	In, Name string
	Type     reflect.Type
	// Owner is the struct that declares the field Field.
	Owner reflect.Type
	Field string
}

// Params lists the parameters of an In and the type of its body, nil for none.
func Params(in reflect.Type) (params []Param, body reflect.Type) {
	p := planOf(in)
	for _, f := range p.fields {
		if f.name != "*" {
			params = append(params, Param{f.in, f.name, f.field.Type, f.owner, f.field.Name})
		}
	}
	if p.body != nil {
		body = p.body.Type
	}
	return params, body
}

type plan struct {
	fields []planField
	body   *reflect.StructField
	known  map[string]bool // query names
	rest   bool
}

type planField struct {
	in, name string
	owner    reflect.Type
	field    reflect.StructField
}

func planOf(t reflect.Type) *plan {
	p := &plan{known: map[string]bool{}}
	p.add(t, nil)
	return p
}

func (p *plan) add(t reflect.Type, index []int) {
	for i := range t.NumField() {
		f := t.Field(i)
		f.Index = append(slices.Clone(index), i)
		if f.Name == "Body" {
			p.body = &f
			continue
		}
		bound := false
		for _, in := range []string{"path", "query", "header"} {
			name, ok := f.Tag.Lookup(in)
			if !ok {
				continue
			}
			bound = true
			p.fields = append(p.fields, planField{in, name, t, f})
			if in == "query" {
				p.known[name] = true
				p.rest = p.rest || name == "*"
			}
		}
		if !bound && f.Anonymous && f.Type.Kind() == reflect.Struct {
			p.add(f.Type, f.Index)
		}
	}
}

// others says which query parameters there are.
func (p *plan) others() string {
	if len(p.known) == 0 {
		return ", and no other"
	}
	return "; there are: " + strings.Join(slices.Sorted(maps.Keys(p.known)), ", ")
}

func (p *plan) bind(w http.ResponseWriter, r *http.Request, in reflect.Value, opt Options) ([]byte, error) {
	var wrong []errs.Field
	bad := func(name, reason, message string) {
		wrong = append(wrong, errs.Field{Pointer: name, Reason: reason, Message: message})
	}
	query, qerr := parseQuery(r.URL.RawQuery)
	if qerr != nil {
		return nil, errs.Malformed("malformed_query", "The query string cannot be read.")
	}
	for name, values := range query {
		switch {
		case !p.known[name] && !p.rest:
			bad(name, "unknown_parameter", "There is no such query parameter here"+p.others()+".")
		case len(values) > 1:
			bad(name, "repeated_parameter", "This parameter is there more than once. Give it once.")
		}
	}
	for _, f := range p.fields {
		var text string
		var given bool
		switch f.in {
		case "path":
			text, given = r.PathValue(f.name), true
		case "header":
			text = r.Header.Get(f.name)
			given = text != ""
		case "query":
			if f.name == "*" {
				rest := Rest{}
				for name, values := range query {
					if !p.known[name] {
						rest[name] = values[0]
					}
				}
				in.FieldByIndex(f.field.Index).Set(reflect.ValueOf(rest))
				continue
			}
			if v, ok := query[f.name]; ok {
				text, given = v[0], true
			}
		}
		if !given {
			continue
		}
		if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			bad(f.name, "invalid_text", "This is not valid UTF-8, or holds the character U+0000.")
			continue
		}
		if message := setText(in.FieldByIndex(f.field.Index), text); message != "" {
			bad(f.name, "wrong_value", message)
		}
	}
	if len(wrong) > 0 {
		slices.SortFunc(wrong, func(a, b errs.Field) int { return strings.Compare(a.Pointer, b.Pointer) })
		return nil, errs.Malformed("invalid_parameter", "A parameter cannot be read. errors names each of them.", wrong...)
	}
	if p.body == nil {
		return nil, refuseBody(w, r)
	}
	return p.bindBody(w, r, in, opt)
}

// parseQuery is url.ParseQuery that refuses what that drops: semicolons and broken escapes.
func parseQuery(raw string) (map[string][]string, error) {
	if len(raw) > 8<<10 {
		return nil, errors.New("too long")
	}
	return url.ParseQuery(raw)
}

// refuseBody lets a body pass that is empty or an empty object: clients send one with every POST.
func refuseBody(w http.ResponseWriter, r *http.Request) error {
	none := errs.Malformed("body_not_allowed", "This request takes no body.")
	body, err := read(w, r, 1024)
	if errs.Is(err, errs.CodeMalformed, "body_too_large") {
		return none
	}
	if err != nil {
		return err
	}
	if t := strings.TrimSpace(string(body)); t != "" && t != "{}" {
		return none
	}
	return nil
}

func read(w http.ResponseWriter, r *http.Request, most int64) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	if err == nil {
		return body, nil
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, errs.Malformed("body_too_large", "The body is larger than "+strconv.FormatInt(most, 10)+" bytes.").With("limit", most)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, errs.Unavailable("body_too_slow", "The body did not arrive within the time for a request. Send it again.").Because(err)
	}
	return nil, errs.Malformed("body_unreadable", "The body could not be read to its end.").Because(err)
}

func (p *plan) bindBody(w http.ResponseWriter, r *http.Request, in reflect.Value, opt Options) ([]byte, error) {
	field := in.FieldByIndex(p.body.Index)
	optional := field.Kind() == reflect.Pointer
	if err := mediaType(r, opt.Types, optional); err != nil {
		return nil, err
	}
	body, err := read(w, r, opt.MaxBody)
	if err != nil {
		return nil, err
	}
	if optional {
		if len(strings.TrimSpace(string(body))) == 0 {
			return body, nil
		}
		field.Set(reflect.New(field.Type().Elem()))
		return body, Unmarshal(body, field.Interface())
	}
	return body, Unmarshal(body, field.Addr().Interface())
}

func mediaType(r *http.Request, more []string, optional bool) error {
	given := r.Header.Get("Content-Type")
	if given == "" && optional && r.ContentLength == 0 {
		return nil
	}
	kind, params, err := mime.ParseMediaType(given)
	charset := strings.ToLower(params["charset"])
	if err != nil || (kind != "application/json" && !slices.Contains(more, kind)) || (charset != "" && charset != "utf-8") {
		return errs.Malformed("unsupported_media_type", "Send the body as Content-Type: application/json, in UTF-8.")
	}
	if enc := r.Header.Get("Content-Encoding"); enc != "" && enc != "identity" {
		return errs.Malformed("unsupported_media_type", "Send the body without Content-Encoding.")
	}
	return nil
}

// setText reads a parameter's text into its field and says what is wrong, "" when nothing is.
func setText(v reflect.Value, text string) string {
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	switch {
	case v.Type() == timeType:
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			hint := ""
			if strings.Contains(text, " ") {
				hint = " In an address, + is written %2B."
			}
			return "This must be " + wanted(timeType) + "." + hint
		}
		v.Set(reflect.ValueOf(t))
	case v.Kind() == reflect.String:
		v.SetString(text)
	case v.Kind() == reflect.Int || v.Kind() == reflect.Int64:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return "This must be a whole number."
		}
		v.SetInt(n)
	case v.Kind() == reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return "This must be true or false."
		}
		v.SetBool(b)
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.String:
		list := reflect.MakeSlice(v.Type(), 0, 4)
		for part := range strings.SplitSeq(text, ",") {
			list = reflect.Append(list, reflect.ValueOf(strings.TrimSpace(part)).Convert(v.Type().Elem()))
		}
		v.Set(list)
	default:
		panic("web: no way to read a parameter into " + v.Type().String())
	}
	return ""
}
