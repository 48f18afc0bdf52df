package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/invopop/jsonschema"

	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/key"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/web"
	"lojal.dev/lojal/internal/webhook"
)

// The document is made of the table of routes, the Go types and their comments (comments_gen.go), so that it cannot say
// anything else than the program does. docs/api/openapi.yaml is a copy of it that a test compares.

// document is the OpenAPI document in the forms in which it is served.
type document struct {
	json []byte
	// yaml is made of json when it is first asked for.
	yaml    func() []byte
	schemas map[string]*jsonschema.Schema
	routes  []*Route
	// bodies and answers are the schemas by route.
	bodies, answers map[*Route]*jsonschema.Schema
	params          map[*Route][]parameter
}

// pairs is a JSON object whose keys keep their order.
type pairs []pair

type pair struct {
	key   string
	value any
}

// MarshalJSON writes the keys in order.
func (p pairs) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, kv := range p {
		if i > 0 {
			b.WriteByte(',')
		}
		k, err := plain(kv.key)
		if err != nil {
			return nil, err
		}
		v, err := plain(kv.value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", kv.key, err)
		}
		b.Write(k)
		b.WriteByte(':')
		b.Write(v)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// plain is json.Marshal without escaping < and >, which stand in many descriptions.
func plain(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

type parameter struct {
	name, in, text string
	required       bool
	schema         *jsonschema.Schema
}

// newDocument makes the document, once for all doors of a process. It fails only by a fault of the program, which every test would meet.
var newDocument = sync.OnceValue(func() *document {
	d, err := makeDocument(false)
	if err != nil {
		panic("api: " + err.Error())
	}
	return d
})

// makeDocument makes the document; strict closes the answers' objects too, for tests. To callers they are open, since
// keys may be added within /v1.
func makeDocument(strict bool) (*document, error) {
	d := &document{
		schemas: map[string]*jsonschema.Schema{}, routes: table(),
		bodies: map[*Route]*jsonschema.Schema{}, answers: map[*Route]*jsonschema.Schema{}, params: map[*Route][]parameter{},
	}
	d.schemas["Decimal"] = &jsonschema.Schema{
		Description: "An exact decimal number. Text is best; the digits of a number are read too. Answers always hold text.",
		AnyOf:       []*jsonschema.Schema{{Type: "string", Pattern: `^-?(0|[1-9][0-9]*)(\.[0-9]+)?$`}, {Type: "number"}},
		Examples:    []any{"12.50"},
	}
	d.schemas["Property"] = &jsonschema.Schema{
		Description: comments["api.Property"], AnyOf: []*jsonschema.Schema{{Type: "string"}, {Type: "number"}, {Type: "boolean"}}, Examples: []any{"own", 4.5, true},
	}
	d.schemas["Amount"] = &jsonschema.Schema{
		Type: "string", Pattern: `^-?[0-9]+(\.[0-9]+)?$`, Description: comments["api.Amount"], Examples: []any{"12.50"},
	}
	if err := d.addProgram(); err != nil {
		return nil, err
	}
	for _, r := range d.routes {
		params, body := web.Params(r.in)
		for _, p := range params {
			d.params[r] = append(d.params[r], d.parameter(p))
		}
		if body != nil {
			d.bodies[r] = d.schema(body)
		}
		if r.Status != http.StatusNoContent {
			d.answers[r] = d.schema(r.answerType())
		}
	}
	problem := d.schema(reflect.TypeFor[web.Problem]())
	if !strict {
		d.open()
	}
	doc := pairs{
		{"openapi", "3.1.0"},
		{"info", pairs{
			{"title", "lojal"},
			{"summary", "Loyalty programs: purchases become explained points."},
			{"description", introduction},
			{"version", "1"},
			{"license", pairs{{"name", "Apache-2.0"}, {"identifier", "Apache-2.0"}}},
		}},
		{"servers", []any{pairs{{"url", "/"}}}},
		{"security", []any{pairs{{"key", []string{}}}}},
		{"tags", d.tags()},
		{"paths", d.paths()},
		{"webhooks", d.callbacks()},
		{"components", pairs{
			{"securitySchemes", pairs{{"key", pairs{
				{"type", "http"}, {"scheme", "bearer"}, {"bearerFormat", "lj_live_…"},
				{"description", "An API key of the program. Scopes: " + strings.Join(key.Scopes, ", ") + "."},
			}}}},
			{"headers", headers},
			{"responses", problems(problem)},
			{"schemas", d.components()},
		}},
	}
	raw, err := plain(doc)
	if err != nil {
		return nil, err
	}
	raw = bytes.ReplaceAll(raw, []byte(`"#/$defs/`), []byte(`"#/components/schemas/`))
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, raw, "", " "); err != nil {
		return nil, err
	}
	d.json = pretty.Bytes()
	d.yaml = sync.OnceValue(func() []byte {
		text, err := yaml.JSONToYAML(raw)
		if err != nil {
			panic("api: " + err.Error()) // a fault of the program, which the test of the file in docs would meet
		}
		return text
	})
	return d, nil
}

const introduction = `Every request to /v1 carries an API key: ` + "`Authorization: Bearer lj_live_…`" + `. The key belongs to one program and has scopes.

Amounts of points and money are exact decimals as text. Times are RFC 3339 with offset. Failures are problem documents (RFC 9457) with a stable code and reason.
Every POST takes an Idempotency-Key: the same request again gets the first answer, marked Idempotent-Replayed: true.`

// addProgram takes over the schema of the program document, with its definitions under names that begin with Program.
func (d *document) addProgram() error {
	text := bytes.ReplaceAll(program.Schema(), []byte(`"#/$defs/`), []byte(`"#/$defs/Program`))
	var s jsonschema.Schema
	if err := json.Unmarshal(text, &s); err != nil {
		return fmt.Errorf("the program's schema: %w", err)
	}
	for name, def := range s.Definitions {
		d.schemas["Program"+name] = def
	}
	s.Definitions, s.Version, s.ID = nil, "", ""
	d.schemas["ProgramDocument"] = &s
	return nil
}

var tagTexts = [][2]string{
	{"Members", "Who is in the program, and what they have."},
	{"Purchases", "Sales and what comes back."},
	{"Activities", "What members do besides buying."},
	{"Redemptions", "Points are spent: reserved, then committed or cancelled, or in one step."},
	{"Rewards", "What points can be spent on."},
	{"Benefits and plans", "What members may have that costs no points, and paid memberships."},
	{"Challenges and grants", "What members are on the way to, and what they have won or were given."},
	{"Households and organizations", "Members who use each other's points, and companies with people who act for them."},
	{"Gift cards and codes", "Cards with money on them, vouchers, and the codes that open them."},
	{"Claims", "Purchases that wait for their member: receipts with a code, and cards that nobody has linked."},
	{"Referral", "Who brought whom, and what came of it."},
	{"Sharing", "Members pass things on to friends."},
	{"Recognition", "Members thank each other."},
	{"Partners", "Other companies that give and take points, and their statements."},
	{"Balances by hand", "Adjustments, transfers, pending points."},
	{"Facts", "What happened, and why it was decided so."},
	{"Simulation and batches", "Many facts at once, with or without trace."},
	{"Program", "The document that decides, and its versions."},
	{"Insight", "How the program goes, counted from its books."},
	{"Events", "The ordered feed of what happened."},
	{"Webhooks", "Who is told of events, and what came of telling."},
	{"Imports", "Files that are taken in."},
	{"Keys and audit", "API keys and who changed what."},
	{"Staff", "The people who run the program, and what each may do."},
	{"Health", "Whether the program can work."},
}

func (d *document) tags() []any {
	var out []any
	for _, t := range tagTexts {
		out = append(out, pairs{{"name", t[0]}, {"description", t[1]}})
	}
	return out
}

func (d *document) reflector() *jsonschema.Reflector {
	return &jsonschema.Reflector{
		Anonymous: true,
		Mapper:    mapped,
		Namer:     typeName,
		LookupComment: func(t reflect.Type, field string) string {
			if field == "" {
				return comments[commentName(t)]
			}
			return described(t, field)
		},
	}
}

// commentName names a type as comments_gen.go does: by the last part of its package and without type arguments.
func commentName(t reflect.Type) string {
	pkg := t.PkgPath()
	name, _, _ := strings.Cut(t.Name(), "[")
	return pkg[strings.LastIndexByte(pkg, '/')+1:] + "." + name
}

// described gives the comment of a field, in which the names of Go are those of the wire.
func described(t reflect.Type, field string) string {
	text := comments[commentName(t)+"."+field]
	if text == "" {
		return ""
	}
	names := map[string]string{}
	for f := range t.Fields() {
		for _, tag := range []string{"json", "query", "path", "header"} {
			if name, _, _ := strings.Cut(f.Tag.Get(tag), ","); name != "" && name != "*" {
				names[f.Name] = name
			}
		}
	}
	return word.ReplaceAllStringFunc(text, func(w string) string {
		before, name := w[:strings.LastIndexAny(w, " (")+1], w[strings.LastIndexAny(w, " (")+1:]
		wire, ok := names[name]
		// After a full stop a word may be one of the language; elsewhere a capital says that it is a name.
		begins := strings.HasSuffix(before, ". ") && strings.ToLower(name[1:]) == name[1:]
		if !ok || begins {
			return w
		}
		return before + "`" + wire + "`"
	})
}

// word is a word with a capital, with what stands before it.
var word = regexp.MustCompile(`(^|[.,;:]? |\()[A-Z][A-Za-z]*`)

func mapped(t reflect.Type) *jsonschema.Schema {
	switch t {
	case reflect.TypeFor[Property]():
		return &jsonschema.Schema{Ref: "#/$defs/Property"}
	case reflect.TypeFor[money.Decimal]():
		return &jsonschema.Schema{Ref: "#/$defs/Decimal"}
	case reflect.TypeFor[Amount]():
		return &jsonschema.Schema{Ref: "#/$defs/Amount"}
	case reflect.TypeFor[Change]():
		return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{{Type: "string"}, {Type: "null"}}}
	case reflect.TypeFor[Raw[ProgramDocument]]():
		return &jsonschema.Schema{Ref: "#/$defs/ProgramDocument"}
	case reflect.TypeFor[Raw[AnyFact]]():
		return &jsonschema.Schema{Ref: "#/$defs/AnyFact"}
	case reflect.TypeFor[time.Time]():
		return &jsonschema.Schema{Type: "string", Format: "date-time"}
	}
	return nil
}

// typeName gives components names that read well: Page[Member] is MemberPage.
func typeName(t reflect.Type) string {
	name := t.Name()
	outer, inner, generic := strings.Cut(name, "[")
	if generic {
		inner = strings.TrimSuffix(inner, "]")
		return inner[strings.LastIndexByte(inner, '.')+1:] + outer
	}
	return name
}

// schema reflects a type and keeps its definitions.
func (d *document) schema(t reflect.Type) *jsonschema.Schema {
	if t == reflect.TypeFor[Batch]() || t == reflect.TypeFor[Simulation]() {
		d.schema(reflect.TypeFor[AnyFact]()) // behind Raw, where reflection does not look
	}
	s := d.reflector().ReflectFromType(t)
	for name, def := range s.Definitions {
		if _, have := d.schemas[name]; !have {
			d.schemas[name] = def
		}
	}
	s.Definitions, s.Version = nil, ""
	return s
}

func (d *document) parameter(p web.Param) parameter {
	t := p.Type
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	out := parameter{name: p.Name, in: p.In, required: p.In == "path"}
	out.text = described(p.Owner, p.Field)
	switch {
	case t == reflect.TypeFor[time.Time]():
		out.schema = &jsonschema.Schema{Type: "string", Format: "date-time"}
	case t.Kind() == reflect.Int || t.Kind() == reflect.Int64:
		out.schema = &jsonschema.Schema{Type: "integer"}
	case t.Kind() == reflect.Bool:
		out.schema = &jsonschema.Schema{Type: "boolean"}
	default:
		out.schema = &jsonschema.Schema{Type: "string"}
	}
	switch p.Name {
	case "limit":
		out.schema.Minimum, out.schema.Maximum, out.schema.Default = "1", json.Number(strconv.Itoa(web.MaxLimit)), web.DefaultLimit
	case "wait":
		out.schema.Minimum, out.schema.Maximum, out.schema.Default = "0", json.Number(strconv.Itoa(MaxWait)), 0
	}
	return out
}

// open lets answers hold further keys: only what callers send stays closed.
func (d *document) open() {
	closed := map[string]bool{}
	for _, s := range d.bodies {
		d.reach(s, closed)
	}
	for name, s := range d.schemas {
		if !closed[name] && s.AdditionalProperties == jsonschema.FalseSchema {
			s.AdditionalProperties = nil
		}
	}
}

func (d *document) reach(s *jsonschema.Schema, seen map[string]bool) {
	if s == nil {
		return
	}
	if name, ok := strings.CutPrefix(s.Ref, "#/$defs/"); ok && !seen[name] {
		seen[name] = true
		d.reach(d.schemas[name], seen)
	}
	d.reach(s.Items, seen)
	d.reach(s.AdditionalProperties, seen)
	for _, list := range [][]*jsonschema.Schema{s.AllOf, s.AnyOf, s.OneOf} {
		for _, sub := range list {
			d.reach(sub, seen)
		}
	}
	if s.Properties != nil {
		for p := s.Properties.Oldest(); p != nil; p = p.Next() {
			d.reach(p.Value, seen)
		}
	}
}

func (d *document) components() pairs {
	var out pairs
	for _, name := range slices.Sorted(mapKeys(d.schemas)) {
		out = append(out, pair{name, d.schemas[name]})
	}
	return out
}

func mapKeys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func (d *document) paths() pairs {
	var out pairs
	for _, r := range d.routes {
		i := slices.IndexFunc(out, func(p pair) bool { return p.key == r.Path })
		if i < 0 {
			out = append(out, pair{r.Path, pairs{}})
			i = len(out) - 1
		}
		out[i].value = append(out[i].value.(pairs), pair{strings.ToLower(r.Method), d.operation(r)})
	}
	return out
}

func (d *document) operation(r *Route) pairs {
	op := pairs{{"operationId", r.operationID()}, {"tags", []string{r.Tag}}, {"summary", r.Summary}}
	if text := r.description(); text != "" {
		op = append(op, pair{"description", text})
	}
	if r.Scope == Open {
		op = append(op, pair{"security", []any{}})
	} else {
		op = append(op, pair{"x-scope", r.Scope})
	}
	var params []any
	for _, p := range d.params[r] {
		one := pairs{{"name", p.name}, {"in", p.in}}
		if p.text != "" {
			one = append(one, pair{"description", p.text})
		}
		if p.required {
			one = append(one, pair{"required", true})
		}
		one = append(one, pair{"schema", p.schema})
		if p.in == "path" {
			if e := r.example(p.name); e != "" {
				var example any = e
				if p.schema.Type == "integer" {
					example = json.Number(e)
				}
				one = append(one, pair{"example", example})
			}
		}
		params = append(params, one)
	}
	if r.Method == http.MethodPost {
		params = append(params, pairs{
			{"name", "Idempotency-Key"}, {"in", "header"},
			{"description", "A name of your own for this request, up to 255 characters. The same again gets the first answer."},
			{"schema", pairs{{"type", "string"}, {"maxLength", 255}}},
		})
	}
	if len(params) > 0 {
		op = append(op, pair{"parameters", params})
	}
	if s := d.bodies[r]; s != nil {
		content := pairs{{"schema", s}}
		if r.Body != "" {
			content = append(content, pair{"example", json.RawMessage(r.Body)})
		}
		media := pairs{{"application/json", content}}
		for _, t := range r.types {
			media = append(media, pair{t, content})
		}
		_, body := web.Params(r.in)
		op = append(op, pair{"requestBody", pairs{{"required", body.Kind() != reflect.Pointer}, {"content", media}}})
	}
	if len(r.Parts) > 0 {
		op = append(op, pair{"requestBody", r.parts()})
	}
	return append(op, pair{"responses", d.responses(r)})
}

// parts describes a body of multipart/form-data.
func (r *Route) parts() pairs {
	var fields, example pairs
	var required []string
	for _, p := range r.Parts {
		fields = append(fields, pair{p.Name, pairs{{"type", "string"}, {"description", p.Text}, {"contentMediaType", "application/octet-stream"}}})
		example = append(example, pair{p.Name, p.Example})
		if p.Required {
			required = append(required, p.Name)
		}
	}
	schema := pairs{{"type", "object"}, {"properties", fields}, {"required", required}, {"additionalProperties", pairs{{"type", "string"}, {"contentMediaType", "application/octet-stream"}}}}
	return pairs{{"required", true}, {"content", pairs{{"multipart/form-data", pairs{{"schema", schema}, {"example", example}}}}}}
}

func (d *document) responses(r *Route) pairs {
	ok := pairs{{"description", http.StatusText(r.Status)}}
	head := pairs{{"X-Request-Id", ref("headers", "X-Request-Id")}}
	if r.Scope != Open {
		head = append(head, pair{"RateLimit", ref("headers", "RateLimit")}, pair{"RateLimit-Policy", ref("headers", "RateLimit-Policy")})
	}
	if r.Method == http.MethodPost && r.Scope != Open {
		head = append(head, pair{"Idempotent-Replayed", ref("headers", "Idempotent-Replayed")})
	}
	if r.Status == http.StatusCreated {
		head = append(head, pair{"Location", ref("headers", "Location")})
	}
	if reflect.PointerTo(r.out).Implements(reflect.TypeFor[web.Tagged]()) {
		head = append(head, pair{"ETag", ref("headers", "ETag")})
	}
	if reflect.PointerTo(r.out).Implements(reflect.TypeFor[web.Paged]()) {
		head = append(head, pair{"Link", ref("headers", "Link")})
	}
	ok = append(ok, pair{"headers", head})
	if s := d.answers[r]; s != nil {
		content := pairs{{"schema", s}}
		if example := r.answer(); example != nil {
			content = append(content, pair{"example", example})
		}
		media := r.Media
		if media == "" {
			media = "application/json"
		}
		ok = append(ok, pair{"content", pairs{{media, content}}})
	}
	out := pairs{{strconv.Itoa(r.Status), ok}}
	for _, also := range r.Also {
		again := slices.Clone(ok)
		again[0].value = also.Text
		out = append(out, pair{strconv.Itoa(also.Status), again})
	}
	for _, status := range r.failures() {
		out = append(out, pair{strconv.Itoa(status), ref("responses", "Problem"+strconv.Itoa(status))})
	}
	return out
}

func ref(kind, name string) pairs { return pairs{{"$ref", "#/components/" + kind + "/" + name}} }

// failures lists the statuses that a route may fail with.
func (r *Route) failures() []int {
	out := append([]int{http.StatusInternalServerError, http.StatusServiceUnavailable}, r.Problems...)
	if r.Scope != Open {
		out = append(out, http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests)
		if strings.Contains(r.Path, "{") || r.Method == http.MethodPost {
			out = append(out, http.StatusNotFound)
		}
		params, body := web.Params(r.in)
		if body != nil || len(r.Parts) > 0 {
			out = append(out, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity)
		}
		if len(params) > 0 {
			out = append(out, http.StatusUnprocessableEntity)
		}
		if r.Method != http.MethodGet {
			out = append(out, http.StatusConflict, http.StatusUnprocessableEntity)
		}
	}
	sort.Ints(out)
	return slices.Compact(out)
}

var problemTexts = map[int]string{
	400: "It cannot be read: broken JSON, an unknown or repeated key, a bad parameter.",
	401: "There is no API key, or not a valid one.",
	403: "The key lacks the scope (scope_missing), or the program or the state of the member, card or code does not allow it.",
	404: "There is no such thing, or it is not yours.",
	408: "The body came too slowly; send it again.",
	409: "It contradicts what is there, or there is not enough of something now.",
	412: "It was changed since the entity tag was given.",
	413: "The body is too large.",
	415: "The body is not application/json in UTF-8.",
	422: "It can be read and is wrong in itself; errors[] names every mistake.",
	429: "Too many requests; wait as Retry-After says.",
	500: "A fault of the program.",
	503: "Something needed is away, or there is more to do than can be done; repeat under the same Idempotency-Key after the wait of Retry-After.",
}

func problems(schema *jsonschema.Schema) pairs {
	var out pairs
	statuses := make([]int, 0, len(problemTexts))
	for s := range problemTexts {
		statuses = append(statuses, s)
	}
	sort.Ints(statuses)
	for _, s := range statuses {
		head := pairs{{"X-Request-Id", ref("headers", "X-Request-Id")}}
		switch s {
		case http.StatusUnauthorized:
			head = append(head, pair{"WWW-Authenticate", ref("headers", "WWW-Authenticate")})
		case http.StatusTooManyRequests, http.StatusServiceUnavailable:
			head = append(head, pair{"Retry-After", ref("headers", "Retry-After")})
		}
		out = append(out, pair{"Problem" + strconv.Itoa(s), pairs{
			{"description", problemTexts[s]},
			{"headers", head},
			{"content", pairs{{"application/problem+json", pairs{{"schema", schema}}}}},
		}})
	}
	return out
}

func header(kind, text string) pairs {
	return pairs{{"description", text}, {"schema", pairs{{"type", kind}}}}
}

var headers = pairs{
	{"X-Request-Id", header("string", "The request's id in the log: yours if you sent one, else a new one.")},
	{"RateLimit", header("string", "What is left of the quota and when it is full again.")},
	{"RateLimit-Policy", header("string", "The quota of the key: q requests in w seconds.")},
	{"Retry-After", header("integer", "Seconds to wait.")},
	{"WWW-Authenticate", header("string", "Bearer.")},
	{"Location", header("string", "Where what was made can be read.")},
	{"ETag", header("string", "The entity tag, for If-Match and If-None-Match.")},
	{"Link", header("string", "RFC 8288: rel=\"next\" is the next page.")},
	{"Idempotent-Replayed", header("string", "true when this is the first answer to the same Idempotency-Key.")},
}

// operationID is made of the method and the path, and so it is stable.
func (r *Route) operationID() string {
	var b strings.Builder
	b.WriteString(strings.ToLower(r.Method))
	for part := range strings.SplitSeq(strings.TrimPrefix(r.Path, "/v1"), "/") {
		part = strings.Trim(part, "{}")
		for word := range strings.FieldsFuncSeq(part, func(c rune) bool { return c == '-' || c == '_' || c == '.' }) {
			b.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
	}
	return b.String()
}

func (r *Route) description() string {
	text := r.Text
	switch r.Scope {
	case Open:
	case AnyScope:
		text += "\n\nAny key may ask."
	default:
		text += "\n\nScope: `" + r.Scope + "`."
	}
	return strings.TrimSpace(text)
}

// example gives the example of a path parameter.
func (r *Route) example(name string) string {
	i := 0
	for part := range strings.SplitSeq(r.Path, "/") {
		if !strings.HasPrefix(part, "{") {
			continue
		}
		if strings.Trim(part, "{}") == name && i < len(r.Example) {
			return r.Example[i]
		}
		i++
	}
	return ""
}

// callbacks is the document's section webhooks: each type of event as it is sent to a webhook, with the schema of its body.
func (d *document) callbacks() pairs {
	var out pairs
	for _, t := range engine.EventTypes {
		out = append(out, pair{t.Type, pairs{{"post", d.callback(t, false)}}})
	}
	for _, t := range webhook.OwnTypes {
		out = append(out, pair{t.Type, pairs{{"post", d.callback(t, true)}}})
	}
	return out
}

func (d *document) callback(t engine.EventType, own bool) pairs {
	text := func(description, example string) pairs {
		return pairs{{"type", "string"}, {"description", description}, {"examples", []string{example}}}
	}
	fields, required, example := pairs{}, []string{}, pairs{}
	for _, f := range t.Fields {
		s := text(f.Text, f.Example)
		if f.Time {
			s = append(s, pair{"format", "date-time"})
		}
		fields = append(fields, pair{f.Name, s})
		if !f.Optional {
			required = append(required, f.Name)
			example = append(example, pair{f.Name, f.Example})
		}
	}
	details := pairs{{"type", "object"}, {"properties", fields}}
	if len(required) > 0 {
		details = append(details, pair{"required", required})
	}
	event := pairs{{"id", text("The id of the event, and what the header webhook-id says.", exampleEvent)}, {"type", pairs{{"const", t.Type}}}}
	names := []string{"id", "type", "occurred_at", "recorded_at", "data"}
	value := pairs{{"id", exampleEvent}, {"type", t.Type}}
	if !own {
		event = append(event, pair{"member", text("The member.", exampleMember)}, pair{"fact", text("The fact that led to it.", exampleFact)})
		names = append(names, "member", "fact", "sequence")
		value = append(value, pair{"member", exampleMember}, pair{"fact", exampleFact})
	}
	moment := func(description string) pairs {
		return pairs{{"type", "string"}, {"format", "date-time"}, {"description", description}}
	}
	event = append(event, pair{"occurred_at", moment("When it happened.")}, pair{"recorded_at", moment("When it was recorded.")})
	value = append(value, pair{"occurred_at", exampleTime}, pair{"recorded_at", exampleTime})
	if !own {
		event = append(event, pair{"sequence", text("Sorts as text in the order of the feed.", "000000000000002a00000001")},
			pair{"resource", pairs{{"$ref", "#/components/schemas/Fact"}}},
			pair{"resource_omitted", pairs{{"type", "boolean"}, {"description", "The fact is too large for a message: get it by its id."}}})
		value = append(value, pair{"sequence", "000000000000002a00000001"})
	}
	event, value = append(event, pair{"data", details}), append(value, pair{"data", example})
	body := pairs{
		{"type", "object"}, {"required", []string{"type", "timestamp", "data"}},
		{"properties", pairs{
			{"type", pairs{{"const", t.Type}}},
			{"timestamp", moment("When it happened.")},
			{"data", pairs{{"type", "object"}, {"required", names}, {"properties", event}}},
		}},
	}
	header := func(name, text string) pairs {
		return pairs{{"name", name}, {"in", "header"}, {"required", true}, {"description", text}, {"schema", pairs{{"type", "string"}}}}
	}
	return pairs{
		{"operationId", "on" + strings.ReplaceAll(strings.ToUpper(t.Type[:1])+t.Type[1:], ".", "_")},
		{"tags", []string{"Webhooks"}},
		{"summary", t.Type},
		{"description", fmt.Sprintf("%s\n\nVersion %d of its data.", t.Text, t.Version)},
		{"x-event-version", t.Version},
		{"security", []any{}},
		{"parameters", []any{
			header(webhook.HeaderID, "The id of the event: the same in every attempt and replay."),
			header(webhook.HeaderTimestamp, "When this attempt was made, in seconds since 1970."),
			header(webhook.HeaderSignature, "One or more signatures, v1, and HMAC-SHA256 in base 64, separated by spaces."),
		}},
		{"requestBody", pairs{{"required", true}, {"content", pairs{{"application/json", pairs{{"schema", body}, {"example", pairs{
			{"type", t.Type}, {"timestamp", exampleTime}, {"data", value},
		}}}}}}}},
		{"responses", pairs{
			{"2XX", pairs{{"description", "It was taken. Any other answer, or none in time, has it sent again."}}},
			{"410", pairs{{"description", "Nothing more is to be sent here: the webhook is disabled."}}},
		}},
	}
}

const (
	exampleEvent  = "evt_01k9zjq3hfe1f8m6v7j0q3x5c4_1"
	exampleMember = "mem_01k9zjq3hfe1f8m6v7j0q3x5c4"
	exampleFact   = "pur_01k9zjq3hfe1f8m6v7j0q3x5c4"
	exampleTime   = "2026-11-22T12:00:00Z"
)
