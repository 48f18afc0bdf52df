package verify

import (
	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/engine"
)

// houses proves that a household or an organization and those who belong to it say the same. What follows from the end or the merge of a membership is
// recorded a moment later, so one whose membership ended or went over into another is left out.
func (c *check) houses() error {
	st := &c.v.Account.State
	people := st.People()
	if !engine.IsHouse(st.Kind) || len(people) == 0 || c.tx.Distributed() { // there they have no moment in common
		return nil
	}
	refs := make([]books.Ref, len(people))
	for i := range people {
		refs[i] = books.Ref{Program: c.program, Member: people[i].Member}
	}
	sheet := books.ReadSheet()
	if err := sheet.Open(c.ctx, c.tx, refs); err != nil {
		return err
	}
	for _, ref := range refs {
		own := &sheet.Folio(ref).State
		if own.Status == engine.Closed || own.Status == engine.Merged {
			continue
		}
		if in := own.In(st.Kind); in == nil || in.House != c.v.Member {
			c.failf("accounts "+c.v.Ref.String(), "", "says that %s belongs to it, whose own account does not", ref.Member)
		}
	}
	return nil
}
