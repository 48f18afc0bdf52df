// Package verify proves the books: it reads every row of a program and shows that all of it follows from the facts.
//
// It owns the proofs and what a finding says. It repairs nothing and writes nothing.
//
// What is proved, member by member: the facts are numbered without a gap; the postings are those of the decisions, move a
// positive amount between known accounts, and never take from a lot what is not there; lots, holdings and the account's row
// are the fold of the postings; nothing is below zero but declared debt; a redemption ends once; no more is taken back
// of a purchase than it had or gave, line by line; an event is there if and only if its fact is; every natural key has
// its receipt; the counters of tiers are those that counting anew gives; and every fact, decided again by the version that
// decided it, leads to the same decision and in the end to the same account. Over the whole program: what moves between
// members sums to zero, the program's counters are the sum of what facts did to them, and there are no rows but these.
package verify

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/seal"
	"lojal.dev/lojal/internal/version"
)

// Finding is something that is not as it must be.
type Finding struct {
	// Check names what was proved: facts, postings, lots, holdings, account, redemptions, reversals, events, receipts, tallies,
	// counters, replay, transfers, rows.
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
	Program  string `json:"program"`
	Members  int64  `json:"members"`
	Facts    int64  `json:"facts"`
	Postings int64  `json:"postings"`
	Lots     int64  `json:"lots"`
	Events   int64  `json:"events"`
	Replayed int64  `json:"replayed"`
	// Seals and Sealed are how many seals were compared and how many facts they cover, Unsealed how many facts are not yet; Head
	// is the last seal as HASH@NUMBER.
	Seals    int64     `json:"seals"`
	Sealed   int64     `json:"sealed"`
	Unsealed int64     `json:"unsealed"`
	Head     string    `json:"head,omitempty"`
	Findings []Finding `json:"findings"`
	// More is the number of findings beyond those listed.
	More int64 `json:"more,omitempty"`
}

// OK says whether the books are proved.
func (r *Report) OK() bool { return len(r.Findings) == 0 }

// Err gives a conflict "books_broken" that names the first finding, nil when there is none.
func (r *Report) Err() error {
	if r.OK() {
		return nil
	}
	n := int64(len(r.Findings)) + r.More
	return errs.Conflict("books_broken", fmt.Sprintf("The books of %s are not whole: %d findings, the first is %s", r.Program, n, r.Findings[0])).
		With("findings", n)
}

func (r *Report) add(f Finding) {
	if len(r.Findings) >= MaxFindings {
		r.More++
		return
	}
	r.Findings = append(r.Findings, f)
}

// Options are choices of Run.
type Options struct {
	// Progress is called now and then with the number of facts proved and the number of all.
	Progress func(done, all int64)
	// Heads are heads of the chain of seals that were kept: the books must still hold them.
	Heads []seal.Head
}

// atOnce is how many facts are held in memory together, unless one bucket has more.
const atOnce = 2000

// Run proves the books of a program as they stand at one moment. Others may go on writing. The error tells that it could
// not be done; what is wrong with the books stands in the report.
func Run(ctx context.Context, d *db.DB, versions *version.Cache, program string, opts Options) (*Report, error) {
	var out *Report
	err := d.Read(ctx, func(tx *db.Tx) error {
		set, err := versions.Get(ctx, tx, program)
		if err != nil {
			return err
		}
		p := &proof{ctx: ctx, tx: tx, set: set, program: program, report: &Report{Program: program, Findings: []Finding{}},
			counters: map[string]map[string]int64{}, moved: map[string]int64{}, keys: map[books.NaturalKey]books.FactOf{}}
		out = p.report
		return p.run(opts)
	})
	if err == nil {
		err = out.seals(ctx, d, opts)
	}
	if err != nil {
		return nil, fmt.Errorf("verify %s: %w", program, err)
	}
	return out, nil
}

// seals compares the chain over the books.
func (r *Report) seals(ctx context.Context, d *db.DB, opts Options) error {
	chain, err := seal.Check(ctx, d, r.Program, seal.CheckOptions{Heads: opts.Heads})
	if err != nil {
		return err
	}
	r.Seals, r.Sealed, r.Unsealed = chain.Seals, chain.Facts, chain.Unsealed
	if chain.Head != nil {
		r.Head = chain.Head.Head().String()
	}
	for _, f := range chain.Findings {
		r.add(Finding{Check: "seals", Row: f.Row, Member: f.Member, Fact: f.Fact, Message: f.Message})
	}
	return nil
}

// proof is one run over one program.
type proof struct {
	ctx     context.Context //nolint:containedctx // of the transaction
	tx      *db.Tx
	set     *version.Set
	program string
	report  *Report
	// counters is what facts did to the program's counters, moved what they put on the way between members, by unit.
	counters map[string]map[string]int64
	moved    map[string]int64
	// keys are the natural keys of the facts at hand.
	keys map[books.NaturalKey]books.FactOf
	// seen counts rows.
	seen books.Totals
}

func (p *proof) run(opts Options) error {
	shelves, err := books.Shelves(p.ctx, p.tx, p.program)
	if err != nil {
		return err
	}
	var all int64
	for _, s := range shelves {
		all += s.Facts
	}
	for len(shelves) > 0 {
		var buckets []int32
		var facts int64
		for len(shelves) > 0 && (len(buckets) == 0 || facts+shelves[0].Facts <= atOnce) {
			buckets = append(buckets, shelves[0].Bucket)
			facts += shelves[0].Facts
			shelves = shelves[1:]
		}
		if err := p.volumes(buckets); err != nil {
			return err
		}
		if opts.Progress != nil {
			opts.Progress(p.report.Facts, all)
		}
	}
	return p.whole()
}

func (p *proof) volumes(buckets []int32) error {
	volumes, err := books.Volumes(p.ctx, p.tx, p.program, buckets)
	if err != nil {
		return err
	}
	for _, v := range volumes {
		if err := p.member(v); err != nil {
			return err
		}
	}
	return p.receipts()
}

// receipts proves that each natural key of the facts at hand has its receipt.
func (p *proof) receipts() error {
	if len(p.keys) == 0 {
		return nil
	}
	found, err := books.Receipts(p.ctx, p.tx, slices.Collect(maps.Keys(p.keys)))
	if err != nil {
		return err
	}
	for _, key := range slices.SortedFunc(maps.Keys(p.keys), func(a, b books.NaturalKey) int {
		return strings.Compare(a.Source+"/"+a.ExternalID, b.Source+"/"+b.ExternalID)
	}) {
		fact := p.keys[key]
		row := fmt.Sprintf("receipts %s/%s", key.Source, key.ExternalID)
		switch r, ok := found[key]; {
		case !ok:
			p.report.add(Finding{Check: "receipts", Row: row, Fact: fact.ID, Message: "is missing; fact " + fact.ID + " has this natural key"})
		case r.Fact != fact.ID:
			p.report.add(Finding{Check: "receipts", Row: row, Fact: fact.ID, Message: fmt.Sprintf("stands for %s, but %s has this natural key too", r.Fact, fact.ID)})
		}
	}
	p.seen.Receipts += int64(len(p.keys))
	clear(p.keys)
	return nil
}

// whole proves what holds over all members together.
func (p *proof) whole() error {
	for _, unit := range slices.Sorted(maps.Keys(p.moved)) {
		if n := p.moved[unit]; n != 0 {
			p.report.add(Finding{Check: "transfers", Row: "postings program:transferred " + unit,
				Message: fmt.Sprintf("what members moved between them sums to %d minor units, not to 0", n)})
		}
	}
	stored, err := books.Counters(p.ctx, p.tx, p.program)
	if err != nil {
		return err
	}
	p.compareTallies("counters", "", "", stored, p.counters)
	total, err := books.Count(p.ctx, p.tx, p.program)
	if err != nil {
		return err
	}
	if total.Receipts > p.seen.Receipts { // a claim stands for a fact that may still come
		claims, err := books.OpenClaims(p.ctx, p.tx, p.program)
		if err != nil {
			return err
		}
		total.Receipts -= claims
	}
	for _, c := range []struct {
		table      string
		have, seen int64
	}{
		{"accounts", total.Accounts, p.seen.Accounts},
		{"facts", total.Facts, p.seen.Facts},
		{"postings", total.Postings, p.seen.Postings},
		{"lots", total.Lots, p.seen.Lots},
		{"redemptions", total.Redemptions, p.seen.Redemptions},
		{"receipts", total.Receipts, p.seen.Receipts},
	} {
		if c.have != c.seen {
			p.report.add(Finding{Check: "rows", Row: c.table, Message: fmt.Sprintf("there are %d rows, and %d that a fact explains", c.have, c.seen)})
		}
	}
	return nil
}

// compareTallies reports the first counter that differs, but for zeros.
func (p *proof) compareTallies(check, member, what string, stored, want map[string]map[string]int64) {
	names := slices.Collect(maps.Keys(stored))
	names = append(names, slices.Collect(maps.Keys(want))...)
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		periods := slices.Collect(maps.Keys(stored[name]))
		periods = append(periods, slices.Collect(maps.Keys(want[name]))...)
		slices.Sort(periods)
		for _, period := range slices.Compact(periods) {
			if stored[name][period] != want[name][period] {
				p.report.add(Finding{Check: check, Member: member, Row: fmt.Sprintf("tallies %s %s %s", member, name, period),
					Message: fmt.Sprintf("counts %d, the facts come to %d%s", stored[name][period], want[name][period], what)})
				return
			}
		}
	}
}

// count adds what a decision does to the counters of the whole program.
func (p *proof) count(d *engine.Decision) error {
	for _, c := range d.Counters {
		if !strings.HasPrefix(c.Name, engine.ProgramTally) {
			continue
		}
		if p.counters[c.Name] == nil {
			p.counters[c.Name] = map[string]int64{}
		}
		n, err := money.Add(p.counters[c.Name][c.Period], c.Add)
		if err != nil {
			return err
		}
		p.counters[c.Name][c.Period] = n
	}
	return nil
}
