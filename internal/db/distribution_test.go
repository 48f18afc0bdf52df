package db_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/errs"
)

func TestAnEngineForOneMachineIsNotDistributed(t *testing.T) {
	t.Parallel()
	for _, dialect := range []db.Dialect{db.SQLite, db.Postgres} {
		t.Run(string(dialect), func(t *testing.T) {
			t.Parallel()
			d := dbtest.Open(t, dialect)
			ran, err := d.Distribute(t.Context(), time.Now())
			if len(ran) > 0 || !errs.Is(err, errs.CodeInvalid, db.ReasonNotDistributable) || d.Distributed() {
				t.Errorf("%q, %v", ran, err)
			}
		})
	}
	if err := dbtest.Open(t, db.SQLite).NoteDistributed(t.Context(), time.Now()); !errs.Is(err, errs.CodeInvalid, db.ReasonNotDistributable) {
		t.Error(err)
	}
}

// What would be run can be read anywhere: foreign keys go first and come last, and each table is spread once.
func TestTheCommandsThatSpreadTheTables(t *testing.T) {
	t.Parallel()
	sql, err := dbtest.Open(t, db.Postgres).DistributeSQL(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(sql, "\n")
	for _, table := range db.Tables() {
		want := "create_reference_table('" + table.Name + "')"
		if table.Hot {
			want = "create_distributed_table('" + table.Name + "', 'bucket', "
		}
		if n := strings.Count(text, want); n != 1 {
			t.Errorf("%s is spread %d times", table.Name, n)
		}
	}
	dropped, added, reference := strings.Index(text, "accounts DROP CONSTRAINT"), strings.Index(text, "accounts ADD CONSTRAINT"), strings.Index(text, "create_reference_table('programs')")
	if dropped < 0 || dropped > reference || added < strings.LastIndex(text, "create_distributed_table") {
		t.Errorf("%s", text)
	}
}

// A node that was started before does not know that the database was distributed meanwhile: it finds no stamp and writes no fact.
func TestANodeFromBeforeWritesNoEvents(t *testing.T) {
	t.Parallel()
	url := dbtest.MirrorURL(t)
	var nodes [2]*db.DB
	for i := range nodes {
		d, err := db.Open(t.Context(), url, db.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		nodes[i] = d
	}
	if err := nodes[0].NoteDistributed(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	log := db.NewStamped("facts", []string{"bucket integer", "program_id text", "member_id text", "seq bigint", "id text", "kind text",
		"occurred_at bigint", "recorded_at bigint", "version bigint", "body text", "decision text"}, "")
	err := nodes[1].Write(t.Context(), func(tx *db.Tx) error {
		tx.InsertLater(log, []any{1, "shop", "m", 1, "pur_1", "purchase", 0, 0, 1, "{}", "{}"})
		return nil
	})
	if err == nil || nodes[1].Distributed() || !nodes[0].Distributed() {
		t.Errorf("%v", err)
	}
	if err := nodes[0].Write(t.Context(), func(tx *db.Tx) error { _, err := tx.Stamp(t.Context()); return err }); err == nil {
		t.Error("a distributed database has a stamp for a transaction")
	}
	if n := number(t, nodes[0], `SELECT COUNT(*) FROM facts`); n != 0 {
		t.Errorf("%d facts", n)
	}
}

// What Citus says when it loses a machine under a transaction has the code of a fault of the server. Before COMMIT nothing was written, and it
// is tried again; at COMMIT nobody knows, and it never is.
func TestAMachineIsLostBehindADistributedDatabase(t *testing.T) {
	t.Parallel()
	lost := &pgconn.PgError{Severity: "ERROR", Code: "XX000", Message: "failure on connection marked as essential: worker-1:5432"}
	for name, c := range map[string]struct {
		d    *db.DB
		runs int
	}{"one machine": {dbtest.Open(t, db.Postgres), 1}, "several": {dbtest.Distributed(t), 3}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			runs := 0
			err := c.d.Write(t.Context(), func(*db.Tx) error {
				if runs++; runs < 3 {
					return lost
				}
				return nil
			})
			if runs != c.runs || (err == nil) != (c.runs == 3) {
				t.Errorf("%d runs: %v", runs, err)
			}
			always := c.d.Write(t.Context(), func(*db.Tx) error { return lost })
			if got := errs.Is(always, errs.CodeUnavailable, db.ReasonUnavailable); got != (c.runs == 3) {
				t.Errorf("%v", always)
			}
		})
	}
	d := dbtest.Mirror(t)
	if err := d.NoteDistributed(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	must(t, d, `CREATE TABLE thing (id bigint PRIMARY KEY)`,
		`CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'could not commit transaction for shard' USING ERRCODE = 'XX000'; END$$`,
		`CREATE CONSTRAINT TRIGGER losing AFTER INSERT ON thing DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION lose()`)
	runs := 0
	err := d.Write(t.Context(), func(tx *db.Tx) error {
		runs++
		_, err := tx.Exec(t.Context(), `INSERT INTO thing (id) VALUES (1)`)
		return err
	})
	if runs != 1 || !errors.Is(err, db.ErrUnknownCommit) || db.IsRetryable(err) {
		t.Errorf("%d runs: %v", runs, err)
	}
}
