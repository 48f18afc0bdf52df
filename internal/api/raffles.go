package api

import (
	"context"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/raffle"
	"lojal.dev/lojal/internal/reward"
	"lojal.dev/lojal/internal/version"
	"lojal.dev/lojal/internal/web"
)

// RaffleView is how a raffle stands: a reward whose tickets take part in a draw, and the time of that draw.
type RaffleView struct {
	Reward  string     `json:"reward"`
	DrawsAt *time.Time `json:"draws_at"`
	// Prize is the reward that each winner is granted; Winners how many there are at most.
	Prize   string `json:"prize"`
	Winners int64  `json:"winners"`
	// Status is open, drawing (the winners get their prizes) or drawn.
	Status string `json:"status"`
	// Commitment is the SHA-256 of the seed, told since CommittedAt; Seed is the seed, once it was drawn. Both are hexadecimal.
	Commitment  string     `json:"commitment"`
	CommittedAt *time.Time `json:"committed_at"`
	Seed        string     `json:"seed,omitempty"`
	DrawnAt     *time.Time `json:"drawn_at,omitempty"`
	// Tickets is how many took part, and TicketsHash the SHA-256 of their list, once it was drawn.
	Tickets     int64  `json:"tickets,omitempty"`
	TicketsHash string `json:"tickets_hash,omitempty"`
	// Outcome lists the tickets that came up, in order.
	Outcome []RaffleTicket `json:"outcome,omitempty"`
	// Error is what stands in the way of a prize that is to be given.
	Error string `json:"error,omitempty"`
	// TicketList lists all tickets that took part, in the order in which they are hashed: of one raffle, and not in a list of them.
	TicketList []string `json:"ticket_list,omitempty"`
}

// RaffleTicket is a ticket that came up.
type RaffleTicket struct {
	Ticket string `json:"ticket"`
	Member string `json:"member,omitempty"`
	// Passed is why it did not win: again (who has it won already) or closed (the membership was).
	Passed string `json:"passed,omitempty"`
	// Fact is the one that granted the prize.
	Fact string `json:"fact,omitempty"`
}

func (v view) raffle(r *reward.Raffle, whole bool) (RaffleView, error) {
	out := RaffleView{Reward: r.Reward, DrawsAt: v.moment(&r.DrawsAt), Prize: r.Prize, Winners: r.Winners, Status: r.Status, Commitment: r.Commitment,
		CommittedAt: v.moment(&r.CommittedAt), Seed: r.Seed, DrawnAt: v.moment(r.DrawnAt), Error: r.Error}
	for _, w := range r.Outcome {
		out.Outcome = append(out.Outcome, RaffleTicket(w))
	}
	if r.Status == reward.RaffleOpen {
		return out, nil
	}
	lines := reward.Lines(r.Tickets)
	out.Tickets = int64(len(lines))
	if whole {
		out.TicketList = lines
	}
	var err error
	out.TicketsHash, _, err = reward.Shuffle(r.Seed, lines)
	return out, err
}

type rafflesIn struct{ Call }

func (s *Server) listRaffles(ctx context.Context, in *rafflesIn) (*Page[RaffleView], error) {
	out := &Page[RaffleView]{}
	return out, s.look(ctx, &in.Call, func(tx *db.Tx, v view, _ *version.Set) error {
		out.Items = []RaffleView{}
		list, err := reward.Raffles(ctx, tx, in.program())
		for i := range list {
			if err != nil {
				return err
			}
			var one RaffleView
			one, err = v.raffle(&list[i], false)
			out.Items = append(out.Items, one)
		}
		return err
	})
}

type raffleIn struct {
	Call
	// Reward is the id of the reward that gives tickets. Where its draw was moved there are several raffles: the one with the latest draw is meant.
	Reward string `path:"reward"`
}

func (s *Server) getRaffle(ctx context.Context, in *raffleIn) (*RaffleView, error) {
	var out *RaffleView
	err := s.look(ctx, &in.Call, func(tx *db.Tx, v view, _ *version.Set) error {
		list, err := reward.Raffles(ctx, tx, in.program())
		if err != nil {
			return err
		}
		for i := range list {
			if list[i].Reward == in.Reward {
				one, err := v.raffle(&list[i], true)
				out = &one
				return err
			}
		}
		return web.NotFound("raffle")
	})
	return out, err
}

func (s *Server) drawRaffle(ctx context.Context, in *raffleIn) (*RaffleView, error) {
	d := raffle.Draws{DB: s.DB, Recorder: s.Recorder}
	r, err := d.Draw(ctx, in.program(), in.Reward, in.now)
	if err != nil {
		return nil, err
	}
	var out RaffleView
	err = s.look(ctx, &in.Call, func(_ *db.Tx, v view, _ *version.Set) (err error) {
		out, err = v.raffle(r, true)
		return err
	})
	return &out, err
}
