package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"lojal.dev/lojal/internal/page"
)

// change is an entry of the audit log.
type change struct {
	ID     string         `json:"id"`
	At     time.Time      `json:"at"`
	Actor  string         `json:"actor"`
	Action string         `json:"action"`
	Target string         `json:"target"`
	Detail map[string]any `json:"detail"`
}

// logged are the kinds of changes that can be looked for, in the order in which they are offered.
var logged = []string{
	"program.published", "program.rolled_back", "draft.dropped", "key.created", "key.rotated", "key.revoked", "staff.added", "staff.role_changed", "staff.removed",
	"webhook.created", "webhook.changed", "webhook.rotated", "webhook.disabled", "webhook.enabled", "webhook.tested", "webhook.replayed", "webhook.removed",
	"import.uploaded", "import.started", "import.cancelled", "pool.loaded", "partner.paid", "identifier.added", "identifier.removed", "gift_card.erased",
	"books.sealed", "database.backed_up", "demo.filled",
}

// did is what was done, after the name of who did it.
func (v *visit) did(action string) string {
	if _, ok := words["did."+action]; ok {
		return v.T("did." + action)
	}
	return strings.NewReplacer(".", " ", "_", " ").Replace(action)
}

// said are the details that tell what was done to what, in a line: names of things, not their numbers.
func (e *change) said() string {
	var out []string
	for _, k := range []string{"name", "file", "host", "from", "to", "role", "kind", "reference", "amount", "reason", "version"} {
		switch x := e.Detail[k].(type) {
		case string:
			if x != "" {
				out = append(out, x)
			}
		case float64:
			out = append(out, fmt.Sprint(x))
		}
	}
	return strings.Join(out, " · ")
}

// about is the page of a thing by its id, empty when it has none that the person may open.
func (v *visit) about(id string) string {
	kind, _, _ := strings.Cut(id, "_")
	var place, needs string
	switch kind {
	case "mem":
		place, needs = "/console/members/", "members:read"
	case "imp":
		place, needs = "/console/imports/", "imports:read"
	case "whk":
		place, needs = "/console/webhooks/", "webhooks:read"
	default:
		return ""
	}
	if !v.may(needs) {
		return ""
	}
	return place + url.PathEscape(id)
}

// days puts the days of a form into a query: from the first moment of one to the last of the other, in the program's zone.
func (v *visit) days(q, ask url.Values) {
	if day, err := time.ParseInLocation(time.DateOnly, q.Get("since"), v.zone(v.now)); err == nil {
		ask.Set("since", day.Format(time.RFC3339))
	}
	if day, err := time.ParseInLocation(time.DateOnly, q.Get("until"), v.zone(v.now)); err == nil {
		ask.Set("until", day.AddDate(0, 0, 1).Format(time.RFC3339))
	}
}

func (c *Console) audit(v *visit) error {
	q := v.r.URL.Query()
	ask := url.Values{"limit": {"50"}}
	for name, of := range map[string]string{"who": "actor", "what": "action", "about": "target", "cursor": "cursor"} {
		if text := strings.TrimSpace(q.Get(name)); text != "" {
			ask.Set(of, text)
		}
	}
	v.days(q, ask)
	var list struct {
		Items []change
		Next  string `json:"next_cursor"`
	}
	if err := v.api.Get(v.r.Context(), page.Path("audit"), ask, &list); err != nil {
		return err
	}
	return v.show(auditPage(v, q, list.Items, list.Next))
}

func (v *visit) loggedChoices() []page.Choice {
	out := []page.Choice{{Value: "", Label: v.T("audit.any")}}
	for _, a := range logged {
		out = append(out, page.Choice{Value: a, Label: upper(v.did(a))})
	}
	return out
}

// upper begins a line with a capital.
func upper(s string) string {
	for i, r := range s {
		return strings.ToUpper(string(r)) + s[i+len(string(r)):]
	}
	return s
}

// happened is an event as the API tells of it.
type happened struct {
	ID         string          `json:"id"`
	Type       string          `json:"type"`
	Member     string          `json:"member"`
	Fact       string          `json:"fact"`
	OccurredAt time.Time       `json:"occurred_at"`
	RecordedAt time.Time       `json:"recorded_at"`
	Data       json.RawMessage `json:"data"`
}

func (c *Console) events(v *visit) error {
	q := v.r.URL.Query()
	ask := url.Values{"limit": {"50"}}
	if cursor := q.Get("cursor"); cursor != "" {
		ask.Set("cursor", cursor)
	}
	if of := q.Get("of"); slices.Contains(eventGroups(), of) {
		ask.Set("type", of+".*")
	}
	var list struct {
		Items []happened
		Next  string `json:"next_cursor"`
	}
	if err := v.api.Get(v.r.Context(), page.Path("events", "newest"), ask, &list); err != nil {
		return err
	}
	return v.showAs(http.StatusOK, eventsPage(v, q.Get("of"), list.Items, list.Next))
}

// eventChoices are the groups of events, by their names.
func (v *visit) eventChoices() []page.Choice {
	out := []page.Choice{{Value: "", Label: v.T("hook.every")}}
	for _, g := range eventGroups() {
		out = append(out, page.Choice{Value: g, Label: v.T("events.of." + g)})
	}
	return out
}

// older is the address of the page with what came before, with the same filters.
func older(path string, q url.Values, next string) string {
	out := url.Values{}
	for k, list := range q {
		if k != "cursor" && k != "said" {
			out[k] = list
		}
	}
	out.Set("cursor", next)
	return path + "?" + out.Encode()
}
