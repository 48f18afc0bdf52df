// Package page is what all pages for people stand on: style, icons and scripts, the frame of a document, components, words in four languages,
// the headers that guard them, and asking the API's routes from inside the process.
//
// It owns how things look and nothing of what they mean: it knows no word of loyalty. What always holds: no page carries a script or a style
// of its own, so that the content security policy allows neither; everything that is shown is escaped where it stands; each asset's address changes
// with its content, so that it is kept for ever.
package page

//go:generate go run github.com/a-h/templ/cmd/templ@v0.3.977 generate -log-level error

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"lojal.dev/lojal/internal/web"
)

//go:embed assets
var assetFiles embed.FS

type asset struct {
	kind, tag    string
	body, zipped []byte
}

var kinds = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml", ".png": "image/png", ".webmanifest": "application/manifest+json",
}

// assets are all files by their names, made once.
var assets = func() map[string]*asset {
	out := map[string]*asset{}
	var walk func(dir string)
	walk = func(dir string) {
		list, err := assetFiles.ReadDir(dir)
		if err != nil {
			panic("page: " + err.Error())
		}
		for _, f := range list {
			name := dir + "/" + f.Name()
			kind := kinds[path.Ext(name)]
			switch {
			case f.IsDir():
				walk(name)
			case kind != "":
				body, err := assetFiles.ReadFile(name)
				if err != nil {
					panic("page: " + err.Error())
				}
				sum := sha256.Sum256(body)
				a := &asset{kind: kind, tag: hex.EncodeToString(sum[:6]), body: body}
				if len(body) > 1024 && kind != "image/png" {
					a.zipped = web.Zip(body)
				}
				out[strings.TrimPrefix(name, "assets/")] = a
			}
		}
	}
	walk("assets")
	return out
}()

// Asset is the address of a file under assets.
func Asset(name string) string {
	a := assets[name]
	if a == nil {
		panic("page: there is no asset " + name)
	}
	return "/assets/" + a.tag + "/" + name
}

// Content is what is in a file under assets, for a door that serves it at an address of its own.
func Content(name string) []byte {
	a := assets[name]
	if a == nil {
		panic("page: there is no asset " + name)
	}
	return a.body
}

// Assets serves the files. An address of an older version is answered with what there is now, and not kept.
func Assets() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tag, name, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/assets/"), "/")
		a := assets[name]
		if a == nil || r.Method != http.MethodGet && r.Method != http.MethodHead {
			http.NotFound(w, r)
			return
		}
		h := w.Header()
		h.Set("Content-Type", a.kind)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-cache")
		if tag == a.tag {
			h.Set("Cache-Control", "public, max-age=31536000, immutable")
		}
		body := a.body
		if a.zipped != nil {
			h.Set("Vary", "Accept-Encoding")
			if web.TakesGzip(r) {
				body = a.zipped
				h.Set("Content-Encoding", "gzip")
			}
		}
		h.Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body) // the client may be gone
	})
}

// policy lets a page use what comes from here alone. Pictures of a program may come from elsewhere over https.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data: https:; font-src 'self'; connect-src 'self'; manifest-src 'self'; " +
	"worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Guard sets the headers of pages. What is shown to somebody who is signed in is kept by no cache.
func Guard(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(self), geolocation=(), microphone=()")
	h.Set("Cache-Control", "no-store")
}

// Write renders a page whole before the first byte goes out, so that a failure is never half a page, and zips what is worth it.
func Write(ctx context.Context, w http.ResponseWriter, r *http.Request, status int, c templ.Component) error {
	var b bytes.Buffer
	if err := c.Render(ctx, &b); err != nil {
		return err //nolint:wrapcheck // the caller says which page it was
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Add("Vary", "Accept-Encoding, Accept-Language")
	body := b.Bytes()
	if web.TakesGzip(r) && len(body) > 1024 {
		body = web.Zip(body)
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may be gone
	return nil
}
