package verify

import (
	"context"
	"fmt"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/reward"
)

// raffles works every draw out again: that the seed is the one that was told of, that all tickets took part, that those came up which had to,
// and that each winner was given the prize.
func (r *run) raffles(ctx context.Context, tx *db.Tx) error {
	list, err := reward.Raffles(ctx, tx, r.program)
	for i := range list {
		if err == nil {
			err = r.raffle(ctx, tx, &list[i])
		}
	}
	return err
}

func (r *run) raffle(ctx context.Context, tx *db.Tx, one *reward.Raffle) error {
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
	if err := r.tickets(ctx, tx, one, fault); err != nil {
		return err
	}
	_, order, err := reward.Shuffle(one.Seed, reward.Lines(one.Tickets))
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
func (r *run) tickets(ctx context.Context, tx *db.Tx, one *reward.Raffle, fault func(member, format string, args ...any)) error {
	took := map[string]int64{}
	for _, e := range one.Tickets {
		took[e.Redemption] = e.N
	}
	have, err := books.Tickets(ctx, tx, r.program, one.Reward, one.DrawsAt)
	if err != nil {
		return err
	}
	for i := range have {
		if _, n := have[i].Tickets(); took[have[i].ID] < n {
			fault(have[i].Member, "%d tickets of the redemption %s took part, of %d", took[have[i].ID], have[i].ID, n)
		}
		delete(took, have[i].ID)
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
