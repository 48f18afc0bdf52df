package importer

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"os"
	"strconv"

	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/web"
)

// refusedRows is a copy of the refused rows with their numbers and the reasons, to be mended and imported again. It is
// made with the first of them.
type refusedRows struct {
	to    sink
	table *table
	// keep is how much of what is there already belongs to the import that is taken up again.
	keep int64
	open bool
	csv  *csv.Writer
	size int64
}

// sink is where the copy goes: a file, or the database.
type sink interface {
	// begin keeps so many bytes of what is there, and gives how many there are.
	begin(keep int64) (int64, error)
	Write(p []byte) (int, error)
	// sync has all that was written safe, and gives the size.
	sync() (int64, error)
	close() error
}

// openRefused prepares the copy; without a sink there is none.
func openRefused(to sink, t *table, keep int64) (*refusedRows, error) {
	f := &refusedRows{to: to, table: t, keep: keep, size: keep}
	if to == nil || keep == 0 {
		return f, nil
	}
	if err := f.begin(); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *refusedRows) begin() (err error) {
	if f.size, err = f.to.begin(f.keep); err != nil {
		return err
	}
	f.open, f.csv = true, csv.NewWriter(f.to)
	if f.size == 0 {
		return f.csv.Write(web.Cells(append([]string{"row", "reason"}, f.table.header...)))
	}
	return nil
}

// unmarked takes the marks away again from a file of refused rows, which begins with its two own columns.
func (t *table) unmarked() {
	if len(t.rows) == 0 || len(t.rows[0].cells) < 2 || t.rows[0].cells[0] != "row" || t.rows[0].cells[1] != "reason" {
		return
	}
	for _, r := range t.rows {
		for i, cell := range r.cells {
			r.cells[i] = web.Uncell(cell)
		}
	}
}

func (f *refusedRows) add(rows []Refusal) error {
	if f.to == nil || len(rows) == 0 {
		return nil
	}
	if !f.open {
		if err := f.begin(); err != nil {
			return err
		}
	}
	for _, r := range rows {
		line := append([]string{strconv.Itoa(r.Row), r.Reason}, f.table.rows[r.place].cells...)
		if err := f.csv.Write(web.Cells(line)); err != nil {
			return err
		}
	}
	return nil
}

// flush gives the size of the copy when all that was added is in it.
func (f *refusedRows) flush() (int64, error) {
	if !f.open {
		return f.size, nil
	}
	f.csv.Flush()
	err := f.csv.Error()
	if err == nil {
		f.size, err = f.to.sync()
	}
	return f.size, err
}

func (f *refusedRows) close() error {
	if !f.open {
		return nil
	}
	_, err := f.flush()
	if closing := f.to.close(); err == nil {
		err = closing
	}
	return err
}

// refusedFile is a file of refused rows.
type refusedFile struct {
	path string
	file *os.File
	buf  *bufio.Writer
}

func (f *refusedFile) begin(keep int64) (size int64, err error) {
	if f.file, err = os.OpenFile(f.path, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return 0, errs.Invalid("refused_file", fmt.Sprintf("The file for refused rows %s cannot be written.", f.path)).Because(err)
	}
	info, err := f.file.Stat()
	if err == nil {
		size = min(keep, info.Size())
		err = f.file.Truncate(size)
	}
	if err == nil {
		_, err = f.file.Seek(size, 0)
	}
	f.buf = bufio.NewWriter(f.file)
	return size, f.failed(err)
}

func (f *refusedFile) failed(err error) error {
	if err == nil {
		return nil
	}
	return errs.Unavailable("refused_file", fmt.Sprintf("The file for refused rows %s cannot be written: %s.", f.path, err))
}

// Write is part of io.Writer.
func (f *refusedFile) Write(p []byte) (int, error) {
	n, err := f.buf.Write(p)
	return n, f.failed(err)
}

func (f *refusedFile) sync() (int64, error) {
	err := f.buf.Flush()
	if err != nil {
		return 0, f.failed(err)
	}
	size, err := f.file.Seek(0, 1)
	return size, f.failed(err)
}

func (f *refusedFile) close() error { return f.failed(f.file.Close()) }
