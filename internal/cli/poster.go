package cli

import (
	"net/http"
	"net/url"
)

type posterCmd struct {
	asking
	Output string `short:"o" placeholder:"FILE" help:"File to write, best NAME.pdf; the standard output when left out."`
	reached
}

func (posterCmd) Help() string {
	return `One A4 page as PDF: the program's name in its colour, with its picture, what one gets, and a QR code that opens the page to join at --url.

Examples:

    lojal poster --url https://lojal.example.no --lang nb --output poster.pdf`
}

func (c *posterCmd) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		o.server.URL = c.address()
		pdf, err := o.send(http.MethodGet, path("program", "poster"), url.Values{"lang": {c.Lang}}, nil)
		if err != nil {
			return err
		}
		return e.written(c.Output, pdf)
	})
}
