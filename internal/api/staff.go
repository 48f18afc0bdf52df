package api

import (
	"context"
	"net/http"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/key"
	"lojal.dev/lojal/internal/staff"
	"lojal.dev/lojal/internal/version"
)

// Staff is somebody who runs the program.
type Staff struct {
	ID    string `json:"id"`
	Email string `json:"email"`
	Name  string `json:"name"`
	// Role is owner, marketer, analyst, store or auditor.
	Role string `json:"role"`
	// Password, SecondStep and Passkeys say how this person can sign in.
	Password   bool `json:"has_password"`
	SecondStep bool `json:"has_second_step"`
	Passkeys   int  `json:"passkeys"`
	// CreatedAt is when the person was added.
	CreatedAt time.Time `json:"created_at"`
	// SeenAt is when a page was last opened, exact to some minutes.
	SeenAt *time.Time `json:"seen_at,omitempty"`
	// Invitation is shown once, when the person is invited: /console/invitation?code= and this lets them choose how to sign in, within seven days.
	Invitation string `json:"invitation,omitempty"`
}

// NewStaff is somebody to add.
type NewStaff struct {
	// Email is the address by which the person signs in.
	Email string `json:"email"`
	// Name is shown as the actor of what the person does, 1 to 100 characters.
	Name string `json:"name"`
	// Role is owner, marketer, analyst, store or auditor.
	Role string `json:"role"`
}

// StaffRole is what somebody may do from now on.
type StaffRole struct {
	// Role is owner, marketer, analyst, store or auditor.
	Role string `json:"role"`
}

func (v view) staff(p staff.Person, invitation string) Staff {
	return Staff{
		ID: p.ID, Email: p.Email, Name: p.Name, Role: string(p.Role), Password: p.Password, SecondStep: p.SecondStep, Passkeys: p.Passkeys,
		CreatedAt: v.time(p.CreatedAt), SeenAt: v.moment(p.SeenAt), Invitation: invitation,
	}
}

type staffIn struct{ Call }

func (s *Server) listStaff(ctx context.Context, in *staffIn) (*Page[Staff], error) {
	out := &Page[Staff]{}
	return out, s.look(ctx, &in.Call, func(tx *db.Tx, v view, _ *version.Set) error {
		list, err := staff.List(ctx, tx, in.program())
		out.Items = []Staff{}
		for _, p := range list {
			out.Items = append(out.Items, v.staff(p, ""))
		}
		return err
	})
}

// StaffPath names somebody of the staff.
type StaffPath struct {
	// Staff is the id.
	Staff string `path:"staff"`
}

type oneStaffIn struct {
	Call
	StaffPath
}

func (s *Server) getStaff(ctx context.Context, in *oneStaffIn) (*Staff, error) {
	out := &Staff{}
	return out, s.look(ctx, &in.Call, func(tx *db.Tx, v view, _ *version.Set) error {
		p, err := staff.Get(ctx, tx, in.program(), in.Staff)
		*out = v.staff(p, "")
		return err
	})
}

// ofStaff changes the staff and answers with a person.
func (s *Server) ofStaff(ctx context.Context, c *Call, status int, change func(tx *db.Tx) (staff.Person, string, error)) (*Answered[Staff], error) {
	reply, err := s.once(ctx, c, status, func(tx *db.Tx) (any, error) {
		v, _, err := s.view(ctx, tx, c)
		if err != nil {
			return nil, err
		}
		p, invitation, err := change(tx)
		return v.staff(p, invitation), err
	}, withoutSecret)
	return &Answered[Staff]{reply}, err
}

type newStaffIn struct {
	Call
	Body NewStaff
}

func (s *Server) addStaff(ctx context.Context, in *newStaffIn) (*Answered[Staff], error) {
	return s.ofStaff(ctx, &in.Call, http.StatusCreated, func(tx *db.Tx) (p staff.Person, invitation string, err error) {
		p, err = staff.Add(ctx, tx, staff.Input{Program: in.program(), Email: in.Body.Email, Name: in.Body.Name, Role: staff.Role(in.Body.Role), Actor: in.actor(), Now: in.now})
		if err == nil && !p.Password && p.Passkeys == 0 {
			invitation, err = staff.Invite(ctx, tx, p.ID, in.now)
		}
		return p, invitation, err
	})
}

func (s *Server) inviteStaff(ctx context.Context, in *oneStaffIn) (*Answered[Staff], error) {
	return s.ofStaff(ctx, &in.Call, http.StatusOK, func(tx *db.Tx) (staff.Person, string, error) {
		p, err := staff.Get(ctx, tx, in.program(), in.Staff)
		if err != nil {
			return p, "", err
		}
		invitation, err := staff.Invite(ctx, tx, p.ID, in.now)
		return p, invitation, err
	})
}

type staffRoleIn struct {
	Call
	StaffPath
	Body StaffRole
}

func (s *Server) setStaffRole(ctx context.Context, in *staffRoleIn) (*Answered[Staff], error) {
	return s.ofStaff(ctx, &in.Call, http.StatusOK, func(tx *db.Tx) (staff.Person, string, error) {
		p, err := staff.SetRole(ctx, tx, in.program(), in.Staff, staff.Role(in.Body.Role), in.actor(), in.now)
		return p, "", err
	})
}

func (s *Server) removeStaff(ctx context.Context, in *oneStaffIn) (*Answered[Staff], error) {
	return s.ofStaff(ctx, &in.Call, http.StatusOK, func(tx *db.Tx) (staff.Person, string, error) {
		p, err := staff.Get(ctx, tx, in.program(), in.Staff)
		if err != nil {
			return p, "", err
		}
		return p, "", staff.Remove(ctx, tx, in.program(), in.Staff, in.actor(), in.now)
	})
}

// Asker is who asks through another door of this process, such as a page: somebody of the staff, or a member.
type Asker struct {
	// ID is whose Idempotency-Keys these are; Name stands as the actor of what is recorded.
	ID, Program, Name string
	Scopes            []string
	// Member limits what is asked to what is that member's own, or, for [Newcomer], to becoming one. Name and Scopes are then those of members.
	Member string
}

// Newcomer in place of a member is who is about to become one.
const Newcomer = key.Newcomer

type insideKey struct{}

// As gives what is asked with the context the right of somebody who has shown another door of this process who they are. No request from
// outside carries such a context.
func As(ctx context.Context, a Asker) context.Context {
	return context.WithValue(ctx, insideKey{}, a.key())
}

// Inside is the door for other doors of this process: the same routes, scopes and answers, asked with the context of [As], and without the log
// and the meters of requests, which the other door has itself.
func (s *Server) Inside() http.Handler { return s.inside }
