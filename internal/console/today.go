package console

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/page"
	"lojal.dev/lojal/internal/staff"
)

// today is how the program goes, as the API tells of it.
type today struct {
	Period    string
	Now       period
	Before    period
	Steps     []step
	Attention []attention
}

type period struct {
	From, To                          string
	Members, New, Left, Active        int64
	Purchases                         int64
	Share, Spend, Returned, Liability string
	Units                             map[string]unitFigures
	Redemptions                       map[string]int64
}

type unitFigures struct{ Issued, Spent, Expired, Reversed, Outstanding, Worth string }

type step struct {
	From, To       string
	New, Purchases int64
	Spend          string
	Units          map[string]struct{ Issued, Spent string }
}

type attention struct {
	Kind, Name string
	Count      int64
}

var periods = []string{"7d", "28d", "90d", "month", "year"}

// first is the first page: for who serves members in a shop that is the till, for all others how the program goes.
func (c *Console) first(v *visit) error {
	if !v.may("programs:read") || v.session.Role == staff.Store {
		return v.to("/console/till")
	}
	word := v.r.URL.Query().Get("period")
	if !slices.Contains(periods, word) {
		word = "28d"
	}
	var t today
	if err := v.api.Get(v.r.Context(), page.Path("insight", "today"), url.Values{"period": {word}}, &t); err != nil {
		return err
	}
	t.Period = word
	news, err := v.newest()
	if err != nil {
		return err
	}
	return v.show(todayPage(v, &t, news))
}

// news are who came last and what was redeemed last, as far as the person may read it.
type news struct {
	members     []member
	redemptions redemptionList
}

// mostNews is how many of each are told.
const mostNews = 5

func (v *visit) newest() (out news, err error) {
	if v.may("members:read") {
		var list memberPage
		if err := v.api.Get(v.r.Context(), page.Path("members"), url.Values{"limit": {v.plain(mostNews)}, "order": {"newest"}}, &list); err != nil {
			return out, err
		}
		out.members = list.Items
	}
	if v.may("redemptions:read") {
		if out.redemptions, err = v.redemptions("", "", mostNews); err != nil {
			return out, err
		}
	}
	return out, nil
}

// date writes a day of the API as people read it, short where asked.
func (v *visit) date(s string) string {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return s
	}
	return lang.Date(v.lang, t, time.UTC)
}

func (v *visit) shortDate(s string) string {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return s
	}
	return lang.MonthDay(v.lang, t.Month(), t.Day())
}

// count writes a whole number.
func (v *visit) count(n int64) string { return lang.Minor(v.lang, n, 0) }

// change says in words how a number stands to that of the period before.
func (v *visit) change(now, was int64) string {
	switch {
	case now == was:
		return v.T("today.same")
	case was <= 0:
		return v.T("today.nothing_before")
	}
	diff := now - was
	key := "today.more"
	if diff < 0 {
		diff, key = -diff, "today.less"
	}
	percent := (diff*1000/was + 5) / 10
	if percent == 0 {
		return v.T("today.about_same")
	}
	return v.T(key, lang.Percent(v.lang, decimal(v.plain(percent))))
}

func (v *visit) plain(n int64) string { return money.Format(n, 0) }

// minor is an amount of the program's currency in minor units.
func (v *visit) minor(text string) int64 { return minorOf(text, v.exponent()) }

func (v *visit) exponent() int {
	if v.p == nil {
		return 2
	}
	return v.p.Exponent
}

func (v *visit) precision(unit string) int {
	if v.p == nil || v.p.Units[unit] == nil {
		return 0
	}
	return v.p.Units[unit].Precision
}

func minorOf(text string, scale int) int64 {
	n, err := decimal(text).Minor(scale)
	if err != nil {
		return 0
	}
	return n
}

// unitsOf are the units in which anything happened or is held, those with most given out first.
func (v *visit) unitsOf(p *period) []string {
	out := slices.Sorted(maps.Keys(p.Units))
	out = slices.DeleteFunc(out, func(u string) bool {
		f := p.Units[u]
		return zero(f.Issued) && zero(f.Spent) && zero(f.Outstanding) && zero(f.Expired)
	})
	slices.SortStableFunc(out, func(a, b string) int {
		return int(max(min(minorOf(p.Units[b].Issued, v.precision(b))-minorOf(p.Units[a].Issued, v.precision(a)), 1), -1))
	})
	return out
}

// rewardsOf are the rewards that were redeemed, the most popular first.
func rewardsOf(p *period) []string {
	out := slices.Sorted(maps.Keys(p.Redemptions))
	slices.SortStableFunc(out, func(a, b string) int { return int(p.Redemptions[b] - p.Redemptions[a]) })
	return out
}

func (v *visit) reward(id string) string {
	if v.p != nil {
		for i := range v.p.Doc.Rewards {
			if r := &v.p.Doc.Rewards[i]; r.ID == id {
				if n := r.Title.In(v.lang); n != "" {
					return n
				}
			}
		}
	}
	return id
}

// chart makes a chart of the steps.
func (v *visit) chart(t *today, text string, scale int, series ...page.Series) page.Chart {
	c := page.Chart{Text: text, Series: series, Write: func(n int64) string { return lang.Minor(v.lang, n, scale) },
		Tick: func(n int64) string {
			text := money.Format(n, scale)
			if strings.Contains(text, ".") {
				text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
			}
			return lang.Number(v.lang, decimal(text))
		}}
	for i := range t.Steps {
		c.Labels = append(c.Labels, v.shortDate(t.Steps[i].From))
	}
	return c
}

// seriesOf takes a value of each step.
func seriesOf(t *today, name string, value func(*step) int64) page.Series {
	s := page.Series{Name: name}
	for i := range t.Steps {
		s.Values = append(s.Values, value(&t.Steps[i]))
	}
	return s
}

// mends are the pages where what needs attention can be seen to, with the scope that each asks for.
var mends = map[string]struct{ path, needs string }{
	"stock_out": {"/console/rewards/", "rewards:read"}, "stock_low": {"/console/rewards/", "rewards:read"}, "pool_empty": {"/console/pools/", "giftcards:write"},
	"pool_low": {"/console/pools/", "giftcards:write"}, "orders_wait": {"/console/redemptions?status=to_hand", "redemptions:read"},
	"thanks_wait": {"/console/recognition", "members:read"}, "webhook_off": {"/console/webhooks", "webhooks:read"},
	"import_refused": {"/console/imports/", "imports:read"}, "import_failed": {"/console/imports/", "imports:read"},
}

// mend is the page where something can be seen to, empty where there is none that the person may open.
func (v *visit) mend(a attention) string {
	m := mends[a.Kind]
	if m.path == "" || !v.may(m.needs) {
		return ""
	}
	path, _, _ := strings.Cut(m.path, "?")
	if !slices.ContainsFunc(table(), func(l line) bool { return strings.HasPrefix(l.pattern, "GET "+path) }) {
		return ""
	}
	if strings.HasSuffix(m.path, "/") {
		return m.path + url.PathEscape(a.Name)
	}
	return m.path
}

func (v *visit) attention(a attention) string {
	if strings.HasPrefix(a.Kind, "stock_") {
		a.Name = v.reward(a.Name)
	}
	if a.Name != "" && a.Count > 0 {
		return v.T("attention."+a.Kind, a.Name, v.count(a.Count))
	}
	if a.Name != "" {
		return v.T("attention."+a.Kind, a.Name)
	}
	return v.T("attention."+a.Kind, v.count(a.Count))
}
