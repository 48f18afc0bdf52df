package portal

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"lojal.dev/lojal/internal/lang"
)

// one says whether an amount is told in the singular.
func (v *visit) one(text string) bool { return lang.One(v.lang, decimal(text)) }

// lastDay is the last day of something that ends at a time: what ends at midnight is good through the day before.
func (v *visit) lastDay(t time.Time) string { return v.day(t.Add(-time.Second)) }

// share is an amount for a meter, which takes plain numbers.
func share(text string) string {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f < 0 {
		f = 0
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}

// end is a part of a balance with its last day.
type end struct{ until, amount string }

// ends puts the lots of a balance together by the day on which they end.
func (v *visit) ends(b balance) []end {
	sums, order := map[string]string{}, []string{}
	for _, l := range b.Lots {
		if zero(l.Spendable) {
			continue
		}
		until := v.T("balance.for_good")
		if l.ExpiresAt != nil {
			until = v.T("balance.until", v.lastDay(*l.ExpiresAt))
		}
		if _, there := sums[until]; !there {
			order = append(order, until)
		}
		sums[until] = add(sums[until], l.Spendable)
	}
	out := make([]end, len(order))
	for i, until := range order {
		out[i] = end{until, v.amount(b.unit, sums[until])}
	}
	return out
}

// add adds two amounts of one unit, which have the same number of decimals.
func add(a, b string) string {
	if a == "" {
		return b
	}
	_, frac, _ := strings.Cut(b, ".")
	x, err := decimal(a).Minor(len(frac))
	if err != nil {
		return b
	}
	y, err := decimal(b).Minor(len(frac))
	if err != nil {
		return a
	}
	text := strconv.FormatInt(x+y, 10)
	if len(frac) == 0 {
		return text
	}
	for len(text) <= len(frac) {
		text = "0" + text
	}
	return text[:len(text)-len(frac)] + "." + text[len(text)-len(frac):]
}

// units writes amounts of several units, those of the program in its order.
func (v *visit) units(sums map[string]string) string {
	var out []string
	for _, u := range v.p.UnitIDs {
		if n, ok := sums[u]; ok && !zero(n) {
			out = append(out, v.amount(u, n))
		}
	}
	return strings.Join(out, ", ")
}

// sums is what came and went by a fact and is not in its summary already, with its sign: «+12 stjerner».
func (v *visit) sums(t told) string {
	var out []string
	for _, s := range []struct {
		sign string
		of   map[string]string
	}{
		{"+", t.Earned}, {"+", t.GivenBack}, {"−", t.Spent}, {"−", t.TakenBack}, {"−", t.Expired}, {"", t.Adjusted}, {"", t.Transferred}, {"", t.Partners},
	} {
		for _, u := range v.p.UnitIDs {
			n, ok := s.of[u]
			if !ok || zero(n) {
				continue
			}
			sign := s.sign
			if sign == "" {
				sign = "+"
				if strings.HasPrefix(n, "-") {
					sign, n = "−", n[1:]
				}
			}
			if !strings.Contains(t.Summary, v.amount(u, n)) {
				out = append(out, sign+v.amount(u, n))
			}
		}
	}
	return strings.Join(out, ", ")
}

// price is what a reward costs this member.
func (v *visit) price(r reward) string {
	price, pay := r.For.Price, r.For.Money
	if len(price) == 0 && r.For.Money == "" {
		price, pay = r.Price, r.Money
	}
	var out []string
	if s := v.units(price); s != "" {
		out = append(out, s)
	}
	if pay != "" && !zero(pay) {
		out = append(out, v.money(pay))
	}
	if len(out) == 0 {
		return v.T("reward.free")
	}
	return strings.Join(out, " + ")
}

// within are the first few rewards that a member can have now or soon.
func within(list []reward, most int) []reward {
	sorted := slices.Clone(list)
	sorted = slices.DeleteFunc(sorted, func(r reward) bool { return r.Gives == "money" || nearness(r) == later })
	slices.SortStableFunc(sorted, func(a, b reward) int { return nearness(a) - nearness(b) })
	return sorted[:min(most, len(sorted))]
}

// How near a reward is.
const (
	now = iota
	soon
	later
)

// nearness says whether a member can have a reward now, soon (more than half of what it costs is there), or later.
func nearness(r reward) int {
	if r.For.Available {
		return now
	}
	if len(r.For.Missing) == 0 || len(r.Price) == 0 {
		return later
	}
	for u, missing := range r.For.Missing {
		lacks, err := strconv.ParseFloat(missing, 64)
		costs, err2 := strconv.ParseFloat(r.Price[u], 64)
		if err != nil || err2 != nil || lacks*2 > costs {
			return later
		}
	}
	return soon
}

// running are the first few challenges that count for a member now, the nearest to their goal first.
func running(list []challenge, most int) []challenge {
	var out []challenge
	for _, h := range list {
		if h.Running && h.TakesPart && !h.Done {
			out = append(out, h)
		}
	}
	far := func(h challenge) float64 {
		v, _ := strconv.ParseFloat(h.Value, 64)
		g, _ := strconv.ParseFloat(h.Goal, 64)
		if g == 0 {
			return 1
		}
		return 1 - v/g
	}
	slices.SortStableFunc(out, func(a, b challenge) int {
		switch x, y := far(a), far(b); {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	return out[:min(most, len(out))]
}

// stamps is how many stamps of how many a card has; none where what is counted is no small number of things.
func stamps(h challenge) (got, of int) {
	if h.Unit != "number" || h.Done {
		return 0, 0
	}
	got, err := strconv.Atoi(strings.TrimSuffix(h.Value, ".000"))
	of, err2 := strconv.Atoi(strings.TrimSuffix(h.Goal, ".000"))
	if err != nil || err2 != nil || of < 1 || of > 20 {
		return 0, 0
	}
	return min(got, of), of
}

func (v *visit) times(n int64) string {
	if n == 1 {
		return v.T("challenge.once")
	}
	return v.T("challenge.times", strconv.FormatInt(n, 10))
}

// timesLeft says how often a benefit can still be used.
func (v *visit) timesLeft(n int64) string {
	if n == 1 {
		return v.T("benefit.left.once")
	}
	return v.T("benefit.left", left(n))
}

func rewardIcon(gives string) string {
	switch gives {
	case "voucher", "code", "gift_card":
		return "ticket"
	case "goods":
		return "package"
	case "donation":
		return "heart"
	case "raffle":
		return "sparkles"
	case "seat":
		return "calendar-clock"
	}
	return "gift"
}

func factIcon(kind string) string {
	switch kind {
	case "purchase":
		return "store"
	case "return":
		return "undo-2"
	case "enrolment":
		return "user-plus"
	case "reserve", "commit", "redeem", "cancel", "refund", "fulfilment":
		return "gift"
	case "due":
		return "calendar-clock"
	case "tier":
		return "crown"
	case "use":
		return "percent"
	}
	return "activity"
}
