package reward

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"lojal.dev/lojal/internal/code"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/program"
)

// What becomes of a raffle.
const (
	RaffleOpen = "open"
	// RaffleDrawing has its order of tickets, and its winners get their prizes.
	RaffleDrawing = "drawing"
	RaffleDrawn   = "drawn"
)

// Raffle is a draw among the tickets that a reward gave, at a time.
type Raffle struct {
	Program, Reward string
	DrawsAt         time.Time
	Prize           string
	Winners         int64
	// Commitment is the SHA-256 of the seed, told from CommittedAt on. Seed is "" until it is drawn; both are hex.
	Commitment string
	Seed       string
	Status     string
	// Tickets took part: Count of them, and TicketsHash is the SHA-256 of their lines. A raffle of a list is without them.
	Tickets     []Entrant
	Count       int64
	TicketsHash string
	Outcome     []Won
	Error       string
	CommittedAt time.Time
	DrawnAt     *time.Time

	sealed   string
	revision int64
}

// Entrant is a redemption that takes part with so many tickets.
type Entrant struct {
	Redemption string
	N          int64
}

// Won is a ticket that came up: it won, or was passed over for the reason that it tells.
type Won struct {
	Ticket string `json:"ticket"`
	Member string `json:"member,omitempty"`
	// Passed is why not: again (who has won already) or closed.
	Passed string `json:"passed,omitempty"`
	// Fact gave the prize; "" until it did.
	Fact string `json:"fact,omitempty"`
}

// Why a ticket that came up is passed over.
const (
	PassedAgain  = "again"
	PassedClosed = "closed"
)

// Lines writes the tickets as they are hashed: a ticket a line, in the order of the redemptions' ids and the tickets' numbers.
func Lines(list []Entrant) []string {
	var out []string
	for _, e := range list {
		for n := int64(1); n <= e.N; n++ {
			out = append(out, e.Redemption+"/"+strconv.FormatInt(n, 10))
		}
	}
	return out
}

// HashOf is the SHA-256 of the lines of all tickets, in hex.
func HashOf(lines []string) string {
	sum := sha256.New()
	for _, t := range lines {
		sum.Write([]byte(t + "\n"))
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// Shuffle gives the tickets in the order in which they come up. It is the rule of docs/rewards.md: each ticket's score is HMAC-SHA256 under the
// seed of the hash of the whole list and the ticket, and the lowest comes first.
func Shuffle(seed string, tickets []string) (order []string, err error) {
	key, err := hex.DecodeString(seed)
	if err != nil {
		return nil, fmt.Errorf("a raffle's seed is damaged: %w", err)
	}
	hash := HashOf(tickets)
	type scored struct{ score, ticket string }
	list := make([]scored, len(tickets))
	for i, t := range tickets {
		m := hmac.New(sha256.New, key)
		m.Write([]byte(hash + "\n" + t))
		list[i] = scored{string(m.Sum(nil)), t}
	}
	slices.SortFunc(list, func(a, b scored) int { return strings.Compare(a.score, b.score) })
	order = make([]string, len(list))
	for i := range list {
		order[i] = list[i].ticket
	}
	return order, nil
}

// Commitment gives the hash that was told of a seed.
func Commitment(seed string) (string, error) {
	key, err := hex.DecodeString(seed)
	if err != nil {
		return "", fmt.Errorf("a raffle's seed is damaged: %w", err)
	}
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:]), nil
}

func raffleBucket(program, reward string) int32 { return ids.Bucket(program, "raffle:"+reward) }

func raffleSeal(reward string, draws time.Time) string {
	return "raffle\n" + reward + "\n" + strconv.FormatInt(draws.UnixMicro(), 10)
}

const (
	insertRaffle = `
INSERT INTO raffles (bucket, program_id, reward, draws_at, prize, winners, commitment, sealed, status, committed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'open', $9) ON CONFLICT DO NOTHING`
	termsOfRaffle = `SELECT status, prize, winners FROM raffles WHERE bucket = $1 AND program_id = $2 AND reward = $3 AND draws_at = $4`
	changeRaffle  = `
UPDATE raffles SET prize = $1, winners = $2
WHERE bucket = $3 AND program_id = $4 AND reward = $5 AND draws_at = $6 AND status = 'open' AND (prize <> $1 OR winners <> $2)`
)

// Committed says whether there is nothing to do for Commit: so that it is asked for when there is.
func Committed(ctx context.Context, tx *db.Tx, programID string, r *program.CompiledReward) (bool, error) {
	known, _, err := committed(ctx, tx, programID, r)
	return known, err
}

// committed says besides whether there is a raffle at all.
func committed(ctx context.Context, tx *db.Tx, programID string, r *program.CompiledReward) (same, there bool, err error) {
	var status, prize string
	var winners int64
	err = tx.QueryRow(ctx, termsOfRaffle, raffleBucket(programID, r.ID), programID, r.ID, r.Draws.UnixMicro()).Scan(&status, &prize, &winners)
	if errors.Is(err, sql.ErrNoRows) {
		return false, false, nil
	}
	if err != nil {
		return false, false, fmt.Errorf("look for the raffle %s: %w", r.ID, err)
	}
	return status != RaffleOpen || prize == r.Gives.Raffle.Prize && winners == max(r.Gives.Raffle.Winners, 1), true, nil
}

// CommitAhead is Commit for a version that is to come: a raffle that is there keeps what it gives until then.
func CommitAhead(ctx context.Context, tx *db.Tx, programID string, r *program.CompiledReward, now time.Time) error {
	if _, there, err := committed(ctx, tx, programID, r); err != nil || there {
		return err
	}
	return Commit(ctx, tx, programID, r, now)
}

// Commit draws the seed of a raffle that has none yet and keeps what is told of it. Of one that is there and open it keeps what it gives now.
func Commit(ctx context.Context, tx *db.Tx, programID string, r *program.CompiledReward, now time.Time) error {
	bucket, draws, winners := raffleBucket(programID, r.ID), *r.Draws, max(r.Gives.Raffle.Winners, 1)
	same, there, err := committed(ctx, tx, programID, r)
	if err != nil || same {
		return err
	}
	if there {
		if _, err := tx.Exec(ctx, changeRaffle, r.Gives.Raffle.Prize, winners, bucket, programID, r.ID, draws.UnixMicro()); err != nil {
			return fmt.Errorf("change the raffle %s: %w", r.ID, err)
		}
		return nil
	}
	k, err := code.MakeKey(ctx, tx, programID, now)
	if err != nil {
		return err
	}
	raw := make([]byte, sha256.Size)
	rand.Read(raw)
	seed := hex.EncodeToString(raw)
	told, err := Commitment(seed)
	if err != nil {
		return err
	}
	sealed, err := k.Seal(raffleSeal(r.ID, draws), seed)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, insertRaffle, bucket, programID, r.ID, draws.UnixMicro(), r.Gives.Raffle.Prize, winners, told, sealed, now.UnixMicro()); err != nil {
		return fmt.Errorf("keep the raffle %s: %w", r.ID, err)
	}
	return nil
}

const (
	raffleHead  = `SELECT program_id, reward, draws_at, prize, winners, commitment, sealed, seed, status, outcome, error, committed_at, drawn_at, revision, ticket_count, tickets_hash, `
	wholeRaffle = raffleHead + `tickets FROM raffles `
	lightRaffle = raffleHead + `CASE WHEN tickets_hash = '' THEN tickets ELSE '' END FROM raffles ` // of those from before there was a hash it is worked out
	oneRaffle   = wholeRaffle + `WHERE bucket = $1 AND program_id = $2 AND reward = $3 AND draws_at = $4`
	lastRaffle  = wholeRaffle + `WHERE bucket = $1 AND program_id = $2 AND reward = $3 ORDER BY draws_at DESC LIMIT 1`
	rafflesOf   = lightRaffle + `WHERE bucket = $1 AND program_id = $2 AND reward = $3 ORDER BY draws_at`
	someRaffles = lightRaffle + `WHERE program_id = $1 AND (draws_at < $2 OR draws_at = $2 AND reward < $3) ORDER BY draws_at DESC, reward DESC LIMIT $4`
	dueRaffles  = lightRaffle + `WHERE status <> 'drawn' AND draws_at <= $1 ORDER BY failed_at, draws_at, program_id, reward LIMIT $2`
)

func scanRaffle(row db.Scanner) (Raffle, error) {
	var r Raffle
	var draws, committed int64
	var drawn sql.NullInt64
	var tickets, outcome string
	if err := row.Scan(&r.Program, &r.Reward, &draws, &r.Prize, &r.Winners, &r.Commitment, &r.sealed, &r.Seed, &r.Status, &outcome, &r.Error, &committed, &drawn, &r.revision,
		&r.Count, &r.TicketsHash, &tickets); err != nil {
		return r, err
	}
	r.DrawsAt, r.CommittedAt, r.DrawnAt = time.UnixMicro(draws).UTC(), time.UnixMicro(committed).UTC(), db.Moment(drawn)
	for line := range strings.Lines(tickets) {
		id, n, _ := strings.Cut(strings.TrimSpace(line), " ")
		many, err := strconv.ParseInt(n, 10, 64)
		if err != nil {
			return r, fmt.Errorf("read the tickets of the raffle %s: %w", r.Reward, err)
		}
		r.Tickets = append(r.Tickets, Entrant{id, many})
	}
	if err := json.Unmarshal([]byte(outcome), &r.Outcome); err != nil {
		return r, fmt.Errorf("read the outcome of the raffle %s: %w", r.Reward, err)
	}
	if r.Status != RaffleOpen && r.TicketsHash == "" {
		r.count()
	}
	return r, nil
}

// count says how many tickets there are and what their lines hash to.
func (r *Raffle) count() {
	lines := Lines(r.Tickets)
	r.Count, r.TicketsHash = int64(len(lines)), HashOf(lines)
}

// GetRaffle gives one with its tickets; not_found "raffle_not_found".
func GetRaffle(ctx context.Context, tx *db.Tx, programID, reward string, draws time.Time) (Raffle, error) {
	return getRaffle(ctx, tx, reward, oneRaffle, raffleBucket(programID, reward), programID, reward, draws.UnixMicro())
}

// LastRaffle gives the one of a reward with the latest draw, with its tickets; not_found "raffle_not_found".
func LastRaffle(ctx context.Context, tx *db.Tx, programID, reward string) (Raffle, error) {
	return getRaffle(ctx, tx, reward, lastRaffle, raffleBucket(programID, reward), programID, reward)
}

func getRaffle(ctx context.Context, tx *db.Tx, reward, query string, args ...any) (Raffle, error) {
	r, err := scanRaffle(tx.QueryRow(ctx, query, args...))
	if errors.Is(err, sql.ErrNoRows) {
		return r, errs.NotFound("raffle_not_found", "There is no such raffle.")
	}
	if err != nil {
		return r, fmt.Errorf("read the raffle %s: %w", reward, err)
	}
	return r, nil
}

// RafflesOf gives all raffles of a reward, the earliest draw first.
func RafflesOf(ctx context.Context, tx *db.Tx, programID, reward string) ([]Raffle, error) {
	return raffles(ctx, tx, rafflesOf, raffleBucket(programID, reward), programID, reward)
}

// Raffles gives a page of a program's raffles, the latest draw first: those before a draw and its reward, nil for all.
func Raffles(ctx context.Context, tx *db.Tx, programID string, before *time.Time, reward string, limit int) ([]Raffle, error) {
	at := int64(math.MaxInt64)
	if before != nil {
		at = before.UnixMicro()
	}
	return raffles(ctx, tx, someRaffles, programID, at, reward, limit)
}

// DueRaffles gives raffles of all programs whose draw was at a time or before, and which are not done: those that could not be drawn last, the
// longest ago first.
func DueRaffles(ctx context.Context, tx *db.Tx, until time.Time, limit int) ([]Raffle, error) {
	return raffles(ctx, tx, dueRaffles, until.UnixMicro(), limit)
}

func raffles(ctx context.Context, tx *db.Tx, query string, args ...any) ([]Raffle, error) {
	out := []Raffle{}
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		r, err := scanRaffle(row)
		out = append(out, r)
		return err
	}, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read raffles: %w", err)
	}
	return out, nil
}

// Unseal opens the seed, as it is drawn.
func (r *Raffle) Unseal(ctx context.Context, tx *db.Tx) (string, error) {
	k, err := code.KeyOf(ctx, tx, r.Program)
	if err != nil {
		return "", err
	}
	seed, err := k.Open(raffleSeal(r.Reward, r.DrawsAt), r.sealed)
	if err != nil {
		return "", fmt.Errorf("open the seed of the raffle %s: %w", r.Reward, err)
	}
	return seed, nil
}

const (
	thisRaffle  = ` WHERE bucket = $1 AND program_id = $2 AND reward = $3 AND draws_at = $4`
	beginRaffle = `UPDATE raffles SET status = 'drawing', seed = $6, tickets = $7, ticket_count = $8, tickets_hash = $9, drawn_at = $10, revision = revision + 1` + thisRaffle + ` AND revision = $5`
	stepRaffle  = `UPDATE raffles SET status = $6, outcome = $7, error = $8, revision = revision + 1` + thisRaffle + ` AND revision = $5`
	failRaffle  = `UPDATE raffles SET failed_at = $5` + thisRaffle + ` AND status <> 'drawn'`
)

func (r *Raffle) key(more ...any) []any {
	return append([]any{raffleBucket(r.Program, r.Reward), r.Program, r.Reward, r.DrawsAt.UnixMicro()}, more...)
}

// Begin writes seed and tickets, once; false where another has changed it since it was read.
func (r *Raffle) Begin(ctx context.Context, tx *db.Tx, seed string, tickets []Entrant, now time.Time) (next *Raffle, mine bool, err error) {
	n := *r
	n.Status, n.Seed, n.Tickets, n.DrawnAt = RaffleDrawing, seed, tickets, &now
	n.count()
	var text strings.Builder
	for _, e := range tickets {
		fmt.Fprintf(&text, "%s %d\n", e.Redemption, e.N)
	}
	return n.write(ctx, tx, beginRaffle, n.key(n.revision, seed, text.String(), n.Count, n.TicketsHash, now.UnixMicro())...)
}

// Save writes how far the draw is; false where another has changed it since it was read.
func (r *Raffle) Save(ctx context.Context, tx *db.Tx) (next *Raffle, mine bool, err error) {
	n := *r
	if n.Outcome == nil {
		n.Outcome = []Won{}
	}
	outcome, err := json.Marshal(n.Outcome)
	if err != nil {
		return nil, false, fmt.Errorf("write the outcome of the raffle %s: %w", r.Reward, err)
	}
	return n.write(ctx, tx, stepRaffle, n.key(n.revision, n.Status, string(outcome), Clip(n.Error))...)
}

// write gives the raffle as it stands once it is written.
func (r *Raffle) write(ctx context.Context, tx *db.Tx, query string, args ...any) (*Raffle, bool, error) {
	res, err := tx.Exec(ctx, query, args...)
	if err != nil {
		return nil, false, fmt.Errorf("write the raffle %s: %w", r.Reward, err)
	}
	r.revision++
	n, err := res.RowsAffected()
	return r, n == 1, err
}

// Failed notes that it could not be drawn, so that others come first.
func (r *Raffle) Failed(ctx context.Context, tx *db.Tx, now time.Time) error {
	if _, err := tx.Exec(ctx, failRaffle, r.key(now.UnixMicro())...); err != nil {
		return fmt.Errorf("put the raffle %s off: %w", r.Reward, err)
	}
	return nil
}
