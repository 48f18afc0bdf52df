package verify

import (
	"slices"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/engine"
)

// houses proves that a household or an organization and those who belong to it say the same, from both sides. What follows from the end or the merge of a
// membership, or from the end of a house, is recorded a moment later: so those that ended are left out, and a survivor may be listed still by the
// name of somebody who was merged into them.
func (c *check) houses() error {
	st := &c.v.Account.State
	if c.tx.Distributed() || st.Status == engine.Closed || st.Status == engine.Merged { // there they have no moment in common
		return nil
	}
	if engine.IsHouse(st.Kind) {
		return c.people(st)
	}
	for _, kind := range []string{engine.Household, engine.Organization} {
		in := st.In(kind)
		if in == nil {
			continue
		}
		house, err := c.stateOf(in.House)
		if err != nil {
			return err
		}
		if house.Status == engine.Closed {
			continue
		}
		listed, err := c.listed(house)
		if err != nil {
			return err
		}
		if house.Kind != kind || !listed {
			c.failf("accounts "+c.v.Ref.String(), "", "says to belong to %s, which does not list it", in.House)
		}
	}
	return nil
}

// people proves that those whom a house lists say so themselves.
func (c *check) people(st *engine.State) error {
	people := st.People()
	if len(people) == 0 {
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

// listed says whether a house lists the member of the check, or somebody who was merged into them.
func (c *check) listed(house *engine.State) (bool, error) {
	people := house.People()
	if slices.ContainsFunc(people, func(p engine.HousePerson) bool { return p.Member == c.v.Member }) {
		return true, nil
	}
	for _, p := range people {
		name := p.Member
		for range mostMerges {
			st, err := c.stateOf(name)
			if err != nil {
				return false, err
			}
			if name = st.MergedInto; name == c.v.Member {
				return true, nil
			}
			if name == "" {
				break
			}
		}
	}
	return false, nil
}

// mostMerges bounds how many merges are followed from one account.
const mostMerges = 100

func (c *check) stateOf(account string) (*engine.State, error) {
	ref := books.Ref{Program: c.program, Member: account}
	sheet := books.ReadSheet()
	if err := sheet.Open(c.ctx, c.tx, []books.Ref{ref}); err != nil {
		return nil, err
	}
	return &sheet.Folio(ref).State, nil
}
