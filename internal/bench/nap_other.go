//go:build !linux

package bench

import "time"

// napper gives a way to sleep.
func napper() (nap func(time.Duration), rest func()) { return time.Sleep, func() {} }
