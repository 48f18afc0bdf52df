package faults

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestEveryPromiseNamesItsTests sees that each row of the README's promises names tests, and that these are there.
func TestEveryPromiseNamesItsTests(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n| promise | test |\n")
	section, _, ends := strings.Cut(section, "\n\n")
	if !found || !ends {
		t.Fatal("README.md has no table of promises")
	}
	there := tests(t)
	promises := 0
	for _, row := range strings.Split(section, "\n")[1:] {
		cells := strings.Split(strings.Trim(row, "| "), " | ")
		names := regexp.MustCompile(`Test\w+`).FindAllString(cells[len(cells)-1], -1)
		if len(cells) != 2 || len(names) == 0 {
			t.Errorf("this promise names no test: %s", row)
		}
		for _, name := range names {
			if !there[name] {
				t.Errorf("there is no %s, which is to prove: %s", name, cells[0])
			}
		}
		promises++
	}
	if promises == 0 {
		t.Error("there are no promises")
	}
}

// tests gives the names of all tests of the repository.
func tests(t *testing.T) map[string]bool {
	t.Helper()
	name := regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`)
	out := map[string]bool{}
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && strings.HasPrefix(d.Name(), ".") && len(d.Name()) > 2:
			return fs.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(path)
		for _, m := range name.FindAllSubmatch(text, -1) {
			out[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
