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
	// The file is made before it is filled, so that no one else can read it even for a moment.
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.partial")
	if err != nil {
		return fmt.Errorf("make the backup file: %w", err)
	}
	partial := file.Name()
	defer func() {
		if err != nil {
			os.Remove(partial) // the reason why the backup failed says more
		}
	}()
	defer file.Close() // it was synced, or the backup failed
	if err := d.vacuumInto(ctx, partial); err != nil {
		return explain(ctx, fmt.Errorf("copy the database: %w", err))
	}
	if err := file.Sync(); err != nil {
		return fmt.Errorf("sync the backup: %w", err)
	}
	return Publish(partial, path)
}

// Publish gives a file that is whole and synced its name, on the same disk, so that it appears at once and survives power loss. A file
// that has the name already is a conflict.
func Publish(from, path string) error {
	switch err := os.Link(from, path); {
	case errors.Is(err, fs.ErrExist):
		return errs.Conflict("file_exists", fmt.Sprintf("%s is there already; a backup overwrites nothing.", path))
	case err == nil:
		if err := os.Remove(from); err != nil {
			return fmt.Errorf("name the file: %w", err)
		}
	default: // some file systems have no second names
		if err := os.Rename(from, path); err != nil {
			return fmt.Errorf("name the file: %w", err)
		}
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
