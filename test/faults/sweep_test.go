package faults

import (
	"sync"
	"testing"
	"time"

	"lojal.dev/lojal/internal/db/dbtest"
)

// TestR12SweepsAtOnce starts sweeps on several nodes at the same time, kills them on their way and starts them again, while
// a server sweeps too: each lot ends once, as in a sweep that nobody disturbed.
func TestR12SweepsAtOnce(t *testing.T) {
	t.Parallel()
	eachEmpty(t, func(r *run) {
		c := r.clock("clock")
		r.goBy(c)
		fill := func() int64 {
			c.set("2026-01-02T12:00:00+01:00")
			r.ok("migrate")
			r.publishFile("clock.yaml")
			m := r.receipts(receipts{n: times(800, 20_000), people: times(500, 10_000)})
			r.ok(m.line...)
			c.set("2027-06-01T12:00:00+02:00") // all of it has ended
			all := int64(0)
			for _, n := range m.earned {
				all += n
			}
			return all
		}
		earned := fill()
		n := c.node("--sweep-every", "5ms")
		n.start()
		for range times(3, 30) {
			var both sync.WaitGroup
			for range 2 {
				delay := between(r.rnd, 50*time.Millisecond, 600*time.Millisecond)
				both.Go(func() {
					cmd := r.command(r.Context(), "sweep")
					if err := start(cmd); err != nil {
						r.Error(err)
						return
					}
					timer := time.AfterFunc(delay, func() { _ = cmd.Process.Kill() })
					defer timer.Stop()
					if err := cmd.Wait(); err == nil {
						r.count("sweeps done", 1)
					} else if cmd.ProcessState.ExitCode() < 0 {
						r.count("sweeps killed", 1)
					} else {
						r.Errorf("a sweep beside others: %v", err)
					}
				})
			}
			r.pause(between(r.rnd, 0, 300*time.Millisecond))
			n.kill()
			both.Wait()
			n.start()
		}
		r.ok("sweep")
		n.kill()
		if again := decode[map[string]int](r, "sweep"); again["facts"] != 0 || again["accounts"] != 0 {
			r.Errorf("after all is swept, a sweep did %v", again)
		}
		disturbed := r.prove()
		if disturbed.expired["point"] != earned {
			r.Errorf("%d points were earned, and %d ended", earned, disturbed.expired["point"])
		}

		r.url, r.rnd = dbtest.EmptyURL(r.T, dialect(r.url)), chance(r.Name()) // the same receipts
		if again := fill(); again != earned {
			r.Fatalf("the receipts come to %d, and came to %d", again, earned)
		}
		r.ok("sweep")
		if alone := r.prove(); alone.all != disturbed.all || alone.postings != disturbed.postings {
			r.Errorf("alone a sweep comes to %d facts and %d postings, disturbed to %d and %d", alone.all, alone.postings, disturbed.all, disturbed.postings)
		}
	})
}
