package insight

import (
	"time"

	"lojal.dev/lojal/internal/errs"
)

// Periods are the words for periods, all of which end with today.
var Periods = []string{"7d", "28d", "90d", "month", "year"}

// Between gives a period that ends with today, the one before it, and how many days a step of it has. This month and this year are compared with as much of
// the month or the year before.
func Between(word string, now time.Time, zone *time.Location) (period, earlier Days, step int, err error) {
	y, m, d := now.In(zone).Date()
	day := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, zone) }
	until := day(y, m, d+1)
	last := func(n int) (Days, Days) {
		return Days{day(y, m, d+1-n), until}, Days{day(y, m, d+1-2*n), day(y, m, d+1-n)}
	}
	switch word {
	case "7d":
		period, earlier = last(7)
		return period, earlier, 1, nil
	case "", "28d":
		period, earlier = last(28)
		return period, earlier, 1, nil
	case "90d":
		period, earlier = last(90)
		return period, earlier, 7, nil
	case "month":
		end := day(y, m-1, d+1)
		if first := day(y, m, 1); end.After(first) { // the month before is shorter
			end = first
		}
		return Days{day(y, m, 1), until}, Days{day(y, m-1, 1), end}, 1, nil
	case "year":
		return Days{day(y, 1, 1), until}, Days{day(y-1, 1, 1), day(y-1, m, d+1)}, 7, nil
	}
	return period, earlier, 0, errs.Invalid("invalid_query", "There is no such period.", errs.Field{Pointer: "/period", Reason: "unknown_word", Message: "must be 7d, 28d, 90d, month or year"})
}
