package record

import (
	"slices"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/program"
)

// What is brought with a purchase is used in the books where its uses are counted, in the transaction of the purchase. Those accounts are locked with
// the buyer's, in one order.

// lenders are the accounts in whose books something that is brought with the task's purchase is used.
func (t *task) lenders() []books.Ref {
	var out []books.Ref
	for _, h := range t.fact.CodeHolders() {
		out = append(out, books.Ref{Program: t.req.Program, Member: h})
	}
	return out
}

// lender is the folio in which the n-th of what is brought is used; nil where there is none.
func (u *unit) lender(t *task, f *books.Folio, fact *engine.Fact, n int) *books.Folio {
	h := fact.Purchase.Codes[n].Holder
	if h == "" {
		return f
	}
	g := u.sheet.Folio(u.survivor(books.Ref{Program: t.req.Program, Member: h}))
	if g == nil || g.State.Seq == 0 {
		return nil
	}
	return g
}

// lendersWant are the counters of whole programs that the uses will want.
func (u *unit) lendersWant(t *task, f *books.Folio, p *program.Compiled) (out []books.Deciding) {
	if !t.fact.Brings() {
		return nil
	}
	for n := range t.fact.Purchase.Codes {
		g := u.lender(t, f, &t.fact, n)
		use, err := engine.UseOf(p, &t.fact, n)
		if g == nil || err != nil { // it is refused for that
			continue
		}
		out = append(out, books.Deciding{Folio: g, Needs: engine.NeedsOf(p, &g.State, use)})
	}
	return out
}

// brings uses what is brought with a purchase and gives the purchase with what each took off. All that cannot be used is told at once.
func (w *walk) brings(f *books.Folio, p *program.Compiled, fact engine.Fact) (_ engine.Fact, undo func(), err error) {
	var marks []func()
	var held []*books.Folio
	undo = func() {
		for _, back := range slices.Backward(marks) {
			back()
		}
	}
	var no engine.CodeRefusals
	if err := engine.Check(p, fact); err != nil {
		return fact, undo, err
	}
	for n := range fact.Purchase.Codes {
		g := w.u.lender(w.t, f, &fact, n)
		if g == nil {
			no.Add(n, errs.NotFound("code_unknown", "There is no such code."))
			continue
		}
		if !slices.Contains(held, g) {
			if g != f {
				if err := w.bringUp(g, fact.OccurredAt); err != nil {
					return fact, undo, err
				}
			}
			held, marks = append(held, g), append(marks, g.Mark())
		}
		use, err := engine.UseOf(p, &fact, n)
		if err != nil {
			no.Add(n, err)
			continue
		}
		use.ID, use.Member = ids.NewIn(prefixOf(use.Kind), fact.RecordedAt, g.Bucket()), g.Member
		d, err := w.decide(g, p, use)
		if refused(err) {
			no.Add(n, err)
			continue
		}
		if err != nil {
			return fact, undo, err
		}
		if fact.Purchase, err = fact.Took(p, n, use.ID, d); err != nil {
			return fact, undo, err
		}
	}
	if err := no.Err(); err != nil {
		return fact, undo, err
	}
	for _, g := range held {
		if g != f {
			if err := w.catchUp(g, p, fact.OccurredAt); err != nil {
				return fact, undo, err
			}
		}
	}
	return fact, undo, nil
}
