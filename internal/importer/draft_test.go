package importer

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
)

// Each mapping of the documentation says the same after it was written out and read again.
func TestAMappingIsWrittenAsItIsRead(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../docs/examples/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	read := 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		m, err := ParseMapping(data, file)
		if err != nil { // another kind of document
			continue
		}
		read++
		m.With, m.File.Widths = nil, nil // what is never written
		text, err := m.YAML()
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseMapping([]byte(text), "again")
		if err != nil {
			t.Fatalf("%s: %v\n%s", file, err, text)
		}
		twice, err := again.YAML()
		if err != nil || twice != text {
			t.Errorf("%s becomes\n%s\nand then\n%s", file, text, twice)
		}
		if len(again.Given()) != len(m.Given()) {
			t.Errorf("%s gives %d values, and then %d", file, len(m.Given()), len(again.Given()))
		}
	}
	if read < 4 {
		t.Errorf("%d mappings were read", read)
	}
}

func TestAGuessFitsTheFile(t *testing.T) {
	t.Parallel()
	header := func(names string, samples ...string) *Head {
		h := &Head{Header: true}
		for i, n := range strings.Split(names, ";") {
			c := HeadColumn{Number: i + 1, Name: n}
			if i < len(samples) {
				c.Samples = strings.Split(samples[i], "|")
			}
			h.Columns = append(h.Columns, c)
		}
		return h
	}
	for _, c := range []struct {
		head *Head
		kind Kind
		want string
	}{
		{header("Medlemsnr;Fornavn;Etternavn;E-post;Mobil;Født;Innmeldt", "2001", "Åse", "Ødegård", "a@b.no", "", "17.05.1990", "03.02.2026"), Members,
			"external_id: Medlemsnr|given_name: Fornavn|family_name: Etternavn|email: E-post|phone: Mobil|birth: Født|at: Innmeldt|format: DD.MM.YYYY"},
		{header("kortnummer;kvitto;datum;belopp", "7002", "1", "2026-11-01", "1.129,00"), Purchases, "column: kortnummer|as: card|receipt: kvitto|at: datum|amount: belopp|decimal: \",\"|thousands: ."},
		{header("email;order id;date;total", "a@b.no", "1", "11/23/2026", "1,129.00"), Purchases, "as: email|receipt: order id|format: MM/DD/YYYY|thousands: \",\""},
		{header("customer;type;when it was;timestamp", "+47 910 00 777", "review", "", "1773150000"), Activities, "as: phone|kind: type|at: timestamp|format: unix"},
		{header("Navn;Navn;Dato;Sum", "x", "y", "1.2.2026", "5"), Purchases, "name: 1|at: Dato|format: D.M.YYYY|amount: Sum"},
	} {
		m := Guess(c.head, "", nil)
		text, err := m.YAML()
		if err != nil {
			t.Fatal(err)
		}
		if m.Import != c.kind {
			t.Errorf("%s is taken for %s", c.head.Columns[0].Name, m.Import)
		}
		for want := range strings.SplitSeq(c.want, "|") {
			if !strings.Contains(text, want+"\n") {
				t.Errorf("%q is not in\n%s", want, text)
			}
		}
	}
}

func TestADraftIsForgottenAfterADay(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open1(t, d)
		u, err := Begin(t.Context(), d, "kaffebaren", 0, func() time.Time { return now })
		if err == nil {
			err = u.Part(t.Context(), FilePart, "x.csv", bytes.NewReader([]byte("a;b\n1;2\n")))
		}
		if err == nil {
			err = d.Write(t.Context(), func(tx *db.Tx) error {
				_, err := u.Keep(t.Context(), tx)
				return err
			})
		}
		if err != nil {
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

// What was tried keeps its files for a day, and its report for longer.
func TestTheFilesOfATryAreDroppedAfterADay(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open1(t, d)
		id := h.uploads(long(h))
		end := func() { h.node(20, func() bool { s := h.get(id).Status; return s == done || s == failed }) }
		err := d.Write(t.Context(), func(tx *db.Tx) error {
			_, err := tx.Exec(t.Context(), `UPDATE jobs SET args = REPLACE(args, '}', ',"dry_run":true}') WHERE kind = $1`, UploadKind)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		end()
		for _, c := range []struct {
			after time.Duration
			left  bool
		}{{staleAfter - time.Minute, true}, {staleAfter + time.Minute, false}} {
			w := worker{db: d, clock: func() time.Time { return now.Add(c.after) }}
			if err := w.tend(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			if (h.count("import_parts") > 0) != c.left || h.get(id).Status != done {
				t.Errorf("after %s: %d pieces", c.after, h.count("import_parts"))
			}
		}
	})
}
