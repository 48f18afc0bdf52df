// Package staff keeps the people who run programs: who they are, what each may do in which program, and how they sign in.
//
// It owns the tables staff, staff_roles, staff_sessions, staff_passes, staff_passkeys and staff_identities. It does not own what a scope opens (api), nor any page.
// What always holds: a password is kept as argon2id, a token as its SHA-256, and each pass lets in once; whoever has no role in a program
// sees nothing of it; who was ended is let in by nothing; a program that has an owner keeps one.
package staff

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"lojal.dev/lojal/internal/audit"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/key"
)

// IDPrefix is the type prefix of ids of staff.
const IDPrefix = "stf"

// Role is what somebody is in a program.
type Role string

// The roles, the widest first.
const (
	// Owner may do everything, also say who else may do what.
	Owner Role = "owner"
	// Marketer makes the program: documents, rewards, partners, imports. Gives nothing by hand.
	Marketer Role = "marketer"
	// Analyst reads everything and tries drafts.
	Analyst Role = "analyst"
	// Store serves members at a till.
	Store Role = "store"
	// Auditor reads everything, the books and the audit log above all.
	Auditor Role = "auditor"
)

// Roles lists all of them.
var Roles = []Role{Owner, Marketer, Analyst, Store, Auditor}

// reading are the scopes that change nothing.
var reading = []string{
	"members:read", "purchases:read", "redemptions:read", "giftcards:read", "rewards:read", "benefits:read", "plans:read", "partners:read", "programs:read",
	"events:read", "webhooks:read", "imports:read",
}

// scopes says what each role opens; the scopes are those of API keys, so that a page and a request are let in by one rule.
var scopes = map[Role][]string{
	Owner:    {key.Admin},
	Marketer: append(slices.Clone(reading), "programs:write", "partners:write", "imports:write", "giftcards:write", "webhooks:write", "simulations:write"),
	Analyst:  append(slices.Clone(reading), "simulations:write"),
	Store: {
		"members:read", "members:write", "purchases:read", "purchases:write", "activities:write", "redemptions:read", "redemptions:write", "giftcards:read",
		"giftcards:write", "rewards:read", "benefits:read", "benefits:write", "plans:read", "programs:read", "simulations:write",
	},
	Auditor: append(slices.Clone(reading), "audit:read"),
}

// Scopes are what the role may do, in the words of API keys.
func (r Role) Scopes() []string { return scopes[r] }

// Known says whether there is such a role.
func (r Role) Known() bool { return slices.Contains(Roles, r) }

// Person is one of the staff, as seen from a program.
type Person struct {
	ID    string `json:"id"`
	Email string `json:"email"`
	Name  string `json:"name"`
	// Lang is the language of the pages, empty for what the browser asks for.
	Lang string `json:"lang,omitempty"`
	// Role is that in the program asked about.
	Role Role `json:"role"`
	// Password, SecondStep and Passkeys say how this person can sign in.
	Password   bool `json:"has_password"`
	SecondStep bool `json:"has_second_step"`
	Passkeys   int  `json:"passkeys"`
	// CreatedAt and SeenAt are in UTC; SeenAt is exact to some minutes.
	CreatedAt time.Time  `json:"created_at"`
	SeenAt    *time.Time `json:"seen_at,omitempty"`
}

// Input is somebody to add to a program, or to change.
type Input struct {
	Program, Email, Name string
	Role                 Role
	Actor                string
	Now                  time.Time
}

func (in *Input) validate() error {
	in.Email, in.Name = strings.ToLower(strings.TrimSpace(in.Email)), strings.TrimSpace(in.Name)
	var fields []errs.Field
	if a, err := mail.ParseAddress(in.Email); err != nil || a.Address != in.Email || len(in.Email) > 254 {
		fields = append(fields, errs.Field{Pointer: "/email", Reason: "invalid_email", Message: "This is not an e-mail address."})
	}
	if n := utf8.RuneCountInString(in.Name); n < 1 || n > 100 {
		fields = append(fields, errs.Field{Pointer: "/name", Reason: "invalid_name", Message: "Write a name of 1 to 100 characters."})
	}
	if !in.Role.Known() {
		fields = append(fields, errs.Field{Pointer: "/role", Reason: "unknown_role", Message: "A role is owner, marketer, analyst, store or auditor."})
	}
	if len(fields) > 0 {
		return errs.Invalid("invalid_staff", "This person cannot be added like this.", fields...)
	}
	return nil
}

const (
	findEmail   = `SELECT staff_id, ended_at IS NOT NULL FROM staff WHERE email = $1`
	insertStaff = `INSERT INTO staff (staff_id, email, name, created_at) VALUES ($1, $2, $3, $4)`
	revive      = `UPDATE staff SET ended_at = NULL, name = $1, password = '', totp = '' WHERE staff_id = $2`
	insertRole  = `INSERT INTO staff_roles (program_id, staff_id, role) VALUES ($1, $2, $3) ON CONFLICT (program_id, staff_id) DO NOTHING`
)

// Add gives somebody a role in the program, by the e-mail address; who is there for another program keeps name and means of signing in.
func Add(ctx context.Context, tx *db.Tx, in Input) (Person, error) {
	if err := in.validate(); err != nil {
		return Person{}, err
	}
	var id string
	var ended bool
	err := tx.QueryRow(ctx, findEmail, in.Email).Scan(&id, &ended)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		id = ids.New(IDPrefix, in.Now)
		_, err = tx.Exec(ctx, insertStaff, id, in.Email, in.Name, in.Now.UnixMicro())
	case err == nil && ended:
		_, err = tx.Exec(ctx, revive, in.Name, id)
	}
	if err != nil {
		return Person{}, fmt.Errorf("add staff: %w", err)
	}
	res, err := tx.Exec(ctx, insertRole, in.Program, id, string(in.Role))
	if err != nil {
		return Person{}, fmt.Errorf("add staff: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return Person{}, errors.Join(err, errs.Conflict("staff_there", "This person has a role in the program already: change it instead."))
	}
	if err := logged(ctx, tx, in.Program, in.Now, in.Actor, "staff.added", id, map[string]any{"role": string(in.Role)}); err != nil {
		return Person{}, err
	}
	return Get(ctx, tx, in.Program, id)
}

func logged(ctx context.Context, tx *db.Tx, program string, now time.Time, actor, action, target string, detail map[string]any) error {
	_, err := audit.Append(ctx, tx, audit.Entry{Program: program, At: now, Actor: actor, Action: action, Target: target, Detail: detail})
	return err //nolint:wrapcheck // it says what was logged
}

// Note writes into the audit log what somebody changed about their own way in. Who has a role in no program has no log.
func Note(ctx context.Context, tx *db.Tx, s Session, action string, detail map[string]any, now time.Time) error {
	if s.Program == "" {
		return nil
	}
	return logged(ctx, tx, s.Program, now, s.Staff, action, s.Staff, detail)
}

const (
	personColumns = `s.staff_id, s.email, s.name, s.lang, s.password <> '', s.totp <> '', s.created_at, s.seen_at, r.role,
	(SELECT count(*) FROM staff_passkeys k WHERE k.staff_id = s.staff_id)`
	listStaff = `SELECT ` + personColumns + ` FROM staff_roles r JOIN staff s ON s.staff_id = r.staff_id
WHERE r.program_id = $1 AND s.ended_at IS NULL AND ($2 = '' OR s.staff_id = $2) ORDER BY s.staff_id`
)

func list(ctx context.Context, tx *db.Tx, program, id string) ([]Person, error) {
	out := []Person{}
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		var p Person
		var created int64
		var seen sql.NullInt64
		if err := row.Scan(&p.ID, &p.Email, &p.Name, &p.Lang, &p.Password, &p.SecondStep, &created, &seen, &p.Role, &p.Passkeys); err != nil {
			return err
		}
		p.CreatedAt = time.UnixMicro(created).UTC()
		if seen.Valid {
			t := time.UnixMicro(seen.Int64).UTC()
			p.SeenAt = &t
		}
		out = append(out, p)
		return nil
	}, listStaff, program, id)
	if err != nil {
		return nil, fmt.Errorf("list staff of %s: %w", program, err)
	}
	return out, nil
}

// List gives who has a role in the program, the widest role first.
func List(ctx context.Context, tx *db.Tx, program string) ([]Person, error) {
	out, err := list(ctx, tx, program, "")
	slices.SortStableFunc(out, func(a, b Person) int { return cmp.Compare(slices.Index(Roles, a.Role), slices.Index(Roles, b.Role)) })
	return out, err
}

// Get gives one who has a role in the program.
func Get(ctx context.Context, tx *db.Tx, program, id string) (Person, error) {
	out, err := list(ctx, tx, program, id)
	if err != nil {
		return Person{}, err
	}
	if id == "" || len(out) == 0 {
		return Person{}, errs.NotFound("staff_not_found", "Nobody by this id has a role in this program.")
	}
	return out[0], nil
}

const (
	updateRole  = `UPDATE staff_roles SET role = $1 WHERE program_id = $2 AND staff_id = $3`
	deleteRole  = `DELETE FROM staff_roles WHERE program_id = $1 AND staff_id = $2`
	countOwners = `SELECT count(*) FROM staff_roles r JOIN staff s ON s.staff_id = r.staff_id WHERE r.program_id = $1 AND r.role = 'owner' AND s.ended_at IS NULL`
	countRoles  = `SELECT count(*) FROM staff_roles WHERE staff_id = $1`
	endStaff    = `UPDATE staff SET ended_at = $1, password = '', totp = '' WHERE staff_id = $2`
	leaveStaff  = `UPDATE staff_sessions SET program_id = '' WHERE staff_id = $1 AND program_id = $2`
)

// owned refuses what leaves a program without an owner, after somebody's role was taken.
func owned(ctx context.Context, tx *db.Tx, program string, was Role) error {
	if was != Owner {
		return nil
	}
	var n int
	if err := tx.QueryRow(ctx, countOwners, program).Scan(&n); err != nil {
		return fmt.Errorf("count owners: %w", err)
	}
	if n == 0 {
		return errs.Conflict("last_owner", "This is the only owner: make somebody else one first.")
	}
	return nil
}

// SetRole changes what somebody may do. It holds from the next page on.
func SetRole(ctx context.Context, tx *db.Tx, program, id string, role Role, actor string, now time.Time) (Person, error) {
	if !role.Known() {
		return Person{}, errs.Invalid("invalid_staff", "There is no such role.", errs.Field{Pointer: "/role", Reason: "unknown_role", Message: "A role is owner, marketer, analyst, store or auditor."})
	}
	p, err := Get(ctx, tx, program, id)
	if err != nil || p.Role == role {
		return p, err
	}
	if _, err := tx.Exec(ctx, updateRole, string(role), program, id); err != nil {
		return Person{}, fmt.Errorf("set role: %w", err)
	}
	if err := owned(ctx, tx, program, p.Role); err != nil {
		return Person{}, err
	}
	if err := logged(ctx, tx, program, now, actor, "staff.role_changed", id, map[string]any{"from": string(p.Role), "to": string(role)}); err != nil {
		return Person{}, err
	}
	p.Role = role
	return p, nil
}

// Remove takes the role away. Who has none left in any program can sign in no more, and all sessions end.
func Remove(ctx context.Context, tx *db.Tx, program, id, actor string, now time.Time) error {
	p, err := Get(ctx, tx, program, id)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, deleteRole, program, id); err != nil {
		return fmt.Errorf("remove staff: %w", err)
	}
	if err := owned(ctx, tx, program, p.Role); err != nil {
		return err
	}
	var left int
	if err := tx.QueryRow(ctx, countRoles, id).Scan(&left); err != nil {
		return fmt.Errorf("remove staff: %w", err)
	}
	if left > 0 {
		if _, err := tx.Exec(ctx, leaveStaff, id, program); err != nil {
			return fmt.Errorf("remove staff: %w", err)
		}
	} else if err := end(ctx, tx, id, now); err != nil {
		return err
	}
	return logged(ctx, tx, program, now, actor, "staff.removed", id, nil)
}

func end(ctx context.Context, tx *db.Tx, id string, now time.Time) error {
	if _, err := tx.Exec(ctx, endStaff, now.UnixMicro(), id); err != nil {
		return fmt.Errorf("end staff: %w", err)
	}
	for _, text := range []string{`DELETE FROM staff_sessions WHERE staff_id = $1`, `DELETE FROM staff_passes WHERE staff_id = $1`, `DELETE FROM staff_passkeys WHERE staff_id = $1`, `DELETE FROM staff_identities WHERE staff_id = $1`} {
		if _, err := tx.Exec(ctx, text, id); err != nil {
			return fmt.Errorf("end staff: %w", err)
		}
	}
	return nil
}

const anyStaff = `SELECT count(*) FROM staff WHERE ended_at IS NULL`

// Any says whether anybody can sign in; while nobody can, the set-up page is open to who has its code.
func Any(ctx context.Context, tx *db.Tx) (bool, error) {
	var n int
	if err := tx.QueryRow(ctx, anyStaff).Scan(&n); err != nil {
		return false, fmt.Errorf("count staff: %w", err)
	}
	return n > 0, nil
}

const setProfile = `UPDATE staff SET name = $1, lang = $2 WHERE staff_id = $3`

// SetProfile changes the name, and the language of the pages.
func SetProfile(ctx context.Context, tx *db.Tx, id, name, lang string) error {
	name = strings.TrimSpace(name)
	if n := utf8.RuneCountInString(name); n < 1 || n > 100 {
		return errs.Invalid("invalid_staff", "Write a name of 1 to 100 characters.", errs.Field{Pointer: "/name", Reason: "invalid_name", Message: "Write a name of 1 to 100 characters."})
	}
	if _, err := tx.Exec(ctx, setProfile, name, lang, id); err != nil {
		return fmt.Errorf("set profile: %w", err)
	}
	return nil
}
