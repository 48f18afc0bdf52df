// Package audit keeps who changed what: one row for every change by a person or a key that is not itself a fact of a
// member (facts say their actor themselves).
//
// It owns the table audit. It does not own what the actions mean. Rows are only ever added.
package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
)

// IDPrefix is the type prefix of audit ids.
const IDPrefix = "aud"

// Entry is one change.
type Entry struct {
	// ID is made by Append; ids of later entries sort higher.
	ID      string    `json:"id"`
	Program string    `json:"-"`
	At      time.Time `json:"at"`
	// Actor is who did it: an API key's name, "cli", "system".
	Actor string `json:"actor"`
	// Action is NOUN.VERB, for example "key.created" or "program.published".
	Action string `json:"action"`
	// Target is the id of what was changed.
	Target string `json:"target,omitempty"`
	// Detail says more, as JSON would hold it. It holds no secret.
	Detail map[string]any `json:"detail,omitempty"`
}

const insertEntry = `
INSERT INTO audit (program_id, id, at, actor, action, target, detail)
VALUES ($1, $2, $3, $4, $5, $6, $7)`

// Append writes the entry in the transaction of the change itself, so that there is never one without the other, and
// gives it with its id.
func Append(ctx context.Context, tx *db.Tx, e Entry) (Entry, error) {
	e.ID = ids.New(IDPrefix, e.At)
	detail := []byte("{}")
	if len(e.Detail) > 0 {
		var err error
		if detail, err = json.Marshal(e.Detail); err != nil {
			return Entry{}, fmt.Errorf("audit %s %s: %w", e.Action, e.Target, err)
		}
	}
	_, err := tx.Exec(ctx, insertEntry, e.Program, e.ID, e.At.UnixMicro(), e.Actor, e.Action, e.Target, string(detail))
	if err != nil {
		return Entry{}, fmt.Errorf("audit %s %s: %w", e.Action, e.Target, err)
	}
	return e, nil
}

// Query narrows List. Empty fields match anything.
type Query struct {
	Actor, Action, Target string
	// Since and Until bound when it was, Until not included; the zero value is no bound.
	Since, Until time.Time
	// Before is the id of the last entry seen.
	Before string
	// Limit is the number of entries, 50 when 0; at most 500.
	Limit int
}

const listEntries = `
SELECT id, at, actor, action, target, detail
FROM audit
WHERE program_id = $1 AND ($2 = '' OR id < $2)
  AND ($3 = '' OR actor = $3) AND ($4 = '' OR action = $4) AND ($5 = '' OR target = $5)
  AND at >= $6 AND at < $7
ORDER BY id DESC
LIMIT $8`

// List gives entries of the program, the newest first, and the id to go on before; "" when there are no more.
func List(ctx context.Context, tx *db.Tx, program string, in Query) (entries []Entry, next string, err error) {
	if in.Limit <= 0 {
		in.Limit = 50
	}
	in.Limit = min(in.Limit, 500)
	since, until := int64(0), int64(math.MaxInt64)
	if !in.Since.IsZero() {
		since = in.Since.UnixMicro()
	}
	if !in.Until.IsZero() {
		until = in.Until.UnixMicro()
	}
	if in.Before != "" {
		if err := ids.Check(IDPrefix, in.Before); err != nil {
			return nil, "", errs.Malformed("invalid_cursor", "The cursor is not one that was given out: "+err.Error()+".")
		}
	}
	entries = []Entry{}
	err = db.Collect(ctx, tx, func(row db.Scanner) error {
		e := Entry{Program: program}
		var at int64
		var detail string
		if err := row.Scan(&e.ID, &at, &e.Actor, &e.Action, &e.Target, &detail); err != nil {
			return err
		}
		e.At = time.UnixMicro(at).UTC()
		if err := json.Unmarshal([]byte(detail), &e.Detail); err != nil {
			return fmt.Errorf("entry %s: %w", e.ID, err)
		}
		entries = append(entries, e)
		return nil
	}, listEntries, program, in.Before, in.Actor, in.Action, in.Target, since, until, in.Limit+1)
	if err != nil {
		return nil, "", fmt.Errorf("list the audit of %s: %w", program, err)
	}
	if len(entries) > in.Limit {
		entries = entries[:in.Limit]
		next = entries[in.Limit-1].ID
	}
	return entries, next, nil
}
