package scenario

import (
	"bytes"
	"testing"
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
