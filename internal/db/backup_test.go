package db_test

import (
	"os"
	"path/filepath"
	"testing"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/errs"
)

func TestABackupUnderLoadIsOneSnapshot(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, db.SQLite)
	must(t, d, `CREATE TABLE posting (id bigint PRIMARY KEY, n bigint)`)
	stop, stopped := make(chan struct{}), make(chan error, 1)
	started := make(chan struct{})
	go func() {
		stopped <- func() error {
			for i := 0; ; i += 2 {
				select {
				case <-stop:
					return nil
				default:
				}
				err := d.Write(t.Context(), func(tx *db.Tx) error {
					_, err := tx.Exec(t.Context(), `INSERT INTO posting (id, n) VALUES ($1, $2), ($3, $4)`, i, i, i+1, -i)
					return err
				})
				if err != nil {
					return err
				}
				if i == 20 {
					close(started)
				}
			}
		}()
	}()
	<-started
	for i := range 5 {
		path := filepath.Join(t.TempDir(), "copy.db")
		if err := d.Backup(t.Context(), path); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info, err)
		}
		entries, err := os.ReadDir(filepath.Dir(path))
		if err != nil || len(entries) != 1 {
			t.Errorf("left beside it: %v, %v", entries, err)
		}
		restored, err := db.Open(t.Context(), path, db.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer restored.Close()
		if n := number(t, restored, `SELECT COUNT(*) + SUM(n) FROM posting`); n%2 != 0 || n < 20 {
			t.Errorf("backup %d holds half a transaction: %d", i, n)
		}
		var verdict string
		err = restored.Write(t.Context(), func(tx *db.Tx) error {
			return tx.QueryRow(t.Context(), `PRAGMA integrity_check`).Scan(&verdict)
		})
		if err != nil || verdict != "ok" {
			t.Errorf("integrity: %s, %v", verdict, err)
		}
	}
	close(stop)
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func TestABackupOverwritesNothingAndLeavesNothingWhenItFails(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, db.SQLite)
	path := filepath.Join(t.TempDir(), "copy.db")
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.Backup(t.Context(), path); !errs.Is(err, errs.CodeConflict, "file_exists") {
		t.Errorf("%v", err)
	}
	if text, err := os.ReadFile(path); string(text) != "mine" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	if err := d.Backup(t.Context(), filepath.Join(t.TempDir(), "no", "folder", "copy.db")); err == nil {
		t.Error("a folder came from nowhere")
	}
}

func TestPostgresIsBackedUpByItsOwnTools(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, db.Postgres)
	if err := d.Backup(t.Context(), filepath.Join(t.TempDir(), "copy")); !errs.Is(err, errs.CodeInvalid, "backup") {
		t.Errorf("%v", err)
	}
}
