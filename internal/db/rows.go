package db

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// maxParameters is the most parameters one statement may have on each engine.
var maxParameters = map[Dialect]int{SQLite: 32766, Postgres: 65535}

// Rows writes the placeholders of n rows with cols columns each, numbered from start: Rows(2, 2, 3) is
// "($3,$4),($5,$6)".
func Rows(n, cols, start int) string {
	var b strings.Builder
	b.Grow(n * (cols*6 + 3))
	for r := range n {
		if r > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('(')
		for c := range cols {
			if c > 0 {
				b.WriteByte(',')
			}
			b.WriteByte('$')
			b.WriteString(strconv.Itoa(start + r*cols + c))
		}
		b.WriteByte(')')
	}
	return b.String()
}

// InsertRows runs "prefix VALUES (…),(…) suffix" for len(args)/cols rows, in as few statements as the
// engine's limit on parameters allows, in the order given. No rows, no statement. It gives the number of
// rows that were written.
//
// prefix is such as "INSERT INTO lot (bucket, id)", suffix such as "ON CONFLICT DO NOTHING" or empty; neither has
// parameters. A suffix with RETURNING loses what it returns: see [QueryRows]. In a distributed database rows of different buckets go
// in different statements, if bucket is the first column.
func InsertRows(ctx context.Context, tx *Tx, prefix, suffix string, cols int, args []any) (int64, error) {
	var written int64
	err := chunks(tx, prefix, suffix, cols, args, func(query string, args []any) error {
		result, err := tx.Exec(ctx, query, args...)
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		written += n
		return err
	})
	return written, err
}

// QueryRows is [InsertRows] for a suffix with RETURNING: it calls scan for each row that comes back. The order
// of those rows is not that of args.
func QueryRows(ctx context.Context, tx *Tx, prefix, suffix string, cols int, args []any, scan func(Scanner) error) error {
	return chunks(tx, prefix, suffix, cols, args, func(query string, args []any) error {
		return Collect(ctx, tx, scan, query, args...)
	})
}

// Scanner is a row that can be read: *sql.Row or *sql.Rows.
type Scanner interface{ Scan(dest ...any) error }

// Collect runs the query, calls scan for each row, and closes the rows and checks their error.
func Collect(ctx context.Context, tx *Tx, scan func(Scanner) error, query string, args ...any) (err error) {
	rows, err := tx.Query(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() {
		if e := rows.Close(); err == nil {
			err = e
		}
	}()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

func chunks(tx *Tx, prefix, suffix string, cols int, args []any, run func(query string, args []any) error) error {
	if cols < 1 || len(args)%cols != 0 {
		return fmt.Errorf("%d values do not make rows of %d columns", len(args), cols)
	}
	if tx.distributed != nil && strings.Contains(prefix, "(bucket,") {
		var failed error
		runs(args, cols, func(args []any) {
			if failed == nil {
				failed = pieces(tx, prefix, suffix, cols, args, run)
			}
		})
		return failed
	}
	return pieces(tx, prefix, suffix, cols, args, run)
}

func pieces(tx *Tx, prefix, suffix string, cols int, args []any, run func(query string, args []any) error) error {
	most := maxParameters[tx.dialect] / cols * cols
	for len(args) > 0 {
		n := min(len(args), most)
		if err := run(prefix+" VALUES "+Rows(n/cols, cols, 1)+" "+suffix, args[:n]); err != nil {
			return err
		}
		args = args[n:]
	}
	return nil
}
