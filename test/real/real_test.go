// Package real imports real purchase histories through the real program and proves the books by counting the same
// in another way: plain SQL over the files, without any of our engine.
//
// The data is not part of the repository; scripts/real names its folder in LOJAL_REAL_DATA. Without it the tests are skipped.
package real

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
)

// history is a file with the program and the mapping under which it is imported.
type history struct {
	name string
	args func(data string) []string
	// count does by SQL what the program should come to.
	count func(t *testing.T, data string) expected
	// at is the moment at which tiers are compared.
	at time.Time
}

// expected is what another way of counting comes to.
type expected struct {
	members, purchases int64
	// earned is by member and rule; multipliers count with the rule that they multiply.
	earned map[string]int64
	// expired is by month: all that was earned, and nothing else, ends.
	expired map[string]int64
	// tiers is by member and tier set, the first step left out.
	tiers map[string]string
}

var newYork = func() *time.Location {
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		panic(err)
	}
	return zone
}()

var histories = []history{
	{
		name: "cdnow",
		args: func(data string) []string {
			return []string{filepath.Join(data, "cdnow", "CDNOW_master.txt"), "--map", "cdnow.map.yaml", "--program", "cdnow"}
		},
		count: countCDNOW,
		at:    time.Date(1998, 7, 1, 0, 0, 0, 0, newYork).Add(-time.Microsecond),
	},
	{
		name: "journey",
		args: func(data string) []string {
			folder := filepath.Join(data, "completejourney")
			return []string{filepath.Join(folder, "transactions_sample.csv.gz"), "--map", "journey.map.yaml", "--program", "journey",
				"--with", "products=" + filepath.Join(folder, "products.csv.gz")}
		},
		count: countJourney,
		at:    time.Date(2017, 12, 1, 0, 0, 0, 0, newYork).Add(-time.Microsecond),
	},
}

func TestRealHistories(t *testing.T) {
	data := os.Getenv("LOJAL_REAL_DATA")
	if data == "" {
		t.Skip("LOJAL_REAL_DATA is not set: scripts/real imports real purchase histories")
	}
	bin := build(t)
	want := map[string]expected{}
	for _, h := range histories {
		want[h.name] = h.count(t, data)
	}
	for _, engine := range []db.Dialect{db.SQLite, db.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			p := program{bin: bin, url: dbtest.EmptyURL(t, engine), dir: t.TempDir()}
			p.publish(t)
			for _, h := range histories {
				timed(t, "import "+h.name, func() { p.run(t, append([]string{"import", "purchases"}, h.args(data)...)...) })
			}
			timed(t, "sweep", func() { p.run(t, "sweep") })
			timed(t, "verify", func() { p.run(t, "verify") })
			books := open(t, p.url)
			for _, h := range histories {
				t.Run(h.name, func(t *testing.T) { compare(t, books, h, want[h.name]) })
			}
			before := hashes(t, books)
			t.Run("a second import changes nothing", func(t *testing.T) {
				for _, h := range histories {
					timed(t, "import "+h.name+" again", func() { p.run(t, append([]string{"import", "purchases"}, h.args(data)...)...) })
				}
				if d := cmp.Diff(before, hashes(t, books)); d != "" {
					t.Error(d)
				}
			})
			t.Run("an import that is killed and resumed gives the same books", func(t *testing.T) {
				killed := program{bin: bin, url: dbtest.EmptyURL(t, engine), dir: t.TempDir()}
				killed.publish(t)
				seed := uint64(time.Now().UnixNano())
				t.Logf("seed %d", seed)
				rnd := rand.New(rand.NewPCG(seed, 0))
				for _, h := range histories {
					kills := killed.importKilled(t, rnd, h.args(data))
					t.Logf("%s: killed %d times", h.name, kills)
				}
				killed.run(t, "sweep")
				killed.run(t, "verify")
				if d := cmp.Diff(essence(t, books), essence(t, open(t, killed.url))); d != "" {
					t.Errorf("seed %d: %s", seed, d)
				}
			})
		})
	}
}

func timed(t *testing.T, what string, do func()) {
	t.Helper()
	begun := time.Now()
	do()
	t.Logf("%s: %s", what, time.Since(begun).Round(100*time.Millisecond))
}

func build(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "lojal")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "lojal.dev/lojal/cmd/lojal")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return bin
}

// program is the binary on one database.
type program struct{ bin, url, dir string }

func (p program) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, p.bin, args...)
	cmd.Env = append(os.Environ(), "LOJAL_DB="+p.url)
	return cmd
}

func (p program) run(t *testing.T, args ...string) string {
	t.Helper()
	cmd := p.command(t.Context(), p.refused(args)...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("lojal %s: %v\n%s%s", strings.Join(args, " "), err, out, errs.String())
	}
	t.Logf("%s", bytes.TrimSpace(out))
	return string(out)
}

// refused sees that no import leaves a file in the folder of the source.
func (p program) refused(args []string) []string {
	if args[0] == "import" {
		args = append(args, "--refused", filepath.Join(p.dir, "refused.csv"))
	}
	return args
}

func (p program) publish(t *testing.T) {
	t.Helper()
	p.run(t, "migrate")
	for _, h := range histories {
		p.run(t, "program", "publish", h.name+".program.yaml")
	}
}

// importKilled imports, and kills the import some batches after each start, until it comes to its end.
func (p program) importKilled(t *testing.T, rnd *rand.Rand, args []string) (kills int) {
	t.Helper()
	args = p.refused(append([]string{"import", "purchases", "--progress", "lines", "--batch", "1000"}, args...))
	for {
		cmd := p.command(t.Context(), args...)
		lines, err := cmd.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		after, delay := 2+rnd.IntN(25), time.Duration(rnd.IntN(100))*time.Millisecond
		seen := 0
		var last string
		for s := bufio.NewScanner(lines); s.Scan(); {
			last = s.Text()
			if seen++; seen == after { // the delay lets the kill land anywhere within a batch
				time.AfterFunc(delay, func() { _ = cmd.Process.Kill() })
			}
		}
		err = cmd.Wait()
		switch {
		case err == nil:
			return kills
		case cmd.ProcessState.ExitCode() >= 0:
			t.Fatalf("the import failed: %v: %s", err, last)
		}
		kills++
	}
}

func open(t *testing.T, url string) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), url, db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// rows collects what a query gives, each row as texts.
func rows(t *testing.T, d *db.DB, query string, args ...any) (out [][]string) {
	t.Helper()
	err := d.Read(t.Context(), func(tx *db.Tx) error {
		out = nil
		r, err := tx.Query(t.Context(), query, args...)
		if err != nil {
			return err
		}
		defer r.Close()
		out, err = texts(r)
		return err
	})
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return out
}

func texts(r *sql.Rows) (out [][]string, err error) {
	columns, err := r.Columns()
	if err != nil {
		return nil, err
	}
	for r.Next() {
		cells := make([]sql.NullString, len(columns))
		dest := make([]any, len(columns))
		for i := range cells {
			dest[i] = &cells[i]
		}
		if err := r.Scan(dest...); err != nil {
			return nil, err
		}
		row := make([]string, len(columns))
		for i, c := range cells {
			row[i] = c.String
		}
		out = append(out, row)
	}
	return out, r.Err()
}

func number(t *testing.T, s string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// compare holds the books against what was counted in another way.
func compare(t *testing.T, books *db.DB, h history, want expected) {
	t.Helper()
	got := expected{earned: map[string]int64{}, expired: map[string]int64{}, tiers: map[string]string{}}
	got.members = number(t, rows(t, books, `SELECT COUNT(*) FROM members WHERE program_id = $1`, h.name)[0][0])
	got.purchases = number(t, rows(t, books, `SELECT COUNT(*) FROM facts WHERE program_id = $1 AND kind = 'purchase'`, h.name)[0][0])
	for _, r := range rows(t, books, `
		SELECT i.value, p.rule, SUM(p.amount) FROM postings p JOIN identifiers i ON i.program_id = p.program_id AND i.member_id = p.member_id
		WHERE p.program_id = $1 AND p.from_account = 'program:issued' AND i.kind = 'ext' GROUP BY i.value, p.rule`, h.name) {
		got.earned[r[0]+" "+r[1]] += number(t, r[2])
	}
	for _, r := range rows(t, books, `SELECT occurred_at, SUM(amount) FROM postings WHERE program_id = $1 AND to_account = 'program:expired' GROUP BY occurred_at`, h.name) {
		end := time.UnixMicro(number(t, r[0])).In(newYork)
		if end.Day() != 1 || end.Hour() != 0 {
			t.Errorf("points ended at %s, not at the end of a month", end)
		}
		got.expired[end.Format("2006-01")] += number(t, r[1])
	}
	for _, r := range rows(t, books, `
		SELECT i.value, f.events FROM facts f JOIN identifiers i ON i.program_id = f.program_id AND i.member_id = f.member_id
		WHERE f.program_id = $1 AND f.events LIKE '%["tier.%' AND f.occurred_at <= $2 AND i.kind = 'ext'
		ORDER BY f.stamp, f.n`, h.name, h.at.UnixMicro()) {
		var events [][]json.RawMessage
		if err := json.Unmarshal([]byte(r[1]), &events); err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if kind := string(e[0]); kind != `"tier.up"` && kind != `"tier.down"` {
				continue
			}
			set, tier := field(string(e[1]), "set"), field(string(e[1]), "tier")
			if tier == "member" || tier == "visitor" {
				delete(got.tiers, r[0]+" "+set)
				continue
			}
			got.tiers[r[0]+" "+set] = tier
		}
	}
	if got.members != want.members || got.purchases != want.purchases {
		t.Errorf("%d members with %d purchases, want %d with %d", got.members, got.purchases, want.members, want.purchases)
	}
	difference(t, "earned by member and rule", got.earned, want.earned)
	difference(t, "expired by month", got.expired, want.expired)
	difference(t, "tiers at "+h.at.Format(time.DateOnly), got.tiers, want.tiers)
	counts := map[string]int{}
	for k, tier := range want.tiers {
		_, set, _ := strings.Cut(k, " ")
		counts[set+" "+tier]++
	}
	var earned int64
	for _, n := range want.earned {
		earned += n
	}
	t.Logf("agreed on: %d members, %d purchases, %d points by member and rule, %d months of expiry, tiers %v", want.members, want.purchases, earned, len(want.expired), counts)
}

// field reads a text out of an event's data, which is flat.
func field(data, name string) string {
	_, rest, _ := strings.Cut(strings.ReplaceAll(data, `": "`, `":"`), `"`+name+`":"`)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}

// difference tells the first few keys in which two counts differ. Zeros count as nothing.
func difference[V comparable](t *testing.T, what string, got, want map[string]V) {
	t.Helper()
	var zero V
	n := 0
	say := func(key string) {
		if n++; n <= 10 {
			t.Errorf("%s: %s is %v, want %v", what, key, got[key], want[key])
		}
	}
	for key, v := range got {
		if v != want[key] {
			say(key)
		}
	}
	for key, v := range want {
		if _, seen := got[key]; !seen && v != zero {
			say(key)
		}
	}
	if n > 10 {
		t.Errorf("%s: %d differences in all", what, n)
	}
}

// hashes are those of the books' tables, row by row. Of accounts the revision is left out: who looks at an account for
// writing raises it.
func hashes(t *testing.T, d *db.DB) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, table := range []struct{ name, columns, key string }{
		{"accounts", "bucket, program_id, member_id, seq, due_at, status, state", "bucket, program_id, member_id"},
		{"facts", "*", "bucket, program_id, member_id, seq"},
		{"postings", "*", "bucket, program_id, member_id, seq, n"},
		{"lots", "*", "bucket, program_id, member_id, lot"},
		{"tallies", "*", "bucket, program_id, member_id, name, period"},
		{"redemptions", "*", "bucket, program_id, id"},
		{"receipts", "*", "bucket, program_id, source, external_id"},
		{"members", "*", "bucket, program_id, member_id"},
		{"identifiers", "*", "bucket, program_id, kind, value"},
	} {
		n, sum := digest(t, d, "SELECT "+table.columns+" FROM "+table.name+" ORDER BY "+table.key)
		out[table.name] = fmt.Sprintf("%d rows, %s", n, sum)
	}
	return out
}

// essence is what books hold besides ids, stamps and the time of recording: the same for two imports of one file. Each
// query gives program and member first, and the rows of a member one after another.
func essence(t *testing.T, d *db.DB) map[string]string {
	t.Helper()
	names := map[string]string{}
	for _, r := range rows(t, d, `SELECT program_id, member_id, value FROM identifiers WHERE kind = 'ext'`) {
		names[r[0]+" "+r[1]] = r[0] + " " + r[2]
	}
	out := map[string]string{}
	for name, query := range map[string]string{
		"facts":    `SELECT program_id, member_id, seq, kind, source, external_id, occurred_at, version, body, decision FROM facts ORDER BY bucket, program_id, member_id, seq`,
		"postings": `SELECT program_id, member_id, seq, n, unit, lot, from_account, to_account, amount, rule, occurred_at FROM postings ORDER BY bucket, program_id, member_id, seq, n`,
		"lots":     `SELECT program_id, member_id, lot, unit, earned_at, expires_at, amount, spendable, pending, reserved FROM lots ORDER BY bucket, program_id, member_id, lot`,
		"tallies":  `SELECT program_id, member_id, name, period, value FROM tallies ORDER BY bucket, program_id, member_id, name, period`,
		"accounts": `SELECT program_id, member_id, seq, due_at, status, state FROM accounts ORDER BY bucket, program_id, member_id`,
		"events":   `SELECT program_id, member_id, events, occurred_at FROM facts ORDER BY program_id, member_id, stamp, n`,
	} {
		out[name] = perMember(t, d, query, names)
	}
	return out
}

// anID is the id of a fact or member inside a document.
var anID = regexp.MustCompile(`[a-z]{3}_[0-9a-z]{26}`)

// perMember hashes the rows of each member, and these hashes in the order of the members' names.
func perMember(t *testing.T, d *db.DB, query string, names map[string]string) string {
	t.Helper()
	sums := map[string]string{}
	var who string
	n := 0
	h := sha256.New()
	done := func() {
		if who != "" {
			sums[names[who]] += hex.EncodeToString(h.Sum(nil))
		}
		h.Reset()
	}
	each(t, d, query, func(cells []sql.RawBytes) {
		if now := string(cells[0]) + " " + string(cells[1]); now != who {
			done()
			who = now
		}
		n++
		for _, c := range cells[2:] {
			fmt.Fprintf(h, "%t:", c == nil)
			h.Write(anID.ReplaceAll(c, []byte("ID;")))
			h.Write([]byte{0})
		}
	})
	done()
	all := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(sums)) {
		fmt.Fprintf(all, "%s %s\n", name, sums[name])
	}
	return fmt.Sprintf("%d rows of %d members, %x", n, len(sums), all.Sum(nil))
}

// each calls row for each row of a query.
func each(t *testing.T, d *db.DB, query string, row func(cells []sql.RawBytes)) {
	t.Helper()
	err := d.Read(t.Context(), func(tx *db.Tx) error {
		r, err := tx.Query(t.Context(), query)
		if err != nil {
			return err
		}
		defer r.Close()
		columns, err := r.Columns()
		if err != nil {
			return err
		}
		cells := make([]sql.RawBytes, len(columns))
		dest := make([]any, len(columns))
		for i := range cells {
			dest[i] = &cells[i]
		}
		for r.Next() {
			if err := r.Scan(dest...); err != nil {
				return err
			}
			row(cells)
		}
		return r.Err()
	})
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

func digest(t *testing.T, d *db.DB, query string) (n int, sum string) {
	t.Helper()
	h := sha256.New()
	each(t, d, query, func(cells []sql.RawBytes) {
		for _, c := range cells {
			fmt.Fprintf(h, "%d:%t:", len(c), c == nil)
			h.Write(c)
		}
		n++
	})
	return n, hex.EncodeToString(h.Sum(nil))
}
