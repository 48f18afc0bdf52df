package console

import (
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/page"
)

// member is a member as the API tells of them.
type member struct {
	ID          string       `json:"id"`
	Status      string       `json:"status"`
	Given       string       `json:"given_name"`
	Family      string       `json:"family_name"`
	Full        string       `json:"name"`
	Phone       string       `json:"phone"`
	Email       string       `json:"email"`
	Language    string       `json:"language"`
	Birth       string       `json:"birth"`
	Postcode    string       `json:"postcode"`
	Country     string       `json:"country"`
	Identifiers []identifier `json:"identifiers"`
	JoinedAt    time.Time    `json:"joined_at"`
	MergedInto  string       `json:"merged_into"`
}

type identifier struct {
	Kind  string `json:"kind"`
	Value string `json:"value"`
}

// Name is what to call the member: the name, or what else is known.
func (m member) Name() string {
	for _, s := range []string{strings.TrimSpace(m.Given + " " + m.Family), m.Full, m.Phone, m.Email} {
		if s != "" {
			return s
		}
	}
	for _, i := range m.Identifiers {
		return i.Value
	}
	return m.ID
}

// initials are the first letters of a name.
func initials(name string) string {
	var out []rune
	for w := range strings.FieldsSeq(name) {
		if r, _ := utf8.DecodeRuneInString(w); len(out) < 2 {
			out = append(out, unicode.ToUpper(r))
		}
	}
	return string(out)
}

// Reached says how else the member is known, in a line.
func (m member) Reached() string {
	var out []string
	for _, s := range []string{m.Phone, m.Email} {
		if s != "" && s != m.Name() {
			out = append(out, s)
		}
	}
	for _, i := range m.Identifiers {
		if i.Kind == "card" && len(out) < 2 {
			out = append(out, i.Value)
		}
	}
	return strings.Join(out, " · ")
}

type memberPage struct {
	Items []member
	Next  string `json:"next_cursor"`
}

func (c *Console) members(v *visit) error {
	query := v.r.URL.Query()
	q := strings.TrimSpace(query.Get("q"))
	var list memberPage
	ask := url.Values{"limit": {"50"}}
	if q != "" {
		ask.Set("q", q)
	}
	if cursor := query.Get("cursor"); cursor != "" {
		ask.Set("cursor", cursor)
	}
	if err := v.api.Get(v.r.Context(), page.Path("members"), ask, &list); err != nil {
		return err
	}
	if len(list.Items) == 0 && q != "" { // a card, a number of the shop's own, an id
		for _, as := range []string{q, "card:" + q, "ext:" + q} {
			var m member
			err := v.api.Get(v.r.Context(), page.Path("members", as), nil, &m)
			if err == nil {
				list.Items = append(list.Items, m)
				break
			}
			if code := errs.CodeOf(err); code != errs.CodeNotFound && code != errs.CodeMalformed && code != errs.CodeInvalid {
				return err
			}
		}
	}
	if v.r.Header.Get("HX-Request") == "true" {
		return v.show(membersFound(v, q, list))
	}
	return v.show(membersPage(v, q, list))
}

// balance is what a member has of a unit.
type balance struct {
	Balance   string `json:"balance"`
	Spendable string `json:"spendable"`
	Pending   string `json:"pending"`
	Reserved  string `json:"reserved"`
	Debt      string `json:"debt"`
	Worth     string `json:"worth"`
	Lots      []lot  `json:"lots"`
	Expiry    *struct {
		At     time.Time `json:"at"`
		Amount string    `json:"amount"`
	} `json:"next_expiry"`
}

type lot struct {
	Fact      string     `json:"fact"`
	EarnedAt  time.Time  `json:"earned_at"`
	ExpiresAt *time.Time `json:"expires_at"`
	Amount    string     `json:"amount"`
	Spendable string     `json:"spendable"`
	Pending   string     `json:"pending"`
	Reserved  string     `json:"reserved"`
}

type standing struct {
	Tier  string     `json:"tier"`
	Name  string     `json:"name"`
	Since time.Time  `json:"since"`
	Until *time.Time `json:"until"`
	Value string     `json:"value"`
	Next  *struct {
		Tier    string     `json:"tier"`
		Name    string     `json:"name"`
		From    string     `json:"from"`
		Missing string     `json:"missing"`
		Before  *time.Time `json:"before"`
	} `json:"next"`
}

type benefit struct {
	ID        string     `json:"id"`
	Title     string     `json:"title"`
	Available bool       `json:"available"`
	Why       []string   `json:"why"`
	Until     *time.Time `json:"until"`
	Value     struct {
		Text string `json:"text"`
	} `json:"value"`
}

type challenge struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	Text  string `json:"text"`
	Value string `json:"value"`
	Goal  string `json:"goal"`
	Done  bool   `json:"done"`
}

// of is a member with all that a page shows.
type of struct {
	member
	units      []string
	balances   map[string]balance
	tiers      map[string]standing
	facts      []told
	next       string
	benefits   []benefit
	challenges []challenge
	grants     []granted
	gifts      []redemption
	houses     []houseOf
	brought    referral
}

// granted is what a member may have and did not pay for.
type granted struct {
	Grant   int64      `json:"grant"`
	Reward  string     `json:"reward"`
	Benefit string     `json:"benefit"`
	Title   string     `json:"title"`
	Status  string     `json:"status"`
	Left    *int64     `json:"left"`
	EndsAt  *time.Time `json:"ends_at"`
}

// redemption is a reward that a member has chosen, with how far it is.
type redemption struct {
	ID         string            `json:"id"`
	Member     string            `json:"member"`
	Status     string            `json:"status"`
	Reward     string            `json:"reward"`
	Title      string            `json:"title"`
	Quantity   int64             `json:"quantity"`
	Price      map[string]string `json:"price"`
	Refunded   map[string]string `json:"refunded"`
	Money      string            `json:"money"`
	MoneyBack  string            `json:"money_back"`
	Worth      string            `json:"worth"`
	Chosen     string            `json:"chosen"`
	Place      string            `json:"place"`
	StartsAt   *time.Time        `json:"starts_at"`
	Purchase   string            `json:"purchase"`
	At         time.Time         `json:"at"`
	ExpiresAt  *time.Time        `json:"expires_at"`
	Fulfilment *struct {
		Kind      string    `json:"kind"`
		Status    string    `json:"status"`
		At        time.Time `json:"at"`
		Reference string    `json:"reference"`
		Tail      string    `json:"tail"`
		Reason    string    `json:"reason"`
		Money     string    `json:"money"`
		Provider  string    `json:"provider"`
	} `json:"fulfilment"`
	Code *struct {
		Pool string `json:"pool"`
		Tail string `json:"tail"`
	} `json:"code"`
	Voucher *voucher `json:"voucher"`
}

// voucher is a code worth something, as far as it is told.
type voucher struct {
	Code       string     `json:"code"`
	Tail       string     `json:"tail"`
	Status     string     `json:"status"`
	Uses       int64      `json:"uses"`
	Used       int64      `json:"used"`
	Bound      bool       `json:"bound"`
	Money      string     `json:"money"`
	Percent    string     `json:"percent"`
	ValidUntil *time.Time `json:"valid_until"`
}

type houseOf struct {
	ID     string `json:"id"`
	Kind   string `json:"kind"`
	Name   string `json:"name"`
	People []struct {
		Member string `json:"member"`
		Name   string `json:"name"`
	} `json:"people"`
}

type referral struct {
	Code      string `json:"code"`
	InvitedBy string `json:"invited_by"`
	Friends   []struct {
		Member string `json:"member"`
	} `json:"friends"`
}

func (c *Console) member(v *visit) error {
	ctx, id := v.r.Context(), v.r.PathValue("member")
	var m of
	if err := v.api.Get(ctx, page.Path("members", id), nil, &m.member); err != nil {
		return err
	}
	var balances struct{ Balances map[string]balance }
	var tiers struct{ Tiers map[string]standing }
	var facts struct {
		Items []told
		Next  string `json:"next_cursor"`
	}
	var benefits struct{ Items []benefit }
	var challenges struct{ Items []challenge }
	var grants struct{ Items []granted }
	var gifts struct{ Items []redemption }
	var houses struct{ Items []houseOf }
	before := url.Values{"limit": {"20"}, "include": {"explanation"}}
	if _, kinds := v.filtered(); kinds != "" {
		before.Set("kind", kinds)
	}
	if cursor := v.r.URL.Query().Get("cursor"); cursor != "" {
		before.Set("cursor", cursor)
	}
	for _, ask := range []struct {
		scope, what string
		query       url.Values
		out         any
	}{
		{"members:read", "balances", nil, &balances}, {"members:read", "tiers", nil, &tiers}, {"members:read", "facts", before, &facts},
		{"benefits:read", "benefits", nil, &benefits}, {"members:read", "challenges", nil, &challenges},
		{"members:read", "grants", nil, &grants}, {"redemptions:read", "redemptions", url.Values{"limit": {"8"}}, &gifts}, {"members:read", "houses", nil, &houses},
		{"members:read", "referral", nil, &m.brought},
	} {
		if !v.may(ask.scope) {
			continue
		}
		if err := v.api.Get(ctx, page.Path("members", m.ID, ask.what), ask.query, ask.out); err != nil {
			return err
		}
	}
	m.balances, m.tiers, m.facts, m.next, m.benefits, m.challenges = balances.Balances, tiers.Tiers, facts.Items, facts.Next, benefits.Items, challenges.Items
	m.grants, m.gifts, m.houses = grants.Items, gifts.Items, houses.Items
	for u := range m.balances {
		m.units = append(m.units, u)
	}
	slices.Sort(m.units)
	slices.SortStableFunc(m.units, func(a, b string) int { return boolOrder(m.balances[b].Lots != nil, m.balances[a].Lots != nil) })
	return v.show(memberPageOf(v, m))
}

func boolOrder(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// amount writes an amount of a unit as people read it: «1 204 stjerner».
func (v *visit) amount(unit, text string) string {
	if v.p == nil || v.p.Units[unit] == nil {
		return text + " " + unit
	}
	u := v.p.Units[unit]
	return lang.Number(v.lang, decimal(text)) + " " + u.Name.In(v.lang, lang.One(v.lang, decimal(text)))
}

// unit is the name of a unit for many of it.
func (v *visit) unit(unit string) string {
	if v.p == nil || v.p.Units[unit] == nil {
		return unit
	}
	return v.p.Units[unit].Name.In(v.lang, false)
}

// number writes a number.
func (v *visit) number(text string) string { return lang.Number(v.lang, decimal(text)) }

// money writes an amount of the program's currency.
func (v *visit) money(text string) string {
	if v.p == nil {
		return text
	}
	minor, err := decimal(text).Minor(v.p.Exponent)
	if err != nil {
		return text
	}
	return lang.ExactPrice(v.lang, v.p.Doc.Currency, minor)
}

// decimal reads a number of an answer; those are always numbers.
func decimal(text string) money.Decimal {
	d, err := money.Parse(text)
	if err != nil {
		return money.Decimal{}
	}
	return d
}

// tierSets are the sets that the program has, in its order.
func (v *visit) tierSets(have map[string]standing) []string {
	var out []string
	for set := range have {
		out = append(out, set)
	}
	slices.Sort(out)
	return out
}

// tierSet is what to call a set of tiers.
func (v *visit) tierSet(id string) string {
	if v.p != nil && v.p.Tiers[id] != nil {
		if n := v.p.Tiers[id].Name.In(v.lang); n != "" {
			return n
		}
	}
	return v.T("tier")
}

// metric writes how much is missing in what a tier set counts.
func (v *visit) metric(set, amount string) string {
	if v.p == nil || v.p.Tiers[set] == nil {
		return v.number(amount)
	}
	by := v.p.Tiers[set].Metric
	unit, isUnit := strings.CutPrefix(by, "unit:")
	switch {
	case by == "spend":
		return v.money(amount)
	case isUnit:
		return v.amount(unit, amount)
	}
	return v.number(amount)
}

// identifier is what to call a kind of identifier.
func (v *visit) identifier(kind string) string {
	if v.p != nil {
		if own, ok := v.p.Doc.Identifiers[kind]; ok {
			if n := own.Name.In(v.lang); n != "" {
				return n
			}
		}
	}
	if _, ok := words["identifier."+kind]; ok {
		return v.T("identifier." + kind)
	}
	return kind
}
