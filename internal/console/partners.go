package console

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"net/http"
	"slices"
	"strings"
	"time"

	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/page"
)

// partner is a partner as the program has agreed with it.
type partner struct {
	ID       string            `json:"id"`
	Name     string            `json:"name"`
	Awards   map[string]string `json:"awards"`
	Accepts  map[string]string `json:"accepts"`
	Pays     string            `json:"pays"`
	Credit   string            `json:"credit"`
	Currency string            `json:"currency"`
	Benefits []string          `json:"benefits"`
}

// statement is a partner's month.
type statement struct {
	Month     string `json:"month"`
	MonthName string `json:"month_name"`
	Over      bool   `json:"over"`
	Sums      []struct {
		SortName string `json:"sort_name"`
		UnitName string `json:"unit_name"`
		Price    string `json:"price"`
		Count    int64  `json:"count"`
		Amount   string `json:"amount"`
		Money    string `json:"money"`
	} `json:"sums"`
	Payments []struct {
		Reference string    `json:"reference"`
		Amount    string    `json:"amount"`
		PaidAt    time.Time `json:"paid_at"`
		Note      string    `json:"note"`
	} `json:"payments"`
	Opening string `json:"opening"`
	Billed  string `json:"billed"`
	Paid    string `json:"paid"`
	Closing string `json:"closing"`
	Due     string `json:"due"`
}

// entry is a line of a partner's ledger.
type entry struct {
	at                                      time.Time
	fact, member, sort, unit, amount, money string
}

// partnerMonth is a partner with a month of what was done there.
type partnerMonth struct {
	partner
	statement statement
	entries   []entry
	// more is how many lines are in the file and not on the page.
	more          int
	names         map[string]string
	before, after string
	keys          []apiKey
}

// inMoney writes an amount of the program's currency that may be finer than what can be paid.
func (v *visit) inMoney(text string) string {
	if _, err := decimal(text).Minor(v.exponent()); err != nil {
		return v.exactly(text)
	}
	return v.money(text)
}

// exactly writes a price of a point, which is often finer than the currency's smallest coin.
func (v *visit) exactly(text string) string {
	return lang.Number(v.lang, decimal(text)) + " " + v.inCurrency()
}

// owes says in words who owes whom.
func (v *visit) owes(amount, name string) string {
	switch {
	case zero(amount):
		return v.T("partner.even")
	case strings.HasPrefix(amount, "-"):
		return v.T("partner.owed", v.inMoney(strings.TrimPrefix(amount, "-")), name)
	}
	return v.T("partner.owes", name, v.inMoney(amount))
}

// month is that of a time, in the program's zone.
func (v *visit) month(t time.Time) string { return t.In(v.zone(t)).Format("2006-01") }

func (c *Console) partners(v *visit) error {
	var list struct{ Items []partner }
	if err := v.api.Get(v.r.Context(), page.Path("partners"), nil, &list); err != nil {
		return err
	}
	months := map[string]statement{}
	for _, p := range list.Items {
		var st statement
		if err := v.api.Get(v.r.Context(), page.Path("partners", p.ID, "statements", v.month(v.now)), nil, &st); err != nil {
			return err
		}
		months[p.ID] = st
	}
	return v.show(partnersPage(v, list.Items, months))
}

var partnerThings = &things[partner]{
	word: "partner", in: "partner",
	get: func(v *visit, id string) (p partner, err error) {
		err = v.api.Get(v.r.Context(), page.Path("partners", id), nil, &p)
		return p, err
	},
	name: func(_ *visit, p *partner) string { return cmp.Or(p.Name, p.ID) },
	back: func(p *partner) string { return below("partners", p.ID) },
}

// mostEntries is how many lines of a month a page shows; all of them are in the file.
const mostEntries = 100

func (c *Console) onePartner(v *visit) error {
	p, err := partnerThings.get(v, v.r.PathValue("partner"))
	if err != nil {
		return err
	}
	m := partnerMonth{partner: p}
	month := v.month(v.now)
	if asked := v.r.URL.Query().Get("month"); asked != "" {
		month = asked
	}
	ctx := v.r.Context()
	if err := v.api.Get(ctx, page.Path("partners", p.ID, "statements", month), nil, &m.statement); err != nil {
		return err
	}
	if t, err := time.Parse("2006-01", month); err == nil {
		m.before = t.AddDate(0, -1, 0).Format("2006-01")
		if next := t.AddDate(0, 1, 0).Format("2006-01"); next <= v.month(v.now) {
			m.after = next
		}
	}
	raw, err := v.api.Raw(ctx, http.MethodGet, page.Path("partners", p.ID, "statements", month, "csv"), nil, "", nil)
	if err != nil {
		return err
	}
	if m.entries, m.more, err = ledgerOf(raw); err != nil {
		return err
	}
	if m.names, err = v.names(func(yield func(string) bool) {
		for i := range m.entries {
			if !yield(m.entries[i].member) {
				return
			}
		}
	}); err != nil {
		return err
	}
	if v.may("admin") {
		var keys struct{ Items []apiKey }
		if err := v.api.Get(ctx, page.Path("keys"), nil, &keys); err != nil {
			return err
		}
		m.keys = slices.DeleteFunc(keys.Items, func(k apiKey) bool { return k.Partner != p.ID || k.RevokedAt != nil })
	}
	return v.show(partnerPage(v, &m))
}

// ledgerOf reads the lines of a statement's file, the newest first, as many as a page shows.
func ledgerOf(raw []byte) (out []entry, more int, err error) {
	rows, err := csv.NewReader(bytes.NewReader(raw)).ReadAll()
	if err != nil {
		return nil, 0, errs.Malformed("statement", "The lines of the statement could not be read.").Because(err)
	}
	for i := len(rows) - 1; i > 0; i-- {
		if len(out) == mostEntries {
			return out, i, nil
		}
		if r := rows[i]; len(r) >= 9 {
			at, err := time.Parse(time.RFC3339, r[0])
			if err != nil {
				continue
			}
			out = append(out, entry{at: at, fact: r[2], member: r[3], sort: r[4], unit: r[5], amount: r[6], money: r[8]})
		}
	}
	return out, 0, nil
}

// statementFile hands a statement on as the API makes it.
func (c *Console) statementFile(v *visit) error {
	form := v.r.PathValue("form")
	kind := map[string]string{"pdf": "application/pdf", "csv": "text/csv; charset=utf-8"}[form]
	if kind == "" {
		return errs.NotFound("no_page", v.T("no_page"))
	}
	id, month := v.r.PathValue("partner"), v.r.PathValue("month")
	raw, err := v.api.Raw(v.r.Context(), http.MethodGet, page.Path("partners", id, "statements", month, form), nil, "", nil)
	if err != nil {
		return err
	}
	v.done = true
	h := v.w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Disposition", `attachment; filename="`+safeName(id+"-"+month)+"."+form+`"`)
	h.Set("Cache-Control", "no-store")
	_, err = v.w.Write(raw)
	return err
}

// safeName keeps of a name what a file may be called.
func safeName(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '-'
	}, s)
}

// unitsIn are choices of units that a partner gives or takes.
func (v *visit) unitsIn(prices map[string]string) []page.Choice {
	var out []page.Choice
	for u := range prices {
		out = append(out, page.Choice{Value: u, Label: v.unit(u)})
	}
	slices.SortFunc(out, func(a, b page.Choice) int { return strings.Compare(a.Value, b.Value) })
	return out
}

// partnerDeeds are what can be done with a partner.
var partnerDeeds = []*deed[partner]{settleDeed, awardDeed, acceptDeed, undoDeed, partnerKeyDeed}

// atPartner are the fields of points that are given, or taken as payment, at a partner.
func atPartner(prices func(*partner) map[string]string) func(*visit, *partner, *page.Form) []question {
	return func(v *visit, p *partner, _ *page.Form) []question {
		return []question{
			{Field: page.Field{Name: "member", Label: v.T("member"), Hint: v.T("member.hint"), Required: true, Auto: "off"}},
			{Field: page.Field{Name: "unit", Label: v.T("unit")}, choices: v.unitsIn(prices(p))},
			{Field: page.Field{Name: "amount", Label: v.T("amount"), Required: true, Auto: "off", Mode: "decimal"}},
			{Field: page.Field{Name: "external_id", Label: v.T("partner.number"), Hint: v.T("partner.number.hint"), Required: true, Auto: "off"}},
			whyMaybe(v),
		}
	}
}

func sendAt(verb string) func(*visit, *partner, *page.Form) (string, string, any) {
	return func(v *visit, p *partner, f *page.Form) (string, string, any) {
		m, err := v.named(f.Get("member"))
		if err != nil {
			f.Wrong["member"] = v.T("merge.nobody")
			return "", "", nil
		}
		body := f.Body("unit", "amount", "external_id", "reason")
		body["member"] = m.ID
		return sendTo(body, "partners", p.ID, verb)
	}
}

var (
	settleDeed = &deed[partner]{
		on: partnerThings, name: "settle", icon: "wallet", needs: "partners:write",
		ask: func(v *visit, _ *partner, _ *page.Form) []question {
			return []question{
				{Field: page.Field{Name: "amount", Label: v.T("amount"), Hint: v.T("partner.settle.hint"), Required: true, Auto: "off"}},
				{Field: page.Field{Name: "reference", Label: v.T("partner.reference"), Hint: v.T("partner.reference.hint"), Required: true, Auto: "off"}},
				{Field: page.Field{Name: "paid_at", Label: v.T("partner.paid_at"), Hint: v.T("optional"), Type: "date"}},
				{Field: page.Field{Name: "note", Label: v.T("partner.note"), Hint: v.T("optional"), Auto: "off"}},
			}
		},
		amounts: []string{"amount"},
		send: func(v *visit, p *partner, f *page.Form) (string, string, any) {
			body := f.Body("amount", "reference", "note")
			if day := f.Get("paid_at"); day != "" {
				body["paid_at"] = day // the route says what is wrong with it, when it is no day
				if t, err := time.ParseInLocation(time.DateOnly, day, v.zone(v.now)); err == nil {
					body["paid_at"] = t.Format(time.RFC3339)
				}
			}
			return sendTo(body, "partners", p.ID, "settlements")
		},
	}
	awardDeed = &deed[partner]{
		on: partnerThings, name: "award", icon: "gift", needs: "awards:write", offered: func(_ *visit, p *partner) bool { return len(p.Awards) > 0 },
		ask: atPartner(func(p *partner) map[string]string { return p.Awards }), amounts: []string{"amount"}, send: sendAt("awards"),
	}
	acceptDeed = &deed[partner]{
		on: partnerThings, name: "accept", icon: "wallet", needs: "awards:write", offered: func(_ *visit, p *partner) bool { return len(p.Accepts) > 0 },
		ask: atPartner(func(p *partner) map[string]string { return p.Accepts }), amounts: []string{"amount"}, send: sendAt("payments"),
	}
	undoDeed = &deed[partner]{
		on: partnerThings, name: "undo", icon: "undo-2", needs: "awards:write", grave: true,
		ask: func(v *visit, _ *partner, _ *page.Form) []question {
			return []question{{Field: page.Field{Name: "fact", Label: v.T("partner.fact"), Hint: v.T("partner.fact.hint"), Required: true, Auto: "off"}}, whyMaybe(v)}
		},
		send: func(_ *visit, p *partner, f *page.Form) (string, string, any) {
			return sendTo(f.Body("fact", "reason"), "partners", p.ID, "undo")
		},
	}
	partnerKeyDeed = &deed[partner]{
		on: partnerThings, name: "key", icon: "key-round", needs: "admin",
		ask: func(v *visit, p *partner, _ *page.Form) []question {
			return []question{
				{Field: page.Field{Name: "name", Label: v.T("partner.key.name"), Value: p.Name, Required: true, Auto: "off"}},
				{Field: page.Field{Name: "may", Label: v.T("partner.key.may")}, choices: []page.Choice{{Value: "awards", Label: v.T("partner.key.awards")}, {Value: "read", Label: v.T("partner.key.read")}}},
			}
		},
		send: func(_ *visit, p *partner, f *page.Form) (string, string, any) {
			scopes := []string{"partners:read"}
			if f.Get("may") != "read" {
				scopes = append(scopes, "awards:write")
			}
			return sendTo(map[string]any{"name": strings.TrimSpace(f.Get("name")), "scopes": scopes, "partner": p.ID}, "keys")
		},
		secrets: func(v *visit, raw []byte) []secret {
			var got struct{ Secret string }
			if !readAnswer(raw, &got) || got.Secret == "" {
				return nil
			}
			return []secret{{v.T("partner.key"), got.Secret}}
		},
	}
)

// revokePartnerKey ends a key of a partner.
func (c *Console) revokePartnerKey(v *visit) error {
	f, err := v.form()
	if err != nil {
		return err
	}
	if err := v.api.Post(v.r.Context(), page.Path("keys", f.Get("key"), "revoke"), "", map[string]any{}, nil); err != nil {
		return err
	}
	return v.said(below("partners", v.r.PathValue("partner")), "partner_key_revoked")
}
