package cli

import (
	"errors"
	"maps"
	"slices"
	"time"

	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/export"
	"lojal.dev/lojal/internal/lang"
)

type exportCmd struct {
	jsonFlag
	Dir string `arg:"" help:"Folder to write to; it must be empty or not there."`
	database
}

func (exportCmd) Help() string {
	return `One file of JSON lines for each table, and a manifest with counts and checksums: one snapshot, taken while the database
is in use. It can be restored on SQLite and on PostgreSQL. It holds personal data and hashes of keys: keep it safe. The
secrets of webhooks are not in it: after a restore, give each webhook a new one with lojal webhook rotate.

Examples:

    lojal export export-2026-11-22`
}

func (c *exportCmd) Run(e *env) (err error) {
	d, err := c.open(e)
	if err != nil {
		return err
	}
	defer closing(d, &err)
	m, err := export.Write(e.ctx, d, c.Dir, e.build.Version, e.now())
	if err != nil {
		return err
	}
	if c.JSON {
		return e.json(m)
	}
	e.printf("Exported %s of %s to %s.\n", lang.Things(m.Rows(), "row"), lang.Things(len(m.Tables), "table"), c.Dir)
	return nil
}

type backupCmd struct {
	jsonFlag
	File  string `arg:"" help:"File to write; it must not be there."`
	Check bool   `help:"Restore the backup elsewhere and prove the books there: a drill of what is done after an accident."`
	Into  string `placeholder:"URL" help:"Empty database to restore into, with --check: sqlite:PATH or postgres://…; a temporary SQLite file when left out."`
	database
}

func (backupCmd) Help() string {
	return `Of SQLite it is a database file, of PostgreSQL an archive of an export; both are one snapshot, taken while the database is
in use, and both can be restored on either. For large PostgreSQL databases use the server's own base backups. The file of
SQLite holds the secrets of webhooks; the archive does not, and after its restore they are made anew with lojal webhook rotate.
The books are sealed first, and the heads are printed: keep them, to know the backup again. docs/backup.md tells more.

With --check, what is restored is proved as lojal verify does, and must hold the heads of the database in use. The exit status is
5 when the backup cannot be relied on.

Examples:

    lojal backup lojal-2026-11-22.backup
    lojal backup lojal-2026-11-22.backup --check
    lojal backup lojal-2026-11-22.backup --check --into postgres://lojal@spare/drill`
}

func (c *backupCmd) Run(e *env) (err error) {
	if c.Into != "" && !c.Check {
		return errs.Malformed("into", "--into goes with --check: lojal restore fills a database for good.")
	}
	d, err := c.open(e)
	if err != nil {
		return err
	}
	defer closing(d, &err)
	saved, err := export.Save(e.ctx, d, c.File, e.build.Version, e.now)
	if err != nil {
		return err
	}
	if !c.JSON {
		e.printf("Wrote %s (%d KiB) in %.1f s. `lojal restore` brings it back into an empty database.\n", c.File, (saved.Bytes+1023)/1024, saved.Seconds)
		for _, id := range slices.Sorted(maps.Keys(saved.Heads)) {
			e.printf("It holds %s up to the head %s:%s.\n", id, id, saved.Heads[id])
		}
	}
	if !c.Check {
		if c.JSON {
			return e.json(saved)
		}
		return nil
	}
	drill, err := export.Try(e.ctx, d, c.File, c.Into, saved.Heads, e.now)
	if err != nil && !errs.Is(err, errs.CodeConflict, "backup_broken") {
		return err
	}
	if c.JSON {
		return errors.Join(e.json(struct {
			export.Saved
			Drill export.Drill `json:"drill"`
		}{saved, drill}), err)
	}
	e.printf("Restored %s in %.1f s and proved them in %.1f s.\n", lang.Things(drill.Restored.Rows, "row"), drill.RestoreSeconds, drill.VerifySeconds)
	for _, b := range drill.Programs {
		if len(b.Findings) > 0 {
			for _, f := range b.Findings {
				e.printf("  %s\n", f)
			}
			continue
		}
		e.printf("%s: %s, %s, and the books hold.", b.Program, lang.Things(b.Members, "member"), lang.Things(b.Facts, "fact"))
		if b.Newest != nil {
			e.printf(" The last fact in it is of %s; %s recorded since would be lost.", b.Newest.Format(time.RFC3339), lang.Things(b.Behind, "fact"))
		}
		e.printf("\n")
	}
	return err
}

type restoreCmd struct {
	jsonFlag
	From string `arg:"" help:"Backup file, or folder of an export."`
	database
}

func (restoreCmd) Help() string {
	return `The database must be empty; a SQLite database that is not there is made. Every count and checksum is checked, and nothing
is restored when anything is wrong. Run lojal verify afterwards.

Examples:

    lojal restore lojal-2026-11-22.backup --db sqlite:restored.db
    lojal restore export-2026-11-22 --db postgres://lojal@db/lojal`
}

func (c *restoreCmd) Run(e *env) error {
	r, err := export.Restore(e.ctx, c.DB, c.From, e.now())
	if err != nil {
		return err
	}
	if c.JSON {
		return e.json(r)
	}
	e.printf("Restored %s from %s. `lojal verify` proves the books.\n", lang.Things(r.Rows, "row"), c.From)
	return nil
}
