// Package export writes all tables of a database as files that either engine can be filled from again, and fills it.
//
// It owns the form of an export: a manifest and one file of JSON lines for each table, each with its number of rows and
// its checksum. It does not own what the tables hold. What always holds: an export is one snapshot, taken while others
// read and write; what is restored is what was exported, row by row, or nothing; a database that holds anything is never
// restored into.
package export

import (
	"bufio"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/seal"
)

// Format is the version of the form. A reader refuses a higher one.
const Format = 1

// ManifestFile is the name of the manifest.
const ManifestFile = "manifest.json"

// Manifest says what an export holds.
type Manifest struct {
	Format int `json:"format"`
	// Lojal is the version of the program that made it, Schema tells its migrations (db.Fingerprint).
	Lojal      string    `json:"lojal"`
	Schema     string    `json:"schema"`
	Engine     string    `json:"engine"`
	ExportedAt time.Time `json:"exported_at"`
	// Stamp is above every stamp in the log of events.
	Stamp  int64   `json:"stamp"`
	Tables []Table `json:"tables"`
	// Heads are the heads of the chains over the books, by program, as HASH@NUMBER: lojal verify --head compares with them.
	Heads map[string]string `json:"heads,omitempty"`
}

// Table is one file.
type Table struct {
	Name    string   `json:"name"`
	File    string   `json:"file"`
	Columns []string `json:"columns"`
	Rows    int64    `json:"rows"`
	SHA256  string   `json:"sha256"`
}

// Rows is the number of rows in all tables.
func (m *Manifest) Rows() (n int64) {
	for _, t := range m.Tables {
		n += t.Rows
	}
	return n
}

// tables are all tables that hold something to keep, each after those it refers to, with the columns of its key. The
// stamp's own table is not one of them: it is set from the manifest. Nor are the secrets of webhooks, which can be read there and are
// for nobody who gets an export: after a restore they are rotated; nor sessions, and what leads to one: people sign in anew; nor daily totals, which are counted again. A test compares this list with the schema.
var tables = []struct{ name, key string }{
	{"programs", "program_id"},
	{"versions", "program_id, version"},
	{"drafts", "program_id"},
	{"keys", "key_id"},
	{"staff", "staff_id"},
	{"staff_roles", "program_id, staff_id"},
	{"staff_passes", "hash"},
	{"staff_passkeys", "credential_id"},
	{"staff_identities", "issuer, subject"},
	{"partner_payments", "bucket, program_id, partner, reference"},
	{"audit", "program_id, id"},
	{"replans", "program_id"},
	{"imports", "program_id, import_id"},
	{"import_parts", "bucket, program_id, import_id, part, n"},
	{"import_refused", "bucket, program_id, import_id, at"},
	{"jobs", "bucket, job_id"},
	{"job_pauses", "kind"},
	{"webhooks", "program_id, webhook_id"},
	{"webhook_places", "bucket, program_id, webhook_id"},
	{"deliveries", "bucket, program_id, webhook_id, event_id"},
	{"errand_places", "bucket, program_id"},
	{"follow_ups", "bucket, program_id, key"},
	{"members", "bucket, program_id, member_id"},
	{"identifiers", "bucket, program_id, kind, value"},
	{"accounts", "bucket, program_id, member_id"},
	{"facts", "bucket, program_id, member_id, seq"},
	{"postings", "bucket, program_id, member_id, seq, n"},
	{"lots", "bucket, program_id, member_id, lot"},
	{"tallies", "bucket, program_id, member_id, name, period"},
	{"redemptions", "bucket, program_id, id"},
	{"receipts", "bucket, program_id, source, external_id"},
	{"idempotency", "bucket, program_id, client, key"},
	{"seals", "bucket, program_id, number"},
	{"code_keys", "program_id"},
	{"codes", "bucket, program_id, hash"},
	{"code_pools", "bucket, program_id, pool, hash"},
	{"gift_cards", "bucket, program_id, card_id"},
	{"code_orders", "bucket, program_id, redemption"},
	{"waiting_purchases", "bucket, program_id, source, external_id"},
	{"raffles", "bucket, program_id, reward, draws_at"},
}

// page is how many rows are read or written in one statement.
const page = 500

// Write exports the database into a folder that is not there or empty, and gives the manifest. The manifest is written
// last: a folder without one is no export.
func Write(ctx context.Context, d *db.DB, dir, lojal string, now time.Time) (*Manifest, error) {
	if err := emptyDir(dir); err != nil {
		return nil, err
	}
	m := &Manifest{Format: Format, Lojal: lojal, Schema: db.Fingerprint(), Engine: string(d.Dialect()), ExportedAt: now.UTC()}
	var turned *gathering
	err := d.Read(ctx, func(tx *db.Tx) error {
		m.Tables = nil // the transaction may be run again
		turned.end()
		var err error
		if turned, err = gather(ctx, d); err != nil {
			return err
		}
		for _, t := range tables {
			out, err := writeTable(ctx, tx, dir, t.name, t.key, turned)
			if err != nil {
				return fmt.Errorf("export %s: %w", t.name, err)
			}
			m.Tables = append(m.Tables, out)
		}
		if turned != nil {
			m.Stamp = turned.most
		} else if err := tx.QueryRow(ctx, `SELECT COALESCE(MAX(stamp), 0) FROM facts`).Scan(&m.Stamp); err != nil {
			return err
		}
		m.Heads, err = seal.Heads(ctx, tx)
		return err
	})
	turned.end()
	if err != nil {
		return nil, err
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the manifest: %w", err)
	}
	return m, writeWhole(filepath.Join(dir, ManifestFile), append(text, '\n'))
}

// emptyDir makes the folder, or sees that it is empty.
func emptyDir(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return errs.Invalid("folder", fmt.Sprintf("The folder %s cannot be made.", dir)).Because(err)
		}
	case err != nil:
		return errs.Invalid("folder", fmt.Sprintf("%s is not a folder that can be written to.", dir)).Because(err)
	case len(entries) > 0:
		return errs.Conflict("folder_not_empty", fmt.Sprintf("The folder %s is not empty: an export overwrites nothing.", dir))
	}
	return nil
}

// writeWhole writes a file and has it on disk when it returns; it appears whole or not at all.
func writeWhole(path string, data []byte) error {
	file, err := os.OpenFile(path+".partial", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = file.Write(data)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(path+".partial", path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// sink is a file that is hashed as it is written.
type sink struct {
	file *os.File
	buf  *bufio.Writer
	sum  hash.Hash
}

func newSink(path string) (*sink, error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	s := &sink{file: file, sum: sha256.New()}
	s.buf = bufio.NewWriterSize(io.MultiWriter(file, s.sum), 1<<16)
	return s, nil
}

func (s *sink) close() (string, error) {
	err := errors.Join(s.buf.Flush(), s.file.Sync(), s.file.Close())
	return hex.EncodeToString(s.sum.Sum(nil)), err
}

func writeTable(ctx context.Context, tx *db.Tx, dir, name, key string, turned *gathering) (out Table, err error) {
	out = Table{Name: name, File: name + ".jsonl"}
	file, err := newSink(filepath.Join(dir, out.File))
	if err != nil {
		return out, err
	}
	defer func() {
		sum, closing := file.close()
		out.SHA256, err = sum, errors.Join(err, closing)
	}()
	rows, err := tx.Query(ctx, `SELECT * FROM `+name+` ORDER BY `+key)
	if err != nil {
		return out, err
	}
	defer rows.Close()
	if out.Columns, err = rows.Columns(); err != nil {
		return out, err
	}
	line := newLine(out.Columns)
	for rows.Next() {
		text, err := line.read(rows, func(row []any) (bool, error) { return turned.turn(name, out.Columns, row) })
		if err != nil {
			return out, err
		}
		if text == nil {
			continue
		}
		if _, err := file.buf.Write(text); err != nil {
			return out, err
		}
		out.Rows++
	}
	return out, rows.Err()
}

// line makes JSON of rows.
type line struct {
	names  [][]byte
	values []any
	dest   []any
	buf    []byte
}

func newLine(columns []string) *line {
	l := &line{values: make([]any, len(columns)), dest: make([]any, len(columns))}
	for i, c := range columns {
		l.dest[i] = &l.values[i]
		name := `,"` + c + `":`
		if i == 0 {
			name = `{"` + c + `":`
		}
		l.names = append(l.names, []byte(name))
	}
	return l
}

// read gives a row as a line, nil for one that turn leaves out.
func (l *line) read(rows *sql.Rows, turn func(row []any) (bool, error)) ([]byte, error) {
	if err := rows.Scan(l.dest...); err != nil {
		return nil, err
	}
	if along, err := turn(l.values); err != nil || !along {
		return nil, err
	}
	l.buf = l.buf[:0]
	for i, v := range l.values {
		if b, ok := v.([]byte); ok {
			v = string(b)
		}
		text, err := json.Marshal(v)
		if err != nil {
			return nil, err
		}
		l.buf = append(append(l.buf, l.names[i]...), text...)
	}
	l.buf = append(l.buf, '}', '\n')
	return l.buf, nil
}

// source is where an export is read from.
type source interface {
	open(name string) (io.ReadCloser, error)
}

// folder is an export as files.
type folder string

func (f folder) open(name string) (io.ReadCloser, error) {
	if name != filepath.Base(name) {
		return nil, fmt.Errorf("%q is not a name of a file in an export", name)
	}
	return os.Open(filepath.Join(string(f), name))
}

// readManifest reads and checks the manifest.
func readManifest(s source, name string) (*Manifest, error) {
	broken := func(cause error) error {
		return errs.Invalid("not_an_export", fmt.Sprintf("%s is not a whole export: its %s cannot be read.", name, ManifestFile)).Because(cause)
	}
	file, err := s.open(ManifestFile)
	if err != nil {
		return nil, broken(err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, 1<<24))
	if err != nil {
		return nil, broken(err)
	}
	var m Manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, broken(err)
	}
	if m.Format != Format {
		return nil, errs.Invalid("other_format", fmt.Sprintf("%s has format %d, and this lojal reads format %d.", name, m.Format, Format))
	}
	if m.Schema != db.Fingerprint() {
		return nil, errs.Conflict("other_schema", fmt.Sprintf("%s was made by lojal %s with other tables: restore it with that version, then migrate.", name, m.Lojal))
	}
	if len(m.Tables) != len(tables) {
		return nil, broken(fmt.Errorf("it names %d tables instead of %d", len(m.Tables), len(tables)))
	}
	for i, t := range m.Tables {
		if t.Name != tables[i].name {
			return nil, broken(fmt.Errorf("table %d is %s instead of %s", i+1, t.Name, tables[i].name))
		}
	}
	return &m, nil
}

// fill puts an export into an empty database, in one transaction, and checks every count and checksum on the way.
func fill(ctx context.Context, d *db.DB, s source, name string) (*Manifest, error) {
	m, err := readManifest(s, name)
	if err != nil {
		return nil, err
	}
	if d.Distributed() {
		return nil, errs.Conflict("distributed", "An export is filled into a database on one machine: restore it into a new one, then distribute that.")
	}
	err = d.Write(ctx, func(tx *db.Tx) error {
		if err := mustBeEmpty(ctx, tx); err != nil {
			return err
		}
		for _, t := range m.Tables {
			if err := fillTable(ctx, tx, s, t); err != nil {
				return fmt.Errorf("restore %s: %w", t.Name, err)
			}
		}
		if m.Stamp == 0 {
			return nil
		}
		return db.RaiseStamp(ctx, tx, m.Stamp)
	})
	return m, err
}

// mustBeEmpty refuses a database that holds anything.
func mustBeEmpty(ctx context.Context, tx *db.Tx) error {
	for _, t := range tables {
		var n int64
		if err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM (SELECT 1 FROM `+t.name+` LIMIT 1) AS one`).Scan(&n); err != nil {
			return err
		}
		if n > 0 {
			return errs.Conflict("not_empty", "The database holds something already: restore into an empty one.")
		}
	}
	return nil
}

func fillTable(ctx context.Context, tx *db.Tx, s source, t Table) error {
	broken := func(format string, args ...any) error {
		return errs.Invalid("broken_export", fmt.Sprintf("The export is broken: %s %s.", t.File, fmt.Sprintf(format, args...)))
	}
	have, err := columnsOf(ctx, tx, t.Name)
	if err != nil {
		return err
	}
	if !slices.Equal(sorted(have), sorted(t.Columns)) {
		return broken("has other columns than the table")
	}
	file, err := s.open(t.File)
	if err != nil {
		return broken("is missing")
	}
	defer file.Close()
	sum := sha256.New()
	dec := json.NewDecoder(bufio.NewReaderSize(io.TeeReader(file, sum), 1<<16))
	dec.UseNumber()
	insert := `INSERT INTO ` + t.Name + ` (` + strings.Join(t.Columns, ", ") + `)`
	var args []any
	var n int64
	for {
		var row map[string]any
		err := dec.Decode(&row)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return broken("cannot be read after row %d", n)
		}
		if len(row) != len(t.Columns) {
			return broken("has another number of columns in row %d", n+1)
		}
		for _, c := range t.Columns {
			v, ok := row[c]
			if !ok {
				return broken("has no %s in row %d", c, n+1)
			}
			if number, ok := v.(json.Number); ok {
				if v, err = number.Int64(); err != nil {
					return broken("has a number that is no whole one in row %d", n+1)
				}
			}
			args = append(args, v)
		}
		if n++; n%page == 0 {
			if _, err := db.InsertRows(ctx, tx, insert, "", len(t.Columns), args); err != nil {
				return err
			}
			args = args[:0]
		}
	}
	if _, err := db.InsertRows(ctx, tx, insert, "", len(t.Columns), args); err != nil {
		return err
	}
	if n != t.Rows {
		return broken("has %d rows instead of %d", n, t.Rows)
	}
	if hex.EncodeToString(sum.Sum(nil)) != t.SHA256 {
		return broken("has another checksum than the manifest says")
	}
	return nil
}

// columnsOf lists the columns of a table.
func columnsOf(ctx context.Context, tx *db.Tx, name string) ([]string, error) {
	rows, err := tx.Query(ctx, `SELECT * FROM `+name+` WHERE 1 = 0`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	return columns, rows.Err()
}

func sorted(list []string) []string {
	out := slices.Clone(list)
	slices.Sort(out)
	return out
}
