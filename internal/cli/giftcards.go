package cli

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"lojal.dev/lojal/internal/api"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/giftcard"
	"lojal.dev/lojal/internal/money"
)

type giftCardCmd struct {
	Issue    cardIssueCmd    `cmd:"" help:"Make a gift card and print its code, once."`
	Show     cardShowCmd     `cmd:"" help:"Show a gift card as it stands now."`
	List     cardListCmd     `cmd:"" help:"List the gift cards."`
	Load     cardLoadCmd     `cmd:"" help:"Put more on a gift card."`
	Activate cardActivateCmd `cmd:"" help:"Let a card be used that was issued inactive."`
	Renew    cardRenewCmd    `cmd:"" help:"Give a card another code: the old one opens nothing from then on."`
	Block    cardBlockCmd    `cmd:"" help:"Keep a card from being used."`
	Unblock  cardUnblockCmd  `cmd:"" help:"Let a blocked card be used again."`
	Close    cardCloseCmd    `cmd:"" help:"End a card, and take what is on it out of the books, for good."`
}

// amount reads a flag or argument of money.
func amount(text string) (*money.Decimal, error) {
	n, err := money.Parse(text)
	if err != nil {
		return nil, errs.Malformed("not_an_amount", "An amount is written as 250.00, not "+text+".")
	}
	return &n, nil
}

type cardIssueCmd struct {
	asking
	Amount    string     `arg:"" help:"What is put on it, in the program's currency, such as 250.00."`
	Inactive  bool       `help:"Keep it from being used until it is activated: for cards that hang in a shop."`
	Sample    bool       `help:"Make a card to look at: nothing can be paid with it."`
	ExpiresAt *time.Time `name:"expires-at" placeholder:"TIME" help:"Its end, in place of the program's."`
	Greeting  string     `placeholder:"TEXT" help:"Greeting on it."`
	Reference string     `placeholder:"TEXT" help:"Order or the like that it belongs to."`
	keyed
}

func (cardIssueCmd) Help() string {
	return `The code, and the PIN where the program has PINs, are shown this once. With --source and --external-id the same is made once, however often
the command is run; the code is not shown again, but lojal gift-card renew makes another.

Examples:

    lojal gift-card issue 250.00
    lojal gift-card issue 500 --greeting "Gratulerer!" --source shop --external-id order-1881 --json`
}

func (c *cardIssueCmd) Run(e *env) error {
	n, err := amount(c.Amount)
	if err != nil {
		return err
	}
	return c.ask(e, func(o *door) error {
		in := api.NewGiftCard{FactKey: c.key(), Amount: n, Inactive: c.Inactive, Sample: c.Sample, ExpiresAt: c.ExpiresAt, Data: giftcard.Data{Greeting: c.Greeting, Reference: c.Reference}}
		return call(&c.asking, o, http.MethodPost, path("gift-cards"), nil, in, func(a *api.GiftCardIssued) {
			if a.Duplicate {
				e.printf("It was issued before.\n")
			}
			o.card(&a.GiftCardView)
			o.opened(a.Code, a.PIN)
		})
	})
}

// opened tells a new code, which no answer has again.
func (o *door) opened(code, pin string) {
	if code != "" {
		o.e.printf("  Code %s, shown only now\n", code)
	}
	if pin != "" {
		o.e.printf("  PIN %s, shown only now\n", pin)
	}
}

// card tells a gift card in a few lines.
func (o *door) card(v *api.GiftCardView) {
	parts := []string{v.Status, string(v.Balance) + " " + v.Currency}
	if v.Sample {
		parts = append(parts, "a sample")
	}
	if v.Inactive != "" {
		parts = append(parts, string(v.Inactive)+" to be activated")
	}
	if v.Reserved != "" {
		parts = append(parts, string(v.Reserved)+" reserved")
	}
	if v.ExpiresAt != nil {
		parts = append(parts, "ends "+day(v.ExpiresAt))
	}
	if v.Tail != "" {
		parts = append(parts, "code …"+v.Tail)
	}
	if v.HasPIN {
		parts = append(parts, "with a PIN")
	}
	if v.Batch != "" {
		parts = append(parts, "batch "+v.Batch)
	}
	if v.Reference != "" {
		parts = append(parts, "reference "+v.Reference)
	}
	o.e.printf("%s  %s\n", v.ID, strings.Join(parts, ", "))
}

// oneCard is what commands on one card have in common.
type oneCard struct {
	asking
	Card string `arg:"" help:"Id of the card, gft_…, as lojal gift-card list shows it."`
}

type cardShowCmd struct{ oneCard }

func (cardShowCmd) Help() string {
	return `Who has only the code finds the card with: lojal code check

Examples:

    lojal gift-card show gft_01k9zjq3hfe1f8m6v7j0q3x5c4`
}

func (c *cardShowCmd) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		return call(&c.asking, o, http.MethodGet, path("gift-cards", c.Card), nil, nil, o.card)
	})
}

type cardListCmd struct {
	asking
	Batch string `placeholder:"NAME" help:"Keep to the cards of one batch."`
	Limit int    `default:"50" placeholder:"N" help:"How many; ${default} when left out."`
}

func (cardListCmd) Help() string {
	return `Examples:

    lojal gift-card list
    lojal gift-card list --batch christmas-2026 --limit 1000 --json`
}

func (c *cardListCmd) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		q := url.Values{}
		if c.Batch != "" {
			q.Set("batch", c.Batch)
		}
		return list(&c.asking, o, path("gift-cards"), q, max(c.Limit, 1), o.card)
	})
}

type cardLoadCmd struct {
	oneCard
	Amount    string     `arg:"" help:"What is put on it besides what is there."`
	ExpiresAt *time.Time `name:"expires-at" placeholder:"TIME" help:"Its end, in place of the program's."`
	Reason    string     `placeholder:"TEXT" help:"Why, for its history."`
	keyed
}

func (cardLoadCmd) Help() string {
	return `Examples:

    lojal gift-card load gft_01k9zjq3hfe1f8m6v7j0q3x5c4 100.00 --source till-1 --external-id R-1009`
}

func (c *cardLoadCmd) Run(e *env) error {
	n, err := amount(c.Amount)
	if err != nil {
		return err
	}
	return c.ask(e, func(o *door) error {
		return call(&c.asking, o, http.MethodPost, path("gift-cards", c.Card, "loads"), nil, api.GiftCardLoad{FactKey: c.key(), Amount: n, ExpiresAt: c.ExpiresAt, Reason: c.Reason}, o.happened)
	})
}

type cardActivateCmd struct {
	oneCard
	Reason string `placeholder:"TEXT" help:"Why, for its history."`
}

func (cardActivateCmd) Help() string {
	return `Examples:

    lojal gift-card activate gft_01k9zjq3hfe1f8m6v7j0q3x5c4`
}

func (c *cardActivateCmd) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		return call(&c.asking, o, http.MethodPost, path("gift-cards", c.Card, "activate"), nil, api.RedemptionStep{Reason: c.Reason}, o.happened)
	})
}

type cardRenewCmd struct{ oneCard }

func (cardRenewCmd) Help() string {
	return `For a code that was lost or seen by others. The new one is shown this once.

Examples:

    lojal gift-card renew gft_01k9zjq3hfe1f8m6v7j0q3x5c4`
}

func (c *cardRenewCmd) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		return call(&c.asking, o, http.MethodPost, path("gift-cards", c.Card, "code"), nil, nil, func(a *api.NewCode) {
			e.printf("%s\n", c.Card)
			o.opened(a.Code, a.PIN)
		})
	})
}

// cardStatus is what commands on the status of a card have in common.
type cardStatus struct {
	oneCard
	Reason string `placeholder:"TEXT" help:"Why, for its history."`
}

func (c *cardStatus) set(e *env, to string) error {
	return c.ask(e, func(o *door) error {
		return call(&c.asking, o, http.MethodPost, path("gift-cards", c.Card, "status"), nil, api.GiftCardStatus{To: to, Reason: c.Reason}, o.happened)
	})
}

type cardBlockCmd struct{ cardStatus }

func (cardBlockCmd) Help() string {
	return `Examples:

    lojal gift-card block gft_01k9zjq3hfe1f8m6v7j0q3x5c4 --reason "Lost"`
}

func (c *cardBlockCmd) Run(e *env) error { return c.set(e, "blocked") }

type cardUnblockCmd struct{ cardStatus }

func (cardUnblockCmd) Help() string {
	return `Examples:

    lojal gift-card unblock gft_01k9zjq3hfe1f8m6v7j0q3x5c4`
}

func (c *cardUnblockCmd) Run(e *env) error { return c.set(e, "active") }

type cardCloseCmd struct{ cardStatus }

func (cardCloseCmd) Help() string {
	return `Examples:

    lojal gift-card close gft_01k9zjq3hfe1f8m6v7j0q3x5c4 --reason "Paid out at the counter"`
}

func (c *cardCloseCmd) Run(e *env) error { return c.set(e, "closed") }
