// Package faults breaks things around the real program and proves that its promises hold all the same.
//
// The program is built and run as its users run it: over HTTP and the command line, on SQLite and PostgreSQL. The oracle is a log that
// the clients keep: what was acknowledged must be in the books once, what was refused must not, and what is unknown (a
// time-out, a broken connection, a 503) may be there once or not at all. After every test the books are proved twice: by
// `lojal verify`, and by a fold of the postings in this package that shares nothing with the program.
//
// A test is named after the promise it proves: TestR05… is R-05. Without flags each runs in its short form; -long runs
// what `make faults` does. A failure prints the seed that repeats the choices of the test (not the machine's timing).
package faults

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
)

var (
	long   = flag.Bool("long", false, "run the long forms")
	seed   = flag.Uint64("seed", 0, "seed of all choices; one of the clock's when 0")
	rounds = flag.Int("rounds", 0, "rounds of tests that count rounds, in place of their own number")
	lasts  = flag.Duration("for", 0, "duration of tests that last for a time, in place of their own")
)

// binaries is the folder of the programs that were built.
var binaries string

func TestMain(m *testing.M) {
	flag.Parse()
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	status := 1
	dir, err := os.MkdirTemp("", "lojal-faults")
	if err == nil {
		err = os.Chmod(dir, 0o755) // some tests run the program as somebody else
	}
	if err == nil {
		binaries = dir
		status = m.Run()
		err = os.RemoveAll(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	reasons.print()
	if status != 0 || *long {
		form := ""
		if *long {
			form = " --long"
		}
		fmt.Printf("seed %d; the same choices again: scripts/faults%s --seed %d\n", *seed, form, *seed)
	}
	os.Exit(status)
}

// reasons are what failed, in short, to be said once more at the very end: of a long log often only the end is kept.
var reasons summary

type summary struct {
	mu   sync.Mutex
	list []string
}

// longestReason is how many bytes of a reason are said again, mostReasons how many of one test: what follows the first is often its consequence.
const (
	longestReason = 300
	mostReasons   = 3
)

func (s *summary) add(test string, said []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(said) == 0 {
		said = []string{"the reason stands in the log"}
	}
	for _, one := range said[:min(len(said), mostReasons)] {
		one = strings.Join(strings.Fields(one), " ")
		if len(one) > longestReason {
			one = one[:longestReason] + " …"
		}
		s.list = append(s.list, test+": "+one)
	}
	if more := len(said) - mostReasons; more > 0 {
		s.list = append(s.list, fmt.Sprintf("%s: and %d more", test, more))
	}
}

func (s *summary) print() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.list {
		fmt.Println("FAILED " + one)
	}
}

// builds are the kinds of program that are built, each once a run when it is first asked for.
var builds = map[string]func() (string, error){
	"lojal":           sync.OnceValues(func() (string, error) { return build("lojal", "CGO_ENABLED=0") }),
	"lojal-race":      sync.OnceValues(func() (string, error) { return build("lojal-race", "CGO_ENABLED=1", watched...) }),
	"lojal-testclock": sync.OnceValues(func() (string, error) { return build("lojal-testclock", "CGO_ENABLED=0", "-tags", "testclock") }),
	"lojal-next":      sync.OnceValues(buildNext),
}

// watched are the flags of a program with the race detector: those of scripts/test, which says why, so that what it compiled is not
// compiled again.
var watched = []string{
	"-race", "-gcflags=modernc.org/...=-d=checkptr=0",
	"-gcflags=modernc.org/sqlite/lib=-d=checkptr=0 -race=false", "-gcflags=modernc.org/libc/...=-d=checkptr=0 -race=false",
	"-gcflags=modernc.org/memory=-d=checkptr=0 -race=false", "-gcflags=modernc.org/mathutil=-d=checkptr=0 -race=false",
}

// buildNext builds the program of a version to come: this one with one more migration.
func buildNext() (string, error) {
	repository, err := filepath.Abs("../..")
	if err != nil {
		return "", err
	}
	migration, overlay := filepath.Join(binaries, "to_come.sql"), filepath.Join(binaries, "overlay.json")
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(repository, "internal", "db", "migrations", "09999_to_come.sql"): migration}})
	if err != nil {
		return "", err
	}
	if err := errors.Join(os.WriteFile(migration, []byte("-- +goose Up\nCREATE TABLE to_come (id integer PRIMARY KEY);\n"), 0o600), os.WriteFile(overlay, replace, 0o600)); err != nil {
		return "", err
	}
	return build("lojal-next", "CGO_ENABLED=0", "-overlay", overlay)
}

func build(name, env string, args ...string) (string, error) {
	path := filepath.Join(binaries, name)
	cmd := exec.Command("go", append([]string{"build", "-o", path, "-ldflags", "-X main.version=v0-faults"}, append(args, "lojal.dev/lojal/cmd/lojal")...)...)
	cmd.Env = append(os.Environ(), env)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w: %s", name, err, out)
	}
	return path, nil
}

func program(t *testing.T, name string) string {
	t.Helper()
	path, err := builds[name]()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// starter starts all processes on one thread that never ends, so that the kernel can end them when this process dies: a
// time-out of the tests leaves no server behind.
var starter = sync.OnceValue(func() chan<- func() {
	work := make(chan func())
	go func() {
		runtime.LockOSThread()
		for do := range work {
			do()
		}
	}()
	return work
})

// start starts a command that dies with the tests.
func start(cmd *exec.Cmd) error {
	mortal(cmd)
	failed := make(chan error, 1)
	starter() <- func() { failed <- cmd.Start() }
	return <-failed
}

// run is one test on one database: its choices, its counts and where it happens.
type run struct {
	*testing.T
	rnd *rand.Rand
	dir string
	url string
	// program is the build that its servers are of, bin and env are of its commands, where they are not the ordinary ones.
	program string
	bin     string
	env     []string

	mu     sync.Mutex
	counts map[string]int64
	said   []string // why it failed
	nodes  []*node
}

// newRun begins a test. The same seed and name give the same choices.
func newRun(t *testing.T, url string) *run {
	t.Helper()
	r := &run{T: t, rnd: chance(t.Name()), dir: t.TempDir(), url: url, program: "lojal", counts: map[string]int64{}}
	t.Cleanup(func() {
		var b strings.Builder
		for _, what := range slices.Sorted(maps.Keys(r.counts)) {
			fmt.Fprintf(&b, ", %d %s", r.counts[what], what)
		}
		t.Logf("%s: seed %d%s", t.Name(), *seed, b.String())
		for i, n := range r.nodes {
			for _, word := range []string{"panic", "DATA RACE", "fatal error"} {
				if strings.Contains(n.out.text(), word) {
					r.Errorf("node %d said %q", i, word)
				}
			}
			if t.Failed() {
				t.Logf("the last words of node %d:\n%s", i, n.out.last(40))
			}
		}
		if t.Failed() {
			reasons.add(t.Name(), r.said)
		}
	})
	return r
}

// chance gives the random numbers of a name.
func chance(name string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(name))
	return rand.New(rand.NewPCG(*seed, h.Sum64()))
}

func (r *run) say(reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.said = append(r.said, reason)
}

// Errorf, Error, Fatalf and Fatal are those of the test; the reason is said once more at the end of all.
func (r *run) Errorf(format string, args ...any) {
	r.Helper()
	r.say(fmt.Sprintf(format, args...))
	r.T.Errorf(format, args...)
}

// Error is like Errorf.
func (r *run) Error(args ...any) {
	r.Helper()
	r.say(fmt.Sprintln(args...))
	r.T.Error(args...)
}

// Fatalf is like Errorf.
func (r *run) Fatalf(format string, args ...any) {
	r.Helper()
	r.say(fmt.Sprintf(format, args...))
	r.T.Fatalf(format, args...)
}

// Fatal is like Errorf.
func (r *run) Fatal(args ...any) {
	r.Helper()
	r.say(fmt.Sprintln(args...))
	r.T.Fatal(args...)
}

// count adds to what the test reports at its end.
func (r *run) count(what string, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts[what] += int64(n)
}

// dice gives a number below n, for who is not alone with the test's chance.
func (r *run) dice(n int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rnd.IntN(n)
}

// times gives the number of rounds.
func times(short, whole int) int {
	switch {
	case *rounds > 0:
		return *rounds
	case *long:
		return whole
	}
	return short
}

// lasting gives the duration.
func lasting(short, whole time.Duration) time.Duration {
	switch {
	case *lasts > 0:
		return *lasts
	case *long:
		return whole
	}
	return short
}

// each runs a test on both databases, migrated.
func each(t *testing.T, body func(r *run)) {
	t.Helper()
	dbtest.EachURL(t, func(t *testing.T, url string) { body(newRun(t, url)) })
}

// eachEmpty is each with a database that has no table yet.
func eachEmpty(t *testing.T, body func(r *run)) {
	t.Helper()
	dbtest.EachEmpty(t, func(t *testing.T, url string) { body(newRun(t, url)) })
}

// sqlite says whether the test runs on SQLite.
func (r *run) sqlite() bool { return dialect(r.url) == db.SQLite }

func dialect(url string) db.Dialect {
	if strings.HasPrefix(url, "sqlite:") {
		return db.SQLite
	}
	return db.Postgres
}

// file is the database file of a SQLite URL.
func file(url string) string { return strings.TrimPrefix(url, "sqlite:") }

// pause waits, or less when the test ends: it paces faults and never stands for something that can be waited for.
func (r *run) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	}
}

// between gives a duration from a to b.
func between(rnd *rand.Rand, a, b time.Duration) time.Duration {
	return a + time.Duration(rnd.Int64N(int64(b-a)+1))
}

// until asks again and again until the answer is nil, and fails with the last one when the time is over.
func (r *run) until(what string, limit time.Duration, ask func() error) time.Duration {
	r.Helper()
	began := time.Now()
	for {
		err := ask()
		if err == nil {
			return time.Since(began)
		}
		if time.Since(began) > limit || r.Context().Err() != nil {
			r.Fatalf("%s: not within %s: %v", what, limit, errors.Join(err, r.Context().Err()))
		}
		r.pause(10 * time.Millisecond)
	}
}
