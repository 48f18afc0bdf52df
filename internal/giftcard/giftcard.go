// Package giftcard keeps what is known of a gift card besides its books: who it is for, the greeting, how it looks.
//
// It owns the table gift_cards. It does not own what is on a card (books) nor its code (code). What always holds: a card that has a row
// here has an account of its own in the books; what stands here may be changed or erased without touching them.
package giftcard

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/program"
)

// IDPrefix is the type prefix of the ids of gift cards, and of their accounts.
const IDPrefix = "gft"

// Data is what a card says and how it looks.
type Data struct {
	// To and ToEmail say who it is for, From who gives it.
	To      string `json:"to,omitempty"`
	ToEmail string `json:"to_email,omitempty"`
	From    string `json:"from,omitempty"`
	// Greeting is what the giver writes; the program's own when left out.
	Greeting string `json:"greeting,omitempty"`
	// Look is one of the program's looks.
	Look string `json:"look,omitempty"`
	// Language is nb, sv, da or en.
	Language string `json:"language,omitempty"`
	// SendAt is when it is to be sent, for whoever sends it.
	SendAt *time.Time `json:"send_at,omitempty"`
	// Reference is the caller's own name for it: an order, a line.
	Reference string `json:"reference,omitempty"`
}

// Check says all that is wrong with the data; pointers begin with at.
func (d *Data) Check(p *program.Compiled, at string) []errs.Field {
	var out []errs.Field
	fail := func(name, reason, message string) {
		out = append(out, errs.Field{Pointer: at + "/" + name, Reason: reason, Message: message})
	}
	for name, text := range map[string]string{"to": d.To, "from": d.From, "to_email": d.ToEmail, "reference": d.Reference} {
		if utf8.RuneCountInString(text) > 200 || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' }) {
			fail(name, "invalid_text", "must be at most 200 characters on one line")
		}
	}
	if utf8.RuneCountInString(d.Greeting) > 2000 {
		fail("greeting", "too_long", "must be at most 2,000 characters")
	}
	if d.ToEmail != "" && !strings.Contains(d.ToEmail, "@") {
		fail("to_email", "not_an_address", "is not an e-mail address")
	}
	if g := p.Doc.GiftCards; d.Look != "" && g != nil {
		if _, known := g.Looks[d.Look]; !known {
			fail("look", "unknown_look", "is none of the program's looks")
		}
	}
	if d.Language != "" && lang.Known(d.Language) == "" {
		fail("language", "unknown_language", "must be nb, sv, da or en")
	}
	return out
}

// Card is a row.
type Card struct {
	ID        string
	Batch     string
	Sample    bool
	Data      Data
	CreatedAt time.Time
}

var insertCards = db.NewInsert("gift_cards", []string{"bucket integer", "program_id text", "card_id text", "batch text", "sample integer", "data text", "created_at bigint"}, "")

// Keep writes a card with what else the transaction writes at its end.
func Keep(tx *db.Tx, program string, c Card) error {
	text, err := json.Marshal(c.Data)
	if err != nil {
		return fmt.Errorf("write gift card %s: %w", c.ID, err)
	}
	sample := 0
	if c.Sample {
		sample = 1
	}
	tx.InsertLater(insertCards, []any{ids.Bucket(program, c.ID), program, c.ID, c.Batch, sample, string(text), c.CreatedAt.UnixMicro()})
	return nil
}

const (
	cardColumns = `card_id, batch, sample, data, created_at`
	getCard     = `SELECT ` + cardColumns + ` FROM gift_cards WHERE bucket = $1 AND program_id = $2 AND card_id = $3`
	listCards   = `SELECT ` + cardColumns + ` FROM gift_cards WHERE program_id = $1 AND card_id > $2 AND ($3 = '' OR batch = $3) ORDER BY card_id LIMIT $4`
	newestCards = `SELECT ` + cardColumns + ` FROM gift_cards WHERE program_id = $1 AND ($2 = '' OR card_id < $2) AND ($3 = '' OR batch = $3) ORDER BY card_id DESC LIMIT $4`
)

func scan(row db.Scanner) (Card, error) {
	var (
		c       Card
		sample  int
		text    string
		created int64
	)
	if err := row.Scan(&c.ID, &c.Batch, &sample, &text, &created); err != nil {
		return Card{}, err
	}
	c.Sample, c.CreatedAt = sample != 0, time.UnixMicro(created).UTC()
	if err := json.Unmarshal([]byte(text), &c.Data); err != nil {
		return Card{}, fmt.Errorf("read gift card %s: %w", c.ID, err)
	}
	return c, nil
}

var someCards = db.NewLookup([]string{"bucket integer", "program_id text", "card_id text"}, `
SELECT g.card_id, g.batch, g.sample, g.data, g.created_at
FROM want CROSS JOIN gift_cards g
WHERE g.bucket = want.bucket AND g.program_id = want.program_id AND g.card_id = want.card_id`)

// Some gives those of the cards that are there, by id.
func Some(ctx context.Context, tx *db.Tx, program string, cards []string) (map[string]Card, error) {
	out := map[string]Card{}
	args := make([]any, 0, 3*len(cards))
	for _, id := range cards {
		args = append(args, ids.Bucket(program, id), program, id)
	}
	err := tx.Find(ctx, db.Ask{Lookup: someCards, Args: args, Scan: func(row db.Scanner) error {
		c, err := scan(row)
		out[c.ID] = c
		return err
	}})
	if err != nil {
		return nil, fmt.Errorf("look for gift cards: %w", err)
	}
	return out, nil
}

const writeData = `UPDATE gift_cards SET data = $4 WHERE bucket = $1 AND program_id = $2 AND card_id = $3`

// Erase forgets who a card is for, who gives it and what was written on it; not_found "gift_card_not_found". Erased twice is erased.
func Erase(ctx context.Context, tx *db.Tx, program, id string) (Card, error) {
	c, err := Get(ctx, tx, program, id)
	if err != nil {
		return Card{}, err
	}
	c.Data.To, c.Data.ToEmail, c.Data.From, c.Data.Greeting = "", "", "", ""
	text, err := json.Marshal(c.Data)
	if err != nil {
		return Card{}, fmt.Errorf("write gift card %s: %w", id, err)
	}
	if _, err := tx.Exec(ctx, writeData, ids.Bucket(program, id), program, id, string(text)); err != nil {
		return Card{}, fmt.Errorf("erase gift card %s: %w", id, err)
	}
	return c, nil
}

// Get gives a card; not_found "gift_card_not_found".
func Get(ctx context.Context, tx *db.Tx, program, id string) (Card, error) {
	c, err := scan(tx.QueryRow(ctx, getCard, ids.Bucket(program, id), program, id))
	if errors.Is(err, sql.ErrNoRows) {
		return Card{}, errs.NotFound("gift_card_not_found", "There is no such gift card.")
	}
	if err != nil {
		return Card{}, fmt.Errorf("get a gift card: %w", err)
	}
	return c, nil
}

// List gives cards in the order in which they were made, or the newest first, after a cursor; batch keeps to one batch.
func List(ctx context.Context, tx *db.Tx, program, batch, after string, newest bool, limit int) ([]Card, error) {
	out := []Card{}
	query := listCards
	if newest {
		query = newestCards
	}
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		c, err := scan(row)
		out = append(out, c)
		return err
	}, query, program, after, batch, limit)
	if err != nil {
		return nil, fmt.Errorf("list gift cards: %w", err)
	}
	return out, nil
}
