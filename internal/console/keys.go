package console

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"lojal.dev/lojal/internal/key"
	"lojal.dev/lojal/internal/page"
)

// apiKey is a key as the API tells of it.
type apiKey struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	Prefix     string     `json:"prefix"`
	Scopes     []string   `json:"scopes"`
	Partner    string     `json:"partner"`
	CreatedAt  time.Time  `json:"created_at"`
	ExpiresAt  *time.Time `json:"expires_at"`
	RevokedAt  *time.Time `json:"revoked_at"`
	LastUsedAt *time.Time `json:"last_used_at"`
	Secret     string     `json:"secret"`
}

// ended says that it opens nothing any more.
func (k *apiKey) ended(now time.Time) bool {
	return k.RevokedAt != nil || k.ExpiresAt != nil && !k.ExpiresAt.After(now)
}

// reach is what a key can be let into: read it, change it, or both.
type reach struct {
	name        string
	read, write string
}

// reaches are the scopes in groups, as they are shown; the widest alone is left out.
func reaches() []reach {
	var out []reach
	for _, s := range key.Scopes {
		name, verb, ok := strings.Cut(s, ":")
		if !ok {
			continue
		}
		at := slices.IndexFunc(out, func(r reach) bool { return r.name == name })
		if at < 0 {
			out = append(out, reach{name: name})
			at = len(out) - 1
		}
		if verb == "read" {
			out[at].read = s
		} else {
			out[at].write = s
		}
	}
	return out
}

// uses are what keys are mostly made for, with what they need for it.
var uses = []struct {
	name   string
	scopes []string
}{
	{"till", []string{"members:read", "members:write", "purchases:read", "purchases:write", "activities:write", "redemptions:read", "redemptions:write", "giftcards:read", "giftcards:write", "rewards:read", "benefits:read", "benefits:write", "simulations:write"}},
	{"shop", []string{"members:read", "members:write", "purchases:read", "purchases:write", "activities:write", "redemptions:read", "redemptions:write", "giftcards:read", "giftcards:write", "rewards:read", "benefits:read", "benefits:write", "plans:read", "plans:write", "programs:read", "simulations:write"}},
	{"reading", []string{"members:read", "purchases:read", "redemptions:read", "giftcards:read", "rewards:read", "benefits:read", "plans:read", "partners:read", "programs:read", "events:read"}},
	{"partner", key.PartnerScopes},
	{"all", []string{key.Admin}},
}

// scopesInWords says what a key may do, one line for each thing.
func (v *visit) scopesInWords(k *apiKey) []string {
	if slices.Contains(k.Scopes, key.Admin) {
		return []string{v.T("scope.admin")}
	}
	var out []string
	for _, r := range reaches() {
		read, write := slices.Contains(k.Scopes, r.read), slices.Contains(k.Scopes, r.write)
		switch {
		case read && write:
			out = append(out, v.T("scope."+r.name)+": "+v.T("scope.both"))
		case write:
			out = append(out, v.T("scope."+r.name)+": "+v.T("scope.write"))
		case read:
			out = append(out, v.T("scope."+r.name)+": "+v.T("scope.read"))
		}
	}
	return out
}

// partnersOf are the partners that the program names.
func (v *visit) partnersOf() []page.Choice {
	var out []page.Choice
	if v.p != nil {
		for _, id := range keysOf(v.p.Partners) {
			out = append(out, page.Choice{Value: id, Label: v.partnerName(id)})
		}
	}
	return out
}

func (v *visit) partnerName(id string) string {
	if v.p != nil && v.p.Partners[id] != nil {
		return cmp.Or(v.p.Partners[id].Name.In(v.lang), id)
	}
	return id
}

func (c *Console) keys(v *visit) error {
	use := v.r.URL.Query().Get("for")
	f := page.NewForm("for", "till")
	for _, u := range uses {
		if u.name == use {
			f.Set("for", use)
		}
	}
	for _, u := range uses {
		if u.name == f.Get("for") {
			f.Values["scope"] = u.scopes
		}
	}
	return c.keysWith(v, http.StatusOK, f, nil)
}

func (c *Console) keysWith(v *visit, status int, f *page.Form, made *apiKey) error {
	var list struct{ Items []apiKey }
	if err := v.api.Get(v.r.Context(), page.Path("keys"), nil, &list); err != nil {
		return err
	}
	var living, ended []apiKey
	for _, k := range slices.Backward(list.Items) {
		if k.ended(v.now) {
			ended = append(ended, k)
		} else {
			living = append(living, k)
		}
	}
	return v.showAs(status, keysPage(v, living, ended, f, made))
}

func (c *Console) createKey(v *visit) error {
	f, err := v.form()
	if err != nil {
		return err
	}
	body := f.Body("name", "partner")
	body["scopes"] = append([]string{}, f.Values["scope"]...)
	if f.Get("test") == "yes" {
		body["test"] = true
	}
	v.endOf(body, "expires_at", f.Get("expires_at"))
	var k apiKey
	if err := v.api.Post(v.r.Context(), page.Path("keys"), f.Get("key"), body, &k); err != nil {
		return v.again(f, err, func(status int) error { return c.keysWith(v, status, f, nil) })
	}
	return c.shown(v, &k)
}

// shown shows a new secret, once.
func (c *Console) shown(v *visit, k *apiKey) error {
	if k.Secret == "" { // it was sent twice, and shown the first time
		return v.said("/console/keys", "key_shown")
	}
	f := page.NewForm("for", "till")
	f.Values["scope"] = uses[0].scopes
	return c.keysWith(v, http.StatusCreated, f, k)
}

// overlaps are how long an old secret goes on beside its successor, in seconds.
var overlaps = []string{"86400", "604800", "3600", "0"}

func (v *visit) overlaps() []page.Choice {
	var out []page.Choice
	for _, o := range overlaps {
		out = append(out, page.Choice{Value: o, Label: v.T("overlap." + o)})
	}
	return out
}

func (c *Console) rotateKey(v *visit) error {
	f, err := v.form()
	if err != nil {
		return err
	}
	var k apiKey
	body := map[string]int64{"overlap_seconds": whole64(f.Get("overlap"))}
	if err := v.api.Post(v.r.Context(), page.Path("keys", v.r.PathValue("key"), "rotate"), f.Get("key"), body, &k); err != nil {
		return err
	}
	return c.shown(v, &k)
}

func (c *Console) revokeKey(v *visit) error {
	if err := v.api.Post(v.r.Context(), page.Path("keys", v.r.PathValue("key"), "revoke"), "", nil, nil); err != nil {
		return err
	}
	return v.said("/console/keys", "key_revoked")
}

// keyPath is the address of what is done to a key.
func keyPath(id, verb string) string { return "/console/keys/" + url.PathEscape(id) + "/" + verb }
