package faults

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
)

// works sees that a database that was just migrated can be worked with.
func (r *run) works() {
	r.Helper()
	if out := r.ok("migrate"); !strings.Contains(out, "of this program's version") {
		r.Errorf("migrated: %s", out)
	}
	d := openDesk(r, 1)
	member := d.caller.enrol(r, d.base(0), "person", 1)[0]
	d.caller.must(r, d.base(0), purchase(member, 12, bankIs, "1"), nil)
	d.nodes[len(d.nodes)-1].stop()
	r.nodes = nil
	if b := r.prove(); b.held[[2]string{member, "point"}].spendable != 12 {
		r.Errorf("after a purchase: %v", b.held)
	}
}

// TestR17MigrationKilled kills the making of the schema at random moments, and gives the command again: it comes to its end, and
// the database works.
func TestR17MigrationKilled(t *testing.T) {
	t.Parallel()
	eachEmpty(t, func(r *run) {
		empty := r.url
		for round := range times(2, 60) {
			if r.url = empty; round > 0 {
				r.url = dbtest.EmptyURL(r.T, dialect(empty))
			}
			for killed := true; killed; {
				out, err := finishUnless(r.command(r.Context(), "migrate"), between(r.rnd, 20*time.Millisecond, 600*time.Millisecond))
				if err != nil {
					r.Fatal(err)
				}
				if out.status > 0 {
					r.Fatalf("a migration after a killed one: %s", out)
				}
				if killed = out.status < 0; killed {
					r.count("killed", 1)
				}
			}
			r.works()
			r.count("migrated", 1)
		}
	})
}

// TestR17MigrationKilledAtEachStep kills the migration of PostgreSQL just before and just behind each COMMIT, one after another.
func TestR17MigrationKilledAtEachStep(t *testing.T) {
	t.Parallel()
	r := newRun(t, dbtest.EmptyURL(t, db.Postgres))
	for _, what := range []verdict{drop, last} {
		var step int64
		for done := false; !done; {
			step++
			r.url = dbtest.EmptyURL(t, db.Postgres)
			done = r.killedAt(step, what)
			r.count(map[verdict]string{drop: "steps killed before COMMIT", last: "steps killed behind COMMIT"}[what], 1)
			r.ok("migrate")
			if done || *long {
				r.works()
			}
		}
		if step < 3 {
			t.Errorf("there were only %d steps", step)
		}
	}
}

// killedAt runs a migration and kills it when its n-th COMMIT is on its way. It says whether there were fewer.
func (r *run) killedAt(n int64, what verdict) (done bool) {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
	defer cancel()
	pg := r.proxy(func() string { return hostOf(r.url) })
	cmd := r.command(ctx, "migrate", "--db", pg.through(r.url))
	started := make(chan struct{})
	var shot once
	shot.arm(n)
	pg.tap(func() tap {
		var client frontend
		return tap{up: func(chunk []byte) verdict {
			if !client.sees(chunk) || !shot.take() || !shot.spent() {
				return pass
			}
			<-started
			if what == drop {
				_ = cmd.Process.Kill()
			} else {
				time.AfterFunc(0, func() { _ = cmd.Process.Kill() })
			}
			return what
		}}
	})
	out, err := finishWith(cmd, func() func() { close(started); return func() {} })
	if err != nil {
		r.Fatal(err)
	}
	if out.status > 0 && out.status != 10 { // the cut may be seen before the kill
		r.Errorf("%s", out)
	}
	return !shot.spent()
}

// TestR17OldProgramOnNewSchema has a program of a version to come migrate the database: this one refuses to touch it, and says why.
func TestR17OldProgramOnNewSchema(t *testing.T) {
	t.Parallel()
	next := program(t, "lojal-next")
	each(t, func(r *run) {
		r.publish()
		m := r.receipts(receipts{n: 20})
		r.ok(m.line...)
		before := r.prove()
		r.bin = next
		r.ok("migrate")
		r.bin = ""
		for _, line := range [][]string{
			{"serve", "--addr", "127.0.0.1:0"}, {"serve", "--addr", "127.0.0.1:0", "--no-migrate"}, {"migrate"}, {"migrate", "--status"}, {"verify"}, {"sweep"}, m.line,
			{"key", "create", "x"}, {"program", "publish", r.testdata("clock.yaml")}, {"backup", filepath.Join(r.dir, "x.backup")},
		} {
			out := r.cli(line...)
			if out.status != 5 || !strings.Contains(out.err, "use a newer lojal") {
				r.Errorf("%s", out)
			}
		}
		after, err := readBooks(r.Context(), r.url)
		if err != nil || after.all != before.all || after.postings != before.postings {
			r.Errorf("the books changed: %v", err)
		}
	})
}

// TestR17ReadOnlyDatabase starts programs that would have to write on a database that can only be read: they say so, and what only
// reads goes on.
func TestR17ReadOnlyDatabase(t *testing.T) {
	t.Parallel()
	next := program(t, "lojal-next")
	each(t, func(r *run) {
		r.open()
		r.publish()
		m := r.receipts(receipts{n: 20})
		r.ok(m.line...)
		before := r.prove()
		if err := errors.Join(os.Chmod(m.csv, 0o644), os.Chmod(m.mapping, 0o644)); err != nil {
			r.Fatal(err)
		}
		writable := r.url
		if r.sqlite() {
			data, err := os.ReadFile(file(r.url))
			path := filepath.Join(r.dir, "lojal.db")
			if err := errors.Join(err, os.WriteFile(path, data, 0o444)); err != nil {
				r.Fatal(err)
			}
			r.url = "sqlite:" + path
		} else {
			r.url += "&options=-c%20default_transaction_read_only%3Don"
		}
		for _, c := range []struct {
			bin    string
			status int
			words  string
			line   []string
		}{
			{"", 0, "The books hold", []string{"verify"}},
			{"", 0, "of this program's version", []string{"migrate", "--status"}},
			{"", 10, "can only be read", []string{"key", "create", "x"}},
			{"", 10, "can only be read", m.line},
			{next, 0, "1 migration to run", []string{"migrate", "--status"}},
			{next, 10, "can only be read", []string{"migrate"}},
			{next, 10, "can only be read", []string{"serve", "--addr", "127.0.0.1:0"}},
		} {
			r.bin = c.bin
			cmd := r.command(r.Context(), c.line...)
			unprivileged(cmd)
			out, err := finish(cmd)
			if err != nil {
				r.Fatal(err)
			}
			if out.status != c.status || !strings.Contains(out.err+out.out, c.words) {
				r.Errorf("%s", out)
			}
		}
		r.bin = ""
		after, err := readBooks(r.Context(), writable)
		if err != nil || after.all != before.all || after.postings != before.postings {
			r.Errorf("the books changed: %v", err)
		}
	})
}

// unprivileged has a command run as a user without rights, where the tests have all of them: root may write everywhere.
func unprivileged(cmd *exec.Cmd) {
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
}

// open makes a folder that everyone may use, and puts the run there.
func (r *run) open() {
	r.Helper()
	dir, err := os.MkdirTemp("", "lojal-open") // not TempDir: its parent is closed to others
	if err == nil {
		err = os.Chmod(dir, 0o777)
	}
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { os.RemoveAll(dir) })
	r.dir = dir
}
