// Package member keeps who the members of a program are: profile, identifiers, and what makes two of them look alike.
//
// It owns the tables members and identifiers, the forms in which names of people, phone numbers, e-mail addresses and
// card numbers are stored, and the search for probable duplicates. It does not own what a member has (books), nor
// whether one may earn or spend (the account's status).
// What always holds: an identifier points at one member of its program; what is stored is in its normal form, so that
// the same card, phone or e-mail is found however it was typed; a merged member has no identifiers left.
package member

import (
	"errors"
	"fmt"
	"maps"
	"net/mail"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"
	"golang.org/x/text/language"

	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/program"
)

// IDPrefix is the type prefix of members' ids. Households and organizations are kept as members are, under ids of their own types.
const (
	IDPrefix           = "mem"
	HouseholdPrefix    = "hou"
	OrganizationPrefix = "org"
)

// checkID sees that a text has the form of an id of one of them.
func checkID(text string) error {
	for _, prefix := range []string{HouseholdPrefix, OrganizationPrefix} {
		if strings.HasPrefix(text, prefix+"_") {
			return ids.Check(prefix, text)
		}
	}
	return ids.Check(IDPrefix, text)
}

// isPerson says whether an id is that of a person.
func isPerson(id string) bool { return strings.HasPrefix(id, IDPrefix+"_") }

// The kinds of identifier that every program has. A program declares further ones in its document.
const (
	Card  = "card"
	Phone = "phone"
	Email = "email"
	Ext   = "ext" // the caller's own id
)

// Identifier is a name under which a member is found.
type Identifier struct {
	Kind  string `json:"kind"`
	Value string `json:"value"`
}

// String writes the identifier as it stands in references: "phone:+4790000000".
func (i Identifier) String() string { return i.Kind + ":" + i.Value }

// Profile is what is known of a member besides the identifiers. Every field may be empty.
type Profile struct {
	// Name is the whole name where it is not known in parts; GivenName and FamilyName are the parts. Not both.
	Name       string `json:"name,omitempty"`
	GivenName  string `json:"given_name,omitempty"`
	FamilyName string `json:"family_name,omitempty"`
	// Email and Phone are identifiers too. Phone is in E.164 form.
	Email string `json:"email,omitempty"`
	Phone string `json:"phone,omitempty"`
	// Language is a BCP 47 tag, Zone an IANA time zone.
	Language string `json:"language,omitempty"`
	Zone     string `json:"zone,omitempty"`
	// Birth is YYYY-MM-DD, or MM-DD where the year is not told.
	Birth string `json:"birth,omitempty"`
	// Country is an ISO 3166-1 code of two letters.
	Country  string `json:"country,omitempty"`
	Postcode string `json:"postcode,omitempty"`
	// ExternalID is the caller's own id: the identifier of kind ext.
	ExternalID string `json:"external_id,omitempty"`
	// Attributes are the program's own values; rules may ask for them.
	Attributes map[string]string `json:"attributes,omitempty"`
}

// DisplayName is the name as it is shown, empty when none is known.
func (f Profile) DisplayName() string {
	if f.Name != "" {
		return f.Name
	}
	return strings.TrimSpace(f.GivenName + " " + f.FamilyName)
}

// New is a member to enrol.
type New struct {
	Profile
	// ID is that of a household or an organization; a person gets one.
	ID string `json:"-"`
	// Identifiers come besides the profile's e-mail, phone and external id.
	Identifiers []Identifier `json:"identifiers,omitempty"`
}

// Member is a member as stored.
type Member struct {
	ID string `json:"id"`
	Profile
	// Identifiers holds all of them, the profile's too, by kind and value.
	Identifiers []Identifier `json:"identifiers"`
	CreatedAt   time.Time    `json:"created_at"`
	UpdatedAt   time.Time    `json:"updated_at"`
	// Revision rises by one with every change; it is what If-Match compares.
	Revision int64 `json:"revision"`
	// MergedInto is the survivor's id, once this member was merged.
	MergedInto string `json:"merged_into,omitempty"`
}

// all gives the profile's identifiers followed by the others, each once.
func (n New) all() []Identifier {
	var out []Identifier
	add := func(i Identifier) {
		if i.Value != "" && !slices.Contains(out, i) {
			out = append(out, i)
		}
	}
	add(Identifier{Ext, n.ExternalID})
	add(Identifier{Phone, n.Phone})
	add(Identifier{Email, n.Email})
	for _, i := range n.Identifiers {
		add(i)
	}
	return out
}

// Normal gives n in the form in which it is stored, or an invalid error with every mistake and its JSON pointer. today is
// any moment of the day on which a birth date must have passed.
//
// The first e-mail, phone and ext among the identifiers become the profile's where the profile has none, so that it
// does not matter which way they come.
func (n New) Normal(p *program.Compiled, today time.Time) (New, error) {
	var m mistakes
	out := New{Profile: n.Profile.normal(p, today, &m), ID: n.ID}
	for k, i := range n.Identifiers {
		at := "/identifiers/" + strconv.Itoa(k)
		v, err := Normalize(p, i.Kind, i.Value)
		if err != nil {
			if errors.Is(err, errKind) {
				m.add(at+"/kind", "unknown_kind", err.Error())
			} else {
				m.add(at+"/value", "invalid_"+i.Kind, err.Error())
			}
			continue
		}
		switch {
		case i.Kind == Email && out.Email == "":
			out.Email = v
		case i.Kind == Phone && out.Phone == "":
			out.Phone = v
		case i.Kind == Ext && out.ExternalID == "":
			out.ExternalID = v
		}
		out.Identifiers = append(out.Identifiers, Identifier{i.Kind, v})
	}
	if err := m.err(); err != nil {
		return New{}, err
	}
	return out, nil
}

// mistakes gathers every mistake, so that a caller corrects them in one go.
type mistakes struct{ fields []errs.Field }

func (m *mistakes) add(pointer, reason, message string) {
	m.fields = append(m.fields, errs.Field{Pointer: pointer, Reason: reason, Message: message})
}

func (m *mistakes) err() error {
	if len(m.fields) == 0 {
		return nil
	}
	return errs.Invalid("invalid_member", "The member's data has mistakes.", m.fields...)
}

// normal gives the profile in its stored form and notes what is wrong.
func (f Profile) normal(p *program.Compiled, today time.Time, m *mistakes) Profile {
	f.Name = f.text(m, "/name", "name", f.Name, 200)
	f.GivenName = f.text(m, "/given_name", "given name", f.GivenName, 100)
	f.FamilyName = f.text(m, "/family_name", "family name", f.FamilyName, 100)
	if f.Name != "" && f.GivenName+f.FamilyName != "" {
		m.add("/name", "name_twice", "Give either name, or given_name and family_name.")
	}
	field := func(pointer, kind string, v *string) {
		if strings.TrimSpace(*v) == "" {
			*v = ""
			return
		}
		n, err := Normalize(p, kind, *v)
		if err != nil {
			m.add(pointer, "invalid_"+kind, err.Error())
		}
		*v = n
	}
	field("/email", Email, &f.Email)
	field("/phone", Phone, &f.Phone)
	field("/external_id", Ext, &f.ExternalID)
	if f.Language = strings.TrimSpace(f.Language); f.Language != "" {
		if tag, err := language.Parse(f.Language); err != nil {
			m.add("/language", "invalid_language", fmt.Sprintf("%q is not a language; write for example nb, sv, da or en.", f.Language))
		} else if f.Language = tag.String(); f.Language == "no" {
			f.Language = "nb"
		}
	}
	if f.Zone = strings.TrimSpace(f.Zone); f.Zone != "" {
		if _, err := time.LoadLocation(f.Zone); err != nil || f.Zone == "Local" {
			m.add("/zone", "invalid_zone", fmt.Sprintf("%q is not a time zone; write for example Europe/Oslo.", f.Zone))
		}
	}
	if f.Birth = strings.TrimSpace(f.Birth); f.Birth != "" {
		if err := checkBirth(f.Birth, today, p.Zone); err != nil {
			m.add("/birth", "invalid_birth", err.Error())
		}
	}
	if f.Country = strings.ToUpper(strings.TrimSpace(f.Country)); f.Country != "" {
		if r, err := language.ParseRegion(f.Country); err != nil || !r.IsCountry() || len(f.Country) != 2 {
			m.add("/country", "invalid_country", fmt.Sprintf("%q is not a country; write its two letters, for example NO.", f.Country))
		}
	}
	f.Postcode = f.text(m, "/postcode", "postcode", strings.ToUpper(f.Postcode), 16)
	f.Attributes = f.attributes(m)
	return f
}

// text trims, joins runs of spaces and checks the length.
func (Profile) text(m *mistakes, pointer, what, s string, limit int) string {
	s = strings.Join(strings.Fields(s), " ")
	switch {
	case !printable(s):
		m.add(pointer, "invalid_text", "The "+what+" holds characters that cannot be shown.")
	case utf8.RuneCountInString(s) > limit:
		m.add(pointer, "too_long", fmt.Sprintf("The %s has more than %d characters.", what, limit))
	}
	return s
}

var attributeName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]{0,63}$`)

const (
	maxAttributes     = 100
	maxAttributeValue = 500
)

func (f Profile) attributes(m *mistakes) map[string]string {
	if len(f.Attributes) > maxAttributes {
		m.add("/attributes", "too_many", fmt.Sprintf("A member has at most %d attributes.", maxAttributes))
		return nil
	}
	out := maps.Clone(f.Attributes)
	for _, name := range slices.Sorted(maps.Keys(f.Attributes)) {
		v, at := f.Attributes[name], "/attributes/"+escape(name)
		switch {
		case !attributeName.MatchString(name):
			m.add(at, "invalid_name", "An attribute's name has 1 to 64 letters, digits, _, . or -, and begins with a letter or _.")
		case !utf8.ValidString(v) || strings.ContainsRune(v, 0):
			m.add(at, "invalid_text", "The value holds characters that cannot be stored.")
		case utf8.RuneCountInString(v) > maxAttributeValue:
			m.add(at, "too_long", fmt.Sprintf("The value has more than %d characters.", maxAttributeValue))
		}
	}
	return out
}

// escape makes a part of a JSON pointer (RFC 6901).
func escape(s string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(s) }

// checkBirth accepts YYYY-MM-DD up to today, and MM-DD with 29 February.
func checkBirth(s string, today time.Time, zone *time.Location) error {
	if len(s) == len("01-02") {
		if _, err := time.Parse("2006-01-02", "2000-"+s); err != nil { // 2000 has a 29 February
			return flaw(fmt.Sprintf("%q is not a day of the year; write it as MM-DD, for example 05-17.", s))
		}
		return nil
	}
	d, err := time.Parse("2006-01-02", s)
	if err != nil {
		return flaw(fmt.Sprintf("%q is not a date; write it as YYYY-MM-DD, or as MM-DD without the year.", s))
	}
	if zone == nil {
		zone = time.UTC
	}
	if d.Year() < 1900 || s > today.In(zone).Format("2006-01-02") {
		return flaw("The birth date must lie between 1900 and today.")
	}
	return nil
}

var (
	errKind  = errors.New("unknown kind of identifier")
	cardForm = regexp.MustCompile(`^[A-Za-z0-9-]{4,40}$`)
	dialForm = regexp.MustCompile(`^\+?[0-9 ()./-]+$`)
)

// flaw is a sentence for the person who typed the value.
type flaw string

func (f flaw) Error() string { return string(f) }

// kindError is a flaw of the kind and not of the value.
type kindError struct{ flaw }

func (kindError) Is(target error) bool { return target == errKind }

// Kinds gives the kinds of identifier of a program: the four of every program, that of invitations where it has a referral, then its
// own in order.
func Kinds(p *program.Compiled) []string {
	out := []string{Card, Phone, Email, Ext}
	if p.Referral != nil {
		out = append(out, Referral)
	}
	return append(out, slices.Sorted(maps.Keys(p.Doc.Identifiers))...)
}

// Normalize gives the identifier's value in the form in which it is stored and looked up. The error is a sentence that
// says what is wrong with it and how to write it.
func Normalize(p *program.Compiled, kind, value string) (string, error) {
	v := strings.TrimSpace(value)
	switch kind {
	case Card:
		if !cardForm.MatchString(v) {
			return "", flaw("A card number has 4 to 40 letters, digits or hyphens, without spaces.")
		}
		return v, nil
	case Phone:
		return normalPhone(v, p.Doc.Country)
	case Email:
		return normalEmail(v)
	case Referral:
		if p.Referral == nil {
			break
		}
		if v = strings.ToUpper(strings.NewReplacer("-", "", " ", "").Replace(v)); !referralForm.MatchString(v) {
			return "", flaw("The code of an invitation has 6 to 40 letters and digits.")
		}
		return v, nil
	}
	if _, own := p.Doc.Identifiers[kind]; kind != Ext && !own {
		return "", kindError{flaw(fmt.Sprintf("%q is not a kind of identifier here; there are %s.", kind, strings.Join(Kinds(p), ", ")))}
	}
	if n := utf8.RuneCountInString(v); n < 1 || n > 100 || !printable(v) {
		return "", flaw("An identifier has 1 to 100 characters that can be shown.")
	}
	return v, nil
}

// normalPhone gives the E.164 form. It asks for a possible number, not for one of a series known to be in use: tills
// meet new series before any list does.
func normalPhone(v, country string) (string, error) {
	if strings.HasPrefix(v, "00") { // the way to dial out in all of Europe
		v = "+" + v[2:]
	}
	if !dialForm.MatchString(v) {
		return "", flaw("A phone number has digits, spaces and perhaps a + in front, for example +47 900 00 000.")
	}
	if country == "" && v[0] != '+' {
		return "", flaw("Write the phone number with its country code, for example +47 900 00 000; the program names no country.")
	}
	n, err := phonenumbers.Parse(v, country)
	switch {
	case errors.Is(err, phonenumbers.ErrInvalidCountryCode):
		return "", flaw("The phone number's country code does not exist.")
	case err != nil:
		return "", flaw("This is not a phone number; write for example +47 900 00 000.")
	}
	switch phonenumbers.IsPossibleNumberWithReason(n) {
	case phonenumbers.IS_POSSIBLE:
		return phonenumbers.Format(n, phonenumbers.E164), nil
	case phonenumbers.TOO_LONG:
		return "", flaw("The phone number has too many digits for its country.")
	case phonenumbers.INVALID_COUNTRY_CODE:
		return "", flaw("The phone number's country code does not exist.")
	default:
		return "", flaw("The phone number has too few digits for its country.")
	}
}

func normalEmail(v string) (string, error) {
	bad := flaw("This is not an e-mail address; write for example kari@example.org.")
	v = strings.ToLower(v)
	a, err := mail.ParseAddress(v)
	if err != nil || a.Name != "" || a.Address != v || len(v) > 254 || !printable(v) {
		return "", bad
	}
	local, domain, _ := strings.Cut(v, "@")
	if strings.ContainsAny(local, "\" ") || strings.Contains(domain, "[") || !strings.Contains(strings.Trim(domain, "."), ".") {
		return "", bad
	}
	return v, nil
}

// printable says whether the text is UTF-8 without control characters.
func printable(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

// NewCard draws the number of a card: 16 digits, the last of which checks the others (ISO/IEC 7812-1, annex B). They are so many that none is guessed,
// and a bar code of them is short.
func NewCard() Identifier {
	n := "29" + ids.Digits(13) // no bank's card begins so
	sum := 0
	for i := range n {
		d := int(n[i] - '0')
		if i%2 == 0 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return Identifier{Card, n + string(rune('0'+(10-sum%10)%10))}
}

// Referral is the kind of the codes that members hand to friends, where the program thanks for bringing others.
const Referral = "referral"

var referralForm = regexp.MustCompile(`^[0-9A-Z]{6,40}$`)

// NewInvitation makes a code to hand to friends: short enough to be read out, and one of so many that none is guessed.
func NewInvitation() Identifier { return Identifier{Referral, ids.Code(10)} }

// InvitationRef is the reference of a member by what a friend says: the code alone, or any reference.
func InvitationRef(said string) string {
	if strings.Contains(said, ":") || ids.Check(IDPrefix, said) == nil {
		return said
	}
	return Referral + ":" + said
}
