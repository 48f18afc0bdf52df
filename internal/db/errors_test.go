package db_test

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/errs"
)

func TestViolationsAreToldApart(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		must(t, d,
			`CREATE TABLE owner (bucket integer, id text, PRIMARY KEY (bucket, id))`,
			`CREATE TABLE thing (id bigint PRIMARY KEY, name text NOT NULL CHECK (name <> ''), bucket integer, owner text, UNIQUE (name), FOREIGN KEY (bucket, owner) REFERENCES owner (bucket, id))`,
			`INSERT INTO thing (id, name) VALUES (1, 'a')`)
		for _, c := range []struct {
			statement       string
			unique, foreign bool
		}{
			{`INSERT INTO thing (id, name) VALUES (1, 'b')`, true, false},
			{`INSERT INTO thing (id, name) VALUES (2, 'a')`, true, false},
			{`INSERT INTO thing (id, name, bucket, owner) VALUES (2, 'b', 1, 'nobody')`, false, true},
			{`INSERT INTO thing (id, name) VALUES (2, '')`, false, false},
			{`INSERT INTO thing (id, name) VALUES (2, NULL)`, false, false},
			{`INSERT INTO nowhere (id) VALUES (2)`, false, false},
		} {
			err := d.Write(t.Context(), func(tx *db.Tx) error {
				_, err := tx.Exec(t.Context(), c.statement)
				return err
			})
			wrapped := fmt.Errorf("keep a thing: %w", err)
			if err == nil || db.IsUnique(wrapped) != c.unique || db.IsForeignKey(wrapped) != c.foreign {
				t.Errorf("%s: unique %v, foreign key %v: %v", c.statement, db.IsUnique(wrapped), db.IsForeignKey(wrapped), err)
			}
			if db.IsRetryable(wrapped) || db.IsUnavailable(wrapped) || errs.CodeOf(wrapped) != errs.CodeInternal {
				t.Errorf("%s is taken for the database's own trouble: %v", c.statement, err)
			}
		}
	})
}

func TestErrorsHaveTheirClasses(t *testing.T) {
	t.Parallel()
	pg := func(code string) error { return fmt.Errorf("update: %w", &pgconn.PgError{Code: code}) }
	for name, c := range map[string]struct {
		err                    error
		retryable, unavailable bool
	}{
		"nil":                   {nil, false, false},
		"serialization failure": {pg("40001"), true, true},
		"deadlock":              {pg("40P01"), true, true},
		"server shuts down":     {pg("57P01"), true, true},
		"server starts up":      {pg("57P03"), true, true},
		"disk full":             {pg("53100"), false, true},
		"too many connections":  {pg("53300"), false, true},
		"standby":               {pg("25006"), false, true},
		"syntax":                {pg("42601"), false, false},
		"cut":                   {fmt.Errorf("read: %w", io.ErrUnexpectedEOF), true, true},
		"no rows":               {sql.ErrNoRows, false, false},
		"caller gone":           {context.Canceled, false, false},
		"caller's deadline":     {context.DeadlineExceeded, false, false},
		"unknown":               {errors.Join(db.ErrUnknownCommit, pg("57P01")), false, true},
	} {
		if db.IsRetryable(c.err) != c.retryable || db.IsUnavailable(c.err) != c.unavailable {
			t.Errorf("%s: retryable %v, unavailable %v", name, db.IsRetryable(c.err), db.IsUnavailable(c.err))
		}
	}
}

func TestAServerThatLetsNobodyInIsUnavailable(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"XX000", "53300", "57P03", "28P01"} { // the first is what a full disk makes of a connection
		listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		go func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				body := "SFATAL\x00C" + code + "\x00Mnot now\x00\x00"
				_, _ = conn.Read(make([]byte, 1024))
				_, _ = conn.Write(append(binary.BigEndian.AppendUint32([]byte{'E'}, uint32(4+len(body))), body...))
				conn.Close()
			}
		}()
		_, err = db.Open(t.Context(), fmt.Sprintf("postgres://x@%s/x?sslmode=disable", listener.Addr()), db.Options{})
		if !errs.Is(err, errs.CodeUnavailable, db.ReasonUnavailable) || db.IsRetryable(err) {
			t.Errorf("%s: %v", code, err)
		}
	}
}

func TestASecondProcessOnTheFileMakesSQLiteBusy(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, db.SQLite)
	other, err := sql.Open("sqlite", "file:"+d.Path()+"?_txlock=immediate") // without a busy timeout
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	err = d.Write(t.Context(), func(tx *db.Tx) error {
		if _, err := tx.Stamp(t.Context()); err != nil { // a transaction begins with its first statement
			return err
		}
		_, err := other.BeginTx(t.Context(), nil)
		if !db.IsRetryable(err) || !db.IsUnavailable(err) {
			t.Errorf("%v", err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestADeadlockIsRunAgain(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, db.Postgres)
	must(t, d, `CREATE TABLE account (id bigint PRIMARY KEY, n bigint)`, `INSERT INTO account (id, n) VALUES (1, 0), (2, 0)`)
	// Both hold one row before either asks for the other's, the first time; which of the two is undone is the server's choice.
	var held [2]chan struct{}
	for i := range held {
		held[i] = make(chan struct{})
	}
	runs, failed := make(chan int, 2), make(chan error, 2)
	for i := range 2 {
		go func() {
			n := 0
			failed <- d.Write(t.Context(), func(tx *db.Tx) error {
				n++
				if _, err := tx.Exec(t.Context(), `UPDATE account SET n = n + 1 WHERE id = $1`, 1+i); err != nil {
					return err
				}
				if n == 1 {
					close(held[i])
					<-held[1-i]
				}
				_, err := tx.Exec(t.Context(), `UPDATE account SET n = n + 1 WHERE id = $1`, 2-i)
				return err
			})
			runs <- n
		}()
	}
	for range 2 {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	if n := <-runs + <-runs; n < 3 {
		t.Errorf("%d runs: there was no deadlock", n)
	}
	if n := number(t, d, `SELECT SUM(n) FROM account`); n != 4 {
		t.Errorf("%d updates, want 4", n)
	}
}

func TestALostConnectionIsRunAgainBeforeCommit(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, db.Postgres)
	must(t, d, `CREATE TABLE thing (id bigint PRIMARY KEY)`)
	for name, run := range map[string]func(context.Context, func(*db.Tx) error) error{"write": d.Write, "read": d.Read} {
		runs := 0
		err := run(t.Context(), func(tx *db.Tx) error {
			runs++
			if runs == 1 {
				var gone bool
				if err := tx.QueryRow(t.Context(), `SELECT pg_terminate_backend(pg_backend_pid())`).Scan(&gone); err != nil {
					return err
				}
			}
			var n int
			if err := tx.QueryRow(t.Context(), `SELECT COUNT(*) FROM thing`).Scan(&n); err != nil || name == "read" {
				return err
			}
			_, err := tx.Exec(t.Context(), `INSERT INTO thing (id) VALUES (1)`)
			return err
		})
		if err != nil || runs != 2 {
			t.Errorf("%s: %v after %d runs", name, err, runs)
		}
	}
	if n := number(t, d, `SELECT COUNT(*) FROM thing`); n != 1 {
		t.Errorf("%d rows", n)
	}
}

func TestAFullDiskIsUnavailableAndHarmsNothing(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, db.SQLite)
	must(t, d, `CREATE TABLE thing (id bigint PRIMARY KEY, filler text)`, `INSERT INTO thing (id, filler) VALUES (1, 'kept')`)
	pages := number(t, d, `PRAGMA page_count`)
	must(t, d, fmt.Sprintf(`PRAGMA max_page_count = %d`, pages+5)) // as the driver sees a full disk: SQLITE_FULL
	err := d.Write(t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(t.Context(), `INSERT INTO thing (id, filler) VALUES ($1, $2)`, 2, strings.Repeat("x", 1<<20))
		return err
	})
	if !errs.Is(err, errs.CodeUnavailable, db.ReasonUnavailable) || errors.Is(err, db.ErrUnknownCommit) {
		t.Errorf("%v", err)
	}
	if n := number(t, d, `SELECT COUNT(*) FROM thing`); n != 1 {
		t.Errorf("%d rows", n)
	}
	must(t, d, `PRAGMA max_page_count = 1000000`, `INSERT INTO thing (id, filler) VALUES (2, 'after')`)
}
