package web

import (
	"bytes"
	"encoding"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"lojal.dev/lojal/internal/errs"
)

// MaxDepth bounds how deep objects and lists may lie inside each other in a request.
const MaxDepth = 32

// maxMistakes bounds the list in one answer, so that a broken megabyte does not come back as ten.
const maxMistakes = 100

// Appender writes its JSON itself, as Marshal would: for answers that are given often.
type Appender interface {
	AppendJSON(dst []byte) ([]byte, error)
}

// Marshal writes JSON as every answer does: keys in a fixed order, lists and objects never null.
func Marshal(v any) ([]byte, error) {
	if a, ok := v.(Appender); ok {
		return a.AppendJSON(make([]byte, 0, 1<<10))
	}
	return json.Marshal(v, json.Deterministic(true))
}

// Unmarshal reads one JSON value strictly into a pointer. Broken JSON, unknown and repeated keys (case counts), invalid UTF-8,
// anything after the value and too deep nesting are malformed; values of the wrong type are invalid. The error names
// every mistake by its pointer, not only the first.
func Unmarshal(data []byte, into any) error {
	if len(bytes.TrimSpace(data)) == 0 {
		return errs.Malformed("body_missing", "The request has no body. Send a JSON object.")
	}
	if deeper(data, MaxDepth) {
		return errs.Malformed("too_deep", fmt.Sprintf("The body nests more than %d levels deep.", MaxDepth))
	}
	err := json.Unmarshal(data, into, json.RejectUnknownMembers(true))
	if err == nil && !suspicious(data, into) {
		return nil
	}
	if e := syntax(data); e != nil {
		return e
	}
	c := collector{}
	c.value(reflect.TypeOf(into).Elem(), jsontext.Value(data), "", true)
	switch {
	case len(c.unknown) > 0:
		return errs.Malformed("unknown_key", "The body has keys that do not exist here. Keys are case-sensitive.", append(c.unknown, c.wrong...)...)
	case len(c.wrong) > 0:
		return errs.Invalid("invalid_body", "The body has values of the wrong type. errors names each of them.", c.wrong...)
	case err != nil:
		return errs.Invalid("invalid_body", "The body does not have the form that is asked for.", semantic(err))
	}
	return nil
}

// suspicious says whether what was read may hold what json lets pass and we do not: a null or scalar for a whole body, a
// NUL character in a text (PostgreSQL cannot store it).
func suspicious(data []byte, into any) bool {
	if k := reflect.TypeOf(into).Elem().Kind(); k == reflect.Struct && bytes.TrimSpace(data)[0] != '{' {
		return true
	}
	return bytes.Contains(data, []byte(`\u0000`))
}

// deeper says whether the text nests deeper than limit, without looking at anything else.
func deeper(data []byte, limit int) bool {
	depth, quoted := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > limit {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// syntax gives the malformed error of a text that is no JSON, nil for one that is.
func syntax(data []byte) error {
	dec := jsontext.NewDecoder(bytes.NewReader(data))
	_, err := dec.ReadValue()
	if err == nil {
		rest := bytes.TrimSpace(data[dec.InputOffset():])
		if len(rest) == 0 {
			return nil
		}
		return errs.Malformed("trailing_data", "There is something after the JSON value.")
	}
	var se *jsontext.SyntacticError
	if !errors.As(err, &se) {
		return errs.Malformed("malformed_json", "The body is not whole: it ends in the middle of the JSON value.")
	}
	field := errs.Field{Pointer: string(se.JSONPointer)}
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		field.Reason, field.Message = "duplicate_key", "This key is there more than once. Keep one."
		return errs.Malformed("duplicate_key", "The body has a key more than once.", field)
	case strings.Contains(se.Err.Error(), "UTF-8") || strings.Contains(se.Err.Error(), "surrogate"):
		field.Reason, field.Message = "invalid_utf8", "This text is not valid UTF-8."
		return errs.Malformed("invalid_utf8", "The body is not valid UTF-8.", field)
	}
	field.Reason = "malformed_json"
	field.Message = fmt.Sprintf("The JSON breaks off here, at byte %d: %s.", se.ByteOffset, strings.TrimPrefix(se.Err.Error(), "jsontext: "))
	return errs.Malformed("malformed_json", "The body is not valid JSON.", field)
}

func semantic(err error) errs.Field {
	f := errs.Field{Reason: "wrong_value", Message: "This value does not have the form that is asked for."}
	if se, ok := errors.AsType[*json.SemanticError](err); ok {
		f.Pointer = string(se.JSONPointer)
	}
	return f
}

// collector walks a value that is valid JSON beside the type it should have, and notes each mistake. It runs only after a
// value was refused: what is right never pays for it.
type collector struct{ unknown, wrong []errs.Field }

func (c *collector) full() bool { return len(c.unknown)+len(c.wrong) >= maxMistakes }

func (c *collector) bad(pointer, reason, message string) {
	if !c.full() {
		c.wrong = append(c.wrong, errs.Field{Pointer: pointer, Reason: reason, Message: message})
	}
}

var (
	fromJSON   = reflect.TypeFor[json.UnmarshalerFrom]()
	fromJSONv1 = reflect.TypeFor[stdjson.Unmarshaler]()
	fromText   = reflect.TypeFor[encoding.TextUnmarshaler]()
	timeType   = reflect.TypeFor[time.Time]()
	rawType    = reflect.TypeFor[jsontext.Value]()
)

func readsItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(fromJSON) || p.Implements(fromJSONv1) || p.Implements(fromText)
}

func (c *collector) value(t reflect.Type, v jsontext.Value, pointer string, top bool) {
	if c.full() {
		return
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	kind := v.Kind()
	if kind == 'n' && !top {
		return // null is absent
	}
	if kind == '"' && bytes.Contains(v, []byte(`\u0000`)) {
		var s string
		if json.Unmarshal(v, &s) == nil && strings.ContainsRune(s, 0) {
			c.bad(pointer, "nul_character", "A text must not hold the character U+0000.")
			return
		}
	}
	switch {
	case t == rawType || t.Kind() == reflect.Interface:
		c.nested(v, pointer)
	case readsItself(t):
		c.nested(v, pointer)
		if json.Unmarshal(v, reflect.New(t).Interface(), json.RejectUnknownMembers(true)) != nil {
			c.bad(pointer, "wrong_value", "This must be "+wanted(t)+".")
		}
	case t.Kind() == reflect.Struct:
		if kind != '{' {
			c.bad(pointer, "wrong_type", "This must be an object.")
			return
		}
		fields := fieldsOf(t)
		c.members(v, func(name string, member jsontext.Value) {
			at := pointer + "/" + escape(name)
			ft, ok := fields[name]
			if !ok {
				if !c.full() {
					c.unknown = append(c.unknown, errs.Field{Pointer: at, Reason: "unknown_key", Message: unknown(name, fields)})
				}
				return
			}
			c.value(ft, member, at, false)
		})
	case t.Kind() == reflect.Map:
		if kind != '{' {
			c.bad(pointer, "wrong_type", "This must be an object.")
			return
		}
		c.members(v, func(name string, member jsontext.Value) {
			if strings.ContainsRune(name, 0) {
				c.bad(pointer, "nul_character", "A key must not hold the character U+0000.")
			}
			c.value(t.Elem(), member, pointer+"/"+escape(name), false)
		})
	case t.Kind() == reflect.Slice && t.Elem().Kind() != reflect.Uint8:
		if kind != '[' {
			c.bad(pointer, "wrong_type", "This must be a list.")
			return
		}
		i := 0
		c.elements(v, func(e jsontext.Value) {
			c.value(t.Elem(), e, fmt.Sprintf("%s/%d", pointer, i), false)
			i++
		})
	default:
		if json.Unmarshal(v, reflect.New(t).Interface()) != nil {
			c.bad(pointer, "wrong_type", "This must be "+wanted(t)+".")
		}
	}
}

// nested looks for NUL characters in a value whose type is not ours to know.
func (c *collector) nested(v jsontext.Value, pointer string) {
	var anything any
	switch v.Kind() {
	case '{':
		c.members(v, func(name string, m jsontext.Value) {
			c.value(reflect.TypeOf(&anything).Elem(), m, pointer+"/"+escape(name), false)
		})
	case '[':
		i := 0
		c.elements(v, func(e jsontext.Value) {
			c.value(reflect.TypeOf(&anything).Elem(), e, fmt.Sprintf("%s/%d", pointer, i), false)
			i++
		})
	}
}

func (c *collector) members(v jsontext.Value, each func(string, jsontext.Value)) {
	dec := jsontext.NewDecoder(bytes.NewReader(v))
	if _, err := dec.ReadToken(); err != nil {
		return
	}
	for dec.PeekKind() == '"' {
		name, err := dec.ReadToken()
		if err != nil {
			return
		}
		key := name.String()
		m, err := dec.ReadValue()
		if err != nil {
			return
		}
		each(key, m.Clone())
	}
}

func (c *collector) elements(v jsontext.Value, each func(jsontext.Value)) {
	dec := jsontext.NewDecoder(bytes.NewReader(v))
	if _, err := dec.ReadToken(); err != nil {
		return
	}
	for dec.PeekKind() != ']' && dec.PeekKind() > 0 {
		e, err := dec.ReadValue()
		if err != nil {
			return
		}
		each(e.Clone())
	}
}

func escape(name string) string {
	return strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
}

// unknown says that a key does not exist, and which one may be meant.
func unknown(name string, fields map[string]reflect.Type) string {
	for have := range fields {
		if strings.EqualFold(have, name) || strings.EqualFold(strings.ReplaceAll(have, "_", ""), strings.ReplaceAll(name, "_", "")) {
			return fmt.Sprintf("There is no key %q here; write %q.", name, have)
		}
	}
	return "There is no such key here."
}

func wanted(t reflect.Type) string {
	switch {
	case t == timeType:
		return "a time with offset, such as 2026-11-22T10:00:00+01:00"
	case t.Name() == "Property":
		return "a text, a number of at most 18 digits and without exponent, or true or false"
	case t.Name() == "Decimal":
		return "a decimal number, such as \"12.50\", of at most 18 digits and without exponent"
	}
	switch t.Kind() {
	case reflect.String:
		return "a text"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return "a whole number"
	case reflect.Slice:
		return "a list"
	case reflect.Map, reflect.Struct:
		return "an object"
	}
	return "a value of another form"
}

var fieldCache sync.Map // reflect.Type → map[string]reflect.Type

// fieldsOf gives the JSON names of a struct's fields, those of embedded structs too.
func fieldsOf(t reflect.Type) map[string]reflect.Type {
	if m, ok := fieldCache.Load(t); ok {
		return m.(map[string]reflect.Type)
	}
	m := map[string]reflect.Type{}
	for f := range t.Fields() {
		name, opts, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-" || !f.IsExported() && !f.Anonymous:
		case f.Anonymous && name == "" || strings.Contains(opts, "inline") || strings.Contains(opts, "embed"):
			ft := f.Type
			if ft.Kind() == reflect.Pointer {
				ft = ft.Elem()
			}
			for n, inner := range fieldsOf(ft) {
				if _, have := m[n]; !have {
					m[n] = inner
				}
			}
		default:
			if name == "" {
				name = f.Name
			}
			m[name] = f.Type
		}
	}
	fieldCache.Store(t, m)
	return m
}
