package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// What the engines say of themselves, for whoever looks for what is wrong with an installation. Nothing here is judged.

// FileState is a SQLite database as its files and its engine tell.
type FileState struct {
	Path    string
	Version string
	// Bytes and LogBytes are the sizes of the file and of its write-ahead log.
	Bytes, LogBytes int64
	// Mode is the file's permissions, FolderMode those of its folder.
	Mode, FolderMode os.FileMode
	// Journal, Encoding are as PRAGMA says; Synchronous is 2 for FULL and 3 for EXTRA; ForeignKeys whether they are watched.
	Journal, Encoding string
	Synchronous       int
	ForeignKeys       bool
	// Pages and FreePages are how many there are and how many hold nothing.
	Pages, FreePages int64
}

// InspectFile reads the state of a SQLite database.
func (d *DB) InspectFile(ctx context.Context) (out FileState, err error) {
	out.Path = d.path
	info, err := os.Stat(d.path)
	if err != nil {
		return out, fmt.Errorf("look at the database file: %w", err)
	}
	out.Bytes, out.Mode = info.Size(), info.Mode().Perm()
	if log, err := os.Stat(d.path + "-wal"); err == nil {
		out.LogBytes = log.Size()
		out.Mode |= log.Mode().Perm()
	}
	folder, err := os.Stat(filepath.Dir(d.path))
	if err != nil {
		return out, fmt.Errorf("look at the folder of the database: %w", err)
	}
	out.FolderMode = folder.Mode().Perm()
	// The writer's connection is asked, since it is what commits.
	conn, err := d.write.Conn(ctx)
	if err != nil {
		return out, err
	}
	defer conn.Close()
	for _, one := range []struct {
		query string
		into  any
	}{
		{`SELECT sqlite_version()`, &out.Version}, {`PRAGMA journal_mode`, &out.Journal}, {`PRAGMA encoding`, &out.Encoding},
		{`PRAGMA synchronous`, &out.Synchronous}, {`PRAGMA foreign_keys`, &out.ForeignKeys}, {`PRAGMA page_count`, &out.Pages}, {`PRAGMA freelist_count`, &out.FreePages},
	} {
		if err := conn.QueryRowContext(ctx, one.query).Scan(one.into); err != nil {
			return out, fmt.Errorf("%s: %w", one.query, err)
		}
	}
	return out, nil
}

// CheckFile has SQLite look at every page of its file, and gives what it finds wrong, at most ten lines. foreign has it look at the
// foreign keys too.
func (d *DB) CheckFile(ctx context.Context, foreign bool) (wrong []string, err error) {
	collect := func(query string, line func(*sql.Rows) (string, error)) error {
		rows, err := d.read.QueryContext(ctx, query)
		if err != nil {
			return explain(ctx, fmt.Errorf("%s: %w", query, err))
		}
		defer rows.Close()
		for rows.Next() && len(wrong) < 10 {
			text, err := line(rows)
			if err != nil {
				return err
			}
			if text != "ok" {
				wrong = append(wrong, text)
			}
		}
		return rows.Err()
	}
	err = collect(`PRAGMA quick_check(10)`, func(rows *sql.Rows) (string, error) {
		var text string
		err := rows.Scan(&text)
		return text, err
	})
	if err == nil && foreign {
		err = collect(`PRAGMA foreign_key_check`, func(rows *sql.Rows) (string, error) {
			var table, parent string
			var row, key sql.NullInt64
			err := rows.Scan(&table, &row, &parent, &key)
			return fmt.Sprintf("row %d of %s refers to a row of %s that is not there", row.Int64, table, parent), err
		})
	}
	if IsDamaged(err) {
		return append(wrong, err.Error()), nil
	}
	return wrong, err
}

// ServerState is a PostgreSQL server as it tells.
type ServerState struct {
	// Version is such as 150018 for 15.18.
	Version int
	// Settings are those asked for, by name, as SHOW gives them in this program's own sessions.
	Settings map[string]string
	// Clock is the server's, Took how long it took to ask, between which two moments of this machine's clock it was read.
	Clock time.Time
	Took  time.Duration
	// Standby says that it follows another; Encoding is the database's, CollationWas the version of the collation that its indexes
	// were made with, CollationIs the one in use; empty where the server does not tell.
	Standby                             bool
	Encoding, CollationWas, CollationIs string
	Superuser                           bool
	// Connections are open on the whole server, Reserved are kept for superusers.
	Connections, Reserved int
	// Bytes is the size of the database; Age how many transactions ago its oldest row was frozen.
	Bytes, Age int64
	// Sessions are those with an open transaction, the oldest first, at most ten.
	Sessions []Session
	// Prepared are transactions that were prepared and not ended, the oldest first.
	Prepared []Session
	// Slots are replication slots that hold back the vacuum or the log.
	Slots []string
	// Archiver says when the log was archived last and when that failed last; nil when it never did.
	Archived, ArchiveFailed *time.Time
	// Unlogged are tables of ours that do not survive a crash; Bloated those with more dead rows than live ones.
	Unlogged, Bloated []string
	// Remote says that the server is on another machine, TLS that the connection is encrypted.
	Remote, TLS bool
}

// Session is an open transaction.
type Session struct {
	PID         int
	User, Name  string
	State       string
	Since, Idle time.Duration
	Here        bool // in this database
	Holds       bool // it keeps the horizon back
}

// watched are the settings of PostgreSQL that are looked at.
var watched = []string{
	"fsync", "full_page_writes", "synchronous_commit", "autovacuum", "max_connections", "superuser_reserved_connections", "idle_in_transaction_session_timeout",
	"statement_timeout", "default_transaction_isolation", "default_transaction_read_only", "data_checksums", "archive_mode", "shared_buffers", "plan_cache_mode", "TimeZone",
}

const (
	serverFacts = `
SELECT current_setting('server_version_num')::int, pg_is_in_recovery(), pg_encoding_to_char(d.encoding), COALESCE((SELECT rolsuper FROM pg_roles WHERE rolname = current_user), false),
	(SELECT COUNT(*) FROM pg_stat_activity WHERE backend_type = 'client backend')::int, pg_database_size(d.oid), age(d.datfrozenxid)::bigint
FROM pg_database d WHERE d.datname = current_database()`

	serverCollation = `SELECT COALESCE(datcollversion, ''), COALESCE(pg_database_collation_actual_version(oid), '') FROM pg_database WHERE datname = current_database()`

	serverSessions = `
SELECT pid, COALESCE(usename::text, ''), application_name, COALESCE(state, ''), EXTRACT(epoch FROM clock_timestamp() - xact_start)::float8,
	EXTRACT(epoch FROM clock_timestamp() - COALESCE(state_change, xact_start))::float8, COALESCE(datname = current_database(), false),
	backend_xid IS NOT NULL OR backend_xmin IS NOT NULL
FROM pg_stat_activity
WHERE xact_start IS NOT NULL AND pid <> pg_backend_pid() AND backend_type = 'client backend'
ORDER BY xact_start LIMIT 10`

	serverPrepared = `
SELECT owner::text, gid, EXTRACT(epoch FROM clock_timestamp() - prepared)::float8, database = current_database() FROM pg_prepared_xacts ORDER BY prepared LIMIT 10`

	serverSlots = `SELECT slot_name::text FROM pg_replication_slots WHERE NOT active ORDER BY slot_name`

	serverArchiver = `SELECT last_archived_time, last_failed_time FROM pg_stat_archiver`

	serverUnlogged = `
SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence = 'u' AND n.nspname = ANY (current_schemas(false)) ORDER BY c.relname`

	serverBloated = `
SELECT relname::text FROM pg_stat_user_tables
WHERE n_dead_tup > 100000 AND n_dead_tup > n_live_tup AND schemaname = ANY (current_schemas(false)) ORDER BY relname`
)

// InspectServer reads the state of a PostgreSQL server. clock gives this machine's time.
func (d *DB) InspectServer(ctx context.Context, clock func() time.Time) (out ServerState, before time.Time, err error) {
	conn, err := d.read.Conn(ctx)
	if err != nil {
		return out, before, explain(ctx, fmt.Errorf("connect to the database: %w", err))
	}
	defer conn.Close()
	one := func(query string, dest ...any) {
		if err == nil {
			if err = conn.QueryRowContext(ctx, query).Scan(dest...); err != nil {
				err = fmt.Errorf("ask the server: %w", err)
			}
		}
	}
	many := func(query string, scan func(*sql.Rows) error) {
		if err != nil {
			return
		}
		rows, failed := conn.QueryContext(ctx, query)
		if failed != nil {
			err = fmt.Errorf("ask the server: %w", failed)
			return
		}
		defer rows.Close()
		for rows.Next() && err == nil {
			err = scan(rows)
		}
		err = errors.Join(err, rows.Err())
	}
	text := func(into *[]string) func(*sql.Rows) error {
		return func(rows *sql.Rows) error {
			var s string
			err := rows.Scan(&s)
			*into = append(*into, s)
			return err
		}
	}
	one(serverFacts, &out.Version, &out.Standby, &out.Encoding, &out.Superuser, &out.Connections, &out.Bytes, &out.Age)
	if err == nil && out.Version >= 150000 {
		one(serverCollation, &out.CollationWas, &out.CollationIs)
	}
	out.Settings = map[string]string{}
	for _, name := range watched {
		var value sql.NullString
		one(`SELECT current_setting('`+name+`', true)`, &value)
		out.Settings[name] = value.String
	}
	if n, bad := strconv.Atoi(out.Settings["superuser_reserved_connections"]); bad == nil {
		out.Reserved = n
	}
	// The quickest of three questions tells the server's clock best.
	for range 3 {
		var now time.Time
		asked := clock()
		one(`SELECT clock_timestamp()`, &now)
		if took := clock().Sub(asked); out.Clock.IsZero() || took < out.Took {
			out.Clock, out.Took, before = now, took, asked
		}
	}
	many(serverSessions, func(rows *sql.Rows) error {
		var s Session
		var since, idle float64
		err := rows.Scan(&s.PID, &s.User, &s.Name, &s.State, &since, &idle, &s.Here, &s.Holds)
		s.Since, s.Idle = seconds(since), seconds(idle)
		out.Sessions = append(out.Sessions, s)
		return err
	})
	many(serverPrepared, func(rows *sql.Rows) error {
		var s Session
		var since float64
		err := rows.Scan(&s.User, &s.Name, &since, &s.Here)
		s.Since = seconds(since)
		out.Prepared = append(out.Prepared, s)
		return err
	})
	many(serverSlots, text(&out.Slots))
	one(serverArchiver, &out.Archived, &out.ArchiveFailed)
	many(serverUnlogged, text(&out.Unlogged))
	many(serverBloated, text(&out.Bloated))
	if err != nil {
		return out, before, explain(ctx, err)
	}
	return out, before, conn.Raw(func(driver any) error {
		c, ok := driver.(interface{ Conn() *pgx.Conn })
		if !ok {
			return nil
		}
		config := c.Conn().Config()
		out.Remote = remote(config.Host)
		_, out.TLS = c.Conn().PgConn().Conn().(interface{ HandshakeContext(context.Context) error })
		return nil
	})
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// remote says whether a host is another machine.
func remote(host string) bool {
	if host == "" || host == "localhost" || strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") {
		return false
	}
	ip := net.ParseIP(host)
	return ip == nil || !ip.IsLoopback()
}
