package terms

import (
	"lojal.dev/lojal/internal/explain"
	"lojal.dev/lojal/internal/program"
)

// shares tells what members may pass on to friends.
func (w *writer) shares() []Item {
	var out []Item
	for i := range w.p.Doc.Shares {
		s := w.p.Shares[w.p.Doc.Shares[i].ID]
		what := explain.Reward(w.p, s.Reward, w.lang)
		if s.Benefit != "" {
			what = explain.Benefit(w.p, s.Benefit, w.lang)
		}
		lines := []string{sentence(w.say("share", "x", w.quoted(what))), w.conditions(s.When)}
		if s.For != "everybody" {
			lines = append(lines, sentence(w.say("share.new")))
		}
		lines = append(lines, sentence(w.say("share.claim", "x", w.period(*s.Claim))))
		if s.Valid != nil {
			lines = append(lines, sentence(w.say("share.valid", "x", w.period(*s.Valid))))
		}
		lines = append(lines, w.limits(s.Limits, ""))
		if t := w.p.ByID[program.SharePrefix+s.ID]; t != nil {
			lines = append(lines, sentence(w.say("share.thanks", "n", w.points(t.Give.Unit, t.Amount))))
		}
		out = append(out, Item{Of: s.ID, Title: w.text(s.Title), Text: paragraph(lines...)})
	}
	return out
}
