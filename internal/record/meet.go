package record

import (
	"context"
	"slices"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/member"
)

// meet finds whom the members of the tasks thank, and sees whether they may be: that looks at members besides the fact's own, which the
// engine does not. What was seen goes into the fact, so that it is decided again in the same way.
func (u *unit) meet(ctx context.Context, tasks []*task) error {
	for _, t := range tasks {
		if b := t.req.Fact.Share; t.state != done && t.fact.Kind == engine.ShareK && b != nil && b.Do == engine.ShareClaim {
			if err := u.meetFriend(ctx, t); refused(err) {
				t.fail(err)
			} else if err != nil {
				return err
			}
			continue
		}
		said := t.req.Fact.Recognition
		if t.state == done || t.fact.Kind != engine.RecognitionK || said == nil || said.Do != engine.RecognitionGive {
			continue
		}
		to, why, err := u.other(ctx, t.req.Program, u.survivor(t.ref).Member, said.To)
		switch {
		case err == nil:
			b := *said
			b.To, b.Refused = to, why
			if b.Was, err = u.was(ctx, t, to); err != nil {
				return err
			}
			t.fact.Recognition = &b
		case refused(err):
			t.fail(err)
		default:
			return err
		}
	}
	return nil
}

// was gives the ids that somebody had before merges: thanks between the two counted by them.
func (u *unit) was(ctx context.Context, t *task, member string) ([]string, error) {
	st, err := u.stateAt(ctx, books.Ref{Program: t.req.Program, Member: member})
	if err != nil {
		return nil, err
	}
	return st.Was, nil
}

// meetFriend is meet for who claims what a member passed on.
func (u *unit) meetFriend(ctx context.Context, t *task) error {
	said := t.req.Fact.Share
	giver := u.survivor(t.ref)
	to, why, err := u.other(ctx, t.req.Program, giver.Member, said.To)
	if err != nil {
		return err
	}
	st, err := u.stateAt(ctx, books.Ref{Program: t.req.Program, Member: to})
	if err != nil {
		return err
	}
	own, err := u.stateAt(ctx, giver)
	if err != nil {
		return err
	}
	p := u.programs[t.req.Program].At(t.fact.OccurredAt)
	for _, passed := range own.Passed {
		if p == nil || passed.ID != t.fact.Parent || p.Shares[passed.Share] == nil || why != "" {
			continue
		}
		s := p.Shares[passed.Share]
		if why = engine.NotForThem(s, st); why != "" || s.For == "everybody" {
			continue
		}
		same, _, err := member.AlikeTo(ctx, u.tx, t.req.Program, to, member.Member{})
		if err != nil {
			return err
		}
		if len(same) > 0 { // somebody who has been here before under another membership
			why = engine.RefusedKnown
		}
	}
	b := *said
	b.To, b.Refused = to, why
	t.fact.Share = &b
	return nil
}

// other finds a member by what a request calls them, and says why they are nobody for a member to give something to; "" when they are.
func (u *unit) other(ctx context.Context, program, from, ref string) (id, why string, err error) {
	unknown := errs.NotFound("member_not_found", "There is no such other member.").With("other", true)
	if ref == "" {
		return "", "", errs.Invalid("invalid_recognition", "Say who it is for.", errs.Field{Pointer: "/to", Reason: "required", Message: "is missing"})
	}
	found, err := u.resolveAll(ctx, program, []string{ref})
	if err != nil {
		return "", "", err
	}
	if id = found[0].ID; id == "" {
		if id = u.enrolled[ref]; id == "" {
			if errs.Is(found[0].Err, errs.CodeNotFound, "") {
				return "", "", unknown
			}
			return "", "", found[0].Err
		}
	}
	id, st, err := Survivor(id, func(id string) (*engine.State, error) {
		return u.stateAt(ctx, books.Ref{Program: program, Member: id})
	})
	switch {
	case err != nil:
		return "", "", err
	case st.Seq == 0 || st.Kind != engine.Person:
		return "", "", unknown
	case id == from:
		return id, engine.RefusedSelf, nil
	case st.Status == engine.Closed:
		return id, engine.RefusedGone, nil
	case st.Status == engine.Blocked:
		return id, engine.RefusedBlocked, nil
	}
	own, err := u.stateAt(ctx, books.Ref{Program: program, Member: from})
	if err != nil {
		return "", "", err
	}
	if engine.SamePool(own, st) {
		return id, engine.RefusedHousehold, nil
	}
	same, perhaps, err := member.AlikeTo(ctx, u.tx, program, from, member.Member{})
	if slices.Contains(same, id) || slices.Contains(perhaps, id) {
		why = engine.RefusedPerson
	}
	return id, why, err
}

// stateAt is the state of any account, from this unit where it is open here.
func (u *unit) stateAt(ctx context.Context, ref books.Ref) (*engine.State, error) {
	if st, ok := u.state(ref); ok {
		return st, nil
	}
	return stateOf(ctx, u.tx, ref)
}
