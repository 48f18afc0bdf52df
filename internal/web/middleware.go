package web

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"lojal.dev/lojal/internal/errs"
)

// Outside is what Wrap works with.
type Outside struct {
	Log *slog.Logger
	// Now is the clock for ids and the log.
	Now func() time.Time
	// Meters count the requests; nil counts none.
	Meters *Meters
}

// Wrap puts round a mux what every door has: request id, access log, meters, security headers, recovered panics, and problem
// documents for paths and methods that do not exist.
func Wrap(mux *http.ServeMux, o Outside) http.Handler {
	log := o.Log
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now() // a duration, not a business time
		s := &scope{id: requestID(r.Header.Get("X-Request-Id"), o.Now())}
		o.Meters.begin()
		r = r.WithContext(context.WithValue(r.Context(), scopeKey{}, s))
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
			if p := recover(); p != nil {
				if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
					o.Meters.end(s.route, rec.status, time.Since(began))
					panic(p)
				}
				log.ErrorContext(r.Context(), "panic", "request_id", s.id, "panic", p, "stack", string(debug.Stack()))
				if rec.status == 0 {
					Fail(rec, r, errs.Internal("panic", "panic"))
				}
			}
			took := time.Since(began)
			o.Meters.end(s.route, rec.status, took)
			level := slog.LevelInfo
			if rec.status >= 500 {
				level = slog.LevelError
			}
			// The route and not the path: paths hold phone numbers and e-mail addresses.
			log.LogAttrs(r.Context(), level, "request", slog.String("request_id", s.id), slog.String("method", r.Method),
				slog.String("route", s.route), slog.Int("status", rec.status), slog.Int64("bytes", rec.bytes),
				slog.Duration("took", took), slog.String("actor", s.actor), slog.String("ip", ClientIP(r)))
		}()
		serve(mux, rec, r, s)
	})
}

func serve(mux *http.ServeMux, w http.ResponseWriter, r *http.Request, s *scope) {
	if !clean(r.URL.EscapedPath()) { // the mux would answer with a redirect in HTML
		Fail(w, r, NotFound())
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
	Fail(w, r, NotFound())
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
