package member

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
)

const memberColumns = `member_id, profile, merged_into, created_at, updated_at, revision`

const getMember = `SELECT ` + memberColumns + ` FROM members WHERE bucket = $1 AND program_id = $2 AND member_id = $3`

// The update that raises the revision locks the row and reads it in one.
const lockMember = `
UPDATE members SET revision = revision + 1
WHERE bucket = $1 AND program_id = $2 AND member_id = $3
RETURNING ` + memberColumns

const writeMember = `
UPDATE members SET name = $1, email = $2, phone = $3, profile = $4, merged_into = $5, search = $6,
	like_birth = $7, like_email = $8, like_postcode = $9, updated_at = $10, revision = $11
WHERE bucket = $12 AND program_id = $13 AND member_id = $14`

const insertMembers = `
INSERT INTO members (bucket, program_id, member_id, name, email, phone, profile, search, like_birth, like_email, like_postcode, created_at, updated_at)`

const insertIdentifiers = `INSERT INTO identifiers (bucket, program_id, kind, value, member_id, created_at)`

const identifiersOf = `SELECT kind, value FROM identifiers WHERE program_id = $1 AND member_id = $2 ORDER BY kind, created_at, value`

const findIdentifier = `SELECT member_id FROM identifiers WHERE bucket = $1 AND program_id = $2 AND kind = $3 AND value = $4`

const deleteIdentifier = `DELETE FROM identifiers WHERE bucket = $1 AND program_id = $2 AND kind = $3 AND value = $4 AND member_id = $5`

const moveIdentifiers = `UPDATE identifiers SET member_id = $1 WHERE program_id = $2 AND member_id = $3`

func (i Identifier) bucket(program string) int32 { return ids.Bucket(program, i.String()) }

func scan(row db.Scanner) (Member, error) {
	var m Member
	var profile string
	var created, updated int64
	if err := row.Scan(&m.ID, &profile, &m.MergedInto, &created, &updated, &m.Revision); err != nil {
		return Member{}, err
	}
	if err := json.Unmarshal([]byte(profile), &m.Profile); err != nil {
		return Member{}, fmt.Errorf("profile of %s: %w", m.ID, err)
	}
	m.CreatedAt, m.UpdatedAt = time.UnixMicro(created).UTC(), time.UnixMicro(updated).UTC()
	return m, nil
}

func notFound() error {
	return errs.NotFound("member_not_found", "There is no such member in this program.")
}

// read gives the member by one of the statements that find it by its key.
func read(ctx context.Context, tx *db.Tx, query, program, id string) (Member, error) {
	m, err := scan(tx.QueryRow(ctx, query, ids.Bucket(program, id), program, id))
	if errors.Is(err, sql.ErrNoRows) {
		return Member{}, notFound()
	}
	if err != nil {
		return Member{}, fmt.Errorf("get member %s: %w", id, err)
	}
	m.Identifiers = []Identifier{}
	err = db.Collect(ctx, tx, func(row db.Scanner) error {
		var i Identifier
		err := row.Scan(&i.Kind, &i.Value)
		m.Identifiers = append(m.Identifiers, i)
		return err
	}, identifiersOf, program, id)
	if err != nil {
		return Member{}, fmt.Errorf("identifiers of member %s: %w", id, err)
	}
	return m, nil
}

// write stores what belongs to the member's own row.
func write(ctx context.Context, tx *db.Tx, program string, m Member) error {
	profile, err := json.Marshal(m.Profile)
	if err != nil {
		return fmt.Errorf("profile of %s: %w", m.ID, err)
	}
	like, search := m.likeness(), m.search()
	if m.MergedInto != "" { // it is no longer to be found, but by its id
		like, search = likeness{}, ""
	}
	_, err = tx.Exec(ctx, writeMember, m.DisplayName(), m.Email, m.Phone, string(profile), m.MergedInto, search,
		like.birth, like.email, like.postcode, m.UpdatedAt.UnixMicro(), m.Revision, ids.Bucket(program, m.ID), program, m.ID)
	if err != nil {
		return fmt.Errorf("write member %s: %w", m.ID, err)
	}
	return nil
}

// search gives all by which a person may look for the member, folded, with a space on both ends.
func (m Member) search() string {
	parts := []string{m.DisplayName(), m.Email}
	for _, i := range m.Identifiers {
		parts = append(parts, i.Value)
	}
	return fold(strings.Join(parts, " "))
}

// claim stores identifiers for members, in the order of their keys so that two who claim the same wait and do not deadlock.
// It gives those that belong to another member already, by identifier; the others are the members' now.
func claim(ctx context.Context, tx *db.Tx, program string, wanted map[Identifier]string, now time.Time) (taken map[Identifier]string, err error) {
	type row struct {
		Identifier
		bucket int32
	}
	rows := make([]row, 0, len(wanted))
	for i := range wanted {
		rows = append(rows, row{i, i.bucket(program)})
	}
	slices.SortFunc(rows, func(a, b row) int {
		if a.bucket != b.bucket {
			return int(a.bucket - b.bucket)
		}
		return strings.Compare(a.String(), b.String())
	})
	args := make([]any, 0, 6*len(rows))
	for _, r := range rows {
		args = append(args, r.bucket, program, r.Kind, r.Value, wanted[r.Identifier], now.UnixMicro())
	}
	mine := map[Identifier]bool{}
	err = db.QueryRows(ctx, tx, insertIdentifiers, "ON CONFLICT DO NOTHING RETURNING kind, value", 6, args, func(row db.Scanner) error {
		var i Identifier
		err := row.Scan(&i.Kind, &i.Value)
		mine[i] = true
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("store identifiers: %w", err)
	}
	for _, r := range rows {
		if mine[r.Identifier] {
			continue
		}
		var owner string
		if err := tx.QueryRow(ctx, findIdentifier, r.bucket, program, r.Kind, r.Value).Scan(&owner); err != nil {
			return nil, fmt.Errorf("who has an identifier: %w", err)
		}
		if owner != wanted[r.Identifier] {
			if taken == nil {
				taken = map[Identifier]string{}
			}
			taken[r.Identifier] = owner
		}
	}
	return taken, nil
}

func release(ctx context.Context, tx *db.Tx, program, id string, i Identifier) error {
	if _, err := tx.Exec(ctx, deleteIdentifier, i.bucket(program), program, i.Kind, i.Value, id); err != nil {
		return fmt.Errorf("release an identifier of %s: %w", id, err)
	}
	return nil
}

// takenError says that an identifier belongs to another member; pointer is where it came from.
func takenError(i Identifier, owner, pointer string) *errs.Error {
	e := errs.Conflict("identifier_taken", fmt.Sprintf("Another member has this %s already.", kindWord(i.Kind)))
	e.Fields = []errs.Field{{Pointer: pointer, Reason: "identifier_taken", Message: "It belongs to member " + owner + "."}}
	return e.With("kind", i.Kind).With("member_id", owner)
}

func kindWord(kind string) string {
	switch kind {
	case Card:
		return "card"
	case Phone:
		return "phone number"
	case Email:
		return "e-mail address"
	case Ext:
		return "external id"
	}
	return "identifier (" + kind + ")"
}

func pageSize(n int) int {
	if n <= 0 {
		return 50
	}
	return min(n, 500)
}

// placeholders gives "$from, …" for n parameters.
func placeholders(from, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(from + i))
	}
	return b.String()
}
