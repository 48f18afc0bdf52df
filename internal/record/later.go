package record

import (
	"time"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
)

// Later is a return that was told before its purchase could be recorded, and is recorded with it.
type Later struct {
	// Fact has Source, ExternalID and Return, and OccurredAt as it was told, zero where it was not: so that who tells it once more, of the
	// purchase by its natural key, gets this one.
	Fact engine.Fact
	// At is when it happened.
	At time.Time
}

func (l *Later) key(program string) books.NaturalKey {
	return books.NaturalKey{Program: program, Source: l.Fact.Source, ExternalID: l.Fact.ExternalID}
}

// withLater decides a purchase and its returns, each at its own time. What is refused leaves nothing of the others.
func (w *walk) withLater(f *books.Folio) (*Result, error) {
	undo := f.Mark()
	r, err := w.one(f)
	if err != nil {
		return nil, err
	}
	if err := w.catchUp(f, r.Program, r.Fact.OccurredAt); err != nil {
		undo()
		return nil, err
	}
	var receipts []books.Receipt
	var entries []books.Entry
	for i := range w.t.req.Then {
		var known books.Receipt
		if known, err = w.later(f, r, &w.t.req.Then[i]); err != nil {
			undo()
			return nil, err
		}
		last := &r.Then[i]
		receipts, entries = append(receipts, known), append(entries, books.Entry{Seq: f.State.Seq, Fact: last.Fact, Decision: last.Decision})
		if err = w.catchUp(f, w.version(entries[i]), last.Fact.OccurredAt); err != nil {
			undo()
			return nil, err
		}
	}
	for i, known := range receipts {
		w.u.sheet.AddReceipt(known)
		w.u.receipts[known.NaturalKey] = known
		w.u.first[books.FactOf{Program: known.Program, ID: known.Fact}] = entries[i]
	}
	return r, nil
}

func (w *walk) later(f *books.Folio, r *Result, l *Later) (books.Receipt, error) {
	t := w.t
	out := books.Receipt{NaturalKey: l.key(t.req.Program), Member: f.Member}
	if known, ok := w.u.receipts[out.NaturalKey]; ok {
		return out, errs.Conflict("return_known", "A return of this receipt was told under a source and external id that something else counts under. Call the receipt off and tell both again.").With("fact", known.Fact)
	}
	fact := l.Fact
	fact.Kind, fact.Parent = engine.ReturnK, r.Fact.Source+"/"+r.Fact.ExternalID
	var err error
	if out.Hash, err = contentHash(Request{Fact: fact}); err != nil {
		return out, err
	}
	fact.Parent, fact.Member, fact.OccurredAt, fact.RecordedAt, fact.Actor = r.Fact.ID, f.Member, l.At, t.fact.RecordedAt, t.fact.Actor
	if err := w.bringUp(f, fact.OccurredAt); err != nil {
		return out, err
	}
	p, err := w.programAt(fact.OccurredAt)
	if err != nil {
		return out, err
	}
	fact.ID = ids.NewIn(prefixOf(fact.Kind), fact.RecordedAt, f.Bucket())
	if fact, err = w.drawn(f, p, fact); err != nil {
		return out, err
	}
	d, err := w.decide(f, p, fact)
	if err != nil {
		return out, err
	}
	r.Then = append(r.Then, engine.Past{Fact: fact, Decision: d})
	out.Fact = fact.ID
	return out, nil
}
