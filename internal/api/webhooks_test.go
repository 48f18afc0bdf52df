package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/relay"
	"lojal.dev/lojal/internal/webhook"
)

func TestWebhooks(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		woken := 0
		h.srv.Wake = func() { woken++ }
		const body = `{"url": "https://shop.example.com/lojal?x=1", "description": "Shop", "types": ["tier.up", "points.*"]}`
		made := h.do("POST", "/v1/webhooks", body, "Idempotency-Key", "k1").want(201).is("active", "status").is("thin", "payload").is("standard", "format").is(8, "concurrency").is("points.*", "types", 0)
		id, secret := made.text("id"), made.text("secret")
		if !strings.HasPrefix(secret, "whsec_") || made.head.Get("Location") != "/v1/webhooks/"+id || woken != 1 {
			t.Errorf("%s, %s, woken %d times", made.raw, made.head.Get("Location"), woken)
		}
		again := h.do("POST", "/v1/webhooks", body, "Idempotency-Key", "k1").want(201).is(id, "id").is(nil, "secret")
		if again.head.Get("Idempotent-Replayed") != "true" {
			t.Error("it is not marked as replayed")
		}
		list := h.do("GET", "/v1/webhooks", "").want(200).is(id, "items", 0, "id")
		if len(list.items()) != 1 || strings.Contains(string(list.raw), "whsec") {
			t.Errorf("%s", list.raw)
		}
		one := h.do("GET", "/v1/webhooks/"+id, "").want(200).is(0, "deliveries", "pending").is(0, "deliveries", "dead").is(nil, "secret_missing")
		if strings.Contains(string(one.raw), "whsec") {
			t.Errorf("%s", one.raw)
		}
		patched := h.do("PATCH", "/v1/webhooks/"+id, `{"types": [], "description": "", "per_second": 5}`, "If-Match", `"1"`).want(200).is(5, "per_second").is(nil, "description")
		if got := patched.head.Get("ETag"); got != `"2"` || len(patched.get("types").([]any)) != 0 {
			t.Errorf("%s, %s", got, patched.raw)
		}
		h.do("PATCH", "/v1/webhooks/"+id, `{"per_second": 6}`, "If-Match", `"1"`).refused(412, "stale_revision")
		h.do("PATCH", "/v1/webhooks/"+id, `{"format": "xml", "types": ["x"]}`).refused(422, "invalid_webhook", "/format", "/types/0")
		h.do("PATCH", "/v1/webhooks/"+id, `{"url": "https://10.0.0.1/"}`).refused(422, "invalid_webhook", "/url")

		rotated := h.do("POST", "/v1/webhooks/"+id+"/rotate", `{"overlap_seconds": 60}`).want(200)
		if s := rotated.text("secret"); s == secret || rotated.text("previous_secret_until") != "2026-11-22T13:01:00+01:00" {
			t.Errorf("%s", rotated.raw)
		}
		h.do("POST", "/v1/webhooks/"+id+"/rotate", `{"overlap_seconds": 99999999999999999}`).refused(422, "invalid_overlap", "/overlap_seconds")
		h.do("POST", "/v1/webhooks/"+id+"/rotate", `{"secret": "whsec_short"}`).refused(422, "invalid_secret", "/secret")

		test := h.do("POST", "/v1/webhooks/"+id+"/test", "").want(201).is("webhook.test", "type").is("pending", "status").is(id, "message", "data", "data", "webhook")
		event := test.text("event")
		h.do("GET", "/v1/webhooks/"+id, "").want(200).is(1, "deliveries", "pending").is("2026-11-22T13:00:00+01:00", "deliveries", "oldest_pending_at")
		h.do("GET", "/v1/webhooks/"+id+"/deliveries/"+event, "").want(200).is("webhook.test", "message", "type")
		h.do("GET", "/v1/webhooks/"+id+"/deliveries/evt_x", "").refused(404, "delivery_not_found")
		for range 2 {
			h.pass(time.Second)
			h.do("POST", "/v1/webhooks/"+id+"/test", "").want(201)
		}
		page := h.do("GET", "/v1/webhooks/"+id+"/deliveries?limit=2&status=pending", "").want(200)
		if len(page.items()) != 2 || page.get("items", 0, "message") != nil {
			t.Errorf("%s", page.raw)
		}
		rest := h.do("GET", "/v1/webhooks/"+id+"/deliveries?limit=2&status=pending&cursor="+page.text("next_cursor"), "").want(200).is(event, "items", 0, "event").is(nil, "next_cursor")
		if len(rest.items()) != 1 {
			t.Errorf("%s", rest.raw)
		}
		if dead := h.do("GET", "/v1/webhooks/"+id+"/deliveries?status=dead", "").want(200); len(dead.items()) != 0 {
			t.Errorf("%s", dead.raw)
		}
		h.do("GET", "/v1/webhooks/"+id+"/deliveries?status=lost", "").refused(400, "invalid_parameter", "status")

		h.do("POST", "/v1/webhooks/"+id+"/deliveries/"+event+"/replay", "").want(200).is("pending", "status")
		h.do("POST", "/v1/webhooks/"+id+"/replay", `{"dead": true}`).want(200).is(0, "dead")
		h.do("POST", "/v1/webhooks/"+id+"/replay", `{"since": "2026-11-01T00:00:00Z"}`).want(200).is("2026-11-01T01:00:00+01:00", "since")
		h.do("GET", "/v1/webhooks/"+id, "").want(200).is(true, "replaying")
		for _, wrong := range []string{`{}`, `{"dead": true, "since": "2026-11-01T00:00:00Z"}`} {
			h.do("POST", "/v1/webhooks/"+id+"/replay", wrong).refused(422, "invalid_replay", "/since")
		}
		h.do("POST", "/v1/webhooks/"+id+"/replay", `{"since": "2099-01-01T00:00:00Z"}`).refused(422, "invalid_since", "/since")

		h.do("POST", "/v1/webhooks/"+id+"/disable", "").want(200).is("disabled", "status").is("by_hand", "disabled_reason")
		h.do("POST", "/v1/webhooks/"+id+"/test", "").refused(409, "webhook_disabled")
		h.do("POST", "/v1/webhooks/"+id+"/enable", `{"skip_missed": true}`).want(200).is("active", "status").is(nil, "disabled_reason")
		if dead := h.do("GET", "/v1/webhooks/"+id+"/deliveries?status=dead", "").want(200); len(dead.items()) != 3 {
			t.Errorf("%s", dead.raw)
		}
		h.do("DELETE", "/v1/webhooks/"+id, "").want(200).is(id, "id")
		h.do("GET", "/v1/webhooks/"+id, "").refused(404, "webhook_not_found")

		trail := h.do("GET", "/v1/audit?target="+id+"&limit=100", "").want(200)
		var actions []string
		for _, e := range trail.items() {
			actions = append(actions, e.(map[string]any)["action"].(string))
		}
		for _, want := range []string{"webhook.created", "webhook.changed", "webhook.rotated", "webhook.tested", "webhook.replayed", "webhook.disabled", "webhook.enabled", "webhook.removed"} {
			if !slices.Contains(actions, want) {
				t.Errorf("the audit has no %s: %v", want, actions)
			}
		}
		for _, text := range []string{string(trail.raw), h.log.String()} {
			if strings.Contains(text, "whsec") || strings.Contains(text, "?x=1") {
				t.Errorf("a secret stands in\n%s", text)
			}
		}
	})
}

func TestAWebhookIsMadeOnlyForWhatTheOperatorAllows(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for _, url := range []string{"http://shop.example.com/", "https://localhost/", "https://127.0.0.1/", "https://[::1]/", "http://169.254.169.254/latest"} {
			h.do("POST", "/v1/webhooks", `{"url": "`+url+`"}`).refused(422, "invalid_webhook", "/url")
		}
		allowed, err := relay.ParseTargets([]string{"127.0.0.1"})
		if err != nil {
			t.Fatal(err)
		}
		h.srv.Targets = allowed
		h.do("POST", "/v1/webhooks", `{"url": "http://127.0.0.1:9/hook"}`).want(201)
	})
}

// What a webhook sends is what the feed shows, and with full what GET /v1/facts shows besides.
func TestWhatIsSentIsWhatTheFeedShows(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.enrol("1")
		pur := h.do("POST", "/v1/purchases", `{"member": "ext:1", "amount": "120"}`).want(201).text("id")
		// a purchase that is too large for a message
		var lines []string
		for i := range 400 {
			lines = append(lines, fmt.Sprintf(`{"sku": "%d%s", "amount": "1"}`, i, strings.Repeat("x", 60)))
		}
		large := h.do("POST", "/v1/purchases", `{"member": "ext:1", "lines": [`+strings.Join(lines, ",")+`]}`).want(201).text("id")
		dbtest.Settle(t, h.d)
		feed := h.do("GET", "/v1/events?limit=500", "").want(200).items()
		var thin, full []json.RawMessage
		err := h.d.Read(t.Context(), func(tx *db.Tx) error {
			list, err := books.Events(t.Context(), tx, "kaffebaren", books.Cursor{}, 500)
			if err != nil {
				return err
			}
			if thin, err = h.srv.RenderEvents(t.Context(), tx, "kaffebaren", list, false); err != nil {
				return err
			}
			full, err = h.srv.RenderEvents(t.Context(), tx, "kaffebaren", list, true)
			return err
		})
		if err != nil || len(thin) != len(feed) || len(full) != len(feed) {
			t.Fatalf("%d, %d of %d: %v", len(thin), len(full), len(feed), err)
		}
		decode := func(raw []byte) (v map[string]any) {
			if err := json.Unmarshal(raw, &v); err != nil {
				t.Fatal(err)
			}
			return v
		}
		omitted := 0
		for i := range feed {
			want, err := json.Marshal(feed[i])
			if err != nil {
				t.Fatal(err)
			}
			if got, err := json.Marshal(decode(thin[i])); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s, and the feed shows %s", got, want)
			}
			one := decode(full[i])
			if len(full[i]) > webhook.MaxData {
				t.Errorf("%d bytes", len(full[i]))
			}
			switch one["fact"] {
			case large:
				omitted++
				if one["resource_omitted"] != true || one["resource"] != nil {
					t.Errorf("%s", full[i])
				}
			case pur:
				got, _ := json.Marshal(one["resource"])
				shown, _ := json.Marshal(h.do("GET", "/v1/facts/"+pur, "").want(200).body)
				if !bytes.Equal(got, shown) {
					t.Errorf("%s, and it is shown as %s", got, shown)
				}
			}
		}
		if omitted == 0 {
			t.Error("nothing was too large")
		}
	})
}

// Every message that is sent has the form that the document says.
func TestTheDocumentDescribesEveryMessage(t *testing.T) {
	t.Parallel()
	d := newDocument()
	var doc struct {
		Webhooks map[string]struct {
			Post struct {
				RequestBody struct {
					Content map[string]struct {
						Schema  openapi3.SchemaRef `json:"schema"`
						Example any                `json:"example"`
					} `json:"content"`
				} `json:"requestBody"`
			} `json:"post"`
		} `json:"webhooks"`
	}
	if err := json.Unmarshal(d.json, &doc); err != nil {
		t.Fatal(err)
	}
	all := slices.Concat(engine.EventTypes, webhook.OwnTypes)
	if len(doc.Webhooks) != len(all) {
		t.Errorf("%d of %d types are described", len(doc.Webhooks), len(all))
	}
	for _, typ := range all {
		content := doc.Webhooks[typ.Type].Post.RequestBody.Content["application/json"]
		if content.Schema.Value == nil {
			t.Errorf("%s has no schema", typ.Type)
			continue
		}
		if err := content.Schema.Value.VisitJSON(content.Example); err != nil {
			t.Errorf("the example of %s: %v", typ.Type, err)
		}
		wrong := map[string]any{"type": typ.Type, "timestamp": "2026-11-22T12:00:00Z", "data": map[string]any{}}
		if content.Schema.Value.VisitJSON(wrong) == nil {
			t.Errorf("anything is taken for %s", typ.Type)
		}
	}
}
