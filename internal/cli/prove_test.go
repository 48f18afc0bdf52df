package cli_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
)

// recorded is a shop with a few receipts.
func (s *shell) recorded() {
	s.t.Helper()
	s.publish()
	s.ok(args("import members", example("members.csv"), "--map", example("members.yaml")))
	s.ok(args("import purchases", example("receipts.csv"), "--map", example("receipts.yaml")))
}

// sealed seals until all is: on PostgreSQL other tests' transactions keep the horizon back.
func (s *shell) sealed() (head string) {
	s.t.Helper()
	for {
		s.ok(args("seal"), "kaffebaren")
		type report struct {
			Unsealed int
			Head     string
		}
		if r := decode[[]report](s, "verify")[0]; r.Unsealed == 0 && r.Head != "" {
			return r.Head
		}
	}
}

func TestSealsAreKeptAndCompared(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *shell) {
		s.publish()
		s.ok(args("verify"), "Nothing is sealed yet")
		if out := s.ok(args("seal --head")); out != "" {
			t.Errorf("there is no head yet: %s", out)
		}
		s.fails(4, args("seal --head --program kaffebaren"), "Nothing of kaffebaren is sealed yet")
		s.ok(args("import members", example("members.csv"), "--map", example("members.yaml")))
		head := s.sealed()
		line := strings.TrimSpace(s.ok(args("seal --head"), "kaffebaren:"+head))
		s.ok(args("verify --head", head), "The books hold", "The head is kaffebaren:"+head)
		s.ok(args("verify --head", line), "The books hold")                               // as it is printed
		s.ok(args("verify --head", strings.Replace(line, ":", " ", 1)), "The books hold") // as it was printed at first
		s.ok(args("import purchases", example("receipts.csv"), "--map", example("receipts.yaml")))
		later := s.sealed()
		s.ok(args("verify --head", head, "--head", later), "The books hold")
		number := head[strings.IndexByte(head, '@'):]
		s.fails(5, args("verify --head", strings.Repeat("0", 64)+number), "history was changed")
		s.fails(5, args("verify --head", later[:64]+"@99"), "older state")
		s.fails(2, args("verify --head nonsense"), "HASH@NUMBER")
		s.fails(4, args("verify --head", "other:"+head), "is not among those that are proved: kaffebaren")

		s.ok(args("verify --member card:70020001"), "(member mem_", "1 member,", "The books hold")
		s.fails(4, args("verify --member card:99999999"), "No member")
		s.ok(args("verify --since 24h"), "The books hold")
		s.ok(args("verify --since 2099-01-01"), "0 members")
		s.fails(2, args("verify --since soon"), "is not a time")
		s.ok(args("verify --sample 10"), "10% of the buckets")
		s.ok(args("verify --one-moment --workers 1"), "The books hold")
		s.fails(2, args("verify --sample 10 --since 24h"), "do not go together")
		s.fails(2, args("verify --sample 200"), "percentage")

		d, err := db.Open(t.Context(), s.url, db.Options{})
		if err != nil {
			t.Fatal(err)
		}
		err = d.Write(t.Context(), func(tx *db.Tx) error {
			_, err := tx.Exec(t.Context(), `UPDATE facts SET actor = 'nobody' WHERE seq = 2`)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		s.fails(5, args("verify"), "seq 2", "is not as it was sealed")
		r := s.run("verify", "--json")
		var reports []struct {
			Findings []struct {
				Check string `json:"check"`
			} `json:"findings"`
		}
		if err := json.Unmarshal([]byte(r.out), &reports); err != nil || r.status != 5 || len(reports[0].Findings) == 0 || reports[0].Findings[0].Check != "seals" {
			t.Errorf("%v %+v", err, r)
		}
	})
}

func TestABackupIsTried(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *shell) {
		s.recorded()
		head := s.sealed()
		s.ok(args("backup first.backup --check"), "Wrote first.backup", "up to the head kaffebaren:"+head, "proved them", "the books hold", "recorded since would be lost")
		if info, err := os.Stat(filepath.Join(s.dir, "first.backup")); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v %v", info, err)
		}
		for _, engine := range []db.Dialect{db.SQLite, db.Postgres} {
			other := dbtest.EmptyURL(t, engine)
			var out struct {
				Heads map[string]string `json:"heads"`
				Drill struct {
					To       string `json:"to"`
					Programs []struct {
						Program  string `json:"program"`
						Head     string `json:"head"`
						Facts    int64  `json:"facts"`
						Behind   int64  `json:"behind"`
						Findings []any  `json:"findings"`
						Newest   string `json:"newest"`
					} `json:"programs"`
				} `json:"drill"`
			}
			text := s.ok(args("backup", string(engine)+".backup", "--check", "--into", other, "--json"))
			if err := json.Unmarshal([]byte(text), &out); err != nil || len(out.Drill.Programs) != 1 || out.Drill.To != other {
				t.Fatalf("%v %s", err, text)
			}
			if p := out.Drill.Programs[0]; p.Program != "kaffebaren" || p.Facts == 0 || p.Behind != 0 || len(p.Findings) > 0 || p.Newest == "" || p.Head != out.Heads["kaffebaren"] {
				t.Errorf("%+v", out)
			}
			s.fails(5, args("backup", string(engine)+"2.backup", "--check", "--into", other), "empty one")
		}
		s.fails(2, args("backup x.backup --into sqlite:y.db"), "--into goes with --check")
		left, err := filepath.Glob(filepath.Join(s.dir, ".*"))
		if err != nil || len(left) > 0 {
			t.Errorf("left behind: %v %v", left, err)
		}

		// What is broken before the backup is broken in it.
		d, err := db.Open(t.Context(), s.url, db.Options{})
		if err != nil {
			t.Fatal(err)
		}
		err = d.Write(t.Context(), func(tx *db.Tx) error {
			_, err := tx.Exec(t.Context(), `UPDATE lots SET spendable = spendable + 1, remaining = remaining + 1`)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		s.fails(5, args("backup broken.backup --check"), "cannot be relied on", "lots")
	})
}

func TestTheDrillKeepsTheLastBackups(t *testing.T) {
	t.Parallel()
	script, err := filepath.Abs("../../scripts/drill")
	if err != nil {
		t.Fatal(err)
	}
	each(t, func(t *testing.T, s *shell) {
		s.recorded()
		folder := filepath.Join(s.dir, "backups")
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, old := range []string{"lojal-2020-01-01T000000Z.backup", "lojal-2020-01-02T000000Z.backup", "other.txt"} {
			s.write(filepath.Join("backups", old), "x")
		}
		drill := func(env ...string) (string, error) {
			cmd := exec.CommandContext(t.Context(), script, folder, s.url)
			cmd.Env = append(append(os.Environ(), "LOJAL="+bin, "DRILL_KEEP=2"), env...)
			out, err := cmd.CombinedOutput()
			return string(out), err
		}
		out, err := drill()
		if err != nil || !strings.Contains(out, `"restore_seconds"`) {
			t.Fatalf("%v %s", err, out)
		}
		left, err := os.ReadDir(folder)
		if err != nil || len(left) != 3 || left[0].Name() != "lojal-2020-01-02T000000Z.backup" || left[2].Name() != "other.txt" {
			t.Errorf("%v %v", left, err)
		}
		full := dbtest.URL(t, dialect(s.url)) // migrated, hence not of the kind that is restored into when it holds something
		(&shell{t: t, dir: s.dir, url: full}).recorded2()
		if out, err := drill("DRILL_INTO=" + full); err == nil || !strings.Contains(out, "nothing was deleted") {
			t.Errorf("%v %s", err, out)
		}
		if again, err := os.ReadDir(folder); err != nil || len(again) < len(left) {
			t.Errorf("%v %v", again, err)
		}
	})
}

// recorded2 is recorded where program.yaml is there already.
func (s *shell) recorded2() {
	s.t.Helper()
	s.ok(args("program publish program.yaml"))
}

func TestDoctor(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *shell) {
		r := s.run("doctor")
		if r.status != 5 || !strings.Contains(r.out, "migrations") && !strings.Contains(r.out, "There is no database") {
			t.Errorf("%+v", r)
		}
		s.recorded()
		s.sealed()
		s.ok(args("backup doctor.backup"))
		r = s.run("doctor", "--json")
		var report struct {
			Worst    string `json:"worst"`
			Findings []struct {
				Check   string `json:"check"`
				Level   string `json:"level"`
				Message string `json:"message"`
				Advice  string `json:"advice"`
			} `json:"findings"`
		}
		if err := json.Unmarshal([]byte(r.out), &report); err != nil || len(report.Findings) < 9 {
			t.Fatalf("%v %+v", err, r)
		}
		// The tests' PostgreSQL does not sync, and says so; a file of SQLite is well.
		want := map[db.Dialect]string{db.SQLite: "", db.Postgres: "error"}[dialect(s.url)]
		for _, f := range report.Findings {
			if dialect(s.url) == db.SQLite && f.Level == "error" {
				t.Errorf("%+v", f)
			}
		}
		if want == "error" && (report.Worst != "error" || r.status != 5 || !strings.Contains(r.out, "fsync is off")) {
			t.Errorf("%+v", r)
		}
		s.run("doctor", "--all").says(t, "ok       schema: The tables are those of this lojal.", "doctor.backup")
		s.run("key", "create", "boss", "--scope", "admin")
		if r := s.run("doctor"); r.status < 3 || !strings.Contains(r.out, `warning  keys: The key "boss"`) || !strings.Contains(r.err, "lojal: Not all is well") {
			t.Errorf("%+v", r)
		}
	})
}
