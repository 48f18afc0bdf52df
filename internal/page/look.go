package page

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"

	"lojal.dev/lojal/internal/tint"
)

// The grounds that style.css has, light and dark: --ground, --surface and --sunken.
var (
	lightGrounds = []tint.Color{tint.Must("#f7f6f3"), tint.Must("#ffffff"), tint.Must("#f1efea")}
	darkGrounds  = []tint.Color{tint.Must("#131412"), tint.Must("#1c1d1b"), tint.Must("#252623")}
)

// LookCSS gives a style sheet that puts the tones of a colour in the place of lojal's own, light and dark: --brand with --brand-ink on it, --brand-text, --brand-soft; and --card with
// --card-ink for what is in the colour itself, whatever the ground. It is linked behind style.css. Without a colour, or for one that is none, it only sets --card.
func LookCSS(color string) string {
	card, ok := tint.Parse(color)
	if !ok {
		return ":root{--card:#1d6b52;--card-ink:#ffffff}\n"
	}
	tones := func(dark bool, grounds []tint.Color) string {
		p := card.On(dark, grounds...)
		return fmt.Sprintf("--brand:%v;--brand-ink:%v;--brand-soft:%v;--brand-text:%v", p.Fill, p.Ink, p.Soft, p.Text)
	}
	light, dark := tones(false, lightGrounds), tones(true, darkGrounds)
	return fmt.Sprintf(":root{--card:%v;--card-ink:%v;%s}\n@media (prefers-color-scheme:dark){:root:not([data-theme=\"light\"]){%s}}\n:root[data-theme=\"dark\"]{%s}\n", card, card.Ink(), light, dark, dark)
}

// ServeLook answers with LookCSS.
func ServeLook(w http.ResponseWriter, r *http.Request, color string) {
	serveOwn(w, r, kinds[".css"], []byte(LookCSS(color)))
}

// ServePicture answers with a picture that somebody brought. The browser takes it for nothing but what kind says, and runs nothing in it.
func ServePicture(w http.ResponseWriter, r *http.Request, kind string, body []byte) {
	w.Header().Set("Content-Security-Policy", "default-src 'none'; sandbox")
	serveOwn(w, r, kind, body)
}

// serveOwn answers with what a program brings along. It may be kept for a minute, and asked for again by its tag after that.
func serveOwn(w http.ResponseWriter, r *http.Request, kind string, body []byte) {
	sum := sha256.Sum256(body)
	tag := `"` + hex.EncodeToString(sum[:8]) + `"`
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "public, max-age=60")
	h.Set("Etag", tag)
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // the client may be gone
}
