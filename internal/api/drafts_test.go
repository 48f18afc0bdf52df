package api

import (
	"strings"
	"testing"
)

func TestADraftIsOneTextThatTwoCannotOverwrite(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		first := h.do("GET", "/v1/program/draft", "").want(200).is(float64(0), "revision")
		if text := first.text("source"); !strings.HasPrefix(text, "program: kaffebaren\n") {
			t.Fatalf("a draft begins with %s", text)
		}
		put := func(source, revision string) *answer {
			return h.do("PUT", "/v1/program/draft", `{"source": "`+source+`", "revision": `+revision+`}`)
		}
		put(`program: kaffe\n# half of`, "0").want(200).is(float64(1), "revision")
		put(`mine`, "0").refused(412, "stale_revision")
		put(`program: kaffe\n# whole`, "1").want(200).is(float64(2), "revision").is("Till 1", "updated_by")
		put(`mine`, "1").refused(412, "stale_revision").is(float64(2), "meta", "revision")
		h.do("GET", "/v1/program/draft", "").want(200).is("program: kaffe\n# whole", "source")
		h.do("DELETE", "/v1/program/draft", "").want(200).is(float64(0), "revision")
		h.do("GET", "/v1/program/draft", "").want(200).is(first.text("source"), "source")
		put(strings.Repeat("x", 513<<10), "0").refused(422, "draft_too_long", "/source")
	})
}
