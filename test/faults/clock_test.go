package faults

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
)

// clock is a file that a program built with the tag testclock takes the time from.
type clock struct {
	r    *run
	path string
}

// clock makes one that goes right.
func (r *run) clock(name string) *clock {
	r.Helper()
	c := &clock{r, filepath.Join(r.dir, name)}
	c.set("0s")
	return c
}

// set sets the clock to a moment at which it stands, or to how far it is off.
func (c *clock) set(to string) {
	c.r.Helper()
	next := c.path + ".next"
	if err := os.WriteFile(next, []byte(to), 0o600); err != nil {
		c.r.Fatal(err)
	}
	if err := os.Rename(next, c.path); err != nil {
		c.r.Fatal(err)
	}
}

// of is the environment of a program that goes by the clock.
func (c *clock) of() []string { return []string{"LOJAL_TEST_CLOCK=" + c.path} }

// goBy has the run's commands go by the clock.
func (r *run) goBy(c *clock) {
	r.Helper()
	r.bin, r.env = program(r.T, "lojal-testclock"), c.of()
}

// node makes a server that goes by the clock.
func (c *clock) node(args ...string) *node {
	c.r.Helper()
	n := c.r.node(args...)
	n.bin, n.env = program(c.r.T, "lojal-testclock"), c.of()
	return n
}

// TestR11OrdinaryProgramHasNoTestClock sees that the program which people run knows no other clock than the machine's.
func TestR11OrdinaryProgramHasNoTestClock(t *testing.T) {
	t.Parallel()
	r := newRun(t, dbtest.URL(t, db.SQLite))
	wrong := r.clock("wrong")
	wrong.set("2001-01-01T00:00:00Z")
	secret := r.publish()
	for bin, ordinary := range map[string]bool{"lojal": true, "lojal-testclock": false} {
		n := r.node()
		n.bin, n.env = program(t, bin), wrong.of()
		n.start()
		var a struct {
			RecordedAt time.Time `json:"recorded_at"`
		}
		newCaller(secret).must(t, n.address(), post("/v1/members", "", map[string]any{"external_id": bin}), nil)
		newCaller(secret).must(t, n.address(), purchase("ext:"+bin, 1, bankIs, bin), &a)
		if off := time.Since(a.RecordedAt).Abs(); (off < time.Minute) != ordinary {
			t.Errorf("%s recorded at %s", bin, a.RecordedAt)
		}
		n.stop()
		data, err := os.ReadFile(n.bin)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(data, []byte("LOJAL_TEST_CLOCK")) == ordinary {
			t.Errorf("%s: the name of the variable is in it: %v", bin, !ordinary)
		}
	}
}

// TestR11ClockSteps sets the clock of a running server an hour back, a year back, and more than a year ahead: facts keep their order,
// nothing ends early, nothing ends twice, and the books hold.
func TestR11ClockSteps(t *testing.T) {
	t.Parallel()
	each(t, func(r *run) {
		c := r.clock("clock")
		r.goBy(c)
		c.set("2027-01-10T12:00:00+01:00")
		secret := r.publishFile("clock.yaml")
		n := c.node("--sweep-every", "20ms") // it sweeps by the wrong clock, too
		n.start()
		caller := newCaller(secret)
		member := caller.enrol(t, n.address(), "person", 1)[0]
		number := 0
		step := func(at string, earn, spend, want int64) {
			t.Helper()
			c.set(at)
			var a answer
			number++
			if earn > 0 {
				caller.must(r, n.address(), purchase(member, earn, bankIs, fmt.Sprintf("earn%d", number)), &a)
			}
			if spend > 0 {
				caller.must(r, n.address(), post("/v1/redemptions", fmt.Sprintf("spend%d", number),
					map[string]any{"member": member, "reward": "token", "quantity": spend, "commit": true}), &a)
			}
			r.ok("sweep")
			if have := caller.balances(r, n.address(), member)["point"].Balance; have != want || earn+spend > 0 && a.Balances["point"].Balance != want {
				r.Errorf("at %s: %d points, the answer says %d, and it should be %d", at, have, a.Balances["point"].Balance, want)
			}
		}
		step("2027-01-10T12:00:00+01:00", 100, 0, 100)
		step("2027-01-10T11:00:00+01:00", 10, 3, 107) // of what came at 11 o'clock: at 11 o'clock the hundred are not there yet
		step("2026-01-10T12:00:00+01:00", 7, 0, 114)  // these end as 2027-01-10 ends
		step("2027-01-10T11:30:00+01:00", 0, 0, 114)
		step("2027-01-10T23:59:59.999999+01:00", 0, 1, 113) // of those that end first
		step("2027-01-11T00:00:00+01:00", 0, 0, 107)
		step("2026-01-10T12:00:00+01:00", 3, 0, 107) // they come late, and their end has been
		step("2028-02-14T12:00:00+01:00", 0, 0, 0)   // 400 days ahead
		step("2027-01-12T13:00:00+01:00", 5, 0, 5)   // and back: what ended stays ended
		step("2028-01-12T23:59:59+01:00", 0, 2, 3)
		step("2028-01-13T00:00:00+01:00", 0, 0, 0)
		n.stop()
		if again := decode[map[string]int](r, "sweep"); again["facts"] != 0 {
			r.Errorf("a second sweep wrote %v", again)
		}
		if b := r.prove(); b.expired["point"] != 6+3+107+3 {
			r.Errorf("%d points ended", b.expired["point"])
		}
	})
}

// TestR11NodesDisagree runs the bank on two nodes whose clocks are ten minutes apart.
func TestR11NodesDisagree(t *testing.T) {
	t.Parallel()
	r := newRun(t, dbtest.URL(t, db.Postgres))
	right := r.clock("right")
	r.goBy(right)
	b := openBank(r)
	b.right = right
	for _, off := range []string{"5m", "-5m"} {
		c := r.clock("off" + off)
		c.set(off)
		c.node().start()
	}
	b.enrol()
	b.under(func() { b.pause(lasting(2*time.Second, time.Minute)) })
	b.settle()
}

// odd are moments at which calendars are odd, and when what was given at them ends.
var odd = []struct{ unit, given, ends string }{
	// The night in which an hour is left out, and the one in which an hour comes twice.
	{"daily", "2027-03-27T12:00:00+01:00", "2027-03-28T12:00:00+02:00"},
	{"hours", "2027-03-27T12:00:00+01:00", "2027-03-28T13:00:00+02:00"},
	{"nightly", "2027-03-27T12:00:00+01:00", "2027-03-29T00:00:00+02:00"},
	{"nightly", "2027-03-28T01:59:59+01:00", "2027-03-30T00:00:00+02:00"},
	{"daily", "2027-10-30T12:00:00+02:00", "2027-10-31T12:00:00+01:00"},
	{"hours", "2027-10-30T12:00:00+02:00", "2027-10-31T11:00:00+01:00"},
	{"nightly", "2027-10-30T12:00:00+02:00", "2027-11-01T00:00:00+01:00"},
	{"nightly", "2027-10-31T02:30:00+02:00", "2027-11-02T00:00:00+01:00"},
	{"nightly", "2027-10-31T02:30:00+01:00", "2027-11-02T00:00:00+01:00"},
	// The turn of the year.
	{"yearly", "2027-12-31T23:59:59+01:00", "2028-01-01T00:00:00+01:00"},
	{"yearly", "2028-01-01T00:00:00+01:00", "2029-01-01T00:00:00+01:00"},
	// The day that most years lack.
	{"daily", "2028-02-28T10:00:00+01:00", "2028-02-29T10:00:00+01:00"},
	{"leap", "2028-02-29T10:00:00+01:00", "2029-02-28T10:00:00+01:00"},
	{"point", "2028-02-29T10:00:00+01:00", "2029-03-01T00:00:00+01:00"},
}

// TestR11OddDays gives at odd moments, and sweeps a microsecond before the end, at it, and again: what was given ends once, and not before.
func TestR11OddDays(t *testing.T) {
	t.Parallel()
	each(t, func(r *run) {
		c := r.clock("clock")
		r.goBy(c)
		c.set(odd[0].given)
		secret := r.publishFile("clock.yaml")
		n := c.node("--sweep-every", "0s")
		n.start()
		caller := newCaller(secret)
		for i, day := range odd {
			c.set(day.given)
			member := caller.enrol(r, n.address(), fmt.Sprintf("odd%d", i), 1)[0]
			caller.must(r, n.address(), post("/v1/adjustments", "", map[string]any{"member": member, "unit": day.unit, "amount": 10, "reason": "odd"}), nil)
			ends, err := time.Parse(time.RFC3339, day.ends)
			if err != nil {
				r.Fatal(err)
			}
			c.set(ends.Add(-time.Microsecond).Format(time.RFC3339Nano))
			swept := decode[map[string]int](r, "sweep")["facts"]
			if have := caller.balances(r, n.address(), member)[day.unit].Balance; have != 10 || swept != 0 {
				r.Errorf("%s given at %s: a microsecond before %s there are %d, and the sweep wrote %d facts", day.unit, day.given, day.ends, have, swept)
			}
			c.set(day.ends)
			if have := caller.balances(r, n.address(), member)[day.unit].Balance; have != 0 { // before anyone swept
				r.Errorf("%s given at %s: at %s there are %d", day.unit, day.given, day.ends, have)
			}
			for again, want := range []int{1, 0} {
				if swept := decode[map[string]int](r, "sweep")["facts"]; swept != want {
					r.Errorf("%s given at %s: sweep %d at %s wrote %d facts", day.unit, day.given, again+1, day.ends, swept)
				}
			}
			r.count("ends", 1)
		}
		n.stop()
		b := r.prove()
		for _, day := range odd {
			b.expired[day.unit] -= 10
		}
		for unit, n := range b.expired {
			if n != 0 {
				r.Errorf("%s: %+d more ended than was given", unit, n)
			}
		}
	})
}

// TestR11OnceADayAndAYear comes at the first and last moments of odd days and years: what is given once a day is given once, however
// many hours the day has, and what is given once a year once a year.
func TestR11OnceADayAndAYear(t *testing.T) {
	t.Parallel()
	each(t, func(r *run) {
		c := r.clock("clock")
		r.goBy(c)
		c.set("2027-03-01T00:00:00+01:00")
		secret := r.publishFile("clock.yaml")
		n := c.node("--sweep-every", "0s")
		n.start()
		caller := newCaller(secret)
		member := caller.enrol(r, n.address(), "person", 1)[0]
		for i, come := range []struct {
			at, kind string
			earned   string
		}{
			{"2027-03-28T00:00:00+01:00", "greet", "1"},
			{"2027-03-28T23:59:59+02:00", "greet", "0"}, // the day has 23 hours
			{"2027-03-29T00:00:00+02:00", "greet", "1"},
			{"2027-10-31T00:00:00+02:00", "greet", "1"},
			{"2027-10-31T23:59:59+01:00", "greet", "0"}, // 25 hours
			{"2027-11-01T00:00:00+01:00", "greet", "1"},
			{"2027-06-01T12:00:00+02:00", "party", "100"}, // the clock goes back to June
			{"2027-12-31T23:59:59+01:00", "party", "0"},
			{"2028-01-01T00:00:00+01:00", "party", "100"}, // still 2027 in London
			{"2028-02-29T12:00:00+01:00", "party", "0"},
			{"2028-02-29T12:00:00+01:00", "greet", "1"},
			{"2028-12-31T23:59:59+01:00", "party", "0"},
			{"2029-01-01T00:00:00+01:00", "party", "100"},
		} {
			c.set(come.at)
			var a struct {
				Earned map[string]string `json:"earned"`
			}
			caller.must(r, n.address(), post("/v1/activities", fmt.Sprintf("come%d", i), map[string]any{"member": member, "kind": come.kind}), &a)
			if got := a.Earned["point"]; got != come.earned && (got != "" || come.earned != "0") {
				r.Errorf("%s at %s earned %v, not %s", come.kind, come.at, a.Earned, come.earned)
			}
		}
		n.stop()
		r.prove()
	})
}

// publishFile puts a program of testdata in force and gives the secret of a key.
func (r *run) publishFile(name string) string {
	r.Helper()
	r.ok("program", "publish", r.testdata(name))
	return strings.TrimSpace(r.ok("key", "create", "bank"))
}
