package member

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/program"
)

// Patch changes a profile as a JSON merge patch does (RFC 7396): what is nil stays, an empty text is removed. Attributes are
// changed one by one; nil or an empty text removes one.
type Patch struct {
	Name       *string            `json:"name,omitempty"`
	GivenName  *string            `json:"given_name,omitempty"`
	FamilyName *string            `json:"family_name,omitempty"`
	Email      *string            `json:"email,omitempty"`
	Phone      *string            `json:"phone,omitempty"`
	Language   *string            `json:"language,omitempty"`
	Zone       *string            `json:"zone,omitempty"`
	Birth      *string            `json:"birth,omitempty"`
	Country    *string            `json:"country,omitempty"`
	Postcode   *string            `json:"postcode,omitempty"`
	ExternalID *string            `json:"external_id,omitempty"`
	Attributes map[string]*string `json:"attributes,omitempty"`
}

// apply gives the profile after the patch. A name in parts and a whole name replace each other.
func (c Patch) apply(f Profile) Profile {
	if c.Name != nil && *c.Name != "" {
		f.GivenName, f.FamilyName = "", ""
	} else if (c.GivenName != nil && *c.GivenName != "") || (c.FamilyName != nil && *c.FamilyName != "") {
		f.Name = ""
	}
	for _, p := range []struct {
		to   *string
		from *string
	}{
		{&f.Name, c.Name}, {&f.GivenName, c.GivenName}, {&f.FamilyName, c.FamilyName}, {&f.Email, c.Email}, {&f.Phone, c.Phone},
		{&f.Language, c.Language}, {&f.Zone, c.Zone}, {&f.Birth, c.Birth}, {&f.Country, c.Country}, {&f.Postcode, c.Postcode},
		{&f.ExternalID, c.ExternalID},
	} {
		if p.from != nil {
			*p.to = *p.from
		}
	}
	if len(c.Attributes) > 0 {
		f.Attributes = maps.Clone(f.Attributes)
		if f.Attributes == nil {
			f.Attributes = map[string]string{}
		}
		for name, v := range c.Attributes {
			if v == nil || *v == "" {
				delete(f.Attributes, name)
			} else {
				f.Attributes[name] = *v
			}
		}
	}
	return f
}

// open locks a member for a change. A merged one is not changed any more. revision is what the caller saw, 0 for whatever
// it is.
func open(ctx context.Context, tx *db.Tx, program, id string, revision int64) (Member, error) {
	m, err := read(ctx, tx, lockMember, program, id)
	if err != nil {
		return Member{}, err
	}
	m.Revision-- // the lock raised it
	if m.MergedInto != "" {
		return Member{}, errs.Conflict("member_merged", "This member was merged into "+m.MergedInto+"; change that one.").With("merged_into", m.MergedInto)
	}
	if revision != 0 && revision != m.Revision {
		return Member{}, errs.Conflict("stale_revision", "The member was changed in between: read it again, then change it.").With("revision", m.Revision)
	}
	return m, nil
}

// Update changes a member's profile and gives the member after. revision is the one the caller saw (If-Match), 0 for
// whatever it is. A change that changes nothing leaves the revision as it is.
//
// Errors: invalid "invalid_member" with every mistake; conflict "stale_revision", "identifier_taken", "member_merged";
// not_found "member_not_found". Language, Zone and Attributes are copied in the account's state: the flow that calls this keeps that up.
func Update(ctx context.Context, tx *db.Tx, p *program.Compiled, id string, patch Patch, revision int64, now time.Time) (Member, error) {
	m, err := open(ctx, tx, p.Doc.Program, id, revision)
	if err != nil {
		return Member{}, err
	}
	var wrong mistakes
	after := patch.apply(m.Profile).normal(p, now, &wrong)
	if err := wrong.err(); err != nil {
		return Member{}, err
	}
	if len(after.Attributes) == 0 {
		after.Attributes = nil
	}
	before := m.Profile
	if reflect.DeepEqual(before, after) {
		return m, write(ctx, tx, p.Doc.Program, m)
	}
	m.Profile = after
	for _, c := range []struct{ kind, pointer, was, is string }{
		{Ext, "/external_id", before.ExternalID, after.ExternalID},
		{Phone, "/phone", before.Phone, after.Phone},
		{Email, "/email", before.Email, after.Email},
	} {
		if c.was == c.is {
			continue
		}
		if c.was != "" {
			if err := m.drop(ctx, tx, p.Doc.Program, Identifier{c.kind, c.was}); err != nil {
				return Member{}, err
			}
		}
		if c.is != "" {
			if err := m.take(ctx, tx, p.Doc.Program, Identifier{c.kind, c.is}, c.pointer, now); err != nil {
				return Member{}, err
			}
		}
	}
	return m.close(ctx, tx, p.Doc.Program, now)
}

func (m *Member) close(ctx context.Context, tx *db.Tx, program string, now time.Time) (Member, error) {
	m.Revision++
	m.UpdatedAt = now.UTC().Truncate(time.Microsecond)
	return *m, write(ctx, tx, program, *m)
}

func (m *Member) take(ctx context.Context, tx *db.Tx, program string, i Identifier, pointer string, now time.Time) error {
	taken, err := claim(ctx, tx, program, map[Identifier]string{i: m.ID}, now)
	if err != nil {
		return err
	}
	if owner, ok := taken[i]; ok {
		return takenError(i, owner, pointer)
	}
	if !slices.Contains(m.Identifiers, i) {
		m.Identifiers = append(m.Identifiers, i)
		sortIdentifiers(m.Identifiers)
	}
	return nil
}

func (m *Member) drop(ctx context.Context, tx *db.Tx, program string, i Identifier) error {
	m.Identifiers = slices.DeleteFunc(m.Identifiers, func(j Identifier) bool { return i == j })
	return release(ctx, tx, program, m.ID, i)
}

// field is the place in the profile that holds the kind, nil where there is none.
func (f *Profile) field(kind string) *string {
	switch kind {
	case Email:
		return &f.Email
	case Phone:
		return &f.Phone
	case Ext:
		return &f.ExternalID
	}
	return nil
}

// AddIdentifier gives a member one more identifier; one it has already changes nothing. Where the profile has no e-mail,
// phone or external id yet, it becomes that.
func AddIdentifier(ctx context.Context, tx *db.Tx, p *program.Compiled, id string, i Identifier, now time.Time) (Member, error) {
	in, err := New{Identifiers: []Identifier{i}}.Normal(p, now)
	if err != nil {
		e := errs.As(err)
		for k := range e.Fields {
			e.Fields[k].Pointer = e.Fields[k].Pointer[len("/identifiers/0"):]
		}
		return Member{}, err
	}
	i = in.Identifiers[0]
	m, err := open(ctx, tx, p.Doc.Program, id, 0)
	if err != nil {
		return Member{}, err
	}
	if slices.Contains(m.Identifiers, i) {
		return m, write(ctx, tx, p.Doc.Program, m)
	}
	if err := m.take(ctx, tx, p.Doc.Program, i, "/value", now); err != nil {
		return Member{}, err
	}
	if f := m.field(i.Kind); f != nil && *f == "" {
		*f = i.Value
	}
	return m.close(ctx, tx, p.Doc.Program, now)
}

// RemoveIdentifier takes an identifier from a member. Where it was the profile's e-mail, phone or external id, another of
// that kind takes its place, if there is one. The error is not_found "identifier_not_found" when the member does not have it.
func RemoveIdentifier(ctx context.Context, tx *db.Tx, p *program.Compiled, id string, i Identifier, now time.Time) (Member, error) {
	v, err := Normalize(p, i.Kind, i.Value)
	if err != nil {
		return Member{}, errs.Malformed("invalid_identifier", err.Error())
	}
	i.Value = v
	m, err := open(ctx, tx, p.Doc.Program, id, 0)
	if err != nil {
		return Member{}, err
	}
	if !slices.Contains(m.Identifiers, i) {
		return Member{}, errs.NotFound("identifier_not_found", fmt.Sprintf("The member does not have this %s.", kindWord(i.Kind)))
	}
	if err := m.drop(ctx, tx, p.Doc.Program, i); err != nil {
		return Member{}, err
	}
	if f := m.field(i.Kind); f != nil && *f == i.Value {
		*f = ""
		if k := slices.IndexFunc(m.Identifiers, func(j Identifier) bool { return j.Kind == i.Kind }); k >= 0 {
			*f = m.Identifiers[k].Value
		}
	}
	return m.close(ctx, tx, p.Doc.Program, now)
}

// Repoint merges the profile of one member into another's: every identifier of from leads to to, what to's profile lacks it
// gets from from's. from keeps its profile, so that nothing is lost, and is found only by its id, with MergedInto set. It
// gives the survivor. What the members have is merged by facts, in the same transaction.
func Repoint(ctx context.Context, tx *db.Tx, program, from, to string, now time.Time) (Member, error) {
	if from == to {
		return Member{}, errs.Invalid("same_member", "A member cannot be merged with itself.")
	}
	// In the order of id, so that two merges of the same members wait and do not deadlock.
	pair := []string{from, to}
	slices.Sort(pair)
	members := map[string]Member{}
	for _, id := range pair {
		m, err := open(ctx, tx, program, id, 0)
		if err != nil {
			return Member{}, err
		}
		members[id] = m
	}
	gone, stays := members[from], members[to]
	if _, err := tx.Exec(ctx, moveIdentifiers, to, program, from); err != nil {
		return Member{}, fmt.Errorf("merge %s into %s: %w", from, to, err)
	}
	stays.Identifiers = append(stays.Identifiers, gone.Identifiers...)
	sortIdentifiers(stays.Identifiers)
	stays.Profile = stays.Profile.filled(gone.Profile)
	gone.Identifiers, gone.MergedInto = []Identifier{}, to
	if _, err := gone.close(ctx, tx, program, now); err != nil {
		return Member{}, err
	}
	return stays.close(ctx, tx, program, now)
}

// filled gives the profile with what it lacks taken from g. A name, and a country with its postcode, are taken whole.
func (f Profile) filled(g Profile) Profile {
	if f.DisplayName() == "" {
		f.Name, f.GivenName, f.FamilyName = g.Name, g.GivenName, g.FamilyName
	}
	if f.Postcode == "" && (f.Country == "" || f.Country == g.Country) {
		f.Country, f.Postcode = g.Country, g.Postcode
	}
	if len(g.Birth) > len(f.Birth) && (f.Birth == "" || f.Birth == g.Birth[len("2006-"):]) {
		f.Birth = g.Birth // unknown, or without the year that g knows
	}
	for _, p := range []struct {
		to   *string
		from string
	}{{&f.Email, g.Email}, {&f.Phone, g.Phone}, {&f.ExternalID, g.ExternalID}, {&f.Language, g.Language}, {&f.Zone, g.Zone}} {
		if *p.to == "" {
			*p.to = p.from
		}
	}
	if len(g.Attributes) > 0 {
		all := maps.Clone(g.Attributes)
		maps.Copy(all, f.Attributes)
		f.Attributes = all
	}
	return f
}
