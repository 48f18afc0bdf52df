package api

import (
	"context"
	"net/http"
	"time"

	"lojal.dev/lojal/internal/audit"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/version"
)

// KeptDraft is the text of the program that is being worked on.
type KeptDraft struct {
	// Source is the text, YAML or JSON, with whatever mistakes it has now; the version in force as YAML where there is no draft.
	Source string `json:"source"`
	// Revision goes up with each change; 0 where there is no draft.
	Revision int64 `json:"revision"`
	// UpdatedAt and UpdatedBy say when it was changed last, and by whom.
	UpdatedAt *time.Time `json:"updated_at,omitempty"`
	UpdatedBy string     `json:"updated_by,omitempty"`
}

// DraftChange is a new text of the draft.
type DraftChange struct {
	// Source is the text, at most 512 kB. It may have mistakes.
	Source string `json:"source"`
	// Revision is the one that the change is based on, 0 where there was no draft. When the draft has another one by now the answer is 412.
	Revision int64 `json:"revision"`
}

func (v view) draft(d version.Draft) (KeptDraft, error) {
	if d.Revision == 0 {
		text, err := program.YAML(v.p.Doc)
		return KeptDraft{Source: string(text)}, err
	}
	at := v.time(d.UpdatedAt)
	return KeptDraft{Source: d.Source, Revision: d.Revision, UpdatedAt: &at, UpdatedBy: d.UpdatedBy}, nil
}

func (s *Server) getDraft(ctx context.Context, in *programIn) (*KeptDraft, error) {
	out := &KeptDraft{}
	return out, s.look(ctx, &in.Call, func(tx *db.Tx, v view, _ *version.Set) error {
		d, err := version.GetDraft(ctx, tx, in.program())
		if err == nil {
			*out, err = v.draft(d)
		}
		return err
	})
}

type draftIn struct {
	Call
	Body DraftChange
}

func (s *Server) putDraft(ctx context.Context, in *draftIn) (*Answered[KeptDraft], error) {
	reply, err := s.once(ctx, &in.Call, http.StatusOK, func(tx *db.Tx) (any, error) {
		v, _, err := s.view(ctx, tx, &in.Call)
		if err != nil {
			return nil, err
		}
		d, err := version.PutDraft(ctx, tx, in.program(), in.Body.Source, in.Body.Revision, in.actor(), in.now)
		if err != nil {
			return nil, err
		}
		return v.draft(d)
	}, nil)
	return &Answered[KeptDraft]{reply}, err
}

func (s *Server) dropDraft(ctx context.Context, in *programIn) (*Answered[KeptDraft], error) {
	reply, err := s.once(ctx, &in.Call, http.StatusOK, func(tx *db.Tx) (any, error) {
		v, _, err := s.view(ctx, tx, &in.Call)
		if err != nil {
			return nil, err
		}
		if err := version.DropDraft(ctx, tx, in.program()); err != nil {
			return nil, err
		}
		if _, err := audit.Append(ctx, tx, audit.Entry{Program: in.program(), At: in.now, Actor: in.actor(), Action: "draft.dropped"}); err != nil {
			return nil, err
		}
		return v.draft(version.Draft{})
	}, nil)
	return &Answered[KeptDraft]{reply}, err
}
