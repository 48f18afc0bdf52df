package cli

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
)

var update = flag.Bool("update", false, "write docs/cli.md again")

const reference = "../../docs/cli.md"

// help is what `lojal PATH --help` prints, at a fixed width.
func help(t *testing.T, path ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	status := Run(context.Background(), append(path, "--help"), Streams{strings.NewReader(""), &out, &errs}, Build{Version: "dev"}, time.Now)
	if status != 0 || errs.Len() > 0 {
		t.Fatalf("lojal %v --help: exit status %d: %s", path, status, errs.String())
	}
	return out.String()
}

// commands lists the commands below one that can be run.
func commands(n *kong.Node) (out []*kong.Node) {
	if n.Leaf() {
		return []*kong.Node{n}
	}
	for _, child := range n.Children {
		out = append(out, commands(child)...)
	}
	return out
}

const preface = `# Command line

Made from the help of the program by ` + "`make generate`" + `; do not edit.

Results go to the standard output, everything else to the error output. Exit statuses: 0 done, 1 a fault of lojal itself,
2 wrong use, 3 wrong content, 4 not found, 5 a conflict with what is there, 6 too little of something, 7 and 8 not allowed, 9 too many
requests, 10 something needed is away: the same command may succeed later.
`

func TestReference(t *testing.T) {
	t.Setenv("COLUMNS", "100")
	for _, env := range []string{"LOJAL_DB", "LOJAL_DEMO_DB"} {
		t.Setenv(env, "")
		os.Unsetenv(env)
	}
	var out, errs bytes.Buffer
	parser, _, err := newParser(&env{Streams: Streams{Out: &out, Err: &errs}, ctx: context.Background()})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString(preface)
	for i, n := range commands(parser.Model.Node) {
		// Of one parser, since making it is the most of what a help costs. A parser that has printed its help goes on to complain of what
		// is missing, unless its exit ends the process.
		out.Reset()
		_, _ = parser.Parse(append(strings.Fields(n.Path()), "--help"))
		text := out.String()
		if errs.Len() > 0 || text == "" {
			t.Fatalf("lojal %s --help: %s", n.Path(), errs.String())
		}
		if i == 0 && help(t, strings.Fields(n.Path())...) != text {
			t.Errorf("lojal %s --help prints something else than its parser", n.Path())
		}
		fmt.Fprintf(&b, "\n## %s\n\n```text\n%s```\n", n.FullPath(), text)
		if !strings.Contains(text, "Examples:\n") || !strings.Contains(text, "\n    "+n.FullPath()) && n.Name != "simulate" {
			t.Errorf("the help of %s has no example", n.FullPath())
		}
		for _, example := range regexp.MustCompile(`(?m)^    lojal ([a-z]+)`).FindAllStringSubmatch(text, -1) {
			if !strings.HasPrefix(n.Path(), example[1]) && example[1] != "verify" {
				t.Errorf("the help of %s has an example of %s", n.FullPath(), example[1])
			}
		}
		if sentence := n.Help; sentence == "" || !strings.HasSuffix(sentence, ".") {
			t.Errorf("%s has no sentence: %q", n.FullPath(), sentence)
		}
		for _, group := range n.AllFlags(true) {
			for _, f := range group {
				if f.Help == "" || !strings.HasSuffix(f.Help, ".") {
					t.Errorf("--%s of %s has no sentence: %q", f.Name, n.FullPath(), f.Help)
				}
			}
		}
	}
	if *update {
		if err := os.WriteFile(reference, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(reference)
	if err != nil || string(have) != b.String() {
		t.Errorf("docs/cli.md is not up to date (%v): run make generate", err)
	}
}
