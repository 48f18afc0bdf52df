package cli

import (
	"fmt"
	"strings"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/explain"
	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/version"
)

type memberBenefitsCmd struct {
	jsonFlag
	Ref     string `arg:"" name:"member" help:"Id (mem_…), or KIND:VALUE such as card:1001, phone:+4790000000, email:kari@example.org, ext:4711."`
	Benefit string `arg:"" optional:"" help:"Only this one."`
	Lang    string `default:"en" enum:"nb,sv,da,en" placeholder:"LANG" help:"Language of the sentences: nb, sv, da or en (the default)."`
	For     string `default:"staff" enum:"staff,member" placeholder:"WHO" help:"Who reads it: staff (the default) or member."`
	inProgram
}

func (memberBenefitsCmd) Help() string {
	return `Says of each benefit whether the member may have it now, what it is worth, until when, and what is missing to those that the member may not have.

Examples:

    lojal member benefits card:1001
    lojal member benefits ext:4711 free_delivery --lang nb --for member`
}

// shownBenefit is a benefit of a member as JSON.
type shownBenefit struct {
	Benefit   string     `json:"benefit"`
	Title     string     `json:"title"`
	Available bool       `json:"available"`
	Reason    string     `json:"reason,omitempty"`
	Why       []string   `json:"why,omitempty"`
	Value     string     `json:"value,omitempty"`
	From      *time.Time `json:"from,omitempty"`
	Until     *time.Time `json:"until,omitempty"`
	Left      *int64     `json:"left,omitempty"`
	// Tiers (as SET/TIER) and Plans are those of the member that bring it.
	Tiers   []string   `json:"tiers,omitempty"`
	Plans   []string   `json:"plans,omitempty"`
	FallsAt *time.Time `json:"falls_at,omitempty"`
	FallsTo string     `json:"falls_to,omitempty"`
}

func (c *memberBenefitsCmd) Run(e *env) error { return c.on(e, c.run) }

func (c *memberBenefitsCmd) run(e *env, d *db.DB, id string) error {
	r := record.New(d, new(version.Cache))
	defer r.Close()
	list, _, p, err := r.Benefits(e.ctx, id, c.Ref, c.Benefit, nil, e.now())
	if err != nil {
		return memberHint(err, c.Ref)
	}
	if c.Benefit != "" && len(list) == 0 {
		return noSuchBenefit(p, c.Benefit)
	}
	shown := make([]shownBenefit, len(list))
	for i := range list {
		shown[i] = c.shown(&list[i], p)
	}
	if c.JSON {
		return e.json(shown)
	}
	for _, s := range shown {
		c.print(e, &s, p)
	}
	if len(shown) == 0 {
		e.printf("%s\n", explain.Say(c.Lang, explain.LabelNone))
	}
	return nil
}

func (c *memberBenefitsCmd) shown(s *engine.Standing, p *program.Compiled) shownBenefit {
	out := shownBenefit{Benefit: s.Benefit.ID, Title: explain.Benefit(p, s.Benefit.ID, c.Lang), Available: s.Can, Reason: s.Reason,
		Value: explain.Worth(p, s.Worth, c.Lang), From: s.From, Until: s.Until, Left: s.Left, Tiers: s.Tiers, Plans: s.Plans}
	if !s.Can {
		out.Why = explain.Standing(s.Why, p, c.Lang, c.For == "member")
	}
	if s.Fades != nil {
		out.FallsAt = &s.Fades.At
		if !s.Fades.Ends {
			out.FallsTo = explain.Worth(p, s.Fades.To, c.Lang)
		}
	}
	return out
}

func (c *memberBenefitsCmd) print(e *env, s *shownBenefit, p *program.Compiled) {
	say := func(l explain.Label, values ...any) string { return explain.Say(c.Lang, l, values...) }
	at := func(t time.Time) string { return explain.From(p, t, c.Lang) }
	parts := []string{say(explain.LabelNo)}
	if s.Available {
		parts[0] = say(explain.LabelYes)
	}
	if s.Value != "" {
		parts = append(parts, s.Value)
	}
	if s.Available && s.Left != nil {
		parts = append(parts, say(explain.LabelLeft, lang.Number(c.Lang, money.New(*s.Left, 0))+" ×"))
	}
	if s.Available {
		var by []string
		for _, tier := range s.Tiers {
			by = append(by, explain.Tier(p, tier, c.Lang))
		}
		for _, plan := range s.Plans {
			by = append(by, explain.Plan(p, plan, c.Lang))
		}
		if len(by) > 0 {
			parts = append(parts, say(explain.LabelBroughtBy, lang.And(c.Lang, by)))
		}
	}
	switch {
	case s.Available && s.Until != nil:
		parts = append(parts, explain.Upto(p, *s.Until, c.Lang))
	case !s.Available && s.From != nil:
		parts = append(parts, say(explain.LabelFrom, at(*s.From)))
	}
	if s.Available && s.FallsAt != nil {
		if s.FallsTo != "" {
			parts = append(parts, say(explain.LabelFallsTo, s.FallsTo, at(*s.FallsAt)))
		} else {
			parts = append(parts, say(explain.LabelEnds, at(*s.FallsAt)))
		}
	}
	e.printf("%-28s %s\n", s.Title, strings.Join(parts, ", "))
	for _, why := range s.Why {
		e.printf("%-28s   %s\n", "", why)
	}
}

func noSuchBenefit(p *program.Compiled, id string) error {
	known := make([]string, len(p.Benefits))
	for i, b := range p.Benefits {
		known[i] = b.ID
	}
	if len(known) == 0 {
		return errs.NotFound("benefit_not_found", "The program has no benefits.")
	}
	return errs.NotFound("benefit_not_found", fmt.Sprintf("There is no benefit %s in this program. The benefits are: %s.", id, strings.Join(known, ", ")))
}
