package books

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/ledger"
	"lojal.dev/lojal/internal/money"
)

func noFact() error { return errs.NotFound("fact_not_found", "There is no such fact.") }

// Find gives one fact by its id, with all the facts about it in the books of its own member. Not found when there is none.
func Find(ctx context.Context, tx *db.Tx, program, id string) (Entry, []Entry, error) {
	bucket, ok := ids.BucketOf(id)
	if !ok {
		return Entry{}, nil, noFact()
	}
	var found []Entry
	take := func(row db.Scanner) error {
		e, _, err := scanFact(row)
		found = append(found, e)
		return err
	}
	if err := among(ctx, tx, factsByID, []any{bucket, program, id}, take); err != nil {
		return Entry{}, nil, fmt.Errorf("find fact %s: %w", id, err)
	}
	if len(found) == 0 {
		return Entry{}, nil, noFact()
	}
	member := found[0].Fact.Member
	if err := among(ctx, tx, factsByParent, []any{bucket, program, member, id}, take); err != nil {
		return Entry{}, nil, fmt.Errorf("find the facts about %s: %w", id, err)
	}
	return found[0], found[1:], nil
}

// FindByKey is Find by the natural key.
func FindByKey(ctx context.Context, tx *db.Tx, key NaturalKey) (Entry, []Entry, error) {
	receipts, err := Receipts(ctx, tx, []NaturalKey{key})
	if err != nil {
		return Entry{}, nil, err
	}
	r, ok := receipts[key]
	if !ok {
		return Entry{}, nil, noFact()
	}
	return Find(ctx, tx, key.Program, r.Fact)
}

// FactOf names a fact of a program.
type FactOf struct{ Program, ID string }

var factOwners = db.NewLookup(wantID, `
SELECT f.program_id, f.id, f.member_id
FROM want CROSS JOIN facts f
WHERE f.bucket = want.bucket AND f.program_id = want.program_id AND f.id = want.id`)

// Owners gives the members whose books the facts, or redemptions, stand in.
func Owners(ctx context.Context, tx *db.Tx, facts []FactOf) (map[FactOf]string, error) {
	var args []any
	for _, f := range facts {
		if bucket, ok := ids.BucketOf(f.ID); ok {
			args = append(args, bucket, f.Program, f.ID)
		}
	}
	out := map[FactOf]string{}
	for _, query := range []*db.Lookup{factOwners, redemptionOwners} { // a redemption that a purchase made is no fact of its own
		err := among(ctx, tx, query, args, func(row db.Scanner) error {
			var f FactOf
			var member string
			err := row.Scan(&f.Program, &f.ID, &member)
			out[f] = member
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("look for the owners of facts: %w", err)
		}
	}
	return out, nil
}

// About gives the facts about a fact that stand in the books of the members.
func About(ctx context.Context, tx *db.Tx, members []Ref, id string) ([]Entry, error) {
	found, err := AboutAll(ctx, tx, map[string][]Ref{id: members})
	return found[id], err
}

// AboutAll is About of many facts in one read: for each the members in whose books it is looked. What was found comes in the order of the members, and
// of their books.
func AboutAll(ctx context.Context, tx *db.Tx, wanted map[string][]Ref) (map[string][]Entry, error) {
	var args []any
	for _, id := range slices.Sorted(maps.Keys(wanted)) {
		for _, m := range wanted[id] {
			args = append(args, m.Bucket(), m.Program, m.Member, id)
		}
	}
	out := make(map[string][]Entry, len(wanted))
	err := among(ctx, tx, factsByParent, args, func(row db.Scanner) error {
		e, _, err := scanFact(row)
		out[e.Fact.Parent] = append(out[e.Fact.Parent], e)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the facts about %d others: %w", len(wanted), err)
	}
	for id, found := range out {
		place := func(e Entry) int {
			return slices.IndexFunc(wanted[id], func(m Ref) bool { return m.Member == e.Fact.Member })
		}
		slices.SortStableFunc(found, func(a, b Entry) int {
			return cmp.Or(cmp.Compare(place(a), place(b)), cmp.Compare(a.Seq, b.Seq))
		})
	}
	return out, nil
}

var redemptionOwners = db.NewLookup(wantID, `
SELECT r.program_id, r.id, r.member_id
FROM want CROSS JOIN redemptions r
WHERE r.bucket = want.bucket AND r.program_id = want.program_id AND r.id = want.id`)

// Entries gives facts by id, for those that are there.
func Entries(ctx context.Context, tx *db.Tx, facts []FactOf) (map[FactOf]Entry, error) {
	var args []any
	for _, f := range facts {
		if bucket, ok := ids.BucketOf(f.ID); ok {
			args = append(args, bucket, f.Program, f.ID)
		}
	}
	out := map[FactOf]Entry{}
	err := among(ctx, tx, factsByID, args, func(row db.Scanner) error {
		e, program, err := scanFact(row)
		out[FactOf{program, e.Fact.ID}] = e
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read facts: %w", err)
	}
	return out, nil
}

// Page asks for a part of a member's facts, the newest first.
type Page struct {
	// Kinds keeps to these kinds; empty is all.
	Kinds []engine.Kind
	// Before keeps to facts with a lower number; 0 is all.
	Before int64
	// Limit is at least 1.
	Limit int
}

// Facts gives a page of a member's facts, the newest first. The last one's Seq is the next page's Before.
func Facts(ctx context.Context, tx *db.Tx, ref Ref, page Page) ([]Entry, error) {
	args := []any{ref.Bucket(), ref.Program, ref.Member, before(page.Before), page.Limit}
	query := memberFacts
	if len(page.Kinds) > 0 {
		var places []string
		for _, k := range page.Kinds {
			args = append(args, string(k))
			places = append(places, fmt.Sprintf("$%d", len(args)))
		}
		query += ` AND f.kind IN (` + strings.Join(places, ", ") + `)`
	}
	var out []Entry
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		e, _, err := scanFact(row)
		out = append(out, e)
		return err
	}, query+newestFirst, args...)
	if err != nil {
		return nil, fmt.Errorf("read the facts of %s: %w", ref.Member, err)
	}
	return out, nil
}

const memberFacts = `
SELECT ` + factColumns + `
FROM facts f
WHERE f.bucket = $1 AND f.program_id = $2 AND f.member_id = $3 AND f.seq < $4`

const newestFirst = ` ORDER BY f.seq DESC LIMIT $5`

func before(n int64) int64 {
	if n <= 0 {
		return math.MaxInt64
	}
	return n
}

// Posting is a posting as it stands in the books.
type Posting struct {
	ledger.Posting
	// Seq is the fact's number, N the posting's within the fact, from 1.
	Seq int64
	N   int64
	// Fact is the fact's id.
	Fact       string
	OccurredAt time.Time
	RecordedAt time.Time
}

// PostingPage asks for a part of a member's postings, the newest first.
type PostingPage struct {
	// Unit keeps to one unit; empty is all.
	Unit string
	// BeforeSeq and BeforeN keep to postings that stand before that one; 0 is all.
	BeforeSeq, BeforeN int64
	Limit              int
}

const memberPostings = `
SELECT p.seq, p.n, f.id, p.unit, p.lot, p.from_account, p.to_account, p.amount, p.rule, p.of_fact, p.occurred_at, p.recorded_at
FROM postings p JOIN facts f ON f.bucket = p.bucket AND f.program_id = p.program_id AND f.member_id = p.member_id AND f.seq = p.seq
WHERE p.bucket = $1 AND p.program_id = $2 AND p.member_id = $3 AND (p.seq, p.n) < ($4, $5) AND (CAST($6 AS text) = '' OR p.unit = $6)
ORDER BY p.seq DESC, p.n DESC LIMIT $7`

// Postings gives a page of a member's postings, the newest first. The last one's Seq and N are the next page's Before.
func Postings(ctx context.Context, tx *db.Tx, ref Ref, page PostingPage) ([]Posting, error) {
	var out []Posting
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		var (
			p                  Posting
			occurred, recorded int64
		)
		err := row.Scan(&p.Seq, &p.N, &p.Fact, &p.Unit, &p.Lot, &p.From, &p.To, &p.Amount, &p.Rule, &p.Of, &occurred, &recorded)
		p.OccurredAt, p.RecordedAt = toTime(occurred), toTime(recorded)
		out = append(out, p)
		return err
	}, memberPostings, ref.Bucket(), ref.Program, ref.Member, before(page.BeforeSeq), page.BeforeN, page.Unit, page.Limit)
	if err != nil {
		return nil, fmt.Errorf("read the postings of %s: %w", ref.Member, err)
	}
	return out, nil
}

var lastEnds = db.NewLookup(append(slices.Clone(wantMember), "now bigint"), `
SELECT l.member_id, MAX(l.expires_at)
FROM want CROSS JOIN lots l
WHERE l.bucket = want.bucket AND l.program_id = want.program_id AND l.member_id = want.member_id AND l.expires_at <= want.now
	AND (l.gone > 0 OR l.spendable + l.pending > 0)
GROUP BY l.member_id`)

// LastEnds gives the latest end of what time took until now, by account, whether it is written down yet or not; those of which it took nothing are not there.
func LastEnds(ctx context.Context, tx *db.Tx, of []Ref, now time.Time) (map[string]time.Time, error) {
	var args []any
	for _, ref := range of {
		args = append(args, ref.Bucket(), ref.Program, ref.Member, now.UnixMicro())
	}
	out := map[string]time.Time{}
	err := among(ctx, tx, lastEnds, args, func(row db.Scanner) error {
		var account string
		var at int64
		err := row.Scan(&account, &at)
		out[account] = toTime(at)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read when lots ended: %w", err)
	}
	return out, nil
}

const (
	memberLots = `
SELECT ` + lotColumns + `
FROM lots l
WHERE l.bucket = $1 AND l.program_id = $2 AND l.member_id = $3 AND l.lot > $4
ORDER BY l.lot LIMIT $5`

	memberOpenLots = `
SELECT ` + lotColumns + `
FROM lots l
WHERE l.bucket = $1 AND l.program_id = $2 AND l.member_id = $3 AND l.lot > $4 AND l.remaining > 0
ORDER BY l.lot LIMIT $5`
)

// Lots gives a member's lots by number after the given one: those with something left, or all.
func Lots(ctx context.Context, tx *db.Tx, ref Ref, all bool, after int64, limit int) ([]ledger.Lot, error) {
	query := memberOpenLots
	if all {
		query = memberLots
	}
	var out []ledger.Lot
	reader := newLotReader()
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		l, err := reader.read(row)
		out = append(out, l)
		return err
	}, query, ref.Bucket(), ref.Program, ref.Member, after, limit)
	if err != nil {
		return nil, fmt.Errorf("read the lots of %s: %w", ref.Member, err)
	}
	return out, nil
}

// Redemption is a redemption as it stands now.
type Redemption struct {
	Member string
	engine.RedemptionState
}

const oneRedemption = `SELECT member_id, state FROM redemptions WHERE bucket = $1 AND program_id = $2 AND id = $3`

// FindRedemption gives one redemption by its id. Not found when there is none.
func FindRedemption(ctx context.Context, tx *db.Tx, program, id string) (Redemption, error) {
	missing := errs.NotFound("redemption_not_found", "There is no such redemption.")
	bucket, ok := ids.BucketOf(id)
	if !ok {
		return Redemption{}, missing
	}
	r, err := scanRedemption(tx.QueryRow(ctx, oneRedemption, bucket, program, id))
	if errors.Is(err, sql.ErrNoRows) {
		return Redemption{}, missing
	}
	if err != nil {
		return Redemption{}, fmt.Errorf("find redemption %s: %w", id, err)
	}
	return r, nil
}

func scanRedemption(row db.Scanner) (Redemption, error) {
	var r Redemption
	var text string
	if err := row.Scan(&r.Member, &text); err != nil {
		return Redemption{}, err
	}
	return r, readJSON(text, &r.RedemptionState)
}

const memberRedemptions = `
SELECT member_id, state FROM redemptions
WHERE bucket = $1 AND program_id = $2 AND member_id = $3 AND (CAST($4 AS text) = '' OR id < $4) AND (CAST($5 AS text) = '' OR status = $5)
ORDER BY id DESC LIMIT $6`

// Redemptions gives a page of a member's redemptions, the newest first: those before the given id ("" is all) with the
// given status ("" is any).
func Redemptions(ctx context.Context, tx *db.Tx, ref Ref, status, beforeID string, limit int) ([]Redemption, error) {
	var out []Redemption
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		r, err := scanRedemption(row)
		out = append(out, r)
		return err
	}, memberRedemptions, ref.Bucket(), ref.Program, ref.Member, beforeID, status, limit)
	if err != nil {
		return nil, fmt.Errorf("read the redemptions of %s: %w", ref.Member, err)
	}
	return out, nil
}

// What it says of status and state is the condition of the index redemptions_tickets, word for word.
const raffleTickets = `
SELECT member_id, state FROM redemptions
WHERE program_id = $1 AND status = 'committed' AND state LIKE '%"draws":%'`

// Draw is a raffle and a time of its draw, in microseconds since 1970.
type Draw struct {
	Raffle string
	At     int64
}

// Ticket is a redemption that takes part in a draw with N tickets.
type Ticket struct {
	Redemption, Member string
	N                  int64
}

// Tickets gives all committed redemptions of a program that are tickets, by draw, in the order of their ids as bytes.
func Tickets(ctx context.Context, tx *db.Tx, program string) (map[Draw][]Ticket, error) {
	out := map[Draw][]Ticket{}
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		r, err := scanRedemption(row)
		if of, n := r.Tickets(); err == nil && n > 0 {
			draw := Draw{of, r.Draws.UnixMicro()}
			out[draw] = append(out[draw], Ticket{r.ID, r.Member, n})
		}
		return err
	}, raffleTickets, program)
	if err != nil {
		return nil, fmt.Errorf("read the tickets of %s: %w", program, err)
	}
	for _, list := range out {
		slices.SortFunc(list, func(a, b Ticket) int { return strings.Compare(a.Redemption, b.Redemption) })
	}
	return out, nil
}

const foldPostings = `
SELECT unit, account, CAST(SUM(amount) AS bigint)
FROM (
	SELECT unit, to_account AS account, amount FROM postings
	WHERE bucket = $1 AND program_id = $2 AND member_id = $3 AND occurred_at <= $4
	UNION ALL
	SELECT unit, from_account AS account, -amount FROM postings
	WHERE bucket = $1 AND program_id = $2 AND member_id = $3 AND occurred_at <= $4
) moves
WHERE account IN ('member', 'pending', 'reserved', 'debt')
GROUP BY unit, account`

// BalancesAt folds a member's postings of business time up to t, both ends inside, into what was held then, by unit. Only
// Spendable, Pending, Reserved and Debt are set.
func BalancesAt(ctx context.Context, tx *db.Tx, ref Ref, t time.Time) (map[string]ledger.Holding, error) {
	out := map[string]ledger.Holding{}
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		var (
			unit, account string
			n             int64
		)
		if err := row.Scan(&unit, &account, &n); err != nil {
			return err
		}
		h := out[unit]
		switch account {
		case ledger.Spendable:
			h.Spendable = n
		case ledger.Pending:
			h.Pending = n
		case ledger.Reserved:
			h.Reserved = n
		case ledger.Debt:
			h.Debt = -n
		}
		out[unit] = h
		return nil
	}, foldPostings, ref.Bucket(), ref.Program, ref.Member, instant(t))
	if err != nil {
		return nil, fmt.Errorf("fold the postings of %s: %w", ref.Member, err)
	}
	return out, nil
}

const earnedPostings = `
SELECT occurred_at, unit, amount FROM postings
WHERE bucket = $1 AND program_id = $2 AND member_id = $3 AND occurred_at >= $4 AND occurred_at < $5 AND from_account = 'program:issued'`

// Earned sums what rules gave a member in each of the periods between the bounds, by unit: bounds[i] is inside period i and
// bounds[i+1] outside. The bounds rise; n of them give n-1 sums.
func Earned(ctx context.Context, tx *db.Tx, ref Ref, bounds []time.Time) ([]map[string]int64, error) {
	if len(bounds) < 2 {
		return nil, nil
	}
	out := make([]map[string]int64, len(bounds)-1)
	for i := range out {
		out[i] = map[string]int64{}
	}
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		var (
			at, amount int64
			unit       string
		)
		if err := row.Scan(&at, &unit, &amount); err != nil {
			return err
		}
		place, found := slices.BinarySearchFunc(bounds, toTime(at), time.Time.Compare)
		if !found {
			place--
		}
		sum, err := money.Add(out[place][unit], amount)
		out[place][unit] = sum
		return err
	}, earnedPostings, ref.Bucket(), ref.Program, ref.Member, instant(bounds[0]), instant(bounds[len(bounds)-1]))
	if err != nil {
		return nil, fmt.Errorf("sum what %s earned: %w", ref.Member, err)
	}
	return out, nil
}

// Event is something that a fact told.
type Event struct {
	Cursor
	// ID is that of the fact with the event's number in it: the same whenever the event is read.
	ID, Type, Member, Fact string
	OccurredAt, RecordedAt time.Time
	Data                   map[string]string
}

// EventPrefix is the type prefix of events' ids.
const EventPrefix = "evt"

// eventID names the i-th event of a fact, from 1.
func eventID(fact string, i int) string {
	_, own, _ := strings.Cut(fact, "_")
	return EventPrefix + "_" + own + "_" + strconv.Itoa(i)
}

// Cursor is a place in the feed; the zero value is before its begin.
type Cursor struct{ Stamp, N int64 }

// Sequence is the place as text that sorts as the feed does.
func (c Cursor) Sequence() string { return fmt.Sprintf("%016x%08x", c.Stamp, c.N) }

// A reader may have stopped between the events of one fact: it goes on with that fact.
const feedStart = `
SELECT n FROM facts WHERE program_id = $1 AND stamp = $2 AND n <= $3 ORDER BY n DESC LIMIT 1`

// The decision is read of facts from before events had a column.
const feedFrom = `
SELECT stamp, n, id, member_id, occurred_at, recorded_at, events, CASE WHEN events = '' THEN decision ELSE '' END FROM facts
WHERE program_id = $1 AND (stamp, n) >= ($2, $3) AND stamp < $4`

const feedOrder = `
ORDER BY stamp, n LIMIT $5`

// Events gives the program's events after the cursor in the order of the feed. An event that is
// not given because its transaction may still have older neighbours comes later; none is ever passed over.
func Events(ctx context.Context, tx *db.Tx, program string, after Cursor, limit int) ([]Event, error) {
	if tx.Distributed() {
		return eventsInLine(ctx, tx, program, after, limit)
	}
	horizon, err := db.Horizon(ctx, tx)
	if err != nil {
		return nil, err
	}
	return eventsBelow(ctx, tx, program, after, horizon, limit)
}

// eventsBelow gives events in the order of their stamps, as far as those below the horizon.
func eventsBelow(ctx context.Context, tx *db.Tx, program string, after Cursor, horizon int64, limit int) ([]Event, error) {
	from := after
	if from.Stamp < 1 {
		from = Cursor{1, 0} // stamp 0 have facts of before that told nothing
	}
	switch err := tx.QueryRow(ctx, feedStart, program, after.Stamp, after.N).Scan(&from.N); {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return nil, fmt.Errorf("read events: %w", err)
	}
	args := []any{program, from.Stamp, from.N, horizon, limit}
	var out []Event
	for {
		facts := 0
		var last Cursor
		err := db.Collect(ctx, tx, func(row db.Scanner) error {
			facts++
			list, err := scanEvents(row, &last)
			for _, e := range list {
				if len(out) < limit && (e.Stamp > after.Stamp || e.Stamp == after.Stamp && e.N > after.N) {
					out = append(out, e)
				}
			}
			return err
		}, feedFrom+feedOrder, args...)
		if err != nil {
			return nil, fmt.Errorf("read events: %w", err)
		}
		if facts < limit || len(out) >= limit {
			return out, nil
		}
		args[1], args[2] = last.Stamp, last.N+1
	}
}

func scanEvents(row db.Scanner, at *Cursor) ([]Event, error) {
	var (
		id, member, text, decision string
		occurred, recorded         int64
	)
	if err := row.Scan(&at.Stamp, &at.N, &id, &member, &occurred, &recorded, &text, &decision); err != nil {
		return nil, err
	}
	var d engine.Decision
	var err error
	if text == "" {
		err = decodeDecision(decision, &d)
	} else {
		d.Events, err = decodeEvents(text)
	}
	if err != nil {
		return nil, fmt.Errorf("the events of fact %s: %w", id, err)
	}
	out := make([]Event, len(d.Events))
	for i, e := range d.Events {
		out[i] = Event{Cursor{at.Stamp, at.N + int64(i)}, eventID(id, i+1), e.Type, member, id, toTime(occurred), toTime(recorded), e.Data}
	}
	return out, nil
}

// wholeStamp is the last place of a transaction in the feed.
const wholeStamp = math.MaxInt32

// Here gives a place in the feed of the program after which every event stands that is not committed yet, whoever has begun to record it. It must be a
// transaction of Write.
func Here(ctx context.Context, tx *db.Tx, program string) (Cursor, error) {
	if tx.Distributed() {
		return endOfLine(ctx, tx, program)
	}
	stamp, err := tx.Stamp(ctx)
	if err != nil {
		return Cursor{}, err
	}
	horizon, err := db.Horizon(ctx, tx)
	if err != nil {
		return Cursor{}, err
	}
	return Cursor{min(stamp, horizon-1), wholeStamp}, nil
}

// askew is how far the recorded times of neighbours in the feed may be apart against its order: it is that of transactions, and the
// clocks of nodes differ.
const askew = 10 * time.Minute

// Before gives a place in the feed of the program before every event that was recorded at or after the time, and not far before. It must
// be a transaction of Write.
func Before(ctx context.Context, tx *db.Tx, program string, t time.Time) (Cursor, error) {
	end, err := Here(ctx, tx, program)
	if err != nil {
		return Cursor{}, err
	}
	t = t.Add(-askew)
	low, high := int64(0), end.Stamp // the place is in this range of stamps; the feed has no other order to search by
	for low < high {
		middle := low + (high-low)/2
		next, err := Events(ctx, tx, program, Cursor{middle, wholeStamp}, 1)
		if err != nil {
			return Cursor{}, err
		}
		if len(next) == 0 || !next[0].RecordedAt.Before(t) {
			high = middle
		} else {
			low = next[0].Stamp
		}
	}
	return Cursor{low, wholeStamp}, nil
}

// Totals counts the rows of a program.
type Totals struct {
	Accounts, Facts, Postings, Lots, Redemptions, Receipts int64
}

const countRows = `
SELECT (SELECT COUNT(*) FROM accounts WHERE program_id = $1), (SELECT COUNT(*) FROM facts WHERE program_id = $1),
	(SELECT COUNT(*) FROM postings WHERE program_id = $1), (SELECT COUNT(*) FROM lots WHERE program_id = $1),
	(SELECT COUNT(*) FROM redemptions WHERE program_id = $1), (SELECT COUNT(*) FROM receipts WHERE program_id = $1)`

// Count reads whole tables: it is for reports and tests.
func Count(ctx context.Context, tx *db.Tx, program string) (Totals, error) {
	var t Totals
	err := tx.QueryRow(ctx, countRows, program).Scan(&t.Accounts, &t.Facts, &t.Postings, &t.Lots, &t.Redemptions, &t.Receipts)
	if err != nil {
		return Totals{}, fmt.Errorf("count the books: %w", err)
	}
	return t, nil
}

const accountsAfter = `
SELECT bucket, member_id FROM accounts
WHERE program_id = $1 AND (bucket, program_id, member_id) > ($2, $1, $3) AND status NOT IN ('closed', 'merged')
ORDER BY bucket, program_id, member_id LIMIT $4`

// AccountsAfter gives accounts of the program, but for closed and merged ones, in the order of their keys after the given one, of
// which bucket and member count.
func AccountsAfter(ctx context.Context, tx *db.Tx, program string, bucket int32, member string, limit int) ([]Ref, error) {
	var out []Ref
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		ref := Ref{Program: program}
		var at int32
		err := row.Scan(&at, &ref.Member)
		out = append(out, ref)
		return err
	}, accountsAfter, program, bucket, member, limit)
	if err != nil {
		return nil, fmt.Errorf("list the accounts of %s: %w", program, err)
	}
	return out, nil
}

// Due is an account with something to do.
type Due struct {
	Ref
	At     time.Time
	bucket int32
}

const dueAccounts = `
SELECT bucket, program_id, member_id, due_at FROM accounts
WHERE due_at IS NOT NULL AND due_at <= $1 AND (due_at, bucket, program_id, member_id) > ($2, $3, $4, $5)
ORDER BY due_at, bucket, program_id, member_id LIMIT $6`

// DueAfter gives accounts whose next change by time alone lies at now or before, the earliest first, after the given one.
func DueAfter(ctx context.Context, tx *db.Tx, now time.Time, after Due, limit int) ([]Due, error) {
	from := int64(math.MinInt64)
	if after.Ref != (Ref{}) {
		from = instant(after.At)
	}
	var out []Due
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		var d Due
		var at int64
		err := row.Scan(&d.bucket, &d.Program, &d.Member, &at)
		d.At = toTime(at)
		out = append(out, d)
		return err
	}, dueAccounts, instant(now), from, after.bucket, after.Program, after.Member, limit)
	if err != nil {
		return nil, fmt.Errorf("look for due accounts: %w", err)
	}
	return out, nil
}
