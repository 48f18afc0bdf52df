package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/scenario"
	"lojal.dev/lojal/internal/sweep"
	"lojal.dev/lojal/internal/version"
)

type migrateCmd struct {
	jsonFlag
	Status      bool `help:"Say how many migrations wait, and run none."`
	Distributed bool `help:"Spread the database over the machines of a distributed PostgreSQL, such as Citus. There is no way back but a restore: see docs/distribution.md."`
	Print       bool `help:"With --distributed: print the commands, and run none."`
	database
}

func (migrateCmd) Help() string {
	return `Migrations go forward only, each in a transaction of its own. A SQLite database that is not there is made.

Examples:

    lojal migrate --status
    lojal migrate
    lojal migrate --distributed --print --db postgres://lojal@coordinator/lojal
    lojal migrate --distributed --db postgres://lojal@coordinator/lojal`
}

func (c *migrateCmd) Run(e *env) (err error) {
	if c.Print && !c.Distributed {
		return errs.Malformed("usage", "--print belongs to --distributed.")
	}
	if c.Distributed {
		return c.distribute(e)
	}
	d, err := db.Open(e.ctx, c.DB, db.Options{Unmigrated: true})
	if errs.Is(err, errs.CodeNotFound, "database") && !c.Status {
		d, err = db.Open(e.ctx, c.DB, db.Options{Migrate: true})
		if err != nil {
			return err
		}
		defer closing(d, &err)
		return c.told(e, "made", 0, 0)
	}
	if err != nil {
		return hint(err)
	}
	defer closing(d, &err)
	if c.Status {
		n, err := d.Pending(e.ctx)
		if err != nil {
			return err
		}
		return c.told(e, "looked at", 0, n)
	}
	n, err := d.Migrate(e.ctx)
	if err != nil {
		return err
	}
	return c.told(e, "migrated", n, 0)
}

// distribute brings the database to this program's version and spreads it.
func (c *migrateCmd) distribute(e *env) (err error) {
	if c.Status {
		return errs.Malformed("usage", "--status and --distributed do not go together: --print says what would be done.")
	}
	d, err := db.Open(e.ctx, c.DB, db.Options{Unmigrated: !c.Print, Connections: 1})
	if err != nil {
		return hint(err)
	}
	defer closing(d, &err)
	var sql []string
	if c.Print {
		if sql, err = d.DistributeSQL(e.ctx); err != nil {
			return err
		}
	} else {
		if _, err := d.Migrate(e.ctx); err != nil {
			return err
		}
		if sql, err = d.Distribute(e.ctx, e.now()); err != nil {
			return err
		}
	}
	if c.JSON {
		return e.json(map[string]any{"commands": append([]string{}, sql...), "ran": !c.Print})
	}
	for _, s := range sql {
		e.printf("%s;\n", s)
	}
	switch {
	case c.Print && len(sql) == 0:
		e.printf("-- Everything is distributed already.\n")
	case c.Print:
		e.printf("-- Nothing of this was run.\n")
	case len(sql) == 0:
		e.printf("Everything was distributed already.\n")
	default:
		e.printf("The database is distributed. Every lojal that is started now knows it by itself.\n")
	}
	return nil
}

func (c *migrateCmd) told(e *env, what string, ran, waiting int) error {
	if c.JSON {
		return e.json(map[string]int{"ran": ran, "pending": waiting})
	}
	switch {
	case what == "made":
		e.printf("The database is made, and of this program's version.\n")
	case waiting > 0:
		e.printf("%s to run: `lojal migrate` does.\n", lang.Things(waiting, "migration"))
	case ran > 0:
		e.printf("%s run; the database is of this program's version.\n", lang.Things(ran, "migration"))
	default:
		e.printf("The database is of this program's version.\n")
	}
	return nil
}

type sweepCmd struct {
	jsonFlag
	database
	Program string `name:"program" short:"p" placeholder:"ID" help:"Keep to a program; all programs of the database when left out."`
}

func (sweepCmd) Help() string {
	return `A server does this by itself. It can run at any time, also beside a server, and twice.

Examples:

    lojal sweep`
}

func (c *sweepCmd) Run(e *env) (err error) {
	hurry()
	d, err := c.open(e)
	if err != nil {
		return err
	}
	defer closing(d, &err)
	r := record.New(d, &version.Cache{})
	defer r.Close()
	run := sweep.Run
	if c.Program != "" {
		id, err := programFlag{c.Program}.of(e, d)
		if err != nil {
			return err
		}
		run = func(ctx context.Context, d *db.DB, r *record.Recorder, now time.Time) (sweep.Counts, error) {
			return sweep.RunOf(ctx, d, r, id, now)
		}
	}
	n, err := run(e.ctx, d, r, e.now())
	if c.JSON {
		if failed := e.json(map[string]int{"accounts": n.Accounts, "replanned": n.Replanned, "facts": n.Facts}); err == nil {
			err = failed
		}
		return err
	}
	e.printf("%s were due, %s written.\n", lang.Things(n.Accounts, "account"), lang.Things(n.Facts, "fact"))
	if n.Replanned > 0 {
		e.printf("A new version plans otherwise: %s were looked at.\n", lang.Things(n.Replanned, "account"))
	}
	return err
}

type scenarioCmd struct {
	jsonFlag
	Paths    []string `arg:"" name:"path" help:"Files and folders of scenarios."`
	DB       string   `name:"db" placeholder:"URL" help:"Database to play in, each scenario in a program of its own; without it a temporary one."`
	Parallel int      `default:"4" placeholder:"N" help:"How many are played at once, ${default} when left out."`
}

func (scenarioCmd) Help() string {
	return `A scenario says what is given, what happens and what must come of it; docs/scenarios.md tells their form. The exit
status is 3 when something differs.

Examples:

    lojal scenario test/scenarios
    lojal scenario my-program.yaml --json`
}

func (c *scenarioCmd) Run(e *env) (err error) {
	opts := scenario.Options{Out: e.Out, JSON: c.JSON, Parallel: c.Parallel}
	if c.DB != "" {
		if opts.DB, err = db.Open(e.ctx, c.DB, db.Options{}); err != nil {
			return hint(err)
		}
		defer closing(opts.DB, &err)
	}
	report, err := scenario.Run(e.ctx, c.Paths, opts)
	if err != nil {
		return err
	}
	if report.Failed > 0 {
		return errs.Invalid("scenarios_differ", fmt.Sprintf("%d of %s came out otherwise than expected.", report.Failed, lang.Things(report.Failed+report.Passed, "scenario")))
	}
	return nil
}

type versionCmd struct {
	jsonFlag
}

func (versionCmd) Help() string {
	return `Examples:

    lojal version`
}

func (c *versionCmd) Run(e *env) error {
	if c.JSON {
		return e.json(map[string]string{"version": e.build.Version, "commit": e.build.Commit})
	}
	e.printf("lojal %s\n", strings.TrimSpace(e.build.Version+" "+e.build.Commit))
	return nil
}
