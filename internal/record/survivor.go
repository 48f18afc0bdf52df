package record

import (
	"context"
	"errors"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
)

// mostMerges bounds how many merges are followed from one account: no program merges the same person so often.
const mostMerges = 100

// Survivor follows merges from a member to the one who stands for them now, and gives that one's state. Every account on the way is asked for by
// state, in order.
func Survivor(member string, state func(member string) (*engine.State, error)) (string, *engine.State, error) {
	for range mostMerges {
		st, err := state(member)
		if err != nil || st.MergedInto == "" {
			return member, st, err
		}
		member = st.MergedInto
	}
	return "", nil, errors.New("members merged in a circle")
}

// StatesOf reads the states of a program's accounts, one at a time: see Survivor.
func StatesOf(ctx context.Context, tx *db.Tx, program string) func(member string) (*engine.State, error) {
	return func(member string) (*engine.State, error) {
		return stateOf(ctx, tx, books.Ref{Program: program, Member: member})
	}
}

func stateOf(ctx context.Context, tx *db.Tx, ref books.Ref) (*engine.State, error) {
	sheet := books.ReadSheet()
	if err := sheet.Open(ctx, tx, []books.Ref{ref}); err != nil {
		return nil, err
	}
	return &sheet.Folio(ref).State, nil
}

// openLines opens accounts, and the survivors of those that were merged, each round in one read; merge, unless nil, hears of every merge.
func openLines(ctx context.Context, tx *db.Tx, sheet *books.Sheet, refs []books.Ref, merge func(from, into books.Ref)) error {
	for len(refs) > 0 {
		if err := sheet.Open(ctx, tx, refs); err != nil {
			return err
		}
		var more []books.Ref
		for _, ref := range refs {
			into := sheet.Folio(ref).State.MergedInto
			if into == "" {
				continue
			}
			next := books.Ref{Program: ref.Program, Member: into}
			if merge != nil {
				merge(ref, next)
			}
			if sheet.Folio(next) == nil {
				more = append(more, next)
			}
		}
		refs = more
	}
	return nil
}

// lineOf lists the accounts from one to the one that stands for it now, as they stand in a sheet that has them open.
func lineOf(sheet *books.Sheet, ref books.Ref) (line []books.Ref, err error) {
	_, _, err = Survivor(ref.Member, func(member string) (*engine.State, error) {
		at := books.Ref{Program: ref.Program, Member: member}
		line = append(line, at)
		return &sheet.Folio(at).State, nil
	})
	return line, err
}
