package books

import (
	"context"
	"strconv"
	"strings"

	"lojal.dev/lojal/internal/db"
)

// mostWanted bounds the rows of one list of wanted rows.
const mostWanted = 1000

// among runs a query that joins want, the list of wanted rows, so that one statement serves a whole batch. cols name
// want's columns with their types ("bucket integer"); args are its rows, one after the other. Without rows nothing is run.
//
// The first row is cast, since PostgreSQL must know the types; CROSS JOIN in the query keeps SQLite from reading the
// large table first.
func among(ctx context.Context, tx *db.Tx, cols []string, args []any, query string, scan func(db.Scanner) error) error {
	for len(args) > 0 {
		n := min(len(args), mostWanted*len(cols))
		if err := db.Collect(ctx, tx, scan, want(cols, n/len(cols))+query, args[:n]...); err != nil {
			return err
		}
		args = args[n:]
	}
	return nil
}

func want(cols []string, rows int) string {
	var names, first strings.Builder
	for i, c := range cols {
		name, typ, _ := strings.Cut(c, " ")
		if i > 0 {
			names.WriteString(", ")
			first.WriteByte(',')
		}
		names.WriteString(name)
		first.WriteString("CAST($" + strconv.Itoa(i+1) + " AS " + typ + ")")
	}
	text := "WITH want (" + names.String() + ") AS (VALUES (" + first.String() + ")"
	if rows > 1 {
		text += "," + db.Rows(rows-1, len(cols), len(cols)+1)
	}
	return text + ") "
}

var (
	wantMember = []string{"bucket integer", "program_id text", "member_id text"}
	wantID     = []string{"bucket integer", "program_id text", "id text"}
)
