package program

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Words is one word or a list of words; in the document both forms are read.
type Words []string

// Limits is one limit or a list of limits; in the document both forms are read.
type Limits []Limit

// Period is a length of time in calendar terms: "15 minutes", "36 hours", "30 days", "2 weeks", "12 months", "1 year".
type Period struct {
	N    int
	Unit string // minute, hour, day, week, month or year
}

var periodUnits = []string{"minute", "hour", "day", "week", "month", "year"}

// MaxPeriod bounds N so that no date leaves the years that are computed with.
const MaxPeriod = 100_000

// ParsePeriod reads "12 months". N is 0 to 100,000.
func ParsePeriod(s string) (Period, error) {
	bad := fmt.Errorf("%q is not a period; write for example \"30 days\", \"12 months\" or \"1 year\"", s)
	num, unit, ok := strings.Cut(s, " ")
	n, err := strconv.Atoi(num)
	if !ok || err != nil || n < 0 || n > MaxPeriod || strconv.Itoa(n) != num {
		return Period{}, bad
	}
	unit = strings.TrimSuffix(unit, "s")
	for _, u := range periodUnits {
		if u == unit {
			return Period{n, u}, nil
		}
	}
	return Period{}, bad
}

func (p Period) String() string {
	if p.N == 1 {
		return "1 " + p.Unit
	}
	return strconv.Itoa(p.N) + " " + p.Unit + "s"
}

// MarshalText writes the period as it is read.
func (p Period) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads a period.
func (p *Period) UnmarshalText(b []byte) error {
	v, err := ParsePeriod(string(b))
	if err == nil {
		*p = v
	}
	return err
}

// IsZero says whether the period has no length.
func (p Period) IsZero() bool { return p.N == 0 }

// After is t plus the period. Days and longer keep the local time of day in zone; a month later than 31 January is the
// last day of February.
func (p Period) After(t time.Time, zone *time.Location) time.Time { return p.add(t, zone, 1) }

// Before is t less the period, by the same calendar.
func (p Period) Before(t time.Time, zone *time.Location) time.Time { return p.add(t, zone, -1) }

func (p Period) add(t time.Time, zone *time.Location, sign int) time.Time {
	n := sign * p.N
	switch p.Unit {
	case "minute":
		return t.Add(time.Duration(n) * time.Minute)
	case "hour":
		return t.Add(time.Duration(n) * time.Hour)
	case "day":
		return addMonths(t, zone, 0, n)
	case "week":
		return addMonths(t, zone, 0, 7*n)
	case "month":
		return addMonths(t, zone, n, 0)
	}
	return addMonths(t, zone, 12*n, 0)
}

// addMonths keeps the local time of day. The month is found in UTC, because the first of it may have no midnight.
func addMonths(t time.Time, zone *time.Location, months, days int) time.Time {
	l := t.In(zone)
	y, m, d := l.Date()
	first := time.Date(y, m+time.Month(months), 1, 0, 0, 0, 0, time.UTC)
	if last := daysIn(first); months != 0 && d > last {
		d = last
	}
	return local(time.Date(first.Year(), first.Month(), d+days, l.Hour(), l.Minute(), l.Second(), l.Nanosecond(), time.UTC), zone)
}

func daysIn(t time.Time) int {
	return time.Date(t.Year(), t.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// local is the moment at which clocks in the zone show what wall shows in UTC: the first, where they show it twice; as
// much later as they were put forward, where they never do. time.Date leaves both open.
func local(wall time.Time, zone *time.Location) time.Time {
	offset := func(t time.Time) time.Duration {
		_, s := t.In(zone).Zone()
		return time.Duration(s) * time.Second
	}
	before, after := offset(wall.Add(-24*time.Hour)), offset(wall.Add(24*time.Hour))
	for _, o := range []time.Duration{max(before, after), min(before, after)} {
		if t := wall.Add(-o); offset(t) == o {
			return t.In(zone)
		}
	}
	return wall.Add(-before).In(zone)
}

// midnight is the first moment of a local day; d may lie outside the month.
func midnight(y int, m time.Month, d int, zone *time.Location) time.Time {
	return local(time.Date(y, m, d, 0, 0, 0, 0, time.UTC), zone)
}

// StartOf is the first moment of the local day, week (Monday), month, quarter or year that holds t; "lifetime" and "" give the zero time.
func StartOf(unit string, t time.Time, zone *time.Location) time.Time {
	y, m, d := startOf(unit, t, zone)
	if y == 0 {
		return time.Time{}
	}
	return midnight(y, m, d, zone)
}

// EndOf is the first moment after the local day, week, month, quarter or year that holds t.
func EndOf(unit string, t time.Time, zone *time.Location) time.Time {
	y, m, d := startOf(unit, t, zone)
	switch unit {
	case "day":
		return midnight(y, m, d+1, zone)
	case "week":
		return midnight(y, m, d+7, zone)
	case "month":
		return midnight(y, m+1, 1, zone)
	case "quarter":
		return midnight(y, m+3, 1, zone)
	case "year":
		return midnight(y+1, 1, 1, zone)
	}
	return time.Time{}
}

// startOf is the first day of the period; day may be 0 or less in a week that begins in the month before.
func startOf(unit string, t time.Time, zone *time.Location) (y int, m time.Month, d int) {
	l := t.In(zone)
	y, m, d = l.Date()
	switch unit {
	case "day":
		return y, m, d
	case "week":
		return y, m, d - (int(l.Weekday())+6)%7
	case "month":
		return y, m, 1
	case "quarter":
		return y, m - (m-1)%3, 1
	case "year":
		return y, 1, 1
	}
	return 0, 0, 0
}

// PeriodKey names the calendar period that holds t: "2026-11-22", "2026-W47", "2026-11", "2026-Q4", "2026" or "all".
func PeriodKey(unit string, t time.Time, zone *time.Location) string {
	l := t.In(zone)
	switch unit {
	case "day":
		return l.Format("2006-01-02")
	case "week":
		y, w := l.ISOWeek()
		return fmt.Sprintf("%04d-W%02d", y, w)
	case "month":
		return l.Format("2006-01")
	case "quarter":
		return fmt.Sprintf("%04d-Q%d", l.Year(), (int(l.Month())+2)/3)
	case "year":
		return l.Format("2006")
	}
	return "all"
}
