package signin

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/member"
)

// How long a session lasts: Idle without a page, Whole in all. A phone in a pocket is not asked again and again.
const (
	Idle  = 60 * 24 * time.Hour
	Whole = 365 * 24 * time.Hour
	// seenEvery is how exactly it is known when a session was used last.
	seenEvery = time.Hour
)

// tokenPrefix begins what the browser has.
const tokenPrefix = "lj_member_"

// Means are the ways in.
const (
	ByCode = "code"
	ByPass = "pass"
)

// Session is a member signed in somewhere.
type Session struct {
	ID, Program, Member, Means, Agent string
	// CreatedAt, SeenAt and ExpiresAt are in UTC.
	CreatedAt, SeenAt, ExpiresAt time.Time

	hash string
}

const insertSession = `
INSERT INTO member_sessions (bucket, program_id, hash, session_id, member_id, means, agent, created_at, seen_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9)`

// Begin makes a session of a member who has shown who they are, in place of an earlier one of this browser, and gives its token.
func Begin(ctx context.Context, tx *db.Tx, program, memberID, means, instead, agent string, now time.Time) (token string, err error) {
	if err := End(ctx, tx, program, instead); err != nil {
		return "", err
	}
	token = ids.Secret(tokenPrefix)
	hash := ids.HashSecret(token)
	_, err = tx.Exec(ctx, insertSession, ids.Bucket(program, hash), program, hash, ids.New("mss", now), memberID, means, agent, now.UnixMicro(), now.Add(Whole).UnixMicro())
	if err != nil {
		return "", fmt.Errorf("begin session: %w", err)
	}
	return token, nil
}

const (
	columns    = `hash, session_id, program_id, member_id, means, agent, created_at, seen_at, expires_at`
	getSession = `SELECT ` + columns + ` FROM member_sessions WHERE bucket = $1 AND program_id = $2 AND hash = $3`
	follow     = `UPDATE member_sessions SET member_id = $1 WHERE bucket = $2 AND program_id = $3 AND hash = $4`
	see        = `UPDATE member_sessions SET seen_at = $1 WHERE bucket = $2 AND program_id = $3 AND hash = $4 AND seen_at < $1`
	end        = `DELETE FROM member_sessions WHERE bucket = $1 AND program_id = $2 AND hash = $3`
)

func scan(row db.Scanner) (Session, error) {
	var s Session
	var created, seen, expires int64
	if err := row.Scan(&s.hash, &s.ID, &s.Program, &s.Member, &s.Means, &s.Agent, &created, &seen, &expires); err != nil {
		return Session{}, err //nolint:wrapcheck // the callers say what was read
	}
	s.CreatedAt, s.SeenAt, s.ExpiresAt = time.UnixMicro(created).UTC(), time.UnixMicro(seen).UTC(), time.UnixMicro(expires).UTC()
	return s, nil
}

func (s Session) alive(now time.Time) bool { return s.ExpiresAt.After(now) && now.Sub(s.SeenAt) < Idle }

// errSignedOut is what every session that is none is told.
func errSignedOut() error { return errs.Unauthenticated("signed_out", "Sign in first.") }

// Find gives the session of a token in a program, of the member who took over where the one who signed in was merged, and that member.
func Find(ctx context.Context, tx *db.Tx, program, token string, now time.Time) (Session, member.Member, error) {
	if ids.CheckSecret(tokenPrefix, token) != nil {
		return Session{}, member.Member{}, errSignedOut()
	}
	hash := ids.HashSecret(token)
	s, err := scan(tx.QueryRow(ctx, getSession, ids.Bucket(program, hash), program, hash))
	if errors.Is(err, sql.ErrNoRows) {
		return Session{}, member.Member{}, errSignedOut()
	}
	if err != nil {
		return Session{}, member.Member{}, fmt.Errorf("find session: %w", err)
	}
	if !s.alive(now) {
		return Session{}, member.Member{}, errSignedOut()
	}
	m, err := member.Get(ctx, tx, program, s.Member)
	for hops := 0; err == nil && m.MergedInto != "" && hops < 20; hops++ {
		m, err = member.Get(ctx, tx, program, m.MergedInto)
	}
	if errs.CodeOf(err) == errs.CodeNotFound {
		return Session{}, member.Member{}, errSignedOut()
	}
	return s, m, err
}

// Stale says whether there is something to note of the session: that it is used, or that it is another member's now.
func (s Session) Stale(memberID string, now time.Time) bool {
	return now.Sub(s.SeenAt) >= seenEvery || s.Member != memberID
}

// See notes that the session is used, and whose it is.
func See(ctx context.Context, tx *db.Tx, s Session, memberID string, now time.Time) error {
	bucket := ids.Bucket(s.Program, s.hash)
	if _, err := tx.Exec(ctx, see, now.UnixMicro(), bucket, s.Program, s.hash); err != nil {
		return fmt.Errorf("see session: %w", err)
	}
	if memberID != s.Member {
		if _, err := tx.Exec(ctx, follow, memberID, bucket, s.Program, s.hash); err != nil {
			return fmt.Errorf("follow a merged member: %w", err)
		}
	}
	return nil
}

// End ends the session of a token; one that is none is no failure.
func End(ctx context.Context, tx *db.Tx, program, token string) error {
	if token == "" {
		return nil
	}
	hash := ids.HashSecret(token)
	if _, err := tx.Exec(ctx, end, ids.Bucket(program, hash), program, hash); err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}

const listSessions = `SELECT ` + columns + ` FROM member_sessions WHERE program_id = $1 AND member_id = $2 ORDER BY seen_at DESC, session_id`

// Sessions gives where a member is signed in, the one used last first: also as members who were merged into this one.
func Sessions(ctx context.Context, tx *db.Tx, program, memberID string, now time.Time) ([]Session, error) {
	merged, err := member.MergedInto(ctx, tx, program, memberID)
	if err != nil {
		return nil, err
	}
	out := []Session{}
	for _, id := range append([]string{memberID}, merged...) {
		err := db.Collect(ctx, tx, func(row db.Scanner) error {
			s, err := scan(row)
			if err == nil && s.alive(now) {
				out = append(out, s)
			}
			return err
		}, listSessions, program, id)
		if err != nil {
			return nil, fmt.Errorf("list sessions: %w", err)
		}
	}
	return out, nil
}

// EndOne ends one of a member's sessions by its id, EndOthers all but that one.
func EndOne(ctx context.Context, tx *db.Tx, program, memberID, session string, now time.Time) error {
	return endThose(ctx, tx, program, memberID, now, func(s Session) bool { return s.ID == session })
}

// EndOthers ends all sessions of a member but one.
func EndOthers(ctx context.Context, tx *db.Tx, program, memberID, keep string, now time.Time) error {
	return endThose(ctx, tx, program, memberID, now, func(s Session) bool { return s.ID != keep })
}

func endThose(ctx context.Context, tx *db.Tx, program, memberID string, now time.Time, which func(Session) bool) error {
	list, err := Sessions(ctx, tx, program, memberID, now)
	if err != nil {
		return err
	}
	for _, s := range list {
		if !which(s) {
			continue
		}
		if _, err := tx.Exec(ctx, end, ids.Bucket(s.Program, s.hash), s.Program, s.hash); err != nil {
			return fmt.Errorf("end session: %w", err)
		}
	}
	return nil
}
