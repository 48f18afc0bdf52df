// Package scenario plays given/when/then files against the real flow and tells what differs.
//
// It owns the form of the files (docs/scenarios.md) and how an expectation is compared. It owns no rule: every step goes
// the road that a request goes, in a program of its own, so that a folder of scenarios can be played in one database.
package scenario

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
)

// Report is what came of a run.
type Report struct {
	Passed    int      `json:"passed"`
	Failed    int      `json:"failed"`
	Scenarios []Result `json:"scenarios"`
}

// Result is what came of one scenario.
type Result struct {
	File     string `json:"file"`
	Line     int    `json:"line"`
	Scenario string `json:"scenario"`
	Title    string `json:"title,omitempty"`
	// Steps is how many steps were played.
	Steps       int          `json:"steps"`
	Differences []Difference `json:"differences,omitempty"`
}

// OK says whether all was as expected.
func (r Result) OK() bool { return len(r.Differences) == 0 }

// Difference is one thing that is not as expected.
type Difference struct {
	// Step counts from 1 over before and when; 0 is the scenario as a whole. Line is where it is written.
	Step int    `json:"step,omitempty"`
	Line int    `json:"line,omitempty"`
	What string `json:"what"`
	// Expected and Got are in words.
	Expected string `json:"expected,omitempty"`
	Got      string `json:"got,omitempty"`
}

// String is the difference as a person reads it, without the file.
func (d Difference) String() string {
	s := d.What
	if d.Expected != "" || d.Got != "" {
		s += ": expected " + d.Expected + ", got " + d.Got
	}
	return s
}

// Write tells the report in plain words: every scenario that failed with all that differs, then the sums.
func (r Report) Write(w io.Writer) {
	for _, s := range r.Scenarios {
		if s.OK() {
			continue
		}
		fmt.Fprintf(w, "%s:%d: %s", s.File, s.Line, s.Scenario)
		if s.Title != "" {
			fmt.Fprintf(w, " (%s)", s.Title)
		}
		fmt.Fprintln(w)
		for _, d := range s.Differences {
			where := ""
			if d.Step > 0 {
				where = fmt.Sprintf("step %d, line %d: ", d.Step, d.Line)
			}
			fmt.Fprintf(w, "    %s%s\n", where, d)
		}
	}
	fmt.Fprintf(w, "%s, %d as expected, %d not\n", lang.Things(r.Passed+r.Failed, "scenario"), r.Passed, r.Failed)
}

// files lists the scenario files in paths: files as they are, folders with all below, but for folders called programs.
func files(paths []string) ([]string, error) {
	var out []string
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, errs.NotFound("file_not_found", "There is no scenario file or folder "+path+".").Because(err)
		}
		if !info.IsDir() {
			out = append(out, path)
			continue
		}
		err = filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error {
			switch ext := filepath.Ext(name); {
			case err != nil:
				return err
			case d.IsDir() && d.Name() == "programs":
				return filepath.SkipDir
			case !d.IsDir() && (ext == ".yaml" || ext == ".yml" || ext == ".json"):
				out = append(out, name)
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("look for scenario files: %w", err)
		}
	}
	return out, nil
}

// play plays the scenarios of the files, several at once, each at a desk that open gives it.
func play(ctx context.Context, paths []string, parallel int, open func(ctx context.Context, scenario string) (desk, error)) (Report, error) {
	names, err := files(paths)
	if err != nil {
		return Report{}, err
	}
	var all []*player
	var wrong []error
	for _, name := range names {
		s, err := read(name)
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		for i := range s.Scenarios {
			all = append(all, &player{sheet: s, story: &s.Scenarios[i], place: i})
		}
	}
	if err := errors.Join(wrong...); err != nil {
		return Report{}, errs.Invalid("invalid_scenario", err.Error())
	}
	if len(all) == 0 {
		return Report{}, errs.Invalid("no_scenarios", "There is no scenario in "+strings.Join(paths, ", ")+".")
	}
	results := make([]Result, len(all))
	next := make(chan int)
	var work sync.WaitGroup
	for range max(min(parallel, len(all)), 1) {
		work.Go(func() {
			for i := range next {
				results[i] = all[i].play(ctx, open)
			}
		})
	}
	for i := range all {
		next <- i
	}
	close(next)
	work.Wait()
	r := Report{Scenarios: results}
	for i := range results {
		if results[i].OK() {
			r.Passed++
		} else {
			r.Failed++
		}
	}
	return r, ctx.Err()
}

// desk takes facts for one scenario, in a program of its own.
type desk interface {
	publish(ctx context.Context, d *program.Document, from *time.Time, now time.Time) error
	// take records a fact, simulate only decides it.
	take(ctx context.Context, o order) (*outcome, error)
	simulate(ctx context.Context, o order) (*outcome, error)
	sweep(ctx context.Context, now time.Time) error
	// pay takes what a partner pays ahead.
	pay(ctx context.Context, partner string, amount money.Decimal, now time.Time) error
	// follow records what follows for other members from what was recorded.
	follow(ctx context.Context, now time.Time) error
	// facts gives a member's facts with numbers above after, in order.
	facts(ctx context.Context, member string, after int64) ([]engine.Past, error)
	// view gives the account brought up to now, with all that progress and offers need.
	view(ctx context.Context, member string, now time.Time) (*engine.Account, *program.Compiled, []engine.Offer, error)
	// pool loads codes into a pool, left says how many it has.
	pool(ctx context.Context, pool string, n int, now time.Time) error
	left(ctx context.Context, pool string, now time.Time) (int, error)
	// draw draws a raffle whose time has come.
	draw(ctx context.Context, raffle string, now time.Time) error
	// benefits says how each benefit stands.
	benefits(ctx context.Context, member string, now time.Time) ([]engine.Standing, error)
	counting
}

// order is a fact to take. Fact has its kind, body, time, parent and natural key.
type order struct {
	member  string
	fact    engine.Fact
	enrol   *person
	key     string
	now     time.Time
	profile *changing
}

// outcome is what came of a fact.
type outcome struct {
	fact      engine.Fact
	decision  engine.Decision
	version   int64
	duplicate bool
	replayed  bool
}

// sortedFields lists a map's keys in order.
func sortedFields[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
