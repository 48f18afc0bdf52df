package record

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/program"
)

// errUnknown says that something is wanted which nobody has read yet.
var errUnknown = errors.New("it is not known yet")

// together serves those who look and those who try. What all of them name is found first, in as few look-ups as there are kinds. For whom nothing else is
// wanted that is not remembered gets the answer at once; the others go abreast.
func (r *Recorder) together(ctx context.Context, tx *db.Tx, tasks []*task) error {
	if tx.Distributed() {
		return r.apart(ctx, tx, tasks)
	}
	scout, err := r.sendScout(ctx, tx, tasks)
	if err != nil {
		return err
	}
	known := tx.Aside(func(context.Context, []db.Ask) error { return errUnknown })
	var looks []*task
	var runs []func(*db.Tx) error
	for _, t := range tasks {
		if t.trial == nil {
			if !scout.glance(t) {
				looks = append(looks, t)
			}
			continue
		}
		try := func(tx *db.Tx) error {
			u := r.newTrial(tx, t.trial.tasks, t.trial.draft)
			u.sheet.Remember(r.memory)
			if t.trial.draft == nil {
				u.scout = scout
				u.sheet.Above(scout.sheet)
			}
			return u.run(ctx)
		}
		if err := try(known); errors.Is(err, errUnknown) {
			runs = append(runs, try)
		} else if err != nil {
			return err
		}
	}
	if len(looks) > 0 {
		runs = append(runs, func(tx *db.Tx) error {
			u := r.newTrial(tx, looks, nil)
			u.sheet.Remember(r.memory)
			u.scout = scout
			u.sheet.Above(scout.sheet)
			return u.run(ctx)
		})
	}
	return abreast(ctx, tx, runs)
}

// apart is together where the database is distributed: each finds what it names. Nothing is remembered there, since rows of one account might come
// from two snapshots.
func (r *Recorder) apart(ctx context.Context, tx *db.Tx, tasks []*task) error {
	var looks []*task
	var runs []func(*db.Tx) error
	for _, t := range tasks {
		if t.trial == nil {
			looks = append(looks, t)
			continue
		}
		runs = append(runs, func(tx *db.Tx) error { return r.newTrial(tx, t.trial.tasks, t.trial.draft).run(ctx) })
	}
	if len(looks) > 0 {
		runs = append(runs, func(tx *db.Tx) error { return r.newTrial(tx, looks, nil).run(ctx) })
	}
	return abreast(ctx, tx, runs)
}

// sendScout finds what the tasks name and opens their accounts, in a unit in which nothing is decided.
func (r *Recorder) sendScout(ctx context.Context, tx *db.Tx, tasks []*task) (*unit, error) {
	all := make([]*task, 0, len(tasks))
	for _, t := range tasks {
		switch {
		case t.trial == nil:
			all = append(all, t)
		case t.trial.draft == nil:
			all = append(all, t.trial.tasks...)
		}
	}
	u := r.newTrial(tx, all, nil)
	u.sheet.Remember(r.memory)
	if len(all) == 0 {
		return u, tx.Begin(ctx)
	}
	if err := u.ask(ctx); err != nil {
		return nil, err
	}
	var refs []books.Ref
	for _, t := range all {
		ref := u.named(t)
		for n := 0; ref.Member != "" && n < mostMerges; n++ {
			refs = append(refs, ref)
			ref, _ = u.merged.find(ref)
		}
	}
	err := u.openAll(ctx, refs)
	return u, err
}

// named is the account that a task names, as far as the scout has found it, and remembers it for the next guess.
func (u *unit) named(t *task) books.Ref {
	switch {
	case t.state == done:
		return books.Ref{}
	case t.req.Holder != "":
		return books.Ref{Program: t.req.Program, Member: t.req.Holder}
	}
	known := u.members[t.req.Program][t.req.Member]
	if known.ID == "" {
		return books.Ref{}
	}
	ref := books.Ref{Program: t.req.Program, Member: known.ID}
	if strings.Contains(t.req.Member, ":") {
		u.names.remember(books.Ref{Program: t.req.Program, Member: t.req.Member}, ref)
	}
	return ref
}

// follow takes over what the scout has found.
func (u *unit) follow() {
	s := u.scout
	u.programs, u.members, u.answers = s.programs, s.members, map[books.AnswerKey]books.Answer{}
	u.receipts, u.first = maps.Clone(s.receipts), maps.Clone(s.first)
	u.noProgram()
}

// glance answers a look at an account that is as it was: nothing has come due, and all that is wanted is remembered.
func (u *unit) glance(t *task) bool {
	ref := u.named(t)
	if ref.Member == "" || t.replan || t.base.Parent != "" {
		return false
	}
	ref = u.survivor(ref)
	f := u.sheet.Folio(ref)
	if f == nil || f.State.Seq == 0 || f.State.MergedInto != "" {
		return false
	}
	w := walk{u: u, t: t}
	if _, _, due := w.next(f, f.State.At, t.fact.OccurredAt); due {
		return false
	}
	p, err := w.programAt(t.fact.OccurredAt)
	if err != nil {
		return false
	}
	needs := engine.Needs{}
	if t.needs != nil {
		needs = t.needs(p, f)
	}
	if !f.Recall(needs) || slices.ContainsFunc(needs.Tallies, func(r engine.TallyRange) bool { return engine.IsProgramTally(r.Name) }) {
		return false
	}
	t.done(glanced(f, t, p, needs))
	return true
}

// glanced is the answer to a look at a folio in which all that is needed was recalled.
func glanced(f *books.Folio, t *task, p *program.Compiled, needs engine.Needs) *Result {
	r := &Result{Fact: t.fact, Seq: f.State.Seq, Program: p}
	if len(needs.Tallies) > 0 {
		r.Account = f.Input(books.Deciding{Folio: f, Program: p, Fact: t.fact, Needs: needs}).Account
		return r
	}
	r.Account = f.Account()
	if t.needs != nil { // as Input has it, at less
		r.Account.Tallies = map[string]map[string]int64{}
		if !needs.Lots || len(r.Account.Lots) == 0 {
			r.Account.Lots = nil
		}
	}
	return r
}
