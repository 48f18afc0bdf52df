package terms

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/program"
)

var (
	saidWhole = regexp.MustCompile(`(?:\b(say|bounds|add)\(|\bkey :?= )"([a-z._]+[a-z])"`)
	saidBegun = regexp.MustCompile(`\bsay\("([a-z._]+\.)" ?\+`)
)

// families are the words that a field may hold, by the beginning of the phrases that are made of them.
var families = map[string][]string{
	"per.":             {"Limit.per"},
	"endof.":           nil,
	"gives.":           {"Give.each"},
	"every.":           {"Challenge.per", "Challenge.streak"},
	"ended.":           {"Challenge.per"}, // the periods of every:…
	"window.calendar.": nil,
	"period.":          nil,
	"last.":            nil,
	"on.":              nil,
	"title.":           nil,
	"moment.":          nil,
	"metric.":          nil,
	"down.":            nil,
	"expiry.":          nil,
	"goal.":            nil,
	"goal.set.":        nil,
	"limit.":           nil,
}

// further are those of which no list stands in the schema.
var further = map[string][]string{
	"window.calendar.": {"month", "quarter", "year"},
	"endof.":           {"day", "week", "month", "quarter", "year"},
	"period.":          {"minute", "hour", "day", "week", "month", "year"},
	"last.":            {"day", "week", "month", "year"},
	"on.":              week,
	"moment.":          {"day", "week", "month", "quarter", "year", "birthday", "anniversary", "date", "tier"},
	"metric.":          {"spend", "unit", "purchases", "visits", "activity", "tenure"},
	"down.":            {"earned", "onestep", "never"},
	"expiry.":          {"end.of.month", "end.of.quarter", "end.of.year"},
	"limit.":           {"once.all", "twice.all", "times.all", "amount.all"},
	"goal.":            {"purchases", "items", "lines", "times", "spend", "unit", "property"},
	"goal.set.":        {"sku", "category", "brand", "store", "channel"},
}

// What is said has its phrase: every key in the source, and for keys that are made of a document's words, every word that it may hold.
func TestWhatIsSaidHasItsPhrase(t *testing.T) {
	t.Parallel()
	var schema struct {
		Defs map[string]struct {
			Properties map[string]struct {
				Enum []string `json:"enum"`
			} `json:"properties"`
		} `json:"$defs"`
	}
	if err := json.Unmarshal(program.Schema(), &schema); err != nil {
		t.Fatal(err)
	}
	there := func(key, where string) {
		for _, l := range lang.All {
			if phrases[l][key] == "" {
				t.Errorf("%s says %q, which has no phrase in %s", where, key, l)
			}
		}
	}
	for _, part := range parts {
		there("title."+part.id, "a heading")
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	whole := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") || file == "phrases.go" {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range saidWhole.FindAllStringSubmatch(string(text), -1) {
			whole++
			if m[1] != "bounds" {
				there(m[2], file)
				continue
			}
			for _, end := range []string{".both", ".from", ".to"} {
				there(m[2]+end, file)
			}
		}
		for _, m := range saidBegun.FindAllStringSubmatch(string(text), -1) {
			if _, known := families[m[1]]; !known {
				t.Errorf("%s says words that begin with %q, which this test does not know", file, m[1])
			}
		}
	}
	if whole < 60 {
		t.Errorf("only %d phrases were found in the source", whole)
	}
	for begin, fields := range families {
		list := slices.Clone(further[begin])
		for _, field := range fields {
			typ, name, _ := strings.Cut(field, ".")
			enum := schema.Defs[typ].Properties[name].Enum
			if len(enum) == 0 {
				t.Errorf("the schema lists no words for %s", field)
			}
			list = append(list, enum...)
		}
		for _, word := range list {
			there(begin+word, "a document")
		}
	}
}
