package program

import (
	"fmt"
	"slices"
	"strings"

	"lojal.dev/lojal/internal/condition"
)

// Problem is a mistake in a document: where it is, what is wrong and what to do.
type Problem struct {
	// Pointer is the JSON pointer of the part, also where it is missing: /earn/0/give/unit.
	Pointer string `json:"pointer"`
	// Line and Column count from 1; 0 when the document was not read from text.
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Message string `json:"message"`
	// Hint says what to do.
	Hint string `json:"hint,omitempty"`
}

// String is the problem in one line, without the file's name.
func (p Problem) String() string {
	s := p.Pointer
	if s == "" {
		s = "/"
	}
	if p.Line > 0 {
		s = fmt.Sprintf("%d:%d: %s", p.Line, p.Column, s)
	}
	s += ": " + p.Message
	if p.Hint != "" {
		r := []rune(p.Hint)
		s += ". " + strings.ToUpper(string(r[:1])) + string(r[1:])
	}
	return s
}

// Problems is every mistake in a document, sorted by place. It is an error.
type Problems struct {
	// Name is the file's name, for messages.
	Name string    `json:"name,omitempty"`
	List []Problem `json:"problems"`
	// More says how many were left out after MaxProblems.
	More int `json:"more,omitempty"`
}

// MaxProblems bounds the list; a document with more than this is not of the right kind at all.
const MaxProblems = 200

// Error lists the problems, one a line.
func (p *Problems) Error() string {
	var b strings.Builder
	for i, x := range p.List {
		if i > 0 {
			b.WriteByte('\n')
		}
		if p.Name != "" {
			b.WriteString(p.Name)
			b.WriteByte(':')
		}
		if p.Name != "" && x.Line == 0 {
			b.WriteByte(' ')
		}
		b.WriteString(x.String())
	}
	if p.More > 0 {
		fmt.Fprintf(&b, "\nand %d more", p.More)
	}
	return b.String()
}

// sorted makes the error of a list of problems; nil of none.
func sorted(name string, list []Problem) error {
	if len(list) == 0 {
		return nil
	}
	slices.SortStableFunc(list, func(a, b Problem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	p := &Problems{Name: name, List: slices.Compact(list)}
	if n := len(p.List) - MaxProblems; n > 0 {
		p.List, p.More = p.List[:MaxProblems], n
	}
	return p
}

// didYouMean is a hint with the nearest known word, else the list of them.
func didYouMean(word string, known []string, of string) string {
	if n := condition.Nearest(word, known); n != "" {
		return fmt.Sprintf("did you mean %q?", n)
	}
	if len(known) == 0 {
		return "there are no " + of + " in this document"
	}
	return fmt.Sprintf("the %s are: %s", of, strings.Join(known, ", "))
}

// at joins a pointer and its parts, which are escaped: at("/units", "a/b") is /units/a~1b.
func at(ptr string, parts ...any) string {
	for _, p := range parts {
		s := fmt.Sprint(p)
		if strings.ContainsAny(s, "~/") {
			s = strings.NewReplacer("~", "~0", "/", "~1").Replace(s)
		}
		ptr += "/" + s
	}
	return ptr
}
