package claim

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"time"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/version"
	"lojal.dev/lojal/internal/waiting"
)

// later is what came back, as it is recorded with the purchase.
func later(list []waiting.Return) []record.Later {
	var out []record.Later
	for i := range list {
		r := &list[i]
		out = append(out, record.Later{At: r.At(), Fact: engine.Fact{Source: r.Source, ExternalID: r.ExternalID, OccurredAt: r.OccurredAt, Return: &r.Return}})
	}
	return out
}

// mostReturns bounds what is kept with one purchase, far above what a receipt has lines.
const mostReturns = 200

// TakeBack keeps with a purchase that waits what came back of it; the same again changes nothing. What cannot be a part of it is refused as of a
// purchase that counts, by the versions of its day and of that on which it comes back. Errors besides: those of Usable; conflict
// "duplicate_external_id" where the natural key stands for something else.
func TakeBack(ctx context.Context, tx *db.Tx, program string, set *version.Set, p waiting.Purchase, r waiting.Return) (waiting.Purchase, error) {
	if r.Source == "" || r.ExternalID == "" {
		return p, errs.Invalid("invalid_body", "Something is missing.",
			errs.Field{Pointer: "/external_id", Reason: "required", Message: "Give source and external_id: by them the return counts once."})
	}
	if r.OccurredAt.After(r.TakenAt.Add(record.Ahead)) {
		return p, errs.Invalid("in_the_future", "The time lies in the future.", errs.Field{Pointer: "/occurred_at", Reason: "in_the_future", Message: "must not lie more than 5 minutes ahead"})
	}
	if err := record.CheckSource(engine.ReturnK, r.Source); err != nil {
		return p, err
	}
	same := errs.Conflict("duplicate_external_id", "Something else counts under this source and external id.")
	for i := range p.Returns {
		if k := &p.Returns[i]; k.Source == r.Source && k.ExternalID == r.ExternalID {
			if !alike(k, &r) {
				return p, same
			}
			return p, nil
		}
	}
	if err := p.Usable(r.TakenAt); err != nil {
		return p, err
	}
	if len(p.Returns) >= mostReturns {
		return p, errs.Conflict("too_many_returns", "So many returns are kept with this receipt that no more fit: call it off.")
	}
	key := books.NaturalKey{Program: program, Source: r.Source, ExternalID: r.ExternalID}
	known, err := books.Receipts(ctx, tx, []books.NaturalKey{key})
	if err != nil {
		return p, err
	}
	if len(known) > 0 || r.Source == p.Source && r.ExternalID == p.ExternalID {
		return p, same
	}
	next := p
	next.Returns = append(slices.Clip(next.Returns), r)
	if _, err := Left(set, next); err != nil {
		return p, err
	}
	return waiting.TakeBack(ctx, tx, program, p, r)
}

// Left says whether anything is left of a purchase after what came back of it.
func Left(set *version.Set, p waiting.Purchase) (bool, error) {
	if len(p.Returns) == 0 {
		return true, nil
	}
	var list []engine.Fact
	for _, l := range later(p.Returns) {
		f := l.Fact
		f.Kind, f.OccurredAt = engine.ReturnK, l.At
		list = append(list, f)
	}
	whole, err := engine.Back(set, engine.Fact{Kind: engine.PurchaseK, OccurredAt: p.OccurredAt, Purchase: &p.Body}, list)
	return !whole, err
}

func alike(a, b *waiting.Return) bool {
	one, err := json.Marshal(a.Return)
	two, err2 := json.Marshal(b.Return)
	return err == nil && err2 == nil && bytes.Equal(one, two) && a.OccurredAt.Truncate(time.Microsecond).Equal(b.OccurredAt.Truncate(time.Microsecond))
}
