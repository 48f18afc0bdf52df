package record

import (
	"context"
	"slices"
	"strings"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/code"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/giftcard"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/member"
	"lojal.dev/lojal/internal/program"
)

// Households and organizations: who acts for whom is found before the transaction, so that the fact is one of the organization's from the start and
// keeps to its bucket. What several of a household pay for is decided in one transaction over their accounts, which are all locked before it.

// HousePrefix is the type prefix of the accounts of a kind of house.
func HousePrefix(kind string) string {
	if kind == engine.Organization {
		return member.OrganizationPrefix
	}
	return member.HouseholdPrefix
}

// isHolder says whether an id is that of an account that is no member.
func isHolder(id string) bool {
	return strings.HasPrefix(id, giftcard.IDPrefix+"_") || strings.HasPrefix(id, code.CouponPrefix+"_") || isHouse(id)
}

func isHouse(id string) bool {
	return strings.HasPrefix(id, member.HouseholdPrefix+"_") || strings.HasPrefix(id, member.OrganizationPrefix+"_")
}

// acting finds for whom the members of tasks act, and who is meant by those who are named besides the member. Whatever it reads it reads once for
// all of them.
func (r *Recorder) acting(ctx context.Context, tasks []*task) error {
	asking := r.asking(ctx, tasks)
	if len(asking) == 0 {
		return nil
	}
	return r.db.Read(ctx, func(tx *db.Tx) error {
		p, err := r.peopleOf(ctx, tx, asking)
		if err != nil {
			return err
		}
		for _, t := range asking {
			if err := t.act(p); err != nil {
				t.fail(err)
			}
		}
		return nil
	})
}

// asking lists the tasks for which something has to be read.
func (r *Recorder) asking(ctx context.Context, tasks []*task) (out []*task) {
	for _, t := range tasks {
		if t.err != nil || !t.mayAct() || !r.hasHouses(ctx, t) {
			continue
		}
		t.spans = t.base.House == nil
		if len(t.named()) > 0 {
			out = append(out, t)
		}
	}
	return out
}

// mayAct says whether a task is of a kind in which somebody may act for others, or names others of a house.
func (t *task) mayAct() bool {
	switch t.base.Kind {
	case engine.PurchaseK, engine.ActivityK, engine.Redeem, engine.Reserve:
		return t.req.Member != "" || t.base.By() != ""
	case engine.ReturnK, engine.Commit, engine.Cancel, engine.Refund, engine.Release, engine.VoucherK:
		return t.req.Member != ""
	case engine.HouseK, engine.Enrolment:
		return t.base.House != nil && !t.req.Own
	}
	return false
}

// named lists what a task that may act calls the people whom it has to know.
func (t *task) named() []string {
	var out []string
	switch b := t.base.House; {
	case b != nil:
		out = []string{b.By, b.Member}
	case t.base.Kind != engine.PurchaseK && t.base.Kind != engine.ActivityK && t.base.Kind != engine.Redeem && t.base.Kind != engine.Reserve:
	case t.base.By() != "":
		out = []string{t.base.By()}
	default:
		out = []string{t.req.Member}
	}
	return slices.DeleteFunc(out, func(ref string) bool { return ref == "" })
}

// hasHouses says whether the task's program has what the task may be about, so that nobody else pays for looking: one acts for organizations only.
func (r *Recorder) hasHouses(ctx context.Context, t *task) bool {
	asks := func(p *program.Compiled) bool {
		return p.Doc.Organizations != nil || t.base.House != nil && p.HasHouses()
	}
	if known := r.versions.Known(t.req.Program); known != nil {
		return asks(known.Latest())
	}
	has := false
	err := r.db.Read(ctx, func(tx *db.Tx) error {
		set, err := r.versions.Get(ctx, tx, t.req.Program)
		if err == nil {
			has = asks(set.Latest())
		}
		return err
	})
	return err == nil && has // what went wrong is told in the transaction
}

// people are those whom tasks name.
type people struct {
	ids   map[books.Ref]string // by what they are called
	sheet *books.Sheet
}

// peopleOf finds those whom the tasks name: the identifiers of a program in one look-up, the accounts of all in one.
func (r *Recorder) peopleOf(ctx context.Context, tx *db.Tx, tasks []*task) (*people, error) {
	out := &people{ids: map[books.Ref]string{}, sheet: books.ReadSheet()}
	var ids []string
	names := map[string][]string{}
	for _, t := range tasks {
		if names[t.req.Program] == nil {
			ids = append(ids, t.req.Program)
		}
		names[t.req.Program] = append(names[t.req.Program], t.named()...)
	}
	var refs []books.Ref
	for _, id := range ids {
		set, err := r.versions.Get(ctx, tx, id)
		if err != nil {
			return nil, err
		}
		found, err := member.ResolveAll(ctx, tx, set.Latest(), names[id])
		if err != nil {
			return nil, err
		}
		for i, name := range names[id] {
			if found[i].ID != "" {
				ref := books.Ref{Program: id, Member: found[i].ID}
				out.ids[books.Ref{Program: id, Member: name}], refs = found[i].ID, append(refs, ref)
			}
		}
	}
	return out, openLines(ctx, tx, out.sheet, refs, nil)
}

// find finds a person by what a request calls them, with the state they have; "" is nobody.
func (p *people) find(program, ref, pointer string) (string, *engine.State, error) {
	if ref == "" {
		return "", nil, nil
	}
	if id := p.ids[books.Ref{Program: program, Member: ref}]; id != "" {
		id, st, err := Survivor(id, func(id string) (*engine.State, error) {
			return &p.sheet.Folio(books.Ref{Program: program, Member: id}).State, nil
		})
		if err == nil && st.Seq > 0 && st.Kind == engine.Person {
			return id, st, nil
		}
	}
	return "", nil, errs.Invalid("unknown_member", "There is no such member.", errs.Field{Pointer: pointer, Reason: "unknown_member", Message: "is no member"})
}

// act makes the task that of the organization for which its member acts.
func (t *task) act(p *people) error {
	if b := t.base.House; b != nil {
		c := *b
		var err error
		if c.By, _, err = p.find(t.req.Program, c.By, "/by"); err != nil {
			return err
		}
		var st *engine.State
		if c.Member, st, err = p.find(t.req.Program, c.Member, "/member"); err != nil {
			return err
		}
		if c.Do == engine.HouseInvite && st != nil && st.Status != engine.Active {
			return errs.Conflict("not_active", "This member is "+st.Status+" and cannot be invited.")
		}
		t.base.House = &c
		t.fact = t.base
		return nil
	}
	if by := t.base.By(); by != "" {
		id, st, err := p.find(t.req.Program, by, "/by")
		if err != nil {
			return err
		}
		t.base = t.base.For(id)
		t.fact = t.base
		t.actor = books.Ref{Program: t.req.Program, Member: id}
		if st.Status == engine.Blocked {
			t.barred = errActorBlocked()
		}
		return nil
	}
	id, st, err := p.find(t.req.Program, t.req.Member, "/member")
	if err != nil {
		return nil //nolint:nilerr // a member who is not found is told of in the transaction
	}
	if f, house := engine.Acting(st, t.base, id); house != "" {
		t.base, t.req.Holder, t.req.Member = f, house, ""
		t.fact = t.base
		t.actor = books.Ref{Program: t.req.Program, Member: id}
	}
	return nil
}

func errActorBlocked() error {
	return errs.Forbidden("member_blocked", "This member is blocked and cannot act for an organization: unblock the member, or have somebody else of it act.")
}

// actorMay says whether the one who acts for an organization may still: they may have been blocked in this very unit.
func (u *unit) actorMay(t *task) error {
	if t.barred != nil || t.actor.Member == "" {
		return t.barred
	}
	if st, here := u.state(t.actor); here && st.Status == engine.Blocked {
		return errActorBlocked()
	}
	return nil
}

// byHouse has a fact about another one go to the organization in whose books that is.
func (t *task) byHouse(owner string) {
	if t.spans && isHouse(owner) && t.ref.Member == "" {
		t.ref = books.Ref{Program: t.req.Program, Member: owner}
	}
}

// guessPools finds whose points tasks may take without locking anybody, so that all accounts are locked at once, in one order: two of a household who
// spend at the same time would wait for each other else. What changes meanwhile is seen when they are locked.
func (u *unit) guessPools(ctx context.Context, tasks []*task) error {
	pooled := slices.DeleteFunc(slices.Clone(tasks), func(t *task) bool { return t.state == done || t.ref.Member == "" || !t.fact.Pooled() })
	if len(pooled) == 0 || u.simulated {
		return nil
	}
	sheet := books.ReadSheet()
	read := func(refs []books.Ref) error {
		if len(refs) == 0 {
			return nil
		}
		return sheet.Open(ctx, u.tx, refs)
	}
	var refs []books.Ref
	for _, t := range pooled {
		refs = append(refs, t.ref)
	}
	if err := read(refs); err != nil {
		return err
	}
	refs = nil
	houses := map[*task]books.Ref{}
	for _, t := range pooled {
		if in := sheet.Folio(t.ref).State.In(engine.Household); in != nil {
			houses[t] = books.Ref{Program: t.req.Program, Member: in.House}
			refs = append(refs, houses[t])
		}
	}
	if err := read(refs); err != nil {
		return err
	}
	for t, ref := range houses {
		t.others = poolOf(ref, &sheet.Folio(ref).State)
	}
	return nil
}

// poolOf lists a household and those who belong to it.
func poolOf(house books.Ref, st *engine.State) []books.Ref {
	out := []books.Ref{house}
	for _, p := range st.People() {
		out = append(out, books.Ref{Program: house.Program, Member: p.Member})
	}
	return out
}

// openPools opens the accounts of those whose points a task may take, and says which tasks have others than before.
func (u *unit) openPools(ctx context.Context, tasks []*task) (changed map[*task]bool, err error) {
	var pooled []*task
	for _, t := range tasks {
		if t.state != done && t.fact.Pooled() {
			pooled = append(pooled, t)
		}
	}
	changed = map[*task]bool{}
	if len(pooled) == 0 {
		return changed, nil
	}
	var houses []books.Ref
	house := map[*task]books.Ref{}
	for _, t := range pooled {
		f := u.sheet.Folio(u.survivor(t.ref))
		if f == nil {
			continue
		}
		if in := f.State.In(engine.Household); in != nil {
			house[t] = books.Ref{Program: t.req.Program, Member: in.House}
			houses = append(houses, house[t])
		}
	}
	if err := u.openAll(ctx, houses); err != nil {
		return nil, err
	}
	wanted := map[*task][]books.Ref{}
	var people []books.Ref
	for _, t := range pooled {
		ref, some := house[t]
		if !some {
			continue
		}
		wanted[t] = poolOf(ref, &u.sheet.Folio(ref).State)
		people = append(people, wanted[t]...)
	}
	if err := u.openAll(ctx, people); err != nil {
		return nil, err
	}
	for _, t := range pooled {
		if !slices.Equal(t.others, wanted[t]) {
			t.others, changed[t] = wanted[t], true
		}
	}
	return changed, nil
}

// gather has the others of a household give what a fact lacks, in the transaction of the fact.
func (w *walk) gather(f *books.Folio, p *program.Compiled, fact engine.Fact) (undo func(), err error) {
	undo = func() {}
	in := f.State.In(engine.Household)
	if in == nil {
		return undo, errs.Forbidden("no_household", "This member is in no household.")
	}
	var folios []*books.Folio
	var others []*engine.Account
	for _, ref := range w.t.others {
		g := w.u.sheet.Folio(w.u.survivor(ref))
		if g == f || g.State.Kind != engine.Person || g.State.Seq == 0 || slices.Contains(folios, g) {
			continue
		}
		if err := w.bringUp(g, fact.OccurredAt); err != nil {
			return undo, err
		}
		d := books.Deciding{Folio: g, Program: p, Fact: engine.Fact{Kind: look, Member: g.Member, OccurredAt: fact.OccurredAt}, Needs: engine.Needs{Lots: true}}
		if !w.yield(d) {
			return undo, errStopped
		}
		folios, others = append(folios, g), append(others, g.Input(d).Account)
	}
	d := books.Deciding{Folio: f, Program: p, Fact: fact, Needs: engine.NeedsOf(p, &f.State, fact)}
	if !w.yield(d) {
		return undo, errStopped
	}
	input := f.Input(d)
	input.Versions = w.u.programs[w.t.req.Program]
	chips, err := engine.Gather(p, input, others)
	if err != nil || len(chips) == 0 {
		return undo, err
	}
	marks := []func(){f.Mark()}
	for _, g := range folios {
		marks = append(marks, g.Mark())
	}
	undo = func() {
		for _, back := range marks {
			back()
		}
	}
	for i := range chips {
		at := slices.IndexFunc(folios, func(g *books.Folio) bool { return g.Member == chips[i].Member })
		if err := w.chip(folios[at], f, p, fact, chips[i].Gives(p, f.Member, in.House)); err != nil {
			return undo, err
		}
	}
	return undo, nil
}

// chip moves what one gives to another one's books.
func (w *walk) chip(from, to *books.Folio, p *program.Compiled, of engine.Fact, b *engine.Transfer) error {
	out := engine.Fact{ID: ids.NewIn(prefixOf(engine.TransferOut), of.RecordedAt, from.Bucket()), Kind: engine.TransferOut, Member: from.Member,
		OccurredAt: of.OccurredAt, RecordedAt: of.RecordedAt, Parent: of.ID, Actor: of.Actor, Transfer: b}
	d, err := w.decide(from, p, out)
	if err != nil {
		return err
	}
	c := *b
	c.Other, c.Lots = from.Member, d.Moved
	in := engine.Fact{ID: ids.NewIn("fct", of.RecordedAt, to.Bucket()), Kind: engine.TransferIn, Member: to.Member,
		OccurredAt: of.OccurredAt, RecordedAt: of.RecordedAt, Parent: out.ID, Actor: of.Actor, Transfer: &c}
	if _, err := w.decide(to, p, in); err != nil {
		return err
	}
	return w.catchUp(from, p, of.OccurredAt)
}

// housed decides the two sides of a change in who belongs together: both or neither.
func (w *walk) housed(f *books.Folio) (*Result, error) {
	t := w.t
	g := w.u.sheet.Folio(w.u.survivor(t.other))
	switch {
	case g == nil || g.State.Seq == 0:
		return nil, errs.NotFound("member_not_found", "There is no such other member.")
	case g.State.Kind != engine.Person:
		return nil, errs.Invalid("invalid_house", "Only people belong to it.", errs.Field{Pointer: "/member", Reason: "not_a_person", Message: "must be a member"})
	}
	fact := t.fact
	b := *fact.House
	b.Member = g.Member
	fact.House = &b
	if err := w.bringUp(g, fact.OccurredAt); err != nil {
		return nil, err
	}
	p, err := w.programAt(fact.OccurredAt)
	if err != nil {
		return nil, err
	}
	if fact, err = w.named(f, p, fact); err != nil {
		return nil, err
	}
	undo, undoOther := f.Mark(), g.Mark()
	d, err := w.decide(f, p, fact)
	if err != nil {
		return nil, err
	}
	r := &Result{Fact: fact, Seq: f.State.Seq, Decision: d, Program: p}
	in := engine.Fact{ID: ids.NewIn("fct", fact.RecordedAt, g.Bucket()), Kind: engine.HouseK, Member: g.Member,
		OccurredAt: fact.OccurredAt, RecordedAt: fact.RecordedAt, Parent: fact.ID, Actor: fact.Actor, House: b.Mirror(f.Member, f.State.Kind)}
	second, err := w.decide(g, p, in)
	if err == nil {
		err = w.catchUp(g, p, in.OccurredAt)
	}
	if err != nil {
		undo()
		undoOther()
		return nil, err
	}
	r.Other = &engine.Past{Fact: in, Decision: second}
	return r, nil
}
