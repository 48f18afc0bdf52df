package explain_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/explain"
)

// made are the refusals as the engine and the recorder make them.
var made = regexp.MustCompile(`errs\.(?:Conflict|Forbidden|Insufficient|NotFound)\("([a-z_]+)",`)

// Whatever is refused for what stands in the books is told in every language.
func TestEveryRefusalIsToldInEveryLanguage(t *testing.T) {
	t.Parallel()
	source := ""
	for _, room := range []string{"engine", "record"} {
		files, err := filepath.Glob(filepath.Join("..", room, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("the sources of %s: %v", room, err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			source += string(text)
		}
	}
	reasons := map[string]bool{}
	for _, m := range made.FindAllStringSubmatch(source, -1) {
		reasons[m[1]] = true
	}
	for _, status := range []string{engine.StatusReserved, engine.StatusCommitted, engine.StatusCancelled, engine.StatusLapsed, engine.StatusRefunded} {
		reasons["redemption_"+status] = true
	}
	if len(reasons) < 100 {
		t.Fatalf("only %d reasons were found", len(reasons))
	}
	for reason := range reasons {
		e := errs.Conflict(reason, "English.").With("left", 3)
		for _, lang := range []string{"nb", "sv", "da"} {
			got := explain.Refusal(lang, e)
			if got.Message == e.Message || !strings.HasSuffix(got.Message, ".") {
				t.Errorf("%s is told in %s as %q", reason, lang, got.Message)
			}
			if got.Reason != reason || got.Meta["left"] != 3 || got.Code != e.Code {
				t.Errorf("%s in %s is another: %+v", reason, lang, got)
			}
		}
		if explain.Refusal("en", e) != e {
			t.Errorf("%s in English is not what was said", reason)
		}
	}
}
