package program

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestPeriodAfter(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ zone, from, period, want string }{
		{"Europe/Oslo", "2027-01-31T10:00:00+01:00", "1 month", "2027-02-28T10:00:00+01:00"},
		{"Europe/Oslo", "2028-01-31T10:00:00+01:00", "1 month", "2028-02-29T10:00:00+01:00"},
		{"Europe/Oslo", "2028-02-29T10:00:00+01:00", "1 year", "2029-02-28T10:00:00+01:00"},
		{"Europe/Oslo", "2028-02-29T10:00:00+01:00", "4 years", "2032-02-29T10:00:00+01:00"},
		{"Europe/Oslo", "2096-02-29T10:00:00+01:00", "4 years", "2100-02-28T10:00:00+01:00"},
		{"Europe/Oslo", "2027-08-31T10:00:00+02:00", "18 months", "2029-02-28T10:00:00+01:00"},
		{"Europe/Oslo", "2027-12-31T23:59:59+01:00", "1 day", "2028-01-01T23:59:59+01:00"},
		// The clocks go forward on 28 March 2027 and back on 31 October: days keep the time of day, hours do not.
		{"Europe/Oslo", "2027-03-27T12:00:00+01:00", "1 day", "2027-03-28T12:00:00+02:00"},
		{"Europe/Oslo", "2027-03-27T12:00:00+01:00", "24 hours", "2027-03-28T13:00:00+02:00"},
		{"Europe/Oslo", "2027-10-30T12:00:00+02:00", "1 day", "2027-10-31T12:00:00+01:00"},
		{"Europe/Oslo", "2027-10-30T12:00:00+02:00", "24 hours", "2027-10-31T11:00:00+01:00"},
		{"Europe/Oslo", "2027-03-14T02:30:00+01:00", "2 weeks", "2027-03-28T03:30:00+02:00"}, // 02:30 is no time that day
		{"Europe/Oslo", "2027-10-31T02:30:00+02:00", "90 minutes", "2027-10-31T03:00:00+01:00"},
		{"America/Sao_Paulo", "2018-11-03T00:00:00-03:00", "1 day", "2018-11-04T01:00:00-02:00"}, // no midnight that day
		{"Pacific/Apia", "2011-12-29T12:00:00-10:00", "2 days", "2011-12-31T12:00:00+14:00"},     // a day that never was
		{"UTC", "2027-05-31T00:00:00Z", "0 months", "2027-05-31T00:00:00Z"},
	} {
		from, err := time.Parse(time.RFC3339, c.from)
		if err != nil {
			t.Fatal(err)
		}
		p, err := ParsePeriod(c.period)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.After(from, zone(t, c.zone)).In(zone(t, c.zone)).Format(time.RFC3339); got != c.want {
			t.Errorf("%s after %s in %s is %s, want %s", c.period, c.from, c.zone, got, c.want)
		}
	}
}

func TestParsePeriod(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"15 minutes", "1 hour", "30 days", "2 weeks", "12 months", "1 year", "0 days"} {
		p, err := ParsePeriod(good)
		if err != nil || p.String() != good {
			t.Errorf("%q is %v, %v", good, p, err)
		}
	}
	for _, bad := range []string{"", "1", "day", "1day", "1  day", "-1 days", "1.5 days", "100001 days", "1 fortnight", "one day", "1 days ", "+1 day", "1 dayss"} {
		if p, err := ParsePeriod(bad); err == nil {
			t.Errorf("%q is %v", bad, p)
		}
	}
}

var (
	zones   = []string{"Europe/Oslo", "UTC", "America/New_York", "Asia/Colombo", "Australia/Lord_Howe", "America/Sao_Paulo", "Asia/Kathmandu", "Africa/Casablanca"}
	moments = rapid.Custom(func(t *rapid.T) time.Time {
		return time.Unix(rapid.Int64Range(-2_000_000_000, 4_100_000_000).Draw(t, "second"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanosecond"))
	})
)

func TestPeriodLaws(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		z, err := time.LoadLocation(rapid.SampledFrom(zones).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		at := moments.Draw(t, "at")
		p := Period{rapid.IntRange(1, 500).Draw(t, "n"), rapid.SampledFrom(periodUnits).Draw(t, "unit")}
		after := p.After(at, z)
		if !after.After(at) {
			t.Fatalf("%s after %s is %s", p, at.In(z), after)
		}
		if longer := (Period{p.N + 1, p.Unit}).After(at, z); longer.Before(after) {
			t.Fatalf("one %s more ends earlier: %s, %s", p.Unit, after, longer)
		}
		later := at.Add(time.Duration(rapid.Int64Range(0, 90*24*3600).Draw(t, "later")) * time.Second)
		if e := p.After(later, z); e.Before(after) && after.Sub(e) > 26*time.Hour {
			t.Fatalf("%s after %s is %s, but after the later %s it is %s", p, at, after, later, e)
		}
		l, a := at.In(z), after.In(z)
		switch p.Unit {
		case "month", "year":
			months := p.N
			if p.Unit == "year" {
				months *= 12
			}
			if got := (a.Year()-l.Year())*12 + int(a.Month()-l.Month()); got != months {
				t.Fatalf("%s after %s is %s: %d months", p, l, a, got)
			}
			if a.Day() > l.Day() || (a.Day() < l.Day() && a.AddDate(0, 0, 1).Month() == a.Month()) {
				t.Fatalf("%s after %s is %s: another day of the month", p, l, a)
			}
		case "day", "week":
			days := p.N
			if p.Unit == "week" {
				days *= 7
			}
			if want := time.Date(l.Year(), l.Month(), l.Day()+days, 0, 0, 0, 0, time.UTC); a.Day() != want.Day() || a.Month() != want.Month() {
				t.Fatalf("%s after %s is %s, want the day %s", p, l, a, want)
			}
		}
	})
}

// Every moment lies in exactly one day, week, month, quarter and year; they follow each other without a gap, and their
// names tell them apart.
func TestCalendarLaws(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		z, err := time.LoadLocation(rapid.SampledFrom(zones).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		at, unit := moments.Draw(t, "at"), rapid.SampledFrom([]string{"day", "week", "month", "quarter", "year"}).Draw(t, "unit")
		start, end := StartOf(unit, at, z), EndOf(unit, at, z)
		if at.Before(start) || !at.Before(end) {
			t.Fatalf("%s is not in its %s: %s to %s", at.In(z), unit, start, end)
		}
		if again := StartOf(unit, start, z); !again.Equal(start) {
			t.Fatalf("the start of a %s moves: %s, %s", unit, start, again)
		}
		if next := StartOf(unit, end, z); !next.Equal(end) {
			t.Fatalf("a %s ends at %s, the next begins at %s", unit, end, next)
		}
		key := PeriodKey(unit, at, z)
		if PeriodKey(unit, start, z) != key || PeriodKey(unit, end.Add(-1), z) != key || PeriodKey(unit, end, z) == key {
			t.Fatalf("%s does not name the %s from %s to %s", key, unit, start, end)
		}
	})
}

func TestDaysWithOtherLengths(t *testing.T) {
	t.Parallel()
	oslo := zone(t, "Europe/Oslo")
	for day, hours := range map[string]float64{"2027-03-28": 23, "2027-10-31": 25, "2027-06-01": 24} {
		at, err := time.ParseInLocation(time.DateOnly, day, oslo)
		if err != nil {
			t.Fatal(err)
		}
		if got := EndOf("day", at, oslo).Sub(StartOf("day", at, oslo)).Hours(); got != hours {
			t.Errorf("%s has %v hours", day, got)
		}
	}
	if k := PeriodKey("week", time.Date(2027, 1, 1, 12, 0, 0, 0, oslo), oslo); k != "2026-W53" {
		t.Error(k)
	}
	if k := PeriodKey("lifetime", time.Now(), oslo); k != "all" || !StartOf("lifetime", time.Now(), oslo).IsZero() {
		t.Error(k)
	}
}
