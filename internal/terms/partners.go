package terms

import (
	"slices"

	"lojal.dev/lojal/internal/explain"
	"lojal.dev/lojal/internal/lang"
)

// partners tells where else points come from and are good for. What partners and the program owe each other is none of the members' business.
func (w *writer) partners() []Item {
	var out []Item
	for i := range w.p.Doc.Partners {
		p := w.p.Partners[w.p.Doc.Partners[i].ID]
		if p == nil {
			continue
		}
		name := w.text(p.Name)
		if name == "" {
			name = p.ID
		}
		units := func(of map[string]int64) string {
			var names []string
			for _, unit := range slices.Sorted(keys(of)) {
				names = append(names, w.unit(unit))
			}
			return w.and(names)
		}
		var said []string
		if len(p.Awards) > 0 {
			said = append(said, sentence(w.say("partner.awards", "units", units(p.Awards))))
			if awards := slices.Sorted(keys(p.Awards)); p.Most >= 0 {
				said = append(said, sentence(w.say("partner.most", "x", w.points(awards[0], p.Most))))
			}
		}
		if len(p.Accepts) > 0 {
			said = append(said, sentence(w.say("partner.accepts", "units", units(p.Accepts))))
		}
		if len(p.Benefits) > 0 {
			var names []string
			for _, b := range p.Benefits {
				names = append(names, w.quoted(explain.Benefit(w.p, b, w.lang)))
			}
			said = append(said, sentence(w.say("partner.benefits", "x", lang.And(w.lang, names))))
		}
		out = append(out, Item{Of: p.ID, Title: name, Text: paragraph(said...)})
	}
	return out
}

// claims tells of receipts without a member.
func (w *writer) claims() []Item {
	c := w.p.Doc.Claims
	if c == nil {
		return nil
	}
	out := []string{sentence(w.say("claims.within", "x", w.period(c.ClaimWithin())))}
	if c.Linked != nil {
		out = append(out, sentence(w.say("claims.linked", "x", w.period(*c.Linked))))
	}
	return []Item{{Text: paragraph(out...)}}
}
