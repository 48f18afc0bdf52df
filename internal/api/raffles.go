package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/program"
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
	// Status is planned (the program has it, and no server has committed to a seed yet), open, drawing (the winners get their prizes) or drawn.
	Status string `json:"status"`
	// Commitment is the SHA-256 of the seed, told since CommittedAt; Seed is the seed, once it was drawn. Both are hexadecimal.
	Commitment  string     `json:"commitment,omitempty"`
	CommittedAt *time.Time `json:"committed_at,omitempty"`
	Seed        string     `json:"seed,omitempty"`
	DrawnAt     *time.Time `json:"drawn_at,omitempty"`
	// Tickets is how many take part: so far, of one raffle that is not drawn yet, and not in a list of them. TicketsHash is the SHA-256 of their
	// list, once it was drawn.
	Tickets     int64  `json:"tickets,omitzero"`
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

func (v view) raffle(r *reward.Raffle, whole bool) RaffleView {
	out := RaffleView{Reward: r.Reward, DrawsAt: v.moment(&r.DrawsAt), Prize: r.Prize, Winners: r.Winners, Status: r.Status, Commitment: r.Commitment,
		CommittedAt: v.moment(&r.CommittedAt), Seed: r.Seed, DrawnAt: v.moment(r.DrawnAt), Error: r.Error, Tickets: r.Count, TicketsHash: r.TicketsHash}
	for _, w := range r.Outcome {
		out.Outcome = append(out.Outcome, RaffleTicket(w))
	}
	if whole && r.Status != reward.RaffleOpen {
		out.TicketList = reward.Lines(r.Tickets)
	}
	return out
}

// rafflePlanned is how a raffle stands to which no server has committed.
const rafflePlanned = "planned"

// planned tells a raffle as the program has it; ok is false where the reward is none. Reading commits to nothing: a server does, by its job, or whoever
// draws it, and until then everybody can see that nobody has.
func (v view) planned(r *program.CompiledReward) (out RaffleView, ok bool) {
	if r == nil || r.Kind != program.KindRaffle || r.Draws == nil {
		return out, false
	}
	at := r.Draws.Truncate(time.Microsecond) // as it is kept
	return RaffleView{Reward: r.ID, DrawsAt: v.moment(&at), Prize: r.Gives.Raffle.Prize, Winners: max(r.Gives.Raffle.Winners, 1), Status: rafflePlanned}, true
}

type rafflesIn struct {
	Call
	Paging
}

func (s *Server) listRaffles(ctx context.Context, in *rafflesIn) (*Page[RaffleView], error) {
	limit, err := web.PageLimit(in.Limit, web.DefaultLimit, web.MaxLimit)
	if err != nil {
		return nil, err
	}
	var at struct {
		DrawsAt *time.Time `json:"draws_at"`
		Reward  string     `json:"reward"`
	}
	if err := web.ReadCursor("raffles", in.Cursor, &at); err != nil {
		return nil, err
	}
	out := &Page[RaffleView]{}
	return out, s.look(ctx, &in.Call, func(tx *db.Tx, v view, _ *version.Set) error {
		out.Items, out.Next = []RaffleView{}, ""
		list, err := reward.Raffles(ctx, tx, in.program(), at.DrawsAt, at.Reward, limit+1)
		if len(list) > limit {
			list = list[:limit]
			next := at
			next.DrawsAt, next.Reward = &list[limit-1].DrawsAt, list[limit-1].Reward
			out.Next = web.Cursor("raffles", next)
		}
		for i := range v.p.Doc.Rewards {
			one, ok := v.planned(v.p.Rewards[v.p.Doc.Rewards[i].ID])
			if err != nil || !ok || in.Cursor != "" {
				continue
			}
			var all []reward.Raffle
			all, err = reward.RafflesOf(ctx, tx, in.program(), one.Reward)
			if !slices.ContainsFunc(all, func(r reward.Raffle) bool { return r.DrawsAt.Equal(*one.DrawsAt) }) {
				out.Items = append(out.Items, one)
			}
		}
		for i := range list {
			out.Items = append(out.Items, v.raffle(&list[i], false))
		}
		return err
	})
}

type raffleIn struct {
	Call
	// Reward is the id of the reward that gives tickets. Where its draw was moved there are several raffles: that of the version in force is meant, or, where
	// that has none, the one with the latest draw.
	Reward string `path:"reward"`
}

func (s *Server) getRaffle(ctx context.Context, in *raffleIn) (*RaffleView, error) {
	var out RaffleView
	err := s.look(ctx, &in.Call, func(tx *db.Tx, v view, _ *version.Set) error {
		planned, ok := v.planned(v.p.Rewards[in.Reward])
		var r reward.Raffle
		var err error
		if ok {
			r, err = reward.GetRaffle(ctx, tx, in.program(), in.Reward, *planned.DrawsAt)
		} else {
			r, err = reward.LastRaffle(ctx, tx, in.program(), in.Reward)
		}
		switch none := errs.CodeOf(err) == errs.CodeNotFound; {
		case none && !ok:
			return web.NotFound("raffle")
		case err != nil && !none:
			return err
		case none:
			out = planned
		default:
			out = v.raffle(&r, true)
		}
		if out.Status != rafflePlanned && out.Status != reward.RaffleOpen {
			return nil
		}
		all, err := books.Tickets(ctx, tx, in.program())
		for _, t := range all[books.Draw{Raffle: out.Reward, At: out.DrawsAt.UnixMicro()}] {
			out.Tickets += t.N
		}
		return err
	})
	return &out, err
}

func (s *Server) drawRaffle(ctx context.Context, in *raffleIn) (*Answered[RaffleView], error) {
	if known, ok, err := s.replayed(ctx, &in.Call); err != nil || ok {
		return &Answered[RaffleView]{known}, err
	}
	p, err := s.current(ctx, &in.Call)
	if err != nil {
		return nil, err
	}
	d := raffle.Draws{DB: s.DB, Recorder: s.Recorder}
	r, err := d.Draw(ctx, in.program(), in.Reward, in.now)
	if err != nil {
		return nil, err
	}
	reply, err := s.whole(ctx, &in.Call, http.StatusOK, in.view(p).raffle(r, true), true, nil)
	return &Answered[RaffleView]{reply}, err
}
