package db_test

import (
	"database/sql"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
)

func TestTheSchemaCanBeSpreadOverMachines(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		faults, err := d.CheckLayout(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range faults {
			t.Error(f) // a new table is declared in tables.go
		}
	})
}

func TestATableMayBeDeclaredOnce(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	hot := 0
	for _, table := range db.Tables() {
		if seen[table.Name] {
			t.Errorf("%s is declared twice", table.Name)
		}
		seen[table.Name] = true
		if table.Hot {
			hot++
		}
	}
	if hot == 0 || hot == len(seen) {
		t.Errorf("%d of %d tables are hot", hot, len(seen))
	}
}

// Each fault that would keep a table from being spread, planted once.
func TestEveryFaultInTheLayoutIsFound(t *testing.T) {
	t.Parallel()
	dbtest.EachEmpty(t, func(t *testing.T, url string) {
		d := unmigrated(t, url)
		declared := []db.Table{{"shop", false}, {"till", false}, {"good", true}, {"child", true}, {"late", true}, {"twice", true}, {"loose", true},
			{"none", true}, {"wide", true}, {"watched", true}, {"numbered", true}, {"stray", true}, {"by_name", true}, {"gone", true}}
		must(t, d,
			`CREATE TABLE shop (id text PRIMARY KEY)`,
			`CREATE TABLE good (bucket integer NOT NULL, shop text NOT NULL REFERENCES shop (id), id text NOT NULL, alias text NOT NULL,
				PRIMARY KEY (bucket, id), UNIQUE (bucket, alias))`,
			`CREATE TABLE child (bucket integer NOT NULL, good text NOT NULL, n integer NOT NULL, PRIMARY KEY (bucket, good, n),
				FOREIGN KEY (bucket, good) REFERENCES good (bucket, id))`,
			`CREATE INDEX child_n ON child (n)`, // no key: it may begin as it likes
			// from here on each is wrong once
			`CREATE TABLE late (bucket integer NOT NULL, id text NOT NULL, PRIMARY KEY (id, bucket))`,
			`CREATE TABLE twice (bucket integer NOT NULL, id text NOT NULL, alias text NOT NULL, PRIMARY KEY (bucket, id), UNIQUE (alias, bucket))`,
			`CREATE UNIQUE INDEX twice_id ON twice (id)`,
			`CREATE UNIQUE INDEX twice_lower ON twice (lower(id), bucket)`,
			`CREATE TABLE loose (bucket integer NOT NULL, good_bucket integer NOT NULL, good text NOT NULL, PRIMARY KEY (bucket, good),
				FOREIGN KEY (good_bucket, good) REFERENCES good (bucket, id))`,
			`CREATE TABLE none (id text PRIMARY KEY)`,
			`CREATE TABLE wide (bucket bigint NOT NULL, id text NOT NULL, PRIMARY KEY (bucket, id))`,
			`CREATE TABLE stray (bucket integer NOT NULL, id text NOT NULL)`,
			`CREATE TABLE guest (id text PRIMARY KEY)`,
			`CREATE TABLE by_name (bucket integer NOT NULL, id text NOT NULL, guest text REFERENCES guest (id), PRIMARY KEY (bucket, id))`,
			`CREATE TABLE till (bucket integer NOT NULL, good text NOT NULL, id text PRIMARY KEY, FOREIGN KEY (bucket, good) REFERENCES good (bucket, id))`,
			`CREATE TABLE watched (bucket integer NOT NULL, id text NOT NULL, PRIMARY KEY (bucket, id))`)
		want := []string{
			"by_name refers to guest, which is not declared",
			"gone is declared and not there",
			"guest is not declared hot or reference",
			"loose refers to good without pairing bucket with bucket",
			"none has no column bucket of type integer that is NOT NULL",
			"stray has no primary key",
			"the primary key of late does not begin with bucket",
			"the primary key of none does not begin with bucket",
			"the unique key ((expression), bucket) of twice does not begin with bucket",
			"the unique key (alias, bucket) of twice does not begin with bucket",
			"the unique key (id) of twice does not begin with bucket",
			"till is a reference table and refers to good, which is hot",
			"watched has the trigger watching",
			"wide has no column bucket of type integer that is NOT NULL",
		}
		if d.Dialect() == db.SQLite {
			must(t, d, `CREATE TRIGGER watching AFTER INSERT ON watched BEGIN DELETE FROM watched; END`,
				`CREATE TABLE numbered (n integer PRIMARY KEY AUTOINCREMENT, bucket integer NOT NULL)`)
			want = slices.DeleteFunc(want, func(s string) bool { // bucket is in these keys, though not in front
				return s == "the primary key of late does not begin with bucket" || strings.Contains(s, ", bucket) of twice")
			})
			want = append(want, "numbered has AUTOINCREMENT", "the primary key of numbered does not begin with bucket")
		} else {
			must(t, d,
				`CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'`,
				`CREATE TRIGGER watching BEFORE INSERT ON watched FOR EACH ROW EXECUTE FUNCTION watch()`,
				`CREATE TABLE numbered (bucket integer NOT NULL, n serial, m integer GENERATED ALWAYS AS IDENTITY, at timestamptz DEFAULT now(),
					PRIMARY KEY (bucket, n), EXCLUDE (m WITH =))`)
			want = append(want, "numbered has the default nextval('numbered_n_seq'::regclass) of n", "numbered has the default now() of at",
				"numbered has the exclusion numbered_m_excl", "numbered has the sequence numbered_m_seq", "numbered has the sequence numbered_n_seq")
		}
		slices.Sort(want)
		got, err := d.CheckLayoutOf(t.Context(), declared)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("found (+) and planted (-):\n%s", diff)
		}
	})
}

// The mirror is made of the migrated schema: each hot table in parts, nothing lost on the way.
func TestTheMirrorIsTheSchemaInParts(t *testing.T) {
	t.Parallel()
	plain, mirror := dbtest.Open(t, db.Postgres), dbtest.Mirror(t)
	faults, err := mirror.CheckLayout(t.Context())
	if err != nil || len(faults) > 0 {
		t.Errorf("%q, %v", faults, err)
	}
	for _, table := range db.Tables() {
		want := int64(0)
		if table.Hot {
			want = dbtest.Partitions
		}
		if n := number(t, mirror, `SELECT COUNT(*) FROM pg_inherits WHERE inhparent = to_regclass($1)`, table.Name); n != want {
			t.Errorf("%s has %d parts, want %d", table.Name, n, want)
		}
		for what, query := range map[string]string{
			"columns": `SELECT string_agg(concat_ws(' ', attname, format_type(atttypid, atttypmod), attnotnull, pg_get_expr(adbin, adrelid)), ', ' ORDER BY attnum)
				FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum WHERE attrelid = to_regclass($1) AND attnum > 0`,
			"constraints": `SELECT string_agg(pg_get_constraintdef(oid), ', ' ORDER BY pg_get_constraintdef(oid)) FROM pg_constraint WHERE conrelid = to_regclass($1)`,
			"indexes": `SELECT string_agg(regexp_replace(pg_get_indexdef(indexrelid), '^.*USING', indisunique::text), ', '
				ORDER BY regexp_replace(pg_get_indexdef(indexrelid), '^.*USING', indisunique::text)) FROM pg_index WHERE indrelid = to_regclass($1)`,
		} {
			if diff := cmp.Diff(text(t, plain, query, table.Name), text(t, mirror, query, table.Name)); diff != "" {
				t.Errorf("%s of %s:\n%s", what, table.Name, diff)
			}
		}
	}
}

// text gives the one text that the query gives, "" for none.
func text(t *testing.T, d *db.DB, query string, args ...any) string {
	t.Helper()
	var s sql.NullString
	err := d.Read(t.Context(), func(tx *db.Tx) error { return tx.QueryRow(t.Context(), query, args...).Scan(&s) })
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return s.String
}
