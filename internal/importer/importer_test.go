package importer

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/member"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/verify"
	"lojal.dev/lojal/internal/version"
)

const examples = "../../docs/examples"

var now = time.Date(2026, 4, 1, 12, 0, 0, 0, time.UTC)

// house is a database with the sample program.
type house struct {
	t        *testing.T
	d        *db.DB
	versions *version.Cache
	recorder *record.Recorder
	dir      string
}

func open1(t *testing.T, d *db.DB) *house {
	t.Helper()
	text, err := program.Blueprint("coffee-stars")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := program.Parse(text, "coffee-stars")
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, d: d, versions: &version.Cache{}, dir: t.TempDir()}
	h.recorder = record.New(d, h.versions)
	t.Cleanup(h.recorder.Close)
	err = d.Write(t.Context(), func(tx *db.Tx) error {
		_, err := version.Publish(t.Context(), tx, version.PublishInput{Program: doc.Program, Document: doc, By: "test", Now: now})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *house) input(kind Kind, file, mapping string) Input {
	return Input{DB: h.d, Recorder: h.recorder, Versions: h.versions, Program: "kaffebaren", Kind: kind, File: file, Mapping: mapping,
		Refused: filepath.Join(h.dir, filepath.Base(file)+".refused.csv"), Clock: func() time.Time { return now }, Actor: "test"}
}

// example is the input for one of the files in docs/examples.
func (h *house) example(kind Kind, file string) Input {
	stem := strings.TrimSuffix(file, filepath.Ext(file))
	return h.input(kind, filepath.Join(examples, file), filepath.Join(examples, stem+".yaml"))
}

func (h *house) run(in Input) Report {
	h.t.Helper()
	r, err := Run(h.t.Context(), in)
	if err != nil {
		h.t.Fatal(err)
	}
	return r
}

// write makes files in the test's folder and gives the path of the first.
func (h *house) write(name, text string) string {
	h.t.Helper()
	path := filepath.Join(h.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
	return path
}

func (h *house) facts(ref string) []books.Entry {
	h.t.Helper()
	var out []books.Entry
	err := h.d.Read(h.t.Context(), func(tx *db.Tx) error {
		set, err := version.Load(h.t.Context(), tx, "kaffebaren")
		if err != nil {
			return err
		}
		id, err := member.Resolve(h.t.Context(), tx, set.Latest(), ref)
		if err != nil {
			return err
		}
		out, err = books.Facts(h.t.Context(), tx, books.Ref{Program: "kaffebaren", Member: id}, books.Page{Limit: 100})
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	slices.Reverse(out)
	return out
}

func (h *house) count(table string) (n int) {
	h.t.Helper()
	err := h.d.Read(h.t.Context(), func(tx *db.Tx) error { return tx.QueryRow(h.t.Context(), `SELECT COUNT(*) FROM `+table).Scan(&n) })
	if err != nil {
		h.t.Fatal(err)
	}
	return n
}

func (h *house) proved() {
	h.t.Helper()
	r, err := verify.Run(h.t.Context(), h.d, h.versions, "kaffebaren", verify.Options{})
	if err != nil {
		h.t.Fatal(err)
	}
	for _, f := range r.Findings {
		h.t.Error(f)
	}
}

// refused gives the refused rows as ROW REASON.
func refused(r Report) (out []string) {
	for _, f := range r.Refusals {
		out = append(out, fmt.Sprintf("%d %s", f.Row, f.Reason))
	}
	return out
}

func TestTheExamplesComeIn(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open1(t, d)
		r := h.run(h.example(Members, "members.csv"))
		want := []string{
			`5 email: This is not an e-mail address; write for example kari@example.org.`,
			`6 row 2 has the same number "2001"; the first one counts`,
			`7 birth: "31.02.1990" is not a time in the format of the mapping`,
		}
		if d := cmp.Diff(want, refused(r)); d != "" || r.Recorded != 3 || r.Charset != "windows-1252" || r.Delimiter != ";" {
			t.Errorf("%+v: %s", r, d)
		}

		r = h.run(h.example(Purchases, "receipts.csv"))
		want = []string{
			`6 there is no member card:70029999; write enrol: true in the mapping to enrol such members`,
			`7 amount: "thirty-nine" is not a number; say in numbers how they are written`,
			`8 row 7 of the same receipt was refused`,
			`11 it has 6 columns, where 13 belong; a cell that holds the delimiter must stand in quotation marks`,
		}
		if d := cmp.Diff(want, refused(r)); d != "" || r.Recorded != 4 || r.Guests != 1 {
			t.Errorf("%+v: %s", r, d)
		}

		r = h.run(h.example(Activities, "reviews.csv"))
		if r.Recorded != 4 || r.Enrolled != 1 || r.Refused != 0 {
			t.Errorf("%+v", r)
		}

		r = h.run(h.example(Purchases, "old-points.txt"))
		want = []string{`3 amount must not be negative`, `6 "32.01.2026" is not a time in the format of the mapping`}
		if d := cmp.Diff(want, refused(r)); d != "" || r.Recorded != 2 || r.Enrolled != 2 {
			t.Errorf("%+v: %s", r, d)
		}
		h.proved()

		facts := slices.DeleteFunc(h.facts("card:70020001"), func(e books.Entry) bool { return e.Fact.Kind == engine.Due })
		var kinds []engine.Kind
		for _, f := range facts {
			kinds = append(kinds, f.Fact.Kind)
		}
		if d := cmp.Diff([]engine.Kind{engine.Enrolment, engine.AdjustmentK, engine.PurchaseK, engine.PurchaseK, engine.ActivityK}, kinds); d != "" {
			t.Fatal(d)
		}
		bought := facts[2].Fact
		if bought.Source != "till" || bought.ExternalID != "torggata/501" || !bought.OccurredAt.Equal(time.Date(2026, 3, 10, 6, 42, 10, 0, time.UTC)) {
			t.Errorf("%+v", bought)
		}
		if l := bought.Purchase.Lines; len(l) != 2 || l[0].Category != "coffee/espresso" || l[1].Name != "Kanelbolle, stor" || l[1].Discount.String() != "5.00" {
			t.Errorf("the two lines of receipt 501 did not become one purchase: %+v", l)
		}
		if p := bought.Purchase.Payments; len(p) != 1 || p[0].Means != "card" || p[0].Amount.String() != "94.00" {
			t.Errorf("%+v", p)
		}
		if home := facts[0].Fact.Enrolment.Attributes["home"]; home != "Torggata" {
			t.Errorf("%q", home)
		}
	})
}

// tables are those that an import may write but for its own.
var tables = []string{"facts", "postings", "lots", "members", "identifiers", "receipts", "tallies"}

func TestASecondImportChangesNothing(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open1(t, d)
		files := []struct {
			kind Kind
			file string
		}{{Members, "members.csv"}, {Purchases, "receipts.csv"}, {Activities, "reviews.csv"}, {Purchases, "old-points.txt"}}
		all := func() map[string]int {
			for _, f := range files {
				h.run(h.example(f.kind, f.file))
			}
			n := map[string]int{}
			for _, table := range tables {
				n[table] = h.count(table)
			}
			return n
		}
		first := all()
		if d := cmp.Diff(first, all()); d != "" {
			t.Error(d)
		}
		r := h.run(h.example(Purchases, "receipts.csv"))
		if r.Recorded != 0 || r.Known != 4 || r.Refused != 4 || r.ResumedAt != 0 {
			t.Errorf("%+v", r)
		}
	})
}

func TestADryRunWritesNothingAndTellsTheSame(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open1(t, d)
		h.run(h.example(Members, "members.csv"))
		before := h.count("facts")
		in := h.example(Purchases, "receipts.csv")
		in.DryRun = true
		dry := h.run(in)
		if h.count("facts") != before || h.count("imports") != 1 || dry.Import != "" || len(dry.Sample) != 3 {
			t.Errorf("%+v", dry)
		}
		wet := h.run(h.example(Purchases, "receipts.csv"))
		if d := cmp.Diff(refused(wet), refused(dry)); d != "" || dry.Facts != wet.Facts {
			t.Errorf("%s: %+v", d, dry)
		}
	})
}

func TestRefusedRowsAreWrittenDownAsTheyWere(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open1(t, d)
		in := h.example(Members, "members.csv")
		r := h.run(in)
		text, err := os.ReadFile(in.Refused)
		if err != nil || r.RefusedFile != in.Refused {
			t.Fatal(err, r.RefusedFile)
		}
		all, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
		if err != nil || len(all) != 4 || all[0][2] != "Medlemsnr" || all[3][3] != "Per" || !strings.HasPrefix(all[3][1], "email: ") {
			t.Errorf("%v %q", err, all)
		}
	})
}

// long is a file with something to stop in the middle of: seven members buy on 40 days, and 23 of the 280 rows are refused,
// one because it cannot be read and the others because of what they say.
func long(h *house) Input {
	var b strings.Builder
	b.WriteString("receipt,member,day,amount\n")
	for day := range 40 {
		for m := range 7 {
			at, amount := now.AddDate(0, 0, day-60).Format(time.DateOnly), fmt.Sprintf("%d.50", 20+day)
			switch {
			case day == 39 && m == 6:
				at = "one day"
			case (day*7+m)%13 == 1:
				amount = "-1.00"
			}
			fmt.Fprintf(&b, "%d-%d,%d,%s,%s\n", day, m, m, at, amount)
		}
	}
	mapping := h.write("long.yaml", `
import: purchases
source: till
member: {column: member, as: ext, enrol: true}
purchase: {receipt: receipt, at: day}
line: {amount: amount}
`)
	in := h.input(Purchases, h.write("long.csv", b.String()), mapping)
	in.Batch = 10
	return in
}

func TestAnImportThatIsStoppedGoesOn(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open1(t, d)
		in := long(h)
		for stop := 30; stop < 280; stop += 70 {
			ctx, cancel := context.WithCancel(t.Context())
			in.Progress = func(done, _ int) {
				if done >= stop {
					cancel()
				}
			}
			r, err := Run(ctx, in)
			if !errs.Is(err, errs.CodeUnavailable, "stopped") || !strings.Contains(err.Error(), "goes on") {
				t.Fatal(err)
			}
			if done := r.Recorded + r.Refused; done < stop-20 || done > stop+1 {
				t.Errorf("stopped at %d: %+v", stop, r)
			}
		}
		in.Progress = nil
		r := h.run(in)
		if r.ResumedAt < 200 || r.Recorded != 257 || r.Refused != 23 || r.Known != 0 || r.Enrolled != 7 {
			t.Errorf("%+v", r)
		}
		text, err := os.ReadFile(in.Refused)
		if err != nil {
			t.Fatal(err)
		}
		written, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
		seen := map[string]bool{}
		for _, row := range written {
			seen[row[0]] = true
		}
		if err != nil || len(written) != 1+r.Refused || len(seen) != len(written) {
			t.Errorf("each refused row stands in the file once: %d of %d, %v", len(seen), len(written), err)
		}
		h.proved()
		other := open1(t, dbtest.Open(t, d.Dialect()))
		other.run(long(other))
		for m := range 7 {
			a, b := h.facts(fmt.Sprintf("ext:%d", m)), other.facts(fmt.Sprintf("ext:%d", m))
			if len(a) != len(b) {
				t.Fatalf("member %d has %d facts, and %d when the import is not stopped", m, len(a), len(b))
			}
			for i := range a {
				d := cmp.Diff(b[i].Decision.Postings, a[i].Decision.Postings) + cmp.Diff(b[i].Decision.Explanation, a[i].Decision.Explanation)
				if d != "" || a[i].Fact.ExternalID != b[i].Fact.ExternalID {
					t.Errorf("member %d, fact %d: %s", m, i, d)
				}
			}
		}
	})
}

// What was recorded after the place was last written down comes twice, and must count once.
func TestTwoProcessesDoNotImportOneFileAtOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open1(t, d)
		first := long(h)
		first.Lease = time.Second
		begun, leave := make(chan struct{}), make(chan struct{})
		var once sync.Once
		first.Progress = func(int, int) {
			once.Do(func() {
				close(begun)
				<-leave
			})
		}
		ended := make(chan error, 1)
		go func() {
			_, err := Run(context.Background(), first)
			ended <- err
		}()
		<-begun
		second := first
		told := ""
		second.Progress, second.Waiting = nil, func(node string) { told = node }
		if _, err := Run(t.Context(), second); !errs.Is(err, errs.CodeConflict, "import_running") || told == "" {
			t.Errorf("told %q, %v", told, err)
		}
		dry := second
		dry.DryRun = true
		h.run(dry) // it writes nothing, and may
		close(leave)
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		if r := h.run(second); r.Recorded != 0 || r.Known != 257 {
			t.Errorf("%+v", r)
		}
	})
}

func TestAPlaceThatLagsBehindTheBooksIsNoHarm(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open1(t, d)
		in := long(h)
		h.run(in)
		before := h.count("facts")
		err := d.Write(t.Context(), func(tx *db.Tx) error {
			_, err := tx.Exec(t.Context(), `UPDATE imports SET status = 'running', rows_done = 150`)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		r := h.run(in)
		if r.ResumedAt != 150 || r.Recorded != 257 || r.Known < 115 || h.count("facts") != before {
			t.Errorf("%+v, %d facts instead of %d", r, h.count("facts"), before)
		}
	})
}

func TestWhatOneFileSaysTwiceIsTakenTwiceAndOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open1(t, d)
		mapping := h.write("m.yaml", `
import: purchases
source: s
file: {header: false, delimiter: ","}
member: {column: 1, as: ext, enrol: true}
purchase: {at: 2}
line: {amount: 3}
`)
		if r := h.run(h.input(Purchases, h.write("a.csv", "1,2026-01-05,10.00\n1,2026-01-05,10.00\n2,2026-01-05,10.00\n"), mapping)); r.Recorded != 3 {
			t.Errorf("two equal purchases on one day are two: %+v", r)
		}
		if r := h.run(h.input(Purchases, h.write("b.csv", "2,2026-01-05,10.00\n1,2026-01-05,10.00\n1,2026-01-06,10.00\n1,2026-01-05,10.00\n"), mapping)); r.Recorded != 1 || r.Known != 3 {
			t.Errorf("a longer file adds what is new, in whatever order: %+v", r)
		}
	})
}

func TestAReceiptWithOtherContentIsRefused(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open1(t, d)
		mapping := h.write("m.yaml", `
import: purchases
source: s
member: {column: member, as: ext, enrol: true}
purchase: {receipt: no, at: day}
line: {amount: amount}
`)
		h.run(h.input(Purchases, h.write("a.csv", "no,member,day,amount\n1,1,2026-01-05,10.00\n"), mapping))
		r := h.run(h.input(Purchases, h.write("b.csv", "no,member,day,amount\n1,1,2026-01-05,11.00\n2,1,2026-01-06,1.00\n2,2,2026-01-06,1.00\n2,1,2026-01-06,1.00\n"), mapping))
		want := []string{
			`2 the number "1" of the source s is known already, with other content`,
			`3 the receipt "2" names another member in row 4`,
			`4 the receipt "2" names another member in row 3`,
			`5 another row of the same receipt was refused`,
		}
		if d := cmp.Diff(want, refused(r)); d != "" || r.Recorded != 0 || r.Differing != 1 {
			t.Errorf("%+v %s", r, d)
		}
	})
}

func TestMembersWhoAreKnownAreLeftAsTheyAreAndBringTheirBalanceOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open1(t, d)
		const mapping = "import: members\nsource: s\nmember: {external_id: no, name: name}\n"
		plain := h.write("plain.yaml", mapping)
		with := h.write("with.yaml", mapping+"balance: {star: stars}\n")
		file := h.write("a.csv", "no,name,stars\n1,Kari,10\n2,Ola,x\n")
		h.run(h.input(Purchases, h.write("p.csv", "no,day,amount\n3,2026-01-05,9.00\n"), h.write("p.yaml",
			"import: purchases\nsource: s\nmember: {column: no, as: ext, enrol: true}\npurchase: {receipt: no, at: day}\nline: {amount: amount}\n")))
		if r := h.run(h.input(Members, file, plain)); r.Recorded != 2 {
			t.Errorf("%+v", r)
		}
		changed := h.write("b.csv", "no,name,stars\n1,Kari Nordmann,10\n3,Per,7\n")
		if r := h.run(h.input(Members, changed, plain)); r.Recorded != 0 || r.Known != 2 || r.Differing != 1 || r.Refused != 0 {
			t.Errorf("a receipt has the number of a member, a name has changed: %+v", r)
		}
		for range 2 {
			r := h.run(h.input(Members, file, with))
			if d := cmp.Diff([]string{`3 star: "x" is not a number; say in numbers how they are written`}, refused(r)); d != "" || r.Known != 2 {
				t.Errorf("%+v %s", r, d)
			}
			h.run(h.input(Members, changed, with))
		}
		for ref, want := range map[string]int{"ext:1": 1, "ext:2": 0, "ext:3": 1} {
			n := 0
			for _, f := range h.facts(ref) {
				if f.Fact.Kind == engine.AdjustmentK {
					n++
				}
			}
			if n != want {
				t.Errorf("%s brought a balance %d times", ref, n)
			}
		}
		h.proved()
	})
}

func TestABudgetOfAllGoesByTime(t *testing.T) {
	t.Parallel()
	doc, err := program.Blueprint("coffee-stars")
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := program.Parse(doc, "")
	if err != nil {
		t.Fatal(err)
	}
	p, err := program.Compile(parsed, 1)
	if err != nil {
		t.Fatal(err)
	}
	if !byTime(p) {
		t.Error("the mug has a stock")
	}
	at := func(n int) time.Time { return now.AddDate(0, 0, n) }
	items := []item{{member: "b", at: at(3)}, {member: "a", at: at(2)}, {member: "b", at: at(1)}, {member: "a", at: at(4)}}
	order := func(shared bool) (out []string) {
		list := slices.Clone(items)
		inOrder(list, shared)
		for _, it := range list {
			out = append(out, it.member+it.at.Format("2"))
		}
		return out
	}
	if d := cmp.Diff([]string{"b2", "a3", "b4", "a5"}, order(true)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"b2", "b4", "a3", "a5"}, order(false)); d != "" {
		t.Error(d)
	}
}

func TestAMappingThatDoesNotFitSaysWhy(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open1(t, d)
		in := h.example(Purchases, "receipts.csv")
		in.Kind = Members
		if _, err := Run(t.Context(), in); !errs.Is(err, errs.CodeInvalid, "wrong_mapping") {
			t.Error(err)
		}
		in = h.example(Purchases, "receipts.csv")
		in.File = filepath.Join(examples, "members.csv")
		_, err := Run(t.Context(), in)
		if !errs.Is(err, errs.CodeInvalid, "columns_not_found") || len(errs.As(err).Fields) < 10 {
			t.Error("every missing column is told at once:", err)
		}
		in.File = filepath.Join(examples, "nothing.csv")
		if _, err := Run(t.Context(), in); !errs.Is(err, errs.CodeNotFound, "file") {
			t.Error(err)
		}
		mapping := h.write("m.yaml", "import: members\nsource: s\nmember: {external_id: a, identifiers: {passport: b}}\nbalance: {gold: b}\n")
		_, err = Run(t.Context(), h.input(Members, h.write("a.csv", "a,b\n1,2\n"), mapping))
		if !errs.Is(err, errs.CodeInvalid, "mapping_and_program") || len(errs.As(err).Fields) != 2 {
			t.Error(err)
		}
	})
}

func TestMistakesOfAMapping(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"nothing":          {"", "/import"},
		"unknown field":    {"import: purchases\nsauce: s\n", `unknown field "sauce"`},
		"column zero":      {"import: purchases\nmember: 0\n", "counted from 1"},
		"no column":        {"import: purchases\nmember: {}\n", "/member"},
		"two forms":        {"import: purchases\npurchase: {at: {column: a, always: b}}\n", "one of: column, join, sum, always"},
		"bad zone":         {"import: purchases\nsource: s\ndates: {zone: Mars}\n", "/dates/zone"},
		"bad format":       {"import: purchases\nsource: s\ndates: {format: QQ}\n", "/dates/format"},
		"format of a time": {"import: purchases\nsource: s\ndates: {format: HH:mm}\n", "names no day"},
		"bad decimal":      {"import: purchases\nsource: s\nnumbers: {decimal: x}\n", "/numbers/decimal"},
		"thousands":        {"import: purchases\nsource: s\nnumbers: {decimal: \",\", thousands: \",\"}\n", "/numbers/thousands"},
		"delimiter":        {"import: purchases\nsource: s\nfile: {delimiter: ab}\n", "/file/delimiter"},
		"charset":          {"import: purchases\nsource: s\nfile: {charset: klingon}\n", "/file/charset"},
		"widths":           {"import: purchases\nsource: s\nfile: {widths: {a: 5-2}}\n", "/file/widths"},
		"profile":          {"import: purchases\nsource: s\nmember: {name: n}\n", "profile goes only with members"},
		"members by card":  {"import: members\nsource: s\nmember: {column: a}\n", "one by one"},
		"members unnamed":  {"import: members\nsource: s\nmember: {name: a}\n", "at least one of"},
		"lookup":           {"import: activities\nsource: s\nwith: {a: {}}\n", "/with/a/file"},
		"not YAML":         {"import: [\n", "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := ParseMapping([]byte(c.text), "m.yaml")
			if !errs.Is(err, errs.CodeInvalid, "invalid_mapping") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

func TestHowFilesAreRead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		data   string
		layout Layout
		named  bool
		header []string
		rows   string // NUMBER:CELL|CELL, a fault as NUMBER!
		about  string
	}{
		"comma":                        {data: "a,b\n1,2\n", named: true, header: []string{"a", "b"}, rows: "2:1|2", about: "utf-8 ,"},
		"semicolon":                    {data: "a;b\n1,5;2\n", named: true, header: []string{"a", "b"}, rows: "2:1,5|2", about: "utf-8 ;"},
		"tab":                          {data: "a\tb\r\n1\t2\r\n", named: true, header: []string{"a", "b"}, rows: "2:1|2", about: "utf-8 \t"},
		"bar":                          {data: "1|2\n3|4\n", rows: "1:1|2 2:3|4", about: "utf-8 |"},
		"blanks":                       {data: "  1   2\n 3 4\n", rows: "1:1|2 2:3|4", about: "utf-8  "},
		"one column":                   {data: "a\n1\n2\n", named: true, header: []string{"a"}, rows: "2:1 3:2", about: "utf-8 ,"},
		"byte order mark":              {data: "\xef\xbb\xbfa,b\n1,2\n", named: true, header: []string{"a", "b"}, rows: "2:1|2", about: "utf-8 ,"},
		"utf-16":                       {data: "\xff\xfe" + "1\x00;\x00\xe6\x00\n\x00", rows: "1:1|æ", about: "utf-16 ;"},
		"windows-1252":                 {data: "1;\xe6\x80\n", rows: "1:1|æ€", about: "windows-1252 ;"},
		"latin 9":                      {data: "1;\xa4\n", layout: Layout{Charset: "iso-8859-15"}, rows: "1:1|€", about: "iso-8859-15 ;"},
		"delimiter in quotes":          {data: "\"a;b\",c\n\"d;e\",f\n", rows: "1:a;b|c 2:d;e|f", about: "utf-8 ,"},
		"rows as a spreadsheet counts": {data: "a,b\n\n1,\"x\ny\"\n2,z\n", named: true, header: []string{"a", "b"}, rows: "3:1|x\ny 4:2|z", about: "utf-8 ,"},
		"too few and too many":         {data: "a,b\n1\n1,2,3\n1,2,\n", named: true, header: []string{"a", "b"}, rows: "2! 3! 4:1|2|", about: "utf-8 ,"},
		"a stray quotation mark":       {data: "a,b\n1,x\"y\n2,z\n", named: true, header: []string{"a", "b"}, rows: "2! 3:2|z", about: "utf-8 ,"},
		"an open quotation mark":       {data: "a,b\n1,\"x\n2,z\n", named: true, header: []string{"a", "b"}, rows: "2!", about: "utf-8 ,"},
		"lines to skip":                {data: "Report\n\na,b\n1,2\n", layout: Layout{Skip: 2}, named: true, header: []string{"a", "b"}, rows: "4:1|2", about: "utf-8 ,"},
		"fixed widths":                 {data: "001  æ12\n002   3\n", layout: Layout{Widths: map[string]string{"n": "1-3", "v": "6-8"}}, named: true, header: []string{"n", "v"}, rows: "1:001|æ12 2:002|3", about: "utf-8 "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			table, err := readTable([]byte(c.data), "f.csv", c.layout, c.named)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range table.rows {
				if r.fault != "" {
					got = append(got, fmt.Sprintf("%d!", r.number))
					continue
				}
				got = append(got, fmt.Sprintf("%d:%s", r.number, strings.Join(r.cells, "|")))
			}
			if d := cmp.Diff(c.header, table.header); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(c.rows, strings.Join(got, " ")); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(c.about, table.charset+" "+table.delimiter); d != "" {
				t.Error(d)
			}
		})
	}
	for name, data := range map[string]string{"nothing": "", "a header alone": "a,b\n", "a spreadsheet": "PK\x03\x04\x00\x00"} {
		if _, err := readTable([]byte(data), "f.csv", Layout{}, true); errs.CodeOf(err) != errs.CodeInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHowNumbersAreRead(t *testing.T) {
	t.Parallel()
	comma := Numbers{Decimal: ",", Thousands: "."}
	for _, c := range []struct {
		text  string
		n     Numbers
		scale int
		want  string
	}{
		{"12.50", Numbers{}, -1, "12.50"}, {"+12", Numbers{}, -1, "12"}, {"-12", Numbers{}, -1, "-12"}, {"−3", Numbers{}, -1, "-3"}, {"12.50-", Numbers{}, -1, "-12.50"},
		{".5", Numbers{}, -1, "0.5"}, {"-.5", Numbers{}, -1, "-0.5"}, {"007", Numbers{}, -1, "7"},
		{"1.234,50", comma, -1, "1234.50"}, {"12,5", comma, -1, "12.5"}, {"1.234.567", comma, -1, "1234567"},
		{"1 234,50", Numbers{Decimal: ",", Thousands: "space"}, -1, "1234.50"}, {"1\u00a0234", Numbers{Thousands: "space"}, -1, "1234"}, {"1,234.5", Numbers{Thousands: ","}, -1, "1234.5"},
		{"1'234.5", Numbers{Thousands: "'"}, -1, "1234.5"},
		{"0.125", Numbers{}, 2, "0.12"}, {"0.135", Numbers{}, 2, "0.14"}, {"4.440892e-16", Numbers{}, 2, "0.00"}, {"3", Numbers{}, 2, "3"},
		{"", Numbers{}, -1, "nothing"}, {"x", Numbers{}, -1, "wrong"}, {"1,5", Numbers{}, -1, "wrong"}, {"1.5", Numbers{Decimal: ","}, -1, "wrong"}, {"1.", Numbers{}, -1, "wrong"},
		{"-", Numbers{}, -1, "wrong"}, {"1 2", Numbers{}, -1, "wrong"}, {"1.2.3", Numbers{}, -1, "wrong"}, {"--1", Numbers{}, -1, "wrong"}, {"1234567890123456789", Numbers{}, -1, "wrong"},
	} {
		got := "wrong"
		if d, err := number(c.text, c.n, c.scale); err == nil {
			if got = "nothing"; d != nil {
				got = d.String()
			}
		}
		if got != c.want {
			t.Errorf("%q is %s, want %s", c.text, got, c.want)
		}
	}
}

func TestHowTimesAreRead(t *testing.T) {
	t.Parallel()
	oslo, err := time.LoadLocation("Europe/Oslo")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		text string
		d    Dates
		want string // UTC
	}{
		{"2026-01-05T10:00:00+02:00", Dates{}, "2026-01-05 08:00:00"}, {"2026-01-05T10:00:00Z", Dates{}, "2026-01-05 10:00:00"}, {"2026-01-05 10:00:00", Dates{}, "2026-01-05 09:00:00"},
		{"2026-07-05 10:00", Dates{}, "2026-07-05 08:00:00"}, {"2026-01-05T10:00:00.25", Dates{}, "2026-01-05 09:00:00"}, {"2026-01-05", Dates{}, "2026-01-05 11:00:00"},
		{"20260105", Dates{Time: "00:30"}, "2026-01-04 23:30:00"}, {"2026-01-05", Dates{Zone: "America/New_York"}, "2026-01-05 17:00:00"},
		{"05.01.2026 07:08", Dates{Format: "DD.MM.YYYY HH:mm"}, "2026-01-05 06:08:00"}, {"5.1.26", Dates{Format: "D.M.YY"}, "2026-01-05 11:00:00"},
		{"1/5/2026 3:04:05 PM", Dates{Format: "M/D/YYYY H:mm:ss A"}, "2026-01-05 14:04:05"}, {"20260105T101112Z", Dates{Format: "YYYYMMDDTHHmmssZ"}, "2026-01-05 10:11:12"},
		{"1767607200", Dates{Format: "unix"}, "2026-01-05 10:00:00"}, {"1767607200250", Dates{Format: "unix ms"}, "2026-01-05 10:00:00"},
		{"2026-02-30", Dates{}, "wrong"}, {"05.01.2026", Dates{}, "wrong"}, {"2026-01-05", Dates{Format: "DD.MM.YYYY"}, "wrong"}, {"", Dates{}, "wrong"}, {"12e3", Dates{Format: "unix"}, "wrong"},
	} {
		r, err := newDateReader(c.d, oslo)
		if err != nil {
			t.Errorf("%+v: %v", c.d, err)
			continue
		}
		got := "wrong"
		if at, err := r.read(c.text, ""); err == nil {
			got = at.UTC().Format(time.DateTime)
		}
		if got != c.want {
			t.Errorf("%q as %q is %s, want %s", c.text, c.d.Format, got, c.want)
		}
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	table, err := readTable([]byte("a,b,c,n\nx,,z,1.50\n"), "f.csv", Layout{}, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ yaml, want string }{
		{"a", "x"}, {"3", "z"}, {"[a, b, c]", "x/z"}, {`{join: [a, c], with: ""}`, "xz"}, {"{always: 7}", "7"}, {"{column: b, default: d}", "d"},
		{`{column: a, words: {x: "yes"}}`, "yes"}, {"{sum: [n, n]}", "3"}, {"{sum: [n, b]}", "1.5"}, {"{sum: [n, a]}", "x"}, {"{column: n, sign: turn}", "-1.50"},
		{"{column: b, zero: empty}", ""}, {"A", "x"},
	} {
		var m Mapping
		parsed, err := ParseMapping([]byte("import: activities\nsource: s\nmember: a\nactivity: {kind: "+c.yaml+", at: a}\n"), "")
		if err != nil {
			t.Errorf("%s: %v", c.yaml, err)
			continue
		}
		m = *parsed
		s := source{table: table}
		if got := s.bind(m.Activity.Kind)(table.rows[0].cells); got != c.want || len(s.missing) > 0 {
			t.Errorf("%s is %q, want %q (%v)", c.yaml, got, c.want, s.missing)
		}
	}
}

func FuzzReadTable(f *testing.F) {
	for _, name := range []string{"members.csv", "receipts.csv", "reviews.csv", "old-points.txt"} {
		data, err := os.ReadFile(filepath.Join(examples, name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, "", 0, true)
	}
	f.Add([]byte("\xff\xfe1\x00"), "utf-8", 1, false)
	f.Add([]byte("a,\"b\n"), "spaces", 0, true)
	f.Fuzz(func(t *testing.T, data []byte, delimiter string, skip int, named bool) {
		table, err := readTable(data, "f", Layout{Delimiter: delimiter, Skip: skip % 10}, named)
		if err != nil {
			if code := errs.CodeOf(err); code == errs.CodeInternal && !strings.Contains(err.Error(), "delimiter") {
				t.Error(err)
			}
			return
		}
		last := 0
		for _, r := range table.rows {
			if r.number < 1 || r.number < last {
				t.Errorf("row %d after row %d", r.number, last)
			}
			last = r.number
		}
	})
}

func FuzzMapping(f *testing.F) {
	for _, name := range []string{"members.yaml", "receipts.yaml", "reviews.yaml", "old-points.yaml"} {
		data, err := os.ReadFile(filepath.Join(examples, name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := ParseMapping(data, "m")
		if (m == nil) == (err == nil) {
			t.Error("a mapping or an error")
		}
		var e *errs.Error
		if err != nil && !errors.As(err, &e) {
			t.Error(err)
		}
	})
}
