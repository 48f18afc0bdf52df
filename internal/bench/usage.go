package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// Linux counts the processor time of processes in hundredths of a second.
const tick = 10 * time.Millisecond

// proc is what /proc/PID/stat says of a process.
type proc struct {
	name   string
	parent int
	// cpu is its own time in user and system mode; reaped that of children that ended.
	cpu, reaped time.Duration
}

// statOf reads /proc/PID/stat. It gives false where there is none, as on systems other than Linux.
func statOf(pid int) (proc, bool) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return proc{}, false
	}
	text := string(data)
	open, shut := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if open < 0 || shut < open {
		return proc{}, false
	}
	f := strings.Fields(text[shut+1:])
	if len(f) < 15 {
		return proc{}, false
	}
	n := func(i int) int {
		v, _ := strconv.Atoi(f[i])
		return v
	}
	ticks := func(user, system int) time.Duration { return time.Duration(n(user)+n(system)) * tick }
	return proc{name: text[open+1 : shut], parent: n(1), cpu: ticks(11, 12), reaped: ticks(13, 14)}, true
}

// meter reads the processor time that something has used so far; nil where that cannot be known.
type meter func() time.Duration

func meterOf(pid int) meter {
	if _, ok := statOf(pid); !ok {
		return nil
	}
	return func() time.Duration {
		p, _ := statOf(pid)
		return p.cpu
	}
}

// meterOfTree is for a process with its children, living and ended.
func meterOfTree(root int) meter {
	if _, ok := statOf(root); !ok {
		return nil
	}
	return func() time.Duration {
		p, _ := statOf(root)
		sum := p.cpu + p.reaped
		dirs, err := filepath.Glob("/proc/[0-9]*")
		if err != nil {
			return sum
		}
		for _, dir := range dirs {
			pid, err := strconv.Atoi(filepath.Base(dir))
			if err != nil {
				continue
			}
			if child, ok := statOf(pid); ok && child.parent == root {
				sum += child.cpu + child.reaped
			}
		}
		return sum
	}
}

// memoryOf gives the memory of a process now and at its most, in bytes; 0 where that cannot be known.
func memoryOf(pid int) (now, peak int64) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0
	}
	return kilobytes(string(data), "VmRSS:"), kilobytes(string(data), "VmHWM:")
}

func kilobytes(text, name string) int64 {
	_, rest, ok := strings.Cut(text, name)
	if !ok {
		return 0
	}
	f := strings.Fields(rest)
	if len(f) == 0 {
		return 0
	}
	n, _ := strconv.ParseInt(f[0], 10, 64)
	return n << 10
}

// Machine says what the numbers were measured on.
type Machine struct {
	OS    string `json:"os"`
	Arch  string `json:"arch"`
	CPU   string `json:"cpu,omitempty"`
	Cores int    `json:"cores"`
	// MemoryBytes is the memory of the machine.
	MemoryBytes int64  `json:"memory_bytes,omitempty"`
	Go          string `json:"go"`
}

func machine() Machine {
	m := Machine{OS: runtime.GOOS, Arch: runtime.GOARCH, Cores: runtime.NumCPU(), Go: runtime.Version()}
	if data, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(data)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				m.CPU = strings.TrimSpace(value)
				break
			}
		}
	}
	if data, err := os.ReadFile("/proc/meminfo"); err == nil {
		m.MemoryBytes = kilobytes(string(data), "MemTotal:")
	}
	return m
}

// busy is the processor time that all processes of the machine have used so far, and how much there was; not ok where that
// cannot be known.
func busy() (used, all time.Duration, ok bool) {
	data, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0, false
	}
	line, _, _ := strings.Cut(string(data), "\n")
	f := strings.Fields(line)
	if len(f) < 9 || f[0] != "cpu" {
		return 0, 0, false
	}
	for i, text := range f[1:9] { // what guests use is in user time already
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return 0, 0, false
		}
		all += time.Duration(n) * tick
		if i != 3 && i != 4 { // idle, and waiting for the disk
			used += time.Duration(n) * tick
		}
	}
	return used, all, true
}

// company watches how much of the machine others use meanwhile.
type company struct {
	used, all, ours time.Duration
	own             func() time.Duration
}

// watch begins; databases are the meters of what belongs to the run besides this process and its children.
func watch(databases []meter) *company {
	c := &company{own: func() time.Duration {
		p, _ := statOf(os.Getpid())
		sum := p.cpu + p.reaped
		for _, m := range databases {
			sum += m.read()
		}
		return sum
	}}
	c.used, c.all, _ = busy()
	c.ours = c.own()
	return c
}

// share is the part of the machine, 0 to 1, that others have used since then; 0 where that cannot be known.
func (c *company) share() float64 {
	used, all, ok := busy()
	if !ok || all <= c.all {
		return 0
	}
	return max(0, quotient(float64(used-c.used-(c.own()-c.ours)), float64(all-c.all)))
}
