// Package web holds what every HTTP door needs and no loyalty program: problem documents, strict JSON, binding of
// requests to structs, request ids, rate limits, cursors, entity tags, access log.
//
// It owns how a failure looks on the wire and what a well-formed request is. It knows no route and no word of loyalty.
// What always holds: every answer with a status of 400 or more is application/problem+json with the request's id, also
// for panics and for paths that do not exist; no message of an internal error leaves the process.
package web

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
)

// scope is what one request carries through its handlers. It is one value behind one context key, filled as the
// request goes inward, so that the access log, outermost, can tell what became known inside.
type scope struct {
	id    string
	actor string
	route string
	ip    string
	// trace and span are hexadecimal digits, "" where nothing is traced.
	trace, span string
	// waits says that the answer was held back because the caller wanted so.
	waits bool
	// failure is why the request failed, where that is for the log alone.
	failure error
	// says puts a refusal into the caller's language; nil leaves it as it is.
	says func(*errs.Error) *errs.Error
}

type scopeKey struct{}

func scopeOf(ctx context.Context) *scope {
	if s, ok := ctx.Value(scopeKey{}).(*scope); ok {
		return s
	}
	return &scope{}
}

// RequestID gives the id of the request that ctx belongs to, "" outside of one.
func RequestID(ctx context.Context) string { return scopeOf(ctx).id }

// About gives what a line of the log says of the request that ctx belongs to.
func About(ctx context.Context) []slog.Attr {
	s, ok := ctx.Value(scopeKey{}).(*scope)
	switch {
	case !ok:
		return nil
	case s.trace == "":
		return []slog.Attr{slog.String("request_id", s.id)}
	}
	return []slog.Attr{slog.String("request_id", s.id), slog.String("trace_id", s.trace), slog.String("span_id", s.span)}
}

// Waits notes that the answer is held back because the caller wants so, which is no reason to warn of a slow one.
func Waits(ctx context.Context) { scopeOf(ctx).waits = true }

// SetActor notes who asks, for the access log.
func SetActor(ctx context.Context, actor string) { scopeOf(ctx).actor = actor }

// requestID takes the caller's id when it is harmless in logs and headers, else makes one.
func requestID(given string, now time.Time) string {
	if len(given) >= 1 && len(given) <= 128 {
		ok := true
		for i := range len(given) {
			c := given[i]
			if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.' || c == ':') {
				ok = false
				break
			}
		}
		if ok {
			return given
		}
	}
	return ids.New("req", now)
}

// maxAgent is the most bytes that are kept of what a browser says of itself.
const maxAgent = 200

// Agent is what the browser of a request says of itself, as it can be kept and shown: it may say anything.
func Agent(r *http.Request) string {
	s := strings.Map(func(r rune) rune {
		if r < ' ' {
			return -1
		}
		return r
	}, strings.ToValidUTF8(r.UserAgent(), ""))
	for len(s) > maxAgent {
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	return s
}

// ClientIP is the address that the request of ctx came from, without the port.
func ClientIP(ctx context.Context) string { return scopeOf(ctx).ip }
