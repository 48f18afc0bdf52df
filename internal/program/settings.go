package program

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"lojal.dev/lojal/internal/errs"
)

// Setting is one value of a document's text, by its place: what a form shows, and changes without touching the rest.
type Setting struct {
	// Pointer is where it stands, as a JSON pointer (RFC 6901).
	Pointer string `json:"pointer"`
	// Value is the text, the digits of the number as they were written, or true or false.
	Value string `json:"value"`
	// Kind is text, number or truth.
	Kind string `json:"kind"`
}

var settingKinds = map[kind]string{text: "text", number: "number", truth: "truth"}

// visit calls f for each value that is no group and no list, in the order of the text.
func (n *node) visit(f func(ptr string, n *node)) {
	var walk func(ptr string, n *node)
	walk = func(ptr string, n *node) {
		for i, kid := range n.kids {
			if n.kind == object {
				walk(at(ptr, n.keys[i]), kid)
			} else {
				walk(at(ptr, i), kid)
			}
		}
		if _, ok := settingKinds[n.kind]; ok {
			f(ptr, n)
		}
	}
	walk("", n)
}

// Settings lists the single values of a document's text, in its order. The document may have mistakes of meaning; one that cannot be read has no settings.
func Settings(source string) ([]Setting, error) {
	root, problems := read([]byte(source), "")
	if root == nil {
		return nil, sorted("", problems)
	}
	out := []Setting{}
	root.visit(func(ptr string, n *node) {
		out = append(out, Setting{Pointer: ptr, Value: n.text, Kind: settingKinds[n.kind]})
	})
	return out, nil
}

var plainNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?$`)

// Set changes single values of a document's text, by their pointers, and leaves all else as it is written: comments, order and spaces. Whether the new
// values make sense, Parse says. The fields of its error point into the changes.
func Set(source string, changes map[string]string) (string, error) {
	data := bytes.TrimPrefix([]byte(source), []byte("\ufeff"))
	root, problems := read(data, "")
	if root == nil {
		return "", sorted("", problems)
	}
	type edit struct {
		from, to int
		text     string
	}
	var edits []edit
	var fields []errs.Field
	refuse := func(ptr, reason, message string) {
		fields = append(fields, errs.Field{Pointer: at("", ptr), Reason: reason, Message: message})
	}
	ls, there := newLines(data), map[string]bool{}
	root.visit(func(ptr string, n *node) {
		value, asked := changes[ptr]
		if there[ptr] = true; !asked || value == n.text {
			return
		}
		from := ls.offset(n.valueLine, n.valueCol)
		to, quoted := n.extent(data, from)
		switch {
		case to < 0:
			refuse(ptr, "not_by_form", "This is written over several lines, or in a way that only the text can change.")
		case n.kind == number && !plainNumber.MatchString(value):
			refuse(ptr, "not_a_number", "Write a number, such as 25 or 0.50.")
		case n.kind == truth && value != "true" && value != "false":
			refuse(ptr, "not_true_or_false", "Write true or false.")
		case n.kind == text && quoted:
			q, _ := jsontext.AppendQuote(nil, value)
			edits = append(edits, edit{from, to, string(q)})
		case n.kind == text:
			edits = append(edits, edit{from, to, scalar(value, false)})
		default:
			edits = append(edits, edit{from, to, value})
		}
	})
	for ptr := range changes {
		if !there[ptr] {
			refuse(ptr, "no_setting", "There is no single value at this place.")
		}
	}
	if len(fields) > 0 {
		slices.SortFunc(fields, func(a, b errs.Field) int { return strings.Compare(a.Pointer, b.Pointer) })
		return "", errs.Invalid("invalid_setting", "Some values cannot be set.", fields...)
	}
	slices.SortFunc(edits, func(a, b edit) int { return b.from - a.from }) // from the end, so that earlier places stay
	for _, e := range edits {
		data = slices.Concat(data[:e.from], []byte(e.text), data[e.to:])
	}
	if err := changedOnly(root, data, changes); err != nil {
		return "", err
	}
	return string(data), nil
}

// changedOnly makes sure that a text says what it said before but for the changes.
func changedOnly(before *node, data []byte, changes map[string]string) error {
	after, problems := read(data, "")
	if after == nil {
		return fmt.Errorf("set values: %w", sorted("", problems))
	}
	was, is := before.places(), after.places()
	for ptr, n := range was {
		want := n.text
		if v, ok := changes[ptr]; ok {
			want = v
		}
		if now := is[ptr]; now == nil || now.kind != n.kind || now.text != want || len(is) != len(was) {
			return errs.Invalid("invalid_setting", "Some values cannot be set.", errs.Field{Pointer: at("", ptr), Reason: "not_by_form", Message: "This can be changed in the text only."})
		}
	}
	return nil
}

// offset is where a line and column are in the text; the end where there is none.
func (l lines) offset(line, col int) int {
	if line < 1 || line > len(l.starts) {
		return len(l.data)
	}
	rest := l.data[l.starts[line-1]:]
	at := l.starts[line-1]
	for i := range string(rest) {
		if col--; col == 0 {
			return at + i
		}
	}
	return len(l.data)
}

// extent is where a value that begins at from ends, -1 where it is not written in one piece on one line, and whether quotes stand round it.
func (n *node) extent(data []byte, from int) (to int, quoted bool) {
	rest := data[from:]
	if i := bytes.IndexByte(rest, '\n'); i >= 0 {
		rest = rest[:i]
	}
	if len(rest) == 0 {
		return -1, false
	}
	if q := rest[0]; q == '"' || q == '\'' {
		for i := 1; i < len(rest); i++ {
			switch {
			case q == '"' && rest[i] == '\\', q == '\'' && rest[i] == q && i+1 < len(rest) && rest[i+1] == q:
				i++
			case rest[i] == q:
				return from + i + 1, true
			}
		}
		return -1, false
	}
	if n.text == "" || !bytes.HasPrefix(rest, []byte(n.text)) {
		return -1, false
	}
	return from + len(n.text), false
}
