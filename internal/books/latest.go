package books

import (
	"context"
	"errors"
	"fmt"
	"math"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
)

// RedemptionQuery says which redemptions of all members to look for.
type RedemptionQuery struct {
	// Status keeps to one, Reward to what was asked for, ToHand to what somebody has to see to: ordered, packed or sent. Empty is any.
	Status, Reward string
	ToHand         bool
	// Before is where the page before ended; the zero value is the newest.
	Before RedemptionPlace
	Limit  int
}

// RedemptionPlace is a place among the redemptions, the newest first.
type RedemptionPlace struct {
	Stamp int64  `json:"s"`
	N     int64  `json:"n"`
	Fact  string `json:"f"`
}

const (
	// stride is how many facts are read at once, reach how many strides are made for a page, and lookUps how many redemptions.
	stride, reach, lookUps = 2000, 10, 1000

	// The ids stand in what facts told as they made them: those of a purchase or of a due date are not the fact's. Committing what was reserved makes none.
	newestFacts = `
SELECT stamp, n, id,
	CASE WHEN kind <> 'commit' AND (events LIKE '%"redemption.reserved"%' OR events LIKE '%"redemption.committed"%') THEN events ELSE '' END,
	CASE WHEN kind <> 'commit' AND events = '' AND (decision LIKE '%"redemption.reserved"%' OR decision LIKE '%"redemption.committed"%') THEN decision ELSE '' END
FROM facts WHERE program_id = $1 AND stamp > 0 AND (stamp, n, id) < ($2, $3, $4)
ORDER BY stamp DESC, n DESC, id DESC LIMIT $5`
)

// AllRedemptions gives a page of the redemptions of rewards of all members, the newest first, and where the next one begins; nil at the end. A page looks
// back over a bounded number of facts, so it may be short, or empty, and yet not the last. A distributed database keeps its facts in order by bucket: there
// it is complete, and the newest first in each bucket alone.
func AllRedemptions(ctx context.Context, tx *db.Tx, program string, q RedemptionQuery) ([]Redemption, *RedemptionPlace, error) {
	at := q.Before
	if at == (RedemptionPlace{}) {
		at = RedemptionPlace{math.MaxInt64, math.MaxInt64, ""}
	}
	var out []Redemption
	looked := 0
	for range reach {
		var facts []RedemptionPlace
		var told [][]string
		err := db.Collect(ctx, tx, func(row db.Scanner) error {
			var p RedemptionPlace
			var events, decision string
			if err := row.Scan(&p.Stamp, &p.N, &p.Fact, &events, &decision); err != nil {
				return err
			}
			made, err := redemptionsTold(events, decision)
			facts, told = append(facts, p), append(told, made)
			return err
		}, newestFacts, program, at.Stamp, at.N, at.Fact, stride)
		if err != nil {
			return nil, nil, fmt.Errorf("read the newest redemptions of %s: %w", program, err)
		}
		for i, made := range told {
			if len(made) > 0 && (len(out) > 0 && len(out)+len(made) > q.Limit || looked >= lookUps) {
				return out, &at, nil
			}
			for _, id := range made {
				looked++
				r, err := FindRedemption(ctx, tx, program, id)
				if errs.CodeOf(err) == errs.CodeNotFound {
					continue
				}
				if err != nil {
					return nil, nil, err
				}
				if q.takes(&r) {
					out = append(out, r)
				}
			}
			at = facts[i]
		}
		if len(facts) < stride {
			return out, nil, nil
		}
	}
	return out, &at, nil
}

func (q *RedemptionQuery) takes(r *Redemption) bool {
	f := r.Fulfilment
	return r.Reward != "" && (q.Status == "" || r.Status == q.Status) && (q.Reward == "" || r.Reward == q.Reward) &&
		(!q.ToHand || r.Status == engine.StatusCommitted && f != nil && (f.Status == engine.Ordered || f.Status == engine.Packed || f.Status == engine.Sent))
}

// redemptionsTold are the ids of those that a fact made, the last first.
func redemptionsTold(events, decision string) ([]string, error) {
	var d engine.Decision
	var err error
	switch {
	case events != "":
		d.Events, err = decodeEvents(events)
	case decision != "":
		err = decodeDecision(decision, &d)
	default:
		return nil, nil
	}
	if err != nil {
		return nil, errors.Join(errors.New("read what a fact told"), err)
	}
	var out []string
	seen := map[string]bool{}
	for i := len(d.Events) - 1; i >= 0; i-- {
		e := &d.Events[i]
		if id := e.Data["redemption"]; (e.Type == engine.EvReserved || e.Type == engine.EvCommitted) && id != "" && !seen[id] {
			seen[id] = true
			out = append(out, id)
		}
	}
	return out, nil
}
