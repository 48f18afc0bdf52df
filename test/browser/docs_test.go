// Package browser opens lojal's pages in a real browser, at the width of a phone and of a desktop.
package browser

import (
	"context"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"lojal.dev/lojal/internal/api"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/version"
)

// browser starts Chromium; without one the test is skipped, but never in CI.
func browser(t *testing.T, more ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("there is no Chromium: scripts/setup installs it")
		}
		t.Skip("skipped: there is no Chromium; scripts/setup installs it")
	}
	// Chromium's helpers may still write as it ends, which the test's own folder would count as a failure.
	profile, err := os.MkdirTemp("", "lojal-browser-") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(profile) })
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.UserDataDir(profile),
		chromedp.WSURLReadTimeout(60*time.Second))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), append(opts, more...)...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	t.Cleanup(func() { _ = chromedp.Cancel(ctx) }) // ends the browser and waits, so that its folder can go
	run, cancel := context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(cancel)
	return run
}

// shot keeps a picture where LOJAL_SHOTS says, for people to look at.
func shot(t *testing.T, name string, png []byte) {
	t.Helper()
	dir := os.Getenv("LOJAL_SHOTS")
	if dir == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600); err != nil {
		t.Error(err)
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, db.SQLite)
	v := &version.Cache{}
	r := record.New(d, v)
	t.Cleanup(r.Close)
	door := api.New(api.Config{DB: d, Recorder: r, Versions: v})
	server := httptest.NewServer(door)
	t.Cleanup(server.Close)
	ctx := browser(t)

	var complaints []string
	chromedp.ListenTarget(ctx, func(ev any) {
		switch e := ev.(type) {
		case *runtime.EventExceptionThrown:
			complaints = append(complaints, e.ExceptionDetails.Error())
		case *log.EventEntryAdded:
			complaints = append(complaints, e.Entry.Text)
		}
	})
	for _, page := range []string{"/docs", "/docs/errors"} {
		for _, screen := range []struct {
			name          string
			width, height int64
			dark          bool
		}{{"phone", 375, 812, false}, {"desktop", 1280, 900, false}, {"desktop-dark", 1280, 900, true}} {
			scheme := "light"
			if screen.dark {
				scheme = "dark"
			}
			var (
				png          []byte
				title        string
				wide, unseen float64
				language     string
			)
			err := chromedp.Run(ctx, log.Enable(),
				emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}),
				chromedp.EmulateViewport(screen.width, screen.height),
				chromedp.Navigate(server.URL+page),
				chromedp.Text("h1", &title, chromedp.ByQuery),
				chromedp.Evaluate(`document.documentElement.lang`, &language),
				chromedp.Evaluate(`document.documentElement.scrollWidth - document.documentElement.clientWidth`, &wide),
				chromedp.Evaluate(`[...document.querySelectorAll('a[href^="#"]')].filter(a => a.hash.length > 1 && !document.getElementById(decodeURIComponent(a.hash.slice(1)))).length`, &unseen),
				chromedp.CaptureScreenshot(&png),
			)
			if err != nil {
				t.Fatalf("%s at %s: %v", page, screen.name, err)
			}
			if title == "" || language == "" {
				t.Errorf("%s: heading %q, language %q", page, title, language)
			}
			if wide > 0 {
				t.Errorf("%s at %s is %v pixels too wide", page, screen.name, wide)
			}
			if unseen > 0 {
				t.Errorf("%s: %v links lead nowhere on the page", page, unseen)
			}
			shot(t, filepath.Base(page)+"-"+screen.name, png)
		}
	}
	if len(complaints) > 0 {
		t.Errorf("the browser complains: %v", complaints)
	}
}
