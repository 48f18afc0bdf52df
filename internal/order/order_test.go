package order

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/code"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/member"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/reward"
	"lojal.dev/lojal/internal/verify"
	"lojal.dev/lojal/internal/version"
)

const document = `
program: cards
name: Cards
time_zone: Europe/Oslo
currency: NOK
units:
  star: {name: star}
  krone: {name: krone, precision: 2, worth: 1.00}
gift_cards: {unit: krone, min: 10.00, valid: 3 years, greeting: For you, pin: true}
rewards:
  - {id: own, title: Own, price: {star: 100}, gives: {gift_card: {money: 200.00}}}
  - {id: spa, title: Spa, price: {star: 100}, gives: {gift_card: {money: 200.00, provider: shop, product: SPA}}}
  - {id: book, title: Book, price: {star: 100}, gives: {gift_card: {money: 50.00, provider: books}}}
`

var start = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)

// house is a program with one member who has 1,000 stars, and the orders' worker.
type house struct {
	t      *testing.T
	d      *db.DB
	o      *Orders
	v      *version.Cache
	member string
	now    time.Time
}

func open(t *testing.T, d *db.DB, providers map[string]Provider) *house {
	t.Helper()
	doc, err := program.Parse([]byte(document), "")
	if err != nil {
		t.Fatal(err)
	}
	v := new(version.Cache)
	r := record.New(d, v)
	t.Cleanup(r.Close)
	h := &house{t: t, d: d, o: &Orders{DB: d, Recorder: r, Providers: providers}, v: v, now: start}
	h.write(func(tx *db.Tx) error {
		_, err := version.Publish(t.Context(), tx, version.PublishInput{Program: "cards", Document: doc, By: "test", Now: h.now})
		return err
	})
	res, err := r.Record(t.Context(), record.Request{Program: "cards", Fact: engine.Fact{Kind: engine.Enrolment}, Enrol: &member.New{}, Now: h.now})
	if err != nil {
		t.Fatal(err)
	}
	h.member = res.Fact.Member
	n := money.MustParse("1000")
	h.record(engine.Fact{Kind: engine.AdjustmentK, Adjustment: &engine.Adjustment{Unit: "star", Amount: &n, Reason: "test"}})
	return h
}

func (h *house) write(do func(*db.Tx) error) {
	h.t.Helper()
	if err := h.d.Write(h.t.Context(), do); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) record(f engine.Fact) *record.Result {
	h.t.Helper()
	r, err := h.o.Recorder.Record(h.t.Context(), record.Request{Program: "cards", Member: h.member, Fact: f, Now: h.now})
	if err != nil {
		h.t.Fatal(err)
	}
	return r
}

func (h *house) redeem(id string) string {
	h.t.Helper()
	return h.record(engine.Fact{Kind: engine.Redeem, Redemption: &engine.Redemption{Spend: engine.Spend{Reward: id}}}).Fact.ID
}

func (h *house) work() {
	h.t.Helper()
	if _, err := h.o.Work(h.t.Context(), h.now); err != nil {
		h.t.Fatal(err)
	}
}

// later works after all pauses.
func (h *house) later() {
	h.t.Helper()
	h.now = h.now.Add(2 * longest)
	h.work()
}

// see gives the redemption, its order, and what came in clear ("" for nothing yet); and the member's stars.
func (h *house) see(red string) (books.Redemption, reward.Order, reward.Secret, int64) {
	h.t.Helper()
	var r books.Redemption
	var o reward.Order
	var s reward.Secret
	var stars int64
	err := h.d.Read(h.t.Context(), func(tx *db.Tx) (err error) {
		if r, err = books.FindRedemption(h.t.Context(), tx, "cards", red); err != nil {
			return err
		}
		if o, err = reward.GetOrder(h.t.Context(), tx, "cards", red); err != nil {
			return err
		}
		if s, err = o.Open(h.t.Context(), tx); errs.CodeOf(err) == errs.CodeNotFound {
			err = nil
		}
		sheet := books.ReadSheet()
		ref := books.Ref{Program: "cards", Member: h.member}
		if err == nil {
			err = sheet.Open(h.t.Context(), tx, []books.Ref{ref})
		}
		if err == nil {
			stars = sheet.Folio(ref).State.Units["star"].Spendable
		}
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return r, o, s, stars
}

func (h *house) prove() {
	h.t.Helper()
	r, err := verify.Run(h.t.Context(), h.d, h.v, "cards", verify.Options{})
	if err == nil {
		err = r.Err()
	}
	if err != nil {
		h.t.Error(err)
	}
}

// shop is a provider of the other side: it sells by the contract, and may lose its answers.
type shop struct {
	mu     sync.Mutex
	sold   map[string]int // cards by key: never more than one
	calls  []string
	lose   int    // so many answers are lost after the deed was done
	say    int    // this status, and nothing done
	status string // of an order as it comes
	reason string
	gone   map[string]bool
}

func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := strings.TrimPrefix(r.URL.Path, "/v1/orders/")
	s.calls = append(s.calls, r.Method)
	if r.Header.Get("Authorization") != "Bearer secret" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if s.say != 0 {
		w.WriteHeader(s.say)
		say(w, "reason", s.reason)
		return
	}
	switch r.Method {
	case http.MethodPut:
		if s.sold[key] == 0 && !s.gone[key] {
			s.sold[key]++
		}
	case http.MethodDelete:
		if s.status == Waiting {
			s.gone[key] = true
			delete(s.sold, key)
		}
	}
	if s.lose > 0 {
		s.lose--
		panic(http.ErrAbortHandler)
	}
	switch {
	case s.gone[key]:
		say(w, "status", "cancelled")
	case s.sold[key] == 0:
		w.WriteHeader(http.StatusNotFound)
	case s.status == Waiting:
		w.Header().Set("Retry-After", "30")
		say(w, "status", Waiting, "reference", "S-1")
	default:
		say(w, "status", Delivered, "code", "SPA-CODE-"+key, "pin", "1234", "reference", "S-1")
	}
}

// say answers with fields and their values.
func say(w http.ResponseWriter, pairs ...string) {
	body := map[string]string{}
	for i := 0; i+1 < len(pairs); i += 2 {
		body[pairs[i]] = pairs[i+1]
	}
	text, err := json.Marshal(body)
	if err == nil {
		_, err = w.Write(text)
	}
	if err != nil {
		panic(err)
	}
}

func (h *house) shop(s *shop) *shop {
	h.t.Helper()
	s.sold, s.gone = map[string]int{}, map[string]bool{}
	srv := httptest.NewServer(s)
	h.t.Cleanup(srv.Close)
	p, err := Remote(srv.URL+"/v1/", "secret", 2*time.Second)
	if err != nil {
		h.t.Fatal(err)
	}
	h.o.Providers = map[string]Provider{"shop": p}
	return s
}

func TestABoughtCardComesOnceThoughAnswersAreLost(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, nil)
		s := h.shop(&shop{lose: 2, status: Delivered})
		red := h.redeem("spa")
		h.work() // bought, and the answer is lost
		if _, o, _, _ := h.see(red); o.Status != reward.OrderSent || o.Error == "" {
			t.Fatalf("after a lost answer the order is %+v", o)
		}
		h.later() // asked about, lost again
		h.later()
		r, o, secret, stars := h.see(red)
		if r.Fulfilment.Status != engine.Delivered || r.Fulfilment.Reference != "S-1" || o.Status != reward.OrderDelivered || secret.Code != "SPA-CODE-"+red || secret.PIN != "1234" || stars != 900 {
			t.Errorf("the order came to %+v, %+v, %+v; %d stars", r.Fulfilment, o, secret, stars)
		}
		if s.sold[red] != 1 || strings.Join(s.calls, ",") != "PUT,GET,GET" {
			t.Errorf("%d were bought by %v", s.sold[red], s.calls)
		}
		h.later()
		if len(s.calls) != 3 {
			t.Errorf("what is over is asked about again: %v", s.calls)
		}
		h.prove()
	})
}

func TestAProcessThatStopsBeforeItSentSendsAgain(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, nil)
		s := h.shop(&shop{status: Delivered})
		red := h.redeem("spa")
		_, o, _, _ := h.see(red)
		h.write(func(tx *db.Tx) error { // held, and killed before the request
			mine, err := o.Hold(t.Context(), tx, h.now.Add(hold), h.now)
			if !mine {
				t.Error("the order is not to be had")
			}
			return err
		})
		h.work()
		if len(s.calls) != 0 {
			t.Errorf("another worked on what is held: %v", s.calls)
		}
		h.later()
		if strings.Join(s.calls, " ") != "GET PUT" || s.sold[red] != 1 {
			t.Errorf("%d were bought by %v", s.sold[red], s.calls)
		}
	})
}

func TestAFailedOrderGivesThePointsBack(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, nil)
		s := h.shop(&shop{say: http.StatusServiceUnavailable})
		red := h.redeem("spa")
		h.work()
		for _, status := range []int{500, 429, 401, 302} { // none of these says what becomes of it
			s.say = status
			h.later()
		}
		if r, _, _, stars := h.see(red); r.Fulfilment.Status != engine.Ordered || stars != 900 {
			t.Fatalf("the order came to %+v by an answer that says nothing", r.Fulfilment)
		}
		s.say, s.sold = 0, map[string]int{}
		s.say, s.reason = http.StatusNotFound, ""
		h.later() // not known: it is sent, and 404 to an order says nothing
		s.say, s.reason = http.StatusUnprocessableEntity, "no such product"
		if err := h.d.Write(t.Context(), func(tx *db.Tx) error { // as if it was never sent
			_, err := tx.Exec(t.Context(), "UPDATE code_orders SET status = 'waiting' WHERE redemption = $1", red)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		h.later()
		r, o, _, stars := h.see(red)
		if r.Fulfilment.Status != engine.Failed || r.Fulfilment.Reason != "no such product" || r.Status != engine.StatusRefunded || o.Status != reward.OrderFailed || stars != 1000 {
			t.Errorf("the order came to %+v, %s, %s; %d stars", r.Fulfilment, r.Status, o.Status, stars)
		}
		h.prove()
	})
}

func TestAnOrderIsCalledOff(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, nil)
		s := h.shop(&shop{status: Waiting})
		red := h.redeem("spa")
		h.work()
		_, o, _, _ := h.see(red)
		if o.Reference != "S-1" || o.NextAt == nil || o.NextAt.Sub(h.now) < 30*time.Second {
			t.Errorf("the provider asked to wait, and the order is %+v", o)
		}
		h.write(func(tx *db.Tx) error { return o.Cancel(t.Context(), tx, h.now) })
		s.lose = 1
		h.work()
		h.later()
		r, o, _, stars := h.see(red)
		if r.Fulfilment.Status != engine.Failed || stars != 1000 || o.Status != reward.OrderFailed || s.sold[red] != 0 {
			t.Errorf("called off, it came to %+v, %s; %d stars", r.Fulfilment, o.Status, stars)
		}
		if err := d.Write(t.Context(), func(tx *db.Tx) error { return o.Cancel(t.Context(), tx, h.now) }); errs.As(err).Reason != "order_over" {
			t.Errorf("calling off what is over: %v", err)
		}
		// Too late: it had come.
		second := h.redeem("spa")
		h.work()
		_, o, _, _ = h.see(second)
		h.write(func(tx *db.Tx) error { return o.Cancel(t.Context(), tx, h.now) })
		s.status = Delivered
		h.later()
		if r, _, _, _ := h.see(second); r.Fulfilment.Status != engine.Delivered {
			t.Errorf("what had come is %+v", r.Fulfilment)
		}
		h.prove()
	})
}

func TestACardOutOfAPool(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, nil)
		red := h.redeem("book")
		h.work()
		if _, o, _, _ := h.see(red); o.Status != reward.OrderSent || !strings.Contains(o.Error, "empty") {
			t.Fatalf("with an empty pool the order is %+v", o)
		}
		h.write(func(tx *db.Tx) error {
			_, err := reward.Load(t.Context(), tx, "cards", "books", "", []reward.NewCode{{Text: "BOOK-0001"}, {Text: "BOOK-0002"}}, h.now)
			return err
		})
		_, o, _, _ := h.see(red)
		first, err := (pool{d}).Order(t.Context(), &o, h.now) // taken, and killed before it was told
		if err != nil {
			t.Fatal(err)
		}
		h.later()
		r, _, secret, _ := h.see(red)
		if secret.Code != first.Code || r.Fulfilment.Status != engine.Delivered {
			t.Errorf("%q came, and %q was taken", secret.Code, first.Code)
		}
		err = d.Read(t.Context(), func(tx *db.Tx) error {
			list, err := reward.Pools(t.Context(), tx, "cards", h.now)
			if len(list) != 1 || list[0].Left != 1 || list[0].Given != 1 {
				t.Errorf("the pool is %+v", list)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
		h.prove()
	})
}

// A pool that is loaded brings the orders that wait for it at once, as many as it has codes for, the oldest first.
func TestAPoolThatIsLoadedWakesTheOrdersThatWaitForIt(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, nil)
		load := func(pool string, codes ...string) {
			h.write(func(tx *db.Tx) error {
				var list []reward.NewCode
				for _, c := range codes {
					list = append(list, reward.NewCode{Text: c})
				}
				_, err := reward.Load(t.Context(), tx, "cards", pool, "", list, h.now)
				return err
			})
		}
		status := func(red string) string {
			r, _, _, _ := h.see(red)
			return r.Fulfilment.Status
		}
		first := h.redeem("book")
		h.now = h.now.Add(time.Second)
		second, other := h.redeem("book"), h.redeem("spa") // shop is no provider here, so SPA is a pool
		for range 4 {
			h.now = h.now.Add(10 * time.Minute)
			h.work()
		}
		load("books", "BOOK-0001")
		h.work()
		if status(first) != engine.Delivered || status(second) != engine.Ordered || status(other) != engine.Ordered {
			t.Errorf("one code brought %s, %s, %s", status(first), status(second), status(other))
		}
		load("SPA", "SPA-0001")
		load("books", "BOOK-0002", "BOOK-0003")
		h.work()
		if status(second) != engine.Delivered || status(other) != engine.Delivered {
			t.Errorf("then there came %s, %s", status(second), status(other))
		}
		h.prove()
	})
}

// A pool that is loaded while an order is held, which found it empty a moment ago: the order is not put off after that.
func TestAnOrderThatIsWokenWhileItIsHeldIsNotPutOff(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, nil)
		red := h.redeem("book")
		_, o, _, _ := h.see(red)
		h.write(func(tx *db.Tx) error {
			mine, err := o.Hold(t.Context(), tx, h.now.Add(hold), h.now)
			if !mine {
				t.Error("the order is another's")
			}
			return err
		})
		h.write(func(tx *db.Tx) error {
			_, err := reward.Load(t.Context(), tx, "cards", "books", "", []reward.NewCode{{Text: "BOOK-0001"}}, h.now)
			return err
		})
		h.write(func(tx *db.Tx) error { return o.Later(t.Context(), tx, h.now.Add(longest), "", "empty", h.now) })
		h.work()
		if r, _, _, _ := h.see(red); r.Fulfilment.Status != engine.Delivered {
			t.Errorf("it is %+v", r.Fulfilment)
		}
		h.prove()
	})
}

func TestACardOfTheProgramsOwnIsIssuedOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, nil)
		red := h.redeem("own")
		_, o, _, _ := h.see(red)
		first, err := (own{h.o.Recorder}).Order(t.Context(), &o, h.now) // issued, and killed before it was told
		if err != nil {
			t.Fatal(err)
		}
		h.later()
		r, _, secret, _ := h.see(red)
		if r.Fulfilment.Status != engine.Delivered || r.Fulfilment.Reference != first.card || secret.Code == "" || len(secret.PIN) != 4 {
			t.Fatalf("the card came to %+v; %+v", r.Fulfilment, secret)
		}
		c, err := new(code.Guard).Look(t.Context(), d, code.Asked{Program: "cards", Text: secret.Code, PIN: secret.PIN, Kinds: []code.Kind{code.GiftCard}}, h.now)
		if err != nil || c.Holder != first.card {
			t.Errorf("the code opens %q: %v", c.Holder, err)
		}
		h.prove()
	})
}

// What an order took out of a pool is what it brought: verify sees where it is not.
func TestWhatAnOrderTookIsProved(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, nil)
		h.write(func(tx *db.Tx) error {
			_, err := reward.Load(t.Context(), tx, "cards", "books", "", []reward.NewCode{{Text: "BOOK-0001"}, {Text: "BOOK-0002"}}, h.now)
			return err
		})
		red := h.redeem("book")
		_, o, _, _ := h.see(red)
		if _, err := (pool{d}).Order(t.Context(), &o, h.now); err != nil {
			t.Fatal(err)
		}
		h.prove() // taken, and not told yet
		h.work()
		h.prove()
		for _, c := range []struct{ planted, undone, says string }{
			{`UPDATE code_orders SET tail = '9999'`, `UPDATE code_orders SET tail = '` + tailOf(func() string { _, _, s, _ := h.see(red); return s.Code }()) + `'`, "brought another code"},
			{`UPDATE code_orders SET status = 'failed'`, `UPDATE code_orders SET status = 'delivered'`, "came to nothing"},
			{`UPDATE code_pools SET taken_by = 'order:red_0' WHERE taken_at IS NOT NULL`, `UPDATE code_pools SET taken_by = 'order:` + red + `' WHERE taken_at IS NOT NULL`, "is not there"},
		} {
			plant := func(query string) {
				h.write(func(tx *db.Tx) error {
					_, err := tx.Exec(t.Context(), query)
					return err
				})
			}
			plant(c.planted)
			r, err := verify.Run(t.Context(), d, h.v, "cards", verify.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Findings) != 1 || r.Findings[0].Check != "pools" || !strings.Contains(r.Findings[0].Message, c.says) {
				t.Errorf("after %q: %+v", c.planted, r.Findings)
			}
			plant(c.undone)
			h.prove()
		}
	})
}

// A provider that hangs costs one wait a minute, however many of its orders are due, and the others' orders are done meanwhile.
func TestAProviderThatHangsHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, nil)
		var calls atomic.Int64
		end := make(chan struct{})
		srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			calls.Add(1)
			select {
			case <-end:
			case <-r.Context().Done():
			}
		}))
		t.Cleanup(srv.Close)
		t.Cleanup(func() { close(end) })
		p, err := Remote(srv.URL, "secret", 50*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		h.o.Providers = map[string]Provider{"shop": p}
		for range 4 {
			h.redeem("spa")
		}
		other := h.redeem("own")
		h.work()
		if r, _, _, _ := h.see(other); r.Fulfilment.Status != engine.Delivered || calls.Load() != 1 {
			t.Errorf("the other's is %s, after %d calls", r.Fulfilment.Status, calls.Load())
		}
		if n, err := h.o.Work(t.Context(), h.now); n != 0 || err != nil || calls.Load() != 1 {
			t.Errorf("%d orders are looked at while it is left alone, after %d calls: %v", n, calls.Load(), err)
		}
		h.now = h.now.Add(rest)
		h.work()
		if calls.Load() != 2 {
			t.Errorf("after a while it was asked %d times", calls.Load()-1)
		}
	})
}

// tell tells by a caller how far a redemption is.
func (h *house) tell(red, to, source string) error {
	_, err := h.o.Recorder.Record(h.t.Context(), record.Request{Program: "cards", Member: h.member, Now: h.now,
		Fact: engine.Fact{Kind: engine.FulfilK, Parent: red, Source: source, ExternalID: red, Fulfil: &engine.FulfilBody{To: to}}})
	return err
}

// What becomes of a card on order nobody says but the order, whatever they call themselves.
func TestNobodySaysWhatBecomesOfAnOrderButTheOrder(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, nil)
		for _, id := range []string{"own", "spa"} {
			red := h.redeem(id)
			for _, to := range []string{engine.Sent, engine.Delivered, engine.Failed} {
				if err := h.tell(red, to, ""); errs.As(err).Reason != "order_open" {
					t.Errorf("%s, told to be %s: %v", id, to, err)
				}
			}
			if err := h.tell(red, engine.Failed, Source); errs.As(err).Reason != "reserved_source" {
				t.Errorf("%s, told in the order's name: %v", id, err)
			}
			if r, _, _, _ := h.see(red); r.Fulfilment.Status != engine.Ordered {
				t.Errorf("%s is %s", id, r.Fulfilment.Status)
			}
		}
		h.prove()
	})
}

// A card of the program's own comes back when it was called off and nothing was paid with it.
func TestACardComesBackCalledOffAndUnused(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, nil)
		open := h.redeem("own")
		used, unused, bought := h.redeem("own"), h.redeem("own"), h.redeem("own")
		h.work()
		card := func(red string) string {
			r, _, _, _ := h.see(red)
			return r.Fulfilment.Reference
		}
		about := func(holder string, f engine.Fact) record.Request {
			return record.Request{Program: "cards", Holder: holder, Fact: f, Now: h.now}
		}
		pay := func(red string) record.Request {
			n := money.MustParse("10")
			return about(card(red), engine.Fact{Kind: engine.Redeem, Redemption: &engine.Redemption{Spend: engine.Spend{Points: &n}}})
		}
		shut := func(red string) record.Request {
			return about(card(red), engine.Fact{Kind: engine.Status, Status: &engine.StatusBody{To: engine.Closed, Reason: "test"}})
		}
		back := func(red string) record.Request {
			return record.Request{Program: "cards", Member: h.member, Now: h.now, Fact: engine.Fact{Kind: engine.FulfilK, Parent: red, Fulfil: &engine.FulfilBody{To: engine.Returned}}}
		}
		all := func(want string, reqs ...record.Request) {
			t.Helper()
			out := h.o.Recorder.Batch(t.Context(), reqs)
			for i, o := range out[:len(out)-1] {
				if o.Err != nil {
					t.Fatalf("%d: %v", i, o.Err)
				}
			}
			if err := out[len(out)-1].Err; want == "" && err != nil || want != "" && errs.As(err).Reason != want {
				t.Errorf("it came back: %v, not %q", err, want)
			}
		}
		all("card_open", back(open))
		for i, o := range h.o.Recorder.Batch(t.Context(), []record.Request{pay(used), shut(used), back(used)}) {
			if refused := o.Err != nil; refused != (i == 2) { // side by side, one that comes back may see the card before or after
				t.Errorf("at once, %d: %v", i, o.Err)
			}
		}
		all("card_used", back(used))
		all("", shut(unused))
		all("", back(unused))
		all("wrong_stage", back(unused))
		all("", pay(bought))
		all("card_used", back(bought)) // asked to close it first, its owner would lose what is left
		all("", shut(bought))
		all("card_used", back(bought))
		if r, _, _, stars := h.see(unused); r.Status != engine.StatusRefunded || stars != 700 {
			t.Errorf("%s; %d stars", r.Status, stars)
		}
		h.prove()
	})
}

// Whoever works at once, each order is worked on by one.
func TestManyWorkersBuyEachCardOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, nil)
		s := h.shop(&shop{status: Delivered})
		var reds []string
		for range 5 {
			reds = append(reds, h.redeem("spa"))
		}
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				if _, err := h.o.Work(context.WithoutCancel(t.Context()), h.now); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if len(s.calls) != len(reds) {
			t.Errorf("%d orders were sent by %d calls", len(reds), len(s.calls))
		}
		for _, red := range reds {
			if r, _, _, _ := h.see(red); r.Fulfilment.Status != engine.Delivered {
				t.Errorf("%s is %s", red, r.Fulfilment.Status)
			}
		}
	})
}

func TestWhereAProviderMayBe(t *testing.T) {
	t.Parallel()
	for text, good := range map[string]bool{
		"https://cards.example/v1": true, "http://127.0.0.1:8080": true, "http://cards.example": false, "https://a:b@cards.example": false, "ftp://x": false, "cards": false, "https://c.example/?k=1": false,
	} {
		if _, err := Remote(text, "t", 0); (err == nil) != good {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestPausesGrow(t *testing.T) {
	t.Parallel()
	last := time.Duration(0)
	for n := range 40 {
		if p := pause(n); p < last || p > longest {
			t.Fatalf("after %d tries the pause is %s", n, p)
		} else {
			last = p
		}
	}
}
