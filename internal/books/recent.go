package books

import (
	"context"
	"fmt"
	"math"
	"slices"

	"lojal.dev/lojal/internal/db"
)

// EventPlace is a place among the events, the newest first: before the Nth event of a fact.
type EventPlace struct {
	Stamp int64  `json:"s"`
	N     int64  `json:"n"`
	Fact  string `json:"f"`
	Nth   int    `json:"i"`
}

const eventsBefore = `
SELECT stamp, n, id, member_id, occurred_at, recorded_at, events, CASE WHEN events = '' THEN decision ELSE '' END FROM facts
WHERE program_id = $1 AND stamp > 0 AND (stamp, n, id) <= ($2, $3, $4)
ORDER BY stamp DESC, n DESC, id DESC LIMIT $5`

// factsForEvents are how many facts are read at once, mostFactsForEvents how many for one page.
const factsForEvents, mostFactsForEvents = 200, 10_000

// NewestEvents gives the newest events before a place (the zero value is the end) that are wanted, and where to go on; nil when there are no more. It
// is for people to look at: an event that is committed late may come to stand above one that was seen, and so whoever must not miss any reads [Events].
func NewestEvents(ctx context.Context, tx *db.Tx, program string, before EventPlace, wanted func(kind string) bool, limit int) ([]Event, *EventPlace, error) {
	if before == (EventPlace{}) {
		before = EventPlace{Stamp: math.MaxInt64, N: math.MaxInt64}
	}
	var out []Event
	for looked := 0; looked < mostFactsForEvents; {
		facts := 0
		var full *EventPlace
		err := db.Collect(ctx, tx, func(row db.Scanner) error {
			var at Cursor
			list, err := scanEvents(row, &at)
			if err != nil || full != nil {
				return err
			}
			facts++
			for i, e := range slices.Backward(list) {
				switch {
				case e.Fact == before.Fact && at.Stamp == before.Stamp && i >= before.Nth, !wanted(e.Type):
				case len(out) == limit:
					full = &EventPlace{at.Stamp, at.N, e.Fact, i + 1}
					return nil
				default:
					out = append(out, e)
				}
			}
			before = EventPlace{Stamp: at.Stamp, N: at.N} // a fact that told nothing
			if len(list) > 0 {
				before.Fact = list[0].Fact
			}
			return nil
		}, eventsBefore, program, before.Stamp, before.N, before.Fact, factsForEvents)
		if err != nil {
			return nil, nil, fmt.Errorf("read the newest events: %w", err)
		}
		if full != nil {
			return out, full, nil
		}
		if facts < factsForEvents {
			return out, nil, nil
		}
		looked += facts
	}
	return out, &before, nil
}
