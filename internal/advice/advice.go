// Package advice looks a program over before it is published: is it unclear, unfair, diluted or leaky? Each finding says where, why and
// what to do. Norwegian, Swedish, Danish and English.
//
// It owns judgement about documents that are right as such; what is wrong is program's to refuse. It looks at the document alone, and at one
// assumption: what a usual member buys. What always holds: the same document and assumption give the same findings, and every finding has
// its two texts in every language.
package advice

import (
	"slices"
	"strings"
	"time"

	"lojal.dev/lojal/internal/explain"
	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
)

// The kinds of findings.
const (
	Unclear = "unclear" // members or staff cannot see what counts
	Unfair  = "unfair"  // those who have been there long are worse off
	Diluted = "diluted" // it gives nothing to look forward to
	Leaky   = "leaky"   // it can be drained
)

// Finding is one thing to look at.
type Finding struct {
	Kind string `json:"kind"`
	// Code is stable, for leaving a finding out knowingly.
	Code string `json:"code"`
	// Pointer is the place in the document, as RFC 6901 has it.
	Pointer string `json:"pointer"`
	// Why says what is the matter, Mend what to do about it.
	Why  string `json:"why"`
	Mend string `json:"mend"`
}

// Usual is what a usual member buys.
type Usual struct {
	// Purchase is the money of one purchase in minor units; PerMonth how many there are in a month.
	Purchase, PerMonth int64
}

// UsualOf is what the program says of its usual member; where it says nothing, one who comes twice a month for 250 of the currency.
func UsualOf(p *program.Compiled) Usual {
	if u := p.Doc.Usual; u != nil {
		if n, err := u.Purchase.Minor(p.Exponent); err == nil {
			return Usual{Purchase: n, PerMonth: int64(u.PerMonth)}
		}
	}
	return Usual{Purchase: 250 * money.Pow10(p.Exponent), PerMonth: 2}
}

// Of looks a program over as it is at a moment, in a language; one that is not known is English. The order is that of the kinds above, then the document's.
func Of(p *program.Compiled, at time.Time, usual Usual, language string) []Finding {
	if !slices.Contains(lang.All, language) {
		language = lang.English
	}
	l := &look{p: p, at: at, usual: usual, lang: language, base: map[string]float64{}}
	for _, r := range l.rules("purchase") {
		if l.ordinary(r) {
			l.base[r.Give.Unit] += perMoney(r)
		}
	}
	for _, look := range []func(){l.unclear, l.unfair, l.diluted, l.leaky} {
		look()
	}
	slices.SortStableFunc(l.out, func(a, b Finding) int { return slices.Index(kinds, a.Kind) - slices.Index(kinds, b.Kind) })
	return l.out
}

var kinds = []string{Unclear, Unfair, Diluted, Leaky}

type look struct {
	p     *program.Compiled
	at    time.Time
	usual Usual
	lang  string
	// base is what a unit of the currency (minor) earns of each unit (minor) on ordinary goods.
	base map[string]float64
	out  []Finding
}

// perMoney is what a rule gives for a minor unit of money: for its first step, where a share rises.
func perMoney(r *program.CompiledRule) float64 {
	switch {
	case r.Give.Per != nil:
		return float64(r.Amount) / float64(r.Per)
	case len(r.Shares) > 0 && r.Shares[0].From == 0 && r.Shares[0].After == nil:
		return float64(r.Shares[0].Num) / float64(r.Shares[0].Den)
	}
	return 0
}

// ordinary says that a rule gives for money, always and for all goods, or all but some.
func (l *look) ordinary(r *program.CompiledRule) bool {
	if r.Give == nil || r.Give.Per == nil && len(r.Shares) == 0 || r.When != nil || r.From != nil || r.Until != nil {
		return false
	}
	n := r.Lines
	return n == nil || n.Not != nil && len(n.SKU)+len(n.Category)+len(n.Brand)+len(n.Tag)+len(n.Store)+len(n.Channel) == 0
}

func (l *look) find(kind, code, pointer string, pairs ...string) {
	t := texts[code]
	i := slices.Index(lang.All, l.lang)
	r := strings.NewReplacer(braced(pairs)...)
	l.out = append(l.out, Finding{Kind: kind, Code: code, Pointer: pointer, Why: r.Replace(t.why[i]), Mend: r.Replace(t.mend[i])})
}

func braced(pairs []string) []string {
	out := slices.Clone(pairs)
	for i := 0; i < len(out); i += 2 {
		out[i] = "{" + out[i] + "}"
	}
	return out
}

// rules lists the rules of a trigger that give something, with those that multiply.
func (l *look) rules(trigger string) []*program.CompiledRule {
	var out []*program.CompiledRule
	for _, r := range slices.Concat(l.p.Rules[trigger], l.p.Multipliers[trigger]) {
		if !r.DryRun {
			out = append(out, r)
		}
	}
	return out
}

// all lists every rule in the document's order.
func (l *look) all() []*program.CompiledRule {
	var out []*program.CompiledRule
	for i := range l.p.Doc.Earn {
		if r := l.p.ByID[l.p.Doc.Earn[i].ID]; r != nil && !r.DryRun {
			out = append(out, r)
		}
	}
	return out
}

func (l *look) rule(r *program.CompiledRule) string { return explain.Rule(l.p, r.ID, l.lang) }

func (l *look) money(n int64) string { return lang.Price(l.lang, l.p.Doc.Currency, n) }

func (l *look) percent(share float64) string {
	return lang.Percent(l.lang, money.FromMinor(int64(share*1000+0.5), 1))
}

// worth is what minor units of a unit cost the program, in minor units of money.
func (l *look) worth(unit string, minor float64) float64 {
	u := l.p.Units[unit]
	if u == nil || u.Worth == nil {
		return 0
	}
	num, den := u.Worth.Ratio()
	return minor / float64(money.Pow10(u.Precision)) * float64(num) / float64(den) * float64(money.Pow10(l.p.Exponent))
}

func atRule(r *program.CompiledRule) string { return pointer("earn", r.Index) }
