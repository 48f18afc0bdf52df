package doctor

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"lojal.dev/lojal/internal/db"
)

// server looks at a PostgreSQL server.
func (e *exam) server(ctx context.Context) {
	s, asked, err := e.DB.InspectServer(ctx, e.Clock)
	if err != nil {
		e.failed("settings", err)
		return
	}
	e.judgeClock(s, asked)
	e.judgeServer(s)
	e.judgeSettings(s.Settings)
	e.judgeSessions(s)
}

// judgeClock compares the clocks: the server's was read after asked, and within the time it took.
func (e *exam) judgeClock(s db.ServerState, asked time.Time) {
	var apart time.Duration
	switch early, late := asked.Sub(s.Clock), s.Clock.Sub(asked.Add(s.Took)); {
	case early > 0:
		apart = early
	case late > 0:
		apart = late
	}
	advice := "Let both machines follow a time server (chrony, systemd-timesyncd)."
	message := fmt.Sprintf("The clocks of this machine and of the database server are %s apart.", round(apart))
	switch {
	case apart > e.limits.ClockError:
		e.say("clock", Error, message, advice+" Points would end and reservations lapse at the wrong time, depending on who looks.")
	case apart > e.limits.ClockWarning:
		e.say("clock", Warning, message, advice)
	default:
		e.okf("clock", "The clocks of this machine and of the database server agree.")
	}
}

// round makes a duration readable.
func round(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	case d >= 2*time.Hour:
		return fmt.Sprintf("%d hours", d/time.Hour)
	case d >= 2*time.Minute:
		return fmt.Sprintf("%d minutes", d/time.Minute)
	case d >= time.Second:
		return d.Round(time.Second).String()
	}
	return d.Round(time.Millisecond).String()
}

func (e *exam) judgeServer(s db.ServerState) {
	version := fmt.Sprintf("%d.%d", s.Version/10000, s.Version%10000)
	switch {
	case s.Version < 130000:
		e.say("settings", Error, "PostgreSQL "+version+" is too old: lojal needs 13, and 15 or newer is better.", "Upgrade the server.")
	case s.Version < 150000:
		e.say("settings", Note, "PostgreSQL "+version+" works; lojal is tested on 15 and newer.", "Upgrade the server before it is out of its support.")
	default:
		e.okf("settings", "PostgreSQL %s, a database of %s.", version, size(s.Bytes))
	}
	if s.Standby {
		e.say("settings", Error, "The server is a standby: nothing can be recorded on it.", "Point --db or LOJAL_DB to the primary, or name all servers and add target_session_attrs=read-write.")
	}
	if s.Encoding != "UTF8" {
		e.say("settings", Error, "The database is in encoding "+s.Encoding+": names and texts of the whole world need UTF8.", "Make a new database with ENCODING 'UTF8' TEMPLATE template0, and bring the content over: lojal backup, lojal restore.")
	}
	if s.CollationWas != s.CollationIs && s.CollationWas != "" {
		e.say("settings", Warning, fmt.Sprintf("The rules for sorting texts have changed from version %s to %s since the indexes were made: rows may not be found any more.", s.CollationWas, s.CollationIs),
			"REINDEX DATABASE, then ALTER DATABASE … REFRESH COLLATION VERSION.")
	}
	if s.Remote && !s.TLS {
		e.say("configuration", Warning, "The connection to the database goes to another machine and is not encrypted.", "Add sslmode=verify-full to the URL.")
	}
	if s.Superuser {
		e.say("configuration", Note, "lojal connects as a superuser of PostgreSQL.", "A user of its own that owns the database is enough, and can do less harm.")
	}
	if len(s.Unlogged) > 0 {
		e.say("settings", Error, "Tables that are emptied by a crash of the server: "+strings.Join(s.Unlogged, ", ")+".", "ALTER TABLE … SET LOGGED for each of them.")
	}
	if len(s.Bloated) > 0 {
		e.say("settings", Warning, "Tables with more dead rows than live ones: "+strings.Join(s.Bloated, ", ")+".", "See that autovacuum runs and that no transaction is open for long; VACUUM them.")
	}
	switch {
	case s.Age > 1_500_000_000:
		e.say("settings", Error, fmt.Sprintf("The oldest row is %d transactions old: at two thousand million the server stops taking writes.", s.Age), "VACUUM FREEZE the database now, and see why autovacuum has not.")
	case s.Age > 500_000_000:
		e.say("settings", Warning, fmt.Sprintf("The oldest row is %d transactions old; autovacuum should have seen to it.", s.Age), "See that autovacuum runs and that no transaction, prepared transaction or replication slot holds it back.")
	}
	if s.Settings["archive_mode"] == "on" || s.Settings["archive_mode"] == "always" {
		switch {
		case s.ArchiveFailed != nil && (s.Archived == nil || s.ArchiveFailed.After(*s.Archived)):
			e.say("backups", Error, "The last attempt to archive the server's log failed: it cannot be restored to a point in time, and the disk fills.", "See the server's log for what archive_command says.")
		case s.Archived != nil:
			e.okf("backups", "The server's log was archived %s ago.", round(e.now.Sub(*s.Archived)))
		}
	}
}

func (e *exam) judgeSettings(set map[string]string) {
	bad := false
	say := func(level Level, message, advice string) {
		e.say("settings", level, message, advice)
		bad = bad || level.Worse(Note)
	}
	if set["fsync"] == "off" {
		say(Error, "fsync is off: a crash of the machine may spoil the whole database.", "Set fsync = on in postgresql.conf and restart the server.")
	}
	if set["full_page_writes"] == "off" {
		say(Error, "full_page_writes is off: a crash of the machine may leave torn pages.", "Set full_page_writes = on, unless the file system never tears a page (ZFS).")
	}
	switch set["synchronous_commit"] {
	case "off":
		say(Error, "synchronous_commit is off: what was acknowledged may be lost with the server.", "Set synchronous_commit = on for this database and user.")
	case "local":
		say(Note, "synchronous_commit is local: a commit does not wait for standbys, and a failover may lose what was acknowledged.", "Set it to on where a standby takes over by itself.")
	}
	if set["autovacuum"] == "off" {
		say(Error, "autovacuum is off: tables and indexes grow without end, and in the end the server stops.", "Set autovacuum = on.")
	}
	if set["default_transaction_read_only"] == "on" {
		say(Error, "default_transaction_read_only is on: nothing can be recorded.", "Set it to off for this database and user.")
	}
	if v := set["default_transaction_isolation"]; v != "read committed" && v != "" {
		say(Note, "default_transaction_isolation is "+v+"; lojal sets its own for each transaction.", "Nothing to do.")
	}
	if v := set["plan_cache_mode"]; v == "force_generic_plan" {
		say(Warning, "plan_cache_mode is "+v+": statements are planned without their values, which is slow and on distributed engines refused.", "Set it to auto.")
	}
	if v := set["statement_timeout"]; v != "0" && v != "" {
		if d, err := pgDuration(v); err == nil && d < 10*time.Second {
			say(Warning, "statement_timeout is "+v+": large batches, exports and migrations may be cut off.", "Set it to 0 or to a minute and more for lojal's user.")
		}
	}
	if v := set["idle_in_transaction_session_timeout"]; v == "0" {
		say(Note, "idle_in_transaction_session_timeout is 0: a session that was forgotten inside a transaction holds back the feed of events, the seals and the vacuum for ever.", "Set it to some minutes for other users of the server.")
	}
	if set["data_checksums"] == "off" {
		say(Note, "data_checksums are off: a disk that returns other data than was written is not noticed.", "pg_checksums --enable while the server is stopped.")
	}
	if !bad {
		e.okf("settings", "fsync, full_page_writes, synchronous_commit and autovacuum are on.")
	}
}

// pgDuration reads a time as SHOW writes it: 30s, 5min, 100ms.
func pgDuration(v string) (time.Duration, error) {
	for unit, in := range map[string]time.Duration{"ms": time.Millisecond, "min": time.Minute, "s": time.Second, "h": time.Hour, "d": 24 * time.Hour} {
		if n, ok := strings.CutSuffix(v, unit); ok {
			if count, err := strconv.Atoi(n); err == nil {
				return time.Duration(count) * in, nil
			}
		}
	}
	return 0, fmt.Errorf("%q is no duration", v)
}

func (e *exam) judgeSessions(s db.ServerState) {
	bad := false
	most, err := strconv.Atoi(s.Settings["max_connections"])
	if err == nil {
		usable := most - s.Reserved
		switch {
		case e.Connections > usable:
			e.say("sessions", Error, fmt.Sprintf("The server allows %d connections and lojal wants up to %d.", usable, e.Connections), "Raise max_connections, or put a pool such as PgBouncer in transaction mode before the server.")
			bad = true
		case s.Connections+e.Connections > usable:
			e.say("sessions", Warning, fmt.Sprintf("%d of the server's %d connections are in use: another lojal server, which wants up to %d, may not get its own.", s.Connections, usable, e.Connections),
				"Raise max_connections, or let other programs use fewer.")
			bad = true
		}
	}
	for _, t := range s.Sessions {
		if t.Since < e.limits.Transaction {
			continue
		}
		who := fmt.Sprintf("process %d (user %s, %s)", t.PID, t.User, named(t.Name))
		what := "has had a transaction open for " + round(t.Since)
		if t.State == "idle in transaction" {
			what += " and has done nothing in it for " + round(t.Idle)
		}
		level := Warning
		if !t.Holds {
			level = Note
		}
		e.say("sessions", level, "A session, "+who+", "+what+": it holds back the feed of events, webhooks, the seals and the vacuum.", fmt.Sprintf("End it if it is forgotten: SELECT pg_terminate_backend(%d).", t.PID))
		bad = true
	}
	for _, t := range s.Prepared {
		if t.Since < e.limits.Transaction {
			continue
		}
		e.say("sessions", Warning, fmt.Sprintf("A prepared transaction %q of user %s was left %s ago: it holds locks, and holds back the feed of events, the seals and the vacuum.", t.Name, t.User, round(t.Since)),
			"Find out from whoever prepared it whether it was committed elsewhere, then COMMIT PREPARED or ROLLBACK PREPARED.")
		bad = true
	}
	if len(s.Slots) > 0 {
		e.say("sessions", Warning, "Replication slots that nobody reads: "+strings.Join(s.Slots, ", ")+". They keep the server's log, until the disk is full.", "Start the standby that belongs to them, or SELECT pg_drop_replication_slot(…).")
		bad = true
	}
	if !bad {
		e.okf("sessions", "%d of %d connections are in use, and no transaction is open for long.", s.Connections, most)
	}
}

func named(application string) string {
	if application == "" {
		return "of no name"
	}
	return application
}
