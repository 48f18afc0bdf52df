// Package job keeps work that is to be done later, done again until it succeeds, or taken over when the node that does it dies.
//
// It owns the tables jobs and job_pauses, and the runner that works them off. It does not own what a job does: a kind is a
// word here, and its arguments are text.
//
// What always holds: a job is inserted in the transaction of what it belongs to, so there is never one without the other; it
// is held by one node at a time, and whoever lost it can change it no more; a node that dies or stands still loses what
// it held when the lease is over; a job that fails comes again, later each time, until its attempts are used up. So a
// job is done at least once, and what it does must bear being done twice.
//
// The names and meanings of states are those of River (riverqueue.com):
//
//	available   may be taken. Entered by an insert, by a rescue, when a node hands back what it could not finish, and by a retry by hand.
//	scheduled   may be taken from a later time on. Entered by an insert with a time, and by a job that asks to come again.
//	running     is held by a node. Left by every other state below, and by the lease's end.
//	retryable   has failed and may be taken again after a while.
//	completed   is done.
//	cancelled   was called off, by somebody or by itself.
//	discarded   has failed as often as it may. It stays, to be looked at and retried by hand, until it is forgotten.
//
// A lease is no point in time, since the clocks of two nodes may differ by more than it is long. The holder raises a
// counter, the beat; another node that sees it stand still for the length of the lease, by its own watch, takes the job over.
package job

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
)

// IDPrefix is the type prefix of job ids.
const IDPrefix = "job"

// State is where a job is in its life.
type State string

// The states; the package comment says when each is entered and left.
const (
	Available State = "available"
	Scheduled State = "scheduled"
	Running   State = "running"
	Retryable State = "retryable"
	Completed State = "completed"
	Cancelled State = "cancelled"
	Discarded State = "discarded"
)

// States lists every state, from the first to the last of a life.
var States = []State{Available, Scheduled, Running, Retryable, Completed, Cancelled, Discarded}

// Job is a job as it was when it was read.
type Job struct {
	ID   string `json:"id"`
	Kind string `json:"kind"`
	// Unique is the key that no other unfinished job of the kind has; empty when there is no such bound.
	Unique string `json:"unique,omitempty"`
	State  State  `json:"state"`
	// Priority goes from 1, taken first, to 4.
	Priority int `json:"priority"`
	// DueAt is when it may be taken; nil while it runs and when it is over.
	DueAt *time.Time `json:"due_at,omitempty"`
	// Attempt counts the times it was taken, but for those in which it was handed back or asked to come again.
	Attempt int `json:"attempt"`
	// MaxAttempts is when it is discarded; 0 is never.
	MaxAttempts int `json:"max_attempts"`
	// Args is a JSON object.
	Args string `json:"-"`
	// Holder is the node that has it.
	Holder string `json:"holder,omitempty"`
	// Lease is how long the holder may stand still.
	Lease      time.Duration `json:"-"`
	CreatedAt  time.Time     `json:"created_at"`
	TakenAt    *time.Time    `json:"taken_at,omitempty"`
	BeatAt     *time.Time    `json:"beat_at,omitempty"`
	FinishedAt *time.Time    `json:"finished_at,omitempty"`
	// Errors are the last failures, the newest last.
	Errors []Failure `json:"errors,omitempty"`

	bucket int32
	asked  int64
	beat   int64
	cancel bool
}

// Failure is what went wrong in one attempt.
type Failure struct {
	At      time.Time `json:"at"`
	Attempt int       `json:"attempt"`
	Error   string    `json:"error"`
}

const (
	// keptFailures is how many failures a job remembers, and keptText how many bytes of each.
	keptFailures = 10
	keptText     = 500
)

// failed adds a failure to those that the job remembers.
func (j *Job) failed(at time.Time, text string) {
	j.Errors = append(j.Errors, Failure{At: at.UTC().Truncate(time.Microsecond), Attempt: j.Attempt, Error: shorten(text)})
	if n := len(j.Errors) - keptFailures; n > 0 {
		j.Errors = j.Errors[n:]
	}
}

func shorten(text string) string {
	if len(text) <= keptText {
		return text
	}
	return string([]rune(text[:keptText-4])) + " …" // a character that was cut in two becomes a question mark
}

const jobColumns = `bucket, job_id, kind, unique_key, state, priority, due_at, attempt, max_attempts, args, asked, cancel_asked, holder, beat, lease, errors,
	created_at, taken_at, beat_at, finished_at`

func scanJob(row db.Scanner) (*Job, error) {
	var (
		j                          Job
		due, taken, beat, finished *int64
		cancel, lease, created     int64
		failures                   string
	)
	err := row.Scan(&j.bucket, &j.ID, &j.Kind, &j.Unique, &j.State, &j.Priority, &due, &j.Attempt, &j.MaxAttempts, &j.Args, &j.asked, &cancel,
		&j.Holder, &j.beat, &lease, &failures, &created, &taken, &beat, &finished)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(failures), &j.Errors); err != nil {
		return nil, fmt.Errorf("read the failures of job %s: %w", j.ID, err)
	}
	j.cancel, j.Lease, j.CreatedAt = cancel != 0, time.Duration(lease)*time.Microsecond, time.UnixMicro(created).UTC()
	j.DueAt, j.TakenAt, j.BeatAt, j.FinishedAt = moment(due), moment(taken), moment(beat), moment(finished)
	return &j, nil
}

func moment(us *int64) *time.Time {
	if us == nil {
		return nil
	}
	t := time.UnixMicro(*us).UTC()
	return &t
}

// New is a job to insert.
type New struct {
	Kind string
	// Unique, when not empty, makes an insert ask for the unfinished job of the kind that has it, if there is one: a waiting job
	// is then due at the earlier of both times, and a running one runs once more when it is over.
	Unique string
	// Args becomes a JSON object; nil is an empty one. That of the job that is there already stays.
	Args any
	// RunAt is when it is due; the zero value is now.
	RunAt time.Time
	// Priority goes from 1, taken first, to 4; 0 is 2.
	Priority int
	// MaxAttempts is how often it is tried; 0 is without end.
	MaxAttempts int
}

const insertJob = `
INSERT INTO jobs (bucket, job_id, kind, unique_key, state, priority, due_at, max_attempts, args, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (bucket, kind, unique_key) WHERE unique_key <> '' AND finished_at IS NULL DO UPDATE
SET asked = jobs.asked + 1,
	state = CASE WHEN jobs.state = 'scheduled' AND excluded.due_at < jobs.due_at THEN excluded.state ELSE jobs.state END,
	due_at = CASE WHEN excluded.due_at < jobs.due_at THEN excluded.due_at ELSE jobs.due_at END
RETURNING ` + jobColumns

// Insert adds a job in the transaction of what it is for, or asks for the one that is there (see [New.Unique]). A runner
// on the same node learns of it by its next look or by [Runner.Wake].
func Insert(ctx context.Context, tx *db.Tx, in New, now time.Time) (*Job, error) {
	args, err := argsOf(in)
	if err != nil {
		return nil, err
	}
	state, due := Available, now
	if in.RunAt.After(now) {
		state, due = Scheduled, in.RunAt
	}
	if in.Priority == 0 {
		in.Priority = 2
	}
	bucket := bucketOf(in.Kind)
	id := ids.NewIn(IDPrefix, now, bucket)
	j, err := scanJob(tx.QueryRow(ctx, insertJob, bucket, id, in.Kind, in.Unique, string(state), in.Priority, due.UnixMicro(), in.MaxAttempts, args, now.UnixMicro()))
	if err != nil {
		return nil, fmt.Errorf("insert a job %s: %w", in.Kind, err)
	}
	return j, nil
}

func argsOf(in New) (string, error) {
	if in.Args == nil {
		return "{}", nil
	}
	text, err := json.Marshal(in.Args)
	if err != nil {
		return "", fmt.Errorf("write the arguments of a job %s: %w", in.Kind, err)
	}
	return string(text), nil
}

// bucketOf is that of all jobs of a kind: a node asks for what is due kind by kind, and so it asks one bucket.
func bucketOf(kind string) int32 { return ids.Bucket(kind, "") }

func noJob() error { return errs.NotFound("job_not_found", "There is no such job.") }

const getJob = `SELECT ` + jobColumns + ` FROM jobs WHERE bucket = $1 AND job_id = $2`

// Get gives one job. Not found when there is none.
func Get(ctx context.Context, tx *db.Tx, id string) (*Job, error) {
	bucket, ok := ids.BucketOf(id)
	if !ok {
		return nil, noJob()
	}
	return one(tx.QueryRow(ctx, getJob, bucket, id))
}

const findJob = `SELECT ` + jobColumns + ` FROM jobs WHERE bucket = $1 AND kind = $2 AND unique_key = $3 AND finished_at IS NULL`

// Find gives the unfinished job of a kind with the unique key. Not found when there is none.
func Find(ctx context.Context, tx *db.Tx, kind, unique string) (*Job, error) {
	return one(tx.QueryRow(ctx, findJob, bucketOf(kind), kind, unique))
}

const askedJobs = `SELECT unique_key, asked FROM jobs WHERE bucket = $1 AND kind = $2 AND unique_key <> '' AND finished_at IS NULL`

// Asked gives, for the unfinished jobs of a kind by their unique keys, a number that grows with every insert that asks for one.
func Asked(ctx context.Context, tx *db.Tx, kind string) (map[string]int64, error) {
	out := map[string]int64{}
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		var (
			key   string
			asked int64
		)
		err := row.Scan(&key, &asked)
		out[key] = asked
		return err
	}, askedJobs, bucketOf(kind), kind)
	if err != nil {
		return nil, fmt.Errorf("look which jobs %s are asked for: %w", kind, err)
	}
	return out, nil
}

func one(row db.Scanner) (*Job, error) {
	j, err := scanJob(row)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, noJob()
	}
	if err != nil {
		return nil, fmt.Errorf("read a job: %w", err)
	}
	return j, nil
}

// Query narrows List. Empty fields match anything.
type Query struct {
	Kind  string
	State State
	// Limit is the number of jobs, 100 when 0.
	Limit int
}

const listJobs = `
SELECT ` + jobColumns + ` FROM jobs
WHERE (CAST($1 AS text) = '' OR kind = $1) AND (CAST($2 AS text) = '' OR state = $2)
ORDER BY job_id DESC LIMIT $3`

// List gives jobs, the newest first.
func List(ctx context.Context, tx *db.Tx, q Query) ([]*Job, error) {
	if q.Limit <= 0 {
		q.Limit = 100
	}
	out := []*Job{}
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		j, err := scanJob(row)
		out = append(out, j)
		return err
	}, listJobs, q.Kind, string(q.State), q.Limit)
	if err != nil {
		return nil, fmt.Errorf("list jobs: %w", err)
	}
	return out, nil
}

// Count is how many jobs of a kind are in a state.
type Count struct {
	Kind  string `json:"kind"`
	State State  `json:"state"`
	Jobs  int64  `json:"jobs"`
}

const countJobs = `SELECT kind, state, COUNT(*) FROM jobs GROUP BY kind, state ORDER BY kind, state`

// Counts gives the number of jobs by kind and state; what there is none of is not in it.
func Counts(ctx context.Context, tx *db.Tx) ([]Count, error) {
	var out []Count
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		var c Count
		err := row.Scan(&c.Kind, &c.State, &c.Jobs)
		out = append(out, c)
		return err
	}, countJobs)
	if err != nil {
		return nil, fmt.Errorf("count jobs: %w", err)
	}
	return out, nil
}

const cancelJob = `
UPDATE jobs SET cancel_asked = 1,
	state = CASE WHEN state = 'running' THEN state ELSE 'cancelled' END,
	finished_at = CASE WHEN state = 'running' THEN NULL ELSE CAST($1 AS bigint) END,
	due_at = NULL
WHERE bucket = $2 AND job_id = $3 AND finished_at IS NULL`

// Cancel calls a job off. One that runs is told at its next heartbeat, and is cancelled when it has ended. A job that is over
// stays as it is.
func Cancel(ctx context.Context, tx *db.Tx, id string, now time.Time) (*Job, error) {
	bucket, ok := ids.BucketOf(id)
	if !ok {
		return nil, noJob()
	}
	if _, err := tx.Exec(ctx, cancelJob, now.UnixMicro(), bucket, id); err != nil {
		return nil, fmt.Errorf("cancel job %s: %w", id, err)
	}
	return Get(ctx, tx, id)
}

const retryJob = `
UPDATE jobs SET state = 'available', due_at = $1, attempt = 0, cancel_asked = 0, finished_at = NULL
WHERE bucket = $2 AND job_id = $3 AND state <> 'running' AND state <> 'completed'`

// Retry makes a job that waits, was discarded or cancelled due now, with all its attempts again. One that runs or is
// completed stays as it is. It is a conflict when another unfinished job has its unique key.
func Retry(ctx context.Context, tx *db.Tx, id string, now time.Time) (*Job, error) {
	bucket, ok := ids.BucketOf(id)
	if !ok {
		return nil, noJob()
	}
	_, err := tx.Exec(ctx, retryJob, now.UnixMicro(), bucket, id)
	if db.IsUnique(err) {
		return nil, errs.Conflict("job_superseded", "Another job does the same already: look at that one.").Because(err)
	}
	if err != nil {
		return nil, fmt.Errorf("retry job %s: %w", id, err)
	}
	return Get(ctx, tx, id)
}

const (
	pauseKind  = `INSERT INTO job_pauses (kind, paused_at, paused_by) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`
	resumeKind = `DELETE FROM job_pauses WHERE kind = $1`
	pauses     = `SELECT kind FROM job_pauses ORDER BY kind`
)

// Pause keeps all nodes from taking jobs of a kind. Those that run go on.
func Pause(ctx context.Context, tx *db.Tx, kind, by string, now time.Time) error {
	if _, err := tx.Exec(ctx, pauseKind, kind, now.UnixMicro(), by); err != nil {
		return fmt.Errorf("pause jobs %s: %w", kind, err)
	}
	return nil
}

// Resume ends a pause.
func Resume(ctx context.Context, tx *db.Tx, kind string) error {
	if _, err := tx.Exec(ctx, resumeKind, kind); err != nil {
		return fmt.Errorf("resume jobs %s: %w", kind, err)
	}
	return nil
}

// Paused gives the kinds that are paused.
func Paused(ctx context.Context, tx *db.Tx) ([]string, error) {
	var out []string
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		var kind string
		err := row.Scan(&kind)
		out = append(out, kind)
		return err
	}, pauses)
	if err != nil {
		return nil, fmt.Errorf("read the pauses of jobs: %w", err)
	}
	return out, nil
}

const (
	finishedJobs = `SELECT bucket, job_id FROM jobs WHERE finished_at < $1 ORDER BY finished_at LIMIT $2`
	deleteJob    = `DELETE FROM jobs WHERE bucket = $1 AND job_id = $2 AND finished_at IS NOT NULL`
)

// Forget deletes up to limit jobs that were over before the time, and says how many.
func Forget(ctx context.Context, tx *db.Tx, before time.Time, limit int) (int, error) {
	old, err := places(ctx, tx, finishedJobs, before.UnixMicro(), limit)
	if err != nil {
		return 0, fmt.Errorf("look for old jobs: %w", err)
	}
	for _, p := range old {
		if _, err := tx.Exec(ctx, deleteJob, p.bucket, p.id); err != nil {
			return 0, fmt.Errorf("forget job %s: %w", p.id, err)
		}
	}
	return len(old), nil
}

// place is where a job's row is.
type place struct {
	bucket int32
	id     string
}

func places(ctx context.Context, tx *db.Tx, query string, args ...any) ([]place, error) {
	var out []place
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		var p place
		err := row.Scan(&p.bucket, &p.id)
		out = append(out, p)
		return err
	}, query, args...)
	return out, err
}

// What a job's function gives back in place of an ordinary failure.

// again is the wish to be run again.
type again struct{ at time.Time }

func (a again) Error() string { return "again at " + a.at.Format(time.RFC3339Nano) }

// Again is given back by a job's function to have the job run again at the time. It is no failure and counts as no attempt.
func Again(at time.Time) error { return again{at} }

// final is a failure that no further attempt would mend.
type final struct {
	state State
	cause error
}

func (f final) Error() string { return f.cause.Error() }
func (f final) Unwrap() error { return f.cause }

// Discard is given back by a job's function to discard the job without further attempts.
func Discard(cause error) error { return final{Discarded, cause} }

// CallOff is given back by a job's function to cancel the job.
func CallOff(cause error) error { return final{Cancelled, cause} }

// Causes for which the context of a running job ends; context.Cause tells which.
var (
	// ErrStopping: the node stops. What is not finished is handed back.
	ErrStopping = errors.New("the node stops")
	// ErrLost: another node may have the job now; nothing may be done in its name any more.
	ErrLost = errors.New("the job's lease is lost")
	// ErrCancelled: the job was called off.
	ErrCancelled = errors.New("the job was called off")
)
