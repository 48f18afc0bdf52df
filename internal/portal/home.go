package portal

import (
	"net/url"
	"slices"
	"time"

	"lojal.dev/lojal/internal/page"
)

// about is a member as the API tells of them.
type about struct {
	ID          string `json:"id"`
	Status      string `json:"status"`
	Given       string `json:"given_name"`
	Full        string `json:"name"`
	Identifiers []struct {
		Kind  string `json:"kind"`
		Value string `json:"value"`
	} `json:"identifiers"`
	Language string    `json:"language"`
	JoinedAt time.Time `json:"joined_at"`
}

// card is the number that a till reads; empty where there is none.
func (a about) card() string {
	for _, i := range a.Identifiers {
		if i.Kind == "card" {
			return i.Value
		}
	}
	return ""
}

// name is what to call the member; empty where nothing is known that a person is called by.
func (a about) name() string {
	if a.Given != "" {
		return a.Given
	}
	return a.Full
}

// balance is what a member has of a unit.
type balance struct {
	unit    string
	Balance string `json:"balance"`
	Pending string `json:"pending"`
	Debt    string `json:"debt"`
	Worth   string `json:"worth"`
	Lots    []lot  `json:"lots"`
	Next    *struct {
		At     time.Time `json:"at"`
		Amount string    `json:"amount"`
	} `json:"next_expiry"`
}

type lot struct {
	EarnedAt  time.Time  `json:"earned_at"`
	ExpiresAt *time.Time `json:"expires_at"`
	ReleaseAt *time.Time `json:"release_at"`
	Spendable string     `json:"spendable"`
	Pending   string     `json:"pending"`
}

// standing is where a member stands in a set of tiers.
type standing struct {
	set    string
	Tier   string     `json:"tier"`
	Name   string     `json:"name"`
	Metric string     `json:"metric"`
	Value  string     `json:"value"`
	Keep   string     `json:"keep"`
	Ends   *time.Time `json:"window_ends"`
	Falls  *time.Time `json:"falls_at"`
	Next   *struct {
		Name    string     `json:"name"`
		From    string     `json:"from"`
		Missing string     `json:"missing"`
		At      *time.Time `json:"at"`
	} `json:"next"`
}

// front is what the first page shows.
type front struct {
	about
	balances   []balance
	tiers      []standing
	rewards    []reward
	challenges []challenge
	facts      []told
}

func (v *visit) about() (a about, err error) {
	err = v.api.Get(v.r.Context(), v.mine(), nil, &a)
	return a, err
}

// balances are those that there is something to say of, the unit with the most to it first.
func (v *visit) balances() ([]balance, error) {
	var in struct{ Balances map[string]balance }
	if err := v.api.Get(v.r.Context(), v.mine("balances"), nil, &in); err != nil {
		return nil, err
	}
	var out []balance
	for _, u := range v.p.UnitIDs {
		b, ok := in.Balances[u]
		if !ok {
			continue
		}
		b.unit = u
		if len(out) > 0 && zero(b.Balance) && zero(b.Pending) && zero(b.Debt) {
			continue
		}
		out = append(out, b)
	}
	if len(out) > 1 && zero(out[0].Balance) && zero(out[0].Pending) && zero(out[0].Debt) {
		out = out[1:]
	}
	return out, nil
}

func (v *visit) tiers() ([]standing, error) {
	var in struct{ Tiers map[string]standing }
	if err := v.api.Get(v.r.Context(), v.mine("tiers"), nil, &in); err != nil {
		return nil, err
	}
	var out []standing
	for set, s := range in.Tiers {
		s.set = set
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b standing) int { return slices.Index(v.p.TierIDs, a.set) - slices.Index(v.p.TierIDs, b.set) })
	return out, nil
}

// metric writes a value that tiers are reached by.
func (v *visit) metric(metric, text string) string {
	switch {
	case metric == "spend":
		return v.money(text)
	case len(metric) > 5 && metric[:5] == "unit:":
		return v.amount(metric[5:], text)
	case metric == "purchases" || metric == "visits":
		return v.T("metric."+metric, v.number(text))
	}
	return v.number(text)
}

func (c *Portal) home(v *visit) (err error) {
	ctx := v.r.Context()
	var f front
	if f.about, err = v.about(); err != nil {
		return err
	}
	if f.balances, err = v.balances(); err != nil {
		return err
	}
	if f.tiers, err = v.tiers(); err != nil {
		return err
	}
	if f.rewards, err = v.rewards(); err != nil {
		return err
	}
	if f.challenges, err = v.challenges(); err != nil {
		return err
	}
	var facts struct{ Items []told }
	if err := v.api.Get(ctx, v.mine("facts"), url.Values{"limit": {"5"}}, &facts); err != nil {
		return err
	}
	f.facts = facts.Items
	return v.show(homePage(v, f))
}

// reward is something to spend points on, as it stands for the member.
type reward struct {
	ID          string            `json:"id"`
	Title       string            `json:"title"`
	Description string            `json:"description"`
	Picture     string            `json:"picture"`
	Price       map[string]string `json:"price"`
	Money       string            `json:"money"`
	Gives       string            `json:"gives"`
	Choice      []string          `json:"choice"`
	StockLeft   *int64            `json:"stock_left"`
	Until       *time.Time        `json:"until"`
	StartsAt    *time.Time        `json:"starts_at"`
	DrawsAt     *time.Time        `json:"draws_at"`
	Place       string            `json:"place"`
	Terms       string            `json:"terms"`
	For         struct {
		Available bool              `json:"available"`
		Reason    string            `json:"reason"`
		Missing   map[string]string `json:"missing"`
		Price     map[string]string `json:"price"`
		Money     string            `json:"money"`
		Option    int64             `json:"option"`
		Why       []string          `json:"why"`
	} `json:"for_member"`
}

func (v *visit) rewards() ([]reward, error) {
	var in struct{ Items []reward }
	err := v.api.Get(v.r.Context(), page.Path("rewards"), url.Values{"member": {v.m.ID}}, &in)
	return in.Items, err
}

// challenge is where the member stands in something that there is to reach.
type challenge struct {
	ID          string     `json:"id"`
	Title       string     `json:"title"`
	Description string     `json:"description"`
	Text        string     `json:"text"`
	Running     bool       `json:"running"`
	TakesPart   bool       `json:"takes_part"`
	Unit        string     `json:"unit"`
	Value       string     `json:"value"`
	Goal        string     `json:"goal"`
	Missing     string     `json:"missing"`
	Done        bool       `json:"done"`
	Won         int64      `json:"won"`
	Times       int64      `json:"times"`
	Until       *time.Time `json:"until"`
	Badge       string     `json:"badge"`
	Found       []string   `json:"found"`
	Left        []string   `json:"left"`
}

func (v *visit) challenges() ([]challenge, error) {
	var in struct{ Items []challenge }
	err := v.api.Get(v.r.Context(), v.mine("challenges"), nil, &in)
	return in.Items, err
}

// told is something that happened, with what came of it.
type told struct {
	ID          string            `json:"id"`
	Kind        string            `json:"kind"`
	Summary     string            `json:"summary"`
	Why         []string          `json:"why"`
	OccurredAt  time.Time         `json:"occurred_at"`
	Earned      map[string]string `json:"earned"`
	Pending     map[string]string `json:"pending"`
	Spent       map[string]string `json:"spent"`
	GivenBack   map[string]string `json:"given_back"`
	TakenBack   map[string]string `json:"taken_back"`
	Expired     map[string]string `json:"expired"`
	Adjusted    map[string]string `json:"adjusted"`
	Transferred map[string]string `json:"transferred"`
	Partners    map[string]string `json:"partners"`
	Explanation *struct {
		Sentences []struct {
			Rule string `json:"rule"`
			Text string `json:"text"`
		} `json:"sentences"`
	} `json:"explanation"`
}
