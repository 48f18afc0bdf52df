package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"lojal.dev/lojal/internal/errs"
)

// ErrUnknownCommit says that COMMIT was sent and no answer can be trusted: the transaction happened or did not.
// It has code unavailable. Whoever asked repeats the request under the same idempotency key, which decides.
var ErrUnknownCommit = errors.New("it is not known whether the transaction was committed")

// Reasons of errors made here.
const (
	// ReasonUnavailable, with code unavailable: the database is away, full, or out of connections.
	ReasonUnavailable = "database"
	// ReasonTimeout, with code unavailable: the caller's deadline passed; nothing was written.
	ReasonTimeout = "database_timeout"
	// ReasonUnknownCommit, with code unavailable: see [ErrUnknownCommit].
	ReasonUnknownCommit = "unknown_commit"
	// ReasonNotDistributable, with code invalid: the engine cannot spread tables over machines.
	ReasonNotDistributable = "not_distributable"
	// ReasonOldSchema, with code conflict: the database must be migrated first.
	ReasonOldSchema = "schema_too_old"
	// ReasonNewSchema, with code conflict: the database was migrated by a newer program.
	ReasonNewSchema = "schema_too_new"
)

// IsUnique says whether err is the violation of a primary key or unique index.
func IsUnique(err error) bool {
	if code, ok := sqliteCode(err); ok {
		return code == sqlite3.SQLITE_CONSTRAINT_UNIQUE || code == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY
	}
	return pgCode(err) == "23505"
}

// IsForeignKey says whether err is the violation of a foreign key.
func IsForeignKey(err error) bool {
	if code, ok := sqliteCode(err); ok {
		return code == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY
	}
	return pgCode(err) == "23503"
}

// IsRetryable says whether the transaction that gave err left nothing and may succeed when run again: it was
// the victim of a deadlock or a serialization failure, lost its connection before COMMIT, or found SQLite busy.
// [DB.Write] has then already tried several times.
func IsRetryable(err error) bool {
	if err == nil || errors.Is(err, ErrUnknownCommit) || errors.Is(err, errAway) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	if code, ok := sqliteCode(err); ok {
		return code&0xFF == sqlite3.SQLITE_BUSY
	}
	switch pgCode(err) {
	case "40001", "40P01": // serialization failure, deadlock
		return true
	}
	if _, behind := errors.AsType[*lostBehind](err); behind {
		return true
	}
	_, refused := errors.AsType[*pgconn.ConnectError](err)
	return isLost(err) && !refused // to knock again at once at a closed door helps nobody
}

// IsUnavailable says whether err comes from the state of the database or its machine rather than from what was
// asked: no connection, a full disk, too many connections, still busy after all attempts, an unknown commit.
func IsUnavailable(err error) bool {
	if err == nil {
		return false
	}
	if errors.Is(err, ErrUnknownCommit) || errors.Is(err, errAway) {
		return true
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false // the caller's own doing; a deadline is a network error to package net
	}
	if IsRetryable(err) || isLost(err) {
		return true
	}
	if code, ok := sqliteCode(err); ok {
		switch code & 0xFF {
		case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN,
			sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_LOCKED:
			return true
		}
		return isReadOnly(err) // the file system, after a fault
	}
	if code := pgCode(err); len(code) == 5 {
		switch code[:2] {
		case "53", "58": // insufficient resources (disk, memory, connections), system error
			return true
		}
		return isReadOnly(err) // the server is a standby
	}
	return errors.Is(err, syscall.ENOSPC)
}

// IsDamaged says whether SQLite found its file damaged.
func IsDamaged(err error) bool {
	code, ok := sqliteCode(err)
	return ok && code&0xFF == sqlite3.SQLITE_CORRUPT
}

// isReadOnly says whether err is that of a write where only reading is allowed.
func isReadOnly(err error) bool {
	code, _ := sqliteCode(err)
	return code&0xFF == sqlite3.SQLITE_READONLY || pgCode(err) == "25006"
}

// isLost says whether err means that there is no connection, or no longer.
func isLost(err error) bool {
	// A server that cannot let anyone in (its disk is full, it recovers, it wants another password) gives a code of its own.
	_, refused := errors.AsType[*pgconn.ConnectError](err)
	if code := pgCode(err); len(code) == 5 && !refused {
		// Connection exceptions, and operator intervention but for a cancelled query and a lock timeout.
		return code[:2] == "08" || code[:3] == "57P"
	}
	_, network := errors.AsType[net.Error](err)
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) || errors.Is(err, pgconn.ErrConnClosed) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		refused || network
}

// commitError tells an error at COMMIT that surely undid the transaction from one that leaves it open.
func commitError(err error) error {
	err = fmt.Errorf("commit: %w", err)
	if code, ok := sqliteCode(err); ok {
		switch code & 0xFF {
		// Nothing was written, or not the frame that makes the rest count.
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_ERROR:
			return err
		}
		return fmt.Errorf("%w: %w", ErrUnknownCommit, err)
	}
	if errors.Is(err, sql.ErrTxDone) || errors.Is(err, pgx.ErrTxCommitRollback) {
		return err // the transaction had ended before: a statement failed and fn did not tell
	}
	switch code := pgCode(err); {
	case code == "40001", code == "40P01", len(code) == 5 && code[:2] == "23": // deferred constraints
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnknownCommit, err)
}

// explain gives err the code unavailable when that is its class or when the caller's time ran out, and
// context.Canceled when the caller went away: a statement that is stopped has an error of its own on either engine.
func explain(ctx context.Context, err error) error {
	if errors.Is(err, ErrUnknownCommit) {
		return errs.Unavailable(ReasonUnknownCommit, "The database did not confirm the change: repeat the request with the same key.").Because(err)
	}
	if known, ok := errors.AsType[*errs.Error](err); ok && known.Code == errs.CodeUnavailable {
		return err
	}
	if code, ok := sqliteCode(err); ok && code&0xFF == sqlite3.SQLITE_NOTADB {
		return errs.Invalid("not_a_database", "The file is no SQLite database: name another one.").Because(err)
	}
	cause := ctx.Err()
	switch {
	case cause == nil && isReadOnly(err):
		return errs.Unavailable(ReasonUnavailable, "The database can only be read: the program must be allowed to write the file and its folder (SQLite), or be given the server that takes writes (PostgreSQL).").
			With("retry_after", 2).Because(err)
	case cause == nil && IsUnavailable(err):
		return errs.Unavailable(ReasonUnavailable, "The database is not available now.").With("retry_after", 2).Because(err)
	case cause == nil || !errors.Is(err, cause) && !isCancelled(err):
		return err
	case errors.Is(cause, context.DeadlineExceeded):
		return errs.Unavailable(ReasonTimeout, "The database took too long; nothing was changed.").Because(fmt.Errorf("%w: %w", cause, err))
	default:
		return fmt.Errorf("%w: %w", cause, err)
	}
}

// isCancelled says whether err is what an engine says when a statement is stopped by its caller.
func isCancelled(err error) bool {
	if code, ok := sqliteCode(err); ok {
		return code&0xFF == sqlite3.SQLITE_INTERRUPT
	}
	return pgCode(err) == "57014" || isLost(err) || errors.Is(err, sql.ErrTxDone)
}

func sqliteCode(err error) (int, bool) {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code(), true
	}
	return 0, false
}

func pgCode(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}
