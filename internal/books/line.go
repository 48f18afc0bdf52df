package books

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/ids"
)

// The order of the feed, where a database is distributed. Its servers number their transactions each for itself, so nothing that
// a server knows says what may still commit elsewhere. Instead, each bucket counts: a transaction that adds facts raises the
// count of its bucket, and holds that row until it ends. So in one bucket the stamps are 1, 2, 3 … in the order of the commits,
// without gaps. To make one order of all buckets, LineUp reads the counts, which are all committed, and writes down
// which stamps of which bucket come next. Places in the line are given under one lock and never change, so a reader who went as far
// as a place has missed nothing before it: what commits late stands further on.
//
// What it costs: a line of a few numbers for each bucket and round, whatever the number of facts, and one reader at a time
// who waits for a look into all buckets. Neighbours in the line may be as far apart in time as two rounds, since a round takes bucket
// after bucket: so somebody lines up now and then even while nobody reads.

var (
	raiseCounts = db.NewInsert("event_counts", []string{"bucket integer", "program_id text", "stamp bigint"}, `
ON CONFLICT (bucket, program_id) DO UPDATE SET stamp = event_counts.stamp + 1
RETURNING bucket, program_id, stamp`)

	addLine = db.NewInsert("event_line", []string{"bucket integer", "program_id text", "stamp bigint", "of_bucket integer", "first bigint", "last bigint"}, "")

	setPlaces = db.NewInsert("event_places", []string{"bucket integer", "program_id text", "of_bucket integer", "stamp bigint"},
		`ON CONFLICT (bucket, program_id, of_bucket) DO UPDATE SET stamp = excluded.stamp`)
)

// shelf is a program's part of a bucket.
type shelf struct {
	bucket  int32
	program string
}

// stampsOf gives the stamps for the new facts of the folios, where the database is distributed. The folios are sorted, so that
// two transactions never wait for each other.
func stampsOf(ctx context.Context, tx *db.Tx, folios []*Folio) (map[shelf]int64, error) {
	if !tx.Distributed() {
		return map[shelf]int64{}, nil
	}
	out := map[shelf]int64{}
	var args []any
	for _, f := range folios {
		at := shelf{f.bucket, f.Program}
		if _, asked := out[at]; asked || len(f.entries) == 0 {
			continue
		}
		out[at] = 0
		args = append(args, f.bucket, f.Program, tx.Before()+1)
	}
	err := tx.Insert(ctx, raiseCounts, args, func(row db.Scanner) error {
		var at shelf
		var stamp int64
		err := row.Scan(&at.bucket, &at.program, &stamp)
		out[at] = stamp
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("stamp facts: %w", err)
	}
	return out, nil
}

// lineBucket is where a program's line is.
func lineBucket(program string) int32 { return ids.Bucket(program, "") }

// endOfLine is Here for a distributed database: what has no place yet comes later.
func endOfLine(ctx context.Context, tx *db.Tx, program string) (Cursor, error) {
	if _, err := LineUp(ctx, tx, program); err != nil {
		return Cursor{}, err
	}
	end := Cursor{N: wholeStamp}
	if err := tx.QueryRow(ctx, lockLine, lineBucket(program), program, tx.Before()).Scan(&end.Stamp); err != nil {
		return Cursor{}, fmt.Errorf("find the end of the line of events: %w", err)
	}
	return end, nil
}

const (
	lockLine = `
INSERT INTO event_places (bucket, program_id, of_bucket, stamp) VALUES ($1, $2, -1, $3)
ON CONFLICT (bucket, program_id, of_bucket) DO UPDATE SET stamp = event_places.stamp
RETURNING stamp`

	linePlaces = `SELECT of_bucket, stamp FROM event_places WHERE bucket = $1 AND program_id = $2 AND of_bucket >= 0`

	lineCounts = `SELECT bucket, stamp FROM event_counts WHERE program_id = $1 ORDER BY bucket`
)

// LineUp puts the facts of a distributed database that are committed and have no place yet into the line, and says how many
// stamps it placed. Elsewhere it does nothing. Any number of nodes may do it at once. A reader of the feed has it done first.
func LineUp(ctx context.Context, tx *db.Tx, program string) (int64, error) {
	if !tx.Distributed() {
		return 0, nil
	}
	bucket := lineBucket(program)
	wrong := func(err error) (int64, error) { return 0, fmt.Errorf("put facts in line: %w", err) }
	var end int64
	if err := tx.QueryRow(ctx, lockLine, bucket, program, tx.Before()).Scan(&end); err != nil {
		return wrong(err)
	}
	start := end
	places := map[int32]int64{}
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		var of int32
		var stamp int64
		err := row.Scan(&of, &stamp)
		places[of] = stamp
		return err
	}, linePlaces, bucket, program)
	if err != nil {
		return wrong(err)
	}
	var line, moved []any
	err = db.Collect(ctx, tx, func(row db.Scanner) error {
		var of int32
		var last int64
		if err := row.Scan(&of, &last); err != nil {
			return err
		}
		first := tx.Before() + 1
		if at, ok := places[of]; ok {
			first = at + 1
		}
		if last >= first {
			line = append(line, bucket, program, end+1, of, first, last)
			moved = append(moved, bucket, program, of, last)
			end += last - first + 1
		}
		return nil
	}, lineCounts, program)
	if err != nil {
		return wrong(err)
	}
	if len(line) == 0 {
		return 0, nil
	}
	moved = append(moved, bucket, program, -1, end)
	tx.InsertLater(addLine, line)
	tx.InsertLater(setPlaces, moved)
	return end - start, nil
}

// The row in which a place lies, and those after it.
const lineFrom = `
SELECT stamp, of_bucket, first, last FROM event_line
WHERE bucket = $1 AND program_id = $2 AND stamp >= (
	SELECT COALESCE(MAX(stamp), 0) FROM event_line WHERE bucket = $1 AND program_id = $2 AND stamp <= $3)
ORDER BY stamp LIMIT $4`

var lineFacts = db.NewLookup([]string{"bucket integer", "program_id text", "first bigint", "last bigint"}, `
SELECT f.bucket, f.stamp, f.n, f.id, f.member_id, f.occurred_at, f.recorded_at, f.events, CASE WHEN f.events = '' THEN f.decision ELSE '' END
FROM want CROSS JOIN facts f
WHERE f.bucket = want.bucket AND f.program_id = want.program_id AND f.stamp >= want.first AND f.stamp <= want.last`)

// stretch is a row of the line, or a part of one.
type stretch struct {
	stamp       int64
	of          int32
	first, last int64
}

// line reads rows of a program's line from the one on that has the place.
func line(ctx context.Context, tx *db.Tx, program string, place int64) ([]stretch, error) {
	var out []stretch
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		var s stretch
		err := row.Scan(&s.stamp, &s.of, &s.first, &s.last)
		out = append(out, s)
		return err
	}, lineFrom, lineBucket(program), program, place, lineLimit)
	if err != nil {
		return nil, fmt.Errorf("read the line of events: %w", err)
	}
	return out, nil
}

// lineLimit bounds the rows of the line, and the stamps in them, that are read at once.
const lineLimit = 200

// eventsInLine is Events for a distributed database. What is older than that is in the order it had.
func eventsInLine(ctx context.Context, tx *db.Tx, program string, after Cursor, limit int) ([]Event, error) {
	var out []Event
	if after.Stamp <= tx.Before() {
		var err error
		if out, err = eventsBelow(ctx, tx, program, after, tx.Before()+1, limit); err != nil || len(out) == limit {
			return out, err
		}
		after = Cursor{Stamp: tx.Before() + 1}
	}
	for from := after.Stamp; len(out) < limit; {
		rows, err := line(ctx, tx, program, from)
		if err != nil {
			return nil, err
		}
		part := cut(rows, from, lineLimit)
		if len(part) == 0 {
			break
		}
		found, err := eventsOf(ctx, tx, program, part)
		if err != nil {
			return nil, err
		}
		for _, e := range found {
			behind := e.Stamp > after.Stamp || e.Stamp == after.Stamp && e.N > after.N
			if behind && len(out) < limit {
				out = append(out, e)
			}
		}
		end := part[len(part)-1]
		from = end.stamp + end.last - end.first + 1
	}
	return out, nil
}

// cut takes from rows of the line what lies at the place or after it, up to most stamps.
func cut(rows []stretch, place, most int64) (part []stretch) {
	for _, s := range rows {
		first := s.first + max(0, place-s.stamp)
		last := min(s.last, first+most-1)
		if first > last {
			continue
		}
		part = append(part, stretch{stamp: s.stamp + first - s.first, of: s.of, first: first, last: last})
		if most -= last - first + 1; most == 0 {
			break
		}
	}
	return part
}

// eventsOf reads the events of rows of the line, in their order, with their places as stamps.
func eventsOf(ctx context.Context, tx *db.Tx, program string, part []stretch) ([]Event, error) {
	args := make([]any, 0, 4*len(part))
	for _, s := range part {
		args = append(args, s.of, program, s.first, s.last)
	}
	var out []Event
	err := among(ctx, tx, lineFacts, args, func(row db.Scanner) error {
		var of int32
		list, err := scanEvents(behind{row, &of}, &Cursor{})
		for _, e := range list {
			at := slices.IndexFunc(part, func(s stretch) bool { return s.of == of && s.first <= e.Stamp && e.Stamp <= s.last })
			e.Stamp += part[at].stamp - part[at].first
			out = append(out, e)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	slices.SortFunc(out, func(a, b Event) int { return cmp.Or(cmp.Compare(a.Stamp, b.Stamp), cmp.Compare(a.N, b.N)) })
	return out, nil
}

// behind reads a row whose first column is told apart.
type behind struct {
	db.Scanner
	first *int32
}

// Scan reads the first column and then those asked for.
func (b behind) Scan(dest ...any) error { return b.Scanner.Scan(append([]any{b.first}, dest...)...) }

const (
	allCounts = `SELECT bucket, program_id, stamp FROM event_counts`
	allPlaces = `SELECT of_bucket, program_id, stamp FROM event_places WHERE of_bucket >= 0`
)

var recordedAt = db.NewLookup([]string{"bucket integer", "program_id text", "stamp bigint"}, `
SELECT f.recorded_at FROM want CROSS JOIN facts f
WHERE f.bucket = want.bucket AND f.program_id = want.program_id AND f.stamp = want.stamp`)

// mostUnlined bounds the buckets that are looked into, so that it stays cheap after a long stop.
const mostUnlined = 200

// firstUnlined gives when the oldest of the facts was recorded that have no place in the line, nil for none.
func firstUnlined(ctx context.Context, tx *db.Tx) (*int64, error) {
	counts, places := map[shelf]int64{}, map[shelf]int64{}
	for query, into := range map[string]map[shelf]int64{allCounts: counts, allPlaces: places} {
		err := db.Collect(ctx, tx, func(row db.Scanner) error {
			var at shelf
			var stamp int64
			err := row.Scan(&at.bucket, &at.program, &stamp)
			into[at] = stamp
			return err
		}, query)
		if err != nil {
			return nil, fmt.Errorf("compare counts with the line of events: %w", err)
		}
	}
	var args []any
	for at, last := range counts {
		if place := max(places[at], tx.Before()); place < last && len(args) < 3*mostUnlined {
			args = append(args, at.bucket, at.program, place+1)
		}
	}
	var oldest *int64
	err := among(ctx, tx, recordedAt, args, func(row db.Scanner) error {
		var at int64
		if err := row.Scan(&at); err != nil {
			return err
		}
		if oldest == nil || at < *oldest {
			oldest = &at
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for facts without a place: %w", err)
	}
	return oldest, nil
}

// Places are those of a program's stamps in a bucket.
type Places struct {
	Bucket  int32
	Program string
	ranges  []stretch // by their first stamp
}

// Of gives the place of a stamp, unless it has none.
func (p *Places) Of(stamp int64) (int64, bool) {
	at, found := slices.BinarySearchFunc(p.ranges, stamp, func(s stretch, stamp int64) int { return cmp.Compare(s.first, stamp) })
	if !found {
		at--
	}
	if at < 0 || stamp > p.ranges[at].last {
		return 0, false
	}
	return p.ranges[at].stamp + stamp - p.ranges[at].first, true
}

const wholeLine = `
SELECT of_bucket, program_id, first, last, stamp FROM event_line ORDER BY of_bucket, program_id, first`

// EachPlaces calls visit for each bucket and program of a distributed database, in this order, with the places of its stamps.
func EachPlaces(ctx context.Context, tx *db.Tx, visit func(Places) error) error {
	at := Places{Bucket: -1}
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		var s stretch
		var program string
		if err := row.Scan(&s.of, &program, &s.first, &s.last, &s.stamp); err != nil {
			return err
		}
		if s.of != at.Bucket || program != at.Program {
			if at.Bucket >= 0 {
				if err := visit(at); err != nil {
					return err
				}
			}
			at = Places{Bucket: s.of, Program: program}
		}
		at.ranges = append(at.ranges, s)
		return nil
	}, wholeLine)
	if err == nil && at.Bucket >= 0 {
		err = visit(at)
	}
	if err != nil {
		return fmt.Errorf("read the line of events: %w", err)
	}
	return nil
}
