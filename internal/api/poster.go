package api

import (
	"bytes"
	"io"
	"net/http"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/poster"
	"lojal.dev/lojal/internal/version"
)

type posterIn struct {
	Call
	// Lang is the language of the poster: nb, sv, da or en. Without it, Accept-Language counts.
	Lang string `query:"lang"`
}

// joinPoster answers with a page to hang up where people are to join.
func (s *Server) joinPoster(w http.ResponseWriter, req *http.Request, c *Call) error {
	if s.URL == "" {
		return errs.Conflict("no_address", "The poster shows where to join, and the server does not know its own address: the operator sets it with --url.")
	}
	var pdf []byte
	if err := s.look(req.Context(), c, func(_ *db.Tx, v view, _ *version.Set) (err error) {
		pdf, err = poster.PDF(v.p, c.lang, s.URL+"/portal/"+v.p.Doc.Program, c.now)
		return err
	}); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/pdf")
	h.Set("Content-Disposition", `inline; filename="`+c.program()+"-"+c.lang+`.pdf"`)
	h.Set("Cache-Control", "no-store")
	if _, err := io.Copy(w, bytes.NewReader(pdf)); err != nil {
		s.Logger.Warn("send a poster", "error", err)
	}
	return nil
}
