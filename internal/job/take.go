package job

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"lojal.dev/lojal/internal/db"
)

const takeJobs = `
UPDATE jobs SET state = 'running', due_at = NULL, attempt = attempt + 1, holder = $1, beat = beat + 1, lease = $2, taken_at = $3, beat_at = $3
WHERE bucket = $4 AND kind = $5 AND due_at <= $3 AND job_id IN
	(SELECT job_id FROM jobs WHERE bucket = $4 AND kind = $5 AND due_at <= $3 ORDER BY priority, due_at, job_id LIMIT $6)
RETURNING ` + jobColumns

// take gives up to limit jobs of a kind that are due to the holder. Of two nodes that take at once, the second waits for
// the first's rows, finds that they are no longer due, and gets fewer.
func take(ctx context.Context, tx *db.Tx, kind string, limit int, holder string, lease time.Duration, now time.Time) ([]*Job, error) {
	var out []*Job
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		j, err := scanJob(row)
		out = append(out, j)
		return err
	}, takeJobs, holder, lease.Microseconds(), now.UnixMicro(), bucketOf(kind), kind, limit)
	if err != nil {
		return nil, fmt.Errorf("take jobs %s: %w", kind, err)
	}
	return out, nil
}

// isDue says whether a kind has something to take, and else when it next will.
func isDue(ctx context.Context, tx *db.Tx, kind string, now time.Time) (bool, *time.Time, error) {
	var next *int64
	if err := tx.QueryRow(ctx, nextDue, bucketOf(kind), kind).Scan(&next); err != nil {
		return false, nil, fmt.Errorf("look for jobs %s: %w", kind, err)
	}
	if next == nil {
		return false, nil, nil
	}
	return *next <= now.UnixMicro(), moment(next), nil
}

const nextDue = `SELECT MIN(due_at) FROM jobs WHERE bucket = $1 AND kind = $2 AND due_at IS NOT NULL`

// running is a job that some node has.
type running struct {
	place
	holder string
	beat   int64
	lease  time.Duration
}

const runningJobs = `SELECT bucket, job_id, holder, beat, lease FROM jobs WHERE bucket = $1 AND kind = $2 AND state = 'running'`

func allRunning(ctx context.Context, tx *db.Tx, kind string) ([]running, error) {
	var out []running
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		var (
			r     running
			lease int64
		)
		err := row.Scan(&r.bucket, &r.id, &r.holder, &r.beat, &lease)
		r.lease = time.Duration(lease) * time.Microsecond
		out = append(out, r)
		return err
	}, runningJobs, bucketOf(kind), kind)
	if err != nil {
		return nil, fmt.Errorf("look for running jobs %s: %w", kind, err)
	}
	return out, nil
}

// outcome is what becomes of a job that a node has.
type outcome struct {
	state State
	// due is when it may be taken again; nil when it is over.
	due *time.Time
	// attempt is what its count of attempts becomes.
	attempt int
	// anew is whether it is due at once when it was asked for meanwhile.
	anew bool
}

const settleJob = `
UPDATE jobs SET holder = '', attempt = $1, errors = $2,
	state = CASE WHEN asked > $3 THEN 'available' ELSE $4 END,
	due_at = CASE WHEN asked > $3 THEN CAST($5 AS bigint) ELSE CAST($6 AS bigint) END,
	finished_at = CASE WHEN asked > $3 OR $7 = 0 THEN NULL ELSE CAST($5 AS bigint) END
WHERE bucket = $8 AND job_id = $9 AND holder = $10 AND state = 'running'`

// settle writes down what became of a job, and says whether it was still the holder's.
func settle(ctx context.Context, tx *db.Tx, j *Job, out outcome, now time.Time) (bool, error) {
	failures, err := json.Marshal(j.Errors)
	if err != nil {
		return false, fmt.Errorf("write the failures of job %s: %w", j.ID, err)
	}
	asked := int64(math.MaxInt64)
	if out.anew {
		asked = j.asked
	}
	var due *int64
	over := 1
	if out.due != nil {
		us := out.due.UnixMicro()
		due, over = &us, 0
	}
	result, err := tx.Exec(ctx, settleJob, out.attempt, string(failures), asked, string(out.state), now.UnixMicro(), due, over, j.bucket, j.ID, j.Holder)
	if err != nil {
		return false, fmt.Errorf("settle job %s: %w", j.ID, err)
	}
	n, err := result.RowsAffected()
	return n > 0, err
}

const rescueJob = `
UPDATE jobs SET state = $1, due_at = $2, finished_at = $3, errors = $4, holder = ''
WHERE bucket = $5 AND job_id = $6 AND state = 'running' AND beat = $7`

// rescue takes a job from a holder whose beat stood still, unless it went on meanwhile. The attempt counts: a job that
// takes its node with it does not do so for ever.
func rescue(ctx context.Context, tx *db.Tx, r running, now time.Time) (j *Job, rescued bool, err error) {
	if j, err = Get(ctx, tx, r.id); err != nil {
		return nil, false, err
	}
	at := now.UnixMicro()
	state, due, finished := Retryable, &at, (*int64)(nil)
	switch {
	case j.cancel:
		state, due, finished = Cancelled, nil, &at
	case j.MaxAttempts > 0 && j.Attempt >= j.MaxAttempts:
		state, due, finished = Discarded, nil, &at
	}
	j.failed(now, "the lease of "+nodeOf(r.holder)+" is over")
	failures, err := json.Marshal(j.Errors)
	if err != nil {
		return nil, false, fmt.Errorf("write the failures of job %s: %w", j.ID, err)
	}
	result, err := tx.Exec(ctx, rescueJob, string(state), due, finished, string(failures), r.bucket, r.id, r.beat)
	if err != nil {
		return nil, false, fmt.Errorf("rescue job %s: %w", j.ID, err)
	}
	n, err := result.RowsAffected()
	return j, n > 0, err
}

// nodeOf is the part of a holder that names the node.
func nodeOf(holder string) string {
	node, _, _ := strings.Cut(holder, "#")
	return node
}

const (
	beatJobs = `UPDATE jobs SET beat = beat + 1, beat_at = $1 WHERE bucket = $2 AND state = 'running' AND (job_id, holder) IN (`
	beaten   = `) RETURNING job_id, cancel_asked`
)

// beat says that the holder lives, for jobs that all lie in one bucket. It gives those that are still the holder's, with whether they
// were called off.
func beat(ctx context.Context, tx *db.Tx, jobs []*Job, now time.Time) (map[string]bool, error) {
	args := []any{now.UnixMicro(), jobs[0].bucket}
	for _, j := range jobs {
		args = append(args, j.ID, j.Holder)
	}
	mine := map[string]bool{}
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		var (
			id     string
			cancel int
		)
		err := row.Scan(&id, &cancel)
		mine[id] = cancel != 0
		return err
	}, beatJobs+"VALUES "+db.Rows(len(jobs), 2, 3)+beaten, args...)
	if err != nil {
		return nil, fmt.Errorf("hold on to jobs: %w", err)
	}
	return mine, nil
}
