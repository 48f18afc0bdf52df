package scenario

import (
	"bytes"
	"testing"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
)

const rows = "../../test/scenarios"

// Every scenario is played in memory, where each fact is decided three times over and the books are proved after it.
func TestScenariosInMemory(t *testing.T) {
	t.Parallel()
	report, err := play(t.Context(), []string{rows}, 2, openMemory)
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
		report, err := Run(t.Context(), []string{rows}, Options{DB: d, Out: &out})
		if err != nil {
			t.Fatal(err)
		}
		if report.Failed > 0 {
			t.Error("\n" + out.String())
		}
	})
}
