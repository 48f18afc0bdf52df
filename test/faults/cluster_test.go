package faults

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
)

// cluster is a PostgreSQL server of the test's own, durable, to be killed.
type cluster struct {
	r    *run
	bin  string
	dir  string // holds the data
	log  string // of the server
	port int
	conf []string
	as   *syscall.Credential

	cmd  *exec.Cmd
	gone chan struct{}
}

// cluster makes and starts a server. Without PostgreSQL it skips as [dbtest] does.
func (r *run) cluster(conf ...string) *cluster {
	r.Helper()
	return r.clusterOn(nil, conf...)
}

// clusterOn is cluster with its data on a disk of its own.
func (r *run) clusterOn(d *disk, conf ...string) *cluster {
	r.Helper()
	bin := os.Getenv("LOJAL_TEST_POSTGRES_BIN")
	if bin == "" {
		if os.Getenv("CI") == "true" {
			r.Fatal("LOJAL_TEST_POSTGRES_BIN is not set, and CI may not leave PostgreSQL out: run under scripts/with-postgres")
		}
		r.Skip("skipped: LOJAL_TEST_POSTGRES_BIN is not set; run under scripts/with-postgres")
	}
	c := &cluster{r: r, bin: bin, conf: conf}
	if d != nil {
		c.dir = d.path
		c.log = filepath.Join(r.dir, "server.log")
		c.own()
	} else {
		c.home()
	}
	if out, err := c.pg("initdb", "-D", c.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync").CombinedOutput(); err != nil {
		r.Fatalf("initdb: %v: %s", err, out)
	}
	c.begin()
	return c
}

// home makes the folder of the server.
func (c *cluster) home() {
	c.r.Helper()
	var err error
	if c.dir, err = os.MkdirTemp("", "lojal-cluster"); err != nil { // not TempDir: its parent is closed to the server's user
		c.r.Fatal(err)
	}
	c.r.Cleanup(func() { os.RemoveAll(c.dir) })
	c.log = filepath.Join(c.dir, "server.log")
	c.own()
}

// begin starts the server for the first time, on a free port. It is none that the machine gives to whoever asks for any: while the server is
// down, that could be another test.
func (c *cluster) begin() {
	c.r.Helper()
	const from, below = 15_000, 32_768 // there Linux begins to give by itself
	for c.port == 0 {
		port := from + rand.IntN(below-from)
		if listener, err := new(net.ListenConfig).Listen(c.r.Context(), "tcp", "127.0.0.1:"+strconv.Itoa(port)); err == nil {
			listener.Close()
			c.port = port
		} else if c.r.Context().Err() != nil {
			c.r.Fatal(err)
		}
	}
	c.r.Cleanup(func() { c.kill(syscall.SIGQUIT) })
	c.start()
}

// own gives the folder to the user whom the server wants, since it refuses to run as root.
func (c *cluster) own() {
	c.r.Helper()
	if os.Getuid() == 0 {
		u, err := user.Lookup("postgres")
		if err != nil {
			c.r.Fatal(err)
		}
		uid, _ := strconv.ParseUint(u.Uid, 10, 32)
		gid, _ := strconv.ParseUint(u.Gid, 10, 32)
		c.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(c.dir, int(uid), int(gid)); err != nil {
			c.r.Fatal(err)
		}
	}
	if err := os.Chmod(c.dir, 0o755); err != nil {
		c.r.Fatal(err)
	}
}

func (c *cluster) data() string { return filepath.Join(c.dir, "data") }

// pg makes a command of the server's own.
func (c *cluster) pg(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(c.bin, name), args...)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.as}
	return cmd
}

// comesBack is how long is waited for what comes back by itself. Nothing is promised of how long that takes: it is what a machine may need that
// has much else to do, to recover a database from its log with every page synced.
const comesBack = 2 * time.Minute

// start starts the server and waits until it answers.
func (c *cluster) start() time.Duration {
	c.r.Helper()
	return c.r.until("PostgreSQL starts", comesBack, c.tryStart)
}

// tryStart starts the server unless it runs, and asks it something. The processes of a killed server take their time to
// end, and until then it does not start.
func (c *cluster) tryStart() error {
	if !c.up() {
		args := []string{"-D", c.data(), "-p", strconv.Itoa(c.port)}
		for _, one := range append([]string{"listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=on", "synchronous_commit=on",
			"autovacuum=off", "max_connections=100", "wal_level=minimal", "max_wal_senders=0"}, c.conf...) {
			args = append(args, "-c", one)
		}
		cmd := c.pg("postgres", args...)
		log, err := os.OpenFile(c.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		defer log.Close()
		cmd.Stdout, cmd.Stderr = log, log
		if err := start(cmd); err != nil {
			return err
		}
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			_ = cmd.Wait()
		}()
		c.cmd, c.gone = cmd, gone
	}
	ctx, cancel := context.WithTimeout(c.r.Context(), 2*time.Second)
	defer cancel()
	d, err := sql.Open("pgx", c.url("postgres"))
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.PingContext(ctx); err != nil {
		log, _ := os.ReadFile(c.log)
		return fmt.Errorf("%w\n%s", err, log[max(0, len(log)-2000):])
	}
	return nil
}

func (c *cluster) up() bool {
	if c.gone == nil {
		return false
	}
	select {
	case <-c.gone:
		return false
	default:
		return true
	}
}

// kill sends the postmaster a signal that ends it, and waits for that: SIGKILL is kill -9, SIGQUIT what pg_ctl -m immediate sends.
func (c *cluster) kill(sig syscall.Signal) {
	if !c.up() {
		return
	}
	_ = c.cmd.Process.Signal(sig)
	<-c.gone
	for c.workers() && c.r.Context().Err() == nil { // they outlive their postmaster by a moment, and may still commit
		c.r.pause(5 * time.Millisecond)
	}
}

// workers says whether any process of the server is left: they stand in its folder.
func (c *cluster) workers() bool {
	all, err := filepath.Glob("/proc/[0-9]*/cwd")
	if err != nil {
		c.r.Error(err)
	}
	for _, one := range all {
		if where, err := os.Readlink(one); err == nil && where == c.data() {
			return true
		}
	}
	return false
}

func (c *cluster) url(database string) string {
	return (&url.URL{Scheme: "postgres", User: url.User("postgres"), Host: "127.0.0.1:" + strconv.Itoa(c.port), Path: "/" + database, RawQuery: "sslmode=disable"}).String()
}

// TestR07PostgresKilled kills the database server under load. The program stays up, says 503 meanwhile, and finds the server again
// by itself; what was acknowledged is there.
func TestR07PostgresKilled(t *testing.T) {
	t.Parallel()
	r := newRun(t, "")
	c := r.cluster()
	r.url = c.url("postgres")
	r.ok("migrate")
	b := openBank(r, r.url, r.url)
	probe := newCaller(b.secret)
	var slowest time.Duration
	b.under(func() {
		for round := range times(3, 60) {
			b.pause(between(b.rnd, 200*time.Millisecond, 900*time.Millisecond))
			b.gate.Lock()
			sig := []syscall.Signal{syscall.SIGKILL, syscall.SIGQUIT}[round%2]
			c.kill(sig)
			b.count(fmt.Sprintf("servers ended by %s", sig), 1)
			for i, n := range b.nodes {
				b.away(probe, n, post("/v1/adjustments", fmt.Sprintf("away%d-%d", round, i),
					map[string]any{"member": b.members[0], "unit": "spark", "amount": 1, "reason": "away", "expires_at": time.Now().Add(time.Second)}))
				b.away(probe, n, get("/v1/members/"+b.members[0]+"/balances"))
			}
			b.pause(between(b.rnd, 0, 500*time.Millisecond))
			c.start()
			b.gate.Unlock()
			for _, n := range b.nodes {
				slowest = max(slowest, b.until("the program works again", comesBack, func() error {
					if p := probe.send(b.Context(), n.address(), get("/v1/members/"+b.members[0]+"/balances")); p.outcome() != acked {
						return fmt.Errorf("%s", p)
					}
					return nil
				}))
			}
		}
	})
	b.count("ms until the program worked again", int(slowest.Milliseconds()))
	b.settle()
}

// away sees that a node says 503 and when to come again while its database is away, and does so before a client's patience ends: it waits for
// no database, which it would do for longer.
func (b *bank) away(c *caller, n *node, q request) {
	b.Helper()
	began := time.Now()
	p := c.send(b.Context(), n.address(), q)
	if p.status != 503 || p.outcome() != unknown {
		b.Errorf("without a database, %s %s is answered after %s: %s", q.method, q.path, time.Since(began), p)
	}
	b.count("answered 503 without a database", 1)
}

// TestR08ConnectionsLost ends the program's connections to PostgreSQL all the time: by the server, by a reset on the way, in the middle of an
// answer, and makes them slow. Nothing is lost, nothing fails with 500, the pool recovers and no transaction stays open.
func TestR08ConnectionsLost(t *testing.T) {
	t.Parallel()
	r := newRun(t, dbtest.URL(t, db.Postgres))
	pg := r.proxy(func() string { return hostOf(r.url) })
	b := openBank(r, pg.through(r.url), pg.through(r.url))
	admin, err := sql.Open("pgx", r.url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { admin.Close() })
	phase := lasting(1500*time.Millisecond, 30*time.Second)
	b.under(func() {
		for end := time.Now().Add(phase); time.Now().Before(end); b.pause(200 * time.Millisecond) {
			var ended int
			if err := admin.QueryRowContext(t.Context(), `SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity
				WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = 'lojal'`).Scan(&ended); err != nil {
				t.Fatal(err)
			}
			b.count("connections ended by the server", ended)
		}
		for end := time.Now().Add(phase); time.Now().Before(end); b.pause(between(b.rnd, 20*time.Millisecond, 200*time.Millisecond)) {
			b.count("connections reset", pg.reset())
		}
		pg.tap(short(func() int { b.count("connections cut in an answer", 1); return 300 + r.dice(20_000) }))
		pg.reset()
		b.pause(phase)
		pg.tap(slow(r, lasting(100*time.Millisecond, 3*time.Second)))
		pg.reset()
		b.pause(phase)
		pg.mend()
		pg.reset()
		probe := newCaller(b.secret)
		for i := range 20 {
			b.until("the pool recovers", comesBack, func() error {
				q := get("/v1/members/" + b.members[i] + "/balances")
				if p := probe.send(b.Context(), b.nodes[i%2].address(), q); p.outcome() != acked {
					return errors.New(p.String())
				}
				return nil
			})
		}
	})
	b.until("no transaction stays open", 30*time.Second, b.nobodyAtWork)
	b.settle()
}
