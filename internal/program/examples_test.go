package program

import (
	"encoding/json"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// ground is a program that has what the examples of the documentation name and do not declare themselves.
const ground = `
program: ground
name: Ground
time_zone: Europe/Oslo
currency: NOK
units:
  star: {name: Stars}
  gem: {name: Gems}
  mile: {name: Miles}
  bonus: {name: Bonus, precision: 2, worth: 1.00}
  krone: {name: Kroner, precision: 2, worth: 1.00}
  kudo: {name: Kudos, expires: {end_of: month}}
  thank: {name: Thanks}
activities: {own_cup: {}, code: {properties: {word: text}}}
tiers: {club: {by: {sum: spend}, steps: [{id: member, benefits: lounge}, {id: gold, from: 3000.00}]}}
benefits: [{id: lounge}, {id: free_delivery}, {id: free_refill}, {id: early_access}, {id: friends_discount}]
plans: [{id: plus, every: 1 month}]
rewards: [{id: coffee, price: {star: 50}, gives: {product: coffee}}]
`

// asDocument reads an example as a document: one that is whole stands as it is, fields of the document are laid over the ground, and parts of a rule or a
// unit are put where they belong. An example of several lines with one name is as many documents.
func asDocument(t *testing.T, example string) []map[string]any {
	t.Helper()
	read := func(text string) map[string]any {
		var m map[string]any
		if err := yaml.Unmarshal([]byte(text), &m); err != nil {
			t.Fatalf("%v:\n%s", err, text)
		}
		return m
	}
	lines := strings.Split(strings.TrimSpace(example), "\n")
	if begun := regexp.MustCompile(`^[a-z_]+:`); !slices.ContainsFunc(lines, func(l string) bool { return !begun.MatchString(l) }) && fieldsOf(reflect.TypeFor[Document]()).byName[strings.Split(lines[0], ":")[0]].Name == "" && len(lines) > 1 {
		var out []map[string]any
		for _, l := range lines {
			out = append(out, asDocument(t, l)...)
		}
		return out
	}
	m := read(example)
	if m["program"] != nil {
		return []map[string]any{m}
	}
	for name, put := range map[string]string{
		"expires": "units: {other: {name: Other}}",
		"give":    "earn: [{id: example, on: purchase}]",
		"when":    "earn: [{id: example, on: purchase, give: {unit: star, amount: 1}}]",
	} {
		if v, ok := m[name]; ok {
			m = read(put)
			if name == "expires" {
				m["units"].(map[string]any)["other"].(map[string]any)[name] = v
			} else {
				m["earn"].([]any)[0].(map[string]any)[name] = v
			}
			break
		}
	}
	out := read(ground)
	for name, v := range m {
		switch over := v.(type) {
		case map[string]any:
			if under, ok := out[name].(map[string]any); ok {
				maps.Copy(under, over)
				continue
			}
		case []any:
			if under, ok := out[name].([]any); ok {
				ids := map[any]bool{}
				for _, one := range over {
					ids[one.(map[string]any)["id"]] = true
				}
				v = append(slices.DeleteFunc(under, func(one any) bool { return ids[one.(map[string]any)["id"]] }), over...)
			}
		}
		out[name] = v
	}
	return []map[string]any{out}
}

// Whoever copies an example out of the documentation has a program that is accepted.
func TestExamplesOfTheDocumentationAreAccepted(t *testing.T) {
	t.Parallel()
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```")
	for _, file := range []string{"program", "mechanics", "rewards", "gift-cards", "gift-card-providers", "partners", "households"} {
		text, err := os.ReadFile("../../docs/" + file + ".md")
		if err != nil {
			t.Fatal(err)
		}
		found := blocks.FindAllStringSubmatch(string(text), -1)
		if file != "households" && len(found) == 0 {
			t.Errorf("%s has no example", file)
		}
		for _, example := range found {
			for _, m := range asDocument(t, example[1]) {
				source, err := json.Marshal(m)
				if err != nil {
					t.Fatal(err)
				}
				d, err := Parse(source, file)
				if err == nil {
					_, err = Compile(d, 0)
				}
				if err != nil {
					t.Errorf("%s: %v:\n%s", file, err, example[1])
				}
			}
		}
	}
}
