package cli

import (
	"net/http"

	"lojal.dev/lojal/internal/api"
)

type staffCmd struct {
	Add    staffAddCmd    `cmd:"" help:"Add somebody, and print the invitation, once."`
	List   staffListCmd   `cmd:"" help:"List who runs the program."`
	Role   staffRoleCmd   `cmd:"" help:"Change what somebody may do."`
	Invite staffInviteCmd `cmd:"" help:"Invite somebody again who lost the invitation or the password."`
	Remove staffRemoveCmd `cmd:"" help:"Take somebody off the staff."`
}

type staffAddCmd struct {
	asking
	Email string `arg:"" help:"E-mail address, by which the person signs in."`
	Name  string `required:"" placeholder:"NAME" help:"Name, shown as who did what the person does."`
	Role  string `required:"" enum:"owner,marketer,analyst,store,auditor" placeholder:"ROLE" help:"owner, marketer, analyst, store or auditor."`
}

func (staffAddCmd) Help() string {
	return `The invitation is the end of an address, /console/invitation?code=…, that lets the person choose how to sign in. It is shown this once
and is good for seven days.

Examples:

    lojal staff add kari@example.no --name "Kari Nordmann" --role owner`
}

func (c *staffAddCmd) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		body := api.NewStaff{Email: c.Email, Name: c.Name, Role: c.Role}
		return call(&c.asking, o, http.MethodPost, "/v1/staff", nil, body, o.invited)
	})
}

// invited tells of somebody and the invitation.
func (o *door) invited(s *api.Staff) {
	o.e.printf("%s  %s <%s>, %s\n", s.ID, s.Name, s.Email, s.Role)
	if s.Invitation != "" {
		o.e.printf("Send them the address of your server with this behind it, shown only now:\n/console/invitation?code=%s\n", s.Invitation)
	}
}

type staffListCmd struct{ asking }

func (staffListCmd) Help() string {
	return `Examples:

    lojal staff list`
}

func (c *staffListCmd) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		return list(&c.asking, o, "/v1/staff", nil, 0, func(s *api.Staff) {
			o.e.printf("%s  %-9s %s <%s>\n", s.ID, s.Role, s.Name, s.Email)
		})
	})
}

// oneStaff names somebody of the staff.
type oneStaff struct {
	Staff string `arg:"" help:"Id of the person, as lojal staff list shows it."`
}

type staffRoleCmd struct {
	asking
	oneStaff
	Role string `arg:"" enum:"owner,marketer,analyst,store,auditor" help:"owner, marketer, analyst, store or auditor."`
}

func (staffRoleCmd) Help() string {
	return `Examples:

    lojal staff role stf_01k9zjq3hfe1f8m6v7j0q3x5c4 analyst`
}

func (c *staffRoleCmd) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		return call(&c.asking, o, http.MethodPost, path("staff", c.Staff, "role"), nil, api.StaffRole{Role: c.Role}, o.invited)
	})
}

type staffInviteCmd struct {
	asking
	oneStaff
}

func (staffInviteCmd) Help() string {
	return `An earlier invitation ends.

Examples:

    lojal staff invite stf_01k9zjq3hfe1f8m6v7j0q3x5c4`
}

func (c *staffInviteCmd) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		return call(&c.asking, o, http.MethodPost, path("staff", c.Staff, "invite"), nil, nil, o.invited)
	})
}

type staffRemoveCmd struct {
	asking
	oneStaff
}

func (staffRemoveCmd) Help() string {
	return `Sessions end at once. What the person did stays in the books and the audit log.

Examples:

    lojal staff remove stf_01k9zjq3hfe1f8m6v7j0q3x5c4`
}

func (c *staffRemoveCmd) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		return call(&c.asking, o, http.MethodDelete, path("staff", c.Staff), nil, nil, func(s *api.Staff) {
			o.e.printf("%s <%s> is no longer on the staff.\n", s.Name, s.Email)
		})
	})
}
