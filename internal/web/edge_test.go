package web

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestWhereARequestCameFrom(t *testing.T) {
	t.Parallel()
	inside := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	xff, rfc := &Proxies{Trusted: inside}, &Proxies{Trusted: inside, Forwarded: true}
	for _, c := range []struct {
		name    string
		proxies *Proxies
		from    string
		head    []string
		want    string
	}{
		{"nobody is trusted", nil, "10.0.0.1:99", []string{"X-Forwarded-For", "1.2.3.4"}, "10.0.0.1"},
		{"a caller without a proxy", xff, "203.0.113.9:99", nil, "203.0.113.9"},
		{"a caller without a proxy who lies", xff, "203.0.113.9:99", []string{"X-Forwarded-For", "1.2.3.4"}, "203.0.113.9"},
		{"one proxy", xff, "10.0.0.1:99", []string{"X-Forwarded-For", "203.0.113.9"}, "203.0.113.9"},
		{"a proxy that adds to a lie", xff, "10.0.0.1:99", []string{"X-Forwarded-For", "1.2.3.4, 203.0.113.9"}, "203.0.113.9"},
		{"a lie about a proxy", xff, "10.0.0.1:99", []string{"X-Forwarded-For", "1.2.3.4, 10.9.9.9, 203.0.113.9"}, "203.0.113.9"},
		{"a lie in a header of its own", xff, "10.0.0.1:99", []string{"X-Forwarded-For", "1.2.3.4", "X-Forwarded-For", "203.0.113.9"}, "203.0.113.9"},
		{"two proxies", xff, "10.0.0.1:99", []string{"X-Forwarded-For", "203.0.113.9, 10.0.0.2"}, "203.0.113.9"},
		{"a caller inside", xff, "10.0.0.1:99", []string{"X-Forwarded-For", "10.0.0.7"}, "10.0.0.7"},
		{"a proxy that says nothing", xff, "10.0.0.1:99", nil, "10.0.0.1"},
		{"nonsense", xff, "10.0.0.1:99", []string{"X-Forwarded-For", "1.2.3.4, nonsense"}, "10.0.0.1"},
		{"an empty place", xff, "10.0.0.1:99", []string{"X-Forwarded-For", "1.2.3.4, "}, "10.0.0.1"},
		{"with a port", xff, "10.0.0.1:99", []string{"X-Forwarded-For", "203.0.113.9:4711"}, "203.0.113.9"},
		{"IPv6 with a port and a zone", xff, "[fd00::1%eth0]:99", []string{"X-Forwarded-For", "[2001:db8::5]:4711"}, "2001:db8::5"},
		{"IPv4 inside IPv6", xff, "[::ffff:10.0.0.1]:99", []string{"X-Forwarded-For", "::ffff:203.0.113.9"}, "203.0.113.9"},
		{"the other header is not read", xff, "10.0.0.1:99", []string{"Forwarded", "for=1.2.3.4"}, "10.0.0.1"},
		{"nor this one", rfc, "10.0.0.1:99", []string{"X-Forwarded-For", "1.2.3.4"}, "10.0.0.1"},
		{"RFC 7239", rfc, "10.0.0.1:99", []string{"Forwarded", "for=203.0.113.9;proto=https;by=10.0.0.1"}, "203.0.113.9"},
		{"RFC 7239 in any case", rfc, "10.0.0.1:99", []string{"Forwarded", "Proto=https; For=203.0.113.9"}, "203.0.113.9"},
		{"RFC 7239 with IPv6", rfc, "10.0.0.1:99", []string{"Forwarded", `for="[2001:db8::5]:4711"`}, "2001:db8::5"},
		{"RFC 7239 with a lie in quotation marks", rfc, "10.0.0.1:99", []string{"Forwarded", `for="1.2.3.4, for=5.6.7.8\", for=6.7.8.9", for=203.0.113.9`}, "203.0.113.9"},
		{"RFC 7239 with a quotation mark that does not end", rfc, "10.0.0.1:99", []string{"Forwarded", `for="1.2.3.4`, "Forwarded", `for=203.0.113.9`}, "10.0.0.1"},
		{"RFC 7239 hidden", rfc, "10.0.0.1:99", []string{"Forwarded", "for=1.2.3.4, for=_secret"}, "10.0.0.1"},
		{"RFC 7239 without for", rfc, "10.0.0.1:99", []string{"Forwarded", "for=1.2.3.4, proto=https"}, "10.0.0.1"},
		{"RFC 7239 through two", rfc, "10.0.0.1:99", []string{"Forwarded", "for=203.0.113.9", "Forwarded", "for=10.0.0.2"}, "203.0.113.9"},
		{"no address at all", xff, "@", nil, "@"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
		r.RemoteAddr = c.from
		for i := 0; i < len(c.head); i += 2 {
			r.Header.Add(c.head[i], c.head[i+1])
		}
		if got := c.proxies.client(r); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	if Household("2001:db8:1:2:3:4:5:6") != Household("2001:db8:1:2:ffff::1") || Household("2001:db8:1:2::1") == Household("2001:db8:1:3::1") {
		t.Error("an IPv6 subscriber has a network")
	}
	if Household("203.0.113.9") != "203.0.113.9" || Household("@") != "@" {
		t.Error("an IPv4 address is one")
	}
}

// FuzzForwarded looks for a header that moves the place of what the trusted proxy wrote.
func FuzzForwarded(f *testing.F) {
	for _, s := range []string{"for=1.2.3.4", `for="a,b";by=x`, `"`, `\"`, `for="\`, ",;=", `for="[::1]:80", for=unknown`} {
		f.Add(s)
	}
	p := &Proxies{Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/32")}, Forwarded: true}
	f.Fuzz(func(t *testing.T, lie string) {
		r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
		r.RemoteAddr = "10.0.0.1:99"
		r.Header["Forwarded"] = []string{lie, "for=203.0.113.9"}
		// A quotation mark that does not end swallows what the proxy wrote: then it is the proxy's address, and never the liar's.
		if got := p.client(r); got != "203.0.113.9" && got != "10.0.0.1" {
			t.Errorf("%q makes it %s", lie, got)
		}
	})
}

type text struct {
	tag  string
	Text string `json:"text"`
}

func (t *text) ETag() string { return t.tag }

func outside(log io.Writer) Outside {
	return Outside{Log: slog.New(slog.NewJSONHandler(log, nil)), Now: time.Now, LogEvery: 1}
}

func TestOnlyLargeAnswersArePacked(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a longer text ", 2000)
	mux := http.NewServeMux()
	answer := func(out *text) http.Handler {
		return Handle(func(context.Context, *struct{}) (*text, error) { return out, nil }, Options{})
	}
	mux.Handle("GET /large", answer(&text{`"7"`, long}))
	mux.Handle("POST /large", answer(&text{"", long}))
	mux.Handle("GET /small", answer(&text{"", "short"}))
	h := Wrap(mux, outside(io.Discard))
	for _, c := range []struct {
		name, method, path, accept string
		packed                     bool
	}{
		{"large", "GET", "/large", "gzip", true}, {"large among others", "GET", "/large", "br, GZIP;q=0.5, *;q=0", true}, {"not wanted", "GET", "/large", "", false},
		{"refused", "GET", "/large", "gzip;q=0, identity", false}, {"something else", "GET", "/large", "xgzip", false}, {"small", "GET", "/small", "gzip", false},
		{"not of a GET", "POST", "/large", "gzip", false},
	} {
		w := do(h, c.method, c.path, "", "Accept-Encoding", c.accept)
		if got := w.Header().Get("Content-Encoding") == "gzip"; got != c.packed {
			t.Errorf("%s: packed %v", c.name, got)
		}
		if c.path == "/large" && w.Header().Get("Vary") != "Accept-Encoding" {
			t.Errorf("%s: Vary %q", c.name, w.Header().Get("Vary"))
		}
		body, n := io.Reader(w.Body), w.Body.Len()
		if w.Header().Get("Content-Length") != fmt.Sprint(n) {
			t.Errorf("%s: Content-Length %s of %d", c.name, w.Header().Get("Content-Length"), n)
		}
		if c.packed {
			z, err := gzip.NewReader(body)
			if err != nil {
				t.Fatal(err)
			}
			body = z
			if tag := w.Header().Get("ETag"); tag != `"7-gzip"` {
				t.Errorf("other bytes have another tag: %s", tag)
			}
			if n > len(long)/10 {
				t.Errorf("%s: %d bytes", c.name, n)
			}
		}
		var got text
		if err := json.NewDecoder(body).Decode(&got); err != nil || (c.path == "/large") != (got.Text == long) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	for _, tag := range []string{`"7"`, `"7-gzip"`, `W/"7-gzip"`} {
		if w := do(h, "GET", "/large", "", "If-None-Match", tag); w.Code != http.StatusNotModified {
			t.Errorf("%s: %d", tag, w.Code)
		}
	}
	if !Matches(`"7-gzip"`, `"7"`, false) {
		t.Error("a tag that came with a packed answer is good for a change")
	}
}

// occupied is a door with a handler that holds a request until it is told to let go.
func occupied(o Outside, opt Options) (h http.Handler, inside chan struct{}, letGo func()) {
	inside, gate := make(chan struct{}), make(chan struct{})
	type in struct{ Body map[string]string }
	mux := http.NewServeMux()
	mux.Handle("POST /hold", Handle(func(context.Context, *in) (*text, error) {
		inside <- struct{}{}
		<-gate
		return &text{}, nil
	}, opt))
	mux.Handle("GET /readyz", Handle(func(context.Context, *struct{}) (*text, error) { return &text{}, nil }, Options{}))
	mux.Handle("GET /other", Handle(func(context.Context, *struct{}) (*text, error) { return &text{}, nil }, Options{}))
	return Wrap(mux, o), inside, sync.OnceFunc(func() { close(gate) })
}

func overloaded(t *testing.T, w *httptest.ResponseRecorder) {
	t.Helper()
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), `"reason":"overloaded"`) || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d %s %v", w.Code, w.Body, w.Header())
	}
}

func TestTooManyRequestsAreTurnedAwayAtOnce(t *testing.T) {
	t.Parallel()
	o := outside(io.Discard)
	reg := prometheus.NewRegistry()
	o.Most, o.Meters = 2, NewMeters(reg, []string{"POST /hold"})
	h, inside, letGo := occupied(o, Options{})
	defer letGo()
	var held sync.WaitGroup
	for range 2 {
		held.Go(func() {
			if w := do(h, "POST", "/hold", "{}"); w.Code != 200 {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
		<-inside
	}
	overloaded(t, do(h, "GET", "/other", ""))
	if w := do(h, "GET", "/readyz", ""); w.Code != 200 {
		t.Errorf("health is always answered: %d", w.Code)
	}
	letGo()
	held.Wait()
	if w := do(h, "GET", "/other", ""); w.Code != 200 {
		t.Errorf("afterwards: %d", w.Code)
	}
	if n, err := testutil.GatherAndCount(reg, "lojal_http_turned_away_total"); n != 1 || err != nil {
		t.Errorf("%d %v", n, err)
	}
}

func TestBodiesTakeBoundedMemory(t *testing.T) {
	t.Parallel()
	budget := NewBudget(1000)
	h, inside, letGo := occupied(outside(io.Discard), Options{MaxBody: 600, Bodies: budget})
	defer letGo()
	body := `{"a": "` + strings.Repeat("x", 580) + `"}`
	held := make(chan int, 1)
	go func() { held <- do(h, "POST", "/hold", body).Code }()
	<-inside
	overloaded(t, do(h, "POST", "/hold", body))
	unknown := httptest.NewRequest(http.MethodPost, "/hold", struct{ io.Reader }{strings.NewReader("{}")}) // as large as it may be
	unknown.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, unknown)
	overloaded(t, w)
	small := make(chan int, 1)
	go func() { small <- do(h, "POST", "/hold", "{}").Code }()
	<-inside
	letGo()
	if a, b := <-held, <-small; a != 200 || b != 200 {
		t.Errorf("%d %d", a, b)
	}
	if left := budget.left.Load(); left != 1000 {
		t.Errorf("%d left of 1000", left)
	}
}

// A body that does not come within the server's time is the caller's network, and not a mistake in the request.
func TestABodyThatComesTooSlowlyIsToldSo(t *testing.T) {
	t.Parallel()
	h, _, letGo := occupied(outside(io.Discard), Options{})
	defer letGo()
	srv := httptest.NewUnstartedServer(h)
	srv.Config.ReadTimeout = 50 * time.Millisecond
	srv.Start()
	defer srv.Close()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /hold HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"a\": ")
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusRequestTimeout || !strings.Contains(string(body), `"reason":"body_too_slow"`) || !res.Close {
		t.Errorf("%d %s %v, closed %v", res.StatusCode, body, err, res.Close)
	}
}

func TestTheLogLeavesOutWhatIsFineAndKeepsWhatIsNot(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	o := outside(&log)
	o.LogEvery, o.Slow = 3, time.Hour
	mux := http.NewServeMux()
	answer := func(err error) http.Handler {
		return Handle(func(context.Context, *struct{}) (*text, error) { return &text{}, err }, Options{})
	}
	mux.Handle("GET /fine", answer(nil))
	mux.Handle("GET /healthz", answer(nil))
	mux.Handle("GET /broken", answer(errors.New("a disk is gone")))
	mux.Handle("GET /left", answer(context.Canceled))
	h := Wrap(mux, o)
	lines := func() int {
		n := strings.Count(log.String(), "\n")
		log.Reset()
		return n
	}
	for range 7 {
		do(h, "GET", "/fine", "")
		do(h, "GET", "/healthz", "")
	}
	if n := lines(); n != 2 {
		t.Errorf("%d lines of 7 that went well, one of 3 is wanted", n)
	}
	do(h, "GET", "/broken", "")
	if text := log.String(); !strings.Contains(text, `"level":"ERROR"`) || !strings.Contains(text, `"error":"a disk is gone"`) {
		t.Errorf("%s", text)
	}
	for range 5 * failuresASecond {
		do(h, "GET", "/broken", "")
	}
	if n := lines(); n < failuresASecond || n > 4*failuresASecond { // it may take some seconds
		t.Errorf("%d lines of %d failures", n, 5*failuresASecond)
	}
	o.Slow = time.Nanosecond
	do(Wrap(mux, o), "GET", "/fine", "")
	if text := log.String(); !strings.Contains(text, `"level":"WARN"`) {
		t.Errorf("a slow one: %s", text)
	}
	log.Reset()
	o.Slow, o.LogEvery = 0, 0
	quiet := Wrap(mux, o)
	for range 10 {
		do(quiet, "GET", "/fine", "")
	}
	if n := lines(); n != 0 {
		t.Errorf("%d lines where none are wanted", n)
	}
}

func TestFailuresThatWereNotLoggedAreCounted(t *testing.T) {
	t.Parallel()
	var q quota
	now := time.Unix(1000, 0)
	written := 0
	for range failuresASecond + 5 {
		if ok, hidden := q.may(now); ok {
			written++
			if hidden != 0 {
				t.Errorf("%d hidden", hidden)
			}
		}
	}
	if written != failuresASecond {
		t.Errorf("%d written", written)
	}
	if ok, hidden := q.may(now.Add(time.Second)); !ok || hidden != 5 {
		t.Errorf("%v, %d hidden", ok, hidden)
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	inner, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	reg := prometheus.NewRegistry()
	l := LimitConnections(inner, 2, reg)
	accepted := make(chan net.Conn, 10)
	ended := make(chan error, 1)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				ended <- err
				return
			}
			accepted <- c
		}
	}()
	dial := func() {
		c, err := new(net.Dialer).DialContext(t.Context(), "tcp", inner.Addr().String())
		if err != nil {
			t.Error(err)
			return
		}
		t.Cleanup(func() { c.Close() })
	}
	for range 3 {
		dial()
	}
	first, second := <-accepted, <-accepted
	select {
	case <-accepted:
		t.Error("a third was taken")
	case <-time.After(20 * time.Millisecond): // what must not come has some time to come
	}
	first.Close()
	first.Close() // twice is once
	third := <-accepted
	dial()
	select {
	case <-accepted:
		t.Error("a fourth was taken")
	case <-time.After(20 * time.Millisecond):
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("%v", err)
	}
	second.Close()
	third.Close()
}

func writeCertificate(t *testing.T, dir string, serial int64, at time.Time) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func TestACertificateIsReadAgainWhenItChanges(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	begin := time.Now().Add(-time.Hour)
	cert, key := writeCertificate(t, dir, 1, begin)
	var log bytes.Buffer
	c, err := LoadCertificate(cert, key, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	serial := func() int64 {
		c.checked = time.Time{} // as if some time had passed
		pair, err := c.Get(&tls.ClientHelloInfo{})
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(pair.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		return leaf.SerialNumber.Int64()
	}
	if n := serial(); n != 1 {
		t.Errorf("serial %d", n)
	}
	writeCertificate(t, dir, 2, begin.Add(time.Minute))
	if n := serial(); n != 2 {
		t.Errorf("serial %d after a renewal", n)
	}
	if err := os.WriteFile(cert, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if n := serial(); n != 2 || !strings.Contains(log.String(), "the old one stays in use") {
		t.Errorf("serial %d after a broken file; logged %q", n, log.String())
	}
	if _, err := LoadCertificate(cert, key, slog.Default()); err == nil {
		t.Error("a server starts with half a certificate")
	}
}
