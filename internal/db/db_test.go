package db_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/errs"
)

// must runs the statements in one transaction.
func must(t *testing.T, d *db.DB, statements ...string) {
	t.Helper()
	err := d.Write(t.Context(), func(tx *db.Tx) error {
		for _, s := range statements {
			if _, err := tx.Exec(t.Context(), s); err != nil {
				return fmt.Errorf("%s: %w", s, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// number gives the one integer that the query gives.
func number(t *testing.T, d *db.DB, query string, args ...any) (n int64) {
	t.Helper()
	err := d.Read(t.Context(), func(tx *db.Tx) error { return tx.QueryRow(t.Context(), query, args...).Scan(&n) })
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

func TestAURLThatNamesNoDatabaseIsRefused(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "missing.db")
	for url, code := range map[string]errs.Code{
		"":                               errs.CodeInvalid,
		"mysql://root@127.0.0.1/lojal":   errs.CodeInvalid,
		"sqlite:":                        errs.CodeInvalid,
		"sqlite::memory:":                errs.CodeInvalid,
		"file:lojal.db":                  errs.CodeInvalid,
		"postgres://127.0.0.1:port/":     errs.CodeInvalid,
		missing:                          errs.CodeNotFound,
		"sqlite:" + missing:              errs.CodeNotFound,
		"postgres://127.0.0.1:1/nowhere": errs.CodeUnavailable,
	} {
		d, err := db.Open(t.Context(), url, db.Options{})
		if err == nil {
			d.Close()
		}
		if got := errs.CodeOf(err); got != code {
			t.Errorf("%q: code %q, want %q (%v)", url, got, code, err)
		}
	}
	if _, err := os.Stat(missing); !os.IsNotExist(err) {
		t.Error("opening made the file")
	}
}

func TestAPasswordIsNotInTheErrorOfABadURL(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"postgres://lojal:hemmelig@127.0.0.1:port/x", "postgres://lojal:hemmelig@127.0.0.1:1/x"} {
		if _, err := db.Open(t.Context(), url, db.Options{}); err == nil || strings.Contains(err.Error(), "hemmelig") {
			t.Errorf("%v", err)
		}
	}
}

func TestASQLiteFileIsItsOwnersAloneAndMayHaveAnyName(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "kaffe? #1 100%41 ø.db")
	for _, migrate := range []bool{true, false} {
		d, err := db.Open(t.Context(), "sqlite:"+path, db.Options{Migrate: migrate})
		if err != nil {
			t.Fatal(err)
		}
		if d.Path() != path || d.Dialect() != db.SQLite {
			t.Errorf("%s, %s", d.Path(), d.Dialect())
		}
		for _, file := range []string{path, path + "-wal"} {
			if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %v, %v", file, info, err)
			}
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestSQLiteSyncsEachCommitAndChecksForeignKeys(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, db.SQLite)
	for _, run := range []func(context.Context, func(*db.Tx) error) error{d.Write, d.Read} {
		err := run(t.Context(), func(tx *db.Tx) error {
			var mode string
			var sync, keys int
			if err := tx.QueryRow(t.Context(), `PRAGMA journal_mode`).Scan(&mode); err != nil {
				return err
			}
			if err := tx.QueryRow(t.Context(), `PRAGMA synchronous`).Scan(&sync); err != nil {
				return err
			}
			if err := tx.QueryRow(t.Context(), `PRAGMA foreign_keys`).Scan(&keys); err != nil {
				return err
			}
			if mode != "wal" || sync != 2 || keys != 1 {
				t.Errorf("journal_mode %s, synchronous %d, foreign_keys %d", mode, sync, keys)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func TestAWriteIsWholeOrNothing(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		must(t, d, `CREATE TABLE thing (id bigint PRIMARY KEY, name text)`)
		insert := func(tx *db.Tx, id int) error {
			_, err := tx.Exec(t.Context(), `INSERT INTO thing (id, name) VALUES ($1, $2)`, id, "x")
			return err
		}
		if err := d.Write(t.Context(), func(tx *db.Tx) error { return insert(tx, 1) }); err != nil {
			t.Fatal(err)
		}
		refused := errors.New("refused")
		err := d.Write(t.Context(), func(tx *db.Tx) error { return errors.Join(insert(tx, 2), refused) })
		if !errors.Is(err, refused) {
			t.Errorf("%v", err)
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic is gone")
				}
			}()
			_ = d.Write(t.Context(), func(tx *db.Tx) error {
				if err := insert(tx, 3); err != nil {
					t.Error(err)
				}
				panic("in the middle")
			})
		}()
		if n := number(t, d, `SELECT COUNT(*) FROM thing`); n != 1 {
			t.Errorf("%d rows", n)
		}
	})
}

func TestAFailedStatementThatIsNotToldStillUndoesTheWrite(t *testing.T) {
	t.Parallel()
	// On SQLite a failed statement leaves the rest of the transaction alone; PostgreSQL refuses to commit, and
	// that must not look like a success or an unknown commit.
	d := dbtest.Open(t, db.Postgres)
	must(t, d, `CREATE TABLE thing (id bigint PRIMARY KEY)`)
	err := d.Write(t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(t.Context(), `INSERT INTO thing (id) VALUES (1)`)
		_, _ = tx.Exec(t.Context(), `INSERT INTO nowhere (id) VALUES (1)`)
		return err
	})
	if err == nil || errors.Is(err, db.ErrUnknownCommit) || errs.CodeOf(err) != errs.CodeInternal {
		t.Errorf("%v", err)
	}
	if n := number(t, d, `SELECT COUNT(*) FROM thing`); n != 0 {
		t.Errorf("%d rows", n)
	}
}

func TestReadSeesOneSnapshotAndCannotWrite(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		must(t, d, `CREATE TABLE thing (id bigint PRIMARY KEY)`, `INSERT INTO thing (id) VALUES (1)`)
		err := d.Read(t.Context(), func(tx *db.Tx) error {
			for i := range 3 {
				var n int
				if err := tx.QueryRow(t.Context(), `SELECT COUNT(*) FROM thing`).Scan(&n); err != nil {
					return err
				}
				if n != 1 {
					t.Errorf("%d rows in query %d of one snapshot", n, i)
				}
				must(t, d, fmt.Sprintf(`INSERT INTO thing (id) VALUES (%d)`, 10+i)) // a writer does not wait for a reader
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		runs := 0
		err = d.Read(t.Context(), func(tx *db.Tx) error {
			runs++
			_, err := tx.Exec(t.Context(), `INSERT INTO thing (id) VALUES (99)`)
			return err
		})
		if err == nil || errs.CodeOf(err) != errs.CodeInternal || runs != 1 {
			t.Errorf("a write in a read gave %v after %d runs", err, runs)
		}
		if n := number(t, d, `SELECT COUNT(*) FROM thing`); n != 4 {
			t.Errorf("%d rows", n)
		}
	})
}

func TestACallerWhoGoesAwayBeforeCommitLeavesNothing(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		must(t, d, `CREATE TABLE thing (id bigint PRIMARY KEY)`)
		ctx, cancel := context.WithCancel(t.Context())
		err := d.Write(ctx, func(tx *db.Tx) error {
			_, err := tx.Exec(ctx, `INSERT INTO thing (id) VALUES (1)`)
			cancel()
			return err
		})
		if !errors.Is(err, context.Canceled) || errors.Is(err, db.ErrUnknownCommit) {
			t.Errorf("%v", err)
		}
		if n := number(t, d, `SELECT COUNT(*) FROM thing`); n != 0 {
			t.Errorf("%d rows", n)
		}
		must(t, d, `INSERT INTO thing (id) VALUES (1)`) // the database is as good as before
	})
}

// A caller may go away in the very moment in which BEGIN is done: the connection is then not left inside a transaction.
func TestACallerWhoGoesAwayAtBeginLeavesTheConnectionFree(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		for i := range 6000 {
			run := d.Read
			if i%2 == 0 {
				run = d.Write
			}
			ctx, cancel := context.WithCancel(t.Context())
			ready, gone := make(chan struct{}), make(chan struct{})
			go func() {
				close(ready)
				for start := time.Now(); time.Since(start) < time.Duration(i%100)*time.Microsecond; { // from at once to after BEGIN
					continue
				}
				cancel()
				close(gone)
			}()
			<-ready
			err := run(ctx, func(tx *db.Tx) error { return tx.Begin(ctx) })
			<-gone
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Fatalf("%d: %v", i, err)
			}
			if err := run(t.Context(), func(tx *db.Tx) error { return tx.Begin(t.Context()) }); err != nil {
				t.Fatalf("the next one, after %d: %v", i, err)
			}
		}
	})
}

func TestAStatementStopsWhenTheCallersTimeIsOver(t *testing.T) {
	t.Parallel()
	const endless = `WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 2000000000) SELECT COUNT(*) FROM c`
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		for _, run := range []func(context.Context, func(*db.Tx) error) error{d.Write, d.Read} {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			err := run(ctx, func(tx *db.Tx) error {
				var n int64
				return tx.QueryRow(ctx, endless).Scan(&n)
			})
			cancel()
			if !errors.Is(err, context.DeadlineExceeded) || !errs.Is(err, errs.CodeUnavailable, db.ReasonTimeout) {
				t.Errorf("%v", err)
			}
			if n := number(t, d, `SELECT n FROM stamp`); n != 0 {
				t.Errorf("the database answers %d afterwards", n)
			}
		}
		must(t, d, `CREATE TABLE thing (id bigint PRIMARY KEY)`)
	})
}

func TestAWaitForTheOnlyWriterEndsWithTheCallersTime(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, db.SQLite)
	err := d.Write(t.Context(), func(*db.Tx) error {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		err := d.Write(ctx, func(*db.Tx) error { return errors.New("there are two writers") })
		if !errs.Is(err, errs.CodeUnavailable, db.ReasonTimeout) {
			t.Errorf("%v", err)
		}
		return d.Ping(t.Context()) // health does not wait
	})
	if err != nil {
		t.Error(err)
	}
}

func TestManyWritersLoseNoUpdate(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		must(t, d, `CREATE TABLE balance (id bigint PRIMARY KEY, n bigint)`, `INSERT INTO balance (id, n) VALUES (1, 0), (2, 0)`)
		const writers, each = 8, 25
		failed := make(chan error, writers)
		for range writers {
			go func() {
				var err error
				for i := 0; i < each && err == nil; i++ {
					err = d.Write(t.Context(), func(tx *db.Tx) error {
						var n int64
						if err := tx.QueryRow(t.Context(), `UPDATE balance SET n = n + 1 WHERE id = 1 RETURNING n`).Scan(&n); err != nil {
							return err
						}
						_, err := tx.Exec(t.Context(), `UPDATE balance SET n = $1 WHERE id = 2`, n)
						return err
					})
				}
				failed <- err
			}()
		}
		for range writers {
			if err := <-failed; err != nil {
				t.Error(err)
			}
		}
		if n := number(t, d, `SELECT MIN(n) + MAX(n) FROM balance`); n != 2*writers*each {
			t.Errorf("%d of %d", n, 2*writers*each)
		}
	})
}

func TestManyReadersAndAWriterWorkAtOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		must(t, d, `CREATE TABLE pair (id bigint PRIMARY KEY, n bigint)`, `INSERT INTO pair (id, n) VALUES (1, 0), (2, 0)`)
		const readers = 6
		done := make(chan error, readers)
		for range readers {
			go func() {
				done <- func() error {
					for range 30 {
						err := d.Read(t.Context(), func(tx *db.Tx) error {
							var sum int64
							if err := tx.QueryRow(t.Context(), `SELECT SUM(n) FROM pair`).Scan(&sum); err != nil {
								return err
							}
							if sum != 0 {
								return fmt.Errorf("half a write is seen: %d", sum)
							}
							return nil
						})
						if err != nil {
							return err
						}
					}
					return nil
				}()
			}()
		}
		for i := range 30 {
			must(t, d, fmt.Sprintf(`UPDATE pair SET n = %d WHERE id = 1`, i), fmt.Sprintf(`UPDATE pair SET n = -%d WHERE id = 2`, i))
		}
		for range readers {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
}
