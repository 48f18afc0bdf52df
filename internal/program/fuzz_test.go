package program

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
)

// Whatever is read: no panic, every problem has a pointer to a part and a place, and what is accepted survives being
// written and read again, compiled, and compared with itself.
func FuzzParse(f *testing.F) {
	for _, name := range Blueprints() {
		b, err := Blueprint(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		d, err := Parse(b, name)
		if err != nil {
			f.Fatal(err)
		}
		j, err := Canonical(d)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(j)
	}
	for _, p := range []string{"testdata/before.yaml", "testdata/after.yaml"} {
		b, err := os.ReadFile(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	for _, s := range []string{
		"", "a", "- a", "? a", "&a *a", "%YAML 1.2\n---\na: b", "a: |\n  b\n c", "[[[[[[", "{a:b,c}", "a:\n\t- b", "\"\\x\": 1", "--- a\n...\nb", "a: !x b",
		`{"program":"bar","name":"Bar","time_zone":"UTC","currency":"ISK","units":{"a":{"name":"a"}},"earn":[{"id":"a","on":"purchase","give":{"unit":"a","formula":"basis"}}]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := Parse(data, "fuzz.yaml")
		if err != nil {
			var p *Problems
			if !errors.As(err, &p) || len(p.List) == 0 {
				t.Fatalf("the error is %T: %v", err, err)
			}
			for _, x := range p.List {
				if x.Line < 1 || x.Column < 1 || x.Message == "" || (x.Pointer != "" && x.Pointer[0] != '/') {
					t.Fatalf("a problem without place: %+v", x)
				}
			}
			return
		}
		j, err := Canonical(d)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(j, "fuzz.json")
		if err != nil {
			t.Fatalf("the canonical form is refused: %v\n%s", err, j)
		}
		if k, err := Canonical(again); err != nil || !bytes.Equal(j, k) {
			t.Fatalf("the canonical form changes:\n%s\n%s", j, k)
		}
		y, err := YAML(d)
		if err != nil {
			t.Fatal(err)
		}
		third, err := Parse(y, "fuzz.yaml")
		if err != nil {
			t.Fatalf("the YAML is refused: %v\n%s", err, y)
		}
		if !reflect.DeepEqual(again, third) {
			t.Fatalf("the YAML says something else:\n%s", y)
		}
		if _, err := Compile(d, 1); err != nil {
			t.Fatal(err)
		}
		if c := Diff(d, third, "nb"); len(c) > 0 {
			t.Fatalf("it differs from itself: %v", c)
		}
	})
}

func manyKeys() string {
	var b strings.Builder
	for i := 0; b.Len() < MaxSize/2; i++ {
		fmt.Fprintf(&b, "k%d: {}\n", i)
	}
	return b.String()
}

// hostile are texts of a size that are made to be slow.
func hostile(size int) map[string]string {
	fill := func(s string) string { return strings.Repeat(s, size/len(s)) }
	return map[string]string{
		"brackets": fill("["), "braces": fill("{a: "), "dashes": fill("- "), "lines": fill("\n"), "colons": fill("a: "), "words": fill("a "),
		"quotes": fill("\""), "anchors": fill("&a "), "tags": fill("! "), "keys": fill("a: b\n"), "comments": fill("#\n"), "questions": fill("? "),
		"block": "a: |\n" + fill("  x\n"), "JSON": fill(`{"a":`), "list": "[" + fill("a,"), "spaces": "a:" + fill(" ") + "b",
		"items": "earn:\n" + fill("- a\n"), "item groups": "earn:\n" + fill("- {}\n"), "flow keys": "{" + fill("a: 1, ") + "b: 1}", "flow list": "[" + fill("a, ") + "b]",
		"many keys": manyKeys(), "many units": head + "units:\n" + strings.ReplaceAll(manyKeys(), "k", "  k"),
		"too large": strings.Repeat("a", MaxSize+1), "backslashes": `"` + fill(`\`), "single": "'" + fill("''"),
	}
}

func TestHostileTextsAreRefused(t *testing.T) {
	t.Parallel()
	for name, text := range hostile(MaxSize / 16) {
		if name != "too large" {
			text = text[:min(len(text), MaxSize)]
		}
		if _, err := Parse([]byte(text), "large.yaml"); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// BenchmarkHostileTexts prints what the worst texts of the largest size cost to refuse.
func BenchmarkHostileTexts(b *testing.B) {
	for name, text := range hostile(MaxSize) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				_, _ = Parse([]byte(text[:min(len(text), MaxSize+1)]), "large.yaml") // refused: see the test
			}
		})
	}
}
