// Package explain makes sentences of explanations, in Norwegian, Swedish, Danish and English, for staff and for members.
//
// It owns every text that says why a decision is what it is, one readable table a language (nb.go, sv.go, da.go, en.go). It
// does not own the reasons, which are engine's codes, nor how numbers and dates are written, which is lang's.
// What always holds: every code has a text in every language, with the same values in it. A member reads of what
// concerns a member, and is called "you"; staff reads all of it.
package explain

import (
	"regexp"
	"slices"
	"strings"
	"sync"

	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/program"
)

// Sentence is one statement, with the arithmetic behind it.
type Sentence struct {
	// Rule is the id of the rule it is about, "" for what is not about one.
	Rule string `json:"rule,omitempty"`
	// Code is engine's, for icons and for counting.
	Code string `json:"code"`
	// Text is a whole sentence.
	Text string `json:"text"`
	// Detail is whole sentences too.
	Detail []string `json:"detail,omitempty"`
}

// text is what a code says: alternatives, of which the first whose values are all there is taken.
// Without a text for members it is not theirs to read.
type text struct{ staff, member []string }

func both(alternatives ...string) text  { return text{alternatives, alternatives} }
func staff(alternatives ...string) text { return text{staff: alternatives} }

func (t text) members(alternatives ...string) text {
	t.member = alternatives
	return t
}

// table is all that a language has to say.
type table struct {
	codes map[string]text
	// now has the codes of conditions that read otherwise where somebody asks what holds now, and not what held for something that happened.
	now map[string]text
	// dryRun goes before what a rule on trial would have done; gave says what came of a purchase or activity.
	dryRun string
	gave   text
	// per is "per day" by the limit's period; rounding is "rounded down"; status is that of a membership.
	per, rounding, status map[string]string
	// refused is why an invitation does not count.
	refused map[string]string
	// houses is what people belong to, and the usual roles in it.
	houses map[string]string
	// periods are singular and plural of minute, hour, day, week, month, year.
	periods map[string][2]string
	// upto is "up to and including" a whole day, and "until" a moment.
	upto [2]string
	// once is "once"; times is "times" after a number.
	once, times string
	// weekdays makes the plural of a day of the week.
	weekdays func(day string) string
	// none stands for a value that is not there.
	none string
}

var tables = map[string]*table{lang.Norwegian: &nb, lang.Swedish: &sv, lang.Danish: &da, lang.English: &en}

// quiet codes concern a member only when nothing else was earned: otherwise they would read of every rule that was not meant.
var quiet = map[string]bool{engine.WhyScope: true, engine.WhyWindowBefore: true, engine.WhyWindowAfter: true}

// Whole is the explanation of a fact of this kind. Where the decision has nothing to tell, it tells that: a purchase that earned nothing
// and goods that come back for which nothing was earned.
func Whole(kind engine.Kind, e engine.Explanation) *engine.Explanation {
	if len(e.Rules)+len(e.Notes) > 0 {
		return &e
	}
	switch kind {
	case engine.PurchaseK, engine.ActivityK:
		e.Notes = []engine.Note{{Code: engine.NoteNothing}}
	case engine.ReturnK:
		e.Notes = []engine.Note{{Code: engine.NoteNothingBack}}
	default:
	}
	return &e
}

// Sentences says why a decision is what it is: first the rules in the order considered, then what else happened. p is the
// version it was decided by. A language that is not known is English.
func Sentences(e *engine.Explanation, p *program.Compiled, language string, forMember bool) []Sentence {
	w := newWriter(p, language, forMember)
	out := []Sentence{}
	fired := slices.ContainsFunc(e.Rules, func(r engine.RuleTrace) bool { return r.Fired && !r.DryRun })
	for i := range e.Rules {
		r := &e.Rules[i]
		if forMember && (r.DryRun || (fired && quiet[r.Why.Code])) {
			continue
		}
		w.self = r.Rule
		s := Sentence{Rule: r.Rule, Code: r.Why.Code, Text: w.outcome(r)}
		if s.Text == "" {
			continue
		}
		if r.Why.Code != engine.WhyCondition {
			s.Detail = w.steps(r.Steps)
		}
		out = append(out, s)
	}
	w.self = ""
	notes := e.Notes
	if forMember {
		notes = merged(notes)
	}
	for _, n := range notes {
		if s := w.note(n); s != "" {
			out = append(out, Sentence{Rule: n.Args["rule"].Rule, Code: n.Code, Text: s})
		}
	}
	return out
}

// Lines gives Sentences as lines of text, the details after their sentence with two spaces before them.
func Lines(e *engine.Explanation, p *program.Compiled, language string, forMember bool) []string {
	out := []string{}
	for _, s := range Sentences(e, p, language, forMember) {
		out = append(out, s.Text)
		for _, d := range s.Detail {
			out = append(out, "  "+d)
		}
	}
	return out
}

// Summary says what came of a decision, as shortly as can be: what was earned, or that nothing was, what was spent, taken back and given
// back, or else the first thing that happened. It is "" where there is nothing to say.
func Summary(e *engine.Explanation, p *program.Compiled, language string, forMember bool) string {
	w := newWriter(p, language, forMember)
	var said []string
	if len(e.Rules) > 0 {
		said = append(said, w.earned(e))
	}
	notes := merged(e.Notes)
	for _, n := range notes {
		if moved[n.Code] {
			said = append(said, w.note(n))
		}
	}
	if len(said) == 0 {
		for _, n := range notes {
			if n.Code == engine.NoteLate || n.Code == engine.NoteVersion {
				continue
			}
			if s := w.note(n); s != "" {
				return s
			}
		}
	}
	return strings.Join(slices.DeleteFunc(said, func(s string) bool { return s == "" }), " ")
}

// moved are the notes of points and money that went somewhere else than to the member for the first time.
var moved = map[string]bool{
	engine.NoteSpent: true, engine.NoteTogether: true, engine.NoteMoneyPaid: true, engine.NoteReversed: true, engine.NoteKept: true,
	engine.NoteGivenBack: true, engine.NoteSentHome: true, engine.NoteMoneyBack: true,
}

// earned says what rules gave.
func (w *writer) earned(e *engine.Explanation) string {
	sums := map[string]int64{}
	var units []string
	for _, n := range e.Notes {
		switch n.Code {
		case engine.NoteLot, engine.NoteLotForever: // one for each lot; what waits is told besides
			v := n.Args["gave"]
			if _, ok := sums[v.Unit]; !ok {
				units = append(units, v.Unit)
			}
			sums[v.Unit] += v.Amount
		}
	}
	if len(units) > 0 {
		list := make([]string, len(units))
		for i, u := range units {
			list[i] = Amount(w.p, u, sums[u], w.lang)
		}
		return w.fill(w.pick(w.t.gave), "", engine.Args{"list": {Text: lang.And(w.lang, list)}})
	}
	for _, code := range []string{engine.NoteChallengeDone, engine.NoteChallenge} { // a stamp is something, though it is no points
		if i := slices.IndexFunc(e.Notes, func(n engine.Note) bool { return n.Code == code }); i >= 0 {
			return w.note(e.Notes[i])
		}
	}
	return w.note(engine.Note{Code: engine.NoteNothing})
}

// merged adds up what was earned with the same end, and what was taken back, since a member cares for that and not for the rules it came of.
func merged(notes []engine.Note) []engine.Note {
	var out []engine.Note
next:
	for _, n := range notes {
		switch n.Code {
		case engine.NoteLot, engine.NoteLotForever, engine.NotePending, engine.NoteConfirm:
			for i := range out {
				if o := &out[i]; o.Code == n.Code && o.Args["gave"].Unit == n.Args["gave"].Unit && sameEnd(o.Args, n.Args) {
					args := engine.Args{"gave": engine.Units(n.Args["gave"].Unit, o.Args["gave"].Amount+n.Args["gave"].Amount)}
					for _, k := range []string{"time", "text"} {
						if v, ok := n.Args[k]; ok {
							args[k] = v
						}
					}
					o.Args = args
					continue next
				}
			}
		case engine.NoteReversed, engine.NoteGivenBack:
			for i := range out {
				if o := &out[i]; o.Code == n.Code && o.Args["amount"].Unit == n.Args["amount"].Unit {
					o.Args = engine.Args{"amount": engine.Units(n.Args["amount"].Unit, o.Args["amount"].Amount+n.Args["amount"].Amount)}
					continue next
				}
			}
		}
		out = append(out, n)
	}
	return out
}

func sameEnd(a, b engine.Args) bool {
	x, y := a["time"].Time, b["time"].Time
	return (x == nil) == (y == nil) && (x == nil || x.Equal(*y)) && a["text"].Text == b["text"].Text
}

// writer writes in one language for one kind of reader.
type writer struct {
	p      *program.Compiled
	lang   string
	t      *table
	member bool
	// self is the rule that is spoken of.
	self string
	// present says that it is about now.
	present bool
}

func newWriter(p *program.Compiled, language string, member bool) *writer {
	t, ok := tables[language]
	if !ok {
		language, t = lang.English, &en
	}
	return &writer{p: p, lang: language, t: t, member: member}
}

func (w *writer) pick(t text) []string {
	if w.member {
		return t.member
	}
	return t.staff
}

// outcome is the sentence on a rule; "" when the reader need not know.
func (w *writer) outcome(r *engine.RuleTrace) string {
	args := r.Why.Args
	if r.Why.Code == engine.WhyCondition {
		because := w.because(r.Steps)
		if because == "" {
			return ""
		}
		args = engine.Args{"because": {Text: because}}
	}
	s := w.say(r.Why.Code, args)
	if s != "" && r.DryRun && r.Fired {
		s = w.fill([]string{w.t.dryRun}, "", engine.Args{"text": {Text: s}})
	}
	return s
}

// because joins the parts of a condition that failed.
func (w *writer) because(notes []engine.Note) string {
	var parts []string
	for i, n := range notes {
		if n.Code == engine.CondAny {
			inner := w.because(slices.DeleteFunc(slices.Clone(notes[i+1:]), func(n engine.Note) bool { return n.Code == engine.CondAny }))
			if s := w.say(n.Code, engine.Args{"parts": {Text: inner}}); s != "" {
				parts = append(parts, s)
			}
			break
		}
		if !strings.HasPrefix(n.Code, "cond_") {
			continue
		}
		if s := w.say(n.Code, n.Args); s != "" && !slices.Contains(parts, s) {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, "; ")
}

// steps is the arithmetic. What counts is not told by itself where the next step says it and nothing was added or taken off.
func (w *writer) steps(notes []engine.Note) []string {
	var out []string
	for i, n := range notes {
		if n.Code == engine.StepBasis && i == 0 && len(notes) > 1 && notes[1].Code == engine.StepPer {
			continue
		}
		if s := w.say(n.Code, n.Args); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// Statement is one note as a sentence; "" when the reader need not know.
func Statement(n engine.Note, p *program.Compiled, language string, forMember bool) string {
	return newWriter(p, language, forMember).note(n)
}

// Standing says in sentences why a member may not have a benefit. What failed of a condition makes one of them.
func Standing(why []engine.Note, p *program.Compiled, language string, forMember bool) []string {
	w := newWriter(p, language, forMember)
	w.present = true
	out := []string{}
	var parts []engine.Note
	for _, n := range why {
		if strings.HasPrefix(n.Code, "cond_") {
			parts = append(parts, n)
		} else if s := w.note(n); s != "" && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	if because := w.because(parts); because != "" {
		out = append(out, w.say(engine.NoteBenefitWhy, engine.Args{"because": {Text: because}}))
	}
	return out
}

func (w *writer) note(n engine.Note) string { return w.say(n.Code, n.Args) }

// say is the text of a code. A code without a text here comes of a newer engine: it is shown as it is to staff.
func (w *writer) say(code string, args engine.Args) string {
	t, ok := w.t.codes[code]
	if n, have := w.t.now[code]; have && w.present {
		t = n
	}
	if !ok {
		if w.member {
			return ""
		}
		return code
	}
	return w.fill(w.pick(t), code, args)
}

var placeholder = regexp.MustCompile(`\{([a-z]+)(?::([a-z]+))?\}`)

// part is a piece of a text: words as they are, and the placeholder behind them, if there is one.
type part struct{ text, name, form string }

// taken holds the texts of the tables in pieces: they are few, and each is said again and again.
var taken sync.Map // of []part, by text

func partsOf(text string) []part {
	if known, ok := taken.Load(text); ok {
		return known.([]part)
	}
	var out []part
	end := 0
	for _, at := range placeholder.FindAllStringSubmatchIndex(text, -1) {
		p := part{text: text[end:at[0]], name: text[at[2]:at[3]]}
		if at[4] >= 0 {
			p.form = text[at[4]:at[5]]
		}
		out = append(out, p)
		end = at[1]
	}
	out = append(out, part{text: text[end:]})
	taken.Store(text, out)
	return out
}

// fill takes the first alternative whose values are all there; the last one takes what is missing as "none".
func (w *writer) fill(alternatives []string, code string, args engine.Args) string {
	for i, a := range alternatives {
		whole := true
		var b strings.Builder
		for _, part := range partsOf(a) {
			b.WriteString(part.text)
			if part.name != "" {
				v, ok := w.value(code, part.name, part.form, args)
				whole = whole && ok
				b.WriteString(v)
			}
		}
		s := b.String()
		if whole || i == len(alternatives)-1 {
			if strings.HasSuffix(s, "..") { // "kr." ends a sentence as it is
				s = s[:len(s)-1]
			}
			return s
		}
	}
	return ""
}
