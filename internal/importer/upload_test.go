package importer

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	jobs "lojal.dev/lojal/internal/job"
)

// uploads sends the files of an input, and gives the id of the import.
func (h *house) uploads(in Input) (id string) {
	h.t.Helper()
	u, err := Begin(h.t.Context(), h.d, "kaffebaren", 0, in.Clock)
	if err != nil {
		h.t.Fatal(err)
	}
	for part, path := range map[string]string{MappingPart: in.Mapping, FilePart: in.File} {
		data, err := os.ReadFile(path)
		if err == nil {
			err = u.Part(h.t.Context(), part, part+".txt", bytes.NewReader(data))
		}
		if err != nil {
			h.t.Fatal(err)
		}
	}
	err = h.d.Write(h.t.Context(), func(tx *db.Tx) (err error) {
		id, _, err = u.Finish(h.t.Context(), tx, false, "test")
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return id
}

func (h *house) get(id string) (i Import) {
	h.t.Helper()
	err := h.d.Read(context.WithoutCancel(h.t.Context()), func(tx *db.Tx) (err error) {
		i, err = Get(context.WithoutCancel(h.t.Context()), tx, "kaffebaren", id)
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return i
}

// node imports what was uploaded, until enough says so.
func (h *house) node(batch int, enough func() bool) {
	h.t.Helper()
	clock := func() time.Time { return now }
	w := worker{h.d, h.recorder, h.versions, clock, slog.New(slog.DiscardHandler), batch}
	r := jobs.NewRunner(jobs.Options{DB: h.d, Clock: clock, Poll: time.Millisecond})
	r.Handle(UploadKind, jobs.Worker{Run: w.run})
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		r.Run(ctx)
	}()
	for !enough() {
		if h.t.Context().Err() != nil {
			h.t.Error("it does not come to an end")
			break
		}
	}
	cancel()
	<-stopped
}

func TestAnUploadThatIsHandedOverGivesTheSameBooks(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open1(t, d)
		in := long(h)
		id := h.uploads(in)
		stops := 0
		for h.get(id).Status != done {
			before := h.get(id).Done
			h.node(20, func() bool { i := h.get(id); return i.Done > before || i.Status == done })
			stops++
		}
		if stops < 3 {
			t.Errorf("it was stopped %d times only", stops)
		}
		h.node(20, func() bool { return h.count("import_parts") == 0 }) // the last stop may have come just before the files went
		h.proved()

		clean := open1(t, dbtest.Open(t, d.Dialect()))
		cleanIn := long(clean)
		want := clean.run(cleanIn)
		got := h.get(id)
		if n := got.Report.Recorded + got.Report.Known; n != want.Recorded { // what was recorded just before a stop is known after it
			t.Errorf("%d, want %d", n, want.Recorded)
		}
		ignore := cmpopts.IgnoreFields(Report{}, "Import", "File", "RefusedFile", "ResumedAt", "Recorded", "Known", "Earned")
		if diff := cmp.Diff(want, got.Report, ignore, cmpopts.IgnoreUnexported(Refusal{}), cmpopts.EquateEmpty()); diff != "" {
			t.Error(diff)
		}
		file, err := os.ReadFile(want.RefusedFile)
		if err != nil {
			t.Fatal(err)
		}
		var refused bytes.Buffer
		if err := Refused(t.Context(), d, "kaffebaren", id, &refused); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(file), refused.String()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestUploadsThatNeverEndedAreClearedUp(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open1(t, d)
		u, err := Begin(t.Context(), d, "kaffebaren", 0, func() time.Time { return now })
		if err != nil {
			t.Fatal(err)
		}
		if err := u.Part(t.Context(), FilePart, "x.csv", bytes.NewReader([]byte("a,b\n"))); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			after time.Duration
			left  int
		}{{staleAfter - time.Minute, 1}, {staleAfter + time.Minute, 0}} {
			w := worker{db: d, clock: func() time.Time { return now.Add(c.after) }}
			if err := w.tend(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			if h.count("imports") != c.left || h.count("import_parts") != c.left {
				t.Errorf("after %s: %d, %d", c.after, h.count("imports"), h.count("import_parts"))
			}
		}
	})
}

// An import that ends every node that takes it up does not do so for ever.
func TestAnUploadThatWasBegunTooOftenFails(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open1(t, d)
		id := h.uploads(long(h))
		err := d.Write(t.Context(), func(tx *db.Tx) error {
			_, err := tx.Exec(t.Context(), `UPDATE jobs SET attempt = $1 WHERE kind = $2`, mostAttempts, UploadKind)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		h.node(20, func() bool { return h.get(id).Status != waiting })
		if i := h.get(id); i.Status != failed || i.Error == "" || i.Report.Recorded != 0 {
			t.Errorf("%+v", i)
		}
	})
}
