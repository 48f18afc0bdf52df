package web

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"lojal.dev/lojal/internal/errs"
)

// Problem is a failure on the wire: RFC 9457 with members of our own.
type Problem struct {
	// Type is where the code is explained, on this very server.
	Type string `json:"type"`
	// Title is the code in a few words.
	Title string `json:"title"`
	// Status is the HTTP status.
	Status int `json:"status"`
	// Code is the kind of failure, one of a closed list.
	Code string `json:"code"`
	// Reason is what exactly it was: stable, lower-case words joined by underscores.
	Reason string `json:"reason"`
	// Detail says in a sentence what is wrong and what to do.
	Detail string `json:"detail"`
	// Errors are the single mistakes, all of them.
	Errors []Mistake `json:"errors,omitempty"`
	// Meta holds values that go with the reason, such as what is missing.
	Meta map[string]any `json:"meta,omitempty"`
	// RequestID names the request in the server's log.
	RequestID string `json:"request_id"`
}

// Mistake is one thing wrong with a request.
type Mistake struct {
	// Pointer is the RFC 6901 JSON pointer into the body; "" is the whole body.
	Pointer *string `json:"pointer,omitempty"`
	// Parameter is the name of the path, query or header parameter, where the mistake is not in the body.
	Parameter string `json:"parameter,omitempty"`
	// Reason is stable: lower-case words joined by underscores.
	Reason string `json:"reason"`
	// Detail says in a sentence what is wrong and what to do.
	Detail string `json:"detail"`
}

// Codes lists the codes in the order of the table in the documentation, with their title and what they mean.
var Codes = []struct {
	Code  errs.Code
	Title string
	Means string
	// Example is an error of this code, as it is answered; nil for a fault of the program.
	Example *errs.Error
}{
	{errs.CodeMalformed, "Malformed request", "It cannot be read: broken JSON, an unknown or repeated key, a bad parameter. The same request never succeeds.", errs.Malformed("unknown_key", "The body has keys that do not exist here. Keys are case-sensitive.")},
	{errs.CodeUnauthenticated, "Not authenticated", "There is no API key, or not a valid one.", errs.Unauthenticated("key_missing", "Send an API key: Authorization: Bearer lj_live_….")},
	{errs.CodeForbidden, "Not allowed", "The API key lacks the scope for this (scope_missing), or the program or the state of the member, card or code does not allow it.", errs.Forbidden("member_blocked", "This member is blocked and cannot spend.")},
	{errs.CodeNotFound, "Not found", "There is no such thing, or it is not yours: the answer is the same.", errs.NotFound("gift_card_not_found", "There is no such gift card in this program.")},
	{errs.CodeConflict, "Conflict", "It contradicts what is already there: a duplicate, a stale version, a wrong state.", errs.Conflict("identifier_taken", "Another member has this phone number already.")},
	{errs.CodeInsufficient, "Not enough", "There is too little of something now (points, stock); later there may be enough.", errs.Insufficient("balance_too_low", "The member has 12 and needs 50.")},
	{errs.CodeInvalid, "Wrong content", "It can be read and is wrong in itself; errors[] names every mistake. The same request never succeeds.", errs.Invalid("invalid_purchase", "The purchase has mistakes.")},
	{errs.CodeRateLimited, "Too many requests", "Wait as Retry-After says and repeat.", nil},
	{errs.CodeUnavailable, "Unavailable", "Something needed is away. The effect may or may not have happened: repeat under the same Idempotency-Key.", nil},
	{errs.CodeInternal, "Internal error", "A fault of the program; the log has it under the request's id.", nil},
}

// statuses are the reasons that HTTP has a status of its own for, besides that of their code.
var statuses = map[string]int{
	"method_not_allowed":     http.StatusMethodNotAllowed,
	"stale_revision":         http.StatusPreconditionFailed,
	"body_too_large":         http.StatusRequestEntityTooLarge,
	"body_too_slow":          http.StatusRequestTimeout,
	"unsupported_media_type": http.StatusUnsupportedMediaType,
}

// StatusOf gives the HTTP status of an error.
func StatusOf(e *errs.Error) int {
	if s, ok := statuses[e.Reason]; ok {
		return s
	}
	return e.Code.HTTP()
}

// ProblemOf makes the problem document of an error. What is internal keeps its message to the log.
func ProblemOf(e *errs.Error, requestID string) Problem {
	p := Problem{
		Type:      "/docs/errors#" + string(e.Code),
		Title:     title(e.Code),
		Status:    StatusOf(e),
		Code:      string(e.Code),
		Reason:    e.Reason,
		Detail:    e.Message,
		Meta:      e.Meta,
		RequestID: requestID,
	}
	if e.Code == errs.CodeInternal {
		p.Reason, p.Detail, p.Meta = "internal", "Something went wrong inside the program. The log has it under this request's id.", nil
		return p
	}
	if p.Reason == "" {
		p.Reason = string(e.Code)
	}
	if p.Detail == "" {
		p.Detail = p.Title + "."
	}
	for _, f := range e.Fields {
		m := Mistake{Reason: f.Reason, Detail: f.Message}
		if f.Pointer == "" || strings.HasPrefix(f.Pointer, "/") {
			pointer := f.Pointer
			m.Pointer = &pointer
		} else {
			m.Parameter = f.Pointer
		}
		p.Errors = append(p.Errors, m)
	}
	return p
}

func title(c errs.Code) string {
	for _, row := range Codes {
		if row.Code == c {
			return row.Title
		}
	}
	return "Error"
}

// Failed has the log of the request say why it failed.
func Failed(ctx context.Context, err error) { scopeOf(ctx).failure = err }

// Say has refusals of this request put into words by says.
func Say(ctx context.Context, says func(*errs.Error) *errs.Error) { scopeOf(ctx).says = says }

// Said gives an error in the words of the request's language.
func Said(ctx context.Context, e *errs.Error) *errs.Error {
	if says := scopeOf(ctx).says; says != nil {
		return says(e)
	}
	return e
}

// Fail answers with the problem document of err.
func Fail(w http.ResponseWriter, r *http.Request, err error) {
	e := errs.As(err)
	if e.Code == errs.CodeInternal && r.Context().Err() != nil { // the client left, or the time for it was over: no fault of ours
		e = errs.Unavailable("gave_up", "The request was given up before it was done. Repeat it under the same Idempotency-Key.").Because(err)
	}
	if e.Code == errs.CodeInternal || e.Code == errs.CodeUnavailable {
		scopeOf(r.Context()).failure = err // the log has what the answer does not tell
	}
	p := ProblemOf(Said(r.Context(), e), RequestID(r.Context()))
	h := w.Header()
	switch e.Code {
	case errs.CodeUnauthenticated:
		h.Set("WWW-Authenticate", `Bearer realm="lojal"`)
	case errs.CodeRateLimited, errs.CodeUnavailable:
		if h.Get("Retry-After") == "" {
			h.Set("Retry-After", retryAfter(e))
		}
	}
	h.Del("ETag")
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	// What a caller sent may stand in it, such as a parameter's name that is no UTF-8.
	lenient := json.JoinOptions(json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
	body, merr := json.Marshal(p, lenient)
	if merr != nil { // only Meta can be to blame
		p.Meta = nil
		body, _ = json.Marshal(p, lenient)
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(p.Status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) //nolint:gosec // it is JSON and said to be; the client may be gone, and then there is no one left to tell
	}
}

func retryAfter(e *errs.Error) string {
	switch v := e.Meta["retry_after"].(type) {
	case int:
		return strconv.Itoa(max(v, 1))
	case int64:
		return strconv.FormatInt(max(v, 1), 10)
	}
	return "1"
}

// NotFound is the answer for a thing of this noun that is not there, or is another program's: the reason says which noun.
func NotFound(noun string) *errs.Error {
	return errs.NotFound(strings.ReplaceAll(noun, " ", "_")+"_not_found", "There is no such "+noun+" in this program.")
}
