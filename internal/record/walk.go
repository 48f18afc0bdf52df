package record

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/program"
)

// walk is a task on its road. It is written as if it were alone: wherever something must be read it yields, and goes on when
// that was read for all tasks together.
type walk struct {
	u     *unit
	t     *task
	ctx   context.Context //nolint:containedctx // of the transaction, as is the walk
	yield func(books.Deciding) bool
}

// steps is the whole road.
func (w *walk) steps(yield func(books.Deciding) bool) {
	w.yield = yield
	defer func() {
		if p := recover(); p != nil {
			w.t.result, w.t.err = nil, errs.Internal("panic", "The fact could not be decided.").Because(fmt.Errorf("%v\n%s", p, debug.Stack()))
			if !w.u.simulated { // its fact may stand in the sheet already
				w.t.err = &lateRefusal{w.t, w.t.err}
			}
		}
	}()
	r, err := w.road()
	if err != nil {
		w.t.result, w.t.err = nil, err
		return
	}
	w.u.finish(w.t, r)
}

func (w *walk) road() (*Result, error) {
	t := w.t
	if r, known := w.u.receipts[t.naturalKey()]; known && t.natural {
		return w.duplicate(r)
	}
	if t.hold != nil && t.hold.id != "" {
		if e, ok := w.u.first[books.FactOf{Program: t.req.Program, ID: t.hold.id}]; ok {
			return w.again(e, t.hold.home)
		}
	}
	ref := w.u.survivor(t.ref)
	if ref.Member == "" {
		return w.guest()
	}
	f := w.u.sheet.Folio(ref)
	if f.State.Seq == 0 && t.fact.Kind != engine.Enrolment {
		return nil, errs.NotFound("member_not_found", "There is no such member.")
	}
	if t.fact.Kind == look {
		return w.look(f)
	}
	if err := w.u.actorMay(t); err != nil {
		return nil, err
	}
	if err := w.u.stillOpen(w.ctx, t); err != nil {
		return nil, err
	}
	t.fact.Member = ref.Member
	if err := w.bringUp(f, t.fact.OccurredAt); err != nil {
		return nil, err
	}
	var (
		r   *Result
		err error
	)
	switch house := t.fact.House; {
	case house != nil && house.TwoSided():
		r, err = w.housed(f)
	case t.fact.Kind == engine.TransferOut, t.fact.Kind == engine.MergeOut:
		r, err = w.pair(f)
	case len(t.req.Then) > 0:
		r, err = w.withLater(f)
	default:
		r, err = w.one(f)
	}
	if t.enrols.ID != "" && refused(err) && !w.u.simulated { // the profile is written already
		err = &lateRefusal{t, err}
	}
	if err != nil {
		return nil, err
	}
	if err := w.catchUp(f, r.Program, t.fact.OccurredAt); err != nil {
		return nil, err
	}
	r.Dues, r.Recorded, r.Member = t.dues, !w.u.simulated, t.enrols
	r.Account, err = w.now(f)
	return r, err
}

func (w *walk) programAt(at time.Time) (*program.Compiled, error) {
	if p := w.u.programs[w.t.req.Program].At(at); p != nil {
		return p, nil
	}
	return nil, errs.Conflict("no_version", "No version of the program was in force at that time.")
}

// one decides the fact on its own.
func (w *walk) one(f *books.Folio) (*Result, error) {
	p, err := w.programAt(w.t.fact.OccurredAt)
	if err != nil {
		return nil, err
	}
	fact, err := w.named(f, p, w.t.fact)
	if err != nil {
		return nil, err
	}
	if fact.Kind == engine.FulfilK && fact.Fulfil.To == engine.Returned {
		if err := w.unusedCard(f, p, fact); err != nil {
			return nil, err
		}
	}
	undo := func() {}
	if fact.Brings() {
		if fact, undo, err = w.brings(f, p, fact); err != nil {
			undo()
			return nil, err
		}
	}
	if fact.Pooled() {
		used := undo
		home, err := w.gather(f, p, fact)
		undo = func() { home(); used() }
		if err != nil {
			undo()
			return nil, err
		}
	}
	d, err := w.decide(f, p, fact)
	if err != nil {
		undo()
		return nil, err
	}
	return &Result{Fact: fact, Seq: f.State.Seq, Decision: d, Program: p}, nil
}

// named gives the fact its id and what chance decides.
func (w *walk) named(f *books.Folio, p *program.Compiled, fact engine.Fact) (engine.Fact, error) {
	bucket := f.Bucket()
	if fact.ID = ids.NewIn(prefixOf(fact.Kind), fact.RecordedAt, bucket); w.t.hold != nil && w.t.hold.id != "" {
		fact.ID = w.t.hold.id
	}
	return w.drawn(f, p, fact)
}

// drawn gives a fact what chance decides.
func (w *walk) drawn(f *books.Folio, p *program.Compiled, fact engine.Fact) (engine.Fact, error) {
	draw := engine.Draws(p, &f.State, &fact)
	if draw.Nothing() {
		return fact, nil
	}
	bucket := f.Bucket()
	fact.Drawn = &engine.Drawn{}
	for range draw.Codes {
		s, err := w.u.secret(w.ctx, w.t)
		if err != nil {
			return fact, err
		}
		fact.Drawn.Secrets = append(fact.Drawn.Secrets, s)
	}
	for _, pool := range draw.Pools {
		c, err := w.u.fromPool(w.ctx, w.t, fact.ID, pool)
		if err != nil {
			return fact, err
		}
		fact.Drawn.Pooled = append(fact.Drawn.Pooled, c)
	}
	for range draw.Redemptions {
		fact.Drawn.Redemptions = append(fact.Drawn.Redemptions, ids.NewIn(RedemptionPrefix, fact.RecordedAt, bucket))
	}
	return fact, nil
}

// decide decides one fact and takes it into the folio.
func (w *walk) decide(f *books.Folio, p *program.Compiled, fact engine.Fact) (engine.Decision, error) {
	d, _, err := w.decideUnless(f, p, fact, nil)
	return d, err
}

// decideUnless decides one fact and takes it into the folio, but for one that may be left away; it says whether it was taken.
func (w *walk) decideUnless(f *books.Folio, p *program.Compiled, fact engine.Fact, away func(*engine.State, *engine.Decision, *engine.State) bool) (engine.Decision, bool, error) {
	deciding := books.Deciding{Folio: f, Program: p, Fact: fact, Needs: engine.NeedsOf(p, &f.State, fact)}
	if !w.yield(deciding) {
		return engine.Decision{}, false, errStopped
	}
	in := f.Input(deciding)
	in.Versions = w.u.programs[w.t.req.Program]
	d, after, err := engine.Decide(p, in)
	if err != nil {
		return engine.Decision{}, false, err
	}
	if away != nil && away(&f.State, &d, &after.State) {
		return d, false, nil
	}
	err = f.Post(deciding, in, d, after)
	f.LookAt(w.begun(f))
	return d, true, err
}

// begun gives the beginning of a version that plans otherwise, where it has come already and the account is not there yet: after a
// fact that came late. It is not brought there at once, since others may come before that; the sweep does it.
func (w *walk) begun(f *books.Folio) *time.Time {
	if at, some := w.u.programs[w.t.req.Program].Replan(f.State.At, w.t.fact.RecordedAt); some && engine.Replans(&f.State) {
		return &at
	}
	return nil
}

// mostDues bounds the due facts of one road, far above what any program brings about.
const mostDues = 100_000

// bringUp decides the due facts of an account up to a moment: those that it has planned, and, where a version begins that plans
// otherwise, one at that beginning.
func (w *walk) bringUp(f *books.Folio, until time.Time) error {
	var last time.Time
	same := 0
	from := f.State.At
	for n := range mostDues {
		at, begins, ok := w.next(f, from, until)
		if !ok {
			return nil
		}
		if same++; n == 0 || at.After(last) {
			same = 0
		}
		if same > 10 {
			return stuck(f.Ref)
		}
		last, from = at, at
		if w.t.sweeps && begins {
			_, planned := engine.Moment(&f.State, until)
			begins = planned // else it is looked at for this beginning alone, and again and again unless the fact is kept
		}
		if _, err := w.due(f, at, begins); err != nil {
			return err
		}
	}
	return stuck(f.Ref)
}

// next gives the next moment of an account after from, at or before until; begins says that it is only the beginning of a version.
func (w *walk) next(f *books.Folio, from, until time.Time) (at time.Time, begins, ok bool) {
	at, ok = engine.Moment(&f.State, until)
	if !engine.Replans(&f.State) {
		return at, false, ok
	}
	if ok {
		until = at.Add(-time.Microsecond) // a version that begins at the moment itself decides it
	}
	if begin, some := w.u.programs[w.t.req.Program].Replan(from, until); some {
		return begin, true, true
	}
	return at, false, ok
}

// due decides the due fact of a moment, and says whether it was kept: at the beginning of a version it is left away when nothing
// follows from it.
func (w *walk) due(f *books.Folio, at time.Time, begins bool) (bool, error) {
	p, err := w.programAt(at)
	if err != nil {
		return false, err
	}
	fact := engine.Fact{ID: ids.NewIn("fct", w.t.fact.RecordedAt, f.Bucket()), Kind: engine.Due, Member: f.Member,
		OccurredAt: at.UTC().Truncate(time.Microsecond), RecordedAt: w.t.fact.RecordedAt, Actor: System}
	var away func(*engine.State, *engine.Decision, *engine.State) bool
	if begins {
		away = engine.Idle
	}
	if fact, err = w.drawn(f, p, fact); err != nil {
		return false, err
	}
	d, kept, err := w.decideUnless(f, p, fact, away)
	if err == nil && kept {
		w.t.dues = append(w.t.dues, engine.Past{Fact: fact, Decision: d})
	}
	return kept, err
}

// catchUp brings an account up to its own clock after a fact decided by p: one that came late may have put in what has ended
// since, and was planned by the version of its own day.
func (w *walk) catchUp(f *books.Folio, p *program.Compiled, at time.Time) error {
	before := f.State.Seq
	if err := w.bringUp(f, f.State.At); err != nil || f.State.Seq > before || !at.Before(f.State.At) {
		return err
	}
	if q, err := w.programAt(f.State.At); err != nil || q.Plan == p.Plan {
		return err
	}
	return w.replan(f)
}

// replan has the version in force at the account's own clock plan for it.
func (w *walk) replan(f *books.Folio) error {
	if !engine.Replans(&f.State) {
		return nil
	}
	if kept, err := w.due(f, f.State.At, true); err != nil || !kept {
		return err
	}
	return w.bringUp(f, f.State.At)
}

// System is the actor of what time brings.
const System = "system"

// now gives the account as it stands at the real time. What a late fact's account has before it is looked at, and not
// written: the sweep and later facts do that, and others that are late may come before them.
func (w *walk) now(f *books.Folio) (*engine.Account, error) {
	if _, _, more := w.next(f, f.State.At, w.t.fact.RecordedAt); !more || !w.t.peek {
		return f.Account(), nil
	}
	undo, dues := f.Mark(), w.t.dues
	err := w.bringUp(f, w.t.fact.RecordedAt)
	acc := f.Account()
	undo()
	w.t.dues = dues
	return acc, err
}

// guest decides a purchase of nobody: it is told, and not kept.
func (w *walk) guest() (*Result, error) {
	p, err := w.programAt(w.t.fact.OccurredAt)
	if err != nil {
		return nil, err
	}
	acc := &engine.Account{Program: w.t.req.Program, Tallies: map[string]map[string]int64{}}
	d, _, err := engine.Decide(p, engine.Input{Account: acc, Fact: w.t.fact})
	if err != nil {
		return nil, err
	}
	return &Result{Fact: w.t.fact, Decision: d, Account: acc, Program: p}, nil
}

// look brings an account up to now.
func (w *walk) look(f *books.Folio) (*Result, error) {
	if err := w.bringUp(f, w.t.fact.OccurredAt); err != nil {
		return nil, err
	}
	if w.t.replan {
		if err := w.replan(f); err != nil {
			return nil, err
		}
		if err := w.bringUp(f, w.t.fact.OccurredAt); err != nil {
			return nil, err
		}
	}
	p, err := w.programAt(w.t.fact.OccurredAt)
	if err != nil {
		return nil, err
	}
	r := &Result{Fact: w.t.fact, Seq: f.State.Seq, Account: f.Account(), Program: p, Dues: w.t.dues}
	if w.t.needs != nil {
		deciding := books.Deciding{Folio: f, Program: p, Fact: w.t.fact, Needs: w.t.needs(p, f)}
		if !w.yield(deciding) {
			return nil, errStopped
		}
		r.Account = f.Input(deciding).Account
	}
	return r, nil
}

// duplicate answers a fact whose natural key is known.
func (w *walk) duplicate(r books.Receipt) (*Result, error) {
	t := w.t
	e, ok := w.u.first[books.FactOf{Program: r.Program, ID: r.Fact}]
	if !ok {
		return nil, fmt.Errorf("receipt %s/%s stands for the fact %s, which is not there", r.Source, r.ExternalID, r.Fact)
	}
	home := w.u.survivor(books.Ref{Program: r.Program, Member: r.Member})
	sameMember := t.fact.Kind == engine.Enrolment || t.ref.Member != "" && w.u.survivor(t.ref) == home
	if by := t.fact.By(); by != "" && home.Member == by { // it was recorded before its member acted for an organization
		sameMember = true
	}
	if by := e.Fact.By(); by != "" && (t.ref.Member == by || w.u.survivor(t.ref).Member == by) { // it was recorded for an organization, for which its member acts no more
		sameMember = true
	}
	if r.Hash != t.hash || !sameMember {
		return nil, errKnown(r.Fact)
	}
	return w.again(e, home)
}

// again answers a fact that is there already.
func (w *walk) again(e books.Entry, home books.Ref) (*Result, error) {
	out := &Result{Fact: e.Fact, Seq: e.Seq, Decision: e.Decision, Program: w.version(e), Duplicate: true}
	var err error
	out.Account, err = w.now(w.u.sheet.Folio(home))
	return out, err
}

// version gives the version that decided an entry, or, where that cannot be told, the one in force then.
func (w *walk) version(e books.Entry) *program.Compiled {
	set := w.u.programs[w.t.req.Program]
	if numbered, ok := set.(interface {
		Version(n int64) *program.Compiled
	}); ok {
		if p := numbered.Version(e.Decision.Version); p != nil {
			return p
		}
	}
	return set.At(e.Fact.OccurredAt)
}

// pair decides the two sides of a transfer or merge: both or neither.
func (w *walk) pair(f *books.Folio) (*Result, error) {
	t := w.t
	g := w.u.sheet.Folio(w.u.survivor(t.other))
	if g.State.Seq == 0 {
		return nil, errs.NotFound("member_not_found", "There is no such other member.").With("other", true)
	}
	fact := t.fact
	if fact.Kind == engine.TransferOut {
		c := *fact.Transfer
		c.Other, c.Lots = g.Member, nil
		fact.Transfer = &c
		if c.Reverses != "" {
			if err := w.notReversed(f, c.Reverses); err != nil {
				return nil, err
			}
		}
	} else {
		c := *fact.Merge
		c.Other, c.Carried = g.Member, nil
		fact.Merge = &c
	}
	if f != g {
		if err := w.bringUp(g, fact.OccurredAt); err != nil {
			return nil, err
		}
	}
	p, err := w.programAt(fact.OccurredAt)
	if err != nil {
		return nil, err
	}
	if fact, err = w.named(f, p, fact); err != nil {
		return nil, err
	}
	var circular []string
	if fact.Kind == engine.MergeOut {
		if circular, err = Circles(f.Member, g.Member, &f.State, &g.State, w.u.states(w.ctx, t.req.Program)); err != nil {
			return nil, err
		}
	}
	undo, undoOther := f.Mark(), g.Mark()
	d, err := w.decide(f, p, fact)
	if err != nil {
		return nil, err
	}
	r := &Result{Fact: fact, Seq: f.State.Seq, Decision: d, Program: p}
	in := engine.Fact{ID: ids.NewIn("fct", fact.RecordedAt, g.Bucket()), Kind: engine.TransferIn, Member: g.Member,
		OccurredAt: fact.OccurredAt, RecordedAt: fact.RecordedAt, Parent: fact.ID, Actor: fact.Actor}
	if fact.Kind == engine.TransferOut {
		c := *fact.Transfer
		c.Other, c.Lots = f.Member, d.Moved
		in.Transfer = &c
	} else {
		in.Kind = engine.MergeIn
		in.Merge = &engine.Merge{Other: f.Member, Carried: d.Carried, Circular: circular, Reason: fact.Merge.Reason}
	}
	second, err := w.decide(g, p, in)
	if err == nil {
		err = w.catchUp(g, p, in.OccurredAt)
	}
	if err != nil {
		undo()
		if f != g {
			undoOther()
		}
		return nil, err
	}
	r.Other = &engine.Past{Fact: in, Decision: second}
	if fact.Kind == engine.MergeOut {
		w.u.merges = append(w.u.merges, merge{t, f.Ref, g.Ref})
	}
	return r, nil
}

// notReversed refuses a second reversal of a transfer. Reversals stand in the books of the one who received.
func (w *walk) notReversed(f *books.Folio, transfer string) error {
	line, err := lineOf(w.u.sheet, w.t.ref)
	if err != nil {
		return err
	}
	known, err := books.About(w.ctx, w.u.tx, line, transfer)
	if err != nil {
		return err
	}
	for _, e := range append(known, f.About(transfer)...) {
		if e.Fact.Kind == engine.TransferOut {
			return errs.Conflict("transfer_reversed", "This transfer was reversed already.").With("fact", e.Fact.ID)
		}
	}
	return nil
}
