package cli

import (
	"net/http"
	"net/url"

	"lojal.dev/lojal/internal/api"
)

type recognitionCmd struct {
	Give    recognitionGiveCmd    `cmd:"" help:"Thank a member in another one's name, out of their allowance."`
	List    recognitionListCmd    `cmd:"" help:"List what members thanked each other with, the newest first."`
	Approve recognitionApproveCmd `cmd:"" help:"Approve thanks that wait."`
	Decline recognitionDeclineCmd `cmd:"" help:"Decline thanks that wait: the allowance goes back."`
	Undo    recognitionUndoCmd    `cmd:"" help:"Take thanks back, in the time that the program gives for it."`
}

type recognitionGiveCmd struct {
	asking
	From    string `arg:"" help:"Who thanks: id, or an identifier such as card:1001."`
	To      string `arg:"" help:"Who is thanked."`
	Amount  string `arg:"" help:"How much of the allowance."`
	Value   string `placeholder:"ID" help:"What it is for, one of the program's values."`
	Message string `placeholder:"TEXT" help:"What the one who is thanked reads."`
	keyed
}

func (recognitionGiveCmd) Help() string {
	return `Examples:

    lojal recognition give ext:4711 ext:4712 20 --value helped --message "You saved my Friday"`
}

func (c *recognitionGiveCmd) Run(e *env) error {
	n, err := amount(c.Amount)
	if err != nil {
		return err
	}
	return c.ask(e, func(o *door) error {
		in := api.NewRecognition{FactKey: c.key(), From: c.From, To: c.To, Amount: *n, Value: c.Value, Message: c.Message}
		if err := call(&c.asking, o, http.MethodPost, path("recognitions"), nil, in, o.happened); err != nil {
			return err
		}
		return follow(e, o.db, o.rec, o.program)
	})
}

type recognitionListCmd struct {
	asking
	Status string `enum:"any,waiting,given,declined,lapsed,undone" default:"any" placeholder:"STATUS" help:"Only those that are waiting, given, declined, lapsed or undone."`
	Limit  int    `default:"50" placeholder:"N" help:"How many to list, ${default} when left out."`
}

func (recognitionListCmd) Help() string {
	return `Examples:

    lojal recognition list --status waiting
    lojal recognition list --limit 500 --json`
}

func (c *recognitionListCmd) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		q := url.Values{}
		if c.Status != "any" {
			q.Set("status", c.Status)
		}
		return list(&c.asking, o, path("recognitions"), q, max(c.Limit, 1), func(r *api.Recognition) {
			e.printf("%s  %s  %s → %s  %s %s", r.ID, day(&r.At), r.From, r.To, r.Amount, r.Unit)
			if r.For != "" {
				e.printf("  %s", r.For)
			}
			e.printf("  %s\n", r.Status)
			if r.Message != "" {
				e.printf("    %s\n", r.Message)
			}
		})
	})
}

// recognitionStep is what the later steps share.
type recognitionStep struct {
	asking
	ID string `arg:"" name:"recognition" help:"Id (rec_…) of what was given, as list shows it."`
}

func (c *recognitionStep) do(e *env, step, reason string) error {
	return c.ask(e, func(o *door) error {
		if err := call(&c.asking, o, http.MethodPost, path("recognitions", c.ID, step), nil, api.Because{Reason: reason}, o.happened); err != nil {
			return err
		}
		return follow(e, o.db, o.rec, o.program)
	})
}

type recognitionApproveCmd struct{ recognitionStep }

func (c *recognitionApproveCmd) Run(e *env) error { return c.do(e, "approve", "") }

func (recognitionApproveCmd) Help() string {
	return `What was given arrives at once.

Examples:

    lojal recognition approve rec_01k9zjq3hfe1f8m6v7j0q3x5c4`
}

type recognitionDeclineCmd struct {
	recognitionStep
	Reason string `placeholder:"TEXT" help:"Why. It is kept with the fact."`
}

func (c *recognitionDeclineCmd) Run(e *env) error { return c.do(e, "decline", c.Reason) }

func (recognitionDeclineCmd) Help() string {
	return `The allowance goes back to where it came from; what has ended meanwhile is gone.

Examples:

    lojal recognition decline rec_01k9zjq3hfe1f8m6v7j0q3x5c4 --reason "Given for one's own project"`
}

type recognitionUndoCmd struct{ recognitionStep }

func (c *recognitionUndoCmd) Run(e *env) error { return c.do(e, "undo", "") }

func (recognitionUndoCmd) Help() string {
	return `Examples:

    lojal recognition undo rec_01k9zjq3hfe1f8m6v7j0q3x5c4`
}
