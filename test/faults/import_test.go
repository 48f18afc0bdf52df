package faults

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"lojal.dev/lojal/internal/db/dbtest"
)

// receipts is a file of purchases to make.
type receipts struct {
	n      int
	people int // one for twenty receipts when 0
	bad    int // every so many-th is wrong, none when 0
}

// made is a file of purchases with its mapping.
type made struct {
	rows []string // without the header
	csv  string
	// mapping says which column is what, line is the command that imports the file by it.
	mapping string
	line    []string
	// bad are the numbers of the wrong rows, as a spreadsheet counts them.
	bad []int
	// earned is what the good rows come to, by member.
	earned map[string]int64
}

const receiptsHeader = "receipt,member,at,amount"

// receipts writes a file and the mapping to import it by. Every good row earns its amount.
func (r *run) receipts(want receipts) made {
	r.Helper()
	if want.people == 0 {
		want.people = 1 + want.n/20
	}
	begin := time.Date(2025, 1, 6, 8, 0, 0, 0, time.UTC)
	m := made{csv: filepath.Join(r.dir, "receipts.csv"), earned: map[string]int64{}}
	for i := range want.n {
		amount := 1 + r.rnd.Int64N(500)
		member := strconv.Itoa(r.rnd.IntN(want.people))
		text := strconv.FormatInt(amount, 10)
		if want.bad > 0 && r.rnd.IntN(want.bad) == 0 {
			text = "much"
			m.bad = append(m.bad, i+2)
		} else {
			m.earned[member] += amount
		}
		m.rows = append(m.rows, fmt.Sprintf("%d,%s,%s,%s", i, member, begin.Add(time.Duration(r.rnd.IntN(8000))*time.Hour).Format(time.RFC3339), text))
	}
	r.writeRows(m.csv, m.rows)
	m.mapping = r.write("receipts.yaml", `
import: purchases
source: till
member: {column: member, as: ext, enrol: true}
purchase: {receipt: receipt, at: at}
line: {amount: amount}
`)
	m.line = []string{"import", "purchases", m.csv, "--map", m.mapping, "--batch", "100", "--progress", "lines", "--refused", filepath.Join(r.dir, "refused.csv")}
	return m
}

func (r *run) writeRows(path string, rows []string) {
	r.Helper()
	if err := os.WriteFile(path, []byte(receiptsHeader+"\n"+strings.Join(rows, "\n")+"\n"), 0o600); err != nil {
		r.Fatal(err)
	}
}

// importedUntilKilled runs the import, again after each kill, until it comes to its end, and gives how often it was killed. At
// most so many kills are tried.
func (r *run) importedUntilKilled(line []string, most int) int {
	r.Helper()
	for kills := 0; ; kills++ {
		cmd := r.command(r.Context(), line...)
		pipe, err := cmd.StderrPipe()
		if err != nil {
			r.Fatal(err)
		}
		if err := start(cmd); err != nil {
			r.Fatal(err)
		}
		after, delay := 1+r.rnd.IntN(8), between(r.rnd, 0, 20*time.Millisecond)
		seen := 0
		var said strings.Builder
		for lines := bufio.NewScanner(pipe); lines.Scan(); {
			said.WriteString(lines.Text() + "\n")
			if seen++; seen == after && kills < most { // the delay lets the kill land anywhere within a batch
				time.AfterFunc(delay, func() { _ = cmd.Process.Kill() })
			}
		}
		err = cmd.Wait()
		if err == nil {
			return kills
		}
		if cmd.ProcessState.ExitCode() >= 0 {
			r.Fatalf("the import failed: %v\n%s", err, said.String())
		}
	}
}

// points is what every member has in the books, by external id.
func (r *run) points(b *books) map[string]int64 {
	r.Helper()
	d, err := openBooks(r.url)
	if err != nil {
		r.Fatal(err)
	}
	defer d.Close()
	rows, err := d.QueryContext(r.Context(), `SELECT value, member_id FROM identifiers WHERE kind = 'ext'`)
	if err != nil {
		r.Fatal(err)
	}
	defer rows.Close()
	out := map[string]int64{}
	for rows.Next() {
		var ext, id string
		if err := rows.Scan(&ext, &id); err != nil {
			r.Fatal(err)
		}
		out[ext] = b.held[[2]string{id, "point"}].spendable
	}
	if err := rows.Err(); err != nil {
		r.Fatal(err)
	}
	return out
}

// TestR16ImportKilled kills an import at random rows and gives the same command again, until it is done; then the same file in
// another order, and the first one once more. The books are those that the rows come to; the bad rows are told by their numbers.
func TestR16ImportKilled(t *testing.T) {
	t.Parallel()
	eachEmpty(t, func(r *run) {
		r.ok("migrate")
		r.publish()
		m := r.receipts(receipts{n: times(1000, 200_000), bad: 100})
		r.count("kills", r.importedUntilKilled(m.line, times(3, 40)))
		after := r.prove()
		if d := difference(m.earned, r.points(after)); d != "" {
			r.Errorf("what was imported is not what the rows come to: %s", d)
		}
		if len(after.facts) != len(m.rows)-len(m.bad) {
			r.Errorf("%d purchases of %d good rows", len(after.facts), len(m.rows)-len(m.bad))
		}
		if got := r.refusedRows(); !slices.Equal(got, m.bad) {
			r.Errorf("rows %v are told to be bad, and %v are", got, m.bad)
		}
		shuffled := slices.Clone(m.rows)
		r.rnd.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		for _, rows := range [][]string{shuffled, m.rows} {
			r.writeRows(m.csv, rows)
			r.ok(m.line...)
			if again := r.prove(); again.all != after.all || again.postings != after.postings {
				r.Errorf("the same rows again made %d facts and %d postings more", again.all-after.all, again.postings-after.postings)
			}
		}
		r.count("rows", len(m.rows))
		r.count("bad rows", len(m.bad))
	})
}

// difference tells where two tables of sums differ.
func difference(want, have map[string]int64) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if want[name] != have[name] {
			fmt.Fprintf(&b, "%s: %d, not %d; ", name, have[name], want[name])
		}
	}
	for name, n := range have {
		if _, ok := want[name]; !ok && n != 0 {
			fmt.Fprintf(&b, "%s: %d, not there; ", name, n)
		}
	}
	return b.String()
}

// refusedRows reads the numbers of the rows that were refused.
func (r *run) refusedRows() []int {
	r.Helper()
	data, err := os.ReadFile(filepath.Join(r.dir, "refused.csv"))
	if err != nil {
		r.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(string(data))).ReadAll()
	if err != nil || len(rows) == 0 {
		r.Fatalf("the refused rows: %v", err)
	}
	column := slices.Index(rows[0], "row")
	if column < 0 {
		r.Fatalf("the refused rows have no numbers: %v", rows[0])
	}
	var out []int
	for _, row := range rows[1:] {
		n, err := strconv.Atoi(row[column])
		if err != nil {
			r.Fatal(err)
		}
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

// TestR16RealHistory does the same with the purchases of real people, where the data is at hand (LOJAL_REAL_DATA): they must come to what a
// clean import comes to.
func TestR16RealHistory(t *testing.T) {
	t.Parallel()
	data := os.Getenv("LOJAL_REAL_DATA")
	if data == "" || !*long {
		t.Skip("left out: it is for the long form, and LOJAL_REAL_DATA names the folder of real purchase histories")
	}
	eachEmpty(t, func(r *run) {
		imported := func(kills int) (*books, map[string]int64) {
			r.ok("migrate")
			r.ok("program", "publish", r.beside("real/cdnow.program.yaml"))
			line := []string{"import", "purchases", filepath.Join(data, "cdnow", "CDNOW_master.txt"), "--map", r.beside("real/cdnow.map.yaml"), "--progress", "lines"}
			r.count("kills", r.importedUntilKilled(line, kills))
			b := r.prove()
			r.ok(line...)
			if again := r.prove(); again.all != b.all {
				r.Errorf("a second import made %d facts more", again.all-b.all)
			}
			return b, r.points(b)
		}
		killed, points := imported(30)
		r.url = dbtest.EmptyURL(r.T, dialect(r.url))
		clean, want := imported(0)
		if d := difference(want, points); d != "" || clean.all != killed.all || clean.postings != killed.postings {
			r.Errorf("killed: %d facts, clean: %d; %s", killed.all, clean.all, d)
		}
	})
}

// beside gives the path of a file in another folder of test.
func (r *run) beside(name string) string {
	r.Helper()
	path, err := filepath.Abs(filepath.Join("..", name))
	if err != nil {
		r.Fatal(err)
	}
	return path
}
