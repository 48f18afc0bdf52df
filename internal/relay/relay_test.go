package relay

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/job"
	"lojal.dev/lojal/internal/member"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/version"
	"lojal.dev/lojal/internal/webhook"
)

const shop = `
program: shop
name: Shop
time_zone: Europe/Oslo
currency: NOK
units: {point: {name: {en: {one: point, other: points}}}}
earn: [{id: base, on: purchase, give: {unit: point, amount: 1, per: 1.00}}]
rewards: [{id: mug, title: Mug, price: {point: 100000}, gives: {product: mug}}]
`

// office is a program with one member, and nodes that send.
type office struct {
	t      *testing.T
	d      *db.DB
	rec    *record.Recorder
	member string
	// ahead is how far the clock of all nodes is ahead of the real one.
	ahead atomic.Int64
}

func open(t *testing.T, d *db.DB) *office {
	t.Helper()
	doc, err := program.Parse([]byte(shop), "shop.yaml")
	if err != nil {
		t.Fatal(err)
	}
	o := &office{t: t, d: d}
	o.write(func(tx *db.Tx) error {
		_, err := version.Publish(t.Context(), tx, version.PublishInput{Program: "shop", Document: doc, By: "test", Now: o.now().Add(-time.Hour)})
		return err
	})
	o.rec = record.New(d, &version.Cache{})
	t.Cleanup(o.rec.Close)
	r, err := o.rec.Record(t.Context(), record.Request{Program: "shop", Now: o.now(), Fact: engine.Fact{Kind: engine.Enrolment}, Enrol: &member.New{Profile: member.Profile{ExternalID: "kari"}}})
	if err != nil {
		t.Fatal(err)
	}
	o.member = r.Fact.Member
	return o
}

func each(t *testing.T, body func(t *testing.T, o *office)) {
	t.Helper()
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) { body(t, open(t, d)) })
}

func (o *office) now() time.Time       { return time.Now().Add(time.Duration(o.ahead.Load())) }
func (o *office) pass(d time.Duration) { o.ahead.Add(int64(d)) }
func (o *office) ctx() context.Context { return context.WithoutCancel(o.t.Context()) }
func (o *office) get(r webhook.Ref) (e *webhook.Endpoint) {
	o.t.Helper()
	o.write(func(tx *db.Tx) (err error) {
		e, err = webhook.Get(o.ctx(), tx, r.Program, r.ID)
		return err
	})
	return e
}

func (o *office) write(fn func(*db.Tx) error) {
	o.t.Helper()
	if err := o.d.Write(o.ctx(), fn); err != nil {
		o.t.Fatal(err)
	}
}

// buy records n purchases, and one that is refused.
func (o *office) buy(n int) {
	o.t.Helper()
	ten := money.MustParse("10")
	var reqs []record.Request
	for range n {
		reqs = append(reqs, record.Request{Program: "shop", Now: o.now(), Member: o.member, Fact: engine.Fact{Kind: engine.PurchaseK, Purchase: &engine.Purchase{Amount: &ten}}})
	}
	for _, out := range o.rec.Batch(o.ctx(), reqs) {
		if out.Err != nil {
			o.t.Fatal(out.Err)
		}
	}
	_, err := o.rec.Record(o.ctx(), record.Request{Program: "shop", Now: o.now(), Member: o.member, Fact: engine.Fact{Kind: engine.Redeem, Redemption: &engine.Redemption{Spend: engine.Spend{Reward: "mug"}}}})
	if !errs.Is(err, errs.CodeInsufficient, "") {
		o.t.Fatal(err)
	}
}

// events gives the feed after the place.
func (o *office) events(after books.Cursor) (out []books.Event) {
	o.t.Helper()
	dbtest.Settle(o.t, o.d)
	o.write(func(tx *db.Tx) error {
		if _, err := books.LineUp(o.ctx(), tx, "shop"); err != nil {
			return err
		}
		out = nil
		for {
			list, err := books.Events(o.ctx(), tx, "shop", after, 500)
			if err != nil || len(list) == 0 {
				return err
			}
			out, after = append(out, list...), list[len(list)-1].Cursor
		}
	})
	return out
}

// render gives the event's own data, and with full a note of it.
func render(_ context.Context, _ *db.Tx, _ string, events []books.Event, full bool) ([]json.RawMessage, error) {
	out := make([]json.RawMessage, len(events))
	for i, e := range events {
		text, err := json.Marshal(map[string]any{"id": e.ID, "fact": e.Fact, "full": full, "data": e.Data})
		if err != nil {
			return nil, err
		}
		out[i] = text
	}
	return out, nil
}

// node starts a node that sends; stop stops it as a signal does.
func (o *office) node(change func(*Options)) (r *Relay, stop func()) {
	o.t.Helper()
	opts := Options{
		DB: o.d, Clock: o.now, Render: render, Timeout: 10 * time.Second, Version: "test", Targets: targets(o.t, "127.0.0.1"),
		Schedule: []time.Duration{time.Millisecond, time.Millisecond, time.Millisecond},
		poll:     20 * time.Millisecond, feedPoll: 5 * time.Millisecond, pause: time.Millisecond,
	}
	if change != nil {
		change(&opts)
	}
	r = New(opts)
	jobs := job.NewRunner(job.Options{DB: o.d, Clock: o.now, Poll: 5 * time.Millisecond, Lease: 10 * time.Second})
	r.Handle(jobs)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		jobs.Run(ctx)
	}()
	stop = func() {
		cancel()
		<-done
		r.send.close()
	}
	o.t.Cleanup(stop)
	return r, stop
}

// got is one message that a receiver got.
type got struct {
	id   string
	at   time.Time
	body string
}

// box is a receiver that keeps what it gets and checks every signature.
type box struct {
	o      *office
	ref    webhook.Ref
	server *httptest.Server
	start  books.Cursor

	mu     sync.Mutex
	secret string
	next   string // another secret, and how many messages are signed by both
	both   int
	all    []got
	came   chan struct{}
}

// box makes a receiver and its endpoint. answer is given the number of the message, from 1, and answers it.
func (o *office) box(s webhook.Settings, answer func(w http.ResponseWriter, r *http.Request, n int)) *box {
	o.t.Helper()
	b := &box{o: o, came: make(chan struct{}, 1)}
	b.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the node stopped
		}
		n := b.keep(r, string(body))
		answer(w, r, n)
	}))
	o.t.Cleanup(b.server.Close)
	o.t.Cleanup(b.server.CloseClientConnections)
	dbtest.Settle(o.t, o.d) // what was there before is surely before the endpoint's place
	url := b.server.URL + "/hook"
	s.URL = &url
	o.write(func(tx *db.Tx) error {
		e, secret, err := webhook.Create(o.ctx(), tx, webhook.New{Program: "shop", Settings: s, Now: o.now()})
		if err != nil {
			return err
		}
		p, err := webhook.PlaceOf(o.ctx(), tx, e.Ref())
		b.ref, b.secret, b.start = e.Ref(), secret, p.At
		return err
	})
	return b
}

func (b *box) keep(r *http.Request, body string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	wh, err := standardwebhooks.NewWebhook(b.secret)
	if err == nil && b.o.ahead.Load() == 0 {
		err = wh.Verify([]byte(body), r.Header)
	} else if err == nil {
		err = wh.VerifyIgnoringTimestamp([]byte(body), r.Header)
	}
	if err != nil || r.Method != http.MethodPost || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/") || len(body) > webhook.MaxBody {
		b.o.t.Errorf("%s %v: %v", r.Method, r.Header, err)
	}
	if wh, err := standardwebhooks.NewWebhook(b.next); err == nil && b.next != "" && wh.VerifyIgnoringTimestamp([]byte(body), r.Header) == nil {
		b.both++
	}
	b.all = append(b.all, got{r.Header.Get(webhook.HeaderID), time.Now(), body})
	nudge(b.came)
	return len(b.all)
}

func (b *box) list() []got {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.all)
}

// until waits until what was got is as wanted.
func (b *box) until(want func([]got) bool) []got {
	b.o.t.Helper()
	for {
		if list := b.list(); want(list) {
			return list
		}
		select {
		case <-b.came:
		case <-b.o.t.Context().Done():
			b.o.t.Fatalf("%d messages came", len(b.list()))
		}
	}
}

func distinct(list []got) int {
	ids := map[string]bool{}
	for _, g := range list {
		ids[g.id] = true
	}
	return len(ids)
}

// whole waits until every event in the feed since the endpoint was made came at least once, and sees that nothing else came, and that
// what came twice was the same.
func (b *box) whole() []got {
	b.o.t.Helper()
	want := map[string]books.Event{}
	for _, e := range b.o.events(b.start) {
		want[e.ID] = e
	}
	list := b.until(func(list []got) bool { return distinct(list) >= len(want) })
	bodies := map[string]string{}
	for _, g := range list {
		if _, ok := want[g.id]; !ok {
			b.o.t.Errorf("%s came, and is not in the feed", g.id)
		}
		if first, again := bodies[g.id]; again && first != g.body {
			b.o.t.Errorf("%s came again as\n%s\nand not as\n%s", g.id, g.body, first)
		}
		bodies[g.id] = g.body
	}
	return list
}

// settled waits until nothing of the endpoint is pending, and gives how many ended how.
func (b *box) settled() map[webhook.DeliveryStatus]int {
	b.o.t.Helper()
	for {
		out := map[webhook.DeliveryStatus]int{}
		for _, d := range b.deliveries() {
			out[d.Status]++
		}
		if out[webhook.Pending] == 0 && len(out) > 0 {
			return out
		}
		if b.o.t.Context().Err() != nil {
			b.o.t.Fatalf("%v", out)
		}
	}
}

func (b *box) deliveries() (out []*webhook.Delivery) {
	b.o.t.Helper()
	b.o.write(func(tx *db.Tx) (err error) {
		out, err = webhook.Deliveries(b.o.ctx(), tx, b.ref, "", "", 1000)
		return err
	})
	return out
}

func ok(w http.ResponseWriter, _ *http.Request, _ int) { w.WriteHeader(http.StatusNoContent) }

func TestEveryEventIsSentOnceToWhoTakesIt(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		all := o.box(webhook.Settings{}, ok)
		earned := o.box(webhook.Settings{Types: &[]string{"points.*"}, Payload: new(webhook.Full)}, ok)
		cloud := o.box(webhook.Settings{Format: new(webhook.CloudEvents), Concurrency: new(1)}, ok)
		o.buy(7)
		r, _ := o.node(nil)
		o.buy(130) // more than a page
		list := all.whole()
		if len(list) != 2*137 {
			t.Errorf("%d messages", len(list))
		}
		var first struct {
			Type      string    `json:"type"`
			Timestamp time.Time `json:"timestamp"`
			Data      struct {
				ID string `json:"id"`
			} `json:"data"`
		}
		if err := json.Unmarshal([]byte(list[0].body), &first); err != nil || first.Data.ID != list[0].id || first.Timestamp.IsZero() || first.Type == "" {
			t.Errorf("%s: %v", list[0].body, err)
		}
		points := earned.until(func(list []got) bool { return len(list) >= 137 })
		for _, g := range points {
			if !strings.Contains(g.body, `"type":"points.earned"`) || !strings.Contains(g.body, `"full":true`) {
				t.Errorf("%s", g.body)
			}
		}
		for _, g := range cloud.whole() {
			var e webhook.CloudEvent
			if err := json.Unmarshal([]byte(g.body), &e); err != nil || e.ID != g.id || e.Subject != o.member || len(e.Sequence) != 24 {
				t.Errorf("%s: %v", g.body, err)
			}
		}
		if got := all.settled(); got[webhook.Delivered] != 274 || len(earned.list()) != 137 {
			t.Errorf("%v, %d", got, len(earned.list()))
		}
		cloud.settled()
		s, err := r.Stats(t.Context())
		if err != nil || s.Attempted != 274*2+137 || s.Delivered != s.Attempted || s.Failed != 0 || s.Endpoints != 3 || s.Backlog.Pending != 0 || s.Unmade != 0 {
			t.Errorf("%+v %v", s, err)
		}
	})
}

func TestTheFeedIsInOrderForOneSender(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		b := o.box(webhook.Settings{Concurrency: new(1), Format: new(webhook.CloudEvents)}, ok)
		o.buy(20)
		o.node(nil)
		b.whole()
		var last string
		for _, e := range o.events(b.start) {
			if s := e.Sequence(); s <= last {
				t.Errorf("%s after %s", s, last)
			} else {
				last = s
			}
		}
	})
}

// receivers that do everything wrong.

func TestAReceiverThatFailsGetsItAgainUntilItIsDead(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		b := o.box(webhook.Settings{}, func(w http.ResponseWriter, _ *http.Request, _ int) {
			http.Error(w, "the \x1b[31mdatabase\x00 is away", http.StatusInternalServerError)
		})
		o.buy(2)
		o.node(nil)
		if got := b.settled(); got[webhook.Dead] != 4 {
			t.Errorf("%v", got)
		}
		list := b.whole()
		if len(list) != 4*4 {
			t.Errorf("%d messages of four events with four attempts each", len(list))
		}
		for _, d := range b.deliveries() {
			if a := d.Log[3]; len(d.Log) != 4 || a.Status != 500 || a.Error != "answered 500" || a.Answer != "the  [31mdatabase  is away " || d.Attempts != 4 {
				t.Errorf("%+v", d)
			}
		}
		o.write(func(tx *db.Tx) error {
			n, err := webhook.ReplayDead(o.ctx(), tx, "shop", b.ref.ID, o.now())
			if n != 4 {
				t.Errorf("%d replayed", n)
			}
			return err
		})
		b.until(func(list []got) bool { return len(list) == 8*4 })
	})
}

func TestAReceiverThatComesBackGetsAll(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		b := o.box(webhook.Settings{}, func(w http.ResponseWriter, _ *http.Request, n int) {
			if n <= 25 {
				w.WriteHeader(http.StatusBadGateway)
			}
		})
		o.buy(10)
		o.node(func(opts *Options) { opts.Schedule = slices.Repeat([]time.Duration{time.Millisecond}, 50) })
		if got := b.settled(); got[webhook.Delivered] != 20 {
			t.Errorf("%v", got)
		}
		b.whole()
		o.write(func(tx *db.Tx) error {
			p, err := webhook.PlaceOf(o.ctx(), tx, b.ref)
			if p.FailingSince != nil || p.LastSuccessAt == nil {
				t.Errorf("%+v", p)
			}
			return err
		})
	})
}

func TestSlowReceiversKeepNoOtherWaiting(t *testing.T) {
	each(t, func(_ *testing.T, o *office) {
		leave := make(chan struct{})
		hang := func(_ http.ResponseWriter, r *http.Request, _ int) {
			select { // it never answers while the test goes on
			case <-leave:
			case <-r.Context().Done():
			}
		}
		defer close(leave)
		drip := func(w http.ResponseWriter, r *http.Request, _ int) {
			for {
				if _, err := w.Write([]byte("x")); err != nil {
					return
				}
				_ = http.NewResponseController(w).Flush()
				select {
				case <-leave:
					return
				case <-r.Context().Done():
					return
				case <-time.After(50 * time.Millisecond):
				}
			}
		}
		slow := []*box{o.box(webhook.Settings{}, hang), o.box(webhook.Settings{}, hang), o.box(webhook.Settings{}, drip)}
		good := o.box(webhook.Settings{}, ok)
		o.node(func(opts *Options) { opts.Timeout = time.Hour })
		for range 5 {
			o.buy(20)
			good.whole() // it would wait for ever if it had to wait for the others
		}
		for _, b := range slow {
			b.until(func(list []got) bool { return len(list) == 8 }) // its own senders are all that it keeps busy
		}
	})
}

func TestAnAnswerThatTakesTooLongIsAFailure(t *testing.T) {
	failing(t, 300*time.Millisecond, map[string]bad{
		"hang":         {"no whole answer within 300ms", func(context.Context, net.Conn) {}},
		"headers drip": {"no whole answer within 300ms", func(ctx context.Context, c net.Conn) { drip(ctx, c, "HTTP/1.1 200 OK\r\nX-Slow: ") }},
		"body drips": {"no whole answer within 300ms", func(ctx context.Context, c net.Conn) {
			drip(ctx, c, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
		}},
	})
}

func TestAnAnswerThatIsCutOffIsAFailure(t *testing.T) {
	failing(t, time.Hour, map[string]bad{
		"cut in the body":    {"the answer was cut off", func(_ context.Context, c net.Conn) { cut(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf") }},
		"cut in the headers": {"", func(_ context.Context, c net.Conn) { cut(c, "HTTP/1.1 200 OK\r\nConte") }},
		"no HTTP":            {"", func(_ context.Context, c net.Conn) { cut(c, "220 mail.example.com ESMTP\r\n") }},
	})
}

// bad is what a receiver does in the place of an answer, and the words with which its failure begins.
type bad struct {
	words  string
	answer func(context.Context, net.Conn)
}

// failing sends one event to receivers that all fail it until it is given up.
func failing(t *testing.T, timeout time.Duration, receivers map[string]bad) {
	t.Helper()
	each(t, func(t *testing.T, o *office) {
		boxes := map[string]*box{}
		for name, b := range receivers {
			boxes[name] = o.box(webhook.Settings{Types: &[]string{"points.earned"}}, func(w http.ResponseWriter, r *http.Request, _ int) {
				c, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				t.Cleanup(func() { c.Close() })
				b.answer(r.Context(), c)
			})
		}
		o.buy(1)
		o.node(func(opts *Options) { opts.Timeout = timeout })
		for name, b := range boxes {
			if got := b.settled(); got[webhook.Dead] != 1 {
				t.Errorf("%s: %v", name, got)
			}
			d := b.deliveries()[0]
			for _, a := range d.Log {
				if a.Error == "" || !strings.HasPrefix(a.Error, receivers[name].words) || strings.Contains(a.Error, "127.0.0.1:") && strings.Contains(a.Error, "/hook") {
					t.Errorf("%s: %+v", name, a)
				}
			}
			if list := b.list(); len(list) == 0 || len(list) > 4 || distinct(list) != 1 || len(d.Log) != 4 {
				t.Errorf("%s: %d messages", name, len(list))
			}
		}
	})
}

// drip writes the beginning and then a byte now and then, until the other side has enough.
func drip(ctx context.Context, c net.Conn, begin string) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for _, err := io.WriteString(c, begin); err == nil; _, err = io.WriteString(c, "x") {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// cut writes something and resets the connection.
func cut(c net.Conn, text string) {
	_, _ = io.WriteString(c, text)
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.CloseWrite()
	}
	c.Close()
}

func TestARedirectIsAFailureAndIsNotFollowed(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		var trapped atomic.Int64
		trap := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { trapped.Add(1) }))
		t.Cleanup(trap.Close)
		boxes := []*box{}
		for _, status := range []int{301, 302, 303, 307, 308, 304} {
			boxes = append(boxes, o.box(webhook.Settings{Types: &[]string{"points.earned"}}, func(w http.ResponseWriter, _ *http.Request, n int) {
				to := []string{"http://169.254.169.254/latest/meta-data/", trap.URL}[n%2]
				w.Header().Set("Location", to)
				w.WriteHeader(status)
			}))
		}
		o.buy(1)
		o.node(nil)
		for _, b := range boxes {
			if got := b.settled(); got[webhook.Dead] != 1 {
				t.Errorf("%v", got)
			}
			if a := b.deliveries()[0].Log[0]; !strings.Contains(a.Error, "redirects are not followed") || a.Status < 300 {
				t.Errorf("%+v", a)
			}
		}
		if trapped.Load() > 0 {
			t.Error("a redirect was followed")
		}
	})
}

func TestAHugeAnswerIsNotRead(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		var written atomic.Int64
		b := o.box(webhook.Settings{Types: &[]string{"points.earned"}}, func(w http.ResponseWriter, _ *http.Request, _ int) {
			chunk := []byte(strings.Repeat("x", 32<<10))
			for written.Load() < 1<<32 {
				n, err := w.Write(chunk)
				written.Add(int64(n))
				if err != nil {
					return
				}
			}
		})
		o.buy(1)
		o.node(nil)
		if got := b.settled(); got[webhook.Delivered] != 1 {
			t.Errorf("%v", got)
		}
		if d := b.deliveries()[0]; len(d.Log[0].Answer) != mostKept {
			t.Errorf("%d bytes are kept", len(d.Log[0].Answer))
		}
		b.server.Close() // it waits for the handler: the connection was let go of
		if written.Load() > 64<<20 {
			t.Errorf("%d bytes were taken in", written.Load())
		}
	})
}

func TestGoneDisablesTheEndpointAndTellsTheOthers(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		gone := true
		var mu sync.Mutex
		b := o.box(webhook.Settings{Concurrency: new(1)}, func(w http.ResponseWriter, _ *http.Request, _ int) {
			mu.Lock()
			defer mu.Unlock()
			if gone {
				w.WriteHeader(http.StatusGone)
			}
		})
		other := o.box(webhook.Settings{Types: &[]string{webhook.EvDisabled}}, ok)
		o.buy(3)
		o.node(nil)
		told := other.until(func(list []got) bool { return len(list) == 1 })
		if !strings.Contains(told[0].body, `"reason":"gone"`) || !strings.Contains(told[0].body, b.ref.ID) {
			t.Errorf("%s", told[0].body)
		}
		e := o.get(b.ref)
		if e.Status != webhook.Disabled || e.Reason != webhook.Gone || len(b.list()) != 1 {
			t.Errorf("%+v after %d messages", e, len(b.list()))
		}
		var actor, detail string
		o.write(func(tx *db.Tx) error {
			return tx.QueryRow(o.ctx(), `SELECT actor, detail FROM audit WHERE action = 'webhook.disabled' AND target = $1`, b.ref.ID).Scan(&actor, &detail)
		})
		if actor != "system" || !strings.Contains(detail, "gone") {
			t.Errorf("%s %s", actor, detail)
		}
		o.buy(2)
		mu.Lock()
		gone = false
		mu.Unlock()
		o.write(func(tx *db.Tx) error {
			_, err := webhook.Enable(o.ctx(), tx, "shop", b.ref.ID, false, o.now())
			return err
		})
		b.whole() // what it missed too
		if got := b.settled(); got[webhook.Delivered] != 10 {
			t.Errorf("%v", got)
		}
	})
}

func TestAnEndpointThatFailsForDaysIsDisabled(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		b := o.box(webhook.Settings{}, func(w http.ResponseWriter, _ *http.Request, _ int) { w.WriteHeader(http.StatusInternalServerError) })
		o.buy(1)
		_, stop := o.node(nil)
		b.settled()
		stop()
		if e := o.get(b.ref); e.Status != webhook.Active {
			t.Errorf("%+v", e)
		}
		o.pass(webhook.FailingFor + time.Minute)
		o.buy(1)
		o.node(nil)
		for o.get(b.ref).Status == webhook.Active {
			if t.Context().Err() != nil {
				t.Fatal("it stays active")
			}
		}
		if e := o.get(b.ref); e.Reason != webhook.Failing {
			t.Errorf("%+v", e)
		}
	})
}

func TestWhoAsksToBeLeftAloneIs(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		b := o.box(webhook.Settings{Concurrency: new(1)}, func(w http.ResponseWriter, _ *http.Request, n int) {
			if n == 1 {
				w.Header().Set("Retry-After", "1")
				w.WriteHeader(http.StatusTooManyRequests)
			}
		})
		o.buy(2)
		o.node(nil)
		list := b.whole()
		if wait := list[1].at.Sub(list[0].at); wait < 900*time.Millisecond {
			t.Errorf("the next message came after %s", wait)
		}
		if got := b.settled(); got[webhook.Delivered] != 4 {
			t.Errorf("%v", got)
		}
	})
}

func TestNoMoreAreSentInASecondThanWanted(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		b := o.box(webhook.Settings{PerSecond: new(50)}, ok)
		o.buy(10)
		o.node(nil)
		list := b.whole()
		if took := list[19].at.Sub(list[0].at); took < 300*time.Millisecond {
			t.Errorf("20 messages in %s", took)
		}
	})
}

func TestWhatIsNotAllowedIsNotDialled(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		b := o.box(webhook.Settings{Types: &[]string{"points.earned"}}, ok)
		o.buy(1)
		o.node(func(opts *Options) { opts.Targets = Targets{} })
		if got := b.settled(); got[webhook.Dead] != 1 || len(b.list()) != 0 {
			t.Errorf("%v, %d messages", got, len(b.list()))
		}
		if a := b.deliveries()[0].Log[0]; !strings.Contains(a.Error, "not public") || a.Status != 0 {
			t.Errorf("%+v", a)
		}
	})
}

func TestAWrongCertificateIsNotSentTo(t *testing.T) {
	t.Parallel()
	asked := false
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer server.Close()
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	s := newSender(targets(t, "127.0.0.1"), 5*time.Second, "lojal/test")
	out := s.send(t.Context(), letter{url: server.URL, id: "evt_1", body: "{}", secrets: []string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, at: time.Now()})
	if asked || !strings.Contains(out.Error, "certificate") {
		t.Errorf("%+v", out)
	}
}

func TestTheProxyOfTheSurroundingsIsNotUsed(t *testing.T) {
	var asked atomic.Int64
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer proxy.Close()
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"} {
		t.Setenv(name, proxy.URL)
	}
	s := newSender(Targets{}, 5*time.Second, "lojal/test")
	out := s.send(t.Context(), letter{url: "http://192.0.2.7/", id: "evt_1", body: "{}", at: time.Now()})
	if asked.Load() > 0 || !strings.Contains(out.Error, "not public") {
		t.Errorf("%+v", out)
	}
}

func TestASecondSignatureIsSentDuringTheOverlap(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		b := o.box(webhook.Settings{}, ok)
		old := b.secret
		o.node(nil)
		o.buy(1)
		b.whole()
		o.write(func(tx *db.Tx) error {
			_, _, err := webhook.Rotate(o.ctx(), tx, "shop", b.ref.ID, "", time.Hour, o.now())
			return err
		})
		o.buy(5) // the receiver still has the old secret, and takes them
		b.whole()
		var secrets []string
		o.write(func(tx *db.Tx) (err error) {
			secrets, err = webhook.Secrets(o.ctx(), tx, b.ref, o.now())
			return err
		})
		if len(secrets) != 2 || secrets[1] != old {
			t.Fatalf("%d secrets", len(secrets))
		}
		b.mu.Lock()
		b.next = secrets[0]
		b.mu.Unlock()
		for both := 0; both == 0; { // the receiver may change over when it likes
			o.buy(1)
			b.whole()
			b.mu.Lock()
			both = b.both
			b.mu.Unlock()
		}
	})
}

func TestTwoNodesSendEachEventOnce(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		boxes := []*box{}
		for range 6 {
			boxes = append(boxes, o.box(webhook.Settings{}, ok))
		}
		o.node(nil)
		_, stop := o.node(nil)
		o.buy(60)
		for _, b := range boxes {
			b.whole()
		}
		stop() // what it had goes over to the other
		o.buy(40)
		for _, b := range boxes {
			b.whole()
			b.settled()
			if n := len(b.list()); n != 200 {
				t.Errorf("%d messages of 200 events", n)
			}
		}
	})
}

func TestAReplaySendsAgainWhatWasRecordedSince(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		o.buy(3) // before the endpoint was there
		b := o.box(webhook.Settings{Types: &[]string{"purchase.recorded"}}, ok)
		o.node(nil)
		o.buy(2)
		b.until(func(list []got) bool { return len(list) == 2 })
		b.settled()
		o.pass(2 * time.Hour)
		since := o.now()
		o.buy(250)
		b.until(func(list []got) bool { return len(list) == 252 })
		b.settled()
		replay := func(since time.Time) {
			o.write(func(tx *db.Tx) error {
				_, err := webhook.ReplaySince(o.ctx(), tx, "shop", b.ref.ID, since, o.now())
				return err
			})
		}
		replay(since)
		list := b.until(func(list []got) bool { return len(list) == 502 })
		if distinct(list) != 252 {
			t.Errorf("%d events", distinct(list))
		}
		b.settled()
		replay(since.Add(-24 * time.Hour))
		list = b.until(func(list []got) bool { return len(list) == 502+255 })
		if distinct(list) != 255 {
			t.Errorf("%d events", distinct(list))
		}
	})
}

func TestWhatWaitsIsCountedAndNotGuessed(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		var well atomic.Bool
		b := o.box(webhook.Settings{Types: &[]string{"purchase.recorded"}}, func(w http.ResponseWriter, _ *http.Request, _ int) {
			if !well.Load() {
				w.WriteHeader(http.StatusTeapot)
			}
		})
		r, _ := o.node(func(opts *Options) {
			opts.mostPending, opts.Schedule = 10, []time.Duration{time.Hour, time.Hour, time.Hour}
		})
		o.buy(8)
		b.until(func(list []got) bool { return distinct(list) == 8 })
		for range 3 { // what waits already is made pending again, and does not wait twice
			o.write(func(tx *db.Tx) error {
				_, err := webhook.ReplaySince(o.ctx(), tx, "shop", b.ref.ID, o.now().Add(-2*time.Hour), o.now())
				return err
			})
			r.Wake()
			for under := true; under; {
				o.write(func(tx *db.Tx) error {
					p, err := webhook.PlaceOf(o.ctx(), tx, b.ref)
					under = p.Replay != nil
					return err
				})
				if t.Context().Err() != nil {
					t.Fatal("the replay does not end")
				}
			}
		}
		well.Store(true)
		o.pass(2 * time.Hour)
		b.settled()
		o.buy(9)
		b.until(func(list []got) bool { return distinct(list) == 17 })
	})
}

func TestNoMoreWaitThanMay(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		var well atomic.Bool
		b := o.box(webhook.Settings{Types: &[]string{"purchase.recorded"}}, func(w http.ResponseWriter, _ *http.Request, _ int) {
			if !well.Load() {
				w.WriteHeader(http.StatusTeapot)
			}
		})
		o.node(func(opts *Options) {
			opts.mostPending, opts.Schedule = 5, []time.Duration{time.Hour, time.Hour, time.Hour}
		})
		o.buy(5)
		b.until(func(list []got) bool { return distinct(list) == 5 })
		o.buy(3)
		if n := len(b.deliveries()); n != 5 {
			t.Errorf("%d deliveries were made, and 5 may wait", n)
		}
		well.Store(true)
		o.pass(2 * time.Hour)
		b.until(func(list []got) bool { return distinct(list) == 8 })
	})
}

func TestAnEndpointWithNothingToDoIsNotRead(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		var boxes []*box
		for range 5 {
			boxes = append(boxes, o.box(webhook.Settings{}, ok))
		}
		looked := make(chan struct{})
		r, _ := o.node(func(opts *Options) { opts.poll, opts.looked = time.Millisecond, func() { nudge(looked) } })
		looks := func(n int) {
			for range n {
				select {
				case <-looked:
				case <-t.Context().Done():
					t.Fatal("nobody looks")
				}
			}
		}
		o.buy(1)
		for _, b := range boxes {
			b.whole()
			b.settled()
		}
		looks(50) // what was written down last is seen
		loads := r.loads.Load()
		looks(50)
		if n := r.loads.Load() - loads; n > 0 {
			t.Errorf("endpoints were read %d times during 50 looks, and there was nothing to do", n)
		}
		o.write(func(tx *db.Tx) error { // as another node does
			_, err := webhook.Test(o.ctx(), tx, "shop", boxes[3].ref.ID, o.now())
			return err
		})
		before := len(boxes[3].list())
		boxes[3].until(func(list []got) bool {
			return len(list) > before || strings.Contains(list[len(list)-1].body, webhook.EvTest)
		})
	})
}

func TestAPanicEndsNothingButItsOwnTurn(t *testing.T) {
	each(t, func(_ *testing.T, o *office) {
		var armed atomic.Bool
		hangs, panicked := make(chan struct{}), make(chan struct{}, 100)
		b := o.box(webhook.Settings{Types: &[]string{"purchase.recorded"}}, func(_ http.ResponseWriter, r *http.Request, n int) {
			if n == 1 {
				select {
				case <-hangs:
				case <-r.Context().Done():
				}
			}
		})
		r, stop := o.node(func(opts *Options) {
			opts.Render = func(ctx context.Context, tx *db.Tx, program string, events []books.Event, full bool) ([]json.RawMessage, error) {
				if armed.Load() {
					panicked <- struct{}{}
					panic("what is rendered is broken")
				}
				return render(ctx, tx, program, events, full)
			}
		})
		o.buy(1)
		b.until(func(list []got) bool { return len(list) == 1 })
		armed.Store(true)
		o.buy(1)
		<-panicked
		close(hangs)
		r.senders.Wait() // nobody takes what the first one brings
		armed.Store(false)
		b.until(func(list []got) bool { return distinct(list) == 2 })
		stop()
		r.senders.Wait()
	})
}

type broken struct{}

func (broken) RoundTrip(*http.Request) (*http.Response, error) { panic("this is no transport") }

func TestAMessageThatPanicsFails(t *testing.T) {
	t.Parallel()
	r := New(Options{Clock: time.Now})
	r.send.client.Transport = broken{}
	p := r.newPump(webhook.Ref{Program: "shop", ID: "whk_1"}, nil)
	secret := "whsec_" + strings.Repeat("QUFB", 8)
	go p.deliver(t.Context(), &webhook.Endpoint{URL: "https://hooks.example"}, []string{secret}, &webhook.Delivery{Event: "evt_1", Body: "{}"})
	if got := <-p.results; got.Attempt.Error == "" || got.Status != webhook.Pending || got.cut {
		t.Errorf("%+v", got)
	}
}

func TestARemovedEndpointIsClearedByItsJob(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		b := o.box(webhook.Settings{}, ok)
		o.node(nil)
		o.buy(5)
		b.whole()
		o.write(func(tx *db.Tx) error {
			_, err := webhook.Remove(o.ctx(), tx, "shop", b.ref.ID, o.now())
			return err
		})
		for n := 1; n > 0; {
			o.write(func(tx *db.Tx) error {
				return tx.QueryRow(o.ctx(), `SELECT (SELECT COUNT(*) FROM webhooks) + (SELECT COUNT(*) FROM deliveries) + (SELECT COUNT(*) FROM webhook_places)`).Scan(&n)
			})
			if t.Context().Err() != nil {
				t.Fatalf("%d rows are left", n)
			}
		}
	})
}

func TestAnEndpointWithoutAJobGetsOne(t *testing.T) {
	each(t, func(_ *testing.T, o *office) {
		b := o.box(webhook.Settings{}, ok)
		o.write(func(tx *db.Tx) error {
			j, err := job.Find(o.ctx(), tx, webhook.JobKind, b.ref.ID)
			if err == nil {
				_, err = job.Cancel(o.ctx(), tx, j.ID, o.now())
			}
			return err
		})
		o.buy(1)
		o.node(nil)
		b.whole()
	})
}

func TestAnEndpointWithoutASecretIsNotSentTo(t *testing.T) {
	each(t, func(t *testing.T, o *office) {
		b := o.box(webhook.Settings{}, ok)
		o.write(func(tx *db.Tx) error { // as after a restore from an export
			_, err := tx.Exec(o.ctx(), `DELETE FROM webhook_secrets`)
			return err
		})
		o.buy(1)
		o.node(nil)
		for n := 0; n == 0; {
			n = len(b.deliveries())
		}
		o.write(func(tx *db.Tx) (err error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			_, b.secret, err = webhook.Rotate(o.ctx(), tx, "shop", b.ref.ID, "", 0, o.now())
			return err
		})
		if list := b.whole(); len(list) != 2 {
			t.Errorf("%d messages", len(list))
		}
	})
}

func TestRetryAfterIsReadWithinBounds(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "0": 0, "-5": 0, "7": 7 * time.Second, "99999999999999": longestRetryAfter, "soon": 0,
		"Sun, 22 Nov 2026 12:01:30 GMT": 90 * time.Second, "Sun, 22 Nov 2026 11:00:00 GMT": 0, "Mon, 22 Nov 2027 12:00:00 GMT": longestRetryAfter,
	} {
		if got := retryAfter(text, now); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// The promise: at least once for some 75 hours.
func TestTheScheduleSpansThreeDays(t *testing.T) {
	t.Parallel()
	r := New(Options{})
	for range 100 {
		total := time.Duration(0)
		for attempt := range DefaultSchedule {
			total += r.waitAfter(attempt, reply{})
		}
		if total < 67*time.Hour || total > 84*time.Hour {
			t.Errorf("%s", total)
		}
	}
	sum := time.Duration(0)
	for _, wait := range DefaultSchedule {
		sum += wait
	}
	if sum.Round(time.Hour) != 76*time.Hour || len(DefaultSchedule) != 9 {
		t.Errorf("%s in %d waits", sum, len(DefaultSchedule))
	}
	if got := r.waitAfter(0, reply{wait: time.Hour}); got != time.Hour {
		t.Errorf("Retry-After makes %s", got)
	}
}

// A transaction that began first and commits last must not be passed over. SQLite has one writer, so it happens on PostgreSQL alone.
func TestWhatCommitsLateIsSent(t *testing.T) {
	t.Parallel()
	o := open(t, dbtest.Open(t, db.Postgres))
	b := o.box(webhook.Settings{Types: &[]string{"purchase.recorded"}}, ok)
	o.node(nil)
	ten := money.MustParse("10")
	second, err := o.rec.Record(t.Context(), record.Request{Program: "shop", Now: o.now(), Fact: engine.Fact{Kind: engine.Enrolment}, Enrol: &member.New{Profile: member.Profile{ExternalID: "ola"}}})
	if err != nil {
		t.Fatal(err)
	}
	entered, leave, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	var once sync.Once
	slow := record.New(o.d, &version.Cache{}) // its own, so that it holds up nobody else
	t.Cleanup(slow.Close)
	go func() {
		_, err := slow.Record(o.ctx(), record.Request{Program: "shop", Now: o.now(), Member: second.Fact.Member, Key: &record.Key{Client: "c", Key: "late"},
			Fact: engine.Fact{Kind: engine.PurchaseK, Purchase: &engine.Purchase{Amount: &ten}},
			Render: func(*record.Result) (int, []byte) { // it stands still before its commit
				once.Do(func() { close(entered) })
				<-leave
				return 201, []byte("{}")
			}})
		done <- err
	}()
	<-entered
	o.buy(3) // they commit first, and have higher stamps
	close(leave)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	o.buy(1)
	want := map[string]bool{}
	for _, e := range o.events(b.start) {
		if e.Type == "purchase.recorded" {
			want[e.ID] = true
		}
	}
	if len(want) != 5 {
		t.Fatalf("%d purchases are in the feed", len(want))
	}
	list := b.until(func(list []got) bool { return distinct(list) >= 5 })
	b.settled()
	for _, g := range list {
		if !want[g.id] {
			t.Errorf("%s is not in the feed", g.id)
		}
	}
	if n := len(b.list()); n != 5 {
		t.Errorf("%d messages", n)
	}
}
