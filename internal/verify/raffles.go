package verify

import (
	"context"
	"fmt"
	"time"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/reward"
)

// raffles works every draw out again: that the seed is the one that was told of, that all tickets took part, that those came up which had to,
// and that each winner was given the prize.
func (r *run) raffles(ctx context.Context, tx *db.Tx) error {
	const page = 100
	var tickets map[books.Draw][]books.Ticket
	var before *time.Time
	last := ""
	for {
		list, err := reward.Raffles(ctx, tx, r.program, before, last, page)
		if err != nil {
			return err
		}
		for i := range list {
			if tickets == nil {
				if tickets, err = books.Tickets(ctx, tx, r.program); err != nil {
					return err
				}
			}
			one, err := reward.GetRaffle(ctx, tx, r.program, list[i].Reward, list[i].DrawsAt)
			if err == nil {
				err = r.raffle(ctx, tx, &one, tickets[books.Draw{Raffle: one.Reward, At: one.DrawsAt.UnixMicro()}])
			}
			if err != nil {
				return err
			}
		}
		if len(list) < page {
			return nil
		}
		before, last = &list[page-1].DrawsAt, list[page-1].Reward
	}
}

func (r *run) raffle(ctx context.Context, tx *db.Tx, one *reward.Raffle, have []books.Ticket) error {
	fault := func(member, format string, args ...any) {
		r.out.add(Finding{Check: "raffles", Row: "raffles " + r.program + " " + one.Reward, Member: member, Message: fmt.Sprintf(format, args...)})
	}
	seed, err := one.Unseal(ctx, tx)
	if err != nil {
		fault("", "its seed cannot be opened")
		return nil //nolint:nilerr // it is a finding; where the database failed, what comes next fails too
	}
	if told, err := reward.Commitment(seed); err != nil || told != one.Commitment {
		fault("", "its seed is not the one whose hash was told")
		return nil //nolint:nilerr // likewise
	}
	if one.Status == reward.RaffleOpen {
		return nil
	}
	if one.Seed != seed {
		fault("", "was drawn with another seed than the one whose hash was told")
		return nil
	}
	if err := r.tickets(ctx, tx, one, have, fault); err != nil {
		return err
	}
	lines := reward.Lines(one.Tickets)
	if one.Count != int64(len(lines)) || one.TicketsHash != reward.HashOf(lines) {
		fault("", "is told to have had other tickets than those that took part")
	}
	order, err := reward.Shuffle(one.Seed, lines)
	if err != nil {
		return err
	}
	won := int64(0)
	for i, w := range one.Outcome {
		if i >= len(order) || w.Ticket != order[i] {
			fault(w.Member, "the ticket %s came up as number %d, where another has to", w.Ticket, i+1)
			return nil
		}
		if w.Passed != "" {
			continue
		}
		won++
		e, _, err := books.Find(ctx, tx, r.program, w.Fact)
		if err != nil && errs.CodeOf(err) != errs.CodeNotFound {
			return err
		}
		if b := e.Fact.Grant; err != nil || b == nil || b.Raffle != one.Reward || b.Ticket != w.Ticket {
			fault(w.Member, "the ticket %s won, and no fact gave its prize", w.Ticket)
		}
	}
	if won > one.Winners || one.Status == reward.RaffleDrawn && won < one.Winners && len(one.Outcome) < len(order) {
		fault("", "has %d winners, and %d were to be drawn of %d tickets", won, one.Winners, len(order))
	}
	return nil
}

// tickets compares who took part with the books: as far as tickets were given back since, they stay.
func (r *run) tickets(ctx context.Context, tx *db.Tx, one *reward.Raffle, have []books.Ticket, fault func(member, format string, args ...any)) error {
	took := map[string]int64{}
	for _, e := range one.Tickets {
		took[e.Redemption] = e.N
	}
	for _, t := range have {
		if took[t.Redemption] < t.N {
			fault(t.Member, "%d tickets of the redemption %s took part, of %d", took[t.Redemption], t.Redemption, t.N)
		}
		delete(took, t.Redemption)
	}
	for id := range took {
		_, err := books.FindRedemption(ctx, tx, r.program, id)
		if errs.CodeOf(err) == errs.CodeNotFound {
			fault("", "tickets of the redemption %s took part, which is not there", id)
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}
