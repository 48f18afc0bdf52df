package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"lojal.dev/lojal/internal/advice"
	"lojal.dev/lojal/internal/audit"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/raffle"
	"lojal.dev/lojal/internal/terms"
	"lojal.dev/lojal/internal/version"
	"lojal.dev/lojal/internal/web"
)

// parseDocument reads a document inside a body; its mistakes get pointers below at.
func parseDocument(data []byte, at string) (*program.Document, error) {
	doc, err := program.Parse(data, "")
	if err == nil {
		return doc, nil
	}
	e := *errs.As(version.Problem(err))
	if e.Code == errs.CodeInternal {
		return nil, err
	}
	for i := range e.Fields {
		e.Fields[i].Pointer = at + e.Fields[i].Pointer
	}
	return nil, &e
}

// text gives the document of a body and where it stands in it.
func (d Draft) text() ([]byte, string, error) {
	switch {
	case d.Document.JSON != nil && d.Source != "":
		return nil, "", required("/document", "Give either document or source, not both.")
	case d.Document.JSON != nil:
		return d.Document.JSON, "/document", nil
	case d.Source != "":
		return []byte(d.Source), "/source", nil
	}
	return nil, "", required("/document", "Give the program document: document as JSON, or source as YAML text.")
}

func (v view) version(p version.Published, inForce bool) ProgramVersion {
	out := ProgramVersion{
		Version: p.Version, PublishedAt: v.time(p.PublishedAt), PublishedBy: p.PublishedBy, Hash: p.Hash, RollbackOf: p.RollbackOf, InForce: inForce,
		Unchanged: p.Unchanged, ReplacedBy: p.ReplacedBy,
	}
	if p.ReplacedBy != 0 {
		out.ReplacedAt = v.moment(&p.ReplacedAt)
	}
	if !p.EffectiveFrom.IsZero() {
		out.EffectiveFrom = v.moment(&p.EffectiveFrom)
	}
	return out
}

func (o ProgramVersion) with(doc *program.Document) (ProgramVersion, error) {
	text, err := program.Canonical(doc)
	if err != nil {
		return o, err
	}
	v := jsontext.Value(text)
	if err := v.Compact(); err != nil {
		return o, err
	}
	o.Document.JSON = v
	return o, nil
}

// VersionView is a version with an entity tag.
type VersionView struct{ ProgramVersion }

// ETag is the document's hash, whether it is in force, and what takes its place.
func (v *VersionView) ETag() string {
	return `"` + strconv.FormatInt(v.Version, 10) + "-" + v.Hash[:16] + "-" + strconv.FormatBool(v.InForce) + "-" + strconv.FormatInt(v.ReplacedBy, 10) + `"`
}

type programIn struct{ Call }

func (s *Server) getProgram(ctx context.Context, in *programIn) (*VersionView, error) {
	var out *VersionView
	err := s.look(ctx, &in.Call, func(tx *db.Tx, v view, set *version.Set) error {
		p, doc, err := version.Get(ctx, tx, in.program(), v.p.Version)
		if err != nil {
			return err
		}
		one, err := v.version(set.Planned(p), true).with(doc)
		out = &VersionView{one}
		return err
	})
	return out, err
}

func (s *Server) listVersions(ctx context.Context, in *programIn) (*Page[ProgramVersion], error) {
	out := &Page[ProgramVersion]{}
	return out, s.look(ctx, &in.Call, func(tx *db.Tx, v view, set *version.Set) error {
		list, err := version.List(ctx, tx, in.program())
		if err != nil {
			return err
		}
		out.Items = []ProgramVersion{}
		for _, p := range list {
			out.Items = append(out.Items, v.version(set.Planned(p), p.Version == v.p.Version))
		}
		return nil
	})
}

type versionIn struct {
	Call
	// Version is the version's number.
	Version int64 `path:"version"`
}

func (s *Server) getVersion(ctx context.Context, in *versionIn) (*VersionView, error) {
	var out *VersionView
	err := s.look(ctx, &in.Call, func(tx *db.Tx, v view, set *version.Set) error {
		p, doc, err := version.Get(ctx, tx, in.program(), in.Version)
		if errs.CodeOf(err) == errs.CodeNotFound {
			return web.NotFound("version")
		}
		if err != nil {
			return err
		}
		one, err := v.version(set.Planned(p), p.Version == v.p.Version).with(doc)
		out = &VersionView{one}
		return err
	})
	return out, err
}

type publishIn struct {
	Call
	Body Publication
}

func (s *Server) publish(ctx context.Context, in *publishIn) (*Answered[ProgramVersion], error) {
	text, at, err := Draft{in.Body.Document, in.Body.Source}.text()
	if err != nil {
		return nil, err
	}
	doc, err := parseDocument(text, at)
	if err != nil {
		return nil, err
	}
	return s.publication(ctx, &in.Call, "program.published", func(tx *db.Tx) (version.Published, error) {
		p, err := version.Publish(ctx, tx, version.PublishInput{Program: in.program(), Document: doc, From: in.Body.From, By: in.actor(), Now: in.now})
		var e *errs.Error
		if errors.As(err, &e) && len(e.Fields) > 0 {
			c := *e
			c.Fields = make([]errs.Field, len(e.Fields))
			for i, f := range e.Fields {
				f.Pointer = at + f.Pointer
				c.Fields[i] = f
			}
			return p, &c
		}
		return p, err
	})
}

// publication publishes, notes it in the audit log, and answers with the version.
func (s *Server) publication(ctx context.Context, c *Call, action string, publish func(*db.Tx) (version.Published, error)) (*Answered[ProgramVersion], error) {
	reply, err := s.once(ctx, c, http.StatusCreated, func(tx *db.Tx) (any, error) {
		p, err := publish(tx)
		if err != nil {
			return nil, err
		}
		if err := raffle.Keep(ctx, tx, p, c.now); err != nil {
			return nil, err
		}
		if !p.Unchanged {
			_, err = audit.Append(ctx, tx, audit.Entry{
				Program: c.program(), At: c.now, Actor: c.actor(), Action: action, Target: strconv.FormatInt(p.Version, 10),
				Detail: map[string]any{"hash": p.Hash, "effective_from": p.EffectiveFrom.Format(time.RFC3339)},
			})
			if err != nil {
				return nil, err
			}
		}
		v, _, err := s.view(ctx, tx, c)
		if err != nil {
			return nil, err
		}
		return v.version(p, p.Version == v.p.Version), nil
	}, nil)
	return &Answered[ProgramVersion]{reply}, err
}

type rollbackIn struct {
	Call
	Body Rollback
}

func (s *Server) rollback(ctx context.Context, in *rollbackIn) (*Answered[ProgramVersion], error) {
	return s.publication(ctx, &in.Call, "program.rolled_back", func(tx *db.Tx) (version.Published, error) {
		p, err := version.Rollback(ctx, tx, in.program(), in.Body.Version, timeOr(in.Body.From, in.now), in.actor(), in.now)
		if errs.CodeOf(err) == errs.CodeNotFound {
			return version.Published{}, errs.Invalid("version_not_found", "There is no such version.",
				errs.Field{Pointer: "/version", Reason: "version_not_found", Message: "The program has no version " + strconv.FormatInt(in.Body.Version, 10) + "."})
		}
		return p, err
	})
}

type checkIn struct {
	Call
	Body Draft
}

func (s *Server) checkProgram(_ context.Context, in *checkIn) (*Checked, error) {
	text, _, err := in.Body.text()
	if err != nil {
		return nil, err
	}
	out := &Checked{Problems: []DocumentProblem{}}
	doc, err := program.Parse(text, "")
	var list *program.Problems
	switch {
	case errors.As(err, &list):
		for _, p := range list.List {
			if in.Body.Source == "" {
				p.Line, p.Column = 0, 0 // they would count in a text that the caller has not written so
			}
			out.Problems = append(out.Problems, DocumentProblem(p))
		}
		return out, nil
	case err != nil:
		return nil, err
	}
	out.OK = true
	out.Hash, err = program.Hash(doc)
	return out, err
}

type settingsIn struct {
	Call
	Body SettingChange
}

func (s *Server) setProgram(_ context.Context, in *settingsIn) (*DocumentSettings, error) {
	if in.Body.Source == "" {
		return nil, required("/source", "Give the text of the program document.")
	}
	text, err := program.Set(in.Body.Source, in.Body.Set)
	if e := errs.As(err); err != nil && e.Reason == "invalid_setting" {
		for i := range e.Fields {
			e.Fields[i].Pointer = "/set" + e.Fields[i].Pointer
		}
		return nil, e
	}
	if err != nil {
		return nil, version.Problem(err)
	}
	list, err := program.Settings(text)
	if err != nil {
		return nil, err
	}
	out := &DocumentSettings{Source: text, Settings: make([]DocumentSetting, len(list))}
	for i, x := range list {
		out.Settings[i] = DocumentSetting(x)
	}
	return out, nil
}

type diffIn struct {
	Call
	Spoken
	Body Comparison
}

func (s *Server) diffPrograms(ctx context.Context, in *diffIn) (*Difference, error) {
	out := &Difference{Changes: []DiffChange{}}
	var from, to *program.Document
	err := s.look(ctx, &in.Call, func(_ *db.Tx, v view, set *version.Set) error {
		pick := func(n int64, raw Raw[ProgramDocument], name string) (*program.Document, error) {
			switch {
			case n != 0 && raw.JSON != nil:
				return nil, required("/"+name, "Give either "+name+" or "+name+"_version, not both.")
			case raw.JSON != nil:
				return parseDocument(raw.JSON, "/"+name)
			case n == 0:
				return v.p.Doc, nil
			}
			p := set.Version(n)
			if p == nil {
				return nil, errs.Invalid("version_not_found", "There is no such version.",
					errs.Field{Pointer: "/" + name + "_version", Reason: "version_not_found", Message: "The program has no version " + strconv.FormatInt(n, 10) + "."})
			}
			return p.Doc, nil
		}
		var err error
		if from, err = pick(in.Body.FromVersion, in.Body.From, "from"); err != nil {
			return err
		}
		if in.Body.ToSource != "" {
			if in.Body.ToVersion != 0 || in.Body.To.JSON != nil {
				return required("/to_source", "Give one of to, to_version and to_source.")
			}
			to, err = parseDocument([]byte(in.Body.ToSource), "/to_source")
			return err
		}
		to, err = pick(in.Body.ToVersion, in.Body.To, "to")
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, c := range program.Diff(from, to, in.lang) {
		out.Changes = append(out.Changes, DiffChange(c))
	}
	out.Same = len(out.Changes) == 0
	return out, nil
}

type termsIn struct {
	Call
	Spoken
}

func (s *Server) programTerms(ctx context.Context, in *termsIn) (*Terms, error) {
	var out *Terms
	return out, s.look(ctx, &in.Call, func(_ *db.Tx, v view, _ *version.Set) error {
		out = &Terms{Title: terms.Title(v.p, in.lang), Language: in.lang, Version: v.p.Version, Sections: []TermsSection{}}
		for _, part := range terms.Of(v.p, in.lang) {
			section := TermsSection{ID: part.ID, Title: part.Title}
			for _, i := range part.Items {
				section.Items = append(section.Items, TermsItem(i))
			}
			out.Sections = append(out.Sections, section)
		}
		return nil
	})
}

type lintIn struct {
	Call
	Spoken
	Body Lint
}

func (s *Server) lintProgram(ctx context.Context, in *lintIn) (*Linted, error) {
	p, err := s.linted(ctx, in)
	if err != nil {
		return nil, err
	}
	usual := advice.UsualOf(p)
	if u := in.Body.Usual; u != nil {
		n, err := u.Purchase.Minor(p.Exponent)
		if err != nil || n <= 0 || u.PerMonth < 1 || u.PerMonth > 1000 {
			return nil, errs.Invalid("invalid_body", "The usual member cannot be used.",
				errs.Field{Pointer: "/usual", Reason: "out_of_range", Message: "write a purchase of more than 0 and 1 to 1000 purchases a month"})
		}
		usual = advice.Usual{Purchase: n, PerMonth: u.PerMonth}
	}
	out := &Linted{Findings: []Finding{}}
	for _, f := range advice.Of(p, in.now, usual, in.lang) {
		out.Findings = append(out.Findings, Finding(f))
	}
	out.OK = len(out.Findings) == 0
	return out, nil
}

// linted gives the program that is to be looked over: the draft, or, without one, what is in force.
func (s *Server) linted(ctx context.Context, in *lintIn) (p *program.Compiled, err error) {
	if in.Body.Document.JSON == nil && in.Body.Source == "" {
		err = s.look(ctx, &in.Call, func(_ *db.Tx, v view, _ *version.Set) error {
			p = v.p
			return nil
		})
		return p, err
	}
	text, at, err := Draft{in.Body.Document, in.Body.Source}.text()
	if err != nil {
		return nil, err
	}
	doc, err := parseDocument(text, at)
	if err != nil {
		return nil, err
	}
	return program.Compile(doc, 0)
}
