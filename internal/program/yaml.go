package program

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// yamlWidth is where a group of fields is broken into lines.
const yamlWidth = 110

// YAML writes a document as an owner would: fields in the order of the types, short groups on one line, a blank line
// between the parts. It reads back as the same document; comments of an earlier text are not kept.
func YAML(d *Document) ([]byte, error) {
	n, err := tree(d, reflect.TypeFor[Document]())
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	for i, k := range n.keys {
		if i > 0 && (blocky(n.kids[i], 1, len(k)+2) || blocky(n.kids[i-1], 1, len(n.keys[i-1])+2)) {
			b.WriteByte('\n')
		}
		field(&b, k, n.kids[i], 0, 1)
	}
	return []byte(b.String()), nil
}

// tree makes nodes of a part of a document, in canonical form, with decimals as numbers.
func tree(v any, t reflect.Type) (*node, error) {
	j, err := canonicalJSON(v)
	if err != nil {
		return nil, err
	}
	n, problems := readJSON(j)
	if len(problems) > 0 {
		return nil, fmt.Errorf("write the program document: %s", problems[0])
	}
	unquote(n, t)
	return n, nil
}

// unquote turns decimals, which JSON holds as texts, back to numbers.
func unquote(n *node, t reflect.Type) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t {
	case decimalType:
		n.kind = number
		return
	case textType, nounType, wordsType, periodType:
		return
	case limitsType:
		if n.kind == object {
			unquote(n, t.Elem())
			return
		}
	}
	for i, k := range n.kids {
		switch t.Kind() {
		case reflect.Struct:
			if f, ok := fieldsOf(t).byName[n.keys[i]]; ok {
				unquote(k, f.Type)
			}
		case reflect.Map, reflect.Slice:
			unquote(k, t.Elem())
		default:
		}
	}
}

// blocky says whether a value is written on lines of its own, below its name.
func blocky(n *node, depth, column int) bool {
	if (n.kind != object && n.kind != array) || len(n.kids) == 0 {
		return false
	}
	groups := !slices.ContainsFunc(n.kids, func(k *node) bool { return k.kind != object })
	switch {
	case depth == 1 && groups && n.kind == array, depth == 2 && n.kind == object:
		return true
	case depth == 1 && groups:
		return true
	}
	return column+utf8.RuneCountInString(flow(n)) > yamlWidth
}

func field(b *strings.Builder, key string, n *node, indent, depth int) {
	pad := strings.Repeat("  ", indent)
	k := scalar(key, true)
	if !blocky(n, depth, len(pad)+len(k)+2) {
		fmt.Fprintf(b, "%s%s: %s\n", pad, k, flow(n))
		return
	}
	fmt.Fprintf(b, "%s%s:\n", pad, k)
	block(b, n, indent+1, depth)
}

func block(b *strings.Builder, n *node, indent, depth int) {
	pad := strings.Repeat("  ", indent)
	if n.kind == object {
		for i, k := range n.keys {
			field(b, k, n.kids[i], indent, depth+1)
		}
		return
	}
	for _, item := range n.kids {
		if item.kind != object || !blocky(item, depth+1, len(pad)+2) {
			fmt.Fprintf(b, "%s- %s\n", pad, flow(item))
			continue
		}
		var inner strings.Builder
		block(&inner, item, indent+1, depth+1)
		b.WriteString(pad + "- " + strings.TrimPrefix(inner.String(), pad+"  "))
	}
}

// flow writes a value on one line.
func flow(n *node) string {
	switch n.kind {
	case object:
		parts := make([]string, len(n.kids))
		for i, k := range n.kids {
			parts[i] = scalar(n.keys[i], true) + ": " + flow(k)
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case array:
		parts := make([]string, len(n.kids))
		for i, k := range n.kids {
			parts[i] = flow(k)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case text:
		return scalar(n.text, false)
	case null:
		return "null"
	case number, truth:
	}
	return n.text
}

var (
	plainText = regexp.MustCompile(`^[\pL][\pL\pN_./%+ -]*$`)
	plainHour = regexp.MustCompile(`^[0-9]{2}:[0-9]{2}-[0-9]{2}:[0-9]{2}$`)
	plainTime = regexp.MustCompile(`^[0-9]+ (minute|hour|day|week|month|year)s?$`)
	plainKind = regexp.MustCompile(`^activity:[a-z0-9_-]+$`)
)

// Words that YAML 1.1 readers take for something else.
var notPlain = []string{"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"}

// scalar writes a text without quotes where every reader takes it for the same text.
func scalar(s string, name bool) string {
	plain := plainText.MatchString(s) || plainHour.MatchString(s) || plainTime.MatchString(s) || plainKind.MatchString(s)
	if plain && !strings.HasSuffix(s, " ") && (s == "on" && name || !slices.Contains(notPlain, strings.ToLower(s))) {
		return s
	}
	q, _ := jsontext.AppendQuote(nil, s) // JSON's quoting is read by YAML too
	return string(q)
}
