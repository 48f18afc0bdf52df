//go:build testclock

package main

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// clock, in the build that test/faults makes to try wrong clocks and coming days, goes as the file says that LOJAL_TEST_CLOCK
// names: a duration is how far it is off (-1h, 9600h), and an RFC 3339 time is where it stands. The file may change at any
// time; it must be replaced as a whole. Without the variable it is the machine's.
func clock() func() time.Time {
	path := os.Getenv("LOJAL_TEST_CLOCK")
	if path == "" {
		return time.Now
	}
	return func() time.Time {
		data, err := os.ReadFile(path)
		if err != nil {
			panic(fmt.Sprintf("the test clock: %v", err))
		}
		text := strings.TrimSpace(string(data))
		if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
			return at
		}
		off, err := time.ParseDuration(text)
		if err != nil {
			panic(fmt.Sprintf("the test clock: %s says %q, which is neither a time nor a duration", path, text))
		}
		return time.Now().Add(off)
	}
}
