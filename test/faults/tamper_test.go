package faults

import (
	"database/sql"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"lojal.dev/lojal/internal/db"
)

// copyDatabase copies a database that nobody uses, and gives the URL of the copy.
func (r *run) copyDatabase(url, name string) string {
	r.Helper()
	if dialect(url) == db.SQLite {
		data, err := os.ReadFile(file(url))
		path := filepath.Join(r.dir, name+".db")
		if err := errors.Join(err, os.WriteFile(path, data, 0o600)); err != nil {
			r.Fatal(err)
		}
		return "sqlite:" + path
	}
	from := url[strings.LastIndex(url, "/")+1:]
	from, _, _ = strings.Cut(from, "?")
	to := from + "_" + name
	admin := os.Getenv("LOJAL_TEST_POSTGRES")
	r.sql(admin, `CREATE DATABASE `+to+` TEMPLATE `+from)
	r.Cleanup(func() { r.sql(admin, `DROP DATABASE `+to+` WITH (FORCE)`) })
	return strings.Replace(url, "/"+from, "/"+to, 1)
}

// sql runs statements as whoever runs the database may: past the program.
func (r *run) sql(url string, statements ...string) {
	r.Helper()
	d, err := sql.Open(map[db.Dialect]string{db.SQLite: "sqlite", db.Postgres: "pgx"}[dialect(url)], strings.TrimPrefix(url, "sqlite:"))
	if err != nil {
		r.Fatal(err)
	}
	defer d.Close()
	for _, s := range statements {
		if _, err := d.Exec(s); err != nil {
			r.Fatalf("%s: %v", s, err)
		}
	}
}

// tampering is a change of the database behind the program's back.
type tampering struct {
	name string
	// sql may say MEMBER for the member whose books are changed.
	sql []string
	// row is what the first finding names, in parts: MEMBER, FACT3 for the id of the member's third fact.
	row string
	// head says that only who kept the head of the seals can see it.
	head bool
}

const of = ` WHERE member_id = 'MEMBER'`

// all that a row of a member stands in.
var memberTables = []string{"postings", "lots", "tallies", "redemptions", "receipts", "facts", "accounts", "identifiers", "members"}

func tamperings() []tampering {
	remove := make([]string, len(memberTables))
	for i, table := range memberTables {
		remove[i] = `DELETE FROM ` + table + of
	}
	// The gift of 777 becomes one of 999, in every row that says it or follows from it.
	more := []string{
		`UPDATE facts SET body = REPLACE(body, '777', '999'), decision = REPLACE(decision, '777', '999'), events = REPLACE(events, '777', '999')` + of + ` AND seq = 2`,
		`UPDATE postings SET amount = 999` + of + ` AND seq = 2`,
		`UPDATE lots SET amount = 999, spendable = spendable + 222, remaining = remaining + 222` + of + ` AND lot = 1`,
		`UPDATE accounts SET state = REPLACE(REPLACE(state, '"adjusted":777', '"adjusted":999'), '"spendable":819', '"spendable":1041')` + of,
	}
	return []tampering{
		{"a posting's amount is changed", []string{`UPDATE postings SET amount = amount + 1` + of + ` AND seq = 3`}, "postings |/MEMBER |seq 3 n 1", false},
		{"a posting is deleted", []string{`DELETE FROM postings` + of + ` AND seq = 3`}, "postings |/MEMBER |seq 3 n 1", false},
		{"a posting is added", []string{`INSERT INTO postings SELECT bucket, program_id, member_id, seq, n + 1, unit, lot, from_account, to_account, amount, rule, of_fact, occurred_at, recorded_at
			FROM postings` + of + ` AND seq = 3`}, "postings |/MEMBER |seq 3 n 2", false},
		{"a posting goes elsewhere", []string{`UPDATE postings SET to_account = 'program:closed'` + of + ` AND seq = 4`}, "postings |/MEMBER |seq 4 n 1", false},
		{"a posting takes from another lot", []string{`UPDATE postings SET lot = 2` + of + ` AND seq = 4`}, "postings |/MEMBER |seq 4 n 1", false},
		{"a posting's time is changed", []string{`UPDATE postings SET occurred_at = occurred_at - 1` + of + ` AND seq = 4`}, "postings |/MEMBER |seq 4 n 1", false},
		{"a fact's body is changed", []string{`UPDATE facts SET body = REPLACE(body, '50', '51')` + of + ` AND seq = 3`}, "facts |/MEMBER |seq 3", false},
		{"a fact's decision is changed", []string{`UPDATE facts SET decision = REPLACE(decision, 'member', 'pending')` + of + ` AND seq = 3`}, "/MEMBER |seq 3", false},
		{"a fact's time is changed", []string{`UPDATE facts SET occurred_at = occurred_at + 1, recorded_at = recorded_at + 1` + of + ` AND seq = 1`}, "/MEMBER ", false},
		{"somebody else did it", []string{`UPDATE facts SET actor = 'nobody'` + of + ` AND seq = 2`}, "facts |/MEMBER |seq 2", false},
		{"a fact gets another receipt number", []string{`UPDATE facts SET external_id = '2'` + of + ` AND seq = 2`}, "receipts bank vault/2", false},
		{"a fact's version is changed", []string{`UPDATE facts SET version = 2` + of + ` AND seq = 2`}, "facts |/MEMBER |seq 2", false},
		{"a fact's events are changed", []string{`UPDATE facts SET events = REPLACE(events, '777', '778')` + of + ` AND seq = 2`}, "/MEMBER |seq 2", false},
		{"a fact in the middle is deleted", []string{`DELETE FROM facts` + of + ` AND seq = 3`}, "facts |/MEMBER |seq 3", false},
		{"the last fact is deleted", []string{`DELETE FROM facts` + of + ` AND seq = 5`}, "/MEMBER ", false},
		{"a lot grows", []string{`UPDATE lots SET spendable = spendable + 1, remaining = remaining + 1, amount = amount + 1` + of + ` AND lot = 1`}, "lots |/MEMBER |lot 1", false},
		{"a lot lives longer", []string{`UPDATE lots SET expires_at = 4000000000000000` + of + ` AND lot = 1`}, "lots |/MEMBER |lot 1", false},
		{"a lot is deleted", []string{`DELETE FROM lots` + of + ` AND lot = 2`}, "lots |/MEMBER |lot 2", false},
		{"an account's state is changed", []string{`UPDATE accounts SET state = REPLACE(state, '"spendable":819', '"spendable":820')` + of}, "accounts |/MEMBER ", false},
		{"an account is blocked", []string{`UPDATE accounts SET status = 'blocked'` + of}, "accounts |/MEMBER ", false},
		{"an account is looked at later", []string{`UPDATE accounts SET due_at = 4000000000000000` + of}, "accounts |/MEMBER ", false},
		{"an account is deleted", []string{`DELETE FROM accounts` + of}, "accounts |/MEMBER ", false},
		{"a receipt is deleted", []string{`DELETE FROM receipts` + of + ` AND external_id = '1'`}, "receipts bank vault/1", false},
		{"a receipt stands for another fact", []string{`UPDATE receipts SET fact_id = 'FACT3'` + of + ` AND external_id = '1'`}, "receipts bank vault/1", false},
		{"a redemption is open again", []string{`UPDATE redemptions SET status = 'reserved'` + of + ` AND status = 'committed'`}, "redemptions |/MEMBER |FACT4", false},
		{"a redemption is deleted", []string{`DELETE FROM redemptions` + of + ` AND status = 'committed'`}, "redemptions |/MEMBER |FACT4", false},
		{"a rule of a published version is changed", []string{`UPDATE versions SET document = REPLACE(document, '"per":"1.00"', '"per":"2.00"')`}, "facts ", false},
		{"a seal is changed", []string{`UPDATE seals SET facts = facts + 1 WHERE number = 2`}, "seal", false},
		{"the first seal is deleted", []string{`DELETE FROM seals WHERE number = 1`}, "seal", false},
		{"a gift grows, in all rows alike", more, "facts |/MEMBER |seq 2", false},
		{"a member disappears from all tables", remove, "", false},
		{"the last seal is deleted", []string{`DELETE FROM seals WHERE number = (SELECT MAX(number) FROM seals)`}, "seal", true},
		{"a gift grows, and the seals are gone", append([]string{`DELETE FROM seals`}, more...), "seal", true},
	}
}

// finding is what verify says is wrong.
type finding struct {
	Check   string `json:"check"`
	Row     string `json:"row"`
	Message string `json:"message"`
}

// verified runs verify, and gives what it finds; none when the books hold.
func (r *run) verified(args ...string) []finding {
	r.Helper()
	out := r.cli(append([]string{"verify", "--json"}, args...)...)
	var reports []struct {
		Findings []finding `json:"findings"`
	}
	if err := json.Unmarshal([]byte(out.out), &reports); err != nil {
		r.Fatalf("%v\n%s", err, out)
	}
	var all []finding
	for _, one := range reports {
		all = append(all, one.Findings...)
	}
	if (out.status == 5) != (len(all) > 0) || out.status != 0 && out.status != 5 {
		r.Errorf("%d findings: %s", len(all), out)
	}
	if len(all) > 0 && !strings.Contains(out.err, all[0].Row) {
		r.Errorf("the error output does not name the first finding, %s: %s", all[0].Row, out.err)
	}
	return all
}

// sealed seals the books and gives the head of the chain, to be kept.
func (r *run) sealed() string {
	r.Helper()
	r.ok("seal")
	said := strings.Fields(r.ok("seal", "--head"))
	if len(said) == 0 || !strings.Contains(said[len(said)-1], "@") {
		r.Fatalf("the head of the chain: %q", said)
	}
	return said[len(said)-1]
}

// TestR21Tampered changes rows behind the program's back, one kind after another: verify names the first bad row, and its exit status is not 0.
func TestR21Tampered(t *testing.T) {
	t.Parallel()
	each(t, func(r *run) {
		b := openBank(r, r.url)
		c, base := newCaller(b.secret), b.nodes[0].address()
		member := c.enrol(r, base, "vault", 1)[0]
		ids := []string{"", ""}
		for i, q := range []request{
			post("/v1/adjustments", "", map[string]any{"member": member, "unit": "point", "amount": 777, "reason": "given", "source": "vault", "external_id": "1"}),
			purchase(member, 50, "vault", "receipt"),
			post("/v1/redemptions", "", map[string]any{"member": member, "reward": "token", "quantity": 5, "commit": true}),
			post("/v1/redemptions", "", map[string]any{"member": member, "reward": "token", "quantity": 3, "hold_seconds": 3600}),
		} {
			var a answer
			c.must(r, base, q, &a)
			if ids = append(ids, a.ID); i == 1 {
				b.under(func() { b.pause(200 * time.Millisecond) }) // others' books around it
			}
		}
		for _, n := range b.nodes {
			n.stop()
		}
		b.prove()
		head := r.sealed()
		if found := r.verified("--head", head); len(found) > 0 {
			r.Fatalf("nothing was tampered with: %v", found)
		}
		whole := r.url
		for i, c := range tamperings() {
			fill := strings.NewReplacer("MEMBER", member, "FACT3", ids[3], "FACT4", ids[4])
			r.url = r.copyDatabase(whole, "t"+strconv.Itoa(i))
			for _, s := range c.sql {
				r.sql(r.url, fill.Replace(s))
			}
			found := r.verified()
			if c.head {
				if len(found) > 0 {
					r.Errorf("%s: found without the head: %v", c.name, found)
				}
				found = r.verified("--head", head)
			}
			if len(found) == 0 {
				r.Errorf("%s: not found", c.name)
				continue
			}
			for want := range strings.SplitSeq(fill.Replace(c.row), "|") {
				if !strings.Contains(found[0].Row, want) {
					r.Errorf("%s: the first finding names %q, not %q", c.name, found[0].Row, want)
				}
			}
			r.count("found", 1)
		}
		r.url = whole
	})
}

// TestR21OlderFile puts an older state of the database in the place of the newer one: whoever kept a head of the chain sees it.
func TestR21OlderFile(t *testing.T) {
	t.Parallel()
	each(t, func(r *run) {
		d := openDesk(r, 1)
		member := d.caller.enrol(r, d.base(0), "person", 1)[0]
		d.caller.must(r, d.base(0), purchase(member, 10, bankIs, "1"), nil)
		d.nodes[0].stop()
		before := r.sealed()
		older := r.copyDatabase(r.url, "older")
		d.nodes[0].start()
		d.caller.must(r, d.base(0), purchase(member, 20, bankIs, "2"), nil)
		d.nodes[0].stop()
		after := r.sealed()
		newer := r.url
		for _, c := range []struct {
			url   string
			heads []string
			holds bool
		}{
			{newer, nil, true}, {newer, []string{before}, true}, {newer, []string{before, after}, true},
			{older, nil, true}, {older, []string{before}, true}, {older, []string{after}, false}, {older, []string{before, after}, false},
		} {
			var args []string
			for _, h := range c.heads {
				args = append(args, "--head", h)
			}
			r.url = c.url
			if found := r.verified(args...); (len(found) == 0) != c.holds {
				r.Errorf("older %v, heads %v: %v", c.url == older, c.heads, found)
			}
		}
		r.url = newer
	})
}
