package program

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Bounds of a document's text.
const (
	MaxSize  = 1 << 20
	MaxDepth = 50
	// MaxNames is the most names in one group of fields. The YAML library's time grows with its square.
	MaxNames = 2000
)

// kind is the JSON kind of a node.
type kind byte

const (
	object kind = 'o'
	array  kind = 'a'
	text   kind = 's'
	number kind = 'n'
	truth  kind = 'b'
	null   kind = '0'
)

var kindName = map[kind]string{
	object: "a group of fields", array: "a list", text: "a text", number: "a number", truth: "true or false", null: "nothing",
}

// node is a value as it was written, with its place. YAML and JSON both become nodes, and nodes become JSON text.
type node struct {
	kind kind
	// text is a string's value, the digits of a number as they were written, or "true" and "false".
	text string
	keys []string
	kids []*node
	// line and col are where it begins; for a field, where its name is.
	line, col int
	// valueLine and valueCol are where the value itself begins, in YAML.
	valueLine, valueCol int
	// bare is a YAML word without quotes: where a text is wanted, 0042 is one.
	bare bool
}

// json writes the node as JSON text.
func (n *node) json(b []byte) []byte {
	switch n.kind {
	case object:
		b = append(b, '{')
		for i, k := range n.keys {
			if i > 0 {
				b = append(b, ',')
			}
			b, _ = jsontext.AppendQuote(b, k)
			b = append(b, ':')
			b = n.kids[i].json(b)
		}
		return append(b, '}')
	case array:
		b = append(b, '[')
		for i, k := range n.kids {
			if i > 0 {
				b = append(b, ',')
			}
			b = k.json(b)
		}
		return append(b, ']')
	case text:
		b, _ = jsontext.AppendQuote(b, n.text)
		return b
	case null:
		return append(b, "null"...)
	case number, truth:
	}
	return append(b, n.text...)
}

// places maps every pointer to its node.
func (n *node) places() map[string]*node {
	m := map[string]*node{}
	var walk func(ptr string, n *node)
	walk = func(ptr string, n *node) {
		m[ptr] = n
		for i, k := range n.kids {
			if n.kind == object {
				walk(at(ptr, n.keys[i]), k)
			} else {
				walk(at(ptr, i), k)
			}
		}
	}
	walk("", n)
	return m
}

// read makes nodes of a text. Problems of form leave no node.
func read(data []byte, name string) (*node, []Problem) {
	one := func(msg, hint string) (*node, []Problem) {
		return nil, []Problem{{Message: msg, Hint: hint, Line: 1, Column: 1}}
	}
	if len(data) > MaxSize {
		return one(fmt.Sprintf("the document has %d bytes; the most is %d", len(data), MaxSize), "split the program, or check that this is the right file")
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if !utf8.Valid(data) {
		return one("the document is not UTF-8 text", "save it as UTF-8")
	}
	trimmed := bytes.TrimSpace(data)
	if len(trimmed) == 0 {
		return one("the document is empty", "start with program, name, time_zone, currency and units")
	}
	if i := bytes.IndexFunc(data, func(r rune) bool { return r < ' ' && r != '\n' && r != '\r' && r != '\t' }); i >= 0 {
		line, col := newLines(data).place(i)
		return nil, []Problem{{Message: "there is a control character in the text", Hint: "remove it", Line: line, Column: col}}
	}
	if trimmed[0] == '{' && (strings.HasSuffix(name, ".json") || jsontext.Value(trimmed).IsValid(jsontext.AllowDuplicateNames(true))) {
		return readJSON(data)
	}
	return readYAML(data)
}

// lines finds line and column of a byte offset.
type lines struct {
	data   []byte
	starts []int
}

func newLines(data []byte) lines {
	l := lines{data, []int{0}}
	for i, c := range data {
		if c == '\n' {
			l.starts = append(l.starts, i+1)
		}
	}
	return l
}

func (l lines) place(offset int) (line, col int) {
	offset = min(offset, len(l.data))
	i, ok := slices.BinarySearch(l.starts, offset)
	if !ok {
		i--
	}
	return i + 1, utf8.RuneCount(l.data[l.starts[i]:offset]) + 1
}

func readJSON(data []byte) (*node, []Problem) {
	dec := jsontext.NewDecoder(bytes.NewReader(data), jsontext.AllowDuplicateNames(true))
	ls := newLines(data)
	r := &jsonReader{dec: dec, ls: ls}
	n, err := r.value(0)
	if err == nil {
		if _, more := dec.ReadToken(); !errors.Is(more, io.EOF) {
			err = errors.New("there is something after the end of the document")
		}
	}
	if err != nil {
		line, col := ls.place(int(dec.InputOffset()))
		if syn, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
			line, col = ls.place(int(syn.ByteOffset))
			err = syn.Err
		}
		return nil, append(r.problems, Problem{Line: line, Column: col, Message: "this is not JSON: " + err.Error(), Hint: "look at the commas, quotes and brackets before this place"})
	}
	return n, r.problems
}

type jsonReader struct {
	dec      *jsontext.Decoder
	ls       lines
	problems []Problem
}

func (r *jsonReader) value(depth int) (*node, error) {
	if depth > MaxDepth {
		return nil, fmt.Errorf("more than %d levels", MaxDepth)
	}
	k := r.dec.PeekKind()
	tok, err := r.dec.ReadToken()
	if err != nil {
		return nil, err
	}
	s := tok.String()
	n := &node{}
	// The token ends at the offset; a value's place is where it starts, which for brackets is one before.
	n.line, n.col = r.ls.place(int(r.dec.InputOffset()) - 1)
	switch k {
	case '{':
		n.kind = object
		for r.dec.PeekKind() != '}' {
			key, err := r.dec.ReadToken()
			if err != nil {
				return nil, err
			}
			name := key.String()
			end := int(r.dec.InputOffset())
			v, err := r.value(depth + 1)
			if err != nil {
				return nil, err
			}
			raw, _ := jsontext.AppendQuote(nil, name)
			v.line, v.col = r.ls.place(max(end-len(raw), 0))
			n.keys, n.kids = append(n.keys, name), append(n.kids, v)
		}
		_, err = r.dec.ReadToken()
	case '[':
		n.kind = array
		for r.dec.PeekKind() != ']' {
			v, err := r.value(depth + 1)
			if err != nil {
				return nil, err
			}
			n.kids = append(n.kids, v)
		}
		_, err = r.dec.ReadToken()
	case '"':
		n.kind, n.text = text, s
	case '0':
		n.kind, n.text = number, s
	case 't', 'f':
		n.kind, n.text = truth, s
	default:
		n.kind = null
	}
	return n, err
}

// readYAML reads the part of YAML that has one meaning: maps, lists, words and numbers. What hides or repeats
// (anchors, aliases, tags, several documents) is refused where it stands.
func readYAML(data []byte) (n *node, problems []Problem) {
	// The YAML library may panic on text that no person writes; that is a mistake in the document, not in the server.
	defer func() {
		if r := recover(); r != nil {
			n, problems = nil, []Problem{{Line: 1, Column: 1, Message: "this cannot be read as YAML", Hint: "write plain fields, lists and texts"}}
		}
	}()
	tokens := lexer.Tokenize(string(data))
	if p := refuse(tokens); len(p) > 0 {
		return nil, p
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, []Problem{yamlProblem(err)}
	}
	var body ast.Node
	for _, d := range file.Docs {
		if d.Body == nil || d.Body.Type() == ast.CommentGroupType || d.Body.Type() == ast.CommentType {
			continue
		}
		if body != nil {
			return nil, []Problem{{Line: 1, Column: 1, Message: "there are several documents in the text", Hint: "keep one and remove the line ---"}}
		}
		body = d.Body
	}
	if body == nil {
		return nil, []Problem{{Line: 1, Column: 1, Message: "the document is empty", Hint: "start with program, name, time_zone, currency and units"}}
	}
	r := &yamlReader{}
	n = r.value("", body, 0)
	return n, r.problems
}

// refuse looks at the tokens before anything recursive does: forbidden ones, and nesting that no document needs.
func refuse(tokens token.Tokens) (out []Problem) {
	flow, entries, entryLine, documents, content := 0, 0, 0, 0, false
	var groups groupSizes
	say := func(t *token.Token, msg, hint string) {
		if len(out) < MaxProblems {
			out = append(out, Problem{Line: t.Position.Line, Column: t.Position.Column, Message: msg, Hint: hint})
		}
	}
	for _, t := range tokens {
		switch t.Type {
		case token.AnchorType:
			say(t, "anchors (&) are not read", "write the value out")
		case token.AliasType:
			say(t, "aliases (*) are not read", "write the value out, or put a text that begins with * in quotes")
		case token.MergeKeyType:
			say(t, "merge keys (<<) are not read", "write the fields out")
		case token.TagType:
			say(t, "tags (!) are not read", "remove it, or put a text that begins with ! in quotes")
		case token.DirectiveType:
			say(t, "directives (%) are not read", "remove the line")
		case token.MappingKeyType:
			say(t, "a name that begins with ? is not read", "write name: value")
		case token.DocumentHeaderType:
			if documents++; documents > 1 || content {
				say(t, "there are several documents in the text", "keep one and remove the line ---")
			}
		case token.InvalidType:
			say(t, "this cannot be read as YAML"+because(t.Error), "look at the quotes and the spaces at the start of the line")
		case token.MappingValueType:
			if groups.name(t, flow) > MaxNames {
				say(t, fmt.Sprintf("there are more than %d names in one group", MaxNames), "leave some out")
				return out
			}
		case token.MappingStartType, token.SequenceStartType:
			groups.open(flow + 1)
			if flow++; flow > MaxDepth {
				say(t, fmt.Sprintf("there are more than %d levels", MaxDepth), "write it flatter")
				return out
			}
		case token.MappingEndType, token.SequenceEndType:
			flow--
		case token.SequenceEntryType:
			groups.close(t.Position.Column)
			if t.Position.Line != entryLine {
				entries, entryLine = 0, t.Position.Line
			}
			if entries++; entries > MaxDepth {
				say(t, fmt.Sprintf("there are more than %d levels", MaxDepth), "write it flatter")
				return out
			}
		default:
			content = content || t.Type != token.CommentType
		}
	}
	return out
}

// groupSizes counts the names in each group that is open: by column in block style, by depth inside brackets.
type groupSizes struct {
	block []struct{ column, names int }
	flow  [MaxDepth + 2]int
}

func (g *groupSizes) open(depth int) {
	if depth < len(g.flow) {
		g.flow[depth] = 0
	}
}

// close ends the groups that stand further to the right than a column.
func (g *groupSizes) close(column int) {
	for len(g.block) > 0 && g.block[len(g.block)-1].column > column {
		g.block = g.block[:len(g.block)-1]
	}
}

func (g *groupSizes) name(colon *token.Token, depth int) int {
	if depth > 0 && depth < len(g.flow) {
		g.flow[depth]++
		return g.flow[depth]
	}
	column := colon.Position.Column
	if colon.Prev != nil {
		column = colon.Prev.Position.Column
	}
	g.close(column)
	if n := len(g.block); n == 0 || g.block[n-1].column < column {
		g.block = append(g.block, struct{ column, names int }{column, 0})
	}
	last := &g.block[len(g.block)-1]
	last.names++
	return last.names
}

func because(s string) string {
	if s == "" {
		return ""
	}
	return ": " + s
}

func yamlProblem(err error) Problem {
	p := Problem{Line: 1, Column: 1, Message: "this cannot be read as YAML", Hint: "look at the spaces at the start of this line and the lines around it"}
	var e interface {
		GetToken() *token.Token
		GetMessage() string
	}
	if errors.As(err, &e) {
		p.Message += because(e.GetMessage())
		if t := e.GetToken(); t != nil && t.Position != nil {
			p.Line, p.Column = max(t.Position.Line, 1), max(t.Position.Column, 1)
		}
	}
	return p
}

type yamlReader struct{ problems []Problem }

func (r *yamlReader) say(ptr string, t *token.Token, msg, hint string) {
	p := Problem{Pointer: ptr, Message: msg, Hint: hint}
	p.Line, p.Column = placeOf(t)
	r.problems = append(r.problems, p)
}

func placeOf(t *token.Token) (line, col int) {
	if t == nil || t.Position == nil {
		return 1, 1
	}
	return max(t.Position.Line, 1), max(t.Position.Column, 1)
}

func (r *yamlReader) value(ptr string, y ast.Node, depth int) *node {
	n := &node{kind: null}
	if y == nil {
		return n
	}
	t := y.GetToken()
	n.line, n.col = placeOf(t)
	n.valueLine, n.valueCol = n.line, n.col
	if depth > MaxDepth {
		r.say(ptr, t, fmt.Sprintf("there are more than %d levels", MaxDepth), "write it flatter")
		return n
	}
	switch v := y.(type) {
	case *ast.MappingNode:
		r.mapping(ptr, n, v.Values, depth)
	case *ast.MappingValueNode:
		r.mapping(ptr, n, []*ast.MappingValueNode{v}, depth)
	case *ast.SequenceNode:
		n.kind = array
		for i, item := range v.Values {
			if g := glued(item); g != nil {
				n.kids = append(n.kids, g)
				continue
			}
			n.kids = append(n.kids, r.value(at(ptr, i), item, depth+1))
		}
	case *ast.StringNode:
		n.kind, n.text = text, v.Value
	case *ast.LiteralNode:
		n.kind = text
		if v.Value != nil {
			n.text = v.Value.Value
		}
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		n.kind, n.text, n.bare = number, strings.TrimSpace(t.Value), true
	case *ast.BoolNode:
		n.kind, n.text, n.bare = truth, strings.ToLower(t.Value), true
	case *ast.NullNode:
	default:
		r.say(ptr, t, "this cannot be read", "write a text, a number, a list or fields")
	}
	return n
}

// glued mends what the YAML library takes apart: inside {…}, it reads the item of [07:00-10:00] as {07: "00-10:00"},
// though a colon without a space after it belongs to the word (YAML 1.2, 7.3.3). Nil when the item is no such word.
func glued(item ast.Node) *node {
	v, ok := item.(*ast.MappingValueNode)
	if m, isMap := item.(*ast.MappingNode); isMap && len(m.Values) == 1 {
		v, ok = m.Values[0], true
	}
	if !ok || v.Value == nil || v.Start == nil {
		return nil
	}
	key, colon, val := v.Key.GetToken(), v.Start.Position, v.Value.GetToken()
	quoted := func(t *token.Token) bool { return t.Type == token.DoubleQuoteType || t.Type == token.SingleQuoteType }
	if _, scalar := v.Value.(ast.ScalarNode); !scalar || key == nil || val == nil || quoted(key) || quoted(val) ||
		val.Position.Line != colon.Line || val.Position.Column != colon.Column+1 {
		return nil
	}
	n := &node{kind: text, text: key.Value + ":" + val.Value}
	n.line, n.col = placeOf(key)
	n.valueLine, n.valueCol = n.line, n.col
	return n
}

func (r *yamlReader) mapping(ptr string, n *node, values []*ast.MappingValueNode, depth int) {
	n.kind = object
	for i, v := range values {
		kt := v.Key.GetToken()
		line, col := placeOf(kt)
		if i == 0 && n.kids == nil {
			n.line, n.col = line, col
		}
		key, ok := v.Key.(*ast.StringNode)
		if !ok {
			r.say(ptr, kt, fmt.Sprintf("the name %s is not a text", kt.Value), "put the name in quotes")
			continue
		}
		kid := r.value(at(ptr, key.Value), v.Value, depth+1)
		kid.line, kid.col = line, col
		n.keys, n.kids = append(n.keys, key.Value), append(n.kids, kid)
	}
}
