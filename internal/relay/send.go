package relay

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode"

	"lojal.dev/lojal/internal/webhook"
)

const (
	// mostRead is how much of an answer is read at all, and mostKept how many bytes of it are kept.
	mostRead = 64 << 10
	mostKept = 500
)

// sender sends messages, and takes nothing from its surroundings: no proxy, no cookies, no redirects.
type sender struct {
	client  *http.Client
	targets Targets
	timeout time.Duration
	agent   string
}

func newSender(targets Targets, timeout time.Duration, agent string) *sender {
	s := &sender{targets: targets, timeout: timeout, agent: agent}
	s.client = &http.Client{
		Transport: &http.Transport{
			DialContext:            s.dial,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    timeout,
			ForceAttemptHTTP2:      true,
			DisableCompression:     true, // what is small on the wire must not be large here
			MaxIdleConns:           256,
			MaxIdleConnsPerHost:    8,
			IdleConnTimeout:        30 * time.Second,
			MaxResponseHeaderBytes: 16 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return s
}

func (s *sender) close() { s.client.CloseIdleConnections() }

type plainKey struct{}

// dial looks at each address as it is connected to, after the name was resolved.
func (s *sender) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	plain, _ := ctx.Value(plainKey{}).(bool)
	d := net.Dialer{Control: func(_, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		return s.targets.allow(host, to.Addr(), plain)
	}}
	return d.DialContext(ctx, network, address)
}

// letter is a message on its way.
type letter struct {
	url, contentType, id, body string
	secrets                    []string
	at                         time.Time
}

// reply is what came of sending one.
type reply struct {
	webhook.Attempt
	// wait is what the receiver asked for by Retry-After, 0 when it did not.
	wait time.Duration
}

// send sends a message once. An answer counts when it is 2xx and comes whole, or its first 64 kB, in time.
func (s *sender) send(ctx context.Context, l letter) reply {
	begin := time.Now()
	out := reply{Attempt: webhook.Attempt{At: l.at.UTC().Truncate(time.Microsecond)}}
	timed, cancel := context.WithTimeoutCause(ctx, s.timeout, errSlow)
	defer cancel()
	err := s.exchange(timed, l, &out)
	out.Milliseconds = time.Since(begin).Milliseconds()
	switch {
	case err == nil:
	case errors.Is(context.Cause(timed), errSlow):
		out.Error = fmt.Sprintf("no whole answer within %s", s.timeout)
	default:
		out.Error = explain(err)
	}
	return out
}

var errSlow = errors.New("the receiver took too long")

func (s *sender) exchange(ctx context.Context, l letter, out *reply) error {
	signature, err := webhook.Sign(l.secrets, l.id, l.at, l.body)
	if err != nil {
		return err
	}
	u, err := url.Parse(l.url)
	if err != nil {
		return err
	}
	ctx = context.WithValue(ctx, plainKey{}, u.Scheme == "http")
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.url, strings.NewReader(l.body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", l.contentType)
	req.Header.Set("User-Agent", s.agent)
	req.Header.Set(webhook.HeaderID, l.id)
	req.Header.Set(webhook.HeaderTimestamp, strconv.FormatInt(l.at.Unix(), 10))
	req.Header.Set(webhook.HeaderSignature, signature)
	res, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	out.Status = res.StatusCode
	out.wait = retryAfter(res.Header.Get("Retry-After"), l.at)
	first, err := io.ReadAll(io.LimitReader(res.Body, mostKept))
	out.Answer = printable(first)
	if err == nil {
		_, err = io.Copy(io.Discard, io.LimitReader(res.Body, mostRead-mostKept))
	}
	switch {
	case err != nil:
		return fmt.Errorf("the answer was cut off: %w", err)
	case res.StatusCode >= 300 && res.StatusCode < 400:
		return fmt.Errorf("answered %d: redirects are not followed", res.StatusCode)
	case res.StatusCode < 200 || res.StatusCode >= 300:
		return fmt.Errorf("answered %d", res.StatusCode)
	}
	return nil
}

// explain says what went wrong, without the address: it stands beside.
func explain(err error) string {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	text := err.Error()
	if len(text) > mostKept {
		text = text[:mostKept]
	}
	return printable([]byte(text))
}

// printable makes text of what a stranger answered.
func printable(b []byte) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(string(b), "\uFFFD"))
}

// longestRetryAfter bounds what a receiver may ask for.
const longestRetryAfter = time.Hour

// retryAfter reads the header (RFC 9110, section 10.2.3): seconds or a date.
func retryAfter(text string, now time.Time) time.Duration {
	if text == "" {
		return 0
	}
	var wait time.Duration
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		wait = time.Duration(min(max(n, 0), int64(longestRetryAfter/time.Second))) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), longestRetryAfter)
}
