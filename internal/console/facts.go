package console

import (
	"cmp"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"

	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/page"
)

// told is a fact with what was sent and its explanation.
type told struct {
	ID          string    `json:"id"`
	Kind        string    `json:"kind"`
	Member      string    `json:"member"`
	Source      string    `json:"source"`
	ExternalID  string    `json:"external_id"`
	OccurredAt  time.Time `json:"occurred_at"`
	RecordedAt  time.Time `json:"recorded_at"`
	Parent      string    `json:"parent"`
	Actor       string    `json:"actor"`
	Version     int64     `json:"version"`
	Summary     string    `json:"summary"`
	Explanation struct {
		Sentences []struct {
			Text   string   `json:"text"`
			Detail []string `json:"detail"`
		} `json:"sentences"`
	} `json:"explanation"`
	Postings []posting       `json:"postings"`
	Raw      json.RawMessage `json:"body"`
}

type posting struct {
	N      int    `json:"n"`
	Unit   string `json:"unit"`
	From   string `json:"from"`
	To     string `json:"to"`
	Amount string `json:"amount"`
	Rule   string `json:"rule"`
}

// sent is what was sent, as far as pages tell it.
type sent struct {
	Purchase *struct {
		Currency string        `json:"currency"`
		Store    string        `json:"store"`
		Channel  string        `json:"channel"`
		Amount   money.Decimal `json:"amount"`
		Lines    []goods       `json:"lines"`
		Shipping struct {
			Amount money.Decimal `json:"amount"`
		} `json:"shipping"`
		Discounts []struct {
			Amount money.Decimal `json:"amount"`
		} `json:"discounts"`
	} `json:"purchase"`
	Activity *struct {
		Kind  string `json:"kind"`
		Store string `json:"store"`
	} `json:"activity"`
	Adjustment *given `json:"adjustment"`
	Tier       *given `json:"tier"`
	Grant      *given `json:"grant"`
	Status     *struct {
		To     string `json:"to"`
		Reason string `json:"reason"`
	} `json:"status"`
	Merge *given `json:"merge"`
}

type given struct {
	Reason string `json:"reason"`
}

type goods struct {
	SKU      string `json:"sku"`
	Name     string `json:"name"`
	Category string `json:"category"`
	Quantity string `json:"quantity"`
	Amount   string `json:"amount"`
}

func (t told) sent() (s sent) {
	if json.Unmarshal(t.Raw, &s) != nil { // a fact of a form that pages do not know is told by its summary
		return sent{}
	}
	return s
}

// body is what was sent, as it was.
func (t told) body() string {
	var whole any
	if json.Unmarshal(t.Raw, &whole) != nil {
		return ""
	}
	text, err := json.MarshalIndent(whole, "", "  ")
	if err != nil {
		return ""
	}
	return string(text)
}

// head says what happened, before what came of it: «Kjøp · 98,00 kr · Oslo».
func (v *visit) head(t told) string {
	parts := []string{v.kind(t.Kind)}
	s := t.sent()
	switch {
	case s.Purchase != nil && t.Kind == "purchase":
		p := s.Purchase
		sum, _ := v.total(t)
		parts = append(parts, v.sum(p.Currency, sum))
		if w := cmp.Or(p.Store, p.Channel); w != "" {
			parts = append(parts, v.word(w))
		}
	case s.Activity != nil:
		parts = append(parts, v.activity(s.Activity.Kind))
		if s.Activity.Store != "" {
			parts = append(parts, v.word(s.Activity.Store))
		}
	case s.Status != nil:
		if _, ok := words["status."+s.Status.To]; ok {
			parts = append(parts, v.T("status."+s.Status.To))
		}
	}
	return strings.Join(parts, " · ")
}

// total is what a purchase came to, with its shipping and less its discounts; false where the fact is none.
func (v *visit) total(t told) (string, bool) {
	p := t.sent().Purchase
	if p == nil {
		return "", false
	}
	if len(p.Lines) == 0 {
		return p.Amount.String(), true
	}
	total := int64(0)
	scale := money.Exponent(v.currency(p.Currency))
	add := func(d money.Decimal, sign int64) {
		if n, err := d.Minor(scale); err == nil {
			total += sign * n
		}
	}
	for _, l := range p.Lines {
		add(decimal(l.Amount), 1)
	}
	add(p.Shipping.Amount, 1)
	for _, d := range p.Discounts {
		add(d.Amount, -1)
	}
	return money.Format(total, scale), true
}

// reason is what was given as one.
func (s sent) reason() string {
	for _, b := range []*given{s.Adjustment, s.Tier, s.Grant, s.Merge} {
		if b != nil {
			return b.Reason
		}
	}
	if s.Status != nil {
		return s.Status.Reason
	}
	return ""
}

// bought names what was bought, at most four things.
func (s sent) bought() string {
	if s.Purchase == nil {
		return ""
	}
	var out []string
	for _, l := range s.Purchase.Lines {
		n := cmp.Or(l.Name, l.SKU)
		if n == "" {
			continue
		}
		if len(out) == 4 {
			return strings.Join(out, ", ") + " …"
		}
		if l.Quantity != "" && l.Quantity != "1" {
			n = l.Quantity + " × " + n
		}
		out = append(out, n)
	}
	return strings.Join(out, ", ")
}

func (v *visit) kind(kind string) string {
	if _, ok := words["kind."+kind]; ok {
		return v.T("kind." + kind)
	}
	return kind
}

// currency is that of a purchase, the program's when it says none.
func (v *visit) currency(own string) string {
	if own == "" && v.p != nil {
		return v.p.Doc.Currency
	}
	return own
}

func (v *visit) sum(currency, text string) string {
	currency = v.currency(currency)
	minor, err := decimal(text).Minor(money.Exponent(currency))
	if err != nil || currency == "" {
		return text
	}
	return lang.Money(v.lang, currency, minor)
}

// word is what people call a word that purchases come with, such as a store.
func (v *visit) word(w string) string {
	if v.p != nil {
		if n := v.p.Doc.Names[w].In(v.lang); n != "" {
			return n
		}
	}
	return w
}

func (v *visit) activity(kind string) string {
	if v.p != nil {
		if n := v.p.Doc.Activities[kind].Name.In(v.lang); n != "" {
			return n
		}
	}
	return kind
}

// account is what to call an account of the books.
func (v *visit) account(name string) string {
	name = strings.TrimPrefix(name, "program:")
	if _, ok := words["account."+name]; ok {
		return v.T("account." + name)
	}
	return name
}

// filters are what the history can be kept to.
var filters = []struct{ name, kinds string }{
	{"all", ""},
	{"bought", "purchase,return"},
	{"activities", "activity,challenge,recognition,share,partner,thanks,invited"},
	{"rewards", "reserve,commit,cancel,redeem,refund,fulfil,voucher,coupon,use"},
	{"hand", "adjustment,grant,tier,release,status,merge_in,merge_out,transfer_in,transfer_out"},
	{"time", "due"},
}

// filtered is the filter that an address asks for.
func (v *visit) filtered() (name, kinds string) {
	want := v.r.URL.Query().Get("show")
	i := slices.IndexFunc(filters, func(f struct{ name, kinds string }) bool { return f.name == want })
	i = max(i, 0)
	return filters[i].name, filters[i].kinds
}

// fact is the page of one fact.
func (c *Console) fact(v *visit) error {
	var t told
	if err := v.api.Get(v.r.Context(), page.Path("facts", v.r.PathValue("fact")), url.Values{"include": {"explanation,postings"}}, &t); err != nil {
		return err
	}
	var m member
	if t.Member != "" {
		if err := v.api.Get(v.r.Context(), page.Path("members", t.Member), nil, &m); err != nil {
			return err
		}
	}
	return v.show(factPage(v, t, m))
}
