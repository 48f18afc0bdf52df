package portal

import (
	"net/http"

	"lojal.dev/lojal/internal/page"
	"lojal.dev/lojal/internal/web"
)

type appIcon struct {
	Src     string `json:"src"`
	Sizes   string `json:"sizes"`
	Type    string `json:"type"`
	Purpose string `json:"purpose,omitempty"`
}

// manifest says how the pages are installed as an app (W3C, Web Application Manifest).
func (c *Portal) manifest(v *visit) error {
	body, err := web.Marshal(map[string]any{
		"id": v.base() + "/", "name": v.site(), "short_name": v.site(), "lang": v.lang, "start_url": v.base() + "/home", "scope": v.base() + "/", "display": "standalone",
		"background_color": "#f7f6f3", "theme_color": "#f7f6f3",
		"icons":     []appIcon{{Src: page.Asset("icon.svg"), Sizes: "any", Type: "image/svg+xml"}},
		"shortcuts": []map[string]any{{"name": v.T("card"), "url": v.base() + "/card"}},
	})
	if err != nil {
		return err
	}
	return v.bytes("application/manifest+json", body)
}

// worker is the script that keeps the card; it lies where its scope is.
func (c *Portal) worker(v *visit) error {
	return v.bytes("text/javascript; charset=utf-8", page.Content("portal-worker.js"))
}

// bytes answers with something that is the same for everybody.
func (v *visit) bytes(kind string, body []byte) error {
	v.done = true
	h := v.w.Header()
	h.Set("Content-Type", kind)
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	v.w.WriteHeader(http.StatusOK)
	_, _ = v.w.Write(body) // the client may be gone
	return nil
}
