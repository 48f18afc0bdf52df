package record

import (
	"context"
	"slices"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/member"
)

// invite finds who invited the members of the tasks, and sees whether the invitation counts: that looks at members besides the fact's own,
// which the engine does not. What was seen goes into the fact, so that it is decided again in the same way.
func (u *unit) invite(ctx context.Context, tasks []*task) error {
	for _, t := range tasks {
		said := t.invitation()
		if said == nil || t.state == done {
			continue
		}
		by, err := u.inviter(ctx, t.req.Program, said.By)
		if err == nil {
			i := &engine.Invitation{By: by}
			i.Refused, err = u.related(ctx, t, u.survivor(t.ref).Member, by)
			t.invited(i)
		}
		switch {
		case err == nil:
		case !refused(err):
			return err
		case t.fact.Kind == engine.Enrolment && !u.simulated: // the member is written already
			return &lateRefusal{t, err}
		default:
			t.fail(err)
		}
	}
	return nil
}

// invitation is what the request says of who invited; nil when it says nothing.
func (t *task) invitation() *engine.Invitation {
	switch b := t.req.Fact.Enrolment; {
	case t.fact.Kind == engine.InvitedK:
		return t.req.Fact.Invited
	case t.fact.Kind == engine.Enrolment && b != nil:
		return b.Invited
	}
	return nil
}

// invited puts what was seen into the fact.
func (t *task) invited(i *engine.Invitation) {
	if t.fact.Kind == engine.InvitedK {
		t.fact.Invited = i
		return
	}
	b := *t.fact.Enrolment
	b.Invited = i
	t.fact.Enrolment = &b
}

// inviter finds who invited by what the request calls them.
func (u *unit) inviter(ctx context.Context, program, ref string) (string, error) {
	found, err := u.resolveAll(ctx, program, []string{ref})
	if err != nil {
		return "", err
	}
	id, why := found[0].ID, found[0].Err
	if id == "" {
		id = u.enrolled[ref]
	}
	if id == "" && !refused(why) {
		return "", why
	}
	var there error
	if id != "" {
		_, here := u.state(books.Ref{Program: program, Member: id})
		if !here {
			there = member.Exists(ctx, u.tx, program, id)
		}
	}
	if id == "" || errs.CodeOf(there) == errs.CodeNotFound {
		return "", errs.Invalid("unknown_invitation", "Nobody has invited with this.", errs.Field{Pointer: "/invited_by", Reason: "unknown_invitation",
			Message: "is no member's invitation: check how it is written, or leave it out"})
	}
	return id, there
}

// state gives the state of an account that this unit has open.
func (u *unit) state(ref books.Ref) (*engine.State, bool) {
	if f := u.sheet.Folio(ref); f != nil && f.State.Seq > 0 {
		return &f.State, true
	}
	return nil, false
}

// related says why an invitation does not count, "" when it does. Who says it after enrolling may close a circle of people who all do so now:
// the accounts on the way up are held until it is written, so that the last of them sees it. A newcomer closes none: nobody can have named
// somebody who was not there.
func (u *unit) related(ctx context.Context, t *task, friend, by string) (string, error) {
	at := func(id string) (*engine.State, error) {
		ref := books.Ref{Program: t.req.Program, Member: id}
		if st, ok := u.state(ref); ok {
			return st, nil
		}
		if t.fact.Kind != engine.InvitedK || u.simulated {
			return stateOf(ctx, u.tx, ref)
		}
		if err := u.sheet.Open(ctx, u.tx, []books.Ref{ref}); err != nil {
			return nil, err
		}
		return &u.sheet.Folio(ref).State, nil
	}
	return relation(ctx, u.tx, t.req.Program, friend, by, t.enrols, at)
}

// states reads the states of a program's accounts, as the unit has them.
func (u *unit) states(ctx context.Context, program string) func(string) (*engine.State, error) {
	return func(id string) (*engine.State, error) {
		ref := books.Ref{Program: program, Member: id}
		if st, ok := u.state(ref); ok {
			return st, nil
		}
		return stateOf(ctx, u.tx, ref)
	}
}

// Related says why an invitation does not count now, by one of engine's Refused words; "" when it does.
func Related(ctx context.Context, tx *db.Tx, program, friend, by string) (string, error) {
	return relation(ctx, tx, program, friend, by, member.Member{}, StatesOf(ctx, tx, program))
}

// broughtBy says whether one of some was brought a member, by one whom they had invited, or by one whom that one had invited …
func broughtBy(inviter string, st *engine.State, state func(string) (*engine.State, error), some ...string) (bool, error) {
	for range farthest {
		if st.Referral == nil || st.Referral.Status == engine.ReferralRefused {
			break
		}
		up, above, err := Survivor(st.Referral.By, state)
		if err != nil {
			return false, err
		}
		st = above
		if slices.Contains(some, up) {
			return true, nil
		}
		if up == inviter {
			break // a circle of others
		}
	}
	return false, nil
}

// Circles gives those who invited one of two that are merged and were themselves brought by one of the two.
func Circles(f, g string, fs, gs *engine.State, state func(string) (*engine.State, error)) ([]string, error) {
	var out []string
	for _, st := range []*engine.State{fs, gs} {
		if st.Referral == nil {
			continue
		}
		up, above, err := Survivor(st.Referral.By, state)
		if err != nil {
			return nil, err
		}
		if up == f || up == g {
			continue // that is seen from the two themselves
		}
		brought, err := broughtBy(up, above, state, f, g)
		if err != nil {
			return nil, err
		}
		if brought && !slices.Contains(out, st.Referral.By) {
			out = append(out, st.Referral.By)
		}
	}
	return out, nil
}

// farthest is how far up a chain of invitations is looked for the friend.
const farthest = 1000

func relation(ctx context.Context, tx *db.Tx, program, friend, by string, newcomer member.Member, state func(string) (*engine.State, error)) (string, error) {
	friend, own, err := Survivor(friend, state)
	if err != nil {
		return "", err
	}
	up, st, err := Survivor(by, state)
	switch {
	case err != nil:
		return "", err
	case up == friend:
		return engine.RefusedSelf, nil
	case st.Status == engine.Closed:
		return engine.RefusedGone, nil
	}
	if engine.SamePool(own, st) {
		return engine.RefusedHousehold, nil
	}
	inviter := up
	if brought, err := broughtBy(up, st, state, friend); err != nil || brought {
		return engine.RefusedCircular, err
	}
	same, perhaps, err := member.AlikeTo(ctx, tx, program, friend, newcomer)
	switch {
	case err != nil:
		return "", err
	case slices.Contains(same, inviter), slices.Contains(perhaps, inviter):
		return engine.RefusedPerson, nil
	case len(same) > 0 && own.FirstPurchaseAt == nil: // it was seen when the invitation was accepted
		return engine.RefusedKnown, nil
	}
	return "", nil
}
