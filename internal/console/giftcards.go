package console

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/page"
)

// giftCard is a gift card, as the API tells of it. Its code is in no answer but the one that made it.
type giftCard struct {
	ID        string     `json:"id"`
	Status    string     `json:"status"`
	Sample    bool       `json:"sample"`
	Balance   string     `json:"balance"`
	Inactive  string     `json:"inactive"`
	Reserved  string     `json:"reserved"`
	ExpiresAt *time.Time `json:"expires_at"`
	ExpiredAt *time.Time `json:"expired_at"`
	Tail      string     `json:"tail"`
	HasPIN    bool       `json:"has_pin"`
	Batch     string     `json:"batch"`
	CreatedAt time.Time  `json:"created_at"`
	To        string     `json:"to"`
	ToEmail   string     `json:"to_email"`
	From      string     `json:"from"`
	Greeting  string     `json:"greeting"`
	Look      string     `json:"look"`
	Reference string     `json:"reference"`
	Code      string     `json:"code"`
	PIN       string     `json:"pin"`
}

// Name is what to call a card: whom it is for, or the end of its code.
func (g *giftCard) Name() string {
	if g.Tail != "" {
		return "…" + g.Tail
	}
	return g.ID
}

// cardNote is what it belongs to: its batch, that it came of a reward, or what the shop calls it.
func (v *visit) cardNote(g *giftCard) string {
	switch {
	case strings.HasPrefix(g.Reference, "red_"):
		return v.T("reward")
	case g.Batch != "" && g.Reference != "":
		return g.Batch + " · " + g.Reference
	}
	return cmp.Or(g.Batch, g.Reference)
}

// kind is how the badge of a card's status looks.
func (g *giftCard) kind() string {
	switch g.Status {
	case "active":
		return "good"
	case "blocked":
		return "warn"
	case "inactive":
		return "info"
	}
	return ""
}

// owed is what is on all cards together.
type owed struct {
	amount, worth string
	at            time.Time
	known         bool
}

// owedOnCards are the figures of the unit that gift cards are in: what is held at this moment, on cards and by members who took one in.
func (v *visit) owedOnCards() (out owed, err error) {
	if v.p == nil || v.p.GiftCards == nil || !v.may("programs:read") {
		return out, nil
	}
	var t struct {
		At  time.Time `json:"at"`
		Now period
	}
	if err := v.api.Get(v.r.Context(), page.Path("insight", "today"), url.Values{"period": {"7d"}}, &t); err != nil {
		return out, err
	}
	u := t.Now.Units[v.p.GiftCards.Unit]
	return owed{amount: u.Outstanding, worth: u.Worth, at: t.At, known: u.Outstanding != ""}, nil
}

type cardsPageOf struct {
	list              []giftCard
	batch, tail, next string
	owed              owed
	form              *page.Form
}

func (c *Console) giftCards(v *visit) error {
	query := v.r.URL.Query()
	p := cardsPageOf{batch: query.Get("batch"), tail: strings.TrimSpace(query.Get("tail")), form: page.NewForm()}
	ask := url.Values{"limit": {"50"}, "order": {"newest"}}
	for name, value := range map[string]string{"batch": p.batch, "tail": strings.ToUpper(p.tail), "cursor": query.Get("cursor")} {
		if value != "" {
			ask.Set(name, value)
		}
	}
	var list struct {
		Items []giftCard
		Next  string `json:"next_cursor"`
	}
	if err := v.api.Get(v.r.Context(), page.Path("gift-cards"), ask, &list); err != nil {
		return err
	}
	p.list, p.next = list.Items, list.Next
	var err error
	if p.owed, err = v.owedOnCards(); err != nil {
		return err
	}
	return v.show(giftCardsPage(v, &p))
}

// nextCards is the address of the page that follows.
func (p *cardsPageOf) nextCards() string {
	if p.next == "" {
		return ""
	}
	return "/console/gift-cards?" + url.Values{"batch": {p.batch}, "tail": {p.tail}, "cursor": {p.next}}.Encode()
}

var cardThings = &things[giftCard]{
	word: "card", in: "card",
	get: func(v *visit, id string) (g giftCard, err error) {
		err = v.api.Get(v.r.Context(), page.Path("gift-cards", id), nil, &g)
		return g, err
	},
	name: func(v *visit, g *giftCard) string { return v.T("gift_card") + " " + g.Name() },
	back: func(g *giftCard) string { return below("gift-cards", g.ID) },
}

func (c *Console) oneCard(v *visit) error {
	g, err := cardThings.get(v, v.r.PathValue("card"))
	if err != nil {
		return err
	}
	ask := url.Values{"limit": {"30"}, "include": {"explanation"}}
	if cursor := v.r.URL.Query().Get("cursor"); cursor != "" {
		ask.Set("cursor", cursor)
	}
	var facts struct {
		Items []told
		Next  string `json:"next_cursor"`
	}
	if err := v.api.Get(v.r.Context(), page.Path("gift-cards", g.ID, "facts"), ask, &facts); err != nil {
		return err
	}
	return v.show(giftCardPage(v, &g, facts.Items, facts.Next))
}

func cardIs(states ...string) func(*visit, *giftCard) bool {
	return func(_ *visit, g *giftCard) bool { return slices.Contains(states, g.Status) }
}

// cardStatus has a card be in another state.
func cardStatus(to string) func(*visit, *giftCard, *page.Form) (string, string, any) {
	return func(_ *visit, g *giftCard, f *page.Form) (string, string, any) {
		body := f.Body("reason")
		body["to"] = to
		return sendTo(body, "gift-cards", g.ID, "status")
	}
}

func (v *visit) amountField() question {
	return question{Field: page.Field{Name: "amount", Label: v.T("amount"), Hint: v.inCurrency(), Required: true, Auto: "off", Mode: "decimal"}}
}

// cardDeeds are what can be done to a gift card.
var cardDeeds = []*deed[giftCard]{activateDeed, payDeed, topUpDeed, freeDeed, renewDeed, blockCardDeed, eraseDeed, closeCardDeed}

var (
	activateDeed = &deed[giftCard]{
		on: cardThings, name: "activate", icon: "circle-check", needs: "giftcards:write", offered: cardIs("inactive"),
		send: func(_ *visit, g *giftCard, _ *page.Form) (string, string, any) {
			return sendTo(map[string]any{}, "gift-cards", g.ID, "activate")
		},
	}
	payDeed = &deed[giftCard]{
		on: cardThings, name: "pay", icon: "credit-card", needs: "redemptions:write",
		offered: func(_ *visit, g *giftCard) bool { return g.Status == "active" && !g.Sample && !zero(g.Balance) },
		ask: func(v *visit, g *giftCard, _ *page.Form) []question {
			list := []question{
				v.amountField(),
				{Field: page.Field{Name: "code", Label: v.T("code"), Hint: v.T("card.code.hint"), Required: true, Auto: "off", Mono: true}},
			}
			if g.HasPIN {
				list = append(list, question{Field: page.Field{Name: "pin", Label: v.T("pin"), Required: true, Auto: "off", Mode: "numeric"}})
			}
			return append(list, question{Field: page.Field{Name: "external_id", Label: v.T("card.receipt"), Hint: v.T("optional"), Auto: "off"}})
		},
		amounts: []string{"amount"},
		send: func(v *visit, g *giftCard, f *page.Form) (string, string, any) {
			var got struct{ Codes []codeState }
			if err := v.api.Post(v.r.Context(), page.Path("codes", "check"), "", f.Body("code", "pin"), &got); err != nil {
				if f.Wrong["code"] == "" {
					f.Wrong["code"] = errs.As(err).Message
				}
				return "", "", nil
			}
			if len(got.Codes) != 1 || got.Codes[0].GiftCard == nil || got.Codes[0].GiftCard.ID != g.ID {
				f.Wrong["code"] = v.T("card.code.other")
				return "", "", nil
			}
			body := f.Body("amount", "code", "pin", "external_id")
			if body["external_id"] != nil {
				body["source"] = "console"
			}
			return sendTo(body, "gift-cards", "pay")
		},
	}
	topUpDeed = &deed[giftCard]{
		on: cardThings, name: "load", icon: "plus", needs: "giftcards:write", offered: func(_ *visit, g *giftCard) bool { return g.Status == "active" && !g.Sample },
		ask:     func(v *visit, _ *giftCard, _ *page.Form) []question { return []question{v.amountField(), whyMaybe(v)} },
		amounts: []string{"amount"},
		send: func(_ *visit, g *giftCard, f *page.Form) (string, string, any) {
			return sendTo(f.Body("amount", "reason"), "gift-cards", g.ID, "loads")
		},
	}
	freeDeed      = &deed[giftCard]{on: cardThings, name: "free", icon: "undo-2", needs: "giftcards:write", offered: cardIs("blocked"), ask: reasonMaybe[giftCard], send: cardStatus("active")}
	blockCardDeed = &deed[giftCard]{on: cardThings, name: "block", icon: "lock", needs: "giftcards:write", grave: true, offered: cardIs("active", "inactive"), ask: reasonMaybe[giftCard], send: cardStatus("blocked")}
	closeCardDeed = &deed[giftCard]{on: cardThings, name: "close", icon: "ban", needs: "giftcards:write", grave: true, offered: cardIs("active", "inactive", "blocked"), ask: reasonMaybe[giftCard], send: cardStatus("closed")}
	renewDeed     = &deed[giftCard]{
		on: cardThings, name: "code", icon: "refresh-cw", needs: "giftcards:write", offered: cardIs("active", "inactive"),
		send: func(_ *visit, g *giftCard, _ *page.Form) (string, string, any) {
			return sendTo(map[string]any{}, "gift-cards", g.ID, "code")
		},
		secrets: shownCode,
	}
	eraseDeed = &deed[giftCard]{
		on: cardThings, name: "erase", icon: "trash-2", needs: "giftcards:write", grave: true,
		offered: func(_ *visit, g *giftCard) bool { return cmp.Or(g.To, g.ToEmail, g.From, g.Greeting) != "" },
		send: func(_ *visit, g *giftCard, _ *page.Form) (string, string, any) {
			return sendTo(map[string]any{}, "gift-cards", g.ID, "erase")
		},
	}
)

// cardFields are those of a card that is sold.
func (v *visit) cardFields(f *page.Form) []question {
	list := []question{
		v.amountField(),
		{Field: page.Field{Name: "to", Label: v.T("card.to"), Hint: v.T("optional"), Auto: "off"}},
		{Field: page.Field{Name: "to_email", Label: v.T("card.to_email"), Hint: v.T("optional"), Type: "email", Auto: "off"}},
		{Field: page.Field{Name: "from", Label: v.T("card.from"), Hint: v.T("optional"), Auto: "off"}},
		{Field: page.Field{Name: "greeting", Label: v.T("card.greeting"), Hint: v.T("card.greeting.hint"), Type: "textarea", Rows: "3"}},
	}
	if looks := v.looks(); len(looks) > 1 {
		list = append(list, question{Field: page.Field{Name: "look", Label: v.T("card.look")}, choices: looks})
	}
	list = append(list,
		question{Field: page.Field{Name: "reference", Label: v.T("card.reference"), Hint: v.T("card.reference.hint"), Auto: "off"}},
		question{Field: page.Field{Name: "inactive", Label: v.T("card.when")}, choices: []page.Choice{{Value: "", Label: v.T("card.when.now")}, {Value: "yes", Label: v.T("card.when.later")}}},
	)
	filled(list, f)
	return list
}

// looks are the program's looks of gift cards, with its own first.
func (v *visit) looks() []page.Choice {
	out := []page.Choice{{Value: "", Label: v.T("card.look.usual")}}
	if v.p == nil || v.p.Doc.GiftCards == nil {
		return out
	}
	var ids []string
	for id := range v.p.Doc.GiftCards.Looks {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		out = append(out, page.Choice{Value: id, Label: cmp.Or(v.p.Doc.GiftCards.Looks[id].Name.In(v.lang), id)})
	}
	return out
}

func (c *Console) sellPage(v *visit) error {
	f := page.NewForm()
	return v.show(sellPage(v, f, v.cardFields(f)))
}

func (c *Console) sell(v *visit) error {
	f, err := v.form()
	if err != nil {
		return err
	}
	v.typed(f, "amount")
	show := func(status int) error { return v.showAs(status, sellPage(v, f, v.cardFields(f))) }
	if len(f.Wrong) > 0 {
		return show(http.StatusUnprocessableEntity)
	}
	body := f.Body("amount", "to", "to_email", "from", "greeting", "look", "reference")
	if f.Get("inactive") != "" {
		body["inactive"] = true
	}
	var g giftCard
	if err := v.api.Post(v.r.Context(), page.Path("gift-cards"), f.Get("key"), body, &g); err != nil {
		return v.again(f, err, show)
	}
	if g.Code == "" { // sent twice: the code was shown the first time
		return v.said(below("gift-cards", g.ID), "card_sold")
	}
	list := []secret{{v.T("code"), g.Code}}
	if g.PIN != "" {
		list = append(list, secret{v.T("pin"), g.PIN})
	}
	return v.show(secretPage(v, deedLook{key: "card.sold", back: below("gift-cards", g.ID), name: v.T("gift_card") + " " + g.Name()}, list))
}

// madeCard is one of a batch.
type madeCard struct {
	Index int
	Card  *giftCard
	Error *struct{ Reason, Message string }
}

type madeBatch struct {
	Batch          string
	Issued, Failed int
	Cards          []madeCard
}

func (c *Console) batchPage(v *visit) error { return v.show(batchPage(v, page.NewForm("count", "10"))) }

// mostCards is how many are made at once.
const mostCards = 1000

func (c *Console) makeBatch(v *visit) error {
	f, err := v.form()
	if err != nil {
		return err
	}
	v.typed(f, "amount")
	show := func(status int) error { return v.showAs(status, batchPage(v, f)) }
	body := f.Body("batch", "amount", "greeting")
	cards := []map[string]any{}
	if list := strings.TrimSpace(f.Get("people")); list != "" {
		n := 0
		for line := range strings.Lines(list) {
			n++
			cells := strings.FieldsFunc(line, func(r rune) bool { return r == ',' || r == ';' || r == '\t' })
			one := map[string]any{}
			for i, name := range []string{"to", "to_email", "reference"} {
				if i < len(cells) && strings.TrimSpace(cells[i]) != "" {
					one[name] = strings.TrimSpace(cells[i])
				}
			}
			if len(one) == 0 {
				continue
			}
			if one["reference"] == nil {
				one["reference"] = strconv.Itoa(n)
			}
			cards = append(cards, one)
		}
	} else {
		for i := range min(max(whole64(f.Get("count")), 0), mostCards+1) {
			cards = append(cards, map[string]any{"reference": strconv.FormatInt(i+1, 10)})
		}
	}
	if len(cards) == 0 || len(cards) > mostCards {
		f.Wrong["count"] = v.T("batch.count.wrong")
	}
	if len(f.Wrong) > 0 {
		return show(http.StatusUnprocessableEntity)
	}
	if f.Get("inactive") != "" {
		for _, one := range cards {
			one["inactive"] = true
		}
	}
	body["cards"] = cards
	var made madeBatch
	if err := v.api.Post(v.r.Context(), page.Path("gift-cards", "batches"), f.Get("key"), body, &made); err != nil {
		return v.again(f, err, show)
	}
	return v.show(madePage(v, &made))
}

// csv is a batch as a table of text, for whoever prints it.
func (m *madeBatch) csv() string {
	var b strings.Builder
	b.WriteString("reference,to,to_email,code,pin\n")
	for _, c := range m.Cards {
		if c.Card != nil {
			for i, s := range []string{c.Card.Reference, c.Card.To, c.Card.ToEmail, c.Card.Code, c.Card.PIN} {
				if i > 0 {
					b.WriteByte(',')
				}
				if strings.ContainsAny(s, "=+-@\",\n") && i < 3 { // a sheet would take it for a formula, or for two cells
					s = `"'` + strings.ReplaceAll(s, `"`, `""`) + `"`
				}
				b.WriteString(s)
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// cardFact is what to call a fact in a card's history.
func (v *visit) cardFact(kind string) string {
	if _, ok := words["card.fact."+kind]; ok {
		return v.T("card.fact." + kind)
	}
	return v.kind(kind)
}
