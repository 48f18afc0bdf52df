package distributed

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
)

// statement is one that went to the server, with its arguments.
type statement struct {
	sql  string
	args []any
}

// transaction is what went to the server between BEGIN and COMMIT.
type transaction struct {
	reads      bool // it can only read
	statements []statement
}

// watcher notes every statement, by transaction.
type watcher struct {
	mu   sync.Mutex
	open map[*pgx.Conn]*transaction
	done []*transaction
}

func newWatcher() *watcher { return &watcher{open: map[*pgx.Conn]*transaction{}} }

// TraceQueryStart is part of pgx.QueryTracer.
func (w *watcher) TraceQueryStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	w.note(conn, data.SQL, data.Args)
	return ctx
}

// TraceQueryEnd is part of pgx.QueryTracer.
func (w *watcher) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// TraceBatchStart is part of pgx.BatchTracer.
func (w *watcher) TraceBatchStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceBatchStartData) context.Context {
	for _, q := range data.Batch.QueuedQueries {
		w.note(conn, q.SQL, q.Arguments)
	}
	return ctx
}

// TraceBatchQuery is part of pgx.BatchTracer.
func (w *watcher) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

// TraceBatchEnd is part of pgx.BatchTracer.
func (w *watcher) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

func (w *watcher) note(conn *pgx.Conn, sql string, args []any) {
	if len(args) > 0 {
		if _, says := args[0].(pgx.QueryResultFormatsByOID); says { // database/sql's driver tells how it wants the rows
			args = args[1:]
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case strings.HasPrefix(sql, "BEGIN"):
		w.open[conn] = &transaction{reads: strings.Contains(sql, "READ ONLY")}
	case sql == "COMMIT" || sql == "ROLLBACK":
		if tx := w.open[conn]; tx != nil {
			w.done = append(w.done, tx)
		}
		delete(w.open, conn)
	case w.open[conn] != nil:
		w.open[conn].statements = append(w.open[conn].statements, statement{sql, args})
	default:
		w.done = append(w.done, &transaction{statements: []statement{{sql, args}}})
	}
}

// take gives what was noted since the last time.
func (w *watcher) take() []*transaction {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.done
	w.done = nil
	return out
}

// A statement that asks several machines at once, or has all take part, is here with the reason why it may. Each is outside of what a till
// waits for.
var fanOut = []struct{ name, part, reason string }{
	{"due accounts", "FROM accounts\nWHERE due_at IS NOT NULL", "the sweep looks for work in all buckets, and does it in each by itself"},
	{"old answers", "SELECT bucket FROM idempotency WHERE created_at <", "the sweep looks for what is to be forgotten, and deletes bucket by bucket"},
	{"old marks", "SELECT bucket FROM void_facts WHERE at <", "the same for marks of claims"},
	{"counts for the line", "SELECT bucket, stamp FROM event_counts WHERE program_id", "the feed is put in line by a look at all buckets; it locks nothing there"},
	{"the feed of before", "FROM facts\nWHERE program_id = $1 AND (stamp, n) >=", "what is older than the distribution is read in its old order"},
	{"a place in the feed of before", "SELECT n FROM facts WHERE program_id = $1 AND stamp = $2", "the same"},
	{"identifiers of a member", "FROM identifiers WHERE program_id = $1 AND member_id =", "they lie in their own buckets; a profile is read to be looked at, not to earn"},
	{"a version's walk", "replans", "where the sweep is in its walk over all accounts, a few times for each version"},
	{"the use of a key", "UPDATE keys SET last_used_at", "once a key and minute, and no request waits for it"},
}

// fan gives the place in fanOut of a statement that may reach all parts, -1 for any other.
func fan(sql string) int {
	return slices.IndexFunc(fanOut, func(f struct{ name, part, reason string }) bool { return strings.Contains(sql, f.part) })
}

var (
	hotNames = func() string {
		var list []string
		for _, t := range db.Tables() {
			if t.Hot {
				list = append(list, t.Name)
			}
		}
		return strings.Join(list, "|")
	}()
	oneForAll = func() *regexp.Regexp {
		var list []string
		for _, t := range db.Tables() {
			if !t.Hot {
				list = append(list, t.Name)
			}
		}
		return regexp.MustCompile(`\b(INTO|UPDATE|FROM) (` + strings.Join(list, "|") + `)\b`)
	}()
	hotTable   = regexp.MustCompile(`\b(` + hotNames + `)\b`)
	hotPart    = regexp.MustCompile(`^(` + hotNames + `)_\d+$`)
	insertInto = regexp.MustCompile(`INSERT INTO (\w+) \(([^)]*)\)\s+VALUES`)
	bucketIs   = regexp.MustCompile(`\bbucket = \$(\d+)`)
	bucketIn   = regexp.MustCompile(`\bbucket\b[^=<>]*\bIN\b|\bbucket = ANY`)
	volatile   = regexp.MustCompile(`(?i)\b(now|random|clock_timestamp|statement_timestamp|transaction_timestamp|gen_random_uuid|nextval|pg_current_xact_id|txid_current)\s*\(|\bcurrent_timestamp\b|\blocaltimestamp\b`)
	changes    = regexp.MustCompile(`(?i)\b(INSERT|UPDATE|DELETE)\b`)
	locks      = regexp.MustCompile(`(?i)\bFOR (UPDATE|NO KEY UPDATE|SHARE|KEY SHARE)\b`)
	advisory   = regexp.MustCompile(`(?i)\bpg_(try_)?advisory`)
)

// lint says what is wrong with the words of a statement.
func lint(sql string) (faults []string) {
	changing := changes.MatchString(sql)
	if changing && volatile.MatchString(sql) {
		faults = append(faults, "a change that asks the server for time, chance or a number")
	}
	if advisory.MatchString(sql) {
		faults = append(faults, "an advisory lock, which one machine keeps for itself")
	}
	if (changing || locks.MatchString(sql)) && bucketIn.MatchString(sql) {
		faults = append(faults, "a change or a lock over several buckets")
	}
	if locks.MatchString(sql) && !bucketIs.MatchString(sql) {
		faults = append(faults, "a lock without a bucket")
	}
	return faults
}

// buckets gives the buckets that a statement names. The error says that it touches a hot table and names none.
func buckets(s statement) ([]int64, error) {
	if !hotTable.MatchString(s.sql) {
		return nil, nil
	}
	var out []int64
	take := func(place int) error {
		if place < 1 || place > len(s.args) {
			return fmt.Errorf("there is no $%d", place)
		}
		n, err := strconv.ParseInt(fmt.Sprint(s.args[place-1]), 10, 32)
		out = append(out, n)
		return err
	}
	if m := insertInto.FindStringSubmatch(s.sql); m != nil {
		cols := strings.Split(m[2], ",")
		if strings.TrimSpace(cols[0]) != "bucket" {
			return nil, fmt.Errorf("the rows do not begin with bucket")
		}
		for at := 1; at <= len(s.args); at += len(cols) {
			if err := take(at); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	for _, m := range bucketIs.FindAllStringSubmatch(s.sql, -1) {
		place, err := strconv.Atoi(m[1])
		if err != nil {
			return nil, err
		}
		if err := take(place); err != nil {
			return nil, err
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no bucket is named")
	}
	return out, nil
}

// judge says what is wrong with transactions on a mirror: with each statement, by its words and by the parts that its plan reaches, and
// with a transaction that writes, by the buckets that it touches. used gets the places in fanOut that were needed.
func judge(t *testing.T, url string, all []*transaction, used map[int]bool) (faults []string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background()) // it only read
	if _, err := conn.Exec(t.Context(), "SET plan_cache_mode = force_custom_plan"); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	fault := func(format string, args ...any) {
		if text := fmt.Sprintf(format, args...); !seen[text] {
			seen[text] = true
			faults = append(faults, text)
		}
	}
	for _, tx := range all {
		touched := map[int64]bool{}
		for _, s := range tx.statements {
			for _, f := range lint(s.sql) {
				fault("%s: %s", f, s.sql)
			}
			if at := fan(s.sql); at >= 0 {
				used[at] = true
				continue
			}
			if changes.MatchString(s.sql) && oneForAll.MatchString(s.sql) {
				fault("a change of a reference table, in which every machine takes part: %s", s.sql)
			}
			named, err := buckets(s)
			if err != nil {
				fault("%v: %s", err, s.sql)
				continue
			}
			own := map[int64]bool{}
			for _, b := range named {
				own[b], touched[b] = true, true
			}
			if len(own) > 1 {
				fault("%d buckets in one statement: %s", len(own), s.sql)
			}
			for table, n := range reached(t, conn, s) {
				if n > 1 {
					fault("%d parts of %s: %s", n, table, s.sql)
				}
			}
		}
		if len(touched) > 1 && !tx.reads {
			var list []string
			for _, s := range tx.statements {
				list = append(list, s.sql)
			}
			fault("%d buckets in one transaction:\n%s", len(touched), strings.Join(list, ";\n"))
		}
	}
	return faults
}

// reached counts the parts of each hot table that the plan of a statement with its arguments reaches. Rows that are inserted go
// where their buckets say, which no plan shows.
func reached(t *testing.T, conn *pgx.Conn, s statement) map[string]int {
	t.Helper()
	var text string
	if err := conn.QueryRow(t.Context(), "EXPLAIN (FORMAT JSON) "+s.sql, s.args...).Scan(&text); err != nil {
		t.Fatalf("explain: %v: %s", err, s.sql)
	}
	var plan any
	if err := json.Unmarshal([]byte(text), &plan); err != nil {
		t.Fatal(err)
	}
	parts := map[string]map[string]bool{}
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, one := range v {
				walk(one)
			}
		case map[string]any:
			if name, ok := v["Relation Name"].(string); ok {
				if m := hotPart.FindStringSubmatch(name); m != nil {
					if parts[m[1]] == nil {
						parts[m[1]] = map[string]bool{}
					}
					parts[m[1]][name] = true
				}
			}
			for _, one := range v {
				walk(one)
			}
		}
	}
	walk(plan)
	out := map[string]int{}
	for table, list := range parts {
		out[table] = len(list)
	}
	return out
}

// watched opens a mirror that says that it is distributed, and notes what goes there.
func watched(t *testing.T) (d *db.DB, url string, w *watcher) {
	t.Helper()
	url, w = dbtest.MirrorURL(t), newWatcher()
	d, err := db.Open(t.Context(), url, db.Options{Trace: w})
	if err == nil {
		err = d.NoteDistributed(t.Context(), noon)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d, url, w
}
