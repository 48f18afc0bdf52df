// Package errs is the one vocabulary of failure.
//
// It owns the codes, and the one table that says what each is as an HTTP status and as a process exit
// status. It does not own reasons: those belong to the room that fails. Below a door an error is made with
// one of the constructors here, or wrapped with what was being done; a door turns it into a page, a problem
// document or an exit status by [As], and decides nothing itself. What carries no *[Error] is internal.
package errs

import (
	"errors"
	"maps"
	"strings"
)

// Code says what kind of failure it is. The set is closed; a client may switch on it.
type Code string

// The codes.
const (
	// CodeMalformed: it cannot be read at all (broken JSON, an unknown key, an id of the wrong form).
	CodeMalformed Code = "malformed"
	// CodeInvalid: it can be read and is wrong in itself; the same request never succeeds.
	CodeInvalid Code = "invalid"
	// CodeNotFound: there is no such thing, or the caller may not know that there is.
	CodeNotFound Code = "not_found"
	// CodeConflict: it contradicts what is already there (a duplicate, a stale version, a wrong state).
	CodeConflict Code = "conflict"
	// CodeInsufficient: there is too little of something now (points, stock, budget); later there may be enough.
	CodeInsufficient Code = "insufficient"
	// CodeUnauthenticated: no credential, or not a valid one.
	CodeUnauthenticated Code = "unauthenticated"
	// CodeForbidden: a valid credential that does not allow this.
	CodeForbidden Code = "forbidden"
	// CodeRateLimited: too many requests; the same one may succeed after a wait.
	CodeRateLimited Code = "rate_limited"
	// CodeUnavailable: something needed is away (database, disk). The effect may or may not have happened:
	// the caller repeats the request under the same idempotency key.
	CodeUnavailable Code = "unavailable"
	// CodeInternal: a fault of this program. The message is for the log, never for the caller.
	CodeInternal Code = "internal"
)

// table is the one place where a code meets the outer world.
//
// Insufficient is 409 and not 422: the request is right in itself and only meets a state that does not allow
// it now, so a till may keep it and try again, while what is answered 422 can be thrown away.
//
// Exit statuses are small and stable so that scripts can switch on them; 2 is what shells use for wrong usage.
var table = map[Code]struct{ http, exit int }{
	CodeInternal:        {http: 500, exit: 1},
	CodeMalformed:       {http: 400, exit: 2},
	CodeInvalid:         {http: 422, exit: 3},
	CodeNotFound:        {http: 404, exit: 4},
	CodeConflict:        {http: 409, exit: 5},
	CodeInsufficient:    {http: 409, exit: 6},
	CodeForbidden:       {http: 403, exit: 7},
	CodeUnauthenticated: {http: 401, exit: 8},
	CodeRateLimited:     {http: 429, exit: 9},
	CodeUnavailable:     {http: 503, exit: 10},
}

// HTTP gives the code's HTTP status; 500 for a code that is not in the table.
func (c Code) HTTP() int {
	if row, ok := table[c]; ok {
		return row.http
	}
	return table[CodeInternal].http
}

// Exit gives the code's process exit status, never 0; 1 for a code that is not in the table.
func (c Code) Exit() int {
	if row, ok := table[c]; ok {
		return row.exit
	}
	return table[CodeInternal].exit
}

// Field is one mistake in a document or request.
type Field struct {
	// Pointer is an RFC 6901 JSON pointer to the value, "" for the whole document.
	Pointer string `json:"pointer"`
	// Reason is stable: lower-case words joined by underscores.
	Reason string `json:"reason"`
	// Message says in a sentence what is wrong and what to do.
	Message string `json:"message"`
}

// Error is a failure that a caller can act on.
type Error struct {
	Code Code
	// Reason is stable within its code: lower-case words joined by underscores, such as balance_too_low.
	Reason string
	// Message is a sentence for a person. It holds no secret and no personal data.
	Message string
	// Fields are the single mistakes: all of them, not only the first.
	Fields []Field
	// Meta holds values that go with the reason (balance, missing, retry_after in seconds), as JSON would hold them.
	Meta map[string]any

	cause error
}

// Error gives the message, the fields and the cause. It is for logs and command lines: a door that answers
// strangers renders Code, Reason, Message, Fields and Meta, and never this.
func (e *Error) Error() string {
	var b strings.Builder
	switch {
	case e.Message != "":
		b.WriteString(e.Message)
	case e.Reason != "":
		b.WriteString(string(e.Code) + ": " + e.Reason)
	default:
		b.WriteString(string(e.Code))
	}
	for _, f := range e.Fields {
		b.WriteString("; ")
		if f.Pointer != "" {
			b.WriteString(f.Pointer + ": ")
		}
		b.WriteString(f.Message)
	}
	if e.cause != nil {
		return strings.TrimSuffix(b.String(), ".") + ": " + e.cause.Error()
	}
	return b.String()
}

// Unwrap gives the cause, nil when there is none.
func (e *Error) Unwrap() error { return e.cause }

// Because gives a copy of e that wraps cause, so that errors.Is and errors.As still find it.
func (e *Error) Because(cause error) *Error {
	c := *e
	c.cause = cause
	return &c
}

// With gives a copy of e whose Meta also holds the value under the key.
func (e *Error) With(key string, value any) *Error {
	c := *e
	c.Meta = maps.Clone(e.Meta)
	if c.Meta == nil {
		c.Meta = make(map[string]any, 1)
	}
	c.Meta[key] = value
	return &c
}

// Malformed makes an error with CodeMalformed.
func Malformed(reason, message string, fields ...Field) *Error {
	return &Error{Code: CodeMalformed, Reason: reason, Message: message, Fields: fields}
}

// Invalid makes an error with CodeInvalid.
func Invalid(reason, message string, fields ...Field) *Error {
	return &Error{Code: CodeInvalid, Reason: reason, Message: message, Fields: fields}
}

// NotFound makes an error with CodeNotFound.
func NotFound(reason, message string) *Error {
	return &Error{Code: CodeNotFound, Reason: reason, Message: message}
}

// Conflict makes an error with CodeConflict.
func Conflict(reason, message string) *Error {
	return &Error{Code: CodeConflict, Reason: reason, Message: message}
}

// Insufficient makes an error with CodeInsufficient.
func Insufficient(reason, message string) *Error {
	return &Error{Code: CodeInsufficient, Reason: reason, Message: message}
}

// Unauthenticated makes an error with CodeUnauthenticated.
func Unauthenticated(reason, message string) *Error {
	return &Error{Code: CodeUnauthenticated, Reason: reason, Message: message}
}

// Forbidden makes an error with CodeForbidden.
func Forbidden(reason, message string) *Error {
	return &Error{Code: CodeForbidden, Reason: reason, Message: message}
}

// RateLimited makes an error with CodeRateLimited.
func RateLimited(reason, message string) *Error {
	return &Error{Code: CodeRateLimited, Reason: reason, Message: message}
}

// Unavailable makes an error with CodeUnavailable.
func Unavailable(reason, message string) *Error {
	return &Error{Code: CodeUnavailable, Reason: reason, Message: message}
}

// Internal makes an error with CodeInternal, for a fault worth a reason of its own; any other error is
// internal without being made so.
func Internal(reason, message string) *Error {
	return &Error{Code: CodeInternal, Reason: reason, Message: message}
}

// As finds the outermost *Error in err's tree. When there is none it gives an internal one that wraps err,
// with a message that tells a stranger nothing. It gives nil only for nil.
func As(err error) *Error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return Internal("internal", "Something went wrong inside the program.").Because(err)
}

// CodeOf gives the code of err: "" for nil, CodeInternal for an error that carries none.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	return As(err).Code
}

// Is says whether err carries the code and the reason; an empty reason matches any.
func Is(err error, code Code, reason string) bool {
	if err == nil {
		return false
	}
	e := As(err)
	return e.Code == code && (reason == "" || e.Reason == reason)
}

// Exit gives the process exit status for err: 0 for nil.
func Exit(err error) int {
	if err == nil {
		return 0
	}
	return CodeOf(err).Exit()
}
