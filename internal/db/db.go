// Package db is the ground under everything that is stored: one SQL text for SQLite and PostgreSQL.
//
// It owns opening, transactions and their retries, the classes of database errors, migrations, and the few
// seams where the two engines differ. It owns no table but those of migration 1, and knows nothing of what is
// stored.
//
// What always holds: SQLite has one writer at a time and syncs each commit to disk before it returns; a
// transaction that is run again left nothing behind; an error from [DB.Write] that is not [ErrUnknownCommit]
// means that nothing was written.
//
// What callers keep to, since it is the common ground of both engines: placeholders are $1, $2, …; times are
// bigint microseconds UTC; JSON goes in and out as string, never as []byte, which SQLite would keep as a blob; a
// parameter in a SELECT list or a VALUES list that feeds a join is cast (CAST($1 AS bigint)), since PostgreSQL
// must know its type; one statement a call; one open result a transaction.
package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/prometheus/client_golang/prometheus"

	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/trace"
)

// Dialect names the engine, for the rare places where one text does not serve both.
type Dialect string

// The engines.
const (
	SQLite   Dialect = "sqlite"
	Postgres Dialect = "postgres"
)

const (
	// attempts bounds how often a transaction is run. Ten, at the waits of backoff, give a contended row about
	// three seconds; a caller in more of a hurry says so by its context.
	attempts = 10
	// busyTimeout is how long one statement waits for another process to leave the SQLite file alone.
	busyTimeout = 3 * time.Second
	// commitTimeout is how long COMMIT may take on PostgreSQL before its outcome is declared unknown.
	commitTimeout = 30 * time.Second
)

// Options are the choices of [Open]; the zero value is right for a server on a migrated database.
type Options struct {
	// Migrate brings the schema to this program's version first, and makes a SQLite file that is not there.
	Migrate bool
	// Unmigrated allows a schema older than this program's, for the commands that look at or migrate it.
	Unmigrated bool
	// Connections bounds the connections to PostgreSQL and the readers of SQLite; 0 means 16.
	Connections int
	// Metrics is where the database's meters are shown; nil shows them to nobody.
	Metrics prometheus.Registerer
	// Log takes warnings of transactions that took Slow or longer; without either there are none.
	Log  *slog.Logger
	Slow time.Duration
	// Trace is told of every statement that goes to PostgreSQL: for tests that look at all of them.
	Trace pgx.QueryTracer
}

// DB is an open database. It is safe for use by many goroutines.
type DB struct {
	dialect     Dialect
	path        string  // SQLite: the file
	write       *sql.DB // SQLite: one connection
	read        *sql.DB // PostgreSQL: the same pool as write
	probe       *sql.DB // PostgreSQL: one connection of its own, for Watch
	watch       watch
	failing     atomic.Bool // the last write failed because of the database or its machine
	meters      meters
	checkpoints *checkpoints // SQLite
	log         *slog.Logger
	slow        time.Duration
	// distributed is nil on one machine
	distributed atomic.Pointer[distribution]
}

// Open opens the database at the URL: sqlite:PATH, a bare PATH, or postgres://….
//
// It fails with code invalid for a URL it cannot use, not_found for a SQLite file that is not there, unavailable
// when the database cannot be reached, and conflict with [ReasonOldSchema] or [ReasonNewSchema] when the schema
// is not this program's. Close the DB when done.
func Open(ctx context.Context, rawURL string, opts Options) (*DB, error) {
	if opts.Connections <= 0 {
		opts.Connections = 16
	}
	d, err := open(rawURL, opts)
	if err != nil {
		return nil, err
	}
	d.meters, d.log, d.slow = newMeters(nil), opts.Log, opts.Slow
	if err := d.ready(ctx, opts); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	// Only now, so that who tries again does not show the same meters twice.
	d.meters = newMeters(opts.Metrics)
	if err := d.register(opts.Metrics); err != nil {
		return nil, errors.Join(fmt.Errorf("show the database's meters: %w", err), d.Close())
	}
	return d, nil
}

func open(rawURL string, opts Options) (*DB, error) {
	scheme, rest, found := strings.Cut(rawURL, ":")
	switch {
	case rawURL == "":
		return nil, errs.Invalid("database_url", "No database is named: use sqlite:PATH or postgres://….")
	case scheme == "postgres" || scheme == "postgresql":
		return openPostgres(rawURL, opts)
	case scheme == "sqlite":
		return openSQLite(strings.TrimPrefix(rest, "//"), opts)
	case found && strings.HasPrefix(rest, "//"):
		return nil, errs.Invalid("database_url", fmt.Sprintf("%s is no kind of database known here: use sqlite:PATH or postgres://….", scheme))
	default:
		return openSQLite(rawURL, opts)
	}
}

func openPostgres(rawURL string, opts Options) (*DB, error) {
	config, err := pgx.ParseConfig(rawURL)
	if err != nil {
		return nil, errs.Invalid("database_url", "The PostgreSQL URL cannot be read.").Because(err)
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "lojal"
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = 5 * time.Second
	}
	d := &DB{dialect: Postgres}
	watched := config.Copy()
	watched.DialFunc = d.watch.dial(config.DialFunc)
	watched.Tracer = opts.Trace
	pool := stdlib.OpenDB(*watched)
	pool.SetMaxOpenConns(opts.Connections)
	pool.SetMaxIdleConns(opts.Connections)
	pool.SetConnMaxIdleTime(5 * time.Minute)
	probe := stdlib.OpenDB(*config)
	probe.SetMaxOpenConns(1)
	d.write, d.read, d.probe = pool, pool, probe
	d.watch.every, d.watch.patience = watchEvery, watchPatience
	return d, nil
}

func openSQLite(path string, opts Options) (*DB, error) {
	if path == "" || strings.HasPrefix(path, ":memory:") || strings.HasPrefix(path, "file:") {
		return nil, errs.Invalid("database_url", "SQLite needs the path of a file: sqlite:PATH.")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("find the database file: %w", err)
	}
	if err := createFile(path, opts.Migrate); err != nil {
		return nil, err
	}
	base := sqliteDSN(path)
	write, err := sqlitePool(base + "&_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=journal_size_limit(67108864)&_pragma=wal_autocheckpoint(0)")
	if err != nil {
		return nil, err
	}
	read, err := sqlitePool(base + "&_pragma=query_only(1)")
	if err != nil {
		return nil, err
	}
	side, err := sqlitePool(base)
	if err != nil {
		return nil, err
	}
	write.SetMaxOpenConns(1)
	read.SetMaxOpenConns(opts.Connections)
	read.SetMaxIdleConns(opts.Connections)
	d := &DB{dialect: SQLite, path: path, write: write, read: read}
	d.startCheckpoints(side)
	return d, nil
}

// sqliteDSN gives what all connections to the file have in common. The path is escaped, so that a ? or # in a name
// stays part of it; _dqs=0 makes "x" a name and never a text, as in PostgreSQL.
func sqliteDSN(path string) string {
	return (&url.URL{Scheme: "file", Path: path}).String() +
		fmt.Sprintf("?_pragma=busy_timeout(%d)", busyTimeout.Milliseconds()) +
		"&_dqs=0&_pragma=foreign_keys(1)&_pragma=synchronous(FULL)&_pragma=cache_size(-16000)&_pragma=temp_store(MEMORY)"
}

// createFile makes sure that the file is there, when it may be made: readable by its owner alone, since it holds
// personal data, and in a folder that is synced, so that the file itself survives power loss.
func createFile(path string, create bool) error {
	if !create {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return errs.NotFound("database", fmt.Sprintf("There is no database at %s.", path)).Because(err)
		} else if err != nil {
			return fmt.Errorf("look for the database file: %w", err)
		}
		return nil
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("make the database file: %w", err)
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("make the database file: %w", err)
	}
	return syncDir(filepath.Dir(path))
}

// ready checks that the database answers and has the schema that the options ask for.
func (d *DB) ready(ctx context.Context, opts Options) error {
	if err := d.Ping(ctx); err != nil {
		return err
	}
	if opts.Migrate {
		if _, err := d.Migrate(ctx); err != nil {
			return err
		}
		return nil
	}
	pending, err := d.Pending(ctx)
	if err != nil {
		return err
	}
	if pending > 0 && !opts.Unmigrated {
		return errs.Conflict(ReasonOldSchema, fmt.Sprintf("The database wants %s before this program can use it: run lojal migrate.", lang.Things(pending, "migration")))
	}
	if pending > 0 {
		return nil
	}
	return d.findDistribution(ctx)
}

// Close ends all connections. Transactions under way fail.
func (d *DB) Close() error {
	// The writer goes last: the last connection to a SQLite file writes the log back into it.
	err := d.checkpoints.close()
	if d.read != d.write {
		err = errors.Join(err, d.read.Close())
	}
	if d.probe != nil {
		err = errors.Join(err, d.probe.Close())
	}
	if err := errors.Join(err, d.write.Close()); err != nil {
		return fmt.Errorf("close the database: %w", err)
	}
	return nil
}

// Dialect tells the engine.
func (d *DB) Dialect() Dialect { return d.dialect }

// Path gives the file of a SQLite database, "" for PostgreSQL.
func (d *DB) Path() string { return d.path }

// Ping checks that a reader gets an answer. It does not wait for the writer, so a long write is no ill health.
func (d *DB) Ping(ctx context.Context) error {
	var one int
	if err := d.read.QueryRowContext(ctx, "SELECT 1").Scan(&one); err != nil {
		return explain(ctx, fmt.Errorf("ping the database: %w", err))
	}
	return nil
}

// Write runs fn in a transaction and commits it when fn gives nil.
//
// fn may run several times: it is run again when the database gave the transaction up (see [IsRetryable]), so
// it must set what it gives to its surroundings, not add to it, and must have no effect but through tx. On
// PostgreSQL the isolation is read committed; on SQLite there is no other writer.
//
// An error of fn comes back wrapped in nothing, unless it is of the class [IsUnavailable]: then it has code
// unavailable. [ErrUnknownCommit] means that the commit may have happened.
func (d *DB) Write(ctx context.Context, fn func(*Tx) error) error {
	return d.run(ctx, fn, false)
}

// Read runs fn in a transaction that cannot write and sees one snapshot from its first query to its last. fn may
// run several times. It never waits for a writer, nor a writer for it.
func (d *DB) Read(ctx context.Context, fn func(*Tx) error) error {
	return d.run(ctx, fn, true)
}

func (d *DB) run(ctx context.Context, fn func(*Tx) error, readOnly bool) error {
	began := time.Now() // a duration, not a business time
	ctx, span := trace.Child(ctx, "transaction")
	defer span.End()
	for attempt := 1; ; attempt++ {
		err := d.behind(d.once(ctx, fn, readOnly))
		d.checkpoints.failed(err)
		if err == nil {
			d.note(ctx, span, readOnly, attempt, began, nil)
			return nil
		}
		if readOnly && isReadOnly(err) {
			return fmt.Errorf("a write inside Read: %w", err)
		}
		if attempt == attempts || ctx.Err() != nil || !IsRetryable(err) {
			d.note(ctx, span, readOnly, attempt, began, err)
			return explain(ctx, err)
		}
		d.meters.retries.Inc()
		select {
		case <-ctx.Done():
			d.note(ctx, span, readOnly, attempt, began, err)
			return explain(ctx, err)
		case <-time.After(backoff(attempt)):
		}
	}
}

// backoff gives a random wait up to 5 ms, 10 ms, … 640 ms, so that two that met do not meet again.
func backoff(attempt int) time.Duration {
	return rand.N(5 * time.Millisecond << min(attempt-1, 7))
}

// once runs fn in one transaction.
//
// The transaction ends with ctx only until COMMIT is sent. After that a cancelled caller must not leave us
// guessing about what a second more would have told, so COMMIT has its own, longer time.
func (d *DB) once(ctx context.Context, fn func(*Tx) error, readOnly bool) error {
	if d.watch.away.Load() {
		return errAway
	}
	pool := d.write
	if readOnly {
		pool = d.read
	}
	conn, err := pool.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connect to the database: %w", err)
	}
	defer conn.Close() // it only returns the connection to the pool

	tx := &Tx{conn: conn, dialect: d.dialect, readOnly: readOnly, distributed: d.distributed.Load()}
	defer tx.rollback(ctx) // after a commit it does nothing
	if err := fn(tx); err != nil {
		if !readOnly && d.dialect == Postgres && isReadOnly(err) {
			// The server became a standby: the next transaction looks for the new primary.
			tx.rollback(ctx)
			_ = conn.Raw(func(any) error { return driver.ErrBadConn })
		}
		return err
	}
	if err := ctx.Err(); err != nil && !readOnly {
		return fmt.Errorf("before commit: %w", err)
	}
	if err := tx.commit(ctx); err != nil {
		return err
	}
	if tx.ended {
		d.checkpoints.committed()
	}
	return nil
}
