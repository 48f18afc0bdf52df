package page

import (
	"net/http"
	"net/url"
	"strings"

	"lojal.dev/lojal/internal/errs"
)

// Form is what was sent, with what is wrong beside each field.
type Form struct {
	url.Values
	Wrong map[string]string
	// All is what is wrong with the whole of it.
	All string
}

// NewForm is a form that nobody has filled in, with values to begin with, name and value by turns.
func NewForm(pairs ...string) *Form {
	f := &Form{Values: url.Values{}, Wrong: map[string]string{}}
	for i := 0; i+1 < len(pairs); i += 2 {
		f.Set(pairs[i], pairs[i+1])
	}
	return f
}

// SentForm reads what was sent, and says unreadable when it cannot be read.
func SentForm(r *http.Request, unreadable string) (*Form, error) {
	if err := r.ParseForm(); err != nil {
		return nil, errs.Malformed("form", unreadable).Because(err)
	}
	return &Form{Values: r.PostForm, Wrong: map[string]string{}}, nil
}

// Body are the values of a form that were filled in.
func (f *Form) Body(names ...string) map[string]any {
	out := map[string]any{}
	for _, n := range names {
		if s := strings.TrimSpace(f.Get(n)); s != "" {
			out[n] = s
		}
	}
	return out
}

// Refused takes what a route, or a verb, says of what was sent: each field's mistake beside the field of the same name, in the door's own words
// (those that begin with "refused.") where it has them. It gives back what is no refusal: a page of its own shows that.
func (f *Form) Refused(err error, own Words, lang string) error {
	e := errs.As(err)
	switch e.Code {
	case errs.CodeInvalid, errs.CodeMalformed, errs.CodeConflict, errs.CodeInsufficient, errs.CodeRateLimited, errs.CodeUnauthenticated, errs.CodeForbidden, errs.CodeNotFound:
	default:
		return err
	}
	if e.Reason == "signed_out" {
		return err
	}
	say := func(reason, otherwise string) string {
		if _, ok := own["refused."+reason]; ok {
			return own.Say(lang, "refused."+reason)
		}
		return otherwise
	}
	f.All = say(e.Reason, e.Message)
	for _, field := range e.Fields {
		if name := field.Pointer[strings.LastIndexByte(field.Pointer, '/')+1:]; name != "" && f.Wrong[name] == "" {
			f.Wrong[name] = say(field.Reason, field.Message)
		}
	}
	return nil
}
