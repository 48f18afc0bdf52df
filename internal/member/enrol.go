package member

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/program"
)

// Enrolled is what came of one enrolment: a member, or the error why not.
type Enrolled struct {
	Member Member
	Err    error
}

// Enrol makes a member with its identifiers. It normalises in itself. Errors: invalid "invalid_member" with every mistake;
// conflict "identifier_taken" with Meta member_id, the one who has it.
func Enrol(ctx context.Context, tx *db.Tx, p *program.Compiled, in New, now time.Time) (Member, error) {
	out, err := EnrolAll(ctx, tx, p, []New{in}, now)
	if err != nil {
		return Member{}, err
	}
	return out[0].Member, out[0].Err
}

// EnrolAll makes members, as many as can be, in one stroke; what comes back is in the order of in. Of two that want the same
// identifier the earlier one has it. What failed left nothing. The error is one of the database, which undoes all.
func EnrolAll(ctx context.Context, tx *db.Tx, p *program.Compiled, in []New, now time.Time) ([]Enrolled, error) {
	out := make([]Enrolled, len(in))
	inputs := make([]New, len(in))
	wanted := map[Identifier]string{}
	first := map[Identifier]int{}
	for k := range in {
		n, err := in[k].Normal(p, now)
		if err != nil {
			out[k].Err = err
			continue
		}
		id := in[k].ID
		if id == "" {
			id = ids.New(IDPrefix, now)
		}
		at := now.UTC().Truncate(time.Microsecond)
		inputs[k] = n
		out[k].Member = Member{ID: id, Profile: n.Profile, Identifiers: n.all(), CreatedAt: at, UpdatedAt: at, Revision: 1}
		for _, i := range out[k].Member.Identifiers {
			if _, ok := wanted[i]; !ok {
				wanted[i], first[i] = id, k
			}
		}
	}
	taken, err := claim(ctx, tx, p.Doc.Program, wanted, now)
	if err != nil {
		return nil, err
	}
	// One that fails gives its claims back, and those who came after it for them may have them: the order decides.
	for k := range out {
		o := &out[k]
		if o.Err != nil {
			continue
		}
		for _, i := range o.Member.Identifiers {
			owner, gone := taken[i]
			switch {
			case gone:
				o.Err = takenError(i, owner, inputs[k].pointer(i))
			case first[i] != k && out[first[i]].Err == nil:
				o.Err = takenError(i, out[first[i]].Member.ID, inputs[k].pointer(i))
			case first[i] != k:
				if err := retake(ctx, tx, p.Doc.Program, i, o.Member.ID, now); err != nil {
					return nil, err
				}
				first[i] = k
			}
			if o.Err != nil {
				break
			}
		}
		if o.Err == nil {
			continue
		}
		for _, i := range o.Member.Identifiers {
			if _, gone := taken[i]; !gone && first[i] == k {
				if err := release(ctx, tx, p.Doc.Program, o.Member.ID, i); err != nil {
					return nil, err
				}
			}
		}
	}
	return out, insert(ctx, tx, p.Doc.Program, out)
}

// retake claims what an earlier one of the same stroke let go.
func retake(ctx context.Context, tx *db.Tx, program string, i Identifier, id string, now time.Time) error {
	taken, err := claim(ctx, tx, program, map[Identifier]string{i: id}, now)
	if err == nil && len(taken) > 0 {
		err = fmt.Errorf("identifier of kind %s was taken in between", i.Kind)
	}
	return err
}

func insert(ctx context.Context, tx *db.Tx, program string, list []Enrolled) error {
	var args []any
	for k := range list {
		if list[k].Err != nil {
			list[k].Member = Member{}
			continue
		}
		m := &list[k].Member
		sortIdentifiers(m.Identifiers)
		profile, err := json.Marshal(m.Profile)
		if err != nil {
			return fmt.Errorf("profile of %s: %w", m.ID, err)
		}
		like := m.likeness()
		at := m.CreatedAt.UnixMicro()
		args = append(args, ids.Bucket(program, m.ID), program, m.ID, m.DisplayName(), m.Email, m.Phone, string(profile), m.search(),
			like.birth, like.email, like.postcode, at, at)
	}
	if _, err := db.InsertRows(ctx, tx, insertMembers, "", 13, args); err != nil {
		return fmt.Errorf("enrol: %w", err)
	}
	return nil
}

// pointer tells where in the input the identifier stands.
func (n New) pointer(i Identifier) string {
	switch i {
	case Identifier{Ext, n.ExternalID}:
		return "/external_id"
	case Identifier{Phone, n.Phone}:
		return "/phone"
	case Identifier{Email, n.Email}:
		return "/email"
	}
	return "/identifiers/" + strconv.Itoa(slices.Index(n.Identifiers, i)) + "/value"
}

// Taken says whether err is that another member has an identifier, and which member.
func Taken(err error) (memberID string, ok bool) {
	if !errs.Is(err, errs.CodeConflict, "identifier_taken") {
		return "", false
	}
	memberID, ok = errs.As(err).Meta["member_id"].(string)
	return memberID, ok
}
