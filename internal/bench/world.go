package bench

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/key"
	"lojal.dev/lojal/internal/member"
	"lojal.dev/lojal/internal/money"
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

// build makes a database with the program, a key and members 1 to n, each with stars to spend, and gives the key's secret.
// Everything goes the road that a till's requests go.
func build(ctx context.Context, url string, n int, stars int64) (secret string, err error) {
	d, err := db.Open(ctx, url, db.Options{Migrate: true})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
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
	if err != nil {
		return "", err
	}
	r := record.New(d, &version.Cache{})
	defer r.Close()
	if err := enrol(ctx, r, 1, n, now); err != nil {
		return "", err
	}
	if stars > 0 {
		if err := grant(ctx, r, n, stars, now); err != nil {
			return "", err
		}
	}
	return secret, nil
}

// enrol makes members first to last, each with a card of that number.
func enrol(ctx context.Context, r *record.Recorder, first, last int, now time.Time) error {
	var reqs []record.Request
	for i := first; i <= last; i++ {
		reqs = append(reqs, record.Request{
			Program: programID, Now: now, Actor: actor, Fact: engine.Fact{Kind: engine.Enrolment, Enrolment: &engine.EnrolmentBody{Store: "torggata", Channel: "till"}},
			Enrol: &member.New{Profile: member.Profile{Name: fmt.Sprintf("Member %d", i)}, Identifiers: []member.Identifier{{Kind: member.Card, Value: cardOf(i)}}},
		})
	}
	return taken(r.Batch(ctx, reqs))
}

// firstCard is the number of the first member's card.
const firstCard = 10_000_001

// cardOf is the number of the card of a member, from 1.
func cardOf(i int) string { return itoa(firstCard + i - 1) }

func grant(ctx context.Context, r *record.Recorder, n int, stars int64, now time.Time) error {
	amount := money.New(stars, 0)
	var reqs []record.Request
	for i := 1; i <= n; i++ {
		reqs = append(reqs, record.Request{
			Program: programID, Member: "card:" + cardOf(i), Now: now, Actor: actor,
			Fact: engine.Fact{Kind: engine.AdjustmentK, Adjustment: &engine.Adjustment{Unit: "star", Amount: &amount, Reason: "To be spent"}},
		})
	}
	return taken(r.Batch(ctx, reqs))
}

func taken(outs []record.Outcome) error {
	for _, o := range outs {
		if o.Err != nil {
			return fmt.Errorf("fill the database: %w", o.Err)
		}
	}
	return nil
}
