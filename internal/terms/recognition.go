package terms

import (
	"lojal.dev/lojal/internal/explain"
	"lojal.dev/lojal/internal/program"
)

// recognition tells how members thank each other.
func (w *writer) recognition() []Item {
	r := w.p.Recognition
	if r == nil {
		return nil
	}
	out := []string{
		sentence(w.say("recognition", "gives", w.unit(r.Gives), "becomes", w.unit(r.Becomes))),
		sentence(w.say("recognition.kept", "gives", w.unit(r.Gives))),
	}
	if len(r.Values) > 0 {
		names := make([]string, len(r.Values))
		for i := range r.Values {
			names[i] = w.quoted(explain.Praise(w.p, r.Values[i].ID, w.lang))
		}
		out = append(out, sentence(w.say("recognition.for", "x", w.or(names))))
	}
	if r.Message == "required" {
		out = append(out, sentence(w.say("recognition.message")))
	}
	switch {
	case r.Min >= 0 && r.Max >= 0:
		out = append(out, sentence(w.say("transfers.both", "min", w.points(r.Gives, r.Min), "max", w.points(r.Gives, r.Max))))
	case r.Min >= 0:
		out = append(out, sentence(w.say("transfers.min", "min", w.points(r.Gives, r.Min))))
	case r.Max >= 0:
		out = append(out, sentence(w.say("transfers.max", "max", w.points(r.Gives, r.Max))))
	}
	out = append(out, w.limits(r.Limits, r.Gives))
	if b := r.Between; b != nil {
		most := w.limits([]program.CompiledLimit{{Each: "member", Per: b.Per, Times: b.Times, Amount: -1}}, "")
		out = append(out, sentence(w.say("recognition.between", "x", w.inside(most))))
	}
	switch a := r.Approval; {
	case a == nil:
	case r.From > 0:
		out = append(out, sentence(w.say("recognition.approval", "n", w.points(r.Gives, r.From), "x", w.period(a.Within))))
	default:
		out = append(out, sentence(w.say("recognition.approved", "x", w.period(a.Within))))
	}
	if r.Undo != nil {
		out = append(out, sentence(w.say("recognition.undo", "x", w.period(*r.Undo))))
	}
	if r.Feed == "all" {
		out = append(out, sentence(w.say("recognition.all")))
	}
	return []Item{{Title: w.text(r.Title), Text: paragraph(out...)}}
}
