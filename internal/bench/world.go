package bench

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/key"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/version"
)

//go:embed program.yaml
var programText []byte

// programID is the program that is measured.
const programID = "bench"

// actor is who recorded what is there before the measuring begins.
const actor = "bench"

// firstCard is the number of the first member's card.
const firstCard = 10_000_001

// publish puts the program in force and makes a key.
func publish(ctx context.Context, d *db.DB) (secret string, err error) {
	doc, err := program.Parse(programText, "program.yaml")
	if err != nil {
		return "", err
	}
	now := time.Now()
	err = d.Write(ctx, func(tx *db.Tx) error {
		_, err := version.Publish(ctx, tx, version.PublishInput{Program: doc.Program, Document: doc, By: actor, Now: now})
		if err != nil {
			return err
		}
		_, secret, err = key.Create(ctx, tx, key.New{Program: doc.Program, Name: "bench", Scopes: []string{key.Admin}, Now: now})
		return err
	})
	return secret, err
}

// world is a database with a program in it.
type world struct {
	url    string
	secret string
	grown
	// purchasesBefore counts the purchases that were there before the measuring.
	caster *caster
}

// found makes a database with the program and nobody in it.
func (b *run) found(ctx context.Context, name string) (_ *world, err error) {
	u, err := b.ground.fresh(ctx, name)
	if err != nil {
		return nil, err
	}
	d, err := db.Open(ctx, u, db.Options{Migrate: true})
	if err != nil {
		return nil, err
	}
	secret, err := publish(ctx, d)
	if b.ground.version == "" {
		b.ground.version = sqliteVersion(ctx, d)
		b.out.Version = b.ground.version
	}
	return &world{url: u, secret: secret, caster: &caster{card: firstCard}}, errors.Join(err, d.Close())
}

func sqliteVersion(ctx context.Context, d *db.DB) (v string) {
	_ = d.Read(ctx, func(tx *db.Tx) error { // without it the report lacks a word
		return tx.QueryRow(ctx, `SELECT sqlite_version()`).Scan(&v)
	})
	return v
}

// settle lets members with the given histories in.
func (b *run) settle(ctx context.Context, w *world, moulds []*mould, members int, limit bound) error {
	w.caster.moulds, w.caster.turn = moulds, 0
	more, err := w.caster.grow(ctx, b.ground, w.url, members, limit)
	w.Members += more.Members
	w.Purchases += more.Purchases
	w.lots += more.lots
	w.Stopped = more.Stopped
	if err != nil {
		return err
	}
	if err := b.ground.settle(ctx, w.url); err != nil {
		return err
	}
	w.Bytes, err = b.ground.size(ctx, w.url)
	return err
}

// regulars are members of the last half year with stars to spend.
func (b *run) regulars() history {
	now := time.Now()
	return history{name: "regulars", moulds: b.opts.Moulds, purchases: spread7, from: now.AddDate(0, -6, 0), until: now.Add(-time.Hour), stars: 5000, seed: b.opts.Seed}
}

// inBooks counts the purchases in the books.
func (w *world) inBooks(ctx context.Context) (n int, err error) {
	d, err := db.Open(ctx, w.url, db.Options{})
	if err != nil {
		return 0, err
	}
	err = d.Read(ctx, func(tx *db.Tx) error {
		return tx.QueryRow(ctx, `SELECT COUNT(*) FROM facts WHERE program_id = $1 AND kind = 'purchase'`, programID).Scan(&n)
	})
	return n, errors.Join(err, d.Close())
}

func taken(outs []record.Outcome) error {
	for _, o := range outs {
		if o.Err != nil {
			return fmt.Errorf("fill the database: %w", o.Err)
		}
	}
	return nil
}
