package advice

import (
	"slices"
	"strings"
	"time"

	"lojal.dev/lojal/internal/explain"
	"lojal.dev/lojal/internal/program"
)

// times finds what is over already, and what never is.
func (l *look) times() {
	for _, r := range l.all() {
		l.time(atRule(r), l.rule(r), r.When, r.From, r.Until)
	}
	for i := range l.p.Doc.Rewards {
		r := l.p.Rewards[l.p.Doc.Rewards[i].ID]
		l.time(pointer("rewards", i), explain.Reward(l.p, r.ID, l.lang), r.When, r.From, r.Until)
	}
	for i := range l.p.Doc.Challenges {
		c := l.p.Challenges[l.p.Doc.Challenges[i].ID]
		l.time(pointer("challenges", i), explain.Rule(l.p, c.ID, l.lang), c.When, c.From, c.Until)
	}
	for i := range l.p.Doc.Coupons {
		c := l.p.Coupons[l.p.Doc.Coupons[i].ID]
		l.time(pointer("coupons", i), explain.Coupon(l.p, c.ID, l.lang), nil, c.From, c.Until)
	}
	for i := range l.p.Doc.Benefits {
		if b := l.p.Benefit(l.p.Doc.Benefits[i].ID); b != nil {
			l.time(pointer("benefits", i), explain.Benefit(l.p, b.ID, l.lang), b.When, b.From, b.Until)
		}
	}
}

func (l *look) time(ptr, title string, when *program.CompiledCondition, from, until *time.Time) {
	days, is := "", true
	if when != nil {
		days, is = l.days(when.Condition.Dates, from, until)
	}
	switch {
	case until != nil && until.Before(l.at):
		l.find(Unclear, "over", ptr+"/until", "rule", title)
	case !is:
		l.find(Unclear, "never", ptr+"/when/dates", "rule", title)
	case days != "" && days < l.at.In(l.p.Zone).Format(time.DateOnly):
		l.find(Unclear, "over", ptr+"/when/dates", "rule", title)
	}
}

// days gives the last of some days where all have a year, and says whether any of them lies between from and until.
func (l *look) days(dates program.Words, from, until *time.Time) (last string, is bool) {
	const withYear = len(time.DateOnly)
	if len(dates) == 0 || slices.ContainsFunc(dates, func(d string) bool { return len(strings.Split(d, "..")[0]) != withYear }) {
		return "", true
	}
	for _, d := range dates {
		a, b, _ := strings.Cut(d, "..")
		if b == "" {
			b = a
		}
		last = max(last, b)
		is = is || (from == nil || b >= from.In(l.p.Zone).Format(time.DateOnly)) && (until == nil || a <= until.In(l.p.Zone).Format(time.DateOnly))
	}
	return last, is
}

// fades finds steps of fading benefits that take nothing away, seen from what the benefit is worth before it grows.
func (l *look) fades() {
	for i := range l.p.Doc.Benefits {
		b := l.p.Benefit(l.p.Doc.Benefits[i].ID)
		if b == nil || b.Fades == nil || b.Worth.Kind == "" || b.Worth.Nothing() {
			continue
		}
		before := b.Worth
		for n, step := range b.Fades.Steps {
			if step.Ends || step.Worth.Kind == "" {
				break
			}
			if !step.Worth.Less(before) {
				l.find(Unclear, "fades_never", pointer("benefits", i, "fades", "steps", n), "benefit", explain.Benefit(l.p, b.ID, l.lang))
			}
			before = step.Worth
		}
	}
}

// handedOn finds words, things to share and households by which more goes out than the owner may have meant.
func (l *look) handedOn() {
	for i := range l.p.Doc.Coupons {
		c := l.p.Coupons[l.p.Doc.Coupons[i].ID]
		name := explain.Coupon(l.p, c.ID, l.lang)
		if c.Word != "" && len(c.Limits) == 0 {
			l.find(Leaky, "coupon_unlimited", pointer("coupons", i, "limit"), "coupon", name)
		}
		if c.Word != "" && c.Until == nil {
			l.find(Leaky, "coupon_endless", pointer("coupons", i, "until"), "coupon", name)
		}
		if c.Word != "" && c.Percent == nil && c.Least == nil { // a code of its own is given to whom it is meant for
			l.find(Leaky, "coupon_pays_all", pointer("coupons", i, "least"), "coupon", name, "worth", l.money(c.Money))
		}
	}
	for i := range l.p.Doc.Shares {
		if s := l.p.Shares[l.p.Doc.Shares[i].ID]; len(s.Limits) == 0 {
			what := explain.Reward(l.p, s.Reward, l.lang)
			if s.Benefit != "" {
				what = explain.Benefit(l.p, s.Benefit, l.lang)
			}
			l.find(Leaky, "share_unlimited", pointer("shares", i, "limit"), "share", what)
		}
	}
	h := l.p.Doc.Households
	if h == nil {
		return
	}
	if h.Wait == nil {
		l.find(Leaky, "household_hopping", "/households/wait")
	}
	if h.MemberFor != nil {
		return
	}
	for _, r := range l.rules("enrolment") {
		if r.Give != nil && r.Amount > 0 && slices.Contains(h.Shares, r.Give.Unit) {
			l.find(Leaky, "household_gifts", "/households/member_for", "rule", l.rule(r))
			return
		}
	}
}
