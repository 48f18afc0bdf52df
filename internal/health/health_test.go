package health_test

import (
	"errors"
	"testing"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/health"
)

func exec(t *testing.T, d *db.DB, query string) {
	t.Helper()
	err := d.Write(t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(t.Context(), query)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestReadinessFollowsTheDatabase(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := health.New(d)
		if r, err := s.Ready(t.Context()); err != nil || r != (health.Report{Writing: health.WritingOK}) {
			t.Errorf("at first: %+v, %v", r, err)
		}

		exec(t, d, `INSERT INTO schema_version (version) VALUES (99999)`) // a newer program was here
		if r, err := s.Ready(t.Context()); err != nil || !r.NewerSchema {
			t.Errorf("on a newer schema: %+v, %v", r, err)
		}
		exec(t, d, `DELETE FROM schema_version WHERE version > 1`) // an old copy was restored
		if _, err := s.Ready(t.Context()); !errs.Is(err, errs.CodeUnavailable, health.Schema) {
			t.Errorf("on an older schema: %v", err)
		}
	})
}

func TestADatabaseThatTakesNoWritesIsReadyAndSaysSo(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := health.New(d)
		full := errs.Unavailable(db.ReasonUnavailable, "The disk is full.").Because(db.ErrUnknownCommit)
		if err := d.Write(t.Context(), func(*db.Tx) error { return full }); err == nil {
			t.Fatal("it was written")
		}
		if r, err := s.Ready(t.Context()); err != nil || r.Writing != health.WritingFails {
			t.Errorf("after a write failed: %+v, %v", r, err)
		}
		if err := d.Write(t.Context(), func(*db.Tx) error { return errs.Invalid("wrong", "A refusal.") }); err == nil {
			t.Fatal("it was written")
		}
		if r, err := s.Ready(t.Context()); err != nil || r.Writing != health.WritingFails {
			t.Errorf("a refusal proves nothing: %+v, %v", r, err)
		}
		exec(t, d, `UPDATE stamp SET n = n`)
		if r, err := s.Ready(t.Context()); err != nil || r.Writing != health.WritingOK {
			t.Errorf("after a write went well: %+v, %v", r, err)
		}
	})
}

func TestAStandbyIsReadyForReading(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t, db.Postgres)
	d, err := db.Open(t.Context(), url, db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	exec(t, d, `DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || current_database() || ' SET default_transaction_read_only = on'; END $$`)
	if err := d.Close(); err != nil { // a connection keeps the setting that it began with
		t.Fatal(err)
	}
	if d, err = db.Open(t.Context(), url, db.Options{}); err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if r, err := health.New(d).Ready(t.Context()); err != nil || r.Writing != health.WritingNot {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestAProgramThatStopsIsNotReady(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, db.SQLite)
	s := health.New(d)
	s.Stop()
	if _, err := s.Ready(t.Context()); !errs.Is(err, errs.CodeUnavailable, health.Stopping) {
		t.Errorf("%v", err)
	}
}

func TestWithoutADatabaseItIsNotReady(t *testing.T) {
	t.Parallel()
	dbtest.EachURL(t, func(t *testing.T, url string) {
		d, err := db.Open(t.Context(), url, db.Options{})
		if err != nil {
			t.Fatal(err)
		}
		s := health.New(d)
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		_, err = s.Ready(t.Context())
		if !errs.Is(err, errs.CodeUnavailable, health.Database) || errors.Unwrap(errs.As(err)) == nil {
			t.Errorf("%v", err)
		}
	})
}
