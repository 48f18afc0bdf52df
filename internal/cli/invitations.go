package cli

import (
	"net/http"

	"lojal.dev/lojal/internal/api"
)

type invitationCmd struct {
	Show invitationShowCmd `cmd:"" help:"Show who invited a member, and whom the member brought."`
	Code invitationCodeCmd `cmd:"" help:"Make the code that a member hands to friends, the same each time."`
	Name invitationNameCmd `cmd:"" help:"Say afterwards who invited a member."`
}

// ofMember is what commands on one member have in common.
type ofMember struct {
	asking
	Member string `arg:"" help:"Id, or an identifier such as card:1001."`
}

func (o *door) referral(r *api.Referral) {
	if r.Code != "" {
		o.e.printf("Code %s\n", r.Code)
	}
	if r.InvitedBy != "" {
		o.e.printf("Invited by %s: %s", r.InvitedBy, r.Status)
		if r.Until != nil && r.Status == "open" {
			o.e.printf(" until %s", day(r.Until))
		}
		o.e.printf("\n")
	}
	for _, f := range r.Friends {
		o.e.printf("Brought %s: %s", f.Member, f.Status)
		for unit, n := range f.Earned {
			o.e.printf(", earned %s %s", n, unit)
		}
		if f.Refused != "" {
			o.e.printf(", nothing was given: %s", f.Refused)
		}
		o.e.printf("\n")
	}
	if r.Code == "" && r.InvitedBy == "" && len(r.Friends) == 0 {
		o.e.printf("Nobody invited this member, and the member has no code yet: `lojal invitation code MEMBER` makes one.\n")
	}
}

type invitationShowCmd struct{ ofMember }

func (invitationShowCmd) Help() string {
	return `Examples:

    lojal invitation show ext:4711`
}

func (c *invitationShowCmd) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		return call(&c.asking, o, http.MethodGet, path("members", c.Member, "referral"), nil, nil, o.referral)
	})
}

type invitationCodeCmd struct{ ofMember }

func (invitationCodeCmd) Help() string {
	return `Examples:

    lojal invitation code ext:4711`
}

func (c *invitationCodeCmd) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		return call(&c.asking, o, http.MethodPost, path("members", c.Member, "referral"), nil, nil, o.referral)
	})
}

type invitationNameCmd struct {
	ofMember
	InvitedBy string `arg:"" name:"invited-by" help:"Code of the invitation, or the member who invited: an id, or an identifier such as card:1001."`
}

func (invitationNameCmd) Help() string {
	return `For a member who enrolled without saying so and has bought nothing yet, where the program allows it.

Examples:

    lojal invitation name ext:4711 YDEANT3ATKB`
}

func (c *invitationNameCmd) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		return call(&c.asking, o, http.MethodPost, path("members", c.Member, "invitation"), nil, api.Invite{InvitedBy: c.InvitedBy}, o.happened)
	})
}
