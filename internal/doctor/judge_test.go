package doctor

import (
	"strings"
	"testing"
	"time"

	"lojal.dev/lojal/internal/db"
)

// What cannot be planted in a test's own server or disk is judged from what they would tell.
func TestJudging(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	before, after := now.Add(-2*time.Hour), now.Add(-time.Hour)
	server := func(change func(*db.ServerState)) func(*exam) {
		return func(e *exam) {
			s := db.ServerState{Version: 150018, Encoding: "UTF8", Settings: map[string]string{}}
			change(&s)
			e.judgeServer(s)
			e.judgeSessions(s)
		}
	}
	onDisk := func(d disk) func(*exam) {
		return func(e *exam) {
			if d.all == 0 {
				d.free, d.all = 500<<30, 1000<<30
			}
			e.judgeDisk("/var/lib/lojal", d, 1<<30)
		}
	}
	file := func(change func(*db.FileState)) func(*exam) {
		return func(e *exam) {
			s := db.FileState{Path: "/var/lib/lojal/lojal.db", Journal: "wal", Synchronous: 2, ForeignKeys: true, Encoding: "UTF-8", Mode: 0o600, FolderMode: 0o700}
			change(&s)
			e.judgeFile(s)
		}
	}
	for _, c := range []struct {
		name, words string
		level       Level
		judge       func(*exam)
	}{
		{"an old server", "too old", Error, server(func(s *db.ServerState) { s.Version = 120004 })},
		{"a server of some years", "works", Note, server(func(s *db.ServerState) { s.Version = 140009 })},
		{"a standby", "standby", Error, server(func(s *db.ServerState) { s.Standby = true })},
		{"an open line", "not encrypted", Warning, server(func(s *db.ServerState) { s.Remote = true })},
		{"a sealed line", "PostgreSQL 15.18", OK, server(func(s *db.ServerState) { s.Remote, s.TLS = true, true })},
		{"rows that grow old", "two thousand million", Error, server(func(s *db.ServerState) { s.Age = 1_900_000_000 })},
		{"rows that age", "autovacuum", Warning, server(func(s *db.ServerState) { s.Age = 700_000_000 })},
		{"dead rows", "postings", Warning, server(func(s *db.ServerState) { s.Bloated = []string{"postings"} })},
		{"a slot that nobody reads", "old_standby", Warning, server(func(s *db.ServerState) { s.Slots = []string{"old_standby"} })},
		{"an archive that fails", "archive", Error, server(func(s *db.ServerState) {
			s.Settings["archive_mode"], s.Archived, s.ArchiveFailed = "on", &before, &after
		})},
		{"an archive that works", "archived 60 minutes ago", OK, server(func(s *db.ServerState) {
			s.Settings["archive_mode"], s.Archived, s.ArchiveFailed = "on", &after, &before
		})},
		{"an idle transaction", "has done nothing in it for 5 hours", Warning, server(func(s *db.ServerState) {
			s.Sessions = []db.Session{{PID: 7, User: "report", State: "idle in transaction", Since: 6 * time.Hour, Idle: 5 * time.Hour, Holds: true}}
		})},
		{"a network disk", "nfs", Warning, onDisk(disk{kind: kindOf(0x6969)})},
		{"a Windows share", "cifs", Warning, onDisk(disk{kind: kindOf(-11317950)})}, // 0xff534d42 as a signed number
		{"memory", "in memory", Warning, onDisk(disk{kind: kindOf(0x01021994)})},
		{"a container's layer", "own layer", Warning, onDisk(disk{kind: kindOf(0x794c7630)})},
		{"an ordinary disk", "500 GB of the 1000 GB", OK, onDisk(disk{kind: kindOf(0xef53)})},
		{"a disk without files to give", "only 3 files", Error, onDisk(disk{files: 3, inodes: true})},
		{"a disk that is nearly full", "filling up", Warning, onDisk(disk{free: 30 << 30, all: 1000 << 30})},
		{"another journal", "WAL", Error, file(func(s *db.FileState) { s.Journal = "delete" })},
		{"commits that are not waited for", "lost with the power", Error, file(func(s *db.FileState) { s.Synchronous = 1 })},
		{"keys that are not watched", "Foreign keys", Error, file(func(s *db.FileState) { s.ForeignKeys = false })},
		{"texts in another encoding", "UTF-16le", Warning, file(func(s *db.FileState) { s.Encoding = "UTF-16le" })},
		{"a file with holes", "60%", Note, file(func(s *db.FileState) { s.Pages, s.FreePages = 100_000, 60_000 })},
		{"clocks that agree", "agree", OK, func(e *exam) {
			e.judgeClock(db.ServerState{Clock: now.Add(20 * time.Millisecond), Took: 50 * time.Millisecond}, now)
		}},
		{"a clock that is ahead", "3s apart", Warning, func(e *exam) {
			e.judgeClock(db.ServerState{Clock: now.Add(3 * time.Second), Took: time.Millisecond}, now)
		}},
		{"a clock that is behind", "5 minutes apart", Error, func(e *exam) {
			e.judgeClock(db.ServerState{Clock: now.Add(-5 * time.Minute), Took: time.Millisecond}, now)
		}},
	} {
		e := &exam{limits: Limits{}.usual(), now: now, out: &Report{Worst: OK}}
		e.Connections = 16
		c.judge(e)
		found := false
		for _, f := range e.out.Findings {
			found = found || f.Level == c.level && strings.Contains(f.Message, c.words)
		}
		if !found || e.out.Worst != c.level {
			t.Errorf("%s: want %s with %q, worst %s, have %+v", c.name, c.level, c.words, e.out.Worst, e.out.Findings)
		}
	}
	for text, want := range map[string]time.Duration{"30s": 30 * time.Second, "5min": 5 * time.Minute, "100ms": 100 * time.Millisecond, "1h": time.Hour, "x": 0} {
		if d, err := pgDuration(text); d != want || (err == nil) == (want == 0) {
			t.Errorf("%s: %s %v", text, d, err)
		}
	}
}
