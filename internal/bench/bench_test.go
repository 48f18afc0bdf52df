package bench_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"lojal.dev/lojal/internal/bench"
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

// small is a run of no weight: it shows that everything is measured, not how fast it is.
func small(t *testing.T, on string) bench.Options {
	t.Helper()
	o := bench.Options{Binary: bin, On: []string{on}, Dir: t.TempDir(), Rounds: 1, Round: 40 * time.Millisecond, Members: 50}
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

func TestEverythingIsMeasuredOnBothDatabases(t *testing.T) {
	t.Parallel()
	for _, on := range []string{"sqlite", "postgres"} {
		t.Run(on, func(t *testing.T) {
			t.Parallel()
			report, err := bench.Run(t.Context(), small(t, on))
			if err != nil {
				t.Fatal(err)
			}
			for _, key := range []string{"purchase_http_c64_vs_single_statement", "purchase_http_c256_vs_batched", "purchase_http_c1_p50_vs_commit", "p99_at_half_load_vs_p50"} {
				if v := report.Ratios[key]; v <= 0 || v != report.Databases[on].Ratios[key] {
					t.Errorf("%s is %v", key, v)
				}
			}
			if _, err := json.Marshal(report); err != nil {
				t.Error(err)
			}
		})
	}
}
