package page_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"lojal.dev/lojal/internal/page"
	"lojal.dev/lojal/internal/tint"
)

// tokens are the values that a style sheet sets, for light and for dark.
func tokens(css string) (light, dark map[string]string) {
	read := func(block string) map[string]string {
		out := map[string]string{}
		for _, m := range regexp.MustCompile(`(--[a-z-]+):\s*(#[0-9a-f]{6})`).FindAllStringSubmatch(block, -1) {
			out[m[1]] = m[2]
		}
		return out
	}
	first, rest, _ := strings.Cut(css, "@media (prefers-color-scheme")
	_, last, _ := strings.Cut(rest, `:root[data-theme="dark"]`)
	last, _, _ = strings.Cut(last, "}")
	return read(first), read(last)
}

// What is derived holds on the grounds that the pages really have, in both themes.
func TestALookCanBeReadOnThePages(t *testing.T) {
	t.Parallel()
	style, err := os.ReadFile("assets/style.css")
	if err != nil {
		t.Fatal(err)
	}
	light, dark := tokens(string(style))
	for _, color := range []string{"#6b3f1d", "#ffe600", "#ffffff", "#000000", "#00ffff", "#e0115f", "#808080"} {
		css := page.LookCSS(color)
		if strings.Count(css, "{") != strings.Count(css, "}") || !strings.Contains(css, "--card:"+color) {
			t.Errorf("%s", css)
		}
		ours, oursDark := tokens(css)
		for name, theme := range map[string]struct{ page, look map[string]string }{"light": {light, ours}, "dark": {dark, oursDark}} {
			at := func(token string) tint.Color {
				if v, ok := theme.look[token]; ok {
					return tint.Must(v)
				}
				return tint.Must(theme.page[token])
			}
			for _, c := range []struct {
				over, under string
				least       float64
			}{
				{"--brand-text", "--ground", 4.5}, {"--brand-text", "--surface", 4.5}, {"--brand-text", "--sunken", 4.5}, {"--brand-text", "--brand-soft", 4.5},
				{"--brand-ink", "--brand", 4.5}, {"--ink", "--brand-soft", 4.5}, {"--brand", "--ground", 3}, {"--brand", "--surface", 3}, {"--brand", "--sunken", 3},
			} {
				if r := tint.Contrast(at(c.over), at(c.under)); r < c.least {
					t.Errorf("%s, %s: %s on %s is %.2f", color, name, c.over, c.under, r)
				}
			}
			if _, ok := theme.look["--brand"]; !ok {
				t.Errorf("%s sets nothing in %s", color, name)
			}
		}
		if tint.Contrast(tint.Must(ours["--card-ink"]), tint.Must(ours["--card"])) < 4.5 {
			t.Errorf("%s: %v", color, ours)
		}
	}
	for _, none := range []string{"", "red", "#fff;}body{display:none"} {
		if css := page.LookCSS(none); strings.Contains(css, "--brand") || strings.Contains(css, "body") {
			t.Errorf("%q gives %s", none, css)
		}
	}
}

func TestALookIsServed(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	page.ServeLook(w, httptest.NewRequest(http.MethodGet, "/look.css", nil), "#6b3f1d")
	tag := w.Header().Get("Etag")
	if w.Code != 200 || w.Header().Get("Content-Type") != "text/css; charset=utf-8" || w.Body.String() != page.LookCSS("#6b3f1d") || tag == "" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	r := httptest.NewRequest(http.MethodGet, "/look.css", nil)
	r.Header.Set("If-None-Match", tag)
	w = httptest.NewRecorder()
	if page.ServeLook(w, r, "#6b3f1d"); w.Code != 304 || w.Body.Len() > 0 {
		t.Errorf("%d %q", w.Code, w.Body)
	}
	w = httptest.NewRecorder()
	if page.ServeLook(w, r, "#12733c"); w.Code != 200 {
		t.Errorf("another look is taken for the one that is kept: %d", w.Code)
	}
	w = httptest.NewRecorder()
	page.ServePicture(w, httptest.NewRequest(http.MethodGet, "/mark", nil), "image/png", []byte("\x89PNG"))
	if h := w.Header(); h.Get("Content-Type") != "image/png" || h.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(h.Get("Content-Security-Policy"), "sandbox") || w.Body.String() != "\x89PNG" {
		t.Errorf("%v", h)
	}
}
