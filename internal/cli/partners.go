package cli

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"lojal.dev/lojal/internal/api"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/money"
)

type partnerCmd struct {
	List      partnerListCmd      `cmd:"" help:"List the partners, with what is agreed with each."`
	Show      partnerShowCmd      `cmd:"" help:"Show a partner, and what is left of what it paid ahead."`
	Pay       partnerPayCmd       `cmd:"" help:"Note a payment of a partner, or one to it."`
	Statement partnerStatementCmd `cmd:"" help:"Print a month's statement: in words, as CSV, PDF or JSON."`
}

// partner tells what is agreed with one.
func (o *door) partner(v *api.PartnerView) {
	o.e.printf("%s  %s, pays %s", v.ID, v.Name, v.Pays)
	if v.Credit != nil {
		o.e.printf(", %s %s left", v.Credit, v.Currency)
	}
	o.e.printf("\n")
	for _, part := range []struct {
		word   string
		prices map[string]money.Decimal
	}{{"awards", v.Awards}, {"accepts", v.Accepts}} {
		var all []string
		for unit, price := range part.prices {
			all = append(all, unit+" at "+price.String()+" "+v.Currency)
		}
		if slices.Sort(all); len(all) > 0 {
			o.e.printf("  %s %s\n", part.word, strings.Join(all, ", "))
		}
	}
	if len(v.Benefits) > 0 {
		o.e.printf("  gives %s\n", strings.Join(v.Benefits, ", "))
	}
}

type partnerListCmd struct{ asking }

func (partnerListCmd) Help() string {
	return `Examples:

    lojal partner list`
}

func (c *partnerListCmd) Run(e *env) error {
	return c.ask(e, func(o *door) error { return list(&c.asking, o, path("partners"), nil, 0, o.partner) })
}

type partnerShowCmd struct {
	asking
	Partner string `arg:"" help:"Id of the partner in the program."`
}

func (partnerShowCmd) Help() string {
	return `Examples:

    lojal partner show hotel`
}

func (c *partnerShowCmd) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		return call(&c.asking, o, http.MethodGet, path("partners", c.Partner), nil, nil, o.partner)
	})
}

type partnerPayCmd struct {
	asking
	Partner   string     `arg:"" help:"Id of the partner in the program."`
	Amount    string     `arg:"" help:"What it paid, in the program's currency; below zero for what was paid to it (after --)."`
	Reference string     `required:"" placeholder:"TEXT" help:"Which payment it is: the same again counts once."`
	PaidAt    *time.Time `name:"paid-at" placeholder:"TIME" help:"When; now when left out."`
	Note      string     `placeholder:"TEXT" help:"What else to know of it."`
}

func (partnerPayCmd) Help() string {
	return `Examples:

    lojal partner pay hotel 500.00 --reference bank-2026-0147
    lojal partner pay --reference bank-2026-0148 -- hotel -120.00`
}

func (c *partnerPayCmd) Run(e *env) error {
	n, err := amount(c.Amount)
	if err != nil {
		return err
	}
	return c.ask(e, func(o *door) error {
		in := api.NewPayment{Reference: c.Reference, Amount: *n, PaidAt: c.PaidAt, Note: c.Note}
		return call(&c.asking, o, http.MethodPost, path("partners", c.Partner, "settlements"), nil, in, func(p *api.PartnerPayment) {
			e.printf("Noted: %s, %s, paid %s.\n", p.Reference, p.Amount, day(&p.PaidAt))
		})
	})
}

type partnerStatementCmd struct {
	asking
	Partner string `arg:"" help:"Id of the partner in the program."`
	Month   string `arg:"" help:"Month, such as 2026-11."`
	CSV     bool   `name:"csv" help:"Print a row for each award, payment and undoing."`
	PDF     bool   `name:"pdf" help:"Write the statement as PDF."`
	Output  string `short:"o" placeholder:"FILE" help:"File for --csv or --pdf; the standard output when left out."`
}

func (partnerStatementCmd) Help() string {
	return `It adds up to the postings with the partner's account. A month that is over does not change: what comes late is billed in the month in which it is
recorded.

Examples:

    lojal partner statement hotel 2026-11 --lang nb
    lojal partner statement hotel 2026-11 --pdf --lang nb --output hotel-2026-11.pdf
    lojal partner statement hotel 2026-11 --csv > hotel.csv`
}

func (c *partnerStatementCmd) Run(e *env) error {
	if count(c.CSV, c.PDF, c.JSON) > 1 {
		return errs.Malformed("usage", "--csv, --pdf and --json do not go together: give one of them.")
	}
	if c.Output != "" && !c.CSV && !c.PDF {
		return errs.Malformed("usage", "--output goes with --csv or --pdf.")
	}
	return c.ask(e, func(o *door) error {
		at := path("partners", c.Partner, "statements", c.Month)
		if !c.CSV && !c.PDF {
			return call(&c.asking, o, http.MethodGet, at, nil, nil, o.statement)
		}
		form := "/csv"
		if c.PDF {
			form = "/pdf"
		}
		data, err := o.send(http.MethodGet, at+form, url.Values{"lang": {c.Lang}}, nil)
		if err != nil {
			return err
		}
		return e.written(c.Output, data)
	})
}

// statement tells a month in a few lines.
func (o *door) statement(s *api.Statement) { o.e.printf("%s", s.Text) }
