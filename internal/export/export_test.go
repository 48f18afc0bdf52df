package export_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/demo"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/export"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/version"
	"lojal.dev/lojal/internal/webhook"
)

var now = time.Date(2026, 4, 1, 12, 0, 0, 0, time.UTC)

// fill puts a small demo into a database.
func fill(t *testing.T, d *db.DB) {
	t.Helper()
	r := record.New(d, &version.Cache{})
	defer r.Close()
	if _, err := demo.Fill(t.Context(), demo.Input{DB: d, Recorder: r, Now: now, Members: 20, Weeks: 8}); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, url string) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), url, db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func write(t *testing.T, d *db.DB) (string, *export.Manifest) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "export")
	m, err := export.Write(t.Context(), d, dir, "v0-test", now)
	if err != nil {
		t.Fatal(err)
	}
	return dir, m
}

// sums are the checksums of the tables: two databases with the same ones hold the same rows.
func sums(m *export.Manifest) map[string]string {
	out := map[string]string{}
	for _, t := range m.Tables {
		out[t.Name] = t.SHA256
	}
	return out
}

func TestAnExportGoesFromEachEngineToEachAndBack(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		fill(t, d)
		dir, m := write(t, d)
		if m.Rows() < 100 || m.Lojal != "v0-test" || m.Engine != string(d.Dialect()) || m.Stamp == 0 {
			t.Errorf("%+v", m)
		}
		backup := filepath.Join(t.TempDir(), "backup")
		if err := export.Backup(t.Context(), d, backup, "v0-test", now); err != nil {
			t.Fatal(err)
		}
		for _, engine := range []db.Dialect{db.SQLite, db.Postgres} {
			for _, from := range []string{dir, backup} {
				t.Run(filepath.Base(from)+" to "+string(engine), func(t *testing.T) {
					url := dbtest.EmptyURL(t, engine)
					r, err := export.Restore(t.Context(), url, from, now)
					if err != nil || r.Rows != m.Rows() {
						t.Fatal(r, err)
					}
					_, again := write(t, open(t, url))
					if d := cmp.Diff(sums(m), sums(again)); d != "" {
						t.Error(d)
					}
					if again.Stamp != m.Stamp {
						t.Errorf("%d, want %d", again.Stamp, m.Stamp)
					}
					var stamp int64
					err = open(t, url).Write(t.Context(), func(tx *db.Tx) (err error) {
						stamp, err = tx.Stamp(t.Context())
						return err
					})
					if err != nil || stamp <= m.Stamp {
						t.Errorf("the next event would come before what was restored: %d, %d, %v", stamp, m.Stamp, err)
					}
				})
			}
		}
	})
}

func TestWhatIsBrokenIsNotRestored(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, db.SQLite)
	fill(t, d)
	dbtest.EachURL(t, func(t *testing.T, url string) {
		edit := func(file string, change func(string) string) func(string) {
			return func(dir string) {
				path := filepath.Join(dir, file)
				text, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(change(string(text))), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
		replace := func(file, old, with string) func(string) {
			return edit(file, func(s string) string { return strings.Replace(s, old, with, 1) })
		}
		for name, c := range map[string]struct {
			do     func(dir string)
			code   errs.Code
			reason string
		}{
			"an amount is another":       {replace("postings.jsonl", `"amount":25`, `"amount":26`), errs.CodeInvalid, "broken_export"},
			"a row is gone":              {edit("lots.jsonl", func(s string) string { return s[strings.Index(s, "\n")+1:] }), errs.CodeInvalid, "broken_export"},
			"a row is cut":               {edit("facts.jsonl", func(s string) string { return s[:len(s)-10] }), errs.CodeInvalid, "broken_export"},
			"a file is gone":             {func(dir string) { os.Remove(filepath.Join(dir, "postings.jsonl")) }, errs.CodeInvalid, "broken_export"},
			"there is no manifest":       {func(dir string) { os.Remove(filepath.Join(dir, export.ManifestFile)) }, errs.CodeInvalid, "not_an_export"},
			"the manifest is no JSON":    {edit(export.ManifestFile, func(s string) string { return s[:20] }), errs.CodeInvalid, "not_an_export"},
			"it is of the future":        {replace(export.ManifestFile, `"format": 1`, `"format": 2`), errs.CodeInvalid, "other_format"},
			"it has other tables":        {replace(export.ManifestFile, `"schema": "`, `"schema": "0`), errs.CodeConflict, "other_schema"},
			"a table is left out":        {replace(export.ManifestFile, `"lots"`, `"lot"`), errs.CodeInvalid, "not_an_export"},
			"a file lies somewhere else": {replace(export.ManifestFile, `"lots.jsonl"`, `"../lots.jsonl"`), errs.CodeInvalid, "broken_export"},
			"a column is another":        {replace(export.ManifestFile, `"spendable"`, `"spendible"`), errs.CodeInvalid, "broken_export"},
		} {
			dir, _ := write(t, d)
			c.do(dir)
			if _, err := export.Restore(t.Context(), url, dir, now); !errs.Is(err, c.code, c.reason) {
				t.Errorf("%s: %v", name, err)
			}
			_, m := write(t, open(t, url))
			if m.Rows() != 0 {
				t.Errorf("%s: %d rows are there", name, m.Rows())
			}
		}
		dir, _ := write(t, d)
		if _, err := export.Restore(t.Context(), url, dir, now); err != nil {
			t.Error(err)
		}
		if _, err := export.Restore(t.Context(), url, dir, now); !errs.Is(err, errs.CodeConflict, "not_empty") {
			t.Errorf("twice: %v", err)
		}
	})
}

func TestAnArchiveThatIsCutIsNotRestored(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, db.Postgres)
	fill(t, d)
	path := filepath.Join(t.TempDir(), "backup")
	if err := export.Backup(t.Context(), d, path, "", now); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data[:len(data)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := export.Restore(t.Context(), dbtest.EmptyURL(t, db.SQLite), path, now); !errs.Is(err, errs.CodeInvalid, "broken_export") {
		t.Error(err)
	}
}

func TestAnExportHoldsNoSecretOfAWebhook(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		fill(t, d)
		var secret string
		err := d.Write(t.Context(), func(tx *db.Tx) (err error) {
			programs, err := version.Programs(t.Context(), tx)
			if err != nil {
				return err
			}
			_, secret, err = webhook.Create(t.Context(), tx, webhook.New{Program: programs[0].ID, Settings: webhook.Settings{URL: new("https://example.com/hook")}, Now: now})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		dir, m := write(t, d)
		found := false
		for _, table := range m.Tables {
			text, err := os.ReadFile(filepath.Join(dir, table.File))
			if err != nil {
				t.Fatal(err)
			}
			found = found || strings.Contains(string(text), "https://example.com/hook")
			if strings.Contains(string(text), secret) {
				t.Errorf("the secret is in %s", table.File)
			}
		}
		if !found {
			t.Error("the webhook is not in the export")
		}
	})
}

// A new table that nobody adds to the export would be lost by the next restore.
func TestNoTableIsForgotten(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		query := `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'`
		if d.Dialect() == db.Postgres {
			query = `SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'`
		}
		var have []string
		err := d.Read(t.Context(), func(tx *db.Tx) error {
			have = nil
			return db.Collect(t.Context(), tx, func(row db.Scanner) error {
				var name string
				err := row.Scan(&name)
				have = append(have, name)
				return err
			}, query)
		})
		if err != nil {
			t.Fatal(err)
		}
		have = slices.DeleteFunc(have, func(name string) bool {
			// Their content belongs to the database and not to what it keeps.
			return slices.Contains([]string{"stamp", "schema_version", "webhook_secrets", "staff_sessions", "member_sessions", "member_codes", "member_passes", "insight_places", "insight_days", "insight_buyers", "code_guesses", "distribution", "void_facts", "event_counts", "event_line", "event_places"}, name)
		})
		_, m := write(t, d)
		var told []string
		for _, table := range m.Tables {
			told = append(told, table.Name)
		}
		slices.Sort(have)
		slices.Sort(told)
		if d := cmp.Diff(have, told); d != "" {
			t.Error(d)
		}
	})
}

func TestAnExportIsOneSnapshotAndReadable(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		fill(t, d)
		dir, m := write(t, d)
		for _, table := range m.Tables {
			text, err := os.ReadFile(filepath.Join(dir, table.File))
			if err != nil {
				t.Fatal(err)
			}
			n := int64(0)
			for line := range strings.Lines(string(text)) {
				var row map[string]any
				if err := json.Unmarshal([]byte(line), &row); err != nil || len(row) != len(table.Columns) {
					t.Fatalf("%s: %v: %s", table.Name, err, line)
				}
				n++
			}
			if n != table.Rows {
				t.Errorf("%s has %d rows, and the manifest says %d", table.Name, n, table.Rows)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		half := filepath.Join(t.TempDir(), "half")
		if _, err := export.Write(ctx, d, half, "", now); err == nil {
			t.Error("it did not stop")
		}
		if _, err := os.Stat(filepath.Join(half, export.ManifestFile)); err == nil {
			t.Error("half an export has a manifest")
		}
	})
}
