package scenario

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/code"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errand"
	"lojal.dev/lojal/internal/giftcard"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/member"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/partner"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/version"
)

// Options say where scenarios are played and how what came of them is told.
type Options struct {
	// DB is a migrated database; without it, a SQLite file of its own that is gone afterwards. Each scenario makes a program
	// of its own in it.
	DB *db.DB
	// Out is where the report goes, in words or, with JSON, as JSON. Nil is nowhere.
	Out  io.Writer
	JSON bool
	// Parallel is how many scenarios are played at once, 4 when 0.
	Parallel int
}

// Run plays all scenarios of the files and folders and tells what differs. That something differs is no error: see
// Report.Failed. Errors: not_found for a path that is not there; invalid "invalid_scenario" for files that cannot be read,
// each mistake with FILE:LINE; invalid "no_scenarios".
func Run(ctx context.Context, paths []string, opts Options) (Report, error) {
	d := opts.DB
	if d == nil {
		own, done, err := temporary(ctx)
		if err != nil {
			return Report{}, err
		}
		defer done()
		d = own
	}
	if opts.Parallel <= 0 {
		opts.Parallel = 4
	}
	versions := new(version.Cache)
	recorder := record.New(d, versions)
	defer recorder.Close()
	r, err := play(ctx, paths, opts.Parallel, func(_ context.Context, name string) (desk, error) {
		id := fold(name)
		if len(id) > 20 {
			id = id[:20]
		}
		return &counter{db: d, recorder: recorder, id: strings.ToLower("s-" + id + "-" + rand.Text()[:12]), codes: map[string]string{}}, nil
	})
	if err != nil || opts.Out == nil {
		return r, err
	}
	if opts.JSON {
		e := json.NewEncoder(opts.Out)
		e.SetIndent("", "  ")
		return r, e.Encode(r)
	}
	r.Write(opts.Out)
	return r, nil
}

func temporary(ctx context.Context) (*db.DB, func(), error) {
	dir, err := os.MkdirTemp("", "lojal-scenario")
	if err != nil {
		return nil, nil, fmt.Errorf("make a folder for the database: %w", err)
	}
	d, err := db.Open(ctx, "sqlite:"+filepath.Join(dir, "scenarios.db"), db.Options{Migrate: true, Connections: 4})
	if err != nil {
		_ = os.RemoveAll(dir) // the error of opening says more
		return nil, nil, err
	}
	return d, func() {
		_ = d.Close() // nothing in it is wanted any more
		_ = os.RemoveAll(dir)
	}, nil
}

// counter is a desk at which the real flow takes the facts.
type counter struct {
	db       *db.DB
	recorder *record.Recorder
	id       string
	members  []string
	versions int               // how many were published
	codes    map[string]string // of purchases that wait
}

const actor = "scenario"

func (c *counter) publish(ctx context.Context, d *program.Document, from *time.Time, now time.Time) error {
	d.Program = c.id
	c.versions++
	return c.db.Write(ctx, func(tx *db.Tx) error {
		_, err := version.Publish(ctx, tx, version.PublishInput{Program: c.id, Document: d, From: from, By: actor, Now: now})
		return err
	})
}

func (c *counter) request(o order) (record.Request, error) {
	r := record.Request{Program: c.id, Fact: o.fact, Now: o.now, Actor: actor, Own: o.fact.Source == engine.OrderSource}
	r.Name(o.member)
	if b := o.fact.Enrolment; o.fact.Kind == engine.Enrolment && b.Kind == engine.GiftCard {
		r.Holder = ids.New(giftcard.IDPrefix, o.now)
	} else if o.fact.Kind == engine.Enrolment && b.Kind == engine.CouponCode {
		r.Holder = ids.New(code.CouponPrefix, o.now)
	} else if o.fact.Kind == engine.Enrolment && engine.IsHouse(b.Kind) {
		r.Holder = ids.New(record.HousePrefix(b.Kind), o.now)
	}
	r.Fact.Member = ""
	if c := o.profile; c != nil {
		r.Patch = &member.Patch{Birth: c.Birth, Zone: c.Zone, Language: c.Language, Attributes: map[string]*string{}}
		for name, v := range c.Attributes {
			r.Patch.Attributes[name] = &v
		}
	}
	if o.enrol != nil {
		r.Enrol = &member.New{Profile: member.Profile{Language: o.enrol.Language, Zone: o.enrol.Zone, Phone: o.enrol.Phone, Email: o.enrol.Email,
			Birth: o.enrol.Birth, Attributes: o.enrol.Attributes}}
		if o.enrol.Card != "" {
			r.Enrol.Identifiers = []member.Identifier{{Kind: member.Card, Value: o.enrol.Card}}
		}
		for _, text := range o.enrol.Identifiers {
			kind, value, _ := strings.Cut(text, ":")
			r.Enrol.Identifiers = append(r.Enrol.Identifiers, member.Identifier{Kind: kind, Value: value})
		}
	}
	if o.key != "" {
		said, err := json.Marshal([]any{o.member, o.fact.Source, o.fact.ExternalID, o.fact.Kind, o.fact.Purchase, o.fact.Return, o.fact.Activity,
			o.fact.Redemption, o.fact.Adjustment, o.fact.Transfer, o.fact.Parent})
		if err != nil {
			return r, fmt.Errorf("write down the request: %w", err)
		}
		r.Key = &record.Key{Client: actor, Key: o.key, Hash: sha256.Sum256(said)}
		r.Render = func(res *record.Result) (int, []byte) {
			b, err := json.Marshal(answer{res.Fact, res.Decision, res.Duplicate})
			if err != nil {
				return 500, nil
			}
			return 201, b
		}
	}
	return r, nil
}

// answer is what is replayed to an Idempotency-Key.
type answer struct {
	Fact      engine.Fact     `json:"fact"`
	Decision  engine.Decision `json:"decision"`
	Duplicate bool            `json:"duplicate"`
}

func (c *counter) take(ctx context.Context, o order) (*outcome, error) {
	req, err := c.request(o)
	if err != nil {
		return nil, err
	}
	r, err := c.recorder.Record(ctx, req)
	if err != nil {
		return nil, err
	}
	if r.Replayed {
		var a answer
		if err := json.Unmarshal(r.Answer, &a); err != nil {
			return nil, fmt.Errorf("read the replayed answer: %w", err)
		}
		return &outcome{fact: a.Fact, decision: a.Decision, version: a.Decision.Version, duplicate: a.Duplicate, replayed: true}, nil
	}
	if o.fact.Kind == engine.Enrolment {
		c.members = append(c.members, r.Fact.Member)
	}
	return &outcome{fact: r.Fact, decision: r.Decision, version: r.Decision.Version, duplicate: r.Duplicate}, nil
}

func (c *counter) simulate(ctx context.Context, o order) (*outcome, error) {
	req, err := c.request(o)
	if err != nil {
		return nil, err
	}
	all, err := c.recorder.Simulate(ctx, c.id, []record.Request{req}, record.SimOptions{})
	if err != nil {
		return nil, err
	}
	if all[0].Err != nil {
		return nil, all[0].Err
	}
	r := all[0].Result
	return &outcome{fact: r.Fact, decision: r.Decision, version: r.Decision.Version}, nil
}

// sweep brings up the members of this scenario only: others play in the same database, at other times.
func (c *counter) sweep(ctx context.Context, now time.Time) error {
	refs := make([]books.Ref, len(c.members))
	for i, m := range c.members {
		refs[i] = books.Ref{Program: c.id, Member: m}
	}
	if c.versions > 1 {
		_, err := c.recorder.Replan(ctx, refs, now)
		return err
	}
	_, err := c.recorder.BringUp(ctx, refs, now)
	return err
}

func (c *counter) pay(ctx context.Context, id string, amount money.Decimal, now time.Time) error {
	return c.db.Write(ctx, func(tx *db.Tx) error {
		set, err := c.recorder.Versions().Get(ctx, tx, c.id)
		if err != nil {
			return err
		}
		_, _, err = partner.Pay(ctx, tx, partner.New{Program: set.At(now), Partner: id, Reference: ids.New("pay", now), Amount: amount, Actor: actor, Now: now})
		return err
	})
}

func (c *counter) follow(ctx context.Context, now time.Time) error {
	return errand.CatchUp(ctx, c.db, c.recorder, c.id, now)
}

func (c *counter) facts(ctx context.Context, member string, after int64) ([]engine.Past, error) {
	var out []engine.Past
	err := c.db.Read(ctx, func(tx *db.Tx) error {
		out = nil
		for before := int64(0); ; {
			page, err := books.Facts(ctx, tx, books.Ref{Program: c.id, Member: member}, books.Page{Before: before, Limit: 50})
			if err != nil {
				return err
			}
			for _, e := range page {
				if e.Seq <= after {
					return nil
				}
				out = append(out, engine.Past{Fact: e.Fact, Decision: e.Decision})
				before = e.Seq
			}
			if len(page) < 50 {
				return nil
			}
		}
	})
	slices.Reverse(out)
	return out, err
}

func isCard(account string) bool {
	return strings.HasPrefix(account, giftcard.IDPrefix+"_") || strings.HasPrefix(account, code.CouponPrefix+"_")
}

func (c *counter) benefits(ctx context.Context, member string, now time.Time) ([]engine.Standing, error) {
	if isCard(member) { // has none
		return nil, nil
	}
	list, _, _, err := c.recorder.Benefits(ctx, c.id, member, "", nil, now)
	return list, err
}

func (c *counter) view(ctx context.Context, member string, now time.Time) (*engine.Account, *program.Compiled, []engine.Offer, error) {
	if isCard(member) {
		acc, p, err := c.recorder.ViewCard(ctx, c.id, member, now)
		if err != nil {
			return nil, nil, nil, err
		}
		return acc, p, engine.Offers(p, acc, nil, now), nil
	}
	offers, acc, p, err := c.recorder.Offers(ctx, c.id, member, now)
	return acc, p, offers, err
}
