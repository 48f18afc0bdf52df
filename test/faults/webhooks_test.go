package faults

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// receiver is an endpoint that keeps what it gets, and checks each signature with the reference library.
type receiver struct {
	r      *run
	id     string
	server *httptest.Server

	mu     sync.Mutex
	verify *standardwebhooks.Webhook
	bodies map[string]string // by webhook-id
	taken  int               // messages in all
}

// receiver makes an endpoint that answers so; n counts its messages from 1.
func (d *desk) receiver(answer func(w http.ResponseWriter, q *http.Request, n int)) *receiver {
	d.Helper()
	v := &receiver{r: d.run, bodies: map[string]string{}}
	v.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		if err != nil {
			return // the program was killed
		}
		answer(w, q, v.take(q, string(body)))
	}))
	d.Cleanup(func() {
		v.server.CloseClientConnections()
		v.server.Close()
	})
	var made struct{ ID, Secret string }
	d.caller.must(d, d.base(0), post("/v1/webhooks", "", map[string]any{"url": v.server.URL + "/hook"}), &made)
	verify, err := standardwebhooks.NewWebhook(made.Secret)
	if err != nil {
		d.Fatal(err)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.id, v.verify = made.ID, verify
	return v
}

func (v *receiver) take(q *http.Request, body string) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	id := q.Header.Get("webhook-id")
	if err := v.verify.Verify([]byte(body), q.Header); err != nil || id == "" {
		v.r.Errorf("a message without a right signature: %v %v", err, q.Header)
	}
	if first, again := v.bodies[id]; again && first != body {
		v.r.Errorf("%s came again with another body:\n%s\n%s", id, first, body)
	}
	v.bodies[id] = body
	v.taken++
	return v.taken
}

// feed reads the ids of all events after a cursor, and gives where to go on.
func (d *desk) feed(cursor string) (ids map[string]bool, next string) {
	d.Helper()
	ids = map[string]bool{}
	for {
		var page struct {
			Items []struct {
				ID string `json:"id"`
			} `json:"items"`
			Next string `json:"next_cursor"`
			More bool   `json:"more"`
		}
		d.caller.must(d, d.base(0), get("/v1/events?limit=500&cursor="+cursor), &page)
		for _, e := range page.Items {
			ids[e.ID] = true
		}
		if cursor = page.Next; !page.More {
			return ids, cursor
		}
	}
}

// fed waits until n events are in the feed, and gives where to go on behind them. On PostgreSQL what is recorded comes into the feed only when
// no transaction is open that is older, of whomever the server has besides: until then a cursor of the feed's end has it before it.
func (d *desk) fed(n int) (cursor string) {
	d.Helper()
	d.until("what was recorded is in the feed", 2*time.Minute, func() error {
		ids, next := d.feed("")
		if cursor = next; len(ids) != n {
			return fmt.Errorf("it has %d events of %d", len(ids), n)
		}
		return nil
	})
	return cursor
}

// behind says how much a receiver has not got of what it must: of the feed after the cursor, and of these facts, whether they are in
// the feed yet or not. What it got must be in the feed: that is read behind it, since an event can come into the feed and be sent at any moment.
func (v *receiver) behind(d *desk, cursor string, facts []string) error {
	v.mu.Lock()
	got := maps.Clone(v.bodies)
	v.mu.Unlock()
	feed, _ := d.feed(cursor)
	for id := range got {
		if !feed[id] && strings.Count(id, "_") > 1 { // webhook.disabled is not in the feed
			v.r.Errorf("%s was sent, and is not in the feed", id)
		}
	}
	for _, id := range facts {
		_, own, _ := strings.Cut(id, "_")
		feed["evt_"+own+"_1"] = true // its first event
	}
	left := 0
	for id := range feed {
		if _, ok := got[id]; !ok {
			left++
		}
	}
	if left > 0 {
		return fmt.Errorf("%d of %d events have not come", left, len(feed))
	}
	return nil
}

// TestR14KilledBetweenCommitAndDispatch kills nodes at random while purchases are recorded and sent: every committed event comes at
// least once, under one id and with one body, and nothing else comes.
func TestR14KilledBetweenCommitAndDispatch(t *testing.T) {
	t.Parallel()
	each(t, func(r *run) {
		d := openDesk(r, 2, "--webhook-allow", "127.0.0.1", "--lease", "150ms")
		member := d.caller.enrol(r, d.base(0), "person", 1)[0]
		from := d.fed(1)
		v := d.receiver(func(w http.ResponseWriter, _ *http.Request, n int) {
			if n%7 == 0 { // now and then it fails by itself
				w.WriteHeader(http.StatusInternalServerError)
			}
		})
		bought := 0
		var facts []string // that were acknowledged
		for range times(5, 100) {
			victim := d.nodes[r.rnd.IntN(len(d.nodes))]
			timer := time.AfterFunc(between(r.rnd, 0, 600*time.Millisecond), victim.kill)
			for {
				p := d.caller.send(context.WithoutCancel(d.Context()), victim.address(), purchase(member, 10, bankIs, "w"+strconv.Itoa(bought)))
				switch o := p.outcome(); {
				case o == broken || o == refused && !p.unsent:
					r.Errorf("%s", p)
				case o == acked:
					var a answer
					if err := p.into(&a); err != nil {
						r.Error(err)
					}
					facts = append(facts, a.ID)
				}
				bought++
				if cmd, _ := victim.running(); cmd == nil {
					break
				}
				r.pause(5 * time.Millisecond)
			}
			timer.Stop()
			victim.kill()
			victim.start()
			r.count("kills", 1)
		}
		r.until("every event has come", 90*time.Second, func() error { return v.behind(d, from, facts) })
		feed, _ := d.feed(from)
		v.mu.Lock()
		r.count("events", len(feed))
		r.count("messages", v.taken)
		v.mu.Unlock()
		if len(feed) == 0 {
			r.Error("nothing was recorded")
		}
		for _, n := range d.nodes {
			n.stop()
		}
		r.prove()
	})
}

// TestR13ReceiversThatDoEverythingWrong has one good receiver beside ones that do everything wrong: it waits for none of them, the
// redirects lead nowhere, and the program's memory stays flat.
func TestR13ReceiversThatDoEverythingWrong(t *testing.T) {
	t.Parallel()
	each(t, func(r *run) {
		// Those that hang do so for longer than the good one may take: if it had to wait for one of them, it would fail on any machine.
		const hangs, may = 150 * time.Second, 120 * time.Second
		door := r.freeAddress()
		d := openDesk(r, 1, "--webhook-allow", "127.0.0.1", "--webhook-timeout", hangs.String(), "--ops-addr", door)
		member := d.caller.enrol(r, d.base(0), "person", 1)[0]
		leave := make(chan struct{})
		r.Cleanup(func() { close(leave) })
		wait := func(q *http.Request) {
			select {
			case <-leave:
			case <-q.Context().Done():
			}
		}
		trap := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { r.Error("a redirect was followed") }))
		r.Cleanup(trap.Close)
		status := func(code int, head ...string) func(http.ResponseWriter, *http.Request, int) {
			return func(w http.ResponseWriter, _ *http.Request, _ int) {
				for i := 0; i < len(head); i += 2 {
					w.Header().Set(head[i], head[i+1])
				}
				w.WriteHeader(code)
			}
		}
		cut := func(text string) func(http.ResponseWriter, *http.Request, int) {
			return func(w http.ResponseWriter, _ *http.Request, _ int) {
				c, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					r.Error(err)
					return
				}
				_, _ = io.WriteString(c, text)
				_ = c.(*net.TCPConn).SetLinger(0)
				c.Close()
			}
		}
		from := d.fed(1)
		bad := map[string]*receiver{
			"500":          d.receiver(status(500)),
			"hang":         d.receiver(func(_ http.ResponseWriter, q *http.Request, _ int) { wait(q) }),
			"reset":        d.receiver(cut("")),
			"reset inside": d.receiver(cut("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")),
			"drip": d.receiver(func(w http.ResponseWriter, q *http.Request, _ int) {
				tick := time.NewTicker(50 * time.Millisecond)
				defer tick.Stop()
				for {
					select {
					case <-leave:
						return
					case <-q.Context().Done():
						return
					case <-tick.C:
						_, _ = io.WriteString(w, "x")
						_ = http.NewResponseController(w).Flush()
					}
				}
			}),
			"redirect":      d.receiver(status(302, "Location", "http://169.254.169.254/latest/meta-data/")),
			"redirect here": d.receiver(status(307, "Location", trap.URL)),
			"gone":          d.receiver(status(410)),
			"busy":          d.receiver(status(429, "Retry-After", "3600")),
			"huge": d.receiver(func(w http.ResponseWriter, _ *http.Request, _ int) {
				chunk := make([]byte, 1<<20)
				for range 1 << 10 {
					if _, err := w.Write(chunk); err != nil {
						return
					}
				}
			}),
		}
		failed := map[string]bool{}
		var fails sync.Mutex
		later := d.receiver(func(w http.ResponseWriter, q *http.Request, _ int) {
			fails.Lock()
			defer fails.Unlock()
			if id := q.Header.Get("webhook-id"); len(failed) < 3 && !failed[id] { // each of three fails once
				failed[id] = true
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		})
		good := d.receiver(func(http.ResponseWriter, *http.Request, int) {})
		var facts []string
		buy := func(round, n int) {
			for i := range n {
				var a answer
				d.caller.must(r, d.base(0), purchase(member, 10, bankIs, fmt.Sprintf("b%d-%d", round, i)), &a)
				facts = append(facts, a.ID)
			}
		}
		comes := func() {
			took := r.until("the good receiver has every event", may, func() error { return good.behind(d, from, facts) })
			r.count("milliseconds until all had come", int(took.Milliseconds()))
		}
		buy(0, 50)
		comes()
		before, peak := r.held(door), int64(0)
		for round := range times(4, 60) {
			buy(1+round, 50)
			comes()
			peak = max(peak, d.nodes[0].memory())
		}
		after := r.held(door)
		if after > before+8<<20 || peak > most {
			r.Errorf("the program held %d bytes and then %d; it had up to %d MiB of the machine", before, after, peak>>20)
		}
		r.count("KiB held before", int(before>>10))
		r.count("KiB held behind", int(after>>10))
		r.count("MiB at most", int(peak>>20))
		r.until("a receiver that comes back has every event", may, func() error { return later.behind(d, from, facts) })
		var one struct {
			Status string `json:"status"`
			Reason string `json:"disabled_reason"`
		}
		if d.caller.must(r, d.base(0), get("/v1/webhooks/"+bad["gone"].id), &one); one.Status != "disabled" || one.Reason != "gone" {
			r.Errorf("who is gone: %+v", one)
		}
		for name, v := range bad {
			v.mu.Lock()
			n := v.taken
			v.mu.Unlock()
			if n == 0 {
				r.Errorf("nothing was sent to %s", name)
			}
			r.count("messages to "+name, n)
		}
		d.nodes[0].stop()
		r.prove()
	})
}
