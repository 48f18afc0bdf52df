package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"lojal.dev/lojal/internal/errs"
)

// server is this program as a process of its own, so that what it uses is its own.
type server struct {
	cmd *exec.Cmd
	url string
	cpu meter
	log *tail
}

// startServer starts `lojal ARGS…` and waits until it says where it listens.
func startServer(ctx context.Context, binary string, args ...string) (*server, error) {
	s := &server{log: &tail{}}
	s.cmd = exec.CommandContext(ctx, binary, args...) //nolint:gosec // it is this very program
	s.cmd.Cancel = func() error { return s.cmd.Process.Signal(syscall.SIGTERM) }
	s.cmd.WaitDelay = 20 * time.Second
	s.cmd.Stderr = s.log
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, errs.Unavailable("start", "The server cannot be started.").Because(err)
	}
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	for word := range strings.FieldsSeq(line) {
		if s.url == "" && strings.HasPrefix(word, "http://") {
			s.url = word
		}
	}
	if s.url == "" {
		return nil, errors.Join(errs.Unavailable("start", "The server did not start: "+short([]byte(line+s.log.text()))), err, s.stop())
	}
	go io.Copy(io.Discard, lines) //nolint:errcheck // it ends with the process
	s.cpu = meterOf(s.cmd.Process.Pid)
	return s, nil
}

// stop ends the server in order and waits for it.
func (s *server) stop() error {
	if s.cmd.ProcessState != nil {
		return nil
	}
	signal := s.cmd.Process.Signal(syscall.SIGTERM)
	if err := s.cmd.Wait(); err != nil && signal == nil {
		return fmt.Errorf("stop the server: %w: %s", err, short([]byte(s.log.text())))
	}
	return nil
}

// memory is what the server uses now, and at its most.
func (s *server) memory() (now, peak int64) { return memoryOf(s.cmd.Process.Pid) }

// tail keeps the end of what is written to it.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if n := len(t.buf); n > 4096 {
		t.buf = append(t.buf[:0], t.buf[n-2048:]...)
	}
	return len(p), nil
}

func (t *tail) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.buf))
}
