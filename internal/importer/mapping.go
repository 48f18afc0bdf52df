package importer

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"lojal.dev/lojal/internal/errs"
)

// Kind is what a file holds.
type Kind string

// The kinds of files.
const (
	Members    Kind = "members"
	Purchases  Kind = "purchases"
	Activities Kind = "activities"
)

// Mapping says how the columns of a file become facts. Its YAML is described in docs/import.md.
type Mapping struct {
	// Import is the kind of file, as a guard against using a mapping for the wrong one.
	Import Kind `yaml:"import"`
	// Source is the first half of the natural key of everything imported: the till, shop or old system it comes from.
	Source string `yaml:"source"`
	File   Layout `yaml:"file"`
	// Numbers says how numbers are written.
	Numbers Numbers `yaml:"numbers"`
	// Dates says how times are written.
	Dates Dates `yaml:"dates"`
	// With are further files that are looked into, by a name that columns then begin with: articles.category.
	With map[string]Lookup `yaml:"with"`

	// Member says who a purchase or activity belongs to; in a file of members it is the profile.
	Member Person `yaml:"member"`
	// Enrolment is when and where the members of a file of members joined.
	Enrolment Enrolment `yaml:"enrolment"`
	// Balance is what members bring along from an old program, by unit.
	Balance map[string]Value `yaml:"balance"`
	// Purchase is what is told once a receipt, Line what is told on each line of it.
	Purchase Purchase `yaml:"purchase"`
	Line     Line     `yaml:"line"`
	Activity Activity `yaml:"activity"`
}

// Layout is the form of the file. What is left out is found out from the file itself.
type Layout struct {
	// Delimiter is one character, "tab", or "spaces" for columns by any number of blanks.
	Delimiter string `yaml:"delimiter"`
	// Charset is a name such as utf-8, windows-1252 or iso-8859-15.
	Charset string `yaml:"charset"`
	// Header says whether the first line names the columns. Without it: when the mapping names any.
	Header *bool `yaml:"header"`
	// Skip is how many lines before the header (or the first row) are left out.
	Skip int `yaml:"skip"`
	// Widths are the columns of a file of fixed widths, as FROM-TO counted in characters from 1.
	Widths map[string]string `yaml:"widths"`
}

// Numbers is how numbers are written.
type Numbers struct {
	// Decimal is the decimal sign, "." when left out.
	Decimal string `yaml:"decimal"`
	// Thousands is the sign between thousands, none when left out; "space" is any blank.
	Thousands string `yaml:"thousands"`
	// Round rounds money to the decimals of the currency, half to even, instead of refusing more of them.
	Round bool `yaml:"round"`
}

// Dates is how times are written.
type Dates struct {
	// Format is made of YYYY, YY, MM, M, DD, D, HH, H, mm, m, ss, s, A (AM or PM) and Z (offset), or is "iso" (the default: ISO
	// 8601 in its usual shapes), "unix" or "unix ms".
	Format string `yaml:"format"`
	// Zone is the time zone of times without offset; the program's when left out.
	Zone string `yaml:"zone"`
	// Time is the time of day of dates without one: 12:00 when left out, so that no zone moves them to another day.
	Time string `yaml:"time"`
}

// Lookup is a further file.
type Lookup struct {
	// File lies beside the mapping unless its path says otherwise.
	File string `yaml:"file"`
	// Key is the column of that file by which its rows are found, Match the column of the main file with the same value.
	Key   Value `yaml:"key"`
	Match Value `yaml:"match"`
	// Layout is its form.
	Layout Layout `yaml:"layout"`
}

// Person is a member. For purchases and activities just Column, As and Enrol count.
type Person struct {
	// Value holds the member's number, of the kind As: card, ext, phone, email or one of the program's own.
	Value
	As string
	// Enrol makes members who are not known, as of their first purchase or activity in the file.
	Enrol bool
	// Profile is for files of members.
	Profile Profile
}

// Profile is what a file of members knows of each.
type Profile struct {
	Name        Value            `yaml:"name"`
	GivenName   Value            `yaml:"given_name"`
	FamilyName  Value            `yaml:"family_name"`
	Email       Value            `yaml:"email"`
	Phone       Value            `yaml:"phone"`
	Language    Value            `yaml:"language"`
	Zone        Value            `yaml:"zone"`
	Birth       Value            `yaml:"birth"`
	Country     Value            `yaml:"country"`
	Postcode    Value            `yaml:"postcode"`
	ExternalID  Value            `yaml:"external_id"`
	Card        Value            `yaml:"card"`
	Identifiers map[string]Value `yaml:"identifiers"`
	Attributes  map[string]Value `yaml:"attributes"`
}

// Enrolment is when and where a member joined.
type Enrolment struct {
	At      Value `yaml:"at"`
	Store   Value `yaml:"store"`
	Channel Value `yaml:"channel"`
}

// Purchase is what is told once a receipt. On each of its lines in the file it must be the same, but for At: the
// earliest counts.
type Purchase struct {
	// Receipt is the second half of the natural key; lines of one receipt are one purchase. Without it each row is a
	// purchase of its own, and its key is made of what stands in it.
	Receipt  Value `yaml:"receipt"`
	At       Value `yaml:"at"`
	Store    Value `yaml:"store"`
	Channel  Value `yaml:"channel"`
	Currency Value `yaml:"currency"`
	Rate     Value `yaml:"rate"`
	Shipping Value `yaml:"shipping"`
	Discount Value `yaml:"discount"`
	// Payment is the means by which all of it was paid.
	Payment Value `yaml:"payment"`
}

// Line is what is told on each line.
type Line struct {
	SKU       Value   `yaml:"sku"`
	Name      Value   `yaml:"name"`
	Category  Value   `yaml:"category"`
	Brand     Value   `yaml:"brand"`
	Tags      []Value `yaml:"tags"`
	Quantity  Value   `yaml:"quantity"`
	UnitPrice Value   `yaml:"unit_price"`
	Discount  Value   `yaml:"discount"`
	Tax       Value   `yaml:"tax"`
	Amount    Value   `yaml:"amount"`
}

// Activity is something a member did.
type Activity struct {
	Kind Value `yaml:"kind"`
	// ID is the second half of the natural key; without it the key is made of what stands in the row.
	ID         Value            `yaml:"id"`
	At         Value            `yaml:"at"`
	Store      Value            `yaml:"store"`
	Channel    Value            `yaml:"channel"`
	Properties map[string]Value `yaml:"properties"`
}

// Value says where a value comes from: a column by its name or number (from 1), several columns joined by "/", or a
// group of fields.
type Value struct {
	Columns []Column
	// Sum adds the columns up as numbers instead of joining their texts.
	Sum bool
	// With joins the texts; "/" when left out. Empty ones are left out.
	With string
	// Always is a fixed text in place of columns.
	Always string
	// Default stands in for nothing.
	Default string
	// Words are replaced: word in the file → word in lojal.
	Words map[string]string
	// ZeroEmpty takes a number that is zero for nothing.
	ZeroEmpty bool
	// Turn turns the sign of a number.
	Turn bool
	// Format is a date format of its own.
	Format string
}

// Column is a column by name or by number from 1.
type Column struct {
	Name   string
	Number int
}

func (c Column) String() string {
	if c.Number > 0 {
		return fmt.Sprintf("column %d", c.Number)
	}
	return fmt.Sprintf("column %q", c.Name)
}

// Given says whether the mapping tells where the value comes from.
func (v *Value) Given() bool { return len(v.Columns) > 0 || v.Always != "" }

// valueFields is the long form of a value.
type valueFields struct {
	Column  any               `yaml:"column"`
	Join    []any             `yaml:"join"`
	Sum     []any             `yaml:"sum"`
	With    *string           `yaml:"with"`
	Always  any               `yaml:"always"`
	Default any               `yaml:"default"`
	Words   map[string]string `yaml:"words"`
	Zero    string            `yaml:"zero"`
	Sign    string            `yaml:"sign"`
	Format  string            `yaml:"format"`
}

// UnmarshalYAML reads any of the forms.
func (v *Value) UnmarshalYAML(decode func(any) error) error {
	var plain any
	if err := decode(&plain); err != nil {
		return err
	}
	v.With = "/"
	switch plain := plain.(type) {
	case nil:
		return nil
	case []any:
		var err error
		v.Columns, err = columnsOf(plain)
		return err
	case map[string]any:
		var f valueFields
		if err := decode(&f); err != nil {
			return err
		}
		return v.set(f)
	default:
		var err error
		v.Columns, err = columnsOf([]any{plain})
		return err
	}
}

func (v *Value) set(f valueFields) (err error) {
	forms := 0
	for _, columns := range [][]any{f.Join, f.Sum} {
		if len(columns) > 0 {
			forms++
			if v.Columns, err = columnsOf(columns); err != nil {
				return err
			}
		}
	}
	v.Sum = len(f.Sum) > 0
	if f.Column != nil {
		forms++
		if v.Columns, err = columnsOf([]any{f.Column}); err != nil {
			return err
		}
	}
	if f.Always != nil {
		forms++
		v.Always = fmt.Sprint(f.Always)
	}
	if forms != 1 {
		return errors.New("a value is one of: column, join, sum, always")
	}
	if f.With != nil {
		v.With = *f.With
	}
	if f.Default != nil {
		v.Default = fmt.Sprint(f.Default)
	}
	v.Words, v.Format = f.Words, f.Format
	switch f.Zero {
	case "":
	case "empty":
		v.ZeroEmpty = true
	default:
		return fmt.Errorf("zero: %q is not known; it can be empty", f.Zero)
	}
	switch f.Sign {
	case "":
	case "turn":
		v.Turn = true
	default:
		return fmt.Errorf("sign: %q is not known; it can be turn", f.Sign)
	}
	return nil
}

func columnsOf(list []any) ([]Column, error) {
	var out []Column
	for _, item := range list {
		switch c := item.(type) {
		case string:
			if strings.TrimSpace(c) == "" {
				return nil, errors.New("a column has an empty name")
			}
			out = append(out, Column{Name: strings.TrimSpace(c)})
		case uint64:
			if c < 1 || c > 10_000 {
				return nil, fmt.Errorf("columns are counted from 1; there is no column %d", c)
			}
			out = append(out, Column{Number: int(c)})
		default:
			return nil, fmt.Errorf("%v is not a column: write its name, or its number counted from 1", item)
		}
	}
	return out, nil
}

// UnmarshalYAML reads a person: the long form, or for purchases and activities just the column.
func (p *Person) UnmarshalYAML(decode func(any) error) error {
	var plain any
	if err := decode(&plain); err != nil {
		return err
	}
	fields, ok := plain.(map[string]any)
	if !ok {
		return decode(&p.Value)
	}
	if _, ok := fields["column"]; !ok {
		if _, ok := fields["join"]; !ok {
			return decode(&p.Profile)
		}
	}
	var f struct {
		Fields valueFields `yaml:",inline"`
		As     string      `yaml:"as"`
		Enrol  bool        `yaml:"enrol"`
	}
	if err := decode(&f); err != nil {
		return err
	}
	p.As, p.Enrol = f.As, f.Enrol
	return p.set(f.Fields)
}

// ParseMapping reads a mapping; name is the file's, for messages. The error is invalid "invalid_mapping".
func ParseMapping(data []byte, name string) (*Mapping, error) {
	var m Mapping
	if err := yaml.UnmarshalWithOptions(data, &m, yaml.Strict()); err != nil {
		return nil, errs.Invalid("invalid_mapping", fmt.Sprintf("The mapping %s cannot be read: %s", name, yaml.FormatError(err, false, true)))
	}
	if fields := m.check(); len(fields) > 0 {
		return nil, errs.Invalid("invalid_mapping", fmt.Sprintf("The mapping %s has mistakes.", name), fields...)
	}
	return &m, nil
}

// check tells every mistake that shows without the file.
func (m *Mapping) check() (fields []errs.Field) {
	fail := func(pointer, reason, format string, args ...any) {
		fields = append(fields, errs.Field{Pointer: pointer, Reason: reason, Message: fmt.Sprintf(format, args...)})
	}
	need := func(v *Value, pointer, what string) {
		if !v.Given() {
			fail(pointer, "required", "%s", what)
		}
	}
	if m.Source == "" {
		fail("/source", "required", "name where the file comes from, such as till or old-program: together with a number of its own it tells each row from all others")
	}
	if len(m.Source) > 100 {
		fail("/source", "too_long", "is longer than 100 characters")
	}
	switch m.Import {
	case Members:
		m.checkMembers(fail)
	case Purchases:
		need(&m.Member.Value, "/member", "name the column that says which member a row belongs to")
		need(&m.Purchase.At, "/purchase/at", "name the column that says when it was bought")
		if !m.Line.Amount.Given() && !m.Line.UnitPrice.Given() {
			fail("/line", "required", "name the column of the amount, or of the unit price")
		}
	case Activities:
		need(&m.Member.Value, "/member", "name the column that says which member a row belongs to")
		need(&m.Activity.Kind, "/activity/kind", "name the column of the activity's kind, or write {always: KIND}")
		need(&m.Activity.At, "/activity/at", "name the column that says when it was done")
	default:
		fail("/import", "unknown_kind", "say what the file holds: members, purchases or activities")
	}
	if m.Import != Members && m.Member.Profile.given() {
		fail("/member", "not_here", "a profile goes only with members; here write {column: …, as: card, enrol: true}")
	}
	m.File.check("/file", fail)
	m.Numbers.check(fail)
	m.Dates.check(fail)
	for name, l := range m.With {
		at := "/with/" + name
		if l.File == "" {
			fail(at+"/file", "required", "name the file to look into")
		}
		need(&l.Key, at+"/key", "name the column of that file by which its rows are found")
		need(&l.Match, at+"/match", "name the column of the main file with the same value")
		l.Layout.check(at+"/layout", fail)
	}
	return fields
}

func (m *Mapping) checkMembers(fail failFunc) {
	if m.Member.Value.Given() {
		fail("/member", "not_here", "in a file of members name the columns one by one: external_id, card, name, email, …")
		return
	}
	if !m.Member.Profile.key().Given() {
		fail("/member", "required", "name at least one of external_id, card, email, phone, so that the member can be found again")
	}
}

type failFunc func(pointer, reason, format string, args ...any)

func (l *Layout) check(at string, fail failFunc) {
	if l.Delimiter != "" {
		if _, err := l.delimiter(); err != nil {
			fail(at+"/delimiter", "unknown", "%s", err.Error())
		}
	}
	if l.Charset != "" {
		if _, err := charset(l.Charset); err != nil {
			fail(at+"/charset", "unknown", "%s", err.Error())
		}
	}
	if l.Skip < 0 {
		fail(at+"/skip", "negative", "must not be negative")
	}
	if _, err := l.widths(); err != nil {
		fail(at+"/widths", "unknown", "%s", err.Error())
	}
}

func (n *Numbers) check(fail failFunc) {
	if n.Decimal != "" && n.Decimal != "." && n.Decimal != "," {
		fail("/numbers/decimal", "unknown", "must be \".\" or \",\"")
	}
	if n.Thousands != "" && n.Thousands != "space" && (n.Thousands == n.sign() || !slices.Contains([]string{".", ",", "'", "’"}, n.Thousands)) {
		fail("/numbers/thousands", "unknown", "must be \".\", \",\", \"'\" or space, and not the decimal sign")
	}
}

func (n *Numbers) sign() string {
	if n.Decimal == "" {
		return "."
	}
	return n.Decimal
}

func (d *Dates) check(fail failFunc) {
	if d.Zone != "" {
		if _, err := time.LoadLocation(d.Zone); err != nil || d.Zone == "Local" {
			fail("/dates/zone", "unknown_zone", "%q is not an IANA time zone such as Europe/Oslo", d.Zone)
		}
	}
	if d.Time != "" {
		if _, err := time.Parse("15:04", d.Time); err != nil {
			fail("/dates/time", "not_a_time", "must be a time of day such as 12:00")
		}
	}
	if _, err := layoutOf(d.Format); err != nil {
		fail("/dates/format", "unknown", "%s", err.Error())
	}
}

// given says whether any field of the profile is.
func (p *Profile) given() bool {
	for _, v := range p.values() {
		if v.Given() {
			return true
		}
	}
	return false
}

// key is the field by which a row of a file of members is told from all others.
func (p *Profile) key() *Value {
	for _, v := range []*Value{&p.ExternalID, &p.Card, &p.Email, &p.Phone} {
		if v.Given() {
			return v
		}
	}
	return &Value{}
}

func (p *Profile) values() []*Value {
	out := []*Value{&p.Name, &p.GivenName, &p.FamilyName, &p.Email, &p.Phone, &p.Language, &p.Zone, &p.Birth, &p.Country, &p.Postcode, &p.ExternalID, &p.Card}
	return append(out, slices.Concat(mapValues(p.Identifiers), mapValues(p.Attributes))...)
}

func mapValues(m map[string]Value) (out []*Value) {
	for _, v := range m {
		out = append(out, &v)
	}
	return out
}

// values are all that the mapping asks of the main file.
func (m *Mapping) values() []*Value {
	out := m.Member.Profile.values()
	out = append(out, &m.Member.Value, &m.Enrolment.At, &m.Enrolment.Store, &m.Enrolment.Channel)
	out = append(out, mapValues(m.Balance)...)
	p, l, a := &m.Purchase, &m.Line, &m.Activity
	out = append(out, &p.Receipt, &p.At, &p.Store, &p.Channel, &p.Currency, &p.Rate, &p.Shipping, &p.Discount, &p.Payment,
		&l.SKU, &l.Name, &l.Category, &l.Brand, &l.Quantity, &l.UnitPrice, &l.Discount, &l.Tax, &l.Amount)
	for i := range l.Tags {
		out = append(out, &l.Tags[i])
	}
	out = append(out, &a.Kind, &a.ID, &a.At, &a.Store, &a.Channel)
	return append(out, mapValues(a.Properties)...)
}
