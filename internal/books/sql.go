package books

import (
	"context"

	"lojal.dev/lojal/internal/db"
)

// What is wanted of a table is a set of keys, so that one statement serves a whole batch: these are their columns.
var (
	wantMember = []string{"bucket integer", "program_id text", "member_id text"}
	wantID     = []string{"bucket integer", "program_id text", "id text"}
)

// among finds the rows of one look-up.
func among(ctx context.Context, tx *db.Tx, look *db.Lookup, args []any, scan func(db.Scanner) error) error {
	return tx.Find(ctx, db.Ask{Lookup: look, Args: args, Scan: scan})
}
