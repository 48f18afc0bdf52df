package cli

import (
	"time"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/explain"
	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/version"
)

type recognitionCmd struct {
	List    recognitionListCmd    `cmd:"" help:"List what members thanked each other with, the newest first."`
	Approve recognitionApproveCmd `cmd:"" help:"Approve thanks that wait."`
	Decline recognitionDeclineCmd `cmd:"" help:"Decline thanks that wait: the allowance goes back."`
}

type recognitionListCmd struct {
	jsonFlag
	Status string `enum:"any,waiting,given,declined,lapsed,undone" default:"any" placeholder:"STATUS" help:"Only those that are waiting, given, declined, lapsed or undone."`
	Limit  int    `default:"50" placeholder:"N" help:"How many to look at, ${default} when left out."`
	Lang   string `default:"en" enum:"nb,sv,da,en" placeholder:"LANG" help:"Language of the names: nb, sv, da or en (the default)."`
	inProgram
}

func (recognitionListCmd) Help() string {
	return `Examples:

    lojal recognition list --status waiting
    lojal recognition list --limit 500 --json`
}

// shownRecognition is a member's thanks as JSON.
type shownRecognition struct {
	ID      string     `json:"id"`
	From    string     `json:"from"`
	To      string     `json:"to"`
	Amount  string     `json:"amount"`
	Value   string     `json:"value,omitempty"`
	Message string     `json:"message,omitempty"`
	Status  string     `json:"status"`
	At      time.Time  `json:"at"`
	Until   *time.Time `json:"until,omitempty"`
}

func (c *recognitionListCmd) Run(e *env) error { return c.on(e, c.run) }

func (c *recognitionListCmd) run(e *env, d *db.DB, id string) error {
	var list []record.Recognized
	var p *program.Compiled
	err := d.Read(e.ctx, func(tx *db.Tx) error {
		set, err := new(version.Cache).Get(e.ctx, tx, id)
		if err != nil {
			return err
		}
		p = set.Latest()
		entries, err := books.Recognitions(e.ctx, tx, id, time.Time{}, "", max(c.Limit, 1))
		if err != nil {
			return err
		}
		list, err = record.RecognitionsOf(e.ctx, tx, id, entries)
		return err
	})
	if err != nil {
		return err
	}
	shown := []shownRecognition{}
	for i := range list {
		if r := &list[i]; c.Status == "any" || r.Status == c.Status {
			shown = append(shown, c.shown(r, p))
		}
	}
	if c.JSON {
		return e.json(shown)
	}
	for _, s := range shown {
		e.printf("%s  %s  %s → %s  %s", s.ID, lang.DateTime(c.Lang, s.At, p.Zone), s.From, s.To, s.Amount)
		if s.Value != "" {
			e.printf("  %s", s.Value)
		}
		e.printf("  %s\n", s.Status)
		if s.Message != "" {
			e.printf("    %s\n", s.Message)
		}
	}
	if len(shown) == 0 {
		e.printf("There is none.\n")
	}
	return nil
}

func (c *recognitionListCmd) shown(r *record.Recognized, p *program.Compiled) shownRecognition {
	b := r.Fact.Recognition
	out := shownRecognition{ID: r.Fact.ID, From: r.Fact.Member, To: b.To, Message: b.Message, Status: r.Status, At: r.Fact.OccurredAt, Until: r.Until}
	if b.Value != "" {
		out.Value = explain.Praise(p, b.Value, c.Lang)
	}
	for _, n := range r.Decision.Explanation.Notes {
		if v := n.Args["amount"]; v.Unit != "" && out.Amount == "" {
			out.Amount = explain.Amount(p, v.Unit, v.Amount, c.Lang)
		}
	}
	return out
}

// recognitionStep is what approving and declining share.
type recognitionStep struct {
	ID string `arg:"" name:"recognition" help:"Id (rec_…) of what was given, as list shows it."`
	inProgram
}

func (c *recognitionStep) do(e *env, do, reason string) error {
	return c.on(e, func(e *env, d *db.DB, id string) error {
		r := record.New(d, new(version.Cache))
		defer r.Close()
		now := e.now()
		res, err := r.Record(e.ctx, record.Request{Program: id, Now: now, Actor: "cli",
			Fact: engine.Fact{Kind: engine.RecognitionK, Parent: c.ID, Recognition: &engine.RecognitionBody{Do: do, Reason: reason}}})
		if err != nil {
			return err
		}
		for _, s := range explain.Sentences(&res.Decision.Explanation, res.Program, lang.English, false) {
			e.printf("%s\n", s.Text)
		}
		return follow(e, d, r, id)
	})
}

type recognitionApproveCmd struct{ recognitionStep }

func (c *recognitionApproveCmd) Run(e *env) error { return c.do(e, engine.RecognitionApprove, "") }

type recognitionDeclineCmd struct {
	recognitionStep
	Reason string `placeholder:"TEXT" help:"Why. It is kept with the fact."`
}

func (c *recognitionDeclineCmd) Run(e *env) error {
	return c.do(e, engine.RecognitionDecline, c.Reason)
}

func (recognitionApproveCmd) Help() string {
	return `What was given arrives at once.

Examples:

    lojal recognition approve rec_01k9zjq3hfe1f8m6v7j0q3x5c4`
}

func (recognitionDeclineCmd) Help() string {
	return `The allowance goes back to where it came from; what has ended meanwhile is gone.

Examples:

    lojal recognition decline rec_01k9zjq3hfe1f8m6v7j0q3x5c4 --reason "Given for one's own project"`
}
