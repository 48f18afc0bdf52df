package webhook

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
)

// DeliveryStatus is where a delivery stands.
type DeliveryStatus string

// The statuses of deliveries.
const (
	// Pending is to be sent, for the first time or again.
	Pending DeliveryStatus = "pending"
	// Delivered was taken.
	Delivered DeliveryStatus = "delivered"
	// Dead was not taken in all its attempts. It can be replayed.
	Dead DeliveryStatus = "dead"
)

// Delivery is one event for one endpoint.
type Delivery struct {
	// Event is the id of the event, and of the delivery.
	Event string
	Type  string
	// Body is what is sent.
	Body   string
	Status DeliveryStatus
	// DueAt is the next attempt, nil when none is to come.
	DueAt *time.Time
	// Attempts counts those since it was made, or replayed last.
	Attempts int
	// Log holds the last attempts, the newest last.
	Log    []Attempt
	MadeAt time.Time
	// DoneAt is when it was taken or given up.
	DoneAt *time.Time
}

// Attempt is one time that a message was sent.
type Attempt struct {
	At time.Time `json:"at"`
	// Status is that of the answer, 0 when there was none.
	Status       int   `json:"status,omitempty"`
	Milliseconds int64 `json:"ms"`
	// Error says what went wrong, empty when the message was taken.
	Error string `json:"error,omitempty"`
	// Answer is the beginning of the answer's body.
	Answer string `json:"answer,omitempty"`
}

// keptAttempts is how many attempts a delivery remembers: all of one round, and some of those before a replay.
const keptAttempts = 20

const addPrefix = `INSERT INTO deliveries (bucket, program_id, webhook_id, event_id, type, body, status, due_at, made_at)`

// add makes deliveries; one that is there stays, or is pending again when it is to be sent again.
func add(ctx context.Context, tx *db.Tx, ref Ref, list []*Delivery, now time.Time, again bool) error {
	at := now.UnixMicro()
	args := make([]any, 0, 9*len(list))
	for _, d := range list {
		args = append(args, ref.bucket(), ref.Program, ref.ID, d.Event, d.Type, d.Body, string(Pending), at, at)
	}
	suffix := `ON CONFLICT (bucket, program_id, webhook_id, event_id) DO NOTHING`
	if again {
		suffix = `ON CONFLICT (bucket, program_id, webhook_id, event_id) DO UPDATE
SET status = excluded.status, due_at = excluded.due_at, attempts = 0, done_at = NULL
WHERE deliveries.status <> 'pending'`
	}
	_, err := db.InsertRows(ctx, tx, addPrefix, suffix, 9, args)
	return err
}

const deliveryColumns = `event_id, type, body, status, due_at, attempts, log, made_at, done_at`

func scanDelivery(row db.Scanner) (*Delivery, error) {
	var (
		d         Delivery
		due, done *int64
		log       string
		made      int64
	)
	if err := row.Scan(&d.Event, &d.Type, &d.Body, &d.Status, &due, &d.Attempts, &log, &made, &done); err != nil {
		return nil, err
	}
	d.DueAt, d.DoneAt, d.MadeAt = moment(due), moment(done), toTime(made)
	if err := json.Unmarshal([]byte(log), &d.Log); err != nil {
		return nil, fmt.Errorf("read the attempts of %s: %w", d.Event, err)
	}
	return &d, nil
}

func collect(ctx context.Context, tx *db.Tx, query string, args ...any) ([]*Delivery, error) {
	out := []*Delivery{}
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		d, err := scanDelivery(row)
		out = append(out, d)
		return err
	}, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read deliveries: %w", err)
	}
	return out, nil
}

const (
	dueDeliveries = `
SELECT ` + deliveryColumns + ` FROM deliveries
WHERE bucket = $1 AND program_id = $2 AND webhook_id = $3 AND due_at <= $4
ORDER BY due_at, event_id LIMIT $5`

	nextDelivery = `SELECT MIN(due_at) FROM deliveries WHERE bucket = $1 AND program_id = $2 AND webhook_id = $3 AND due_at > $4`
)

// Due gives up to limit deliveries of the endpoint whose time has come, the longest due first, and when the next one after now is due;
// nil when none is.
func Due(ctx context.Context, tx *db.Tx, ref Ref, now time.Time, limit int) ([]*Delivery, *time.Time, error) {
	out, err := collect(ctx, tx, dueDeliveries, ref.bucket(), ref.Program, ref.ID, now.UnixMicro(), limit)
	if err != nil {
		return nil, nil, err
	}
	var next *int64
	if err := tx.QueryRow(ctx, nextDelivery, ref.bucket(), ref.Program, ref.ID, now.UnixMicro()).Scan(&next); err != nil {
		return nil, nil, fmt.Errorf("look for the next delivery of %s: %w", ref.ID, err)
	}
	return out, moment(next), nil
}

const nearer = `
UPDATE deliveries SET due_at = $1 WHERE bucket = $2 AND program_id = $3 AND webhook_id = $4 AND due_at > $5`

// Nearer makes due now what lies further ahead than any wait is long: some node's clock was wrong when it was written down.
func Nearer(ctx context.Context, tx *db.Tx, ref Ref, now time.Time, furthest time.Duration) error {
	if _, err := tx.Exec(ctx, nearer, now.UnixMicro(), ref.bucket(), ref.Program, ref.ID, now.Add(furthest).UnixMicro()); err != nil {
		return fmt.Errorf("bring deliveries of %s nearer: %w", ref.ID, err)
	}
	return nil
}

// Outcome is what came of sending a delivery.
type Outcome struct {
	// Delivery is as it was read before it was sent.
	*Delivery
	Attempt Attempt
	// Status is what it becomes; Again is the next attempt of one that stays pending.
	Status DeliveryStatus
	Again  time.Time
}

const settlePrefix = `INSERT INTO deliveries (bucket, program_id, webhook_id, event_id, type, body, status, due_at, attempts, log, made_at, done_at)`

// settled overwrites only what stands as it was read: who was slow and lost the endpoint to another node does not undo what that
// one wrote.
const settled = `ON CONFLICT (bucket, program_id, webhook_id, event_id) DO UPDATE
SET status = excluded.status, due_at = excluded.due_at, attempts = excluded.attempts, log = excluded.log, done_at = excluded.done_at
WHERE deliveries.status = 'pending' AND deliveries.attempts = excluded.attempts - 1`

// Settle writes down what came of deliveries.
func Settle(ctx context.Context, tx *db.Tx, ref Ref, list []Outcome, now time.Time) error {
	args := make([]any, 0, 12*len(list))
	for i := range list {
		o := &list[i]
		log := append(append([]Attempt{}, o.Log...), o.Attempt)
		text, err := json.Marshal(log[max(0, len(log)-keptAttempts):])
		if err != nil {
			return fmt.Errorf("write the attempts of %s: %w", o.Event, err)
		}
		var due, done *int64
		if at := now.UnixMicro(); o.Status == Pending {
			at = o.Again.UnixMicro()
			due = &at
		} else {
			done = &at
		}
		args = append(args, ref.bucket(), ref.Program, ref.ID, o.Event, o.Type, "", string(o.Status), due, o.Attempts+1, string(text), o.MadeAt.UnixMicro(), done)
	}
	if _, err := db.InsertRows(ctx, tx, settlePrefix, settled, 12, args); err != nil {
		return fmt.Errorf("write down what came of deliveries of %s: %w", ref.ID, err)
	}
	return nil
}

const getDelivery = `SELECT ` + deliveryColumns + ` FROM deliveries WHERE bucket = $1 AND program_id = $2 AND webhook_id = $3 AND event_id = $4`

// GetDelivery gives one delivery by its event. Not found when there is none.
func GetDelivery(ctx context.Context, tx *db.Tx, ref Ref, event string) (*Delivery, error) {
	d, err := scanDelivery(tx.QueryRow(ctx, getDelivery, ref.bucket(), ref.Program, ref.ID, event))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, errs.NotFound("delivery_not_found", "There is no such delivery to this webhook. Deliveries are kept for a week, dead ones for thirty days.")
	}
	if err != nil {
		return nil, fmt.Errorf("get delivery %s: %w", event, err)
	}
	return d, nil
}

const (
	listDeliveries = `
SELECT ` + deliveryColumns + ` FROM deliveries
WHERE bucket = $1 AND program_id = $2 AND webhook_id = $3 AND (CAST($4 AS text) = '' OR event_id < $4)
ORDER BY event_id DESC LIMIT $5`

	pendingDeliveries = `
SELECT ` + deliveryColumns + ` FROM deliveries
WHERE bucket = $1 AND program_id = $2 AND webhook_id = $3 AND (CAST($4 AS text) = '' OR event_id < $4) AND due_at IS NOT NULL
ORDER BY event_id DESC LIMIT $5`

	deadDeliveries = `
SELECT ` + deliveryColumns + ` FROM deliveries
WHERE bucket = $1 AND program_id = $2 AND webhook_id = $3 AND (CAST($4 AS text) = '' OR event_id < $4) AND status = 'dead'
ORDER BY event_id DESC LIMIT $5`

	deliveredDeliveries = `
SELECT ` + deliveryColumns + ` FROM deliveries
WHERE bucket = $1 AND program_id = $2 AND webhook_id = $3 AND (CAST($4 AS text) = '' OR event_id < $4) AND status = 'delivered'
ORDER BY event_id DESC LIMIT $5`
)

// Deliveries gives a page of the endpoint's deliveries, those of the newest events first: with the given status ("" is any), of events
// before the given one ("" is all).
func Deliveries(ctx context.Context, tx *db.Tx, ref Ref, status DeliveryStatus, before string, limit int) ([]*Delivery, error) {
	query := map[DeliveryStatus]string{"": listDeliveries, Pending: pendingDeliveries, Dead: deadDeliveries, Delivered: deliveredDeliveries}[status]
	if query == "" {
		return nil, errs.Malformed("invalid_parameter", "A delivery is pending, delivered or dead.",
			errs.Field{Pointer: "status", Reason: "wrong_value", Message: "Write pending, delivered or dead."})
	}
	return collect(ctx, tx, query, ref.bucket(), ref.Program, ref.ID, before, limit)
}

const replayOne = `
UPDATE deliveries SET status = 'pending', due_at = $1, attempts = 0, done_at = NULL
WHERE bucket = $2 AND program_id = $3 AND webhook_id = $4 AND event_id = $5`

// ReplayOne has one delivery sent again now, with all its attempts before it. It keeps its id.
func ReplayOne(ctx context.Context, tx *db.Tx, program, id, event string, now time.Time) (*Delivery, error) {
	e, err := sendable(ctx, tx, program, id)
	if err != nil {
		return nil, err
	}
	ref := e.Ref()
	if _, err := tx.Exec(ctx, replayOne, now.UnixMicro(), ref.bucket(), program, id, event); err != nil {
		return nil, fmt.Errorf("replay %s: %w", event, err)
	}
	d, err := GetDelivery(ctx, tx, ref, event)
	if err != nil {
		return nil, err
	}
	return d, Attend(ctx, tx, ref, now)
}

const replayDead = `
UPDATE deliveries SET status = 'pending', due_at = $1, attempts = 0, done_at = NULL
WHERE bucket = $2 AND program_id = $3 AND webhook_id = $4 AND status = 'dead'`

// ReplayDead has all dead deliveries of the endpoint sent again, and says how many.
func ReplayDead(ctx context.Context, tx *db.Tx, program, id string, now time.Time) (int64, error) {
	e, err := sendable(ctx, tx, program, id)
	if err != nil {
		return 0, err
	}
	ref := e.Ref()
	result, err := tx.Exec(ctx, replayDead, now.UnixMicro(), ref.bucket(), program, id)
	if err != nil {
		return 0, fmt.Errorf("replay what is dead of %s: %w", id, err)
	}
	n, err := result.RowsAffected()
	if err != nil {
		return 0, err
	}
	return n, Attend(ctx, tx, ref, now)
}

// Test has a test event sent to the endpoint, and gives the delivery.
func Test(ctx context.Context, tx *db.Tx, program, id string, now time.Time) (*Delivery, error) {
	e, err := sendable(ctx, tx, program, id)
	if err != nil {
		return nil, err
	}
	event, err := own(ctx, tx, e, EvTest, map[string]string{"webhook": id}, now)
	if err != nil {
		return nil, err
	}
	return GetDelivery(ctx, tx, e.Ref(), event)
}

// TellDisabled tells the program's other endpoints that one was disabled by itself.
func TellDisabled(ctx context.Context, tx *db.Tx, gone *Endpoint, now time.Time) error {
	all, err := List(ctx, tx, gone.Program)
	if err != nil {
		return err
	}
	for _, e := range all {
		if e.ID == gone.ID || e.Status != Active || !e.Wants(EvDisabled) {
			continue
		}
		if _, err := own(ctx, tx, e, EvDisabled, map[string]string{"webhook": gone.ID, "host": gone.Host(), "reason": gone.Reason}, now); err != nil {
			return err
		}
	}
	return nil
}

// own makes the delivery of an event that is not in the feed, and gives its id.
func own(ctx context.Context, tx *db.Tx, e *Endpoint, typ string, data map[string]string, now time.Time) (string, error) {
	ref, at := e.Ref(), now.UTC().Truncate(time.Microsecond)
	id := ids.NewIn(books.EventPrefix, now, ref.bucket())
	text, err := json.Marshal(OwnEvent{id, typ, at, at, data})
	if err != nil {
		return "", fmt.Errorf("write %s: %w", typ, err)
	}
	body, err := Body(e, Message{ID: id, Type: typ, Time: at, Data: text})
	if err == nil {
		err = add(ctx, tx, ref, []*Delivery{{Event: id, Type: typ, Body: body}}, now, false)
	}
	if err == nil {
		err = Attend(ctx, tx, ref, now)
	}
	if err != nil {
		return "", fmt.Errorf("send %s to webhook %s: %w", typ, e.ID, err)
	}
	return id, nil
}

// OwnEvent is an event that no fact leads to, in the form of those of the feed.
type OwnEvent struct {
	ID         string            `json:"id"`
	Type       string            `json:"type"`
	OccurredAt time.Time         `json:"occurred_at"`
	RecordedAt time.Time         `json:"recorded_at"`
	Data       map[string]string `json:"data"`
}

const (
	// KeepDelivered is how long deliveries are kept after they were taken.
	KeepDelivered = 7 * 24 * time.Hour
	// KeepDead is how long they are kept after they were given up.
	KeepDead = 30 * 24 * time.Hour

	oldDeliveries = `
SELECT bucket, program_id, webhook_id, event_id FROM deliveries
WHERE done_at < $1 AND (status = 'delivered' OR done_at < $2)
ORDER BY done_at LIMIT $3`
	deletePrefix = `DELETE FROM deliveries WHERE bucket = $1 AND program_id = $2 AND webhook_id = $3 AND event_id IN (`
)

// Forget deletes up to limit deliveries whose time is over, and says how many.
func Forget(ctx context.Context, tx *db.Tx, now time.Time, limit int) (int, error) {
	old, all := map[Ref][]string{}, 0
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		var (
			bucket int32
			ref    Ref
			event  string
		)
		err := row.Scan(&bucket, &ref.Program, &ref.ID, &event)
		old[ref] = append(old[ref], event)
		all++
		return err
	}, oldDeliveries, now.Add(-KeepDelivered).UnixMicro(), now.Add(-KeepDead).UnixMicro(), limit)
	if err != nil {
		return 0, fmt.Errorf("look for old deliveries: %w", err)
	}
	for ref, events := range old {
		if err := deleteDeliveries(ctx, tx, ref, events); err != nil {
			return 0, fmt.Errorf("forget old deliveries of %s: %w", ref.ID, err)
		}
	}
	return all, nil
}

func deleteDeliveries(ctx context.Context, tx *db.Tx, ref Ref, events []string) error {
	if len(events) == 0 {
		return nil
	}
	args := []any{ref.bucket(), ref.Program, ref.ID}
	for _, e := range events {
		args = append(args, e)
	}
	list := db.Rows(1, len(events), 4)
	_, err := tx.Exec(ctx, deletePrefix+list[1:], args...)
	return err
}

// Backlog is what waits and what was given up.
type Backlog struct {
	Pending, Dead int64
	// Oldest is when the oldest of what waits was made; nil when nothing waits.
	Oldest *time.Time
}

const (
	backlogOf = `
SELECT (SELECT COUNT(*) FROM deliveries WHERE bucket = $1 AND program_id = $2 AND webhook_id = $3 AND due_at IS NOT NULL),
	(SELECT MIN(made_at) FROM deliveries WHERE bucket = $1 AND program_id = $2 AND webhook_id = $3 AND due_at IS NOT NULL),
	(SELECT COUNT(*) FROM deliveries WHERE bucket = $1 AND program_id = $2 AND webhook_id = $3 AND status = 'dead')`
	waiting = `
SELECT COUNT(*) FROM (SELECT 1 FROM deliveries WHERE bucket = $1 AND program_id = $2 AND webhook_id = $3 AND due_at IS NOT NULL LIMIT $4) AS waiting`
	backlog = `
SELECT (SELECT COUNT(*) FROM deliveries WHERE due_at IS NOT NULL), (SELECT MIN(made_at) FROM deliveries WHERE due_at IS NOT NULL),
	(SELECT COUNT(*) FROM deliveries WHERE status = 'dead')`
)

// Waiting gives how many deliveries of the endpoint wait; it counts no further than most.
func Waiting(ctx context.Context, tx *db.Tx, ref Ref, most int64) (n int64, err error) {
	if err := tx.QueryRow(ctx, waiting, ref.bucket(), ref.Program, ref.ID, most).Scan(&n); err != nil {
		return 0, fmt.Errorf("count what waits of webhook %s: %w", ref.ID, err)
	}
	return n, nil
}

// BacklogOf counts for one endpoint.
func BacklogOf(ctx context.Context, tx *db.Tx, ref Ref) (Backlog, error) {
	return scanBacklog(tx.QueryRow(ctx, backlogOf, ref.bucket(), ref.Program, ref.ID))
}

// WholeBacklog counts for all endpoints of all programs.
func WholeBacklog(ctx context.Context, tx *db.Tx) (Backlog, error) {
	return scanBacklog(tx.QueryRow(ctx, backlog))
}

func scanBacklog(row db.Scanner) (Backlog, error) {
	var (
		b      Backlog
		oldest *int64
	)
	if err := row.Scan(&b.Pending, &oldest, &b.Dead); err != nil {
		return Backlog{}, fmt.Errorf("count deliveries: %w", err)
	}
	b.Oldest = moment(oldest)
	return b, nil
}
