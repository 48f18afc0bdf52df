// Package logs makes the program's log: lines of text for people or of JSON for collectors, on slog.
//
// It owns what a line may hold. What always holds: a line is one line, whatever was put into it; no API key, secret, password,
// e-mail address or phone number that stands in a text leaves it readable, since texts of errors come from databases and
// other programs and may quote what they were given. Callers still do not put them there: names and addresses of streets
// cannot be told from other words.
package logs

import (
	"context"
	"io"
	"log/slog"
	"time"
)

// Options of New; the zero value writes text from level info on.
type Options struct {
	JSON  bool
	Level slog.Level
	// About gives what a line's context is about, such as the request; what the line says itself comes first.
	About func(context.Context) []slog.Attr
}

// New makes a logger that writes to w.
func New(w io.Writer, o Options) *slog.Logger {
	opts := &slog.HandlerOptions{Level: o.Level}
	var inner slog.Handler = slog.NewTextHandler(w, opts)
	if o.JSON {
		inner = slog.NewJSONHandler(w, opts)
	}
	return slog.New(&handler{inner, o.About, o.JSON})
}

type handler struct {
	inner slog.Handler
	about func(context.Context) []slog.Attr
	json  bool
}

func (h *handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.inner.Enabled(ctx, level)
}

func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	out := slog.NewRecord(r.Time, r.Level, Redact(r.Message), r.PC)
	has := ""
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "request_id" {
			has = a.Key
		}
		out.AddAttrs(h.clean(a))
		return true
	})
	if h.about != nil {
		for _, a := range h.about(ctx) {
			if a.Key != has {
				out.AddAttrs(h.clean(a))
			}
		}
	}
	return h.inner.Handle(ctx, out)
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	cleaned := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		cleaned[i] = h.clean(a)
	}
	return &handler{h.inner.WithAttrs(cleaned), h.about, h.json}
}

func (h *handler) WithGroup(name string) slog.Handler {
	return &handler{h.inner.WithGroup(name), h.about, h.json}
}

// known are values that were looked at where they came in, and are worth nothing when they are not whole.
var known = map[string]bool{"request_id": true, "trace_id": true, "span_id": true, "route": true, "method": true, "ip": true, "actor": true, "version": true}

func (h *handler) clean(a slog.Attr) slog.Attr {
	v := a.Value.Resolve()
	switch v.Kind() {
	case slog.KindString:
		if !known[a.Key] {
			a.Value = slog.StringValue(Redact(v.String()))
		}
	case slog.KindDuration:
		if h.json { // a number without its unit says nothing
			return slog.Float64(a.Key+"_ms", float64(v.Duration())/float64(time.Millisecond))
		}
	case slog.KindGroup:
		group := make([]slog.Attr, len(v.Group()))
		for i, inner := range v.Group() {
			group[i] = h.clean(inner)
		}
		a.Value = slog.GroupValue(group...)
	case slog.KindAny:
		switch x := v.Any().(type) {
		case error:
			a.Value = slog.StringValue(Redact(x.Error()))
		case string:
			a.Value = slog.StringValue(Redact(x))
		default:
			a.Value = slog.StringValue(Redact(text(x)))
		}
	}
	return a
}
