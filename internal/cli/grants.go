package cli

import (
	"net/http"
	"strconv"
	"time"

	"lojal.dev/lojal/internal/api"
)

type grantCmd struct {
	List     grantListCmd     `cmd:"" help:"List what a member may have and did not pay for: won, given, not used up."`
	Give     grantGiveCmd     `cmd:"" help:"Give a member a reward by hand."`
	TakeBack grantTakeBackCmd `cmd:"" name:"take-back" help:"Take a grant back."`
}

type grantListCmd struct {
	asking
	Member string `arg:"" help:"Id, or an identifier such as card:1001."`
}

func (grantListCmd) Help() string {
	return `Examples:

    lojal grant list ext:4711`
}

func (c *grantListCmd) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		return list(&c.asking, o, path("members", c.Member, "grants"), nil, 0, func(g *api.Granted) {
			what := g.Title
			if what == "" {
				what = g.Reward + g.Benefit
			}
			e.printf("%d  %s, %s, by %s", g.Grant, what, g.Status, g.Source)
			if g.Left != nil {
				e.printf(", %d × left", *g.Left)
			}
			if g.WaitsUntil != nil {
				e.printf(", from %s", day(g.WaitsUntil))
			}
			if g.EndsAt != nil {
				e.printf(", until %s", day(g.EndsAt))
			}
			e.printf("\n")
		})
	})
}

type grantGiveCmd struct {
	asking
	Member     string     `arg:"" help:"Id, or an identifier such as card:1001."`
	Reward     string     `arg:"" optional:"" help:"Id of the reward in the program, unless a benefit is given."`
	Benefit    string     `placeholder:"ID" help:"Id of the benefit that is given, in place of a reward."`
	Uses       int64      `placeholder:"N" help:"How often it may be used; once when left out."`
	WaitsUntil *time.Time `name:"waits-until" placeholder:"TIME" help:"From when it may be used; at once when left out."`
	EndsAt     *time.Time `name:"ends-at" placeholder:"TIME" help:"Its end; none when left out."`
	Reason     string     `required:"" placeholder:"TEXT" help:"Why; it stands in the member's history."`
	keyed
}

func (grantGiveCmd) Help() string {
	return `Examples:

    lojal grant give ext:4711 coffee --uses 2 --ends-at 2027-12-31T23:59:59+01:00 --reason "The machine was broken"
    lojal grant give ext:4711 --benefit lounge --reason "A long wait"`
}

func (c *grantGiveCmd) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		in := api.GrantNew{FactKey: c.key(), Reward: c.Reward, Benefit: c.Benefit, Uses: c.Uses, WaitsUntil: c.WaitsUntil, EndsAt: c.EndsAt, Reason: c.Reason}
		return call(&c.asking, o, http.MethodPost, path("members", c.Member, "grants"), nil, in, o.happened)
	})
}

type grantTakeBackCmd struct {
	asking
	Member string `arg:"" help:"Id, or an identifier such as card:1001."`
	Grant  int64  `arg:"" help:"Number of the grant, as lojal grant list shows it."`
	Reason string `required:"" placeholder:"TEXT" help:"Why; it stands in the member's history."`
}

func (grantTakeBackCmd) Help() string {
	return `Examples:

    lojal grant take-back ext:4711 1 --reason "Given by mistake"`
}

func (c *grantTakeBackCmd) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		return call(&c.asking, o, http.MethodPost, path("members", c.Member, "grants", strconv.FormatInt(c.Grant, 10), "take-back"), nil, api.Because{Reason: c.Reason}, o.happened)
	})
}
