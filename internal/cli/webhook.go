package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"lojal.dev/lojal/internal/audit"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/webhook"
)

type webhookCmd struct {
	Add        webhookAddCmd        `cmd:"" help:"Make a webhook and print its secret, once."`
	List       webhookListCmd       `cmd:"" help:"List the webhooks and how they do."`
	Change     webhookChangeCmd     `cmd:"" help:"Change what a webhook is told, and how."`
	Test       webhookTestCmd       `cmd:"" help:"Send a test event and say what came of it."`
	Rotate     webhookRotateCmd     `cmd:"" help:"Make a new secret; messages are signed with both for a while."`
	Disable    webhookDisableCmd    `cmd:"" help:"Send nothing until it is enabled; what happens meanwhile waits."`
	Enable     webhookEnableCmd     `cmd:"" help:"Go on with the sending."`
	Deliveries webhookDeliveriesCmd `cmd:"" help:"List what was sent and what came of it."`
	Replay     webhookReplayCmd     `cmd:"" help:"Send events again."`
	Remove     webhookRemoveCmd     `cmd:"" help:"Take a webhook away, with its deliveries."`
}

// hooked is what all commands on webhooks have in common.
type hooked struct {
	jsonFlag
	inProgram
}

// write makes a change and notes it.
func (c *hooked) write(e *env, d *db.DB, program, action string, change func(tx *db.Tx) (*webhook.Endpoint, map[string]any, error)) (out *webhook.Endpoint, err error) {
	err = d.Write(e.ctx, func(tx *db.Tx) error {
		e2, detail, err := change(tx)
		if err != nil {
			return err
		}
		out = e2
		_, err = audit.Append(e.ctx, tx, audit.Entry{Program: program, At: e.now(), Actor: actor, Action: action, Target: out.ID, Detail: detail})
		return err
	})
	return out, err
}

// hooking is what commands on one webhook have in common.
type hooking struct {
	Webhook string `arg:"" help:"Id of the webhook, or its address."`
	hooked
}

// on finds the webhook.
func (c *hooking) on(e *env, do func(d *db.DB, program, id string) error) error {
	return c.hooked.on(e, func(_ *env, d *db.DB, program string) error {
		if strings.HasPrefix(c.Webhook, webhook.IDPrefix+"_") {
			return do(d, program, c.Webhook)
		}
		var all []*webhook.Endpoint
		err := d.Read(e.ctx, func(tx *db.Tx) (err error) {
			all, err = webhook.List(e.ctx, tx, program)
			return err
		})
		if err != nil {
			return err
		}
		all = slices.DeleteFunc(all, func(one *webhook.Endpoint) bool { return one.URL != c.Webhook })
		switch len(all) {
		case 0:
			return errs.NotFound("webhook_not_found", fmt.Sprintf("There is no webhook with the id or address %s: `lojal webhook list` shows them.", c.Webhook))
		case 1:
			return do(d, program, all[0].ID)
		}
		return errs.Malformed("which_webhook", fmt.Sprintf("Several webhooks have the address %s: give the id, which `lojal webhook list` shows.", c.Webhook))
	})
}

// shownWebhook is a webhook as --json prints it.
type shownWebhook struct {
	ID            string     `json:"id"`
	URL           string     `json:"url"`
	Description   string     `json:"description,omitempty"`
	Types         []string   `json:"types"`
	Payload       string     `json:"payload"`
	Format        string     `json:"format"`
	Concurrency   int        `json:"concurrency"`
	PerSecond     int        `json:"per_second"`
	Status        string     `json:"status"`
	Reason        string     `json:"disabled_reason,omitempty"`
	FailingSince  *time.Time `json:"failing_since,omitempty"`
	LastSuccessAt *time.Time `json:"last_success_at,omitempty"`
	SecretMissing bool       `json:"secret_missing,omitempty"`
	Pending       int64      `json:"pending"`
	Dead          int64      `json:"dead"`
	Secret        string     `json:"secret,omitempty"`
}

func showWebhook(e *webhook.Endpoint, s webhook.State, secret string) shownWebhook {
	return shownWebhook{
		ID: e.ID, URL: e.URL, Description: e.Description, Types: e.Types, Payload: string(e.Payload), Format: string(e.Format), Concurrency: e.Concurrency, PerSecond: e.PerSecond,
		Status: string(e.Status), Reason: e.Reason, FailingSince: s.FailingSince, LastSuccessAt: s.LastSuccessAt, SecretMissing: s.Secrets == 0, Pending: s.Pending, Dead: s.Dead, Secret: secret,
	}
}

// tell prints a webhook after a change: as JSON, or a sentence.
func (c *hooked) tell(e *env, d *db.DB, one *webhook.Endpoint, secret, sentence string) error {
	if !c.JSON {
		e.printf("%s\n", sentence)
		return nil
	}
	var s webhook.State
	err := d.Read(e.ctx, func(tx *db.Tx) (err error) {
		s, err = webhook.StateOf(e.ctx, tx, one.Ref(), true, e.now())
		return err
	})
	if errs.CodeOf(err) == errs.CodeNotFound { // it was cleared while we looked
		err = nil
	}
	if err != nil {
		return err
	}
	return e.json(showWebhook(one, s, secret))
}

// secretOf shows a secret: on the standard output, and what to know of it on the error output.
func (c *hooked) secretOf(e *env, d *db.DB, one *webhook.Endpoint, secret string) error {
	if c.JSON {
		return c.tell(e, d, one, secret, "")
	}
	fmt.Fprintf(e.Err, "Webhook %s to %s. Its messages are signed with this secret, shown only now:\n", one.ID, one.URL)
	e.printf("%s\n", secret)
	return nil
}

// choices are what may be chosen of a webhook.
type choices struct {
	Description *string   `placeholder:"TEXT" help:"What it is for, for people."`
	Type        *[]string `placeholder:"TYPE" help:"Types of events that are wanted, such as points.earned or points.*, separated by commas; all when left out. docs/events.md lists them."`
	Payload     *string   `enum:"thin,full" placeholder:"HOW" help:"thin: the event alone, or full: the fact that led to it besides."`
	Format      *string   `enum:"standard,cloudevents" placeholder:"FORM" help:"standard: the body of Standard Webhooks, or cloudevents."`
	Concurrency *int      `placeholder:"N" help:"How many messages are sent at once, 1 to 64."`
	PerSecond   *int      `name:"per-second" placeholder:"N" help:"How many messages may be begun in a second; 0 is no bound."`
}

func (c choices) settings(url *string) webhook.Settings {
	return webhook.Settings{URL: url, Description: c.Description, Types: c.Type, Payload: (*webhook.Payload)(c.Payload), Format: (*webhook.Format)(c.Format),
		Concurrency: c.Concurrency, PerSecond: c.PerSecond}
}

type webhookAddCmd struct {
	URL    string `arg:"" help:"Address to send to: https://…."`
	Secret string `placeholder:"SECRET" env:"LOJAL_WEBHOOK_SECRET" help:"Secret that the receiver knows already, whsec_ and 24 to 64 bytes in base 64 (${env}); a new one when left out."`
	choices
	hooked
}

func (webhookAddCmd) Help() string {
	return `Every event from now on is sent, signed by Standard Webhooks; docs/webhooks.md tells how to receive. A server sends: one
that runs already takes it up in a moment. What is not public, or not https, must be allowed there: lojal serve --webhook-allow HOST.

Examples:

    lojal webhook add https://shop.example.com/lojal
    lojal webhook add https://crm.example.com/in --type points.*,tier.up --payload full`
}

func (c *webhookAddCmd) Run(e *env) error {
	return c.on(e, func(_ *env, d *db.DB, program string) error {
		var secret string
		one, err := c.write(e, d, program, "webhook.created", func(tx *db.Tx) (one *webhook.Endpoint, _ map[string]any, err error) {
			one, secret, err = webhook.Create(e.ctx, tx, webhook.New{Program: program, Settings: c.settings(&c.URL), Secret: c.Secret, Now: e.now()})
			if err != nil {
				return nil, nil, err
			}
			return one, map[string]any{"host": one.Host()}, nil
		})
		if err != nil {
			return err
		}
		if strings.HasPrefix(one.URL, "http:") {
			fmt.Fprintf(e.Err, "Messages go there without encryption, and only from servers that allow it: lojal serve --webhook-allow %s.\n", hostOnly(one.Host()))
		}
		return c.secretOf(e, d, one, secret)
	})
}

func hostOnly(hostPort string) string {
	if i := strings.LastIndexByte(hostPort, ':'); i > strings.LastIndexByte(hostPort, ']') {
		return hostPort[:i]
	}
	return hostPort
}

type webhookListCmd struct{ hooked }

func (webhookListCmd) Help() string {
	return `Examples:

    lojal webhook list`
}

func (c *webhookListCmd) Run(e *env) error {
	return c.on(e, func(_ *env, d *db.DB, program string) error {
		out := []shownWebhook{}
		err := d.Read(e.ctx, func(tx *db.Tx) error {
			out = []shownWebhook{}
			all, err := webhook.List(e.ctx, tx, program)
			for _, one := range all {
				if err != nil {
					return err
				}
				var s webhook.State
				s, err = webhook.StateOf(e.ctx, tx, one.Ref(), true, e.now())
				out = append(out, showWebhook(one, s, ""))
			}
			return err
		})
		if err != nil {
			return err
		}
		if c.JSON {
			return e.json(out)
		}
		if len(out) == 0 {
			e.printf("There is no webhook yet: `lojal webhook add URL` makes one.\n")
		}
		for _, w := range out {
			types := strings.Join(w.Types, " ")
			if types == "" {
				types = "every event"
			}
			e.printf("%s  %-9s %s (%s)\n", w.ID, w.Status, w.URL, types)
			e.printf("    %s\n", strings.Join(wellBeing(w), "; "))
		}
		return nil
	})
}

// wellBeing says how a webhook does.
func wellBeing(w shownWebhook) []string {
	out := []string{fmt.Sprintf("%d waiting, %d dead", w.Pending, w.Dead)}
	add := func(when bool, format string, args ...any) {
		if when {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	add(w.Reason != "", "disabled: %s", map[string]string{webhook.ByHand: "by hand", webhook.Gone: "it answered 410", webhook.Failing: "nothing was taken for five days"}[w.Reason])
	add(w.SecretMissing, "it has no secret, and gets nothing: lojal webhook rotate makes one")
	if w.FailingSince != nil {
		add(true, "failing since %s", w.FailingSince.Local().Format(time.DateTime))
	} else if w.LastSuccessAt != nil {
		add(true, "last taken %s", w.LastSuccessAt.Local().Format(time.DateTime))
	}
	return out
}

type webhookChangeCmd struct {
	hooking
	URL *string `name:"url" placeholder:"URL" help:"Address to send to."`
	choices
}

func (webhookChangeCmd) Help() string {
	return `What is left out stays. --type= without a type is every event.

Examples:

    lojal webhook change whk_01k9zjq3hfe1f8m6v7j0q3x5c4 --concurrency 2`
}

func (c *webhookChangeCmd) Run(e *env) error {
	return c.on(e, func(d *db.DB, program, id string) error {
		if c.Type != nil {
			*c.Type = slices.DeleteFunc(*c.Type, func(t string) bool { return t == "" })
		}
		one, err := c.write(e, d, program, "webhook.changed", func(tx *db.Tx) (*webhook.Endpoint, map[string]any, error) {
			one, err := webhook.Change(e.ctx, tx, program, id, c.settings(c.URL), 0, e.now())
			if err != nil {
				return nil, nil, err
			}
			return one, map[string]any{"host": one.Host()}, nil
		})
		if err != nil {
			return err
		}
		return c.tell(e, d, one, "", "The webhook "+one.ID+" is changed.")
	})
}

type webhookTestCmd struct {
	hooking
	Wait time.Duration `default:"20s" placeholder:"DURATION" help:"How long to wait for a server to send it, ${default} when left out; 0s does not wait."`
}

func (webhookTestCmd) Help() string {
	return `A server sends the event webhook.test, whatever types the webhook wants. The exit status is 10 when it was not taken.

Examples:

    lojal webhook test https://shop.example.com/lojal`
}

func (c *webhookTestCmd) Run(e *env) error {
	return c.on(e, func(d *db.DB, program, id string) error {
		var sent *webhook.Delivery
		one, err := c.write(e, d, program, "webhook.tested", func(tx *db.Tx) (*webhook.Endpoint, map[string]any, error) {
			one, err := webhook.Get(e.ctx, tx, program, id)
			if err == nil {
				sent, err = webhook.Test(e.ctx, tx, program, id, e.now())
			}
			if err != nil {
				return nil, nil, err
			}
			return one, map[string]any{"event": sent.Event}, nil
		})
		if err != nil {
			return err
		}
		got, err := c.await(e, d, one.Ref(), sent.Event)
		if err != nil {
			return err
		}
		if c.JSON {
			if err := e.json(shownDelivery(got)); err != nil {
				return err
			}
		}
		if len(got.Log) == 0 {
			return errs.Unavailable("not_sent", fmt.Sprintf("No server has sent it within %s. It waits; is `lojal serve` running?", c.Wait))
		}
		last := got.Log[len(got.Log)-1]
		if last.Error != "" {
			return errs.Unavailable("not_taken", fmt.Sprintf("The receiver did not take it: %s. It is sent again later.%s", last.Error, quoted(last.Answer)))
		}
		if !c.JSON {
			e.printf("%s took it: answered %d in %d ms.\n", one.URL, last.Status, last.Milliseconds)
		}
		return nil
	})
}

func quoted(answer string) string {
	if answer == "" {
		return ""
	}
	return fmt.Sprintf(" The answer began: %q.", answer)
}

// await looks at a delivery until there was an attempt, or the time is over.
func (c *webhookTestCmd) await(e *env, d *db.DB, ref webhook.Ref, event string) (got *webhook.Delivery, err error) {
	ctx, cancel := context.WithTimeout(e.ctx, c.Wait)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := d.Read(e.ctx, func(tx *db.Tx) (err error) {
			got, err = webhook.GetDelivery(e.ctx, tx, ref, event)
			return err
		})
		if err != nil || len(got.Log) > 0 {
			return got, err
		}
		select {
		case <-ctx.Done():
			return got, nil
		case <-tick.C:
		}
	}
}

type webhookRotateCmd struct {
	hooking
	Overlap time.Duration `default:"24h" placeholder:"DURATION" help:"How long messages are signed with the old secret too, ${default} when left out; 0s ends it at once."`
	Secret  string        `placeholder:"SECRET" env:"LOJAL_WEBHOOK_SECRET" help:"Secret that the receiver knows already (${env}); a new one when left out."`
}

func (webhookRotateCmd) Help() string {
	return `Examples:

    lojal webhook rotate https://shop.example.com/lojal --overlap 48h`
}

func (c *webhookRotateCmd) Run(e *env) error {
	return c.on(e, func(d *db.DB, program, id string) error {
		var secret string
		one, err := c.write(e, d, program, "webhook.rotated", func(tx *db.Tx) (one *webhook.Endpoint, _ map[string]any, err error) {
			one, secret, err = webhook.Rotate(e.ctx, tx, program, id, c.Secret, c.Overlap, e.now())
			return one, map[string]any{"overlap_seconds": int64(c.Overlap / time.Second)}, err
		})
		if err != nil {
			return err
		}
		return c.secretOf(e, d, one, secret)
	})
}

type webhookDisableCmd struct{ hooking }

func (webhookDisableCmd) Help() string {
	return `Examples:

    lojal webhook disable https://shop.example.com/lojal`
}

func (c *webhookDisableCmd) Run(e *env) error {
	return c.on(e, func(d *db.DB, program, id string) error {
		one, err := c.write(e, d, program, "webhook.disabled", func(tx *db.Tx) (*webhook.Endpoint, map[string]any, error) {
			one, _, err := webhook.Disable(e.ctx, tx, program, id, webhook.ByHand, e.now())
			return one, map[string]any{"reason": webhook.ByHand}, err
		})
		if err != nil {
			return err
		}
		return c.tell(e, d, one, "", "Nothing is sent to "+one.URL+" any more. What happens waits until `lojal webhook enable`.")
	})
}

type webhookEnableCmd struct {
	hooking
	SkipMissed bool `name:"skip-missed" help:"Go on from now: what happened meanwhile is not sent."`
}

func (webhookEnableCmd) Help() string {
	return `Examples:

    lojal webhook enable https://shop.example.com/lojal`
}

func (c *webhookEnableCmd) Run(e *env) error {
	return c.on(e, func(d *db.DB, program, id string) error {
		one, err := c.write(e, d, program, "webhook.enabled", func(tx *db.Tx) (*webhook.Endpoint, map[string]any, error) {
			one, err := webhook.Enable(e.ctx, tx, program, id, c.SkipMissed, e.now())
			return one, map[string]any{"skip_missed": c.SkipMissed}, err
		})
		if err != nil {
			return err
		}
		return c.tell(e, d, one, "", "Events are sent to "+one.URL+" again.")
	})
}

type webhookDeliveriesCmd struct {
	hooking
	Status string `enum:",pending,delivered,dead" default:"" placeholder:"STATUS" help:"Keep to those that are pending, delivered or dead."`
	Limit  int    `default:"20" placeholder:"N" help:"How many, those of the newest events first; ${default} when left out."`
	Before string `placeholder:"EVENT" help:"Keep to those of events before this one, to go on in a long list."`
}

func (webhookDeliveriesCmd) Help() string {
	return `What was delivered is kept for a week, what is dead for thirty days.

Examples:

    lojal webhook deliveries https://shop.example.com/lojal --status dead`
}

// deliveryShown is a delivery as --json prints it.
type deliveryShown struct {
	Event         string            `json:"event"`
	Type          string            `json:"type"`
	Status        string            `json:"status"`
	NextAttemptAt *time.Time        `json:"next_attempt_at,omitempty"`
	MadeAt        time.Time         `json:"made_at"`
	DoneAt        *time.Time        `json:"done_at,omitempty"`
	Attempts      []webhook.Attempt `json:"attempts"`
}

func shownDelivery(d *webhook.Delivery) deliveryShown {
	return deliveryShown{d.Event, d.Type, string(d.Status), d.DueAt, d.MadeAt, d.DoneAt, append([]webhook.Attempt{}, d.Log...)}
}

func (c *webhookDeliveriesCmd) Run(e *env) error {
	return c.on(e, func(d *db.DB, program, id string) error {
		var list []*webhook.Delivery
		err := d.Read(e.ctx, func(tx *db.Tx) error {
			one, err := webhook.Get(e.ctx, tx, program, id)
			if err != nil {
				return err
			}
			list, err = webhook.Deliveries(e.ctx, tx, one.Ref(), webhook.DeliveryStatus(c.Status), c.Before, max(c.Limit, 1))
			return err
		})
		if err != nil {
			return err
		}
		if c.JSON {
			out := []deliveryShown{}
			for _, one := range list {
				out = append(out, shownDelivery(one))
			}
			return e.json(out)
		}
		if len(list) == 0 {
			e.printf("There is no such delivery.\n")
		}
		for _, one := range list {
			e.printf("%s  %-20s %s\n", one.Event, one.Type, course(one))
		}
		return nil
	})
}

// course says how a delivery goes.
func course(d *webhook.Delivery) string {
	out := string(d.Status)
	if n := len(d.Log); n > 0 {
		last := d.Log[n-1]
		result := fmt.Sprintf("answered %d", last.Status)
		if last.Error != "" {
			result = last.Error
		}
		out += fmt.Sprintf(", %s; the last %s: %s in %d ms", lang.Things(n, "attempt"), last.At.Local().Format(time.DateTime), result, last.Milliseconds)
	}
	if d.DueAt != nil && len(d.Log) > 0 {
		out += "; the next " + d.DueAt.Local().Format(time.DateTime)
	}
	return out
}

type webhookReplayCmd struct {
	hooking
	Event string        `xor:"what" placeholder:"EVENT" help:"Send one event again, by its id."`
	Dead  bool          `xor:"what" help:"Send all that is dead again."`
	Since time.Time     `xor:"what" format:"2006-01-02T15:04:05Z07:00" placeholder:"TIME" help:"Send all again that was recorded since then, such as 2026-11-21T00:00:00+01:00, also from before the webhook was there."`
	Last  time.Duration `xor:"what" placeholder:"DURATION" help:"The same, so long before now, such as 24h."`
}

func (webhookReplayCmd) Help() string {
	return `Events keep their ids, so a receiver knows what it has.

Examples:

    lojal webhook replay https://shop.example.com/lojal --dead
    lojal webhook replay https://shop.example.com/lojal --last 24h`
}

func (c *webhookReplayCmd) Run(e *env) error {
	if c.Last > 0 {
		c.Since = e.now().Add(-c.Last)
	}
	if c.Event == "" && !c.Dead && c.Since.IsZero() {
		return errs.Malformed("what_to_replay", "Say what is to be sent again: --event EVENT, --dead, --since TIME or --last DURATION.")
	}
	return c.on(e, func(d *db.DB, program, id string) error {
		sentence := ""
		one, err := c.write(e, d, program, "webhook.replayed", func(tx *db.Tx) (one *webhook.Endpoint, detail map[string]any, err error) {
			switch {
			case c.Event != "":
				_, err = webhook.ReplayOne(e.ctx, tx, program, id, c.Event, e.now())
				sentence, detail = "It is sent again.", map[string]any{"event": c.Event}
			case c.Dead:
				var n int64
				n, err = webhook.ReplayDead(e.ctx, tx, program, id, e.now())
				sentence, detail = fmt.Sprintf("%s sent again.", lang.Things(n, "dead event")), map[string]any{"dead": n}
			default:
				_, err = webhook.ReplaySince(e.ctx, tx, program, id, c.Since, e.now())
				sentence, detail = "All that was recorded since "+c.Since.Local().Format(time.DateTime)+" is sent again.", map[string]any{"since": c.Since.UTC()}
			}
			if err == nil {
				one, err = webhook.Get(e.ctx, tx, program, id)
			}
			return one, detail, err
		})
		if err != nil {
			return err
		}
		return c.tell(e, d, one, "", sentence)
	})
}

type webhookRemoveCmd struct{ hooking }

func (webhookRemoveCmd) Help() string {
	return `Examples:

    lojal webhook remove https://shop.example.com/lojal`
}

func (c *webhookRemoveCmd) Run(e *env) error {
	return c.on(e, func(d *db.DB, program, id string) error {
		one, err := c.write(e, d, program, "webhook.removed", func(tx *db.Tx) (*webhook.Endpoint, map[string]any, error) {
			one, err := webhook.Remove(e.ctx, tx, program, id, e.now())
			if err != nil {
				return nil, nil, err
			}
			return one, map[string]any{"host": one.Host()}, nil
		})
		if err != nil {
			return err
		}
		return c.tell(e, d, one, "", "The webhook to "+one.URL+" is removed.")
	})
}
