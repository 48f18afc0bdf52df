package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/member"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/version"
)

// Millions of members and purchases would take hours on the road that a till's requests go. So a few hundred histories go
// it, into a small database; then their rows, as the books wrote them, are cast again and again for other members: the
// same rows with other ids, buckets, cards and receipt numbers. `lojal verify` holds on what comes of it, and a test sees
// that it does.

// mould is all rows of one member, with the places of what differs from member to member.
type mould struct {
	tables []mouldTable
	tokens []token
	// purchases and lots count what is in it.
	purchases, lots int
}

// mouldTable is the member's rows of one table.
type mouldTable struct {
	name    string
	columns []string
	special []special // by column
	rows    [][]cell
}

// special says which columns do not follow from the member's text alone.
type special int

const (
	plain special = iota
	bucketColumn
	stampColumn
	ordinalColumn // the place among the rows of one stamp
)

// token is a text that is another one for each member: an id, a card, a receipt number. All forms have fixed lengths.
type token struct {
	text string
	kind tokenKind
	// prefix and at are those of an id.
	prefix string
	at     time.Time
}

type tokenKind int

const (
	memberToken  tokenKind = iota // the first of all
	idToken                       // an id that holds the member's bucket
	cardToken                     // the number of the card
	receiptToken                  // a receipt number
)

// cell is a value of a row, with the places of tokens in it if it is a text.
type cell struct {
	value any
	text  string
	bytes bool // it is stored as bytes
	holes []hole
}

type hole struct{ at, token int }

// history says what moulds are made of.
type history struct {
	// name tells the template database from others.
	name string
	// moulds is how many there are.
	moulds int
	// purchases gives the number of purchases of the k-th, spread between from and until.
	purchases   func(k int) int
	from, until time.Time
	// stars are given to each at the end, to be spent.
	stars int64
	// upTo, when set, is the moment to which time is let pass.
	upTo time.Time
	seed uint64
}

// spread gives what the k-th of n members has when most come seldom and few often, 7 on average.
func spread7(k int) int { return []int{1, 2, 2, 3, 4, 6, 8, 11, 15, 18}[k%10] }

// make records a history and takes moulds of it, in a small database that goes away again.
func (h history) make(ctx context.Context, dir string) (_ []*mould, err error) {
	path := filepath.Join(dir, "moulds-"+h.name+".db")
	d, err := db.Open(ctx, "sqlite:"+path, db.Options{Migrate: true})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.Close(), removeSQLite(path)) }()
	if _, err := publish(ctx, d); err != nil {
		return nil, err
	}
	r := record.New(d, &version.Cache{})
	defer r.Close()
	if err := h.live(ctx, d, r); err != nil {
		return nil, err
	}
	return takeMoulds(ctx, d)
}

// live records what the members did.
func (h history) live(ctx context.Context, d *db.DB, r *record.Recorder) error {
	rnd := rand.New(rand.NewPCG(h.seed, 77))
	joined := h.from.Add(-time.Hour)
	var enrolments, acts []record.Request
	receipt := 0
	for k := range h.moulds {
		enrolments = append(enrolments, record.Request{
			Program: programID, Now: joined, Actor: actor, Fact: engine.Fact{Kind: engine.Enrolment, OccurredAt: joined, Enrolment: &engine.EnrolmentBody{Store: "torggata", Channel: "till"}},
			Enrol: &member.New{Profile: member.Profile{Name: fmt.Sprintf("Member %d", k)}, Identifiers: []member.Identifier{{Kind: member.Card, Value: itoa(mouldCard + k)}}},
		})
		for range h.purchases(k) {
			receipt++
			at := h.from.Add(time.Duration(rnd.Int64N(int64(h.until.Sub(h.from)))))
			acts = append(acts, record.Request{Program: programID, Member: "card:" + itoa(mouldCard+k), Now: at, Actor: actor, Fact: sale(rnd, at, receipt)})
		}
		if h.stars > 0 {
			amount := money.New(h.stars, 0)
			acts = append(acts, record.Request{
				Program: programID, Member: "card:" + itoa(mouldCard+k), Now: h.until, Actor: actor,
				Fact: engine.Fact{Kind: engine.AdjustmentK, OccurredAt: h.until, Adjustment: &engine.Adjustment{Unit: "star", Amount: &amount, Reason: "To be spent"}},
			})
		}
	}
	slices.SortStableFunc(acts, func(a, b record.Request) int { return a.Fact.OccurredAt.Compare(b.Fact.OccurredAt) })
	if err := taken(r.Batch(ctx, enrolments)); err != nil {
		return err
	}
	if err := taken(r.Batch(ctx, acts)); err != nil {
		return err
	}
	if h.upTo.IsZero() {
		return nil
	}
	refs, err := everybody(ctx, d)
	if err != nil {
		return err
	}
	_, err = r.BringUp(ctx, refs, h.upTo)
	return err
}

const (
	mouldCard    = 90_000_000
	mouldReceipt = "R-M%012d"
)

// sale is a purchase like those of the load.
func sale(rnd *rand.Rand, at time.Time, receipt int) engine.Fact {
	var v values
	v.draw(rnd, 1, 0, 0)
	line := func(id, sku, name, category string, quantity, hundredths int64) engine.Line {
		q, amount := money.New(quantity, 0), money.New(hundredths, 2)
		return engine.Line{ID: id, SKU: sku, Name: name, Category: category, Quantity: &q, Amount: &amount}
	}
	return engine.Fact{
		Kind: engine.PurchaseK, OccurredAt: at, Source: tills[v.till-1], ExternalID: fmt.Sprintf(mouldReceipt, receipt),
		Purchase: &engine.Purchase{
			Store: "torggata",
			Lines: []engine.Line{
				line("1", "latte", "Caffè latte", "coffee/espresso", 2, v.amounts[0]), line("2", "cinnamon-bun", "Cinnamon bun", "bakery/bun", 1, v.amounts[1]),
				line("3", "beans-250", "Coffee beans 250 g", "coffee/beans", 1, v.amounts[2]),
			},
			Payments: []engine.Payment{{Means: "card", Amount: money.New(v.sum(), 2)}},
		},
	}
}

func everybody(ctx context.Context, d *db.DB) (refs []books.Ref, err error) {
	err = d.Read(ctx, func(tx *db.Tx) error {
		refs = nil
		return db.Collect(ctx, tx, func(row db.Scanner) error {
			ref := books.Ref{Program: programID}
			err := row.Scan(&ref.Member)
			refs = append(refs, ref)
			return err
		}, `SELECT member_id FROM accounts ORDER BY bucket, member_id`)
	})
	return refs, err
}

// takeMoulds reads all rows that belong to members.
func takeMoulds(ctx context.Context, d *db.DB) ([]*mould, error) {
	refs, err := everybody(ctx, d)
	if err != nil {
		return nil, err
	}
	byMember := map[string]*mould{}
	out := make([]*mould, len(refs))
	for i, ref := range refs {
		out[i] = &mould{tokens: []token{{text: ref.Member, kind: memberToken}}}
		byMember[ref.Member] = out[i]
	}
	err = d.Read(ctx, func(tx *db.Tx) error {
		for _, t := range db.Tables() {
			if !t.Hot {
				continue
			}
			if err := takeTable(ctx, tx, t.Name, byMember); err != nil {
				return fmt.Errorf("read the rows of %s: %w", t.Name, err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, m := range out {
		m.find()
	}
	return out, nil
}

func takeTable(ctx context.Context, tx *db.Tx, name string, byMember map[string]*mould) error {
	rows, err := tx.Query(ctx, `SELECT * FROM `+name+` ORDER BY 1, 2, 3`) //nolint:unqueryvet // whatever columns there are
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	at := slices.Index(columns, "member_id")
	if at < 0 {
		return rows.Err() // it belongs to no member
	}
	kinds := make([]special, len(columns))
	for i, c := range columns {
		switch {
		case c == "bucket":
			kinds[i] = bucketColumn
		case c == "stamp":
			kinds[i] = stampColumn
		case c == "n" && name == "facts":
			kinds[i] = ordinalColumn
		}
	}
	values := make([]any, len(columns))
	dest := make([]any, len(columns))
	for i := range values {
		dest[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return err
		}
		m := byMember[fmt.Sprint(values[at])]
		if m == nil {
			continue // a counter of the whole program
		}
		row := make([]cell, len(values))
		for i, v := range values {
			row[i].value = v
			switch v := v.(type) {
			case string:
				row[i].text = v
			case []byte:
				row[i].text, row[i].bytes = string(v), true
			}
		}
		m.add(name, columns, kinds, row)
	}
	return rows.Err()
}

// add takes a row, and notes what in it is another for each member.
func (m *mould) add(name string, columns []string, kinds []special, row []cell) {
	if n := len(m.tables); n == 0 || m.tables[n-1].name != name {
		m.tables = append(m.tables, mouldTable{name: name, columns: columns, special: kinds})
	}
	t := &m.tables[len(m.tables)-1]
	t.rows = append(t.rows, row)
	get := func(column string) string { return row[max(slices.Index(columns, column), 0)].text }
	when := time.Now()
	for _, c := range []string{"recorded_at", "created_at", "at"} {
		if i := slices.Index(columns, c); i >= 0 {
			if micro, ok := row[i].value.(int64); ok {
				when = time.UnixMicro(micro)
				break
			}
		}
	}
	if id := get("id"); id != "" {
		if prefix, _, ok := strings.Cut(id, "_"); ok && ids.Check(prefix, id) == nil {
			m.tokens = append(m.tokens, token{text: id, kind: idToken, prefix: prefix, at: when})
		}
	}
	switch name {
	case "members":
		m.tokens[0].at = when
	case "identifiers":
		m.tokens = append(m.tokens, token{text: get("value"), kind: cardToken})
	case "receipts":
		m.tokens = append(m.tokens, token{text: get("external_id"), kind: receiptToken})
	case "facts":
		if get("kind") == string(engine.PurchaseK) {
			m.purchases++
		}
	case "lots":
		m.lots++
	}
}

// find finds the tokens in all texts.
func (m *mould) find() {
	for _, t := range m.tables {
		for _, row := range t.rows {
			for i := range row {
				for k := range m.tokens {
					for from := 0; ; {
						at := strings.Index(row[i].text[from:], m.tokens[k].text)
						if at < 0 {
							break
						}
						row[i].holes = append(row[i].holes, hole{from + at, k})
						from += at + len(m.tokens[k].text)
					}
				}
			}
		}
	}
}

// caster makes rows from moulds. Cards and receipt numbers count on.
type caster struct {
	moulds  []*mould
	card    int
	receipt int
	// turn says which mould comes next.
	turn int
}

// one is a member to be: an id and its bucket, known before the rows are made, so that they can come in the order of
// buckets, which is that of most keys.
type one struct {
	id     string
	bucket int32
}

// next names n members, in the order of their buckets.
func (c *caster) next(n int) []one {
	out := make([]one, n)
	for i := range out {
		at := c.moulds[(c.turn+i)%len(c.moulds)].tokens[0].at
		id := ids.New(member.IDPrefix, at)
		out[i] = one{id, ids.Bucket(programID, id)}
	}
	slices.SortFunc(out, func(a, b one) int { return int(a.bucket) - int(b.bucket) })
	return out
}

// cast makes the rows of a member and puts them into the batch.
func (c *caster) cast(o one, into *batch) *mould {
	m := c.moulds[c.turn%len(c.moulds)]
	c.turn++
	fresh := make([]string, len(m.tokens))
	for i, t := range m.tokens {
		switch t.kind {
		case memberToken:
			fresh[i] = o.id
		case idToken:
			fresh[i] = ids.NewIn(t.prefix, t.at, o.bucket)
		case cardToken:
			fresh[i] = itoa(c.card)
			c.card++
		case receiptToken:
			c.receipt++
			fresh[i] = fmt.Sprintf(mouldReceipt, c.receipt)
		}
	}
	for i := range m.tables {
		t := &m.tables[i]
		for _, row := range t.rows {
			values := make([]any, len(row))
			for k := range row {
				values[k] = row[k].filled(fresh)
			}
			for k, s := range t.special {
				switch s {
				case bucketColumn:
					values[k] = int64(bucketOf(t, values, o.bucket))
				case stampColumn:
					values[k] = into.stamp
				case ordinalColumn:
					values[k] = into.n
					into.n += eventsAtMost
				case plain:
				}
			}
			into.add(t, values)
		}
	}
	return m
}

func (c *cell) filled(fresh []string) any {
	if len(c.holes) == 0 {
		return c.value
	}
	if h := c.holes[0]; len(c.holes) == 1 && len(c.text) == len(fresh[h.token]) && !c.bytes {
		return fresh[h.token]
	}
	b := []byte(c.text)
	for _, h := range c.holes {
		copy(b[h.at:], fresh[h.token])
	}
	if c.bytes {
		return b
	}
	return string(b)
}

// bucketOf gives a row's bucket: the member's, but for what is found by a name of its own.
func bucketOf(t *mouldTable, values []any, members int32) int32 {
	get := func(column string) string { return values[slices.Index(t.columns, column)].(string) }
	switch t.name {
	case "identifiers":
		return ids.Bucket(programID, get("kind")+":"+get("value"))
	case "receipts":
		return ids.Bucket(programID, get("source")+"\x00"+get("external_id"))
	}
	return members
}

// eventsAtMost is how many events a fact of the moulds may tell: so far apart are the places of two facts in the feed.
const eventsAtMost = 16

// batch is rows of all tables to be written together.
type batch struct {
	tables map[string]*rowsOf
	order  []string
	stamp  int64
	n      int64
}

type rowsOf struct {
	columns []string
	rows    [][]any
}

func (b *batch) add(t *mouldTable, values []any) {
	r := b.tables[t.name]
	if r == nil {
		r = &rowsOf{columns: t.columns}
		b.tables[t.name] = r
		b.order = append(b.order, t.name)
	}
	r.rows = append(r.rows, values)
}

func (b *batch) reset(stamp int64) {
	if b.tables == nil {
		b.tables = map[string]*rowsOf{}
	}
	b.stamp, b.n = stamp, 1
	for _, r := range b.tables {
		r.rows = r.rows[:0]
	}
}
