package api

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"strconv"
	"time"

	"lojal.dev/lojal/internal/audit"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/importer"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/version"
	"lojal.dev/lojal/internal/web"
)

// newImportIn says what an upload has besides its parts.
type newImportIn struct {
	Call
	// DryRun reads, checks and counts, and records nothing.
	DryRun *bool `query:"dry_run"`
	// Draft keeps the file for a day and waits for its mapping: see POST /v1/imports/{import}/start.
	Draft *bool `query:"draft"`
}

// ImportPath names an import.
type ImportPath struct {
	// Import is its id.
	Import string `path:"import"`
}

type importIn struct {
	Call
	ImportPath
}

func (v view) imported(i importer.Import, whole bool) Import {
	r := &i.Report
	out := Import{
		ID: i.ID, Kind: string(i.Kind), File: i.File, Status: i.Status, Error: i.Error, DryRun: r.DryRun, Done: i.Done, Facts: r.Facts, Rows: r.Rows, Recorded: r.Recorded, Known: r.Known,
		Differing: r.Differing, Enrolled: r.Enrolled, Refused: r.Refused, Guests: r.Guests, Earned: r.Earned, CreatedAt: v.time(i.CreatedAt), UpdatedAt: v.time(i.UpdatedAt),
	}
	out.Startable = i.Startable()
	if whole {
		out.Mapping, out.Members, out.From, out.Until = i.Mapping, r.Members, v.moment(r.From), v.moment(r.Until)
		for k := range r.Sample {
			out.Sample = append(out.Sample, v.sample(&r.Sample[k]))
		}
		for _, row := range r.Refusals {
			out.Refusals = append(out.Refusals, RefusedRow{Row: row.Row, Reason: row.Reason})
		}
	}
	return out
}

// sample says how a row was understood.
func (v view) sample(f *engine.Fact) ImportSample {
	out := ImportSample{Member: f.Member, At: v.time(f.OccurredAt), ExternalID: f.ExternalID}
	switch {
	case f.Purchase != nil:
		out.Store, out.Lines = f.Purchase.Store, len(f.Purchase.Lines)
		if f.Purchase.Amount != nil {
			out.Amount = f.Purchase.Amount.String()
		}
		var sum int64
		for _, l := range f.Purchase.Lines {
			if l.Amount == nil {
				return out
			}
			minor, err := l.Amount.Minor(v.p.Exponent)
			if err != nil { // of another currency, with more decimals
				return out
			}
			sum += minor
		}
		if len(f.Purchase.Lines) > 0 {
			out.Amount = money.Format(sum, v.p.Exponent)
		}
	case f.Activity != nil:
		out.Kind, out.Store = f.Activity.Kind, f.Activity.Store
	}
	return out
}

// uploadPause is how long a sender may pause within an upload.
const uploadPause = 30 * time.Second

// createImport takes in an upload as it comes, and has it imported.
func (s *Server) createImport(w http.ResponseWriter, req *http.Request, c *Call) error {
	dryRun, err := yes(req, "dry_run")
	if err != nil {
		return err
	}
	asDraft, err := yes(req, "draft")
	if err != nil {
		return err
	}
	media, _, err := mime.ParseMediaType(req.Header.Get("Content-Type"))
	if err != nil || media != "multipart/form-data" {
		return errs.Malformed("unsupported_media_type", "Send the mapping and the file as multipart/form-data, as curl -F does.")
	}
	parts, err := req.MultipartReader()
	if err != nil {
		return errs.Malformed("invalid_upload", "The upload cannot be read: "+err.Error()+".")
	}
	idem, err := idempotencyKey(req.Header)
	if err != nil {
		return err
	}
	ctx := req.Context()
	u, err := importer.Begin(ctx, s.DB, c.program(), s.Limits.MaxUpload, s.Clock)
	if err != nil {
		return err
	}
	dropped := true // until it is to be imported
	defer func() {
		if dropped { // the caller may have left, and what came is dropped all the same; what cannot be is, later
			if err := u.Drop(context.WithoutCancel(ctx)); err != nil {
				s.Logger.Warn("drop an upload", "error", err)
			}
		}
	}()
	if err := takeParts(ctx, http.NewResponseController(w), parts, u); err != nil {
		return err
	}
	if idem != "" {
		c.idem = &record.Key{Client: c.key.ID, Key: idem, Hash: uploadHash(u, dryRun, asDraft)}
	}
	again := false
	reply, err := s.once(ctx, c, http.StatusCreated, func(tx *db.Tx) (any, error) {
		v, _, err := s.view(ctx, tx, c)
		if err != nil {
			return nil, err
		}
		var id string
		if asDraft {
			id, err = u.Keep(ctx, tx)
		} else {
			id, again, err = u.Finish(ctx, tx, dryRun, c.actor())
		}
		if err != nil {
			return nil, err
		}
		i, err := importer.Get(ctx, tx, c.program(), id)
		if err != nil {
			return nil, err
		}
		if !again {
			_, err = audit.Append(ctx, tx, audit.Entry{Program: c.program(), At: c.now, Actor: c.actor(), Action: "import.uploaded", Target: id, Detail: map[string]any{"kind": string(i.Kind), "file": i.File, "dry_run": dryRun, "draft": asDraft}})
		}
		return v.imported(i, false), err
	}, nil)
	if err != nil {
		return err
	}
	replayed := reply.Header.Get("Idempotent-Replayed") != ""
	dropped = again || replayed
	if again && !replayed {
		reply.Status = http.StatusOK
		reply.Header.Del("Location")
	}
	if s.Wake != nil {
		s.Wake()
	}
	h := w.Header()
	maps.Copy(h, reply.Header)
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(reply.Status)
	_, err = w.Write(reply.JSON)
	if err != nil {
		s.Logger.Debug("answer an upload", "error", err)
	}
	return nil
}

func uploadHash(u *importer.Uploader, dryRun, asDraft bool) [32]byte {
	sum := u.Hash()
	text := strconv.FormatBool(dryRun)
	if asDraft {
		text += " draft"
	}
	return sha256.Sum256(append(sum[:], text...))
}

// yes reads a parameter that is true or false.
func yes(req *http.Request, name string) (bool, error) {
	text := req.URL.Query().Get(name)
	if text == "" {
		return false, nil
	}
	out, err := strconv.ParseBool(text)
	if err != nil {
		const text = "Write true or false."
		return false, errs.Malformed("invalid_parameter", text, errs.Field{Pointer: name, Reason: "wrong_value", Message: text})
	}
	return out, nil
}

type importFileIn struct {
	Call
	ImportPath
	// Kind is what to guess a mapping for: members, purchases or activities. Without it, that is guessed too.
	Kind string `query:"kind"`
	// Delimiter is what stands between columns, as file.delimiter in a mapping; found out when left out.
	Delimiter string `query:"delimiter"`
	// Charset is the file's, found out when left out.
	Charset string `query:"charset"`
	// Header says whether the first line names the columns; found out when left out.
	Header *bool `query:"header"`
	// Skip is how many lines to leave out before that.
	Skip *int `query:"skip"`
}

func (s *Server) getImportFile(ctx context.Context, in *importFileIn) (*ImportFile, error) {
	l := importer.Layout{Delimiter: in.Delimiter, Charset: in.Charset, Header: in.Header}
	if in.Skip != nil {
		l.Skip = max(*in.Skip, 0)
	}
	switch importer.Kind(in.Kind) {
	case "", importer.Members, importer.Purchases, importer.Activities:
	default:
		const text = "Write members, purchases or activities."
		return nil, errs.Malformed("invalid_parameter", text, errs.Field{Pointer: "kind", Reason: "wrong_value", Message: text})
	}
	out := &ImportFile{}
	return out, s.look(ctx, &in.Call, func(tx *db.Tx, v view, _ *version.Set) error {
		h, err := importer.Look(ctx, tx, in.program(), in.Import, l)
		if err != nil {
			return err
		}
		*out = ImportFile{Columns: []ImportColumn{}, Rows: [][]string{}, Header: h.Header, Charset: h.Charset, Delimiter: h.Delimiter, Further: h.Further}
		for _, c := range h.Columns {
			out.Columns = append(out.Columns, ImportColumn{Number: c.Number, Name: c.Name, Samples: append([]string{}, c.Samples...)})
		}
		out.Rows = append(out.Rows, h.Rows...)
		guess := importer.Guess(h, importer.Kind(in.Kind), v.p)
		guess.File.Delimiter, guess.File.Charset, guess.File.Skip = l.Delimiter, l.Charset, l.Skip
		if out.Guess, err = guess.YAML(); err != nil {
			return err
		}
		earlier, err := importer.Earlier(ctx, tx, in.program(), in.Import, h)
		if err == nil && earlier != nil {
			out.Earlier, err = earlier.YAML()
		}
		return err
	})
}

type startImportIn struct {
	Call
	ImportPath
	Body StartImport
}

func (s *Server) startImport(ctx context.Context, in *startImportIn) (*Answered[Import], error) {
	reply, err := s.once(ctx, &in.Call, http.StatusOK, func(tx *db.Tx) (any, error) {
		v, _, err := s.view(ctx, tx, &in.Call)
		if err != nil {
			return nil, err
		}
		i, err := importer.Start(ctx, tx, in.program(), in.Import, in.Body.Mapping, in.Body.DryRun, in.actor(), in.now)
		if err != nil {
			return nil, err
		}
		_, err = audit.Append(ctx, tx, audit.Entry{Program: in.program(), At: in.now, Actor: in.actor(), Action: "import.started", Target: i.ID,
			Detail: map[string]any{"kind": string(i.Kind), "file": i.File, "dry_run": in.Body.DryRun}})
		return v.imported(i, false), err
	}, nil)
	if err == nil && s.Wake != nil {
		s.Wake()
	}
	return &Answered[Import]{reply}, err
}

// takeParts reads the parts one after the other, with time for each piece instead of for the whole.
func takeParts(ctx context.Context, conn *http.ResponseController, parts *multipart.Reader, u *importer.Uploader) error {
	more := func() {
		at := time.Now().Add(uploadPause) // of the machine: it is the connection's time
		_ = conn.SetReadDeadline(at)      // where it cannot be set, as in tests, the server's own bound holds
		_ = conn.SetWriteDeadline(at.Add(uploadPause))
	}
	for {
		more()
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return errs.Malformed("invalid_upload", "The upload was cut off, or is no multipart/form-data: send it again.").Because(err)
		}
		if err := u.Part(ctx, part.FormName(), part.FileName(), &paced{part, more}); err != nil {
			return err
		}
	}
}

// paced asks for more time before each read.
type paced struct {
	io.Reader
	more func()
}

// Read is part of io.Reader.
func (p *paced) Read(b []byte) (int, error) {
	p.more()
	return p.Reader.Read(b)
}

type importsIn struct {
	Call
	Paging
}

func (s *Server) listImports(ctx context.Context, in *importsIn) (*Page[Import], error) {
	limit, err := web.PageLimit(in.Limit, web.DefaultLimit, web.MaxLimit)
	if err != nil {
		return nil, err
	}
	var at struct {
		ID string `json:"id"`
	}
	if err := web.ReadCursor("imports", in.Cursor, &at); err != nil {
		return nil, err
	}
	out := &Page[Import]{}
	return out, s.look(ctx, &in.Call, func(tx *db.Tx, v view, _ *version.Set) error {
		list, err := importer.List(ctx, tx, in.program(), at.ID, limit+1)
		if err != nil {
			return err
		}
		out.Items, out.Next = []Import{}, ""
		for _, i := range list[:min(len(list), limit)] {
			out.Items = append(out.Items, v.imported(i, false))
		}
		if len(list) > limit {
			next := at
			next.ID = list[limit-1].ID
			out.Next = web.Cursor("imports", next)
		}
		return nil
	})
}

func (s *Server) getImport(ctx context.Context, in *importIn) (*Import, error) {
	out := &Import{}
	return out, s.look(ctx, &in.Call, func(tx *db.Tx, v view, _ *version.Set) error {
		i, err := importer.Get(ctx, tx, in.program(), in.Import)
		if err != nil {
			return err
		}
		*out = v.imported(i, true)
		return nil
	})
}

func (s *Server) refusedRows(w http.ResponseWriter, req *http.Request, c *Call) error {
	id := req.PathValue("import")
	err := s.DB.Read(req.Context(), func(tx *db.Tx) error {
		_, err := importer.Get(req.Context(), tx, c.program(), id)
		return err
	})
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="refused.csv"`)
	h.Set("Cache-Control", "no-store")
	if err := importer.Refused(req.Context(), s.DB, c.program(), id, w); err != nil {
		s.Logger.Warn("send refused rows", "import", id, "error", err) // the answer has begun: it can only end early
	}
	return nil
}

func (s *Server) cancelImport(ctx context.Context, in *importIn) (*Answered[Import], error) {
	reply, err := s.once(ctx, &in.Call, http.StatusOK, func(tx *db.Tx) (any, error) {
		v, _, err := s.view(ctx, tx, &in.Call)
		if err != nil {
			return nil, err
		}
		i, err := importer.Cancel(ctx, tx, in.program(), in.Import, in.now)
		if err != nil {
			return nil, err
		}
		_, err = audit.Append(ctx, tx, audit.Entry{Program: in.program(), At: in.now, Actor: in.actor(), Action: "import.cancelled", Target: i.ID})
		return v.imported(i, false), err
	}, nil)
	return &Answered[Import]{reply}, err
}
