package api

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"

	"lojal.dev/lojal/internal/web"
)

// Words in place of a scope.
const (
	// Open routes need no key.
	Open = ""
	// AnyScope routes need a key; what it may do is looked at inside.
	AnyScope = "any"
)

// Route is one line of the table of contents.
type Route struct {
	Method, Path string
	// Scope is the one a key must have; Open or AnyScope otherwise.
	Scope string
	About

	in, out reflect.Type
	types   []string // further media types of the body
	handle  func(*Server, web.Options) http.Handler
}

// About is what people read of a route.
type About struct {
	// Tag groups routes in the documentation.
	Tag string
	// Summary is a few words, Text the paragraphs below it.
	Summary, Text string
	// Status of a success; 200 when 0.
	Status int
	// Body is an example, as JSON.
	Body string
	// Example holds one of each path parameter, in order.
	Example []string
	// Query is an example query string.
	Query string
	// Batch says that the body may be as large as a batch.
	Batch bool
	// Merge accepts application/merge-patch+json too.
	Merge bool
	// Problems are the statuses of failure besides those that follow from its form.
	Problems []int
	// Also are further statuses of success.
	Also []Also
	// Parts, when set, are those of a body of multipart/form-data, which is read as it comes: the request may take longer than others.
	Parts []Part
	// Media is the type of an answer that is not JSON.
	Media string
}

// Part is one part of an upload.
type Part struct {
	Name, Text, Example string
	Required            bool
}

// Also is another status of success with the same answer.
type Also struct {
	Status int
	Text   string
}

// route makes a line of the table. The handler is a method expression, so that the table stands without a server.
func route[In, Out any](method, path, scope string, fn func(*Server, context.Context, *In) (*Out, error), about About) *Route {
	r := &Route{Method: method, Path: path, Scope: scope, About: about, in: reflect.TypeFor[In](), out: reflect.TypeFor[Out]()}
	if r.Status == 0 {
		r.Status = http.StatusOK
	}
	if about.Merge {
		r.types = []string{"application/merge-patch+json"}
	}
	r.handle = func(s *Server, opt web.Options) http.Handler {
		return web.Handle(func(ctx context.Context, in *In) (*Out, error) { return fn(s, ctx, in) }, opt)
	}
	return r
}

// raw makes a line of the table for a handler that reads or writes something else than JSON. In says which parameters it has, Out
// what it answers with, if that is JSON.
func raw[In, Out any](method, path, scope string, fn func(*Server, http.ResponseWriter, *http.Request, *Call) error, about About) *Route {
	r := &Route{Method: method, Path: path, Scope: scope, About: about, in: reflect.TypeFor[In](), out: reflect.TypeFor[Out]()}
	if r.Status == 0 {
		r.Status = http.StatusOK
	}
	r.handle = func(s *Server, _ web.Options) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			c := *req.Context().Value(callKey{}).(*Call)
			said, err := languageOf(req)
			if err == nil {
				c.lang = said
				err = fn(s, w, req, &c)
			}
			if err != nil {
				web.Fail(w, req, err)
			}
		})
	}
	return r
}

// Answered is the answer of a verb that records: the bytes that were stored with its effect, so that a repetition gets the same.
// T is what the bytes say.
type Answered[T any] struct {
	web.Reply
}

func (Answered[T]) says() reflect.Type { return reflect.TypeFor[T]() }

type says interface{ says() reflect.Type }

// answer is the example of an answer; nil where there is none.
func (r *Route) answer() json.RawMessage { return answers[r.operationID()] }

// answerType is the type of a route's answer body.
func (r *Route) answerType() reflect.Type {
	if s, ok := reflect.TypeAssert[says](reflect.New(r.out).Elem()); ok {
		return s.says()
	}
	return r.out
}
