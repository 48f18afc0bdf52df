package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"lojal.dev/lojal/internal/audit"
	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/version"
	"lojal.dev/lojal/internal/web"
	"lojal.dev/lojal/internal/webhook"
)

// event renders an event as the feed and webhooks show it.
func (v view) event(e books.Event) Event {
	out := Event{
		ID: e.ID, Type: e.Type, Member: e.Member, Fact: e.Fact, OccurredAt: v.time(e.OccurredAt), RecordedAt: v.time(e.RecordedAt), Sequence: e.Sequence(), Data: e.Data,
	}
	if out.Data == nil {
		out.Data = map[string]string{}
	}
	return out
}

// RenderEvents gives events as webhooks send them: as the feed shows them, and when full with the fact that led to each, as GET /v1/facts
// shows it, unless that would be too large for a message.
func (s *Server) RenderEvents(ctx context.Context, tx *db.Tx, program string, events []books.Event, full bool) ([]json.RawMessage, error) {
	set, err := s.Versions.Get(ctx, tx, program)
	if err != nil {
		return nil, err
	}
	v := view{p: set.Latest(), lang: lang.Negotiate("")}
	entries := map[books.FactOf]books.Entry{}
	if full {
		facts := make([]books.FactOf, len(events))
		for i, e := range events {
			facts[i] = books.FactOf{Program: program, ID: e.Fact}
		}
		if entries, err = books.Entries(ctx, tx, facts); err != nil {
			return nil, err
		}
	}
	out := make([]json.RawMessage, len(events))
	for i, e := range events {
		one := FullEvent{Event: v.event(e)}
		if entry, ok := entries[books.FactOf{Program: program, ID: e.Fact}]; ok {
			fact := v.by(set, entry.Decision.Version).whole(entry.Fact, entry.Decision)
			one.Resource = &fact
		}
		if out[i], err = web.Marshal(one); err == nil && len(out[i]) > webhook.MaxData {
			one.Resource, one.ResourceOmitted = nil, true
			out[i], err = web.Marshal(one)
		}
		if err != nil {
			return nil, fmt.Errorf("render event %s: %w", e.ID, err)
		}
	}
	return out, nil
}

// WebhookPath names a webhook.
type WebhookPath struct {
	// Webhook is its id.
	Webhook string `path:"webhook"`
}

// webhook renders an endpoint; state is nil where it was not asked for.
func (v view) webhook(e *webhook.Endpoint, state *webhook.State, secret string) Webhook {
	out := Webhook{
		ID: e.ID, URL: e.URL, Description: e.Description, Types: e.Types, Payload: string(e.Payload), Format: string(e.Format), Concurrency: e.Concurrency, PerSecond: e.PerSecond,
		Status: string(e.Status), DisabledReason: e.Reason, DisabledAt: v.moment(e.DisabledAt), CreatedAt: v.time(e.CreatedAt), UpdatedAt: v.time(e.UpdatedAt), Secret: secret,
		tag: fmt.Sprintf(`"%d"`, e.Revision),
	}
	if state != nil {
		out.FailingSince, out.LastSuccessAt, out.PreviousSecretUntil = v.moment(state.FailingSince), v.moment(state.LastSuccessAt), v.moment(state.PreviousUntil)
		out.SecretMissing, out.Replaying = state.Secrets == 0, state.Replay != nil
	}
	return out
}

type webhooksIn struct{ Call }

func (s *Server) listWebhooks(ctx context.Context, in *webhooksIn) (*Page[Webhook], error) {
	out := &Page[Webhook]{}
	return out, s.look(ctx, &in.Call, func(tx *db.Tx, v view, _ *version.Set) error {
		list, err := webhook.List(ctx, tx, in.program())
		if err != nil {
			return err
		}
		out.Items = []Webhook{}
		for _, e := range list {
			state, err := webhook.StateOf(ctx, tx, e.Ref(), false, in.now)
			if err != nil {
				return err
			}
			out.Items = append(out.Items, v.webhook(e, &state, ""))
		}
		return nil
	})
}

type webhookIn struct {
	Call
	WebhookPath
}

func (s *Server) getWebhook(ctx context.Context, in *webhookIn) (*Webhook, error) {
	out := &Webhook{}
	return out, s.look(ctx, &in.Call, func(tx *db.Tx, v view, _ *version.Set) error {
		e, err := webhook.Get(ctx, tx, in.program(), in.Webhook)
		if err != nil {
			return err
		}
		state, err := webhook.StateOf(ctx, tx, e.Ref(), true, in.now)
		if err != nil {
			return err
		}
		*out = v.webhook(e, &state, "")
		out.Deliveries = &DeliveryCounts{Pending: state.Pending, Dead: state.Dead, OldestPendingAt: v.moment(state.Oldest)}
		out.tag = "" // the counts change without a new revision
		return nil
	})
}

// onWebhook makes a change to a webhook with its audit entry, and has the relay look at it.
func (s *Server) onWebhook(ctx context.Context, c *Call, status int, action string, change func(*db.Tx, view) (answer any, target string, detail map[string]any, err error)) (web.Reply, error) {
	reply, err := s.once(ctx, c, status, func(tx *db.Tx) (any, error) {
		v, _, err := s.view(ctx, tx, c)
		if err != nil {
			return nil, err
		}
		answer, target, detail, err := change(tx, v)
		if err != nil {
			return nil, err
		}
		_, err = audit.Append(ctx, tx, audit.Entry{Program: c.program(), At: c.now, Actor: c.actor(), Action: action, Target: target, Detail: detail})
		return answer, err
	}, withoutSecret)
	if err == nil && s.Wake != nil {
		s.Wake()
	}
	return reply, err
}

func settings(url, description, payload, format *string, types *[]string, concurrency, perSecond *int) webhook.Settings {
	return webhook.Settings{URL: url, Description: description, Types: types, Payload: (*webhook.Payload)(payload), Format: (*webhook.Format)(format), Concurrency: concurrency, PerSecond: perSecond}
}

// allowed says whether the operator lets messages be sent to an address, as far as it can be known.
func (s *Server) allowed(url *string) error {
	if url == nil {
		return nil
	}
	return s.Targets.CheckURL(*url)
}

type newWebhookIn struct {
	Call
	Body NewWebhook
}

func (s *Server) createWebhook(ctx context.Context, in *newWebhookIn) (*Answered[Webhook], error) {
	b := &in.Body
	if err := s.allowed(&b.URL); err != nil {
		return nil, err
	}
	reply, err := s.onWebhook(ctx, &in.Call, http.StatusCreated, "webhook.created", func(tx *db.Tx, v view) (any, string, map[string]any, error) {
		e, secret, err := webhook.Create(ctx, tx, webhook.New{
			Program: in.program(), Settings: settings(&b.URL, b.Description, b.Payload, b.Format, b.Types, b.Concurrency, b.PerSecond), Secret: b.Secret, Now: in.now,
		})
		if err != nil {
			return nil, "", nil, err
		}
		return v.webhook(e, nil, secret), e.ID, map[string]any{"host": e.Host()}, nil
	})
	return &Answered[Webhook]{reply}, err
}

type patchWebhookIn struct {
	Call
	WebhookPath
	// IfMatch is the entity tag that the change is based on; another one in force is answered 412.
	IfMatch string `header:"If-Match"`
	Body    WebhookPatch
}

func (s *Server) patchWebhook(ctx context.Context, in *patchWebhookIn) (*Webhook, error) {
	b := &in.Body
	if err := s.allowed(b.URL); err != nil {
		return nil, err
	}
	out := &Webhook{}
	_, err := s.onWebhook(ctx, &in.Call, http.StatusOK, "webhook.changed", func(tx *db.Tx, v view) (any, string, map[string]any, error) {
		e, err := webhook.Get(ctx, tx, in.program(), in.Webhook)
		if err != nil {
			return nil, "", nil, err
		}
		if in.IfMatch != "" && !web.Matches(in.IfMatch, v.webhook(e, nil, "").tag, false) {
			return nil, "", nil, errs.Conflict("stale_revision", "The webhook was changed in between: read it again, then change it.")
		}
		e, err = webhook.Change(ctx, tx, in.program(), in.Webhook, settings(b.URL, b.Description, b.Payload, b.Format, b.Types, b.Concurrency, b.PerSecond), e.Revision, in.now)
		if err != nil {
			return nil, "", nil, err
		}
		*out = v.webhook(e, nil, "")
		return *out, e.ID, map[string]any{"host": e.Host()}, nil
	})
	return out, err
}

func (s *Server) removeWebhook(ctx context.Context, in *webhookIn) (*Answered[Webhook], error) {
	reply, err := s.onWebhook(ctx, &in.Call, http.StatusOK, "webhook.removed", func(tx *db.Tx, v view) (any, string, map[string]any, error) {
		e, err := webhook.Remove(ctx, tx, in.program(), in.Webhook, in.now)
		if err != nil {
			return nil, "", nil, err
		}
		return v.webhook(e, nil, ""), e.ID, map[string]any{"host": e.Host()}, nil
	})
	return &Answered[Webhook]{reply}, err
}

func (s *Server) disableWebhook(ctx context.Context, in *webhookIn) (*Answered[Webhook], error) {
	reply, err := s.onWebhook(ctx, &in.Call, http.StatusOK, "webhook.disabled", func(tx *db.Tx, v view) (any, string, map[string]any, error) {
		e, _, err := webhook.Disable(ctx, tx, in.program(), in.Webhook, webhook.ByHand, in.now)
		if err != nil {
			return nil, "", nil, err
		}
		return v.webhook(e, nil, ""), e.ID, map[string]any{"reason": webhook.ByHand}, nil
	})
	return &Answered[Webhook]{reply}, err
}

type enableWebhookIn struct {
	Call
	WebhookPath
	Body *Enabling
}

func (s *Server) enableWebhook(ctx context.Context, in *enableWebhookIn) (*Answered[Webhook], error) {
	skip := in.Body != nil && in.Body.SkipMissed
	reply, err := s.onWebhook(ctx, &in.Call, http.StatusOK, "webhook.enabled", func(tx *db.Tx, v view) (any, string, map[string]any, error) {
		e, err := webhook.Enable(ctx, tx, in.program(), in.Webhook, skip, in.now)
		if err != nil {
			return nil, "", nil, err
		}
		return v.webhook(e, nil, ""), e.ID, map[string]any{"skip_missed": skip}, nil
	})
	return &Answered[Webhook]{reply}, err
}

type rotateWebhookIn struct {
	Call
	WebhookPath
	Body *WebhookRotation
}

func (s *Server) rotateWebhook(ctx context.Context, in *rotateWebhookIn) (*Answered[Webhook], error) {
	b := WebhookRotation{}
	if in.Body != nil {
		b = *in.Body
	}
	overlap := 24 * time.Hour
	if b.OverlapSeconds != nil {
		overlap = time.Duration(max(min(*b.OverlapSeconds, 1<<32), -1)) * time.Second
	}
	reply, err := s.onWebhook(ctx, &in.Call, http.StatusOK, "webhook.rotated", func(tx *db.Tx, v view) (any, string, map[string]any, error) {
		e, secret, err := webhook.Rotate(ctx, tx, in.program(), in.Webhook, b.Secret, overlap, in.now)
		if err != nil {
			return nil, "", nil, err
		}
		state, err := webhook.StateOf(ctx, tx, e.Ref(), false, in.now)
		return v.webhook(e, &state, secret), e.ID, map[string]any{"overlap_seconds": int64(overlap / time.Second)}, err
	})
	return &Answered[Webhook]{reply}, err
}

func (v view) delivery(d *webhook.Delivery, whole bool) Delivery {
	out := Delivery{
		Event: d.Event, Type: d.Type, Status: string(d.Status), NextAttemptAt: v.moment(d.DueAt), MadeAt: v.time(d.MadeAt), DoneAt: v.moment(d.DoneAt), Attempts: []DeliveryAttempt{},
	}
	for _, a := range d.Log {
		out.Attempts = append(out.Attempts, DeliveryAttempt{At: v.time(a.At), Status: a.Status, Milliseconds: a.Milliseconds, Error: a.Error, Answer: a.Answer})
	}
	if whole {
		out.Message = map[string]any{}
		_ = json.Unmarshal([]byte(d.Body), &out.Message) // it was written by the same program
	}
	return out
}

func (s *Server) testWebhook(ctx context.Context, in *webhookIn) (*Answered[Delivery], error) {
	return s.delivered(ctx, &in.Call, http.StatusCreated, "webhook.tested", in.Webhook, func(tx *db.Tx) (*webhook.Delivery, error) {
		return webhook.Test(ctx, tx, in.program(), in.Webhook, in.now)
	})
}

func (s *Server) delivered(ctx context.Context, c *Call, status int, action, target string, change func(*db.Tx) (*webhook.Delivery, error)) (*Answered[Delivery], error) {
	reply, err := s.onWebhook(ctx, c, status, action, func(tx *db.Tx, v view) (any, string, map[string]any, error) {
		d, err := change(tx)
		if err != nil {
			return nil, "", nil, err
		}
		return v.delivery(d, true), target, map[string]any{"event": d.Event}, nil
	})
	return &Answered[Delivery]{reply}, err
}

type deliveriesIn struct {
	Call
	WebhookPath
	Paging
	// Status keeps to deliveries that are pending, delivered or dead.
	Status string `query:"status"`
}

func (s *Server) listDeliveries(ctx context.Context, in *deliveriesIn) (*Page[Delivery], error) {
	limit, err := web.PageLimit(in.Limit, web.DefaultLimit, web.MaxLimit)
	if err != nil {
		return nil, err
	}
	var at struct {
		Event string `json:"e"`
	}
	if err := web.ReadCursor("deliveries", in.Cursor, &at); err != nil {
		return nil, err
	}
	out := &Page[Delivery]{}
	return out, s.look(ctx, &in.Call, func(tx *db.Tx, v view, _ *version.Set) error {
		e, err := webhook.Get(ctx, tx, in.program(), in.Webhook)
		if err != nil {
			return err
		}
		list, err := webhook.Deliveries(ctx, tx, e.Ref(), webhook.DeliveryStatus(in.Status), at.Event, limit+1)
		if err != nil {
			return err
		}
		out.Items, out.Next = []Delivery{}, ""
		for _, d := range list[:min(len(list), limit)] {
			out.Items = append(out.Items, v.delivery(d, false))
		}
		if len(list) > limit {
			next := at
			next.Event = list[limit-1].Event
			out.Next = web.Cursor("deliveries", next)
		}
		return nil
	})
}

// DeliveryPath names a delivery.
type DeliveryPath struct {
	WebhookPath
	// Event is the id of the event, and of the delivery.
	Event string `path:"event"`
}

type deliveryIn struct {
	Call
	DeliveryPath
}

func (s *Server) getDelivery(ctx context.Context, in *deliveryIn) (*Delivery, error) {
	out := &Delivery{}
	return out, s.look(ctx, &in.Call, func(tx *db.Tx, v view, _ *version.Set) error {
		e, err := webhook.Get(ctx, tx, in.program(), in.Webhook)
		if err != nil {
			return err
		}
		d, err := webhook.GetDelivery(ctx, tx, e.Ref(), in.Event)
		if err != nil {
			return err
		}
		*out = v.delivery(d, true)
		return nil
	})
}

func (s *Server) replayDelivery(ctx context.Context, in *deliveryIn) (*Answered[Delivery], error) {
	return s.delivered(ctx, &in.Call, http.StatusOK, "webhook.replayed", in.Webhook, func(tx *db.Tx) (*webhook.Delivery, error) {
		return webhook.ReplayOne(ctx, tx, in.program(), in.Webhook, in.Event, in.now)
	})
}

type replayIn struct {
	Call
	WebhookPath
	Body Replay
}

func (s *Server) replayWebhook(ctx context.Context, in *replayIn) (*Answered[Replayed], error) {
	if (in.Body.Since == nil) == !in.Body.Dead {
		return nil, errs.Invalid("invalid_replay", "Say what is to be sent again: all that happened since a time, or all that is dead.",
			errs.Field{Pointer: "/since", Reason: "one_of", Message: `Write either "since" or "dead": true.`})
	}
	reply, err := s.onWebhook(ctx, &in.Call, http.StatusOK, "webhook.replayed", func(tx *db.Tx, v view) (any, string, map[string]any, error) {
		if in.Body.Dead {
			n, err := webhook.ReplayDead(ctx, tx, in.program(), in.Webhook, in.now)
			return Replayed{Webhook: in.Webhook, Dead: &n}, in.Webhook, map[string]any{"dead": n}, err
		}
		_, err := webhook.ReplaySince(ctx, tx, in.program(), in.Webhook, *in.Body.Since, in.now)
		since := v.time(*in.Body.Since)
		return Replayed{Webhook: in.Webhook, Since: &since}, in.Webhook, map[string]any{"since": since}, err
	})
	return &Answered[Replayed]{reply}, err
}
