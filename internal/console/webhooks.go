package console

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/page"
)

// hook is a webhook as the API tells of it.
type hook struct {
	ID            string     `json:"id"`
	URL           string     `json:"url"`
	Description   string     `json:"description"`
	Types         []string   `json:"types"`
	Payload       string     `json:"payload"`
	Status        string     `json:"status"`
	Reason        string     `json:"disabled_reason"`
	DisabledAt    *time.Time `json:"disabled_at"`
	FailingSince  *time.Time `json:"failing_since"`
	LastSuccessAt *time.Time `json:"last_success_at"`
	Replaying     bool       `json:"replaying"`
	SecretMissing bool       `json:"secret_missing"`
	PreviousUntil *time.Time `json:"previous_secret_until"`
	Deliveries    struct {
		Pending int64      `json:"pending"`
		Dead    int64      `json:"dead"`
		Oldest  *time.Time `json:"oldest_pending_at"`
	} `json:"deliveries"`
	Secret string `json:"secret"`
}

// Name is what to call it: its description, or where it is.
func (h *hook) Name() string {
	if h.Description != "" {
		return h.Description
	}
	if u, err := url.Parse(h.URL); err == nil && u.Host != "" {
		return u.Host
	}
	return h.ID
}

// healthOf is how it goes, in a word and how that is to be seen.
func (v *visit) healthOf(h hook) (word, look string) {
	switch {
	case h.Status == "disabled":
		return v.T("hook.disabled"), "warn"
	case h.SecretMissing:
		return v.T("hook.no_secret"), "bad"
	case h.FailingSince != nil:
		return v.T("hook.failing"), "bad"
	case h.LastSuccessAt != nil:
		return v.T("hook.well"), "good"
	}
	return v.T("hook.unused"), ""
}

// delivery is a message to a webhook.
type delivery struct {
	Event    string     `json:"event"`
	Type     string     `json:"type"`
	Status   string     `json:"status"`
	NextAt   *time.Time `json:"next_attempt_at"`
	Attempts []struct {
		At           time.Time `json:"at"`
		Status       int64     `json:"status"`
		Milliseconds int64     `json:"milliseconds"`
		Error        string    `json:"error"`
		Answer       string    `json:"answer"`
	} `json:"attempts"`
	MadeAt  time.Time       `json:"made_at"`
	DoneAt  *time.Time      `json:"done_at"`
	Message json.RawMessage `json:"message"`
}

var deliveryLooks = map[string]string{"pending": "info", "delivered": "good", "dead": "bad"}

// eventGroups are the first halves of the types of events, in the order in which they are documented.
func eventGroups() []string {
	var out []string
	for _, t := range engine.EventTypes {
		if group, _, _ := strings.Cut(t.Type, "."); !slices.Contains(out, group) {
			out = append(out, group)
		}
	}
	return out
}

// typesInWords says which events it is told of.
func (v *visit) typesInWords(types []string) []string {
	if len(types) == 0 {
		return []string{v.T("hook.every")}
	}
	var out []string
	for _, t := range types {
		if group, ok := strings.CutSuffix(t, ".*"); ok && slices.Contains(eventGroups(), group) {
			out = append(out, v.T("events.of."+group))
		} else {
			out = append(out, t)
		}
	}
	return out
}

func (c *Console) hooks(v *visit) error {
	var list struct{ Items []hook }
	if err := v.api.Get(v.r.Context(), page.Path("webhooks"), nil, &list); err != nil {
		return err
	}
	return v.show(hooksPage(v, list.Items))
}

func (c *Console) newHook(v *visit) error {
	return v.show(newHookPage(v, page.NewForm("payload", "thin")))
}

func (c *Console) addHook(v *visit) error {
	f, err := v.form()
	if err != nil {
		return err
	}
	body := f.Body("url", "description", "payload")
	body["types"] = append([]string{}, f.Values["type"]...)
	var h hook
	if err := v.api.Post(v.r.Context(), page.Path("webhooks"), f.Get("key"), body, &h); err != nil {
		return v.again(f, err, func(status int) error { return v.showAs(status, newHookPage(v, f)) })
	}
	return c.hookWith(v, http.StatusCreated, h.ID, h.Secret)
}

func (c *Console) oneHook(v *visit) error {
	return c.hookWith(v, http.StatusOK, v.r.PathValue("webhook"), "")
}

// hookWith shows a webhook with its deliveries, and a secret where one was made just now.
func (c *Console) hookWith(v *visit, status int, id, secret string) error {
	var h hook
	if err := v.api.Get(v.r.Context(), page.Path("webhooks", id), nil, &h); err != nil {
		return err
	}
	ask := url.Values{"limit": {"25"}}
	q := v.r.URL.Query()
	show := q.Get("status")
	if deliveryLooks[show] != "" {
		ask.Set("status", show)
	}
	if cursor := q.Get("cursor"); cursor != "" {
		ask.Set("cursor", cursor)
	}
	var list struct {
		Items []delivery
		Next  string `json:"next_cursor"`
	}
	if err := v.api.Get(v.r.Context(), page.Path("webhooks", id, "deliveries"), ask, &list); err != nil {
		return err
	}
	h.Secret = secret
	return v.showAs(status, hookPage(v, h, list.Items, list.Next, ask.Get("status")))
}

// hookPath is the address of a webhook in the console.
func hookPath(id string, more ...string) string {
	return strings.Join(append([]string{"/console/webhooks", url.PathEscape(id)}, more...), "/")
}

func (c *Console) rotateHook(v *visit) error {
	f, err := v.form()
	if err != nil {
		return err
	}
	id := v.r.PathValue("webhook")
	var h hook
	if err := v.api.Post(v.r.Context(), page.Path("webhooks", id, "rotate"), f.Get("key"), map[string]int64{"overlap_seconds": whole64(f.Get("overlap"))}, &h); err != nil {
		return err
	}
	if h.Secret == "" {
		return v.said(hookPath(id), "key_shown")
	}
	return c.hookWith(v, http.StatusOK, id, h.Secret)
}

// testHook sends a test, and leads to what comes of it.
func (c *Console) testHook(v *visit) error {
	id := v.r.PathValue("webhook")
	var d delivery
	if err := v.api.Post(v.r.Context(), page.Path("webhooks", id, "test"), "", nil, &d); err != nil {
		return err
	}
	return v.to(hookPath(id, "deliveries", url.PathEscape(d.Event)))
}

func (c *Console) disableHook(v *visit) error {
	id := v.r.PathValue("webhook")
	if err := v.api.Post(v.r.Context(), page.Path("webhooks", id, "disable"), "", nil, nil); err != nil {
		return err
	}
	return v.said(hookPath(id), "hook_disabled")
}

func (c *Console) enableHook(v *visit) error {
	f, err := v.form()
	if err != nil {
		return err
	}
	id := v.r.PathValue("webhook")
	if err := v.api.Post(v.r.Context(), page.Path("webhooks", id, "enable"), "", map[string]bool{"skip_missed": f.Get("skip") == "yes"}, nil); err != nil {
		return err
	}
	return v.said(hookPath(id), "hook_enabled")
}

func (c *Console) removeHook(v *visit) error {
	if err := v.api.Do(v.r.Context(), http.MethodDelete, page.Path("webhooks", v.r.PathValue("webhook")), nil, "", nil, nil); err != nil {
		return err
	}
	return v.said("/console/webhooks", "hook_removed")
}

// replayHook sends again what is dead, or all since a day.
func (c *Console) replayHook(v *visit) error {
	f, err := v.form()
	if err != nil {
		return err
	}
	id := v.r.PathValue("webhook")
	body := map[string]any{"dead": true}
	if f.Get("what") == "since" {
		day, err := time.ParseInLocation(time.DateOnly, f.Get("since"), v.zone(v.now))
		if err != nil {
			return v.said(hookPath(id), "hook_no_day")
		}
		body = map[string]any{"since": day.Format(time.RFC3339)}
	}
	if err := v.api.Post(v.r.Context(), page.Path("webhooks", id, "replay"), f.Get("key"), body, nil); err != nil {
		return err
	}
	return v.said(hookPath(id), "hook_replays")
}

func (c *Console) oneDelivery(v *visit) error {
	id, event := v.r.PathValue("webhook"), v.r.PathValue("event")
	var h hook
	var d delivery
	if err := v.api.Get(v.r.Context(), page.Path("webhooks", id), nil, &h); err != nil {
		return err
	}
	if err := v.api.Get(v.r.Context(), page.Path("webhooks", id, "deliveries", event), nil, &d); err != nil {
		return err
	}
	if v.r.Header.Get("HX-Request") == "true" {
		return v.show(deliveryState(v, h, d))
	}
	return v.show(deliveryPage(v, h, d))
}

func (c *Console) replayDelivery(v *visit) error {
	id, event := v.r.PathValue("webhook"), v.r.PathValue("event")
	if err := v.api.Post(v.r.Context(), page.Path("webhooks", id, "deliveries", event, "replay"), "", nil, nil); err != nil {
		return err
	}
	return v.to(hookPath(id, "deliveries", url.PathEscape(event)))
}

// indented is JSON for people to read.
func indented(raw json.RawMessage) string {
	var all any
	if err := json.Unmarshal(raw, &all); err != nil {
		return string(raw)
	}
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return string(raw)
	}
	return string(text)
}

// eventName is what to call an event: by its own name, or by its group and type.
func (v *visit) eventName(kind string) string {
	if _, ok := words["event."+kind]; ok {
		return v.T("event." + kind)
	}
	group, rest, _ := strings.Cut(kind, ".")
	if _, ok := words["events.of."+group]; ok {
		return v.T("events.of."+group) + ": " + strings.ReplaceAll(rest, "_", " ")
	}
	return kind
}
