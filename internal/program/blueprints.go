package program

import (
	"embed"
	"fmt"
	"slices"
	"strings"
)

//go:embed blueprints/*.yaml
var blueprints embed.FS

// Blueprints lists the names of the sample programs that come with lojal, sorted.
func Blueprints() []string {
	entries, _ := blueprints.ReadDir("blueprints") // an embedded folder is there
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	slices.Sort(names)
	return names
}

// Blueprint gives the YAML of a sample program.
func Blueprint(name string) ([]byte, error) {
	if !slices.Contains(Blueprints(), name) {
		return nil, fmt.Errorf("there is no blueprint %q; there are: %s", name, strings.Join(Blueprints(), ", "))
	}
	return blueprints.ReadFile("blueprints/" + name + ".yaml")
}
