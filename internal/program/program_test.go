package program

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
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

const blueprintsFile = "../../docs/blueprints.md"

// The list of blueprints says of each in a line what it is, and which parts of a document it uses.
func TestGeneratedBlueprints(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Blueprints\n\n<!-- Generated from internal/program/blueprints by `go generate ./internal/program`. -->\n\n" +
		"A blueprint is a whole program for a trade, in Norwegian, Swedish, Danish and English, to start from and to change. `lojal init --list` tells which\n" +
		"there are, `lojal init --blueprint NAME` writes one, `lojal demo --blueprint NAME` shows it with members and two years of purchases, and\n" +
		"`lojal program explain FILE` reads it as its members would. The story beside each is a year of it: what members do and what follows, played on\n" +
		"every database that lojal runs on.\n\n| blueprint | what it is | besides earning and rewards | a year |\n|---|---|---|---|\n")
	for _, name := range Blueprints() {
		text, err := Blueprint(name)
		if err != nil {
			t.Fatal(err)
		}
		d, err := Parse(text, name)
		if err != nil {
			t.Fatal(err)
		}
		if s := Summary(name); s == "" || !strings.HasPrefix(string(text), "# "+s+".\n") || len(s) > 140 {
			t.Errorf("%s begins with %q: its first line should say in at most 140 letters what it is, as \"# A shop: …\" with a full stop", name, s)
		}
		j, err := Canonical(d)
		if err != nil {
			t.Fatal(err)
		}
		var parts map[string]any
		if err := json.Unmarshal(j, &parts); err != nil {
			t.Fatal(err)
		}
		var more []string
		for _, part := range slices.Sorted(maps.Keys(parts)) {
			switch part {
			case "program", "name", "time_zone", "currency", "country", "languages", "names", "usual", "units", "earn", "rewards", "spending", "returns":
			default:
				more = append(more, strings.ReplaceAll(part, "_", " "))
			}
		}
		fmt.Fprintf(&b, "| [%s](../internal/program/blueprints/%s.yaml) | %s | %s | [story](../internal/program/blueprints/%s.story.yaml) |\n", name, name, Summary(name), strings.Join(more, ", "), name)
	}
	golden(t, blueprintsFile, b.String())
}
