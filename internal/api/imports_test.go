package api

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/importer"
	"lojal.dev/lojal/internal/job"
)

// upload sends a mapping and a file, and further parts as name and text.
func (h *house) upload(query, mapping, file string, more ...string) *answer {
	h.t.Helper()
	parts := []Part{{Name: "mapping", Example: mapping}, {Name: "file", Example: file}}
	for i := 0; i < len(more); i += 2 {
		parts = append(parts, Part{Name: more[i], Example: more[i+1]})
	}
	body, head := multipartOf(h.t, parts)
	return h.do("POST", "/v1/imports?"+query, body, head...)
}

// imports has a node import what was uploaded, until nothing waits.
func (h *house) imports() {
	h.t.Helper()
	jobs := job.NewRunner(job.Options{DB: h.d, Clock: h.clock, Poll: time.Millisecond})
	importer.Handle(jobs, h.d, h.rec, h.vs, h.clock, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		jobs.Run(ctx)
	}()
	for waiting := true; waiting; {
		err := h.d.Read(h.t.Context(), func(tx *db.Tx) error {
			counts, err := job.Counts(h.t.Context(), tx)
			waiting = false
			for _, c := range counts {
				waiting = waiting || c.Kind == importer.UploadKind && (c.State == job.Available || c.State == job.Running || c.State == job.Retryable)
			}
			return err
		})
		if err != nil {
			h.t.Fatal(err)
		}
	}
	cancel()
	<-stopped
}

func (h *house) rowsIn(table string) (n int) {
	h.t.Helper()
	err := h.d.Read(h.t.Context(), func(tx *db.Tx) error { return tx.QueryRow(h.t.Context(), `SELECT COUNT(*) FROM `+table).Scan(&n) })
	if err != nil {
		h.t.Fatal(err)
	}
	return n
}

func TestAnUploadIsImported(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		made := h.upload("", exampleMapping, exampleRows).want(201).is("waiting", "status").is("purchases", "kind").is("file.txt", "file")
		id := made.text("id")
		if made.head.Get("Location") != "/v1/imports/"+id {
			t.Errorf("%v", made.head)
		}
		h.upload("", exampleMapping, exampleRows).want(200).is(id, "id") // the same, while it waits
		h.imports()
		h.do("GET", "/v1/imports/"+id, "").want(200).is("done", "status").is(2, "facts").is(2, "done").is(1, "recorded").is(1, "refused").is(1, "enrolled").
			is(2, "rows").is("17", "earned", "star").is(3, "refusals", 0, "row")
		refused := h.do("GET", "/v1/imports/"+id+"/refused", "").want(200)
		if !strings.HasPrefix(string(refused.raw), "row,reason,receipt,card,at,amount\n3,") || !strings.HasSuffix(string(refused.raw), "R-2,4711,2026-11-02T10:00:00+01:00,-5.00\n") {
			t.Errorf("%s", refused.raw)
		}
		h.do("GET", "/v1/members/ext:4711", "").want(200)
		if n := h.rowsIn("import_parts"); n != 0 {
			t.Errorf("%d pieces of files are left", n)
		}
		again := h.upload("", exampleMapping, exampleRows).want(201).text("id")
		h.imports()
		h.do("GET", "/v1/imports/"+again, "").want(200).is("done", "status").is(0, "recorded").is(1, "known")
		list := h.do("GET", "/v1/imports?limit=1", "").want(200).is(again, "items", 0, "id").is(nil, "items", 0, "refusals")
		h.do("GET", "/v1/imports?limit=1&cursor="+list.text("next_cursor"), "").want(200).is(id, "items", 0, "id").is(nil, "next_cursor")
		h.do("POST", "/v1/imports/"+id+"/cancel", "").want(200).is("done", "status")
		h.do("GET", "/v1/audit?action=import.uploaded", "").want(200).is(again, "items", 0, "target").is("file.txt", "items", 0, "detail", "file")
	})
}

func TestAnUploadIsLookedAtWithoutATrace(t *testing.T) {
	each(t, func(_ *testing.T, h *house) {
		before := h.count()
		id := h.upload("dry_run=true", exampleMapping, exampleRows).want(201).text("id")
		h.imports()
		h.do("GET", "/v1/imports/"+id, "").want(200).is("done", "status").is(true, "dry_run").is(2, "facts").is(1, "refused").is(1, "enrolled")
		if after := h.count(); after != before {
			h.t.Errorf("from %+v to %+v", before, after)
		}
		if text := string(h.do("GET", "/v1/imports/"+id+"/refused", "").want(200).raw); !strings.Contains(text, "R-2") {
			h.t.Errorf("%q", text)
		}
		h.upload("dry_run=perhaps", exampleMapping, exampleRows).refused(400, "invalid_parameter", "dry_run")
	})
}

func TestAnUploadWithAFurtherFileAndPacked(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		const mapping = "import: purchases\nsource: till\nmember: {column: card, as: ext, enrol: true}\nwith:\n  goods: {file: /etc/passwd, key: sku, match: sku}\n" +
			"purchase: {receipt: receipt, at: at}\nline: {amount: amount, sku: sku, category: goods.category}\n"
		rows := "receipt,card,at,sku,amount\nR-9,77,2026-11-01T10:00:00+01:00,X,500.00\n"
		var packed bytes.Buffer
		zip := gzip.NewWriter(&packed)
		_, _ = zip.Write([]byte(rows))
		zip.Close()
		h.upload("", mapping, rows).refused(400, "invalid_upload") // what the mapping names is never read from the server's disk
		id := h.upload("", mapping, packed.String(), "goods", "sku,category\nX,flight\n").want(201).text("id")
		h.imports()
		got := h.do("GET", "/v1/imports/"+id, "").want(200).is("done", "status").is(1, "recorded")
		if got.get("earned", "mile") == nil {
			t.Errorf("the category of the further file was not seen: %s", got.raw)
		}
	})
}

func TestAnUploadThatCannotBeSaysWhyAndLeavesNothing(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.do("POST", "/v1/imports", `{}`).refused(415, "unsupported_media_type")
		h.do("POST", "/v1/imports", "x", "Content-Type", "multipart/form-data").refused(400, "invalid_upload")
		body, head := multipartOf(t, []Part{{Name: "file", Example: "a,b\n"}})
		h.do("POST", "/v1/imports", body, head...).refused(400, "invalid_upload")
		h.do("POST", "/v1/imports", body[:len(body)-20], head...).refused(400, "invalid_upload")
		h.upload("", "import: purchases\nsauce: x\n", "a\n").refused(422, "invalid_mapping")
		h.upload("", exampleMapping, exampleRows, "other", "x").refused(400, "invalid_upload")
		h.upload("", exampleMapping, exampleRows, "file", "x").refused(400, "invalid_upload")
		h.srv.Limits.MaxUpload = 1 << 20
		h.upload("", exampleMapping, strings.Repeat("x", 1<<20)).refused(422, "file_too_large")
		for _, table := range []string{"imports", "import_parts", "jobs"} {
			if n := h.rowsIn(table); n != 0 {
				t.Errorf("%d rows are left in %s", n, table)
			}
		}
		var packed bytes.Buffer // small on the wire, large in memory
		zip := gzip.NewWriter(&packed)
		for range 65 {
			_, _ = zip.Write(make([]byte, 1<<20))
		}
		zip.Close()
		id := h.upload("", exampleMapping, packed.String()).want(201).text("id")
		other := h.upload("", exampleMapping, "card,at,amount\n1,2026-11-01,5\n").want(201).text("id") // a column is not there
		h.imports()
		for _, c := range [][2]string{{id, "64 MiB"}, {other, "receipt"}} {
			if got := h.do("GET", "/v1/imports/"+c[0], "").want(200).is("failed", "status"); !strings.Contains(got.text("error"), c[1]) {
				t.Errorf("%s", got.raw)
			}
		}
		if n := h.rowsIn("import_parts"); n != 0 {
			t.Errorf("%d pieces of files are left", n)
		}
		h.do("GET", "/v1/imports/imp_01k9zjq3hfe1f8m6v7j0q3x5c4", "").refused(404, "import_not_found")
		h.do("GET", "/v1/imports/imp_01k9zjq3hfe1f8m6v7j0q3x5c4/refused", "").refused(404, "import_not_found")
	})
}

func TestAnUploadUnderAKeyIsTakenOnce(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		send := func(key, rows string) *answer {
			body, head := multipartOf(t, []Part{{Name: "mapping", Example: exampleMapping}, {Name: "file", Example: rows}})
			return h.do("POST", "/v1/imports", body, append(head, "Idempotency-Key", key)...)
		}
		id := send("k", exampleRows).want(201).text("id")
		h.imports()
		again := send("k", exampleRows).want(201).is(id, "id").is("waiting", "status")
		if again.head.Get("Idempotent-Replayed") != "true" || h.rowsIn("imports") != 1 || h.rowsIn("import_parts") != 0 {
			t.Errorf("%v, %d imports", again.head, h.rowsIn("imports"))
		}
		send("k", exampleRows+"R-3,1,2026-11-02T10:00:00+01:00,5.00\n").refused(422, "idempotency_key_reused")
	})
}

func TestAnUploadIsCalledOff(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id := h.upload("", exampleMapping, exampleRows).want(201).text("id")
		h.do("POST", "/v1/imports/"+id+"/cancel", "").want(200).is("cancelled", "status")
		h.imports()
		h.do("GET", "/v1/imports/"+id, "").want(200).is("cancelled", "status").is(0, "recorded")
		if n := h.rowsIn("import_parts"); n != 0 {
			t.Errorf("%d pieces of files are left", n)
		}
	})
}

func TestALargeUploadIsTakenInPieces(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		var b strings.Builder
		b.WriteString("receipt,card,at,amount\n")
		for i := range 1200 {
			fmt.Fprintf(&b, "R-%d,%d,2026-11-01T10:00:00+01:00,%d.00%s\n", i, i%7, 20+i%50, strings.Repeat(" ", 400))
		}
		id := h.upload("", exampleMapping, b.String()).want(201).text("id")
		if n := h.rowsIn("import_parts"); n < 3 {
			t.Errorf("%d pieces", n)
		}
		h.imports()
		h.do("GET", "/v1/imports/"+id, "").want(200).is("done", "status").is(1200, "recorded").is(7, "enrolled")
	})
}

// draft sends a file alone.
func (h *house) draft(file string) *answer {
	h.t.Helper()
	body, head := multipartOf(h.t, []Part{{Name: "file", Example: file}})
	return h.do("POST", "/v1/imports?draft=true", body, head...)
}

func TestADraftIsLookedIntoTriedAndStarted(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		rows := "Bongnr;Kundenr;Dato;Beløp;Butikk\nR-1;4711;01.11.2026 10:00;1 129,00;oslo\nR-2;4711;02.11.2026 11:30;=5;oslo\n"
		id := h.draft(rows).want(201).is("draft", "status").is(true, "startable").text("id")
		h.imports()
		h.do("GET", "/v1/imports/"+id, "").want(200).is("draft", "status")
		look := h.do("GET", "/v1/imports/"+id+"/file", "").want(200).is(";", "delimiter").is(true, "header").is("Bongnr", "columns", 0, "name").is(5, "columns", 4, "number").
			is("1 129,00", "rows", 0, 3).is(nil, "earlier")
		want := "import: purchases\nsource: till\nfile:\n  header: true\nnumbers:\n  decimal: \",\"\n  thousands: space\ndates:\n  format: DD.MM.YYYY HH:mm\n" +
			"member:\n  column: Kundenr\n  as: ext\n  enrol: true\npurchase:\n  receipt: Bongnr\n  at: Dato\n  store: Butikk\nline:\n  amount: Beløp\n"
		guess := look.text("guess")
		if guess != want {
			t.Errorf("the guess is\n%s", guess)
		}
		h.do("POST", "/v1/imports/"+id+"/start", `{}`).refused(422, "invalid_mapping")
		start := func(mapping string, dry bool) *answer {
			body, err := json.Marshal(map[string]any{"mapping": mapping, "dry_run": dry})
			if err != nil {
				t.Fatal(err)
			}
			return h.do("POST", "/v1/imports/"+id+"/start", string(body))
		}
		start("import: purchases\nsauce: x\n", true).refused(422, "invalid_mapping")
		start(strings.Replace(guess, "Beløp", "Sum", 1), true).want(200).is("waiting", "status").is(true, "dry_run").is(false, "startable")
		start(guess, true).refused(409, "import_begun")
		h.imports()
		h.do("GET", "/v1/imports/"+id, "").want(200).is("failed", "status").is(true, "startable").is(true, "dry_run")
		before := h.count()
		start(guess, true).want(200)
		h.imports()
		h.do("GET", "/v1/imports/"+id, "").want(200).is("done", "status").is(true, "dry_run").is(1, "refused").is(true, "startable").is(guess, "mapping").is(nil, "error").
			is("ext:4711", "sample", 0, "member").is("1129.00", "sample", 0, "amount").is("2026-11-01T10:00:00+01:00", "sample", 0, "at").is(1, "members")
		if after := h.count(); after != before {
			t.Errorf("from %+v to %+v", before, after)
		}
		h.do("POST", "/v1/imports/"+id+"/start", `{}`).want(200).is("waiting", "status").is(nil, "dry_run")
		h.imports()
		h.do("GET", "/v1/imports/"+id, "").want(200).is("done", "status").is(1, "recorded").is(1, "refused").is(false, "startable").is(guess, "mapping")
		if n := h.rowsIn("import_parts"); n != 0 {
			t.Errorf("%d pieces of files are left", n)
		}
		start(guess, false).refused(409, "import_begun")
		h.do("GET", "/v1/imports/"+id+"/file", "").refused(409, "import_file_gone")
		if raw := string(h.do("GET", "/v1/imports/"+id+"/refused", "").want(200).raw); !strings.Contains(raw, ",'=5,oslo\n") {
			t.Errorf("a formula is handed on: %s", raw)
		}

		// The next file of the same form is offered the mapping of this one.
		next := h.draft("Dato;Butikk;Bongnr;Beløp;Kundenr\n03.11.2026 10:00;oslo;R-3;10,00;4711\n").want(201).text("id")
		if got := h.do("GET", "/v1/imports/"+next+"/file", "").want(200); got.text("earlier") != guess {
			t.Errorf("%s", got.raw)
		}
		h.do("GET", "/v1/imports/"+next+"/file?kind=members", "").want(200)
		h.do("GET", "/v1/imports/"+next+"/file?kind=cats", "").refused(400, "invalid_parameter", "kind")
		if got := h.do("GET", "/v1/imports/"+next+"/file?header=false", "").want(200).is(false, "header"); got.get("columns", 0, "name") != nil {
			t.Errorf("%s", got.raw)
		}
		h.do("POST", "/v1/imports/"+next+"/cancel", "").want(200).is("cancelled", "status")
		if n := h.rowsIn("import_parts"); n != 0 {
			t.Errorf("%d pieces of files are left", n)
		}
	})
}
