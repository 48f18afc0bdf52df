package terms

// households tells how members use each other's points.
func (w *writer) households() []Item {
	h := w.p.Doc.Households
	if h == nil {
		return nil
	}
	var units []string
	for _, u := range h.Shares {
		units = append(units, w.unit(u))
	}
	out := []string{
		sentence(w.say("houses.share", "n", w.count(h.Most), "units", w.and(units))),
		sentence(w.say("houses.first", "units", w.and(units))), sentence(w.say("houses.leave")),
	}
	if h.MemberFor != nil {
		out = append(out, sentence(w.say("houses.for", "x", w.period(*h.MemberFor))))
	}
	if h.Wait != nil {
		out = append(out, sentence(w.say("houses.wait", "x", w.period(*h.Wait))))
	}
	return []Item{{Text: paragraph(out...)}}
}

// organizations tells how a company is a member.
func (w *writer) organizations() []Item {
	if w.p.Doc.Organizations == nil {
		return nil
	}
	var units []string
	for _, u := range w.p.UnitIDs {
		units = append(units, w.unit(u))
	}
	return []Item{{Text: paragraph(sentence(w.say("firms.earn", "units", w.and(units))), sentence(w.say("firms.owner")))}}
}
