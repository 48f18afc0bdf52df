package faults

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
)

// posts are requests of all kinds that record something, each good for one round, with what one more of them does to the points of
// the first member.
func (d *desk) posts(members []string, round int) []request {
	d.Helper()
	n := strconv.Itoa(round)
	id := func(kind string) string { return kind + n }
	var bought, held answer
	d.caller.must(d, d.base(0), purchase(members[0], 500, bankIs, "basis"+n), &bought)
	d.caller.must(d, d.base(0), post("/v1/redemptions", "basis-hold"+n, map[string]any{"member": members[0], "reward": "token", "quantity": 3}), &held)
	return []request{
		purchase(members[0], 10, bankIs, id("purchase")),
		post("/v1/purchases/"+bought.ID+"/returns", id("return"), map[string]any{"amount": 7}),
		post("/v1/redemptions", id("redeem"), map[string]any{"member": members[0], "reward": "token", "quantity": 2, "commit": true}),
		post("/v1/redemptions/"+held.ID+"/commit", id("commit"), map[string]any{}),
		post("/v1/adjustments", id("adjust"), map[string]any{"member": members[0], "unit": "point", "amount": 5, "reason": "by hand"}),
		post("/v1/transfers", id("transfer"), map[string]any{"from": members[0], "to": members[1], "unit": "point", "amount": 4}),
		post("/v1/members", id("enrol"), map[string]any{"external_id": id("enrolled")}),
		post("/v1/batches", id("batch"), map[string]any{"facts": []any{
			map[string]any{"purchase": map[string]any{"member": members[0], "amount": 11, "source": "batch", "external_id": n}},
			map[string]any{"adjustment": map[string]any{"member": members[1], "unit": "point", "amount": 1, "reason": "batch"}},
		}}),
	}
}

// stored reads the answer that is kept under a key.
func (r *run) stored(key string) []string {
	r.Helper()
	d, err := openBooks(r.url)
	if err != nil {
		r.Fatal(err)
	}
	defer d.Close()
	rows, err := d.QueryContext(r.Context(), `SELECT answer FROM idempotency WHERE key = $1`, key)
	if err != nil {
		r.Fatal(err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var one string
		if err := rows.Scan(&one); err != nil {
			r.Fatal(err)
		}
		out = append(out, one)
	}
	if err := rows.Err(); err != nil {
		r.Fatal(err)
	}
	return out
}

// again repeats what went wrong for the client but was done: the original answer comes, and nothing is added.
func (d *desk) again(q request) {
	d.Helper()
	before, err := readBooks(d.Context(), d.url)
	if err != nil {
		d.Fatal(err)
	}
	batch := strings.HasPrefix(q.key, "batch")
	kept := d.stored(q.key)
	p := d.caller.must(d, d.base(0), q, nil)
	after, err := readBooks(d.Context(), d.url)
	if err != nil {
		d.Fatal(err)
	}
	if batch && len(kept) == 0 {
		// The batch was lost between its facts and its own answer, so it went on where it was; now it is whole.
		kept, p = d.stored(q.key), d.caller.must(d, d.base(0), q, nil)
	}
	switch {
	case len(kept) != 1:
		d.Errorf("%s: there are %d answers under the key of what was done", q.key, len(kept))
	case !p.replayed || string(bytes.TrimSpace(p.body)) != strings.TrimSpace(kept[0]):
		d.Errorf("%s: repeated (replayed %v): %s; stored with the effect: %s", q.key, p.replayed, p, kept[0])
	case p.status != http.StatusCreated && !batch:
		d.Errorf("%s: repeated: %s", q.key, p)
	case before.all != after.all || before.postings != after.postings:
		d.Errorf("%s: the repetition added %d facts and %d postings", q.key, after.all-before.all, after.postings-before.postings)
	}
	d.count("repeated with the original answer", 1)
}

// TestR04AnswerLost cuts the connection between client and program when the answer is on its way: what the client repeats was
// done, and is answered as it was.
func TestR04AnswerLost(t *testing.T) {
	t.Parallel()
	each(t, func(r *run) {
		d := openDesk(r, 1)
		members := d.caller.enrol(r, d.base(0), "person", 2)
		between := r.proxy(func() string { return strings.TrimPrefix(d.base(0), "http://") })
		for round := range times(2, 40) {
			for _, q := range d.posts(members, round) {
				passes := r.rnd.IntN(3) * r.rnd.IntN(400) // of the answer, before the cut
				between.tap(short(func() int { return passes }))
				between.reset()
				if p := d.caller.send(t.Context(), "http://"+between.address(), q); p.err == nil {
					r.Fatalf("the answer came through: %s", p)
				}
				r.count("answers lost", 1)
				d.again(q)
			}
		}
		d.nodes[0].stop()
		r.prove()
	})
}

// TestR04ClientGone lets the client hang up while the program works: what it repeats is answered as if it had waited.
func TestR04ClientGone(t *testing.T) {
	t.Parallel()
	each(t, func(r *run) {
		d := openDesk(r, 1)
		members := d.caller.enrol(r, d.base(0), "person", 2)
		for round := range times(3, 60) {
			for _, q := range d.posts(members, round) {
				ctx, cancel := context.WithTimeout(t.Context(), between(r.rnd, 0, 6*time.Millisecond))
				p := d.caller.send(ctx, d.base(0), q)
				cancel()
				r.count(string(p.outcome()), 1)
				if o := p.outcome(); o != acked && p.err == nil {
					r.Errorf("%s: %s", q.key, p)
				}
				d.caller.must(r, d.base(0), q, nil)
				d.again(q)
			}
		}
		d.nodes[0].stop()
		r.prove()
	})
}

// TestR04CommitUnknown cuts the connection between program and PostgreSQL when the COMMIT of a request is on its way, and no other one. Where
// it arrived, the program cannot know: it says 503, and the key decides. Where it did not, nothing was done, and the repetition does it once.
func TestR04CommitUnknown(t *testing.T) {
	t.Parallel()
	r := newRun(t, dbtest.URL(t, db.Postgres))
	pg := r.proxy(func() string { return hostOf(r.url) })
	d := openDesk(r, 0)
	n := r.node("--sweep-every", "0s")
	n.url = pg.through(r.url)
	n.start()
	members := d.caller.enrol(r, d.base(0), "person", 2)

	var shot once
	cuts := []struct {
		name string
		tap  func(of func([]byte) bool) func() tap
		done func(q request) (sure, done bool)
	}{
		{"the answer to COMMIT is lost", func(of func([]byte) bool) func() tap {
			return func() tap {
				client := frontend{of: of}
				server := backend{tag: "COMMIT"}
				var armed atomic.Bool
				return tap{
					up: func(chunk []byte) verdict {
						if client.sees(chunk) && shot.take() {
							armed.Store(true)
						}
						return pass
					},
					down: func(chunk []byte) verdict {
						switch {
						case !armed.Load():
							return pass
						case server.done(chunk):
							return drop
						}
						return swallow
					},
				}
			}
		}, func(request) (bool, bool) { return true, true }},
		{"cut behind COMMIT", at(&shot, last), func(request) (bool, bool) { return false, false }},
		{"cut before COMMIT", at(&shot, drop), func(request) (bool, bool) { return true, false }},
	}
	for round := range times(1, 30) {
		for i, cut := range cuts {
			for _, q := range d.posts(members, round*len(cuts)+i) {
				pg.tap(cut.tap(under(q.key)))
				pg.reset() // the pool's connections come anew, with the tap
				d.warm()
				end := r.others(pg)
				shot.arm(1)
				p := d.caller.send(t.Context(), d.base(0), q)
				end()
				if !shot.spent() {
					r.Fatalf("%s: no COMMIT of %s was seen on its way; the answer is %s", cut.name, q.key, p)
				}
				batch := strings.HasPrefix(q.key, "batch")
				if batch && (p.status != http.StatusOK || bytes.Count(p.body, []byte(`"status":503,"code":"unavailable","reason":"unknown_commit"`)) != 2) ||
					!batch && (p.outcome() != unknown || p.status != http.StatusServiceUnavailable || p.problem.Code != "unavailable") {
					r.Errorf("%s: %s is answered %s", cut.name, q.key, p)
				}
				r.count(cut.name, 1)
				r.until("the other end of the connection is gone", comesBack, func() error { return r.nobodyAtWork() })
				sure, done := cut.done(q)
				effect := q.key
				if batch {
					effect += "#0"
				}
				if there := len(r.stored(effect)) == 1; sure && there != done {
					r.Errorf("%s: %s: done %v", cut.name, q.key, there)
				} else if there {
					d.again(q)
				} else {
					if p := d.caller.must(r, d.base(0), q, nil); p.replayed {
						r.Errorf("%s: %s was not done, and the repetition is answered as a replay", cut.name, q.key)
					}
					d.again(q)
				}
			}
		}
	}
	n.stop()
	r.prove()
}

// under says whether a value of a statement is the key of a request or that of a part of it, or a list in which there is one: what is done
// under a key writes the key down in the same transaction, and nothing else has it.
func under(key string) func(value []byte) bool {
	is := func(text []byte) bool {
		rest, found := bytes.CutPrefix(text, []byte(key))
		return found && (len(rest) == 0 || rest[0] == '#')
	}
	return func(value []byte) bool {
		if is(value) {
			return true
		}
		for at := 4; at < len(value); at++ { // before each text in a list stands its length
			size := int(binary.BigEndian.Uint32(value[at-4:]))
			if size >= len(key) && at+size <= len(value) && is(value[at:at+size]) {
				return true
			}
		}
		return false
	}
}

// others commits all the time through the proxy, as the program's own jobs do now and then, until end is called.
func (r *run) others(pg *proxy) (end func()) {
	r.Helper()
	d, err := sql.Open("pgx", pg.through(r.url))
	if err != nil {
		r.Fatal(err)
	}
	ctx, cancel := context.WithCancel(r.Context())
	begun := make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		defer d.Close()
		for n := 0; ctx.Err() == nil; n++ {
			tx, err := d.BeginTx(ctx, nil)
			if err == nil {
				_, err = tx.ExecContext(ctx, `SELECT $1::text`, "somebody else's")
				err = errors.Join(err, tx.Commit())
			}
			if err != nil && ctx.Err() == nil {
				r.Errorf("the cut hit somebody else: %v", err)
				cancel()
			}
			if n == 0 {
				close(begun)
			}
			r.pause(time.Millisecond)
		}
	})
	<-begun
	return func() {
		cancel()
		all.Wait()
	}
}

// at makes taps that give the verdict on the chunk with the COMMIT of what is looked for.
func at(shot *once, what verdict) func(of func([]byte) bool) func() tap {
	return func(of func([]byte) bool) func() tap {
		return func() tap {
			client := frontend{of: of}
			return tap{up: func(chunk []byte) verdict {
				if client.sees(chunk) && shot.take() {
					return what
				}
				return pass
			}}
		}
	}
}

// warm fills the pool with connections that live, by asking until nothing fails.
func (d *desk) warm() {
	d.Helper()
	d.until("the program answers", comesBack, func() error {
		if p := d.caller.send(d.Context(), d.base(0), get("/v1/events?limit=1")); p.outcome() != acked {
			return fmt.Errorf("%s", p)
		}
		return nil
	})
}

// nobodyAtWork says whether any backend of the run's database still runs a transaction.
func (r *run) nobodyAtWork() error {
	d, err := openBooks(r.url)
	if err != nil {
		return err
	}
	defer d.Close()
	var n int
	err = d.QueryRowContext(r.Context(), `SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
		AND xact_start IS NOT NULL`).Scan(&n)
	if err == nil && n > 0 {
		err = fmt.Errorf("%d transactions are open", n)
	}
	return err
}
