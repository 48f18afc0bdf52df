package console

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/page"
)

// ofRedemption are what states redemptions are listed by; the first is all of them.
var ofRedemption = []string{"", "to_hand", "reserved", "committed", "refunded", "cancelled", "lapsed"}

// redemptionList is a page of redemptions with the names of their members.
type redemptionList struct {
	items []redemption
	names map[string]string
	next  string
	// bare says that a page looked through much history and found nothing in it, and that there is more.
	bare bool
}

func (v *visit) redemptions(status, reward string, limit int) (out redemptionList, err error) {
	ask := url.Values{"limit": {v.plain(int64(limit))}}
	for name, value := range map[string]string{"status": status, "reward": reward, "cursor": v.r.URL.Query().Get("cursor")} {
		if value != "" {
			ask.Set(name, value)
		}
	}
	var list struct {
		Items []redemption
		Next  string `json:"next_cursor"`
	}
	if err := v.api.Get(v.r.Context(), page.Path("redemptions"), ask, &list); err != nil {
		return out, err
	}
	slices.SortStableFunc(list.Items, func(a, b redemption) int { return b.At.Compare(a.At) }) // they come as they were recorded
	out = redemptionList{items: list.Items, next: list.Next, bare: len(list.Items) == 0 && list.Next != ""}
	out.names, err = v.names(func(yield func(string) bool) {
		for i := range list.Items {
			if !yield(list.Items[i].Member) {
				return
			}
		}
	})
	return out, err
}

// names are what to call members, by their ids. Who is not there any more is called by the id.
func (v *visit) names(members func(func(string) bool)) (map[string]string, error) {
	out := map[string]string{}
	for id := range members {
		if id == "" || out[id] != "" {
			continue
		}
		var m member
		err := v.api.Get(v.r.Context(), page.Path("members", id), nil, &m)
		if code := errs.CodeOf(err); err != nil && code != errs.CodeNotFound && code != errs.CodeMalformed && code != errs.CodeInvalid {
			return nil, err
		}
		out[id] = id
		if err == nil {
			out[id] = m.Name()
		}
	}
	return out, nil
}

func (c *Console) redemptionsPage(v *visit) error {
	status := v.r.URL.Query().Get("status")
	if !slices.Contains(ofRedemption, status) {
		status = ""
	}
	list, err := v.redemptions(status, "", 50)
	if err != nil {
		return err
	}
	return v.show(redemptionsPage(v, status, list))
}

// findCode looks a code of a voucher up, or the id of a redemption, and leads to it.
func (c *Console) findCode(v *visit) error {
	f, err := v.form()
	if err != nil {
		return err
	}
	text := strings.TrimSpace(f.Get("code"))
	show := func(status int, found *codeState) error { return v.showAs(status, codePage(v, f, found)) }
	if text == "" {
		return show(http.StatusOK, nil)
	}
	if strings.HasPrefix(text, "red_") {
		return v.to(below("redemptions", text))
	}
	var got struct{ Codes []codeState }
	if err := v.api.Post(v.r.Context(), page.Path("codes", "check"), "", map[string]any{"code": text}, &got); err != nil {
		return v.again(f, err, func(status int) error { return show(status, nil) })
	}
	if len(got.Codes) == 0 {
		return show(http.StatusOK, nil)
	}
	one := got.Codes[0]
	switch {
	case one.Redemption != "":
		return v.to(below("redemptions", one.Redemption))
	case one.GiftCard != nil:
		return v.to(below("gift-cards", one.GiftCard.ID))
	}
	return show(http.StatusOK, &one)
}

// codeState is what a code is.
type codeState struct {
	Kind       string    `json:"kind"`
	Usable     bool      `json:"usable"`
	Message    string    `json:"message"`
	Redemption string    `json:"redemption"`
	Coupon     string    `json:"coupon"`
	Title      string    `json:"title"`
	GiftCard   *giftCard `json:"gift_card"`
}

func (c *Console) codePage(v *visit) error { return v.show(codePage(v, page.NewForm(), nil)) }

var redemptionThings = &things[redemption]{
	word: "red", in: "redemption",
	get: func(v *visit, id string) (r redemption, err error) {
		err = v.api.Get(v.r.Context(), page.Path("redemptions", id), nil, &r)
		return r, err
	},
	name: func(v *visit, r *redemption) string { return v.nameOf(r) },
	back: func(r *redemption) string { return below("redemptions", r.ID) },
}

func (v *visit) nameOf(r *redemption) string {
	if r.Reward == "" { // what was paid with a gift card
		return v.T("card.fact.redeem")
	}
	return cmp.Or(r.Title, v.reward(r.Reward))
}

func (c *Console) oneRedemption(v *visit) error {
	r, err := redemptionThings.get(v, v.r.PathValue("redemption"))
	if err != nil {
		return err
	}
	whose := below("members", r.Member)
	var owner string
	if strings.HasPrefix(r.Member, "gft_") {
		whose = below("gift-cards", r.Member)
		owner = v.T("gift_card")
	} else {
		names, err := v.names(func(yield func(string) bool) { yield(r.Member) })
		if err != nil {
			return err
		}
		owner = names[r.Member]
	}
	var o *giftOrder
	if r.Fulfilment != nil && r.Fulfilment.Kind == "gift_card" {
		o = &giftOrder{}
		if err := v.api.Get(v.r.Context(), page.Path("redemptions", r.ID, "order"), nil, o); err != nil {
			if errs.CodeOf(err) != errs.CodeNotFound {
				return err
			}
			o = nil
		}
	}
	// What it came of: the redemption's own fact, or that of the purchase that it paid for. One that was handed over by time has none of its name.
	fact := cmp.Or(r.Purchase, r.ID)
	if !v.may("members:read") {
		fact = ""
	} else if err := v.api.Get(v.r.Context(), page.Path("facts", fact), nil, nil); errs.CodeOf(err) == errs.CodeNotFound {
		fact = ""
	} else if err != nil {
		return err
	}
	return v.show(redemptionPage(v, &r, owner, whose, o, fact))
}

// giftOrder is a gift card on its way.
type giftOrder struct {
	Redemption string     `json:"redemption"`
	Provider   string     `json:"provider"`
	Status     string     `json:"status"`
	Reference  string     `json:"reference"`
	Error      string     `json:"error"`
	Tries      int64      `json:"tries"`
	NextAt     *time.Time `json:"next_at"`
	CreatedAt  time.Time  `json:"created_at"`
}

// stagesAfter are how far a thing on its way can come next.
var stagesAfter = map[string][]string{
	"ordered": {"packed", "sent", "delivered", "failed"}, "packed": {"sent", "delivered", "failed"}, "sent": {"delivered", "returned", "failed"}, "delivered": {"returned"},
}

func isStatus(status string) func(*visit, *redemption) bool {
	return func(_ *visit, r *redemption) bool { return r.Status == status }
}

// voucherIs says whether there is a voucher, and in one of the states; waiting is without a code.
func voucherIs(states ...string) func(*visit, *redemption) bool {
	return func(_ *visit, r *redemption) bool {
		return r.Voucher != nil && slices.Contains(states, r.Voucher.Status)
	}
}

func stepOf(verb ...string) func(*visit, *redemption, *page.Form) (string, string, any) {
	return func(_ *visit, r *redemption, f *page.Form) (string, string, any) {
		return sendTo(f.Body("reason"), append([]string{"redemptions", r.ID}, verb...)...)
	}
}

func reasonMaybe[T any](v *visit, _ *T, _ *page.Form) []question { return []question{whyMaybe(v)} }

// redemptionDeeds are what can be done to a redemption.
var redemptionDeeds = []*deed[redemption]{fulfilDeed, commitDeed, showCodeDeed, newVoucherDeed, undoVoucherDeed, cancelDeed, refundDeed, voidVoucherDeed, cancelOrderDeed}

var (
	fulfilDeed = &deed[redemption]{
		on: redemptionThings, name: "fulfil", icon: "package", needs: "redemptions:write",
		offered: func(_ *visit, r *redemption) bool {
			return r.Fulfilment != nil && len(stagesAfter[r.Fulfilment.Status]) > 0
		},
		ask: func(v *visit, r *redemption, _ *page.Form) []question {
			var to []page.Choice
			if r.Fulfilment != nil {
				for _, s := range stagesAfter[r.Fulfilment.Status] {
					to = append(to, page.Choice{Value: s, Label: v.T("fulfilment." + s)})
				}
			}
			return []question{
				{Field: page.Field{Name: "to", Label: v.T("fulfil.to")}, choices: to},
				{Field: page.Field{Name: "reference", Label: v.T("fulfil.reference"), Hint: v.T("fulfil.reference.hint"), Auto: "off"}},
				{Field: page.Field{Name: "reason", Label: v.T("reason"), Hint: v.T("fulfil.reason.hint")}},
				{Field: page.Field{Name: "keep", Label: v.T("fulfil.keep"), Hint: v.T("fulfil.keep.hint")}, choices: []page.Choice{{Value: "", Label: v.T("fulfil.give_back")}, {Value: "yes", Label: v.T("fulfil.kept")}}},
			}
		},
		send: func(_ *visit, r *redemption, f *page.Form) (string, string, any) {
			body := f.Body("to", "reference", "reason")
			if f.Get("keep") == "yes" {
				body["keep"] = true
			}
			return sendTo(body, "redemptions", r.ID, "fulfilment")
		},
	}
	commitDeed = &deed[redemption]{
		on: redemptionThings, name: "commit", icon: "circle-check", needs: "redemptions:write", offered: isStatus("reserved"),
		ask: func(v *visit, r *redemption, _ *page.Form) []question {
			if zero(r.Money) {
				return nil
			}
			return []question{{Field: page.Field{Name: "money", Label: v.T("red.money"), Hint: v.T("red.money.hint"), Value: r.Money, Required: true, Auto: "off", Mode: "decimal"}}}
		},
		amounts: []string{"money"},
		send: func(_ *visit, r *redemption, f *page.Form) (string, string, any) {
			return sendTo(f.Body("money"), "redemptions", r.ID, "commit")
		},
	}
	cancelDeed = &deed[redemption]{
		on: redemptionThings, name: "cancel", icon: "undo-2", needs: "redemptions:write", offered: isStatus("reserved"), ask: reasonMaybe[redemption], send: stepOf("cancel"),
	}
	refundDeed = &deed[redemption]{
		on: redemptionThings, name: "refund", icon: "undo-2", needs: "redemptions:write", grave: true, offered: isStatus("committed"),
		ask: func(v *visit, r *redemption, _ *page.Form) []question {
			if r.Reward != "" {
				return []question{whyMaybe(v)}
			}
			return []question{{Field: page.Field{Name: "amount", Label: v.T("amount"), Hint: v.T("card.refund.hint"), Auto: "off", Mode: "decimal"}}, whyMaybe(v)}
		},
		amounts: []string{"amount"},
		send: func(_ *visit, r *redemption, f *page.Form) (string, string, any) {
			return sendTo(f.Body("amount", "reason"), "redemptions", r.ID, "refund")
		},
	}
	showCodeDeed = &deed[redemption]{
		on: redemptionThings, name: "code", icon: "eye", needs: "redemptions:write",
		offered: func(_ *visit, r *redemption) bool {
			return r.Code != nil || r.Fulfilment != nil && r.Fulfilment.Kind == "gift_card" && r.Fulfilment.Status == "delivered"
		},
		send: func(_ *visit, r *redemption, _ *page.Form) (string, string, any) {
			return sendTo(map[string]any{}, "redemptions", r.ID, "code")
		},
		secrets: shownCode,
	}
	newVoucherDeed = &deed[redemption]{
		on: redemptionThings, name: "voucher", icon: "refresh-cw", needs: "redemptions:write", offered: voucherIs("usable", "waiting"),
		send: func(_ *visit, r *redemption, _ *page.Form) (string, string, any) {
			return sendTo(map[string]any{}, "redemptions", r.ID, "voucher", "code")
		},
		secrets: shownCode,
	}
	undoVoucherDeed = &deed[redemption]{
		on: redemptionThings, name: "unuse", icon: "undo-2", needs: "redemptions:write",
		offered: func(_ *visit, r *redemption) bool {
			return r.Voucher != nil && r.Voucher.Used > 0 && r.Status == "committed"
		},
		ask: reasonMaybe[redemption], send: stepOf("voucher", "undo"),
	}
	voidVoucherDeed = &deed[redemption]{
		on: redemptionThings, name: "void", icon: "ban", needs: "redemptions:write", grave: true, offered: voucherIs("usable", "waiting"), ask: reasonMaybe[redemption], send: stepOf("voucher", "void"),
	}
	cancelOrderDeed = &deed[redemption]{
		on: redemptionThings, name: "order", icon: "ban", needs: "redemptions:write", grave: true,
		offered: func(_ *visit, r *redemption) bool {
			return r.Fulfilment != nil && r.Fulfilment.Kind == "gift_card" && r.Fulfilment.Status == "ordered"
		},
		send: func(_ *visit, r *redemption, _ *page.Form) (string, string, any) {
			return sendTo(map[string]any{}, "redemptions", r.ID, "order", "cancel")
		},
	}
)

// shownCode is a code with its PIN, wherever the answer has it.
func shownCode(v *visit, raw []byte) (out []secret) {
	var got struct {
		Code        string       `json:"code"`
		PIN         string       `json:"pin"`
		Redemptions []redemption `json:"redemptions"`
	}
	if !readAnswer(raw, &got) {
		return nil
	}
	for i := range got.Redemptions {
		if w := got.Redemptions[i].Voucher; w != nil {
			got.Code = cmp.Or(got.Code, w.Code)
		}
	}
	if got.Code != "" {
		out = append(out, secret{v.T("code"), got.Code})
	}
	if got.PIN != "" {
		out = append(out, secret{v.T("pin"), got.PIN})
	}
	return out
}

// paid is what something cost, in words: «50 stjerner + 49,00 kr».
func (v *visit) paid(units map[string]string, money string) string {
	var parts []string
	for _, u := range slices.Sorted(maps.Keys(units)) {
		if !zero(units[u]) {
			parts = append(parts, v.amount(u, units[u]))
		}
	}
	if !zero(money) {
		parts = append(parts, v.money(money))
	}
	return strings.Join(parts, " + ")
}

// times names what was redeemed, with how many of it.
func (v *visit) times(r *redemption) string {
	if r.Quantity > 1 {
		return v.count(r.Quantity) + " × " + v.nameOf(r)
	}
	return v.nameOf(r)
}
