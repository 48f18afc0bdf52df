package cli

import (
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"

	"lojal.dev/lojal/internal/api"
)

// A server lives within what its machine or container gives it, and asks for less rather than failing in the middle.

// limitMemory gives the memory that Go keeps to, in bytes, 0 for no limit: GOMEMLIMIT, or nine tenths of what the container may
// have, so that the collector works harder before the kernel ends the process.
func limitMemory() int64 {
	if limit := debug.SetMemoryLimit(-1); limit != math.MaxInt64 {
		return limit
	}
	most := groupMemory("/proc/self/cgroup", "/sys/fs/cgroup")
	if most == 0 {
		return 0
	}
	limit := most / 10 * 9
	debug.SetMemoryLimit(limit)
	return limit
}

// groupMemory is the least that the process's control group or one above it may have, 0 for no limit: that of a container or of a
// systemd unit.
func groupMemory(self, root string) int64 {
	text, err := os.ReadFile(self)
	if err != nil {
		return 0
	}
	group := ""
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			group = rest
		}
	}
	var least int64
	for {
		text, err := os.ReadFile(filepath.Join(root, group, "memory.max"))
		if err == nil {
			if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && (least == 0 || n < least) { // or it says max
				least = n
			}
		}
		if group == "" || group == "/" {
			return least
		}
		group = filepath.Dir(group)
	}
}

// bodyMemory is how much of the memory may be bodies of requests: read, they take about ten times as much.
func bodyMemory(limit int64) int64 {
	if limit <= 0 {
		return api.DefaultBodies
	}
	return min(api.DefaultBodies, limit/16)
}

// databaseConnections and callerConnections share the files that may be open. A connection to SQLite holds three.
func databaseConnections(wanted, files int) int {
	if wanted > 0 || files <= 0 {
		return wanted
	}
	return max(2, min(16, files/16))
}

func callerConnections(wanted, files int) int {
	switch {
	case wanted > 0:
		return wanted
	case files <= 0:
		return 10_000
	}
	return max(8, min(10_000, files/2-8))
}
