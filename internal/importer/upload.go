package importer

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"maps"
	"slices"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
	jobs "lojal.dev/lojal/internal/job"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/version"
)

// Files can be uploaded and imported by whichever node has the time. They lie in the database in pieces, so that another node goes on
// when that one dies, and are deleted when the import is over.

const (
	// MaxUpload bounds the files of one upload, each unpacked as well: a server holds them in memory beside its other work.
	MaxUpload = 64 << 20
	// maxMapping bounds a mapping.
	maxMapping = 1 << 20
	// piece is how many bytes of a file stand in one row.
	piece = 256 << 10

	// MappingPart is the part that is the mapping.
	MappingPart = "mapping"
	// FilePart is the file of rows. Parts of other names are the mapping's further files.
	FilePart = "file"
)

// upload is where the parts of one import are.
type upload struct {
	db          *db.DB
	program, id string
}

func (u *upload) bucket() int32 { return ids.Bucket(u.program, u.id) }

const (
	insertUpload = `
INSERT INTO imports (program_id, import_id, kind, hash, file, status, rows_done, created_at, updated_at, report)
VALUES ($1, $2, '', '', '', 'uploading', 0, $3, $3, '{}')`

	insertPart = `INSERT INTO import_parts (bucket, program_id, import_id, part, n, data) VALUES ($1, $2, $3, $4, $5, $6)`

	partData = `SELECT data FROM import_parts WHERE bucket = $1 AND program_id = $2 AND import_id = $3 AND part = $4 ORDER BY n`

	endUpload = `
UPDATE imports SET kind = $1, hash = $2, file = $3, status = 'waiting', report = $4, updated_at = $5
WHERE program_id = $6 AND import_id = $7 AND status = 'uploading'`

	sameUpload = `
SELECT import_id FROM imports WHERE program_id = $1 AND hash = $2 AND (status = 'waiting' OR status = 'running')
ORDER BY import_id LIMIT 1`

	dropParts  = `DELETE FROM import_parts WHERE bucket = $1 AND program_id = $2 AND import_id = $3`
	dropUpload = `DELETE FROM imports WHERE program_id = $1 AND import_id = $2 AND (status = 'uploading' OR status = 'draft')`
)

// Uploader takes in the parts of one upload, piece by piece, each in a transaction of its own, so that nothing large is held and nobody
// waits for it.
type Uploader struct {
	upload
	clock func() time.Time
	most  int64
	parts map[string]bool
	sum   hash.Hash
	size  int64
	file  string
	text  []byte // of the mapping
}

// Begin begins an upload of at most so many bytes; MaxUpload when 0.
func Begin(ctx context.Context, d *db.DB, program string, most int64, clock func() time.Time) (*Uploader, error) {
	if most <= 0 {
		most = MaxUpload
	}
	now := clock()
	u := &Uploader{upload: upload{d, program, ids.New(IDPrefix, now)}, clock: clock, most: most, parts: map[string]bool{}, sum: sha256.New()}
	err := d.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, insertUpload, program, u.id, now.UnixMicro())
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("begin an upload: %w", err)
	}
	return u, nil
}

// Part takes in one part; file is the name that the sender's file has.
func (u *Uploader) Part(ctx context.Context, name, file string, r io.Reader) error {
	if name == "" || len(name) > 100 || u.parts[name] {
		return errs.Malformed("invalid_upload", fmt.Sprintf("The part %.100q is there twice, or has no name that a part may have.", name))
	}
	u.parts[name] = true
	fmt.Fprintf(u.sum, "%q ", name)
	if name == FilePart {
		u.file = file
	}
	buf := make([]byte, piece)
	for n := 0; ; n++ {
		got, err := io.ReadFull(r, buf)
		if got > 0 {
			if err := u.keep(ctx, name, n, buf[:got]); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			fmt.Fprintf(u.sum, " %d\n", u.size)
			return nil
		case err != nil:
			return errs.Malformed("invalid_upload", "The upload was cut off: send it again.").Because(err)
		}
	}
}

func (u *Uploader) keep(ctx context.Context, name string, n int, data []byte) error {
	u.sum.Write(data) // a hash takes everything
	if u.size += int64(len(data)); u.size > u.most {
		return errs.Invalid("file_too_large", fmt.Sprintf("An upload has at most %d MiB: split the file, with a header on each part, or import it with lojal import.", u.most>>20))
	}
	if name == MappingPart {
		if u.text = append(u.text, data...); len(u.text) > maxMapping {
			return errs.Invalid("invalid_mapping", "A mapping has at most 1 MiB.")
		}
	}
	err := u.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, insertPart, u.bucket(), u.program, u.id, name, n, base64.StdEncoding.EncodeToString(data))
		return err
	})
	if err != nil {
		return fmt.Errorf("keep a piece of an upload: %w", err)
	}
	return nil
}

// Hash tells the content of the upload from any other, once all parts are in.
func (u *Uploader) Hash() [32]byte { return [32]byte(u.sum.Sum(nil)) }

// job is what the job of an upload gets.
type uploadJob struct {
	Program string `json:"program"`
	Import  string `json:"import"`
	Actor   string `json:"actor"`
	DryRun  bool   `json:"dry_run,omitempty"`
}

// UploadKind is the kind of the jobs that import what was uploaded.
const UploadKind = "import.upload"

// mostAttempts is how often an import is taken up again, after faults of the machine or the ends of the nodes that had it: one that takes its
// node with it must not do so for ever.
const mostAttempts = 50

// Finish has what was uploaded imported by a job. The same files again, while they wait or run, are the import that is there: then
// again is true, and the upload is to be dropped.
//
// Errors: malformed "invalid_upload" when a part is missing, invalid "invalid_mapping".
func (u *Uploader) Finish(ctx context.Context, tx *db.Tx, dryRun bool, actor string) (id string, again bool, err error) {
	m, text, err := u.check()
	if err != nil {
		return "", false, err
	}
	report, err := begun(m, text, dryRun)
	if err != nil {
		return "", false, err
	}
	now := u.clock()
	hash := u.Hash()
	same := "upload " + hex.EncodeToString(hash[:])
	if dryRun {
		same += " dry"
	}
	err = tx.QueryRow(ctx, sameUpload, u.program, same).Scan(&id)
	if err == nil {
		return id, true, nil
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return "", false, fmt.Errorf("look for the same upload: %w", err)
	}
	if _, err := tx.Exec(ctx, endUpload, string(m.Import), same, u.file, report, now.UnixMicro(), u.program, u.id); err != nil {
		return "", false, fmt.Errorf("end an upload: %w", err)
	}
	_, err = jobs.Insert(ctx, tx, jobs.New{
		Kind: UploadKind, Unique: u.id, Priority: 3, Args: uploadJob{u.program, u.id, actor, dryRun},
	}, now)
	return u.id, false, err
}

func (u *Uploader) check() (*Mapping, []byte, error) {
	for _, name := range []string{MappingPart, FilePart} {
		if !u.parts[name] {
			return nil, nil, errs.Malformed("invalid_upload", fmt.Sprintf("The upload has no part %q: send the mapping as mapping and the file as file.", name))
		}
	}
	text, err := unpack(MappingPart, bytes.NewReader(u.text), maxMapping)
	if err != nil {
		return nil, nil, err
	}
	m, err := checkMapping(text, u.parts)
	return m, text, err
}

// checkMapping reads a mapping that goes with the parts of an upload.
func checkMapping(text []byte, parts map[string]bool) (*Mapping, error) {
	if len(text) > maxMapping {
		return nil, errs.Invalid("invalid_mapping", "A mapping has at most 1 MiB.")
	}
	m, err := ParseMapping(text, MappingPart)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(m.With)) {
		if !parts[name] {
			return nil, errs.Malformed("invalid_upload", fmt.Sprintf("The mapping looks into a further file %q: send it as a part of that name.", name))
		}
	}
	for name := range parts {
		if _, ok := m.With[name]; !ok && name != MappingPart && name != FilePart {
			return nil, errs.Malformed("invalid_upload", fmt.Sprintf("The mapping has no further file %q.", name))
		}
	}
	return m, nil
}

// Drop takes away what came of an upload that is not to be imported.
func (u *Uploader) Drop(ctx context.Context) error { return u.drop(ctx) }

func (u *upload) drop(ctx context.Context) error {
	return u.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, dropParts, u.bucket(), u.program, u.id)
		if err == nil {
			_, err = tx.Exec(ctx, dropUpload, u.program, u.id)
		}
		if err != nil {
			return fmt.Errorf("drop an upload: %w", err)
		}
		return nil
	})
}

// read gives the bytes of a part, unpacked.
func (u *upload) read(ctx context.Context, part string) (data []byte, err error) {
	err = u.db.Read(ctx, func(tx *db.Tx) error {
		data, err = u.readIn(ctx, tx, part)
		return err
	})
	return data, err
}

const (
	cutRefused    = `DELETE FROM import_refused WHERE bucket = $1 AND program_id = $2 AND import_id = $3 AND at >= $4`
	insertRefused = `
INSERT INTO import_refused (bucket, program_id, import_id, at, data) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (bucket, program_id, import_id, at) DO UPDATE SET data = excluded.data`
	refusedData = `SELECT at, data FROM import_refused WHERE bucket = $1 AND program_id = $2 AND import_id = $3 AND at >= $4 ORDER BY at LIMIT 1`
)

// refusedChunks keeps refused rows in the database.
type refusedChunks struct {
	ctx    context.Context //nolint:containedctx // it lives as long as the import that is under way
	upload *upload
	size   int64
	text   bytes.Buffer
}

func (f *refusedChunks) begin(keep int64) (int64, error) {
	f.size = keep
	err := f.upload.db.Write(f.ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(f.ctx, cutRefused, f.upload.bucket(), f.upload.program, f.upload.id, keep)
		return err
	})
	return keep, err
}

// Write is part of io.Writer.
func (f *refusedChunks) Write(p []byte) (int, error) { return f.text.Write(p) }

func (f *refusedChunks) sync() (int64, error) {
	if f.text.Len() == 0 {
		return f.size, nil
	}
	err := f.upload.db.Write(f.ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(f.ctx, insertRefused, f.upload.bucket(), f.upload.program, f.upload.id, f.size, f.text.String())
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("keep refused rows: %w", err)
	}
	f.size += int64(f.text.Len())
	f.text.Reset()
	return f.size, nil
}

func (f *refusedChunks) close() error { return nil }

// Import is an import as it stands.
type Import struct {
	ID   string
	Kind Kind
	// File is the name of the file.
	File string
	// Status is uploading, draft, waiting, running, done, failed or cancelled.
	Status string
	// Done is how many facts are done, of Report.Facts.
	Done   int
	Report Report
	// Mapping is the text by which it goes, empty when it is long or not there yet.
	Mapping              string
	Error                string
	CreatedAt, UpdatedAt time.Time
}

const (
	importColumns = `import_id, kind, file, status, rows_done, report, error, created_at, updated_at`
	getImport     = `SELECT ` + importColumns + ` FROM imports WHERE program_id = $1 AND import_id = $2`
	listImports   = `
SELECT ` + importColumns + ` FROM imports
WHERE program_id = $1 AND (CAST($2 AS text) = '' OR import_id < $2)
ORDER BY import_id DESC LIMIT $3`
)

func scanImport(row db.Scanner) (Import, error) {
	var (
		i                Import
		report           string
		created, updated int64
	)
	if err := row.Scan(&i.ID, &i.Kind, &i.File, &i.Status, &i.Done, &report, &i.Error, &created, &updated); err != nil {
		return Import{}, err
	}
	i.CreatedAt, i.UpdatedAt = time.UnixMicro(created).UTC(), time.UnixMicro(updated).UTC()
	var k kept
	if err := json.Unmarshal([]byte(report), &k); err != nil {
		return Import{}, fmt.Errorf("read the report of import %s: %w", i.ID, err)
	}
	i.Report, i.Mapping = k.Report, k.Mapping
	return i, nil
}

// Get gives an import of the program. Not found when there is none.
func Get(ctx context.Context, tx *db.Tx, program, id string) (Import, error) {
	i, err := scanImport(tx.QueryRow(ctx, getImport, program, id))
	if errors.Is(err, sql.ErrNoRows) {
		return Import{}, errs.NotFound("import_not_found", "There is no such import in this program.")
	}
	if err != nil {
		return Import{}, fmt.Errorf("get import %s: %w", id, err)
	}
	return i, nil
}

// List gives imports of the program, the newest first: those before the given id ("" is all).
func List(ctx context.Context, tx *db.Tx, program, before string, limit int) ([]Import, error) {
	out := []Import{}
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		i, err := scanImport(row)
		out = append(out, i)
		return err
	}, listImports, program, before, limit)
	if err != nil {
		return nil, fmt.Errorf("list imports: %w", err)
	}
	return out, nil
}

// Refused writes the refused rows of an import as CSV.
func Refused(ctx context.Context, d *db.DB, program, id string, w io.Writer) error {
	u := upload{d, program, id}
	for at := int64(0); ; {
		var data string
		err := d.Read(ctx, func(tx *db.Tx) error {
			return tx.QueryRow(ctx, refusedData, u.bucket(), program, id, at).Scan(&at, &data)
		})
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the refused rows of %s: %w", id, err)
		}
		if _, err := io.WriteString(w, data); err != nil {
			return err
		}
		at += int64(len(data))
	}
}

const setStatus = `
UPDATE imports SET status = $1, error = $2, updated_at = $3
WHERE program_id = $4 AND import_id = $5 AND (status = 'waiting' OR status = 'running')`

const endDraft = `UPDATE imports SET status = 'cancelled', updated_at = $1 WHERE program_id = $2 AND import_id = $3 AND status = 'draft'`

// Cancel calls an uploaded import off. What is recorded stays. One that is over stays as it is.
func Cancel(ctx context.Context, tx *db.Tx, program, id string, now time.Time) (Import, error) {
	i, err := Get(ctx, tx, program, id)
	if err != nil {
		return Import{}, err
	}
	j, err := jobs.Find(ctx, tx, UploadKind, id)
	u := upload{program: program, id: id}
	switch {
	case i.Status == draft:
		if _, err = tx.Exec(ctx, dropParts, u.bucket(), program, id); err == nil {
			_, err = tx.Exec(ctx, endDraft, now.UnixMicro(), program, id)
		}
		if err != nil {
			return Import{}, fmt.Errorf("drop draft %s: %w", id, err)
		}
		return Get(ctx, tx, program, id)
	case errs.Is(err, errs.CodeNotFound, "job_not_found"): // it is over, or was not uploaded
		return Get(ctx, tx, program, id)
	case err != nil:
		return Import{}, err
	}
	if _, err := jobs.Cancel(ctx, tx, j.ID, now); err != nil {
		return Import{}, err
	}
	_, err = tx.Exec(ctx, setStatus, cancelled, "", now.UnixMicro(), program, id)
	if err == nil {
		_, err = tx.Exec(ctx, dropParts, u.bucket(), program, id)
	}
	if err != nil {
		return Import{}, fmt.Errorf("cancel import %s: %w", id, err)
	}
	return Get(ctx, tx, program, id)
}

// TendKind is the job that clears up after uploads.
const TendKind = "imports.tend"

const (
	// staleAfter is when an upload or a draft that did not end is given up and the files of what was tried are dropped, keepRefused how long refused rows are kept.
	staleAfter  = 24 * time.Hour
	keepRefused = 30 * 24 * time.Hour

	staleImports = `
SELECT program_id, import_id FROM imports
WHERE ((status = 'uploading' OR status = 'draft') AND updated_at < $1)
	OR (status <> 'uploading' AND status <> 'draft' AND status <> 'waiting' AND status <> 'running' AND updated_at < $2 AND updated_at >= $3)`

	// triedImports are those that ended a day ago and not long before: what was tried has its files still.
	triedImports = `
SELECT program_id, import_id FROM imports
WHERE (status = 'done' OR status = 'failed') AND updated_at < $1 AND updated_at >= $2`
)

// Handle has the runner's node import what was uploaded, one at a time, and clear up.
func Handle(r *jobs.Runner, d *db.DB, recorder *record.Recorder, versions *version.Cache, clock func() time.Time, log *slog.Logger) {
	w := worker{d, recorder, versions, clock, log, uploadBatch}
	r.Handle(UploadKind, jobs.Worker{Run: w.run})
	r.Handle(TendKind, jobs.Worker{Every: time.Hour, Run: w.tend})
}

type worker struct {
	db       *db.DB
	recorder *record.Recorder
	versions *version.Cache
	clock    func() time.Time
	log      *slog.Logger
	batch    int
}

// uploadBatch is how many facts are taken at a time: few, so that the tills of the same server do not wait long.
const uploadBatch = 500

// run imports what was uploaded. What is wrong with the files is told by the import, and is no failure of the job.
func (w worker) run(ctx context.Context, j *jobs.Job) error {
	var args uploadJob
	if err := json.Unmarshal([]byte(j.Args), &args); err != nil {
		return jobs.Discard(fmt.Errorf("read the arguments: %w", err))
	}
	u := &upload{w.db, args.Program, args.Import}
	var i Import
	err := w.db.Read(ctx, func(tx *db.Tx) (err error) {
		i, err = Get(ctx, tx, args.Program, args.Import)
		return err
	})
	if errs.Is(err, errs.CodeNotFound, "import_not_found") {
		return jobs.Discard(err)
	}
	if err != nil {
		return err
	}
	if i.Status != waiting && i.Status != running {
		if i.Report.DryRun {
			return nil
		}
		return u.clear(ctx)
	}
	if j.Attempt > mostAttempts {
		return w.end(ctx, u, i, i.Report, fmt.Sprintf("The import was begun %d times and never came to its end: see the log of the servers.", mostAttempts), args.DryRun)
	}
	in := Input{
		DB: w.db, Recorder: w.recorder, Versions: w.versions, Program: args.Program, Kind: i.Kind, File: FilePart, Mapping: MappingPart, With: map[string]string{},
		Batch: w.batch, DryRun: args.DryRun, Clock: w.clock, Actor: args.Actor, upload: u,
	}
	report, err := in.run(ctx)
	report.File, report.RefusedFile = i.File, ""
	log := w.log.With("import", args.Import, "program", args.Program)
	switch code := errs.CodeOf(err); {
	case err == nil:
		log.Info("imported", "recorded", report.Recorded, "known", report.Known, "refused", report.Refused)
		return w.end(ctx, u, i, report, "", args.DryRun)
	case ctx.Err() != nil:
		return err // handed back, or called off
	case (code == errs.CodeInternal || code == errs.CodeUnavailable):
		return err
	default:
		log.Warn("an import failed", "error", err)
		return w.end(ctx, u, i, report, errs.As(err).Error(), args.DryRun)
	}
}

// run reads the mapping for the names of the further files, and imports.
func (in Input) run(ctx context.Context) (Report, error) {
	text, err := in.upload.read(ctx, MappingPart)
	if err != nil {
		return Report{}, err
	}
	m, err := ParseMapping(text, MappingPart)
	if err != nil {
		return Report{}, err
	}
	for name := range m.With {
		in.With[name] = name
	}
	return Run(ctx, in)
}

const endImport = `
UPDATE imports SET status = $1, error = $2, report = $3, updated_at = $4
WHERE program_id = $5 AND import_id = $6 AND status <> 'cancelled'`

// end writes down what came of an import, and takes the files away; those of what was tried are kept for a day.
func (w worker) end(ctx context.Context, u *upload, i Import, report Report, problem string, dryRun bool) error {
	p, _, err := findID(ctx, w.db, u.program, u.id)
	if err != nil {
		return err
	}
	status := done
	if problem != "" {
		status = failed
		report.Kind, report.DryRun = i.Kind, dryRun
	}
	p.Report = report
	text, err := json.Marshal(p.kept)
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	err = w.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, endImport, status, problem, string(text), w.clock().UnixMicro(), u.program, u.id)
		return err
	})
	if err != nil {
		return fmt.Errorf("end import %s: %w", u.id, err)
	}
	if dryRun {
		return nil
	}
	return u.clear(ctx)
}

// clear deletes the files of an import that is over.
func (u *upload) clear(ctx context.Context) error {
	err := u.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, dropParts, u.bucket(), u.program, u.id)
		return err
	})
	if err != nil {
		return fmt.Errorf("delete the files of import %s: %w", u.id, err)
	}
	return nil
}

// tend drops uploads and drafts that never ended, the files of what was tried a day ago, and refused rows that nobody asked for in a month.
func (w worker) tend(ctx context.Context, _ *jobs.Job) error {
	now := w.clock()
	var list, tried []upload
	err := w.db.Read(ctx, func(tx *db.Tx) error {
		into := func(to *[]upload) func(db.Scanner) error {
			*to = nil
			return func(row db.Scanner) error {
				u := upload{db: w.db}
				err := row.Scan(&u.program, &u.id)
				*to = append(*to, u)
				return err
			}
		}
		if err := db.Collect(ctx, tx, into(&tried), triedImports, now.Add(-staleAfter).UnixMicro(), now.Add(-7*staleAfter).UnixMicro()); err != nil {
			return err
		}
		return db.Collect(ctx, tx, into(&list), staleImports, now.Add(-staleAfter).UnixMicro(), now.Add(-keepRefused).UnixMicro(), now.Add(-2*keepRefused).UnixMicro())
	})
	if err != nil {
		return fmt.Errorf("look for old uploads: %w", err)
	}
	for _, u := range tried {
		if err := u.clear(ctx); err != nil {
			return err
		}
	}
	for _, u := range list {
		if err := u.drop(ctx); err != nil {
			return err
		}
		err := w.db.Write(ctx, func(tx *db.Tx) error {
			_, err := tx.Exec(ctx, cutRefused, u.bucket(), u.program, u.id, 0)
			return err
		})
		if err != nil {
			return fmt.Errorf("forget the refused rows of %s: %w", u.id, err)
		}
	}
	return nil
}
