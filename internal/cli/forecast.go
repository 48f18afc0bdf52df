package cli

import (
	"fmt"
	"slices"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/explain"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/version"
)

type memberForecastCmd struct {
	jsonFlag
	Ref   string `arg:"" name:"member" help:"Id (mem_…), or KIND:VALUE such as card:1001, phone:+4790000000, email:kari@example.org, ext:4711."`
	Until string `placeholder:"DATE" help:"How far to look: a date such as 2027-07-01, or a time with offset. A year when left out, five at most."`
	Lang  string `default:"en" enum:"nb,sv,da,en" placeholder:"LANG" help:"Language of the sentences: nb, sv, da or en (the default)."`
	For   string `default:"staff" enum:"staff,member" placeholder:"WHO" help:"Who reads it: staff (the default) or member."`
	inProgram
}

func (memberForecastCmd) Help() string {
	return `Growth, gifts of the calendar, what is released and what ends are decided as they will be, and not kept. A date is its first moment in
the program's zone. Progress towards rebates stands at the end.

Examples:

    lojal member forecast card:1001 --until 2027-07-01
    lojal member forecast mem_01k8zv… --lang nb --for member`
}

// foreseen is a forecast as JSON.
type foreseen struct {
	Member  string            `json:"member"`
	From    time.Time         `json:"from"`
	Until   time.Time         `json:"until"`
	Units   map[string]willBe `json:"units"`
	Changes []foreseenChange  `json:"changes"`
	Targets []foreseenTarget  `json:"targets"`
}

type willBe struct {
	Now      string `json:"now"`
	Then     string `json:"then"`
	Sentence string `json:"sentence"`
}

type foreseenChange struct {
	At      time.Time `json:"at"`
	Unit    string    `json:"unit"`
	Kind    string    `json:"kind"`
	Rule    string    `json:"rule,omitempty"`
	Amount  string    `json:"amount"`
	Balance string    `json:"balance"`
	// Sentence is the change in words.
	Sentence string `json:"sentence"`
}

type foreseenTarget struct {
	Rule     string    `json:"rule"`
	Period   string    `json:"period"`
	Until    time.Time `json:"until"`
	Bought   string    `json:"bought"`
	Gives    string    `json:"gives"`
	Missing  string    `json:"missing,omitempty"`
	Sentence string    `json:"sentence"`
}

func (c *memberForecastCmd) Run(e *env) error { return c.on(e, c.run) }

func (c *memberForecastCmd) run(e *env, d *db.DB, id string) error {
	var versions version.Cache
	r := record.New(d, &versions)
	defer r.Close()
	now := e.now()
	targets, acc, p, err := r.Targets(e.ctx, id, c.Ref, now)
	if err != nil {
		return memberHint(err, c.Ref)
	}
	until, err := c.until(now, p)
	if err != nil {
		return err
	}
	o, _, then, err := r.Forecast(e.ctx, id, acc.Member, now, until)
	if err != nil {
		return err
	}
	f := foreseen{Member: acc.Member, From: now, Until: until, Units: map[string]willBe{}, Changes: []foreseenChange{}, Targets: []foreseenTarget{}}
	for unit := range o.Then {
		f.Units[unit] = willBe{unitAmount(then, unit, o.Now[unit]), unitAmount(then, unit, o.Then[unit]), explain.Statement(o.Says(unit, until), then, c.Lang, c.For == "member")}
	}
	for i := range o.Changes {
		ch := &o.Changes[i]
		f.Changes = append(f.Changes, foreseenChange{ch.At, ch.Unit, ch.Kind, ch.Rule, unitAmount(then, ch.Unit, ch.Amount), unitAmount(then, ch.Unit, ch.Balance), explain.Change(ch, then, c.Lang)})
	}
	for i := range targets {
		f.Targets = append(f.Targets, c.target(p, &targets[i]))
	}
	if c.JSON {
		return e.json(f)
	}
	c.print(e, then, &f)
	return nil
}

func (c *memberForecastCmd) until(now time.Time, p *program.Compiled) (time.Time, error) {
	if c.Until == "" {
		return now.AddDate(1, 0, 0), nil
	}
	if t, err := time.Parse(time.RFC3339, c.Until); err == nil {
		return t, nil
	}
	t, err := time.ParseInLocation(time.DateOnly, c.Until, p.Zone)
	if err != nil {
		return t, errs.Invalid("invalid_time", fmt.Sprintf("%q is neither a date such as 2027-07-01 nor a time with offset.", c.Until))
	}
	return t, nil
}

func (c *memberForecastCmd) target(p *program.Compiled, t *engine.Target) foreseenTarget {
	out := foreseenTarget{Rule: t.Rule, Period: t.Period, Until: t.Until, Bought: money.Format(t.Bought, p.Exponent), Gives: unitAmount(p, t.Unit, t.Gives),
		Sentence: explain.Statement(t.Says(), p, c.Lang, c.For == "member")}
	if t.Missing > 0 {
		out.Missing = money.Format(t.Missing, p.Exponent)
	}
	return out
}

func (c *memberForecastCmd) print(e *env, p *program.Compiled, f *foreseen) {
	units := make([]string, 0, len(f.Units))
	for unit := range f.Units {
		units = append(units, unit)
	}
	slices.Sort(units)
	for _, unit := range units {
		e.printf("%s\n", f.Units[unit].Sentence)
	}
	for i := range f.Changes {
		ch := &f.Changes[i]
		e.printf("    %s  %s\n", explain.From(p, ch.At, c.Lang), ch.Sentence)
	}
	for i := range f.Targets {
		e.printf("%s\n", f.Targets[i].Sentence)
	}
}
