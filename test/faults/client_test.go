package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// outcome is what a client knows of its request.
type outcome string

const (
	acked   outcome = "acknowledged" // 2xx: it is in the books for good
	refused outcome = "refused"      // 4xx, or never sent: it is not in the books and never will be
	unknown outcome = "unknown"      // 503, time-out, broken connection: it is in the books once or not at all
	broken  outcome = "broken"       // an answer that must not be
)

// request is a request that can be sent again just so.
type request struct {
	method, path string
	// key is the Idempotency-Key, none when empty.
	key  string
	body []byte
}

func post(path, key string, body any) request {
	data, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return request{http.MethodPost, path, key, data}
}

func get(path string) request { return request{method: http.MethodGet, path: path} }

// reply is what came back.
type reply struct {
	status   int
	body     []byte
	header   http.Header
	err      error // there was no whole answer
	unsent   bool  // the connection was refused: no one has seen the request
	problem  problem
	replayed bool
}

type problem struct {
	Code   string `json:"code"`
	Reason string `json:"reason"`
	Detail string `json:"detail"`
}

func (p reply) String() string {
	if p.err != nil {
		return p.err.Error()
	}
	return fmt.Sprintf("%d %s", p.status, bytes.TrimSpace(p.body))
}

// outcome says what the reply tells. What is not as the API promises is broken.
func (p reply) outcome() outcome {
	switch {
	case p.unsent:
		return refused
	case p.err != nil:
		return unknown
	case p.status == http.StatusOK || p.status == http.StatusCreated:
		return acked
	case !strings.HasPrefix(p.header.Get("Content-Type"), "application/problem+json") || p.problem.Code == "" || p.problem.Reason == "":
		return broken
	case p.status == http.StatusServiceUnavailable:
		if p.header.Get("Retry-After") == "" {
			return broken
		}
		return unknown
	case p.status >= 400 && p.status < 500:
		return refused
	}
	return broken
}

// into reads the answer.
func (p reply) into(v any) error {
	if p.err != nil {
		return p.err
	}
	if err := json.Unmarshal(p.body, v); err != nil {
		return fmt.Errorf("%w: %s", err, p)
	}
	return nil
}

// caller speaks to one node at a time.
type caller struct {
	secret string
	http   *http.Client
}

// patience is how long a client waits for an answer.
const patience = 20 * time.Second

func newCaller(secret string) *caller {
	return &caller{secret, &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}}}
}

// send sends a request once. Go's client would by itself repeat a request with an Idempotency-Key on a connection that
// was closed meanwhile; a body that cannot be had again keeps it from that, so that the log holds each sending.
func (c *caller) send(ctx context.Context, base string, q request) reply {
	var body io.Reader
	if q.body != nil {
		body = io.MultiReader(bytes.NewReader(q.body))
	}
	req, err := http.NewRequestWithContext(ctx, q.method, base+q.path, body)
	if err != nil {
		return reply{err: err}
	}
	if q.body != nil {
		req.ContentLength = int64(len(q.body))
		req.Header.Set("Content-Type", "application/json")
	}
	if q.key != "" {
		req.Header.Set("Idempotency-Key", q.key)
	}
	req.Header.Set("Authorization", "Bearer "+c.secret)
	res, err := c.http.Do(req)
	if err != nil {
		var op *net.OpError
		return reply{err: err, unsent: errors.As(err, &op) && op.Op == "dial" && errors.Is(err, syscall.ECONNREFUSED)}
	}
	defer res.Body.Close()
	p := reply{status: res.StatusCode, header: res.Header, replayed: res.Header.Get("Idempotent-Replayed") == "true"}
	if p.body, err = io.ReadAll(res.Body); err != nil {
		return reply{err: err}
	}
	if p.status >= 400 {
		_ = json.Unmarshal(p.body, &p.problem) // outcome sees what is missing
	}
	return p
}

// must sends a request that must be answered 2xx, and reads the answer.
func (c *caller) must(t testing.TB, base string, q request, v any) reply {
	t.Helper()
	p := c.send(t.Context(), base, q)
	if p.outcome() != acked {
		t.Fatalf("%s %s: %s", q.method, q.path, p)
	}
	if v != nil {
		if err := p.into(v); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// answer is what the tests read of a recorded fact, and of balances.
type answer struct {
	ID          string             `json:"id"`
	Duplicate   bool               `json:"duplicate"`
	Balances    map[string]holding `json:"balances"`
	Redemptions []struct {
		ID string `json:"id"`
	} `json:"redemptions"`
	Items []map[string]any `json:"items"`
}

// holding is what a member has of a unit; all units here have whole numbers.
type holding struct {
	Balance   int64 `json:"balance,string"`
	Spendable int64 `json:"spendable,string"`
	Pending   int64 `json:"pending,string"`
	Reserved  int64 `json:"reserved,string"`
	Debt      int64 `json:"debt,string"`
}

// enrol makes n members with the external ids NAME-0, NAME-1, … and gives their ids.
func (c *caller) enrol(t testing.TB, base, name string, n int) []string {
	t.Helper()
	ids := make([]string, n)
	for i := range ids {
		var a answer
		c.must(t, base, post("/v1/members", fmt.Sprintf("enrol-%s-%d", name, i), map[string]any{"external_id": fmt.Sprintf("%s-%d", name, i)}), &a)
		ids[i] = a.ID
	}
	return ids
}

// balances asks what a member has.
func (c *caller) balances(t testing.TB, base, member string) map[string]holding {
	t.Helper()
	var a answer
	c.must(t, base, get("/v1/members/"+member+"/balances"), &a)
	return a.Balances
}

// give puts points on a member's balance.
func give(member string, n int64, id string) request {
	return post("/v1/adjustments", id, map[string]any{"member": member, "unit": "point", "amount": n, "reason": "given", "source": "give", "external_id": id})
}

// purchase is one of a whole amount.
func purchase(member string, n int64, source, id string) request {
	return post("/v1/purchases", source+"-"+id, map[string]any{"member": member, "amount": n, "source": source, "external_id": id})
}
