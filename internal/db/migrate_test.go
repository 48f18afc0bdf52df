package db_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/errs"
)

func file(sql string) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte("-- +goose Up\n" + sql)}
}

// unmigrated opens an empty database.
func unmigrated(t *testing.T, url string) *db.DB {
	t.Helper()
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		if err := os.WriteFile(path, nil, 0o600); err != nil { // to SQLite, an empty file is a database without tables
			t.Fatal(err)
		}
	}
	d, err := db.Open(t.Context(), url, db.Options{Unmigrated: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestADatabaseIsMigratedOnlyWhenAsked(t *testing.T) {
	t.Parallel()
	dbtest.EachEmpty(t, func(t *testing.T, url string) {
		d := unmigrated(t, url)
		pending, err := d.Pending(t.Context())
		if err != nil || pending == 0 {
			t.Fatalf("%d pending, %v", pending, err)
		}
		if refused, err := db.Open(t.Context(), url, db.Options{}); !errs.Is(err, errs.CodeConflict, db.ReasonOldSchema) {
			t.Errorf("an old schema was opened: %v", err)
			refused.Close()
		}
		for _, want := range []int{pending, 0} {
			if n, err := d.Migrate(t.Context()); n != want || err != nil {
				t.Errorf("%d ran, want %d: %v", n, want, err)
			}
		}
		if n, err := d.Pending(t.Context()); n != 0 || err != nil {
			t.Errorf("%d pending, %v", n, err)
		}
		opened, err := db.Open(t.Context(), url, db.Options{})
		if err != nil {
			t.Fatal(err)
		}
		opened.Close()
	})
}

func TestANewerSchemaIsRefused(t *testing.T) {
	t.Parallel()
	dbtest.EachURL(t, func(t *testing.T, url string) {
		d, err := db.Open(t.Context(), url, db.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		must(t, d, `INSERT INTO schema_version (version) VALUES (9999)`)
		for _, opts := range []db.Options{{}, {Migrate: true}, {Unmigrated: true}} {
			newer, err := db.Open(t.Context(), url, opts)
			if !errs.Is(err, errs.CodeConflict, db.ReasonNewSchema) {
				t.Errorf("%+v: %v", opts, err)
				newer.Close()
			} else if !strings.Contains(err.Error(), "9999") {
				t.Errorf("does not say which: %v", err)
			}
		}
	})
}

func TestTwoThatMigrateAtOnceDoEachMigrationOnce(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{
		"00001_a.sql": file(`CREATE TABLE a (n bigint); INSERT INTO a (n) VALUES (0);`),
		"00002_b.sql": file(`UPDATE a SET n = n + 1;`), // would succeed twice
		"00003_c.sql": file(`UPDATE a SET n = n + 10;`),
		"00004_d.sql": file(`CREATE TABLE d (n bigint);`),
		"00005_e.sql": file(`UPDATE a SET n = n + 100;`),
	}
	dbtest.EachEmpty(t, func(t *testing.T, url string) {
		const programs = 4
		type outcome struct {
			ran int
			err error
		}
		first := unmigrated(t, url)
		outcomes, start := make(chan outcome, programs), make(chan struct{})
		for range programs {
			d, err := db.Open(t.Context(), url, db.Options{Unmigrated: true})
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			go func() {
				<-start
				ran, err := d.MigrateFrom(t.Context(), files)
				outcomes <- outcome{ran, err}
			}()
		}
		close(start)
		ran := 0
		for range programs {
			o := <-outcomes
			if o.err != nil {
				t.Error(o.err)
			}
			ran += o.ran
		}
		if ran != len(files) {
			t.Errorf("%d migrations were run", ran)
		}
		if n := number(t, first, `SELECT n FROM a`); n != 111 {
			t.Errorf("n is %d", n)
		}
	})
}

func TestAMigrationThatFailsIsUndoneAndTold(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{
		"00001_good.sql": file(`CREATE TABLE a (n bigint);`),
		"00002_bad.sql":  file(`CREATE TABLE b (n bigint); INSERT INTO nowhere (n) VALUES (1);`),
		"00003_more.sql": file(`CREATE TABLE c (n bigint);`),
	}
	dbtest.EachEmpty(t, func(t *testing.T, url string) {
		d := unmigrated(t, url)
		ran, err := d.MigrateFrom(t.Context(), files)
		if ran != 1 || err == nil || !strings.Contains(err.Error(), "00002_bad.sql") {
			t.Errorf("%d ran: %v", ran, err)
		}
		if n, err := d.PendingFrom(t.Context(), files); n != 2 || err != nil {
			t.Errorf("%d pending, %v", n, err)
		}
		mended := fstest.MapFS{"00001_good.sql": files["00001_good.sql"], "00002_mended.sql": file(`CREATE TABLE b (n bigint);`), "00003_more.sql": files["00003_more.sql"]}
		if ran, err := d.MigrateFrom(t.Context(), mended); ran != 2 || err != nil {
			t.Errorf("after mending %d ran: %v", ran, err)
		}
		if v, err := d.Version(t.Context()); v != 3 || err != nil {
			t.Errorf("version %d, %v", v, err)
		}
	})
}

func TestTheFingerprintTellsMigrations(t *testing.T) {
	t.Parallel()
	if f := db.Fingerprint(); !regexp.MustCompile(`^[0-9a-f]{16}$`).MatchString(f) || f != db.Fingerprint() {
		t.Error(f)
	}
}

// What was written before rows were laid otherwise is there afterwards, column by column.
func TestRowsSurviveBeingLaidOtherwise(t *testing.T) {
	t.Parallel()
	dbtest.EachEmpty(t, func(t *testing.T, url string) {
		d := unmigrated(t, url)
		names, err := fs.Glob(d.Migrations(), "*.sql")
		if err != nil {
			t.Fatal(err)
		}
		before := fstest.MapFS{}
		for _, name := range names {
			if name > "00011" {
				continue
			}
			text, err := fs.ReadFile(d.Migrations(), name)
			if err != nil {
				t.Fatal(err)
			}
			before[name] = &fstest.MapFile{Data: text}
		}
		if _, err := d.MigrateFrom(t.Context(), before); err != nil {
			t.Fatal(err)
		}
		tables := []string{"facts", "postings", "lots", "tallies", "receipts", "identifiers"}
		for i, table := range tables {
			columns := columnsOf(t, d, table)
			for row := range 3 {
				var values []string
				for n, c := range columns {
					if c == "confirm" || strings.HasSuffix(c, "_id") || slices.Contains(strings.Fields(textual), c) || table == "identifiers" && c == "value" {
						values = append(values, fmt.Sprintf("'%s %d'", c, row))
					} else {
						values = append(values, strconv.Itoa(1000*i+10*n+row))
					}
				}
				must(t, d, `INSERT INTO `+table+` (`+strings.Join(columns, ", ")+`) VALUES (`+strings.Join(values, ", ")+`)`)
			}
		}
		was := map[string][]string{}
		for _, table := range tables {
			was[table] = contents(t, d, table)
		}
		if ran, err := d.Migrate(t.Context()); ran == 0 || err != nil {
			t.Fatalf("%d ran, %v", ran, err)
		}
		for _, table := range tables {
			if diff := cmp.Diff(was[table], contents(t, d, table)); diff != "" || len(was[table]) != 3 {
				t.Errorf("%s was (-) and is (+):\n%s", table, diff)
			}
		}
		if faults, err := d.CheckLayout(t.Context()); err != nil || len(faults) > 0 {
			t.Errorf("%q, %v", faults, err)
		}
	})
}

// textual names the columns that hold text and whose names do not say so.
const textual = "id kind source external_id parent actor body decision seen events unit from_account to_account rule of_fact name period hash"

func columnsOf(t *testing.T, d *db.DB, table string) (columns []string) {
	t.Helper()
	err := d.Read(t.Context(), func(tx *db.Tx) error {
		rows, err := tx.Query(t.Context(), `SELECT * FROM `+table+` WHERE bucket < 0`)
		if err != nil {
			return err
		}
		defer rows.Close()
		columns, err = rows.Columns()
		return errors.Join(err, rows.Err())
	})
	if err != nil {
		t.Fatal(err)
	}
	return columns
}

// contents gives the rows of a table, sorted, each with its columns by name.
func contents(t *testing.T, d *db.DB, table string) (out []string) {
	t.Helper()
	columns := columnsOf(t, d, table)
	slices.Sort(columns)
	for i, c := range columns {
		columns[i] = "'" + c + "=' || " + c
	}
	err := d.Read(t.Context(), func(tx *db.Tx) error {
		out = nil
		return db.Collect(t.Context(), tx, func(row db.Scanner) error {
			var text string
			err := row.Scan(&text)
			out = append(out, text)
			return err
		}, `SELECT `+strings.Join(columns, " || ' ' || ")+` FROM `+table+` ORDER BY 1`)
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
