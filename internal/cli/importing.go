package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/importer"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/version"
)

type importCmd struct {
	Members    importMembersCmd    `cmd:"" help:"Enrol members."`
	Purchases  importPurchasesCmd  `cmd:"" help:"Record purchases."`
	Activities importActivitiesCmd `cmd:"" help:"Record activities."`
}

// importing is what the three have in common.
type importing struct {
	jsonFlag
	File     string            `arg:"" help:"File of rows: CSV, columns by blanks, or fixed widths; gzip too."`
	Map      string            `required:"" placeholder:"FILE" help:"Mapping of columns to fields (YAML)."`
	With     map[string]string `placeholder:"NAME=FILE" help:"Further file to look into, in place of the one that the mapping names."`
	DryRun   bool              `name:"dry-run" help:"Read, check and count, and write nothing."`
	Batch    int               `default:"2000" placeholder:"N" help:"How many facts are taken in one transaction, ${default} when left out."`
	Progress string            `default:"auto" enum:"auto,lines,none" placeholder:"HOW" help:"How it is told how far the import is: auto (a bar on a terminal), lines on the error output, or none."`
	Refused  string            `placeholder:"FILE" help:"Where the refused rows go, with the reasons; FILE.refused.csv in the current directory when left out."`
	Lease    time.Duration     `default:"10s" placeholder:"DURATION" help:"How long this import may stand still, as when it is killed, before the same command takes it over; ${default} when left out."`
	inProgram
}

const importHelp = `A row is taken, known from before, or refused with its number and the reason; nothing counts twice, however often a
file is imported. An import that was stopped or killed goes on where it was when the same command is given again.
The mapping is described in docs/import.md.

Examples:

`

type importMembersCmd struct{ importing }

func (importMembersCmd) Help() string {
	return importHelp + `    lojal import members members.csv --map members.yaml --dry-run
    lojal import members members.csv --map members.yaml`
}

func (c *importMembersCmd) Run(e *env) error { return c.run(e, importer.Members) }

type importPurchasesCmd struct{ importing }

func (importPurchasesCmd) Help() string {
	return importHelp + `    lojal import purchases receipts.csv --map receipts.yaml --dry-run
    lojal import purchases receipts.csv --map receipts.yaml
    lojal import purchases receipts.csv.gz --map receipts.yaml --with articles=articles-2026.csv`
}

func (c *importPurchasesCmd) Run(e *env) error { return c.run(e, importer.Purchases) }

type importActivitiesCmd struct{ importing }

func (importActivitiesCmd) Help() string {
	return importHelp + `    lojal import activities reviews.csv --map reviews.yaml`
}

func (c *importActivitiesCmd) Run(e *env) error { return c.run(e, importer.Activities) }

func (c *importing) run(e *env, kind importer.Kind) error {
	return c.on(e, func(e *env, d *db.DB, id string) error { return c.take(e, d, id, kind) })
}

func (c *importing) take(e *env, d *db.DB, id string, kind importer.Kind) (err error) {
	if info, err := os.Stat(c.File); err == nil && info.Size() < 100<<20 {
		hurry()
	}
	var versions version.Cache
	r := record.NewWith(d, &versions, record.Options{Chunk: c.Batch})
	defer r.Close()
	in := importer.Input{DB: d, Recorder: r, Versions: &versions, Program: id, Kind: kind, File: c.File, Mapping: c.Map, With: c.With, Batch: c.Batch,
		DryRun: c.DryRun, Refused: c.Refused, Clock: e.now, Actor: actor, Lease: c.Lease}
	in.Waiting = func(node string) {
		fmt.Fprintf(e.Err, "The same import was begun by %s. Waiting to see whether it still runs.\n", node)
	}
	if in.Refused == "" {
		in.Refused = strings.TrimSuffix(filepath.Base(c.File), ".gz") + ".refused.csv"
	}
	var end func()
	in.Progress, end = e.progress(c.Progress, string(kind))
	report, err := importer.Run(e.ctx, in)
	end()
	if report.Rows == 0 {
		return err
	}
	if c.JSON {
		return errors.Join(err, e.json(report))
	}
	e.printf("%s", report)
	return err
}

// hurry trades memory for speed in commands that do one large thing and end: a fifth less work was seen in imports and sweeps.
func hurry() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
}

// progress tells how far something is, in the way asked for; end takes a bar away.
func (e *env) progress(how, what string) (tell func(done, of int), end func()) {
	switch how {
	case "none":
		return nil, func() {}
	case "lines":
		return func(done, of int) { fmt.Fprintf(e.Err, "%s %d of %d\n", what, done, of) }, func() {}
	}
	bar := e.bar(what)
	if bar == nil {
		return nil, func() {}
	}
	return func(done, of int) {
			bar.ChangeMax(max(of, 1))
			_ = bar.Set(done) // a bar that cannot be drawn is no failure
		}, func() {
			_ = bar.Exit() // the same
		}
}

// bar makes a progress bar, nil where nobody would see it.
func (e *env) bar(what string) *progressbar.ProgressBar {
	file, ok := e.Err.(*os.File)
	if !ok {
		return nil
	}
	if info, err := file.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return nil
	}
	return progressbar.NewOptions(1, progressbar.OptionSetWriter(file), progressbar.OptionSetDescription(what), progressbar.OptionShowCount(),
		progressbar.OptionClearOnFinish(), progressbar.OptionSetWidth(30), progressbar.OptionSetPredictTime(true))
}
