package portal

import (
	"cmp"
	"net/http"

	"lojal.dev/lojal/internal/errs"
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
		"background_color": "#f7f6f3", "theme_color": cmp.Or(v.colour(), "#f7f6f3"),
		"icons":     []appIcon{{Src: page.Asset("icon.svg"), Sizes: "any", Type: "image/svg+xml"}},
		"shortcuts": []map[string]any{{"name": v.T("card"), "url": v.base() + "/card"}},
	})
	if err != nil {
		return err
	}
	return v.bytes("application/manifest+json", body)
}

// style puts the program's colour in the place of ours.
func (c *Portal) style(v *visit) error {
	if v.p == nil {
		return errs.NotFound("no_page", v.T("no_page"))
	}
	v.done = true
	page.ServeLook(v.w, v.r, v.colour())
	return nil
}

// colour is the program's, empty where it has none.
func (v *visit) colour() string {
	if v.p == nil || v.p.Doc.Look == nil {
		return ""
	}
	return v.p.Doc.Look.Colour
}

// styleAt is where style is, empty where no program is known.
func (v *visit) styleAt() string {
	if v.p == nil {
		return ""
	}
	return string(v.at("style.css"))
}

// picture is the address of the program's picture, empty where it has none.
func (v *visit) picture() string {
	if v.p == nil || v.p.Doc.Look == nil || v.p.Doc.Look.Picture == "" {
		return ""
	}
	return "/marks/" + v.program()
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
