package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
)

// ground makes the databases of a run on one engine, and takes them away afterwards.
type ground struct {
	dialect db.Dialect
	dir     string // SQLite
	admin   string // PostgreSQL: the URL that was given
	made    map[string]string
	// cpu is the processor time of the PostgreSQL server, nil when it is another machine's or cannot be known.
	cpu meter
	// version and settings say what the database is.
	version  string
	settings map[string]string
	// fragile says why what was committed may be lost with the power, "" when it may not.
	fragile string
}

func sqliteGround(dir string) *ground {
	return &ground{dialect: db.SQLite, dir: dir, made: map[string]string{}, settings: map[string]string{"synchronous": "full", "journal_mode": "wal"}}
}

// postgresGround looks at the server and checks that databases may be made there.
func postgresGround(ctx context.Context, admin string) (*ground, error) {
	g := &ground{dialect: db.Postgres, admin: admin, made: map[string]string{}, settings: map[string]string{}}
	err := g.command(ctx, func(conn *pgx.Conn) error {
		var may bool
		var pid int
		err := conn.QueryRow(ctx, `SELECT rolcreatedb OR rolsuper, pg_backend_pid(), current_setting('server_version') FROM pg_roles WHERE rolname = current_user`).Scan(&may, &pid, &g.version)
		if err != nil {
			return err
		}
		if !may {
			return errs.Forbidden("no_create_database", "The benchmark makes databases of its own and drops them: let the user create databases (ALTER ROLE … CREATEDB), or name another one.")
		}
		for _, name := range []string{"fsync", "synchronous_commit", "full_page_writes", "wal_sync_method", "shared_buffers", "max_connections", "max_wal_size", "autovacuum", "jit"} {
			var value string
			if err := conn.QueryRow(ctx, `SELECT current_setting($1)`, name).Scan(&value); err != nil {
				return err
			}
			g.settings[name] = value
		}
		if host := conn.Config().Host; host == "localhost" || strings.HasPrefix(host, "/") || net.ParseIP(host).IsLoopback() {
			if p, ok := statOf(pid); ok && p.name == "postgres" {
				g.cpu = meterOfTree(p.parent)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"fsync", "synchronous_commit"} {
		if g.settings[name] == "off" {
			g.fragile = name + " is off: what was acknowledged may be lost with the power, and the numbers are not those of a durable database"
		}
	}
	return g, nil
}

func (g *ground) command(ctx context.Context, do func(*pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, g.admin)
	if err != nil {
		return errs.Unavailable("database", "PostgreSQL cannot be reached at the URL given.").Because(err)
	}
	return errors.Join(do(conn), conn.Close(ctx))
}

// fresh gives the URL of a new empty database. On SQLite there is no file yet.
func (g *ground) fresh(ctx context.Context, name string) (string, error) {
	if g.dialect == db.SQLite {
		return "sqlite:" + filepath.Join(g.dir, name+".db"), nil
	}
	return g.create(ctx, name, "template0")
}

func (g *ground) create(ctx context.Context, name, template string) (string, error) {
	full := "lojal_bench_" + name + "_" + strings.ToLower(rand.Text()[:8])
	err := g.command(ctx, func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, `CREATE DATABASE `+full+` TEMPLATE `+template)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("make a database: %w", err)
	}
	u, err := inCluster(g.admin, full)
	if err == nil {
		g.made[u] = full
	}
	return u, err
}

func inCluster(admin, database string) (string, error) {
	u, err := url.Parse(admin)
	if err != nil || u.Scheme == "" {
		return "", errs.Invalid("database_url", "The benchmark needs PostgreSQL as a URL: postgres://USER@HOST:PORT/DATABASE.")
	}
	u.Path = "/" + database
	return u.String(), nil
}

// drop takes a database away that nobody uses any more.
func (g *ground) drop(ctx context.Context, u string) error {
	if g.dialect == db.SQLite {
		return removeSQLite(strings.TrimPrefix(u, "sqlite:"))
	}
	full := g.made[u]
	delete(g.made, u)
	return g.command(ctx, func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, `DROP DATABASE IF EXISTS `+full+` WITH (FORCE)`)
		return err
	})
}

// close takes all away that was made, also when the run was stopped.
func (g *ground) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var err error
	for u := range g.made {
		err = errors.Join(err, g.drop(ctx, u))
	}
	return err
}

// settle does what a database does by itself in quiet hours, so that no round pays for what was filled in before it.
func (g *ground) settle(ctx context.Context, u string) error {
	if g.dialect == db.SQLite {
		return nil // closing the database wrote the log back
	}
	return g.on(ctx, u, `VACUUM (ANALYZE)`, `CHECKPOINT`)
}

func (g *ground) on(ctx context.Context, u string, commands ...string) error {
	conn, err := pgx.Connect(ctx, u)
	if err != nil {
		return err
	}
	for _, sql := range commands {
		if _, err = conn.Exec(ctx, sql); err != nil {
			err = fmt.Errorf("%s: %w", sql, err)
			break
		}
	}
	return errors.Join(err, conn.Close(ctx))
}

// copy gives the URL of a copy of a database that nobody uses.
func (g *ground) copy(ctx context.Context, from, name string) (string, error) {
	if g.dialect == db.Postgres {
		return g.create(ctx, name, g.made[from])
	}
	to := filepath.Join(g.dir, name+".db")
	in, err := os.Open(strings.TrimPrefix(from, "sqlite:"))
	if err != nil {
		return "", err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	_, err = io.Copy(out, in)
	return "sqlite:" + to, errors.Join(err, out.Sync(), out.Close())
}

func removeSQLite(path string) error {
	var err error
	for _, end := range []string{"", "-wal", "-shm"} {
		if failed := os.Remove(path + end); failed != nil && !errors.Is(failed, os.ErrNotExist) {
			err = errors.Join(err, failed)
		}
	}
	return err
}
