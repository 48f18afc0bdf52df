package staff

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
)

// How long a session lasts: Idle without a page, Whole in all; Half for one that waits for its second step.
const (
	Idle  = 12 * time.Hour
	Whole = 7 * 24 * time.Hour
	Half  = 10 * time.Minute
	// seenEvery is how exactly it is known when a session was used last.
	seenEvery = 5 * time.Minute
)

// tokenPrefix begins what the browser has.
const tokenPrefix = "lj_session_"

// Means are the ways in.
const (
	ByPassword = "password"
	ByTOTP     = "totp"
	ByPasskey  = "passkey"
	ByOIDC     = "oidc"
	ByLink     = "link"
	// halfway is a right password that waits for the second step.
	halfway = "half"
)

// Session is somebody signed in.
type Session struct {
	ID, Staff, Email, Name, Lang string
	// Program is the one whose pages are shown, empty where the person has a role in none; Role is theirs in it.
	Program string
	Role    Role
	Means   string
	Half    bool
	// CreatedAt, SeenAt and ExpiresAt are in UTC.
	CreatedAt, SeenAt, ExpiresAt time.Time
	Agent, Address               string
}

// Client is the browser that a session is for.
type Client struct{ Agent, Address string }

const (
	insertSession = `
INSERT INTO staff_sessions (hash, session_id, staff_id, program_id, means, agent, address, created_at, seen_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9)`
	dropSession  = `DELETE FROM staff_sessions WHERE hash = $1`
	dropEnded    = `DELETE FROM staff_sessions WHERE staff_id = $1 AND (expires_at <= $2 OR seen_at <= $3)`
	firstProgram = `SELECT r.program_id FROM staff_roles r JOIN programs p ON p.program_id = r.program_id WHERE r.staff_id = $1 ORDER BY r.program_id LIMIT 1`
	seenStaff    = `UPDATE staff SET seen_at = $1 WHERE staff_id = $2`
)

// Begin makes a session of somebody who has shown who they are, in place of an earlier one of this browser, and gives its token.
func Begin(ctx context.Context, tx *db.Tx, staff, means, instead string, c Client, now time.Time) (token string, err error) {
	if instead != "" {
		if err := End(ctx, tx, instead); err != nil {
			return "", err
		}
	}
	var program string
	if err := tx.QueryRow(ctx, firstProgram, staff).Scan(&program); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("begin session: %w", err)
	}
	if _, err := tx.Exec(ctx, dropEnded, staff, now.UnixMicro(), now.Add(-Idle).UnixMicro()); err != nil {
		return "", fmt.Errorf("begin session: %w", err)
	}
	length := Whole
	if means == halfway {
		length = Half
	} else if _, err := tx.Exec(ctx, seenStaff, now.UnixMicro(), staff); err != nil {
		return "", fmt.Errorf("begin session: %w", err)
	}
	token = ids.Secret(tokenPrefix)
	_, err = tx.Exec(ctx, insertSession, ids.HashSecret(token), ids.New("ses", now), staff, program, means, c.Agent, c.Address,
		now.UnixMicro(), now.Add(length).UnixMicro())
	if err != nil {
		return "", fmt.Errorf("begin session: %w", err)
	}
	return token, nil
}

const getSession = `
SELECT e.session_id, e.staff_id, s.email, s.name, s.lang, e.program_id, coalesce(r.role, ''), e.means, e.agent, e.address, e.created_at, e.seen_at, e.expires_at
FROM staff_sessions e JOIN staff s ON s.staff_id = e.staff_id
LEFT JOIN staff_roles r ON r.staff_id = e.staff_id AND r.program_id = e.program_id
WHERE e.hash = $1 AND s.ended_at IS NULL`

func scanSession(row db.Scanner) (Session, error) {
	var s Session
	var created, seen, expires int64
	if err := row.Scan(&s.ID, &s.Staff, &s.Email, &s.Name, &s.Lang, &s.Program, &s.Role, &s.Means, &s.Agent, &s.Address, &created, &seen, &expires); err != nil {
		return Session{}, err //nolint:wrapcheck // the callers say what was read
	}
	s.CreatedAt, s.SeenAt, s.ExpiresAt = time.UnixMicro(created).UTC(), time.UnixMicro(seen).UTC(), time.UnixMicro(expires).UTC()
	s.Half = s.Means == halfway
	if s.Role == "" {
		s.Program = ""
	}
	return s, nil
}

// errSignedOut is what every session that is none is told.
func errSignedOut() error { return errs.Unauthenticated("signed_out", "Sign in first.") }

// Find gives the session of a token, and with it what the person may do now.
func Find(ctx context.Context, tx *db.Tx, token string, now time.Time) (Session, error) {
	if ids.CheckSecret(tokenPrefix, token) != nil {
		return Session{}, errSignedOut()
	}
	s, err := scanSession(tx.QueryRow(ctx, getSession, ids.HashSecret(token)))
	if errors.Is(err, sql.ErrNoRows) {
		return Session{}, errSignedOut()
	}
	if err != nil {
		return Session{}, fmt.Errorf("find session: %w", err)
	}
	if !s.ExpiresAt.After(now) || now.Sub(s.SeenAt) >= Idle {
		return Session{}, errSignedOut()
	}
	return s, nil
}

// Stale says whether it is time to note that the session is used.
func (s Session) Stale(now time.Time) bool { return now.Sub(s.SeenAt) >= seenEvery }

const seeSession = `UPDATE staff_sessions SET seen_at = $1 WHERE session_id = $2 AND seen_at < $1`

// See notes that the session is used.
func See(ctx context.Context, tx *db.Tx, s Session, now time.Time) error {
	if _, err := tx.Exec(ctx, seeSession, now.UnixMicro(), s.ID); err != nil {
		return fmt.Errorf("see session: %w", err)
	}
	if _, err := tx.Exec(ctx, seenStaff, now.UnixMicro(), s.Staff); err != nil {
		return fmt.Errorf("see session: %w", err)
	}
	return nil
}

// End ends the session of a token; one that is none is no failure.
func End(ctx context.Context, tx *db.Tx, token string) error {
	if _, err := tx.Exec(ctx, dropSession, ids.HashSecret(token)); err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}

const (
	listSessions = `
SELECT e.session_id, e.staff_id, s.email, s.name, s.lang, e.program_id, coalesce(r.role, ''), e.means, e.agent, e.address, e.created_at, e.seen_at, e.expires_at
FROM staff_sessions e JOIN staff s ON s.staff_id = e.staff_id
LEFT JOIN staff_roles r ON r.staff_id = e.staff_id AND r.program_id = e.program_id
WHERE e.staff_id = $1 AND e.expires_at > $2 AND e.seen_at > $3 AND e.means <> 'half' ORDER BY e.seen_at DESC, e.session_id`
	dropOne    = `DELETE FROM staff_sessions WHERE staff_id = $1 AND session_id = $2`
	dropOthers = `DELETE FROM staff_sessions WHERE staff_id = $1 AND session_id <> $2`
)

// Sessions gives where somebody is signed in, the one used last first.
func Sessions(ctx context.Context, tx *db.Tx, staff string, now time.Time) ([]Session, error) {
	out := []Session{}
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		s, err := scanSession(row)
		out = append(out, s)
		return err
	}, listSessions, staff, now.UnixMicro(), now.Add(-Idle).UnixMicro())
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	return out, nil
}

// EndOne ends one session of somebody by its id.
func EndOne(ctx context.Context, tx *db.Tx, staff, session string) error {
	if _, err := tx.Exec(ctx, dropOne, staff, session); err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}

// EndOthers ends all sessions of somebody but one, as after a change of password.
func EndOthers(ctx context.Context, tx *db.Tx, staff, keep string) error {
	if _, err := tx.Exec(ctx, dropOthers, staff, keep); err != nil {
		return fmt.Errorf("end sessions: %w", err)
	}
	return nil
}

const (
	programsOf = `
SELECT r.program_id, r.role FROM staff_roles r JOIN programs p ON p.program_id = r.program_id WHERE r.staff_id = $1 ORDER BY r.program_id`
	moveSession = `UPDATE staff_sessions SET program_id = $1 WHERE session_id = $2`
)

// Place is a program that somebody has a role in.
type Place struct {
	Program string
	Role    Role
}

// Places gives the programs that somebody has a role in.
func Places(ctx context.Context, tx *db.Tx, staff string) ([]Place, error) {
	out := []Place{}
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		var p Place
		err := row.Scan(&p.Program, &p.Role)
		out = append(out, p)
		return err
	}, programsOf, staff)
	if err != nil {
		return nil, fmt.Errorf("list programs of staff: %w", err)
	}
	return out, nil
}

// Move shows the pages of another program from now on; one without a role in it is not found.
func Move(ctx context.Context, tx *db.Tx, s Session, program string) error {
	places, err := Places(ctx, tx, s.Staff)
	if err != nil {
		return err
	}
	for _, p := range places {
		if p.Program == program {
			_, err := tx.Exec(ctx, moveSession, program, s.ID)
			if err != nil {
				return fmt.Errorf("move session: %w", err)
			}
			return nil
		}
	}
	return errs.NotFound("program_not_found", "There is no such program here.")
}
