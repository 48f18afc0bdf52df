package record

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/code"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/member"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/version"
)

// unit is one transaction's work: tasks that go their roads side by side, so that what they need is read together.
//
// Tasks that touch the same account or carry the same key go one after another, in the order in which they came.
type unit struct {
	tx       *db.Tx
	versions *version.Cache
	tasks    []*task
	// simulated says that nothing is written; draft, then, decides instead of the published versions.
	simulated bool
	draft     *program.Compiled

	// scout, of the same transaction, has found what the tasks name; nil for none.
	scout *unit

	sheet    *books.Sheet
	programs map[string]programs
	members  map[string]map[string]member.Resolved // by program and reference, as far as they were found beforehand
	answers  map[books.AnswerKey]books.Answer
	receipts map[books.NaturalKey]books.Receipt
	first    map[books.FactOf]books.Entry // what receipts that were found stand for
	// enrolled holds identifiers of members that a simulation enrolled.
	enrolled map[string]string
	merges   []merge
	keys     map[string]*code.Key // of codes, by program
	pooled   []drawnCode          // codes that were taken from pools
	// merged remembers who was merged into whom, over all units: where it is right it saves a second round of locks, and
	// where it is wrong or lacks something nothing is lost.
	merged *merges
	// names remembers whom references named, for a guess.
	names *merges
}

// programs are the versions of a program.
type programs interface {
	At(t time.Time) *program.Compiled
	Latest() *program.Compiled
	Replan(after, until time.Time) (time.Time, bool)
	Version(n int64) *program.Compiled
}

// draft is a program that is always in force.
type draft struct{ p *program.Compiled }

func (d draft) At(time.Time) *program.Compiled                        { return d.p }
func (d draft) Latest() *program.Compiled                             { return d.p }
func (d draft) Version(int64) *program.Compiled                       { return d.p }
func (d draft) Replan(time.Time, time.Time) (at time.Time, some bool) { return time.Time{}, false }

// merge is a merge whose facts were decided and whose profiles wait for the end.
type merge struct {
	task     *task
	from, to books.Ref
}

func (r *Recorder) newUnit(tx *db.Tx, tasks []*task) *unit {
	for _, t := range tasks {
		t.reset()
	}
	return &unit{tx: tx, versions: r.versions, merged: &r.merged, names: &r.names, tasks: tasks, sheet: books.NewSheet(), programs: map[string]programs{},
		first: map[books.FactOf]books.Entry{}, enrolled: map[string]string{}}
}

// newTrial makes a unit that leaves no trace.
func (r *Recorder) newTrial(tx *db.Tx, tasks []*task, draft *program.Compiled) *unit {
	u := r.newUnit(tx, tasks)
	u.sheet, u.simulated, u.draft = books.ReadSheet(), true, draft
	return u
}

// run takes the tasks down their roads and writes what came of it. An error fails the transaction.
func (u *unit) run(ctx context.Context) error {
	defer u.stop()
	if err := u.prepare(ctx); err != nil {
		return err
	}
	for {
		if err := u.start(ctx, u.pick()); err != nil {
			return err
		}
		deciding, open, err := u.step()
		if err != nil {
			return err
		}
		if open == 0 {
			break
		}
		if err := u.sheet.Fetch(ctx, u.tx, deciding); err != nil {
			return err
		}
	}
	if u.simulated {
		return nil
	}
	if err := u.giveUp(ctx); err != nil {
		return err
	}
	if err := u.putBack(ctx); err != nil {
		return err
	}
	if err := u.order(); err != nil {
		return err
	}
	if err := u.keepCodes(ctx); err != nil {
		return err
	}
	if err := u.beside(ctx); err != nil {
		return err
	}
	if err := u.sheet.Write(ctx, u.tx); err != nil {
		return err
	}
	return u.repoint(ctx)
}

func (u *unit) stop() {
	for _, t := range u.tasks {
		if t.stop != nil {
			t.stop()
		}
	}
}

// open lists the tasks that have no outcome yet.
func (u *unit) open() []*task {
	var out []*task
	for _, t := range u.tasks {
		if t.state != done {
			out = append(out, t)
		}
	}
	return out
}

// prepare reads, for all tasks together, what does not depend on what they decide.
func (u *unit) prepare(ctx context.Context) error {
	find := u.find
	if u.tasks[0].hold != nil {
		find = u.findHeld
	}
	if err := find(ctx); err != nil {
		return err
	}
	open := u.open()
	u.keepPace(open)
	return u.lockCounters(ctx, open)
}

// find finds what the tasks name, and opens their accounts.
func (u *unit) find(ctx context.Context) error {
	if err := u.ask(ctx); err != nil {
		return err
	}
	open := u.open()
	if err := u.resolve(ctx, open); err != nil {
		return err
	}
	if err := u.guessPools(ctx, open); err != nil {
		return err
	}
	if err := u.openAccounts(ctx, open); err != nil {
		return err
	}
	_, err := u.openPools(ctx, open)
	return err
}

// pace is how far apart two nodes can be: each off by Ahead, and a request a minute on its way.
const pace = 2*Ahead + time.Minute

// keepPace has what happens now happen no earlier than the last that the member's account knows, where that came from a node whose clock is a
// little ahead: else what was acknowledged there could not be spent here until this clock has come as far.
func (u *unit) keepPace(tasks []*task) {
	for _, t := range tasks {
		f := u.sheet.Folio(u.survivor(t.ref))
		if f == nil || t.state == done || t.fact.Kind == look || !t.req.Fact.OccurredAt.IsZero() {
			continue
		}
		if at := f.State.At; at.After(t.fact.OccurredAt) && !at.After(t.fact.OccurredAt.Add(pace)) {
			t.fact.OccurredAt = at
		}
	}
}

// lockCounters takes the counters of whole programs that the facts will want, all in one order: those of their rules and
// rewards, those of what time brings before them, those that handing over what was won takes, and those that a reservation gives
// back as it ends.
func (u *unit) lockCounters(ctx context.Context, tasks []*task) error {
	if u.simulated {
		return nil
	}
	var wanted []books.Deciding
	for _, t := range tasks {
		f := u.sheet.Folio(u.survivor(t.ref))
		if t.state == done || f == nil || f.State.Seq == 0 {
			continue
		}
		if p := u.programs[t.req.Program].At(t.fact.OccurredAt); p != nil && t.fact.Kind != look {
			wanted = append(wanted, books.Deciding{Folio: f, Needs: engine.NeedsOf(p, &f.State, t.fact)})
			wanted = append(wanted, u.lendersWant(t, f, p)...)
		}
		if p := u.programs[t.req.Program].At(t.fact.OccurredAt); p != nil && len(f.State.Grants) > 0 {
			wanted = append(wanted, books.Deciding{Folio: f, Needs: engine.Needs{Tallies: engine.HandOverTallies(p, &f.State, t.fact.OccurredAt)}})
		}
		if n := engine.BudgetsUntil(u.programs[t.req.Program], &f.State, t.fact.OccurredAt); len(n) > 0 {
			wanted = append(wanted, books.Deciding{Folio: f, Needs: engine.Needs{Tallies: n}})
		}
		for _, h := range f.State.Holds {
			if h.ID != t.fact.Parent && (h.ExpiresAt == nil || h.ExpiresAt.After(t.fact.OccurredAt)) {
				continue
			}
			n := engine.Needs{}
			for _, c := range h.Counters {
				n.Tallies = append(n.Tallies, engine.TallyRange{Name: c.Name, From: c.Period, To: c.Period})
			}
			wanted = append(wanted, books.Deciding{Folio: f, Needs: n})
		}
	}
	return u.sheet.LockCounters(ctx, u.tx, wanted)
}

// ask reads in one go what the requests name: the versions of their programs, their keys, and their members, these by the
// versions as they were last seen.
func (u *unit) ask(ctx context.Context) error {
	if u.scout != nil {
		u.follow()
		return nil
	}
	var (
		ids      []string
		guesses  []books.Ref
		answers  []books.AnswerKey
		naturals []books.NaturalKey
		refs     = map[string][]string{}
	)
	for _, t := range u.open() {
		id := t.req.Program
		if refs[id] == nil {
			ids, refs[id] = append(ids, id), []string{}
		}
		if t.req.Member != "" {
			refs[id] = append(refs[id], t.req.Member)
			if u.simulated {
				guesses = u.guess(guesses, books.Ref{Program: id, Member: t.req.Member})
			}
		}
		if t.req.Key != nil && !u.simulated {
			answers = append(answers, t.answerKey())
		}
		if t.natural {
			naturals = append(naturals, t.naturalKey())
		}
		for i := range t.req.Then {
			naturals = append(naturals, t.req.Then[i].key(id))
		}
	}
	u.answers, u.receipts = map[books.AnswerKey]books.Answer{}, map[books.NaturalKey]books.Receipt{}
	asks := []db.Ask{books.AskAnswers(answers, u.answers), books.AskReceipts(naturals, u.receipts)}
	if len(guesses) > 0 {
		asks = append(asks, u.sheet.AskOpen(guesses))
	}
	guessed := map[string]programs{}
	u.members = map[string]map[string]member.Resolved{}
	var found []func()
	for _, id := range ids {
		var by programs
		if u.draft != nil {
			by = draft{u.draft}
		} else if known := u.versions.Known(id); known != nil {
			by = known
		} else {
			continue
		}
		guessed[id] = by
		ask, list := member.AskMembers(by.Latest(), refs[id])
		asks = append(asks, ask)
		found = append(found, func() {
			u.members[id] = make(map[string]member.Resolved, len(list))
			for i, ref := range refs[id] {
				u.members[id][ref] = list[i]
			}
		})
	}
	if u.draft != nil {
		if err := u.tx.Find(ctx, asks...); err != nil {
			return err
		}
		u.programs = guessed
	} else {
		sets, err := u.versions.Find(ctx, u.tx, ids, asks...)
		if err != nil {
			return err
		}
		for id, set := range sets {
			u.programs[id] = set
		}
	}
	for _, take := range found {
		take()
	}
	for id, by := range guessed {
		if u.programs[id] != by {
			delete(u.members, id) // a new version may name members otherwise
		}
	}
	u.noProgram()
	var facts []books.FactOf
	for _, r := range u.receipts {
		facts = append(facts, books.FactOf{Program: r.Program, ID: r.Fact})
	}
	var err error
	u.first, err = books.Entries(ctx, u.tx, facts)
	if err != nil || !u.tx.Distributed() {
		return err
	}
	return u.followClaims(ctx)
}

// guess adds the account that a reference named when it was last looked up, or names by its id.
func (u *unit) guess(list []books.Ref, ref books.Ref) []books.Ref {
	if ids.Check(member.IDPrefix, ref.Member) == nil {
		return append(list, ref)
	}
	if known, some := u.names.find(ref); some {
		return append(list, known)
	}
	return list
}

// noProgram refuses the tasks of programs that are not there.
func (u *unit) noProgram() {
	for _, t := range u.open() {
		if u.programs[t.req.Program] == nil {
			t.fail(version.NoProgram(t.req.Program))
		}
	}
}

// resolveAll finds members by what the requests call them.
func (u *unit) resolveAll(ctx context.Context, program string, refs []string) ([]member.Resolved, error) {
	out := make([]member.Resolved, len(refs))
	for i, ref := range refs {
		known, ok := u.members[program][ref]
		if !ok || known.ID == "" { // it may have been enrolled meanwhile, in this very unit
			return member.ResolveAll(ctx, u.tx, u.programs[program].Latest(), refs)
		}
		out[i] = known
	}
	return out, nil
}

// resolve finds the members that the tasks name, directly or by a fact, and the facts they name by natural key. A task whose
// member or fact is not there stays unresolved: an earlier task of this unit may bring it.
func (u *unit) resolve(ctx context.Context, tasks []*task) error {
	if err := u.resolveFacts(ctx, tasks); err != nil {
		return err
	}
	if err := u.resolveReversals(ctx, tasks); err != nil {
		return err
	}
	return u.resolveMembers(ctx, tasks)
}

func (u *unit) resolveFacts(ctx context.Context, tasks []*task) error {
	var keys []books.NaturalKey
	var owners []books.FactOf
	for _, t := range tasks {
		f := &t.fact
		if f.Kind == engine.ActivityK && f.Activity.Confirms != "" && f.Parent == "" {
			f.Parent = f.Activity.Confirms
		}
		switch {
		case f.Parent == "" || t.state == done:
		case !isID(f.Parent):
			if key, ok := splitKey(t.req.Program, f.Parent); ok {
				keys = append(keys, key)
			}
		case t.req.Member == "" && t.req.Holder == "" || t.spans:
			owners = append(owners, books.FactOf{Program: t.req.Program, ID: f.Parent})
		}
	}
	found, err := books.Receipts(ctx, u.tx, keys)
	if err != nil {
		return err
	}
	members, err := books.Owners(ctx, u.tx, owners)
	if err != nil {
		return err
	}
	for _, t := range tasks {
		f := &t.fact
		if f.Parent == "" || t.state == done {
			continue
		}
		if key, ok := splitKey(t.req.Program, f.Parent); ok && !isID(f.Parent) {
			r, here := u.receipts[key]
			if !here {
				r, here = found[key]
			}
			if here {
				f.Parent = r.Fact
				members[books.FactOf{Program: t.req.Program, ID: r.Fact}] = r.Member
			}
		}
		t.byHouse(members[books.FactOf{Program: t.req.Program, ID: f.Parent}])
		if t.req.Member == "" && t.req.Holder == "" {
			t.ref = books.Ref{Program: t.req.Program, Member: members[books.FactOf{Program: t.req.Program, ID: f.Parent}]}
		}
	}
	return nil
}

func splitKey(program, ref string) (books.NaturalKey, bool) {
	source, external, ok := strings.Cut(ref, "/")
	return books.NaturalKey{Program: program, Source: source, ExternalID: external}, ok && source != "" && external != ""
}

// resolveReversals makes the reversal of a transfer say who gives back what to whom: what the transfer says.
func (u *unit) resolveReversals(ctx context.Context, tasks []*task) error {
	var wanted []books.FactOf
	for _, t := range tasks {
		if t.state != done && t.fact.Kind == engine.TransferOut && t.req.Fact.Transfer.Reverses != "" {
			wanted = append(wanted, books.FactOf{Program: t.req.Program, ID: t.req.Fact.Transfer.Reverses})
		}
	}
	found, err := books.Entries(ctx, u.tx, wanted)
	if err != nil {
		return err
	}
	for _, t := range tasks {
		if t.state == done || t.fact.Kind != engine.TransferOut || t.req.Fact.Transfer.Reverses == "" {
			continue
		}
		e, ok := found[books.FactOf{Program: t.req.Program, ID: t.req.Fact.Transfer.Reverses}]
		if !ok || e.Fact.Kind != engine.TransferOut || e.Fact.Transfer.Reverses != "" {
			t.fail(errs.NotFound("transfer_not_found", "There is no such transfer."))
			continue
		}
		c := *t.req.Fact.Transfer
		c.Unit, c.Amount, c.Other = e.Fact.Transfer.Unit, e.Fact.Transfer.Amount, e.Fact.Member
		t.fact.Transfer, t.fact.Parent = &c, e.Fact.ID
		t.ref = books.Ref{Program: t.req.Program, Member: e.Fact.Transfer.Other}
	}
	return nil
}

func (u *unit) resolveMembers(ctx context.Context, tasks []*task) error {
	type ask struct {
		t    *task
		text string
		into *books.Ref
	}
	byProgram := map[string][]ask{}
	for _, t := range tasks {
		if t.state == done {
			continue
		}
		if t.req.Holder != "" {
			t.ref = books.Ref{Program: t.req.Program, Member: t.req.Holder}
		}
		if text := t.req.Member; text != "" && t.ref.Member == "" {
			byProgram[t.req.Program] = append(byProgram[t.req.Program], ask{t, text, &t.ref})
		}
		if text := otherOf(t.fact); text != "" {
			byProgram[t.req.Program] = append(byProgram[t.req.Program], ask{t, text, &t.other})
		}
		if t.fact.Kind == engine.InvitedK && !u.simulated { // held, so that the two cannot each say it of the other at once
			byProgram[t.req.Program] = append(byProgram[t.req.Program], ask{t, t.req.Fact.Invited.By, &t.by})
		}
	}
	for id, asks := range byProgram {
		texts := make([]string, len(asks))
		for i, a := range asks {
			texts[i] = a.text
		}
		found, err := u.resolveAll(ctx, id, texts)
		if err != nil {
			return err
		}
		for i, a := range asks {
			name, why := found[i].ID, found[i].Err
			if isHouse(name) && a.into != &a.t.ref { // found by an identifier: what happens between people does not happen to it
				name, why = "", errs.NotFound("member_not_found", "There is no such member.")
			}
			if name == "" {
				name = u.enrolled[a.text]
			}
			switch {
			case a.into == &a.t.by && name == "": // invite says what is wrong with it
			case name == "" && !errs.Is(why, errs.CodeNotFound, ""):
				a.t.fail(why)
			default:
				*a.into = books.Ref{Program: id, Member: name}
			}
		}
	}
	for _, t := range tasks {
		t.ready = t.state != done && t.resolved()
	}
	return nil
}

// otherOf is the second member of a fact.
func otherOf(f engine.Fact) string {
	switch f.Kind {
	case engine.TransferOut:
		return f.Transfer.Other
	case engine.MergeOut:
		return f.Merge.Other
	case engine.HouseK, engine.Enrolment:
		if f.House != nil && f.House.TwoSided() {
			return f.House.Member
		}
	}
	return ""
}

// resolved says whether all that the task names was found.
func (t *task) resolved() bool {
	named := t.req.Member != "" || t.fact.Parent != "" && t.fact.Kind != engine.Enrolment
	switch {
	case named && t.ref.Member == "":
		return false
	case otherOf(t.fact) != "" && t.other.Member == "":
		return false
	}
	return t.fact.Parent == "" || isID(t.fact.Parent)
}

// unresolved says what was not found.
func (t *task) unresolved() error {
	switch {
	case t.fact.Parent != "" && (!isID(t.fact.Parent) || t.req.Member == "" && t.req.Holder == ""):
		switch t.fact.Kind {
		case engine.ReturnK:
			return errs.NotFound("purchase_not_found", "There is no such purchase.")
		case engine.VoucherK:
			return errs.NotFound("voucher_not_found", "There is no such voucher.")
		case engine.Commit, engine.Cancel, engine.Refund, engine.FulfilK:
			return errs.NotFound("redemption_not_found", "There is no such redemption.")
		}
		return errs.NotFound("fact_not_found", "There is no such fact.")
	case t.req.Member != "" && t.ref.Member == "":
		return errs.NotFound("member_not_found", "There is no such member.")
	case otherOf(t.fact) != "" && t.other.Member == "":
		return errs.NotFound("member_not_found", "There is no such other member.").With("other", true)
	}
	return errs.NotFound("member_not_found", "There is no such member.")
}

// openAccounts opens what the tasks touch, all in one order, and the survivors of what was merged.
func (u *unit) openAccounts(ctx context.Context, tasks []*task) error {
	var refs []books.Ref
	for _, t := range tasks {
		if t.state == done {
			continue
		}
		wanted := append([]books.Ref{t.ref, t.other, t.by}, t.others...)
		wanted = append(wanted, t.lenders()...)
		if r, ok := u.receipts[t.naturalKey()]; ok && t.natural {
			wanted = append(wanted, books.Ref{Program: r.Program, Member: r.Member})
		}
		for _, ref := range wanted {
			for n := 0; ref.Member != "" && n < 10; n++ {
				refs = append(refs, ref)
				ref, _ = u.merged.find(ref)
			}
		}
	}
	return u.openAll(ctx, refs)
}

// openAll opens accounts, and the survivors of those that were merged.
func (u *unit) openAll(ctx context.Context, refs []books.Ref) error {
	return openLines(ctx, u.tx, u.sheet, refs, u.merged.remember)
}

// survivor follows merges to the account that stands for ref now.
func (u *unit) survivor(ref books.Ref) books.Ref {
	for range mostMerges {
		f := u.sheet.Folio(ref)
		if f == nil || f.State.MergedInto == "" {
			return ref
		}
		ref.Member = f.State.MergedInto
	}
	return ref
}

// pick says which waiting tasks can go now: those that share nothing with an earlier one that is not done.
func (u *unit) pick() []*task {
	held := map[any]bool{}
	earlier := false
	said, alone := false, false // an earlier one says who invited; one says it of a member who was there before
	var out []*task
	for _, t := range u.tasks {
		if t.state == done {
			continue
		}
		keys := u.holds(t)
		free := t.state == waits && !slices.ContainsFunc(keys, func(k any) bool { return held[k] }) && (t.ready || !earlier)
		if t.invitation() != nil { // else two who name each other would each not see what the other one says
			late := t.fact.Kind == engine.InvitedK
			free = free && !alone && !(late && said)
			said, alone = true, alone || late
		}
		for _, k := range keys {
			held[k] = true
		}
		earlier = true
		if free {
			out = append(out, t)
		}
	}
	return out
}

// holds lists what no two tasks may work on at the same time.
func (u *unit) holds(t *task) []any {
	keys := make([]any, 0, 4)
	for _, ref := range []books.Ref{t.ref, t.other, t.by, t.actor} {
		if ref.Member != "" {
			keys = append(keys, u.survivor(ref))
		}
	}
	for _, ref := range append(t.lenders(), t.others...) {
		keys = append(keys, u.survivor(ref))
	}
	if t.req.Key != nil && !u.simulated {
		keys = append(keys, t.answerKey())
	}
	if t.natural {
		keys = append(keys, t.naturalKey())
	}
	for i := range t.req.Then {
		keys = append(keys, t.req.Then[i].key(t.req.Program))
	}
	return keys
}

// start begins the tasks, or ends those for which there is nothing to decide.
func (u *unit) start(ctx context.Context, tasks []*task) error {
	var fresh, enrol, late []*task
	for _, t := range tasks {
		if t.req.Key != nil && !u.simulated {
			if a, ok := u.answers[t.answerKey()]; ok {
				t.replay(a)
				continue
			}
		}
		if _, known := u.receipts[t.naturalKey()]; known && t.natural {
			if !t.ready && (t.fact.Kind != engine.Enrolment || t.req.Holder != "") { // its member may have been enrolled in this very unit
				late = append(late, t)
			}
			fresh = append(fresh, t)
			continue
		}
		switch {
		case t.fact.Kind == engine.Enrolment && t.req.Holder == "":
			enrol = append(enrol, t)
		case !t.ready:
			late = append(late, t)
		}
		if t.fact.Kind == engine.Enrolment && isHouse(t.req.Holder) { // its owner may be in late
			enrol = append(enrol, t)
		}
		fresh = append(fresh, t)
	}
	if len(late) > 0 {
		if err := u.resolve(ctx, late); err != nil {
			return err
		}
		for _, t := range late {
			if t.state != done && !t.ready {
				t.fail(t.unresolved())
			}
		}
	}
	if err := u.enrol(ctx, enrol); err != nil {
		return err
	}
	if err := u.patch(ctx, fresh); err != nil {
		return err
	}
	if err := u.invite(ctx, fresh); err != nil {
		return err
	}
	if err := u.meet(ctx, fresh); err != nil {
		return err
	}
	if err := u.openAccounts(ctx, fresh); err != nil {
		return err
	}
	changed, err := u.openPools(ctx, fresh)
	if err != nil {
		return err
	}
	for _, t := range fresh {
		if t.state == done || changed[t] { // whom it shares with is known only now: it waits for them
			continue
		}
		w := &walk{u: u, t: t, ctx: ctx}
		if len(u.tasks) == 1 {
			return u.alone(w)
		}
		t.state = runs
		t.next, t.stop = iter.Pull(w.steps)
	}
	return nil
}

// alone takes the only task of the unit to its end. There is nobody to read together with, so that it needs no stack of its own.
func (u *unit) alone(w *walk) error {
	var failed error
	w.steps(func(d books.Deciding) bool {
		failed = u.sheet.Fetch(w.ctx, u.tx, []books.Deciding{d})
		return failed == nil
	})
	if failed == nil && w.t.err != nil && !refused(w.t.err) {
		failed = w.t.err
	}
	w.t.state = done
	return failed
}

// step takes every running task on to where it needs something, and says how many are not done.
func (u *unit) step() (deciding []books.Deciding, open int, err error) {
	for _, t := range u.tasks {
		if t.state == waits {
			open++
		}
		if t.state != runs {
			continue
		}
		d, more := t.next()
		if more {
			deciding = append(deciding, d)
			open++
			continue
		}
		t.stop = nil
		if t.err != nil && !refused(t.err) {
			return nil, 0, t.err
		}
		t.state = done
	}
	return deciding, open, nil
}

// enrol makes the members of enrolments: with their ids the facts can be decided.
func (u *unit) enrol(ctx context.Context, tasks []*task) error {
	if u.simulated {
		return u.tryEnrol(ctx, tasks)
	}
	byProgram := map[string][]*task{}
	var order []string
	for _, t := range tasks {
		if t.state == done {
			continue
		}
		if byProgram[t.req.Program] == nil {
			order = append(order, t.req.Program)
		}
		byProgram[t.req.Program] = append(byProgram[t.req.Program], t)
	}
	for _, id := range order {
		list := byProgram[id]
		in := make([]member.New, len(list))
		now := list[0].req.Now
		for i, t := range list {
			in[i] = t.newcomer()
			if t.req.Now.After(now) {
				now = t.req.Now
			}
		}
		made, err := member.EnrolAll(ctx, u.tx, u.programs[id].Latest(), in, now)
		if err != nil {
			return err
		}
		for i, t := range list {
			if made[i].Err != nil {
				t.fail(made[i].Err)
				continue
			}
			t.is(made[i].Member)
		}
	}
	return nil
}

// newcomer is the profile with which a task enrols a person, or opens a household or an organization.
func (t *task) newcomer() member.New {
	var n member.New
	if t.req.Enrol != nil {
		n = *t.req.Enrol
	}
	n.ID = t.req.Holder
	return n
}

// tryEnrol is enrol without a trace.
func (u *unit) tryEnrol(ctx context.Context, tasks []*task) error {
	for _, t := range tasks {
		if t.state == done {
			continue
		}
		p := u.programs[t.req.Program].Latest()
		n, err := t.newcomer().Normal(p, t.req.Now)
		if err != nil {
			t.fail(err)
			continue
		}
		m := member.Member{ID: cmp.Or(n.ID, ids.New(member.IDPrefix, t.req.Now)), Profile: n.Profile, Identifiers: n.Identifiers, CreatedAt: t.req.Now, UpdatedAt: t.req.Now}
		for _, i := range []member.Identifier{{Kind: member.Email, Value: n.Email}, {Kind: member.Phone, Value: n.Phone}, {Kind: member.Ext, Value: n.ExternalID}} {
			if i.Value != "" && !slices.Contains(m.Identifiers, i) {
				m.Identifiers = append(m.Identifiers, i)
			}
		}
		texts := make([]string, len(m.Identifiers))
		for i := range m.Identifiers {
			texts[i] = m.Identifiers[i].String()
		}
		found, err := member.ResolveAll(ctx, u.tx, p, texts)
		if err != nil {
			return err
		}
		for i := range found {
			if found[i].ID != "" || u.enrolled[texts[i]] != "" {
				t.fail(errs.Conflict("identifier_taken", "Another member has this "+m.Identifiers[i].Kind+"."))
			}
		}
		if t.state == done {
			continue
		}
		for _, text := range texts {
			u.enrolled[text] = m.ID
		}
		t.is(m)
	}
	return nil
}

// patch changes the profiles of the tasks that ask for it; the fact then carries what rules may look at.
func (u *unit) patch(ctx context.Context, tasks []*task) error {
	for _, t := range tasks {
		if t.state == done || t.fact.Kind != engine.ProfileK {
			continue
		}
		if u.simulated {
			t.fail(errs.Invalid("not_simulated", "A change of profile is not simulated: it earns nothing."))
			continue
		}
		id := u.survivor(t.ref).Member
		before, err := member.Get(ctx, u.tx, t.req.Program, id)
		m := before
		if err == nil {
			m, err = member.Update(ctx, u.tx, u.programs[t.req.Program].Latest(), id, *t.req.Patch, t.req.Revision, t.req.Now)
		}
		switch {
		case refused(err):
			t.fail(err)
		case err != nil:
			return err
		case m.Revision == before.Revision && u.knows(t, m): // nothing changed
			t.done(&Result{Fact: t.fact, Member: m})
		default:
			t.enrols = m
			t.fact.Enrolment = &engine.EnrolmentBody{Zone: m.Zone, Language: m.Language, Attributes: m.Attributes, Birthday: engine.Birthday(m.Birth)}
		}
	}
	return nil
}

// knows says whether the account of a task's member has what rules may look at as it stands in the profile: not the birthday of one who
// enrolled before there were rules on it.
func (u *unit) knows(t *task, m member.Member) bool {
	f := u.sheet.Folio(u.survivor(t.ref))
	return f == nil || f.State.Birthday == engine.Birthday(m.Birth)
}

// is makes the task that of the member who was enrolled.
func (t *task) is(m member.Member) {
	t.enrols = m
	t.ref = books.Ref{Program: t.req.Program, Member: m.ID}
	b := engine.EnrolmentBody{}
	if t.req.Fact.Enrolment != nil {
		b = *t.req.Fact.Enrolment
	}
	if b.Zone == "" {
		b.Zone = m.Zone
	}
	if b.Language == "" {
		b.Language = m.Language
	}
	if b.Attributes == nil {
		b.Attributes = m.Attributes
	}
	b.Birthday = engine.Birthday(m.Birth)
	t.fact.Enrolment = &b
}

// beside has the requests write what goes with their facts.
func (u *unit) beside(ctx context.Context) error {
	for _, t := range u.tasks {
		if t.req.Beside == nil || t.err != nil || t.result == nil || !t.result.Recorded {
			continue
		}
		if err := t.req.Beside(ctx, u.tx, t.result); err != nil {
			if refused(err) {
				return &lateRefusal{t, err}
			}
			return err
		}
	}
	return nil
}

// repoint merges the profiles of members whose accounts were merged.
func (u *unit) repoint(ctx context.Context) error {
	for _, m := range u.merges {
		if err := code.Move(ctx, u.tx, m.from.Program, m.from.Member, m.to.Member); err != nil {
			return err
		}
		_, err := member.Repoint(ctx, u.tx, m.from.Program, m.from.Member, m.to.Member, m.task.req.Now)
		if refused(err) {
			return &lateRefusal{m.task, err}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// finish writes the task's keys into the sheet and its answer into the result.
func (u *unit) finish(t *task, r *Result) {
	t.result, r.Codes = r, t.codes
	if u.simulated || t.fact.Kind == look {
		return
	}
	if t.hold != nil && r.Recorded {
		u.first[books.FactOf{Program: t.req.Program, ID: r.Fact.ID}] = books.Entry{Seq: r.Seq, Fact: r.Fact, Decision: r.Decision}
	}
	if t.natural && r.Recorded {
		receipt := books.Receipt{NaturalKey: t.naturalKey(), Member: r.Fact.Member, Fact: r.Fact.ID, Hash: t.hash}
		if t.hold == nil { // else it is written already
			u.sheet.AddReceipt(receipt)
		}
		u.receipts[receipt.NaturalKey] = receipt
		u.first[books.FactOf{Program: receipt.Program, ID: receipt.Fact}] = books.Entry{Seq: r.Seq, Fact: r.Fact, Decision: r.Decision}
	}
	if t.req.Render == nil {
		return
	}
	status, body := t.req.Render(r)
	r.Status, r.Answer = status, body
	if t.req.Key != nil {
		a := books.Answer{AnswerKey: t.answerKey(), Hash: t.keyHash(), Status: status, Body: string(body), At: t.req.Now}
		if t.hold != nil {
			a.Home = t.hold.home
		}
		u.sheet.AddAnswer(a)
		u.answers[a.AnswerKey] = a
	}
	if t.req.Reveal != nil && r.Recorded {
		if shown := t.req.Reveal(r); shown != nil {
			r.Answer = shown
		}
	}
}

var errStopped = errors.New("the unit of work was given up")

func stuck(ref books.Ref) error {
	return errs.Internal("stuck", fmt.Sprintf("The account of %s does not come up to date.", ref.Member))
}
