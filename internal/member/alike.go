package member

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"lojal.dev/lojal/internal/db"
)

// Reasons for which two members are probably one.
const (
	AlikeBirth    = "same_name_and_birth"
	AlikeEmail    = "same_email"
	AlikePostcode = "same_name_and_postcode"
)

// letters are those that do not come apart into a letter and a mark.
var letters = strings.NewReplacer("æ", "ae", "ø", "o", "œ", "oe", "ß", "ss", "ð", "d", "đ", "d", "þ", "th", "ł", "l", "ı", "i")

// fold gives the text in lower case without marks: "Åse Ødegård" is "ase odegard".
func fold(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, norm.NFKD.String(s))
	return letters.Replace(strings.ToLower(s))
}

// foldName gives the words of a name folded and sorted, so that "Hansen, Kari" is "Kari Hansen".
func foldName(s string) []string {
	words := strings.FieldsFunc(fold(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	slices.Sort(words)
	return words
}

// likeness is what two people have in common when they are probably one; a part that is not known is empty.
type likeness struct{ birth, email, postcode string }

func (m Member) likeness() likeness {
	var l likeness
	if m.ID != "" && !isPerson(m.ID) {
		return l
	}
	name := foldName(m.DisplayName())
	if len(name) > 0 && m.Birth != "" {
		l.birth = strings.Join(name, " ") + "|" + m.Birth
	}
	// A given name alone says little about who lives in a place.
	if len(name) > 1 && m.Postcode != "" {
		l.postcode = strings.Join(name, " ") + "|" + m.Country + "|" + strings.ReplaceAll(m.Postcode, " ", "")
	}
	l.email = canonicalEmail(m.Email)
	return l
}

// canonicalEmail gives the address without what many providers let a person vary: a tag after +, and the dots of Gmail.
func canonicalEmail(s string) string {
	local, domain, ok := strings.Cut(s, "@")
	if !ok {
		return ""
	}
	if tagged, _, _ := strings.Cut(local, "+"); tagged != "" {
		local = tagged
	}
	if domain == "googlemail.com" {
		domain = "gmail.com"
	}
	if domain == "gmail.com" {
		local = strings.ReplaceAll(local, ".", "")
	}
	return local + "@" + domain
}

// Pair is two members who are probably one; A was enrolled first.
type Pair struct {
	A string `json:"a"`
	B string `json:"b"`
	// Reasons are the Alike constants that hold.
	Reasons []string `json:"reasons"`
}

// Where many look alike, each is paired with the first of them: a list that grows with their number, not its square.
const findDuplicates = `
WITH pairs AS (
	SELECT first_value(member_id) OVER (PARTITION BY like_birth ORDER BY member_id) AS a, member_id AS b, '` + AlikeBirth + `' AS reason
	FROM members WHERE program_id = $1 AND like_birth <> ''
	UNION ALL
	SELECT first_value(member_id) OVER (PARTITION BY like_email ORDER BY member_id), member_id, '` + AlikeEmail + `'
	FROM members WHERE program_id = $1 AND like_email <> ''
	UNION ALL
	SELECT first_value(member_id) OVER (PARTITION BY like_postcode ORDER BY member_id), member_id, '` + AlikePostcode + `'
	FROM members WHERE program_id = $1 AND like_postcode <> ''
)
SELECT a, b, reason FROM pairs
WHERE a <> b AND (a, b) > ($2, $3)
ORDER BY a, b, reason
LIMIT $4`

// Duplicates gives pairs of members who are probably one, by id, and the cursor to go on after; "" when there are no more.
// after is the cursor, "" from the start. limit is 50 when 0; at most 500. Merged members do not appear.
func Duplicates(ctx context.Context, tx *db.Tx, program, after string, limit int) (pairs []Pair, next string, err error) {
	limit = pageSize(limit)
	a, b, _ := strings.Cut(after, ".")
	pairs = []Pair{}
	// Three rows a pair at most: one more pair than asked for is surely among them.
	err = db.Collect(ctx, tx, func(row db.Scanner) error {
		var p Pair
		var reason string
		if err := row.Scan(&p.A, &p.B, &reason); err != nil {
			return err
		}
		if n := len(pairs); n > 0 && pairs[n-1].A == p.A && pairs[n-1].B == p.B {
			pairs[n-1].Reasons = append(pairs[n-1].Reasons, reason)
			return nil
		}
		p.Reasons = []string{reason}
		pairs = append(pairs, p)
		return nil
	}, findDuplicates, program, a, b, 3*limit+1)
	if err != nil {
		return nil, "", fmt.Errorf("find duplicates in %s: %w", program, err)
	}
	if len(pairs) > limit {
		pairs = pairs[:limit]
		next = pairs[limit-1].A + "." + pairs[limit-1].B
	}
	return pairs, next, nil
}

const findAlike = `
SELECT member_id, 1 AS sure FROM members WHERE program_id = $1 AND like_birth = $2 AND like_birth <> '' AND member_id <> $5
UNION SELECT member_id, 1 FROM members WHERE program_id = $1 AND like_email = $3 AND like_email <> '' AND member_id <> $5
UNION SELECT member_id, 0 FROM members WHERE program_id = $1 AND like_postcode = $4 AND like_postcode <> '' AND member_id <> $5
ORDER BY 1, 2 LIMIT 200`

// AlikeTo gives the members who are probably the same person as one: those of the same name and birth, or e-mail, and those who only
// share name and postcode, as a parent and a child may. Where m has no id, the member is read.
func AlikeTo(ctx context.Context, tx *db.Tx, program, id string, m Member) (same, perhaps []string, err error) {
	if m.ID == "" {
		if m, err = Get(ctx, tx, program, id); err != nil {
			return nil, nil, err
		}
	}
	l := m.likeness()
	if l == (likeness{}) {
		return nil, nil, nil
	}
	err = db.Collect(ctx, tx, func(row db.Scanner) error {
		var other string
		var sure int
		err := row.Scan(&other, &sure)
		if sure == 1 {
			same = append(same, other)
		} else {
			perhaps = append(perhaps, other)
		}
		return err
	}, findAlike, program, l.birth, l.email, l.postcode, id)
	if err != nil {
		return nil, nil, fmt.Errorf("find who is like a member of %s: %w", program, err)
	}
	return same, perhaps, nil
}
