package cli

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// written are the commands in code: a line that begins with lojal, or a piece of a sentence that does.
var written = regexp.MustCompile("(?m)(?:^[ \t]*(?:\\$ )?(?:[A-Z_]+=\\S+ )*|`(?:[A-Z_]+=\\S+ )*)(?:\\./)?lojal((?: [^`|&;#\n]*)?)")

// advised are those that a sentence sends the reader to.
var advised = regexp.MustCompile(`(?i)\bsee lojal( [a-z-]+)`)

// Every command that the documentation names is there, with the flags that it names.
func TestTheDocumentationNamesCommandsThatAreThere(t *testing.T) {
	t.Parallel()
	parser, _, err := newParser(&env{Streams: Streams{Out: &bytes.Buffer{}, Err: &bytes.Buffer{}}, ctx: context.Background()})
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob("../../docs/decisions/*.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	sources, err := filepath.Glob("../*/*.go") // what errors, comments and answers advise
	if err != nil {
		t.Fatal(err)
	}
	sources = slices.DeleteFunc(sources, func(f string) bool { return strings.HasSuffix(f, "_test.go") })
	for _, file := range slices.Concat(files, more, sources, []string{"../../README.md", "../../SECURITY.md"}) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range commandLines(string(text), filepath.Ext(file) == ".go") {
			if why := unknown(parser.Model.Node, strings.Fields(line)); why != "" {
				t.Errorf("%s: lojal%s: %s", file, line, why)
			}
			seen++
		}
	}
	if seen < 150 {
		t.Errorf("only %d commands were found", seen)
	}
}

// commandLines finds what follows lojal in code, and nothing of prose. In sources it is in backquotes alone.
func commandLines(text string, source bool) []string {
	var out []string
	fenced := false
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " ")) {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			fenced = !fenced
			continue
		}
		if m := advised.FindStringSubmatch(line); m != nil {
			out = append(out, m[1])
		}
		code := []string{line}
		if source || !fenced && !strings.HasPrefix(line, "    ") {
			code = nil
			for i, part := range strings.Split(line, "`") {
				if i%2 == 1 && i < strings.Count(line, "`") {
					code = append(code, part)
				}
			}
		}
		for _, c := range code {
			if m := written.FindStringSubmatch(c); m != nil {
				out = append(out, m[1])
			}
		}
	}
	return out
}

// unknown says what of a command line is not there.
func unknown(n *kong.Node, args []string) string {
	flags := map[string]bool{"help": true}
	add := func(n *kong.Node) {
		for _, f := range n.Flags {
			flags[f.Name] = true
			if f.Short != 0 {
				flags[string(f.Short)] = true
			}
			for _, alias := range f.Aliases {
				flags[alias] = true
			}
		}
	}
	add(n)
	for len(args) > 0 && len(n.Children) > 0 && !strings.HasPrefix(args[0], "-") {
		i := slices.IndexFunc(n.Children, func(c *kong.Node) bool { return c.Name == args[0] || slices.Contains(c.Aliases, args[0]) })
		if i < 0 {
			if args[0] == "…" || args[0] == "help" || strings.ToUpper(args[0]) == args[0] || n.DefaultCmd != nil {
				break // of any command
			}
			return "there is no command " + args[0]
		}
		n, args = n.Children[i], args[1:]
		add(n)
	}
	if n.DefaultCmd != nil {
		add(n.DefaultCmd)
	}
	for _, a := range args {
		if a == "--" {
			break // what follows is no flag
		}
		name, _, _ := strings.Cut(strings.TrimLeft(strings.Trim(a, "[]().,"), "-"), "=")
		if len(a) > 1 && strings.HasPrefix(strings.TrimLeft(a, "[("), "-") && name != "" && !flags[name] {
			return "it has no flag " + a
		}
	}
	return ""
}
