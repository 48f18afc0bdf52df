package cli

import (
	"fmt"
	"time"

	"lojal.dev/lojal/internal/bench"
)

type benchCmd struct {
	jsonFlag
	Quick         bool          `help:"Everything smaller: SQLite inside 45 seconds."`
	DB            string        `name:"db" placeholder:"URL" help:"PostgreSQL server to measure on besides SQLite: postgres://…. Databases are made there and dropped again."`
	On            []string      `placeholder:"NAME" help:"Measure on sqlite or postgres alone."`
	What          []string      `placeholder:"PART" help:"Measure these parts alone: ${parts}."`
	Target        []string      `placeholder:"FILE" help:"Description of another server to measure (YAML): alone, or with --on by turns with this program."`
	Rounds        int           `placeholder:"N" help:"How often each thing is measured; 5 when left out."`
	Round         time.Duration `placeholder:"DURATION" help:"How long one round of one thing takes; 2s when left out, less with --quick."`
	Clients       []int         `placeholder:"N" help:"Numbers of clients; 1, 8 and 64 when left out. Those that the ratios need come besides."`
	Members       int           `placeholder:"N" help:"Members that the load is spread over; 10000 when left out, 1000 with --quick."`
	GrowMembers   int           `name:"grow-members" placeholder:"N" help:"Members to grow to for the cost in a large database; 1000000 when left out."`
	GrowPurchases int           `name:"grow-purchases" placeholder:"N" help:"Purchases to grow to; 10000000 when left out."`
	GrowMinutes   float64       `name:"grow-minutes" placeholder:"MINUTES" help:"How long growing may take on each database; 5 when left out."`
	GrowDisk      float64       `name:"grow-disk" placeholder:"GB" help:"How large a database may grow; 10 when left out."`
	Seed          uint64        `default:"1" placeholder:"N" help:"Seed of the requests, ${default} when left out."`
	Dir           string        `placeholder:"FOLDER" help:"Where SQLite databases are made; the system's temporary folder when left out."`
	Verify        bool          `help:"Prove the books afterwards."`
}

func (benchCmd) Help() string {
	return `This program is started as a server of its own on a fresh database, and measured over HTTP. By turns with it the limits of
the machine are measured: the same rows written by hand-made SQL, an echo of the same bodies. What counts are the ratios
of the two. docs/performance.md says what is compared and how, and how another server is described.

Examples:

    lojal bench --quick
    lojal bench --db postgres://postgres@localhost/postgres --json
    lojal bench --what growth --grow-minutes 30 --grow-disk 40
    lojal bench --what purchase --on sqlite --target other.yaml`
}

func (c *benchCmd) Run(e *env) error {
	opts := bench.Options{
		Postgres: c.DB, On: c.On, What: c.What, Quick: c.Quick, Rounds: c.Rounds, Round: c.Round, Clients: c.Clients, Members: c.Members, Seed: c.Seed, Dir: c.Dir, Verify: c.Verify,
		Grow: bench.Growth{Members: c.GrowMembers, Purchases: c.GrowPurchases, Time: time.Duration(c.GrowMinutes * float64(time.Minute)), Bytes: int64(c.GrowDisk * (1 << 30))},
		Tell: func(text string) { fmt.Fprintln(e.Err, text) },
	}
	for _, file := range c.Target {
		t, err := bench.ReadTarget(file)
		if err != nil {
			return err
		}
		opts.Targets = append(opts.Targets, t)
	}
	report, err := bench.Run(e.ctx, opts)
	if err != nil {
		return err
	}
	if c.JSON {
		return e.json(report)
	}
	report.Print(e.Out)
	return nil
}

type benchEchoCmd struct {
	Answers string `arg:"" help:"File of answers."`
}

func (benchEchoCmd) Help() string {
	return `Started by bench: a server that answers every request under /NAME/ with the value of NAME in a file of JSON.

Examples:

    lojal bench-echo answers.json`
}

func (c *benchEchoCmd) Run(e *env) error {
	return bench.Echo(e.ctx, c.Answers, func(url string) { e.printf("echo at %s\n", url) })
}
