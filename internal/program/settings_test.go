package program

import (
	"strings"
	"testing"

	"lojal.dev/lojal/internal/errs"
)

// TestEveryValueOfEveryBlueprintCanBeSet changes all values of a text at once, and looks whether it says that and nothing else.
func TestEveryValueOfEveryBlueprintCanBeSet(t *testing.T) {
	t.Parallel()
	for _, name := range Blueprints() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw, err := Blueprint(name)
			if err != nil {
				t.Fatal(err)
			}
			source := string(raw)
			list, err := Settings(source)
			if err != nil {
				t.Fatal(err)
			}
			changes := map[string]string{}
			for _, s := range list {
				changes[s.Pointer] = map[string]string{"text": s.Value + `, så "sagt": {1}`, "number": "4711.50", "truth": "false"}[s.Kind]
				if s.Value == "false" {
					changes[s.Pointer] = "true"
				}
			}
			out, err := Set(source, changes)
			if err != nil {
				for _, f := range errs.As(err).Fields { // what stands on several lines
					delete(changes, strings.ReplaceAll(strings.TrimPrefix(f.Pointer, "/"), "~1", "/"))
				}
				if len(changes) < len(list)*95/100 {
					t.Errorf("%d of %d values can be set", len(changes), len(list))
				}
				if out, err = Set(source, changes); err != nil {
					t.Fatal(err)
				}
			}
			after, err := Settings(out)
			if err != nil {
				t.Fatal(err)
			}
			for i, s := range after {
				want, ok := changes[s.Pointer]
				if !ok {
					want = list[i].Value
				}
				if s.Pointer != list[i].Pointer || s.Value != want {
					t.Errorf("%s is %q, want %q", s.Pointer, s.Value, want)
				}
			}
			if strings.Count(out, "#") < strings.Count(source, "#") {
				t.Error("a comment is gone")
			}
		})
	}
}

func TestSettingOneValueLeavesTheRest(t *testing.T) {
	t.Parallel()
	const source = "# of a bar\nprogram: kaffe # its id\nname: {nb: \"Kaffe, takk\", en: 'It''s coffee'}\nunits:\n  star: {worth: 0.50} # each\nlong: |\n  one\n  two\nlist: [07:00-10:00, yes]\n"
	for _, c := range []struct{ at, value, old, new string }{
		{"/units/star/worth", "0.75", "worth: 0.50}", "worth: 0.75}"},
		{"/program", "te bar", "kaffe #", "te bar #"},
		{"/program", "te: bar", "program: kaffe #", `program: "te: bar" #`},
		{"/program", "no", "program: kaffe #", `program: "no" #`},
		{"/name/nb", "Te", `"Kaffe, takk"`, `"Te"`},
		{"/name/en", `Say "te"`, `'It''s coffee'`, `"Say \"te\""`},
		{"/list/0", "08:00-11:00", "07:00-10:00", "08:00-11:00"},
		{"/units/star/worth", "0.50", "worth: 0.50}", "worth: 0.50}"},
	} {
		got, err := Set(source, map[string]string{c.at: c.value})
		if want := strings.Replace(source, c.old, c.new, 1); err != nil || got != want {
			t.Errorf("%s to %s: %v\n%s", c.at, c.value, err, got)
		}
	}
	for ptr, c := range map[string]struct{ value, reason string }{
		"/units/star/worth": {"much", "not_a_number"}, "/units/star": {"x", "no_setting"}, "/nothing": {"x", "no_setting"}, "/long": {"x", "not_by_form"},
	} {
		_, err := Set(source, map[string]string{ptr: c.value})
		if e := errs.As(err); err == nil || len(e.Fields) != 1 || e.Fields[0].Reason != c.reason || e.Fields[0].Pointer != "/"+strings.ReplaceAll(ptr, "/", "~1") {
			t.Errorf("%s: %v", ptr, err)
		}
	}
	if _, err := Set("a: [", map[string]string{"/a": "x"}); err == nil {
		t.Error("what cannot be read has no values")
	}
	if _, err := Set(`{"program": "x"}`, map[string]string{"/program": "y"}); err == nil {
		t.Error("the places of values are known in YAML only")
	}
}
