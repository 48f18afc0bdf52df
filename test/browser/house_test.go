package browser

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"lojal.dev/lojal/internal/cli"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/demo"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/staff"
	"lojal.dev/lojal/internal/version"
)

// axe looks a page over for what keeps people out: https://github.com/dequelabs/axe-core.
//
//go:embed vendor/axe.min.js
var axe string

// house is the whole program, served, with members who have bought for some weeks and one of the staff of each role.
type house struct {
	url     string
	program string
	// database is the one that is served.
	database string
	// sessions are tokens of somebody signed in, by role.
	sessions map[staff.Role]string
	// warned is what the server warns of.
	warned *said
	// end stops the server.
	end func()
}

// said is what the program prints.
type said struct {
	mu   sync.Mutex
	all  bytes.Buffer
	more chan struct{} // closed with each new piece
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.all.Write(b)
	close(s.more)
	s.more = make(chan struct{})
	return n, err
}

// await waits until something is printed, and gives it; empty when the program ends before.
func (s *said) await(what *regexp.Regexp, ended <-chan struct{}) string {
	for {
		s.mu.Lock()
		found, more := what.FindString(s.all.String()), s.more
		s.mu.Unlock()
		if found != "" {
			return found
		}
		select {
		case <-more:
		case <-ended:
			return ""
		}
	}
}

var (
	address   = regexp.MustCompile(`http://127\.0\.0\.1:\d+`)
	settingUp = regexp.MustCompile(`/console/set-up\?code=[0-9A-Z]+`)
)

// serve starts the program on a database, as people start it, and gives its address and what else is asked of what it prints.
func serve(t *testing.T, database string, also ...*regexp.Regexp) (url string, found []string) {
	t.Helper()
	url, found, _ = serveTo(t, io.Discard, database, also...)
	return url, found
}

// serveTo is serve with a place for what it warns of, such as messages that nobody sends.
func serveTo(t *testing.T, warnings io.Writer, database string, also ...*regexp.Regexp) (url string, found []string, end func()) {
	t.Helper()
	level := "error"
	if warnings != io.Discard {
		level = "warn"
	}
	ctx, stop := context.WithCancel(context.Background())
	out := &said{more: make(chan struct{})}
	ended := make(chan struct{})
	status := 0
	go func() {
		defer close(ended)
		status = cli.Run(ctx, []string{"serve", "--addr", "127.0.0.1:0", "--db", database, "--log-level", level, "--sweep-every", "0s", "--webhook-allow", "127.0.0.1"},
			cli.Streams{In: strings.NewReader(""), Out: out, Err: warnings}, cli.Build{}, time.Now)
	}()
	end = func() {
		stop()
		<-ended
	}
	t.Cleanup(func() {
		end()
		if status != 0 {
			t.Errorf("the server ended with %d", status)
		}
	})
	for _, what := range append([]*regexp.Regexp{address}, also...) {
		one := out.await(what, ended)
		if one == "" {
			t.Fatalf("the server ended with %d before it printed %s", status, what)
		}
		found = append(found, one)
	}
	return found[0], found[1:], end
}

// full is a house full of life: that of the coffee bar, or of another blueprint.
func full(t *testing.T, blueprint ...string) *house {
	t.Helper()
	file := "sqlite:" + filepath.Join(t.TempDir(), "lojal.db")
	d, err := db.Open(t.Context(), file, db.Options{Migrate: true})
	if err != nil {
		t.Fatal(err)
	}
	r := record.New(d, &version.Cache{})
	now := time.Now()
	s, err := demo.Fill(t.Context(), demo.Input{DB: d, Recorder: r, Now: now, Members: 60, Weeks: 10, Blueprint: strings.Join(blueprint, "")})
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	h := &house{program: s.Program, database: file, sessions: map[staff.Role]string{}}
	err = d.Write(t.Context(), func(tx *db.Tx) error {
		for _, role := range staff.Roles {
			p, err := staff.Add(t.Context(), tx, staff.Input{Program: s.Program, Email: string(role) + "@example.no", Name: "Kari " + string(role), Role: role, Actor: "test", Now: now})
			if err != nil {
				return err
			}
			if h.sessions[role], err = staff.Begin(t.Context(), tx, p.ID, staff.ByPasskey, "", staff.Client{Agent: "Mozilla/5.0 (X11; Linux) Firefox/140.0", Address: "192.0.2.7"}, now); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	h.warned = &said{more: make(chan struct{})}
	h.url, _, h.end = serveTo(t, h.warned, file)
	return h
}

// as has the browser be somebody of a role.
func (h *house) as(role staff.Role) chromedp.Action {
	return network.SetCookie("lojal_staff", h.sessions[role]).WithURL(h.url).WithHTTPOnly(true)
}

// screen is a width at which pages are looked at.
type screen struct {
	name          string
	width, height int64
	dark          bool
}

var screens = []screen{{"phone", 390, 844, false}, {"desktop", 1280, 900, false}, {"dark", 1280, 900, true}}

func (s screen) actions() chromedp.Action {
	scheme := "light"
	if s.dark {
		scheme = "dark"
	}
	return chromedp.Tasks{
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}),
		chromedp.EmulateViewport(s.width, s.height),
	}
}

// nothing is the address of no page.
const nothing = "/console/nothing-here"

// watch collects what the browser complains of.
func watch(ctx context.Context) *[]string {
	var all []string
	chromedp.ListenTarget(ctx, func(ev any) {
		switch e := ev.(type) {
		case *runtime.EventExceptionThrown:
			all = append(all, e.ExceptionDetails.Error())
		case *log.EventEntryAdded:
			if (e.Entry.Level == log.LevelError || e.Entry.Source == log.SourceSecurity) && !strings.HasSuffix(e.Entry.URL, nothing) {
				all = append(all, e.Entry.Text+" "+e.Entry.URL)
			}
		}
	})
	return &all
}

// look asks of the page that is open what every page must hold: a heading, a language, no wider than the screen, nothing that axe finds.
func look(ctx context.Context, t *testing.T, name string) {
	t.Helper()
	var seen struct {
		H1    string  `json:"h1"`
		Lang  string  `json:"lang"`
		Wide  float64 `json:"wide"`
		Wrong []struct {
			ID    string   `json:"id"`
			Nodes []string `json:"nodes"`
		} `json:"wrong"`
	}
	var raw string
	err := chromedp.Run(ctx,
		chromedp.Evaluate(axe+";0", nil),
		chromedp.Evaluate(`axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}).then(r => JSON.stringify({
			h1: document.querySelector("h1")?.textContent ?? "", lang: document.documentElement.lang,
			wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
			wrong: r.violations.map(v => ({id: v.id, nodes: v.nodes.map(n => n.target.join(" ") + " " + n.failureSummary)})),
		}))`, &raw, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }),
	)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if err := json.Unmarshal([]byte(raw), &seen); err != nil {
		t.Fatal(err)
	}
	if strings.TrimSpace(seen.H1) == "" || seen.Lang == "" {
		t.Errorf("%s: heading %q, language %q", name, seen.H1, seen.Lang)
	}
	if strings.Contains(seen.H1, "⟨") {
		t.Errorf("%s: a text is missing: %s", name, seen.H1)
	}
	if seen.Wide > 0 {
		t.Errorf("%s is %v pixels too wide", name, seen.Wide)
	}
	for _, w := range seen.Wrong {
		t.Errorf("%s: axe finds %s at %s", name, w.ID, strings.Join(w.Nodes, "; "))
	}
}

// visit opens a page at every width, looks it over and takes its picture.
func visit(ctx context.Context, t *testing.T, h *house, name, path string) {
	t.Helper()
	for _, s := range screens {
		var png []byte
		if err := chromedp.Run(ctx, s.actions(), chromedp.Navigate(h.url+path), chromedp.WaitVisible("h1", chromedp.ByQuery)); err != nil {
			t.Fatalf("%s at %s: %v", path, s.name, err)
		}
		look(ctx, t, fmt.Sprintf("%s (%s) at %s", name, path, s.name))
		if err := chromedp.Run(ctx, chromedp.FullScreenshot(&png, 100)); err != nil {
			t.Fatal(err)
		}
		shot(t, name+"-"+s.name, png)
	}
}
