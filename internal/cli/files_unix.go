//go:build unix

package cli

import "syscall"

// openFiles is how many files the process may have open, 0 when that is not known. Go has raised it as far as it may.
func openFiles() int {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil {
		return 0
	}
	return int(min(r.Cur, 1<<20))
}
