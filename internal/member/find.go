package member

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/program"
)

func sortIdentifiers(list []Identifier) {
	slices.SortStableFunc(list, func(a, b Identifier) int { return strings.Compare(a.Kind, b.Kind) })
}

// Get gives a member by id. Merged members are given too: see Member.MergedInto.
func Get(ctx context.Context, tx *db.Tx, program, id string) (Member, error) {
	return read(ctx, tx, getMember, program, id)
}

const isMember = `SELECT 1 FROM members WHERE bucket = $1 AND program_id = $2 AND member_id = $3`

// Exists sees that there is a member with the id, at less than what Get costs: it leaves the identifiers alone, which lie in buckets of
// their own.
func Exists(ctx context.Context, tx *db.Tx, program, id string) error {
	var one int
	err := tx.QueryRow(ctx, isMember, ids.Bucket(program, id), program, id).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return notFound()
	}
	if err != nil {
		return fmt.Errorf("look for member %s: %w", id, err)
	}
	return nil
}

// Find gives the member who has the identifier.
func Find(ctx context.Context, tx *db.Tx, p *program.Compiled, kind, value string) (Member, error) {
	id, err := Resolve(ctx, tx, p, kind+":"+value)
	if err != nil {
		return Member{}, err
	}
	return Get(ctx, tx, p.Doc.Program, id)
}

// Resolved is what came of one reference: a member's id, or the error why not.
type Resolved struct {
	ID  string
	Err error
}

// Resolve gives the id of the member that ref names: "mem_…", whose form alone is checked, or KIND:VALUE, which is looked
// up. Errors: malformed "invalid_member_reference"; not_found "member_not_found".
func Resolve(ctx context.Context, tx *db.Tx, p *program.Compiled, ref string) (string, error) {
	i, id, err := parseRef(p, ref)
	if err != nil || id != "" {
		return id, err
	}
	err = tx.QueryRow(ctx, findIdentifier, i.bucket(p.Doc.Program), p.Doc.Program, i.Kind, i.Value).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return "", unknown(i)
	}
	if err != nil {
		return "", fmt.Errorf("find a member by %s: %w", i.Kind, err)
	}
	return id, nil
}

const mergedInto = `SELECT member_id FROM members WHERE program_id = $1 AND merged_into = $2 ORDER BY member_id`

// MergedInto gives the members who were merged into one, also by way of others.
func MergedInto(ctx context.Context, tx *db.Tx, program, id string) ([]string, error) {
	var out []string
	for next := []string{id}; len(next) > 0; next = next[1:] {
		err := db.Collect(ctx, tx, func(row db.Scanner) error {
			var one string
			err := row.Scan(&one)
			out, next = append(out, one), append(next, one)
			return err
		}, mergedInto, program, next[0])
		if err != nil {
			return nil, fmt.Errorf("list who was merged into %s: %w", id, err)
		}
	}
	return out, nil
}

func unknown(i Identifier) error {
	return errs.NotFound("member_not_found", fmt.Sprintf("No member of this program has this %s.", kindWord(i.Kind))).With("kind", i.Kind)
}

// ParseIdentifier reads KIND:VALUE, in the form in which it is kept.
func ParseIdentifier(p *program.Compiled, text string) (Identifier, error) {
	kind, value, ok := strings.Cut(text, ":")
	if !ok {
		return Identifier{}, errors.New("Write it as KIND:VALUE, for example payment_card:tok_77.") //nolint:revive,staticcheck // a sentence for the caller, as Normalize's
	}
	v, err := Normalize(p, kind, value)
	return Identifier{kind, v}, err
}

// parseRef gives an identifier to look up, or the id itself.
func parseRef(p *program.Compiled, ref string) (i Identifier, id string, err error) {
	bad := func(message string) error { return errs.Malformed("invalid_member_reference", message) }
	kind, value, ok := strings.Cut(ref, ":")
	if !ok {
		if err := checkID(ref); err != nil {
			return i, "", bad(fmt.Sprintf("A member is named by its id (%s_…) or by KIND:VALUE, for example card:1001; the kinds here are %s.",
				IDPrefix, strings.Join(Kinds(p), ", ")))
		}
		return i, ref, nil
	}
	v, err := Normalize(p, kind, value)
	if err != nil {
		return i, "", bad(err.Error())
	}
	return Identifier{kind, v}, "", nil
}

var findIdentifiers = db.NewLookup([]string{"bucket integer", "program_id text", "kind text", "value text"}, `
SELECT i.kind, i.value, i.member_id
FROM want CROSS JOIN identifiers i
WHERE i.bucket = want.bucket AND i.program_id = want.program_id AND i.kind = want.kind AND i.value = want.value`)

// ResolveAll is Resolve for many references in one read; what comes back is in the order of refs. The error is one of the
// database.
func ResolveAll(ctx context.Context, tx *db.Tx, p *program.Compiled, refs []string) ([]Resolved, error) {
	ask, out := AskMembers(p, refs)
	if err := tx.Find(ctx, ask); err != nil {
		return nil, fmt.Errorf("find members by identifier: %w", err)
	}
	return out, nil
}

// AskMembers is ResolveAll as a look-up among others: the list is right once that has run.
func AskMembers(p *program.Compiled, refs []string) (db.Ask, []Resolved) {
	out := make([]Resolved, len(refs))
	places := map[Identifier][]int{}
	var args []any
	for k, ref := range refs {
		i, id, err := parseRef(p, ref)
		if out[k] = (Resolved{id, err}); err != nil || id != "" {
			continue
		}
		if places[i] == nil {
			args = append(args, i.bucket(p.Doc.Program), p.Doc.Program, i.Kind, i.Value)
		}
		places[i] = append(places[i], k)
		out[k].Err = unknown(i)
	}
	return db.Ask{Lookup: findIdentifiers, Args: args, Scan: func(row db.Scanner) error {
		var i Identifier
		var id string
		if err := row.Scan(&i.Kind, &i.Value, &id); err != nil {
			return err
		}
		for _, k := range places[i] {
			out[k] = Resolved{ID: id}
		}
		return nil
	}}, out
}

var profiles = db.NewLookup([]string{"bucket integer", "program_id text", "member_id text"}, `
SELECT m.member_id, m.profile
FROM want CROSS JOIN members m
WHERE m.bucket = want.bucket AND m.program_id = want.program_id AND m.member_id = want.member_id`)

// Profiles gives the profiles of members, households and organizations, by id.
func Profiles(ctx context.Context, tx *db.Tx, program string, members []string) (map[string]Profile, error) {
	args := make([]any, 0, 3*len(members))
	for _, id := range members {
		args = append(args, ids.Bucket(program, id), program, id)
	}
	out := map[string]Profile{}
	err := tx.Find(ctx, db.Ask{Lookup: profiles, Args: args, Scan: func(row db.Scanner) error {
		var id, text string
		if err := row.Scan(&id, &text); err != nil {
			return err
		}
		var f Profile
		if err := json.Unmarshal([]byte(text), &f); err != nil {
			return fmt.Errorf("read the profile of %s: %w", id, err)
		}
		out[id] = f
		return nil
	}})
	return out, err
}

// Query narrows List.
type Query struct {
	// Kind is the type prefix of the ids that are listed: that of people when empty.
	Kind string
	// Search is words that all occur in a member's name, e-mail or identifiers, in any case and with or without accents.
	Search string
	// Merged gives the merged members too; with Search it has no effect, since they are not found by it.
	Merged bool
	// Newest gives those who came last first.
	Newest bool
	// After is the cursor, "" from the start; Limit is 50 when 0, at most 500.
	After string
	Limit int
}

const maxSearchWords = 8

// List gives members in the order of enrolment, and the cursor to go on after; "" when there are no more.
func List(ctx context.Context, tx *db.Tx, program string, in Query) (members []Member, next string, err error) {
	limit := pageSize(in.Limit)
	kind := cmp.Or(in.Kind, IDPrefix)
	if in.After != "" {
		if err := ids.Check(kind, in.After); err != nil {
			return nil, "", errs.Malformed("invalid_cursor", "The cursor is not one that was given out.")
		}
	}
	last := len(kind) - 1
	from, until := kind+"_", kind[:last]+string(kind[last]+1)
	args := []any{program, cmp.Or(in.After, from), limit + 1, until}
	between, order := "program_id = $1 AND member_id > $2 AND member_id < $4", "member_id"
	if in.Newest {
		args[1], args[3] = cmp.Or(in.After, until), from
		between, order = "program_id = $1 AND member_id < $2 AND member_id > $4", "member_id DESC"
	}
	var where strings.Builder
	// The order of ids is that of their letters, whatever the database makes of the sign between.
	where.WriteString(between)
	if !in.Merged {
		where.WriteString(" AND merged_into = ''")
	}
	words := strings.Fields(fold(in.Search))
	for _, w := range words[:min(len(words), maxSearchWords)] {
		args = append(args, "%"+strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(w)+"%")
		fmt.Fprintf(&where, ` AND search LIKE $%d ESCAPE '\'`, len(args))
	}
	members = []Member{}
	err = db.Collect(ctx, tx, func(row db.Scanner) error {
		m, err := scan(row)
		m.Identifiers = []Identifier{}
		members = append(members, m)
		return err
	}, "SELECT "+memberColumns+" FROM members WHERE "+where.String()+" ORDER BY "+order+" LIMIT $3", args...)
	if err != nil {
		return nil, "", fmt.Errorf("list members of %s: %w", program, err)
	}
	if len(members) > limit {
		members = members[:limit]
		next = members[limit-1].ID
	}
	return members, next, attach(ctx, tx, program, members)
}

// attach reads the identifiers of the members.
func attach(ctx context.Context, tx *db.Tx, program string, members []Member) error {
	if len(members) == 0 {
		return nil
	}
	list := make([]string, len(members))
	for k := range members {
		list[k] = members[k].ID
	}
	of, err := IdentifiersOf(ctx, tx, program, list)
	for k := range members {
		members[k].Identifiers = append(members[k].Identifiers, of[members[k].ID]...)
	}
	return err
}

// IdentifiersOf gives the identifiers of members, by id; there must be at least one member.
func IdentifiersOf(ctx context.Context, tx *db.Tx, program string, members []string) (map[string][]Identifier, error) {
	args := []any{program}
	for _, id := range members {
		args = append(args, id)
	}
	out := make(map[string][]Identifier, len(members))
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		var id string
		var i Identifier
		err := row.Scan(&id, &i.Kind, &i.Value)
		out[id] = append(out[id], i)
		return err
	}, `SELECT member_id, kind, value FROM identifiers WHERE program_id = $1 AND member_id IN (`+placeholders(2, len(members))+`)
	ORDER BY member_id, kind, created_at, value`, args...)
	if err != nil {
		return nil, fmt.Errorf("identifiers of members: %w", err)
	}
	return out, nil
}
