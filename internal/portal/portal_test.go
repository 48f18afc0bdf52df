package portal

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"lojal.dev/lojal/internal/api"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/errand"
	"lojal.dev/lojal/internal/message"
	"lojal.dev/lojal/internal/page"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/signin"
	"lojal.dev/lojal/internal/version"
)

var (
	ctx  = context.Background()
	noon = time.Date(2026, 11, 22, 11, 0, 0, 0, time.UTC)
)

// kept is what was written to the log.
type kept struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (k *kept) Write(b []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.all.Write(b)
}

func (k *kept) lines() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return strings.Split(strings.TrimSpace(k.all.String()), "\n")
}

// house is the portal of a program, with the real API behind it and messages written to a log.
type house struct {
	t    *testing.T
	d    *db.DB
	p    *program.Compiled
	log  *kept
	srv  *httptest.Server
	door *api.Server
	rec  *record.Recorder
	c    *http.Client
	mu   sync.Mutex
	now  time.Time
}

func (h *house) clock() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *house) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

func newHouse(t *testing.T, d *db.DB, sms bool, also ...func(*program.Document)) *house {
	t.Helper()
	h := &house{t: t, d: d, now: noon, log: &kept{}}
	text, err := program.Blueprint("coffee-stars")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := program.Parse(text, "coffee-stars")
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range also {
		change(doc)
	}
	vs := &version.Cache{}
	h.write(func(tx *db.Tx) error {
		if _, err := version.Publish(ctx, tx, version.PublishInput{Program: doc.Program, Document: doc, By: "test", Now: noon.Add(-24 * time.Hour)}); err != nil {
			return err
		}
		set, err := vs.Get(ctx, tx, doc.Program)
		if err == nil {
			h.p = set.Latest()
		}
		return err
	})
	rec := record.New(d, vs)
	h.rec = rec
	t.Cleanup(rec.Close)
	h.door = api.New(api.Config{DB: d, Recorder: rec, Versions: vs, Clock: h.clock})
	as := func(ctx context.Context, program, member string) context.Context {
		return api.As(ctx, api.Asker{Program: program, Member: member})
	}
	logger := slog.New(slog.NewJSONHandler(h.log, nil))
	h.srv = httptest.NewServer(New(Config{DB: d, Versions: vs, API: h.door.Inside(), As: as, Proven: api.Proven, Sender: message.Log{Logger: logger, SMS: sms}, Clock: h.clock, LogEvery: -1}))
	t.Cleanup(h.srv.Close)
	h.c = h.browser()
	return h
}

func each(t *testing.T, body func(t *testing.T, h *house)) {
	t.Helper()
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) { body(t, newHouse(t, d, true)) })
}

func (h *house) write(fn func(tx *db.Tx) error) {
	h.t.Helper()
	if err := h.d.Write(ctx, fn); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) id() string { return h.p.Doc.Program }

// browser is one that keeps cookies and shows where it is led.
func (h *house) browser() *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		h.t.Fatal(err)
	}
	return &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// answer is a page, or where it leads.
type answer struct {
	*http.Response
	text string
}

func (a answer) to() string { return a.Header.Get("Location") }

func (h *house) ask(req *http.Request) answer {
	h.t.Helper()
	res, err := h.c.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	if strings.Contains(string(text), "⟨") {
		h.t.Errorf("%s lacks a text: %s", req.URL, regexp.MustCompile("⟨[^⟩]*⟩").FindString(string(text)))
	}
	return answer{res, string(text)}
}

func (h *house) get(path string) answer {
	h.t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.srv.URL+"/portal/"+h.id()+path, http.NoBody)
	if err != nil {
		h.t.Fatal(err)
	}
	return h.ask(req)
}

func (h *house) post(path string, pairs ...string) answer {
	h.t.Helper()
	f := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		f.Set(pairs[i], pairs[i+1])
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.srv.URL+"/portal/"+h.id()+path, strings.NewReader(f.Encode()))
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return h.ask(req)
}

var sixDigits = regexp.MustCompile(`\b\d{6}\b`)

// code is the latest that was sent, and to whom.
func (h *house) code() (code, to, kind string) {
	h.t.Helper()
	lines := h.log.lines()
	var m struct {
		Kind string `json:"kind"`
		To   string `json:"to"`
		Text string `json:"text"`
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &m); err != nil {
		h.t.Fatal(err)
	}
	return sixDigits.FindString(m.Text), m.To, m.Kind
}

// enrol makes a member the way a till does.
func (h *house) enrol(body string) string {
	h.t.Helper()
	var made struct{ ID string }
	in := page.API{Handler: h.door.Inside(), Lang: "en"}
	err := in.Post(api.As(ctx, api.Asker{ID: "till", Program: h.id(), Name: "Till", Scopes: []string{"admin"}}), "/v1/members", "", json.RawMessage(body), &made)
	if err != nil {
		h.t.Fatal(err)
	}
	return made.ID
}

// catchUp does what follows from what happened.
func (h *house) catchUp() {
	h.t.Helper()
	if err := errand.CatchUp(ctx, h.d, h.rec, h.id(), h.clock()); err != nil {
		h.t.Fatal(err)
	}
}

// staff asks the API as staff do.
func (h *house) staff(method, path, body string, out any) {
	h.t.Helper()
	in := page.API{Handler: h.door.Inside(), Lang: "en"}
	var raw any
	if body != "" {
		raw = json.RawMessage(body)
	}
	if err := in.Do(api.As(ctx, api.Asker{ID: "till", Program: h.id(), Name: "Till", Scopes: []string{"admin"}}), method, path, nil, "", raw, out); err != nil {
		h.t.Fatal(err)
	}
}

// signIn has the browser sign in by e-mail.
func (h *house) signIn(address string) answer {
	h.t.Helper()
	if got := h.post("/sign-in", "address", address); !strings.HasSuffix(got.to(), "/code") {
		h.t.Fatalf("%d %s: %s", got.StatusCode, got.to(), got.text)
	}
	code, _, _ := h.code()
	return h.post("/code", "code", code)
}

func TestJoiningTakesThreePages(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for _, c := range []struct{ typed, to, kind string }{{" Kari@Example.NO ", "kari@example.no", "email"}, {"900 00 001", "+4790000001", "sms"}} {
			h.c = h.browser()
			if got := h.get("/home"); got.StatusCode != http.StatusSeeOther || !strings.HasSuffix(got.to(), "/sign-in") {
				t.Fatalf("%d %s", got.StatusCode, got.to())
			}
			h.post("/sign-in", "address", c.typed)
			code, to, kind := h.code()
			if code == "" || to != c.to || kind != c.kind {
				t.Fatalf("sent %q to %q by %s", code, to, kind)
			}
			if got := h.get("/code"); !strings.Contains(got.text, c.to) {
				t.Error("the page does not say where the code is")
			}
			if got := h.post("/code", "code", code[:3]+" "+code[3:]); !strings.HasSuffix(got.to(), "/join") {
				t.Fatalf("%d %s", got.StatusCode, got.to())
			}
			if got := h.get("/join"); !strings.Contains(got.text, `name="agree"`) || strings.Contains(got.text, `checked`) {
				t.Errorf("%s", got.text)
			}
			got := h.post("/join", "name", " ")
			if got.StatusCode != http.StatusUnprocessableEntity || strings.Count(got.text, `class="wrong"`) != 2 {
				t.Errorf("%d %s", got.StatusCode, got.text)
			}
			if got = h.post("/join", "name", "Kari <b>Nordmann", "agree", "yes"); !strings.HasSuffix(got.to(), "/card?said=joined") {
				t.Fatalf("%d %s %s", got.StatusCode, got.to(), got.text)
			}
			got = h.get("/card?said=joined")
			if !regexp.MustCompile(`>29\d\d \d{4} \d{4} \d{4}<`).MatchString(got.text) || strings.Contains(got.text, "<b>") {
				t.Errorf("%s", got.text)
			}
			if got := h.post("/join", "name", "Kari", "agree", "yes"); !strings.HasSuffix(got.to(), "/card") {
				t.Errorf("a form that was sent twice: %d %s", got.StatusCode, got.to())
			}
			if got := h.get("/home"); got.StatusCode != http.StatusOK {
				t.Errorf("%d", got.StatusCode)
			}
		}
		var list struct{ Items []struct{ Status string } }
		h.staff(http.MethodGet, "/v1/members", "", &list)
		if len(list.Items) != 2 {
			t.Errorf("%d members", len(list.Items))
		}
	})
}

func TestAMemberSignsInTheSameWay(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id := h.enrol(`{"given_name": "Kari", "email": "kari@example.no", "language": "sv"}`)
		if got := h.signIn("kari@example.no"); !strings.HasSuffix(got.to(), "/home") {
			t.Fatalf("%d %s", got.StatusCode, got.to())
		}
		got := h.get("/home")
		if !strings.Contains(got.text, "Hej, Kari") || !strings.Contains(got.text, `lang="sv"`) {
			t.Errorf("%s", got.text)
		}
		var m struct{ Identifiers []struct{ Kind string } }
		h.staff(http.MethodGet, "/v1/members/"+id, "", &m)
		if len(m.Identifiers) != 2 {
			t.Errorf("%+v: no card was drawn", m)
		}
		// The language is the member's own.
		h.post("/look", "lang", "da", "back", "/portal/"+h.id()+"/card")
		if got := h.get("/home"); !strings.Contains(got.text, `lang="da"`) {
			t.Errorf("%s", got.text)
		}
		h.post("/sign-out")
		if got := h.get("/home"); got.StatusCode != http.StatusSeeOther {
			t.Errorf("%d after signing out", got.StatusCode)
		}
	})
}

// TestNobodyIsToldWhoIsAMember asks for a code and gets it wrong, as a member and as nobody: each answer is the same.
func TestNobodyIsToldWhoIsAMember(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.enrol(`{"given_name": "Kari", "email": "member@example.no", "phone": "90000001"}`)
		same := func(what string, a, b answer, who, nobody string) {
			t.Helper()
			if a.StatusCode != b.StatusCode || a.to() != b.to() || strings.ReplaceAll(a.text, who, "") != strings.ReplaceAll(b.text, nobody, "") {
				t.Errorf("%s: %d %s %s\nand %d %s %s", what, a.StatusCode, a.to(), a.text, b.StatusCode, b.to(), b.text)
			}
		}
		for _, who := range [][2]string{{"member@example.no", "nobody@example.no"}, {"+4790000001", "+4790000002"}} {
			var got [2][]answer
			for i := range 2 {
				h.c = h.browser()
				got[i] = append(got[i], h.post("/sign-in", "address", who[i]), h.get("/code"))
				code, _, _ := h.code()
				wrong := "000000"
				if code == wrong {
					wrong = "000001"
				}
				got[i] = append(got[i], h.post("/code", "code", wrong), h.post("/code", "again", "yes"), h.post("/join", "name", "x", "agree", "yes"), h.get("/join"), h.get("/home"))
				for range signin.PerHour {
					got[i] = append(got[i], h.post("/sign-in", "address", who[i]))
				}
				h.pass(2 * time.Hour) // or this address would have asked too often
			}
			for n := range got[0] {
				same(fmt.Sprint(n), got[0][n], got[1][n], who[0], who[1])
			}
			if last := got[0][len(got[0])-1]; last.StatusCode != http.StatusTooManyRequests {
				t.Errorf("%d codes were sent to one address", len(got[0]))
			}
		}
	})
}

func TestACodeIsGuessedAFewTimes(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.post("/sign-in", "address", "kari@example.no")
		code, _, _ := h.code()
		wrong := "000000"
		if code == wrong {
			wrong = "000001"
		}
		for range signin.MaxTries {
			if got := h.post("/code", "code", wrong); got.StatusCode != http.StatusUnauthorized {
				t.Fatalf("%d", got.StatusCode)
			}
		}
		if got := h.post("/code", "code", code); got.StatusCode != http.StatusUnauthorized {
			t.Errorf("%d: it is good after too many tries", got.StatusCode)
		}
		h.post("/code", "again", "yes")
		code, _, _ = h.code()
		h.pass(signin.CodeFor)
		if got := h.post("/code", "code", code); got.StatusCode != http.StatusUnauthorized {
			t.Errorf("%d: it is good for ever", got.StatusCode)
		}
		h.post("/code", "again", "yes")
		code, _, _ = h.code()
		if got := h.post("/code", "code", code); !strings.HasSuffix(got.to(), "/join") {
			t.Errorf("%d %s", got.StatusCode, got.to())
		}
		if got := h.post("/code", "code", code); got.StatusCode != http.StatusUnauthorized {
			t.Errorf("%d: it is good twice", got.StatusCode)
		}
	})
}

// TestAPassIsForItsAddress tries to join with an address that nobody has shown.
func TestAPassIsForItsAddress(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.signIn("kari@example.no")
		place, err := url.Parse(h.srv.URL + "/portal/" + h.id() + "/")
		if err != nil {
			t.Fatal(err)
		}
		v := &visit{p: h.p, r: httptest.NewRequest(http.MethodGet, place.Path+"join", http.NoBody), c: &Portal{}}
		for _, c := range h.c.Jar.Cookies(&url.URL{Scheme: place.Scheme, Host: place.Host, Path: place.Path + "join"}) {
			v.r.AddCookie(c)
		}
		u, ok := v.underway()
		if !ok || u.pass == "" {
			t.Fatalf("%+v", u)
		}
		u.to.Value = "somebody@example.no"
		w := httptest.NewRecorder()
		v.w = w
		v.keepUnderway(u)
		h.c.Jar.SetCookies(place, w.Result().Cookies())
		if got := h.post("/join", "name", "Eve", "agree", "yes"); got.StatusCode != http.StatusUnauthorized {
			t.Errorf("%d %s", got.StatusCode, got.to())
		}
		var list struct{ Items []any }
		h.staff(http.MethodGet, "/v1/members", "", &list)
		if len(list.Items) != 0 {
			t.Errorf("%v", list.Items)
		}
	})
}

func TestAWayThatLeadsNowhereIsNotOffered(t *testing.T) {
	t.Parallel()
	h := newHouse(t, dbtest.Open(t, db.SQLite), false)
	if got := h.get("/sign-in"); !strings.Contains(got.text, `type="email"`) {
		t.Errorf("%s", got.text)
	}
	if got := h.post("/sign-in", "address", "90000001"); got.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("%d", got.StatusCode)
	}
}

// TestEveryPageIsForMembers asks every page there is without a session, and sends to every form from elsewhere.
func TestEveryPageIsForMembers(t *testing.T) {
	t.Parallel()
	h := newHouse(t, dbtest.Open(t, db.SQLite), true)
	wild := regexp.MustCompile(`\{[a-z]+\}`)
	for _, l := range table() {
		method, path, ok := strings.Cut(l.pattern, " ")
		path, under := strings.CutPrefix(path, "/portal/{program}")
		if !ok || !under {
			continue
		}
		path = wild.ReplaceAllString(path, "x_1")
		if method == http.MethodPost {
			req := httptest.NewRequest(method, h.srv.URL+"/portal/"+h.id()+path, strings.NewReader(""))
			req.RequestURI = ""
			req.Header.Set("Origin", "https://elsewhere.example")
			if got := h.ask(req); got.StatusCode != http.StatusForbidden {
				t.Errorf("%s from elsewhere: %d", l.pattern, got.StatusCode)
			}
		}
		if l.for_ == anybody {
			continue
		}
		got := h.get(path)
		if method == http.MethodPost {
			got = h.post(path)
		}
		if got.StatusCode != http.StatusSeeOther || !strings.Contains(got.to(), "/sign-in") {
			t.Errorf("%s: nobody gets %d %s", l.pattern, got.StatusCode, got.to())
		}
	}
}

func TestWhatIsThereForNobodyIsNotFound(t *testing.T) {
	t.Parallel()
	h := newHouse(t, dbtest.Open(t, db.SQLite), true)
	for _, path := range []string{"/portal/nothing", "/portal/nothing/home", "/portal/" + h.id() + "/nothing"} {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.srv.URL+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if got := h.ask(req); got.StatusCode != http.StatusNotFound || !strings.Contains(got.text, "<h1>") {
			t.Errorf("%s: %d", path, got.StatusCode)
		}
	}
	if got := h.get("/"); !strings.HasSuffix(got.to(), "/portal/"+h.id()) {
		t.Errorf("%d %s", got.StatusCode, got.to())
	}
}

func TestWhereToGoIsAPageOfTheProgram(t *testing.T) {
	t.Parallel()
	v := &visit{p: &program.Compiled{Doc: &program.Document{Program: "kaffe"}}}
	for in, want := range map[string]string{
		"/portal/kaffe/rewards?x=1": "/portal/kaffe/rewards?x=1", "https://elsewhere.example/portal/kaffe/home": "", "//elsewhere.example/portal/kaffe/x": "",
		"/portal/te/home": "", "/console/me": "", "/portal/kaffe/../../console": "", `/portal/kaffe/\x`: "", "": "", "/portal/kaffe/sign-out": "",
	} {
		if want == "" {
			want = "/portal/kaffe/home"
		}
		if got := v.next(in); got != want {
			t.Errorf("%q leads to %q", in, got)
		}
	}
}

func TestABlockedMemberIsTold(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id := h.enrol(`{"given_name": "Kari", "email": "kari@example.no"}`)
		h.signIn("kari@example.no")
		for _, s := range []string{"block", "close"} {
			h.staff(http.MethodPost, "/v1/members/"+id+"/"+s, `{"reason": "test"}`, nil)
			for _, p := range []string{"/home", "/card"} {
				if got := h.get(p); got.StatusCode != http.StatusOK || !strings.Contains(got.text, words.Say("en", "status."+map[string]string{"block": "blocked", "close": "closed"}[s])) {
					t.Errorf("%s after %s: %d %s", p, s, got.StatusCode, got.text)
				}
			}
		}
	})
}

func TestTheSessionOfAMergedMemberGoesOn(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		old := h.enrol(`{"given_name": "Old", "email": "old@example.no"}`)
		kept := h.enrol(`{"given_name": "Kept", "email": "kept@example.no"}`)
		h.signIn("old@example.no")
		h.staff(http.MethodPost, "/v1/members/"+old+"/merge", `{"into": "`+kept+`", "reason": "test"}`, nil)
		if got := h.get("/home"); got.StatusCode != http.StatusOK || !strings.Contains(got.text, "Hello, Kept") {
			t.Errorf("%d %s", got.StatusCode, got.text)
		}
	})
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
