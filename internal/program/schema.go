package program

import (
	_ "embed"
	"encoding/json"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/invopop/jsonschema"
)

//go:generate go test . -run ^TestGenerated -update

// SchemaID is the $id of the schema.
const SchemaID = "https://lojal.dev/schema/program.json"

// commentsJSON holds the doc comments of the document's types, by "Type" and "Type.field", because a binary has no source.
//
//go:embed comments.json
var commentsJSON []byte

var comments = sync.OnceValue(func() map[string]string {
	m := map[string]string{}
	if err := json.Unmarshal(commentsJSON, &m); err != nil {
		panic("program: comments.json: " + err.Error())
	}
	return m
})

var schema = sync.OnceValue(func() []byte {
	b, err := json.MarshalIndent(makeSchema(comments()), "", "  ")
	if err != nil {
		panic("program: schema: " + err.Error())
	}
	return append(b, '\n')
})

// Schema is the JSON Schema (2020-12) of a program document, made from the types. It tells the form; what the words and
// numbers must agree on is Check's.
func Schema() []byte { return slices.Clone(schema()) }

const (
	wordPattern   = `^.*\S.*$`
	numberPattern = `^-?(0|[1-9][0-9]*)(\.[0-9]+)?$`
	periodPattern = `^[0-9]{1,6} (minute|hour|day|week|month|year)s?$`
	langPattern   = `^[a-z]{2,3}$`
)

// expiryPolicy gives the policy of an Expiry a definition of its own, beside the word "never".
type expiryPolicy Expiry

// makeSchema reflects the types; the two forms of a value, which Go's types do not tell, are written by hand.
func makeSchema(comments map[string]string) *jsonschema.Schema {
	str := func(pattern string) *jsonschema.Schema { return &jsonschema.Schema{Type: "string", Pattern: pattern} }
	ref := func(name string) *jsonschema.Schema { return &jsonschema.Schema{Ref: "#/$defs/" + name} }
	either := func(about string, s ...*jsonschema.Schema) *jsonschema.Schema {
		return &jsonschema.Schema{Description: about, AnyOf: s}
	}
	listOf := func(s *jsonschema.Schema) *jsonschema.Schema {
		least := uint64(1)
		return &jsonschema.Schema{Type: "array", Items: s, MinItems: &least}
	}
	byLanguage := func(s *jsonschema.Schema) *jsonschema.Schema {
		least := uint64(1)
		return &jsonschema.Schema{Type: "object", PropertyNames: str(langPattern), AdditionalProperties: s, MinProperties: &least}
	}
	forms := jsonschema.NewProperties()
	forms.Set("one", &jsonschema.Schema{Type: "string", Description: "The singular."})
	forms.Set("other", &jsonschema.Schema{Type: "string", Description: "The plural."})
	byHand := map[string]*jsonschema.Schema{
		"Text":   either(comments["Text"], str(wordPattern), byLanguage(str(wordPattern))),
		"Noun":   either(comments["Noun"], str(wordPattern), byLanguage(ref("Forms"))),
		"Forms":  either(comments["Forms"], str(wordPattern), &jsonschema.Schema{Type: "object", Properties: forms, Required: []string{"one", "other"}, AdditionalProperties: jsonschema.FalseSchema}),
		"Words":  either(comments["Words"], str(wordPattern), listOf(str(wordPattern))),
		"Limits": either(comments["Limits"], ref("Limit"), listOf(ref("Limit"))),
		"Expiry": either(comments["Expiry"], &jsonschema.Schema{Const: never}, ref("ExpiryPolicy")),
		"Period": {Type: "string", Pattern: periodPattern, Description: comments["Period"], Examples: []any{"30 days", "12 months", "1 year"}},
		"Decimal": either("An exact decimal number: a number, or its digits as a text.",
			&jsonschema.Schema{Type: "number"}, str(numberPattern)),
	}
	r := &jsonschema.Reflector{
		ExpandedStruct: true, Anonymous: true, RequiredFromJSONSchemaTags: true,
		Mapper: func(t reflect.Type) *jsonschema.Schema {
			if _, ok := byHand[t.Name()]; ok && (t.PkgPath() == textType.PkgPath() || t == decimalType) {
				return ref(t.Name())
			}
			return nil
		},
		Namer: func(t reflect.Type) string {
			if t == reflect.TypeFor[expiryPolicy]() {
				return "ExpiryPolicy"
			}
			return ""
		},
	}
	root := r.ReflectFromType(reflect.TypeFor[Document]())
	for _, t := range []reflect.Type{reflect.TypeFor[Limit](), reflect.TypeFor[expiryPolicy]()} {
		one := *r
		one.ExpandedStruct = false
		maps.Copy(root.Definitions, one.ReflectFromType(t).Definitions)
	}
	describe(root, "Document", comments)
	for name, s := range root.Definitions {
		describe(s, strings.TrimSuffix(name, "Policy"), comments)
	}
	maps.Copy(root.Definitions, byHand)
	root.Version, root.ID, root.Title = jsonschema.Version, SchemaID, "Loyalty program"
	return root
}

// describe adds what the types do not tell: comments, required fields, and the words a field may hold.
func describe(s *jsonschema.Schema, typ string, comments map[string]string) {
	s.Description = comments[typ]
	s.Required = nil
	if s.Properties == nil {
		return
	}
	for p := s.Properties.Oldest(); p != nil; p = p.Next() {
		key := typ + "." + p.Key
		about := comments[key]
		if p.Value.Ref != "" { // a description beside $ref is allowed since 2019-09
			p.Value = &jsonschema.Schema{Ref: p.Value.Ref}
		}
		p.Value.Description = about
		if required(about) {
			s.Required = append(s.Required, p.Key)
		}
		if words, ok := vocabulary[key]; ok {
			target := p.Value
			if target.AdditionalProperties != nil {
				target = target.AdditionalProperties
			}
			if target != p.Value && target.Items != nil {
				target = target.Items
			}
			for _, w := range words {
				target.Enum = append(target.Enum, w)
			}
			if d := defaultOf(about); d != "" && target == p.Value {
				target.Default = d
			}
		}
	}
}

func required(about string) bool {
	return strings.Contains(about, "Required.") || strings.Contains(about, "is required.")
}

var (
	quotedDefault = regexp.MustCompile(`"([^"]+)" \(the default`)
	leftOut       = regexp.MustCompile(`([0-9]+(?: [a-z]+)?|down, once a purchase,) when left out`)
)

// defaultOf reads the default out of a comment: `"net" (the default`, `0 when left out`.
func defaultOf(about string) string {
	if m := quotedDefault.FindStringSubmatch(about); m != nil {
		return m[1]
	}
	if m := leftOut.FindStringSubmatch(about); m != nil {
		return strings.TrimSuffix(m[1], ",")
	}
	return ""
}
