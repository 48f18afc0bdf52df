package program

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lojal.dev/lojal/internal/lang"
)

var update = flag.Bool("update", false, "write golden files, the schema and the reference anew")

// golden compares with a file, or writes it with -update.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is not up to date; run go generate ./internal/program and read the difference. Got:\n%s", path, got)
	}
}

func mustRead(t *testing.T, path string) *Document {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d, err := Parse(b, filepath.Base(path))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDiffReadsAsWords(t *testing.T) {
	t.Parallel()
	a, b := mustRead(t, "testdata/before.yaml"), mustRead(t, "testdata/after.yaml")
	for _, lang := range []string{"en", "nb", "sv", "da"} {
		var out strings.Builder
		for _, c := range Diff(a, b, lang) {
			fmt.Fprintf(&out, "%s\t%s\n", c.Pointer, c.Sentence)
		}
		golden(t, "testdata/diff."+lang+".txt", out.String())
	}
}

// Every fixed word of a document and every label inside values is told in every language.
func TestFixedWordsAreToldInEveryLanguage(t *testing.T) {
	t.Parallel()
	for key, list := range vocabulary {
		for _, w := range list {
			if _, ok := said[key+"."+w]; !ok {
				t.Errorf("%s: %q has no words of its own in Diff", key, w)
			}
		}
	}
	for _, unit := range periodUnits {
		if _, ok := said["period."+unit]; !ok {
			t.Errorf("%s is not told", unit)
		}
	}
	for _, table := range []map[string][4]string{said, inside} {
		for key, all := range table {
			for i, l := range lang.All {
				if all[i] == "" || strings.Count(all[i], "%") != strings.Count(all[0], "%") || strings.Count(all[i], "|") != strings.Count(all[0], "|") {
					t.Errorf("%s: %s is told as %q", l, key, all[i])
				}
			}
		}
	}
}

func TestDiffOfTheSameIsEmpty(t *testing.T) {
	t.Parallel()
	for _, name := range Blueprints() {
		b, err := Blueprint(name)
		if err != nil {
			t.Fatal(err)
		}
		x, err := Parse(b, name)
		if err != nil {
			t.Fatal(err)
		}
		y, err := Parse([]byte(strings.ReplaceAll(string(b), "10.00", "10.0")), name)
		if err != nil {
			t.Fatal(err)
		}
		if c := Diff(x, y, "en"); len(c) > 0 {
			t.Errorf("%s: %v", name, c)
		}
	}
}

// Every language has every phrase, with the same number of places for values.
func TestPhrasesAreComplete(t *testing.T) {
	t.Parallel()
	for lang, phrases := range phrasesIn {
		for key, en := range phrasesIn["en"] {
			p, ok := phrases[key]
			if !ok {
				t.Errorf("%s has no %q", lang, key)
			}
			if strings.Count(p, "%") != strings.Count(en, "%") {
				t.Errorf("%s %q: %q has other places than %q", lang, key, p, en)
			}
		}
		for key := range phrases {
			if _, ok := phrasesIn["en"][key]; !ok {
				t.Errorf("%s has %q, English does not", lang, key)
			}
		}
	}
}
