package bench

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"lojal.dev/lojal/internal/db"
)

// bound is how far a database may grow.
type bound struct {
	// until is when it ends, if set; bytes the size at which it does, if over 0.
	until time.Time
	bytes int64
}

// grown counts what was put into a database.
type grown struct {
	Members   int   `json:"members"`
	Purchases int   `json:"purchases"`
	Bytes     int64 `json:"bytes"`
	// Stopped says what ended it before it was where it should be: minutes or disk.
	Stopped string `json:"stopped_by,omitempty"`
	lots    int
}

const (
	// atOnce is how many rows of histories are written in one transaction.
	membersAtOnce = 1000
	// sweepOfBuckets is how many members are put in the order of their buckets: each such stretch goes once through the
	// keys.
	sweepOfBuckets = 1_000_000
)

// grow casts members into a migrated database that holds the program, until there are so many or a bound is met. Nobody
// else may use the database meanwhile, and what it holds is not durable until it is over.
func (c *caster) grow(ctx context.Context, g *ground, u string, members int, limit bound) (out grown, err error) {
	p, err := g.press(ctx, u)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, p.close(ctx)) }()
	var b batch
	for out.Members < members {
		named := c.next(min(members-out.Members, sweepOfBuckets))
		for len(named) > 0 {
			n := min(len(named), max(1, membersAtOnce/max(1, c.moulds[0].purchases)))
			err := p.write(ctx, &b, func() {
				for _, o := range named[:n] {
					m := c.cast(o, &b)
					out.Purchases += m.purchases
					out.lots += m.lots
				}
			})
			if err != nil {
				return out, fmt.Errorf("fill a database: %w", err)
			}
			out.Members += n
			named = named[n:]
			if out.Bytes, err = p.size(ctx); err != nil {
				return out, err
			}
			switch {
			case ctx.Err() != nil:
				return out, ctx.Err()
			case !limit.until.IsZero() && time.Now().After(limit.until):
				out.Stopped = "minutes"
				return out, nil
			case limit.bytes > 0 && out.Bytes > limit.bytes:
				out.Stopped = "disk"
				return out, nil
			}
		}
	}
	return out, nil
}

// press writes batches of rows as fast as the database takes them.
type press interface {
	// write begins a transaction, has the batch made, and writes and commits it.
	write(ctx context.Context, b *batch, fill func()) error
	// size is how much of the disk the database takes.
	size(ctx context.Context) (int64, error)
	close(ctx context.Context) error
}

func (g *ground) press(ctx context.Context, u string) (press, error) {
	if g.dialect == db.SQLite {
		return newSQLitePress(ctx, strings.TrimPrefix(u, "sqlite:"))
	}
	conn, err := pgx.Connect(ctx, u)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, `SET synchronous_commit = off`); err != nil {
		return nil, errors.Join(err, conn.Close(ctx))
	}
	return &postgresPress{conn: conn}, nil
}

type postgresPress struct {
	conn *pgx.Conn
}

func (p *postgresPress) write(ctx context.Context, b *batch, fill func()) error {
	tx, err := p.conn.Begin(ctx)
	if err != nil {
		return err
	}
	err = func() error {
		var stamp int64
		if err := tx.QueryRow(ctx, `SELECT pg_current_xact_id()::text::bigint + n FROM stamp`).Scan(&stamp); err != nil {
			return err
		}
		b.reset(stamp)
		fill()
		for _, name := range b.order {
			r := b.tables[name]
			if _, err := tx.CopyFrom(ctx, pgx.Identifier{name}, r.columns, pgx.CopyFromRows(r.rows)); err != nil {
				return fmt.Errorf("copy into %s: %w", name, err)
			}
		}
		return nil
	}()
	if err != nil {
		return errors.Join(err, tx.Rollback(ctx))
	}
	return tx.Commit(ctx)
}

func (p *postgresPress) size(ctx context.Context) (n int64, err error) {
	err = p.conn.QueryRow(ctx, `SELECT pg_database_size(current_database())`).Scan(&n)
	return n, err
}

func (p *postgresPress) close(ctx context.Context) error { return p.conn.Close(ctx) }

// sqlitePress writes without a log and without waiting for the disk: until it is closed, power loss is the end of the file.
type sqlitePress struct {
	path string
	pool *sql.DB
	conn *sql.Conn
	stmt map[string]*sql.Stmt
}

func newSQLitePress(ctx context.Context, path string) (_ *sqlitePress, err error) {
	dsn := (&url.URL{Scheme: "file", Path: path}).String() +
		"?_pragma=locking_mode(EXCLUSIVE)&_pragma=journal_mode(OFF)&_pragma=synchronous(OFF)&_pragma=cache_size(-512000)&_pragma=temp_store(MEMORY)"
	p := &sqlitePress{path: path, stmt: map[string]*sql.Stmt{}}
	if p.pool, err = sql.Open("sqlite", dsn); err != nil {
		return nil, err
	}
	if p.conn, err = p.pool.Conn(ctx); err != nil {
		return nil, errors.Join(err, p.pool.Close())
	}
	return p, nil
}

func (p *sqlitePress) write(ctx context.Context, b *batch, fill func()) error {
	tx, err := p.conn.BeginTx(still, nil)
	if err != nil {
		return err
	}
	err = func() error {
		var stamp int64
		if err := tx.QueryRowContext(ctx, `UPDATE stamp SET n = n + 1 RETURNING n`).Scan(&stamp); err != nil {
			return err
		}
		b.reset(stamp)
		fill()
		for _, name := range b.order {
			r := b.tables[name]
			stmt := p.stmt[name]
			if stmt == nil {
				text := `INSERT INTO ` + name + ` (` + strings.Join(r.columns, ", ") + `) VALUES ` + marks(1, len(r.columns))
				if stmt, err = p.conn.PrepareContext(ctx, text); err != nil {
					return err
				}
				p.stmt[name] = stmt
			}
			for _, values := range r.rows {
				if _, err := stmt.ExecContext(still, values...); err != nil {
					return fmt.Errorf("insert into %s: %w", name, err)
				}
			}
		}
		return nil
	}()
	if err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// close makes the file one that others can open, and durable.
func (p *sqlitePress) close(ctx context.Context) error {
	var err error
	for _, stmt := range p.stmt { // one that stays open keeps the file locked
		err = errors.Join(err, stmt.Close())
	}
	var mode string
	err = errors.Join(err, p.conn.QueryRowContext(context.WithoutCancel(ctx), `PRAGMA journal_mode = WAL`).Scan(&mode))
	err = errors.Join(err, p.conn.Close(), p.pool.Close())
	f, failed := os.OpenFile(p.path, os.O_RDWR, 0)
	if failed != nil {
		return errors.Join(err, failed)
	}
	return errors.Join(err, f.Sync(), f.Close())
}

func (p *sqlitePress) size(context.Context) (int64, error) {
	info, err := os.Stat(p.path)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// size is how much of the disk a database takes that nobody uses.
func (g *ground) size(ctx context.Context, u string) (n int64, err error) {
	if g.dialect == db.SQLite {
		info, err := os.Stat(strings.TrimPrefix(u, "sqlite:"))
		if err != nil {
			return 0, err
		}
		return info.Size(), nil
	}
	err = g.command(ctx, func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, `SELECT pg_database_size($1)`, g.made[u]).Scan(&n)
	})
	return n, err
}
