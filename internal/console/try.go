package console

import (
	"strings"
	"time"

	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/page"
	"lojal.dev/lojal/internal/web"
)

// outcome is what a purchase would come to by one document.
type outcome struct {
	// by is the key of the words for that document.
	by      string
	told    *told
	problem string
}

// tryPage asks what a purchase would give, by the program in force and by the draft beside it. It keeps nothing, and its address can be sent to others.
func (c *Console) tryPage(v *visit) error {
	f := page.NewForm()
	f.Values = v.r.URL.Query()
	if !f.Has("amount") {
		return v.show(tryPage(v, f, v.toTry(f), nil))
	}
	facts := v.tried(f)
	if len(f.Wrong) > 0 {
		return v.show(tryPage(v, f, v.toTry(f), nil))
	}
	var d draft
	if err := v.api.Get(v.r.Context(), page.Path("program", "draft"), nil, &d); err != nil {
		return err
	}
	asks := []outcome{{by: "try.now"}}
	if d.Revision > 0 {
		asks = append(asks, outcome{by: "try.draft"})
	}
	for i := range asks {
		body := map[string]any{"facts": facts}
		if asks[i].by == "try.draft" {
			body["source"] = d.Source
		}
		if err := v.simulated(f, body, &asks[i]); err != nil {
			return err
		}
	}
	return v.show(tryPage(v, f, v.toTry(f), asks))
}

func (v *visit) toTry(f *page.Form) []question {
	list := []question{
		{Field: page.Field{Name: "member", Label: v.T("try.member"), Hint: v.T("try.member.hint"), Auto: "off"}},
		{Field: page.Field{Name: "amount", Label: v.T("amount"), Hint: v.T("purchase.amount.hint", v.currency("")), Auto: "off", Mode: "decimal", Required: true}},
		{Field: page.Field{Name: "category", Label: v.T("try.category"), Hint: v.T("try.category.hint"), Auto: "off"}},
		{Field: page.Field{Name: "store", Label: v.T("purchase.store"), Hint: v.T("optional"), Auto: "off"}},
		{Field: page.Field{Name: "at", Label: v.T("purchase.at"), Hint: v.T("try.at.hint"), Type: "datetime-local"}},
	}
	filled(list, f)
	return list
}

// tried makes the facts of what was typed: a purchase, and before it the enrolment of somebody made up where nobody is named.
func (v *visit) tried(f *page.Form) []any {
	v.typed(f, "amount")
	at := v.now
	if text := f.Get("at"); text != "" {
		t, err := time.ParseInLocation(formTime, text, v.zone(v.now))
		if err != nil {
			f.Wrong["at"] = v.T("purchase.at.wrong")
		}
		at = t
	}
	bought := f.Body("store")
	if category := strings.TrimSpace(f.Get("category")); category != "" {
		bought["lines"] = []any{map[string]any{"id": "1", "category": category, "amount": f.Get("amount")}}
	} else {
		bought["amount"] = f.Get("amount")
	}
	bought["occurred_at"] = at.Format(time.RFC3339)
	if strings.TrimSpace(f.Get("member")) != "" {
		m, err := v.named(f.Get("member"))
		if err != nil {
			f.Wrong["member"] = v.T("try.nobody")
		}
		bought["member"] = m.ID
		return []any{map[string]any{"purchase": bought}}
	}
	somebody := "try-" + ids.Code(10)
	bought["member"] = "ext:" + somebody
	return []any{
		map[string]any{"enrolment": map[string]any{"external_id": somebody, "joined_at": at.Format(time.RFC3339)}},
		map[string]any{"purchase": bought},
	}
}

// simulated asks for one outcome; what the API refuses of it is said in its place.
func (v *visit) simulated(f *page.Form, body map[string]any, out *outcome) error {
	var got struct {
		Results []struct {
			Result  *told
			Problem *web.Problem
		}
	}
	if err := v.api.Post(v.r.Context(), page.Path("simulations"), "", body, &got); err != nil {
		e := errs.As(err)
		if e.Code != errs.CodeInvalid && e.Code != errs.CodeMalformed {
			return err
		}
		out.problem = v.T("try.draft.wrong")
		return nil
	}
	for _, r := range got.Results {
		if r.Problem != nil {
			out.told, out.problem = nil, r.Problem.Detail
			for _, e := range r.Problem.Errors {
				if e.Pointer != nil {
					f.Wrong[(*e.Pointer)[strings.LastIndexByte(*e.Pointer, '/')+1:]] = e.Detail
				}
			}
			return nil
		}
		out.told = r.Result // the purchase is the last
	}
	return nil
}
