package program

import (
	"embed"
	"fmt"
	"slices"
	"strings"
)

//go:embed blueprints/*.yaml
var blueprints embed.FS

// story ends the name of the file beside a blueprint that tells a year of it: its documentation and its test.
const story = ".story"

// Blueprints lists the names of the sample programs that come with lojal, sorted.
func Blueprints() []string {
	entries, _ := blueprints.ReadDir("blueprints") // an embedded folder is there
	var names []string
	for _, e := range entries {
		if name := strings.TrimSuffix(e.Name(), ".yaml"); !strings.HasSuffix(name, story) {
			names = append(names, name)
		}
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

// Summary says in a line what a sample program is: the first line of its file. Empty where there is none of that name.
func Summary(name string) string {
	text, err := Blueprint(name)
	if err != nil {
		return ""
	}
	first, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSuffix(strings.TrimPrefix(first, "# "), ".")
}

// Story gives the YAML of the story of a sample program: members and a year of what they do, with what follows from it.
func Story(name string) ([]byte, error) {
	if _, err := Blueprint(name); err != nil {
		return nil, err
	}
	return blueprints.ReadFile("blueprints/" + name + story + ".yaml")
}
