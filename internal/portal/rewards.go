package portal

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/page"
)

// redemption is a reward that the member chose, with what was handed over.
type redemption struct {
	ID       string            `json:"id"`
	Status   string            `json:"status"`
	Reward   string            `json:"reward"`
	Title    string            `json:"title"`
	Quantity int64             `json:"quantity"`
	Price    map[string]string `json:"price"`
	Money    string            `json:"money"`
	Link     string            `json:"link"`
	Place    string            `json:"place"`
	StartsAt *time.Time        `json:"starts_at"`
	At       time.Time         `json:"at"`
	Expires  *time.Time        `json:"expires_at"`
	Code     *struct {
		Code string `json:"code"`
		Tail string `json:"tail"`
	} `json:"code"`
	Voucher *struct {
		Code    string     `json:"code"`
		Tail    string     `json:"tail"`
		Status  string     `json:"status"`
		Uses    int64      `json:"uses"`
		Used    int64      `json:"used"`
		Money   string     `json:"money"`
		Percent string     `json:"percent"`
		Until   *time.Time `json:"valid_until"`
	} `json:"voucher"`
	Fulfilment *struct {
		Kind      string    `json:"kind"`
		Status    string    `json:"status"`
		At        time.Time `json:"at"`
		Reference string    `json:"reference"`
		Tail      string    `json:"tail"`
	} `json:"fulfilment"`
}

// shows says whether there is still something to do with it: to show, to use, or to wait for.
func (r redemption) shows() bool {
	switch {
	case r.Status == "reserved":
		return true
	case r.Status != "committed":
		return false
	case r.Voucher != nil:
		return r.Voucher.Status == "usable" || r.Voucher.Status == "waiting"
	case r.Fulfilment != nil:
		return r.Fulfilment.Status != "returned" && r.Fulfilment.Status != "failed" && (r.Fulfilment.Status != "delivered" || r.Fulfilment.Kind == "gift_card")
	}
	return r.Code != nil || r.Link != "" || r.StartsAt != nil
}

// hidden says whether it has a code that is not on the page.
func (r redemption) hidden() bool {
	switch {
	case r.Status != "committed":
		return false
	case r.Voucher != nil:
		return r.Voucher.Code == "" && (r.Voucher.Status == "usable" || r.Voucher.Status == "waiting")
	case r.Code != nil:
		return r.Code.Code == ""
	}
	return r.Fulfilment != nil && r.Fulfilment.Kind == "gift_card" && r.Fulfilment.Status == "delivered"
}

// shelf is all that there is to choose from, and what was chosen.
type shelf struct {
	groups [3][]reward // by nearness
	pays   []reward
	mine   []redemption
}

func (c *Portal) rewards(v *visit) error {
	list, err := v.rewards()
	if err != nil {
		return err
	}
	var s shelf
	for _, r := range list {
		if r.Gives == "money" {
			s.pays = append(s.pays, r)
			continue
		}
		s.groups[nearness(r)] = append(s.groups[nearness(r)], r)
	}
	var mine struct{ Items []redemption }
	if err := v.api.Get(v.r.Context(), v.mine("redemptions"), url.Values{"limit": {"50"}}, &mine); err != nil {
		return err
	}
	s.mine = slices.DeleteFunc(mine.Items, func(r redemption) bool { return !r.shows() })
	return v.show(rewardsPage(v, s))
}

func (v *visit) reward() (r reward, err error) {
	err = v.api.Get(v.r.Context(), page.Path("rewards", v.r.PathValue("reward")), url.Values{"member": {v.m.ID}}, &r)
	return r, err
}

// choices are the rewards of which one is picked, as they are called.
func (v *visit) choices(r reward) []page.Choice {
	var out []page.Choice
	for _, id := range r.Choice {
		name := id
		if one := v.p.Rewards[id]; one != nil && one.Title.In(v.lang) != "" {
			name = one.Title.In(v.lang)
		}
		out = append(out, page.Choice{Value: id, Label: name})
	}
	return out
}

func (c *Portal) rewardPage(v *visit) error {
	r, err := v.reward()
	if err != nil {
		return err
	}
	return v.show(rewardPage(v, r, page.NewForm("key", ids.Code(20))))
}

// redeem takes a reward. What costs money too is reserved: it is paid for at the till.
func (c *Portal) redeem(v *visit) error {
	f, err := v.form()
	if err != nil {
		return err
	}
	r, err := v.reward()
	if err != nil {
		return err
	}
	body := map[string]any{"member": v.m.ID, "reward": r.ID, "channel": "portal", "commit": r.For.Money == "" || zero(r.For.Money)}
	if r.For.Option > 1 {
		body["option"] = r.For.Option
	}
	if pick := f.Get("choose"); pick != "" {
		body["choose"] = pick
	}
	var out struct{ Redemptions []redemption }
	if err := v.api.Post(v.r.Context(), page.Path("redemptions"), "redeem-"+f.Get("key"), body, &out); err != nil {
		f.Set("key", ids.Code(20))
		return v.again(f, err, func(status int) error { return v.showAs(status, rewardPage(v, r, f)) })
	}
	if len(out.Redemptions) == 0 {
		return errs.Internal("no_redemption", "a reward was redeemed and there is no redemption")
	}
	got := out.Redemptions[0]
	if got.Voucher == nil || got.Voucher.Code == "" { // its code is in this answer alone
		return v.said(string(v.at("redemptions", got.ID)), "redeemed")
	}
	return v.show(redemptionPage(v, got, secret{Code: got.Voucher.Code}, nil, v.T("said.redeemed")))
}

// secret is a code that was asked for.
type secret struct {
	Code string     `json:"code"`
	PIN  string     `json:"pin"`
	Ends *time.Time `json:"ends_at"`
}

func (v *visit) redemption() (r redemption, err error) {
	err = v.api.Get(v.r.Context(), page.Path("redemptions", v.r.PathValue("redemption")), nil, &r)
	return r, err
}

func (c *Portal) redemption(v *visit) error {
	r, err := v.redemption()
	if err != nil {
		return err
	}
	return v.show(redemptionPage(v, r, secret{}, page.NewForm(), v.saying()))
}

// showCode shows the code of a redemption. That of a voucher is kept nowhere: it gets another.
func (c *Portal) showCode(v *visit) error {
	r, err := v.redemption()
	if err != nil {
		return err
	}
	var s secret
	if r.Voucher != nil {
		var out struct{ Redemptions []redemption }
		err = v.api.Post(v.r.Context(), page.Path("redemptions", r.ID, "voucher", "code"), "", nil, &out)
		if err == nil && len(out.Redemptions) > 0 && out.Redemptions[0].Voucher != nil {
			s.Code = out.Redemptions[0].Voucher.Code
		}
	} else {
		err = v.api.Post(v.r.Context(), page.Path("redemptions", r.ID, "code"), "", nil, &s)
	}
	if err != nil {
		f := page.NewForm()
		return v.again(f, err, func(status int) error { return v.showAs(status, redemptionPage(v, r, secret{}, f, "")) })
	}
	return v.showAs(http.StatusOK, redemptionPage(v, r, s, nil, ""))
}

func (c *Portal) cancel(v *visit) error {
	r, err := v.redemption()
	if err != nil {
		return err
	}
	if err := v.api.Post(v.r.Context(), page.Path("redemptions", r.ID, "cancel"), "cancel-"+r.ID, nil, nil); err != nil {
		f := page.NewForm()
		return v.again(f, err, func(status int) error { return v.showAs(status, redemptionPage(v, r, secret{}, f, "")) })
	}
	return v.said(string(v.at("rewards")), "cancelled")
}

// stands says how far a redemption is.
func (v *visit) stands(r redemption) string {
	switch {
	case r.Status == "reserved" && r.Expires != nil:
		return v.T("redemption.reserved", v.when(*r.Expires))
	case r.Status != "committed":
		return v.T("redemption.status." + r.Status)
	case r.Voucher != nil && r.Voucher.Status == "usable" && r.Voucher.Until != nil:
		return v.T("redemption.until", v.lastDay(*r.Voucher.Until))
	case r.Voucher != nil:
		return v.T("voucher." + r.Voucher.Status)
	case r.Fulfilment != nil:
		return v.T("fulfilment." + r.Fulfilment.Status)
	case r.StartsAt != nil:
		return v.when(*r.StartsAt)
	}
	return v.day(r.At)
}

// worth is what a voucher takes off.
func (v *visit) worth(r redemption) string {
	switch {
	case r.Voucher == nil:
		return ""
	case r.Voucher.Percent != "":
		return v.T("voucher.percent", v.number(r.Voucher.Percent))
	case r.Voucher.Money != "":
		return v.T("voucher.money", v.money(r.Voucher.Money))
	}
	return ""
}

func left(n int64) string { return strconv.FormatInt(n, 10) }
