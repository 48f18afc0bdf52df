package record

import (
	"context"
	"time"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
)

// Recognized is a member's thanks to another as they stand.
type Recognized struct {
	books.Entry
	// Status is one of engine's words of what thanks can be; Until is when those that wait are let go.
	Status string
	Until  *time.Time
}

// RecognitionsOf says how thanks stand; entries that are none are left out.
func RecognitionsOf(ctx context.Context, tx *db.Tx, program string, entries []books.Entry) ([]Recognized, error) {
	var refs []books.Ref
	for i := range entries {
		refs = append(refs, books.Ref{Program: program, Member: entries[i].Fact.Member})
	}
	sheet := books.ReadSheet()
	if err := sheet.Open(ctx, tx, refs); err != nil {
		return nil, err
	}
	out := make([]Recognized, 0, len(entries))
	for i := range entries {
		f := &entries[i].Fact
		if b := f.Recognition; b == nil || b.Do != engine.RecognitionGive {
			continue
		}
		st := &sheet.Folio(refs[i]).State
		line := []books.Ref{refs[i]}
		if st.MergedInto != "" {
			line = append(line, books.Ref{Program: program, Member: st.MergedInto})
		}
		about, err := books.About(ctx, tx, line, f.ID)
		if err != nil {
			return nil, err
		}
		past := engine.Past{Fact: *f, Decision: entries[i].Decision}
		for _, e := range about {
			past.Children = append(past.Children, engine.Past{Fact: e.Fact, Decision: e.Decision})
		}
		r := Recognized{Entry: entries[i], Status: engine.StandingOfThanks(&past)}
		for k := range st.Thanks {
			if st.Thanks[k].ID == f.ID {
				r.Status, r.Until = engine.ThanksStandWaiting, &st.Thanks[k].Until
			}
		}
		out = append(out, r)
	}
	return out, nil
}
