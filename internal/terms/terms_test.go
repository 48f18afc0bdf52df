package terms_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/terms"
)

var update = flag.Bool("update", false, "write the files anew")

// Each blueprint reads as it stands in testdata, which is there to be read by people.
func TestBlueprintsReadAsWritten(t *testing.T) {
	t.Parallel()
	for _, name := range program.Blueprints() {
		text, err := program.Blueprint(name)
		if err != nil {
			t.Fatal(err)
		}
		d, err := program.Parse(text, name)
		if err != nil {
			t.Fatal(err)
		}
		p, err := program.Compile(d, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range lang.All {
			t.Run(name+"."+l, func(t *testing.T) {
				t.Parallel()
				got := terms.Markdown(p, l)
				file := filepath.Join("testdata", name+"."+l+".md")
				if *update {
					if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if got != string(want) {
					t.Errorf("%s reads otherwise:\n%s", file, got)
				}
			})
		}
	}
}
