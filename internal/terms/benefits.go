package terms

import (
	"strings"

	"lojal.dev/lojal/internal/explain"
	"lojal.dev/lojal/internal/program"
)

// benefits tells what members may have that costs no points.
func (w *writer) benefits() []Item {
	var out []Item
	if len(w.p.Doc.Benefits) == 0 { // those that are mere names are told with their tiers
		return nil
	}
	for _, b := range w.p.Benefits {
		out = append(out, Item{Of: b.ID, Title: w.benefit(b.ID), Text: paragraph(sentence(w.text(b.Description)), w.value(b), w.whose(b), w.unless(b), w.window(b.When, b.From, b.Until), w.grows(b), w.fades(b), w.limits(b.Limits, ""))})
	}
	return out
}

// onlyGiven says that nobody has a benefit but by what was given or passed on to them: its condition is false whoever asks.
func onlyGiven(b *program.CompiledBenefit) bool {
	return b.When != nil && strings.TrimSpace(b.When.Condition.Formula) == "false"
}

// whose says which tiers and plans bring a benefit.
func (w *writer) whose(b *program.CompiledBenefit) string {
	var names []string
	for _, set := range b.Sets {
		for i := range w.p.Tiers[set].Steps {
			if b.Tiers[set][i] {
				names = append(names, explain.Tier(w.p, set+"/"+w.p.Tiers[set].Steps[i].ID, w.lang))
			}
		}
	}
	for _, id := range b.Plans {
		names = append(names, w.quoted(explain.Plan(w.p, id, w.lang)))
	}
	switch {
	case onlyGiven(b):
		return sentence(w.say("benefit.given"))
	case len(names) > 0:
		return sentence(w.say("benefit.with", "x", w.and(names)))
	case b.When == nil:
		return sentence(w.say("benefit.all"))
	}
	return ""
}

// unless says what must hold for a benefit that one may have without being given it.
func (w *writer) unless(b *program.CompiledBenefit) string {
	if onlyGiven(b) {
		return ""
	}
	return w.conditions(b.When)
}

func (w *writer) value(b *program.CompiledBenefit) string {
	if b.Worth.Kind == "" || b.Worth.Nothing() {
		return ""
	}
	if b.Worth.Kind == program.WorthAhead {
		return sentence(w.worth(b.Worth))
	}
	return sentence(w.say("benefit.off", "x", w.worth(b.Worth)))
}

func (w *writer) worth(v program.Worth) string {
	switch v.Kind {
	case program.WorthPercent:
		return w.share(v.Amount) + w.say("percent")
	case program.WorthMoney:
		return w.money(v.Amount)
	}
	return w.say("benefit.ahead", "x", w.period(v.Ahead))
}

func (w *writer) grows(b *program.CompiledBenefit) string {
	g := b.Grows
	if g == nil {
		return ""
	}
	by := w.say("benefit.grows.tier")
	if g.Metric != nil {
		by = w.clause("benefit.grows", w.metric(g.Metric))
	}
	steps := make([]string, len(g.Steps))
	for i, s := range g.Steps {
		switch {
		case s.After != nil:
			steps[i] = w.say("benefit.step.after", "worth", w.worth(s.Worth), "x", w.period(*s.After))
		case g.Metric == nil:
			steps[i] = w.say("benefit.step.tier", "worth", w.worth(s.Worth), "x", explain.Tier(w.p, g.Tier+"/"+w.p.Tiers[g.Tier].Steps[s.Place].ID, w.lang))
		default:
			steps[i] = w.say("benefit.step.from", "worth", w.worth(s.Worth), "x", w.reached(g.Metric, s.From))
		}
	}
	s := sentence(by + ": " + w.and(steps))
	if g.Metric != nil {
		s = paragraph(s, w.scope(g.Metric.By.Lines), w.basis(g.Metric.By.Basis))
	}
	return s
}

func (w *writer) fades(b *program.CompiledBenefit) string {
	f := b.Fades
	if f == nil {
		return ""
	}
	var out []string
	for _, s := range f.Steps {
		if s.Ends || s.Worth.Nothing() {
			out = append(out, sentence(w.say("benefit.fades.ends", "x", w.period(s.After))))
		} else {
			out = append(out, sentence(w.say("benefit.fades", "x", w.period(s.After), "worth", w.worth(s.Worth))))
		}
	}
	return paragraph(append(out, sentence(w.say("benefit.warn", "x", w.period(f.Warn))), sentence(w.say("benefit.back")))...)
}

// plans tells the paid memberships.
func (w *writer) plans() []Item {
	var out []Item
	for i := range w.p.Doc.Plans {
		p := w.p.Plans[w.p.Doc.Plans[i].ID]
		var brings []string
		for _, id := range p.Benefits {
			brings = append(brings, w.quoted(w.benefit(id)))
		}
		lines := []string{sentence(w.text(p.Description)), w.planPrice(p)}
		if len(brings) > 0 {
			lines = append(lines, sentence(w.say("plan.brings", "benefits", w.and(brings))))
		}
		if p.Trial != nil {
			lines = append(lines, sentence(w.say("plan.trial", "x", w.period(*p.Trial))))
		}
		lines = append(lines, sentence(w.say("plan.renews")))
		if p.Plan.Grace != nil && !p.Grace.IsZero() {
			lines = append(lines, sentence(w.say("plan.grace", "x", w.period(p.Grace))))
		}
		out = append(out, Item{Of: p.ID, Title: explain.Plan(w.p, p.ID, w.lang), Text: paragraph(lines...)})
	}
	return out
}

func (w *writer) planPrice(p *program.CompiledPlan) string {
	if p.Price < 0 {
		return ""
	}
	if per, ok := w.t["per."+p.Every.Unit]; ok && p.Every.N == 1 {
		return sentence(w.say("plan.price", "price", w.money(p.Price), "per", per))
	}
	return sentence(w.say("plan.price.for", "price", w.money(p.Price), "x", w.period(p.Every)))
}

// referral tells what bringing others gives.
func (w *writer) referral() []Item {
	r := w.p.Referral
	if r == nil {
		return nil
	}
	var gets []string
	for _, t := range []struct {
		place string
		gives *program.Thanks
		rule  string
	}{{"friend", r.Friend, program.ReferralRule}, {"referrer", r.Referrer, program.ReferralThanksRule}} {
		if t.gives != nil {
			gets = append(gets, t.place, w.points(t.gives.Unit, w.p.ByID[t.rule].Amount))
		}
	}
	which := "gets.both"
	if len(gets) == 2 {
		which = "gets." + gets[0]
	}
	key := "referral"
	if r.First {
		key = "referral.first"
	}
	out := []string{sentence(w.say(key, "gets", w.say(which, gets...))), w.conditions(r.When)}
	if !r.First {
		out = append(out, sentence(w.say("referral.once")))
	}
	if r.Qualifies.Within != nil {
		out = append(out, sentence(w.say("referral.within", "x", w.period(*r.Qualifies.Within))))
	}
	if r.Late != nil {
		out = append(out, sentence(w.say("referral.late", "x", w.period(*r.Late))))
	}
	if t := w.p.ByID[program.ReferralThanksRule]; t != nil {
		if limits := w.limits(t.Limits, t.Give.Unit); limits != "" {
			out = append(out, sentence(w.say("referral.limit", "x", w.inside(limits))))
		}
	}
	return []Item{{Title: w.text(r.Title), Text: paragraph(append(out, sentence(w.say("referral.undone")))...)}}
}

// giftCards tells what the program's own gift cards are.
func (w *writer) giftCards() []Item {
	g := w.p.GiftCards
	if g == nil {
		return nil
	}
	what := []string{w.say("giftcard")}
	if g.Min >= 0 || g.Max >= 0 {
		what = w.bounds("giftcard", &program.Range{From: g.GiftCards.Min, To: g.GiftCards.Max}, w.decimal)
	}
	out := []string{sentence(what[0]), sentence(w.say("giftcard.left"))}
	if g.TopUp == nil || *g.TopUp {
		out = append(out, sentence(w.say("giftcard.topup")))
	}
	if g.Most >= 0 {
		out = append(out, sentence(w.say("giftcard.most", "x", w.money(g.Most))))
	}
	if g.PIN {
		out = append(out, sentence(w.say("giftcard.pin")))
	}
	if g.Valid == nil {
		return []Item{{Text: paragraph(append(out, sentence(w.say("giftcard.never")))...)}}
	}
	out = append(out, sentence(w.say("giftcard.valid", "x", w.period(*g.Valid))))
	if g.Warn != nil {
		out = append(out, sentence(w.say("expiry.warn", "x", w.period(*g.Warn))))
	}
	return []Item{{Text: paragraph(out...)}}
}
