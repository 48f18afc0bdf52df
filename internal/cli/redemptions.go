package cli

import (
	"net/http"
	"net/url"
	"strings"

	"lojal.dev/lojal/internal/api"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/money"
)

type redemptionCmd struct {
	Make   redemptionMakeCmd   `cmd:"" help:"Redeem a reward for a member, or reserve it."`
	Show   redemptionShowCmd   `cmd:"" help:"Show a redemption."`
	List   redemptionListCmd   `cmd:"" help:"List a member's redemptions."`
	Latest redemptionLatestCmd `cmd:"" help:"List the newest redemptions of all members."`
	Commit redemptionCommitCmd `cmd:"" help:"Commit a reservation: what the reward gives is handed over."`
	Cancel redemptionCancelCmd `cmd:"" help:"Cancel a reservation: the points are free again."`
	Refund redemptionRefundCmd `cmd:"" help:"Give the points of a redemption back."`
	Fulfil redemptionFulfilCmd `cmd:"" help:"Say how far what was ordered is: packed, sent, delivered, returned or failed."`
	Code   redemptionCodeCmd   `cmd:"" help:"Show the code of somebody else that a redemption handed out."`
}

// redemption tells one in a line or two.
func (o *door) redemption(r *api.RedemptionView) {
	what := r.Title
	if what == "" {
		what = r.Reward
	}
	o.e.printf("%s  %d × %s, %s", r.ID, r.Quantity, what, r.Status)
	if text := amounts(r.Price); text != "" {
		o.e.printf(", for %s", text)
	}
	if r.Money != "" {
		o.e.printf(" and %s", r.Money)
	}
	if text := amounts(r.Refunded); text != "" {
		o.e.printf(", %s given back", text)
	}
	if r.Status == engine.StatusReserved && r.ExpiresAt != nil {
		o.e.printf(", until %s", day(r.ExpiresAt))
	}
	o.e.printf("\n")
	switch {
	case r.Product != "":
		o.e.printf("  gives %s\n", r.Product)
	case r.Link != "":
		o.e.printf("  gives %s\n", r.Link)
	}
	if r.Place != "" || r.StartsAt != nil {
		o.e.printf("  seat: %s\n", strings.Trim(r.Place+", "+day(r.StartsAt), ", "))
	}
	if f := r.Fulfilment; f != nil {
		o.e.printf("  %s", strings.ReplaceAll(f.Kind, "_", " "))
		if f.Money != "" {
			o.e.printf(" of %s", f.Money)
		}
		if f.Provider != "" {
			o.e.printf(" from %s", f.Provider)
		}
		o.e.printf(", %s since %s", f.Status, day(&f.At))
		if f.Tail != "" {
			o.e.printf(", code …%s", f.Tail)
		}
		if f.Reference != "" {
			o.e.printf(", reference %s", f.Reference)
		}
		if f.Reason != "" {
			o.e.printf(": %s", f.Reason)
		}
		o.e.printf("\n")
	}
	if v := r.Voucher; v != nil {
		o.e.printf("  voucher")
		if v.Tail != "" {
			o.e.printf(" …%s", v.Tail)
		}
		if v.Status != "" {
			o.e.printf(", %s", v.Status)
		}
		if v.ValidUntil != nil {
			o.e.printf(", until %s", day(v.ValidUntil))
		}
		o.e.printf("\n")
		o.opened(v.Code, "")
	}
	if c := r.Code; c != nil && c.Code != "" { // it is kept sealed, and can be shown again
		o.e.printf("  Code %s\n", c.Code)
	} else if c != nil {
		o.e.printf("  code")
		if c.Tail != "" {
			o.e.printf(" …%s", c.Tail)
		}
		if c.Pool != "" {
			o.e.printf(" of the pool %s", c.Pool)
		}
		o.e.printf("\n")
	}
}

// redeemed tells what came of a step, and how the redemption stands after it.
func (o *door) redeemed(r *api.Recorded) {
	o.happened(r)
	for i := range r.Redemptions {
		o.redemption(&r.Redemptions[i])
	}
}

type redemptionMakeCmd struct {
	ofMember
	Reward    string `arg:"" help:"Id of the reward in the program."`
	Quantity  int64  `placeholder:"N" help:"How many; one when left out."`
	Reserve   bool   `help:"Only hold the points, until it is committed or cancelled, or its time runs out."`
	Household bool   `help:"Let the others of the household pay what the member lacks."`
	Own       bool   `help:"Take it of what the member has of their own, though the member acts for an organization."`
	Option    int64  `placeholder:"N" help:"Number of the price, of a reward with several; the first when left out."`
	Choose    string `placeholder:"REWARD" help:"Reward that is picked, where one may choose."`
	Money     string `placeholder:"AMOUNT" help:"What was paid besides the points, for a reward that costs that too."`
	keyed
}

func (redemptionMakeCmd) Help() string {
	return `Examples:

    lojal redemption make ext:4711 coffee
    lojal redemption make ext:4711 parcel --option 2 --money 49.00 --source till-1 --external-id R-2001/parcel`
}

func (c *redemptionMakeCmd) Run(e *env) error {
	paid, err := optional(c.Money)
	if err != nil {
		return err
	}
	return c.ask(e, func(o *door) error {
		in := api.Redemption{Head: api.Head{Member: c.Member, FactKey: c.key()}, Commit: !c.Reserve}
		in.Spend = engine.Spend{Reward: c.Reward, Quantity: c.Quantity, Household: c.Household, Option: c.Option, Choose: c.Choose, Money: paid}
		in.Own = c.Own
		return call(&c.asking, o, http.MethodPost, path("redemptions"), nil, in, o.redeemed)
	})
}

// optional reads an amount that may be left out.
func optional(text string) (*money.Decimal, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // left out
	}
	return amount(text)
}

// oneRedemption is what commands on a redemption have in common.
type oneRedemption struct {
	asking
	Redemption string `arg:"" help:"Id of the redemption, as lojal redemption list shows it."`
}

type redemptionShowCmd struct{ oneRedemption }

func (redemptionShowCmd) Help() string {
	return `Examples:

    lojal redemption show red_01k9zjq3hfe1f8m6v7j0q3x5c4`
}

func (c *redemptionShowCmd) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		return call(&c.asking, o, http.MethodGet, path("redemptions", c.Redemption), nil, nil, o.redemption)
	})
}

type redemptionListCmd struct {
	ofMember
	Status string `placeholder:"STATUS" help:"Only those that are reserved, committed, cancelled, lapsed or refunded."`
	Limit  int    `default:"50" placeholder:"N" help:"How many; ${default} when left out."`
}

func (redemptionListCmd) Help() string {
	return `Examples:

    lojal redemption list ext:4711 --status committed`
}

func (c *redemptionListCmd) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		q := url.Values{}
		if c.Status != "" {
			q.Set("status", c.Status)
		}
		return list(&c.asking, o, path("members", c.Member, "redemptions"), q, max(c.Limit, 1), o.redemption)
	})
}

type redemptionLatestCmd struct {
	asking
	Status string `placeholder:"STATUS" help:"Only those that are reserved, committed, cancelled, lapsed or refunded; to_hand for what was ordered and is not delivered yet."`
	Reward string `placeholder:"REWARD" help:"Only those of this reward."`
	Limit  int    `default:"50" placeholder:"N" help:"How many; ${default} when left out."`
}

func (redemptionLatestCmd) Help() string {
	return `Examples:

    lojal redemption latest --status to_hand`
}

func (c *redemptionLatestCmd) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		q := url.Values{}
		for name, value := range map[string]string{"status": c.Status, "reward": c.Reward} {
			if value != "" {
				q.Set(name, value)
			}
		}
		return list(&c.asking, o, path("redemptions"), q, max(c.Limit, 1), func(r *api.RedemptionView) {
			o.redemption(r)
			o.e.printf("  of %s\n", r.Member)
		})
	})
}

// redemptionStep is what commit, cancel and refund have in common; refund says more.
type redemptionStep struct {
	oneRedemption
	Reason string `placeholder:"TEXT" help:"Why, for its history."`
	keyed
}

func (c *redemptionStep) do(e *env, do string, paid *money.Decimal) error {
	return c.ask(e, func(o *door) error {
		in := api.RedemptionStep{FactKey: c.key(), Reason: c.Reason, Money: paid}
		return call(&c.asking, o, http.MethodPost, path("redemptions", c.Redemption, do), nil, in, o.redeemed)
	})
}

type redemptionCommitCmd struct {
	redemptionStep
	Money string `placeholder:"AMOUNT" help:"What was paid besides the points, for a reward that costs that too."`
}

func (redemptionCommitCmd) Help() string {
	return `Examples:

    lojal redemption commit red_01k9zjq3hfe1f8m6v7j0q3x5c4`
}

func (c *redemptionCommitCmd) Run(e *env) error {
	paid, err := optional(c.Money)
	if err != nil {
		return err
	}
	return c.do(e, "commit", paid)
}

type redemptionCancelCmd struct{ redemptionStep }

func (redemptionCancelCmd) Help() string {
	return `Examples:

    lojal redemption cancel red_01k9zjq3hfe1f8m6v7j0q3x5c4`
}

func (c *redemptionCancelCmd) Run(e *env) error { return c.do(e, "cancel", nil) }

type redemptionRefundCmd struct {
	redemptionStep
	Points string `placeholder:"N" help:"How many of the points are given back; all that is left when left out."`
	Amount string `placeholder:"AMOUNT" help:"How much of a payment with a gift card is given back; all that is left when left out."`
}

func (redemptionRefundCmd) Help() string {
	return `What was paid comes back to the lots it left, with their old ends.

Examples:

    lojal redemption refund red_01k9zjq3hfe1f8m6v7j0q3x5c4 --reason "Machine broken"
    lojal redemption refund red_01k9zjq3hfe1f8m6v7j0q3x5c4 --amount 40.00 --source till-1 --external-id R-2001/back`
}

func (c *redemptionRefundCmd) Run(e *env) error {
	in := api.RedemptionRefund{FactKey: c.key(), Reason: c.Reason}
	var err error
	if in.Points, err = optional(c.Points); err != nil {
		return err
	}
	if in.Amount, err = optional(c.Amount); err != nil {
		return err
	}
	return c.ask(e, func(o *door) error {
		return call(&c.asking, o, http.MethodPost, path("redemptions", c.Redemption, "refund"), nil, in, o.redeemed)
	})
}

type redemptionFulfilCmd struct {
	oneRedemption
	To        string `arg:"" help:"How far it is: packed, sent, delivered, returned or failed."`
	Reference string `placeholder:"TEXT" help:"Number it has with whoever does it, such as that of the parcel."`
	Reason    string `placeholder:"TEXT" help:"Why it came back or failed."`
	Keep      bool   `help:"Leave the points spent though it came back or failed."`
	keyed
}

func (redemptionFulfilCmd) Help() string {
	return `For goods, services, seats, donations and gift cards. What is returned or has failed gives the points back, and tells what of the money that was
paid with them is to be given back.

Examples:

    lojal redemption fulfil red_01k9zjq3hfe1f8m6v7j0q3x5c4 sent --reference 370722150012345678
    lojal redemption fulfil red_01k9zjq3hfe1f8m6v7j0q3x5c4 returned --reason "Nobody at home"`
}

func (c *redemptionFulfilCmd) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		in := api.FulfilmentStep{FactKey: c.key(), FulfilBody: engine.FulfilBody{To: c.To, Reference: c.Reference, Reason: c.Reason, Keep: c.Keep}}
		return call(&c.asking, o, http.MethodPost, path("redemptions", c.Redemption, "fulfilment"), nil, in, o.redeemed)
	})
}

type redemptionCodeCmd struct{ oneRedemption }

func (redemptionCodeCmd) Help() string {
	return `Out of a pool, or bought from a provider. A voucher's own code is kept nowhere: lojal voucher renew gives it another.

Examples:

    lojal redemption code red_01k9zjq3hfe1f8m6v7j0q3x5c4`
}

func (c *redemptionCodeCmd) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		return call(&c.asking, o, http.MethodPost, path("redemptions", c.Redemption, "code"), nil, nil, func(s *api.ShownCode) {
			e.printf("Code %s", s.Code)
			if s.PIN != "" {
				e.printf(", PIN %s", s.PIN)
			}
			if s.EndsAt != nil {
				e.printf(", until %s", day(s.EndsAt))
			}
			e.printf("\n")
		})
	})
}

type orderCmd struct {
	List   orderListCmd   `cmd:"" help:"List the orders of gift cards, the oldest first."`
	Show   orderShowCmd   `cmd:"" help:"Show how far the order of a redemption is, and what the provider said last."`
	Cancel orderCancelCmd `cmd:"" help:"Ask the provider to let an order go."`
}

// order tells how far one is.
func (o *door) order(v *api.OrderView) {
	from := v.Provider
	if from == "" {
		from = "the program itself"
	}
	o.e.printf("%s  %s, from %s, since %s", v.Redemption, v.Status, from, day(&v.CreatedAt))
	if v.Reference != "" {
		o.e.printf(", reference %s", v.Reference)
	}
	if v.Tries > 0 {
		o.e.printf(", tried %d ×", v.Tries)
	}
	if v.NextAt != nil {
		o.e.printf(", again %s", day(v.NextAt))
	}
	o.e.printf("\n")
	if v.Error != "" {
		o.e.printf("  %s\n", v.Error)
	}
}

type orderListCmd struct {
	asking
	Status   string `default:"open" enum:"open,waiting,sent,cancelling,delivered,failed,any" placeholder:"STATUS" help:"Only those that are open (the default: not over), waiting, sent, cancelling, delivered or failed; any for all."`
	Provider string `placeholder:"NAME" help:"Only those that are bought from one provider."`
	Limit    int    `default:"50" placeholder:"N" help:"How many; ${default} when left out."`
}

func (orderListCmd) Help() string {
	return `A server sees to them, and asks again by itself where a provider did not answer.

Examples:

    lojal order list
    lojal order list --status failed --provider cards --limit 1000 --json`
}

func (c *orderListCmd) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		q := url.Values{}
		if c.Status != "any" {
			q.Set("status", c.Status)
		}
		if c.Provider != "" {
			q.Set("provider", c.Provider)
		}
		return list(&c.asking, o, path("orders"), q, max(c.Limit, 1), o.order)
	})
}

type orderShowCmd struct{ oneRedemption }

func (orderShowCmd) Help() string {
	return `Examples:

    lojal order show red_01k9zjq3hfe1f8m6v7j0q3x5c4`
}

func (c *orderShowCmd) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		return call(&c.asking, o, http.MethodGet, path("redemptions", c.Redemption, "order"), nil, nil, o.order)
	})
}

type orderCancelCmd struct{ oneRedemption }

func (orderCancelCmd) Help() string {
	return `What comes of it a server finds out: the points are back then, or the gift card is delivered where it was too late.

Examples:

    lojal order cancel red_01k9zjq3hfe1f8m6v7j0q3x5c4`
}

func (c *orderCancelCmd) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		return call(&c.asking, o, http.MethodPost, path("redemptions", c.Redemption, "order", "cancel"), nil, nil, o.order)
	})
}

type voucherCmd struct {
	Use   voucherUseCmd   `cmd:"" help:"Use a voucher, by its code or its redemption."`
	Undo  voucherUndoCmd  `cmd:"" help:"Take a use back: the purchase was cancelled, or came back."`
	Void  voucherVoidCmd  `cmd:"" help:"Call a voucher off, for good."`
	Renew voucherRenewCmd `cmd:"" help:"Give a voucher another code and print it, once: the old one opens nothing from then on."`
}

type voucherUseCmd struct {
	asking
	Code       string `arg:"" optional:"" help:"Code; - reads it from the standard input."`
	Redemption string `placeholder:"ID" help:"Redemption that gave the voucher, in place of the code, together with --member."`
	paying
}

func (voucherUseCmd) Help() string {
	return `What it is worth is told without using it by: lojal code check

Examples:

    lojal voucher use 9MRT-2M9D-4VWT-R80HE --member ext:4711 --total 400.00 --source till-1 --external-id R-2002/voucher
    lojal voucher use --redemption red_01k9zjq3hfe1f8m6v7j0q3x5c4 --member ext:4711 --total 400.00`
}

func (c *voucherUseCmd) Run(e *env) error {
	if (c.Code == "") == (c.Redemption == "") {
		return errs.Malformed("usage", "Give the code, or --redemption with --member.")
	}
	total, with, err := c.read()
	if err != nil {
		return err
	}
	code, err := e.presented(c.Code)
	if err != nil {
		return err
	}
	return c.ask(e, func(o *door) error {
		in := api.VoucherUseIn{FactKey: c.key(), PresentedCode: code, Redemption: c.Redemption, Member: c.Member, Total: total, With: with, Store: c.Store}
		return call(&c.asking, o, http.MethodPost, path("vouchers", "use"), nil, in, o.happened)
	})
}

// voucherStep is what undo, void and renew have in common.
type voucherStep struct {
	oneRedemption
	Reason string `placeholder:"TEXT" help:"Why, for its history."`
	keyed
}

func (c *voucherStep) do(e *env, do, use string) error {
	return c.ask(e, func(o *door) error {
		in := api.VoucherStepIn{FactKey: c.key(), Use: use, Reason: c.Reason}
		return call(&c.asking, o, http.MethodPost, path("redemptions", c.Redemption, "voucher", do), nil, in, o.redeemed)
	})
}

type voucherUndoCmd struct {
	voucherStep
	Use string `placeholder:"ID" help:"Which use, by the id that lojal voucher use prints; the last one when left out."`
}

func (voucherUndoCmd) Help() string {
	return `The voucher can be used again.

Examples:

    lojal voucher undo red_01k9zjq3hfe1f8m6v7j0q3x5c4 --reason "The goods came back"`
}

func (c *voucherUndoCmd) Run(e *env) error { return c.do(e, "undo", c.Use) }

type voucherVoidCmd struct{ voucherStep }

func (voucherVoidCmd) Help() string {
	return `Examples:

    lojal voucher void red_01k9zjq3hfe1f8m6v7j0q3x5c4 --reason "Given by mistake"`
}

func (c *voucherVoidCmd) Run(e *env) error { return c.do(e, "void", "") }

type voucherRenewCmd struct{ voucherStep }

func (voucherRenewCmd) Help() string {
	return `For a code that was lost, and for a voucher that was handed over by time, whose code is drawn here.

Examples:

    lojal voucher renew red_01k9zjq3hfe1f8m6v7j0q3x5c4`
}

func (c *voucherRenewCmd) Run(e *env) error { return c.do(e, "code", "") }
