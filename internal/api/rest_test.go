package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/key"
	"lojal.dev/lojal/internal/web"
)

func TestProgram(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		now := h.do("GET", "/v1/program", "").want(200).is(1, "version").is(true, "in_force").is("kaffebaren", "document", "program").is(nil, "effective_from")
		h.do("GET", "/v1/program", "", "If-None-Match", now.head.Get("ETag")).want(304)
		raw, err := json.Marshal(now.get("document"))
		if err != nil {
			t.Fatal(err)
		}
		next := strings.Replace(string(raw), `"per":"10.00"`, `"per":"5.00"`, 1)
		h.do("POST", "/v1/program/versions", `{"document": `+next+`, "from": "2027-01-01T00:00:00+01:00"}`).want(201).is(2, "version").is(false, "in_force").is("2027-01-01T00:00:00+01:00", "effective_from")
		h.do("POST", "/v1/program/versions", `{"document": `+string(raw)+`}`).want(201).is(1, "version").is(true, "unchanged").
			is(2, "replaced_by").is("2027-01-01T00:00:00+01:00", "replaced_at")
		h.do("GET", "/v1/program/versions", "").want(200).is(2, "items", 0, "version").is(true, "items", 1, "in_force").is(2, "items", 1, "replaced_by").is(nil, "items", 0, "replaced_by")
		h.do("GET", "/v1/program/versions/2", "").want(200).is("5.00", "document", "earn", 0, "give", "per")
		h.do("GET", "/v1/program/versions/9", "").refused(404, "version_not_found")
		h.do("GET", "/v1/program/versions/x", "").refused(400, "invalid_parameter", "version")
		h.do("POST", "/v1/program/rollback", `{"version": 1, "from": "2028-01-01T00:00:00+01:00"}`).want(201).is(3, "version").is(1, "rollback_of")
		h.do("POST", "/v1/program/rollback", `{"version": 9}`).refused(422, "version_not_found", "/version")
		diff := h.do("POST", "/v1/program/diff?lang=nb", `{"from_version": 1, "to_version": 2}`).want(200).is(false, "same")
		if diff.text("changes", 0, "sentence") == "" {
			t.Errorf("%s", diff.raw)
		}
		h.do("POST", "/v1/program/diff", `{}`).want(200).is(true, "same")
		h.do("POST", "/v1/program/diff", `{"from_version": 7}`).refused(422, "version_not_found", "/from_version")
		h.do("POST", "/v1/program/check", `{"source": "program: x\nname: X\n"}`).want(200).is(false, "ok")
		h.do("POST", "/v1/program/check", `{"document": `+string(raw)+`}`).want(200).is(true, "ok")
		v := h.do("POST", "/v1/program/settings", `{"source": "program: x # mine\nunits: {star: {worth: 0.50}}\n", "set": {"/units/star/worth": "0.75"}}`).want(200)
		v.is("program: x # mine\nunits: {star: {worth: 0.75}}\n", "source").is("/units/star/worth", "settings", 1, "pointer").is("0.75", "settings", 1, "value").is("number", "settings", 1, "kind")
		h.do("POST", "/v1/program/settings", `{"source": "program: x\n", "set": {"/units/star": "1"}}`).refused(422, "invalid_setting", "/set/~1units~1star")
		h.do("POST", "/v1/program/settings", `{"source": "program: ["}`).refused(422, "invalid_program")
		h.do("POST", "/v1/program/settings", `{}`).refused(422, "invalid_body", "/source")
		h.do("POST", "/v1/program/check", `{}`).refused(422, "invalid_body", "/document")
		h.do("POST", "/v1/program/lint", `{}`).want(200).is(false, "ok").is("no_title", "findings", 0, "code")
		h.do("POST", "/v1/program/lint?lang=nb", `{"usual": {"purchase": "2000.00", "per_month": 9}}`).want(200).is("«base» har ikke noe navn som medlemmene kan lese.", "findings", 0, "why")
		h.do("POST", "/v1/program/lint", `{"source": "program: x\nname: X\n"}`).refused(422, "invalid_program", "/source/time_zone")
		h.do("POST", "/v1/program/lint", `{"usual": {"purchase": "0", "per_month": 9}}`).refused(422, "invalid_body", "/usual")
		h.do("GET", "/v1/program/terms?lang=sv", "").want(200).is("earning", "sections", 0, "id").is("sv", "language")
		bad := strings.Replace(string(raw), `"unit":"star"`, `"unit":"moon"`, 1)
		h.do("POST", "/v1/program/versions", `{"document": `+bad+`}`).refused(422, "invalid_program", "/document/earn/0/give/unit")
		h.do("POST", "/v1/program/versions", `{"document": `+strings.Replace(string(raw), `"program":"kaffebaren"`, `"program":"other"`, 1)+`}`).refused(422, "wrong_program", "/document/program")
		h.enrol("1")
		h.do("POST", "/v1/program/versions", `{"document": `+strings.Replace(string(raw), `"precision":2`, `"precision":3`, 1)+`}`).refused(409, "units_in_use", "/document/units/mile/precision")
	})
}

func TestEvents(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{})
		h.enrol("1")
		for i := range 5 {
			h.do("POST", "/v1/purchases", fmt.Sprintf(`{"member": "ext:1", "amount": "%d0"}`, i+1)).want(201)
		}
		dbtest.Settle(t, d)
		var seen []string
		cursor := ""
		for {
			a := h.do("GET", "/v1/events?limit=2&cursor="+cursor, "").want(200)
			for _, e := range a.items() {
				seen = append(seen, e.(map[string]any)["id"].(string))
			}
			cursor = a.text("next_cursor")
			if a.get("more") == false {
				break
			}
		}
		all := h.do("GET", "/v1/events?limit=500", "").want(200)
		if n := len(all.items()); n != len(seen) || n < 10 {
			t.Fatalf("%d in pages, %d at once", len(seen), n)
		}
		slices.Sort(seen)
		if len(slices.Compact(seen)) != len(all.items()) {
			t.Error("an event came twice")
		}
		only := h.do("GET", "/v1/events?type=purchase.recorded", "").want(200)
		if n := len(only.items()); n != 5 {
			t.Errorf("%d purchases: %s", n, only.raw)
		}

		// The newest first are the same events, in any pages.
		for _, limit := range []int{1, 2, 500} {
			var newest []string
			for cursor := ""; ; {
				a := h.do("GET", fmt.Sprintf("/v1/events/newest?limit=%d&cursor=%s", limit, cursor), "").want(200)
				for _, e := range a.items() {
					newest = append(newest, e.(map[string]any)["id"].(string))
				}
				if a.get("next_cursor") == nil {
					break
				}
				cursor = a.text("next_cursor")
			}
			slices.Reverse(newest)
			var want []string
			for _, e := range all.items() {
				want = append(want, e.(map[string]any)["id"].(string))
			}
			if !slices.Equal(newest, want) {
				t.Errorf("the newest by %d are, backwards, %v, want %v", limit, newest, want)
			}
		}
		if n := len(h.do("GET", "/v1/events/newest?type=purchase.*,member.enrolled", "").want(200).items()); n != 6 {
			t.Errorf("%d", n)
		}
		h.do("GET", "/v1/events/newest?cursor=abc", "").refused(400, "invalid_cursor", "cursor")

		h.do("GET", "/v1/events?wait=31", "").refused(422, "invalid_wait", "wait")
		h.do("GET", "/v1/events?cursor=abc", "").refused(400, "invalid_cursor", "cursor")

		// A waiting reader gets what comes while it waits.
		done := make(chan *answer, 1)
		go func() { done <- h.do("GET", "/v1/events?wait=30&cursor="+cursor, "") }()
		h.do("POST", "/v1/activities", `{"member": "ext:1", "kind": "own_cup"}`).want(201)
		if a := <-done; a.code != 200 || len(a.items()) == 0 {
			t.Errorf("the waiting reader got %d %s", a.code, a.raw)
		}
	})
}

func TestKeys(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		made := h.do("POST", "/v1/keys", `{"name": "Till 1", "scopes": ["purchases:write", "members:read"], "test": true}`, "Idempotency-Key", "k1").want(201)
		secret, id := made.text("secret"), made.text("id")
		if !strings.HasPrefix(secret, "lj_test_") {
			t.Errorf("%s", made.raw)
		}
		again := h.do("POST", "/v1/keys", `{"name": "Till 1", "scopes": ["purchases:write", "members:read"], "test": true}`, "Idempotency-Key", "k1").want(201).is(id, "id").is(nil, "secret")
		if again.head.Get("Idempotent-Replayed") != "true" {
			t.Error("it is not marked as replayed")
		}
		h.as(secret, "GET", "/v1/me", "").want(200).is("kaffebaren", "program").is(id, "key", "id").is(nil, "key", "secret")
		list := h.do("GET", "/v1/keys", "").want(200)
		if strings.Contains(string(list.raw), secret) || strings.Contains(string(list.raw), "secret") {
			t.Errorf("a secret is shown again: %s", list.raw)
		}
		h.do("GET", "/v1/keys/"+id, "").want(200).is("Till 1", "name")
		h.do("GET", "/v1/keys/key_01k9zjq3hfe1f8m6v7j0q3x5c4", "").refused(404, "key_not_found")
		h.do("POST", "/v1/keys", `{"name": "", "scopes": ["fly"], "expires_at": "2020-01-01T00:00:00Z"}`).refused(422, "invalid_key", "/name", "/scopes/0", "/expires_at")
		next := h.do("POST", "/v1/keys/"+id+"/rotate", `{"overlap_seconds": 3600}`).want(201).text("secret")
		h.as(secret, "GET", "/v1/me", "").want(200)
		h.as(next, "GET", "/v1/me", "").want(200)
		h.pass(2 * time.Hour)
		h.as(secret, "GET", "/v1/me", "").refused(401, "key_expired")
		nextID := h.as(next, "GET", "/v1/me", "").want(200).text("key", "id")
		h.do("POST", "/v1/keys/"+nextID+"/revoke", "").want(200)
		h.as(next, "GET", "/v1/me", "").refused(401, "key_revoked")
		h.do("POST", "/v1/keys/key_01k9zjq3hfe1f8m6v7j0q3x5c4/revoke", "").want(404)
		h.do("POST", "/v1/keys/"+id+"/rotate", `{"overlap_seconds": -1}`).refused(422, "invalid_overlap", "/overlap_seconds")
		h.do("GET", "/v1/audit?action=key.created", "").want(200).is("key.created", "items", 0, "action").is(id, "items", 0, "target")
	})
}

func TestAuthentication(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for name, head := range map[string]string{
			"nothing": "", "no scheme": h.secret, "basic": "Basic YTpi", "malformed": "Bearer lj_live_x", "unknown": "Bearer " + unknownSecret(t), "two words": "Bearer a b",
		} {
			a := h.as("", "GET", "/v1/me", "", "Authorization", head).want(401)
			if got := a.head.Get("WWW-Authenticate"); !strings.HasPrefix(got, "Bearer") {
				t.Errorf("%s: WWW-Authenticate %q", name, got)
			}
		}
		h.as("", "GET", "/v1/me", "", "Authorization", "bearer "+h.secret).want(200)
		h.as("", "GET", "/healthz", "").want(200).is("ok", "status")
		h.as("", "GET", "/readyz", "").want(200).is("ready", "status").is("ok", "writing").is("current", "schema")
		for _, path := range []string{"/openapi.json", "/openapi.yaml", "/docs", "/docs/errors", "/docs/style.css", "/docs/script.js"} {
			h.as("", "GET", path, "").want(200)
		}
		if strings.Contains(h.log.String(), h.secret) {
			t.Error("a secret stands in the log")
		}
	})
}

func unknownSecret(t *testing.T) string {
	t.Helper()
	d := dbtest.Open(t, db.SQLite)
	return newHouse(t, d, Limits{}).secret
}

// TestScopes asks every route with a key of each single scope: only the one that the table names opens it.
func TestScopes(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d, Limits{FailedAuth: web.Rate{Burst: -1}})
		secrets := map[string]string{}
		for _, s := range key.Scopes {
			secrets[s] = h.key("kaffebaren", s)
		}
		for _, r := range table() {
			path := r.Path
			for part := range strings.SplitSeq(r.Path, "/") {
				if strings.HasPrefix(part, "{") {
					path = strings.Replace(path, part, strings.ReplaceAll(r.example(strings.Trim(part, "{}")), "/", "%2F"), 1)
				}
			}
			body := r.Body
			if body == "" && r.Method != http.MethodGet && r.Method != http.MethodDelete {
				body = "{}"
			}
			for _, s := range key.Scopes {
				a := h.as(secrets[s], r.Method, path, body)
				opens := r.Scope == Open || r.Scope == AnyScope || r.Scope == s || s == key.Admin
				if opens && (a.code == 403 && strings.Contains(string(a.raw), "scope_missing") || a.code == 401) {
					t.Errorf("%s %s with %s: %d %s", r.Method, r.Path, s, a.code, a.raw)
				}
				if !opens {
					a.refused(403, "scope_missing").is(r.Scope, "meta", "scope")
				}
			}
			if r.Scope != Open {
				h.as("", r.Method, path, body).refused(401, "key_missing")
			}
		}
	})
}

// TestForeign asks another program for everything that one has: it is not there, in the same words as what is nowhere.
func TestForeign(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id := h.enrol("1")
		pur := h.do("POST", "/v1/purchases", receipt).want(201).text("id")
		adj := h.do("POST", "/v1/adjustments", `{"member": "ext:1", "unit": "star", "amount": 100, "reason": "x"}`).want(201).text("id")
		red := h.do("POST", "/v1/redemptions", `{"member": "ext:1", "reward": "coffee"}`).want(201).text("id")
		h.enrol("2")
		trf := h.do("POST", "/v1/transfers", `{"from": "ext:1", "to": "ext:2", "unit": "star", "amount": 1}`).want(201).text("id")
		keyID := h.do("GET", "/v1/keys", "").want(200).text("items", 0, "id")
		whk := h.do("POST", "/v1/webhooks", `{"url": "https://example.com/hook"}`).want(201).text("id")
		event := h.do("POST", "/v1/webhooks/"+whk+"/test", "").want(201).text("event")
		h.publish(strings.ReplaceAll(coffee, "kaffebaren", "tehuset"))
		other := h.key("tehuset", key.Admin)
		before := h.count()
		foreign := map[string]string{
			"mem": id, "pur": pur, "adj": adj, "red": red, "trf": trf, "key": keyID, "whk": whk,
		}
		nowhere := "_01k9zjq3hfe1f8m6v7j0q3x5c4"
		requests := []struct{ method, path, kind, body string }{
			{"GET", "/v1/members/{}", "mem", ""}, {"PATCH", "/v1/members/{}", "mem", `{"name": "X"}`}, {"GET", "/v1/members/{}/balances", "mem", ""},
			{"GET", "/v1/members/{}/postings", "mem", ""}, {"GET", "/v1/members/{}/facts", "mem", ""}, {"GET", "/v1/members/{}/tiers", "mem", ""},
			{"GET", "/v1/members/{}/explanations", "mem", ""}, {"GET", "/v1/members/{}/redemptions", "mem", ""},
			{"POST", "/v1/members/{}/block", "mem", `{}`}, {"POST", "/v1/members/{}/unblock", "mem", `{}`}, {"POST", "/v1/members/{}/close", "mem", `{}`},
			{"POST", "/v1/members/{}/tiers", "mem", `{"set": "club", "tier": "gold", "reason": "x"}`}, {"POST", "/v1/members/{}/identifiers", "mem", `{"kind": "card", "value": "99999"}`},
			{"DELETE", "/v1/members/{}/identifiers/ext/1", "mem", ""}, {"GET", "/v1/members/{}?include=balances", "mem", ""},
			{"GET", "/v1/purchases/{}", "pur", ""}, {"GET", "/v1/purchases/{}/returns", "pur", ""}, {"POST", "/v1/purchases/{}/returns", "pur", `{}`},
			{"GET", "/v1/facts/{}", "pur", ""}, {"GET", "/v1/facts/{}/explanation", "pur", ""}, {"POST", "/v1/facts/{}/release", "pur", `{}`}, {"POST", "/v1/facts/{}/cancel-pending", "pur", `{}`},
			{"GET", "/v1/redemptions/{}", "red", ""}, {"POST", "/v1/redemptions/{}/commit", "red", `{}`}, {"POST", "/v1/redemptions/{}/cancel", "red", `{}`}, {"POST", "/v1/redemptions/{}/refund", "red", `{}`},
			{"POST", "/v1/adjustments/{}/reverse", "adj", `{}`}, {"POST", "/v1/transfers/{}/reverse", "trf", `{}`},
			{"GET", "/v1/keys/{}", "key", ""}, {"POST", "/v1/keys/{}/revoke", "key", `{}`}, {"POST", "/v1/keys/{}/rotate", "key", `{}`},
			{"GET", "/v1/webhooks/{}", "whk", ""}, {"PATCH", "/v1/webhooks/{}", "whk", `{}`}, {"DELETE", "/v1/webhooks/{}", "whk", ""}, {"POST", "/v1/webhooks/{}/test", "whk", ""},
			{"POST", "/v1/webhooks/{}/rotate", "whk", ""}, {"POST", "/v1/webhooks/{}/disable", "whk", ""}, {"POST", "/v1/webhooks/{}/enable", "whk", ""},
			{"GET", "/v1/webhooks/{}/deliveries", "whk", ""}, {"GET", "/v1/webhooks/{}/deliveries/" + event, "whk", ""}, {"POST", "/v1/webhooks/{}/deliveries/" + event + "/replay", "whk", ""},
			{"POST", "/v1/webhooks/{}/replay", "whk", `{"dead": true}`},
		}
		same := func(a *answer) string {
			var p web.Problem
			if err := json.Unmarshal(a.raw, &p); err != nil {
				t.Fatal(err)
			}
			p.RequestID = ""
			b, _ := json.Marshal(p)
			return string(b)
		}
		for _, r := range requests {
			theirs := h.as(other, r.method, strings.Replace(r.path, "{}", foreign[r.kind], 1), r.body).want(404)
			none := h.as(other, r.method, strings.Replace(r.path, "{}", r.kind+nowhere, 1), r.body).want(404)
			if same(theirs) != same(none) {
				t.Errorf("%s %s: %s is told from %s", r.method, r.path, theirs.raw, none.raw)
			}
		}
		for _, body := range []string{
			`{"member": "` + id + `", "amount": "10"}`, `{"member": "ext:1", "amount": "10"}`,
		} {
			h.as(other, "POST", "/v1/purchases", body).want(404)
		}
		h.as(other, "POST", "/v1/redemptions", `{"member": "`+id+`", "reward": "mug"}`).want(404)
		h.as(other, "GET", "/v1/rewards?member="+id, "").want(404)
		h.as(other, "GET", "/v1/purchases/till-1/R-1", "").want(404)
		h.as(other, "POST", "/v1/batches", `{"facts": [{"purchase": {"member": "`+id+`", "amount": "10"}}, {"return": {"purchase": "`+pur+`"}}]}`).want(200).is(2, "failed")
		for _, list := range []string{"/v1/members", "/v1/events", "/v1/members?ext=1", "/v1/audit"} {
			if a := h.as(other, "GET", list, "").want(200); len(a.items()) != 0 {
				t.Errorf("%s shows another program: %s", list, a.raw)
			}
		}
		if after := h.count(); after != before {
			t.Errorf("another program's key changed something: %+v, before %+v", after, before)
		}
	})
}

func TestIdempotency(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.enrol("1")
		const body = `{"member": "ext:1", "amount": "100"}`
		first := h.do("POST", "/v1/purchases", body, "Idempotency-Key", `"abc-1"`).want(201)
		if first.head.Get("Idempotent-Replayed") != "" {
			t.Error("the first answer is marked as replayed")
		}
		again := h.do("POST", "/v1/purchases", body, "Idempotency-Key", "abc-1").want(201)
		if again.head.Get("Idempotent-Replayed") != "true" || !bytes.Equal(again.raw, first.raw) {
			t.Errorf("again: %v\n%s\n%s", again.head, first.raw, again.raw)
		}
		h.do("POST", "/v1/purchases", strings.Replace(body, "100", "101", 1), "Idempotency-Key", "abc-1").refused(422, "idempotency_key_reused")
		h.do("POST", "/v1/activities", `{"member": "ext:1", "kind": "own_cup"}`, "Idempotency-Key", "abc-1").refused(422, "idempotency_key_reused")
		h.do("POST", "/v1/members/ext:1/identifiers", `{"kind": "card", "value": "12345"}`, "Idempotency-Key", "abc-1").refused(422, "idempotency_key_reused")
		h.as(h.key("kaffebaren", "purchases:write"), "POST", "/v1/purchases", body, "Idempotency-Key", "abc-1").want(201) // another client has keys of its own
		for _, bad := range []string{`""`, "a b", strings.Repeat("x", 256), `"a"b"`, "ø"} {
			h.do("POST", "/v1/purchases", body, "Idempotency-Key", bad).refused(400, "invalid_idempotency_key", "Idempotency-Key")
		}
		h.do("POST", "/v1/purchases", body, "Idempotency-Key", strings.Repeat("x", 255)).want(201)

		// A refusal did not happen: the key is free for what comes of it later, or for what is mended.
		const cup = `{"member": "ext:1", "reward": "voucher", "commit": true}`
		h.do("POST", "/v1/members", `{"external_id": "poor"}`).want(201)
		poor := strings.Replace(cup, "ext:1", "ext:poor", 1)
		h.do("POST", "/v1/redemptions", poor, "Idempotency-Key", "refused").refused(409, "balance_too_low")
		h.do("POST", "/v1/adjustments", `{"member": "ext:poor", "unit": "star", "amount": 100, "reason": "now there is enough"}`).want(201)
		h.do("POST", "/v1/redemptions", poor, "Idempotency-Key", "refused").want(201)
		h.do("POST", "/v1/activities", `{"member": "ext:1", "kind": "own_cap"}`, "Idempotency-Key", "wrong").want(422)
		h.do("POST", "/v1/activities", `{"member": "ext:1", "kind": "own_cup"}`, "Idempotency-Key", "wrong").want(201)

		card := `{"kind": "card", "value": "555001"}`
		one := h.do("POST", "/v1/members/ext:1/identifiers", card, "Idempotency-Key", "card").want(201)
		two := h.do("POST", "/v1/members/ext:1/identifiers", card, "Idempotency-Key", "card").want(201)
		if !bytes.Equal(one.raw, two.raw) || two.head.Get("Idempotent-Replayed") != "true" {
			t.Errorf("%s\n%s", one.raw, two.raw)
		}
		enrolled := h.do("POST", "/v1/members", `{"external_id": "9"}`, "Idempotency-Key", "enrol").want(201)
		h.do("POST", "/v1/members", `{"external_id": "9"}`, "Idempotency-Key", "enrol").want(201).is(enrolled.text("id"), "id")

		before := h.count()
		var wg sync.WaitGroup
		answers := make([]*answer, 20)
		for i := range answers {
			wg.Go(func() { answers[i] = h.do("POST", "/v1/purchases", body, "Idempotency-Key", "storm") })
		}
		wg.Wait()
		for _, a := range answers {
			if a.code != 409 && (a.code != 201 || !bytes.Equal(a.raw, answers[0].raw)) {
				t.Errorf("in a storm: %d %s", a.code, a.raw)
			}
		}
		if after := h.count(); after.Facts != before.Facts+1 {
			t.Errorf("%d facts came of one", after.Facts-before.Facts)
		}
	})
}

func TestPages(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for i := range 7 {
			h.enrol(fmt.Sprint(i))
			h.pass(time.Millisecond)
		}
		for i := range 6 {
			h.do("POST", "/v1/purchases", fmt.Sprintf(`{"member": "ext:0", "amount": "%d0"}`, i+1)).want(201)
			h.pass(time.Second)
		}
		for _, list := range []string{"/v1/members", "/v1/members/ext:0/facts", "/v1/members/ext:0/postings", "/v1/members/ext:0/explanations"} {
			whole := h.do("GET", list, "").want(200).items()
			var paged []any
			target := list + "?limit=2"
			for n := 0; target != ""; n++ {
				a := h.do("GET", target, "").want(200)
				paged = append(paged, a.items()...)
				target = ""
				if link := a.head.Get("Link"); link != "" {
					target = strings.TrimSuffix(strings.TrimPrefix(link, "<"), `>; rel="next"`)
					if !strings.Contains(target, "limit=2") || a.text("next_cursor") == "" {
						t.Errorf("%s: %s", list, link)
					}
				}
				if n == 0 { // what comes while one reads moves nothing
					h.do("POST", "/v1/purchases", `{"member": "ext:0", "amount": "10"}`).want(201)
				}
			}
			if list == "/v1/members" {
				h.enrol("late " + list)
			}
			a, _ := json.Marshal(whole)
			b, _ := json.Marshal(paged)
			if !bytes.Equal(a, b) {
				t.Errorf("%s: pages are not the whole:\n%s\n%s", list, a, b)
			}
			h.do("GET", list+"?cursor=AAAAAAAAAA", "").refused(400, "invalid_cursor", "cursor")
			for _, limit := range []string{"0", "501", "-1"} {
				h.do("GET", list+"?limit="+limit, "").refused(422, "invalid_limit", "limit")
			}
			h.do("GET", list+"?limit=x", "").refused(400, "invalid_parameter", "limit")
		}
	})
}

func TestQuotas(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, db.SQLite)
	h := newHouse(t, d, Limits{PerKey: web.Rate{Burst: 3, Window: time.Minute}, FailedAuth: web.Rate{Burst: 2, Window: time.Minute}, MaxBody: 300})
	for range 3 {
		a := h.do("GET", "/v1/me", "").want(200)
		if a.head.Get("RateLimit") == "" || a.head.Get("RateLimit-Policy") != `"key";q=3;w=60` {
			t.Errorf("headers %v", a.head)
		}
	}
	a := h.do("GET", "/v1/me", "").refused(429, "rate_limited")
	if a.head.Get("Retry-After") != "20" {
		t.Errorf("Retry-After %q", a.head.Get("Retry-After"))
	}
	h.pass(20 * time.Second)
	h.do("GET", "/v1/me", "").want(200)
	h.pass(time.Minute)
	for range 2 {
		h.as("lj_live_wrong", "GET", "/v1/me", "").want(401)
	}
	h.as("lj_live_wrong", "GET", "/v1/me", "").refused(429, "rate_limited")
	h.do("GET", "/v1/me", "").want(200) // a right key from the same address passes
	h.do("POST", "/v1/purchases", `{"member": "`+strings.Repeat("x", 400)+`"}`).refused(413, "body_too_large")
}

// TestMalformed sends what no client should: it is refused with the place of the mistake, and nothing is recorded.
func TestMalformed(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.enrol("1")
		before := h.count()
		for _, test := range []struct {
			body    string
			code    int
			reason  string
			pointer string
		}{
			{`{"member": "ext:1", "amount": "10"`, 400, "malformed_json", ""},
			{`{"member": "ext:1", "amount": "10"} x`, 400, "trailing_data", ""},
			{`{"member": "ext:1", "Amount": "10"}`, 400, "unknown_key", "/Amount"},
			{`{"member": "ext:1", "amount": "10", "earned": {"star": 1000}}`, 400, "unknown_key", "/earned"},
			{`{"member": "ext:1", "amount": "10", "amount": "20"}`, 400, "duplicate_key", "/amount"},
			{`{"member": "ext:1", "amount": 1e2}`, 422, "invalid_body", "/amount"},
			{`{"member": "ext:1", "amount": "1e2"}`, 422, "invalid_body", "/amount"},
			{`{"member": "ext:1", "amount": "NaN"}`, 422, "invalid_body", "/amount"},
			{`{"member": "ext:1", "amount": "١٢"}`, 422, "invalid_body", "/amount"},
			{`{"member": "ext:1", "amount": "999999999999999999"}`, 422, "", ""},
			{`{"member": "ext:1", "amount": "-10"}`, 422, "", ""},
			{`{"member": "ext:1", "amount": "0.001"}`, 422, "", ""},
			{`{"member": ["ext:1"], "amount": "10"}`, 422, "invalid_body", "/member"},
			{`{"member": "ext:1", "amount": "10", "occurred_at": "22.11.2026"}`, 422, "invalid_body", "/occurred_at"},
			{`{"member": "ext:1", "amount": "10", "occurred_at": "2026-11-22T10:00:00"}`, 422, "invalid_body", "/occurred_at"},
			{`{"member": "ext:1", "amount": "10", "occurred_at": "+12026-11-22T10:00:00Z"}`, 422, "invalid_body", "/occurred_at"},
			{`{"member": "ext:1", "amount": "10", "source": "a\u0000b", "external_id": "1"}`, 422, "invalid_body", "/source"},
			{`{"member": "ext:1", "amount": "10", "source": "` + strings.Repeat("a", 500) + `", "external_id": "1"}`, 422, "invalid_natural_key", "/source"},
			{"{\"member\": \"ext:\xff\", \"amount\": \"10\"}", 400, "invalid_utf8", "/member"},
			{strings.Repeat(`{"lines":[`, 60), 400, "too_deep", ""},
			{`[]`, 422, "invalid_body", ""}, {`null`, 422, "invalid_body", ""}, {`"x"`, 422, "invalid_body", ""}, {``, 400, "", ""},
			{`{"member": "' OR 1=1 --", "amount": "10"}`, 400, "invalid_member_reference", ""},
			{`{"member": "ext:1'; DROP TABLE facts", "amount": "10"}`, 404, "", ""},
			{`{"member": "ext:1", "lines": [{"id": "a", "amount": "1"}, {"id": "a", "amount": "1"}]}`, 422, "", ""},
		} {
			a := h.do("POST", "/v1/purchases", test.body, "Content-Type", "application/json")
			if test.reason == "" {
				if a.code != test.code {
					t.Errorf("%s: %d %s", test.body, a.code, a.raw)
				}
				continue
			}
			if test.pointer == "" {
				a.refused(test.code, test.reason)
			} else {
				a.refused(test.code, test.reason, test.pointer)
			}
		}
		h.do("POST", "/v1/purchases", "member=1", "Content-Type", "application/x-www-form-urlencoded").refused(415, "unsupported_media_type")
		h.do("POST", "/v1/purchases", `{"member": "ext:nobody", "amount": "1.00"}`).refused(404, "member_not_found", "/member")
		h.do("POST", "/v1/purchases", `{"member": "shoe:42", "amount": "1.00"}`).refused(400, "invalid_member_reference", "/member")
		h.do("POST", "/v1/members/ext:nobody/block", "").refused(404, "member_not_found")
		h.do("GET", "/v1/nothing", "").refused(404, "not_found")
		h.do("DELETE", "/v1/purchases", "").refused(405, "method_not_allowed")
		h.do("GET", "/v1/me?x=1", "").refused(400, "invalid_parameter", "x")
		if after := h.count(); after != before {
			t.Errorf("something was recorded: %+v, before %+v", after, before)
		}
	})
}

// Behind a proxy all callers have one address. Where the proxy is trusted each is counted for itself, and none can be counted for another.
func TestWrongKeysAreCountedForTheCallerBehindAProxy(t *testing.T) {
	t.Parallel()
	h := newHouse(t, dbtest.Open(t, db.SQLite), Limits{})
	behind := func(trusted ...string) func(caller string) int {
		p := &web.Proxies{}
		for _, text := range trusted {
			p.Trusted = append(p.Trusted, netip.MustParsePrefix(text))
		}
		srv := New(Config{DB: h.d, Recorder: h.rec, Versions: h.vs, Clock: h.clock, Proxies: p, Limits: Limits{FailedAuth: web.Rate{Burst: 2, Window: time.Minute}}})
		return func(caller string) int {
			req := httptest.NewRequest(http.MethodGet, "/v1/me", http.NoBody)
			req.RemoteAddr = "10.0.0.1:4711"
			req.Header.Set("X-Forwarded-For", caller)
			req.Header.Set("Authorization", "Bearer wrong")
			w := httptest.NewRecorder()
			srv.ServeHTTP(w, req)
			return w.Code
		}
	}
	trusted := behind("10.0.0.0/8")
	for _, c := range []struct {
		caller string
		want   int
	}{
		{"203.0.113.1", 401}, {"203.0.113.1", 401}, {"203.0.113.1", 429}, {"203.0.113.2", 401},
		{"198.51.100.7, 203.0.113.1", 429}, // a lie on the left does not make it somebody else
		{"2001:db8:0:1::1", 401}, {"2001:db8:0:1::2", 401}, {"2001:db8:0:1:ffff::3", 429}, {"2001:db8:0:2::1", 401},
	} {
		if got := trusted(c.caller); got != c.want {
			t.Errorf("%s: %d, want %d", c.caller, got, c.want)
		}
	}
	nobody := behind()
	for i, want := range []int{401, 401, 429} {
		if got := nobody(fmt.Sprintf("203.0.113.%d", i)); got != want {
			t.Errorf("without trust, %d: %d, want %d", i, got, want)
		}
	}
}
