package cli

import (
	"net/http"
	"net/url"
	"time"

	"lojal.dev/lojal/internal/api"
)

type challengeCmd struct {
	List        challengeListCmd        `cmd:"" help:"Say where a member stands in each challenge."`
	Join        challengeJoinCmd        `cmd:"" help:"Have a member take part in a challenge that asks for it."`
	Leave       challengeLeaveCmd       `cmd:"" help:"Have a member no longer take part."`
	Leaderboard challengeLeaderboardCmd `cmd:"" help:"Print who has counted most, of those who asked to be shown."`
}

type challengeListCmd struct{ ofMember }

func (challengeListCmd) Help() string {
	return `Examples:

    lojal challenge list ext:4711 --lang nb`
}

func (c *challengeListCmd) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		return list(&c.asking, o, path("members", c.Member, "challenges"), nil, 0, func(g *api.Challenge) { e.printf("%s  %s\n", g.ID, g.Text) })
	})
}

// oneChallenge is what commands on a member's part in a challenge have in common.
type oneChallenge struct {
	ofMember
	Challenge string `arg:"" help:"Id of the challenge in the program."`
}

func (c *oneChallenge) say(e *env, in api.ChallengeAsk) error {
	return c.ask(e, func(o *door) error {
		return call(&c.asking, o, http.MethodPost, path("members", c.Member, "challenges", c.Challenge), nil, in, o.happened)
	})
}

type challengeJoinCmd struct {
	oneChallenge
	Show *string `placeholder:"NAME" help:"Name under which the member wants to be in the leaderboard; empty takes the member out of it."`
}

func (challengeJoinCmd) Help() string {
	return `Examples:

    lojal challenge join ext:4711 summer-hunt --show "Kari N."`
}

func (c *challengeJoinCmd) Run(e *env) error {
	return c.say(e, api.ChallengeAsk{Join: true, Show: c.Show})
}

type challengeLeaveCmd struct{ oneChallenge }

func (challengeLeaveCmd) Help() string {
	return `Examples:

    lojal challenge leave ext:4711 summer-hunt`
}

func (c *challengeLeaveCmd) Run(e *env) error { return c.say(e, api.ChallengeAsk{Leave: true}) }

type challengeLeaderboardCmd struct {
	asking
	Challenge string     `arg:"" help:"Id of the challenge in the program."`
	At        *time.Time `placeholder:"TIME" help:"A moment in the window that is meant; now when left out."`
	Limit     int        `default:"50" placeholder:"N" help:"How many places; ${default} when left out."`
}

func (challengeLeaderboardCmd) Help() string {
	return `Examples:

    lojal challenge leaderboard summer-hunt --limit 10`
}

func (c *challengeLeaderboardCmd) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		q := url.Values{}
		if c.At != nil {
			q.Set("at", c.At.Format(time.RFC3339))
		}
		return list(&c.asking, o, path("challenges", c.Challenge, "leaderboard"), q, max(c.Limit, 1), func(p *api.Place) {
			e.printf("%4d  %-24s %12s  %s\n", p.Rank, p.Name, p.Value, p.Member)
		})
	})
}
