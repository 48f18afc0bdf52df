package scenario

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	jsonv2 "github.com/go-json-experiment/json"

	"lojal.dev/lojal/internal/claim"
	"lojal.dev/lojal/internal/code"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/member"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/version"
	"lojal.dev/lojal/internal/waiting"
)

// Purchases that no member has yet.

// keeping is a purchase that waits for its member; a number alone is its amount.
type keeping struct {
	// Identifier is what it came with, as KIND:VALUE; a code claims it where there is none.
	Identifier string `json:"identifier,omitzero"`
	engine.Purchase
}

func (k *keeping) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() == '"' {
		k.Amount = new(money.Decimal)
		return jsonv2.UnmarshalDecode(dec, k.Amount)
	}
	type plain keeping
	return jsonv2.UnmarshalDecode(dec, (*plain)(k))
}

// receiptStands is how a purchase that was kept stands; a word alone is the status.
type receiptStands struct {
	Status string `json:"status,omitzero"`
	Until  moment `json:"until,omitzero"`
	// Empty says that all of it came back while it waited.
	Empty *bool `json:"empty,omitzero"`
}

func (r *receiptStands) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	type plain receiptStands
	return orText(dec, &r.Status, (*plain)(r))
}

// counting are the desks' verbs for purchases that wait.
type counting interface {
	// keep has a purchase wait, and gives its id. Where somebody has its identifier it is recorded for that one.
	keep(ctx context.Context, n claim.New) (id string, out *outcome, err error)
	// receipt gives a purchase that waits or waited, and whether nothing is left of it.
	receipt(ctx context.Context, id string, now time.Time) (p waiting.Purchase, empty bool, err error)
	// claim records it for a member, by its code.
	claim(ctx context.Context, id, member string, now time.Time) (*outcome, error)
	// bringBack takes goods of it back; the outcome is nil while it waits.
	bringBack(ctx context.Context, id string, r waiting.Return) (*outcome, error)
	callOff(ctx context.Context, id string, now time.Time) error
	// link gives a member an identifier and records what waits for it; unlink takes it away.
	link(ctx context.Context, member, identifier string, now time.Time) error
	unlink(ctx context.Context, member, identifier string, now time.Time) error
}

// receipt does a step about purchases that wait; ok is false for any other.
func (pl *player) receipt(ctx context.Context, s *step) (out *outcome, ok bool, err error) {
	var id string
	switch {
	case s.Claim != nil:
		id = pl.kept[s.Claim.Of]
	case s.Return != nil:
		id = pl.kept[s.Return.Of]
	case s.Cancel != nil:
		id = pl.kept[s.Cancel.Of]
	}
	if s.Keep == nil && s.Link == "" && s.Unlink == "" && id == "" {
		return nil, false, nil
	}
	at, err := pl.move(s)
	if err != nil {
		return nil, true, err
	}
	switch {
	case s.Keep != nil:
		out, err = pl.keep(ctx, s, at)
	case s.Link != "":
		err = pl.desk.link(ctx, pl.id(pl.who(s)), s.Link, pl.now)
	case s.Unlink != "":
		err = pl.desk.unlink(ctx, pl.id(pl.who(s)), s.Unlink, pl.now)
	case s.Claim != nil:
		if out, err = pl.desk.claim(ctx, id, pl.id(pl.who(s)), pl.now); err == nil {
			pl.owner[s.Claim.Of] = pl.who(s)
			pl.name(s, out)
		}
	case s.Return != nil:
		r := waiting.Return{OccurredAt: at, TakenAt: pl.now, Return: s.Return.Return}
		if r.Source, r.ExternalID, err = s.natural("back-" + strconv.Itoa(pl.step)); err != nil {
			return nil, true, err
		}
		pl.whose = new(string)
		if out, err = pl.desk.bringBack(ctx, id, r); out != nil {
			pl.is(out)
		}
	default:
		pl.whose = new(string)
		err = pl.desk.callOff(ctx, id, pl.now)
	}
	return out, true, err
}

func (pl *player) keep(ctx context.Context, s *step, at time.Time) (*outcome, error) {
	n := claim.New{OccurredAt: at, Purchase: s.Keep.Purchase, Identifier: s.Keep.Identifier, Now: pl.now}
	var err error
	if n.Source, n.ExternalID, err = s.natural(s.As); err != nil {
		return nil, err
	}
	pl.whose = new(string)
	id, out, err := pl.desk.keep(ctx, n)
	switch {
	case err != nil:
	case out != nil:
		pl.is(out)
		pl.name(s, out)
	case s.As != "":
		pl.kept[s.As], pl.links = id, pl.links || n.Identifier != ""
	}
	return out, err
}

// is says that the step was about who the outcome is of.
func (pl *player) is(out *outcome) {
	name := pl.called(out.fact.Member)
	pl.whose = &name
}

// called is the nickname of who has an id; the id where nobody does.
func (pl *player) called(id string) string {
	for _, name := range sortedFields(pl.members) {
		if pl.members[name] == id {
			return name
		}
	}
	return id
}

// natural is a step's natural key, otherwise one made of a name.
func (s *step) natural(name string) (source, number string, err error) {
	if s.Receipt == "" && name == "" {
		return "", "", errors.New("say what it is called, so that it can be claimed: as: NAME")
	}
	source, number, ok := strings.Cut(or(s.Receipt, name), "/")
	if !ok {
		source, number = "till", or(s.Receipt, name)
	}
	return source, number, nil
}

// receipts compares how purchases stand that were kept.
func (pl *player) receipts(ctx context.Context, want map[string]receiptStands) error {
	for _, name := range sortedFields(want) {
		if pl.kept[name] == "" {
			return fmt.Errorf("nothing that is called %q waits or waited", name)
		}
		p, empty, err := pl.desk.receipt(ctx, pl.kept[name], pl.now)
		if err != nil {
			return err
		}
		w, what := want[name], "the receipt "+name
		got := p.Status
		if got == waiting.Open && p.Over(pl.now) {
			got = waiting.Ended
		}
		if w.Status != "" && w.Status != got {
			pl.differ(what, w.Status, got)
		}
		pl.moment(what+", until", w.Until, p.EndsAt, true)
		pl.flag(what+" is empty", w.Empty, empty)
	}
	return nil
}

// The desk of the real flow.

func (c *counter) program(ctx context.Context, tx *db.Tx, now time.Time) (*program.Compiled, *version.Set, error) {
	set, err := c.recorder.Versions().Get(ctx, tx, c.id)
	if err != nil {
		return nil, nil, err
	}
	p := set.At(now)
	return p, set, nil
}

func (c *counter) keep(ctx context.Context, n claim.New) (id string, _ *outcome, err error) {
	var holder string
	err = c.db.Read(ctx, func(tx *db.Tx) error {
		p, set, err := c.program(ctx, tx, n.Now)
		if err == nil {
			holder, err = claim.Holder(ctx, tx, p, set, n)
		}
		return err
	})
	if err != nil {
		return "", nil, err
	}
	if holder != "" {
		f := engine.Fact{Kind: engine.PurchaseK, Source: n.Source, ExternalID: n.ExternalID, OccurredAt: n.OccurredAt, Purchase: &n.Purchase}
		out, err := c.take(ctx, order{member: holder, fact: f, now: n.Now})
		return "", out, err
	}
	err = c.db.Write(ctx, func(tx *db.Tx) error {
		p, set, err := c.program(ctx, tx, n.Now)
		if err != nil {
			return err
		}
		kept, secret, err := claim.Keep(ctx, tx, p, set, n)
		if err == nil {
			id = kept.ID
			c.codes[id] = secret
		}
		return err
	})
	return id, nil, err
}

func (c *counter) receipt(ctx context.Context, id string, now time.Time) (p waiting.Purchase, empty bool, err error) {
	err = c.db.Read(ctx, func(tx *db.Tx) error {
		_, set, err := c.program(ctx, tx, now)
		if err != nil {
			return err
		}
		if p, err = waiting.Get(ctx, tx, c.id, id); err != nil {
			return err
		}
		left, err := claim.Left(set, p)
		empty = !left
		return err
	})
	return p, empty, err
}

func (c *counter) claim(ctx context.Context, id, member string, now time.Time) (*outcome, error) {
	k, err := code.Guard{}.Look(ctx, c.db, code.Asked{Program: c.id, Text: c.codes[id], Kinds: []code.Kind{code.Claim}, By: code.Asker{Key: actor}}, now)
	if err != nil && k.Hash == "" {
		return nil, err
	}
	var out *outcome
	return out, claim.ByCode(ctx, c.db, c.recorder, c.id, k, member, actor, now, func(req record.Request) error {
		r, err := c.recorder.Record(ctx, req)
		if err == nil {
			out = &outcome{fact: r.Fact, decision: r.Decision, version: r.Decision.Version, duplicate: r.Duplicate}
		}
		return err
	})
}

func (c *counter) bringBack(ctx context.Context, id string, r waiting.Return) (*outcome, error) {
	var p waiting.Purchase
	err := c.db.Write(ctx, func(tx *db.Tx) error {
		_, set, err := c.program(ctx, tx, r.TakenAt)
		if err != nil {
			return err
		}
		if p, err = waiting.Get(ctx, tx, c.id, id); err != nil || p.Status == waiting.Claimed {
			return err
		}
		_, err = claim.TakeBack(ctx, tx, c.id, set, p, r)
		return err
	})
	if err != nil || p.Status != waiting.Claimed {
		return nil, err
	}
	f := engine.Fact{Kind: engine.ReturnK, Source: r.Source, ExternalID: r.ExternalID, OccurredAt: r.OccurredAt, Parent: p.Source + "/" + p.ExternalID, Return: &r.Return}
	return c.take(ctx, order{fact: f, now: r.TakenAt})
}

func (c *counter) callOff(ctx context.Context, id string, _ time.Time) error {
	return c.db.Write(ctx, func(tx *db.Tx) error {
		p, err := waiting.Get(ctx, tx, c.id, id)
		if err != nil {
			return err
		}
		return waiting.Settle(ctx, tx, c.id, p, waiting.Cancelled, "", "")
	})
}

func (c *counter) link(ctx context.Context, id, identifier string, now time.Time) error {
	err := c.identify(ctx, identifier, now, func(tx *db.Tx, p *program.Compiled, i member.Identifier) error {
		_, err := member.AddIdentifier(ctx, tx, p, id, i, now)
		return err
	})
	if err == nil {
		_, err = claim.Linked(ctx, c.db, c.recorder, c.id, id, now)
	}
	return err
}

func (c *counter) unlink(ctx context.Context, id, identifier string, now time.Time) error {
	return c.identify(ctx, identifier, now, func(tx *db.Tx, p *program.Compiled, i member.Identifier) error {
		_, err := member.RemoveIdentifier(ctx, tx, p, id, i, now)
		return err
	})
}

func (c *counter) identify(ctx context.Context, identifier string, now time.Time, change func(*db.Tx, *program.Compiled, member.Identifier) error) error {
	return c.db.Write(ctx, func(tx *db.Tx) error {
		p, _, err := c.program(ctx, tx, now)
		if err != nil {
			return err
		}
		i, err := named(p, identifier)
		if err != nil {
			return err
		}
		return change(tx, p, i)
	})
}

func named(p *program.Compiled, identifier string) (member.Identifier, error) {
	i, err := member.ParseIdentifier(p, identifier)
	if err != nil {
		return i, errs.Invalid("invalid_identifier", err.Error())
	}
	return i, nil
}
