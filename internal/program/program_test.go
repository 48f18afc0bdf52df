package program

import (
	"reflect"
	"testing"
)

// Every blueprint is a test: it parses, compiles, and its canonical form reads back as the same document.
func TestBlueprints(t *testing.T) {
	t.Parallel()
	for _, name := range Blueprints() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, err := Blueprint(name)
			if err != nil {
				t.Fatal(err)
			}
			d, err := Parse(b, name+".yaml")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Compile(d, 1); err != nil {
				t.Fatal(err)
			}
			j, err := Canonical(d)
			if err != nil {
				t.Fatal(err)
			}
			e, err := Parse(j, "")
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(d, e) {
				t.Error("the canonical form reads back as another document")
			}
		})
	}
}
