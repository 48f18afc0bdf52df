package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"lojal.dev/lojal/internal/web"
)

var update = flag.Bool("update", false, "write generated files")

const openAPIFile = "../../docs/api/openapi.yaml"

// TestGenerated fails when a generated file is not what the source makes of it; with -update it writes them.
func TestGenerated(t *testing.T) {
	t.Parallel()
	found := sourceComments(t, "api", "engine", "web")
	want, err := json.MarshalIndent(found, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	want = append(bytes.ReplaceAll(want, []byte(`\u003c`), []byte("<")), '\n')
	want = bytes.ReplaceAll(want, []byte(`\u003e`), []byte(">"))
	if *update {
		comments = found
		answers = exampleAnswers(t)
		text, err := json.MarshalIndent(answers, "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		compare(t, "answers.json", append(text, '\n'))
	}
	compare(t, "comments.json", want)
	d, err := makeDocument(false)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, openAPIFile, d.yaml())
}

func compare(t *testing.T, file string, want []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	have, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, want) {
		t.Errorf("%s is not up to date: run go generate ./internal/api", file)
	}
}

// sourceComments reads the doc comments of types and their fields, of those that the API shows.
func sourceComments(t *testing.T, packages ...string) map[string]string {
	t.Helper()
	used := usedTypes()
	out := map[string]string{}
	note := func(name, text string) {
		if text = strings.TrimSpace(text); text != "" {
			out[name] = strings.Join(strings.Fields(text), " ")
		}
	}
	for _, pkg := range packages {
		files, err := filepath.Glob("../" + pkg + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			for _, decl := range parsed.Decls {
				gen, ok := decl.(*ast.GenDecl)
				if !ok || gen.Tok != token.TYPE {
					continue
				}
				for _, spec := range gen.Specs {
					typ := spec.(*ast.TypeSpec)
					name := pkg + "." + typ.Name.Name
					if !used[name] {
						continue
					}
					note(name, gen.Doc.Text())
					if s, ok := typ.Type.(*ast.StructType); ok {
						for _, f := range s.Fields.List {
							text := f.Doc.Text()
							if text == "" {
								text = f.Comment.Text()
							}
							for _, n := range f.Names {
								if n.IsExported() {
									note(name+"."+n.Name, text)
								}
							}
						}
					}
				}
			}
		}
	}
	return out
}

// usedTypes are the types that routes read and answer with, by the names that comments have.
func usedTypes() map[string]bool {
	seen, used := map[reflect.Type]bool{}, map[string]bool{}
	var walk func(t reflect.Type)
	walk = func(t reflect.Type) {
		for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
			t = t.Elem()
		}
		if seen[t] || !strings.HasPrefix(t.PkgPath(), "lojal.dev/") {
			return
		}
		seen[t] = true
		used[commentName(t)] = true
		if t.Kind() == reflect.Struct {
			for f := range t.Fields() {
				if f.IsExported() || f.Anonymous { // the others are nobody's to read
					walk(f.Type)
				}
			}
		}
	}
	for _, r := range table() {
		walk(r.in)
		walk(r.answerType())
	}
	walk(reflect.TypeFor[AnyFact]())
	walk(reflect.TypeFor[ProgramDocument]())
	walk(reflect.TypeFor[web.Problem]())
	delete(used, "api.Call")
	delete(used, "api.Server")
	return used
}

func TestDocumentIsValid(t *testing.T) {
	t.Parallel()
	for _, strict := range []bool{false, true} {
		d, err := makeDocument(strict)
		if err != nil {
			t.Fatal(err)
		}
		c, err := agreed(d.json)
		if err != nil {
			t.Fatal(err)
		}
		// The examples are held against their schemas below, each of which is compiled once.
		if err := c.doc.Validate(t.Context(), openapi3.DisableExamplesValidation()); err != nil {
			t.Error(err)
		}
		var raw any
		if err := json.Unmarshal(d.json, &raw); err != nil {
			t.Fatal(err)
		}
		examples := 0
		withExamples("#", raw, func(at string, example any) {
			examples++
			if err := c.valid(at+"/schema", example); err != nil {
				t.Errorf("%s: the example: %v", at, err)
			}
		})
		if examples < 2*len(d.routes) {
			t.Errorf("%d examples of %d operations", examples, len(d.routes))
		}
		if strict { // is read by tests alone, as JSON
			continue
		}
		yamlDoc, err := openapi3.NewLoader().LoadFromData(d.yaml())
		if err != nil {
			t.Fatal(err)
		}
		if yamlDoc.Paths.Len() != c.doc.Paths.Len() {
			t.Errorf("%d paths in YAML, %d in JSON", yamlDoc.Paths.Len(), c.doc.Paths.Len())
		}
	}
}

// withExamples goes through all places of a document that have a schema and an example of it.
func withExamples(at string, node any, do func(at string, example any)) {
	switch node := node.(type) {
	case map[string]any:
		_, schema := node["schema"]
		example, shown := node["example"]
		if schema && shown {
			do(at, example)
		}
		for name, sub := range node {
			if !schema || name != "schema" && name != "example" {
				withExamples(place(at, name), sub, do)
			}
		}
	case []any:
		for i, sub := range node {
			withExamples(place(at, strconv.Itoa(i)), sub, do)
		}
	}
}

func TestDocumentSaysEnough(t *testing.T) {
	t.Parallel()
	d := newDocument()
	ids := map[string]bool{}
	for _, r := range d.routes {
		id := r.operationID()
		if ids[id] {
			t.Errorf("two operations are called %s", id)
		}
		ids[id] = true
		if r.Tag == "" || r.Summary == "" {
			t.Errorf("%s says too little", id)
		}
		for _, p := range d.params[r] {
			if p.text == "" {
				t.Errorf("%s: parameter %s has no description", id, p.name)
			}
			if p.in == "path" && r.example(p.name) == "" {
				t.Errorf("%s: parameter %s has no example", id, p.name)
			}
		}
		_, body := web.Params(r.in)
		if body != nil && body.Kind() != reflect.Pointer && r.Body == "" {
			t.Errorf("%s has a body and no example", id)
		}
		if r.answer() == nil {
			t.Errorf("%s has no example of its answer: run go generate ./internal/api", id)
		}
		if r.Body != "" && body != nil {
			into := reflect.New(body)
			if body.Kind() == reflect.Pointer {
				into = reflect.New(body.Elem())
			}
			if err := web.Unmarshal([]byte(r.Body), into.Interface()); err != nil {
				t.Errorf("%s: the example is refused: %v", id, err)
			}
		}
		if r.Scope != Open && r.Scope != AnyScope && !regexp.MustCompile(`^([a-z]+:(read|write)|admin)$`).MatchString(r.Scope) {
			t.Errorf("%s: scope %q", id, r.Scope)
		}
		found := false
		for _, tag := range tagTexts {
			found = found || tag[0] == r.Tag
		}
		if !found {
			t.Errorf("%s: tag %q is not in the list", id, r.Tag)
		}
	}
	for name, s := range d.schemas {
		if s.Description == "" && !strings.HasPrefix(name, "Program") && !strings.HasSuffix(name, "Page") {
			t.Errorf("schema %s has no description", name)
		}
	}
}

// What the tests hold answers against takes each example, and neither a key, a status nor a kind that the document does not have.
func TestTheContractIsClosed(t *testing.T) {
	t.Parallel()
	closed := 0
	for _, r := range newDocument().routes {
		answered := func(status int, kind, body string) error {
			w := httptest.NewRecorder()
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			w.WriteString(body)
			return contract().answered(httptest.NewRequest(r.Method, "/", nil), r.Path, r.Method, w)
		}
		text := string(r.answer())
		if !strings.HasPrefix(text, "{") || len(text) < 3 {
			continue
		}
		closed++
		if err := answered(r.Status, "application/json", text); err != nil {
			t.Errorf("%s: the example: %v", r.operationID(), err)
		}
		if answered(r.Status, "application/json", `{"unheard_of": 1, `+text[1:]) == nil && r.answerType().Kind() == reflect.Struct {
			t.Errorf("%s: any key is taken", r.operationID())
		}
		if answered(299, "application/json", text) == nil {
			t.Errorf("%s: any status is taken", r.operationID())
		}
		if answered(r.Status, "application/problem+json", text) == nil {
			t.Errorf("%s: any kind is taken", r.operationID())
		}
		if answered(http.StatusNotFound, "application/problem+json", `{"code": 1}`) == nil {
			t.Errorf("%s: any problem is taken", r.operationID())
		}
	}
	if closed < 50 {
		t.Errorf("%d operations answer with an object", closed)
	}
}
