package page

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/web"
)

// API is the API's door from inside: see its Inside.
type API struct {
	Handler http.Handler
	Lang    string
	// Member has sentences told for members rather than staff.
	Member bool
}

type reply struct {
	header http.Header
	status int
	body   bytes.Buffer
	// outer is the connection of an upload, of which a route asks for more time.
	outer http.ResponseWriter
}

// Unwrap gives the connection to http.ResponseController.
func (r *reply) Unwrap() http.ResponseWriter { return r.outer }

func (r *reply) Header() http.Header         { return r.header }
func (r *reply) WriteHeader(status int)      { r.status = status }
func (r *reply) Write(b []byte) (int, error) { return r.body.Write(b) }

// Path joins the parts of an address of the API, each of them escaped.
func Path(parts ...string) string {
	var b strings.Builder
	b.WriteString("/v1")
	for _, p := range parts {
		b.WriteString("/" + url.PathEscape(p))
	}
	return b.String()
}

// Get asks a route and reads the answer into out.
func (a API) Get(ctx context.Context, path string, query url.Values, out any) error {
	return a.Do(ctx, http.MethodGet, path, query, "", nil, out)
}

// Post sends a body to a route, once under the key (which may be empty), and reads the answer into out, which may be nil.
func (a API) Post(ctx context.Context, path, key string, body, out any) error {
	return a.Do(ctx, http.MethodPost, path, nil, key, body, out)
}

// Do asks any route. A failure is that of the route, with its code, sentence and fields.
func (a API) Do(ctx context.Context, method, path string, query url.Values, key string, body, out any) error {
	raw, err := a.Raw(ctx, method, path, query, key, body)
	if err != nil || out == nil || len(raw) == 0 {
		return err
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("read the answer of %s %s: %w", method, path, err)
	}
	return nil
}

// Raw asks any route and gives the bytes of the answer.
func (a API) Raw(ctx context.Context, method, path string, query url.Values, key string, body any) ([]byte, error) {
	var text []byte
	switch b := body.(type) {
	case nil:
	case json.RawMessage:
		text = b
	default:
		var err error
		if text, err = web.Marshal(body); err != nil {
			return nil, fmt.Errorf("write a request: %w", err)
		}
	}
	if a.Member {
		if query == nil {
			query = url.Values{}
		}
		query.Set("audience", "member")
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, path, bytes.NewReader(text))
	if err != nil {
		return nil, errs.Malformed("invalid_address", "There is nothing at this address.").Because(err)
	}
	req.RemoteAddr = "127.0.0.1:0"
	req.Header.Set("Accept-Language", a.Lang)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	return a.answer(&reply{header: http.Header{}, status: http.StatusOK}, req)
}

// Upload hands the body of a request, with its type, to a route as it comes, and reads the answer into out.
func (a API) Upload(w http.ResponseWriter, r *http.Request, path string, query url.Values, out any) error {
	req, err := http.NewRequestWithContext(r.Context(), http.MethodPost, path+"?"+query.Encode(), r.Body)
	if err != nil {
		return errs.Malformed("invalid_address", "There is nothing at this address.").Because(err)
	}
	req.RemoteAddr = "127.0.0.1:0"
	req.ContentLength = r.ContentLength
	req.Header.Set("Accept-Language", a.Lang)
	req.Header.Set("Content-Type", r.Header.Get("Content-Type"))
	raw, err := a.answer(&reply{header: http.Header{}, status: http.StatusOK, outer: w}, req)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("read the answer of an upload to %s: %w", path, err)
	}
	return nil
}

func (a API) answer(got *reply, req *http.Request) ([]byte, error) {
	a.Handler.ServeHTTP(got, req)
	if got.status < http.StatusBadRequest {
		return got.body.Bytes(), nil
	}
	var p web.Problem
	if err := json.Unmarshal(got.body.Bytes(), &p); err != nil {
		return nil, fmt.Errorf("read a failure of %s %s: %w", req.Method, req.URL.Path, err)
	}
	failed := &errs.Error{Code: errs.Code(p.Code), Reason: p.Reason, Message: p.Detail, Meta: p.Meta}
	if wait := got.header.Get("Retry-After"); wait != "" && failed.Meta["retry_after"] == nil {
		failed = failed.With("retry_after", wait)
	}
	for _, m := range p.Errors {
		at := m.Parameter
		if m.Pointer != nil {
			at = *m.Pointer
		}
		failed.Fields = append(failed.Fields, errs.Field{Pointer: at, Reason: m.Reason, Message: m.Detail})
	}
	return nil, failed
}
