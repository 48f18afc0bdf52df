package console

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/page"
)

// houseEntry is a household or an organization in a list.
type houseEntry struct {
	ID         string    `json:"id"`
	Kind       string    `json:"kind"`
	Name       string    `json:"name"`
	ExternalID string    `json:"external_id"`
	Status     string    `json:"status"`
	People     int64     `json:"people"`
	CreatedAt  time.Time `json:"created_at"`
}

// household is a household or an organization, as the API tells of it.
type household struct {
	ID         string             `json:"id"`
	Kind       string             `json:"kind"`
	Name       string             `json:"name"`
	ExternalID string             `json:"external_id"`
	Status     string             `json:"status"`
	People     []houseMember      `json:"people"`
	Invited    []houseMember      `json:"invited"`
	Shared     map[string]string  `json:"shared"`
	Balances   map[string]balance `json:"balances"`
}

type houseMember struct {
	Member   string            `json:"member"`
	Name     string            `json:"name"`
	Role     string            `json:"role"`
	Since    time.Time         `json:"since"`
	Until    *time.Time        `json:"until"`
	KeepsOut bool              `json:"keeps_out"`
	Takes    map[string]string `json:"takes"`
}

func (p *houseMember) called() string { return cmp.Or(p.Name, p.Member) }

func (h *household) called(v *visit) string { return cmp.Or(h.Name, v.T("house."+h.Kind)) }

// houses are the pages of households, or of organizations.
type houses struct {
	kind, plural string
	things       *things[household]
	deeds        []*deed[household]
	// invite and the others are what happens to who belongs to one.
	invite, join, no, role, remove, keep, share, end *deed[household]
}

var households, organizations = newHouses("household", "households"), newHouses("organization", "organizations")

func newHouses(kind, plural string) *houses {
	k := &houses{kind: kind, plural: plural}
	k.things = &things[household]{
		word: "house", in: "house",
		get: func(v *visit, id string) (h household, err error) {
			err = v.api.Get(v.r.Context(), page.Path(plural, id), nil, &h)
			h.Kind = kind
			return h, err
		},
		name: func(v *visit, h *household) string { return h.called(v) },
		back: func(h *household) string { return below(plural, h.ID) },
	}
	open := func(_ *visit, h *household) bool { return h.Status == "active" }
	invited := func(_ *visit, h *household) bool { return h.Status == "active" && len(h.Invited) > 0 }
	one := func(list func(*household) []houseMember) func(*visit, *household, *page.Form) []question {
		return func(v *visit, h *household, _ *page.Form) []question { return []question{v.oneOf(list(h))} }
	}
	people := func(h *household) []houseMember { return h.People }
	guests := func(h *household) []houseMember { return h.Invited }
	step := func(do string) func(*visit, *household, *page.Form) (string, string, any) {
		return func(_ *visit, h *household, f *page.Form) (string, string, any) {
			body := f.Body("member", "role")
			body["do"] = do
			return sendTo(body, plural, h.ID, "steps")
		}
	}
	write := func(name, icon string) *deed[household] {
		return &deed[household]{on: k.things, name: name, icon: icon, needs: "members:write", offered: open, send: step(name)}
	}
	k.invite = write("invite", "user-plus")
	k.invite.ask = func(v *visit, h *household, _ *page.Form) []question {
		return []question{
			{Field: page.Field{Name: "member", Label: v.T("member"), Hint: v.T("member.hint"), Required: true, Auto: "off"}},
			v.roleOf(h),
		}
	}
	k.invite.send = func(v *visit, h *household, f *page.Form) (string, string, any) {
		m, err := v.named(f.Get("member"))
		if err != nil {
			f.Wrong["member"] = v.T("merge.nobody")
			return "", "", nil
		}
		body := f.Body("role")
		body["do"], body["member"] = "invite", m.ID
		return sendTo(body, plural, h.ID, "steps")
	}
	k.join, k.no = write("join", "circle-check"), write("no", "x")
	k.join.offered, k.no.offered = invited, invited
	k.join.ask, k.no.ask = one(guests), one(guests)
	k.role, k.remove, k.keep, k.share = write("role", "shield-check"), write("remove", "minus"), write("keep", "lock"), write("share", "users")
	k.role.ask = func(v *visit, h *household, _ *page.Form) []question {
		return []question{v.oneOf(h.People), v.roleOf(h)}
	}
	k.remove.ask, k.keep.ask, k.share.ask = one(people), one(people), one(people)
	k.remove.grave = true
	k.end = &deed[household]{
		on: k.things, name: "close", icon: "ban", needs: "members:write", grave: true, offered: open, ask: reasonMaybe[household],
		send: func(_ *visit, h *household, f *page.Form) (string, string, any) {
			return sendTo(f.Body("reason"), plural, h.ID, "close")
		},
	}
	k.deeds = []*deed[household]{k.invite, k.join, k.no, k.role, k.remove, k.keep, k.share, k.end}
	if kind == "organization" {
		k.deeds = slices.DeleteFunc(k.deeds, func(d *deed[household]) bool { return d == k.keep || d == k.share })
	}
	return k
}

// oneOf asks for one of the people.
func (v *visit) oneOf(list []houseMember) question {
	out := []page.Choice{}
	for i := range list {
		out = append(out, page.Choice{Value: list[i].Member, Label: list[i].called()})
	}
	return question{Field: page.Field{Name: "member", Label: v.T("member")}, choices: out}
}

// roleOf asks for a role: those of a household are known, those of an organization are the program's.
func (v *visit) roleOf(h *household) question {
	roles := []string{"member", "owner"}
	if h.Kind == "organization" {
		roles = []string{"buyer", "owner", "viewer"}
		if v.p != nil && v.p.Doc.Organizations != nil && len(v.p.Doc.Organizations.Roles) > 0 {
			roles = nil
			for r := range v.p.Doc.Organizations.Roles {
				roles = append(roles, r)
			}
			slices.Sort(roles)
		}
	}
	out := []page.Choice{}
	for _, r := range roles {
		out = append(out, page.Choice{Value: r, Label: v.houseRole(r)})
	}
	return question{Field: page.Field{Name: "role", Label: v.T("house.role")}, choices: out}
}

func (v *visit) houseRole(role string) string {
	if _, ok := words["house.role."+role]; ok {
		return v.T("house.role." + role)
	}
	return role
}

// list is the page of all of a kind.
func (k *houses) list(_ *Console, v *visit) error {
	q := strings.TrimSpace(v.r.URL.Query().Get("q"))
	ask := url.Values{"limit": {"50"}}
	for name, value := range map[string]string{"q": q, "cursor": v.r.URL.Query().Get("cursor")} {
		if value != "" {
			ask.Set(name, value)
		}
	}
	var list struct {
		Items []houseEntry
		Next  string `json:"next_cursor"`
	}
	if err := v.api.Get(v.r.Context(), page.Path(k.plural), ask, &list); err != nil {
		return err
	}
	next := ""
	if list.Next != "" {
		next = below(k.plural) + "?" + url.Values{"q": {q}, "cursor": {list.Next}}.Encode()
	}
	return v.show(housesPage(v, k, q, list.Items, next))
}

func (k *houses) one(_ *Console, v *visit) error {
	h, err := k.things.get(v, v.r.PathValue("house"))
	if err != nil {
		return err
	}
	return v.show(housePage(v, k, &h))
}

func (k *houses) newPage(_ *Console, v *visit) error {
	f := page.NewForm("owner", v.r.URL.Query().Get("owner"))
	return v.show(newHousePage(v, k, f))
}

func (k *houses) make(_ *Console, v *visit) error {
	f, err := v.form()
	if err != nil {
		return err
	}
	show := func(status int) error { return v.showAs(status, newHousePage(v, k, f)) }
	owner, err := v.named(f.Get("owner"))
	if err != nil {
		f.Wrong["owner"] = v.T("merge.nobody")
		return show(http.StatusUnprocessableEntity)
	}
	body := f.Body("name", "email", "phone")
	body["owner"] = owner.ID
	if number := strings.TrimSpace(f.Get("external_id")); number != "" {
		body["identifiers"] = []map[string]string{{"kind": "ext", "value": number}}
	}
	var made struct{ ID string }
	if err := v.api.Post(v.r.Context(), page.Path(k.plural), f.Get("key"), body, &made); err != nil {
		return v.again(f, err, show)
	}
	return v.said(below(k.plural, made.ID), "house_made")
}

// Recognition.

// thanks is one member's thanks to another.
type thanks struct {
	ID      string     `json:"id"`
	From    string     `json:"from"`
	To      string     `json:"to"`
	Unit    string     `json:"unit"`
	Becomes string     `json:"becomes"`
	Amount  string     `json:"amount"`
	For     string     `json:"for"`
	Message string     `json:"message"`
	Status  string     `json:"status"`
	At      time.Time  `json:"at"`
	Until   *time.Time `json:"until"`
}

// thanksShown are the states that recognition is listed by; the last is all of it.
var thanksShown = []string{"waiting", "given", "declined", "lapsed", "undone", ""}

func (c *Console) recognition(v *visit) error {
	status := "waiting"
	if q := v.r.URL.Query(); q.Has("status") && slices.Contains(thanksShown, q.Get("status")) {
		status = q.Get("status")
	}
	ask := url.Values{"limit": {"50"}}
	for name, value := range map[string]string{"status": status, "cursor": v.r.URL.Query().Get("cursor")} {
		if value != "" {
			ask.Set(name, value)
		}
	}
	var list struct {
		Items []thanks
		Next  string `json:"next_cursor"`
	}
	if err := v.api.Get(v.r.Context(), page.Path("recognitions"), ask, &list); err != nil {
		return err
	}
	names, err := v.names(func(yield func(string) bool) {
		for i := range list.Items {
			if !yield(list.Items[i].From) || !yield(list.Items[i].To) {
				return
			}
		}
	})
	if err != nil {
		return err
	}
	next := ""
	if list.Next != "" {
		next = "/console/recognition?" + url.Values{"status": {status}, "cursor": {list.Next}}.Encode()
	}
	return v.show(recognitionPage(v, status, list.Items, names, next))
}

var thanksThings = &things[thanks]{
	word: "thanks", in: "recognition",
	get: func(v *visit, id string) (t thanks, err error) {
		err = v.api.Get(v.r.Context(), page.Path("recognitions", id), nil, &t)
		return t, err
	},
	name: func(v *visit, _ *thanks) string { return v.T("recognition") },
	back: func(*thanks) string { return "/console/recognition" },
}

func thanksWaits(_ *visit, t *thanks) bool { return t.Status == "waiting" }

var (
	approveDeed = &deed[thanks]{
		on: thanksThings, name: "approve", icon: "circle-check", needs: "adjustments:write", offered: thanksWaits,
		send: func(_ *visit, t *thanks, _ *page.Form) (string, string, any) {
			return sendTo(map[string]any{}, "recognitions", t.ID, "approve")
		},
	}
	declineDeed = &deed[thanks]{
		on: thanksThings, name: "decline", icon: "x", needs: "adjustments:write", grave: true, offered: thanksWaits, ask: reasonMaybe[thanks],
		send: func(_ *visit, t *thanks, f *page.Form) (string, string, any) {
			return sendTo(f.Body("reason"), "recognitions", t.ID, "decline")
		},
	}
	unthankDeed = &deed[thanks]{
		on: thanksThings, name: "undo", icon: "undo-2", needs: "transfers:write", grave: true, offered: func(_ *visit, t *thanks) bool { return t.Status == "given" }, ask: reasonMaybe[thanks],
		send: func(_ *visit, t *thanks, f *page.Form) (string, string, any) {
			return sendTo(f.Body("reason"), "recognitions", t.ID, "undo")
		},
	}
	thanksDeeds = []*deed[thanks]{approveDeed, declineDeed, unthankDeed}
)

// thanksKind is how the badge of a state looks.
func thanksKind(status string) string {
	switch status {
	case "given":
		return "good"
	case "waiting":
		return "warn"
	}
	return ""
}

// Referral.

// referralOf is whom a member brought, and who brought the member.
type referralOf struct {
	Code      string     `json:"code"`
	InvitedBy string     `json:"invited_by"`
	Status    string     `json:"status"`
	Until     *time.Time `json:"until"`
	Friends   []struct {
		Member  string            `json:"member"`
		Status  string            `json:"status"`
		At      time.Time         `json:"at"`
		Earned  map[string]string `json:"earned"`
		Refused string            `json:"refused"`
	} `json:"friends"`
}

func (c *Console) referral(v *visit) error {
	m, err := v.oneMember()
	if err != nil {
		return err
	}
	var b referralOf
	if err := v.api.Get(v.r.Context(), page.Path("members", m.ID, "referral"), nil, &b); err != nil {
		return err
	}
	names, err := v.names(func(yield func(string) bool) {
		if !yield(b.InvitedBy) {
			return
		}
		for i := range b.Friends {
			if !yield(b.Friends[i].Member) {
				return
			}
		}
	})
	if err != nil {
		return err
	}
	return v.show(referralPage(v, m, &b, names))
}

// makeInvitation gives a member the code that friends are invited with.
func (c *Console) makeInvitation(v *visit) error {
	m, err := v.oneMember()
	if err != nil {
		return err
	}
	err = v.api.Post(v.r.Context(), page.Path("members", m.ID, "referral"), "", map[string]any{}, nil)
	if code := errs.CodeOf(err); err != nil && (code == errs.CodeConflict || code == errs.CodeForbidden || code == errs.CodeInvalid) {
		return errs.Conflict(errs.As(err).Reason, errs.As(err).Message)
	}
	if err != nil {
		return err
	}
	return v.said(below("members", m.ID, "referral"), "invitation_made")
}

// unitsHeld are the units of an organization's books in their order.
func unitsHeld(have map[string]balance) []string { return slices.Sorted(maps.Keys(have)) }
