package terms

import (
	"fmt"
	"strings"

	"lojal.dev/lojal/internal/explain"
	"lojal.dev/lojal/internal/program"
)

// moment says when a rule comes round.
func (w *writer) moment(m program.Moment) string {
	switch m.Kind {
	case program.OnDate:
		return w.say("moment.date", "x", w.dates(program.Words{fmt.Sprintf("%02d-%02d", m.Month, m.Day)})[0])
	case program.Every:
		return w.say("moment." + m.Every)
	case program.TierReached:
		return w.say("moment.tier", "tier", explain.Tier(w.p, m.Set+"/"+m.Step, w.lang))
	}
	return w.say("moment." + m.Kind)
}

// comesRound says what a rule gives at a moment.
func (w *writer) comesRound(r *program.CompiledRule, m program.Moment, amount string) string {
	when := w.moment(m)
	switch {
	case r.Base != "":
		return w.percent(r, m, when)
	case r.Give.Formula != "":
		return sentence(w.say("gives.moment.formula", "unit", w.unit(r.Give.Unit), "when", when))
	case r.Amount == 0:
		return sentence(w.say("gives.nothing", "unit", w.unit(r.Give.Unit)))
	}
	key := "gives.moment"
	if strings.HasPrefix(when, "når ") {
		key = "gives.moment.clause"
	}
	return sentence(w.say(key, "amount", amount, "when", when))
}

// percent says of what a rule gives a part, and how large it is.
func (w *writer) percent(r *program.CompiledRule, m program.Moment, when string) string {
	var shares, later []string
	stepped := false
	for _, s := range r.Shares {
		n := explain.Percent(s.Percent.String(), w.lang)
		switch {
		case s.After != nil && s.After.N > 0:
			later = append(later, w.say("share.after", "n", n, "x", w.period(*s.After)))
			continue
		case s.From > 0 && r.Base == "balance":
			n, stepped = w.say("share.from", "n", n, "x", w.points(r.BaseUnit, s.From)), true
		case s.From > 0:
			n, stepped = w.say("share.from", "n", n, "x", w.money(s.From)), true
		}
		shares = append(shares, n)
	}
	steps, kept, grows := "", "", ""
	if len(shares) == 0 { // nothing before the first step
		shares, later = later, nil
	}
	if len(later) > 0 {
		grows = sentence(w.clause("benefit.grows", w.say("metric.tenure")) + ": " + w.and(later))
	}
	pairs := []string{"n", w.and(shares), "unit", w.unit(r.Give.Unit), "base", w.unit(r.BaseUnit), "when", when}
	key := "gives.percent"
	switch {
	case r.Bought != nil:
		key = "gives.rebate"
		pairs = append(pairs, "period", w.say("ended."+m.Every))
	case r.Base == "balance" && r.BaseUnit == r.Give.Unit:
		key = "gives.growth"
	case r.Base == "balance":
		key = "gives.growth.other"
	}
	if stepped {
		steps = sentence(w.say(map[bool]string{false: "share.whole", true: "share.part"}[r.EachPart]))
	}
	if r.Give.Kept != nil {
		kept = sentence(w.say("share.kept", "x", w.period(*r.Give.Kept)))
	}
	return paragraph(sentence(w.say(key, pairs...)), grows, steps, kept, w.basis(r.Rule.Basis))
}
