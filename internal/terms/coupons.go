package terms

// coupons tells of words and codes that take something off what there is to pay.
func (w *writer) coupons() []Item {
	var out []Item
	for i := range w.p.Doc.Coupons {
		c := w.p.Coupons[w.p.Doc.Coupons[i].ID]
		worth := w.money(c.Money)
		if c.Percent != nil {
			worth = w.number(*c.Percent) + w.say("percent")
		}
		lines := []string{sentence(w.say("coupon.code", "x", worth))}
		if c.Word != "" {
			lines = []string{sentence(w.say("coupon.word", "word", w.quoted(c.Word), "x", worth))}
		}
		lines = append(lines, w.scoped("coupon.lines", c.Coupon.Lines), w.least(c.Stacking()), w.conditions(c.When), w.window(c.When, c.From, c.Until))
		if c.Uses > 1 {
			lines = append(lines, sentence(w.say("coupon.uses", "n", w.count(c.Uses))))
		}
		lines = append(lines, w.limits(c.Limits, ""), w.together(c.Stacking(), "", c.ID))
		out = append(out, Item{Of: c.ID, Title: w.text(c.Title), Text: paragraph(lines...)})
	}
	return out
}
