package poster_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/poster"
	"lojal.dev/lojal/internal/program"
)

var at = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

const url = "https://lojal.example.no/portal/kaffebaren"

// blueprint is one, compiled; look is put into it.
func blueprint(t *testing.T, name, look string) *program.Compiled {
	t.Helper()
	text, err := program.Blueprint(name)
	if err != nil {
		t.Fatal(err)
	}
	if look != "" {
		text = bytes.Replace(text, []byte("\nunits:"), []byte("\nlook: "+look+"\nunits:"), 1)
	}
	doc, err := program.Parse(text, name+".yaml")
	if err != nil {
		t.Fatal(err)
	}
	p, err := program.Compile(doc, 1)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// said is the text of a PDF, by another reader than the one that wrote it; the test is skipped of it where there is none.
func said(t *testing.T, pdf []byte) (string, bool) {
	t.Helper()
	reader, err := exec.LookPath("pdftotext")
	if err != nil {
		return "", false
	}
	file := filepath.Join(t.TempDir(), "poster.pdf")
	if err := os.WriteFile(file, pdf, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), reader, "-enc", "UTF-8", file, "-").Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out), true
}

func TestEveryBlueprintHasAPosterInEveryLanguage(t *testing.T) {
	t.Parallel()
	for _, name := range program.Blueprints() {
		p := blueprint(t, name, "")
		for _, l := range lang.All {
			pdf, err := poster.PDF(p, l, url, at)
			if err != nil {
				t.Fatalf("%s in %s: %v", name, l, err)
			}
			if !bytes.HasPrefix(pdf, []byte("%PDF-")) || bytes.Count(pdf, []byte("/Type /Page\n")) != 1 {
				t.Errorf("%s in %s is not one page", name, l)
			}
			again, err := poster.PDF(p, l, url, at.Add(time.Hour))
			if err != nil || !bytes.Equal(pdf, again) {
				t.Errorf("%s in %s differs from itself: %v", name, l, err)
			}
			if lines := poster.Lines(p, l); len(lines) == 0 || len(lines) > 4 {
				t.Errorf("%s in %s has %d lines", name, l, len(lines))
			}
			if dir := os.Getenv("LOJAL_POSTERS"); dir != "" {
				if err := os.WriteFile(filepath.Join(dir, name+"-"+l+".pdf"), pdf, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

func TestAPosterSaysWhatOneGets(t *testing.T) {
	t.Parallel()
	p := blueprint(t, "coffee-stars", "")
	var titles []string
	for _, l := range poster.Lines(p, "da") {
		titles = append(titles, l.Title+"|"+l.Text)
	}
	all := strings.Join(titles, "\n")
	if len(titles) != 4 || !strings.HasPrefix(all, "Velkommen|") || !strings.Contains(all, "pr. 10") || strings.Contains(all, "Gavekort") {
		t.Errorf("%s", all)
	}
	for l, want := range map[string][]string{
		"nb": {"Bli medlem", "Kaffestjerner", "Dette får du", "Velkommen", "En kaffe", "Skann koden", "lojal.example.no/portal/kaffebaren", "Vilkårene"},
		"sv": {"Kaffestjärnor", "Det här får du", "Skanna koden"}, "da": {"Bliv medlem", "Det får du", "med kameraet på"}, "en": {"Become a member", "Coffee Stars", "phone’s"}, "fi": {"Become a member"},
	} {
		pdf, err := poster.PDF(p, l, url, at)
		if err != nil {
			t.Fatal(err)
		}
		text, ok := said(t, pdf)
		if !ok {
			break
		}
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("%s says not %q: %s", l, w, text)
			}
		}
	}
}

// A picture of any form that a program may have is drawn: the library that writes PDF does not read each of them.
func TestAPosterWithAPicture(t *testing.T) {
	t.Parallel()
	const paletted = "iVBORw0KGgoAAAANSUhEUgAAACAAAAAgAQMAAABJtOi3AAAAA1BMVEVrPx3YIF/+AAAADElEQVR42mNgGNwAAACgAAGO+7G0AAAAAElFTkSuQmCC"
	plain, err := poster.PDF(blueprint(t, "cashback", ""), "en", url, at)
	if err != nil {
		t.Fatal(err)
	}
	with, err := poster.PDF(blueprint(t, "cashback", `{colour: "#ffe600", picture: "data:image/png;base64,`+paletted+`"}`), "en", url, at)
	if err != nil || !bytes.Contains(with, []byte("/Subtype /Image")) || bytes.Contains(plain, []byte("/Subtype /Image")) {
		t.Errorf("%v", err)
	}
	if dir := os.Getenv("LOJAL_POSTERS"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, "picture.pdf"), with, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
