package faults

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

// mortal has the kernel end the process when the thread that started it ends, and makes it the first of a group, so that a kill
// takes along what it started.
func mortal(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig, cmd.SysProcAttr.Setpgid = syscall.SIGKILL, true
}

// node is one `lojal serve`, started and stopped at will. Each start takes a free port.
type node struct {
	r    *run
	bin  string
	url  string
	args []string
	env  []string
	// wrap is put before the program: a shell that sets a limit, a namespace.
	wrap []string

	first time.Duration // of the first start

	mu   sync.Mutex
	base string // of HTTP; the last one after the node was stopped
	cmd  *exec.Cmd
	gone chan struct{} // closed when the process has ended
	out  tail
}

// node makes a server of the run's database. It is not started.
func (r *run) node(args ...string) *node {
	r.Helper()
	n := &node{r: r, bin: program(r.T, r.program), url: r.url, args: append([]string{"--sweep-every", "300ms"}, args...)}
	r.nodes = append(r.nodes, n)
	r.Cleanup(func() { n.kill() })
	return n
}

var serves = regexp.MustCompile(`lojal serves (http://\S+)`)

const (
	// startWithin bounds a start that others wait for, on a machine that has much else to do.
	startWithin = 30 * time.Second
	// restartWithin bounds a start after a kill, with whatever must be repaired, unless the machine is so busy that the
	// first start took nearly as long.
	restartWithin = 5 * time.Second
)

// restart starts the program after a kill, within the time that is promised.
func (n *node) restart() time.Duration {
	n.r.Helper()
	took := n.start()
	if took > max(restartWithin, 3*n.first) {
		n.r.Errorf("it took %s to start after a kill, and %s before any", took, n.first)
	}
	return took
}

// start starts the program and waits until it listens. It gives how long that took.
func (n *node) start() time.Duration {
	n.r.Helper()
	took, err := n.tryStart(startWithin)
	if err != nil {
		n.r.Fatalf("start: %v\n%s", err, n.out.text())
	}
	if n.first == 0 {
		n.first = took
	}
	return took
}

func (n *node) tryStart(limit time.Duration) (time.Duration, error) {
	line := append(append([]string{}, n.wrap...), n.bin, "serve", "--addr", "127.0.0.1:0", "--log-level", "warn")
	line = append(line, n.args...)
	cmd := exec.Command(line[0], line[1:]...) // it outlives no test: see start and Cleanup
	cmd.Dir = n.r.dir
	cmd.Env = append(append(os.Environ(), "LOJAL_DB="+n.url), n.env...)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	cmd.Stderr = &n.out
	began := time.Now()
	if err := start(cmd); err != nil {
		return 0, err
	}
	ready, gone := make(chan string, 1), make(chan struct{})
	go func() {
		defer close(gone)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			if m := serves.FindStringSubmatch(lines.Text()); m != nil {
				ready <- m[1]
			}
		}
		_ = cmd.Wait()
	}()
	n.mu.Lock()
	n.cmd, n.gone = cmd, gone
	n.mu.Unlock()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case base := <-ready:
		n.mu.Lock()
		n.base = base
		n.mu.Unlock()
		return time.Since(began), nil
	case <-gone:
		return 0, fmt.Errorf("it ended by itself: %s", cmd.ProcessState)
	case <-timer.C:
		n.kill()
		return 0, fmt.Errorf("it does not listen after %s", limit)
	}
}

// address is where the node listens, or listened last.
func (n *node) address() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.base
}

// running gives the process, nil when there is none.
func (n *node) running() (*exec.Cmd, <-chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.gone == nil {
		return nil, nil
	}
	select {
	case <-n.gone:
		return nil, nil
	default:
		return n.cmd, n.gone
	}
}

// kill ends the process as kill -9 does, and waits until it is gone.
func (n *node) kill() {
	if _, gone := n.running(); gone != nil {
		n.signal(syscall.SIGKILL)
		<-gone
	}
}

// signal sends a signal.
func (n *node) signal(sig syscall.Signal) {
	if cmd, _ := n.running(); cmd != nil {
		_ = syscall.Kill(-cmd.Process.Pid, sig)
	}
}

// stopped waits until the kernel has stopped all of the process.
func (n *node) stopped() {
	n.r.Helper()
	cmd, _ := n.running()
	if cmd == nil {
		n.r.Fatal("the program ended before it was stopped")
	}
	n.r.until("the process stands still", 5*time.Second, func() error {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", cmd.Process.Pid))
		if _, after, _ := strings.Cut(string(data), ") "); err == nil && !strings.HasPrefix(after, "T") {
			err = fmt.Errorf("its state is %.1s", after)
		}
		return err
	})
}

// stop ends the program as an operator does, and sees that it went well.
func (n *node) stop() {
	n.r.Helper()
	cmd, gone := n.running()
	if cmd == nil {
		n.r.Errorf("the program ended before it was stopped\n%s", n.out.text())
		return
	}
	n.signal(syscall.SIGTERM)
	timer := time.NewTimer(30 * time.Second)
	defer timer.Stop()
	select {
	case <-gone:
	case <-timer.C:
		n.r.Errorf("the program does not stop\n%s", n.out.text())
		n.kill()
	}
	if status := cmd.ProcessState.ExitCode(); status != 0 {
		n.r.Errorf("stopped with exit status %d\n%s", status, n.out.text())
	}
}

// memory is the resident memory of the process in bytes.
func (n *node) memory() int64 {
	cmd, _ := n.running()
	if cmd == nil {
		return 0
	}
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", cmd.Process.Pid))
	var all, resident int64
	if err == nil {
		_, err = fmt.Sscan(string(data), &all, &resident)
	}
	if err != nil {
		return 0
	}
	return resident * int64(os.Getpagesize())
}

// freeAddress gives a HOST:PORT on which nobody listens now.
func (r *run) freeAddress() string {
	r.Helper()
	listener, err := new(net.ListenConfig).Listen(r.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		r.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// held is how many bytes the process holds on its heap when all that nothing points to is gone. It asks the operator's door. Unlike the
// memory that the kernel has lent out, it does not depend on how much time the machine leaves for clearing up.
func (r *run) held(door string) int64 {
	r.Helper()
	q, err := http.NewRequestWithContext(r.Context(), http.MethodGet, "http://"+door+"/debug/pprof/heap?gc=1&debug=1", http.NoBody)
	if err != nil {
		r.Fatal(err)
	}
	res, err := http.DefaultClient.Do(q)
	if err != nil {
		r.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		r.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "\n# HeapAlloc = ")
	var n int64
	if _, err := fmt.Sscan(rest, &n); err != nil || !found || n == 0 {
		r.Fatalf("the heap is not told: %v", err)
	}
	return n
}

// tail keeps the last of what a process says.
type tail struct {
	mu   sync.Mutex
	data []byte
}

const tailKeeps = 1 << 16

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.data = append(t.data, p...)
	if over := len(t.data) - 2*tailKeeps; over > 0 {
		t.data = append([]byte(nil), t.data[len(t.data)-tailKeeps:]...)
	}
	return len(p), nil
}

func (t *tail) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.data)
}

// last gives the last lines.
func (t *tail) last(n int) string {
	lines := strings.Split(strings.TrimSpace(t.text()), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// ran is what a command came to.
type ran struct {
	args     []string
	status   int
	out, err string
}

func (r ran) String() string {
	return fmt.Sprintf("lojal %s: exit status %d\n%s%s", strings.Join(r.args, " "), r.status, r.out, r.err)
}

// command makes a command of the program on the run's database.
func (r *run) command(ctx context.Context, args ...string) *exec.Cmd {
	r.Helper()
	bin := r.bin
	if bin == "" {
		bin = program(r.T, "lojal")
	}
	cmd := exec.CommandContext(ctx, bin, args...)
	cmd.Dir = r.dir
	cmd.Env = append(append(os.Environ(), "LOJAL_DB="+r.url), r.env...)
	return cmd
}

// finish runs a command to its end. A status below 0 is that of a process which was killed.
func finish(cmd *exec.Cmd) (ran, error) { return finishWith(cmd, func() func() { return func() {} }) }

// finishUnless is finish for a command that is killed when it takes longer.
func finishUnless(cmd *exec.Cmd, limit time.Duration) (ran, error) {
	return finishWith(cmd, func() func() {
		timer := time.AfterFunc(limit, func() { _ = cmd.Process.Kill() })
		return func() { timer.Stop() }
	})
}

// finishWith is finish with something that begins when the command has started, and gives its own end.
func finishWith(cmd *exec.Cmd, begin func() func()) (ran, error) {
	var out, failed bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &failed
	err := start(cmd)
	if err == nil {
		end := begin()
		err = cmd.Wait()
		end()
	}
	if _, ended := errors.AsType[*exec.ExitError](err); ended {
		err = nil
	}
	if err != nil {
		return ran{}, err
	}
	return ran{cmd.Args[1:], cmd.ProcessState.ExitCode(), out.String(), failed.String()}, nil
}

// cli runs a command of the program to its end.
func (r *run) cli(args ...string) ran {
	r.Helper()
	out, err := finish(r.command(r.Context(), args...))
	if err != nil {
		r.Fatalf("lojal %v: %v", args, err)
	}
	return out
}

// ok runs a command that must succeed, and gives what it printed.
func (r *run) ok(args ...string) string {
	r.Helper()
	out := r.cli(args...)
	if out.status != 0 {
		r.Fatal(out)
	}
	return out.out
}

// testdata gives the path of a file beside the tests.
func (r *run) testdata(name string) string {
	r.Helper()
	path, err := filepath.Abs(filepath.Join("testdata", name))
	if err != nil {
		r.Fatal(err)
	}
	return path
}

// publish puts the bank's program in force and gives the secret of a key that may do everything.
func (r *run) publish() string {
	r.Helper()
	return r.publishFile("bank.yaml")
}

var _ io.Writer = (*tail)(nil)

// write makes a file in the run's folder.
func (r *run) write(name, text string) string {
	r.Helper()
	path := filepath.Join(r.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		r.Fatal(err)
	}
	return path
}

// decode runs a command with --json and reads what it prints.
func decode[T any](r *run, args ...string) T {
	r.Helper()
	var v T
	out := r.ok(append(args, "--json")...)
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		r.Fatalf("lojal %v: %v: %s", args, err, out)
	}
	return v
}
