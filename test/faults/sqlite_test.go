package faults

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
)

// TestR06SQLiteKilled kills the program in the middle of writes, checkpoints, shutdowns and backups: the file is whole
// after each kill, and what was acknowledged is in it.
func TestR06SQLiteKilled(t *testing.T) {
	t.Parallel()
	r := newRun(t, dbtest.URL(t, db.SQLite))
	b := openBank(r, r.url)
	n := b.nodes[0]
	b.under(func() {
		for round := range times(6, 200) {
			b.pause(between(b.rnd, 5*time.Millisecond, 150*time.Millisecond))
			how := []string{"while it writes", "while it stops", "while it makes a backup"}[round%3]
			b.gate.Lock()
			switch how {
			case "while it stops": // the log is written back into the file
				n.signal(syscall.SIGTERM)
				b.pause(between(b.rnd, 0, 25*time.Millisecond))
			case "while it makes a backup":
				b.killedBackup(round)
			}
			n.kill()
			b.count("killed "+how, 1)
			b.gate.Unlock()
			b.copied("as the kill left it") // a copy, so that it is the program that has to recover the file
			n.restart()
		}
	})
	b.settle()
}

// killedBackup kills a backup: it is there whole, or not at all, and is no hindrance to the next.
func (b *bank) killedBackup(round int) {
	b.Helper()
	path := filepath.Join(b.dir, "killed"+strconv.Itoa(round)+".backup")
	cmd := b.command(b.Context(), "backup", path)
	out, err := finishUnless(cmd, between(b.rnd, 20*time.Millisecond, 400*time.Millisecond))
	if err != nil {
		b.Fatal(err)
	}
	if out.status > 0 {
		b.Error(out)
	}
	switch _, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
		if out.status == 0 {
			b.Errorf("the backup says that it is done, and there is none: %s", out)
		}
		b.count("backups killed", 1)
		b.ok("backup", path) // over what the killed one left
	case err != nil:
		b.Fatal(err)
	}
	b.integrity(path)
	if _, err := readBooks(b.Context(), "sqlite:"+path); err != nil {
		b.Errorf("the books in the backup: %v", err)
	}
	b.count("backups whole", 1)
}

// copied copies the file with its log, as a power cut would leave them if all that was written reached the disk, and sees that the copy
// opens, is whole, and folds.
func (b *bank) copied(what string) {
	b.Helper()
	dir := b.TempDir()
	path := filepath.Join(dir, "copy.db")
	for _, tail := range []string{"", "-wal"} {
		data, err := os.ReadFile(file(b.url) + tail)
		if errors.Is(err, fs.ErrNotExist) && tail != "" {
			continue
		}
		if err == nil {
			err = os.WriteFile(path+tail, data, 0o600)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	b.integrity(path)
	books, err := readBooks(b.Context(), "sqlite:"+path)
	if err != nil {
		b.Errorf("the copy of the file %s: %v", what, err)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, o := range b.log {
		if o.out == acked && o.kind != "read" && len(books.facts[natural{bankIs, o.id}]) == 0 {
			b.Errorf("LOST: %s %s was acknowledged before the file was copied %s, and is not in the copy", o.kind, o.id, what)
		}
	}
	b.count("copies whole", 1)
	if err := os.RemoveAll(dir); err != nil {
		b.Error(err)
	}
}

// TestR10StoppedAndCopied stops the program at random moments, copies the file with its log, and lets it go on: each copy is
// whole and holds what was acknowledged.
func TestR10StoppedAndCopied(t *testing.T) {
	t.Parallel()
	r := newRun(t, dbtest.URL(t, db.SQLite))
	b := openBank(r, r.url)
	b.under(func() {
		for range times(8, 200) {
			b.pause(between(b.rnd, time.Millisecond, 60*time.Millisecond))
			b.nodes[0].signal(syscall.SIGSTOP)
			b.nodes[0].stopped()
			b.copied("while it stood still")
			b.nodes[0].signal(syscall.SIGCONT)
		}
	})
	b.settle()
}

// TestR10EveryCommitIsSynced counts how often the program has the file synced: never less often than it acknowledges.
func TestR10EveryCommitIsSynced(t *testing.T) {
	t.Parallel()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("LEFT OUT: strace is not installed, which counts the syncs")
	}
	r := newRun(t, dbtest.URL(t, db.SQLite))
	secret := r.publish()
	trace := filepath.Join(r.dir, "trace")
	n := r.node("--sweep-every", "0s")
	n.wrap = []string{strace, "-f", "-o", trace, "-e", "trace=fsync,fdatasync"}
	n.start()
	c := newCaller(secret)
	member := c.enrol(t, n.address(), "person", 1)[0]
	synced := func() int {
		data, err := os.ReadFile(trace)
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Count(data, []byte("sync(")) // one that was interrupted by another thread is resumed without it
	}
	for i := range times(30, 300) {
		before := synced()
		c.must(t, n.address(), purchase(member, 1, bankIs, strconv.Itoa(i)), nil)
		if synced() <= before {
			t.Errorf("purchase %d was acknowledged, and nothing was synced meanwhile", i)
		}
		r.count("commits synced", 1)
	}
	n.kill()
	r.prove()
}

// atWrite runs a command that is killed at its n-th write to a file, by the kernel as it were. It says whether it came so far.
func (r *run) atWrite(n int, args ...string) (killed bool) {
	r.Helper()
	cmd := r.command(r.Context(), args...)
	cmd.Args = append([]string{"strace", "-f", "-qq", "-o", filepath.Join(r.dir, "trace"), "-e", "trace=pwrite64",
		"-e", "inject=pwrite64:signal=SIGKILL:when=" + strconv.Itoa(n), cmd.Path}, args...)
	var err error
	if cmd.Path, err = exec.LookPath("strace"); err != nil {
		r.Skip("LEFT OUT: strace is not installed, which kills at a chosen write")
	}
	out, err := finish(cmd)
	if err != nil {
		r.Fatal(err)
	}
	if out.status > 0 && out.status != 137 {
		r.Errorf("killed at write %d: %s", n, out)
	}
	return out.status != 0
}

// TestR06KilledAtAWrite kills an import, a backup and the making of the schema just at their n-th write to the file: in the middle of a
// commit, of a checkpoint, of a VACUUM, of a migration. The file is whole each time, and the same command comes to its end.
func TestR06KilledAtAWrite(t *testing.T) {
	t.Parallel()
	r := newRun(t, dbtest.EmptyURL(t, db.SQLite))
	empty := r.url
	// step is where to kill next: everywhere in the long form's first writes, then here and there.
	step := func(n int) int { return n + 1 + r.rnd.IntN(times(120, 1+n/40)) }
	for n := step(0); ; n = step(n) {
		r.url = strings.TrimSuffix(empty, ".db") + strconv.Itoa(n) + ".db"
		if !r.atWrite(n, "migrate") {
			break
		}
		r.ok("migrate")
		r.integrity(file(r.url))
		r.count("migrations killed", 1)
	}
	r.url = empty
	r.ok("migrate")
	r.publish()
	m := r.receipts(receipts{n: 400})
	whole := r.copyDatabase(empty, "before")
	for n := step(0); ; n = step(n) {
		r.url = r.copyDatabase(whole, "import"+strconv.Itoa(n))
		if !r.atWrite(n, m.line...) {
			break
		}
		r.ok(m.line...)
		r.integrity(file(r.url))
		r.count("imports killed", 1)
	}
	after := r.prove()
	if d := difference(m.earned, r.points(after)); d != "" {
		t.Error(d)
	}
	for n := step(0); ; n = step(n) {
		path := filepath.Join(r.dir, "at"+strconv.Itoa(n)+".backup")
		if !r.atWrite(n, "backup", path) {
			break
		}
		if _, err := os.Stat(path); err == nil {
			r.integrity(path)
		} else {
			r.ok("backup", path)
		}
		r.integrity(path)
		r.count("backups killed", 1)
	}
	r.prove()
}
