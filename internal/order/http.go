package order

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/reward"
)

// remote is a provider that is reached over HTTP; docs/gift-card-providers.md is what it promises.
type remote struct {
	base, token string
	client      *http.Client
}

// Timeout is how long a provider may take for an answer; then it is asked again later what came of it.
const Timeout = 15 * time.Second

// mostAnswer bounds what is read of an answer.
const mostAnswer = 64 << 10

// Remote makes a provider from its address and the token that it knows lojal by. The address is https, or http on this machine.
func Remote(base, token string, timeout time.Duration) (Provider, error) {
	u, err := url.Parse(base)
	local := err == nil && (u.Hostname() == "localhost" || u.Hostname() == "127.0.0.1" || u.Hostname() == "::1")
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "https" && (u.Scheme != "http" || !local) {
		return nil, errs.Malformed("provider", "The address of a provider is https://HOST/PATH, without user or query; http only on this machine.")
	}
	if timeout <= 0 {
		timeout = Timeout
	}
	return &remote{base: strings.TrimSuffix(base, "/"), token: token, client: &http.Client{
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // the token goes to nobody else
	}}, nil
}

// ordering is the body of an order.
type ordering struct {
	Program string `json:"program"`
	reward.OrderData
}

// answered is the body of an answer.
type answered struct {
	Status    string     `json:"status"`
	Reference string     `json:"reference"`
	Code      string     `json:"code"`
	PIN       string     `json:"pin"`
	EndsAt    *time.Time `json:"ends_at"`
	Reason    string     `json:"reason"`
}

func (r *remote) Order(ctx context.Context, o *reward.Order, _ time.Time) (Outcome, error) {
	body, err := json.Marshal(ordering{o.Program, o.Data})
	if err != nil {
		return Outcome{}, fmt.Errorf("write an order: %w", err)
	}
	out, status, err := r.call(ctx, http.MethodPut, o, body)
	if err != nil {
		return out, err
	}
	switch status {
	case http.StatusBadRequest, http.StatusPaymentRequired, http.StatusConflict, http.StatusGone, http.StatusUnprocessableEntity:
		out.Status = Failed
		if out.Reason == "" {
			out.Reason = "refused with " + strconv.Itoa(status)
		}
		return out, nil
	case http.StatusNotFound:
		return Outcome{}, errors.New("the provider answered 404 to an order: is its address right?")
	}
	return out, nil
}

func (r *remote) Ask(ctx context.Context, o *reward.Order, _ time.Time) (Outcome, error) {
	out, status, err := r.call(ctx, http.MethodGet, o, nil)
	if err == nil && status == http.StatusNotFound {
		return Outcome{Status: Unknown}, nil
	}
	return out, unless(err, status)
}

func (r *remote) Cancel(ctx context.Context, o *reward.Order, _ time.Time) (Outcome, error) {
	out, status, err := r.call(ctx, http.MethodDelete, o, nil)
	if err == nil && status == http.StatusNotFound {
		return Outcome{Status: Failed, Reason: "called off"}, nil
	}
	return out, unless(err, status)
}

// unless makes an error of an answer that says nothing of the order.
func unless(err error, status int) error {
	if err == nil && status >= 300 {
		return fmt.Errorf("the provider answered %d", status)
	}
	return err
}

// call makes one request. An error says that it is not known what came of it.
func (r *remote) call(ctx context.Context, method string, o *reward.Order, body []byte) (Outcome, int, error) {
	req, err := http.NewRequestWithContext(ctx, method, r.base+"/orders/"+url.PathEscape(o.Redemption), bytes.NewReader(body))
	if err != nil {
		return Outcome{}, 0, fmt.Errorf("ask the provider: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+r.token)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Idempotency-Key", o.Redemption)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := r.client.Do(req)
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err
		}
		return Outcome{}, 0, fmt.Errorf("the provider did not answer: %w", err)
	}
	defer func() { _ = res.Body.Close() }() // it was read, or is not wanted
	text, err := io.ReadAll(io.LimitReader(res.Body, mostAnswer))
	if err != nil {
		return Outcome{}, 0, fmt.Errorf("the provider's answer broke off: %w", err)
	}
	var a answered
	said := json.Unmarshal(text, &a)
	out := Outcome{Status: a.Status, Secret: reward.Secret{Code: a.Code, PIN: a.PIN, EndsAt: a.EndsAt}, Reference: a.Reference, Reason: a.Reason, Wait: wait(res.Header.Get("Retry-After"))}
	switch {
	case res.StatusCode == http.StatusUnauthorized, res.StatusCode == http.StatusForbidden, res.StatusCode == http.StatusRequestTimeout,
		res.StatusCode == http.StatusTooEarly, res.StatusCode == http.StatusTooManyRequests, res.StatusCode >= 500, res.StatusCode >= 300 && res.StatusCode < 400:
		return Outcome{Wait: out.Wait}, 0, &notNow{res.StatusCode}
	case res.StatusCode >= 400:
		return Outcome{Reference: a.Reference, Reason: a.Reason}, res.StatusCode, nil
	case said != nil:
		return Outcome{}, 0, errors.New("the provider's answer is no JSON of an order")
	case a.Status == "cancelled":
		out.Status = Failed
		if out.Reason == "" {
			out.Reason = "called off"
		}
	case a.Status == Delivered && (a.Code == "" || len(a.Code) > 200 || len(a.PIN) > 50):
		return Outcome{}, 0, errors.New("the provider says delivered, and sends no code that can be used")
	case a.Status != Delivered && a.Status != Waiting && a.Status != Failed:
		return Outcome{}, 0, errors.New("the provider's answer says no status of an order")
	}
	return out, res.StatusCode, nil
}

// notNow is an answer that leaves open what becomes of the order.
type notNow struct{ status int }

func (e *notNow) Error() string { return fmt.Sprintf("the provider answered %d", e.status) }

// wait reads how long to wait, in seconds.
func wait(text string) time.Duration {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0
	}
	return min(time.Duration(n)*time.Second, longest)
}
