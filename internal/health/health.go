// Package health says whether the program can be given work.
//
// It owns two questions. Alive: does the process answer at all; a supervisor that gets no answer starts it anew. Ready: would a
// request be served; a load balancer that hears no sends requests elsewhere. It does not own how the answer looks to a
// caller.
//
// What always holds: asking costs one small read; a program that is about to stop is alive and not ready; a database that takes
// no writes leaves the program ready, since it still answers what it is asked, and says so.
package health

import (
	"context"
	"sync/atomic"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
)

// patience bounds the question to the database: who asks for readiness asks often and waits little.
const patience = 2 * time.Second

// Reasons for not being ready, with code unavailable.
const (
	// Stopping: the program is about to stop and takes no new work.
	Stopping = "stopping"
	// Database: it does not answer.
	Database = "database_unavailable"
	// Schema: the database is of an older version than the program, as after a restore.
	Schema = "schema_too_old"
)

// Writing says how the last writes went.
type Writing string

// The values of Writing.
const (
	// WritingOK: the last write succeeded, or nothing was written since the start and the database takes writes.
	WritingOK Writing = "ok"
	// WritingFails: the last write failed for want of a database, of disk space, or of a primary.
	WritingFails Writing = "failing"
	// WritingNot: the database is a standby or read-only.
	WritingNot Writing = "read_only"
)

// Report is what a ready program says.
type Report struct {
	Writing Writing
	// NewerSchema says that a newer program has migrated the database: this one goes on until it is replaced.
	NewerSchema bool
}

// State is the health of one server.
type State struct {
	db       *db.DB
	stopping atomic.Bool
}

// New makes the health of a server on a database.
func New(d *db.DB) *State { return &State{db: d} }

// Stop makes the server not ready from now on.
func (s *State) Stop() { s.stopping.Store(true) }

// Ready says whether a request would be served, as an error with code unavailable when not.
func (s *State) Ready(ctx context.Context) (Report, error) {
	if s.stopping.Load() {
		return Report{}, errs.Unavailable(Stopping, "The program is about to stop.")
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c, err := s.db.Condition(ctx)
	switch {
	case err != nil:
		return Report{}, errs.Unavailable(Database, "The database does not answer.").With("retry_after", 2).Because(err)
	case c.Schema < 0:
		return Report{}, errs.Unavailable(Schema, "The database is of an older version than this program: run lojal migrate, or restart the server, which does.").With("retry_after", 5)
	}
	r := Report{Writing: WritingOK, NewerSchema: c.Schema > 0}
	switch {
	case c.ReadOnly:
		r.Writing = WritingNot
	case c.WritesFail:
		r.Writing = WritingFails
	}
	return r, nil
}
