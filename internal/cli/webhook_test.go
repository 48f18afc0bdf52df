package cli_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

func TestWebhooksFromTheCommandLine(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *shell) {
		var secret atomic.Value
		secret.Store("")
		status := atomic.Int64{}
		status.Store(200)
		receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			wh, err2 := standardwebhooks.NewWebhook(secret.Load().(string))
			if err != nil || err2 != nil || wh.Verify(body, r.Header) != nil {
				t.Errorf("%v %v: it is not signed as it should: %v", err, err2, r.Header)
			}
			w.WriteHeader(int(status.Load()))
			_, _ = io.WriteString(w, "as you wish")
		}))
		t.Cleanup(receiver.Close)
		s.publish()
		hook := receiver.URL + "/hook"

		s.fails(3, args("webhook add ftp://example.com"), "/url", "https://")
		s.fails(3, args("webhook add https://example.com --type points.lost"), "no event of the type", "docs/events.md")
		made := s.run("webhook", "add", hook, "--type", "points.*,tier.up", "--description", "Ours")
		if made.status != 0 || !strings.HasPrefix(made.out, "whsec_") || strings.Contains(made.err, "whsec_") {
			t.Fatalf("%+v", made)
		}
		made.says(t, "shown only now", "--webhook-allow 127.0.0.1")
		secret.Store(strings.TrimSpace(made.out))
		s.ok(args("webhook list"), hook, "points.* tier.up", "active", "0 waiting, 0 dead")
		s.fails(10, args("webhook test", hook, "--wait", "0s"), "No server has sent it", "lojal serve")

		srv := s.start("An API key", "serve", "--webhook-allow", "127.0.0.1", "--webhook-allow", "hooks.internal")
		s.ok(args("webhook test", hook), "took it: answered 200")
		status.Store(503)
		s.fails(10, args("webhook test", hook), "answered 503", "as you wish")
		s.ok(args("webhook deliveries", hook), "webhook.test", "delivered, 1 attempt", "answered 200", "pending", "answered 503")
		s.ok(args("webhook deliveries --status dead", hook), "There is no such delivery")
		status.Store(204)

		rotated := s.run("webhook", "rotate", hook, "--overlap", "1h")
		if rotated.status != 0 || !strings.HasPrefix(rotated.out, "whsec_") || rotated.out == made.out {
			t.Fatalf("%+v", rotated)
		}
		s.ok(args("webhook test", hook), "took it") // still with the old secret, too
		s.ok(args("webhook change", hook, "--type=", "--per-second", "100"), "is changed")
		list := decode[[]map[string]any](s, "webhook", "list")
		if len(list) != 1 || len(list[0]["types"].([]any)) != 0 || list[0]["per_second"] != 100.0 || list[0]["secret"] != nil {
			t.Errorf("%v", list)
		}
		id := list[0]["id"].(string)

		s.ok(args("webhook disable", id), "Nothing is sent")
		s.ok(args("webhook list"), "disabled", "by hand")
		s.fails(5, args("webhook test", id), "disabled", "enable")
		s.ok(args("webhook enable", id), "again")
		s.fails(2, args("webhook replay", id), "--dead", "--last")
		s.fails(2, args("webhook replay", id, "--dead", "--last", "1h"))
		s.ok(args("webhook replay", id, "--dead"), "0 dead events sent again")
		s.ok(args("webhook replay", id, "--last", "1h"), "All that was recorded since")
		deliveries := decode[[]map[string]any](s, "webhook", "deliveries", id)
		if len(deliveries) < 3 {
			t.Fatalf("%v", deliveries)
		}
		s.ok(args("webhook replay", id, "--event", deliveries[0]["event"].(string)), "sent again")
		s.fails(4, args("webhook replay", id, "--event", "evt_unknown"), "no such delivery")
		srv.stop()

		second := decode[map[string]any](s, "webhook", "add", hook, "--payload", "full", "--format", "cloudevents", "--concurrency", "2")
		if second["secret"] == nil || second["payload"] != "full" || second["format"] != "cloudevents" || second["concurrency"] != 2.0 {
			t.Errorf("%v", second)
		}
		s.fails(2, args("webhook remove", hook), "Several webhooks")
		s.ok(args("webhook remove", second["id"].(string)), "removed")
		s.ok(args("webhook remove", hook), "removed")
		s.fails(4, args("webhook remove", hook), "lojal webhook list")
		s.ok(args("webhook list"), "There is no webhook yet")
		s.fails(2, args("serve --webhook-allow http://x"), "no network")
	})
}

func TestJobsFromTheCommandLine(t *testing.T) {
	t.Parallel()
	each(t, func(_ *testing.T, s *shell) {
		s.publish()
		s.ok(args("job list"), "There is no such job")
		srv := s.start("An API key", "serve")
		waits := func() { // until the sweep waits for its next time
			for told := ""; !strings.Contains(told, "due"); {
				told = s.ok(args("job list --kind sweep --state scheduled"))
			}
		}
		waits()
		sweep := decode[map[string][]map[string]any](s, "job", "list", "--kind", "sweep")["jobs"][0]["id"].(string)
		s.ok(args("job pause sweep"), "No server takes")
		s.ok(args("job retry", sweep), "available")
		s.ok(args("job list"), "Paused: sweep", "available")
		s.ok(args("job resume sweep"), "done again")
		waits()
		s.ok(args("job cancel", sweep), "cancelled")
		s.ok(args("job list --state cancelled"), sweep)
		srv.stop()
		s.fails(4, args("job cancel job_unknown"), "no such job")
	})
}
