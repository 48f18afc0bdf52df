package record

import (
	"context"
	"errors"
	"slices"
	"time"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/member"
	"lojal.dev/lojal/internal/version"
)

// In a distributed database a transaction that touches one bucket costs what it costs on one machine, and one that touches two
// costs a commit in two phases on two machines. What is about one member therefore goes in steps of one bucket each: its
// member is found; its natural key and its Idempotency-Key are claimed for an id that its fact will have; the fact is
// decided and written with its answer in the member's bucket. See internal/books/claim.go for why nothing counts twice or is
// lost wherever this stops, and docs/decisions/0008-one-bucket-a-transaction.md for what was weighed. What is about two
// members, or brings one, goes in one transaction as on one machine, whatever that costs.

// hold is a task that has a place: what was found and claimed before its transaction.
type hold struct {
	// home is whose books it goes into.
	home books.Ref
	// fact has its parent by id.
	fact engine.Fact
	// id is what the fact will be called.
	id string
	// key and natural are the claims, each nil when there is none.
	key     *books.Claim
	natural *books.Claim
	// adopted says that one of them stood there before: it may have been fulfilled.
	adopted bool
	// known is a receipt of before a merge, which stands for the same.
	known *books.Receipt
}

// claims lists the ids that must not be void when the fact is written.
func (h *hold) claims(program string) []books.FactOf {
	var out []books.FactOf
	for _, c := range []*books.Claim{h.key, h.natural} {
		if c != nil && !slices.Contains(out, books.FactOf{Program: program, ID: c.Fact}) {
			out = append(out, books.FactOf{Program: program, ID: c.Fact})
		}
	}
	return out
}

// Why a task with a place has to find another one.
var (
	errMoved = errors.New("the member was merged meanwhile")
	errVoid  = errors.New("the claim went to another request")
)

// again says whether a task has to find another place.
func again(err error) bool { return errors.Is(err, errMoved) || errors.Is(err, errVoid) }

// contended is for a request that others with the same keys kept from its turn; each of them got further than it did.
var errContended = errs.Unavailable("contended", "Other requests with the same key are under way: repeat the request with the same key.")

// ofOne are the kinds of facts that are about one member who is there already.
var ofOne = map[engine.Kind]bool{
	engine.PurchaseK: true, engine.ReturnK: true, engine.ActivityK: true, engine.Redeem: true, engine.Reserve: true, engine.Commit: true,
	engine.Cancel: true, engine.Refund: true, engine.AdjustmentK: true, engine.Release: true, engine.TierGrant: true, engine.GrantK: true, engine.Status: true, look: true,
	engine.PartnerK: true, engine.FulfilK: true,
	engine.ThanksK: true, engine.Load: true, engine.VoucherK: true, engine.CouponK: true, engine.ChallengeK: true, engine.PlanK: true, engine.UseK: true,
}

// place finds the members of the tasks. Those that have a home have a hold then; the others are for the wide road.
func (r *Recorder) place(ctx context.Context, tasks []*task) error {
	var asking []*task
	for _, t := range tasks {
		t.reset()
		if t.hold = nil; !t.wide {
			t.hold = t.direct()
		}
		if t.hold == nil {
			asking = append(asking, t)
		}
	}
	if len(asking) > 0 {
		err := r.db.Read(ctx, func(tx *db.Tx) error {
			u := r.newUnit(tx, asking)
			if err := u.findPrograms(ctx); err != nil {
				return err
			}
			return u.resolve(ctx, u.open())
		})
		if err != nil {
			return err
		}
	}
	for _, t := range asking {
		if t.state != done && t.ready && !t.wide && t.ref.Member != "" && ofOne[t.fact.Kind] && len(t.req.Then) == 0 && !t.fact.Pooled() && len(t.fact.CodeHolders()) == 0 {
			t.hold = &hold{home: t.ref, fact: t.fact}
		}
	}
	for _, t := range tasks {
		for n := 0; t.hold != nil && n < 100; n++ {
			next, ok := r.merged.find(t.hold.home)
			if !ok {
				break
			}
			t.hold.home = next
		}
	}
	return nil
}

// direct gives a place to a task that names its member by id, for which nothing has to be read.
func (t *task) direct() *hold {
	f := t.base
	if f.Kind == engine.ActivityK && f.Activity.Confirms != "" && f.Parent == "" {
		f.Parent = f.Activity.Confirms
	}
	if len(t.req.Then) > 0 || f.Pooled() || len(f.CodeHolders()) > 0 || t.spans && f.Parent != "" {
		return nil
	}
	if ofOne[f.Kind] && t.req.Holder != "" && (f.Parent == "" || isID(f.Parent)) {
		return &hold{home: books.Ref{Program: t.req.Program, Member: t.req.Holder}, fact: f}
	}
	if !ofOne[f.Kind] || f.Parent != "" && !isID(f.Parent) || ids.Check(member.IDPrefix, t.req.Member) != nil {
		return nil
	}
	return &hold{home: books.Ref{Program: t.req.Program, Member: t.req.Member}, fact: f}
}

// claim claims the keys of a task that has a place. The task may be done then: answered, or refused.
func (r *Recorder) claim(ctx context.Context, t *task) error {
	h := t.hold
	if t.req.Key == nil && !t.natural {
		return nil
	}
	h.id = ids.NewIn(prefixOf(t.base.Kind), t.base.RecordedAt, h.home.Bucket())
	if t.req.Key != nil {
		if err := r.claimKey(ctx, t); err != nil || t.state == done {
			return err
		}
	}
	if t.natural {
		if err := r.claimNatural(ctx, t); err != nil {
			return err
		}
	}
	if t.err != nil && h.key != nil {
		return r.abandon(ctx, t)
	}
	return nil
}

func (r *Recorder) claimKey(ctx context.Context, t *task) error {
	h, key := t.hold, t.answerKey()
	mine := books.Claim{Member: h.home.Member, Fact: h.id}
	for range conflicts {
		var stands books.Answer
		err := r.db.Write(ctx, func(tx *db.Tx) (err error) {
			stands, err = books.ClaimAnswer(ctx, tx, key, t.keyHash(), mine, t.req.Now)
			return err
		})
		if err != nil {
			return err
		}
		c, open := stands.Claim()
		switch {
		case !open:
			t.replay(stands)
			return nil
		case c == mine:
			h.key = &mine
			return nil
		case stands.Hash == t.keyHash() && c.Member == h.home.Member && !t.void[c.Fact]:
			h.key, h.id, h.adopted = &c, c.Fact, true
			return nil
		}
		answer, taken, err := r.voidKey(ctx, key, c, t.req.Now)
		switch {
		case err != nil:
			return err
		case answer != nil:
			t.replay(*answer)
			return nil
		case taken:
			t.fail(errReused())
			return nil
		}
		var moved bool
		err = r.db.Write(ctx, func(tx *db.Tx) (err error) {
			moved, err = books.MoveAnswer(ctx, tx, key, c, t.keyHash(), mine, t.req.Now)
			return err
		})
		if err != nil {
			return err
		}
		if moved {
			h.key = &mine
			return nil
		}
	}
	return errContended
}

// voidKey sees to it that the fact of another's claim never comes, unless the key is taken for good: then it gives what was
// answered, if that is still known.
func (r *Recorder) voidKey(ctx context.Context, key books.AnswerKey, c books.Claim, now time.Time) (answer *books.Answer, taken bool, err error) {
	home, fact := books.Ref{Program: key.Program, Member: c.Member}, books.FactOf{Program: key.Program, ID: c.Fact}
	err = r.db.Write(ctx, func(tx *db.Tx) error {
		answer, taken = nil, false
		if err := books.Lock(ctx, tx, home); err != nil {
			return err
		}
		found, err := books.HomeAnswers(ctx, tx, []books.HomeKey{{AnswerKey: key, Home: home}})
		if err != nil {
			return err
		}
		if a, ok := found[key]; ok {
			answer, taken = &a, true
			return nil
		}
		there, _, err := books.Fates(ctx, tx, []books.FactOf{fact})
		if taken = there[fact]; err != nil || taken { // its answer was forgotten in this moment, and its key is about to be
			return err
		}
		return books.Void(ctx, tx, []books.FactOf{fact}, now)
	})
	return answer, taken, err
}

func (r *Recorder) claimNatural(ctx context.Context, t *task) error {
	h, key := t.hold, t.naturalKey()
	mine := books.Receipt{NaturalKey: key, Member: h.home.Member, Fact: h.id, Hash: t.hash}
	for range conflicts {
		var stands books.Receipt
		err := r.db.Write(ctx, func(tx *db.Tx) (err error) {
			stands, err = books.ClaimReceipt(ctx, tx, mine)
			return err
		})
		if err != nil {
			return err
		}
		same := stands.Hash == t.hash && stands.Member == h.home.Member
		switch {
		case same && stands.Fact == mine.Fact && !t.void[stands.Fact]:
			h.natural = &books.Claim{Member: mine.Member, Fact: mine.Fact}
			return nil
		case same && !t.void[stands.Fact]:
			h.natural, h.id, h.adopted = &books.Claim{Member: stands.Member, Fact: stands.Fact}, stands.Fact, true
			return nil
		}
		there, err := r.voidNatural(ctx, stands, t.req.Now)
		if err != nil {
			return err
		}
		if there {
			return r.meet(ctx, t, stands)
		}
		var moved bool
		err = r.db.Write(ctx, func(tx *db.Tx) (err error) {
			moved, err = books.MoveReceipt(ctx, tx, stands.Fact, mine)
			return err
		})
		if err != nil {
			return err
		}
		if moved {
			h.natural = &books.Claim{Member: mine.Member, Fact: mine.Fact}
			return nil
		}
	}
	return errContended
}

// voidNatural sees to it that the fact of another's receipt never comes, unless it is there.
func (r *Recorder) voidNatural(ctx context.Context, stands books.Receipt, now time.Time) (there bool, err error) {
	fact := books.FactOf{Program: stands.Program, ID: stands.Fact}
	err = r.db.Write(ctx, func(tx *db.Tx) error {
		if err := books.Lock(ctx, tx, books.Ref{Program: stands.Program, Member: stands.Member}); err != nil {
			return err
		}
		found, _, err := books.Fates(ctx, tx, []books.FactOf{fact})
		if there = found[fact]; err != nil || there {
			return err
		}
		return books.Void(ctx, tx, []books.FactOf{fact}, now)
	})
	return there, err
}

// meet tells a task whose natural key stands for a fact that it is another one, or finds that it is the same one: in the books of a member who was
// merged since, or in other books than it would go to now, since its member acts for an organization or did then.
func (r *Recorder) meet(ctx context.Context, t *task, stands books.Receipt) error {
	home := books.Ref{Program: stands.Program, Member: stands.Member}
	sameOne := false
	err := r.db.Read(ctx, func(tx *db.Tx) (err error) {
		home.Member, _, err = Survivor(stands.Member, StatesOf(ctx, tx, stands.Program))
		if err != nil || home == t.hold.home || stands.Hash != t.hash {
			return err
		}
		fact := books.FactOf{Program: stands.Program, ID: stands.Fact}
		found, err := books.Entries(ctx, tx, []books.FactOf{fact})
		f := found[fact].Fact
		sameOne = f.By() != "" && f.By() == t.hold.home.Member || t.actor.Member != "" && t.actor == home
		return err
	})
	if err != nil {
		return err
	}
	switch {
	case sameOne:
		t.wide = true
		t.fail(errMoved)
	case stands.Hash != t.hash || home != t.hold.home:
		t.fail(errKnown(stands.Fact))
	default:
		stands.Member = home.Member
		t.hold.known = &stands
	}
	return nil
}

// errKnown is for another receipt under a number that is known.
func errKnown(fact string) error {
	return errs.Conflict("duplicate_external_id", "This receipt number of this source is known already, with other content.").With("fact", fact)
}

// abandon gives up the claims of a task that was refused before its transaction.
func (r *Recorder) abandon(ctx context.Context, t *task) error {
	claims := t.hold.claims(t.req.Program)
	var there map[books.FactOf]bool
	err := r.db.Write(ctx, func(tx *db.Tx) (err error) {
		if err := books.Lock(ctx, tx, t.hold.home); err != nil {
			return err
		}
		if there, _, err = books.Fates(ctx, tx, claims); err != nil {
			return err
		}
		open := slices.DeleteFunc(slices.Clone(claims), func(f books.FactOf) bool { return there[f] })
		return books.Void(ctx, tx, open, t.req.Now)
	})
	if err != nil {
		return err
	}
	return r.drop(ctx, t, there)
}

// drop takes away the claims whose facts are void, so that a refused request leaves nothing behind.
func (r *Recorder) drop(ctx context.Context, t *task, there map[books.FactOf]bool) error {
	h := t.hold
	if h.key != nil && !there[books.FactOf{Program: t.req.Program, ID: h.key.Fact}] {
		err := r.db.Write(ctx, func(tx *db.Tx) error { return books.DropAnswer(ctx, tx, t.answerKey(), *h.key) })
		if err != nil {
			return err
		}
	}
	if h.natural != nil && !there[books.FactOf{Program: t.req.Program, ID: h.natural.Fact}] {
		return r.db.Write(ctx, func(tx *db.Tx) error { return books.DropReceipt(ctx, tx, t.naturalKey(), h.natural.Fact) })
	}
	return nil
}

// settle ends a task whose transaction is over, or says that it must find another place.
func (r *Recorder) settle(ctx context.Context, t *task) bool {
	switch {
	case t.hold == nil || t.lost != nil || t.err == nil:
		return false
	case again(t.err):
		return true
	}
	// What it claimed is void already. A claim that stays is taken over by whoever meets it.
	_ = r.drop(ctx, t, t.there)
	return false
}

// findPrograms reads the versions of the programs alone.
func (u *unit) findPrograms(ctx context.Context) error {
	var list []string
	for _, t := range u.tasks {
		if !slices.Contains(list, t.req.Program) {
			list = append(list, t.req.Program)
		}
	}
	sets, err := u.versions.Find(ctx, u.tx, list)
	if err != nil {
		return err
	}
	for id, set := range sets {
		u.programs[id] = set
	}
	for _, t := range u.open() {
		if u.programs[t.req.Program] == nil {
			t.fail(version.NoProgram(t.req.Program))
		}
	}
	return nil
}

// findHeld is find for tasks that have their places, all in one bucket.
func (u *unit) findHeld(ctx context.Context) error {
	if err := u.findPrograms(ctx); err != nil {
		return err
	}
	refs := make([]books.Ref, len(u.tasks)) // also of what is refused already: its claims are given up under the lock
	for i, t := range u.tasks {
		refs[i] = t.hold.home
	}
	if err := u.sheet.Open(ctx, u.tx, refs); err != nil {
		return err
	}
	for _, t := range u.open() {
		t.ref, t.fact, t.ready = t.hold.home, t.hold.fact, true
		if into := u.sheet.Folio(t.ref).State.MergedInto; into != "" {
			u.merged.remember(t.ref, books.Ref{Program: t.ref.Program, Member: into})
			t.fail(errMoved)
		}
	}
	return u.meetClaims(ctx)
}

// meetClaims finds what became of the claims: a void one ends the task, a fulfilled one answers it.
func (u *unit) meetClaims(ctx context.Context) error {
	u.answers, u.receipts = map[books.AnswerKey]books.Answer{}, map[books.NaturalKey]books.Receipt{}
	var claims []books.FactOf
	for _, t := range u.tasks {
		claims = append(claims, t.hold.claims(t.req.Program)...)
	}
	there, void, err := books.Fates(ctx, u.tx, claims)
	if err != nil {
		return err
	}
	var keys []books.HomeKey
	var facts []books.FactOf
	for _, t := range u.tasks {
		t.there = there
		if t.state == done {
			continue
		}
		for _, f := range t.hold.claims(t.req.Program) {
			if void[f] {
				if t.void == nil {
					t.void = map[string]bool{}
				}
				t.void[f.ID] = true
				t.fail(errVoid)
			}
		}
		if t.state == done {
			continue
		}
		fact := books.FactOf{Program: t.req.Program, ID: t.hold.id}
		if t.req.Key != nil && (t.hold.adopted || there[fact]) {
			keys = append(keys, books.HomeKey{AnswerKey: t.answerKey(), Home: t.hold.home})
		}
		switch known := t.hold.known; {
		case known != nil:
			u.receipts[t.naturalKey()] = *known
			facts = append(facts, books.FactOf{Program: known.Program, ID: known.Fact})
		case there[fact] && t.natural:
			u.receipts[t.naturalKey()] = books.Receipt{NaturalKey: t.naturalKey(), Member: t.hold.home.Member, Fact: fact.ID, Hash: t.hash}
			facts = append(facts, fact)
		case there[fact]:
			facts = append(facts, fact)
		}
	}
	if u.answers, err = books.HomeAnswers(ctx, u.tx, keys); err != nil {
		return err
	}
	u.first, err = books.Entries(ctx, u.tx, facts)
	return err
}

// giveUp makes void what refused tasks had claimed. They hold the locks of their accounts, and their facts are not there.
func (u *unit) giveUp(ctx context.Context) error {
	var open []books.FactOf
	for _, t := range u.tasks { // what a twin in this very unit fulfilled is not void
		if t.hold != nil && t.err == nil {
			for _, f := range t.hold.claims(t.req.Program) {
				t.there[f] = true
			}
		}
	}
	for _, t := range u.tasks {
		if t.hold == nil || t.err == nil || again(t.err) {
			continue
		}
		for _, f := range t.hold.claims(t.req.Program) {
			if !t.there[f] {
				open = append(open, f)
			}
		}
	}
	if len(open) == 0 {
		return nil
	}
	return books.Void(ctx, u.tx, open, u.tasks[0].req.Now)
}

// openClaims says that keys of tasks on the wide road are claimed by others, whose facts are not there.
type openClaims struct {
	now      time.Time
	answers  []books.Answer
	receipts []books.Receipt
}

func (*openClaims) Error() string { return "some keys are claimed for facts that are not there" }

// followClaims is for the wide road: it follows the rows of keys to the members' buckets.
func (u *unit) followClaims(ctx context.Context) error {
	var homes []books.HomeKey
	found := &openClaims{now: u.tasks[0].req.Now}
	for key, a := range u.answers {
		if c, open := a.Claim(); open {
			homes = append(homes, books.HomeKey{AnswerKey: key, Home: books.Ref{Program: key.Program, Member: c.Member}})
		}
	}
	answers, err := books.HomeAnswers(ctx, u.tx, homes)
	if err != nil {
		return err
	}
	for _, h := range homes {
		if a, ok := answers[h.AnswerKey]; ok {
			u.answers[h.AnswerKey] = a
			continue
		}
		found.answers = append(found.answers, u.answers[h.AnswerKey])
		delete(u.answers, h.AnswerKey)
	}
	for key, r := range u.receipts {
		if _, there := u.first[books.FactOf{Program: r.Program, ID: r.Fact}]; !there {
			found.receipts = append(found.receipts, r)
			delete(u.receipts, key)
		}
	}
	if u.simulated || len(found.answers)+len(found.receipts) == 0 {
		return nil
	}
	return found
}

// clear makes the claims void and takes them away, so that the wide road is free.
func (r *Recorder) clear(ctx context.Context, found *openClaims) error {
	for _, a := range found.answers {
		c, _ := a.Claim()
		_, taken, err := r.voidKey(ctx, a.AnswerKey, c, found.now)
		if err != nil {
			return err
		}
		if taken {
			continue // it came meanwhile
		}
		if err := r.db.Write(ctx, func(tx *db.Tx) error { return books.DropAnswer(ctx, tx, a.AnswerKey, c) }); err != nil {
			return err
		}
	}
	for _, s := range found.receipts {
		there, err := r.voidNatural(ctx, s, found.now)
		if err != nil {
			return err
		}
		if there {
			continue
		}
		if err := r.db.Write(ctx, func(tx *db.Tx) error { return books.DropReceipt(ctx, tx, s.NaturalKey, s.Fact) }); err != nil {
			return err
		}
	}
	return nil
}
