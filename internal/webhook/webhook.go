// Package webhook keeps the endpoints that want to be told of events, and what was sent to each of them.
//
// It owns the tables webhooks, webhook_secrets, webhook_places and deliveries: which endpoint wants what, what its messages are
// signed with, how far it has come in the feed, and one delivery for each event and endpoint. It does not own the feed
// (books), nor the sending (relay).
//
// What always holds: the deliveries of an endpoint are made as its place in the feed moves, in one transaction that is undone
// when another moved it first, so each event gets one delivery and none gets lost; a delivery has the id of its event,
// whatever befalls it, so a receiver knows what comes twice; a delivery is pending until it was taken or its attempts
// are used up, and while its endpoint is disabled it waits; a secret is shown once, and is in no list, log, audit or export.
package webhook

//go:generate go test . -run ^TestTheEventsAreDocumented$ -update

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/job"
)

// IDPrefix is the type prefix of endpoints' ids.
const IDPrefix = "whk"

// JobKind is the kind of the job that each endpoint has: whoever holds it sends to the endpoint.
const JobKind = "webhook"

// Types of events that no fact leads to, and that the feed does not have.
const (
	// EvTest is sent when somebody asks for it.
	EvTest = "webhook.test"
	// EvDisabled tells the other endpoints of a program that one was disabled.
	EvDisabled = "webhook.disabled"
)

// OwnTypes describe the types of events that no fact leads to.
var OwnTypes = []engine.EventType{
	{Type: EvTest, Version: 1, Text: "Somebody asked for a test of this endpoint. It is sent whatever types the endpoint wants, and is not in the feed.", Fields: []engine.EventField{
		{Name: "webhook", Text: "The id of the endpoint.", Example: "whk_01k9zjq3hfe1f8m6v7j0q3x5c4"},
	}},
	{Type: EvDisabled, Version: 1, Text: "Another endpoint was disabled by itself. It is not in the feed.", Fields: []engine.EventField{
		{Name: "webhook", Text: "The id of the endpoint that was disabled.", Example: "whk_01k9zjq3hfe1f8m6v7j0q3x5c4"},
		{Name: "host", Text: "Where it is. The address itself may hold what is for nobody else.", Example: "shop.example.com"},
		{Name: "reason", Text: "gone, when it answered 410; failing, when nothing was taken for five days.", Example: "failing"},
	}},
}

// Payload is how much a message says.
type Payload string

// The payloads.
const (
	// Thin has the event: ids and amounts.
	Thin Payload = "thin"
	// Full has the fact that led to it besides, as the API shows it.
	Full Payload = "full"
)

// Format is the form of a message's body.
type Format string

// The formats.
const (
	// Standard is the body of Standard Webhooks: type, timestamp, data.
	Standard Format = "standard"
	// CloudEvents is the JSON format of CloudEvents 1.0.
	CloudEvents Format = "cloudevents"
)

// Status is whether an endpoint is sent to.
type Status string

// The statuses.
const (
	Active   Status = "active"
	Disabled Status = "disabled"
	// removed endpoints are to be deleted with their deliveries, and are seen by nobody but the job that does it.
	removed Status = "removed"
)

// Reasons why an endpoint is disabled.
const (
	// ByHand: somebody disabled it.
	ByHand = "by_hand"
	// Gone: it answered 410.
	Gone = "gone"
	// Failing: nothing was taken for [FailingFor].
	Failing = "failing"
)

// FailingFor is how long nothing may be taken before an endpoint is disabled.
const FailingFor = 5 * 24 * time.Hour

// Endpoint is an address that wants to be told of events.
type Endpoint struct {
	ID          string
	Program     string
	URL         string
	Description string
	// Types are the types of events it wants, points.* for all that begin so; empty is all.
	Types   []string
	Payload Payload
	Format  Format
	// Concurrency is how many messages are sent at once, PerSecond how many are begun in a second, 0 for no bound.
	Concurrency, PerSecond int
	Status                 Status
	Reason                 string
	DisabledAt             *time.Time
	CreatedAt, UpdatedAt   time.Time
	Revision               int64
}

// Host is the part of the address that may be shown in logs and to others.
func (e *Endpoint) Host() string {
	u, err := url.Parse(e.URL)
	if err != nil {
		return ""
	}
	return u.Host
}

// Ref names the endpoint.
func (e *Endpoint) Ref() Ref { return Ref{e.Program, e.ID} }

// Wants says whether the endpoint is told of events of the type.
func (e *Endpoint) Wants(typ string) bool {
	return len(e.Types) == 0 || slices.ContainsFunc(e.Types, func(want string) bool { return matches(want, typ) })
}

func matches(want, typ string) bool {
	if prefix, ok := strings.CutSuffix(want, "*"); ok {
		return strings.HasPrefix(typ, prefix)
	}
	return want == typ
}

// Ref names an endpoint.
type Ref struct {
	Program string `json:"program"`
	ID      string `json:"id"`
}

func (r Ref) bucket() int32 { return ids.Bucket(r.Program, r.ID) }

// Settings are what may be chosen of an endpoint. nil fields are left as they are, or, of a new one, are the defaults.
type Settings struct {
	URL         *string
	Description *string
	Types       *[]string
	Payload     *Payload
	Format      *Format
	Concurrency *int
	PerSecond   *int
}

const (
	defaultConcurrency = 8
	mostConcurrency    = 64
	mostPerSecond      = 100_000
	longestURL         = 2000
	longestDescription = 500
)

// apply puts the settings into the endpoint and says what is wrong with them.
func (s Settings) apply(e *Endpoint) error {
	var fields []errs.Field
	wrong := func(pointer, reason, message string) {
		fields = append(fields, errs.Field{Pointer: pointer, Reason: reason, Message: message})
	}
	if s.URL != nil {
		e.URL = strings.TrimSpace(*s.URL)
	}
	if message := checkURL(e.URL); message != "" {
		wrong("/url", "invalid_url", message)
	}
	if s.Description != nil {
		e.Description = strings.TrimSpace(*s.Description)
	}
	if utf8.RuneCountInString(e.Description) > longestDescription {
		wrong("/description", "too_long", "A description has at most 500 characters.")
	}
	if s.Types != nil {
		e.Types = append([]string{}, slices.Compact(slices.Sorted(slices.Values(*s.Types)))...)
		for i, t := range *s.Types {
			if !known(t) {
				wrong(fmt.Sprintf("/types/%d", i), "unknown_type", fmt.Sprintf("There is no event of the type %q. docs/events.md lists them; points.* is all that begin so, and no type at all is every event.", t))
			}
		}
	}
	if s.Payload != nil {
		e.Payload = *s.Payload
	}
	if e.Payload != Thin && e.Payload != Full {
		wrong("/payload", "unknown_word", "The payload is thin or full.")
	}
	if s.Format != nil {
		e.Format = *s.Format
	}
	if e.Format != Standard && e.Format != CloudEvents {
		wrong("/format", "unknown_word", "The format is standard or cloudevents.")
	}
	if s.Concurrency != nil {
		e.Concurrency = *s.Concurrency
	}
	if e.Concurrency < 1 || e.Concurrency > mostConcurrency {
		wrong("/concurrency", "out_of_range", "1 to 64 messages are sent at once.")
	}
	if s.PerSecond != nil {
		e.PerSecond = *s.PerSecond
	}
	if e.PerSecond < 0 || e.PerSecond > mostPerSecond {
		wrong("/per_second", "out_of_range", "Write how many messages a second may be sent, up to 100000; 0 is no bound.")
	}
	if len(fields) > 0 {
		return errs.Invalid("invalid_webhook", "The webhook cannot be like this.", fields...)
	}
	return nil
}

// checkURL says what is wrong with the form of an address, "" when nothing is. Where it leads is looked at when it is dialled.
func checkURL(text string) string {
	u, err := url.Parse(text)
	switch {
	case text == "":
		return "Write the address to send to: https://…."
	case len(text) > longestURL:
		return "An address has at most 2000 characters."
	case err != nil:
		return "This is no address: write https://HOST/PATH."
	case u.Scheme != "https" && u.Scheme != "http", u.Hostname() == "", u.Opaque != "":
		return "The address begins with https:// and names a host."
	case u.User != nil:
		return "The address may not hold a name or password: it is shown in lists. The signature says who sends."
	case u.Fragment != "":
		return "The address may not have a part after #: it is never sent."
	}
	return ""
}

// known says whether a filter names a type of event, or the beginning of some.
func known(want string) bool {
	if strings.Count(want, "*") > 0 && !strings.HasSuffix(want, ".*") {
		return false
	}
	match := func(t engine.EventType) bool { return matches(want, t.Type) }
	return slices.ContainsFunc(engine.EventTypes, match) || slices.ContainsFunc(OwnTypes, match)
}

// New is an endpoint to make.
type New struct {
	Program string
	Settings
	// Secret is one that the receiver knows already, whsec_ and 24 to 64 bytes in base 64; empty makes a new one.
	Secret string
	Now    time.Time
}

const insertWebhook = `
INSERT INTO webhooks (program_id, webhook_id, url, description, types, payload, format, concurrency, per_second, status, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)`

// Create makes an endpoint that is told of all events from now on, and gives it with its secret, which is never to be had again.
func Create(ctx context.Context, tx *db.Tx, in New) (*Endpoint, string, error) {
	e := &Endpoint{
		ID: ids.New(IDPrefix, in.Now), Program: in.Program, Types: []string{}, Payload: Thin, Format: Standard, Concurrency: defaultConcurrency, Status: Active,
		CreatedAt: in.Now.UTC().Truncate(time.Microsecond), Revision: 1,
	}
	e.UpdatedAt = e.CreatedAt
	secret := in.Secret
	if secret == "" {
		secret = newSecret()
	}
	err := in.apply(e)
	if message := checkSecret(secret); message != "" {
		field := errs.Field{Pointer: "/secret", Reason: "invalid_secret", Message: message}
		if err == nil {
			err = errs.Invalid("invalid_webhook", "The webhook cannot be like this.", field)
		} else {
			errs.As(err).Fields = append(errs.As(err).Fields, field)
		}
	}
	if err != nil {
		return nil, "", err
	}
	at := in.Now.UnixMicro()
	_, err = tx.Exec(ctx, insertWebhook, e.Program, e.ID, e.URL, e.Description, strings.Join(e.Types, " "), string(e.Payload), string(e.Format),
		e.Concurrency, e.PerSecond, string(e.Status), at)
	if err == nil {
		err = addSecret(ctx, tx, e.Ref(), secret, in.Now)
	}
	if err == nil {
		err = addPlace(ctx, tx, e.Ref())
	}
	if err == nil {
		err = Attend(ctx, tx, e.Ref(), in.Now)
	}
	if err != nil {
		return nil, "", fmt.Errorf("create a webhook: %w", err)
	}
	return e, secret, nil
}

// Attend makes sure that some node looks after the endpoint, soon.
func Attend(ctx context.Context, tx *db.Tx, ref Ref, now time.Time) error {
	_, err := job.Insert(ctx, tx, job.New{Kind: JobKind, Unique: ref.ID, Args: ref}, now)
	return err
}

// Mark changes whenever an endpoint is changed, or [Attend] asks for it.
type Mark struct{ revision, asked int64 }

const revisions = `SELECT webhook_id, revision FROM webhooks WHERE status <> 'disabled'`

// Marks gives the marks of all endpoints of all programs that some node must look after, by their ids, in two statements.
func Marks(ctx context.Context, tx *db.Tx) (map[string]Mark, error) {
	asked, err := job.Asked(ctx, tx, JobKind)
	if err != nil {
		return nil, err
	}
	out := map[string]Mark{}
	err = db.Collect(ctx, tx, func(row db.Scanner) error {
		var (
			id string
			m  Mark
		)
		err := row.Scan(&id, &m.revision)
		m.asked = asked[id]
		out[id] = m
		return err
	}, revisions)
	if err != nil {
		return nil, fmt.Errorf("look at the webhooks: %w", err)
	}
	return out, nil
}

const webhookColumns = `program_id, webhook_id, url, description, types, payload, format, concurrency, per_second, status, reason, disabled_at, created_at, updated_at, revision`

func scanEndpoint(row db.Scanner) (*Endpoint, error) {
	var (
		e                Endpoint
		types            string
		disabled         *int64
		created, updated int64
	)
	err := row.Scan(&e.Program, &e.ID, &e.URL, &e.Description, &types, &e.Payload, &e.Format, &e.Concurrency, &e.PerSecond, &e.Status, &e.Reason, &disabled, &created, &updated, &e.Revision)
	e.Types, e.DisabledAt, e.CreatedAt, e.UpdatedAt = strings.Fields(types), moment(disabled), toTime(created), toTime(updated)
	return &e, err
}

func toTime(us int64) time.Time { return time.UnixMicro(us).UTC() }

func moment(us *int64) *time.Time {
	if us == nil {
		return nil
	}
	t := toTime(*us)
	return &t
}

func noWebhook() error {
	return errs.NotFound("webhook_not_found", "There is no such webhook in this program.")
}

const getWebhook = `SELECT ` + webhookColumns + ` FROM webhooks WHERE program_id = $1 AND webhook_id = $2`

// Get gives one endpoint of the program. Not found when there is none.
func Get(ctx context.Context, tx *db.Tx, program, id string) (*Endpoint, error) {
	e, err := get(ctx, tx, program, id)
	if err == nil && e.Status == removed {
		return nil, noWebhook()
	}
	return e, err
}

// get gives one that is to be removed too.
func get(ctx context.Context, tx *db.Tx, program, id string) (*Endpoint, error) {
	e, err := scanEndpoint(tx.QueryRow(ctx, getWebhook, program, id))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, noWebhook()
	}
	if err != nil {
		return nil, fmt.Errorf("get webhook %s: %w", id, err)
	}
	return e, nil
}

const (
	listWebhooks = `SELECT ` + webhookColumns + ` FROM webhooks WHERE program_id = $1 AND status <> 'removed' ORDER BY webhook_id`
	allWebhooks  = `SELECT ` + webhookColumns + ` FROM webhooks WHERE status <> 'disabled' ORDER BY program_id, webhook_id`
)

// List gives the endpoints of the program in the order in which they were made.
func List(ctx context.Context, tx *db.Tx, program string) ([]*Endpoint, error) {
	return list(ctx, tx, listWebhooks, program)
}

// Attended gives the endpoints of all programs that some node must look after: the active ones, and those to be removed.
func Attended(ctx context.Context, tx *db.Tx) ([]*Endpoint, error) { return list(ctx, tx, allWebhooks) }

func list(ctx context.Context, tx *db.Tx, query string, args ...any) ([]*Endpoint, error) {
	out := []*Endpoint{}
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		e, err := scanEndpoint(row)
		out = append(out, e)
		return err
	}, query, args...)
	if err != nil {
		return nil, fmt.Errorf("list webhooks: %w", err)
	}
	return out, nil
}

const updateWebhook = `
UPDATE webhooks SET url = $1, description = $2, types = $3, payload = $4, format = $5, concurrency = $6, per_second = $7, status = $8, reason = $9, disabled_at = $10,
	updated_at = $11, revision = revision + 1
WHERE program_id = $12 AND webhook_id = $13 AND revision = $14`

// save writes an endpoint as it was changed since it was read.
func save(ctx context.Context, tx *db.Tx, e *Endpoint, now time.Time) error {
	var disabled *int64
	if e.DisabledAt != nil {
		us := e.DisabledAt.UnixMicro()
		disabled = &us
	}
	result, err := tx.Exec(ctx, updateWebhook, e.URL, e.Description, strings.Join(e.Types, " "), string(e.Payload), string(e.Format), e.Concurrency, e.PerSecond,
		string(e.Status), e.Reason, disabled, now.UnixMicro(), e.Program, e.ID, e.Revision)
	if err != nil {
		return fmt.Errorf("change webhook %s: %w", e.ID, err)
	}
	if n, err := result.RowsAffected(); err != nil {
		return err
	} else if n == 0 {
		return errs.Conflict("changed_meanwhile", "The webhook was changed by somebody else at the same moment: look at it and try again.")
	}
	e.Revision, e.UpdatedAt = e.Revision+1, now.UTC().Truncate(time.Microsecond)
	return nil
}

// Change changes what the settings name. revision is that of the endpoint that was read; 0 is any, and another than the one there is
// a conflict "changed_meanwhile".
func Change(ctx context.Context, tx *db.Tx, program, id string, s Settings, revision int64, now time.Time) (*Endpoint, error) {
	e, err := Get(ctx, tx, program, id)
	if err != nil {
		return nil, err
	}
	if revision != 0 {
		e.Revision = revision
	}
	if err := s.apply(e); err != nil {
		return nil, err
	}
	return e, save(ctx, tx, e, now)
}

// Disable stops the sending. What is not delivered waits, and so does the endpoint's place in the feed. One that is disabled
// already stays as it is.
func Disable(ctx context.Context, tx *db.Tx, program, id, reason string, now time.Time) (e *Endpoint, changed bool, err error) {
	if e, err = Get(ctx, tx, program, id); err != nil || e.Status == Disabled {
		return e, false, err
	}
	at := now.UTC().Truncate(time.Microsecond)
	e.Status, e.Reason, e.DisabledAt = Disabled, reason, &at
	return e, true, save(ctx, tx, e, now)
}

// Enable goes on with the sending where it stopped: all that happened meanwhile is sent; or from now on, when skip is set, and
// then what waits is given up as dead.
func Enable(ctx context.Context, tx *db.Tx, program, id string, skip bool, now time.Time) (*Endpoint, error) {
	e, err := Get(ctx, tx, program, id)
	if err != nil || e.Status == Active {
		return e, err
	}
	e.Status, e.Reason, e.DisabledAt = Active, "", nil
	if err := save(ctx, tx, e, now); err != nil {
		return nil, err
	}
	if err := wellAgain(ctx, tx, e.Ref()); err != nil {
		return nil, err
	}
	if skip {
		if err := giveUp(ctx, tx, e.Ref(), now); err != nil {
			return nil, err
		}
	}
	return e, Attend(ctx, tx, e.Ref(), now)
}

// Remove takes an endpoint away. Its deliveries are deleted by the job that looks after it.
func Remove(ctx context.Context, tx *db.Tx, program, id string, now time.Time) (*Endpoint, error) {
	e, err := Get(ctx, tx, program, id)
	if err != nil {
		return nil, err
	}
	gone := *e
	gone.Status, gone.Reason = removed, ""
	if err := save(ctx, tx, &gone, now); err != nil {
		return nil, err
	}
	if _, err := tx.Exec(ctx, deleteSigners, program, id); err != nil {
		return nil, fmt.Errorf("remove the secrets of webhook %s: %w", id, err)
	}
	return e, Attend(ctx, tx, e.Ref(), now)
}

const (
	someDeliveries = `SELECT event_id FROM deliveries WHERE bucket = $1 AND program_id = $2 AND webhook_id = $3 LIMIT $4`
	deletePlace    = `DELETE FROM webhook_places WHERE bucket = $1 AND program_id = $2 AND webhook_id = $3`
	deleteWebhook  = `DELETE FROM webhooks WHERE program_id = $1 AND webhook_id = $2 AND status = 'removed'`
)

// Clear deletes up to limit deliveries of an endpoint that was removed, and the endpoint itself when there are none left. done says
// that all is gone.
func Clear(ctx context.Context, tx *db.Tx, ref Ref, limit int) (done bool, err error) {
	var events []string
	err = db.Collect(ctx, tx, func(row db.Scanner) error {
		var id string
		err := row.Scan(&id)
		events = append(events, id)
		return err
	}, someDeliveries, ref.bucket(), ref.Program, ref.ID, limit)
	if err == nil {
		err = deleteDeliveries(ctx, tx, ref, events)
	}
	if err == nil && len(events) < limit {
		done = true
		if _, err = tx.Exec(ctx, deletePlace, ref.bucket(), ref.Program, ref.ID); err == nil {
			_, err = tx.Exec(ctx, deleteWebhook, ref.Program, ref.ID)
		}
	}
	if err != nil {
		return false, fmt.Errorf("clear webhook %s: %w", ref.ID, err)
	}
	return done, nil
}

// Removed says whether the endpoint is to be cleared.
func (e *Endpoint) Removed() bool { return e.Status == removed }

// Load gives an endpoint for the one who sends to it, also one that is to be cleared.
func Load(ctx context.Context, tx *db.Tx, ref Ref) (*Endpoint, error) {
	return get(ctx, tx, ref.Program, ref.ID)
}

// secretBytes are the bounds that Standard Webhooks sets.
const (
	leastSecret, mostSecret = 24, 64
	secretPrefix            = "whsec_"
)

func checkSecret(text string) string {
	rest, ok := strings.CutPrefix(text, secretPrefix)
	key, err := base64.StdEncoding.DecodeString(rest)
	if !ok || err != nil || len(key) < leastSecret || len(key) > mostSecret {
		return "A secret is whsec_ and 24 to 64 bytes in base 64; leave it out for a new one."
	}
	return ""
}
