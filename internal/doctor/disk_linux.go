package doctor

import "syscall"

// lookAtDisk tells the file system that a path lies on.
func lookAtDisk(path string) (disk, bool) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(path, &s); err != nil {
		return disk{}, false
	}
	size, kind := int64(s.Bsize), int64(s.Type) //nolint:unconvert // they are narrower on other processors
	return disk{kind: kindOf(kind), free: int64(s.Bavail) * size, all: int64(s.Blocks) * size, files: int64(s.Ffree), inodes: s.Files > 0}, true
}

// openFiles is how many files the process may have open.
func openFiles() (uint64, bool) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, false
	}
	return limit.Cur, true
}
