package importer

import (
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	jobs "lojal.dev/lojal/internal/job"
)

// A file can be uploaded before it is known what its columns are: it is then a draft, which is looked into, given a mapping and tried until
// the mapping is right. What was only tried keeps its files for a day, so that it is imported without being sent again.

// draft is the status of an upload that waits for its mapping.
const draft = "draft"

// mostKept bounds the mapping that is kept with an import after its files are gone, in bytes.
const mostKept = 64 << 10

const (
	keepDraft = `UPDATE imports SET file = $1, status = 'draft', updated_at = $2 WHERE program_id = $3 AND import_id = $4 AND status = 'uploading'`

	partNames = `SELECT part FROM import_parts WHERE bucket = $1 AND program_id = $2 AND import_id = $3 AND n = 0`

	dropPart = `DELETE FROM import_parts WHERE bucket = $1 AND program_id = $2 AND import_id = $3 AND part = $4`

	startImport = `
UPDATE imports SET kind = $1, hash = $2, status = 'waiting', error = '', rows_done = 0, report = $3, updated_at = $4
WHERE program_id = $5 AND import_id = $6 AND status = $7 AND updated_at = $8`

	partHead = `SELECT data FROM import_parts WHERE bucket = $1 AND program_id = $2 AND import_id = $3 AND part = $4 ORDER BY n LIMIT 2`
)

// Keep makes a draft of what was uploaded: the mapping comes with [Start].
//
// Errors: malformed "invalid_upload" when the file is missing, or a mapping is there.
func (u *Uploader) Keep(ctx context.Context, tx *db.Tx) (string, error) {
	if !u.parts[FilePart] {
		return "", errs.Malformed("invalid_upload", "The upload has no part \"file\": send the file of rows as file.")
	}
	if u.parts[MappingPart] {
		return "", errs.Malformed("invalid_upload", "A draft waits for its mapping: send it when you start the import, or leave ?draft away.")
	}
	if _, err := tx.Exec(ctx, keepDraft, u.file, u.clock().UnixMicro(), u.program, u.id); err != nil {
		return "", fmt.Errorf("keep a draft: %w", err)
	}
	return u.id, nil
}

// begun is the report with which an upload is given to a node.
func begun(m *Mapping, text []byte, dryRun bool) (string, error) {
	k := kept{Report: Report{Kind: m.Import, DryRun: dryRun}}
	if len(text) <= mostKept {
		k.Mapping = string(text)
	}
	report, err := json.Marshal(k)
	if err != nil {
		return "", fmt.Errorf("write the report: %w", err)
	}
	return string(report), nil
}

// Startable says whether [Start] may begin the import: it is a draft, or was only tried. Its files may be gone all the same.
func (i *Import) Startable() bool {
	return i.Status == draft || i.Report.DryRun && (i.Status == done || i.Status == failed)
}

// Start has a draft, or what was tried, imported by a node. Without a mapping it goes by the one it was tried with.
//
// Errors: conflict "import_begun" when it is neither, "import_file_gone" when its files are no longer kept; invalid "invalid_mapping".
func Start(ctx context.Context, tx *db.Tx, program, id, mapping string, dryRun bool, actor string, now time.Time) (Import, error) {
	i, err := Get(ctx, tx, program, id)
	if err != nil {
		return Import{}, err
	}
	if !i.Startable() {
		return Import{}, errs.Conflict("import_begun", "This import was begun. What was imported once is imported again by a new upload.")
	}
	u := upload{program: program, id: id}
	parts := map[string]bool{}
	err = db.Collect(ctx, tx, func(row db.Scanner) error {
		var name string
		err := row.Scan(&name)
		parts[name] = true
		return err
	}, partNames, u.bucket(), program, id)
	if err != nil {
		return Import{}, fmt.Errorf("look for the files of import %s: %w", id, err)
	}
	if !parts[FilePart] {
		return Import{}, errs.Conflict("import_file_gone", "The file was kept for a day and is gone: upload it again.")
	}
	text := []byte(mapping)
	if mapping == "" {
		if text, err = u.readIn(ctx, tx, MappingPart); err != nil {
			return Import{}, err
		}
	}
	m, err := checkMapping(text, parts)
	if err != nil {
		return Import{}, err
	}
	report, err := begun(m, text, dryRun)
	if err != nil {
		return Import{}, err
	}
	if mapping != "" {
		if _, err := tx.Exec(ctx, dropPart, u.bucket(), program, id, MappingPart); err != nil {
			return Import{}, fmt.Errorf("take a mapping away: %w", err)
		}
		for n, part := range slices.Collect(slices.Chunk(text, piece)) {
			if _, err := tx.Exec(ctx, insertPart, u.bucket(), program, id, MappingPart, n, base64.StdEncoding.EncodeToString(part)); err != nil {
				return Import{}, fmt.Errorf("keep a mapping: %w", err)
			}
		}
	}
	if _, err := tx.Exec(ctx, cutRefused, u.bucket(), program, id, 0); err != nil {
		return Import{}, fmt.Errorf("forget refused rows: %w", err)
	}
	res, err := tx.Exec(ctx, startImport, string(m.Import), "draft "+id, report, now.UnixMicro(), program, id, i.Status, i.UpdatedAt.UnixMicro())
	if err != nil {
		return Import{}, fmt.Errorf("start an import: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return Import{}, errors.Join(err, errs.Conflict("import_begun", "This import was begun at the same moment: look at it again."))
	}
	if _, err = jobs.Insert(ctx, tx, jobs.New{Kind: UploadKind, Unique: id, Priority: 3, Args: uploadJob{program, id, actor, dryRun}}, now); err != nil {
		return Import{}, err
	}
	return Get(ctx, tx, program, id)
}

// Head is the beginning of an uploaded file, as it can be read.
type Head struct {
	// Columns are those of the file, in its order; Header says that the first line names them.
	Columns []HeadColumn
	Header  bool
	// Rows are the first ones, without the header.
	Rows [][]string
	// Charset and Delimiter are how it was read.
	Charset, Delimiter string
	// Further are the names of the further files that were uploaded with it.
	Further []string
}

// HeadColumn is a column with some of what stands in it.
type HeadColumn struct {
	// Number counts from 1; Name is empty without a header.
	Number  int
	Name    string
	Samples []string
}

const (
	// headRows are the rows that are shown, sampled those that are looked at, headBytes what is read of a packed file.
	headRows, sampled, headBytes = 8, 100, 1 << 20
	mostSamples                  = 5
)

// Look reads the beginning of the file of an import. Header nil finds out whether there is one.
//
// Errors: conflict "import_file_gone"; invalid when the file cannot be read.
func Look(ctx context.Context, tx *db.Tx, program, id string, l Layout) (*Head, error) {
	if _, err := Get(ctx, tx, program, id); err != nil {
		return nil, err
	}
	u := upload{program: program, id: id}
	data, err := u.collect(ctx, tx, partHead, FilePart)
	if err != nil {
		return nil, err
	}
	if len(data) == 0 {
		return nil, errs.Conflict("import_file_gone", "The file was kept for a day and is gone: upload it again.")
	}
	h := &Head{}
	err = db.Collect(ctx, tx, func(row db.Scanner) error {
		var name string
		err := row.Scan(&name)
		if name != MappingPart && name != FilePart {
			h.Further = append(h.Further, name)
		}
		return err
	}, partNames, u.bucket(), program, id)
	if err != nil {
		return nil, fmt.Errorf("look for further files: %w", err)
	}
	if l.Header == nil {
		plain := l
		no := false
		plain.Header = &no
		t, err := readTable(beginning(data), FilePart, plain, false)
		if err != nil {
			return nil, err
		}
		yes := len(l.Widths) == 0 && looksLikeHeader(t.rows)
		l.Header = &yes
	}
	t, err := readTable(beginning(data), FilePart, l, false)
	if err != nil {
		return nil, err
	}
	h.Header, h.Charset, h.Delimiter = t.header != nil, t.charset, delimiterWord(t.delimiter)
	for n := range max(len(t.header), t.width()) {
		c := HeadColumn{Number: n + 1}
		if n < len(t.header) {
			c.Name = t.header[n]
		}
		for _, r := range t.rows[:min(len(t.rows), sampled)] {
			if n >= len(r.cells) || r.fault != "" || len(c.Samples) == mostSamples {
				continue
			}
			if text := strings.TrimSpace(r.cells[n]); text != "" && !slices.Contains(c.Samples, text) {
				c.Samples = append(c.Samples, text)
			}
		}
		h.Columns = append(h.Columns, c)
	}
	for _, r := range t.rows[:min(len(t.rows), headRows)] {
		if r.fault == "" {
			h.Rows = append(h.Rows, r.cells)
		}
	}
	return h, nil
}

// beginning unpacks as much of a file as is there, and ends it with a line.
func beginning(data []byte) []byte {
	whole := len(data) < 2*piece
	if bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
		zip, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return data
		}
		out, err := io.ReadAll(io.LimitReader(zip, headBytes)) // it may be cut off
		if len(out) == 0 && err != nil {
			return data
		}
		data, whole = out, err == nil && len(out) < headBytes
	}
	if at := bytes.LastIndexByte(data, '\n'); !whole && at > 0 {
		data = data[:at+1]
	}
	return data
}

// looksLikeHeader says whether the first row names columns: each cell is there once, and none holds a figure where most rows below do.
func looksLikeHeader(rows []row) bool {
	if len(rows) < 2 || rows[0].fault != "" {
		return false
	}
	seen := map[string]bool{}
	for _, c := range rows[0].cells {
		c = strings.TrimSpace(c)
		if c == "" || seen[c] || strings.ContainsAny(c, "@") || c[0] >= '0' && c[0] <= '9' {
			return false
		}
		seen[c] = true
	}
	return true
}

// readIn gives the bytes of a part within a transaction, unpacked.
func (u *upload) readIn(ctx context.Context, tx *db.Tx, part string) ([]byte, error) {
	data, err := u.collect(ctx, tx, partData, part)
	if err != nil {
		return nil, err
	}
	return unpack(part, bytes.NewReader(data), MaxUpload)
}

func (u *upload) collect(ctx context.Context, tx *db.Tx, query, part string) (data []byte, err error) {
	err = db.Collect(ctx, tx, func(row db.Scanner) error {
		var text string
		if err := row.Scan(&text); err != nil {
			return err
		}
		var err error
		data, err = base64.StdEncoding.AppendDecode(data, []byte(text))
		return err
	}, query, u.bucket(), u.program, u.id, part)
	if err != nil {
		return nil, fmt.Errorf("read the uploaded %s: %w", part, err)
	}
	return data, nil
}

const likeImports = `
SELECT ` + importColumns + ` FROM imports WHERE program_id = $1 AND import_id <> $2 AND status = 'done' ORDER BY import_id DESC LIMIT 50`

// Earlier gives the mapping of the last import whose columns this file has too, nil when there is none. Mappings that look into further files are
// left out.
func Earlier(ctx context.Context, tx *db.Tx, program, id string, h *Head) (*Mapping, error) {
	var out *Mapping
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		i, err := scanImport(row)
		if err != nil || out != nil || i.Mapping == "" {
			return err
		}
		m, err := ParseMapping([]byte(i.Mapping), MappingPart)
		if err == nil && m.fits(h) {
			out = m
		}
		return nil
	}, likeImports, program, id)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for an earlier mapping: %w", err)
	}
	return out, nil
}

// fits says whether the file has all columns that the mapping names, and by name.
func (m *Mapping) fits(h *Head) bool {
	named := 0
	for _, v := range m.values() {
		for _, c := range v.Columns {
			if c.Number > 0 || !slices.ContainsFunc(h.Columns, func(have HeadColumn) bool { return strings.EqualFold(have.Name, c.Name) }) {
				return false
			}
			named++
		}
	}
	return len(m.With) == 0 && h.Header && named > 0
}
