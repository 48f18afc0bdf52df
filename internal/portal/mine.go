package portal

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/page"
	"lojal.dev/lojal/internal/signin"
)

// benefit is a benefit as it stands for the member.
type benefit struct {
	ID          string     `json:"id"`
	Title       string     `json:"title"`
	Description string     `json:"description"`
	Available   bool       `json:"available"`
	Why         []string   `json:"why"`
	Until       *time.Time `json:"until"`
	Left        *int64     `json:"left"`
	RenewsAt    *time.Time `json:"renews_at"`
	Value       *struct {
		Text string `json:"text"`
	} `json:"value"`
	Fades *struct {
		At time.Time `json:"at"`
	} `json:"fades"`
}

// shown says whether it is used by being shown: what takes something off a price is used by the till.
func (b benefit) shown() bool {
	return b.Available && b.Left != nil && (b.Value == nil || b.Value.Text == "")
}

func (v *visit) benefits() ([]benefit, error) {
	var in struct{ Items []benefit }
	err := v.api.Get(v.r.Context(), v.mine("benefits"), nil, &in)
	return in.Items, err
}

func (c *Portal) benefits(v *visit) error {
	return c.benefitsWith(v, http.StatusOK, page.NewForm(), nil)
}

func (c *Portal) benefitsWith(v *visit, status int, f *page.Form, used *benefit) error {
	list, err := v.benefits()
	if err != nil {
		return err
	}
	var have, not []benefit
	for _, b := range list {
		if b.Available {
			have = append(have, b)
		} else {
			not = append(not, b)
		}
	}
	return v.showAs(status, benefitsPage(v, have, not, f, used))
}

// useBenefit uses a benefit once, and shows who stands behind the counter that it was just now.
func (c *Portal) useBenefit(v *visit) error {
	f, err := v.form()
	if err != nil {
		return err
	}
	id := v.r.PathValue("benefit")
	var b benefit
	if err := v.api.Get(v.r.Context(), v.mine("benefits", id), nil, &b); err != nil {
		return err
	}
	if err := v.api.Post(v.r.Context(), v.mine("benefits", id, "uses"), "use-"+f.Get("key"), map[string]string{"channel": "portal"}, nil); err != nil {
		return v.again(f, err, func(status int) error { return c.benefitsWith(v, status, f, nil) })
	}
	return c.benefitsWith(v, http.StatusOK, page.NewForm(), &b)
}

func newKey() string { return ids.Code(20) }

func (c *Portal) challenges(v *visit) error {
	list, err := v.challenges()
	if err != nil {
		return err
	}
	var running, other []challenge
	for _, h := range list {
		if h.Running && h.TakesPart {
			running = append(running, h)
		} else if h.Times > 0 || h.Running {
			other = append(other, h)
		}
	}
	return v.show(challengesPage(v, running, other))
}

func (c *Portal) history(v *visit) error {
	var facts struct {
		Items []told
		Next  string `json:"next_cursor"`
	}
	ask := url.Values{"limit": {"20"}, "include": {"explanation"}}
	if cursor := v.r.URL.Query().Get("cursor"); cursor != "" {
		ask.Set("cursor", cursor)
	}
	if err := v.api.Get(v.r.Context(), v.mine("facts"), ask, &facts); err != nil {
		return err
	}
	return v.show(historyPage(v, facts.Items, facts.Next))
}

func (c *Portal) me(v *visit) error {
	return c.meWith(v, http.StatusOK, page.NewForm("name", v.m.DisplayName()))
}

func (c *Portal) meWith(v *visit, status int, f *page.Form) error {
	ctx := v.r.Context()
	var list []signin.Session
	err := c.DB.Read(ctx, func(tx *db.Tx) (err error) {
		list, err = signin.Sessions(ctx, tx, v.program(), v.m.ID, v.now)
		return err
	})
	if err != nil {
		return err
	}
	return v.showAs(status, mePage(v, list, f))
}

func (c *Portal) setName(v *visit) error {
	f, err := v.form()
	if err != nil {
		return err
	}
	name := strings.TrimSpace(f.Get("name"))
	if name == "" {
		err = errs.Invalid("invalid_member", v.T("refused.invalid_member"), errs.Field{Pointer: "/name", Reason: "name_missing", Message: v.T("refused.name_missing")})
	} else {
		err = v.api.Do(v.r.Context(), http.MethodPatch, v.mine(), nil, "", map[string]any{"name": name, "given_name": nil, "family_name": nil}, nil)
	}
	if err != nil {
		return v.again(f, err, func(status int) error { return c.meWith(v, status, f) })
	}
	return v.said(string(v.at("me")), "name")
}

func (c *Portal) endSessions(v *visit) error {
	ctx := v.r.Context()
	f, err := v.form()
	if err != nil {
		return err
	}
	err = c.DB.Write(ctx, func(tx *db.Tx) error {
		if id := f.Get("session"); id != "" {
			return signin.EndOne(ctx, tx, v.program(), v.m.ID, id, v.now)
		}
		return signin.EndOthers(ctx, tx, v.program(), v.m.ID, v.session.ID, v.now)
	})
	if err != nil {
		return err
	}
	return v.said(string(v.at("me")), "sessions")
}
