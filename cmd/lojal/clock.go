//go:build !testclock

package main

import "time"

// clock is the one clock that the program has.
func clock() func() time.Time { return time.Now }
