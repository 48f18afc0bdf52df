// Package dbtest gives tests a database of their own: fresh, migrated, and gone afterwards, on each engine.
//
// SQLite is a file in the test's folder, copied from one that is migrated once a test program. PostgreSQL is a
// database in the cluster whose superuser's URL is in the environment variable LOJAL_TEST_POSTGRES
// (scripts/with-postgres sets it), copied there from a template that all test programs share.
// Without the variable the PostgreSQL half is skipped, but fails where CI is "true".
package dbtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"lojal.dev/lojal/internal/db"
)

// Each runs the body as subtests sqlite and postgres, in parallel, each on a database of its own. Where LOJAL_TEST_DISTRIBUTED_URL
// names the machines of a distributed engine, a subtest distributed runs there: see [Nodes].
func Each(t *testing.T, body func(t *testing.T, d *db.DB)) {
	t.Helper()
	each(t, func(t *testing.T, dialect db.Dialect) { body(t, Open(t, dialect)) })
	if len(Nodes()) > 0 {
		t.Run("distributed", func(t *testing.T) {
			t.Parallel()
			body(t, Distributed(t))
		})
	}
}

// EachServer is [Each] for what is only so on one machine, such as a plan: it does not run on a distributed engine.
func EachServer(t *testing.T, body func(t *testing.T, d *db.DB)) {
	t.Helper()
	each(t, func(t *testing.T, dialect db.Dialect) { body(t, Open(t, dialect)) })
}

// EachLayout is [Each] with a third subtest, distributed, on a [Distributed] database: for what must come out the same there.
func EachLayout(t *testing.T, body func(t *testing.T, d *db.DB)) {
	t.Helper()
	Each(t, body)
	if len(Nodes()) > 0 {
		return // Each did it
	}
	t.Run("distributed", func(t *testing.T) {
		t.Parallel()
		body(t, Distributed(t))
	})
}

// EachURL is [Each] for tests that start the program: the database is migrated and not open.
func EachURL(t *testing.T, body func(t *testing.T, url string)) {
	t.Helper()
	each(t, func(t *testing.T, dialect db.Dialect) { body(t, URL(t, dialect)) })
}

// EachEmpty is [EachURL] with a database that has no table yet, and on SQLite no file.
func EachEmpty(t *testing.T, body func(t *testing.T, url string)) {
	t.Helper()
	each(t, func(t *testing.T, dialect db.Dialect) { body(t, EmptyURL(t, dialect)) })
}

func each(t *testing.T, body func(t *testing.T, dialect db.Dialect)) {
	t.Helper()
	for _, dialect := range []db.Dialect{db.SQLite, db.Postgres} {
		t.Run(string(dialect), func(t *testing.T) {
			t.Parallel()
			body(t, dialect)
		})
	}
}

// Open gives a fresh migrated database, closed and removed when the test ends.
func Open(tb testing.TB, dialect db.Dialect) *db.DB {
	tb.Helper()
	return open(tb, URL(tb, dialect), db.Options{})
}

// URL gives the URL of a fresh migrated database, removed when the test ends.
func URL(tb testing.TB, dialect db.Dialect) string {
	tb.Helper()
	if dialect == db.Postgres {
		return postgres(tb, cluster(tb), template(tb))
	}
	path := filepath.Join(tb.TempDir(), "lojal.db")
	if err := os.WriteFile(path, sqliteTemplate(tb), 0o600); err != nil {
		tb.Fatal(err)
	}
	return "sqlite:" + path
}

// EmptyURL gives the URL of a database without any table, removed when the test ends. On SQLite there is no file.
func EmptyURL(tb testing.TB, dialect db.Dialect) string {
	tb.Helper()
	if dialect == db.Postgres {
		return postgres(tb, cluster(tb), "template0")
	}
	return "sqlite:" + filepath.Join(tb.TempDir(), "lojal.db")
}

// Settle waits until all that is committed before it lies below [db.Horizon]. On PostgreSQL the horizon stands still
// while any test on the cluster has a transaction open, so a test that reads a log of events settles first.
func Settle(tb testing.TB, d *db.DB) {
	tb.Helper()
	if d.Distributed() { // events are there to see once they stand in line, whoever else has a transaction open
		return
	}
	ctx, cancel := context.WithTimeout(tb.Context(), time.Minute)
	defer cancel()
	var stamp, horizon int64
	err := d.Write(ctx, func(tx *db.Tx) (err error) {
		stamp, err = tx.Stamp(ctx)
		return err
	})
	for err == nil && horizon <= stamp {
		err = d.Read(ctx, func(tx *db.Tx) (err error) {
			horizon, err = db.Horizon(ctx, tx)
			return err
		})
	}
	if err != nil {
		tb.Fatalf("settle: %v", err)
	}
}

func open(tb testing.TB, rawURL string, opts db.Options) *db.DB {
	tb.Helper()
	d, err := db.Open(tb.Context(), rawURL, opts)
	if err != nil {
		tb.Fatalf("open %s: %v", rawURL, err)
	}
	tb.Cleanup(func() {
		if err := d.Close(); err != nil {
			tb.Error(err)
		}
	})
	return d
}

// migrated makes the database at the URL and gives it back closed.
func migrated(ctx context.Context, rawURL string) error {
	d, err := db.Open(ctx, rawURL, db.Options{Migrate: true, Connections: 2})
	if err != nil {
		return err
	}
	return d.Close()
}

// made holds what is made once a test program. A failure is kept too, so that every test tells it.
var made struct {
	sqlite   func() ([]byte, error)
	postgres func() (string, error)
	mirror   func() (string, error)
}

func init() { //nolint:gochecknoinits // the functions refer to what the variable holds
	made.sqlite = sync.OnceValues(makeSQLite)
	made.postgres = sync.OnceValues(makePostgres)
	made.mirror = sync.OnceValues(makeMirror)
}

func sqliteTemplate(tb testing.TB) []byte {
	tb.Helper()
	file, err := made.sqlite()
	if err != nil {
		tb.Fatalf("make the SQLite template: %v", err)
	}
	return file
}

func makeSQLite() ([]byte, error) {
	dir, err := os.MkdirTemp("", "lojal-dbtest")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) // a leftover in the temporary folder harms nobody
	path := filepath.Join(dir, "template.db")
	// Close writes the log back, so that the file alone is the whole database.
	if err := migrated(context.Background(), path); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

// cluster gives the URL of the cluster, or ends the test.
func cluster(tb testing.TB) string {
	tb.Helper()
	admin := os.Getenv("LOJAL_TEST_POSTGRES")
	switch {
	case admin != "":
		return admin
	case os.Getenv("CI") == "true":
		tb.Fatal("LOJAL_TEST_POSTGRES is not set, and CI may not leave PostgreSQL out: run under scripts/with-postgres")
	default:
		tb.Skip("skipped on PostgreSQL: LOJAL_TEST_POSTGRES is not set; run under scripts/with-postgres")
	}
	return ""
}

func template(tb testing.TB) string {
	tb.Helper()
	name, err := made.postgres()
	if err != nil {
		tb.Fatalf("make the PostgreSQL template: %v", err)
	}
	return name
}

func makePostgres() (string, error) {
	return makeTemplate("lojal_template_"+db.Fingerprint(), migrated)
}

// makeTemplate makes a database to copy, unless another test program has. Its name holds the fingerprint of the
// migrations, so that a cluster that lives longer than one run never gives an old schema.
func makeTemplate(name string, fill func(ctx context.Context, url string) error) (_ string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	admin := os.Getenv("LOJAL_TEST_POSTGRES")
	conn, err := pgx.Connect(ctx, admin)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }() // gives the lock back
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock(4207849484)`); err != nil {
		return "", err
	}
	var there bool
	if err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)`, name).Scan(&there); err != nil || there {
		return name, err
	}
	// Under another name until it is whole.
	draft := name + "_draft"
	for _, sql := range []string{`DROP DATABASE IF EXISTS ` + draft + ` WITH (FORCE)`, `CREATE DATABASE ` + draft + ` TEMPLATE template0`} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return "", err
		}
	}
	if err := fill(ctx, inCluster(admin, draft)); err != nil {
		return "", err
	}
	_, err = conn.Exec(ctx, `ALTER DATABASE `+draft+` RENAME TO `+name)
	return name, err
}

// postgres copies the template to a database of a random name and gives its URL.
func postgres(tb testing.TB, admin, template string) string {
	tb.Helper()
	name := "lojal_" + strings.ToLower(rand.Text())
	command(tb, admin, `CREATE DATABASE `+name+` TEMPLATE `+template)
	tb.Cleanup(func() { command(tb, admin, `DROP DATABASE `+name+` WITH (FORCE)`) })
	return inCluster(admin, name)
}

// command runs one SQL command on a connection of its own; it is also for cleaning up, when tb's context is over.
func command(tb testing.TB, admin, sql string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, admin)
	if err != nil {
		tb.Fatalf("connect to the PostgreSQL cluster: %v", err)
	}
	_, err = conn.Exec(ctx, sql)
	if err := errors.Join(err, conn.Close(ctx)); err != nil {
		tb.Fatal(fmt.Errorf("%s: %w", sql, err))
	}
}

func inCluster(admin, database string) string {
	u, err := url.Parse(admin)
	if err != nil {
		panic("LOJAL_TEST_POSTGRES is not a URL") // without the text: it may hold a password
	}
	u.Path = "/" + database
	return u.String()
}
