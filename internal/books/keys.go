package books

import (
	"context"
	"fmt"
	"slices"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/ids"
)

// NaturalKey is what the outside knows a fact by: unique within the program.
type NaturalKey struct{ Program, Source, ExternalID string }

func (k NaturalKey) bucket() int32 { return ids.Bucket(k.Program, k.Source+"\x00"+k.ExternalID) }

// Receipt says which fact a natural key stands for.
type Receipt struct {
	NaturalKey
	Member, Fact string
	// Hash is that of what was asked for.
	Hash string
}

var (
	wantReceipt = []string{"bucket integer", "program_id text", "source text", "external_id text"}
	wantAnswer  = []string{"bucket integer", "program_id text", "client text", "key text"}
)

var someReceipts = db.NewLookup(wantReceipt, `
SELECT r.program_id, r.source, r.external_id, r.member_id, r.fact_id, r.hash
FROM want CROSS JOIN receipts r
WHERE r.bucket = want.bucket AND r.program_id = want.program_id AND r.source = want.source AND r.external_id = want.external_id`)

// Receipts gives those of the keys that are taken.
func Receipts(ctx context.Context, tx *db.Tx, keys []NaturalKey) (map[NaturalKey]Receipt, error) {
	out := map[NaturalKey]Receipt{}
	if err := tx.Find(ctx, AskReceipts(keys, out)); err != nil {
		return nil, fmt.Errorf("look for receipts: %w", err)
	}
	return out, nil
}

// AskReceipts is Receipts as a look-up among others: what is found goes into out.
func AskReceipts(keys []NaturalKey, out map[NaturalKey]Receipt) db.Ask {
	args := make([]any, 0, 4*len(keys))
	for _, k := range keys {
		args = append(args, k.bucket(), k.Program, k.Source, k.ExternalID)
	}
	return db.Ask{Lookup: someReceipts, Args: args, Scan: func(row db.Scanner) error {
		var r Receipt
		err := row.Scan(&r.Program, &r.Source, &r.ExternalID, &r.Member, &r.Fact, &r.Hash)
		out[r.NaturalKey] = r
		return err
	}}
}

// AddReceipt notes a natural key to be written with the sheet.
func (s *Sheet) AddReceipt(r Receipt) { s.receipts = append(s.receipts, r) }

// AnswerKey is an Idempotency-Key of a client of the program.
type AnswerKey struct{ Program, Client, Key string }

func (k AnswerKey) bucket() int32 { return ids.Bucket(k.Program, k.Client+"\x00"+k.Key) }

// Answer is what was answered to the first request under an Idempotency-Key.
type Answer struct {
	AnswerKey
	// Hash is that of the request, to tell a retry from another request under the same key.
	Hash   string
	Status int
	Body   string
	At     time.Time
	// Home, when set, is the member in whose bucket the answer stands instead of in that of its key.
	Home Ref
}

var someAnswers = db.NewLookup(wantAnswer, `
SELECT i.program_id, i.client, i.key, i.hash, i.status, i.answer, i.created_at
FROM want CROSS JOIN idempotency i
WHERE i.bucket = want.bucket AND i.program_id = want.program_id AND i.client = want.client AND i.key = want.key`)

// Answers gives the answers that are stored under the keys.
func Answers(ctx context.Context, tx *db.Tx, keys []AnswerKey) (map[AnswerKey]Answer, error) {
	out := map[AnswerKey]Answer{}
	if err := tx.Find(ctx, AskAnswers(keys, out)); err != nil {
		return nil, fmt.Errorf("look for answers: %w", err)
	}
	return out, nil
}

// AskAnswers is Answers as a look-up among others: what is found goes into out.
func AskAnswers(keys []AnswerKey, out map[AnswerKey]Answer) db.Ask {
	args := make([]any, 0, 4*len(keys))
	for _, k := range keys {
		args = append(args, k.bucket(), k.Program, k.Client, k.Key)
	}
	return db.Ask{Lookup: someAnswers, Args: args, Scan: func(row db.Scanner) error {
		var (
			a  Answer
			at int64
		)
		err := row.Scan(&a.Program, &a.Client, &a.Key, &a.Hash, &a.Status, &a.Body, &at)
		a.At = toTime(at)
		out[a.AnswerKey] = a
		return err
	}}
}

// AddAnswer notes an answer to be written with the sheet.
func (s *Sheet) AddAnswer(a Answer) { s.answers = append(s.answers, a) }

const oldAnswers = `
SELECT bucket, program_id, client, key FROM idempotency WHERE created_at < $1 ORDER BY created_at LIMIT $2`

var deleteAnswers = db.NewLookup(wantAnswer, `
DELETE FROM idempotency WHERE (bucket, program_id, client, key) IN (SELECT bucket, program_id, client, key FROM want)`)

// OldBuckets gives some of the buckets of a distributed database that hold answers or marks of before the time: each is for a
// transaction of its own.
func OldBuckets(ctx context.Context, tx *db.Tx, before time.Time, limit int) ([]int32, error) {
	var out []int32
	for _, query := range []string{answerBuckets, voidBuckets} {
		err := db.Collect(ctx, tx, func(row db.Scanner) error {
			var b int32
			err := row.Scan(&b)
			out = append(out, b)
			return err
		}, query, instant(before), limit)
		if err != nil {
			return nil, fmt.Errorf("look for old answers: %w", err)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

const (
	answerBuckets = `SELECT bucket FROM idempotency WHERE created_at < $1 GROUP BY bucket ORDER BY bucket LIMIT $2`
	voidBuckets   = `SELECT bucket FROM void_facts WHERE at < $1 GROUP BY bucket ORDER BY bucket LIMIT $2`

	emptyAnswers = `DELETE FROM idempotency WHERE bucket = $1 AND created_at < $2`
	emptyVoids   = `DELETE FROM void_facts WHERE bucket = $1 AND at < $2`
)

// EmptyBucket takes away the answers and marks of before the time that lie in a bucket, and says how many answers.
func EmptyBucket(ctx context.Context, tx *db.Tx, bucket int32, before time.Time) (int64, error) {
	result, err := tx.Exec(ctx, emptyAnswers, bucket, instant(before))
	if err == nil {
		_, err = tx.Exec(ctx, emptyVoids, bucket, instant(before))
	}
	if err != nil {
		return 0, fmt.Errorf("delete old answers: %w", err)
	}
	return result.RowsAffected()
}

// DeleteAnswers takes away up to limit answers that were given before the time, and says how many.
func DeleteAnswers(ctx context.Context, tx *db.Tx, before time.Time, limit int) (int64, error) {
	var args []any
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		var (
			bucket               int32
			program, client, key string
		)
		err := row.Scan(&bucket, &program, &client, &key)
		args = append(args, bucket, program, client, key)
		return err
	}, oldAnswers, instant(before), limit)
	if err != nil || len(args) == 0 {
		return 0, err
	}
	if err := among(ctx, tx, deleteAnswers, args, nil); err != nil {
		return 0, fmt.Errorf("delete old answers: %w", err)
	}
	return int64(len(args) / len(wantAnswer)), nil
}
