// Package verify proves the books: it reads every row of a program and shows that all of it follows from the facts.
//
// It owns the proofs and what a finding says. It repairs nothing and writes nothing.
//
// What is proved, member by member: the facts are numbered without a gap; the postings are those of the decisions, move a
// positive amount between known accounts, and never take from a lot what is not there; lots, holdings and the account's row
// are the fold of the postings; nothing is below zero but declared debt; a redemption ends once; no more is taken back
// of a purchase than it had or gave, line by line; an event is there if and only if its fact is; every natural key has
// its receipt and every receipt its fact; the counters of tiers are those that counting anew gives; and every fact, decided again
// by the version that decided it, leads to the same decision and in the end to the same account. Over the whole program: what
// moves between members sums to zero, the program's counters are the sum of what facts did to them, there are no rows but
// these, and the chain of seals holds.
//
// Others go on writing meanwhile. A member's books change in one transaction, so they are read bucket by bucket, each part in a
// short transaction of its own, and each is whole in itself. What holds between members is folded over the facts below one
// stamp, the same for all parts, and then over those that came since, in the transaction in which the counters are read. So
// however many facts there are, no transaction is open for long: on SQLite the log is not kept from being written
// back, on PostgreSQL neither the feed nor the vacuum waits.
package verify

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/ledger"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/partner"
	"lojal.dev/lojal/internal/seal"
	"lojal.dev/lojal/internal/version"
)

// Finding is something that is not as it must be.
type Finding struct {
	// Check names what was proved: facts, postings, lots, holdings, account, redemptions, reversals, receipts, tallies, counters,
	// codes, replay, transfers, rows, seals.
	Check string `json:"check"`
	// Row names the first bad row: table and key.
	Row     string `json:"row"`
	Member  string `json:"member,omitempty"`
	Fact    string `json:"fact,omitempty"`
	Message string `json:"message"`
}

func (f Finding) String() string { return f.Check + ": " + f.Row + ": " + f.Message }

// MaxFindings bounds what a report lists; the rest is counted.
const MaxFindings = 200

// Report is what a proof came to.
type Report struct {
	Program string `json:"program"`
	// Members are the people whose books were proved; the others are the accounts that are no member's.
	Members       int64 `json:"members"`
	GiftCards     int64 `json:"gift_cards"`
	Households    int64 `json:"households"`
	Organizations int64 `json:"organizations"`
	CouponCodes   int64 `json:"coupon_codes"`
	Facts         int64 `json:"facts"`
	Postings      int64 `json:"postings"`
	Lots          int64 `json:"lots"`
	Events        int64 `json:"events"`
	Replayed      int64 `json:"replayed"`
	// Seals and Sealed are how many seals were compared and how many facts they cover, Unsealed how many facts are not yet; Head
	// is the last seal as HASH@NUMBER.
	Seals    int64  `json:"seals"`
	Sealed   int64  `json:"sealed"`
	Unsealed int64  `json:"unsealed"`
	Head     string `json:"head,omitempty"`
	// Part says which part of the books was proved, where it was not all of them.
	Part string `json:"part,omitempty"`
	// Left says what could not be proved, and why.
	Left     []string  `json:"left,omitempty"`
	Findings []Finding `json:"findings"`
	// More is the number of findings beyond those listed.
	More int64 `json:"more,omitempty"`
	// Seconds is how long it took.
	Seconds float64 `json:"seconds"`
}

// OK says whether the books are proved.
func (r *Report) OK() bool { return len(r.Findings) == 0 }

// Err gives a conflict "books_broken" that names the first finding, nil when there is none.
func (r *Report) Err() error {
	if r.OK() {
		return nil
	}
	n := int64(len(r.Findings)) + r.More
	return errs.Conflict("books_broken", fmt.Sprintf("The books of %s are not whole: %s, the first is %s", r.Program, lang.Things(n, "finding"), r.Findings[0])).
		With("findings", n)
}

func (r *Report) add(f Finding) {
	if len(r.Findings) >= MaxFindings {
		r.More++
		return
	}
	r.Findings = append(r.Findings, f)
}

// count counts an account as what it is; one that is missing as a member's.
func (r *Report) count(a *books.AccountRow) {
	kind := engine.Person
	if a != nil {
		kind = a.State.Kind
	}
	switch kind {
	case engine.GiftCard:
		r.GiftCards++
	case engine.Household:
		r.Households++
	case engine.Organization:
		r.Organizations++
	case engine.CouponCode:
		r.CouponCodes++
	default:
		r.Members++
	}
}

// merge adds what a part came to.
func (r *Report) merge(p *Report) {
	r.Members, r.GiftCards, r.CouponCodes = r.Members+p.Members, r.GiftCards+p.GiftCards, r.CouponCodes+p.CouponCodes
	r.Households, r.Organizations = r.Households+p.Households, r.Organizations+p.Organizations
	r.Facts, r.Postings, r.Lots = r.Facts+p.Facts, r.Postings+p.Postings, r.Lots+p.Lots
	r.Events, r.Replayed, r.More = r.Events+p.Events, r.Replayed+p.Replayed, r.More+p.More
	for _, f := range p.Findings {
		r.add(f)
	}
}

// Options are choices of Run. Without any, everything is proved.
type Options struct {
	// Progress is called now and then with the number of facts proved and the number of all, as far as it is known.
	Progress func(done, all int64)
	// Heads are heads of the chain of seals that were kept: the books must still hold them.
	Heads []seal.Head
	// Member keeps to the books of one member, Since to those members about whom something was sealed since or is not sealed yet,
	// Sample to this percentage of the buckets, by chance. What holds between members is then not proved, and the chain only from
	// Since on, if at all.
	Member string
	Since  time.Time
	Sample int
	// OneMoment proves the books as they stand at one moment, in one transaction: for a database that nobody else uses, or
	// a small one.
	OneMoment bool
	// Workers is how many parts are proved at once; as many as there are processors when 0. AtOnce is how many facts a part
	// has, unless one bucket has more; 2,000 when 0.
	Workers, AtOnce int
}

func (o *Options) part() string {
	switch {
	case o.Member != "":
		return "member " + o.Member
	case !o.Since.IsZero():
		return "members since " + o.Since.Format(time.RFC3339)
	case o.Sample > 0:
		return fmt.Sprintf("%d%% of the buckets", o.Sample)
	}
	return ""
}

// atOnce is how many facts are held in memory together by a worker.
const atOnce = 2000

// Run proves the books of a program. Others may go on writing. The error tells that it could not be done; what is wrong with the
// books stands in the report, in the order of the buckets, so that the first bad row comes first.
func Run(ctx context.Context, d *db.DB, versions *version.Cache, program string, opts Options) (*Report, error) {
	start := time.Now()
	r := &run{db: d, versions: versions, program: program, opts: opts, out: &Report{Program: program, Part: opts.part(), Findings: []Finding{}},
		counters: map[string]map[string]int64{}, moved: map[string]int64{}}
	if err := r.all(ctx); err != nil {
		return nil, fmt.Errorf("verify %s: %w", program, err)
	}
	r.out.Seconds = time.Since(start).Seconds()
	return r.out, nil
}

// run is one proof of one program.
type run struct {
	db       *db.DB
	versions *version.Cache
	program  string
	opts     Options
	out      *Report
	// counters is what facts did to the program's counters, moved what they put on the way between members, by unit: of all facts
	// below the stamp cut, and since rest of those after it.
	counters map[string]map[string]int64
	moved    map[string]int64
	cut      int64
	// recorded is how much a distributed database held when the proof began.
	recorded int64
}

// work is a part of the books: buckets or members.
type work struct {
	buckets []int32
	members []string
	facts   int64
}

func (r *run) all(ctx context.Context) error {
	parts, after, err := r.plan(ctx)
	if err != nil {
		return err
	}
	if r.opts.OneMoment {
		err = r.oneMoment(ctx, parts)
	} else {
		err = r.parts(ctx, parts)
	}
	if err != nil {
		return err
	}
	if r.opts.Member != "" || r.opts.Sample > 0 {
		after = -1 // only the heads
	}
	return r.seals(ctx, after)
}

// plan reads what is to be proved, and the seal after which the chain is compared.
func (r *run) plan(ctx context.Context) (parts []work, after int64, err error) {
	err = r.db.Read(ctx, func(tx *db.Tx) error {
		parts, after = nil, 0
		if _, err := r.versions.Get(ctx, tx, r.program); err != nil {
			return err
		}
		switch {
		case tx.Distributed():
			r.cut = math.MaxInt64
			if r.recorded, err = books.Recorded(ctx, tx, r.program); err != nil {
				return err
			}
		default:
			if r.cut, err = books.Rest(ctx, tx, r.program); err != nil {
				return err
			}
		}
		switch {
		case r.opts.Member != "":
			parts = []work{{members: []string{r.opts.Member}}}
			return nil
		case !r.opts.Since.IsZero():
			parts, after, err = r.since(ctx, tx)
			return err
		}
		shelves, err := books.Shelves(ctx, tx, r.program)
		if err != nil {
			return err
		}
		if r.opts.Sample > 0 {
			shelves = sample(shelves, r.opts.Sample)
		}
		parts = divide(shelves, cmp.Or(r.opts.AtOnce, atOnce))
		return nil
	})
	return parts, after, err
}

// divide makes parts of about so many facts.
func divide(shelves []books.Shelf, atOnce int) (parts []work) {
	for _, s := range shelves {
		last := len(parts) - 1
		if last < 0 || parts[last].facts+s.Facts > int64(atOnce) && parts[last].facts > 0 {
			parts = append(parts, work{})
			last++
		}
		parts[last].buckets = append(parts[last].buckets, s.Bucket)
		parts[last].facts += s.Facts
	}
	return parts
}

// sample picks a percentage of the buckets, at least one.
func sample(shelves []books.Shelf, percent int) []books.Shelf {
	n := max(1, len(shelves)*min(percent, 100)/100)
	if n >= len(shelves) {
		return shelves
	}
	out := make([]books.Shelf, 0, n)
	for _, i := range rand.Perm(len(shelves))[:n] {
		out = append(out, shelves[i])
	}
	slices.SortFunc(out, func(a, b books.Shelf) int { return int(a.Bucket - b.Bucket) })
	return out
}

// membersAtOnce is how many members are proved together, where they are picked one by one.
const membersAtOnce = 200

// since lists the members that have facts behind the last seal before the time.
func (r *run) since(ctx context.Context, tx *db.Tx) (parts []work, after int64, err error) {
	place, after, err := seal.Before(ctx, tx, r.program, r.opts.Since)
	if err != nil {
		return nil, 0, err
	}
	members, err := books.MembersBehind(ctx, tx, r.program, place)
	if err != nil {
		return nil, 0, err
	}
	for chunk := range slices.Chunk(members, membersAtOnce) {
		parts = append(parts, work{members: chunk})
	}
	return parts, after, nil
}

// oneMoment proves all parts, and what holds over them, in one transaction.
func (r *run) oneMoment(ctx context.Context, parts []work) error {
	return r.db.Read(ctx, func(tx *db.Tx) error {
		again := &run{db: r.db, versions: r.versions, program: r.program, opts: r.opts, cut: r.cut, recorded: r.recorded,
			out:      &Report{Program: r.program, Part: r.out.Part, Findings: []Finding{}},
			counters: map[string]map[string]int64{}, moved: map[string]int64{}}
		all := total(parts)
		for _, w := range parts {
			p, err := again.prove(ctx, tx, w)
			if err != nil {
				return err
			}
			if err := again.take(p, all); err != nil {
				return err
			}
		}
		if again.out.Part == "" {
			if err := again.whole(ctx, tx); err != nil {
				return err
			}
		}
		r.out = again.out
		return nil
	})
}

func total(parts []work) (n int64) {
	for _, w := range parts {
		n += w.facts
	}
	return n
}

// parts proves the parts in transactions of their own, some at once, and takes them in their order.
func (r *run) parts(ctx context.Context, parts []work) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	workers := r.opts.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	// A worker may be some parts ahead of the one that is taken next, not more: what is proved waits in memory.
	results := make([]chan *proof, len(parts))
	for i := range results {
		results[i] = make(chan *proof, 1)
	}
	next := make(chan int)
	ahead := make(chan struct{}, 2*workers)
	var wg sync.WaitGroup
	for range min(workers, len(parts)) {
		wg.Go(func() {
			for i := range next {
				var p *proof
				err := r.db.Read(ctx, func(tx *db.Tx) (err error) {
					p, err = r.prove(ctx, tx, parts[i])
					return err
				})
				if err != nil {
					cancel(err)
					return
				}
				results[i] <- p
			}
		})
	}
	wg.Go(func() {
		defer close(next)
		for i := range parts {
			select {
			case ahead <- struct{}{}:
			case <-ctx.Done():
				return
			}
			select {
			case next <- i:
			case <-ctx.Done():
				return
			}
		}
	})
	defer wg.Wait()
	all := total(parts)
	for i := range parts {
		select {
		case p := <-results[i]:
			<-ahead
			if err := r.take(p, all); err != nil {
				cancel(err)
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if r.out.Part != "" {
		return nil
	}
	return r.rest(ctx)
}

// take adds what a part came to.
func (r *run) take(p *proof, all int64) error {
	r.out.merge(p.report)
	if err := fold(r.counters, p.counters); err != nil {
		return err
	}
	for unit, n := range p.moved {
		sum, err := money.Add(r.moved[unit], n)
		if err != nil {
			return err
		}
		r.moved[unit] = sum
	}
	if r.opts.Progress != nil {
		r.opts.Progress(r.out.Facts, max(all, r.out.Facts))
	}
	return nil
}

func fold(into, from map[string]map[string]int64) error {
	for name, periods := range from {
		for period, n := range periods {
			if into[name] == nil {
				into[name] = map[string]int64{}
			}
			sum, err := money.Add(into[name][period], n)
			if err != nil {
				return err
			}
			into[name][period] = sum
		}
	}
	return nil
}

// prove proves a part.
func (r *run) prove(ctx context.Context, tx *db.Tx, w work) (*proof, error) {
	set, err := r.versions.Get(ctx, tx, r.program) // another may have published since
	if err != nil {
		return nil, err
	}
	p := &proof{ctx: ctx, tx: tx, set: set, program: r.program, cut: r.cut, report: &Report{}, counters: map[string]map[string]int64{},
		moved: map[string]int64{}, keys: map[books.NaturalKey]books.FactOf{}}
	var volumes []*books.Volume
	if len(w.members) > 0 {
		volumes, err = books.VolumesOf(ctx, tx, r.program, w.members)
	} else {
		volumes, err = books.Volumes(ctx, tx, r.program, w.buckets)
	}
	if err != nil {
		return nil, err
	}
	if r.opts.Member != "" && len(volumes) == 0 {
		return nil, errs.NotFound("member_not_found", "There is no such member.")
	}
	for _, v := range volumes {
		if err := p.member(v); err != nil {
			return nil, err
		}
	}
	err = p.receipts(w.buckets)
	return p, err
}

// quick is how many facts may have come since the cut for the rest to be proved in one transaction.
const quick = 5000

// rest folds what was recorded while the parts were proved, page by page, and then proves what holds over all members.
func (r *run) rest(ctx context.Context) error {
	for {
		done := false
		var next *run
		err := r.db.Read(ctx, func(tx *db.Tx) (err error) {
			done, next = tx.Distributed(), &run{program: r.program, counters: map[string]map[string]int64{}, moved: map[string]int64{}}
			if done {
				return nil
			}
			if next.cut, err = books.Rest(ctx, tx, r.program); err != nil {
				return err
			}
			n := 0
			err = books.FactsFrom(ctx, tx, r.program, r.cut, next.cut, func(e *books.VolumeEntry) error {
				n++
				return next.count(e)
			})
			done = n < quick
			return err
		})
		if err != nil {
			return err
		}
		if done {
			break
		}
		if err := r.take(&proof{report: &Report{}, counters: next.counters, moved: next.moved}, r.out.Facts); err != nil {
			return err
		}
		r.cut = next.cut
	}
	return r.db.Read(ctx, func(tx *db.Tx) error {
		again := &run{db: r.db, program: r.program, cut: r.cut, recorded: r.recorded, out: &Report{Findings: []Finding{}},
			counters: map[string]map[string]int64{}, moved: maps.Clone(r.moved)}
		if err := fold(again.counters, r.counters); err != nil {
			return err
		}
		if err := again.whole(ctx, tx); err != nil {
			return err
		}
		for _, f := range again.out.Findings {
			r.out.add(f)
		}
		r.out.Left = again.out.Left
		return nil
	})
}

func (r *run) count(e *books.VolumeEntry) error { return count(r.counters, r.moved, e) }

// whole proves what holds over all members together, in one transaction: with the facts since the cut that it sees.
func (r *run) whole(ctx context.Context, tx *db.Tx) error {
	if tx.Distributed() {
		// There is no moment that all its servers have in common.
		now, err := books.Recorded(ctx, tx, r.program)
		if err != nil {
			return err
		}
		if now != r.recorded {
			r.out.Left = append(r.out.Left, "transfers and the program's counters: facts were recorded meanwhile in a distributed database")
			return nil
		}
	} else if err := books.FactsFrom(ctx, tx, r.program, r.cut, math.MaxInt64, r.count); err != nil {
		return err
	}
	for _, unit := range slices.Sorted(maps.Keys(r.moved)) {
		n := r.moved[unit]
		if of, home := strings.CutPrefix(unit, onTheWay); home {
			if n < 0 {
				r.out.add(Finding{Check: "transfers", Row: "postings " + ledger.Transferred + " " + of,
					Message: fmt.Sprintf("%d minor units more came home to who gave them than were sent", -n)})
			}
			continue
		}
		if n != 0 {
			r.out.add(Finding{Check: "transfers", Row: "postings " + ledger.Transferred + " " + unit,
				Message: fmt.Sprintf("what members moved between them sums to %d minor units, not to 0", n)})
		}
	}
	stored, misplaced, err := books.Counters(ctx, tx, r.program)
	if err != nil {
		return err
	}
	for _, name := range misplaced {
		r.out.add(Finding{Check: "counters", Row: "tallies " + r.program + " " + name, Message: "lies in another bucket than its own"})
	}
	paid, err := partner.Paid(ctx, tx, r.program)
	if err != nil {
		return err
	}
	for id, n := range paid { // what partners paid is counted beside what facts count
		r.counters[engine.PartnerPaid(id)] = map[string]int64{engine.PartnerPeriod: n}
	}
	if row, message := compareTallies(stored, r.counters); row != "" {
		r.out.add(Finding{Check: "counters", Row: "tallies " + r.program + row, Message: message})
	}
	stray, err := books.Stray(ctx, tx, r.program)
	if err != nil {
		return err
	}
	for _, table := range slices.Sorted(maps.Keys(stray)) {
		r.out.add(Finding{Check: "rows", Row: table + " " + r.program, Message: fmt.Sprintf("%d rows lie in no bucket: buckets go from 0 to %d", stray[table], ids.Buckets-1)})
	}
	if err := r.codes(ctx, tx); err != nil {
		return err
	}
	if err := r.rewards(ctx, tx); err != nil {
		return err
	}
	if err := r.raffles(ctx, tx); err != nil {
		return err
	}
	unknown, err := books.UnknownPrograms(ctx, tx)
	if err != nil {
		return err
	}
	for _, id := range unknown {
		r.out.add(Finding{Check: "rows", Row: "facts " + id, Message: "belong to a program that is not there"})
	}
	return nil
}

// seals compares the chain over the books, from a seal on; only its heads when it is below 0.
func (r *run) seals(ctx context.Context, after int64) error {
	if after < 0 && len(r.opts.Heads) == 0 {
		return nil
	}
	opts := seal.CheckOptions{Heads: r.opts.Heads, After: after, HeadsOnly: after < 0}
	if r.opts.Progress != nil {
		opts.Progress = func(facts int64) { r.opts.Progress(facts, max(facts, r.out.Facts)) }
	}
	chain, err := seal.Check(ctx, r.db, r.program, opts)
	if err != nil {
		return err
	}
	r.out.Seals, r.out.Sealed, r.out.Unsealed = chain.Seals, chain.Facts, chain.Unsealed
	if chain.Head != nil {
		r.out.Head = chain.Head.Head().String()
	}
	for _, f := range chain.Findings {
		r.out.add(Finding{Check: "seals", Row: f.Row, Member: f.Member, Fact: f.Fact, Message: f.Message})
	}
	return nil
}
