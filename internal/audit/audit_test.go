package audit

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/errs"
)

func TestEntriesAreListedNewestFirstInPages(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, at := context.Background(), time.Date(2026, 3, 14, 11, 0, 0, 0, time.UTC)
		var want []Entry
		err := d.Write(ctx, func(tx *db.Tx) error {
			want = nil
			for k, action := range []string{"program.published", "key.created", "key.revoked"} {
				e, err := Append(ctx, tx, Entry{
					Program: "kaffe", At: at.Add(time.Duration(k) * time.Second), Actor: "cli", Action: action, Target: "t",
					Detail: map[string]any{"n": float64(k), "name": "Åse"},
				})
				if err != nil {
					return err
				}
				want = append([]Entry{e}, want...)
			}
			_, err := Append(ctx, tx, Entry{Program: "te", At: at, Actor: "cli", Action: "key.created"})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		list := func(q Query) (got []Entry, next string, err error) {
			err = d.Read(ctx, func(tx *db.Tx) error {
				got, next, err = List(ctx, tx, "kaffe", q)
				return err
			})
			return got, next, err
		}
		for _, c := range []struct {
			since, until time.Time
			want         int
		}{{at.Add(time.Second), time.Time{}, 2}, {time.Time{}, at.Add(time.Second), 1}, {at.Add(time.Second), at.Add(2 * time.Second), 1}, {at.Add(3 * time.Second), time.Time{}, 0}} {
			if got, _, err := list(Query{Since: c.since, Until: c.until}); err != nil || len(got) != c.want {
				t.Errorf("%v to %v: %d, %v", c.since, c.until, len(got), err)
			}
		}
		first, next, err := list(Query{Limit: 2})
		if err != nil || next == "" {
			t.Fatal(next, err)
		}
		rest, end, err := list(Query{Limit: 2, Before: next})
		if err != nil || end != "" {
			t.Fatal(end, err)
		}
		if d := cmp.Diff(want, append(first, rest...)); d != "" {
			t.Error(d)
		}
		if got, _, err := list(Query{Action: "key.created", Actor: "cli", Target: "t"}); err != nil || len(got) != 1 {
			t.Errorf("%v %v", got, err)
		}
		if _, _, err := list(Query{Before: "7"}); !errs.Is(err, errs.CodeMalformed, "invalid_cursor") {
			t.Error(err)
		}
	})
}
