package doctor_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver by its name, for sessions of others

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/demo"
	"lojal.dev/lojal/internal/doctor"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/export"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/job"
	"lojal.dev/lojal/internal/key"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/reward"
	"lojal.dev/lojal/internal/seal"
	"lojal.dev/lojal/internal/version"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// patient is an installation to look at.
type patient struct {
	t   *testing.T
	url string
	d   *db.DB
	in  doctor.Input
}

// healthy is an installation with nothing to say about, but for what the test's own server is: it does not sync.
func healthy(t *testing.T, dialect db.Dialect) *patient {
	t.Helper()
	p := &patient{t: t, url: dbtest.URL(t, dialect)}
	var err error
	if p.d, err = db.Open(t.Context(), p.url, db.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.d.Close() })
	r := record.New(p.d, &version.Cache{})
	defer r.Close()
	if _, err := demo.Fill(t.Context(), demo.Input{DB: p.d, Recorder: r, Now: now, Members: 10, Weeks: 6}); err != nil {
		t.Fatal(err)
	}
	p.write(`DELETE FROM keys`)
	dbtest.Settle(t, p.d)
	if _, err := export.Save(t.Context(), p.d, filepath.Join(t.TempDir(), "backup"), "test", func() time.Time { return now }); err != nil {
		t.Fatal(err)
	}
	if _, err := seal.All(t.Context(), p.d, now); err != nil {
		t.Fatal(err)
	}
	// Its clock is the tests'; that of a database server is not.
	p.in = doctor.Input{URL: p.url, DB: p.d, Version: "v0-test", Clock: func() time.Time { return now }, Limits: doctor.Limits{ClockError: 1e6 * time.Hour, ClockWarning: 1e6 * time.Hour}}
	return p
}

func each(t *testing.T, body func(t *testing.T, p *patient)) {
	t.Helper()
	dbtest.EachEmpty(t, func(t *testing.T, url string) {
		dialect := db.Postgres
		if strings.HasPrefix(url, "sqlite") {
			dialect = db.SQLite
		}
		body(t, healthy(t, dialect))
	})
}

func (p *patient) write(query string, args ...any) {
	p.t.Helper()
	err := p.d.Write(context.Background(), func(tx *db.Tx) error {
		_, err := tx.Exec(context.Background(), query, args...)
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *patient) tx(f func(tx *db.Tx) error) {
	p.t.Helper()
	if err := p.d.Write(context.Background(), f); err != nil {
		p.t.Fatal(err)
	}
}

// store publishes a program that hands out codes and cards of others, with two of them in each of the pools named.
func (p *patient) store(pools ...string) {
	p.t.Helper()
	doc, err := program.Parse([]byte("program: store\nname: Store\ntime_zone: Europe/Oslo\ncurrency: NOK\nunits: {point: {name: point}}\nrewards:\n"+
		"  - {id: film, title: Film, price: {point: 1}, gives: {pool: cinema}}\n  - {id: spa, title: Spa, price: {point: 1}, gives: {gift_card: {money: 5.00, provider: cards, product: SPA}}}\n"), "store.yaml")
	if err != nil {
		p.t.Fatal(err)
	}
	p.tx(func(tx *db.Tx) error {
		_, err := version.Publish(context.Background(), tx, version.PublishInput{Program: "store", Document: doc, By: "test", Now: now})
		for _, pool := range pools {
			if err == nil {
				_, err = reward.Load(context.Background(), tx, "store", pool, "", []reward.NewCode{{Text: "CODE-1"}, {Text: "CODE-2"}}, now)
			}
		}
		return err
	})
}

func (p *patient) examine() *doctor.Report { return doctor.Examine(context.Background(), p.in) }

// finds sees that something is said of a check, at a level, with all of the words.
func (p *patient) finds(check string, level doctor.Level, words ...string) {
	p.t.Helper()
	report := p.examine()
	if !slices.ContainsFunc(report.Findings, func(f doctor.Finding) bool {
		return f.Check == check && f.Level == level && !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(f.Message+" "+f.Advice, w) })
	}) {
		p.t.Errorf("want %s of %s with %q, have:\n%s", level, check, words, worst(report))
	}
	if level.Worse(report.Worst) {
		p.t.Errorf("the worst is %s", report.Worst)
	}
}

func worst(r *doctor.Report) string {
	out := ""
	for _, f := range r.Findings {
		if f.Level != doctor.OK {
			out += fmt.Sprintf("  %s %s: %s\n", f.Level, f.Check, f.Message)
		}
	}
	return out
}

// usual says whether a finding is one that the tests' own server gives reason to.
func usual(f doctor.Finding) bool {
	return strings.Contains(f.Message, "fsync is off") || strings.Contains(f.Message, "full_page_writes is off") || strings.Contains(f.Message, "autovacuum is off") ||
		f.Check == "sessions" || f.Check == "disk" || strings.Contains(f.Message, "files and connections open")
}

func TestThereIsNothingToSayOfAHealthyInstallation(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p *patient) {
		report := p.examine()
		for _, f := range report.Findings {
			if (f.Level == doctor.Warning || f.Level == doctor.Error) && !usual(f) {
				t.Errorf("%+v", f)
			}
			if f.Message == "" || (f.Advice == "") != (f.Level == doctor.OK) {
				t.Errorf("a finding without words, or advice where all is well: %+v", f)
			}
		}
		if len(report.Findings) < 9 {
			t.Errorf("%+v", report.Findings)
		}
	})
}

func TestPlantedFaultsAreFound(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		plant func(p *patient)
		check string
		level doctor.Level
		words []string
	}{
		{"a migration that waits", func(p *patient) {
			p.write(`DELETE FROM schema_version WHERE version = (SELECT MAX(version) FROM schema_version)`)
		}, "schema", doctor.Error, []string{"1 migration before", "lojal migrate"}},
		{"a table of somebody else", func(p *patient) { p.write(`CREATE TABLE notes (id BIGINT)`) }, "schema", doctor.Warning, []string{"notes"}},
		{"work that waits", func(p *patient) {
			p.write(`UPDATE accounts SET due_at = $1`, now.Add(-3*time.Hour).UnixMicro())
		}, "work", doctor.Warning, []string{"10 accounts wait, the oldest for 3 hours", "lojal sweep"}},
		{"a fact of tomorrow", func(p *patient) {
			p.write(`UPDATE facts SET recorded_at = $1`, now.Add(26*time.Hour).UnixMicro())
		}, "clock", doctor.Error, []string{"26 hours from now"}},
		{"a key for everything", func(p *patient) {
			p.tx(func(tx *db.Tx) error {
				_, _, err := key.Create(context.Background(), tx, key.New{Program: "kaffebaren", Name: "boss", Scopes: []string{key.Admin}, Now: now})
				return err
			})
		}, "keys", doctor.Warning, []string{`"boss"`, "may do everything and never ends"}},
		{"a key that ends soon", func(p *patient) {
			p.tx(func(tx *db.Tx) error {
				soon := now.Add(72 * time.Hour)
				_, _, err := key.Create(context.Background(), tx, key.New{Program: "kaffebaren", Name: "till", Scopes: []string{"purchases:write"}, ExpiresAt: &soon, Now: now})
				return err
			})
		}, "keys", doctor.Warning, []string{`"till"`, "ends in 3 days", "rotate"}},
		{"keys that never end and are not used", func(p *patient) {
			p.tx(func(tx *db.Tx) error {
				_, _, err := key.Create(context.Background(), tx, key.New{Program: "kaffebaren", Name: "till", Scopes: []string{"purchases:write"}, Now: now.AddDate(-1, 0, 0)})
				return err
			})
		}, "keys", doctor.Note, []string{`"till"`, "not used for 365 days"}},
		{"a program without a version in force", func(p *patient) {
			doc, err := program.Parse([]byte("program: later\nname: Later\ntime_zone: Europe/Oslo\ncurrency: NOK\nunits: {point: {name: point}}\n"), "later.yaml")
			if err != nil {
				p.t.Fatal(err)
			}
			p.tx(func(tx *db.Tx) error {
				from := now.Add(time.Hour)
				_, err := version.Publish(context.Background(), tx, version.PublishInput{Program: "later", Document: doc, From: &from, By: "test", Now: now})
				return err
			})
		}, "versions", doctor.Error, []string{"No version of later is in force"}},
		{"a program without any version", func(p *patient) {
			p.write(`INSERT INTO programs (program_id, created_at) VALUES ('empty', 0)`)
		}, "versions", doctor.Error, []string{"empty has no published version"}},
		{"a document that was changed", func(p *patient) {
			p.write(`UPDATE versions SET document = REPLACE(document, '"per":"10.00"', '"per":"1.00"')`)
		}, "versions", doctor.Error, []string{"not the one that was published"}},
		{"a document that cannot be read", func(p *patient) {
			p.write(`UPDATE versions SET document = 'x'`)
		}, "versions", doctor.Error, []string{"cannot be read"}},
		{"jobs that were given up", func(p *patient) {
			p.tx(func(tx *db.Tx) error {
				_, err := job.Insert(context.Background(), tx, job.New{Kind: "mail"}, now)
				return err
			})
			p.write(`UPDATE jobs SET state = 'discarded', finished_at = 1, due_at = NULL WHERE kind = 'mail'`)
		}, "jobs", doctor.Warning, []string{"1 job of kind mail given up"}},
		{"a pause that was forgotten", func(p *patient) {
			p.tx(func(tx *db.Tx) error { return job.Pause(context.Background(), tx, "sweep", "test", now) })
		}, "jobs", doctor.Warning, []string{"paused: sweep"}},
		{"a pool without a code", func(p *patient) { p.store() }, "pools", doctor.Error, []string{"The pool cinema of store is empty: the reward film is out of stock", "lojal pool load cinema"}},
		{"a pool that runs low", func(p *patient) {
			p.store("cinema")
		}, "pools", doctor.Warning, []string{"The pool cinema of store runs low: 2 codes left", "lojal pool load cinema"}},
		{"a pool of gift cards that runs low", func(p *patient) {
			p.store("SPA")
		}, "pools", doctor.Warning, []string{"The pool SPA of store runs low: 2 codes left"}},
		{"a pool of gift cards without a card", func(p *patient) {
			p.store("SPA")
			p.write(`UPDATE code_pools SET taken_at = 1, taken_by = 'order:red_1' WHERE pool = 'SPA'`)
		}, "pools", doctor.Error, []string{"The pool SPA of store is empty: the reward spa is ordered, and waits"}},
		{"an order that does not come", func(p *patient) {
			p.tx(func(tx *db.Tx) error {
				return reward.Place(tx, reward.Order{Program: "kaffebaren", Redemption: ids.New("red", now), Provider: "shop", CreatedAt: now.Add(-61 * time.Minute)})
			})
			p.write(`UPDATE code_orders SET error = 'the provider is closed'`)
		}, "pools", doctor.Warning, []string{"more than an hour: 1", "the provider is closed", "lojal order cancel"}},
		{"what follows from events and failed", func(p *patient) {
			p.write(`INSERT INTO errand_places (bucket, program_id, stamp, n) VALUES ($1, 'kaffebaren', 9000000000000000000, 0)
				ON CONFLICT (bucket, program_id) DO UPDATE SET stamp = excluded.stamp`, ids.Bucket("kaffebaren", ""))
			p.write(`INSERT INTO follow_ups (bucket, program_id, key, event, stamp, n, member_id, status, reason, message, tries, next_at, at)
				VALUES ($1, 'kaffebaren', 'referral/x', 'evt_1', 1, 1, 'mem_1', 'waits', 'panic', 'no', 1, 1, 1)`, ids.Bucket("kaffebaren", ""))
		}, "errands", doctor.Warning, []string{"1 fact failed", "lojal errand list"}},
		{"events that nobody follows", func(p *patient) {
			p.write(`INSERT INTO errand_places (bucket, program_id, stamp, n) VALUES ($1, 'kaffebaren', 0, 0) ON CONFLICT (bucket, program_id) DO UPDATE SET stamp = 0`, ids.Bucket("kaffebaren", ""))
		}, "errands", doctor.Warning, []string{"not been done for", "lojal job list --kind errands"}},
		{"books that are not sealed", func(p *patient) { p.write(`DELETE FROM seals`) }, "seals", doctor.Warning, []string{"nothing is sealed yet", "lojal seal"}},
		{"seals that fell behind", func(p *patient) {
			p.write(`DELETE FROM seals WHERE number > 1`)
			p.write(`UPDATE seals SET stamp = 0, n = 0, sealed_at = $1`, now.AddDate(0, 0, -3).UnixMicro())
		}, "seals", doctor.Warning, []string{"3 days ago"}},
		{"an old backup", func(p *patient) {
			p.write(`UPDATE audit SET at = $1 WHERE action = 'database.backed_up'`, now.AddDate(0, 0, -20).UnixMicro())
		}, "backups", doctor.Warning, []string{"20 days ago"}},
		{"a folder of backups that is not there", func(p *patient) { p.in.Backups = filepath.Join(p.t.TempDir(), "none") }, "backups", doctor.Error, []string{"cannot be read"}},
		{"webhooks that were given up", func(p *patient) {
			p.write(`INSERT INTO webhooks (program_id, webhook_id, url, payload, format, concurrency, per_second, status, reason, created_at, updated_at)
				VALUES ('kaffebaren', 'whk_1', 'https://shop.example/hook', 'thin', 'standard', 1, 0, 'disabled', 'failing', 0, 0)`)
		}, "deliveries", doctor.Warning, []string{"https://shop.example/hook", "webhook enable"}},
		{"deliveries that wait and that were given up", func(p *patient) {
			p.write(`INSERT INTO deliveries (bucket, program_id, webhook_id, event_id, type, body, status, due_at, made_at) VALUES (1, 'kaffebaren', 'whk_1', 'evt_1', 'x', '', 'dead', NULL, 0)`)
			p.write(`INSERT INTO deliveries (bucket, program_id, webhook_id, event_id, type, body, status, due_at, made_at) VALUES (1, 'kaffebaren', 'whk_1', 'evt_2', 'x', '', 'pending', 1, $1)`, now.Add(-5*time.Hour).UnixMicro())
		}, "deliveries", doctor.Warning, []string{"1 delivery waiting, the oldest for 5 hours"}},
		{"a password for all to read", func(p *patient) {
			p.in.URL, p.in.Given = "postgres://lojal:secret@db/lojal", true
		}, "configuration", doctor.Warning, []string{"password", "LOJAL_DB"}},
		{"servers of which one takes no writes", func(p *patient) { p.in.URL = "postgres://lojal@a,b/lojal" }, "configuration", doctor.Warning, []string{"target_session_attrs=read-write"}},
		{"a disk that is full", func(p *patient) { p.in.Limits.FreeError = 1 << 60 }, "disk", doctor.Error, []string{"nothing can be recorded"}},
		{"a disk that fills up", func(p *patient) { p.in.Limits.FreeWarning = 1 << 60 }, "disk", doctor.Warning, []string{"filling up"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, p *patient) {
				if c.check == "disk" && p.d.Dialect() == db.Postgres {
					return // its disk is not ours to see
				}
				c.plant(p)
				p.finds(c.check, c.level, c.words...)
				if err := p.examine().Err(); c.level != doctor.Note && err == nil {
					t.Error("no exit status")
				}
			})
		})
	}
}

func TestFaultsOfAFile(t *testing.T) {
	t.Parallel()
	t.Run("that others may read", func(t *testing.T) {
		t.Parallel()
		p := healthy(t, db.SQLite)
		if err := os.Chmod(p.d.Path(), 0o644); err != nil {
			t.Fatal(err)
		}
		p.finds("file", doctor.Warning, "0644", "chmod 600")
	})
	t.Run("in a folder that all may write", func(t *testing.T) {
		t.Parallel()
		p := healthy(t, db.SQLite)
		if err := os.Chmod(filepath.Dir(p.d.Path()), 0o777); err != nil {
			t.Fatal(err)
		}
		p.finds("file", doctor.Warning, "chmod o-w")
	})
	t.Run("whose log is long", func(t *testing.T) {
		t.Parallel()
		p := healthy(t, db.SQLite)
		p.in.Limits.LogBytes = 1
		p.write(`UPDATE stamp SET n = n + 1`)
		p.finds("file", doctor.Warning, "write-ahead log")
	})
	t.Run("that is too large to be looked through in passing", func(t *testing.T) {
		t.Parallel()
		p := healthy(t, db.SQLite)
		p.in.Limits.QuickCheck = 1
		p.finds("file", doctor.Note, "--deep")
	})
	t.Run("whose journal is another", func(t *testing.T) {
		t.Parallel()
		p := healthy(t, db.SQLite)
		if err := p.d.Close(); err != nil {
			t.Fatal(err)
		}
		raw(t, p.d.Path(), `PRAGMA journal_mode = DELETE`)
		var err error
		if p.d, err = db.Open(t.Context(), p.url, db.Options{}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { p.d.Close() })
		p.in.DB = p.d
		p.finds("settings", doctor.OK, "WAL") // opening it mends it
	})
	t.Run("with a row that refers to nothing", func(t *testing.T) {
		t.Parallel()
		p := healthy(t, db.SQLite)
		raw(t, p.d.Path(), `DELETE FROM programs`)
		p.in.Deep = true
		p.finds("file", doctor.Error, "refers to a row of programs")
	})
	t.Run("that is damaged", func(t *testing.T) {
		t.Parallel()
		p := healthy(t, db.SQLite)
		if err := p.d.Close(); err != nil {
			t.Fatal(err)
		}
		damage(t, p.d.Path())
		if p.in.DB, p.in.OpenErr = db.Open(t.Context(), p.url, db.Options{Unmigrated: true}); p.in.OpenErr == nil {
			t.Cleanup(func() { p.in.DB.Close() })
		}
		p.finds("file", doctor.Error, "damaged", "restore")
	})
	for name, c := range map[string]struct {
		make  func(path string) error
		words string
	}{
		"that is not there": {func(string) error { return nil }, "There is no database"},
		"that is no database": {func(path string) error {
			return os.WriteFile(path, []byte(strings.Repeat("no database ", 1000)), 0o600)
		}, "no SQLite database"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "x.db")
			if err := c.make(path); err != nil {
				t.Fatal(err)
			}
			p := &patient{t: t, in: doctor.Input{URL: path, Clock: func() time.Time { return now }}}
			_, p.in.OpenErr = db.Open(t.Context(), path, db.Options{Unmigrated: true})
			p.finds("database", doctor.Error, c.words)
		})
	}
}

// raw runs a statement as another program would, without lojal's care.
func raw(t *testing.T, path, query string) {
	t.Helper()
	pool, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = pool.Exec(query)
	if err := errors.Join(err, pool.Close()); err != nil {
		t.Fatal(err)
	}
}

// damage overwrites pages in the middle of a file.
func damage(t *testing.T, path string) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	page := info.Size() / 2 / 4096 * 4096
	_, err = file.WriteAt([]byte(strings.Repeat("\xff", 8*4096)), page)
	if err := errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestFaultsOfAServer(t *testing.T) {
	t.Parallel()
	// reopen is what a server's next start sees.
	reopen := func(p *patient) {
		p.t.Helper()
		d, err := db.Open(p.t.Context(), p.url, db.Options{Unmigrated: true})
		if err != nil {
			p.t.Fatal(err)
		}
		p.t.Cleanup(func() { d.Close() })
		p.in.DB = d
	}
	name := func(p *patient) string {
		return p.url[strings.LastIndexByte(p.url, '/')+1 : strings.IndexByte(p.url, '?')]
	}
	for _, c := range []struct {
		name  string
		plant func(p *patient)
		check string
		level doctor.Level
		words []string
	}{
		{"does not sync", func(*patient) {}, "settings", doctor.Error, []string{"fsync is off"}},
		{"answers before it is written", func(p *patient) {
			p.write(`ALTER DATABASE ` + name(p) + ` SET synchronous_commit = off`)
			reopen(p)
		}, "settings", doctor.Error, []string{"synchronous_commit is off"}},
		{"takes no writes", func(p *patient) {
			p.write(`ALTER DATABASE ` + name(p) + ` SET default_transaction_read_only = on`)
			reopen(p)
		}, "settings", doctor.Error, []string{"nothing can be recorded"}},
		{"cuts statements off", func(p *patient) {
			p.write(`ALTER DATABASE ` + name(p) + ` SET statement_timeout = '3s'`)
			reopen(p)
		}, "settings", doctor.Warning, []string{"statement_timeout is 3s"}},
		{"plans without values", func(p *patient) {
			p.write(`ALTER DATABASE ` + name(p) + ` SET plan_cache_mode = force_generic_plan`)
			reopen(p)
		}, "settings", doctor.Warning, []string{"plan_cache_mode"}},
		{"forgets tables in a crash", func(p *patient) { p.write(`ALTER TABLE lots SET UNLOGGED`) }, "settings", doctor.Error, []string{"lots", "SET LOGGED"}},
		{"has other rules of sorting", func(p *patient) {
			p.write(`UPDATE pg_database SET datcollversion = '0.1', datcollate = 'C.UTF-8' WHERE datname = '` + name(p) + `'`)
		}, "settings", doctor.Warning, []string{"REINDEX"}},
		{"has another clock", func(p *patient) { p.in.Limits = doctor.Limits{} }, "clock", doctor.Error, []string{"apart", "chrony"}},
		{"has few connections", func(p *patient) { p.in.Connections = 1000 }, "sessions", doctor.Error, []string{"wants up to 1000"}},
		{"has few connections left", func(p *patient) { p.in.Connections = 197 }, "sessions", doctor.Warning, []string{"may not get its own"}},
		{"has a transaction that was forgotten", func(p *patient) {
			p.in.Limits.Transaction = time.Nanosecond
			other, err := pgx.Connect(p.t.Context(), p.url)
			if err != nil {
				p.t.Fatal(err)
			}
			p.t.Cleanup(func() { other.Close(context.Background()) })
			if _, err := other.Exec(p.t.Context(), `BEGIN; SELECT pg_current_xact_id(); SET application_name = 'forgotten'`); err != nil {
				p.t.Fatal(err)
			}
		}, "sessions", doctor.Warning, []string{"forgotten", "pg_terminate_backend", "feed"}},
		{"has a prepared transaction", func(p *patient) {
			p.in.Limits.Transaction = time.Nanosecond
			other, err := pgx.Connect(p.t.Context(), p.url)
			if err != nil {
				p.t.Fatal(err)
			}
			id := "left-" + name(p)
			p.t.Cleanup(func() {
				_, err := other.Exec(context.Background(), `ROLLBACK PREPARED '`+id+`'`)
				if err := errors.Join(err, other.Close(context.Background())); err != nil {
					p.t.Error(err)
				}
			})
			if _, err := other.Exec(p.t.Context(), `BEGIN; UPDATE stamp SET n = n; PREPARE TRANSACTION '`+id+`'`); err != nil {
				p.t.Fatal(err)
			}
		}, "sessions", doctor.Warning, []string{"left-", "ROLLBACK PREPARED"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := healthy(t, db.Postgres)
			c.plant(p)
			p.finds(c.check, c.level, c.words...)
		})
	}
	t.Run("knows not all letters", func(t *testing.T) {
		t.Parallel()
		p := healthy(t, db.Postgres)
		ascii := "ascii_" + name(p)
		conn, err := pgx.Connect(t.Context(), p.url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_, err := conn.Exec(context.Background(), `DROP DATABASE `+ascii+` WITH (FORCE)`)
			if err := errors.Join(err, conn.Close(context.Background())); err != nil {
				t.Error(err)
			}
		})
		if _, err := conn.Exec(t.Context(), `CREATE DATABASE `+ascii+` ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0`); err != nil {
			t.Fatal(err)
		}
		p.url = strings.Replace(p.url, name(p), ascii, 1)
		reopen(p)
		p.finds("settings", doctor.Error, "SQL_ASCII", "UTF8")
		p.finds("schema", doctor.Error, "migrations")
	})
	t.Run("is not there", func(t *testing.T) {
		t.Parallel()
		p := &patient{t: t, in: doctor.Input{URL: "postgres://lojal@127.0.0.1:1/lojal", Clock: func() time.Time { return now }}}
		_, p.in.OpenErr = db.Open(t.Context(), p.in.URL, db.Options{Unmigrated: true})
		p.finds("database", doctor.Error, "cannot be opened", "user and password")
		if err := p.examine().Err(); !errs.Is(err, errs.CodeConflict, "doctor_errors") {
			t.Error(err)
		}
	})
}
