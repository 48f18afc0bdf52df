package books

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/ids"
)

// In a distributed database the row of a natural key and that of an Idempotency-Key lie in other buckets than the member's
// books, and no cheap transaction holds both. So they are written before: a row of a key that stands for a fact that is not there
// is a claim. It names the member and the id that the fact will have; the fact comes later, in the member's bucket, under that
// id or not at all. The answer to an Idempotency-Key is stored beside the fact, and the key's row leads there.
//
// What always holds: a claim is moved or dropped only after its fact was put among the void ones, in the fact's bucket and
// under the lock of the member's account; and a fact is written only where, under the same lock, it is not void. So either
// the fact is there, and then the key stands for it for ever, or it never comes.

// Claim is what a key's row says before, and after, its fact is there.
type Claim struct {
	Member string `json:"member"`
	Fact   string `json:"fact"`
}

// claimed is the status of the row of an Idempotency-Key whose answer stands elsewhere.
const claimed = 0

const claimReceipt = `
INSERT INTO receipts (bucket, program_id, source, external_id, member_id, fact_id, hash) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (bucket, program_id, source, external_id) DO UPDATE SET hash = receipts.hash
RETURNING member_id, fact_id, hash`

// ClaimReceipt writes the receipt unless its natural key is taken, and gives the one that stands there then.
func ClaimReceipt(ctx context.Context, tx *db.Tx, r Receipt) (Receipt, error) {
	stands := Receipt{NaturalKey: r.NaturalKey}
	err := tx.QueryRow(ctx, claimReceipt, r.bucket(), r.Program, r.Source, r.ExternalID, r.Member, r.Fact, r.Hash).
		Scan(&stands.Member, &stands.Fact, &stands.Hash)
	if err != nil {
		return Receipt{}, fmt.Errorf("claim a natural key: %w", err)
	}
	return stands, nil
}

const moveReceipt = `
UPDATE receipts SET member_id = $1, fact_id = $2, hash = $3
WHERE bucket = $4 AND program_id = $5 AND source = $6 AND external_id = $7 AND fact_id = $8`

// MoveReceipt makes a claim whose fact is void stand for another, and says whether it still stood.
func MoveReceipt(ctx context.Context, tx *db.Tx, void string, r Receipt) (bool, error) {
	return changed(ctx, tx, "move a claim", moveReceipt, r.Member, r.Fact, r.Hash, r.bucket(), r.Program, r.Source, r.ExternalID, void)
}

const dropReceipt = `
DELETE FROM receipts WHERE bucket = $1 AND program_id = $2 AND source = $3 AND external_id = $4 AND fact_id = $5`

// DropReceipt takes away a claim whose fact is void.
func DropReceipt(ctx context.Context, tx *db.Tx, key NaturalKey, void string) error {
	_, err := changed(ctx, tx, "drop a claim", dropReceipt, key.bucket(), key.Program, key.Source, key.ExternalID, void)
	return err
}

const claimAnswer = `
INSERT INTO idempotency (bucket, program_id, client, key, hash, status, answer, created_at) VALUES ($1, $2, $3, $4, $5, 0, $6, $7)
ON CONFLICT (bucket, program_id, client, key) DO UPDATE SET hash = idempotency.hash
RETURNING hash, status, answer, created_at`

// ClaimAnswer writes a claim for the Idempotency-Key unless it is taken, and gives what stands there then.
func ClaimAnswer(ctx context.Context, tx *db.Tx, key AnswerKey, hash string, c Claim, now time.Time) (Answer, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return Answer{}, fmt.Errorf("write a claim: %w", err)
	}
	stands := Answer{AnswerKey: key}
	var at int64
	err = tx.QueryRow(ctx, claimAnswer, key.bucket(), key.Program, key.Client, key.Key, hash, string(text), instant(now)).
		Scan(&stands.Hash, &stands.Status, &stands.Body, &at)
	if err != nil {
		return Answer{}, fmt.Errorf("claim an Idempotency-Key: %w", err)
	}
	stands.At = toTime(at)
	return stands, nil
}

// Claim gives what the row of a key claims, when its answer does not stand in it.
func (a Answer) Claim() (Claim, bool) {
	if a.Status != claimed {
		return Claim{}, false
	}
	var c Claim
	return c, json.Unmarshal([]byte(a.Body), &c) == nil
}

const moveAnswer = `
UPDATE idempotency SET hash = $1, answer = $2, created_at = $3
WHERE bucket = $4 AND program_id = $5 AND client = $6 AND key = $7 AND status = 0 AND answer = $8`

// MoveAnswer makes a claim whose fact is void one for another, and says whether it still stood.
func MoveAnswer(ctx context.Context, tx *db.Tx, key AnswerKey, void Claim, hash string, c Claim, now time.Time) (bool, error) {
	from, err := json.Marshal(void)
	if err != nil {
		return false, fmt.Errorf("write a claim: %w", err)
	}
	to, err := json.Marshal(c)
	if err != nil {
		return false, fmt.Errorf("write a claim: %w", err)
	}
	return changed(ctx, tx, "move a claim", moveAnswer, hash, string(to), instant(now), key.bucket(), key.Program, key.Client, key.Key, string(from))
}

const dropAnswer = `
DELETE FROM idempotency WHERE bucket = $1 AND program_id = $2 AND client = $3 AND key = $4 AND status = 0 AND answer = $5`

// DropAnswer takes away a claim whose fact is void.
func DropAnswer(ctx context.Context, tx *db.Tx, key AnswerKey, void Claim) error {
	text, err := json.Marshal(void)
	if err != nil {
		return fmt.Errorf("write a claim: %w", err)
	}
	_, err = changed(ctx, tx, "drop a claim", dropAnswer, key.bucket(), key.Program, key.Client, key.Key, string(text))
	return err
}

func changed(ctx context.Context, tx *db.Tx, what, query string, args ...any) (bool, error) {
	result, err := tx.Exec(ctx, query, args...)
	if err != nil {
		return false, fmt.Errorf("%s: %w", what, err)
	}
	n, err := result.RowsAffected()
	return n > 0, err
}

// HomeKey is an Idempotency-Key whose answer stands in a member's bucket.
type HomeKey struct {
	AnswerKey
	Home Ref
}

// HomeAnswers gives the answers that stand in the members' buckets.
func HomeAnswers(ctx context.Context, tx *db.Tx, keys []HomeKey) (map[AnswerKey]Answer, error) {
	args := make([]any, 0, 4*len(keys))
	for _, k := range keys {
		args = append(args, k.Home.Bucket(), k.Program, k.Client, k.Key)
	}
	out := map[AnswerKey]Answer{}
	ask := AskAnswers(nil, out)
	ask.Args = args
	if err := tx.Find(ctx, ask); err != nil {
		return nil, fmt.Errorf("look for answers: %w", err)
	}
	maps.DeleteFunc(out, func(_ AnswerKey, a Answer) bool { return a.Status == claimed })
	return out, nil
}

var claimedFacts = db.NewLookup(wantID, `
SELECT want.program_id, want.id, 0 FROM want CROSS JOIN facts f
WHERE f.bucket = want.bucket AND f.program_id = want.program_id AND f.id = want.id
UNION ALL
SELECT want.program_id, want.id, 1 FROM want CROSS JOIN void_facts v
WHERE v.bucket = want.bucket AND v.program_id = want.program_id AND v.fact_id = want.id`)

// Fates says of claimed facts which are there and which are void; what is neither may still come. It must be asked under the
// locks of the members' accounts to stay true.
func Fates(ctx context.Context, tx *db.Tx, facts []FactOf) (there, void map[FactOf]bool, err error) {
	var args []any
	for _, f := range facts {
		if bucket, ok := ids.BucketOf(f.ID); ok {
			args = append(args, bucket, f.Program, f.ID)
		}
	}
	there, void = map[FactOf]bool{}, map[FactOf]bool{}
	err = among(ctx, tx, claimedFacts, args, func(row db.Scanner) error {
		var f FactOf
		var gone int
		if err := row.Scan(&f.Program, &f.ID, &gone); err != nil {
			return err
		}
		if gone == 0 {
			there[f] = true
		} else {
			void[f] = true
		}
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("look what became of claimed facts: %w", err)
	}
	return there, void, nil
}

var insertVoids = db.NewInsert("void_facts", []string{"bucket integer", "program_id text", "fact_id text", "at bigint"},
	`ON CONFLICT (bucket, program_id, fact_id) DO NOTHING`)

// Void says of facts that are not there that they will never come. It must be said under the locks of the members' accounts,
// where Fates did not find them.
func Void(ctx context.Context, tx *db.Tx, facts []FactOf, now time.Time) error {
	var args []any
	for _, f := range facts {
		if bucket, ok := ids.BucketOf(f.ID); ok {
			args = append(args, bucket, f.Program, f.ID, instant(now))
		}
	}
	if err := tx.Insert(ctx, insertVoids, args, nil); err != nil {
		return fmt.Errorf("void facts: %w", err)
	}
	return nil
}

const lockAccount = `UPDATE accounts SET revision = revision + 1 WHERE bucket = $1 AND program_id = $2 AND member_id = $3`

// Lock locks a member's account until the transaction ends, if there is one.
func Lock(ctx context.Context, tx *db.Tx, ref Ref) error {
	if _, err := tx.Exec(ctx, lockAccount, ref.Bucket(), ref.Program, ref.Member); err != nil {
		return fmt.Errorf("lock the account of %s: %w", ref.Member, err)
	}
	return nil
}

const pageOfReceipts = `
SELECT bucket, source, external_id, fact_id FROM receipts
WHERE program_id = $1 AND (bucket, source, external_id) > ($2, $3, $4)
ORDER BY bucket, source, external_id LIMIT 1000`

// OpenClaims gives the natural keys of a distributed database whose facts are not there: they are under way, or whoever claimed them
// stopped. It reads all receipts.
func OpenClaims(ctx context.Context, tx *db.Tx, program string) (map[NaturalKey]bool, error) {
	out := map[NaturalKey]bool{}
	bucket, source, external := int32(-1), "", ""
	for {
		var keys []NaturalKey
		var facts []FactOf
		err := db.Collect(ctx, tx, func(row db.Scanner) error {
			f := FactOf{Program: program}
			err := row.Scan(&bucket, &source, &external, &f.ID)
			keys, facts = append(keys, NaturalKey{program, source, external}), append(facts, f)
			return err
		}, pageOfReceipts, program, bucket, source, external)
		if err != nil {
			return nil, fmt.Errorf("look for open claims: %w", err)
		}
		if len(facts) == 0 {
			return out, nil
		}
		there, _, err := Fates(ctx, tx, facts)
		if err != nil {
			return nil, err
		}
		for i, f := range facts {
			if !there[f] {
				out[keys[i]] = true
			}
		}
	}
}

// Bucket is where the row of the key lies.
func (k AnswerKey) Bucket() int32 { return k.bucket() }
