package cli

import (
	"net/http"
	"time"

	"lojal.dev/lojal/internal/api"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
)

type adjustmentCmd struct {
	Make    adjustmentMakeCmd    `cmd:"" help:"Change a balance by hand."`
	Reverse adjustmentReverseCmd `cmd:"" help:"Undo an adjustment, once."`
}

type adjustmentMakeCmd struct {
	ofMember
	Unit         string     `arg:"" help:"Unit, by its id in the program."`
	Amount       string     `arg:"" optional:"" help:"How much more, such as 25, or less: -- -25."`
	To           string     `placeholder:"AMOUNT" help:"Set the balance to this, in place of an amount."`
	Reason       string     `required:"" placeholder:"TEXT" help:"Why. The member can read it."`
	ExpiresAt    *time.Time `name:"expires-at" placeholder:"TIME" help:"When what is added ends, in place of the unit's rule."`
	NeverExpires bool       `name:"never-expires" help:"What is added does not end."`
	AllowDebt    bool       `name:"allow-debt" help:"Let less go below zero."`
	keyed
}

func (adjustmentMakeCmd) Help() string {
	return `Examples:

    lojal adjustment make ext:4711 star 25 --reason "Waited too long"
    lojal adjustment make ext:4711 star --to 100 --reason "As on the old card"
    lojal adjustment make --reason "Given by mistake" ext:4711 star -- -25`
}

func (c *adjustmentMakeCmd) Run(e *env) error {
	if (c.Amount == "") == (c.To == "") {
		return errs.Malformed("usage", "Give an amount, or --to.")
	}
	more, err := optional(c.Amount)
	if err != nil {
		return err
	}
	to, err := optional(c.To)
	if err != nil {
		return err
	}
	return c.ask(e, func(o *door) error {
		in := api.Adjustment{Head: api.Head{Member: c.Member, FactKey: c.key()}, Adjustment: engine.Adjustment{Unit: c.Unit, Amount: more, To: to, Reason: c.Reason,
			ExpiresAt: c.ExpiresAt, NeverExpires: c.NeverExpires, AllowDebt: c.AllowDebt}}
		return call(&c.asking, o, http.MethodPost, path("adjustments"), nil, in, o.happened)
	})
}

// reversal is what undoing an adjustment and a transfer have in common.
type reversal struct {
	asking
	Reason string `placeholder:"TEXT" help:"Why, for its history."`
	Force  bool   `help:"Undo it even where the points are spent: what is missing becomes a debt."`
}

func (c *reversal) do(e *env, what, id string) error {
	return c.ask(e, func(o *door) error {
		return call(&c.asking, o, http.MethodPost, path(what, id, "reverse"), nil, api.Reversal{Reason: c.Reason, Force: c.Force}, o.happened)
	})
}

type adjustmentReverseCmd struct {
	ID string `arg:"" name:"adjustment" help:"Id of the adjustment, adj_…."`
	reversal
}

func (adjustmentReverseCmd) Help() string {
	return `Examples:

    lojal adjustment reverse adj_01k9zjq3hfe1f8m6v7j0q3x5c4 --reason "Given by mistake"`
}

func (c *adjustmentReverseCmd) Run(e *env) error { return c.do(e, "adjustments", c.ID) }

type transferCmd struct {
	Make    transferMakeCmd    `cmd:"" help:"Move points from one member to another."`
	Reverse transferReverseCmd `cmd:"" help:"Undo a transfer, once."`
}

type transferMakeCmd struct {
	asking
	From    string `arg:"" help:"Who gives: an id, or an identifier such as card:1001."`
	To      string `arg:"" help:"Who receives."`
	Unit    string `arg:"" help:"Unit, by its id in the program."`
	Amount  string `arg:"" help:"How much."`
	Message string `placeholder:"TEXT" help:"A few words to who receives."`
	keyed
}

func (transferMakeCmd) Help() string {
	return `Points keep their ends. The program says which units may be given, and how much.

Examples:

    lojal transfer make ext:4711 ext:4712 star 50 --message "For coffee"`
}

func (c *transferMakeCmd) Run(e *env) error {
	n, err := amount(c.Amount)
	if err != nil {
		return err
	}
	return c.ask(e, func(o *door) error {
		in := api.Transfer{From: c.From, To: c.To, Unit: c.Unit, Amount: *n, Message: c.Message, FactKey: c.key()}
		return call(&c.asking, o, http.MethodPost, path("transfers"), nil, in, o.happened)
	})
}

type transferReverseCmd struct {
	ID string `arg:"" name:"transfer" help:"Id of the transfer, trf_…."`
	reversal
}

func (transferReverseCmd) Help() string {
	return `Examples:

    lojal transfer reverse trf_01k9zjq3hfe1f8m6v7j0q3x5c4`
}

func (c *transferReverseCmd) Run(e *env) error { return c.do(e, "transfers", c.ID) }

type benefitCmd struct {
	Use  benefitUseCmd  `cmd:"" help:"Record that a member used a benefit."`
	Undo benefitUndoCmd `cmd:"" help:"Take a use of a benefit back."`
}

type benefitUseCmd struct {
	ofMember
	Benefit string `arg:"" help:"Id of the benefit in the program."`
	Store   string `placeholder:"STORE" help:"Where."`
	keyed
}

func (benefitUseCmd) Help() string {
	return `For benefits that may be used a limited number of times. Which ones a member may have is told by: lojal member benefits

Examples:

    lojal benefit use ext:4711 free_refill --store oslo-1 --source till-1 --external-id U-1`
}

func (c *benefitUseCmd) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		in := api.BenefitUse{Store: c.Store, FactKey: c.key()}
		return call(&c.asking, o, http.MethodPost, path("members", c.Member, "benefits", c.Benefit, "uses"), nil, in, o.happened)
	})
}

type benefitUndoCmd struct {
	asking
	Use    string `arg:"" help:"Id of the use, as lojal benefit use prints it."`
	Reason string `placeholder:"TEXT" help:"Why, for its history."`
	keyed
}

func (benefitUndoCmd) Help() string {
	return `What its limits counted is free, and what was given or passed on can be used again unless it has ended.

Examples:

    lojal benefit undo fct_01k9zjq3hfe1f8m6v7j0q3x5c4 --reason "The visit was called off"`
}

func (c *benefitUndoCmd) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		return call(&c.asking, o, http.MethodPost, path("benefits", "uses", c.Use, "undo"), nil, api.BenefitUndo{FactKey: c.key(), Reason: c.Reason}, o.happened)
	})
}
