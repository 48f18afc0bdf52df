package record

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"time"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/member"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/reward"
)

// SimOptions are choices of Simulate.
type SimOptions struct {
	// Draft decides everything instead of the published versions.
	Draft *program.Compiled
}

// Simulate decides facts one after another as Record would, at any business time, and leaves no trace. A later fact sees
// what the earlier ones led to.
func (r *Recorder) Simulate(ctx context.Context, id string, reqs []Request, opts SimOptions) ([]Outcome, error) {
	tasks := make([]*task, 0, len(reqs))
	all := make([]*task, len(reqs))
	for i, req := range reqs {
		req.Program = id
		all[i] = newTask(req, true)
		if all[i].err == nil {
			tasks = append(tasks, all[i])
		}
	}
	if opts.Draft == nil {
		if err := r.acting(ctx, tasks); err != nil {
			return nil, err
		}
	}
	switch {
	case len(tasks) == 0:
	case len(tasks) > fewFacts: // others would wait for it
		if err := r.read(ctx, tasks, opts.Draft); err != nil {
			return nil, err
		}
	default:
		if _, err := r.reader().submit(ctx, &task{trial: &trial{tasks, opts.Draft}}); err != nil {
			return nil, err
		}
	}
	out := make([]Outcome, len(all))
	for i, t := range all {
		out[i] = Outcome{t.result, t.err}
	}
	return out, nil
}

// fewFacts is how many facts a simulation may have that goes together with others.
const fewFacts = 10

// trial is a simulation: tasks that see each other and nobody else.
type trial struct {
	tasks []*task
	draft *program.Compiled
}

// reader gives one of those who look, by turns.
func (r *Recorder) reader() *writer { return r.readers[int(r.turn.Add(1))%len(r.readers)] }

func (r *Recorder) read(ctx context.Context, tasks []*task, draft *program.Compiled) error {
	if len(tasks) == 0 {
		return nil
	}
	return r.db.Read(ctx, func(tx *db.Tx) error { return r.newTrial(tx, tasks, draft).run(ctx) })
}

// View gives a member's account as it stands now, with the version in force: brought up to now without writing. A merged
// member's is that of the survivor. Lots are not loaded: see ViewLots.
func (r *Recorder) View(ctx context.Context, id, member string, now time.Time) (*engine.Account, *program.Compiled, error) {
	return r.view(ctx, id, member, now, nil)
}

// ViewLots is View with all open lots.
func (r *Recorder) ViewLots(ctx context.Context, id, member string, now time.Time) (*engine.Account, *program.Compiled, error) {
	return r.view(ctx, id, member, now, func(*program.Compiled, *books.Folio) engine.Needs { return engine.Needs{Lots: true} })
}

// Viewed is an account as it stands, or why it cannot be looked at.
type Viewed struct {
	Account *engine.Account
	Err     error
}

// ViewCards is ViewCard of many in one read, in their order. The error is one of the whole.
func (r *Recorder) ViewCards(ctx context.Context, id string, cards []string, now time.Time) ([]Viewed, error) {
	tasks := make([]*task, 0, len(cards))
	for _, card := range cards {
		t := lookAt(id, card, now)
		t.needs = withLots
		tasks = append(tasks, t)
	}
	if err := r.read(ctx, tasks, nil); err != nil {
		return nil, err
	}
	out := make([]Viewed, len(tasks))
	for i, t := range tasks {
		if out[i].Err = t.err; t.err == nil {
			out[i].Account = t.result.Account
		}
	}
	return out, nil
}

// ViewHouse gives the account of a household or an organization as it stands now, with the version in force, and those of a household's people with
// their open lots, in the order in which it lists them: all in one snapshot, so that nobody comes, goes or spends between the one and the other. The
// errors are those of View.
func (r *Recorder) ViewHouse(ctx context.Context, id, house string, now time.Time) (*engine.Account, []*engine.Account, *program.Compiled, error) {
	var home *task
	var people []*task
	err := r.db.Read(ctx, func(tx *db.Tx) error {
		home, people = lookAt(id, house, now), nil
		home.needs = progress(now)
		if err := r.newTrial(tx, []*task{home}, nil).run(ctx); err != nil || home.err != nil || home.result.Account.State.Kind != engine.Household {
			return err
		}
		for _, p := range home.result.Account.State.People() {
			t := lookAt(id, p.Member, now)
			t.needs = withLots
			people = append(people, t)
		}
		if len(people) == 0 {
			return nil
		}
		return r.newTrial(tx, people, nil).run(ctx)
	})
	if err == nil {
		err = home.err
	}
	if err != nil {
		return nil, nil, nil, err
	}
	out := make([]*engine.Account, len(people))
	for i, t := range people {
		if t.err != nil {
			return nil, nil, nil, t.err
		}
		out[i] = t.result.Account
	}
	return home.result.Account, out, home.result.Program, nil
}

// ViewProgress is ViewLots with all that is counted towards tiers, challenges, rewards and limits.
func (r *Recorder) ViewProgress(ctx context.Context, id, member string, now time.Time) (*engine.Account, *program.Compiled, error) {
	return r.view(ctx, id, member, now, progress(now))
}

func progress(now time.Time) func(*program.Compiled, *books.Folio) engine.Needs {
	return func(p *program.Compiled, f *books.Folio) engine.Needs { return engine.OfferNeeds(p, &f.State, now) }
}

// Offers says of every reward whether the member can have it now.
func (r *Recorder) Offers(ctx context.Context, id, member string, now time.Time) ([]engine.Offer, *engine.Account, *program.Compiled, error) {
	return r.offers(ctx, id, member, "", now)
}

// offers are those in the books of an account, for who acts for it; by is empty for one's own.
func (r *Recorder) offers(ctx context.Context, id, account, by string, now time.Time) ([]engine.Offer, *engine.Account, *program.Compiled, error) {
	acc, p, err := r.ViewProgress(ctx, id, account, now)
	if err != nil {
		return nil, nil, nil, err
	}
	stocked, err := r.stocked(ctx, p, now)
	if err != nil {
		return nil, nil, nil, err
	}
	return engine.OffersFor(p, acc, by, stocked, now), acc, p, nil
}

// stocked looks which of the pools of a program have a code.
func (r *Recorder) stocked(ctx context.Context, p *program.Compiled, now time.Time) (out map[string]bool, err error) {
	pools := engine.PoolsOf(p)
	if len(pools) == 0 {
		return nil, nil //nolint:nilnil // there is nothing to look at
	}
	err = r.db.Read(ctx, func(tx *db.Tx) (err error) {
		out, err = reward.Stocked(ctx, tx, p.Doc.Program, pools, now)
		return err
	})
	return out, err
}

// Catalogue is Offers in the books that a redemption of the member would go to: those of the organization for which the member acts, unless
// own is asked for.
func (r *Recorder) Catalogue(ctx context.Context, id, member string, own bool, now time.Time) ([]engine.Offer, *engine.Account, *program.Compiled, error) {
	acc, p, err := r.View(ctx, id, member, now)
	if err != nil {
		return nil, nil, nil, err
	}
	_, house := engine.Acting(&acc.State, engine.Fact{Kind: engine.Redeem, OccurredAt: now, Redemption: &engine.Redemption{Own: own}}, acc.Member)
	if house == "" || p.Doc.Organizations == nil {
		return r.Offers(ctx, id, acc.Member, now)
	}
	return r.offers(ctx, id, house, acc.Member, now)
}

// Benefits says of every benefit, or of the one that is named, whether the member may have it now, and at what value. opens, for
// what comes ahead of others, is when it opens for everybody; nil where nothing was asked.
func (r *Recorder) Benefits(ctx context.Context, id, member, benefit string, opens *time.Time, now time.Time) ([]engine.Standing, *engine.Account, *program.Compiled, error) {
	acc, p, err := r.view(ctx, id, member, now, func(p *program.Compiled, f *books.Folio) engine.Needs {
		return engine.BenefitNeeds(p, &f.State, benefit, now)
	})
	if err != nil {
		return nil, nil, nil, err
	}
	return engine.Benefits(p, acc, benefit, now, opens), acc, p, nil
}

// MaxForecast is how many years ahead a forecast may look.
const MaxForecast = 5

// Forecast tells what a member will have at a moment if nothing happens but time: it decides what time will bring as it will be decided,
// also by versions that are yet to come into force, and keeps nothing. The errors are those of View; invalid "out_of_range".
func (r *Recorder) Forecast(ctx context.Context, id, member string, now, until time.Time) (engine.Outlook, *engine.Account, *program.Compiled, error) {
	if until.Before(now) || until.After(now.AddDate(MaxForecast, 0, 1)) {
		return engine.Outlook{}, nil, nil, errs.Invalid("out_of_range", "A forecast looks from now to five years ahead.",
			errs.Field{Pointer: "/until", Reason: "out_of_range", Message: "must be later than now, and at most five years from now"})
	}
	t := lookAtMember(id, member, until)
	if t.err != nil {
		return engine.Outlook{}, nil, nil, t.err
	}
	res, err := r.reader().submit(ctx, t)
	if err != nil {
		return engine.Outlook{}, nil, nil, err
	}
	return engine.OutlookOf(&res.Account.State, res.Dues, now), res.Account, res.Program, nil
}

// Targets tells how far a member is in the periods for which rules give a part of what is bought.
func (r *Recorder) Targets(ctx context.Context, id, member string, now time.Time) ([]engine.Target, *engine.Account, *program.Compiled, error) {
	acc, p, err := r.view(ctx, id, member, now, func(p *program.Compiled, _ *books.Folio) engine.Needs { return engine.TargetNeeds(p, now) })
	if err != nil {
		return nil, nil, nil, err
	}
	out, err := engine.Targets(p, acc, now)
	return out, acc, p, err
}

// ViewCard is ViewLots of an account that is no member's, such as a gift card: by its id alone. The others find members only, so that who
// may read members does not see what cards hold.
func (r *Recorder) ViewCard(ctx context.Context, id, card string, now time.Time) (*engine.Account, *program.Compiled, error) {
	return r.seen(ctx, lookAt(id, card, now), withLots)
}

// Coupon gives an account as it stands, with what must be known to use a coupon: a member by whatever says who it is, or the account of a code.
func (r *Recorder) Coupon(ctx context.Context, id, account, coupon string, now time.Time) (*engine.Account, *program.Compiled, error) {
	return r.seen(ctx, lookAt(id, account, now), func(p *program.Compiled, f *books.Folio) engine.Needs {
		return engine.CouponNeeds(p, &f.State, coupon, now)
	})
}

func withLots(*program.Compiled, *books.Folio) engine.Needs { return engine.Needs{Lots: true} }

func (r *Recorder) view(ctx context.Context, id, member string, now time.Time, needs func(*program.Compiled, *books.Folio) engine.Needs) (*engine.Account, *program.Compiled, error) {
	return r.seen(ctx, lookAtMember(id, member, now), needs)
}

func (r *Recorder) seen(ctx context.Context, t *task, needs func(*program.Compiled, *books.Folio) engine.Needs) (*engine.Account, *program.Compiled, error) {
	t.needs = needs
	if t.err != nil {
		return nil, nil, t.err
	}
	res, err := r.reader().submit(ctx, t)
	if err != nil {
		return nil, nil, err
	}
	return res.Account, res.Program, nil
}

// longestLook bounds a reading transaction that several wait for: each of them has less time than this.
const longestLook = time.Minute

// lookAll serves those who wait to see accounts as they are now and those who try what would happen, all in one snapshot.
// Looks go together; each trial goes beside them, with what it reads gathered with what the others read.
func (r *Recorder) lookAll(ctx context.Context, tasks []*task) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), longestLook) // also after Close
	defer cancel()
	err := r.db.Read(ctx, func(tx *db.Tx) (err error) {
		defer caught(&err)
		return r.together(ctx, tx, tasks)
	})
	if err == nil {
		return
	}
	if len(tasks) > 1 && errs.CodeOf(err) == errs.CodeInternal {
		for _, t := range tasks { // one's fault is not that of the others
			r.lookAll(ctx, []*task{t})
		}
		return
	}
	for _, t := range tasks {
		t.lose(err)
	}
}

// abreast runs what each does with the transaction side by side: wherever one wants to find something it waits until all
// others do or are done, and then all is found together.
func abreast(ctx context.Context, tx *db.Tx, runs []func(*db.Tx) error) error {
	if len(runs) == 1 {
		return runs[0](tx)
	}
	type walker struct {
		next func() ([]db.Ask, bool)
		stop func()
	}
	if err := tx.Begin(ctx); err != nil {
		return err
	}
	var found error
	failed := make([]error, len(runs))
	walkers := make([]walker, len(runs))
	for i, run := range runs {
		next, stop := iter.Pull(func(yield func([]db.Ask) bool) {
			failed[i] = run(tx.Aside(func(_ context.Context, asks []db.Ask) error {
				if !yield(asks) {
					return errStopped
				}
				return found
			}))
		})
		walkers[i] = walker{next, stop}
	}
	defer func() {
		for _, w := range walkers {
			w.stop()
		}
	}()
	for walking := walkers; len(walking) > 0; {
		var asks []db.Ask
		var still []walker
		for _, w := range walking {
			if wanted, more := w.next(); more {
				asks, still = append(asks, wanted...), append(still, w)
			}
		}
		walking = still
		found = tx.Find(ctx, asks...)
	}
	return errors.Join(failed...)
}

// lookAt looks at an account by its id, whatever kind of holder it is.
func lookAt(id, account string, now time.Time) *task {
	req := Request{Program: id, Fact: engine.Fact{Kind: look}, Now: now, Actor: System}
	req.Name(account)
	return newTask(req, false)
}

// lookAtMember looks at a member, by whatever says who it is.
func lookAtMember(id, member string, now time.Time) *task {
	return newTask(Request{Program: id, Member: member, Fact: engine.Fact{Kind: look}, Now: now, Actor: System}, false)
}

// BringUp decides and writes the due facts of the accounts up to now, in one transaction, and says how many there were. It
// may run on several nodes at once: who comes second finds nothing to do. The accounts that could not be brought up are
// left as they were, and told in the error.
func (r *Recorder) BringUp(ctx context.Context, refs []books.Ref, now time.Time) (int, error) {
	tasks := make([]*task, len(refs))
	for i, ref := range refs {
		tasks[i] = lookAt(ref.Program, ref.Member, now)
		tasks[i].sweeps = true
	}
	r.commitAll(ctx, tasks)
	return dues(tasks)
}

// Replan has the versions in force plan for the accounts where they plan otherwise than those before them, and brings the
// accounts up to now. An account for which nothing changes is only read. What it gives is as for BringUp.
func (r *Recorder) Replan(ctx context.Context, refs []books.Ref, now time.Time) (int, error) {
	tasks := make([]*task, len(refs))
	for i, ref := range refs {
		tasks[i] = lookAt(ref.Program, ref.Member, now)
		tasks[i].replan = true
	}
	if err := r.read(ctx, tasks, nil); err != nil {
		return 0, err
	}
	told, err := r.tellBirthdays(ctx, tasks, now)
	if err != nil {
		return told, err
	}
	changed := tasks[:0]
	for _, t := range tasks {
		if t.err != nil || len(t.result.Dues) > 0 {
			changed = append(changed, lookAt(t.req.Program, t.lane(), now))
			changed[len(changed)-1].replan = true
		}
	}
	r.commitAll(ctx, changed)
	n, err := dues(changed)
	return n + told, err
}

// tellBirthdays records the birthdays of members who enrolled before there were rules on them, where a version has brought some.
func (r *Recorder) tellBirthdays(ctx context.Context, looked []*task, now time.Time) (int, error) {
	unknown := map[string][]string{}
	for _, t := range looked {
		onBirthday := func(m *program.CompiledMoment) bool { return m.Kind == program.Birthday }
		if t.err == nil && t.result.Account.State.Birthday == "" && engine.Replans(&t.result.Account.State) && slices.ContainsFunc(t.result.Program.Moments, onBirthday) {
			unknown[t.req.Program] = append(unknown[t.req.Program], t.result.Account.Member)
		}
	}
	told := 0
	for _, id := range slices.Sorted(maps.Keys(unknown)) {
		var profiles map[string]member.Profile
		err := r.db.Read(ctx, func(tx *db.Tx) (err error) {
			profiles, err = member.Profiles(ctx, tx, id, unknown[id])
			return err
		})
		if err != nil {
			return told, err
		}
		maps.DeleteFunc(profiles, func(_ string, f member.Profile) bool { return f.Birth == "" })
		reqs := make([]Request, 0, len(profiles))
		for _, m := range slices.Sorted(maps.Keys(profiles)) {
			reqs = append(reqs, Request{Program: id, Member: m, Fact: engine.Fact{Kind: engine.ProfileK}, Patch: &member.Patch{}, Now: now, Actor: System})
		}
		for _, o := range r.Batch(ctx, reqs) {
			if o.Err != nil {
				return told, o.Err
			}
			told++
		}
	}
	return told, nil
}

// dues counts what was written for looks.
func dues(tasks []*task) (int, error) {
	n := 0
	var failed []error
	for _, t := range tasks {
		switch {
		case t.lost != nil:
			return 0, t.lost
		case t.err != nil:
			failed = append(failed, t.err)
		default:
			n += len(t.result.Dues)
		}
	}
	return n, errors.Join(failed...)
}
