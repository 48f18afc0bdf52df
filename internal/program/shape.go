package program

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"lojal.dev/lojal/internal/money"
)

// shaper compares what was written with the types of the document, so that every unknown name and every value of the
// wrong kind is told at once, before anything is decoded. What is wrong is taken out; mistakes below such a place are
// not told again.
type shaper struct {
	problems []Problem
	// bad are the places that were taken out; around are the groups directly around them.
	bad, around map[string]bool
}

var (
	textType    = reflect.TypeFor[Text]()
	nounType    = reflect.TypeFor[Noun]()
	formsType   = reflect.TypeFor[Forms]()
	wordsType   = reflect.TypeFor[Words]()
	limitsType  = reflect.TypeFor[Limits]()
	expiryType  = reflect.TypeFor[Expiry]()
	periodType  = reflect.TypeFor[Period]()
	decimalType = reflect.TypeFor[money.Decimal]()
)

var wholeNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]{0,17})$`)

func (s *shaper) wrong(ptr string, n *node, msg, hint string) bool {
	s.problems = append(s.problems, Problem{Pointer: ptr, Line: n.line, Column: n.col, Message: msg, Hint: hint})
	s.bad[ptr] = true
	s.around[parent(ptr)] = true
	return false
}

func (s *shaper) want(ptr string, n *node, what, hint string) bool {
	if n.kind == null {
		if strings.HasSuffix(ptr, "colour") {
			hint = "write the colour in quotation marks, for # begins a comment: \"#6b3f1d\""
		}
		return s.wrong(ptr, n, "nothing is written here; "+what+" is wanted", hint+", or remove the line")
	}
	got := kindName[n.kind]
	if n.kind == text || n.kind == number || n.kind == truth {
		got = fmt.Sprintf("%q", clip(n.text))
	}
	return s.wrong(ptr, n, fmt.Sprintf("%s is wanted here, not %s", what, got), hint)
}

func clip(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}

// value says whether the node fits the type. It brings union forms and bare words into the form that decodes.
func (s *shaper) value(ptr string, n *node, t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t {
	case textType:
		if n.kind == object {
			return s.mapOf(ptr, n, reflect.TypeFor[string]())
		}
		return s.word(ptr, n, "a text, or one for each language,", "write for example Gold or {nb: Gull, en: Gold}")
	case nounType:
		if n.kind == object {
			return s.mapOf(ptr, n, formsType)
		}
		return s.word(ptr, n, "a name, or one for each language,", "write for example {nb: {one: stjerne, other: stjerner}}")
	case formsType:
		if n.kind == object {
			return s.structure(ptr, n, t)
		}
		return s.word(ptr, n, "a name or its two forms", "write for example {one: star, other: stars}")
	case wordsType:
		if n.kind == array {
			for i, k := range n.kids {
				if !s.word(at(ptr, i), k, "a word", "write a word or a list of words") {
					n.kids[i] = &node{kind: text}
				}
			}
			return true
		}
		return s.word(ptr, n, "a word or a list of words", "write for example coffee or [coffee, tea]")
	case limitsType:
		if n.kind == array {
			return s.list(ptr, n, t.Elem())
		}
		if n.kind == object {
			return s.structure(ptr, n, t.Elem())
		}
		return s.want(ptr, n, "a limit or a list of limits", "write for example {per: day, times: 3}")
	case expiryType:
		if n.kind == text && n.text == never {
			return true
		}
		if n.kind == object {
			return s.structure(ptr, n, t)
		}
		return s.want(ptr, n, "\"never\" or a policy", "write never, or for example {after: 12 months, at: end of month}")
	case periodType:
		if n.kind != text {
			return s.want(ptr, n, "a period", "write for example 30 days, 12 months or 1 year")
		}
		if _, err := ParsePeriod(n.text); err != nil {
			return s.wrong(ptr, n, fmt.Sprintf("%q is not a period", clip(n.text)), "write for example 30 days, 12 months or 1 year")
		}
		return true
	case decimalType:
		if n.kind != text && n.kind != number {
			return s.want(ptr, n, "a number", "write for example 10 or 12.50")
		}
		if _, err := money.Parse(n.text); err != nil {
			hint := "write plain digits with a point, for example 12.50"
			if strings.Contains(n.text, ",") {
				hint = "write a point, not a comma: 12.50"
			}
			return s.wrong(ptr, n, fmt.Sprintf("%q is %v", clip(n.text), err), hint)
		}
		return true
	}
	switch t.Kind() {
	case reflect.Struct:
		if n.kind != object {
			return s.want(ptr, n, "a group of fields", "write the fields below, each on a line with more spaces before it, or as {name: value}")
		}
		return s.structure(ptr, n, t)
	case reflect.Map:
		if n.kind != object {
			return s.want(ptr, n, "a group of names, each with its value,", "write name: value below, with more spaces before it")
		}
		return s.mapOf(ptr, n, t.Elem())
	case reflect.Slice:
		if n.kind != array {
			return s.want(ptr, n, "a list", "begin each item with \"- \", or write [a, b]")
		}
		return s.list(ptr, n, t.Elem())
	case reflect.String:
		return s.word(ptr, n, "a text", "write a word")
	case reflect.Bool:
		if n.kind != truth {
			return s.want(ptr, n, "true or false", "write true or false")
		}
		return true
	case reflect.Int, reflect.Int64:
		if n.kind != number {
			return s.want(ptr, n, "a whole number", "write digits only")
		}
		if !wholeNumber.MatchString(n.text) {
			return s.wrong(ptr, n, fmt.Sprintf("%q is not a whole number", clip(n.text)), "write digits only, for example 3")
		}
		return true
	}
	panic("program: the shape of " + t.String() + " is not known")
}

// word takes a text, and from YAML a bare number or true, which is a text where one is wanted: sku: 0042.
func (s *shaper) word(ptr string, n *node, what, hint string) bool {
	switch {
	case n.kind == text:
	case n.bare && (n.kind == number || n.kind == truth):
		n.kind = text
	default:
		return s.want(ptr, n, what, hint)
	}
	return true
}

func (s *shaper) list(ptr string, n *node, t reflect.Type) bool {
	for i, k := range n.kids {
		if s.hopeless() {
			return true
		}
		if !s.value(at(ptr, i), k, t) {
			empty := &node{kind: text, line: k.line, col: k.col}
			if t.Kind() == reflect.Struct {
				empty.kind = object
			}
			n.kids[i] = empty // keeps the places of the others
		}
	}
	return true
}

func (s *shaper) mapOf(ptr string, n *node, t reflect.Type) bool {
	s.each(ptr, n, func(string) (reflect.Type, string) { return t, "" })
	return true
}

func (s *shaper) structure(ptr string, n *node, t reflect.Type) bool {
	fields := fieldsOf(t)
	s.each(ptr, n, func(name string) (reflect.Type, string) {
		if f, ok := fields.byName[name]; ok {
			return f.Type, ""
		}
		return nil, didYouMean(name, fields.names, "fields here")
	})
	return true
}

// each goes through the fields of an object, tells the unknown and the repeated ones, and keeps the good ones.
func (s *shaper) each(ptr string, n *node, typeOf func(name string) (reflect.Type, string)) {
	keys, kids := n.keys, n.kids
	n.keys, n.kids = nil, nil
	seen := make(map[string]bool, len(keys))
	for i, name := range keys {
		if s.hopeless() {
			return
		}
		p := at(ptr, name)
		twice := seen[name]
		seen[name] = true
		switch t, hint := typeOf(name); {
		case twice:
			s.wrong(p, kids[i], fmt.Sprintf("%q is written twice", name), "keep one of them")
		case t == nil:
			s.wrong(p, kids[i], fmt.Sprintf("there is no field %q here", clip(name)), hint)
		case s.value(p, kids[i], t):
			n.keys, n.kids = append(n.keys, name), append(n.kids, kids[i])
		}
	}
}

type fieldSet struct {
	names  []string
	byName map[string]reflect.StructField
}

// fieldsOf lists a struct's fields by their names in the document.
func fieldsOf(t reflect.Type) fieldSet {
	fs := fieldSet{byName: map[string]reflect.StructField{}}
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" || name == "" {
			continue
		}
		fs.names = append(fs.names, name)
		fs.byName[name] = f
	}
	return fs
}

// covered says whether a place lies in a part that is known to be wrong already, or is the group around one: what was
// taken out may be just what the group seems to lack.
func (s *shaper) covered(ptr string) bool {
	if s.around[ptr] {
		return true
	}
	for ; ptr != ""; ptr = parent(ptr) {
		if s.bad[ptr] {
			return true
		}
	}
	return s.bad[""]
}

func parent(ptr string) string { return ptr[:max(strings.LastIndexByte(ptr, '/'), 0)] }

// hopeless says that there are so many problems that the rest is not looked at: it is no document of ours, and looking
// takes its time.
func (s *shaper) hopeless() bool { return len(s.problems) > 2*MaxProblems }
