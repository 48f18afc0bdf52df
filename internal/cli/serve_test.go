package cli_test

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
)

// with runs commands with these variables in the environment besides.
func (s *shell) with(vars ...string) *shell {
	other := *s
	other.vars = append(append([]string{}, s.vars...), vars...)
	return &other
}

func TestSettingsComeFromFlagsThenTheEnvironmentThenFiles(t *testing.T) {
	t.Parallel()
	s := &shell{t: t, dir: t.TempDir(), url: ""}
	file := s.write("db-url", "postgres://lojal:hunter2@db.example/lojal\n")
	shown := func(s *shell, args ...string) string {
		out := s.ok(append([]string{"serve", "--settings"}, args...))
		if strings.Contains(out, "hunter2") {
			t.Errorf("the password is shown: %s", out)
		}
		return strings.Join(strings.Fields(out), " ")
	}
	for _, c := range []struct {
		vars, args []string
		want       string
	}{
		{nil, nil, "--addr 127.0.0.1:8321 default"},
		{[]string{"LOJAL_ADDR=:1"}, nil, "--addr :1 LOJAL_ADDR"},
		{[]string{"LOJAL_ADDR=:1"}, []string{"--addr", ":2"}, "--addr :2 command line"},
		{[]string{"LOJAL_DB_FILE=" + file}, nil, "--db postgres://[hidden]@db.example/lojal LOJAL_DB_FILE"},
		{[]string{"LOJAL_DB_FILE=" + file}, []string{"--db", "x.db"}, "--db x.db command line"},
		{[]string{"LOJAL_TRUSTED_PROXY=10.0.0.0/8,192.0.2.1"}, nil, "--trusted-proxy 10.0.0.0/8,192.0.2.1 LOJAL_TRUSTED_PROXY"},
		{[]string{"LOJAL_DRAIN=7s"}, nil, "--drain 7s LOJAL_DRAIN"},
		{[]string{"LOJAL_SMTP_URL=smtps://hei@kaffebaren.example:hunter2/x@mail.example"}, nil, "--smtp-url smtps://[hidden]@mail.example LOJAL_SMTP_URL"},
		{[]string{"LOJAL_SMTP_URL=smtp://lojal:a@hunter2@mail.example:587"}, nil, "--smtp-url smtp://[hidden]@mail.example:587 LOJAL_SMTP_URL"},
		{[]string{"LOJAL_OIDC=https://lojal:hunter2@login.example/kaffe"}, nil, "--oidc https://[hidden]@login.example/kaffe LOJAL_OIDC"},
	} {
		if out := shown(s.with(c.vars...), c.args...); !strings.Contains(out+" ", c.want+" ") {
			t.Errorf("%v %v does not show %q: %s", c.vars, c.args, c.want, out)
		}
	}
	s.with("LOJAL_DB=x.db", "LOJAL_DB_FILE="+file).fails(2, args("serve"), "LOJAL_DB and LOJAL_DB_FILE are both set")
	s.with("LOJAL_DB_FILE=nothing").fails(3, args("program list"), "nothing, which LOJAL_DB_FILE names")
	s.fails(2, args("serve --db x.db --trusted-proxy example.no"), "--trusted-proxy")
	s.fails(2, args("serve --db x.db --tls-cert x"), "--tls-key")
	s.with("LOJAL_SMTP_URL=smtps://lojal:hunter2@mail.example").fails(2, args("serve --db x.db --addr 127.0.0.1:0"), "--mail-from")
	s.fails(3, args("serve --db x.db --addr 127.0.0.1:0 --tls-cert nothing --tls-key nothing"), "cannot be used")
}

// A machine may start its database after us.
func TestAStartWaitsForItsDatabaseWhenAskedTo(t *testing.T) {
	t.Parallel()
	u, err := url.Parse(dbtest.URL(t, db.Postgres))
	if err != nil {
		t.Fatal(err)
	}
	server := u.Host
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	u.Host = listener.Addr().String()
	refused := make(chan struct{})
	go func() { // the first three who come are sent away
		for n := 0; ; n++ {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			if n < 3 {
				client.Close()
				if n == 2 {
					close(refused)
				}
				continue
			}
			straight, err := new(net.Dialer).DialContext(t.Context(), "tcp", server)
			if err != nil {
				client.Close()
				continue
			}
			go func() { _, _ = io.Copy(straight, client); straight.Close() }()
			go func() { _, _ = io.Copy(client, straight); client.Close() }()
		}
	}()
	s := &shell{t: t, dir: t.TempDir(), url: u.String()}
	srv := s.start("There is no program yet", "serve", "--wait-db", "1m")
	<-refused
	srv.stop()

	away := &shell{t: t, dir: t.TempDir(), url: "postgres://nobody:hunter2@127.0.0.1:1/x"}
	r := away.run("serve", "--addr", "127.0.0.1:0", "--wait-db", "300ms")
	if r.status != 10 || !strings.Contains(r.err, "does not answer yet") || strings.Contains(r.err, "hunter2") {
		t.Errorf("%d %s", r.status, r.err)
	}
	if r := away.run("serve", "--addr", "127.0.0.1:0"); r.status != 10 || strings.Contains(r.err, "does not answer yet") {
		t.Errorf("it waits without being asked: %d %s", r.status, r.err)
	}
}

// A trace begins with the till's traceparent, and its id stands in the log beside the request's.
func TestARequestIsTracedFromTheTillToTheTransaction(t *testing.T) {
	t.Parallel()
	const traceID = "0af7651916cd43dd8448eb211c80319c"
	each(t, func(t *testing.T, s *shell) {
		var mu sync.Mutex
		parts := map[string]map[string]string{} // by name, span and parent, of the till's trace
		collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			var in struct {
				ResourceSpans []struct {
					ScopeSpans []struct {
						Spans []struct {
							TraceID      string `json:"traceId"`
							SpanID       string `json:"spanId"`
							ParentSpanID string `json:"parentSpanId"`
							Name         string `json:"name"`
						} `json:"spans"`
					} `json:"scopeSpans"`
				} `json:"resourceSpans"`
			}
			if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, rs := range in.ResourceSpans {
				for _, ss := range rs.ScopeSpans {
					for _, one := range ss.Spans {
						if one.TraceID == traceID {
							parts[one.Name] = map[string]string{"id": one.SpanID, "parent": one.ParentSpanID}
						}
					}
				}
			}
		}))
		defer collector.Close()
		s.publish()
		secret := strings.TrimSpace(s.ok(args("key create till")))
		traced := s.with("OTEL_EXPORTER_OTLP_ENDPOINT="+collector.URL, "OTEL_BSP_SCHEDULE_DELAY=10")
		srv := traced.start("An API key", "serve", "--log-format", "json")
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.url+"/v1/members", strings.NewReader(`{"external_id": "4711"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+secret)
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Traceparent", "00-"+traceID+"-b7ad6b7169203331-01")
		req.Header.Set("X-Request-Id", "till-1-77")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusCreated {
			t.Errorf("%d", res.StatusCode)
		}
		srv.stop() // sends what is left
		if log := srv.errs.String(); !strings.Contains(log, `"request_id":"till-1-77"`) || !strings.Contains(log, `"trace_id":"`+traceID+`"`) {
			t.Errorf("%s", log)
		}
		mu.Lock()
		defer mu.Unlock()
		request := parts["POST /v1/members"]
		if request["parent"] != "b7ad6b7169203331" || parts["wait for a transaction"]["parent"] != request["id"] || parts["transaction"] == nil {
			t.Errorf("%v", parts)
		}
	})
	s := &shell{t: t, dir: t.TempDir(), url: "sqlite:x.db"}
	s.with("OTEL_EXPORTER_OTLP_ENDPOINT=localhost:4317").fails(3, args("serve --addr 127.0.0.1:0"), "OTEL_EXPORTER_OTLP_ENDPOINT")
}

func TestServeOverTLS(t *testing.T) {
	t.Parallel()
	s := &shell{t: t, dir: t.TempDir(), url: "sqlite:x.db"}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert := s.write("cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	key := s.write("key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})))
	srv := s.start("There is no program yet", "serve", "--tls-cert", cert, "--tls-key", key)
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.url+"/healthz", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK || res.ProtoMajor != 2 || res.Header.Get("Strict-Transport-Security") == "" || !strings.HasPrefix(srv.url, "https://") {
		t.Errorf("%s %d HTTP/%d %v", srv.url, res.StatusCode, res.ProtoMajor, res.Header)
	}
	client.CloseIdleConnections()
	srv.stop()
}

// A process with few open files lives within them: more callers wait, and none is told that the program is broken.
func TestFewOpenFilesAreSharedOut(t *testing.T) {
	t.Parallel()
	s := &shell{t: t, dir: t.TempDir(), url: "sqlite:x.db"}
	s.publish()
	secret := strings.TrimSpace(s.ok(args("key create till")))
	srv := s.startBy([]string{"sh", "-c", `ulimit -n 64; exec "$@"`, "sh"}, "An API key", "serve", "--log-format", "json")
	var open []net.Conn
	for range 100 { // they say nothing, and hold what they got until the server gives them up
		c, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(srv.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, c)
	}
	for _, c := range open[:80] {
		c.Close()
	}
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 10 {
				if status, body := srv.get("/v1/members", secret); status != 200 {
					t.Errorf("%d %s", status, body)
				}
			}
		})
	}
	wait.Wait()
	for _, c := range open[80:] {
		c.Close()
	}
	srv.stop()
	if log := srv.errs.String(); !strings.Contains(log, `"files":64`) || strings.Contains(log, "too many open files") {
		t.Errorf("%s", log)
	}
}

// The lines of a start and a stop say which program it was and how it was set.
func TestTheLogTellsOfStartAndStop(t *testing.T) {
	t.Parallel()
	s := &shell{t: t, dir: t.TempDir(), url: "sqlite:x.db"}
	dir, err := os.MkdirTemp("", "lojal") //nolint:usetesting // a socket's name is short, and that of the test's folder is not
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	supervisor, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer supervisor.Close()
	told := func() string {
		buf := make([]byte, 100)
		n, err := supervisor.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		return string(buf[:n])
	}
	srv := s.with("LOJAL_SLOW_AFTER=2s", "NOTIFY_SOCKET="+supervisor.LocalAddr().String()).start("There is no program yet", "serve", "--log-format", "json")
	if got := told(); got != "READY=1" {
		t.Errorf("the supervisor was told %q", got)
	}
	srv.stop()
	if got := told(); got != "STOPPING=1" {
		t.Errorf("the supervisor was told %q", got)
	}
	found := map[string]map[string]any{}
	for lines := bufio.NewScanner(bytes.NewReader(srv.errs.Bytes())); lines.Scan(); {
		var line map[string]any
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatalf("%v: %s", err, lines.Text())
		}
		found[line["msg"].(string)] = line
	}
	for _, msg := range []string{"starting", "stopping", "stopped"} {
		if found[msg]["version"] != "v0-test" {
			t.Errorf("%s: %v", msg, found[msg])
		}
	}
	if settings, _ := found["starting"]["settings"].(string); !strings.Contains(settings, "--slow-after=2s") || strings.Contains(settings, "--drain") {
		t.Errorf("settings: %v", settings)
	}
	if found["ready"]["database"] != "sqlite" {
		t.Errorf("%v", found["ready"])
	}
}
