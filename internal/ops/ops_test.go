package ops_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"lojal.dev/lojal/internal/api"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/health"
	"lojal.dev/lojal/internal/job"
	"lojal.dev/lojal/internal/key"
	"lojal.dev/lojal/internal/ops"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/sweep"
	"lojal.dev/lojal/internal/version"
)

const shop = `
program: shop
name: {en: Shop}
time_zone: Europe/Oslo
currency: NOK
units:
  point: {name: {en: {one: point, other: points}}, expires: {after: 1 day}}
earn:
  - {id: base, on: purchase, give: {unit: point, amount: 1, per: 1.00}}
`

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// house is a server with both of its doors.
type house struct {
	t        *testing.T
	d        *db.DB
	rec      *record.Recorder
	registry *prometheus.Registry
	health   *health.State
	public   http.Handler
	door     http.Handler
	secret   string
	away     func() // closes the database
	now      time.Time
}

func newHouse(t *testing.T, url string) *house {
	t.Helper()
	h := &house{t: t, registry: ops.NewRegistry(), now: noon}
	var err error
	if h.d, err = db.Open(t.Context(), url, db.Options{Metrics: h.registry}); err != nil {
		t.Fatal(err)
	}
	h.away = sync.OnceFunc(func() {
		if err := h.d.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(h.away)
	doc, err := program.Parse([]byte(shop), "shop.yaml")
	if err != nil {
		t.Fatal(err)
	}
	err = h.d.Write(t.Context(), func(tx *db.Tx) error {
		if _, err := version.Publish(t.Context(), tx, version.PublishInput{Program: "shop", Document: doc, By: "test", Now: noon}); err != nil {
			return err
		}
		_, h.secret, err = key.Create(t.Context(), tx, key.New{Program: "shop", Name: "Till", Scopes: []string{key.Admin}, Now: noon})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	clock := func() time.Time { return h.now }
	log := slog.New(slog.DiscardHandler)
	vs := &version.Cache{}
	h.health = health.New(h.d)
	h.rec = record.NewWith(h.d, vs, record.Options{Metrics: h.registry})
	t.Cleanup(h.rec.Close)
	public := api.New(api.Config{DB: h.d, Recorder: h.rec, Versions: vs, Clock: clock, Health: h.health, Metrics: h.registry})
	t.Cleanup(func() { _ = public.Close(context.Background()) })
	h.public = public
	h.door = ops.New(ops.Config{DB: h.d, Registry: h.registry, Health: h.health, Clock: clock, Logger: log, Build: ops.Build{Version: "v1", Commit: "abc"}})
	return h
}

// sibling is the operator's door of another server on the same database.
func (h *house) sibling() *house {
	s := &house{t: h.t, registry: ops.NewRegistry()}
	clock := func() time.Time { return h.now }
	s.door = ops.New(ops.Config{DB: h.d, Registry: s.registry, Health: h.health, Clock: clock, Logger: slog.New(slog.DiscardHandler)})
	return s
}

func (h *house) post(path, body string) int {
	h.t.Helper()
	req := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body)).WithContext(h.t.Context())
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+h.secret)
	w := httptest.NewRecorder()
	h.public.ServeHTTP(w, req)
	return w.Code
}

func (h *house) get(path string) (int, string) {
	h.t.Helper()
	w := httptest.NewRecorder()
	h.door.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, http.NoBody).WithContext(h.t.Context()))
	body, err := io.ReadAll(w.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return w.Code, string(body)
}

// shows fails the test unless the metrics hold each of the lines.
func (h *house) shows(lines ...string) string {
	h.t.Helper()
	status, text := h.get("/metrics")
	if status != http.StatusOK {
		h.t.Fatalf("%d %s", status, text)
	}
	for _, line := range lines {
		if !strings.Contains(text, "\n"+line+"\n") {
			h.t.Errorf("the metrics do not hold %s", line)
		}
	}
	if h.t.Failed() {
		for line := range strings.SplitSeq(text, "\n") {
			if strings.HasPrefix(line, "lojal_") && !strings.HasSuffix(line, " 0") && !strings.Contains(line, "_bucket") {
				h.t.Log(line)
			}
		}
	}
	return text
}

func TestTheMetricsTellWhatHappened(t *testing.T) {
	t.Parallel()
	dbtest.EachURL(t, func(t *testing.T, url string) {
		h := newHouse(t, url)
		if s := h.post("/v1/members", `{"external_id": "kari@example.no", "email": "kari@example.no", "phone": "+4799887766"}`); s != 201 {
			t.Fatal(s)
		}
		const sale = `{"member": "ext:kari@example.no", "source": "till-7", "external_id": "R-1", "amount": "50.00"}`
		for _, c := range []struct {
			path, body string
			want       int
		}{{"/v1/purchases", sale, 201}, {"/v1/purchases", sale, 200}, {"/v1/purchases", `{"amount": "9.00"}`, 200}, {"/v1/purchases", `{"member": "ext:nobody", "amount": "1.00"}`, 404}, {"/v1/members/ext:kari@example.no/nothing", `{}`, 404}} {
			if s := h.post(c.path, c.body); s != c.want {
				t.Errorf("%s %s: %d, want %d", c.path, c.body, s, c.want)
			}
		}
		text := h.shows(
			`lojal_http_requests_total{method="POST",route="/v1/members",status="2xx"} 1`,
			`lojal_http_requests_total{method="POST",route="/v1/purchases",status="2xx"} 3`,
			`lojal_http_requests_total{method="POST",route="/v1/purchases",status="4xx"} 1`,
			`lojal_http_requests_total{method="any",route="other",status="4xx"} 1`,
			`lojal_http_request_seconds_count{method="POST",route="/v1/purchases"} 4`,
			`lojal_http_requests_in_flight 0`,
			`lojal_facts_total{kind="enrolment",outcome="recorded"} 1`,
			`lojal_facts_total{kind="purchase",outcome="recorded"} 1`,
			`lojal_facts_total{kind="purchase",outcome="duplicate"} 1`,
			`lojal_facts_total{kind="purchase",outcome="guest"} 1`,
			`lojal_facts_total{kind="purchase",outcome="refused"} 1`,
			`lojal_record_batch_size_sum 5`,
			`lojal_record_wait_seconds_count 5`,
			`lojal_record_queue_length 0`,
			`lojal_due_accounts 0`,
			`lojal_due_oldest_seconds 0`,
			`lojal_db_up 1`,
			`lojal_seal_lag_seconds 0`, // the clock stands still
			`lojal_db_unknown_commits_total 0`,
		)
		if !regexp.MustCompile(`\nlojal_build_info\{commit="abc",go="go1\.[^"]+",version="v1"\} 1\n`).MatchString(text) {
			t.Error("no build info")
		}
		for _, size := range regexp.MustCompile(`\nlojal_db_size_bytes (\S+)\n`).FindAllStringSubmatch(text, -1) {
			if size[1] == "0" {
				t.Error("the database has no size")
			}
		}
		// No member, no key, no receipt: what stands in a label stays for ever, and anybody who may see a graph sees it.
		for _, secret := range []string{"kari", "9988", "till-7", "R-1", "mem_", "key_", h.secret} {
			if strings.Contains(text, secret) {
				t.Errorf("the metrics hold %q", secret)
			}
		}
		if n := strings.Count(text, "\n"); n > 1200 {
			t.Errorf("%d lines are too many to read every few seconds", n)
		}
		problems, err := testutil.GatherAndLint(h.registry)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range problems {
			if strings.HasPrefix(p.Metric, "lojal_") {
				t.Errorf("%s: %s", p.Metric, p.Text)
			}
		}
	})
}

func TestTheMetricsTellWhatWaitsAndWhatTheSweepDid(t *testing.T) {
	t.Parallel()
	dbtest.EachURL(t, func(t *testing.T, url string) {
		h := newHouse(t, url)
		for _, id := range []string{"1", "2"} {
			if s := h.post("/v1/members", `{"external_id": "`+id+`"}`); s != 201 {
				t.Fatal(s)
			}
			if s := h.post("/v1/purchases", `{"member": "ext:`+id+`", "amount": "50.00"}`); s != 201 {
				t.Fatal(s)
			}
		}
		h.now = noon.Add(3 * 24 * time.Hour) // the points expired on the evening of the next day or so
		text := h.shows(`lojal_due_accounts 2`, `lojal_seal_lag_seconds 259200`)
		oldest := regexp.MustCompile(`\nlojal_due_oldest_seconds (\S+)\n`).FindStringSubmatch(text)
		if len(oldest) != 2 || oldest[1] == "0" {
			t.Errorf("oldest: %v", oldest)
		}

		ctx, stop := context.WithCancel(t.Context())
		clock := func() time.Time { return h.now }
		jobs := job.NewRunner(job.Options{DB: h.d, Clock: clock})
		sweep.Handle(jobs, h.d, h.rec, clock, time.Hour, slog.New(onMessage{"swept", stop}), sweep.NewMeters(h.registry))
		jobs.Run(ctx)
		h.shows(`lojal_sweep_accounts_total 2`, `lojal_sweep_facts_total 2`, `lojal_facts_total{kind="due",outcome="recorded"} 2`)
		h.sibling().shows(`lojal_due_accounts 0`, `lojal_jobs{kind="sweep",state="scheduled"} 1`)
	})
}

// onMessage calls a function at a line of the log.
type onMessage struct {
	text string
	call func()
}

func (h onMessage) Enabled(context.Context, slog.Level) bool { return true }
func (h onMessage) Handle(_ context.Context, r slog.Record) error {
	if r.Message == h.text {
		h.call()
	}
	return nil
}
func (h onMessage) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h onMessage) WithGroup(string) slog.Handler      { return h }

func TestWithoutADatabaseTheMetricsStillAnswer(t *testing.T) {
	t.Parallel()
	dbtest.EachURL(t, func(t *testing.T, url string) {
		h := newHouse(t, url)
		h.away()
		if text := h.shows(`lojal_db_up 0`); strings.Contains(text, "lojal_due_accounts ") {
			t.Error("what was not asked is told")
		}
		if status, _ := h.get("/healthz"); status != 200 {
			t.Errorf("the process lives: %d", status)
		}
		if status, body := h.get("/readyz"); status != 503 || !strings.Contains(body, "database_unavailable") {
			t.Errorf("%d %s", status, body)
		}
	})
}

func TestTheOperatorsDoorSaysWhetherItIsReady(t *testing.T) {
	t.Parallel()
	h := newHouse(t, dbtest.URL(t, db.SQLite))
	if status, body := h.get("/readyz"); status != 200 || body != "ready, writing ok\n" {
		t.Errorf("%d %s", status, body)
	}
	h.health.Stop()
	if status, body := h.get("/readyz"); status != 503 || !strings.Contains(body, "stopping") {
		t.Errorf("%d %s", status, body)
	}
	if status, body := h.get("/debug/pprof/goroutine?debug=1"); status != 200 || !strings.Contains(body, "goroutine profile") {
		t.Errorf("%d %s", status, body)
	}
}
