package seal

import (
	"context"
	"time"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/version"
)

// Lag says how long the oldest fact of all programs has stood in the books without a seal, 0 when everything is sealed.
func Lag(ctx context.Context, tx *db.Tx, now time.Time) (time.Duration, error) {
	programs, err := version.Programs(ctx, tx)
	if err != nil {
		return 0, err
	}
	var out time.Duration
	for _, p := range programs {
		last, err := lastOr(ctx, tx, p.ID)
		if err != nil {
			return 0, err
		}
		at, some, err := books.RecordedAfter(ctx, tx, p.ID, last.until)
		if err != nil {
			return 0, err
		}
		if some {
			out = max(out, now.Sub(at))
		}
	}
	return out, nil
}
