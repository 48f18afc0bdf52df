package cli

import (
	"net/http"
	"strings"

	"lojal.dev/lojal/internal/api"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
)

type purchaseCmd struct {
	Make   purchaseMakeCmd   `cmd:"" help:"Record a purchase of an amount, with what is used with it."`
	Return purchaseReturnCmd `cmd:"" help:"Bring goods of a purchase back."`
}

type purchaseMakeCmd struct {
	ofMember
	Amount  string   `arg:"" help:"What it comes to, in the program's currency, before what is used with it."`
	Store   string   `placeholder:"STORE" help:"Where."`
	Code    []string `placeholder:"CODE" sep:"none" help:"A word or code of a coupon, or the code of a voucher, that is used with it. More than once for several."`
	Voucher []string `placeholder:"REDEMPTION" help:"A voucher of the member's own, by its redemption, that is used with it."`
	Benefit []string `placeholder:"BENEFIT" help:"A benefit of the member's that is used with it."`
	Receipt string   `placeholder:"SOURCE/NUMBER" help:"The till and its receipt number: the same receipt counts once."`
	keyed
}

func (purchaseMakeCmd) Help() string {
	return `What is used with a purchase is used with it or not at all: one code that cannot be used refuses the purchase. With lines, send it
to the API, or to lojal simulate to see what would come of it.

Examples:

    lojal purchase make ext:4711 400.00 --code SUMMER10 --receipt till-1/R-2001
    lojal purchase make ext:4711 120.00 --benefit member_discount`
}

func (c *purchaseMakeCmd) Run(e *env) error {
	n, err := amount(c.Amount)
	if err != nil {
		return err
	}
	in := api.Purchase{Head: api.Head{Member: c.Member, FactKey: c.key()}, Purchase: engine.Purchase{Amount: n, Store: c.Store}}
	if c.Receipt != "" {
		var ok bool
		if in.Source, in.ExternalID, ok = strings.Cut(c.Receipt, "/"); !ok {
			return errs.Malformed("usage", "Write --receipt as SOURCE/NUMBER, such as till-1/R-2001.")
		}
	}
	for _, text := range c.Code {
		in.Codes = append(in.Codes, engine.CodeUse{Code: text})
	}
	for _, id := range c.Voucher {
		in.Codes = append(in.Codes, engine.CodeUse{Redemption: id})
	}
	for _, id := range c.Benefit {
		in.Codes = append(in.Codes, engine.CodeUse{Benefit: id})
	}
	return c.ask(e, func(o *door) error {
		return call(&c.asking, o, http.MethodPost, path("purchases"), nil, in, func(r *api.Recorded) {
			o.happened(r)
			for _, u := range r.Codes {
				o.e.printf("  %s%s%s  %s off\n", u.Coupon, u.Reward, u.Benefit, u.Amount)
			}
		})
	})
}

type purchaseReturnCmd struct {
	asking
	Purchase string `arg:"" help:"Id of the purchase, pur_…, or SOURCE:NUMBER of its receipt."`
	Amount   string `placeholder:"MONEY" help:"How much comes back; all that is left when left out."`
	Reason   string `placeholder:"TEXT" help:"Why, for its history."`
	keyed
}

func (purchaseReturnCmd) Help() string {
	return `Examples:

    lojal purchase return till-1:R-2001
    lojal purchase return pur_01k9zjq3hfe1f8m6v7j0q3x5c4 --amount 59.00`
}

func (c *purchaseReturnCmd) Run(e *env) error {
	n, err := optional(c.Amount)
	if err != nil {
		return err
	}
	return c.ask(e, func(o *door) error {
		in := api.Return{FactKey: c.key(), Return: engine.Return{Amount: n, Reason: c.Reason}}
		return call(&c.asking, o, http.MethodPost, path("purchases", c.Purchase, "returns"), nil, in, o.happened)
	})
}
