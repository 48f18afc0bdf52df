package books

import (
	"context"
	"fmt"
	"time"

	"lojal.dev/lojal/internal/db"
)

const recognitions = `
SELECT ` + factColumns + `
FROM facts f
WHERE f.program_id = $1 AND f.kind = 'recognition' AND f.parent = '' AND (f.recorded_at, f.id) < ($2, $3)
ORDER BY f.recorded_at DESC, f.id DESC LIMIT $4`

// Recognitions gives the thanks of all members, the newest first, after one by its time and id; the zero time is the beginning.
func Recognitions(ctx context.Context, tx *db.Tx, program string, after time.Time, id string, limit int) ([]Entry, error) {
	from := after.UnixMicro()
	if id == "" {
		from = 1<<63 - 1
	}
	var out []Entry
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		e, _, err := scanFact(row)
		out = append(out, e)
		return err
	}, recognitions, program, from, id, limit)
	if err != nil {
		return nil, fmt.Errorf("read the recognition in %s: %w", program, err)
	}
	return out, nil
}
