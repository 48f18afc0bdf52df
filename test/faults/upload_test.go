package faults

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"
)

// sent is what the API says of an upload.
type sent struct {
	ID       string `json:"id"`
	Status   string `json:"status"`
	Error    string `json:"error"`
	Done     int    `json:"done"`
	Recorded int    `json:"recorded"`
	Known    int    `json:"known"`
	Refused  int    `json:"refused"`
}

// upload sends a mapping and a file to a node.
func (d *desk) upload(mapping, rows string) (made sent) {
	d.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for name, text := range map[string]string{"mapping": mapping, "file": rows} {
		part, err := w.CreateFormFile(name, name+".txt")
		if err == nil {
			_, err = io.WriteString(part, text)
		}
		if err != nil {
			d.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		d.Fatal(err)
	}
	req, err := http.NewRequestWithContext(d.Context(), http.MethodPost, d.base(0)+"/v1/imports", &body)
	if err != nil {
		d.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+d.secret)
	req.Header.Set("Content-Type", w.FormDataContentType())
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		d.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(&made); err != nil || res.StatusCode != http.StatusCreated {
		d.Fatalf("%d %v", res.StatusCode, err)
	}
	return made
}

// TestR16UploadKilled uploads a file and kills the servers that import it, at random, until it is done: every row is taken once, and
// every refused row is told once.
func TestR16UploadKilled(t *testing.T) {
	t.Parallel()
	each(t, func(r *run) {
		d := openDesk(r, 2, "--lease", "500ms")
		var rows strings.Builder
		rows.WriteString("receipt,member,at,amount\n")
		const all, bad = 6000, 60
		for i := range all {
			amount := 10
			if i%(all/bad) == 7 {
				amount = -1
			}
			fmt.Fprintf(&rows, "u%d,u%d,2026-03-%02dT12:00:00Z,%d\n", i, i%50, 1+i%28, amount)
		}
		made := d.upload("import: purchases\nsource: upload\nmember: {column: member, as: ext, enrol: true}\npurchase: {receipt: receipt, at: at}\nline: {amount: amount}\n", rows.String())
		var now sent
		look := func() string {
			d.caller.must(r, d.base(r.dice(len(d.nodes))), get("/v1/imports/"+made.ID), &now)
			return now.Status
		}
		for range times(6, 40) {
			victim := d.nodes[r.rnd.IntN(len(d.nodes))]
			r.pause(between(r.rnd, 0, 700*time.Millisecond))
			victim.kill()
			victim.start()
			r.count("kills", 1)
			if look() == "done" {
				break
			}
		}
		took := r.until("the import is done", 2*time.Minute, func() error {
			if status := look(); status != "done" {
				return fmt.Errorf("it is %s after %d: %s", status, now.Done, now.Error)
			}
			return nil
		})
		r.count("milliseconds after the last kill", int(took.Milliseconds()))
		if now.Recorded+now.Known != all-bad || now.Refused != bad {
			r.Errorf("%+v", now)
		}
		refused := d.caller.send(r.Context(), d.base(0), get("/v1/imports/"+made.ID+"/refused"))
		if n := strings.Count(string(refused.body), "\n"); n != 1+bad {
			r.Errorf("%d lines of refused rows:\n%s", n, refused.body)
		}
		for _, n := range d.nodes {
			n.stop()
		}
		r.prove()
	})
}
