package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"lojal.dev/lojal/internal/api"
	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/web"
)

type couponCmd struct {
	Issue       couponIssueCmd       `cmd:"" help:"Make codes of a coupon and print them, once."`
	List        couponListCmd        `cmd:"" help:"List the codes of coupons, by their ids and ends."`
	Check       couponCheckCmd       `cmd:"" help:"Say whether a word or a code of a coupon can be used; as lojal code check."`
	Use         couponUseCmd         `cmd:"" help:"Use a coupon, by its word or a code."`
	Undo        couponUndoCmd        `cmd:"" help:"Take a use back: the purchase was cancelled, or came back."`
	Block       couponBlockCmd       `cmd:"" help:"Keep a code from being used."`
	Unblock     couponUnblockCmd     `cmd:"" help:"Let a blocked code be used again."`
	Cancel      couponCancelCmd      `cmd:"" help:"Call a code off, for good."`
	CancelBatch couponCancelBatchCmd `cmd:"" name:"cancel-batch" help:"Call all codes of a batch off, for good."`
}

type couponIssueCmd struct {
	asking
	Coupon string `arg:"" help:"Id of the coupon in the program: one without a word."`
	Batch  string `arg:"" help:"Name of the batch: the same again makes nothing twice."`
	Count  int    `default:"1" placeholder:"N" help:"How many codes there shall be, up to 1,000; one when left out."`
	First  int    `placeholder:"N" help:"Number of the first of them in the batch, to go on with one; 0 when left out."`
}

func (couponIssueCmd) Help() string {
	return `The codes are shown this once. The same again prints the ids of those that are there, and makes none twice.

Examples:

    lojal coupon issue sorry sorry-2026 --count 200
    lojal coupon issue sorry autumn --count 1000 --json > first.json
    lojal coupon issue sorry autumn --count 1000 --first 1000 --json > second.json`
}

func (c *couponIssueCmd) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		in := api.NewCouponBatch{Batch: c.Batch, Coupon: c.Coupon, Count: c.Count, First: c.First}
		return call(&c.asking, o, http.MethodPost, path("coupons", "batches"), nil, in, func(b *api.CouponBatch) {
			for _, one := range b.Codes {
				text := one.Code
				if text == "" {
					text = "was issued before"
				}
				e.printf("%s  %s\n", one.ID, text)
			}
		})
	})
}

type couponListCmd struct {
	asking
	Batch string `placeholder:"NAME" help:"Keep to the codes of one batch."`
	Limit int    `default:"50" placeholder:"N" help:"How many; ${default} when left out."`
}

func (couponListCmd) Help() string {
	return `Examples:

    lojal coupon list
    lojal coupon list --batch sorry-2026 --limit 1000 --json`
}

func (c *couponListCmd) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		q := url.Values{}
		if c.Batch != "" {
			q.Set("batch", c.Batch)
		}
		return list(&c.asking, o, path("coupons"), q, max(c.Limit, 1), func(v *api.CouponCodeView) {
			e.printf("%s  %s, %s, used %d of %s, code …%s, batch %s\n", v.ID, v.Coupon, v.Status, v.Used, lang.Things(v.Uses, "time"), v.Tail, v.Batch)
		})
	})
}

type couponCheckCmd struct{ codeCheckCmd }

func (couponCheckCmd) Help() string {
	return `Nothing is used by asking.

Examples:

    lojal coupon check SUMMER10 --member ext:4711 --total 400.00`
}

// paying is what is told of the purchase that a code is used in.
type paying struct {
	Total  string   `required:"" placeholder:"AMOUNT" help:"What there is to pay before it."`
	Member string   `placeholder:"MEMBER" help:"Who pays: an id, or an identifier such as card:1001."`
	With   []string `placeholder:"CODE" help:"Another code of the same purchase; may stand several times."`
	Store  string   `placeholder:"STORE" help:"Where."`
	keyed
}

// read gives the total and the other codes.
func (p *paying) read() (*money.Decimal, []api.PresentedCode, error) {
	total, err := amount(p.Total)
	if err != nil {
		return nil, nil, err
	}
	var with []api.PresentedCode
	for _, text := range p.With {
		with = append(with, api.PresentedCode{Code: text})
	}
	return total, with, nil
}

type couponUseCmd struct {
	asking
	Code string `arg:"" help:"Word or code; - reads it from the standard input."`
	paying
}

func (couponUseCmd) Help() string {
	return `A word wants --member, for members alone may use it. The id in front of the answer is that of the use, by which it is taken back.

Examples:

    lojal coupon use SUMMER10 --member ext:4711 --total 400.00 --source till-1 --external-id R-2003/coupon`
}

func (c *couponUseCmd) Run(e *env) error {
	total, with, err := c.read()
	if err != nil {
		return err
	}
	code, err := e.presented(c.Code)
	if err != nil {
		return err
	}
	return c.ask(e, func(o *door) error {
		in := api.CouponUseIn{FactKey: c.key(), PresentedCode: code, Member: c.Member, Total: total, With: with, Store: c.Store}
		return call(&c.asking, o, http.MethodPost, path("coupons", "use"), nil, in, o.happened)
	})
}

type couponUndoCmd struct {
	asking
	Use    string `arg:"" help:"Id of the use, fct_… or the like, as lojal coupon use prints it."`
	Reason string `placeholder:"TEXT" help:"Why, for its history."`
	keyed
}

func (couponUndoCmd) Help() string {
	return `The coupon can be used again, and what its limits counted is free.

Examples:

    lojal coupon undo fct_01k9zjq3hfe1f8m6v7j0q3x5c4 --reason "The goods came back"`
}

func (c *couponUndoCmd) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		return call(&c.asking, o, http.MethodPost, path("coupons", "uses", c.Use, "undo"), nil, api.CouponUndo{FactKey: c.key(), Reason: c.Reason}, o.happened)
	})
}

// couponStatus is what commands on the status of a code have in common.
type couponStatus struct {
	asking
	Code   string `arg:"" help:"Id of the code, cpn_…, as lojal coupon list shows it; not the code itself."`
	Reason string `placeholder:"TEXT" help:"Why, for its history."`
}

func (c *couponStatus) set(e *env, to string) error {
	return c.ask(e, func(o *door) error {
		return call(&c.asking, o, http.MethodPost, path("coupons", c.Code, "status"), nil, api.GiftCardStatus{To: to, Reason: c.Reason}, o.happened)
	})
}

type couponBlockCmd struct{ couponStatus }

func (couponBlockCmd) Help() string {
	return `Examples:

    lojal coupon block cpn_01k9zjq3hfe1f8m6v7j0q3x5c4 --reason "Seen in a forum"`
}

func (c *couponBlockCmd) Run(e *env) error { return c.set(e, "blocked") }

type couponUnblockCmd struct{ couponStatus }

func (couponUnblockCmd) Help() string {
	return `Examples:

    lojal coupon unblock cpn_01k9zjq3hfe1f8m6v7j0q3x5c4`
}

func (c *couponUnblockCmd) Run(e *env) error { return c.set(e, "active") }

type couponCancelCmd struct{ couponStatus }

func (couponCancelCmd) Help() string {
	return `What was used stays used.

Examples:

    lojal coupon cancel cpn_01k9zjq3hfe1f8m6v7j0q3x5c4 --reason "Sent to the wrong one"`
}

func (c *couponCancelCmd) Run(e *env) error { return c.set(e, "closed") }

type couponCancelBatchCmd struct {
	asking
	Batch  string `arg:"" help:"Name of the batch."`
	Reason string `placeholder:"TEXT" help:"Why, for the history of each."`
}

func (couponCancelBatchCmd) Help() string {
	return `What was used stays used. Where it broke off, the same again goes on.

Examples:

    lojal coupon cancel-batch sorry-2026 --reason "Sent to the wrong list"`
}

func (c *couponCancelBatchCmd) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		all := api.CouponsCancelled{Batch: c.Batch}
		for {
			text, err := o.send(http.MethodPost, path("coupons", "batches", c.Batch, "cancel"), nil, api.CouponCancel{Reason: c.Reason, After: all.After})
			if err != nil {
				return err
			}
			var some api.CouponsCancelled
			if err := web.Unmarshal(text, &some); err != nil {
				return fmt.Errorf("read an answer: %w", err)
			}
			all.Cancelled += some.Cancelled
			if all.After = some.After; all.After == "" {
				break
			}
		}
		if c.JSON {
			text, err := web.Marshal(all)
			if err != nil {
				return err
			}
			return e.json(json.RawMessage(text))
		}
		e.printf("%s of the batch %s called off.\n", lang.Things(all.Cancelled, "code"), c.Batch)
		return nil
	})
}
