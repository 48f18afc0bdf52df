package web

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/trace"
)

// Outside is what Wrap works with. Log and Now are required; the rest is off when zero.
type Outside struct {
	Log *slog.Logger
	// Now is the clock for ids and the log.
	Now func() time.Time
	// Meters count the requests.
	Meters *Meters
	// Tracer makes a span of each request.
	Tracer *trace.Tracer
	// Proxies are trusted for where a request came from.
	Proxies *Proxies
	// LogEvery logs one of so many requests that went well and fast, none when 0. What failed or took Slow is always logged.
	LogEvery int64
	Slow     time.Duration
	// Most bounds the requests that are answered at once. Who comes when there are so many is told to wait; only questions of
	// health are always answered.
	Most int64
}

// Wrap puts round a mux what every door has: request id, access log, meters, traces, security headers, recovered panics, and
// problem documents for paths and methods that do not exist.
func Wrap(mux *http.ServeMux, o Outside) http.Handler {
	var inFlight, fine atomic.Int64
	var loud quota
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now() // a duration, not a business time
		s := &scope{id: requestID(r.Header.Get("X-Request-Id"), o.Now()), ip: o.Proxies.client(r)}
		o.Meters.begin()
		ctx, span, traceID, spanID := o.Tracer.Request(r.Context(), r.Header)
		s.trace, s.span = traceID, spanID
		r = r.WithContext(context.WithValue(ctx, scopeKey{}, s))
		rec := &recorder{ResponseWriter: w}
		h := rec.Header()
		h.Set("X-Request-Id", s.id)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		if r.TLS != nil {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		defer func() {
			inFlight.Add(-1)
			if p := recover(); p != nil {
				if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
					o.Meters.end(s.route, rec.status, time.Since(began))
					span.End()
					panic(p)
				}
				o.Log.ErrorContext(r.Context(), "panic", "panic", p, "stack", string(debug.Stack()))
				if rec.status == 0 {
					Fail(rec, r, errs.Internal("panic", "panic"))
				}
			}
			took := time.Since(began)
			o.Meters.end(s.route, rec.status, took)
			endSpan(span, r, rec, s)
			if level, ok := o.worth(r, s, rec.status, took, &fine); ok {
				write := true
				var hidden int64
				if level == slog.LevelError {
					write, hidden = loud.may(began)
				}
				if write {
					o.line(r, s, rec, took, level, hidden)
				}
			}
		}()
		if inFlight.Add(1) > o.Most && o.Most > 0 && !isHealth(r.URL.Path) {
			o.Meters.turnAway()
			Fail(rec, r, Overloaded())
			return
		}
		serve(mux, rec, r, s)
	})
}

// line writes a request's line of the log.
func (o *Outside) line(r *http.Request, s *scope, rec *recorder, took time.Duration, level slog.Level, hidden int64) {
	// The route and not the path: paths hold phone numbers and e-mail addresses.
	attrs := make([]slog.Attr, 0, 10)
	attrs = append(attrs, slog.String("request_id", s.id), slog.String("method", method(r)), slog.String("route", s.route), slog.Int("status", rec.status),
		slog.Int64("bytes", rec.bytes), slog.Duration("took", took), slog.String("actor", s.actor), slog.String("ip", s.ip))
	if s.failure != nil {
		attrs = append(attrs, slog.Any("error", s.failure))
	}
	if hidden > 0 {
		attrs = append(attrs, slog.Int64("not_logged", hidden))
	}
	o.Log.LogAttrs(r.Context(), level, "request", attrs...)
}

// quota lets so many lines of failures through in a second: when a database is away, all fail for one reason.
type quota struct {
	second, lines, hidden atomic.Int64
}

const failuresASecond = 20

// may says whether a line may be written, and how many were not since the last one.
func (q *quota) may(now time.Time) (ok bool, hidden int64) {
	if second := now.Unix(); q.second.Swap(second) != second {
		q.lines.Store(0)
	}
	if q.lines.Add(1) > failuresASecond {
		q.hidden.Add(1)
		return false, 0
	}
	return true, q.hidden.Swap(0)
}

// Overloaded tells a caller that there is more to do than can be done. Nothing of the request was done.
func Overloaded() *errs.Error {
	return errs.Unavailable("overloaded", "There is more to do than can be done at once; nothing of this request was done. Repeat it under the same key after the wait of Retry-After.")
}

func isHealth(path string) bool { return path == "/healthz" || path == "/readyz" }

// worth says whether a request is worth a line of the log, and of which level.
func (o *Outside) worth(r *http.Request, s *scope, status int, took time.Duration, fine *atomic.Int64) (slog.Level, bool) {
	switch {
	case isHealth(r.URL.Path):
		return slog.LevelDebug, true
	case status >= 500 && errors.Is(s.failure, context.Canceled): // the client left
	case status >= 500:
		return slog.LevelError, true
	case o.Slow > 0 && took >= o.Slow && !s.waits:
		return slog.LevelWarn, true
	}
	return slog.LevelInfo, o.LogEvery > 0 && fine.Add(1)%o.LogEvery == 0
}

func endSpan(span trace.Span, r *http.Request, rec *recorder, s *scope) {
	if !span.Kept() {
		span.End()
		return
	}
	if s.route != "" {
		_, path, _ := strings.Cut(s.route, " ")
		span.Name(s.route)
		span.String("http.route", path)
	}
	span.String("http.request.method", method(r))
	span.String("lojal.request_id", s.id)
	span.Int("http.response.status_code", rec.status)
	if rec.status >= 500 {
		span.Fail(strconv.Itoa(rec.status))
	}
	span.End()
}

func serve(mux *http.ServeMux, w http.ResponseWriter, r *http.Request, s *scope) {
	if !clean(r.URL.EscapedPath()) { // the mux would answer with a redirect in HTML
		Fail(w, r, errs.NotFound("not_found", "There is nothing here by that name."))
		return
	}
	h, pattern := mux.Handler(r)
	if pattern != "" {
		s.route = pattern
		mux.ServeHTTP(w, r)
		return
	}
	// The mux's own answers are plain text: see which one it would be, and give it as a problem.
	var probe recorder
	probe.ResponseWriter = discard{http.Header{}}
	h.ServeHTTP(&probe, r)
	if allow := probe.Header().Get("Allow"); allow != "" {
		w.Header().Set("Allow", allow)
		Fail(w, r, errs.Malformed("method_not_allowed", "This path does not have the method "+method(r)+". It has "+allow+"."))
		return
	}
	Fail(w, r, errs.NotFound("not_found", "There is no such path. The API reference lists those that there are."))
}

func method(r *http.Request) string {
	if len(r.Method) > 20 {
		return "given"
	}
	return r.Method
}

// clean says whether the path has neither empty nor dot segments.
func clean(path string) bool {
	if path == "" || path[0] != '/' {
		return false
	}
	for seg := range strings.SplitSeq(path[1:], "/") {
		if seg == "." || seg == ".." || (seg == "" && path != "/") {
			return false
		}
	}
	return true
}

// recorder remembers what was answered.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(b)
	r.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

type discard struct{ h http.Header }

func (d discard) Header() http.Header         { return d.h }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}
