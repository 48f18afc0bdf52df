package db

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"lojal.dev/lojal/internal/errs"
)

// Backup writes a copy of a SQLite database to path: one snapshot, taken while others read and write, compact, and
// on disk when it returns. The file appears whole or not at all. A file that is there already is a conflict.
//
// PostgreSQL has its own tools for this, and Backup is invalid there.
func (d *DB) Backup(ctx context.Context, path string) (err error) {
	if d.dialect == Postgres {
		return errs.Invalid("backup", "A PostgreSQL database is backed up with pg_dump or with the server's own base backup.")
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return errs.Conflict("file_exists", fmt.Sprintf("%s is there already; a backup overwrites nothing.", path)).Because(err)
	}
	partial := path + ".partial"
	defer func() {
		if err != nil {
			os.Remove(partial) // the reason why the backup failed says more
		}
	}()
	// The file is made before it is filled, so that no one else can read it even for a moment.
	file, err := os.OpenFile(partial, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("make the backup file: %w", err)
	}
	defer file.Close() // it was synced, or the backup failed
	if err := d.vacuumInto(ctx, partial); err != nil {
		return explain(ctx, fmt.Errorf("copy the database: %w", err))
	}
	if err := file.Sync(); err != nil {
		return fmt.Errorf("sync the backup: %w", err)
	}
	if err := os.Rename(partial, path); err != nil {
		return fmt.Errorf("name the backup: %w", err)
	}
	return syncDir(filepath.Dir(path))
}

// vacuumInto copies on a connection of its own: the readers' may not write, and the writer must not wait.
func (d *DB) vacuumInto(ctx context.Context, path string) error {
	pool, err := sqlitePool(sqliteDSN(d.path))
	if err != nil {
		return err
	}
	_, err = pool.ExecContext(ctx, `VACUUM INTO $1`, path)
	return errors.Join(err, pool.Close())
}

// syncDir makes the names in the folder survive power loss.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("sync the folder %s: %w", path, err)
	}
	if err := errors.Join(dir.Sync(), dir.Close()); err != nil {
		return fmt.Errorf("sync the folder %s: %w", path, err)
	}
	return nil
}
