// Package cli is the command line: it reads flags and files, calls one verb of a flow or a noun, and prints what came of it.
//
// It owns the commands, their help and how results and failures look in a terminal. It decides nothing. It is the one door
// that starts the others. What always holds: what a program may read goes to the standard output and everything else to
// the error output; the exit status is that of errs; a failure is a sentence that says what to do.
package cli

//go:generate go test . -run ^TestReference$ -update

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"lojal.dev/lojal/internal/bench"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/version"
)

// Streams are where the program reads and writes.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Build says which program this is.
type Build struct{ Version, Commit string }

// actor is who does what the command line does.
const actor = "cli"

// grammar is all commands. Their order is that of the help.
type grammar struct {
	Demo         demoCmd         `cmd:"" help:"Make a sample program with two years of purchases, and serve it."`
	Init         initCmd         `cmd:"" help:"Write a program document to start from."`
	Serve        serveCmd        `cmd:"" help:"Serve the API."`
	Program      programCmd      `cmd:"" help:"Check, compare, publish and look at program documents."`
	Poster       posterCmd       `cmd:"" help:"Write a poster to hang up where people are to join."`
	Key          keyCmd          `cmd:"" help:"Make and revoke API keys."`
	Staff        staffCmd        `cmd:"" help:"Say who runs the program, and what each may do."`
	Pool         poolCmd         `cmd:"" help:"Load codes of others that rewards hand out."`
	Webhook      webhookCmd      `cmd:"" help:"Tell other systems of what happens."`
	Import       importCmd       `cmd:"" help:"Take members, purchases or activities from a file."`
	Member       memberCmd       `cmd:"" help:"Look at members."`
	Wallet       walletCmd       `cmd:"" help:"Put members' cards into the wallets of phones."`
	GiftCard     giftCardCmd     `cmd:"" help:"Issue and look after gift cards."`
	Code         codeCmd         `cmd:"" help:"Say what codes of gift cards, vouchers and coupons are worth."`
	Claim        claimCmd        `cmd:"" help:"Give purchases that wait to their members."`
	Plan         planCmd         `cmd:"" help:"Look at members' plans, and tell what billing made of them."`
	Challenge    challengeCmd    `cmd:"" help:"Look at challenges, and have members take part."`
	Grant        grantCmd        `cmd:"" help:"Give rewards by hand, and take them back."`
	Invitation   invitationCmd   `cmd:"" help:"Look at who invited whom."`
	Partner      partnerCmd      `cmd:"" help:"Look at partners, their payments and statements."`
	Recognition  recognitionCmd  `cmd:"" help:"Thank members, and approve what they thanked each other with."`
	Household    householdCmd    `cmd:"" help:"Make households, and say who belongs to them."`
	Organization organizationCmd `cmd:"" help:"Make organizations, and say who belongs to them in what role."`
	Share        shareCmd        `cmd:"" help:"Pass something on to a friend for a member."`
	Coupon       couponCmd       `cmd:"" help:"Issue, use and call off coupons."`
	Purchase     purchaseCmd     `cmd:"" help:"Record purchases with what is used with them, and returns."`
	Redemption   redemptionCmd   `cmd:"" help:"Redeem rewards, and see to what was ordered."`
	Raffle       raffleCmd       `cmd:"" help:"Look at raffles, draw them and prove the draw."`
	Adjustment   adjustmentCmd   `cmd:"" help:"Change balances by hand."`
	Transfer     transferCmd     `cmd:"" help:"Move points from one member to another."`
	Benefit      benefitCmd      `cmd:"" help:"Record that benefits were used, and take uses back."`
	Voucher      voucherCmd      `cmd:"" help:"Use vouchers, and look after their codes."`
	Order        orderCmd        `cmd:"" help:"Look at gift cards that are on order, and call them off."`
	Insight      insightCmd      `cmd:"" help:"See how the program goes: members, purchases, points and what is owed."`
	Explain      explainCmd      `cmd:"" help:"Say why a fact was decided as it was."`
	Simulate     simulateCmd     `cmd:"" help:"Say what facts would lead to, without recording them."`
	Scenario     scenarioCmd     `cmd:"" help:"Play given/when/then files and say what differs."`
	Sweep        sweepCmd        `cmd:"" help:"Do now what time has brought: expiry, releases, tiers."`
	Job          jobCmd          `cmd:"" help:"Look at what servers do beside requests, and steer it."`
	Errand       errandCmd       `cmd:"" help:"Look at what follows from events for other members."`
	Verify       verifyCmd       `cmd:"" help:"Prove the books."`
	Seal         sealCmd         `cmd:"" help:"Seal the books, and print the heads to keep."`
	Doctor       doctorCmd       `cmd:"" help:"Look the installation over and say what is wrong."`
	Backup       backupCmd       `cmd:"" help:"Copy the database to one file while it is in use."`
	Restore      restoreCmd      `cmd:"" help:"Fill an empty database from a backup or export."`
	Export       exportCmd       `cmd:"" help:"Write all tables as JSON lines."`
	Migrate      migrateCmd      `cmd:"" help:"Bring the database to this program's version."`
	Bench        benchCmd        `cmd:"" help:"Measure this program against the limits of the machine."`
	BenchEcho    benchEchoCmd    `cmd:"" hidden:"" name:"bench-echo" help:"Answer with bytes that are there: the limit beside which bench measures."`
	Completion   completionCmd   `cmd:"" help:"Print a script that completes commands in a shell."`
	Version      versionCmd      `cmd:"" help:"Print the version."`
}

// env is what commands run in.
type env struct {
	Streams
	ctx   context.Context //nolint:containedctx // kong hands one value to a command
	build Build
	now   func() time.Time
	model *kong.Application
	// parsed is the command line as it was understood.
	parsed *kong.Context
}

// Run runs one command and gives the exit status of the process. now is the clock of everything that the command does.
func Run(ctx context.Context, args []string, s Streams, b Build, now func() time.Time) int {
	e := &env{Streams: s, ctx: ctx, build: b, now: now}
	parser, exit, err := newParser(e)
	if err != nil {
		return e.fail(err)
	}
	switch {
	case len(args) == 0:
		args = []string{"--help"}
	case args[0] == "help": // as people try first: lojal help, lojal help member show
		args = append(slices.Clone(args[1:]), "--help")
	}
	k, err := parser.Parse(args)
	if exit.done {
		return exit.status
	}
	if err != nil {
		return e.misused(err)
	}
	e.parsed = k
	return e.fail(k.Run(e))
}

// exited remembers that kong printed a help and wanted to end the process.
type exited struct {
	done   bool
	status int
}

func newParser(e *env) (*kong.Kong, *exited, error) {
	out := &exited{}
	parser, err := kong.New(&grammar{},
		kong.Name("lojal"),
		kong.Description("Loyalty programs: a purchase becomes explained points, kept in books that prove themselves."),
		kong.ConfigureHelp(kong.HelpOptions{NoExpandSubcommands: true, Compact: true, WrapUpperBound: 100}),
		kong.Writers(e.Out, e.Err),
		kong.Exit(func(status int) {
			if !out.done {
				out.done, out.status = true, status
			}
		}),
		kong.Resolvers(fromFiles()),
		kong.Vars{"scopes": scopesText(), "parts": strings.Join(bench.Parts, ", ")},
	)
	if err != nil {
		return nil, nil, fmt.Errorf("build the command line: %w", err)
	}
	e.model = parser.Model
	return parser, out, nil
}

// misused says what is wrong with the arguments, and how the command is used.
func (e *env) misused(err error) int {
	if known, ok := errors.AsType[*errs.Error](err); ok {
		return e.fail(known)
	}
	if parse, ok := errors.AsType[*kong.ParseError](err); ok {
		usage, path := e.model.Summary(), "lojal"
		if node := parse.Context.Selected(); node != nil {
			usage, path = node.Summary(), node.FullPath()
		} else if node := parse.Context.Empty(); !node && len(parse.Context.Path) > 0 {
			last := parse.Context.Path[len(parse.Context.Path)-1].Node()
			if last != nil && last.Type == kong.CommandNode {
				usage, path = last.Summary(), last.FullPath()
			}
		}
		fmt.Fprintf(e.Err, "Usage: lojal %s\n", strings.TrimPrefix(strings.TrimSpace(usage), "lojal "))
		fmt.Fprintf(e.Err, "lojal: %s `%s --help` says more.\n", sentence(err.Error()), path)
		return errs.CodeMalformed.Exit()
	}
	return e.fail(errs.Malformed("usage", sentence(err.Error())))
}

// fail prints an error and gives its exit status; 0 for none.
func (e *env) fail(err error) int {
	if err == nil {
		return 0
	}
	if e.ctx.Err() != nil && errs.CodeOf(err) == errs.CodeInternal {
		err = errs.Unavailable("stopped", "Stopped before the end.").Because(e.ctx.Err())
	}
	if path, ok := errors.AsType[*os.PathError](err); ok && errs.CodeOf(err) == errs.CodeInternal {
		err = errs.Unavailable("file", fmt.Sprintf("%s cannot be used: %s.", path.Path, path.Err))
	}
	f := errs.As(err)
	text := f.Message
	if f.Code == errs.CodeInternal {
		text = "Something went wrong inside lojal. " + sentence(firstLine(err.Error()))
	}
	if text == "" {
		text = sentence(strings.ReplaceAll(f.Reason, "_", " "))
	}
	fmt.Fprintf(e.Err, "lojal: %s\n", text)
	for _, field := range f.Fields {
		at := field.Pointer
		if at != "" {
			at += ": "
		}
		fmt.Fprintf(e.Err, "  %s%s\n", at, field.Message)
	}
	if wait, err := strconv.ParseFloat(fmt.Sprint(f.Meta["retry_after"]), 64); err == nil && wait > 0 {
		fmt.Fprintf(e.Err, "  Try again in %s.\n", lang.Things(int64(wait), "second"))
	}
	if cause := errors.Unwrap(f); cause != nil && f.Code == errs.CodeUnavailable && !errors.Is(cause, context.Canceled) {
		fmt.Fprintf(e.Err, "  %s\n", strings.Join(strings.Fields(cause.Error()), " "))
	}
	return f.Code.Exit()
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// sentence begins with a capital letter and ends with a full stop.
func sentence(s string) string {
	if s == "" {
		return s
	}
	s = strings.ToUpper(s[:1]) + s[1:]
	if !strings.HasSuffix(s, ".") && !strings.HasSuffix(s, "?") {
		s += "."
	}
	return s
}

// printf writes to the standard output.
func (e *env) printf(format string, args ...any) { fmt.Fprintf(e.Out, format, args...) }

// json writes a value as indented JSON to the standard output.
func (e *env) json(v any) error {
	enc := json.NewEncoder(e.Out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// database is the flag of commands that need a database.
type database struct {
	DB string `name:"db" env:"LOJAL_DB" default:"sqlite:lojal.db" placeholder:"URL" help:"Database: sqlite:PATH or postgres://…; ${default} when left out (${env})."`
}

// usual is the database where none is named.
const usual = "sqlite:lojal.db"

// AfterApply takes a variable that is set to nothing for one that is not set.
func (d *database) AfterApply() error {
	if d.DB == "" {
		d.DB = usual
	}
	return nil
}

// open opens the database for a command that does not make one.
func (d database) open(e *env) (*db.DB, error) {
	out, err := db.Open(e.ctx, d.DB, db.Options{})
	return out, hint(err)
}

// create opens the database, and makes it when it is not there.
func (d database) create(e *env) (*db.DB, error) {
	out, err := db.Open(e.ctx, d.DB, db.Options{})
	if !errs.Is(err, errs.CodeNotFound, "database") {
		return out, hint(err)
	}
	return db.Open(e.ctx, d.DB, db.Options{Migrate: true})
}

// hint adds what to do to errors of opening.
func hint(err error) error {
	switch {
	case err == nil:
		return nil
	case errs.Is(err, errs.CodeNotFound, "database"):
		f := *errs.As(err)
		f.Message += " Name another one with --db or LOJAL_DB, or make one: `lojal program publish FILE` does, and `lojal migrate`."
		return &f
	case errs.Is(err, errs.CodeConflict, db.ReasonOldSchema):
		f := *errs.As(err)
		if !strings.Contains(f.Message, "migrate") {
			f.Message += " Run `lojal migrate` first; it is wise to have a backup."
		}
		return &f
	}
	return err
}

// close closes the database and keeps the first error.
func closing(d *db.DB, err *error) {
	if failed := d.Close(); failed != nil && *err == nil {
		*err = failed
	}
}

// programFlag is the flag of commands on one program.
type programFlag struct {
	Program string `name:"program" short:"p" placeholder:"ID" help:"Program, where the database has several."`
}

// inProgram is what commands on one program of a database have in common.
type inProgram struct {
	database
	programFlag
}

// on opens the database, finds the program, and does the command's work with them.
func (c *inProgram) on(e *env, do func(e *env, d *db.DB, program string) error) (err error) {
	d, err := c.open(e)
	if err != nil {
		return err
	}
	defer closing(d, &err)
	id, err := c.of(e, d)
	if err != nil {
		return err
	}
	return do(e, d, id)
}

// of gives the program: the one named, or the only one.
func (p programFlag) of(e *env, d *db.DB) (string, error) {
	var all []version.Program
	err := d.Read(e.ctx, func(tx *db.Tx) (err error) {
		all, err = version.Programs(e.ctx, tx)
		return err
	})
	if err != nil {
		return "", err
	}
	var names []string
	for _, one := range all {
		if one.ID == p.Program {
			return one.ID, nil
		}
		names = append(names, one.ID)
	}
	switch {
	case len(all) == 0:
		return "", errs.NotFound("no_program", "There is no program in this database yet: `lojal init` writes one to start from, `lojal program publish` puts it in force.")
	case p.Program != "":
		return "", errs.NotFound("program_not_found", fmt.Sprintf("There is no program %q in this database; there are: %s.", p.Program, strings.Join(names, ", ")))
	case len(all) > 1:
		return "", errs.Malformed("which_program", fmt.Sprintf("There are several programs in this database: name one of %s with --program.", strings.Join(names, ", ")))
	}
	return all[0].ID, nil
}

// jsonFlag is the flag of commands whose result a program may read.
type jsonFlag struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// readInput reads a file, or the standard input for "-".
func (e *env) readInput(path string) ([]byte, error) {
	if path == "-" {
		data, err := io.ReadAll(e.In)
		if err != nil {
			return nil, errs.Invalid("file", "The standard input cannot be read.").Because(err)
		}
		return data, nil
	}
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, errs.NotFound("file", fmt.Sprintf("There is no file %s.", path))
	case err != nil:
		return nil, errs.Invalid("file", fmt.Sprintf("The file %s cannot be read: %s.", path, reasonOf(err)))
	}
	return data, nil
}

// reasonOf is the last part of an error of the file system: "permission denied".
func reasonOf(err error) string {
	if path, ok := errors.AsType[*os.PathError](err); ok {
		return path.Err.Error()
	}
	return err.Error()
}
