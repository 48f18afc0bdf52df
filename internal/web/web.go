// Package web holds what every HTTP door needs and no loyalty program: problem documents, strict JSON, binding of
// requests to structs, request ids, rate limits, cursors, entity tags, access log, a server with time-outs.
//
// It owns how a failure looks on the wire and what a well-formed request is. It knows no route and no word of loyalty.
// What always holds: every answer with a status of 400 or more is application/problem+json with the request's id, also
// for panics and for paths that do not exist; no message of an internal error leaves the process.
package web

import (
	"context"
	"net"
	"net/http"
	"time"

	"lojal.dev/lojal/internal/ids"
)

// Time-outs of a server that faces strangers. WriteTimeout is longer than the longest long poll.
const (
	ReadHeaderTimeout = 5 * time.Second
	ReadTimeout       = 30 * time.Second
	WriteTimeout      = 75 * time.Second
	IdleTimeout       = 120 * time.Second
	MaxHeaderBytes    = 32 << 10
	// ShutdownGrace is how long Serve waits for open requests when it is told to stop.
	ShutdownGrace = 20 * time.Second
)

// NewServer makes a server with time-outs against slow clients.
func NewServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: ReadHeaderTimeout,
		ReadTimeout:       ReadTimeout,
		WriteTimeout:      WriteTimeout,
		IdleTimeout:       IdleTimeout,
		MaxHeaderBytes:    MaxHeaderBytes,
	}
}

type stoppingKey struct{}

// Stopping is closed when the server that ctx's request came to is told to stop. A request that only waits ends then;
// one that works goes on. It is nil, which never closes, for a request that did not come through Serve.
func Stopping(ctx context.Context) <-chan struct{} {
	c, _ := ctx.Value(stoppingKey{}).(<-chan struct{})
	return c
}

// Serve answers on ln until ctx ends; then it lets open requests finish, at most for ShutdownGrace.
func Serve(ctx context.Context, ln net.Listener, h http.Handler) error {
	srv := NewServer(h)
	base := context.WithValue(context.WithoutCancel(ctx), stoppingKey{}, ctx.Done())
	srv.BaseContext = func(net.Listener) context.Context { return base }
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ln) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), ShutdownGrace)
	defer cancel()
	if err := srv.Shutdown(grace); err != nil {
		return srv.Close()
	}
	return nil
}

// scope is what one request carries through its handlers. It is one value behind one context key, filled as the
// request goes inward, so that the access log, outermost, can tell what became known inside.
type scope struct {
	id    string
	actor string
	route string
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

// ClientIP is the address the request came from, without the port.
func ClientIP(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
