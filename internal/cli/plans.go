package cli

import (
	"net/http"
	"time"

	"lojal.dev/lojal/internal/api"
)

type planCmd struct {
	List  planListCmd  `cmd:"" help:"Say where a member stands in each plan."`
	Event planEventCmd `cmd:"" help:"Tell what billing made of a member's plan."`
}

type planListCmd struct{ ofMember }

func (planListCmd) Help() string {
	return `Examples:

    lojal plan list ext:4711`
}

func (c *planListCmd) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		return list(&c.asking, o, path("members", c.Member, "plans"), nil, 0, func(p *api.MemberPlan) {
			e.printf("%s  %s, %s", p.Plan, p.Title, p.Status)
			if p.Until != nil {
				e.printf(" until %s", day(p.Until))
			}
			switch {
			case p.Next != "":
				e.printf(", then %s", p.Next)
			case p.Cancelled:
				e.printf(", cancelled")
			case p.EndedAt != nil:
				e.printf(" %s: %s", day(p.EndedAt), p.EndedBy)
			}
			e.printf("\n")
		})
	})
}

type planEventCmd struct {
	ofMember
	Plan   string     `arg:"" help:"Id of the plan in the program."`
	What   string     `arg:"" enum:"started,paid,failed,cancelled,resumed,changed" help:"What happened: started, paid (the next period), failed (the payment), cancelled, resumed (the cancellation is taken back) or changed."`
	Until  *time.Time `placeholder:"TIME" help:"End of the trial or of what is paid for, where billing says it; else the program counts it."`
	Trial  bool       `default:"true" negatable:"" help:"Start without the trial."`
	To     string     `placeholder:"PLAN" help:"Plan that it changes to."`
	At     string     `enum:",now,period end" default:"" placeholder:"WHEN" help:"When a cancellation (period end, when left out) or a change (now) takes effect: now, or period end."`
	Reason string     `placeholder:"TEXT" help:"Why, for the member's history."`
	keyed
}

func (planEventCmd) Help() string {
	return `Billing is done elsewhere and tells here what came of it. With --source and --external-id (the invoice's number) the same event counts once.

Examples:

    lojal plan event ext:4711 plus started --source billing --external-id sub-17
    lojal plan event ext:4711 plus paid --source billing --external-id inv-1882
    lojal plan event ext:4711 plus cancelled --at "period end"`
}

func (c *planEventCmd) Run(e *env) error {
	in := api.PlanEvent{Head: api.Head{Member: c.Member, FactKey: c.key()}, Plan: c.Plan, What: c.What, Until: c.Until, To: c.To, At: c.At, Reason: c.Reason}
	if !c.Trial {
		in.Trial = &c.Trial
	}
	return c.ask(e, func(o *door) error {
		return call(&c.asking, o, http.MethodPost, path("plan-events"), nil, in, o.happened)
	})
}
