package cli

import (
	"fmt"
	"net/http"

	"lojal.dev/lojal/internal/api"
)

type shareCmd struct {
	Make   shareMakeCmd   `cmd:"" help:"Make a code with which a friend claims what a member passes on, and print it, once."`
	List   shareListCmd   `cmd:"" help:"List what a member passed on and nobody has claimed."`
	Claim  shareClaimCmd  `cmd:"" help:"Give a member what a friend passed on."`
	Cancel shareCancelCmd `cmd:"" help:"Call off what was passed on and nobody has claimed."`
}

// passed tells what was passed on.
func (o *door) passed(p *api.Passed) {
	o.e.printf("%s  %s (%s), from %s", p.ID, p.Title, p.Share, p.From)
	if p.To != "" {
		o.e.printf(", claimed by %s", p.To)
	}
	if p.Until != nil {
		o.e.printf(", to be claimed until %s", day(p.Until))
	}
	o.e.printf("\n")
	o.opened(p.Code, "")
}

type shareMakeCmd struct {
	ofMember
	Share string `arg:"" help:"Id of what is passed on, in the program."`
	keyed
}

func (shareMakeCmd) Help() string {
	return `Within the limits that the program gives.

Examples:

    lojal share make ext:4711 friend20`
}

func (c *shareMakeCmd) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		return call(&c.asking, o, http.MethodPost, path("members", c.Member, "shares"), nil, api.PassOn{FactKey: c.key(), Share: c.Share}, o.passed)
	})
}

type shareListCmd struct{ ofMember }

func (shareListCmd) Help() string {
	return `Examples:

    lojal share list ext:4711`
}

func (c *shareListCmd) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		return list(&c.asking, o, path("members", c.Member, "shares"), nil, 0, o.passed)
	})
}

type shareClaimCmd struct {
	asking
	Code   string `arg:"" help:"Code that the friend was given; - reads it from the standard input."`
	Member string `arg:"" help:"Who claims it: an id, or an identifier such as card:1001."`
	keyed
}

func (shareClaimCmd) Help() string {
	return `The member has it as a grant (lojal grant list) at once, or, beside other work on the database, as soon as a server comes to it.

Examples:

    lojal share claim 7KXQ-2M9D-4VWT-R80HE ext:4712`
}

func (c *shareClaimCmd) Run(e *env) error {
	code, err := e.presented(c.Code)
	if err != nil {
		return err
	}
	return c.ask(e, func(o *door) error {
		in := api.ShareClaim{FactKey: c.key(), PresentedCode: code, Member: c.Member}
		if err := call(&c.asking, o, http.MethodPost, path("shares", "claim"), nil, in, o.passed); err != nil {
			return err
		}
		if err := follow(o.e, o.db, o.rec, o.program); err != nil {
			return fmt.Errorf("let it arrive: %w", err)
		}
		return nil
	})
}

type shareCancelCmd struct {
	asking
	Share string `arg:"" help:"Id of what was passed on, shr_…, as lojal share list shows it."`
}

func (shareCancelCmd) Help() string {
	return `Examples:

    lojal share cancel shr_01k9zjq3hfe1f8m6v7j0q3x5c4`
}

func (c *shareCancelCmd) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		return call(&c.asking, o, http.MethodPost, path("shares", c.Share, "void"), nil, nil, o.happened)
	})
}
