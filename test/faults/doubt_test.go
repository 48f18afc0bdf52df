package faults

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"lojal.dev/lojal/internal/db"
)

// preparing makes taps that have the server prepare a transaction in the place of its COMMIT, under a name, and then cut the connection:
// what is left is what a machine has that was lost between the two phases of a commit.
func preparing(shot *once, name string, of func([]byte) bool) func() tap {
	return func() tap {
		client, server := frontend{of: of}, backend{tag: "PREPARE TRANSACTION"}
		var armed atomic.Bool
		return tap{
			turn: func(chunk []byte) (out []byte) {
				client.each(chunk, func(message []byte, commit bool) {
					if !commit || !shot.take() {
						out = append(out, message...)
						return
					}
					armed.Store(true)
					text := "PREPARE TRANSACTION '" + name + "'"
					instead := []pgproto3.FrontendMessage{&pgproto3.Query{String: text}}
					if message[0] == 'B' {
						instead = []pgproto3.FrontendMessage{&pgproto3.Parse{Query: text}, &pgproto3.Bind{}}
					}
					for _, one := range instead {
						out, _ = one.Encode(out) // it fails for what is longer than a gigabyte
					}
				})
				return out
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
}

// TestR23TransferInDoubt leaves transfers between the two phases of a commit, as a distributed database does whose machine is lost there, and
// lets the server die and come back meanwhile. The transfer holds what it touches; it is not known, to whoever repeats it neither, and never
// counts twice; other members notice nothing. When the database has ended it, one way or the other, the key tells which, and the books hold.
// The program runs as on one machine, and as on a database whose rows are spread.
func TestR23TransferInDoubt(t *testing.T) {
	t.Parallel()
	for _, spread := range []bool{false, true} {
		t.Run(map[bool]string{false: "one machine", true: "spread"}[spread], func(t *testing.T) {
			t.Parallel()
			r := newRun(t, "")
			c := r.cluster("max_prepared_transactions=20")
			r.url = c.url("postgres")
			r.ok("migrate")
			if spread {
				r.spread()
			}
			pg := r.proxy(func() string { return hostOf(r.url) })
			d := openDesk(r, 0)
			n := r.node("--sweep-every", "0s")
			n.url = pg.through(r.url)
			n.start()
			members := d.caller.enrol(r, d.base(0), "person", 4)
			const float = 100_000
			for i, m := range members {
				d.caller.must(r, d.base(0), give(m, float, fmt.Sprint("float", i)), nil)
			}
			transfer := func(key, from, to string, n int64) request {
				return post("/v1/transfers", key, map[string]any{"from": from, "to": to, "unit": "point", "amount": n})
			}
			var moved, beside int64
			for round := range times(4, 60) {
				commits, dies := round%2 == 0, round/2%2 == 0
				name, amount := fmt.Sprint("doubt", round), 1+r.rnd.Int64N(100)
				q := transfer(name, members[0], members[1], amount)
				var shot once
				pg.tap(preparing(&shot, name, under(members[0])))
				pg.reset()
				d.warm()
				shot.arm(1)
				p := d.caller.send(r.Context(), d.base(0), q)
				if !shot.spent() || p.status != 503 || p.problem.Reason != "unknown_commit" {
					r.Fatalf("a transfer whose commit is in doubt is answered %s", p)
				}
				left := func() string { return c.must("SELECT string_agg(gid, ' ') FROM pg_prepared_xacts") }
				if got := left(); got != name {
					r.Fatalf("there is left %q, not %s", got, name)
				}
				if dies {
					c.kill(syscall.SIGKILL)
					c.start()
					d.warm()
					if got := left(); got != name {
						r.Fatalf("behind a restart there is left %q, not %s", got, name)
					}
				}
				r.count("transfers in doubt", 1)
				d.caller.must(r, d.base(0), transfer(name+"-beside", members[2], members[3], 1), nil)
				beside++
				ctx, cancel := context.WithTimeout(r.Context(), time.Second)
				if p := d.caller.send(ctx, d.base(0), q); p.outcome() == acked || p.outcome() == broken {
					r.Errorf("repeated while it is in doubt: %s", p)
				}
				cancel()
				c.must(map[bool]string{true: "COMMIT", false: "ROLLBACK"}[commits] + " PREPARED '" + name + "'")

				first := d.caller.must(r, d.base(0), q, nil)
				if commits && !first.replayed || first.status != 201 { // undone, whoever repeated it and has hung up may have had it done meanwhile
					r.Errorf("committed %v, and repeated (replayed %v): %s", commits, first.replayed, first)
				}
				if again := d.caller.must(r, d.base(0), q, nil); !again.replayed || !bytes.Equal(again.body, first.body) {
					r.Errorf("first %s, then (replayed %v) %s", first, again.replayed, again)
				}
				moved += amount
				for i, want := range []int64{float - moved, float + moved, float - beside, float + beside} {
					if have := d.caller.balances(r, d.base(0), members[i])["point"].Balance; have != want {
						r.Fatalf("member %d has %d points and should have %d", i, have, want)
					}
				}
			}
			if left := c.must("SELECT string_agg(gid, ' ') FROM pg_prepared_xacts"); strings.TrimSpace(left) != "" {
				r.Errorf("there is left %s", left)
			}
			n.stop()
			r.prove()
		})
	}
}

// spread has the program take the database for one that is spread over machines: its transactions keep to one bucket.
func (r *run) spread() {
	r.Helper()
	d, err := db.Open(r.Context(), r.url, db.Options{})
	if err == nil {
		err = d.NoteDistributed(r.Context(), time.Now())
	}
	if err == nil {
		err = d.Close()
	}
	if err != nil {
		r.Fatal(err)
	}
}
