package bench_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"lojal.dev/lojal/internal/bench"
	"lojal.dev/lojal/internal/errs"
)

// bin is the program, built once for all tests.
var bin string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "lojal-bench-test")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	bin = filepath.Join(dir, "lojal")
	build := exec.Command("go", "build", "-o", bin, "lojal.dev/lojal/cmd/lojal")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v: %s", err, out)
		os.Exit(1)
	}
	status := m.Run()
	os.RemoveAll(dir)
	os.Exit(status)
}

// keys are all ratios.
var keys = []string{
	"purchase_http_c64_vs_single_statement", "purchase_http_c256_vs_batched", "purchase_http_c1_p50_vs_commit", "simulate_vs_echo", "balance_vs_echo",
	"redeem_http_c64_vs_single_statement", "import_vs_batched", "sweep_vs_batched", "growth_10m_vs_10k", "p99_at_half_load_vs_p50",
}

// small is a run of no weight: it shows that everything is measured, not how fast it is.
func small(t *testing.T, on string) bench.Options {
	t.Helper()
	o := bench.Options{
		Binary: bin, On: []string{on}, Dir: t.TempDir(), Rounds: 1, Round: 40 * time.Millisecond, Members: 50, Moulds: 10, Clients: []int{1}, Import: 60, Sweep: 90,
		Grow: bench.Growth{Small: 20, Members: 60, Purchases: 200, Often: 4}, Verify: true,
	}
	if on == "postgres" {
		o.Postgres = os.Getenv("LOJAL_TEST_POSTGRES")
		if o.Postgres == "" && os.Getenv("CI") == "true" {
			t.Fatal("LOJAL_TEST_POSTGRES is not set, and CI may not leave PostgreSQL out: run under scripts/with-postgres")
		}
		if o.Postgres == "" {
			t.Skip("skipped on PostgreSQL: LOJAL_TEST_POSTGRES is not set; run under scripts/with-postgres")
		}
	}
	return o
}

// What was acknowledged is in the books, or the run fails; that the books hold is proved by the program itself.
func TestEverythingIsMeasuredOnBothDatabases(t *testing.T) {
	t.Parallel()
	for _, on := range []string{"sqlite", "postgres"} {
		t.Run(on, func(t *testing.T) {
			t.Parallel()
			o := small(t, on)
			report, err := bench.Run(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			d := report.Databases[on]
			for _, key := range keys {
				if v := report.Ratios[key]; v <= 0 || v != d.Ratios[key] {
					t.Errorf("%s is %v", key, v)
				}
			}
			if len(report.Ratios) != len(keys) {
				t.Errorf("there are %d ratios", len(report.Ratios))
			}
			if d.Proof.Acknowledged == 0 || d.Proof.InBooks != d.Proof.Acknowledged || d.Proof.Verified != 4 {
				t.Errorf("the proof is %+v", d.Proof)
			}
			if d.Disk.BytesPerPurchase < 500 || d.Disk.RawBytesPerPurchase < 100 {
				t.Errorf("on the disk: %+v", d.Disk)
			}
			last := d.Sizes[len(d.Sizes)-1]
			if last.Large.Members != 95 || last.Large.Purchases != 200 || last.Small.Members != 20 || last.Large.Stopped != "" {
				t.Errorf("it grew to %+v", last)
			}
			for _, m := range d.Measured {
				if len(m.Rounds) != 1 || m.Done == 0 || m.Median.PerSecond <= 0 {
					t.Errorf("%s %s with %d clients: %+v", m.Kind, m.Name, m.Clients, m)
				}
			}
			left, err := os.ReadDir(o.Dir)
			if err != nil || len(left) > 0 {
				t.Errorf("%d files are left behind, %v", len(left), err)
			}
			shape(t, report)
		})
	}
}

// shape checks the document that others read, and the table that people do.
func shape(t *testing.T, report *bench.Report) {
	t.Helper()
	text, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Ratios  map[string]float64 `json:"ratios"`
		Seed    uint64             `json:"seed"`
		Machine struct {
			Cores int `json:"cores"`
		} `json:"machine"`
		Databases map[string]struct {
			Version  string             `json:"version"`
			Ratios   map[string]float64 `json:"ratios"`
			Compared []struct {
				Key    string    `json:"key"`
				Value  float64   `json:"value"`
				Aim    float64   `json:"aim"`
				Met    *bool     `json:"met"`
				Rounds []float64 `json:"rounds"`
			} `json:"compared"`
		} `json:"databases"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Seed != 1 || doc.Machine.Cores < 1 {
		t.Errorf("the document says %+v", doc)
	}
	for _, d := range doc.Databases {
		if d.Version == "" || len(d.Compared) != len(keys) || len(d.Ratios) != len(keys) {
			t.Errorf("a database is %+v", d)
		}
		for _, c := range d.Compared {
			if c.Aim == 0 || c.Met == nil || len(c.Rounds) != 1 || c.Value != doc.Ratios[c.Key] {
				t.Errorf("%s is compared as %+v", c.Key, c)
			}
		}
	}
	var table strings.Builder
	report.Print(&table)
	for _, key := range keys {
		if !strings.Contains(table.String(), key) {
			t.Errorf("the table lacks %s", key)
		}
	}
}

func TestAStoppedRunLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	for _, on := range []string{"sqlite", "postgres"} {
		t.Run(on, func(t *testing.T) {
			t.Parallel()
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			o := small(t, on)
			o.Rounds = 1000
			o.Tell = func(text string) {
				if strings.Contains(text, "round 2 ") {
					stop()
				}
			}
			if _, err := bench.Run(ctx, o); err == nil {
				t.Fatal("a run that was stopped gave a report")
			}
			if left, err := os.ReadDir(o.Dir); err != nil || len(left) > 0 {
				t.Errorf("%d files are left behind, %v", len(left), err)
			}
		})
	}
}

func TestWhatCannotBeMeasuredIsRefused(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]bench.Options{
		"a part":     {Binary: bin, What: []string{"coffee"}},
		"a database": {Binary: bin, On: []string{"oracle"}},
		"no server":  {Binary: bin, On: []string{"postgres"}},
	} {
		if _, err := bench.Run(t.Context(), o); errs.CodeOf(err) != errs.CodeInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// peer is a server that is none of ours, and counts what it is asked for.
type peer struct {
	mu      sync.Mutex
	setup   map[string]int
	keys    map[string]bool
	bodies  []string
	twice   int
	refuses bool
}

func (p *peer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case r.Header.Get("X-Secret") != "abc":
		w.WriteHeader(http.StatusUnauthorized)
	case r.Method == http.MethodPut && strings.HasPrefix(r.URL.Path, "/api/members/"):
		p.setup[r.URL.Path]++
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodPost && r.URL.Path == "/api/sales":
		if p.refuses {
			w.WriteHeader(http.StatusTeapot)
			fmt.Fprint(w, "no coffee here")
			return
		}
		if p.keys[r.Header.Get("Idempotency-Key")] {
			p.twice++
		}
		p.keys[r.Header.Get("Idempotency-Key")] = true
		p.bodies = append(p.bodies, string(body))
		w.WriteHeader(http.StatusAccepted)
		w.(http.Flusher).Flush() // so that the answer comes in chunks
		fmt.Fprint(w, strings.Repeat("x", 5000))
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func describe(t *testing.T, url string) *bench.Target {
	t.Helper()
	file := filepath.Join(t.TempDir(), "peer.yaml")
	text := `
name: peer
url: ` + url + `/api
members: 25
first_member: 100
headers: {X-Secret: abc}
setup:
  - {method: PUT, path: "/members/{{member}}", expect: [204]}
operations:
  purchase:
    path: /sales
    headers: {Idempotency-Key: "{{key}}"}
    body: '{"who":"m-{{member}}","no":"{{till}}/{{receipt}}","parts":["{{amount1}}","{{amount2}}","{{amount3}}"],"sum":"{{amount}}","cents":{{cents}},"at":"{{now}}"}'
    expect: [202]
    clients: [1, 3]
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	target, err := bench.ReadTarget(file)
	if err != nil {
		t.Fatal(err)
	}
	return target
}

func TestAnotherServerIsMeasuredByItsDescription(t *testing.T) {
	t.Parallel()
	p := &peer{setup: map[string]int{}, keys: map[string]bool{}}
	server := httptest.NewServer(p)
	defer server.Close()
	report, err := bench.Run(t.Context(), bench.Options{Binary: bin, Targets: []*bench.Target{describe(t, server.URL)}, Rounds: 2, Round: 30 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	measured := report.Targets["peer"].Measured
	if len(measured) != 2 || measured[0].Clients != 1 || measured[1].Clients != 3 || len(measured[0].Rounds) != 2 {
		t.Fatalf("measured was %+v", measured)
	}
	if n := measured[0].Done + measured[1].Done; n != len(p.bodies) || n == 0 {
		t.Errorf("%d were counted and %d came", n, len(p.bodies))
	}
	if len(p.setup) != 25 || p.setup["/api/members/100"] != 1 || p.setup["/api/members/124"] != 1 {
		t.Errorf("set up were %v", p.setup)
	}
	if p.twice > 0 {
		t.Errorf("%d keys came twice", p.twice)
	}
	receipts := map[string]bool{}
	for _, text := range p.bodies {
		var body struct {
			Who   string    `json:"who"`
			No    string    `json:"no"`
			Sum   string    `json:"sum"`
			Parts []string  `json:"parts"`
			Cents int64     `json:"cents"`
			At    time.Time `json:"at"`
		}
		if err := json.Unmarshal([]byte(text), &body); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		var cents int64
		for _, part := range append(body.Parts, "-"+body.Sum) {
			whole, err := strconv.ParseFloat(part, 64)
			if err != nil {
				t.Fatal(err)
			}
			cents += int64(math.Round(whole * 100))
		}
		if cents != 0 || len(body.Parts) != 3 || body.Cents <= 0 || body.At.IsZero() || receipts[body.No] || !strings.HasPrefix(body.Who, "m-1") {
			t.Fatalf("a body is %s", text)
		}
		receipts[body.No] = true
	}
}

func TestAnotherServerIsMeasuredByTurns(t *testing.T) {
	t.Parallel()
	p := &peer{setup: map[string]int{}, keys: map[string]bool{}}
	server := httptest.NewServer(p)
	defer server.Close()
	o := small(t, "sqlite")
	o.What, o.Targets = []string{"purchase"}, []*bench.Target{describe(t, server.URL)}
	report, err := bench.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, m := range report.Databases["sqlite"].Measured {
		seen[m.Kind] += m.Done
	}
	if seen["peer"] != len(p.bodies) || len(p.bodies) == 0 || seen["http"] == 0 || seen["raw"] == 0 {
		t.Errorf("measured were %v, and %d came", seen, len(p.bodies))
	}
}

func TestAnAnswerThatIsNotExpectedEndsTheRun(t *testing.T) {
	t.Parallel()
	p := &peer{setup: map[string]int{}, keys: map[string]bool{}, refuses: true}
	server := httptest.NewServer(p)
	defer server.Close()
	_, err := bench.Run(t.Context(), bench.Options{Binary: bin, Targets: []*bench.Target{describe(t, server.URL)}, Rounds: 1, Round: 30 * time.Millisecond})
	if err == nil || !strings.Contains(err.Error(), "418") || !strings.Contains(err.Error(), "no coffee here") {
		t.Errorf("it ended with %v", err)
	}
}

func TestADescriptionWithAMistakeIsRefused(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"no operation":    "url: http://localhost:1\n",
		"no address":      "operations: {purchase: {path: /x}}\n",
		"unknown field":   "url: http://localhost:1\noperations: {purchase: {pth: /x}}\n",
		"unknown word":    "url: http://localhost:1\noperations: {purchase: {path: '/x/{{wallet}}'}}\n",
		"open word":       "url: http://localhost:1\noperations: {purchase: {path: '/x/{{member'}}\n",
		"no clients":      "url: http://localhost:1\noperations: {purchase: {path: /x, clients: [0]}}\n",
		"header of lines": "url: http://localhost:1\noperations: {purchase: {path: /x, headers: {A: \"b\\nC: d\"}}}\n",
	} {
		file := filepath.Join(t.TempDir(), "peer.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := bench.ReadTarget(file); errs.CodeOf(err) != errs.CodeInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := bench.ReadTarget("there-is-none.yaml"); errs.CodeOf(err) != errs.CodeNotFound {
		t.Error(err)
	}
}

func TestTheExampleIsRead(t *testing.T) {
	t.Parallel()
	target, err := bench.ReadTarget("../../docs/examples/other-server.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if len(target.Operations) < 2 || len(target.Setup) == 0 {
		t.Errorf("it is %+v", target)
	}
}
