package console

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/page"
)

// told in plain words: the terms of a program.
type plainTerms struct {
	Title    string `json:"title"`
	Version  int64  `json:"version"`
	Sections []struct {
		ID    string `json:"id"`
		Title string `json:"title"`
		Items []struct {
			Title string `json:"title"`
			Text  string `json:"text"`
		} `json:"items"`
	} `json:"sections"`
}

// edition is a version of the program.
type edition struct {
	Version       int64      `json:"version"`
	EffectiveFrom *time.Time `json:"effective_from"`
	PublishedAt   time.Time  `json:"published_at"`
	PublishedBy   string     `json:"published_by"`
	RollbackOf    int64      `json:"rollback_of"`
	InForce       bool       `json:"in_force"`
	ReplacedBy    int64      `json:"replaced_by"`
	ReplacedAt    *time.Time `json:"replaced_at"`
}

// Planned says whether it is still to come.
func (e edition) planned(now time.Time) bool {
	return !e.InForce && e.EffectiveFrom != nil && e.EffectiveFrom.After(now)
}

type difference struct {
	Same    bool `json:"same"`
	Changes []struct {
		Pointer  string `json:"pointer"`
		Sentence string `json:"sentence"`
	} `json:"changes"`
}

// poster hands out the poster to join by, in the language of the page.
func (c *Console) poster(v *visit) error {
	pdf, err := v.api.Raw(v.r.Context(), http.MethodGet, page.Path("program", "poster"), nil, "", nil)
	if err != nil {
		return err
	}
	h := v.w.Header()
	h.Set("Content-Type", "application/pdf")
	h.Set("Content-Disposition", `inline; filename="poster-`+v.lang+`.pdf"`)
	_, _ = v.w.Write(pdf) // the client may be gone
	return nil
}

func (c *Console) program(v *visit) error {
	ctx := v.r.Context()
	var t plainTerms
	if err := v.api.Get(ctx, page.Path("program", "terms"), nil, &t); err != nil {
		return err
	}
	list, err := c.editions(v)
	if err != nil {
		return err
	}
	return v.show(programPage(v, t, list))
}

func (c *Console) editions(v *visit) ([]edition, error) {
	var list struct{ Items []edition }
	return list.Items, v.api.Get(v.r.Context(), page.Path("program", "versions"), nil, &list)
}

func (c *Console) edition(v *visit) error { return c.editionWith(v, http.StatusOK, page.NewForm()) }

func (c *Console) editionWith(v *visit, status int, f *page.Form) error {
	n, err := strconv.ParseInt(v.r.PathValue("version"), 10, 64)
	if err != nil {
		return errs.NotFound("no_page", v.T("no_page"))
	}
	list, err := c.editions(v)
	if err != nil {
		return err
	}
	for i, e := range list {
		if e.Version != n {
			continue
		}
		var before, now difference
		if i+1 < len(list) {
			if err := c.diff(v, map[string]any{"from_version": list[i+1].Version, "to_version": n}, &before); err != nil {
				return err
			}
		}
		if !e.InForce {
			if err := c.diff(v, map[string]any{"to_version": n}, &now); err != nil {
				return err
			}
		}
		return v.showAs(status, editionPage(v, e, i+1 < len(list), before, now, f))
	}
	return errs.NotFound("no_page", v.T("no_page"))
}

func (c *Console) diff(v *visit, ask map[string]any, out *difference) error {
	return v.api.Post(v.r.Context(), page.Path("program", "diff"), "", ask, out)
}

func (c *Console) rollBack(v *visit) error {
	f, err := v.form()
	if err != nil {
		return err
	}
	n, _ := strconv.ParseInt(v.r.PathValue("version"), 10, 64) // the API says that there is no version 0
	err = v.api.Post(v.r.Context(), page.Path("program", "rollback"), f.Get("once"), map[string]any{"version": n}, nil)
	if err != nil {
		return v.again(f, err, func(status int) error { return c.editionWith(v, status, f) })
	}
	return v.said("/console/program", "rolled_back")
}

// draft is the text that is being worked on.
type draft struct {
	Source    string     `json:"source"`
	Revision  int64      `json:"revision"`
	UpdatedAt *time.Time `json:"updated_at"`
	UpdatedBy string     `json:"updated_by"`
}

// seen is what a draft turns out to be: its mistakes, or what to think of before it is published and what changes.
type seen struct {
	OK       bool `json:"ok"`
	Problems []struct {
		Pointer string `json:"pointer"`
		Line    int    `json:"line"`
		Column  int    `json:"column"`
		Message string `json:"message"`
		Hint    string `json:"hint"`
	} `json:"problems"`
	findings []finding
	diff     difference
}

type finding struct {
	Kind string `json:"kind"`
	Why  string `json:"why"`
	Mend string `json:"mend"`
}

// see looks a text over.
func (c *Console) see(v *visit, source string) (seen, error) {
	ctx := v.r.Context()
	var out seen
	if strings.TrimSpace(source) == "" {
		return out, nil
	}
	ask := map[string]any{"source": source}
	if err := v.api.Post(ctx, page.Path("program", "check"), "", ask, &out); err != nil || !out.OK {
		return out, err
	}
	var lint struct{ Findings []finding }
	if err := v.api.Post(ctx, page.Path("program", "lint"), "", ask, &lint); err != nil {
		return out, err
	}
	out.findings = lint.Findings
	return out, c.diff(v, map[string]any{"to_source": source}, &out.diff)
}

func (c *Console) draft(v *visit) error {
	var d draft
	if err := v.api.Get(v.r.Context(), page.Path("program", "draft"), nil, &d); err != nil {
		return err
	}
	return c.draftWith(v, http.StatusOK, d, page.NewForm())
}

func (c *Console) draftWith(v *visit, status int, d draft, f *page.Form) error {
	s, err := c.see(v, d.Source)
	if err != nil {
		return err
	}
	return v.showAs(status, draftPage(v, d, s, f))
}

// checkDraft says what a text turns out to be, while it is typed.
func (c *Console) checkDraft(v *visit) error {
	f, err := v.form()
	if err != nil {
		return err
	}
	s, err := c.see(v, f.Get("source"))
	if err != nil {
		return err
	}
	return v.show(draftSeen(v, s))
}

func (c *Console) keepDraft(v *visit) error {
	f, err := v.form()
	if err != nil {
		return err
	}
	source := strings.ReplaceAll(f.Get("source"), "\r\n", "\n") // as forms send it
	revision, _ := strconv.ParseInt(f.Get("revision"), 10, 64)
	err = v.api.Do(v.r.Context(), http.MethodPut, page.Path("program", "draft"), nil, "", map[string]any{"source": source, "revision": revision}, nil)
	if err != nil {
		return v.again(f, err, func(status int) error { return c.draftWith(v, status, draft{Source: source, Revision: revision}, f) })
	}
	switch f.Get("then") {
	case "publish":
		return v.to("/console/program/publish")
	case "try":
		return v.to("/console/program/try")
	}
	return v.said("/console/program/draft", "draft_kept")
}

func (c *Console) dropDraft(v *visit) error {
	if err := v.api.Do(v.r.Context(), http.MethodDelete, page.Path("program", "draft"), nil, "", nil, nil); err != nil {
		return err
	}
	return v.said("/console/program", "draft_dropped")
}

func (c *Console) publishPage(v *visit) error {
	return c.publishWith(v, http.StatusOK, page.NewForm("when", "now", "once", v.key()))
}

func (c *Console) publishWith(v *visit, status int, f *page.Form) error {
	var d draft
	if err := v.api.Get(v.r.Context(), page.Path("program", "draft"), nil, &d); err != nil {
		return err
	}
	s, err := c.see(v, d.Source)
	if err != nil {
		return err
	}
	if !s.OK {
		return v.to("/console/program/draft")
	}
	return v.showAs(status, publishPage(v, d, s, f))
}

// formTime is how a browser writes a time that somebody chose.
const formTime = "2006-01-02T15:04"

func (c *Console) publishDraft(v *visit) error {
	f, err := v.form()
	if err != nil {
		return err
	}
	ctx := v.r.Context()
	refused := func(err error) error {
		return v.again(f, err, func(status int) error { return c.publishWith(v, status, f) })
	}
	var d draft
	if err := v.api.Get(ctx, page.Path("program", "draft"), nil, &d); err != nil {
		return err
	}
	if strconv.FormatInt(d.Revision, 10) != f.Get("revision") {
		return refused(errs.Conflict("stale_revision", v.T("refused.stale_revision")))
	}
	ask := map[string]any{"source": d.Source}
	if f.Get("when") == "later" {
		at, err := time.ParseInLocation(formTime, f.Get("from"), v.zone(v.now))
		if err != nil {
			return refused(errs.Invalid("from", v.T("refused.from"), errs.Field{Pointer: "/from", Reason: "from", Message: v.T("refused.from")}))
		}
		ask["from"] = at
	}
	if err := v.api.Post(ctx, page.Path("program", "versions"), f.Get("once"), ask, nil); err != nil {
		return refused(err)
	}
	if err := v.api.Do(ctx, http.MethodDelete, page.Path("program", "draft"), nil, "", nil, nil); err != nil {
		return err
	}
	return v.said("/console/program", "published")
}

// pointed says where a mistake is: the line of the text, or the place in the document.
func (v *visit) pointed(line int, pointer string) string {
	if line > 0 {
		return v.T("line", lang.Number(v.lang, decimal(strconv.Itoa(line))))
	}
	return pointer
}
