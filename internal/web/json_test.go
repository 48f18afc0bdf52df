package web

import (
	"slices"
	"strings"
	"testing"
	"time"

	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/money"
)

type inner struct {
	Amount *money.Decimal `json:"amount,omitempty"`
	Tags   []string       `json:"tags,omitempty"`
}

type embedded struct {
	Name string `json:"name,omitempty"`
	N    int64  `json:"n,omitempty"`
}

type body struct {
	embedded_
	ExternalID string            `json:"external_id,omitempty"`
	At         *time.Time        `json:"at,omitempty"`
	Lines      []inner           `json:"lines,omitempty"`
	Map        map[string]string `json:"map,omitempty"`
	Yes        bool              `json:"yes,omitempty"`
}

type embedded_ = embedded

func TestUnmarshalRefuses(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`{"map":`, 40) + "1" + strings.Repeat("}", 40)
	tests := []struct {
		name, json string
		code       errs.Code
		reason     string
		pointers   []string
	}{
		{"nothing", "", errs.CodeMalformed, "body_missing", nil},
		{"spaces", " \n", errs.CodeMalformed, "body_missing", nil},
		{"broken", `{"name":`, errs.CodeMalformed, "malformed_json", nil},
		{"comma", `{"name":"a",}`, errs.CodeMalformed, "malformed_json", nil},
		{"trailing value", `{"name":"a"} {}`, errs.CodeMalformed, "trailing_data", nil},
		{"trailing letter", `{"name":"a"}x`, errs.CodeMalformed, "trailing_data", nil},
		{"unknown key", `{"nam":"a"}`, errs.CodeMalformed, "unknown_key", []string{"/nam"}},
		{"shifted case", `{"Name":"a"}`, errs.CodeMalformed, "unknown_key", []string{"/Name"}},
		{"unknown key below", `{"lines":[{"amount":"1"},{"amont":"1"}]}`, errs.CodeMalformed, "unknown_key", []string{"/lines/1/amont"}},
		{"unknown key with odd name", `{"a/b~c":1}`, errs.CodeMalformed, "unknown_key", []string{"/a~1b~0c"}},
		{"repeated key", `{"name":"a","name":"b"}`, errs.CodeMalformed, "duplicate_key", []string{"/name"}},
		{"repeated key below", `{"lines":[{"amount":1,"amount":2}]}`, errs.CodeMalformed, "duplicate_key", []string{"/lines/0/amount"}},
		{"repeated key after a wrong type", `{"n":"x","name":"a","name":"b"}`, errs.CodeMalformed, "duplicate_key", []string{"/name"}},
		{"invalid utf-8", "{\"name\":\"\xff\"}", errs.CodeMalformed, "invalid_utf8", []string{"/name"}},
		{"lone surrogate", `{"name":"\ud800"}`, errs.CodeMalformed, "invalid_utf8", []string{"/name"}},
		{"too deep", deep, errs.CodeMalformed, "too_deep", nil},
		{"a list", `[]`, errs.CodeInvalid, "invalid_body", []string{""}},
		{"null", `null`, errs.CodeInvalid, "invalid_body", []string{""}},
		{"a text", `"x"`, errs.CodeInvalid, "invalid_body", []string{""}},
		{"all wrong types at once", `{"name":1,"n":"1","at":"2026-01-01","lines":[{"amount":"1,5"},{"tags":"x"}],"map":{"k":2},"yes":"no"}`,
			errs.CodeInvalid, "invalid_body", []string{"/name", "/n", "/at", "/lines/0/amount", "/lines/1/tags", "/map/k", "/yes"}},
		{"fraction for a whole number", `{"n":1.5}`, errs.CodeInvalid, "invalid_body", []string{"/n"}},
		{"too large for a whole number", `{"n":9223372036854775808}`, errs.CodeInvalid, "invalid_body", []string{"/n"}},
		{"exponent in an amount", `{"lines":[{"amount":1e3}]}`, errs.CodeInvalid, "invalid_body", []string{"/lines/0/amount"}},
		{"19 digits", `{"lines":[{"amount":"1234567890123456789"}]}`, errs.CodeInvalid, "invalid_body", []string{"/lines/0/amount"}},
		{"amount of true", `{"lines":[{"amount":true}]}`, errs.CodeInvalid, "invalid_body", []string{"/lines/0/amount"}},
		{"time without offset", `{"at":"2026-01-01T10:00:00"}`, errs.CodeInvalid, "invalid_body", []string{"/at"}},
		{"31 February", `{"at":"2026-02-31T10:00:00Z"}`, errs.CodeInvalid, "invalid_body", []string{"/at"}},
		{"nul character", `{"name":"a\u0000"}`, errs.CodeInvalid, "invalid_body", []string{"/name"}},
		{"nul character in a key", `{"map":{"a\u0000":"x"}}`, errs.CodeInvalid, "invalid_body", []string{"/map"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var b body
			err := Unmarshal([]byte(test.json), &b)
			e := errs.As(err)
			if err == nil || e.Code != test.code || e.Reason != test.reason {
				t.Fatalf("got %v, want %s %s", err, test.code, test.reason)
			}
			var got []string
			for _, f := range e.Fields {
				got = append(got, f.Pointer)
			}
			if test.name == "nul character in a key" {
				if len(got) != 1 || !strings.HasPrefix(got[0], "/map") {
					t.Errorf("pointers %q", got)
				}
			} else if test.pointers != nil && !slices.Equal(got, test.pointers) {
				t.Errorf("pointers %q, want %q", got, test.pointers)
			}
		})
	}
}

func TestUnmarshalReads(t *testing.T) {
	t.Parallel()
	var b body
	err := Unmarshal([]byte(` {"name":"Kåre \\u0000 🎈","n":3,"external_id":null,"at":"2026-01-01T10:00:00+01:00","lines":[{"amount":12.50},{"amount":"12.50"}],"yes":true} `), &b)
	if err != nil {
		t.Fatal(err)
	}
	if b.Name != `Kåre \u0000 🎈` || b.N != 3 || b.Lines[0].Amount.String() != "12.50" || b.Lines[1].Amount.String() != "12.50" || !b.Yes {
		t.Errorf("read %+v", b)
	}
}

func FuzzUnmarshal(f *testing.F) {
	for _, s := range []string{`{}`, `{"name":"a","lines":[{"amount":"1"}]}`, `{"at":"x"}`, `[`, "\xff", `{"name":"\u0000"}`, `{"map":{"":{"":[]}}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var b body
		err := Unmarshal(data, &b)
		if err == nil {
			if again, err := Marshal(b); err != nil {
				t.Fatalf("%q was read and cannot be written: %v", data, err)
			} else if err := Unmarshal(again, &body{}); err != nil {
				t.Fatalf("%q became %q, which is refused: %v", data, again, err)
			}
			return
		}
		if c := errs.CodeOf(err); c != errs.CodeMalformed && c != errs.CodeInvalid {
			t.Fatalf("%q: %v", data, err)
		}
		if c := errs.As(err); len(c.Fields) > maxMistakes {
			t.Fatalf("%d mistakes", len(c.Fields))
		}
	})
}
