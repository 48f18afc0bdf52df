package faults

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
)

// replicated are the settings of servers that have a standby, or are one.
var replicated = []string{"wal_level=replica", "max_wal_senders=5", "hot_standby=on"}

// ask runs a statement on one of the server's databases and gives its one value as text.
func (c *cluster) ask(query string) (string, error) {
	d, err := sql.Open("pgx", c.url("postgres"))
	if err != nil {
		return "", err
	}
	defer d.Close()
	ctx, cancel := context.WithTimeout(c.r.Context(), 10*time.Second)
	defer cancel()
	var text sql.NullString
	err = d.QueryRowContext(ctx, query).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return text.String, err
}

// must is ask for what may not fail.
func (c *cluster) must(query string) string {
	c.r.Helper()
	text, err := c.ask(query)
	if err != nil {
		c.r.Fatalf("%s: %v", query, err)
	}
	return text
}

// standby makes and starts a server that follows this one, which from then on answers a commit only when both have it on disk.
func (c *cluster) standby() *cluster {
	c.r.Helper()
	s := &cluster{r: c.r, bin: c.bin, conf: c.conf}
	s.home()
	if out, err := s.pg("pg_basebackup", "-D", s.data(), "-d", c.url("postgres"), "-R", "-X", "stream", "-c", "fast", "--no-sync").CombinedOutput(); err != nil {
		c.r.Fatalf("pg_basebackup: %v: %s", err, out)
	}
	s.begin()
	c.must("ALTER SYSTEM SET synchronous_standby_names = '*'")
	c.must("SELECT pg_reload_conf()")
	c.r.until("the standby follows", comesBack, func() error {
		state, err := c.ask("SELECT sync_state FROM pg_stat_replication")
		if err == nil && state != "sync" {
			err = fmt.Errorf("its state is %q", state)
		}
		return err
	})
	return s
}

// TestR22StandbyDecidesNothing gives a program a standby that lags behind: all points are spent at the primary, and the standby still shows them.
// Whoever asks there to spend them is told to come again, and nothing is decided. When the standby has become the primary, the same program
// decides, and by what was spent.
func TestR22StandbyDecidesNothing(t *testing.T) {
	t.Parallel()
	r := newRun(t, "")
	primary := r.cluster(replicated...)
	standby := primary.standby()
	r.url = primary.url("postgres")
	r.ok("migrate")
	d := openDesk(r, 1)
	members := d.caller.enrol(r, d.base(0), "person", 2)
	d.caller.must(r, d.base(0), give(members[0], 100, "given"), nil)
	d.caller.must(r, d.base(0), give(members[1], 100, "other"), nil)
	var held answer
	d.caller.must(r, d.base(0), post("/v1/redemptions", "hold", map[string]any{"member": members[0], "reward": "token", "quantity": 10}), &held)
	caught := func() error {
		at, err := primary.ask("SELECT replay_lsn >= pg_current_wal_lsn() FROM pg_stat_replication")
		if err == nil && at != "true" {
			err = errors.New("the standby is behind")
		}
		return err
	}
	r.until("the standby has it all", comesBack, caught)
	standby.must("SELECT pg_wal_replay_pause()::text")

	d.caller.must(r, d.base(0), post("/v1/redemptions", "spend", map[string]any{"member": members[0], "reward": "token", "quantity": 90, "commit": true}), nil)
	reader := r.node("--no-migrate")
	reader.url = standby.url("postgres")
	reader.start()
	if h := d.caller.balances(r, reader.address(), members[0])["point"]; h.Spendable != 90 {
		r.Fatalf("the standby does not lag: %+v", h)
	}
	asked := []request{
		post("/v1/redemptions", "again", map[string]any{"member": members[0], "reward": "token", "quantity": 90, "commit": true}),
		post("/v1/redemptions", "again-hold", map[string]any{"member": members[0], "reward": "token", "quantity": 90}),
		post("/v1/redemptions/"+held.ID+"/commit", "again-commit", map[string]any{}),
		post("/v1/redemptions/"+held.ID+"/cancel", "again-cancel", map[string]any{}),
		post("/v1/transfers", "again-transfer", map[string]any{"from": members[0], "to": members[1], "unit": "point", "amount": 90}),
		post("/v1/adjustments", "again-adjust", map[string]any{"member": members[0], "unit": "point", "amount": -90, "reason": "again"}),
		post("/v1/redemptions", "", map[string]any{"member": members[1], "reward": "token", "quantity": 1, "commit": true}),
		purchase(members[0], 10, bankIs, "again"),
		post("/v1/members", "again-enrol", map[string]any{"external_id": "somebody"}),
	}
	before, err := readBooks(r.Context(), r.url)
	if err != nil {
		r.Fatal(err)
	}
	for _, q := range asked {
		if p := d.caller.send(r.Context(), reader.address(), q); p.outcome() != unknown || p.status != 503 || p.problem.Reason != "database" {
			r.Errorf("on a standby %s is answered %s", q.path, p)
		}
		r.count("refused on a standby", 1)
	}
	// The program's own jobs and its sweep look for work there all the time.
	if p := d.caller.send(r.Context(), reader.address(), get("/readyz")); p.status != 200 || !strings.Contains(string(p.body), "read_only") {
		r.Errorf("on a standby /readyz says %s", p)
	}
	after, err := readBooks(r.Context(), r.url)
	if err != nil || after.all != before.all || after.postings != before.postings {
		r.Errorf("the books changed from %d facts and %d postings to %d and %d: %v", before.all, before.postings, after.all, after.postings, err)
	}

	standby.must("SELECT pg_wal_replay_resume()::text")
	r.until("the standby has it all", comesBack, caught)
	d.nodes[0].kill()
	primary.kill(syscall.SIGKILL)
	standby.must("SELECT pg_promote()::text")
	r.url = standby.url("postgres")
	r.until("the program decides", comesBack, func() error {
		p := d.caller.send(r.Context(), reader.address(), purchase(members[1], 5, bankIs, "behind"))
		if p.outcome() != acked {
			return errors.New(p.String())
		}
		return nil
	})
	if p := d.caller.send(r.Context(), reader.address(), asked[0]); p.outcome() != refused || p.problem.Reason != "balance_too_low" {
		r.Errorf("what was spent is asked for again on the new primary: %s", p)
	}
	if h := d.caller.balances(r, reader.address(), members[0])["point"]; h.Spendable != 0 || h.Reserved != 10 {
		r.Errorf("on the new primary: %+v", h)
	}
	reader.stop()
	r.prove()
}

// TestR22Failover kills the primary under load and promotes its standby. The program was given both: it stays up, says 503 meanwhile and goes
// on with the new one by itself. What was acknowledged is there, and nothing was decided by two.
func TestR22Failover(t *testing.T) {
	t.Parallel()
	r := newRun(t, "")
	primary := r.cluster(replicated...)
	standby := primary.standby()
	r.url = fmt.Sprintf("postgres://postgres@127.0.0.1:%d,127.0.0.1:%d/postgres?sslmode=disable&target_session_attrs=read-write", primary.port, standby.port)
	r.ok("migrate")
	b := openBank(r, r.url, r.url)
	probe := newCaller(b.secret)
	var slowest time.Duration
	b.under(func() {
		b.pause(lasting(time.Second, 20*time.Second))
		b.gate.Lock()
		primary.kill(syscall.SIGKILL)
		for i, n := range b.nodes {
			b.away(probe, n, post("/v1/adjustments", fmt.Sprintf("away-%d", i),
				map[string]any{"member": b.members[0], "unit": "spark", "amount": 1, "reason": "away", "expires_at": time.Now().Add(time.Second)}))
		}
		b.pause(between(b.rnd, 0, 500*time.Millisecond))
		standby.must("SELECT pg_promote()::text")
		b.gate.Unlock()
		for _, n := range b.nodes {
			slowest = max(slowest, b.until("the program works with the new primary", comesBack, func() error {
				if p := probe.send(b.Context(), n.address(), get("/v1/members/"+b.members[0]+"/balances")); p.outcome() != acked {
					return errors.New(p.String())
				}
				return nil
			}))
		}
		b.pause(lasting(time.Second, 20*time.Second))
	})
	b.count("ms until the program worked again", int(slowest.Milliseconds()))
	b.settle()
}
