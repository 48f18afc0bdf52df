package cli

import (
	"fmt"
	"net/http"
	"slices"

	"lojal.dev/lojal/internal/api"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/reward"
)

type raffleCmd struct {
	List   raffleListCmd   `cmd:"" help:"List the raffles, the latest draw first."`
	Show   raffleShowCmd   `cmd:"" help:"Show a raffle: the hash of its seed, and once it was drawn the winners."`
	Draw   raffleDrawCmd   `cmd:"" help:"Draw a raffle whose time has come."`
	Verify raffleVerifyCmd `cmd:"" help:"Work the winners of a raffle out again from its seed and its tickets."`
}

// raffle tells one.
func (o *door) raffle(r *api.RaffleView) {
	o.e.printf("%s  %s, draws %s, %s of %s\n", r.Reward, r.Status, day(r.DrawsAt), lang.Things(r.Winners, "winner"), r.Prize)
	if r.Commitment == "" {
		o.e.printf("  no server has committed to a seed yet\n")
	} else {
		o.e.printf("  hash of the seed %s, told %s\n", r.Commitment, day(r.CommittedAt))
	}
	if r.Seed != "" {
		o.e.printf("  seed %s\n", r.Seed)
	}
	if r.Tickets > 0 {
		o.e.printf("  %s\n", lang.Things(r.Tickets, "ticket"))
	}
	for i, t := range r.Outcome {
		o.e.printf("  %d. %s  %s", i+1, t.Ticket, t.Member)
		if t.Passed != "" {
			o.e.printf(", passed over: %s", t.Passed)
		}
		o.e.printf("\n")
	}
	if r.Error != "" {
		o.e.printf("  %s\n", r.Error)
	}
}

type raffleListCmd struct {
	asking
	Limit int `default:"50" placeholder:"N" help:"How many; ${default} when left out."`
}

func (raffleListCmd) Help() string {
	return `Examples:

    lojal raffle list`
}

func (c *raffleListCmd) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		return list(&c.asking, o, path("raffles"), nil, max(c.Limit, 1), o.raffle)
	})
}

// oneRaffle is what commands on a raffle have in common.
type oneRaffle struct {
	asking
	Reward string `arg:"" help:"Id of the reward that gives the tickets."`
}

type raffleShowCmd struct{ oneRaffle }

func (raffleShowCmd) Help() string {
	return `Examples:

    lojal raffle show ticket
    lojal raffle show ticket --json`
}

func (c *raffleShowCmd) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		return call(&c.asking, o, http.MethodGet, path("raffles", c.Reward), nil, nil, o.raffle)
	})
}

type raffleDrawCmd struct{ oneRaffle }

func (raffleDrawCmd) Help() string {
	return `A server draws it by itself a minute after its time; this does it now. Asked again it answers with the same winners.

Examples:

    lojal raffle draw ticket`
}

func (c *raffleDrawCmd) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		return call(&c.asking, o, http.MethodPost, path("raffles", c.Reward, "draw"), nil, nil, o.raffle)
	})
}

type raffleVerifyCmd struct{ oneRaffle }

func (raffleVerifyCmd) Help() string {
	return `Anybody can: the rule is in docs/rewards.md. The seed must have the hash that was told before the draw, the list of tickets its hash, and the
tickets come up in the order that both give. Status 1 where they do not.

Examples:

    lojal raffle verify ticket`
}

func (c *raffleVerifyCmd) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		var wrong error
		err := call(&c.asking, o, http.MethodGet, path("raffles", c.Reward), nil, nil, func(r *api.RaffleView) {
			if wrong = provenRaffle(r); wrong == nil {
				e.printf("%s: the seed has the hash that was told %s, and with its %s gives the %s that came up.\n", r.Reward, day(r.CommittedAt),
					lang.Things(r.Tickets, "ticket"), lang.Things(int64(len(r.Outcome)), "ticket"))
			}
		})
		if err == nil {
			err = wrong
		}
		return err
	})
}

// provenRaffle works a raffle out again from what everybody is told of it.
func provenRaffle(r *api.RaffleView) error {
	not := func(format string, args ...any) error {
		return errs.Conflict("raffle_not_proven", r.Reward+": "+fmt.Sprintf(format, args...))
	}
	if r.Seed == "" {
		return errs.Conflict("raffle_open", "The raffle is not drawn yet: its seed is told with the draw.")
	}
	hash, err := reward.Commitment(r.Seed)
	if err != nil {
		return err
	}
	if hash != r.Commitment {
		return not("the seed's hash is %s, and %s was told before the draw.", hash, r.Commitment)
	}
	if hash = reward.HashOf(r.TicketList); hash != r.TicketsHash {
		return not("the hash of the tickets is %s, and %s was told.", hash, r.TicketsHash)
	}
	order, err := reward.Shuffle(r.Seed, r.TicketList)
	if err != nil {
		return err
	}
	came := make([]string, len(r.Outcome))
	for i := range r.Outcome {
		came[i] = r.Outcome[i].Ticket
	}
	if len(came) > len(order) || !slices.Equal(came, order[:len(came)]) {
		return not("other tickets come up than those that did.")
	}
	return nil
}
