package program

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template"

	validator "github.com/santhosh-tekuri/jsonschema/v6"
)

const (
	schemaFile    = "../../docs/program.schema.json"
	referenceFile = "../../docs/program.md"
)

// sourceComments reads the doc comments of the document's types from the source. A field under another one's comment
// shares it when the comment names it: "From and Until bound …".
func sourceComments(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	names := map[string]string{} // Go names of fields to names in the document
	fset := token.NewFileSet()
	var specs []*ast.TypeSpec
	for _, file := range []string{"document.go", "challenge.go", "period.go", "referral.go", "giftcards.go", "claims.go", "benefit.go", "moments.go",
		"partner.go", "recognition.go", "share.go", "houses.go", "kinds.go", "coupon.go", "look.go"} {
		f, err := parser.ParseFile(fset, file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range f.Decls {
			g, ok := decl.(*ast.GenDecl)
			if !ok || g.Tok != token.TYPE {
				continue
			}
			spec := g.Specs[0].(*ast.TypeSpec)
			specs = append(specs, spec)
			out[spec.Name.Name] = strings.Join(strings.Fields(g.Doc.Text()), " ")
		}
	}
	jsonName := regexp.MustCompile(`json:"([a-z_]+)`)
	for _, spec := range specs {
		st, ok := spec.Type.(*ast.StructType)
		if !ok {
			continue
		}
		last := ""
		for _, f := range st.Fields.List {
			if f.Tag == nil {
				continue
			}
			m := jsonName.FindStringSubmatch(f.Tag.Value)
			if m == nil {
				continue
			}
			goName := f.Names[0].Name
			names[goName] = m[1]
			text := strings.Join(strings.Fields(f.Doc.Text()), " ")
			if text == "" && regexp.MustCompile(`\b`+goName+`\b`).MatchString(last) {
				text = last
			}
			if text == "" {
				t.Errorf("%s.%s has no comment: it is the field's description in the schema and the reference", spec.Name.Name, goName)
			}
			out[spec.Name.Name+"."+m[1]], last = text, text
		}
	}
	for key, text := range out {
		out[key] = plain(text, key, names)
	}
	return out
}

var firstWord = regexp.MustCompile(`^([A-Z]\w*)( (?:is|are|has|holds|says|tells|lists|names|bounds|bound|caps|keeps|counts|asks|compares|decides|takes|turns|makes|narrows|overrides|ends|rounds|goes|matches|computes)\b)`)

// plain writes a Go comment for readers of the document: fields are called by their names in the document.
func plain(text, key string, names map[string]string) string {
	_, field, isField := strings.Cut(key, ".")
	for name, n := range names {
		if own := name + ": "; n == field && strings.HasPrefix(text, own) {
			text = strings.TrimPrefix(text, own)
		}
	}
	if m := firstWord.FindStringSubmatch(text); isField && m != nil && names[m[1]] == field {
		rest := strings.TrimPrefix(text, m[0])
		switch strings.TrimSpace(m[2]) {
		case "is", "are":
			text = strings.ToUpper(rest[1:2]) + rest[2:]
		default:
			text = strings.ToUpper(m[2][1:2]) + m[2][2:] + rest
		}
	}
	// Inside a sentence, a capital letter in the middle of it is a field's Go name.
	return regexp.MustCompile(`(^|[^.] |\()([A-Z][A-Za-z]*)\b`).ReplaceAllStringFunc(text, func(s string) string {
		i := strings.LastIndexAny(s, " (") + 1
		word := s[i:]
		if n, ok := names[word]; ok && (i > 0 || strings.Contains(text, word+" and ") || strings.HasPrefix(text, word+", ")) {
			return s[:i] + n
		}
		return s
	})
}

func TestGeneratedComments(t *testing.T) {
	b, err := json.MarshalIndent(sourceComments(t), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "comments.json", string(b)+"\n")
}

func TestGeneratedSchema(t *testing.T) {
	b, err := json.MarshalIndent(makeSchema(sourceComments(t)), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, schemaFile, string(b)+"\n")
	if !*update && !bytes.Equal(append(b, '\n'), Schema()) {
		t.Error("Schema() differs from the committed schema: comments.json is not up to date")
	}
}

func compiledSchema(t *testing.T) *validator.Schema {
	t.Helper()
	doc, err := validator.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := validator.NewCompiler()
	if err := c.AddResource(SchemaID, doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(SchemaID)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func validate(t *testing.T, s *validator.Schema, j []byte) error {
	t.Helper()
	v, err := validator.UnmarshalJSON(bytes.NewReader(j))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(v)
}

func TestSchemaAcceptsBlueprints(t *testing.T) {
	t.Parallel()
	s := compiledSchema(t)
	for _, name := range Blueprints() {
		b, err := Blueprint(name)
		if err != nil {
			t.Fatal(err)
		}
		n, problems := read(b, name+".yaml")
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		if err := validate(t, s, n.json(nil)); err != nil {
			t.Errorf("%s as written: %v", name, err)
		}
		d, err := Parse(b, name)
		if err != nil {
			t.Fatal(err)
		}
		j, err := Canonical(d)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate(t, s, j); err != nil {
			t.Errorf("%s in canonical form: %v", name, err)
		}
	}
}

func TestSchemaRefuses(t *testing.T) {
	t.Parallel()
	s := compiledSchema(t)
	head := `"program":"bar","name":"Bar","time_zone":"Europe/Oslo","currency":"NOK","units":{"star":{"name":"star"}}`
	if err := validate(t, s, []byte(`{`+head+`}`)); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{
		`{}`, `{` + head + `,"nname":"x"}`, `{` + head + `,"earn":{}}`,
		`{` + head + `,"earn":[{"id":"a","on":"purchase","stack":"most"}]}`,
		`{` + head + `,"earn":[{"id":"a","on":"purchase","limit":{"times":1}}]}`,
		`{` + head + `,"earn":[{"id":"a","on":"purchase","expires":"sometimes"}]}`,
		`{` + head + `,"earn":[{"id":"a","on":"purchase","multiply":"1e3"}]}`,
		`{` + head + `,"returns":{"within":"soon"}}`,
		`{` + head + `,"activities":{"x":{"properties":{"a":"float"}}}}`,
	} {
		if validate(t, s, []byte(bad)) == nil {
			t.Errorf("accepted: %s", bad)
		}
	}
}

//go:embed testdata/program.md.tmpl
var referenceTemplate string

func TestGeneratedReference(t *testing.T) {
	golden(t, referenceFile, reference(t, sourceComments(t)))
}

// The first example of the reference is a whole program, and a good one.
func TestReferenceExample(t *testing.T) {
	t.Parallel()
	_, example, _ := strings.Cut(referenceTemplate, "```yaml\n")
	example, _, _ = strings.Cut(example, "```")
	if _, err := Parse([]byte(example), "program.md"); err != nil {
		t.Error(err)
	}
}

// part is one table of the reference.
type part struct {
	Name, About string
	Rows        []row
}

type row struct{ Field, Type, Default, About string }

// reference writes docs/program.md: the template's words with a table for each type.
func reference(t *testing.T, about map[string]string) string {
	t.Helper()
	var parts []part
	seen := map[reflect.Type]bool{}
	var add func(reflect.Type)
	add = func(typ reflect.Type) {
		for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice || (typ.Kind() == reflect.Map && typ != textType) {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct || typ == periodType || typ == decimalType || seen[typ] {
			return
		}
		seen[typ] = true
		p := part{Name: typ.Name(), About: about[typ.Name()]}
		fs := fieldsOf(typ)
		for _, name := range fs.names {
			key := typ.Name() + "." + name
			text := about[key]
			def := defaultOf(text)
			if required(text) {
				def = "required"
				text = strings.TrimSpace(strings.NewReplacer("Required.", "", "Is required.", "").Replace(text))
			}
			kind := typeText(fs.byName[name].Type)
			if words, ok := vocabulary[key]; ok {
				kind = "`" + strings.Join(words, "`, `") + "`"
			}
			p.Rows = append(p.Rows, row{name, kind, def, strings.ReplaceAll(text, "|", "\\|")})
		}
		parts = append(parts, p)
		for _, name := range fs.names {
			add(fs.byName[name].Type)
		}
	}
	add(reflect.TypeFor[Document]())
	for _, p := range parts {
		if p.About == "" {
			t.Errorf("%s has no comment", p.Name)
		}
	}
	tmpl, err := template.New("reference").Funcs(template.FuncMap{
		"part": func(name string) (part, error) {
			i := slices.IndexFunc(parts, func(p part) bool { return p.Name == name })
			if i < 0 {
				return part{}, fmt.Errorf("no part %s", name)
			}
			p := parts[i]
			parts = slices.Delete(parts, i, i+1)
			return p, nil
		},
	}).Parse(referenceTemplate)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := tmpl.Execute(&b, nil); err != nil {
		t.Fatal(err)
	}
	for _, p := range parts {
		t.Errorf("the template of the reference leaves out %s", p.Name)
	}
	return b.String()
}

func typeText(t reflect.Type) string {
	switch t {
	case textType:
		return "text"
	case nounType:
		return "noun"
	case wordsType:
		return "word or list"
	case periodType:
		return "period"
	case decimalType:
		return "number"
	case limitsType:
		return "[limit](#limit) or list"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return typeText(t.Elem())
	case reflect.Slice:
		return "list of " + typeText(t.Elem())
	case reflect.Map:
		return "map of " + typeText(t.Elem())
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64:
		return "whole number"
	case reflect.Struct:
		return "[" + strings.ToLower(t.Name()) + "](#" + strings.ToLower(t.Name()) + ")"
	default:
		return "word"
	}
}
