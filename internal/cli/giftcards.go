package cli

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"lojal.dev/lojal/internal/api"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/giftcard"
	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/web"
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
	Pay      cardPayCmd      `cmd:"" help:"Pay with a gift card, by its code."`
	Batch    cardBatchCmd    `cmd:"" help:"Make many gift cards from a CSV file, and print their codes, once."`
	Erase    cardEraseCmd    `cmd:"" help:"Forget who a card is for, who gives it and what was written on it, for good."`
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
	if v.ExpiredAt != nil {
		parts = append(parts, "ended "+day(v.ExpiredAt))
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
	Batch  string `placeholder:"NAME" help:"Keep to the cards of one batch."`
	Tail   string `placeholder:"END" help:"Keep to the cards whose code ends so."`
	Newest bool   `help:"The newest first."`
	Limit  int    `default:"50" placeholder:"N" help:"How many; ${default} when left out."`
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
		if c.Tail != "" {
			q.Set("tail", c.Tail)
		}
		if c.Newest {
			q.Set("order", "newest")
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

type cardPayCmd struct {
	asking
	Code    string `arg:"" help:"Code of the card; - reads it from the standard input."`
	Amount  string `arg:"" optional:"" help:"What is paid, such as 120.00."`
	PIN     string `placeholder:"PIN" help:"PIN of the card, where it has one."`
	Total   string `placeholder:"AMOUNT" help:"What there is to pay: as much of it as there is on the card, in place of an amount."`
	Reserve bool   `help:"Only hold it, until the redemption is committed or cancelled."`
	Store   string `placeholder:"STORE" help:"Where."`
	keyed
}

func (cardPayCmd) Help() string {
	return `What was paid is given back with: lojal redemption refund. What stands on a command line can be seen by others of the machine: give codes on the
standard input.

Examples:

    lojal gift-card pay - 120.00 --source till-1 --external-id R-2001/card < code.txt
    lojal gift-card pay 7KXQ-2M9D-4VWT-R80HE --total 420.00`
}

func (c *cardPayCmd) Run(e *env) error {
	if (c.Amount == "") == (c.Total == "") {
		return errs.Malformed("usage", "Give an amount, or --total.")
	}
	n, err := optional(c.Amount)
	if err != nil {
		return err
	}
	total, err := optional(c.Total)
	if err != nil {
		return err
	}
	code, err := e.presented(c.Code)
	if err != nil {
		return err
	}
	code.PIN = c.PIN
	return c.ask(e, func(o *door) error {
		in := api.GiftCardPayment{FactKey: c.key(), PresentedCode: code, Amount: n, Max: total != nil, Total: total, Reserve: c.Reserve, Store: c.Store}
		return call(&c.asking, o, http.MethodPost, path("gift-cards", "pay"), nil, in, o.redeemed)
	})
}

type cardBatchCmd struct {
	asking
	Batch    string `arg:"" help:"Name of the batch: the same again makes nothing twice."`
	File     string `arg:"" type:"path" help:"CSV file with a header of amount, to, to_email, from, greeting, look, language, send_at, reference; - is the standard input."`
	Amount   string `placeholder:"AMOUNT" help:"What is put on each card that says none."`
	Greeting string `placeholder:"TEXT" help:"Greeting of each card that says none."`
}

func (cardBatchCmd) Help() string {
	return `At most 1,000 cards at once. A card is one of its batch by its reference, or by its place in the file. The codes are shown this once: keep them, with
--json as they come. Status 3 where a card could not be made.

Examples:

    lojal gift-card batch christmas-2026 cards.csv --amount 300.00 --json > codes.json`
}

func (c *cardBatchCmd) Run(e *env) error {
	n, err := optional(c.Amount)
	if err != nil {
		return err
	}
	data, err := e.readInput(c.File)
	if err != nil {
		return err
	}
	cards, err := readCards(string(data))
	if err != nil {
		return err
	}
	return c.ask(e, func(o *door) error {
		in := api.NewGiftCardBatch{Batch: c.Batch, Amount: n, Greeting: c.Greeting, Cards: cards}
		text, err := o.send(http.MethodPost, path("gift-cards", "batches"), nil, in)
		if err != nil {
			return err
		}
		var out api.GiftCardBatch
		if err := web.Unmarshal(text, &out); err != nil {
			return fmt.Errorf("read an answer: %w", err)
		}
		if c.JSON {
			err = e.json(json.RawMessage(text))
		} else {
			o.batch(&out)
		}
		if err == nil && out.Failed > 0 {
			err = errs.Invalid("cards_refused", lang.Things(int64(out.Failed), "card")+" could not be made.")
		}
		return err
	})
}

// batch tells the cards of one, each with its code.
func (o *door) batch(b *api.GiftCardBatch) {
	for i := range b.Cards {
		one := &b.Cards[i]
		if one.Error != nil {
			o.e.printf("card %d: %s\n", one.Index+1, one.Error.Message)
			continue
		}
		o.card(&one.Card.GiftCardView)
		if one.Card.Duplicate {
			o.e.printf("  made before\n")
		}
		o.opened(one.Card.Code, one.Card.PIN)
	}
	o.e.printf("%s made in %s.\n", lang.Things(int64(b.Issued), "card"), b.Batch)
}

// readCards reads gift cards from a CSV whose header names the fields.
func readCards(text string) ([]api.NewGiftCard, error) {
	r := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "\ufeff")))
	r.TrimLeadingSpace = true
	if first, _, _ := strings.Cut(text, "\n"); strings.Contains(first, ";") && !strings.Contains(first, ",") {
		r.Comma = ';'
	}
	rows, err := r.ReadAll()
	if err != nil {
		return nil, errs.Invalid("invalid_csv", "The file cannot be read as CSV: "+err.Error())
	}
	if len(rows) < 2 {
		return nil, errs.Invalid("invalid_csv", "The file has no card: its first line names the fields, and each line after it is a card.")
	}
	out := []api.NewGiftCard{}
	for i, row := range rows[1:] {
		fields := map[string]string{}
		for k, name := range rows[0] {
			if text := strings.TrimSpace(row[k]); text != "" {
				fields[strings.ToLower(strings.TrimSpace(name))] = text
			}
		}
		body, err := web.Marshal(fields)
		if err != nil {
			return nil, fmt.Errorf("write a card: %w", err)
		}
		var card api.NewGiftCard
		d := json.NewDecoder(bytes.NewReader(body))
		d.DisallowUnknownFields()
		if err := d.Decode(&card); err != nil {
			return nil, errs.Invalid("invalid_csv", fmt.Sprintf("Line %d is no card: %s.", i+2, strings.TrimPrefix(err.Error(), "json: ")))
		}
		out = append(out, card)
	}
	return out, nil
}

type cardEraseCmd struct{ oneCard }

func (cardEraseCmd) Help() string {
	return `What is on it, its code and its look stay. It cannot be undone.

Examples:

    lojal gift-card erase gft_01k9zjq3hfe1f8m6v7j0q3x5c4`
}

func (c *cardEraseCmd) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		return call(&c.asking, o, http.MethodPost, path("gift-cards", c.Card, "erase"), nil, nil, o.card)
	})
}
