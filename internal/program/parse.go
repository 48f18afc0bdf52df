package program

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
)

// Parse reads a document from YAML or JSON and checks it. The error is *Problems with every mistake at once; name is
// the file's name, for messages. With problems of meaning only, the document comes back beside them.
func Parse(data []byte, name string) (*Document, error) {
	root, problems := read(data, name)
	if root == nil {
		return nil, sorted(name, problems)
	}
	s := &shaper{problems: problems, bad: map[string]bool{}, around: map[string]bool{}}
	places := root.places()
	if !s.value("", root, reflect.TypeFor[Document]()) || s.hopeless() {
		return nil, sorted(name, s.problems)
	}
	d := new(Document)
	if err := jsonv2.Unmarshal(root.json(nil), d, strict); err != nil {
		return nil, sorted(name, append(s.problems, Problem{Line: 1, Column: 1, Message: "this is not a program document: " + err.Error()}))
	}
	for _, p := range d.Check() {
		p.Pointer = written(places, p.Pointer)
		if s.covered(p.Pointer) {
			continue
		}
		p.Line, p.Column = nearest(places, p.Pointer)
		s.problems = append(s.problems, p)
	}
	return d, sorted(name, s.problems)
}

// written brings a pointer to the form the document has: a list of one limit has its place 0, which Check leaves out.
func written(places map[string]*node, ptr string) string {
	parts := strings.Split(ptr, "/")
	out := parts[0]
	for _, p := range parts[1:] {
		if n := places[out]; n != nil && n.kind == array && (p == "" || p[0] < '0' || p[0] > '9') {
			out += "/0"
		}
		out += "/" + p
	}
	return out
}

// nearest is the place of a part, or of what it is missing in.
func nearest(places map[string]*node, ptr string) (line, col int) {
	for {
		if n, ok := places[ptr]; ok && n.line > 0 {
			return n.line, n.col
		}
		i := strings.LastIndexByte(ptr, '/')
		if i < 0 {
			return 1, 1
		}
		ptr = ptr[:i]
	}
}

// Canonical writes the document as JSON in one fixed form: fields in the order of the types, maps sorted by key, short
// forms where they say the same, nothing that is not set. Numbers keep the decimals they were written with.
func Canonical(d *Document) ([]byte, error) { return canonicalJSON(d) }

func canonicalJSON(v any) ([]byte, error) {
	b, err := jsonv2.Marshal(v, canonical)
	if err != nil {
		return nil, fmt.Errorf("write the program document: %w", err)
	}
	return b, nil
}

// Hash is the SHA-256 of the canonical form, in hex.
func Hash(d *Document) (string, error) {
	b, err := Canonical(d)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
