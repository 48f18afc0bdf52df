package console

import (
	"context"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/page"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/staff"
	"lojal.dev/lojal/internal/version"
)

var (
	ctx  = context.Background()
	noon = time.Date(2026, 11, 22, 11, 0, 0, 0, time.UTC)
)

const pass = "kaffe uten melk takk"

// house is a console with nothing behind it: what the API answers is tested where both stand together, in test/browser and internal/cli.
type house struct {
	t   *testing.T
	d   *db.DB
	now time.Time
	url string
	c   *http.Client
	// agent is what the browser says of itself, when it is to say something else than usual.
	agent string
}

func newHouse(t *testing.T, d *db.DB, with ...func(*Config)) *house {
	t.Helper()
	h := &house{t: t, d: d, now: noon}
	api := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { // the bare truth of a program without anything
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"items": [], "id": "mem_1", "status": "active", "joined_at": "2026-11-22T12:00:00+01:00"}`))
	})
	as := func(ctx context.Context, _, _, _ string, _ []string) context.Context { return ctx }
	c := Config{DB: d, Versions: &version.Cache{}, API: api, As: as, Clock: func() time.Time { return h.now }}
	for _, f := range with {
		f(&c)
	}
	srv := httptest.NewServer(New(c))
	t.Cleanup(srv.Close)
	h.url = srv.URL
	h.c = h.browser()
	return h
}

func (h *house) browser() *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		h.t.Fatal(err)
	}
	return &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func (h *house) write(fn func(tx *db.Tx) error) {
	h.t.Helper()
	if err := h.d.Write(ctx, fn); err != nil {
		h.t.Fatal(err)
	}
}

// program publishes the coffee bar.
func (h *house) program() string {
	h.t.Helper()
	text, err := program.Blueprint("coffee-stars")
	if err != nil {
		h.t.Fatal(err)
	}
	doc, err := program.Parse(text, "coffee-stars")
	if err != nil {
		h.t.Fatal(err)
	}
	h.write(func(tx *db.Tx) error {
		_, err := version.Publish(ctx, tx, version.PublishInput{Program: doc.Program, Document: doc, By: "test", Now: h.now.Add(-time.Hour)})
		return err
	})
	return doc.Program
}

func (h *house) person(program string, role staff.Role) (p staff.Person, token string) {
	h.t.Helper()
	phc, err := staff.HashPassword(ctx, pass)
	if err != nil {
		h.t.Fatal(err)
	}
	h.write(func(tx *db.Tx) (err error) {
		if p, err = staff.Add(ctx, tx, staff.Input{Program: program, Email: string(role) + "@example.no", Name: "Kari " + string(role), Role: role, Now: h.now}); err != nil {
			return err
		}
		if err := staff.SetPassword(ctx, tx, p.ID, phc); err != nil {
			return err
		}
		token, err = staff.Begin(ctx, tx, p.ID, staff.ByPasskey, "", staff.Client{}, h.now)
		return err
	})
	return p, token
}

func (h *house) as(token string) {
	u, err := url.Parse(h.url)
	if err != nil {
		h.t.Fatal(err)
	}
	h.c = h.browser()
	h.c.Jar.SetCookies(u, []*http.Cookie{{Name: "lojal_staff", Value: token, Path: "/"}})
}

type answer struct {
	*http.Response
	text string
}

func (h *house) send(req *http.Request) answer {
	h.t.Helper()
	req.Header.Set("Accept-Language", "en")
	if h.agent != "" {
		req.Header.Set("User-Agent", h.agent)
	}
	res, err := h.c.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer res.Body.Close()
	var b strings.Builder
	buf := make([]byte, 32<<10)
	for {
		n, err := res.Body.Read(buf)
		b.Write(buf[:n])
		if err != nil {
			break
		}
	}
	return answer{res, b.String()}
}

func (h *house) get(path string) answer {
	h.t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.url+path, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	return h.send(req)
}

func (h *house) post(path string, pairs ...string) answer {
	h.t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url+path, strings.NewReader(page.NewForm(pairs...).Encode()))
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	return h.send(req)
}

func (a answer) leads(t *testing.T, to string) {
	t.Helper()
	if got := a.Header.Get("Location"); a.StatusCode != http.StatusSeeOther || got != to {
		t.Fatalf("%d %q, want to be led to %q\n%s", a.StatusCode, got, to, a.text)
	}
}

func (a answer) says(t *testing.T, status int, text string) {
	t.Helper()
	if a.StatusCode != status || !strings.Contains(a.text, text) {
		t.Fatalf("%d, want %d and %q in\n%s", a.StatusCode, status, text, a.text)
	}
}

func TestTheFirstOwnerNeedsTheCodeOfTheLog(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d)
		h.get("/console").leads(t, "/console/sign-in")
		h.get("/console/sign-in").leads(t, "/console/set-up")
		var code string
		h.write(func(tx *db.Tx) (err error) {
			code, err = staff.NewPass(ctx, tx, staff.SetUp, "", staff.SetUpFor, h.now)
			return err
		})
		form := []string{"email", "kari@example.no", "name", "Kari", "password", pass, "blueprint", "coffee-stars"}
		h.post("/console/set-up", append(form, "code", "WRONG")...).says(t, 401, "This link or code was used")
		h.post("/console/set-up", append(form, "code", code, "password", "x")...).Body.Close()
		h.post("/console/set-up", "email", "kari", "name", "", "password", "short", "code", code).says(t, 422, "At least 12 characters")
		h.post("/console/set-up", append(form, "code", code)...).leads(t, "/console/members?said=set_up")
		h.get("/console/members?said=set_up").says(t, 200, "All is ready")
		h.get("/console/staff").says(t, 200, "Staff")
		h.c = h.browser()
		h.get("/console/set-up").leads(t, "/console/sign-in")
		h.post("/console/set-up", append(form, "code", code)...).leads(t, "/console/sign-in")
	})
}

func TestSigningIn(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d)
		p, _ := h.person(h.program(), staff.Owner)
		h.get("/console/members?q=kari").leads(t, "/console/sign-in?next="+url.QueryEscape("/console/members?q=kari"))
		h.post("/console/sign-in", "email", p.Email, "password", "quite another one").says(t, 401, "do not go together")
		h.post("/console/sign-in", "email", p.Email, "password", pass, "next", "/console/members?q=kari").leads(t, "/console/members?q=kari")
		for _, evil := range []string{"https://evil.example/console/", "//evil.example/console/", `/\evil.example`, "/console/../v1/keys", "javascript:alert(1)"} {
			h.c = h.browser()
			got := h.post("/console/sign-in", "email", p.Email, "password", pass, "next", evil).Header.Get("Location")
			if got != "/console" {
				t.Errorf("%s leads to %s", evil, got)
			}
		}
		h.agent = "Kjøkkenet \xff\xfe\t" + strings.Repeat("å", 150) // a browser may say anything of itself
		h.post("/console/sign-in", "email", p.Email, "password", pass).leads(t, "/console")
		res := h.get("/console/members")
		if csp := res.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
			t.Error(csp)
		}
		if res.Header.Get("Cache-Control") != "no-store" {
			t.Error("pages of somebody are kept")
		}

		// The second step.
		secret := ""
		if m := regexp.MustCompile(`name="secret" value="([A-Z2-7]+)"`).FindStringSubmatch(h.get("/console/me/second-step").text); m != nil {
			secret = m[1]
		}
		code := func() string {
			c, err := totp.GenerateCode(secret, h.now)
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		h.post("/console/me/second-step", "secret", secret, "code", "000000").says(t, 422, "not right")
		h.post("/console/me/second-step", "secret", secret, "code", code()).says(t, 200, "Recovery codes")
		h.c = h.browser()
		h.now = h.now.Add(time.Minute)
		h.post("/console/sign-in", "email", p.Email, "password", pass).leads(t, "/console/second-step?next=%2Fconsole")
		h.get("/console/members").leads(t, "/console/second-step")
		h.post("/console/second-step", "code", "123456").says(t, 401, "not right")
		h.post("/console/second-step", "code", code()).leads(t, "/console")
		h.get("/console/members").says(t, 200, "Members")
		h.post("/console/sign-out").leads(t, "/console/sign-in")
		h.get("/console/members").leads(t, "/console/sign-in?next="+url.QueryEscape("/console/members"))
	})
}

func TestAnInvitationLetsInOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d)
		p, _ := h.person(h.program(), staff.Store)
		var code string
		h.write(func(tx *db.Tx) (err error) {
			code, err = staff.Invite(ctx, tx, p.ID, h.now)
			return err
		})
		h.get("/console/invitation?code="+ids.Code(26)).says(t, 401, "used")
		h.get("/console/invitation?code="+code).says(t, 200, "Choose a password")
		h.post("/console/invitation", "code", code, "password", "another good password").leads(t, "/console")
		h.post("/console/invitation", "code", code, "password", "another good password").says(t, 401, "used")
		h.c = h.browser()
		h.post("/console/sign-in", "email", p.Email, "password", pass).says(t, 401, "do not go together")
		h.post("/console/sign-in", "email", p.Email, "password", "another good password").leads(t, "/console")
	})
}

func TestNothingIsSentFromElsewhere(t *testing.T) {
	t.Parallel()
	h := newHouse(t, dbtest.Open(t, db.SQLite))
	_, token := h.person(h.program(), staff.Owner)
	h.as(token)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url+"/console/me/profile", strings.NewReader("name=Evil"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	h.send(req).says(t, 403, "another site")
	h.get("/console/me").says(t, 200, "Kari owner")
}

// TestEveryPageForEveryRole asks each line of the table as each role, and as nobody: only whose role has the scope that the line names gets further
// than a refusal.
func TestEveryPageForEveryRole(t *testing.T) {
	t.Parallel()
	h := newHouse(t, dbtest.Open(t, db.SQLite))
	id := h.program()
	tokens := map[staff.Role]string{}
	for _, r := range staff.Roles {
		_, tokens[r] = h.person(id, r)
	}
	wild := regexp.MustCompile(`\{[a-z]+\}`)
	for _, l := range table() {
		method, path, ok := strings.Cut(l.pattern, " ")
		if !ok || l.needs == nobody || l.needs == halfway || strings.Contains(path, "sessions/end") {
			continue
		}
		path = wild.ReplaceAllString(strings.TrimSuffix(path, "{$}"), "x_1")
		ask := func() answer {
			if method == http.MethodGet {
				return h.get(path)
			}
			return h.post(path)
		}
		h.c = h.browser()
		if got := ask(); got.StatusCode != http.StatusSeeOther || !strings.HasPrefix(got.Header.Get("Location"), "/console/sign-in") {
			t.Errorf("%s: nobody gets %d %s", l.pattern, got.StatusCode, got.Header.Get("Location"))
		}
		for _, r := range staff.Roles {
			h.as(tokens[r])
			got := ask()
			may := l.needs == anybody || r == staff.Owner
			for _, s := range r.Scopes() {
				may = may || s == l.needs
			}
			if refused := got.StatusCode == http.StatusForbidden; refused == may {
				t.Errorf("%s: %s gets %d", l.pattern, r, got.StatusCode)
			}
			if got.StatusCode >= http.StatusInternalServerError {
				t.Errorf("%s: %s gets %d\n%s", l.pattern, r, got.StatusCode, got.text)
			}
		}
	}
}

// TestEveryTextIsThere finds each text that the pages ask for, in every language, and none that they do not.
func TestEveryTextIsThere(t *testing.T) {
	t.Parallel()
	asked, begun := map[string]bool{}, []string{"said.", "refused.", "wrong."}
	files, err := filepath.Glob("*")
	if err != nil {
		t.Fatal(err)
	}
	plain := regexp.MustCompile(`v\.T\("([^"]+)"[,)]`)
	open := regexp.MustCompile(`(?:v\.T|words\[|words\.Say\([^,]+, ?)\(?"([^"]+)" ?\+`)
	named := regexp.MustCompile(`"(?:[a-z_]+\.)?[a-z_]+(?:\.[a-z_]+)*"`)
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") || strings.HasSuffix(f, "_templ.go") || f == "words.go" || strings.HasPrefix(f, "words_") {
			continue
		}
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range plain.FindAllStringSubmatch(string(text), -1) {
			asked[m[1]] = true
			if _, ok := words[m[1]]; !ok {
				t.Errorf("%s asks for %q, which is not there", f, m[1])
			}
		}
		for _, m := range open.FindAllStringSubmatch(string(text), -1) {
			begun = append(begun, m[1])
		}
		for _, m := range named.FindAllString(string(text), -1) {
			asked[strings.Trim(m, `"`)] = true
		}
	}
	for _, id := range program.Blueprints() {
		if _, ok := words["blueprint."+id]; !ok {
			t.Errorf("nothing says what the blueprint %s is for", id)
		}
	}
	for key, texts := range words {
		used := asked[key]
		for _, b := range begun {
			used = used || strings.HasPrefix(key, b)
		}
		if !used {
			t.Errorf("nobody asks for %q", key)
		}
		for i, text := range texts {
			if strings.TrimSpace(text) == "" {
				t.Errorf("%q has no text in %s", key, page.Languages[i].Tag)
			}
			if strings.Count(text, "%s") != strings.Count(texts[3], "%s") {
				t.Errorf("%q has other values in %s", key, page.Languages[i].Tag)
			}
		}
	}
}
