package faults

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// disk is a small file system of the test's own, which can be filled.
type disk struct {
	r    *run
	path string
}

// disk mounts one of so many MiB. Where that is not permitted, the test is left out, and says so.
func (r *run) disk(mib int) *disk {
	r.Helper()
	path, err := os.MkdirTemp("", "lojal-disk") // not TempDir: its parent is closed to a database server's user
	if err != nil {
		r.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", path, "tmpfs", 0, fmt.Sprintf("size=%dm,mode=755", mib)); err != nil {
		os.Remove(path)
		r.Skipf("LEFT OUT: a full disk needs a file system of its own, and mounting one is not permitted here (run as root): %v", err)
	}
	// However this process ends, its end of the pipe closes, and the other takes the file system away.
	cmd := exec.Command("sh", "-c", `cat; umount -l "$1"; rmdir "$1"`, "sh", path)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // a signal to the group of this process does not reach it
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		r.Fatal(errors.Join(err, syscall.Unmount(path, syscall.MNT_DETACH)))
	}
	r.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			r.Errorf("unmount %s: %v", path, err)
		}
	})
	return &disk{r: r, path: path}
}

// fill takes all the space that is left but for so many bytes.
func (d *disk) fill(but int64) {
	d.r.Helper()
	file, err := os.OpenFile(filepath.Join(d.path, "ballast"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		d.r.Fatal(err)
	}
	defer file.Close()
	for _, size := range []int{1 << 20, 4096, 1} {
		chunk := make([]byte, size)
		for err = nil; err == nil && d.space() > but; {
			_, err = file.Write(chunk)
		}
	}
	if err != nil && !errors.Is(err, syscall.ENOSPC) {
		d.r.Fatal(err)
	}
}

// space gives the bytes that are free.
func (d *disk) space() int64 {
	var s syscall.Statfs_t
	if err := syscall.Statfs(d.path, &s); err != nil {
		d.r.Errorf("statfs: %v", err)
	}
	return int64(s.Bavail) * s.Bsize
}

// free gives the space back.
func (d *disk) free() {
	d.r.Helper()
	if err := os.Remove(filepath.Join(d.path, "ballast")); err != nil {
		d.r.Fatal(err)
	}
}

// TestR09FullDiskSQLite fills the disk under load: writes are refused with 503, reads go on, no half entry is made, and
// when there is space again the program goes on without a restart.
func TestR09FullDiskSQLite(t *testing.T) {
	t.Parallel()
	r := newRun(t, "")
	d := r.disk(48)
	r.url = "sqlite:" + filepath.Join(d.path, "lojal.db")
	r.ok("migrate")
	b := openBank(r)
	n := r.node("--log-level", "info")
	n.wrap = []string{"sh", "-c", `log=$1; shift; exec "$@" 2>>"$log"`, "sh", filepath.Join(d.path, "log")} // the log is on the full disk too
	n.start()
	b.enrol()
	probe := newCaller(b.secret)
	b.under(func() {
		for round := range times(2, 20) {
			b.pause(between(b.rnd, 100*time.Millisecond, 400*time.Millisecond))
			b.gate.Lock() // a snapshot of the whole file would need no space, but it keeps the log from being written over
			d.fill(b.rnd.Int64N(3) * 4096)
			failures, tried := 0, 0
			b.until("writes are refused", 30*time.Second, func() error {
				tried++
				q := purchase(b.members[0], 0, "probe", fmt.Sprintf("%d-%d", round, tried))
				p := probe.send(b.Context(), n.address(), q)
				if p.outcome() == broken || p.err != nil {
					b.Fatalf("on a full disk: %s", p)
				}
				if p.outcome() == unknown {
					failures++
					b.count("refused on a full disk", 1)
				}
				if read := probe.send(b.Context(), n.address(), get("/v1/members/"+b.members[1]+"/balances")); read.outcome() != acked {
					b.Errorf("a read on a full disk: %s", read)
				}
				if failures < 5 {
					return fmt.Errorf("so far %d; the last one %s", failures, p)
				}
				return nil
			})
			b.backupOnFull(filepath.Join(d.path, "backup"))
			d.free()
			took := b.until("writes go on", 10*time.Second, func() error {
				if p := probe.send(b.Context(), n.address(), purchase(b.members[0], 0, "probe", "free"+strconv.Itoa(round))); p.outcome() != acked {
					return errors.New(p.String())
				}
				return nil
			})
			b.count("ms until writes went on", int(took.Milliseconds()))
			b.gate.Unlock()
		}
	})
	b.settle()
}

// backupOnFull makes a backup to a full disk: it fails with a sentence and leaves nothing.
func (b *bank) backupOnFull(path string) {
	b.Helper()
	out := b.cli("backup", path)
	if out.status == 0 || !strings.Contains(out.err, "lojal: ") {
		b.Errorf("a backup to a full disk: %s", out)
	}
	left, err := filepath.Glob(path + "*")
	if err != nil || len(left) > 0 {
		b.Errorf("a backup to a full disk left %v %v", left, err)
	}
}

// TestR09FullDiskImport fills the disk under an import: it stops with a sentence and the status of something that is away, and
// goes on to the same books when there is space.
func TestR09FullDiskImport(t *testing.T) {
	t.Parallel()
	r := newRun(t, "")
	d := r.disk(24)
	r.url = "sqlite:" + filepath.Join(d.path, "lojal.db")
	r.ok("migrate")
	r.publish()
	line := r.receipts(receipts{n: times(3000, 20_000)}).line
	d.fill(int64(512+r.rnd.IntN(512)) << 10)
	out := r.cli(line...)
	if out.status != 10 || !strings.Contains(out.err, "lojal: ") {
		t.Errorf("an import on a full disk: %s", out)
	}
	d.free() // to open the database anew takes a little space
	before := r.prove()
	out = r.cli(line...)
	if out.status != 0 {
		t.Error(out)
	}
	after := r.prove()
	if rows := times(3000, 20_000); before.all >= after.all || len(after.facts) != rows {
		t.Errorf("%d facts on the full disk, then %d, %d of them of the %d receipts", before.all, after.all, len(after.facts), rows)
	}
	r.count("receipts before the disk was full", len(before.facts))
}

// TestR09FullDiskPostgres fills the disk of the database server, which may end by that. Whoever looks after it starts it again
// when there is space; the program needs nobody.
func TestR09FullDiskPostgres(t *testing.T) {
	t.Parallel()
	r := newRun(t, "")
	d := r.disk(160)
	c := r.clusterOn(d, "max_wal_size=32MB", "min_wal_size=32MB", "shared_buffers=8MB", "checkpoint_timeout=30s")
	r.url = c.url("postgres")
	r.ok("migrate")
	b := openBank(r, r.url)
	probe := newCaller(b.secret)
	b.under(func() {
		for round := range times(1, 10) {
			b.pause(between(b.rnd, 100*time.Millisecond, 400*time.Millisecond))
			b.gate.Lock()
			failures, tried := 0, 0
			d.fill(0)
			b.until("writes are refused", 60*time.Second, func() error {
				// Large facts, so that the log of the server needs a new file soon.
				tried++
				q := purchase(b.members[0], 0, "probe", fmt.Sprintf("%d-%d", round, tried))
				q.body = slices.Concat(q.body[:len(q.body)-1], []byte(`,"lines":[{"amount":0,"name":"`+strings.Repeat("x", 200_000)+`"}]}`))
				p := probe.send(b.Context(), b.nodes[0].address(), q)
				switch {
				case p.outcome() == unknown && p.err == nil:
					failures++
					b.count("refused on a full disk", 1)
				case p.outcome() != acked && p.problem.Code != "invalid" && p.problem.Code != "conflict":
					b.Errorf("on a full disk: %s", p)
				}
				if failures < 5 {
					return fmt.Errorf("so far %d; the last one %s", failures, p)
				}
				return nil
			})
			if !c.up() {
				b.count("servers that ended on the full disk", 1)
			}
			d.free()
			c.start() // as whoever looks after it does
			took := b.until("writes go on", 30*time.Second, func() error {
				if err := c.tryStart(); err != nil {
					return err
				}
				if p := probe.send(b.Context(), b.nodes[0].address(), purchase(b.members[0], 0, "probe", "free"+strconv.Itoa(round))); p.outcome() != acked {
					return errors.New(p.String())
				}
				return nil
			})
			b.count("ms until writes went on", int(took.Milliseconds()))
			b.gate.Unlock()
		}
	})
	b.settle()
}
