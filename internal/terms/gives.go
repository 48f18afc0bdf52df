package terms

import (
	"strings"

	"lojal.dev/lojal/internal/explain"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
)

// gives says what one rule gives.
func (w *writer) gives(r *program.CompiledRule) string {
	g := r.Give
	if g.Formula != "" && w.text(r.Rule.Text) != "" {
		return "" // its text says it
	}
	amount := ""
	if g.Amount != nil {
		amount = w.points(g.Unit, r.Amount)
	}
	switch m, moment := program.ParseMoment(r.On); {
	case moment:
		return w.comesRound(r, m, amount)
	case r.Base != "":
		return w.percent(r, m, "")
	}
	kind, _ := strings.CutPrefix(r.On, "activity:")
	activity := w.quoted(explain.Activity(w.p, r.On, w.lang))
	switch {
	case g.Amount != nil && r.Amount == 0:
		nothing := w.say("gives.nothing", "unit", w.unit(g.Unit))
		if strings.HasSuffix(w.text(r.Rule.Title), nothing) { // the title says it
			return ""
		}
		return sentence(nothing)
	case g.Formula != "" && r.On == "purchase":
		return sentence(w.say("gives.formula", "unit", w.unit(g.Unit)))
	case g.Formula != "" && kind != r.On:
		return sentence(w.say("gives.formula.activity", "unit", w.unit(g.Unit), "activity", activity))
	case g.Per != nil:
		key := "gives.per"
		if g.Whole {
			key = "gives.per.whole"
		}
		return paragraph(sentence(w.perMoney(key, r, amount)), w.basis(r.Rule.Basis))
	case g.Each != "":
		return sentence(w.say("gives."+g.Each, "amount", amount))
	case kind != r.On:
		return sentence(w.say("gives.activity", "amount", amount, "activity", activity))
	}
	return sentence(w.once(r, amount))
}

// once says what is given with a purchase, as a member joins, when a plan begins or a challenge is done.
func (w *writer) once(r *program.CompiledRule, amount string) string {
	if id, ok := strings.CutPrefix(r.On, "challenge:"); ok {
		return w.say("gives.challenge", "amount", amount, "x", w.quoted(explain.Rule(w.p, id, w.lang)))
	}
	if id, ok := strings.CutPrefix(r.On, "plan:"); ok {
		return w.say("gives.plan", "amount", amount, "plan", w.quoted(explain.Plan(w.p, id, w.lang)))
	}
	switch r.On {
	case "enrolment":
		return w.say("gives.enrolment", "amount", amount)
	case "purchase":
		return w.say("gives.purchase", "amount", amount)
	}
	return w.say("gives.fixed", "amount", amount)
}

// perMoney says what is earned for money: a share, where the unit is money itself.
func (w *writer) perMoney(key string, r *program.CompiledRule, amount string) string {
	g, u, one := r.Give, w.p.Units[r.Give.Unit], money.Pow10(w.p.Exponent)
	if u != nil && u.Worth != nil && u.Precision == w.p.Exponent && u.Precision > 0 && u.Worth.Cmp(money.New(1, 0)) == 0 && !g.Whole && r.Amount*10000%r.Per == 0 {
		return w.say("gives.percent", "n", w.share(r.Amount*10000/r.Per)+w.say("percent"), "unit", w.unit(g.Unit))
	}
	per := w.money(r.Per)
	if name, ok := w.t["one."+w.p.Doc.Currency]; ok && r.Per == one && !g.Whole {
		per = name
	}
	return w.say(key, "amount", amount, "per", per)
}
