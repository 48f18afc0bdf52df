package books

import (
	"context"
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
