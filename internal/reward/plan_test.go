package reward

import (
	"strconv"
	"strings"
	"testing"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
)

// Who took a code, and the raffles of a program, are found by an index of their own however large the pool is and however many tickets took part.
func TestPoolsAndRafflesAreFoundByIndex(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		for _, c := range []struct {
			index, query string
			values       []string
		}{
			{"code_pools_taken", takenBy, []string{"1", "'lots'", "'books'", "'order:red_1'"}},
			{"raffles_list", someRaffles, []string{"'lots'", "2", "'ticket'", "4"}},
			{"raffles_open", dueRaffles, []string{"1", "2"}},
		} {
			index, query := c.index, c.query
			for n, value := range c.values {
				query = strings.ReplaceAll(query, "$"+strconv.Itoa(n+1), value)
			}
			plan := explain(t, d, query)
			if !strings.Contains(plan, index) {
				t.Errorf("the index %s is not used:\n%s", index, plan)
			}
		}
	})
}

func explain(t *testing.T, d *db.DB, query string) string {
	t.Helper()
	var lines []string
	err := d.Write(t.Context(), func(tx *db.Tx) error {
		lines = nil
		if d.Dialect() == db.SQLite {
			return db.Collect(t.Context(), tx, func(row db.Scanner) error {
				var id, parent, unused int
				var text string
				err := row.Scan(&id, &parent, &unused, &text)
				lines = append(lines, text)
				return err
			}, "EXPLAIN QUERY PLAN "+query)
		}
		for _, set := range []string{"SET LOCAL enable_seqscan = off", "SET LOCAL enable_bitmapscan = off"} {
			if _, err := tx.Exec(t.Context(), set); err != nil {
				return err
			}
		}
		return db.Collect(t.Context(), tx, func(row db.Scanner) error {
			var text string
			err := row.Scan(&text)
			lines = append(lines, text)
			return err
		}, "EXPLAIN "+query)
	})
	if err != nil {
		t.Fatalf("%v: %s", err, query)
	}
	return strings.Join(lines, "\n")
}
