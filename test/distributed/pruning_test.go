package distributed

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"lojal.dev/lojal/internal/db"
)

// Whatever a till asks for goes to one bucket a transaction and one part a statement; what time brings and what the feed costs goes to all
// only where it is told in fanOut.
func TestWhatATillAsksForReachesOnePart(t *testing.T) {
	t.Parallel()
	d, url, w := watched(t)
	c := open(t, d, prepare(t, d, noon), noon)
	c.enrol()
	w.take()

	c.day("1")
	day := w.take()
	used := map[int]bool{}
	for _, f := range judge(t, url, day, used) {
		t.Error(f)
	}
	for at := range used {
		t.Errorf("a till waits for %s", fanOut[at].name)
	}
	written := 0
	for _, tx := range day {
		if !tx.reads {
			written++
		}
	}
	if written < 40 {
		t.Errorf("only %d transactions were watched", written)
	}

	c.sweep(noon.AddDate(1, 2, 0))
	c.do(200, "GET", "/v1/events?limit=5", "")
	c.do(200, "GET", "/v1/members/ext:a", "")
	for _, f := range judge(t, url, w.take(), used) {
		t.Error(f)
	}
	for at, f := range fanOut {
		if !used[at] {
			t.Errorf("%s is allowed to ask all parts, and never does", f.name)
		}
	}
	c.prove()
}

// What is planted is found: else the test above would prove nothing.
func TestAPlantedStatementIsFound(t *testing.T) {
	t.Parallel()
	d, url, w := watched(t)
	write := func(statements ...statement) {
		t.Helper()
		w.take()
		err := d.Write(context.Background(), func(tx *db.Tx) error {
			for _, s := range statements {
				rows, err := tx.Query(t.Context(), s.sql, s.args...)
				if err != nil {
					return err
				}
				for rows.Next() {
				}
				if err := rows.Err(); err != nil {
					return err
				}
				rows.Close()
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	account := func(bucket int) statement {
		return statement{`INSERT INTO tallies (bucket, program_id, member_id, name, period, value) VALUES ($1, $2, $3, $4, $5, $6)`,
			[]any{bucket, "shop", "m", "n", time.Now().String(), 1}}
	}
	for _, c := range []struct {
		name, fault string
		statements  []statement
	}{
		{"a good one", "", []statement{{`SELECT seq FROM accounts WHERE bucket = $1 AND program_id = $2`, []any{7, "shop"}}, account(7)}},
		{"no bucket", "no bucket is named", []statement{{`SELECT seq FROM accounts WHERE program_id = $1 AND member_id = $2`, []any{"shop", "m"}}}},
		{"a join without it", "parts of facts", []statement{{`SELECT f.seq FROM accounts a JOIN facts f ON f.program_id = a.program_id WHERE a.bucket = $1`, []any{7}}}},
		{"a list of buckets", "parts of accounts", []statement{{`WITH want (bucket) AS (SELECT unnest($2::integer[]))
			SELECT a.seq FROM want JOIN accounts a ON a.bucket = want.bucket WHERE 7 = $1 OR a.bucket = $1`, []any{7, []int64{1, 2, 3}}}}},
		{"a lock over two", "over several buckets", []statement{{`SELECT seq FROM accounts WHERE bucket IN ($1, $2) FOR UPDATE`, []any{7, 8}}}},
		{"a lock over all", "a lock without a bucket", []statement{{`SELECT seq FROM accounts FOR UPDATE`, nil}}},
		{"the server's time", "time, chance", []statement{{`UPDATE members SET updated_at = extract(epoch FROM now()) WHERE bucket = $1`, []any{7}}}},
		{"the server's chance", "time, chance", []statement{{`UPDATE members SET updated_at = random() WHERE bucket = $1`, []any{7}}}},
		{"an advisory lock", "an advisory lock", []statement{{`SELECT pg_advisory_xact_lock($1)`, []any{7}}}},
		{"a reference table", "a change of a reference table", []statement{{`UPDATE programs SET name = $1 WHERE program_id = $2`, []any{"x", "shop"}}}},
		{"two buckets", "2 buckets in one transaction", []statement{account(7), account(8)}},
		{"two in one", "2 buckets in one statement", []statement{{`INSERT INTO tallies (bucket, program_id, member_id, name, period, value) VALUES ($1,$2,$3,$4,$5,$6),($7,$8,$9,$10,$11,$12)`,
			[]any{7, "shop", "x", "n", "p", 1, 8, "shop", "x", "n", "p", 1}}}},
	} {
		write(c.statements...)
		got := judge(t, url, w.take(), map[int]bool{})
		if c.fault == "" && len(got) > 0 || c.fault != "" && !slices.ContainsFunc(got, func(f string) bool { return strings.Contains(f, c.fault) }) {
			t.Errorf("%s: want %q, found %q", c.name, c.fault, got)
		}
	}
}
