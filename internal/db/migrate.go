package db

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"

	"lojal.dev/lojal/internal/errs"
)

// The migrations, numbered, forward only. A file that has been released is never edited. One is for both engines unless its name
// ends with that of an engine, as 00011_rows.sqlite.sql; then there is one for the other engine under the same number, since the
// schema has the same version on both.
//
//go:embed migrations/*.sql
var migrations embed.FS

const (
	versionTable = "schema_version"

	versionTableSQLite   = `SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'schema_version'`
	versionTablePostgres = `SELECT COUNT(to_regclass('schema_version'))`
	versionNewest        = `SELECT COALESCE(MAX(version), 0) FROM schema_version`
)

// Migrate brings the schema to this program's version, each migration in its own transaction, and gives the
// number of migrations it ran. Two programs may do it at the same time: each migration happens once, and both
// come back when all are done. A schema newer than this program is a conflict with [ReasonNewSchema].
func (d *DB) Migrate(ctx context.Context) (int, error) {
	ran, err := d.migrate(ctx, embedded(d.dialect))
	if err != nil {
		return ran, err
	}
	if err := d.findDistribution(ctx); err != nil || ran == 0 {
		return ran, err
	}
	return ran, d.spreadNew(ctx)
}

// Pending gives the number of migrations that [DB.Migrate] would run. It writes nothing. A schema newer than this
// program is a conflict with [ReasonNewSchema].
func (d *DB) Pending(ctx context.Context) (int, error) {
	return d.pending(ctx, embedded(d.dialect))
}

// Fingerprint tells the migrations of this program from any others: 16 hexadecimal digits of a hash of their text.
func Fingerprint() string {
	hash := sha256.New()
	err := fs.WalkDir(migrations, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(migrations, name)
		fmt.Fprintf(hash, "%s %d\n%s", name, len(text), text)
		return err
	})
	if err != nil {
		panic(err) // the files are inside the program
	}
	return hex.EncodeToString(hash.Sum(nil)[:8])
}

func embedded(dialect Dialect) fs.FS {
	folder, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the folder is inside the program
	}
	return engineFS{folder, dialect}
}

// engineFS lists the migrations without those of the other engine.
type engineFS struct {
	fs.FS
	dialect Dialect
}

// Glob is what goose lists migrations by.
func (e engineFS) Glob(pattern string) ([]string, error) {
	names, err := fs.Glob(e.FS, pattern)
	return slices.DeleteFunc(names, func(name string) bool {
		of := path.Ext(strings.TrimSuffix(name, ".sql"))
		return of != "" && of != "."+string(e.dialect)
	}), err
}

func (d *DB) migrate(ctx context.Context, files fs.FS) (int, error) {
	provider, err := d.provider(files)
	if err != nil {
		return 0, err
	}
	for ran, attempt := 0, 1; ; attempt++ {
		before, err := d.version(ctx)
		if err != nil {
			return ran, err
		}
		if pending, err := pendingFrom(provider, before); err != nil || pending == 0 {
			return ran, err
		}
		if err := d.createVersionTable(ctx); err != nil {
			return ran, fmt.Errorf("make the table of schema versions: %w", err)
		}
		done, err := provider.Up(ctx)
		ran += len(done)
		if err == nil {
			continue // the version says whether that was all
		}
		if partial, ok := errors.AsType[*goose.PartialError](err); ok {
			ran += len(partial.Applied)
			err = fmt.Errorf("%s: %w", path.Base(partial.Failed.Source.Path), partial.Err)
		}
		// Another program may have run the same migration: then this one's was undone, and the version has moved.
		now, versionErr := d.version(ctx)
		if versionErr != nil {
			return ran, versionErr
		}
		if now == before && !IsRetryable(err) || attempt == 100 || ctx.Err() != nil {
			return ran, explain(ctx, fmt.Errorf("migrate the database from version %d: %w", now, err))
		}
	}
}

func (d *DB) pending(ctx context.Context, files fs.FS) (int, error) {
	provider, err := d.provider(files)
	if err != nil {
		return 0, err
	}
	current, err := d.version(ctx)
	if err != nil {
		return 0, err
	}
	return pendingFrom(provider, current)
}

func pendingFrom(provider *goose.Provider, current int64) (int, error) {
	pending, newest := 0, int64(0)
	for _, source := range provider.ListSources() {
		newest = max(newest, source.Version)
		if source.Version > current {
			pending++
		}
	}
	if current > newest {
		return 0, errs.Conflict(ReasonNewSchema, fmt.Sprintf(
			"The database has schema version %d and this program knows versions up to %d: use a newer lojal.", current, newest))
	}
	return pending, nil
}

// createVersionTable does before goose what goose would do, since goose waits a second after it met another program.
// Version 0 is the row that goose wants in an empty table.
func (d *DB) createVersionTable(ctx context.Context) error {
	for attempt := 1; ; attempt++ {
		err := d.Write(ctx, func(tx *Tx) error {
			if _, err := tx.Exec(ctx, `CREATE TABLE IF NOT EXISTS schema_version (version bigint PRIMARY KEY)`); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, `INSERT INTO schema_version (version) VALUES (0) ON CONFLICT DO NOTHING`)
			return err
		})
		// PostgreSQL's IF NOT EXISTS looks before another's commit and collides in the catalogue after it.
		collided := IsUnique(err) || pgCode(err) == "42P07" || pgCode(err) == "42710" // key, table or its type
		if err == nil || attempt == attempts || !collided {
			return err
		}
	}
}

// version gives the newest migration that the database has, 0 for none.
func (d *DB) version(ctx context.Context) (int64, error) {
	query := versionTableSQLite
	if d.dialect == Postgres {
		query = versionTablePostgres
	}
	var version int64
	err := d.Read(ctx, func(tx *Tx) error {
		var tables int
		if err := tx.QueryRow(ctx, query).Scan(&tables); err != nil || tables == 0 {
			version = 0
			return err
		}
		return tx.QueryRow(ctx, versionNewest).Scan(&version)
	})
	if err != nil {
		return 0, fmt.Errorf("read the schema version: %w", err)
	}
	return version, nil
}

func (d *DB) provider(files fs.FS) (*goose.Provider, error) {
	provider, err := goose.NewProvider(goose.DialectCustom, d.write, files,
		goose.WithStore(versions{d.dialect}), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return nil, fmt.Errorf("read the migrations: %w", err)
	}
	return provider, nil
}

// versions is goose's store with the version as primary key. goose writes the version in the migration's own
// transaction, so of two programs that run the same migration at the same time, the second fails at the key and is
// undone. goose's own store has no such key, and its locks are either PostgreSQL's alone or bound to one node.
type versions struct{ dialect Dialect }

func (versions) Tablename() string { return versionTable }

func (versions) CreateVersionTable(context.Context, database.DBTxConn) error {
	return errors.New("the table is made before goose is asked")
}

func (versions) Insert(ctx context.Context, db database.DBTxConn, req database.InsertRequest) error {
	_, err := db.ExecContext(ctx, `INSERT INTO schema_version (version) VALUES ($1)`, req.Version)
	return err
}

func (versions) Delete(context.Context, database.DBTxConn, int64) error {
	return errors.New("migrations only go forward")
}

func (versions) GetMigration(ctx context.Context, db database.DBTxConn, version int64) (*database.GetMigrationResult, error) {
	var v int64
	err := db.QueryRowContext(ctx, `SELECT version FROM schema_version WHERE version = $1`, version).Scan(&v)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("%w: %d", database.ErrVersionNotFound, version)
	}
	if err != nil {
		return nil, err
	}
	return &database.GetMigrationResult{IsApplied: true}, nil
}

func (versions) GetLatestVersion(ctx context.Context, db database.DBTxConn) (int64, error) {
	var v sql.NullInt64
	if err := db.QueryRowContext(ctx, `SELECT MAX(version) FROM schema_version`).Scan(&v); err != nil {
		return 0, err
	}
	if !v.Valid {
		return 0, database.ErrVersionNotFound
	}
	return v.Int64, nil
}

func (versions) ListMigrations(ctx context.Context, db database.DBTxConn) (list []*database.ListMigrationsResult, err error) {
	rows, err := db.QueryContext(ctx, `SELECT version FROM schema_version ORDER BY version DESC`)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var v int64
		if err := rows.Scan(&v); err != nil {
			return nil, err
		}
		list = append(list, &database.ListMigrationsResult{Version: v, IsApplied: true})
	}
	return list, rows.Err()
}

// TableExists spares goose a failing query, which PostgreSQL would log as an error.
func (v versions) TableExists(ctx context.Context, db database.DBTxConn) (bool, error) {
	query := versionTableSQLite
	if v.dialect == Postgres {
		query = versionTablePostgres
	}
	var n int
	err := db.QueryRowContext(ctx, query).Scan(&n)
	return n > 0, err
}
