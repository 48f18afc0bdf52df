package bench

import (
	"context"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"time"

	"lojal.dev/lojal/internal/ids"
)

// The raw limit is the least that must be written, by SQL made by hand for nothing else: no HTTP, no JSON read, no member
// looked up, no rules, no lots, no answer kept. docs/performance.md lists the rows.

// batchSize is how many purchases the batched limit writes in one commit.
const batchSize = 100

// raw is the raw limit on one kind of database.
type raw interface {
	// single writes one purchase or redemption a commit, from n connections where the database takes them.
	single(ctx context.Context, what rawKind, n int, during time.Duration) (outcome, error)
	// batched writes purchases by batchSize a commit.
	batched(ctx context.Context, during time.Duration) (outcome, error)
	// fill gives members lots that are due, lotsEach to each and at most once to each; expire ends them, by batchSize a commit.
	fill(ctx context.Context, lots int) error
	expire(ctx context.Context) (outcome, error)
	// batchers is how many connections batched and expire write from.
	batchers() int
	// size is how much of the disk all that takes.
	size(ctx context.Context) (int64, error)
	close() error
}

type rawKind int

const (
	purchases rawKind = iota
	redemptions
)

const (
	// lotsEach is how many lots of one member end at once: what was earned in a month ends together.
	lotsEach = 3
	// endsAtOnce is how many members' lots are ended in one commit.
	endsAtOnce = batchSize / lotsEach
	// rawPrice is what a redemption takes, rawLot what a lot holds.
	rawPrice = 2
	rawLot   = 25
)

// dueLots are the lots of some members that are due.
type dueLots struct {
	members []string
	first   int64
}

// row is what is written of one purchase: the parts that differ from row to row.
type row struct {
	bucket     int32
	member     string
	id, event  string
	source     string
	externalID string
	amount     int64
	at         int64
	body       string
	data       string
}

// rowMaker makes rows as the load makes requests: as many members, the same bodies.
type rowMaker struct {
	members []string
	body    []piece
	ids     *atomic.Uint64
	seed    uint64
}

func newRowMaker(members int, body []piece, receipts *atomic.Uint64, seed uint64) *rowMaker {
	m := &rowMaker{body: body, ids: receipts, seed: seed}
	now := time.Now()
	for range members {
		m.members = append(m.members, ids.New("mem", now))
	}
	return m
}

// source makes the rows of one connection. stride and offset keep the members of several connections apart, so that
// batches never wait for each other's rows; 1 and 0 give every member to each.
func (m *rowMaker) source(n uint64, stride, offset int) func() row {
	rnd := rand.New(rand.NewPCG(m.seed, n))
	var v values
	var buf []byte
	return func() row {
		number := m.ids.Add(1)
		v.draw(rnd, len(m.members), 0, number)
		v.member = v.member/stride*stride + offset
		if v.member >= len(m.members) {
			v.member -= stride
		}
		member := m.members[v.member]
		v.member += firstCard
		buf = fill(buf[:0], m.body, &v)
		now := time.Now()
		bucket := ids.Bucket(programID, member)
		stars := v.sum() / 1000
		return row{
			bucket: bucket, member: member, id: ids.NewIn("pur", now, bucket), event: ids.NewIn("evt", now, bucket), source: tills[v.till-1],
			externalID: receiptOf(number), amount: stars, at: now.UnixMicro(), body: string(buf), data: `{"stars":"` + itoa(int(stars)) + `"}`,
		}
	}
}

func itoa(n int) string { return strconv.Itoa(n) }

func receiptOf(id uint64) string { return "R-" + strconv.FormatUint(id, 10) }

// tills are the sources of purchases.
var tills = func() (out [16]string) {
	for i := range out {
		out[i] = "till-" + itoa(i+1)
	}
	return out
}()

// rawTables are the four tables of the raw limit on both databases, with the keys that the product's own have: they begin
// with the bucket, and ids are text that tells time. A purchase has its natural key, without which it could count twice.
var rawTables = []string{
	`CREATE TABLE accounts (bucket INTEGER NOT NULL, program_id TEXT NOT NULL, member_id TEXT NOT NULL, seq BIGINT NOT NULL,
	balance BIGINT NOT NULL CHECK (balance >= 0), PRIMARY KEY (bucket, program_id, member_id))`,
	`CREATE TABLE purchases (bucket INTEGER NOT NULL, program_id TEXT NOT NULL, member_id TEXT NOT NULL, seq BIGINT NOT NULL, id TEXT NOT NULL,
	source TEXT NOT NULL, external_id TEXT NOT NULL, occurred_at BIGINT NOT NULL, recorded_at BIGINT NOT NULL, body TEXT NOT NULL,
	PRIMARY KEY (bucket, program_id, member_id, seq), UNIQUE (bucket, program_id, id), UNIQUE (program_id, source, external_id))`,
	`CREATE TABLE ledger (bucket INTEGER NOT NULL, program_id TEXT NOT NULL, member_id TEXT NOT NULL, seq BIGINT NOT NULL, n INTEGER NOT NULL,
	unit TEXT NOT NULL, from_account TEXT NOT NULL, to_account TEXT NOT NULL, amount BIGINT NOT NULL CHECK (amount > 0), rule TEXT NOT NULL, occurred_at BIGINT NOT NULL,
	PRIMARY KEY (bucket, program_id, member_id, seq, n))`,
	`CREATE TABLE outbox (bucket INTEGER NOT NULL, program_id TEXT NOT NULL, id TEXT NOT NULL, type TEXT NOT NULL, member_id TEXT NOT NULL,
	fact_id TEXT NOT NULL, occurred_at BIGINT NOT NULL, data TEXT NOT NULL, PRIMARY KEY (program_id, id))`,
	`CREATE TABLE redemptions (bucket INTEGER NOT NULL, program_id TEXT NOT NULL, id TEXT NOT NULL, member_id TEXT NOT NULL, source TEXT NOT NULL,
	external_id TEXT NOT NULL, status TEXT NOT NULL, reward TEXT NOT NULL, occurred_at BIGINT NOT NULL, recorded_at BIGINT NOT NULL,
	PRIMARY KEY (bucket, program_id, id), UNIQUE (program_id, source, external_id))`,
	`CREATE TABLE lots (bucket INTEGER NOT NULL, program_id TEXT NOT NULL, member_id TEXT NOT NULL, lot BIGINT NOT NULL, unit TEXT NOT NULL,
	expires_at BIGINT NOT NULL, remaining BIGINT NOT NULL CHECK (remaining >= 0), PRIMARY KEY (bucket, program_id, member_id, lot))`,
}

// Every account begins with enough to take from.
const rawBalance = 1_000_000
