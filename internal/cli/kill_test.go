package cli_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lojal.dev/lojal/internal/db/dbtest"
)

// history writes a file of purchases and the mapping to import it by, and gives the arguments.
func (s *shell) history() []string {
	s.t.Helper()
	var b strings.Builder
	b.WriteString("receipt,member,at,sku,category,amount\n")
	begin := time.Date(2025, 1, 6, 8, 0, 0, 0, time.UTC)
	for n := range 1500 {
		at := begin.Add(time.Duration(n*7919%8000) * time.Hour)
		for line := range 1 + n%3 {
			fmt.Fprintf(&b, "%d,%d,%s,%d,%s,%d.%02d\n", n, n%97, at.Format(time.RFC3339), line, []string{"coffee/filter", "bakery", "beans"}[line], 20+n%60, n%100)
		}
	}
	mapping := s.write("history.yaml", `
import: purchases
source: till
member: {column: member, as: ext, enrol: true}
purchase: {receipt: receipt, at: at}
line: {sku: sku, category: category, amount: amount}
`)
	return args("import purchases", s.write("history.csv", b.String()), "--map", mapping, "--batch", "40", "--progress", "lines", "--lease", "500ms")
}

// standing is what all members have, without ids.
func (s *shell) standing() map[string]any {
	s.t.Helper()
	out := map[string]any{}
	for n := range 97 {
		one := decode[map[string]any](s, "member", "show", fmt.Sprintf("ext:%d", n), "--facts", "0")
		delete(one, "member")
		out[fmt.Sprint(n)] = one
	}
	return out
}

func TestAnImportKilledAtRandomGivesTheSameBooks(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *shell) {
		s.publish()
		line := s.history()
		seed := uint64(time.Now().UnixNano())
		rnd := rand.New(rand.NewPCG(seed, 0))
		kills := 0
		for done := false; !done; {
			cmd := s.command(line...)
			pipe, err := cmd.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			after, delay := 1+rnd.IntN(8), time.Duration(rnd.IntN(20))*time.Millisecond
			seen := 0
			for lines := bufio.NewScanner(pipe); lines.Scan(); {
				if seen++; seen == after { // the delay lets the kill land anywhere within a batch
					time.AfterFunc(delay, func() { _ = cmd.Process.Kill() })
				}
			}
			err = cmd.Wait()
			if done = err == nil; !done {
				if cmd.ProcessState.ExitCode() >= 0 {
					t.Fatalf("seed %d: the import failed: %v", seed, err)
				}
				kills++
			}
		}
		if kills == 0 {
			t.Errorf("seed %d: nothing was killed", seed)
		}
		s.ok(args("verify"), "The books hold")

		clean := &shell{t: t, dir: t.TempDir(), url: dbtest.EmptyURL(t, dialect(s.url))}
		clean.publish()
		clean.ok(clean.history(), "1,500 purchases recorded")
		if d := cmp.Diff(clean.standing(), s.standing()); d != "" {
			t.Errorf("seed %d, killed %d times: %s", seed, kills, d)
		}
		s.ok(line, "0 purchases recorded, 1,500 purchases known already, 0 members enrolled")
	})
}

func TestDemo(t *testing.T) {
	t.Parallel()
	s := &shell{t: t, dir: t.TempDir(), url: ""}
	s.write("lojal-demo.db.making", "half") // what a killed start left is no harm
	srv := s.start("Stop with Ctrl-C", "demo")
	text := strings.Join(srv.out, "\n")
	secret := regexp.MustCompile(`lj_test_\w+`).FindString(text)
	examples := regexp.MustCompile(`(?m)^  curl .*"\$LOJAL(/[^"]+)"(?: \\\n    -d '([^']+)')?$`).FindAllStringSubmatch(text, -1)
	base := regexp.MustCompile(`export LOJAL=(http\S+)`).FindStringSubmatch(text)[1]
	if len(examples) != 4 || secret == "" {
		t.Fatalf("four examples and a key: %q in\n%s", examples, text)
	}
	for _, x := range examples {
		method := http.MethodGet
		if x[2] != "" {
			method = http.MethodPost
		}
		req, err := http.NewRequestWithContext(t.Context(), method, base+x[1], strings.NewReader(x[2]))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+secret)
		req.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var body map[string]any
		if err := json.NewDecoder(res.Body).Decode(&body); err != nil || res.StatusCode >= 300 || len(body) == 0 {
			t.Errorf("%s %s: %d %v %v", method, x[1], res.StatusCode, body, err)
		}
		res.Body.Close()
	}
	srv.stop()

	s.url = "sqlite:lojal-demo.db"
	s.ok(args("verify"), "500 members", "The books hold")
	s.ok(args("member show ext:1001"), "Kari Nordmann")
	s.url = ""
	again := s.start("Stop with Ctrl-C", "demo")
	if text := strings.Join(again.out, "\n"); strings.Contains(text, secret) {
		t.Error("each start has a key of its own, since the secret of the last one is not kept")
	}
	if status, _ := again.get("/v1/members/ext:1001", secret); status != 401 {
		t.Errorf("the key of the last start still opens: %d", status)
	}
	again.stop()

	s.url = "sqlite:other.db"
	s.publish()
	s.fails(5, args("demo --addr 127.0.0.1:0 --db", s.url), "something else than a whole demo")
}
