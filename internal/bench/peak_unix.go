//go:build unix

package bench

import (
	"os"
	"runtime"
	"syscall"
)

// peakOf is the most memory of a process that ended, in bytes.
func peakOf(s *os.ProcessState) int64 {
	usage, ok := s.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	if runtime.GOOS == "darwin" {
		return usage.Maxrss
	}
	return int64(usage.Maxrss) << 10 //nolint:unconvert // it is an int32 on some systems
}
