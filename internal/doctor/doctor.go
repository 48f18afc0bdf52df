// Package doctor looks an installation over, and says in plain words what is wrong with it and what to do.
//
// It owns the judging: what is well, worth a note, a warning or an error. It changes nothing, and what it reads it reads in short
// transactions, so that it can be asked at any time. It does not own the proof of the books (verify), nor whether a server
// takes requests now (health).
package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/message"
)

// Level is how bad a finding is.
type Level string

// The levels, from the best to the worst.
const (
	OK      Level = "ok"
	Note    Level = "note"    // worth knowing; nothing needs to be done
	Warning Level = "warning" // it works, and something will go wrong, or already does in part
	Error   Level = "error"   // something promised does not hold: data may be lost, or the program does not work
)

var levels = []Level{OK, Note, Warning, Error}

// Worse says whether a level is worse than another.
func (l Level) Worse(than Level) bool { return slices.Index(levels, l) > slices.Index(levels, than) }

// Finding is what was seen of one thing.
type Finding struct {
	// Check names what was looked at: program, clock, zones, configuration, mail, passes, disk, file, settings, sessions, schema, versions, keys,
	// work, deliveries, jobs, errands, seals, backups, pools.
	Check string `json:"check"`
	Level Level  `json:"level"`
	// Message says what is so, Advice what to do about it; without one when it is well.
	Message string `json:"message"`
	Advice  string `json:"advice,omitempty"`
}

// Report is all that was seen.
type Report struct {
	// Worst is the worst level of all findings.
	Worst    Level     `json:"worst"`
	Findings []Finding `json:"findings"`
}

// Err is nil unless the worst finding is a warning (invalid "doctor_warnings") or an error (conflict "doctor_errors").
func (r *Report) Err() error {
	n := 0
	for _, f := range r.Findings {
		if f.Level == r.Worst {
			n++
		}
	}
	switch r.Worst {
	case Error:
		return errs.Conflict("doctor_errors", "Not all is well: "+lang.Things(n, "error")+".")
	case Warning:
		return errs.Invalid("doctor_warnings", "Not all is well: "+lang.Things(n, "warning")+".")
	default:
		return nil
	}
}

// Input is what to look at.
type Input struct {
	// URL is the database's, as it is configured; Given says that it was given where others on the machine may read it, on the
	// command line.
	URL   string
	Given bool
	// DB is open, whatever its schema; or OpenErr says why it could not be opened.
	DB      *db.DB
	OpenErr error
	// Version is this program's.
	Version string
	// Clock gives the real time.
	Clock func() time.Time
	// Connections is how many connections a server opens; 16 when 0.
	Connections int
	// Deep has SQLite's foreign keys looked at, and its pages however large the file is.
	Deep bool
	// Backups is a folder that backups are written to, if it is known.
	Backups string
	// Mail is how messages are sent, nil when nothing is set; or MailErr says what is wrong with its settings.
	Mail    *message.SMTP
	MailErr error
	// PassEnds is when the certificate for passes does, zero without one; or PassErr says what is wrong with the settings of wallets.
	PassEnds time.Time
	PassErr  error
	// Limits are what is borne; those left out are the usual ones.
	Limits Limits
}

// Limits are what is borne before something is said.
type Limits struct {
	// FreeWarning and FreeError are how much of a disk must be free, in bytes; LogBytes how long SQLite's log may be; QuickCheck how
	// large a file may be to be looked through without Deep.
	FreeWarning, FreeError, LogBytes, QuickCheck int64
	// ClockWarning and ClockError are how far two clocks may be apart.
	ClockWarning, ClockError time.Duration
	// Transaction is how long one may be open; Late how long due work, an undelivered event or a seal may wait; Backup how old the
	// last backup may be.
	Transaction, Late, Backup time.Duration
}

func (l Limits) usual() Limits {
	out := Limits{FreeWarning: 1 << 30, FreeError: 100 << 20, LogBytes: 256 << 20, QuickCheck: 2 << 30, ClockWarning: time.Second, ClockError: 30 * time.Second,
		Transaction: 5 * time.Minute, Late: 30 * time.Minute, Backup: 7 * 24 * time.Hour}
	for _, p := range []struct{ own, usual *int64 }{{&l.FreeWarning, &out.FreeWarning}, {&l.FreeError, &out.FreeError}, {&l.LogBytes, &out.LogBytes}, {&l.QuickCheck, &out.QuickCheck}} {
		if *p.own != 0 {
			*p.usual = *p.own
		}
	}
	for _, p := range []struct{ own, usual *time.Duration }{{&l.ClockWarning, &out.ClockWarning}, {&l.ClockError, &out.ClockError}, {&l.Transaction, &out.Transaction},
		{&l.Late, &out.Late}, {&l.Backup, &out.Backup}} {
		if *p.own != 0 {
			*p.usual = *p.own
		}
	}
	return out
}

// exam is one examination.
type exam struct {
	Input
	limits Limits
	now    time.Time
	out    *Report
}

func (e *exam) say(check string, level Level, message, advice string) {
	e.out.Findings = append(e.out.Findings, Finding{check, level, message, advice})
	if level.Worse(e.out.Worst) {
		e.out.Worst = level
	}
}

func (e *exam) okf(check, format string, args ...any) {
	e.say(check, OK, fmt.Sprintf(format, args...), "")
}

// failed tells that something could not be looked at.
func (e *exam) failed(check string, err error) {
	text := errs.As(err).Message
	if text == "" || errs.CodeOf(err) == errs.CodeInternal {
		text = err.Error()
	}
	e.say(check, Error, "This could not be looked at: "+text, "See whether the database answers, and whether this user may read its catalogues.")
}

// Examine looks at everything. What cannot be looked at is a finding, too.
func Examine(ctx context.Context, in Input) *Report {
	e := &exam{Input: in, limits: in.Limits.usual(), now: in.Clock(), out: &Report{Worst: OK, Findings: []Finding{}}}
	if e.Connections <= 0 {
		e.Connections = 16
	}
	e.program()
	e.configuration()
	e.mail(ctx)
	e.passes()
	if e.OpenErr != nil {
		e.unopened()
		return e.out
	}
	if e.DB.Dialect() == db.SQLite {
		e.file(ctx)
	} else {
		e.server(ctx)
	}
	if !e.schema(ctx) {
		return e.out
	}
	for _, look := range []struct {
		check string
		run   func(context.Context) error
	}{
		{"versions", e.versions}, {"keys", e.keys}, {"work", e.work}, {"deliveries", e.deliveries}, {"jobs", e.jobs}, {"errands", e.errands}, {"seals", e.seals}, {"backups", e.backups}, {"pools", e.pools},
	} {
		if err := look.run(ctx); err != nil {
			e.failed(look.check, err)
		}
	}
	return e.out
}

// unopened says why the database could not be opened.
func (e *exam) unopened() {
	if db.IsDamaged(e.OpenErr) {
		e.damaged(e.OpenErr.Error())
		return
	}
	f := errs.As(e.OpenErr)
	advice := "See that the server runs, and that host, port, user and password of --db or LOJAL_DB are right."
	message := f.Message
	switch {
	case errs.Is(e.OpenErr, errs.CodeNotFound, "database"):
		advice = "Name the file with --db or LOJAL_DB, or make one: lojal migrate."
	case errs.Is(e.OpenErr, errs.CodeConflict, db.ReasonNewSchema):
		advice = "Use the lojal that has migrated it, or a newer one."
	case errs.Is(e.OpenErr, errs.CodeInvalid, "not_a_database"):
		advice = "Name another file; if this one was the database, restore a backup."
	case f.Code == errs.CodeInternal:
		message = e.OpenErr.Error()
	}
	if cause := errors.Unwrap(f); cause != nil && f.Code == errs.CodeUnavailable {
		message += " (" + cause.Error() + ")"
	}
	e.say("database", Error, "The database cannot be opened: "+message, advice)
}
