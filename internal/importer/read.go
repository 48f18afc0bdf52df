package importer

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/unicode"

	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/lang"
)

// MaxFile bounds a file, unpacked, in bytes: it is held in memory while it is imported.
const MaxFile = 4 << 30

// table is a file that was read.
type table struct {
	// name is the file's, for messages.
	name string
	// header holds the columns' names, nil when the file has none.
	header []string
	rows   []row
	// charset and delimiter are how it was read.
	charset   string
	delimiter string
}

// row is one row of a file. Number is what a spreadsheet shows beside it, from 1.
type row struct {
	number int
	cells  []string
	// fault says why it could not be read, with what was there as its only cell.
	fault string
}

// load gives the file's bytes, unpacked where it is gzip.
func load(path string) ([]byte, error) {
	file, err := os.Open(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, errs.NotFound("file", fmt.Sprintf("There is no file %s.", path))
	case err != nil:
		return nil, errs.Invalid("file", fmt.Sprintf("The file %s cannot be opened.", path)).Because(err)
	}
	defer file.Close()
	return unpack(path, file, MaxFile)
}

// unpack reads what may be packed with gzip, up to most bytes.
func unpack(name string, r io.Reader, most int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, most+1))
	if err == nil && bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
		data, err = unzip(data, most)
	}
	switch {
	case err != nil:
		return nil, errs.Invalid("file", fmt.Sprintf("The file %s cannot be read.", name)).Because(err)
	case int64(len(data)) > most:
		size := fmt.Sprintf("%d MiB", most>>20)
		if most >= 1<<30 {
			size = fmt.Sprintf("%d GiB", most>>30)
		}
		return nil, errs.Invalid("file_too_large", fmt.Sprintf("The file %s is larger than %s: split it, with a header on each part.", name, size))
	}
	return data, nil
}

func unzip(data []byte, most int64) ([]byte, error) {
	zip, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(zip, most+1))
}

// readTable makes rows of a file's bytes. named says that columns are asked for by name, so that there must be a header.
func readTable(data []byte, name string, l Layout, named bool) (*table, error) {
	text, set, err := decode(data, l.Charset)
	if err != nil {
		return nil, errs.Invalid("charset", fmt.Sprintf("The file %s cannot be read: %s.", name, err))
	}
	t := &table{name: name, charset: set}
	text, skipped := skipLines(text, l.Skip)
	spans, err := l.widths()
	if err != nil {
		return nil, err
	}
	header := named && len(spans) == 0
	if l.Header != nil {
		header = *l.Header
	}
	switch {
	case len(spans) > 0:
		t.readFixed(text, spans, skipped, header)
	default:
		delimiter, err := l.delimiter()
		if err != nil {
			return nil, err
		}
		if l.Delimiter == "" {
			delimiter = sniff(text)
		}
		if delimiter == blanks {
			t.readBlanks(text, skipped)
		} else {
			t.readCSV(text, delimiter, skipped)
		}
		t.delimiter = string(delimiter)
		t.unmarked()
		t.takeHeader(header)
	}
	if len(t.rows) == 0 {
		return nil, errs.Invalid("empty_file", fmt.Sprintf("The file %s has no rows.", name))
	}
	t.checkWidth()
	return t, nil
}

// blanks stands for any number of blanks between columns.
const blanks = ' '

func (l *Layout) delimiter() (rune, error) {
	switch l.Delimiter {
	case "":
		return 0, nil
	case "tab", "\t":
		return '\t', nil
	case "spaces", " ":
		return blanks, nil
	}
	r, size := utf8.DecodeRuneInString(l.Delimiter)
	if size != len(l.Delimiter) || r == '"' || r == '\n' || r == '\r' || r == utf8.RuneError {
		return 0, fmt.Errorf("%q cannot be a delimiter: write one character, tab or spaces", l.Delimiter)
	}
	return r, nil
}

// span is a column of a file of fixed widths, in characters from 0, the end outside.
type span struct {
	name     string
	from, to int
}

func (l *Layout) widths() ([]span, error) {
	out := make([]span, 0, len(l.Widths))
	for name, text := range l.Widths {
		a, b, ok := strings.Cut(text, "-")
		from, errA := strconv.Atoi(strings.TrimSpace(a))
		to, errB := strconv.Atoi(strings.TrimSpace(b))
		if !ok || errA != nil || errB != nil || from < 1 || to < from || to > 1_000_000 {
			return nil, fmt.Errorf("%s: %q is not FROM-TO such as 1-6, counted from 1", name, text)
		}
		out = append(out, span{name, from - 1, to})
	}
	slices.SortFunc(out, func(a, b span) int {
		if a.from != b.from {
			return a.from - b.from
		}
		return strings.Compare(a.name, b.name)
	})
	return out, nil
}

// charset gives the encoding of a name; nil for UTF-8.
func charset(name string) (encoding.Encoding, error) {
	e, err := htmlindex.Get(strings.TrimSpace(name))
	if err != nil {
		return nil, fmt.Errorf("%q is not a known charset: try utf-8, windows-1252 or iso-8859-15", name)
	}
	if canonical, _ := htmlindex.Name(e); canonical == "utf-8" { // it came out of the index
		return nil, nil //nolint:nilnil // nil is UTF-8
	}
	return e, nil
}

// decode makes UTF-8 of a file. Without a charset: a byte order mark tells; what is valid UTF-8 is UTF-8; all else is
// Windows-1252, which every byte is valid in.
func decode(data []byte, name string) (text, used string, err error) {
	var e encoding.Encoding
	switch {
	case bytes.HasPrefix(data, []byte{0xef, 0xbb, 0xbf}):
		data, used = data[3:], "utf-8"
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}), bytes.HasPrefix(data, []byte{0xfe, 0xff}):
		e, used = unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM), "utf-16"
	case name != "":
		if e, err = charset(name); err != nil {
			return "", "", err
		}
		used = strings.ToLower(strings.TrimSpace(name))
	case utf8.Valid(data):
		used = "utf-8"
	default:
		e, used = charmap.Windows1252, "windows-1252"
	}
	if e != nil {
		if data, err = e.NewDecoder().Bytes(data); err != nil {
			return "", "", fmt.Errorf("it is not %s", used)
		}
	} else if !utf8.Valid(data) {
		return "", "", errors.New("it is not utf-8; leave charset out to have it found out")
	}
	if bytes.IndexByte(data, 0) >= 0 {
		return "", "", errors.New("it holds zero bytes and is no text file (a spreadsheet must be saved as CSV first)")
	}
	return string(data), used, nil
}

func skipLines(text string, n int) (rest string, skipped int) {
	for ; skipped < n; skipped++ {
		_, after, ok := strings.Cut(text, "\n")
		if !ok {
			return "", skipped
		}
		text = after
	}
	return text, skipped
}

// sniff finds the delimiter that splits the first lines into the same number of columns, the most of them.
func sniff(text string) rune {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimRight(line, "\r\n"); strings.TrimSpace(line) != "" {
			lines = append(lines, line)
		}
		if len(lines) == 20 {
			break
		}
	}
	best, most := ',', 0
	for _, d := range []rune{';', '\t', ',', '|'} {
		if n := agree(lines, d); n > most {
			best, most = d, n
		}
	}
	if most == 0 && len(lines) > 0 {
		n := len(strings.Fields(lines[0]))
		for _, line := range lines {
			if len(strings.Fields(line)) != n {
				n = 0
			}
		}
		if n > 1 {
			return blanks
		}
	}
	return best
}

// agree counts how often d stands outside of quotation marks on the first line, 0 when another line has it less often.
func agree(lines []string, d rune) int {
	first := -1
	for _, line := range lines {
		n, quoted := 0, false
		for _, r := range line {
			switch {
			case r == '"':
				quoted = !quoted
			case r == d && !quoted:
				n++
			}
		}
		if first < 0 {
			first = n
		}
		if n < first && !quoted { // a cell that goes on over the line's end says nothing
			return 0
		}
	}
	return max(first, 0)
}

func (t *table) readCSV(text string, delimiter rune, skipped int) {
	r := csv.NewReader(strings.NewReader(text))
	r.Comma, r.FieldsPerRecord = delimiter, -1
	inside := 0 // ends of lines inside cells, which a spreadsheet does not count
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		if parse, ok := errors.AsType[*csv.ParseError](err); ok {
			fault := "it has a quotation mark in the middle of a cell; such a cell must stand in quotation marks, and each one inside it twice"
			if errors.Is(err, csv.ErrQuote) {
				fault = "a quotation mark is not closed, or something stands after the closing one"
			}
			t.rows = append(t.rows, row{number: parse.StartLine + skipped - inside, fault: fault})
			inside += parse.Line - parse.StartLine
			continue
		}
		if err != nil { // strings.Reader has no other errors
			return
		}
		line, _ := r.FieldPos(0)
		t.rows = append(t.rows, row{number: line + skipped - inside, cells: cells})
		for _, c := range cells {
			inside += strings.Count(c, "\n")
		}
	}
}

func (t *table) readBlanks(text string, skipped int) {
	number := skipped
	for line := range strings.Lines(text) {
		number++
		if cells := strings.Fields(line); len(cells) > 0 {
			t.rows = append(t.rows, row{number: number, cells: cells})
		}
	}
}

func (t *table) readFixed(text string, spans []span, skipped int, header bool) {
	for _, s := range spans {
		t.header = append(t.header, s.name)
	}
	number := skipped
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimRight(line, "\r\n")
		if header || strings.TrimSpace(line) == "" {
			header = false
			continue
		}
		chars := []rune(line)
		cells := make([]string, len(spans))
		for i, s := range spans {
			if s.from < len(chars) {
				cells[i] = strings.TrimSpace(string(chars[s.from:min(s.to, len(chars))]))
			}
		}
		t.rows = append(t.rows, row{number: number, cells: cells})
	}
}

func (t *table) takeHeader(has bool) {
	if !has || len(t.rows) == 0 {
		return
	}
	for _, c := range t.rows[0].cells {
		t.header = append(t.header, strings.TrimSpace(c))
	}
	t.rows = t.rows[1:]
}

// checkWidth marks rows with another number of cells than the header, or the first row: mostly an unquoted delimiter.
func (t *table) checkWidth() {
	want := len(t.header)
	if want == 0 {
		want = len(t.rows[0].cells)
	}
	for i := range t.rows {
		r := &t.rows[i]
		n := len(r.cells)
		for n > want && strings.TrimSpace(r.cells[n-1]) == "" {
			n--
		}
		if r.fault == "" && n != want {
			r.fault = fmt.Sprintf("it has %s, where %d belong; a cell that holds the delimiter must stand in quotation marks", lang.Things(n, "column"), want)
		}
	}
}

// place gives the index of a column, or why there is none.
func (t *table) place(c Column) (int, error) {
	if c.Number > 0 {
		if width := max(len(t.header), t.width()); c.Number > width {
			return 0, fmt.Errorf("%s has %s, so there is no column %d", t.name, lang.Things(width, "column"), c.Number)
		}
		return c.Number - 1, nil
	}
	if t.header == nil {
		return 0, fmt.Errorf("%s has no header, so columns go by number: there is no column %q", t.name, c.Name)
	}
	for _, same := range []func(a, b string) bool{func(a, b string) bool { return a == b }, strings.EqualFold} {
		found := -1
		for i, h := range t.header {
			if !same(h, c.Name) {
				continue
			}
			if found >= 0 {
				return 0, fmt.Errorf("%s has two columns %q: name it by its number", t.name, c.Name)
			}
			found = i
		}
		if found >= 0 {
			return found, nil
		}
	}
	return 0, fmt.Errorf("%s has no column %q; it has: %s", t.name, c.Name, strings.Join(t.header, ", "))
}

func (t *table) width() int {
	if len(t.rows) == 0 {
		return 0
	}
	return len(t.rows[0].cells)
}

// group writes a number with commas between thousands.
func group(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}
