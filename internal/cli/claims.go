package cli

import (
	"encoding/json"
	"net/http"

	"lojal.dev/lojal/internal/api"
)

type claimCmd struct {
	Keep    claimKeepCmd    `cmd:"" help:"Keep a purchase for a member who comes later, and print the code for its receipt, once."`
	Receipt claimReceiptCmd `cmd:"" help:"Record the purchase of a receipt's code for a member."`
	Linked  claimLinkedCmd  `cmd:"" help:"Record what waits for a member's identifiers, such as card tokens."`
	Show    claimShowCmd    `cmd:"" help:"Show a purchase that waits."`
	Return  claimReturnCmd  `cmd:"" help:"Take goods back of a purchase that waits; who claims it gets what is left."`
	Cancel  claimCancelCmd  `cmd:"" help:"Call a purchase off that waits, with its code."`
}

type claimKeepCmd struct {
	asking
	File string `arg:"" help:"The purchase, JSON in the form of the API's POST /v1/claims; - is the standard input."`
}

func (claimKeepCmd) Help() string {
	return `Whoever claims the receipt in time gets what the purchase earns as of its own day.

Examples:

    lojal claim keep receipt.json
    echo '{"source": "till-1", "external_id": "R-3001", "amount": "180.00"}' | lojal claim keep -`
}

func (c *claimKeepCmd) Run(e *env) error {
	text, err := e.readInput(c.File)
	if err != nil {
		return err
	}
	return c.ask(e, func(o *door) error {
		return call(&c.asking, o, http.MethodPost, path("claims"), nil, json.RawMessage(text), func(w *api.Waiting) {
			if w.ID == "" { // somebody had the identifier: it is recorded
				e.printf("Recorded.\n")
				return
			}
			o.waits(w)
			o.opened(w.Code, "")
		})
	})
}

type claimReceiptCmd struct {
	asking
	Code   string `arg:"" help:"Code on the receipt."`
	Member string `arg:"" help:"Who claims it: an id, or an identifier such as card:1001."`
}

func (claimReceiptCmd) Help() string {
	return `Examples:

    lojal claim receipt 7KXQ-2M9D-4VWT-R80HE ext:4711`
}

func (c *claimReceiptCmd) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		in := api.ClaimReceipt{PresentedCode: api.PresentedCode{Code: c.Code}, Member: c.Member}
		return call(&c.asking, o, http.MethodPost, path("claims", "claim"), nil, in, o.happened)
	})
}

type claimLinkedCmd struct {
	asking
	Member string `arg:"" help:"Id, or an identifier such as card:1001."`
}

func (claimLinkedCmd) Help() string {
	return `Giving a member an identifier over the API does it by itself; this is for identifiers that came with an import or a merge.

Examples:

    lojal claim linked ext:4711`
}

func (c *claimLinkedCmd) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		return call(&c.asking, o, http.MethodPost, path("members", c.Member, "claims"), nil, nil, func(a *api.LinkedClaims) {
			for _, f := range a.Facts {
				e.printf("%s  %s\n", f.ID, f.Kind)
			}
			for _, r := range a.Refused {
				e.printf("Refused: %s\n", r.Message)
			}
			switch {
			case a.More:
				e.printf("There is more: run it again.\n")
			case len(a.Facts)+len(a.Refused) == 0:
				e.printf("Nothing waits for this member.\n")
			}
		})
	})
}

// oneClaim is what commands on one purchase that waits have in common.
type oneClaim struct {
	asking
	Claim string `arg:"" help:"Id of the purchase that waits, wtg_…"`
}

func (o *door) waits(w *api.Waiting) {
	o.e.printf("%s  %s:%s  %s", w.ID, w.Source, w.ExternalID, w.Status)
	if w.Member != "" {
		o.e.printf(" by %s as %s", w.Member, w.Purchase)
	}
	if w.EndsAt != nil && w.Status == "open" {
		o.e.printf(" until %s", day(w.EndsAt))
	}
	o.e.printf("\n")
	for _, r := range w.Returns {
		o.e.printf("  came back: %s:%s, %s\n", r.Source, r.ExternalID, day(&r.OccurredAt))
	}
	switch {
	case w.NothingLeft:
		o.e.printf("Nothing is left of it: claiming it gives nothing.\n")
	case w.Return != "":
		o.e.printf("It was claimed: recorded as the return %s.\n", w.Return)
	}
}

type claimShowCmd struct{ oneClaim }

func (claimShowCmd) Help() string {
	return `Examples:

    lojal claim show wtg_01k9zjq3hfe1f8m6v7j0q3x5c4`
}

func (c *claimShowCmd) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		return call(&c.asking, o, http.MethodGet, path("claims", c.Claim), nil, nil, o.waits)
	})
}

type claimReturnCmd struct {
	oneClaim
	Source     string `required:"" help:"Where the return was told, such as a till."`
	ExternalID string `required:"" help:"Its number there: by both it counts once."`
	Amount     string `help:"Money given back; all that is left without it."`
}

func (claimReturnCmd) Help() string {
	return `A receipt of which nothing is left can be claimed, and gives nothing.

Examples:

    lojal claim return wtg_01k9zjq3hfe1f8m6v7j0q3x5c4 --source till-1 --external-id R-3001/back
    lojal claim return till-1:R-3001 --source till-1 --external-id R-3001/back --amount 40.00`
}

func (c *claimReturnCmd) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		in := map[string]string{"source": c.Source, "external_id": c.ExternalID}
		if c.Amount != "" {
			in["amount"] = c.Amount
		}
		return call(&c.asking, o, http.MethodPost, path("claims", c.Claim, "returns"), nil, in, o.waits)
	})
}

type claimCancelCmd struct{ oneClaim }

func (claimCancelCmd) Help() string {
	return `Examples:

    lojal claim cancel wtg_01k9zjq3hfe1f8m6v7j0q3x5c4`
}

func (c *claimCancelCmd) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		return call(&c.asking, o, http.MethodPost, path("claims", c.Claim, "cancel"), nil, nil, o.waits)
	})
}
