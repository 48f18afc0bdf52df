package importer

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/govalues/decimal"

	"lojal.dev/lojal/internal/money"
)

// source is where the values of one row come from: the file, and what it leads to in other files.
type source struct {
	table   *table
	numbers Numbers
	dates   dateReader
	lookups map[string]*lookup
	// missing are the columns that the mapping names and the file does not have.
	missing []string
}

// lookup is a further file, its rows by key.
type lookup struct {
	table *table
	rows  map[string][]string
	match getter
}

// getter gives a value of a row as text, "" for nothing.
type getter func(cells []string) string

// cell is where a column stands: in the file itself, or in a further one.
type cell struct {
	lookup *lookup
	index  int
}

func (c cell) of(cells []string) string {
	if c.lookup != nil {
		if cells = c.lookup.rows[c.lookup.match(cells)]; cells == nil {
			return ""
		}
	}
	if c.index >= len(cells) {
		return ""
	}
	return strings.TrimSpace(cells[c.index])
}

// find gives the place of a column; NAME.COLUMN is one of a further file.
func (s *source) find(c Column) (cell, error) {
	if name, rest, ok := strings.Cut(c.Name, "."); ok {
		if l := s.lookups[name]; l != nil {
			column := Column{Name: rest}
			if n, err := strconv.Atoi(rest); err == nil && n > 0 {
				column = Column{Number: n}
			}
			i, err := l.table.place(column)
			return cell{l, i}, err
		}
	}
	i, err := s.table.place(c)
	return cell{nil, i}, err
}

// bind makes a getter of a value; nil when the mapping does not give it. What cannot be found is kept in missing.
func (s *source) bind(v Value) getter {
	switch {
	case v.Always != "":
		return func([]string) string { return v.Always }
	case len(v.Columns) == 0:
		return nil
	}
	cells := make([]cell, len(v.Columns))
	for i, c := range v.Columns {
		var err error
		if cells[i], err = s.find(c); err != nil {
			s.missing = append(s.missing, err.Error())
		}
	}
	raw := s.join(cells, v)
	return func(row []string) string {
		text := raw(row)
		if word, ok := v.Words[text]; ok {
			text = word
		}
		if v.ZeroEmpty && isZero(text, s.numbers) {
			text = ""
		}
		if v.Turn && text != "" {
			text = turn(text)
		}
		if text == "" {
			return v.Default
		}
		return text
	}
}

func (s *source) join(cells []cell, v Value) getter {
	switch {
	case v.Sum:
		return func(row []string) string { return s.sum(cells, row) }
	case len(cells) == 1:
		return cells[0].of
	}
	return func(row []string) string {
		var b strings.Builder
		for _, c := range cells {
			if text := c.of(row); text != "" {
				if b.Len() > 0 {
					b.WriteString(v.With)
				}
				b.WriteString(text)
			}
		}
		return b.String()
	}
}

// sum adds columns up. What is no number is given as it stands, so that the row is refused with it in sight.
func (s *source) sum(cells []cell, row []string) string {
	var total decimal.Decimal
	found := false
	for _, c := range cells {
		text := c.of(row)
		if text == "" {
			continue
		}
		plain, err := plainNumber(text, s.numbers)
		if err != nil {
			return text
		}
		d, err := decimal.Parse(plain)
		if err != nil {
			return text
		}
		if total, err = total.Add(d); err != nil {
			return text
		}
		found = true
	}
	if !found {
		return ""
	}
	out := total.Trim(0).String()
	if s.numbers.sign() == "," {
		out = strings.Replace(out, ".", ",", 1)
	}
	return out
}

func turn(text string) string {
	if rest, ok := strings.CutPrefix(text, "-"); ok {
		return rest
	}
	return "-" + text
}

func isZero(text string, n Numbers) bool {
	plain, err := plainNumber(text, n)
	if err != nil {
		return false
	}
	d, err := decimal.Parse(plain)
	return err == nil && d.IsZero()
}

var errNumber = errors.New("is not a number")

// plainNumber turns a number as it stands in the file into digits with a point.
func plainNumber(text string, n Numbers) (string, error) {
	s := strings.ReplaceAll(text, "\u2212", "-") // the minus of typesetters
	if rest, ok := strings.CutSuffix(s, "-"); ok {
		s = "-" + rest // 12.50- as bookkeeping programs write it
	}
	s = strings.TrimPrefix(s, "+")
	switch n.Thousands {
	case "":
	case "space":
		s = strings.NewReplacer(" ", "", "\u00a0", "", "\u202f", "", "\u2009", "").Replace(s)
	default:
		s = strings.ReplaceAll(s, n.Thousands, "")
	}
	if sign := n.sign(); sign != "." {
		if strings.Contains(s, ".") {
			return "", errNumber
		}
		s = strings.Replace(s, sign, ".", 1)
	}
	s = strings.TrimSpace(s)
	switch {
	case strings.HasPrefix(s, "."):
		s = "0" + s
	case strings.HasPrefix(s, "-."):
		s = "-0" + s[1:]
	}
	if s == "" || strings.HasSuffix(s, ".") {
		return "", errNumber
	}
	return s, nil
}

// number reads a number. With scale 0 or more it is rounded to so many decimals.
func number(text string, n Numbers, scale int) (*money.Decimal, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // nothing is no number
	}
	plain, err := plainNumber(text, n)
	if err != nil {
		return nil, err
	}
	exact, err := decimal.Parse(plain)
	if err != nil {
		return nil, errNumber
	}
	if scale >= 0 {
		exact = exact.Round(scale)
	}
	d, err := money.Parse(exact.String())
	if err != nil {
		return nil, err
	}
	return &d, nil
}

// dateReader reads times.
type dateReader struct {
	layout string
	zone   *time.Location
	hour   time.Duration
}

func newDateReader(d Dates, zone *time.Location) (dateReader, error) {
	out := dateReader{zone: zone, hour: 12 * time.Hour}
	var err error
	if out.layout, err = layoutOf(d.Format); err != nil {
		return out, err
	}
	if d.Zone != "" {
		if out.zone, err = time.LoadLocation(d.Zone); err != nil {
			return out, err
		}
	}
	if d.Time != "" {
		t, err := time.Parse("15:04", d.Time)
		if err != nil {
			return out, err
		}
		out.hour = time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute
	}
	return out, nil
}

// The formats that are no pattern.
const (
	formatISO    = "iso"
	formatUnix   = "unix"
	formatUnixMS = "unix ms"
)

// parts of a format, the longest first, as Go writes them.
var parts = []struct{ ours, layout string }{
	{"YYYY", "2006"}, {"YY", "06"}, {"MM", "01"}, {"M", "1"}, {"DD", "02"}, {"D", "2"}, {"HH", "15"}, {"H", "15"},
	{"mm", "04"}, {"m", "4"}, {"ss", "05"}, {"s", "5"}, {"A", "PM"}, {"Z", "Z07:00"},
}

// layoutOf makes Go's layout of a format.
func layoutOf(format string) (string, error) {
	switch format {
	case "", formatISO:
		return formatISO, nil
	case formatUnix, formatUnixMS:
		return format, nil
	}
	var b strings.Builder
	used := map[byte]bool{} // the parts' first letters: Y, M, D, H, m, s, A, Z
	for rest := format; rest != ""; {
		found := false
		for _, p := range parts {
			if after, ok := strings.CutPrefix(rest, p.ours); ok {
				b.WriteString(p.layout)
				used[p.ours[0]] = true
				rest, found = after, true
				break
			}
		}
		if found {
			continue
		}
		if c := rest[0]; c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' && c != 'T' {
			return "", fmt.Errorf("%q is not a format: it is made of YYYY MM DD HH mm ss A Z and signs between them, such as DD.MM.YYYY HH:mm", format)
		}
		b.WriteByte(rest[0])
		rest = rest[1:]
	}
	if !used['Y'] || !used['M'] || !used['D'] {
		return "", fmt.Errorf("%q names no day: a format holds a year, a month and a day", format)
	}
	if used['A'] { // with AM and PM there are twelve hours
		return strings.Replace(b.String(), "15", "3", 1), nil
	}
	return b.String(), nil
}

// iso are the usual shapes of ISO 8601, with and without time and offset.
var iso = []struct {
	layout string
	day    bool
}{
	{"2006-01-02T15:04:05Z07:00", false},
	{"2006-01-02T15:04:05", false},
	{"2006-01-02 15:04:05Z07:00", false},
	{"2006-01-02 15:04:05", false},
	{"2006-01-02T15:04", false},
	{"2006-01-02 15:04", false},
	{"2006-01-02", true},
	{"20060102", true},
}

// read reads a time; format overrides the file's where it is given.
func (d dateReader) read(text, format string) (time.Time, error) {
	layout := d.layout
	if format != "" {
		var err error
		if layout, err = layoutOf(format); err != nil {
			return time.Time{}, err
		}
	}
	switch layout {
	case formatUnix, formatUnixMS:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return time.Time{}, errors.New("is not a number of seconds since 1970")
		}
		if layout == formatUnixMS {
			return time.UnixMilli(n).UTC(), nil
		}
		return time.Unix(n, 0).UTC(), nil
	case formatISO:
		for _, shape := range iso {
			if len(text) < len(shape.layout)-len("Z07:00") && !shape.day {
				continue
			}
			if t, err := time.ParseInLocation(shape.layout, text, d.zone); err == nil {
				return d.at(t, shape.day), nil
			}
		}
		return time.Time{}, errors.New("is not a time such as 2026-11-22 14:05; say in dates.format how times are written")
	}
	t, err := time.ParseInLocation(layout, text, d.zone)
	if err != nil {
		return time.Time{}, errors.New("is not a time in the format of the mapping")
	}
	return d.at(t, !strings.Contains(layout, "15") && !strings.Contains(layout, "PM")), nil
}

func (d dateReader) at(t time.Time, day bool) time.Time {
	if !day {
		return t
	}
	y, m, dd := t.Date()
	return time.Date(y, m, dd, int(d.hour/time.Hour), int(d.hour%time.Hour/time.Minute), 0, 0, d.zone)
}
