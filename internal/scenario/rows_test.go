package scenario

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/verify"
	"lojal.dev/lojal/internal/version"
)

const rows = "../../test/scenarios"

// stories are those beside the blueprints.
func stories(t *testing.T) []string {
	t.Helper()
	out := []string{}
	for _, name := range program.Blueprints() {
		if _, err := program.Story(name); err != nil {
			t.Errorf("%s has no story: %v", name, err)
			continue
		}
		out = append(out, "../program/blueprints/"+name+".story.yaml")
	}
	return out
}

// Every scenario is played in memory, where each fact is decided three times over and the books are proved after it.
func TestScenariosInMemory(t *testing.T) {
	t.Parallel()
	report, err := play(t.Context(), append(stories(t), rows), 2, openMemory)
	if err != nil {
		t.Fatal(err)
	}
	if report.Failed > 0 {
		var out bytes.Buffer
		report.Write(&out)
		t.Error("\n" + out.String())
	}
}

func TestScenarios(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var out bytes.Buffer
		report, err := Run(t.Context(), append(stories(t), rows), Options{DB: d, Out: &out})
		if err != nil {
			t.Fatal(err)
		}
		if report.Failed > 0 {
			t.Error("\n" + out.String())
		}
		prove(t, d)
		described(t, d)
	})
}

// prove proves the books of every program in the database.
func prove(t *testing.T, d *db.DB) {
	t.Helper()
	var programs []string
	err := d.Read(t.Context(), func(tx *db.Tx) error {
		programs = nil
		return db.Collect(t.Context(), tx, func(row db.Scanner) error {
			var id string
			err := row.Scan(&id)
			programs = append(programs, id)
			return err
		}, `SELECT program_id FROM programs ORDER BY program_id`)
	})
	if err != nil || len(programs) == 0 {
		t.Fatal(len(programs), err)
	}
	versions := new(version.Cache)
	for _, id := range programs {
		report, err := verify.Run(t.Context(), d, versions, id, verify.Options{})
		if err == nil {
			err = report.Err()
		}
		if err != nil {
			t.Error(err)
		}
	}
}

// The example that people read first does what it says.
func TestExampleInTheDocs(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/scenarios.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```yaml\n")
	example, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("docs/scenarios.md has no example")
	}
	var out bytes.Buffer
	if report, err := Run(t.Context(), []string{file(t, example)}, Options{Out: &out}); err != nil || report.Failed > 0 {
		t.Error(err, out.String())
	}
}
