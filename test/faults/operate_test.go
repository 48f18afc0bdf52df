package faults

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
)

// TestR18BackupUnderLoad makes backups and exports while the bank works, and restores each on either database: the copy holds, it has
// all that was acknowledged before the backup began, and nothing that is not in the original.
func TestR18BackupUnderLoad(t *testing.T) {
	t.Parallel()
	each(t, func(r *run) {
		b := openBank(r, r.url)
		var copies []*books
		var last string
		b.under(func() {
			for round := range times(2, 20) {
				b.pause(between(b.rnd, 50*time.Millisecond, 300*time.Millisecond))
				b.mu.Lock()
				before := slices.Clone(b.log)
				b.mu.Unlock()
				to := filepath.Join(b.dir, "copy"+strconv.Itoa(round))
				b.ok([]string{"backup", "export"}[round%2], to)
				last = dbtest.EmptyURL(b.T, []db.Dialect{db.SQLite, db.Postgres}[b.rnd.IntN(2)])
				copies = append(copies, b.restored(to, last))
				for _, o := range before {
					if o.out == acked && o.kind != "read" && len(copies[round].facts[natural{bankIs, o.id}]) == 0 {
						b.Errorf("%s %s was acknowledged before the backup began, and is not in it", o.kind, o.id)
					}
				}
				b.count("backups restored", 1)
			}
		})
		b.settle()
		whole, err := readBooks(b.Context(), b.url)
		if err != nil {
			b.Fatal(err)
		}
		for i, c := range copies {
			for key, of := range c.facts {
				if !slices.Equal(of, whole.facts[key]) {
					b.Errorf("copy %d has %v, the original %v", i, of, whole.facts[key])
				}
			}
		}
		b.goesOn(last)
	})
}

// restored restores a backup and proves the copy.
func (b *bank) restored(from, to string) *books {
	b.Helper()
	b.ok("restore", from, "--db", to)
	b.ok("verify", "--db", to)
	books, err := readBooks(b.Context(), to)
	if err != nil {
		b.Fatalf("the copy does not fold: %v", err)
	}
	return books
}

// goesOn works on with a copy: what is in it is known there, under its key and its receipt.
func (b *bank) goesOn(url string) {
	b.Helper()
	n := b.node()
	n.url = url
	n.start()
	c := newCaller(b.secret)
	before, err := readBooks(b.Context(), url)
	if err != nil {
		b.Fatal(err)
	}
	known := 0
	for _, o := range b.log {
		if o.out != acked || o.kind == "read" || len(before.facts[natural{bankIs, o.id}]) == 0 || known == 20 {
			continue
		}
		if p := c.send(b.Context(), n.address(), o.req); !p.replayed || !bytes.Equal(p.body, o.last.body) {
			b.Errorf("%s %s on the copy: first %s, then (replayed %v) %s", o.kind, o.id, o.last, p.replayed, p)
		}
		known++
	}
	after, err := readBooks(b.Context(), url)
	if err != nil || len(after.facts) != len(before.facts) { // only what has ended meanwhile is new
		b.Errorf("what the copy knows was done again: %v", err)
	}
	n.stop()
	b.count("known on the copy", known)
}

// TestR19StoppedUnderLoad stops nodes as an operator does, one after another, and starts them again, under load: they end well, what was
// under way is answered, and what was not answered was not done.
func TestR19StoppedUnderLoad(t *testing.T) {
	t.Parallel()
	onNodes(t, func(b *bank) {
		b.hasty = true
		b.under(func() {
			for round := range times(3, 60) {
				b.pause(between(b.rnd, 100*time.Millisecond, 500*time.Millisecond))
				n := b.nodes[round%len(b.nodes)]
				b.gate.Lock()
				n.stop()
				b.gate.Unlock()
				n.start()
				b.count("stops", 1)
			}
		})
		b.settle()
	})
}

// crowd has many clients ask at once, each again and again, until the context ends, and gives how often each outcome came.
func (d *desk) crowd(ctx context.Context, clients int, ask func(client, n int) request) map[string]int {
	var mu sync.Mutex
	outcomes := map[string]int{}
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			c := newCaller(d.secret)
			defer c.http.CloseIdleConnections()
			for n := 0; ctx.Err() == nil; n++ {
				p := c.send(context.WithoutCancel(ctx), d.base(i), ask(i, n))
				what := strconv.Itoa(p.status)
				if p.err != nil {
					what = "no answer"
				}
				if p.outcome() == broken {
					d.Errorf("in a crowd: %s", p)
				}
				mu.Lock()
				outcomes[what]++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return outcomes
}

// most is how much memory a server may take in these tests.
const most = 512 << 20

// TestR20Overload has hundreds of clients ask for more than the machine can do: they are answered or told to come again, never with 500,
// memory stays bounded, and afterwards all is as before.
func TestR20Overload(t *testing.T) {
	t.Parallel()
	each(t, func(r *run) {
		d := openDesk(r, 2)
		members := d.caller.enrol(r, d.base(0), "person", people)
		ctx, cancel := context.WithTimeout(t.Context(), lasting(1500*time.Millisecond, time.Minute))
		defer cancel()
		var peak int64
		var all sync.WaitGroup
		all.Go(func() {
			for ctx.Err() == nil {
				for _, n := range d.nodes {
					peak = max(peak, n.memory())
				}
				r.pause(50 * time.Millisecond)
			}
		})
		outcomes := d.crowd(ctx, 400, func(client, n int) request {
			if n%4 == 3 {
				return get("/v1/members/" + members[client%people] + "/balances")
			}
			return purchase(members[client%people], 1, "crowd", fmt.Sprintf("%d-%d", client, n))
		})
		all.Wait()
		for what, n := range outcomes {
			r.count("answers "+what, n)
			if !slices.Contains([]string{"200", "201", "429", "503"}, what) {
				r.Errorf("%d times %s", n, what)
			}
		}
		r.count("MiB at most", int(peak>>20))
		if peak > most {
			r.Errorf("%d MiB of memory", peak>>20)
		}
		d.calm(members[0])
		for _, n := range d.nodes {
			n.stop()
		}
		b := r.prove()
		if done := len(b.facts) - 1; done != outcomes["201"] && outcomes["503"]+outcomes["no answer"] == 0 { // one is calm's
			r.Errorf("%d purchases were acknowledged, and %d are in the books", outcomes["201"], done)
		}
	})
}

// calm sees that a server answers as if nothing had been.
func (d *desk) calm(member string) {
	d.Helper()
	d.until("the server is calm", 20*time.Second, func() error {
		began := time.Now()
		p := d.caller.send(d.Context(), d.base(0), purchase(member, 1, "calm", "1"))
		if took := time.Since(began); p.outcome() != acked || took > time.Second {
			return fmt.Errorf("after %s: %s", took, p)
		}
		return nil
	})
}

// TestR20SlowClients opens hundreds of connections that say their requests a byte at a time: they are cut off, and keep nobody waiting.
func TestR20SlowClients(t *testing.T) {
	t.Parallel()
	r := newRun(t, dbtest.URL(t, db.SQLite))
	d := openDesk(r, 1)
	member := d.caller.enrol(t, d.base(0), "person", 1)[0]
	host := strings.TrimPrefix(d.base(0), "http://")
	const head = "POST /v1/purchases HTTP/1.1\r\nHost: x\r\nX-Slow: "
	// Half of them never end their headers, half of them never end their body: a server waits longer for a body.
	starts := []string{head, "POST /v1/purchases HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + d.secret + "\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"}
	began := time.Now()
	var cut [2][]time.Duration
	var mu sync.Mutex
	var all sync.WaitGroup
	for i := range 300 {
		all.Go(func() {
			conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", host)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			_, err = conn.Write([]byte(starts[i%2]))
			go func() {
				for err := error(nil); err == nil && t.Context().Err() == nil; r.pause(500 * time.Millisecond) {
					_, err = conn.Write([]byte(" "))
				}
			}()
			answer := make([]byte, 1<<10)
			for err == nil {
				_, err = conn.Read(answer)
			}
			mu.Lock()
			cut[i%2] = append(cut[i%2], time.Since(began))
			mu.Unlock()
		})
	}
	slowest := time.Duration(0)
	for i := range 50 {
		asked := time.Now()
		d.caller.must(t, d.base(0), purchase(member, 1, bankIs, strconv.Itoa(i)), nil)
		slowest = max(slowest, time.Since(asked))
		r.pause(10 * time.Millisecond)
	}
	r.count("ms at most beside slow clients", int(slowest.Milliseconds()))
	if slowest > 4*time.Second {
		t.Errorf("beside slow clients a purchase took %s", slowest)
	}
	half := 150
	if !*long { // the bodies end with the server
		r.until("slow headers are cut off", 15*time.Second, func() error {
			mu.Lock()
			defer mu.Unlock()
			if n := len(cut[0]); n < half {
				return fmt.Errorf("%d of %d so far", n, half)
			}
			return nil
		})
		d.nodes[0].kill()
	}
	all.Wait()
	for i, limit := range []time.Duration{15 * time.Second, 45 * time.Second} {
		if len(cut[i]) != half || slices.Max(cut[i]) > limit {
			t.Errorf("%d slow clients of kind %d were cut off, the last after %s", len(cut[i]), i, slices.Max(cut[i]))
		}
	}
	d.nodes[0].kill()
	if b := r.prove(); len(b.facts) != 50 {
		t.Errorf("%d purchases", len(b.facts))
	}
}

// TestR20FewFiles runs the server with 64 file descriptors and comes with three times as many connections: who gets in is served or told to come
// again, and when they are gone all is as before.
func TestR20FewFiles(t *testing.T) {
	t.Parallel()
	each(t, func(r *run) {
		d := openDesk(r, 0)
		n := r.node()
		n.wrap = []string{"sh", "-c", `ulimit -n 64; exec "$@"`, "sh"}
		n.start()
		members := d.caller.enrol(r, d.base(0), "person", people)
		d.caller.http.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(t.Context(), lasting(2*time.Second, 30*time.Second))
		defer cancel()
		outcomes := d.crowd(ctx, 200, func(client, n int) request {
			return purchase(members[client%people], 1, "crowd", fmt.Sprintf("%d-%d", client, n))
		})
		for what, n := range outcomes {
			r.count("answers "+what, n)
		}
		if outcomes["201"] == 0 {
			r.Errorf("nobody was served: %v", outcomes)
		}
		d.calm(members[0])
		n.stop()
		r.prove()
	})
}

// TestR20LittleMemory runs the bank with a memory limit that a server hardly fits in.
func TestR20LittleMemory(t *testing.T) {
	t.Parallel()
	each(t, func(r *run) {
		b := openBank(r)
		n := r.node()
		n.env = []string{"GOMEMLIMIT=40MiB"}
		n.start()
		b.enrol()
		var peak int64
		b.under(func() {
			for end := time.Now().Add(lasting(time.Second, 30*time.Second)); time.Now().Before(end); b.pause(50 * time.Millisecond) {
				peak = max(peak, n.memory())
			}
		})
		b.count("MiB at most", int(peak>>20))
		if peak > most/2 {
			b.Errorf("%d MiB of memory", peak>>20)
		}
		b.settle()
	})
}
