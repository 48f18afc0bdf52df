package cli

import (
	"net/http"
	"strings"

	"lojal.dev/lojal/internal/api"
	"lojal.dev/lojal/internal/errs"
)

type codeCmd struct {
	Check codeCheckCmd `cmd:"" help:"Say what codes are and whether they can be used."`
}

type codeCheckCmd struct {
	asking
	Codes  []string `arg:"" name:"code" help:"Codes of gift cards, vouchers and coupons; - reads them from the standard input, one a line."`
	PIN    string   `placeholder:"PIN" help:"PIN of the code, where there is one code."`
	Member string   `placeholder:"MEMBER" help:"Who pays, for vouchers that are bound to their member."`
	Total  string   `placeholder:"AMOUNT" help:"What there is to pay: then it is told what each code takes off it."`
}

func (codeCheckCmd) Help() string {
	return `Nothing is used by asking. Many codes that are none are answered with a wait, here as over HTTP. What stands on a command line can be seen by
others of the machine: give codes that are worth something on the standard input.

Examples:

    lojal code check - < codes.txt
    lojal code check 7KXQ-2M9D-4VWT-R80HE --total 180.00 --member ext:4711`
}

func (c *codeCheckCmd) Run(e *env) error {
	in := api.CodeCheck{Member: c.Member}
	for _, text := range c.Codes {
		if text != "-" {
			in.Codes = append(in.Codes, api.PresentedCode{Code: text})
			continue
		}
		data, err := e.readInput("-")
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(data)) {
			if line = strings.TrimSpace(line); line != "" {
				in.Codes = append(in.Codes, api.PresentedCode{Code: line})
			}
		}
	}
	switch {
	case c.PIN != "" && len(in.Codes) != 1:
		return errs.Malformed("usage", "--pin goes with one code.")
	case c.PIN != "":
		in.Codes[0].PIN = c.PIN
	}
	if c.Total != "" {
		var err error
		if in.Total, err = amount(c.Total); err != nil {
			return err
		}
	}
	return c.ask(e, func(o *door) error {
		return call(&c.asking, o, http.MethodPost, path("codes", "check"), nil, in, func(a *api.CodesChecked) {
			for i := range a.Codes {
				o.code(&a.Codes[i])
			}
			if a.Total != nil {
				e.printf("Left to pay: %s\n", *a.Total)
			}
		})
	})
}

// presented gives a code that stands on the command line, or on the standard input for -.
func (e *env) presented(text string) (api.PresentedCode, error) {
	if text != "-" {
		return api.PresentedCode{Code: text}, nil
	}
	data, err := e.readInput("-")
	return api.PresentedCode{Code: strings.TrimSpace(string(data))}, err
}

// code tells what a code is.
func (o *door) code(s *api.CodeState) {
	what := ""
	switch {
	case s.GiftCard != nil:
		what = "Gift card " + s.GiftCard.ID + ", " + string(s.GiftCard.Balance) + " " + s.GiftCard.Currency
	case s.Redemption != "":
		what = "Voucher " + s.Redemption + " for " + s.Reward
	case s.Coupon != "":
		what = "Coupon " + s.Coupon
		if s.Title != "" {
			what = s.Title + " (coupon " + s.Coupon + ")"
		}
	}
	switch {
	case s.Usable && s.Amount != "":
		o.e.printf("%s: can be used, takes %s\n", what, s.Amount)
	case s.Usable:
		o.e.printf("%s: can be used\n", what)
	case what != "":
		o.e.printf("%s: cannot be used. %s\n", what, s.Message)
	default:
		o.e.printf("%s\n", s.Message)
	}
}
