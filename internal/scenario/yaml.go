package scenario

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// node is a part of a file as it is written, with its place.
type node struct {
	kind   byte // o, a, s, n (a number without quotes), b, 0 (nothing)
	text   string
	keys   []string
	kids   []*node
	line   int // of the field's name, for fields
	begins int // of the value
}

// mistake is what is wrong with a file at a place.
type mistake struct {
	line int
	text string
}

func (m *mistake) Error() string { return strconv.Itoa(m.line) + ": " + m.text }

// tree reads YAML (JSON is YAML too) into nodes. Anchors, aliases, tags and names written twice are refused.
func tree(data []byte) (n *node, err error) {
	defer func() { // the YAML library may panic on text that no person writes
		if r := recover(); r != nil {
			n, err = nil, &mistake{1, "this cannot be read as YAML"}
		}
	}()
	file, err := parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		m := &mistake{1, "this cannot be read as YAML: " + err.Error()}
		var at interface {
			GetToken() *token.Token
			GetMessage() string
		}
		if errors.As(err, &at) {
			m.text = "this cannot be read as YAML: " + at.GetMessage()
			if t := at.GetToken(); t != nil {
				m.line = t.Position.Line
			}
		}
		return nil, m
	}
	var body ast.Node
	for _, d := range file.Docs {
		if d.Body == nil || d.Body.Type() == ast.CommentGroupType || d.Body.Type() == ast.CommentType {
			continue
		}
		if body != nil {
			return nil, &mistake{d.Body.GetToken().Position.Line, "there are several documents in the file; use scenarios: for several scenarios"}
		}
		body = d.Body
	}
	if body == nil {
		return nil, &mistake{1, "the file is empty"}
	}
	return convert(body)
}

func convert(y ast.Node) (*node, error) {
	n := &node{kind: '0'}
	if y == nil {
		return n, nil
	}
	t := y.GetToken()
	n.line = t.Position.Line
	n.begins = n.line
	switch v := y.(type) {
	case *ast.MappingNode:
		if err := n.fields(v.Values); err != nil {
			return nil, err
		}
	case *ast.MappingValueNode:
		if err := n.fields([]*ast.MappingValueNode{v}); err != nil {
			return nil, err
		}
	case *ast.SequenceNode:
		n.kind = 'a'
		for _, item := range v.Values {
			k, err := convert(item)
			if err != nil {
				return nil, err
			}
			n.kids = append(n.kids, k)
		}
	case *ast.StringNode:
		n.kind, n.text = 's', v.Value
	case *ast.LiteralNode:
		n.kind, n.text = 's', v.Value.Value
	case *ast.IntegerNode, *ast.FloatNode:
		n.kind, n.text = 'n', strings.TrimSpace(t.Value)
	case *ast.BoolNode:
		n.kind, n.text = 'b', strings.ToLower(t.Value)
	case *ast.NullNode:
	default:
		return nil, &mistake{n.line, "this cannot be read: write fields, lists, texts and numbers"}
	}
	return n, nil
}

func (n *node) fields(values []*ast.MappingValueNode) error {
	n.kind = 'o'
	for i, v := range values {
		t := v.Key.GetToken()
		if i == 0 {
			n.line, n.begins = t.Position.Line, t.Position.Line
		}
		name := t.Value
		if s, ok := v.Key.(*ast.StringNode); ok {
			name = s.Value
		}
		if slices.Contains(n.keys, name) {
			return &mistake{t.Position.Line, fmt.Sprintf("%q is written twice", name)}
		}
		kid, err := convert(v.Value)
		if err != nil {
			return err
		}
		kid.line = t.Position.Line
		n.keys, n.kids = append(n.keys, name), append(n.kids, kid)
	}
	return nil
}

// get gives a field, nil when there is none.
func (n *node) get(name string) *node {
	if i := slices.Index(n.keys, name); n.kind == 'o' && i >= 0 {
		return n.kids[i]
	}
	return nil
}

// find goes to a JSON pointer, or to the last part of the way that is there.
func (n *node) find(pointer string) *node {
	for _, part := range strings.Split(pointer, "/")[1:] {
		part = strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
		next := n.get(part)
		if i, err := strconv.Atoi(part); n.kind == 'a' && err == nil && i >= 0 && i < len(n.kids) {
			next = n.kids[i]
		}
		if next == nil {
			return n
		}
		n = next
	}
	return n
}

// rawFields hold program documents, which package program reads for itself.
var rawFields = []string{"program", "with"}

// json writes the node as JSON in which every number is a text, so that decimals keep their digits and article numbers
// their zeros. A document becomes the text of its place in the file.
func (n *node) json(pointer string, b []byte) []byte {
	switch n.kind {
	case 'o':
		b = append(b, '{')
		for i, k := range n.keys {
			if i > 0 {
				b = append(b, ',')
			}
			b, _ = jsontext.AppendQuote(b, k)
			b = append(b, ':')
			at := pointer + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(k)
			if slices.Contains(rawFields, k) || pointer == "/programs" {
				b, _ = jsontext.AppendQuote(b, at)
				continue
			}
			b = n.kids[i].json(at, b)
		}
		return append(b, '}')
	case 'a':
		b = append(b, '[')
		for i, k := range n.kids {
			if i > 0 {
				b = append(b, ',')
			}
			b = k.json(pointer+"/"+strconv.Itoa(i), b)
		}
		return append(b, ']')
	case 's', 'n':
		b, _ = jsontext.AppendQuote(b, n.text)
		return b
	case 'b':
		return append(b, n.text...)
	}
	return append(b, "null"...)
}

// yaml writes the node as YAML on as few lines as it has fields at the top, for package program to read.
func (n *node) yaml() []byte {
	var b []byte
	for i, k := range n.keys {
		b, _ = jsontext.AppendQuote(b, k)
		b = append(append(b, ": "...), n.kids[i].flow()...)
		b = append(b, '\n')
	}
	return b
}

func (n *node) flow() []byte {
	var b []byte
	switch n.kind {
	case 'o':
		b = append(b, '{')
		for i, k := range n.keys {
			if i > 0 {
				b = append(b, ", "...)
			}
			b, _ = jsontext.AppendQuote(b, k)
			b = append(append(b, ": "...), n.kids[i].flow()...)
		}
		return append(b, '}')
	case 'a':
		b = append(b, '[')
		for i, k := range n.kids {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = append(b, k.flow()...)
		}
		return append(b, ']')
	case 's':
		b, _ = jsontext.AppendQuote(b, n.text)
		return b
	case 'n', 'b':
		return []byte(n.text)
	}
	return []byte("null")
}

// patch is a JSON merge patch (RFC 7396): fields replace, nothing (null) removes.
func (n *node) patch(with *node) *node {
	if with == nil || with.kind != 'o' {
		if with != nil {
			return with
		}
		return n
	}
	out := &node{kind: 'o', line: n.line, begins: n.begins}
	if n.kind == 'o' {
		out.keys, out.kids = slices.Clone(n.keys), slices.Clone(n.kids)
	}
	for i, k := range with.keys {
		at := slices.Index(out.keys, k)
		switch {
		case with.kids[i].kind == '0' && at >= 0:
			out.keys, out.kids = slices.Delete(out.keys, at, at+1), slices.Delete(out.kids, at, at+1)
		case with.kids[i].kind == '0':
		case at >= 0:
			out.kids[at] = out.kids[at].patch(with.kids[i])
		default:
			out.keys, out.kids = append(out.keys, k), append(out.kids, (&node{kind: 'o'}).patch(with.kids[i]))
		}
	}
	return out
}
