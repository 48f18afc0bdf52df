package books

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
)

// Placed is a member in a leaderboard.
type Placed struct {
	Member string
	// Shown is the name that the member chose.
	Shown string
	Value int64
}

// Standing is where somebody is in a leaderboard.
type Standing struct {
	// Value is what they counted, Above how many counted more, Of how many are in it.
	Value, Above, Of int64
	// Next is what the one before them counted; 0 for who is first.
	Next int64
}

const (
	standing = `SELECT value FROM tallies WHERE bucket = $1 AND program_id = $2 AND member_id = $3 AND name = $4 AND period = $5 AND value > 0`

	// The condition on substr is that of the index, word by word.
	around = `
SELECT COALESCE(SUM(CASE WHEN t.value > $4 THEN 1 ELSE 0 END), 0), COUNT(*), COALESCE(MIN(CASE WHEN t.value > $4 THEN t.value END), 0)
FROM tallies t
WHERE t.program_id = $1 AND t.name = $2 AND t.period = $3 AND substr(t.name, 1, 6) = 'board:' AND t.value > 0`
)

// StandingOf gives a member's place in a leaderboard in one of its windows; false where the member is not in it.
func StandingOf(ctx context.Context, tx *db.Tx, ref Ref, name, period string) (Standing, bool, error) {
	var s Standing
	err := tx.QueryRow(ctx, standing, ref.Bucket(), ref.Program, ref.Member, name, period).Scan(&s.Value)
	if errors.Is(err, sql.ErrNoRows) {
		return s, false, nil
	}
	if err == nil {
		err = tx.QueryRow(ctx, around, ref.Program, name, period, s.Value).Scan(&s.Above, &s.Of, &s.Next)
	}
	if err != nil {
		return s, false, fmt.Errorf("read a place in a leaderboard: %w", err)
	}
	return s, true, nil
}

// The condition on substr is that of the index, word by word.
const board = `
SELECT t.member_id, t.value, a.state
FROM tallies t JOIN accounts a ON a.bucket = t.bucket AND a.program_id = t.program_id AND a.member_id = t.member_id
WHERE t.program_id = $1 AND t.name = $2 AND t.period = $3 AND substr(t.name, 1, 6) = 'board:' AND t.value > 0
	AND (t.value < $4 OR t.value = $4 AND t.member_id > $5)
ORDER BY t.value DESC, t.member_id
LIMIT $6`

// Board gives members of a challenge's leaderboard in one of its windows, those with most first, after a value and a member (maximum and
// "" for the beginning). It is what the counters say at this moment: nothing is kept besides.
func Board(ctx context.Context, tx *db.Tx, program, name, challenge, period string, value int64, member string, limit int) ([]Placed, error) {
	rows, err := tx.Query(ctx, board, program, name, period, value, member, limit)
	if err != nil {
		return nil, fmt.Errorf("read a leaderboard: %w", err)
	}
	defer rows.Close()
	out := []Placed{}
	for rows.Next() {
		var p Placed
		var text string
		var st engine.State
		if err := rows.Scan(&p.Member, &p.Value, &text); err != nil {
			return nil, fmt.Errorf("read a leaderboard: %w", err)
		}
		if err := decodeState(text, &st); err != nil {
			return nil, fmt.Errorf("read the account of %s: %w", p.Member, err)
		}
		if cs := st.Challenges[challenge]; cs != nil {
			p.Shown = cs.Shown
		}
		out = append(out, p)
	}
	return out, rows.Err()
}
