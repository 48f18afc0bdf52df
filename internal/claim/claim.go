// Package claim keeps purchases that no member has yet, and records them once somebody claims the receipt or has the card.
//
// It owns the rules of that: until when, with what, for whom. It does not own the table of what waits (waiting), the codes (code), nor how
// a purchase is recorded (record). What always holds: a purchase that waits is recorded at most once, by its natural key, whoever claims it
// and whoever else sends it; it is settled in the transaction that records it.
package claim

import (
	"context"
	"fmt"
	"time"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/code"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/job"
	"lojal.dev/lojal/internal/member"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/version"
	"lojal.dev/lojal/internal/waiting"
)

// New is a purchase to keep.
type New struct {
	Source, ExternalID string
	// OccurredAt is now when zero.
	OccurredAt time.Time
	Purchase   engine.Purchase
	// Identifier is what it came with, as KIND:VALUE. Without it a code is drawn.
	Identifier string
	Now        time.Time

	identifier member.Identifier
}

// check says what is wrong with the purchase in itself.
func (n *New) check(p *program.Compiled, set *version.Set) (err error) {
	switch {
	case n.Source == "" || n.ExternalID == "":
		return errs.Invalid("invalid_body", "Something is missing.",
			errs.Field{Pointer: "/external_id", Reason: "required", Message: "Give source and external_id: by them the receipt counts once."})
	case len(n.Purchase.Spend) > 0 || len(n.Purchase.Redemptions) > 0:
		return errs.Invalid("invalid_purchase", "The purchase has mistakes.", errs.Field{Pointer: "/spend", Reason: "no_member", Message: "goes only with a member"})
	case len(n.Purchase.Codes) > 0:
		return errs.Invalid("invalid_purchase", "The purchase has mistakes.", errs.Field{Pointer: "/codes", Reason: "no_member", Message: "goes only with a member: use the code by itself, and send what it took off among the discounts"})
	case n.OccurredAt.After(n.Now.Add(record.Ahead)):
		return errs.Invalid("in_the_future", "The time lies in the future.", errs.Field{Pointer: "/occurred_at", Reason: "in_the_future", Message: "must not lie more than 5 minutes ahead"})
	}
	if n.Identifier != "" {
		if n.identifier, err = member.ParseIdentifier(p, n.Identifier); err != nil {
			return errs.Invalid("invalid_identifier", err.Error(), errs.Field{Pointer: "/identifier", Reason: "invalid_identifier", Message: err.Error()})
		}
	}
	if then := set.At(n.at()); then != nil {
		p = then
	}
	if err := record.CheckSource(engine.PurchaseK, n.Source); err != nil {
		return err
	}
	return engine.Check(p, engine.Fact{Kind: engine.PurchaseK, Purchase: &n.Purchase})
}

func (n *New) at() time.Time {
	if n.OccurredAt.IsZero() {
		return n.Now
	}
	return n.OccurredAt.UTC().Truncate(time.Microsecond)
}

// Holder gives the id of the member who has the identifier of a purchase, "" for nobody. Errors are those of Keep, but for the conflict.
func Holder(ctx context.Context, tx *db.Tx, p *program.Compiled, set *version.Set, n New) (string, error) {
	if err := n.check(p, set); err != nil || n.Identifier == "" {
		return "", err
	}
	id, err := member.Resolve(ctx, tx, p, n.identifier.String())
	if errs.CodeOf(err) == errs.CodeNotFound {
		return "", nil
	}
	return id, err
}

// Keep has a purchase wait, and gives the code that claims it, "" where it waits for an identifier or waited already. Errors: invalid
// "invalid_purchase", "invalid_identifier", "in_the_future", or whatever the engine has against the purchase; conflict "duplicate_external_id" where the receipt counts for a member, or waits with other content.
func Keep(ctx context.Context, tx *db.Tx, p *program.Compiled, set *version.Set, n New) (kept waiting.Purchase, secret string, err error) {
	if err := n.check(p, set); err != nil {
		return kept, "", err
	}
	id := p.Doc.Program
	kept = waiting.Purchase{Source: n.Source, ExternalID: n.ExternalID, Body: n.Purchase, OccurredAt: n.at(), CreatedAt: n.Now}
	if n.Identifier == "" {
		ends := p.Doc.Claims.ClaimWithin().After(kept.OccurredAt, p.Zone)
		kept.EndsAt = &ends
	} else {
		kept.Kind, kept.Value = n.identifier.Kind, n.identifier.Value
		if c := p.Doc.Claims; c != nil && c.Linked != nil {
			ends := c.Linked.After(kept.OccurredAt, p.Zone)
			kept.EndsAt = &ends
		}
	}
	known := map[books.NaturalKey]books.Receipt{}
	if err := tx.Find(ctx, books.AskReceipts([]books.NaturalKey{{Program: id, Source: n.Source, ExternalID: n.ExternalID}}, known)); err != nil {
		return kept, "", err
	}
	if len(known) > 0 {
		return kept, "", errs.Conflict("duplicate_external_id", "This receipt counts for a member already.")
	}
	kept, fresh, err := waiting.Keep(ctx, tx, id, kept)
	if err != nil || !fresh || kept.Kind != "" {
		return kept, "", err
	}
	k, err := code.MakeKey(ctx, tx, id, n.Now)
	if err != nil {
		return kept, "", err
	}
	drawn := code.New{Kind: code.Claim, Text: code.Draw(), Subject: kept.ID, EndsAt: kept.EndsAt}
	c, err := k.Of(drawn, n.Now)
	if err != nil {
		return kept, "", err
	}
	return kept, code.Show(drawn.Text), code.Keep(ctx, tx, id, []code.Code{c})
}

// Request is the request that records a purchase that waits for a member, and settles it. Its error is to be read by Why.
func Request(program string, p waiting.Purchase, ref, actor string, now time.Time) record.Request {
	return record.Request{
		Program: program, Member: ref, Now: now, Actor: actor, Then: later(p.Returns),
		Fact: engine.Fact{Kind: engine.PurchaseK, Source: p.Source, ExternalID: p.ExternalID, OccurredAt: p.OccurredAt, Purchase: &p.Body},
		Beside: func(ctx context.Context, tx *db.Tx, r *record.Result) error {
			return waiting.Settle(ctx, tx, program, p, waiting.Claimed, r.Fact.Member, r.Fact.ID)
		},
	}
}

// ByCode records the purchase of a receipt's code for who claims it: submit records the request, and does so again where goods came back just then.
// The same member may claim again, and is answered as before. Errors: conflict "code_ended", "claim_ended", "receipt_cancelled", "receipt_claimed", or what
// submit has.
func ByCode(ctx context.Context, d *db.DB, r *record.Recorder, program string, c code.Code, ref, actor string, now time.Time, submit func(record.Request) error) error {
	var p waiting.Purchase
	read := func() error {
		return d.Read(ctx, func(tx *db.Tx) (err error) {
			p, err = waiting.Get(ctx, tx, program, c.Subject)
			return err
		})
	}
	err := read()
	if err == nil && p.Status != waiting.Claimed {
		if err = c.Usable(now); err == nil {
			err = p.Usable(now)
		}
	}
	if err != nil {
		return err
	}
	for {
		err = submit(Request(program, p, ref, actor, now))
		if !errs.Is(err, errs.CodeConflict, "receipt_changed") || ctx.Err() != nil {
			break
		}
		if err := read(); err != nil {
			return err
		}
	}
	if p.Status == waiting.Open && (err == nil || errs.Is(err, errs.CodeConflict, "duplicate_external_id")) {
		if err := Counted(ctx, d, r, program, p, now); err != nil {
			return err
		}
	}
	return Why(err)
}

// Why says of a receipt that counts for another member what that means for who claims it: conflict "receipt_claimed".
func Why(err error) error {
	if errs.Is(err, errs.CodeConflict, "duplicate_external_id") {
		return errs.Conflict("receipt_claimed", "This receipt was claimed already.")
	}
	return err
}

// Refused is a purchase that could not be recorded, and why.
type Refused struct {
	Purchase waiting.Purchase
	Err      error
}

// Outcome is what was recorded of what waited.
type Outcome struct {
	Recorded []*record.Result
	Refused  []Refused
	// More says that there may be more.
	More bool
}

// most bounds what one call of Linked records; page is how many are read at once.
const most, page = 200, 200

// tries is how often a purchase is read again of which goods came back meanwhile.
const tries = 10

// Linked records for a member what waits for the identifiers that the member has now. That is nobody's wish: the purchases are those
// that whoever may record purchases has told of, and having the identifier says whose they are. So they are recorded by record.System,
// whoever gave the member the identifier. What is refused stays waiting, but for a receipt that counts already, and keeps none of the others from being recorded.
func Linked(ctx context.Context, d *db.DB, r *record.Recorder, program, id string, now time.Time) (Outcome, error) {
	var out Outcome
	var m member.Member
	var has map[member.Identifier]bool
	err := d.Read(ctx, func(tx *db.Tx) (err error) {
		if m, err = member.Get(ctx, tx, program, id); err == nil {
			has, err = waiting.For(ctx, tx, program, m.Identifiers)
		}
		return err
	})
	if err != nil {
		return out, err
	}
	for _, i := range m.Identifiers {
		for last := (waiting.Purchase{}); has[i] && len(out.Recorded) < most; {
			var list []waiting.Purchase
			err := d.Read(ctx, func(tx *db.Tx) (err error) {
				list, err = waiting.Of(ctx, tx, program, i, now, last, page)
				return err
			})
			if err != nil {
				return out, err
			}
			if len(list) == 0 {
				break
			}
			last = list[len(list)-1]
			if err := out.record(ctx, d, r, program, id, list, now); err != nil {
				return out, err
			}
		}
	}
	out.More = len(out.Recorded) >= most
	return out, nil
}

func (o *Outcome) record(ctx context.Context, d *db.DB, r *record.Recorder, program, id string, list []waiting.Purchase, now time.Time) error {
	reqs := make([]record.Request, len(list))
	for k := range list {
		reqs[k] = Request(program, list[k], id, record.System, now)
	}
	for k, done := range r.Batch(ctx, reqs) {
		for n := 0; n < tries && errs.Is(done.Err, errs.CodeConflict, "receipt_changed"); n++ {
			err := d.Read(ctx, func(tx *db.Tx) (err error) {
				list[k], err = waiting.Get(ctx, tx, program, list[k].ID)
				return err
			})
			if err != nil {
				return err
			}
			done.Result, done.Err = r.Record(ctx, Request(program, list[k], id, record.System, now))
		}
		switch {
		case done.Err == nil:
			o.Recorded = append(o.Recorded, done.Result)
		case errs.CodeOf(done.Err) == errs.CodeUnavailable || errs.CodeOf(done.Err) == errs.CodeInternal:
			return fmt.Errorf("record what waited as %s: %w", list[k].ID, done.Err)
		default:
			if errs.Is(done.Err, errs.CodeConflict, "duplicate_external_id") {
				if err := Counted(ctx, d, r, program, list[k], now); err != nil {
					return err
				}
			}
			o.Refused = append(o.Refused, Refused{list[k], Why(done.Err)})
		}
	}
	return nil
}

// Counted settles a purchase that counts for a member already, by another road, if it does: it waits for nobody any more. What came back of it while it waited comes
// back to that member first, once, by the natural keys of the returns, so that what ends in between begins again; what is refused of that is what the
// till is told as it tells it again.
func Counted(ctx context.Context, d *db.DB, r *record.Recorder, program string, p waiting.Purchase, now time.Time) error {
	key := books.NaturalKey{Program: program, Source: p.Source, ExternalID: p.ExternalID}
	var has books.Receipt
	var counts bool
	err := d.Read(ctx, func(tx *db.Tx) error {
		known, err := books.Receipts(ctx, tx, []books.NaturalKey{key})
		has, counts = known[key]
		return err
	})
	if err != nil || !counts {
		return err
	}
	for _, l := range later(p.Returns) {
		f := l.Fact
		f.Kind, f.Parent = engine.ReturnK, p.Source+"/"+p.ExternalID
		_, err := r.Record(ctx, record.Request{Program: program, Fact: f, Now: now, Actor: record.System})
		if errs.CodeOf(err) == errs.CodeUnavailable || errs.CodeOf(err) == errs.CodeInternal {
			return err
		}
	}
	err = d.Write(ctx, func(tx *db.Tx) error {
		return waiting.Settle(ctx, tx, program, p, waiting.Claimed, has.Member, has.Fact)
	})
	if errs.Is(err, errs.CodeConflict, "receipt_claimed") || errs.Is(err, errs.CodeConflict, "receipt_changed") {
		return nil // somebody else has just done it, or will
	}
	return err
}

// Waits gives those of the members for whose identifiers something waits.
func Waits(ctx context.Context, tx *db.Tx, program string, members []string) ([]string, error) {
	if len(members) == 0 {
		return nil, nil
	}
	of, err := member.IdentifiersOf(ctx, tx, program, members)
	if err != nil {
		return nil, err
	}
	var all []member.Identifier
	for _, id := range members {
		all = append(all, of[id]...)
	}
	has, err := waiting.For(ctx, tx, program, all)
	var out []string
	for _, id := range members {
		for _, i := range of[id] {
			if has[i] {
				out = append(out, id)
				break
			}
		}
	}
	return out, err
}

// EndKind is the job that settles what nobody claimed in time.
const EndKind = "claims.end"

// Handle has the runner's node settle what nobody claimed in time.
func Handle(r *job.Runner, d *db.DB, clock func() time.Time) {
	r.Handle(EndKind, job.Worker{Every: 15 * time.Minute, Run: func(ctx context.Context, _ *job.Job) error { return End(ctx, d, clock()) }})
}

// End settles what nobody claimed in time, in short transactions. Until then it is over all the same.
func End(ctx context.Context, d *db.DB, now time.Time) error {
	for n := page; n == page; {
		err := d.Write(ctx, func(tx *db.Tx) (err error) {
			n, err = waiting.End(ctx, tx, now, page)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
