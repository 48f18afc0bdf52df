package cli

import (
	"errors"
	"os"
	"strings"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/doctor"
	"lojal.dev/lojal/internal/lang"
)

type doctorCmd struct {
	jsonFlag
	Deep        bool   `help:"Have SQLite look at every page and foreign key, however large the file is."`
	Backups     string `placeholder:"FOLDER" help:"Folder that backups are written to, to say how old the last one is."`
	Connections int    `placeholder:"N" help:"Connections that a server opens, to compare with what the database server allows; 16 when left out."`
	All         bool   `help:"Print what is well, too."`
	mailing
	wallets
	database
}

func (doctorCmd) Help() string {
	return `Configuration, disk, the mail server, the certificate for passes, files, versions, clocks, time zones, the database's settings, sessions and tables, programs, keys, work that
waits, deliveries, jobs, seals and backups are looked over. Each finding says in words what is so and what to do. Nothing is changed,
and it can be run at any time, beside a server.

The exit status is 0 when there is nothing worse than a note, 3 with warnings, 5 with errors.

Examples:

    lojal doctor
    lojal doctor --json --backups /var/backups/lojal`
}

func (c *doctorCmd) Run(e *env) (err error) {
	in := doctor.Input{URL: c.DB, Given: c.DB != os.Getenv("LOJAL_DB"), Version: strings.TrimSpace(e.build.Version + " " + e.build.Commit), Clock: e.now,
		Connections: c.Connections, Deep: c.Deep, Backups: c.Backups}
	in.Mail, in.MailErr = c.smtp(e)
	if phones, err := c.load(); err != nil {
		in.PassErr = err
	} else if phones.Apple != nil {
		in.PassEnds = phones.Apple.Ends()
	}
	if in.DB, in.OpenErr = db.Open(e.ctx, c.DB, db.Options{Unmigrated: true}); in.OpenErr == nil {
		defer closing(in.DB, &err)
	}
	report := doctor.Examine(e.ctx, in)
	if c.JSON {
		return errors.Join(e.json(report), report.Err())
	}
	well := 0
	for _, f := range report.Findings {
		if f.Level == doctor.OK && !c.All {
			well++
			continue
		}
		e.printf("%-8s %s: %s\n", f.Level, f.Check, f.Message)
		if f.Advice != "" {
			e.printf("         %s\n", f.Advice)
		}
	}
	if well > 0 {
		e.printf("%-8s %s looked at, nothing to say (--all lists them).\n", "ok", lang.Things(well, "thing"))
	}
	return report.Err()
}
