package explain

import (
	"slices"
	"strings"
	"time"

	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
)

// The forms in which a template may ask for a value: {time:last}.
const (
	formDay   = "day"   // a time as its local date
	formFirst = "first" // a time at which something begins: a date at midnight, else date and time
	formLast  = "last"  // a time at which something ends: the last day on which it is, never a time of day
	formUpto  = "upto"  // such a time with the words before it: "up to and including" a whole day, "until" date and time
	formPer   = "per"   // a period of limits: "per day"
	formTimes = "times" // a number: "once", "3 times"
)

// value writes one of a note's values; false when it is not there.
func (w *writer) value(code, name, form string, args engine.Args) (string, bool) {
	if name == "self" {
		return Rule(w.p, w.self, w.lang), true
	}
	v, ok := args[name]
	if !ok || w.moot(code, name, args) {
		return w.t.none, false
	}
	if s, ok := w.special(code, name, v); ok {
		return s, true
	}
	switch s := w.typed(name, form, v); {
	case s != "":
		return s, true
	default:
		return w.t.none, false
	}
}

// moot says that a value is there and need not be told.
func (w *writer) moot(code, name string, args engine.Args) bool {
	v := args[name]
	switch {
	case code == engine.StepPer && name == "rounding": // nothing was rounded
		return exact(args)
	case code == engine.NoteTierWarning && name == "missing":
		return (v.Money == nil || *v.Money == 0) && v.Amount == 0 && (v.Number == "" || v.Number == "0")
	}
	return false
}

// exact says whether "amount per money" came out without a remainder.
func exact(args engine.Args) bool {
	per, basis := args["per"].Money, args["basis"].Money
	if per == nil || basis == nil || *per == 0 {
		return false
	}
	down, err := money.MulDiv(args["amount"].Amount, *basis, *per, money.Down)
	if err != nil {
		return false
	}
	up, err := money.MulDiv(args["amount"].Amount, *basis, *per, money.Up)
	return err == nil && down == up && down == args["gave"].Amount
}

// special writes texts that have a form of their own.
func (w *writer) special(code, name string, v engine.Value) (string, bool) {
	switch {
	case code == engine.CondHours && name == "want":
		return lang.And(w.lang, spans(v.List, "-", func(s string) string { return lang.ClockText(w.lang, s) })), len(v.List) > 0
	case code == engine.CondHours && name == "seen":
		return lang.ClockText(w.lang, v.Text), v.Text != ""
	case code == engine.CondDates && name == "want":
		return lang.Or(w.lang, spans(v.List, "..", func(s string) string { return lang.Day(w.lang, s) })), len(v.List) > 0
	case code == engine.CondStore || code == engine.CondChannel:
		named := make([]string, len(v.List))
		for i, word := range v.List {
			named[i] = Word(w.p, word, w.lang)
		}
		if v.Text != "" {
			return Word(w.p, v.Text, w.lang), true
		}
		return lang.Or(w.lang, named), len(named) > 0
	case (code == engine.NotePartnerAward || code == engine.NotePartnerAccept || code == engine.NotePartnerUndo) && name == "text":
		return Partner(w.p, v.Text, w.lang), v.Text != ""
	case (code == engine.NoteCouponUsed || code == engine.NoteCouponUnused) && name == "text":
		return Coupon(w.p, v.Text, w.lang), v.Text != ""
	case name == "text" && slices.Contains(aboutThanks, code):
		return Praise(w.p, v.Text, w.lang), v.Text != ""
	case code == engine.NoteReferralRefused && name == "word": // some of these words mean something else elsewhere
		why := w.t.refused[v.Word]
		return why, why != ""
	case code == engine.NoteConfirm && name == "text":
		return Activity(w.p, v.Text, w.lang), v.Text != ""
	case (code == engine.CondMemberFor && name == "want") || name == "from" || name == "value" || name == "to":
		if p, err := program.ParsePeriod(v.Text); err == nil {
			return w.period(p), true
		}
	}
	return "", false
}

// aboutThanks are the notes whose text is what somebody was thanked for.
var aboutThanks = []string{engine.NoteThanksGiven, engine.NoteThanksWait, engine.NoteThanksApproved, engine.NoteThanksDeclined, engine.NoteThanksLapsed,
	engine.NoteThanksUndone, engine.NoteThanked}

// spans writes "a..b" as "a–b", with each end in its own form.
func spans(list []string, between string, end func(string) string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		if strings.Count(s, "-") > 1 && between == "-" { // no span of hours
			out[i] = s
			continue
		}
		a, b, ok := strings.Cut(s, between)
		if out[i] = end(a); ok {
			out[i] += "–" + end(b)
		}
	}
	return out
}

func (w *writer) period(p program.Period) string {
	forms := w.t.periods[p.Unit]
	return lang.Count(w.lang, int64(p.N), 0, forms[0], forms[1])
}

// typed writes a value by its type.
func (w *writer) typed(name, form string, v engine.Value) string {
	switch {
	case v.Money != nil:
		return lang.ExactPrice(w.lang, w.p.Doc.Currency, *v.Money)
	case v.Unit != "":
		return Amount(w.p, v.Unit, v.Amount, w.lang)
	case v.Number != "":
		return w.number(form, v.Number)
	case v.Time != nil:
		return w.time(form, *v.Time)
	case v.Day != "":
		return lang.Day(w.lang, v.Day)
	case v.Rule != "":
		return Rule(w.p, v.Rule, w.lang)
	case v.Reward != "":
		return Reward(w.p, v.Reward, w.lang)
	case v.Tier != "":
		return Tier(w.p, v.Tier, w.lang)
	case v.Set != "":
		return TierSet(w.p, v.Set, w.lang)
	case v.Word != "":
		return w.word(form, v.Word)
	case v.Benefit != "":
		return Benefit(w.p, v.Benefit, w.lang)
	case len(v.Plans) > 0:
		titles := make([]string, len(v.Plans))
		for i, id := range v.Plans {
			titles[i] = Plan(w.p, id, w.lang)
		}
		return lang.Or(w.lang, titles)
	case v.Percent != "":
		return Percent(v.Percent, w.lang)
	case v.Text != "":
		return v.Text
	}
	return w.list(name, v)
}

// list joins what was seen by "and", what would do by "or".
func (w *writer) list(name string, v engine.Value) string {
	items := slices.Clone(v.List)
	for _, word := range v.Words {
		items = append(items, w.weekdays(word))
	}
	for _, t := range v.Tiers {
		if s := Tier(w.p, t, w.lang); s != "" {
			items = append(items, s)
		}
	}
	if name == "seen" || len(v.Words) > 0 {
		return lang.And(w.lang, items)
	}
	return lang.Or(w.lang, items)
}

func (w *writer) number(form, s string) string {
	d, err := money.Parse(s)
	if err != nil {
		return s
	}
	if form == formTimes {
		if s == "1" {
			return w.t.once
		}
		return lang.Number(w.lang, d) + " " + w.t.times
	}
	return lang.Number(w.lang, d)
}

func (w *writer) time(form string, t time.Time) string {
	zone := w.p.Zone
	l := t.In(zone)
	midnight := time.Date(l.Year(), l.Month(), l.Day(), 0, 0, 0, 0, zone)
	switch form {
	case formDay:
		return lang.Date(w.lang, t, zone)
	case formFirst:
		if l.Equal(midnight) {
			return lang.Date(w.lang, t, zone)
		}
	case formLast:
		return lang.Date(w.lang, t.Add(-time.Second), zone)
	case formUpto:
		tomorrow := time.Date(l.Year(), l.Month(), l.Day()+1, 0, 0, 0, 0, zone)
		if l.Equal(midnight) || tomorrow.Sub(l) <= time.Second { // both ways of saying "the whole of that day"
			return w.t.upto[0] + " " + lang.Date(w.lang, t.Add(-time.Second), zone)
		}
		return w.t.upto[1] + " " + lang.DateTime(w.lang, t, zone)
	}
	return lang.DateTime(w.lang, t, zone)
}

func (w *writer) word(form, s string) string {
	if form == formPer {
		if t, ok := w.t.per[s]; ok {
			return t
		}
	}
	if i := slices.Index(weekdays, s); i >= 0 {
		return lang.Weekday(w.lang, time.Weekday(i))
	}
	for _, m := range []map[string]string{w.t.rounding, w.t.status, w.t.houses} {
		if t, ok := m[s]; ok {
			return t
		}
	}
	return s
}

var weekdays = []string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}

func (w *writer) weekdays(s string) string {
	i := slices.Index(weekdays, s)
	if i < 0 {
		return s
	}
	return w.t.weekdays(lang.Weekday(w.lang, time.Weekday(i)))
}

// Upto says until when something is: "up to and including" a whole day, or "until" a moment.
func Upto(p *program.Compiled, t time.Time, language string) string {
	return newWriter(p, language, false).time(formUpto, t)
}

// From says when something begins: a whole day, or a moment.
func From(p *program.Compiled, t time.Time, language string) string {
	return newWriter(p, language, false).time(formFirst, t)
}

// Coupon gives the title of a coupon in the language, or in another one, or its id.
func Coupon(p *program.Compiled, id, language string) string {
	if c := p.Coupons[id]; c != nil {
		return titled(c.Title, language, id)
	}
	return id
}

// Partner gives the name of a partner in the language, or in another one, or its id.
func Partner(p *program.Compiled, id, language string) string {
	if c := p.Partners[id]; c != nil {
		return titled(c.Name, language, id)
	}
	return id
}

// Praise gives the name of what people thank each other for in the language, or in another one, or its id.
func Praise(p *program.Compiled, id, language string) string {
	if p.Recognition != nil {
		if v, ok := p.Recognition.Value(id); ok {
			return titled(v.Name, language, id)
		}
	}
	return id
}

// Rule gives the title of a rule in the language, or in another one, or its id.
func Rule(p *program.Compiled, id, language string) string {
	if r := p.ByID[id]; r != nil {
		return titled(r.Title, language, id)
	}
	if id == program.RecognitionRule && p.Recognition != nil {
		return titled(p.Recognition.Title, language, id)
	}
	if c := p.Challenges[id]; c != nil {
		return titled(c.Title, language, id)
	}
	return id
}

// Reward gives the title of a reward in the language, or in another one, or its id.
func Reward(p *program.Compiled, id, language string) string {
	if r := p.Rewards[id]; r != nil {
		return titled(r.Title, language, id)
	}
	return id
}

// Benefit gives the title of a benefit in the language, or in another one, or its id.
func Benefit(p *program.Compiled, id, language string) string {
	if b := p.Benefit(id); b != nil {
		return titled(b.Title, language, id)
	}
	return id
}

// Plan gives the title of a plan in the language, or in another one, or its id.
func Plan(p *program.Compiled, id, language string) string {
	if l := p.Plans[id]; l != nil {
		return titled(l.Title, language, id)
	}
	return id
}

// Percent writes a percentage given as a decimal: "10 %".
func Percent(s, language string) string {
	d, err := money.Parse(s)
	if err != nil {
		return s
	}
	if language == lang.English {
		return lang.Number(language, d) + "%"
	}
	return lang.Number(language, d) + "\u00a0%"
}

// Worth writes what a benefit is worth; "" where it has no value.
func Worth(p *program.Compiled, v program.Worth, language string) string {
	w := newWriter(p, language, false)
	switch v.Kind {
	case program.WorthPercent:
		return Percent(v.Percent(), language)
	case program.WorthMoney:
		return lang.ExactPrice(language, p.Doc.Currency, v.Amount)
	case program.WorthAhead:
		return w.period(v.Ahead)
	}
	return ""
}

// Unit gives the noun of a unit in the language, or in another one, or its id.
func Unit(p *program.Compiled, id, language string, one bool) string {
	if u := p.Units[id]; u != nil {
		if s := u.Name.In(language, one); s != "" {
			return s
		}
	}
	return id
}

// Amount writes minor units of a unit with its noun: "24 stjerner".
func Amount(p *program.Compiled, unit string, minor int64, language string) string {
	scale := 0
	if u := p.Units[unit]; u != nil {
		scale = u.Precision
	}
	return lang.Count(language, minor, scale, Unit(p, unit, language, true), Unit(p, unit, language, false))
}

// Tier gives the name of a tier, written SET/TIER, in the language, or in another one, or its id; "" below the first.
func Tier(p *program.Compiled, ref, language string) string {
	set, step, _ := strings.Cut(ref, "/")
	if t := p.Tiers[set]; t != nil {
		if i := t.Place(step); i >= 0 {
			return titled(t.Steps[i].Name, language, step)
		}
	}
	return step
}

// TierSet gives the name of a tier set in the language, or in another one, or its id.
func TierSet(p *program.Compiled, id, language string) string {
	if t := p.Tiers[id]; t != nil {
		return titled(t.Name, language, id)
	}
	return id
}

// Activity gives the name of a kind of activity, with or without "activity:" before it.
func Activity(p *program.Compiled, kind, language string) string {
	kind = strings.TrimPrefix(kind, "activity:")
	return titled(p.Doc.Activities[kind].Name, language, kind)
}

func titled(t program.Text, language, id string) string {
	if s := t.In(language); s != "" {
		return s
	}
	return id
}

// Word gives what members call a category, brand, tag, store or channel, or the word itself.
func Word(p *program.Compiled, word, language string) string {
	return titled(p.Doc.Names[word], language, word)
}
