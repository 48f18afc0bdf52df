package export

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
)

// Backup copies the database to one file: of SQLite a database file, of PostgreSQL an export as a compressed archive. Both
// are one snapshot, taken while others read and write, and either engine can be restored from both. The file appears whole
// or not at all; one that is there already is a conflict.
func Backup(ctx context.Context, d *db.DB, path, lojal string, now time.Time) (err error) {
	if d.Dialect() == db.SQLite {
		return d.Backup(ctx, path)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return errs.Conflict("file_exists", fmt.Sprintf("%s is there already; a backup overwrites nothing.", path)).Because(err)
	}
	dir, err := os.MkdirTemp(filepath.Dir(path), ".lojal-backup-*")
	if err != nil {
		return errs.Invalid("folder", fmt.Sprintf("The folder of %s cannot be written to.", path)).Because(err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	m, err := Write(ctx, d, filepath.Join(dir, "export"), lojal, now)
	if err != nil {
		return err
	}
	packed := filepath.Join(dir, "archive")
	if err := pack(filepath.Join(dir, "export"), packed, m); err != nil {
		return fmt.Errorf("write the archive: %w", err)
	}
	return db.Publish(packed, path)
}

// pack writes an export as one archive, the manifest first.
func pack(dir, path string, m *Manifest) (err error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	zip := gzip.NewWriter(file)
	out := tar.NewWriter(zip)
	defer func() { err = errors.Join(err, out.Close(), zip.Close(), file.Sync(), file.Close()) }()
	names := []string{ManifestFile}
	for _, t := range m.Tables {
		names = append(names, t.File)
	}
	for _, name := range names {
		if err := packFile(out, dir, name, m.ExportedAt); err != nil {
			return err
		}
	}
	return nil
}

func packFile(out *tar.Writer, dir, name string, at time.Time) error {
	file, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if err := out.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: info.Size(), ModTime: at}); err != nil {
		return err
	}
	_, err = io.Copy(out, file)
	return err
}

// unpack writes an archive's files into a folder.
func unpack(path, dir string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	zip, err := gzip.NewReader(file)
	if err != nil {
		return err
	}
	in := tar.NewReader(zip)
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if h.Typeflag != tar.TypeReg || h.Name != filepath.Base(h.Name) || h.Name != ManifestFile && !strings.HasSuffix(h.Name, ".jsonl") {
			return fmt.Errorf("it holds %q, which is no part of an export", h.Name)
		}
		if err := unpackFile(in, filepath.Join(dir, filepath.Base(h.Name)), h.Size); err != nil {
			return err
		}
	}
}

func unpackFile(in io.Reader, path string, size int64) error {
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.CopyN(out, in, size)
	return errors.Join(err, out.Close())
}

// form is what a backup is.
type form int

const (
	formFolder form = iota
	formArchive
	formSQLite
)

func formOf(path string) (form, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, errs.NotFound("file", fmt.Sprintf("There is no file or folder %s.", path))
	}
	if err != nil {
		return 0, errs.Invalid("file", fmt.Sprintf("%s cannot be read.", path)).Because(err)
	}
	if info.IsDir() {
		return formFolder, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return 0, errs.Invalid("file", fmt.Sprintf("%s cannot be read.", path)).Because(err)
	}
	defer file.Close()
	head := make([]byte, 16)
	n, err := io.ReadFull(file, head)
	head = head[:n]
	switch {
	case bytes.HasPrefix(head, []byte("SQLite format 3\x00")):
		return formSQLite, nil
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return formArchive, nil
	}
	return 0, errs.Invalid("not_a_backup", fmt.Sprintf("%s is neither a backup nor an export of lojal.", path)).Because(err)
}

// Restored says what was restored.
type Restored struct {
	From string `json:"from"`
	Rows int64  `json:"rows"`
	// ExportedAt is when the export or archive was made; of a database file it is not known.
	ExportedAt time.Time `json:"exported_at,omitzero"`
}

// Restore fills an empty database, of either engine, from a backup file or an export folder. A SQLite database that is not
// there is made. Nothing is restored when anything is wrong: conflict "not_empty", "other_schema"; invalid "not_an_export",
// "broken_export", "not_a_backup".
func Restore(ctx context.Context, url, path string, now time.Time) (out Restored, err error) {
	kind, err := formOf(path)
	if err != nil {
		return out, err
	}
	out.From = path
	if kind == formSQLite {
		if done, err := copyFile(ctx, url, path, &out); done || err != nil {
			return out, err
		}
	}
	d, err := db.Open(ctx, url, db.Options{Migrate: true})
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	dir := path
	if kind != formFolder {
		if dir, err = os.MkdirTemp("", "lojal-restore-*"); err != nil {
			return out, fmt.Errorf("make a folder to unpack into: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	switch kind {
	case formArchive:
		if err := unpack(path, dir); err != nil {
			return out, errs.Invalid("broken_export", fmt.Sprintf("The archive %s cannot be read to its end.", path)).Because(err)
		}
	case formSQLite:
		if err := exportFile(ctx, path, dir, now); err != nil {
			return out, err
		}
	case formFolder:
	}
	m, err := fill(ctx, d, folder(dir), path)
	if err != nil {
		return out, err
	}
	out.Rows = m.Rows()
	if kind != formSQLite {
		out.ExportedAt = m.ExportedAt
	}
	return out, nil
}

// copyFile restores a database file into a SQLite database that is not there yet; it says whether it did.
func copyFile(ctx context.Context, url, path string, out *Restored) (done bool, err error) {
	target, err := db.Open(ctx, url, db.Options{Unmigrated: true})
	if err == nil {
		return false, target.Close()
	}
	if !errs.Is(err, errs.CodeNotFound, "database") {
		return false, err
	}
	backup, err := db.Open(ctx, path, db.Options{})
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, backup.Close()) }()
	if err := backup.Backup(ctx, sqlitePath(url)); err != nil {
		return false, err
	}
	return true, backup.Read(ctx, func(tx *db.Tx) error {
		out.Rows = 0
		for _, t := range tables {
			var n int64
			if err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM `+t.name).Scan(&n); err != nil {
				return err
			}
			out.Rows += n
		}
		return nil
	})
}

// sqlitePath is the file of a URL that db.Open took for SQLite.
func sqlitePath(url string) string {
	if rest, ok := strings.CutPrefix(url, "sqlite:"); ok {
		return strings.TrimPrefix(rest, "//")
	}
	return url
}

// exportFile exports a database file into a folder.
func exportFile(ctx context.Context, path, dir string, now time.Time) (err error) {
	d, err := db.Open(ctx, path, db.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	_, err = Write(ctx, d, dir, "", now)
	return err
}
