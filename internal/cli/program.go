package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"lojal.dev/lojal/internal/advice"
	"lojal.dev/lojal/internal/api"
	"lojal.dev/lojal/internal/audit"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/raffle"
	"lojal.dev/lojal/internal/terms"
	"lojal.dev/lojal/internal/version"
)

type initCmd struct {
	File      string `arg:"" optional:"" default:"program.yaml" help:"File to write."`
	Blueprint string `default:"coffee-stars" placeholder:"NAME" help:"Sample program to start from, one of those that --list tells; ${default} when left out."`
	List      bool   `help:"Tell which sample programs there are, and write nothing."`
}

func (initCmd) Help() string {
	return `An existing file is left alone. Each sample program comes with a story of a year, which docs/blueprints.md links to.

Examples:

    lojal init
    lojal init --list
    lojal init my-shop.yaml --blueprint grocery`
}

func (c *initCmd) Run(e *env) error {
	if c.List {
		for _, name := range program.Blueprints() {
			e.printf("%-22s %s\n", name, program.Summary(name))
		}
		return nil
	}
	text, err := program.Blueprint(c.Blueprint)
	if err != nil {
		return errs.NotFound("no_blueprint", sentence(err.Error()))
	}
	file, err := os.OpenFile(c.File, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // a document that is meant to be shared
	switch {
	case errors.Is(err, os.ErrExist):
		return errs.Conflict("file_exists", fmt.Sprintf("%s is there already: name another file, or move it away.", c.File))
	case err != nil:
		return errs.Invalid("file", fmt.Sprintf("%s cannot be written: %s.", c.File, reasonOf(err)))
	}
	_, err = file.Write(text)
	if err = errors.Join(err, file.Close()); err != nil {
		return errs.Unavailable("file", fmt.Sprintf("%s cannot be written: %s.", c.File, reasonOf(err)))
	}
	e.printf("Wrote %s. Edit it, then:\n\n    lojal program check %s\n    lojal program publish %s\n    lojal key create till --scope members:read,members:write,purchases:write,redemptions:write --expires 8760h\n    lojal serve\n", c.File, c.File, c.File)
	return nil
}

type programCmd struct {
	Check    programCheckCmd    `cmd:"" help:"Say every mistake of a document."`
	Diff     programDiffCmd     `cmd:"" help:"Say in words how two documents differ."`
	Explain  programExplainCmd  `cmd:"" help:"Tell a program in plain words, as its members may read it."`
	Lint     programLintCmd     `cmd:"" help:"Look a document over: unclear, unfair, diluted, leaky."`
	Publish  programPublishCmd  `cmd:"" help:"Put a document in force as the next version."`
	List     programListCmd     `cmd:"" help:"List the published versions."`
	Show     programShowCmd     `cmd:"" help:"Print a published version."`
	Set      programSetCmd      `cmd:"" help:"List the values of a document, or change some and leave the rest as it is written."`
	Draft    programDraftCmd    `cmd:"" help:"Print, keep or throw away the text that is being worked on."`
	Rollback programRollbackCmd `cmd:"" help:"Put an older version in force again, as a new one."`
	Schema   programSchemaCmd   `cmd:"" help:"Print the JSON Schema of a document."`
}

// document reads and checks a file. The error names every mistake with its line.
func (e *env) document(file string) (*program.Document, error) {
	data, err := e.readInput(file)
	if err != nil {
		return nil, err
	}
	name := file
	if file == "-" {
		name = "standard input"
	}
	d, err := program.Parse(data, name)
	if err != nil {
		return nil, problems(err, name)
	}
	if _, err := program.Compile(d, 0); err != nil {
		return nil, problems(err, name)
	}
	return d, nil
}

// problems makes an error with one field for each mistake, where its line is known in front of it.
func problems(err error, name string) error {
	var all *program.Problems
	if !errors.As(err, &all) {
		return err
	}
	out := errs.Invalid("invalid_program", fmt.Sprintf("%s has %s.", name, lang.Things(len(all.List), "mistake")))
	for _, p := range all.List {
		at := p.Pointer
		if p.Line > 0 {
			at = fmt.Sprintf("%s:%d:%d %s", name, p.Line, p.Column, p.Pointer)
		}
		said := p.Message
		if p.Hint != "" {
			said += ". " + strings.ToUpper(p.Hint[:1]) + p.Hint[1:]
		}
		out.Fields = append(out.Fields, errs.Field{Pointer: strings.TrimSpace(at), Reason: "invalid", Message: said})
	}
	return out.Because(all)
}

type programCheckCmd struct {
	jsonFlag
	File string `arg:"" help:"Document, YAML or JSON; - is the standard input."`
}

func (programCheckCmd) Help() string {
	return `All mistakes are told at once, each with its place, what is wrong and what to do.

Examples:

    lojal program check program.yaml
    lojal program check - < program.json`
}

func (c *programCheckCmd) Run(e *env) error {
	d, err := e.document(c.File)
	if c.JSON {
		type result struct {
			OK       bool              `json:"ok"`
			Program  string            `json:"program,omitempty"`
			Hash     string            `json:"hash,omitempty"`
			Problems []program.Problem `json:"problems"`
		}
		r := result{OK: err == nil, Problems: []program.Problem{}}
		if err == nil {
			r.Program = d.Program
			if r.Hash, err = program.Hash(d); err != nil {
				return err
			}
		} else {
			if all, ok := errors.AsType[*program.Problems](err); ok {
				r.Problems = all.List
			}
		}
		return errors.Join(e.json(r), err)
	}
	if err != nil {
		return err
	}
	e.printf("%s is right: program %s, %s, %s, %s.\n", c.File, d.Program, lang.Things(len(d.Earn), "rule"), lang.Things(len(d.Tiers), "tier set"), lang.Things(len(d.Rewards), "reward"))
	return nil
}

type programDiffCmd struct {
	jsonFlag
	A    string `arg:"" help:"Document before; a number is a published version."`
	B    string `arg:"" help:"Document after; a number is a published version."`
	Lang string `default:"en" enum:"nb,sv,da,en" placeholder:"LANG" help:"Language of the sentences: nb, sv, da or en (the default)."`
	inProgram
}

func (programDiffCmd) Help() string {
	return `Examples:

    lojal program diff program.yaml new.yaml
    lojal program diff 3 program.yaml --lang nb`
}

func (c *programDiffCmd) Run(e *env) error {
	a, err := document(e, &c.inProgram, c.A)
	if err != nil {
		return err
	}
	b, err := document(e, &c.inProgram, c.B)
	if err != nil {
		return err
	}
	changes := program.Diff(a, b, c.Lang)
	if c.JSON {
		if changes == nil {
			changes = []program.Change{}
		}
		return e.json(changes)
	}
	if len(changes) == 0 {
		e.printf("No difference.\n")
	}
	for _, change := range changes {
		e.printf("%s\n", change.Sentence)
	}
	return nil
}

type programPublishCmd struct {
	jsonFlag
	File string `arg:"" help:"Document, YAML or JSON; - is the standard input."`
	From string `placeholder:"TIME" help:"Business time from which it counts: a date in the program's zone, or a time with offset. Without it: now, and for the first version always."`
	database
}

func (programPublishCmd) Help() string {
	return `A published version never changes; each purchase is decided by the version in force at its business time. A SQLite
database that is not there is made.

Examples:

    lojal program publish program.yaml
    lojal program publish program.yaml --from 2027-01-01`
}

func (c *programPublishCmd) Run(e *env) (err error) {
	doc, err := e.document(c.File)
	if err != nil {
		return err
	}
	in := version.PublishInput{Program: doc.Program, Document: doc, By: actor, Now: e.now()}
	if c.From != "" {
		from, err := moment(c.From, doc.TimeZone)
		if err != nil {
			return err
		}
		in.From = &from
	}
	d, err := c.create(e)
	if err != nil {
		return err
	}
	defer closing(d, &err)
	var out version.Published
	err = d.Write(e.ctx, func(tx *db.Tx) error {
		var err error
		if out, err = version.Publish(e.ctx, tx, in); err != nil || out.Unchanged {
			return err
		}
		if err := raffle.Keep(e.ctx, tx, out, in.Now); err != nil {
			return err
		}
		return note(e, tx, in.Program, "program.published", fmt.Sprint(out.Version), in.Now)
	})
	if err != nil {
		return err
	}
	if c.JSON {
		return e.json(out)
	}
	if out.Unchanged {
		e.printf("Nothing to do: version %d of %s is in force and holds the same.\n", out.Version, out.Program)
	} else {
		e.printf("Version %d of %s is published, in force %s.\n", out.Version, out.Program, since(out.EffectiveFrom, doc.TimeZone))
	}
	e.warnReplaced(out, doc.TimeZone)
	return nil
}

// warnReplaced says that a version which was planned before takes the place of the one just published: a rollback or an urgent
// change does not call it off.
func (e *env) warnReplaced(p version.Published, zone string) {
	if p.ReplacedBy == 0 {
		return
	}
	at := p.ReplacedAt
	if in, err := time.LoadLocation(zone); err == nil {
		at = at.In(in)
	}
	fmt.Fprintf(e.Err, "Note: version %d is planned and still takes its place on %s. To prevent that: lojal program rollback %d --from %s\n",
		p.ReplacedBy, local(at, zone), p.Version, at.Format(time.RFC3339Nano))
}

// note writes to the audit log.
func note(e *env, tx *db.Tx, program, action, target string, now time.Time) error {
	_, err := audit.Append(e.ctx, tx, audit.Entry{Program: program, At: now, Actor: actor, Action: action, Target: target})
	return err
}

// since says from when something counts.
func since(t time.Time, zone string) string {
	if t.IsZero() {
		return "from the beginning"
	}
	return "from " + local(t, zone)
}

// local writes a time in a zone.
func local(t time.Time, zone string) string {
	if at, err := time.LoadLocation(zone); err == nil {
		t = t.In(at)
	}
	return t.Format("2006-01-02 15:04:05 MST")
}

// moment reads a date in the zone, or a time with offset.
func moment(text, zone string) (time.Time, error) {
	at, err := time.LoadLocation(zone)
	if err != nil {
		return time.Time{}, errs.Invalid("zone", fmt.Sprintf("%s is not a time zone.", zone))
	}
	for _, layout := range []string{time.DateOnly, "2006-01-02 15:04", "2006-01-02 15:04:05", time.RFC3339Nano} {
		if t, err := time.ParseInLocation(layout, text, at); err == nil {
			return t, nil
		}
	}
	return time.Time{}, errs.Malformed("not_a_time", fmt.Sprintf("%q is not a time: write a date such as 2027-01-01, or 2027-01-01T12:00:00+01:00.", text))
}

type programListCmd struct {
	jsonFlag
	inProgram
}

func (programListCmd) Help() string {
	return `Examples:

    lojal program list
    lojal program list --json`
}

func (c *programListCmd) Run(e *env) error { return c.on(e, c.run) }

func (c *programListCmd) run(e *env, d *db.DB, id string) (err error) {
	var set *version.Set
	err = d.Read(e.ctx, func(tx *db.Tx) (err error) {
		set, err = version.Load(e.ctx, tx, id)
		return err
	})
	if err != nil {
		return err
	}
	inForce, zone := int64(0), set.Latest().Doc.TimeZone
	if p := set.At(e.now()); p != nil {
		inForce, zone = p.Version, p.Doc.TimeZone
	}
	type listed struct {
		version.Published
		InForce bool `json:"in_force"`
	}
	list := []listed{}
	for _, p := range slices.Backward(set.List()) {
		list = append(list, listed{set.Planned(p), p.Version == inForce})
	}
	if c.JSON {
		return e.json(list)
	}
	for _, p := range list {
		mark := " "
		if p.InForce {
			mark = "*"
		}
		e.printf("%s %3d  %-28s published %s by %s", mark, p.Version, since(p.EffectiveFrom, zone), local(p.PublishedAt, zone), p.PublishedBy)
		if p.RollbackOf > 0 {
			e.printf(", as version %d", p.RollbackOf)
		}
		e.printf("\n")
	}
	switch next := set.Planned(version.Published{Version: inForce}); {
	case inForce == 0:
		e.printf("None is in force yet.\n")
	case next.ReplacedBy == 0:
		e.printf("* is in force now.\n")
	default:
		e.printf("* is in force now; version %d takes its place on %s.\n", next.ReplacedBy, local(next.ReplacedAt, zone))
	}
	return nil
}

// published gives the document of one version.
func (e *env) published(d *db.DB, p programFlag, n int64) (doc *program.Document, err error) {
	id, err := p.of(e, d)
	if err != nil {
		return nil, err
	}
	err = d.Read(e.ctx, func(tx *db.Tx) (err error) {
		_, doc, err = version.Get(e.ctx, tx, id, n)
		return err
	})
	return doc, err
}

type programShowCmd struct {
	jsonFlag
	Number int64 `arg:"" help:"Number of the version."`
	inProgram
}

func (programShowCmd) Help() string {
	return `Examples:

    lojal program show 3 > program.yaml
    lojal program show 3 --json`
}

func (c *programShowCmd) Run(e *env) (err error) {
	d, err := c.open(e)
	if err != nil {
		return err
	}
	defer closing(d, &err)
	doc, err := e.published(d, c.programFlag, c.Number)
	if err != nil {
		return err
	}
	if c.JSON {
		text, err := program.Canonical(doc)
		e.printf("%s\n", text)
		return err
	}
	text, err := program.YAML(doc)
	e.printf("%s", text)
	return err
}

type programDraftCmd struct {
	asking
	Keep string `placeholder:"FILE" help:"Keep the text of a file as the draft, with whatever mistakes it has; - is the standard input."`
	Drop bool   `help:"Throw the draft away."`
}

func (programDraftCmd) Help() string {
	return `The draft is the text that the console shows under Program. Where there is none, the version in force is printed.

Examples:

    lojal program draft > draft.yaml
    lojal program draft --keep draft.yaml
    lojal program draft --drop`
}

func (c *programDraftCmd) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		tell := func(d *api.KeptDraft) { e.printf("%s", d.Source) }
		kept := func(d *api.KeptDraft) { e.printf("Kept as revision %d of the draft.\n", d.Revision) }
		switch {
		case c.Drop:
			return call(&c.asking, o, http.MethodDelete, "/v1/program/draft", nil, nil, func(*api.KeptDraft) { e.printf("The draft is thrown away.\n") })
		case c.Keep == "":
			return call(&c.asking, o, http.MethodGet, "/v1/program/draft", nil, nil, tell)
		}
		text, err := e.readInput(c.Keep)
		if err != nil {
			return err
		}
		was, err := o.send(http.MethodGet, "/v1/program/draft", nil, nil)
		if err != nil {
			return err
		}
		var now api.KeptDraft
		if err := json.Unmarshal(was, &now); err != nil {
			return fmt.Errorf("read the draft: %w", err)
		}
		return call(&c.asking, o, http.MethodPut, "/v1/program/draft", nil, api.DraftChange{Source: string(text), Revision: now.Revision}, kept)
	})
}

type programRollbackCmd struct {
	jsonFlag
	Number int64  `arg:"" help:"Number of the version to bring back."`
	From   string `placeholder:"TIME" help:"Business time from which it counts: a date in the program's zone, or a time with offset; now when left out."`
	inProgram
}

func (programRollbackCmd) Help() string {
	return `The version is published again under a new number and counts from now on, or from --from. What was decided stays as it was.
A version that was published before and begins later still comes into force: the command says so.

Examples:

    lojal program rollback 3
    lojal program rollback 3 --from 2027-01-01`
}

func (c *programRollbackCmd) Run(e *env) error { return c.on(e, c.run) }

func (c *programRollbackCmd) run(e *env, d *db.DB, id string) (err error) {
	now := e.now()
	var out version.Published
	zone := "UTC"
	err = d.Write(e.ctx, func(tx *db.Tx) error {
		_, doc, err := version.Get(e.ctx, tx, id, c.Number)
		if err != nil {
			return err
		}
		from := now
		if zone = doc.TimeZone; c.From != "" {
			if from, err = moment(c.From, zone); err != nil {
				return err
			}
		}
		if out, err = version.Rollback(e.ctx, tx, id, c.Number, from, actor, now); err != nil || out.Unchanged {
			return err
		}
		if err := raffle.Keep(e.ctx, tx, out, now); err != nil {
			return err
		}
		return note(e, tx, id, "program.rolled_back", fmt.Sprint(out.Version), now)
	})
	if err != nil {
		return err
	}
	if c.JSON {
		return e.json(out)
	}
	if out.Unchanged {
		e.printf("Nothing to do: version %d of %s is in force and holds the same.\n", out.Version, out.Program)
	} else {
		e.printf("Version %d of %s is published with the content of version %d, in force %s.\n", out.Version, id, c.Number, since(out.EffectiveFrom, zone))
	}
	e.warnReplaced(out, zone)
	return nil
}

type programSchemaCmd struct{}

func (programSchemaCmd) Help() string {
	return `Editors that know JSON Schema complete and check documents with it.

Examples:

    lojal program schema > program.schema.json`
}

func (programSchemaCmd) Run(e *env) error {
	e.printf("%s\n", strings.TrimSpace(string(program.Schema())))
	return nil
}

type programExplainCmd struct {
	jsonFlag
	File string `arg:"" help:"Document, YAML or JSON; - is the standard input; a number is a published version."`
	Lang string `default:"en" enum:"nb,sv,da,en" placeholder:"LANG" help:"Language: nb, sv, da or en (the default)."`
	inProgram
}

func (programExplainCmd) Help() string {
	return `The text is Markdown, meant as the program's page of terms: what gives points, what they are good for, when they end,
tiers, returns. Rules on trial are left out.

Examples:

    lojal program explain program.yaml --lang nb
    lojal program explain 3 --lang sv > terms.md`
}

func (c *programExplainCmd) Run(e *env) error {
	p, err := compiled(e, &c.inProgram, c.File)
	if err != nil {
		return err
	}
	if c.JSON {
		return e.json(terms.Of(p, c.Lang))
	}
	e.printf("%s", terms.Markdown(p, c.Lang))
	return nil
}

type programLintCmd struct {
	jsonFlag
	File     string   `arg:"" help:"Document, YAML or JSON; - is the standard input; a number is a published version."`
	Lang     string   `default:"en" enum:"nb,sv,da,en" placeholder:"LANG" help:"Language: nb, sv, da or en (the default)."`
	Purchase string   `placeholder:"MONEY" help:"What a usual member buys for at a time, in the program's currency; what the document says under usual, or 250, when left out."`
	PerMonth int64    `placeholder:"N" help:"How often a usual member buys in a month; what the document says under usual, or 2, when left out."`
	Except   []string `placeholder:"CODE" help:"Findings to leave out, by their codes."`
	inProgram
}

func (programLintCmd) Help() string {
	return `Where check tells what is wrong, lint tells what is unwise: unclear (nobody can see what counts), unfair (newcomers or lower
tiers get more), diluted (nothing to look forward to), leaky (it can be drained). Each with the reason and a mend. The exit
status is 5 when there is a finding.

Examples:

    lojal program lint program.yaml
    lojal program lint program.yaml --purchase 1200 --per-month 1 --lang nb`
}

func (c *programLintCmd) Run(e *env) error {
	p, err := compiled(e, &c.inProgram, c.File)
	if err != nil {
		return err
	}
	usual := advice.UsualOf(p)
	if c.PerMonth != 0 {
		usual.PerMonth = c.PerMonth
	}
	if c.Purchase != "" {
		d, err := money.Parse(c.Purchase)
		if err == nil {
			usual.Purchase, err = d.Minor(p.Exponent)
		}
		if err != nil || usual.Purchase <= 0 {
			return errs.Invalid("not_an_amount", "--purchase must be an amount of money, for example 250 or 199.50.")
		}
	}
	if usual.PerMonth <= 0 {
		return errs.Invalid("out_of_range", "--per-month must be 1 or more.")
	}
	found := slices.DeleteFunc(advice.Of(p, e.now(), usual, c.Lang), func(f advice.Finding) bool { return slices.Contains(c.Except, f.Code) })
	if c.JSON {
		if found == nil {
			found = []advice.Finding{}
		}
		err = e.json(found)
	} else {
		for _, f := range found {
			e.printf("%s: %s [%s]\n    %s\n    %s\n", f.Pointer, f.Kind, f.Code, f.Why, f.Mend)
		}
	}
	switch {
	case err != nil:
		return err
	case len(found) > 0:
		return errs.Conflict("findings", fmt.Sprintf("%s has %s.", c.File, lang.Things(len(found), "finding")))
	case !c.JSON:
		e.printf("%s: nothing to mend.\n", c.File)
	}
	return nil
}

// compiled reads a file, or a published version by its number, and compiles it.
func compiled(e *env, in *inProgram, name string) (*program.Compiled, error) {
	doc, err := document(e, in, name)
	if err != nil {
		return nil, err
	}
	return program.Compile(doc, 0)
}

// document reads a document from a file, or a published version by its number.
func document(e *env, in *inProgram, name string) (doc *program.Document, err error) {
	var n int64
	if _, err := fmt.Sscanf(name+"\n", "%d\n", &n); err != nil {
		return e.document(name)
	}
	d, err := in.open(e)
	if err != nil {
		return nil, err
	}
	defer closing(d, &err)
	return e.published(d, in.programFlag, n)
}
