package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	gopath "path"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/key"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/version"
	"lojal.dev/lojal/internal/web"
)

const coffee = `
program: kaffebaren
name: {nb: Kaffestjerner, en: Coffee Stars}
time_zone: Europe/Oslo
currency: NOK
country: "NO"
units:
  star:
    name: {nb: {one: stjerne, other: stjerner}, en: {one: star, other: stars}}
    worth: 0.50
    expires: {after: 12 months, at: end of month, warn: 30 days}
  kudo: {name: {nb: {one: ros, other: ros}, en: {one: kudo, other: kudos}}, expires: {end_of: month}}
  mile:
    name: {nb: mil, en: mile}
    precision: 2
  nok:
    name: {nb: {one: krone, other: kroner}, en: {one: krone, other: kroner}}
    precision: 2
    worth: 1.00
households: {most: 4, shares: [star]}
organizations: {most: 10}
gift_cards: {unit: nok, min: 50.00, max: 5000.00, valid: 3 years}
activities:
  own_cup: {}
  flown: {}
  survey: {properties: {score: whole, weight: number, again: yes/no, remark: text}}
identifiers:
  wallet: {name: Wallet}
earn:
  - id: base
    on: purchase
    give: {unit: star, amount: 1, per: 10.00}
  - id: tea
    on: purchase
    lines: {category: tea}
    when: {tier: {club: gold}}
    multiply: 2
  - id: cup
    on: activity:own_cup
    give: {unit: star, amount: 2}
    limit: {each: member, per: day, times: 1}
  - id: welcome
    on: enrolment
    give: {unit: star, amount: 5}
  - id: flight
    on: purchase
    lines: {category: flight}
    give: {unit: mile, amount: 0.25, per: 1.00}
    pending: {until: activity:flown}
challenges:
  - {id: coffee-card, title: {nb: Tiende kaffe gratis, en: Tenth coffee free}, on: purchase, lines: {category: coffee}, count: items, goal: 9, repeats: true, leaderboard: true, gives: {reward: coffee, valid: 3 months}}
tiers:
  club:
    by: {sum: spend, window: rolling 12 months}
    steps: [{id: member, from: 0}, {id: gold, from: 3000.00, benefits: [free_refill], name: {nb: Gull, en: Gold}}]
rewards:
  - id: coffee
    title: {nb: En kaffe, en: A coffee}
    price: {star: 50}
    gives: {product: coffee-regular}
  - id: mug
    title: {nb: Kopp, en: Mug}
    price: {star: 10}
    gives: {product: mug}
    stock: 2
  - {id: film, title: {nb: En film, en: A film}, price: {star: 15}, gives: {pool: cinema}}
  - {id: parcel, title: {nb: En pakke, en: A parcel}, price: {star: 30}, or: [{price: {star: 10}, money: 49.00}], gives: {kind: goods, product: parcel}}
  - {id: card, title: {nb: Et gavekort, en: A gift card}, price: {star: 20}, gives: {gift_card: {money: 50.00, provider: shop}}}
  - {id: own-card, title: {nb: Vårt gavekort, en: Our gift card}, price: {star: 20}, gives: {gift_card: {money: 50.00}}}
  - id: voucher
    price: {star: 20}
    gives: {voucher: {money: 25.00, valid: 3 months}}
  - id: tenth
    price: {star: 1}
    gives: {voucher: {percent: 10, uses: 2, bound: true}}
  - id: pay
    title: Pay
    pay: {unit: star, points: 1, worth: 0.50, share: 50}
  - {id: ticket, title: {nb: Et lodd, en: A ticket}, price: {star: 5}, gives: {raffle: {draw: "2026-11-30", prize: parcel}}}
  - {id: trees, title: {nb: Ti trær, en: Ten trees}, price: {star: 2}, gives: {donation: {to: {nb: Skogen, en: The forest}, money: 10.00}}, limit: {per: month, times: 1}}
transfers: {units: star}
shares: [{id: friend20, title: {nb: 10 % til en venn, en: 10 % for a friend}, benefit: plus_discount, claim: 14 days, for: everybody, thanks: {unit: star, amount: 5}}]
recognition: {title: {nb: Takk, en: Thanks}, gives: kudo, becomes: star, values: [{id: helped, name: {nb: Hjalp en kunde, en: Helped a customer}}], approval: {from: 5, within: 7 days}, undo: 15 minutes}
coupons:
  - {id: summer, title: {nb: Sommer, en: Summer}, word: SUMMER10, percent: 10, least: 100.00, limit: [{per: lifetime, times: 2}, {each: program, per: lifetime, times: 100}]}
  - {id: sorry, title: Sorry, money: 50.00, uses: 2}
  - {id: lone, money: 20.00, stacks: alone}
benefits:
  - id: free_refill
    title: {nb: Gratis påfyll, en: Free refill}
    value: {ahead: 1 day}
    limit: {per: month, times: 4}
  - {id: plus_discount, title: {nb: Plussrabatt, en: Plus discount}, value: {percent: 10}}
plans:
  - {id: plus, title: {nb: Pluss, en: Plus}, price: 99.00, every: 1 month, trial: 14 days, grace: 7 days, benefits: plus_discount}
referral: {qualifies: {when: {total: {from: 100.00}}}, friend: {unit: star, amount: 20}, referrer: {unit: star, amount: 30}, late: 14 days}
partners:
  - {id: hotel, name: The Harbour Hotel, awards: {star: 0.60}, most: 5000, accepts: {star: 0.40}, benefits: free_refill}
  - {id: airport, awards: {star: 0.55}, pays: ahead}
`

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// house is a door on a real database, with a clock that stands still until it is told to go.
type house struct {
	t      testing.TB
	d      *db.DB
	rec    *record.Recorder
	vs     *version.Cache
	srv    *Server
	log    *bytes.Buffer
	secret string // of a key with every scope
	mu     sync.Mutex
	now    time.Time
}

func (h *house) clock() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *house) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

type lockedBuffer struct {
	mu sync.Mutex
	*bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func newHouse(t testing.TB, d *db.DB, limits Limits) *house {
	t.Helper()
	h := &house{t: t, d: d, now: noon, vs: &version.Cache{}, log: &bytes.Buffer{}}
	h.publish(coffee)
	h.rec = record.New(d, h.vs)
	t.Cleanup(h.rec.Close)
	h.srv = New(Config{
		URL: "https://lojal.example.no", Wallets: phones(t),
		DB: d, Recorder: h.rec, Versions: h.vs, Clock: h.clock, Limits: limits, Build: BuildInfo{Version: "test"},
		Logger: slog.New(slog.NewJSONHandler(&lockedBuffer{Buffer: h.log}, nil)),
	})
	t.Cleanup(func() {
		if err := h.srv.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	h.secret = h.key("kaffebaren", key.Admin)
	return h
}

// each runs a test on both databases.
func each(t *testing.T, body func(t *testing.T, h *house)) {
	t.Helper()
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) { body(t, newHouse(t, d, Limits{})) })
}

func (h *house) publish(text string) {
	h.t.Helper()
	doc, err := program.Parse([]byte(text), "test.yaml")
	if err != nil {
		h.t.Fatal(err)
	}
	err = h.d.Write(h.t.Context(), func(tx *db.Tx) error {
		_, err := version.Publish(h.t.Context(), tx, version.PublishInput{Program: doc.Program, Document: doc, By: "test", Now: h.clock()})
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) key(program string, scopes ...string) string {
	h.t.Helper()
	var secret string
	err := h.d.Write(h.t.Context(), func(tx *db.Tx) (err error) {
		_, secret, err = key.Create(h.t.Context(), tx, key.New{Program: program, Name: "Till 1", Scopes: scopes, Now: h.clock()})
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return secret
}

// answer is what came back.
type answer struct {
	t    testing.TB
	what string
	code int
	head http.Header
	raw  []byte
	body any
}

// as sends a request with a key; head holds further headers, name by value.
func (h *house) as(secret, method, target, body string, head ...string) *answer {
	h.t.Helper()
	var r io.Reader = http.NoBody
	if body != "" {
		r = strings.NewReader(body)
	}
	req := httptest.NewRequest(method, target, r).WithContext(h.t.Context())
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if secret != "" {
		req.Header.Set("Authorization", "Bearer "+secret)
	}
	for i := 0; i < len(head); i += 2 {
		req.Header.Set(head[i], head[i+1])
	}
	w := httptest.NewRecorder()
	h.srv.ServeHTTP(w, req)
	a := &answer{h.t, method + " " + target, w.Code, w.Header(), w.Body.Bytes(), nil}
	if strings.Contains(w.Header().Get("Content-Type"), "json") {
		if err := json.Unmarshal(a.raw, &a.body); err != nil {
			h.t.Fatalf("%s: %v: %s", a.what, err, a.raw)
		}
	}
	conforms(h.t, req, w)
	return a
}

func (h *house) do(method, target, body string, head ...string) *answer {
	h.t.Helper()
	return h.as(h.secret, method, target, body, head...)
}

// want fails the test unless the status is the one.
func (a *answer) want(code int) *answer {
	a.t.Helper()
	if a.code != code {
		a.t.Fatalf("%s: %d, want %d: %s", a.what, a.code, code, a.raw)
	}
	return a
}

// refused fails the test unless it is this problem; pointers are those of its errors, or parameters.
func (a *answer) refused(code int, reason string, pointers ...string) *answer {
	a.t.Helper()
	a.want(code)
	var p web.Problem
	if err := json.Unmarshal(a.raw, &p); err != nil {
		a.t.Fatalf("%s: %v", a.what, err)
	}
	if p.Status != code || p.Reason != reason || p.RequestID == "" || p.Detail == "" {
		a.t.Fatalf("%s: %s, want %d %s", a.what, a.raw, code, reason)
	}
	if len(pointers) > 0 {
		got := map[string]bool{}
		for _, m := range p.Errors {
			if m.Pointer != nil {
				got[*m.Pointer] = true
			} else {
				got[m.Parameter] = true
			}
		}
		for _, want := range pointers {
			if !got[want] {
				a.t.Fatalf("%s: no mistake at %q: %s", a.what, want, a.raw)
			}
		}
	}
	return a
}

// get gives a value by its path: keys and places in lists. nil when it is not there.
func (a *answer) get(path ...any) any {
	v := a.body
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[p]
		case int:
			l, _ := v.([]any)
			if p >= len(l) {
				return nil
			}
			v = l[p]
		}
	}
	return v
}

func (a *answer) text(path ...any) string {
	a.t.Helper()
	s, ok := a.get(path...).(string)
	if !ok {
		a.t.Fatalf("%s: no text at %v: %s", a.what, path, a.raw)
	}
	return s
}

// is fails the test unless the value at the path is this.
func (a *answer) is(want any, path ...any) *answer {
	a.t.Helper()
	got := a.get(path...)
	if n, ok := want.(int); ok {
		want = float64(n)
	}
	if got != want {
		a.t.Fatalf("%s: %v at %v, want %v: %s", a.what, got, path, want, a.raw)
	}
	return a
}

func (a *answer) items() []any {
	a.t.Helper()
	l, ok := a.get("items").([]any)
	if !ok {
		a.t.Fatalf("%s: no items: %s", a.what, a.raw)
	}
	return l
}

// enrol makes a member with an external id.
func (h *house) enrol(ext string) string {
	h.t.Helper()
	return h.do("POST", "/v1/members", `{"external_id": "`+ext+`"}`).want(201).text("id")
}

// facts counts what stands in the books.
func (h *house) count() books.Totals {
	h.t.Helper()
	var n books.Totals
	err := h.d.Read(h.t.Context(), func(tx *db.Tx) (err error) {
		n, err = books.Count(h.t.Context(), tx, "kaffebaren")
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return n
}

// contract is the document with closed answers, and a mux that finds the operation of a request.
var contract = sync.OnceValue(func() *agreement {
	d, err := makeDocument(true)
	if err != nil {
		panic(err)
	}
	c, err := agreed(d.json)
	if err != nil {
		panic(err)
	}
	for _, r := range d.routes {
		c.mux.Handle(r.Method+" "+r.Path, http.NotFoundHandler())
	}
	return c
})

// agreement is a document whose schemas are compiled once each, when they are first needed: kin-openapi compiles one anew, with all
// that it refers to, for every value.
type agreement struct {
	doc *openapi3.T
	mux *http.ServeMux

	mu       sync.Mutex
	compiler *jsonschema.Compiler
	schemas  map[string]*jsonschema.Schema
}

func agreed(text []byte) (*agreement, error) {
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		return nil, err
	}
	raw, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	return &agreement{doc: doc, mux: http.NewServeMux(), compiler: c, schemas: map[string]*jsonschema.Schema{}}, c.AddResource("document.json", raw)
}

// valid says whether the value is what the schema at the place in the document allows.
func (c *agreement) valid(place string, value any) error {
	c.mu.Lock()
	s := c.schemas[place]
	if s == nil {
		var err error
		if s, err = c.compiler.Compile("document.json" + place); err != nil {
			c.mu.Unlock()
			return err
		}
		c.schemas[place] = s
	}
	c.mu.Unlock()
	return s.Validate(value)
}

// place is a pointer into the document.
func place(base string, parts ...string) string {
	for _, p := range parts {
		base += "/" + url.PathEscape(strings.ReplaceAll(strings.ReplaceAll(p, "~", "~0"), "/", "~1"))
	}
	return base
}

// answered says whether an answer is one that the document has for the operation: its status, its headers, its kind and its body.
func (c *agreement) answered(req *http.Request, path, method string, w *httptest.ResponseRecorder) error {
	item := c.doc.Paths.Value(path)
	operation := item.GetOperation(method)
	ref, status := operation.Responses.Status(w.Code), strconv.Itoa(w.Code)
	if ref == nil {
		return fmt.Errorf("the document has no status %d there", w.Code)
	}
	kind := w.Header().Get("Content-Type")
	media, _, _ := strings.Cut(kind, ";")
	if media != "application/json" && media != "application/problem+json" {
		return openapi3filter.ValidateResponse(req.Context(), &openapi3filter.ResponseValidationInput{
			RequestValidationInput: &openapi3filter.RequestValidationInput{
				Request: req, Route: &routers.Route{Spec: c.doc, Path: path, PathItem: item, Method: method, Operation: operation},
			},
			Status: w.Code, Header: w.Header(), Body: io.NopCloser(bytes.NewReader(w.Body.Bytes())),
			Options: &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true},
		})
	}
	base := place("#/paths", path, strings.ToLower(method), "responses", status)
	if ref.Ref != "" {
		base = ref.Ref
	}
	for name, header := range ref.Value.Headers {
		said := w.Header().Get(name)
		switch {
		case said == "" && header.Value.Required:
			return fmt.Errorf("no header %s", name)
		case said != "" && header.Value.Schema.Value.Type.Is("integer"):
			if _, err := strconv.Atoi(said); err != nil {
				return fmt.Errorf("header %s: %w", name, err)
			}
		}
	}
	if len(ref.Value.Content) == 0 {
		return nil
	}
	if ref.Value.Content[media] == nil {
		return fmt.Errorf("the document has no %s there", kind)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(w.Body.Bytes()))
	if err != nil {
		return err
	}
	return c.valid(place(base, "content", media, "schema"), value)
}

// conforms fails the test when an answer is not what the document says, and when a failure is no problem document.
func conforms(t testing.TB, req *http.Request, w *httptest.ResponseRecorder) {
	t.Helper()
	if w.Code >= 500 {
		t.Errorf("%s %s: %d %s", req.Method, req.URL, w.Code, w.Body)
	}
	if w.Code >= 400 && w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("%s %s: %d is answered as %s", req.Method, req.URL, w.Code, w.Header().Get("Content-Type"))
	}
	_, pattern := contract().mux.Handler(req)
	method, path, ok := strings.Cut(pattern, " ")
	if escaped := req.URL.EscapedPath(); !ok || w.Code == http.StatusNotModified || gopath.Clean(escaped) != escaped {
		return
	}
	item := contract().doc.Paths.Value(path)
	if item == nil || item.GetOperation(method) == nil {
		return // HEAD
	}
	err := contract().answered(req, path, method, w)
	if err != nil {
		t.Errorf("%s %s: the answer is not what the document says: %v\n%s", req.Method, req.URL, err, w.Body)
	}
}
