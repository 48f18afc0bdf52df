package dbtest

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"lojal.dev/lojal/internal/db"
)

// Partitions is how many parts a hot table has in a mirror: the fewest that make it unlikely that two buckets share one by
// chance, and no more, since every plan is paid for by the part.
const Partitions = 4

// MirrorURL gives the URL of a fresh migrated database on PostgreSQL whose hot tables are partitioned by a hash of bucket,
// removed when the test ends. It stands in for a distributed engine: the server itself refuses a key without bucket there, and
// the plan of a statement shows which parts it reaches.
func MirrorURL(tb testing.TB) string {
	tb.Helper()
	admin := cluster(tb)
	name, err := made.mirror()
	if err != nil {
		tb.Fatalf("make the mirror: %v", err)
	}
	return postgres(tb, admin, name)
}

// Mirror is [MirrorURL], opened, and closed when the test ends.
func Mirror(tb testing.TB) *db.DB {
	tb.Helper()
	return open(tb, MirrorURL(tb), db.Options{})
}

func makeMirror() (string, error) {
	return makeTemplate("lojal_mirror_"+db.Fingerprint(), func(ctx context.Context, url string) error {
		if err := migrated(ctx, url); err != nil {
			return err
		}
		return Partition(ctx, url)
	})
}

// What LIKE takes along are columns, defaults, checks, keys and indexes; foreign keys it leaves out.
const (
	foreignKeys = `
SELECT conname, pg_get_constraintdef(oid), confrelid::regclass::text FROM pg_constraint
WHERE contype = 'f' AND conrelid = $1::text::regclass ORDER BY conname`

	partition = `
ALTER TABLE %[1]s RENAME TO plain_%[1]s;
CREATE TABLE %[1]s (LIKE plain_%[1]s INCLUDING ALL) PARTITION BY HASH (bucket)`
	part = `;
CREATE TABLE %[1]s_%[2]d PARTITION OF %[1]s FOR VALUES WITH (MODULUS %[3]d, REMAINDER %[2]d)`
	move = `;
INSERT INTO %[1]s SELECT * FROM plain_%[1]s;
DROP TABLE plain_%[1]s`
)

// Partition makes every hot table of the database one that is partitioned by a hash of bucket. It asks the catalogue for what
// the migrations made, so that there is no second schema to keep.
func Partition(ctx context.Context, url string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx) // an error before it is told, and after it there is nothing to lose
	type foreign struct{ name, text, to string }
	var add []string
	for _, t := range db.Tables() {
		if !t.Hot {
			continue
		}
		rows, err := conn.Query(ctx, foreignKeys, t.Name)
		if err != nil {
			return err
		}
		keys, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (k foreign, err error) {
			err = row.Scan(&k.name, &k.text, &k.to)
			return k, err
		})
		if err != nil {
			return err
		}
		for _, k := range keys {
			add = append(add, fmt.Sprintf("ALTER TABLE %s ADD CONSTRAINT %s %s", t.Name, k.name, k.text))
			if _, err := conn.Exec(ctx, fmt.Sprintf("ALTER TABLE %s DROP CONSTRAINT %s", t.Name, k.name)); err != nil {
				return err
			}
		}
	}
	for _, t := range db.Tables() {
		if !t.Hot {
			continue
		}
		var sql strings.Builder
		fmt.Fprintf(&sql, partition, t.Name)
		for n := range Partitions {
			fmt.Fprintf(&sql, part, t.Name, n, Partitions)
		}
		fmt.Fprintf(&sql, move, t.Name)
		if _, err := conn.Exec(ctx, sql.String()); err != nil {
			return fmt.Errorf("partition %s: %w", t.Name, err)
		}
	}
	for _, sql := range add {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	return nil
}
