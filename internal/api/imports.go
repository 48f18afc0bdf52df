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
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/importer"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/version"
	"lojal.dev/lojal/internal/web"
)

// newImportIn says what an upload has besides its parts.
type newImportIn struct {
	Call
	// DryRun reads, checks and counts, and records nothing.
	DryRun *bool `query:"dry_run"`
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
	if whole {
		for _, row := range r.Refusals {
			out.Refusals = append(out.Refusals, RefusedRow{Row: row.Row, Reason: row.Reason})
		}
	}
	return out
}

// uploadPause is how long a sender may pause within an upload.
const uploadPause = 30 * time.Second

// createImport takes in an upload as it comes, and has it imported.
func (s *Server) createImport(w http.ResponseWriter, req *http.Request, c *Call) error {
	dryRun := false
	if text := req.URL.Query().Get("dry_run"); text != "" {
		var err error
		if dryRun, err = strconv.ParseBool(text); err != nil {
			const text = "Write true or false."
			return errs.Malformed("invalid_parameter", text, errs.Field{Pointer: "dry_run", Reason: "wrong_value", Message: text})
		}
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
		c.idem = &record.Key{Client: c.key.ID, Key: idem, Hash: uploadHash(u, dryRun)}
	}
	again := false
	reply, err := s.once(ctx, c, http.StatusCreated, func(tx *db.Tx) (any, error) {
		v, _, err := s.view(ctx, tx, c)
		if err != nil {
			return nil, err
		}
		var id string
		if id, again, err = u.Finish(ctx, tx, dryRun, c.actor()); err != nil {
			return nil, err
		}
		i, err := importer.Get(ctx, tx, c.program(), id)
		if err != nil {
			return nil, err
		}
		if !again {
			_, err = audit.Append(ctx, tx, audit.Entry{Program: c.program(), At: c.now, Actor: c.actor(), Action: "import.uploaded", Target: id, Detail: map[string]any{"kind": string(i.Kind), "file": i.File, "dry_run": dryRun}})
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

func uploadHash(u *importer.Uploader, dryRun bool) [32]byte {
	sum := u.Hash()
	return sha256.Sum256(append(sum[:], strconv.FormatBool(dryRun)...))
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
