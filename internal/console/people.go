package console

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"lojal.dev/lojal/internal/page"
	"lojal.dev/lojal/internal/web"
)

// Enrolling by hand.

func (v *visit) newMember(f *page.Form) []question {
	list := []question{{Field: page.Field{Name: "card", Label: v.identifier("card"), Hint: v.T("optional"), Auto: "off"}}}
	list = append(v.aboutMember(), list...)
	filled(list, f)
	return list
}

func (c *Console) enrolPage(v *visit) error {
	f := page.NewForm("language", v.lang)
	return v.show(enrolPage(v, f, v.newMember(f), nil))
}

// alike are members of the same name, whom it would be a mistake to enrol again.
func (v *visit) alike(f *page.Form) ([]member, error) {
	q := strings.TrimSpace(f.Get("given_name") + " " + f.Get("family_name"))
	if q == "" {
		return nil, nil
	}
	var list memberPage
	err := v.api.Get(v.r.Context(), page.Path("members"), url.Values{"limit": {"5"}, "q": {q}}, &list)
	return slices.DeleteFunc(list.Items, func(m member) bool { return m.ID == "" }), err
}

func (c *Console) enrol(v *visit) error {
	f, err := v.form()
	if err != nil {
		return err
	}
	if f.Get("sure") == "" {
		same, err := v.alike(f)
		if err != nil {
			return err
		}
		if len(same) > 0 {
			return v.showAs(http.StatusConflict, enrolPage(v, f, v.newMember(f), same))
		}
	}
	body := f.Body(profileFields...)
	if card := strings.TrimSpace(f.Get("card")); card != "" {
		body["identifiers"] = []identifier{{"card", card}}
	}
	var m member
	if err := v.api.Post(v.r.Context(), page.Path("members"), f.Get("key"), body, &m); err != nil {
		return v.again(f, err, func(status int) error { return v.showAs(status, enrolPage(v, f, v.newMember(f), nil)) })
	}
	return v.said("/console/members/"+url.PathEscape(m.ID), "enrolled")
}

// pair is two members that look like one.
type pair struct {
	A       string   `json:"a"`
	B       string   `json:"b"`
	Reasons []string `json:"reasons"`
	a, b    member
}

func (c *Console) duplicates(v *visit) error {
	var list struct {
		Items []pair
		Next  string `json:"next_cursor"`
	}
	ask := url.Values{"limit": {"20"}}
	if cursor := v.r.URL.Query().Get("cursor"); cursor != "" {
		ask.Set("cursor", cursor)
	}
	if err := v.api.Get(v.r.Context(), page.Path("members", "duplicates"), ask, &list); err != nil {
		return err
	}
	for i := range list.Items {
		p := &list.Items[i]
		for id, out := range map[string]*member{p.A: &p.a, p.B: &p.b} {
			if err := v.api.Get(v.r.Context(), page.Path("members", id), nil, out); err != nil {
				return err
			}
		}
	}
	return v.show(duplicatesPage(v, list.Items, list.Next))
}

// A purchase by hand.

func (v *visit) newPurchase(f *page.Form) []question {
	list := []question{
		{Field: page.Field{Name: "amount", Label: v.T("amount"), Hint: v.T("purchase.amount.hint", v.currency("")), Auto: "off", Mode: "decimal", Required: true}},
		{Field: page.Field{Name: "store", Label: v.T("purchase.store"), Hint: v.T("optional"), Auto: "off"}},
		{Field: page.Field{Name: "at", Label: v.T("purchase.at"), Hint: v.T("purchase.at.hint"), Type: "datetime-local"}},
		{Field: page.Field{Name: "external_id", Label: v.T("purchase.receipt"), Hint: v.T("purchase.receipt.hint"), Auto: "off"}},
	}
	filled(list, f)
	return list
}

func (c *Console) purchasePage(v *visit) error {
	m, err := v.oneMember()
	if err != nil {
		return err
	}
	f := page.NewForm()
	return v.show(purchasePage(v, m, f, v.newPurchase(f), nil))
}

func (c *Console) purchase(v *visit) error {
	f, err := v.form()
	if err != nil {
		return err
	}
	m, err := v.oneMember()
	if err != nil {
		return err
	}
	v.typed(f, "amount")
	body := f.Body("amount", "store", "external_id")
	body["member"] = m.ID
	if body["external_id"] != nil {
		body["source"] = cmp.Or(strings.TrimSpace(f.Get("store")), "console")
	}
	if at := f.Get("at"); at != "" {
		t, err := time.ParseInLocation("2006-01-02T15:04", at, v.zone(v.now))
		if err != nil {
			f.Wrong["at"] = v.T("purchase.at.wrong")
		}
		body["occurred_at"] = t.Format(time.RFC3339)
	}
	if len(f.Wrong) > 0 {
		return v.showAs(http.StatusUnprocessableEntity, purchasePage(v, m, f, v.newPurchase(f), nil))
	}
	if f.Get("do") != "record" && v.may("simulations:write") {
		return c.tryPurchase(v, m, f, body)
	}
	var t told
	if err := v.api.Post(v.r.Context(), page.Path("purchases"), f.Get("key"), body, &t); err != nil {
		return c.purchaseRefused(v, m, f, err)
	}
	return v.said("/console/facts/"+url.PathEscape(t.ID), "purchase")
}

func (c *Console) purchaseRefused(v *visit, m member, f *page.Form, err error) error {
	return v.again(f, err, func(status int) error { return v.showAs(status, purchasePage(v, m, f, v.newPurchase(f), nil)) })
}

// tryPurchase says what the purchase would give, and keeps nothing.
func (c *Console) tryPurchase(v *visit, m member, f *page.Form, body map[string]any) error {
	var got struct {
		Results []struct {
			Result  *told
			Problem *web.Problem
		}
	}
	err := v.api.Post(v.r.Context(), page.Path("simulations"), "", map[string]any{"facts": []any{map[string]any{"purchase": body}}}, &got)
	if err != nil {
		return c.purchaseRefused(v, m, f, err)
	}
	for _, r := range got.Results {
		if r.Problem != nil {
			f.All = r.Problem.Detail
			for _, e := range r.Problem.Errors {
				if e.Pointer != nil {
					f.Wrong[(*e.Pointer)[strings.LastIndexByte(*e.Pointer, '/')+1:]] = e.Detail
				}
			}
			return v.showAs(http.StatusUnprocessableEntity, purchasePage(v, m, f, v.newPurchase(f), nil))
		}
		if r.Result != nil {
			return v.show(purchasePage(v, m, f, v.newPurchase(f), r.Result))
		}
	}
	return v.show(purchasePage(v, m, f, v.newPurchase(f), nil))
}
