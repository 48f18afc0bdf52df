// Package distributed tries what a database that is spread over machines must bear: that the statements of a till reach one part of each
// table, that a transaction keeps to one bucket, and, where a real engine is given, that it goes there the same way.
package distributed

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"lojal.dev/lojal/internal/api"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/key"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/sweep"
	"lojal.dev/lojal/internal/verify"
	"lojal.dev/lojal/internal/version"
	"lojal.dev/lojal/internal/web"
)

// The program has what a member's own bucket can decide: no budget, no stock and no limit of the whole program.
const shop = `
program: shop
name: Shop
time_zone: Europe/Oslo
currency: NOK
units:
  point:
    name: {en: {one: point, other: points}}
    worth: 0.10
    expires: {after: 12 months, at: end of month, warn: 30 days}
activities:
  visit: {}
  review: {}
earn:
  - id: base
    on: purchase
    give: {unit: point, amount: 1, per: 1.00}
  - id: tea
    on: purchase
    lines: {category: tea}
    when: {tier: {club: gold}}
    multiply: 2
  - id: visit
    on: activity:visit
    give: {unit: point, amount: 10}
    limit: {each: member, per: day, times: 1}
  - id: slow
    on: purchase
    lines: {category: flight}
    give: {unit: point, amount: 5, per: 1.00}
    pending: {until: activity:review}
tiers:
  club:
    by: {sum: spend, window: rolling 12 months}
    steps: [{id: basic, from: 0}, {id: gold, from: 1000.00}]
    down: {to: earned, grace: 30 days}
rewards:
  - id: coffee
    price: {point: 50}
    gives: {product: coffee}
  - id: voucher
    price: {point: 40}
    gives: {voucher: {money: 25.00, valid: 3 months}}
  - id: pay
    pay: {unit: point, points: 1, worth: 0.10, share: 50}
returns: {earned: take back, spent: give back, if_spent: debt}
`

// counter is the API of the shop over a database.
type counter struct {
	t      *testing.T
	d      *db.DB
	r      *record.Recorder
	srv    *api.Server
	now    time.Time
	secret string
}

// prepare publishes the program, once for all counters of a database, and gives a key.
func prepare(t *testing.T, d *db.DB, now time.Time) (secret string) {
	t.Helper()
	doc, err := program.Parse([]byte(shop), "shop.yaml")
	if err != nil {
		t.Fatal(err)
	}
	err = d.Write(t.Context(), func(tx *db.Tx) error {
		if _, err := version.Publish(t.Context(), tx, version.PublishInput{Program: "shop", Document: doc, By: "test", Now: now.AddDate(-1, 0, 0)}); err != nil {
			return err
		}
		_, secret, err = key.Create(t.Context(), tx, key.New{Program: "shop", Name: "Till", Scopes: []string{key.Admin}, Now: now})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

func open(t *testing.T, d *db.DB, secret string, now time.Time) *counter {
	t.Helper()
	c := &counter{t: t, d: d, now: now, secret: secret}
	versions := &version.Cache{}
	c.r = record.New(d, versions)
	c.srv = api.New(api.Config{DB: d, Recorder: c.r, Versions: versions, Clock: func() time.Time { return c.now },
		Limits: api.Limits{PerKey: web.Rate{Burst: -1}}, Logger: slog.New(slog.DiscardHandler)})
	t.Cleanup(func() {
		c.r.Close()
		if err := c.srv.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return c
}

// prove checks the books.
func (c *counter) prove() {
	c.t.Helper()
	report, err := verify.Run(c.t.Context(), c.d, c.r.Versions(), "shop", verify.Options{})
	if err != nil {
		c.t.Fatal(err)
	}
	for _, f := range report.Findings {
		c.t.Error(f)
	}
}

// do sends a request and gives its JSON; the answer must have the status.
func (c *counter) do(status int, method, target, body string, idempotencyKey ...string) map[string]any {
	c.t.Helper()
	w := c.send(method, target, body, idempotencyKey...)
	if w.Code != status {
		c.t.Fatalf("%s %s %s: %d, want %d: %s", method, target, body, w.Code, status, w.Body)
	}
	out := map[string]any{}
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		c.t.Fatal(err)
	}
	return out
}

// send sends a request.
func (c *counter) send(method, target, body string, idempotencyKey ...string) *httptest.ResponseRecorder {
	var in io.Reader = http.NoBody
	if body != "" {
		in = strings.NewReader(body)
	}
	req := httptest.NewRequest(method, target, in).WithContext(c.t.Context())
	req.Header.Set("Authorization", "Bearer "+c.secret)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if len(idempotencyKey) > 0 {
		req.Header.Set("Idempotency-Key", idempotencyKey[0])
	}
	w := httptest.NewRecorder()
	c.srv.ServeHTTP(w, req)
	return w
}

// enrol brings the members a and b, who have cards.
func (c *counter) enrol() {
	c.t.Helper()
	for _, m := range []string{"a", "b"} {
		c.do(201, "POST", "/v1/members", `{"external_id": "`+m+`", "identifiers": [{"kind": "card", "value": "100`+m+`"}]}`)
	}
}

// day is what tills ask for in a day: every fact of one member, in each of the ways in which it can be asked for. n tells days apart.
func (c *counter) day(n string) {
	c.t.Helper()
	receipt := `{"member": "card:100a", "source": "till", "external_id": "` + n + `", "store": "oslo", "lines": [
		{"id": "1", "category": "tea", "quantity": 2, "amount": "300"}, {"id": "2", "category": "flight", "amount": "900"}]}`
	first := c.do(201, "POST", "/v1/purchases?include=explanation,balances,tiers", receipt, n+"-p")
	member := first["member"].(string)
	c.do(201, "POST", "/v1/purchases?include=explanation,balances,tiers", receipt, n+"-p") // the key again
	c.do(200, "POST", "/v1/purchases", receipt, n+"-p2")                                   // the receipt again under another key
	c.do(200, "POST", "/v1/purchases", receipt)
	c.do(409, "POST", "/v1/purchases", strings.Replace(receipt, "300", "301", 1), n+"-p3")
	c.do(422, "POST", "/v1/purchases", strings.Replace(receipt, "300", "301", 1), n+"-p")
	c.do(201, "POST", "/v1/purchases", `{"member": "`+member+`", "amount": "40"}`)
	c.do(201, "POST", "/v1/purchases", `{"member": "ext:a", "amount": "40", "spend": [{"reward": "pay", "points": 40}]}`, n+"-spend")
	c.do(200, "GET", "/v1/purchases/till:"+n, "")
	c.do(201, "POST", "/v1/purchases/till:"+n+"/returns", `{"lines": [{"line": "1", "quantity": 1}], "source": "till", "external_id": "`+n+`-r"}`, n+"-r")
	c.do(201, "POST", "/v1/activities", `{"member": "card:100a", "kind": "review", "confirms": "`+first["id"].(string)+`"}`, n+"-review")
	c.do(201, "POST", "/v1/activities", `{"member": "card:100a", "kind": "visit"}`, n+"-visit")

	held := c.do(201, "POST", "/v1/redemptions", `{"member": "card:100a", "reward": "coffee", "hold_seconds": 300}`, n+"-h")
	id := held["id"].(string)
	c.do(201, "POST", "/v1/redemptions/"+id+"/commit", "", n+"-c")
	c.do(201, "POST", "/v1/redemptions/"+id+"/refund", `{"reason": "cold"}`)
	other := c.do(201, "POST", "/v1/redemptions", `{"member": "card:100a", "reward": "voucher"}`)
	c.do(201, "POST", "/v1/redemptions/"+other["id"].(string)+"/cancel", "{}", n+"-x")
	c.do(201, "POST", "/v1/redemptions", `{"member": "card:100a", "reward": "coffee", "commit": true}`, n+"-o")
	c.do(409, "POST", "/v1/redemptions", `{"member": "card:100b", "reward": "coffee", "quantity": 90, "source": "till", "external_id": "`+n+`-poor"}`, n+"-poor")
	c.do(200, "GET", "/v1/redemptions/"+id, "")
	c.do(201, "POST", "/v1/adjustments", `{"member": "card:100b", "unit": "point", "amount": 100, "reason": "sorry"}`, n+"-adj")
	c.do(404, "POST", "/v1/purchases", `{"member": "card:none", "amount": "1"}`)

	c.do(200, "GET", "/v1/members/card:100a/balances", "")
	c.do(200, "GET", "/v1/members/"+member+"/postings", "")
	c.do(200, "GET", "/v1/members/"+member+"/facts", "")
	c.do(200, "GET", "/v1/rewards?member="+member, "")
}

// time passes: what is due is found, in all buckets, and done in each.
func (c *counter) sweep(to time.Time) {
	c.t.Helper()
	c.now = to
	if _, err := sweep.Run(c.t.Context(), c.d, c.r, to); err != nil {
		c.t.Fatal(err)
	}
	if _, err := sweep.Forget(c.t.Context(), c.d, to); err != nil {
		c.t.Fatal(err)
	}
}

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
