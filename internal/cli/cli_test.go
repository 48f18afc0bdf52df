package cli_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
)

// bin is the program, built once for all tests.
var bin string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "lojal-cli")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	bin = filepath.Join(dir, "lojal")
	build := exec.Command("go", "build", "-o", bin, "-ldflags", "-X main.version=v0-test", "lojal.dev/lojal/cmd/lojal")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v: %s", err, out)
		os.Exit(1)
	}
	status := m.Run()
	os.RemoveAll(dir)
	os.Exit(status)
}

// shell runs the program in a folder of its own, on one database.
type shell struct {
	t    *testing.T
	dir  string
	url  string
	vars []string // of the environment
}

// each runs a test on both databases, empty and not migrated.
func each(t *testing.T, body func(t *testing.T, s *shell)) {
	t.Helper()
	dbtest.EachEmpty(t, func(t *testing.T, url string) { body(t, &shell{t: t, dir: t.TempDir(), url: url}) })
}

// dialect is the engine of a URL.
func dialect(url string) db.Dialect {
	if strings.HasPrefix(url, "sqlite") {
		return db.SQLite
	}
	return db.Postgres
}

// ran is what a command did.
type ran struct {
	args     []string
	status   int
	out, err string
}

func (s *shell) command(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(s.t.Context(), bin, args...)
	cmd.Dir = s.dir
	cmd.Env = s.environment()
	return cmd
}

func (s *shell) environment() []string {
	all := append(os.Environ(), s.vars...)
	if s.url != "" {
		all = append(all, "LOJAL_DB="+s.url)
	}
	return all
}

func (s *shell) feed(in string, args ...string) ran {
	s.t.Helper()
	cmd := s.command(args...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(in), &out, &errs
	err := cmd.Run()
	r := ran{args, cmd.ProcessState.ExitCode(), out.String(), errs.String()}
	if err != nil && r.status < 0 {
		s.t.Fatalf("lojal %v: %v", args, err)
	}
	for _, text := range []string{"goroutine ", "panic:", "*errs.Error", "sql: "} {
		if strings.Contains(r.out+r.err, text) {
			s.t.Errorf("lojal %v shows its inside: %s%s", args, r.out, r.err)
		}
	}
	return r
}

func (s *shell) run(args ...string) ran {
	s.t.Helper()
	return s.feed("", args...)
}

// ok runs a command that must succeed and say all of the words.
func (s *shell) ok(args []string, words ...string) string {
	s.t.Helper()
	r := s.run(args...)
	if r.status != 0 {
		s.t.Fatalf("lojal %v: exit status %d\n%s%s", args, r.status, r.out, r.err)
	}
	r.says(s.t, words...)
	return r.out
}

// fails runs a command that must fail with the exit status and say all of the words on the error output.
func (s *shell) fails(status int, args []string, words ...string) {
	s.t.Helper()
	r := s.run(args...)
	if r.status != status {
		s.t.Errorf("lojal %v: exit status %d, want %d\n%s%s", args, r.status, status, r.out, r.err)
	}
	if !strings.Contains(r.err, "lojal: ") {
		s.t.Errorf("lojal %v: no sentence on the error output: %s", args, r.err)
	}
	ran{args, status, "", r.err}.says(s.t, words...)
}

func (r ran) says(t *testing.T, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(r.out+r.err, w) {
			t.Errorf("lojal %v does not say %q:\n%s%s", r.args, w, r.out, r.err)
		}
	}
}

func args(line string, more ...string) []string { return append(strings.Fields(line), more...) }

func (s *shell) write(name, text string) string {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// decode runs a command with --json and reads what it prints.
func decode[T any](s *shell, args ...string) T {
	s.t.Helper()
	var v T
	out := s.ok(append(args, "--json"))
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		s.t.Fatalf("lojal %v: %v: %s", args, err, out)
	}
	return v
}

// example is a file in docs/examples.
func example(name string) string {
	path, err := filepath.Abs("../../docs/examples/" + name)
	if err != nil {
		panic(err)
	}
	return path
}

// publish brings the database to life with the sample program.
func (s *shell) publish() {
	s.t.Helper()
	s.ok(args("migrate"))
	s.ok(args("init"))
	s.ok(args("program publish program.yaml"))
}

func TestFromAnEmptyFolderToAProgram(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *shell) {
		s.ok(args("init"), "Wrote program.yaml", "lojal program publish program.yaml")
		s.fails(5, args("init"), "is there already")
		s.fails(4, args("init other.yaml --blueprint nothing"), "coffee-stars")
		s.ok(args("init other.yaml --blueprint grocery"))
		s.ok(args("init --list"), "coffee-stars ", "A coffee bar: ", "airline-miles ")
		s.ok(args("program check program.yaml"), "is right: program kaffebaren")
		if strings.HasPrefix(s.url, "sqlite") {
			s.fails(4, args("program list"), "There is no database", "lojal migrate")
		} else {
			s.fails(5, args("program list"), "lojal migrate")
			s.ok(args("migrate --status"), "to run")
			s.ok(args("migrate"), "run; the database is of this program's version")
		}
		if strings.HasPrefix(s.url, "sqlite") {
			s.ok(args("migrate"))
			s.fails(3, args("migrate --distributed"), "SQLite file is for one machine")
		} else {
			s.fails(3, args("migrate --distributed"), "is one for one machine", "Citus")
			s.ok(args("migrate --distributed --print"), "create_distributed_table('accounts', 'bucket'", "Nothing of this was run")
		}
		s.fails(2, args("migrate --print"), "--distributed")
		s.fails(2, args("migrate --distributed --status"), "--print")
		s.ok(args("program publish program.yaml"), "Version 1 of kaffebaren is published", "from the beginning")
		s.ok(args("program publish program.yaml"), "Nothing to do")
		s.ok(args("migrate --status"), "of this program's version")

		text, err := os.ReadFile(filepath.Join(s.dir, "program.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		s.write("new.yaml", strings.Replace(string(text), "amount: 1, per: 10.00}", "amount: 2, per: 10.00}", 1))
		s.ok(args("program diff program.yaml new.yaml"), "10.00")
		s.ok(args("program diff 1 new.yaml --lang nb"), "10,00")
		s.ok(args("program explain program.yaml --lang nb"), "# Kaffestjerner", "1 stjerne per 10\u00a0kr du handler for")
		s.ok(args("program explain 1 --lang sv"), "## Så får du stjärnor")
		s.ok(args("program lint program.yaml"), "nothing to mend")
		s.fails(5, args("program lint 1 --purchase 2000 --per-month 8 --lang nb"), "1 finding")
		s.ok(args("program lint 1 --purchase 2000 --per-month 8 --except too_cheap,top_for_all"), "nothing to mend")
		s.fails(3, args("program lint 1 --purchase much"), "must be an amount of money")
		s.ok([]string{"program", "diff", "program.yaml", "./program.yaml"}, "No difference")
		s.ok(args("program publish new.yaml --from 2030-01-01"), "Version 2", "2030-01-01 00:00:00 CET")
		s.fails(2, args("program publish new.yaml --from soon"), "is not a time")
		s.ok(args("program rollback 1"), "Nothing to do", "Note: version 2 is planned and still takes its place on 2030-01-01 00:00:00 CET", "--from 2030-01-01T00:00:00+01:00") // version 2 does not count yet
		s.ok(args("program list"), "*   1  from the beginning", "    2  from 2030-01-01 00:00:00 CET", "version 2 takes its place on 2030-01-01 00:00:00 CET")
		if list := decode[[]map[string]any](s, "program", "list"); len(list) != 2 || list[0]["version"] != 2.0 {
			t.Errorf("%v", list)
		}
		s.fails(2, args("program rollback 1 --from soon"), "is not a time")
		s.ok(args("program rollback 1 --from 2030-01-01T00:00:00+01:00"), "Version 3 of kaffebaren is published with the content of version 1, in force from 2030-01-01 00:00:00 CET")
		if list := decode[[]map[string]any](s, "program", "list"); list[2]["replaced_by"] != 3.0 || list[2]["in_force"] != true || list[0]["in_force"] != false {
			t.Errorf("%v", list)
		}
		s.write("shown.yaml", s.ok(args("program show 1")))
		s.ok(args("program diff shown.yaml program.yaml"), "No difference")
		if one := decode[map[string]any](s, "program", "show", "1"); one["program"] != "kaffebaren" {
			t.Errorf("%v", one)
		}
		s.fails(4, args("program show 7"), "7")
		s.ok(args("program schema"), "json-schema.org")

		s.write("bad.yaml", "program: x\nunits: {}\nsauce: 1\n")
		s.fails(3, args("program check bad.yaml"), "bad.yaml has", "bad.yaml:3:1", "sauce")
		r := s.run("program", "check", "bad.yaml", "--json")
		var checked struct {
			OK       bool             `json:"ok"`
			Problems []map[string]any `json:"problems"`
		}
		if err := json.Unmarshal([]byte(r.out), &checked); err != nil || checked.OK || len(checked.Problems) == 0 || r.status != 3 {
			t.Errorf("%+v %v", r, err)
		}
		s.fails(4, args("program check nothing.yaml"), "There is no file")

		set := s.write("set.yaml", "program: x # mine\nunits: {star: {worth: 0.50}}\n")
		s.ok(args("program set set.yaml"), "/program=x", "/units/star/worth=0.50")
		s.ok(args("program set set.yaml /units/star/worth=0.75"), "Wrote set.yaml")
		if text, err := os.ReadFile(set); err != nil || string(text) != "program: x # mine\nunits: {star: {worth: 0.75}}\n" {
			t.Errorf("%s %v", text, err)
		}
		s.fails(3, args("program set set.yaml /units/star=1"), "no single value")
		s.fails(2, args("program set set.yaml worth=1"), "/units/star/worth=0.75")

		s.ok(args("program publish other.yaml"))
		s.fails(2, args("key list"), "several programs", "dagligvare, kaffebaren", "--program")
		s.ok(args("key list --program kaffebaren"), "no key yet")
		s.fails(4, args("key list --program shop"), "there are: dagligvare, kaffebaren")
	})
}

func TestKeys(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *shell) {
		s.publish()
		r := s.run("key", "create", "till", "--scope", "purchases:write,members:read", "--test")
		if r.status != 0 || !strings.HasPrefix(r.out, "lj_test_") || strings.Count(r.out, "\n") != 1 {
			t.Fatalf("the secret alone goes to the standard output: %+v", r)
		}
		s.ok(args("key list"), "till", "active", "members:read purchases:write")
		s.fails(3, args("key create bad --scope everything"), "everything")
		if k := decode[map[string]any](s, "key", "create", "boss"); !strings.HasPrefix(k["secret"].(string), "lj_live_") {
			t.Errorf("%v", k)
		}
		k := decode[map[string]any](s, "key", "rotate", "till", "--overlap", "1h")
		if k["name"] != "till" || k["secret"] == strings.TrimSpace(r.out) {
			t.Errorf("%v", k)
		}
		s.fails(2, args("key revoke till"), "Several active keys", "key list")
		s.ok(args("key revoke", k["id"].(string)), "opens nothing any more")
		s.ok(args("key revoke till"))
		s.fails(4, args("key revoke till"), "no active key named")
	})
}

func TestFilesComeInAndAreExplained(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *shell) {
		s.publish()
		members := args("import members", example("members.csv"), "--map", example("members.yaml"))
		s.ok(append(members, "--dry-run"), "Dry run, nothing was written", "windows-1252")
		s.fails(4, args("member show ext:2001"), "There is no member ext:2001")
		s.ok(members, "3 members recorded", "3 rows refused", "members.csv.refused.csv")
		if _, err := os.Stat(filepath.Join(s.dir, "members.csv.refused.csv")); err != nil {
			t.Error(err)
		}
		report := decode[map[string]any](s, "import", "purchases", example("receipts.csv"), "--map", example("receipts.yaml"), "--progress", "lines")
		if report["recorded"] != 4.0 || report["guests"] != 1.0 || report["refused"] != 4.0 {
			t.Errorf("%v", report)
		}
		s.ok(args("import purchases", example("receipts.csv"), "--map", example("receipts.yaml")), "0 purchases recorded, 4 purchases known already")
		s.ok(args("import activities", example("reviews.csv"), "--map", example("reviews.yaml")), "4 activities recorded")
		s.fails(3, args("import members", example("receipts.csv"), "--map", example("receipts.yaml")), "is for purchases, not for members")
		s.fails(3, args("import purchases", example("members.csv"), "--map", example("receipts.yaml")), "does not fit the file", `no column "receipt"`)
		s.fails(4, args("import purchases", "nothing.csv", "--map", example("receipts.yaml")), "There is no file nothing.csv")

		s.ok(args("member show card:70020001"), "Åse Ødegård", "ext:2001", "stars up to and including", "The club: Member", "Last facts")
		for language, words := range map[string][]string{
			"nb": {"medlemskapet er aktivt", "opptjent", "Klubben: Medlem siden", "Siste hendelser", "  Kjøp "},
			"sv": {"medlemskapet är aktivt", "intjänat", "Klubben: Medlem sedan", "Senaste händelser", "  Köp "},
			"da": {"medlemskabet er aktivt", "optjent", "Klubben: Medlem siden", "Seneste hændelser", "  Køb "},
		} {
			s.ok(args("member show card:70020001 --lang "+language), words...)
		}
		shown := decode[struct {
			Balances map[string]struct{ Balance string }
			Facts    []struct{ ID, Kind string }
		}](s, "member", "show", "ext:2001", "--facts", "100")
		if shown.Balances["star"].Balance == "" || len(shown.Facts) < 5 {
			t.Errorf("%+v", shown)
		}
		for _, f := range shown.Facts {
			if f.Kind == "purchase" {
				s.ok(args("explain", f.ID, "--lang", "nb"), "stjerner")
			}
		}
		ahead := decode[struct {
			Units   map[string]struct{ Now, Then, Sentence string }
			Changes []struct{ Kind, Unit string }
		}](s, "member", "forecast", "ext:2001", "--lang", "nb", "--for", "member")
		if u := ahead.Units["star"]; u.Now != shown.Balances["star"].Balance || !strings.Contains(u.Sentence, "stjerner") {
			t.Errorf("%+v, and now it is %+v", ahead, shown.Balances)
		}
		s.ok(args("member forecast card:70020001"), "stars")
		s.fails(3, args("member forecast ext:2001 --until soon"), "neither a date")
		s.fails(3, args("member forecast ext:2001 --until 2001-01-01"), "later than now")
		s.fails(4, args("member forecast ext:none"), "There is no member")
		s.ok(args("member benefits card:70020001"), "Birthday coffee", "no", "more to Silver")
		s.ok(args("member benefits ext:2001 free_refill --lang nb"), "Gratis påfyll", "Det mangler", "til Gull")
		if got := decode[[]struct{ Why []string }](s, "member", "benefits", "ext:2001", "free_refill", "--lang", "nb", "--for", "member"); strings.HasPrefix(got[0].Why[0], "Det mangler") {
			t.Errorf("a member reads %q", got[0].Why)
		}
		if got := decode[[]map[string]any](s, "member", "benefits", "ext:2001"); len(got) != 2 || got[0]["reason"] != "not_granted" {
			t.Errorf("%v", got)
		}
		s.ok(args("member rewards ext:2001 --lang nb"), "stjerner", "ja")
		s.fails(4, args("member rewards ext:2001 yacht"), "There is no reward yacht")
		s.fails(4, args("member benefits ext:2001 sauna"), "There is no benefit sauna", "birthday_coffee")
		s.ok(args("explain till/torggata/501"), "1 star for every 10 kroner", "5 stars before nine")
		s.ok(args("explain till:torggata/501"), "1 star for every 10 kroner")
		s.ok(args("explain till/torggata/501 --for member --lang sv"), "Köp pur_", "stjärn")
		s.fails(4, args("explain till/torggata/999"), "There is no fact")
		s.fails(4, args("explain nonsense"), "There is no fact")
		s.fails(2, args("explain till/torggata/501 --lang xx"), `"nb","sv","da","en"`)
		if x := decode[map[string]any](s, "explain", "till/torggata/501"); x["sentences"] == nil || x["version"] != 1.0 {
			t.Errorf("%v", x)
		}
		s.ok(args("sweep"), "were due")
		s.ok(args("verify"), "The books hold")
		if p := decode[[]map[string]any](s, "verify"); len(p) != 1 || p[0]["program"] != "kaffebaren" {
			t.Errorf("%v", p)
		}
	})
}

func TestSimulate(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *shell) {
		s.publish()
		s.write("facts.yaml", "- enrolment: {external_id: '4711'}\n- purchase: {member: 'ext:4711', amount: 123.00, occurred_at: '2026-11-24T10:00:00+01:00'}\n")
		s.ok(args("simulate facts.yaml"), "1. Enrolment", "2. Purchase", "12 stars")
		s.ok(args("simulate facts.yaml --lang nb"), "1. Innmelding", "2. Kjøp", "12 stjerner")
		s.write("use.yaml", "- enrolment: {external_id: '4711'}\n- use: {member: 'ext:4711', benefit: free_refill}\n- plan: {member: 'ext:4711', plan: plus, what: paid}\n")
		s.fails(3, args("simulate use.yaml"), "2 of 3 facts would be refused")
		s.fails(4, args("member show ext:4711"), "There is no member")
		text, err := os.ReadFile(filepath.Join(s.dir, "program.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		s.write("draft.yaml", strings.Replace(string(text), "amount: 1, per: 10.00}", "amount: 2, per: 10.00}", 1))
		s.ok(args("simulate facts.yaml --draft draft.yaml"), "24 stars")
		out := decode[[]struct{ Earned map[string]string }](s, "simulate", "facts.yaml")
		if len(out) != 2 || out[1].Earned["star"] != "12" {
			t.Errorf("%+v", out)
		}
		r := s.feed(`{"purchase": {"member": "ext:4711", "amount": "99.00"}}`, "simulate", "-")
		if r.status != 3 || !strings.Contains(r.out, "Refused: There is no such member") {
			t.Errorf("%+v", r)
		}
		r = s.feed(`{"purchase": {"member": "ext:4711", "amount": "99.00"}}`, "simulate", "-", "--lang", "da")
		if r.status != 3 || !strings.Contains(r.out, "1. Afvist: ") {
			t.Errorf("%+v", r)
		}
		r = s.feed(`{"purchase": {"member": "ext:1", "sauce": 1}}`, "simulate", "-")
		if r.status != 2 || !strings.Contains(r.err, "sauce") {
			t.Errorf("%+v", r)
		}
		r = s.feed(`{}`, "simulate", "-")
		if r.status != 3 || !strings.Contains(r.err, "Fact 1: It must have exactly one of") {
			t.Errorf("%+v", r)
		}
		if r = s.feed(``, "simulate", "-"); r.status != 2 {
			t.Errorf("%+v", r)
		}
	})
}

func TestCopiesComeBackOnEitherEngine(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *shell) {
		s.publish()
		s.ok(args("import members", example("members.csv"), "--map", example("members.yaml")))
		s.ok(args("import purchases", example("receipts.csv"), "--map", example("receipts.yaml")))
		s.ok(args("backup copy.backup"), "Wrote copy.backup")
		s.fails(5, args("backup copy.backup"), "overwrites nothing")
		s.ok(args("export out"), "Exported")
		s.fails(5, args("export out"), "is not empty")
		s.fails(5, args("restore out"), "empty one")
		shown := s.ok(args("member show ext:2001 --json"))
		for _, engine := range []db.Dialect{db.SQLite, db.Postgres} {
			for _, from := range []string{"copy.backup", "out"} {
				t.Run(from+" to "+string(engine), func(t *testing.T) {
					other := &shell{t: t, dir: s.dir, url: dbtest.EmptyURL(t, engine)}
					other.ok(args("restore", from), "Restored")
					if got := other.ok(args("member show ext:2001 --json")); got != shown {
						t.Errorf("%s\nwant\n%s", got, shown)
					}
					other.ok(args("verify"), "The books hold")
					other.ok(args("import purchases", example("receipts.csv"), "--map", example("receipts.yaml")), "0 purchases recorded, 4 purchases known")
				})
			}
		}
		s.write("nonsense", "nonsense")
		s.fails(3, args("restore nonsense"), "neither a backup nor an export")
		s.fails(4, args("restore nothing"), "There is no file or folder")
	})
}

// server is `lojal serve` or `demo` under way.
type server struct {
	t    *testing.T
	cmd  *exec.Cmd
	url  string
	out  []string
	errs *bytes.Buffer // whole when done
	done chan error
}

// start runs a command that serves, and waits until it says where and, if asked, a line that ends what it has to say.
func (s *shell) start(until string, args ...string) *server {
	s.t.Helper()
	return s.startBy(nil, until, args...)
}

// startBy is start through another command.
func (s *shell) startBy(by []string, until string, args ...string) *server {
	s.t.Helper()
	line := append(append(append([]string{}, by...), bin), append(args, "--addr", "127.0.0.1:0")...)
	cmd := exec.CommandContext(s.t.Context(), line[0], line[1:]...)
	cmd.Dir, cmd.Env = s.dir, s.environment()
	var errs bytes.Buffer
	cmd.Stderr = &errs
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	srv := &server{t: s.t, cmd: cmd, errs: &errs, done: make(chan error, 1)}
	lines := bufio.NewScanner(pipe)
	for lines.Scan() {
		line := lines.Text()
		srv.out = append(srv.out, line)
		if i := strings.Index(line, "http"); i >= 0 && srv.url == "" {
			srv.url, _, _ = strings.Cut(line[i:], " ")
		}
		if strings.Contains(line, until) {
			break
		}
	}
	if srv.url == "" {
		_ = cmd.Wait()
		s.t.Fatalf("lojal %v did not start: %s", args, errs.String())
	}
	go func() {
		_, _ = io.Copy(io.Discard, pipe)
		srv.done <- cmd.Wait()
	}()
	s.t.Cleanup(func() { _ = cmd.Process.Kill() })
	return srv
}

func (s *server) get(path, secret string) (int, string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.url+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	if secret != "" {
		req.Header.Set("Authorization", "Bearer "+secret)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// stop sends SIGTERM and sees that the server ends well.
func (s *server) stop() {
	s.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	select {
	case err := <-s.done:
		if err != nil {
			s.t.Errorf("it did not stop well: %v", err)
		}
	case <-time.After(time.Minute):
		s.t.Error("it did not stop within a minute")
	}
}

func TestServe(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *shell) {
		if strings.HasPrefix(s.url, "sqlite") {
			s.fails(4, args("serve --no-migrate --addr 127.0.0.1:0"), "There is no database")
		} else {
			s.fails(5, args("serve --no-migrate --addr 127.0.0.1:0"), "lojal migrate")
		}
		srv := s.start("There is no program yet", "serve", "--log-format", "json")
		if status, body := srv.get("/healthz", ""); status != 200 {
			t.Errorf("%d %s", status, body)
		}
		if status, _ := srv.get("/v1/members", ""); status != 401 {
			t.Errorf("%d", status)
		}
		s.ok(args("init"))
		s.ok(args("program publish program.yaml"), "Version 1")
		secret := strings.TrimSpace(s.ok(args("key create till")))
		s.ok(args("import members", example("members.csv"), "--map", example("members.yaml")), "3 members recorded") // beside the server
		if status, body := srv.get("/v1/members/ext:2001?include=balances", secret); status != 200 || !strings.Contains(body, "Ødegård") {
			t.Errorf("%d %s", status, body)
		}
		s.fails(10, []string{"serve", "--addr", strings.TrimPrefix(srv.url, "http://")}, "cannot be listened on", "--addr")
		srv.stop()
		again := s.start("An API key", "serve")
		if status, _ := again.get("/v1/members/ext:2001", secret); status != 200 {
			t.Errorf("%d", status)
		}
		again.stop()
	})
}

// A stop begins with /readyz, so that a load balancer sends the next request elsewhere while those that are on their way are
// answered as ever.
func TestAStopIsToldBeforeItHappens(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *shell) {
		s.publish()
		secret := strings.TrimSpace(s.ok(args("key create till")))
		srv := s.start("Metrics, health", "serve", "--ops-addr", "127.0.0.1:0", "--drain", "2s")
		_, line, _ := strings.Cut(srv.out[len(srv.out)-1], "http://")
		operators := &server{t: t, url: "http://" + strings.TrimSuffix(line, "/metrics")}
		if status, body := operators.get("/metrics", ""); status != 200 || !strings.Contains(body, "lojal_build_info{") || !strings.Contains(body, `version="v0-test"`) {
			t.Errorf("%d %s", status, body)
		}
		if status, _ := srv.get("/metrics", ""); status != 404 {
			t.Errorf("the public address shows the metrics: %d", status)
		}
		if status, body := srv.get("/readyz", ""); status != 200 || !strings.Contains(body, `"writing":"ok"`) {
			t.Errorf("%d %s", status, body)
		}
		if err := srv.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		for _, from := range []*server{srv, operators} {
			status, body := from.get("/readyz", "")
			for status != 503 {
				status, body = from.get("/readyz", "")
			}
			if !strings.Contains(body, "stopping") {
				t.Errorf("%s", body)
			}
		}
		if status, _ := srv.get("/v1/me", secret); status != 200 {
			t.Errorf("a request before the end of the drain: %d", status)
		}
		if err := <-srv.done; err != nil {
			t.Errorf("it did not stop well: %v", err)
		}
	})
}

// Who waits for an event when the server stops must not hold it up for the half minute that a wait may last.
func TestAStopDoesNotWaitForWhoWaits(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *shell) {
		s.publish()
		secret := strings.TrimSpace(s.ok(args("key create till")))
		srv := s.start("An API key", "serve", "--log-level", "debug", "--sweep-every", "0s")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.url+"/v1/events?wait=30", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+secret)
		answered := make(chan error, 1)
		go func() {
			res, err := http.DefaultClient.Do(req)
			if err == nil {
				res.Body.Close()
			}
			answered <- err
		}()
		for status := 0; status != 200; { // a second request is answered while the first one waits
			status, _ = srv.get("/healthz", "")
		}
		begun := time.Now()
		srv.stop()
		<-answered
		if took := time.Since(begun); took > 14*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

func TestWrongUseSaysHowItIsUsed(t *testing.T) {
	t.Parallel()
	s := &shell{t: t, dir: t.TempDir(), url: "sqlite:x.db"}
	for _, c := range []struct {
		args  string
		words []string
	}{
		{"import purchases a.csv", []string{"Usage: lojal import purchases", "--map"}},
		{"serve --bogus", []string{"Usage: lojal serve", "--bogus"}},
		{"program", []string{"Usage: lojal program", "check", "publish"}},
		{"nothing", []string{"Usage: lojal <command>", "nothing"}},
		{"completion tcsh", []string{"Usage: lojal completion", "bash"}},
		{"member show", []string{"Usage: lojal member show", "<member>"}},
		{"key rotate a --overlap soon", []string{"Usage: lojal key rotate", "overlap"}},
	} {
		s.fails(2, args(c.args), c.words...)
	}
	if r := s.run(); r.status != 0 || !strings.Contains(r.out, "Commands:") {
		t.Errorf("%+v", r)
	}
	s.ok(args("help"), "Commands:")
	s.ok(args("help member show"), "Usage: lojal member show")
	empty := &shell{t: t, dir: t.TempDir(), vars: []string{"LOJAL_DB="}}
	empty.fails(4, args("member show a"), "lojal.db", "--db")
	s.fails(3, args("member show a --db nonsense://x"), "no kind of database")
	s.fails(4, args("member show a"), "There is no database", "--db")
	s.ok(args("version"), "lojal v0-test")
	if v := decode[map[string]string](s, "version"); v["version"] != "v0-test" {
		t.Errorf("%v", v)
	}
	s.ok(args("migrate"), "The database is made")
	s.fails(4, args("member show a"), "There is no program in this database yet", "lojal init")
	s.ok(args("verify"), "nothing to prove")
}

func TestCompletionsAreScripts(t *testing.T) {
	t.Parallel()
	s := &shell{t: t, dir: t.TempDir(), url: "sqlite:x.db"}
	script := s.ok(args("completion bash"), "complete -o filenames -F _lojal lojal")
	s.ok(args("completion zsh"), "#compdef lojal")
	s.ok(args("completion fish"), "complete -c lojal")
	complete := func(words ...string) string {
		line := fmt.Sprintf("%s\nCOMP_WORDS=(lojal %s); COMP_CWORD=%d; _lojal; echo \"${COMPREPLY[*]}\"", script, strings.Join(words, " "), len(words))
		out, err := exec.CommandContext(t.Context(), "bash", "-c", line).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return strings.TrimSpace(string(out))
	}
	for _, c := range []struct {
		words []string
		want  string
	}{
		{[]string{"ex"}, "explain export"}, {[]string{"program", "ro"}, "rollback"}, {[]string{"import", "purchases", "--dr"}, "--dry-run"}, {[]string{"completion", "f"}, "fish"},
	} {
		if got := complete(c.words...); got != c.want {
			t.Errorf("lojal %v completes to %q, want %q", c.words, got, c.want)
		}
	}
}

func TestScenarios(t *testing.T) {
	t.Parallel()
	each(t, func(_ *testing.T, s *shell) {
		s.ok(args("migrate"))
		good := "scenario: X01\nblueprint: coffee-stars\nwhen:\n  - purchase: {amount: 100.00}\n    then: {earned: {star: 10}}\n"
		s.write("good.yaml", good)
		s.ok(args("scenario good.yaml"), "1")
		s.ok(args("scenario good.yaml --db", s.url))
		s.write("bad.yaml", strings.Replace(good, "star: 10}", "star: 11}", 1))
		s.fails(3, args("scenario bad.yaml"), "1 of 1 scenario")
		s.fails(4, args("scenario nothing"), "nothing")
	})
}
