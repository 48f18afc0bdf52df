package faults

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
)

const (
	clients = 8
	people  = 20
	bankIs  = "bank" // the source of all natural keys
)

// op is one operation of the bank: a request, what it does to points when it is done, and what became of it.
type op struct {
	id     string
	kind   string
	client int
	req    request
	// member's points change by delta, which wants need of them to be spendable; with a transfer, other's change by -delta.
	member, other int
	delta, need   int64
	// of says what a later operation may build on: the purchase's or redemption's amount.
	n int64

	ends time.Time // of sparks

	call, ret int64 // since the bank opened
	out       outcome
	last      reply
	sendings  int
	answer    answer
	balance   *int64 // points after it, where the answer tells
}

// bank is a program under load, with the log of its clients.
type bank struct {
	*run
	secret  string
	members []string
	opened  time.Time
	seq     atomic.Int64
	// right is the clock of the run's commands, where they have one of their own. Nodes then are off by up to skew.
	right *clock
	// hasty clients never repeat what is unknown, and for who is only stopped none of it may have been done.
	hasty bool
	// gate is held to read by who has the database open besides the program, to write by who kills it.
	gate sync.RWMutex

	mu  sync.Mutex
	log []*op
}

// openBank starts a node on each of the URLs, which all lead to the run's database, and enrols the people.
func openBank(r *run, urls ...string) *bank {
	r.Helper()
	b := &bank{run: r, secret: r.publish(), opened: time.Now()}
	for _, url := range urls {
		n := r.node()
		n.url = url
		n.start()
	}
	if len(urls) > 0 {
		b.enrol()
	}
	return b
}

// enrol makes the people.
func (b *bank) enrol() {
	b.Helper()
	b.members = newCaller(b.secret).enrol(b, b.nodes[0].address(), "person", people)
}

func (b *bank) now() int64 { return int64(time.Since(b.opened)) }

// teller is one client with what it can build on.
type teller struct {
	*bank
	n      int
	rnd    *rand.Rand
	caller *caller
	node   int
	// stubborn clients repeat what is unknown until it is known; others leave some of it.
	stubborn  bool
	purchases []*op // acknowledged and not returned
	tokens    []*op // redeemed, to be refunded
	holds     []*op // reserved
}

// work lets all clients work until the context ends, and then bring to an end what they have begun.
func (b *bank) work(ctx context.Context) {
	b.Helper()
	var all sync.WaitGroup
	for i := range clients {
		t := &teller{bank: b, n: i, rnd: chance(fmt.Sprintf("%s client %d of %d", b.Name(), i, b.seq.Load())), caller: newCaller(b.secret),
			node: i % len(b.nodes), stubborn: i%2 == 0}
		all.Go(func() {
			for ctx.Err() == nil && !b.Failed() {
				t.perform(t.choose())
			}
		})
	}
	all.Wait()
}

func (t *teller) id() string {
	return fmt.Sprintf("c%d-%d", t.n, t.seq.Add(1))
}

// pop takes a random one out of the list.
func (t *teller) pop(list *[]*op) *op {
	if len(*list) == 0 {
		return nil
	}
	i := t.rnd.IntN(len(*list))
	one := (*list)[i]
	*list = slices.Delete(*list, i, i+1)
	return one
}

// choose makes the next operation.
func (t *teller) choose() *op {
	o := &op{id: t.id(), client: t.n, member: t.rnd.IntN(people), other: -1, n: 1 + t.rnd.Int64N(60)}
	who := t.members[o.member]
	key := map[string]any{"source": bankIs, "external_id": o.id}
	with := func(more map[string]any) map[string]any {
		maps.Copy(more, key)
		return more
	}
	switch dice := t.rnd.IntN(100); {
	case dice < 28:
		o.kind, o.delta = "earn", o.n
		o.req = post("/v1/purchases", o.id, with(map[string]any{"member": who, "amount": o.n}))
	case dice < 42:
		o.kind, o.delta, o.need = "redeem", -o.n, o.n
		o.req = post("/v1/redemptions", o.id, with(map[string]any{"member": who, "reward": "token", "quantity": o.n, "commit": true}))
	case dice < 50:
		o.kind, o.delta, o.need = "reserve", -o.n, o.n
		o.req = post("/v1/redemptions", o.id, with(map[string]any{"member": who, "reward": "token", "quantity": o.n, "hold_seconds": 3600}))
	case dice < 57:
		if hold := t.pop(&t.holds); hold != nil {
			o.member, o.n = hold.member, hold.n
			step := "/commit"
			if o.kind = "commit"; t.rnd.IntN(2) == 0 {
				o.kind, step, o.delta = "cancel", "/cancel", hold.n
			}
			o.req = post("/v1/redemptions/"+hold.answer.ID+step, o.id, key)
			return o
		}
		return t.choose()
	case dice < 63:
		if token := t.pop(&t.tokens); token != nil {
			o.kind, o.member, o.delta = "refund", token.member, token.n
			o.req = post("/v1/redemptions/"+token.answer.ID+"/refund", o.id, key)
			return o
		}
		return t.choose()
	case dice < 70:
		if bought := t.pop(&t.purchases); bought != nil {
			o.kind, o.member, o.delta = "return", bought.member, -bought.n
			o.req = post("/v1/purchases/"+bankIs+":"+bought.id+"/returns", o.id, key)
			return o
		}
		return t.choose()
	case dice < 80:
		o.kind, o.delta, o.need = "transfer", -o.n, o.n
		o.other = (o.member + 1 + t.rnd.IntN(people-1)) % people
		o.req = post("/v1/transfers", o.id, with(map[string]any{"from": who, "to": t.members[o.other], "unit": "point", "amount": o.n}))
	case dice < 86:
		o.kind, o.delta = "adjust", o.n
		if t.rnd.IntN(2) == 0 {
			o.delta, o.need = -o.n, o.n
		}
		o.req = post("/v1/adjustments", o.id, with(map[string]any{"member": who, "unit": "point", "amount": o.delta, "reason": "by hand"}))
	case dice < 92: // it expires soon
		o.kind = "spark"
		o.ends = time.Now().Add(between(t.rnd, 50*time.Millisecond, 1500*time.Millisecond)).UTC()
		if t.right != nil { // the fastest node is some minutes ahead
			o.ends = o.ends.Add(5 * time.Minute)
		}
		o.req = post("/v1/adjustments", o.id, with(map[string]any{"member": who, "unit": "spark", "amount": o.n, "reason": "spark", "expires_at": o.ends}))
	case dice < 95:
		o.kind, o.n = "flash", 1+o.n/10
		o.req = post("/v1/redemptions", o.id, with(map[string]any{"member": who, "reward": "flash", "quantity": o.n, "commit": true}))
	default:
		o.kind = "read"
		o.req = get("/v1/members/" + who + "/balances")
	}
	return o
}

// refusals are the reasons for which an operation of the bank may be refused.
var refusals = []string{"balance_too_low"}

// tries bounds how often a stubborn client asks: far longer than any fault lasts.
const tries = 2000

// perform sends an operation, again while its outcome is unknown, and logs what came of it.
func (t *teller) perform(o *op) {
	o.call = t.now()
	open := false // some sending may have been applied
	for range tries {
		o.last = t.caller.send(context.WithoutCancel(t.Context()), t.nodes[t.node].address(), o.req)
		if !o.last.unsent {
			o.sendings++
		}
		o.out = o.last.outcome()
		open = open || o.out == unknown
		if o.last.unsent && open {
			o.out = unknown
		}
		if o.out != unknown && !o.last.unsent || o.out == unknown && (t.hasty || !t.stubborn && t.rnd.IntN(3) == 0) || t.Failed() {
			break
		}
		t.node = (t.node + 1) % len(t.nodes) // another node may know
		t.pause(between(t.rnd, 0, 20*time.Millisecond))
	}
	o.ret = t.now()
	switch {
	case o.out == broken:
		t.Errorf("%s %s %s: %s", o.kind, o.req.method, o.req.path, o.last)
	case o.out == refused && !o.last.unsent && !slices.Contains(refusals, o.last.problem.Reason):
		t.Errorf("%s %s %s: refused: %s", o.kind, o.req.method, o.req.path, o.last)
	case o.out == acked:
		if err := o.last.into(&o.answer); err != nil {
			t.Errorf("%s: %v", o.kind, err)
		}
		t.keep(o)
	}
	t.mu.Lock()
	t.log = append(t.log, o)
	t.mu.Unlock()
	if o.out == acked && o.req.key != "" && t.rnd.IntN(20) == 0 {
		t.again(o)
	}
}

// keep remembers what later operations build on.
func (t *teller) keep(o *op) {
	switch o.kind {
	case "earn":
		t.purchases = append(t.purchases, o)
	case "redeem":
		t.tokens = append(t.tokens, o)
	case "reserve":
		t.holds = append(t.holds, o)
	}
	if o.kind != "spark" && o.kind != "flash" { // their answers tell points too, but of a moment that the log has no operation for
		n := o.answer.Balances["point"].Balance
		o.balance = &n
	}
}

// again repeats what was acknowledged: the answer must be the very same.
func (t *teller) again(o *op) {
	p := t.caller.send(t.Context(), t.nodes[t.node].address(), o.req)
	t.count("repetitions", 1)
	switch p.outcome() {
	case acked:
		if !p.replayed || p.status != o.last.status || !bytes.Equal(p.body, o.last.body) {
			t.Errorf("%s %s repeated under its key: first %s, then (replayed %v) %s", o.kind, o.id, o.last, p.replayed, p)
		}
	case refused:
		if !p.unsent {
			t.Errorf("%s %s repeated under its key: first %s, then %s", o.kind, o.id, o.last, p)
		}
	case broken:
		t.Errorf("%s %s repeated: %s", o.kind, o.id, p)
	case unknown: // the node was killed meanwhile
	}
}

// watch reads snapshots all the time, beside the program, until the context ends: I1 to I4 hold at every one.
func (b *bank) watch(ctx context.Context) {
	for ctx.Err() == nil && !b.Failed() {
		b.gate.RLock()
		began := time.Now()
		_, err := readBooks(b.Context(), b.url)
		b.gate.RUnlock()
		if err != nil {
			b.Errorf("a snapshot under load: %v", err)
			return
		}
		b.count("snapshots", 1)
		b.pause(max(10*time.Millisecond, 4*time.Since(began))) // it must not become the load
	}
}

// follower reads the feed of events as a program does that must miss nothing.
type follower struct {
	*bank
	caller *caller
	node   int
	cursor string
	// events are the types by fact, ids those that came.
	events map[string][]string
	ids    map[string]bool
}

func (b *bank) follower() *follower {
	return &follower{bank: b, caller: newCaller(b.secret), events: map[string][]string{}, ids: map[string]bool{}}
}

// follow asks for what comes next until the context ends. Whoever asks for it again after a failure gets it again.
func (f *follower) follow(ctx context.Context) {
	for ctx.Err() == nil && !f.Failed() {
		if !f.read(ctx, "&wait=1") {
			f.node = (f.node + 1) % len(f.nodes)
			f.pause(20 * time.Millisecond)
		}
	}
}

// read reads one page.
func (f *follower) read(ctx context.Context, more string) bool {
	p := f.caller.send(ctx, f.nodes[f.node].address(), get("/v1/events?limit=500&cursor="+url.QueryEscape(f.cursor)+more))
	if p.outcome() == broken {
		f.Errorf("the feed: %s", p)
	}
	if p.outcome() != acked {
		return false
	}
	var page struct {
		Items []struct {
			ID   string `json:"id"`
			Type string `json:"type"`
			Fact string `json:"fact"`
		} `json:"items"`
		Next string `json:"next_cursor"`
	}
	if err := p.into(&page); err != nil {
		f.Error(err)
	}
	for _, e := range page.Items {
		if f.ids[e.ID] {
			f.Errorf("event %s came twice", e.ID)
		}
		f.ids[e.ID] = true
		f.events[e.Fact] = append(f.events[e.Fact], e.Type)
	}
	f.cursor = page.Next
	return true
}

// caughtUp reads on until what was acknowledged last has come, and proves that the one who followed all along missed nothing.
func (f *follower) caughtUp() {
	f.Helper()
	f.node = 0
	want := map[string]string{"earn": "points.earned", "redeem": "redemption.committed", "spark": "points.adjusted", "adjust": "points.adjusted"}
	f.until("the feed has come to its end", time.Minute, func() error {
		if !f.read(f.Context(), "") {
			return errors.New("it cannot be read")
		}
		for _, o := range f.log {
			if typ, ok := want[o.kind]; ok && o.out == acked && !slices.Contains(f.events[o.answer.ID], typ) {
				return fmt.Errorf("%s %s (%s) has the events %v, not %s", o.kind, o.id, o.answer.ID, f.events[o.answer.ID], typ)
			}
		}
		return nil
	})
	anew := f.follower()
	for before := -1; before < len(anew.ids); {
		before = len(anew.ids)
		anew.read(f.Context(), "")
	}
	for id := range f.ids {
		if !anew.ids[id] {
			f.Errorf("event %s was in the feed, and is not any more", id)
		}
	}
	for fact, types := range anew.events {
		if !slices.Equal(types, f.events[fact]) && len(anew.ids) <= len(f.ids) {
			f.Errorf("fact %s told %v; who followed the feed heard %v", fact, types, f.events[fact])
		}
	}
	f.count("events followed", len(f.ids))
}

// under runs a fault while the bank works and is watched, and lets both end afterwards.
func (b *bank) under(fault func()) {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	var all sync.WaitGroup
	all.Go(func() { b.work(ctx) })
	all.Go(func() { b.watch(ctx) })
	f := b.follower()
	all.Go(func() { f.follow(ctx) })
	fault()
	cancel()
	all.Wait()
	f.caughtUp()
}

// settle proves that the books hold just what the log says: all that was acknowledged, nothing that was refused, and of what is
// unknown each once or not at all. The nodes must be up.
func (b *bank) settle() {
	b.Helper()
	base := b.nodes[0].address()
	final := make([]int64, people)
	for i, who := range b.members {
		// On a machine that is busy enough the program may find its database away for a moment also now.
		b.until("the balance of a member is told", comesBack, func() error {
			var a answer
			p := newCaller(b.secret).send(b.Context(), base, get("/v1/members/"+who+"/balances"))
			if p.outcome() == unknown {
				return errors.New(p.String())
			}
			err := p.into(&a)
			if p.outcome() != acked || err != nil {
				b.Fatalf("the balance of member %d: %s: %v", i, p, err)
			}
			final[i] = a.Balances["point"].Balance
			return nil
		})
	}
	for _, n := range b.nodes {
		n.stop()
	}
	var burnt time.Time // when the last spark has ended
	for _, o := range b.log {
		if o.ends.After(burnt) {
			burnt = o.ends
		}
	}
	if b.right != nil {
		b.right.set(burnt.Format(time.RFC3339Nano))
	} else {
		b.pause(time.Until(burnt) + time.Millisecond)
	}
	b.ok("sweep")
	books := b.prove()

	at := map[string]*op{}
	applied := map[*op]bool{}
	for _, o := range b.log {
		at[o.id] = o
		if o.kind == "read" {
			continue
		}
		b.count("operations "+string(o.out), 1)
		found := books.facts[natural{bankIs, o.id}]
		switch {
		case o.out == acked && len(found) == 0:
			b.Errorf("LOST: %s %s of member %d was acknowledged (%s) and is not in the books", o.kind, o.id, o.member, o.last)
		case o.out == acked && o.kind != "commit" && o.kind != "cancel" && o.kind != "refund" && found[0].id != o.answer.ID:
			b.Errorf("%s %s was acknowledged as %s and is %v in the books", o.kind, o.id, o.answer.ID, found)
		case o.out == refused && len(found) != 0:
			b.Errorf("%s %s was refused (%s) and is in the books: %v", o.kind, o.id, o.last, found)
		}
		applied[o] = len(found) > 0
		if o.out == unknown && applied[o] && b.hasty {
			b.Errorf("%s %s was done, and whoever asked for it was told: %s", o.kind, o.id, o.last)
		}
		if o.out == unknown {
			b.count(map[bool]string{true: "unknown that were done", false: "unknown that were not"}[applied[o]], 1)
		}
		if o.sendings > 1 {
			b.count("resolved by repeating", 1)
		}
	}
	for key := range books.facts {
		if key[0] == bankIs && at[key[1]] == nil {
			b.Errorf("%s:%s is in the books, and nobody asked for it", key[0], key[1])
		}
	}
	want := make([]int64, people)
	var sparks, flashes int64
	for o, done := range applied {
		if !done {
			continue
		}
		switch o.kind {
		case "spark":
			sparks += o.n
			continue
		case "flash":
			flashes += o.n
			continue
		}
		want[o.member] += o.delta
		if o.other >= 0 {
			want[o.other] -= o.delta
		}
	}
	for i := range people {
		if want[i] != final[i] {
			b.Errorf("member %d has %d points; what was acknowledged and applied comes to %d", i, final[i], want[i])
		}
		if h := books.held[[2]string{b.members[i], "spark"}]; h != (sums{}) {
			b.Errorf("member %d has %+v of sparks that have all ended", i, h)
		}
	}
	if books.spent["spark"] != flashes || books.expired["spark"] != sparks-flashes {
		b.Errorf("%d sparks were given and %d spent; in the books %d were spent and %d expired", sparks, flashes, books.spent["spark"], books.expired["spark"])
	}
	b.count("sparks expired", int(books.expired["spark"]))
	b.linearizable(applied, final)
}

// TestR01BankWatchedForRaces is the same in the program that Go's race detector watches.
func TestR01BankWatchedForRaces(t *testing.T) {
	t.Parallel()
	if !*long {
		t.Skip("left out: building the watched program is for the long form")
	}
	each(t, func(r *run) {
		r.program = "lojal-race"
		b := openBank(r, slices.Repeat([]string{r.url}, map[bool]int{true: 1, false: 2}[r.sqlite()])...)
		b.under(func() { b.pause(lasting(0, time.Minute)) })
		b.settle()
	})
}

// TestR01Bank lets eight clients earn, redeem, reserve, return, refund, transfer, adjust and let expire on twenty members.
func TestR01Bank(t *testing.T) {
	t.Parallel()
	onNodes(t, func(b *bank) {
		b.under(func() { b.pause(lasting(2*time.Second, time.Minute)) })
		b.settle()
	})
}

// TestR02BankKilled is the same while nodes are killed as kill -9 does, at random moments, and started again.
func TestR02BankKilled(t *testing.T) {
	t.Parallel()
	onNodes(t, func(b *bank) {
		var slowest time.Duration
		b.under(func() {
			for range times(5, 100) {
				b.pause(between(b.rnd, 50*time.Millisecond, 500*time.Millisecond))
				n := b.nodes[b.rnd.IntN(len(b.nodes))]
				b.gate.Lock()
				n.kill()
				b.gate.Unlock()
				slowest = max(slowest, n.restart())
				b.count("kills", 1)
			}
		})
		b.count("ms of the slowest restart", int(slowest.Milliseconds()))
		b.settle()
	})
}

// onNodes runs a bank on SQLite, and on PostgreSQL with one node and with two.
func onNodes(t *testing.T, body func(b *bank)) {
	t.Helper()
	for _, on := range []struct {
		dialect db.Dialect
		nodes   int
	}{{db.SQLite, 1}, {db.Postgres, 1}, {db.Postgres, 2}} {
		t.Run(string(on.dialect)+strconv.Itoa(on.nodes), func(t *testing.T) {
			t.Parallel()
			r := newRun(t, dbtest.URL(t, on.dialect))
			body(openBank(r, slices.Repeat([]string{r.url}, on.nodes)...))
		})
	}
}

var errIllegal = errors.New("no order of the operations explains their answers")
