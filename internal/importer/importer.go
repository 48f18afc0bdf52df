// Package importer takes members, purchases and activities from files of rows into a program.
//
// It owns the table imports, the mapping of columns to facts and the reading of files (charset, delimiter, header, fixed
// widths). It does not own what a fact leads to (record).
//
// What always holds: every row is taken, known from before, left out as a guest's, or refused with its number and the reason; what is taken has
// a natural key, so that a file can be imported again, whole or after a kill at any moment, and nothing counts twice; the
// facts of one member are taken in the order of their business time, so that tiers and expiry come out as if they had
// come in day by day.
package importer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	jobs "lojal.dev/lojal/internal/job"
	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/member"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/version"
)

// generation is part of what tells one import from another; it changes when rows are read or ordered otherwise.
const generation = "1"

// Input is what to import, and where to.
type Input struct {
	DB       *db.DB
	Recorder *record.Recorder
	Versions *version.Cache
	Program  string
	// Kind is what the caller takes the file for; the mapping must say the same.
	Kind Kind
	// File and Mapping are paths. With gives further files in place of the mapping's, by name.
	File    string
	Mapping string
	With    map[string]string
	// Batch is how many facts are taken at a time, 2,000 when 0.
	Batch int
	// DryRun reads, checks and counts, and writes nothing.
	DryRun bool
	// Refused is the path for a copy of the refused rows with the reasons; none is written when it is empty or no row is refused.
	Refused string
	// Clock gives the real time.
	Clock func() time.Time
	Actor string
	// Progress, when set, is told how many facts of how many are done.
	Progress func(done, of int)
	// Lease is how long an import may stand still before another process takes it over, 10 s when 0. Waiting, when set, is told who
	// has begun the same import, while it is seen whether that one still runs.
	Lease   time.Duration
	Waiting func(node string)

	// upload is set when the files were uploaded, and a job has the import.
	upload *upload
}

// read gives the bytes of a file, unpacked.
func (in *Input) read(ctx context.Context, path string) ([]byte, error) {
	if in.upload != nil {
		return in.upload.read(ctx, path)
	}
	return load(path)
}

// Kind of the job that an import is while it runs.
const jobKind = "import"

// Report is what came of an import.
type Report struct {
	// Import is the id of the import, empty for a dry run.
	Import string `json:"import,omitempty"`
	Kind   Kind   `json:"kind"`
	File   string `json:"file"`
	DryRun bool   `json:"dry_run,omitempty"`
	// Charset and Delimiter are how the file was read.
	Charset   string `json:"charset,omitempty"`
	Delimiter string `json:"delimiter,omitempty"`
	// Rows are those of the file; Facts the members, purchases or activities they make.
	Rows  int `json:"rows"`
	Facts int `json:"facts"`
	// Recorded facts are new, Known ones were there before. Differing ones were too, but with other content: of members they
	// are among the known, of purchases and activities their rows are refused. What was there first stands.
	Recorded  int `json:"recorded"`
	Known     int `json:"known"`
	Differing int `json:"differing"`
	// Enrolled are members who were made along with their first purchase or activity.
	Enrolled int `json:"enrolled"`
	// Refused counts rows.
	Refused int `json:"refused"`
	// Guests counts rows of purchases that name no member: they are left out.
	Guests int `json:"guests,omitempty"`
	// Unmatched counts rows that lead to nothing in a further file, by its name.
	Unmatched map[string]int `json:"unmatched,omitempty"`
	// Members counts those that the file speaks of.
	Members int `json:"members"`
	// From and Until bound the business times of the file.
	From  *time.Time `json:"from,omitempty"`
	Until *time.Time `json:"until,omitempty"`
	// Earned is what the new facts earned, by unit.
	Earned map[string]string `json:"earned,omitempty"`
	// ResumedAt is how many facts had been done before, when an import was taken up again.
	ResumedAt int `json:"resumed_at,omitempty"`
	// Refusals are the first of the refused rows; RefusedFile holds them all.
	Refusals    []Refusal `json:"refusals,omitempty"`
	RefusedFile string    `json:"refused_file,omitempty"`
	// Sample are the first facts, in a dry run.
	Sample []engine.Fact `json:"sample,omitempty"`
}

// maxShown is how many refusals a report holds.
const maxShown = 100

// files are what was read.
type files struct {
	mapping *Mapping
	table   *table
	with    map[string]*table
	hash    string
}

// Run imports a file. With an error there is a report too, of what was done until then; the same call again goes on
// from there.
//
// Errors: not_found "file"; invalid "invalid_mapping", "columns_not_found", "mapping_and_program" and what a file can be wrong
// with as a whole; unavailable when the database is away or the context ends.
func Run(ctx context.Context, in Input) (Report, error) {
	if in.Batch <= 0 {
		in.Batch = 2000
	}
	f, err := open(ctx, in)
	if err != nil {
		return Report{}, err
	}
	p, err := latest(ctx, in)
	if err != nil {
		return Report{}, err
	}
	c, err := newConverter(f.mapping, p, f, in.Clock())
	if err != nil {
		return Report{}, err
	}
	items := c.items()
	inOrder(items, byTime(p))
	report := c.about(in, items)
	if in.DryRun {
		return dryRun(ctx, in, c, items, report)
	}
	return take(ctx, in, c, items, report, f.hash+fmt.Sprint(byTime(p)))
}

// open reads the mapping and all files.
func open(ctx context.Context, in Input) (*files, error) {
	data, err := in.read(ctx, in.Mapping)
	if err != nil {
		return nil, err
	}
	m, err := ParseMapping(data, in.Mapping)
	if err != nil {
		return nil, err
	}
	if m.Import != in.Kind {
		return nil, errs.Invalid("wrong_mapping", fmt.Sprintf("The mapping %s is for %s, not for %s.", in.Mapping, m.Import, in.Kind))
	}
	for name := range in.With {
		if _, ok := m.With[name]; !ok {
			return nil, errs.Invalid("wrong_mapping", fmt.Sprintf("The mapping %s has no further file named %q.", in.Mapping, name))
		}
	}
	h := sha256.New()
	add := func(part []byte) {
		sum := sha256.Sum256(part)
		_, _ = h.Write(sum[:]) // a hash takes everything
	}
	add([]byte(generation + "\x00" + in.Program))
	add(data)
	named := slices.ContainsFunc(m.values(), func(v *Value) bool { return v.named("", m.With) })
	f := &files{mapping: m, with: map[string]*table{}}
	if data, err = in.read(ctx, in.File); err != nil {
		return nil, err
	}
	add(data)
	if f.table, err = readTable(data, in.File, m.File, named); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(m.With)) {
		path := in.With[name]
		l := m.With[name]
		if path == "" {
			path = l.File
			if !filepath.IsAbs(path) {
				path = filepath.Join(filepath.Dir(in.Mapping), path)
			}
		}
		if data, err = in.read(ctx, path); err != nil {
			return nil, err
		}
		add(data)
		named := l.Key.named("", nil) || slices.ContainsFunc(m.values(), func(v *Value) bool { return v.named(name, m.With) })
		if f.with[name], err = readTable(data, path, l.Layout, named); err != nil {
			return nil, err
		}
	}
	f.hash = hex.EncodeToString(h.Sum(nil))
	return f, nil
}

// named says whether the value names a column of the file (one of the further ones, or "" for the main one) by name.
func (v *Value) named(file string, with map[string]Lookup) bool {
	return slices.ContainsFunc(v.Columns, func(c Column) bool {
		prefix, _, dotted := strings.Cut(c.Name, ".")
		if _, known := with[prefix]; !dotted || !known {
			prefix = ""
		}
		return c.Number == 0 && prefix == file
	})
}

func latest(ctx context.Context, in Input) (*program.Compiled, error) {
	var p *program.Compiled
	err := in.DB.Read(ctx, func(tx *db.Tx) error {
		set, err := in.Versions.Get(ctx, tx, in.Program)
		if err == nil {
			p = set.Latest()
		}
		return err
	})
	return p, err
}

// byTime says whether the program has something that all members share, so that it matters who came first. Else one
// member's facts stay together, which is much less work.
func byTime(p *program.Compiled) bool {
	shared := func(limits []program.CompiledLimit) bool {
		return slices.ContainsFunc(limits, func(l program.CompiledLimit) bool { return l.Each == "program" })
	}
	for _, r := range p.ByID {
		if shared(r.Limits) {
			return true
		}
	}
	for _, r := range p.Rewards {
		if r.Stock >= 0 || shared(r.Limits) {
			return true
		}
	}
	return false
}

// inOrder sorts items by time, those of one member side by side unless all is by time.
func inOrder(items []item, byTime bool) {
	first := make(map[string]time.Time, len(items))
	for i := range items {
		if t, ok := first[items[i].member]; !ok || items[i].at.Before(t) {
			first[items[i].member] = items[i].at
		}
	}
	slices.SortStableFunc(items, func(a, b item) int {
		if !byTime && a.member != b.member {
			if n := first[a.member].Compare(first[b.member]); n != 0 {
				return n
			}
			return strings.Compare(a.member, b.member)
		}
		return a.at.Compare(b.at)
	})
}

// about begins the report with what is known before anything is taken.
func (c *converter) about(in Input, items []item) Report {
	r := Report{Kind: in.Kind, File: in.File, DryRun: in.DryRun, Charset: c.table.charset, Delimiter: delimiterWord(c.table.delimiter),
		Rows: len(c.table.rows), Facts: len(items), Guests: c.guests, Unmatched: c.unmatched}
	members := map[string]bool{}
	for i := range items {
		members[items[i].member] = true
		at := items[i].at.UTC()
		if at.IsZero() {
			continue
		}
		if r.From == nil || at.Before(*r.From) {
			r.From = &at
		}
		if r.Until == nil || at.After(*r.Until) {
			r.Until = &at
		}
	}
	r.Members = len(members)
	return r
}

func delimiterWord(d string) string {
	switch d {
	case "\t":
		return "tab"
	case string(blanks):
		return "spaces"
	}
	return d
}

// job is an import under way.
type job struct {
	in      Input
	c       *converter
	items   []item
	place   place
	refused *refusedRows
	// known members by reference, so that each is looked up once.
	members map[string]string
}

// place finds where the import stands.
func (in *Input) place(ctx context.Context, hash string) (place, bool, error) {
	if in.upload != nil {
		return findID(ctx, in.DB, in.Program, in.upload.id)
	}
	return find(ctx, in.DB, in.Program, hash)
}

// sink is where the refused rows go, nil for nowhere.
func (in *Input) sink(ctx context.Context) sink {
	switch {
	case in.upload != nil:
		return &refusedChunks{ctx: ctx, upload: in.upload}
	case in.Refused != "":
		return &refusedFile{path: in.Refused}
	}
	return nil
}

// take records the items, while no other process does.
func take(ctx context.Context, in Input, c *converter, items []item, report Report, hash string) (Report, error) {
	if in.upload != nil {
		return takeHeld(ctx, in, c, items, report, hash)
	}
	if in.Lease <= 0 {
		in.Lease = 10 * time.Second
	}
	held, err := jobs.Take(ctx, jobs.New{Kind: jobKind, Unique: in.Program + " " + hash}, jobs.HoldOptions{DB: in.DB, Clock: in.Clock, Lease: in.Lease, Waiting: in.Waiting})
	if errs.Is(err, errs.CodeConflict, "held") {
		return report, errs.Conflict("import_running", "The same file is being imported already. "+errs.As(err).Message+" Wait until it is done, or stop it.")
	}
	if err != nil {
		return report, err
	}
	report, err = takeHeld(held.Context(), in, c, items, report, hash)
	if cause := context.Cause(held.Context()); ctx.Err() == nil && errors.Is(cause, jobs.ErrLost) {
		return report, errs.Conflict("import_taken_over", "This import stood still for too long, and another process has taken it over.").Because(err)
	} else if ctx.Err() == nil && errors.Is(cause, jobs.ErrCancelled) {
		err = errs.Conflict("import_called_off", "The import was called off. The same command goes on from where it stopped.").Because(err)
	}
	if ending := held.End(err); err == nil {
		err = ending
	}
	return report, err
}

func takeHeld(ctx context.Context, in Input, c *converter, items []item, report Report, hash string) (Report, error) {
	p, found, err := in.place(ctx, hash)
	if err != nil {
		return report, err
	}
	j := &job{in: in, c: c, items: items, members: map[string]string{}}
	switch {
	case !found:
		if p, err = begin(ctx, in.DB, in.Program, in.Kind, hash, filepath.Base(in.File), in.Clock()); err != nil {
			return report, err
		}
	case (p.status == running || p.status == waiting) && p.items <= len(items):
		old := p.Report
		report.ResumedAt = p.items
		report.Recorded, report.Known, report.Differing, report.Enrolled = old.Recorded, old.Known, old.Differing, old.Enrolled
		report.Refused, report.Refusals = old.Refused, old.Refusals
	default: // done before: all of it is looked at once more, and found to be there
		p = place{id: p.id}
	}
	if p.Minor == nil {
		p.Minor = map[string]int64{}
	}
	report.Import = p.id
	p.Report, p.status = report, running
	j.place = p
	if j.refused, err = openRefused(in.sink(ctx), c.table, p.RefusedBytes); err != nil {
		return report, err
	}
	err = j.run(ctx)
	if closing := j.refused.close(); err == nil {
		err = closing
	}
	return j.place.Report, err
}

func (j *job) run(ctx context.Context) error {
	r := &j.place.Report
	if !j.place.Begun { // what cannot be read was refused already when the import is taken up again
		j.place.Begun = true
		if err := j.refuse(j.c.refusals); err != nil {
			return err
		}
	}
	if err := j.keep(ctx); err != nil {
		return err
	}
	for j.place.items < len(j.items) {
		if j.in.Progress != nil {
			j.in.Progress(j.place.items, len(j.items))
		}
		n := min(j.in.Batch, len(j.items)-j.place.items)
		if err := j.batch(ctx, j.items[j.place.items:j.place.items+n]); err != nil {
			return j.stopped(ctx, err)
		}
		j.place.items += n
		if err := j.keep(ctx); err != nil {
			return j.stopped(ctx, err)
		}
	}
	if j.in.Progress != nil {
		j.in.Progress(len(j.items), len(j.items))
	}
	j.place.status = done
	slices.SortStableFunc(r.Refusals, func(a, b Refusal) int { return a.Row - b.Row })
	if r.Refused > 0 {
		r.RefusedFile = j.in.Refused
	}
	return j.keep(ctx)
}

// stopped makes an error of what ended an import before its end.
func (j *job) stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errs.Unavailable("stopped", fmt.Sprintf("The import was stopped after %s of %s: the same command goes on from there.",
			group(int64(j.place.items)), lang.Things(len(j.items), noun(j.in.Kind)))).Because(err)
	}
	return fmt.Errorf("import after %d of %d: %w", j.place.items, len(j.items), err)
}

// keep writes down where the import stands, with the refused rows safely in their file first.
func (j *job) keep(ctx context.Context) error {
	r := &j.place.Report
	var err error
	if j.place.RefusedBytes, err = j.refused.flush(); err != nil {
		return err
	}
	r.Earned = nil
	for unit, n := range j.place.Minor {
		if r.Earned == nil {
			r.Earned = map[string]string{}
		}
		r.Earned[unit] = money.Format(n, j.c.program.Units[unit].Precision)
	}
	return j.place.keep(ctx, j.in.DB, j.in.Program, j.in.Clock())
}

func (j *job) refuse(rows []Refusal) error {
	r := &j.place.Report
	r.Refused += len(rows)
	if free := maxShown - len(r.Refusals); free > 0 {
		r.Refusals = append(r.Refusals, rows[:min(free, len(rows))]...)
	}
	return j.refused.add(rows)
}

// batch takes some items: first it makes the members who are new, then it records the facts.
func (j *job) batch(ctx context.Context, items []item) error {
	if j.in.Kind == Members {
		return j.newcomers(ctx, items)
	}
	if err := j.resolve(ctx, items); err != nil {
		return err
	}
	now := j.in.Clock()
	reqs := make([]record.Request, 0, len(items))
	mine := make([]*item, 0, len(items))
	for i := range items {
		it := &items[i]
		if j.members[it.member] == "" {
			if err := j.refuse(j.c.explain(it, errs.NotFound("member_not_found", fmt.Sprintf("there is no member %s; write enrol: true in the mapping to enrol such members", it.member)))); err != nil {
				return err
			}
			continue
		}
		f, bad := j.c.make(it)
		if len(bad) > 0 {
			if err := j.refuse(j.c.spread(it, bad)); err != nil {
				return err
			}
			continue
		}
		reqs = append(reqs, record.Request{Program: j.in.Program, Member: j.members[it.member], Fact: f, Now: now, Actor: j.in.Actor})
		mine = append(mine, it)
	}
	return j.outcomes(j.in.Recorder.Batch(ctx, reqs), mine)
}

// make makes the fact of an item.
func (c *converter) make(it *item) (engine.Fact, []Refusal) {
	if c.mapping.Import == Activities {
		return c.doing(it)
	}
	return c.purchase(it)
}

// outcomes counts what came of facts.
func (j *job) outcomes(all []record.Outcome, items []*item) error {
	r := &j.place.Report
	for i, out := range all {
		switch {
		case out.Err == nil && out.Result.Duplicate:
			r.Known++
		case out.Err == nil:
			r.Recorded++
			for unit, n := range out.Result.Decision.Sums() {
				j.place.Minor[unit] += n
			}
			for _, due := range out.Result.Dues {
				for unit, n := range due.Decision.Sums() {
					j.place.Minor[unit] += n
				}
			}
		case errs.Is(out.Err, errs.CodeConflict, "duplicate_external_id") && j.in.Kind == Members:
			r.Known++
			r.Differing++
		case errs.Is(out.Err, errs.CodeConflict, "duplicate_external_id"):
			r.Differing++
			if err := j.refuse(j.c.explain(items[i], errs.Conflict("", fmt.Sprintf("the number %q of the source %s is known already, with other content", items[i].key, j.c.mapping.Source)))); err != nil {
				return err
			}
		case lost(out.Err):
			return out.Err
		default:
			if err := j.refuse(j.c.explain(items[i], out.Err)); err != nil {
				return err
			}
		}
	}
	return nil
}

// lost says that an error is not the row's own fault: the import cannot go on.
func lost(err error) bool {
	code := errs.CodeOf(err)
	return code == errs.CodeUnavailable || code == errs.CodeInternal
}

// resolve finds the members of the items, and enrols those who are new where the mapping says so.
func (j *job) resolve(ctx context.Context, items []item) error {
	var refs []string
	first := map[string]*item{}
	for i := range items {
		it := &items[i]
		if _, known := j.members[it.member]; known {
			continue
		}
		if f := first[it.member]; f == nil {
			refs = append(refs, it.member)
			first[it.member] = it
		} else if it.at.Before(f.at) {
			first[it.member] = it
		}
	}
	if len(refs) == 0 {
		return nil
	}
	var found []member.Resolved
	err := j.in.DB.Read(ctx, func(tx *db.Tx) (err error) {
		found, err = member.ResolveAll(ctx, tx, j.c.program, refs)
		return err
	})
	if err != nil {
		return err
	}
	var unknown []string
	for i, ref := range refs {
		j.members[ref] = found[i].ID
		if found[i].ID == "" {
			unknown = append(unknown, ref)
		}
	}
	if !j.c.mapping.Member.Enrol || len(unknown) == 0 {
		return nil
	}
	now := j.in.Clock()
	reqs := make([]record.Request, len(unknown))
	for i, ref := range unknown {
		kind, value, _ := strings.Cut(ref, ":")
		it := first[ref]
		cells := j.c.table.rows[it.rows[0]].cells
		reqs[i] = record.Request{Program: j.in.Program, Now: now, Actor: j.in.Actor,
			Enrol: &member.New{Identifiers: []member.Identifier{{Kind: kind, Value: value}}},
			Fact: engine.Fact{Kind: engine.Enrolment, OccurredAt: it.at,
				Enrolment: &engine.EnrolmentBody{Store: get(j.c.store, cells), Channel: get(j.c.channel, cells)}}}
	}
	for i, out := range j.in.Recorder.Batch(ctx, reqs) {
		switch {
		case out.Err == nil:
			j.members[unknown[i]] = out.Result.Member.ID
			j.place.Enrolled++
			for unit, n := range out.Result.Decision.Sums() {
				j.place.Minor[unit] += n
			}
		case lost(out.Err):
			return out.Err
		default:
			if id, taken := member.Taken(out.Err); taken { // somebody enrolled them meanwhile
				j.members[unknown[i]] = id
				continue
			}
			return fmt.Errorf("enrol %s: %w", unknown[i], out.Err)
		}
	}
	return nil
}

// newcomers enrols members.
func (j *job) newcomers(ctx context.Context, items []item) error {
	now := j.in.Clock()
	var reqs []record.Request
	var mine []*item
	for i := range items {
		it := &items[i]
		f, n, bad := j.c.newcomer(it)
		if len(bad) > 0 {
			if err := j.refuse(j.c.spread(it, bad)); err != nil {
				return err
			}
			continue
		}
		reqs = append(reqs, record.Request{Program: j.in.Program, Enrol: n, Fact: f, Now: now, Actor: j.in.Actor})
		mine = append(mine, it)
	}
	outs := j.in.Recorder.Batch(ctx, reqs)
	var balances []record.Request
	var owners []*item
	for i, out := range outs {
		id := ""
		switch {
		case out.Err == nil:
			id = out.Result.Fact.Member // also of one who is known: a kill may have come before the balance
		case errs.Is(out.Err, errs.CodeConflict, "identifier_taken") && j.isKey(out.Err):
			id, _ = member.Taken(out.Err)
			outs[i] = record.Outcome{Result: &record.Result{Duplicate: true}} // enrolled before in some other way
		}
		if id == "" || len(j.c.balance) == 0 {
			continue
		}
		facts, bad := j.c.brought(mine[i])
		if len(bad) > 0 {
			if err := j.refuse(bad); err != nil {
				return err
			}
			continue
		}
		for _, f := range facts {
			balances = append(balances, record.Request{Program: j.in.Program, Member: id, Fact: f, Now: now, Actor: j.in.Actor})
			owners = append(owners, mine[i])
		}
	}
	if err := j.outcomes(outs, mine); err != nil {
		return err
	}
	for i, out := range j.in.Recorder.Batch(ctx, balances) {
		switch {
		case out.Err == nil:
		case lost(out.Err):
			return out.Err
		default:
			if err := j.refuse(j.c.explain(owners[i], out.Err)); err != nil {
				return err
			}
		}
	}
	return nil
}

// isKey says whether the identifier that is taken is the one by which the mapping tells members apart.
func (j *job) isKey(err error) bool {
	p := &j.c.mapping.Member.Profile
	for _, k := range []struct {
		value *Value
		kind  string
	}{{&p.ExternalID, member.Ext}, {&p.Card, member.Card}, {&p.Email, member.Email}, {&p.Phone, member.Phone}} {
		if k.value.Given() {
			return errs.As(err).Meta["kind"] == k.kind
		}
	}
	return false
}

// dryRun looks at everything and writes nothing.
func dryRun(ctx context.Context, in Input, c *converter, items []item, r Report) (Report, error) {
	refusals := c.refusals
	members := map[string]string{}
	for batch := range slices.Chunk(items, in.Batch) {
		if err := c.look(ctx, in, batch, members, &r); err != nil {
			return r, err
		}
		for i := range batch {
			it := &batch[i]
			var (
				f   engine.Fact
				bad []Refusal
				err error
			)
			if in.Kind == Members {
				var n *member.New
				if f, n, bad = c.newcomer(it); len(bad) == 0 {
					_, err = n.Normal(c.program, c.now)
				}
			} else if f, bad = c.make(it); len(bad) == 0 {
				if err = engine.Check(c.program, f); err == nil && members[it.member] == "" && !c.mapping.Member.Enrol {
					err = errs.NotFound("member_not_found", fmt.Sprintf("there is no member %s; write enrol: true in the mapping to enrol such members", it.member))
				}
			}
			switch {
			case len(bad) > 0:
				refusals = append(refusals, c.spread(it, bad)...)
			case err != nil:
				refusals = append(refusals, c.explain(it, err)...)
			case len(r.Sample) < 3:
				f.Member = it.member
				r.Sample = append(r.Sample, f)
			}
		}
	}
	r.Refused = len(refusals)
	slices.SortStableFunc(refusals, func(a, b Refusal) int { return a.Row - b.Row })
	r.Refusals = refusals[:min(maxShown, len(refusals))]
	if to := in.sink(ctx); to != nil && r.Refused > 0 {
		file, err := openRefused(to, c.table, 0)
		if err != nil {
			return r, err
		}
		r.RefusedFile = in.Refused
		return r, errors.Join(file.add(refusals), file.close())
	}
	return r, nil
}

// look counts which items are known and whom of their members.
func (c *converter) look(ctx context.Context, in Input, items []item, members map[string]string, r *Report) error {
	return in.DB.Read(ctx, func(tx *db.Tx) error {
		var refs []string
		keys := make([]books.NaturalKey, len(items))
		for i := range items {
			keys[i] = books.NaturalKey{Program: in.Program, Source: c.mapping.Source, ExternalID: c.external(&items[i])}
			if _, seen := members[items[i].member]; !seen && in.Kind != Members {
				members[items[i].member] = ""
				refs = append(refs, items[i].member)
			}
		}
		known, err := books.Receipts(ctx, tx, keys)
		if err != nil {
			return err
		}
		r.Known += len(known)
		found, err := member.ResolveAll(ctx, tx, c.program, refs)
		if err != nil {
			return err
		}
		for i, ref := range refs {
			members[ref] = found[i].ID
			if found[i].ID == "" && c.mapping.Member.Enrol {
				r.Enrolled++
			}
		}
		return nil
	})
}

func noun(k Kind) string {
	switch k {
	case Members:
		return "member"
	case Activities:
		return "activity"
	}
	return "purchase"
}

// String says in sentences what came of the import.
func (r Report) String() string {
	var b strings.Builder
	what := noun(r.Kind)
	fmt.Fprintf(&b, "%s: %s (%s%s)", r.File, lang.Things(r.Rows, "row"), r.Charset, delimiterNote(r.Delimiter))
	if r.Kind == Members {
		fmt.Fprintf(&b, " for %s", lang.Things(r.Facts, what))
	} else {
		fmt.Fprintf(&b, " make %s of %s", lang.Things(r.Facts, what), lang.Things(r.Members, "member"))
	}
	if r.From != nil && r.Until != nil {
		fmt.Fprintf(&b, ", %s to %s", r.From.Format(time.DateOnly), r.Until.Format(time.DateOnly))
	}
	b.WriteString(".\n")
	if r.DryRun {
		fmt.Fprintf(&b, "Dry run, nothing was written: %s known already, %s would be enrolled, %s refused.\n",
			lang.Things(r.Known, what), lang.Things(r.Enrolled, "member"), lang.Things(r.Refused, "row"))
	} else {
		if r.ResumedAt > 0 {
			fmt.Fprintf(&b, "Taken up again after %s of %s.\n", group(int64(r.ResumedAt)), lang.Things(r.Facts, what))
		}
		fmt.Fprintf(&b, "%s recorded, %s known already, %s enrolled, %s refused.\n",
			lang.Things(r.Recorded, what), lang.Things(r.Known, what), lang.Things(r.Enrolled, "member"), lang.Things(r.Refused, "row"))
		if r.Kind == Members && r.Differing > 0 {
			fmt.Fprintf(&b, "%s of them with other data in the file: left as they are.\n", group(int64(r.Differing)))
		}
		for _, unit := range slices.Sorted(maps.Keys(r.Earned)) {
			fmt.Fprintf(&b, "Earned: %s of %s.\n", r.Earned[unit], unit)
		}
	}
	if r.Guests > 0 {
		fmt.Fprintf(&b, "%s of guests left out: no member is named.\n", lang.Things(r.Guests, "row"))
	}
	for _, name := range slices.Sorted(maps.Keys(r.Unmatched)) {
		fmt.Fprintf(&b, "%s found nothing in %s.\n", lang.Things(r.Unmatched[name], "row"), name)
	}
	for i, f := range r.Refusals {
		if i == 10 {
			break
		}
		fmt.Fprintf(&b, "  row %s: %s\n", group(int64(f.Row)), f.Reason)
	}
	if more := r.Refused - min(len(r.Refusals), 10); more > 0 {
		fmt.Fprintf(&b, "  … and %s more\n", lang.Things(more, "row"))
	}
	if r.RefusedFile != "" {
		fmt.Fprintf(&b, "All refused rows with the reasons: %s\n", r.RefusedFile)
	}
	return b.String()
}

func delimiterNote(d string) string {
	if d == "" {
		return ""
	}
	if d == "," || d == ";" || d == "|" {
		d = `"` + d + `"`
	}
	return ", columns by " + d
}
