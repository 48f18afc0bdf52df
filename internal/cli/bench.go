package cli

import (
	"fmt"
	"time"

	"lojal.dev/lojal/internal/bench"
)

type benchCmd struct {
	jsonFlag
	Quick   bool          `help:"Everything smaller: SQLite inside 45 seconds."`
	DB      string        `name:"db" placeholder:"URL" help:"PostgreSQL server to measure on besides SQLite: postgres://…. Databases are made there and dropped again."`
	On      []string      `placeholder:"NAME" help:"Measure on sqlite or postgres alone."`
	What    []string      `placeholder:"PART" help:"Measure these parts alone: ${parts}."`
	Rounds  int           `placeholder:"N" help:"How often each thing is measured; 5 when left out."`
	Round   time.Duration `placeholder:"DURATION" help:"How long one round of one thing takes; 2s when left out, 400ms with --quick."`
	Members int           `placeholder:"N" help:"Members that the load is spread over; 10000 when left out, 2000 with --quick."`
	Seed    uint64        `default:"1" placeholder:"N" help:"Seed of the requests, ${default} when left out."`
	Dir     string        `placeholder:"FOLDER" help:"Where databases are made; the system's temporary folder when left out."`
}

func (benchCmd) Help() string {
	return `This program is started as a server of its own on a fresh database, and measured over HTTP. By turns with it the limits of
the machine are measured: the same rows written by hand-made SQL. What counts are the ratios of the two.
docs/performance.md says what is compared and how.

Examples:

    lojal bench --quick
    lojal bench --db postgres://postgres@localhost/postgres --json`
}

func (c *benchCmd) Run(e *env) error {
	report, err := bench.Run(e.ctx, bench.Options{
		Postgres: c.DB, On: c.On, What: c.What, Quick: c.Quick, Rounds: c.Rounds, Round: c.Round, Members: c.Members, Seed: c.Seed, Dir: c.Dir,
		Tell: func(text string) { fmt.Fprintln(e.Err, text) },
	})
	if err != nil {
		return err
	}
	if c.JSON {
		return e.json(report)
	}
	report.Print(e.Out)
	return nil
}
