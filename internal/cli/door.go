package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"lojal.dev/lojal/internal/api"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errand"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/page"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/version"
	"lojal.dev/lojal/internal/web"
)

// Commands on gift cards, codes, claims, partners, grants, invitations, challenges, plans, households, organizations, shares, coupons,
// redemptions, orders and vouchers ask the routes of the API, in this very
// process and without a key: what they record, refuse and answer is what HTTP does, and no rule stands twice.

// asking is what these commands have in common.
type asking struct {
	jsonFlag
	Lang string `default:"en" enum:"nb,sv,da,en" placeholder:"LANG" help:"Language of the sentences: nb, sv, da or en (the default)."`
	inProgram
}

// keyed are the flags by which a fact counts once.
type keyed struct {
	Source     string     `placeholder:"NAME" help:"Source of the fact, such as a till: with --external-id the same counts once."`
	ExternalID string     `name:"external-id" placeholder:"ID" help:"Number of the fact in its source."`
	OccurredAt *time.Time `name:"occurred-at" placeholder:"TIME" help:"When it happened, as 2026-11-22T10:00:00+01:00; now when left out."`
}

func (k keyed) key() api.FactKey {
	return api.FactKey{Source: k.Source, ExternalID: k.ExternalID, OccurredAt: k.OccurredAt}
}

// door is the API of a program, in this process.
type door struct {
	e       *env
	server  *api.Server
	lang    string
	db      *db.DB
	rec     *record.Recorder
	program string
}

// patience is how long a command waits for others' transactions, behind which its own cannot be followed yet.
const patience = 5 * time.Second

// follow lets now what was recorded bring about for other members what a server would a moment later. Where others' transactions last, a
// server does, or the next command.
func follow(e *env, d *db.DB, r *record.Recorder, program string) error {
	ctx, cancel := context.WithTimeout(e.ctx, patience)
	defer cancel()
	err := errand.CatchUp(ctx, d, r, program, e.now())
	if err != nil && ctx.Err() != nil && e.ctx.Err() == nil {
		return nil
	}
	return err //nolint:wrapcheck // as the server says it
}

// ask opens the program and does the command's work with its door.
func (c *asking) ask(e *env, do func(o *door) error) error {
	return c.on(e, func(e *env, d *db.DB, id string) error {
		versions := new(version.Cache)
		r := record.New(d, versions)
		defer r.Close()
		return do(&door{e, api.Local(api.Config{DB: d, Recorder: r, Versions: versions, Clock: e.now}, id, actor), c.Lang, d, r, id})
	})
}

// path joins the parts of an address.
func path(parts ...string) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString("/" + url.PathEscape(p))
	}
	return "/v1" + b.String()
}

// send asks a route and gives the bytes of the answer. A failure is that of the route, with its code.
func (o *door) send(method, path string, query url.Values, body any) ([]byte, error) {
	return page.API{Handler: o.server, Lang: o.lang}.Raw(o.e.ctx, method, path, query, "", body)
}

// call asks a route, and prints the answer as JSON, or has it told in words.
func call[T any](c *asking, o *door, method, path string, query url.Values, body any, tell func(*T)) error {
	text, err := o.send(method, path, query, body)
	if err != nil {
		return err
	}
	if c.JSON {
		return o.e.json(json.RawMessage(text))
	}
	out := new(T)
	if err := web.Unmarshal(text, out); err != nil {
		return fmt.Errorf("read an answer: %w", err)
	}
	tell(out)
	return nil
}

// list asks a route for a list, page by page up to a number of things; 0 is for one that comes whole.
func list[T any](c *asking, o *door, path string, query url.Values, most int, tell func(*T)) error {
	items, next := []json.RawMessage{}, ""
	for {
		q := url.Values{}
		maps.Copy(q, query)
		if most > 0 {
			q.Set("limit", strconv.Itoa(min(most-len(items), web.MaxLimit)))
		}
		if next != "" {
			q.Set("cursor", next)
		}
		text, err := o.send(http.MethodGet, path, q, nil)
		if err != nil {
			return err
		}
		var page struct {
			Items []json.RawMessage `json:"items"`
			Next  string            `json:"next_cursor"`
		}
		if err := json.Unmarshal(text, &page); err != nil {
			return fmt.Errorf("read a page: %w", err)
		}
		items = append(items, page.Items...)
		if next = page.Next; next == "" || most > 0 && len(items) >= most {
			break
		}
	}
	return told(c, o, items, tell)
}

// told prints things as JSON, or has each told in words.
func told[T any](c *asking, o *door, items []json.RawMessage, tell func(*T)) error {
	if c.JSON {
		return o.e.json(items)
	}
	if len(items) == 0 {
		o.e.printf("There is none.\n")
	}
	for _, text := range items {
		one := new(T)
		if err := web.Unmarshal(text, one); err != nil {
			return fmt.Errorf("read an answer: %w", err)
		}
		tell(one)
	}
	return nil
}

// happened tells a recorded fact.
func (o *door) happened(r *api.Recorded) {
	text := r.Summary
	if r.Duplicate {
		text += " (It was recorded before.)"
	}
	o.e.printf("%s  %s\n", r.ID, text)
	for _, why := range r.Why {
		o.e.printf("  %s\n", why)
	}
}

// day writes a time as the rest of the command line does.
func day(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.Format("2006-01-02 15:04 -07:00")
}

// written writes bytes to a file that is not there yet, or to the standard output for "" and "-".
func (e *env) written(file string, data []byte) error {
	if file == "" || file == "-" {
		_, err := e.Out.Write(data)
		return err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // a document that is meant to be sent on
	if os.IsExist(err) {
		return errs.Conflict("file_exists", fmt.Sprintf("%s is there already: name another file, or move it away.", file))
	}
	if err != nil {
		return errs.Invalid("file", fmt.Sprintf("%s cannot be written: %s.", file, reasonOf(err)))
	}
	_, err = f.Write(data)
	if failed := f.Close(); err == nil {
		err = failed
	}
	if err != nil {
		return errs.Unavailable("file", fmt.Sprintf("%s cannot be written: %s.", file, reasonOf(err)))
	}
	e.printf("Wrote %s.\n", file)
	return nil
}
