package trace_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"

	"lojal.dev/lojal/internal/trace"
)

// collector is an OTLP receiver that keeps what it is sent.
type collector struct {
	*httptest.Server
	mu      sync.Mutex
	answers []int // before it says 200
	head    http.Header
	bodies  []request
	asked   int
}

// The receiver's own reading of https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding.
type request struct {
	ResourceSpans []struct {
		Resource struct {
			Attributes []attributeIn `json:"attributes"`
		} `json:"resource"`
		ScopeSpans []struct {
			Spans []spanIn `json:"spans"`
		} `json:"scopeSpans"`
	} `json:"resourceSpans"`
}

type spanIn struct {
	TraceID      string        `json:"traceId"`
	SpanID       string        `json:"spanId"`
	ParentSpanID string        `json:"parentSpanId"`
	Name         string        `json:"name"`
	Flags        uint32        `json:"flags"`
	Kind         int           `json:"kind"`
	Start        string        `json:"startTimeUnixNano"`
	End          string        `json:"endTimeUnixNano"`
	Attributes   []attributeIn `json:"attributes"`
	Status       struct {
		Code int `json:"code"`
	} `json:"status"`
}

type attributeIn struct {
	Key   string         `json:"key"`
	Value map[string]any `json:"value"`
}

func newCollector(t *testing.T, start func(http.Handler) *httptest.Server, answers ...int) *collector {
	t.Helper()
	c := &collector{answers: answers}
	c.Server = start(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.asked++
		if len(c.answers) > 0 {
			w.WriteHeader(c.answers[0])
			c.answers = c.answers[1:]
			return
		}
		body := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			z, err := gzip.NewReader(r.Body)
			if err != nil {
				t.Error(err)
				return
			}
			body = z
		}
		var in request
		if err := json.NewDecoder(body).Decode(&in); err != nil || r.URL.Path != "/v1/traces" || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s %s: %v", r.Method, r.URL, r.Header.Get("Content-Type"), err)
		}
		c.head, c.bodies = r.Header, append(c.bodies, in)
	}))
	t.Cleanup(c.Close)
	return c
}

// spans are all that came, by name.
func (c *collector) spans() map[string]spanIn {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[string]spanIn{}
	for _, b := range c.bodies {
		for _, r := range b.ResourceSpans {
			for _, s := range r.ScopeSpans {
				for _, one := range s.Spans {
					out[one.Name] = one
				}
			}
		}
	}
	return out
}

func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func start(t *testing.T, log io.Writer, pairs ...string) *trace.Tracer {
	t.Helper()
	tracer, err := trace.New(t.Context(), env(pairs...), "v1", slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return tracer
}

func stop(t *testing.T, tracer *trace.Tracer) {
	t.Helper()
	if err := tracer.Close(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
}

func TestTheSpansOfARequestReachTheCollector(t *testing.T) {
	t.Parallel()
	c := newCollector(t, httptest.NewServer)
	tracer := start(t, io.Discard, "OTEL_EXPORTER_OTLP_ENDPOINT", c.URL+"/", "OTEL_EXPORTER_OTLP_HEADERS", "x-token=a%20b, y=z", "OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
	head := http.Header{"Traceparent": {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}}
	ctx, span, traceID, spanID := tracer.Request(t.Context(), head)
	if traceID != "0af7651916cd43dd8448eb211c80319c" || len(spanID) != 16 {
		t.Errorf("%s %s", traceID, spanID)
	}
	inner, child := trace.Child(ctx, "transaction")
	child.Int("attempts", 2)
	child.Fail("unavailable")
	began := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	trace.Past(inner, "wait", began, began.Add(time.Second), attribute.Bool("b", true), attribute.Float64("f", 1.5), attribute.StringSlice("l", []string{"x"}))
	child.End()
	trace.Past(inner, "late", began, began) // nobody will see what is below a span that was sent
	span.Name("POST /v1/purchases")
	span.String("http.route", "/v1/purchases")
	span.End()
	stop(t, tracer)

	got := c.spans()
	request, transaction, wait := got["POST /v1/purchases"], got["transaction"], got["wait"]
	if request.TraceID != traceID || request.SpanID != spanID || request.ParentSpanID != "b7ad6b7169203331" || request.Kind != 2 || request.Flags != 0x301 {
		t.Errorf("the request: %+v", request)
	}
	if transaction.TraceID != traceID || transaction.ParentSpanID != request.SpanID || transaction.Kind != 1 || transaction.Flags != 0x101 || transaction.Status.Code != 2 {
		t.Errorf("the transaction: %+v", transaction)
	}
	if _, ok := got["late"]; ok {
		t.Error("a span below one that had ended")
	}
	want := spanIn{
		TraceID: traceID, SpanID: wait.SpanID, ParentSpanID: wait.ParentSpanID, Name: "wait", Flags: 0x101, Kind: 1,
		Start: "1795348800000000000", End: "1795348801000000000",
		Attributes: []attributeIn{{"b", map[string]any{"boolValue": true}}, {"f", map[string]any{"doubleValue": 1.5}}, {"l", map[string]any{"stringValue": `["x"]`}}},
	}
	if d := cmp.Diff(want, wait); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]attributeIn{{"attempts", map[string]any{"intValue": "2"}}}, transaction.Attributes); d != "" {
		t.Error(d)
	}
	if c.head.Get("X-Token") != "a b" || c.head.Get("Y") != "z" {
		t.Errorf("%v", c.head)
	}
	about := map[string]any{}
	for _, a := range c.bodies[0].ResourceSpans[0].Resource.Attributes {
		about[a.Key] = a.Value["stringValue"]
	}
	if about["service.name"] != "lojal" || about["service.version"] != "v1" {
		t.Errorf("%v", about)
	}
}

func TestWithoutACollectorNothingIsMade(t *testing.T) {
	t.Parallel()
	for _, pairs := range [][]string{{}, {"OTEL_EXPORTER_OTLP_ENDPOINT", "http://x", "OTEL_SDK_DISABLED", "TRUE"}, {"OTEL_EXPORTER_OTLP_ENDPOINT", "http://x", "OTEL_TRACES_EXPORTER", "none"}} {
		tracer := start(t, io.Discard, pairs...)
		if tracer != nil {
			t.Fatalf("%v: a tracer", pairs)
		}
		ctx, span, traceID, _ := tracer.Request(t.Context(), http.Header{"Traceparent": {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}})
		if ctx != t.Context() || span.Kept() || traceID != "" {
			t.Error("a span of a request")
		}
		if ctx, span := trace.Child(t.Context(), "x"); ctx != t.Context() || span.Kept() {
			t.Error("a span of a part")
		}
		stop(t, tracer)
	}
}

func TestNothingIsPaidWhenNothingIsTraced(t *testing.T) { //nolint:paralleltest // AllocsPerRun counts those of all tests
	var tracer *trace.Tracer
	n := testing.AllocsPerRun(100, func() {
		ctx, s, _, _ := tracer.Request(t.Context(), nil)
		_, c := trace.Child(ctx, "x")
		trace.Past(ctx, "y", time.Time{}, time.Time{})
		c.Int("n", 1)
		c.End()
		s.End()
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestACollectorThatIsBusyIsAskedAgain(t *testing.T) {
	t.Parallel()
	c := newCollector(t, httptest.NewServer, http.StatusServiceUnavailable)
	tracer := start(t, io.Discard, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", c.URL+"/v1/traces")
	_, span := tracer.Start(t.Context(), "job sweep")
	span.End()
	stop(t, tracer)
	if got := c.spans(); got["job sweep"].Name == "" || c.asked != 2 {
		t.Errorf("%v after %d", got, c.asked)
	}
}

func TestACollectorThatIsAwayCostsSpansAndOneLine(t *testing.T) {
	t.Parallel()
	c := newCollector(t, httptest.NewServer, http.StatusBadRequest, http.StatusBadRequest)
	var log bytes.Buffer
	x := trace.NewExporter(trace.Collector{URL: c.URL + "/v1/traces", Timeout: time.Minute}, slog.New(slog.NewTextHandler(&log, nil)))
	for range 3 {
		if err := x.ExportSpans(t.Context(), nil); err != nil {
			t.Error(err)
		}
	}
	text := log.String()
	if strings.Count(text, "takes no spans") != 1 || strings.Count(text, "takes spans again") != 1 || strings.Count(text, "\n") != 2 {
		t.Errorf("%s", text)
	}
	c.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := x.ExportSpans(ctx, nil); err != nil || strings.Count(log.String(), "takes no spans") != 2 {
		t.Errorf("%v %s", err, log.String())
	}
}

func TestACollectorWithACertificateOfItsOwn(t *testing.T) {
	t.Parallel()
	c := newCollector(t, httptest.NewTLSServer)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	tracer := start(t, io.Discard, "OTEL_EXPORTER_OTLP_ENDPOINT", c.URL, "OTEL_EXPORTER_OTLP_CERTIFICATE", ca)
	_, span := tracer.Start(t.Context(), "x")
	span.End()
	stop(t, tracer)
	if got := c.spans(); got["x"].Name == "" {
		t.Errorf("%v", got)
	}
}

func TestWrongSettingsAreToldWithTheirName(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, value, want string }{
		{"OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318", "http://HOST:4318"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT", "grpc://localhost:4317", "http://HOST:4318"},
		{"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "4318"},
		{"OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "10s", "milliseconds"},
		{"OTEL_EXPORTER_OTLP_HEADERS", "token", "name=value"},
		{"OTEL_EXPORTER_OTLP_HEADERS", "token=%zz", "name=value"},
	} {
		_, err := trace.New(t.Context(), env(c.name, c.value, "OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318"), "v1", slog.Default())
		if err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, context.Canceled) {
			t.Errorf("%s=%s: %v", c.name, c.value, err)
		}
	}
}
