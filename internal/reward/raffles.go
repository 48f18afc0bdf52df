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
	Commitment  string
	Seed        string
	Status      string
	Tickets     []Entrant
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

// Shuffle gives the tickets in the order in which they come up. It is the rule of docs/rewards.md: each ticket's score is HMAC-SHA256 under the
// seed of the hash of the whole list and the ticket, and the lowest comes first.
func Shuffle(seed string, tickets []string) (hash string, order []string, err error) {
	key, err := hex.DecodeString(seed)
	if err != nil {
		return "", nil, fmt.Errorf("a raffle's seed is damaged: %w", err)
	}
	sum := sha256.New()
	for _, t := range tickets {
		sum.Write([]byte(t + "\n"))
	}
	hash = hex.EncodeToString(sum.Sum(nil))
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
	return hash, order, nil
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
	changeRaffle = `
UPDATE raffles SET prize = $1, winners = $2
WHERE bucket = $3 AND program_id = $4 AND reward = $5 AND draws_at = $6 AND status = 'open' AND (prize <> $1 OR winners <> $2)`
)

// Commit draws the seed of a raffle that has none yet and keeps what is told of it. Of one that is there and open it keeps what it gives now.
func Commit(ctx context.Context, tx *db.Tx, programID string, r *program.CompiledReward, now time.Time) error {
	bucket, draws, winners := raffleBucket(programID, r.ID), *r.Draws, max(r.Gives.Raffle.Winners, 1)
	switch known, err := GetRaffle(ctx, tx, programID, r.ID, draws); {
	case err == nil:
		if known.Status != RaffleOpen || known.Prize == r.Gives.Raffle.Prize && known.Winners == winners {
			return nil
		}
		if _, err := tx.Exec(ctx, changeRaffle, r.Gives.Raffle.Prize, winners, bucket, programID, r.ID, draws.UnixMicro()); err != nil {
			return fmt.Errorf("change the raffle %s: %w", r.ID, err)
		}
		return nil
	case errs.CodeOf(err) != errs.CodeNotFound:
		return err
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
	raffleColumns = `SELECT program_id, reward, draws_at, prize, winners, commitment, sealed, seed, status, tickets, outcome, error, committed_at, drawn_at, revision FROM raffles `
	oneRaffle     = raffleColumns + `WHERE bucket = $1 AND program_id = $2 AND reward = $3 AND draws_at = $4`
	allRaffles    = raffleColumns + `WHERE program_id = $1 ORDER BY draws_at DESC, reward`
	dueRaffles    = raffleColumns + `WHERE status <> 'drawn' AND draws_at <= $1 ORDER BY draws_at LIMIT $2`
)

func scanRaffle(row db.Scanner) (Raffle, error) {
	var r Raffle
	var draws, committed int64
	var drawn sql.NullInt64
	var tickets, outcome string
	if err := row.Scan(&r.Program, &r.Reward, &draws, &r.Prize, &r.Winners, &r.Commitment, &r.sealed, &r.Seed, &r.Status, &tickets, &outcome, &r.Error, &committed, &drawn, &r.revision); err != nil {
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
	return r, nil
}

// GetRaffle gives one; not_found "raffle_not_found".
func GetRaffle(ctx context.Context, tx *db.Tx, programID, reward string, draws time.Time) (Raffle, error) {
	r, err := scanRaffle(tx.QueryRow(ctx, oneRaffle, raffleBucket(programID, reward), programID, reward, draws.UnixMicro()))
	if errors.Is(err, sql.ErrNoRows) {
		return r, errs.NotFound("raffle_not_found", "There is no such raffle.")
	}
	if err != nil {
		return r, fmt.Errorf("read the raffle %s: %w", reward, err)
	}
	return r, nil
}

// Raffles gives all raffles of a program, the latest draw first.
func Raffles(ctx context.Context, tx *db.Tx, programID string) ([]Raffle, error) {
	return raffles(ctx, tx, allRaffles, programID)
}

// DueRaffles gives raffles of all programs whose draw was at a time or before, and which are not done.
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

const saveRaffle = `
UPDATE raffles SET seed = $1, status = $2, tickets = $3, outcome = $4, error = $5, drawn_at = $6, revision = revision + 1
WHERE bucket = $7 AND program_id = $8 AND reward = $9 AND draws_at = $10 AND revision = $11`

// Save writes how far the draw is, unless another has changed it since it was read; it says whether it did.
func (r *Raffle) Save(ctx context.Context, tx *db.Tx) (bool, error) {
	var tickets strings.Builder
	for _, e := range r.Tickets {
		fmt.Fprintf(&tickets, "%s %d\n", e.Redemption, e.N)
	}
	outcome, err := json.Marshal(r.Outcome)
	if err != nil {
		return false, fmt.Errorf("write the outcome of the raffle %s: %w", r.Reward, err)
	}
	if r.Outcome == nil {
		outcome = []byte("[]")
	}
	res, err := tx.Exec(ctx, saveRaffle, r.Seed, r.Status, tickets.String(), string(outcome), Clip(r.Error), db.Micros(r.DrawnAt),
		raffleBucket(r.Program, r.Reward), r.Program, r.Reward, r.DrawsAt.UnixMicro(), r.revision)
	if err != nil {
		return false, fmt.Errorf("write the raffle %s: %w", r.Reward, err)
	}
	n, err := res.RowsAffected()
	return n == 1, err
}
