package internal

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// storeys are the rooms under internal/, from the top of the house to the ground. A room may import what lies on a storey
// below. On its own storey it may import what stands before it in the list, but a door imports no door: only
// cli may, as the one that starts the others. A new room is added here, where its storey is decided.
var storeys = []struct{ name, rooms string }{
	{"DOORS", "api console portal ops cli"},
	{"FLOWS", "record order raffle claim errand sweep relay journey importer backtest insight seal verify export doctor scenario demo bench poster"},
	{"BOOKS", "audit version key staff code giftcard member signin books partner waiting webhook reward event consent"},
	{"HEART", "condition ledger program engine explain terms advice"},
	{"GROUND", "errs money ids lang logs trace db health job web tint page message wallet"},
}

// impure is what the heart may not know: it decides from what it is given, and the same again each time.
var impure = []string{"database/sql", "net/http", "os", "math/rand", "math/rand/v2", "crypto/rand", module + "/internal/db", module + "/internal/web", module + "/internal/job"}

const module = "lojal.dev/lojal"

// place gives a room's storey and its place on it, -1 for a room that is not listed.
func place(room string) (storey, at int) {
	for s := range storeys {
		if at := slices.Index(strings.Fields(storeys[s].rooms), room); at >= 0 {
			return s, at
		}
	}
	return -1, -1
}

func TestImportsPointDownTheStoreys(t *testing.T) {
	t.Parallel()
	for _, root := range []string{".", "../cmd"} {
		err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
				return err
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
			if err != nil {
				return err
			}
			from, _, inRoom := strings.Cut(filepath.ToSlash(file), "/")
			for _, spec := range parsed.Imports {
				if imported, err := strconv.Unquote(spec.Path.Value); err != nil {
					return err
				} else if fault := judge(from, inRoom && root == ".", imported); fault != "" {
					t.Errorf("internal/%s imports %s: %s", file, imported, fault)
				}
			}
			return nil
		})
		if err != nil && root == "." {
			t.Fatal(err)
		}
	}
}

// judge says what is wrong with an import from a room, "" when nothing is. What is in no room is cmd.
func judge(from string, inRoom bool, imported string) string {
	rest, ours := strings.CutPrefix(imported, module+"/internal/")
	to, _, _ := strings.Cut(rest, "/")
	fromStorey, fromAt := place(from)
	toStorey, toAt := place(to)
	switch {
	case !inRoom:
		if ours && to != "cli" {
			return "a program in cmd may import cli only"
		}
	case fromStorey < 0:
		return "the room " + from + " stands on no storey: add it to internal/storeys_test.go"
	case storeys[fromStorey].name == "HEART" && slices.Contains(impure, imported):
		return "the heart is pure: no SQL, no HTTP, no files, no chance"
	case !ours || to == from:
	case toStorey < 0:
		return "the room " + to + " stands on no storey: add it to internal/storeys_test.go"
	case toStorey < fromStorey:
		return "that is up a storey, from " + storeys[fromStorey].name + " to " + storeys[toStorey].name
	case toStorey == fromStorey && storeys[toStorey].name == "DOORS" && from != "cli":
		return "a door imports no door"
	case toStorey == fromStorey && toAt > fromAt:
		return path.Join(storeys[toStorey].name, to) + " stands after " + from + " in the list"
	}
	return ""
}

func TestTheJudgeOfImports(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ from, to, fault string }{
		{"record", "books", ""}, {"books", "ledger", ""}, {"books", "member", ""}, {"cli", "api", ""}, {"db", "db/dbtest", ""}, {"engine", "money", ""},
		{"member", "books", "after"}, {"engine", "db", "pure"}, {"money", "db", "after"}, {"db", "program", "up a storey"}, {"books", "record", "up a storey"},
		{"api", "cli", "no door"}, {"console", "api", "no door"}, {"cellar", "db", "add it"}, {"db", "cellar", "add it"},
	} {
		got := judge(c.from, true, module+"/internal/"+c.to)
		if (got == "") != (c.fault == "") || !strings.Contains(got, c.fault) {
			t.Errorf("%s imports %s: %q, want %q", c.from, c.to, got, c.fault)
		}
	}
	if judge("lojal", false, module+"/internal/cli") != "" || judge("lojal", false, module+"/internal/db") == "" {
		t.Error("cmd")
	}
}
