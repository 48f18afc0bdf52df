package export

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/version"
)

// An export is that of a database on one machine, wherever it was made. So what a distributed database writes otherwise is written back:
// facts get their places in the line as stamps, answers go to the bucket of their key, and claims whose facts are not there are left out.
// Machines have no common snapshot, so nothing may write meanwhile; what shows that something did ends the export.

// gathering turns rows of a distributed database into those of one machine.
type gathering struct {
	places func() (books.Places, error, bool)
	stop   func()
	at     books.Places
	open   map[string]map[books.NaturalKey]bool
	most   int64
	before int64
}

// gather prepares an export. A database on one machine needs none, and gets nil.
func gather(ctx context.Context, d *db.DB) (*gathering, error) {
	if !d.Distributed() {
		return nil, nil //nolint:nilnil // there is nothing to turn
	}
	g := &gathering{open: map[string]map[books.NaturalKey]bool{}}
	var programs []version.Program
	err := d.Read(ctx, func(tx *db.Tx) (err error) {
		g.before, g.most = tx.Before(), tx.Before()
		programs, err = version.Programs(ctx, tx)
		return err
	})
	for _, p := range programs {
		if err == nil {
			err = d.Write(ctx, func(tx *db.Tx) error {
				_, err := books.LineUp(ctx, tx, p.ID)
				return err
			})
		}
		if err == nil {
			err = d.Read(ctx, func(tx *db.Tx) (err error) {
				g.open[p.ID], err = books.OpenClaims(ctx, tx, p.ID)
				return err
			})
		}
	}
	if err != nil {
		return nil, err
	}
	g.places, g.stop = iter.Pull2(allPlaces(ctx, d))
	return g, nil
}

// end lets go of the line.
func (g *gathering) end() {
	if g != nil {
		g.stop()
	}
}

// allPlaces reads the line bucket by bucket, in a transaction of its own beside that of the export.
func allPlaces(ctx context.Context, d *db.DB) iter.Seq2[books.Places, error] {
	return func(yield func(books.Places, error) bool) {
		stopped := errors.New("nobody wants more")
		tries := 0
		err := d.Read(ctx, func(tx *db.Tx) error {
			if tries++; tries > 1 {
				return errs.Unavailable("lost", "The database was lost during the export: begin again.")
			}
			return books.EachPlaces(ctx, tx, func(p books.Places) error {
				if !yield(p, nil) {
					return stopped
				}
				return nil
			})
		})
		if err != nil && !errors.Is(err, stopped) {
			yield(books.Places{}, err)
		}
	}
}

// turn makes a row that of a database on one machine, and says whether it goes along.
func (g *gathering) turn(table string, columns []string, row []any) (bool, error) {
	if g == nil {
		return true, nil
	}
	value := func(column string) *any { return &row[slices.Index(columns, column)] }
	text := func(column string) string {
		switch v := (*value(column)).(type) {
		case []byte:
			return string(v)
		case string:
			return v
		}
		return ""
	}
	switch table {
	case "facts":
		stamp, bucket := value("stamp"), (*value("bucket")).(int64)
		if (*stamp).(int64) <= g.before {
			return true, nil
		}
		place, err := g.place(int32(bucket), text("program_id"), (*stamp).(int64))
		if err != nil {
			return false, err
		}
		*stamp, g.most = place, max(g.most, place)
	case "receipts":
		key := books.NaturalKey{Program: text("program_id"), Source: text("source"), ExternalID: text("external_id")}
		return !g.open[key.Program][key], nil
	case "idempotency":
		if (*value("status")).(int64) == 0 {
			return false, nil
		}
		*value("bucket") = int64(books.AnswerKey{Program: text("program_id"), Client: text("client"), Key: text("key")}.Bucket())
	}
	return true, nil
}

// place finds where a stamp of a bucket stands. Facts come in the order of their buckets and programs, and so does the line.
func (g *gathering) place(bucket int32, program string, stamp int64) (int64, error) {
	for g.at.Bucket < bucket || g.at.Bucket == bucket && g.at.Program != program {
		next, err, ok := g.places()
		if err != nil {
			return 0, err
		}
		if !ok {
			break
		}
		g.at = next
	}
	if g.at.Bucket == bucket && g.at.Program == program {
		if place, ok := g.at.Of(stamp); ok {
			return place, nil
		}
	}
	return 0, errs.Conflict("in_use", fmt.Sprintf("Something was recorded for %s while it was exported: a distributed database has no snapshot over its machines. Stop every lojal, then export again.", program))
}
