package insight_test

import (
	"testing"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
)

// BenchmarkFigures reads the figures of the whole demo: 500 members, two years.
func BenchmarkFigures(b *testing.B) {
	for _, dialect := range []db.Dialect{db.SQLite, db.Postgres} {
		b.Run(string(dialect), func(b *testing.B) {
			h := open(b, dbtest.Open(b, dialect), 0, 0)
			dbtest.Settle(b, h.d)
			h.fold()
			for _, word := range []string{"28d", "year"} {
				b.Run(word, func(b *testing.B) {
					for b.Loop() {
						h.report(word)
					}
				})
			}
		})
	}
}
