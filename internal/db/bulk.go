package db

import (
	"context"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// What a batch reads and writes goes to the engine as a set, under one text whatever its size, so that it is parsed and
// planned once. PostgreSQL gets a list for each column and makes rows of them; SQLite, where a call costs nothing, gets the
// statement prepared for one row and runs it for each. The same SQL stands in both.

// column is a column of a set with its type.
type column struct {
	name, typ string
	null      bool
}

// columns reads descriptions such as "bucket integer" and "due_at bigint null".
func columns(descriptions []string) []column {
	list := make([]column, len(descriptions))
	for i, d := range descriptions {
		parts := strings.Fields(d)
		list[i] = column{name: parts[0], typ: parts[1], null: len(parts) > 2}
		switch list[i].typ {
		case "integer", "bigint", "text":
		default:
			panic("db: a column of a set is integer, bigint or text, not " + d)
		}
		if list[i].typ == "text" && list[i].null {
			panic("db: a text in a set is never null: " + d)
		}
	}
	return list
}

func names(cols []column) string {
	list := make([]string, len(cols))
	for i, c := range cols {
		list[i] = c.name
	}
	return strings.Join(list, ", ")
}

// lists is the set as a relation on PostgreSQL, with the parameters from start on: SELECT unnest($1::integer[]) AS bucket, …
// The lists walk in step in the SELECT itself; as tables of a FROM each would be written out first, at twice the cost.
func lists(cols []column, start int) string {
	var b strings.Builder
	b.WriteString("SELECT ")
	for i, c := range cols {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("unnest($" + strconv.Itoa(start+i) + "::" + c.typ + "[]) AS " + c.name)
	}
	return b.String()
}

// set is a statement on a set, as each engine takes it.
type set struct {
	cols                 []column
	sqliteText, listText string
	// Of a distributed database: the text for rows that share the bucket $1, or what stands before and after the rows.
	bucketText   string
	into, suffix string
}

// Insert is an INSERT of many rows. Make it once, with [NewInsert].
type Insert struct {
	set
	stamped bool
}

// NewInsert makes an INSERT into the table. cols name its columns with their types, "bucket integer" or "due_at bigint null";
// suffix is such as "ON CONFLICT DO NOTHING" or empty, without parameters.
func NewInsert(table string, cols []string, suffix string) *Insert {
	c := columns(cols)
	into := "INSERT INTO " + table + " (" + names(c) + ") "
	return &Insert{set: set{cols: c,
		sqliteText: into + "VALUES " + Rows(1, len(c), 1) + " " + suffix,
		listText:   into + lists(c, 1) + " " + suffix,
		into:       into, suffix: " " + suffix,
	}}
}

// NewStamped is NewInsert for rows of a log: their column stamp gets the stamp of the transaction (see stamp.go), and no
// value is given for it. All rows of a transaction go in one statement. A distributed database has no such stamps.
func NewStamped(table string, cols []string, suffix string) *Insert {
	c := columns(cols)
	into := "INSERT INTO " + table + " (" + names(c) + ", stamp) "
	one := strings.TrimSuffix(Rows(1, len(c), 1), ")")
	return &Insert{stamped: true, set: set{cols: c,
		sqliteText: into + "VALUES " + one + ", (SELECT n FROM stamp)) " + suffix,
		listText:   into + lists(c, 1) + ", (" + stampPostgres + ") " + suffix,
	}}
}

// Columns is the number of values in a row.
func (in *Insert) Columns() int { return len(in.cols) }

// Lookup is a SELECT that finds rows by a set of wanted ones. Make it once, with [NewLookup].
type Lookup struct {
	set

	// sharedText says of each row which of the wanted ones it belongs to.
	sharedText string
}

// NewLookup makes a SELECT that joins want, the wanted rows, whose columns cols names with their types. The query begins with
// SELECT and says FROM want CROSS JOIN …, which keeps SQLite from reading the large table first. An order holds among
// the rows that one wanted row brings, not among all.
//
// Where the first column is bucket, a distributed database is asked for each bucket by itself, and bucket is a parameter there
// that its planner can go by. So the query compares with want.bucket, or says (bucket, …) IN (SELECT bucket, …), and names it
// nowhere else.
func NewLookup(cols []string, query string) *Lookup {
	c := columns(cols)
	casts := make([]string, len(c))
	for i := range c {
		casts[i] = "CAST($" + strconv.Itoa(i+1) + " AS " + c[i].typ + ")"
	}
	with := "WITH want (" + names(c) + ") AS ("
	l := &Lookup{set: set{cols: c,
		sqliteText: with + "VALUES (" + strings.Join(casts, ", ") + ")) " + query,
		listText:   with + lists(c, 1) + ") " + query,
	}}
	if c[0].name == "bucket" && len(c) > 1 {
		text := strings.NewReplacer("want.bucket", "$1", "(bucket, ", "bucket = $1 AND (", "SELECT bucket, ", "SELECT ").Replace(query)
		if text == query || strings.Contains(text, "want.bucket") {
			panic("db: a look-up by bucket does not compare with want.bucket: " + query)
		}
		l.bucketText = "WITH want (" + names(c[1:]) + ") AS (" + lists(c[1:], 2) + ") " + text
	}
	rest, ok := strings.CutPrefix(strings.TrimSpace(query), "SELECT ")
	if ok && !strings.Contains(query, "UNION") && !strings.Contains(query, "GROUP BY") && !strings.Contains(query, "DISTINCT") { // they say of no row whose it is
		l.sharedText = "WITH want (" + names(c) + ", ord) AS (" + lists(c, 1) +
			", CAST(generate_series(1, cardinality($1::" + c[0].typ + "[])) AS bigint)) SELECT want.ord, " + rest
	}
	return l
}

// Text is the statement as the engine gets it, for looking at its plan.
func (l *Lookup) Text(dialect Dialect) string {
	if dialect == SQLite {
		return l.sqliteText
	}
	return l.listText
}

// Ask is a Lookup with its wanted rows, one value after the other, and what takes the rows that are found.
type Ask struct {
	Lookup *Lookup
	Args   []any
	Scan   func(Scanner) error
}

// Find runs the look-ups in their order, on PostgreSQL in one round trip, and those of one kind in one statement. One
// without wanted rows is left out. Scan must not use the transaction.
func (t *Tx) Find(ctx context.Context, asks ...Ask) error {
	if t.find != nil {
		if !slices.ContainsFunc(asks, func(a Ask) bool { return len(a.Args) > 0 }) {
			return nil
		}
		return t.find(ctx, asks)
	}
	var buf [8]statement
	list := buf[:0]
	for i := range asks {
		a := &asks[i]
		if len(a.Args) == 0 {
			continue
		}
		if t.dialect == Postgres && a.Lookup.sharedText != "" && !t.splits(&a.Lookup.set) {
			if slices.ContainsFunc(asks[:i], a.alike) {
				continue // it went along with the first of its kind
			}
			if slices.ContainsFunc(asks[i+1:], a.alike) {
				list = append(list, share(asks[i:], a.Lookup))
				continue
			}
		}
		list = t.spell(list, &a.Lookup.set, a.Args, a.Scan)
	}
	return t.send(ctx, list)
}

func (a *Ask) alike(b Ask) bool { return b.Lookup == a.Lookup && len(b.Args) > 0 }

// share makes one statement of all asks of a look-up. Each gets the rows that belong to what it wants.
func share(asks []Ask, l *Lookup) statement {
	var args []any
	var of []int // the ask that each wanted row is of
	for i := range asks {
		if asks[i].Lookup != l {
			continue
		}
		args = append(args, asks[i].Args...)
		for range len(asks[i].Args) / len(l.cols) {
			of = append(of, i)
		}
	}
	return statement{query: l.sharedText, args: transpose(l.cols, args), scan: func(row Scanner) error {
		var ord int64
		first := &leading{row: row, ord: &ord}
		if err := first.Scan(); err != nil {
			return err
		}
		if ord < 1 || ord > int64(len(of)) {
			return fmt.Errorf("row %d of %d was not wanted", ord, len(of))
		}
		return asks[of[ord-1]].Scan(first)
	}}
}

// leading is a row whose first column is not for its reader.
type leading struct {
	row Scanner
	ord *int64
}

// Scan reads the columns behind the first one; without places, the first one alone.
func (l *leading) Scan(dest ...any) error {
	if len(dest) > 0 {
		return l.row.Scan(append([]any{nil}, dest...)...)
	}
	rows, ok := l.row.(pgx.Rows)
	if !ok {
		return fmt.Errorf("%T is no row of PostgreSQL", l.row)
	}
	values := rows.RawValues()
	if len(values) == 0 {
		return errors.New("a row has no ordinal")
	}
	// In the binary form, as all results come that are prepared, or as text, where the database's URL wants nothing prepared.
	var err error
	if rows.FieldDescriptions()[0].Format == pgx.TextFormatCode {
		*l.ord, err = strconv.ParseInt(string(values[0]), 10, 64)
	} else if len(values[0]) == 8 {
		*l.ord = int64(binary.BigEndian.Uint64(values[0]))
	} else {
		err = fmt.Errorf("%d bytes", len(values[0]))
	}
	if err != nil {
		return fmt.Errorf("read the ordinal of a row: %w", err)
	}
	return nil
}

// Aside gives the same transaction with another way to find: for work that goes on side by side, whose look-ups somebody
// gathers and runs together. The transaction must have begun: see [Tx.Begin].
func (t *Tx) Aside(find func(ctx context.Context, asks []Ask) error) *Tx {
	return &Tx{conn: t.conn, dialect: t.dialect, distributed: t.distributed, readOnly: t.readOnly, begun: true, find: find}
}

// Insert writes the rows now. scan, when the suffix has RETURNING, gets what it returns, in any order; nil otherwise.
func (t *Tx) Insert(ctx context.Context, in *Insert, args []any, scan func(Scanner) error) error {
	return t.send(ctx, t.spell(nil, &in.set, args, scan))
}

// InsertLater writes the rows before the next statement of the transaction, at the latest with COMMIT. What is wrong with
// them is told then.
func (t *Tx) InsertLater(in *Insert, args []any) {
	if in.stamped && t.dialect == SQLite && len(args) > 0 {
		t.later = append(t.later, statement{query: raiseStampSQLite})
	}
	t.later = t.spell(t.later, &in.set, args, nil)
}

// spell appends the statement for a set as the engine takes it.
func (t *Tx) spell(list []statement, s *set, args []any, scan func(Scanner) error) []statement {
	if len(args) == 0 {
		return list
	}
	if len(args)%len(s.cols) != 0 {
		panic(fmt.Sprintf("db: %d values do not make rows of %d columns: %s", len(args), len(s.cols), s.sqliteText))
	}
	switch {
	case t.dialect == SQLite:
		return append(list, statement{query: s.sqliteText, args: args, scan: scan, each: len(s.cols)})
	case t.splits(s):
		return s.byBucket(list, args, scan)
	}
	return append(list, statement{query: s.listText, args: transpose(s.cols, args), scan: scan})
}

// transpose makes a list for each column.
func transpose(cols []column, args []any) []any {
	n := len(args) / len(cols)
	out := make([]any, len(cols))
	for c := range cols {
		switch {
		case cols[c].typ == "text":
			list := make([]string, n)
			for i := range n {
				list[i] = args[i*len(cols)+c].(string)
			}
			out[c] = list
		case cols[c].null:
			list := make([]*int64, n)
			for i := range n {
				if v := args[i*len(cols)+c]; v != nil {
					m := whole(v)
					list[i] = &m
				}
			}
			out[c] = list
		default:
			list := make([]int64, n)
			for i := range n {
				list[i] = whole(args[i*len(cols)+c])
			}
			out[c] = list
		}
	}
	return out
}

// whole gives a value of an integer column.
func whole(v any) int64 {
	switch n := v.(type) {
	case int64:
		return n
	case int32:
		return int64(n)
	case int:
		return int64(n)
	}
	panic(fmt.Sprintf("db: %T in a column of whole numbers", v))
}

// sendSQLite runs the statements by the driver itself: database/sql between them would cost more than they do.
func (t *Tx) sendSQLite(ctx context.Context, list []statement) error {
	if err := t.beginAlone(ctx); err != nil {
		return err
	}
	return t.conn.Raw(func(dc any) error {
		c := dc.(*sqliteConn)
		for i := range list {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := c.each(&list[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// each runs the statement for each of its rows. The statements are short, so that nothing needs to stop one of them.
func (c *sqliteConn) each(s *statement) error {
	ctx := context.Background()
	prepared, kept, err := c.statement(ctx, s.query)
	if err != nil {
		return err
	}
	if !kept {
		return fmt.Errorf("db: a statement is run inside its own rows: %s", s.query)
	}
	var buf [20]driver.NamedValue
	row := append(buf[:0], make([]driver.NamedValue, max(0, s.each-len(buf)))...)[:0]
	for at := 0; at < len(s.args) || s.each == 0; at += s.each {
		row = row[:0]
		for i, v := range s.args[at : at+s.each] {
			switch n := v.(type) {
			case int32:
				v = int64(n)
			case int:
				v = int64(n)
			}
			row = append(row, driver.NamedValue{Ordinal: i + 1, Value: v})
		}
		if s.scan == nil {
			_, err = prepared.stmt.ExecContext(ctx, row)
		} else {
			err = prepared.rows(ctx, row, s.scan)
		}
		if err != nil || s.each == 0 {
			return err
		}
	}
	return nil
}

func (s *sqliteStmt) rows(ctx context.Context, args []driver.NamedValue, scan func(Scanner) error) (err error) {
	rows, err := s.stmt.QueryContext(ctx, args)
	if err != nil {
		return err
	}
	defer func() {
		if e := rows.Close(); err == nil {
			err = e
		}
	}()
	found := sqliteRow(make([]driver.Value, len(rows.Columns())))
	for {
		switch err := rows.Next(found); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if err := scan(found); err != nil {
			return err
		}
	}
}

// sqliteRow is a row as the driver gives it.
type sqliteRow []driver.Value

// Scan puts the row's values where they go.
func (r sqliteRow) Scan(dest ...any) error {
	if len(dest) != len(r) {
		return fmt.Errorf("%d places for %d columns", len(dest), len(r))
	}
	for i, d := range dest {
		ok := true
		switch d := d.(type) {
		case *string:
			*d, ok = r[i].(string)
		case *int64:
			*d, ok = r[i].(int64)
		case *int32:
			var n int64
			n, ok = r[i].(int64)
			*d = int32(n)
		case *int:
			var n int64
			n, ok = r[i].(int64)
			*d = int(n)
		case **int64:
			*d = nil
			if r[i] != nil {
				var n int64
				n, ok = r[i].(int64)
				*d = &n
			}
		case *bool:
			var n int64
			n, ok = r[i].(int64)
			*d = n != 0
		case *any:
			*d = r[i]
		default:
			return fmt.Errorf("column %d cannot be read into %T", i+1, d)
		}
		if !ok {
			return fmt.Errorf("column %d is %T, which does not go into %T", i+1, r[i], d)
		}
	}
	return nil
}
