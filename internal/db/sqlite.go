package db

import (
	"container/list"
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"strconv"
	"strings"

	"modernc.org/sqlite"
)

// A SQLite connection here does two things more than the driver's: it takes $1 as PostgreSQL does, and it keeps its
// prepared statements, as pgx does, since parsing costs more than running most of ours.

const (
	// keptStatements bounds the prepared statements of one connection.
	keptStatements = 256
	// keptLength bounds the text of a statement that is kept, in bytes: long ones are multi-row inserts of many
	// sizes, each of which comes seldom.
	keptLength = 8 << 10
)

// sqlitePool opens a pool over the DSN. It does not connect yet.
func sqlitePool(dsn string) (*sql.DB, error) {
	base, err := sqlite.NewConnector(dsn)
	if err != nil {
		return nil, fmt.Errorf("open SQLite: %w", err)
	}
	return sql.OpenDB(sqliteConnector{base}), nil
}

type sqliteConnector struct{ driver.Connector }

// sqliteDriverConn is what the driver's connection can do and database/sql asks of it.
type sqliteDriverConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.SessionResetter
	driver.Validator
}

// sqliteDriverStmt is the same of its statement.
type sqliteDriverStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

func (c sqliteConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &sqliteConn{sqliteDriverConn: conn.(sqliteDriverConn), kept: make(map[string]*list.Element)}, nil
}

// sqliteConn is used by one goroutine at a time, as database/sql promises.
type sqliteConn struct {
	sqliteDriverConn
	kept   map[string]*list.Element // of *sqliteStmt, by the caller's text
	recent list.List                // the least recently used last
}

type sqliteStmt struct {
	query string
	stmt  sqliteDriverStmt
	open  bool // rows of it are being read
}

func (c *sqliteConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	return c.sqliteDriverConn.PrepareContext(ctx, placeholders(query))
}

func (c *sqliteConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	s, kept, err := c.statement(ctx, query)
	switch {
	case err != nil:
		return nil, err
	case !kept:
		return c.sqliteDriverConn.ExecContext(ctx, placeholders(query), args)
	default:
		return s.stmt.ExecContext(ctx, args)
	}
}

func (c *sqliteConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	s, kept, err := c.statement(ctx, query)
	switch {
	case err != nil:
		return nil, err
	case !kept:
		return c.sqliteDriverConn.QueryContext(ctx, placeholders(query), args)
	}
	rows, err := s.stmt.QueryContext(ctx, args)
	if err != nil {
		return nil, err
	}
	s.open = true
	return &sqliteRows{Rows: rows, stmt: s}, nil
}

func (c *sqliteConn) Close() error {
	for e := c.recent.Front(); e != nil; e = e.Next() {
		e.Value.(*sqliteStmt).stmt.Close()
	}
	c.recent.Init()
	clear(c.kept)
	return c.sqliteDriverConn.Close()
}

// statement gives the prepared statement for the query, and false when it is not one to keep or is in use.
func (c *sqliteConn) statement(ctx context.Context, query string) (s *sqliteStmt, kept bool, err error) {
	if len(query) > keptLength {
		return nil, false, nil
	}
	if e, ok := c.kept[query]; ok {
		c.recent.MoveToFront(e)
		s := e.Value.(*sqliteStmt)
		return s, !s.open, nil
	}
	prepared, err := c.PrepareContext(ctx, query)
	if err != nil {
		return nil, false, err
	}
	s = &sqliteStmt{query: query, stmt: prepared.(sqliteDriverStmt)}
	c.kept[query] = c.recent.PushFront(s)
	if c.recent.Len() > keptStatements {
		oldest := c.recent.Back()
		old := oldest.Value.(*sqliteStmt)
		if !old.open {
			c.recent.Remove(oldest)
			delete(c.kept, old.query)
			if err := old.stmt.Close(); err != nil {
				return nil, false, err
			}
		}
	}
	return s, true, nil
}

type sqliteRows struct {
	driver.Rows
	stmt *sqliteStmt
}

func (r *sqliteRows) Close() error {
	r.stmt.open = false
	return r.Rows.Close()
}

// placeholders writes $n as SQLite numbers parameters. SQLite takes $n too, but as a name, which it looks up
// among all names before it: an insert of ten thousand values would take seconds. A plain ? takes the number
// after the highest so far and has no name, so $n becomes ? where that is n, and ?n elsewhere. Texts,
// names in quotes and comments are left alone.
func placeholders(query string) string {
	if strings.IndexByte(query, '$') < 0 {
		return query
	}
	var b strings.Builder
	b.Grow(len(query))
	highest := 0
	for i := 0; i < len(query); {
		switch c := query[i]; {
		case c == '\'' || c == '"':
			end := after(query, i+1, query[i:i+1])
			b.WriteString(query[i:end])
			i = end
		case strings.HasPrefix(query[i:], "--"):
			end := after(query, i, "\n")
			b.WriteString(query[i:end])
			i = end
		case strings.HasPrefix(query[i:], "/*"):
			end := after(query, i+2, "*/")
			b.WriteString(query[i:end])
			i = end
		case c == '$':
			end := i + 1
			for end < len(query) && query[end] >= '0' && query[end] <= '9' {
				end++
			}
			n, err := strconv.Atoi(query[i+1 : end])
			switch {
			case err != nil:
				b.WriteString(query[i:end])
			case n == highest+1:
				highest = n
				b.WriteByte('?')
			default:
				highest = max(highest, n)
				b.WriteByte('?')
				b.WriteString(query[i+1 : end])
			}
			i = end
		default:
			b.WriteByte(c)
			i++
		}
	}
	return b.String()
}

// after gives the index in s after the next mark from i on, the end of s when there is none.
func after(s string, i int, mark string) int {
	if at := strings.Index(s[i:], mark); at >= 0 {
		return i + at + len(mark)
	}
	return len(s)
}
