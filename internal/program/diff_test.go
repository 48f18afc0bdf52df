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

func TestDiffGoesIntoTheParts(t *testing.T) {
	t.Parallel()
	base := `{program: shop, name: {en: Shop}, time_zone: Europe/Oslo, currency: NOK, units: {krone: {name: {en: {one: krone, other: kroner}}, precision: 2, worth: "1.00"}}, `
	read := func(rest string) *Document {
		d, err := Parse([]byte(base+rest+"}"), "shop.yaml")
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	change := func(a, b string) []string {
		var out []string
		for _, c := range Diff(read(a), read(b), "en") {
			out = append(out, c.Pointer+" "+c.Sentence)
		}
		return out
	}
	for _, c := range []struct{ name, a, b, want string }{
		{"one word of a fading", `benefits: [{id: off, value: {percent: 10}, fades: {steps: [{after: 90 days}], warn: 14 days}}]`,
			`benefits: [{id: off, value: {percent: 10}, fades: {steps: [{after: 90 days}], warn: 7 days}}]`, "/benefits/0/fades/warn Benefit “off”: fades: warning 14 days → 7 days"},
		{"a value", `benefits: [{id: off, value: {percent: 10}}]`, `benefits: [{id: off, value: {percent: 12.5}}]`, "/benefits/0/value/percent Benefit “off”: value: percent 10 → 12.5"},
		{"what is left out means something", `gift_cards: {unit: krone}`, `gift_cards: {unit: krone, top_up: false}`, "/gift_cards/top_up Gift cards: topping up yes → no"},
		{"what is left out and written is the same", `gift_cards: {unit: krone}, spending: {short: use what there is}`, `gift_cards: {unit: krone, top_up: true}, spending: {}`,
			"/spending/short Spending: too few points used as far as they go → refused"},
		{"a plan", `plans: [{id: plus, price: 99, every: 1 month}]`, `plans: [{id: plus, price: 99, every: 1 month, trial: 14 days}]`, "/plans/0/trial Plan “plus”: trial nothing → 14 days"},
	} {
		if got := change(c.a, c.b); len(got) != 1 || got[0] != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
