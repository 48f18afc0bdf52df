// Package trace tells a collector of OpenTelemetry where the time of a request went.
//
// It owns when spans are made and how they leave the process. It does not own what a span is called: that is said where the work
// is done. What always holds: without a collector's address nothing is made and nothing sent; a span holds no member, no key and no
// content of a request; a collector that is slow or away costs spans and nothing else.
package trace

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	api "go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	otel "go.opentelemetry.io/otel/trace"
)

// Tracer makes the spans with which a piece of work begins. A nil Tracer makes none.
type Tracer struct {
	tracer   otel.Tracer
	provider *sdk.TracerProvider
}

const scope = "lojal.dev/lojal"

// New makes a tracer as the environment says (see [FromEnv]), nil when it names no collector. Close it when the last span has
// ended. The SDK reads further variables itself: OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, OTEL_TRACES_SAMPLER and
// OTEL_TRACES_SAMPLER_ARG, OTEL_BSP_*.
func New(ctx context.Context, getenv func(string) string, version string, log *slog.Logger) (*Tracer, error) {
	to, err := FromEnv(getenv)
	if err != nil || to == nil {
		return nil, err
	}
	about, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", "lojal"), attribute.String("service.version", version)),
		resource.WithTelemetrySDK(), resource.WithHost(), resource.WithFromEnv())
	if err != nil && !errors.Is(err, resource.ErrPartialResource) && !errors.Is(err, resource.ErrSchemaURLConflict) {
		return nil, fmt.Errorf("say what is traced: %w", err)
	}
	api.SetErrorHandler(api.ErrorHandlerFunc(func(err error) { log.Warn("tracing", "error", err) })) // the SDK's is the process's standard error
	provider := sdk.NewTracerProvider(sdk.WithBatcher(NewExporter(*to, log)), sdk.WithResource(about))
	return &Tracer{provider.Tracer(scope, otel.WithInstrumentationVersion(version)), provider}, nil
}

// Close sends what is left.
func (t *Tracer) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}

// Span is a piece of work under way. The zero value is none.
type Span struct{ span otel.Span }

// Start begins a span below the one in ctx, or a new trace.
func (t *Tracer) Start(ctx context.Context, name string) (context.Context, Span) {
	if t == nil {
		return ctx, Span{}
	}
	ctx, span := t.tracer.Start(ctx, name)
	return ctx, Span{span}
}

// Request begins the span of a request: below the caller's, where its traceparent names one. ids are the trace and the span in
// hexadecimal digits, for the log.
func (t *Tracer) Request(ctx context.Context, h http.Header) (_ context.Context, s Span, traceID, spanID string) {
	if t == nil {
		return ctx, Span{}, "", ""
	}
	ctx = propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(h))
	ctx, span := t.tracer.Start(ctx, "request", otel.WithSpanKind(otel.SpanKindServer))
	is := span.SpanContext()
	return ctx, Span{span}, is.TraceID().String(), is.SpanID().String()
}

// Child begins a span below the one in ctx, if that one is kept.
func Child(ctx context.Context, name string) (context.Context, Span) {
	parent := otel.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return ctx, Span{}
	}
	ctx, span := parent.TracerProvider().Tracer(scope).Start(ctx, name)
	return ctx, Span{span}
}

// Past makes a span of something that is over, below the one in ctx, if that one is kept.
func Past(ctx context.Context, name string, began, ended time.Time, attrs ...attribute.KeyValue) {
	parent := otel.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return
	}
	_, span := parent.TracerProvider().Tracer(scope).Start(ctx, name, otel.WithTimestamp(began), otel.WithAttributes(attrs...))
	span.End(otel.WithTimestamp(ended))
}

// Kept says whether anybody will see the span: what costs to find out is asked for only then.
func (s Span) Kept() bool { return s.span != nil && s.span.IsRecording() }

// Name gives the span another name, once it is known what it is.
func (s Span) Name(name string) {
	if s.span != nil {
		s.span.SetName(name)
	}
}

// Int notes a number.
func (s Span) Int(key string, n int) {
	if s.span != nil {
		s.span.SetAttributes(attribute.Int(key, n))
	}
}

// String notes a word.
func (s Span) String(key, text string) {
	if s.span != nil {
		s.span.SetAttributes(attribute.String(key, text))
	}
}

// Fail marks the span as failed, with a reason that is no sentence: those quote what they were given.
func (s Span) Fail(reason string) {
	if s.span != nil {
		s.span.SetStatus(codes.Error, reason)
	}
}

// End ends the span.
func (s Span) End() {
	if s.span != nil {
		s.span.End()
	}
}
