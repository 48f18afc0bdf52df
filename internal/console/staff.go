package console

import (
	"net/http"
	"time"

	"lojal.dev/lojal/internal/page"
	"lojal.dev/lojal/internal/staff"
)

// person is somebody of the staff as the API tells of them.
type person struct {
	ID         string     `json:"id"`
	Email      string     `json:"email"`
	Name       string     `json:"name"`
	Role       string     `json:"role"`
	Password   bool       `json:"has_password"`
	SecondStep bool       `json:"has_second_step"`
	Passkeys   int        `json:"passkeys"`
	SeenAt     *time.Time `json:"seen_at"`
	Invitation string     `json:"invitation"`
}

func (c *Console) staff(v *visit) error {
	return c.staffWith(v, http.StatusOK, page.NewForm("role", "store"), nil)
}

func (c *Console) staffWith(v *visit, status int, f *page.Form, invited *person) error {
	var list struct{ Items []person }
	if err := v.api.Get(v.r.Context(), page.Path("staff"), nil, &list); err != nil {
		return err
	}
	return v.showAs(status, staffPage(v, list.Items, f, invited))
}

func (v *visit) roles() []page.Choice {
	var out []page.Choice
	for _, r := range staff.Roles {
		out = append(out, page.Choice{Value: string(r), Label: v.T("role." + string(r))})
	}
	return out
}

// invitationURL is what to send to somebody who is invited.
func (v *visit) invitationURL(p *person) string {
	host := v.c.URL
	if host == "" {
		host = "http://" + v.r.Host
	}
	return host + "/console/invitation?code=" + p.Invitation
}

func (c *Console) addStaff(v *visit) error {
	f, err := v.form()
	if err != nil {
		return err
	}
	var p person
	err = v.api.Post(v.r.Context(), page.Path("staff"), "", map[string]string{"email": f.Get("email"), "name": f.Get("name"), "role": f.Get("role")}, &p)
	if err != nil {
		return v.again(f, err, func(status int) error { return c.staffWith(v, status, f, nil) })
	}
	if p.Invitation == "" {
		return v.said("/console/staff", "staff_added")
	}
	return c.staffWith(v, http.StatusCreated, page.NewForm("role", "store"), &p)
}

// ofStaff has a route change somebody of the staff, and says so.
func (c *Console) ofStaff(v *visit, method, verb string, body any, key string) error {
	parts := []string{"staff", v.r.PathValue("staff")}
	if verb != "" {
		parts = append(parts, verb)
	}
	if err := v.api.Do(v.r.Context(), method, page.Path(parts...), nil, "", body, nil); err != nil {
		f := page.NewForm("role", "store")
		return v.again(f, err, func(status int) error { return c.staffWith(v, status, f, nil) })
	}
	return v.said("/console/staff", key)
}

func (c *Console) setRole(v *visit) error {
	f, err := v.form()
	if err != nil {
		return err
	}
	return c.ofStaff(v, http.MethodPost, "role", map[string]string{"role": f.Get("role")}, "role")
}

func (c *Console) removeStaff(v *visit) error {
	return c.ofStaff(v, http.MethodDelete, "", nil, "staff_removed")
}

func (c *Console) invite(v *visit) error {
	var p person
	if err := v.api.Post(v.r.Context(), page.Path("staff", v.r.PathValue("staff"), "invite"), "", map[string]string{}, &p); err != nil {
		return err
	}
	return c.staffWith(v, http.StatusOK, page.NewForm("role", "store"), &p)
}
