package cli

import (
	"maps"
	"net/http"
	"net/url"
	"slices"

	"lojal.dev/lojal/internal/api"
)

type insightCmd struct {
	asking
	Period string `enum:"7d,28d,90d,month,year" default:"28d" placeholder:"PERIOD" help:"7d, 28d (the default), 90d, month or year: up to today."`
}

func (insightCmd) Help() string {
	return `Members, purchases, points, redemptions and what is owed, beside the period before. What each figure means: docs/insight.md.

Examples:

    lojal insight
    lojal insight --period year --json`
}

func (c *insightCmd) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		return call(&c.asking, o, http.MethodGet, path("insight", "today"), url.Values{"period": {c.Period}}, nil, func(t *api.Today) {
			n, b := &t.Now, &t.Before
			e.printf("%s to %s, and %s to %s before\n\n", n.From, n.To, b.From, b.To)
			for _, l := range []struct {
				name     string
				now, was any
			}{
				{"members", n.Members, b.Members}, {"new members", n.New, b.New}, {"active members", n.Active, b.Active}, {"active, percent", n.Share, b.Share},
				{"purchases", n.Purchases, b.Purchases}, {"spend, " + t.Currency, n.Spend, b.Spend}, {"returned, " + t.Currency, n.Returned, b.Returned},
				{"liability, " + t.Currency, n.Liability, b.Liability},
			} {
				e.printf("%-22s %14v %14v\n", l.name, l.now, l.was)
			}
			for _, id := range slices.Sorted(maps.Keys(n.Units)) {
				u, was := n.Units[id], b.Units[id]
				for _, l := range []struct {
					name     string
					now, was api.Amount
				}{
					{"issued", u.Issued, was.Issued}, {"spent", u.Spent, was.Spent}, {"expired", u.Expired, was.Expired}, {"taken back", u.Reversed, was.Reversed},
					{"outstanding", u.Outstanding, was.Outstanding},
				} {
					e.printf("%-22s %14v %14v\n", id+" "+l.name, l.now, l.was)
				}
			}
			for _, id := range slices.Sorted(maps.Keys(n.Redemptions)) {
				e.printf("%-22s %14d %14d\n", "redeemed "+id, n.Redemptions[id], b.Redemptions[id])
			}
			for _, a := range t.Attention {
				e.printf("\nattention: %s %s", a.Kind, a.Name)
				if a.Count > 0 {
					e.printf(" (%d)", a.Count)
				}
			}
			if len(t.Attention) > 0 {
				e.printf("\n")
			}
		})
	})
}
