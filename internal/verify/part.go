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
	"lojal.dev/lojal/internal/ledger"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/version"
)

// proof is that of a part of the books: some members, in one transaction.
type proof struct {
	ctx     context.Context //nolint:containedctx // of the transaction
	tx      *db.Tx
	set     *version.Set
	program string
	report  *Report
	// counters is what facts did to the program's counters, moved what they put on the way between members, by unit: of those
	// below the stamp cut.
	cut      int64
	counters map[string]map[string]int64
	moved    map[string]int64
	// keys are the natural keys of the facts.
	keys map[books.NaturalKey]books.FactOf
}

// receipts proves that each natural key of the facts has its receipt, and each receipt in the buckets its fact.
func (p *proof) receipts(buckets []int32) error {
	found, err := books.Receipts(p.ctx, p.tx, slices.Collect(maps.Keys(p.keys)))
	if err != nil {
		return err
	}
	for _, key := range slices.SortedFunc(maps.Keys(p.keys), func(a, b books.NaturalKey) int {
		return strings.Compare(a.Source+"/"+a.ExternalID, b.Source+"/"+b.ExternalID)
	}) {
		fact := p.keys[key]
		row := receiptRow(p.program, key)
		switch r, ok := found[key]; {
		case !ok:
			p.report.add(Finding{Check: "receipts", Row: row, Fact: fact.ID, Message: "is missing; fact " + fact.ID + " has this natural key"})
		case r.Fact != fact.ID:
			p.report.add(Finding{Check: "receipts", Row: row, Fact: fact.ID, Message: fmt.Sprintf("stands for %s, but %s has this natural key too", r.Fact, fact.ID)})
		}
	}
	if len(buckets) == 0 {
		return nil
	}
	rows, err := books.ReceiptsIn(p.ctx, p.tx, p.program, buckets)
	if err != nil {
		return err
	}
	for _, r := range rows {
		row := receiptRow(p.program, r.NaturalKey)
		switch {
		case r.Misplaced:
			p.report.add(Finding{Check: "receipts", Row: row, Fact: r.Fact, Message: "lies in another bucket than its own"})
		case !r.There && p.tx.Distributed(): // a claim: its fact may still come
		case !r.There:
			p.report.add(Finding{Check: "receipts", Row: row, Fact: r.Fact, Message: "stands for fact " + r.Fact + ", which is not there"})
		case r.Key != r.NaturalKey:
			p.report.add(Finding{Check: "receipts", Row: row, Fact: r.Fact, Message: fmt.Sprintf("stands for fact %s, which has the natural key %q/%q", r.Fact, r.Key.Source, r.Key.ExternalID)})
		case r.Of != r.Member:
			p.report.add(Finding{Check: "receipts", Row: row, Fact: r.Fact, Message: fmt.Sprintf("is of member %s, its fact of %s", r.Member, r.Of)})
		}
	}
	return nil
}

func receiptRow(program string, key books.NaturalKey) string {
	return fmt.Sprintf("receipts %s %s/%s", program, key.Source, key.ExternalID)
}

// compareTallies names the first counter that differs, but for zeros.
func compareTallies(stored, want map[string]map[string]int64) (row, message string) {
	names := slices.Collect(maps.Keys(stored))
	names = append(names, slices.Collect(maps.Keys(want))...)
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		periods := slices.Collect(maps.Keys(stored[name]))
		periods = append(periods, slices.Collect(maps.Keys(want[name]))...)
		slices.Sort(periods)
		for _, period := range slices.Compact(periods) {
			if stored[name][period] != want[name][period] {
				return " " + name + " " + period, fmt.Sprintf("counts %d, the facts come to %d", stored[name][period], want[name][period])
			}
		}
	}
	return "", ""
}

// onTheWay is put before a unit for what goes home to who of a household gave it.
const onTheWay = "home:"

// count adds what a fact does to the counters of the whole program, and what it puts on the way between members.
func count(counters map[string]map[string]int64, moved map[string]int64, e *books.VolumeEntry) error {
	var err error
	engine.OnTheWay(&e.Fact, &e.Decision, func(unit string, n int64) { // what goes home to who gave it is not lost before it is there
		moved[unit] -= n
		moved[onTheWay+unit] += n
	})
	for _, c := range e.Decision.Counters {
		if !strings.HasPrefix(c.Name, engine.ProgramTally) {
			continue
		}
		if counters[c.Name] == nil {
			counters[c.Name] = map[string]int64{}
		}
		if counters[c.Name][c.Period], err = money.Add(counters[c.Name][c.Period], c.Add); err != nil {
			return err
		}
	}
	for _, p := range e.Decision.Postings {
		switch ledger.Transferred {
		case p.To:
			moved[p.Unit], err = money.Add(moved[p.Unit], p.Amount)
		case p.From:
			moved[p.Unit], err = money.Add(moved[p.Unit], -p.Amount)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
