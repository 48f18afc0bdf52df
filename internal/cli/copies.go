package cli

import (
	"os"

	"lojal.dev/lojal/internal/export"
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
	e.printf("Exported %d rows of %s to %s.\n", m.Rows(), plural(len(m.Tables), "table"), c.Dir)
	return nil
}

type backupCmd struct {
	jsonFlag
	File string `arg:"" help:"File to write; it must not be there."`
	database
}

func (backupCmd) Help() string {
	return `Of SQLite it is a database file, of PostgreSQL an archive of an export; both are one snapshot, taken while the database is
in use, and both can be restored on either. For large PostgreSQL databases use the server's own base backups. The file of
SQLite holds the secrets of webhooks; the archive does not, and after its restore they are made anew with lojal webhook rotate.

Examples:

    lojal backup lojal-2026-11-22.backup`
}

func (c *backupCmd) Run(e *env) (err error) {
	d, err := c.open(e)
	if err != nil {
		return err
	}
	defer closing(d, &err)
	if err := export.Backup(e.ctx, d, c.File, e.build.Version, e.now()); err != nil {
		return err
	}
	info, err := os.Stat(c.File)
	if err != nil {
		return err
	}
	if c.JSON {
		return e.json(map[string]any{"file": c.File, "bytes": info.Size()})
	}
	e.printf("Wrote %s (%d KiB). `lojal restore` brings it back into an empty database.\n", c.File, (info.Size()+1023)/1024)
	return nil
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
	e.printf("Restored %d rows from %s. `lojal verify` proves the books.\n", r.Rows, c.From)
	return nil
}
