// Package terms tells a whole program in plain words: how points come, what they are good for and when they end, good enough
// to be the program's page of terms. Norwegian, Swedish, Danish and English.
//
// It owns the words for rules as such (phrases.go); why a single decision is what it is, is explain's. It reads the compiled program and nothing else.
// What always holds: every phrase is there in every language with the same places in it; nothing that gives a member something, or takes
// it away, goes untold; rules on trial are not told.
package terms

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"lojal.dev/lojal/internal/explain"
	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
)

// Section is a part of the text: a heading and its paragraphs.
type Section struct {
	// ID is the same in every language: earning, expiry, tiers, rewards, …
	ID    string `json:"id"`
	Title string `json:"title"`
	Items []Item `json:"items"`
}

// Item is a paragraph, with a title where it is about one thing.
type Item struct {
	// Of is the id of the rule, tier or reward that it tells, if it tells one.
	Of    string `json:"of,omitempty"`
	Title string `json:"title,omitempty"`
	Text  string `json:"text"`
}

// Of tells a program in a language; one that is not known is English.
func Of(p *program.Compiled, language string) []Section {
	if !slices.Contains(lang.All, language) {
		language = lang.English
	}
	w := &writer{p: p, lang: language, t: phrases[language]}
	var out []Section
	for _, part := range parts {
		if items := part.tell(w); len(items) > 0 {
			out = append(out, Section{ID: part.id, Title: w.heading(part.id), Items: items})
		}
	}
	return out
}

// Rewards tells each reward of a program by its id, as Of does.
func Rewards(p *program.Compiled, language string) map[string]string {
	if !slices.Contains(lang.All, language) {
		language = lang.English
	}
	out := map[string]string{}
	for _, item := range (&writer{p: p, lang: language, t: phrases[language]}).rewards() {
		out[item.Of] = item.Text
	}
	return out
}

// heading names the points where there is one kind of them that can be used.
func (w *writer) heading(id string) string { return w.say("title."+id, "unit", w.noun()) }

// noun names what members spend: the unit where there is one such, else points.
func (w *writer) noun() string {
	spendable := slices.DeleteFunc(slices.Clone(w.p.UnitIDs), func(u string) bool {
		return w.p.Units[u].StatusOnly || w.p.Doc.GiftCards != nil && w.p.Doc.GiftCards.Unit == u
	})
	if len(spendable) == 1 {
		return w.unit(spendable[0])
	}
	return w.say("points")
}

// Title is the program's name, as the heading of the whole.
func Title(p *program.Compiled, language string) string {
	if s := p.Doc.Name.In(language); s != "" {
		return s
	}
	return p.Doc.Program
}

// parts are told in this order. A part that has nothing to tell is left out.
var parts = []struct {
	id   string
	tell func(*writer) []Item
}{
	{"earning", (*writer).earning},
	{"extra", (*writer).multipliers},
	{"challenges", (*writer).challenges},
	{"use", (*writer).rewards},
	{"expiry", (*writer).expiry},
	{"tiers", (*writer).tiers},
	{"benefits", (*writer).benefits},
	{"plans", (*writer).plans},
	{"referral", (*writer).referral},
	{"shares", (*writer).shares},
	{"coupons", (*writer).coupons},
	{"recognition", (*writer).recognition},
	{"giftcards", (*writer).giftCards},
	{"partners", (*writer).partners},
	{"claims", (*writer).claims},
	{"returns", (*writer).returns},
	{"transfers", (*writer).transfers},
	{"households", (*writer).households},
	{"organizations", (*writer).organizations},
}

type writer struct {
	p    *program.Compiled
	lang string
	t    map[string]string
	// told is set where a text has said what a formula demands.
	told bool
}

var place = regexp.MustCompile(`\{[a-z]+\}`)

// say fills a phrase: pairs of place and value. A test holds that every key that is said has its phrase.
func (w *writer) say(key string, pairs ...string) string {
	s, ok := w.t[key]
	if !ok {
		return key // rather an odd word than no terms at all
	}
	return place.ReplaceAllStringFunc(s, func(m string) string {
		for i := 0; i+1 < len(pairs); i += 2 {
			if m == "{"+pairs[i]+"}" {
				return pairs[i+1]
			}
		}
		return m
	})
}

// sentence makes one of a beginning and what follows it, with a capital letter and a full stop.
func sentence(parts ...string) string {
	var kept []string
	for _, p := range parts {
		if p != "" {
			kept = append(kept, p)
		}
	}
	s := strings.Join(kept, " ")
	if s == "" {
		return ""
	}
	r := []rune(s)
	s = strings.ToUpper(string(r[:1])) + string(r[1:])
	if strings.HasSuffix(s, ".") || strings.HasSuffix(s, "!") || strings.HasSuffix(s, "?") {
		return s
	}
	return s + "."
}

func paragraph(sentences ...string) string {
	return strings.Join(slices.DeleteFunc(sentences, func(s string) bool { return s == "" }), " ")
}

func (w *writer) text(t program.Text) string { return t.In(w.lang) }

func (w *writer) quoted(s string) string { return w.say("quoted", "x", s) }

// points writes an amount of a unit; amount nil is none.
func (w *writer) points(unit string, minor int64) string {
	return explain.Amount(w.p, unit, minor, w.lang)
}

func (w *writer) unit(id string) string { return explain.Unit(w.p, id, w.lang, false) }

func (w *writer) money(minor int64) string { return lang.Price(w.lang, w.p.Doc.Currency, minor) }

// decimal writes money as the document has it.
func (w *writer) decimal(d money.Decimal) string {
	n, err := d.Minor(w.p.Exponent)
	if err != nil {
		return lang.Number(w.lang, d) + " " + w.p.Doc.Currency
	}
	return w.money(n)
}

// count writes a whole number.
func (w *writer) count(n int64) string { return w.number(money.New(n, 0)) }

func (w *writer) number(d money.Decimal) string { return lang.Number(w.lang, d) }

func (w *writer) period(p program.Period) string {
	one, other, _ := strings.Cut(w.say("period."+p.Unit), "|")
	return lang.Count(w.lang, int64(p.N), 0, one, other)
}

func (w *writer) and(list []string) string { return lang.And(w.lang, list) }
func (w *writer) or(list []string) string  { return lang.Or(w.lang, list) }

// earning tells what gives points.
func (w *writer) earning() []Item {
	var out []Item
	for i := range w.p.Doc.Earn {
		r := w.p.ByID[w.p.Doc.Earn[i].ID]
		if r == nil || r.DryRun || r.Give == nil {
			continue
		}
		out = append(out, Item{Of: r.ID, Title: w.text(r.Title), Text: paragraph(w.gives(r), w.words(r), w.scope(r.Lines), w.ruleConditions(r), w.window(r.When, r.From, r.Until), w.limits(r.Limits, r.Give.Unit), w.pending(r), w.ruleExpiry(r))})
	}
	return out
}

// multipliers tells what makes them more.
func (w *writer) multipliers() []Item {
	var out []Item
	for i := range w.p.Doc.Earn {
		r := w.p.ByID[w.p.Doc.Earn[i].ID]
		if r == nil || r.DryRun || r.Multiply == nil {
			continue
		}
		s := w.say("multiply", "n", w.number(*r.Multiply))
		if r.Multiply.Cmp(money.New(2, 0)) == 0 {
			s = w.say("double")
		}
		unit := r.Rule.Unit
		if unit == "" && len(w.p.UnitIDs) == 1 {
			unit = w.p.UnitIDs[0]
		}
		out = append(out, Item{Of: r.ID, Title: w.text(r.Title), Text: paragraph(sentence(s), w.words(r), w.scope(r.Lines), w.ruleConditions(r), w.window(r.When, r.From, r.Until), w.limits(r.Limits, unit), w.stacking(r))})
	}
	return out
}

func (w *writer) stacking(r *program.CompiledRule) string {
	switch r.Stack {
	case "best":
		return w.say("stack.best")
	case "exclusive":
		return w.say("stack.exclusive")
	}
	return ""
}

// basis says what money counts, where it is not simply what was paid.
func (w *writer) basis(b *program.Basis) string {
	if b == nil {
		return ""
	}
	var out []string
	add := func(on bool, key string) {
		if on {
			out = append(out, w.say(key, "unit", w.noun()))
		}
	}
	add(b.Discounts == "gross", "basis.gross")
	add(b.Tax == "excluded", "basis.tax")
	add(b.Shipping == "included", "basis.shipping")
	add(b.PaidWithPoints == "excluded", "basis.points")
	if b.Max != nil {
		out = append(out, w.say("basis.max", "money", w.decimal(*b.Max)))
	}
	if len(b.WithoutPayments) > 0 {
		out = append(out, w.say("basis.payments", "means", w.or(w.means(b.WithoutPayments))))
	}
	if len(out) == 0 {
		return ""
	}
	return sentence(w.say("basis", "what", strings.Join(out, "; ")))
}

func (w *writer) means(words program.Words) []string {
	out := make([]string, len(words))
	for i, m := range words {
		if s, ok := w.t["means."+m]; ok {
			m = s
		}
		out[i] = m
	}
	return out
}

// scope says which goods count.
func (w *writer) scope(l *program.Lines) string { return w.scoped("scope", l) }

// scoped says of lines what a phrase says: key for some, key.not for all but some, key.but for some but not all of those.
func (w *writer) scoped(key string, l *program.Lines) string {
	if l == nil {
		return ""
	}
	s := w.lines(l, w.or)
	not := ""
	if l.Not != nil {
		not = w.lines(l.Not, w.and)
	}
	switch {
	case s != "" && not != "":
		return sentence(w.say(key+".but", "what", s, "not", not))
	case not != "":
		return sentence(w.say(key+".not", "not", not))
	case s != "":
		return sentence(w.say(key, "what", s))
	}
	return ""
}

func (w *writer) lines(l *program.Lines, join func([]string) string) string {
	var out []string
	add := func(key string, words program.Words) {
		if len(words) > 0 {
			out = append(out, w.say(key, "x", join(w.named(words))))
		}
	}
	add("lines.category", l.Category)
	add("lines.brand", l.Brand)
	add("lines.tag", l.Tag)
	if len(l.SKU) > 0 {
		out = append(out, w.say("lines.sku", "x", join(l.SKU)))
	}
	add("lines.store", l.Store)
	add("lines.channel", l.Channel)
	return strings.Join(out, ", ")
}

// conditions makes a sentence of all that must hold.
func (w *writer) conditions(c *program.CompiledCondition) string {
	list := w.condition(c)
	if len(list) == 0 {
		return ""
	}
	return sentence(w.clause("when", w.and(list)))
}

// words says what a rule's own text says.
func (w *writer) words(r *program.CompiledRule) string { return sentence(w.text(r.Rule.Text)) }

// ruleConditions says what must hold for a rule; what a formula demands, the rule's own text has said.
func (w *writer) ruleConditions(r *program.CompiledRule) string {
	w.told = w.text(r.Rule.Text) != ""
	defer func() { w.told = false }()
	return w.conditions(r.When)
}

// clause ends a phrase with what may be a clause of its own, before which Danish has a comma.
func (w *writer) clause(key, what string) string {
	if strings.HasPrefix(what, "når ") || strings.HasPrefix(what, "hvor ") {
		key += ".clause"
	}
	return w.say(key, "what", what)
}

// condition lists what must hold, in words that follow "counts".
func (w *writer) condition(c *program.CompiledCondition) []string {
	if c == nil {
		return nil
	}
	var out []string
	add := func(key string, pairs ...string) { out = append(out, w.say(key, pairs...)) }
	if len(c.Condition.Weekdays) > 0 {
		add("when.days", "x", w.and(w.days(c.Condition.Weekdays)))
	}
	if len(c.Condition.Hours) > 0 {
		add("when.hours", "x", w.and(w.hours(c.Condition.Hours)))
	}
	if len(c.Condition.Dates) > 0 {
		add("when.dates", "x", w.or(w.spans(c.Condition.Dates)))
	}
	for _, set := range slices.Sorted(keys(c.Condition.Tier)) {
		add("when.tier", "x", explain.Tier(w.p, set+"/"+c.Condition.Tier[set], w.lang))
	}
	for _, set := range slices.Sorted(keys(c.Condition.OnlyTier)) {
		var names []string
		for _, t := range c.Condition.OnlyTier[set] {
			names = append(names, explain.Tier(w.p, set+"/"+t, w.lang))
		}
		add("when.onlytier", "x", w.or(names))
	}
	if len(c.Condition.Store) > 0 {
		add("when.store", "x", w.or(w.named(c.Condition.Store)))
	}
	if len(c.Condition.Channel) > 0 {
		add("when.channel", "x", w.or(w.named(c.Condition.Channel)))
	}
	if len(c.Condition.Payment) > 0 {
		add("when.payment", "x", w.or(w.means(c.Condition.Payment)))
	}
	out = append(out, w.bounds("when.amount", c.Condition.Amount, w.decimal)...)
	out = append(out, w.bounds("when.total", c.Condition.Total, w.decimal)...)
	out = append(out, w.bounds("when.items", c.Condition.Items, w.number)...)
	if c.FirstPurchase != nil {
		add(map[bool]string{true: "when.first", false: "when.later"}[*c.FirstPurchase])
	}
	if len(c.Condition.Plan) > 0 {
		var names []string
		for _, id := range c.Condition.Plan {
			names = append(names, w.quoted(explain.Plan(w.p, id, w.lang)))
		}
		add("when.plan", "x", w.or(names))
	}
	if c.MemberFor != nil {
		add("when.memberfor", "x", w.period(*c.MemberFor))
	}
	if len(c.Attribute) > 0 {
		add("when.attribute")
	}
	for _, name := range slices.Sorted(keys(c.Property)) {
		add("when.property", "name", explain.Word(w.p, name, w.lang), "x", w.or(w.named(c.Property[name])))
	}
	if c.Condition.Formula != "" && !w.told {
		add("when.formula")
	}
	for _, part := range c.All {
		out = append(out, w.condition(part)...)
	}
	if len(c.Any) > 0 {
		var some []string
		for _, part := range c.Any {
			some = append(some, w.and(w.condition(part)))
		}
		out = append(out, w.or(some))
	}
	if c.Not != nil {
		if list := w.condition(c.Not); len(list) > 0 {
			add("when.not", "x", w.and(list))
		}
	}
	return out
}

// named gives what members call some words of purchases.
func (w *writer) named(words program.Words) []string {
	out := make([]string, len(words))
	for i, word := range words {
		out[i] = explain.Word(w.p, word, w.lang)
	}
	return out
}

// week is a week as it goes round in Europe.
var week = []string{"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}

// days names days of the week, three or more in a row as from one to another.
func (w *writer) days(words program.Words) []string {
	var out, alone []string
	for i := 0; i < len(week); i++ {
		last := i
		for last < len(week) && slices.Contains(words, week[last]) {
			last++
		}
		switch n := last - i; {
		case n > 2:
			out = append(out, w.say("days", "from", w.weekday(i), "to", w.weekday(last-1)))
			i = last
		case n > 0:
			alone = append(alone, w.say("on."+week[i]))
		}
	}
	if len(alone) > 0 {
		out = append(out, w.say("on", "x", w.and(alone)))
	}
	return out
}

// weekday names a day of the week by its place in week.
func (w *writer) weekday(i int) string { return lang.Weekday(w.lang, time.Weekday((i+1)%7)) }

func keys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func (w *writer) bounds(key string, r *program.Range, write func(money.Decimal) string) []string {
	switch {
	case r == nil:
		return nil
	case r.From != nil && r.To != nil:
		return []string{w.say(key+".both", "from", write(*r.From), "to", write(*r.To))}
	case r.From != nil:
		return []string{w.say(key+".from", "from", write(*r.From))}
	}
	return []string{w.say(key+".to", "to", write(*r.To))}
}

func (w *writer) hours(list program.Words) []string {
	out := make([]string, len(list))
	for i, h := range list {
		from, to, _ := strings.Cut(h, "-")
		out[i] = lang.ClockText(w.lang, from) + "–" + lang.ClockText(w.lang, to)
	}
	return out
}

func (w *writer) dates(list program.Words) []string {
	out := make([]string, len(list))
	for i, d := range list {
		out[i] = lang.Day(w.lang, d)
	}
	return out
}

// spans writes days and spans of days, as when something is.
func (w *writer) spans(list program.Words) []string {
	out := make([]string, len(list))
	for i, d := range list {
		if from, to, span := strings.Cut(d, ".."); span {
			out[i] = w.say("dates.span", "from", lang.Day(w.lang, from), "to", lang.Day(w.lang, to))
		} else {
			out[i] = w.say("dates.day", "x", lang.Day(w.lang, d))
		}
	}
	return out
}

// window says from when and until when, but for an end that the condition beside it has told already.
func (w *writer) window(when *program.CompiledCondition, from, until *time.Time) string {
	if when != nil && len(when.Condition.Dates) == 1 {
		first, last, _ := strings.Cut(when.Condition.Dates[0], "..")
		if from != nil && w.day(*from) == lang.Day(w.lang, first) {
			from = nil
		}
		if until != nil && w.last(*until) == lang.Day(w.lang, last) {
			until = nil
		}
	}
	switch {
	case from != nil && until != nil:
		return sentence(w.say("window.both", "from", w.day(*from), "until", w.last(*until)))
	case from != nil:
		return sentence(w.say("window.from", "from", w.day(*from)))
	case until != nil:
		return sentence(w.say("window.until", "until", w.last(*until)))
	}
	return ""
}

// day writes a moment at which something begins: a date, with the time of day where that is not midnight.
func (w *writer) day(t time.Time) string {
	if l := t.In(w.p.Zone); l.Hour()+l.Minute()+l.Second() == 0 {
		return lang.Date(w.lang, t, w.p.Zone)
	}
	return lang.DateTime(w.lang, t, w.p.Zone)
}

// last writes a moment up to which something lasts; the end of a day is that day.
func (w *writer) last(t time.Time) string {
	l := t.In(w.p.Zone)
	if next := l.Add(time.Second); next.Day() != l.Day() || l.Hour()+l.Minute()+l.Second() == 0 {
		return lang.Date(w.lang, t.Add(-time.Millisecond), w.p.Zone)
	}
	return lang.DateTime(w.lang, t, w.p.Zone)
}

// limits says what caps a rule, a reward or a transfer.
func (w *writer) limits(limits []program.CompiledLimit, unit string) string {
	var out []string
	for _, l := range limits {
		per := w.say("per." + l.Per)
		if l.Per == "lifetime" && l.Each != "program" {
			per = w.say("permember")
		}
		if l.Times >= 0 {
			key := "limit.times"
			switch l.Times {
			case 1:
				key = "limit.once"
			case 2:
				key = "limit.twice"
			}
			if l.Each == "program" {
				key += ".all"
			}
			out = append(out, sentence(w.say(key, "n", w.count(l.Times), "per", per)))
		}
		if l.Amount >= 0 && unit != "" {
			key := "limit.amount"
			if l.Each == "program" {
				key += ".all"
			}
			out = append(out, sentence(w.say(key, "amount", w.points(unit, l.Amount), "per", per)))
		}
	}
	return paragraph(out...)
}

func (w *writer) pending(r *program.CompiledRule) string {
	switch {
	case r.Pending == nil:
		return ""
	case r.Pending.For != nil:
		return sentence(w.say("pending.for", "x", w.period(*r.Pending.For)))
	}
	return sentence(w.say("pending.until", "x", w.quoted(explain.Activity(w.p, r.Pending.Until, w.lang))))
}

func (w *writer) ruleExpiry(r *program.CompiledRule) string {
	if r.Expires == nil {
		return ""
	}
	return w.ends(r.Expires, "")
}

// ends says when points end.
func (w *writer) ends(e *program.Expiry, unit string) string {
	if unit == "" {
		unit = w.say("they")
	}
	if e == nil || e.Never {
		return sentence(w.say("expiry.never", "unit", unit))
	}
	var out []string
	at := ""
	if k := strings.ReplaceAll(e.At, " ", "."); k != "" && k != "exact" && k != "end.of.day" {
		at = w.say("expiry." + k)
	}
	switch {
	case e.After != nil:
		out = append(out, sentence(w.say("expiry.after", "unit", unit, "x", w.period(*e.After)), at))
	case len(e.On) > 0:
		out = append(out, sentence(w.say("expiry.on", "unit", unit, "x", w.and(w.dates(e.On)))))
	case e.EndOf != "" && e.Later == 1:
		out = append(out, sentence(w.say("expiry.endof.next", "unit", unit, "per", w.say("endof."+e.EndOf))))
	case e.EndOf != "" && e.Later > 0:
		out = append(out, sentence(w.say("expiry.endof.later", "unit", unit, "per", w.say("endof."+e.EndOf), "n", w.count(int64(e.Later)))))
	case e.EndOf != "":
		out = append(out, sentence(w.say("expiry.endof", "unit", unit, "per", w.say("endof."+e.EndOf))))
	}
	if e.AtLeast != nil {
		out = append(out, sentence(w.say("expiry.atleast", "x", w.period(*e.AtLeast))))
	}
	if e.Inactive != nil {
		out = append(out, sentence(w.say("expiry.inactive", "unit", unit, "x", w.period(*e.Inactive))))
	}
	if e.Warn != nil {
		out = append(out, sentence(w.say("expiry.warn", "x", w.period(*e.Warn))))
	}
	return paragraph(out...)
}

// expiry tells when points end and in which order they are used.
func (w *writer) expiry() []Item {
	var out []Item
	spendable := false
	for _, id := range w.p.UnitIDs {
		u := w.p.Units[id]
		if g := w.p.GiftCards; g != nil && g.Unit == id && u.Expires == nil {
			continue // what is on cards ends as the cards say
		}
		text := w.ends(u.Expires, w.unit(id))
		if u.StatusOnly {
			text = paragraph(text, sentence(w.say("statusonly", "unit", w.unit(id))))
		} else {
			spendable = true
		}
		out = append(out, Item{Of: id, Text: text})
	}
	if spendable {
		key := "order.expiry"
		if w.p.Doc.Spending.Order == "earliest earned" {
			key = "order.earned"
		}
		out = append(out, Item{Text: sentence(w.say(key))})
	}
	return out
}

// rewards tells what points are good for.
func (w *writer) rewards() []Item {
	var out []Item
	for i := range w.p.Doc.Rewards {
		r := w.p.Rewards[w.p.Doc.Rewards[i].ID]
		if r == nil {
			continue
		}
		stock := ""
		if r.Stock >= 0 {
			stock = sentence(w.say("stock", "n", w.count(r.Stock)))
		}
		out = append(out, Item{Of: r.ID, Title: w.text(r.Title), Text: paragraph(sentence(w.text(r.Description)), w.price(r), w.given(r), w.conditions(r.Shown), w.conditions(r.When), w.window(r.When, r.From, w.offered(r)), w.limits(r.Limits, ""), stock)})
	}
	return out
}

func (w *writer) price(r *program.CompiledReward) string {
	if r.Pay != nil {
		points, worth := r.PayPoints, r.PayWorth
		if whole := money.Pow10(w.p.Units[r.Pay.Unit].Precision); points < whole && whole%points == 0 {
			points, worth = whole, worth*(whole/points)
		}
		s := sentence(w.say("pay", "points", w.points(r.Pay.Unit, points), "money", w.money(worth)))
		if r.PayMin >= 0 {
			s = paragraph(s, sentence(w.say("pay.min", "points", w.points(r.Pay.Unit, r.PayMin))))
		}
		if r.PayMax >= 0 {
			s = paragraph(s, sentence(w.say("pay.max", "points", w.points(r.Pay.Unit, r.PayMax))))
		}
		s = paragraph(s, w.scoped("pay.lines", r.Pay.Lines))
		if r.Share < 10000 {
			key := "pay.share"
			if r.Pay.Lines != nil {
				key = "pay.share.lines"
			}
			s = paragraph(s, sentence(w.say(key, "n", w.share(r.Share))))
		}
		return s
	}
	if r.Granted {
		if slices.ContainsFunc(w.p.Doc.Shares, func(s program.Shared) bool { return s.Reward == r.ID }) {
			return sentence(w.say("reward.granted.shared"))
		}
		return sentence(w.say("reward.granted"))
	}
	if len(r.Price) == 0 {
		return ""
	}
	if r.Quantity > 1 {
		return sentence(w.say("price.pieces", "price", w.costs(r), "n", w.count(r.Quantity)))
	}
	return sentence(w.say("price", "price", w.costs(r)))
}

func (w *writer) given(r *program.CompiledReward) string {
	v := r.Gives.Voucher
	if v == nil {
		return w.kind(r)
	}
	worth := ""
	switch {
	case v.Money != nil:
		worth = w.decimal(*v.Money)
	case v.Percent != nil:
		worth = w.number(*v.Percent) + w.say("percent")
	}
	out := []string{sentence(w.say("voucher", "x", worth))}
	if v.Valid != nil {
		out = append(out, sentence(w.say("voucher.valid", "x", w.period(*v.Valid))))
	}
	key := "voucher.use"
	if v.Bound {
		key = "voucher.use.bound"
	}
	return paragraph(append(out, sentence(w.say(key, "n", w.times(max(v.Uses, 1)))), w.least(*v), w.together(*v, r.ID, ""))...)
}

// times writes how often: once, 3 times.
func (w *writer) times(n int64) string {
	if n == 1 {
		return w.say("once")
	}
	one, other, _ := strings.Cut(w.say("times"), "|")
	return lang.Count(w.lang, n, 0, one, other)
}

// least says how much there is to buy for.
func (w *writer) least(v program.Voucher) string {
	if v.Least == nil {
		return ""
	}
	return sentence(w.say("coupon.least", "x", w.decimal(*v.Least)))
}

// together says what a voucher or coupon does not go with. reward or coupon is the id of what is told.
func (w *writer) together(v program.Voucher, reward, coupon string) string {
	switch {
	case v.Stacks == "alone":
		return sentence(w.say("coupon.alone"))
	case v.Group == "":
		return ""
	}
	var others []string
	for i := range w.p.Doc.Rewards {
		if r := &w.p.Doc.Rewards[i]; r.ID != reward && r.Gives.Voucher != nil && r.Gives.Voucher.Group == v.Group {
			others = append(others, w.quoted(explain.Reward(w.p, r.ID, w.lang)))
		}
	}
	for i := range w.p.Doc.Coupons {
		if c := &w.p.Doc.Coupons[i]; c.ID != coupon && c.Group == v.Group {
			others = append(others, w.quoted(explain.Coupon(w.p, c.ID, w.lang)))
		}
	}
	if len(others) == 0 {
		return sentence(w.say("coupon.one"))
	}
	return sentence(w.say("coupon.oneof", "x", w.and(others)))
}

// offered is until when a reward is offered; nil where its draw has told it.
func (w *writer) offered(r *program.CompiledReward) *time.Time {
	if r.Until != nil && r.Draws != nil && w.last(*r.Until) == w.last(*r.Draws) {
		return nil
	}
	return r.Until
}

// tiers tells each ladder: what counts, the steps, and how one falls.
func (w *writer) tiers() []Item {
	var out []Item
	for _, id := range w.p.TierIDs {
		t := w.p.Tiers[id]
		name := w.text(t.Name)
		var steps []string
		for i := range t.Steps {
			steps = append(steps, w.step(t, i))
		}
		out = append(out, Item{Of: id, Title: name, Text: paragraph(append([]string{sentence(w.clause("follows.tier", w.metric(t))), w.scope(t.By.Lines), w.basis(t.By.Basis)}, append(steps, w.down(t))...)...)})
	}
	return out
}

// metric says what is counted, and over which time.
func (w *writer) metric(t *program.CompiledTierSet) string {
	var what string
	switch kind, arg, _ := strings.Cut(t.Metric, ":"); kind {
	case "unit":
		what = w.say("metric.unit", "unit", w.unit(arg))
	case "activity":
		what = w.say("metric.activity", "x", w.quoted(explain.Activity(w.p, arg, w.lang)))
	default:
		what = w.say("metric." + kind)
	}
	if t.Metric == "tenure" {
		return what
	}
	switch t.Window {
	case "rolling":
		return w.say("window.rolling", "what", what, "x", w.latest(t.Length))
	case "calendar":
		return w.say("window.calendar."+t.Calendar, "what", what)
	case "anniversary":
		return w.say("window.anniversary", "what", what)
	}
	return w.say("window.lifetime", "what", what)
}

// latest writes a time up to now: the last 12 months.
func (w *writer) latest(p program.Period) string {
	one, more, _ := strings.Cut(w.say("last."+p.Unit), "|")
	if p.N == 1 {
		return one
	}
	return strings.ReplaceAll(more, "{n}", w.count(int64(p.N)))
}

// step says from where a tier is, and what it brings.
func (w *writer) step(t *program.CompiledTierSet, i int) string {
	var brings []string
	if len(w.p.Doc.Benefits) == 0 { // else they are told by themselves
		for _, id := range t.Steps[i].Benefits {
			brings = append(brings, w.inside(w.benefit(id)))
		}
	}
	s := w.stepFrom(t, i)
	if len(brings) > 0 {
		s = w.say("step.brings", "step", s, "benefits", w.and(brings))
	}
	return sentence(s)
}

// benefit names what a tier brings.
func (w *writer) benefit(id string) string {
	if b := w.p.Benefit(id); b != nil && len(b.Title) > 0 {
		return explain.Benefit(w.p, id, w.lang)
	}
	return explain.Word(w.p, id, w.lang)
}

// inside writes a title as it stands inside a sentence: with a small letter, but for a word that is all capitals.
func (w *writer) inside(title string) string {
	r := []rune(title)
	if len(r) > 1 && unicode.IsUpper(r[0]) && !unicode.IsUpper(r[1]) {
		r[0] = unicode.ToLower(r[0])
	}
	return string(r)
}

func (w *writer) stepFrom(t *program.CompiledTierSet, i int) string {
	name := w.text(t.Steps[i].Name)
	if name == "" {
		name = t.Steps[i].ID
	}
	switch {
	case t.Metric == "tenure" && t.Steps[i].After != nil && t.Steps[i].After.N > 0:
		return w.say("step.after", "name", name, "x", w.period(*t.Steps[i].After))
	case t.Metric == "tenure" || t.From[i] == 0:
		return w.say("step.start", "name", name)
	}
	return w.say("step", "name", name, "from", w.reached(t, t.From[i]))
}

// reached writes an amount of a metric.
func (w *writer) reached(t *program.CompiledTierSet, n int64) string {
	words := "times"
	switch kind, arg, _ := strings.Cut(t.Metric, ":"); kind {
	case "spend":
		return w.money(n)
	case "unit":
		return w.points(arg, n)
	case "visits":
		words = "period.day"
	}
	one, other, _ := strings.Cut(w.say(words), "|")
	return lang.Count(w.lang, n, 0, one, other)
}

func (w *writer) down(t *program.CompiledTierSet) string {
	if t.Metric == "tenure" || t.Window == "lifetime" && t.Down.To == "" {
		return ""
	}
	to := strings.ReplaceAll(t.Down.To, " ", "")
	if to == "" {
		to = "earned"
	}
	s := sentence(w.say("down." + to))
	if to == "never" {
		return s
	}
	if (t.Window == "calendar" || t.Window == "anniversary") && t.Keep != "this period" {
		s = paragraph(sentence(w.say("keep.next")), s)
	}
	if t.Down.Grace != nil { // it begins with being told of it
		s = paragraph(s, sentence(w.say("down.grace", "x", w.period(*t.Down.Grace))))
		if t.Down.Warn != nil {
			return paragraph(s, sentence(w.say("down.again", "x", w.period(*t.Down.Warn))))
		}
		s = paragraph(s, sentence(w.say("down.told")))
	} else if t.Down.Warn != nil {
		s = paragraph(s, sentence(w.say("down.warn", "x", w.period(*t.Down.Warn))))
	}
	return s
}

// buys says whether it makes a difference in the program that somebody bought something: else there is nothing to tell of goods that come back.
func (w *writer) buys() bool {
	d := w.p.Doc
	if len(w.p.Rules["purchase"])+len(w.p.Multipliers["purchase"])+len(d.Coupons)+len(w.p.Fading) > 0 || d.Referral != nil || d.GiftCards != nil || d.Claims != nil {
		return true
	}
	return slices.ContainsFunc(w.p.Metrics, func(t *program.CompiledTierSet) bool { return t.Metric == "spend" || t.Metric == "purchases" }) ||
		slices.ContainsFunc(d.Challenges, func(c program.Challenge) bool { return c.On == "purchase" }) ||
		slices.ContainsFunc(d.Rewards, func(r program.Reward) bool { return r.Pay != nil || r.Gives.Voucher != nil })
}

// returns tells what happens when goods come back.
func (w *writer) returns() []Item {
	if !w.buys() {
		return nil
	}
	r := w.p.Doc.Returns
	if r.Accept != nil && !*r.Accept {
		return []Item{{Text: sentence(w.say("returns.kept"))}}
	}
	var out []string
	if r.Earned == "keep" {
		out = append(out, sentence(w.say("returns.kept")))
	} else {
		out = append(out, sentence(w.say("returns.taken")))
		key := "returns.debt"
		if r.IfSpent != "" {
			key = "returns." + r.IfSpent
		}
		out = append(out, sentence(w.say(key)))
	}
	if r.Spent != "keep" {
		out = append(out, sentence(w.say("returns.back")))
	}
	if r.Within != nil {
		out = append(out, sentence(w.say("returns.within", "x", w.period(*r.Within))))
	}
	return []Item{{Text: paragraph(out...)}}
}

// transfers tells whether members may give to each other.
func (w *writer) transfers() []Item {
	t := w.p.Doc.Transfers
	if t == nil {
		return nil
	}
	var units []string
	for _, u := range t.Units {
		units = append(units, w.unit(u))
	}
	out := []string{sentence(w.say("transfers", "units", w.and(units)))}
	switch {
	case t.Min != nil && t.Max != nil:
		out = append(out, sentence(w.say("transfers.both", "min", w.number(*t.Min), "max", w.number(*t.Max))))
	case t.Min != nil:
		out = append(out, sentence(w.say("transfers.min", "min", w.number(*t.Min))))
	case t.Max != nil:
		out = append(out, sentence(w.say("transfers.max", "max", w.number(*t.Max))))
	}
	unit := ""
	if len(t.Units) > 0 {
		unit = t.Units[0]
	}
	return []Item{{Text: paragraph(append(out, w.limits(w.p.TransferLimits, unit))...)}}
}

// Markdown writes the whole as a page.
func Markdown(p *program.Compiled, language string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n", Title(p, language))
	for _, s := range Of(p, language) {
		fmt.Fprintf(&b, "\n## %s\n\n", s.Title)
		for _, i := range s.Items {
			switch {
			case i.Title != "":
				fmt.Fprintf(&b, "- **%s.** %s\n", strings.TrimSuffix(i.Title, "."), i.Text)
			case len(s.Items) > 1:
				fmt.Fprintf(&b, "- %s\n", i.Text)
			default:
				fmt.Fprintf(&b, "%s\n", i.Text)
			}
		}
	}
	return b.String()
}

// share writes hundredths of a percent without a tail of zeros.
func (w *writer) share(n int64) string {
	switch {
	case n%100 == 0:
		return w.number(money.FromMinor(n/100, 0))
	case n%10 == 0:
		return w.number(money.FromMinor(n/10, 1))
	}
	return w.number(money.FromMinor(n, 2))
}
