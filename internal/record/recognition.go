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

// RecognitionsOf says how thanks stand; entries that are none are left out. What was done about them may stand in the books of whoever the member was
// merged into, and so on.
func RecognitionsOf(ctx context.Context, tx *db.Tx, program string, entries []books.Entry) ([]Recognized, error) {
	var given []books.Entry
	var refs []books.Ref
	for i := range entries {
		if b := entries[i].Fact.Recognition; b != nil && b.Do == engine.RecognitionGive {
			given, refs = append(given, entries[i]), append(refs, books.Ref{Program: program, Member: entries[i].Fact.Member})
		}
	}
	sheet := books.ReadSheet()
	if err := openLines(ctx, tx, sheet, refs, nil); err != nil {
		return nil, err
	}
	lines := map[string][]books.Ref{}
	for i := range given {
		line, err := lineOf(sheet, refs[i])
		if err != nil {
			return nil, err
		}
		lines[given[i].Fact.ID] = line
	}
	about, err := books.AboutAll(ctx, tx, lines)
	if err != nil {
		return nil, err
	}
	out := make([]Recognized, 0, len(given))
	for i := range given {
		past := engine.Past{Fact: given[i].Fact, Decision: given[i].Decision}
		for _, e := range about[past.Fact.ID] {
			past.Children = append(past.Children, engine.Past{Fact: e.Fact, Decision: e.Decision})
		}
		r := Recognized{Entry: given[i], Status: engine.StandingOfThanks(&past)}
		st := &sheet.Folio(refs[i]).State
		for k := range st.Thanks {
			if st.Thanks[k].ID == past.Fact.ID {
				r.Status, r.Until = engine.ThanksStandWaiting, &st.Thanks[k].Until
			}
		}
		out = append(out, r)
	}
	return out, nil
}
