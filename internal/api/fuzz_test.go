package api

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
)

// target is a route with a body and an address that leads somewhere.
type target struct{ method, path, body string }

// targets are the routes that take a body, with the examples' addresses.
func targets() []target {
	var out []target
	for _, r := range table() {
		if r.Method == http.MethodGet || r.Path == "/v1/keys/{key}/revoke" || strings.HasSuffix(r.Path, "/close") || strings.HasSuffix(r.Path, "/merge") {
			continue
		}
		path := r.Path
		for part := range strings.SplitSeq(r.Path, "/") {
			if strings.HasPrefix(part, "{") {
				path = strings.Replace(path, part, r.example(strings.Trim(part, "{}")), 1)
			}
		}
		body := r.Body
		if body == "" {
			body = "{}"
		}
		out = append(out, target{r.Method, path, body})
	}
	return out
}

// prepared is a house in which the examples' names mean something.
func prepared(tb testing.TB) *house {
	tb.Helper()
	h := newHouse(tb, dbtest.Open(tb, db.SQLite), Limits{})
	h.do("POST", "/v1/members", `{"external_id": "4711", "identifiers": [{"kind": "card", "value": "10010009"}]}`).want(201)
	h.do("POST", "/v1/members", `{"external_id": "4712"}`).want(201)
	h.do("POST", "/v1/purchases", `{"member": "ext:4711", "source": "till-1", "external_id": "R-1001", "occurred_at": "2026-11-20T14:03:00+01:00",
		"lines": [{"id": "1", "amount": "9800.00", "quantity": 2}, {"id": "2", "amount": "42.00"}]}`).want(201)
	return h
}

// TestRandomBodies sends the examples with random changes. Whatever comes: the answer is what the document says, never a
// fault of the server, and a refused request leaves nothing in the books.
func TestRandomBodies(t *testing.T) {
	t.Parallel()
	h := prepared(t)
	all := targets()
	rapid.Check(t, func(rt *rapid.T) {
		to := rapid.SampledFrom(all).Draw(rt, "route")
		var body any
		if err := json.Unmarshal([]byte(to.body), &body); err != nil {
			t.Fatal(err)
		}
		for range rapid.IntRange(1, 4).Draw(rt, "changes") {
			body = change(rt, body)
		}
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		rt.Log(to.method, to.path, string(text))
		before := h.count()
		a := h.do(to.method, to.path, string(text))
		if after := h.count(); a.code >= 400 && after != before {
			rt.Fatalf("%s: refused, and something was recorded: %+v, before %+v", a.raw, after, before)
		}
		if t.Failed() {
			rt.Fatalf("%s %s %s: %s", to.method, to.path, text, a.raw)
		}
	})
}

// odd values, of which a change takes one.
func odd() []any {
	return []any{
		nil, true, "", " ", "x", 0, -1, 1, 1.5, 1e30, "1", "-1", "0.00", "0.001", "999999999999999999", "9999999999999999999", "1e5", "ext:4711", "ext:4712", "ext:nobody",
		"2026-11-20T14:03:00+01:00", "2026-11-22T12:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "star", "mile", "gold", "club", "coffee", "pay", "own_cup",
		"till-1", "R-1001", "\x00", "\u202e", "æøå 🎈", strings.Repeat("a", 300), []any{}, map[string]any{}, []any{nil}, []any{map[string]any{}}, map[string]any{"": ""},
	}
}

// change replaces, takes away, adds or repeats one part somewhere in a value.
func change(rt *rapid.T, v any) any {
	pick := func(n int) int { return rapid.IntRange(0, n-1).Draw(rt, "pick") }
	other := func() any { return rapid.SampledFrom(odd()).Draw(rt, "odd") }
	switch v := v.(type) {
	case map[string]any:
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		if len(keys) == 0 || pick(12) == 0 {
			v[rapid.SampledFrom([]string{"member", "amount", "lines", "source", "external_id", "occurred_at", "spend", "discounts", "commit", "x", "Member", "reason", "draft"}).Draw(rt, "key")] = other()
			return v
		}
		slices.Sort(keys)
		k := keys[pick(len(keys))]
		switch pick(6) {
		case 0:
			delete(v, k)
		case 1:
			v[k] = other()
		case 2:
			v[strings.ToUpper(k)] = v[k]
		default:
			v[k] = change(rt, v[k])
		}
		return v
	case []any:
		if len(v) == 0 || pick(4) == 0 {
			return append(v, other())
		}
		i := pick(len(v))
		if pick(4) == 0 {
			return append(v, v[i])
		}
		v[i] = change(rt, v[i])
		return v
	}
	return other()
}

// FuzzBodies is the same for bytes of any kind.
func FuzzBodies(f *testing.F) {
	all := targets()
	for i, to := range all {
		f.Add(i, []byte(to.body))
	}
	f.Add(0, []byte(`{"member":`))
	f.Add(1, []byte("\xff\x00"))
	h := prepared(f)
	f.Fuzz(func(t *testing.T, route int, body []byte) {
		h.t = t
		to := all[(route%len(all)+len(all))%len(all)]
		if len(body) == 0 {
			body = []byte("0")
		}
		before := h.count()
		a := h.do(to.method, to.path, string(body))
		if after := h.count(); a.code >= 400 && after != before {
			t.Fatalf("%s: refused, and something was recorded", a.raw)
		}
	})
}

// FuzzAddresses asks for any address with any query.
func FuzzAddresses(f *testing.F) {
	for _, s := range []string{"/v1/members/ext:4711", "/v1/members?phone=1", "/v1/facts/pur_x", "/v1/purchases/a/b", "/v1/events?cursor=AA&limit=1", "/v1/members/%00", "/v1//x", "/v1/members/ext:4711/balances?at=x"} {
		f.Add(s)
	}
	h := prepared(f)
	f.Fuzz(func(t *testing.T, target string) {
		h.t = t
		req, err := http.NewRequest(http.MethodGet, "http://localhost/v1/"+strings.TrimPrefix(target, "/v1/"), nil)
		if err != nil || req.URL.Query().Has("wait") || strings.ContainsAny(req.URL.RequestURI(), " \r\n\x7f") {
			t.Skip("no address that could be sent")
		}
		h.do(http.MethodGet, req.URL.RequestURI(), "")
	})
}
