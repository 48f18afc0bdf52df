package bench

import (
	"runtime"
	"syscall"
	"time"
)

// napper gives a way to sleep that is right to some 60 µs: the runtime's own timers may be a millisecond late when little
// goes on, which would be counted as the server's.
func napper() (nap func(time.Duration), rest func()) {
	runtime.LockOSThread()
	return func(d time.Duration) {
		ts := syscall.NsecToTimespec(int64(d))
		_ = syscall.Nanosleep(&ts, nil) // woken early, the next request is early by so much; the plan stays
	}, runtime.UnlockOSThread
}
