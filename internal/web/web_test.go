package web

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"lojal.dev/lojal/internal/errs"
)

type echoIn struct {
	Name  string     `path:"name"`
	Limit *int       `query:"limit"`
	At    *time.Time `query:"at"`
	List  []string   `query:"list"`
	Match string     `header:"If-Match"`
	Body  *struct {
		Text string `json:"text"`
	}
}

type echoOut struct {
	Name string `json:"name"`
	Text string `json:"text"`
	N    int    `json:"n"`
}

func (o *echoOut) ETag() string { return `"` + o.Name + `"` }

func (o *echoOut) NextCursor() string { return "abc" }

func testServer(t *testing.T) (http.Handler, *bytes.Buffer) {
	t.Helper()
	mux := http.NewServeMux()
	echo := Handle(func(_ context.Context, in *echoIn) (*echoOut, error) {
		out := &echoOut{Name: in.Name}
		if in.Body != nil {
			out.Text = in.Body.Text
		}
		if in.Limit != nil {
			out.N = *in.Limit
		}
		return out, nil
	}, Options{MaxBody: 100})
	mux.Handle("GET /echo/{name}", Handle(func(_ context.Context, in *struct {
		Name string `path:"name"`
	}) (*echoOut, error) {
		return &echoOut{Name: in.Name}, nil
	}, Options{}))
	mux.Handle("POST /echo/{name}", echo)
	mux.HandleFunc("GET /panic", func(http.ResponseWriter, *http.Request) { panic("secret inside") })
	mux.Handle("GET /internal", Handle(func(context.Context, *struct{}) (*echoOut, error) { return nil, io.ErrUnexpectedEOF }, Options{}))
	mux.Handle("GET /stored", Handle(func(context.Context, *struct{}) (*Reply, error) {
		return &Reply{Status: 201, JSON: []byte(`{"a":1}`), Header: http.Header{"Idempotent-Replayed": {"true"}}}, nil
	}, Options{}))
	var log bytes.Buffer
	now := func() time.Time { return time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC) }
	return Wrap(mux, Outside{Log: slog.New(slog.NewJSONHandler(&log, nil)), Now: now, LogEvery: 1}), &log
}

func do(h http.Handler, method, target, body string, head ...string) *httptest.ResponseRecorder {
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req := httptest.NewRequest(method, target, r)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(head); i += 2 {
		req.Header.Set(head[i], head[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return w
}

func TestProblems(t *testing.T) {
	t.Parallel()
	h, _ := testServer(t)
	long := `{"text":"` + strings.Repeat("x", 200) + `"}`
	tests := []struct {
		name, method, target, body string
		head                       []string
		status                     int
		reason                     string
	}{
		{"no such path", "GET", "/nothing", "", nil, 404, "not_found"},
		{"dots", "GET", "/echo/../echo/a", "", nil, 404, "not_found"},
		{"double slash", "GET", "//echo/a", "", nil, 404, "not_found"},
		{"trailing slash", "GET", "/echo/a/", "", nil, 404, "not_found"},
		{"other method", "DELETE", "/echo/a", "", nil, 405, "method_not_allowed"},
		{"odd method", "PROPFIND", "/echo/a", "", nil, 405, "method_not_allowed"},
		{"panic", "GET", "/panic", "", nil, 500, "internal"},
		{"internal", "GET", "/internal", "", nil, 500, "internal"},
		{"too large", "POST", "/echo/a", long, nil, 413, "body_too_large"},
		{"not json", "POST", "/echo/a", "{}", []string{"Content-Type", "text/plain"}, 415, "unsupported_media_type"},
		{"other charset", "POST", "/echo/a", "{}", []string{"Content-Type", "application/json; charset=latin1"}, 415, "unsupported_media_type"},
		{"packed", "POST", "/echo/a", "{}", []string{"Content-Encoding", "gzip"}, 415, "unsupported_media_type"},
		{"unknown parameter", "GET", "/echo/a?x=1", "", nil, 400, "invalid_parameter"},
		{"parameter with a name that is no utf-8", "GET", "/echo/a?%ff=1", "", nil, 400, "invalid_parameter"},
		{"repeated parameter", "POST", "/echo/a?limit=1&limit=2", "", nil, 400, "invalid_parameter"},
		{"no number", "POST", "/echo/a?limit=x", "", nil, 400, "invalid_parameter"},
		{"no time", "POST", "/echo/a?at=yesterday", "", nil, 400, "invalid_parameter"},
		{"semicolon", "GET", "/echo/a?x=1;y=2", "", nil, 400, "malformed_query"},
		{"nul in the path", "GET", "/echo/a%00b", "", nil, 400, "invalid_parameter"},
		{"bad utf-8 in the path", "GET", "/echo/%ff", "", nil, 400, "invalid_parameter"},
		{"body where none goes", "GET", "/stored", `{"a":1}`, nil, 400, "body_not_allowed"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := do(h, test.method, test.target, test.body, test.head...)
			if w.Code != test.status {
				t.Fatalf("status %d, want %d: %s", w.Code, test.status, w.Body)
			}
			var p Problem
			if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
				t.Fatalf("%v: %s", err, w.Body)
			}
			if got := w.Header().Get("Content-Type"); got != "application/problem+json" {
				t.Errorf("content type %q", got)
			}
			if p.Status != test.status || p.Reason != test.reason || p.RequestID == "" || p.RequestID != w.Header().Get("X-Request-Id") || p.Detail == "" {
				t.Errorf("problem %+v", p)
			}
			if strings.Contains(w.Body.String(), "secret") || strings.Contains(w.Body.String(), "EOF") {
				t.Errorf("an internal message left: %s", w.Body)
			}
		})
	}
}

func TestAllowHeader(t *testing.T) {
	t.Parallel()
	h, _ := testServer(t)
	if got := do(h, "DELETE", "/echo/a", "").Header().Get("Allow"); got != "GET, HEAD, POST" {
		t.Errorf("Allow %q", got)
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	h, log := testServer(t)
	w := do(h, "POST", "/echo/a%2Fb?limit=7", `{"text":"hei"}`, "X-Request-Id", "mine-1")
	if w.Code != 200 || w.Body.String() != `{"name":"a/b","text":"hei","n":7}` {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	for name, want := range map[string]string{
		"X-Request-Id": "mine-1", "ETag": `"a/b"`, "Link": `</echo/a%2Fb?cursor=abc&limit=7>; rel="next"`,
		"X-Content-Type-Options": "nosniff", "Cache-Control": "private, no-cache",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if w := do(h, "POST", "/echo/a", ""); w.Code != 200 {
		t.Errorf("without the optional body: %d %s", w.Code, w.Body)
	}
	if w := do(h, "GET", "/echo/a", "", "If-None-Match", `W/"a"`); w.Code != 304 || w.Body.Len() > 0 {
		t.Errorf("not modified: %d %s", w.Code, w.Body)
	}
	if w := do(h, "HEAD", "/echo/a", ""); w.Code != 200 {
		t.Errorf("HEAD: %d", w.Code)
	}
	if w := do(h, "GET", "/stored", ""); w.Code != 201 || w.Body.String() != `{"a":1}` || w.Header().Get("Idempotent-Replayed") != "true" {
		t.Errorf("stored: %d %s", w.Code, w.Body)
	}
	if w := do(h, "GET", "/stored", "", "X-Request-Id", "a b\r\n"); strings.Contains(w.Header().Get("X-Request-Id"), " ") {
		t.Errorf("a harmful request id came back: %q", w.Header().Get("X-Request-Id"))
	}
	if !strings.Contains(log.String(), `"route":"POST /echo/{name}"`) || strings.Contains(log.String(), "a/b") {
		t.Errorf("the log holds the route and not the path: %s", log)
	}
}

func TestBuckets(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	b := NewBuckets(Rate{Burst: 3, Window: 3 * time.Second})
	for i := range 3 {
		if q := b.Take("a", 1, now); !q.OK || q.Left != 2-i {
			t.Fatalf("take %d: %+v", i, q)
		}
	}
	q := b.Take("a", 1, now)
	if q.OK || q.Wait != time.Second || q.Reset != 3*time.Second {
		t.Fatalf("a fourth: %+v", q)
	}
	h := http.Header{}
	b.Headers(h, "key", q)
	if h.Get("Retry-After") != "1" || h.Get("RateLimit") != `"key";r=0;t=3` || h.Get("RateLimit-Policy") != `"key";q=3;w=3` {
		t.Errorf("headers %v", h)
	}
	if q := b.Take("b", 1, now); !q.OK {
		t.Errorf("another name: %+v", q)
	}
	if q := b.Take("a", 1, now.Add(time.Second)); !q.OK || q.Left != 0 {
		t.Errorf("after a second: %+v", q)
	}
	for range 3 {
		b.Take("set back", 1, now.Add(time.Hour))
	}
	if q := b.Take("set back", 1, now); !q.OK || q.Left != 2 {
		t.Errorf("a clock that was set back shuts nobody out: %+v", q)
	}
	if q := NewBuckets(Rate{Burst: -1}).Take("a", 1, now); !q.OK {
		t.Errorf("no limit: %+v", q)
	}
	for i := range 5000 {
		b.Take(strings.Repeat("x", i%100)+string(rune(i)), 1, now.Add(time.Duration(i)*time.Second))
	}
	if len(b.full) > 1100 {
		t.Errorf("%d names are kept", len(b.full))
	}
}

func TestCursors(t *testing.T) {
	t.Parallel()
	type position struct {
		ID string `json:"id"`
	}
	c := Cursor("members", position{"mem_1"})
	var p position
	if err := ReadCursor("members", c, &p); err != nil || p.ID != "mem_1" {
		t.Fatalf("%v %+v", err, p)
	}
	for _, bad := range []string{"x", "!!", c + "A", c[:len(c)-1], strings.Repeat("A", 20), Cursor("facts", position{"mem_1"})} {
		if err := ReadCursor("members", bad, &p); !errs.Is(err, errs.CodeMalformed, "invalid_cursor") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
