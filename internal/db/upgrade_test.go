package db_test

import (
	"fmt"
	"testing"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
)

// A database of the first schema kept events in a table of their own and decisions with all names in full. Brought to this
// schema, its feed tells the same in the same order, from any cursor that a reader kept.
func TestADatabaseOfBeforeIsUpgraded(t *testing.T) {
	t.Parallel()
	dbtest.EachEmpty(t, func(t *testing.T, url string) {
		d := unmigrated(t, url)
		if ran, err := d.MigrateFrom(t.Context(), db.Upto(2)); ran != 2 || err != nil {
			t.Fatal(ran, err)
		}
		must(t, d, `INSERT INTO programs (program_id, created_at) VALUES ('shop', 0)`)
		told := []struct {
			fact     string
			stamp, n int64
			types    []string
		}{
			{"pur_01k9zjq3hfe1f8m6v7j0q3x5c1", 7, 1, []string{"purchase.recorded", "points.earned"}},
			{"pur_01k9zjq3hfe1f8m6v7j0q3x5c2", 7, 3, []string{"purchase.recorded"}},
			{"fct_01k9zjq3hfe1f8m6v7j0q3x5c3", 0, 0, nil},
			{"pur_01k9zjq3hfe1f8m6v7j0q3x5c4", 5, 1, []string{"purchase.recorded", "points.earned"}},
		}
		for i, f := range told {
			events := ""
			for k, typ := range f.types {
				if k > 0 {
					events += ","
				}
				events += fmt.Sprintf(`{"type":%q,"data":{"number":"%d"}}`, typ, k)
				must(t, d, fmt.Sprintf(`INSERT INTO events (bucket, program_id, stamp, n, id, type, member_id, fact_id, occurred_at, recorded_at, data)
					VALUES (9, 'shop', %d, %d, 'evt_%d_%d', '%s', 'mem_1', '%s', 1, 1, '{"number":"%d"}')`, f.stamp, f.n+int64(k), i, k, typ, f.fact, k))
			}
			must(t, d, fmt.Sprintf(`INSERT INTO facts (bucket, program_id, member_id, seq, id, kind, occurred_at, recorded_at, version, body, decision)
				VALUES (9, 'shop', 'mem_1', %d, '%s', 'purchase', 1, 1, 1, '{}', '{"version":1,"explanation":{},"events":[%s]}')`, i+1, f.fact, events))
		}
		if _, err := d.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		dbtest.Settle(t, d)
		want := []string{"5.1 purchase.recorded 0", "5.2 points.earned 1", "7.1 purchase.recorded 0", "7.2 points.earned 1", "7.3 purchase.recorded 0"}
		for from := range want {
			var after books.Cursor
			if from > 0 {
				if _, err := fmt.Sscanf(want[from-1], "%d.%d", &after.Stamp, &after.N); err != nil {
					t.Fatal(err)
				}
			}
			for _, limit := range []int{1, 2, 50} {
				got := follow(t, d, after, limit)
				if fmt.Sprint(got) != fmt.Sprint(want[from:]) {
					t.Errorf("after %v by %d: %q, want %q", after, limit, got, want[from:])
				}
			}
		}
	})
}

// follow reads the feed from a cursor to its end, so many at a time.
func follow(t *testing.T, d *db.DB, after books.Cursor, limit int) []string {
	t.Helper()
	var out []string
	for {
		var list []books.Event
		err := d.Read(t.Context(), func(tx *db.Tx) (err error) {
			list, err = books.Events(t.Context(), tx, "shop", after, nil, limit)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 0 {
			return out
		}
		for _, e := range list {
			out = append(out, fmt.Sprintf("%d.%d %s %s", e.Stamp, e.N, e.Type, e.Data["number"]))
			after = e.Cursor
		}
	}
}
