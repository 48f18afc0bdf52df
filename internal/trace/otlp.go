package trace

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	otel "go.opentelemetry.io/otel/trace"

	"lojal.dev/lojal/internal/errs"
)

// Collector is where spans go.
type Collector struct {
	// URL is the whole address, with /v1/traces.
	URL     string
	Headers http.Header
	Timeout time.Duration
	Gzip    bool
	// CA is a file of certificates to trust besides the system's, "" for none.
	CA string
}

// FromEnv reads the variables of the OpenTelemetry specification: OTEL_EXPORTER_OTLP_ENDPOINT, _HEADERS, _TIMEOUT, _COMPRESSION,
// _CERTIFICATE and _PROTOCOL, each also with TRACES_ before its last word, and OTEL_SDK_DISABLED. It gives nil when no collector is named.
func FromEnv(getenv func(string) string) (*Collector, error) {
	get := func(name string) string {
		if v := getenv("OTEL_EXPORTER_OTLP_TRACES_" + name); v != "" {
			return v
		}
		return getenv("OTEL_EXPORTER_OTLP_" + name)
	}
	address := getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
	if base := getenv("OTEL_EXPORTER_OTLP_ENDPOINT"); address == "" && base != "" {
		address = strings.TrimSuffix(base, "/") + "/v1/traces"
	}
	if address == "" || strings.EqualFold(getenv("OTEL_SDK_DISABLED"), "true") || getenv("OTEL_TRACES_EXPORTER") == "none" {
		return nil, nil //nolint:nilnil // no collector is what was asked for
	}
	bad := func(name, message string) error {
		return errs.Invalid("trace_settings", fmt.Sprintf("OTEL_EXPORTER_OTLP_%s: %s", name, message))
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, bad("ENDPOINT", "this is not the address of a collector: write http://HOST:4318 or https://HOST.")
	}
	if p := get("PROTOCOL"); p == "grpc" {
		return nil, bad("PROTOCOL", "lojal speaks OTLP over HTTP, with JSON: name the collector's HTTP port, mostly 4318, and leave this out.")
	}
	c := &Collector{URL: address, Headers: http.Header{}, Timeout: 10 * time.Second, Gzip: get("COMPRESSION") == "gzip", CA: get("CERTIFICATE")}
	if text := get("TIMEOUT"); text != "" {
		ms, err := strconv.Atoi(text)
		if err != nil || ms <= 0 {
			return nil, bad("TIMEOUT", "this is not a number of milliseconds.")
		}
		c.Timeout = time.Duration(ms) * time.Millisecond
	}
	for part := range strings.SplitSeq(get("HEADERS"), ",") {
		name, value, ok := strings.Cut(part, "=")
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if strings.TrimSpace(part) == "" {
			continue
		}
		if !ok || err != nil {
			return nil, bad("HEADERS", "write name=value, separated by commas.")
		}
		c.Headers.Set(strings.TrimSpace(name), value)
	}
	return c, nil
}

// Exporter sends spans as OTLP/JSON over HTTP: https://opentelemetry.io/docs/specs/otlp/#otlphttp.
//
// The project's own exporter links gRPC and its gateway for the same bytes (decision 0012).
type Exporter struct {
	to     Collector
	client *http.Client
	log    *slog.Logger
	// failing keeps a collector that is away from filling the log.
	failing atomic.Bool
}

// NewExporter makes one.
func NewExporter(to Collector, log *slog.Logger) *Exporter {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if to.CA != "" {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if pem, err := os.ReadFile(to.CA); err != nil || !pool.AppendCertsFromPEM(pem) {
			log.Warn("the collector's certificates cannot be read", "file", to.CA, "error", err)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return &Exporter{to: to, client: &http.Client{Transport: transport}, log: log}
}

// Shutdown is part of sdk.SpanExporter.
func (x *Exporter) Shutdown(context.Context) error {
	x.client.CloseIdleConnections()
	return nil
}

// tries bounds how often a batch is sent to a collector that says it is busy.
const tries = 4

// ExportSpans is part of sdk.SpanExporter. What cannot be sent is lost, and said in the log once until sending works again.
func (x *Exporter) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	body, err := encode(spans)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, x.to.Timeout)
	defer cancel()
	wait := 500 * time.Millisecond
	for n := 1; ; n++ {
		again, after, err := x.post(ctx, body)
		if err == nil {
			if x.failing.CompareAndSwap(true, false) {
				x.log.Info("the collector takes spans again")
			}
			return nil
		}
		if after > 0 {
			wait = after
		}
		if again && n < tries {
			select {
			case <-time.After(wait):
				wait *= 2
				continue
			case <-ctx.Done():
			}
		}
		if x.failing.CompareAndSwap(false, true) {
			x.log.Warn("the collector takes no spans; they are lost until it does", "error", err)
		}
		return nil // told already, and the SDK's own handler would print it once more
	}
}

func (x *Exporter) post(ctx context.Context, body []byte) (again bool, after time.Duration, err error) {
	var b bytes.Buffer
	if x.to.Gzip {
		z := gzip.NewWriter(&b)
		_, _ = z.Write(body) // a buffer takes all
		if err := z.Close(); err != nil {
			return false, 0, err
		}
	} else {
		b.Write(body)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, x.to.URL, &b)
	if err != nil {
		return false, 0, err
	}
	maps.Copy(req.Header, x.to.Headers)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "lojal")
	if x.to.Gzip {
		req.Header.Set("Content-Encoding", "gzip")
	}
	res, err := x.client.Do(req)
	if err != nil {
		return true, 0, err
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // so that the connection can be used again
	switch res.StatusCode {
	case http.StatusOK, http.StatusAccepted:
		return false, 0, nil
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		again = true
		if s, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil {
			after = time.Duration(s) * time.Second
		}
	}
	return again, after, fmt.Errorf("the collector answered %s", res.Status)
}

// The wire form: protobuf's JSON with ids in hexadecimal digits and 64-bit numbers as text.

type wire struct {
	ResourceSpans []wireResource `json:"resourceSpans"`
}

type wireResource struct {
	Resource struct {
		Attributes []wireAttribute `json:"attributes"`
	} `json:"resource"`
	ScopeSpans []wireScope `json:"scopeSpans"`
	SchemaURL  string      `json:"schemaUrl,omitempty"`
}

type wireScope struct {
	Scope struct {
		Name    string `json:"name"`
		Version string `json:"version,omitempty"`
	} `json:"scope"`
	Spans []wireSpan `json:"spans"`
}

type wireSpan struct {
	TraceID      string          `json:"traceId"`
	SpanID       string          `json:"spanId"`
	TraceState   string          `json:"traceState,omitempty"`
	ParentSpanID string          `json:"parentSpanId,omitempty"`
	Flags        uint32          `json:"flags"`
	Name         string          `json:"name"`
	Kind         int             `json:"kind"`
	Start        string          `json:"startTimeUnixNano"`
	End          string          `json:"endTimeUnixNano"`
	Attributes   []wireAttribute `json:"attributes,omitempty"`
	Status       wireStatus      `json:"status"`
}

type wireStatus struct {
	Message string `json:"message,omitempty"`
	Code    int    `json:"code,omitempty"`
}

type wireAttribute struct {
	Key   string         `json:"key"`
	Value map[string]any `json:"value"`
}

// encode writes the spans, which all have one resource and one scope each.
func encode(spans []sdk.ReadOnlySpan) ([]byte, error) {
	var out wire
	at := map[string]int{} // the place of a scope
	for _, s := range spans {
		if len(out.ResourceSpans) == 0 {
			r := wireResource{SchemaURL: s.Resource().SchemaURL()}
			r.Resource.Attributes = attributes(s.Resource().Attributes())
			out.ResourceSpans = append(out.ResourceSpans, r)
		}
		r := &out.ResourceSpans[0]
		in := s.InstrumentationScope()
		i, ok := at[in.Name]
		if !ok {
			i = len(r.ScopeSpans)
			at[in.Name] = i
			one := wireScope{}
			one.Scope.Name, one.Scope.Version = in.Name, in.Version
			r.ScopeSpans = append(r.ScopeSpans, one)
		}
		r.ScopeSpans[i].Spans = append(r.ScopeSpans[i].Spans, spanOf(s))
	}
	return json.Marshal(out)
}

// The flags of a span say, from bit 8 on, whether it is known that the parent is elsewhere, and that it is.
const (
	parentKnown  = 0x100
	parentRemote = 0x200
)

func spanOf(s sdk.ReadOnlySpan) wireSpan {
	is, parent := s.SpanContext(), s.Parent()
	trace, span := is.TraceID(), is.SpanID()
	out := wireSpan{
		TraceID: hex.EncodeToString(trace[:]), SpanID: hex.EncodeToString(span[:]), TraceState: is.TraceState().String(), Name: s.Name(), Kind: kindOf(s.SpanKind()),
		Start: strconv.FormatInt(s.StartTime().UnixNano(), 10), End: strconv.FormatInt(s.EndTime().UnixNano(), 10),
		Attributes: attributes(s.Attributes()), Flags: uint32(is.TraceFlags()) | parentKnown,
	}
	if parent.IsRemote() {
		out.Flags |= parentRemote
	}
	if parent.HasSpanID() {
		id := parent.SpanID()
		out.ParentSpanID = hex.EncodeToString(id[:])
	}
	switch s.Status().Code {
	case codes.Ok:
		out.Status.Code = 1
	case codes.Error:
		out.Status.Code, out.Status.Message = 2, s.Status().Description
	}
	return out
}

func kindOf(k otel.SpanKind) int {
	switch k {
	case otel.SpanKindServer:
		return 2
	case otel.SpanKindClient:
		return 3
	case otel.SpanKindProducer:
		return 4
	case otel.SpanKindConsumer:
		return 5
	}
	return 1
}

func attributes(list []attribute.KeyValue) []wireAttribute {
	out := make([]wireAttribute, 0, len(list))
	for _, a := range list {
		v := map[string]any{}
		switch a.Value.Type() {
		case attribute.BOOL:
			v["boolValue"] = a.Value.AsBool()
		case attribute.INT64:
			v["intValue"] = strconv.FormatInt(a.Value.AsInt64(), 10)
		case attribute.FLOAT64:
			v["doubleValue"] = a.Value.AsFloat64()
		default:
			v["stringValue"] = a.Value.String()
		}
		out = append(out, wireAttribute{string(a.Key), v})
	}
	return out
}
