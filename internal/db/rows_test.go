package db_test

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
)

func TestPlaceholdersAreWrittenForSQLite(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`SELECT 1`:                                  `SELECT 1`,
		`VALUES ($1,$2),($3,$4)`:                    `VALUES (?,?),(?,?)`,
		`SELECT $2, $1, $3`:                         `SELECT ?2, ?1, ?`,
		`SELECT $1, $1, $2, $2, $12, $13`:           `SELECT ?, ?1, ?, ?2, ?12, ?`,
		`SELECT '$1', "$1", $1 -- $2` + "\n, $2":    `SELECT '$1', "$1", ? -- $2` + "\n, ?",
		`SELECT 'it''s $1', /* $1 '*/ $1`:           `SELECT 'it''s $1', /* $1 '*/ ?`,
		`SELECT data ->> '$.a' FROM t WHERE id=$1`:  `SELECT data ->> '$.a' FROM t WHERE id=?`,
		`SELECT '$1`:                                `SELECT '$1`,
		`SELECT "$1`:                                `SELECT "$1`,
		`SELECT $1 /* $2`:                           `SELECT ? /* $2`,
		`SELECT $1 -- $2`:                           `SELECT ? -- $2`,
		`SELECT $x, $`:                              `SELECT $x, $`,
		`SELECT $99999999999999999999`:              `SELECT $99999999999999999999`,
		`UPDATE t SET a=$3 WHERE b=$1 OR c=$2+$3`:   `UPDATE t SET a=?3 WHERE b=?1 OR c=?2+?3`,
		`SELECT 'blåbær $1', $1, 'øl' WHERE x = $2`: `SELECT 'blåbær $1', ?, 'øl' WHERE x = ?`,
	} {
		if got := db.Placeholders(in); got != want {
			t.Errorf("%s\n got %s\nwant %s", in, got, want)
		}
	}
}

func TestPlaceholdersMeanTheSameOnBothEngines(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		const query = `SELECT CAST($3 AS text) || '$1' || CAST($1 AS text) || CAST($2 AS text) || CAST($1 AS text) || CAST($4 AS text)`
		var got string
		err := d.Read(t.Context(), func(tx *db.Tx) error {
			return tx.QueryRow(t.Context(), query, "a", "b", "c", "d").Scan(&got)
		})
		if err != nil || got != "c$1abad" {
			t.Errorf("%q, %v", got, err)
		}
	})
}

func TestRowsNumbersPlaceholders(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		n, cols, start int
		want           string
	}{
		{0, 3, 1, ""}, {1, 1, 1, "($1)"}, {2, 2, 3, "($3,$4),($5,$6)"}, {1, 3, 10, "($10,$11,$12)"},
	} {
		if got := db.Rows(c.n, c.cols, c.start); got != c.want {
			t.Errorf("Rows(%d, %d, %d) = %s", c.n, c.cols, c.start, got)
		}
	}
}

func TestMoreRowsThanOneStatementTakesAreInserted(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		must(t, d, `CREATE TABLE thing (id bigint PRIMARY KEY, a bigint, b text)`)
		const n = 25_000 // 75,000 parameters
		args := make([]any, 0, 3*n)
		for i := range n {
			args = append(args, i, i%7, fmt.Sprint("name ", i))
		}
		var first, second int64
		returned := 0
		err := d.Write(t.Context(), func(tx *db.Tx) (err error) {
			const prefix = `INSERT INTO thing (id, a, b)`
			if first, err = db.InsertRows(t.Context(), tx, prefix, ``, 3, args); err != nil {
				return err
			}
			if second, err = db.InsertRows(t.Context(), tx, prefix, `ON CONFLICT DO NOTHING`, 3, args); err != nil {
				return err
			}
			returned = 0
			return db.QueryRows(t.Context(), tx, prefix, `ON CONFLICT (id) DO UPDATE SET a = excluded.a + thing.a RETURNING a`, 3, args,
				func(row db.Scanner) error {
					var a int64
					returned++
					return row.Scan(&a)
				})
		})
		if err != nil {
			t.Fatal(err)
		}
		if first != n || second != 0 || returned != n {
			t.Errorf("%d inserted, then %d, then %d came back", first, second, returned)
		}
		if got, want := number(t, d, `SELECT SUM(a) FROM thing`), int64(2*(n/7*21+n%7*(n%7-1)/2)); got != want {
			t.Errorf("sum %d, want %d", got, want)
		}
	})
}

func TestNoRowsIsNoStatementAndHalfARowIsAnError(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		err := d.Write(t.Context(), func(tx *db.Tx) error {
			if n, err := db.InsertRows(t.Context(), tx, `INSERT INTO nowhere (a)`, ``, 1, nil); n != 0 || err != nil {
				t.Errorf("%d, %v", n, err)
			}
			if _, err := db.InsertRows(t.Context(), tx, `INSERT INTO nowhere (a, b)`, ``, 2, []any{1, 2, 3}); err == nil {
				t.Error("three values made rows of two")
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// The types that the common ground promises come back as they went in.
func TestValuesComeBackAsTheyWentIn(t *testing.T) {
	t.Parallel()
	type row struct {
		ID      string
		Minor   int64
		On      bool
		Data    string
		Note    sql.NullString
		Missing sql.NullInt64
	}
	want := row{"ø", -1 << 63, true, `{"a": [1, 2.5, "x"]}`, sql.NullString{String: "", Valid: true}, sql.NullInt64{}}
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		must(t, d, `CREATE TABLE v (id text PRIMARY KEY, minor bigint, is_on boolean, data jsonb, note text, missing bigint)`)
		var got row
		err := d.Write(t.Context(), func(tx *db.Tx) error {
			return tx.QueryRow(t.Context(), `INSERT INTO v (id, minor, is_on, data, note, missing) VALUES ($1, $2, $3, $4, $5, $6)
				RETURNING id, minor, is_on, data, note, missing`,
				want.ID, want.Minor, want.On, want.Data, want.Note, want.Missing).
				Scan(&got.ID, &got.Minor, &got.On, &got.Data, &got.Note, &got.Missing)
		})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if n := number(t, d, `SELECT COUNT(*) FROM v WHERE is_on AND data ->> 'a' IS NOT NULL`); n != 1 {
			t.Errorf("%d rows", n)
		}
	})
}

func TestKeptStatementsSurviveNestingEvictionAndSchemaChange(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, db.SQLite)
	must(t, d, `CREATE TABLE thing (id bigint PRIMARY KEY)`, `INSERT INTO thing (id) VALUES (1), (2), (3)`)
	const query = `SELECT id FROM thing ORDER BY id`
	err := d.Write(t.Context(), func(tx *db.Tx) error {
		list := func(scan func(id int64) error) error {
			return db.Collect(t.Context(), tx, func(row db.Scanner) error {
				var id int64
				if err := row.Scan(&id); err != nil {
					return err
				}
				return scan(id)
			}, query)
		}
		var seen []int64
		err := list(func(outer int64) error { // the same statement inside itself
			return list(func(inner int64) error {
				seen = append(seen, 10*outer+inner)
				return nil
			})
		})
		if err != nil {
			return err
		}
		if want := []int64{11, 12, 13, 21, 22, 23, 31, 32, 33}; !slices.Equal(seen, want) {
			t.Errorf("nested: %v", seen)
		}
		for i := range 2 * db.KeptStatements {
			var n int
			if err := tx.QueryRow(t.Context(), fmt.Sprintf(`SELECT id + %d FROM thing WHERE id = $1`, i), 1).Scan(&n); err != nil || n != i+1 {
				return fmt.Errorf("statement %d gives %d: %w", i, n, err)
			}
		}
		var all strings.Builder
		if _, err := tx.Exec(t.Context(), `ALTER TABLE thing ADD COLUMN more text`); err != nil {
			return err
		}
		err = list(func(id int64) error {
			fmt.Fprint(&all, id)
			return nil
		})
		if all.String() != "123" {
			t.Errorf("after the change: %s", all.String())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func BenchmarkSmallWrite(b *testing.B) {
	for _, dialect := range []db.Dialect{db.SQLite, db.Postgres} {
		b.Run(string(dialect), func(b *testing.B) {
			d := dbtest.Open(b, dialect)
			err := d.Write(b.Context(), func(tx *db.Tx) error {
				_, err := tx.Exec(b.Context(), `CREATE TABLE thing (id bigint PRIMARY KEY, n bigint)`)
				return err
			})
			if err != nil {
				b.Fatal(err)
			}
			i := 0
			for b.Loop() {
				err := d.Write(b.Context(), func(tx *db.Tx) error {
					for range 10 {
						i++
						if _, err := tx.Exec(b.Context(), `INSERT INTO thing (id, n) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET n = excluded.n`, i, i); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
