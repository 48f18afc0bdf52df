package importer

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"os"
	"strconv"

	"lojal.dev/lojal/internal/errs"
)

// refusedFile is a copy of the refused rows with their numbers and the reasons, to be mended and imported again. It is
// made with the first of them.
type refusedFile struct {
	path  string
	table *table
	// keep is how much of an older file belongs to the import that is taken up again.
	keep int64
	file *os.File
	buf  *bufio.Writer
	csv  *csv.Writer
	size int64
}

// openRefused prepares the file; an empty path is none.
func openRefused(path string, t *table, keep int64) (*refusedFile, error) {
	f := &refusedFile{path: path, table: t, keep: keep, size: keep}
	if path == "" || keep == 0 {
		return f, nil
	}
	if err := f.open(); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *refusedFile) open() (err error) {
	if f.file, err = os.OpenFile(f.path, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return errs.Invalid("refused_file", fmt.Sprintf("The file for refused rows %s cannot be written.", f.path)).Because(err)
	}
	info, err := f.file.Stat()
	if err == nil {
		f.size = min(f.keep, info.Size())
		err = f.file.Truncate(f.size)
	}
	if err == nil {
		_, err = f.file.Seek(f.size, 0)
	}
	if err != nil {
		return f.failed(err)
	}
	f.buf = bufio.NewWriter(f.file)
	f.csv = csv.NewWriter(f.buf)
	if f.size == 0 {
		return f.csv.Write(append([]string{"row", "reason"}, f.table.header...))
	}
	return nil
}

func (f *refusedFile) failed(err error) error {
	return errs.Unavailable("refused_file", fmt.Sprintf("The file for refused rows %s cannot be written: %s.", f.path, err))
}

func (f *refusedFile) add(rows []Refusal) error {
	if f.path == "" || len(rows) == 0 {
		return nil
	}
	if f.file == nil {
		if err := f.open(); err != nil {
			return err
		}
	}
	for _, r := range rows {
		if err := f.csv.Write(append([]string{strconv.Itoa(r.Row), r.Reason}, f.table.rows[r.place].cells...)); err != nil {
			return f.failed(err)
		}
	}
	return nil
}

// flush gives the size of the file when all that was added is in it.
func (f *refusedFile) flush() (int64, error) {
	if f.file == nil {
		return f.size, nil
	}
	f.csv.Flush()
	err := f.csv.Error()
	if err == nil {
		err = f.buf.Flush()
	}
	if err != nil {
		return 0, f.failed(err)
	}
	if f.size, err = f.file.Seek(0, 1); err != nil {
		return 0, f.failed(err)
	}
	return f.size, nil
}

func (f *refusedFile) close() error {
	if f.file == nil {
		return nil
	}
	_, err := f.flush()
	if closing := f.file.Close(); err == nil && closing != nil {
		err = f.failed(closing)
	}
	return err
}
